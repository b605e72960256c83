/** Rows of the access log as people read them. */

import type { AccessRow } from '../api/types';
import { dateTime } from './format';
import { grouped } from './grouped';

/**
 * What the same person did in the same minute in the same words, as one row: each document is an event of its own, and a revocation
 * ends dozens at once.
 */
export function together(rows: AccessRow[]): AccessRow[] {
  const keyOf = (row: AccessRow) => [dateTime(row.at), row.organisation.code, row.text, row.outcome, row.purpose, row.clause, JSON.stringify(row.person)].join('|');
  return [...grouped(rows, keyOf).values()].flatMap((same) => {
    const newest = same[0];
    return newest === undefined ? [] : [{ ...newest, documents: same.reduce((sum, row) => sum + row.documents, 0) }];
  });
}
