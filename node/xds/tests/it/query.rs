//! ITI-18: what is asked, and how documents are listed.

use proptest::prelude::*;
use yiqiao_fhir::document::{Listing, Standing};
use yiqiao_fhir::resource::Resource;
use yiqiao_node_core::ask::Patient;
use yiqiao_node_core::remark::Remarks;
use yiqiao_node_core::state::kept::{DocumentData, PersonData, Staff};
use yiqiao_proto::codes::{
    DocumentClass, DocumentFormat, DocumentStatus, DocumentType, FacilityKind, PracticeSetting, Sensitivity,
};
use yiqiao_proto::id::{Code as MemberCode, DocumentId, EntryId, Subject};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::Timestamp;
use yiqiao_xds::listed::{Listed, Names, Replaced, Shown, query_failure, query_response};
use yiqiao_xds::name::uuid_of;
use yiqiao_xds::query::{Find, Query, Wanted, read};
use yiqiao_xds::soap;
use yiqiao_xds::wrong::{Code, Wrong};

const EXAMPLE: &str = include_str!("../../../../docs/examples/xds/find.xml");
const PATIENT: &str = "11010519491231002X^^^&2.16.156.10011.1.3&ISO";

fn asked(text: &str) -> Result<Query, Wrong> {
    let text = text.replace("PATIENT", &PATIENT.replace('&', "&amp;"));
    let document = soap::parse(&text).unwrap();
    read(soap::read(&document).unwrap().request)
}

/// The example with other slots.
fn with(slots: &[(&str, &str)]) -> Result<Query, Wrong> {
    let slots = slots.iter().map(|(name, value)| {
        let value = value.replace('<', "&lt;").replace('&', "&amp;");
        format!(
            "<rim:Slot name='{name}'><rim:ValueList><rim:Value>{value}</rim:Value></rim:ValueList></rim:Slot>"
        )
    });
    let end = format!("{}</rim:AdhocQuery>", slots.collect::<String>());
    asked(&EXAMPLE.replace("</rim:AdhocQuery>", &end))
}

fn find(slots: &[(&str, &str)]) -> Box<Find> {
    match with(slots).unwrap().wanted {
        Wanted::Find(find) => find,
        Wanted::Entries(_) | Wanted::Uniques(_) => panic!("FindDocuments"),
    }
}

/// 2026-11-22T00:00:00Z.
const MIDNIGHT: i64 = 1_795_305_600_000;

fn listing(standing: Standing) -> Listing {
    let at = |ms| Timestamp::from_unix_ms(MIDNIGHT + ms).unwrap();
    Listing {
        entry: EntryId::new([7; 32]).unwrap(),
        document: DocumentId::new([2; 32]).unwrap(),
        custodian: MemberCode::new("hospital-a").unwrap(),
        custodian_name: "市第一医院".to_owned(),
        size: 1_234,
        class: DocumentClass::Laboratory,
        document_type: DocumentType::from_code("C0007").unwrap(),
        format: DocumentFormat::CdaWst,
        facility: Some(FacilityKind::GeneralHospital),
        practice: Some(PracticeSetting::Laboratory),
        service_start: Some(at(-1_000)),
        service_end: None,
        created_at: at(500),
        sensitivity: Sensitivity::Normal,
        finality: Some(DocumentStatus::Final),
        standing,
        filed_at: at(9_000),
        replaces: None,
        data: Phi::new(DocumentData {
            title: "血常规 <急>".to_owned(),
            organization: "市第一医院".to_owned(),
            person: Some(Staff { code: "d7".to_owned(), name: "王芳".to_owned() }),
            ..DocumentData::default()
        }),
    }
}

fn shown(listing: &Listing) -> Resource {
    listing.write(&Patient {
        subject: Subject::new([0xab; 32]).unwrap(),
        retired: Vec::new(),
        data: Phi::new(PersonData::default()),
        remarks: Remarks::new(),
        tokens: Vec::new(),
        died: None,
    })
}

fn names(listing: &Listing) -> Names {
    let (entry, unique) = (uuid_of(3, &listing.entry), "1.2.3^a".to_owned());
    Names { entry, unique, patient: PATIENT.to_owned(), repository: "2.25.9".to_owned() }
}

