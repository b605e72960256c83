/** The rows of a volume, summed over the span. */

import { CheckOutlined, CloseOutlined, WarningOutlined } from '@ant-design/icons';
import { Table, type TableColumnsType } from 'antd';
import { count, nameOf, size } from '../shared/format';
import { T as S } from '../shared/texts';
import type { Measure, TableRow } from './figures';
import { T } from './texts';

const words = T.volume;
const PAGE = 20;

interface Props {
  rows: TableRow[];
  nameOfMember: (code: string | null) => string;
}

export function VolumeTable({ rows, nameOfMember }: Props) {
  return (
    <section className="card">
      <h2>{words.rows}</h2>
      <Table<TableRow> size="small" columns={columns(nameOfMember)} dataSource={rows} scroll={{ x: 'max-content' }}
        rowClassName={(row) => (row.outcome === 'denied' ? 'denied-row' : '')}
        pagination={{ pageSize: PAGE, hideOnSinglePage: true, showSizeChanger: false, showTotal: (n) => words.total(count(n)) }} />
    </section>
  );
}

function columns(nameOfMember: Props['nameOfMember']): TableColumnsType<TableRow> {
  const heads = words.columns;
  const number = (key: Measure) => ({
    title: heads[key], align: 'right' as const, sorter: (a: TableRow, b: TableRow) => a[key] - b[key],
    render: (_: unknown, row: TableRow) => (key === 'bytes' ? size(row.bytes) : count(row[key])), className: 'code',
  });
  return [
    { title: heads.organisation, render: (_, row) => nameOfMember(row.organisation) },
    { title: heads.counterpart, render: (_, row) => nameOfMember(row.counterpart) },
    { title: heads.act, render: (_, row) => nameOf(S.act, row.act) },
    { title: heads.outcome, render: (_, row) => <Outcome of={row.outcome} /> },
    { title: heads.purpose, render: (_, row) => (row.purpose === null ? S.none : nameOf(S.purpose, row.purpose)) },
    { title: heads.class, render: (_, row) => (row.class === null ? S.none : nameOf(S.class, row.class)) },
    number('events'), number('documents'), number('bytes'),
  ];
}

function Outcome({ of }: { of: TableRow['outcome'] }) {
  const sign = { permitted: <CheckOutlined aria-hidden />, denied: <CloseOutlined aria-hidden />, failed: <WarningOutlined aria-hidden /> }[of];
  return <span className={`outcome ${of}`}>{sign} {S.outcome[of]}</span>;
}
