//! A town: who lives there, who went to which hospital, and everything the hospitals' systems then sent, in order.

use std::collections::BTreeMap;

use jiff::{
    ToSpan,
    civil::{Date, DateTime},
};

use crate::chance::{Chance, Domain};
use crate::conditions::{self, Allergy, Condition};
use crate::feeds::{self, Event, Feed};
use crate::hospitals::{HOSPITALS, Hospital, Specialty};
use crate::limits::{CENSUS, DAY_MAX, DAY_MIN, HISTORY_DAYS};
use crate::people::{Person, Register};
use crate::resident_id::Share;
use crate::visits::{Key, Kind, Plan, Visit};

/// A town on one day, with the records of the years before.
#[derive(Debug)]
pub struct Town {
    pub(crate) seed: u64,
    pub(crate) day: Date,
    pub(crate) patients: Vec<Patient>,
    counts: BTreeMap<char, u32>,
    /// So many of the first patients are always registered properly.
    tidy: usize,
}

/// A resident and what the hospitals know.
#[derive(Debug)]
pub struct Patient {
    /// Who it is.
    pub person: Person,
    /// What the patient reacts to.
    pub allergies: Vec<&'static Allergy>,
    /// Under which number each hospital knows the patient, by the hospital's letter.
    pub registrations: BTreeMap<char, Registration>,
    /// All visits, in order of time.
    pub visits: Vec<Visit>,
}

/// A patient's file at one hospital.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The hospital's number for the patient.
    pub number: String,
    /// A number given in haste at the first visit and later merged into [`Registration::number`].
    pub provisional: Option<String>,
    /// Whether the identity number was written down.
    pub identified: bool,
}

impl Town {
    /// The town of `size` residents that this seed names, on this day. Identity numbers depend on the seed alone, so a
    /// later day moves the visits and leaves the people.
    pub fn new(seed: u64, size: usize, day: Date) -> Self {
        Self::some(seed, Share::WHOLE, size, day, |_| true)
    }

    /// The same town, of whose residents only these have been to a hospital, with this share of the identity numbers.
    pub fn some(seed: u64, share: Share, size: usize, day: Date, lives: impl Fn(usize) -> bool) -> Self {
        let mut register = Register::new(seed, share);
        register.grow_to(size);
        let mut town = Self::of(seed, day, register.into_people(), 0);
        for at in (0..town.patients.len()).filter(|at| lives(*at)) {
            town.live(at);
        }
        town
    }

    /// A town of people who have not been to a hospital yet; the files of the first `tidy` of them will have no flaw.
    pub(crate) fn of(seed: u64, day: Date, people: Vec<Person>, tidy: usize) -> Self {
        let patient = |person| Patient {
            person,
            allergies: Vec::new(),
            registrations: BTreeMap::new(),
            visits: Vec::new(),
        };
        let patients = people.into_iter().map(patient).collect();
        Self { seed, day: day.clamp(DAY_MIN, DAY_MAX), patients, counts: BTreeMap::new(), tidy }
    }

    /// The day on which the town lives.
    pub fn day(&self) -> Date {
        self.day
    }

    /// Everyone; the index is the patient's name in feeds.
    pub fn patients(&self) -> &[Patient] {
        &self.patients
    }

    /// Those whom a hospital knows, with their indices.
    pub fn patients_of(&self, hospital: &Hospital) -> impl Iterator<Item = (usize, &Patient)> {
        let letter = hospital.letter;
        let known = move |(_, patient): &(usize, &Patient)| patient.registrations.contains_key(&letter);
        self.patients.iter().enumerate().filter(known)
    }

    /// Everything that the hospitals' systems sent until the end of the day, in order of time. Written as it is asked
    /// for.
    pub fn feeds(&self) -> impl Iterator<Item = Feed> {
        self.events().into_iter().filter_map(|event| self.write(&event))
    }

    /// What made the systems send it, in the same order.
    pub fn events(&self) -> Vec<Event> {
        let mut events: Vec<Event> = self
            .patients
            .iter()
            .enumerate()
            .flat_map(|(at, patient)| feeds::events(self.seed, at, patient))
            .collect();
        events.retain(|event| event.at.date() <= self.day);
        events.sort_by_key(|event| (event.at, event.key.patient, event.key.visit, event.order));
        events
    }

    /// Writes what one event made a system send; `None` if the event is not of this town.
    pub fn write(&self, event: &Event) -> Option<Feed> {
        feeds::write(self.seed, self.patients.get(event.key.patient)?, event)
    }

    /// Writes what a system sent about a visit for which another resident's card was shown; `None` if the event or the card is not of
    /// this town, or the hospital does not know who has the card.
    pub fn write_under(&self, event: &Event, card: usize) -> Option<Feed> {
        let patient = self.patients.get(event.key.patient)?;
        feeds::write_under(self.seed, patient, (card, self.patients.get(card)?), event)
    }

    /// The visit that an event is of; `None` if it is not of this town.
    pub fn visit_of(&self, event: &Event) -> Option<&Visit> {
        self.patients.get(event.key.patient)?.visits.get(event.key.visit)
    }

