//! The envelope: who says a word, and that these are the exact bytes (E-1 to E-7).
//!
//! A [`Word`] becomes believable only as [`Verified`], which nothing but a verification against the members makes.

use core::fmt;

use prost::Message;

use crate::codes::{KeyUse, MemberRole};
use crate::decode::{self, DecodeError};
use crate::directory::{Directory, SignerError};
use crate::entropy::Entropy;
use crate::hash::{self, domain};
use crate::id::{Code, Digest, KeyId};
use crate::limits;
use crate::suite::{self, Claim, SecretKey, Suite};
use crate::wire::words as wire;

/// What a payload is (E-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The members of the region, signed by its authority.
    MemberList = 1,
    /// One document in the index.
    Entry = 2,
    /// Takes an entry out of the index.
    Withdrawal = 3,
    /// Which tokens a subject has.
    IdentityStatement = 4,
    /// A patient's permit or forbid.
    Directive = 5,
    /// A patient's revocation of a directive.
    Revocation = 6,
    /// A passkey of a patient, vouched for.
    CredentialStatement = 7,
    /// Something was accessed, refused or changed.
    AccessEvent = 8,
    /// A holder lets one document go to one recipient.
    Release = 9,
    /// A recipient has one document.
    Delivery = 10,
    /// A step of a referral.
    ReferralStep = 11,
    /// A recipient asks a holder for a document.
    PullRequest = 12,
    /// A member asks the registry for entries.
    SearchQuery = 13,
    /// The registry's answer.
    SearchAnswer = 14,
    /// The registry says up to where a member's feed is complete.
    Lease = 15,
    /// A patient asks for the own consents or access events.
    PatientQuery = 16,
    /// A member says how far its audit has come.
    AuditAnchor = 40,
    /// The registry says what the index holds of a publisher's subjects.
    Inventory = 60,
}

impl Kind {
    const ALL: [Self; 18] = [
        Self::MemberList,
        Self::Entry,
        Self::Withdrawal,
        Self::IdentityStatement,
        Self::Directive,
        Self::Revocation,
        Self::CredentialStatement,
        Self::AccessEvent,
        Self::Release,
        Self::Delivery,
        Self::ReferralStep,
        Self::PullRequest,
        Self::SearchQuery,
        Self::SearchAnswer,
        Self::Lease,
        Self::PatientQuery,
        Self::AuditAnchor,
        Self::Inventory,
    ];

    /// The number that words carry.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// What signs words of this kind (M-4).
    pub const fn key_use(self) -> KeyUse {
        match self {
            Self::Lease => KeyUse::Lease,
            Self::MemberList
            | Self::Entry
            | Self::Withdrawal
            | Self::IdentityStatement
            | Self::Directive
            | Self::Revocation
            | Self::CredentialStatement
            | Self::AccessEvent
            | Self::Release
            | Self::Delivery
            | Self::ReferralStep
            | Self::PullRequest
            | Self::SearchQuery
            | Self::SearchAnswer
            | Self::PatientQuery
            | Self::AuditAnchor
            | Self::Inventory => KeyUse::Words,
        }
    }

    /// Which members may say words of this kind (E-5). The member list is the authority's alone.
    pub const fn roles(self) -> &'static [MemberRole] {
        match self {
            Self::MemberList => &[],
            Self::SearchAnswer | Self::Lease | Self::Inventory => &[MemberRole::Registry],
            Self::AccessEvent => &[MemberRole::Custodian, MemberRole::Portal, MemberRole::Registry],
            Self::Directive
            | Self::Revocation
            | Self::CredentialStatement
            | Self::PatientQuery
            | Self::AuditAnchor => &[MemberRole::Custodian, MemberRole::Portal],
            Self::Entry
            | Self::Withdrawal
            | Self::IdentityStatement
            | Self::Release
            | Self::Delivery
            | Self::ReferralStep
            | Self::PullRequest
            | Self::SearchQuery => &[MemberRole::Custodian],
        }
    }

    /// The largest payload of this kind, in bytes (W-3).
    pub const fn payload_bytes_max(self) -> usize {
        match self {
            Self::MemberList => limits::PAYLOAD_BYTES_MAX,
            Self::SearchAnswer => limits::ANSWER_PAYLOAD_BYTES_MAX,
            Self::ReferralStep => limits::STEP_PAYLOAD_BYTES_MAX,
            Self::Entry
            | Self::Withdrawal
            | Self::IdentityStatement
            | Self::Directive
            | Self::Revocation
            | Self::CredentialStatement
            | Self::AccessEvent
            | Self::Release
            | Self::Delivery
            | Self::PullRequest
            | Self::SearchQuery
            | Self::Lease
            | Self::PatientQuery
            | Self::AuditAnchor
            | Self::Inventory => limits::SMALL_PAYLOAD_BYTES_MAX,
        }
    }
}

impl TryFrom<u32> for Kind {
    /// The number that is not a kind.
    type Error = u32;

    fn try_from(number: u32) -> Result<Self, u32> {
        Self::ALL.into_iter().find(|kind| kind.number() == number).ok_or(number)
    }
}

