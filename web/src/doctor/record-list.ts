/** Order and filter of the documents of a record. */

import type { DocumentRow } from '../api/types';
import { date } from '../shared/format';
import { grouped } from '../shared/grouped';

export interface RecordFilter {
  holder: string | null;
  class: string | null;
  title: string;
  /** Whether documents that a newer one has replaced are shown. */
  replaced: boolean;
}

export const NO_FILTER: RecordFilter = { holder: null, class: null, title: '', replaced: false };

export function matches(row: DocumentRow, filter: RecordFilter): boolean {
  return (filter.holder === null || row.holder === filter.holder)
    && (filter.class === null || row.class === filter.class)
    && row.title.includes(filter.title.trim())
    && (filter.replaced || !row.replaced);
}

/** When what a document says was so: the service, or of one that sums up a stay of days, when it was written. */
export function timeOf({ serviceStart, serviceEnd, created }: DocumentRow): string {
  if (serviceStart === null) return created;
  const isStay = serviceEnd !== null && date(serviceEnd) !== date(serviceStart);
  return isStay ? created : serviceStart;
}

export function dayOf(row: DocumentRow): string | null {
  const at = timeOf(row);
  return at === '' ? null : date(at);
}

/** The newest first; of the same time always in the same order. */
export const newestFirst = (rows: DocumentRow[]) =>
  [...rows].sort((a, b) => Date.parse(timeOf(b)) - Date.parse(timeOf(a)) || a.title.localeCompare(b.title) || a.entry.localeCompare(b.entry));

/** Documents by day, the newest day first, and within a day the newest first. */
export function byDay(rows: DocumentRow[]): [string | null, DocumentRow[]][] {
  return [...grouped(newestFirst(rows), dayOf)].sort(([a], [b]) => (b ?? '').localeCompare(a ?? ''));
}

/** What a referral hands over unless the doctor says otherwise: own final documents of the last year that are not replaced. */
export function handedOver(rows: DocumentRow[], now = Date.now()): DocumentRow[] {
  const yearAgo = now - 365 * 86_400_000;
  return rows.filter((row) => row.state === 'own' && !row.replaced && row.status !== 'preliminary'
    && row.sensitivity === 'normal' && row.class !== 'finance' && Date.parse(row.serviceStart ?? row.created) >= yearAgo);
}
