//! Patients, and by which of the node's ways one with an identifier is found (IHE PDQm, PIXm).

use serde_json::{Value, json};
use yiqiao_intake::patient::{IdKind, assigner_of};
use yiqiao_node_core::ask::Patient;
use yiqiao_node_core::register::Number;
use yiqiao_node_core::state::kept::{BirthDate, PersonIdentifier};
use yiqiao_proto::person::{Identifier, IdentifierKind};

use crate::date;
use crate::resource::{Resource, Site, member, reference};
use crate::search::Token;
use crate::terms::{
    self, HEALTH_CARD, HEALTH_RECORD, IDENTIFIER_TYPE, INPATIENT, OUTPATIENT, PASSPORTS, PERMIT, RESIDENT,
    TRAVEL_PERMIT,
};

/// A patient as a resource; its id is the subject.
pub fn write(patient: &Patient, site: &Site) -> Resource {
    let data = patient.data.expose();
    let official = (!data.name.is_empty()).then(|| json!({"use": "official", "text": data.name}));
    let pinyin = (!data.pinyin.is_empty()).then(|| json!({"text": data.pinyin, "extension": [syllabic()]}));
    let body = json!({
        "active": true,
        "identifier": data.identifiers.iter().map(identifier).collect::<Vec<_>>(),
        "name": [official, pinyin],
        "telecom": telecom(&data.phone),
        "gender": gender(data.sex),
        "birthDate": data.birth.as_ref().and_then(birth_date),
        "deceasedDateTime": patient.died.map(date::instant),
        "address": [{"text": data.address}],
        "managingOrganization": member(&site.organisation, &site.name),
        "link": patient.retired.iter().map(|retired| json!({
            "other": reference("Patient", &retired.to_string()),
            "type": "replaces",
        })).collect::<Vec<_>>(),
    });
    Resource::new("Patient", Some(patient.subject.to_string()), body)
}

/// A way to find a patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// By an identifier of the person: `Machine::patients_by_identifier`.
    Person(Identifier),
    /// By a number: `Machine::patients_by_number`.
    Number(Number),
}

/// The ways by which a patient with this identifier could be known: whatever [`write()`] shows leads back to its patient.
pub fn lookups(token: &Token) -> Vec<Lookup> {
    let value = token.value.expose();
    let resident = || Identifier::resident_id(value).ok().map(Lookup::Person);
    let card = || Identifier::health_card(value).ok().map(Lookup::Person);
    let permit = || Identifier::permit(value).ok().map(Lookup::Person);
    let travel = || Identifier::travel_permit(value).ok().map(Lookup::Person);
    let passport = |state: &str| Identifier::passport(state, value).ok().map(Lookup::Person);
    let of = |system: &str| {
        Lookup::Number(Number::Of { register: assigner_of(system), value: token.value.clone() })
    };
    match token.system.as_deref() {
        Some(system @ RESIDENT) => resident().into_iter().chain([of(system)]).collect(),
        Some(system @ HEALTH_CARD) => card().into_iter().chain([of(system)]).collect(),
        Some(system @ PERMIT) => permit().into_iter().chain([of(system)]).collect(),
        Some(system @ TRAVEL_PERMIT) => travel().into_iter().chain([of(system)]).collect(),
        Some(system) => passport(&assigner_of(system)).into_iter().chain([of(system)]).collect(),
        None => {
            let numbers = [Lookup::Number(Number::Any(token.value.clone())), of("")];
            resident().into_iter().chain(card()).chain(permit()).chain(numbers).collect()
        }
    }
}

fn identifier(id: &PersonIdentifier) -> Value {
    let (system, code, text) = match id.id_kind() {
        IdKind::ResidentId => (RESIDENT, "NI", "居民身份证号"),
        IdKind::HealthCard => (HEALTH_CARD, "HC", "居民健康卡号"),
        IdKind::HealthRecord => (HEALTH_RECORD, "", "健康档案号"),
        IdKind::Local => ("", "PI", "院内患者号"),
        IdKind::OutpatientNo => (OUTPATIENT, "MR", "门诊号"),
        IdKind::InpatientNo => (INPATIENT, "MR", "住院号"),
        IdKind::Passport => ("", "PPN", "护照号"),
        IdKind::TravelPermit => (TRAVEL_PERMIT, "", "来往内地通行证号"),
        IdKind::Other => ("", "", "其他标识"),
    };
    let own = matches!(id.kind, 1 | 2) || id.assigner.is_empty();
    let passports = id.normalised(IdentifierKind::Passport).map(|id| format!("{PASSPORTS}{}", id.issued().0));
    let sent = || if own { system.to_owned() } else { terms::system_uri(&id.assigner) };
    let system = passports.unwrap_or_else(sent);
    let coding = if code.is_empty() { Value::Null } else { json!({"system": IDENTIFIER_TYPE, "code": code}) };
    let kind = json!({"coding": [coding], "text": text});
    let usage = if id.kind == 1 { "official" } else { "usual" };
    json!({"use": usage, "type": kind, "system": system, "value": id.value})
}

/// The sound of a name (FHIR R4, extension iso21090-EN-representation).
fn syllabic() -> Value {
    json!({"url": "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation", "valueCode": "SYL"})
}

fn telecom(phone: &str) -> Value {
    if phone.is_empty() { Value::Null } else { json!([{"system": "phone", "value": phone}]) }
}

/// GB/T 2261.1, one higher; 0 is not said at all.
const fn gender(sex: u32) -> Option<&'static str> {
    match sex {
        0 => None,
        2 => Some("male"),
        3 => Some("female"),
        _ => Some("unknown"),
    }
}

fn birth_date(birth: &BirthDate) -> Option<String> {
    let BirthDate { year, month, day } = birth;
    let written = match (month, day) {
        (0, _) => format!("{year:04}"),
        (_, 0) => format!("{year:04}-{month:02}"),
        _ => format!("{year:04}-{month:02}-{day:02}"),
    };
    (1..=9999).contains(year).then_some(written)
}
