//! What desks confuse: a hospital's register merges two people who are not one, as it does with family, or with two of one name
//! and birth date. Both have shown their identity numbers, so that the hospital can see it.
//!
//! Not here: what is checked of it: the oracle's account of whose document is whose.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use yiqiao_intake::facts::Understood;
use yiqiao_intake::intake::{self, Door};
use yiqiao_node_core::machine::Input;
use yiqiao_node_core::pairs::Judgement;
use yiqiao_proto::codes::PersonRole;
use yiqiao_proto::id::Subject;
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_simnet::feeds::{Case, System, Trigger, hl7v2};
use yiqiao_simnet::hospitals::Feeds;
use yiqiao_simnet::people::Person;
use yiqiao_simnet::town::{Registration, Town};

use super::forms::staff;
use super::town::node_of;
use super::{Act, Load};
use crate::hub::{Event, Hub};
use crate::limits::MISTAKES_MAX;
use crate::network::Who;
use crate::node::Node;
use crate::plant::Plant;
use crate::randomness::{Part, stream};
use crate::region::constant;
use crate::setup::{Happening, Setup};

/// How long a desk waits with a merge of which it does not know both.
const LATER: Millis = Millis::from_secs(60);

/// A merge of two who are not one.
#[derive(Clone, Debug)]
pub(crate) struct Mistake {
    node: Who,
    /// The two, by town and place in it; the first is kept.
    pub(super) people: [(usize, usize); 2],
    at: Millis,
    /// The hospital is to know both; otherwise it may hear of the retired number for the first time.
    waits: bool,
    message: Vec<u8>,
}

/// All mistakes of a world: in half of the towns there are some, and those that are written.
pub(super) fn of(setup: &Setup, towns: &[Town]) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for (number, town) in towns.iter().enumerate() {
        let mut chance = stream(setup.seed, Part::Mistakes, number as u64);
        let pairs = pairs(setup, number, town);
        let count = if chance.percent(50) { chance.below(1 + MISTAKES_MAX) } else { 0 };
        let mut mistaken = Vec::new();
        for _ in 0..count {
            let at = Millis::new(chance.below(setup.minutes * 40_000));
            if !pairs.is_empty() {
                mistaken.push((at, *chance.pick(&pairs), chance.percent(50)));
            }
        }
        for scripted in setup.script.iter().filter(|scripted| scripted.what == Happening::Merge) {
            let at = Millis::from_secs(scripted.minute * 60);
            let there = pairs.iter().filter(|(node, ..)| node.0 == scripted.who);
            let pair = there
                .max_by_key(|(_, _, one, other)| [*one, *other].map(|at| known_at(setup, number, town, at)));
            mistaken.extend(pair.map(|pair| (at, *pair, true)));
        }
        for (at, (node, letter, one, other), waits) in mistaken {
            let message = message(town, letter, (one, other));
            let people = [(number, one), (number, other)];
            mistakes.extend(message.map(|message| Mistake { node, people, at, waits, message }));
        }
    }
    mistakes
}

/// Who can be confused where: with somebody of the household, if there is one, and with the next otherwise.
fn pairs(setup: &Setup, number: usize, town: &Town) -> Vec<(Who, char, usize, usize)> {
    let mut known: BTreeMap<(Who, char), Vec<(usize, &Person)>> = BTreeMap::new();
    for (at, patient) in town.patients().iter().enumerate() {
        for visit in &patient.visits {
            let (hospital, file) = (visit.hospital, patient.registrations.get(&visit.hospital.letter));
            let shown = file.is_some_and(|file| file.identified && file.provisional.is_none());
            if let Some(node) =
                node_of(setup, number, hospital).filter(|_| shown && hospital.feeds == Feeds::Messages)
            {
                let known = known.entry((node, hospital.letter)).or_default();
                if known.last().is_none_or(|(last, _)| *last != at) {
                    known.push((at, &patient.person));
                }
            }
        }
    }
    let mut pairs = Vec::new();
    for ((node, letter), people) in known {
        for (one, person) in &people {
            let near = |(_, other): &&(usize, &Person)| other.household == person.household;
            let mut others = people.iter().filter(|(other, _)| other != one);
            let other = others.clone().find(near).or_else(|| others.next());
            pairs.extend(other.map(|(other, _)| (node, letter, *one, *other)));
        }
    }
    pairs
}

