//! The time that the machine is told, made of two clocks: it starts at the wall clock and then runs with the boot clock, which counts
//! suspend and which nobody sets (F-6). Who drives the machine reads both; the service and the simulated node put them together here.

use yiqiao_proto::time::{Millis, Timestamp};

use crate::limits::CLOCKS_APART_MAX;

/// Two clocks as one: what both showed when they were last put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    wall: Timestamp,
    boot: Millis,
}

/// What the clocks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The time for the machine.
    pub now: Timestamp,
    /// The two had parted and were put together again: every lease is void (F-6).
    pub jumped: bool,
}

impl Clocks {
    /// Puts together what the wall clock shows, and the time since the computer was started.
    pub const fn new(wall: Timestamp, boot: Millis) -> Self {
        Self { wall, boot }
    }

    /// The time when the boot clock shows this, by it alone.
    pub fn at(&self, boot: Millis) -> Timestamp {
        self.wall + Millis::new(boot.get().saturating_sub(self.boot.get()))
    }

    /// The time when the clocks show this; first of all puts clocks that have parted together again. Only then may time run backwards.
    pub fn read(&mut self, wall: Timestamp, boot: Millis) -> Reading {
        let now = self.at(boot);
        if now.since(wall).max(wall.since(now)) <= CLOCKS_APART_MAX {
            return Reading { now, jumped: false };
        }
        *self = Self::new(wall, boot);
        Reading { now: wall, jumped: true }
    }
}
