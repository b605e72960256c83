//! Referrals: what people of this hospital do with them, on either side, and what the node does by itself.
//!
//! Each step is kept before it is told, and told in order until the other side has taken it in. Not here: how steps are
//! kept, and what the other side tells: `step`; drafts: `draft`; what is shown: `boxes`.

use yiqiao_consent::InForce;
use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::{AccessAct, MemberRole, PersonRole, Purpose, ReferralAct, RefusalCode, Stance};
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::form::{Body as StepBody, ReferralReply};
use yiqiao_proto::id::{Code, Digest, ReferralId, Subject};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::referral::{ReferralStep, Side, State, StepFacts, after, side_of};
use yiqiao_proto::time::Timestamp;

use crate::actor::Actor;
use crate::audit::{self, Act, Line, audit, login_tag};
use crate::consent;
use crate::draft;
use crate::errand::{self, Next};
use crate::event::{self, Event};
use crate::limits::{BACKOFF_MAX, STEPS_MAX};
use crate::list::List;
use crate::machine::{Effect, Machine, Outcome, Refused, Stop, Work};
use crate::outbox::Pause;
use crate::receive::{self, Asking, Want};
use crate::said;
use crate::sight::Circle;
use crate::state::kept::{self, Referral};
use crate::state::{self, Body, Fault, damaged, read_digest, read_referral_id, read_subject, read_token};
pub(crate) use crate::step::name;
use crate::step::{self, NewStep, other, side};
use crate::tokens;

/// Sends a draft, under the tokens that this node has computed for the patient.
pub(crate) fn send(work: &mut Work<'_>, actor: &Actor, id: &ReferralId) -> Result<Outcome, Stop> {
    let draft = draft::of_actor(work, actor, id)?;
    let subject = read_subject(&draft.subject)?;
    let to = Code::new(draft.to.as_str()).map_err(|_| damaged())?;
    let mut form = draft::form_of(work.machine, id, &draft)?;
    form.tokens = match tokens::of_patient(work, &subject)? {
        Ok(tokens) => tokens,
        Err(ticket) => return Ok(Outcome::Waiting(ticket)),
    };
    form.check_complete().map_err(Refused::Form)?;
    let machine = work.machine;
    let custodian = |member: &yiqiao_proto::member::Member| member.roles.contains(&MemberRole::Custodian);
    let own = &machine.config.organisation;
    if to == *own || !machine.directory.member(&to).is_some_and(custodian) {
        return Err(Refused::NoSuchMember.into());
    }
    let at_rest = &machine.keys.at_rest;
    let department = form.route.from_department.as_ref().map_or("", Code::as_str);
    let circles = [
        Circle::Referral(actor.login()).tag(at_rest),
        Circle::Office.tag(at_rest),
        Circle::ReferralOfDepartment(department).tag(at_rest),
    ];
    let rest = kept::Stepped {
        referring: own.to_string(),
        subject: draft.subject.clone(),
        writer: login_tag(at_rest, actor.login()).as_bytes().to_vec(),
        draft: id.as_bytes().to_vec(),
        circles: crate::apply::tag_bytes(&circles),
        ..kept::Stepped::default()
    };
    let new = Referral {
        referring: own.to_string(),
        id: id.as_bytes().to_vec(),
        receiving: to.to_string(),
        subject: draft.subject,
        tokens: form.tokens.iter().map(state::write_token).collect(),
        ..Referral::default()
    };
    let body = StepBody::Form(Box::new(form));
    take(work, &new, &to, ReferralAct::Send, &body, rest, actor)?;
    Ok(Outcome::Done)
}

