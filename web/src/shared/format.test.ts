import { expect, test } from 'vitest';
import { age, ago, beijing, childhood, date, dateTime, lastDay, longDate, named, namesOf, size } from './format';

const NOON = Date.parse('2026-11-22T12:00:00+08:00');

test('times are Beijing time whatever the offset they come with', () => {
  expect(dateTime('2026-11-21T18:30:00Z')).toBe('2026-11-22 02:30');
  expect(dateTime('2026-11-22T02:30:00+08:00')).toBe('2026-11-22 02:30');
  expect(date('2026-11-21T18:30:00Z')).toBe('2026-11-22');
  expect(date('1951-03-12')).toBe('1951-03-12');
  expect(dateTime(null)).toBe('—');
  expect(longDate('2026-11-02')).toBe('2026年11月2日');
  expect(Date.parse(beijing('2026-11-22T12:00'))).toBe(NOON);
});

test('who is known by a number alone is shown as nobody with an empty name', () => {
  expect([named('陈志远'), named('')]).toEqual(['陈志远', '姓名未知']);
});

test('what ends at midnight is good until the day before', () => {
  expect(lastDay('2026-12-01T00:00:00+08:00')).toBe('2026-11-30');
  expect(lastDay('2026-12-01T00:01:00+08:00')).toBe('2026-12-01');
});

test.each([
  ['1951-03-12', '75 岁'], ['1951-11-22', '75 岁'], ['1951-11-23', '74 岁'], ['2024-05-05', '30 个月'], ['2023-11-22', '3 岁'], ['2026-11-02', '20 天'], ['2026-11-22', '0 天'],
])('somebody born on %s is %s old', (born, expected) => {
  expect(age(born, NOON)).toBe(expected);
});

test.each([
  ['2020-05-05', '2034-05-04'], ['2012-11-23', '2026-11-22'], ['2012-11-22', null], ['2020-02-29', '2034-02-28'], ['2020-01-01', '2033-12-31'], ['2020-05', null], [null, null],
])('a guardian consents for somebody born on %s until %s', (born, expected) => {
  expect(childhood(born, NOON)).toBe(expected);
});

test('an unknown birth date is said to be unknown', () => expect(age(null)).toBe('年龄不详'));

test.each([[0, '刚刚'], [5, '5 分钟前'], [125, '2 小时前'], [3 * 1440, '3 天前'], [8 * 1440, '2026-11-14']])('%d minutes ago', (minutes, expected) => {
  expect(ago(new Date(NOON - minutes * 60_000).toISOString(), NOON)).toBe(expected);
});

test.each([[999, '999 B'], [48_211, '48 kB'], [1_400_000, '1.4 MB'], [2.5e9, '2.5 GB']])('%d bytes', (bytes, expected) => {
  expect(size(bytes)).toBe(expected);
});

test('no codes means all of them, and an unknown code is shown as it is', () => {
  expect(namesOf({ a: '甲' }, [], '全部')).toBe('全部');
  expect(namesOf({ a: '甲' }, ['a', 'b'], '全部')).toBe('甲、b');
});
