//! What the hospital's own systems are told: referrals that come and go on, documents of other hospitals that come, are opened or
//! withdrawn, consents that change. One list, and in it a place for each system that is told: its *destination* (O-1, O-2).
//!
//! All of it follows from what is recorded anyway. Not here: how and in which words a destination is told.

use std::collections::BTreeSet;

use yiqiao_proto::codes::ReferralAct;
use yiqiao_proto::id::{Code, DirectiveId, EntryId, ReferralId, Subject};
use yiqiao_proto::lease::{Change, FeedItem, HeadChange};
use yiqiao_proto::referral::StepFacts;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::ended::opened;
use crate::limits::{OUTGOING_LOOKS, OUTGOING_MAX, SET_ASIDE_MAX};
use crate::machine::{Outcome, Refused, Stop, Work};
use crate::person;
use crate::receive::listed_of;
use crate::register::shown;
use crate::state::kept::{self, Copy, Outgoing, OutgoingLine};
use crate::state::{
    self, Body, Fault, View, damaged, read_digest, read_entry_id, read_referral_id, read_subject,
};

/// What has happened. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Kind {
    /// Another hospital has sent a referral.
    ReferralArrived = 1,
    /// The other side of a referral has taken a further step.
    ReferralStep = 2,
    /// A document of another hospital is here, of a patient of this one.
    DocumentArrived = 3,
    /// Somebody has opened it for the first time: it is part of the record of this hospital.
    DocumentOpened = 4,
    /// Its hospital has withdrawn it.
    DocumentWithdrawn = 5,
    /// What is in force of a patient's directives is other than before, as far as it concerns this hospital.
    ConsentChanged = 6,
}

impl Kind {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::ReferralArrived,
        Self::ReferralStep,
        Self::DocumentArrived,
        Self::DocumentOpened,
        Self::DocumentWithdrawn,
        Self::ConsentChanged,
    ];
}

/// Something of which the hospital's systems are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Counts from 1: the same event has the same number for everybody and each time.
    pub number: u64,
    /// What has happened.
    pub kind: Kind,
    /// The patient, if it is known who that is here.
    pub subject: Option<Subject>,
    /// To what.
    pub of: Of,
    /// When it was recorded here.
    pub at: Timestamp,
}

/// To what something has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// A referral.
    Referral {
        /// The member that refers.
        referring: Code,
        /// Its id.
        id: ReferralId,
        /// The step that the other side took.
        act: ReferralAct,
    },
    /// A document of another hospital.
    Document {
        /// Whose.
        holder: Code,
        /// Its entry.
        entry: EntryId,
    },
    /// What the patient permits.
    Consent,
}

/// What a destination is to be told next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This.
    Event(Box<Event>),
    /// Nothing up to this event: that is to be handed in as [`How::Passed`], and asked again.
    Passed(u64),
    /// Nothing.
    Nothing,
}

/// How telling a destination of an event ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    /// The destination.
    pub destination: Code,
    /// The event: all before it are over, too.
    pub number: u64,
    /// How.
    pub how: How,
}

/// How telling of an event ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// It is not for this destination.
    Passed,
    /// The destination has taken it.
    Taken,
    /// The destination will never take it, or it cannot be told any more: why, in words without anything of a patient.
    SetAside(String),
}

impl How {
    const fn number(&self) -> u32 {
        match self {
            Self::Passed => 1,
            Self::Taken => 2,
            Self::SetAside(_) => 3,
        }
    }
}

/// Events that were set aside, to be told to a destination once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    /// The destination.
    pub destination: Code,
    /// The event; all that are set aside if it is left out.
    pub number: Option<u64>,
}

/// An event that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Its number.
    pub number: u64,
    /// When that was.
    pub at: Timestamp,
    /// Why.
    pub why: String,
}

/// How far a destination is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Events up to this one are over.
    pub done: u64,
    /// Events that wait, those of kinds that it is not told of included.
    pub waiting: u64,
    /// Those that it has taken.
    pub taken: u64,
    /// Those that are set aside.
    pub set_aside: u64,
    /// Those of them of which it can be told once more, the newest last.
    pub aside: Vec<SetAside>,
    /// Those that were not kept for long enough.
    pub missed: u64,
    /// When it last took one.
    pub last_at: Option<Timestamp>,
    /// What was last set aside: when, which event, and why.
    pub wrong: Option<(Timestamp, u64, String)>,
}