/// Takes a step of this side: signed, kept, audited, said, and told from then on.
fn take(
    work: &mut Work<'_>,
    referral: &Referral,
    to: &Code,
    act: ReferralAct,
    body: &StepBody,
    rest: kept::Stepped,
    actor: &Actor,
) -> Result<(), Stop> {
    let machine = work.machine;
    let key = machine.directory.sealing_key(to).ok_or(Refused::NoSuchMember)?;
    let id = read_referral_id(&referral.id)?;
    let number = u32::try_from(referral.own.len() + 1).map_err(|_| damaged())?;
    let facts = StepFacts {
        referral: id,
        number,
        previous: referral.own.last().map(|step| read_digest(&step.payload)).transpose()?,
        seen: u32::try_from(referral.theirs.len()).map_err(|_| damaged())?,
        from: machine.config.organisation.clone(),
        to: to.clone(),
        act,
        at: work.now,
        sealing_key: key.id(),
    };
    let sealed = ReferralStep::seal(facts, &body.encode(), &key.public_key, work.entropy);
    let word = sealed.map_err(|_| Refused::NoSuchMember)?;
    let envelope = Envelope::sign(machine.directory.region(), &word, machine.signing_key());
    let referring = Code::new(referral.referring.as_str()).map_err(|_| damaged())?;
    let name = name(&referring, &id);
    step::keep(work, NewStep { name, own: true, number, envelope: &envelope, body, rest })?;
    let line = Line {
        subject: audit::optional(&referral.subject, read_subject)?,
        counterpart: Some(to.clone()),
        referral: Some(id),
        clause: "R-3",
        ..Line::done(actor.clone(), Act::Step)
    };
    let audit_line = Some(audit(work, &line)?);
    let patient = read_token(referral.tokens.first().ok_or_else(damaged)?)?;
    event::say(
        work,
        Event {
            counterpart: Some(to.clone()),
            role: actor.role(),
            referral: Some(id),
            audit_line,
            ..Event::done(AccessAct::ReferralStep, patient, "R-3")
        },
    )?;
    told_at_once(work, &name)
}

/// The errand of a referral is looked at at once.
fn told_at_once(work: &mut Work<'_>, name: &Digest) -> Result<(), Stop> {
    let place = work.view.get(&state::referral(name))?.errand;
    if place > 0 {
        errand::again(work, place, Pause::default());
    }
    Ok(())
}

/// A send was taken in: the node says so, and asks for the documents that the other side wants to be seen.
pub(crate) fn receive(work: &mut Work<'_>, name: &Digest, referring: &Code) -> Result<(), Stop> {
    let referral = work.view.get(&state::referral(name))?;
    let body = StepBody::Reply(Phi::default());
    let rest = kept::Stepped { referring: referring.to_string(), ..kept::Stepped::default() };
    // A member whose key is not known yet is told later, with the first step that a person takes.
    if work.machine.directory.sealing_key(referring).is_some() {
        take(work, &referral, referring, ReferralAct::Receive, &body, rest, &Actor::Node)?;
    }
    fetch(work, name, &referral, false)
}

/// Asks for the documents of a referral: those that are here, or are being asked for, stay as they are.
fn fetch(work: &mut Work<'_>, name: &Digest, referral: &Referral, treating: bool) -> Result<(), Stop> {
    let (want, asking) = listed(work, name, referral, treating)?;
    receive::want_all(work, &want, &asking)
}

/// The documents of a referral, and as what they are asked for.
fn listed(
    work: &Work<'_>,
    name: &Digest,
    referral: &Referral,
    treating: bool,
) -> Result<(Want, Asking), Fault> {
    let form = step::form(work.machine, name, referral, work.view)?;
    let referring = Code::new(referral.referring.as_str()).map_err(|_| damaged())?;
    let want = Want {
        actor: Actor::Node,
        subject: audit::optional(&referral.subject, read_subject)?,
        referral: Some((referring, read_referral_id(&referral.id)?)),
        documents: form.documents,
        purpose: Purpose::Treatment,
        treating,
    };
    let department = form.route.to_department;
    Ok((want, Asking { role: PersonRole::ReferralOffice, department, break_glass: None }))
}

/// What is in force for a token has changed: of the referrals that were sent under it and are not over, the newest page, the
/// last step is told once more where the other side is permitted something now. It is not told of consent itself before a
/// document is let go to it (F-4), and a step that comes again counts once.
pub(crate) fn consent_changed(work: &mut Work<'_>, token: &Digest) -> Result<(), Stop> {
    let sent = List::sent_under(*token).before(None, work.view)?;
    work.view.need(&sent.iter().map(|(_, name)| state::referral(name)).collect::<Vec<_>>())?;
    for (_, name) in sent {
        let referral = work.view.get(&state::referral(&name))?;
        let is_told = referral.told as usize == referral.own.len() && referral.code == 0;
        if is_told && !step::state(&referral)?.is_final() && is_permitted(work, &referral)? {
            let (referral, told) = (name.as_bytes().to_vec(), referral.told.saturating_sub(1));
            work.keep(Body::StepsTold(kept::StepsTold { referral, told, ..kept::StepsTold::default() }))?;
            told_at_once(work, &name)?;
        }
    }
    Ok(())
}

