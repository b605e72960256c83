/** Every call of the contract (`types.ts`), by what it is about. */

import { call, download, upload } from './client';
import type * as Api from './types';

type Entry = { holder: string; entry: string };

const patient = (subject: string) => `/api/patients/${encodeURIComponent(subject)}`;
const document = ({ holder, entry }: Entry) => `/api/documents/${encodeURIComponent(holder)}/${encodeURIComponent(entry)}`;
const referral = (member: string, id: string) => `/api/referrals/${encodeURIComponent(member)}/${encodeURIComponent(id)}`;
const paged = (path: string, after: string | null) => (after === null ? path : `${path}?after=${encodeURIComponent(after)}`);

export const session = {
  get: (signal?: AbortSignal) => call<Api.Session>('GET', '/api/session', undefined, signal),
  signIn: (body: Api.SignIn) => call<Api.Session>('POST', '/api/session', body),
  signOut: () => call<void>('DELETE', '/api/session'),
  challenge: (signal?: AbortSignal) => call<Api.SignInChallenge>('GET', '/api/session/passkey', undefined, signal),
  signInByPasskey: (body: { challenge: string; assertion: Api.Assertion }) => call<void>('POST', '/api/session/passkey', body),
  changePassword: (body: Api.PasswordChange) => call<void>('POST', '/api/session/password', body),
};

export const region = (signal?: AbortSignal) => call<Api.Region>('GET', '/api/region', undefined, signal);

export const patients = {
  mine: (after: string | null, signal?: AbortSignal) =>
    call<Api.Page<Api.PatientRow>>('GET', paged('/api/patients', after), undefined, signal),
  find: (body: Api.FindPatient) => call<Api.Page<Api.PatientRow>>('POST', '/api/patients/find', body),
  get: (subject: string, signal?: AbortSignal) => call<Api.Patient>('GET', patient(subject), undefined, signal),
  reveal: (subject: string) => call<Api.Revealed>('POST', `${patient(subject)}/reveal`),
  documents: (subject: string, signal?: AbortSignal) =>
    call<Api.History>('GET', `${patient(subject)}/documents`, undefined, signal),
  fetch: (subject: string, body: Api.Fetch) => call<void>('POST', `${patient(subject)}/fetch`, body),
  access: (subject: string, after: string | null, signal?: AbortSignal) =>
    call<Api.Page<Api.AccessRow>>('GET', paged(`${patient(subject)}/history`, after), undefined, signal),
  audit: (subject: string, after: string | null, signal?: AbortSignal) =>
    call<Api.Page<Api.AuditRow>>('GET', paged(`${patient(subject)}/audit`, after), undefined, signal),
  referralPrefill: (subject: string) => call<Api.ReferralPrefill>('GET', `${patient(subject)}/referral-prefill`),
  referralConsent: (subject: string, body: Api.ReferralConsentRequest, signal?: AbortSignal) =>
    call<Api.ReferralConsent>('POST', `${patient(subject)}/referral-consent`, body, signal),
  account: (subject: string) => call<Api.PatientAccount>('POST', `${patient(subject)}/account`),
  endGuardianship: (subject: string, body: Api.Papers) => call<Api.Ended>('POST', `${patient(subject)}/guardianship/end`, body),
  death: (subject: string, body: Api.Death) => call<Api.Ended>('PUT', `${patient(subject)}/death`, body),
  breakGlass: (subject: string, body: Api.Emergency) => call<Api.BegunEmergency>('POST', `${patient(subject)}/break-glass`, body),
  breakGlassByNumber: (body: Api.EmergencyByNumber) => call<Api.BegunEmergency>('POST', '/api/patients/break-glass', body),
};

/** Records that the office of medical affairs seals. */
export const seals = {
  list: (after: string | null, signal?: AbortSignal) => call<Api.Page<Api.SealRow>>('GET', paged('/api/seals', after), undefined, signal),
  seal: (subject: string, body: Api.Seal) => call<void>('POST', `${patient(subject)}/seal`, body),
  lift: (subject: string, body: { text: string }) => call<void>('POST', `${patient(subject)}/unseal`, body),
};

