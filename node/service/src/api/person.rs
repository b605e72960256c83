//! Patients as pages see them: names plain, numbers masked until somebody asks for them.
//!
//! What is made here describes patients: it goes into answers and nowhere else, so none of it can be printed.

use serde::Serialize;
use yiqiao_node_core::ask::Patient;
use yiqiao_node_core::remark::Remark;
use yiqiao_node_core::sight::Ground;
use yiqiao_node_core::state::kept::{BirthDate, PersonData, PersonIdentifier, Visit};
use yiqiao_proto::form::ReferralForm;
use yiqiao_proto::person::{Identifier as FormIdentifier, IdentifierKind};
use yiqiao_proto::time::Timestamp;

use crate::api::front::Front;
use crate::api::words;

/// A patient in a list.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) subject: String,
    pub(super) name: String,
    pub(super) sex: &'static str,
    pub(super) birth_date: Option<String>,
    number: String,
    last_visit: Option<String>,
    department: Option<String>,
    ground: &'static str,
}

/// A patient on the own page.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Whole {
    #[serde(flatten)]
    row: Row,
    identifiers: Vec<Masked>,
    phone: Option<String>,
    address: Option<String>,
    visits: Vec<ShownVisit>,
    remarks: Vec<&'static str>,
    findable: bool,
    documents: bool,
    died_at: Option<String>,
    /// Until when the glass is broken by who asks, if it is.
    emergency_until: Option<String>,
    /// Since when the record is sealed, if it is.
    sealed_since: Option<String>,
}

/// An identifier that shows what it is and not which.
#[derive(Serialize)]
pub(super) struct Masked {
    pub(super) kind: &'static str,
    pub(super) masked: String,
}

/// What was asked for in full.
#[derive(Serialize)]
pub(super) struct Revealed {
    identifiers: Vec<Identifier>,
    phone: Option<String>,
    address: Option<String>,
}

#[derive(Serialize)]
struct Identifier {
    kind: &'static str,
    value: String,
}

#[derive(Serialize)]
struct ShownVisit {
    number: String,
    class: &'static str,
    department: Option<String>,
    attending: Option<String>,
    admitted: Option<String>,
    discharged: Option<String>,
}

/// What lies over a record for who asks: an emergency until then, a seal since then.
#[derive(Default)]
pub(super) struct Over {
    pub(super) emergency: Option<Timestamp>,
    pub(super) sealed: Option<Timestamp>,
}

impl Front {
    /// A patient as a row.
    pub(super) fn row(&self, patient: &Patient, ground: Ground) -> Row {
        let data = patient.data.expose();
        let last = data.visits.iter().max_by_key(|visit| visit_at(visit));
        Row {
            subject: patient.subject.to_string(),
            name: data.name.clone(),
            sex: sex(data.sex),
            birth_date: data.birth.as_ref().and_then(birth_date),
            number: own_number(data).map(|number| mask(&number.value)).unwrap_or_default(),
            last_visit: last.and_then(visit_at).and_then(|ms| self.at(ms)),
            department: last.and_then(|visit| text(&visit.department)),
            ground: ground_name(ground),
        }
    }

    /// A patient whole, numbers masked.
    pub(super) fn whole(&self, patient: &Patient, ground: Ground, over: &Over) -> Whole {
        let data = patient.data.expose();
        let masked = |id: &PersonIdentifier| Masked { kind: kind_name(id.kind), masked: mask(&id.value) };
        let mut visits: Vec<&Visit> = data.visits.iter().collect();
        visits.sort_by_key(|visit| std::cmp::Reverse(visit_at(visit)));
        Whole {
            row: self.row(patient, ground),
            identifiers: numbers(data).map(masked).collect(),
            phone: text(&data.phone).map(|phone| mask(&phone)),
            address: text(&data.address).map(|address| mask_end(&address)),
            visits: visits.into_iter().map(|visit| self.visit(visit)).collect(),
            remarks: patient.remarks.iter().filter_map(|remark| words::remark(*remark)).collect(),
            findable: !patient.remarks.contains(&Remark::NoToken),
            documents: ground.opens_documents(),
            died_at: patient.died.map(|at| self.time(at)),
            emergency_until: over.emergency.map(|until| self.time(until)),
            sealed_since: over.sealed.map(|since| self.time(since)),
        }
    }

    fn visit(&self, visit: &Visit) -> ShownVisit {
        ShownVisit {
            number: visit.number.clone(),
            class: class_name(visit.class),
            department: text(&visit.department),
            attending: visit.attending.as_ref().and_then(|staff| text(&staff.name)),
            admitted: visit.admitted.and_then(|ms| self.at(ms)),
            discharged: visit.discharged.and_then(|ms| self.at(ms)),
        }
    }

    fn at(&self, ms: i64) -> Option<String> {
        Timestamp::from_unix_ms(ms).map(|at| self.time(at))
    }
}

/// Numbers, phone and address in full.
pub(super) fn revealed(patient: &Patient) -> Revealed {
    let data = patient.data.expose();
    let whole = |id: &PersonIdentifier| Identifier { kind: kind_name(id.kind), value: id.value.clone() };
    Revealed {
        identifiers: numbers(data).map(whole).collect(),
        phone: text(&data.phone),
        address: text(&data.address),
    }
}

/// The same of the person on a referral's form.
pub(super) fn revealed_form(form: &ReferralForm) -> Revealed {
    let person = &form.person;
    let whole =
        |id: &FormIdentifier| Identifier { kind: person_kind(id.kind()), value: id.value().expose().clone() };
    Revealed {
        identifiers: person.identifiers.iter().map(whole).collect(),
        phone: text(person.phone.expose()),
        address: None,
    }
}

