//! A resident's passkey: signs acts as an authenticator does behind a browser (WebAuthn), and is stated by a voucher.
//!
//! Not here: how it is asked for; what it proves: [`yiqiao_proto::passkey`].

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use yiqiao_proto::codes::{CredentialAlgorithm, CredentialState};
use yiqiao_proto::directive::{Act, Said};
use yiqiao_proto::hash::{salted, sha256_plain};
use yiqiao_proto::id::Code;
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
        // COSE: an EdDSA key on edwards25519.
        let cose = [0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20];
        CredentialStatement {
            tokens: tokens.to_vec(),
            algorithm: CredentialAlgorithm::EdDsa,
            public_key: [cose.as_slice(), self.key.public().as_bytes()].concat(),
            rp_id: self.rp_id.clone(),
            credential_id: self.credential_id.to_vec(),
            voucher: voucher.clone(),
            evidence_hash: salted(&[0x5a; 32], &[b"seen"]),
            state: CredentialState::Valid,
            number: 1,
            previous: None,
        }
    }

    /// What is said, signed.
    pub fn act<T: Said>(&self, region: &Code, said: T) -> Act<T> {
        let mut act = Act::new(said, self.assert(&[0; 32]));
        act.proof = self.assert(act.challenge(region).as_bytes());
        act
    }

    fn assert(&self, challenge: &[u8; 32]) -> Proof {
        let (challenge, origin) = (URL_SAFE_NO_PAD.encode(challenge), &self.origin);
        let client_data = format!(
            r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"{origin}","crossOrigin":false}}"#
        );
        // The user is present and verified; no counter.
        let rest: &[u8] = &[0x05, 0, 0, 0, 0];
        let authenticator_data = [sha256_plain(&[self.rp_id.as_bytes()]).as_slice(), rest].concat();
        let signed = [authenticator_data.as_slice(), &sha256_plain(&[client_data.as_bytes()])].concat();
        Proof::Passkey(PasskeyAssertion {
            credential_id: self.credential_id.to_vec(),
            authenticator_data,
            client_data_json: client_data.into_bytes(),
            signature: self.key.sign(&signed),
        })
    }
}
