//! Signature suites (S-1 to S-4). `ed25519-dalek` and `ed25519-zebra` are named here only.
//!
//! One verification rule on both paths: ZIP-215, whose batch and single verification agree on every signature, crafted
//! ones among them. Signing is RFC 8032. Encryption and hashing of a suite live where they are used.

use core::fmt;
use std::sync::Arc;

use ed25519_zebra::batch;

use crate::codes::KeyUse;
use crate::entropy::Entropy;
use crate::hash::{self, domain};
use crate::id::KeyId;

/// A set of algorithms (S-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// A keyed hash under the *public* key: cheap and forgeable, for the simulator. No service accepts it (S-2).
    Simulation = 0,
    /// Ed25519, X25519, HKDF-SHA-256, AES-256-GCM, BLAKE3 for content, SHA-256 for the log.
    International = 1,
}

impl Suite {
    /// The number that words carry.
    pub const fn number(self) -> u32 {
        self as u32
    }
}

impl TryFrom<u32> for Suite {
    /// The number that is not a suite.
    type Error = u32;

    fn try_from(number: u32) -> Result<Self, u32> {
        match number {
            0 => Ok(Self::Simulation),
            1 => Ok(Self::International),
            _ => Err(number),
        }
    }
}

/// A public key that may verify: of its suite's form, and not weak (S-3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey {
    suite: Suite,
    bytes: [u8; 32],
}

/// Bytes are not a public key of their suite, or a weak one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a public key of this suite, or one of small order (S-3)")]
pub struct PublicKeyError;

impl PublicKey {
    /// Takes bytes as a public key. This is where weak keys are refused, so that verification need not look again.
    ///
    /// # Errors
    /// [`PublicKeyError`] if the bytes are not a point of the curve, or one of small order (S-3).
    pub fn new(suite: Suite, bytes: &[u8]) -> Result<Self, PublicKeyError> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| PublicKeyError)?;
        if suite == Suite::International {
            let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| PublicKeyError)?;
            if key.is_weak() {
                return Err(PublicKeyError);
            }
        }
        Ok(Self { suite, bytes })
    }

    /// The suite.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The key's public name (S-4).
    pub fn id(&self, for_use: KeyUse) -> KeyId {
        key_id(self.suite, for_use.number(), &self.bytes)
    }

    /// Whether `signature` is this key's over `message` (S-3).
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self.suite {
            Suite::Simulation => signature == self.keyed_hash(message),
            Suite::International => {
                let Ok(signature) = <[u8; 64]>::try_from(signature) else { return false };
                let Ok(key) = ed25519_zebra::VerificationKey::try_from(self.bytes) else { return false };
                key.verify(&signature.into(), message).is_ok()
            }
        }
    }

    fn keyed_hash(&self, message: &[u8]) -> [u8; 32] {
        *blake3_keyed(&self.bytes, message).as_bytes()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?}, {}…)", self.suite, hex::encode(self.bytes.get(..4).unwrap_or_default()))
    }
}

/// A private signing key; its memory is wiped when the last of its clones is dropped, and it does not print.
#[derive(Clone)]
pub struct SecretKey {
    public: PublicKey,
    signer: Signer,
}

/// What signs in a suite.
#[derive(Clone)]
enum Signer {
    /// Whoever knows the public key signs.
    Simulation,
    /// Its own memory, so that moving the key leaves no copy behind.
    International(Arc<ed25519_dalek::SigningKey>),
    /// The secret is not in this process.
    Elsewhere(Arc<dyn Sign>),
}

/// What signs with a secret that never comes into this process: a hardware module, say.
///
/// It does not fail: who can sign no more does not return, so that nothing unsigned is let out.
pub trait Sign: Send + Sync {
    /// The signature over a message, by the rule of the key's suite.
    fn sign(&self, message: &[u8]) -> Vec<u8>;
}

impl SecretKey {
    /// A key from 32 secret bytes.
    pub fn new(suite: Suite, seed: &[u8; 32]) -> Self {
        let (bytes, signer) = match suite {
            Suite::Simulation => (hash::blake3(&[seed]), Signer::Simulation),
            Suite::International => {
                let key = Arc::new(ed25519_dalek::SigningKey::from_bytes(seed));
                (key.verifying_key().to_bytes(), Signer::International(key))
            }
        };
        Self { public: PublicKey { suite, bytes }, signer }
    }

    /// A key whose secret is elsewhere.
    pub fn elsewhere(public: PublicKey, signer: Arc<dyn Sign>) -> Self {
        Self { public, signer: Signer::Elsewhere(signer) }
    }

    /// The public half.
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        use ed25519_dalek::Signer as _;
        match &self.signer {
            Signer::Simulation => self.public.keyed_hash(message).to_vec(),
            Signer::International(key) => key.sign(message).to_bytes().to_vec(),
            Signer::Elsewhere(signer) => signer.sign(message),
        }
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({:?})", self.public.suite)
    }
}

/// One signature to be checked with others.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Who is said to have signed.
    pub key: &'a PublicKey,
    /// What.
    pub message: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

