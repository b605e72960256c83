//! The systems of the hospitals: each sends its messages one after the other, and a message again until it is answered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use yiqiao_proto::id::{Code, EntryId};
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_simnet::chance::Chance;
use yiqiao_simnet::feeds::{Content, Event as Told, System};
use yiqiao_simnet::town::Town;
use yiqiao_simnet::visits::Key;

use super::day::Day;
use super::town::{events, node_of};
use super::{Act, ActId, Load};
use crate::hub::{Event, Hub};
use crate::limits::{ACK_WAIT, LONGER};
use crate::network::Who;
use crate::node::Node;
use crate::randomness::{Part, stream};
use crate::region::constant;
use crate::setup::{Kept, Setup};

/// A system of a hospital, and what it still has to send.
pub(super) struct Sender {
    node: Who,
    system: Code,
    queue: VecDeque<Due>,
    chance: Chance,
    /// The input at the front is under way.
    is_busy: bool,
}

/// What is sent when: it is written then.
struct Due {
    at: Timestamp,
    town: usize,
    event: Told,
    /// The document in it is longer by so many bytes.
    longer: u64,
}

/// An input that is under way.
pub(super) struct Sending {
    sender: usize,
    /// Whose number stands in it, by place in the town.
    named: usize,
    /// Messages of it that were kept.
    kept: BTreeSet<usize>,
}

/// All senders of a world. What they have to send is spread over its time, in their order.
pub(super) fn of(setup: &Setup, towns: &[Town], began: Timestamp, day: Option<&Day>) -> (Vec<Sender>, u64) {
    let mut queues: BTreeMap<(Who, System), Vec<(usize, Told)>> = BTreeMap::new();
    for (number, town) in towns.iter().enumerate() {
        for event in events(setup, town) {
            let hospital = town.visit_of(&event).map(|visit| visit.hospital);
            if let Some(node) = hospital.and_then(|hospital| node_of(setup, number, hospital)) {
                queues.entry((node, event.content.system())).or_default().push((number, event));
            }
        }
    }
    let (mut senders, mut number) = (Vec::new(), 0);
    for (at, ((node, system), inputs)) in (0..).zip(queues) {
        let mut chance = stream(setup.seed, Part::Senders, at);
        let mut time = || match day {
            Some(day) => day.draw(&mut chance),
            None => Millis::new(chance.below(setup.minutes * 54_000)),
        };
        let mut times: Vec<Millis> = inputs.iter().map(|_| time()).collect();
        times.sort_unstable();
        let numbers = number..;
        number += inputs.len() as u64;
        let times = times.into_iter().map(|time| began + time);
        let kept = |number: &u64| Kept::has(setup.kept.inputs.as_ref(), *number);
        let kept = numbers.zip(times.zip(inputs)).filter(|(number, _)| kept(number));
        let due =
            |(number, (at, (town, event)))| Due { at, town, longer: longer(setup, number, &event), event };
        let (system, queue) = (constant(system.name()), kept.map(due).collect());
        senders.push(Sender { node, system, queue, chance, is_busy: false });
    }
    (senders, number)
}

/// By how many bytes the document of an input is longer than what the generator writes.
fn longer(setup: &Setup, number: u64, event: &Told) -> u64 {
    let mut chance = stream(setup.seed, Part::Long, number);
    let is_long = chance.below(1_000) < setup.rates().long && matches!(event.content, Content::Document(_));
    let [most, some] = LONGER;
    let (least, longest) = if chance.below(8) == 0 { some } else { most };
    if is_long { least + chance.below(longest - least) } else { 0 }
}

/// The same document with so many bytes more, which no reader shows.
fn lengthen(document: &mut Vec<u8>, bytes: u64) {
    let end = b"</ClinicalDocument>";
    if let Some(at) = document.windows(end.len()).rposition(|window| window == end) {
        let line = b"a page that was scanned in lines\n";
        let lines = usize::try_from(bytes).unwrap_or(0).div_ceil(line.len());
        let rest = document.split_off(at);
        document.extend([b"<!--".as_slice(), &line.repeat(lines), b"-->", &rest].concat());
    }
}

