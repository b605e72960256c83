/** Finds one patient by a whole number: there is no search by name, and every question is logged. */

import { Alert, Button, Form, Input, Segmented } from 'antd';
import { useState } from 'react';
import { patients } from '../api/calls';
import type { FindPatient as Question, PatientRow } from '../api/types';
import { useSession, useSubmit } from '../shared/session';
import { Nothing } from '../shared/states';
import { EmergencyByNumber } from './emergency';
import { PatientTable } from './patients';
import { T } from './texts';

type Kind = keyof Question;

const words = T.find;
const KINDS = (Object.keys(words.kinds) as Kind[]).map((value) => ({ value, label: words.kinds[value] }));
const RESIDENT_ID = /^(\d{15}|\d{17}[\dXx]|[A-Za-z]{3}\d{12})$/;

export function FindPatient() {
  const [kind, setKind] = useState<Kind>('number');
  const [found, setFound] = useState<PatientRow[] | null>(null);
  const [asked, setAsked] = useState<Question>({});
  const { has } = useSession();
  const [error, busy, run] = useSubmit();
  const find = ({ value }: { value: string }) => run(async () => {
    setFound(null);
    const question = { [kind]: value.trim() };
    setAsked(question);
    setFound((await patients.find(question)).items);
  });
  return (
    <section className="view">
      <header className="view-head"><h1>{words.title}</h1></header>
      <Alert type="info" showIcon title={words.help} />
      <Form className="find" onFinish={find} requiredMark={false} validateTrigger="onSubmit">
        <Segmented options={KINDS} value={kind} onChange={setKind} />
        <div className="find-line">
          <Form.Item name="value" dependencies={[]} rules={rulesOf(kind)}>
            <Input autoFocus allowClear autoComplete="off" maxLength={64} size="large" placeholder={words.placeholder} aria-label={words.kinds[kind]} />
          </Form.Item>
          <Button type="primary" htmlType="submit" size="large" loading={busy}>{words.submit}</Button>
        </div>
      </Form>
      <div aria-live="polite">
        {error && <Alert className="failed" type="error" showIcon title={error} />}
        {found && (found.length === 0
          ? <Nothing title={words.none} help={words.noneHelp}>{has('doctor', 'head', 'nurse') && <EmergencyByNumber find={asked} />}</Nothing>
          : <><p>{words.found(found.length)}</p><PatientTable rows={found} none={words.none} /></>)}
      </div>
    </section>
  );
}

function rulesOf(kind: Kind) {
  const needed = { required: true, whitespace: true, message: words.needed };
  if (kind !== 'residentId') return [needed];
  const check = (_: unknown, value: string) => (!value || RESIDENT_ID.test(value.trim()) ? Promise.resolve() : Promise.reject(new Error(words.badResident)));
  return [needed, { validator: check }];
}
