//! Resident identity numbers of GB 11643-1999, made so that they can be nobody's.
//!
//! Each begins with 999999. The first two digits of the region code name a province of GB/T 2260, and no province,
//! region or residence permit has 99: an authority can never have issued such a number, while every check of form
//! (date, order, check character) holds.

use core::fmt;
use std::collections::BTreeMap;

use jiff::{ToSpan, civil::Date};

use crate::people::Sex;

/// The region code of all numbers made here.
pub const REGION: &str = "999999";

const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECKS: [char; 11] = ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'];

/// Order codes of one day and sex: 001 to 999, odd for men, even for women.
const ORDERS: u32 = 499;

/// A resident identity number of 18 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResidentId(String);

impl ResidentId {
    /// The number of the `order`-th person of this sex born on this day (taken modulo 499).
    pub fn new(birth: Date, sex: Sex, order: u32) -> Self {
        let code = match sex {
            Sex::Male => 2 * (order % ORDERS) + 1,
            Sex::Female => 2 * (order % ORDERS) + 2,
        };
        let body = format!("{REGION}{}{code:03}", birth.strftime("%Y%m%d"));
        let check = check(&body).expect("the body is seventeen digits");
        Self(format!("{body}{check}"))
    }

    /// The eighteen characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The check character of seventeen digits (ISO 7064 MOD 11-2), or `None` if they are not that.
pub fn check(body: &str) -> Option<char> {
    if body.len() != WEIGHTS.len() {
        return None;
    }
    let mut sum = 0;
    for (character, weight) in body.chars().zip(WEIGHTS) {
        sum += character.to_digit(10)? * weight;
    }
    CHECKS.get(usize::try_from(sum % 11).ok()?).copied()
}

/// Which numbers of each day a town hands out: towns of one world share them, so that nobody has the number of somebody elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    town: u32,
    of: u32,
}

impl Share {
    /// All of them.
    pub const WHOLE: Self = Self { town: 0, of: 1 };

    /// Those of one of so many towns; at most 499 towns have numbers of their own.
    pub const fn of(town: u32, of: u32) -> Self {
        let of = if of == 0 {
            1
        } else if of > ORDERS {
            ORDERS
        } else {
            of
        };
        Self { town: town % of, of }
    }
}

/// Hands out numbers so that no two persons share one.
#[derive(Debug)]
pub struct Registrar {
    share: Share,
    next: BTreeMap<(Date, Sex), u32>,
}

impl Registrar {
    /// One that hands out these.
    pub const fn new(share: Share) -> Self {
        Self { share, next: BTreeMap::new() }
    }

    /// A number not handed out before, and the birth date it carries: the one asked for, or, when all numbers of that
    /// day are taken, the nearest earlier day with a free one.
    pub fn register(&mut self, birth: Date, sex: Sex) -> (Date, ResidentId) {
        let mut birth = birth;
        loop {
            let next = self.next.entry((birth, sex)).or_insert(self.share.town);
            if *next < ORDERS {
                let order = *next;
                *next += self.share.of;
                return (birth, ResidentId::new(birth, sex, order));
            }
            birth = birth.saturating_sub(1.day());
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn published_numbers_have_their_check_character() {
        assert_eq!(check("11010519491231002"), Some('X'));
        assert_eq!(check("44052418800101001"), Some('4'));
        assert_eq!(check("4405241880010100X"), None);
        assert_eq!(check("440"), None);
    }

    #[test]
    fn a_full_day_moves_the_birth_date_instead_of_repeating_a_number() {
        let mut registrar = Registrar::new(Share::WHOLE);
        let day = date(1990, 5, 1);
        let numbers: std::collections::BTreeSet<_> =
            (0..1000).map(|_| registrar.register(day, Sex::Female).1).collect();
        assert_eq!(numbers.len(), 1000);
        assert!(numbers.iter().any(|number| number.as_str().contains("19900429")));
    }

    #[test]
    fn towns_that_share_the_numbers_of_a_day_never_hand_out_the_same() {
        let day = date(1990, 5, 1);
        let of_town = |town| {
            let mut registrar = Registrar::new(Share::of(town, 200));
            (0..5).map(move |_| registrar.register(day, Sex::Male).1)
        };
        let numbers: std::collections::BTreeSet<_> = (0..200).flat_map(of_town).collect();
        assert_eq!(numbers.len(), 1_000);
    }
}
