/** Patients who may be one person: a desk compares them and says one, or two; and takes it back. */

import { Alert, App, Button, Popconfirm, Segmented, Table, Tag, type TableColumnsType } from 'antd';
import { useState } from 'react';
import { identity } from '../api/calls';
import type { Agreement, IdentityPair, Patient } from '../api/types';
import { age, date, dateTime, named } from '../shared/format';
import { usePages } from '../shared/load';
import { to } from '../shared/route';
import { useSubmit } from '../shared/session';
import { Nothing, ShownPages } from '../shared/states';
import { T as S } from '../shared/texts';
import { T } from './texts';

const words = T.identity;
type Which = keyof typeof words.which;
const WHICH = (Object.keys(words.which) as Which[]).map((value) => ({ value, label: words.which[value] }));

export function Identity() {
  const [which, setWhich] = useState<Which>('open');
  const list = usePages(`identity ${which}`, which === 'open' ? identity.open : identity.decided);
  return (
    <section className="view">
      <header className="view-head">
        <h1>{words.title}</h1>
        <Segmented options={WHICH} value={which} onChange={setWhich} />
        <Button onClick={list.reload}>{S.refresh}</Button>
      </header>
      <p>{words.help}</p>
      <ShownPages of={list} empty={<Nothing title={words.empty[which]} help={words.emptyHelp} />}>
        {(pairs) => pairs.map((pair) => <Pair key={pair.number} pair={pair} done={list.reload} />)}
      </ShownPages>
    </section>
  );
}

interface Compared {
  what: string;
  agreement: Agreement | null;
  of: [React.ReactNode, React.ReactNode];
}

function Pair({ pair, done }: { pair: IdentityPair; done: () => void }) {
  const { message } = App.useApp();
  const [error, busy, run] = useSubmit();
  const judge = (judgement: IdentityPair['judgement']) => run(async () => {
    await identity.judge(pair.number, judgement);
    message.success(words.done[judgement]);
    done();
  });
  const asked = (judgement: IdentityPair['judgement'], primary = false) => (
    <Popconfirm title={words.sure[judgement]} onConfirm={() => judge(judgement)}>
      <Button type={primary ? 'primary' : 'default'} loading={busy}>{words.say[judgement]}</Button>
    </Popconfirm>
  );
  return (
    <article className="pair" aria-label={words.pair(pair.number)}>
      <header>
        <strong>{words.pair(pair.number)}</strong> <span>{dateTime(pair.at)}</span>
        {pair.judgement !== 'open' && <Tag color="blue">{words.judged[pair.judgement]}</Tag>}
        {pair.merged && <Tag color="orange">{words.merged}</Tag>}
      </header>
      <Table<Compared> size="small" rowKey="what" columns={COLUMNS} dataSource={rows(pair)} pagination={false} tableLayout="fixed" />
      {error && <Alert className="failed" type="error" showIcon title={error} />}
      <footer>{pair.judgement === 'open' ? <>{asked('one', true)}{asked('two')}</> : asked('open')}</footer>
    </article>
  );
}

const COLORS: Record<Agreement, string> = { same: 'green', near: 'gold', other: 'red', unknown: 'default' };

const COLUMNS: TableColumnsType<Compared> = [
  { title: words.columns.what, dataIndex: 'what', width: '19%' },
  { title: words.columns.one, render: (_, { of: [one] }) => one },
  { title: words.columns.other, render: (_, { of: [, other] }) => other },
  { title: words.columns.agreement, width: '19%', render: (_, { agreement }) => agreement && <Tag color={COLORS[agreement]}>{words.agreement[agreement]}</Tag> },
];

function rows({ patients: [one, other], agreement }: IdentityPair): Compared[] {
  const row = (what: string, of: (patient: Patient) => React.ReactNode, agrees: Agreement | null = null): Compared =>
    ({ what, agreement: agrees, of: [of(one), of(other)] });
  const numbers = (patient: Patient) => patient.identifiers.map((id) => <div key={`${id.kind} ${id.masked}`}>{S.identifier[id.kind]} <span className="code">{id.masked}</span></div>);
  return [
    row(words.rows.name, (patient) => <a className="name" href={to(['patients', patient.subject])}>{named(patient.name)}</a>, agreement.name),
    row(words.rows.birth, (patient) => (patient.birthDate ? `${date(patient.birthDate)}（${age(patient.birthDate)}）` : words.unsaid), agreement.birthDate),
    row(words.rows.sex, (patient) => S.sex[patient.sex], agreement.sex),
    row(words.rows.numbers, numbers, agreement.number),
    row(words.rows.phone, (patient) => patient.phone ?? words.unsaid, agreement.phone),
    row(words.rows.address, (patient) => patient.address ?? words.unsaid),
    row(words.rows.visit, (patient) => (patient.lastVisit ? date(patient.lastVisit) : words.unsaid)),
  ];
}
