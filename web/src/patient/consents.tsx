/** Who may see the record until when, in sentences; taking it back; and forbidding a hospital. */

import { CheckCircleFilled, ClockCircleOutlined, StopFilled } from '@ant-design/icons';
import { Alert, Button } from 'antd';
import { useState, type ReactNode } from 'react';
import { consents, passkeys } from '../api/calls';
import type { Consent, EndedConsent, Region } from '../api/types';
import { date, lastDay, longDate, nameOf, namesOf } from '../shared/format';
import { useLoad } from '../shared/load';
import { Papers } from '../shared/papers';
import { Nothing, Shown } from '../shared/states';
import { T as S } from '../shared/texts';
import { Today } from './explain';
import { Forbid } from './forbid';
import { Permit } from './permit';
import { RevokeAllSheet, RevokeSheet } from './revoke';
import { T } from './texts';

const words = T.consents;
const DAY_MS = 86_400_000;

export function Consents({ region }: { region: Region }) {
  const loaded = useLoad('my consents', consents(null).list);
  const keys = useLoad('my passkeys', passkeys(null).list);
  const signs = keys.value?.items.some(({ stage }) => stage === 'stands') ?? false;
  const [revoking, setRevoking] = useState<Consent | null>(null);
  const [all, setAll] = useState(false);
  const card = (consent: Consent) => <Card key={consent.id} of={consent} region={region} revoke={() => setRevoking(consent)} />;
  return (
    <Shown of={loaded}>
      {({ items, ended }) => {
        const permits = items.filter(({ stance }) => stance === 'permit');
        const forbids = items.filter(({ stance }) => stance === 'forbid');
        return (
          <>
            <h1>{words.title}</h1>
            <Group title={words.permits}>{permits.length === 0 ? <Nothing title={words.empty} help={words.emptyHelp} /> : permits.map(card)}{permits.length > 1 && <Button block danger disabled={!region.registry.connected} onClick={() => setAll(true)}>{words.revokeAll}</Button>}</Group>
            {forbids.length > 0 && <Group title={words.forbids}>{forbids.map(card)}</Group>}
            <Today changed={items.map(({ id }) => id).join(' ')} />
            {ended.length > 0 && <Group title={words.ended}>{ended.map((consent) => <Ended key={consent.id} of={consent} />)}</Group>}
            <Papers subject={null} />
            <div className="two">
              <Permit region={region} signs={signs} done={loaded.reload} />
              <Forbid region={region} forbidden={forbids} signs={signs} done={loaded.reload} />
            </div>
            {all && <RevokeAllSheet close={() => setAll(false)} done={loaded.reload} />}
            {revoking && <RevokeSheet of={revoking} signs={signs} close={() => setRevoking(null)} done={loaded.reload} />}
          </>
        );
      }}
    </Shown>
  );
}

const Group = ({ title, children }: { title: string; children: ReactNode }) => <section><h2>{title}</h2>{children}</section>;

export const whoOf = ({ grantee }: Consent) => grantee.organisationName ?? words.everybody;

function Card({ of, region, revoke }: { of: Consent; region: Region; revoke: () => void }) {
  const permit = of.stance === 'permit';
  const who = whoOf(of);
  const over = of.validUntil !== null && Date.parse(of.validUntil) <= Date.now();
  const icon = over ? <ClockCircleOutlined aria-hidden /> : permit ? <CheckCircleFilled className="good" aria-hidden /> : <StopFilled className="bad" aria-hidden />;
  const sentence = !permit ? words.cannot(who) : of.custodian ? words.canOf(who, of.custodian.name) : words.can(who);
  return (
    <article className={`card${over ? ' over' : ''}`}>
      <h3>{icon}<span>{sentence}</span></h3>
      <dl>
        <dt>{words.until}</dt><dd>{untilOf(of)}</dd>
        <dt>{words.what}</dt><dd>{whatOf(of)}</dd>
        <dt>{words.purpose}</dt><dd>{namesOf(S.purpose, of.purposes, words.anyPurpose)}</dd>
      </dl>
      <p className="quiet">{recordedOf(of)}</p>
      {of.selfVouched && <Alert className="failed" type="warning" showIcon title={words.selfVouched(who)} />}
      {!over && <Button block danger={permit} disabled={!region.registry.connected} onClick={revoke}>{permit ? words.revoke : words.lift}</Button>}
    </article>
  );
}

/** What was said once and counts no longer: when it ended, and where that was done. */
function Ended({ of }: { of: EndedConsent }) {
  const who = whoOf(of);
  const sentence = of.stance === 'forbid' ? words.couldNot(who) : of.custodian ? words.couldOf(who, of.custodian.name) : words.could(who);
  const [day, how] = [longDate(date(of.endedAt)), nameOf(S.end, of.end)];
  return (
    <article className="card over">
      <h3><ClockCircleOutlined aria-hidden /><span>{sentence}</span></h3>
      <dl><dt>{words.what}</dt><dd>{whatOf(of)}</dd></dl>
      <p className="quiet">{recordedOf(of)}<br />{of.endedBy ? words.endedAt(day, how, of.endedBy.name) : words.endedOn(day, how)}</p>
    </article>
  );
}

function whatOf({ classes, sensitivities }: Consent): string {
  const sensitive = sensitivities.length === 0 || sensitivities.some((one) => one !== 'normal');
  return `${namesOf(S.class, classes, words.all)}（${sensitive ? words.sensitive : words.normal}）`;
}

function untilOf({ validFrom, validUntil }: Consent): string {
  const now = Date.now();
  if (Date.parse(validFrom) > now) return words.future(longDate(date(validFrom)));
  if (validUntil === null) return words.open;
  const end = Date.parse(validUntil);
  return end <= now ? words.over : words.untilDay(longDate(lastDay(validUntil)), Math.ceil((end - now) / DAY_MS));
}

function recordedOf({ proof, recordedBy, acceptedAt, vouchers, basis }: Consent): string {
  const day = longDate(date(acceptedAt));
  const signed = basis.startsWith('guardian') ? words.signedByGuardian : words.signedBySelf;
  if (proof === 'passkey') return signed(day, vouchers.map(({ name }) => name).join('、'));
  if (proof !== 'desk-witness' || recordedBy === null) return words.recordedBySelf(day);
  return `${words.recordedAt(recordedBy.name, day)}（${nameOf(S.proof, proof)}）`;
}
