/**
 * Makes a passkey on the patient's own device, by the one-time code that the desk gave: scanned, or typed.
 *
 * The code comes in the fragment of the address and is taken out of it at once, so that it stays in no history.
 */

import { CheckCircleFilled, KeyOutlined } from '@ant-design/icons';
import { Alert, Button, Card, Form, Input, Result } from 'antd';
import { useEffect, useState } from 'react';
import { enrolment } from '../api/calls';
import type { EnrolmentOptions } from '../api/types';
import { useSubmit } from '../shared/session';
import { T as S } from '../shared/texts';
import { makePasskey } from '../shared/webauthn';
import { Effects } from './revoke';
import { T } from './texts';

const words = T.enrol;
const PREFIX = '#enrol=';

/** The code of this address; none if there is none. Without digits it is to be typed. */
export function takeCode(): string | null {
  const { hash } = window.location;
  if (!hash.startsWith(PREFIX)) return null;
  window.history.replaceState(null, '', '#');
  return hash.slice(PREFIX.length).replace(/\D/g, '');
}

/** The address at which a code is typed. */
export const enrolAddress = PREFIX;

export function Enrol({ code: scanned, done }: { code: string; done: () => void }) {
  const [code, setCode] = useState(scanned);
  const [options, setOptions] = useState<EnrolmentOptions | null>(null);
  const [made, setMade] = useState(false);
  const [error, busy, run] = useSubmit();
  const open = (typed: string) => run(async () => {
    setCode(typed);
    setOptions(await enrolment.open({ code: typed }));
  });
  useEffect(() => { if (scanned !== '') open(scanned); }, [scanned]);
  const make = (from: EnrolmentOptions) => run(async () => {
    await enrolment.finish({ code, ...await makePasskey(from) });
    setMade(true);
  });
  return (
    <main className="gate">
      <Card className="gate-card">
        <h1><span className="brand">{S.product}</span>{words.title}</h1>
        {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
        {made ? <Made done={done} /> : options ? <Make of={options} busy={busy} make={() => make(options)} /> : <Code code={code} busy={busy} open={open} />}
        {!made && <Button type="link" block className="after" onClick={done}>{words.back}</Button>}
      </Card>
    </main>
  );
}

function Code({ code, busy, open }: { code: string; busy: boolean; open: (code: string) => void }) {
  const digits = (typed: string | undefined) => (typed ?? '').replace(/\D/g, '');
  const rule = { validator: (_: unknown, typed?: string) => (digits(typed).length === 12 ? Promise.resolve() : Promise.reject(new Error(words.codeNeeded))) };
  return (
    <Form<{ code: string }> layout="vertical" requiredMark={false} initialValues={{ code }} onFinish={(typed) => open(digits(typed.code))}>
      <p className="quiet">{words.codeHelp}</p>
      <Form.Item name="code" label={words.code} rules={[rule]} validateTrigger="onSubmit" className="after">
        <Input inputMode="numeric" autoComplete="one-time-code" maxLength={17} placeholder="0000 0000 0000" className="code" autoFocus />
      </Form.Item>
      <Button type="primary" htmlType="submit" block loading={busy}>{words.open}</Button>
    </Form>
  );
}

function Make({ of, busy, make }: { of: EnrolmentOptions; busy: boolean; make: () => void }) {
  return (
    <>
      <p>{of.guardian ? words.whoseWard(of.patient, of.hospital) : words.whose(of.patient, of.hospital)}</p>
      <Effects of={words.effects} />
      <Button type="primary" block icon={<KeyOutlined aria-hidden />} loading={busy} onClick={make}>{words.make}</Button>
    </>
  );
}

const Made = ({ done }: { done: () => void }) => (
  <Result className="made" icon={<CheckCircleFilled className="good" />} title={words.done} subTitle={words.doneHelp} extra={<Button type="primary" block onClick={done}>{words.signIn}</Button>} />
);
