//! What travels between processes: late, in another order, twice or not at all. Connections that are reset lose the calls
//! on them.

use core::fmt;
use std::collections::BTreeMap;

use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_simnet::chance::Chance;

use crate::limits::BYTES_PER_MS;
use crate::randomness::{Part, stream};
use crate::setup::Rates;

/// A process: the registry is 0, the nodes count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who(pub(crate) u16);

impl Who {
    pub(crate) const REGISTRY: Self = Self(0);
    /// A second process with the registry's keys, at the registry's address.
    pub(crate) const TWIN: Self = Self(u16::MAX);
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::REGISTRY => f.write_str("r"),
            Self::TWIN => f.write_str("r'"),
            Self(number) => write!(f, "n{number}"),
        }
    }
}

/// A call, by a number of its own.
pub(crate) type CallId = u64;

/// What travels.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) call: CallId,
    pub(crate) from: Who,
    pub(crate) to: Who,
    /// Of which method the call is; of a stretch of a document none.
    pub(crate) method: u16,
    /// The connection that it travels on: a reset begins another.
    pub(crate) connection: u64,
    pub(crate) body: Carried,
}

/// What a packet carries.
#[derive(Clone, Debug)]
pub(crate) enum Carried {
    /// A call of a method.
    Call { method: u16, request: Vec<u8> },
    /// A request for a stretch of a document.
    Pull { request: Vec<u8> },
    /// What is answered, or the bytes of a refusal.
    Answer(Result<Vec<u8>, Vec<u8>>),
}

impl Carried {
    /// How long it is.
    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::Call { request, .. } | Self::Pull { request } => request.len(),
            Self::Answer(Ok(bytes) | Err(bytes)) => bytes.len(),
        }
    }
}

/// What becomes of a packet on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// Its way is cut.
    Cut,
    /// It is lost.
    Lost,
    /// It arrives.
    Once(Timestamp),
    /// It arrives two times.
    Twice(Timestamp, Timestamp),
}

/// All ways between processes.
#[derive(Debug)]
pub(crate) struct Network {
    seed: u64,
    rates: Rates,
    ways: BTreeMap<(Who, Who), Way>,
    connections: BTreeMap<(Who, Who), u64>,
    slow: BTreeMap<Who, Timestamp>,
}

/// One way between two processes.
#[derive(Debug)]
struct Way {
    chance: Chance,
    latency: u64,
    cut_until: Timestamp,
}

impl Network {
    pub(crate) const fn new(seed: u64, rates: Rates) -> Self {
        Self { seed, rates, ways: BTreeMap::new(), connections: BTreeMap::new(), slow: BTreeMap::new() }
    }

    /// What becomes of so many bytes that are sent now.
    pub(crate) fn passes(&mut self, now: Timestamp, (from, to): (Who, Who), bytes: usize) -> Passage {
        let rates = self.rates;
        let slow = [from, to].iter().any(|who| self.slow.get(who).is_some_and(|until| *until > now));
        let way = self.way(from, to);
        if way.cut_until > now {
            return Passage::Cut;
        }
        if way.chance.below(1_000) < rates.lost {
            return Passage::Lost;
        }
        let twice = way.chance.below(1_000) < rates.twice;
        let mut arrival = || {
            let sending = bytes as u64 / BYTES_PER_MS;
            let on_the_way = way.latency + way.chance.below(rates.jitter + 1) + sending;
            now + Millis::new(if slow { 500 + 10 * on_the_way } else { on_the_way })
        };
        let first = arrival();
        if twice { Passage::Twice(first, arrival()) } else { Passage::Once(first) }
    }

    /// The connection between two processes now.
    pub(crate) fn connection(&self, one: Who, other: Who) -> u64 {
        self.connections.get(&pair(one, other)).copied().unwrap_or(0)
    }

    /// Resets it: what is on the way is lost.
    pub(crate) fn reset(&mut self, one: Who, other: Who) {
        *self.connections.entry(pair(one, other)).or_default() += 1;
    }

    /// Nothing goes this way until then.
    pub(crate) fn cut(&mut self, from: Who, to: Who, until: Timestamp) {
        let way = self.way(from, to);
        way.cut_until = way.cut_until.max(until);
    }

    /// What comes from or goes to a process takes long until then.
    pub(crate) fn slow(&mut self, who: Who, until: Timestamp) {
        self.slow.insert(who, until);
    }

    /// Nothing is cut, slow, lost or doubled from now on.
    pub(crate) fn heal(&mut self) {
        (self.rates.lost, self.rates.twice) = (0, 0);
        self.slow.clear();
        self.ways.values_mut().for_each(|way| way.cut_until = Timestamp::MIN);
    }

    fn way(&mut self, from: Who, to: Who) -> &mut Way {
        let (seed, latency) = (self.seed, self.rates.latency);
        self.ways.entry((from, to)).or_insert_with(|| {
            let mut chance = stream(seed, Part::Link, u64::from(from.0) << 16 | u64::from(to.0));
            let latency = 1 + chance.below(latency);
            Way { chance, latency, cut_until: Timestamp::MIN }
        })
    }
}

fn pair(one: Who, other: Who) -> (Who, Who) {
    if one < other { (one, other) } else { (other, one) }
}
