/**
 * One open document. Loading it is a decision of the node, and logged, so nothing is loaded before a person asks.
 *
 * The service makes safe HTML; it is shown in a frame without scripts, origin or forms all the same.
 */

import { CloseOutlined, DownloadOutlined, ExportOutlined } from '@ant-design/icons';
import { Alert, Button, Descriptions } from 'antd';
import { useEffect, useRef } from 'react';
import { documents } from '../api/calls';
import type { DocumentRow, OpenDocument } from '../api/types';
import { date, dateTime, size } from '../shared/format';
import { useLoad } from '../shared/load';
import { Nothing, Shown } from '../shared/states';
import { T as S } from '../shared/texts';
import { Marks, StateTag } from './document-item';
import { Department } from './region';
import { T } from './texts';

const words = T.document;

interface Props {
  of: { holder: string; entry: string };
  /** The row of the list that the document was chosen from, if it is still there. */
  row: DocumentRow | null;
  /** Told when opening has changed the state of the document. */
  opened: () => void;
  get: (row: DocumentRow) => void;
  close: () => void;
}

export function DocumentPane({ of, row, opened, get, close }: Props) {
  const waiting = row && words.waiting[row.state];
  return (
    <aside className="pane" aria-label={row?.title ?? words.frame} onKeyDown={(event) => { if (event.key === 'Escape') close(); }}>
      {row && waiting
        ? <><PaneHead row={row} close={close} /><Nothing title={waiting} help={row.reason?.text}>
            {row.state === 'findable' && <Button type="primary" onClick={() => get(row)}>{T.record.get}</Button>}
          </Nothing></>
        : <Opening of={of} before={row?.state ?? null} opened={opened} close={close} />}
    </aside>
  );
}

function Opening({ of, before, opened, close }: { of: Props['of']; before: DocumentRow['state'] | null; opened: () => void; close: () => void }) {
  const loaded = useLoad(`document ${of.holder} ${of.entry}`, (signal) => documents.open(of, signal));
  const changed = loaded.value !== null && before === 'held';
  const told = useRef(opened);
  told.current = opened;
  useEffect(() => { if (changed) told.current(); }, [changed]);
  return (
    <>
      {loaded.value === null && <div className="pane-head"><span className="push" /><CloseButton close={close} /></div>}
      <Shown of={loaded} rows={12}>
        {(document) => <><PaneHead row={document.row} close={close} content={document.content} /><Facts row={document.row} /><Content of={document} /></>}
      </Shown>
    </>
  );
}

function PaneHead({ row, content, close }: { row: DocumentRow; content?: string; close: () => void }) {
  return (
    <header className="pane-head">
      <h2>{row.title}</h2><Marks row={row} /><StateTag row={row} />
      <span className="push" />
      {content && <Button size="small" icon={<ExportOutlined aria-hidden />} href={content} target="_blank" rel="noopener noreferrer">{words.newWindow}</Button>}
      {content && <Button size="small" icon={<DownloadOutlined aria-hidden />} href={content} download>{words.download}</Button>}
      <CloseButton close={close} />
    </header>
  );
}

const CloseButton = ({ close }: { close: () => void }) =>
  <Button size="small" type="text" icon={<CloseOutlined aria-hidden />} aria-label={words.close} title={`${words.close}（Esc）`} onClick={close} />;

function Facts({ row }: { row: DocumentRow }) {
  const period = row.serviceStart === null ? S.none : [row.serviceStart, row.serviceEnd].filter((at) => at !== null).map(date).join(' 至 ');
  const items = [
    { key: 'source', label: words.source, children: <>{row.holderName}{row.department && <> · <Department of={row.department} /></>}</> },
    { key: 'author', label: words.author, children: row.author ?? S.none },
    { key: 'type', label: words.type, children: `${row.type.name}（${row.type.code}）` },
    { key: 'period', label: words.period, children: period },
    { key: 'created', label: words.created, children: dateTime(row.created) },
    { key: 'size', label: words.size, children: size(row.size) },
  ];
  return <Descriptions className="facts" size="small" column={{ xs: 1, md: 2, xxl: 3 }} items={items} />;
}

function Content({ of: { row, html, text, content, mediaType } }: { of: OpenDocument }) {
  if (html !== null) return <iframe className="sheet" title={`${words.frame}：${row.title}`} sandbox="" srcDoc={framed(html)} />;
  if (text !== null) return <><p className="quiet">{words.asIs}</p><pre className="as-is" tabIndex={0}>{lines(text)}</pre></>;
  if (mediaType === 'application/pdf') return <iframe className="sheet" title={`${words.frame}：${row.title}`} src={content} />;
  if (mediaType === 'image/png' || mediaType === 'image/jpeg') return <img className="picture" src={content} alt={row.title} />;
  return <Alert type="info" showIcon title={words.unreadable} description={words.unreadableHelp} />;
}

/** HL7 v2 ends its segments by carriage returns alone. */
const lines = (text: string) => text.replace(/\r\n?/g, '\n');

/** The fragment that the service made, as a page of its own with the look of a printed record. */
function framed(html: string): string {
  const style = 'body{font:14px/1.7 "PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;color:#1d2629;margin:16px 20px}'
    + 'h1{font-size:18px}h2{font-size:15px;border-bottom:1px solid #d5dddd;padding-bottom:4px}h3{font-size:14px}'
    + 'table{border-collapse:collapse;width:100%;margin:8px 0}th,td{border:1px solid #d5dddd;padding:4px 8px;text-align:left;vertical-align:top}'
    + 'th{background:#f3f6f6}img{max-width:100%}';
  return `<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><style>${style}</style></head><body>${html}</body></html>`;
}
