//! Access events: what the log keeps of every release, refusal and change, at the level of organisations; and how far
//! the audits behind them had come, and who wrote a line of one.

use std::collections::BTreeSet;

use crate::codes::{AccessAct, AccessOutcome, DocumentClass, PersonRole, Purpose};
use crate::decode::{self, DecodeError, check};
use crate::directive::text;
use crate::envelope::{Kind, Word};
use crate::id::{Code, Digest, DirectiveId, ReferralId};
use crate::limits;
use crate::member::write_optional;
use crate::phi::Phi;
use crate::time::{Millis, Timestamp};
use crate::token::Token;
use crate::wire::{calls, words as wire};

/// Something was accessed, refused or changed: closed codes; no person's name, no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessEvent {
    /// Who says so; it signs.
    pub organisation: Code,
    /// The other side, if there is one.
    pub counterpart: Option<Code>,
    /// Whose record.
    pub patient: Token,
    /// What happened.
    pub act: AccessAct,
    /// How it ended.
    pub outcome: AccessOutcome,
    /// The clause that decided, such as `D-3`.
    pub clause: String,
    /// The classes of the documents.
    pub classes: BTreeSet<DocumentClass>,
    /// For what.
    pub purpose: Purpose,
    /// The role of the asking person.
    pub role: PersonRole,
    /// The version of the patient's head on which it was decided.
    pub head_version: u64,
    /// The directive that decided.
    pub directive: Option<DirectiveId>,
    /// The referral.
    pub referral: Option<ReferralId>,
    /// Hash of the release's payload: pairs a release with its delivery.
    pub release: Option<Digest>,
    /// How many documents.
    pub documents: u32,
    /// How many bytes.
    pub size: u64,
    /// When, by the sayer's clock.
    pub at: Timestamp,
    /// Salted commitment to the line of the sayer's audit that names the person; none if no person acted.
    pub audit_line: Option<Digest>,
}

impl Word for AccessEvent {
    const KIND: Kind = Kind::AccessEvent;
    const NAME: &'static str = "access_event";
    type Wire = wire::AccessEvent;

    fn sayer(&self) -> Option<&Code> {
        Some(&self.organisation)
    }

    fn read(wire: wire::AccessEvent) -> Result<Self, DecodeError> {
        let organisation = decode::code("access_event.organisation", wire.organisation)?;
        let counterpart = decode::optional_code("access_event.counterpart", wire.counterpart)?;
        let other = counterpart.as_ref() != Some(&organisation);
        check("access_event.counterpart", other, "another member than the organisation")?;
        Ok(Self {
            organisation,
            counterpart,
            patient: Token::read("access_event.patient", wire.patient)?,
            act: decode::one_code("access_event.act", wire.act)?,
            outcome: decode::one_code("access_event.outcome", wire.outcome)?,
            clause: decode::clause("access_event.clause", wire.clause)?,
            classes: decode::codes("access_event.classes", &wire.classes)?,
            purpose: decode::one_code("access_event.purpose", wire.purpose)?,
            role: decode::one_code("access_event.role", wire.role)?,
            head_version: wire.head_version,
            directive: DirectiveId::read_optional("access_event.directive", &wire.directive)?,
            referral: ReferralId::read_optional("access_event.referral", &wire.referral)?,
            release: Digest::read_optional("access_event.release", &wire.release)?,
            documents: wire.documents,
            size: wire.size,
            at: decode::time("access_event.at", wire.at)?,
            audit_line: Digest::read_optional("access_event.audit_line", &wire.audit_line)?,
        })
    }

    fn write(&self) -> wire::AccessEvent {
        wire::AccessEvent {
            organisation: self.organisation.to_string(),
            counterpart: text(self.counterpart.as_ref()),
            patient: Some(self.patient.write()),
            act: self.act.number(),
            outcome: self.outcome.number(),
            clause: self.clause.clone(),
            classes: self.classes.iter().map(|class| class.number()).collect(),
            purpose: self.purpose.number(),
            role: self.role.number(),
            head_version: self.head_version,
            directive: write_optional(self.directive.as_ref()),
            referral: write_optional(self.referral.as_ref()),
            release: write_optional(self.release.as_ref()),
            documents: self.documents,
            size: self.size,
            at: self.at.unix_ms(),
            audit_line: write_optional(self.audit_line.as_ref()),
        }
    }
}

/// An access event that stands in the log.
#[derive(Clone, Copy, Debug)]
pub struct InLog<'e> {
    /// Hash of its payload.
    pub hash: Digest,
    /// What it says.
    pub event: &'e AccessEvent,
    /// When the registry accepted it.
    pub accepted_at: Timestamp,
}

