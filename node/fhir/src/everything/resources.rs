//! One record as one resource. What was sent stands as it was sent; a code of UCUM or LOINC stands beside it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use yiqiao_extract::fact::{Coded, Fact, Item};
use yiqiao_extract::gather::Record;
use yiqiao_intake::dates::{Precision, When};
use yiqiao_intake::facts::{Visit, VisitClass};
use yiqiao_intake::lab::{LabRow, RowStatus};
use yiqiao_node_core::ask::Patient;
use yiqiao_terms::decimal::Decimal;
use yiqiao_terms::harmonise::Terms;
use yiqiao_terms::kind::{Kind, Standard};
use yiqiao_terms::value::{self, Range};
use yiqiao_terms::value_set::ValueSet;

use crate::date;
use crate::document::{Listing, patient_reference};
use crate::resource::member;
use crate::terms::{ACT_CODE, LOINC, STAFF, VISIT, system_uri};

const UCUM: &str = "http://unitsofmeasure.org";
const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
/// Codes of institutions, as documents of WS/T 500 have them.
const INSTITUTION: &str = "urn:oid:2.16.156.10011.1.5";
const INTERPRETATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";
/// National drug codes, the list of clinical specialties, and ICD-10 of the health insurance: code systems without a published address.
const DRUG_CODE: &str = "urn:yiqiao:national-drug-code";
const SPECIALTY: &str = "urn:yiqiao:clinical-specialty";
const INSURANCE_DIAGNOSIS: &str = "urn:yiqiao:insurance-diagnosis";
/// The extension of an encounter: who pays.
const PAYMENT: &str = "urn:yiqiao:payment";
/// The extension of a number whose digits JSON does not keep.
const AS_SENT: &str = "urn:yiqiao:as-sent";

/// Coding systems that HL7 v2 and CDA name otherwise than FHIR.
const SYSTEMS: [(&str, &str); 10] = [
    ("LN", LOINC),
    ("2.16.840.1.113883.6.1", LOINC),
    ("I10", "http://hl7.org/fhir/sid/icd-10"),
    ("ICD10", "http://hl7.org/fhir/sid/icd-10"),
    ("2.16.840.1.113883.6.3", "http://hl7.org/fhir/sid/icd-10"),
    ("SCT", "http://snomed.info/sct"),
    ("2.16.840.1.113883.6.96", "http://snomed.info/sct"),
    ("2.16.840.1.113883.6.88", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    ("CVX", "http://hl7.org/fhir/sid/cvx"),
    ("2.16.840.1.113883.12.292", "http://hl7.org/fhir/sid/cvx"),
];

/// What all resources of a record share.
pub(super) struct Made<'a> {
    pub(super) patient: &'a Patient,
    /// The document that says it first.
    pub(super) custodian: &'a Listing,
    pub(super) terms: &'a Terms,
    /// References to members of staff by the places that name them.
    pub(super) staff: &'a BTreeMap<(usize, String), String>,
}

/// Fields of PV1 that name who takes part in a visit, and as what (v3-ParticipationType).
const PARTICIPANTS: [(usize, &str, &str); 4] =
    [(7, "ATND", "attender"), (8, "REF", "referrer"), (9, "CON", "consultant"), (17, "ADM", "admitter")];

