//! What tells newer rows from older ones: a number or a time, as the database writes it.
//!
//! INVARIANT (a literal is harmless): it consists of digits and `+-.: ` alone, so between quotation marks it is nothing but itself.

use crate::limits::WATERMARK_BYTES_MAX;

/// A number or a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watermark(String);

impl Watermark {
    /// A watermark as it was written; none if it is neither a number nor a time of a calendar, such as `infinity`.
    pub fn parse(written: &str) -> Option<Self> {
        let known = |byte: u8| byte.is_ascii_digit() || b" +-.:".contains(&byte);
        let sound = written.bytes().all(known) && written.bytes().any(|byte| byte.is_ascii_digit());
        (sound && written.len() <= WATERMARK_BYTES_MAX).then(|| Self(written.to_owned()))
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether it is a number: digits, perhaps with a sign before and a point within.
    pub(crate) fn is_number(&self) -> bool {
        let digits = self.0.strip_prefix('-').unwrap_or(&self.0);
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
        [whole, part].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watermark_is_a_number_or_a_time_and_nothing_that_ends_a_literal() {
        for number in ["0", "17", "-3", "12.50"] {
            assert!(Watermark::parse(number).unwrap().is_number(), "{number}");
        }
        for time in ["2026-11-20", "2026-11-20 09:30:00.123456", "2026-11-20 09:30:00+08"] {
            assert!(!Watermark::parse(time).unwrap().is_number(), "{time}");
        }
        for none in ["", "-", "infinity", "1'", "1;2", "1\\", "0044-03-15 BC", &"1".repeat(65)] {
            assert_eq!(Watermark::parse(none), None, "{none}");
        }
    }
}
