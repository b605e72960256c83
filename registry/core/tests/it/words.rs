//! Words as the tests need them: fixed content, changed where a test is about a change.

#![expect(clippy::unwrap_used, reason = "fixed content that is known to be valid")]

use std::collections::BTreeSet;
use yiqiao_proto::access::{AccessEvent, AuditAnchor};
use yiqiao_proto::codes::{
    AccessAct, AccessOutcome, DocumentClass, DocumentFormat, DocumentStatus, DocumentType, FacilityKind,
    LegalBasis, PatientQuestion, PersonRole, PracticeSetting, Purpose, RevocationReason, Sensitivity, Stance,
    WithdrawalReason,
};
use yiqiao_proto::directive::{Act, Directive, Grantee, Notice, PatientQuery, Revocation, What};
use yiqiao_proto::entry::{Entry, IdentityStatement, Link, Withdrawal};
use yiqiao_proto::envelope::{Word, payload_hash};
use yiqiao_proto::head::Head;
use yiqiao_proto::id::{Digest, DirectiveId, DocumentId, EntryId, KeyId, Nonce, PractitionerId, Subject};
use yiqiao_proto::proof::{AttestedLogin, CredentialStatement, DeskWitness, PasskeyAssertion, Proof};
use yiqiao_proto::release::{Asker, Delivery, Release, Terms};
use yiqiao_proto::search::SearchQuery;
use yiqiao_proto::token::Token;
use yiqiao_registry_core::machine::{ConsentAct, Refused};
use yiqiao_registry_core::take::{ChainWord, Submission, Taken};
use yiqiao_simnet::passkey::Passkey;

use crate::rig::{Rig, at, code};

/// An identifier that ends with a number.
pub(crate) fn id<T, const N: usize>(make: fn([u8; N]) -> Option<T>, number: u64) -> T {
    let mut bytes = [0x1d; N];
    bytes.last_chunk_mut::<8>().unwrap().copy_from_slice(&number.to_be_bytes());
    make(bytes).unwrap()
}

pub(crate) fn token(number: u64) -> Token {
    Token { epoch: 1, value: id(Digest::new, number) }
}

pub(crate) fn entry_id(number: u64) -> EntryId {
    id(EntryId::new, number)
}

pub(crate) fn directive_id(number: u64) -> DirectiveId {
    id(DirectiveId::new, number)
}

/// A publisher's side of one subject: its chain of entries and withdrawals, and its statements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    pub(crate) publisher: &'static str,
    pub(crate) subject: Subject,
    pub(crate) number: u64,
    pub(crate) last: Option<Digest>,
    pub(crate) statement: u64,
    pub(crate) statement_hash: Option<Digest>,
}

impl Chain {
    pub(crate) fn new(publisher: &'static str, subject: u64) -> Self {
        let subject = id(Subject::new, subject);
        Self { publisher, subject, number: 0, last: None, statement: 0, statement_hash: None }
    }

    /// The place after the last one.
    pub(crate) fn link(&self) -> Link {
        Link { number: self.number + 1, previous: self.last, replaces: None, salt: [0x51; 32] }
    }

    /// An entry at a place, changed.
    pub(crate) fn entry_at(&self, link: &Link, number: u64, change: impl FnOnce(&mut Entry)) -> Entry {
        let mut entry = Entry {
            publisher: code(self.publisher),
            subject: self.subject,
            link: link.commitment(),
            entry_id: entry_id(number),
            document: id(DocumentId::new, number),
            size: 1_000,
            class: DocumentClass::Laboratory,
            document_type: DocumentType::from_code("C0007").unwrap(),
            format: DocumentFormat::CdaWst,
            facility: FacilityKind::GeneralHospital,
            practice: PracticeSetting::Laboratory,
            service_start: Some(at(-7_200_000)),
            service_end: Some(at(-3_600_000)),
            created_at: at(-3_000_000),
            sensitivity: Sensitivity::Normal,
            status: DocumentStatus::Final,
        };
        change(&mut entry);
        entry
    }

    pub(crate) fn withdrawal_at(&self, link: &Link, number: u64) -> Withdrawal {
        Withdrawal {
            publisher: code(self.publisher),
            subject: self.subject,
            link: link.commitment(),
            entry_id: entry_id(number),
            reason: WithdrawalReason::WrongPatient,
        }
    }

    fn went_on(&mut self, payload: &[u8]) {
        self.number += 1;
        self.last = Some(payload_hash(payload));
    }

    /// The next link: an entry.
    pub(crate) fn entry(&mut self, rig: &Rig, number: u64) -> ChainWord {
        self.entry_with(rig, number, None, |_| {})
    }

