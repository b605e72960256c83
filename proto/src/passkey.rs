//! What a passkey must show: of WebAuthn (Level 3) what signing an act and enrolling need (C-14, C-15).
//!
//! Ours because the challenge is the act itself (C-8), which libraries do not let their callers choose. Not here: which
//! passkey is whose, and since when: the statements of vouchers (C-9). Attestation of the authenticator's make is not
//! asked for: a member that saw the person vouches.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

use crate::codes::CredentialAlgorithm;
use crate::hash::sha256_plain;
use crate::id::Digest;
use crate::limits::ASSERTION_PART_BYTES_MAX;
use crate::member::Policy;
use crate::proof::PasskeyAssertion;
use crate::suite::{PublicKey, Suite};

/// For whom passkeys of the region sign: the domain, and the origins of its pages (C-9).
#[derive(Clone, Copy, Debug)]
pub struct RelyingParty<'a> {
    rp_id: &'a str,
    origins: &'a [String],
}

/// The public key of a passkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasskeyKey {
    /// A point of P-256, uncompressed: 0x04, x, y.
    Es256([u8; 65]),
    /// A modulus of 2,048 to 4,096 bits, big-endian; the exponent is 65,537.
    Rs256 {
        /// The modulus.
        modulus: Vec<u8>,
    },
    /// A point of edwards25519 that is not weak (S-3).
    EdDsa(PublicKey),
}

/// A passkey that was just made, as its voucher states it (C-9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// The credential id.
    pub credential_id: Vec<u8>,
    /// The algorithm of its key.
    pub algorithm: CredentialAlgorithm,
    /// The key in COSE form.
    pub public_key: Vec<u8>,
}

/// Why an assertion or an enrolment proves nothing. Never holds any of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyError {
    /// The client data is not the JSON that browsers write, or names a key twice.
    #[error("the client data cannot be read")]
    ClientData,
    /// Made for another ceremony.
    #[error("the client data is of another ceremony")]
    Type,
    /// It signed something else.
    #[error("the passkey signed another challenge")]
    Challenge,
    /// A page that is not the region's, or one inside of it.
    #[error("the passkey signed on a page of another origin")]
    Origin,
    /// The authenticator data has another form.
    #[error("the authenticator data cannot be read")]
    AuthenticatorData,
    /// Bound to another domain.
    #[error("the passkey is bound to another domain")]
    RpId,
    /// Nobody was seen to be there, or to be the one who may.
    #[error("the authenticator did not verify its user")]
    NotVerified,
    /// Not a key of a listed algorithm in its one COSE form, or a weak one.
    #[error("the key of the passkey is of no form that is taken")]
    Key,
    /// Another key's, or of other bytes.
    #[error("the signature is not this passkey's")]
    Signature,
}

impl<'a> RelyingParty<'a> {
    /// Of the policy in force; none if the region has no passkeys.
    pub fn of(policy: &'a Policy) -> Option<Self> {
        let rp_id = policy.rp_id.as_deref()?;
        Some(Self { rp_id, origins: &policy.origins })
    }

    /// Whether the passkey with this key signed this challenge, with its user verified (C-14).
    ///
    /// # Errors
    /// The first check that fails.
    pub fn check_assertion(
        &self,
        assertion: &PasskeyAssertion,
        challenge: &Digest,
        key: &PasskeyKey,
    ) -> Result<(), PasskeyError> {
        self.check_client_data(&assertion.client_data_json, "webauthn.get", challenge)?;
        let flags = self.check_authenticator(&assertion.authenticator_data)?.0;
        if flags & ATTESTED != 0 {
            return Err(PasskeyError::AuthenticatorData);
        }
        let client_data_hash = sha256_plain(&[&assertion.client_data_json]);
        let message = [assertion.authenticator_data.as_slice(), &client_data_hash].concat();
        if key.verify(&message, &assertion.signature) { Ok(()) } else { Err(PasskeyError::Signature) }
    }

    /// Reads a passkey that was made for this challenge (C-15).
    ///
    /// # Errors
    /// The first check that fails.
    pub fn enrolled(
        &self,
        client_data_json: &[u8],
        authenticator_data: &[u8],
        challenge: &Digest,
    ) -> Result<Enrolled, PasskeyError> {
        self.check_client_data(client_data_json, "webauthn.create", challenge)?;
        let (flags, rest) = self.check_authenticator(authenticator_data)?;
        let bad = PasskeyError::AuthenticatorData;
        if flags & ATTESTED == 0 {
            return Err(bad);
        }
        let (_aaguid, rest) = rest.split_first_chunk::<16>().ok_or(bad)?;
        let (length, rest) = rest.split_first_chunk::<2>().ok_or(bad)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (credential_id, rest) = rest.split_at_checked(length).ok_or(bad)?;
        let (algorithm, _key, extensions) = read_cose(rest).ok_or(PasskeyError::Key)?;
        let public_key = rest.strip_suffix(extensions).unwrap_or_default().to_vec();
        let is_sound = (1..=ASSERTION_PART_BYTES_MAX).contains(&length);
        if !is_sound || extensions.is_empty() == (flags & EXTENDED != 0) {
            return Err(bad);
        }
        Ok(Enrolled { credential_id: credential_id.to_vec(), algorithm, public_key })
    }

    /// That a page of the region asked for this ceremony, for this challenge, and not from inside of another page.
    fn check_client_data(&self, json: &[u8], ceremony: &str, challenge: &Digest) -> Result<(), PasskeyError> {
        if json.len() > ASSERTION_PART_BYTES_MAX {
            return Err(PasskeyError::ClientData);
        }
        let data: ClientData = serde_json::from_slice(json).map_err(|_| PasskeyError::ClientData)?;
        if data.ceremony != ceremony {
            return Err(PasskeyError::Type);
        }
        if data.challenge != URL_SAFE_NO_PAD.encode(challenge.as_bytes()) {
            return Err(PasskeyError::Challenge);
        }
        let is_own = self.origins.contains(&data.origin);
        let is_framed = data.cross_origin == Some(true) || data.top_origin.is_some();
        if is_own && !is_framed { Ok(()) } else { Err(PasskeyError::Origin) }
    }

