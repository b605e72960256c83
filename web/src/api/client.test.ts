import { afterEach, expect, test, vi } from 'vitest';
import { call, Failure, sessionEnded } from './client';

const answer = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/problem+json', ...headers } })));

const failureOf = (path = '/api/region') => call('GET', path).then(() => { throw new Error('it succeeded'); }, (error: unknown) => error as Failure);

afterEach(() => vi.unstubAllGlobals());

test('a problem becomes its Chinese sentence, and says when to try again', async () => {
  answer(429, { type: 'urn:yiqiao:problem:try-later', title: 'x', status: 429, text: { zh: '操作过于频繁。', en: '' } }, { 'retry-after': '30' });
  const failure = await failureOf();
  expect(failure.message).toBe('操作过于频繁。请在 30 秒后重试。');
  expect([failure.kind, failure.status, failure.retryAfterSeconds]).toEqual(['try-later', 429, 30]);
});

test('a failure without a problem still says what to do', async () => {
  answer(502, '<html>', { 'content-type': 'text/html' });
  expect((await failureOf()).message).toContain('请稍后重试');
});

test('an unreachable service is said to be unreachable', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('refused')));
  expect((await failureOf()).status).toBe(0);
});

test('a lost session is told once, and not by the question for the session itself', async () => {
  const told = vi.fn();
  sessionEnded.addEventListener('ended', told);
  answer(401, { type: 'urn:yiqiao:problem:sign-in', title: 'x', status: 401 });
  await failureOf();
  await failureOf('/api/session');
  expect(told).toHaveBeenCalledTimes(1);
});

test('an empty answer is no value', async () => {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(null, { status: 204 })));
  expect(await call('DELETE', '/api/session')).toBeUndefined();
});
