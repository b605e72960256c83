//! What a patient says: directives and revocations, with the proof that the patient said it (C-1 to C-9).
//!
//! Not here: what follows from them (`yiqiao-consent`), and the check of a passkey assertion.

use std::collections::BTreeSet;

use crate::codes::{
    DocumentClass, LegalBasis, PatientQuestion, PersonRole, Purpose, RevocationReason, Sensitivity, Stance,
};
use crate::decode::{self, DecodeError, check, required};
use crate::envelope::{Kind, Word};
use crate::hash::{self, domain};
use crate::id::{Code, Digest, DirectiveId, EntryId, Nonce, PractitionerId, ReferralId};
use crate::limits;
use crate::member::write_optional;
use crate::proof::Proof;
use crate::time::Timestamp;
use crate::token::Token;
use crate::wire::words as wire;
use prost::Message;

/// The version of directives and revocations that this reader knows: a newer one is refused, so that a dimension which
/// it does not know can never be read over (C-2, D-6).
pub const VERSION: u32 = 1;

/// A patient's permit or forbid (C-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Its id: never used again, not even after revocation (C-6).
    pub id: DirectiveId,
    /// Who it is about.
    pub patient: Token,
    /// Permit or forbid.
    pub stance: Stance,
    /// To whom data may or may not flow.
    pub grantee: Grantee,
    /// From whom; none: from every member.
    pub custodian: Option<Code>,
    /// Which data.
    pub what: What,
    /// For which purposes; empty, in a forbid only: for every purpose but an emergency, which no permit names (D-8).
    pub purposes: BTreeSet<Purpose>,
    /// From when it counts.
    pub valid_from: Timestamp,
    /// Until when, this instant excluded; none: until revoked.
    pub valid_until: Option<Timestamp>,
    /// The notice that the patient was shown.
    pub notice: Notice,
    /// Whether the grantee may learn that something exists which it may not see; in a permit only.
    pub existence_visible: bool,
    /// Legal basis.
    pub basis: LegalBasis,
    /// The version of the patient's head that the patient saw when signing (D-4).
    pub head_version: u64,
}

/// To whom: each part that is given narrows; none of them means everybody (C-4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grantee {
    /// The asking organisation.
    pub organisation: Option<Code>,
    /// The department; only with the organisation.
    pub department: Option<Code>,
    /// One practitioner, under the organisation's pseudonym; only with the organisation.
    pub practitioner: Option<PractitionerId>,
    /// The role of the asking person.
    pub role: Option<PersonRole>,
    /// Only in the course of this referral, and only its parties.
    pub referral: Option<ReferralId>,
}

/// Which data: each part that is given narrows; none of them means everything (C-5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct What {
    /// Document classes.
    pub classes: BTreeSet<DocumentClass>,
    /// Sensitivities.
    pub sensitivities: BTreeSet<Sensitivity>,
    /// Only service that ended at this instant or later.
    pub service_from: Option<Timestamp>,
    /// Only service that began before this instant.
    pub service_until: Option<Timestamp>,
    /// Only these documents.
    pub entries: BTreeSet<EntryId>,
}

/// The notice shown before consent (PIPL articles 17, 23, 30).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its version.
    pub version: String,
    /// SHA-256 of its text.
    pub hash: Digest,
}

/// Takes a directive back (C-6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The directive.
    pub directive: DirectiveId,
    /// Who it is about.
    pub patient: Token,
    /// Why.
    pub reason: RevocationReason,
    /// The version of the patient's head that the patient saw.
    pub head_version: u64,
    /// When the patient said it.
    pub at: Timestamp,
}

/// A patient asks for the own consents or access events; proved as a directive is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatientQuery {
    /// Who asks.
    pub patient: Token,
    /// For what.
    pub what: PatientQuestion,
    /// Only what was accepted at this place of the log or later: the next page.
    pub from_seq: u64,
    /// At most so many.
    pub count: u32,
    /// Used once.
    pub nonce: Nonce,
    /// When the patient asked.
    pub at: Timestamp,
}

