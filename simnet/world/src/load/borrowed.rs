//! Cards that are lent within a family: all that the systems send of a visit names who has the card, so that the hospital cannot see whose visit
//! it was. At some desks it comes out: then staff take the documents out of the index (N-7), and the systems send the visit
//! anew under the right number.
//!
//! Not here: what is checked of it: the oracle's account of whose document is whose.

use std::collections::BTreeSet;

use yiqiao_proto::id::EntryId;
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_simnet::chance::Chance;
use yiqiao_simnet::feeds::{Event as Told, Feed};
use yiqiao_simnet::town::{Patient, Town};
use yiqiao_simnet::visits::{Key, Visit};

use super::people::By;
use super::town::{events, node_of};
use super::wish::What;
use super::{Act, Load, mistakes};
use crate::hub::{Event, Hub};
use crate::limits::BORROWED_MAX;
use crate::network::Who;
use crate::randomness::{Part, stream};
use crate::setup::{Happening, Setup};

/// How long a desk waits that has found it out while something of the visit is still to come.
const LATER: Millis = Millis::from_secs(60);

/// A visit under another's card.
#[derive(Clone, Debug)]
pub(crate) struct Borrowed {
    node: Who,
    /// The number of the town, whose visit it was, and whose card was shown, by place in the town.
    town: usize,
    visit: Key,
    pub(super) card: usize,
    /// When a desk finds it out, if one does.
    found_out: Option<Millis>,
    is_mended: bool,
    /// What made systems send something about it.
    events: Vec<Told>,
    /// The documents that came of it under the card.
    entries: BTreeSet<EntryId>,
}

/// All visits under other people's cards: in half of the towns there are some, and those that are written. Who is confused with others in
/// another way lends and borrows nothing.
pub(super) fn of(setup: &Setup, towns: &[Town]) -> Vec<Borrowed> {
    let mut borrowed = Vec::new();
    let mistaken: BTreeSet<(usize, usize)> =
        mistakes::of(setup, towns).into_iter().flat_map(|mistake| mistake.people).collect();
    for (number, town) in towns.iter().enumerate() {
        let mut chance = stream(setup.seed, Part::Borrowed, number as u64);
        let count = if chance.percent(50) { chance.below(1 + BORROWED_MAX) } else { 0 };
        let written = setup.script.iter().filter(|scripted| scripted.what == Happening::Lend);
        let written: Vec<(Who, Millis)> =
            written.map(|it| (Who(it.who), Millis::from_secs(it.minute * 60))).collect();
        if count == 0 && written.is_empty() {
            continue;
        }
        let events = events(setup, town);
        let mut lent = lent(setup, number, town, &events);
        lent.retain(|Lent { visit, card, .. }| {
            [visit.patient, *card].iter().all(|at| !mistaken.contains(&(number, *at)))
        });
        let mut take = |at: Option<Who>, found_out: Option<Millis>, chance: &mut Chance| {
            let Lent { node, visit, card } = take(&mut lent, at, chance)?;
            let events = events.iter().filter(|event| event.key == visit).cloned().collect();
            let (is_mended, entries) = (false, BTreeSet::new());
            Some(Borrowed { node, town: number, visit, card, found_out, is_mended, events, entries })
        };
        for _ in 0..count {
            let found_out = Millis::new(chance.below(setup.minutes * 55_000));
            let found_out = chance.percent(70).then_some(found_out);
            borrowed.extend(take(None, found_out, &mut chance));
        }
        for (who, minute) in written {
            borrowed.extend(take(Some(who), Some(minute), &mut chance));
        }
    }
    borrowed
}

/// A visit for which a card may have been shown.
#[derive(Clone, Copy)]
struct Lent {
    node: Who,
    visit: Key,
    card: usize,
}

/// One of them, at a hospital if one is named; the people of it lend and borrow nothing else.
fn take(lent: &mut Vec<Lent>, at: Option<Who>, chance: &mut Chance) -> Option<Lent> {
    let there: Vec<Lent> = lent.iter().filter(|it| at.is_none_or(|at| it.node == at)).copied().collect();
    let taken = *there.get(usize::try_from(chance.below(there.len() as u64)).ok()?)?;
    let people = [taken.visit.patient, taken.card];
    lent.retain(|it| !people.contains(&it.visit.patient) && !people.contains(&it.card));
    Some(taken)
}

