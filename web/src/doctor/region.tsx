/** What every view needs to know of the region: members, departments, and whether the registry answers. */

import { Alert } from 'antd';
import { createContext, useContext, type ReactNode } from 'react';
import { region as call } from '../api/calls';
import type { Region } from '../api/types';
import { ago, dateTime } from '../shared/format';
import { useEvery, useLoad } from '../shared/load';
import { Shown } from '../shared/states';
import { T as S } from '../shared/texts';
import { T } from './texts';

const REFRESH_MS = 30_000;

const Context = createContext<Region | null>(null);

/** The region; only below [`WithRegion`]. */
export function useRegion(): Region {
  const found = useContext(Context);
  if (found === null) throw new Error('no region above this component');
  return found;
}

export function WithRegion({ children }: { children: ReactNode }) {
  const loaded = useLoad('region', call);
  useEvery(REFRESH_MS, true, loaded.reload);
  return <Shown of={loaded}>{(region) => <Context value={region}>{children}</Context>}</Shown>;
}

/** The name of a department, which systems write by its code: of this hospital, or of the member that is given; another text as it is. */
export function Department({ of, at }: { of: string | null; at?: string }) {
  const region = useRegion();
  if (of === null || of === '') return S.none;
  return departmentsOf(region, at).find(({ code }) => code === of.toLowerCase())?.name ?? of;
}

/** The departments of this hospital; or those of another member that are known here. */
export const departmentsOf = ({ departments, me, members }: Region, at = me.code) =>
  at === me.code ? departments : members.find(({ code }) => code === at)?.departments ?? [];

/** Whether documents of others flow now: nothing does without a lease (F-7). */
export const flows = (region: Region) => region.registry.connected && region.registry.leaseUntil !== null;

/** That the registry was found to have rewritten its log: nobody's fault here, and everybody's concern. */
export function ContradictedBanner() {
  const { registry } = useRegion();
  if (registry.contradictedAt === null) return null;
  return <Alert className="contradicted" type="error" showIcon banner title={S.contradicted.title} description={S.contradicted.text(dateTime(registry.contradictedAt))} />;
}

export function OmittedBanner() {
  const { registry } = useRegion();
  if (registry.omittedAt === null) return null;
  return <Alert className="contradicted" type="error" showIcon banner title={S.omitted.title} description={S.omitted.text(dateTime(registry.omittedAt))} />;
}

/** That some patients' documents are not found elsewhere yet, because the day's quota of tokens is used up, or that it nearly is (T-5). */
export function QuotaBanner() {
  const { tokens, nearly } = useRegion().outbox;
  if (tokens === null) {
    return nearly && <Alert className="quota" type="info" showIcon banner title={T.quota.nearly(nearly.used, nearly.allowed)} description={T.quota.nearlyText} />;
  }
  return <Alert className="quota" type="warning" showIcon banner title={T.quota.title} description={T.quota.text(tokens.patients, dateTime(tokens.until))} />;
}

/** One sentence on what does and does not work while the registry is away. */
export function AwayBanner() {
  const region = useRegion();
  if (flows(region)) return null;
  if (region.registry.connected && region.registry.behind > 0) {
    return <Alert className="away" type="info" showIcon banner title={T.behind.title} description={T.behind.text(region.registry.behind)} />;
  }
  const { waiting, oldest } = region.outbox;
  const outbox = waiting > 0 && oldest !== null ? ` ${T.away.outbox(waiting, ago(oldest))}` : '';
  return <Alert className="away" type="warning" showIcon banner title={T.away.title} description={T.away.text + outbox} />;
}