impl InLog<'_> {
    /// Whether somebody has broken the glass by it, not long before a time (D-8).
    pub fn declares_emergency(&self, now: Timestamp) -> bool {
        self.event.act == AccessAct::BreakGlass
            && self.event.outcome == AccessOutcome::Permitted
            && now < self.accepted_at + Millis::new(limits::EMERGENCY_LIFE_MS)
    }
}

/// Of a member's events the one that declares the emergency cited, of a patient: the cited one itself, or one of the same act under
/// another token (D-8).
pub fn emergency<'e>(
    events: &[InLog<'e>],
    cited: &Digest,
    now: Timestamp,
    is_of_patient: impl Fn(&Token) -> bool,
) -> Option<InLog<'e>> {
    let declared = || events.iter().filter(|event| event.declares_emergency(now));
    let cited = declared().find(|event| event.hash == *cited)?;
    if is_of_patient(&cited.event.patient) {
        return Some(*cited);
    }
    let act = cited.event.audit_line?;
    declared()
        .find(|other| {
            other.event.organisation == cited.event.organisation
                && other.event.audit_line == Some(act)
                && is_of_patient(&other.event.patient)
        })
        .copied()
}

/// How far a member's audit had come: it stands for all lines up to this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditAnchor {
    /// Whose audit; it signs.
    pub organisation: Code,
    /// The number of the last line, from 1.
    pub lines: u64,
    /// The hash of the chain there.
    pub hash: Digest,
    /// When, by the member's clock.
    pub at: Timestamp,
}

impl Word for AuditAnchor {
    const KIND: Kind = Kind::AuditAnchor;
    const NAME: &'static str = "audit_anchor";
    type Wire = wire::AuditAnchor;

    fn sayer(&self) -> Option<&Code> {
        Some(&self.organisation)
    }

    fn read(wire: wire::AuditAnchor) -> Result<Self, DecodeError> {
        Ok(Self {
            organisation: decode::code("audit_anchor.organisation", wire.organisation)?,
            lines: decode::ordinal("audit_anchor.lines", wire.lines)?,
            hash: Digest::read("audit_anchor.hash", &wire.hash)?,
            at: decode::time("audit_anchor.at", wire.at)?,
        })
    }

    fn write(&self) -> wire::AuditAnchor {
        wire::AuditAnchor {
            organisation: self.organisation.to_string(),
            lines: self.lines,
            hash: self.hash.as_bytes().to_vec(),
            at: self.at.unix_ms(),
        }
    }
}

/// Who wrote a line of an audit to which an event commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// What the event says of the line.
    pub line: Digest,
    /// The name, of staff; otherwise empty.
    pub name: Phi<String>,
    /// The role acted in.
    pub role: PersonRole,
    /// The department acted in.
    pub department: Option<Code>,
}

impl Person {
    /// From the wire message.
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    pub fn read(wire: calls::Person) -> Result<Self, DecodeError> {
        decode::at_most_bytes("person.name", wire.name.len(), limits::PERSON_NAME_BYTES_MAX)?;
        Ok(Self {
            line: Digest::read("person.line", &wire.line)?,
            name: Phi::new(wire.name),
            role: decode::one_code("person.role", wire.role)?,
            department: decode::optional_code("person.department", wire.department)?,
        })
    }

    /// To the wire message.
    pub fn write(&self) -> calls::Person {
        calls::Person {
            line: self.line.as_bytes().to_vec(),
            name: self.name.expose().clone(),
            role: self.role.number(),
            department: text(self.department.as_ref()),
        }
    }
}

/// The events of a broken glass that a question for evidence names (V-1).
///
/// # Errors
/// [`DecodeError`] if they are too many, or no hashes.
pub fn read_events(events: &[Vec<u8>]) -> Result<Vec<Digest>, DecodeError> {
    decode::at_most("evidence_request.emergency", events.len(), limits::TOKENS_MAX)?;
    events.iter().map(|event| Digest::read("evidence_request.emergency", event)).collect()
}

/// The lines that a question names.
///
/// # Errors
/// [`DecodeError`] if they are too many, or no hashes.
pub fn read_lines(lines: &[Vec<u8>]) -> Result<Vec<Digest>, DecodeError> {
    decode::at_most("persons_request.lines", lines.len(), limits::PERSONS_MAX)?;
    lines.iter().map(|line| Digest::read("persons_request.lines", line)).collect()
}
