//! The middle of the world: the time, the queue of what is to come, and what every process does through it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use yiqiao_node_core::fetch::Stretch;
use yiqiao_node_core::limits::CALL_WAIT;
use yiqiao_proto::calls::Method;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::id::{Code, Digest, DocumentId};
use yiqiao_proto::time::{Millis, Timestamp};

use crate::authority::{Authority, Deed};
use crate::faults::Fault;
use crate::hostile::{Attempt, Hostile, Known, Twist};
use crate::limits::NOBODY;
use crate::load::{Act, ActId, Told};
use crate::network::{CallId, Carried, Network, Packet, Passage, Who};
use crate::oracle::Oracle;
use crate::plant::Plant;
use crate::trace::Trace;

/// What happens to whom.
#[derive(Debug)]
pub(crate) enum Event {
    /// A packet is there.
    Arrive(Box<Packet>),
    /// An attacker lets go a packet that it has held back.
    Held(Box<Packet>),
    /// Who called waits no longer.
    GiveUp(Who, CallId),
    /// A process takes what has come.
    Work(Who),
    /// A time that a process set itself; of the process as it was started so many times.
    Later(Who, u64, Later),
    /// A process starts.
    Start(Who),
    /// Somebody does something, or waits for it no longer.
    Act(ActId, Act),
    /// Something breaks.
    Fault(Fault),
    /// What the script says at a place.
    Scripted(usize),
    /// An attacker makes a call.
    Attack,
    /// The authority or an operator does something.
    Deed(Deed),
    /// Nothing breaks any more.
    Heal,
    /// Whether all has come to rest.
    Look,
}

/// What a process wants to be reminded of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Later {
    /// The machine's own time has come.
    Wake,
    /// The registry keeps a reading of a feed no longer.
    FeedOver(Caller),
    /// A node waits no longer for the feed before it decides about a request.
    NewsOver(CallId),
    /// A node waits no longer for the word on which a range rests.
    RangeOver(CallId),
    /// A stretch is asked for again, whose holder was busy.
    RangeAgain(DocumentId, u64),
    /// It is looked for newer member lists.
    Lists,
}

/// The middle of the world.
pub(crate) struct Hub {
    pub(crate) now: Timestamp,
    pub(crate) network: Network,
    pub(crate) trace: Trace,
    pub(crate) oracle: Oracle,
    pub(crate) authority: Authority,
    pub(crate) hostile: Hostile,
    pub(crate) plant: Option<Plant>,
    /// Nothing breaks any more.
    pub(crate) healed: bool,
    /// Who still waits at a screen.
    pub(crate) awaited: BTreeSet<ActId>,
    /// What people are to be told.
    pub(crate) told: VecDeque<(ActId, Told)>,
    queue: BTreeMap<(Timestamp, u64), Event>,
    /// What is to come at this very time, in order, each with its number.
    soon: VecDeque<(u64, Event)>,
    /// When each call is given up, in order: all calls may take as long.
    patience: VecDeque<((Timestamp, u64), Who, CallId)>,
    numbers: u64,
    calls: u64,
    /// Calls that were neither answered nor given up.
    open: BTreeSet<CallId>,
    /// After how many more steps a process loses its power.
    power: BTreeMap<Who, u64>,
}

/// How a process ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Its power goes.
    Power,
    /// It ends by itself: the disk refused what must not be refused.
    Ended(String),
}

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Caller {
    pub(crate) call: CallId,
    pub(crate) who: Who,
    method: u16,
    connection: u64,
}

impl Hub {
    pub(crate) fn new(
        now: Timestamp,
        network: Network,
        trace: Trace,
        oracle: Oracle,
        authority: Authority,
        hostile: Hostile,
        plant: Option<Plant>,
    ) -> Self {
        Self {
            now,
            network,
            trace,
            oracle,
            authority,
            hostile,
            plant,
            healed: false,
            awaited: BTreeSet::new(),
            told: VecDeque::new(),
            queue: BTreeMap::new(),
            soon: VecDeque::new(),
            patience: VecDeque::new(),
            numbers: 0,
            calls: 0,
            open: BTreeSet::new(),
            power: BTreeMap::new(),
        }
    }

