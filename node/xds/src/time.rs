//! Times of ebRIM: digits from the year on, in UTC, as exact as they are long (ITI TF-3, table 4.2.3.1.7-2).

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use yiqiao_proto::time::Timestamp;

/// The begin of what is written: `2026`, `20261123`, `20261123081500`.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let is_whole =
        matches!(text.len(), 4 | 6 | 8 | 10 | 12 | 14) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_whole {
        return None;
    }
    let part = |from: usize, length: usize, least: i8| match text.get(from..from + length) {
        Some(digits) => digits.parse().ok(),
        None => Some(least),
    };
    let year = text.get(..4)?.parse().ok()?;
    let (month, day) = (part(4, 2, 1)?, part(6, 2, 1)?);
    let at = DateTime::new(year, month, day, part(8, 2, 0)?, part(10, 2, 0)?, part(12, 2, 0)?, 0).ok()?;
    Timestamp::from_unix_ms(at.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// To the second.
pub(crate) fn write(at: Timestamp) -> String {
    format(at, "%Y%m%d%H%M%S")
}

/// As FHIR has it.
pub(crate) fn instant(at: Timestamp) -> String {
    format(at, "%Y-%m-%dT%H:%M:%SZ")
}

fn format(at: Timestamp, form: &str) -> String {
    // INVARIANT (years 1 to 9999): a `Timestamp` is one that calendars have.
    jiff::Timestamp::from_millisecond(at.unix_ms())
        .map(|at| at.to_zoned(TimeZone::UTC).strftime(form).to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_as_exact_as_it_is_long() {
        for (text, begin) in [
            ("2026", "20260101000000"),
            ("202611", "20261101000000"),
            ("20261123", "20261123000000"),
            ("2026112308", "20261123080000"),
            ("20261123081559", "20261123081559"),
        ] {
            assert_eq!(parse(text).map(write).as_deref(), Some(begin), "{text}");
        }
        for text in ["", "20", "2026112", "20261301", "20260230", "2026-11-23", "20261123081560"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("20261123081559").map(instant).as_deref(), Some("2026-11-23T08:15:59Z"));
    }
}
