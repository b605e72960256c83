//! Every bound of this crate, by name.

/// Bytes of a unit as sent that are looked at; a longer text is no unit.
pub const UNIT_BYTES_MAX: usize = 64;
/// Bytes of a value as sent that are looked at for a number or a step; a longer one is text.
pub const VALUE_BYTES_MAX: usize = 64;
/// Bytes of a name, a code or a specimen that are looked at.
pub const NAME_BYTES_MAX: usize = 256;
/// Significant digits of a number that is read; one of more is text. With the 28 digits that conversions are computed
/// with, no digit that is shown was ever rounded before.
pub const DIGITS_MAX: usize = 15;
/// Decimal places of a number that is shown; the smallest factor makes no more of what is read.
pub const PLACES_MAX: u32 = 18;

/// Rows of the tables of items that regions recognise.
pub const MARK_ROWS_MAX: usize = 20_000;
/// Bytes of a table that people hand in.
pub const CSV_BYTES_MAX: usize = 8 << 20;
/// Cells of one row of it.
pub const CSV_CELLS_MAX: usize = 32;
/// Bytes of each part of what names a local item.
pub const LOCAL_BYTES_MAX: usize = 128;
/// Rows of a table of codes that is read at run time.
pub const CODE_ROWS_MAX: usize = 150_000;
/// Rows of it that are compared with one local name: those that share most pairs of letters with it.
pub const CODE_CANDIDATES_MAX: usize = 64;
/// Suggestions for one local item.
pub const SUGGESTIONS_MAX: usize = 3;
