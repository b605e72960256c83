/** Records what a patient who is present wants: choose, tell and sign on paper, record. */

import { PrinterOutlined } from '@ant-design/icons';
import { Alert, Button, Checkbox, DatePicker, Form, Input, Result, Segmented, Select, Steps } from 'antd';
import dayjs, { type Dayjs } from 'dayjs';
import { useState } from 'react';
import { consents, notice as noticeCall, patients } from '../api/calls';
import type { NewConsent, Notice, Patient, Recorded } from '../api/types';
import { beijing, dateTime, named, today } from '../shared/format';
import { useLoad } from '../shared/load';
import { to } from '../shared/route';
import { useSubmit } from '../shared/session';
import { Scan } from '../shared/papers';
import { Shown } from '../shared/states';
import { T as S } from '../shared/texts';
import { NoticeSheet } from './notice-sheet';
import { useRegion } from './region';
import { T } from './texts';

const words = T.consent;
const PRESET_DAYS = { month: 30, quarter: 90, year: 365 } as const;
const DEFAULT_DAYS = PRESET_DAYS.quarter;

interface Choice {
  stance: NewConsent['stance'];
  organisation: string;
  classes: string[];
  sensitive: boolean;
  purposes: string[];
  until: Dayjs;
  basis: 'separate-consent' | 'guardian-consent';
}

interface Props {
  subject: string;
  /** Recipient to begin with. */
  organisation: string | null;
  /** The referral that the consent is limited to. */
  referral: string | null;
}

export function ConsentRecording({ subject, organisation, referral }: Props) {
  const loaded = useLoad(`patient ${subject}`, (signal) => patients.get(subject, signal));
  return <Shown of={loaded}>{(patient) => <Recording patient={patient} organisation={organisation} referral={referral} />}</Shown>;
}

function Recording({ patient, organisation, referral }: { patient: Patient; organisation: string | null; referral: string | null }) {
  const [step, setStep] = useState(0);
  const [choice, setChoice] = useState<Choice>({
    stance: 'permit', organisation: organisation ?? '', classes: [], sensitive: false, purposes: ['treatment'], until: dayjs(today()).add(DEFAULT_DAYS, 'day'), basis: 'separate-consent',
  });
  const [notice, setNotice] = useState<Notice | null>(null);
  const [recorded, setRecorded] = useState<Recorded | null>(null);
  const back = to(['patients', patient.subject, 'consents']);
  const steps = words.steps.map((title) => ({ title }));
  if (recorded) return <Result status="success" title={words.recorded} subTitle={words.recordedHelp(dateTime(recorded.acceptedAt))} extra={<Button type="primary" href={back}>{S.back}</Button>} />;
  return (
    <section className="view narrow-view">
      <header className="view-head"><h1>{words.title}</h1><span>{named(patient.name)}　{S.sex[patient.sex]}</span><span className="push" /><Button href={back}>{S.cancel}</Button></header>
      <Steps size="small" current={step} items={steps} />
      {step === 0 && <Choose choice={choice} done={(chosen, shown) => { setChoice(chosen); setNotice(shown); setStep(1); }} />}
      {step === 1 && notice && <Tell patient={patient} choice={choice} notice={notice} back={() => setStep(0)} signed={() => setStep(2)} />}
      {step === 2 && notice && <Sign patient={patient} choice={choice} notice={notice} referral={referral} back={() => setStep(1)} done={setRecorded} />}
    </section>
  );
}

/** The end of the day that was chosen, in Beijing; a forbid has no end. */
const untilOf = ({ stance, until }: Choice) => (stance === 'permit' ? beijing(until.add(1, 'day').format('YYYY-MM-DDT00:00')) : null);

const purposesOf = ({ stance, purposes }: Choice) => (stance === 'permit' ? purposes : []);