/** What the office of medical affairs judges. */
export const emergencies = {
  list: (which: 'open' | 'judged', after: string | null, signal?: AbortSignal) =>
    call<Api.Page<Api.EmergencyRow>>('GET', paged(which === 'open' ? '/api/emergencies' : '/api/emergencies/judged', after), undefined, signal),
  judge: (id: string, body: Api.Verdict) => call<void>('POST', `/api/emergencies/${encodeURIComponent(id)}`, body),
};

export const dictionary = {
  list: (which: 'open' | 'decided', kind: Api.DictionaryKind, signal?: AbortSignal) =>
    call<Api.DictionaryItems>('GET', `${which === 'open' ? '/api/dictionary' : '/api/dictionary/decided'}?kind=${kind}`, undefined, signal),
  decide: ({ system, kind, code, name, specimen, unit }: Api.DictionaryItem, status: Api.DictionaryStatus, standard: string) =>
    call<void>('POST', `/api/dictionary/${encodeURIComponent(system)}`, { kind, code, name, specimen, unit, status, standard }),
};

export const identity = {
  open: (after: string | null, signal?: AbortSignal) =>
    call<Api.Page<Api.IdentityPair>>('GET', paged('/api/identity', after), undefined, signal),
  decided: (after: string | null, signal?: AbortSignal) =>
    call<Api.Page<Api.IdentityPair>>('GET', paged('/api/identity/decided', after), undefined, signal),
  judge: (number: number, judgement: Api.IdentityPair['judgement']) =>
    call<void>('POST', `/api/identity/${number}`, { judgement }),
};

export const documents = {
  open: (of: Entry, signal?: AbortSignal) => call<Api.OpenDocument>('GET', document(of), undefined, signal),
};

/** Consents of a patient at a desk; or, without a subject, the signed-in patient's own. */
export const consents = (subject: string | null) => {
  const path = `${subject === null ? '/api/me' : patient(subject)}/consents`;
  return {
    list: (signal?: AbortSignal) => call<Api.Consents>('GET', path, undefined, signal),
    record: (body: Api.NewConsent) => call<Api.Recorded>('POST', path, body),
    revoke: (id: string, body: Api.Revoke) => call<Api.Recorded>('POST', `${path}/${encodeURIComponent(id)}/revoke`, body),
    end: (body: Api.Revoke) => call<Api.Ended>('POST', `${path}/end`, body),
  };
};

/** Scanned papers of a patient at a desk; or, without a subject, the signed-in patient's own. */
export const papers = (subject: string | null) => {
  const path = `${subject === null ? '/api/me' : patient(subject)}/papers`;
  return {
    list: (signal?: AbortSignal) => call<{ items: Api.Paper[] }>('GET', path, undefined, signal),
    add: (file: File) => upload<Api.Paper>(path, file),
    address: (id: string) => `${path}/${encodeURIComponent(id)}`,
  };
};

/** Passkeys of a patient at a desk; or, without a subject, the signed-in patient's own. */
export const passkeys = (subject: string | null) => {
  const path = `${subject === null ? '/api/me' : patient(subject)}/passkeys`;
  return {
    list: (signal?: AbortSignal) => call<Api.Passkeys>('GET', path, undefined, signal),
    begin: (body: Api.BeginEnrolment) => call<Api.BegunEnrolment>('POST', path, body),
    retire: (id: string) => call<Api.Passkeys>('POST', `${path}/${encodeURIComponent(id)}/retire`, {}),
  };
};

/** On the patient's own device: nobody is signed in. */
export const enrolment = {
  open: (body: { code: string }) => call<Api.EnrolmentOptions>('POST', '/api/enrolment', body),
  finish: (body: Api.MadePasskey) => call<void>('POST', '/api/enrolment/passkey', body),
};

export const explain = (body: Api.Wanted, signal?: AbortSignal) => call<Api.Explanation>('POST', '/api/me/explain', body, signal);

export const signing = {
  prepare: (body: Api.Wanted) => call<Api.ToSign>('POST', '/api/me/signing', body),
  sign: (body: Api.Assertion) => call<Api.Recorded>('PUT', '/api/me/signing', body),
};

export const notice = (body: Api.NoticeRequest) => call<Api.Notice>('POST', '/api/notice', body);

