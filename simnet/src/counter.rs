//! What the counters of one hospital write down of people who come again and again: each time under a number of its own, and now and then
//! wrong. Who it really was stands beside it, so that a program that tells people apart can be measured.
//!
//! The slips are those that Chinese hospitals know: digits that change places, numbers of 15 digits, characters of the same sound, traditional
//! ones, dots and blanks, the lunar calendar, the first of January, a relative's card or telephone, a mother's number for her newborn,
//! stand-ins. Beside the residents there are twins, and strangers of one name and birth date. Not here: messages.

use jiff::ToSpan;
use jiff::civil::Date;

use crate::chance::{Chance, Domain};
use crate::names;
use crate::people::{Person, Sex, people};
use crate::resident_id::ResidentId;

/// What one counter wrote down of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Who it was.
    pub person: usize,
    /// The hospital's number, given anew each time.
    pub number: String,
    /// The name in characters, or in Latin letters.
    pub name: String,
    /// The name in pinyin, if it was written down.
    pub pinyin: Option<String>,
    /// Sex as written.
    pub sex: Sex,
    /// Birth date as written.
    pub birth: Option<Date>,
    /// Resident identity number as written.
    pub resident_id: Option<String>,
    /// Health card as written.
    pub health_card: Option<String>,
    /// Telephone as written.
    pub phone: Option<String>,
    /// What went wrong.
    pub slips: Vec<Slip>,
}

/// What went wrong at a counter, or makes people alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slip {
    /// No identity number and no card was shown.
    NoNumber,
    /// Two digits of the identity number changed places, or one is another.
    Digit,
    /// The number in its 15 digits.
    Short,
    /// Full-width digits, blanks, a small x.
    Width,
    /// A stand-in for a number.
    StandIn,
    /// A relative's number or card.
    Borrowed,
    /// A newborn without a name and a number: the mother's.
    Newborn,
    /// Another character of the same sound.
    Homophone,
    /// Another character altogether.
    Character,
    /// Traditional characters.
    Traditional,
    /// A character that the system does not have.
    Unreadable,
    /// Another dot, blanks within the name, or a name that was cut.
    Dots,
    /// The name in Latin letters.
    Latin,
    /// Male for female.
    Sex,
    /// One part of the birth date is another.
    Birth,
    /// The first of January.
    NewYear,
    /// The day of the lunar calendar.
    Lunar,
    /// No birth date.
    NoBirth,
    /// Somebody else's telephone, a new one, or none.
    Phone,
}

/// Everybody who comes: the residents, twins of some, and strangers of one name and birth date.
fn everybody(seed: u64, residents: usize) -> Vec<Person> {
    let mut all = people(seed, residents);
    let mut chance = Chance::new(seed, Domain::Counter, u64::MAX);
    let mut born = Vec::new();
    for (person, order) in all.iter().zip((460..499).rev().cycle()) {
        // From the other end of a day's numbers: nobody else has them.
        let mut other = person.clone();
        other.resident_id = ResidentId::new(person.birth, person.sex, order);
        other.health_card = format!("9{}", chance.digits(15));
        if chance.below(1_000) < 15 {
            let given = names::homophone(&person.name, person.sex, &mut chance);
            other.name = given.unwrap_or_else(|| another(&person.name, &mut chance));
            born.push(other);
        } else if chance.below(1_000) < 2 {
            other.phone = format!("112{}", chance.digits(8));
            born.push(other);
        }
    }
    all.extend(born);
    all
}

fn another(name: &names::Name, chance: &mut Chance) -> names::Name {
    let mut text = name.text.clone();
    text.pop();
    text.push(*chance.pick(&['双', '欢', '庆', '喜', '安']));
    names::Name { text, pinyin: format!("{}'er", name.pinyin) }
}

/// What the counters of a hospital wrote down while so many residents, and those like them, came one to four times, in the order in
/// which they came.
pub fn written(seed: u64, residents: usize) -> Vec<Written> {
    let all = everybody(seed, residents);
    let mut comings = Vec::new();
    for (at, _) in all.iter().enumerate() {
        let mut chance = Chance::new(seed, Domain::Counter, at as u64);
        for _ in 0..*chance.pick(&[1, 1, 1, 2, 2, 2, 3, 3, 4]) {
            comings.push((chance.below(u64::MAX), at, chance.below(u64::MAX)));
        }
    }
    comings.sort_unstable();
    let write = |(count, (_, at, stream)): (usize, &(u64, usize, u64))| {
        let chance = Chance::new(seed ^ stream, Domain::Counter, *at as u64);
        let person = all.get(*at)?;
        Some(Counter { all: &all, at: *at, person, chance, slips: Vec::new() }.write(count))
    };
    comings.iter().enumerate().filter_map(write).collect()
}