/// The head and the tail of a number; the tail only of a short one.
pub(super) fn mask(number: &str) -> String {
    let characters: Vec<char> = number.chars().collect();
    let (head, tail) = match characters.len() {
        0..=4 => (0, 1),
        5..=9 => (0, 3),
        _ => (3, 4),
    };
    let shown = |at: usize| at < head || at + tail >= characters.len();
    let masked = characters.iter().enumerate().map(|(at, letter)| if shown(at) { *letter } else { '*' });
    masked.collect()
}

/// The beginning of an address: the district and not the house.
fn mask_end(address: &str) -> String {
    const SHOWN: usize = 6;
    let shown: String = address.chars().take(SHOWN).collect();
    if address.chars().count() > SHOWN { shown + "****" } else { shown }
}

/// The family name, and that there is more: for what is kept where patients' data are not encrypted.
pub(super) fn family_name(name: &str) -> String {
    name.chars().next().map_or_else(|| "患者".to_owned(), |first| format!("{first}**"))
}

/// The number under which this hospital knows the patient: of the register, else of a clinic or ward.
pub(crate) fn own_number(data: &PersonData) -> Option<&PersonIdentifier> {
    const OWN: [u32; 3] = [4, 6, 5];
    OWN.iter().find_map(|kind| numbers(data).find(|id| id.kind == *kind))
}

/// A patient's numbers, each once. Systems send one number under several kinds, such as a health card's as a number of theirs:
/// the kind that says most is the lowest.
fn numbers(data: &PersonData) -> impl Iterator<Item = &PersonIdentifier> {
    let all = &data.identifiers;
    let says_more = |at: usize, id: &PersonIdentifier| {
        let same = all.iter().enumerate().filter(|(_, other)| other.value == id.value);
        same.map(|(place, other)| (other.kind, place)).any(|other| other < (id.kind, at))
    };
    all.iter().enumerate().filter(move |(at, id)| !says_more(*at, id)).map(|(_, id)| id)
}

pub(super) const fn sex(number: u32) -> &'static str {
    match number {
        2 => "male",
        3 => "female",
        _ => "unknown",
    }
}

/// A whole date of birth; a date of which the day is not known is none.
fn birth_date(birth: &BirthDate) -> Option<String> {
    date(i64::from(birth.year), birth.month, birth.day)
}

pub(super) fn date(year: i64, month: u32, day: u32) -> Option<String> {
    (year > 0 && month > 0 && day > 0).then(|| format!("{year:04}-{month:02}-{day:02}"))
}

/// Numbers of the person as the pages name them.
pub(super) const fn person_kind(kind: IdentifierKind) -> &'static str {
    match kind {
        IdentifierKind::ResidentId => "resident-id",
        IdentifierKind::HealthCard => "health-card",
        IdentifierKind::Permit => "permit",
        IdentifierKind::Passport => "passport",
        IdentifierKind::TravelPermit => "travel-permit",
    }
}

fn kind_name(kind: u32) -> &'static str {
    match kind {
        1 => "resident-id",
        2 => "health-card",
        4 => "local",
        5 => "outpatient",
        6 => "inpatient",
        7 => "passport",
        9 => "travel-permit",
        _ => "other",
    }
}

const fn class_name(class: u32) -> &'static str {
    match class {
        1 => "inpatient",
        2 => "outpatient",
        3 => "emergency",
        _ => "other",
    }
}

const fn ground_name(ground: Ground) -> &'static str {
    match ground {
        Ground::Attending => "attending",
        Ground::Referral | Ground::Accepted | Ground::ReferralOfDepartment => "referral",
        Ground::Department => "department",
        Ground::Office => "referral-office",
        Ground::Desk => "desk",
        Ground::Glass => "emergency",
        Ground::Reviewer => "reviewer",
        Ground::Affairs => "medical-affairs",
        Ground::Own => "own",
        Ground::System => "system",
    }
}

const fn visit_at(visit: &Visit) -> Option<i64> {
    match visit.admitted {
        Some(at) => Some(at),
        None => visit.discharged,
    }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_number_shows_too_little_to_be_anybodys() {
        assert_eq!(mask("330102199001011234"), "330***********1234");
        assert_eq!(mask("13800001111"), "138****1111");
        assert_eq!(mask("0000218"), "****218");
        assert_eq!(mask("12"), "*2");
        assert_eq!(mask(""), "");
    }

    #[test]
    fn an_address_is_cut_before_the_house() {
        assert_eq!(mask_end("浙江省杭州市西湖区文三路1号"), "浙江省杭州市****");
    }

    #[test]
    fn an_account_holds_a_family_name_at_most() {
        assert_eq!((family_name("陈志远"), family_name("")), ("陈**".to_owned(), "患者".to_owned()));
    }

    #[test]
    fn a_number_is_shown_once_as_what_it_is() {
        let id = |kind, value: &str| PersonIdentifier { kind, value: value.to_owned(), ..Default::default() };
        let identifiers =
            vec![id(4, "9901"), id(1, "11"), id(4, "218"), id(2, "9901"), id(6, "218"), id(6, "ZY1")];
        let data = PersonData { identifiers, ..Default::default() };
        let shown: Vec<_> = numbers(&data).map(|id| (kind_name(id.kind), id.value.as_str())).collect();
        let expected =
            [("resident-id", "11"), ("local", "218"), ("health-card", "9901"), ("inpatient", "ZY1")];
        assert_eq!(shown, expected);
        assert_eq!(own_number(&data).map(|id| id.value.as_str()), Some("218"));
    }

    #[test]
    fn a_date_without_a_day_is_no_date() {
        assert_eq!(date(1958, 3, 4).as_deref(), Some("1958-03-04"));
        assert_eq!((date(1958, 3, 0), date(0, 0, 0)), (None, None));
    }
}
