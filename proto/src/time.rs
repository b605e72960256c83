//! Instants and lengths of time. Every core is told the time; nothing here reads a clock.

use core::fmt;
use core::ops::{Add, Sub};

/// An instant: milliseconds since 1970-01-01T00:00:00Z, leap seconds smeared away; years 1 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A length of time in milliseconds, never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(u64);

impl Timestamp {
    /// 0001-01-01T00:00:00.000Z.
    pub const MIN: Self = Self(-62_135_596_800_000);
    /// 9999-12-31T23:59:59.999Z.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// The instant so many milliseconds after the epoch, or `None` outside of the years 1 to 9999.
    pub const fn from_unix_ms(ms: i64) -> Option<Self> {
        if ms < Self::MIN.0 || ms > Self::MAX.0 { None } else { Some(Self(ms)) }
    }

    /// Milliseconds since the epoch; negative before it.
    pub const fn unix_ms(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not.
    pub const fn since(self, earlier: Self) -> Millis {
        let ms = self.0.saturating_sub(earlier.0);
        if ms <= 0 { Millis(0) } else { Millis(ms.unsigned_abs()) }
    }
}

impl Millis {
    /// So many milliseconds.
    pub const fn new(ms: u64) -> Self {
        Self(ms)
    }

    /// So many seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// The number of milliseconds.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The same for the timers of a runtime.
    pub const fn as_duration(self) -> core::time::Duration {
        core::time::Duration::from_millis(self.0)
    }
}

impl Add<Millis> for Timestamp {
    type Output = Self;

    /// Saturates at [`Timestamp::MAX`].
    fn add(self, length: Millis) -> Self {
        let ms = self.0.saturating_add_unsigned(length.0);
        Self(ms.min(Self::MAX.0))
    }
}

impl Sub<Millis> for Timestamp {
    type Output = Self;

    /// Saturates at [`Timestamp::MIN`].
    fn sub(self, length: Millis) -> Self {
        let ms = self.0.saturating_sub_unsigned(length.0);
        Self(ms.max(Self::MIN.0))
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stays_within_its_years() {
        assert_eq!(Timestamp::from_unix_ms(i64::MAX), None);
        assert_eq!(Timestamp::MAX + Millis::new(u64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN - Millis::new(u64::MAX), Timestamp::MIN);
    }

    #[test]
    fn nothing_is_a_negative_time_ago() {
        let now = Timestamp::from_unix_ms(5).unwrap();
        assert_eq!(now.since(now + Millis::new(1)), Millis::new(0));
        assert_eq!((now + Millis::new(7)).since(now), Millis::new(7));
    }
}
