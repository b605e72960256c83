//! Every bound of what pages ask, by name.

use std::time::Duration;

use yiqiao_proto::time::Millis;

/// Over how many days the rules that were broken most are counted, today among them.
pub(super) const WORST_DAYS: i64 = 7;
/// Rules of connections that are shown as broken most.
pub(super) const WORST_SHOWN_MAX: usize = 200;

/// Rows of one page of patients or referrals.
pub(super) const PAGE_ROWS: usize = 50;
/// Drafts of one login that one list holds, the newest.
pub(super) const DRAFTS_MAX: usize = 256;
/// Documents of this hospital that one list holds, the newest.
pub(super) const OWN_DOCUMENTS_MAX: u64 = 4_096;
/// Those that one question reads: the machine does nothing else meanwhile.
pub(super) const OWN_DOCUMENTS_AT_ONCE: usize = 256;
/// Documents of others that one list holds.
pub(super) const COPIES_MAX: usize = 4_096;
/// Events of one answer.
pub(super) const HISTORY_ROWS: usize = 500;
/// Pages that one search or history asks of the registry.
pub(super) const REGISTRY_PAGES_MAX: usize = 16;
/// Directives that one page of consents holds; the registry holds no more of one patient.
pub(super) const QUESTION_COUNT: u32 = 256;

/// Searches that are remembered: what is indexed and was not fetched.
pub(super) const SEARCHES_MAX: usize = 1_024;
/// How long a search says what there is.
pub(super) const SEARCH_LIFE: Millis = Millis::from_secs(8 * 3_600);
/// Openings that are remembered.
pub(super) const OPENINGS_MAX: usize = 4_096;
/// How long an opening holds for the bytes of the same document.
pub(super) const OPENING_LIFE: Millis = Millis::from_secs(600);

/// How long a challenge to sign in by a passkey, or what is to be signed, waits for an answer.
pub(super) const CHALLENGE_LIFE: Millis = Millis::from_secs(300);
/// Challenges that were answered and are remembered for as long.
pub(super) const CHALLENGES_USED_MAX: usize = 65_536;
/// Accounts that are about to sign something.
pub(super) const SIGNINGS_MAX: usize = 4_096;
/// How long the one-time code of an enrolment lives.
pub(super) const ENROLMENT_LIFE: Millis = Millis::from_secs(600);
/// Wrong codes that one enrolment takes.
pub(super) const ENROLMENT_TRIES_MAX: u32 = 5;
/// Enrolments that are open at once: a tenth of the numbers that name one.
pub(super) const ENROLMENTS_MAX: usize = 1_000;
/// Those of one login of a desk.
pub(super) const ENROLMENTS_OF_DESK_MAX: usize = 8;
/// Consents that are taken back by one input, counted under each token.
pub(super) const REVOKED_AT_ONCE: usize = 64;
/// Wrong codes of one address, each within [`ENROLMENT_LIFE`] of the one before.
pub(super) const WRONG_CODES_MAX: u32 = 20;
/// Addresses of which that is counted.
pub(super) const WRONG_CODES_KEPT_MAX: usize = 4_096;

/// How long somebody waits for an act of consent to stand in the log.
pub(super) const SETTLE_WAIT: Duration = Duration::from_secs(10);
/// Documents about which one explanation speaks, the newest.
pub(super) const EXPLAINED_DOCUMENTS_MAX: usize = 256;
/// Hospitals about which it speaks by name.
pub(super) const EXPLAINED_HOSPITALS_MAX: usize = 16;
/// How long who breaks the glass waits for the log, before other hospitals can be asked.
pub(super) const GLASS_WAIT: Duration = Duration::from_secs(3);
/// How long somebody waits for the patient's tokens.
pub(super) const TOKENS_WAIT: Duration = Duration::from_secs(10);

/// The longest document that is rendered; a longer one is only handed out.
pub(super) const RENDER_BYTES_MAX: u64 = 16 << 20;
/// Characters of one rendering.
pub(super) const HTML_CHARS_MAX: usize = 8 << 20;
/// Laboratory reports that trends are made of, the newest.
pub(super) const TREND_DOCUMENTS_MAX: usize = 64;
/// The longest laboratory report that trends are made of.
pub(super) const TREND_BYTES_MAX: u64 = 1 << 20;
/// Items of one trend answer, and points of one item.
pub(super) const TREND_ITEMS_MAX: usize = 256;
/// Points of one item.
pub(super) const TREND_POINTS_MAX: usize = 256;

/// Notes of this hospital that are read to fill a referral form, the newest.
pub(super) const PREFILL_NOTES_MAX: usize = 8;
/// Laboratory reports that are read for it, the newest.
pub(super) const PREFILL_REPORTS_MAX: usize = 12;
/// The longest document that is read for it.
pub(super) const PREFILL_BYTES_MAX: u64 = 4 << 20;
/// Laboratory results that it gets.
pub(super) const PREFILL_RESULTS_MAX: usize = 12;

/// Items of systems that one page of the dictionary shows, the most frequent.
pub(super) const ITEMS_SHOWN_MAX: usize = 200;

/// Doctors of this hospital that a referral can be given to, in one list.
pub(super) const DOCTORS_MAX: usize = 2_000;

/// Documents that one request to fetch names.
pub(super) const FETCH_MAX: usize = 256;
/// Bytes of a scanned paper.
pub(super) const PAPER_BYTES_MAX: u64 = 20 << 20;
/// Bytes of one text that says who identified a patient, or which paper was signed.
pub(super) const EVIDENCE_TEXT_BYTES_MAX: usize = 512;
/// Circles of patients that one request walks through until somebody stands in one.
pub(super) const CIRCLES_MAX: usize = 16;

/// How long a hospital is waited for that is asked, for a patient, who did something there.
pub(super) const PERSONS_WAIT: Duration = Duration::from_secs(3);

/// Hospitals that are asked at once whether what the registry lists of them agrees.
pub(super) const HOLDERS_AT_ONCE: usize = 8;
