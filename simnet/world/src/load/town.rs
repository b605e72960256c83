//! The people of the world and their hospitals: towns of the generator, one for every five hospitals.

use std::collections::BTreeSet;

use yiqiao_proto::id::Code;
use yiqiao_proto::person::Identifier;
use yiqiao_simnet::feeds::Event;
use yiqiao_simnet::hospitals::{HOSPITALS, Hospital};
use yiqiao_simnet::limits::DAY_MIN;
use yiqiao_simnet::people::Sex;
use yiqiao_simnet::resident_id::Share;
use yiqiao_simnet::town::Town;

use super::borrowed::{self, Borrowed};
use super::mistakes;
use crate::network::Who;
use crate::region::constant;
use crate::setup::Setup;

/// Somebody, and where the hospitals know this person.
#[derive(Clone, Debug)]
pub(crate) struct Resident {
    pub(crate) identifier: Identifier,
    pub(crate) name: String,
    pub(crate) health_card: String,
    /// The family's: those who share it share an account.
    pub(crate) phone: String,
    /// The numbers under which hospitals know this person.
    pub(crate) numbers: Vec<String>,
    pub(crate) is_female: bool,
    /// Somebody else answers for this person.
    pub(crate) is_child: bool,
    /// Some hospital takes this person for another, or another for this person.
    pub(crate) is_mistaken: bool,
    /// The town, and the place in it.
    pub(crate) place: (usize, usize),
    pub(crate) birth: (u32, u32, u32),
    pub(crate) known_at: Vec<Who>,
    /// The hospitals around.
    pub(crate) near: Vec<Who>,
}

/// The towns of a world. Towns whose people have the same numbers would be one town.
pub(crate) fn towns(setup: &Setup) -> Vec<Town> {
    let count = setup.hospitals.div_ceil(HOSPITALS.len());
    let comes = |at: usize| setup.today.is_none_or(|today| at as u64 * today.come % 1_000 < today.come);
    let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let town = |at: usize| {
        let size = (setup.patients + at) / count;
        let share = Share::of(number(at), number(count));
        Town::some(setup.seed.wrapping_add((at as u64) << 32), share, size, DAY_MIN, comes)
    };
    (0..count).map(town).collect()
}

/// What the systems of a town send.
pub(super) fn events(setup: &Setup, town: &Town) -> Vec<Event> {
    let mut events = town.events();
    if let Some(today) = setup.today {
        let visits = |event: &Event| town.patients().get(event.key.patient).map_or(0, |of| of.visits.len());
        events.retain(|event| event.key.visit + today.visits >= visits(event));
    }
    events
}

/// The node of a hospital of a town, if it has one.
pub(super) fn node_of(setup: &Setup, town: usize, hospital: &Hospital) -> Option<Who> {
    let at = HOSPITALS.iter().position(|known| known.letter == hospital.letter)?;
    let number = town * HOSPITALS.len() + at;
    let number = Some(number).filter(|number| *number < setup.hospitals)?;
    u16::try_from(number + 1).ok().map(Who)
}

/// The member code of the hospital with this number.
pub(crate) fn code_of(number: usize) -> Code {
    let hospital = HOSPITALS.iter().cycle().nth(number).expect("there are hospitals");
    match number / HOSPITALS.len() {
        0 => constant(hospital.member),
        town => constant(&format!("{}-{town}", hospital.member)),
    }
}

/// The hospital of the generator that a node stands for.
pub(crate) fn hospital_of(who: Who) -> &'static Hospital {
    let number = usize::from(who.0).saturating_sub(1);
    HOSPITALS.iter().cycle().nth(number).expect("there are hospitals")
}

/// Everybody who has been to a hospital of the world.
pub(crate) fn residents(setup: &Setup, towns: &[Town]) -> Vec<Resident> {
    let mut residents = Vec::new();
    let mistakes = mistakes::of(setup, towns).into_iter().flat_map(|mistake| mistake.people);
    let borrowed = borrowed::of(setup, towns);
    let mistaken: BTreeSet<_> = mistakes.chain(borrowed.iter().flat_map(Borrowed::people)).collect();
    for (number, town) in towns.iter().enumerate() {
        let all: Vec<Who> =
            HOSPITALS.iter().filter_map(|hospital| node_of(setup, number, hospital)).collect();
        let came = town.patients().iter().enumerate().filter(|(_, patient)| !patient.visits.is_empty());
        for (at, patient) in came {
            let place = (number, at);
            let visits = setup.today.map_or(usize::MAX, |today| today.visits);
            let letters: BTreeSet<char> =
                patient.visits.iter().rev().take(visits).map(|visit| visit.hospital.letter).collect();
            let known = HOSPITALS.iter().filter(|hospital| letters.contains(&hospital.letter));
            let known_at: Vec<Who> = known.filter_map(|hospital| node_of(setup, number, hospital)).collect();
            // Who has a whole life behind has been to most hospitals around.
            let near = if setup.today.is_some() { all.clone() } else { known_at.clone() };
            let person = &patient.person;
            let Ok(identifier) = Identifier::resident_id(person.resident_id.as_str()) else { continue };
            let part = |part: i8| u32::from(part.unsigned_abs());
            residents.push(Resident {
                identifier,
                name: person.name.text.clone(),
                health_card: person.health_card.clone(),
                phone: person.phone.clone(),
                numbers: patient
                    .registrations
                    .values()
                    .flat_map(|file| std::iter::once(file.number.clone()).chain(file.provisional.clone()))
                    .collect(),
                is_female: person.sex == Sex::Female,
                is_child: person.guardian.is_some(),
                is_mistaken: mistaken.contains(&place),
                place,
                birth: (
                    u32::from(person.birth.year().unsigned_abs()),
                    part(person.birth.month()),
                    part(person.birth.day()),
                ),
                known_at,
                near,
            });
        }
    }
    residents
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::Today;

    #[test]
    fn no_two_people_of_a_province_have_one_number() {
        let today = Some(Today { come: 50, visits: 2 });
        let setup = Setup { hospitals: 1_000, patients: 100_000, today, ..Setup::standard(1) };
        let people = residents(&setup, &towns(&setup));
        let numbers: BTreeSet<_> = people.iter().map(|resident| resident.identifier.clone()).collect();
        let cards: BTreeSet<_> = people.iter().map(|resident| &resident.health_card).collect();
        let all = people.len();
        assert!(all > 4_000, "{all}");
        assert_eq!((numbers.len(), cards.len()), (all, all));
    }
}
