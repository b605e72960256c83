//! Steps of referrals as they are kept: this side's and the other side's, each without gaps.
//!
//! Not here: who may take which step, and what else follows: `referral`.

use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::{ReferralAct, RefusalCode};
use yiqiao_proto::envelope::{Envelope, Verified, Word};
use yiqiao_proto::form::{self, ReferralForm};
use yiqiao_proto::hash;
use yiqiao_proto::id::{Code, Digest, ReferralId};
use yiqiao_proto::limits;
use yiqiao_proto::referral::{Done, ReferralStep, Side, State, StepFacts, side_of, state_of};
use yiqiao_proto::time::{Millis, Timestamp};

use crate::errand;
use crate::limits::{OPEN_REFERRALS_MAX, STEPS_MAX};
use crate::list::List;
use crate::machine::{Machine, Outcome, Stop, Work};
use crate::outgoing;
use crate::referral;
use crate::sight;
use crate::state::kept::{self, Referral, StepDone};
use crate::state::{
    self, Body, Fault, View, damaged, read_digest, read_referral_id, read_subject, read_token, write_token,
};

/// What a referral is called here: it is named by its referring member and its id together.
pub(crate) fn name(referring: &Code, id: &ReferralId) -> Digest {
    hash::sha256("yiqiao/node/referral/1", &[referring.as_str().as_bytes(), id.as_bytes()])
}

/// Where a referral stands, by the steps that are known here.
pub(crate) fn state(referral: &Referral) -> Result<State, Fault> {
    let done = |steps: &[StepDone]| steps.iter().map(read_done).collect::<Result<Vec<_>, _>>();
    let (own, theirs) = (done(&referral.own)?, done(&referral.theirs)?);
    Ok(if side(referral)? == Side::Referring { state_of(&own, &theirs) } else { state_of(&theirs, &own) })
}

fn read_done(step: &StepDone) -> Result<Done, Fault> {
    Ok(Done { act: act_of(step)?, seen: step.seen })
}

pub(crate) fn act_of(step: &StepDone) -> Result<ReferralAct, Fault> {
    ReferralAct::try_from(step.act).map_err(|_| damaged())
}

/// The side that this hospital is on: who has sent is the referring one.
pub(crate) fn side(referral: &Referral) -> Result<Side, Fault> {
    match referral.own.first().map(act_of).transpose()? {
        Some(ReferralAct::Send) => Ok(Side::Referring),
        Some(_) | None => Ok(Side::Receiving),
    }
}

/// The other side.
pub(crate) fn other(referral: &Referral) -> Result<Code, Fault> {
    let other = if side(referral)? == Side::Referring { &referral.receiving } else { &referral.referring };
    Code::new(other.as_str()).map_err(|_| damaged())
}

/// What a step's body is encrypted for.
fn context(name: &Digest, own: bool, number: u32) -> Vec<u8> {
    [name.as_bytes().as_slice(), &[u8::from(own)], &number.to_be_bytes()].concat()
}

/// The body of a step that is kept.
pub(crate) fn body(
    machine: &Machine,
    name: &Digest,
    own: bool,
    number: u32,
    view: &View,
) -> Result<form::Body, Fault> {
    let step = view.get(&state::step(name, own, number))?;
    let envelope = Envelope::decode(&step.envelope).map_err(|_| damaged())?;
    let act = ReferralStep::decode(envelope.payload()).map_err(|_| damaged())?.facts.act;
    let plain = machine.keys.at_rest.open(&context(name, own, number), &step.body).map_err(|_| damaged())?;
    form::Body::decode(act, &plain).map_err(|_| damaged())
}

/// The form of a referral: the body of its first step.
pub(crate) fn form(
    machine: &Machine,
    name: &Digest,
    referral: &Referral,
    view: &View,
) -> Result<Box<ReferralForm>, Fault> {
    let own = side(referral)? == Side::Referring;
    match body(machine, name, own, 1, view)? {
        form::Body::Form(form) => Ok(form),
        form::Body::Reply(_) => Err(damaged()),
    }
}

