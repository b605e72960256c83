//! Pairs of patients who may be one person, which people decide about: one, two, and back again (I-6).
//!
//! A pair is found when something is said of a patient, and stays until staff have decided; what they decided can be undone. Not here: what makes
//! two alike: `likeness`; what becomes of two who are one: `person`.

use std::collections::BTreeSet;

use yiqiao_proto::codes::PersonRole;
use yiqiao_proto::id::{Digest, Subject};
use yiqiao_proto::time::Timestamp;

use crate::actor::Actor;
use crate::apply::change_ledger;
use crate::ask;
use crate::audit::{self, Act, Line};
use crate::likeness::{self, Likeness};
pub use crate::likeness::{Agreement, Compared};
use crate::limits::{ALIKE_MAX, PAGE_MAX, PAIRS_OF_CHANGE_MAX};
use crate::list::List;
use crate::machine::{Machine, Outcome, Refused, Stop, Work};
use crate::person::{self, Known};
use crate::state::kept::{self, change::Change};
use crate::state::{self, Fault, View, damaged, read_digest, read_subject};

/// What staff decide about a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// One person.
    One = 1,
    /// Two.
    Two = 2,
    /// Neither: what was decided before is undone.
    Open = 3,
}

/// Two patients who may be one person, or of whom staff have decided it.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Counts from 1.
    pub number: u64,
    /// Its place in its list.
    pub place: u64,
    /// The two as they are known.
    pub patients: [ask::Patient; 2],
    /// How far what is known of the two agrees.
    pub compared: Compared,
    /// When it was found, or decided.
    pub at: Timestamp,
    /// What was decided.
    pub judgement: Judgement,
    /// Whether the hospital's register says that they are one, and their identifiers contradict each other.
    pub merged: bool,
}

/// The patients with whom one is to be compared by a person, those who are `numbered` alike among them: not those of whom that was
/// asked before.
pub(crate) fn found(
    work: &Work<'_>,
    known: &Known,
    tags: &[Digest],
    numbered: BTreeSet<Subject>,
) -> Result<Vec<Subject>, Fault> {
    let slots: Vec<_> = tags.iter().map(state::alike).collect();
    work.view.need(&slots)?;
    let mut others = BTreeSet::new();
    for slot in &slots {
        let subjects = work.view.get(slot)?.subjects;
        others.extend(subjects.iter().map(|subject| read_subject(subject)).collect::<Result<Vec<_>, _>>()?);
    }
    others.remove(&known.subject);
    let others: Vec<Subject> = others.into_iter().take(ALIKE_MAX).collect();
    work.view.need(&others.iter().map(state::patient).collect::<Vec<_>>())?;
    let (mut doubtful, mut told) = (numbered, BTreeSet::new());
    for other in others {
        let other = person::load(work.machine, work.view, person::root(work.view, other)?)?;
        // Two who are told under one identifier are one to the region: one question is enough.
        let asked = other.state.identifiers.iter().any(|tag| told.contains(tag));
        if !asked
            && other.subject != known.subject
            && likeness::of(&known.data, &other.data) == Likeness::Doubtful
        {
            doubtful.insert(other.subject);
            told.extend(other.state.identifiers);
        }
    }
    // Of a patient who comes just now nobody was asked, and the subject is another one in every repetition.
    let asked: Vec<_> = doubtful.iter().map(|other| state::pair_of(&known.subject, other)).collect();
    if !known.is_new() {
        work.view.need(&asked)?;
    }
    let mut new = Vec::new();
    for (other, slot) in doubtful.iter().zip(&asked) {
        if known.is_new() || work.view.find(slot)?.is_none() {
            new.push(*other);
        }
    }
    new.truncate(PAIRS_OF_CHANGE_MAX);
    Ok(new)
}

/// What follows from what is known of a patient: under which tags it is found, and which pairs there are.
pub(crate) fn apply_found(person: &kept::Person, at: i64, view: &mut View) -> Result<(), Fault> {
    let subject = read_subject(&person.subject)?;
    for tag in &person.alike {
        let slot = state::alike(&read_digest(tag)?);
        let mut alike = view.get(&slot)?;
        if alike.subjects.len() < ALIKE_MAX && !alike.subjects.contains(&person.subject) {
            alike.subjects.push(person.subject.clone());
            view.put(&slot, &alike);
        }
    }
    person.pairs.iter().try_for_each(|other| open(&subject, &read_subject(other)?, at, view))
}

/// A pair that is to be decided.
pub(crate) fn open(one: &Subject, other: &Subject, at: i64, view: &mut View) -> Result<(), Fault> {
    let mut number = 0;
    change_ledger(view, |ledger| {
        ledger.pairs += 1;
        number = ledger.pairs;
    })?;
    let place = List::pairs().push(&audit::number_name(number)?, view)?;
    let (one_bytes, other_bytes) = (one.as_bytes().to_vec(), other.as_bytes().to_vec());
    let pair = kept::Pair { one: one_bytes, other: other_bytes, at, place, ..kept::Pair::default() };
    view.put(&state::pair(number), &pair);
    view.put(&state::pair_of(one, other), &kept::PairRef { number });
    Ok(())
}

