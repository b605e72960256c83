/**
 * Where the page stands, kept behind the `#` of its address: it never reaches a server or its logs, and Back works.
 *
 * Only opaque ids stand there; nothing that describes a patient.
 */

import { useSyncExternalStore } from 'react';
import { mayLeave } from './unsaved';

export interface Route {
  path: string[];
  query: URLSearchParams;
}

/** The address that is shown: that of the browser, unless somebody would lose something by it and stays. */
let shown: string | null = null;

/** The present route, and again whenever it changes. */
export function useRoute(): Route {
  return parse(useSyncExternalStore(subscribe, () => shown ??= window.location.hash));
}

/** The address of a route, for links: `to(['patients', subject], { tab: 'labs' })`. */
export function to(path: string[], query: Record<string, string> = {}): string {
  const rest = new URLSearchParams(query).toString();
  return `#/${path.map(encodeURIComponent).join('/')}${rest === '' ? '' : `?${rest}`}`;
}

export function go(path: string[], query: Record<string, string> = {}): void {
  window.location.hash = to(path, query);
}

/** Gives what is shown another address, at which it is found again; Back leads to where it led before. */
export function rename(path: string[], query: Record<string, string> = {}): void {
  shown = to(path, query);
  window.history.replaceState(null, '', shown);
}

export function parse(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  return { path: path.split('/').filter(Boolean).map(decoded), query: new URLSearchParams(query) };
}

/** A part as it was before [`to`]; what somebody typed wrongly stays as it is. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function subscribe(changed: () => void): () => void {
  const follow = () => {
    const { hash } = window.location;
    if (hash === shown || mayLeave()) shown = hash;
    // Neither Back nor a link can be stopped: the address is put back on top of where they led.
    else window.history.pushState(null, '', shown);
    changed();
  };
  follow();
  window.addEventListener('hashchange', follow);
  return () => window.removeEventListener('hashchange', follow);
}
