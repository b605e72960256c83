/** Loading from the service into a component: one value, or a list by pages. A component that goes away stops its call. */

import { useCallback, useEffect, useReducer, useRef, useState } from 'react';
import type { Page } from '../api/types';

export interface Loaded<V> {
  /** Kept while it is loaded anew, so that nothing flickers. */
  value: V | null;
  error: Error | null;
  loading: boolean;
  reload: () => void;
  /** Puts in what a change has answered. */
  put: (value: V) => void;
}

/** Loads when `key` changes; a key names all that `get` depends on. */
export function useLoad<V>(key: string, get: (signal: AbortSignal) => Promise<V>): Loaded<V> {
  const [state, setState] = useState<{ key: string; value: V | null; error: Error | null; loading: boolean }>(
    { key, value: null, error: null, loading: true });
  const [round, reload] = useReducer((n: number) => n + 1, 0);
  const newest = useRef(get);
  newest.current = get;
  useEffect(() => {
    const stop = new AbortController();
    setState((old) => ({ key, value: old.key === key ? old.value : null, error: null, loading: true }));
    newest.current(stop.signal).then(
      (value) => { if (!stop.signal.aborted) setState({ key, value, error: null, loading: false }); },
      (error: Error) => { if (!stop.signal.aborted) setState((old) => ({ ...old, error, loading: false })); },
    );
    return () => stop.abort();
  }, [key, round]);
  const put = useCallback((value: V) => setState({ key, value, error: null, loading: false }), [key]);
  const fits = state.key === key;
  return { value: fits ? state.value : null, error: fits ? state.error : null, loading: !fits || state.loading, reload, put };
}

export interface LoadedPages<I> {
  items: I[];
  error: Error | null;
  loading: boolean;
  /** Loads the next page; null if there is none. */
  more: (() => void) | null;
  reload: () => void;
}

/** Loads a list page by page. */
export function usePages<I>(key: string, get: (after: string | null, signal: AbortSignal) => Promise<Page<I>>): LoadedPages<I> {
  const [after, setAfter] = useState<{ key: string; at: string | null; before: I[] }>({ key, at: null, before: [] });
  const current = after.key === key ? after : { key, at: null, before: [] };
  const page = useLoad(`${key}|${current.at ?? ''}`, (signal) => get(current.at, signal));
  const items = page.value === null ? current.before : [...current.before, ...page.value.items];
  const next = page.value?.next ?? null;
  const more = next === null ? null : () => setAfter({ key, at: next, before: items });
  const reload = () => {
    if (current.at === null) page.reload();
    else setAfter({ key, at: null, before: [] });
  };
  return { items, error: page.error, loading: page.loading, more, reload };
}

/** Does something while `active` every so often, not while the page is hidden. */
export function useEvery(milliseconds: number, active: boolean, work: () => void): void {
  const newest = useRef(work);
  newest.current = work;
  useEffect(() => {
    if (!active) return undefined;
    const timer = setInterval(() => { if (!document.hidden) newest.current(); }, milliseconds);
    return () => clearInterval(timer);
  }, [milliseconds, active]);
}
