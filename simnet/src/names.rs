//! Names as they stand in hospital systems: one string, surname first; in some ethnic groups two parts with a dot.

use std::sync::LazyLock;

use crate::chance::Chance;
use crate::people::Sex;
use crate::tables::{number, rows, words};

/// A name and its reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name in characters.
    pub text: String,
    /// The name in pinyin without tone marks, surname first, one blank between the parts.
    pub pinyin: String,
}

/// An ethnic group of GB/T 3304.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ethnicity {
    /// Two digits.
    pub code: &'static str,
    /// For example 汉族.
    pub name: &'static str,
}

/// The majority group.
pub const HAN: Ethnicity = Ethnicity { code: "01", name: "汉族" };

/// A piece of writing and its reading.
#[derive(Clone, Copy, Debug)]
struct Part {
    text: &'static str,
    pinyin: &'static str,
}

/// A surname, inherited from the father.
#[derive(Clone, Copy, Debug)]
pub struct Surname {
    part: Part,
    weight: u64,
}

struct Tradition {
    ethnicity: Ethnicity,
    sex: Sex,
    given: Vec<Part>,
    after_dot: Vec<Part>,
}

static SURNAMES: LazyLock<Vec<Surname>> = LazyLock::new(|| {
    let surname = |[text, pinyin, weight]: [&'static str; 3]| Surname {
        part: Part { text, pinyin },
        weight: number(weight).unsigned_abs(),
    };
    words(include_str!("../data/surnames.txt")).map(surname).collect()
});

static GIVEN: LazyLock<Vec<(Sex, Vec<Part>)>> = LazyLock::new(|| {
    let row = |[sex, characters]: [&'static str; 2]| (sex_of(sex), parts(characters));
    rows(include_str!("../data/given.txt")).map(row).collect()
});

static TRADITIONS: LazyLock<Vec<Tradition>> = LazyLock::new(|| {
    let row = |[code, name, sex, given, after_dot]: [&'static str; 5]| Tradition {
        ethnicity: Ethnicity { code, name },
        sex: sex_of(sex),
        given: parts(given),
        after_dot: parts(after_dot),
    };
    rows(include_str!("../data/minorities.txt")).map(row).collect()
});

/// A surname, as frequent as in the country.
pub fn surname(chance: &mut Chance) -> Surname {
    *chance.weighted(&SURNAMES, |surname| surname.weight)
}

/// A name of the majority's form under this surname.
pub fn han(surname: Surname, sex: Sex, chance: &mut Chance) -> Name {
    let characters = given(sex);
    let first = chance.pick(characters);
    let second = if chance.percent(72) { Some(chance.pick(characters)) } else { None };
    let second = second.filter(|second| second.text != first.text);
    let reading: String = [Some(first), second].into_iter().flatten().map(|part| part.pinyin).collect();
    Name {
        text: format!("{}{}{}", surname.part.text, first.text, second.map_or("", |part| part.text)),
        pinyin: format!("{} {}", capital(surname.part.pinyin), capital(&reading)),
    }
}

/// A name of another group's form, with the group.
pub fn minority(sex: Sex, chance: &mut Chance) -> (Name, Ethnicity) {
    let traditions: Vec<&Tradition> = TRADITIONS.iter().filter(|tradition| tradition.sex == sex).collect();
    let tradition = *chance.pick(&traditions);
    let first = *chance.pick(&tradition.given);
    let name = if tradition.after_dot.is_empty() {
        Name { text: first.text.to_owned(), pinyin: first.pinyin.to_owned() }
    } else {
        let second = *chance.pick(&tradition.after_dot);
        Name {
            text: format!("{}·{}", first.text, second.text),
            pinyin: format!("{} {}", first.pinyin, second.pinyin),
        }
    };
    (name, tradition.ethnicity)
}

/// Another writing of the same sound: the last character replaced by one that reads the same. `None` if there is none.
pub fn homophone(name: &Name, sex: Sex, chance: &mut Chance) -> Option<Name> {
    let last = name.text.chars().last()?.to_string();
    let reading = given(sex).iter().find(|part| part.text == last)?.pinyin;
    let others: Vec<&Part> =
        given(sex).iter().filter(|part| part.pinyin == reading && part.text != last).collect();
    if others.is_empty() {
        return None;
    }
    let mut text = name.text.clone();
    text.pop();
    text.push_str(chance.pick(&others).text);
    Some(Name { text, pinyin: name.pinyin.clone() })
}

fn given(sex: Sex) -> &'static [Part] {
    GIVEN.iter().find(|(of, _)| *of == sex).map(|(_, parts)| parts.as_slice()).unwrap_or_default()
}

fn parts(list: &'static str) -> Vec<Part> {
    words(list).map(|[text, pinyin]: [&'static str; 2]| Part { text, pinyin }).collect()
}

fn sex_of(letter: &str) -> Sex {
    if letter == "m" { Sex::Male } else { Sex::Female }
}

fn capital(reading: &str) -> String {
    let mut letters = reading.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Domain;

    #[test]
    fn the_lists_are_whole() {
        assert!(SURNAMES.len() >= 100);
        assert!(SURNAMES.iter().any(|surname| surname.part.text.chars().count() == 2));
        for sex in [Sex::Male, Sex::Female] {
            assert!(given(sex).len() >= 40);
            assert!(
                TRADITIONS.iter().any(|tradition| tradition.sex == sex && !tradition.after_dot.is_empty())
            );
        }
    }

    #[test]
    fn a_homophone_sounds_the_same_and_looks_different() {
        let mut chance = Chance::new(1, Domain::Households, 0);
        let name = Name { text: "林子涵".to_owned(), pinyin: "Lin Zihan".to_owned() };
        let other = homophone(&name, Sex::Female, &mut chance).unwrap();
        assert_eq!((other.text.as_str(), other.pinyin.as_str()), ("林子晗", "Lin Zihan"));
        let none = Name { text: "卓玛".to_owned(), pinyin: "Zhuoma".to_owned() };
        assert_eq!(homophone(&none, Sex::Female, &mut chance), None);
    }
}
