//! From bytes to domain types: one strict rule for every word, and the checks that fields share.
//!
//! A reader refuses what it would not have written itself (W-2): the bytes are decoded, encoded again and compared.
//! So unknown fields, trailing bytes, repeated or reordered fields and defaults written out are all refused, and a
//! restriction that a newer version adds can never be read over.

use prost::Message;
use prost::encoding::{DecodeContext, decode_key, skip_field};

use crate::id::{Code, CodeError};
use crate::limits;
use crate::time::Timestamp;

/// Why bytes are not the word they should be. Never holds any of the bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than the word may have.
    #[error("{what} has {bytes} bytes, more than {max}")]
    TooLarge {
        /// The word.
        what: &'static str,
        /// How many there are.
        bytes: usize,
        /// How many there may be.
        max: usize,
    },
    /// Not protobuf of this schema: truncated, or of another wire type.
    #[error("{what} cannot be read: {detail}")]
    Malformed {
        /// The word.
        what: &'static str,
        /// What the protobuf decoder says, with the path of the field.
        detail: String,
    },
    /// Readable, but not as this version would write it (W-2).
    #[error("{what} has unknown, trailing, repeated or reordered fields (W-2)")]
    NotCanonical {
        /// The word.
        what: &'static str,
    },
    /// A field that must be there is not.
    #[error("{field} is missing")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field breaks its rule.
    #[error("{field} is not valid: {rule}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// The rule.
        rule: &'static str,
    },
    /// A code that this version does not know (W-6).
    #[error("{field} has the unknown code {code} (W-6)")]
    UnknownCode {
        /// The field.
        field: &'static str,
        /// The code.
        code: u32,
    },
    /// A list with too many items.
    #[error("{field} has {count} items, more than {max}")]
    TooMany {
        /// The field.
        field: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
}

/// Decodes `bytes` as the wire message `M` by the strict rule (W-2, W-3).
pub(crate) fn strict<M: Message + Default>(
    what: &'static str,
    bytes: &[u8],
    max: usize,
) -> Result<M, DecodeError> {
    strict_of_few(what, bytes, max, limits::FIELDS_MAX)
}

/// Decodes as [`strict`] does, a message of at most so many fields.
pub(crate) fn strict_of_few<M: Message + Default>(
    what: &'static str,
    bytes: &[u8],
    max: usize,
    fields_max: usize,
) -> Result<M, DecodeError> {
    at_most_bytes(what, bytes.len(), max)?;
    at_most_fields(what, bytes, fields_max)?;
    let message = M::decode(bytes).map_err(|error| malformed(what, &error))?;
    if message.encode_to_vec() == bytes { Ok(message) } else { Err(DecodeError::NotCanonical { what }) }
}

/// Counts a message's fields before anything is allocated for them: a field of two bytes can become a hundred (W-3).
fn at_most_fields(what: &'static str, mut bytes: &[u8], max: usize) -> Result<(), DecodeError> {
    let mut count = 0;
    while !bytes.is_empty() {
        decode_key(&mut bytes)
            .and_then(|(tag, wire_type)| skip_field(wire_type, tag, &mut bytes, DecodeContext::default()))
            .map_err(|error| malformed(what, &error))?;
        count += 1;
        at_most(what, count, max)?;
    }
    Ok(())
}

/// What the protobuf decoder says, without numbers: it quotes a field key that it cannot take, which is bytes of the word.
fn malformed(what: &'static str, error: &prost::DecodeError) -> DecodeError {
    let detail = error.to_string().replace(|c: char| c.is_ascii_digit(), "");
    DecodeError::Malformed { what, detail }
}

pub(crate) fn at_most_bytes(what: &'static str, bytes: usize, max: usize) -> Result<(), DecodeError> {
    if bytes <= max { Ok(()) } else { Err(DecodeError::TooLarge { what, bytes, max }) }
}

pub(crate) fn at_most(field: &'static str, count: usize, max: usize) -> Result<(), DecodeError> {
    if count <= max { Ok(()) } else { Err(DecodeError::TooMany { field, count, max }) }
}