/// The next event for a destination that is told of these kinds.
///
/// # Errors
/// [`Fault`] if the view lacks something.
pub fn next(destination: &Code, kinds: &BTreeSet<Kind>, view: &View) -> Result<Next, Fault> {
    let (known, line) = (state::destination(destination), state::outgoing_line());
    let Some(known) = view.find(&known)? else { return Ok(Next::Nothing) };
    let line = view.get(&line)?;
    if let Some(number) = known.again.first().copied() {
        return once_more(number, &line, kinds, view);
    }
    let first = known.done.max(line.head) + 1;
    let last = line.tail.min(first + OUTGOING_LOOKS - 1);
    let slots: Vec<_> = (first..=last).map(state::outgoing).collect();
    view.need(&slots)?;
    for (number, slot) in (first..=last).zip(&slots) {
        let event = read(number, &view.get(slot)?)?;
        if kinds.contains(&event.kind) {
            return Ok(Next::Event(Box::new(event)));
        }
    }
    Ok(if last < first { Next::Nothing } else { Next::Passed(last) })
}

/// An event that was set aside, unless it is no longer kept or for this destination.
fn once_more(number: u64, line: &OutgoingLine, kinds: &BTreeSet<Kind>, view: &View) -> Result<Next, Fault> {
    if number <= line.head {
        return Ok(Next::Passed(number));
    }
    let event = read(number, &view.get(&state::outgoing(number))?)?;
    Ok(if kinds.contains(&event.kind) { Next::Event(Box::new(event)) } else { Next::Passed(number) })
}

/// How far a destination is told; none if the node was never told of it.
///
/// # Errors
/// [`Fault`] if the view lacks something.
pub fn position(destination: &Code, view: &View) -> Result<Option<Position>, Fault> {
    let Some(known) = view.find(&state::destination(destination))? else { return Ok(None) };
    let line = view.get(&state::outgoing_line())?;
    let at = |at: Option<i64>| at.and_then(Timestamp::from_unix_ms);
    let kept = known.aside.iter().filter(|aside| aside.number > line.head);
    let aside = kept.map(read_aside).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(Position {
        done: known.done,
        waiting: line.tail.saturating_sub(known.done.max(line.head)) + known.again.len() as u64,
        taken: known.taken,
        set_aside: known.set_aside,
        aside,
        missed: known.missed + line.head.saturating_sub(known.done),
        last_at: at(known.last_at),
        wrong: at(known.wrong_at).map(|at| (at, known.wrong_number, known.wrong)),
    }))
}

fn read_aside(kept: &kept::SetAside) -> Result<SetAside, Fault> {
    let at = Timestamp::from_unix_ms(kept.at).ok_or_else(damaged)?;
    Ok(SetAside { number: kept.number, at, why: kept.why.clone() })
}

fn read(number: u64, kept: &Outgoing) -> Result<Event, Fault> {
    let kind = Kind::ALL.iter().copied().find(|kind| *kind as u32 == kept.kind).ok_or_else(damaged)?;
    let member = || Code::new(kept.member.as_str()).map_err(|_| damaged());
    let of = match kind {
        Kind::ReferralArrived | Kind::ReferralStep => Of::Referral {
            referring: member()?,
            id: read_referral_id(&kept.id)?,
            act: ReferralAct::try_from(kept.act).map_err(|_| damaged())?,
        },
        Kind::DocumentArrived | Kind::DocumentOpened | Kind::DocumentWithdrawn => {
            Of::Document { holder: member()?, entry: read_entry_id(&kept.id)? }
        }
        Kind::ConsentChanged => Of::Consent,
    };
    let subject = if kept.subject.is_empty() { None } else { Some(read_subject(&kept.subject)?) };
    let at = Timestamp::from_unix_ms(kept.at).ok_or_else(damaged)?;
    Ok(Event { number, kind, subject, of, at })
}

/// A destination is to be told of what comes; one that is known goes on where it was.
pub(crate) fn destine(work: &mut Work<'_>, name: &Code) -> Result<Outcome, Stop> {
    if work.view.find(&state::destination(name))?.is_none() {
        work.keep(Body::Destined(kept::Destined { destination: name.to_string() }))?;
    }
    Ok(Outcome::Done)
}

