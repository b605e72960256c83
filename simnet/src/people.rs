//! The residents of 桥州市, a town that does not exist.
//!
//! They live in households: children under a guardian's eyes and phone, the old often with their child's phone number,
//! and now and then somebody whose name sounds like a neighbour's and who was born on the same day, which is what
//! patient matching stumbles over.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jiff::{ToSpan, civil::Date};
use serde::Serialize;

use crate::chance::{Chance, Domain};
use crate::limits::{CENSUS, PEOPLE_MAX};
use crate::names::{self, Ethnicity, HAN, Name, Surname};
use crate::resident_id::{Registrar, ResidentId, Share};
use crate::tables::{list, rows};

/// The fictional town.
pub const TOWN: &str = "桥州市";

/// Sex as registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sex {
    /// 男
    Male,
    /// 女
    Female,
}

impl Sex {
    /// GB/T 2261.1: `1` or `2`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Male => "1",
            Self::Female => "2",
        }
    }

    /// 男 or 女.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Male => "男",
            Self::Female => "女",
        }
    }
}

/// Where a household lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Code of the district within the town, three digits.
    pub district_code: &'static str,
    /// For example 临江区.
    pub district: &'static str,
    /// For example 望桥街道.
    pub subdistrict: &'static str,
    /// Road, house, building and room.
    pub line: String,
}

impl Address {
    /// The whole address as one line, as hospital systems keep it.
    pub fn text(&self) -> String {
        format!("{TOWN}{}{}{}", self.district, self.subdistrict, self.line)
    }
}

/// A resident.
#[derive(Clone, Debug)]
pub struct Person {
    /// The name in characters and pinyin.
    pub name: Name,
    /// Sex as registered.
    pub sex: Sex,
    /// The birth date, the same as in the identity number.
    pub birth: Date,
    /// Ethnic group.
    pub ethnicity: Ethnicity,
    /// Identity number; nobody else's.
    pub resident_id: ResidentId,
    /// Number of the resident health card: sixteen digits; nobody else's.
    pub health_card: String,
    /// Eleven digits beginning with 111, shared within families. Mobile numbers begin with 13 to 19 and 11 is for
    /// three-digit services, so no subscriber can have it.
    pub phone: String,
    /// Where the household lives.
    pub address: Address,
    /// Who answers for a child: an index into the same list of people.
    pub guardian: Option<usize>,
    /// The number of the household.
    pub household: u32,
}

impl Person {
    /// Completed years of life on a day.
    pub fn age(&self, on: Date) -> i64 {
        let years = i64::from(on.year()) - i64::from(self.birth.year());
        let before_birthday = (on.month(), on.day()) < (self.birth.month(), self.birth.day());
        (years - i64::from(before_birthday)).max(0)
    }
}

/// Makes people household by household; the first of them do not depend on how many follow.
#[derive(Debug)]
pub struct Register {
    seed: u64,
    registrar: Registrar,
    cards: BTreeSet<String>,
    people: Vec<Person>,
    households: u32,
}

struct Home {
    address: Address,
    phone: String,
}

struct District {
    code: &'static str,
    name: &'static str,
    subdistrict: &'static str,
    roads: Vec<&'static str>,
}

static DISTRICTS: LazyLock<Vec<District>> = LazyLock::new(|| {
    let row = |[code, name, subdistrict, roads]: [&'static str; 4]| District {
        code,
        name,
        subdistrict,
        roads: list(roads).collect(),
    };
    rows(include_str!("../data/addresses.txt")).map(row).collect()
});

/// So many residents of the town that this seed names, at most [`PEOPLE_MAX`].
pub fn people(seed: u64, count: usize) -> Vec<Person> {
    let mut register = Register::new(seed, Share::WHOLE);
    register.grow_to(count);
    register.into_people()
}

impl Register {
    /// An empty town that has this share of the identity numbers.
    pub fn new(seed: u64, share: Share) -> Self {
        Self {
            seed,
            registrar: Registrar::new(share),
            cards: BTreeSet::new(),
            people: Vec::new(),
            households: 0,
        }
    }

