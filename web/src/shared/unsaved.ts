/**
 * What somebody has written and the service does not have yet.
 *
 * It stands in the memory of this page only, never on the computer. So it outlives the end of a session, and goes back to
 * whoever wrote it; somebody else who signs in does not get it. One thing at a time: a page shows one form.
 */

import { T } from './texts';

interface Kept {
  login: string;
  /** What it is written for. */
  place: string;
  written: unknown;
}

let kept: Kept | null = null;

export function keep<W>(login: string, place: string, written: W): void {
  kept = { login, place, written };
  window.addEventListener('beforeunload', ask);
}

/** What this person has written there. */
export function keptAt<W>(login: string, place: string): W | null {
  return kept?.login === login && kept.place === place ? kept.written as W : null;
}

export const isKept = () => kept !== null;

export function forget(): void {
  kept = null;
  window.removeEventListener('beforeunload', ask);
}

/** The service has it now; what was written meanwhile stays. */
export function saved(written: unknown): void {
  if (kept?.written === written) forget();
}

/** Somebody is signed in: what others have written is gone. */
export function onlyOf(login: string): void {
  if (kept !== null && kept.login !== login) forget();
}

/** Asks, if something would be lost; whoever goes all the same has given it up. */
export function mayLeave(): boolean {
  if (kept !== null && !window.confirm(T.leave)) return false;
  forget();
  return true;
}

function ask(event: BeforeUnloadEvent): void {
  event.preventDefault();
  // Browsers of before 2023 ask only if this says something.
  event.returnValue = true;
}
