//! The registry's own bounds; those of the words are in `yiqiao_proto::limits`.

/// Subjects, over all members, that state one token.
pub const SUBJECTS_MAX: usize = 512;
/// Recipients remembered for one entry: who is told of its withdrawal.
pub const RECIPIENTS_MAX: usize = 512;
/// How far back an entry's chain of replacements is kept.
pub const REPLACES_MAX: usize = 64;
/// Entries that one search looks at before it answers with what it found: the next page goes on there.
pub const SEARCH_LOOKS_MAX: usize = 4_096;
