/**
 * One call to the service, and what went wrong with it as a sentence for the person.
 *
 * Not here: which calls there are (`calls.ts`) and how a failure is shown (`shared/states.tsx`).
 */

import { T } from '../shared/texts';
import type { Problem } from './types';

/** A call that did not succeed. `message` is a Chinese sentence that says what happened and what to do. */
export class Failure extends Error {
  override name = 'Failure';

  constructor(
    message: string,
    /** HTTP status; 0 if nothing answered. */
    readonly status: number,
    readonly problem: Problem | null,
    /** Where the service says when to try again. */
    readonly retryAfterSeconds: number | null,
  ) {
    super(message);
  }

  /** End of the problem's type, such as `change-password`. */
  get kind(): string {
    return this.problem?.type.split(':').at(-1) ?? '';
  }
}

/** Told when the service says that nobody is signed in any more, or that the password must be changed first. */
export const sessionEnded = new EventTarget();

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Asks the service, and reads the answer as JSON; no content is `undefined`. Throws a [`Failure`]. */
export async function call<A>(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<A> {
  const response = await send(method, path, 'application/json', body, signal);
  const text = await response.text();
  return (text === '' ? undefined : JSON.parse(text)) as A;
}

/** Sends a file as it is, and reads the answer as JSON. Throws a [`Failure`]. */
export async function upload<A>(path: string, file: File): Promise<A> {
  return (await send('POST', path, 'application/json', file)).json() as Promise<A>;
}

/** Asks for an answer in another media type. */
export async function download(path: string, mediaType: string): Promise<Blob> {
  return (await send('GET', path, mediaType)).blob();
}

async function send(method: Method, path: string, accept: string, body?: unknown, signal?: AbortSignal) {
  const headers: Record<string, string> = { accept };
  if (body !== undefined) headers['content-type'] = body instanceof File ? body.type : 'application/json';
  const request: RequestInit = { method, headers, credentials: 'same-origin', cache: 'no-store' };
  if (body !== undefined) request.body = body instanceof File ? body : JSON.stringify(body);
  if (signal) request.signal = signal;
  const response = await fetch(path, request).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new Failure(T.failure.unreachable, 0, null, null);
  });
  if (!response.ok) throw await failure(response, path);
  return response;
}

async function failure(response: Response, path: string): Promise<Failure> {
  const problem = await readProblem(response);
  const wait = waitOf(response, problem);
  const sentence = problem?.text?.zh ?? T.failure.byStatus(response.status);
  const message = wait === null ? sentence : sentence + T.failure.retryAfter(wait);
  const failed = new Failure(message, response.status, problem, wait);
  const asksForSession = path === '/api/session' || path.startsWith('/api/session/');
  if (!asksForSession && (response.status === 401 || failed.kind === 'change-password')) {
    sessionEnded.dispatchEvent(new Event('ended'));
  }
  return failed;
}

async function readProblem(response: Response): Promise<Problem | null> {
  if (!response.headers.get('content-type')?.includes('json')) return null;
  return response.json().then((body) => body as Problem, () => null);
}

function waitOf(response: Response, problem: Problem | null): number | null {
  const seconds = Number(response.headers.get('retry-after') ?? problem?.retryAfterSeconds ?? Number.NaN);
  return Number.isFinite(seconds) && seconds > 0 ? Math.ceil(seconds) : null;
}
