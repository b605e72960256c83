/** Questions that patients have, and whom to ask. */

import { Collapse } from 'antd';
import type { Region } from '../api/types';
import { T } from './texts';

export function Help({ region: { me } }: { region: Region }) {
  const items = T.help.items.map(([question, answer]) => ({ key: question, label: question, children: <p>{answer}</p> }));
  return (
    <>
      <h1>{T.help.title}</h1>
      <Collapse items={items} defaultActiveKey={T.help.items[0]?.[0] ?? []} />
      <section className="card"><h2>{T.help.contact}</h2><p>{me.name}</p><p>{me.contact}</p></section>
    </>
  );
}