/// Whether a permit in force may let the other side of a referral have something.
fn is_permitted(work: &Work<'_>, referral: &Referral) -> Result<bool, Fault> {
    let to = other(referral)?;
    let tokens = referral.tokens.iter().map(read_token).collect::<Result<Vec<_>, _>>()?;
    let known = consent::records(work.machine, work.view, &tokens, Timestamp::MIN)?;
    let permits = |act: &InForce| {
        let named = act.directive.grantee.organisation.as_ref();
        act.directive.stance == Stance::Permit && named.is_none_or(|named| *named == to)
    };
    let mut known = known.iter().filter_map(|(_, known)| known.as_ref());
    Ok(known.any(|known| known.record.in_force().iter().any(permits)))
}

/// The referring side tells a step again that was taken in: what was refused before may be permitted by now.
pub(crate) fn told_again(work: &mut Work<'_>, name: &Digest, referral: &Referral) -> Result<(), Stop> {
    let state = step::state(referral)?;
    if side(referral)? != Side::Receiving || state.is_final() {
        return Ok(());
    }
    let (want, asking) = listed(work, name, referral, is_accepted(state))?;
    let documents = receive::denied(work, &want, &other(referral)?)?;
    if documents.is_empty() {
        return Ok(());
    }
    receive::want_all(work, &Want { documents, ..want }, &asking)
}

/// Somebody takes a step.
pub(crate) fn act(
    work: &mut Work<'_>,
    actor: &Actor,
    referring: &Code,
    id: &ReferralId,
    act: ReferralAct,
    reply: &Phi<ReferralReply>,
    seen: Option<u32>,
) -> Result<Outcome, Stop> {
    let (name, referral) = find(work, referring, id)?;
    may_act(work.machine, actor, &referral, act)?;
    if seen.is_some_and(|seen| seen as usize != referral.own.len() + referral.theirs.len()) {
        return Err(Refused::Changed.into());
    }
    let by_people = !matches!(act, ReferralAct::Send | ReferralAct::Receive);
    let next = after(step::state(&referral)?, act);
    if !by_people || side_of(act) != side(&referral)? || next.is_none() {
        return Err(Refused::NotThere.into());
    }
    if referral.own.len() >= STEPS_MAX as usize {
        return Err(Refused::TooManySteps.into());
    }
    reply.expose().check().map_err(Refused::Form)?;
    let rest = kept::Stepped {
        referring: referring.to_string(),
        circles: circles(work.machine, &referral, Some(act), None)?,
        ..kept::Stepped::default()
    };
    let to = other(&referral)?;
    take(work, &referral, &to, act, &StepBody::Reply(reply.clone()), rest, actor)?;
    if act == ReferralAct::Accept {
        // What was refused before the hospital took the patient may be let go now (D-7).
        fetch(work, &name, &referral, true)?;
    }
    Ok(Outcome::Done)
}

/// The circles in which a referral puts its patient, once filed, and after one more act.
pub(crate) fn circles(
    machine: &Machine,
    referral: &Referral,
    act: Option<ReferralAct>,
    login: Option<&str>,
) -> Result<Vec<Vec<u8>>, Fault> {
    let at_rest = &machine.keys.at_rest;
    if side(referral)? == Side::Referring {
        return Ok(Vec::new());
    }
    let department = referral.to_department.as_str();
    let mut circles = vec![Circle::Office, Circle::ReferralOfDepartment(department)];
    let now = step::state(referral)?;
    let state = act.and_then(|act| after(now, act)).unwrap_or(now);
    if is_accepted(state) && !department.is_empty() {
        circles.push(Circle::Accepted(department));
    }
    circles.extend(login.map(Circle::Referral));
    Ok(crate::apply::tag_bytes(&circles.iter().map(|circle| circle.tag(at_rest)).collect::<Vec<_>>()))
}

const fn is_accepted(state: State) -> bool {
    match state {
        State::Accepted
        | State::Booked
        | State::Arrived
        | State::InCare
        | State::Answered
        | State::Closed => true,
        State::Sent
        | State::Received
        | State::Declined
        | State::Redirected
        | State::Cancelled
        | State::Expired => false,
    }
}

