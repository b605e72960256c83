//! DocumentReferences.

use serde_json::json;
use yiqiao_fhir::document::{Listing, Standing};
use yiqiao_fhir::outcome::Problem;
use yiqiao_fhir::search::DocumentFilter;
use yiqiao_intake::facts::{Status, Understood};
use yiqiao_intake::fhir;
use yiqiao_intake::intake::Door;
use yiqiao_intake::kind::KindCode;
use yiqiao_node_core::copy::Stage;
use yiqiao_node_core::receive::Shown;
use yiqiao_proto::codes::{
    DocumentClass, DocumentFormat, DocumentStatus, DocumentType, FacilityKind, PracticeSetting, Sensitivity,
};
use yiqiao_proto::form::ListedDocument;
use yiqiao_proto::phi::Phi;

use crate::{rules, scenes};

#[test]
fn a_document_is_written_with_all_that_the_index_says() {
    let resource = scenes::listing().write(&scenes::patient());
    rules::check(&resource);
    let entry = "01".repeat(32);
    let subject =
        json!({"reference": format!("Patient/{}", "ab".repeat(32)), "type": "Patient", "display": "张三丰"});
    let custodian = json!({"system": "urn:yiqiao:member", "value": "hospital-a"});
    let expected = json!({
        "resourceType": "DocumentReference",
        "id": entry,
        "meta": {"versionId": "1", "lastUpdated": "2026-11-22T08:00:00+08:00"},
        "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": format!("urn:yiqiao:document:{}", "02".repeat(32))},
        "identifier": [
            {"use": "official", "system": "urn:yiqiao:entry", "value": entry},
            {"use": "usual", "system": "urn:yiqiao:assigner:LIS", "value": "R1"},
        ],
        "status": "current",
        "docStatus": "final",
        "type": {
            "coding": [{"system": "urn:oid:2.16.156.10011.2.4", "code": "C0007", "display": "检验报告"}],
            "text": "检验报告",
        },
        "category": [{
            "coding": [{"system": "urn:yiqiao:document-class", "code": "laboratory", "display": "检验报告"}],
            "text": "检验报告",
        }],
        "subject": subject,
        "date": "2026-11-22T08:00:00+08:00",
        "author": [
            {"type": "Practitioner", "identifier": {"system": "urn:yiqiao:staff", "value": "d7"}, "display": "王芳"},
            {"type": "Organization", "display": "市第一医院 检验科"},
        ],
        "custodian": {"type": "Organization", "identifier": custodian, "display": "市第一医院"},
        "relatesTo": [{
            "code": "replaces",
            "target": {"reference": format!("DocumentReference/{}", "03".repeat(32)), "type": "DocumentReference"},
        }],
        "description": "血常规",
        "securityLabel": [{
            "coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
                "code": "R",
                "display": "restricted",
            }],
            "text": "受限",
        }],
        "content": [{
            "attachment": {
                "contentType": "application/hl7-cda+xml",
                "language": "zh-CN",
                "url": format!("Binary/{entry}"),
                "size": 1234,
                "title": "血常规",
                "creation": "2026-11-22T07:30:00+08:00",
            },
            "format": {
                "system": "urn:yiqiao:document-format",
                "code": "cda-wst",
                "display": "共享文档（WS/T 500、WS/T 483）",
            },
        }],
    });
    let mut json = resource.json().expose().clone();
    json.as_object_mut().unwrap().remove("context");
    assert_eq!(json, expected);
    assert_eq!(resource.etag().as_deref(), Some("W/\"1\""));
}

#[test]
fn a_document_says_when_and_where_it_was_made() {
    let resource = scenes::listing().write(&scenes::patient());
    let subject =
        json!({"reference": format!("Patient/{}", "ab".repeat(32)), "type": "Patient", "display": "张三丰"});
    let expected = json!({
        "encounter": [{"type": "Encounter", "identifier": {"system": "urn:yiqiao:visit", "value": "v1"}}],
        "period": {"start": "2026-11-22T06:00:00+08:00", "end": "2026-11-22T07:00:00+08:00"},
        "facilityType": {
            "coding": [{"system": "urn:yiqiao:facility-kind", "code": "general-hospital", "display": "综合医院"}],
            "text": "综合医院",
        },
        "practiceSetting": {
            "coding": [{"system": "urn:yiqiao:practice-setting", "code": "laboratory", "display": "检验科"}],
            "text": "检验科",
        },
        "sourcePatientInfo": subject,
    });
    assert_eq!(resource.json().expose()["context"], expected);
}

#[test]
fn every_code_of_the_index_is_written() {
    let check = |change: &dyn Fn(&mut Listing)| {
        let mut listing = scenes::listing();
        change(&mut listing);
        rules::check(&listing.write(&scenes::patient()));
    };
    DocumentClass::ALL.iter().for_each(|code| check(&|listing| listing.class = *code));
    DocumentFormat::ALL.iter().for_each(|code| check(&|listing| listing.format = *code));
    FacilityKind::ALL.iter().for_each(|code| check(&|listing| listing.facility = Some(*code)));
    PracticeSetting::ALL.iter().for_each(|code| check(&|listing| listing.practice = Some(*code)));
    Sensitivity::ALL.iter().for_each(|code| check(&|listing| listing.sensitivity = *code));
    DocumentStatus::ALL.iter().for_each(|code| check(&|listing| listing.finality = Some(*code)));
    for row in DocumentType::TABLE {
        check(&|listing| listing.document_type = DocumentType::try_from(row.number).unwrap());
    }
}

