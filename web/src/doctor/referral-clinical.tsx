/** The clinical fields of a referral form: written by the doctor, or taken over from the record with the documents that say so. */

import { App, Button, Form, Input } from 'antd';
import { useState } from 'react';
import { patients } from '../api/calls';
import type { DocumentRow, History, Prefilled, ReferralForm } from '../api/types';
import { date } from '../shared/format';
import { useSubmit } from '../shared/session';
import { conversionOf } from './labs-trend';
import { forEmpty, untouched, without, type Field, type Taken } from './prefill';
import { timeOf } from './record-list';
import { T } from './texts';

const words = T.editor;
const LAB_LINES_MAX = 12;
/** So many Chinese characters are 8 KiB, which a field of the form holds. */
const CHARS_MAX = 2700;

const LONG: [keyof ReferralForm, number, boolean][] = [
  ['impression', 2, true], ['presentIllness', 4, true], ['pastHistory', 2, false], ['course', 4, false], ['reason', 2, true], ['plan', 3, false],
];

const needed = (what: string) => [{ required: true, whitespace: true, message: words.needed(what) }];

interface Props {
  subject: string;
  labs: History['labs'];
  /** Own documents of the patient. */
  own: DocumentRow[];
  /** Opens one beside the form. */
  view: (row: DocumentRow) => void;
  changed: () => void;
}

export function Clinical({ subject, labs, own, view, changed }: Props) {
  const form = Form.useFormInstance<ReferralForm>();
  const prefill = usePrefill(subject, changed);
  const insert = () => {
    form.setFieldValue('course', [form.getFieldValue('course'), ...labLines(labs)].filter(Boolean).join('\n'));
    changed();
  };
  const below = (key: keyof ReferralForm) => {
    const source = key in prefill.taken && <TakenFrom field={key as Field} taken={prefill.taken} own={own} view={view} />;
    const insertion = key === 'course' && labs.length > 0 && <Button type="link" size="small" onClick={insert}>{words.insertLabs}</Button>;
    return source || insertion ? <>{source}{insertion}</> : undefined;
  };
  return (
    <section className="sheet-card">
      <header className="card-head">
        <h2>{words.clinical}</h2>
        <Button size="small" loading={prefill.busy} onClick={prefill.take}>{words.prefill}</Button>
        {prefill.undoable && <Button size="small" type="link" onClick={prefill.undo}>{words.undo}</Button>}
        {prefill.error && <span className="bad" role="alert">{prefill.error}</span>}
      </header>
      {LONG.map(([key, rows, must]) => (
        <Form.Item key={key} name={key} label={T.form[key]} rules={must ? needed(T.form[key]) : []} extra={below(key)}>
          <Input.TextArea autoSize={{ minRows: rows, maxRows: 14 }} maxLength={CHARS_MAX} placeholder={key === 'reason' ? words.reasonHint : ''} />
        </Form.Item>
      ))}
      <Form.Item name="physicianPhone" label={T.form.physicianPhone} rules={needed(T.form.physicianPhone)}><Input type="tel" maxLength={32} className="narrow" /></Form.Item>
    </section>
  );
}

/** Takes over from the record what is missing, and back what nobody has changed since. */
function usePrefill(subject: string, changed: () => void) {
  const form = Form.useFormInstance<ReferralForm>();
  const { message } = App.useApp();
  const [taken, setTaken] = useState<Taken>({});
  const [undoable, setUndoable] = useState(false);
  const [error, busy, run] = useSubmit();
  const take = () => run(async () => {
    const found = await patients.referralPrefill(subject);
    const fresh = forEmpty(form.getFieldsValue(), found);
    const fields = Object.entries(fresh);
    if (fields.length === 0) {
      message.info(words.prefillNothing);
      return;
    }
    form.setFields(fields.map(([field, { text }]) => ({ name: field as Field, value: text, errors: [] })));
    setTaken((before) => ({ ...before, ...fresh }));
    setUndoable(true);
    changed();
    message.success(words.prefilled(fields.length));
  });
  const undo = () => {
    const undone = untouched(form.getFieldsValue(), taken);
    undone.forEach((field) => form.setFieldValue(field, ''));
    setTaken((before) => without(before, undone));
    setUndoable(false);
    changed();
    message.info(words.undone);
  };
  return { taken, undoable, take, undo, error, busy };
}

/** Which documents say what stands in a field, or what stood there before the doctor changed it. */
function TakenFrom({ field, taken, own, view }: { field: Field; taken: Taken } & Pick<Props, 'own' | 'view'>) {
  const written: string | undefined = Form.useWatch(field);
  const of: Prefilled | undefined = taken[field];
  if (of === undefined || !written) return null;
  return (
    <span className="taken-from">
      {written === of.text ? words.takenFrom : words.changedFrom}
      {own.filter((row) => of.sources.some(({ entry }) => entry === row.entry)).map((row) => (
        <Button key={row.entry} type="link" size="small" onClick={() => view(row)}>{words.takenOn(row.title, date(timeOf(row)))}</Button>
      ))}
      {of.clipped && <span className="warn">{words.clipped}</span>}
    </span>
  );
}

/** The latest result of each item as lines of text. */
function labLines(labs: History['labs']): string[] {
  return labs.flatMap((lab) => {
    const last = lab.points.at(-1);
    if (last === undefined) return [];
    const flag = { high: ' ↑', low: ' ↓', abnormal: words.abnormal, normal: '', unknown: '' }[last.flag];
    const conversion = conversionOf(last);
    return [words.labsLine(date(last.at), lab.name, `${last.text} ${lab.unit}`, flag + (conversion && words.converted(conversion)))];
  }).slice(0, LAB_LINES_MAX);
}