/// Staff confirm who the patient is: filed under the own number, the copies open to who sees the patient (R-6, I-4).
pub(crate) fn file(
    work: &mut Work<'_>,
    actor: &Actor,
    referring: &Code,
    id: &ReferralId,
    subject: &Subject,
    confirmed: bool,
) -> Result<Outcome, Stop> {
    let (name, referral) = find(work, referring, id)?;
    may_act(work.machine, actor, &referral, ReferralAct::Arrive)?;
    let over = matches!(
        step::state(&referral)?,
        State::Declined | State::Redirected | State::Cancelled | State::Expired
    );
    if side(&referral)? != Side::Receiving || over {
        return Err(Refused::NotThere.into());
    }
    if !referral.subject.is_empty() {
        let same = referral.subject == subject.as_bytes();
        return if same { Ok(Outcome::Done) } else { Err(Refused::FiledBefore.into()) };
    }
    let own = match tokens::of_patient(work, subject)? {
        Ok(tokens) => tokens,
        Err(ticket) => return Ok(Outcome::Waiting(ticket)),
    };
    let told = referral.tokens.iter().map(read_token).collect::<Result<Vec<_>, _>>()?;
    if !confirmed && !told.iter().any(|token| own.contains(token)) {
        return Ok(Outcome::Doubtful);
    }
    let login = assigned_login(work.machine, &name, &referral)?;
    let circles = circles(work.machine, &referral, None, login.as_deref())?;
    let (referral, filed) = (name.as_bytes().to_vec(), subject.as_bytes().to_vec());
    work.keep(Body::Filed(kept::Filed { referral, subject: filed, circles }))?;
    audit(work, &line(actor, Act::File, Some(*subject), referring, id))?;
    Ok(Outcome::Done)
}

/// A referral is given to somebody, who sees its patient from then on.
pub(crate) fn assign(
    work: &mut Work<'_>,
    actor: &Actor,
    referring: &Code,
    id: &ReferralId,
    login: &str,
    department: Option<&Code>,
) -> Result<Outcome, Stop> {
    let (name, mut referral) = find(work, referring, id)?;
    may_act(work.machine, actor, &referral, ReferralAct::Accept)?;
    if side(&referral)? != Side::Receiving || login.is_empty() {
        return Err(Refused::NotThere.into());
    }
    let department = department.filter(|_| referral.to_department.is_empty()).map(Code::to_string);
    let department = department.unwrap_or_default();
    if !department.is_empty() {
        referral.to_department.clone_from(&department);
    }
    let machine = work.machine;
    let at_rest = &machine.keys.at_rest;
    let sealed = at_rest.seal(name.as_bytes(), login.as_bytes(), work.entropy);
    work.keep(Body::Assigned(kept::Assigned {
        referral: name.as_bytes().to_vec(),
        actor: login_tag(at_rest, login).as_bytes().to_vec(),
        login: sealed,
        circles: circles(machine, &referral, None, Some(login))?,
        department,
    }))?;
    let subject = audit::optional(&referral.subject, read_subject)?;
    audit(work, &line(actor, Act::Assign, subject, referring, id))?;
    Ok(Outcome::Done)
}

pub(crate) fn assigned_login(
    machine: &Machine,
    name: &Digest,
    referral: &Referral,
) -> Result<Option<String>, Fault> {
    if referral.assigned_login.is_empty() {
        return Ok(None);
    }
    let plain = machine.keys.at_rest.open(name.as_bytes(), &referral.assigned_login);
    let plain = plain.map_err(|_| damaged())?;
    String::from_utf8(plain.to_vec()).map(Some).map_err(|_| damaged())
}

fn line(actor: &Actor, act: Act, subject: Option<Subject>, referring: &Code, id: &ReferralId) -> Line {
    let (counterpart, referral) = (Some(referring.clone()), Some(*id));
    Line { subject, counterpart, referral, ..Line::done(actor.clone(), act) }
}

fn find(work: &Work<'_>, referring: &Code, id: &ReferralId) -> Result<(Digest, Referral), Stop> {
    let name = name(referring, id);
    let found = work.view.find(&state::referral(&name))?;
    Ok((name, found.ok_or(Refused::UnknownReferral)?))
}

/// The office; who wrote it or has been given it; physicians of the department that it is from or to; and the desk, for
/// arrivals.
fn may_act(machine: &Machine, actor: &Actor, referral: &Referral, act: ReferralAct) -> Result<(), Stop> {
    if may_look(machine, actor, referral)? {
        return Ok(());
    }
    let desk = actor.role() == PersonRole::Desk && act == ReferralAct::Arrive;
    if desk { Ok(()) } else { Err(Refused::NotYours.into()) }
}

