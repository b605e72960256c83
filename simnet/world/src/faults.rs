//! What breaks, and when: each kind at its own rate and from its own stream.

use core::fmt;
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
                let until = hub.now + Millis::from_secs(3 + chance.below(100));
                let cut = Cut::draw(chance, who, nodes);
                cut.ways(nodes).for_each(|(from, to)| hub.network.cut(from, to, until));
                hub.note(who, format_args!("cut {cut} for {}", until.since(hub.now)));
                Blow::None
            }
            Fault::Reset => {
                let other = another(chance, who, nodes);
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

/// Ways of a process that are cut.
#[derive(Clone, Copy, Debug)]
struct Cut {
    who: Who,
    /// What goes out, and what comes back: one of them at least.
    out: bool,
    back: bool,
    /// To and from this one alone; otherwise all.
    only: Option<Who>,
}

impl Cut {
    fn draw(chance: &mut Chance, who: Who, nodes: u16) -> Self {
        let out = chance.percent(70);
        let back = !out || chance.percent(70);
        let only = chance.percent(40).then(|| another(chance, who, nodes));
        Self { who, out, back, only }
    }

    /// The ways that it cuts: from whom, and to whom.
    fn ways(self, nodes: u16) -> impl Iterator<Item = (Who, Who)> {
        let Self { who, out, back, only } = self;
        let others = (0..=nodes).map(Who).filter(move |other| *other != who);
        let others = others.filter(move |other| only.is_none_or(|only| only == *other));
        others.flat_map(move |other| {
            let (there, here) = (out.then_some((who, other)), back.then_some((other, who)));
            there.into_iter().chain(here)
        })
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { out, back, only, .. } = self;
        write!(f, "out {out} back {back} ")?;
        match only {
            None => f.write_str("all"),
            Some(only) => only.fmt(f),
        }
    }
}

/// Some other process than this one.
fn another(chance: &mut Chance, who: Who, nodes: u16) -> Who {
    let drawn = u16::try_from(chance.below(u64::from(nodes.max(1)))).unwrap_or(0);
    Who(if drawn < who.0 { drawn } else { drawn + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cut_that_is_drawn_cuts_a_way() {
        for number in 0..1_000 {
            let chance = &mut stream(7, Part::Faults, number);
            let (who, nodes) = (Who(u16::try_from(number % 4).expect("small")), 3);
            let cut = Cut::draw(chance, who, nodes);
            let ways: Vec<_> = cut.ways(nodes).collect();
            assert!(!ways.is_empty(), "{cut}");
            assert!(ways.iter().all(|(from, to)| from != to && from.0.max(to.0) <= nodes), "{cut}: {ways:?}");
        }
    }

    #[test]
    fn another_process_is_any_but_the_one() {
        let chance = &mut stream(7, Part::Faults, 0);
        let drawn: BTreeSet<Who> = (0..200).map(|_| another(chance, Who(1), 3)).collect();
        assert_eq!(drawn, [0, 2, 3].map(Who).into());
    }
}
