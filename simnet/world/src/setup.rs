//! What a run is made from: a few numbers, and the rates of faults that its seed draws.

use core::fmt;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use yiqiao_simnet::chance::Chance;

use crate::limits::{HOSPITALS_MAX, HOURS_MAX, PATIENTS_MAX};
use crate::network::Who;
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
    /// Signatures cost a keyed hash, which proves nothing: many worlds in the time of one (S-2).
    pub cheap: bool,
    /// A fault of the product, planted.
    pub plant: Option<Plant>,
    /// Builds the processes in the opposite order: nothing may depend on it.
    pub backwards: bool,
    /// People come as in a day that begins at midnight and is as long as the world lives, with a peak in the morning.
    pub rhythm: bool,
    /// People come for passkeys and in emergencies, too.
    pub more: bool,
    /// Only a part of the residents come; without it the systems send what all of them have lived through.
    pub today: Option<Today>,
    /// When all heals, if before the end.
    pub heals_at_ms: Option<u64>,
    /// What the rates are, if not what the seed draws.
    pub rates: Option<Rates>,
    /// What is written to happen.
    pub script: Vec<Scripted>,
    /// What of all that the seed draws does happen.
    pub kept: Kept,
}

/// Who comes to the hospitals of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Today {
    /// Of a thousand residents so many.
    pub come: u64,
    /// The messages of so many last visits are sent of each.
    pub visits: usize,
}

/// What of all that the seed draws does happen: everything, or what has these numbers, counted from 0 as it comes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Faults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults: Option<BTreeSet<u64>>,
    /// What the authority does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deeds: Option<BTreeSet<u64>>,
    /// People who come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<BTreeSet<u64>>,
    /// Inputs of systems.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<BTreeSet<u64>>,
}

/// What is written to happen, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scripted {
    /// In which minute.
    pub minute: u64,
    /// What.
    pub what: Happening,
    /// To which process: 0 is the registry, the hospitals count from 1.
    #[serde(default)]
    pub who: u16,
    /// For how many minutes.
    #[serde(default)]
    pub minutes: u64,
}

/// What can be written to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// A process is away.
    Away,
    /// The first half of the hospitals and the registry do not reach the other half.
    Split,
    /// A disk is full.
    Full,
    /// A disk is slow.
    Slow,
    /// A disk fails a sync.
    FailSync,
    /// A byte of a disk rots.
    Rot,
    /// The registry stands still for so many minutes, is succeeded, and goes on; calls of `who` still come to it.
    Takeover,
    /// A member is suspended.
    Suspend,
    /// A member gets another words key and another sealing key, then uses them, then the old ones are retired.
    Rotate,
    /// A member gets other keys, and those before turn out to have been in other hands from the beginning.
    Compromise,
    /// A list without a change.
    List,
    /// Everything that patients have said at desks is taken back, within a minute.
    RevokeAll,
    /// Everybody permits everything to every hospital around, within a minute.
    PermitAll,
    /// Everybody objects to everything, within a minute.
    ForbidAll,
    /// Every hospital asks every other around for a document of everybody it knows, of which nobody has told it, within a minute.
    AskAll,
    /// Every hospital searches for everybody it knows, within a minute.
    LookAll,
    /// What anybody has found is pulled, within a minute, if it is not here.
    PullAll,
    /// What the registry says does not reach a hospital.
    Deaf,
    /// The register of a hospital merges two people who are not one.
    Merge,
    /// Somebody comes to a hospital with another's card; then its desk finds it out.
    Lend,
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
    /// Nobody comes, or more than everybody, or without a visit.
    #[error("today 1 to 1000 of a thousand residents come, each with at least one visit")]
    Today,
}

impl Setup {
    /// A small world of this seed.
    pub fn small(seed: u64) -> Self {
        Self { seed, hospitals: 3, patients: 6, minutes: 12, ..Self::standard(seed) }
    }

    /// A world in which nothing is special.
    pub fn standard(seed: u64) -> Self {
        let kept = Kept { faults: None, deeds: None, people: None, inputs: None };
        Self {
            seed,
            hospitals: 3,
            patients: 12,
            minutes: 60,
            cheap: true,
            plant: None,
            backwards: false,
            rhythm: false,
            more: true,
            today: None,
            heals_at_ms: None,
            rates: None,
            script: Vec::new(),
            kept,
        }
    }

    /// A world of which the seed draws everything: also how large it is, and whether people come as in a day.
    pub fn drawn(seed: u64) -> Self {
        let mut chance = stream(seed, Part::Size, 0);
        Self {
            hospitals: *chance.pick(&[2, 3, 3, 3, 4, 5]),
            patients: 2 + usize::try_from(chance.below(21)).unwrap_or(0),
            rhythm: chance.percent(30),
            ..Self::standard(seed)
        }
    }

    /// The same world under another seed; rates that were written down stay.
    #[must_use]
    pub fn of_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Its rates.
    pub(crate) fn rates(&self) -> Rates {
        self.rates.unwrap_or_else(|| Rates::of(self.seed))
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
        if self.today.is_some_and(|today| !(1..=1_000).contains(&today.come) || today.visits == 0) {
            return Err(SetupError::Today);
        }
        Ok(())
    }
}