struct Counter<'a> {
    all: &'a [Person],
    at: usize,
    person: &'a Person,
    chance: Chance,
    slips: Vec<Slip>,
}

impl<'a> Counter<'a> {
    /// Whether a slip of so many in a thousand happens.
    fn slips(&mut self, slip: Slip, of_thousand: u64) -> bool {
        let slips = self.chance.below(1_000) < of_thousand;
        if slips {
            self.slips.push(slip);
        }
        slips
    }

    fn write(mut self, count: usize) -> Written {
        let all = self.all;
        let person = self.person;
        let guardian = person.guardian.and_then(|guardian| all.get(guardian));
        let newborn = guardian.filter(|_| person.birth.year() >= 2025);
        let newborn = newborn.filter(|_| self.slips(Slip::Newborn, 500));
        let card = newborn.or_else(|| self.relative(person)).unwrap_or(person);
        let shown = self.chance.below(100);
        let resident_id = (shown < 72).then(|| self.resident_id(card));
        let health_card = (62..86).contains(&shown).then(|| card.health_card.clone());
        if shown >= 86 {
            self.slips.push(Slip::NoNumber);
        }
        let birth = self.birth(person.birth);
        let phone = self.phone(person);
        let (name, pinyin) = match newborn {
            Some(mother) => {
                (format!("{}之{}", mother.name.text, if person.sex == Sex::Male { "子" } else { "女" }), None)
            }
            None => self.name(person),
        };
        let sex = if self.slips(Slip::Sex, 10) { other_sex(person.sex) } else { person.sex };
        let number = format!("C{count:07}");
        Written {
            person: self.at,
            number,
            name,
            pinyin,
            sex,
            birth,
            resident_id,
            health_card,
            phone,
            slips: self.slips,
        }
    }

