/** Shows what is about to be signed, line by line as the service made it from what is signed, and signs it with a passkey. */

import { KeyOutlined } from '@ant-design/icons';
import { Alert, Button } from 'antd';
import { signing } from '../api/calls';
import type { Wanted } from '../api/types';
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
  const over = error !== null;
  return (
    <Shown of={loaded}>
      {({ challenge, rpId, credentials, says }) => (
        <>
          <p>{words.help}</p>
          <dl className="signed">{says.map(({ label, text }) => <div key={label}><dt>{label}</dt><dd>{text}</dd></div>)}</dl>
          {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
          {over
            ? <Button type="primary" block onClick={() => { run(async () => undefined); loaded.reload(); }}>{words.again}</Button>
            : <Button type="primary" block icon={<KeyOutlined aria-hidden />} loading={busy || loaded.loading} onClick={() => run(async () => { await signing.sign(await signWith(challenge, rpId, credentials)); done(); })}>{words.sign}</Button>}
          {byLogin && over && <Button block className="after" loading={busy} onClick={() => run(async () => { await byLogin(); done(); })}>{words.byLogin}</Button>}
          <Button block className="after" onClick={back}>{words.back}</Button>
        </>
      )}
    </Shown>
  );
}