    /// Gives somebody a past with hospitals.
    pub(crate) fn live(&mut self, at: usize) {
        let mut chance = Chance::new(self.seed, Domain::Paths, at as u64);
        let Some(person) = self.patients.get(at).map(|patient| patient.person.clone()) else { return };
        if chance.percent(9) {
            self.allergic(at, chance.pick(conditions::allergies()));
        }
        let usual = condition(&person, CENSUS, &mut chance);
        let mut visits: Vec<(DateTime, &'static Condition)> = Vec::new();
        for _ in 0..chance.between(1, 5) {
            let from = moment(&person, self.day, &mut chance);
            let again = chance.percent(55) && usual.fits(person.sex, person.age(from.date()));
            let condition = if again { usual } else { condition(&person, from.date(), &mut chance) };
            visits.push((from, condition));
        }
        visits.sort_by_key(|(from, _)| *from);
        for (from, condition) in visits {
            let hospital = hospital(condition.specialty, person.age(from.date()), &mut chance);
            let kind = kind(hospital, condition, &mut chance);
            self.visit(at, Plan::new(hospital, kind, from, condition));
        }
    }

    /// Records an allergy.
    pub(crate) fn allergic(&mut self, at: usize, allergy: &'static Allergy) {
        if let Some(patient) = self.patients.get_mut(at) {
            patient.allergies.push(allergy);
        }
    }

    /// Lets a visit happen; at a hospital where the patient is new, the patient is registered first.
    pub(crate) fn visit(&mut self, at: usize, plan: Plan) {
        self.register(at, plan.hospital, plan.from.date());
        let Some(patient) = self.patients.get_mut(at) else { return };
        let key = Key { patient: at, visit: patient.visits.len() };
        let mut chance = Chance::new(self.seed, Domain::Visits, key.stream());
        let plan = Plan { past: patient.past(plan.past), ..plan };
        let visit = plan.carry_out(&patient.person, key, &mut chance);
        patient.visits.push(visit);
    }

    fn register(&mut self, at: usize, hospital: &'static Hospital, on: Date) {
        let Some(patient) = self.patients.get_mut(at) else { return };
        if patient.registrations.contains_key(&hospital.letter) {
            return;
        }
        let mut chance =
            Chance::new(self.seed, Domain::Registrations, (at as u64) << 8 | hospital.letter as u64);
        let count = self.counts.entry(hospital.letter).or_insert(0);
        let mut number = || {
            *count += 1;
            hospital.local_number(*count, on)
        };
        let flaws = if at < self.tidy { 0 } else { 4 };
        let provisional = if chance.percent(flaws) { Some(number()) } else { None };
        let registration = Registration { number: number(), provisional, identified: !chance.percent(flaws) };
        patient.registrations.insert(hospital.letter, registration);
    }
}

impl Patient {
    /// What a physician writes down about earlier times.
    fn past(&self, told: String) -> String {
        let mut known: Vec<&str> = self.visits.iter().map(|visit| visit.main().name).collect();
        known.sort_unstable();
        known.dedup();
        let history = match (told.is_empty(), known.is_empty()) {
            (false, _) => told,
            (true, true) => "平素体健。".to_owned(),
            (true, false) => format!("既往曾诊断{}。", known.join("、")),
        };
        let allergies: Vec<&str> = self.allergies.iter().map(|allergy| allergy.name).collect();
        match allergies.is_empty() {
            true => format!("{history}否认药物及食物过敏史。"),
            false => format!("{history}{}过敏。", allergies.join("、")),
        }
    }
}

fn condition(person: &Person, on: Date, chance: &mut Chance) -> &'static Condition {
    let age = person.age(on);
    let fitting: Vec<&'static Condition> = conditions::fitting(person.sex, age).collect();
    // A paediatric condition is four times as likely for a child as an adult's frequent one.
    let weight = |condition: &&'static Condition| {
        if condition.specialty == Specialty::Children { condition.weight * 4 } else { condition.weight }
    };
    chance.weighted::<&Condition>(&fitting, weight)
}

/// A moment during the day, in the years before today and after birth.
fn moment(person: &Person, day: Date, chance: &mut Chance) -> DateTime {
    let on = day.saturating_sub(chance.between(1, HISTORY_DAYS).days());
    let first = person.birth.saturating_add(3.days());
    let (hour, minute, second) = (chance.between(8, 16), chance.between(0, 59), chance.between(0, 59));
    let morning = on.max(first).min(day).at(0, 0, 0, 0);
    morning.saturating_add(hour.hours()).saturating_add(minute.minutes()).saturating_add(second.seconds())
}

fn hospital(specialty: Specialty, age: i64, chance: &mut Chance) -> &'static Hospital {
    let weight = |hospital: &&'static Hospital| match hospital.letter {
        'D' if age >= 15 && specialty != Specialty::Women => 0,
        _ if !hospital.treats(specialty) => 0,
        'A' => 40,
        'D' => 60,
        _ => 26,
    };
    chance.weighted::<&Hospital>(&HOSPITALS, weight)
}

fn kind(hospital: &Hospital, condition: &Condition, chance: &mut Chance) -> Kind {
    let wards = hospital.letter != 'E';
    if condition.specialty == Specialty::Emergency {
        Kind::Emergency
    } else if wards && chance.percent(condition.inpatients) {
        Kind::Inpatient
    } else {
        Kind::Outpatient
    }
}
