/** The patient's passkeys: since when, who vouched for them, and taking one out. */

import { KeyOutlined } from '@ant-design/icons';
import { Alert, App, Button } from 'antd';
import { useState } from 'react';
import { passkeys } from '../api/calls';
import type { Passkey } from '../api/types';
import { date, lastDay, longDate } from '../shared/format';
import { useLoad } from '../shared/load';
import { useSubmit } from '../shared/session';
import { Nothing, Shown } from '../shared/states';
import { T as S } from '../shared/texts';
import { enrolAddress } from './enrol';
import { BottomSheet, Effects } from './revoke';
import { T } from './texts';

const words = T.passkeys;

export function Passkeys() {
  const loaded = useLoad('my passkeys', passkeys(null).list);
  const [retiring, setRetiring] = useState<Passkey | null>(null);
  return (
    <Shown of={loaded}>
      {({ items, available }) => (
        <>
          <h1>{words.title}</h1>
          <p className="quiet">{words.help}</p>
          {items.length === 0 ? <Nothing title={words.empty} help={available ? words.emptyHelp : words.unavailable} /> : (
            <section>{items.map((passkey) => <PasskeyCard key={passkey.id} of={passkey} retire={() => setRetiring(passkey)} />)}</section>
          )}
          {available && <Button block href={enrolAddress} onClick={() => window.location.assign(enrolAddress)}>{words.enrol}</Button>}
          {retiring && <RetireSheet of={retiring} close={() => setRetiring(null)} done={loaded.reload} />}
        </>
      )}
    </Shown>
  );
}

function PasskeyCard({ of, retire }: { of: Passkey; retire: () => void }) {
  const over = of.stage === 'revoked' || of.stage === 'refused' || of.stage === 'over';
  const whose = [of.guardian && words.guardian, of.until !== null && words.until(longDate(lastDay(of.until)))].filter(Boolean).join('，');
  return (
    <article className={`card${over ? ' over' : ''}`}>
      <h3><KeyOutlined className={of.stage === 'stands' ? 'good' : ''} aria-hidden /><span>{S.passkeyStage[of.stage]}</span></h3>
      <p className="quiet">{words.vouched(longDate(date(of.since)), of.voucher.name)}{whose !== '' && <><br />{whose}</>}</p>
      {of.stage === 'stands' && <Button block danger onClick={retire}>{words.retire}</Button>}
    </article>
  );
}

function RetireSheet({ of, close, done }: { of: Passkey; close: () => void; done: () => void }) {
  const { message } = App.useApp();
  const [error, busy, run] = useSubmit();
  const retire = () => run(async () => {
    await passkeys(null).retire(of.id);
    message.success(words.retired);
    close();
    done();
  });
  return (
    <BottomSheet title={words.retireTitle} close={close}>
      <Effects of={words.retireEffects} />
      {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
      <Button type="primary" danger block loading={busy} onClick={retire}>{words.yes}</Button>
      <Button block className="after" onClick={close}>{words.no}</Button>
    </BottomSheet>
  );
}
