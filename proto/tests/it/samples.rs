//! One word of each kind with fixed content: what the tables start from, and what the vectors freeze.

#![expect(clippy::unwrap_used, reason = "fixed content that is known to be valid")]

use std::collections::BTreeSet;

use yiqiao_proto::access::{AccessEvent, AuditAnchor};
use yiqiao_proto::codes::{
    AccessAct, AccessOutcome, CredentialAlgorithm, CredentialState, DocumentClass, DocumentFormat,
    DocumentStatus, DocumentType, FacilityKind, LegalBasis, PatientQuestion, PersonRole, PracticeSetting,
    Purpose, ReferralAct, RevocationReason, Sensitivity, Stance, WithdrawalReason,
};
use yiqiao_proto::directive::{Act, Directive, Grantee, Notice, PatientQuery, Revocation, What};
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::entry::{Entry, IdentityStatement, Link, Withdrawal};
use yiqiao_proto::envelope::{Envelope, Word, payload_hash};
use yiqiao_proto::head::{Head, Standing};
use yiqiao_proto::id::{
    Code, Digest, DirectiveId, DocumentId, EntryId, Nonce, PractitionerId, ReferralId, Subject,
};
use yiqiao_proto::inventory::{Holding, Inventory};
use yiqiao_proto::lease::{AcceptedAct, Change, FeedItem, HeadChange, Lease, Told, feed_next, feed_start};
use yiqiao_proto::log::Opening;
use yiqiao_proto::note::{Checkpoint, origin};
use yiqiao_proto::proof::{AttestedLogin, CredentialStatement, DeskWitness, PasskeyAssertion, Proof};
use yiqiao_proto::referral::{ReferralStep, StepFacts};
use yiqiao_proto::release::{Asker, Delivery, PullRequest, Release, Terms};
use yiqiao_proto::search::{SearchAnswer, SearchQuery};
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_proto::token::Token;
use zeroize::Zeroizing;

use crate::region::{self, at, code};

/// An identifier of bytes that are all alike.
pub(crate) fn id<T, const N: usize>(make: fn([u8; N]) -> Option<T>, byte: u8) -> T {
    make([byte; N]).unwrap()
}

pub(crate) fn digest(byte: u8) -> Digest {
    id(Digest::new, byte)
}

pub(crate) fn token(byte: u8) -> Token {
    Token { epoch: 1, value: digest(byte) }
}

pub(crate) fn opening(seq: u64, envelope: &Envelope) -> Opening {
    Opening { seq, term: 3, accepted_at: at(500), salt: [0x5a; 32], envelope: envelope.as_bytes().to_vec() }
}

/// The place of [`entry`] in the chain of its subject.
pub(crate) fn first_link() -> Link {
    Link { number: 1, previous: None, replaces: None, salt: [0x51; 32] }
}

/// The place of [`withdrawal`].
pub(crate) fn second_link() -> Link {
    Link { number: 2, previous: Some(payload_hash(&entry().encode())), replaces: None, salt: [0x52; 32] }
}

pub(crate) fn entry() -> Entry {
    Entry {
        publisher: code("hospital"),
        subject: id(Subject::new, 0xa1),
        link: first_link().commitment(),
        entry_id: id(EntryId::new, 0xe1),
        document: id(DocumentId::new, 0xd1),
        size: 300_000,
        class: DocumentClass::Laboratory,
        document_type: DocumentType::from_code("C0007").unwrap(),
        format: DocumentFormat::CdaWst,
        facility: FacilityKind::GeneralHospital,
        practice: PracticeSetting::Laboratory,
        service_start: Some(at(-7_200_000)),
        service_end: Some(Timestamp::from_unix_ms(1_780_000_000_000).unwrap()),
        created_at: at(-3_600_000),
        sensitivity: Sensitivity::Normal,
        status: DocumentStatus::Final,
    }
}

pub(crate) fn withdrawal() -> Withdrawal {
    Withdrawal {
        publisher: code("hospital"),
        subject: id(Subject::new, 0xa1),
        link: second_link().commitment(),
        entry_id: id(EntryId::new, 0xe1),
        reason: WithdrawalReason::WrongPatient,
    }
}

pub(crate) fn statement() -> IdentityStatement {
    IdentityStatement {
        publisher: code("hospital"),
        subject: id(Subject::new, 0xa1),
        number: 1,
        previous: None,
        tokens: vec![token(0x71), token(0x72)],
    }
}

pub(crate) fn directive() -> Directive {
    Directive {
        id: id(DirectiveId::new, 0xc1),
        patient: token(0x71),
        stance: Stance::Permit,
        grantee: Grantee {
            organisation: Some(code("clinic")),
            department: Some(code("cardiology")),
            practitioner: Some(id(PractitionerId::new, 0xb1)),
            role: Some(PersonRole::Physician),
            referral: Some(id(ReferralId::new, 0xf1)),
        },
        custodian: Some(code("hospital")),
        what: What {
            classes: BTreeSet::from([DocumentClass::Summary, DocumentClass::Laboratory]),
            sensitivities: BTreeSet::from([Sensitivity::Normal]),
            service_from: Some(at(-86_400_000)),
            service_until: Some(at(0)),
            entries: BTreeSet::from([id(EntryId::new, 0xe1), id(EntryId::new, 0xe2)]),
        },
        purposes: BTreeSet::from([Purpose::Treatment]),
        valid_from: at(0),
        valid_until: Some(at(86_400_000)),
        notice: Notice { version: "2026-05".to_owned(), hash: digest(0x91) },
        existence_visible: true,
        basis: LegalBasis::SeparateConsent,
        head_version: 4,
    }
}

