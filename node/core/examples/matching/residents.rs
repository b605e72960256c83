//! The residents of the synthetic town, as the counters of one hospital wrote them down.

#![expect(clippy::unwrap_used, reason = "measures what a test or a person asked for")]

use std::collections::BTreeSet;

use yiqiao_intake::patient::{IdKind, Identifier, PartialDate, Patient, Sex};
use yiqiao_proto::person;
use yiqiao_proto::phi::Phi;
use yiqiao_simnet::counter::{Written, written};
use yiqiao_simnet::people;

use crate::measure::{Measured, Told, measure};

/// Registers what was written down of so many residents, and measures.
pub(crate) fn residents(seed: u64, residents: usize) -> Measured {
    let written = written(seed, residents);
    let mut identifiers = BTreeSet::new();
    for one in &written {
        identifiers
            .extend(one.resident_id.iter().filter_map(|number| person::Identifier::resident_id(number).ok()));
        identifiers
            .extend(one.health_card.iter().filter_map(|number| person::Identifier::health_card(number).ok()));
    }
    let told: Vec<Told> = written.into_iter().map(told).collect();
    measure(&told, &identifiers)
}

fn told(written: Written) -> Told {
    let mut patient = Patient { name: Some(Phi::new(written.name)), ..Patient::default() };
    patient.pinyin = written.pinyin.map(Phi::new);
    patient.phone = written.phone.map(Phi::new);
    patient.sex = Some(Phi::new(match written.sex {
        people::Sex::Male => Sex::Male,
        people::Sex::Female => Sex::Female,
    }));
    let part = |birth: jiff::civil::Date| {
        PartialDate::new(birth.year(), Some(birth.month()), Some(birth.day())).unwrap()
    };
    patient.birth_date = written.birth.map(|birth| Phi::new(part(birth)));
    patient.identify(Identifier::new(IdKind::Local, &written.number, ""));
    for (kind, number) in
        [(IdKind::ResidentId, written.resident_id), (IdKind::HealthCard, written.health_card)]
    {
        patient.identify(number.and_then(|number| Identifier::new(kind, &number, "")));
    }
    let slips = written.slips.iter().map(|slip| format!("{slip:?}")).collect();
    Told { person: written.person, number: written.number, patient, slips }
}
