/** One referral, seen from either side: the form, what comes with it, what has happened, and what can be done now. */

import { CheckCircleOutlined, ExclamationCircleOutlined } from '@ant-design/icons';
import { Alert, App, Button, Descriptions, Timeline } from 'antd';
import { useState } from 'react';
import { patients, referrals } from '../api/calls';
import type { Referral, ReferralReply } from '../api/types';
import { age, date, dateTime, nameOf } from '../shared/format';
import { useEvery, useLoad } from '../shared/load';
import { go, to } from '../shared/route';
import { useSubmit } from '../shared/session';
import { Shown } from '../shared/states';
import { T as S } from '../shared/texts';
import { DocumentPane } from './document';
import { DocumentItem, sameDocument } from './document-item';
import { Filing } from './filing';
import { ActDialog, type Asked } from './referral-act';
import { newestFirst } from './record-list';
import { Destination, State, Undelivered, Urgency } from './referrals';
import { useRegion } from './region';
import { T } from './texts';

const words = T.referral;
/** So often a referral that is open is looked at again: what the other hospital does shows by itself. */
const REFRESH_MS = 5_000;

/** What ends the referral, or turns it away: asked for last, and in red. */
const DANGEROUS: ReadonlySet<string> = new Set(['decline', 'cancel']);

interface Props {
  member: string;
  id: string;
  chosen: string[];
}

export function ReferralView({ member, id, chosen }: Props) {
  const loaded = useLoad(`referral ${member} ${id}`, (signal) => referrals.get(member, id, signal));
  useEvery(REFRESH_MS, true, loaded.reload);
  return <Shown of={loaded}>{(referral) => <Opened referral={referral} chosen={chosen} reload={loaded.reload} />}</Shown>;
}