/// Which claims hold. As [`PublicKey::verify`] one by one, and cheaper: keys that occur often are worked on once (S-3).
pub fn verify_all(claims: &[Claim<'_>], entropy: &mut Entropy) -> Vec<bool> {
    if batch_holds(claims, entropy) {
        return vec![true; claims.len()];
    }
    claims.iter().map(|claim| claim.key.verify(claim.message, claim.signature)).collect()
}

fn batch_holds(claims: &[Claim<'_>], entropy: &mut Entropy) -> bool {
    let mut batch = batch::Verifier::new();
    for claim in claims {
        let signature = <[u8; 64]>::try_from(claim.signature);
        let (Suite::International, Ok(signature)) = (claim.key.suite, signature) else { return false };
        batch.queue((claim.key.bytes.into(), signature.into(), claim.message));
    }
    batch.verify(entropy.rng()).is_ok()
}

/// The name of a key: what it is for is part of it, so that one key in two uses has two names (S-4).
pub(crate) fn key_id(suite: Suite, for_use: u32, public: &[u8]) -> KeyId {
    let numbers = [suite.number().to_be_bytes(), for_use.to_be_bytes()];
    let digest = hash::sha256(domain::KEY, &[numbers.as_flattened(), public]);
    let (id, _) = digest.as_bytes().split_first_chunk::<16>().expect("a digest has 32 bytes");
    KeyId::new(*id).expect("nobody can make a hash of zeros")
}

fn blake3_keyed(key: &[u8; 32], message: &[u8]) -> blake3::Hash {
    blake3::keyed_hash(key, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(suite: Suite, seed: u8) -> SecretKey {
        SecretKey::new(suite, &[seed; 32])
    }

    #[test]
    fn s1_every_suite_verifies_what_it_signs_and_nothing_else() {
        for suite in [Suite::Simulation, Suite::International] {
            let secret = key(suite, 7);
            let signature = secret.sign(b"message");
            assert!(secret.public().verify(b"message", &signature));
            assert!(!secret.public().verify(b"messagf", &signature));
            assert!(!key(suite, 8).public().verify(b"message", &signature));
            assert!(!secret.public().verify(b"message", &signature[1..]));
        }
        assert_eq!(Suite::try_from(3), Err(3));
    }

    #[test]
    fn s1_a_key_that_is_elsewhere_signs_as_one_that_is_here() {
        struct There(ed25519_dalek::SigningKey);
        impl Sign for There {
            fn sign(&self, message: &[u8]) -> Vec<u8> {
                use ed25519_dalek::Signer as _;
                self.0.sign(message).to_bytes().to_vec()
            }
        }
        let here = key(Suite::International, 7);
        let there = There(ed25519_dalek::SigningKey::from_bytes(&[7; 32]));
        let there = SecretKey::elsewhere(here.public(), Arc::new(there));
        assert_eq!((there.public(), there.sign(b"m")), (here.public(), here.sign(b"m")));
        assert_eq!(format!("{there:?}"), "SecretKey(International)");
    }

    #[test]
    fn s3_weak_keys_are_refused() {
        let mut small_order = [0; 32];
        small_order[0] = 1;
        assert_eq!(PublicKey::new(Suite::International, &small_order), Err(PublicKeyError));
        assert_eq!(PublicKey::new(Suite::International, &[0; 31]), Err(PublicKeyError));
    }

    /// Signatures over small-order points that strict and cofactorless verifiers judge differently (ZIP-215).
    #[test]
    fn s3_batch_and_single_agree_on_crafted_signatures() {
        let torsion =
            hex::decode("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05").unwrap();
        let mut crafted = vec![0; 64];
        crafted[..32].copy_from_slice(&torsion);
        // A point of small order as R with s = 0 verifies only under a small-order key, which PublicKey::new refuses:
        // the key is made here past that check.
        let weak = PublicKey { suite: Suite::International, bytes: torsion.try_into().unwrap() };
        let good = key(Suite::International, 1);
        let signature = good.sign(b"m");
        let public = good.public();
        let claims = [
            Claim { key: &public, message: b"m", signature: &signature },
            Claim { key: &weak, message: b"m", signature: &crafted },
            Claim { key: &public, message: b"m", signature: &crafted },
        ];
        let alone: Vec<bool> = claims.iter().map(|c| c.key.verify(c.message, c.signature)).collect();
        assert_eq!(alone, [true, true, false]);
        assert_eq!(verify_all(&claims, &mut Entropy::new([3; 32])), alone);
        assert_eq!(verify_all(&claims[..2], &mut Entropy::new([3; 32])), alone[..2]);
    }

    #[test]
    fn s4_a_key_has_another_name_in_another_use() {
        let public = key(Suite::International, 1).public();
        assert_ne!(public.id(KeyUse::Words), public.id(KeyUse::Lease));
    }

    #[test]
    fn a_secret_key_does_not_print() {
        assert_eq!(format!("{:?}", key(Suite::International, 9)), "SecretKey(International)");
    }
}
