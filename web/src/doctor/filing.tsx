/** Files a referred patient under one of this hospital's: a person has looked at the papers and says who it is. */

import { EyeOutlined } from '@ant-design/icons';
import { Alert, App, Button, Checkbox, Descriptions, Form, Input, Modal, Radio } from 'antd';
import { useState } from 'react';
import { referrals } from '../api/calls';
import type { Candidate, Referral, Revealed } from '../api/types';
import { age, date, named, nameOf } from '../shared/format';
import { useSession, useSubmit } from '../shared/session';
import { T as S } from '../shared/texts';
import { Department } from './region';
import { T } from './texts';

const words = T.filing;
const FRESH = '';

interface Filled {
  /** A candidate's subject, or [`FRESH`]. */
  choice: string;
  number?: string;
  identity: boolean;
  confirmed?: boolean;
  compared?: boolean;
}

interface Props {
  referral: Referral;
  close: () => void;
  done: () => void;
}

export function Filing({ referral, close, done }: Props) {
  const { message } = App.useApp();
  const session = useSession();
  const [form] = Form.useForm<Filled>();
  const [error, busy, run] = useSubmit();
  const [found, setFound] = useState<Candidate[] | null>(null);
  const [searchError, searching, search] = useSubmit();
  const candidates = [...referral.candidates, ...(found ?? []).filter((row) => referral.candidates.every(({ subject }) => subject !== row.subject))];
  const choice = Form.useWatch('choice', form);
  const candidate = candidates.find((row) => row.subject === choice);
  const differs = candidate !== undefined && differ(candidate, referral);
  const isUnknown = candidate?.identity === 'unknown';
  const find = (number: string) => search(async () => setFound(number.trim() === '' ? null : await referrals.holders(referral.member, referral.id, number.trim())));
  const submit = (filled: Filled) => run(async () => {
    const who = filled.choice === FRESH ? { number: filled.number?.trim() ?? '' } : { subject: filled.choice };
    await referrals.file(referral.member, referral.id, { ...who, ...(differs || isUnknown ? { confirmed: true } : {}) });
    message.success(words.done);
    close();
    done();
  });
  return (
    <Modal open title={words.title} okText={words.submit} confirmLoading={busy} onOk={form.submit} onCancel={close} width={640}>
      <p>{words.help}</p>
      <Stated referral={referral} />
      <Form<Filled> form={form} layout="vertical" onFinish={submit} initialValues={{ choice: referral.candidates.length === 0 ? FRESH : undefined }}>
        <Form.Item name="choice" label={candidates.length === 0 ? words.noCandidates : words.candidates} rules={[{ validator: (_, value) => (value === undefined ? Promise.reject(new Error(words.choose)) : Promise.resolve()) }]}>
          <Radio.Group vertical options={[...candidates.map((row) => ({ value: row.subject, disabled: row.identity === 'other', label: <Named row={row} /> })), { value: FRESH, label: words.fresh }]} />
        </Form.Item>
        {choice === FRESH && <Form.Item name="number" rules={[{ required: true, whitespace: true, message: words.freshNeeded }]}><Input aria-label={words.fresh} placeholder={words.fresh} maxLength={64} autoComplete="off" /></Form.Item>}
        {session.has('referral-office') && <Form.Item label={words.search} help={found?.length === 0 ? words.searchNone : searchError} validateStatus={searchError ? 'error' : ''}>
          <Input.Search aria-label={words.search} enterButton={words.searchDo} loading={searching} maxLength={64} autoComplete="off" onSearch={find} />
        </Form.Item>}
        {differs && <Alert className="failed" type="warning" showIcon title={words.differ} />}
        {differs && <Certain name="confirmed" text={words.differConfirm} />}
        {isUnknown && <Certain name="compared" text={words.unknownConfirm} />}
        <Certain name="identity" text={words.identityConfirm} />
      </Form>
      {error && <Alert role="alert" type="error" showIcon title={error} />}
    </Modal>
  );
}

/** A box that must be ticked. */
function Certain({ name, text }: { name: keyof Filled; text: string }) {
  const rules = [{ validator: (_: unknown, ticked: boolean) => (ticked ? Promise.resolve() : Promise.reject(new Error(words.needed))) }];
  return <Form.Item name={name} valuePropName="checked" rules={rules}><Checkbox>{text}</Checkbox></Form.Item>;
}

/** What the form says of the patient; the numbers in full for who compares them with the papers, which is logged. */
function Stated({ referral: { member, id, patientName, sex, birthDate, patient } }: { referral: Referral }) {
  const [revealed, setRevealed] = useState<Revealed | null>(null);
  const [error, busy, run] = useSubmit();
  const identifiers = revealed?.identifiers ?? patient.identifiers.map(({ kind, masked }) => ({ kind, value: masked }));
  const reveal = () => run(async () => setRevealed(await referrals.reveal(member, id)));
  const items = [
    { key: 'name', label: T.patients.columns.name, children: <b>{patientName}</b> }, { key: 'sex', label: T.patients.columns.sex, children: S.sex[sex] },
    { key: 'birth', label: T.patient.birth, children: date(birthDate) }, { key: 'phone', label: T.patient.phone, children: revealed?.phone ?? patient.phone ?? S.none },
    ...identifiers.map(({ kind, value }) => ({ key: kind, label: nameOf(S.identifier, kind), children: <span className="code">{value}</span> })),
  ];
  const button = revealed === null && <Button size="small" icon={<EyeOutlined aria-hidden />} loading={busy} title={T.patient.revealNote} onClick={reveal}>{T.patient.reveal}</Button>;
  return (
    <>
      <Descriptions className="stated" title={words.stated} extra={button} size="small" bordered column={2} items={items} />
      {error && <Alert role="alert" type="error" showIcon title={error} />}
    </>
  );
}

function Named({ row }: { row: Candidate }) {
  return (
    <>
      <b>{named(row.name)}</b>　{S.sex[row.sex]}　{date(row.birthDate)}（{age(row.birthDate)}）　<span className="code">{row.number}</span>　<Department of={row.department} />
      <br /><small className="quiet">{words.identity[row.identity]}</small>
    </>
  );
}

const differ = (row: Candidate, { patientName, sex, birthDate }: Referral) =>
  row.name !== patientName || row.sex !== sex || row.birthDate !== birthDate;