impl Sender {
    pub(super) fn is_done(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether something of a visit is still to be sent.
    pub(super) fn has(&self, town: usize, visit: Key) -> bool {
        self.queue.iter().any(|due| due.town == town && due.event.key == visit)
    }
}

impl Load {
    /// A system sends what is at the front of its queue, when its time has come.
    pub(super) fn send_next(&mut self, hub: &mut Hub, at: usize) {
        let id = self.new_id();
        if let Some(due) = self.senders.get(at).and_then(|sender| sender.queue.front()) {
            hub.at(due.at, Event::Act(id, Act::Send(at)));
        }
    }

    pub(super) fn send(&mut self, hub: &mut Hub, nodes: &mut BTreeMap<Who, Node>, at: usize) {
        let id = self.new_id();
        let Some(sender) = self.senders.get(at).filter(|sender| !sender.is_busy) else { return };
        let Some(Due { town, event, longer, .. }) = sender.queue.front().filter(|due| due.at <= hub.now)
        else {
            return;
        };
        let Some((named, mut feed)) = self.written(*town, event) else { return };
        if *longer > 0 {
            lengthen(&mut feed.bytes, *longer);
        }
        self.sending.insert(id, Sending { sender: at, named, kept: BTreeSet::new() });
        let Some(sender) = self.senders.get_mut(at) else { return };
        sender.is_busy = true;
        if let Some(node) = nodes.get_mut(&sender.node) {
            node.message(hub, id, &sender.system, &feed.bytes);
        }
        hub.after(ACK_WAIT, Event::Act(id, Act::GiveUp));
    }

    /// A system sends something once more, as soon as it can.
    pub(super) fn send_anew(&mut self, hub: &mut Hub, node: Who, town: usize, event: Told) {
        let system = constant(event.content.system().name());
        let same = |sender: &Sender| sender.node == node && sender.system == system;
        let Some(at) = self.senders.iter().position(same) else { return };
        let Some(sender) = self.senders.get_mut(at) else { return };
        let due = sender.queue.partition_point(|due| due.at <= hub.now);
        // What is under way stays in front.
        let place = due.max(usize::from(sender.is_busy));
        sender.queue.insert(place, Due { at: hub.now, town, event, longer: 0 });
        self.send_next(hub, at);
    }

    /// Documents of an input were kept: of whom they are, the oracle is told. Under the card of another they are that one's, as far as
    /// anybody can see.
    pub(super) fn told_of(&mut self, hub: &mut Hub, id: ActId, entries: &[EntryId]) {
        let Some(Sending { sender, named, .. }) = self.sending.get(&id) else { return };
        let Some(Sender { node, queue, .. }) = self.senders.get(*sender) else { return };
        let Some(Due { town, event, .. }) = queue.front() else { return };
        let Some(resident) = self.places.get(&(*town, *named)).copied() else { return };
        hub.oracle.is_of(*node, entries, resident);
        if let Some(borrowed) = self.borrowed_at(*town, event.key) {
            self.kept_of_borrowed(hub, borrowed, (*named, resident), entries);
        }
    }

    /// A message of an input was kept, or was not: then all of it is sent again.
    pub(super) fn message_kept(&mut self, hub: &mut Hub, id: ActId, item: usize, of: usize, kept: bool) {
        let Some(sending) = self.sending.get_mut(&id) else { return };
        if !kept {
            return self.send_again(hub, id);
        }
        sending.kept.insert(item);
        if sending.kept.len() < of {
            return;
        }
        let at = sending.sender;
        self.counts.messages += of as u64;
        self.sending.remove(&id);
        let Some(sender) = self.senders.get_mut(at) else { return };
        sender.is_busy = false;
        // A sender that lost the answer sends once more what was kept.
        if sender.chance.percent(5) {
            let wait = Millis::new(sender.chance.below(3_000));
            let again = self.new_id();
            return hub.after(wait, Event::Act(again, Act::Send(at)));
        }
        sender.queue.pop_front();
        self.send_next(hub, at);
    }

    /// No answer came, or none that it was kept.
    pub(super) fn send_again(&mut self, hub: &mut Hub, id: ActId) {
        let Some(sending) = self.sending.remove(&id) else { return };
        let again = self.new_id();
        let Some(sender) = self.senders.get_mut(sending.sender) else { return };
        sender.is_busy = false;
        let wait = Millis::new(500 + sender.chance.below(3_000));
        hub.after(wait, Event::Act(again, Act::Send(sending.sender)));
    }
}
