//! Breaking the glass (D-8, D-11): who has nothing to do with a patient looks all the same, or asks other hospitals without consent, because
//! of an emergency: with a reason, for a few hours, told to the patient, and judged by somebody else.
//!
//! Not here: what an emergency opens, which `yiqiao_consent` decides for each document, asked by `open`, `desk` and `receive`.

use prost::Message;
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::calls::LoggedEvent;
use yiqiao_proto::codes::{AccessAct, AccessOutcome, PersonRole, Purpose};
use yiqiao_proto::envelope::{Envelope, Word};
use yiqiao_proto::id::{Code, Digest, Subject};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::release::{PullRequest, Release};
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_proto::token::Token;

use crate::actor::{Actor, Staff};
use crate::audit::{Act, Line, audit, login_tag};
use crate::event::{self, Event};
use crate::inform::{self, News};
use crate::limits::REASON_CHARS_MAX;
use crate::list::List;
use crate::machine::{Machine, Outcome, Refused, Stop, Work};
use crate::person;
use crate::said;
use crate::sight::Ground;
use crate::state::kept::{self, Reasoned};
use crate::state::{self, Body, Fault, View, damaged, read_digest, read_subject};
use crate::tokens;

/// How long things take, as the hospital has decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spans {
    /// For how long the glass stays broken.
    pub lasts: Millis,
    /// Within which time somebody else is to judge.
    pub judged_within: Millis,
}

impl Default for Spans {
    fn default() -> Self {
        Self { lasts: Millis::from_secs(4 * 3600), judged_within: Millis::from_secs(72 * 3600) }
    }
}

/// Why the glass is broken. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The patient is unconscious.
    Unconscious = 1,
    /// Life is in danger.
    LifeInDanger = 2,
    /// The patient cannot consent, and nobody who could is to be found.
    CannotConsent = 3,
    /// Many are hurt or ill at once.
    ManyHurt = 4,
}

impl Reason {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::Unconscious, Self::LifeInDanger, Self::CannotConsent, Self::ManyHurt];
}

/// What to think of it. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was right.
    Justified = 1,
    /// It was wrong.
    Unjustified = 2,
    /// It has to be talked about first: it still waits.
    Talk = 3,
}

impl Verdict {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Justified, Self::Unjustified, Self::Talk];
}

/// Somebody breaks the glass.
#[derive(Clone, Debug)]
pub struct Breaking {
    /// Who.
    pub actor: Actor,
    /// Over which patient.
    pub subject: Subject,
    /// Why.
    pub reason: Reason,
    /// In words.
    pub text: Phi<String>,
}

/// Somebody says what to think of it.
#[derive(Clone, Debug)]
pub struct Judging {
    /// Who.
    pub actor: Actor,
    /// Of which.
    pub id: Digest,
    /// What.
    pub verdict: Verdict,
    /// In words.
    pub text: Phi<String>,
}

/// Who gave a reason, and in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The login.
    pub login: String,
    /// The name.
    pub name: Phi<String>,
    /// The role acted in.
    pub role: PersonRole,
    /// The department acted in.
    pub department: Option<Code>,
    /// In words.
    pub text: Phi<String>,
}

/// That the glass was broken, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// By which it is named: what events say of the line of the audit.
    pub id: Digest,
    /// Over which patient.
    pub subject: Subject,
    /// Who broke it.
    pub by: Said,
    /// Why.
    pub reason: Reason,
    /// When.
    pub at: Timestamp,
    /// Until when it is broken.
    pub until: Timestamp,
    /// Until when somebody else is to judge.
    pub due: Timestamp,
    /// What was said of it last: by whom, and when.
    pub judged: Option<(Verdict, Said, Timestamp)>,
}

/// The glass that somebody has broken and that is broken still.
pub(crate) struct InForce {
    /// What cites it: the event, or where the region has no token of the patient, the line of the audit.
    pub(crate) cited: Digest,
    /// Whether that is an event.
    pub(crate) is_logged: bool,
    pub(crate) until: Timestamp,
}

