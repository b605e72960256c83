//! What patients are told by a second channel, such as a text message: passkeys that were enrolled or taken out here, permits for
//! which nobody vouches but who gains by them, passkeys for which another hospital vouches, what was looked at in an emergency, and that
//! the record was sealed. Kept until the hospital's gateway has taken it.
//!
//! All of it follows from what is recorded anyway. Not here: how it is handed over, and in which words.

use std::collections::BTreeSet;

use yiqiao_proto::codes::CredentialState;
use yiqiao_proto::directive::{Act, Directive};
use yiqiao_proto::envelope::{Envelope, Kind as WordKind, Word};
use yiqiao_proto::id::{Code, Subject};
use yiqiao_proto::lease::{HeadChange, Told};
use yiqiao_proto::log::Opening;
use yiqiao_proto::proof::Proof;
use yiqiao_proto::time::Timestamp;

use crate::credential::{self, is_self_vouched, told_vouchers};
use crate::limits::{INFORMED_MAX, VOUCHED_NEWS};
use crate::machine::{Outcome, Stop, Work};
use crate::person;
use crate::state::kept;
use crate::state::{self, Body, Fault, View, damaged, read_digest, read_subject, subject_ref};

/// What a patient is told. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum News {
    /// A passkey was enrolled at this hospital's desk.
    Enrolled = 1,
    /// A passkey was taken out here.
    Retired = 2,
    /// A permit came that a passkey signed for which nobody vouches but the organisation that gains.
    SelfVouched = 3,
    /// Somebody of this hospital broke the glass.
    GlassBroken = 4,
    /// A document of this hospital went to a member that cited an emergency.
    ReleasedInEmergency = 5,
    /// The record here was sealed.
    Sealed = 6,
    /// The seal was lifted.
    SealLifted = 7,
    /// Another hospital has begun to vouch for a passkey of the patient.
    VouchedElsewhere = 8,
}

impl News {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Enrolled,
        Self::Retired,
        Self::SelfVouched,
        Self::GlassBroken,
        Self::ReleasedInEmergency,
        Self::Sealed,
        Self::SealLifted,
        Self::VouchedElsewhere,
    ];
}

/// Something that a patient is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Counts from 1.
    pub number: u64,
    /// What.
    pub news: News,
    /// Whom.
    pub subject: Subject,
    /// The voucher of the passkey, who gains by the permit, where the emergency is said to be, or this hospital.
    pub member: Code,
    /// When it was recorded here.
    pub at: Timestamp,
}

/// The oldest that the gateway has not taken.
///
/// # Errors
/// [`Fault`] if the view lacks something.
pub fn next(view: &View) -> Result<Option<Message>, Fault> {
    let line = view.get(&state::informing())?;
    if line.head == line.tail {
        return Ok(None);
    }
    let number = line.head + 1;
    let kept = view.get(&state::message_to(number))?;
    Ok(Some(Message {
        number,
        news: News::ALL.iter().copied().find(|news| *news as u32 == kept.news).ok_or_else(damaged)?,
        subject: read_subject(&kept.subject)?,
        member: Code::new(kept.member).map_err(|_| damaged())?,
        at: Timestamp::from_unix_ms(kept.at).ok_or_else(damaged)?,
    }))
}

/// The gateway has taken a message, or it is too old to be told.
pub(crate) fn taken(work: &mut Work<'_>, number: u64) -> Result<Outcome, Stop> {
    if work.view.get(&state::informing())?.head + 1 == number {
        work.keep(Body::Informed(kept::Informed { number }))?;
    }
    Ok(Outcome::Done)
}

/// What follows from a message that was taken: the next one is the oldest.
pub(crate) fn apply_taken(number: u64, view: &mut View) -> Result<(), Fault> {
    let mut line = view.get(&state::informing())?;
    line.head = number.min(line.tail);
    view.put(&state::informing(), &line);
    Ok(())
}

/// A patient is to be told something. With no gateway to take them the oldest go.
pub(crate) fn add(
    news: News,
    subject: &Subject,
    member: &Code,
    at: i64,
    view: &mut View,
) -> Result<(), Fault> {
    let mut line = view.get(&state::informing())?;
    line.tail += 1;
    line.head = line.head.max(line.tail.saturating_sub(INFORMED_MAX));
    let subject = subject_ref(subject).subject;
    let message = kept::Informing { news: news as u32, subject, member: member.to_string(), at };
    view.put(&state::message_to(line.tail), &message);
    view.put(&state::informing(), &line);
    Ok(())
}

/// What follows from a head that the feed told: of the act that led to it the patient hears, once, if nobody else stands for it.
pub(crate) fn apply_told(change: &HeadChange, log_id: &str, at: i64, view: &mut View) -> Result<(), Fault> {
    let newest = change.directives.iter().filter(|accepted| accepted.version == change.head.version);
    let opened = newest.filter_map(|accepted| match &accepted.act {
        Told::Opening(opening) => Envelope::decode(&opening.envelope).ok(),
        Told::Commitment(_) => None,
    });
    let directives = opened.filter(|envelope| envelope.kind() == WordKind::Directive);
    let acts: Vec<Act<Directive>> =
        directives.filter_map(|envelope| Act::decode(envelope.payload()).ok()).collect();
    for act in acts {
        let Proof::Passkey(assertion) = &act.proof else { continue };
        let vouchers = told_vouchers(&assertion.credential_id, log_id, view)?;
        let Some(gains) = act.said.grantee.organisation.as_ref() else { continue };
        let heard = state::heard_of(&act.said.id);
        if !is_self_vouched(&act.said, &vouchers) || view.find(&heard)?.is_some() {
            continue;
        }
        let Some(tag) = view.find(&state::token_tag(&act.said.patient))? else { continue };
        let holders = view.get(&state::identifier(&read_digest(&tag.tag)?))?.subjects;
        for holder in &holders {
            add(News::SelfVouched, &read_subject(holder)?, gains, at, view)?;
        }
        view.put(&heard, &kept::Heard { at });
    }
    Ok(())
}

/// What follows from a statement that the feed told: of a passkey for which another hospital has just begun to vouch the patient hears, once.
pub(crate) fn apply_vouched(opening: &Opening, own: &str, at: i64, view: &mut View) -> Result<(), Fault> {
    let Some((_, statement)) = credential::read(opening) else { return Ok(()) };
    let begins = statement.number == 1 && statement.state == CredentialState::Valid;
    let of_another = !own.is_empty() && statement.voucher.as_str() != own;
    let is_new = (opening.accepted_at + VOUCHED_NEWS).unix_ms() > at;
    let heard = state::heard_of_voucher(&statement.credential_id, &statement.voucher);
    if !(begins && of_another && is_new) || view.find(&heard)?.is_some() {
        return Ok(());
    }
    let mut patients = BTreeSet::new();
    for token in &statement.tokens {
        let Some(tag) = view.find(&state::token_tag(token))? else { continue };
        for holder in view.get(&state::identifier(&read_digest(&tag.tag)?))?.subjects {
            patients.insert(person::root(view, read_subject(&holder)?)?);
        }
    }
    for patient in &patients {
        add(News::VouchedElsewhere, patient, &statement.voucher, at, view)?;
    }
    view.put(&heard, &kept::Heard { at });
    Ok(())
}
