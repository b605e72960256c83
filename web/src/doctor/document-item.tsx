/** One document in a list: what it is, where it comes from, and how it stands here. */

import {
  CheckCircleOutlined, ClockCircleOutlined, CloudDownloadOutlined, DeleteOutlined, HomeOutlined, InboxOutlined, LockOutlined, SaveOutlined, StopOutlined,
} from '@ant-design/icons';
import { Button, Tag, Tooltip } from 'antd';
import type { ReactNode } from 'react';
import type { CopyState, DocumentRow } from '../api/types';
import { dateTime, nameOf } from '../shared/format';
import { to } from '../shared/route';
import { T as S } from '../shared/texts';
import { timeOf } from './record-list';
import { Department } from './region';
import { T } from './texts';

const LOOK: { [state in CopyState]: [string, ReactNode] } = {
  own: ['default', <HomeOutlined key="i" aria-hidden />],
  findable: ['processing', <CloudDownloadOutlined key="i" aria-hidden />],
  wanted: ['processing', <ClockCircleOutlined key="i" aria-hidden />],
  held: ['warning', <InboxOutlined key="i" aria-hidden />],
  opened: ['success', <CheckCircleOutlined key="i" aria-hidden />],
  retained: ['default', <SaveOutlined key="i" aria-hidden />],
  erased: ['default', <DeleteOutlined key="i" aria-hidden />],
  refused: ['error', <StopOutlined key="i" aria-hidden />],
};

/** States that say themselves why there is no more. */
const ENDED: ReadonlySet<CopyState> = new Set(['retained', 'erased']);

export const sameDocument = (a: { holder: string; entry: string }, b: { holder: string; entry: string }) =>
  a.holder === b.holder && a.entry === b.entry;

/** The state of a document as a tag, with a sentence that says what it means. */
export function StateTag({ row }: { row: DocumentRow }) {
  const [name, sentence] = T.copy[row.state];
  const [color, icon] = LOOK[row.state];
  return (
    <Tooltip title={row.reason ? `${sentence}${row.reason.text}（${row.reason.clause}）` : sentence}>
      <Tag color={color} icon={icon} tabIndex={0}>{name}</Tag>
    </Tooltip>
  );
}

interface Props {
  row: DocumentRow;
  chosen: boolean;
  href: string[];
  get: (row: DocumentRow) => void;
}

export function DocumentItem({ row, chosen, href, get }: Props) {
  return (
    <div role="listitem" className={`document${chosen ? ' chosen' : ''}${row.replaced ? ' replaced' : ''}`}>
      <a className="document-link" href={to(href)} aria-current={chosen || undefined}>
        <span className="document-title">{row.title}</span>
        <span className="document-facts">
          <span className="kind">{nameOf(S.class, row.class)}</span>
          {row.holderName}{row.department && <> · <Department of={row.department} /></>}{row.author && ` · ${row.author}`} · {dateTime(timeOf(row))}
        </span>
        {row.reason && !ENDED.has(row.state) && <span className="document-reason">{row.reason.text}</span>}
      </a>
      <span className="document-tags">
        <Marks row={row} />
        <StateTag row={row} />
        {row.state === 'findable' && <Button size="small" onClick={() => get(row)}>{T.record.get}</Button>}
      </span>
    </div>
  );
}

/** What sets a document apart from an ordinary final one. */
export function Marks({ row }: { row: DocumentRow }) {
  const status = S.documentStatus[row.status];
  return (
    <>
      {row.replaced && <Tag>{T.record.replacedTag}</Tag>}
      {status !== '' && <Tag color="warning">{status}</Tag>}
      {row.sensitivity !== 'normal' && <Tag color="purple" icon={<LockOutlined aria-hidden />}>{S.sensitivity[row.sensitivity]}</Tag>}
    </>
  );
}
