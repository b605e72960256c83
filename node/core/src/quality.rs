//! The quality of what came through each connection (Y-2): by day, how many messages each rule looked at, and in how many it found
//! something.
//!
//! Each message is judged once, when it is taken, and what was found stands in its record: the same journal gives the same figures
//! under rules of another version, too. Not here: the rules: `yiqiao_intake::quality`.

use core::ops::RangeInclusive;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use yiqiao_intake::lab::LabRow;
use yiqiao_intake::quality::{Judged, Message, Rule, Rules, Said, judge};
use yiqiao_proto::id::Code;
use yiqiao_proto::limits::QUALITY_SYSTEMS_MAX;
use yiqiao_proto::quality::{Aspect, Checked, Figures};
use yiqiao_proto::time::Timestamp;
use yiqiao_terms::kind::Kind;

use crate::connection::{self, Connection, Door};
use crate::death;
use crate::dictionary;
use crate::intake::{Content, Received};
use crate::limits::{QUALITY_DAYS, QUALITY_NAME_BYTES_MAX, QUALITY_SAMPLES_MAX};
use crate::machine::{Machine, Work};
use crate::person;
use crate::reporting;
use crate::state::kept;
use crate::state::{self, Fault, View, damaged};

/// A connection, and how what came through it stood to the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Its place among the connections, from 1.
    pub place: u64,
    /// What it is.
    pub connection: Connection,
    /// Its days, the first first: those on which something came.
    pub days: Vec<Day>,
}

/// One day of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// Of the hospital's calendar, counted from 1970-01-01.
    pub day: i64,
    /// Messages that were judged.
    pub messages: u64,
    /// By the number of the rule: messages at which it looked, and those in which it found something.
    pub rules: BTreeMap<u32, Checked>,
}

/// A message that broke a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it came.
    pub at: Timestamp,
    /// Its control id, else the id of its first document in the system that sent it; empty if it has neither.
    pub name: String,
}

/// The days of all connections through which something came that could be judged.
///
/// # Errors
/// [`Fault`] if the view lacks something.
pub fn feeds(view: &View) -> Result<Vec<Feed>, Fault> {
    let connections = connection::all(view)?;
    let places = (1..).zip(&connections).map(|(place, _)| place);
    let days = |place| (0..i64::from(QUALITY_DAYS)).map(move |day| state::quality(place, day));
    view.need(&places.flat_map(days).collect::<Vec<_>>())?;
    let mut feeds = Vec::new();
    for (place, connection) in (1..).zip(connections) {
        let mut found = Vec::new();
        for slot in days(place) {
            found.extend(view.find(&slot)?.as_ref().map(read_day));
        }
        found.sort_by_key(|day| day.day);
        if !found.is_empty() {
            feeds.push(Feed { place, connection, days: found });
        }
    }
    Ok(feeds)
}

/// What the registry is told of some days (Y-3), those on which something was looked at, the first first: by system, of the systems of which the
/// most was looked at.
pub(crate) fn figures(view: &View, days: RangeInclusive<i64>) -> Result<Vec<Figures>, Fault> {
    let names = view.get(&state::connections())?.names;
    let slots: Vec<_> = (1..)
        .zip(&names)
        .flat_map(|(place, _)| days.clone().map(move |day| state::quality(place, day)))
        .collect();
    view.need(&slots)?;
    let mut all = Vec::new();
    for day in days {
        let mut checked = BTreeMap::new();
        for (place, name) in (1..).zip(&names) {
            let Ok(system) = Code::new(name.system.as_str()) else { continue };
            let kept = view.get(&state::quality(place, day))?;
            if kept.day == day {
                add(&mut checked, &system, &read_day(&kept));
            }
        }
        keep_largest(&mut checked);
        if let Ok(day) = u32::try_from(day)
            && !checked.is_empty()
        {
            all.push(Figures { day, checked });
        }
    }
    Ok(all)
}

type BySystem = BTreeMap<(Code, Aspect), Checked>;

fn add(checked: &mut BySystem, system: &Code, day: &Day) {
    for (number, found) in &day.rules {
        let Some(rule) = Rule::of(*number) else { continue };
        let of = checked.entry((system.clone(), rule.aspect)).or_default();
        *of = of.with(*found);
    }
}

/// Leaves as many systems as one call can tell.
fn keep_largest(checked: &mut BySystem) {
    let mut sizes: BTreeMap<Code, u64> = BTreeMap::new();
    for ((system, _), found) in checked.iter() {
        *sizes.entry(system.clone()).or_default() += found.looked;
    }
    let mut systems: Vec<_> = sizes.into_iter().collect();
    systems.sort_by_key(|(_, looked)| Reverse(*looked));
    let gone: BTreeSet<Code> =
        systems.into_iter().skip(QUALITY_SYSTEMS_MAX).map(|(system, _)| system).collect();
    checked.retain(|(system, _), _| !gone.contains(system));
}

fn read_day(kept: &kept::QualityDay) -> Day {
    let rules = kept.rules.iter();
    let rules = rules.map(|count| (count.rule, Checked { looked: count.looked, broken: count.broken }));
    Day { day: kept.day, messages: kept.messages, rules: rules.collect() }
}

impl Machine {
    /// The first messages that broke a rule on the newest day on which one did, and that day; `place` is that of the connection.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something, or what is kept is damaged.
    pub fn quality_samples(
        &self,
        place: u64,
        rule: u32,
        view: &View,
    ) -> Result<Option<(i64, Vec<Sample>)>, Fault> {
        let Some(kept) = view.find(&state::quality_samples(place, rule))? else { return Ok(None) };
        let samples = kept.samples.iter().map(|sample| {
            let name = self.keys.at_rest.open(CONTEXT, &sample.name).map_err(|_| damaged())?;
            let name = String::from_utf8(name.to_vec()).map_err(|_| damaged())?;
            Ok(Sample { at: Timestamp::from_unix_ms(sample.at).ok_or_else(damaged)?, name })
        });
        Ok(Some((kept.day, samples.collect::<Result<_, Fault>>()?)))
    }
}

