//! Feeds and leases (F-1 to F-9): how a holder knows that it knows every consent change, without comparing clocks.

use prost::Message;

use crate::decode::{self, DecodeError, check, required};
use crate::envelope::{Kind, Word};
use crate::hash::{self, domain};
use crate::head::Head;
use crate::id::{Code, Digest, Nonce};
use crate::limits;
use crate::log::Opening;
use crate::time::Millis;
use crate::token::Token;
use crate::wire::{calls, words as wire};

/// The registry says up to where a member's feed is complete (F-6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// For whom.
    pub member: Code,
    /// The nonce of the request.
    pub nonce: Nonce,
    /// The sequencer's term.
    pub term: u64,
    /// Number of the last item on the member's feed; 0 if there is none.
    pub feed_number: u64,
    /// The feed's chain at that item (F-2).
    pub feed_chain: Digest,
    /// The member list in force.
    pub list_version: u64,
    /// Hash of that list's payload.
    pub list_hash: Digest,
    /// The log that the feed is of: after a restore another one (L-9).
    pub log_id: Code,
    /// How long it lasts from when the member asked, by the member's own clock.
    pub duration: Millis,
}

impl Word for Lease {
    const KIND: Kind = Kind::Lease;
    const NAME: &'static str = "lease";
    type Wire = wire::Lease;

    fn addressee(&self) -> Option<&Code> {
        Some(&self.member)
    }

    fn read(wire: wire::Lease) -> Result<Self, DecodeError> {
        let bounded = (1..=limits::LEASE_MS_MAX).contains(&wire.duration_ms);
        check("lease.duration_ms", bounded, "at most 300 s, and not nothing")?;
        Ok(Self {
            member: decode::code("lease.member", wire.member)?,
            nonce: Nonce::read("lease.nonce", &wire.nonce)?,
            term: wire.term,
            feed_number: wire.feed_number,
            feed_chain: Digest::read("lease.feed_chain", &wire.feed_chain)?,
            list_version: decode::ordinal("lease.list_version", wire.list_version)?,
            list_hash: Digest::read("lease.list_hash", &wire.list_hash)?,
            log_id: decode::code("lease.log_id", wire.log_id)?,
            duration: Millis::new(wire.duration_ms),
        })
    }

    fn write(&self) -> wire::Lease {
        wire::Lease {
            member: self.member.to_string(),
            nonce: self.nonce.as_bytes().to_vec(),
            term: self.term,
            feed_number: self.feed_number,
            feed_chain: self.feed_chain.as_bytes().to_vec(),
            list_version: self.list_version,
            duration_ms: self.duration.get(),
            list_hash: self.list_hash.as_bytes().to_vec(),
            log_id: self.log_id.to_string(),
        }
    }
}

/// One item of a member's feed (F-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedItem {
    /// Counts from 1, without gaps.
    pub number: u64,
    /// The feed's chain before this item (F-2).
    pub previous: Digest,
    /// What changed.
    pub change: Change,
}

/// What a feed tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The consent of one patient.
    Head(HeadChange),
    /// A new version of the member list is in force.
    MemberList(u64),
    /// A credential of a patient was vouched for or revoked.
    Credential(Opening),
    /// A document that the member has received was withdrawn.
    Withdrawal(Opening),
}

/// The consent of one patient as it now stands (F-4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadChange {
    /// The patient.
    pub patient: Token,
    /// The head after this change.
    pub head: Head,
    /// All directives in force, in the order of the log.
    pub directives: Vec<AcceptedAct>,
}

impl HeadChange {
    /// The head that these directives give (C-10): it must be the one that is told.
    pub fn computed_head(&self) -> Head {
        Head::of(self.head.version, self.directives.iter().map(|act| (act.version, act.act.commitment())))
    }
}

/// A directive that the registry accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedAct {
    /// The version of the patient's head that it led to (C-10).
    pub version: u64,
    /// The act, or the commitment of its leaf if it does not concern the reader (F-4).
    pub act: Told,
}

/// What a reader is told of an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// All of it.
    Opening(Opening),
    /// That it exists.
    Commitment(Digest),
}