/// Breaks the glass over a patient (D-11).
pub(crate) fn break_glass(work: &mut Work<'_>, breaking: &Breaking) -> Result<Outcome, Stop> {
    let root = admit(work, breaking)?;
    if !work.machine.directory.list().policy.break_glass {
        return no_emergency(work, breaking, root);
    }
    let tokens = match tokens::of_patient(work, &root) {
        Ok(Ok(tokens)) => tokens,
        Ok(Err(ticket)) => return Ok(Outcome::Waiting(ticket)),
        // The registry does not answer now, and the emergency does not wait for it: what is known is told later.
        Err(Stop::Refused(_)) => tokens::known_of(work.machine, work.view, &root)?,
        Err(fault) => return Err(fault),
    };
    let reasoned = reasoned(&breaking.actor, breaking.reason as u32, &breaking.text)?;
    let line =
        Line { subject: Some(root), clause: "D-11", ..Line::done(breaking.actor.clone(), Act::BreakGlass) };
    let id = audit(work, &line)?;
    let events = events(work, tokens, breaking.actor.role(), id);
    let spans = work.machine.config.glass;
    let until = work.now + spans.lasts;
    let first = work.exchange()?.words + 1;
    let words = (first..).take(events.len()).collect();
    let data = work.machine.keys.at_rest.seal(id.as_bytes(), &reasoned.encode_to_vec(), work.entropy);
    work.keep(Body::Broken(kept::Broken {
        id: id.as_bytes().to_vec(),
        subject: root.as_bytes().to_vec(),
        login: login_tag(&work.machine.keys.at_rest, breaking.actor.login()).as_bytes().to_vec(),
        data,
        until: until.unix_ms(),
        due: (work.now + spans.judged_within).unix_ms(),
        events: events.iter().map(|event| event.as_bytes().to_vec()).collect(),
        organisation: work.machine.config.organisation.to_string(),
    }))?;
    Ok(Outcome::GlassBroken { id, until, words })
}

/// Who treats people, where the region knows emergencies; the patient as it is known after all merges.
fn admit(work: &Work<'_>, breaking: &Breaking) -> Result<Subject, Stop> {
    if work.view.find(&state::patient(&breaking.subject))?.is_none() {
        return Err(Refused::UnknownPatient.into());
    }
    if !matches!(breaking.actor, Actor::Staff(_)) || !breaks(breaking.actor.role()) {
        return Err(Refused::NotSeen.into());
    }
    Ok(person::root(work.view, breaking.subject)?)
}

/// The region has switched emergencies off (M-10): the attempt is a line like any that was denied.
fn no_emergency(work: &mut Work<'_>, breaking: &Breaking, root: Subject) -> Result<Outcome, Stop> {
    let line = Line::done(breaking.actor.clone(), Act::BreakGlass);
    audit(work, &Line { subject: Some(root), outcome: AccessOutcome::Denied, clause: "M-10", ..line })?;
    Ok(Outcome::NoEmergency)
}

/// Whether people in a role treat patients.
const fn breaks(role: PersonRole) -> bool {
    matches!(role, PersonRole::Physician | PersonRole::DepartmentHead | PersonRole::Nurse)
}

/// What the region is told, under each token.
fn events(work: &Work<'_>, tokens: Vec<Token>, role: PersonRole, line: Digest) -> Vec<Envelope> {
    let event = |patient| Event {
        purpose: Purpose::Emergency,
        role,
        audit_line: Some(line),
        ..Event::done(AccessAct::BreakGlass, patient, "D-11")
    };
    tokens.into_iter().map(|token| event::signed(work, event(token))).collect()
}

/// Says what to think of it: not whoever broke it, and once for good (D-11).
pub(crate) fn judge(work: &mut Work<'_>, judging: &Judging) -> Result<Outcome, Stop> {
    if judging.actor.role() != PersonRole::MedicalAffairs {
        return Err(Refused::NotAffairs.into());
    }
    let glass = work.view.find(&state::glass(&judging.id))?.ok_or(Refused::NothingToJudge)?;
    if is_settled(&glass) {
        return Err(Refused::NothingToJudge.into());
    }
    if glass.login == login_tag(&work.machine.keys.at_rest, judging.actor.login()).as_bytes() {
        return Err(Refused::SamePerson.into());
    }
    let reasoned = reasoned(&judging.actor, 0, &judging.text)?;
    let subject = Some(read_subject(&glass.subject)?);
    let line = Line { subject, clause: "D-11", ..Line::done(judging.actor.clone(), Act::JudgeGlass) };
    audit(work, &line)?;
    let data = work.machine.keys.at_rest.seal(judging.id.as_bytes(), &reasoned.encode_to_vec(), work.entropy);
    let id = judging.id.as_bytes().to_vec();
    work.keep(Body::Judged(kept::Judged { id, verdict: judging.verdict as u32, data }))?;
    Ok(Outcome::Done)
}