/// How the world treats its processes: drawn from the seed, so that each run is harsh in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// The same for disks that are full or slow, or fail a sync.
    pub disks: u64,
    /// The same for bytes of a disk that rot.
    pub rot: u64,
    /// The same for clocks that are set.
    pub clocks: u64,
    /// The same for a registry that stands still, is succeeded, and goes on.
    pub takeovers: u64,
    /// The same for changes of the member list.
    pub members: u64,
    /// Clocks run too fast or too slow by at most so many millionths.
    pub drift: u64,
    /// Of a thousand documents that systems send so many are long: of several chunks, some of several ranges.
    pub long: u64,
    /// Whose computer an attacker has.
    pub hostile: Attacked,
}

/// Whose computer an attacker has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attacked {
    /// Nobody's.
    Nobody,
    /// The registry's, and perhaps its keys.
    Registry(Attack),
    /// That of the hospital with this number, counted round.
    Hospital(u64),
}

/// What an attacker does who has the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attack {
    /// Without its keys: what it sends is changed, cut, drawn out, sent in place of another or held back.
    Packets,
    /// One hospital is shown a log that is another one from some time on.
    Fork,
    /// One hospital reads the feed, and gets its leases, of a copy that stands still.
    Stale,
    /// The registry goes back to an older copy of its log.
    Rewind,
    /// Searches find less than is there.
    Omit,
    /// Leases, items of feeds and receipts say what is not so.
    Bend,
}

impl Attack {
    const ALL: [Self; 6] = [Self::Packets, Self::Fork, Self::Stale, Self::Rewind, Self::Omit, Self::Bend];

    /// Whether what members are told of consent may be other than what the registry accepted.
    pub(crate) const fn forges(self) -> bool {
        matches!(self, Self::Fork | Self::Stale | Self::Rewind | Self::Bend)
    }
}

impl Kept {
    /// Whether what has this number happens.
    pub(crate) fn has(set: Option<&BTreeSet<u64>>, number: u64) -> bool {
        set.is_none_or(|kept| kept.contains(&number))
    }
}

impl Rates {
    /// Nothing breaks; every way takes some milliseconds.
    pub const CALM: Self = Self {
        lost: 0,
        twice: 0,
        latency: 10,
        jitter: 5,
        crashes: 0,
        cuts: 0,
        resets: 0,
        pauses: 0,
        disks: 0,
        rot: 0,
        clocks: 0,
        takeovers: 0,
        members: 0,
        drift: 20,
        long: 0,
        hostile: Attacked::Nobody,
    };

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
            members: rate(1, 6),
            rot: rate(4, 30),
            takeovers: rate(4, 30),
            long: rate(1, 60),
            hostile: Attacked::of(&mut stream(seed, Part::Hostile, 0)),
        }
    }
}

impl Attacked {
    fn of(chance: &mut Chance) -> Self {
        let (draw, number) = (chance.below(100), chance.below(1_000));
        match draw {
            0..15 => Self::Registry(*chance.pick(&Attack::ALL)),
            15..40 => Self::Hospital(number),
            _ => Self::Nobody,
        }
    }

    /// What is done with the registry, if it is the registry's.
    pub(crate) const fn attack(self) -> Option<Attack> {
        match self {
            Self::Registry(attack) => Some(attack),
            Self::Nobody | Self::Hospital(_) => None,
        }
    }

    /// Which process that is.
    pub(crate) fn who(self, hospitals: usize) -> Option<Who> {
        let hospitals = u64::try_from(hospitals).ok().filter(|hospitals| *hospitals > 0)?;
        match self {
            Self::Nobody => None,
            Self::Registry(_) => Some(Who::REGISTRY),
            Self::Hospital(number) => u16::try_from(1 + number % hospitals).ok().map(Who),
        }
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, twice, latency, jitter, drift, long, .. } = self;
        let Self { crashes, cuts, resets, pauses, disks, rot, clocks, takeovers, members, .. } = self;
        write!(
            f,
            "lost {lost}‰, twice {twice}‰, latency {latency} ms, jitter {jitter} ms, drift {drift} ppm, long documents {long}‰; "
        )?;
        write!(f, "minutes between crashes {crashes}, cuts {cuts}, resets {resets}, pauses {pauses}, ")?;
        write!(
            f,
            "disks {disks}, rot {rot}, clocks {clocks}, takeovers {takeovers}, member lists {members} (0: none); hostile {:?}",
            self.hostile
        )
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
    fn seeds_draw_worlds_of_many_sizes_and_all_of_them_can_be() {
        let worlds: Vec<Setup> = (1..60).map(Setup::drawn).collect();
        assert!(worlds.iter().all(|world| world.check().is_ok()));
        let some = |that: fn(&Setup) -> bool| worlds.iter().any(that);
        assert!(some(|world| world.hospitals == 2) && some(|world| world.hospitals == 5));
        assert!(some(|world| world.patients < 5) && some(|world| world.patients > 20));
        assert!(some(|world| world.rhythm) && some(|world| !world.rhythm));
    }

    #[test]
    fn the_rates_of_a_seed_are_its_own() {
        assert_eq!(Rates::of(5), Rates::of(5));
        assert!((1..20).any(|seed| Rates::of(seed) != Rates::of(0)));
    }
}
