//! What breaks, and when: each kind at its own rate and from its own stream.

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_proto::time::Millis;
use yiqiao_simnet::chance::Chance;

use crate::hub::{Event, Hub};
use crate::network::Who;
use crate::randomness::{Part, stream};
use crate::setup::{Kept, Rates, Setup};

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The power of a process goes, some steps later.
    Crash,
    /// A way is cut, or all ways between two parts of the region.
    Cut,
    /// A connection is reset.
    Reset,
    /// A process stands still, or its ways are slow.
    Pause,
    /// A disk is full, or slow, or fails a sync.
    Disk,
    /// A byte of a disk is not what was written any more.
    Rot,
    /// The full disk of a process has room again.
    Room(Who),
    /// A wall clock is set.
    Clock,
    /// The registry stands still, another process begins a term over its log, and then it goes on.
    Takeover,
}

/// All that may break.
pub(crate) struct Faults {
    every: BTreeMap<Fault, u64>,
    chances: BTreeMap<Fault, Chance>,
    seed: u64,
    /// How many have struck, and which of them do.
    pub(crate) struck: u64,
    kept: Option<BTreeSet<u64>>,
}

/// What a fault does to the processes themselves; what it does to the network is done.
pub(crate) enum Blow {
    None,
    Pause(Who, Millis),
    Room(Who, Option<u64>),
    FailSync(Who, u64),
    /// A disk is slow.
    Slow(Who, Millis),
    Rot(Who),
    Clock(Who, i64),
    /// For how long it stands still, and whose calls still come to it afterwards.
    Takeover(Millis, Who),
}

impl Faults {
    pub(crate) fn new(setup: &Setup, rates: &Rates) -> Self {
        let seed = setup.seed;
        let kinds = [
            (Fault::Crash, rates.crashes),
            (Fault::Cut, rates.cuts),
            (Fault::Reset, rates.resets),
            (Fault::Pause, rates.pauses),
            (Fault::Disk, rates.disks),
            (Fault::Clock, rates.clocks),
            (Fault::Rot, rates.rot),
            (Fault::Takeover, rates.takeovers),
        ];
        let chance =
            |(at, (fault, _)): (usize, &(Fault, u64))| (*fault, stream(seed, Part::Faults, at as u64));
        Self {
            chances: kinds.iter().enumerate().map(chance).collect(),
            every: kinds.into(),
            seed,
            struck: 0,
            kept: setup.kept.faults.clone(),
        }
    }

    /// The first of each kind.
    pub(crate) fn begin(&mut self, hub: &mut Hub) {
        let kinds: Vec<Fault> = self.every.keys().copied().collect();
        kinds.into_iter().for_each(|fault| self.later(hub, fault));
    }

    /// The next of a kind.
    fn later(&mut self, hub: &mut Hub, fault: Fault) {
        let every = self.every.get(&fault).copied().unwrap_or(0);
        if let Some(chance) = self.chances.get_mut(&fault).filter(|_| every > 0) {
            hub.after(Millis::new(1 + chance.below(every * 120_000)), Event::Fault(fault));
        }
    }

    /// Something breaks.
    pub(crate) fn strike(&mut self, hub: &mut Hub, fault: Fault, nodes: u16) -> Blow {
        self.later(hub, fault);
        if let Fault::Room(who) = fault {
            return Blow::Room(who, None);
        }
        let number = self.struck;
        self.struck += 1;
        if !Kept::has(self.kept.as_ref(), number) {
            return Blow::None;
        }
        // Each from a stream of its own: what does not strike moves no other.
        let chance = &mut stream(self.seed, Part::Faults, 100 + number);
        let number = |chance: &mut Chance| u16::try_from(chance.below(u64::from(nodes) + 1)).unwrap_or(0);
        let who = Who(number(chance));
        let seconds = |chance: &mut Chance, most: u64| Millis::from_secs(1 + chance.below(most));
        match fault {
            Fault::Crash => {
                let steps = chance.below(40);
                hub.cut_power(who, steps);
                hub.note(who, format_args!("power goes after {steps} steps"));
                Blow::None
            }
            Fault::Cut => {
                cut(hub, chance, who, nodes);
                Blow::None
            }
            Fault::Reset => {
                let other = Who(number(chance));
                hub.network.reset(who, other);
                hub.note(who, format_args!("reset {other}"));
                Blow::None
            }
            Fault::Pause if chance.percent(50) => {
                let until = hub.now + seconds(chance, 60);
                hub.network.slow(who, until);
                hub.note(who, format_args!("is slow"));
                Blow::None
            }
            Fault::Pause => Blow::Pause(who, seconds(chance, 45)),
            Fault::Disk if chance.percent(60) => {
                hub.after(seconds(chance, 60), Event::Fault(Fault::Room(who)));
                Blow::Room(who, Some(chance.below(3_000)))
            }
            Fault::Disk if chance.percent(50) => Blow::Slow(who, seconds(chance, 60)),
            Fault::Disk => Blow::FailSync(who, chance.below(6)),
            Fault::Clock if who == Who::REGISTRY => Blow::Clock(who, chance.between(-3_000, 3_000)),
            Fault::Clock if chance.percent(50) => Blow::Clock(who, chance.between(-3_000, 3_000)),
            Fault::Clock => Blow::Clock(who, chance.between(-600_000, 600_000)),
            Fault::Rot => Blow::Rot(who),
            Fault::Takeover => Blow::Takeover(seconds(chance, 45), Who(1 + number(chance) % nodes.max(1))),
            Fault::Room(_) => Blow::None,
        }
    }
}

/// Cuts one way of a process, all from it, all to it, or both.
fn cut(hub: &mut Hub, chance: &mut Chance, who: Who, nodes: u16) {
    let until = hub.now + Millis::from_secs(3 + chance.below(100));
    let (out, back) = (chance.percent(70), chance.percent(70));
    let only =
        chance.percent(40).then(|| Who(u16::try_from(chance.below(u64::from(nodes) + 1)).unwrap_or(0)));
    for other in (0..=nodes).map(Who).filter(|other| only.is_none_or(|only| only == *other)) {
        if out {
            hub.network.cut(who, other, until);
        }
        if back {
            hub.network.cut(other, who, until);
        }
    }
    let only = only.map_or_else(|| "all".to_owned(), |only| only.to_string());
    hub.note(who, format_args!("cut out {out} back {back} {only}"));
}