const fn is_settled(glass: &kept::Glass) -> bool {
    glass.verdict == Verdict::Justified as u32 || glass.verdict == Verdict::Unjustified as u32
}

/// Who says why, to be kept encrypted.
pub(crate) fn reasoned(actor: &Actor, reason: u32, text: &Phi<String>) -> Result<Reasoned, Refused> {
    let text = text.expose().trim();
    if !(1..=REASON_CHARS_MAX).contains(&text.chars().count()) {
        return Err(Refused::Reason);
    }
    let name = |staff: &Staff| person::clip(staff.name.expose());
    Ok(Reasoned {
        login: person::clip(actor.login()),
        name: if let Actor::Staff(staff) = actor { name(staff) } else { String::new() },
        role: actor.role().number(),
        department: actor.department().map(Code::to_string).unwrap_or_default(),
        reason,
        text: text.to_owned(),
    })
}

/// The glass that somebody has broken over a patient, if it is broken still and the region still knows emergencies.
pub(crate) fn in_force(
    machine: &Machine,
    actor: &Actor,
    root: &Subject,
    now: Timestamp,
    view: &View,
) -> Result<Option<InForce>, Fault> {
    if !matches!(actor, Actor::Staff(_)) || !machine.directory.list().policy.break_glass {
        return Ok(None);
    }
    let login = login_tag(&machine.keys.at_rest, actor.login());
    let Some(found) = view.find(&state::glass_of(root, &login))? else { return Ok(None) };
    let id = read_digest(&found.id)?;
    let glass = view.get(&state::glass(&id))?;
    let until = time(glass.until)?;
    let event = (!glass.event.is_empty()).then(|| read_digest(&glass.event)).transpose()?;
    let in_force = InForce { cited: event.unwrap_or(id), is_logged: event.is_some(), until };
    Ok((now < until).then_some(in_force))
}

/// The logged event that a question to other hospitals cites: in an emergency the actor's own, which is broken still; otherwise none, and
/// then the actor has to see the patient without it (D-8).
pub(crate) fn cited(
    work: &Work<'_>,
    actor: &Actor,
    root: &Subject,
    purpose: Purpose,
    ground: Ground,
) -> Result<Option<Digest>, Stop> {
    if purpose != Purpose::Emergency {
        return if ground.is_ordinary() { Ok(None) } else { Err(Refused::NotSeen.into()) };
    }
    let glass = in_force(work.machine, actor, root, work.now, work.view)?;
    let glass = glass.filter(|glass| glass.is_logged).ok_or(Refused::Emergency)?;
    Ok(Some(glass.cited))
}

/// Until when the emergency lasts that an event tells; none if it is no event of this node.
pub(crate) fn lasts_until(event: &Digest, view: &View) -> Result<Option<Timestamp>, Fault> {
    of_event(event, view)?.map(|glass| time(glass.until)).transpose()
}

/// What can be shown to holders of an emergency that is cited (D-8).
pub(crate) enum Shown {
    /// Its events, each proved to stand in the log.
    Events(Vec<LoggedEvent>),
    /// Some are on their way there.
    Later,
    /// The glass is broken no longer, or was never broken here.
    Nothing,
}

