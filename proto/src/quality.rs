//! The quality of what a hospital's systems send, in figures: how many checks there were, and how many found something wrong.
//!
//! Nothing in a figure is of a patient: it names a system, a day and an aspect (Y-3). Not here: the rules, which are the node's.

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// Whether what belongs there is there.
    Completeness = 1,
    /// Whether it is what it should be.
    Validity = 2,
    /// Whether it came soon.
    Timeliness = 3,
    /// Whether it agrees with the rest.
    Consistency = 4,
}

impl Aspect {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Completeness, Self::Validity, Self::Timeliness, Self::Consistency];

    /// The aspect of a number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|aspect| *aspect as u32 == number)
    }
}

/// How many checks there were, and how many found something wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Checks.
    pub looked: u64,
    /// Those of them that found something wrong.
    pub broken: u64,
}

impl Checked {
    /// Of a thousand checks so many found nothing wrong, rounded down; none if there were none. 1000 is said only of no fault at all.
    pub fn score(self) -> Option<u64> {
        let sound = self.looked.saturating_sub(self.broken);
        sound.saturating_mul(1_000).checked_div(self.looked)
    }

    /// With those of another.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self {
            looked: self.looked.saturating_add(other.looked),
            broken: self.broken.saturating_add(other.broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn y2_a_score_is_never_better_than_what_was_found() {
        let score = |looked, broken| Checked { looked, broken }.score();
        assert_eq!((score(0, 0), score(8, 0), score(8, 8)), (None, Some(1_000), Some(0)));
        assert_eq!((score(3, 1), score(100_000, 1)), (Some(666), Some(999)));
        assert_eq!(score(1, 2), Some(0), "figures that cannot be are no score above nothing");
    }

    #[test]
    fn an_aspect_goes_to_its_number_and_back() {
        for aspect in Aspect::ALL {
            assert_eq!(Aspect::from_number(aspect as u32), Some(aspect));
        }
        assert_eq!(Aspect::from_number(0), None);
    }
}
