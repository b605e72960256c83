//! The index: entries and withdrawals, which form one chain for every subject (N-1 to N-8), and identity statements
//! (I-1 to I-3).

use crate::codes::{
    DocumentClass, DocumentFormat, DocumentStatus, DocumentType, FacilityKind, PracticeSetting, Sensitivity,
    WithdrawalReason,
};
use crate::decode::{self, DecodeError, check};
use crate::envelope::{Kind, Word};
use crate::hash::{self, domain};
use crate::id::{Code, Digest, DocumentId, EntryId, Subject};
use crate::limits;
use crate::member::{read_previous, write_optional};
use crate::time::Timestamp;
use crate::token::Token;
use crate::wire::words as wire;

/// The place of an entry or a withdrawal in its subject's chain (N-2).
///
/// The word itself only commits to it: numbers, and what an entry replaces, would tell a reader of some entries how many
/// it does not see. The publisher gives the link to the registry beside the word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Counts from 1.
    pub number: u64,
    /// Hash of the payload of the word before; none in the first.
    pub previous: Option<Digest>,
    /// An earlier entry of the same subject that this one takes the place of (N-6).
    pub replaces: Option<EntryId>,
    /// Chosen at random by the publisher.
    pub salt: [u8; 32],
}

impl Link {
    /// What the word says of its place (N-2).
    pub fn commitment(&self) -> Digest {
        let previous = self.previous.as_ref().map_or(&[][..], |previous| previous.as_bytes());
        let replaces = self.replaces.as_ref().map_or(&[][..], |replaces| replaces.as_bytes());
        hash::sha256(domain::LINK, &[&self.salt, &self.number.to_be_bytes(), previous, replaces])
    }

    /// From the wire message.
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    pub fn read(wire: &wire::Link) -> Result<Self, DecodeError> {
        Ok(Self {
            number: decode::ordinal("link.number", wire.number)?,
            previous: read_previous("link.previous", wire.number, &wire.previous)?,
            replaces: EntryId::read_optional("link.replaces", &wire.replaces)?,
            salt: *Digest::read("link.salt", &wire.salt)?.as_bytes(),
        })
    }

    /// To the wire message.
    pub fn write(&self) -> wire::Link {
        wire::Link {
            number: self.number,
            previous: write_optional(self.previous.as_ref()),
            replaces: write_optional(self.replaces.as_ref()),
            salt: self.salt.to_vec(),
        }
    }
}

impl core::fmt::Debug for Link {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Link({})", self.number)
    }
}

/// One document in the index (N-1): closed codes only, no name, number, title or free text (N-8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Who publishes; it signs.
    pub publisher: Code,
    /// The patient at the publisher.
    pub subject: Subject,
    /// Commitment to the place in the subject's chain: [`Link::commitment`].
    pub link: Digest,
    /// The document at its source (N-3).
    pub entry_id: EntryId,
    /// The sealed document (Z-5).
    pub document: DocumentId,
    /// Length of the document in bytes, before sealing.
    pub size: u64,
    /// Coarse class: what directives speak about.
    pub class: DocumentClass,
    /// Type.
    pub document_type: DocumentType,
    /// Format of the bytes.
    pub format: DocumentFormat,
    /// Kind of institution.
    pub facility: FacilityKind,
    /// Practice setting.
    pub practice: PracticeSetting,
    /// When the service documented began.
    pub service_start: Option<Timestamp>,
    /// When it ended.
    pub service_end: Option<Timestamp>,
    /// When the document was made at its source.
    pub created_at: Timestamp,
    /// How sensitive.
    pub sensitivity: Sensitivity,
    /// How final.
    pub status: DocumentStatus,
}

/// Takes an entry out of the index; a link of the same chain (N-7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Who published the entry; it signs.
    pub publisher: Code,
    /// The patient at the publisher.
    pub subject: Subject,
    /// Commitment to the place in the subject's chain: [`Link::commitment`].
    pub link: Digest,
    /// The entry that is withdrawn.
    pub entry_id: EntryId,
    /// Why.
    pub reason: WithdrawalReason,
}

/// Which tokens a subject has from now on (I-1). Replaces the statement before as a whole (I-2); none unlinks (I-3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityStatement {
    /// Who states it; it signs.
    pub publisher: Code,
    /// The patient at the publisher.
    pub subject: Subject,
    /// Counts the statements about the subject, from 1.
    pub number: u64,
    /// Hash of the payload of the statement before; none in the first.
    pub previous: Option<Digest>,
    /// The tokens, ascending: of each identifier one for every epoch of the member list (T-7).
    pub tokens: Vec<Token>,
}

/// The id of a document at its source (N-3): the same source bytes always give the same id, and only the holder of
/// `key` can tell from an id what it is of.
pub fn entry_id(
    key: &[u8; 32],
    organisation: &Code,
    system: &str,
    source_id: &str,
    original: &[u8; 32],
) -> EntryId {
    let parts: [&[u8]; 4] =
        [organisation.as_str().as_bytes(), system.as_bytes(), source_id.as_bytes(), original];
    let digest = hash::keyed(key, domain::ENTRY, &parts);
    EntryId::new(*digest.as_bytes()).expect("nobody can make a hash of zeros")
}

