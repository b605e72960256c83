import { expect, test } from 'vitest';
import type { AccessRow } from '../api/types';
import { together } from './access-list';

const row = (at: string, text: string, documents = 1): AccessRow => ({
  at, organisation: { code: 'a', name: '甲' }, counterpart: null, act: 'erasure', outcome: 'permitted', clause: 'D-7', text, classes: [], purpose: 'treatment', role: 'system', documents, referral: null, person: null,
});

test('what happened at once in the same words is one row', () => {
  const rows = [row('2026-11-22T12:00:40+08:00', '清除'), row('2026-11-22T12:00:30+08:00', '保留'), row('2026-11-22T12:00:20+08:00', '清除', 2), row('2026-11-22T11:59:59+08:00', '清除')];
  expect(together(rows).map(({ text, documents }) => [text, documents])).toEqual([['清除', 3], ['保留', 1], ['清除', 1]]);
});

test('what two people did is two rows', () => {
  const by = (name: string) => ({ ...row('2026-11-22T12:00:40+08:00', '打开'), person: { state: 'told' as const, name, role: 'physician', department: null } });
  expect(together([by('张医生'), by('李医生'), by('张医生')]).map(({ documents }) => documents)).toEqual([2, 1]);
});