impl Made<'_> {
    pub(super) fn body(&self, record: &Record) -> Value {
        let subject = patient_reference(self.patient);
        match &record.fact {
            Fact::Encounter(visit) => self.encounter(visit, record),
            Fact::Result(row) => {
                self.observation(row, record.standard.as_deref(), ("laboratory", "Laboratory"))
            }
            Fact::VitalSign(row) => {
                self.observation(row, record.standard.as_deref(), ("vital-signs", "Vital Signs"))
            }
            Fact::Diagnosis(item) => json!({
                "category": [coded("http://terminology.hl7.org/CodeSystem/condition-category", "encounter-diagnosis", "Encounter Diagnosis")],
                "code": diagnosis(item, record),
                "subject": subject,
                "recordedDate": self.time(item),
                "note": note(item),
            }),
            Fact::Allergy(item) => json!({
                "clinicalStatus": coded("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active", "Active"),
                "code": concept(item, None),
                "patient": subject,
                "recordedDate": item.at.map(written),
                "reaction": [{"manifestation": [{"text": item.note.expose()}]}],
            }),
            Fact::Medicine(item) => json!({
                // Whether it was taken is not known of what was ordered.
                "status": "unknown",
                "medicationCodeableConcept": concept(item, standard(Kind::Medicine, record).as_ref()),
                "subject": subject,
                "effectiveDateTime": self.time(item),
                "dosage": [{"text": item.note.expose(), "route": in_set(record, ValueSet::Route)}],
            }),
            Fact::Procedure(item) => json!({
                "status": "completed",
                "code": concept(item, standard(Kind::Procedure, record).as_ref()),
                "subject": subject,
                "performedDateTime": self.time(item),
                "note": note(item),
            }),
            Fact::Immunisation(item) => json!({
                "status": "completed",
                "vaccineCode": concept(item, None),
                "patient": subject,
                "occurrenceDateTime": item.at.map(written),
                "occurrenceString": if item.at.is_none() { "unknown" } else { "" },
                "route": in_set(record, ValueSet::Route),
                "note": note(item),
            }),
            Fact::Staff(item) => json!({
                "identifier": self.numbers(item, STAFF, record),
                "name": [{"text": item.name.expose()}],
            }),
            Fact::Organisation(item) => json!({
                "identifier": self.numbers(item, INSTITUTION, record),
                "name": item.name.expose(),
            }),
            Fact::Trait(said) => json!({
                "status": "final",
                "category": [category(said.set)],
                "code": meaning(said.set),
                "subject": subject,
                "effectiveDateTime": self.said_at(),
                "valueCodeableConcept": value_concept(said, record.standard.as_deref()),
            }),
        }
    }

    fn encounter(&self, visit: &Visit, record: &Record) -> Value {
        let class = match visit.class {
            Some(VisitClass::Inpatient) => ("IMP", "inpatient encounter"),
            Some(VisitClass::Outpatient) => ("AMB", "ambulatory"),
            Some(VisitClass::Emergency) => ("EMER", "emergency"),
            Some(VisitClass::PreAdmission) => ("PRENC", "pre-admission"),
            Some(VisitClass::Other) | None => ("UNK", "unknown"),
        };
        let system =
            if class.0 == "UNK" { "http://terminology.hl7.org/CodeSystem/v3-NullFlavor" } else { ACT_CODE };
        let custodian = member(&self.custodian.custodian, &self.custodian.custodian_name);
        let identifier = visit
            .number
            .as_ref()
            .map(|number| json!({"system": VISIT, "value": number.expose(), "assigner": custodian}));
        let payment = in_set(record, ValueSet::Payment);
        let payment = payment.map(|payment| json!({"url": PAYMENT, "valueCodeableConcept": payment}));
        json!({
            "extension": [payment],
            "identifier": [identifier],
            "status": if visit.discharged.is_some() { "finished" } else { "unknown" },
            "class": {"system": system, "code": class.0, "display": class.1},
            "type": [in_set(record, ValueSet::PatientClass)],
            "serviceType": {"coding": [standard(Kind::Department, record)], "text": visit.department},
            "priority": in_set(record, ValueSet::AdmissionCondition),
            "subject": patient_reference(self.patient),
            "participant": self.participants(visit, record),
            "period": {"start": visit.admitted.map(written), "end": visit.discharged.map(written)},
            "hospitalization": {
                "admitSource": in_set(record, ValueSet::AdmitSource),
                "dischargeDisposition": in_set(record, ValueSet::DischargeDisposition),
            },
            "serviceProvider": custodian,
        })
    }

    /// The number that people have accepted, before the sender's, which else stands for it. Both are numbers of who keeps the document, but
    /// for codes of institutions.
    fn numbers(&self, item: &Item, system: &str, record: &Record) -> Value {
        let assigner = member(&self.custodian.custodian, &self.custodian.custodian_name);
        let own = Some(item.code.expose()).filter(|own| !own.is_empty());
        let Some(standard) = &record.standard else {
            let system = Some(system).filter(|system| *system == STAFF);
            return json!([own.map(|own| json!({"system": system, "value": own, "assigner": assigner}))]);
        };
        let accepted = json!({
            "use": "official",
            "system": system,
            "value": standard,
            "assigner": (system == STAFF).then_some(&assigner),
        });
        json!([accepted, own.map(|own| json!({"use": "secondary", "value": own, "assigner": assigner}))])
    }

    /// Who takes part: by reference if they are in the answer, else who attends by name.
    fn participants(&self, visit: &Visit, record: &Record) -> Vec<Value> {
        let attending = visit.attending.as_ref().map(|staff| staff.name.as_str());
        let one = |(field, code, display): (usize, &str, &str)| {
            let place = |said: &(usize, String)| (said.0, format!("{}-{field}", said.1));
            let known = record.said.iter().find_map(|said| self.staff.get(&place(said)));
            let name = attending.filter(|_| code == "ATND");
            if known.is_none() && name.is_none() {
                return None;
            }
            let individual = json!({
                "reference": known,
                "type": known.map(|_| "Practitioner"),
                "display": name,
            });
            Some(json!({"type": [coded(PARTICIPATION, code, display)], "individual": individual}))
        };
        PARTICIPANTS.into_iter().filter_map(one).collect()
    }

    fn observation(&self, row: &LabRow, loinc: Option<&str>, category: (&str, &str)) -> Value {
        let (quantity, words) = self.value(row);
        let range = Range::read(row.range.expose());
        let bound =
            |bound: Option<Decimal>| bound.map(|bound| json!({"value": bound.to_f64(), "unit": row.unit}));
        let specimen = row.specimen.as_ref().map(|specimen| json!({"display": specimen.expose()}));
        json!({
            "status": match row.status {
                RowStatus::Final => "final",
                RowStatus::Preliminary => "preliminary",
                RowStatus::Corrected => "corrected",
                RowStatus::Void => "entered-in-error",
            },
            "category": [coded(CATEGORY, category.0, category.1)],
            "code": item_concept(row, loinc),
            "subject": patient_reference(self.patient),
            "effectiveDateTime": row.observed.map_or_else(|| self.said_at(), written),
            "valueQuantity": quantity,
            "valueString": words,
            "interpretation": [interpretation(row.flag.expose())],
            "specimen": specimen,
            "referenceRange": [{
                "low": bound(range.low),
                "high": bound(range.high),
                "text": row.range.expose(),
            }],
        })
    }

    /// A quantity, or words.
    fn value<'r>(&self, row: &'r LabRow) -> (Option<Value>, Option<&'r str>) {
        let sent = row.value.expose().as_str();
        let (number, comparator) = match value::Value::read(sent) {
            value::Value::Number(number) => (number, None),
            value::Value::Beyond(number) => (number, comparator(sent)),
            value::Value::Step(_) | value::Value::Words => return (None, Some(sent)),
        };
        let readings = self.terms.spellings().readings(&row.unit);
        // A spelling of two meanings has no code.
        let ucum = if let [unit] = readings.as_slice() { Some(unit.code()) } else { None };
        let number = json!(number.to_f64());
        let kept = number.to_string();
        let extension = (kept != sent).then(|| json!([{"url": AS_SENT, "valueString": sent}]));
        let quantity = json!({
            "extension": extension,
            "value": number,
            "comparator": comparator,
            "unit": row.unit,
            "system": ucum.map(|_| UCUM),
            "code": ucum,
        });
        (Some(quantity), None)
    }

    /// When it was, else when what its document describes took place.
    fn time(&self, item: &Item) -> String {
        item.at.map_or_else(|| self.said_at(), written)
    }

    fn said_at(&self) -> String {
        date::instant(self.custodian.service_start.unwrap_or(self.custodian.created_at))
    }
}

