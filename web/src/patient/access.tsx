/** Who has seen the record, or tried to: one sentence for each time. */

import { CheckCircleOutlined, CloseCircleFilled, WarningFilled } from '@ant-design/icons';
import { Segmented, Select } from 'antd';
import { useState } from 'react';
import { ownAccess, ownAudit, ownCopies, ownHoldings } from '../api/calls';
import type { AccessRow, AuditRow, DoneBy, HoldingRow, Region } from '../api/types';
import { together } from '../shared/access-list';
import { date, dateTime, longDate, nameOf } from '../shared/format';
import { grouped } from '../shared/grouped';
import { useLoad, usePages } from '../shared/load';
import { Nothing, Shown, ShownPages } from '../shared/states';
import { T as S } from '../shared/texts';
import { T } from './texts';

const words = T.access;
const WHICH = (Object.keys(words.which) as (keyof typeof words.which)[]).map((value) => ({ value, label: words.which[value] }));

export function Access({ region }: { region: Region }) {
  const [which, setWhich] = useState<keyof typeof words.which>('region');
  return (
    <>
      <h1>{words.title}</h1>
      <Segmented block value={which} onChange={setWhich} options={WHICH} />
      {which === 'region' && <Between region={region} />}
      {which === 'here' && <Here region={region} />}
      {which === 'listed' && <Listed />}
      <p className="quiet">{words.question}</p>
    </>
  );
}

/** What the registry says that it lists of each hospital, and whether the hospital's receipts agree. */
function Listed() {
  const list = useLoad('my holdings', ownHoldings);
  return (
    <>
      <p className="quiet">{words.listed.help}</p>
      <Shown of={list}>
        {(rows) => (rows.length === 0 ? <Nothing title={words.listed.empty} /> : (
          <ul className="events">{rows.map((row) => <Holding key={row.holder.code} of={row} />)}</ul>
        ))}
      </Shown>
    </>
  );
}

function Holding({ of: { holder, listed, standing } }: { of: HoldingRow }) {
  const icon = standing === 'agrees' ? <CheckCircleOutlined aria-hidden /> : standing === 'omits' ? <CloseCircleFilled aria-hidden /> : <WarningFilled aria-hidden />;
  return (
    <li className={standing === 'omits' ? 'event denied' : 'event permitted'}>
      {icon}
      <div><p><b>{holder.name}</b>：{words.listed.standing[standing]}</p><p className="quiet">{words.listed.count(listed)}</p></div>
    </li>
  );
}

/** What people of this hospital did, by name. */
function Here({ region }: { region: Region }) {
  const list = usePages('my audit', ownAudit);
  return (
    <>
      <p className="quiet">{words.helpHere(region.me.name)}</p>
      <ShownPages of={list} empty={<Nothing title={words.emptyHere} />}>
        {(items) => [...grouped(items, (row) => date(row.at))].map(([day, rows]) => (
          <section key={day}>
            <h2>{longDate(day)}</h2>
            <ul className="events">{rows.map((row) => <Done key={row.number} of={row} />)}</ul>
          </section>
        ))}
      </ShownPages>
    </>
  );
}

function Done({ of }: { of: AuditRow }) {
  const done = of.outcome === 'permitted';
  return (
    <li className={`event ${of.outcome}`}>
      {done ? <CheckCircleOutlined aria-hidden /> : <CloseCircleFilled aria-hidden />}
      <div><p>{!done && <b>{nameOf(S.outcome, of.outcome)}：</b>}{of.text}</p><p className="quiet">{[dateTime(of.at).slice(11), of.actor, nameOf(S.personRole, of.role)].join(' · ')}</p></div>
    </li>
  );
}

function Between({ region }: { region: Region }) {
  const list = usePages('my access', ownAccess);
  const [denied, setDenied] = useState(false);
  const [hospital, setHospital] = useState<string | null>(null);
  const shown = (row: AccessRow) => (!denied || row.outcome === 'denied')
    && (hospital === null || row.organisation.code === hospital || row.counterpart?.code === hospital);
  return (
    <>
      <p className="quiet">{words.help}</p>
      <Answered />
      <div className="narrowing">
        <Segmented block value={denied} onChange={setDenied} options={[{ value: false, label: words.all }, { value: true, label: words.denied }]} />
        <Select allowClear aria-label={words.hospital} placeholder={words.hospital} value={hospital} onChange={(code?: string | null) => setHospital(code ?? null)}
          options={region.members.filter(({ roles }) => roles.includes('custodian')).map(({ code, name }) => ({ value: code, label: name }))} />
      </div>
      <ShownPages of={list} empty={<Nothing title={words.empty} />}>
        {(items) => <Days rows={together(items.filter(shown))} region={region} />}
      </ShownPages>
    </>
  );
}

/** What hospitals have done with their copies since they may have them no longer. */
function Answered() {
  const loaded = useLoad('my copies', ownCopies);
  const ended = (loaded.value?.items ?? []).filter(({ erased, retained, unanswered }) => erased + retained + unanswered > 0);
  if (ended.length === 0) return null;
  return (
    <article className="card answered">
      <h2>{words.answered.title}</h2>
      <ul>
        {ended.map((of) => (
          <li key={of.organisation.code}>
            {of.unanswered > 0 ? <WarningFilled className="warn" aria-hidden /> : <CheckCircleOutlined aria-hidden />}
            <div><b>{of.organisation.name}</b>　{words.answered.done(of.erased, of.retained)}{of.unanswered > 0 && <b>{words.answered.open(of.unanswered)}</b>}</div>
          </li>
        ))}
      </ul>
      <p className="quiet">{words.answered.help}</p>
    </article>
  );
}

function Days({ rows, region }: { rows: AccessRow[]; region: Region }) {
  if (rows.length === 0) return <Nothing title={words.noMatch} />;
  return [...grouped(rows, (row) => date(row.at))].map(([day, events]) => (
    <section key={day}>
      <h2>{longDate(day)}</h2>
      <ul className="events">{events.map((row, at) => <Event key={at} of={row} region={region} />)}</ul>
    </section>
  ));
}

function Event({ of, region }: { of: AccessRow; region: Region }) {
  const icon = of.outcome === 'permitted' ? <CheckCircleOutlined aria-hidden /> : of.outcome === 'denied' ? <CloseCircleFilled aria-hidden /> : <WarningFilled aria-hidden />;
  const facts = [dateTime(of.at).slice(11), of.organisation.name, words.purpose(nameOf(S.purpose, of.purpose)), of.documents > 0 && words.count(of.documents)];
  const person = of.person && doneBy(of.person, region.members.find(({ code }) => code === of.organisation.code)?.departments ?? []);
  return (
    <li className={`event ${of.outcome}`}>
      {icon}
      <div><p>{of.outcome !== 'permitted' && <b>{S.outcome[of.outcome]}：</b>}{of.purpose === 'emergency' && <b className="warn">{S.purpose.emergency}：</b>}{of.text}</p><p className="quiet">{facts.filter(Boolean).join(' · ')}</p>{person && <p className="quiet">{person}</p>}</div>
    </li>
  );
}

/** Who did it, by the department's name where this hospital knows it. */
function doneBy(person: DoneBy, departments: { code: string; name: string }[]): string {
  if (person.state !== 'told') return words.by[person.state];
  if (person.role === 'system') return words.by.system;
  const department = departments.find(({ code }) => code === person.department)?.name ?? person.department;
  const facts = [department, nameOf(S.personRole, person.role)].filter(Boolean).join('，');
  return words.by.told(person.name === null ? facts : `${person.name}（${facts}）`);
}
