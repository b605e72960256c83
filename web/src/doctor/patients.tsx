/** The patients whom the signed-in person may see. */

import { Button, Input, Table, Tag, type TableColumnsType } from 'antd';
import { useState } from 'react';
import { patients } from '../api/calls';
import type { PatientRow } from '../api/types';
import { age, date, named, nameOf } from '../shared/format';
import { usePages } from '../shared/load';
import { go, to } from '../shared/route';
import { Nothing, ShownPages } from '../shared/states';
import { T as S } from '../shared/texts';
import { Department } from './region';
import { T } from './texts';

const words = T.patients;

export function Patients() {
  const list = usePages('patients', patients.mine);
  const [filter, setFilter] = useState('');
  const fits = (row: PatientRow) => named(row.name).includes(filter) || (row.department ?? '').includes(filter);
  return (
    <section className="view">
      <header className="view-head">
        <h1>{words.title}</h1>
        <Input.Search className="narrow" allowClear value={filter} onChange={(event) => setFilter(event.target.value)}
          placeholder={words.filter} aria-label={words.filter} maxLength={32} />
        <Button onClick={list.reload}>{S.refresh}</Button>
      </header>
      <ShownPages of={list} empty={<Nothing title={words.empty} help={words.emptyHelp}><Button href={to(['find'])}>{T.nav.find}</Button></Nothing>}>
        {(items) => <PatientTable rows={items.filter(fits)} none={words.noMatch} />}
      </ShownPages>
    </section>
  );
}

/** Patients as rows; a row opens its patient. */
export function PatientTable({ rows, none }: { rows: PatientRow[]; none: string }) {
  return (
    <Table<PatientRow>
      size="small" rowKey="subject" columns={COLUMNS} dataSource={rows} pagination={false} scroll={{ x: 'max-content' }}
      locale={{ emptyText: none }} rowClassName="link-row" onRow={(row) => ({ onClick: () => go(['patients', row.subject]) })}
    />
  );
}

const COLUMNS: TableColumnsType<PatientRow> = [
  { title: words.columns.name, render: (_, row) => <a className="name" href={to(['patients', row.subject])}>{named(row.name)}</a> },
  { title: words.columns.sex, render: (_, row) => S.sex[row.sex] },
  { title: words.columns.age, render: (_, row) => age(row.birthDate) },
  { title: words.columns.number, dataIndex: 'number', className: 'code' },
  { title: words.columns.visit, render: (_, row) => date(row.lastVisit) },
  { title: words.columns.department, render: (_, row) => <Department of={row.department} /> },
  { title: words.columns.ground, render: (_, row) => <Tag>{nameOf(T.ground, row.ground)}</Tag> },
];
