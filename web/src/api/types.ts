/**
 * What the pages and a node say to each other under `/api`, field by field.
 *
 * Ids are lower-case hexadecimal; times are ISO 8601 with an offset; codes are those of `proto/src/codes.rs` in kebab case
 * (`separate-consent`, `referral-office`). Lists come in pages: `next` is given back as `?after=`. Errors are RFC 9457 problems
 * (`Problem`). Nothing that describes a patient stands in a URL: questions with names or numbers are posted.
 */

export interface Page<T> {
  items: T[];
  next: string | null;
}

/** RFC 9457. `text` is for the person; `detail` says what to do, for the caller; `field` names the field at fault. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
  field?: string;
  text?: { zh: string; en: string };
  retryAfterSeconds?: number;
}

// ---- Session: GET, POST, DELETE /api/session; POST /api/session/password ----

export interface SignIn {
  login: string;
  password: string;
}

export interface PasswordChange {
  current: string;
  next: string;
}

/** `doctor`, `head`, `nurse`, `referral-office`, `desk`, `medical-affairs`, `it`, `patient`; at the registry `bureau`, `operator`. */
export type Role = string;

export interface Session {
  login: string;
  displayName: string;
  roles: Role[];
  departments: string[];
  mustChangePassword: boolean;
  member: { code: string; name: string };
  region: string;
}

// ---- Region: GET /api/region ----

export interface Member {
  code: string;
  name: string;
  contact: string;
  roles: string[];
  suspended: boolean;
  /** Its departments, as far as this hospital's configuration names them. */
  departments: { code: string; name: string }[];
  /** Permits for it that passkeys signed for which nobody else vouched; at the registry only. */
  selfVouched?: number;
}

export interface Region {
  region: string;
  me: Member;
  members: Member[];
  /** Departments of this hospital, for forms. */
  departments: { code: string; name: string }[];
  registry: {
    connected: boolean;
    /** Consent is known to be complete until then; nothing flows without it (F-6). */
    leaseUntil: string | null;
    /** Changes of consent that are still to be taken in before anything flows (F-7). */
    behind: number;
    /** When it was found that the registry signed two logs that contradict each other (L-13). */
    contradictedAt: string | null;
    /** When it was found that it leaves out what it had acknowledged (L-16). */
    omittedAt: string | null;
  };
  /** Patients and words of which something can be sent and was not yet; what stays in the hospital does not count. */
  outbox: {
    waiting: number;
    oldest: string | null;
    /** At least so many patients are published later: the registry gives no more tokens until then (T-5). */
    tokens: { until: string; patients: number } | null;
    /** How much of the day's tokens is used, once it is four fifths (T-5). */
    nearly: { used: number; allowed: number } | null;
  };
}

// ---- Patients: GET /api/patients, POST /api/patients/find, GET /api/patients/{subject}, POST …/reveal ----

export interface PatientRow {
  subject: string;
  name: string;
  sex: 'male' | 'female' | 'other' | 'unknown';
  birthDate: string | null;
  /** Number of this hospital, masked. */
  number: string;
  lastVisit: string | null;
  department: string | null;
  /** Why the signed-in person may see it: `attending`, `department`, `referral`, `referral-office`, `desk`, `emergency`, `reviewer`, `medical-affairs`. */
  ground: string;
}

/** A patient under whom a referral may be filed, and how the identity numbers compare. */
export interface Candidate extends PatientRow {
  identity: 'same' | 'other' | 'unknown';
}

/** Exactly one is given. */
export interface FindPatient {
  number?: string;
  residentId?: string;
  healthCard?: string;
}

