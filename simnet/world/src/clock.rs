//! The clocks of a process: a wall clock that may be wrong, drift and be set, and a boot clock that only drifts. What a node's
//! machine is told is made of both, as in the node's service (F-6).

use yiqiao_proto::time::{Millis, Timestamp};

use yiqiao_node_core::clocks::{Clocks, Reading};

/// The clocks of one computer, and the time that its process makes of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// When both clocks began, in true time.
    origin: Timestamp,
    /// How far the wall clock was off then, in milliseconds.
    offset: i64,
    /// By how many millionths each runs too fast.
    wall_drift: i64,
    boot_drift: i64,
    /// What its process makes of both.
    clocks: Clocks,
}

impl Clock {
    pub(crate) fn new(origin: Timestamp, offset: i64, wall_drift: i64, boot_drift: i64) -> Self {
        let clocks = Clocks::new(origin, Millis::new(0));
        let mut clock = Self { origin, offset, wall_drift, boot_drift, clocks };
        clock.put_together(origin);
        clock
    }

    /// The wall clock at a true time.
    pub(crate) fn wall(&self, now: Timestamp) -> Timestamp {
        let elapsed = elapsed(self.origin, now);
        let ms = now.unix_ms() + self.offset + elapsed * self.wall_drift / 1_000_000;
        Timestamp::from_unix_ms(ms).unwrap_or(now)
    }

    /// Somebody sets the wall clock: it is off by so much from now on.
    pub(crate) fn set(&mut self, now: Timestamp, offset: i64) {
        self.offset = offset - elapsed(self.origin, now) * self.wall_drift / 1_000_000;
    }

    /// The process starts.
    pub(crate) fn put_together(&mut self, now: Timestamp) {
        self.clocks = Clocks::new(self.wall(now), self.boot(now));
    }

    /// The time of the process; first of all puts clocks that have parted together again.
    pub(crate) fn read(&mut self, now: Timestamp) -> Reading {
        let (wall, boot) = (self.wall(now), self.boot(now));
        self.clocks.read(wall, boot)
    }

    /// The time of the process, by the boot clock alone.
    pub(crate) fn told(&self, now: Timestamp) -> Timestamp {
        self.clocks.at(self.boot(now))
    }

    /// The true time at which the process will read a time, or a little later.
    pub(crate) fn when(&self, now: Timestamp, due: Timestamp) -> Timestamp {
        let left = due.since(self.told(now)).get();
        now + Millis::new(left + left.saturating_mul(self.boot_drift.unsigned_abs()) / 1_000_000)
    }

    fn boot(&self, now: Timestamp) -> Millis {
        let elapsed = elapsed(self.origin, now);
        Millis::new((elapsed + elapsed * self.boot_drift / 1_000_000).unsigned_abs())
    }
}

const fn elapsed(from: Timestamp, to: Timestamp) -> i64 {
    to.unix_ms().saturating_sub(from.unix_ms())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(1_790_000_000_000 + ms).unwrap()
    }

    #[test]
    fn f6_a_clock_that_is_set_by_more_than_a_second_is_told_once() {
        for step in [1_100, -1_100, 600_000] {
            let mut clock = Clock::new(at(0), 40, 0, 0);
            assert_eq!(clock.read(at(500)), Reading { now: at(540), jumped: false });
            clock.set(at(600), step);
            assert_eq!(clock.read(at(700)), Reading { now: at(700 + step), jumped: true });
            assert_eq!(clock.read(at(701)), Reading { now: at(701 + step), jumped: false });
        }
    }

    #[test]
    fn a_time_comes_at_the_true_time_that_was_told_before() {
        for drift in [-500, 0, 500] {
            let clock = Clock::new(at(0), 0, 0, drift);
            let due = clock.told(at(10_000)) + Millis::from_secs(30);
            let when = clock.when(at(10_000), due);
            assert!(clock.told(when + Millis::new(40)) >= due, "{drift}");
        }
    }
}
