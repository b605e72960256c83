/** What stands where data is not there: loading, failed, empty, more to come. And what to do then. */

import { Alert, Button, Empty, Skeleton } from 'antd';
import { Component, type ReactNode } from 'react';
import type { Loaded, LoadedPages } from './load';
import { T } from './texts';

/** Shows a value once it is there; before that a skeleton, or the failure with a way to try again. */
export function Shown<V>({ of, rows = 6, children }: { of: Loaded<V>; rows?: number; children: (value: V) => ReactNode }) {
  if (of.value !== null) return <>{of.error && <Failed error={of.error} retry={of.reload} />}{children(of.value)}</>;
  if (of.error) return <Failed error={of.error} retry={of.reload} />;
  return <Waiting rows={rows} />;
}

/** Shows a list by pages, what to do when it is empty, and how to get more. */
export function ShownPages<I>({ of, empty, children }: { of: LoadedPages<I>; empty: ReactNode; children: (items: I[]) => ReactNode }) {
  if (of.items.length === 0) {
    if (of.error) return <Failed error={of.error} retry={of.reload} />;
    if (of.loading) return <Waiting rows={6} />;
    return of.more ? <More of={of} /> : empty;
  }
  return (
    <>
      {children(of.items)}
      {of.error && <Failed error={of.error} retry={of.reload} />}
      <More of={of} />
    </>
  );
}

function More<I>({ of }: { of: LoadedPages<I> }) {
  if (of.more === null && !of.loading) return <p className="end-of-list">{T.allShown(of.items.length)}</p>;
  return <Button block type="dashed" loading={of.loading} onClick={of.more ?? undefined}>{T.more}</Button>;
}

export function Waiting({ rows }: { rows: number }) {
  return <div aria-busy="true" role="status" aria-label={T.loading}><Skeleton active title={false} paragraph={{ rows }} /></div>;
}

export function Failed({ error, retry }: { error: Error; retry?: () => void }) {
  const action = retry && <Button size="small" onClick={retry}>{T.retry}</Button>;
  return <Alert className="failed" type="error" showIcon title={T.failedTitle} description={error.message} action={action} />;
}

/** Nothing there: says so, and what to do. */
export function Nothing({ title, help, children }: { title: string; help?: ReactNode; children?: ReactNode }) {
  return (
    <Empty className="nothing" image={Empty.PRESENTED_IMAGE_SIMPLE} description={<><strong>{title}</strong>{help && <p>{help}</p>}</>}>
      {children}
    </Empty>
  );
}

/** Catches what a component throws, so that the person sees a sentence and not an empty page. */
export class Guard extends Component<{ children: ReactNode }, { crashed: boolean }> {
  override state = { crashed: false };

  static getDerivedStateFromError() {
    return { crashed: true };
  }

  override render() {
    if (!this.state.crashed) return this.props.children;
    const reload = <Button onClick={() => window.location.reload()}>{T.failure.reload}</Button>;
    return <Alert className="crashed" type="error" showIcon title={T.failure.crashed} description={T.failure.crashedHelp} action={reload} />;
  }
}
