//! The people of the world and their hospitals: towns of the generator, one for every five hospitals.

use yiqiao_proto::id::Code;
use yiqiao_proto::person::Identifier;
use yiqiao_simnet::hospitals::{HOSPITALS, Hospital};
use yiqiao_simnet::limits::DAY_MIN;
use yiqiao_simnet::people::Sex;
use yiqiao_simnet::town::Town;

use crate::network::Who;
use crate::region::constant;
use crate::setup::Setup;

/// Somebody, and where the hospitals know this person.
#[derive(Clone, Debug)]
pub(crate) struct Resident {
    pub(crate) identifier: Identifier,
    pub(crate) name: String,
    pub(crate) health_card: String,
    pub(crate) is_female: bool,
    pub(crate) birth: (u32, u32, u32),
    pub(crate) known_at: Vec<Who>,
}

/// The towns of a world. Towns whose people have the same numbers would be one town.
pub(super) fn towns(setup: &Setup) -> Vec<Town> {
    let count = setup.hospitals.div_ceil(HOSPITALS.len());
    let town = |at: usize| {
        let size = (setup.patients + at) / count;
        Town::new(setup.seed.wrapping_add((at as u64) << 32), size, DAY_MIN)
    };
    (0..count).map(town).collect()
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

/// Everybody whom some hospital of the world knows.
pub(crate) fn residents(setup: &Setup) -> Vec<Resident> {
    let mut residents = Vec::new();
    for (number, town) in towns(setup).iter().enumerate() {
        for patient in town.patients() {
            let known =
                HOSPITALS.iter().filter(|hospital| patient.registrations.contains_key(&hospital.letter));
            let known_at: Vec<Who> = known.filter_map(|hospital| node_of(setup, number, hospital)).collect();
            let person = &patient.person;
            let Ok(identifier) = Identifier::resident_id(person.resident_id.as_str()) else { continue };
            let part = |part: i8| u32::from(part.unsigned_abs());
            residents.push(Resident {
                identifier,
                name: person.name.text.clone(),
                health_card: person.health_card.clone(),
                is_female: person.sex == Sex::Female,
                birth: (
                    u32::from(person.birth.year().unsigned_abs()),
                    part(person.birth.month()),
                    part(person.birth.day()),
                ),
                known_at,
            });
        }
    }
    residents
}
