//! The consent head of a patient (C-10): which directives are in force, in one hash.

use crate::decode::{self, DecodeError};
use crate::id::Digest;
use crate::tree;
use crate::wire::words as wire;

/// The state of a patient's consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many consent acts were accepted for the patient; 0 before the first.
    pub version: u64,
    /// RFC 6962 root over the commitments of the directives in force, in the order of the log.
    pub root: Digest,
}

impl Head {
    /// The head of a patient of whom the registry knows no consent act.
    pub fn empty() -> Self {
        Self::of(0, [])
    }

    /// The head over the commitments of the directives in force, in the order of the log (C-10).
    pub fn of(version: u64, commitments: impl IntoIterator<Item = Digest>) -> Self {
        let mut stored: Vec<tree::Hash> = Vec::new();
        let mut size = 0;
        for commitment in commitments {
            let leaf = crate::hash::sha256_plain(&[&[0], commitment.as_bytes()]);
            let hashes = tree::append(stored.as_slice(), size, leaf);
            stored.extend(hashes.expect("all hashes before are stored"));
            size += 1;
        }
        let root = tree::root(stored.as_slice(), size).expect("all hashes are stored");
        Self { version, root: Digest::of_hash(root) }
    }

    pub(crate) fn read(field: &'static str, wire: Option<wire::Head>) -> Result<Self, DecodeError> {
        let wire = decode::required(field, wire)?;
        Ok(Self { version: wire.version, root: Digest::read(field, &wire.root)? })
    }

    pub(crate) fn write(self) -> wire::Head {
        wire::Head { version: self.version, root: self.root.as_bytes().to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c10_a_head_tells_every_set_and_order_of_directives_apart() {
        let [a, b] = [1, 2].map(|seed| Digest::new([seed; 32]).unwrap());
        let heads =
            [Head::of(2, []), Head::of(2, [a]), Head::of(2, [b]), Head::of(2, [a, b]), Head::of(2, [b, a])];
        for (at, head) in heads.iter().enumerate() {
            assert_eq!(heads.iter().position(|other| other == head), Some(at));
        }
        assert_eq!(Head::empty().root, heads[0].root);
    }
}
