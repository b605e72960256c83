/** Gives a patient who is present an account for the patients' page. */

import { Alert, Button, Descriptions, Modal } from 'antd';
import { useState, type FC, type ReactNode } from 'react';
import { patients } from '../api/calls';
import type { PatientAccount } from '../api/types';
import { useSubmit } from '../shared/session';
import { T } from './texts';

const words = T.account;

export function AccountButton({ subject }: { subject: string }) {
  const [open, setOpen] = useState(false);
  const [made, setMade] = useState<PatientAccount | null>(null);
  const [error, busy, run] = useSubmit();
  const close = () => { setOpen(false); setMade(null); };
  const make = () => run(async () => setMade(await patients.account(subject)));
  const ok = made === null ? { okText: words.confirm, onOk: make } : { okText: words.done, onOk: close, footer: (_: ReactNode, { OkBtn }: { OkBtn: FC }) => <OkBtn /> };
  return (
    <>
      <Button onClick={() => setOpen(true)}>{T.patient.account}</Button>
      <Modal open={open} title={words.title} confirmLoading={busy} onCancel={close} closable={made === null} mask={{ closable: false }} keyboard={made === null} {...ok}>
        {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
        {made === null ? <p>{words.ask}</p> : <Made account={made} />}
      </Modal>
    </>
  );
}

function Made({ account }: { account: PatientAccount }) {
  return (
    <>
      <Descriptions bordered column={1} size="small" items={[
        { key: 'login', label: words.login, children: <b className="code">{account.login}</b> },
        { key: 'password', label: words.password, children: <b className="code big">{account.oneTimePassword}</b> },
      ]} />
      <Alert className="after" type="warning" showIcon title={words.handOver} />
    </>
  );
}
