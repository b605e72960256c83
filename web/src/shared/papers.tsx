/** Scans of what was signed on paper: adding one to what is recorded, and a list of them. */

import { FileDoneOutlined, UploadOutlined } from '@ant-design/icons';
import { Alert, Button, Upload } from 'antd';
import { useState } from 'react';
import { papers } from '../api/calls';
import { dateTime, size } from './format';
import { useLoad } from './load';
import { useSubmit } from './session';
import { T } from './texts';

const words = T.papers;

/** A field of a form: sends the scan at once, and has its id for a value. */
export function Scan({ subject, onChange }: { subject: string; onChange?: (id: string | undefined) => void }) {
  const [name, setName] = useState<string | null>(null);
  const [error, busy, run] = useSubmit();
  const send = (file: File) => {
    run(async () => {
      setName(null);
      onChange?.(undefined);
      const { id } = await papers(subject).add(file);
      setName(file.name);
      onChange?.(id);
    });
    // The form sends it, and not the component.
    return false;
  };
  return (
    <>
      <Upload accept="application/pdf,image/jpeg,image/png" showUploadList={false} beforeUpload={send}><Button icon={<UploadOutlined aria-hidden />} loading={busy}>{words.add}</Button></Upload>
      {name && <span className="scanned"><FileDoneOutlined className="good" aria-hidden /> {words.added(name)}</span>}
      {error && <Alert className="after" role="alert" type="error" showIcon title={error} />}
    </>
  );
}

/** Those that there are; nothing if there are none. `subject` is null for the patient's own page. */
export function Papers({ subject }: { subject: string | null }) {
  const loaded = useLoad(`papers ${subject ?? 'own'}`, papers(subject).list);
  const items = loaded.value?.items ?? [];
  if (items.length === 0) return null;
  return (
    <section>
      <h2>{words.title(items.length)}</h2>
      <ul className="papers">
        {items.map(({ id, at, size: bytes }) => <li key={id}><a href={papers(subject).address(id)} target="_blank" rel="noreferrer">{words.paper(dateTime(at))}</a> <small className="quiet">{size(bytes)}</small></li>)}
      </ul>
    </section>
  );
}
