//! The registry's own bounds; those of the words are in `yiqiao_proto::limits`.

/// Subjects, over all members, that state one token.
pub const SUBJECTS_MAX: usize = 512;
/// Recipients remembered for one entry, who are told of its withdrawal: every member can be one (F-4).
pub const RECIPIENTS_MAX: usize = yiqiao_proto::limits::MEMBERS_MAX;
/// Entries whose place one entry takes, one after the other. More are refused rather than forgotten: a forbid of the
/// first stands for all (C-5).
pub const REPLACES_MAX: usize = 64;
/// Links that a search loads at a time: it goes on until its page is full.
pub const SEARCH_LOOKS_MAX: usize = 4_096;
