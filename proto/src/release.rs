//! Release of one document to one recipient (P-1 to P-7): the request, the signed release, the wrapped key, the
//! delivery. `hpke` is named here and in `referral` only, through `seal_to` and `open_from`; what opens with a secret that is elsewhere:
//! `agreed`.

use std::sync::Arc;

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use prost::Message;
use zeroize::Zeroizing;

use crate::agreed;
use crate::codes::{LegalBasis, PersonRole, Purpose};
use crate::decode::{self, DecodeError, check, required};
use crate::directive::text;
use crate::entropy::Entropy;
use crate::envelope::{Kind, Word};
use crate::hash::{self, domain};
use crate::head::{Head, Standing};
use crate::id::{Code, Digest, DirectiveId, DocumentId, EntryId, KeyId, Nonce, PractitionerId, ReferralId};
use crate::limits;
use crate::member::write_optional;
use crate::sealed::DocumentKey;
use crate::time::Timestamp;
use crate::token::Token;
use crate::wire::words as wire;

/// Who asks, and for what (P-1): the facts about the asking side on which a decision rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The organisation; it must be the signer of the envelope.
    pub organisation: Code,
    /// The department, by the organisation's code.
    pub department: Option<Code>,
    /// The person, under the organisation's pseudonym.
    pub practitioner: PractitionerId,
    /// The role in which the person asks.
    pub role: PersonRole,
    /// For what.
    pub purpose: Purpose,
    /// In the course of which referral.
    pub referral: Option<ReferralId>,
    /// The organisation attests that it is treating the patient now (D-7).
    pub treating: bool,
    /// Hash of the logged event by which the person broke the glass; exactly with the purpose emergency (D-8).
    pub break_glass: Option<Digest>,
}

/// A recipient asks a holder for one document (P-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// The holder that is asked.
    pub holder: Code,
    /// Who asks.
    pub asker: Asker,
    /// The entry.
    pub entry_id: EntryId,
    /// The sealed document.
    pub document: DocumentId,
    /// The recipient's sealing key to which the document's key is to be wrapped.
    pub sealing_key: KeyId,
    /// Used once.
    pub nonce: Nonce,
    /// Nothing is served under this request from then on.
    pub expires_at: Timestamp,
}

/// A holder lets one document go (P-2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// What was agreed.
    pub terms: Terms,
    /// SHA-256 of the wrapped key, which travels beside the release and is never part of evidence (P-3).
    pub wrapped_key_hash: Digest,
}

/// The facts that bind a release: signed by the holder, and bound into the wrapped key (P-2, P-3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Hash of the request's payload.
    pub request: Digest,
    /// The holder; it signs.
    pub holder: Code,
    /// The recipient.
    pub recipient: Code,
    /// The recipient's sealing key.
    pub sealing_key: KeyId,
    /// The entry.
    pub entry_id: EntryId,
    /// The sealed document.
    pub document: DocumentId,
    /// The patient's token by which the deciding directive applies.
    pub patient: Token,
    /// The consent heads on which it was decided: one for each token of the subject, ascending by token.
    pub heads: Vec<(Token, Head)>,
    /// The directive that permits; none under a default rule.
    pub directive: Option<DirectiveId>,
    /// The referral.
    pub referral: Option<ReferralId>,
    /// The legal basis.
    pub basis: LegalBasis,
    /// Nothing is served under this release from then on.
    pub expires_at: Timestamp,
    /// Hash of the lease under which it was decided.
    pub lease: Digest,
    /// That the directive is one of those over which the head of `patient` is made; exactly if there is a directive.
    pub standing: Option<Standing>,
}

/// A recipient has received one released document whole (P-7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Hash of the release's payload.
    pub release: Digest,
    /// The holder.
    pub holder: Code,
    /// The recipient; it signs.
    pub recipient: Code,
    /// The sealed document.
    pub document: DocumentId,
    /// When it was whole.
    pub at: Timestamp,
}

