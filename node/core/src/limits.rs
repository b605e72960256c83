//! The node's own bounds; those of the words are in `yiqiao_proto::limits`.

use yiqiao_proto::time::Millis;

/// Visits kept of one patient; the oldest go first.
pub const VISITS_MAX: usize = 64;
/// Identifiers kept of one patient.
pub const IDENTIFIERS_MAX: usize = 32;
/// Numbers that were merged into one patient.
pub const RETIRED_MAX: usize = 32;
/// Patients of this hospital that have one identifier.
pub const HOLDERS_MAX: usize = 64;
/// Patients that are found under one tag of likeness, and that are compared with one patient at once.
pub const ALIKE_MAX: usize = 64;
/// Pairs of one patient that one change brings before staff: who is like more is compared by hand.
pub const PAIRS_OF_CHANGE_MAX: usize = 8;
/// Registers that are counted by name.
pub const REGISTERS_MAX: usize = 32;
/// Bytes of the name of a register.
pub const REGISTER_BYTES_MAX: usize = 128;
/// Connections that are counted one by one; what comes through further ones is counted together.
pub const CONNECTIONS_MAX: usize = 256;
/// Names that senders give themselves at one door of one system.
pub const SENDERS_MAX: usize = 16;
/// Bytes of one text of a patient or a document that is kept: name, address, title.
pub const TEXT_BYTES_MAX: usize = 1_024;
/// Items, reviews or problems in one answer.
pub const PAGE_MAX: u64 = 256;

/// Calls to the registry under way at once.
pub const FLIGHTS_MAX: usize = 8;
/// Places of the queue that one wakeup looks at.
pub const LOOKS_MAX: usize = 64;
/// Errands that one wakeup looks at: each may be a copy to erase, and who opens a document meanwhile waits for them all.
pub const ERRAND_LOOKS_MAX: usize = 8;
/// Checkpoints that wait, in memory, for the proof that a newer one continues them.
pub const HEARD_MAX: usize = 31;
/// How often the registry is asked for such proofs, if there is something to prove.
pub const PROVE_EVERY: Millis = Millis::from_secs(60);
/// How often checkpoints are compared with a member with whom there is something to do.
pub const COMPARE_EVERY: Millis = Millis::from_secs(60);
/// Contradictions of one log that are kept: one is enough.
pub const CONTRADICTIONS_MAX: usize = 8;
/// How often the registry is asked what it holds of some subjects (L-16).
pub const INVENTORY_EVERY: Millis = Millis::from_secs(600);
/// Of how many: the next ones after a place that chance draws.
pub const INVENTORY_SUBJECTS: u64 = 16;
/// Omissions of one log that are kept: one is enough.
pub const OMISSIONS_MAX: usize = 8;
/// Subjects that wait, in memory, for the day on which tokens may be asked for again.
pub const STARVED_MAX: usize = 65_536;
/// Patients looked at in one step after the token epochs have changed.
pub const SWEEP_STEP: u64 = 64;

/// How old the question of a patient may be by which another member asks who acted here, and how far ahead of this node's clock.
pub const QUESTION_AGE_MAX: Millis = Millis::from_secs(300);
/// How long a line of the audit stands before an anchor is said for it.
pub const ANCHOR_AFTER: Millis = Millis::from_secs(3600);

/// How long the bytes of a document wait for the message that describes them.
pub const DEPOSIT_LIFE: Millis = Millis::from_secs(24 * 3600);
/// How much longer their file stays.
pub const DEPOSIT_GRACE: Millis = Millis::from_secs(3600);

/// How long to wait after the first failure.
pub const BACKOFF_MIN: Millis = Millis::from_secs(1);
/// How long to wait after many.
pub const BACKOFF_MAX: Millis = Millis::from_secs(300);
/// The longest wait that the registry may impose.
pub const RETRY_AFTER_MAX: Millis = Millis::from_secs(24 * 3600);