export interface Patient extends PatientRow {
  identifiers: { kind: 'resident-id' | 'health-card' | 'local' | 'outpatient' | 'inpatient' | 'passport' | 'permit' | 'travel-permit' | 'other'; masked: string }[];
  /** As a desk has recorded it. */
  diedAt: string | null;
  phone: string | null;
  address: string | null;
  visits: {
    number: string;
    class: 'inpatient' | 'outpatient' | 'emergency' | 'other';
    department: string | null;
    attending: string | null;
    admitted: string | null;
    discharged: string | null;
  }[];
  remarks: string[];
  /** Whether the region can find the patient: an identifier that gives a token. */
  findable: boolean;
  /** May the signed-in person open documents, or only record consent? */
  documents: boolean;
  /** Until when the signed-in person has broken the glass over the patient, if it is broken. */
  emergencyUntil: string | null;
  /** Since when the record is sealed, if it is. */
  sealedSince: string | null;
}

// ---- Emergencies: POST /api/patients/break-glass (by a number), POST /api/patients/{subject}/break-glass ----

/** Why the glass is broken; `text` never leaves the hospital. */
export interface Emergency {
  reason: 'unconscious' | 'life-in-danger' | 'cannot-consent' | 'many-hurt';
  text: string;
}

export interface EmergencyByNumber extends Emergency {
  find: FindPatient;
}

export interface BegunEmergency {
  subject: string;
  until: string;
  /** The region's log has it: other hospitals can be asked now. */
  logged: boolean;
}

// ---- Sealing a record: POST /api/patients/{subject}/seal, POST …/unseal, GET /api/seals (`medical-affairs`) ----

export interface Seal {
  reason: 'dispute' | 'incident' | 'investigation';
  text: string;
  /** Logins of those who open it all the same. */
  reviewers: string[];
}

export interface SealRow {
  subject: string;
  patient: PatientRow | null;
  by: StaffNamed;
  reason: Seal['reason'];
  text: string;
  at: string;
  reviewers: number;
  /** Who has tried to open it since then, of the last lines about the patient. */
  attempts: AuditRow[];
}

// ---- Who judges them: GET /api/emergencies, GET /api/emergencies/judged, POST /api/emergencies/{id} (`medical-affairs`) ----

export interface StaffNamed {
  login: string;
  name: string;
  role: string;
  department: string | null;
}

export interface EmergencyRow {
  id: string;
  patient: PatientRow | null;
  by: StaffNamed;
  reason: Emergency['reason'];
  text: string;
  at: string;
  until: string;
  due: string;
  /** Nobody has settled it in time. */
  overdue: boolean;
  verdict: { verdict: Verdict['verdict']; by: StaffNamed; text: string; at: string } | null;
  /** What the person did with the record meanwhile, of the last lines about the patient. */
  did: AuditRow[];
}

export interface Verdict {
  /** `talk`: it has to be talked about first, and still waits. */
  verdict: 'justified' | 'unjustified' | 'talk';
  text: string;
}

// ---- Who is who: GET /api/identity, GET /api/identity/decided, POST /api/identity/{number} ----

export type Agreement = 'same' | 'near' | 'other' | 'unknown';

/** Two registrations that may be one person's. */
export interface IdentityPair {
  number: number;
  /** When it was found, or decided. */
  at: string;
  judgement: 'open' | 'one' | 'two';
  /** The hospital's register says that they are one, and their identity numbers differ. */
  merged: boolean;
  patients: [Patient, Patient];
  agreement: { name: Agreement; birthDate: Agreement; sex: Agreement; phone: Agreement; number: Agreement };
}

/** POST …/reveal, logged. */
export interface Revealed {
  identifiers: { kind: string; value: string }[];
  phone: string | null;
  address: string | null;
}

// ---- Documents: GET /api/patients/{subject}/documents, POST …/fetch, GET /api/documents/{holder}/{entry}[/content] ----

/** Where a document stands, seen from here. */
export type CopyState =
  | 'own' // a document of this hospital
  | 'findable' // permitted and indexed, not fetched yet
  | 'wanted' // asked for, on the way
  | 'held' // here, sealed, not opened yet
  | 'opened' // opened: part of the record here
  | 'retained' // opened before the patient revoked
  | 'erased' // fetched, and erased after the patient revoked
  | 'refused'; // the holder does not release it

