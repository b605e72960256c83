import { beforeEach, expect, test, vi } from 'vitest';
import { forget, isKept, keep, keptAt, mayLeave, onlyOf, saved } from './unsaved';

const page = Object.assign(new EventTarget(), { confirm: vi.fn() });
vi.stubGlobal('window', page);

beforeEach(() => {
  forget();
  page.confirm.mockReset();
});

/** Whether the browser would ask before it closes the page. */
function isHeld() {
  const closing = Object.defineProperty(new Event('beforeunload', { cancelable: true }), 'returnValue', { value: '', writable: true });
  return !page.dispatchEvent(closing);
}

test('what somebody has written goes back to the same person at the same place, and to nobody else', () => {
  keep('d1', 'refer a', '胸痛3天');
  expect(keptAt('d1', 'refer a')).toBe('胸痛3天');
  expect(keptAt('d1', 'refer b')).toBeNull();
  expect(keptAt('d2', 'refer a')).toBeNull();
  onlyOf('d1');
  expect(isKept()).toBe(true);
  onlyOf('d2');
  onlyOf('d1');
  expect(keptAt('d1', 'refer a')).toBeNull();
});

test('what is written while the service saves is not saved yet', () => {
  const [first, second] = [{ reason: '造影' }, { reason: '造影及介入' }];
  keep('d1', 'refer a', first);
  keep('d1', 'refer a', second);
  saved(first);
  expect(keptAt('d1', 'refer a')).toBe(second);
  saved(second);
  expect(isKept()).toBe(false);
});

test('only who would lose something is asked, and gives it up by going', () => {
  expect([mayLeave(), isHeld()]).toEqual([true, false]);
  expect(page.confirm).not.toHaveBeenCalled();
  keep('d1', 'refer a', '胸痛3天');
  page.confirm.mockReturnValueOnce(false).mockReturnValueOnce(true);
  expect([isHeld(), mayLeave(), isKept()]).toEqual([true, false, true]);
  expect([mayLeave(), isKept(), isHeld()]).toEqual([true, false, false]);
});
