/** How the registry is: its log, its term, its last checkpoint, and who is connected. */

import { Alert, Table, Tag, type TableColumnsType } from 'antd';
import { bureau } from '../api/calls';
import type { Member, QuotaAlarm, RegistryAlarm, RegistryStatus, Single } from '../api/types';
import { ago, count, dateTime } from '../shared/format';
import { useEvery, useLoad } from '../shared/load';
import { Shown } from '../shared/states';
import { T } from './texts';

const words = T.status;
const REFRESH_MS = 10_000;
const STALE_MS = 3_600_000;

export function Status() {
  const status = useLoad('status', bureau.status);
  const members = useLoad('members', bureau.members);
  useEvery(REFRESH_MS, true, status.reload);
  return (
    <>
      <header className="view-head"><h1>{words.title}</h1></header>
      <Shown of={status}>{(now) => <Facts status={now} members={members.value ?? []} />}</Shown>
    </>
  );
}

function Facts({ status: { words: logged, term, checkpointAt, connected, singles, quotas, alarms }, members }: { status: RegistryStatus; members: Member[] }) {
  const stale = checkpointAt !== null && Date.now() - Date.parse(checkpointAt) > STALE_MS;
  const nameOf = (code: string) => members.find((member) => member.code === code)?.name ?? code;
  return (
    <>
      <Alarms of={alarms ?? []} nameOf={nameOf} />
      {stale && <Alert className="failed" type="warning" showIcon title={words.stale} />}
      <dl className="numbers">
        <Fact name={words.words} value={count(logged)} help={words.wordsHelp} />
        <Fact name={words.term} value={count(term)} help={words.termHelp} />
        <Fact name={words.checkpoint} value={checkpointAt === null ? words.never : ago(checkpointAt)} help={checkpointAt === null ? words.checkpointHelp : `${dateTime(checkpointAt)}　${words.checkpointHelp}`} />
      </dl>
      <section className="card">
        <h2>{words.connected}（{connected.length}）</h2>
        {connected.length === 0 ? <p className="warn">{words.noneConnected}</p> : <div className="tags">{connected.map((code) => <Tag key={code} color="success">{nameOf(code)}</Tag>)}</div>}
      </section>
      <Singles of={singles ?? { count: 0, shown: [] }} nameOf={nameOf} />
      <Quotas of={quotas ?? []} nameOf={nameOf} />
    </>
  );
}

/** What members found that the registry has signed and that cannot be, with both of what contradicts each other. */
function Alarms({ of, nameOf }: { of: RegistryAlarm[]; nameOf: (code: string) => string }) {
  return of.map((alarm, at) => (
    <Alert key={at} className="failed" type={alarm.kind === 'checkpoints' && !alarm.contradicts ? 'warning' : 'error'} showIcon
      title={alarm.kind === 'omission' ? words.alarms.omission : alarm.contradicts ? words.alarms.checkpoints : words.alarms.unconfirmed}
      description={(
        <>
          <p>{words.alarms.told(nameOf(alarm.member), dateTime(alarm.at))}</p>
          {alarm.kind === 'omission'
            ? <p>{words.alarms.leftOut(nameOf(alarm.publisher), nameOf(alarm.reader), count(alarm.place), count(alarm.words))}</p>
            : alarm.notes.map(({ note, isOfThisLog }) => <section key={note}><p>{isOfThisLog ? words.alarms.here : words.alarms.elsewhere}</p><pre>{note}</pre></section>)}
        </>
      )} />
  ));
}

/** What one side of an exchange has told and the other has not. */
function Singles({ of: { count: all, shown }, nameOf }: { of: NonNullable<RegistryStatus['singles']>; nameOf: (code: string) => string }) {
  const heads = words.singleColumns;
  const columns: TableColumnsType<Single> = [
    { title: heads.at, render: (_, { at }) => dateTime(at) },
    { title: heads.kind, render: (_, { withoutRelease }) => <Tag color="warning">{withoutRelease ? words.singleKinds.delivery : words.singleKinds.release}</Tag> },
    { title: heads.holder, render: (_, { holder }) => nameOf(holder) },
    { title: heads.recipient, render: (_, { recipient }) => nameOf(recipient) },
  ];
  return (
    <section className="card">
      <h2>{words.singles}（{count(all)}）</h2>
      <p className="quiet">{words.singlesHelp}</p>
      {all === 0 ? <p>{words.noSingles}</p> : (
        <>
          {all > shown.length && <p className="warn">{words.moreSingles(shown.length, all)}</p>}
          <Table<Single> size="small" rowKey={(one) => `${one.at}-${one.holder}-${one.recipient}`} columns={columns} dataSource={shown} pagination={{ pageSize: 20, hideOnSinglePage: true }} scroll={{ x: 'max-content' }} />
        </>
      )}
    </section>
  );
}

/** Members that have nearly or wholly used up what a day allows, or ask for far more than before. */
function Quotas({ of: alarms, nameOf }: { of: QuotaAlarm[]; nameOf: (code: string) => string }) {
  const heads = words.quotaColumns;
  const columns: TableColumnsType<QuotaAlarm> = [
    { title: heads.member, render: (_, { member }) => nameOf(member) },
    { title: heads.kind, render: (_, { alarm }) => <Tag color={alarm === 'used-up' ? 'error' : 'warning'}>{words.quotaKinds[alarm]}</Tag> },
    { title: heads.used, render: (_, { used, allowed }) => `${count(used)} / ${count(allowed)}` },
    { title: heads.backfill, render: (_, { backfill, backfillAllowed }) => `${count(backfill)} / ${count(backfillAllowed)}` },
  ];
  return (
    <section className="card">
      <h2>{words.quotas}（{count(alarms.length)}）</h2>
      <p className="quiet">{words.quotasHelp}</p>
      {alarms.length === 0 ? <p>{words.noQuotas}</p> : (
        <Table<QuotaAlarm> size="small" rowKey="member" columns={columns} dataSource={alarms} pagination={{ pageSize: 20, hideOnSinglePage: true }} scroll={{ x: 'max-content' }} />
      )}
    </section>
  );
}

function Fact({ name, value, help }: { name: string; value: string; help: string }) {
  return <div className="number"><dt>{name}</dt><dd>{value}</dd><p className="quiet">{help}</p></div>;
}
