/** Asks for what an act of a referral needs, says its effect, and does it. */

import { Alert, App, Button, DatePicker, Form, Input, Modal, Select } from 'antd';
import dayjs, { type Dayjs } from 'dayjs';
import { doctors, referrals } from '../api/calls';
import type { Act, Referral, ReferralReply } from '../api/types';
import { beijing, nameOf, today } from '../shared/format';
import { useLoad } from '../shared/load';
import { useSubmit } from '../shared/session';
import { useRegion } from './region';
import { T } from './texts';

const words = T.referral;
/** What can be asked for: an act that the other side is told, or giving the referral to a doctor here. */
export type Asked = Act['act'] | 'assign';

const DANGEROUS: ReadonlySet<Asked> = new Set(['decline', 'cancel']);
/** Acts that mean nothing without words. */
const NEEDS_TEXT: ReadonlySet<Asked> = new Set(['decline', 'answer']);
const HAS_TEXT: ReadonlySet<Asked> = new Set(['accept', 'decline', 'book', 'answer', 'cancel', 'close']);

interface Filled {
  /** The doctor to whom the referral is given. */
  login?: string;
  text?: string;
  at?: Dayjs;
  place?: string;
  contact?: string;
}

interface Props {
  referral: Referral;
  act: Asked;
  close: () => void;
  done: () => void;
}

export function ActDialog({ referral, act, close, done }: Props) {
  const { message } = App.useApp();
  const [form] = Form.useForm<Filled>();
  const [error, busy, run] = useSubmit();
  const submit = (filled: Filled) => run(async () => {
    // Before the act: whoever is told of it finds the referral with its doctor.
    if (filled.login) await referrals.assign(referral.member, referral.id, { login: filled.login });
    if (act !== 'assign') await referrals.act(referral.member, referral.id, HAS_TEXT.has(act) ? { act, reply: replyOf(filled) } : { act });
    message.success(words.done(nameOf(words.actions, act)));
    close();
    done();
  });
  return (
    <Modal open title={nameOf(words.actions, act)} okText={words.confirm} okButtonProps={{ danger: DANGEROUS.has(act) }} confirmLoading={busy} onOk={form.submit} onCancel={close} width={act === 'answer' ? 720 : 520}>
      <p>{words.ask[act]}</p>
      <Form<Filled> form={form} layout="vertical" onFinish={submit}>
        {(act === 'assign' || act === 'accept') && <Doctor referral={referral} must={act === 'assign' || isNobodys(referral)} />}
        {act === 'book' && <Appointment />}
        {HAS_TEXT.has(act) && <Text act={act} />}
        {act === 'accept' && <Form.Item name="contact" label={words.contact}><Input maxLength={64} /></Form.Item>}
      </Form>
      {error && <Alert role="alert" type="error" showIcon title={error} />}
    </Modal>
  );
}

function Appointment() {
  return (
    <>
      <Form.Item name="at" label={words.time} rules={[{ required: true, message: words.timeNeeded }]}>
        <DatePicker showTime={{ format: 'HH:mm', minuteStep: 5 }} format="YYYY-MM-DD HH:mm" minDate={dayjs(today())} />
      </Form.Item>
      <Form.Item name="place" label={words.place}><Input maxLength={128} /></Form.Item>
      <Form.Item name="contact" label={words.contact}><Input maxLength={64} /></Form.Item>
    </>
  );
}

/** Neither a department nor a doctor would see it. */
const isNobodys = ({ toDepartment, assigned }: Referral) => toDepartment === '' && assigned === null;

function Doctor({ referral, must }: { referral: Referral; must: boolean }) {
  const { departments } = useRegion();
  const loaded = useLoad('doctors', doctors);
  const nameOfDepartment = (code: string) => departments.find((known) => known.code === code)?.name ?? code;
  const options = (loaded.value ?? []).map(({ login, name, departments: codes }) => ({ value: login, label: words.doctorOf(name, codes.map(nameOfDepartment).join('、')) }));
  const help = loaded.error?.message ?? (isNobodys(referral) ? words.doctorHelp : must ? '' : words.doctorOptional);
  return (
    <Form.Item name="login" label={words.doctor} extra={help} rules={must ? [{ required: true, message: words.doctorNeeded }] : []}>
      <Select allowClear loading={loaded.loading} showSearch={{ optionFilterProp: 'label' }} options={options} />
    </Form.Item>
  );
}

function Text({ act }: { act: Asked }) {
  const rules = NEEDS_TEXT.has(act) ? [{ required: true, whitespace: true, message: words.textNeeded }] : [];
  const form = Form.useFormInstance<Filled>();
  const take = (text: string) => { form.setFieldValue('text', text); void form.validateFields(['text']); };
  return (
    <>
      {act === 'decline' && <p>{words.declineReasons.map((reason) => <Button key={reason} size="small" className="reason" onClick={() => take(reason)}>{reason}</Button>)}</p>}
      <Form.Item name="text" label={words.text} rules={rules}>
        <Input.TextArea autoSize={{ minRows: act === 'answer' ? 8 : 2, maxRows: 16 }} maxLength={8000} showCount={act === 'answer'} />
      </Form.Item>
    </>
  );
}

const replyOf = ({ text, at, place, contact }: Filled): ReferralReply => ({
  text: text?.trim() ?? '',
  appointmentAt: at ? beijing(at.format('YYYY-MM-DDTHH:mm')) : null,
  appointmentPlace: place?.trim() || null,
  contact: contact?.trim() || null,
});
