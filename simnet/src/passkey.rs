//! A resident's passkey: signs acts as an authenticator does behind a browser (WebAuthn), and is stated by a voucher.
//!
//! Not here: how it is asked for; what it proves: [`yiqiao_proto::passkey`].

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use yiqiao_proto::codes::{CredentialAlgorithm, CredentialState};
use yiqiao_proto::directive::{Act, Said};
use yiqiao_proto::hash::{salted, sha256_plain};
use yiqiao_proto::id::{Code, Digest};
use yiqiao_proto::proof::{CredentialStatement, PasskeyAssertion, Proof};
use yiqiao_proto::suite::{SecretKey, Suite};
use yiqiao_proto::token::Token;

/// An Ed25519 key at an authenticator that verifies its user.
#[derive(Debug)]
pub struct Passkey {
    key: SecretKey,
    credential_id: [u8; 16],
    rp_id: String,
    origin: String,
}

impl Passkey {
    /// A passkey made of a seed, for the domain of a region and a page of it.
    pub fn new(seed: [u8; 32], rp_id: &str, origin: &str) -> Self {
        let mut credential_id = [0; 16];
        credential_id.iter_mut().zip(sha256_plain(&[&seed])).for_each(|(to, from)| *to = from);
        let key = SecretKey::new(Suite::International, &seed);
        Self { key, credential_id, rp_id: rp_id.to_owned(), origin: origin.to_owned() }
    }

    /// What a voucher states first of it.
    pub fn credential(&self, voucher: &Code, tokens: &[Token]) -> CredentialStatement {
        CredentialStatement {
            tokens: tokens.to_vec(),
            algorithm: CredentialAlgorithm::EdDsa,
            public_key: self.cose(),
            rp_id: self.rp_id.clone(),
            credential_id: self.credential_id.to_vec(),
            voucher: voucher.clone(),
            evidence_hash: salted(&[0x5a; 32], &[b"seen"]),
            state: CredentialState::Valid,
            number: 1,
            previous: None,
            guardian: false,
            until: None,
        }
    }

    /// What is said, signed.
    pub fn act<T: Said>(&self, region: &Code, said: T) -> Act<T> {
        let act = Act::new(said, Proof::Passkey(self.assert(&Digest::new([1; 32]).expect("not zeros"))));
        let proof = Proof::Passkey(self.assert(&act.challenge(region)));
        Act { proof, ..act }
    }

    /// What it says when it is made for a challenge (WebAuthn 7.1): client data and authenticator data.
    pub fn create(&self, challenge: &Digest) -> (Vec<u8>, Vec<u8>) {
        let length = u16::try_from(self.credential_id.len()).unwrap_or(u16::MAX).to_be_bytes();
        let credential = [[0xaa; 16].as_slice(), &length, &self.credential_id, &self.cose()].concat();
        // The user is present and verified, and a credential follows; no counter.
        let authenticator_data = [&self.rp_id_hash(), [0x45, 0, 0, 0, 0].as_slice(), &credential].concat();
        (self.client_data("webauthn.create", challenge), authenticator_data)
    }

    /// What it says when it signs a challenge (WebAuthn 7.2).
    pub fn assert(&self, challenge: &Digest) -> PasskeyAssertion {
        let client_data_json = self.client_data("webauthn.get", challenge);
        // The user is present and verified; no counter.
        let authenticator_data = [&self.rp_id_hash(), [0x05, 0, 0, 0, 0].as_slice()].concat();
        let signed = [authenticator_data.as_slice(), &sha256_plain(&[&client_data_json])].concat();
        PasskeyAssertion {
            credential_id: self.credential_id.to_vec(),
            authenticator_data,
            client_data_json,
            signature: self.key.sign(&signed),
            acts: Vec::new(),
        }
    }

    fn client_data(&self, ceremony: &str, challenge: &Digest) -> Vec<u8> {
        let (challenge, origin) = (URL_SAFE_NO_PAD.encode(challenge.as_bytes()), &self.origin);
        format!(
            r#"{{"type":"{ceremony}","challenge":"{challenge}","origin":"{origin}","crossOrigin":false}}"#
        )
        .into_bytes()
    }

    fn rp_id_hash(&self) -> [u8; 32] {
        sha256_plain(&[self.rp_id.as_bytes()])
    }

    /// An EdDSA key on edwards25519 (RFC 9053).
    fn cose(&self) -> Vec<u8> {
        let head = [0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20];
        [head.as_slice(), self.key.public().as_bytes()].concat()
    }
}
