/** The record: one list of own and received documents by date, what it may lack, and the open document beside it. */

import { CheckCircleOutlined, CloudDownloadOutlined, InfoCircleOutlined } from '@ant-design/icons';
import { Alert, App, Button, Checkbox, Input, Select } from 'antd';
import { useMemo, useState } from 'react';
import { patients } from '../api/calls';
import type { Completeness, DocumentRow, History, Patient } from '../api/types';
import { dateTime, longDate, nameOf } from '../shared/format';
import { grouped } from '../shared/grouped';
import { useEvery, useLoad } from '../shared/load';
import { go } from '../shared/route';
import { useSubmit } from '../shared/session';
import { Nothing, Shown } from '../shared/states';
import { T as S } from '../shared/texts';
import { DocumentPane } from './document';
import { DocumentItem, sameDocument } from './document-item';
import { byDay, matches, NO_FILTER, type RecordFilter } from './record-list';
import { flows, useRegion } from './region';
import { T } from './texts';

const words = T.record;
/** How often the list is looked at again while a document is on its way, and how many times: each look is a reading of the record. */
const WANTED_MS = 5_000;
const LOOKS_MAX = 24;

export function RecordTimeline({ patient, chosen }: { patient: Patient; chosen: string[] }) {
  const { subject } = patient;
  const loaded = useLoad(`documents ${subject}`, (signal) => patients.documents(subject, signal));
  const wanted = loaded.value?.items.some((row) => row.state === 'wanted') ?? false;
  const [looks, setLooks] = useState(0);
  useEvery(WANTED_MS, wanted && looks < LOOKS_MAX, () => { setLooks(looks + 1); loaded.reload(); });
  const reload = () => { setLooks(0); loaded.reload(); };
  return (
    <Shown of={loaded} rows={10}>
      {(history) => <Timeline patient={patient} history={history} chosen={chosen} reload={reload} />}
    </Shown>
  );
}

interface TimelineProps {
  patient: Patient;
  history: History;
  chosen: string[];
  reload: () => void;
}

