//! The bounds of what this door reads. What exceeds one is refused with its name, never cut.

/// Bytes of a query string or of a search form.
pub const QUERY_BYTES_MAX: usize = 16 * 1024;

/// Parameters of one search.
pub const PARAMETERS_MAX: usize = 64;

/// Alternatives of one parameter, separated by commas.
pub const ALTERNATIVES_MAX: usize = 64;

/// Resources on one page, and how many if nothing is said.
pub const COUNT_MAX: u32 = 256;

/// Resources on one page if nothing is said.
pub const COUNT_DEFAULT: u32 = 50;

/// Bytes of a paging token.
pub const PAGE_TOKEN_BYTES_MAX: usize = 4_096;

/// Bytes of a Consent or Task.
pub const RESOURCE_BYTES_MAX: usize = 256 * 1024;

/// Bytes of a bundle of documents (ITI-65): as much as intake takes.
pub const PROVIDE_BYTES_MAX: usize = yiqiao_intake::limits::INPUT_BYTES_MAX;

/// Entries of a bundle of documents: a list, a patient, and a reference and a content for each document.
pub const PROVIDE_ENTRIES_MAX: usize = 2 + 2 * 127;

/// Items of one list of a resource that is read.
pub const ITEMS_MAX: usize = 256;

/// Bytes of the name of a guardian.
pub const GUARDIAN_BYTES_MAX: usize = 256;

/// Bytes of a reason or a note.
pub const TEXT_BYTES_MAX: usize = 4 * 1024;

/// Bytes of the name of a parameter or an element in an error.
pub const NAME_BYTES_MAX: usize = 64;

const _: () = assert!(COUNT_DEFAULT <= COUNT_MAX);
const _: () = assert!(PAGE_TOKEN_BYTES_MAX < QUERY_BYTES_MAX);
const _: () = assert!(yiqiao_proto::limits::DIRECTIVE_ENTRIES_MAX <= ITEMS_MAX);
const _: () = assert!(PROVIDE_ENTRIES_MAX <= yiqiao_intake::limits::BUNDLE_ENTRIES_MAX);