/// Something sealed by HPKE that does not open, or a key that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrapError {
    /// Bytes are not an X25519 public key.
    #[error("not a sealing key")]
    Key,
    /// It does not open: other key, other facts, or bent bytes.
    #[error("the wrapped key does not open with this key and these terms (P-3)")]
    Open,
}

/// The private half of a sealing key, wiped when the last of its clones is dropped.
#[derive(Clone)]
pub struct SealingSecret {
    secret: Secret,
    public: [u8; 32],
}

#[derive(Clone)]
enum Secret {
    Here(Arc<<X25519HkdfSha256 as Kem>::PrivateKey>),
    /// The secret is not in this process.
    Elsewhere(Arc<dyn Agree>),
}

/// What agrees on secrets with a private key that never comes into this process: a hardware module, say.
///
/// It does not fail: who can agree no more does not return.
pub trait Agree: Send + Sync {
    /// X25519 (RFC 7748) of the private key and another's public key; none if the module takes that for no public key.
    fn agree(&self, public: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>>;
}

impl SealingSecret {
    /// A key from 32 secret bytes (DeriveKeyPair of RFC 9180).
    pub fn new(seed: &Zeroizing<[u8; 32]>) -> Self {
        let (secret, public) = X25519HkdfSha256::derive_keypair(seed.as_slice());
        Self { secret: Secret::Here(Arc::new(secret)), public: public.to_bytes().into() }
    }

    /// A key whose secret is elsewhere.
    pub fn elsewhere(public: [u8; 32], agrees: Arc<dyn Agree>) -> Self {
        Self { secret: Secret::Elsewhere(agrees), public }
    }

    /// The public half, for the member list.
    pub const fn public(&self) -> [u8; 32] {
        self.public
    }
}

impl core::fmt::Debug for SealingSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SealingSecret")
    }
}

impl Release {
    /// Wraps a document's key for the recipient under these terms: the release to sign, and the wrapped key that
    /// travels beside it.
    ///
    /// # Errors
    /// [`WrapError::Key`] if the recipient's key is none.
    pub fn wrap(
        terms: Terms,
        key: &DocumentKey,
        recipient: &[u8; 32],
        entropy: &mut Entropy,
    ) -> Result<(Self, Vec<u8>), WrapError> {
        let wrapped = seal_to(recipient, domain::RELEASE, &terms.to_bytes(), key.as_slice(), entropy)?;
        let wrapped_key_hash = Digest::of_hash(hash::sha256_plain(&[&wrapped]));
        Ok((Self { terms, wrapped_key_hash }, wrapped))
    }

    /// Takes the document's key out.
    ///
    /// # Errors
    /// [`WrapError::Open`] if it is not the wrapped key of this release, or was wrapped for another key.
    pub fn unwrap_key(&self, wrapped: &[u8], secret: &SealingSecret) -> Result<DocumentKey, WrapError> {
        if hash::sha256_plain(&[wrapped]) != *self.wrapped_key_hash.as_bytes() {
            return Err(WrapError::Open);
        }
        let key = Zeroizing::new(open_from(secret, domain::RELEASE, &self.terms.to_bytes(), wrapped)?);
        let key: [u8; 32] = key.as_slice().try_into().map_err(|_| WrapError::Open)?;
        Ok(Zeroizing::new(key))
    }
}

impl Terms {
    /// What is bound into the wrapped key: the release as it travels, without the hash of the wrapped key (P-3).
    fn to_bytes(&self) -> Vec<u8> {
        self.write(Vec::new()).encode_to_vec()
    }

    fn write(&self, wrapped_key_hash: Vec<u8>) -> wire::Release {
        wire::Release {
            request: self.request.as_bytes().to_vec(),
            holder: self.holder.to_string(),
            recipient: self.recipient.to_string(),
            sealing_key: self.sealing_key.as_bytes().to_vec(),
            entry_id: self.entry_id.as_bytes().to_vec(),
            document: self.document.as_bytes().to_vec(),
            patient: Some(self.patient.write()),
            heads: self.heads.iter().map(write_head).collect(),
            directive: write_optional(self.directive.as_ref()),
            referral: write_optional(self.referral.as_ref()),
            basis: self.basis.number(),
            expires_at: self.expires_at.unix_ms(),
            wrapped_key_hash,
            lease: self.lease.as_bytes().to_vec(),
            standing: self.standing.as_ref().map(Standing::write),
        }
    }
}