export interface DocumentRow {
  holder: string;
  holderName: string;
  entry: string;
  state: CopyState;
  /** Clause and sentence when it is refused or waits, or its holder withdrew it. */
  reason: { clause: string; text: string } | null;
  title: string;
  class: string;
  /** LOINC or WS/T 364 code of the type, and its name in Chinese. */
  type: { code: string; name: string };
  format: string;
  status: 'final' | 'preliminary' | 'amended';
  serviceStart: string | null;
  serviceEnd: string | null;
  created: string;
  author: string | null;
  department: string | null;
  size: number;
  sensitivity: 'normal' | 'restricted' | 'very-restricted';
  replaced: boolean;
}

/** Says what the list is, and what it may lack: nothing is complete without a sentence that says so. */
export interface Completeness {
  /** `consented`: all that the patient's consent covers; `local`: only what is here (no consent, or the registry away). */
  kind: 'consented' | 'local';
  /** One sentence in Chinese, ready to show. */
  text: string;
  asOf: string;
  /** Members of which documents are listed. */
  members: string[];
  /** Members that could not be reached for a document that is wanted. */
  unreachable: string[];
}

export interface History {
  completeness: Completeness;
  items: DocumentRow[];
  /**
   * Laboratory results over time: of the newest reports of this hospital, and of those of others that were opened here before.
   * A copy that nobody has opened is not in it: each opening is an event that the patient sees.
   */
  labs: Lab[];
}

/** One item over time, in one unit: what must not be converted into it is an item of its own. */
export interface Lab {
  code: string;
  name: string;
  unit: string;
  /** The names of its steps by their places, if it is not measured in numbers. */
  steps: string[];
  /** The one hospital whose results these are, if those of others are not comparable (tumour markers). */
  only: string | null;
  points: LabPoint[];
}

export interface LabPoint {
  at: string;
  /** Where it stands in the chart; a step's place. */
  value: number;
  /** The value with no more digits than its report has. */
  text: string;
  low: number | null;
  high: number | null;
  range: string;
  flag: 'high' | 'low' | 'normal' | 'abnormal' | 'unknown';
  /** The mark of mutual recognition (互认) on the report, and the region's table in which the item stood that day. */
  recognition: { mark: string; region: string | null; version: string | null } | null;
  /** What the report says, if in another unit, and how it was converted. */
  reported: { value: string; unit: string; range: string; times: string; plus: string | null; source: string } | null;
  holder: string;
  entry: string;
}

export type DictionaryStatus = 'proposed' | 'accepted' | 'refused' | 'retired';

/** Kinds of things that systems name by codes of their own. */
export type DictionaryKind =
  | 'item' | 'diagnosis' | 'insurance-diagnosis' | 'procedure' | 'medicine' | 'department' | 'organisation' | 'staff'
  | 'sex' | 'marital-status' | 'ethnic-group' | 'occupation' | 'blood-group' | 'rh-group'
  | 'patient-class' | 'admit-source' | 'admission-condition' | 'discharge-disposition' | 'payment' | 'route';

/** What a system of the hospital sends to name something, and what people decided that it is. */
export interface DictionaryItem {
  system: string;
  kind: DictionaryKind;
  code: string;
  name: string;
  specimen: string;
  unit: string;
  /** Messages that name it. */
  results: number;
  status: DictionaryStatus | '';
  /** A code of the standard of its kind. */
  standard: string;
  /** What the code is called; empty if no table has it. */
  called: string;
  author: string;
  at: string;
  version: number;
  /** Code and name of what it may be, the likeliest first. */
  suggested: string[];
}

/** GET /api/dictionary, /api/dictionary/decided?kind=: the most frequent of a kind, and how many there are. */
export interface DictionaryItems {
  items: DictionaryItem[];
  count: number;
}

/** POST /api/patients/{subject}/fetch: search anew, and ask for these documents (none: all that is permitted). */
export interface Fetch {
  entries?: { holder: string; entry: string }[];
  /** The signed-in person has broken the glass: for an emergency, whatever the patient has consented to. */
  emergency?: boolean;
}

