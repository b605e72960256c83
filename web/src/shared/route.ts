/**
 * Where the page stands, kept behind the `#` of its address: it never reaches a server or its logs, and Back works.
 *
 * Only opaque ids stand there; nothing that describes a patient.
 */

import { useSyncExternalStore } from 'react';

export interface Route {
  path: string[];
  query: URLSearchParams;
}

/** The present route, and again whenever it changes. */
export function useRoute(): Route {
  return parse(useSyncExternalStore(subscribe, () => window.location.hash));
}

/** The address of a route, for links: `to(['patients', subject], { tab: 'labs' })`. */
export function to(path: string[], query: Record<string, string> = {}): string {
  const rest = new URLSearchParams(query).toString();
  return `#/${path.map(encodeURIComponent).join('/')}${rest === '' ? '' : `?${rest}`}`;
}

export function go(path: string[], query: Record<string, string> = {}): void {
  window.location.hash = to(path, query);
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
  window.addEventListener('hashchange', changed);
  return () => window.removeEventListener('hashchange', changed);
}