    /// The next link: an entry that replaces another one, or is changed.
    pub(crate) fn entry_with(
        &mut self,
        rig: &Rig,
        number: u64,
        replaces: Option<u64>,
        change: impl FnOnce(&mut Entry),
    ) -> ChainWord {
        let link = Link { replaces: replaces.map(entry_id), ..self.link() };
        let entry = self.entry_at(&link, number, change);
        self.went_on(&entry.encode());
        ChainWord::Entry(rig.word(self.publisher, &entry), link)
    }

    /// The next link: a withdrawal.
    pub(crate) fn withdrawal(&mut self, rig: &Rig, number: u64) -> ChainWord {
        let link = self.link();
        let withdrawal = self.withdrawal_at(&link, number);
        self.went_on(&withdrawal.encode());
        ChainWord::Withdrawal(rig.word(self.publisher, &withdrawal), link)
    }

    /// The next statement.
    pub(crate) fn statement(&mut self, tokens: &[Token]) -> IdentityStatement {
        let statement = IdentityStatement {
            publisher: code(self.publisher),
            subject: self.subject,
            number: self.statement + 1,
            previous: self.statement_hash,
            tokens: tokens.to_vec(),
        };
        self.statement += 1;
        self.statement_hash = Some(payload_hash(&statement.encode()));
        statement
    }
}

impl Rig {
    /// A publisher states the tokens of a subject.
    pub(crate) fn state(&mut self, chain: &mut Chain, tokens: &[Token]) {
        let statement = self.word(chain.publisher, &chain.statement(tokens));
        self.take(Submission::Identity(statement));
    }

    /// A publisher publishes an entry as it comes.
    pub(crate) fn publish(&mut self, chain: &mut Chain, number: u64) -> Taken {
        let word = chain.entry(self, number);
        self.take(Submission::Links(vec![word]))
    }

    /// A publisher publishes a changed entry.
    pub(crate) fn publish_with(
        &mut self,
        chain: &mut Chain,
        number: u64,
        replaces: Option<u64>,
        change: impl FnOnce(&mut Entry),
    ) -> Taken {
        let word = chain.entry_with(self, number, replaces, change);
        self.take(Submission::Links(vec![word]))
    }

    /// A publisher withdraws an entry.
    pub(crate) fn withdraw(&mut self, chain: &mut Chain, number: u64) -> Taken {
        let word = chain.withdrawal(self, number);
        self.take(Submission::Links(vec![word]))
    }

    /// A directive, as a member attests it by a login.
    pub(crate) fn directive(&self, by: &str, directive: &Directive) -> Submission {
        self.directive_proved(by, directive, login(by))
    }

    pub(crate) fn directive_proved(&self, by: &str, directive: &Directive, proof: Proof) -> Submission {
        let act = self.word(by, &Act::new(directive.clone(), proof));
        Submission::Consent(ConsentAct::Directive(Box::new(act)))
    }

    /// A directive that must be new.
    pub(crate) fn direct(&mut self, by: &str, directive: &Directive) -> Taken {
        let submission = self.directive(by, directive);
        self.take(submission)
    }

    pub(crate) fn revocation(&self, by: &str, revocation: &Revocation) -> Submission {
        let act = self.word(by, &Act::new(revocation.clone(), login(by)));
        Submission::Consent(ConsentAct::Revocation(Box::new(act)))
    }

    pub(crate) fn try_revoke(&mut self, by: &str, revocation: &Revocation) -> Result<Vec<Taken>, Refused> {
        let submission = self.revocation(by, revocation);
        self.submit(submission)
    }
}

pub(crate) fn login(by: &str) -> Proof {
    Proof::AttestedLogin(AttestedLogin {
        organisation: code(by),
        account_hash: id(Digest::new, 0x94),
        at: at(-10),
    })
}

pub(crate) fn desk(by: &str) -> Proof {
    Proof::DeskWitness(DeskWitness {
        organisation: code(by),
        staff_hash: id(Digest::new, 0x92),
        evidence_hash: id(Digest::new, 0x93),
        at: at(-10),
    })
}

/// An assertion that proves nothing.
pub(crate) fn passkey() -> Proof {
    Proof::Passkey(PasskeyAssertion {
        acts: Vec::new(),
        credential_id: vec![0xcd; 16],
        authenticator_data: vec![0xad; 37],
        client_data_json: b"{}".to_vec(),
        signature: vec![0x30; 70],
    })
}

/// The passkey that is made of a number.
pub(crate) fn passkey_of(number: u8) -> Passkey {
    Passkey::new([number; 32], "demo.example", "https://demo.example")
}

