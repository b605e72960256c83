/** What the systems of this hospital send, how it ended, which of them are told, and what was last wrong: for the hospital's IT. */

import { Alert, App, Button, Table, Tag, type TableColumnsType } from 'antd';
import { connections, tellAgain } from '../api/calls';
import type { ConnectionRow, OutRow, RefusedEvent, ViewRow } from '../api/types';
import { count, dateTime } from '../shared/format';
import { useEvery, useLoad } from '../shared/load';
import { useSubmit } from '../shared/session';
import { Nothing, Shown } from '../shared/states';
import { T as S } from '../shared/texts';
import { T } from './texts';

const words = T.connections;
const REFRESH_MS = 10_000;

export function Connections() {
  const list = useLoad('connections', connections);
  useEvery(REFRESH_MS, true, list.reload);
  return (
    <section className="view">
      <header className="view-head"><h1>{words.title}</h1><Button onClick={list.reload}>{S.refresh}</Button></header>
      <p className="quiet">{words.help}</p>
      <Shown of={list}>
        {({ items, out, views }) => (
          <>
            {items.length === 0 ? <Nothing title={words.empty} help={words.emptyHelp} /> : <Rows items={items} />}
            <p className="quiet">{words.review}</p>
            {views.length > 0 && <Views rows={views} />}
            {out.length > 0 && <Out rows={out} changed={list.reload} />}
          </>
        )}
      </Shown>
    </section>
  );
}

function Rows({ items }: { items: ConnectionRow[] }) {
  return (
    <Table<ConnectionRow> size="small" rowKey={({ system, door, sender }) => `${system} ${door} ${sender}`} columns={COLUMNS}
      dataSource={items} pagination={{ pageSize: 50, hideOnSinglePage: true }} scroll={{ x: 'max-content' }} />
  );
}

type Counted = 'came' | 'indexed' | 'applied' | 'answered' | 'review' | 'refused' | 'repeated';

const figure = (key: Counted) => ({ title: words.columns[key], dataIndex: key, align: 'right' as const, render: (value: number) => count(value) });

const COLUMNS: TableColumnsType<ConnectionRow> = [
  { title: words.columns.system, render: (_, { system }) => (system === '' ? words.others : <span className="code">{system}</span>) },
  { title: words.columns.door, render: (_, { door }) => words.door[door] },
  { title: words.columns.sender, render: (_, { sender }) => (sender === '' ? words.none : <span className="code">{sender}</span>) },
  figure('came'), figure('indexed'), figure('applied'), figure('answered'), figure('review'), figure('refused'), figure('repeated'),
  { title: words.columns.last, render: (_, { last }) => dateTime(last) },
  { title: words.columns.wrong, render: (_, { wrong }) => (wrong === null ? <Tag>{words.fine}</Tag> : <>{dateTime(wrong.at)}<div>{wrong.what}</div></>) },
];

function Views({ rows }: { rows: ViewRow[] }) {
  return (
    <>
      <h2>{words.views.title}</h2>
      <p className="quiet">{words.views.help}</p>
      <Table<ViewRow> size="small" rowKey="name" columns={VIEW_COLUMNS} dataSource={rows} pagination={false} scroll={{ x: 'max-content' }} />
    </>
  );
}

function Out({ rows, changed }: { rows: OutRow[]; changed: () => void }) {
  return (
    <>
      <h2>{words.out.title}</h2>
      <p className="quiet">{words.out.help}</p>
      <Table<OutRow> size="small" rowKey="name" columns={OUT_COLUMNS} dataSource={rows} pagination={false} scroll={{ x: 'max-content' }}
        expandable={{ rowExpandable: ({ refused }) => refused.length > 0, expandedRowRender: (row) => <Refused of={row} changed={changed} /> }} />
    </>
  );
}

/** What a system refused, to be told once more. */
function Refused({ of, changed }: { of: OutRow; changed: () => void }) {
  const { message } = App.useApp();
  const [error, busy, run] = useSubmit();
  const again = (number?: number) => run(async () => {
    await tellAgain(of.name, number);
    message.success(words.out.told);
    changed();
  });
  const columns: TableColumnsType<RefusedEvent> = [
    { title: words.out.refused.number, dataIndex: 'number' },
    { title: words.out.refused.at, render: (_, { at }) => dateTime(at) },
    { title: words.out.refused.why, dataIndex: 'why' },
    { key: 'again', render: (_, { number }) => <Button size="small" disabled={busy} aria-label={words.out.againOf(number)} onClick={() => again(number)}>{words.out.again}</Button> },
  ];
  return (
    <>
      <p className="quiet">{words.out.mended} <Button size="small" disabled={busy} onClick={() => again()}>{words.out.againAll}</Button></p>
      {error && <Alert role="alert" type="error" showIcon title={error} />}
      <Table<RefusedEvent> size="small" rowKey="number" columns={columns} dataSource={of.refused} pagination={false} />
    </>
  );
}

const outFigure = (key: 'taken' | 'waiting' | 'aside' | 'missed') => (
  { title: words.out.columns[key], dataIndex: key, align: 'right' as const, render: (value: number) => count(value) }
);

const said = (wrong: OutRow['wrong'], none: string) => (wrong === null ? <Tag>{none}</Tag> : <>{dateTime(wrong.at)}<div>{wrong.what}</div></>);

const OUT_COLUMNS: TableColumnsType<OutRow> = [
  { title: words.out.columns.name, render: (_, { name }) => <span className="code">{name}</span> },
  { title: words.out.columns.kind, render: (_, { kind }) => words.out.kind[kind] },
  outFigure('taken'), outFigure('waiting'), outFigure('aside'), outFigure('missed'),
  { title: words.out.columns.last, render: (_, { last }) => dateTime(last) },
  { title: words.out.columns.trouble, render: (_, { trouble }) => said(trouble, words.fine) },
  { title: words.out.columns.wrong, render: (_, { wrong }) => said(wrong, words.fine) },
];

const VIEW_COLUMNS: TableColumnsType<ViewRow> = [
  { title: words.views.columns.name, render: (_, { name }) => <span className="code">{name}</span> },
  { title: words.views.columns.system, render: (_, { system }) => <span className="code">{system}</span> },
  { title: words.views.columns.read, render: (_, { read }) => read ?? words.none },
  { title: words.views.columns.last, render: (_, { last }) => dateTime(last) },
  { title: words.views.columns.looked, render: (_, { looked }) => dateTime(looked) },
  { title: words.views.columns.trouble, render: (_, { trouble }) => said(trouble, words.fine) },
];
