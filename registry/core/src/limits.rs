//! The registry's own bounds; those of the words are in `yiqiao_proto::limits`.

use yiqiao_proto::time::Millis;

/// Subjects, over all members, that state one token.
pub const SUBJECTS_MAX: usize = 512;
/// Subjects of one member that state one token: so no member takes the places of all others.
pub const SUBJECTS_OF_ONE_MAX: usize = 64;
/// The last number of a subject's chain that an entry may have: so no member files about somebody without end (N-2).
pub const ENTRY_NUMBER_MAX: u64 = 65_536;
/// Statements of one voucher about one passkey, and about all passkeys of one patient: so no member takes the places of all
/// others (C-9).
pub const CREDENTIAL_STATEMENTS_OF_ONE_MAX: usize = 16;
/// Recipients remembered for one entry, who are told of its withdrawal: every member can be one (F-4).
pub const RECIPIENTS_MAX: usize = yiqiao_proto::limits::MEMBERS_MAX;
/// How often an entry is published anew after another one had taken its place. More are refused rather than forgotten: a
/// forbid that names it stands for all that took its place (C-5).
pub const FORMER_MAX: usize = 64;
/// Links that a search loads at a time: it goes on until its page is full.
pub const SEARCH_LOOKS_MAX: usize = 4_096;
/// What a search reads of each kind at least, however little there is to find.
pub const SEARCH_READS_MIN: usize = 16;
/// Bytes of items or events in one answer, unless the first alone is longer.
pub const ANSWER_BYTES_MAX: usize = yiqiao_proto::limits::CALL_BYTES_MAX / 2;
/// How long after a release is over its delivery may come, before it counts as a single one (P-7): what the recipient says first waits
/// for the registry, and then for others.
pub const DELIVERY_GRACE: Millis = Millis::from_secs(3600);
/// Earlier days of which is kept how much a member had evaluated.
pub const QUOTA_DAYS_MAX: usize = 14;
/// So many times as much as on any of these days is a jump (T-5) ...
pub const QUOTA_JUMP: u64 = 5;
/// ... if it is at least so much.
pub const QUOTA_JUMP_MIN: u64 = 1_000;
/// Stretches of the log that one reading of a member's own words looks through, and words that it tells (N-9).
pub const RECALL_STRETCHES: u64 = 64;
/// See [`RECALL_STRETCHES`].
pub const RECALL_WORDS: usize = 32;
/// Member lists in one answer.
pub const LISTS_MAX: u64 = 64;

/// Days of a member of which is kept how good what its systems sent was (Y-3).
pub const QUALITY_DAYS: u32 = 32;
/// How often it may be told otherwise of one of them: every ten minutes of two days, and some.
pub const QUALITY_TIMES_MAX: u32 = 320;

/// What members have found that cannot be: so many are kept, and so many of one member.
pub const ALARMS_MAX: usize = 64;
/// Of one member.
pub const ALARMS_OF_MEMBER_MAX: usize = 4;

// What whoever drives the machine keeps to: the registry's service and the simulated registry.

/// Inputs that wait; beyond them callers are told to come again.
pub const QUEUE_MAX: usize = 1_024;
/// Inputs of one batch: one write to the disk for all.
pub const BATCH_MAX: usize = 256;
/// How often the machine may ask for more of its store while it handles one input.
pub const ROUNDS_MAX: usize = 64;
/// How often the folder of member lists is looked at.
pub const LISTS_EVERY: Millis = Millis::from_secs(2);

const _: () = assert!(BATCH_MAX <= QUEUE_MAX);
