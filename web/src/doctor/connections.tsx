/** What the systems of this hospital send, how it ended, and what was last wrong: for the hospital's IT. */

import { Button, Table, Tag, type TableColumnsType } from 'antd';
import { connections } from '../api/calls';
import type { ConnectionRow } from '../api/types';
import { count, dateTime } from '../shared/format';
import { useEvery, useLoad } from '../shared/load';
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
        {({ items }) => (items.length === 0 ? <Nothing title={words.empty} help={words.emptyHelp} /> : <Rows items={items} />)}
      </Shown>
      <p className="quiet">{words.review}</p>
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