fn passkey() -> Proof {
    Proof::Passkey(PasskeyAssertion {
        credential_id: vec![0xcd; 16],
        authenticator_data: vec![0xad; 37],
        client_data_json: br#"{"type":"webauthn.get","challenge":"","origin":"https://demo.example"}"#
            .to_vec(),
        signature: vec![0x30; 70],
        acts: Vec::new(),
    })
}

pub(crate) fn permit() -> Act<Directive> {
    Act::new(directive(), passkey())
}

pub(crate) fn revocation() -> Act<Revocation> {
    let said = Revocation {
        directive: id(DirectiveId::new, 0xc1),
        patient: token(0x71),
        reason: RevocationReason::PatientWish,
        head_version: 5,
        at: at(1_000),
    };
    let desk = DeskWitness {
        organisation: code("hospital"),
        staff_hash: digest(0x92),
        evidence_hash: digest(0x93),
        at: at(900),
    };
    Act::new(said, Proof::DeskWitness(desk))
}

pub(crate) fn patient_query() -> Act<PatientQuery> {
    let said = PatientQuery {
        patient: token(0x71),
        what: PatientQuestion::Events,
        from_seq: 9,
        count: 20,
        nonce: id(Nonce::new, 0x84),
        at: at(1_100),
    };
    Act::new(said, logged_in(&code("portal")))
}

pub(crate) fn logged_in(organisation: &Code) -> Proof {
    Proof::AttestedLogin(AttestedLogin {
        organisation: organisation.clone(),
        account_hash: digest(0x94),
        at: at(900),
    })
}

pub(crate) fn credential() -> CredentialStatement {
    CredentialStatement {
        tokens: vec![token(0x71)],
        algorithm: CredentialAlgorithm::Es256,
        public_key: vec![0xa5; 77],
        rp_id: "demo.example".to_owned(),
        credential_id: vec![0xcd; 16],
        voucher: code("hospital"),
        evidence_hash: digest(0x93),
        state: CredentialState::Valid,
        number: 1,
        previous: None,
        guardian: false,
        until: None,
    }
}

pub(crate) fn event() -> AccessEvent {
    AccessEvent {
        organisation: code("hospital"),
        counterpart: Some(code("clinic")),
        patient: token(0x71),
        act: AccessAct::Release,
        outcome: AccessOutcome::Permitted,
        clause: "D-3".to_owned(),
        classes: BTreeSet::from([DocumentClass::Laboratory]),
        purpose: Purpose::Treatment,
        role: PersonRole::Physician,
        head_version: 5,
        directive: Some(id(DirectiveId::new, 0xc1)),
        referral: Some(id(ReferralId::new, 0xf1)),
        release: Some(digest(0x95)),
        documents: 1,
        size: 300_000,
        at: at(2_000),
        audit_line: Some(digest(0x96)),
    }
}

fn asker() -> Asker {
    Asker {
        organisation: code("clinic"),
        department: Some(code("cardiology")),
        practitioner: id(PractitionerId::new, 0xb1),
        role: PersonRole::Physician,
        purpose: Purpose::Treatment,
        referral: Some(id(ReferralId::new, 0xf1)),
        treating: true,
        break_glass: None,
    }
}

pub(crate) fn pull_request() -> PullRequest {
    PullRequest {
        holder: code("hospital"),
        asker: asker(),
        entry_id: id(EntryId::new, 0xe1),
        document: id(DocumentId::new, 0xd1),
        sealing_key: region::sealing("clinic", region::CLINIC_SEALING, region::CLINIC).id(),
        nonce: id(Nonce::new, 0x81),
        expires_at: at(3_600_000),
    }
}

pub(crate) fn terms() -> Terms {
    let request = pull_request();
    Terms {
        request: payload_hash(&request.encode()),
        holder: request.holder,
        recipient: request.asker.organisation,
        sealing_key: request.sealing_key,
        entry_id: request.entry_id,
        document: request.document,
        patient: token(0x71),
        heads: vec![(token(0x71), Head::of(5, [(5, digest(0x97))])), (token(0x72), Head::empty())],
        directive: Some(id(DirectiveId::new, 0xc1)),
        referral: request.asker.referral,
        basis: LegalBasis::SeparateConsent,
        expires_at: request.expires_at,
        lease: payload_hash(&lease().encode()),
        standing: Standing::prove(&[(5, digest(0x97))], &digest(0x97)),
    }
}

/// The document key that [`release`] wraps.
pub(crate) const DOCUMENT_KEY: [u8; 32] = [0x42; 32];