/// A time as exact as it was sent.
fn written(when: When) -> String {
    let whole = date::instant(when.at);
    let characters = match when.precision {
        Precision::Year => 4,
        Precision::Month => 7,
        Precision::Day => 10,
        Precision::Minute | Precision::Second => whole.len(),
    };
    whole.chars().take(characters).collect()
}

/// The sender's code, and before it what people have accepted that it is.
fn concept(item: &Item, standard: Option<&Value>) -> Value {
    json!({"coding": [standard, own(item).as_ref()], "text": words(item)})
}

/// The sender's code, if there is one.
fn own(item: &Item) -> Option<Value> {
    let code = item.code.expose();
    let own = json!({"system": system(&item.system), "code": code, "display": item.name.expose()});
    Some(own).filter(|_| !code.is_empty())
}

/// The code of the clinical version, that of the health insurance, and the sender's.
fn diagnosis(item: &Item, record: &Record) -> Value {
    let insurance =
        record.insurance.as_ref().map(|code| json!({"system": INSURANCE_DIAGNOSIS, "code": code}));
    json!({"coding": [standard(Kind::Diagnosis, record), insurance, own(item)], "text": words(item)})
}

/// What people have accepted that a record is, in the standard of its kind.
fn standard(kind: Kind, record: &Record) -> Option<Value> {
    let code = record.standard.as_deref()?;
    let system = match kind.standard(code)? {
        Standard::Loinc => LOINC,
        Standard::Icd10 => "urn:oid:2.16.156.10011.2.3.3.11",
        Standard::Icd10Insurance => INSURANCE_DIAGNOSIS,
        Standard::Icd9Cm3 => "urn:oid:2.16.156.10011.2.3.3.12",
        Standard::Atc => "http://www.whocc.no/atc",
        Standard::DrugCode => DRUG_CODE,
        Standard::Specialty => SPECIALTY,
        Standard::Institution => INSTITUTION,
        Standard::StaffNumber => STAFF,
        Standard::ValueSet(set) => return Some(of_set(set, code)),
    };
    Some(json!({"system": system, "code": code}))
}

