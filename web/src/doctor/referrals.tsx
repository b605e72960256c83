/** The two boxes of referrals: received and sent. */

import { CloudUploadOutlined } from '@ant-design/icons';
import { Button, Segmented, Table, Tag, Tooltip, type TableColumnsType } from 'antd';
import { useState } from 'react';
import { referrals } from '../api/calls';
import type { ReferralRow, ReferralState } from '../api/types';
import { age, dateTime } from '../shared/format';
import { useEvery, usePages } from '../shared/load';
import { go, to } from '../shared/route';
import { Nothing, ShownPages } from '../shared/states';
import { T as S } from '../shared/texts';
import { Department } from './region';
import { T } from './texts';

const words = T.referrals;
const REFRESH_MS = 5_000;
const ENDED: ReadonlySet<ReferralState> = new Set(['declined', 'redirected', 'closed', 'cancelled', 'expired']);

type Which = 'open' | 'done' | 'all';

export function Referrals({ box }: { box: 'inbox' | 'sent' }) {
  const list = usePages(`referrals ${box}`, (after, signal) => referrals.list(box, after, signal));
  const [which, setWhich] = useState<Which>('open');
  useEvery(REFRESH_MS, list.items.length < 100, list.reload);
  const shown = (row: ReferralRow) => which === 'all' || ENDED.has(row.state) === (which === 'done');
  const empty = box === 'inbox' ? <Nothing title={words.inboxEmpty} help={words.inboxEmptyHelp} />
    : <Nothing title={words.sentEmpty} help={words.sentEmptyHelp}><Button href={to(['patients'])}>{T.nav.mine}</Button></Nothing>;
  return (
    <section className="view">
      <header className="view-head">
        <h1>{words[box]}</h1>
        <Segmented<Which> value={which} onChange={setWhich} options={[{ value: 'open', label: words.open }, { value: 'done', label: words.done }, { value: 'all', label: words.all }]} />
        <Button onClick={list.reload}>{S.refresh}</Button>
      </header>
      <ShownPages of={list} empty={empty}>
        {(items) => (
          <Table<ReferralRow> size="small" rowKey={(row) => row.member + row.id} columns={COLUMNS} dataSource={items.filter(shown)} pagination={false}
            scroll={{ x: 'max-content' }} locale={{ emptyText: words.noMatch }} rowClassName="link-row" onRow={(row) => ({ onClick: () => go(placeOf(row)) })} />
        )}
      </ShownPages>
    </section>
  );
}

const placeOf = (row: ReferralRow) => ['referrals', row.member, row.id];

const heads = words.columns;

const COLUMNS: TableColumnsType<ReferralRow> = [
  { title: heads.patient, render: (_, row) => <><a className="name" href={to(placeOf(row))}>{row.patientName}</a> {S.sex[row.sex]} {age(row.birthDate)}</> },
  { title: heads.urgency, render: (_, row) => <Urgency of={row.urgency} /> },
  { title: heads.state, render: (_, row) => <><State of={row.state} /><Undelivered row={row} /></> },
  { title: heads.other, render: (_, row) => row.other.name },
  { title: heads.department, render: (_, row) => <Destination of={row} /> },
  { title: heads.physician, dataIndex: 'physician' },
  { title: heads.changed, render: (_, row) => dateTime(row.changed), className: 'code' },
];

/** Where the patient goes: the department that the form names, or else whom the receiving hospital chooses. */
export function Destination({ of: { side, other, toDepartment, assigned } }: { of: ReferralRow }) {
  if (toDepartment !== '') return side === 'receiving' ? <Department of={toDepartment} /> : <Department of={toDepartment} at={other.code} />;
  if (side === 'referring') return T.referral.theirChoice;
  return assigned === null ? T.referral.unassigned : T.referral.toDoctor(assigned.name);
}

export function Urgency({ of }: { of: ReferralRow['urgency'] }) {
  const color = { routine: 'default', urgent: 'warning', emergency: 'error' }[of];
  return <Tag color={color}>{T.urgency[of]}</Tag>;
}

export function State({ of }: { of: ReferralState }) {
  const color = ENDED.has(of) ? 'default' : of === 'draft' ? 'default' : of === 'answered' ? 'success' : 'processing';
  return <Tag color={color}>{T.state[of]}</Tag>;
}

export function Undelivered({ row }: { row: ReferralRow }) {
  if (row.delivered || row.state === 'draft') return null;
  return <Tooltip title={words.undeliveredHelp}><Tag color="warning" icon={<CloudUploadOutlined aria-hidden />} tabIndex={0}>{words.undelivered}</Tag></Tooltip>;
}
