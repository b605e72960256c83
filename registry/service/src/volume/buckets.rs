//! The region's time: its zone, and the days and hours into which a volume answer is cut.
//!
//! Facts are kept by hours of UTC, so a zone has to differ from UTC by whole hours.

use std::ops::Range;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::limits::{VOLUME_DAYS_MAX, VOLUME_HOURS_MAX};

const HOUR_MS: i64 = 3_600_000;

/// The time zone of a region.
#[derive(Clone, Debug)]
pub(crate) struct Zone(TimeZone);

/// A name that is no zone for a region.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`zone` in the configuration is {name:?}: name one of the IANA zones that differ from UTC by whole hours, such as Asia/Shanghai"
)]
pub(crate) struct ZoneError {
    name: String,
}

/// How finely an answer is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// Hours.
    Hour,
    /// Days of the region.
    Day,
}

/// Successive hours or days, as hours since 1970-01-01T00:00Z.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Buckets {
    starts: Vec<u32>,
    end: u32,
}

impl Zone {
    pub(crate) fn new(name: &str) -> Result<Self, ZoneError> {
        let error = || ZoneError { name: name.to_owned() };
        let zone = TimeZone::get(name).map_err(|_| error())?;
        let whole = Timestamp::now().to_zoned(zone.clone()).offset().seconds() % 3600 == 0;
        if whole { Ok(Self(zone)) } else { Err(error()) }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The hour in which a day begins; nothing before 1970.
    pub(crate) fn first_hour(&self, date: Date) -> Option<u32> {
        hour_before(date.to_zoned(self.0.clone()).ok()?.timestamp())
    }

    /// The first hour of the day around an hour, and of the day after it.
    pub(crate) fn day_around(&self, hour: u32) -> Option<Range<u32>> {
        let date = self.zoned(hour)?.date();
        Some(self.first_hour(date)?..self.first_hour(date.tomorrow().ok()?)?)
    }

    /// The first hour of the day so many days before the one around an hour.
    pub(crate) fn days_before(&self, hour: u32, days: i64) -> Option<u32> {
        let date = self.zoned(hour)?.date();
        self.first_hour(date.checked_sub(jiff::Span::new().try_days(days).ok()?).ok()?)
    }

    /// An hour as people of the region read it: RFC 3339 with the zone's offset.
    pub(crate) fn instant(&self, hour: u32) -> String {
        let zoned = self.zoned(hour);
        zoned.map_or_else(String::new, |at| at.timestamp().display_with_offset(at.offset()).to_string())
    }

    /// The name of a bucket: the day, or the instant at which the hour begins.
    pub(crate) fn label(&self, by: By, hour: u32) -> String {
        match by {
            By::Hour => self.instant(hour),
            By::Day => self.zoned(hour).map_or_else(String::new, |at| at.date().to_string()),
        }
    }

    fn zoned(&self, hour: u32) -> Option<Zoned> {
        let at = Timestamp::from_millisecond(i64::from(hour) * HOUR_MS).ok()?;
        Some(at.to_zoned(self.0.clone()))
    }
}

/// The hour that an instant is in; nothing before 1970.
pub(crate) fn hour_before(at: Timestamp) -> Option<u32> {
    u32::try_from(at.as_millisecond().div_euclid(HOUR_MS)).ok()
}

/// The first hour that does not begin before an instant.
pub(crate) fn hour_after(at: Timestamp) -> Option<u32> {
    let ms = at.as_millisecond().checked_add(HOUR_MS - 1)?;
    u32::try_from(ms.div_euclid(HOUR_MS)).ok()
}

impl By {
    /// The most buckets of one answer.
    pub(crate) const fn most(self) -> usize {
        match self {
            Self::Hour => VOLUME_HOURS_MAX,
            Self::Day => VOLUME_DAYS_MAX,
        }
    }

