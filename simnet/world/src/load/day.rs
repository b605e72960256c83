//! A day of hospitals: few at night, a peak in the morning, a smaller one in the afternoon. As long as the world lives.

use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_simnet::chance::Chance;

/// How many come in each hour, of a hundred in the mean.
const HOURS: [u64; 24] =
    [15, 10, 10, 10, 15, 25, 60, 150, 350, 380, 250, 120, 80, 110, 220, 190, 130, 80, 50, 40, 35, 30, 25, 15];

/// The day of a world.
pub(super) struct Day {
    began: Timestamp,
    hour_ms: u64,
}

impl Day {
    pub(super) fn new(began: Timestamp, minutes: u64) -> Self {
        Self { began, hour_ms: (minutes * 60_000 / 24).max(1) }
    }

    /// How many come now, of a hundred in the mean.
    pub(super) fn percent(&self, now: Timestamp) -> u64 {
        let hour = usize::try_from(now.since(self.began).get() / self.hour_ms).unwrap_or(0);
        HOURS.get(hour % HOURS.len()).copied().unwrap_or(100)
    }

    /// A time of the day, but its last hours.
    pub(super) fn draw(&self, chance: &mut Chance) -> Millis {
        let hours: Vec<(u64, u64)> = (0..22).zip(HOURS).collect();
        let (hour, _) = *chance.weighted(&hours, |(_, percent)| *percent);
        Millis::new(hour * self.hour_ms + chance.below(self.hour_ms))
    }
}
