/** Where the glass was broken: who, why, and what was done; for the office of medical affairs, which judges it. */

import { ClockCircleOutlined, WarningOutlined } from '@ant-design/icons';
import { Alert, App, Button, Descriptions, Form, Input, Radio, Segmented, Tag } from 'antd';
import { useState } from 'react';
import { emergencies } from '../api/calls';
import type { EmergencyRow, StaffNamed, Verdict } from '../api/types';
import { age, dateTime, named, nameOf } from '../shared/format';
import { usePages } from '../shared/load';
import { useSubmit } from '../shared/session';
import { Nothing, ShownPages } from '../shared/states';
import { T as S } from '../shared/texts';
import { T } from './texts';

const words = T.emergencies;
type Which = keyof typeof words.which;
const WHICH = (Object.keys(words.which) as Which[]).map((value) => ({ value, label: words.which[value] }));
const VERDICTS = (Object.keys(words.verdict) as Verdict['verdict'][]).map((value) => ({ value, label: words.verdict[value] }));
const TEXT_MAX = 500;

export function Emergencies() {
  const [which, setWhich] = useState<Which>('open');
  const list = usePages(`emergencies ${which}`, (after, signal) => emergencies.list(which, after, signal));
  return (
    <section className="view">
      <header className="view-head"><h1>{words.title}</h1><Segmented value={which} onChange={setWhich} options={WHICH} /></header>
      <p className="quiet">{words.help}</p>
      <ShownPages of={list} empty={<Nothing title={which === 'open' ? words.empty : words.emptyJudged} />}>
        {(items) => items.map((row) => <Case key={row.id} row={row} judged={list.reload} />)}
      </ShownPages>
    </section>
  );
}

const person = ({ name, login, role }: StaffNamed) => `${name}（${login}）${nameOf(S.personRole, role)}`;

function Case({ row, judged }: { row: EmergencyRow; judged: () => void }) {
  const settled = row.verdict !== null && row.verdict.verdict !== 'talk';
  const { patient, verdict } = row;
  const items = [
    { key: 'patient', label: words.patient, children: patient === null ? words.gone : `${named(patient.name)}　${S.sex[patient.sex]}　${age(patient.birthDate)}　${patient.number}` },
    { key: 'by', label: words.by, children: person(row.by) },
    { key: 'reason', label: words.reason, children: <>{S.emergencyReason[row.reason]}：{row.text}</> },
    { key: 'span', label: words.span, children: `${dateTime(row.at)} — ${dateTime(row.until)}` },
    { key: 'did', label: words.did, children: row.did.length === 0 ? words.didNothing : <ol className="did">{row.did.map((line) => <li key={line.number}>{dateTime(line.at)}　{line.text}{line.outcome !== 'permitted' && `（${nameOf(S.outcome, line.outcome)}）`}</li>)}</ol> },
    ...(verdict === null ? [] : [{ key: 'verdict', label: words.verdictAt, children: `${words.verdict[verdict.verdict]}：${verdict.text}（${person(verdict.by)}，${dateTime(verdict.at)}）` }]),
  ];
  return (
    <article className={row.overdue ? 'sheet-card case overdue' : 'sheet-card case'}>
      {!settled && (row.overdue
        ? <Tag color="error" icon={<WarningOutlined aria-hidden />}>{words.overdue}</Tag>
        : <Tag icon={<ClockCircleOutlined aria-hidden />}>{words.due(dateTime(row.due))}</Tag>)}
      <Descriptions column={1} size="small" items={items} />
      {!settled && <Judge id={row.id} judged={judged} />}
    </article>
  );
}

function Judge({ id, judged }: { id: string; judged: () => void }) {
  const [error, busy, run] = useSubmit();
  const { message } = App.useApp();
  const submit = (verdict: Verdict) => run(async () => {
    await emergencies.judge(id, verdict);
    message.success(words.done);
    judged();
  });
  return (
    <Form<Verdict> layout="vertical" requiredMark={false} onFinish={submit}>
      {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
      <Form.Item name="verdict" rules={[{ required: true, message: words.choose }]}><Radio.Group options={VERDICTS} optionType="button" aria-label={words.verdictAt} /></Form.Item>
      <Form.Item name="text" rules={[{ required: true, whitespace: true, message: words.textNeeded }]}><Input.TextArea rows={2} maxLength={TEXT_MAX} placeholder={words.text} aria-label={words.text} /></Form.Item>
      <Button type="primary" htmlType="submit" loading={busy}>{words.submit}</Button>
    </Form>
  );
}