/** GET /api/documents/{holder}/{entry}: opening it; a decision, and logged. */
export interface OpenDocument {
  row: DocumentRow;
  /** Safe HTML made from the parsed document, if there is a reader for it; else null: use `content`. */
  html: string | null;
  /** Text as it is, for formats without a reader. */
  text: string | null;
  /** The bytes: `/api/documents/{holder}/{entry}/content`, with Range. */
  content: string;
  mediaType: string;
}

// ---- Consent: GET/POST /api/patients/{subject}/consents, POST …/consents/{id}/revoke; the same under /api/me ----

export interface Consent {
  id: string;
  stance: 'permit' | 'forbid';
  grantee: { organisation: string | null; organisationName: string | null; department: string | null; role: string | null; referral: string | null };
  custodian: { code: string; name: string } | null;
  classes: string[];
  sensitivities: string[];
  purposes: string[];
  validFrom: string;
  validUntil: string | null;
  acceptedAt: string;
  recordedBy: { code: string; name: string } | null;
  proof: 'passkey' | 'attested-login' | 'desk-witness';
  /** Who vouches for the passkey that signed it, as far as this hospital knows. */
  vouchers: { code: string; name: string }[];
  /** Nobody vouches for it but who gains by it. */
  selfVouched: boolean;
  noticeVersion: string;
  basis: string;
}

/** What counts no longer, as far as this hospital was told; who took it back and why, if it was told that, too. */
export interface EndedConsent extends Consent {
  endedAt: string;
  end: 'revoked' | 'replaced' | 'over';
  endedBy: { code: string; name: string } | null;
  reason: Revoke['reason'] | null;
}

export interface Consents {
  headVersion: number;
  items: Consent[];
  /** The last that ended first. */
  ended: EndedConsent[];
}

export interface NewConsent {
  stance: 'permit' | 'forbid';
  organisation: string | null;
  department?: string | null;
  referral?: string | null;
  custodian?: string | null;
  /** Empty: all. */
  classes: string[];
  sensitivities: string[];
  purposes: string[];
  validUntil: string | null;
  basis: 'separate-consent' | 'guardian-consent' | 'objection' | 'guardian-objection';
  notice: { version: string };
  /** What the desk keeps: the number of the signed sheet, and who identified the patient how. Never leaves the hospital. */
  evidence: Papers;
}

/** What became of a consent act: answered once the registry has it in its log. */
export interface Recorded {
  ids: string[];
  acceptedAt: string;
}

export interface Revoke {
  reason: 'patient-wish' | 'error' | 'death' | 'guardianship' | 'lost-key';
}

/** POST /api/notice: the printed notice before consent (PIPL articles 17, 23, 30), named by version and hash. */
export interface NoticeRequest {
  /** Null: every other hospital, of an objection. */
  organisation: string | null;
  classes: string[];
  purposes: string[];
  validUntil: string | null;
  /** Whether documents of sensitive kinds are meant too. */
  sensitive: boolean;
}

export interface Notice {
  version: string;
  hash: string;
  /** Plain paragraphs in Chinese; names the recipient and its contact. */
  paragraphs: string[];
}

// ---- Anchors of the audit: GET /api/audit/anchors (A-5) ----

export interface Anchoring {
  lines: number;
  /** Up to which line the newest anchor stands for all, and when the registry accepted it. */
  anchored: number | null;
  anchoredAt: string | null;
  /** Whether the registry has told the newest anchor now. */
  current: boolean;
  /** When every line was last compared with the anchors since the node started. */
  comparedAt: string | null;
  /** The first line that is not the one that was written. */
  broken: number | null;
}

// ---- What the hospital's systems send: GET /api/connections ----

