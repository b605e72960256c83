//! The bounds of what is read.

/// Facts of one document.
pub const DOCUMENT_FACTS_MAX: usize = 2_000;

/// Facts of one patient.
pub const FACTS_MAX: usize = 20_000;

/// Bytes of a code that is asked of people; a longer one is words.
pub const CODE_BYTES_MAX: usize = 32;

/// Bytes of a code that is asked of people in the place of one of a value set: fewer than a telephone number has.
pub const SET_CODE_BYTES_MAX: usize = 8;

/// Characters of a text that are kept.
pub const TEXT_CHARS_MAX: usize = 2_000;