/// The release and the wrapped key beside it.
pub(crate) fn wrapped() -> (Release, Vec<u8>) {
    let recipient = region::sealing_secret(region::CLINIC_SEALING).public();
    let mut entropy = Entropy::new([0x21; 32]);
    Release::wrap(terms(), &Zeroizing::new(DOCUMENT_KEY), &recipient, &mut entropy).unwrap()
}

pub(crate) fn release() -> Release {
    wrapped().0
}

pub(crate) fn anchor() -> AuditAnchor {
    AuditAnchor { organisation: code("hospital"), lines: 1_200, hash: digest(0xa5), at: at(5_000) }
}

pub(crate) fn inventory() -> Inventory {
    let subject = |byte| id(Subject::new, byte);
    Inventory {
        publisher: code("hospital"),
        reader: code("clinic"),
        checkpoint: b"a note".to_vec(),
        holdings: vec![
            Holding { subject: subject(0x11), number: 3, last: Some(digest(0x13)) },
            Holding { subject: subject(0x12), number: 0, last: None },
        ],
        words: 9,
    }
}

pub(crate) fn delivery() -> Delivery {
    Delivery {
        release: payload_hash(&release().encode()),
        holder: code("hospital"),
        recipient: code("clinic"),
        document: id(DocumentId::new, 0xd1),
        at: at(4_000),
    }
}

/// What [`step`] seals.
pub(crate) const REFERRAL_BODY: &[u8] = br#"{"reason":"fixed text"}"#;

pub(crate) fn step() -> ReferralStep {
    let facts = StepFacts {
        referral: id(ReferralId::new, 0xf1),
        number: 1,
        previous: None,
        seen: 0,
        from: code("clinic"),
        to: code("hospital"),
        act: ReferralAct::Send,
        at: at(100),
        sealing_key: region::sealing("hospital", region::HOSPITAL_SEALING, region::HOSPITAL).id(),
    };
    let to = region::sealing_secret(region::HOSPITAL_SEALING).public();
    ReferralStep::seal(facts, REFERRAL_BODY, &to, &mut Entropy::new([0x22; 32])).unwrap()
}

pub(crate) fn query() -> SearchQuery {
    SearchQuery {
        asker: asker(),
        patients: vec![token(0x71), token(0x72)],
        classes: BTreeSet::from([DocumentClass::Laboratory]),
        types: BTreeSet::from([DocumentType::from_code("C0007").unwrap(), DocumentType::OTHER]),
        service_from: Some(at(-86_400_000)),
        service_until: Some(at(0)),
        superseded: true,
        from_seq: 7,
        count: 50,
        nonce: id(Nonce::new, 0x82),
    }
}

pub(crate) fn checkpoint() -> Checkpoint {
    Checkpoint { origin: origin(&region::region(), &code("log-1")), size: 8, root: [0x77; 32] }
}

pub(crate) fn answer() -> SearchAnswer {
    let entry = Envelope::sign(&region::region(), &entry(), &region::key(region::HOSPITAL));
    SearchAnswer {
        query: payload_hash(&query().encode()),
        checkpoint: checkpoint().sign(&region::key(region::REGISTRY_CHECKPOINT)),
        entries: vec![opening(7, &entry)],
        next_seq: Some(8),
    }
}

pub(crate) fn lease() -> Lease {
    Lease {
        member: code("hospital"),
        nonce: id(Nonce::new, 0x83),
        term: 3,
        feed_number: 2,
        feed_chain: digest(0x98),
        list_version: 1,
        list_hash: digest(0x99),
        log_id: code("log-1"),
        duration: Millis::from_secs(60),
    }
}

/// A feed of an item of each kind, each after the one before.
pub(crate) fn feed() -> Vec<FeedItem> {
    let act = Envelope::sign(&region::region(), &permit(), &region::key(region::PORTAL));
    let voucher = Envelope::sign(&region::region(), &credential(), &region::key(region::HOSPITAL));
    let withdrawn = Envelope::sign(&region::region(), &withdrawal(), &region::key(region::HOSPITAL));
    let directives = vec![
        AcceptedAct { version: 3, act: Told::Commitment(digest(0x9a)) },
        AcceptedAct { version: 5, act: Told::Opening(opening(4, &act)) },
    ];
    let head = Head::of(5, directives.iter().map(|act| (act.version, act.act.commitment())));
    let changes = [
        Change::MemberList(1),
        Change::Credential(opening(5, &voucher)),
        Change::Head(HeadChange { patient: token(0x71), head, directives }),
        Change::Withdrawal(opening(6, &withdrawn)),
    ];
    let mut chain = feed_start(&region::region(), &code("hospital"));
    let mut items = Vec::new();
    for (number, change) in (1..).zip(changes) {
        let item = FeedItem { number, previous: chain, change };
        chain = feed_next(&chain, &item.encode());
        items.push(item);
    }
    items
}

/// An entry in its envelope.
pub(crate) fn said_entry() -> Envelope {
    Envelope::sign(&region::region(), &entry(), &region::key(region::HOSPITAL))
}
