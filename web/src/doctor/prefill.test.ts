import { expect, test } from 'vitest';
import type { Prefilled, ReferralPrefill } from '../api/types';
import { forEmpty, untouched, without } from './prefill';

const said = (text: string): Prefilled => ({ text, clipped: false, sources: [{ holder: 'a', entry: 'e', title: '出院小结' }] });
const nothing: Prefilled = { text: '', clipped: false, sources: [] };
const found: ReferralPrefill = { impression: said('心绞痛'), presentIllness: said('胸痛3天'), pastHistory: nothing, course: said('扩冠') };

test('what a doctor has written is never replaced, and what nobody says leaves a field empty', () => {
  expect(Object.keys(forEmpty({ impression: '冠心病', presentIllness: '  ' }, found))).toEqual(['presentIllness', 'course']);
  expect(forEmpty({ impression: '甲', presentIllness: '乙', course: '丙' }, found)).toEqual({});
});

test('only what still stands as it was taken over is taken back', () => {
  const taken = forEmpty({}, found);
  expect(untouched({ impression: '心绞痛', presentIllness: '胸痛3天，加重1天', course: '' }, taken)).toEqual(['impression']);
  expect(untouched({ pastHistory: '无' }, taken)).toEqual([]);
  expect(Object.keys(without(taken, ['impression']))).toEqual(['presentIllness', 'course']);
});
