//! Drafts of referrals: what is written before anything is sent. The id of a draft becomes that of its referral.

use yiqiao_proto::codes::PersonRole;
use yiqiao_proto::form::ReferralForm;
use yiqiao_proto::id::{Code, Digest, ReferralId, Subject};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::Timestamp;

use crate::actor::Actor;
use crate::audit::{Act, Line, audit, login_tag};
use crate::list::List;
use crate::machine::{Machine, Outcome, Refused, Stop, Work};
use crate::referral;
use crate::sight::Ground;
use crate::state::kept;
use crate::state::{self, Body, Fault, View, damaged, read_digest, read_referral_id, read_subject};

/// A draft as it is shown.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its id.
    pub id: ReferralId,
    /// The patient.
    pub subject: Subject,
    /// To which member.
    pub to: Code,
    /// What is written so far.
    pub form: Phi<ReferralForm>,
    /// When it was saved.
    pub at: Timestamp,
}

/// Saves a draft; without an id a new one.
pub(crate) fn save(
    work: &mut Work<'_>,
    actor: &Actor,
    id: Option<ReferralId>,
    subject: &Subject,
    to: &Code,
    form: &ReferralForm,
) -> Result<Outcome, Stop> {
    may_write(work, actor, subject)?;
    let writer = login_tag(&work.machine.keys.at_rest, actor.login());
    let id = match id {
        Some(id) => {
            let known = known(work, actor, &id)?;
            if read_digest(&known.writer)? != writer {
                return Err(Refused::NotYours.into());
            }
            id
        }
        None => {
            let id = ReferralId::new(work.entropy.bytes()).ok_or_else(damaged)?;
            // Drawn by chance just now, nothing of it can be stored; a repetition draws another.
            work.view.load(state::draft(&id).key().to_vec(), None);
            id
        }
    };
    form.check().map_err(Refused::Form)?;
    let form = work.machine.keys.at_rest.seal(id.as_bytes(), &form.encode(), work.entropy);
    work.keep(Body::Drafted(kept::Drafted {
        id: id.as_bytes().to_vec(),
        subject: subject.as_bytes().to_vec(),
        to: to.to_string(),
        writer: writer.as_bytes().to_vec(),
        form,
    }))?;
    let line = Line {
        subject: Some(*subject),
        counterpart: Some(to.clone()),
        referral: Some(id),
        ..Line::done(actor.clone(), Act::Draft)
    };
    audit(work, &line)?;
    Ok(Outcome::Drafted(id))
}

/// Throws a draft away.
pub(crate) fn drop(work: &mut Work<'_>, actor: &Actor, id: &ReferralId) -> Result<Outcome, Stop> {
    let known = of_actor(work, actor, id)?;
    gone(work, id, &known)?;
    let line = Line {
        subject: Some(read_subject(&known.subject)?),
        referral: Some(*id),
        ..Line::done(actor.clone(), Act::Draft)
    };
    audit(work, &line)?;
    Ok(Outcome::Done)
}

fn gone(work: &mut Work<'_>, id: &ReferralId, known: &kept::Draft) -> Result<(), Fault> {
    work.keep(Body::Drafted(kept::Drafted {
        id: id.as_bytes().to_vec(),
        writer: known.writer.clone(),
        ..kept::Drafted::default()
    }))
}

/// A draft that the actor may send or throw away: the own one, or the referral office.
pub(crate) fn of_actor(work: &Work<'_>, actor: &Actor, id: &ReferralId) -> Result<kept::Draft, Stop> {
    let known = known(work, actor, id)?;
    let own = login_tag(&work.machine.keys.at_rest, actor.login()).as_bytes().to_vec() == known.writer;
    let staff = matches!(actor, Actor::Staff(_));
    if staff && (own || actor.role() == PersonRole::ReferralOffice) {
        Ok(known)
    } else {
        Err(Refused::NotYours.into())
    }
}

/// Who refers a patient sees the patient, as a physician or for the office.
fn may_write(work: &Work<'_>, actor: &Actor, subject: &Subject) -> Result<(), Stop> {
    if work.view.find(&state::patient(subject))?.is_none() {
        return Err(Refused::UnknownPatient.into());
    }
    let seen = work.machine.may_see(actor, subject, work.now, work.view)?;
    let role = matches!(
        actor.role(),
        PersonRole::Physician | PersonRole::DepartmentHead | PersonRole::ReferralOffice
    );
    let sees = seen.is_ok_and(|ground: Ground| ground.opens_documents() && ground.is_ordinary());
    if role && sees { Ok(()) } else { Err(Refused::NotSeen.into()) }
}