#[test]
fn a_question_narrows_by_what_a_document_is() {
    let listing = listing(Standing::Current);
    let shown = shown(&listing);
    let document = Shown::new(&listing, &shown).unwrap();
    for (slots, admitted) in [
        (vec![], true),
        (vec![("$XDSDocumentEntryClassCode", "('laboratory^^urn:yiqiao:document-class')")], true),
        (vec![("$XDSDocumentEntryClassCode", "('laboratory^^urn:other')")], false),
        (
            vec![(
                "$XDSDocumentEntryConfidentialityCode",
                "('N^^http://terminology.hl7.org/CodeSystem/v3-Confidentiality','R^^x')",
            )],
            true,
        ),
        (vec![("$XDSDocumentEntryEventCodeList", "('a^^b')")], false),
        (vec![("$XDSDocumentEntryPracticeSettingCode", "('surgery^^urn:yiqiao:practice-setting')")], false),
        (
            vec![
                ("$XDSDocumentEntryCreationTimeFrom", "20261122"),
                ("$XDSDocumentEntryCreationTimeTo", "20261123"),
            ],
            true,
        ),
        (vec![("$XDSDocumentEntryCreationTimeTo", "20261122")], false),
        (vec![("$XDSDocumentEntryServiceStartTimeTo", "20261122")], true),
        (vec![("$XDSDocumentEntryServiceStopTimeFrom", "2020")], false),
        (vec![("$XDSDocumentEntryAuthorPerson", "('%王芳%')")], true),
        (vec![("$XDSDocumentEntryAuthorPerson", "('王芳')")], false),
        (vec![("$XDSDocumentEntryType", "('urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248')")], false),
        (vec![("$MetadataLevel", "1")], true),
    ] {
        assert_eq!(find(&slots).admits(&document), admitted, "{slots:?}");
    }
    let deprecated = EXAMPLE.replace("StatusType:Approved", "StatusType:Deprecated");
    let Wanted::Find(find) = asked(&deprecated).unwrap().wanted else { panic!("find") };
    assert!(!find.admits(&document));
}

#[test]
fn a_question_that_is_none_says_why() {
    let id = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d";
    let other = "urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3";
    assert_eq!(asked(&EXAMPLE.replace(id, other)).unwrap_err().code, Code::UnknownStoredQuery);
    let without = EXAMPLE.replace("$XDSDocumentEntryStatus", "$XDSDocumentEntryType");
    assert_eq!(asked(&without).unwrap_err().code, Code::StoredQueryMissingParam);
    let time = with(&[("$XDSDocumentEntryCreationTimeTo", "'x'")]);
    assert_eq!(time.unwrap_err().code, Code::StoredQueryParamNumber);
    let unknown = with(&[("$XDSDocumentEntryReferenceIdList", "('a')")]).unwrap_err();
    assert_eq!(unknown.code, Code::Registry);
    assert!(unknown.what.contains("ReferenceIdList"), "{unknown}");
    let name = with(&[("11010519491231002X", "('a')")]).unwrap_err();
    assert!(!name.what.contains("1101"), "{name}");
    assert!(query_failure(&unknown).contains("errorCode=\"XDSRegistryError\""));
}

#[test]
fn documents_are_asked_for_by_either_id() {
    let get = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4";
    let asked_by = |name: &str| {
        let slot = "<rim:Slot name=\"$XDSDocumentEntryPatientId\"><rim:ValueList><rim:Value>'PATIENT'</rim:Value></rim:ValueList></rim:Slot>";
        let (head, rest) = EXAMPLE.split_once(slot).unwrap();
        let end = rest.split_once("</rim:AdhocQuery>").unwrap().1;
        let slot = slot.replace("$XDSDocumentEntryPatientId", name).replace("'PATIENT'", "('a','b')");
        let text = format!("{head}{slot}</rim:AdhocQuery>{end}");
        asked(&text.replace("urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d", get))
    };
    let both = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(asked_by("$XDSDocumentEntryEntryUUID").unwrap().wanted, Wanted::Entries(both.clone()));
    assert_eq!(asked_by("$XDSDocumentEntryUniqueId").unwrap().wanted, Wanted::Uniques(both));
    assert_eq!(asked_by("$MetadataLevel").unwrap_err().code, Code::StoredQueryMissingParam);
}