impl Told {
    /// What the act's leaf commits to: the head is over these (C-10).
    pub fn commitment(&self) -> Digest {
        match self {
            Self::Opening(opening) => opening.commitment(),
            Self::Commitment(commitment) => *commitment,
        }
    }
}

impl FeedItem {
    /// From bytes, by the strict rule.
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        use calls::feed_item::Body;
        let wire: calls::FeedItem = decode::strict("feed_item", bytes, limits::CALL_BYTES_MAX)?;
        let change = match required("feed_item.body", wire.body)? {
            Body::Head(wire) => Change::Head(HeadChange::read(wire)?),
            Body::List(wire) => Change::MemberList(decode::ordinal("list_change.version", wire.version)?),
            Body::Credential(wire) => {
                Change::Credential(Opening::read(required("credential_change.opening", wire.opening)?)?)
            }
            Body::Withdrawal(wire) => {
                Change::Withdrawal(Opening::read(required("withdrawal_change.opening", wire.opening)?)?)
            }
        };
        Ok(Self {
            number: decode::ordinal("feed_item.number", wire.number)?,
            previous: Digest::read("feed_item.previous", &wire.previous)?,
            change,
        })
    }

    /// To bytes that [`FeedItem::decode`] takes.
    pub fn encode(&self) -> Vec<u8> {
        use calls::feed_item::Body;
        let body = match &self.change {
            Change::Head(change) => Body::Head(change.write()),
            Change::MemberList(version) => Body::List(calls::MemberListChange { version: *version }),
            Change::Credential(opening) => {
                Body::Credential(calls::CredentialChange { opening: Some(opening.write()) })
            }
            Change::Withdrawal(opening) => {
                Body::Withdrawal(calls::WithdrawalChange { opening: Some(opening.write()) })
            }
        };
        let previous = self.previous.as_bytes().to_vec();
        calls::FeedItem { number: self.number, previous, body: Some(body) }.encode_to_vec()
    }
}

impl HeadChange {
    pub(crate) fn read(wire: calls::HeadChange) -> Result<Self, DecodeError> {
        decode::at_most("head_change.directives", wire.directives.len(), limits::DIRECTIVES_MAX)?;
        Ok(Self {
            patient: Token::read("head_change.patient", wire.patient)?,
            head: Head::read("head_change.head", wire.head)?,
            directives: wire.directives.into_iter().map(AcceptedAct::read).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn write(&self) -> calls::HeadChange {
        calls::HeadChange {
            patient: Some(self.patient.write()),
            head: Some(self.head.write()),
            directives: self.directives.iter().map(AcceptedAct::write).collect(),
        }
    }
}

impl AcceptedAct {
    /// From the wire message.
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    pub fn read(wire: calls::AcceptedAct) -> Result<Self, DecodeError> {
        use calls::accepted_act::Act;
        let act = match required("accepted_act.act", wire.act)? {
            Act::Opening(wire) => Told::Opening(Opening::read(wire)?),
            Act::Commitment(bytes) => Told::Commitment(Digest::read("accepted_act.commitment", &bytes)?),
        };
        Ok(Self { version: decode::ordinal("accepted_act.version", wire.version)?, act })
    }

    /// To the wire message.
    pub fn write(&self) -> calls::AcceptedAct {
        use calls::accepted_act::Act;
        let act = match &self.act {
            Told::Opening(opening) => Act::Opening(opening.write()),
            Told::Commitment(commitment) => Act::Commitment(commitment.as_bytes().to_vec()),
        };
        calls::AcceptedAct { version: self.version, act: Some(act) }
    }
}

/// The chain of a feed before its first item: bound to region and member (F-2).
pub fn feed_start(region: &Code, member: &Code) -> Digest {
    hash::sha256(domain::FEED, &[region.as_str().as_bytes(), member.as_str().as_bytes()])
}

/// The chain after an item: hash of the chain before and of the item's bytes (F-2).
pub fn feed_next(before: &Digest, item: &[u8]) -> Digest {
    hash::sha256(domain::FEED, &[before.as_bytes(), item])
}