    /// Moves households in until there are so many people, at most [`PEOPLE_MAX`].
    pub fn grow_to(&mut self, count: usize) {
        let count = count.min(PEOPLE_MAX);
        while self.people.len() < count {
            let mut chance = Chance::new(self.seed, Domain::Households, u64::from(self.households));
            self.move_in(&mut chance);
            self.households += 1;
        }
        self.people.truncate(count);
    }

    /// Adds one person with the facts given; returns the index.
    pub fn settle(&mut self, settler: Settler) -> usize {
        let mut chance = Chance::new(self.seed, Domain::Households, u64::MAX - self.people.len() as u64);
        let home = match settler.with.and_then(|with| self.people.get(with)) {
            Some(other) => Home { address: other.address.clone(), phone: other.phone.clone() },
            None => home(&mut chance),
        };
        let name = Name { text: settler.name.to_owned(), pinyin: settler.pinyin.to_owned() };
        self.households += u32::from(settler.with.is_none());
        self.enrol(name, HAN, settler.sex, settler.birth, &home, settler.guardian, &mut chance)
    }

    /// Everyone, in the order of moving in.
    pub fn into_people(self) -> Vec<Person> {
        self.people
    }

    fn move_in(&mut self, chance: &mut Chance) {
        let home = home(chance);
        match chance.below(100) {
            0..4 => self.namesake(&home, chance),
            4..24 => self.single(&home, chance),
            24..50 => self.couple(&home, 24, 85, 0, chance),
            50..90 => {
                let children = chance.between(1, 2);
                self.couple(&home, 26, 45, children, chance);
            }
            _ => self.minority(&home, chance),
        }
    }

    fn single(&mut self, home: &Home, chance: &mut Chance) {
        let sex = *chance.pick(&[Sex::Male, Sex::Female]);
        let name = names::han(names::surname(chance), sex, chance);
        let birth = born(chance.near_middle(18, 90), chance);
        self.enrol(name, HAN, sex, birth, home, None, chance);
    }

    fn minority(&mut self, home: &Home, chance: &mut Chance) {
        let sex = *chance.pick(&[Sex::Male, Sex::Female]);
        let (name, ethnicity) = names::minority(sex, chance);
        let birth = born(chance.near_middle(18, 80), chance);
        self.enrol(name, ethnicity, sex, birth, home, None, chance);
    }

    /// Somebody born on the same day as an earlier resident, with a name of the same sound.
    fn namesake(&mut self, home: &Home, chance: &mut Chance) {
        let at = usize::try_from(chance.below(self.people.len() as u64)).unwrap_or(0);
        let Some(other) = self.people.get(at) else { return self.single(home, chance) };
        let (sex, birth) = (other.sex, other.birth);
        match names::homophone(&other.name, sex, chance) {
            Some(name) if other.age(CENSUS) >= 18 => {
                self.enrol(name, HAN, sex, birth, home, None, chance);
            }
            _ => self.single(home, chance),
        }
    }

    fn couple(&mut self, home: &Home, youngest: i64, oldest: i64, children: i64, chance: &mut Chance) {
        let age = chance.near_middle(youngest, oldest);
        let surname = names::surname(chance);
        let father = self.adult(surname, Sex::Male, age, home, chance);
        let mothers = names::surname(chance);
        let mother = self.adult(mothers, Sex::Female, (age - chance.between(-2, 5)).max(20), home, chance);
        for _ in 0..children {
            let guardian = *chance.pick(&[father, mother]);
            self.child(surname, guardian, (age - 25).min(17), home, chance);
        }
        if children > 0 && chance.percent(30) {
            let sex = *chance.pick(&[Sex::Male, Sex::Female]);
            self.adult(surname, sex, age + chance.between(24, 32), home, chance);
        }
    }

    fn adult(&mut self, surname: Surname, sex: Sex, age: i64, home: &Home, chance: &mut Chance) -> usize {
        let name = names::han(surname, sex, chance);
        let own = Home {
            address: home.address.clone(),
            phone: if age < 65 || chance.percent(50) { phone(chance) } else { home.phone.clone() },
        };
        self.enrol(name, HAN, sex, born(age, chance), &own, None, chance)
    }

