//! The log: leaves, and openings of what they commit to (L-1 to L-4).
//!
//! Not here: the tree over the leaves: `tree`; its signed checkpoints: `note`.

use crate::decode::{self, DecodeError};
use crate::envelope::Kind;
use crate::hash::{self, domain};
use crate::id::{Code, Digest};
use crate::limits;
use crate::time::Timestamp;
use crate::wire::words as wire;

/// Length of a leaf's bytes.
pub const LEAF_BYTES: usize = 1 + 32 + 8 + 8 + 4 + 8 + 32;

/// What the tree holds for one accepted word (L-2): no token, no subject, no link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The region.
    pub region: Code,
    /// Its place, from 0.
    pub seq: u64,
    /// The term of the sequencer that accepted it.
    pub term: u64,
    /// The kind of the word.
    pub kind: Kind,
    /// When it was accepted, by the registry's clock.
    pub accepted_at: Timestamp,
    /// SHA-256(salt ‖ envelope) (L-3).
    pub commitment: Digest,
}

impl Leaf {
    /// The leaf's bytes: version 1, then fixed fields, big-endian (L-2).
    pub fn to_bytes(&self) -> [u8; LEAF_BYTES] {
        let mut region = [0; 32];
        for (to, from) in region.iter_mut().zip(self.region.as_str().bytes()) {
            *to = from;
        }
        let parts: [&[u8]; 7] = [
            &[1],
            &region,
            &self.seq.to_be_bytes(),
            &self.term.to_be_bytes(),
            &self.kind.number().to_be_bytes(),
            &self.accepted_at.unix_ms().to_be_bytes(),
            self.commitment.as_bytes(),
        ];
        parts.concat().try_into().expect("the parts have LEAF_BYTES together")
    }

    /// Reads a leaf's bytes.
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let malformed = || DecodeError::Invalid { field: "leaf", rule: "version 1 in 93 bytes" };
        let bytes: &[u8; LEAF_BYTES] = bytes.try_into().map_err(|_| malformed())?;
        let (version, rest) = bytes.split_first().ok_or_else(malformed)?;
        let (region, rest) = rest.split_first_chunk::<32>().ok_or_else(malformed)?;
        let (seq, rest) = rest.split_first_chunk::<8>().ok_or_else(malformed)?;
        let (term, rest) = rest.split_first_chunk::<8>().ok_or_else(malformed)?;
        let (kind, rest) = rest.split_first_chunk::<4>().ok_or_else(malformed)?;
        let (at, commitment) = rest.split_first_chunk::<8>().ok_or_else(malformed)?;
        decode::check("leaf.version", *version == 1, "version 1")?;
        let region = std::str::from_utf8(region).unwrap_or_default().trim_end_matches('\0');
        let leaf = Self {
            region: decode::code("leaf.region", region.to_owned())?,
            seq: u64::from_be_bytes(*seq),
            term: u64::from_be_bytes(*term),
            kind: decode::one_code("leaf.kind", u32::from_be_bytes(*kind))?,
            accepted_at: decode::time("leaf.accepted_at", i64::from_be_bytes(*at))?,
            commitment: Digest::read("leaf.commitment", commitment)?,
        };
        decode::check("leaf.region", leaf.to_bytes() == *bytes, "padded with zeros")?;
        Ok(leaf)
    }

    /// The leaf's hash in the tree: SHA-256(0x00 ‖ bytes) (RFC 6962 section 2.1).
    pub fn hash(&self) -> [u8; 32] {
        hash::sha256_plain(&[&[0], &self.to_bytes()])
    }
}

/// An accepted envelope, with what its leaf commits to (L-3). Only publisher, patient and who may see it get it (L-4).
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    /// Its place in the log.
    pub seq: u64,
    /// The term in which it was accepted.
    pub term: u64,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Chosen at random by the registry.
    pub salt: [u8; 32],
    /// The envelope's bytes.
    pub envelope: Vec<u8>,
}

impl Opening {
    /// What the leaf commits to.
    pub fn commitment(&self) -> Digest {
        commitment(&self.salt, &self.envelope)
    }

    /// The leaf that this opens.
    pub fn leaf(&self, region: &Code, kind: Kind) -> Leaf {
        Leaf {
            region: region.clone(),
            seq: self.seq,
            term: self.term,
            kind,
            accepted_at: self.accepted_at,
            commitment: self.commitment(),
        }
    }

    /// From the wire message.
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    pub fn read(wire: wire::Opening) -> Result<Self, DecodeError> {
        decode::at_most_bytes("opening.envelope", wire.envelope.len(), limits::ENVELOPE_BYTES_MAX)?;
        Ok(Self {
            seq: wire.seq,
            term: wire.term,
            accepted_at: decode::time("opening.accepted_at", wire.accepted_at)?,
            salt: *Digest::read("opening.salt", &wire.salt)?.as_bytes(),
            envelope: wire.envelope,
        })
    }

    /// To the wire message.
    pub fn write(&self) -> wire::Opening {
        wire::Opening {
            seq: self.seq,
            term: self.term,
            accepted_at: self.accepted_at.unix_ms(),
            salt: self.salt.to_vec(),
            envelope: self.envelope.clone(),
        }
    }
}

impl core::fmt::Debug for Opening {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Opening(seq {}, {} bytes)", self.seq, self.envelope.len())
    }
}

/// SHA-256(salt ‖ envelope), bound to its domain (L-3).
pub fn commitment(salt: &[u8; 32], envelope: &[u8]) -> Digest {
    hash::sha256(domain::LEAF, &[salt, envelope])
}
