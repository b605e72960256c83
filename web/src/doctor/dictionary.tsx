/** Items of the hospital's systems that no table knows: hospital IT says what each is. */

import { Alert, App, AutoComplete, Button, Segmented, Space, Table, Tag, type TableColumnsType } from 'antd';
import { useState } from 'react';
import { dictionary } from '../api/calls';
import type { DictionaryItem, DictionaryStatus } from '../api/types';
import { count, dateTime } from '../shared/format';
import { useLoad } from '../shared/load';
import { useSubmit } from '../shared/session';
import { Nothing, Shown } from '../shared/states';
import { T as S } from '../shared/texts';
import { T } from './texts';

const words = T.dictionary;
type Which = keyof typeof words.which;
const WHICH = (Object.keys(words.which) as Which[]).map((value) => ({ value, label: words.which[value] }));
const LOINC_LENGTH_MAX = 9;

export function Dictionary() {
  const [which, setWhich] = useState<Which>('open');
  const loaded = useLoad(`dictionary ${which}`, (signal) => dictionary.list(which, signal));
  return (
    <section className="view">
      <header className="view-head">
        <h1>{words.title}</h1>
        <Segmented options={WHICH} value={which} onChange={setWhich} />
        <Button onClick={loaded.reload}>{S.refresh}</Button>
      </header>
      <p className="quiet">{words.help}</p>
      <Shown of={loaded}>
        {({ items, count: all }) => (items.length === 0
          ? <Nothing title={words.empty[which]} help={words.emptyHelp} />
          : <>
              {items.length < all && <p className="quiet">{words.cut(count(items.length), count(all))}</p>}
              <Table<DictionaryItem> size="small" rowKey={keyOf} columns={columns(loaded.reload)} dataSource={items} pagination={{ pageSize: 20, showSizeChanger: false }} scroll={{ x: 'max-content' }} />
            </>)}
      </Shown>
    </section>
  );
}

function keyOf({ system, code, name, specimen, unit }: DictionaryItem): string {
  return JSON.stringify([system, code, name, specimen, unit]);
}

function columns(done: () => void): TableColumnsType<DictionaryItem> {
  return [
    { title: words.columns.system, dataIndex: 'system' },
    { title: words.columns.item, render: (_, item) => <><b>{item.name || S.none}</b> <span className="code">{item.code}</span></> },
    { title: words.columns.sampled, render: (_, item) => [item.specimen, item.unit].filter(Boolean).join(' · ') || S.none },
    { title: words.columns.results, align: 'right', render: (_, item) => count(item.results) },
    { title: words.columns.standing, render: (_, item) => item.status !== '' && <><Tag color={item.status === 'accepted' ? 'green' : 'default'}>{words.status[item.status]}</Tag>{item.loinc} {item.called}<small className="quiet"> {words.decided(item.author, dateTime(item.at), item.version)}</small></> },
    { title: words.columns.decide, render: (_, item) => <Decide key={`${item.version}`} item={item} done={done} /> },
  ];
}

/** A code, typed or chosen of what is suggested, and what is said of it. */
function Decide({ item, done }: { item: DictionaryItem; done: () => void }) {
  const { message } = App.useApp();
  const [loinc, setLoinc] = useState(item.loinc);
  const [error, busy, run] = useSubmit();
  const options = item.suggested.map((label) => ({ value: label.split(' ')[0], label }));
  const say = (status: DictionaryStatus) => run(async () => {
    await dictionary.decide(item, status, loinc.trim());
    message.success(words.done);
    done();
  });
  const button = (status: DictionaryStatus) => (
    <Button key={status} size="small" type={status === 'accepted' ? 'primary' : 'default'} loading={busy} disabled={loinc.trim() === ''} onClick={() => say(status)}>{words.say[status]}</Button>
  );
  return (
    <Space wrap>
      <AutoComplete aria-label={words.loinc(item.name || item.code)} placeholder={words.placeholder} options={options} value={loinc} maxLength={LOINC_LENGTH_MAX} onChange={setLoinc} style={{ width: 220 }} popupMatchSelectWidth={false} />
      {item.status === 'accepted' && loinc.trim() === item.loinc ? button('retired') : [button('accepted'), button('refused')]}
      {error && <Alert type="error" showIcon title={error} />}
    </Space>
  );
}