/// A step that is to be kept.
pub(crate) struct NewStep<'a> {
    pub(crate) name: Digest,
    pub(crate) own: bool,
    pub(crate) number: u32,
    pub(crate) envelope: &'a Envelope,
    pub(crate) body: &'a form::Body,
    pub(crate) rest: kept::Stepped,
}

/// Keeps a step with its body.
pub(crate) fn keep(work: &mut Work<'_>, step: NewStep<'_>) -> Result<(), Fault> {
    let context = context(&step.name, step.own, step.number);
    let body = work.machine.keys.at_rest.seal(&context, &step.body.encode(), work.entropy);
    let mut stepped =
        kept::Stepped { own: step.own, envelope: step.envelope.as_bytes().to_vec(), body, ..step.rest };
    if let form::Body::Form(form) = step.body {
        stepped.tokens = form.tokens.iter().map(write_token).collect();
        stepped.answer_until = form.answer_until.map(Timestamp::unix_ms);
        let code = |code: Option<&Code>| code.map(Code::to_string).unwrap_or_default();
        stepped.from_department = code(form.route.from_department.as_ref());
        stepped.to_department = code(form.route.to_department.as_ref());
    }
    work.keep(Body::Stepped(stepped))
}

/// The other side tells a step.
pub(crate) fn told(work: &mut Work<'_>, step: &Verified<ReferralStep>) -> Result<Outcome, Stop> {
    match take(work, step) {
        Ok(()) => Ok(Outcome::Done),
        Err(Taken::Refused(refusal)) => Ok(Outcome::Refused(refusal)),
        Err(Taken::Stop(stop)) => Err(stop),
    }
}

/// What ends the taking in of a step before its end.
enum Taken {
    Refused(Refusal),
    Stop(Stop),
}

impl<T: Into<Stop>> From<T> for Taken {
    fn from(stop: T) -> Self {
        Self::Stop(stop.into())
    }
}

const fn refuse(code: RefusalCode, clause: &'static str) -> Taken {
    Taken::Refused(Refusal { code, clause, retry_after: None })
}