/// A directive, a revocation or a query with its proof, as it travels (C-8): the act's bytes are kept, because the proof is over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act<T> {
    /// What is said.
    pub said: T,
    /// The exact bytes of it.
    pub bytes: Vec<u8>,
    /// That the patient said it.
    pub proof: Proof,
}

/// What can stand in an [`Act`].
pub trait Said: Sized {
    /// The kind of the envelope.
    const KIND: Kind;
    /// Its name in errors.
    const NAME: &'static str;

    /// From bytes, by the strict rule.
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError>;

    /// To bytes.
    fn encode(&self) -> Vec<u8>;

    /// What it rests on, if it says that.
    fn basis(&self) -> Option<LegalBasis> {
        None
    }
}

/// The id of a forbid that says what a permit leaves out, by its number among those from 0 (C-16).
pub fn exception_id(permit: &DirectiveId, number: u32) -> DirectiveId {
    let hash = hash::sha256(domain::EXCEPTION, &[permit.as_bytes(), &number.to_be_bytes()]);
    DirectiveId::new(*hash.as_bytes()).expect("a hash is not all zeros")
}

/// The id of a further directive of what was said to several at once, by its number among them from 1 (C-17).
pub fn part_id(first: &DirectiveId, number: u32) -> DirectiveId {
    let hash = hash::sha256(domain::PART, &[first.as_bytes(), &number.to_be_bytes()]);
    DirectiveId::new(*hash.as_bytes()).expect("a hash is not all zeros")
}

/// The hash of an act by its exact bytes, before there is a proof (C-8).
pub fn act_hash<T: Said>(region: &Code, bytes: &[u8]) -> Digest {
    let kind = T::KIND.number().to_be_bytes();
    hash::sha256(domain::ACT, &[region.as_str().as_bytes(), &kind, bytes])
}

impl<T: Said> Act<T> {
    /// Its hash: what a passkey that signs it alone has as its challenge (C-8).
    pub fn challenge(&self, region: &Code) -> Digest {
        act_hash::<T>(region, &self.bytes)
    }

    /// Puts a proof to what is said.
    pub fn new(said: T, proof: Proof) -> Self {
        let bytes = said.encode();
        Self { said, bytes, proof }
    }
}

impl<T: Said> Word for Act<T> {
    const KIND: Kind = T::KIND;
    const NAME: &'static str = T::NAME;
    type Wire = wire::ConsentAct;

    fn sayer(&self) -> Option<&Code> {
        self.proof.organisation()
    }

    fn read(wire: wire::ConsentAct) -> Result<Self, DecodeError> {
        let proof = Proof::read(required("act.proof", wire.proof)?)?;
        Ok(Self { said: T::decode(&wire.act)?, bytes: wire.act, proof })
    }

    fn write(&self) -> wire::ConsentAct {
        wire::ConsentAct { act: self.bytes.clone(), proof: Some(self.proof.write()) }
    }
}

impl Said for Directive {
    const KIND: Kind = Kind::Directive;
    const NAME: &'static str = "directive";

    fn basis(&self) -> Option<LegalBasis> {
        Some(self.basis)
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let wire: wire::Directive = decode::strict(Self::NAME, bytes, limits::ACT_BYTES_MAX)?;
        check("directive.version", wire.version == VERSION, "version 1: a newer one needs a newer program")?;
        let directive = Self {
            id: DirectiveId::read("directive.id", &wire.id)?,
            patient: Token::read("directive.patient", wire.patient)?,
            stance: decode::one_code("directive.stance", wire.stance)?,
            grantee: Grantee::read(required("directive.grantee", wire.grantee)?)?,
            custodian: decode::optional_code("directive.custodian", wire.custodian)?,
            what: What::read(&required("directive.what", wire.what)?)?,
            purposes: decode::codes("directive.purposes", &wire.purposes)?,
            valid_from: decode::time("directive.valid_from", wire.valid_from)?,
            valid_until: decode::optional_time("directive.valid_until", wire.valid_until)?,
            notice: Notice::read(required("directive.notice", wire.notice)?)?,
            existence_visible: wire.existence_visible,
            basis: decode::one_code("directive.basis", wire.basis)?,
            head_version: wire.head_version,
        };
        let ends = directive.valid_until.is_none_or(|until| directive.valid_from < until);
        check("directive.valid_until", ends, "after valid_from")?;
        directive.check_stance()?;
        Ok(directive)
    }

