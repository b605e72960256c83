/** Passkeys of a patient who is present: those that there are, enrolling one by a one-time code, taking out a lost one. */

import { Alert, Button, DatePicker, Form, Input, Modal, Popconfirm, QRCode, Radio, Table, type TableColumnsType } from 'antd';
import dayjs, { type Dayjs } from 'dayjs';
import { useEffect, useState } from 'react';
import { passkeys } from '../api/calls';
import type { BegunEnrolment, Passkey, Patient } from '../api/types';
import { beijing, childhood, dateTime, lastDay, today } from '../shared/format';
import { useEvery, useLoad } from '../shared/load';
import { useSubmit } from '../shared/session';
import { Shown } from '../shared/states';
import { T as S } from '../shared/texts';
import { T } from './texts';

const words = T.passkeys;
const LOOK_EVERY_MS = 2_000;

export function PasskeyButton({ patient }: { patient: Patient }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button onClick={() => setOpen(true)}>{words.open}</Button>
      {open && <PasskeyDialog patient={patient} close={() => setOpen(false)} />}
    </>
  );
}

function PasskeyDialog({ patient, close }: { patient: Patient; close: () => void }) {
  const { subject } = patient;
  const loaded = useLoad(`passkeys ${subject}`, passkeys(subject).list);
  const [begun, setBegun] = useState<BegunEnrolment | null>(null);
  const known = loaded.value?.items.length ?? 0;
  const [before, setBefore] = useState(0);
  const done = begun !== null && known > before;
  useEvery(LOOK_EVERY_MS, begun !== null && !done, loaded.reload);
  const begin = (enrolment: BegunEnrolment) => { setBefore(known); setBegun(enrolment); };
  return (
    <Modal open title={words.title} width={760} onCancel={close} mask={{ closable: false }} footer={<Button type={done ? 'primary' : 'default'} onClick={close}>{S.close}</Button>}>
      <Shown of={loaded}>
        {({ items, available }) => (
          <>
            <Table<Passkey> size="small" rowKey="id" pagination={false} columns={columns(subject, loaded.put)} dataSource={items} locale={{ emptyText: words.none }} />
            {!available && <Alert className="after" type="warning" showIcon title={words.unavailable} />}
            {done && <Alert className="after" type="success" showIcon title={words.enrolled} />}
            {begun && !done && <Code of={begun} over={() => setBegun(null)} />}
            {available && begun === null && <Begin patient={patient} done={begin} />}
          </>
        )}
      </Shown>
    </Modal>
  );
}

const columns = (subject: string, put: (value: Awaited<ReturnType<ReturnType<typeof passkeys>['list']>>) => void): TableColumnsType<Passkey> => [
  { title: words.since, render: (_, { since }) => dateTime(since) },
  { title: words.whose, render: (_, { guardian, until }) => (!guardian ? words.patient : until === null ? words.guardian : words.guardianUntil(lastDay(until))) },
  { title: words.voucher, render: (_, { voucher }) => voucher.name },
  { title: words.stage, render: (_, { stage }) => S.passkeyStage[stage] },
  { key: 'retire', align: 'right', render: (_, passkey) => passkey.stage === 'stands' && <Retire subject={subject} of={passkey} put={put} /> },
];

function Retire({ subject, of, put }: { subject: string; of: Passkey; put: Parameters<typeof columns>[1] }) {
  const [error, busy, run] = useSubmit();
  const retire = () => run(async () => put(await passkeys(subject).retire(of.id)));
  return (
    <>
      <Popconfirm title={words.retireAsk} okText={words.retireYes} cancelText={S.cancel} onConfirm={retire}><Button size="small" danger loading={busy}>{words.retire}</Button></Popconfirm>
      {error && <Alert role="alert" type="error" showIcon title={error} />}
    </>
  );
}

interface Seen {
  guardian: boolean;
  until?: Dayjs | null;
  identifiedBy: string;
}

function Begin({ patient, done }: { patient: Patient; done: (enrolment: BegunEnrolment) => void }) {
  const [form] = Form.useForm<Seen>();
  const last = childhood(patient.birthDate);
  const guardian = Form.useWatch('guardian', form) ?? false;
  const [error, busy, run] = useSubmit();
  const begin = ({ identifiedBy, until }: Seen) => run(async () => {
    const end = guardian && until ? beijing(until.add(1, 'day').format('YYYY-MM-DDT00:00')) : null;
    done(await passkeys(patient.subject).begin({ identifiedBy, guardian, until: end }));
  });
  const whose = (event: { guardian?: boolean }) => {
    if (event.guardian !== undefined) form.setFieldValue('identifiedBy', event.guardian ? words.guardianCard : words.card);
  };
  return (
    <Form<Seen> form={form} layout="vertical" requiredMark={false} className="after" onFinish={begin} onValuesChange={whose} initialValues={{ guardian: false, until: last && dayjs(last), identifiedBy: words.card }}>
      <Form.Item name="guardian" label={words.whoIsHere}>
        <Radio.Group options={[{ value: false, label: words.patient }, { value: true, label: words.guardian }]} />
      </Form.Item>
      {guardian && (
        <Form.Item name="until" label={words.until} extra={words.untilHelp}>
          <DatePicker minDate={dayjs(today())} />
        </Form.Item>
      )}
      <Form.Item name="identifiedBy" label={words.identifiedBy} extra={guardian ? words.guardianHelp : words.identifiedHelp} rules={[{ required: true, whitespace: true, message: words.identifiedNeeded }]}>
        <Input maxLength={80} />
      </Form.Item>
      {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
      <Button type="primary" htmlType="submit" loading={busy}>{words.begin}</Button>
    </Form>
  );
}

/** The code, to be scanned or typed, until it is over. */
function Code({ of, over }: { of: BegunEnrolment; over: () => void }) {
  useEffect(() => {
    const timer = setTimeout(over, Math.max(0, Date.parse(of.expiresAt) - Date.now()));
    return () => clearTimeout(timer);
  }, [of]);
  const digits = of.code.replace(/(\d{4})(?=\d)/g, '$1 ');
  return (
    <div className="enrolment after">
      <QRCode value={of.address} size={176} type="svg" errorLevel="M" />
      <div>
        <p>{words.scan}</p>
        <p><b className="code big">{digits}</b></p>
        <p className="quiet">{words.typed(of.address.split('#')[0] ?? '')}</p>
        <p className="quiet">{words.codeUntil(dateTime(of.expiresAt).slice(11))}</p>
      </div>
    </div>
  );
}