function Opened({ referral, chosen: [holder, entry], reload }: { referral: Referral; chosen: string[]; reload: () => void }) {
  const place = ['referrals', referral.member, referral.id];
  const open = holder === undefined || entry === undefined ? null : { holder, entry };
  const { message } = App.useApp();
  const [error, , run] = useSubmit();
  const get = ({ holder, entry }: { holder: string; entry: string }) => run(async () => {
    if (referral.subject === null) {
      message.info(words.notFiled);
      return;
    }
    await patients.fetch(referral.subject, { entries: [{ holder, entry }] });
    reload();
  });
  return (
    <section className="view">
      <Head referral={referral} reload={reload} />
      {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
      <div className={open ? 'split' : 'referral'}>
        <div className="split-list">
          <FormFacts referral={referral} />
          <Documents referral={referral} open={open} place={place} get={get} />
          {open && <Steps referral={referral} />}
        </div>
        {open
          ? <DocumentPane key={open.entry} of={open} row={referral.documents.find((row) => sameDocument(row, open)) ?? null} opened={reload} get={get} close={() => go(place)} />
          : <Steps referral={referral} />}
      </div>
    </section>
  );
}

function Head({ referral, reload }: { referral: Referral; reload: () => void }) {
  const [asked, setAsked] = useState<string | null>(null);
  const { subject, state, side, actions } = referral;
  const shown = actions.filter((action) => action !== 'send').sort((a, b) => Number(DANGEROUS.has(a)) - Number(DANGEROUS.has(b)));
  const close = () => setAsked(null);
  return (
    <>
      <header className="view-head">
        <h1>{words.of(referral.patientName)}</h1>
        <span>{S.sex[referral.sex]}　{age(referral.birthDate)}</span>
        <Urgency of={referral.urgency} /><State of={state} /><Undelivered row={referral} />
        <span className="push" />
        {subject !== null && state !== 'draft' && <Button href={to(['patients', subject])}>{words.openPatient}</Button>}
        {subject !== null && state === 'draft' && <Button type="primary" href={to(['patients', subject, 'refer'], { draft: referral.id })}>{words.edit}</Button>}
        {shown.map((action, at) => (
          <Button key={action} danger={DANGEROUS.has(action)} type={at === 0 && !DANGEROUS.has(action) ? 'primary' : 'default'} onClick={() => setAsked(action)}>
            {nameOf(words.actions, action)}
          </Button>
        ))}
      </header>
      {side === 'receiving' && subject === null && !['declined', 'cancelled', 'expired', 'redirected'].includes(state) && <Alert className="failed" type="info" showIcon title={words.notFiled} />}
      {asked === 'file' && <Filing referral={referral} close={close} done={reload} />}
      {asked !== null && asked !== 'file' && <ActDialog referral={referral} act={asked as Asked} close={close} done={reload} />}
    </>
  );
}

function FormFacts({ referral }: { referral: Referral }) {
  const { me } = useRegion();
  const { form, side, other, patient } = referral;
  const [from, onto] = side === 'referring' ? [me.name, other.name] : [other.name, me.name];
  const short = [
    { key: 'from', label: words.from, children: from }, { key: 'to', label: words.to, children: onto },
    { key: 'department', label: T.form.toDepartment, children: <Destination of={referral} /> }, { key: 'direction', label: T.form.direction, children: T.direction[form.direction] },
    { key: 'physician', label: T.referrals.columns.physician, children: referral.physician }, { key: 'phone', label: T.form.physicianPhone, children: form.physicianPhone || S.none },
    { key: 'birth', label: T.patient.birth, children: date(referral.birthDate) }, { key: 'patientPhone', label: T.patient.phone, children: patient.phone ?? S.none },
    ...(form.toDepartment !== '' && referral.assigned !== null ? [{ key: 'assigned', label: words.doctor, children: referral.assigned.name }] : []),
    ...patient.identifiers.map(({ kind, masked }) => ({ key: kind, label: nameOf(S.identifier, kind), children: <span className="code">{masked}</span> })),
  ];
  const long = (['impression', 'presentIllness', 'pastHistory', 'course', 'reason', 'plan'] as const)
    .map((key) => ({ key, label: T.form[key], children: <span className="written">{form[key] || S.none}</span> }));
  return (
    <section className="sheet-card" aria-label={words.form}>
      <Descriptions size="small" column={{ xs: 1, lg: 2 }} items={short} />
      <Descriptions className="long" size="small" bordered column={1} items={long} />
    </section>
  );
}

interface DocumentsProps {
  referral: Referral;
  open: { holder: string; entry: string } | null;
  place: string[];
  get: (row: { holder: string; entry: string }) => void;
}

function Documents({ referral, open, place, get }: DocumentsProps) {
  const { documents, consent } = referral;
  const good = consent === 'permitted';
  return (
    <section className="sheet-card">
      <h2>{words.documents}</h2>
      {(documents.length > 0 || referral.side === 'receiving') && <p className={good ? 'good' : 'warn'}>
        {good ? <CheckCircleOutlined aria-hidden /> : <ExclamationCircleOutlined aria-hidden />} {words.consent[referral.side][consent]}
        {consent === 'none' && referral.subject !== null && <ConsentLink referral={referral} />}
      </p>}
      {documents.length === 0 ? <p className="quiet">{words.noDocuments}</p> : (
        <div role="list">
          {newestFirst(documents).map((row) => <DocumentItem key={row.holder + row.entry} row={row} chosen={open !== null && sameDocument(row, open)} get={get} href={[...place, row.holder, row.entry]} />)}
        </div>
      )}
    </section>
  );
}

/** To the consent that is missing: of the patient to the receiving side. */
function ConsentLink({ referral }: { referral: Referral }) {
  const { me } = useRegion();
  const recipient = referral.side === 'referring' ? referral.other.code : me.code;
  return <>　<a href={to(['patients', referral.subject ?? '', 'consent'], { to: recipient, referral: referral.id })}>{T.editor.toConsent}</a></>;
}

function Steps({ referral }: { referral: Referral }) {
  const items = referral.steps.map((step) => ({
    color: step.delivered ? 'green' : 'orange',
    content: (
      <>
        <b>{nameOf(T.step, step.act)}</b> <span className="quiet">{step.by.name}　{dateTime(step.at)}</span>
        {step.reply && <Reply of={step.reply} />}
        {!step.delivered && <p className="warn">{words.undelivered}</p>}
      </>
    ),
  }));
  return <section className="sheet-card steps"><h2>{words.steps}</h2><Timeline items={items} /></section>;
}

function Reply({ of }: { of: ReferralReply }) {
  return (
    <div className="reply">
      {of.text && <p className="written">{of.text}</p>}
      {of.appointmentAt && <p>{words.bookedAt(dateTime(of.appointmentAt))}</p>}
      {of.appointmentPlace && <p>{words.bookedPlace(of.appointmentPlace)}</p>}
      {of.contact && <p>{words.replyContact(of.contact)}</p>}
    </div>
  );
}