/// Who may see a referral itself. A system may, within its scopes, which the service in front keeps.
pub(crate) fn may_look(machine: &Machine, actor: &Actor, referral: &Referral) -> Result<bool, Fault> {
    let staff = match actor {
        Actor::Staff(staff) => staff,
        Actor::System(_) => return Ok(true),
        Actor::Patient { .. } | Actor::Node => return Ok(false),
    };
    let (department, person) = match side(referral)? {
        Side::Referring => (&referral.from_department, &referral.writer),
        Side::Receiving => (&referral.to_department, &referral.assigned),
    };
    let own = login_tag(&machine.keys.at_rest, &staff.login).as_bytes().to_vec() == *person;
    let of_department = staff.departments.iter().any(|known| known.as_str() == department);
    Ok(match staff.role {
        PersonRole::ReferralOffice => true,
        PersonRole::Physician | PersonRole::DepartmentHead => own || of_department,
        PersonRole::Nurse
        | PersonRole::Pharmacist
        | PersonRole::Technician
        | PersonRole::Desk
        | PersonRole::Patient
        | PersonRole::Guardian
        | PersonRole::MedicalAffairs
        | PersonRole::System => false,
    })
}

/// What is next for a referral: the oldest step that the other side has not taken in, or the end of waiting.
pub(crate) fn look(work: &mut Work<'_>, name: &Digest) -> Result<Next, Stop> {
    let referral = work.view.get(&state::referral(name))?;
    if (referral.told as usize) < referral.own.len() && referral.code == 0 {
        return tell(work, name, &referral);
    }
    let Some(until) = referral.answer_until.and_then(Timestamp::from_unix_ms) else { return Ok(Next::Rest) };
    if side(&referral)? != Side::Referring || !step::is_unanswered(&referral)? {
        return Ok(Next::Rest);
    }
    if work.now < until {
        return Ok(Next::At(until));
    }
    let to = other(&referral)?;
    if work.machine.directory.sealing_key(&to).is_none() {
        return Ok(Next::At(work.now + BACKOFF_MAX));
    }
    let rest = kept::Stepped { referring: referral.referring.clone(), ..kept::Stepped::default() };
    let body = StepBody::Reply(Phi::default());
    match take(work, &referral, &to, ReferralAct::Expire, &body, rest, &Actor::Node) {
        Ok(()) => Ok(Next::At(work.now)),
        // Nothing can be sealed to the other side's key: all else that is due goes on.
        Err(Stop::Refused(_)) => Ok(Next::At(work.now + BACKOFF_MAX)),
        Err(fault) => Err(fault),
    }
}

fn tell(work: &Work<'_>, name: &Digest, referral: &Referral) -> Result<Next, Stop> {
    let member = other(referral)?;
    if work.machine.directory.member(&member).is_none_or(|member| member.suspended) {
        return Ok(Next::At(work.now + BACKOFF_MAX));
    }
    let kept = work.view.get(&state::step(name, true, referral.told + 1))?;
    let step = said::current(work.machine, &kept.envelope).ok_or_else(damaged)?;
    let to = member.clone();
    Ok(Next::Call(member, Box::new(|ticket| Effect::TellStep { ticket, member: to, step })))
}

/// The other side has taken in a step.
pub(crate) fn told(work: &mut Work<'_>, ticket: u64) -> Result<Outcome, Stop> {
    let Some(errand) = errand::landed(work, ticket)? else { return Ok(Outcome::Done) };
    if errand.referral.is_empty() {
        return Ok(Outcome::Done);
    }
    let referral = work.view.get(&state::referral(&read_digest(&errand.referral)?))?;
    let told = referral.told + 1;
    work.keep(Body::StepsTold(kept::StepsTold {
        referral: errand.referral,
        told,
        ..kept::StepsTold::default()
    }))?;
    Ok(Outcome::Done)
}

/// The other side refused a step. One that lacks earlier steps is told all again, which counts once.
pub(crate) fn refused(work: &mut Work<'_>, name: &Digest, refusal: &Refusal) -> Result<(), Stop> {
    let kept = work.view.get(&state::referral(name))?;
    let (referral, told) = (name.as_bytes().to_vec(), kept.told);
    let lacks = refusal.code == RefusalCode::OutOfOrder && told > 0;
    let stuck = kept::StepsTold {
        referral,
        told: if lacks { 0 } else { told },
        code: if lacks { 0 } else { refusal.code.number() },
        clause: if lacks { String::new() } else { refusal.clause.to_owned() },
    };
    let waits = match refusal.code {
        RefusalCode::NotMember | RefusalCode::BadSignature | RefusalCode::Busy | RefusalCode::Failed => true,
        RefusalCode::Malformed
        | RefusalCode::Conflict
        | RefusalCode::OutOfOrder
        | RefusalCode::OverLimit
        | RefusalCode::Nothing
        | RefusalCode::Stale
        | RefusalCode::Stopped => refusal.retry_after.is_some(),
    };
    if !waits {
        work.keep(Body::StepsTold(stuck))?;
    }
    Ok(())
}
