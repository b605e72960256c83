/** What the patient has permitted and forbidden, and taking it back. */

import { CheckOutlined, PlusOutlined, StopOutlined } from '@ant-design/icons';
import { Alert, App, Button, Modal, Popconfirm, Radio, Table, Tag, type TableColumnsType } from 'antd';
import { useState } from 'react';
import { consents as calls } from '../api/calls';
import type { Consent, EndedConsent, Patient, Revoke } from '../api/types';
import { date, dateTime, lastDay, nameOf, namesOf } from '../shared/format';
import { useLoad } from '../shared/load';
import { to } from '../shared/route';
import { Papers } from '../shared/papers';
import { useSession, useSubmit } from '../shared/session';
import { Nothing, Shown } from '../shared/states';
import { T as S } from '../shared/texts';
import { flows, useRegion } from './region';
import { T } from './texts';

const words = T.consents;

export function Consents({ patient }: { patient: Patient }) {
  const { subject } = patient;
  const region = useRegion();
  const { has } = useSession();
  const loaded = useLoad(`consents ${subject}`, (signal) => calls(subject).list(signal));
  const [revoking, setRevoking] = useState<Consent | null>(null);
  const add = (
    <Button type="primary" icon={<PlusOutlined aria-hidden />} disabled={!patient.findable || !flows(region)} href={to(['patients', subject, 'consent'])}>{words.add}</Button>
  );
  return (
    <Shown of={loaded}>
      {({ items, ended }) => (
        <>
          {items.length === 0 ? <Nothing title={words.empty} help={words.emptyHelp}>{add}</Nothing> : (
            <>
              <div className="filters"><span className="push" />{items.filter(({ stance }) => stance === 'permit').length > 1 && <RevokeAll subject={subject} done={loaded.reload} />}{add}</div>
              <Table<Consent> size="small" rowKey="id" columns={columns(setRevoking)} dataSource={items} pagination={false} scroll={{ x: 'max-content' }} />
            </>
          )}
          {ended.length > 0 && (
            <section>
              <h2>{words.ended(ended.length)}</h2>
              <Table<EndedConsent> size="small" rowKey="id" columns={ENDED} dataSource={ended} pagination={false} scroll={{ x: 'max-content' }} />
            </section>
          )}
          {has('desk', 'referral-office') && <Papers subject={subject} />}
          {revoking && <RevokeDialog subject={subject} of={revoking} close={() => setRevoking(null)} done={loaded.reload} />}
        </>
      )}
    </Shown>
  );
}

function RevokeAll({ subject, done }: { subject: string; done: () => void }) {
  const { message } = App.useApp();
  const [error, busy, run] = useSubmit();
  const revoke = () => run(async () => {
    const { permits } = await calls(subject).end({ reason: 'patient-wish' });
    message.success(words.revokedAll(permits));
    done();
  });
  return (
    <>
      {error && <Alert role="alert" type="error" showIcon title={error} />}
      <Popconfirm title={words.revokeAllAsk} okText={words.revokeAllYes} cancelText={S.cancel} onConfirm={revoke}><Button danger loading={busy}>{words.revokeAll}</Button></Popconfirm>
    </>
  );
}

export type Standing = 'inForce' | 'over' | 'future';

/** Whether a consent counts now. */
export function standing(consent: Pick<Consent, 'validFrom' | 'validUntil'>, now = Date.now()): Standing {
  if (Date.parse(consent.validFrom) > now) return 'future';
  return consent.validUntil !== null && Date.parse(consent.validUntil) <= now ? 'over' : 'inForce';
}

const heads = words.columns;

const SAID: TableColumnsType<Consent> = [
  { title: heads.stance, render: (_, consent) => <Stance of={consent.stance} /> },
  { title: heads.who, render: (_, consent) => <span className="wrap">{whoOf(consent)}</span> },
  { title: heads.what, render: (_, consent) => <span className="wrap">{whatOf(consent)}</span> },
  { title: heads.until, render: (_, { validFrom, validUntil }) => words.until(date(validFrom), validUntil === null ? words.open : lastDay(validUntil)) },
  { title: heads.how, render: (_, consent) => <>{howOf(consent)}<br /><small className="quiet">{consent.recordedBy?.name}</small></> },
];

const ENDED = [
  ...SAID,
  { title: words.endedColumn, render: (_, consent) => <End of={consent} /> },
] as TableColumnsType<EndedConsent>;

/** When it ended, how, and what is known of who did it and why. */
function End({ of: { end, endedAt, endedBy, reason } }: { of: EndedConsent }) {
  const about = [endedBy && words.endedBy(endedBy.name), reason && nameOf(S.revocationReason, reason)].filter(Boolean).join('，');
  return <>{nameOf(S.end, end)}　{dateTime(endedAt)}<br /><small className="quiet">{about}</small></>;
}

function columns(revoke: (consent: Consent) => void): TableColumnsType<Consent> {
  return [
    ...SAID,
    { title: heads.state, render: (_, consent) => words[standing(consent)] },
    { title: heads.action, render: (_, consent) => standing(consent) !== 'over' && <Button size="small" danger onClick={() => revoke(consent)}>{words.revoke}</Button> },
  ];
}

function Stance({ of }: { of: Consent['stance'] }) {
  return of === 'permit'
    ? <Tag color="success" icon={<CheckOutlined aria-hidden />}>{words.permit}</Tag>
    : <Tag color="error" icon={<StopOutlined aria-hidden />}>{words.forbid}</Tag>;
}

/** Who signed it, and how. */
const howOf = ({ proof, basis }: Consent) => (proof === 'passkey' && basis.startsWith('guardian') ? words.guardianPasskey : nameOf(S.proof, proof));

/** Who may, or may not: hospital, and what narrows it. */
function whoOf({ grantee }: Consent): string {
  const parts = [grantee.organisationName ?? words.allMembers, grantee.department, grantee.role && nameOf(S.personRole, grantee.role)];
  return parts.filter(Boolean).join(' · ');
}

function whatOf({ classes, sensitivities, purposes, custodian }: Consent): string {
  const parts = [
    namesOf(S.class, classes, words.allClasses),
    sensitivities.length === 0 || sensitivities.length === 3 ? words.allSensitivities : sensitivities.includes('restricted') ? namesOf(S.sensitivity, sensitivities, '') : words.normalOnly,
    namesOf(S.purpose, purposes, words.allPurposes),
  ];
  return parts.join('；') + (custodian ? `；${words.from(custodian.name)}` : '');
}

function RevokeDialog({ subject, of, close, done }: { subject: string; of: Consent; close: () => void; done: () => void }) {
  const { message } = App.useApp();
  const [reason, setReason] = useState<Revoke['reason']>('patient-wish');
  const [error, busy, run] = useSubmit();
  const revoke = () => run(async () => {
    await calls(subject).revoke(of.id, { reason });
    message.success(words.revoked);
    close();
    done();
  });
  const permit = of.stance === 'permit';
  return (
    <Modal open title={permit ? words.revokeTitle : words.revokeForbidTitle} okText={words.confirmRevoke} okButtonProps={{ danger: true }} confirmLoading={busy} onOk={revoke} onCancel={close}>
      <p><b>{whoOf(of)}</b><br />{whatOf(of)}</p>
      <p>{permit ? words.revokeEffect : words.liftEffect}</p>
      <Radio.Group aria-label={words.revokeReason} vertical value={reason} onChange={(event) => setReason(event.target.value)}
        options={Object.entries(words.reasons).map(([value, label]) => ({ value, label }))} />
      {error && <Alert className="after" role="alert" type="error" showIcon title={error} />}
    </Modal>
  );
}