    fn encode(&self) -> Vec<u8> {
        let notice =
            wire::Notice { version: self.notice.version.clone(), hash: self.notice.hash.as_ref().to_vec() };
        let wire = wire::Directive {
            version: VERSION,
            id: self.id.as_bytes().to_vec(),
            patient: Some(self.patient.write()),
            stance: self.stance.number(),
            grantee: Some(self.grantee.write()),
            custodian: text(self.custodian.as_ref()),
            what: Some(self.what.write()),
            purposes: self.purposes.iter().map(|purpose| purpose.number()).collect(),
            valid_from: self.valid_from.unix_ms(),
            valid_until: self.valid_until.map(Timestamp::unix_ms),
            notice: Some(notice),
            existence_visible: self.existence_visible,
            basis: self.basis.number(),
            head_version: self.head_version,
        };
        wire.encode_to_vec()
    }
}

impl Directive {
    /// What a permit must say, and a forbid (C-7).
    fn check_stance(&self) -> Result<(), DecodeError> {
        match self.stance {
            Stance::Permit => {
                let names_one = self.grantee.organisation.is_some();
                check("directive.grantee", names_one, "a permit names one organisation (C-7)")?;
                check("directive.purposes", !self.purposes.is_empty(), "a permit names its purposes (C-7)")?;
                let consent = matches!(self.basis, LegalBasis::SeparateConsent | LegalBasis::GuardianConsent);
                check("directive.basis", consent, "a permit rests on consent (C-7)")?;
                let ordinary = !self.purposes.contains(&Purpose::Emergency);
                check("directive.purposes", ordinary, "no permit is for an emergency (C-7, D-8)")
            }
            Stance::Forbid => {
                let objects = matches!(self.basis, LegalBasis::Objection | LegalBasis::GuardianObjection);
                check("directive.basis", objects, "a forbid is an objection (C-7)")?;
                let hides = !self.existence_visible;
                check("directive.existence_visible", hides, "a forbid makes nothing visible (C-7)")
            }
        }
    }
}

impl Said for PatientQuery {
    const KIND: Kind = Kind::PatientQuery;
    const NAME: &'static str = "patient_query";

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let wire: wire::PatientQuery = decode::strict(Self::NAME, bytes, limits::ACT_BYTES_MAX)?;
        check(
            "patient_query.version",
            wire.version == VERSION,
            "version 1: a newer one needs a newer program",
        )?;
        let count_fits = (1..=limits::SEARCH_COUNT_MAX).contains(&wire.count);
        check("patient_query.count", count_fits, "from 1 to 256")?;
        Ok(Self {
            patient: Token::read("patient_query.patient", wire.patient)?,
            what: decode::one_code("patient_query.what", wire.what)?,
            from_seq: wire.from_seq,
            count: wire.count,
            nonce: Nonce::read("patient_query.nonce", &wire.nonce)?,
            at: decode::time("patient_query.at", wire.at)?,
        })
    }

    fn encode(&self) -> Vec<u8> {
        let wire = wire::PatientQuery {
            version: VERSION,
            patient: Some(self.patient.write()),
            what: self.what.number(),
            from_seq: self.from_seq,
            count: self.count,
            nonce: self.nonce.as_bytes().to_vec(),
            at: self.at.unix_ms(),
        };
        wire.encode_to_vec()
    }
}

