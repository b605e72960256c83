//! A hospital, a patient, a document, a consent, a referral.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;

use yiqiao_fhir::consent::{self, Consent, Source};
use yiqiao_fhir::document::Listing;
use yiqiao_fhir::query::Request;
use yiqiao_fhir::referral::{Person, Referral, Urgency};
use yiqiao_fhir::resource::Site;
use yiqiao_fhir::search::{self, Asked, Filter, Search};
use yiqiao_node_core::ask::{Document, Patient};
use yiqiao_node_core::remark::Remarks;
use yiqiao_node_core::state::kept::{BirthDate, DocumentData, PersonData, PersonIdentifier, Staff};
use yiqiao_proto::codes::{
    DocumentClass, DocumentFormat, DocumentType, FacilityKind, LegalBasis, PracticeSetting, Purpose,
    Sensitivity, Stance,
};
use yiqiao_proto::directive::{Directive, Grantee, Notice, What};
use yiqiao_proto::id::{Code, Digest, DirectiveId, DocumentId, EntryId, ReferralId, Subject};
use yiqiao_proto::person::Identifier;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::referral::State;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;
use yiqiao_proto::wire::words;

/// 2026-11-22T08:00:00+08:00.
pub(crate) const MORNING: i64 = 1_795_305_600_000;
pub(crate) const HOUR: i64 = 3_600_000;

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(MORNING + ms).unwrap()
}

pub(crate) fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

pub(crate) fn site() -> Site {
    Site {
        base: "https://a.example/fhir".to_owned(),
        organisation: code("hospital-a"),
        name: "市第一医院".to_owned(),
    }
}

/// The members that keep documents.
pub(crate) fn everybody() -> Vec<Code> {
    ["hospital-a", "hospital-b", "hospital-c"].map(code).to_vec()
}

pub(crate) fn entry_id(byte: u8) -> EntryId {
    EntryId::new([byte; 32]).unwrap()
}

pub(crate) fn subject() -> Subject {
    Subject::new([0xab; 32]).unwrap()
}

pub(crate) fn patient() -> Patient {
    let id = |kind, value: &str, assigner: &str| PersonIdentifier {
        kind,
        value: value.to_owned(),
        assigner: assigner.to_owned(),
        ..PersonIdentifier::default()
    };
    let data = PersonData {
        by_hand: false,
        identifiers: vec![
            id(4, "P-0001", "https://hospital-a.example/sid/patient"),
            id(1, "11010519491231002X", "urn:oid:2.16.156.10011.1.3"),
            id(2, "A12345678", ""),
            id(5, "MZ 7", "HIS"),
            id(6, "ZY9", ""),
            id(8, "x", "2.16.840.1"),
        ],
        name: "张三丰".to_owned(),
        pinyin: "ZHANG SANFENG".to_owned(),
        sex: 2,
        birth: Some(BirthDate { year: 1949, month: 12, day: 31 }),
        phone: "13800000000".to_owned(),
        address: "北京市朝阳区".to_owned(),
        visits: Vec::new(),
        as_of: None,
    };
    Patient {
        subject: subject(),
        retired: vec![Subject::new([0xcd; 32]).unwrap()],
        data: Phi::new(data),
        remarks: Remarks::new(),
        tokens: Vec::<Token>::new(),
        died: None,
    }
}