function Timeline({ patient, history, chosen: [holder, entry], reload }: TimelineProps) {
  const [filter, setFilter] = useState(NO_FILTER);
  const [error, busy, run] = useSubmit();
  const { message } = App.useApp();
  const fetch = (rows?: DocumentRow[]) => run(async () => {
    const emergency = patient.emergencyUntil !== null;
    await patients.fetch(patient.subject, { emergency, ...(rows && { entries: rows.map(({ holder, entry }) => ({ holder, entry })) }) });
    message.success(words.started);
    reload();
  });
  const open = holder === undefined || entry === undefined ? null : { holder, entry };
  const close = () => go(['patients', patient.subject, 'record']);
  return (
    <div className={open ? 'split' : undefined}>
      <div className="split-list">
        <CompletenessLabel of={history.completeness} />
        {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
        <Filters history={history} filter={filter} set={setFilter} search={() => fetch()} busy={busy} patient={patient} />
        <List patient={patient} rows={history.items} filter={filter} clear={() => setFilter(NO_FILTER)} open={open} get={(row) => fetch([row])} />
      </div>
      {open && <DocumentPane key={open.holder + open.entry} of={open} row={history.items.find((row) => sameDocument(row, open)) ?? null}
        opened={reload} get={(row) => fetch([row])} close={close} />}
    </div>
  );
}

/** Says what the list is and what it may lack; it is always there. */
export function CompletenessLabel({ of }: { of: Completeness }) {
  const { me, members } = useRegion();
  const name = (code: string) => members.find((member) => member.code === code)?.name ?? code;
  const names = (codes: string[]) => codes.map(name).join('、');
  const consented = of.kind === 'consented';
  return (
    <div className={`completeness ${of.kind}`} role="note" aria-label={words.complete}>
      <p>
        {consented ? <CheckCircleOutlined aria-hidden /> : <InfoCircleOutlined aria-hidden />}{' '}
        {!consented && <b>{of.members.some((code) => code !== me.code) ? words.mayLack : words.localOnly}：</b>}{of.text}
      </p>
      <p className="quiet">
        {words.asOf(dateTime(of.asOf))}（{S.zone}）{of.members.length > 0 && <>　{words.members(names(of.members))}</>}
      </p>
      {of.unreachable.length > 0 && <p className="warn"><InfoCircleOutlined aria-hidden /> {words.unreachable(names(of.unreachable))}</p>}
    </div>
  );
}

interface FiltersProps {
  history: History;
  filter: RecordFilter;
  set: (filter: RecordFilter) => void;
  search: () => void;
  busy: boolean;
  patient: Patient;
}

function Filters({ history, filter, set, search, busy, patient }: FiltersProps) {
  const region = useRegion();
  const hospitals = useMemo(() => optionsOf(history.items, (row) => [row.holder, row.holderName]), [history]);
  const classes = useMemo(() => optionsOf(history.items, (row) => [row.class, nameOf(S.class, row.class)]), [history]);
  return (
    <div className="filters">
      <Select aria-label={words.hospital} allowClear placeholder={words.hospital} options={hospitals} value={filter.holder}
        onChange={(holder?: string) => set({ ...filter, holder: holder ?? null })} />
      <Select aria-label={words.class} allowClear placeholder={words.class} options={classes} value={filter.class}
        onChange={(value?: string) => set({ ...filter, class: value ?? null })} />
      <Input aria-label={words.title} allowClear placeholder={words.title} maxLength={32} value={filter.title}
        onChange={(event) => set({ ...filter, title: event.target.value })} />
      <Checkbox checked={filter.replaced} onChange={(event) => set({ ...filter, replaced: event.target.checked })}>{words.replaced}</Checkbox>
      <Button className="to-end" icon={<CloudDownloadOutlined aria-hidden />} loading={busy} danger={patient.emergencyUntil !== null} disabled={!patient.findable || !flows(region)} onClick={search}>
        {busy ? words.searching : patient.emergencyUntil !== null ? T.emergency.search : words.search}
      </Button>
    </div>
  );
}

/** The distinct values of rows as options, with how many there are of each. */
function optionsOf(rows: DocumentRow[], pick: (row: DocumentRow) => [string, string]) {
  return [...grouped(rows.map(pick), ([value]) => value)].map(([value, same]) => ({ value, label: `${same[0]?.[1]} ${same.length}` }));
}

interface ListProps {
  patient: Patient;
  rows: DocumentRow[];
  filter: RecordFilter;
  clear: () => void;
  open: { holder: string; entry: string } | null;
  get: (row: DocumentRow) => void;
}

function List({ patient, rows, filter, clear, open, get }: ListProps) {
  const shown = rows.filter((row) => matches(row, filter));
  if (rows.length === 0) return <Nothing title={words.none} help={words.noneHelp} />;
  if (shown.length === 0) return <Nothing title={words.noMatch}><Button onClick={clear}>{words.clear}</Button></Nothing>;
  return (
    <div className="timeline" onKeyDown={moveWithArrows}>
      {byDay(shown).map(([day, documents]) => (
        <section key={day ?? ''}>
          <h2><span>{day === null ? words.undated : longDate(day)}</span><small>{words.count(documents.length)}</small></h2>
          <div role="list" aria-label={day ?? words.undated}>
            {documents.map((row) => (
              <DocumentItem key={row.holder + row.entry} row={row} chosen={open !== null && sameDocument(row, open)} get={get}
                href={['patients', patient.subject, 'record', row.holder, row.entry]} />
            ))}
          </div>
        </section>
      ))}
      <p className="quiet hint">{words.hint}</p>
    </div>
  );
}

/** Arrow keys go from document to document; Tab goes through their buttons too. */
function moveWithArrows(event: React.KeyboardEvent<HTMLElement>) {
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
  if (step === 0) return;
  const links = [...event.currentTarget.querySelectorAll<HTMLElement>('a.document-link')];
  const at = links.indexOf(document.activeElement as HTMLElement);
  if (at === -1) return;
  event.preventDefault();
  links[at + step]?.focus();
}
