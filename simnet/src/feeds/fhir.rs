//! FHIR R4 as a Chinese hospital's interface writes it: one transaction Bundle for a visit, JSON.
//!
//! The patient is written by a conditional update on the hospital's own number; everything else is created and refers to
//! the rest of the bundle by `urn:uuid`. Codes are the hospital's own, with Chinese text; units are as printed.

use jiff::civil::DateTime;
use serde_json::{Number, Value as Json, json};

use crate::chance::Chance;
use crate::conditions::{Allergy, Condition, Medicine};
use crate::feeds::Case;
use crate::labs::{Decimal, Finding, Flag, Value};
use crate::people::Sex;
use crate::visits::{ImageReport, Kind, LabReport};

/// The OID of resident identity numbers, as FHIR names it.
pub const RESIDENT: &str = "urn:oid:2.16.156.10011.1.3";

/// The OID of health card numbers, as FHIR names it.
pub const HEALTH_CARD: &str = "urn:oid:2.16.156.10011.1.19";

/// The OID of ICD-10 in documents, as FHIR names it.
pub const ICD10: &str = "urn:oid:2.16.156.10011.2.3.3.11.3";

/// A visit as a transaction.
pub fn transaction(case: &Case<'_>, chance: &mut Chance) -> Vec<u8> {
    let patient = format!("urn:uuid:{}", chance.uuid());
    let encounter = format!("urn:uuid:{}", chance.uuid());
    let mut bundle = Bundle { case, chance, patient, encounter, entries: Vec::new() };
    bundle.patient();
    bundle.encounter();
    for allergy in &case.patient.allergies {
        bundle.create(allergy_intolerance(allergy), "patient");
    }
    for condition in &case.visit.conditions {
        bundle.of_visit(condition_resource(case, condition));
    }
    for report in &case.visit.labs {
        bundle.labs(report);
    }
    for report in &case.visit.images {
        bundle.of_visit(imaging(report));
    }
    for medicine in &case.visit.medicines {
        bundle.of_visit(prescription(case, medicine));
    }
    let entries = bundle.entries;
    bytes(json!({
        "resourceType": "Bundle",
        "id": case.id,
        "type": "transaction",
        "timestamp": instant(case.at),
        "entry": entries,
    }))
}

/// A patient as the hospital knows it.
pub(crate) fn patient(case: &Case<'_>) -> Json {
    let person = &case.patient.person;
    let mut identifiers = vec![
        json!({"use": "usual", "type": {"text": "门诊号"}, "system": local_system(case), "value": case.registration.number}),
        json!({"type": {"text": "居民健康卡"}, "system": HEALTH_CARD, "value": person.health_card}),
    ];
    if let Some(id) = case.resident_id() {
        let kind = json!({
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "NI"}],
            "text": "居民身份证",
        });
        identifiers.push(json!({"use": "official", "type": kind, "system": RESIDENT, "value": id}));
    }
    let gender = match person.sex {
        Sex::Male => "male",
        Sex::Female => "female",
    };
    json!({
        "resourceType": "Patient",
        "identifier": identifiers,
        "name": [{"use": "official", "text": person.name.text}],
        "gender": gender,
        "birthDate": person.birth.to_string(),
        "telecom": [{"system": "phone", "value": person.phone, "use": "mobile"}],
        "address": [{
            "use": "home",
            "text": person.address.text(),
            "city": crate::people::TOWN,
            "district": person.address.district,
            "country": "CN",
        }],
    })
}

/// The system of the hospital's own patient numbers.
pub fn local_system(case: &Case<'_>) -> String {
    format!("https://{}.example/sid/patient", case.visit.hospital.member)
}

/// An instant with the town's offset.
pub(crate) fn instant(at: DateTime) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S+08:00").to_string()
}