pub(crate) fn document() -> Document {
    let data = DocumentData {
        title: "血常规".to_owned(),
        source_system: "LIS".to_owned(),
        source_id: "R1".to_owned(),
        organization: "市第一医院".to_owned(),
        department: "检验科".to_owned(),
        person: Some(Staff { code: "d7".to_owned(), name: "王芳".to_owned() }),
        visit: "v1".to_owned(),
    };
    Document {
        entry: entry_id(1),
        subject: subject(),
        document: DocumentId::new([2; 32]).unwrap(),
        wrapped_key: vec![9],
        index: words::Entry {
            size: 1_234,
            class: DocumentClass::Laboratory.number(),
            r#type: DocumentType::from_code("C0007").unwrap().number(),
            format: DocumentFormat::CdaWst.number(),
            facility: FacilityKind::GeneralHospital.number(),
            practice: PracticeSetting::Laboratory.number(),
            service_start: Some(MORNING - 2 * HOUR),
            service_end: Some(MORNING - HOUR),
            created_at: MORNING - HOUR / 2,
            sensitivity: Sensitivity::Restricted.number(),
            status: 1,
            ..words::Entry::default()
        },
        data: Phi::new(data),
        system: "lis".to_owned(),
        filed_at: at(0),
        replaces: Some(entry_id(3)),
        replaced: false,
        withdrawn: false,
        remarks: Remarks::new(),
        receipt: None,
    }
}

pub(crate) fn listing() -> Listing {
    Listing::of(&document(), &code("hospital-a"), "市第一医院").unwrap()
}

pub(crate) fn permit() -> Directive {
    Directive {
        id: DirectiveId::new([7; 32]).unwrap(),
        patient: Token { epoch: 1, value: Digest::new([1; 32]).unwrap() },
        stance: Stance::Permit,
        grantee: Grantee { organisation: Some(code("hospital-b")), ..Grantee::default() },
        custodian: Some(code("hospital-a")),
        what: What {
            classes: BTreeSet::from([DocumentClass::Laboratory]),
            sensitivities: BTreeSet::from([Sensitivity::Normal, Sensitivity::Restricted]),
            service_from: Some(at(-100 * HOUR)),
            service_until: Some(at(5)),
            entries: BTreeSet::from([entry_id(1), entry_id(2)]),
        },
        purposes: BTreeSet::from([Purpose::Treatment, Purpose::Payment]),
        valid_from: at(0),
        valid_until: Some(at(1_000 * HOUR)),
        notice: Notice { version: "2026-11".to_owned(), hash: Digest::new([5; 32]).unwrap() },
        existence_visible: true,
        basis: LegalBasis::SeparateConsent,
        head_version: 3,
    }
}

pub(crate) fn consent(directive: Directive) -> Consent {
    let id = directive.id.to_string();
    let (standing, recorded_at) = (consent::Standing::InForce, Some(at(0)));
    let (grantee, custodian) = (directive.grantee.clone(), directive.custodian.clone());
    let parts = vec![consent::Part { grantee, custodian, exceptions: Vec::new() }];
    Consent { id, directive, parts, version: 1, standing, recorded_at, source: Source::default() }
}

pub(crate) fn referral(state: State) -> Referral {
    Referral {
        id: ReferralId::new([4; 32]).unwrap(),
        subject: Some(subject()),
        person: Person {
            name: Phi::new("张三丰".to_owned()),
            identifier: Identifier::resident_id("11010519491231002X").ok(),
        },
        referring: code("hospital-a"),
        referring_name: "市第一医院".to_owned(),
        receiving: code("hospital-b"),
        receiving_name: "省人民医院".to_owned(),
        state,
        urgency: Urgency::Urgent,
        sent_at: at(0),
        changed_at: at(HOUR),
        steps: 2,
        physician: Some(Phi::new("王芳".to_owned())),
        department: Some("心内科".to_owned()),
        reason: Phi::new("胸痛待查".to_owned()),
        note: None,
        documents: vec![entry_id(1)],
        ended_because: None,
    }
}

/// The search that a GET with this query asks for.
pub(crate) fn search<F: Filter + std::fmt::Debug>(query: &str) -> Search<F> {
    match search::read(&Request { query, ..Request::default() }).unwrap() {
        Asked::First(search) => search,
        Asked::Next(token) => panic_on(token.as_str()),
    }
}

#[expect(clippy::panic, reason = "a test asked for a first page")]
fn panic_on(token: &str) -> ! {
    panic!("a first page was asked for, not {token}")
}
