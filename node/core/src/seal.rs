//! Sealing a record (D-12): when a dispute or an incident arises, nobody opens it or gets anything of it but who is named, until a second
//! person lifts the seal. What comes keeps coming in.
//!
//! Not here: where it is asked for: `open`, `holder`, `handover`.

use std::collections::BTreeSet;

use prost::Message;
use yiqiao_proto::codes::PersonRole;
use yiqiao_proto::id::{Code, Digest, Subject};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::Timestamp;

use crate::actor::Actor;
use crate::audit::{Act, Line, audit, login_tag};
use crate::glass::{Said, reasoned, said_of, time};
use crate::inform::{self, News};
use crate::limits::REVIEWERS_MAX;
use crate::list::List;
use crate::machine::{Machine, Outcome, Refused, Stop, Work};
use crate::person;
use crate::sight::Ground;
use crate::state::kept;
use crate::state::{self, Body, Fault, View, damaged, read_digest, read_subject};

/// The clause by which what is sealed is not opened and not let go.
pub(crate) const CLAUSE: &str = "D-12";

/// Why a record is sealed. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Patient and hospital are in dispute (医疗纠纷预防和处理条例).
    Dispute = 1,
    /// Something went wrong.
    Incident = 2,
    /// A court or an authority looks into it.
    Investigation = 3,
}

impl Reason {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Dispute, Self::Incident, Self::Investigation];
}

/// A record is sealed, or the seal lifted.
#[derive(Clone, Debug)]
pub enum Change {
    /// Sealed.
    Seal(Sealing),
    /// Lifted.
    Lift(Lifting),
}

/// Somebody seals a record.
#[derive(Clone, Debug)]
pub struct Sealing {
    /// Who.
    pub actor: Actor,
    /// Whose record.
    pub subject: Subject,
    /// Why.
    pub reason: Reason,
    /// In words.
    pub text: Phi<String>,
    /// Logins of those who open it all the same; at most [`REVIEWERS_MAX`].
    pub reviewers: Vec<String>,
}

/// Somebody else lifts the seal.
#[derive(Clone, Debug)]
pub struct Lifting {
    /// Who.
    pub actor: Actor,
    /// Whose record.
    pub subject: Subject,
    /// Why, in words.
    pub text: Phi<String>,
}

/// A seal in force, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Whose record.
    pub subject: Subject,
    /// Who sealed it.
    pub by: Said,
    /// Why.
    pub reason: Reason,
    /// When.
    pub at: Timestamp,
    /// How many open it all the same.
    pub reviewers: usize,
}

/// Seals a record, or lifts the seal.
pub(crate) fn change(work: &mut Work<'_>, change: &Change) -> Result<Outcome, Stop> {
    match change {
        Change::Seal(sealing) => seal(work, sealing),
        Change::Lift(lifting) => lift(work, lifting),
    }
}

fn seal(work: &mut Work<'_>, sealing: &Sealing) -> Result<Outcome, Stop> {
    let root = admit(work, &sealing.actor, &sealing.subject)?;
    if in_force(&root, work.view)?.is_some() {
        return Err(Refused::SealedOrNot.into());
    }
    if sealing.reviewers.len() > REVIEWERS_MAX {
        return Err(Refused::TooManyReviewers.into());
    }
    let reasoned = reasoned(&sealing.actor, sealing.reason as u32, &sealing.text)?;
    let id = write_down(work, &sealing.actor, root, Act::Seal)?;
    let at_rest = &work.machine.keys.at_rest;
    let tag = |login: &String| login_tag(at_rest, login).as_bytes().to_vec();
    let reviewers = sealing.reviewers.iter().map(tag).collect();
    let login = login_tag(at_rest, sealing.actor.login()).as_bytes().to_vec();
    let data = at_rest.seal(id.as_bytes(), &reasoned.encode_to_vec(), work.entropy);
    let organisation = work.machine.config.organisation.to_string();
    work.keep(Body::RecordSealed(kept::RecordSealed {
        id: id.as_bytes().to_vec(),
        subject: root.as_bytes().to_vec(),
        login,
        data,
        reviewers,
        organisation,
    }))?;
    Ok(Outcome::Done)
}

/// Not whoever put it on.
fn lift(work: &mut Work<'_>, lifting: &Lifting) -> Result<Outcome, Stop> {
    let root = admit(work, &lifting.actor, &lifting.subject)?;
    let (id, seal) = in_force(&root, work.view)?.ok_or(Refused::SealedOrNot)?;
    if seal.login == login_tag(&work.machine.keys.at_rest, lifting.actor.login()).as_bytes() {
        return Err(Refused::SamePerson.into());
    }
    let reasoned = reasoned(&lifting.actor, 0, &lifting.text)?;
    for patient in patients_under(&seal, work.view)? {
        write_down(work, &lifting.actor, patient, Act::LiftSeal)?;
    }
    let data = work.machine.keys.at_rest.seal(id.as_bytes(), &reasoned.encode_to_vec(), work.entropy);
    let organisation = work.machine.config.organisation.to_string();
    let id = id.as_bytes().to_vec();
    work.keep(Body::SealLifted(kept::SealLifted { id, data, organisation }))?;
    Ok(Outcome::Done)
}

/// Who answers for records; the patient as it is known after all merges.
fn admit(work: &Work<'_>, actor: &Actor, subject: &Subject) -> Result<Subject, Stop> {
    if !matches!(actor, Actor::Staff(_)) || actor.role() != PersonRole::MedicalAffairs {
        return Err(Refused::NotAffairs.into());
    }
    if work.view.find(&state::patient(subject))?.is_none() {
        return Err(Refused::UnknownPatient.into());
    }
    Ok(person::root(work.view, *subject)?)
}