pub(crate) fn required<T>(field: &'static str, value: Option<T>) -> Result<T, DecodeError> {
    value.ok_or(DecodeError::Missing { field })
}

pub(crate) fn check(field: &'static str, holds: bool, rule: &'static str) -> Result<(), DecodeError> {
    if holds { Ok(()) } else { Err(DecodeError::Invalid { field, rule }) }
}

pub(crate) fn time(field: &'static str, ms: i64) -> Result<Timestamp, DecodeError> {
    Timestamp::from_unix_ms(ms).ok_or(DecodeError::Invalid { field, rule: "a time in the years 1 to 9999" })
}

pub(crate) fn optional_time(field: &'static str, ms: Option<i64>) -> Result<Option<Timestamp>, DecodeError> {
    ms.map(|ms| time(field, ms)).transpose()
}

/// A period whose end, if it has one, is not before its start, if it has one.
pub(crate) fn period(
    field: &'static str,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
) -> Result<(), DecodeError> {
    let backwards = start.zip(end).is_some_and(|(start, end)| end < start);
    check(field, !backwards, "a period that ends after its start")
}

pub(crate) fn code(field: &'static str, text: String) -> Result<Code, DecodeError> {
    Code::new(text).map_err(|CodeError| DecodeError::Invalid { field, rule: Code::RULE })
}

pub(crate) fn optional_code(field: &'static str, text: String) -> Result<Option<Code>, DecodeError> {
    if text.is_empty() { Ok(None) } else { code(field, text).map(Some) }
}

/// Text for people or for matching: not empty, bounded, without control characters.
pub(crate) fn text(field: &'static str, text: String, max: usize) -> Result<String, DecodeError> {
    at_most_bytes(field, text.len(), max)?;
    check(field, !text.is_empty(), "not empty")?;
    check(field, !text.chars().any(char::is_control), "without control characters")?;
    Ok(text)
}

/// The number of a clause, such as `D-3`: no text can hide in it.
pub(crate) fn clause(field: &'static str, clause: String) -> Result<String, DecodeError> {
    let form = clause.split_once('-').is_some_and(|(letter, number)| {
        letter.len() == 1
            && letter.bytes().all(|byte| byte.is_ascii_uppercase())
            && (1..=2).contains(&number.len())
            && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    check(field, form, "a letter, a hyphen and one or two digits")?;
    Ok(clause)
}

/// A label of letters, digits, dots and hyphens: a version, a domain name.
pub(crate) fn label(field: &'static str, label: String) -> Result<String, DecodeError> {
    at_most_bytes(field, label.len(), limits::LABEL_BYTES_MAX)?;
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    check(field, !label.is_empty() && label.bytes().all(known), "letters, digits, dots and hyphens")?;
    Ok(label)
}

/// A number that counts from one.
pub(crate) fn ordinal(field: &'static str, number: u64) -> Result<u64, DecodeError> {
    check(field, number > 0 && number < u64::MAX, "counts from 1")?;
    Ok(number)
}

/// A list of codes: each known, ascending, none twice.
pub(crate) fn codes<T: TryFrom<u32, Error = u32> + Ord + Copy>(
    field: &'static str,
    list: &[u32],
) -> Result<std::collections::BTreeSet<T>, DecodeError> {
    at_most(field, list.len(), limits::CODES_MAX)?;
    check(field, list.is_sorted_by(|a, b| a < b), "ascending, none twice")?;
    list.iter().map(|&code| one_code(field, code)).collect()
}

pub(crate) fn one_code<T: TryFrom<u32, Error = u32>>(
    field: &'static str,
    code: u32,
) -> Result<T, DecodeError> {
    T::try_from(code).map_err(|code| DecodeError::UnknownCode { field, code })
}

/// A code that may be left out: 0 is none.
pub(crate) fn optional_one_code<T: TryFrom<u32, Error = u32>>(
    field: &'static str,
    code: u32,
) -> Result<Option<T>, DecodeError> {
    if code == 0 { Ok(None) } else { one_code(field, code).map(Some) }
}
