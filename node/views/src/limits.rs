//! Every bound of reading views, by name.

use std::time::Duration;

/// Rows by whose watermarks one window is cut: with them come all other rows of their keys, and all of the last watermark.
pub const WINDOW_ROWS: u32 = 1_000;
/// Bytes of the rows of one key, as they are handed over.
pub const DOCUMENT_BYTES_MAX: usize = 16 << 20;
/// Characters of a value.
pub const VALUE_CHARS_MAX: usize = 1 << 20;
/// Bytes of a watermark.
pub const WATERMARK_BYTES_MAX: usize = 64;
/// How long a database may take to let this node in.
pub const CONNECT_WAIT: Duration = Duration::from_secs(20);
/// How long it may take for the next row: the first one may need a look through all.
pub const ROW_WAIT: Duration = Duration::from_secs(300);