fn write_down(work: &mut Work<'_>, actor: &Actor, root: Subject, act: Act) -> Result<Digest, Fault> {
    audit(work, &Line { subject: Some(root), clause: CLAUSE, ..Line::done(actor.clone(), act) })
}

/// The seal on the record of a patient, or of any that was merged into it.
fn in_force(root: &Subject, view: &View) -> Result<Option<(Digest, kept::Seal)>, Fault> {
    let slots: Vec<_> = person::all_of(view, *root)?.iter().map(state::seal_of).collect();
    view.need(&slots)?;
    for slot in &slots {
        let id = view.get(slot)?.id;
        if !id.is_empty() {
            let id = read_digest(&id)?;
            return Ok(Some((id, view.get(&state::seal(&id))?)));
        }
    }
    Ok(None)
}

/// Whether the record is sealed, for somebody who sees the patient on this ground; without one, for other hospitals.
pub(crate) fn closes(subject: &Subject, ground: Option<Ground>, view: &View) -> Result<bool, Fault> {
    let root = person::root(view, *subject)?;
    Ok(ground != Some(Ground::Reviewer) && in_force(&root, view)?.is_some())
}

/// Whether somebody is named to open a record that is sealed.
pub(crate) fn names(machine: &Machine, actor: &Actor, root: &Subject, view: &View) -> Result<bool, Fault> {
    let Some((_, seal)) = in_force(root, view)? else { return Ok(false) };
    let login = login_tag(&machine.keys.at_rest, actor.login());
    Ok(seal.reviewers.iter().any(|reviewer| reviewer == login.as_bytes()))
}

/// What follows: the record is sealed, and its patient told.
pub(crate) fn apply_sealed(sealed: &kept::RecordSealed, at: i64, view: &mut View) -> Result<(), Fault> {
    let (id, subject) = (read_digest(&sealed.id)?, read_subject(&sealed.subject)?);
    let place = List::sealed().push(&id, view)?;
    let covered = person::all_of(view, subject)?;
    let seal = kept::Seal {
        subject: sealed.subject.clone(),
        login: sealed.login.clone(),
        data: sealed.data.clone(),
        reviewers: sealed.reviewers.clone(),
        at,
        place,
        covers: covered.iter().map(|subject| subject.as_bytes().to_vec()).collect(),
        ..kept::Seal::default()
    };
    view.put(&state::seal(&id), &seal);
    for subject in covered {
        view.put(&state::seal_of(&subject), &kept::SealRef { id: sealed.id.clone() });
    }
    tell(News::Sealed, &subject, &sealed.organisation, at, view)
}

/// What follows from lifting it.
pub(crate) fn apply_lifted(lifted: &kept::SealLifted, at: i64, view: &mut View) -> Result<(), Fault> {
    let id = read_digest(&lifted.id)?;
    let slot = state::seal(&id);
    let mut seal = view.get(&slot)?;
    seal.lifted.clone_from(&lifted.data);
    seal.lifted_at = at;
    view.put(&slot, &seal);
    List::sealed().clear(seal.place, view);
    for subject in &seal.covers {
        let slot = state::seal_of(&read_subject(subject)?);
        // What was sealed by itself before a merge has a seal of its own.
        if view.get(&slot)?.id == lifted.id {
            view.put(&slot, &kept::SealRef::default());
        }
    }
    let patients = patients_under(&seal, view)?;
    patients.iter().try_for_each(|patient| tell(News::SealLifted, patient, &lifted.organisation, at, view))
}

/// The patients whose records are under a seal: more than one if a merge was undone since.
fn patients_under(seal: &kept::Seal, view: &View) -> Result<BTreeSet<Subject>, Fault> {
    seal.covers.iter().map(|subject| person::root(view, read_subject(subject)?)).collect()
}

fn tell(news: News, subject: &Subject, own: &str, at: i64, view: &mut View) -> Result<(), Fault> {
    inform::add(news, subject, &Code::new(own).map_err(|_| damaged())?, at, view)
}

impl Machine {
    /// The seals in force after a place in their list, each with its place: at most a page.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn sealed(&self, after: u64, view: &View) -> Result<Vec<(u64, Sealed)>, Fault> {
        let places = List::sealed().after(after, view)?;
        view.need(&places.iter().map(|(_, id)| state::seal(id)).collect::<Vec<_>>())?;
        let show =
            |(place, id): (u64, Digest)| Ok((place, self.shown_seal(&id, &view.get(&state::seal(&id))?)?));
        places.into_iter().map(show).collect()
    }

    /// Since when the record of a patient is sealed, if it is.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn sealed_since(&self, subject: &Subject, view: &View) -> Result<Option<Timestamp>, Fault> {
        let root = person::root(view, *subject)?;
        in_force(&root, view)?.map(|(_, seal)| time(seal.at)).transpose()
    }

    fn shown_seal(&self, id: &Digest, seal: &kept::Seal) -> Result<Sealed, Fault> {
        let by = self.open_reasoned(id, &seal.data)?;
        let reason = Reason::ALL.iter().find(|reason| **reason as u32 == by.reason).ok_or_else(damaged)?;
        Ok(Sealed {
            subject: read_subject(&seal.subject)?,
            reason: *reason,
            by: said_of(by)?,
            at: time(seal.at)?,
            reviewers: seal.reviewers.len(),
        })
    }
}