impl Word for Entry {
    const KIND: Kind = Kind::Entry;
    const NAME: &'static str = "entry";
    type Wire = wire::Entry;

    fn sayer(&self) -> Option<&Code> {
        Some(&self.publisher)
    }

    fn read(wire: wire::Entry) -> Result<Self, DecodeError> {
        let service_start = decode::optional_time("entry.service_start", wire.service_start)?;
        let service_end = decode::optional_time("entry.service_end", wire.service_end)?;
        decode::period("entry.service_end", service_start, service_end)?;
        check("entry.size", wire.size <= limits::DOCUMENT_BYTES_MAX, "at most 4 GiB")?;
        Ok(Self {
            publisher: decode::code("entry.publisher", wire.publisher)?,
            subject: Subject::read("entry.subject", &wire.subject)?,
            link: Digest::read("entry.link", &wire.link)?,
            entry_id: EntryId::read("entry.entry_id", &wire.entry_id)?,
            document: DocumentId::read("entry.document", &wire.document)?,
            size: wire.size,
            class: decode::one_code("entry.class", wire.class)?,
            document_type: decode::one_code("entry.type", wire.r#type)?,
            format: decode::one_code("entry.format", wire.format)?,
            facility: decode::one_code("entry.facility", wire.facility)?,
            practice: decode::one_code("entry.practice", wire.practice)?,
            service_start,
            service_end,
            created_at: decode::time("entry.created_at", wire.created_at)?,
            sensitivity: decode::one_code("entry.sensitivity", wire.sensitivity)?,
            status: decode::one_code("entry.status", wire.status)?,
        })
    }

    fn write(&self) -> wire::Entry {
        wire::Entry {
            publisher: self.publisher.to_string(),
            subject: self.subject.as_bytes().to_vec(),
            link: self.link.as_bytes().to_vec(),
            entry_id: self.entry_id.as_bytes().to_vec(),
            document: self.document.as_bytes().to_vec(),
            size: self.size,
            class: self.class.number(),
            r#type: self.document_type.number(),
            format: self.format.number(),
            facility: self.facility.number(),
            practice: self.practice.number(),
            service_start: self.service_start.map(Timestamp::unix_ms),
            service_end: self.service_end.map(Timestamp::unix_ms),
            created_at: self.created_at.unix_ms(),
            sensitivity: self.sensitivity.number(),
            status: self.status.number(),
        }
    }
}

impl Word for Withdrawal {
    const KIND: Kind = Kind::Withdrawal;
    const NAME: &'static str = "withdrawal";
    type Wire = wire::Withdrawal;

    fn sayer(&self) -> Option<&Code> {
        Some(&self.publisher)
    }

    fn read(wire: wire::Withdrawal) -> Result<Self, DecodeError> {
        Ok(Self {
            publisher: decode::code("withdrawal.publisher", wire.publisher)?,
            subject: Subject::read("withdrawal.subject", &wire.subject)?,
            link: Digest::read("withdrawal.link", &wire.link)?,
            entry_id: EntryId::read("withdrawal.entry_id", &wire.entry_id)?,
            reason: decode::one_code("withdrawal.reason", wire.reason)?,
        })
    }

    fn write(&self) -> wire::Withdrawal {
        wire::Withdrawal {
            publisher: self.publisher.to_string(),
            subject: self.subject.as_bytes().to_vec(),
            link: self.link.as_bytes().to_vec(),
            entry_id: self.entry_id.as_bytes().to_vec(),
            reason: self.reason.number(),
        }
    }
}

impl Word for IdentityStatement {
    const KIND: Kind = Kind::IdentityStatement;
    const NAME: &'static str = "identity_statement";
    type Wire = wire::IdentityStatement;

    fn sayer(&self) -> Option<&Code> {
        Some(&self.publisher)
    }

    fn read(wire: wire::IdentityStatement) -> Result<Self, DecodeError> {
        Ok(Self {
            publisher: decode::code("identity_statement.publisher", wire.publisher)?,
            subject: Subject::read("identity_statement.subject", &wire.subject)?,
            number: decode::ordinal("identity_statement.number", wire.number)?,
            previous: read_previous("identity_statement.previous", wire.number, &wire.previous)?,
            tokens: Token::read_list("identity_statement.tokens", wire.tokens)?,
        })
    }

    fn write(&self) -> wire::IdentityStatement {
        wire::IdentityStatement {
            publisher: self.publisher.to_string(),
            subject: self.subject.as_bytes().to_vec(),
            number: self.number,
            previous: write_optional(self.previous.as_ref()),
            tokens: self.tokens.iter().map(|token| token.write()).collect(),
        }
    }
}
