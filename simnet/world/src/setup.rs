//! What a run is made from: a few numbers, and the rates of faults that its seed draws.

use core::fmt;

use crate::limits::{HOSPITALS_MAX, HOURS_MAX, PATIENTS_MAX};
use crate::plant::Plant;
use crate::randomness::{Part, stream};

/// What a run is made from. The same setup gives the same trace, byte for byte.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Names the world.
    pub seed: u64,
    /// Hospitals, each with a node.
    pub hospitals: usize,
    /// Residents.
    pub patients: usize,
    /// How long there are faults and people act, in simulated minutes.
    pub minutes: u64,
    /// A fault of the product, planted.
    pub plant: Option<Plant>,
    /// Builds the processes in the opposite order: nothing may depend on it.
    pub backwards: bool,
}

/// Why there is no such world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// Too few or too many hospitals.
    #[error("a world has 2 to {HOSPITALS_MAX} hospitals, not {0}")]
    Hospitals(usize),
    /// Too few or too many residents.
    #[error("a world has 1 to {PATIENTS_MAX} residents, not {0}")]
    Patients(usize),
    /// Too short or too long.
    #[error("a world lives 1 to {max} minutes, not {0}", max = HOURS_MAX * 60)]
    Minutes(u64),
}

impl Setup {
    /// A small world of this seed.
    pub const fn small(seed: u64) -> Self {
        Self { seed, hospitals: 3, patients: 6, minutes: 12, plant: None, backwards: false }
    }

    /// Whether there can be such a world.
    ///
    /// # Errors
    /// [`SetupError`] naming what is out of bounds.
    pub fn check(&self) -> Result<(), SetupError> {
        if !(2..=HOSPITALS_MAX).contains(&self.hospitals) {
            return Err(SetupError::Hospitals(self.hospitals));
        }
        if !(1..=PATIENTS_MAX).contains(&self.patients) {
            return Err(SetupError::Patients(self.patients));
        }
        if !(1..=HOURS_MAX * 60).contains(&self.minutes) {
            return Err(SetupError::Minutes(self.minutes));
        }
        Ok(())
    }
}

/// How the world treats its processes: drawn from the seed, so that each run is harsh in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Of a thousand packets so many are lost.
    pub lost: u64,
    /// Of a thousand so many come twice.
    pub twice: u64,
    /// The longest way between two processes, in milliseconds, but for jitter.
    pub latency: u64,
    /// The most that is added to it.
    pub jitter: u64,
    /// Minutes between two faults of a kind in the whole region; 0 for none.
    pub crashes: u64,
    /// The same for ways that are cut.
    pub cuts: u64,
    /// The same for connections that are reset.
    pub resets: u64,
    /// The same for processes that stand still, or whose ways are slow.
    pub pauses: u64,
    /// The same for disks that are full or fail a sync.
    pub disks: u64,
    /// The same for clocks that are set.
    pub clocks: u64,
    /// Clocks run too fast or too slow by at most so many millionths.
    pub drift: u64,
}

impl Rates {
    /// The rates of a seed.
    pub fn of(seed: u64) -> Self {
        let mut chance = stream(seed, Part::Rates, 0);
        // A third of the kinds is left out, so that what is left shows alone too.
        let mut rate = |low, high| {
            let (draw, drawn) = (chance.below(3), chance.between(low, high).unsigned_abs());
            if draw == 0 { 0 } else { drawn }
        };
        Self {
            lost: rate(1, 80),
            twice: rate(1, 60),
            latency: 1 + rate(1, 80),
            jitter: rate(1, 400),
            crashes: rate(1, 8),
            cuts: rate(2, 10),
            resets: rate(1, 6),
            pauses: rate(2, 10),
            disks: rate(2, 12),
            clocks: rate(2, 12),
            drift: rate(1, 500),
        }
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, twice, latency, jitter, crashes, cuts, resets, pauses, disks, clocks, drift } = self;
        write!(
            f,
            "lost {lost}‰, twice {twice}‰, latency {latency} ms, jitter {jitter} ms, drift {drift} ppm; "
        )?;
        write!(f, "minutes between crashes {crashes}, cuts {cuts}, resets {resets}, pauses {pauses}, ")?;
        write!(f, "disks {disks}, clocks {clocks} (0: none)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_out_of_bounds_is_refused_with_the_bound() {
        assert_eq!(Setup::small(1).check(), Ok(()));
        assert_eq!(Setup { hospitals: 1, ..Setup::small(1) }.check(), Err(SetupError::Hospitals(1)));
        assert_eq!(Setup { patients: 0, ..Setup::small(1) }.check(), Err(SetupError::Patients(0)));
        assert_eq!(Setup { minutes: 0, ..Setup::small(1) }.check(), Err(SetupError::Minutes(0)));
    }

    #[test]
    fn the_rates_of_a_seed_are_its_own() {
        assert_eq!(Rates::of(5), Rates::of(5));
        assert!((1..20).any(|seed| Rates::of(seed) != Rates::of(0)));
    }
}
