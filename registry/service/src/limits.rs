//! Every bound of the process, by name, besides those of the link, of HTTP and of the machine.

use std::time::Duration;

/// Days of one volume answer by day: a year and a month to compare with.
pub(crate) const VOLUME_DAYS_MAX: usize = 400;
/// Hours of one volume answer by hour: a month.
pub(crate) const VOLUME_HOURS_MAX: usize = 31 * 24;
/// Days of a volume answer by day if nothing is said.
pub(crate) const VOLUME_DAYS: i64 = 30;
/// Hours of a volume answer by hour if nothing is said.
pub(crate) const VOLUME_HOURS: u32 = 24;
/// Rows of one volume answer.
pub(crate) const VOLUME_ROWS_MAX: usize = 10_000;
/// Stored facts that one volume answer may read: some seconds of work.
pub(crate) const VOLUME_FACTS_MAX: usize = 4_000_000;
/// Volume answers that are made at once.
pub(crate) const VOLUMES_AT_ONCE_MAX: usize = 2;
/// In an export, counts of something about patients below this are not told.
pub(crate) const SMALL_COUNT: u64 = 5;

/// Releases and deliveries without their other half that are shown, and that are counted.
pub(crate) const SINGLES_SHOWN_MAX: usize = 200;
pub(crate) const SINGLES_COUNTED_MAX: u64 = 10_000;

/// Tiles of the log that are cut at once.
pub(crate) const TILES_AT_ONCE_MAX: usize = 4;

/// Questions to the token process that are answered at once; beyond them a line is closed.
pub(crate) const TOKEN_LINES_MAX: usize = 16;
/// How long one side of such a line waits for the other.
pub(crate) const TOKEN_LINE_TIME: Duration = Duration::from_secs(10);
/// How long the registry waits at its start for a token process that does not answer yet, and how often it looks.
pub(crate) const TOKEN_START_WAIT: Duration = Duration::from_secs(10);
pub(crate) const TOKEN_LOOK_EVERY: Duration = Duration::from_millis(100);
/// Bytes of a question or an answer on it.
pub(crate) const TOKEN_LINE_BYTES_MAX: usize = 16 << 10;

/// Witnesses of one registry.
pub(crate) const WITNESSES_MAX: usize = 16;
/// How often witnesses are asked at most.
pub(crate) const COSIGNED_EVERY: Duration = Duration::from_secs(1);
/// How long a witness may take: as long the checkpoint that is served waits for it.
pub(crate) const WITNESS_WAIT: Duration = Duration::from_secs(5);
/// How long a witness that failed is not asked.
pub(crate) const WITNESS_REST: Duration = Duration::from_secs(30);
/// Longest answer of a witness.
pub(crate) const COSIGNATURES_BYTES_MAX: u64 = 16 << 10;

/// How often it is written down that the log is open.
pub(crate) const OPEN_NOTED_EVERY: Duration = Duration::from_secs(60);
/// Spans of time in which the log was open that are remembered: one for each start of the process.
pub(crate) const OPEN_SPANS_MAX: usize = 10_000;

const _: () = assert!(TOKEN_LINE_BYTES_MAX >= 40 * yiqiao_proto::limits::EVALUATION_MAX + 128);
