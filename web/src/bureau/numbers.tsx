/** The numbers of everything shown, each with its definition beside it. */

import { CloseCircleOutlined, InfoCircleOutlined } from '@ant-design/icons';
import { Button, Popover } from 'antd';
import type { Volume, VolumeRow } from '../api/types';
import { count, nameOf, size } from '../shared/format';
import { deniedShare, exchanged, sum } from './figures';
import { T } from './texts';

const words = T.volume;

type Definition = Volume['definitions'][number];
/** A number, and the name of its definition in the answer. */
type Name = keyof typeof words.numbers;

export function Numbers({ rows, definitions }: { rows: VolumeRow[]; definitions: Definition[] }) {
  const share = deniedShare(rows);
  const of = (outcome: string) => sum(rows.filter((row) => row.outcome === outcome), 'events');
  const denied = of('denied');
  const arrived = exchanged(rows);
  const shown: [Name, string, string?][] = [
    ['exchangedDocuments', count(sum(arrived, 'documents'))],
    ['exchangedBytes', size(sum(arrived, 'bytes'))],
    ['events', count(sum(rows, 'events'))],
    ['publication', count(sum(rows.filter(({ act }) => act === 'publication'), 'events'))],
    ['denied', count(denied), share === null ? '' : words.deniedShare(`${(share * 100).toFixed(1)}%`)],
    ['failed', count(of('failed'))],
  ];
  return (
    <dl className="numbers">
      {shown.map(([name, value, more]) => (
        <div key={name} className={name === 'denied' && denied > 0 ? 'number denied' : 'number'}>
          <dt>{words.numbers[name]}<Definition of={definitions.find((one) => one.name === name)} label={words.numbers[name]} /></dt>
          <dd>{name === 'denied' && denied > 0 && <CloseCircleOutlined aria-label={words.denials} />}{value}{more && <small>{more}</small>}</dd>
        </div>
      ))}
    </dl>
  );
}

function Definition({ of, label }: { of: Definition | undefined; label: string }) {
  if (of === undefined) return null;
  return (
    <Popover trigger={['hover', 'focus', 'click']} content={<div className="definition">{of.zh}</div>}>
      <Button type="text" size="small" icon={<InfoCircleOutlined aria-hidden />} aria-label={words.definition(label)} />
    </Popover>
  );
}

/** All definitions, as they stand under a printed page. */
export function Definitions({ of }: { of: Definition[] }) {
  if (of.length === 0) return null;
  return (
    <section className="definitions">
      <h2>{words.definitions}</h2>
      <dl>{of.map((one) => <div key={one.name}><dt>{nameOf({ ...words.columns, ...words.numbers, ...words.otherDefinitions }, one.name)}</dt><dd>{one.zh}</dd></div>)}</dl>
    </section>
  );
}
