/** Writes a referral beside the patient's record: documents are chosen, the consent is looked up, and a draft can wait. */

import { Alert, App, Button, Checkbox, Form, Input, Segmented, Select } from 'antd';
import { useEffect, useState } from 'react';
import { patients, referrals } from '../api/calls';
import { Failure } from '../api/client';
import type { DocumentRow, History, Patient, Referral, ReferralForm } from '../api/types';
import { age, dateTime, named, nameOf } from '../shared/format';
import { useEvery, useLoad } from '../shared/load';
import { go, rename, to } from '../shared/route';
import { useSession, useSubmit } from '../shared/session';
import { Shown } from '../shared/states';
import { T as S } from '../shared/texts';
import { forget, isKept, keep, keptAt, saved } from '../shared/unsaved';
import { ConsentState, DEPARTMENT, useForeseen, type Foreseen } from './referral-consent';
import { DocumentPane } from './document';
import { sameDocument } from './document-item';
import { handedOver, newestFirst, timeOf } from './record-list';
import { Clinical } from './referral-clinical';
import { departmentsOf, useRegion } from './region';
import { T } from './texts';

const words = T.editor;
/** Where a doctor's own telephone number is remembered on this computer: several doctors may use it. */
const phoneOf = (login: string) => `yiqiao.physician-phone.${login}`;
/** What is written is kept as a draft by itself once there is a hospital to send it to. */
const AUTOSAVE_MS = 30_000;

type Filled = ReferralForm & { to: string; documents: DocumentRow[] };

interface Sources {
  patient: Patient;
  history: History;
  draft: Referral | null;
}

/** The form of a patient's referral: of the draft that the address named first, or of a new one. */
export function ReferralEditor({ subject, draft }: { subject: string; draft: string | null }) {
  const { session } = useSession();
  const loaded = useLoad(`refer ${subject}`, async (signal): Promise<Sources> => {
    const [patient, history, saved] = await Promise.all([
      patients.get(subject, signal), patients.documents(subject, signal),
      draft === null ? null : referrals.get(session.member.code, draft, signal),
    ]);
    return { patient, history, draft: saved };
  });
  return <Shown of={loaded} rows={12}>{(sources) => <Editor sources={sources} />}</Shown>;
}

