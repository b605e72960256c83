/** The notice as it is read on the screen and printed: one sheet, with lines to sign on. Printing leaves out all else (`doctor.css`). */

import { createPortal } from 'react-dom';
import type { Notice, Patient } from '../api/types';
import { date, named } from '../shared/format';
import { T as S } from '../shared/texts';
import { useRegion } from './region';
import { T } from './texts';

const words = T.consent;

interface Props {
  title: string;
  patient: Patient;
  notice: Notice;
}

export function NoticeSheet(props: Props) {
  return (
    <>
      <article className="notice"><Sheet {...props} /></article>
      {createPortal(<article className="print-sheet" aria-hidden="true"><Sheet {...props} /></article>, document.body)}
    </>
  );
}

function Sheet({ title, patient, notice }: Props) {
  const { me } = useRegion();
  return (
    <>
      <p className="notice-member">{me.name}</p>
      <h2>{title}</h2>
      <p>{words.patientLine(named(patient.name), S.sex[patient.sex], date(patient.birthDate))}</p>
      {notice.paragraphs.map((paragraph, at) => <p key={at}>{paragraph}</p>)}
      <div className="sign-lines">{words.signLines.map((line) => <span key={line}>{line}</span>)}</div>
      <p className="quiet">{words.noticeOf(notice.version, notice.hash)}</p>
    </>
  );
}