    /// What it is called in questions and answers.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

impl Buckets {
    /// Whole buckets around some hours; nothing if they are none, or too many.
    pub(crate) fn around(hours: &Range<u32>, by: By, zone: &Zone) -> Option<Self> {
        let mut buckets = Self { starts: Vec::new(), end: hours.start };
        while buckets.end < hours.end {
            let bucket = match by {
                By::Hour => buckets.end..buckets.end.checked_add(1)?,
                By::Day => zone.day_around(buckets.end)?,
            };
            if buckets.starts.len() == by.most() || bucket.end <= buckets.end {
                return None;
            }
            buckets.starts.push(bucket.start);
            buckets.end = bucket.end;
        }
        (!buckets.starts.is_empty()).then_some(buckets)
    }

    /// All hours of the buckets.
    pub(crate) fn hours(&self) -> Range<u32> {
        self.starts.first().copied().unwrap_or(self.end)..self.end
    }

    /// The first hour of the bucket that an hour is in.
    pub(crate) fn start_of(&self, hour: u32) -> Option<u32> {
        let after = self.starts.partition_point(|start| *start <= hour);
        self.starts.get(after.checked_sub(1)?).copied()
    }

    /// The hours of each bucket, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<u32>> {
        let ends = self.starts.iter().skip(1).copied().chain([self.end]);
        self.starts.iter().zip(ends).map(|(start, end)| *start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shanghai() -> Zone {
        Zone::new("Asia/Shanghai").unwrap()
    }

    fn hour(text: &str) -> u32 {
        hour_before(text.parse().unwrap()).unwrap()
    }

    #[test]
    fn days_are_days_of_the_region() {
        let hours = hour("2026-11-21T15:00Z")..hour("2026-11-21T17:00Z");
        let buckets = Buckets::around(&hours, By::Day, &shanghai()).unwrap();
        let labels: Vec<_> = buckets.iter().map(|day| shanghai().label(By::Day, day.start)).collect();
        assert_eq!(labels, ["2026-11-21", "2026-11-22"]);
        assert_eq!(buckets.hours(), hour("2026-11-20T16:00Z")..hour("2026-11-22T16:00Z"));
        assert_eq!(buckets.start_of(hour("2026-11-21T16:00Z")), Some(hour("2026-11-21T16:00Z")));
        assert_eq!(buckets.start_of(hour("2026-11-21T15:00Z")), Some(hour("2026-11-20T16:00Z")));
        assert_eq!(buckets.start_of(0), None);
    }

    #[test]
    fn hours_are_named_with_the_offset_of_the_zone() {
        let start = hour("2026-11-21T16:00Z");
        assert_eq!(shanghai().label(By::Hour, start), "2026-11-22T00:00:00+08:00");
        assert_eq!(Buckets::around(&(start..start + 3), By::Hour, &shanghai()).unwrap().iter().count(), 3);
    }

    #[test]
    fn a_day_on_which_clocks_are_set_has_its_own_length() {
        let madrid = Zone::new("Europe/Madrid").unwrap();
        let day = madrid.day_around(hour("2026-10-25T12:00Z")).unwrap();
        assert_eq!(day.len(), 25);
    }

    #[test]
    fn no_hours_and_too_many_are_no_buckets() {
        let from = hour("2026-11-20T16:00Z");
        assert_eq!(Buckets::around(&(from..from), By::Hour, &shanghai()), None);
        let most = u32::try_from(VOLUME_HOURS_MAX).unwrap();
        assert!(Buckets::around(&(from..from + most), By::Hour, &shanghai()).is_some());
        assert_eq!(Buckets::around(&(from..from + most + 1), By::Hour, &shanghai()), None);
        assert_eq!(Buckets::around(&(0..u32::MAX), By::Day, &shanghai()), None);
    }

    #[test]
    fn zones_that_do_not_fit_hours_are_refused() {
        for wrong in ["", "Asia/Kolkata", "China", "+08:00"] {
            assert!(Zone::new(wrong).is_err(), "{wrong}");
        }
    }
}
