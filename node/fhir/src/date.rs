//! Dates as FHIR writes them: strictly, of any precision, each a stretch of time; and what search says of them.
//!
//! A time without offset is read at +08:00. Not here: the many odd forms that hospital systems send (`yiqiao-intake`).

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use yiqiao_proto::time::{Millis, Timestamp};

/// China Standard Time.
const ZONE: Offset = Offset::constant(8);

/// A stretch of time: the second is not part of it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
}

/// How search compares (FHIR R4, search.html#prefix); `ap` is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// `eq`, and nothing: the value contains what is compared with it.
    Equal,
    /// `ne`
    NotEqual,
    /// `lt`
    Less,
    /// `gt`
    Greater,
    /// `le`
    LessOrEqual,
    /// `ge`
    GreaterOrEqual,
    /// `sa`
    StartsAfter,
    /// `eb`
    EndsBefore,
}

/// A prefix and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    prefix: Prefix,
    value: Stretch,
}

impl Stretch {
    /// Reads `2026`, `2026-11`, `2026-11-22`, `2026-11-22T08:00`, with seconds, fraction and offset; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('T') {
            Some((date, time)) => clock(whole_date(date)?, time),
            None => calendar(text),
        }
    }

    /// One instant.
    pub fn of_instant(at: Timestamp) -> Self {
        Self { from: at, until: at + Millis::new(1) }
    }

    /// From the one instant to the other, both included; what is not known is unlimited. `None` if neither is known.
    pub fn of_period(start: Option<Timestamp>, end: Option<Timestamp>) -> Option<Self> {
        if start.is_none() && end.is_none() {
            return None;
        }
        let until = end.map_or(Timestamp::MAX, |end| end + Millis::new(1));
        Some(Self { from: start.unwrap_or(Timestamp::MIN), until })
    }
}

impl Comparison {
    /// Reads a value of a search parameter; `None` if its prefix or its date is none.
    pub fn parse(text: &str) -> Option<Self> {
        let split = text.split_at_checked(2);
        let (prefix, date) = match split {
            Some(("eq", date)) => (Prefix::Equal, date),
            Some(("ne", date)) => (Prefix::NotEqual, date),
            Some(("lt", date)) => (Prefix::Less, date),
            Some(("gt", date)) => (Prefix::Greater, date),
            Some(("le", date)) => (Prefix::LessOrEqual, date),
            Some(("ge", date)) => (Prefix::GreaterOrEqual, date),
            Some(("sa", date)) => (Prefix::StartsAfter, date),
            Some(("eb", date)) => (Prefix::EndsBefore, date),
            _ => (Prefix::Equal, text),
        };
        Some(Self { prefix, value: Stretch::parse(date)? })
    }

    /// Whether it holds of what a resource says.
    pub fn holds(self, of: Stretch) -> bool {
        let Stretch { from, until } = self.value;
        let contained = from <= of.from && of.until <= until;
        match self.prefix {
            Prefix::Equal => contained,
            Prefix::NotEqual => !contained,
            Prefix::Less => of.from < from,
            Prefix::Greater => of.until > until,
            Prefix::LessOrEqual => of.from < from || contained,
            Prefix::GreaterOrEqual => of.until > until || contained,
            Prefix::StartsAfter => of.from >= until,
            Prefix::EndsBefore => of.until <= from,
        }
    }
}

/// An instant with milliseconds if it has some: `2026-11-22T08:00:00+08:00`.
pub(crate) fn instant(at: Timestamp) -> String {
    let whole = at.unix_ms().rem_euclid(1_000) == 0;
    local(at, if whole { "%Y-%m-%dT%H:%M:%S+08:00" } else { "%Y-%m-%dT%H:%M:%S%.3f+08:00" })
}

fn local(at: Timestamp, form: &str) -> String {
    // The calendar library ends a day before the protocol's time does.
    let at = jiff::Timestamp::from_millisecond(at.unix_ms()).unwrap_or(jiff::Timestamp::MAX);
    ZONE.to_datetime(at).strftime(form).to_string()
}