fn take(work: &mut Work<'_>, step: &Verified<ReferralStep>) -> Result<(), Taken> {
    let facts = &step.word().facts;
    let own = &work.machine.config.organisation;
    if facts.to != *own || facts.from != *step.signer() {
        return Err(refuse(RefusalCode::BadSignature, "E-7"));
    }
    let referring = if side_of(facts.act) == Side::Referring { &facts.from } else { own };
    let (referring, name) = (referring.clone(), name(referring, &facts.referral));
    let known = work.view.find(&state::referral(&name))?;
    let payload = step.envelope().payload_hash();
    match &known {
        Some(known) => {
            if follows(known, facts, &payload)? == Follows::Known {
                return Ok(referral::told_again(work, &name, known)?);
            }
        }
        None => begins(work, facts)?,
    }
    let body = open(work, step)?;
    let circles = match &known {
        Some(known) => referral::circles(work.machine, known, Some(facts.act), None)?,
        None => Vec::new(),
    };
    let rest = kept::Stepped { referring: referring.to_string(), circles, ..kept::Stepped::default() };
    let (number, envelope) = (facts.number, step.envelope());
    keep(work, NewStep { name, own: false, number, envelope, body: &body, rest })?;
    if facts.act == ReferralAct::Send {
        referral::receive(work, &name, &referring)?;
    }
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Follows {
    /// It was taken in before.
    Known,
    /// It is the next one.
    Next,
}

/// R-5, and without gaps.
fn follows(known: &Referral, facts: &StepFacts, payload: &Digest) -> Result<Follows, Taken> {
    if other(known)? != facts.from {
        return Err(refuse(RefusalCode::Nothing, "R-1"));
    }
    let at = facts.number as usize - 1;
    if let Some(before) = known.theirs.get(at) {
        let same = before.payload == payload.as_bytes();
        return if same { Ok(Follows::Known) } else { Err(refuse(RefusalCode::Conflict, "R-5")) };
    }
    if at > known.theirs.len() {
        return Err(refuse(RefusalCode::OutOfOrder, "R-4"));
    }
    // It has seen steps that this side has never taken: one of the two has lost its past.
    if facts.seen as usize > known.own.len() {
        return Err(refuse(RefusalCode::Conflict, "R-4"));
    }
    let previous = known.theirs.last().map(|step| read_digest(&step.payload)).transpose()?;
    if previous != facts.previous {
        return Err(refuse(RefusalCode::Conflict, "R-5"));
    }
    let room = facts.number <= STEPS_MAX;
    if room { Ok(Follows::Next) } else { Err(refuse(RefusalCode::OverLimit, "R-3")) }
}

/// Only a send begins a referral, and one member may not fill the inbox.
fn begins(work: &Work<'_>, facts: &StepFacts) -> Result<(), Taken> {
    if facts.act != ReferralAct::Send {
        return Err(refuse(RefusalCode::OutOfOrder, "R-4"));
    }
    if List::open_from(&facts.from).len(work.view)? >= OPEN_REFERRALS_MAX {
        let retry_after = Some(Millis::from_secs(3600));
        return Err(Taken::Refused(Refusal { code: RefusalCode::OverLimit, clause: "R-1", retry_after }));
    }
    Ok(())
}

///
fn open(work: &Work<'_>, step: &Verified<ReferralStep>) -> Result<form::Body, Taken> {
    let facts = &step.word().facts;
    let secret = work.machine.sealing_secret(facts.sealing_key);
    let secret = secret.ok_or_else(|| refuse(RefusalCode::BadSignature, "M-4"))?;
    let plain = step.word().open(secret);
    let plain = plain.map_err(|_| refuse(RefusalCode::Malformed, "R-2"))?;
    form::Body::decode(facts.act, &plain).map_err(|_| refuse(RefusalCode::Malformed, "R-6"))
}

/// What follows from a step.
pub(crate) fn apply(stepped: &kept::Stepped, at: i64, view: &mut View) -> Result<(), Fault> {
    let envelope = Envelope::decode(&stepped.envelope).map_err(|_| damaged())?;
    let facts = ReferralStep::decode(envelope.payload()).map_err(|_| damaged())?.facts;
    let referring = Code::new(stepped.referring.as_str()).map_err(|_| damaged())?;
    let name = name(&referring, &facts.referral);
    let slot = state::referral(&name);
    let known = view.find(&slot)?;
    let open_before = known.as_ref().map(is_unanswered).transpose()?.unwrap_or(false);
    let mut referral = match known {
        Some(known) => known,
        None => begin(&name, stepped, &facts, view)?,
    };
    let done = StepDone {
        act: facts.act.number(),
        seen: facts.seen,
        at: facts.at.unix_ms(),
        payload: envelope.payload_hash().as_bytes().to_vec(),
    };
    if stepped.own {
        referral.own.push(done);
    } else {
        referral.theirs.push(done);
    }
    let step = kept::Step { envelope: stepped.envelope.clone(), body: stepped.body.clone() };
    view.put(&state::step(&name, stepped.own, facts.number), &step);
    if !referral.subject.is_empty() {
        sight::apply_referral(&read_subject(&referral.subject)?, &stepped.circles, view)?;
    }
    let open_now = is_unanswered(&referral)?;
    if side(&referral)? == Side::Receiving && open_before != open_now {
        List::open_from(&referring).count(open_now, view)?;
    }
    if !stepped.own {
        outgoing::add_step(&referral, &referring, &facts, at, view)?;
    }
    put(&name, referral, view)
}

/// A referral that begins with this send.
fn begin(
    name: &Digest,
    stepped: &kept::Stepped,
    facts: &StepFacts,
    view: &mut View,
) -> Result<Referral, Fault> {
    let list = if stepped.own { List::sent() } else { List::inbox() };
    list.push(name, view)?;
    if !stepped.subject.is_empty() {
        List::referrals_of_subject(&read_subject(&stepped.subject)?).push(name, view)?;
    }
    if stepped.own {
        for token in &stepped.tokens {
            List::sent_under(read_token(token)?.value).push(name, view)?;
        }
    }
    if !stepped.draft.is_empty() {
        let id = read_referral_id(&stepped.draft)?;
        let draft = view.get(&state::draft(&id))?;
        List::drafts(read_digest(&draft.writer)?).clear(draft.place, view);
        view.put(&state::draft(&id), &kept::Draft::default());
    }
    Ok(Referral {
        referring: stepped.referring.clone(),
        id: facts.referral.as_bytes().to_vec(),
        receiving: facts.to.to_string(),
        subject: stepped.subject.clone(),
        tokens: stepped.tokens.clone(),
        answer_until: stepped.answer_until,
        from_department: stepped.from_department.clone(),
        to_department: stepped.to_department.clone(),
        writer: stepped.writer.clone(),
        ..Referral::default()
    })
}

/// Whether nobody of the receiving side has decided about it.
pub(crate) fn is_unanswered(referral: &Referral) -> Result<bool, Fault> {
    Ok(matches!(state(referral)?, State::Sent | State::Received))
}

/// What follows from the other side's having taken in steps, or refusing one.
pub(crate) fn apply_told(told: &kept::StepsTold, view: &mut View) -> Result<(), Fault> {
    let name = read_digest(&told.referral)?;
    let mut referral = view.get(&state::referral(&name))?;
    (referral.told, referral.code) = (told.told, told.code);
    referral.clause.clone_from(&told.clause);
    put(&name, referral, view)
}

/// What follows from knowing who the patient is.
pub(crate) fn apply_filed(filed: &kept::Filed, at: i64, view: &mut View) -> Result<(), Fault> {
    let (name, subject) = (read_digest(&filed.referral)?, read_subject(&filed.subject)?);
    let mut referral = view.get(&state::referral(&name))?;
    referral.subject.clone_from(&filed.subject);
    List::referrals_of_subject(&subject).push(&name, view)?;
    sight::apply_referral(&subject, &filed.circles, view)?;
    // A form lists no more documents than a page has.
    const { assert!(limits::FORM_DOCUMENTS_MAX as u64 <= crate::limits::PAGE_MAX) };
    for (_, copy) in List::copies_of_referral(name).after(0, view)? {
        crate::copy::file(&copy, &filed.subject, at, view)?;
    }
    put(&name, referral, view)
}

/// What follows from giving a referral to somebody.
pub(crate) fn apply_assigned(assigned: &kept::Assigned, view: &mut View) -> Result<(), Fault> {
    let name = read_digest(&assigned.referral)?;
    let mut referral = view.get(&state::referral(&name))?;
    referral.assigned.clone_from(&assigned.actor);
    referral.assigned_login.clone_from(&assigned.login);
    if !assigned.department.is_empty() {
        referral.to_department.clone_from(&assigned.department);
    }
    if !referral.subject.is_empty() {
        sight::apply_referral(&read_subject(&referral.subject)?, &assigned.circles, view)?;
    }
    put(&name, referral, view)
}

/// An errand as long as something is to be told, or an answer is waited for until a time.
fn put(name: &Digest, mut referral: Referral, view: &mut View) -> Result<(), Fault> {
    let untold = (referral.told as usize) < referral.own.len() && referral.code == 0;
    let waits =
        side(&referral)? == Side::Referring && referral.answer_until.is_some() && is_unanswered(&referral)?;
    let errand = kept::Errand { copy: Vec::new(), referral: name.as_bytes().to_vec() };
    referral.errand = errand::settle(referral.errand, untold || waits, &errand, view)?;
    view.put(&state::referral(name), &referral);
    Ok(())
}
