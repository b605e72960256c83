//! Words as the tests need them: fixed content, changed where a test is about a change.

#![expect(clippy::unwrap_used, reason = "fixed content that is known to be valid")]

use std::collections::BTreeSet;

use yiqiao_host::clock::Clock;
use yiqiao_host::keys;
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{
    AccessAct, AccessOutcome, DocumentClass, DocumentFormat, DocumentStatus, DocumentType, FacilityKind,
    LegalBasis, PatientQuestion, PersonRole, PracticeSetting, Purpose, RevocationReason, Sensitivity, Stance,
};
use yiqiao_proto::directive::{Act, Directive, Grantee, Notice, PatientQuery, Revocation, What};
use yiqiao_proto::entry::{Entry, IdentityStatement, Link};
use yiqiao_proto::envelope::{Word, payload_hash};
use yiqiao_proto::id::{Code, Digest, DirectiveId, DocumentId, EntryId, Nonce, PractitionerId, Subject};
use yiqiao_proto::person::Identifier;
use yiqiao_proto::proof::{DeskWitness, Proof};
use yiqiao_proto::release::Asker;
use yiqiao_proto::search::SearchQuery;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::member::{Member, Signed};
use crate::rig::code;

/// An identifier that ends with a number.
pub(crate) fn id<T, const N: usize>(make: fn([u8; N]) -> Option<T>, number: u64) -> T {
    let mut bytes = [0x1d; N];
    bytes.last_chunk_mut::<8>().unwrap().copy_from_slice(&number.to_be_bytes());
    make(bytes).unwrap()
}

pub(crate) fn now() -> Timestamp {
    Clock::system().now()
}

/// So many milliseconds from now.
pub(crate) fn from_now(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(now().unix_ms() + ms).unwrap()
}

/// The patient of the stories.
pub(crate) fn patient() -> Identifier {
    Identifier::resident_id("11010519491231002X").unwrap()
}

/// Somebody of whom no member knows anything.
pub(crate) fn stranger() -> Identifier {
    Identifier::health_card("Z99999999").unwrap()
}

pub(crate) fn some_token(number: u64) -> Token {
    Token { epoch: 1, value: id(Digest::new, number) }
}

/// A publisher's side of one subject: its chain and its statements.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) publisher: Code,
    pub(crate) subject: Subject,
    pub(crate) number: u64,
    pub(crate) last: Option<Digest>,
    statements: u64,
    statement: Option<Digest>,
}

impl Chain {
    pub(crate) fn new(publisher: &str, subject: u64) -> Self {
        let (publisher, subject) = (code(publisher), id(Subject::new, subject));
        Self { publisher, subject, number: 0, last: None, statements: 0, statement: None }
    }

    /// The next link: a laboratory report.
    pub(crate) fn entry(&mut self, by: &Member, number: u64) -> Signed {
        self.entry_of(by, number, |_| {})
    }

    /// The next link: a changed entry.
    pub(crate) fn entry_of(&mut self, by: &Member, number: u64, change: impl FnOnce(&mut Entry)) -> Signed {
        let link = Link { number: self.number + 1, previous: self.last, replaces: None, salt: [0x51; 32] };
        let mut entry = Entry {
            publisher: self.publisher.clone(),
            subject: self.subject,
            link: link.commitment(),
            entry_id: id(EntryId::new, number),
            document: id(DocumentId::new, number),
            size: 1_000,
            class: DocumentClass::Laboratory,
            document_type: DocumentType::from_code("C0007").unwrap(),
            format: DocumentFormat::CdaWst,
            facility: FacilityKind::GeneralHospital,
            practice: PracticeSetting::Laboratory,
            service_start: Timestamp::from_unix_ms(1_780_000_000_000),
            service_end: Timestamp::from_unix_ms(1_780_000_600_000),
            created_at: Timestamp::from_unix_ms(1_780_001_000_000).unwrap(),
            sensitivity: Sensitivity::Normal,
            status: DocumentStatus::Final,
        };
        change(&mut entry);
        self.number = link.number;
        self.last = Some(payload_hash(&entry.encode()));
        Signed { envelope: by.sign(&entry), link: Some(link) }
    }

