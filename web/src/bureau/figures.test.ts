import { expect, test } from 'vitest';
import type { Volume, VolumeRow } from '../api/types';
import { deniedShare, exchanged, filtered, NO_FILTER, seriesOf, sum, tableOf } from './figures';

const row = (more: Partial<VolumeRow>): VolumeRow => ({
  bucket: '2026-11-20T00:00:00+08:00', organisation: 'a', counterpart: 'b', act: 'release', outcome: 'permitted', purpose: 'treatment', class: 'laboratory', events: 3, documents: 2, bytes: 10, ...more,
});

const volume = (rows: VolumeRow[], countedSince: string | null): Volume => ({
  from: '2026-11-19T00:00:00+08:00', to: '2026-11-22T00:00:00+08:00', zone: 'Asia/Shanghai', by: 'day', countedSince, rows, definitions: [],
});

test('no data differs from none', () => {
  const permitted = (now: string) => seriesOf(volume([], '2026-11-20T08:00:00+08:00'), [row({})], 'events', Date.parse(now)).map((one) => one.permitted);
  expect(permitted('2026-11-22T09:00:00+08:00')).toEqual([null, 3, 0]);
  expect(permitted('2026-11-20T09:00:00+08:00')).toEqual([null, 3, null]);
  expect(seriesOf(volume([], null), [], 'events').every(({ denied }) => denied === null)).toBe(true);
});

test('the share of denials is among decided events only', () => {
  expect(deniedShare([row({}), row({ outcome: 'denied', events: 1 }), row({ act: 'publication', events: 96 })])).toBe(0.25);
  expect(deniedShare([row({ act: 'publication' })])).toBeNull();
});

test('exchanged is what arrived: not what was registered, refused, let go, or opened again', () => {
  const delivery = row({ act: 'delivery', organisation: 'b', counterpart: 'a' });
  const others = [row({}), row({ outcome: 'denied', bytes: 900 }), row({ act: 'publication', counterpart: null }), row({ act: 'opening' }), row({ act: 'delivery', outcome: 'failed' })];
  expect(exchanged([...others, delivery])).toEqual([delivery]);
  const shown = (of: 'events' | 'bytes') => seriesOf(volume([], '2026-11-19T00:00:00+08:00'), [...others, delivery], of, Date.parse('2026-11-22T09:00:00+08:00'))[1];
  expect(shown('bytes')).toMatchObject({ permitted: 10, denied: 0, failed: 0 });
  expect(shown('events')).toMatchObject({ permitted: 12, denied: 3, failed: 3 });
});

test('an organisation is found on either side', () => {
  expect(filtered([row({}), row({ counterpart: null })], { ...NO_FILTER, organisation: 'b' })).toHaveLength(1);
});

test('the table sums over time and keeps the total', () => {
  const rows = [row({}), row({ bucket: '2026-11-21T00:00:00+08:00' }), row({ outcome: 'denied', events: 40 })];
  const table = tableOf(rows);
  expect(table.map(({ events }) => events)).toEqual([40, 6]);
  expect(table.reduce((total, one) => total + one.events, 0)).toBe(sum(rows, 'events'));
});