/// For which visits whose card may have been shown: one of the household, whom the hospital knows; if none has one, the next one's.
fn lent(setup: &Setup, number: usize, town: &Town, events: &[Told]) -> Vec<Lent> {
    let visits: BTreeSet<Key> = events.iter().map(|event| event.key).collect();
    let mut lent = Vec::new();
    for key in visits {
        let Some((patient, visit)) = visit_of(town, key) else { continue };
        let Some(node) = node_of(setup, number, visit.hospital) else { continue };
        let letter = visit.hospital.letter;
        if !is_shown(patient, letter) {
            continue;
        }
        let others = town.patients().iter().enumerate();
        let mut others = others.filter(|(at, other)| *at != key.patient && is_shown(other, letter));
        let household = patient.person.household;
        let near = others.clone().find(|(_, other)| other.person.household == household);
        lent.extend(near.or_else(|| others.next()).map(|(card, _)| Lent { node, visit: key, card }));
    }
    lent
}

fn visit_of(town: &Town, key: Key) -> Option<(&Patient, &Visit)> {
    let patient = town.patients().get(key.patient)?;
    Some((patient, patient.visits.get(key.visit)?))
}

/// Whether a hospital knows somebody under one number, with the identity number.
fn is_shown(patient: &Patient, letter: char) -> bool {
    let file = patient.registrations.get(&letter);
    file.is_some_and(|file| file.identified && file.provisional.is_none())
}

impl Borrowed {
    /// Who is confused, by town and place in it.
    pub(super) const fn people(&self) -> [(usize, usize); 2] {
        [(self.town, self.visit.patient), (self.town, self.card)]
    }

    const fn is_of(&self, town: usize, visit: Key) -> bool {
        self.town == town && self.visit.patient == visit.patient && self.visit.visit == visit.visit
    }
}

impl Load {
    /// Every desk that finds it out has its time.
    pub(super) fn plan_mending(&mut self, hub: &mut Hub, began: Timestamp) {
        for at in 0..self.borrowed.len() {
            let id = self.new_id();
            if let Some(found_out) = self.borrowed.get(at).and_then(|borrowed| borrowed.found_out) {
                hub.at(began + found_out, Event::Act(id, Act::Mend(at)));
            }
        }
    }

    /// The visit under another's card of which something is to be sent: its number.
    pub(super) fn borrowed_at(&self, town: usize, visit: Key) -> Option<usize> {
        self.borrowed.iter().position(|borrowed| borrowed.is_of(town, visit))
    }

    /// What a system writes of an event, and whose number stands in it, by place in the town.
    pub(super) fn written(&self, town: usize, event: &Told) -> Option<(usize, Feed)> {
        let (of, card) = (self.towns.get(town)?, self.borrowed_at(town, event.key));
        let card = card.and_then(|at| self.borrowed.get(at)).filter(|borrowed| !borrowed.is_mended);
        let named = card.map_or(event.key.patient, |borrowed| borrowed.card);
        Some((named, of.write_under(event, named)?))
    }

    /// Documents of such a visit were kept: under the card, or anew for the right person.
    pub(super) fn kept_of_borrowed(
        &mut self,
        hub: &mut Hub,
        at: usize,
        (named, resident): (usize, usize),
        entries: &[EntryId],
    ) {
        let Some(borrowed) = self.borrowed.get_mut(at) else { return };
        if named == borrowed.card {
            borrowed.entries.extend(entries);
        } else {
            hub.oracle.is_moved(borrowed.node, entries, resident);
        }
    }

    /// A desk finds out whose visit it was: what came of it goes, and comes anew. While something is still to come, it waits.
    pub(super) fn mend(&mut self, hub: &mut Hub, at: usize) {
        let id = self.new_id();
        let Some(Borrowed { node, town, visit, entries, events, .. }) = self.borrowed.get(at).cloned() else {
            return;
        };
        if self.is_over {
            return;
        }
        if self.senders.iter().any(|sender| sender.has(town, visit)) {
            return hub.after(LATER, Event::Act(id, Act::Mend(at)));
        }
        let Some(borrowed) = self.borrowed.get_mut(at) else { return };
        borrowed.is_mended = true;
        hub.note(node, format_args!("act {id} mends {} under another's card", entries.len()));
        for entry in entries {
            self.begin_by(hub, Millis::new(0), node, What::Withdraw { entry }, By::Staff);
        }
        events.into_iter().for_each(|event| self.send_anew(hub, node, town, event));
        self.counts.mended += 1;
    }
}
