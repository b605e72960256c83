//! 居民身份证号: GB 11643-1999, its check digit (ISO 7064 MOD 11-2), and what it says about its holder.
//!
//! Not here: whether the region code exists; codes are abolished and reused, and a wrong table refuses a real person.

use jiff::civil::Date;

use crate::patient::Sex;

const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECKS: [char; 11] = ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'];

/// A number of 18 characters with a possible birth date and the right check digit.
#[derive(Clone, PartialEq, Eq)]
pub struct ResidentId {
    number: String,
    birth_date: Date,
}

/// Why a text is not a resident identity number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResidentIdError {
    /// Not 18 (or 15) characters of the right kind.
    #[error("not 18 characters, of which the last may be X")]
    Form,
    /// The calendar has no such birth date.
    #[error("positions 7 to 14 are no date")]
    BirthDate,
    /// The last character does not follow from the others.
    #[error("the check digit does not fit")]
    CheckDigit,
}

impl ResidentId {
    /// Reads a number in any of the ways people write it: full-width digits, lower-case x, blanks, 15 digits.
    ///
    /// # Errors
    /// If it is not a number of this form, has no possible birth date, or the wrong check digit.
    pub fn parse(text: &str) -> Result<Self, ResidentIdError> {
        let number = upgrade(normalise(text))?;
        let birth_date = birth_date(&number).ok_or(ResidentIdError::BirthDate)?;
        if number.chars().last() != check_digit(&number) {
            return Err(ResidentIdError::CheckDigit);
        }
        Ok(Self { number, birth_date })
    }

    /// 18 characters, upper case: the form that tokens are made from.
    pub fn as_str(&self) -> &str {
        &self.number
    }

    /// Positions 7 to 14.
    pub const fn birth_date(&self) -> Date {
        self.birth_date
    }

    /// Position 17: odd is male.
    pub fn sex(&self) -> Sex {
        let digit = self.number.chars().nth(16).and_then(|c| c.to_digit(10)).unwrap_or(0);
        if digit % 2 == 1 { Sex::Male } else { Sex::Female }
    }
}

impl core::fmt::Debug for ResidentId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("<phi>")
    }
}

/// Whether a text has the outer form of a resident identity number, right or wrong.
pub fn looks_like(text: &str) -> bool {
    let text = normalise(text);
    let digits = text.chars().filter(char::is_ascii_digit).count();
    match text.chars().count() {
        18 => digits == 18 || (digits == 17 && text.ends_with('X')),
        15 => digits == 15,
        _ => false,
    }
}

/// Whether a text stands for "no identifier": one character repeated, a counting row, or a word for unknown.
pub fn is_placeholder(text: &str) -> bool {
    if is_nothing(text) {
        return true;
    }
    let text = normalise(text);
    let Some(first) = text.chars().next() else { return true };
    let long = text.chars().count() >= 3;
    let repeated = text.chars().skip(1).all(|c| c == first);
    // A check digit may be appended to a row of equal digits.
    let repeated_18 = text.chars().count() == 18 && text.chars().skip(1).take(16).all(|c| c == first);
    (long && repeated) || repeated_18 || text.starts_with("123456789012345")
}

/// Whether a text says that there is no identifier: zeros, a dash, a word.
pub fn is_nothing(text: &str) -> bool {
    let text = normalise(text);
    let words = ["UNKNOWN", "NONE", "NULL", "N/A", "NA", "无", "不详", "未知", "待查", "-", "/"];
    text.chars().all(|c| c == '0') || words.contains(&text.as_str())
}

/// The character that belongs behind the first 17 digits, if those are digits.
pub fn check_digit(number: &str) -> Option<char> {
    let mut sum = 0;
    let mut digits = number.chars();
    for weight in WEIGHTS {
        sum += weight * digits.next()?.to_digit(10)?;
    }
    CHECKS.get(usize::try_from(sum % 11).ok()?).copied()
}

fn normalise(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '\u{feff}').map(narrow).collect()
}

fn narrow(c: char) -> char {
    let narrowed = match c {
        '０'..='９' | 'Ｘ' | 'ｘ' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        _ => c,
    };
    narrowed.to_ascii_uppercase()
}

/// 15 digits (before 1999) become 18: the century before the year, the check digit behind.
fn upgrade(text: String) -> Result<String, ResidentIdError> {
    if !looks_like(&text) {
        return Err(ResidentIdError::Form);
    }
    if text.len() == 18 {
        return Ok(text);
    }
    let (region, rest) = text.split_at_checked(6).ok_or(ResidentIdError::Form)?;
    let mut number = format!("{region}19{rest}");
    number.push(check_digit(&number).ok_or(ResidentIdError::Form)?);
    Ok(number)
}

fn birth_date(number: &str) -> Option<Date> {
    let year: i16 = number.get(6..10)?.parse().ok()?;
    let month = number.get(10..12)?.parse().ok()?;
    let day = number.get(12..14)?.parse().ok()?;
    if !(1800..=2200).contains(&year) {
        return None;
    }
    Date::new(year, month, day).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_pass_in_every_way_people_write_them() {
        let expected = ResidentId::parse("11010519491231002X").unwrap();
        for text in ["11010519491231002x", " 110105 19491231 002X", "１１０１０５１９４９１２３１００２Ｘ"]
        {
            assert_eq!(ResidentId::parse(text).unwrap(), expected);
        }
        assert_eq!(expected.sex(), Sex::Female);
        assert_eq!(expected.birth_date(), Date::new(1949, 12, 31).unwrap());
    }

    #[test]
    fn a_number_of_fifteen_digits_is_upgraded() {
        assert_eq!(ResidentId::parse("110105491231002").unwrap().as_str(), "11010519491231002X");
    }

    #[test]
    fn residence_permits_of_hong_kong_macau_and_taiwan_pass() {
        for first in ["81", "82", "83"] {
            let mut number = format!("{first}000019900101001");
            number.push(check_digit(&number).unwrap());
            assert_eq!(ResidentId::parse(&number).unwrap().sex(), Sex::Male);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(ResidentId::parse("110105194912310021"), Err(ResidentIdError::CheckDigit));
        assert_eq!(ResidentId::parse("110105194913310021"), Err(ResidentIdError::BirthDate));
        assert_eq!(ResidentId::parse("M0001"), Err(ResidentIdError::Form));
        assert_eq!(ResidentId::parse("身份证"), Err(ResidentIdError::Form));
    }

    #[test]
    fn placeholders_are_recognised() {
        for text in ["111111111111111111", "000", "0", "", "99999999999999999X", "无", "unknown"] {
            assert!(is_placeholder(text), "{text}");
        }
        assert!(!is_placeholder("999999199001010016") && !is_placeholder("7") && !is_placeholder("100"));
    }

    #[test]
    fn a_number_does_not_print() {
        assert_eq!(format!("{:?}", ResidentId::parse("11010519491231002X")), "Ok(<phi>)");
    }
}
