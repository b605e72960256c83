//! A run from its first event to its verdict: first safety under faults, then all heals, and everything must come to rest
//! within a bound; then every hospital searches for everybody it knows.

use std::collections::BTreeMap;
use std::io::{self, Write};

use yiqiao_journal::sim::SimDisk;
use yiqiao_proto::time::{Millis, Timestamp};

use crate::clock::Clock;
use crate::faults::{Blow, Fault, Faults};
use crate::hub::{Event, Hub, Stopped};
use crate::limits::{EVENTS_MAX, LOOK_EVERY, REST_WITHIN, START_AGAIN};
use crate::load::{Counts, Load, code_of, residents};
use crate::maker::Maker;
use crate::network::{Network, Packet, Who};
use crate::node::Node;
use crate::oracle::Oracle;
pub use crate::oracle::Violation;
use crate::region::Region;
use crate::registry::Registry;
use crate::rest;
use crate::setup::{Rates, Setup, SetupError};
use crate::trace::Trace;

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
    /// What must not be, if it was.
    pub violation: Option<Violation>,
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

/// Runs a world; its trace goes to `sink`, if there is one.
///
/// # Errors
/// [`RunError`] if there is no such world, or its trace cannot be written.
pub fn run(setup: &Setup, sink: Option<Box<dyn Write>>) -> Result<Report, RunError> {
    setup.check()?;
    let mut world = World::new(setup, sink);
    world.live();
    Ok(world.report()?)
}

/// When every world begins: after all that its hospitals have recorded.
const BEGAN_MS: i64 = 1_767_250_800_000;

struct World {
    hub: Hub,
    registry: Registry,
    nodes: BTreeMap<Who, Node>,
    load: Load,
    faults: Faults,
    rates: Rates,
    began: Timestamp,
    ends: Timestamp,
    events: u64,
    crashes: u64,
    phase: Phase,
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
        let region = Region::new(setup.seed, &codes, began);
        let (rates, people) = (Rates::of(setup.seed), residents(setup));
        let network = Network::new(setup.seed, rates);
        let oracle = Oracle::new(began, region.clone(), &people);
        let mut hub = Hub::new(began, network, Trace::new(began, sink), oracle, setup.plant);
        let maker = Maker { setup, region, rates, began };
        let load = Load::new(setup, &mut hub, people);
        let mut numbers: Vec<u16> = (1..).take(setup.hospitals).collect();
        if setup.backwards {
            numbers.reverse();
        }
        let nodes = numbers.into_iter().map(|number| (Who(number), maker.node(Who(number)))).collect();
        let mut world = Self {
            registry: maker.registry(),
            nodes,
            load,
            faults: Faults::new(setup.seed, &rates),
            rates,
            began,
            ends: began + Millis::from_secs(setup.minutes * 60),
            events: 0,
            crashes: 0,
            phase: Phase::Harsh,
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
        hub.at(self.ends, Event::Heal);
    }

    fn live(&mut self) {
        while self.phase != Phase::Over && self.hub.oracle.violation().is_none() {
            let Some(event) = self.hub.next() else { break };
            self.events += 1;
            if self.events > EVENTS_MAX {
                self.hub.oracle.blames(
                    self.hub.now,
                    Who::REGISTRY,
                    "the world does not come to rest: too many events",
                );
            }
            self.happen(event);
            while let Some((id, told)) = self.hub.told.pop_front() {
                self.load.told(&mut self.hub, &mut self.nodes, id, told);
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive(packet) => self.arrive(packet),
            Event::GiveUp(who, call) => {
                if let Some(node) = self.nodes.get_mut(&who) {
                    node.answered(&mut self.hub, call, None);
                }
            }
            Event::Work(who) => self.work(who),
            Event::Later(who, starts, later) => match self.nodes.get_mut(&who) {
                Some(node) if node.starts == starts => node.later(&mut self.hub, later),
                None if self.registry.starts == starts => self.registry.later(&mut self.hub, later),
                Some(_) | None => {}
            },
            Event::Start(who) => self.start(who),
            Event::Act(id, act) => self.load.act(&mut self.hub, &mut self.nodes, id, act),
            Event::Fault(fault) => self.strike(fault),
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
            None => self.registry.arrive(&mut self.hub, &packet),
        }
    }

    fn work(&mut self, who: Who) {
        let worked = match self.nodes.get_mut(&who) {
            Some(node) => node.work(&mut self.hub),
            None => self.registry.work(&mut self.hub),
        };
        if let Err(stopped) = worked {
            self.stop(who, &stopped);
        }
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
                    hub.oracle.blames(hub.now, who, &format!("the process ended: {why}"));
                }
            }
        }
        let down = Millis::new(200 + volume.draw(20_000));
        hub.after(down, Event::Start(who));
    }

    fn start(&mut self, who: Who) {
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
            if !is_of_world(&why) {
                self.hub.oracle.blames(self.hub.now, who, &format!("the process does not start: {why}"));
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
            Blow::Clock(who, offset) => {
                hub.note(who, format_args!("clock off by {offset} ms"));
                let now = hub.now;
                self.clock(who).set(now, offset);
            }
        }
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
        hub.network.heal();
        hub.keep_power();
        self.load.is_over = true;
        let now = hub.now;
        let whos: Vec<Who> = std::iter::once(Who::REGISTRY).chain(self.nodes.keys().copied()).collect();
        for who in whos {
            self.disk(who).set_room(None);
            self.clock(who).set(now, 0);
        }
        self.phase = Phase::Resting;
        self.hub.after(LOOK_EVERY, Event::Look);
    }

    /// Whether all has come to rest.
    fn look(&mut self) {
        if self.load.is_done()
            && let Some(lost) =
                self.nodes.values().find_map(|node| self.hub.oracle.check_messages(node).err())
        {
            self.hub.oracle.blames(self.hub.now, Who::REGISTRY, &lost);
        }
        if let Err(why) = rest::has_come(&self.hub.oracle, &self.load, &self.registry, &self.nodes) {
            if self.hub.now > self.ends + REST_WITHIN {
                self.hub.oracle.blames(
                    self.hub.now,
                    Who::REGISTRY,
                    &format!("no rest after all has healed: {why}"),
                );
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

    fn report(self) -> io::Result<Report> {
        let report = Report {
            rates: self.rates,
            counts: self.load.counts,
            words: self.registry.words().unwrap_or(0),
            crashes: self.crashes,
            events: self.events,
            lived_ms: self.hub.now.since(self.began).get(),
            digest: self.hub.trace.digest(),
            violation: self.hub.oracle.violation().cloned(),
        };
        self.hub.trace.close()?;
        Ok(report)
    }
}

/// Whether a process ended by what the world did to its disk, and not by a fault of its own.
fn is_of_world(why: &str) -> bool {
    why.contains("(simulated)") || why.contains("a sync failed before")
}
