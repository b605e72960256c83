//! The consent head of a patient (C-10): which directives are in force, in one hash.

use crate::decode::{self, DecodeError};
use crate::hash;
use crate::id::Digest;
use crate::limits::PROOF_HASHES_MAX;
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
        let (stored, size) = grow(in_force);
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

/// That a directive is one of those over which a head is made (C-10): its place among them, and the path to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The version at which the directive was accepted.
    pub version: u64,
    /// Its place among those in force, from 0.
    pub place: u64,
    /// How many are in force.
    pub count: u64,
    /// From its leaf upwards (RFC 6962 section 2.1.1).
    pub path: Vec<tree::Hash>,
}

impl Standing {
    /// Proves that the directive of this commitment is one of those in force, which are given as for [`Head::of`]; none if it is not.
    pub fn prove(in_force: &[(u64, Digest)], commitment: &Digest) -> Option<Self> {
        let at = in_force.iter().position(|(_, other)| other == commitment)?;
        let (stored, count) = grow(in_force.iter().copied());
        let place = u64::try_from(at).ok()?;
        let path = tree::prove_inclusion(stored.as_slice(), place, count).ok()?;
        Some(Self { version: in_force.get(at)?.0, place, count, path })
    }

    /// Whether a directive of this commitment is thereby proved to be one of those over which the head is made.
    pub fn leads_to(&self, commitment: &Digest, head: &Head) -> bool {
        let leaf = leaf(self.version, commitment);
        tree::verify_inclusion(&self.path, self.place, leaf, self.count, head.root.as_bytes())
    }

    /// From the wire message.
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    pub fn read(field: &'static str, wire: &wire::Standing) -> Result<Self, DecodeError> {
        decode::at_most_bytes(field, wire.path.len(), PROOF_HASHES_MAX * 32)?;
        let (path, rest) = wire.path.as_chunks::<32>();
        decode::check(field, rest.is_empty(), "a path of whole hashes")?;
        Ok(Self { version: wire.version, place: wire.place, count: wire.count, path: path.to_vec() })
    }

    /// To the wire message.
    pub fn write(&self) -> wire::Standing {
        let Self { version, place, count, path } = self;
        wire::Standing { version: *version, place: *place, count: *count, path: path.concat() }
    }
}

/// The stored hashes of the tree over directives in force, and how many those are.
fn grow(in_force: impl IntoIterator<Item = (u64, Digest)>) -> (Vec<tree::Hash>, u64) {
    let mut stored: Vec<tree::Hash> = Vec::new();
    let mut size = 0;
    for (accepted, commitment) in in_force {
        let hashes = tree::append(stored.as_slice(), size, leaf(accepted, &commitment));
        stored.extend(hashes.expect("all hashes before are stored"));
        size += 1;
    }
    (stored, size)
}

fn leaf(accepted: u64, commitment: &Digest) -> tree::Hash {
    hash::sha256_plain(&[&[0], &accepted.to_be_bytes(), commitment.as_bytes()])
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

    #[test]
    fn p2_a_directive_is_proved_to_be_in_force_under_its_own_head_and_no_other() {
        let accepted = |version: u8| (u64::from(version), Digest::new([version; 32]).unwrap());
        let all: Vec<(u64, Digest)> = (1..=7).map(accepted).collect();
        let head = Head::of(7, all.iter().copied());
        for (at, (version, commitment)) in all.iter().enumerate() {
            let standing = Standing::prove(&all, commitment).unwrap();
            assert_eq!((standing.version, standing.place, standing.count), (*version, at as u64, 7));
            assert!(standing.leads_to(commitment, &head));
            assert_eq!(Standing::read("standing", &standing.write()), Ok(standing.clone()));
            let rest: Vec<_> = all.iter().copied().filter(|(_, other)| other != commitment).collect();
            assert!(!standing.leads_to(commitment, &Head::of(8, rest.iter().copied())));
            assert_eq!(Standing::prove(&rest, commitment), None);
            assert!(!Standing { version: version + 1, ..standing.clone() }.leads_to(commitment, &head));
            assert!(!standing.leads_to(&all[(at + 1) % 7].1, &head));
        }
    }
}