/// How many hospitals of the world somebody has been to.
fn known_at(setup: &Setup, number: usize, town: &Town, at: usize) -> usize {
    let visits = town.patients().get(at).map(|patient| patient.visits.as_slice()).unwrap_or_default();
    let nodes: BTreeSet<Who> =
        visits.iter().filter_map(|visit| node_of(setup, number, visit.hospital)).collect();
    nodes.len()
}

/// The message that says so (A40).
fn message(town: &Town, letter: char, (one, other): (usize, usize)) -> Option<Vec<u8>> {
    let patient = town.patients().get(one)?;
    let wrong = town.patients().get(other)?.registrations.get(&letter)?.number.clone();
    let registration =
        Registration { provisional: Some(wrong), ..patient.registrations.get(&letter)?.clone() };
    let visit = patient.visits.iter().rfind(|visit| visit.hospital.letter == letter)?;
    let id = format!("{letter}M{one:05}{other:05}");
    let case = Case { patient, registration: &registration, visit, at: visit.until, id: &id };
    Some(hl7v2::adt(&case, Trigger::Merged))
}

impl Load {
    /// Every mistake has its time.
    pub(super) fn plan_mistakes(&mut self, hub: &mut Hub, began: Timestamp) {
        for at in 0..self.mistakes.len() {
            let id = self.new_id();
            if let Some(mistake) = self.mistakes.get(at) {
                hub.at(began + mistake.at, Event::Act(id, Act::Mistake(at)));
            }
        }
    }

    /// The register merges two people; if it is to wait for both, it looks again later.
    pub(super) fn mistake(&mut self, hub: &mut Hub, nodes: &mut BTreeMap<Who, Node>, at: usize) {
        let id = self.new_id();
        let Some(mistake) = self.mistakes.get(at).filter(|_| !self.is_over) else { return };
        let Some(node) = nodes.get_mut(&mistake.node) else { return };
        let [one, other] = mistake.people.map(|person| self.subject(node, *self.places.get(&person)?));
        let known = one.and(other).filter(|other| names(node, &mistake.message, other));
        if mistake.waits && known.is_none() {
            return hub.after(LATER, Event::Act(id, Act::Mistake(at)));
        }
        hub.note(mistake.node, format_args!("act {id} merges two who are not one"));
        node.message(hub, id, &constant(System::His.name()), &mistake.message);
        if known.is_some() && hub.has_plant(Plant::MergeBelieved) {
            hub.after(LATER, Event::Act(id, Act::Belief(at)));
        }
        self.counts.mistakes += 1;
    }

    /// A desk says of the two that they are one, after a planted fault.
    pub(super) fn believe(&mut self, hub: &mut Hub, nodes: &mut BTreeMap<Who, Node>, at: usize) {
        let id = self.new_id();
        let Some(mistake) = self.mistakes.get(at) else { return };
        let Some(node) = nodes.get_mut(&mistake.node) else { return };
        let (pairs, _) = node.ask(|machine, view| machine.pairs(false, None, view)).unwrap_or_default();
        for pair in pairs.iter().filter(|pair| pair.merged) {
            let actor = staff(mistake.node, PersonRole::Desk);
            node.act(hub, id, Input::Judge { actor, pair: pair.number, judgement: Judgement::One });
        }
    }
}

/// Whether the number that a merge retires is known, as this patient's.
fn names(node: &Node, message: &[u8], other: &Subject) -> bool {
    let bytes: Arc<[u8]> = message.into();
    let items = intake::read(&bytes, &Door::any()).into_iter();
    let events = items.filter_map(|item| match item.outcome {
        Ok(Understood::Events(events)) => Some(events),
        Ok(_) | Err(_) => None,
    });
    let mut retired = events.flatten().flat_map(|event| event.merged_from);
    retired.all(|id| {
        let known = node.ask(|machine, view| machine.patient_by_number(&id, view)).flatten();
        known.is_some_and(|known| known.subject == *other)
    })
}
