//! A bound on how often: the generic cell rate algorithm, which remembers one instant.

use yiqiao_proto::time::{Millis, Timestamp};

/// So many at once, and as many again in each minute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    cost: Millis,
    /// When the bucket is empty again.
    empty_at: Timestamp,
}

const MINUTE: Millis = Millis::from_secs(60);

impl Bucket {
    pub(super) const fn per_minute(times: u32) -> Self {
        Self { cost: Millis::new(MINUTE.get() / times as u64), empty_at: Timestamp::MIN }
    }

    /// Takes one, or says how long to wait for it. A clock that was set back far begins anew.
    pub(super) fn take(&mut self, now: Timestamp) -> Result<(), Millis> {
        let ahead = self.empty_at.since(now);
        let start = if ahead > MINUTE { now } else { self.empty_at.max(now) };
        let filled = (start + self.cost).since(now);
        if filled > MINUTE {
            return Err(Millis::new(filled.get() - MINUTE.get()));
        }
        self.empty_at = start + self.cost;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(1_790_000_000_000 + ms).unwrap()
    }

    #[test]
    fn so_many_at_once_and_then_one_after_the_other() {
        let mut bucket = Bucket::per_minute(60);
        let taken = (0..100).filter(|_| bucket.take(at(0)).is_ok()).count();
        assert_eq!(taken, 60);
        assert_eq!(bucket.take(at(400)), Err(Millis::new(600)));
        assert_eq!(bucket.take(at(1000)), Ok(()));
        assert_eq!(bucket.take(at(1000)), Err(Millis::new(1000)));
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let mut bucket = Bucket::per_minute(60);
        bucket.take(at(3_600_000)).unwrap();
        assert_eq!(bucket.take(at(0)), Ok(()));
    }
}