    /// That the authenticator signs for the region's domain and has verified its user: its flags, and what follows.
    fn check_authenticator<'b>(&self, data: &'b [u8]) -> Result<(u8, &'b [u8]), PasskeyError> {
        let bad = PasskeyError::AuthenticatorData;
        let (rp_id_hash, rest) = data.split_first_chunk::<32>().ok_or(bad)?;
        let (&flags, rest) = rest.split_first().ok_or(bad)?;
        let (_signature_count, rest) = rest.split_first_chunk::<4>().ok_or(bad)?;
        if *rp_id_hash != sha256_plain(&[self.rp_id.as_bytes()]) {
            return Err(PasskeyError::RpId);
        }
        if flags & (PRESENT | VERIFIED) != PRESENT | VERIFIED {
            return Err(PasskeyError::NotVerified);
        }
        let backed_up_unexpectedly = flags & (BACKUP_ELIGIBLE | BACKED_UP) == BACKED_UP;
        // Something follows if and only if the flags say so.
        let says_more = flags & (ATTESTED | EXTENDED) != 0;
        if backed_up_unexpectedly || says_more == rest.is_empty() { Err(bad) } else { Ok((flags, rest)) }
    }
}

/// Flags of authenticator data (WebAuthn 6.1): the user was there,
const PRESENT: u8 = 0x01;
/// and was verified;
const VERIFIED: u8 = 0x04;
/// the passkey may be copied to the user's other devices,
const BACKUP_ELIGIBLE: u8 = 0x08;
/// and has been;
const BACKED_UP: u8 = 0x10;
/// a credential follows,
const ATTESTED: u8 = 0x40;
/// or extensions.
const EXTENDED: u8 = 0x80;

/// What a browser says of a ceremony (WebAuthn 5.8.1). It may say more.
#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    ceremony: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin")]
    cross_origin: Option<bool>,
    #[serde(rename = "topOrigin")]
    top_origin: Option<String>,
}

impl PasskeyKey {
    /// Reads a key in COSE form. WebAuthn has one encoding for each algorithm, so each is compared with its one pattern.
    ///
    /// # Errors
    /// [`PasskeyError::Key`] if it is of another form, of another algorithm than stated, or weak.
    pub fn read(algorithm: CredentialAlgorithm, cose: &[u8]) -> Result<Self, PasskeyError> {
        match read_cose(cose) {
            Some((stated, key, [])) if stated == algorithm => Ok(key),
            Some(_) | None => Err(PasskeyError::Key),
        }
    }

    /// Whether `signature` is this key's over `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Es256(point) => {
                let key = UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, point);
                key.verify(message, signature).is_ok()
            }
            Self::Rs256 { modulus } => {
                let key = RsaPublicKeyComponents { n: modulus.as_slice(), e: &[1, 0, 1] };
                key.verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
            }
            Self::EdDsa(key) => key.verify(message, signature),
        }
    }
}

/// COSE keys in their canonical encoding (RFC 9053, CTAP 2 canonical CBOR), up to where the first value begins.
mod pattern {
    /// {1: 2, 3: -7, -1: 1, -2: 32 bytes
    pub(super) const ES256_X: &[u8] = &[0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
    /// , -3: 32 bytes
    pub(super) const ES256_Y: &[u8] = &[0x22, 0x58, 0x20];
    /// {1: 1, 3: -8, -1: 6, -2: 32 bytes
    pub(super) const ED_DSA: &[u8] = &[0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20];
    /// {1: 3, 3: -257, -1: bytes of a length in two bytes
    pub(super) const RS256_N: &[u8] = &[0xa4, 0x01, 0x03, 0x03, 0x39, 0x01, 0x00, 0x20, 0x59];
    /// , -2: the usual exponent, 65,537: others are in no use, and small ones are unsafe
    pub(super) const RS256_E: &[u8] = &[0x21, 0x43, 0x01, 0x00, 0x01];
}

/// The key at the front, and what follows it.
fn read_cose(cose: &[u8]) -> Option<(CredentialAlgorithm, PasskeyKey, &[u8])> {
    if let Some(rest) = cose.strip_prefix(pattern::ES256_X) {
        let (x, rest) = rest.split_first_chunk::<32>()?;
        let (y, rest) = rest.strip_prefix(pattern::ES256_Y)?.split_first_chunk::<32>()?;
        let point = [[0x04].as_slice(), x, y].concat().try_into().ok()?;
        return Some((CredentialAlgorithm::Es256, PasskeyKey::Es256(point), rest));
    }
    if let Some(rest) = cose.strip_prefix(pattern::ED_DSA) {
        let (point, rest) = rest.split_first_chunk::<32>()?;
        let key = PublicKey::new(Suite::International, point).ok()?;
        return Some((CredentialAlgorithm::EdDsa, PasskeyKey::EdDsa(key), rest));
    }
    let rest = cose.strip_prefix(pattern::RS256_N)?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (modulus, rest) = rest.split_at_checked(length)?;
    let rest = rest.strip_prefix(pattern::RS256_E)?;
    let is_sound = (256..=512).contains(&length) && modulus.first().is_some_and(|first| *first >= 0x80);
    is_sound.then(|| (CredentialAlgorithm::Rs256, PasskeyKey::Rs256 { modulus: modulus.to_vec() }, rest))
}
