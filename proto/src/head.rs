//! The consent head of a patient (C-10): which directives are in force, in one hash.

use crate::decode::{self, DecodeError};
use crate::hash;
use crate::id::Digest;
use crate::token::Token;
use crate::tree;
use crate::wire::words as wire;

/// The state of a patient's consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many consent acts were accepted for the patient; 0 before the first.
    pub version: u64,
    /// RFC 6962 root over the directives in force, in the order of the log.
    pub root: Digest,
}

impl Head {
    /// The head of a patient of whom the registry knows no consent act.
    pub fn empty() -> Self {
        Self::of(0, [])
    }

    /// The head over the directives in force, in the order of the log: of each the version at which it was accepted
    /// and its commitment (C-10).
    pub fn of(version: u64, in_force: impl IntoIterator<Item = (u64, Digest)>) -> Self {
        let mut stored: Vec<tree::Hash> = Vec::new();
        let mut size = 0;
        for (accepted, commitment) in in_force {
            let leaf = hash::sha256_plain(&[&[0], &accepted.to_be_bytes(), commitment.as_bytes()]);
            let hashes = tree::append(stored.as_slice(), size, leaf);
            stored.extend(hashes.expect("all hashes before are stored"));
            size += 1;
        }
        let root = tree::root(stored.as_slice(), size).expect("all hashes are stored");
        Self { version, root: Digest::of_hash(root) }
    }

    /// Reads a patient and a head, as a release lists them.
    pub(crate) fn read_of_patient(wire: wire::PatientHead) -> Result<(Token, Self), DecodeError> {
        let patient = Token::read("patient_head.patient", wire.patient)?;
        Ok((patient, Self::read("patient_head.head", wire.head)?))
    }

    /// From the wire message, which must be there.
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    pub fn read(field: &'static str, wire: Option<wire::Head>) -> Result<Self, DecodeError> {
        let wire = decode::required(field, wire)?;
        Ok(Self { version: wire.version, root: Digest::read(field, &wire.root)? })
    }

    /// To the wire message.
    pub fn write(self) -> wire::Head {
        wire::Head { version: self.version, root: self.root.as_bytes().to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c10_a_head_tells_every_set_and_order_of_directives_apart() {
        let [a, b] = [1, 2].map(|seed| Digest::new([seed; 32]).unwrap());
        let sets: [&[(u64, Digest)]; 6] =
            [&[], &[(1, a)], &[(2, a)], &[(1, b)], &[(1, a), (2, b)], &[(1, b), (2, a)]];
        let heads = sets.map(|set| Head::of(2, set.iter().copied()));
        for (at, head) in heads.iter().enumerate() {
            assert_eq!(heads.iter().position(|other| other == head), Some(at));
        }
        assert_eq!(Head::empty().root, heads[0].root);
    }
}
