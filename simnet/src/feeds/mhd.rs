//! IHE MHD Provide Document Bundle (ITI-65): a submission set, one DocumentReference, and the CDA document as Binary.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use crate::chance::Chance;
use crate::feeds::fhir::{bytes, instant, local_system, patient};
use crate::feeds::{Case, Document, cda};
use crate::visits::Kind;

const PROFILES: &str = "https://profiles.ihe.net/ITI/MHD/StructureDefinition";
const CODES: &str = "urn:oid:2.16.156.10011.2.4";

/// A document as a bundle; `None` if it is about a report that the visit does not have.
pub fn submission(case: &Case<'_>, document: Document, chance: &mut Chance) -> Option<Vec<u8>> {
    let content = cda::write(case, document)?;
    let mut url = || format!("urn:uuid:{}", chance.uuid());
    let (who, list, reference, binary) = (url(), url(), url(), url());
    let query = format!("Patient?identifier={}|{}", local_system(case), case.registration.number);
    let stored = json!({
        "resourceType": "Binary",
        "contentType": "application/xml",
        "data": STANDARD.encode(&content),
    });
    let entries = [
        entry(&list, &submission_set(case, &who, &reference), "POST", "List"),
        entry(
            &reference,
            &document_reference(case, document, &who, &binary, content.len()),
            "POST",
            "DocumentReference",
        ),
        entry(&binary, &stored, "POST", "Binary"),
        entry(&who, &patient(case), "PUT", &query),
    ];
    Some(bytes(json!({
        "resourceType": "Bundle",
        "meta": {"profile": [format!("{PROFILES}/IHE.MHD.Minimal.ProvideBundle")]},
        "type": "transaction",
        "timestamp": instant(case.at),
        "entry": entries,
    })))
}

fn entry(full_url: &str, resource: &Json, method: &str, url: &str) -> Json {
    json!({"fullUrl": full_url, "resource": resource, "request": {"method": method, "url": url}})
}

fn submission_set(case: &Case<'_>, who: &str, reference: &str) -> Json {
    json!({
        "resourceType": "List",
        "meta": {"profile": [format!("{PROFILES}/IHE.MHD.Minimal.SubmissionSet")]},
        "extension": [{
            "url": "https://profiles.ihe.net/ITI/MHD/StructureDefinition/ihe-sourceId",
            "valueIdentifier": {"system": "urn:oid:2.16.156.10011.1.5", "value": case.visit.hospital.code},
        }],
        "identifier": [{"use": "usual", "system": numbers(case), "value": format!("S{}", case.id)}],
        "status": "current",
        "mode": "working",
        "code": {"coding": [{
            "system": "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes",
            "code": "submissionset",
        }]},
        "subject": {"reference": who},
        "date": instant(case.at),
        "entry": [{"item": {"reference": reference}}],
    })
}

fn document_reference(case: &Case<'_>, document: Document, who: &str, binary: &str, size: usize) -> Json {
    let coded = json!([{"system": CODES, "code": document.code(), "display": document.title()}]);
    json!({
        "resourceType": "DocumentReference",
        "meta": {"profile": [format!("{PROFILES}/IHE.MHD.Minimal.DocumentReference")]},
        "masterIdentifier": {"system": numbers(case), "value": case.id},
        "identifier": [{"use": "official", "system": numbers(case), "value": case.id}],
        "status": "current",
        "type": {"coding": coded, "text": document.title()},
        "category": [{"text": category(document)}],
        "subject": {"reference": who},
        "date": instant(case.at),
        "author": [{"display": case.visit.doctor.name}],
        "custodian": {
            "identifier": {"system": "urn:oid:2.16.156.10011.1.5", "value": case.visit.hospital.code},
            "display": case.visit.hospital.name,
        },
        "securityLabel": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
            "code": "N",
        }]}],
        "content": [{
            "attachment": {
                "contentType": "application/xml",
                "language": "zh-CN",
                "url": binary,
                "size": size,
                "title": document.title(),
                "creation": instant(case.at),
            },
            "format": {"system": "urn:oid:2.16.156.10011.2.1.1", "code": cda::template(document)},
        }],
        "context": {
            "event": [{"text": kind(case.visit.kind)}],
            "period": {"start": instant(case.visit.from), "end": instant(case.visit.until.max(case.at))},
            "facilityType": {"text": case.visit.hospital.name},
            "practiceSetting": {"coding": [{
                "code": case.visit.department.code,
                "display": case.visit.department.name,
            }]},
        },
    })
}

fn numbers(case: &Case<'_>) -> String {
    format!("https://{}.example/sid/document", case.visit.hospital.member)
}

fn category(document: Document) -> &'static str {
    match document {
        Document::Consultation | Document::Discharge => "病历文书",
        Document::Prescription => "处方",
        Document::Image(_) => "检查",
        Document::Labs(_) => "检验",
        Document::Referral => "转诊",
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Outpatient => "门诊就诊",
        Kind::Emergency => "急诊就诊",
        Kind::Inpatient => "住院",
    }
}