/** `came` is the sum of the five ways to end and of `repeated`. */
export interface ConnectionRow {
  /** Empty: all for which there is no room of their own. */
  system: string;
  door: 'mllp' | 'http' | 'fhir' | 'folder' | 'dicom' | 'soap' | 'view' | 'desk' | 'review' | 'backfill' | 'other';
  /** Empty if it does not say. */
  sender: string;
  came: number;
  indexed: number;
  applied: number;
  answered: number;
  review: number;
  refused: number;
  repeated: number;
  documents: number;
  /** Messages with the control id of an earlier one, and other bytes. */
  reused: number;
  last: string | null;
  wrong: { at: string; what: string } | null;
}

// ---- How good what the systems send is: GET /api/quality ----

export type QualityAspect = 'completeness' | 'validity' | 'timeliness' | 'consistency';

/** In thousandths of the checks that found nothing wrong; null if nothing was looked at. */
export type Score = number | null;

export interface QualityRule {
  code: string;
  aspect: QualityAspect;
  looksAt: 'message' | 'patient' | 'document' | 'event' | 'result';
  chinese: string;
  english: string;
}

export interface QualityFeed {
  /** Its place among the connections. */
  feed: number;
  /** Empty: all for which there is no room of their own. */
  system: string;
  door: ConnectionRow['door'];
  sender: string;
  /** The newest first. */
  days: { date: string; messages: number; score: Score; aspects: Record<QualityAspect, Score> }[];
}

/** Messages at which a rule looked, and those that broke it. */
export interface QualityOffender {
  feed: number;
  rule: string;
  looked: number;
  broken: number;
}

export interface Quality {
  today: string;
  worstDays: number;
  rules: QualityRule[];
  feeds: QualityFeed[];
  /** The worst first. */
  worst: QualityOffender[];
}

/** At the registry, what each hospital tells of its own: GET /api/quality. */
export interface MemberQuality {
  member: string;
  /** The newest first. */
  days: (SystemQuality & { date: string; systems: (SystemQuality & { system: string })[] })[];
}

interface SystemQuality {
  checks: number;
  score: Score;
  aspects: Record<QualityAspect, Score>;
}

/** A system that is told what concerns the hospital. */
export interface OutRow {
  name: string;
  kind: 'mllp' | 'webhook' | 'amqp' | 'nats';
  taken: number;
  waiting: number;
  /** Events that it refused for good. */
  aside: number;
  /** Those of them of which it can be told once more, the newest last. */
  refused: RefusedEvent[];
  /** Events that went before it could be told of them: there were too many. */
  missed: number;
  last: string | null;
  /** Why the next event is not taken, and since when. */
  trouble: { at: string; what: string } | null;
  /** What was last set aside. */
  wrong: { at: string; what: string } | null;
}

/** An event that a system refused, and why. */
export interface RefusedEvent {
  number: number;
  at: string;
  why: string;
}

/** A view of a database that is read. */
export interface ViewRow {
  name: string;
  system: string;
  /** Up to which watermark: a time or a number. */
  read: string | null;
  /** When a row last went beyond the ones before. */
  last: string | null;
  /** When a look last came to its end. */
  looked: string | null;
  /** Why it is not read, or not all of it, and since when. */
  trouble: { at: string; what: string } | null;
}

// ---- What the registry lists: GET /api/me/holdings ----

export interface HoldingRow {
  holder: { code: string; name: string };
  /** Entries and withdrawals that the registry says it has. */
  listed: number;
  /** How that stands to the holder's receipts (L-16). */
  standing: 'agrees' | 'later' | 'away' | 'omits';
}

// ---- Access log: GET /api/patients/{subject}/history, GET /api/me/history ----

export interface AccessRow {
  at: string;
  organisation: { code: string; name: string };
  counterpart: { code: string; name: string } | null;
  act: string;
  outcome: 'permitted' | 'denied' | 'failed';
  clause: string;
  /** One sentence in Chinese for a patient. */
  text: string;
  classes: string[];
  purpose: string;
  role: string;
  documents: number;
  referral: string | null;
  /** Who did it, as far as the hospital tells the patient; none to others, and where the event names no line of an audit. */
  person: DoneBy | null;
}