/// Staff decide about a pair.
pub(crate) fn judge(
    work: &mut Work<'_>,
    actor: &Actor,
    number: u64,
    judgement: Judgement,
) -> Result<Outcome, Stop> {
    if actor.role() != PersonRole::Desk {
        return Err(Refused::NotSeen.into());
    }
    let pair = work.view.find(&state::pair(number))?.ok_or(Refused::NotOpen(number))?;
    let before = read_judgement(pair.judgement)?;
    if (before == Judgement::Open) == (judgement == Judgement::Open) {
        return Err(Refused::NotOpen(number).into());
    }
    let [one, other] = subjects(&pair)?;
    let mut judged = kept::PairJudged { number, judgement: judgement as u32, ..kept::PairJudged::default() };
    match (before, judgement) {
        (_, Judgement::One) => {
            let (one, other) = (person::root(work.view, one)?, person::root(work.view, other)?);
            if one == other {
                return Err(Refused::NotOpen(number).into());
            }
            judged.retired = person::unite(work, &one, &other)?.as_bytes().to_vec();
        }
        (Judgement::One, _) => {
            person::divide(work, &read_subject(&pair.retired)?)?;
        }
        (_, Judgement::Two) => person::part(work, [&one, &other])?,
        (_, Judgement::Open) => {}
    }
    work.change(Change::Judged(judged))?;
    work.keep_changes();
    for subject in [one, other] {
        audit::audit(work, &Line { subject: Some(subject), ..Line::done(actor.clone(), Act::Identify) })?;
    }
    Ok(Outcome::Done)
}

/// Whether staff have decided about two.
pub(crate) fn is_decided(one: &Subject, other: &Subject, view: &View) -> Result<bool, Fault> {
    let Some(found) = view.find(&state::pair_of(one, other))? else { return Ok(false) };
    let pair = view.get(&state::pair(found.number))?;
    Ok(read_judgement(pair.judgement)? != Judgement::Open)
}

/// Whether staff have said of two, or of any who were merged into them, that they are two.
pub(crate) fn are_two(one: &Known, other: &Known, view: &View) -> Result<bool, Fault> {
    let others = person::all_of(view, other.subject)?;
    let mut slots = Vec::new();
    for one in person::all_of(view, one.subject)? {
        slots.extend(others.iter().map(|other| state::pair_of(&one, other)));
    }
    view.need(&slots)?;
    for slot in &slots {
        if let Some(found) = view.find(slot)?
            && read_judgement(view.get(&state::pair(found.number))?.judgement)? == Judgement::Two
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What follows from a decision.
pub(crate) fn apply_judged(judged: &kept::PairJudged, at: i64, view: &mut View) -> Result<(), Fault> {
    let slot = state::pair(judged.number);
    let mut pair = view.get(&slot)?;
    list(pair.judgement)?.clear(pair.place, view);
    pair.place = list(judged.judgement)?.push(&audit::number_name(judged.number)?, view)?;
    (pair.judgement, pair.at) = (judged.judgement, at);
    pair.retired.clone_from(&judged.retired);
    view.put(&slot, &pair);
    Ok(())
}

impl Machine {
    /// Pairs that wait for a decision, or of which there is one, before a place of their list, the newest first. What the hospital's
    /// register has settled meanwhile waits no longer. Also the place before which to go on; none at the end.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn pairs(
        &self,
        decided: bool,
        before: Option<u64>,
        view: &View,
    ) -> Result<(Vec<Pair>, Option<u64>), Fault> {
        let list = if decided { List::judged() } else { List::pairs() };
        let places = list.before(before, view)?;
        let shown = places.get(..places.len().min(PAIRS_PAGE)).unwrap_or_default();
        let next = shown.last().map(|(place, _)| *place).filter(|place| *place > 1);
        let numbers: Vec<u64> = shown.iter().map(|(_, name)| audit::name_number(name)).collect();
        view.need(&numbers.iter().map(|number| state::pair(*number)).collect::<Vec<_>>())?;
        let mut pairs = Vec::new();
        for number in numbers {
            let kept = view.get(&state::pair(number))?;
            let [one, other] = subjects(&kept)?;
            let together = person::root(view, one)? == person::root(view, other)?;
            if decided || !together {
                pairs.push(self.pair(number, &kept, view)?);
            }
        }
        Ok((pairs, next))
    }

    fn pair(&self, number: u64, kept: &kept::Pair, view: &View) -> Result<Pair, Fault> {
        let [one, other] = subjects(kept)?;
        let is_merged = |of: &Subject, into: &Subject| {
            let patient = view.get(&state::patient(of))?;
            Ok::<_, Fault>(patient.apart && patient.survivor == into.as_bytes())
        };
        let merged = is_merged(&one, &other)? || is_merged(&other, &one)?;
        // Each as it is known itself: who was decided to be one is shown as the two that there were.
        let (one, other) = (person::load(self, view, one)?, person::load(self, view, other)?);
        let compared = likeness::compared(&one.data, &other.data);
        let patients = [ask::patient_of(one, view)?, ask::patient_of(other, view)?];
        let at = Timestamp::from_unix_ms(kept.at).ok_or_else(damaged)?;
        let judgement = read_judgement(kept.judgement)?;
        Ok(Pair { number, place: kept.place, patients, compared, at, judgement, merged })
    }
}

/// Pairs in one answer.
const PAIRS_PAGE: usize = 32;
const _: () = assert!(PAIRS_PAGE as u64 <= PAGE_MAX);

fn list(judgement: u32) -> Result<List, Fault> {
    Ok(match read_judgement(judgement)? {
        Judgement::Open => List::pairs(),
        Judgement::One | Judgement::Two => List::judged(),
    })
}

fn subjects(pair: &kept::Pair) -> Result<[Subject; 2], Fault> {
    Ok([read_subject(&pair.one)?, read_subject(&pair.other)?])
}

fn read_judgement(number: u32) -> Result<Judgement, Fault> {
    match number {
        0 | 3 => Ok(Judgement::Open),
        1 => Ok(Judgement::One),
        2 => Ok(Judgement::Two),
        _ => Err(damaged()),
    }
}
