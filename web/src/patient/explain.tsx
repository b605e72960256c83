/** Who sees how much of the record today, and what would change: as the hospital itself would decide. */

import { CheckCircleFilled, StopFilled } from '@ant-design/icons';
import { explain } from '../api/calls';
import type { ExplainedPart, Explanation, Wanted } from '../api/types';
import { useLoad } from '../shared/load';
import { Shown } from '../shared/states';
import { T } from './texts';

const words = T.explain;
type Row = Explanation['rows'][number];

const permitted = (parts: ExplainedPart[]) => parts.filter(({ permits }) => permits).reduce((sum, { documents }) => sum + documents, 0);
const whoOf = ({ organisation }: Row) => organisation?.name ?? words.others;
const keyOf = ({ organisation, purpose }: Row) => `${organisation?.code} ${purpose}`;

/** `changed` names what has been said so far: after that it is asked again. */
export function Today({ changed }: { changed: string }) {
  const loaded = useLoad(`explain ${changed}`, (signal) => explain({}, signal));
  return (
    <Shown of={loaded} rows={3}>
      {({ documents, rows }) => (
        <section>
          <h2>{words.title}</h2>
          <article className="card explain">
            {documents === 0 ? <p>{words.nothing}</p> : (
              <>
                <ul>{rows.map((row) => <Line key={keyOf(row)} row={row} all={documents} />)}</ul>
                <p className="quiet">{words.scope(documents)}</p>
              </>
            )}
          </article>
        </section>
      )}
    </Shown>
  );
}

function Line({ row, all }: { row: Row; all: number }) {
  const count = permitted(row.now);
  return (
    <li>
      {count > 0 ? <CheckCircleFilled className="good" aria-hidden /> : <StopFilled className="bad" aria-hidden />}
      <div>
        <b>{whoOf(row)}</b>　{words.purpose[row.purpose]}{words.can(count, all)}
        {row.now.map(({ text, clause, permits }) => <p key={`${clause} ${permits}`} className="quiet" title={clause}>{text.zh}（{clause}）</p>)}
      </div>
    </li>
  );
}

/** What would change if this were said. */
export function WouldChange({ wanted }: { wanted: Wanted }) {
  const loaded = useLoad(`would change ${JSON.stringify(wanted)}`, (signal) => explain(wanted, signal));
  return (
    <Shown of={loaded} rows={2}>
      {({ documents, rows }) => {
        const changes = rows.flatMap((row) => {
          const [before, after] = [permitted(row.now), permitted(row.then ?? row.now)];
          return before === after ? [] : [words.change(whoOf(row), words.purpose[row.purpose], words.can(before, documents), words.can(after, documents))];
        });
        return <div className="would-change"><h3>{words.then}</h3>{changes.length === 0 ? <p>{words.same}</p> : <ul>{changes.map((change) => <li key={change}>{change}</li>)}</ul>}</div>;
      }}
    </Shown>
  );
}