/// A payload that can be signed.
pub trait Word: Sized {
    /// Which kind it travels as.
    const KIND: Kind;
    /// Its name in errors.
    const NAME: &'static str;
    /// Its wire message.
    type Wire: Message + Default;

    /// From the wire message, field by field.
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    fn read(wire: Self::Wire) -> Result<Self, DecodeError>;

    /// To the wire message.
    fn write(&self) -> Self::Wire;

    /// The member that the word itself names as its sayer: it must be the one whose key signed (E-6).
    fn sayer(&self) -> Option<&Code> {
        None
    }

    /// The one member that the word is meant for (E-7).
    fn addressee(&self) -> Option<&Code> {
        None
    }

    /// From bytes, by the strict rule: as wire message and as word the bytes are what this version writes (W-2, W-3).
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let word = Self::read(decode::strict(Self::NAME, bytes, Self::KIND.payload_bytes_max())?)?;
        if word.encode() == bytes { Ok(word) } else { Err(DecodeError::NotCanonical { what: Self::NAME }) }
    }

    /// To bytes that [`Word::decode`] takes.
    fn encode(&self) -> Vec<u8> {
        self.write().encode_to_vec()
    }
}

/// A signed payload as it travels, and the bytes that it was read from (E-1, E-3).
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    suite: Suite,
    key_id: KeyId,
    kind: Kind,
    payload: Vec<u8>,
    signature: Vec<u8>,
    bytes: Vec<u8>,
}

impl Envelope {
    /// Signs a word.
    pub fn sign<W: Word>(region: &Code, word: &W, key: &SecretKey) -> Self {
        let public = key.public();
        let (suite, payload) = (public.suite(), word.encode());
        let key_id = public.id(W::KIND.key_use());
        let signature = key.sign(&signed_bytes(region, suite, key_id, W::KIND, &payload));
        let wire = wire::Envelope {
            suite: suite.number(),
            key_id: key_id.as_bytes().to_vec(),
            kind: W::KIND.number(),
            payload: payload.clone(),
            signature: signature.clone(),
        };
        Self { suite, key_id, kind: W::KIND, payload, signature, bytes: wire.encode_to_vec() }
    }

    /// Reads an envelope; its signature is not looked at yet.
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let wire: wire::Envelope = decode::strict("envelope", bytes, limits::ENVELOPE_BYTES_MAX)?;
        let kind: Kind = decode::one_code("envelope.kind", wire.kind)?;
        decode::at_most_bytes("envelope.payload", wire.payload.len(), kind.payload_bytes_max())?;
        decode::at_most_bytes("envelope.signature", wire.signature.len(), limits::SIGNATURE_BYTES_MAX)?;
        decode::check("envelope.signature", !wire.signature.is_empty(), "not empty")?;
        Ok(Self {
            suite: decode::one_code("envelope.suite", wire.suite)?,
            key_id: KeyId::read("envelope.key_id", &wire.key_id)?,
            kind,
            payload: wire.payload,
            signature: wire.signature,
            bytes: bytes.to_vec(),
        })
    }

    /// What the payload is said to be.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Which key is said to have signed.
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Which suite the signature is said to be of.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The bytes of the whole envelope, as received.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the payload: how a later word names this one (N-2, I-2, R-2, P-2).
    pub fn payload_hash(&self) -> Digest {
        payload_hash(&self.payload)
    }

    /// Whether `key` made the signature in `region` (E-2).
    pub(crate) fn is_signed_by(&self, region: &Code, key: &suite::PublicKey) -> bool {
        key.suite() == self.suite && key.verify(&self.signed_bytes(region), &self.signature)
    }

    fn signed_bytes(&self, region: &Code) -> Vec<u8> {
        signed_bytes(region, self.suite, self.key_id, self.kind, &self.payload)
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope({:?} by {:?}, {} bytes)", self.kind, self.key_id, self.payload.len())
    }
}

/// SHA-256 of a payload: how one word names another.
pub fn payload_hash(payload: &[u8]) -> Digest {
    Digest::of_hash(hash::sha256_plain(&[payload]))
}

/// What a signature covers (E-2).
fn signed_bytes(region: &Code, suite: Suite, key_id: KeyId, kind: Kind, payload: &[u8]) -> Vec<u8> {
    let numbers = [suite.number().to_be_bytes(), kind.number().to_be_bytes()];
    let parts: [&[u8]; 4] = [region.as_str().as_bytes(), numbers.as_flattened(), key_id.as_bytes(), payload];
    let mut bytes = Vec::with_capacity(payload.len() + 128);
    hash::each_part(domain::ENVELOPE, &parts, |part| bytes.extend_from_slice(part));
    bytes
}