/// The last instant before one: how FHIR, whose periods include their end, says that it is excluded. Always with milliseconds: an end that names
/// a second lasts as long as that.
pub(crate) fn last_before(until: Timestamp) -> String {
    local(until - Millis::new(1), "%Y-%m-%dT%H:%M:%S%.3f+08:00")
}

/// A year, a month or a day.
fn calendar(text: &str) -> Option<Stretch> {
    let mut parts = text.split('-');
    let year = number(parts.next()?, 4)?;
    let month = parts.next().map(|part| number(part, 2));
    let day = parts.next().map(|part| number(part, 2));
    let (date, length) = match (month, day, parts.next()) {
        (None, None, None) => (Date::new(year, 1, 1).ok()?, 1.year()),
        (Some(month), None, None) => (Date::new(year, i8::try_from(month?).ok()?, 1).ok()?, 1.month()),
        (Some(month), Some(day), None) => (date(year, month?, day?)?, 1.day()),
        _ => return None,
    };
    let from = date.to_datetime(Time::midnight());
    Some(Stretch { from: at(from, ZONE)?, until: at(from.checked_add(length).ok()?, ZONE)? })
}

fn whole_date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let (year, month, day) =
        (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if parts.next().is_some() { None } else { date(year, month, day) }
}

fn date(year: i16, month: i16, day: i16) -> Option<Date> {
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok().filter(|_| year > 0)
}

/// A time of a day: a minute, a second, or a part of one.
fn clock(date: Date, text: &str) -> Option<Stretch> {
    let (time, offset) = match text.find(['Z', '+', '-']) {
        Some(at) => text.split_at_checked(at)?,
        None => (text, ""),
    };
    let offset = read_offset(offset)?;
    let (time, fraction) = match time.split_once('.') {
        Some((time, fraction)) => (time, Some(fraction)),
        None => (time, None),
    };
    let mut parts = time.split(':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let second = match parts.next() {
        Some(part) => Some(number(part, 2)?),
        None => None,
    };
    let (millis, length) = match (second, fraction) {
        (None, None) => (0, 60_000),
        (Some(_), None) => (0, 1_000),
        (Some(_), Some(fraction)) => millis(fraction)?,
        (None, Some(_)) => return None,
    };
    if parts.next().is_some() {
        return None;
    }
    let small = |part: i16| i8::try_from(part).ok();
    let time = Time::new(small(hour)?, small(minute)?, small(second.unwrap_or(0))?, 0).ok()?;
    let from = at(DateTime::from_parts(date, time), offset)? + Millis::new(millis);
    Some(Stretch { from, until: from + Millis::new(length) })
}

/// The milliseconds of a fraction of a second, and how long what it names is.
fn millis(fraction: &str) -> Option<(u64, u64)> {
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    let length = match fraction.len() {
        1 => 100,
        2 => 10,
        _ => 1,
    };
    Some((digits.parse().ok()?, length))
}

fn read_offset(text: &str) -> Option<Offset> {
    let (sign, rest) = match text {
        "" => return Some(ZONE),
        "Z" => return Some(Offset::UTC),
        _ => (if text.starts_with('-') { -1 } else { 1 }, text.strip_prefix(['+', '-'])?),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    if hours > 14 || minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (i32::from(hours) * 3_600 + i32::from(minutes) * 60)).ok()
}

/// Exactly so many digits.
fn number(text: &str, digits: usize) -> Option<i16> {
    let formed = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if formed { text.parse().ok() } else { None }
}

