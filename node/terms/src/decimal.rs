//! Decimal numbers as reports write them: `5.50` has three digits, and says no more than it has.
//!
//! Arithmetic is in 28 digits ([`octofhir_ucum::Number`]); here is what is read and what is shown.

use std::cmp::Ordering;
use std::fmt;

use octofhir_ucum::Number;

use crate::folding::folded;
use crate::limits::{DIGITS_MAX, PLACES_MAX, VALUE_BYTES_MAX};

/// A number with the digits that were written.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    /// All digits, as one number.
    digits: i64,
    /// How many of them stand behind the point.
    places: u32,
}

impl Decimal {
    /// A plain number of at most [`DIGITS_MAX`] digits; full-width digits are digits, exponents are none, and `+1` is a step.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > VALUE_BYTES_MAX {
            return None;
        }
        let text = folded(text);
        let (negative, body) = match text.strip_prefix('-') {
            Some(body) => (true, body),
            None => (false, text.as_str()),
        };
        let (whole, fraction) = body.split_once('.').unwrap_or((body, ""));
        let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_plain(whole) || !is_plain(fraction) {
            return None;
        }
        let digits = format!("{whole}{fraction}");
        let places = u32::try_from(fraction.len()).ok().filter(|places| *places <= PLACES_MAX)?;
        if digits.trim_start_matches('0').len() > DIGITS_MAX {
            return None;
        }
        let digits: i64 = digits.parse().ok()?;
        Some(Self { digits: if negative { -digits } else { digits }, places })
    }

    /// How many digits say something: those from the first that is not zero.
    pub fn significant(self) -> u32 {
        digits_of(i128::from(self.digits))
    }

    /// The power of ten of the last digit.
    pub(crate) fn last_place(self) -> i32 {
        -i32::try_from(self.places).unwrap_or(i32::MAX)
    }

    /// The number to compute with.
    pub(crate) fn number(self) -> Number {
        Number::from_i64(self.digits)
            .checked_mul(Number::power_of_ten(self.last_place()))
            .unwrap_or(Number::ZERO)
    }

    /// A number with at most `significant` digits, none of them below `place`, rounded half away from zero.
    ///
    /// `None` if it is too great or too small to be written.
    pub(crate) fn rounded(number: Number, significant: u32, place: i32) -> Option<Self> {
        let by_digits = top(number)?.checked_sub(i32::try_from(significant.max(1)).ok()? - 1)?;
        // Nothing has no first digit.
        let wanted = if number.is_zero() { place } else { place.max(by_digits) };
        let once = at_place(number, wanted)?;
        // 9.96 has two digits as 10, not as 10.0.
        let grown = wanted > place && digits_of(once) > significant;
        let (digits, place) =
            if grown { (at_place(number, wanted + 1)?, wanted + 1) } else { (once, wanted) };
        let places =
            u32::try_from(place.min(0).checked_neg()?).ok().filter(|places| *places <= PLACES_MAX)?;
        let zeros = 10_i128.checked_pow(u32::try_from(place.max(0)).ok()?)?;
        Some(Self { digits: i64::try_from(digits.checked_mul(zeros)?).ok()?, places })
    }

    /// Written without zeros at its end, as a factor is.
    pub(crate) fn brief(self) -> String {
        let text = self.to_string();
        if self.places == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
    }

    /// As a point of a chart, where the last digit in sixteen does not matter.
    pub fn to_f64(self) -> f64 {
        self.number().to_f64()
    }
}

/// The power of ten of the first digit.
pub(crate) fn top(number: Number) -> Option<i32> {
    let (digits, exponent) = number.to_integer_and_exponent();
    i32::try_from(digits_of(digits)).ok()?.checked_sub(1)?.checked_add(exponent)
}

/// The number in units of `10^place`, rounded.
fn at_place(number: Number, place: i32) -> Option<i128> {
    let (digits, exponent) = number.to_integer_and_exponent();
    let shift = exponent.checked_sub(place)?;
    let ten = 10_i128.checked_pow(shift.unsigned_abs());
    if shift >= 0 {
        return digits.checked_mul(ten?);
    }
    // A number of fewer than 38 digits is nothing at a place so far above it.
    let Some(ten) = ten else { return Some(0) };
    let half = if digits < 0 { -(ten / 2) } else { ten / 2 };
    digits.checked_add(half)?.checked_div(ten)
}

fn digits_of(number: i128) -> u32 {
    number.unsigned_abs().checked_ilog10().map_or(1, |power| power + 1)
}

impl fmt::Display for Decimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = usize::try_from(self.places).unwrap_or(usize::MAX);
        let text = format!("{:0>width$}", self.digits.unsigned_abs(), width = places + 1);
        let sign = if self.digits < 0 { "-" } else { "" };
        let (whole, fraction) = text.split_at(text.len() - places);
        if fraction.is_empty() {
            write!(out, "{sign}{whole}")
        } else {
            write!(out, "{sign}{whole}.{fraction}")
        }
    }
}

/// By what they are worth: 5.0 is 5.
impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let places = self.places.max(other.places);
        let scaled = |one: &Self| i128::from(one.digits) * 10_i128.pow(places - one.places);
        scaled(self).cmp(&scaled(other))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn a_number_is_shown_as_it_was_written() {
        for text in ["5.50", "0", "0.00", "-3", "120", "0.0045"] {
            assert_eq!(read(text).to_string(), text);
        }
        assert_eq!(read("５．５").to_string(), "5.5");
        for text in ["", "1e5", "5.5.5", "<5", "阴性", "NaN", "1234567890123456", ".5", "--1", "+1"] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn digits_are_counted_from_the_first_that_is_not_zero() {
        let of = |text| read(text).significant();
        assert_eq!([of("5.50"), of("0.050"), of("100"), of("0.0")], [3, 2, 3, 1]);
        assert_eq!(read("5.0"), read("5"));
        assert!(read("5.01") > read("5") && read("-1") < read("0"));
    }

    #[test]
    fn rounding_keeps_to_the_digits_and_the_place() {
        let of = |text: &str, significant, place| {
            Decimal::rounded(Number::parse(text).unwrap(), significant, place).map(|one| one.to_string())
        };
        assert_eq!(of("5.4955", 2, -9).as_deref(), Some("5.5"));
        assert_eq!(of("9.96", 2, -9).as_deref(), Some("10"));
        assert_eq!(of("178.3", 2, -9).as_deref(), Some("180"));
        assert_eq!(of("0.528", 2, 0).as_deref(), Some("1"));
        assert_eq!(of("-31.135", 2, 0).as_deref(), Some("-31"));
        assert_eq!(of("0", 2, -1).as_deref(), Some("0.0"));
        assert_eq!(of("1e-30", 2, -40), None);
        assert_eq!(of("1e30", 2, -40), None);
    }
}
