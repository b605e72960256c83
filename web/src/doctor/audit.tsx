/** How far the audit of this hospital is anchored in the log, for who answers for it. */

import { Alert, Descriptions } from 'antd';
import { anchors } from '../api/calls';
import type { Anchoring } from '../api/types';
import { count, dateTime } from '../shared/format';
import { useEvery, useLoad } from '../shared/load';
import { Shown } from '../shared/states';
import { T } from './texts';

const words = T.audit;
const REFRESH_MS = 60_000;

export function Audit() {
  const anchoring = useLoad('anchors', anchors);
  useEvery(REFRESH_MS, true, anchoring.reload);
  return (
    <section className="view">
      <header className="view-head"><h1>{words.title}</h1></header>
      <p className="quiet">{words.help}</p>
      <Shown of={anchoring}>{(now) => <Facts of={now} />}</Shown>
    </section>
  );
}

function Facts({ of }: { of: Anchoring }) {
  const items = [
    { key: 'lines', label: words.lines, children: count(of.lines) },
    { key: 'anchored', label: words.anchored, children: of.anchored === null ? words.never : words.upTo(count(of.anchored), count(Math.max(0, of.lines - of.anchored))) },
    { key: 'at', label: words.at, children: of.anchoredAt === null ? words.never : dateTime(of.anchoredAt) },
    { key: 'compared', label: words.compared, children: of.comparedAt === null ? words.notYet : dateTime(of.comparedAt) },
  ];
  return (
    <>
      <Standing of={of} />
      <article className="sheet-card case"><Descriptions column={1} size="small" items={items} /></article>
    </>
  );
}

/** In agreement with the log or not; what could not be compared is not called so. */
function Standing({ of }: { of: Anchoring }) {
  if (of.broken !== null) return <Alert type="error" showIcon title={words.broken(count(of.broken))} description={words.brokenHelp} />;
  if (!of.current) return <Alert type="warning" showIcon title={words.away} />;
  if (of.comparedAt === null) return <Alert type="info" showIcon title={words.notYet} />;
  if (of.anchored === null) return <Alert type="info" showIcon title={words.whole} />;
  return <Alert type="success" showIcon title={words.agrees} />;
}
