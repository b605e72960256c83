//! The bounds of what this door reads and writes. What exceeds one is refused with its name, never cut.

/// Bytes of a request, all parts together: as a bundle, in base64, it must be one that intake takes.
pub const REQUEST_BYTES_MAX: usize = 44 << 20;

/// Parts of a message: the envelope, and one for each document.
pub const PARTS_MAX: usize = 1 + DOCUMENTS_MAX;

/// Bytes of the head of one part.
pub const HEAD_BYTES_MAX: usize = 8 << 10;

/// Documents of one submission, and of one retrieval.
pub const DOCUMENTS_MAX: usize = 127;

/// Values of one slot.
pub const VALUES_MAX: usize = 256;

/// Documents that are listed with all that is known of them; of more, their ids can be asked for.
pub const LEAVES_MAX: usize = 1_024;

/// Characters of the unique id of a document (ITI TF-3, table 4.2.3.2-1).
pub const UNIQUE_ID_CHARS_MAX: usize = 128;

/// Bytes of documents that are answered in the envelope itself, without parts of their own.
pub const INLINE_BYTES_MAX: u64 = 16 << 20;

const _: () = assert!(REQUEST_BYTES_MAX / 3 * 4 + (4 << 20) < yiqiao_fhir::limits::PROVIDE_BYTES_MAX);
const _: () = assert!(2 + 2 * DOCUMENTS_MAX <= yiqiao_fhir::limits::PROVIDE_ENTRIES_MAX);
