//! How large anything may get. Lengths are in bytes.

/// The longest record.
pub const RECORD_BYTES_MAX: usize = 16 << 20;

/// The most records of one batch.
pub const BATCH_RECORDS_MAX: usize = 65_536;

/// The longest batch: its records with 8 bytes for each.
pub const BATCH_BYTES_MAX: usize = 32 << 20;

/// The longest segment that may be asked for. One batch may make a segment longer than was asked.
pub const SEGMENT_BYTES_MAX: u64 = 4 << 30;

/// The most segments of a journal. Each costs the process one open file.
pub const SEGMENTS_MAX: usize = 4_096;

/// The most files of a folder.
pub const FILES_MAX: usize = 2 * SEGMENTS_MAX;

/// The longest value of a register.
pub const REGISTER_BYTES_MAX: usize = 4_096;

/// The longest `FORMAT` file.
pub const FORMAT_BYTES_MAX: usize = 1_024;

/// The longest name of what a folder holds.
pub const KIND_BYTES_MAX: usize = 16;

/// How much a scan reads at once, unless a record is longer.
pub const SCAN_BYTES: usize = 256 << 10;

/// How much is read for one record before its length is known.
pub const READ_BYTES: usize = 1 << 10;

/// How much a column holds back before it writes.
pub const COLUMN_BYTES: usize = 256 << 10;

const _: () = assert!(RECORD_BYTES_MAX + 8 <= BATCH_BYTES_MAX);
const _: () = assert!(BATCH_BYTES_MAX < u32::MAX as usize);
