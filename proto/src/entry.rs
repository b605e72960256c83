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

/// The place of a word in its subject's chain (N-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whose chain.
    pub subject: Subject,
    /// Counts from 1.
    pub number: u64,
    /// Hash of the payload of the link before; none in the first.
    pub previous: Option<Digest>,
}

impl Link {
    fn read(field: &'static str, subject: &[u8], number: u64, previous: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self {
            subject: Subject::read(field, subject)?,
            number: decode::ordinal(field, number)?,
            previous: read_previous(field, number, previous)?,
        })
    }
}

/// One document in the index (N-1): closed codes only, no name, number, title or free text (N-8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the subject's chain.
    pub link: Link,
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
    /// An earlier entry of the same subject that this one takes the place of (N-6).
    pub replaces: Option<EntryId>,
}

/// Takes an entry out of the index; a link of the same chain (N-7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Its place in the subject's chain.
    pub link: Link,
    /// The entry that is withdrawn.
    pub entry_id: EntryId,
    /// Why.
    pub reason: WithdrawalReason,
}

/// Which tokens a subject has from now on (I-1). Replaces the statement before as a whole (I-2); none unlinks (I-3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityStatement {
    /// Its place in the chain of the subject's statements.
    pub link: Link,
    /// The tokens, ascending.
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

    fn read(wire: wire::Entry) -> Result<Self, DecodeError> {
        let service_start = decode::optional_time("entry.service_start", wire.service_start)?;
        let service_end = decode::optional_time("entry.service_end", wire.service_end)?;
        decode::period("entry.service_end", service_start, service_end)?;
        check("entry.size", wire.size <= limits::DOCUMENT_BYTES_MAX, "at most 4 GiB")?;
        let entry_id = EntryId::read("entry.entry_id", &wire.entry_id)?;
        let replaces = EntryId::read_optional("entry.replaces", &wire.replaces)?;
        check("entry.replaces", replaces != Some(entry_id), "another entry than itself")?;
        Ok(Self {
            link: Link::read("entry.link", &wire.subject, wire.number, &wire.previous)?,
            entry_id,
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
            replaces,
        })
    }

    fn write(&self) -> wire::Entry {
        wire::Entry {
            subject: self.link.subject.as_bytes().to_vec(),
            number: self.link.number,
            previous: write_optional(self.link.previous.as_ref()),
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
            replaces: write_optional(self.replaces.as_ref()),
        }
    }
}

impl Word for Withdrawal {
    const KIND: Kind = Kind::Withdrawal;
    const NAME: &'static str = "withdrawal";
    type Wire = wire::Withdrawal;

    fn read(wire: wire::Withdrawal) -> Result<Self, DecodeError> {
        check("withdrawal.number", wire.number > 1, "after the entry that it withdraws")?;
        Ok(Self {
            link: Link::read("withdrawal.link", &wire.subject, wire.number, &wire.previous)?,
            entry_id: EntryId::read("withdrawal.entry_id", &wire.entry_id)?,
            reason: decode::one_code("withdrawal.reason", wire.reason)?,
        })
    }

    fn write(&self) -> wire::Withdrawal {
        wire::Withdrawal {
            subject: self.link.subject.as_bytes().to_vec(),
            number: self.link.number,
            previous: write_optional(self.link.previous.as_ref()),
            entry_id: self.entry_id.as_bytes().to_vec(),
            reason: self.reason.number(),
        }
    }
}

impl Word for IdentityStatement {
    const KIND: Kind = Kind::IdentityStatement;
    const NAME: &'static str = "identity_statement";
    type Wire = wire::IdentityStatement;

    fn read(wire: wire::IdentityStatement) -> Result<Self, DecodeError> {
        Ok(Self {
            link: Link::read("identity_statement.link", &wire.subject, wire.number, &wire.previous)?,
            tokens: Token::read_list("identity_statement.tokens", wire.tokens)?,
        })
    }

    fn write(&self) -> wire::IdentityStatement {
        wire::IdentityStatement {
            subject: self.link.subject.as_bytes().to_vec(),
            number: self.link.number,
            previous: write_optional(self.link.previous.as_ref()),
            tokens: self.tokens.iter().map(|token| token.write()).collect(),
        }
    }
}
