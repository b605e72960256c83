//! A run from its first event to its verdict: first safety under faults, then all heals, and everything must come to rest
//! within a bound; then every hospital searches for everybody it knows.

use std::collections::BTreeMap;
use std::io::{self, Write};

use yiqiao_journal::sim::SimDisk;
use yiqiao_proto::time::{Millis, Timestamp};

use crate::authority::{Authority, Change, Deed, compromised};
use crate::clock::Clock;
use crate::disk::Volume;
use crate::faults::{Blow, Fault, Faults};
use crate::hostile::Hostile;
use crate::hub::{Event, Hub, Stopped};
use crate::limits::{LOOK_EVERY, REST_WITHIN, START_AGAIN};
use crate::load::{Counts, Load, code_of, residents, towns};
use crate::maker::Maker;
use crate::measured::Measured;
use crate::network::{Network, Packet, Who};
use crate::node::Node;
use crate::oracle::{Finding, Oracle};
pub use crate::oracle::{Violation, Wrong};
use crate::plant::Plant;
use crate::randomness::{Part, stream};
use crate::region::Region;
use crate::registry::Registry;
use crate::rest;
use crate::setup::{Attack, Happening, Kept, Rates, Scripted, Setup, SetupError};
use crate::trace::Trace;
use crate::twin::{Twin, successor};

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the seed drew.
    pub rates: Rates,
    /// What people did.
    pub counts: Counts,
    /// Words in the registry's log.
    pub words: u64,
    /// Crashes, among them processes that ended by themselves.
    pub crashes: u64,
    /// Events of the world.
    pub events: u64,
    /// How long the world lived, in milliseconds.
    pub lived_ms: u64,
    /// Digest of the trace.
    pub digest: String,
    /// How much the seed drew: what can be left out (see [`crate::setup::Kept`]).
    pub drawn: Drawn,
    /// What was measured.
    pub measured: Measured,
    /// What must not be, if it was.
    pub violation: Option<Violation>,
}

/// How much a seed drew until the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// Faults.
    pub faults: u64,
    /// What the authority did.
    pub deeds: u64,
    /// People who came.
    pub people: u64,
    /// Inputs of systems.
    pub inputs: u64,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no such world.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The trace cannot be written.
    #[error("the trace cannot be written: {0}")]
    Trace(#[from] io::Error),
}

/// How far a run is, told at each full hour of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many hours the world has lived, of so many during which people act.
    pub hours: (u64, u64),
    /// Events so far.
    pub events: u64,
    /// Messages whose senders have their answer.
    pub messages: u64,
}

/// Runs a world; its trace goes to `sink`, if there is one.
///
/// # Errors
/// [`RunError`] if there is no such world, or its trace cannot be written.
pub fn run(setup: &Setup, sink: Option<Box<dyn Write>>) -> Result<Report, RunError> {
    run_watched(setup, sink, &mut |_| {})
}

/// Runs a world of which somebody waits for the end.
///
/// # Errors
/// See [`run`].
pub fn run_watched(
    setup: &Setup,
    sink: Option<Box<dyn Write>>,
    watch: &mut dyn FnMut(Progress),
) -> Result<Report, RunError> {
    setup.check()?;
    let mut world = World::new(setup, sink);
    world.live(watch);
    Ok(world.report()?)
}

const HOUR_MS: u64 = 3_600_000;

/// When every world begins: after all that its hospitals have recorded.
const BEGAN_MS: i64 = 1_767_250_800_000;

/// The file in which a registry keeps its term.
const TERM: &str = "term.register";

struct World {
    hub: Hub,
    registry: Registry,
    /// A second process in the registry's place, and a copy of the log to which the registry is to go back.
    twin: Option<Twin>,
    copy: Option<Volume>,
    /// How many processes and copies were made while the world ran.
    twins: u64,
    nodes: BTreeMap<Who, Node>,
    load: Load,
    faults: Faults,
    rates: Rates,
    began: Timestamp,
    ends: Timestamp,
    events: u64,
    crashes: u64,
    phase: Phase,
    /// Until when processes are away.
    away: BTreeMap<Who, Timestamp>,
    /// Draws of the authority.
    deeds: u64,
    setup: Setup,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Things break, people act.
    Harsh,
    /// Nothing breaks any more; all comes to rest.
    Resting,
    /// Every hospital searches.
    Looking,
    Over,
}

