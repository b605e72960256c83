//! Dates and times as HL7 v2 (DTM, TS), CDA (TS) and FHIR (date, dateTime, instant) write them, of any precision.
//!
//! A time without offset is read in the zone of the door it came through; the remark [`Flag::ZoneAssumed`] says so.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use yiqiao_proto::time::Timestamp;

use crate::flag::{Flag, Flags};
use crate::patient::PartialDate;

const DAY_MS: i64 = 86_400_000;

/// How exact a time was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// A year.
    Year,
    /// A month.
    Month,
    /// A day.
    Day,
    /// An hour or a minute.
    Minute,
    /// A second or less.
    Second,
}

/// A point or stretch of time as a sender gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct When {
    /// Its beginning.
    pub at: Timestamp,
    /// How exact it was given.
    pub precision: Precision,
}

/// From when to when; either may be unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Period {
    /// Beginning.
    pub start: Option<When>,
    /// End.
    pub end: Option<When>,
}

/// The zone of a hospital's clocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// A zone name that is neither in the IANA database nor an offset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no time zone: write an IANA name such as Asia/Shanghai or an offset such as +08:00")]
pub struct ZoneUnknown {
    name: String,
}

/// Why a text is not a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// Blank or HL7 null.
    #[error("no date")]
    Missing,
    /// Not written as a date.
    #[error("not written as a date")]
    Form,
    /// A date or time that no calendar has.
    #[error("no such date")]
    Impossible,
}

impl Zone {
    /// A zone by its IANA name or its offset from UTC (`+08:00`).
    ///
    /// # Errors
    /// If it is neither.
    pub fn parse(name: &str) -> Result<Self, ZoneUnknown> {
        let unknown = || ZoneUnknown { name: name.to_owned() };
        if let Some(offset) = offset(name) {
            return offset.map(|offset| Self(TimeZone::fixed(offset))).map_err(|_| unknown());
        }
        TimeZone::get(name).map(Self).map_err(|_| unknown())
    }

    /// Asia/Shanghai: UTC+8, with the summer times of 1986 to 1991.
    pub fn china() -> Self {
        Self(TimeZone::get("Asia/Shanghai").unwrap_or_else(|_| TimeZone::fixed(Offset::constant(8))))
    }