/// The bytes of a resource, its members sorted by name whatever the features of the JSON library.
pub(crate) fn bytes(mut resource: Json) -> Vec<u8> {
    resource.sort_all_objects();
    resource.to_string().into_bytes()
}

struct Bundle<'a> {
    case: &'a Case<'a>,
    chance: &'a mut Chance,
    patient: String,
    encounter: String,
    entries: Vec<Json>,
}

impl Bundle<'_> {
    fn patient(&mut self) {
        let query =
            format!("Patient?identifier={}|{}", local_system(self.case), self.case.registration.number);
        let request = json!({"method": "PUT", "url": query});
        self.entries
            .push(json!({"fullUrl": self.patient, "resource": patient(self.case), "request": request}));
    }

    fn encounter(&mut self) {
        let full_url = self.encounter.clone();
        self.push(&full_url, encounter(self.case), "subject");
    }

    /// Adds a resource that came of the visit.
    fn of_visit(&mut self, resource: Json) -> String {
        self.create(with(resource, "encounter", json!({"reference": self.encounter})), "subject")
    }

    /// Adds a resource that names its patient in this member.
    fn create(&mut self, resource: Json, member: &str) -> String {
        let full_url = format!("urn:uuid:{}", self.chance.uuid());
        self.push(&full_url, resource, member);
        full_url
    }

    fn push(&mut self, full_url: &str, resource: Json, member: &str) {
        let who = json!({"reference": self.patient, "display": self.case.patient.person.name.text});
        let request = json!({"method": "POST", "url": resource.get("resourceType")});
        let resource = with(resource, member, who);
        self.entries.push(json!({"fullUrl": full_url, "resource": resource, "request": request}));
    }

    fn labs(&mut self, report: &LabReport) {
        let results: Vec<Json> = report
            .findings
            .iter()
            .map(|finding| json!({"reference": self.of_visit(observation(self.case, report, finding))}))
            .collect();
        self.of_visit(json!({
            "resourceType": "DiagnosticReport",
            "identifier": [{"system": "urn:oid:2.16.156.10011.1.33", "value": report.number}],
            "status": "final",
            "category": [laboratory()],
            "code": {"coding": [{"code": report.panel.code, "display": report.panel.name}], "text": report.panel.name},
            "effectiveDateTime": instant(report.collected),
            "issued": instant(report.reported),
            "resultsInterpreter": [{"display": report.by.name}],
            "result": results,
        }));
    }
}

fn encounter(case: &Case<'_>) -> Json {
    let visit = case.visit;
    let (code, display) = match visit.kind {
        Kind::Outpatient => ("AMB", "门诊"),
        Kind::Emergency => ("EMER", "急诊"),
        Kind::Inpatient => ("IMP", "住院"),
    };
    json!({
        "resourceType": "Encounter",
        "identifier": [{
            "system": format!("https://{}.example/sid/visit", visit.hospital.member),
            "value": visit.number,
        }],
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": code, "display": display},
        "serviceType": {"coding": [{"code": visit.department.code, "display": visit.department.name}]},
        "participant": [{"individual": {
            "identifier": {"value": visit.doctor.code},
            "display": visit.doctor.name,
        }}],
        "period": {"start": instant(visit.from), "end": instant(visit.until)},
        "reasonCode": [{"text": visit.complaint}],
        "serviceProvider": {
            "identifier": {"system": "urn:oid:2.16.156.10011.1.5", "value": visit.hospital.code},
            "display": visit.hospital.name,
        },
    })
}

fn allergy_intolerance(allergy: &Allergy) -> Json {
    let active = json!({"coding": [{
        "system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
        "code": "active",
    }]});
    json!({
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": active,
        "code": {"coding": [{"code": allergy.code, "display": allergy.name}], "text": allergy.name},
        "reaction": [{"manifestation": [{"text": allergy.reaction}]}],
    })
}

