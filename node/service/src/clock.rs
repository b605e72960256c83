//! The two clocks of this computer, of which the machine's time is made ([`Clocks`], F-6).
//!
//! Not here: the time of accounts, sessions and logs, which is the wall clock's.

use yiqiao_host::clock::Clock;
use yiqiao_node_core::clocks::{Clocks, Reading};
use yiqiao_proto::time::{Millis, Timestamp};

/// Two clocks as one.
pub(crate) struct MachineClock {
    wall: Clock,
    /// Time since the machine was started.
    boot: Box<dyn Fn() -> Millis + Send>,
    clocks: Clocks,
}

impl MachineClock {
    /// The clocks of this computer.
    pub(crate) fn system() -> Self {
        Self::new(Clock::system(), since_boot)
    }

    pub(crate) fn new(wall: Clock, boot: impl Fn() -> Millis + Send + 'static) -> Self {
        let clocks = Clocks::new(wall.now(), boot());
        Self { wall, boot: Box::new(boot), clocks }
    }

    /// The time now, by the boot clock alone.
    pub(crate) fn now(&self) -> Timestamp {
        self.clocks.at((self.boot)())
    }

    /// The time now; first of all puts clocks that have parted together again. Only then may time run backwards.
    pub(crate) fn read(&mut self) -> Reading {
        self.clocks.read(self.wall.now(), (self.boot)())
    }
}

fn since_boot() -> Millis {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let millis = u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000;
    Millis::new(seconds.saturating_mul(1_000).saturating_add(millis))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

    use super::*;

    /// Clocks that a test sets.
    #[derive(Clone, Default)]
    struct Fake {
        wall: Arc<AtomicI64>,
        boot: Arc<AtomicU64>,
    }

    impl Fake {
        fn clock(&self) -> MachineClock {
            self.wall.store(1_000_000, Ordering::Relaxed);
            let (wall, boot) = (Arc::clone(&self.wall), Arc::clone(&self.boot));
            let wall = move || Timestamp::from_unix_ms(wall.load(Ordering::Relaxed)).unwrap();
            MachineClock::new(Clock::new(wall), move || Millis::new(boot.load(Ordering::Relaxed)))
        }

        fn pass(&self, wall_ms: i64, boot_ms: u64) {
            self.wall.fetch_add(wall_ms, Ordering::Relaxed);
            self.boot.fetch_add(boot_ms, Ordering::Relaxed);
        }
    }

    fn reading(ms: i64, jumped: bool) -> Reading {
        Reading { now: Timestamp::from_unix_ms(ms).unwrap(), jumped }
    }

    #[test]
    fn f6_time_runs_with_the_boot_clock_as_long_as_the_wall_clock_stays_near() {
        let fake = Fake::default();
        let mut clock = fake.clock();
        fake.pass(500, 500);
        assert_eq!(clock.read(), reading(1_000_500, false));
        // Somebody sets the wall clock by less than is told.
        fake.pass(1_000, 0);
        assert_eq!(clock.read(), reading(1_000_500, false));
        // Suspended for an hour: both count it.
        fake.pass(3_600_000, 3_600_000);
        assert_eq!(clock.read(), reading(4_600_500, false));
    }

    #[test]
    fn f6_clocks_that_part_by_more_than_a_second_are_put_together_and_it_is_said_once() {
        for step in [1_001, -1_001, 86_400_000, -900_000] {
            let fake = Fake::default();
            let mut clock = fake.clock();
            fake.pass(10_000 + step, 10_000);
            assert_eq!(clock.read(), reading(1_010_000 + step, true), "{step}");
            fake.pass(7, 7);
            assert_eq!(clock.read(), reading(1_010_007 + step, false), "{step}");
        }
    }

    #[test]
    fn f6_small_steps_add_up() {
        let fake = Fake::default();
        let mut clock = fake.clock();
        let jumps = (0..10).filter(|_| {
            fake.pass(300, 0);
            clock.read().jumped
        });
        assert_eq!(jumps.count(), 2);
    }
}
