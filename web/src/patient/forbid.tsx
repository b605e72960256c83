/** Forbids one hospital to see the record, or all of them; the latter by passkey only, for nothing else could lift it (C-13). */

import { StopOutlined } from '@ant-design/icons';
import { Alert, App, Button, Checkbox, Radio } from 'antd';
import { useState } from 'react';
import { consents, notice } from '../api/calls';
import type { Consent, NewConsent, Region } from '../api/types';
import { useSubmit } from '../shared/session';
import { T as S } from '../shared/texts';
import { BottomSheet, Effects } from './revoke';
import { Sign } from './sign';
import { T } from './texts';

const words = T.forbid;

interface Props {
  region: Region;
  forbidden: Consent[];
  /** Whether the patient signs with a passkey. */
  signs: boolean;
  done: () => void;
}

/** Stands for every hospital among the choices; no member has such a code. */
const ALL = '*';

export function Forbid(props: Props) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button block icon={<StopOutlined aria-hidden />} disabled={!props.region.registry.connected} onClick={() => setOpen(true)}>{words.open}</Button>
      {open && <ForbidSheet {...props} close={() => setOpen(false)} />}
    </>
  );
}

function ForbidSheet({ region, forbidden, signs, done, close }: Props & { close: () => void }) {
  const { message } = App.useApp();
  const [organisation, setOrganisation] = useState<string | null>(null);
  const [emergency, setEmergency] = useState(false);
  const [wanted, setWanted] = useState<NewConsent | null>(null);
  const [error, busy, run] = useSubmit();
  const isForbidden = (code: string) => forbidden.some(({ grantee }) => (grantee.organisation ?? ALL) === code);
  const hospitals = region.members.filter(({ roles }) => roles.includes('custodian')).map(({ code, name }) => ({ code, name }));
  const choices = signs ? [...hospitals, { code: ALL, name: words.all }] : hospitals;
  const options = choices.map(({ code, name }) => ({ value: code, label: isForbidden(code) ? `${name}（${words.already}）` : name, disabled: isForbidden(code) }));
  const finish = () => { message.success(words.done); close(); done(); };
  const forbid = () => run(async () => {
    if (organisation === null) return;
    const consent = await forbidOf(organisation === ALL ? null : organisation, emergency);
    if (signs) setWanted(consent);
    else { await consents(null).record(consent); finish(); }
  });
  if (wanted) {
    const byLogin = async () => { await consents(null).record(wanted); };
    return <BottomSheet title={T.sign.title} close={close}><Sign wanted={{ consent: wanted }} {...(wanted.organisation && { byLogin })} done={finish} back={() => setWanted(null)} /></BottomSheet>;
  }
  return (
    <BottomSheet title={words.title} close={close}>
      <p>{words.help}</p>
      <Radio.Group className="hospitals" vertical aria-label={words.choose} options={options} value={organisation} onChange={(event) => setOrganisation(event.target.value)} />
      {organisation === ALL && <Alert className="failed" type="warning" showIcon title={words.allHelp} />}
      {!signs && organisation === region.me.code && <Alert className="failed" type="warning" showIcon title={words.own(region.me.name)} />}
      <Checkbox className="after" checked={emergency} onChange={(event) => setEmergency(event.target.checked)}>{words.emergency}</Checkbox>
      {emergency && <Alert className="failed" type="warning" showIcon title={words.emergencyHelp} />}
      <Effects of={emergency ? words.effects : [...words.effects, words.spared]} />
      {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
      <Button type="primary" danger block loading={busy} disabled={organisation === null} onClick={forbid}>{words.submit}</Button>
    </BottomSheet>
  );
}

/** Everything, for every purpose, without end: an empty list narrows nothing (C-5), but emergencies have to be named (D-8). */
async function forbidOf(organisation: string | null, emergency: boolean): Promise<NewConsent> {
  const everything = { classes: [], purposes: [], sensitive: true, validUntil: null };
  const { version } = await notice({ organisation, ...everything });
  const { sensitive: _, ...terms } = everything;
  return { stance: 'forbid', organisation, ...terms, purposes: emergency ? Object.keys(S.purpose) : [], sensitivities: [], basis: 'objection', notice: { version }, evidence: { sheet: '', identifiedBy: '' } };
}