fn condition_resource(case: &Case<'_>, condition: &Condition) -> Json {
    json!({
        "resourceType": "Condition",
        "clinicalStatus": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
            "code": "active",
        }]},
        "category": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/condition-category",
            "code": "encounter-diagnosis",
        }]}],
        "code": {
            "coding": [{"system": ICD10, "code": condition.code, "display": condition.name}],
            "text": condition.name,
        },
        "recordedDate": instant(case.visit.from),
        "recorder": {"display": case.visit.doctor.name},
    })
}

fn observation(case: &Case<'_>, report: &LabReport, finding: &Finding) -> Json {
    let analyte = finding.analyte;
    let (flag, display) = match finding.flag {
        Flag::Low => ("L", "偏低"),
        Flag::Normal => ("N", "正常"),
        Flag::High => ("H", "偏高"),
    };
    let resource = json!({
        "resourceType": "Observation",
        "status": "final",
        "category": [laboratory()],
        "code": {
            "coding": [{
                "system": format!("https://{}.example/cs/lab", case.visit.hospital.member),
                "code": analyte.abbreviation,
                "display": analyte.other_name,
            }],
            "text": analyte.other_name,
        },
        "effectiveDateTime": instant(report.collected),
        "issued": instant(report.reported),
        "interpretation": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
            "code": flag,
            "display": display,
        }]}],
        "specimen": {"display": report.panel.specimen},
    });
    let resource = match finding.value {
        Value::Number(number) => with(resource, "valueQuantity", quantity(number, analyte.unit)),
        Value::Word(word) => with(resource, "valueString", json!(word)),
    };
    let Some(span) = finding.range else { return resource };
    let range = json!([{
        "low": quantity(span.low, analyte.unit),
        "high": quantity(span.high, analyte.unit),
        "text": format!("{}-{}", span.low, span.high),
    }]);
    with(resource, "referenceRange", range)
}

fn imaging(report: &ImageReport) -> Json {
    json!({
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": "urn:oid:2.16.156.10011.1.32", "value": report.number}],
        "status": "final",
        "category": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v2-0074",
            "code": "RAD",
        }], "text": report.image.modality}],
        "code": {"text": report.image.item},
        "effectiveDateTime": instant(report.taken),
        "issued": instant(report.reported),
        "resultsInterpreter": [{"display": report.by.name}],
        "conclusion": format!("所见：{}\n提示：{}", report.image.findings, report.image.impression),
    })
}

fn prescription(case: &Case<'_>, medicine: &Medicine) -> Json {
    let dose = medicine.dose.parse().ok().and_then(Number::from_f64);
    json!({
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {
            "coding": [{
                "system": format!("https://{}.example/cs/drug", case.visit.hospital.member),
                "code": medicine.code,
                "display": medicine.name,
            }],
            "text": format!("{} {}", medicine.name, medicine.specification),
        },
        "authoredOn": instant(case.visit.until),
        "requester": {"display": case.visit.doctor.name},
        "dosageInstruction": [{
            "text": medicine.instruction(),
            "timing": {"repeat": {"frequency": medicine.times, "period": 1, "periodUnit": "d"}},
            "route": {"coding": [{"code": medicine.route_code, "display": medicine.route}]},
            "doseAndRate": [{"doseQuantity": {"value": dose, "unit": medicine.dose_unit}}],
        }],
    })
}

fn laboratory() -> Json {
    json!({"coding": [{
        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
        "code": "laboratory",
    }]})
}

/// A number as JSON has it; the trailing zeros of a printed report are not kept, as in the field.
fn quantity(number: Decimal, unit: &str) -> Json {
    let value = number.to_string().parse().ok().and_then(Number::from_f64);
    if unit.is_empty() { json!({"value": value}) } else { json!({"value": value, "unit": unit}) }
}

/// The resource with one more member.
fn with(mut resource: Json, member: &str, value: Json) -> Json {
    if let Json::Object(members) = &mut resource {
        members.insert(member.to_owned(), value);
    }
    resource
}