    /// Somebody of the household whose card was shown: the one before in the list, or the one behind.
    fn relative(&mut self, person: &Person) -> Option<&'a Person> {
        if !self.slips(Slip::Borrowed, 8) {
            return None;
        }
        let beside = [self.at.checked_sub(1), self.at.checked_add(1)].into_iter().flatten();
        let all = self.all;
        let mut others = beside.filter_map(|at| all.get(at));
        let relative = others.find(|other| other.household == person.household);
        if relative.is_none() {
            self.slips.pop();
        }
        relative
    }

    fn resident_id(&mut self, of: &Person) -> String {
        let number = of.resident_id.to_string();
        if self.slips(Slip::StandIn, 12) {
            return (*self.chance.pick(&[
                "111111111111111111",
                "000000000000000000",
                "999999190001010014",
                "无",
            ]))
            .to_owned();
        }
        if self.slips(Slip::Digit, 25) {
            return self.wrong_digit(&number);
        }
        if of.birth.year() < 1999 && self.slips(Slip::Short, 30) {
            return part(&number, 0..6) + &part(&number, 8..17);
        }
        if self.slips(Slip::Width, 40) {
            let wide = |c: char| char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c);
            return match self.chance.below(3) {
                0 => number.chars().map(wide).collect(),
                1 => format!(" {} {} {}", part(&number, 0..6), part(&number, 6..14), part(&number, 14..18)),
                _ => number.to_lowercase(),
            };
        }
        number
    }

    fn wrong_digit(&mut self, number: &str) -> String {
        let mut digits: Vec<char> = number.chars().collect();
        let at = usize::try_from(self.chance.below(16)).unwrap_or(0);
        match digits.get_mut(at..at + 2) {
            Some([one, other]) if one != other && self.chance.percent(50) => std::mem::swap(one, other),
            Some([one, _]) => {
                let others: Vec<char> = ('0'..='9').filter(|digit| digit != one).collect();
                *one = *self.chance.pick(&others);
            }
            _ => {}
        }
        digits.into_iter().collect()
    }

    fn birth(&mut self, born: Date) -> Option<Date> {
        if self.slips(Slip::NoBirth, 20) {
            return None;
        }
        if self.slips(Slip::NewYear, 12) {
            return Date::new(born.year(), 1, 1).ok();
        }
        if self.slips(Slip::Lunar, 12) {
            return Some(born.saturating_sub(self.chance.between(18, 50).days()));
        }
        if self.slips(Slip::Birth, 12) {
            let other = match self.chance.below(3) {
                0 => Date::new(
                    born.year() - *self.chance.pick(&[1, 2, 3, 10]),
                    born.month(),
                    born.day().min(28),
                ),
                1 => Date::new(born.year(), born.month() % 12 + 1, born.day().min(28)),
                _ => Date::new(born.year(), born.month(), born.day() % 28 + 1),
            };
            return other.ok().or(Some(born));
        }
        Some(born)
    }

    fn phone(&mut self, person: &Person) -> Option<String> {
        if self.slips(Slip::Phone, 250) {
            return self.chance.percent(50).then(|| format!("113{}", self.chance.digits(8)));
        }
        Some(person.phone.clone())
    }

    fn name(&mut self, person: &Person) -> (String, Option<String>) {
        let (text, pinyin) = (&person.name.text, person.name.pinyin.clone());
        let given = self.chance.percent(40).then(|| pinyin.clone());
        if text.contains('·') {
            let parts: Vec<&str> = text.split('·').collect();
            let written = match self.chance.below(6) {
                0 | 1 => text.clone(),
                2 => parts.join("•"),
                3 => parts.join(" . "),
                4 => parts.concat(),
                _ => parts.into_iter().take(1).collect(),
            };
            if written != *text {
                self.slips.push(Slip::Dots);
            }
            return (written, given);
        }
        if self.slips(Slip::Latin, 8) {
            return (pinyin.to_uppercase(), None);
        }
        if self.slips(Slip::Homophone, 20) {
            if let Some(other) = names::homophone(&person.name, person.sex, &mut self.chance) {
                return (other.text, given);
            }
            self.slips.pop();
        }
        if self.slips(Slip::Character, 8) {
            return (another(&person.name, &mut self.chance).text, None);
        }
        if self.slips(Slip::Unreadable, 5) {
            return (cut(text) + "?", None);
        }
        if self.slips(Slip::Dots, 10) {
            return (text.chars().map(|c| format!("{c} ")).collect(), given);
        }
        let traditional: String = text.chars().map(traditional).collect();
        if traditional != *text && self.slips(Slip::Traditional, 30) {
            return (traditional, given);
        }
        (text.clone(), given)
    }
}

fn part(text: &str, range: std::ops::Range<usize>) -> String {
    text.get(range).unwrap_or_default().to_owned()
}

fn cut(text: &str) -> String {
    let mut text = text.to_owned();
    text.pop();
    text
}

const fn other_sex(sex: Sex) -> Sex {
    match sex {
        Sex::Male => Sex::Female,
        Sex::Female => Sex::Male,
    }
}

/// The traditional writing of frequent characters of names.
const fn traditional(c: char) -> char {
    match c {
        '张' => '張',
        '刘' => '劉',
        '陈' => '陳',
        '杨' => '楊',
        '黄' => '黃',
        '赵' => '趙',
        '吴' => '吳',
        '孙' => '孫',
        '马' => '馬',
        '郑' => '鄭',
        '谢' => '謝',
        '许' => '許',
        '丽' => '麗',
        '华' => '華',
        '伟' => '偉',
        '国' => '國',
        '杰' => '傑',
        '颖' => '穎',
        '兰' => '蘭',
        '鹏' => '鵬',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_same_seed_is_the_same_counter_and_every_slip_happens() {
        let one = written(7, 3_000);
        assert_eq!(one, written(7, 3_000));
        let slips: BTreeSet<Slip> = one.iter().flat_map(|written| written.slips.clone()).collect();
        assert_eq!(slips.len(), 19, "{slips:?}");
        let numbers: BTreeSet<&str> = one.iter().map(|written| written.number.as_str()).collect();
        assert_eq!(numbers.len(), one.len());
    }

    #[test]
    fn nobody_has_the_number_of_another() {
        let all = everybody(7, 3_000);
        let numbers: BTreeSet<&str> = all.iter().map(|person| person.resident_id.as_str()).collect();
        assert_eq!((numbers.len(), all.len() > 3_000), (all.len(), true));
    }
}