/// What follows from a new destination: what was before is not told to it.
pub(crate) fn apply_destined(destined: &kept::Destined, view: &mut View) -> Result<(), Fault> {
    let slot = state::destination(&read_name(&destined.destination)?);
    let line = view.get(&state::outgoing_line())?;
    view.put(&slot, &kept::Destination { done: line.tail, ..kept::Destination::default() });
    Ok(())
}

/// A destination is done with an event, and with all before it. What is over already changes nothing.
pub(crate) fn hand(work: &mut Work<'_>, handed: &Handed) -> Result<Outcome, Stop> {
    let line = work.view.get(&state::outgoing_line())?;
    let Some(known) = work.view.find(&state::destination(&handed.destination))? else {
        return Ok(Outcome::Done);
    };
    let is_next = handed.number > known.done && handed.number <= line.tail;
    if !is_next && !known.again.contains(&handed.number) {
        return Ok(Outcome::Done);
    }
    let why = if let How::SetAside(why) = &handed.how { shown(why) } else { String::new() };
    let (destination, outcome) = (handed.destination.to_string(), handed.how.number());
    work.keep(Body::Handed(kept::Handed { destination, number: handed.number, outcome, why }))?;
    Ok(Outcome::Done)
}

/// What follows from a destination's being done with an event.
pub(crate) fn apply_handed(handed: &kept::Handed, at: i64, view: &mut View) -> Result<(), Fault> {
    let slot = state::destination(&read_name(&handed.destination)?);
    let mut known = view.get(&slot)?;
    let line = view.get(&state::outgoing_line())?;
    if known.again.contains(&handed.number) {
        known.again.retain(|number| *number != handed.number);
        known.missed += u64::from(handed.number <= line.head);
    } else {
        known.missed += line.head.min(handed.number).saturating_sub(known.done);
        known.done = handed.number;
    }
    if handed.outcome == How::Taken.number() {
        known.taken += 1;
        known.last_at = Some(at);
    } else if handed.outcome != How::Passed.number() {
        known.set_aside += 1;
        (known.wrong_at, known.wrong_number) = (Some(at), handed.number);
        known.wrong.clone_from(&handed.why);
        known.aside.push(kept::SetAside { number: handed.number, at, why: handed.why.clone() });
        if known.aside.len() > SET_ASIDE_MAX {
            known.aside.remove(0);
        }
    }
    view.put(&slot, &known);
    Ok(())
}

/// Events that were set aside wait once more, before all others: somebody has mended what was wrong.
pub(crate) fn tell_again(work: &mut Work<'_>, again: &Again) -> Result<Outcome, Stop> {
    let head = work.view.get(&state::outgoing_line())?.head;
    let known = work.view.find(&state::destination(&again.destination))?.unwrap_or_default();
    let aside = known.aside.iter().map(|aside| aside.number).filter(|number| *number > head);
    let numbers: Vec<u64> = aside.filter(|number| again.number.is_none_or(|one| one == *number)).collect();
    match again.number {
        Some(number) if numbers.is_empty() => return Err(Refused::NotOpen(number).into()),
        None if numbers.is_empty() => return Ok(Outcome::Done),
        Some(_) | None => {}
    }
    work.keep(Body::ToldAgain(kept::ToldAgain { destination: again.destination.to_string(), numbers }))?;
    Ok(Outcome::Done)
}

/// What follows from events' waiting once more.
pub(crate) fn apply_told_again(told: &kept::ToldAgain, view: &mut View) -> Result<(), Fault> {
    let slot = state::destination(&read_name(&told.destination)?);
    let mut known = view.get(&slot)?;
    known.aside.retain(|aside| !told.numbers.contains(&aside.number));
    known.set_aside = known.set_aside.saturating_sub(told.numbers.len() as u64);
    known.again.extend(&told.numbers);
    view.put(&slot, &known);
    Ok(())
}

fn read_name(name: &str) -> Result<Code, Fault> {
    Code::new(name).map_err(|_| damaged())
}

