/** What the hospital's systems name and no standard has: hospital IT says what each is. */

import { Alert, App, AutoComplete, Button, Segmented, Select, Space, Table, Tag, type TableColumnsType } from 'antd';
import { useState } from 'react';
import { dictionary } from '../api/calls';
import type { DictionaryItem, DictionaryKind, DictionaryStatus } from '../api/types';
import { count, dateTime } from '../shared/format';
import { useLoad } from '../shared/load';
import { useSubmit } from '../shared/session';
import { Nothing, Shown } from '../shared/states';
import { T as S } from '../shared/texts';
import { T } from './texts';

const words = T.dictionary;
type Which = keyof typeof words.which;
const WHICH = (Object.keys(words.which) as Which[]).map((value) => ({ value, label: words.which[value] }));
const KINDS = (Object.keys(words.kinds) as DictionaryKind[]).map((value) => ({ value, label: words.kinds[value] }));
const CODE_LENGTH_MAX = 24;

export function Dictionary() {
  const [which, setWhich] = useState<Which>('open');
  const [kind, setKind] = useState<DictionaryKind>('item');
  const loaded = useLoad(`dictionary ${which} ${kind}`, (signal) => dictionary.list(which, kind, signal));
  return (
    <section className="view">
      <header className="view-head">
        <h1>{words.title}</h1>
        <Select aria-label={words.kind} options={KINDS} value={kind} onChange={setKind} style={{ minWidth: 140 }} />
        <Segmented options={WHICH} value={which} onChange={setWhich} />
        <Button onClick={loaded.reload}>{S.refresh}</Button>
      </header>
      <p className="quiet">{words.help}</p>
      <Shown of={loaded}>
        {({ items, count: all }) => (items.length === 0
          ? <Nothing title={words.empty[which]} help={words.emptyHelp} />
          : <>
              {items.length < all && <p className="quiet">{words.cut(count(items.length), count(all))}</p>}
              <Table<DictionaryItem> size="small" rowKey={keyOf} columns={columns(kind, loaded.reload)} dataSource={items} pagination={{ pageSize: 20, showSizeChanger: false }} scroll={{ x: 'max-content' }} />
            </>)}
      </Shown>
    </section>
  );
}

function keyOf({ system, kind, code, name, specimen, unit }: DictionaryItem): string {
  return JSON.stringify([system, kind, code, name, specimen, unit]);
}

function columns(kind: DictionaryKind, done: () => void): TableColumnsType<DictionaryItem> {
  const sampled: TableColumnsType<DictionaryItem> = kind === 'item' ? [{ title: words.columns.sampled, render: (_, item) => [item.specimen, item.unit].filter(Boolean).join(' · ') || S.none }] : [];
  return [
    { title: words.columns.system, dataIndex: 'system' },
    { title: words.columns.item, render: (_, item) => <><b>{item.name || S.none}</b> <span className="code">{item.code}</span></> },
    ...sampled,
    { title: words.columns.results, align: 'right', render: (_, item) => count(item.results) },
    { title: words.columns.standing, render: (_, item) => item.status !== '' && <><Tag color={item.status === 'accepted' ? 'green' : 'default'}>{words.status[item.status]}</Tag>{item.standard} {item.called}<small className="quiet"> {words.decided(item.author, dateTime(item.at), item.version)}</small></> },
    { title: words.columns.decide, render: (_, item) => <Decide key={`${item.version}`} item={item} done={done} /> },
  ];
}

/** A code, typed or chosen of what is suggested, and what is said of it. */
function Decide({ item, done }: { item: DictionaryItem; done: () => void }) {
  const { message } = App.useApp();
  const [standard, setStandard] = useState(item.standard);
  const [error, busy, run] = useSubmit();
  const options = item.suggested.map((label) => ({ value: label.split(' ')[0], label }));
  const say = (status: DictionaryStatus) => run(async () => {
    await dictionary.decide(item, status, standard.trim());
    message.success(words.done);
    done();
  });
  const button = (status: DictionaryStatus) => (
    <Button key={status} size="small" type={status === 'accepted' ? 'primary' : 'default'} loading={busy} disabled={standard.trim() === ''} onClick={() => say(status)}>{words.say[status]}</Button>
  );
  return (
    <Space wrap>
      <AutoComplete aria-label={words.standard(item.name || item.code)} placeholder={words.placeholder[item.kind]} options={options} value={standard} maxLength={CODE_LENGTH_MAX} onChange={setStandard} style={{ width: 220 }} popupMatchSelectWidth={false} />
      {item.status === 'accepted' && standard.trim() === item.standard ? button('retired') : [button('accepted'), button('refused')]}
      {error && <Alert type="error" showIcon title={error} />}
    </Space>
  );
}
