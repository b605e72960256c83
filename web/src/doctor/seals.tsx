/** Sealing a record and lifting the seal, and the records that are sealed; for the office of medical affairs. */

import { LockOutlined, UnlockOutlined } from '@ant-design/icons';
import { Alert, App, Button, Descriptions, Form, Input, Modal, Radio, Select } from 'antd';
import { useState } from 'react';
import { seals } from '../api/calls';
import type { Patient, Seal, SealRow } from '../api/types';
import { age, dateTime, named, nameOf } from '../shared/format';
import { usePages } from '../shared/load';
import { to } from '../shared/route';
import { useSubmit } from '../shared/session';
import { Nothing, ShownPages } from '../shared/states';
import { T as S } from '../shared/texts';
import { T } from './texts';

const words = T.seals;
const REASONS = (Object.keys(S.sealReason) as Seal['reason'][]).map((value) => ({ value, label: S.sealReason[value] }));
const TEXT_MAX = 500;
const REVIEWERS_MAX = 8;

export function Seals() {
  const list = usePages('seals', seals.list);
  return (
    <section className="view">
      <header className="view-head"><h1>{words.title}</h1></header>
      <p className="quiet">{words.help}</p>
      <ShownPages of={list} empty={<Nothing title={words.empty} />}>
        {(items) => items.map((row) => <Sealed key={row.subject} row={row} />)}
      </ShownPages>
    </section>
  );
}

function Sealed({ row }: { row: SealRow }) {
  const { patient, by, attempts } = row;
  const items = [
    { key: 'patient', label: words.patient, children: patient === null ? words.gone : <a href={to(['patients', row.subject])}>{`${named(patient.name)}　${S.sex[patient.sex]}　${age(patient.birthDate)}　${patient.number}`}</a> },
    { key: 'reason', label: words.reason, children: `${S.sealReason[row.reason]}：${row.text}` },
    { key: 'by', label: words.by, children: `${by.name}（${by.login}）` },
    { key: 'at', label: words.at, children: dateTime(row.at) },
    { key: 'reviewers', label: words.reviewerCount, children: words.count(row.reviewers) },
    { key: 'attempts', label: words.attempts, children: attempts.length === 0 ? words.none : <ol className="did">{attempts.map((line) => <li key={line.number}>{dateTime(line.at)}　{line.actor}　{nameOf(S.personRole, line.role)}　{line.text}</li>)}</ol> },
  ];
  return <article className="sheet-card case"><Descriptions column={1} size="small" items={items} /></article>;
}

/** Seals the record, or lifts the seal. */
export function SealButton({ patient, done }: { patient: Patient; done: () => void }) {
  return patient.sealedSince === null ? <SealIt subject={patient.subject} done={done} /> : <LiftIt subject={patient.subject} done={done} />;
}

function SealIt({ subject, done }: { subject: string; done: () => void }) {
  const [open, setOpen] = useState(false);
  const [form] = Form.useForm<Seal>();
  const [error, busy, run] = useSubmit();
  const { message } = App.useApp();
  const submit = (values: Seal) => run(async () => {
    await seals.seal(subject, { ...values, reviewers: values.reviewers ?? [] });
    message.success(words.done);
    setOpen(false);
    done();
  });
  return (
    <>
      <Button danger icon={<LockOutlined aria-hidden />} onClick={() => setOpen(true)}>{words.seal}</Button>
      <Modal open={open} title={words.sealTitle} okText={words.submit} okButtonProps={{ danger: true }} confirmLoading={busy} onOk={form.submit} onCancel={() => setOpen(false)} destroyOnHidden>
        <Alert className="failed" type="warning" showIcon title={words.sealWhat} />
        {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
        <Form form={form} layout="vertical" requiredMark={false} onFinish={submit}>
          <Form.Item name="reason" label={words.reason} rules={[{ required: true, message: words.reasonNeeded }]}><Radio.Group options={REASONS} /></Form.Item>
          <Text />
          <Form.Item name="reviewers" label={words.reviewers} extra={words.reviewersHelp}><Select mode="tags" open={false} suffixIcon={null} maxCount={REVIEWERS_MAX} /></Form.Item>
        </Form>
      </Modal>
    </>
  );
}

function LiftIt({ subject, done }: { subject: string; done: () => void }) {
  const [open, setOpen] = useState(false);
  const [form] = Form.useForm<{ text: string }>();
  const [error, busy, run] = useSubmit();
  const { message } = App.useApp();
  const submit = (values: { text: string }) => run(async () => {
    await seals.lift(subject, values);
    message.success(words.lifted);
    setOpen(false);
    done();
  });
  return (
    <>
      <Button icon={<UnlockOutlined aria-hidden />} onClick={() => setOpen(true)}>{words.lift}</Button>
      <Modal open={open} title={words.liftTitle} okText={words.liftSubmit} confirmLoading={busy} onOk={form.submit} onCancel={() => setOpen(false)} destroyOnHidden>
        <Alert className="failed" type="info" showIcon title={words.liftWhat} />
        {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
        <Form form={form} layout="vertical" requiredMark={false} onFinish={submit}><Text /></Form>
      </Modal>
    </>
  );
}

function Text() {
  return (
    <Form.Item name="text" label={words.text} extra={words.textHelp} rules={[{ required: true, whitespace: true, message: words.textNeeded }]}>
      <Input.TextArea rows={3} maxLength={TEXT_MAX} />
    </Form.Item>
  );
}