/// The other side of a referral has taken a step.
pub(crate) fn add_step(
    referral: &kept::Referral,
    referring: &Code,
    facts: &StepFacts,
    at: i64,
    view: &mut View,
) -> Result<(), Fault> {
    let kind = if facts.act == ReferralAct::Send { Kind::ReferralArrived } else { Kind::ReferralStep };
    let (subject, member) = (referral.subject.clone(), referring.to_string());
    let (id, act) = (facts.referral.as_bytes().to_vec(), facts.act.number());
    add(&Outgoing { kind: kind as u32, subject, member, id, act, at }, view)
}

/// Something has happened to a document of another hospital. Before it is known whose it is here, nobody is told.
pub(crate) fn add_document(kind: Kind, copy: &Copy, at: i64, view: &mut View) -> Result<(), Fault> {
    if copy.subject.is_empty() {
        return Ok(());
    }
    let listed = listed_of(copy)?;
    let (subject, member) = (copy.subject.clone(), listed.holder.to_string());
    let id = listed.entry_id.as_bytes().to_vec();
    add(&Outgoing { kind: kind as u32, subject, member, id, act: 0, at }, view)
}

/// Asks at once for what is read of the patients of many heads.
pub(crate) fn load_ahead<'t>(tokens: impl Iterator<Item = &'t Token>, view: &View) -> Result<(), Fault> {
    let tags: Vec<_> = tokens.map(state::token_tag).collect();
    view.need(&tags)?;
    let mut identifiers = Vec::new();
    for slot in &tags {
        if let Some(tag) = view.find(slot)? {
            identifiers.push(state::identifier(&read_digest(&tag.tag)?));
        }
    }
    view.need(&identifiers)?;
    let mut patients = Vec::new();
    for slot in &identifiers {
        for subject in view.get(slot)?.subjects {
            patients.push(state::patient(&read_subject(&subject)?));
        }
    }
    view.need(&patients)
}

/// What follows from a head that the feed tells, before it takes the place of the one that is known.
pub(crate) fn add_consent(change: &HeadChange, log_id: &str, at: i64, view: &mut View) -> Result<(), Fault> {
    let before = view.get(&state::head(&change.patient))?;
    let is_older = before.log_id == log_id && change.head.version <= before.version;
    if is_older || directives(change) == known_directives(&before.item) {
        return Ok(());
    }
    let Some(tag) = view.find(&state::token_tag(&change.patient))? else { return Ok(()) };
    let holders = view.get(&state::identifier(&read_digest(&tag.tag)?))?.subjects;
    let mut patients = BTreeSet::new();
    for holder in &holders {
        patients.insert(person::root(view, read_subject(holder)?)?);
    }
    for patient in patients {
        let subject = patient.as_bytes().to_vec();
        let event = Outgoing { kind: Kind::ConsentChanged as u32, subject, at, ..Outgoing::default() };
        // A patient of several tokens says everything once for each of them (C-10).
        if newest(view)?.as_ref() != Some(&event) {
            add(&event, view)?;
        }
    }
    Ok(())
}

/// The directives of a head that concern this hospital: their ids, for another log opens them otherwise (L-9).
fn directives(change: &HeadChange) -> BTreeSet<DirectiveId> {
    opened(change).map(|(_, directive)| directive.id).collect()
}

/// None of a head that cannot be read.
fn known_directives(item: &[u8]) -> BTreeSet<DirectiveId> {
    match FeedItem::decode(item).map(|item| item.change) {
        Ok(Change::Head(change)) => directives(&change),
        Ok(Change::MemberList(_) | Change::Credential(_) | Change::Withdrawal(_)) | Err(_) => BTreeSet::new(),
    }
}

fn newest(view: &View) -> Result<Option<Outgoing>, Fault> {
    let line = view.get(&state::outgoing_line())?;
    if line.tail == line.head { Ok(None) } else { view.find(&state::outgoing(line.tail)) }
}

/// Whether anybody is told or not: with nobody to take them the oldest go.
fn add(event: &Outgoing, view: &mut View) -> Result<(), Fault> {
    let slot = state::outgoing_line();
    let mut line = view.get(&slot)?;
    line.tail += 1;
    if line.tail - line.head > OUTGOING_MAX {
        line.head += 1;
        view.remove(&state::outgoing(line.head));
    }
    view.put(&state::outgoing(line.tail), event);
    view.put(&slot, &line);
    Ok(())
}
