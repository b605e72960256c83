/** Whether the other hospital would get the chosen documents: the node decides, here it is asked and shown. */

import { CheckCircleOutlined, ExclamationCircleOutlined } from '@ant-design/icons';
import { Form, type FormInstance } from 'antd';
import { useEffect } from 'react';
import { patients } from '../api/calls';
import type { DocumentRow, ReferralConsent } from '../api/types';
import { useEvery, useLoad, type Loaded } from '../shared/load';
import { to as addressOf } from '../shared/route';
import { T } from './texts';

const words = T.editor;
/** A department is named by its code: its name differs from hospital to hospital. */
export const DEPARTMENT = /^[A-Za-z0-9][A-Za-z0-9-]*$/;
/** So often it is asked again while something is missing: consent is recorded at a desk meanwhile. */
const AGAIN_MS = 5_000;

/** The node's answer; none as long as there is nothing to ask. */
export type Foreseen = Loaded<ReferralConsent | null>;

interface Chosen {
  to: string;
  toDepartment: string;
  documents: DocumentRow[];
}

export function useForeseen<F extends Chosen>(form: FormInstance<F>, subject: string, draft: string | null): Foreseen {
  const all = { form: form as unknown as FormInstance<Chosen>, preserve: true };
  const to = Form.useWatch('to', all);
  const department = (Form.useWatch('toDepartment', all) ?? '').trim();
  const entries = (Form.useWatch('documents', all) ?? []).map(({ holder, entry }) => ({ holder, entry }));
  const body = !to || entries.length === 0 ? null : { to, toDepartment: DEPARTMENT.test(department) ? department : '', referral: draft, entries };
  const foreseen = useLoad(`consent ${subject} ${JSON.stringify(body)}`, async (signal) => body && patients.referralConsent(subject, body, signal));
  useEffect(() => {
    window.addEventListener('focus', foreseen.reload);
    return () => window.removeEventListener('focus', foreseen.reload);
  }, [foreseen.reload]);
  useEvery(AGAIN_MS, body !== null && foreseen.value?.consent !== 'permitted', foreseen.reload);
  return foreseen;
}

export function ConsentState({ subject, of: { value, error, loading } }: { subject: string; of: Foreseen }) {
  const organisation: string | undefined = Form.useWatch('to');
  if (!organisation) return <p className="quiet">{words.chooseFirst}</p>;
  if (value === null) {
    if (error) return <p className="bad" role="alert">{error.message}</p>;
    return <p className="quiet">{loading ? words.asking : words.nothingChosen}</p>;
  }
  if (value.consent === 'permitted') return <p className="good"><CheckCircleOutlined aria-hidden /> {words.consent.permitted}</p>;
  const said = value.consent === 'partly' ? words.consent.partly(value.withheld.length) : words.consent[value.consent];
  return (
    <p className="warn">
      <ExclamationCircleOutlined aria-hidden /> <b>{said}</b>。{value.consent !== 'unknown' && <>{words.notConsentedHelp}{' '}
        <a href={addressOf(['patients', subject, 'consent'], { to: organisation })} target="_blank" rel="noopener">{words.toConsent}</a></>}
    </p>
  );
}