/// What seals the name of a message.
const CONTEXT: &[u8] = b"quality";

/// How a message that has been taken stands to the rules; none of what says nothing. `items` are those of its results that no table knows.
pub(crate) fn judged(
    work: &mut Work<'_>,
    received: &Received,
    items: &[kept::LocalItem],
) -> Result<Option<kept::RulesFound>, Fault> {
    let unmapped = dictionary::unmapped(items, &received.system, work.view)?;
    let judged = look(work, received, &unmapped)?;
    if judged.looked.is_empty() {
        return Ok(None);
    }
    let name = if judged.broken.is_empty() {
        Vec::new()
    } else {
        work.machine.keys.at_rest.seal(CONTEXT, name(received).as_bytes(), work.entropy)
    };
    reporting::note(work);
    let day = work.machine.config.zone.day(work.now);
    let (looked, broken) = (judged.looked.bits(), judged.broken.bits());
    Ok(Some(kept::RulesFound { looked, broken, day, name }))
}

fn look(work: &Work<'_>, received: &Received, unmapped: &BTreeSet<String>) -> Result<Judged, Fault> {
    let is_known = |row: &LabRow| {
        let item = dictionary::item_of(row)?;
        Some(!unmapped.contains(&item.key()))
    };
    let is_live = !matches!(received.origin.door, Door::Backfill | Door::Review | Door::Desk);
    let said = said(received);
    let mut coded = received.named.unknown.iter().filter(|local| matches!(local.kind, Kind::Coded(_)));
    let is_in_sets = received
        .named
        .is_coded
        .map(|coded_or_known| coded_or_known && coded.all(|local| !unmapped.contains(&local.key())));
    let mut message =
        Message { said, received: work.now, is_live, died: None, is_known: &is_known, is_in_sets };
    if message.begins_visit() {
        message.died = died(work, &message)?;
    }
    Ok(judge(&message))
}

fn said(received: &Received) -> Said<'_> {
    match &received.content {
        Content::Documents(documents) => {
            let documents = documents.iter().map(|(document, _)| document).collect();
            if received.subject.is_some() {
                Said::DocumentsOfKnown(documents)
            } else {
                Said::Documents(documents)
            }
        }
        Content::Events(events) => Said::Events(events),
        Content::Review(..) => Said::Unidentified,
        Content::Refused => Said::Unread,
        Content::Answer => Said::Nothing,
    }
}

/// When its patient died, as far as a desk has recorded it.
fn died(work: &Work<'_>, message: &Message<'_>) -> Result<Option<Timestamp>, Fault> {
    let Some(number) = message.patient().and_then(|patient| patient.primary()) else { return Ok(None) };
    let Some(subject) = person::filed_under(work, number)? else { return Ok(None) };
    death::died(&person::root(work.view, subject)?, work.view)
}

/// By what its sender finds it again.
fn name(received: &Received) -> String {
    let of_document = || {
        let Content::Documents(documents) = &received.content else { return None };
        documents.iter().find_map(|(document, _)| Some(document.source_id.as_ref()?.value.expose().clone()))
    };
    let name = received.control_id.clone().filter(|id| !id.is_empty()).or_else(of_document);
    let plain = name.unwrap_or_default();
    let plain: String = plain.chars().filter(|letter| !letter.is_control()).collect();
    let end = (0..=QUALITY_NAME_BYTES_MAX.min(plain.len())).rev().find(|at| plain.is_char_boundary(*at));
    plain.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
}

/// What follows for the connection at a place, at which the message came.
pub(crate) fn apply(
    judged: &kept::RulesFound,
    connection: u64,
    at: i64,
    view: &mut View,
) -> Result<(), Fault> {
    let (looked, broken) = (Rules::from_bits(judged.looked), Rules::from_bits(judged.broken));
    let slot = state::quality(connection, judged.day);
    let samples: Vec<_> = broken.iter().map(|rule| state::quality_samples(connection, rule)).collect();
    view.need(std::slice::from_ref(&slot))?;
    view.need(&samples)?;
    let mut day = view.get(&slot)?;
    if day.messages == 0 || day.day < judged.day {
        day = kept::QualityDay { day: judged.day, ..kept::QualityDay::default() };
    } else if day.day > judged.day {
        // A clock that was put back by a month: these slots hold what came since.
        return Ok(());
    }
    day.messages += 1;
    for rule in looked.iter() {
        let count = count_of(&mut day, rule);
        count.looked += 1;
        count.broken += u64::from(broken.has(rule));
    }
    view.put(&slot, &day);
    for slot in &samples {
        let mut kept = view.get(slot)?;
        if kept.samples.is_empty() || kept.day < judged.day {
            kept = kept::QualitySamples { day: judged.day, samples: Vec::new() };
        }
        if kept.day == judged.day && kept.samples.len() < QUALITY_SAMPLES_MAX {
            kept.samples.push(kept::QualitySample { at, name: judged.name.clone() });
            view.put(slot, &kept);
        }
    }
    Ok(())
}

fn count_of(day: &mut kept::QualityDay, rule: u32) -> &mut kept::RuleCount {
    let at = day.rules.iter().position(|count| count.rule == rule).unwrap_or(day.rules.len());
    if at == day.rules.len() {
        day.rules.push(kept::RuleCount { rule, ..kept::RuleCount::default() });
    }
    day.rules.get_mut(at).expect("it was there, or was pushed just now")
}