#[test]
fn associations_are_asked_for_with_their_documents_or_without() {
    let (find, given) = ("urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d", ["Both", "Associations"]);
    let ids =
        ["urn:uuid:bab9529a-4a10-40b3-a01f-f68a615d247a", "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"];
    let (head, rest) = EXAMPLE.split_once("<rim:Slot").unwrap();
    let end = rest.split_once("</rim:AdhocQuery>").unwrap().1;
    for ((id, given), name) in ids.into_iter().zip(given).zip(["$XDSDocumentEntryEntryUUID", "$uuid"]) {
        let asked_by = |name: &str, value: &str| {
            let slot = format!(
                "<rim:Slot name=\"{name}\"><rim:ValueList><rim:Value>{value}</rim:Value></rim:ValueList></rim:Slot>"
            );
            asked(&format!("{head}{slot}</rim:AdhocQuery>{end}").replace(find, id))
        };
        let query = asked_by(name, "('a','b')").unwrap();
        assert_eq!(
            (query.wanted, format!("{:?}", query.given)),
            (Wanted::Entries(vec!["a".into(), "b".into()]), given.into())
        );
        assert_eq!(asked_by("$MetadataLevel", "1").unwrap_err().code, Code::StoredQueryMissingParam);
        let many = (0..200).map(|number| format!("'{number}'")).collect::<Vec<_>>().join(",");
        assert!(asked_by(name, &format!("({many})")).is_err());
    }
}

#[test]
fn that_a_document_has_replaced_another_is_an_association() {
    let replaced = Replaced { by: "urn:uuid:1".to_owned(), what: "urn:uuid:2".to_owned() };
    let text = query_response(&[], std::slice::from_ref(&replaced), true);
    let read = soap::parse(&text).unwrap();
    let association = read.descendants().find(|node| node.tag_name().name() == "Association").unwrap();
    let of = |name: &str| association.attribute(name).unwrap();
    assert_eq!((of("sourceObject"), of("targetObject")), ("urn:uuid:1", "urn:uuid:2"));
    assert_eq!(of("associationType"), "urn:ihe:iti:2007:AssociationType:RPLC");
    let short = query_response(&[], &[replaced], false);
    assert!(short.contains(&format!("<rim:ObjectRef id=\"{}\">", of("id"))), "{short}");
}

#[test]
fn a_document_is_listed_with_all_that_the_fhir_door_shows_or_by_its_id() {
    let listing_of = listing(Standing::Superseded);
    let (shown_of, names_of) = (shown(&listing_of), names(&listing_of));
    let document = Listed::new(Shown::new(&listing_of, &shown_of).unwrap(), &names_of);
    let text = query_response(std::slice::from_ref(&document), &[], true);
    let read = soap::parse(&text).unwrap();
    let object = read.descendants().find(|node| node.tag_name().name() == "ExtrinsicObject").unwrap();
    assert_eq!(object.attribute("id"), Some(names_of.entry.as_str()));
    assert_eq!(object.attribute("status"), Some("urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"));
    assert_eq!(object.attribute("mimeType"), Some("application/hl7-cda+xml"));
    let slots: Vec<(&str, &str)> = object
        .children()
        .filter(|node| node.tag_name().name() == "Slot")
        .map(|slot| {
            (slot.attribute("name").unwrap(), slot.descendants().find_map(|node| node.text()).unwrap())
        })
        .collect();
    let expected = [
        ("creationTime", "20261122000000"),
        ("languageCode", "zh-CN"),
        ("repositoryUniqueId", "2.25.9"),
        ("serviceStartTime", "20261121235959"),
        ("size", "1234"),
        ("sourcePatientId", PATIENT),
    ];
    assert_eq!(slots, expected);
    let codes: Vec<&str> = object
        .children()
        .filter(|node| node.tag_name().name() == "Classification")
        .map(|node| node.attribute("nodeRepresentation").unwrap())
        .collect();
    assert_eq!(codes, ["", "laboratory", "N", "cda-wst", "general-hospital", "laboratory", "C0007"]);
    assert!(text.contains("value=\"血常规 &lt;急&gt;\"") && text.contains("d7^王芳"), "{text}");
    let short = query_response(&[document], &[], false);
    assert!(short.contains(&format!("<rim:ObjectRef id=\"{}\">", names_of.entry)), "{short}");
    assert!(!short.contains("ExtrinsicObject"));
}

#[test]
fn what_was_withdrawn_is_not_listed() {
    let listing = listing(Standing::EnteredInError);
    assert!(Shown::new(&listing, &shown(&listing)).is_none());
}

proptest! {
    #[test]
    fn a_damaged_question_is_read_without_panic(at in 0_usize..2_000, length in 0_usize..60, put in "[<>/a-z0-9\"'&;,() ]{0,12}") {
        let mut text: Vec<char> = EXAMPLE.chars().collect();
        let at = at.min(text.len());
        text.splice(at..(at + length).min(text.len()), put.chars());
        let text: String = text.into_iter().collect();
        if let Ok(document) = soap::parse(&text) && let Ok(asked) = soap::read(&document) {
            let _ = read(asked.request);
        }
    }
}