/** A person, or a system (without a name); the hospital is away; or it says nothing of this. */
export type DoneBy = { state: 'told'; name: string | null; role: string; department: string | null } | { state: 'away' } | { state: 'unknown' };

/** Copies of one hospital: `GET /api/me/copies`. */
export interface Copies {
  organisation: { code: string; name: string };
  /** Under a consent that counts. */
  held: number;
  erased: number;
  /** Opened before the consent ended: part of that hospital's own record. */
  retained: number;
  /** The consent has ended, and the hospital has not said what it did. */
  unanswered: number;
}

// ---- Referrals: GET /api/referrals/sent, /inbox; GET /api/referrals/{member}/{id}; POST, PUT, DELETE /api/referrals/drafts[/{id}] ----

export type ReferralState =
  | 'draft' | 'sent' | 'received' | 'accepted' | 'declined' | 'redirected' | 'booked' | 'arrived'
  | 'in-care' | 'answered' | 'closed' | 'cancelled' | 'expired';

/** The fields of the referral form that hospitals use (双向转诊单). */
export interface ReferralForm {
  /** The other hospital's code of it; empty: its referral office decides. */
  toDepartment: string;
  urgency: 'routine' | 'urgent' | 'emergency';
  direction: 'up' | 'down';
  /** 初步印象 */
  impression: string;
  /** 主要现病史 */
  presentIllness: string;
  /** 主要既往史 */
  pastHistory: string;
  /** 治疗经过 */
  course: string;
  /** 转出原因 */
  reason: string;
  /** 下一步治疗方案及康复建议 */
  plan: string;
  physicianPhone: string;
}

export interface ReferralRow {
  /** The referring member and the id name it together. */
  member: string;
  id: string;
  side: 'referring' | 'receiving';
  other: { code: string; name: string };
  patientName: string;
  sex: PatientRow['sex'];
  birthDate: string | null;
  urgency: ReferralForm['urgency'];
  state: ReferralState;
  /** Whether the other side has all our steps. */
  delivered: boolean;
  changed: string;
  toDepartment: string;
  /** The doctor here to whom it was given, by login. */
  assigned: { code: string; name: string } | null;
  physician: string;
}

export interface Referral extends ReferralRow {
  /** The patient here, if filed (receiving side), or whose record it was written from (referring side). */
  subject: string | null;
  patient: { identifiers: { kind: string; masked: string }[]; phone: string | null };
  form: ReferralForm;
  documents: DocumentRow[];
  /** What is known of the consent to the documents: of some only, none, holders have not answered, or nothing is known yet. */
  consent: 'permitted' | 'partly' | 'none' | 'waiting' | 'unknown';
  steps: { act: string; by: { code: string; name: string }; at: string; reply: ReferralReply | null; delivered: boolean }[];
  /** What the signed-in person can do now: `send`, `accept`, `decline`, `book`, `arrive`, `admit`, `answer`, `close`, `cancel`, `assign`, `file`. */
  actions: string[];
  /** Patients here with the same identifier: candidates to file it under. */
  candidates: Candidate[];
}

export interface ReferralReply {
  text: string;
  appointmentAt?: string | null;
  appointmentPlace?: string | null;
  contact?: string | null;
}

/** POST /api/referrals/drafts, PUT /api/referrals/drafts/{id}. */
export interface Draft {
  subject: string;
  to: string;
  form: ReferralForm;
  /** Own documents to hand over: they are prefetched by the other side. */
  entries: { holder: string; entry: string }[];
}

/**
 * POST /api/patients/{subject}/referral-consent: whether the other hospital would get these documents, as the node would decide
 * now. `unknown` while it cannot be told, and if there are none.
 */
export interface ReferralConsentRequest {
  to: string;
  toDepartment: string;
  /** The draft, once it has been saved. */
  referral: string | null;
  entries: { holder: string; entry: string }[];
}

export interface ReferralConsent {
  consent: 'permitted' | 'partly' | 'none' | 'unknown';
  /** Entries that the other hospital would not get. */
  withheld: string[];
}

