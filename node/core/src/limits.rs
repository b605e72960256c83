//! The node's own bounds; those of the words are in `yiqiao_proto::limits`.

use yiqiao_proto::time::Millis;

/// Visits kept of one patient; the oldest go first.
pub const VISITS_MAX: usize = 64;
/// Identifiers kept of one patient.
pub const IDENTIFIERS_MAX: usize = 32;
/// Numbers that were merged into one patient.
pub const RETIRED_MAX: usize = 32;
/// Patients of this hospital that have one identifier.
pub const HOLDERS_MAX: usize = 64;
/// Bytes of one text of a patient or a document that is kept: name, address, title.
pub const TEXT_BYTES_MAX: usize = 1_024;
/// Items, reviews or problems in one answer.
pub const PAGE_MAX: u64 = 256;

/// Calls to the registry under way at once.
pub const FLIGHTS_MAX: usize = 8;
/// Places of the queue that one wakeup looks at.
pub const LOOKS_MAX: usize = 64;
/// Subjects that wait, in memory, for the day on which tokens may be asked for again.
pub const STARVED_MAX: usize = 65_536;
/// Patients looked at in one step after the token epochs have changed.
pub const SWEEP_STEP: u64 = 64;

/// How long to wait after the first failure.
pub const BACKOFF_MIN: Millis = Millis::from_secs(1);
/// How long to wait after many.
pub const BACKOFF_MAX: Millis = Millis::from_secs(300);
/// The longest wait that the registry may impose.
pub const RETRY_AFTER_MAX: Millis = Millis::from_secs(24 * 3600);

const _: () = assert!(BACKOFF_MIN.get() < BACKOFF_MAX.get() && BACKOFF_MAX.get() < RETRY_AFTER_MAX.get());
