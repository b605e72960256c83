/** Who is signed in: signing in, the forced change of password, and pages that are not for everybody. */

import { KeyOutlined } from '@ant-design/icons';
import { Alert, Button, Card, Divider, Form, Input, Result } from 'antd';
import { createContext, useContext, useEffect, useState, type ReactNode } from 'react';
import { session as calls } from '../api/calls';
import { Failure, sessionEnded } from '../api/client';
import type { Session } from '../api/types';
import { useLoad } from './load';
import { nameOf } from './format';
import { Failed, Waiting } from './states';
import { T } from './texts';
import { isKept, mayLeave, onlyOf } from './unsaved';
import { hasPasskeys, signWith } from './webauthn';

interface SignedIn {
  session: Session;
  has: (...roles: string[]) => boolean;
  signOut: () => void;
}

const Context = createContext<SignedIn | null>(null);

/** The session; only below [`SignedInOnly`]. */
export function useSession(): SignedIn {
  const found = useContext(Context);
  if (found === null) throw new Error('no session above this component');
  return found;
}

/** Which page belongs to a role, for somebody who came to the wrong one. */
const PAGE_OF: Record<string, string> = {
  doctor: './', head: './', nurse: './', 'referral-office': './', desk: './', 'medical-affairs': './', it: './',
  patient: './patient', bureau: './', operator: './',
};

interface Door {
  title: string;
  roles: string[];
  /** Whether passkeys open it, too. */
  byPasskey?: boolean;
  /** What else is offered to who is not signed in. */
  also?: ReactNode;
  children: ReactNode;
}

/** Shows its children to somebody with one of `roles`, and signs in everybody else first. */
export function SignedInOnly({ title, roles, byPasskey = false, also, children }: Door) {
  const loaded = useLoad('session', (signal) => calls.get(signal).catch(nobody));
  useEffect(() => {
    const ended = new AbortController();
    sessionEnded.addEventListener('ended', loaded.reload, ended);
    // In another tab somebody may have signed out, and somebody else in.
    window.addEventListener('focus', loaded.reload, ended);
    return () => ended.abort();
  }, [loaded.reload]);
  const session = loaded.value;
  const login = session === null || session === 'nobody' ? null : session.login;
  useEffect(() => { if (login !== null) onlyOf(login); }, [login]);
  if (session === null) {
    return <Gate title={title}>{loaded.error ? <Failed error={loaded.error} retry={loaded.reload} /> : <Waiting rows={3} />}</Gate>;
  }
  const signOut = () => {
    // Nothing of the page is there any more when the address changes: it would ask for what nobody may see.
    if (mayLeave()) void calls.signOut().finally(() => { loaded.put('nobody'); window.location.hash = ''; loaded.reload(); });
  };
  if (session === 'nobody') return <Gate title={title}>{byPasskey && <PasskeySignIn done={loaded.reload} />}<SignIn done={loaded.put} />{also && <p className="also">{also}</p>}</Gate>;
  if (session.mustChangePassword) {
    return <Gate title={title}><ChangePassword done={loaded.reload} signOut={signOut} /></Gate>;
  }
  const has = (...some: string[]) => some.some((role) => session.roles.includes(role));
  if (!has(...roles)) return <Gate title={title}><WrongPage session={session} signOut={signOut} /></Gate>;
  return <Context key={session.login} value={{ session, has, signOut }}>{children}</Context>;
}

function nobody(error: unknown): 'nobody' {
  if (error instanceof Failure && error.status === 401) return 'nobody';
  throw error;
}

function Gate({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className="gate">
      <Card className="gate-card">
        <h1><span className="brand">{T.product}</span>{title}</h1>
        {children}
      </Card>
    </main>
  );
}

