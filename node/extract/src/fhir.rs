//! FHIR R4: Patient, Practitioner, Organization, Encounter, Condition, AllergyIntolerance, medicines, Procedure, Immunization; vital signs are those of the reader of
//! results.

use std::collections::BTreeMap;

use serde_json::Value;
use yiqiao_intake::dates::{When, Zone};
use yiqiao_intake::facts::{Document, Visit, VisitClass};
use yiqiao_intake::fhir::json_of_xml;
use yiqiao_intake::fhir::results::{self, Placed, concept, list, text};
use yiqiao_intake::flag::Flags;
use yiqiao_intake::lab::{RowStatus, Sort};
use yiqiao_proto::phi::Phi;
use yiqiao_terms::value_set::ValueSet;

use crate::fact::{Coded, Fact, Found, Item, denies};
use crate::limits::DOCUMENT_FACTS_MAX;

/// Statuses of what is not so, or never was.
const VOID: [&str; 6] = ["entered-in-error", "cancelled", "not-done", "not-taken", "refuted", "draft"];

/// Reads JSON, but for its results.
pub fn read_json(bytes: &[u8], _document: &Document, zone: &Zone) -> Option<Vec<Found>> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    Some(read(&serde_json::from_slice(bytes).ok()?, zone))
}

/// Reads XML, but for its results.
pub fn read_xml(bytes: &[u8], _document: &Document, zone: &Zone) -> Option<Vec<Found>> {
    Some(read(&json_of_xml(bytes).ok()?, zone))
}

fn read(root: &Value, zone: &Zone) -> Vec<Found> {
    let resources = results::resources(root);
    let reading = Reading { zone, medications: medications(root, &resources) };
    let mut found = Vec::new();
    for Placed { resource, path } in &resources {
        if is_void(resource) {
            continue;
        }
        let place = path.clone();
        let codes = codes(resource);
        found.extend(reading.fact(resource).map(|fact| Found { fact, place, codes }));
        found.extend(traits(resource, path));
    }
    let signs = results::rows(root, zone).into_iter();
    let signs = signs.filter(|(sort, row)| *sort == Sort::VitalSign && row.status != RowStatus::Void);
    found.extend(signs.map(|(_, row)| Found::new(Fact::VitalSign(row.clone()), row.place)));
    found.truncate(DOCUMENT_FACTS_MAX);
    found
}

/// The number in the hospital (type `EI`), else the first identifier.
fn number(resource: &Value) -> String {
    let identifiers = list(resource.get("identifier"));
    let is_own = |identifier: &&Value| identifier.get("type").map(code_of).as_deref() == Some("EI");
    let own = identifiers.iter().find(is_own).or_else(|| identifiers.first());
    own.map(|identifier| text(identifier, "value")).unwrap_or_default()
}

/// The first name of a person, in one piece.
fn person(resource: &Value) -> String {
    let Some(name) = list(resource.get("name")).first() else { return String::new() };
    let whole = text(name, "text");
    if !whole.is_empty() {
        return whole;
    }
    let given = list(name.get("given")).iter().map(results::scalar).collect::<String>();
    text(name, "family") + &given
}

/// What a patient is by codes. The sex has a code of FHIR.
fn traits(resource: &Value, path: &str) -> Vec<Found> {
    if text(resource, "resourceType") != "Patient" {
        return Vec::new();
    }
    let sex = Item::new(&text(resource, "gender"), "", "").map(|item| (ValueSet::Sex, item, "gender"));
    let married = resource.get("maritalStatus").and_then(item);
    let married = married.map(|item| (ValueSet::MaritalStatus, item, "maritalStatus"));
    let found =
        |(set, item, element)| Found::new(Fact::Trait(Coded { set, item }), format!("{path}.{element}"));
    [sex, married].into_iter().flatten().map(found).collect()
}

