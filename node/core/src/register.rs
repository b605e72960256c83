//! Registers: who gave a patient a number, and who has a number.
//!
//! The systems of a hospital name the register of their numbers in many ways or not at all, and often nobody has configured what they
//! mean. So messages find a patient by a number under its register, and people by the number that they type, whichever register
//! gave it. Two who have one number are both found: which of them is meant, only a person can say. Not here: under which number a message
//! files its patient: `person`.

use std::collections::BTreeSet;

use yiqiao_intake::patient::{self, IdKind};
use yiqiao_proto::id::{Digest, Subject};
use yiqiao_proto::phi::Phi;

use crate::at_rest::Tag;
use crate::intake::{Content, Received};
use crate::limits::{HOLDERS_MAX, REGISTER_BYTES_MAX, REGISTERS_MAX};
use crate::machine::{Machine, Refused, Stop, Work};
use crate::person;
use crate::state::kept::Register;
use crate::state::{self, Fault, View, read_subject};

/// The system whose messages come from people of the hospital who file a patient by hand: its register is the configured one, and tells
/// nothing of what the hospital's systems write.
pub const DESK: &str = "referral-desk";

/// A number that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Number {
    /// A number of the hospital, whichever of its registers gave it.
    Any(Phi<String>),
    /// An identifier as one register or authority gave it, whatever it is.
    Of {
        /// As messages write it; of a kind whose authority is fixed, its OID.
        register: String,
        /// The number.
        value: Phi<String>,
    },
}

/// A register that messages have named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// As the configuration names it, else as messages do; empty if they write none.
    pub name: String,
    /// Messages about patients with a number of it.
    pub messages: u64,
    /// Whether the configuration says what it is.
    pub configured: bool,
}

impl Machine {
    /// The patients who have a number, through all merges.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn patients_by_number(&self, number: &Number, view: &View) -> Result<Vec<Subject>, Fault> {
        let tag = match number {
            Number::Any(value) => any(self, value.expose()),
            Number::Of { register, value } => of(self, known_as(self, register), value.expose()),
        };
        holders(&tag, view)
    }

    /// The register of the numbers that people type: the configured one, else the only one that messages name. Without a name if they
    /// name several: a message with such a number meets the patient then if one more identifier is the same.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn main_register(&self, view: &View) -> Result<String, Fault> {
        if let Some(name) = &self.config.main_register {
            return Ok(known_as(self, name).to_owned());
        }
        let mut registers = view.get(&state::registers())?.registers;
        let only = if registers.len() == 1 { registers.pop() } else { None };
        Ok(only.map(|register| register.name).unwrap_or_default())
    }

    /// The registers that messages have named, in the order in which they first did: at most [`REGISTERS_MAX`].
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn registers(&self, view: &View) -> Result<Vec<Named>, Fault> {
        let config = &self.config;
        let main = config.main_register.as_deref().map(|name| known_as(self, name));
        let named = |Register { name, messages }: Register| {
            let configured =
                main == Some(name.as_str()) || config.assigners.values().any(|known| *known == name);
            Named { name, messages, configured }
        };
        Ok(view.get(&state::registers())?.registers.into_iter().map(named).collect())
    }
}

/// The name of the register that gave a number. Identifiers of the person have one authority, whatever a system writes; numbers of the
/// other kinds are the hospital's under the OID of their kind where a system writes none.
pub(crate) fn name<'a>(machine: &'a Machine, kind: IdKind, assigner: &'a str) -> &'a str {
    let said = known_as(machine, assigner);
    match kind {
        IdKind::ResidentId => "2.16.156.10011.1.3",
        IdKind::HealthCard => "2.16.156.10011.1.19",
        IdKind::HealthRecord if said.is_empty() => "2.16.156.10011.1.2",
        IdKind::OutpatientNo if said.is_empty() => "2.16.156.10011.1.11",
        IdKind::InpatientNo if said.is_empty() => "2.16.156.10011.1.12",
        IdKind::HealthRecord
        | IdKind::Local
        | IdKind::OutpatientNo
        | IdKind::InpatientNo
        | IdKind::Passport
        | IdKind::TravelPermit
        | IdKind::Other => said,
    }
}

/// What the configuration calls an assigner; an OID is the same with and without the scheme of its URI.
pub(crate) fn known_as<'a>(machine: &'a Machine, assigner: &'a str) -> &'a str {
    let said = assigner.strip_prefix("urn:oid:").unwrap_or(assigner);
    machine.config.assigners.get(said).map_or(said, String::as_str)
}

/// The tags by which a patient with this identifier is found: as its register's, and as anybody's if it is a number of a hospital.
/// What may be a sample's number is nobody's.
pub(crate) fn tags(machine: &Machine, kind: IdKind, assigner: &str, value: &str) -> Vec<Digest> {
    let mut tags = vec![of(machine, name(machine, kind, assigner), value)];
    if is_the_hospitals(kind) {
        tags.push(any(machine, value));
    }
    tags
}

