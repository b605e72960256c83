//! Clinical documents, Chinese and C-CDA.

use yiqiao_intake::cda::render::{Block, sections};
use yiqiao_intake::facts::{Payload, ReviewReason};
use yiqiao_intake::flag::Flag;
use yiqiao_intake::kind::Class;
use yiqiao_intake::patient::IdKind;

use crate::samples::{RESIDENT_ID, SUMMARY_CDA, document, refusal, review};

#[test]
fn a_chinese_document_is_indexed_under_its_code_and_patient() {
    let document = document(SUMMARY_CDA);
    assert_eq!(
        (document.kind.class, document.kind.code.to_string().as_str()),
        (Class::LaboratoryReport, "C0007")
    );
    let kinds: Vec<IdKind> = document.patient.identifiers.iter().map(|id| id.kind).collect();
    assert_eq!(kinds, [IdKind::InpatientNo, IdKind::ResidentId]);
    assert_eq!(document.patient.primary().unwrap().value.expose(), RESIDENT_ID);
    assert_eq!(document.visit.unwrap().expose(), "ZY20260302");
    assert_eq!(document.source_id.unwrap().value.expose(), "DOC-42");
    assert_eq!(document.replaces, None);
    assert_eq!(document.confidentiality.as_deref(), Some("R"));
    assert_eq!(document.author.person.unwrap().code, "D077");
    assert_eq!(document.author.custodian.as_deref(), Some("第一医院"));
    assert_eq!(document.payload, Payload::Message(0..SUMMARY_CDA.len()));
    assert!(!document.flags.has(Flag::TemplateMismatch));
}

#[test]
fn the_type_comes_from_code_and_another_template_is_flagged() {
    let document = document(&SUMMARY_CDA.replace("2.1.1.27", "2.1.1.21"));
    assert_eq!(document.kind.code.to_string(), "C0007");
    assert!(document.flags.has(Flag::TemplateMismatch));
}

#[test]
fn numbers_of_reports_are_no_identifiers_of_a_person() {
    let only_report = SUMMARY_CDA.replace("999999198503120026", "").replace("ZY20260302", "");
    assert_eq!(review(&only_report).reason, ReviewReason::NoIdentifier);
}

#[test]
fn passports_are_known_by_their_root_and_travel_permits_by_their_authority() {
    let read = |id: &str| {
        let document = document(&format!(
            "<ClinicalDocument xmlns='urn:hl7-org:v3'><id root='1.2.9' extension='b'/>\
             <code code='57133-1' codeSystem='2.16.840.1.113883.6.1'/><effectiveTime value='202603041200+0000'/>\
             <recordTarget><patientRole>{id}</patientRole></recordTarget></ClinicalDocument>"
        ));
        let id = document.patient.identifiers[0].clone();
        (id.kind, id.value.into_exposed(), id.assigner)
    };
    let passport = read("<id root='2.16.840.1.113883.4.330.840' extension='A1234567'/>");
    assert_eq!(passport, (IdKind::Passport, "A1234567".to_owned(), "USA".to_owned()));
    let permit =
        read("<id root='1.2.3' extension='01234567' assigningAuthorityName='台湾居民来往大陆通行证'/>");
    assert_eq!(permit, (IdKind::TravelPermit, "01234567".to_owned(), "1.2.3".to_owned()));
}

#[test]
fn a_loinc_document_with_a_parent_and_a_period_is_understood() {
    let document = document(
        "<ClinicalDocument xmlns='urn:hl7-org:v3'><id root='1.2.9' extension='b'/>\
         <code code='57133-1' codeSystem='2.16.840.1.113883.6.1'/><effectiveTime value='202603041200+0000'/>\
         <recordTarget><patientRole><id root='1.2.3' extension='MRN5'/><patient><name><given>Ann</given><family>Sample</family>\
         </name></patient></patientRole></recordTarget>\
         <relatedDocument typeCode='RPLC'><parentDocument><id root='1.2.9' extension='a'/></parentDocument></relatedDocument>\
         <componentOf><encompassingEncounter><id extension='V1'/><effectiveTime><low value='20260301'/><high value='20260304'/>\
         </effectiveTime></encompassingEncounter></componentOf></ClinicalDocument>",
    );
    assert_eq!(document.kind.class, Class::ReferralNote);
    assert_eq!(document.patient.name.unwrap().expose(), "Sample Ann");
    assert_eq!(document.replaces.unwrap().value.expose(), "a");
    assert!(document.service.start < document.service.end);
}

#[test]
fn u7_results_of_a_clinical_document_are_rows_with_their_places() {
    let document = document(SUMMARY_CDA);
    let [row] = document.lab.as_slice() else { panic!("{} rows", document.lab.len()) };
    assert_eq!((row.name.expose().as_str(), row.value.expose().as_str()), ("白细胞计数", "12.5"));
    assert_eq!(row.unit, "10*9/L");
    assert_eq!(row.place, "/ClinicalDocument/component/structuredBody/component/section/entry/observation");
}

#[test]
fn fragments_and_attacks_are_refused_with_the_reason() {
    assert!(refusal("<section xmlns='urn:hl7-org:v3'/>").contains("ClinicalDocument"));
    assert!(refusal("<ClinicalDocument xmlns='urn:hl7-org:v3'/>").contains("ClinicalDocument/code"));
    assert!(refusal("<ClinicalDocument xmlns='urn:hl7-org:v3'><code>").contains("line 1"));
    assert!(refusal(&format!("<!DOCTYPE x [<!ENTITY a 'b'>]>{SUMMARY_CDA}")).contains("DOCTYPE"));
    let deep = "<a>".repeat(100_000);
    assert!(refusal(&deep).contains("depth"));
}

#[test]
fn a_rendering_puts_entries_into_words() {
    let sections = sections(SUMMARY_CDA.as_bytes()).unwrap();
    assert_eq!(sections[0].title, "辅助检查");
    let [Block::Entry { name, value, unit }] = sections[0].blocks.as_slice() else { panic!("not one entry") };
    assert_eq!((name.as_str(), value.expose().as_str(), unit.as_str()), ("白细胞计数", "12.5", "10*9/L"));
}
