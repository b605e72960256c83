/** Lets one hospital see the record: choose, read the notice, and confirm, by passkey if the patient has one. */

import { CheckCircleOutlined } from '@ant-design/icons';
import { Alert, App, Button, Checkbox, Radio } from 'antd';
import dayjs from 'dayjs';
import { useState } from 'react';
import { consents, notice as noticeCall } from '../api/calls';
import type { NewConsent, Notice, Region } from '../api/types';
import { beijing, today } from '../shared/format';
import { useSubmit } from '../shared/session';
import { WouldChange } from './explain';
import { BottomSheet } from './revoke';
import { Sign } from './sign';
import { T } from './texts';

const words = T.permit;
const DAYS = [30, 90, 365];

interface Props {
  region: Region;
  /** Whether the patient signs with a passkey. */
  signs: boolean;
  done: () => void;
}

export function Permit(props: Props) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button block type="primary" icon={<CheckCircleOutlined aria-hidden />} disabled={!props.region.registry.connected} onClick={() => setOpen(true)}>{words.open}</Button>
      {open && <PermitSheet {...props} close={() => setOpen(false)} />}
    </>
  );
}

/** What is to be consented to, with the notice that was shown for it. */
interface Told {
  consent: NewConsent;
  notice: Notice;
}

function PermitSheet({ region, signs, done, close }: Props & { close: () => void }) {
  const { message } = App.useApp();
  const [told, setTold] = useState<Told | null>(null);
  const [read, setRead] = useState(false);
  const [error, busy, run] = useSubmit();
  const finish = () => { message.success(words.done); close(); done(); };
  const back = () => { setTold(null); setRead(false); };
  const byLogin = (consent: NewConsent) => run(async () => { await consents(null).record(consent); finish(); });
  return (
    <BottomSheet title={read ? T.sign.title : words.title} close={close}>
      {told === null && <Choose region={region} done={setTold} />}
      {told && !read && (
        <>
          <div className="notice-text">{told.notice.paragraphs.map((paragraph) => <p key={paragraph}>{paragraph}</p>)}</div>
          <WouldChange wanted={{ consent: told.consent }} />
          {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
          <Button type="primary" block loading={busy} onClick={() => (signs ? setRead(true) : byLogin(told.consent))}>{signs ? words.readSign : words.readSubmit}</Button>
          <Button block className="after" onClick={back}>{words.back}</Button>
        </>
      )}
      {told && read && <Sign wanted={{ consent: told.consent }} done={finish} back={back} />}
    </BottomSheet>
  );
}

function Choose({ region, done }: { region: Region; done: (told: Told) => void }) {
  const [organisation, setOrganisation] = useState<string | null>(null);
  const [days, setDays] = useState(90);
  const [sensitive, setSensitive] = useState(false);
  const [error, busy, run] = useSubmit();
  const options = region.members.filter(({ roles, suspended }) => roles.includes('custodian') && !suspended).map(({ code, name }) => ({ value: code, label: name }));
  const next = () => run(async () => {
    if (organisation === null) return;
    const validUntil = beijing(dayjs(today()).add(days + 1, 'day').format('YYYY-MM-DDT00:00'));
    const what = { organisation, classes: [], purposes: ['treatment'], validUntil };
    const notice = await noticeCall({ ...what, sensitive });
    const consent: NewConsent = {
      ...what, stance: 'permit', sensitivities: sensitive ? [] : ['normal'], basis: 'separate-consent',
      notice: { version: notice.version }, evidence: { sheet: '', identifiedBy: '' },
    };
    done({ consent, notice });
  });
  return (
    <>
      <p>{words.help}</p>
      <Radio.Group className="hospitals" vertical aria-label={words.choose} options={options} value={organisation} onChange={(event) => setOrganisation(event.target.value)} />
      <h3>{words.until}</h3>
      <Radio.Group block optionType="button" aria-label={words.until} options={DAYS.map((value) => ({ value, label: words.days(value) }))} value={days} onChange={(event) => setDays(event.target.value)} />
      <Checkbox className="after" checked={sensitive} onChange={(event) => setSensitive(event.target.checked)}>{words.sensitive}</Checkbox>
      {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
      <Button type="primary" block className="after" loading={busy} disabled={organisation === null} onClick={next}>{words.next}</Button>
    </>
  );
}
