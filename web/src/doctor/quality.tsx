/** How good what the systems of this hospital send is, by connection and day, and what is wrong most: for the hospital's IT. */

import { Button, Table, Tag, type TableColumnsType } from 'antd';
import { quality } from '../api/calls';
import type { Quality as Found, QualityFeed, QualityOffender, QualityRule } from '../api/types';
import { count } from '../shared/format';
import { useLoad } from '../shared/load';
import { ASPECTS, scoreColor, scoreText, shareText } from '../shared/quality';
import { Nothing, Shown } from '../shared/states';
import { T as S } from '../shared/texts';
import { T } from './texts';

const words = T.quality;
const heads = words.columns;
type Day = QualityFeed['days'][number];

export function Quality() {
  const loaded = useLoad('quality', quality.all);
  return (
    <section className="view">
      <header className="view-head"><h1>{words.title}</h1><Button onClick={loaded.reload}>{S.refresh}</Button></header>
      <p className="quiet">{words.help}</p>
      <Shown of={loaded}>
        {(found) => (found.feeds.length === 0 ? <Nothing title={words.empty} help={words.emptyHelp} /> : <Both of={found} />)}
      </Shown>
    </section>
  );
}

function Both({ of }: { of: Found }) {
  return (
    <>
      <h2>{words.worst(of.worstDays)}</h2>
      <p className="quiet">{words.worstHelp}</p>
      {of.worst.length === 0 ? <p>{words.fine}</p> : <Worst of={of} />}
      <h2>{words.feeds}</h2>
      <p className="quiet">{words.feedsHelp}</p>
      <Table<QualityFeed> size="small" rowKey="feed" columns={FEED_COLUMNS} dataSource={of.feeds} pagination={{ pageSize: 20, hideOnSinglePage: true }} scroll={{ x: 'max-content' }}
        expandable={{ rowExpandable: ({ days }) => days.length > 1, expandedRowRender: ({ days }) => <Days of={days.slice(1)} /> }} />
      <h2>{words.rules}</h2>
      <ul className="quiet">{of.rules.map((rule) => <li key={rule.code}>{words.aspect[rule.aspect]}：{rule.chinese}</li>)}</ul>
    </>
  );
}

function Worst({ of: { feeds, rules, worst } }: { of: Found }) {
  const feed = (place: number) => feeds.find((one) => one.feed === place);
  const rule = (code: string) => rules.find((one) => one.code === code);
  return (
    <Table<QualityOffender> size="small" rowKey={(one) => `${one.feed} ${one.rule}`} columns={worstColumns(feed, rule)} dataSource={worst}
      pagination={{ pageSize: 50, hideOnSinglePage: true }} scroll={{ x: 'max-content' }} />
  );
}

function worstColumns(feed: (place: number) => QualityFeed | undefined, rule: (code: string) => QualityRule | undefined): TableColumnsType<QualityOffender> {
  const name = (one: QualityOffender) => rule(one.rule)?.chinese ?? one.rule;
  const from = (one: QualityOffender) => feedName(feed(one.feed));
  return [
    { title: heads.rule, render: (_, one) => <b>{name(one)}</b> },
    { title: heads.aspect, render: (_, one) => { const known = rule(one.rule); return known && <Tag>{words.aspect[known.aspect]}</Tag>; } },
    { title: heads.feed, render: (_, one) => <span className="code">{from(one)}</span> },
    { title: heads.broken, align: 'right', render: (_, one) => `${count(one.broken)} / ${count(one.looked)}` },
    { title: heads.share, align: 'right', render: (_, one) => shareText(one.broken, one.looked) },
    { title: heads.samples, render: (_, one) => <a href={quality.samples(one.feed, one.rule)} download aria-label={words.download(name(one), from(one))}>{words.downloadShort}</a> },
  ];
}

function feedName(feed: QualityFeed | undefined): string {
  if (feed === undefined) return words.none;
  return words.from(feed.system === '' ? T.connections.others : feed.system, T.connections.door[feed.door], feed.sender);
}

/** Those of one day; in the table of connections of its newest. */
function dayColumns<T>(day: (row: T) => Day | undefined): TableColumnsType<T> {
  return [
    { title: heads.date, render: (_, row) => day(row)?.date },
    { title: heads.messages, align: 'right', render: (_, row) => count(day(row)?.messages ?? 0) },
    { title: heads.score, align: 'right', render: (_, row) => { const score = day(row)?.score ?? null; return <Tag color={scoreColor(score)}>{scoreText(score)}</Tag>; } },
    ...ASPECTS.map((aspect) => ({ title: words.aspect[aspect], align: 'right' as const, render: (_: unknown, row: T) => scoreText(day(row)?.aspects[aspect] ?? null) })),
  ];
}

const FEED_COLUMNS: TableColumnsType<QualityFeed> = [
  { title: heads.feed, render: (_, feed) => <span className="code">{feedName(feed)}</span> },
  ...dayColumns<QualityFeed>(({ days }) => days[0]),
];

function Days({ of }: { of: Day[] }) {
  return <Table<Day> size="small" rowKey="date" columns={dayColumns<Day>((day) => day)} dataSource={of} pagination={false} />;
}