    /// The next statement.
    pub(crate) fn statement(&mut self, by: &Member, tokens: &[Token]) -> Signed {
        let statement = IdentityStatement {
            publisher: self.publisher.clone(),
            subject: self.subject,
            number: self.statements + 1,
            previous: self.statement,
            tokens: tokens.to_vec(),
        };
        self.statements += 1;
        self.statement = Some(payload_hash(&statement.encode()));
        by.signed(&statement)
    }
}

/// A desk's witness.
pub(crate) fn desk(by: &str) -> Proof {
    Proof::DeskWitness(DeskWitness {
        organisation: code(by),
        staff_hash: id(Digest::new, 0x92),
        evidence_hash: id(Digest::new, 0x93),
        at: now(),
    })
}

/// A permit for one organisation: laboratory reports of every custodian, for treatment.
pub(crate) fn permit(number: u64, patient: Token, organisation: &str, head_version: u64) -> Directive {
    let classes = BTreeSet::from([DocumentClass::Laboratory]);
    Directive {
        id: id(DirectiveId::new, number),
        patient,
        stance: Stance::Permit,
        grantee: Grantee { organisation: Some(code(organisation)), ..Grantee::default() },
        custodian: None,
        what: What { classes, ..What::default() },
        purposes: BTreeSet::from([Purpose::Treatment]),
        valid_from: from_now(-60_000),
        valid_until: None,
        notice: Notice { version: "2026-05".to_owned(), hash: id(Digest::new, 0x91) },
        existence_visible: false,
        basis: LegalBasis::SeparateConsent,
        head_version,
    }
}

/// A forbid of everything for everybody.
pub(crate) fn forbid(number: u64, patient: Token, head_version: u64) -> Directive {
    Directive {
        stance: Stance::Forbid,
        grantee: Grantee::default(),
        what: What::default(),
        purposes: BTreeSet::new(),
        basis: LegalBasis::Objection,
        ..permit(number, patient, "b", head_version)
    }
}

pub(crate) fn revocation(number: u64, patient: Token, head_version: u64) -> Revocation {
    Revocation {
        directive: id(DirectiveId::new, number),
        patient,
        reason: RevocationReason::PatientWish,
        head_version,
        at: now(),
    }
}

/// A search for all documents of a patient.
pub(crate) fn query(organisation: &str, patient: Token) -> SearchQuery {
    let asker = Asker {
        organisation: code(organisation),
        department: None,
        practitioner: id(PractitionerId::new, 0xb1),
        role: PersonRole::Physician,
        purpose: Purpose::Treatment,
        referral: None,
        treating: false,
        break_glass: None,
    };
    SearchQuery {
        asker,
        patients: vec![patient],
        classes: BTreeSet::new(),
        types: BTreeSet::new(),
        service_from: None,
        service_until: None,
        superseded: false,
        from_seq: 0,
        count: 256,
        nonce: Nonce::new(keys::random()).unwrap(),
    }
}

/// A patient's question, asked at a desk.
pub(crate) fn question(by: &str, patient: Token, what: PatientQuestion, at: Timestamp) -> Act<PatientQuery> {
    let nonce = Nonce::new(keys::random()).unwrap();
    Act::new(PatientQuery { patient, what, from_seq: 0, count: 256, nonce, at }, desk(by))
}

/// `a` has denied `b` a document of a patient.
pub(crate) fn denial(patient: Token) -> AccessEvent {
    AccessEvent {
        organisation: code("a"),
        counterpart: Some(code("b")),
        patient,
        act: AccessAct::Release,
        outcome: AccessOutcome::Denied,
        clause: "D-3".to_owned(),
        classes: BTreeSet::from([DocumentClass::Laboratory]),
        purpose: Purpose::Treatment,
        role: PersonRole::Physician,
        head_version: 0,
        directive: None,
        referral: None,
        release: None,
        documents: 1,
        size: 1_000,
        at: now(),
        audit_line: None,
    }
}