    /// What is to happen, and when.
    pub(crate) fn at(&mut self, when: Timestamp, event: Event) {
        self.numbers += 1;
        if when > self.now {
            self.queue.insert((when, self.numbers), event);
        } else {
            self.soon.push_back((self.numbers, event));
        }
    }

    pub(crate) fn after(&mut self, wait: Millis, event: Event) {
        self.at(self.now + wait, event);
    }

    /// The next event; the time is its time.
    pub(crate) fn next(&mut self) -> Option<Event> {
        while self.patience.pop_front_if(|(.., call)| !self.open.contains(call)).is_some() {}
        let queued = self.queue.first_key_value().map(|(at, _)| *at);
        let soon = self.soon.front().map(|(number, _)| (self.now, *number));
        let next = queued.into_iter().chain(soon).min();
        let is_first = |(at, ..): &mut (_, Who, CallId)| next.is_none_or(|next| *at < next);
        if let Some((at, who, call)) = self.patience.pop_front_if(is_first) {
            self.now = at.0;
            return Some(Event::GiveUp(who, call));
        }
        if next == soon {
            return self.soon.pop_front().map(|(_, event)| event);
        }
        let ((now, _), event) = self.queue.pop_first()?;
        self.now = now;
        Some(event)
    }

    /// Calls a process. The answer, or that none came, comes back under the number.
    pub(crate) fn call(&mut self, from: Who, to: Who, method: Method, request: Vec<u8>) -> CallId {
        let (number, bytes) = (method as u16, request.len());
        let call = self.send(from, to, Carried::Call { method: number, request });
        self.note(format_args!("{from}>{to}"), format_args!("call {call} {number} {bytes}"));
        call
    }

    /// Asks a member for a stretch of a document.
    pub(crate) fn pull(&mut self, from: Who, to: Who, request: &Digest, stretch: Stretch) -> CallId {
        let call = self.send(from, to, Carried::Pull { request: stretch.request(request) });
        let Stretch { first_chunk, chunks } = stretch;
        self.note(format_args!("{from}>{to}"), format_args!("pull {call} {first_chunk} {chunks}"));
        call
    }

    /// Answers a call; who is gone, or connected anew, gets nothing.
    pub(crate) fn answer(&mut self, from: Who, to: Caller, answer: Result<Vec<u8>, Vec<u8>>) {
        let told = answer.as_ref().map_or_else(|_| "no", |_| "ok");
        let bytes = answer.as_ref().map_or_else(Vec::len, Vec::len);
        self.note(format_args!("{from}>{}", to.who), format_args!("answer {} {told} {bytes}", to.call));
        if let Ok(bytes) = &answer {
            self.oracle.travels(self.now, (from, to.who), bytes);
        }
        let Caller { call, who, method, connection } = to;
        self.carry(Packet { call, from, to: who, method, connection, body: Carried::Answer(answer) });
    }

    /// Who is to be answered.
    pub(crate) const fn caller(packet: &Packet) -> Caller {
        let Packet { call, from, method, connection, .. } = *packet;
        Caller { call, who: from, method, connection }
    }

    /// Whether a packet that is there counts: its connection still stands. If not, who called is told at once.
    pub(crate) fn stands(&mut self, packet: &Packet) -> bool {
        let stands = packet.connection == self.network.connection(packet.from, packet.to);
        if !stands {
            let caller = if matches!(packet.body, Carried::Answer(_)) { packet.to } else { packet.from };
            self.at(self.now, Event::GiveUp(caller, packet.call));
        }
        stands
    }

    /// A process has taken a list: it has no connection any more to those whom the list suspends (M-7).
    pub(crate) fn took_list<'c>(
        &mut self,
        who: Who,
        directory: &Directory,
        others: impl Iterator<Item = (Who, &'c Code)>,
    ) {
        self.note(who, format_args!("takes list {}", directory.list().version));
        self.oracle.takes_list(self.now, who, directory);
        for (other, code) in others {
            if directory.member(code).is_some_and(|member| member.suspended) {
                self.network.reset(who, other);
            }
        }
    }

    /// Nobody is there to take a packet: who called is told soon.
    pub(crate) fn nobody(&mut self, packet: &Packet) {
        if !matches!(packet.body, Carried::Answer(_)) {
            self.after(NOBODY, Event::GiveUp(packet.from, packet.call));
        }
    }