fn write_head((patient, head): &(Token, Head)) -> wire::PatientHead {
    wire::PatientHead { patient: Some(patient.write()), head: Some(head.write()) }
}

/// HPKE base mode (RFC 9180: DHKEM X25519, HKDF-SHA-256, AES-256-GCM): encapsulated key, then ciphertext.
pub(crate) fn seal_to(
    recipient: &[u8; 32],
    info: &str,
    bound: &[u8],
    plain: &[u8],
    entropy: &mut Entropy,
) -> Result<Vec<u8>, WrapError> {
    let recipient =
        <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(recipient).map_err(|_| WrapError::Key)?;
    let (encapsulated, sealed) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &recipient,
        info.as_bytes(),
        plain,
        bound,
        entropy.rng(),
    )
    .map_err(|_| WrapError::Key)?;
    Ok([encapsulated.to_bytes().as_slice(), &sealed].concat())
}

/// Opens what [`seal_to`] sealed.
pub(crate) fn open_from(
    secret: &SealingSecret,
    info: &str,
    bound: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, WrapError> {
    let (encapsulated, sealed) = sealed.split_first_chunk::<32>().ok_or(WrapError::Open)?;
    let here = match &secret.secret {
        Secret::Here(here) => here,
        Secret::Elsewhere(elsewhere) => {
            let agreed = elsewhere.agree(encapsulated).ok_or(WrapError::Open)?;
            return agreed::open(&agreed, encapsulated, &secret.public, info, bound, sealed)
                .ok_or(WrapError::Open);
        }
    };
    let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated);
    hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        here,
        &encapsulated.map_err(|_| WrapError::Open)?,
        info.as_bytes(),
        sealed,
        bound,
    )
    .map_err(|_| WrapError::Open)
}

impl Asker {
    /// From the wire message.
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    pub fn read(wire: wire::Asker) -> Result<Self, DecodeError> {
        let asker = Self {
            organisation: decode::code("asker.organisation", wire.organisation)?,
            department: decode::optional_code("asker.department", wire.department)?,
            practitioner: PractitionerId::read("asker.practitioner", &wire.practitioner)?,
            role: decode::one_code("asker.role", wire.role)?,
            purpose: decode::one_code("asker.purpose", wire.purpose)?,
            referral: ReferralId::read_optional("asker.referral", &wire.referral)?,
            treating: wire.treating,
            break_glass: Digest::read_optional("asker.break_glass", &wire.break_glass)?,
        };
        let emergency = asker.purpose == Purpose::Emergency;
        check(
            "asker.break_glass",
            emergency == asker.break_glass.is_some(),
            "exactly with the purpose emergency (D-8)",
        )?;
        Ok(asker)
    }

    /// To the wire message.
    pub fn write(&self) -> wire::Asker {
        wire::Asker {
            organisation: self.organisation.to_string(),
            department: text(self.department.as_ref()),
            practitioner: self.practitioner.as_bytes().to_vec(),
            role: self.role.number(),
            purpose: self.purpose.number(),
            referral: write_optional(self.referral.as_ref()),
            treating: self.treating,
            break_glass: write_optional(self.break_glass.as_ref()),
        }
    }
}

impl Word for PullRequest {
    const KIND: Kind = Kind::PullRequest;
    const NAME: &'static str = "pull_request";
    type Wire = wire::PullRequest;

    fn sayer(&self) -> Option<&Code> {
        Some(&self.asker.organisation)
    }

    fn addressee(&self) -> Option<&Code> {
        Some(&self.holder)
    }

    fn read(wire: wire::PullRequest) -> Result<Self, DecodeError> {
        Ok(Self {
            holder: decode::code("pull_request.holder", wire.holder)?,
            asker: Asker::read(required("pull_request.asker", wire.asker)?)?,
            entry_id: EntryId::read("pull_request.entry_id", &wire.entry_id)?,
            document: DocumentId::read("pull_request.document", &wire.document)?,
            sealing_key: KeyId::read("pull_request.sealing_key", &wire.sealing_key)?,
            nonce: Nonce::read("pull_request.nonce", &wire.nonce)?,
            expires_at: decode::time("pull_request.expires_at", wire.expires_at)?,
        })
    }

