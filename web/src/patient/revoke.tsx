/** Asks before a consent is taken back, and says what that does and does not do. */

import { Alert, App, Button, Drawer } from 'antd';
import { useState, type ReactNode } from 'react';
import { consents } from '../api/calls';
import type { Consent } from '../api/types';
import { useSubmit } from '../shared/session';
import { whoOf } from './consents';
import { WouldChange } from './explain';
import { Sign } from './sign';
import { T } from './texts';

const words = T.consents;

interface Props {
  of: Consent;
  /** Whether the patient signs with a passkey. */
  signs: boolean;
  close: () => void;
  done: () => void;
}

export function RevokeSheet({ of, signs, close, done }: Props) {
  const { message } = App.useApp();
  const [signing, setSigning] = useState(false);
  const [error, busy, run] = useSubmit();
  const permit = of.stance === 'permit';
  const finish = () => { message.success(permit ? words.done : words.lifted); close(); done(); };
  const byLogin = async () => { await consents(null).revoke(of.id, { reason: 'patient-wish' }); };
  const revoke = () => (signs ? setSigning(true) : run(async () => { await byLogin(); finish(); }));
  if (signing) {
    const wanted = { revoke: { id: of.id, reason: 'patient-wish' as const } };
    return <BottomSheet title={T.sign.title} close={close}><Sign wanted={wanted} {...(permit && { byLogin })} done={finish} back={close} /></BottomSheet>;
  }
  return (
    <BottomSheet title={permit ? words.revokeTitle(whoOf(of)) : words.liftTitle(whoOf(of))} close={close}>
      <Effects of={permit ? words.revokeEffects : words.liftEffects} />
      <WouldChange wanted={{ revoke: { id: of.id, reason: 'patient-wish' } }} />
      {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
      <Button type="primary" danger={permit} block loading={busy} onClick={revoke}>{permit ? words.yes : words.yesLift}</Button>
      <Button block className="after" onClick={close}>{words.no}</Button>
    </BottomSheet>
  );
}

/** Everything that was permitted at once: what stops data needs no passkey. */
export function RevokeAllSheet({ close, done }: { close: () => void; done: () => void }) {
  const { message } = App.useApp();
  const [error, busy, run] = useSubmit();
  const revoke = () => run(async () => {
    const { permits } = await consents(null).end({ reason: 'patient-wish' });
    message.success(words.revokedAll(permits));
    close();
    done();
  });
  return (
    <BottomSheet title={words.revokeAllTitle} close={close}>
      <Effects of={words.revokeEffects} />
      {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
      <Button type="primary" danger block loading={busy} onClick={revoke}>{words.yes}</Button>
      <Button block className="after" onClick={close}>{words.no}</Button>
    </BottomSheet>
  );
}

/** What happens then, point by point. */
export const Effects = ({ of }: { of: string[] }) => <ul className="effects">{of.map((effect) => <li key={effect}>{effect}</li>)}</ul>;

/** A sheet that comes up from below, where the thumb is. */
export function BottomSheet({ title, close, children }: { title: string; close: () => void; children: ReactNode }) {
  return (
    <Drawer open placement="bottom" size="auto" title={title} onClose={close} rootClassName="bottom-sheet" destroyOnHidden>
      {children}
    </Drawer>
  );
}
