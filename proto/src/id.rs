//! Identifiers: opaque bytes and short codes. A newtype each, so that none can stand in for another.

use core::fmt;

use crate::decode::DecodeError;
use crate::limits::CODE_BYTES_MAX;

/// A code that people and configuration files write: `[a-z0-9][a-z0-9-]{0,31}`. It stands in its place, without an
/// allocation: zeros follow the text, so that codes sort as their texts do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code([u8; CODE_BYTES_MAX]);

/// A text is not a [`Code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code has 1 to 32 of a-z, 0-9 and '-', and does not start with '-'")]
pub struct CodeError;

impl Code {
    pub(crate) const RULE: &'static str = "1 to 32 of a-z, 0-9 and '-', not starting with '-'";

    /// Takes a text as a code.
    ///
    /// # Errors
    /// [`CodeError`] if it does not have the form of one.
    pub fn new(text: impl AsRef<str>) -> Result<Self, CodeError> {
        let text = text.as_ref();
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let good = !text.is_empty() && text.bytes().all(known) && !text.starts_with('-');
        let mut bytes = [0; CODE_BYTES_MAX];
        match bytes.get_mut(..text.len()).filter(|_| good) {
            Some(into) => into.copy_from_slice(text.as_bytes()),
            None => return Err(CodeError),
        }
        Ok(Self(bytes))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let text = self.0.split(|byte| *byte == 0).next().unwrap_or_default();
        core::str::from_utf8(text).expect("a code is ASCII")
    }

    /// The text, and zeros after it: how it stands in keys that sort by it.
    pub const fn padded(&self) -> &[u8; CODE_BYTES_MAX] {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Code {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        Self::new(text)
    }
}

/// Defines identifiers of a fixed number of bytes. All zeros is never one (W-4).
macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident[$len:literal];)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Takes bytes as an identifier; `None` if all are zero (W-4).
            pub fn new(bytes: [u8; $len]) -> Option<Self> {
                bytes.iter().any(|&byte| byte != 0).then_some(Self(bytes))
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// Reads a field of a word.
            ///
            /// # Errors
            /// [`DecodeError`] if it is missing, of another length, or all zeros.
            pub fn read(field: &'static str, bytes: &[u8]) -> Result<Self, DecodeError> {
                let rule = concat!(stringify!($len), " bytes, not all zero");
                if bytes.is_empty() {
                    return Err(DecodeError::Missing { field });
                }
                bytes.try_into().ok().and_then(Self::new).ok_or(DecodeError::Invalid { field, rule })
            }

            /// Reads a field of a word that may be left out.
            ///
            /// # Errors
            /// [`DecodeError`] if it is there and of another length, or all zeros.
            pub fn read_optional(field: &'static str, bytes: &[u8]) -> Result<Option<Self>, DecodeError> {
                if bytes.is_empty() { Ok(None) } else { Self::read(field, bytes).map(Some) }
            }

            /// Reads lower-case or upper-case hexadecimal digits.
            pub fn from_hex(text: &str) -> Option<Self> {
                let mut bytes = [0; $len];
                hex::decode_to_slice(text, &mut bytes).ok()?;
                Self::new(bytes)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let start = self.0.get(..4).unwrap_or_default();
                write!(f, "{}({}…)", stringify!($name), hex::encode(start))
            }
        }
    )*};
}

identifiers! {
    /// One patient at one node: random, chosen by the node, never derived from who the patient is (I-1).
    Subject[32];
    /// One document of one source: a keyed hash that only its publisher can compute (N-3).
    EntryId[32];
    /// The identity of a sealed document: a hash of its header and of all its chunks (Z-5).
    DocumentId[32];
    /// One directive, chosen at random by who writes it down.
    DirectiveId[32];
    /// One referral, chosen at random by the referring side.
    ReferralId[32];
    /// A practitioner under the pseudonym that the own organisation gave (P-1).
    PractitionerId[32];
    /// The public name of a key (S-4).
    KeyId[16];
    /// A value that its maker uses once.
    Nonce[32];
    /// The outcome of a hash function of 32 bytes.
    Digest[32];
}

impl Digest {
    /// The outcome of a hash function. An outcome of only zeros is taken as it is: nobody can make one.
    pub(crate) const fn of_hash(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_sort_as_their_texts_do() {
        let texts = ["0", "a", "a-", "a-b", "a0", "ab", "b", "hospital-10", "hospital-9"];
        let codes = texts.map(|text| Code::new(text).unwrap());
        assert!(codes.is_sorted() && texts.is_sorted());
        assert_eq!(codes.each_ref().map(Code::as_str), texts);
    }

    #[test]
    fn a_code_has_its_form() {
        for good in ["a", "hospital-a", "330100-01", &"x".repeat(32)] {
            assert!(Code::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "a_b", "医院", "a b", &"x".repeat(33)] {
            assert_eq!(Code::new(bad), Err(CodeError), "{bad}");
        }
    }

    #[test]
    fn w4_no_identifier_is_all_zeros() {
        assert_eq!(Subject::new([0; 32]), None);
        let zeros = Subject::read("entry.subject", &[0; 32]).unwrap_err();
        assert_eq!(zeros.to_string(), "entry.subject is not valid: 32 bytes, not all zero");
        let short = Subject::read("entry.subject", &[1; 31]).unwrap_err();
        assert_eq!(short.to_string(), "entry.subject is not valid: 32 bytes, not all zero");
        assert_eq!(Subject::read("entry.subject", &[]).unwrap_err().to_string(), "entry.subject is missing");
    }

    #[test]
    fn an_identifier_prints_short_for_programmers_and_whole_for_people() {
        let id = Subject::new([0xab; 32]).unwrap();
        assert_eq!(format!("{id:?}"), "Subject(abababab…)");
        assert_eq!(Subject::from_hex(&id.to_string()), Some(id));
    }
}