function Choose({ choice, done }: { choice: Choice; done: (choice: Choice, notice: Notice) => void }) {
  const region = useRegion();
  const [form] = Form.useForm<Choice>();
  const [error, busy, run] = useSubmit();
  const next = (filled: Partial<Choice>) => run(async () => {
    const chosen = { ...choice, ...filled };
    const { organisation, classes, stance, sensitive } = chosen;
    done(chosen, await noticeCall({ organisation, classes, purposes: purposesOf(chosen), sensitive: stance === 'forbid' || sensitive, validUntil: untilOf(chosen) }));
  });
  const organisations = region.members.filter((member) => member.roles.includes('custodian') && !member.suspended).map(({ code, name }) => ({
    value: code, label: code === region.me.code ? `${name} ${words.own}` : name,
  }));
  const organisation = Form.useWatch('organisation', form) ?? choice.organisation;
  const stance = Form.useWatch('stance', form) ?? choice.stance;
  const contact = region.members.find((member) => member.code === organisation)?.contact;
  return (
    <Form<Choice> form={form} layout="vertical" initialValues={choice} onFinish={next} className="step">
      <Form.Item name="stance" label={words.stance}><Segmented options={optionsOf(words.stances)} /></Form.Item>
      <Form.Item name="organisation" label={words.organisation} extra={contact ? words.contact(contact) : words.organisationHelp} rules={[{ required: true, message: words.organisationNeeded }]}>
        <Select showSearch={{ optionFilterProp: 'label' }} options={organisations} />
      </Form.Item>
      <Form.Item name="classes" label={words.classes} extra={words.classesHelp}>
        <Select mode="multiple" allowClear placeholder={T.consents.allClasses} options={optionsOf(S.class)} />
      </Form.Item>
      {stance === 'permit' && <Limits />}
      {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
      <Button type="primary" htmlType="submit" loading={busy}>{words.next}</Button>
    </Form>
  );
}

/** What limits a permit. A forbid covers every purpose and what is sensitive too, until it is taken back. */
function Limits() {
  return (
    <>
      <Form.Item name="sensitive" valuePropName="checked"><Checkbox>{words.sensitive}</Checkbox></Form.Item>
      <Form.Item name="purposes" label={words.purposes} rules={[{ required: true, message: words.purposesNeeded }]}>
        <Checkbox.Group options={optionsOf({ treatment: S.purpose.treatment, quality: S.purpose.quality, payment: S.purpose.payment })} />
      </Form.Item>
      <Form.Item name="until" label={words.until} extra={words.untilHelp} rules={[{ required: true, message: words.untilNeeded }]}>
        <DatePicker minDate={dayjs(today())} presets={PRESETS} />
      </Form.Item>
      <Form.Item name="basis" label={words.basis}><Select options={optionsOf(words.bases)} /></Form.Item>
    </>
  );
}

const PRESETS = (Object.keys(PRESET_DAYS) as (keyof typeof PRESET_DAYS)[]).map((key) => ({ label: words.presets[key], value: () => dayjs(today()).add(PRESET_DAYS[key], 'day') }));

const optionsOf = (names: { [value: string]: string }) => Object.entries(names).map(([value, label]) => ({ value, label }));

function Tell({ patient, choice, notice, back, signed }: { patient: Patient; choice: Choice; notice: Notice; back: () => void; signed: () => void }) {
  return (
    <div className="step">
      <Alert type="info" showIcon title={words.noticeHelp} />
      <NoticeSheet title={choice.stance === 'permit' ? words.notice : words.forbidNotice} patient={patient} notice={notice} />
      <div className="step-buttons">
        <Button onClick={back}>{S.back}</Button>
        <Button icon={<PrinterOutlined aria-hidden />} onClick={() => window.print()}>{words.print}</Button>
        <Button type="primary" onClick={signed}>{words.signed}</Button>
      </div>
    </div>
  );
}

interface SignProps {
  patient: Patient;
  choice: Choice;
  notice: Notice;
  referral: string | null;
  back: () => void;
  done: (recorded: Recorded) => void;
}

function Sign({ patient, choice, notice, referral, back, done }: SignProps) {
  const [error, busy, run] = useSubmit();
  const record = (evidence: NewConsent['evidence']) => run(async () => {
    done(await consents(patient.subject).record(consentOf(choice, notice.version, referral, evidence)));
  });
  return (
    <Form<NewConsent['evidence']> layout="vertical" onFinish={record} className="step">
      <Alert type="info" showIcon title={words.evidenceHelp} />
      <Form.Item name="sheet" label={words.sheet} rules={[{ required: true, whitespace: true, message: words.sheetNeeded }]}><Input autoFocus maxLength={64} /></Form.Item>
      <Form.Item name="identifiedBy" label={words.identified} rules={[{ required: true, message: words.identifiedNeeded }]}>
        <Select options={words.identifications.map((value) => ({ value, label: value }))} />
      </Form.Item>
      <Form.Item name="scan" label={S.papers.label} extra={S.papers.help}><Scan subject={patient.subject} /></Form.Item>
      {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
      <div className="step-buttons">
        <Button onClick={back}>{S.back}</Button>
        <Button type="primary" htmlType="submit" loading={busy}>{words.record}</Button>
      </div>
    </Form>
  );
}

/** The consent of a choice. Everything is an empty list: one that names all is refused (C-5). */
function consentOf(choice: Choice, version: string, referral: string | null, evidence: NewConsent['evidence']): NewConsent {
  const permit = choice.stance === 'permit';
  const allClasses = choice.classes.length === Object.keys(S.class).length;
  return {
    stance: choice.stance,
    organisation: choice.organisation,
    referral: permit ? referral : null,
    classes: allClasses ? [] : choice.classes,
    sensitivities: permit && !choice.sensitive ? ['normal'] : [],
    purposes: purposesOf(choice),
    validUntil: untilOf(choice),
    basis: permit ? choice.basis : 'objection',
    notice: { version },
    evidence,
  };
}