fn at(local: DateTime, offset: Offset) -> Option<Timestamp> {
    Timestamp::from_unix_ms(offset.to_timestamp(local).ok()?.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<(String, String)> {
        Stretch::parse(text).map(|stretch| (instant(stretch.from), last_before(stretch.until)))
    }

    #[test]
    fn a_date_is_a_stretch_as_long_as_it_is_vague() {
        for (text, from, last) in [
            ("2026", "2026-01-01T00:00:00+08:00", "2026-12-31T23:59:59.999+08:00"),
            ("2024-02", "2024-02-01T00:00:00+08:00", "2024-02-29T23:59:59.999+08:00"),
            ("2026-11-22", "2026-11-22T00:00:00+08:00", "2026-11-22T23:59:59.999+08:00"),
            ("2026-11-22T08:00", "2026-11-22T08:00:00+08:00", "2026-11-22T08:00:59.999+08:00"),
            ("2026-11-22T08:00:01Z", "2026-11-22T16:00:01+08:00", "2026-11-22T16:00:01.999+08:00"),
            ("2026-11-22T08:00:01.5-05:30", "2026-11-22T21:30:01.500+08:00", "2026-11-22T21:30:01.599+08:00"),
            ("2026-11-22T08:00:01.123456", "2026-11-22T08:00:01.123+08:00", "2026-11-22T08:00:01.123+08:00"),
        ] {
            assert_eq!(shown(text).unwrap(), (from.to_owned(), last.to_owned()), "{text}");
        }
    }

    #[test]
    fn an_end_is_read_back_to_the_millisecond() {
        for ms in [1_795_305_600_000, 1_795_305_600_001, 1_795_305_600_101, -1, 1] {
            let until = Timestamp::from_unix_ms(ms).unwrap();
            assert_eq!(Stretch::parse(&last_before(until)).unwrap().until, until, "{ms}");
        }
    }

    #[test]
    fn what_is_not_a_date_of_fhir_is_none() {
        for text in [
            "",
            "26",
            "2026-1",
            "2026-13",
            "2026-02-30",
            "0000",
            "20261122",
            "2026-11-22T",
            "2026-11-22T08",
            "2026-11T08:00",
            "2026-11-22T08:00:00 08:00",
            "2026-11-22T08:00:00+8",
            "2026-11-22T08:00.5",
            "2026-11-22T24:00:00",
            "2026-11-22T08:00:00+15:00",
            "2026-11-22-01",
            "二〇二六",
            "9999-12-31",
        ] {
            assert_eq!(Stretch::parse(text), None, "{text}");
        }
    }

    #[test]
    fn prefixes_compare_as_the_standard_says() {
        let of = Stretch::parse("2026-11-22").unwrap();
        for (text, holds) in [
            ("2026-11-22", true),
            ("eq2026-11", true),
            ("eq2026-11-22T08:00", false),
            ("ne2026-11", false),
            ("ne2026-11-22T08:00", true),
            ("lt2026-11-22", false),
            ("lt2026-11-22T08:00", true),
            ("gt2026-11-21", true),
            ("gt2026-11-22", false),
            ("gt2026-11-22T08:00", true),
            ("le2026-11-22", true),
            ("le2026-11-21", false),
            ("ge2026-11-22", true),
            ("ge2026-11-23", false),
            ("sa2026-11-21", true),
            ("sa2026-11-22T00:00", false),
            ("eb2026-11-23", true),
            ("eb2026-11-22", false),
        ] {
            assert_eq!(Comparison::parse(text).unwrap().holds(of), holds, "{text}");
        }
        assert_eq!(Comparison::parse("ap2026-11"), None);
        assert_eq!(Comparison::parse("医"), None);
    }

    #[test]
    fn a_period_that_does_not_end_reaches_every_later_day() {
        let of = Stretch::of_period(Timestamp::from_unix_ms(0), None).unwrap();
        assert!(Comparison::parse("gt2026").unwrap().holds(of));
        assert!(!Comparison::parse("eb2026").unwrap().holds(of));
        assert_eq!(Stretch::of_period(None, None), None);
    }

    #[test]
    fn the_ends_of_time_are_written_without_harm() {
        assert!(instant(Timestamp::MAX).starts_with("9999-12-31T"));
        assert_eq!(instant(Timestamp::MIN), "0001-01-01T08:00:00+08:00");
    }
}