/// What a record says by a code of a value set.
fn in_set(record: &Record, set: ValueSet) -> Option<Value> {
    let meant = record.codes.iter().find(|meant| meant.said.set == set)?;
    Some(value_concept(&meant.said, meant.standard.as_deref()))
}

/// The code of the value set before the sender's, unless the sender's is that one.
fn value_concept(said: &Coded, standard: Option<&str>) -> Value {
    let code = standard.map(|code| of_set(said.set, code));
    if standard == Some(said.item.code.expose()) && Kind::Coded(said.set).is_said_by(&said.item.system) {
        return json!({"coding": [code], "text": words(&said.item)});
    }
    concept(&said.item, code.as_ref())
}

fn of_set(set: ValueSet, code: &str) -> Value {
    let system = format!("urn:oid:{}", set.oid());
    json!({"system": system, "version": set.edition(), "code": code, "display": set.table().name(code)})
}

/// What is observed of a person of whom a value set says something.
fn meaning(set: ValueSet) -> Value {
    let (code, display) = match set {
        ValueSet::MaritalStatus => ("45404-1", "Marital status"),
        ValueSet::EthnicGroup => ("42784-9", "Ethnic background Stated"),
        ValueSet::Occupation => ("11341-5", "History of Occupation"),
        ValueSet::BloodGroup => ("883-9", "ABO group [Type] in Blood"),
        ValueSet::RhGroup => ("10331-7", "Rh [Type] in Blood"),
        ValueSet::Sex => ("46098-0", "Sex"),
        ValueSet::PatientClass
        | ValueSet::AdmitSource
        | ValueSet::AdmissionCondition
        | ValueSet::DischargeDisposition
        | ValueSet::Payment
        | ValueSet::Route => return json!({"text": set.name()}),
    };
    coded(LOINC, code, display)
}

fn category(set: ValueSet) -> Value {
    if matches!(set, ValueSet::BloodGroup | ValueSet::RhGroup) {
        coded(CATEGORY, "laboratory", "Laboratory")
    } else {
        coded(CATEGORY, "social-history", "Social History")
    }
}

/// The name, else the code.
fn words(item: &Item) -> &str {
    let [name, code] = [&item.name, &item.code].map(|text| text.expose().as_str());
    if name.is_empty() { code } else { name }
}

fn item_concept(row: &LabRow, loinc: Option<&str>) -> Value {
    let (code, name) = (row.code.expose(), row.name.expose());
    let is_own = Some(code.as_str()) != loinc && !code.is_empty();
    let own = is_own.then(|| json!({"system": system(&row.system), "code": code, "display": name}));
    let loinc = loinc.map(|loinc| json!({"system": LOINC, "code": loinc}));
    json!({"coding": [loinc, own], "text": if name.is_empty() { code } else { name }})
}

fn system(sent: &str) -> String {
    let known = SYSTEMS.iter().find(|(known, _)| *known == sent);
    known.map_or_else(|| system_uri(sent), |(_, uri)| (*uri).to_owned())
}

fn note(item: &Item) -> Value {
    json!([{"text": item.note.expose()}])
}

fn coded(system: &str, code: &str, display: &str) -> Value {
    json!({"coding": [{"system": system, "code": code, "display": display}]})
}

/// HL7 table 0078; what is in no table stays as words.
fn interpretation(flag: &str) -> Value {
    let display = match flag.trim() {
        "H" => "High",
        "HH" => "Critical high",
        "L" => "Low",
        "LL" => "Critical low",
        "N" => "Normal",
        "A" => "Abnormal",
        "AA" => "Critical abnormal",
        other => return json!({"text": other}),
    };
    coded(INTERPRETATION, flag.trim(), display)
}

/// More or less than the number, as FHIR has it.
fn comparator(sent: &str) -> Option<&'static str> {
    let sent: String = sent.trim().chars().filter(|letter| !letter.is_whitespace()).take(2).collect();
    match sent.replace('＞', ">").replace('＜', "<").replace('＝', "=").as_str() {
        ">=" => Some(">="),
        "<=" => Some("<="),
        other if other.starts_with('≥') => Some(">="),
        other if other.starts_with('≤') => Some("<="),
        other if other.starts_with('>') => Some(">"),
        other if other.starts_with('<') => Some("<"),
        _ => None,
    }
}
