import { expect, test } from 'vitest';
import type { DocumentRow } from '../api/types';
import { byDay, handedOver, matches, newestFirst, NO_FILTER } from './record-list';

const NOW = Date.parse('2026-11-22T12:00:00+08:00');

const row = (entry: string, more: Partial<DocumentRow> = {}): DocumentRow => ({
  holder: 'a', holderName: '甲医院', entry, state: 'own', reason: null, title: '入院记录', class: 'inpatient', type: { code: 'C0034', name: '入院记录' }, format: 'cda-wst',
  status: 'final', serviceStart: null, serviceEnd: null, created: '2026-11-20T10:00:00+08:00', author: null, department: null, size: 1, sensitivity: 'normal', replaced: false, ...more,
});

test('documents are grouped by Beijing day of service, the newest first', () => {
  const rows = [row('old', { serviceStart: '2026-01-01' }), row('late', { created: '2026-11-20T17:00:00Z' }), row('early'), row('later', { created: '2026-11-20T11:00:00+08:00' })];
  expect(byDay(rows).map(([day, documents]) => [day, documents.map(({ entry }) => entry)])).toEqual([
    ['2026-11-21', ['late']], ['2026-11-20', ['later', 'early']], ['2026-01-01', ['old']],
  ]);
});

test('what sums up a stay stands where it was written, and rows of the same time keep their order', () => {
  const stay = { serviceStart: '2026-11-14T08:00:00+08:00', serviceEnd: '2026-11-21T10:00:00+08:00' };
  const rows = [row('b'), row('discharge', { ...stay, created: '2026-11-21T11:00:00+08:00' }), row('a')];
  expect(newestFirst(rows).map(({ entry }) => entry)).toEqual(['discharge', 'a', 'b']);
  expect(byDay(rows).map(([day]) => day)).toEqual(['2026-11-21', '2026-11-20']);
});

test('a filter hides what was replaced unless asked', () => {
  expect(matches(row('x', { replaced: true }), NO_FILTER)).toBe(false);
  expect(matches(row('x', { replaced: true }), { ...NO_FILTER, replaced: true })).toBe(true);
  expect(matches(row('x'), { ...NO_FILTER, holder: 'b' })).toBe(false);
  expect(matches(row('x'), { ...NO_FILTER, title: ' 入院 ' })).toBe(true);
});

test('a referral hands over own final recent documents that are not sensitive', () => {
  const rows = [
    row('yes'), row('theirs', { state: 'opened' }), row('preliminary', { status: 'preliminary' }), row('replaced', { replaced: true }),
    row('sensitive', { sensitivity: 'restricted' }), row('bill', { class: 'finance' }), row('old', { serviceStart: '2025-01-01' }),
  ];
  expect(handedOver(rows, NOW).map(({ entry }) => entry)).toEqual(['yes']);
});
