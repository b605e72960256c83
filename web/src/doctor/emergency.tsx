/** Breaking the glass: the reason of an emergency, asked for before anything opens. */

import { AlertOutlined } from '@ant-design/icons';
import { Alert, App, Button, Form, Input, Modal, Radio } from 'antd';
import { useState } from 'react';
import { patients } from '../api/calls';
import type { BegunEmergency, Emergency, FindPatient } from '../api/types';
import { go } from '../shared/route';
import { useSubmit } from '../shared/session';
import { T as S } from '../shared/texts';
import { T } from './texts';

const words = T.emergency;
const REASONS = (Object.keys(S.emergencyReason) as Emergency['reason'][]).map((value) => ({ value, label: S.emergencyReason[value] }));
const TEXT_MAX = 500;

/** For a patient whom nothing ties to the doctor, by the number that was typed. */
export function EmergencyByNumber({ find }: { find: FindPatient }) {
  const begin = async (why: Emergency) => patients.breakGlassByNumber({ find, ...why });
  return (
    <div className="emergency-offer">
      <p>{words.ask}</p>
      <EmergencyButton label={words.open} begin={begin} begun={({ subject }) => go(['patients', subject])} />
    </div>
  );
}

interface Props {
  label: string;
  begin: (why: Emergency) => Promise<BegunEmergency>;
  begun: (of: BegunEmergency) => void;
}

export function EmergencyButton({ label, begin, begun }: Props) {
  const [open, setOpen] = useState(false);
  const [form] = Form.useForm<Emergency>();
  const [error, busy, run] = useSubmit();
  const { message } = App.useApp();
  const submit = (why: Emergency) => run(async () => {
    const of = await begin(why);
    setOpen(false);
    if (!of.logged) message.warning(words.unlogged);
    begun(of);
  });
  return (
    <>
      <Button danger icon={<AlertOutlined aria-hidden />} onClick={() => setOpen(true)}>{label}</Button>
      <Modal open={open} title={words.title} okText={words.submit} okButtonProps={{ danger: true }} confirmLoading={busy} onOk={form.submit} onCancel={() => setOpen(false)} destroyOnHidden>
        <Alert className="failed" type="warning" showIcon title={words.what} description={words.told} />
        {error && <Alert className="failed" role="alert" type="error" showIcon title={error} />}
        <Form form={form} layout="vertical" requiredMark={false} onFinish={submit}>
          <Form.Item name="reason" label={words.reason} rules={[{ required: true, message: words.reasonNeeded }]}>
            <Radio.Group className="column" options={REASONS} />
          </Form.Item>
          <Form.Item name="text" label={words.text} extra={words.textHelp} rules={[{ required: true, whitespace: true, message: words.textNeeded }]}>
            <Input.TextArea rows={3} maxLength={TEXT_MAX} />
          </Form.Item>
        </Form>
      </Modal>
    </>
  );
}