/// Why an envelope is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The envelope or its payload is not what it should be.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Another kind than the one that is wanted here (E-4).
    #[error("a {found:?} stands where a {expected:?} belongs (E-4)")]
    WrongKind {
        /// What is wanted.
        expected: Kind,
        /// What came.
        found: Kind,
    },
    /// The signer may not say this (E-5, M-5, M-6).
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The word names another member as its sayer than the one that signed (E-6).
    #[error("{named} is named as the sayer of a {kind:?} that {signer} signed (E-6)")]
    OtherSayer {
        /// The kind.
        kind: Kind,
        /// Who is named.
        named: Code,
        /// Who signed.
        signer: Code,
    },
    /// The word is meant for another member (E-7).
    #[error("a {kind:?} for {addressee} came to another member (E-7)")]
    OtherAddressee {
        /// The kind.
        kind: Kind,
        /// For whom it is.
        addressee: Code,
    },
    /// The signature does not fit (E-2).
    #[error("the signature does not fit the key, the region or the bytes (E-2)")]
    BadSignature,
}

/// A word whose signature was checked against the members, and who said it.
#[derive(Clone, PartialEq, Eq)]
pub struct Verified<W> {
    word: W,
    signer: Code,
    envelope: Envelope,
}

impl<W> Verified<W> {
    /// The word.
    pub const fn word(&self) -> &W {
        &self.word
    }

    /// The member that signed.
    pub const fn signer(&self) -> &Code {
        &self.signer
    }

    /// The envelope as received.
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The word and its envelope.
    pub fn into_parts(self) -> (W, Code, Envelope) {
        (self.word, self.signer, self.envelope)
    }
}

impl<W: fmt::Debug> fmt::Debug for Verified<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified({:?} by {})", self.word, self.signer)
    }
}

/// When a word was said, which decides whether a key that no longer signs still counts for it (M-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Now: only a valid key counts.
    Now,
    /// It stands in the log at this place: a key that was retired, or compromised later, counts.
    AtSeq(u64),
    /// It stands in the log, and its own sayer reads it back to go on after it: whatever has become of the key (N-9).
    Own,
}

impl<W: Word> Verified<W> {
    /// Checks one envelope against the members.
    ///
    /// # Errors
    /// [`EnvelopeError`] if it is of another kind, its signer may not say it, its signature does not fit, or its payload is not the word.
    pub fn check(envelope: Envelope, directory: &Directory, said: Said) -> Result<Self, EnvelopeError> {
        let (signer, key) = expect::<W>(&envelope, directory, said)?;
        if !envelope.is_signed_by(directory.region(), key) {
            return Err(EnvelopeError::BadSignature);
        }
        let signer = signer.clone();
        Self::of_checked(envelope, signer)
    }

    /// Checks many envelopes that are said now: each as [`Verified::check`] does, the signatures together (S-3).
    pub fn check_all(
        envelopes: Vec<Envelope>,
        directory: &Directory,
        entropy: &mut Entropy,
    ) -> Vec<Result<Self, EnvelopeError>> {
        let expected: Vec<_> =
            envelopes.iter().map(|envelope| expect::<W>(envelope, directory, Said::Now)).collect();
        let messages: Vec<_> =
            envelopes.iter().map(|envelope| envelope.signed_bytes(directory.region())).collect();
        let claims: Vec<_> = (expected.iter().zip(&envelopes).zip(&messages))
            .filter_map(|((expected, envelope), message)| {
                let (_, key) = expected.as_ref().ok()?;
                Some(Claim { key, message, signature: &envelope.signature })
            })
            .collect();
        let mut holds = suite::verify_all(&claims, entropy).into_iter();
        let signers: Vec<Result<Code, EnvelopeError>> = expected
            .into_iter()
            .map(|expected| {
                let (signer, _) = expected?;
                let holds = holds.next().expect("one verdict for every claim");
                if holds { Ok(signer.clone()) } else { Err(EnvelopeError::BadSignature) }
            })
            .collect();
        let check = |(envelope, signer): (Envelope, Result<Code, EnvelopeError>)| {
            signer.and_then(|signer| Self::of_checked(envelope, signer))
        };
        envelopes.into_iter().zip(signers).map(check).collect()
    }

    /// Refuses a word that is meant for another member (E-7).
    ///
    /// # Errors
    /// [`EnvelopeError::OtherAddressee`] if it is.
    pub fn meant_for(self, member: &Code) -> Result<Self, EnvelopeError> {
        match self.word.addressee() {
            Some(addressee) if addressee != member => {
                Err(EnvelopeError::OtherAddressee { kind: W::KIND, addressee: addressee.clone() })
            }
            _ => Ok(self),
        }
    }

    fn of_checked(envelope: Envelope, signer: Code) -> Result<Self, EnvelopeError> {
        let word = W::decode(&envelope.payload)?;
        match word.sayer() {
            Some(named) if *named != signer => {
                Err(EnvelopeError::OtherSayer { kind: W::KIND, named: named.clone(), signer })
            }
            _ => Ok(Self { word, signer, envelope }),
        }
    }
}

fn expect<'a, W: Word>(
    envelope: &Envelope,
    directory: &'a Directory,
    said: Said,
) -> Result<(&'a Code, &'a suite::PublicKey), EnvelopeError> {
    if envelope.kind != W::KIND {
        return Err(EnvelopeError::WrongKind { expected: W::KIND, found: envelope.kind });
    }
    let (signer, key) = directory.signer(envelope.key_id, W::KIND, said)?;
    if key.suite() != envelope.suite {
        return Err(EnvelopeError::BadSignature);
    }
    Ok((signer, key))
}
