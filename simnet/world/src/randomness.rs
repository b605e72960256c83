//! Where the world's chance comes from: a stream for each part, and fresh entropy for the machines.

use yiqiao_proto::entropy::Entropy;
use yiqiao_simnet::chance::{Chance, Domain};

/// What draws.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Rates = 1,
    Link,
    Faults,
    Disk,
    Clock,
    Entropy,
    Senders,
    People,
    Crash,
    Members,
    Hostile,
    Twin,
    Mistakes,
    Long,
    Borrowed,
    Policy,
    Size,
}

/// The stream of one thing of a part.
pub(crate) fn stream(seed: u64, part: Part, index: u64) -> Chance {
    Chance::new(seed, Domain::World, (part as u64) << 32 | index)
}

/// What a process takes from the generator of its operating system: never the same twice, whatever crashes.
#[derive(Debug)]
pub(crate) struct Fountain {
    seed: u64,
    index: u64,
    drawn: u64,
}

impl Fountain {
    pub(crate) const fn new(seed: u64, index: u64) -> Self {
        Self { seed, index, drawn: 0 }
    }

    pub(crate) fn bytes(&mut self) -> [u8; 32] {
        self.entropy().bytes()
    }

    pub(crate) fn entropy(&mut self) -> Entropy {
        self.drawn += 1;
        let mut key = [0; 32];
        let parts = [Part::Entropy as u64, self.seed, self.index, self.drawn];
        for (into, part) in key.chunks_exact_mut(8).zip(parts) {
            into.copy_from_slice(&part.to_be_bytes());
        }
        Entropy::new(key)
    }
}
