//! How large a town may be. A town is held in memory; its messages are written one by one as they are asked for.

use jiff::civil::{Date, date};

/// The most residents of a town.
pub const PEOPLE_MAX: usize = 100_000;

/// How far back the records of a town reach, in days before its day.
pub const HISTORY_DAYS: i64 = 900;

/// The day on which the residents are counted: nobody is born later, and identity numbers do not depend on the town's day.
pub const CENSUS: Date = date(2025, 12, 31);

/// The earliest day a town can live on; earlier ones are taken as this one.
pub const DAY_MIN: Date = date(2026, 1, 1);

/// The latest day a town can live on; later ones are taken as this one.
pub const DAY_MAX: Date = date(2099, 12, 31);
