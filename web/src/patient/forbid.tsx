/**
 * Forbids one hospital to see the record.
 *
 * Not here: forbidding everybody at once. A forbid of all can be lifted only by passkey (C-13), which the pages do not take.
 */

import { StopOutlined } from '@ant-design/icons';
import { Alert, App, Button, Radio } from 'antd';
import { useState } from 'react';
import { consents, notice } from '../api/calls';
import type { Consent, Region } from '../api/types';
import { useSubmit } from '../shared/session';
import { BottomSheet, Effects } from './revoke';
import { T } from './texts';

const words = T.forbid;

interface Props {
  region: Region;
  forbidden: Consent[];
  done: () => void;
}

export function Forbid(props: Props) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button block icon={<StopOutlined aria-hidden />} disabled={!props.region.registry.connected} onClick={() => setOpen(true)}>{words.open}</Button>
      {open && <ForbidSheet {...props} close={() => setOpen(false)} />}
    </>
  );
}

function ForbidSheet({ region, forbidden, done, close }: Props & { close: () => void }) {
  const { message } = App.useApp();
  const [organisation, setOrganisation] = useState<string | null>(null);
  const [error, busy, run] = useSubmit();
  const isForbidden = (code: string) => forbidden.some(({ grantee }) => grantee.organisation === code);
  const options = region.members.filter(({ roles }) => roles.includes('custodian'))
    .map(({ code, name }) => ({ value: code, label: isForbidden(code) ? `${name}（${words.already}）` : name, disabled: isForbidden(code) }));
  const forbid = () => run(async () => {
    if (organisation === null) return;
    await record(organisation);
    message.success(words.done);
    close();
    done();
  });
  return (
    <BottomSheet title={words.title} close={close}>
      <p>{words.help}</p>
      <Radio.Group className="hospitals" vertical aria-label={words.choose} options={options} value={organisation} onChange={(event) => setOrganisation(event.target.value)} />
      {organisation === region.me.code && <Alert className="failed" type="warning" showIcon title={words.own(region.me.name)} />}
      <Effects of={words.effects} />
      {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
      <Button type="primary" danger block loading={busy} disabled={organisation === null} onClick={forbid}>{words.submit}</Button>
    </BottomSheet>
  );
}

/** Everything, for every purpose, without end: an empty list narrows nothing (C-5). */
async function record(organisation: string): Promise<void> {
  const everything = { classes: [], purposes: [], sensitive: true, validUntil: null };
  const { version } = await notice({ organisation, ...everything });
  await consents(null).record({
    stance: 'forbid', organisation, ...everything, sensitivities: [], basis: 'objection', notice: { version }, evidence: { sheet: '', identifiedBy: '' },
  });
}
