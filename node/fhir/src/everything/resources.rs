//! One record as one resource. What was sent stands as it was sent; a code of UCUM or LOINC stands beside it.

use serde_json::{Value, json};
use yiqiao_extract::fact::{Fact, Item};
use yiqiao_extract::gather::Record;
use yiqiao_intake::dates::{Precision, When};
use yiqiao_intake::facts::{Visit, VisitClass};
use yiqiao_intake::lab::{LabRow, RowStatus};
use yiqiao_node_core::ask::Patient;
use yiqiao_terms::decimal::Decimal;
use yiqiao_terms::harmonise::Terms;
use yiqiao_terms::kind::{Kind, Standard};
use yiqiao_terms::value::{self, Range};

use crate::date;
use crate::document::{Listing, patient_reference};
use crate::resource::member;
use crate::terms::{ACT_CODE, LOINC, VISIT, system_uri};

const UCUM: &str = "http://unitsofmeasure.org";
const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const INTERPRETATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";
/// National drug codes, and the list of clinical specialties: code systems without a published address.
const DRUG_CODE: &str = "urn:yiqiao:national-drug-code";
const SPECIALTY: &str = "urn:yiqiao:clinical-specialty";
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
}

impl Made<'_> {
    pub(super) fn body(&self, record: &Record) -> Value {
        let subject = patient_reference(self.patient);
        match &record.fact {
            Fact::Encounter(visit) => self.encounter(visit, standard(Kind::Department, record).as_ref()),
            Fact::Result(row) => {
                self.observation(row, record.standard.as_deref(), ("laboratory", "Laboratory"))
            }
            Fact::VitalSign(row) => {
                self.observation(row, record.standard.as_deref(), ("vital-signs", "Vital Signs"))
            }
            Fact::Diagnosis(item) => json!({
                "category": [coded("http://terminology.hl7.org/CodeSystem/condition-category", "encounter-diagnosis", "Encounter Diagnosis")],
                "code": concept(item, standard(Kind::Diagnosis, record).as_ref()),
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
                "dosage": [{"text": item.note.expose()}],
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
                "note": note(item),
            }),
        }
    }

    fn encounter(&self, visit: &Visit, specialty: Option<&Value>) -> Value {
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
        let attending = visit.attending.as_ref().map(|staff| json!({"individual": {"display": staff.name}}));
        json!({
            "identifier": [identifier],
            "status": if visit.discharged.is_some() { "finished" } else { "unknown" },
            "class": {"system": system, "code": class.0, "display": class.1},
            "serviceType": {"coding": [specialty], "text": visit.department},
            "subject": patient_reference(self.patient),
            "participant": [attending],
            "period": {"start": visit.admitted.map(written), "end": visit.discharged.map(written)},
            "serviceProvider": custodian,
        })
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
    let code = item.code.expose();
    let own = json!({"system": system(&item.system), "code": code, "display": item.name.expose()});
    let own = Some(own).filter(|_| !code.is_empty());
    json!({"coding": [standard, own], "text": words(item)})
}

/// What people have accepted that a record is, in the standard of its kind.
fn standard(kind: Kind, record: &Record) -> Option<Value> {
    let code = record.standard.as_deref()?;
    let system = match kind.standard(code)? {
        Standard::Loinc => LOINC,
        Standard::Icd10 => "urn:oid:2.16.156.10011.2.3.3.11",
        Standard::Icd9Cm3 => "urn:oid:2.16.156.10011.2.3.3.12",
        Standard::Atc => "http://www.whocc.no/atc",
        Standard::DrugCode => DRUG_CODE,
        Standard::Specialty => SPECIALTY,
    };
    Some(json!({"system": system, "code": code}))
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