/** POST /api/referrals/{member}/{id}/act. */
export interface Act {
  act: 'send' | 'accept' | 'decline' | 'book' | 'arrive' | 'admit' | 'answer' | 'close' | 'cancel';
  reply?: ReferralReply;
}

/**
 * GET /api/patients/{subject}/referral-prefill: what this hospital's newest documents say about fields of the form. Each one
 * that is read for it is an opening, and logged.
 */
export interface ReferralPrefill {
  impression: Prefilled;
  presentIllness: Prefilled;
  pastHistory: Prefilled;
  course: Prefilled;
}

export interface Prefilled {
  /** Fits the form; empty: no document says anything. */
  text: string;
  /** Whether there was more than fits. */
  clipped: boolean;
  sources: { holder: string; entry: string; title: string }[];
}

/** GET /api/doctors: who can be given a referral. */
export interface Doctor {
  login: string;
  name: string;
  departments: string[];
}

/** POST /api/referrals/{member}/{id}/assign: the doctor sees it from then on, and its patient once filed. */
export interface Assign {
  login: string;
}

/** POST /api/referrals/{member}/{id}/file: identity confirmed by a person. */
export interface File {
  /** A patient here; none: a patient is made under `number`. */
  subject?: string;
  number?: string;
  /** The identifiers differ, and a person has made sure all the same. */
  confirmed?: boolean;
}

// ---- Patient account: POST /api/patients/{subject}/account (desk) ----

// ---- POST …/consents/end, …/guardianship/end; PUT …/death ----

/** What a desk rests on; `scan` is the id of a paper. */
export interface Papers {
  sheet: string;
  identifiedBy: string;
  scan?: string;
}

// ---- Scanned papers: GET/POST /api/patients/{subject}/papers (a PDF, JPEG or PNG as the body), GET …/{id}; GET /api/me/papers, …/{id} ----

export interface Paper {
  id: string;
  at: string;
  by: string;
  size: number;
}

export interface Ended {
  permits: number;
  passkeys: number;
  /** Not all of it stands yet: the same again later. */
  unfinished: boolean;
}

export interface Death {
  /** None: the patient lives. */
  diedAt: string | null;
  evidence: Papers;
}

export interface PatientAccount {
  login: string;
  /** Shown once, to be handed over. */
  oneTimePassword: string;
}

// ---- Passkeys: GET/POST /api/patients/{subject}/passkeys, POST …/{id}/retire (desk); GET /api/me/passkeys, POST …/{id}/retire ----
// Bytes are base64url without padding.

export interface Passkey {
  /** The credential id. */
  id: string;
  since: string;
  voucher: { code: string; name: string };
  /** The patient's guardian signs with it. */
  guardian: boolean;
  /** From then on it signs nothing. */
  until: string | null;
  stage: 'waiting' | 'stands' | 'over' | 'refused' | 'revoked';
}

export interface Passkeys {
  /** Whether one can be enrolled here. */
  available: boolean;
  /** Until when the code that was given last is open, if it is. */
  openUntil: string | null;
  /** The oldest first. */
  items: Passkey[];
}

export interface BeginEnrolment {
  identifiedBy: string;
  guardian: boolean;
  until: string | null;
}

/** A one-time code, shown once: ten minutes, five wrong tries. */
export interface BegunEnrolment {
  code: string;
  /** The patients' page with the code behind `#`. */
  address: string;
  expiresAt: string;
}

// ---- The patient's own device: POST /api/enrolment {code}, POST /api/enrolment/passkey; nobody is signed in ----

export interface EnrolmentOptions {
  challenge: string;
  rpId: string;
  hospital: string;
  /** The family name. */
  patient: string;
  /** It is for the guardian of that patient. */
  guardian: boolean;
  user: string;
  name: string;
  /** Passkeys that the patient has here. */
  known: string[];
}

export interface MadePasskey {
  code: string;
  clientDataJson: string;
  authenticatorData: string;
}