    fn child(&mut self, surname: Surname, guardian: usize, oldest: i64, home: &Home, chance: &mut Chance) {
        let sex = *chance.pick(&[Sex::Male, Sex::Female]);
        let name = names::han(surname, sex, chance);
        let birth = born(chance.between(0, oldest.max(0)), chance);
        let phone =
            self.people.get(guardian).map_or_else(|| home.phone.clone(), |person| person.phone.clone());
        let home = Home { address: home.address.clone(), phone };
        self.enrol(name, HAN, sex, birth, &home, Some(guardian), chance);
    }

    #[expect(clippy::too_many_arguments, reason = "the one place where a person is put together")]
    fn enrol(
        &mut self,
        name: Name,
        ethnicity: Ethnicity,
        sex: Sex,
        birth: Date,
        home: &Home,
        guardian: Option<usize>,
        chance: &mut Chance,
    ) -> usize {
        let (birth, resident_id) = self.registrar.register(birth, sex);
        let health_card = self.card(chance);
        self.people.push(Person {
            name,
            sex,
            birth,
            ethnicity,
            resident_id,
            health_card,
            phone: home.phone.clone(),
            address: home.address.clone(),
            guardian,
            household: self.households,
        });
        self.people.len() - 1
    }

    fn card(&mut self, chance: &mut Chance) -> String {
        loop {
            let card = format!("999900{}", chance.digits(10));
            if self.cards.insert(card.clone()) {
                return card;
            }
        }
    }
}

/// A person whose facts are given instead of drawn.
#[derive(Clone, Copy, Debug)]
pub struct Settler {
    /// The name in characters.
    pub name: &'static str,
    /// The name in pinyin.
    pub pinyin: &'static str,
    /// Sex as registered.
    pub sex: Sex,
    /// Birth date.
    pub birth: Date,
    /// Whose address and phone this person shares.
    pub with: Option<usize>,
    /// Who answers for this person.
    pub guardian: Option<usize>,
}

/// A birth date of somebody of this age at the census.
fn born(age: i64, chance: &mut Chance) -> Date {
    let days = age * 365 + age / 4 + chance.between(1, 360);
    CENSUS.saturating_sub(days.days())
}

fn phone(chance: &mut Chance) -> String {
    format!("111{}", chance.digits(8))
}

fn home(chance: &mut Chance) -> Home {
    let district = chance.pick(&DISTRICTS);
    let road = chance.pick(&district.roads);
    let (house, building) = (chance.between(1, 288), chance.between(1, 24));
    let room = chance.between(1, 18) * 100 + chance.between(1, 4);
    let address = Address {
        district_code: district.code,
        district: district.name,
        subdistrict: district.subdistrict,
        line: format!("{road}{house}号{building}栋{room}室"),
    };
    Home { address, phone: phone(chance) }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_first_people_do_not_depend_on_how_many_follow() {
        let few: Vec<String> =
            people(3, 40).into_iter().map(|person| person.resident_id.to_string()).collect();
        let many: Vec<String> =
            people(3, 90).into_iter().map(|person| person.resident_id.to_string()).collect();
        assert_eq!(few[..], many[..40]);
    }

    #[test]
    fn an_age_is_complete_only_on_the_birthday() {
        let mut person = people(1, 1).remove(0);
        person.birth = date(2000, 2, 29);
        assert_eq!(person.age(date(2001, 2, 28)), 0);
        assert_eq!(person.age(date(2001, 3, 1)), 1);
        assert_eq!(person.age(date(1999, 1, 1)), 0);
    }

    #[test]
    fn children_share_the_phone_of_their_guardian() {
        let people = people(5, 600);
        let children: Vec<&Person> = people.iter().filter(|person| person.guardian.is_some()).collect();
        assert!(children.len() > 50);
        for child in children {
            let guardian = &people[child.guardian.unwrap()];
            assert_eq!(child.phone, guardian.phone);
            assert!(guardian.age(CENSUS) >= 18 && child.age(CENSUS) < 18);
        }
    }

    #[test]
    fn some_neighbours_sound_the_same_and_were_born_on_the_same_day() {
        let people = people(5, 600);
        let doubles = people.iter().enumerate().filter(|(at, person)| {
            people.iter().take(*at).any(|other| {
                other.birth == person.birth
                    && other.name.pinyin == person.name.pinyin
                    && other.name.text != person.name.text
            })
        });
        assert!(doubles.count() >= 1);
    }
}
