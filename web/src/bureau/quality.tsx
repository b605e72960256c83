/** How good what the hospitals' systems send is, by hospital and day, as each hospital tells it. Never a patient. */

import { Table, Tag, type TableColumnsType } from 'antd';
import { bureau } from '../api/calls';
import type { Member, MemberQuality } from '../api/types';
import { count } from '../shared/format';
import { useEvery, useLoad } from '../shared/load';
import { ASPECTS, scoreColor, scoreText } from '../shared/quality';
import { Shown } from '../shared/states';
import { T } from './texts';

const words = T.quality;
const heads = words.columns;
const REFRESH_MS = 60_000;
type Day = MemberQuality['days'][number];
type System = Day['systems'][number];

export function Quality() {
  const members = useLoad('members', bureau.members);
  const found = useLoad('quality', bureau.quality);
  useEvery(REFRESH_MS, true, found.reload);
  return (
    <Shown of={members}>
      {(list) => (
        <Shown of={found}>
          {(quality) => (
            <>
              <header className="view-head"><h1>{words.title}</h1></header>
              <section className="card">
                <p className="quiet">{words.help}</p>
                {quality.members.length === 0 ? <p>{words.empty}</p> : <Rows of={worstFirst(quality.members)} members={list} />}
              </section>
            </>
          )}
        </Shown>
      )}
    </Shown>
  );
}

/** By the newest day. */
function worstFirst(of: MemberQuality[]): MemberQuality[] {
  const score = ({ days }: MemberQuality) => days[0]?.score ?? Number.POSITIVE_INFINITY;
  return [...of].sort((one, other) => score(one) - score(other));
}

function Rows({ of, members }: { of: MemberQuality[]; members: Member[] }) {
  const columns: TableColumnsType<MemberQuality> = [
    { title: heads.member, render: (_, { member }) => <b>{members.find(({ code }) => code === member)?.name ?? member}</b> },
    { title: heads.date, render: (_, { days }) => days[0]?.date },
    ...figures<MemberQuality>(({ days }) => days[0]),
  ];
  return (
    <Table<MemberQuality> size="small" rowKey="member" columns={columns} dataSource={of} pagination={{ pageSize: 50, hideOnSinglePage: true }} scroll={{ x: 'max-content' }}
      expandable={{ expandedRowRender: ({ days }) => <Days of={days} /> }} />
  );
}

function Days({ of }: { of: Day[] }) {
  const columns: TableColumnsType<Day> = [{ title: heads.date, dataIndex: 'date' }, ...figures<Day>((day) => day)];
  return <Table<Day> size="small" rowKey="date" columns={columns} dataSource={of} pagination={false} expandable={{ expandedRowRender: ({ systems }) => <Systems of={systems} /> }} />;
}

function Systems({ of }: { of: System[] }) {
  const columns: TableColumnsType<System> = [
    { title: heads.system, render: (_, { system }) => <span className="code">{system}</span> },
    ...figures<System>((system) => system),
  ];
  return <Table<System> size="small" rowKey="system" columns={columns} dataSource={of} pagination={false} />;
}

function figures<T>(from: (row: T) => Omit<System, 'system'> | undefined): TableColumnsType<T> {
  return [
    { title: heads.checks, align: 'right', render: (_, row) => count(from(row)?.checks ?? 0) },
    { title: heads.score, align: 'right', render: (_, row) => { const score = from(row)?.score ?? null; return <Tag color={scoreColor(score)}>{scoreText(score)}</Tag>; } },
    ...ASPECTS.map((aspect) => ({ title: words.aspect[aspect], align: 'right' as const, render: (_: unknown, row: T) => scoreText(from(row)?.aspects[aspect] ?? null) })),
  ];
}
