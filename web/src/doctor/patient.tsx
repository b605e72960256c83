/** One patient: who it is, and the record, labs, consents and accesses in tabs. */

import { EyeInvisibleOutlined, EyeOutlined, ExclamationCircleOutlined } from '@ant-design/icons';
import { Alert, App, Button, Popover, Table, Tabs, type TableColumnsType } from 'antd';
import { lazy, Suspense, useState } from 'react';
import { patients } from '../api/calls';
import type { Patient, Revealed } from '../api/types';
import { age, date, dateTime, named, nameOf } from '../shared/format';
import { useLoad } from '../shared/load';
import { go, to } from '../shared/route';
import { useSession, useSubmit } from '../shared/session';
import { Shown, Waiting } from '../shared/states';
import { T as S } from '../shared/texts';
import { Access, Own } from './access';
import { AccountButton } from './account';
import { Consents } from './consents';
import { EndingButton } from './ending';
import { EmergencyButton } from './emergency';
import { PasskeyButton } from './passkeys';
import { RecordTimeline } from './record';
import { Department } from './region';
import { SealButton } from './seals';
import { T } from './texts';

const Labs = lazy(() => import('./labs'));
const words = T.patient;

interface Props {
  subject: string;
  tab: string;
  /** Holder and entry of the document that is open beside the list. */
  chosen: string[];
}

export function PatientView({ subject, tab, chosen }: Props) {
  const loaded = useLoad(`patient ${subject}`, (signal) => patients.get(subject, signal));
  // What was ended at once is to be seen in every part.
  const [endings, setEndings] = useState(0);
  const ended = () => { setEndings(endings + 1); loaded.reload(); };
  return (
    <Shown of={loaded}>
      {(patient) => (
        <section className="patient">
          <PatientHeader patient={patient} ended={ended} reload={loaded.reload} />
          {patient.documents ? <PatientTabs key={endings} patient={patient} tab={tab} chosen={chosen} /> : <WithoutDocuments key={endings} patient={patient} />}
        </section>
      )}
    </Shown>
  );
}

function PatientTabs({ patient, tab, chosen }: { patient: Patient; tab: string; chosen: string[] }) {
  const { subject } = patient;
  const record = { key: 'record', label: words.tabs.record, children: <RecordTimeline patient={patient} chosen={chosen} /> };
  // Who sees the patient because of an emergency opens documents one by one, and does nothing else.
  const items = patient.ground === 'emergency' || patient.ground === 'reviewer' ? [record] : [
    record,
    { key: 'labs', label: words.tabs.labs, children: <Suspense fallback={<Waiting rows={8} />}><Labs subject={subject} /></Suspense> },
    { key: 'consents', label: words.tabs.consents, children: <Consents patient={patient} /> },
    { key: 'access', label: words.tabs.access, children: <Access subject={subject} /> },
  ];
  return <Tabs className="patient-tabs" activeKey={tab} items={items} destroyOnHidden onChange={(key) => go(['patients', subject, key])} />;
}

function WithoutDocuments({ patient }: { patient: Patient }) {
  if (patient.ground === 'medical-affairs') return <div className="desk"><Alert type="info" showIcon title={words.affairs} /><Own subject={patient.subject} /></div>;
  return <div className="desk"><Alert type="info" showIcon title={words.noDocuments} /><Consents patient={patient} /></div>;
}

