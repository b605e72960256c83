/** Laboratory results over time: the items, the chart of one, and its figures. Loaded when the tab is opened. */

import { Input, Table, type TableColumnsType } from 'antd';
import { useCallback, useMemo, useState } from 'react';
import { patients } from '../api/calls';
import type { History, Lab, LabPoint } from '../api/types';
import Chart from '../shared/chart';
import { date, dateTime } from '../shared/format';
import { useLoad } from '../shared/load';
import { to } from '../shared/route';
import { Nothing, Shown } from '../shared/states';
import { T as S } from '../shared/texts';
import { conversionOf, trendOf } from './labs-trend';
import { CompletenessLabel } from './record';
import { useRegion } from './region';
import { T } from './texts';

const words = T.labs;

export default function Labs({ subject }: { subject: string }) {
  const loaded = useLoad(`documents ${subject}`, (signal) => patients.documents(subject, signal));
  return <Shown of={loaded}>{(history) => <Trends subject={subject} history={history} />}</Shown>;
}

function Trends({ subject, history }: { subject: string; history: History }) {
  const [code, setCode] = useState<string | null>(null);
  const chosen = history.labs.find((lab) => lab.code === code) ?? history.labs[0];
  if (chosen === undefined) return <><CompletenessLabel of={history.completeness} /><Nothing title={words.empty} help={words.emptyHelp} /></>;
  return (
    <>
      <CompletenessLabel of={history.completeness} />
      <div className="labs">
        <Items labs={history.labs} chosen={chosen} choose={setCode} />
        <Trend subject={subject} lab={chosen} />
      </div>
    </>
  );
}

function useMemberName() {
  const { members } = useRegion();
  return useCallback((holder: string) => members.find((member) => member.code === holder)?.name ?? holder, [members]);
}

function Items({ labs, chosen, choose }: { labs: Lab[]; chosen: Lab; choose: (code: string) => void }) {
  const [filter, setFilter] = useState('');
  const name = useMemberName();
  return (
    <div className="lab-list">
      <Input allowClear maxLength={32} aria-label={words.filter} placeholder={words.filter} value={filter} onChange={(event) => setFilter(event.target.value)} />
      {labs.filter((lab) => lab.name.includes(filter.trim())).map((lab) => {
        const last = lab.points.at(-1);
        return (
          <button type="button" key={lab.code} className="lab" aria-pressed={lab === chosen} onClick={() => choose(lab.code)}>
            <span>{lab.name}{lab.only !== null && `（${name(lab.only)}）`}<small>{words.times(lab.points.length)}</small></span>
            {last && <span className={last.flag}><b>{last.text}</b> <small>{lab.unit}</small><small>{date(last.at)} {words[last.flag]}</small></span>}
          </button>
        );
      })}
    </div>
  );
}

function Trend({ subject, lab }: { subject: string; lab: Lab }) {
  const name = useMemberName();
  const option = useMemo(() => trendOf(lab, name), [lab, name]);
  const columns: TableColumnsType<LabPoint> = [
    { title: words.when, render: (_, point) => dateTime(point.at) },
    { title: lab.unit === '' ? words.value : `${words.value}（${lab.unit}）`, align: 'right', render: (_, point) => <b className={point.flag}>{point.text}</b> },
    ...(lab.points.some((point) => point.reported !== null) ? [{ title: words.reported, render: (_: unknown, point: LabPoint) => <small>{conversionOf(point) || words.asReported}</small> }] : []),
    { title: words.flag, render: (_, point) => <span className={point.flag}>{words[point.flag]}</span> },
    { title: words.range, render: (_, point) => point.range || S.none },
    { title: words.source, render: (_, point) => <>{name(point.holder)}{point.recognition !== null && <small className="quiet"> {words.recognised(point.recognition)}</small>}</> },
    { title: words.report, render: (_, point) => <a href={to(['patients', subject, 'record', point.holder, point.entry])}>{words.open}</a> },
  ];
  return (
    <div className="lab-trend">
      <h2>{lab.name}<small>{lab.unit}</small></h2>
      {lab.only !== null && <p className="quiet">{words.only(name(lab.only))}</p>}
      <Chart option={option} height={300} label={words.chart(lab.name, lab.points.length)} />
      <Table<LabPoint> size="small" rowKey={(point) => point.at + point.entry} columns={columns} dataSource={[...lab.points].reverse()}
        pagination={lab.points.length > 20 ? { pageSize: 20, showSizeChanger: false } : false} scroll={{ x: 'max-content' }} />
    </div>
  );
}