/** Offered where the region has passkeys and the browser, too. */
function PasskeySignIn({ done }: { done: () => void }) {
  const offer = useLoad('sign-in challenge', calls.challenge);
  const [error, busy, run] = useSubmit();
  if (!offer.value?.rpId || !hasPasskeys()) return null;
  const signIn = () => run(async () => {
    // Another one each time: one that was answered opens nothing any more.
    const { challenge, rpId } = await calls.challenge();
    if (rpId === null) return;
    await calls.signInByPasskey({ challenge, assertion: await signWith(challenge, rpId) });
    done();
  });
  return (
    <section className="by-passkey">
      <Button type="primary" block icon={<KeyOutlined aria-hidden />} loading={busy} onClick={signIn}>{T.signIn.byPasskey}</Button>
      {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
      <Divider plain>{T.signIn.or}</Divider>
    </section>
  );
}

function SignIn({ done }: { done: (session: Session) => void }) {
  const [error, busy, run] = useSubmit();
  return (
    <Form layout="vertical" requiredMark={false} onFinish={(values) => run(async () => done(await calls.signIn(values)))}>
      {isKept() && <Alert className="failed" type="info" showIcon title={T.signIn.kept} description={T.signIn.keptHelp} />}
      {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
      <Form.Item name="login" label={T.signIn.login} rules={[{ required: true, message: T.signIn.needed(T.signIn.login) }]}>
        <Input autoComplete="username" autoCapitalize="off" spellCheck={false} maxLength={64} autoFocus />
      </Form.Item>
      <Form.Item name="password" label={T.signIn.password} rules={[{ required: true, message: T.signIn.needed(T.signIn.password) }]}>
        <Input.Password autoComplete="current-password" maxLength={256} />
      </Form.Item>
      <Button type="primary" htmlType="submit" block loading={busy}>{T.signIn.submit}</Button>
    </Form>
  );
}

interface PasswordForm {
  current: string;
  next: string;
  again: string;
}

function ChangePassword({ done, signOut }: { done: () => void; signOut: () => void }) {
  const [error, busy, run] = useSubmit();
  const change = ({ current, next }: PasswordForm) => run(async () => { await calls.changePassword({ current, next }); done(); });
  const words = T.signIn;
  return (
    <Form<PasswordForm> layout="vertical" requiredMark={false} onFinish={change}>
      <Alert className="failed" type="info" showIcon title={words.changeTitle} description={words.changeHelp} />
      {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
      <Form.Item name="current" label={words.current} rules={[{ required: true, message: words.needed(words.current) }]}>
        <Input.Password autoComplete="current-password" maxLength={256} autoFocus />
      </Form.Item>
      <Form.Item name="next" label={words.next} rules={[{ required: true, min: 10, message: words.tooShort }]}>
        <Input.Password autoComplete="new-password" maxLength={256} />
      </Form.Item>
      <Form.Item
        name="again" label={words.again} dependencies={['next']}
        rules={[{ required: true, message: words.needed(words.again) }, ({ getFieldValue }) => ({
          validator: (_, value) => (value === getFieldValue('next') ? Promise.resolve() : Promise.reject(new Error(words.differ))),
        })]}
      >
        <Input.Password autoComplete="new-password" maxLength={256} />
      </Form.Item>
      <Button type="primary" htmlType="submit" block loading={busy}>{words.save}</Button>
      <Button type="link" block onClick={signOut}>{words.out}</Button>
    </Form>
  );
}

function WrongPage({ session, signOut }: { session: Session; signOut: () => void }) {
  const role = session.roles[0] ?? '';
  const page = PAGE_OF[role];
  return (
    <Result
      status="warning" title={T.signIn.wrongPage} subTitle={T.signIn.wrongPageHelp(nameOf(T.personRole, role))}
      extra={[page && <Button key="go" type="primary" href={page}>{T.signIn.goTo}</Button>, <Button key="out" onClick={signOut}>{T.signIn.out}</Button>]}
    />
  );
}

/** Runs what a form or a button asks for, once at a time: its failure as a sentence, whether it runs, and how to start it. */
export function useSubmit(): [string | null, boolean, (work: () => Promise<void>) => void] {
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const run = (work: () => Promise<void>) => {
    if (busy) return;
    setBusy(true);
    setError(null);
    work().catch((failed: Error) => setError(failed.message)).finally(() => setBusy(false));
  };
  return [error, busy, run];
}