    /// A process takes a step: its power may go before it.
    pub(crate) fn step(&mut self, who: Who) -> Result<(), Stopped> {
        match self.power.get_mut(&who) {
            Some(0) => {
                self.power.remove(&who);
                Err(Stopped::Power)
            }
            Some(steps) => {
                *steps -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The power of a process goes after so many more steps.
    pub(crate) fn cut_power(&mut self, who: Who, steps: u64) {
        self.power.insert(who, steps);
    }

    /// Nobody's power goes any more.
    pub(crate) fn keep_power(&mut self) {
        self.power.clear();
    }

    /// A line of the trace.
    pub(crate) fn note(&mut self, who: impl core::fmt::Display, what: core::fmt::Arguments<'_>) {
        self.trace.line(self.now, who, what);
    }

    pub(crate) fn has_plant(&self, plant: Plant) -> bool {
        self.plant == Some(plant)
    }

    /// The attacker comes again, after a while.
    pub(crate) fn attack_again(&mut self) {
        if let Some(wait) = self.hostile.next_call() {
            self.after(wait, Event::Attack);
        }
    }

    /// The attacker makes a call, if one comes to its mind.
    pub(crate) fn attack(&mut self) {
        self.attack_again();
        let Some(who) = self.hostile.who else { return };
        let known = Known {
            now: self.now,
            keys: self.authority.in_use(who),
            sealing: self.authority.sealing_key(who),
            log: self.oracle.words(),
            members: self.authority.newest(),
            version: &|patient| self.oracle.head_version(patient),
            release: self.oracle.a_release(self.now),
        };
        let Some(Attempt { what, to, body }) = self.hostile.calls(&known) else { return };
        let bytes = body.len();
        let call = self.send(who, to, body);
        self.note(who, format_args!("attacks {to} {call} {what} {bytes}"));
    }

    /// A call is answered, or given up. Whether it was neither before.
    pub(crate) fn ends(&mut self, call: CallId) -> bool {
        self.open.remove(&call)
    }

    fn send(&mut self, from: Who, to: Who, body: Carried) -> CallId {
        self.calls += 1;
        self.open.insert(self.calls);
        let (call, connection) = (self.calls, self.network.connection(from, to));
        if let Carried::Call { request, .. } | Carried::Pull { request } = &body {
            self.oracle.travels(self.now, (from, to), request);
        }
        let method = if let Carried::Call { method, .. } = &body { *method } else { 0 };
        self.carry(Packet { call, from, to, method, connection, body });
        self.numbers += 1;
        self.patience.push_back(((self.now + CALL_WAIT, self.numbers), from, call));
        call
    }

    fn carry(&mut self, mut packet: Packet) {
        self.oracle.measured.carries(self.now, &packet);
        let twist = if self.healed { Twist::Nothing } else { self.hostile.twists(&mut packet) };
        match twist {
            Twist::Nothing => self.pass(packet),
            Twist::Otherwise(how) => {
                self.note(packet.from, format_args!("twists {}: {how}", packet.call));
                self.pass(packet);
            }
            Twist::Held(length) => {
                self.note(packet.from, format_args!("holds back {} for {length}", packet.call));
                self.after(length, Event::Held(Box::new(packet)));
            }
        }
    }

    /// A packet that was held back goes on its way after all, after others that were sent later. What is held when all heals
    /// never does.
    pub(crate) fn lets_through(&mut self, packet: Packet) {
        if self.healed {
            return self.note(packet.from, format_args!("drops {}, held back", packet.call));
        }
        self.note(packet.from, format_args!("lets through {}, held back", packet.call));
        self.pass(packet);
    }

    /// The network takes a packet.
    fn pass(&mut self, packet: Packet) {
        let Packet { call, from, to, .. } = packet;
        match self.network.passes(self.now, (from, to), packet.body.len()) {
            Passage::Cut => self.note(format_args!("{from}>{to}"), format_args!("cut off {call}")),
            Passage::Lost => self.note(format_args!("{from}>{to}"), format_args!("lost {call}")),
            Passage::Once(arrival) => self.at(arrival, Event::Arrive(Box::new(packet))),
            Passage::Twice(first, second) => {
                self.note(format_args!("{from}>{to}"), format_args!("twice {call}"));
                let copy = Box::new(packet.clone());
                self.at(first, Event::Arrive(Box::new(packet)));
                self.at(second, Event::Arrive(copy));
            }
        }
    }
}
