/** Sums over the rows of a volume: filters, totals, series for the chart, and the table. */

import type { Volume, VolumeRow } from '../api/types';
import { grouped } from '../shared/grouped';

export type Measure = 'events' | 'documents' | 'bytes';

export interface Filter {
  organisation: string | null;
  act: string | null;
  outcome: string | null;
  purpose: string | null;
  class: string | null;
}

export const NO_FILTER: Filter = { organisation: null, act: null, outcome: null, purpose: null, class: null };

export function filtered(rows: VolumeRow[], filter: Filter): VolumeRow[] {
  const fits = (wanted: string | null, value: string | null) => wanted === null || wanted === value;
  return rows.filter((row) => (fits(filter.organisation, row.organisation) || fits(filter.organisation, row.counterpart)) && fits(filter.act, row.act)
    && fits(filter.outcome, row.outcome) && fits(filter.purpose, row.purpose) && fits(filter.class, row.class));
}

export const sum = (rows: VolumeRow[], of: Measure) => rows.reduce((total, row) => total + row[of], 0);

/** What went from one organisation to another and arrived; what was registered, refused or opened is about documents, too, and no exchange of them. */
export const exchanged = (rows: VolumeRow[]) => rows.filter((row) => row.act === 'delivery' && row.outcome === 'permitted');

/** Acts that follow a decision on whether data may flow; the share of denials is among these. */
const DECIDED: ReadonlySet<string> = new Set(['release', 'opening', 'search', 'break-glass']);

/** Denials among decided events; null if there was none. */
export function deniedShare(rows: VolumeRow[]): number | null {
  const decided = rows.filter((row) => DECIDED.has(row.act));
  const all = sum(decided, 'events');
  return all === 0 ? null : sum(decided.filter((row) => row.outcome === 'denied'), 'events') / all;
}

/** Every bucket of the span in order (documents and bytes: those exchanged), also those in which nothing happened; null before counting began and in the future: that is not zero. */
export function seriesOf(volume: Volume, rows: VolumeRow[], of: Measure, now = Date.now()): { bucket: number; permitted: number | null; denied: number | null; failed: number | null }[] {
  const step = volume.by === 'hour' ? 3_600_000 : 86_400_000;
  const since = volume.countedSince === null ? Number.POSITIVE_INFINITY : Date.parse(volume.countedSince);
  const byBucket = grouped(of === 'events' ? rows : exchanged(rows), (row) => Date.parse(row.bucket));
  const series = [];
  for (let bucket = Date.parse(volume.from); bucket < Date.parse(volume.to) && series.length < BUCKETS_MAX; bucket += step) {
    const inBucket = byBucket.get(bucket) ?? [];
    const counted = bucket + step > since && bucket <= now;
    const sumOf = (outcome: VolumeRow['outcome']) => (counted ? sum(inBucket.filter((row) => row.outcome === outcome), of) : null);
    series.push({ bucket, permitted: sumOf('permitted'), denied: sumOf('denied'), failed: sumOf('failed') });
  }
  return series;
}

const BUCKETS_MAX = 1_000;

export interface TableRow extends Omit<VolumeRow, 'bucket'> {
  key: string;
}

/** Rows of the whole span, most events first. */
export function tableOf(rows: VolumeRow[]): TableRow[] {
  const keyOf = (row: VolumeRow) => [row.organisation, row.counterpart, row.act, row.outcome, row.purpose, row.class].join('|');
  return [...grouped(rows, keyOf)].flatMap(([key, same]) => {
    const first = same[0];
    return first === undefined ? [] : [{ ...first, key, events: sum(same, 'events'), documents: sum(same, 'documents'), bytes: sum(same, 'bytes') }];
  }).sort((a, b) => b.events - a.events);
}
