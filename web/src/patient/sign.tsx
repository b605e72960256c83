/** Shows what is about to be signed, line by line as the service made it from what is signed, and signs it with a passkey. */

import { KeyOutlined } from '@ant-design/icons';
import { Alert, Button } from 'antd';
import { useRef } from 'react';
import { signing } from '../api/calls';
import { Failure } from '../api/client';
import type { Assertion, Wanted } from '../api/types';
import { useLoad } from '../shared/load';
import { useSubmit } from '../shared/session';
import { Shown } from '../shared/states';
import { signWith } from '../shared/webauthn';
import { T } from './texts';

const words = T.sign;

interface Props {
  wanted: Wanted;
  /** What stops data can also be said by the login alone: the device may be lost. */
  byLogin?: () => Promise<void>;
  done: () => void;
  back: () => void;
}

export function Sign({ wanted, byLogin, done, back }: Props) {
  const loaded = useLoad(`signing ${JSON.stringify(wanted)}`, () => signing.prepare(wanted));
  const [error, busy, run] = useSubmit();
  // A signature whose answer was lost may have been recorded: it is sent again, and nothing is signed a second time.
  const unanswered = useRef<Assertion | null>(null);
  const over = error !== null;
  const sign = (ask: () => Promise<Assertion>) => run(async () => {
    const signed = await ask();
    unanswered.current = signed;
    await signing.sign(signed).catch((failed: unknown) => {
      if (!(failed instanceof Failure) || failed.status !== 0) unanswered.current = null;
      throw failed;
    });
    done();
  });
  const again = () => {
    const signed = unanswered.current;
    if (signed) return sign(async () => signed);
    run(async () => undefined);
    loaded.reload();
  };
  return (
    <Shown of={loaded}>
      {({ challenge, rpId, credentials, says }) => (
        <>
          <p>{words.help}</p>
          <dl className="signed">{says.map(({ label, text }) => <div key={label}><dt>{label}</dt><dd>{text}</dd></div>)}</dl>
          {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
          {over
            ? <Button type="primary" block loading={busy} onClick={again}>{words.again}</Button>
            : <Button type="primary" block icon={<KeyOutlined aria-hidden />} loading={busy || loaded.loading} onClick={() => sign(() => signWith(challenge, rpId, credentials))}>{words.sign}</Button>}
          {byLogin && over && <Button block className="after" loading={busy} onClick={() => run(async () => { await byLogin(); done(); })}>{words.byLogin}</Button>}
          <Button block className="after" onClick={back}>{words.back}</Button>
        </>
      )}
    </Shown>
  );
}
