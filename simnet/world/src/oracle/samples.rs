//! Oracles and words for the tests of checkers: as little of each as there can be.

use std::collections::BTreeSet;

use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{
    AccessAct, AccessOutcome, DocumentClass, DocumentFormat, DocumentStatus, DocumentType, FacilityKind,
    LegalBasis, PersonRole, PracticeSetting, Purpose, Sensitivity,
};
use yiqiao_proto::entry::Entry;
use yiqiao_proto::envelope::{Envelope, Word};
use yiqiao_proto::head::Head;
use yiqiao_proto::id::{Code, Digest, DocumentId, EntryId, KeyId, Nonce, PractitionerId, Subject};
use yiqiao_proto::log::Opening;
use yiqiao_proto::release::{Asker, PullRequest, Release, Terms};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;
use yiqiao_registry_core::state::Kept;

use super::{Oracle, Wrong};
use crate::load::code_of;
use crate::network::Who;
use crate::region::{For, Region, code};
use crate::setup::{Attack, Setup};

/// The oracle of three hospitals that nobody attacks.
pub(super) fn oracle() -> Oracle {
    oracle_of(None, None)
}

pub(super) fn oracle_of(hostile: Option<Who>, attack: Option<Attack>) -> Oracle {
    let codes: Vec<Code> = (0..3).map(code_of).collect();
    let now = Timestamp::default();
    Oracle::new(now, Region::new(&Setup::small(1), &codes, None, now), &[], (hostile, attack))
}

impl Oracle {
    /// What was found wrong first.
    pub(super) fn wrong(&self) -> Option<Wrong> {
        self.violation().map(|violation| violation.wrong)
    }

    /// What a process has signed.
    pub(super) fn signed<W: Word>(&self, by: Who, word: &W) -> Envelope {
        Envelope::sign(&code(), word, &self.region.key(by, For::Words))
    }

    /// The registry keeps what a process says, at the next place.
    pub(super) fn logs<W: Word>(&mut self, by: Who, word: &W) -> Kept {
        let envelope = self.signed(by, word).as_bytes().to_vec();
        let (seq, accepted_at) = (self.words().len() as u64, Timestamp::default());
        let opening = Opening { seq, term: 1, accepted_at, salt: [7; 32], envelope };
        let signer = self.region.code_of(by).to_string();
        let kept = Kept { opening: Some(opening.write()), signer, link: None };
        self.accepts(Timestamp::default(), std::iter::once(&kept));
        kept
    }
}

pub(super) fn digest(byte: u8) -> Digest {
    Digest::new([byte; 32]).expect("not all zeros")
}

pub(super) fn token(byte: u8) -> Token {
    Token { epoch: 1, value: digest(byte) }
}

pub(super) fn asker() -> Asker {
    Asker {
        organisation: code_of(1),
        department: None,
        practitioner: PractitionerId::new([1; 32]).expect("not all zeros"),
        role: PersonRole::Physician,
        purpose: Purpose::Treatment,
        referral: None,
        treating: false,
        break_glass: None,
    }
}

/// A request of the second hospital for a document of the first, of which the log has nothing.
pub(super) fn request() -> PullRequest {
    PullRequest {
        holder: code_of(0),
        asker: asker(),
        entry_id: EntryId::new([2; 32]).expect("not all zeros"),
        document: DocumentId::new([3; 32]).expect("not all zeros"),
        sealing_key: KeyId::new([4; 16]).expect("not all zeros"),
        nonce: Nonce::new([5; 32]).expect("not all zeros"),
        expires_at: Timestamp::default(),
    }
}

/// What answers it, decided under a lease.
pub(super) fn release(lease: Digest) -> Release {
    let request = request();
    let terms = Terms {
        request: digest(6),
        holder: request.holder,
        recipient: request.asker.organisation,
        sealing_key: request.sealing_key,
        entry_id: request.entry_id,
        document: request.document,
        patient: token(1),
        heads: vec![(token(1), Head::empty())],
        directive: None,
        referral: None,
        basis: LegalBasis::RegionDefault,
        expires_at: request.expires_at,
        lease,
        standing: None,
    };
    Release { terms, wrapped_key_hash: digest(8) }
}

/// The entry of the document that is asked for.
pub(super) fn entry() -> Entry {
    let request = request();
    Entry {
        publisher: request.holder,
        subject: Subject::new([9; 32]).expect("not all zeros"),
        link: digest(10),
        entry_id: request.entry_id,
        document: request.document,
        size: 1_000,
        class: DocumentClass::Laboratory,
        document_type: DocumentType::from_code("C0007").expect("it is one"),
        format: DocumentFormat::CdaWst,
        facility: FacilityKind::GeneralHospital,
        practice: PracticeSetting::Laboratory,
        service_start: None,
        service_end: None,
        created_at: Timestamp::default(),
        sensitivity: Sensitivity::Normal,
        status: DocumentStatus::Final,
    }
}

/// An event of the first hospital.
pub(super) fn event() -> AccessEvent {
    AccessEvent {
        organisation: code_of(0),
        counterpart: Some(code_of(1)),
        patient: token(1),
        act: AccessAct::Release,
        outcome: AccessOutcome::Permitted,
        clause: "D-3".to_owned(),
        classes: BTreeSet::new(),
        purpose: Purpose::Treatment,
        role: PersonRole::Physician,
        head_version: 0,
        directive: None,
        referral: None,
        release: None,
        documents: 1,
        size: 1_000,
        at: Timestamp::default(),
        audit_line: None,
    }
}
