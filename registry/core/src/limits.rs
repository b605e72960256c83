//! The registry's own bounds; those of the words are in `yiqiao_proto::limits`.

/// Subjects, over all members, that state one token.
pub const SUBJECTS_MAX: usize = 512;
/// Subjects of one member that state one token: so no member takes the places of all others.
pub const SUBJECTS_OF_ONE_MAX: usize = 64;
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
/// Member lists in one answer.
pub const LISTS_MAX: u64 = 64;