export const ownAudit = (after: string | null, signal?: AbortSignal) =>
  call<Api.Page<Api.AuditRow>>('GET', paged('/api/me/audit', after), undefined, signal);

/** What came through which door, for the hospital's IT. */
export const connections = (signal?: AbortSignal) => call<{ items: Api.ConnectionRow[]; out: Api.OutRow[]; views: Api.ViewRow[] }>('GET', '/api/connections', undefined, signal);
/** Tells a system once more of an event that it refused, or of all of them. */
export const tellAgain = (name: string, number?: number) => call<void>('POST', `/api/connections/out/${encodeURIComponent(name)}/again`, number === undefined ? {} : { number });

/** How good what came is, for the hospital's IT. */
export const quality = {
  all: (signal?: AbortSignal) => call<Api.Quality>('GET', '/api/quality', undefined, signal),
  /** Where the messages are that broke a rule, as a table. */
  samples: (feed: number, rule: string) => `/api/quality/${feed}/${encodeURIComponent(rule)}`,
};

export const anchors = (signal?: AbortSignal) => call<Api.Anchoring>('GET', '/api/audit/anchors', undefined, signal);

export const ownHoldings = (signal?: AbortSignal) => call<Api.HoldingRow[]>('GET', '/api/me/holdings', undefined, signal);

export const ownAccess = (after: string | null, signal?: AbortSignal) =>
  call<Api.Page<Api.AccessRow>>('GET', paged('/api/me/history', after), undefined, signal);

export const ownCopies = (signal?: AbortSignal) => call<{ items: Api.Copies[] }>('GET', '/api/me/copies', undefined, signal);

export const referrals = {
  list: (box: 'sent' | 'inbox', after: string | null, signal?: AbortSignal) =>
    call<Api.Page<Api.ReferralRow>>('GET', paged(`/api/referrals/${box}`, after), undefined, signal),
  get: (member: string, id: string, signal?: AbortSignal) =>
    call<Api.Referral>('GET', referral(member, id), undefined, signal),
  create: (body: Api.Draft) => call<Api.Referral>('POST', '/api/referrals/drafts', body),
  save: (id: string, body: Api.Draft) =>
    call<Api.Referral>('PUT', `/api/referrals/drafts/${encodeURIComponent(id)}`, body),
  discard: (id: string) => call<void>('DELETE', `/api/referrals/drafts/${encodeURIComponent(id)}`),
  act: (member: string, id: string, body: Api.Act) => call<void>('POST', `${referral(member, id)}/act`, body),
  assign: (member: string, id: string, body: Api.Assign) => call<void>('POST', `${referral(member, id)}/assign`, body),
  reveal: (member: string, id: string) => call<Api.Revealed>('POST', `${referral(member, id)}/reveal`),
  /** Who has a number of this hospital: to be compared with the papers before filing. */
  holders: (member: string, id: string, number: string) => call<Api.Candidate[]>('POST', `${referral(member, id)}/holders`, { number }),
  file: (member: string, id: string, body: Api.File) => call<void>('POST', `${referral(member, id)}/file`, body),
};

export const doctors = (signal?: AbortSignal) => call<Api.Doctor[]>('GET', '/api/doctors', undefined, signal);

/** The span and grain of the bureau's figures. `from` is included, `to` excluded. */
export interface VolumeQuery {
  from: string;
  to: string;
  by: Api.Volume['by'];
}

const volume = (query: VolumeQuery) => `/api/volume?${new URLSearchParams({ ...query })}`;

export const bureau = {
  volume: (query: VolumeQuery, signal?: AbortSignal) => call<Api.Volume>('GET', volume(query), undefined, signal),
  volumeCsv: (query: VolumeQuery) => download(volume(query), 'text/csv'),
  members: (signal?: AbortSignal) => call<Api.Member[]>('GET', '/api/members', undefined, signal),
  emergencies: (signal?: AbortSignal) => call<Api.EmergencyFigures>('GET', '/api/emergencies', undefined, signal),
  quality: (signal?: AbortSignal) => call<{ members: Api.MemberQuality[] }>('GET', '/api/quality', undefined, signal),
  status: (signal?: AbortSignal) => call<Api.RegistryStatus>('GET', '/api/status', undefined, signal),
};