/// What can be shown of the emergency that an event declares: under which of the patient's tokens a holder knows the patient is not known
/// here, so those of all tokens.
pub(crate) fn shown(cited: &Digest, now: Timestamp, view: &View) -> Result<Shown, Fault> {
    let Some(glass) = of_event(cited, view)? else { return Ok(Shown::Nothing) };
    if time(glass.until)? <= now {
        return Ok(Shown::Nothing);
    }
    let slots: Vec<_> = glass.words.iter().map(|number| state::word(*number)).collect();
    view.need(&slots)?;
    let words = slots.iter().map(|slot| view.get(slot)).collect::<Result<Vec<_>, _>>()?;
    if words.iter().any(|word| word.receipt.is_none() && word.code == 0) {
        return Ok(Shown::Later);
    }
    let logged = words.iter().filter(|word| !word.logged.is_empty());
    let events = logged.map(|word| LoggedEvent::decode(word.logged.as_slice()).map_err(|_| damaged()));
    events.collect::<Result<_, _>>().map(Shown::Events)
}

/// The glass that was broken by an event of this node.
fn of_event(event: &Digest, view: &View) -> Result<Option<kept::Glass>, Fault> {
    let Some(found) = view.find(&state::glass_told(event))? else { return Ok(None) };
    view.get(&state::glass(&read_digest(&found.id)?)).map(Some)
}

/// The events that declare the emergency of a release: the one that its request cites, and the one under the token by which the patient
/// was released.
pub(crate) fn declared(
    request: &PullRequest,
    release: &Release,
    kept: &kept::Request,
    view: &View,
) -> Result<Vec<Digest>, Fault> {
    let Some(cited) = request.asker.break_glass else { return Ok(Vec::new()) };
    let about = if kept.emergency.is_empty() {
        own_about(&cited, &release.terms.patient, view)?
    } else {
        Some(read_digest(&kept.emergency)?)
    };
    Ok(std::iter::once(cited).chain(about.filter(|about| *about != cited)).collect())
}

/// Of the events of an emergency of this node the one under a token.
fn own_about(cited: &Digest, patient: &Token, view: &View) -> Result<Option<Digest>, Fault> {
    let Some(glass) = of_event(cited, view)? else { return Ok(None) };
    let slots: Vec<_> = glass.words.iter().map(|number| state::word(*number)).collect();
    view.need(&slots)?;
    for (slot, event) in slots.iter().zip(&glass.events) {
        let envelope = view.get(slot)?.envelope;
        let said = Envelope::decode(&envelope).ok().and_then(|said| AccessEvent::decode(said.payload()).ok());
        if said.is_some_and(|said| said.patient == *patient) {
            return read_digest(event).map(Some);
        }
    }
    Ok(None)
}

/// What follows: the events are handed in, the patient is told, and somebody else is to judge.
pub(crate) fn apply_broken(broken: &kept::Broken, at: i64, view: &mut View) -> Result<(), Fault> {
    let (id, subject) = (read_digest(&broken.id)?, read_subject(&broken.subject)?);
    let (mut events, mut words) = (Vec::new(), Vec::new());
    for envelope in &broken.events {
        said::apply_said(&kept::Said { envelope: envelope.clone() }, at, view)?;
        words.push(view.get(&state::exchange())?.words);
        let payload = Envelope::decode(envelope).map_err(|_| damaged())?.payload_hash();
        view.put(&state::glass_told(&payload), &kept::GlassRef { id: broken.id.clone() });
        events.push(payload.as_bytes().to_vec());
    }
    let place = List::glass_open().push(&id, view)?;
    let glass = kept::Glass {
        subject: broken.subject.clone(),
        login: broken.login.clone(),
        data: broken.data.clone(),
        at,
        until: broken.until,
        due: broken.due,
        event: events.first().cloned().unwrap_or_default(),
        events,
        words,
        place,
        ..kept::Glass::default()
    };
    view.put(&state::glass(&id), &glass);
    let held = state::glass_of(&subject, &read_digest(&broken.login)?);
    view.put(&held, &kept::GlassRef { id: broken.id.clone() });
    let own = Code::new(broken.organisation.as_str()).map_err(|_| damaged())?;
    inform::add(News::GlassBroken, &subject, &own, at, view)
}

