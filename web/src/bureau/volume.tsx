/** How much was exchanged: a span, filters, numbers with their definitions, a chart, and a table. */

import { DownloadOutlined } from '@ant-design/icons';
import { Alert, App, Button, Checkbox, DatePicker, Segmented, Select } from 'antd';
import dayjs, { type Dayjs } from 'dayjs';
import { lazy, Suspense, useMemo, useState } from 'react';
import { bureau, type VolumeQuery } from '../api/calls';
import type { Member, Volume as VolumeData } from '../api/types';
import { beijing, dateTime, nameOf, today } from '../shared/format';
import { useEvery, useLoad } from '../shared/load';
import { useSubmit } from '../shared/session';
import { Nothing, Shown, Waiting } from '../shared/states';
import { T as S } from '../shared/texts';
import { filtered, NO_FILTER, tableOf, type Filter, type Measure } from './figures';
import { Definitions, Numbers } from './numbers';
import { T } from './texts';
import { VolumeTable } from './volume-table';

const VolumeChart = lazy(() => import('./volume-chart'));
const words = T.volume;
const REFRESH_MS = 15_000;
const HOURLY_DAYS_MAX = 31;
const MEASURES = (Object.keys(words.measure) as Measure[]).map((value) => ({ value, label: words.measure[value] }));

type Span = [Dayjs, Dayjs];

export function Volume() {
  const [span, setSpan] = useState<Span>([dayjs(today()).subtract(6, 'day'), dayjs(today())]);
  const [by, setBy] = useState<VolumeQuery['by']>('day');
  const [live, setLive] = useState(true);
  const query = queryOf(span, by);
  const members = useLoad('members', bureau.members);
  const volume = useLoad(JSON.stringify(query), (signal) => bureau.volume(query, signal));
  useEvery(REFRESH_MS, live, volume.reload);
  const { message } = App.useApp();
  const choose = (next: Span, grain: VolumeQuery['by']) => {
    const tooLong = grain === 'hour' && next[1].diff(next[0], 'day') >= HOURLY_DAYS_MAX;
    if (tooLong) message.info(words.rangeMax);
    setSpan(next);
    setBy(tooLong ? 'day' : grain);
  };
  return (
    <>
      <header className="view-head">
        <h1>{words.title}</h1>
        <DatePicker.RangePicker aria-label={words.range} allowClear={false} maxDate={dayjs(today())} value={span} presets={presets()} onChange={(next) => next?.[0] && next[1] && choose([next[0], next[1]], by)} />
        <Segmented<VolumeQuery['by']> value={by} onChange={(grain) => choose(span, grain)} options={[{ value: 'day', label: words.by.day }, { value: 'hour', label: words.by.hour }]} />
        <Checkbox checked={live} onChange={(event) => setLive(event.target.checked)}>{words.live}</Checkbox>
        <span className="push" />
        <Export query={query} />
      </header>
      <Shown of={members}>{(known) => <Shown of={volume}>{(data) => <Figures volume={data} members={known} />}</Shown>}</Shown>
    </>
  );
}

/** Whole days in Beijing, the last one included. */
const queryOf = ([first, last]: Span, by: VolumeQuery['by']): VolumeQuery =>
  ({ from: beijing(first.format('YYYY-MM-DDT00:00')), to: beijing(last.add(1, 'day').format('YYYY-MM-DDT00:00')), by });

const presets = () => Object.entries({ today: 0, week: 6, month: 29, quarter: 89 })
  .map(([key, days]) => ({ label: nameOf(words.presets, key), value: [dayjs(today()).subtract(days, 'day'), dayjs(today())] as Span }));

function Export({ query }: { query: VolumeQuery }) {
  const [error, busy, run] = useSubmit();
  const save = () => run(async () => {
    const url = URL.createObjectURL(await bureau.volumeCsv(query));
    const link = document.createElement('a');
    link.href = url;
    link.download = `yiqiao-volume-${query.from.slice(0, 10)}-${query.by}.csv`;
    link.click();
    URL.revokeObjectURL(url);
  });
  return <>{error && <span role="alert" className="bad">{error}</span>}<Button icon={<DownloadOutlined aria-hidden />} loading={busy} onClick={save}>{words.export}</Button></>;
}

function Figures({ volume, members }: { volume: VolumeData; members: Member[] }) {
  const [filter, setFilter] = useState(NO_FILTER);
  const [measure, setMeasure] = useState<Measure>('events');
  const rows = useMemo(() => filtered(volume.rows, filter), [volume, filter]);
  const table = useMemo(() => tableOf(rows), [rows]);
  const nameOfMember = (code: string | null) => (code === null ? words.allMembers : members.find((member) => member.code === code)?.name ?? code);
  return (
    <>
      <Counted volume={volume} />
      <Filters members={members} filter={filter} set={setFilter} />
      <Numbers rows={rows} definitions={volume.definitions} />
      {rows.length === 0
        ? <Nothing title={words.empty} help={words.emptyHelp}><Button onClick={() => setFilter(NO_FILTER)}>{words.clear}</Button></Nothing>
        : (
          <section className="card">
            <Segmented value={measure} onChange={setMeasure} options={MEASURES} />
            <Suspense fallback={<Waiting rows={8} />}><VolumeChart volume={volume} rows={rows} measure={measure} /></Suspense>
          </section>
        )}
      {rows.length > 0 && <VolumeTable rows={table} nameOfMember={nameOfMember} />}
      <Definitions of={volume.definitions} />
    </>
  );
}

/** Since when there are figures: without it a reader would take "no data" for "none". */
function Counted({ volume: { countedSince, from, zone } }: { volume: VolumeData }) {
  if (countedSince === null) return <Alert className="failed" type="warning" showIcon title={words.neverCounted} />;
  const partly = Date.parse(from) < Date.parse(countedSince);
  return <p className={partly ? 'warn' : 'quiet'}>{words.zone(zone)}。{words.since(dateTime(countedSince))}{partly && words.beforeSince}</p>;
}

function Filters({ members, filter, set }: { members: Member[]; filter: Filter; set: (filter: Filter) => void }) {
  const names: { [key in keyof Filter]: { [code: string]: string } } = {
    organisation: Object.fromEntries(members.map(({ code, name }) => [code, name])), act: S.act, outcome: S.outcome, purpose: S.purpose, class: S.class,
  };
  return (
    <div className="filters">
      {(Object.keys(names) as (keyof Filter)[]).map((key) => (
        <Select key={key} allowClear showSearch={{ optionFilterProp: 'label' }} aria-label={words[key]} placeholder={words[key]} value={filter[key]}
          options={Object.entries(names[key]).map(([value, label]) => ({ value, label }))} onChange={(value?: string | null) => set({ ...filter, [key]: value ?? null })} />
      ))}
      <Button type="link" disabled={filter === NO_FILTER} onClick={() => set(NO_FILTER)}>{words.clear}</Button>
    </div>
  );
}