#[test]
fn a_document_says_whether_it_still_counts() {
    for (withdrawn, replaced, status, doc_status, version) in [
        (false, false, "current", "final", "1"),
        (false, true, "superseded", "final", "2"),
        (true, false, "entered-in-error", "entered-in-error", "3"),
        (true, true, "entered-in-error", "entered-in-error", "3"),
    ] {
        let mut document = scenes::document();
        (document.withdrawn, document.replaced) = (withdrawn, replaced);
        let listing = Listing::of(&document, &scenes::code("hospital-a"), "").unwrap();
        let resource = listing.write(&scenes::patient());
        rules::check(&resource);
        let json = resource.json().expose();
        assert_eq!((&json["status"], &json["docStatus"]), (&json!(status), &json!(doc_status)));
        assert_eq!(json["meta"]["versionId"], version);
    }
}

#[test]
fn a_received_document_says_less_and_a_very_long_one_no_size() {
    let mut listing = scenes::listing();
    listing.custodian = scenes::code("hospital-b");
    listing.data = Phi::default();
    (listing.replaces, listing.service_start, listing.service_end) = (None, None, None);
    listing.size = 3 << 30;
    let resource = listing.write(&scenes::patient());
    rules::check(&resource);
    let json = resource.json().expose();
    for absent in ["author", "relatesTo", "description"] {
        assert!(json.get(absent).is_none(), "{absent}");
    }
    assert!(json["content"][0]["attachment"].get("size").is_none());
    assert_eq!(json["custodian"]["identifier"]["value"], "hospital-b");
}

#[test]
fn codes_that_this_program_does_not_know_are_a_fault() {
    let mut document = scenes::document();
    document.index.class = 999;
    assert_eq!(Listing::of(&document, &scenes::code("hospital-a"), ""), Err(Problem::Internal));
}

#[test]
fn intake_reads_the_document_back() {
    let bytes = scenes::listing().write(&scenes::patient()).to_bytes();
    let Understood::Documents(documents) = fhir::read_json(&bytes, 0..bytes.len(), &Door::any()).unwrap()
    else {
        panic!("a document");
    };
    let read = &documents[0];
    assert_eq!(read.kind.code, KindCode::Wst500(7));
    assert_eq!(read.title.as_ref().unwrap().expose(), "血常规");
    assert_eq!((read.status, read.confidentiality.as_deref()), (Status::Final, Some("R")));
    assert_eq!(read.author.person.as_ref().unwrap().name, "王芳");
    assert_eq!(read.author.custodian.as_deref(), Some("市第一医院"));
    assert_eq!(read.visit.as_ref().unwrap().expose(), "v1");
    assert_eq!(read.service.start.unwrap().at, scenes::at(-2 * scenes::HOUR));
    assert_eq!(read.service.end.unwrap().at, scenes::at(-scenes::HOUR));
    assert_eq!(read.replaces.as_ref().unwrap().value.expose(), &"03".repeat(32));
    assert_eq!(Standing::Current.code(), "current");
}

#[test]
fn a_document_of_another_hospital_says_only_what_that_one_said() {
    let own = scenes::listing();
    let listed = ListedDocument {
        holder: scenes::code("hospital-b"),
        entry_id: own.entry,
        document: own.document,
        size: own.size,
        class: own.class,
        document_type: own.document_type,
        format: own.format,
        sensitivity: own.sensitivity,
        service_start: own.service_start,
        service_end: own.service_end,
        created_at: own.created_at,
        title: Phi::new("血常规".to_owned()),
    };
    let copy = Shown {
        listed,
        subject: Some(scenes::subject()),
        stage: Stage::Held,
        refusal: None,
        clause: String::new(),
        withdrawn: false,
        at: scenes::at(0),
    };
    let resource = Listing::of_copy(&copy, "省人民医院").write(&scenes::patient());
    rules::check(&resource);
    let json = resource.json().expose();
    assert_eq!(json["custodian"]["display"], "省人民医院");
    assert_eq!((&json["docStatus"], &json["context"]["facilityType"]), (&json!(null), &json!(null)));
    let asked = |query: &str| scenes::search::<DocumentFilter>(&format!("_id={}&{query}", own.entry)).filter;
    assert!(asked("status=current").admits(&Listing::of_copy(&copy, "")));
    assert!(
        !asked("facility=general-hospital").admits(&Listing::of_copy(&copy, "")),
        "not known is not that"
    );
    let withdrawn = Shown { withdrawn: true, ..copy };
    assert_eq!(Listing::of_copy(&withdrawn, "").standing, Standing::EnteredInError);
}