    fn write(&self) -> wire::PullRequest {
        wire::PullRequest {
            holder: self.holder.to_string(),
            asker: Some(self.asker.write()),
            entry_id: self.entry_id.as_bytes().to_vec(),
            document: self.document.as_bytes().to_vec(),
            sealing_key: self.sealing_key.as_bytes().to_vec(),
            nonce: self.nonce.as_bytes().to_vec(),
            expires_at: self.expires_at.unix_ms(),
        }
    }
}

impl Word for Release {
    const KIND: Kind = Kind::Release;
    const NAME: &'static str = "release";
    type Wire = wire::Release;

    fn sayer(&self) -> Option<&Code> {
        Some(&self.terms.holder)
    }

    fn addressee(&self) -> Option<&Code> {
        Some(&self.terms.recipient)
    }

    fn read(wire: wire::Release) -> Result<Self, DecodeError> {
        let terms = Terms {
            request: Digest::read("release.request", &wire.request)?,
            holder: decode::code("release.holder", wire.holder)?,
            recipient: decode::code("release.recipient", wire.recipient)?,
            sealing_key: KeyId::read("release.sealing_key", &wire.sealing_key)?,
            entry_id: EntryId::read("release.entry_id", &wire.entry_id)?,
            document: DocumentId::read("release.document", &wire.document)?,
            patient: Token::read("release.patient", wire.patient)?,
            heads: wire.heads.into_iter().map(Head::read_of_patient).collect::<Result<_, _>>()?,
            directive: DirectiveId::read_optional("release.directive", &wire.directive)?,
            referral: ReferralId::read_optional("release.referral", &wire.referral)?,
            basis: decode::one_code("release.basis", wire.basis)?,
            expires_at: decode::time("release.expires_at", wire.expires_at)?,
            lease: Digest::read("release.lease", &wire.lease)?,
            standing: wire.standing.map(|wire| Standing::read("release.standing", &wire)).transpose()?,
        };
        decode::at_most("release.heads", terms.heads.len(), limits::TOKENS_MAX)?;
        let ascending = terms.heads.is_sorted_by(|a, b| a.0 < b.0);
        check("release.heads", ascending, "ascending by token, none twice")?;
        let decided = terms.heads.iter().any(|(token, _)| *token == terms.patient);
        check("release.heads", decided, "with the head of the deciding token")?;
        let both = terms.directive.is_some() == terms.standing.is_some();
        check("release.standing", both, "exactly with a directive")?;
        Ok(Self {
            terms,
            wrapped_key_hash: Digest::read("release.wrapped_key_hash", &wire.wrapped_key_hash)?,
        })
    }

    fn write(&self) -> wire::Release {
        self.terms.write(self.wrapped_key_hash.as_bytes().to_vec())
    }
}

impl Word for Delivery {
    const KIND: Kind = Kind::Delivery;
    const NAME: &'static str = "delivery";
    type Wire = wire::Delivery;

    fn sayer(&self) -> Option<&Code> {
        Some(&self.recipient)
    }

    fn read(wire: wire::Delivery) -> Result<Self, DecodeError> {
        Ok(Self {
            release: Digest::read("delivery.release", &wire.release)?,
            holder: decode::code("delivery.holder", wire.holder)?,
            recipient: decode::code("delivery.recipient", wire.recipient)?,
            document: DocumentId::read("delivery.document", &wire.document)?,
            at: decode::time("delivery.at", wire.at)?,
        })
    }

    fn write(&self) -> wire::Delivery {
        wire::Delivery {
            release: self.release.as_bytes().to_vec(),
            holder: self.holder.to_string(),
            recipient: self.recipient.to_string(),
            document: self.document.as_bytes().to_vec(),
            at: self.at.unix_ms(),
        }
    }
}
