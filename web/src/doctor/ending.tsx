/** What a desk records that ends much at once: a guardianship, a life, and that the latter was wrong. */

import { DownOutlined } from '@ant-design/icons';
import { Alert, App, Button, DatePicker, Dropdown, Form, Input, Modal } from 'antd';
import dayjs, { type Dayjs } from 'dayjs';
import { useState } from 'react';
import { patients } from '../api/calls';
import type { Ended, Papers, Patient } from '../api/types';
import { beijing, today } from '../shared/format';
import { Scan } from '../shared/papers';
import { useSubmit } from '../shared/session';
import { T as S } from '../shared/texts';
import { T } from './texts';

const words = T.ending;
type Kind = 'guardianship' | 'death' | 'lives';

const KINDS: Record<Kind, { title: string; help: string[]; sheet: string; yes: string }> = {
  guardianship: { title: words.guardianship, help: words.guardianshipHelp, sheet: words.guardianshipSheet, yes: words.guardianshipYes },
  death: { title: words.death, help: words.deathHelp, sheet: words.deathSheet, yes: words.deathYes },
  lives: { title: words.lives, help: words.livesHelp, sheet: words.livesSheet, yes: words.livesYes },
};

export function EndingButton({ patient, done }: { patient: Patient; done: () => void }) {
  const [kind, setKind] = useState<Kind | null>(null);
  const kinds: Kind[] = patient.diedAt === null ? ['guardianship', 'death'] : ['lives', 'death'];
  const items = kinds.map((key) => ({ key, label: KINDS[key].title }));
  return (
    <>
      <Dropdown trigger={['click']} menu={{ items, onClick: ({ key }) => setKind(key as Kind) }}><Button>{words.open} <DownOutlined aria-hidden /></Button></Dropdown>
      {kind && <EndingDialog patient={patient} kind={kind} close={() => setKind(null)} done={done} />}
    </>
  );
}

function EndingDialog({ patient, kind, close, done }: { patient: Patient; kind: Kind; close: () => void; done: () => void }) {
  const { message } = App.useApp();
  const [form] = Form.useForm<Papers & { diedAt?: Dayjs | null }>();
  const [unfinished, setUnfinished] = useState(false);
  const [error, busy, run] = useSubmit();
  const { title, help, sheet, yes } = KINDS[kind];
  const send = ({ diedAt, ...evidence }: Papers & { diedAt?: Dayjs | null }): Promise<Ended> => {
    if (kind === 'guardianship') return patients.endGuardianship(patient.subject, evidence);
    return patients.death(patient.subject, { diedAt: kind === 'death' ? timeOf(diedAt) : null, evidence });
  };
  const finish = (papers: Papers & { diedAt?: Dayjs | null }) => run(async () => {
    const ended = await send(papers);
    done();
    setUnfinished(ended.unfinished);
    if (ended.unfinished) return;
    message.success(kind === 'lives' ? words.livesDone : words.done(ended.permits, ended.passkeys));
    close();
  });
  const past = { validator: (_: unknown, at?: Dayjs | null) => (isPast(timeOf(at)) ? Promise.resolve() : Promise.reject(new Error(words.diedAtWrong))) };
  return (
    <Modal open title={title} okText={yes} okButtonProps={{ danger: true }} confirmLoading={busy} onOk={form.submit} onCancel={close} mask={{ closable: false }}>
      <ul className="effects">{help.map((point) => <li key={point}>{point}</li>)}</ul>
      <Form form={form} layout="vertical" requiredMark={false} onFinish={finish}>
        {kind === 'death' && <Form.Item name="diedAt" label={words.diedAt} rules={[{ required: true, message: words.diedAtNeeded }, past]}><DatePicker showTime={{ format: 'HH:mm' }} format="YYYY-MM-DD HH:mm" maxDate={dayjs(today())} /></Form.Item>}
        <Form.Item name="sheet" label={words.sheet} rules={[{ required: true, whitespace: true, message: words.sheetNeeded }]}><Input maxLength={80} placeholder={sheet} /></Form.Item>
        <Form.Item name="identifiedBy" label={words.identifiedBy} rules={[{ required: true, whitespace: true, message: words.identifiedNeeded }]}><Input maxLength={80} /></Form.Item>
        <Form.Item name="scan" label={S.papers.label} extra={S.papers.help}><Scan subject={patient.subject} /></Form.Item>
      </Form>
      {unfinished && <Alert role="alert" type="warning" showIcon title={words.unfinished} />}
      {error && <Alert role="alert" type="error" showIcon title={error} />}
    </Modal>
  );
}

const timeOf = (at: Dayjs | null | undefined) => (at ? beijing(at.format('YYYY-MM-DDTHH:mm')) : null);

const isPast = (time: string | null) => time === null || Date.parse(time) <= Date.now();
