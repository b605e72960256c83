/** Who is a member of the region, and who is connected now. */

import { Table, Tag, Tooltip, type TableColumnsType } from 'antd';
import { bureau } from '../api/calls';
import type { EmergencyFigures, Member } from '../api/types';
import { namesOf } from '../shared/format';
import { useEvery, useLoad } from '../shared/load';
import { Shown } from '../shared/states';
import { T as S } from '../shared/texts';
import { T } from './texts';

const words = T.members;
const REFRESH_MS = 15_000;

export function Members() {
  const members = useLoad('members', bureau.members);
  const status = useLoad('status', bureau.status);
  useEvery(REFRESH_MS, true, status.reload);
  return (
    <Shown of={members}>
      {(list) => (
        <Shown of={status}>
          {({ connected }) => (
            <>
              <header className="view-head"><h1>{words.title}</h1><span className="quiet">{words.counts(connected.length, list.filter(connects).length)}</span></header>
              <section className="card">
                <Table<Member> size="small" rowKey="code" columns={columns(new Set(connected))} dataSource={list} pagination={{ pageSize: 50, hideOnSinglePage: true }} scroll={{ x: 'max-content' }} />
              </section>
              <Emergencies members={list} />
            </>
          )}
        </Shown>
      )}
    </Shown>
  );
}

type EmergencyFigure = EmergencyFigures['rows'][number];

/** How often the glass was broken, by hospital and role. */
function Emergencies({ members }: { members: Member[] }) {
  const figures = useLoad('emergencies', bureau.emergencies);
  const heads = words.emergencyColumns;
  const shown: TableColumnsType<EmergencyFigure> = [
    { title: heads.organisation, render: (_, { organisation }) => members.find(({ code }) => code === organisation)?.name ?? organisation },
    { title: heads.role, render: (_, { role }) => words.role[role] },
    { title: heads.events, align: 'right', render: (_, { events }) => events ?? words.few },
    { title: heads.openings, align: 'right', render: (_, { openings }) => openings ?? words.few },
    { title: heads.rate, align: 'right', render: (_, { events, openings }) => (events === null || openings === null ? words.noRate : (events * 100 / openings).toFixed(1)) },
  ];
  return (
    <Shown of={figures} rows={3}>
      {({ days, rows }) => (
        <section className="card">
          <h2>{words.emergencies(days)}</h2>
          <p className="quiet">{words.emergenciesHelp}</p>
          {rows.length === 0 ? <p>{words.noEmergencies}</p>
            : <Table<EmergencyFigure> size="small" rowKey={({ organisation, role }) => organisation + role} columns={shown} dataSource={rows} pagination={{ pageSize: 50, hideOnSinglePage: true }} />}
        </section>
      )}
    </Shown>
  );
}

/** The registry is whom the others connect to. */
const connects = ({ roles }: Member) => !roles.includes('registry');

function Connection({ of, connected }: { of: Member; connected: ReadonlySet<string> }) {
  if (!connects(of)) return words.itself;
  return connected.has(of.code) ? <Tag color="success">{words.connected}</Tag> : <Tag>{words.away}</Tag>;
}

function columns(connected: ReadonlySet<string>): TableColumnsType<Member> {
  const heads = words.columns;
  return [
    { title: heads.name, render: (_, member) => <b>{member.name}</b> },
    { title: heads.code, dataIndex: 'code', className: 'code' },
    { title: heads.roles, render: (_, member) => namesOf(S.memberRole, member.roles, S.none) },
    { title: heads.connection, render: (_, member) => <Connection of={member} connected={connected} /> },
    { title: heads.state, render: (_, member) => (member.suspended ? <Tooltip title={words.suspendedHelp}><Tag color="error" tabIndex={0}>{words.suspended}</Tag></Tooltip> : words.active) },
    { title: <Tooltip title={words.selfVouchedHelp}><span tabIndex={0}>{heads.selfVouched}</span></Tooltip>, align: 'right', render: (_, { selfVouched = 0 }) => (selfVouched > 0 ? <Tag color="warning">{selfVouched}</Tag> : 0) },
    { title: heads.contact, dataIndex: 'contact' },
  ];
}