/// A draft that is one still; whoever may see the referral that it has become is told so.
fn known(work: &Work<'_>, actor: &Actor, id: &ReferralId) -> Result<kept::Draft, Stop> {
    if let Some(draft) = find(work.view, id)? {
        return Ok(draft);
    }
    let own = &work.machine.config.organisation;
    let sent = work.view.find(&state::referral(&referral::name(own, id)))?;
    let is_seen = sent.map(|sent| referral::may_look(work.machine, actor, &sent)).transpose()?;
    Err(if is_seen == Some(true) { Refused::SentBefore } else { Refused::UnknownReferral }.into())
}

fn find(view: &View, id: &ReferralId) -> Result<Option<kept::Draft>, Fault> {
    Ok(view.find(&state::draft(id))?.filter(|draft| !draft.form.is_empty()))
}

/// What is written in a draft.
pub(crate) fn form_of(
    machine: &Machine,
    id: &ReferralId,
    draft: &kept::Draft,
) -> Result<ReferralForm, Fault> {
    let plain = machine.keys.at_rest.open(id.as_bytes(), &draft.form).map_err(|_| damaged())?;
    ReferralForm::decode(&plain).map_err(|_| damaged())
}

/// A draft as it now is, or that it is gone.
pub(crate) fn apply(drafted: &kept::Drafted, at: i64, view: &mut View) -> Result<(), Fault> {
    let id = read_referral_id(&drafted.id)?;
    let list = List::drafts(read_digest(&drafted.writer)?);
    let before = view.get(&state::draft(&id))?;
    if drafted.form.is_empty() {
        list.clear(before.place, view);
        view.put(&state::draft(&id), &kept::Draft::default());
        return Ok(());
    }
    let place = if before.place > 0 { before.place } else { list.push(&read_digest(&drafted.id)?, view)? };
    let draft = kept::Draft {
        subject: drafted.subject.clone(),
        to: drafted.to.clone(),
        writer: drafted.writer.clone(),
        form: drafted.form.clone(),
        at,
        place,
    };
    view.put(&state::draft(&id), &draft);
    Ok(())
}

impl Machine {
    /// The drafts of a login after a place in their list, each with its place: at most a page.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn drafts(&self, login: &str, after: u64, view: &View) -> Result<Vec<(u64, Draft)>, Fault> {
        let places = List::drafts(login_tag(&self.keys.at_rest, login)).after(after, view)?;
        let mut slots = Vec::new();
        for (place, name) in places {
            slots.push((place, name, state::draft(&read_referral_id(name.as_bytes())?)));
        }
        view.need(&slots.iter().map(|(_, _, slot)| slot.clone()).collect::<Vec<_>>())?;
        let show = |(place, name, slot): (u64, Digest, state::Slot<kept::Draft>)| {
            Ok((place, self.shown_draft(read_referral_id(name.as_bytes())?, &view.get(&slot)?)?))
        };
        slots.into_iter().map(show).collect()
    }

    /// One draft, if the actor wrote it or is of the referral office.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn draft(&self, actor: &Actor, id: &ReferralId, view: &View) -> Result<Option<Draft>, Fault> {
        let Some(draft) = find(view, id)? else { return Ok(None) };
        let own = login_tag(&self.keys.at_rest, actor.login()).as_bytes().to_vec() == draft.writer;
        let office = actor.role() == PersonRole::ReferralOffice;
        if own || office { self.shown_draft(*id, &draft).map(Some) } else { Ok(None) }
    }

    fn shown_draft(&self, id: ReferralId, draft: &kept::Draft) -> Result<Draft, Fault> {
        Ok(Draft {
            id,
            subject: read_subject(&draft.subject)?,
            to: Code::new(draft.to.as_str()).map_err(|_| damaged())?,
            form: Phi::new(form_of(self, &id, draft)?),
            at: Timestamp::from_unix_ms(draft.at).ok_or_else(damaged)?,
        })
    }
}