/// What is said by codes of a visit, or of how a medicine is given.
fn codes(resource: &Value) -> Vec<Coded> {
    let stay = resource.get("hospitalization");
    let dosages = ["dosageInstruction", "dosage"].iter().filter_map(|name| resource.get(*name));
    let dosage = dosages.map(|dosage| list(Some(dosage)).first().unwrap_or(dosage)).next();
    let said = match text(resource, "resourceType").as_str() {
        "Encounter" => [
            (ValueSet::AdmitSource, stay.and_then(|stay| stay.get("admitSource"))),
            (ValueSet::DischargeDisposition, stay.and_then(|stay| stay.get("dischargeDisposition"))),
        ],
        "Immunization" => [(ValueSet::Route, resource.get("route")), (ValueSet::Route, None)],
        _ => [(ValueSet::Route, dosage.and_then(|dosage| dosage.get("route"))), (ValueSet::Route, None)],
    };
    said.into_iter().filter_map(|(set, value)| Some(Coded { set, item: item(value?)? })).collect()
}

struct Reading<'v> {
    zone: &'v Zone,
    /// Medications by the references to them.
    medications: BTreeMap<String, &'v Value>,
}

/// Medications by full address, by type and id, and those contained by `#id`.
fn medications<'v>(root: &'v Value, resources: &[Placed<'v>]) -> BTreeMap<String, &'v Value> {
    let is_medication = |resource: &Value| text(resource, "resourceType") == "Medication";
    let medications = resources.iter().map(|placed| placed.resource).filter(|one| is_medication(one));
    let by_id = medications.flat_map(|one| {
        let id = text(one, "id");
        [(format!("Medication/{id}"), one), (format!("#{id}"), one)]
    });
    let entries = list(root.get("entry")).iter();
    let by_address = entries.filter_map(|entry| Some((text(entry, "fullUrl"), entry.get("resource")?)));
    by_id.chain(by_address.filter(|(_, one)| is_medication(one))).collect()
}

/// By the status, the one of verification too.
fn is_void(resource: &Value) -> bool {
    let verified = resource.get("verificationStatus").map(code_of).unwrap_or_default();
    [text(resource, "status"), verified].iter().any(|status| VOID.contains(&status.as_str()))
}

impl Reading<'_> {
    fn fact(&self, resource: &Value) -> Option<Fact> {
        match text(resource, "resourceType").as_str() {
            "Encounter" => self.encounter(resource).map(Fact::Encounter),
            "Condition" => {
                let at = self.first(resource, &["onsetDateTime", "recordedDate"]);
                Some(Fact::Diagnosis(item(resource.get("code")?)?.at(at)))
            }
            "AllergyIntolerance" => {
                let at = self.first(resource, &["onsetDateTime", "recordedDate"]);
                let shown =
                    list(resource.get("reaction")).iter().flat_map(|one| list(one.get("manifestation")));
                let shown: Vec<String> = shown.map(concept).collect();
                let item = item(resource.get("code")?).filter(|item| !denies(item.name.expose()))?;
                Some(Fact::Allergy(item.at(at).noted(&shown)))
            }
            "MedicationRequest"
            | "MedicationStatement"
            | "MedicationAdministration"
            | "MedicationDispense" => self.medicine(resource).map(Fact::Medicine),
            "Procedure" => {
                let at = self.first(resource, &["performedDateTime", "performedPeriod"]);
                Some(Fact::Procedure(item(resource.get("code")?)?.at(at)))
            }
            "Immunization" => {
                let at = self.first(resource, &["occurrenceDateTime"]);
                let lot = text(resource, "lotNumber");
                let lot = if lot.is_empty() { lot } else { format!("批号{lot}") };
                Some(Fact::Immunisation(item(resource.get("vaccineCode")?)?.at(at).noted(&[lot])))
            }
            "Practitioner" => Item::new(&number(resource), "", &person(resource)).map(Fact::Staff),
            "Organization" => {
                Item::new(&number(resource), "", &text(resource, "name")).map(Fact::Organisation)
            }
            _ => None,
        }
    }

    fn encounter(&self, resource: &Value) -> Option<Visit> {
        let identifier = list(resource.get("identifier")).first().map(|identifier| text(identifier, "value"));
        let number = identifier.filter(|value| !value.is_empty()).unwrap_or_else(|| text(resource, "id"));
        let class = resource.get("class").map(code_of).unwrap_or_default();
        let department = ["serviceType", "serviceProvider"].iter().filter_map(|name| resource.get(*name));
        let period = resource.get("period").unwrap_or(&Value::Null);
        let visit = Visit {
            number: Some(number).filter(|number| !number.is_empty()).map(Phi::new),
            class: match class.as_str() {
                "" => None,
                "IMP" | "ACUTE" | "NONAC" => Some(VisitClass::Inpatient),
                "AMB" => Some(VisitClass::Outpatient),
                "EMER" => Some(VisitClass::Emergency),
                "PRENC" => Some(VisitClass::PreAdmission),
                _ => Some(VisitClass::Other),
            },
            department: department.map(concept).find(|name| !name.is_empty()),
            attending: None,
            admitted: self.when(&text(period, "start")),
            discharged: self.when(&text(period, "end")),
        };
        (visit.number.is_some() || visit.admitted.is_some()).then_some(visit)
    }

    fn medicine(&self, resource: &Value) -> Option<Item> {
        let referred = resource.get("medicationReference");
        let known = referred.and_then(|referred| self.medications.get(&text(referred, "reference")));
        let coded = resource.get("medicationCodeableConcept").or_else(|| known?.get("code"));
        let named = || Item::new("", "", &text(referred?, "display"));
        let times = ["authoredOn", "effectiveDateTime", "effectivePeriod", "whenHandedOver", "dateAsserted"];
        let dosages = ["dosageInstruction", "dosage"].iter().flat_map(|name| list(resource.get(*name)));
        let told: Vec<String> = dosages.map(dosage).collect();
        Some(coded.and_then(item).or_else(named)?.at(self.first(resource, &times)).noted(&told))
    }

    /// The first of these fields that is a time, or the beginning of one.
    fn first(&self, resource: &Value, names: &[&str]) -> Option<When> {
        let written = |name: &&str| match resource.get(*name) {
            Some(period @ Value::Object(_)) => text(period, "start"),
            _ => text(resource, name),
        };
        names.iter().map(written).find_map(|text| self.when(&text))
    }

    fn when(&self, text: &str) -> Option<When> {
        When::parse(text, self.zone, &mut Flags::none()).ok()
    }
}