function PatientHeader({ patient, ended, reload }: { patient: Patient; ended: () => void; reload: () => void }) {
  const { has } = useSession();
  const treats = has('doctor', 'head', 'nurse');
  return (
    <header className="patient-head">
      <div className="patient-line">
        <h1>{named(patient.name)}</h1>
        <span>{S.sex[patient.sex]}</span>
        <span title={`${words.birth} ${date(patient.birthDate)}`}>{age(patient.birthDate)}</span>
        <Visits patient={patient} />
        <span className="push" />
        {has('desk', 'referral-office') && patient.findable && patient.diedAt === null && <><PasskeyButton patient={patient} /><AccountButton subject={patient.subject} /></>}
        {has('desk', 'referral-office') && <EndingButton patient={patient} done={ended} />}
        {treats && patient.emergencyUntil === null && patient.findable && <EmergencyButton label={T.emergency.openElsewhere} begin={(why) => patients.breakGlass(patient.subject, why)} begun={reload} />}
        {patient.ground === 'medical-affairs' && <SealButton patient={patient} done={reload} />}
        {patient.documents && patient.ground !== 'emergency' && patient.ground !== 'reviewer' && patient.name !== '' && has('doctor', 'head') && <Button type="primary" href={to(['patients', patient.subject, 'refer'])}>{words.refer}</Button>}
      </div>
      <Identifiers patient={patient} />
      {patient.remarks.map((remark) => <p key={remark} className="remark"><ExclamationCircleOutlined aria-hidden /> {words.remarks}：{remark}</p>)}
      {patient.diedAt !== null && <Alert type="info" showIcon title={T.ending.died(dateTime(patient.diedAt))} />}
      {patient.sealedSince !== null && <Alert className="sealed" type="warning" showIcon title={T.seals.sealed(dateTime(patient.sealedSince))} />}
      {patient.emergencyUntil !== null && <Alert className="emergency" type="error" showIcon title={T.emergency.until(dateTime(patient.emergencyUntil))} />}
      {!patient.findable && <Alert type="warning" showIcon title={words.notFindable} />}
    </header>
  );
}

/** Numbers, phone and address: masked until somebody asks, which is logged. */
function Identifiers({ patient }: { patient: Patient }) {
  const { message } = App.useApp();
  const [revealed, setRevealed] = useState<Revealed | null>(null);
  const [error, busy, run] = useSubmit();
  const reveal = () => run(async () => {
    setRevealed(await patients.reveal(patient.subject));
    message.info(words.revealed);
  });
  const identifiers = revealed?.identifiers ?? patient.identifiers.map(({ kind, masked }) => ({ kind, value: masked }));
  const { phone, address } = revealed ?? patient;
  return (
    <div className="identifiers">
      {identifiers.map(({ kind, value }) => <span key={kind + value}>{nameOf(S.identifier, kind)} <b className="code">{value}</b></span>)}
      {phone && <span>{words.phone} <b className="code">{phone}</b></span>}
      {address && <span>{words.address} <b>{address}</b></span>}
      {revealed
        ? <Button size="small" type="link" icon={<EyeInvisibleOutlined aria-hidden />} onClick={() => setRevealed(null)}>{words.hide}</Button>
        : <Button size="small" type="link" icon={<EyeOutlined aria-hidden />} loading={busy} title={words.revealNote} onClick={reveal}>{words.reveal}</Button>}
      {error && <span role="alert" className="bad">{error}</span>}
    </div>
  );
}

type Visit = Patient['visits'][number];

function Visits({ patient }: { patient: Patient }) {
  if (patient.visits.length === 0) return <span className="quiet">{words.noVisits}</span>;
  const table = <Table<Visit> className="visits" size="small" rowKey={visitKey} columns={VISITS} dataSource={patient.visits} pagination={false} scroll={{ y: 320 }} />;
  return <Popover trigger="click" placement="bottomLeft" content={table}><Button size="small">{words.visits(patient.visits.length)}</Button></Popover>;
}

/** Some systems number no visit. */
const visitKey = ({ number, class: of, admitted, department, attending }: Visit) => [number, of, admitted, department, attending].join('|');

const VISITS: TableColumnsType<Visit> = [
  { title: words.visit.admitted, width: 110, render: (_, visit) => date(visit.admitted) },
  { title: words.visit.discharged, width: 110, render: (_, visit) => (visit.class === 'inpatient' && visit.discharged === null ? words.ongoing : date(visit.discharged)) },
  { title: words.visit.class, width: 70, render: (_, visit) => S.visitClass[visit.class] },
  { title: words.visit.department, width: 120, render: (_, visit) => <Department of={visit.department} /> },
  { title: words.visit.attending, width: 90, render: (_, visit) => visit.attending ?? S.none },
  { title: words.visit.number, width: 120, render: (_, visit) => visit.number || S.none, className: 'code' },
];