/// What a desk keeps as evidence of one act.
pub const EVIDENCE_BYTES_MAX: usize = 4_096;
/// Passkeys of one patient that this node has vouched for, also those that are revoked. The registry takes sixteen statements of
/// one member about one patient beyond revocations (C-9): half of them are for new tokens.
pub const PASSKEYS_MAX: usize = 8;
/// Scanned papers of one patient.
pub const PAPERS_MAX: usize = 256;
/// What patients are to be told and no gateway has taken: beyond that the oldest goes.
pub const INFORMED_MAX: u64 = 10_000;
/// Events of which the hospital's systems are told: beyond that the oldest goes.
pub const OUTGOING_MAX: u64 = 10_000;
/// Bytes of the watermark of a view: a number or a time.
pub const WATERMARK_BYTES_MAX: usize = 64;
/// Events set aside of which a system can be told once more; of more, the oldest are only counted.
pub const SET_ASIDE_MAX: usize = 64;
/// Events that are looked at in one go for one that a system is to be told of.
pub const OUTGOING_LOOKS: u64 = 256;
/// How long ago another hospital may have begun to vouch for a passkey of which its patient is told: a hospital that has documents of the
/// patient only since then tells of no old ones.
pub const VOUCHED_NEWS: Millis = Millis::from_secs(24 * 3600);
/// People who open one sealed record all the same.
pub const REVIEWERS_MAX: usize = 8;
/// Characters of a reason: of an emergency, of what is thought of it.
pub const REASON_CHARS_MAX: usize = 500;
/// Requests for documents that one member may make in a day.
pub const REQUESTS_PER_DAY_MAX: u64 = 20_000;
/// Recipients of one patient's documents that are told of a revocation directly.
pub const RECIPIENTS_MAX: usize = 32;
/// When to ask again for what is about to be there.
pub const SOON: Millis = Millis::from_secs(1);
/// How long the registry keeps a reading of the feed that finds nothing: what comes then is answered at once.
pub const FEED_WAIT: Millis = Millis::new(yiqiao_proto::limits::FEED_WAIT_MS_MAX);
/// How often the feed is read at most, if nothing comes: a registry need not keep the call.
pub const FEED_EVERY: Millis = Millis::new(500);
/// How long what a member told counts although the feed does not hold it (F-9).
pub const NOTICE_LIFE: Millis = Millis::from_secs(600);
/// Acts that members told of one token, within that time.
pub const NOTICES_MAX: usize = 16;
/// Directives of one token that are known to have been taken back here, the last ones: as many as can be in force of what members
/// attest (C-12).
pub const TAKEN_BACK_MAX: usize = 256;

/// Directives of one token that are in force no longer and are kept, the last of them.
pub const ENDED_MAX: usize = 64;

/// Consent acts under way at once, and other words.
pub const SAYING_MAX: usize = 8;
/// Words that get their place in a queue together, when all are handed in to a new log (L-9).
pub const AGAIN_STEP: u64 = 16;
/// The longest wait of consent acts, of the feed and of the lease after failures: they must not stand still for long.
pub const SOON_MAX: Millis = Millis::from_secs(15);

/// Calls to other members under way at once.
pub const ERRANDS_MAX: usize = 16;
/// Calls to one of them.
pub const ERRANDS_OF_MEMBER_MAX: usize = 8;
/// Errands whose next time is in memory; beyond that the walk over them waits.
pub const DUE_MAX: usize = 65_536;
/// Changed heads whose copies are still to be looked at; beyond that all copies are.
pub const CHANGED_HEADS_MAX: usize = 4_096;
/// How long a request for a document lives.
pub const REQUEST_LIFE: Millis = Millis::from_secs(3600);
/// How often a copy that is permitted is decided about again, if nothing else happens.
pub const RECHECK_EVERY: Millis = Millis::from_secs(3600);
/// How soon again if it could not be decided, for want of a lease or a head.
pub const RECHECK_SOON: Millis = Millis::from_secs(60);
/// How long what was decided about a range counts for chunks that have not begun to go out: a slow recipient gets no more.
pub const DECISION_HOLDS: Millis = Millis::from_secs(1);
/// Steps of one side of a referral.
pub const STEPS_MAX: u32 = 64;
/// Referrals of one member that nobody here has answered.
pub const OPEN_REFERRALS_MAX: u64 = 1_000;