impl World {
    fn new(setup: &Setup, sink: Option<Box<dyn Write>>) -> Self {
        let began = Timestamp::from_unix_ms(BEGAN_MS).unwrap_or_default();
        let codes: Vec<_> = (0..setup.hospitals).map(code_of).collect();
        let (rates, towns) = (setup.rates(), towns(setup));
        let people = residents(setup, &towns);
        let later = joins_later(setup, &rates);
        let region = Region::new(setup, &codes, later, began);
        let hostile = rates.hostile.who(setup.hospitals);
        let network = Network::new(setup.seed, rates);
        let attack = rates.hostile.attack();
        let oracle = Oracle::new(began, region.clone(), &people, (hostile, attack));
        let attacker = Hostile::new(setup, region.clone(), (hostile, attack));
        let authority = Authority::new(setup.seed, region.clone(), later, rates.members);
        let mut hub =
            Hub::new(began, network, Trace::new(began, sink), oracle, authority, attacker, setup.plant);
        let maker = Maker { setup, region, rates, began };
        let load = Load::new(setup, &mut hub, towns, people);
        let mut numbers: Vec<u16> = (1..).take(setup.hospitals).collect();
        if setup.backwards {
            numbers.reverse();
        }
        let nodes = numbers.into_iter().map(|number| (Who(number), maker.node(Who(number)))).collect();
        let mut world = Self {
            registry: maker.registry(),
            twin: None,
            copy: None,
            twins: 0,
            nodes,
            load,
            faults: Faults::new(setup, &rates),
            rates,
            began,
            ends: began + Millis::new(setup.heals_at_ms.unwrap_or(setup.minutes * 60_000)),
            events: 0,
            crashes: 0,
            phase: Phase::Harsh,
            away: BTreeMap::new(),
            deeds: 0,
            setup: setup.clone(),
            hub,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        let hub = &mut self.hub;
        for who in std::iter::once(Who::REGISTRY).chain(self.nodes.keys().copied()) {
            hub.at(hub.now, Event::Start(who));
        }
        self.faults.begin(hub);
        draw_later(hub);
        if let Some(wait) = hub.hostile.next_call() {
            hub.after(wait, Event::Attack);
        }
        hub.at(self.ends, Event::Heal);
        for (at, scripted) in self.setup.script.iter().enumerate() {
            hub.at(self.began + Millis::from_secs(scripted.minute * 60), Event::Scripted(at));
        }
    }

    fn live(&mut self, watch: &mut dyn FnMut(Progress)) {
        let (mut hour, of) = (0, self.ends.since(self.began).get() / HOUR_MS);
        while self.phase != Phase::Over && self.hub.oracle.violation().is_none() {
            let Some(event) = self.hub.next() else { break };
            self.events += 1;
            if self.hub.now.since(self.began).get() / HOUR_MS > hour {
                hour += 1;
                let messages = self.load.counts.messages;
                watch(Progress { hours: (hour, of), events: self.events, messages });
            }
            self.hub.oracle.has_seen(self.hub.now, self.events);
            self.happen(event);
            while let Some((id, told)) = self.hub.told.pop_front() {
                self.load.told(&mut self.hub, &mut self.nodes, id, told);
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive(packet) => self.arrive(*packet),
            Event::Held(packet) => self.hub.lets_through(*packet),
            Event::GiveUp(who, call) => {
                if self.hub.ends(call)
                    && let Some(node) = self.nodes.get_mut(&who)
                {
                    node.answered(&mut self.hub, call, None);
                }
            }
            Event::Work(who) => self.work(who),
            Event::Later(who, starts, later) => match self.nodes.get_mut(&who) {
                Some(node) if node.starts == starts => node.later(&mut self.hub, later),
                None if who == Who::TWIN => {
                    if let Some(twin) = self.twin.as_mut().filter(|twin| twin.registry.starts == starts) {
                        twin.registry.later(&mut self.hub, later);
                    }
                }
                None if self.registry.starts == starts => self.registry.later(&mut self.hub, later),
                Some(_) | None => {}
            },
            Event::Start(who) => self.start(who),
            Event::Act(id, act) => self.load.act(&mut self.hub, &mut self.nodes, id, act),
            Event::Fault(fault) => self.strike(fault),
            Event::Scripted(at) => self.scripted(at),
            Event::Attack if self.hub.healed => {}
            Event::Attack => self.attack(),
            Event::Deed(deed) => self.deed(deed),
            Event::Heal => self.heal(),
            Event::Look => self.look(),
        }
    }

    fn arrive(&mut self, packet: Packet) {
        if !self.hub.stands(&packet) {
            return;
        }
        match self.nodes.get_mut(&packet.to) {
            Some(node) => node.arrive(&mut self.hub, packet),
            None => {
                let twin = self.twin.as_mut().filter(|twin| twin.takes(&packet));
                twin.map_or(&mut self.registry, |twin| &mut twin.registry).arrive(&mut self.hub, &packet);
            }
        }
    }

    fn work(&mut self, who: Who) {
        let worked = match self.nodes.get_mut(&who) {
            Some(node) => node.work(&mut self.hub),
            None if who == Who::TWIN => return self.work_twin(),
            None => self.registry.work(&mut self.hub),
        };
        if let Err(stopped) = worked {
            self.stop(who, &stopped);
        }
    }

    fn work_twin(&mut self) {
        let Some(twin) = &mut self.twin else { return };
        if let Err(stopped) = twin.registry.work(&mut self.hub) {
            self.hub.note(Who::TWIN, format_args!("ended: {stopped:?}"));
            self.end_twin();
        }
    }

    fn end_twin(&mut self) {
        if let Some(mut twin) = self.twin.take() {
            twin.registry.stop();
        }
    }

    /// Another process begins a term over the registry's log while this one stands still; then it goes on, and calls of a member
    /// still come to it (L-10).
    fn take_over(&mut self, length: Millis, of: Who) {
        if self.twin.is_some() || !self.registry.is_running() {
            return;
        }
        let hub = &mut self.hub;
        hub.note(
            Who::REGISTRY,
            format_args!("stands still for {length} and is succeeded; {of} calls it still"),
        );
        let next = successor(&self.registry, self.setup.seed, self.twins);
        self.twins += 1;
        let mut old = std::mem::replace(&mut self.registry, next);
        old.is_succeeded(hub, hub.now + length);
        self.twin = Some(Twin { registry: old, of, is_shown: true, feeds_only: false });
        hub.after(Millis::new(length.get() / 3), Event::Start(Who::REGISTRY));
    }

    /// Whoever has the registry's keys does something with them; or a hospital's attacker makes a call.
    fn attack(&mut self) {
        let (seed, number) = (self.setup.seed, self.twins);
        let attack = self.hub.hostile.attack;
        let feeds_only = match attack {
            Some(Attack::Fork) => false,
            Some(Attack::Stale) => true,
            Some(Attack::Rewind) => {
                self.hub.attack_again();
                return self.rewind();
            }
            Some(Attack::Packets | Attack::Omit | Attack::Bend) | None => return self.hub.attack(),
        };
        self.hub.attack_again();
        let hub = &mut self.hub;
        if let Some(twin) = &mut self.twin {
            twin.is_shown = !twin.is_shown;
            return hub.note(Who::TWIN, format_args!("is shown to {}: {}", twin.of, twin.is_shown));
        }
        let mut twin = Twin::copy_of(&self.registry, seed, number, hub.hostile.victim, feeds_only);
        self.twins += 1;
        match twin.registry.start(hub) {
            Ok(()) => self.twin = Some(twin),
            Err(why) => hub.note(Who::TWIN, format_args!("does not start: {why}")),
        }
    }

    /// Takes a copy of the log; the next time the registry goes back to it, every other time in a term that is new.
    fn rewind(&mut self) {
        let number = self.twins;
        self.twins += 1;
        let Some(mut copy) = self.copy.take() else {
            let chance = stream(self.setup.seed, Part::Twin, 2 * number);
            self.hub.note(Who::REGISTRY, format_args!("is copied"));
            let mut copy = self.registry.volume.copy(chance);
            if self.hub.has_plant(Plant::RotUnknown) {
                copy.forget_rot();
            }
            self.copy = Some(copy);
            return;
        };
        self.stop(Who::REGISTRY, &Stopped::Power);
        self.hub.note(Who::REGISTRY, format_args!("goes back to a copy"));
        if number % 4 == 1 {
            copy.take_file(TERM, &self.registry.volume);
        }
        self.registry.volume = copy;
    }

    /// A process is gone, by its power or by itself; it is started again.
    fn stop(&mut self, who: Who, stopped: &Stopped) {
        self.crashes += 1;
        let volume = match self.nodes.get_mut(&who) {
            Some(node) => {
                node.stop();
                &mut node.volume
            }
            None => {
                self.registry.stop();
                &mut self.registry.volume
            }
        };
        let hub = &mut self.hub;
        match stopped {
            Stopped::Power => {
                volume.crash();
                hub.note(who, format_args!("power gone"));
            }
            Stopped::Ended(why) => {
                hub.note(who, format_args!("ended: {why}"));
                if !is_of_world(why) {
                    hub.oracle.blames(hub.now, who, Wrong::Ended.of(why));
                }
            }
        }
        let down = Millis::new(200 + volume.draw(20_000));
        hub.after(down, Event::Start(who));
    }

    fn start(&mut self, who: Who) {
        if let Some(until) = self.away.get(&who).filter(|until| **until > self.hub.now) {
            return self.hub.at(*until, Event::Start(who));
        }
        let is_running = self.nodes.get(&who).map_or(self.registry.is_running(), Node::is_running);
        if is_running {
            return;
        }
        let started = match self.nodes.get_mut(&who) {
            Some(node) => node.start(&mut self.hub),
            None => self.registry.start(&mut self.hub),
        };
        if let Err(why) = started {
            self.hub.note(who, format_args!("does not start: {why}"));
            if !self.volume(who).restore() && !is_of_world(&why) {
                self.hub.oracle.blames(self.hub.now, who, Wrong::NotStarting.of(why));
            }
            self.hub.after(START_AGAIN, Event::Start(who));
        }
    }

    fn strike(&mut self, fault: Fault) {
        if self.hub.healed {
            return;
        }
        let nodes = u16::try_from(self.nodes.len()).unwrap_or(u16::MAX);
        let hub = &mut self.hub;
        match self.faults.strike(hub, fault, nodes) {
            Blow::None => {}
            Blow::Pause(who, length) => {
                let until = hub.now + length;
                hub.note(who, format_args!("stands still for {length}"));
                match self.nodes.get_mut(&who) {
                    Some(node) => node.paused_until = until,
                    None => self.registry.paused_until = until,
                }
            }
            Blow::Room(who, room) => {
                hub.note(who, format_args!("disk room {room:?}"));
                self.disk(who).set_room(room);
            }
            Blow::FailSync(who, successes) => {
                hub.note(who, format_args!("disk fails a sync"));
                self.disk(who).fail_sync_after(successes);
            }
            Blow::Slow(who, length) => {
                hub.note(who, format_args!("disk is slow for {length}"));
                let until = hub.now + length;
                self.volume(who).is_slow(until);
            }
            Blow::Rot(who) => self.rot(who),
            Blow::Takeover(length, of) => self.take_over(length, of),
            Blow::Clock(who, offset) => {
                hub.note(who, format_args!("clock off by {offset} ms"));
                let now = hub.now;
                self.clock(who).set(now, offset);
            }
        }
    }

    /// What is written to happen happens.
    fn scripted(&mut self, at: usize) {
        let Some(Scripted { what, who, minutes, .. }) = self.setup.script.get(at).cloned() else { return };
        let (who, nodes) = (Who(who), u16::try_from(self.nodes.len()).unwrap_or(u16::MAX));
        if who.0 > nodes {
            return;
        }
        let hub = &mut self.hub;
        let until = hub.now + Millis::from_secs(minutes * 60);
        hub.note(who, format_args!("scripted: {what:?} for {minutes} min"));
        let sign = |change| Deed::Sign(change);
        match what {
            Happening::Away => {
                self.away.insert(who, until);
                self.stop(who, &Stopped::Power);
            }
            Happening::Split => {
                let far = |who: Who| who.0 > nodes / 2;
                let all = (0..=nodes).flat_map(|one| (0..=nodes).map(move |other| (Who(one), Who(other))));
                for (one, other) in all.filter(|(one, other)| far(*one) != far(*other)) {
                    hub.network.cut(one, other, until);
                }
            }
            Happening::Full => {
                hub.at(until, Event::Fault(Fault::Room(who)));
                self.disk(who).set_room(Some(0));
            }
            Happening::Slow => self.volume(who).is_slow(until),
            Happening::FailSync => self.disk(who).fail_sync_after(0),
            Happening::Rot => self.rot(who),
            Happening::Takeover => self.take_over(Millis::from_secs(minutes * 60), who),
            Happening::Suspend => {
                plan(hub, Millis::new(0), sign(Change::Suspend(who)));
                plan(hub, Millis::from_secs(minutes * 60), sign(Change::Restore(who)));
            }
            Happening::Rotate => {
                plan(hub, Millis::new(0), sign(Change::WordsKey(who)));
                plan(hub, Millis::new(0), sign(Change::SealingKey(who)));
                plan(hub, Millis::from_secs(30), Deed::Rekey(who));
                plan(hub, Millis::from_secs(60), sign(Change::Retire(who)));
            }
            Happening::Compromise => {
                let (soon, then) = (Millis::from_secs(20), Millis::from_secs(40));
                let deeds = compromised(who, u64::MAX, soon, then);
                deeds.into_iter().for_each(|(wait, deed)| plan(hub, wait, deed));
            }
            Happening::List => plan(hub, Millis::new(0), sign(Change::Nothing)),
            Happening::RevokeAll => self.load.revoke_all(hub),
            Happening::ForbidAll => self.load.forbid_all(hub),
            Happening::AskAll => self.load.ask_all(hub),
            Happening::PermitAll => self.load.permit_all(hub),
            Happening::LookAll => self.load.look_all(hub),
            Happening::PullAll => self.load.pull_all(hub),
            Happening::Deaf => hub.network.cut(Who::REGISTRY, who, until),
            // The load has them among its own.
            Happening::Merge | Happening::Lend => {}
        }
    }

    /// A disk rots while its process is gone: what the process finds at its next start is not what it wrote. It may start all the
    /// same, if it needs none of that, and must not start otherwise.
    fn rot(&mut self, who: Who) {
        self.stop(who, &Stopped::Power);
        if let Some((file, offset)) = self.volume(who).rot() {
            self.hub.note(who, format_args!("rot in {file} at {offset}"));
        }
    }

    fn volume(&mut self, who: Who) -> &mut Volume {
        self.nodes.get_mut(&who).map_or(&mut self.registry.volume, |node| &mut node.volume)
    }

    fn disk(&self, who: Who) -> &SimDisk {
        self.nodes.get(&who).map_or(&self.registry.volume.disk, |node| &node.volume.disk)
    }

    fn clock(&mut self, who: Who) -> &mut Clock {
        self.nodes.get_mut(&who).map_or(&mut self.registry.clock, |node| &mut node.clock)
    }

    /// Nothing breaks any more, and nobody comes.
    fn heal(&mut self) {
        let hub = &mut self.hub;
        hub.note("world", format_args!("heals"));
        hub.healed = true;
        if let Some(twin) = &mut self.twin {
            twin.is_shown = false;
        }
        hub.network.heal();
        hub.keep_power();
        self.load.is_over = true;
        hub.oracle.measured.end();
        if let Some(deed) = hub.authority.last_deeds() {
            plan(hub, Millis::new(0), deed);
        }
        let now = hub.now;
        let whos: Vec<Who> = std::iter::once(Who::REGISTRY).chain(self.nodes.keys().copied()).collect();
        for who in whos {
            self.disk(who).set_room(None);
            self.clock(who).set(now, 0);
        }
        // Who was told something else by the registry's computer may never trust it again: only safety is asked for.
        let forsaken = self.hub.hostile.is(Who::REGISTRY);
        self.phase = if forsaken { Phase::Over } else { Phase::Resting };
        self.hub.after(LOOK_EVERY, Event::Look);
    }

    /// Whether all has come to rest.
    fn look(&mut self) {
        if self.load.is_done()
            && let Some(lost) =
                self.nodes.values().find_map(|node| self.hub.oracle.check_messages(node).err())
        {
            self.hub.oracle.blames(self.hub.now, Who::REGISTRY, lost);
        }
        if let Err(wrong) = self.rests() {
            if self.hub.now > self.ends + REST_WITHIN {
                self.hub.oracle.blames(self.hub.now, Who::REGISTRY, wrong.at_rest());
            }
            return self.hub.after(LOOK_EVERY, Event::Look);
        }
        self.phase = match self.phase {
            Phase::Harsh | Phase::Resting => {
                self.hub.note("world", format_args!("rests"));
                self.load.look_for_all(&mut self.hub);
                self.hub.after(LOOK_EVERY, Event::Look);
                Phase::Looking
            }
            Phase::Looking | Phase::Over => Phase::Over,
        };
    }

    fn rests(&self) -> Result<(), Finding> {
        if self.hub.authority.planned > 0 {
            return Err(Wrong::DeedsLeft.into());
        }
        let newest = self.hub.authority.version();
        let now = self.hub.now;
        rest::has_come(now, &self.hub.oracle, &self.load, &self.registry, &self.nodes, newest)
    }

    /// The authority or an operator does something.
    fn deed(&mut self, deed: Deed) {
        let nodes = u16::try_from(self.nodes.len()).unwrap_or(u16::MAX);
        let hub = &mut self.hub;
        if deed != Deed::Draw {
            hub.authority.planned -= 1;
        }
        match deed {
            Deed::Draw if hub.healed => {}
            Deed::Draw => {
                let deeds = hub.authority.draw(nodes);
                let number = self.deeds;
                self.deeds += 1;
                if Kept::has(self.setup.kept.deeds.as_ref(), number) {
                    deeds.into_iter().for_each(|(wait, deed)| plan(hub, wait, deed));
                }
                draw_later(hub);
            }
            Deed::Sign(change) => {
                let words = hub.oracle.words().len() as u64;
                hub.authority.sign(hub.now, change, words);
                let version = hub.authority.version();
                hub.oracle.list_is_signed(version);
                hub.note("world", format_args!("list {version}: {change:?}"));
            }
            Deed::Rekey(who) => {
                let keys = hub.authority.rekey(who);
                hub.note(who, format_args!("gets keys {} {}", keys.words, keys.sealing));
                let Some(node) = self.nodes.get_mut(&who) else { return };
                node.keys = keys;
                if node.is_running() {
                    node.stop();
                    hub.after(Millis::from_secs(2), Event::Start(who));
                }
            }
        }
    }

    fn report(mut self) -> io::Result<Report> {
        let report = Report {
            rates: self.rates,
            counts: self.load.counts,
            words: self.registry.words().unwrap_or(0),
            crashes: self.crashes,
            events: self.events,
            lived_ms: self.hub.now.since(self.began).get(),
            digest: self.hub.trace.digest(),
            drawn: Drawn {
                faults: self.faults.struck,
                deeds: self.deeds,
                people: self.load.came,
                inputs: self.load.inputs,
            },
            violation: self.hub.oracle.violation().cloned(),
            measured: self.hub.oracle.measured,
        };
        self.hub.trace.close()?;
        Ok(report)
    }
}

/// Who joins after the beginning: in half of the worlds whose member list changes, the last hospital of three or more.
fn joins_later(setup: &Setup, rates: &Rates) -> Option<Who> {
    let last = u16::try_from(setup.hospitals).ok().map(Who)?;
    let joins = rates.members > 0 && setup.hospitals > 2;
    (joins && stream(setup.seed, Part::Members, 1).percent(50)).then_some(last)
}

fn draw_later(hub: &mut Hub) {
    if let Some(wait) = hub.authority.next_draw() {
        hub.after(wait, Event::Deed(Deed::Draw));
    }
}

fn plan(hub: &mut Hub, wait: Millis, deed: Deed) {
    hub.authority.planned += 1;
    hub.after(wait, Event::Deed(deed));
}

/// Whether a process ended by what the world did to its disk, and not by a fault of its own.
fn is_of_world(why: &str) -> bool {
    why.contains("(simulated)") || why.contains("a sync failed before")
}