/// Whether a number of this kind is one that a hospital gives: not an authority's of the person, and not one that may be a sample's.
pub(crate) const fn is_the_hospitals(kind: IdKind) -> bool {
    match kind {
        IdKind::Local | IdKind::OutpatientNo | IdKind::InpatientNo | IdKind::HealthRecord => true,
        IdKind::ResidentId | IdKind::HealthCard | IdKind::Passport | IdKind::TravelPermit | IdKind::Other => {
            false
        }
    }
}

/// Whether nobody has a number, whichever register gave it.
pub(crate) fn is_free(machine: &Machine, id: &patient::Identifier, view: &View) -> Result<bool, Fault> {
    Ok(holders(&any(machine, id.value.expose()), view)?.is_empty())
}

/// The patients who have an identifier of a message as its register's.
pub(crate) fn holders_of(
    machine: &Machine,
    id: &patient::Identifier,
    view: &View,
) -> Result<Vec<Subject>, Fault> {
    holders(&of(machine, name(machine, id.kind, &id.assigner), id.value.expose()), view)
}

fn of(machine: &Machine, register: &str, value: &str) -> Digest {
    machine.keys.at_rest.tag(Tag::Held, &[b"of", register.as_bytes(), value.trim().as_bytes()])
}

/// Who types a number writes its letters small or capital.
fn any(machine: &Machine, value: &str) -> Digest {
    machine.keys.at_rest.tag(Tag::Held, &[b"any", value.trim().to_ascii_uppercase().as_bytes()])
}

fn holders(tag: &Digest, view: &View) -> Result<Vec<Subject>, Fault> {
    let mut found = Vec::new();
    for subject in view.get(&state::held(tag))?.subjects {
        let subject = person::root(view, read_subject(&subject)?)?;
        if !found.contains(&subject) {
            found.push(subject);
        }
    }
    Ok(found)
}

/// Who is filed by hand is filed under a number that nobody has, whatever came since somebody asked whether it is free.
pub(crate) fn require_free(
    work: &Work<'_>,
    received: &Received,
    patient: &patient::Patient,
) -> Result<(), Stop> {
    let Some(id) = patient.primary().filter(|_| received.system.as_str() == DESK) else { return Ok(()) };
    if is_free(work.machine, id, work.view)? { Ok(()) } else { Err(Refused::NumberTaken.into()) }
}

/// The registers whose numbers the patients of a message have.
pub(crate) fn named(machine: &Machine, received: &Received) -> Vec<String> {
    let patients: Vec<&patient::Patient> = match &received.content {
        Content::Documents(documents) => documents.iter().map(|(document, _)| &document.patient).collect(),
        Content::Events(events) => events.iter().map(|event| &event.patient).collect(),
        Content::Answer | Content::Review(..) | Content::Refused => Vec::new(),
    };
    let own = patients.into_iter().filter_map(|patient| patient.primary());
    let own = own.filter(|id| id.kind == IdKind::Local && received.system.as_str() != DESK);
    let names: BTreeSet<String> = own.map(|id| shown(name(machine, id.kind, &id.assigner))).collect();
    names.into_iter().take(REGISTERS_MAX).collect()
}

/// A name as it is kept and shown to people: of bounded length, on one line.
pub(crate) fn shown(name: &str) -> String {
    let plain: String = name.chars().filter(|character| !character.is_control()).collect();
    let end = (0..=REGISTER_BYTES_MAX.min(plain.len())).rev().find(|at| plain.is_char_boundary(*at));
    plain.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
}

/// One more message named these registers.
pub(crate) fn apply(names: &[String], view: &mut View) -> Result<(), Fault> {
    if names.is_empty() {
        return Ok(());
    }
    let slot = state::registers();
    let mut kept = view.get(&slot)?;
    for name in names {
        if let Some(known) = kept.registers.iter_mut().find(|known| known.name == *name) {
            known.messages += 1;
        } else if kept.registers.len() < REGISTERS_MAX {
            kept.registers.push(Register { name: name.clone(), messages: 1 });
        } else {
            kept.others += 1;
        }
    }
    view.put(&slot, &kept);
    Ok(())
}

/// A patient is found by these numbers too from now on. A number that it had leads to it still: papers with it are about.
pub(crate) fn apply_held(subject: &Subject, tags: &[Vec<u8>], view: &mut View) -> Result<(), Fault> {
    let own = subject.as_bytes().to_vec();
    for tag in tags {
        let slot = state::held(&state::read_digest(tag)?);
        let mut holders = view.get(&slot)?;
        if holders.subjects.len() < HOLDERS_MAX && !holders.subjects.contains(&own) {
            holders.subjects.push(own.clone());
            view.put(&slot, &holders);
        }
    }
    Ok(())
}
