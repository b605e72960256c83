//! Access events of this node: what the log keeps of what happened here, without names.

use std::collections::BTreeSet;

use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{AccessAct, AccessOutcome, DocumentClass, PersonRole, Purpose};
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::{Code, Digest, DirectiveId, ReferralId};
use yiqiao_proto::token::Token;

use crate::machine::Work;
use crate::said;
use crate::state::Fault;

/// What happened, as far as it is said outside.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) counterpart: Option<Code>,
    pub(crate) patient: Token,
    pub(crate) act: AccessAct,
    pub(crate) outcome: AccessOutcome,
    pub(crate) clause: &'static str,
    pub(crate) classes: BTreeSet<DocumentClass>,
    pub(crate) purpose: Purpose,
    pub(crate) role: PersonRole,
    pub(crate) head_version: u64,
    pub(crate) directive: Option<DirectiveId>,
    pub(crate) referral: Option<ReferralId>,
    pub(crate) release: Option<Digest>,
    pub(crate) documents: u32,
    pub(crate) size: u64,
    pub(crate) audit_line: Option<Digest>,
}

impl Event {
    /// Something done for treatment, by the node itself unless a role is put in.
    pub(crate) const fn done(act: AccessAct, patient: Token, clause: &'static str) -> Self {
        Self {
            counterpart: None,
            patient,
            act,
            outcome: AccessOutcome::Permitted,
            clause,
            classes: BTreeSet::new(),
            purpose: Purpose::Treatment,
            role: PersonRole::System,
            head_version: 0,
            directive: None,
            referral: None,
            release: None,
            documents: 0,
            size: 0,
            audit_line: None,
        }
    }
}

/// Says an event: its number among this node's words.
pub(crate) fn say(work: &mut Work<'_>, event: Event) -> Result<u64, Fault> {
    let envelope = signed(work, event);
    said::say(work, &envelope)
}

/// An event, signed, to be said with the record that it belongs to.
pub(crate) fn signed(work: &Work<'_>, event: Event) -> Envelope {
    let organisation = work.machine.config.organisation.clone();
    // An event about something inside the hospital has no other side.
    let counterpart = event.counterpart.filter(|other| *other != organisation);
    let event = AccessEvent {
        organisation,
        counterpart,
        patient: event.patient,
        act: event.act,
        outcome: event.outcome,
        clause: event.clause.to_owned(),
        classes: event.classes,
        purpose: event.purpose,
        role: event.role,
        head_version: event.head_version,
        directive: event.directive,
        referral: event.referral,
        release: event.release,
        documents: event.documents,
        size: event.size,
        at: work.now,
        audit_line: event.audit_line,
    };
    let machine = work.machine;
    Envelope::sign(machine.directory.region(), &event, machine.signing_key())
}