impl Said for Revocation {
    const KIND: Kind = Kind::Revocation;
    const NAME: &'static str = "revocation";

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let wire: wire::Revocation = decode::strict(Self::NAME, bytes, limits::ACT_BYTES_MAX)?;
        check("revocation.version", wire.version == VERSION, "version 1: a newer one needs a newer program")?;
        Ok(Self {
            directive: DirectiveId::read("revocation.directive", &wire.directive)?,
            patient: Token::read("revocation.patient", wire.patient)?,
            reason: decode::one_code("revocation.reason", wire.reason)?,
            head_version: wire.head_version,
            at: decode::time("revocation.at", wire.at)?,
        })
    }

    fn encode(&self) -> Vec<u8> {
        let wire = wire::Revocation {
            version: VERSION,
            directive: self.directive.as_bytes().to_vec(),
            patient: Some(self.patient.write()),
            reason: self.reason.number(),
            head_version: self.head_version,
            at: self.at.unix_ms(),
        };
        wire.encode_to_vec()
    }
}

impl Grantee {
    fn read(wire: wire::Grantee) -> Result<Self, DecodeError> {
        let grantee = Self {
            organisation: decode::optional_code("grantee.organisation", wire.organisation)?,
            department: decode::optional_code("grantee.department", wire.department)?,
            practitioner: PractitionerId::read_optional("grantee.practitioner", &wire.practitioner)?,
            role: decode::optional_one_code("grantee.role", wire.role)?,
            referral: ReferralId::read_optional("grantee.referral", &wire.referral)?,
        };
        let inside = grantee.department.is_none() && grantee.practitioner.is_none();
        check(
            "grantee.organisation",
            inside || grantee.organisation.is_some(),
            "given with a department or practitioner",
        )?;
        Ok(grantee)
    }

    fn write(&self) -> wire::Grantee {
        wire::Grantee {
            organisation: text(self.organisation.as_ref()),
            department: text(self.department.as_ref()),
            practitioner: write_optional(self.practitioner.as_ref()),
            role: self.role.map_or(0, PersonRole::number),
            referral: write_optional(self.referral.as_ref()),
        }
    }
}

impl What {
    fn read(wire: &wire::What) -> Result<Self, DecodeError> {
        decode::at_most("what.entries", wire.entries.len(), limits::DIRECTIVE_ENTRIES_MAX)?;
        check("what.entries", wire.entries.is_sorted_by(|a, b| a < b), "ascending, none twice")?;
        let entry = |bytes: &Vec<u8>| EntryId::read("what.entries", bytes);
        let what = Self {
            classes: decode::codes("what.classes", &wire.classes)?,
            sensitivities: decode::codes("what.sensitivities", &wire.sensitivities)?,
            service_from: decode::optional_time("what.service_from", wire.service_from)?,
            service_until: decode::optional_time("what.service_until", wire.service_until)?,
            entries: wire.entries.iter().map(entry).collect::<Result<_, _>>()?,
        };
        let forwards = what.service_from.zip(what.service_until).is_none_or(|(from, until)| from < until);
        check("what.service_until", forwards, "after service_from")?;
        let some_classes = what.classes.len() < DocumentClass::ALL.len();
        let some_sensitivities = what.sensitivities.len() < Sensitivity::ALL.len();
        check(
            "what.classes",
            some_classes && some_sensitivities,
            "left empty where every code is meant (C-5)",
        )?;
        Ok(what)
    }

    fn write(&self) -> wire::What {
        wire::What {
            classes: self.classes.iter().map(|class| class.number()).collect(),
            sensitivities: self.sensitivities.iter().map(|sensitivity| sensitivity.number()).collect(),
            service_from: self.service_from.map(Timestamp::unix_ms),
            service_until: self.service_until.map(Timestamp::unix_ms),
            entries: self.entries.iter().map(|entry| entry.as_bytes().to_vec()).collect(),
        }
    }
}

impl Notice {
    fn read(wire: wire::Notice) -> Result<Self, DecodeError> {
        Ok(Self {
            version: decode::label("notice.version", wire.version)?,
            hash: Digest::read("notice.hash", &wire.hash)?,
        })
    }
}

pub(crate) fn text(code: Option<&Code>) -> String {
    code.map(Code::to_string).unwrap_or_default()
}