    /// The instant as a clock in this zone shows it: `2026-01-02T03:04:05+08:00`.
    pub fn show(&self, at: Timestamp) -> String {
        let instant = jiff::Timestamp::from_millisecond(at.unix_ms()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        self.0.to_offset(instant).to_datetime(instant).strftime("%Y-%m-%dT%H:%M:%S").to_string()
            + &show_offset(self.0.to_offset(instant))
    }

    /// The day of the instant by a clock in this zone, counted from 1970-01-01.
    pub fn day(&self, at: Timestamp) -> i64 {
        let instant = jiff::Timestamp::from_millisecond(at.unix_ms()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let ahead_ms = i64::from(self.0.to_offset(instant).seconds()) * 1_000;
        at.unix_ms().saturating_add(ahead_ms).div_euclid(DAY_MS)
    }

    /// The instant as HL7 v2 writes it: `20260102030405+0800`.
    pub fn show_hl7(&self, at: Timestamp) -> String {
        self.show(at).chars().filter(|c| c.is_ascii_digit() || *c == '+').collect::<String>().replace('T', "")
    }
}

impl When {
    /// Reads a time of any of the forms; remarks go to `flags`.
    ///
    /// # Errors
    /// If the text is blank, not a date, or an impossible one. Impossible ones are also flagged.
    pub fn parse(text: &str, zone: &Zone, flags: &mut Flags) -> Result<Self, DateError> {
        let parts = Parts::read(text).inspect_err(|error| {
            flags.raise_if(*error != DateError::Missing, Flag::DateImpossible);
        })?;
        let (when, assumed) = parts.resolve(zone).ok_or(DateError::Impossible).inspect_err(|_| {
            flags.raise(Flag::DateImpossible);
        })?;
        flags.raise_if(assumed, Flag::ZoneAssumed);
        flags.raise_if(parts.odd_form, Flag::DateForm);
        Ok(when)
    }
}

/// Reads a birth date: the day as written, whatever offset follows.
///
/// # Errors
/// As [`When::parse`].
pub fn birth_date(text: &str, flags: &mut Flags) -> Result<PartialDate, DateError> {
    let read = Parts::read(text)
        .and_then(|parts| PartialDate::new(parts.year, parts.month, parts.day).ok_or(DateError::Impossible));
    flags.raise_if(matches!(read, Err(DateError::Form | DateError::Impossible)), Flag::DateImpossible);
    read
}

/// A time taken apart, not yet checked against the calendar.
struct Parts {
    year: i16,
    month: Option<i8>,
    day: Option<i8>,
    hour: Option<i8>,
    minute: i8,
    second: Option<i8>,
    nanos: i32,
    offset: Option<Offset>,
    odd_form: bool,
}

impl Parts {
    fn read(text: &str) -> Result<Self, DateError> {
        let text = text.trim();
        if text.is_empty() || text == "\"\"" {
            return Err(DateError::Missing);
        }
        let mut from_fifth = text.chars().skip(4);
        let separator = from_fifth.next().filter(|c| matches!(c, '-' | '/' | '.'));
        let dashed = separator.is_some() && from_fifth.next().is_some_and(|c| c.is_ascii_digit());
        let (clock, zone) = split_zone(text, dashed);
        let (clock, fraction) = split_fraction(clock, dashed);
        let digits = digits_of(clock, dashed)?;
        let odd_form = dashed && separator != Some('-');
        Self::from_digits(&digits, fraction, read_offset(zone)?, odd_form)
    }

    fn from_digits(
        digits: &str,
        fraction: &str,
        offset: Option<Offset>,
        odd_form: bool,
    ) -> Result<Self, DateError> {
        // 8, 10, 12 and 14 digits and the shorter forms; a stray digit after a whole pair is no time.
        if !matches!(digits.len(), 4 | 6 | 8 | 10 | 12 | 14) {
            return Err(DateError::Form);
        }
        let pair = |at: usize| digits.get(at..at + 2).and_then(|pair| pair.parse().ok());
        Ok(Self {
            year: digits.get(..4).and_then(|year| year.parse().ok()).ok_or(DateError::Form)?,
            month: pair(4),
            day: pair(6),
            hour: pair(8),
            minute: pair(10).unwrap_or(0),
            second: pair(12),
            nanos: nanos(fraction),
            offset,
            odd_form,
        })
    }

    fn resolve(&self, zone: &Zone) -> Option<(When, bool)> {
        let date = Date::new(self.year, self.month.unwrap_or(1), self.day.unwrap_or(1)).ok()?;
        let time =
            Time::new(self.hour.unwrap_or(0), self.minute, self.second.unwrap_or(0), self.nanos).ok()?;
        let civil = DateTime::from_parts(date, time);
        let instant = match self.offset {
            Some(offset) => offset.to_timestamp(civil).ok()?,
            None => zone.0.to_ambiguous_timestamp(civil).compatible().ok()?,
        };
        let at = Timestamp::from_unix_ms(instant.as_millisecond())?;
        Some((When { at, precision: self.precision() }, self.offset.is_none()))
    }

    const fn precision(&self) -> Precision {
        match (self.month, self.day, self.hour, self.second) {
            (None, ..) => Precision::Year,
            (_, None, ..) => Precision::Month,
            (_, _, None, _) => Precision::Day,
            (_, _, _, None) => Precision::Minute,
            _ => Precision::Second,
        }
    }
}

/// The digits of date and time, without the punctuation of the ISO form.
fn digits_of(clock: &str, dashed: bool) -> Result<String, DateError> {
    if !dashed {
        return if clock.bytes().all(|b| b.is_ascii_digit()) {
            Ok(clock.to_owned())
        } else {
            Err(DateError::Form)
        };
    }
    let mut digits = String::new();
    for group in clock.split(['-', '/', '.', ':', 'T', 't', ' ']) {
        match group.len() {
            1 => digits.push_str(&format!("0{group}")),
            2 | 4 => digits.push_str(group),
            _ => return Err(DateError::Form),
        }
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) { Ok(digits) } else { Err(DateError::Form) }
}

/// Parts the offset from what stands before it; in the ISO form the dashes of the date are no sign.
fn split_zone(text: &str, dashed: bool) -> (&str, &str) {
    let from = if dashed { text.find(['T', 't', ' ', ':']).unwrap_or(text.len()) } else { 0 };
    let sign = text.char_indices().find(|(at, c)| *at >= from && matches!(c, '+' | '-' | 'Z' | 'z'));
    let at = sign.map_or(text.len(), |(at, _)| at);
    let (clock, zone) = text.split_at_checked(at).unwrap_or((text, ""));
    (clock.trim_end(), zone)
}

fn split_fraction(clock: &str, dashed: bool) -> (&str, &str) {
    let after = if dashed { clock.find(':').unwrap_or(clock.len()) } else { 0 };
    let dot = clock.char_indices().find(|(at, c)| *at >= after && *c == '.').map(|(at, _)| at);
    dot.and_then(|at| clock.split_at_checked(at))
        .map_or((clock, ""), |(clock, rest)| (clock, rest.strip_prefix('.').unwrap_or(rest)))
}

fn read_offset(text: &str) -> Result<Option<Offset>, DateError> {
    if text.is_empty() { Ok(None) } else { offset(text).unwrap_or(Err(DateError::Form)).map(Some) }
}

/// `Z`, `+08:00`, `+0800` or `+08`; `None` if the text does not begin like an offset.
fn offset(text: &str) -> Option<Result<Offset, DateError>> {
    if text.eq_ignore_ascii_case("z") {
        return Some(Ok(Offset::UTC));
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+')?),
    };
    let digits: String = rest.chars().filter(|c| *c != ':').collect();
    let hours = digits.get(..2).and_then(|hours| hours.parse::<i32>().ok());
    let minutes = if digits.len() == 2 { Some(0) } else { digits.get(2..4).and_then(|m| m.parse().ok()) };
    let (Some(hours), Some(minutes), 2 | 4) = (hours, minutes, digits.len()) else {
        return Some(Err(DateError::Form));
    };
    if hours > 14 || minutes > 59 {
        return Some(Err(DateError::Impossible));
    }
    Some(Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).map_err(|_| DateError::Impossible))
}

fn nanos(fraction: &str) -> i32 {
    let digits: String =
        fraction.chars().take_while(char::is_ascii_digit).chain("000000000".chars()).take(9).collect();
    digits.parse().unwrap_or(0)
}

fn show_offset(offset: Offset) -> String {
    let seconds = offset.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn y2_a_day_begins_at_midnight_of_the_zone() {
        let day = |zone: &str, ms| Zone::parse(zone).unwrap().day(Timestamp::from_unix_ms(ms).unwrap());
        let eve = 16 * 3_600_000;
        assert_eq!((day("+08:00", eve - 1), day("+08:00", eve), day("+00:00", eve)), (0, 1, 0));
        assert_eq!(day("+00:00", -1), -1);
    }

    fn show(text: &str) -> String {
        let mut flags = Flags::none();
        let zone = Zone::china();
        match When::parse(text, &zone, &mut flags) {
            Ok(when) => format!("{} {:?}", zone.show(when.at), when.precision),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn times_of_every_standard_and_precision_are_read() {
        for (text, expected) in [
            ("2026", "2026-01-01T00:00:00+08:00 Year"),
            ("202603", "2026-03-01T00:00:00+08:00 Month"),
            ("20260304", "2026-03-04T00:00:00+08:00 Day"),
            ("202603041516", "2026-03-04T15:16:00+08:00 Minute"),
            ("20260304151617", "2026-03-04T15:16:17+08:00 Second"),
            ("20260304151617.1234-0500", "2026-03-05T04:16:17+08:00 Second"),
            ("20260304151617+0215", "2026-03-04T21:01:17+08:00 Second"),
            ("2026-03-04", "2026-03-04T00:00:00+08:00 Day"),
            ("2026-03", "2026-03-01T00:00:00+08:00 Month"),
            ("2026-03-04T15:16:17Z", "2026-03-04T23:16:17+08:00 Second"),
            ("2026-03-04T15:16:17.5+08:00", "2026-03-04T15:16:17+08:00 Second"),
            ("2026-03-04 15:16:17", "2026-03-04T15:16:17+08:00 Second"),
            ("2026/3/4 15:16", "2026-03-04T15:16:00+08:00 Minute"),
        ] {
            assert_eq!(show(text), expected, "{text}");
        }
    }

    #[test]
    fn impossible_dates_are_named_and_flagged() {
        for text in
            ["20260230", "2026-13-01", "99999999", "20260304256199", "20260101+9900", "建档日期", "2026010"]
        {
            let mut flags = Flags::none();
            assert!(When::parse(text, &Zone::china(), &mut flags).is_err(), "{text}");
            assert!(flags.has(Flag::DateImpossible), "{text}");
        }
        let mut flags = Flags::none();
        assert_eq!(When::parse("\"\"", &Zone::china(), &mut flags), Err(DateError::Missing));
        assert_eq!(flags, Flags::none());
    }

    #[test]
    fn summer_time_of_the_eighties_is_in_the_bundled_database() {
        assert_eq!(show("19880701120000"), "1988-07-01T12:00:00+09:00 Second");
    }

    #[test]
    fn a_zone_is_a_name_or_an_offset() {
        let mut flags = Flags::none();
        let zone = Zone::parse("+05:30").unwrap();
        let when = When::parse("20260101", &zone, &mut flags).unwrap();
        assert_eq!(zone.show(when.at), "2026-01-01T00:00:00+05:30");
        assert_eq!(zone.show_hl7(when.at), "20260101000000+0530");
        assert!(Zone::parse("Asia/Urumqi").is_ok() && Zone::parse("Middle/Earth").is_err());
    }

    #[test]
    fn a_birth_date_is_a_day_whatever_the_offset() {
        let mut flags = Flags::none();
        let expected = PartialDate::new(1990, Some(1), Some(2)).unwrap();
        assert_eq!(birth_date("19900102000000-0500", &mut flags).unwrap(), expected);
        assert_eq!(birth_date("1990-01-02", &mut flags).unwrap(), expected);
    }
}