/// A concept: its first coding with a code, and its words.
fn item(value: &Value) -> Option<Item> {
    let coding = list(value.get("coding")).iter().find(|coding| !text(coding, "code").is_empty());
    let part = |name| coding.map(|coding| text(coding, name)).unwrap_or_default();
    let words = concept(value);
    let name = if words == part("code") { String::new() } else { words };
    Item::new(&part("code"), &part("system"), &name)
}

/// The code of a coding, or of the first coding of a concept.
fn code_of(value: &Value) -> String {
    let own = text(value, "code");
    let coding = list(value.get("coding")).first();
    if own.is_empty() { coding.map(|coding| text(coding, "code")).unwrap_or_default() } else { own }
}

/// How a medicine is taken, in words; else dose and route.
fn dosage(dosage: &Value) -> String {
    let told = text(dosage, "text");
    if !told.is_empty() {
        return told;
    }
    let dose = list(dosage.get("doseAndRate")).first().and_then(|rate| rate.get("doseQuantity"));
    let dose = dose.or_else(|| dosage.get("dose"));
    let dose = dose.map(|dose| text(dose, "value") + &text(dose, "unit")).unwrap_or_default();
    let route = dosage.get("route").map(concept).unwrap_or_default();
    format!("{dose} {route}").trim().to_owned()
}
