//! The one source of chance: ChaCha8 under a key made of seed, domain and index, drawn from with integers only.
//!
//! Each person, visit and message has a stream of its own, so a draw added to one never moves the others. Not here:
//! entropy. A seed is a name for a town; nothing secret may come from this source.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// A stream of choices. The same seed, domain and index give the same choices on every platform.
#[derive(Clone, Debug)]
pub struct Chance(ChaCha8Rng);

/// What a stream is for; part of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Domain {
    /// Who lives in a household.
    Households = 1,
    /// Where a person goes and why.
    Paths = 2,
    /// What one visit finds.
    Visits = 3,
    /// How a hospital registers a person.
    Registrations = 4,
    /// Which messages are sent about a visit.
    Messages = 5,
    /// Identifiers inside one message.
    Identifiers = 6,
    /// What happens in a simulated world; its parts are told apart by the index.
    World = 7,
    /// What a counter writes down.
    Counter = 60,
}

impl Chance {
    /// The stream of `index` in `domain` under `seed`.
    pub fn new(seed: u64, domain: Domain, index: u64) -> Self {
        let mut key = [0; 32];
        for (slot, byte) in key.iter_mut().zip(seed.to_le_bytes().into_iter().chain(index.to_le_bytes())) {
            *slot = byte;
        }
        key[31] = domain as u8;
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A number below `n`, all equally likely; zero if `n` is zero.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        // Draws at or above the largest multiple of n are thrown away: they would favour small numbers.
        let bound = u64::MAX - u64::MAX % n;
        loop {
            let draw = self.0.next_u64();
            if draw < bound {
                return draw % n;
            }
        }
    }

    /// A number from `low` to `high`, both included; `low` if they are the wrong way round.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = high.saturating_sub(low).max(0).unsigned_abs();
        low.saturating_add_unsigned(self.below(span.saturating_add(1)))
    }

    /// A number of the middle of the span more often than of its ends.
    pub fn near_middle(&mut self, low: i64, high: i64) -> i64 {
        let (one, two) = (self.between(low, high), self.between(low, high));
        low.saturating_add((one.saturating_sub(low)).saturating_add(two.saturating_sub(low)) / 2)
    }

    /// Whether a thing of so many percent happens.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of the items.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let at = usize::try_from(self.below(items.len() as u64)).unwrap_or(0);
        items.get(at).expect("what is picked from is never empty")
    }

    /// One of the items, as often as its weight says.
    pub fn weighted<'a, T>(&mut self, items: &'a [T], weight: impl Fn(&T) -> u64) -> &'a T {
        let mut draw = self.below(items.iter().map(&weight).sum());
        for item in items {
            let weight = weight(item);
            if draw < weight {
                return item;
            }
            draw -= weight;
        }
        items.last().expect("what is picked from is never empty")
    }

    /// So many decimal digits.
    pub fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| *self.pick(&['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])).collect()
    }

    /// A UUID of version 4 in its text form.
    pub fn uuid(&mut self) -> String {
        let (high, low) = (self.0.next_u64(), self.0.next_u64());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:x}{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            8 + (low >> 62),
            (low >> 48) & 0xfff,
            low & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_frozen() {
        let mut chance = Chance::new(7, Domain::Visits, 9);
        let draws: Vec<u64> = (0..6).map(|_| chance.below(1000)).collect();
        assert_eq!(draws, [865, 829, 809, 410, 499, 987]);
    }

    #[test]
    fn streams_of_neighbours_differ() {
        let draw = |seed, domain, index| Chance::new(seed, domain, index).uuid();
        let all = [
            draw(1, Domain::Paths, 1),
            draw(2, Domain::Paths, 1),
            draw(1, Domain::Visits, 1),
            draw(1, Domain::Paths, 2),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn numbers_stay_within_their_span_and_reach_its_ends() {
        let mut chance = Chance::new(1, Domain::Paths, 0);
        let draws: std::collections::BTreeSet<i64> = (0..500).map(|_| chance.between(-2, 2)).collect();
        assert_eq!(draws.into_iter().collect::<Vec<_>>(), [-2, -1, 0, 1, 2]);
        assert_eq!(chance.between(5, 3), 5);
        assert_eq!(chance.below(0), 0);
    }

    #[test]
    fn an_item_without_weight_is_never_taken() {
        let mut chance = Chance::new(1, Domain::Paths, 0);
        assert!((0..200).all(|_| *chance.weighted(&[0, 3, 1], |weight| *weight) != 0));
    }
}
