//! Login names and codes: words that may stand in keys, cookies, logs and messages of the exchange.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::NAME_CHARS_MAX;

/// What a person signs in with, for ever the same: `a`–`z`, `0`–`9`, `.`, `_`, `-`, `@`; capital letters are taken as small ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Login(String);

/// The code of a role or a department: letters, digits, `.`, `_` and `-` of ASCII.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(String);

/// Why a word is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {NAME_CHARS_MAX} characters of `{allowed}`")]
pub struct NameFault {
    /// The characters that may stand in it.
    pub allowed: &'static str,
}

impl Login {
    const ALLOWED: &'static str = "a-z 0-9 . _ - @";
}

impl Code {
    const ALLOWED: &'static str = "A-Z a-z 0-9 . _ -";
}

impl FromStr for Login {
    type Err = NameFault;

    fn from_str(written: &str) -> Result<Self, NameFault> {
        let fits = is_word(written, b"._-@");
        fits.then(|| Self(written.to_ascii_lowercase())).ok_or(NameFault { allowed: Self::ALLOWED })
    }
}

impl FromStr for Code {
    type Err = NameFault;

    fn from_str(written: &str) -> Result<Self, NameFault> {
        is_word(written, b"._-").then(|| Self(written.to_owned())).ok_or(NameFault { allowed: Self::ALLOWED })
    }
}

fn is_word(written: &str, marks: &[u8]) -> bool {
    (1..=NAME_CHARS_MAX).contains(&written.len())
        && written.bytes().all(|byte| byte.is_ascii_alphanumeric() || marks.contains(&byte))
}

impl TryFrom<String> for Login {
    type Error = NameFault;

    fn try_from(written: String) -> Result<Self, NameFault> {
        written.parse()
    }
}

impl TryFrom<String> for Code {
    type Error = NameFault;

    fn try_from(written: String) -> Result<Self, NameFault> {
        written.parse()
    }
}

impl From<Login> for String {
    fn from(login: Login) -> Self {
        login.0
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.0
    }
}

impl Login {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Code {
    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Code {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_the_same_in_capital_and_small_letters() {
        assert_eq!("Li.Wei@renmin".parse::<Login>(), "li.wei@RENMIN".parse());
    }

    #[test]
    fn other_characters_and_lengths_are_refused() {
        let long = "a".repeat(NAME_CHARS_MAX + 1);
        for wrong in ["", " a", "a b", "李伟", "a/b", "a\0", "a;b", &long] {
            assert!(wrong.parse::<Login>().is_err(), "{wrong:?}");
            assert!(wrong.parse::<Code>().is_err(), "{wrong:?}");
        }
        assert!("a@b".parse::<Code>().is_err());
    }
}