/// A permit for one organisation: all documents of every custodian, for treatment.
pub(crate) fn permit(number: u64, patient: Token, organisation: &str) -> Directive {
    Directive {
        id: directive_id(number),
        patient,
        stance: Stance::Permit,
        grantee: Grantee { organisation: Some(code(organisation)), ..Grantee::default() },
        custodian: None,
        what: What::default(),
        purposes: BTreeSet::from([Purpose::Treatment]),
        valid_from: at(-86_400_000),
        valid_until: None,
        notice: Notice { version: "2026-05".to_owned(), hash: id(Digest::new, 0x91) },
        existence_visible: false,
        basis: LegalBasis::SeparateConsent,
        head_version: 0,
    }
}

/// A forbid of everything for everybody.
pub(crate) fn forbid(number: u64, patient: Token) -> Directive {
    Directive {
        stance: Stance::Forbid,
        grantee: Grantee::default(),
        purposes: BTreeSet::new(),
        basis: LegalBasis::Objection,
        ..permit(number, patient, "b")
    }
}

pub(crate) fn revocation(number: u64, patient: Token) -> Revocation {
    Revocation {
        directive: directive_id(number),
        patient,
        reason: RevocationReason::PatientWish,
        head_version: 0,
        at: at(0),
    }
}

pub(crate) fn asker(organisation: &str) -> Asker {
    Asker {
        organisation: code(organisation),
        department: None,
        practitioner: id(PractitionerId::new, 0xb1),
        role: PersonRole::Physician,
        purpose: Purpose::Treatment,
        referral: None,
        treating: false,
        break_glass: None,
    }
}

/// A search for all documents of a patient.
pub(crate) fn query(organisation: &str, patients: &[Token]) -> SearchQuery {
    SearchQuery {
        asker: asker(organisation),
        patients: patients.to_vec(),
        classes: BTreeSet::new(),
        types: BTreeSet::new(),
        service_from: None,
        service_until: None,
        superseded: false,
        from_seq: 0,
        count: 256,
        nonce: id(Nonce::new, 0x82),
    }
}

pub(crate) fn event(organisation: &str, patient: Token) -> AccessEvent {
    AccessEvent {
        organisation: code(organisation),
        counterpart: Some(code("portal")),
        patient,
        act: AccessAct::Opening,
        outcome: AccessOutcome::Permitted,
        clause: "D-3".to_owned(),
        classes: BTreeSet::from([DocumentClass::Laboratory]),
        purpose: Purpose::Treatment,
        role: PersonRole::Physician,
        head_version: 5,
        directive: None,
        referral: None,
        release: None,
        documents: 2,
        size: 300,
        at: at(0),
        audit_line: None,
    }
}

pub(crate) fn credential(voucher: &str, tokens: &[Token]) -> CredentialStatement {
    passkey_of(1).credential(&code(voucher), tokens)
}

/// The release of an entry to a recipient, decided on the empty heads of these tokens.
pub(crate) fn release(holder: &str, recipient: &str, entry: u64, tokens: &[Token]) -> Release {
    let terms = Terms {
        request: id(Digest::new, 0x95),
        holder: code(holder),
        recipient: code(recipient),
        sealing_key: id(KeyId::new, 0x31),
        entry_id: entry_id(entry),
        document: id(DocumentId::new, entry),
        patient: *tokens.first().unwrap(),
        heads: tokens.iter().map(|token| (*token, Head::empty())).collect(),
        directive: None,
        referral: None,
        basis: LegalBasis::RegionDefault,
        expires_at: at(86_400_000),
        lease: id(Digest::new, 0x96),
        standing: None,
    };
    Release { terms, wrapped_key_hash: id(Digest::new, 0x97) }
}

/// A member's audit at so many lines.
pub(crate) fn anchor(organisation: &str, lines: u64) -> AuditAnchor {
    AuditAnchor { organisation: code(organisation), lines, hash: id(Digest::new, lines), at: at(0) }
}

pub(crate) fn delivery(release: &Release) -> Delivery {
    Delivery {
        release: payload_hash(&release.encode()),
        holder: release.terms.holder.clone(),
        recipient: release.terms.recipient.clone(),
        document: release.terms.document,
        at: at(0),
    }
}

/// A patient's question, asked now by the rig's clock.
pub(crate) fn question(rig: &Rig, patient: Token, what: PatientQuestion, nonce: u64) -> PatientQuery {
    PatientQuery { patient, what, from_seq: 0, count: 256, nonce: id(Nonce::new, nonce), at: rig.now }
}
