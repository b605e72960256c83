//! What a token is good for: names that a door asks for, and the scopes of SMART App Launch 2.0 for systems, which also cover narrower ones.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::accounts::NameFault;
use crate::limits::NAME_CHARS_MAX;

/// One scope: visible ASCII without `"` and `\` (RFC 6749 3.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(String);

/// Whether one of these scopes is `system/kind.…` or `system/*.…` with this letter of `cruds`.
pub fn permit(scopes: &BTreeSet<Scope>, kind: &str, letter: char) -> bool {
    scopes
        .iter()
        .filter_map(Scope::of_system)
        .any(|(of, letters)| (of == kind || of == "*") && letters.contains(letter))
}

/// Whether who holds these scopes may ask for this one: it is one of them, or narrower than what they permit together.
pub(super) fn covers(held: &BTreeSet<Scope>, asked: &Scope) -> bool {
    held.contains(asked)
        || asked
            .of_system()
            .is_some_and(|(kind, letters)| letters.chars().all(|letter| permit(held, kind, letter)))
}

impl Scope {
    /// The scope as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The type, `*` for every one, and the letters of `cruds`; a scope with conditions or of another version is none.
    fn of_system(&self) -> Option<(&str, &str)> {
        let (kind, letters) = self.0.strip_prefix("system/")?.split_once('.')?;
        let known = !letters.is_empty() && letters.chars().all(|letter| "cruds".contains(letter));
        known.then_some((kind, letters))
    }
}

impl FromStr for Scope {
    type Err = NameFault;

    fn from_str(written: &str) -> Result<Self, NameFault> {
        let fits = (1..=NAME_CHARS_MAX).contains(&written.len())
            && written.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
        fits.then(|| Self(written.to_owned())).ok_or(NameFault { allowed: "visible ASCII without \" and \\" })
    }
}

impl TryFrom<String> for Scope {
    type Error = NameFault;

    fn try_from(written: String) -> Result<Self, NameFault> {
        written.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(written: &[&str]) -> BTreeSet<Scope> {
        written.iter().map(|scope| scope.parse().unwrap()).collect()
    }

    #[test]
    fn a_scope_is_for_its_type_and_its_letters_only() {
        let permit = |scope, letter| permit(&scopes(&[scope]), "Patient", letter);
        assert!(permit("system/Patient.rs", 'r') && permit("system/*.cruds", 's'));
        let others = [
            "system/Patient.s",
            "patient/Patient.rs",
            "system/Task.rs",
            "read",
            "system/*",
            "system/Patient.write",
        ];
        for scope in others.into_iter().chain(["system/Patient.rs?gender=male"]) {
            assert!(!permit(scope, 'r'), "{scope}");
        }
    }

    #[test]
    fn narrower_scopes_are_covered_and_wider_ones_are_not() {
        let covers = |held: &[&str], asked: &str| covers(&scopes(held), &asked.parse().unwrap());
        for asked in ["system/*.rs", "system/*.r", "system/Patient.rs", "system/Patient.s"] {
            assert!(covers(&["system/*.rs"], asked), "{asked}");
        }
        for asked in
            ["system/Patient.crs", "system/*.cruds", "patient/Patient.rs", "system/Patient.rs?a=b", "intake"]
        {
            assert!(!covers(&["system/*.rs"], asked), "{asked}");
        }
        assert!(covers(&["system/*.r", "system/Patient.s"], "system/Patient.rs"), "two together");
        assert!(!covers(&["system/Patient.rs"], "system/*.rs"));
        assert!(covers(&["intake"], "intake"));
    }
}