/// What follows from a verdict: what is settled waits no longer.
pub(crate) fn apply_judged(judged: &kept::Judged, at: i64, view: &mut View) -> Result<(), Fault> {
    let id = read_digest(&judged.id)?;
    let slot = state::glass(&id);
    let mut glass = view.get(&slot)?;
    (glass.verdict, glass.judged_at) = (judged.verdict, at);
    glass.judgement.clone_from(&judged.data);
    if is_settled(&glass) {
        List::glass_open().clear(glass.place, view);
        glass.place = List::glass_done().push(&id, view)?;
    }
    view.put(&slot, &glass);
    Ok(())
}

/// The patient of a document is told once that it went to a member which cites this emergency.
pub(crate) fn apply_released(
    subject: &Subject,
    event: &Digest,
    member: &Code,
    at: i64,
    view: &mut View,
) -> Result<(), Fault> {
    let heard = state::glass_heard(subject, event);
    if view.find(&heard)?.is_some() {
        return Ok(());
    }
    view.put(&heard, &kept::GlassRef { id: event.as_bytes().to_vec() });
    inform::add(News::ReleasedInEmergency, subject, member, at, view)
}

impl Machine {
    /// Until when somebody has broken the glass over a patient, if it is broken now.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn glass_until(
        &self,
        actor: &Actor,
        subject: &Subject,
        now: Timestamp,
        view: &View,
    ) -> Result<Option<Timestamp>, Fault> {
        let root = person::root(view, *subject)?;
        Ok(in_force(self, actor, &root, now, view)?.map(|glass| glass.until))
    }

    /// Those that wait for a verdict, the oldest first, after a place in their list, each with its place: at most a page.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn glass_to_judge(&self, after: u64, view: &View) -> Result<Vec<(u64, Broken)>, Fault> {
        self.broken(List::glass_open().after(after, view)?, view)
    }

    /// Those that were settled, the newest first, before a place likewise.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn glass_judged(&self, before: Option<u64>, view: &View) -> Result<Vec<(u64, Broken)>, Fault> {
        self.broken(List::glass_done().before(before, view)?, view)
    }

    fn broken(&self, places: Vec<(u64, Digest)>, view: &View) -> Result<Vec<(u64, Broken)>, Fault> {
        view.need(&places.iter().map(|(_, id)| state::glass(id)).collect::<Vec<_>>())?;
        let show = |(place, id): (u64, Digest)| Ok((place, self.shown(id, &view.get(&state::glass(&id))?)?));
        places.into_iter().map(show).collect()
    }

    fn shown(&self, id: Digest, glass: &kept::Glass) -> Result<Broken, Fault> {
        let by = self.open_reasoned(&id, &glass.data)?;
        let reason = Reason::ALL.iter().find(|reason| **reason as u32 == by.reason).ok_or_else(damaged)?;
        let verdict = Verdict::ALL.iter().find(|verdict| **verdict as u32 == glass.verdict);
        let judged = verdict.map(|verdict| {
            Ok((*verdict, said_of(self.open_reasoned(&id, &glass.judgement)?)?, time(glass.judged_at)?))
        });
        Ok(Broken {
            id,
            subject: read_subject(&glass.subject)?,
            reason: *reason,
            by: said_of(by)?,
            at: time(glass.at)?,
            until: time(glass.until)?,
            due: time(glass.due)?,
            judged: judged.transpose()?,
        })
    }

    /// Who gave a reason, as it was sealed in this context.
    pub(crate) fn open_reasoned(&self, context: &Digest, data: &[u8]) -> Result<Reasoned, Fault> {
        let plain = self.keys.at_rest.open(context.as_bytes(), data).map_err(|_| damaged())?;
        Reasoned::decode(plain.as_slice()).map_err(|_| damaged())
    }
}

pub(crate) fn said_of(reasoned: Reasoned) -> Result<Said, Fault> {
    let department = reasoned.department;
    let department = (!department.is_empty()).then(|| Code::new(department)).transpose();
    Ok(Said {
        login: reasoned.login,
        name: Phi::new(reasoned.name),
        role: PersonRole::try_from(reasoned.role).map_err(|_| damaged())?,
        department: department.map_err(|_| damaged())?,
        text: Phi::new(reasoned.text),
    })
}

pub(crate) fn time(ms: i64) -> Result<Timestamp, Fault> {
    Timestamp::from_unix_ms(ms).ok_or_else(damaged)
}
