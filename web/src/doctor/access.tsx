/** Who has seen or asked: the region's access events of a patient, and this hospital's own audit. */

import { CheckOutlined, CloseOutlined, WarningOutlined } from '@ant-design/icons';
import { Segmented, Table, type TableColumnsType } from 'antd';
import { useState } from 'react';
import { patients } from '../api/calls';
import type { AccessRow, AuditRow } from '../api/types';
import { together } from '../shared/access-list';
import { dateTime, nameOf } from '../shared/format';
import { usePages } from '../shared/load';
import { Nothing, ShownPages } from '../shared/states';
import { T as S } from '../shared/texts';
import { Department } from './region';
import { T } from './texts';

const words = T.access;

export function Access({ subject }: { subject: string }) {
  const [which, setWhich] = useState<'region' | 'own'>('region');
  return (
    <>
      <div className="filters">
        <Segmented value={which} onChange={setWhich} options={[{ value: 'region', label: words.region }, { value: 'own', label: words.own }]} />
        <span className="quiet">{which === 'region' ? words.regionHelp : words.ownHelp}</span>
      </div>
      {which === 'region' ? <Region subject={subject} /> : <Own subject={subject} />}
    </>
  );
}

function Region({ subject }: { subject: string }) {
  const list = usePages(`access ${subject}`, (after, signal) => patients.access(subject, after, signal));
  return (
    <ShownPages of={list} empty={<Nothing title={words.empty} />}>
      {(items) => <Table<AccessRow> size="small" columns={REGION} dataSource={together(items).map((row, key) => ({ ...row, key }))} pagination={false} scroll={{ x: 'max-content' }} />}
    </ShownPages>
  );
}

export function Own({ subject }: { subject: string }) {
  const list = usePages(`audit ${subject}`, (after, signal) => patients.audit(subject, after, signal));
  return (
    <ShownPages of={list} empty={<Nothing title={words.empty} />}>
      {(items) => <Table<AuditRow> size="small" rowKey="number" columns={OWN} dataSource={items} pagination={false} scroll={{ x: 'max-content' }} />}
    </ShownPages>
  );
}

/** How it ended, by sign and word; colour only besides. */
export function Outcome({ of }: { of: string }) {
  const sign = of === 'permitted' ? <CheckOutlined aria-hidden /> : of === 'denied' ? <CloseOutlined aria-hidden /> : <WarningOutlined aria-hidden />;
  return <span className={`outcome ${of}`}>{sign} {nameOf(S.outcome, of)}</span>;
}

const REGION: TableColumnsType<AccessRow> = [
  { title: words.columns.at, render: (_, row) => dateTime(row.at), className: 'code' },
  { title: words.columns.who, render: (_, row) => row.organisation.name },
  { title: words.columns.what, render: (_, row) => <span className="wrap">{row.text}{row.documents > 1 && words.count(row.documents)}</span> },
  { title: words.columns.outcome, render: (_, row) => <Outcome of={row.outcome} /> },
  { title: words.columns.purpose, render: (_, row) => nameOf(S.purpose, row.purpose) },
  { title: words.columns.clause, dataIndex: 'clause', className: 'code' },
];

const OWN: TableColumnsType<AuditRow> = [
  { title: words.columns.number, dataIndex: 'number', className: 'code' },
  { title: words.columns.at, render: (_, row) => dateTime(row.at), className: 'code' },
  { title: words.columns.actor, dataIndex: 'actor' },
  { title: words.columns.role, render: (_, row) => nameOf(S.personRole, row.role) },
  { title: words.columns.department, render: (_, row) => <Department of={row.department} /> },
  { title: words.columns.what, render: (_, row) => <span className="wrap">{row.text}</span> },
  { title: words.columns.outcome, render: (_, row) => <Outcome of={row.outcome} /> },
  { title: words.columns.clause, dataIndex: 'clause', className: 'code' },
];
