import { expect, test } from 'vitest';
import { parse, to } from './route';

test('a route reads back as it was written', () => {
  const { path, query } = parse(to(['patients', 'a/b', '中'], { to: 'x&y' }));
  expect(path).toEqual(['patients', 'a/b', '中']);
  expect(query.get('to')).toBe('x&y');
});

test('an address that somebody typed wrongly is no fault', () => {
  expect(parse('').path).toEqual([]);
  expect(parse('#/%E4%zz').path).toEqual(['%E4%zz']);
});