function Editor({ sources }: { sources: Sources }) {
  const { patient, history } = sources;
  const { message, modal } = App.useApp();
  const [form] = Form.useForm<Filled>();
  const [draft, setDraft] = useState(sources.draft?.id ?? null);
  const [viewed, setViewed] = useState<DocumentRow | null>(null);
  const [error, busy, run] = useSubmit();
  const [isSent, setSent] = useState(sources.draft !== null && sources.draft.state !== 'draft');
  const { session: { login, member } } = useSession();
  const place = `refer ${patient.subject}`;
  const [restored] = useState(() => keptAt<Filled>(login, place));
  useEffect(() => { if (restored) message.info(words.restored); }, [restored]);

  const consent = useForeseen(form, patient.subject, draft);
  const own = history.items.filter((row) => row.state === 'own');
  const written = () => form.getFieldsValue(true) as Filled;
  const changed = () => keep(login, place, written());
  const store = async (): Promise<string> => {
    const known = keptAt<Filled>(login, place);
    const { to, documents, ...rest } = written();
    localStorage.setItem(phoneOf(login), rest.physicianPhone ?? '');
    const entries = documents.map(({ holder, entry }) => ({ holder, entry }));
    const body = { subject: patient.subject, to: to ?? '', form: filledIn(rest), entries };
    const id = (draft === null ? await referrals.create(body) : await referrals.save(draft, body)).id;
    saved(known);
    setDraft(id);
    rename(['patients', patient.subject, 'refer'], { draft: id });
    return id;
  };
  /** Does something with the draft, unless another window has sent it. */
  const unlessSent = (work: () => Promise<void>) => run(() => work().catch((failed: unknown) => {
    if (!(failed instanceof Failure && failed.kind === 'sent-before')) throw failed;
    setSent(true);
  }));
  const save = () => unlessSent(async () => { await form.validateFields(['to']); await store(); message.success(words.saved); });
  const send = () => unlessSent(async () => {
    const id = await store();
    await referrals.act(member.code, id, { act: 'send' });
    message.success(words.sent);
    go(['referrals', member.code, id]);
  });
  useEvery(AUTOSAVE_MS, !isSent, () => { if (isKept() && form.getFieldValue('to')) unlessSent(async () => { await store(); }); });
  const discard = () => modal.confirm({
    title: words.discardTitle, content: words.discardHelp, okText: words.discard, okButtonProps: { danger: true },
    onOk: async () => {
      if (draft !== null) await referrals.discard(draft);
      forget();
      message.success(words.discarded);
      go(['patients', patient.subject]);
    },
  });
  return (
    <section className="view">
      <header className="view-head">
        <h1>{words.of(named(patient.name))}</h1><span>{S.sex[patient.sex]}　{age(patient.birthDate)}　<span className="code">{patient.number}</span></span>
        <span className="push" />
        <Button href={to(['patients', patient.subject])}>{S.back}</Button>
        {!isSent && <>
          {draft !== null && <Button danger onClick={discard}>{words.discard}</Button>}
          <Button loading={busy} onClick={save}>{words.save}</Button>
          <Button type="primary" loading={busy} onClick={form.submit}>{words.send}</Button>
        </>}
      </header>
      {isSent && draft !== null && <Alert className="failed" role="alert" type="warning" showIcon title={words.sentBefore} description={words.sentBeforeHelp}
        action={<Button size="small" href={to(['referrals', member.code, draft])}>{words.toSent}</Button>} />}
      {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
      <Form<Filled> form={form} layout="vertical" className="editor" initialValues={restored ?? initial(sources, login)} onFinish={send} scrollToFirstError={{ focus: true }} onValuesChange={({ to }) => {
        // Departments are those of the hospital.
        if (to !== undefined) form.setFieldValue('toDepartment', undefined);
        changed();
      }}>
        <div>
          <Basics subject={patient.subject} consent={consent} />
          <Clinical subject={patient.subject} labs={history.labs} own={own} view={setViewed} changed={changed} />
        </div>
        <div className="editor-side">
          {viewed && <DocumentPane key={viewed.entry} of={viewed} row={viewed} opened={ignore} get={ignore} close={() => setViewed(null)} />}
          <Form.Item name="documents" hidden={viewed !== null}><Choose rows={own} withheld={consent.value?.consent === 'partly' ? consent.value.withheld : []} view={setViewed} /></Form.Item>
        </div>
      </Form>
    </section>
  );
}

/** Own documents never change their state by being opened, and are never fetched. */
const ignore = () => undefined;

function initial({ draft, history }: Sources, login: string): Partial<Filled> {
  if (draft === null) return { urgency: 'routine', direction: 'up', physicianPhone: localStorage.getItem(phoneOf(login)) ?? '', documents: handedOver(history.items) };
  const { toDepartment, ...rest } = draft.form;
  return { ...rest, ...(toDepartment !== '' && { toDepartment }), to: draft.other.code, documents: draft.documents };
}

function filledIn(form: Partial<ReferralForm>): ReferralForm {
  const text = (key: keyof ReferralForm) => (form[key] ?? '').trim();
  return {
    toDepartment: text('toDepartment'), urgency: form.urgency ?? 'routine', direction: form.direction ?? 'up', impression: text('impression'),
    presentIllness: text('presentIllness'), pastHistory: text('pastHistory'), course: text('course'), reason: text('reason'), plan: text('plan'), physicianPhone: text('physicianPhone'),
  };
}

const optionsOf = (names: { [value: string]: string }) => Object.entries(names).map(([value, label]) => ({ value, label }));

/** A department of the chosen hospital: from the list where this hospital knows it, else by its code. */
function ToDepartment() {
  const region = useRegion();
  const to: string | undefined = Form.useWatch('to');
  const known = to === undefined ? [] : departmentsOf(region, to);
  const options = known.map(({ code, name }) => ({ value: code, label: words.departmentOf(name, code) }));
  const field = known.length === 0
    ? <Input maxLength={32} placeholder={T.referral.theirChoice} />
    : <Select allowClear showSearch={{ optionFilterProp: 'label' }} options={options} placeholder={T.referral.theirChoice} />;
  return (
    <Form.Item name="toDepartment" label={T.form.toDepartment} extra={known.length === 0 ? words.departmentHelp : words.departmentChoice} rules={[{ pattern: DEPARTMENT, message: words.departmentBad }]}>{field}</Form.Item>
  );
}

function Basics({ subject, consent }: { subject: string; consent: Foreseen }) {
  const region = useRegion();
  const others = region.members.filter((member) => member.code !== region.me.code && member.roles.includes('custodian') && !member.suspended);
  return (
    <section className="sheet-card">
      <h2>{words.basics}</h2>
      <div className="columns">
        <Form.Item name="to" label={words.to} rules={[{ required: true, message: words.toNeeded }]}>
          <Select autoFocus showSearch={{ optionFilterProp: 'label' }} options={others.map(({ code, name }) => ({ value: code, label: name }))} />
        </Form.Item>
        <ToDepartment />
        <Form.Item name="urgency" label={T.form.urgency}><Segmented aria-label={T.form.urgency} options={optionsOf(T.urgency)} /></Form.Item>
        <Form.Item name="direction" label={T.form.direction}><Segmented aria-label={T.form.direction} options={optionsOf(T.direction)} /></Form.Item>
      </div>
      <ConsentState subject={subject} of={consent} />
    </section>
  );
}

interface ChooseProps {
  rows: DocumentRow[];
  /** Entries that the other hospital would not get, while it would get others. */
  withheld: string[];
  view: (row: DocumentRow) => void;
  /** The chosen ones, from the form. */
  value?: DocumentRow[];
  onChange?: (rows: DocumentRow[]) => void;
}

function Choose({ rows, withheld, view, value: chosen = [], onChange: set }: ChooseProps) {
  const isChosen = (row: DocumentRow) => chosen.some((one) => sameDocument(one, row));
  const toggle = (row: DocumentRow) => set?.(isChosen(row) ? chosen.filter((one) => !sameDocument(one, row)) : [...chosen, row]);
  return (
    <section className="sheet-card">
      <h2>{words.documents}<small>{words.chosen(chosen.length)}</small></h2>
      <p className="quiet">{rows.length === 0 ? words.noDocuments : words.documentsHelp}</p>
      {newestFirst(rows).map((row) => (
        <div key={row.entry} className="choose">
          <Checkbox checked={isChosen(row)} onChange={() => toggle(row)}>
            {row.title}<br /><small className="quiet">{nameOf(S.class, row.class)} · {dateTime(timeOf(row))}</small>
            {isChosen(row) && withheld.includes(row.entry) && <small className="warn"> · {words.withheld}</small>}
          </Checkbox>
          <Button size="small" type="link" onClick={() => view(row)}>{words.view}</Button>
        </div>
      ))}
    </section>
  );
}