/** What a passkey signed. */
export interface Assertion {
  credentialId: string;
  authenticatorData: string;
  clientDataJson: string;
  signature: string;
}

// ---- Signing in by a passkey: GET /api/session/passkey, POST with the answer ----

export interface SignInChallenge {
  challenge: string;
  /** Null: nobody signs in by a passkey here. */
  rpId: string | null;
}

// ---- Signing consent: POST /api/me/signing (what is to be signed), PUT (what was) ----

export interface Wanted {
  consent?: NewConsent;
  revoke?: { id: string; reason: Revoke['reason'] };
}

// ---- What would be decided: POST /api/me/explain (`Wanted`; empty: today) ----

/** Of the newest documents of this hospital; other hospitals decide about theirs. Nothing is recorded by asking. */
export interface Explanation {
  documents: number;
  rows: {
    /** Null: any other hospital. */
    organisation: { code: string; name: string } | null;
    purpose: 'treatment' | 'emergency';
    now: ExplainedPart[];
    /** If the patient had said it. */
    then: ExplainedPart[] | null;
  }[];
}

/** Documents about which it is decided alike. */
export interface ExplainedPart {
  permits: boolean;
  documents: number;
  clause: string;
  directive: string | null;
  text: { zh: string; en: string };
}

export interface ToSign {
  challenge: string;
  rpId: string;
  credentials: string[];
  /** What is said by it, made from what is signed. */
  says: { label: string; text: string }[];
  expiresAt: string;
}

// ---- Audit, the newest first: GET /api/patients/{subject}/audit; GET /api/me/audit for the patient ----

export interface AuditRow {
  number: number;
  at: string;
  actor: string;
  role: string;
  department: string | null;
  act: string;
  outcome: string;
  clause: string;
  text: string;
}

// ---- Bureau (at the registry): GET /api/volume, GET /api/members, GET /api/status ----

export interface VolumeRow {
  bucket: string;
  organisation: string;
  counterpart: string | null;
  /** `publication` for entries, else an act of an access event. */
  act: string;
  outcome: 'permitted' | 'denied' | 'failed';
  purpose: string | null;
  class: string | null;
  events: number;
  documents: number;
  bytes: number;
}

export interface Volume {
  from: string;
  to: string;
  zone: string;
  by: 'hour' | 'day';
  /** Facts are counted since then; before it there is no data, which differs from none. */
  countedSince: string | null;
  rows: VolumeRow[];
  definitions: { name: string; zh: string; en: string }[];
}

/** GET /api/emergencies at the registry: how often the glass was broken in these days, and the same opened documents of other hospitals. */
export interface EmergencyFigures {
  days: number;
  /** Null: fewer than five. */
  rows: { organisation: string; role: 'physician' | 'nurse' | 'department-head' | 'other'; events: number | null; openings: number | null }[];
}

export interface RegistryStatus {
  words: number;
  term: number;
  checkpointAt: string | null;
  connected: string[];
  /** Releases without deliveries a while after they were over, and deliveries without releases: never whose document. */
  singles?: { count: number; shown: Single[] };
  /** Members whose evaluations of today are to be looked at. */
  quotas?: QuotaAlarm[];
  /** What members found that the registry has signed and that cannot be (L-17). */
  alarms?: RegistryAlarm[];
}

/** How much of what a day allows a member has had evaluated today, and of its backfill budget so far. */
export interface QuotaAlarm {
  member: string;
  alarm: 'used-up' | 'nearly' | 'jump';
  used: number;
  allowed: number;
  backfill: number;
  backfillAllowed: number;
}

export type RegistryAlarm = { at: string; member: string } & (
  | { kind: 'checkpoints'; notes: { note: string; isOfThisLog: boolean }[]; contradicts: boolean }
  | { kind: 'omission'; publisher: string; reader: string; place: number; words: number; account: string }
);

export interface Single {
  holder: string;
  recipient: string;
  at: string;
  withoutRelease: boolean;
}