/// Parts of what is known of one system's items: a message changes few of them.
pub const DICTIONARY_PARTS: u8 = 64;
/// Items of one part, and as many of each other kind, that systems have sent and that wait for people; results of more are counted together.
pub const DICTIONARY_PART_ITEMS_MAX: usize = 128;
/// Of each kind in one part, with those that only people have named.
pub const DICTIONARY_PART_MAX: usize = 256;
/// Items of one message that are asked of people, and as many of the other kinds together.
pub const ITEMS_OF_MESSAGE_MAX: usize = 64;
/// Items about which one input decides.
pub const DECIDED_AT_ONCE_MAX: usize = 256;
/// Decisions about one item that are kept, the last ones; the journal has all.
pub const MEANINGS_MAX: usize = 16;

/// How often the registry is told how good it was, if that has changed (Y-3).
pub const REPORT_EVERY: Millis = Millis::from_secs(600);
/// Days of which the quality of what came is kept.
pub const QUALITY_DAYS: u8 = 32;
/// Messages of a connection that broke one rule and are named: the first ones of the newest day.
pub const QUALITY_SAMPLES_MAX: usize = 20;
/// Bytes of what names one.
pub const QUALITY_NAME_BYTES_MAX: usize = 128;

// What whoever drives the machine keeps to: the node's service and the simulated node.

/// Inputs and questions that wait for the machine; beyond them callers are told to come again.
pub const QUEUE_MAX: usize = 1_024;
/// Inputs of one batch: one write to the disk for all.
pub const BATCH_MAX: usize = 256;
/// How often the machine may ask for more of its store while it handles one input or question.
pub const ROUNDS_MAX: usize = 256;
/// How long the machine's own work rests after the disk took nothing.
pub const REST: Millis = Millis::from_secs(1);
/// Who waits for words to settle and for calls to land; beyond them callers are told to come again.
pub const WAITERS_MAX: usize = 1_024;
/// How far wall clock and boot clock may part before every lease is void (F-6).
pub const CLOCKS_APART_MAX: Millis = Millis::from_secs(1);
/// How long a call to a member may take, the registry among them.
pub const CALL_WAIT: Millis = Millis::from_secs(30);
/// How often the registry is asked for newer member lists at least: the feed and each lease name a newer one, and an answer of
/// the registry that is not believed has it asked at once.
pub const LISTS_EVERY: Millis = Millis::from_secs(120);
/// The same while it does not know this node, or is not there: a thousand nodes ask a registry that comes back.
pub const LISTS_RETRY: Millis = Millis::from_secs(5);
/// How long a request waits for the feed before it is denied, and a range for the word on which it rests.
pub const NEWS_WAIT: Millis = Millis::from_secs(2);
/// Ranges of one document that are asked for at once.
pub const RANGES_AT_ONCE: usize = 2;
/// How often a range is asked for while its holder is busy.
pub const BUSY_WAITS_MAX: u32 = 30;
/// How long is waited before it is asked for again, whatever the holder says.
pub const BUSY_WAIT_MIN: Millis = Millis::new(50);
/// The same, at most.
pub const BUSY_WAIT_MAX: Millis = Millis::from_secs(5);

const _: () = assert!(BATCH_MAX <= QUEUE_MAX);
const _: () = assert!(DICTIONARY_PART_ITEMS_MAX < DICTIONARY_PART_MAX);
const _: () = assert!(ERRANDS_OF_MEMBER_MAX <= ERRANDS_MAX && ERRAND_LOOKS_MAX < DUE_MAX);
const _: () = assert!(TEXT_BYTES_MAX <= yiqiao_proto::limits::PERSON_NAME_BYTES_MAX);
const _: () = assert!(REQUEST_LIFE.get() <= yiqiao_proto::limits::REQUEST_LIFE_MS_MAX);
const _: () = assert!(RECHECK_SOON.get() < REQUEST_LIFE.get());
const _: () = assert!(BACKOFF_MIN.get() < SOON_MAX.get() && SOON_MAX.get() < BACKOFF_MAX.get());
const _: () = assert!(BACKOFF_MIN.get() < BACKOFF_MAX.get() && BACKOFF_MAX.get() < RETRY_AFTER_MAX.get());
const _: () = assert!(HEARD_MAX < yiqiao_proto::limits::PROOFS_MAX);
