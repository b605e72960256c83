//! The time of day, handed to whoever needs it.
//!
//! The one place of this crate that reads the wall clock. Accounts, sessions and clients are told the time; what serves
//! requests holds a [`Clock`], so that a test sets the time instead of waiting for it.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use yiqiao_proto::time::Timestamp;

/// Tells the time; clones tell the same.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that asks `tell` for the time.
    pub fn new(tell: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// The wall clock of this machine.
    pub fn system() -> Self {
        Self::new(system_now)
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// A wall clock outside of the years 1970 to 9999 reads as the nearest end: everything has then expired, or not begun.
fn system_now() -> Timestamp {
    let ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    i64::try_from(ms).ok().and_then(Timestamp::from_unix_ms).unwrap_or(Timestamp::MAX)
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
