import { expect, test } from 'vitest';
import { scoreColor, scoreText, shareText } from './quality';

test('a score is shown of a hundred, and none as none', () => {
  expect([scoreText(1000), scoreText(999), scoreText(0), scoreText(null)]).toEqual(['100.0', '99.9', '0.0', '—']);
  expect([scoreColor(899), scoreColor(900), scoreColor(980), scoreColor(null)]).toEqual(['error', 'warning', 'success', 'default']);
});

test('what was found is never shown as nothing', () => {
  expect([shareText(1, 100_000), shareText(1, 40), shareText(0, 5), shareText(0, 0)]).toEqual(['<0.1%', '2.5%', '0.0%', '—']);
});
