//! Passkeys that another program made (`testdata/passkeys.txt`), and each way in which one that is not right is refused
//! (C-14, C-15).

#![expect(clippy::unwrap_used, reason = "fixed content that is known to be valid")]

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use yiqiao_proto::codes::CredentialAlgorithm::{self, EdDsa, Es256, Rs256};
use yiqiao_proto::hash::sha256_plain;
use yiqiao_proto::id::Digest;
use yiqiao_proto::member::Policy;
use yiqiao_proto::passkey::{Enrolled, PasskeyError, PasskeyKey, RelyingParty};
use yiqiao_proto::proof::PasskeyAssertion;

use crate::region;

const ALGORITHMS: [(&str, CredentialAlgorithm); 3] = [("es256", Es256), ("rs256", Rs256), ("eddsa", EdDsa)];

/// The values of the file.
struct Made(BTreeMap<String, Vec<u8>>);

impl Made {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/passkeys.txt");
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().filter_map(|line| line.split_once(" = "));
        Self(lines.map(|(name, value)| (name.to_owned(), hex::decode(value).unwrap())).collect())
    }

    fn get(&self, name: &str) -> Vec<u8> {
        self.0.get(name).unwrap().clone()
    }

    fn challenge(&self) -> Digest {
        Digest::new(self.get("challenge").try_into().unwrap()).unwrap()
    }

    fn key(&self, name: &str, algorithm: CredentialAlgorithm) -> PasskeyKey {
        PasskeyKey::read(algorithm, &self.get(&format!("{name}.cose"))).unwrap()
    }

    fn assertion(&self, name: &str) -> PasskeyAssertion {
        PasskeyAssertion {
            credential_id: self.get("credential_id"),
            authenticator_data: self.get("authenticator"),
            client_data_json: self.get("client_data"),
            signature: self.get(&format!("{name}.signature")),
            acts: Vec::new(),
        }
    }

    /// Signs what an assertion says, with the key of the file that needs no generator.
    fn sign(&self, assertion: &mut PasskeyAssertion) {
        let seed: [u8; 32] = self.get("eddsa.secret").try_into().unwrap();
        let key = yiqiao_proto::suite::SecretKey::new(yiqiao_proto::suite::Suite::International, &seed);
        let client_data_hash = sha256_plain(&[&assertion.client_data_json]);
        assertion.signature =
            key.sign(&[assertion.authenticator_data.as_slice(), &client_data_hash].concat());
    }

    /// What is said of an assertion that is changed and then signed again, as by an authenticator that meant it so.
    fn resigned(&self, change: impl FnOnce(&mut PasskeyAssertion)) -> Result<(), PasskeyError> {
        let mut assertion = self.assertion("eddsa");
        change(&mut assertion);
        self.sign(&mut assertion);
        let policy = policy();
        party(&policy).check_assertion(&assertion, &self.challenge(), &self.key("eddsa", EdDsa))
    }

    /// What is said of client data with one text in place of another.
    fn told(&self, from: &str, to: &str) -> Result<(), PasskeyError> {
        self.resigned(|assertion| {
            assertion.client_data_json = replaced(&assertion.client_data_json, from, to);
        })
    }

    /// What is said of an enrolment whose authenticator data is changed.
    fn enrolled(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Result<Enrolled, PasskeyError> {
        let mut authenticator = self.get(&format!("{name}.create.authenticator"));
        change(&mut authenticator);
        let policy = policy();
        party(&policy).enrolled(&self.get("create.client_data"), &authenticator, &self.challenge())
    }
}

fn policy() -> Policy {
    region::list().policy
}

fn party(policy: &Policy) -> RelyingParty<'_> {
    RelyingParty::of(policy).unwrap()
}

fn replaced(json: &[u8], from: &str, to: &str) -> Vec<u8> {
    let json = std::str::from_utf8(json).unwrap();
    assert!(json.contains(from), "{json}");
    json.replacen(from, to, 1).into_bytes()
}

#[test]
fn c14_an_act_signed_by_a_passkey_of_each_algorithm_is_proved() {
    let (made, policy) = (Made::read(), policy());
    for (name, algorithm) in ALGORITHMS {
        let key = made.key(name, algorithm);
        let checked = party(&policy).check_assertion(&made.assertion(name), &made.challenge(), &key);
        assert_eq!(checked, Ok(()), "{name}");
    }
}

#[test]
fn c14_another_act_another_key_or_a_changed_byte_is_not_proved() {
    let (made, policy) = (Made::read(), policy());
    let party = party(&policy);
    let another = Digest::new([7; 32]).unwrap();
    for (name, algorithm) in ALGORITHMS {
        let (key, assertion) = (made.key(name, algorithm), made.assertion(name));
        assert_eq!(party.check_assertion(&assertion, &another, &key), Err(PasskeyError::Challenge));
        for (other, algorithm) in ALGORITHMS.into_iter().filter(|(other, _)| *other != name) {
            let key = made.key(other, algorithm);
            let checked = party.check_assertion(&assertion, &made.challenge(), &key);
            assert_eq!(checked, Err(PasskeyError::Signature), "{name} by {other}");
        }
        for at in 0..assertion.signature.len() {
            let mut bent = assertion.clone();
            bent.signature[at] ^= 1;
            let checked = party.check_assertion(&bent, &made.challenge(), &key);
            assert_eq!(checked, Err(PasskeyError::Signature), "{name}, byte {at}");
        }
        for at in 0..assertion.authenticator_data.len() {
            let mut bent = assertion.clone();
            bent.authenticator_data[at] ^= 2;
            assert!(party.check_assertion(&bent, &made.challenge(), &key).is_err(), "{name}, byte {at}");
        }
    }
}

#[test]
fn c14_client_data_must_be_of_this_ceremony_on_a_page_of_the_region() {
    let made = Made::read();
    assert_eq!(made.told("webauthn.get", "webauthn.create"), Err(PasskeyError::Type));
    assert_eq!(made.told("webauthn.get", "payment.get"), Err(PasskeyError::Type));
    for origin in ["https://demo.example.evil.example", "http://demo.example", "https://demo.example:8443"] {
        assert_eq!(made.told("https://demo.example", origin), Err(PasskeyError::Origin), "{origin}");
    }
    let framed = "\"crossOrigin\":true";
    assert_eq!(made.told("\"crossOrigin\":false", framed), Err(PasskeyError::Origin));
    let above = "\"crossOrigin\":false,\"topOrigin\":\"https://evil.example\"";
    assert_eq!(made.told("\"crossOrigin\":false", above), Err(PasskeyError::Origin));
    let padded = "\"challenge\":\"8N";
    assert_eq!(made.told(padded, "\"challenge\":\"=8N"), Err(PasskeyError::Challenge));
    // What browsers may add, and what the oldest leave out, changes nothing.
    assert_eq!(made.told("\"crossOrigin\":false", "\"crossOrigin\":false,\"more\":[1,{}]"), Ok(()));
    assert_eq!(made.told(",\"crossOrigin\":false", ""), Ok(()));
}

#[test]
fn c14_client_data_that_can_be_read_in_two_ways_is_refused() {
    let made = Made::read();
    let twice = "{\"type\":\"webauthn.get\",\"type\":";
    assert_eq!(made.told("{\"type\":", twice), Err(PasskeyError::ClientData));
    let two_origins = "\"origin\":\"https://evil.example\",\"origin\":";
    assert_eq!(made.told("\"origin\":", two_origins), Err(PasskeyError::ClientData));
    for bent in ["\u{feff}{", "[{", "{{"] {
        assert_eq!(made.told("{", bent), Err(PasskeyError::ClientData), "{bent}");
    }
    let trailing = |assertion: &mut PasskeyAssertion| assertion.client_data_json.extend_from_slice(b"{}");
    assert_eq!(made.resigned(trailing), Err(PasskeyError::ClientData));
    let long = format!("{{\"pad\":\"{}\",", "x".repeat(1_024));
    assert_eq!(made.told("{", &long), Err(PasskeyError::ClientData));
}

#[test]
fn c14_the_authenticator_must_have_verified_its_user_for_the_regions_domain() {
    let made = Made::read();
    let flags = |flags: u8| made.resigned(|assertion| assertion.authenticator_data[32] = flags);
    for sound in [0x05, 0x0d, 0x1d, 0x25] {
        assert_eq!(flags(sound), Ok(()), "{sound:#x}");
    }
    for absent in [0x00, 0x01, 0x04, 0x19] {
        assert_eq!(flags(absent), Err(PasskeyError::NotVerified), "{absent:#x}");
    }
    // Copied without being allowed to; a credential or an extension that is not there.
    for unsound in [0x15, 0x45, 0x85] {
        assert_eq!(flags(unsound), Err(PasskeyError::AuthenticatorData), "{unsound:#x}");
    }
    let other = made.resigned(|assertion| {
        assertion.authenticator_data.splice(..32, sha256_plain(&[b"evil.example"]));
    });
    assert_eq!(other, Err(PasskeyError::RpId));
    let bad = Err(PasskeyError::AuthenticatorData);
    assert_eq!(made.resigned(|assertion| assertion.authenticator_data.push(0)), bad);
    for length in [0, 31, 32, 36] {
        assert_eq!(made.resigned(|assertion| assertion.authenticator_data.truncate(length)), bad);
    }
    let extended = made.resigned(|assertion| {
        assertion.authenticator_data[32] |= 0x80;
        assertion.authenticator_data.push(0xa0);
    });
    assert_eq!(extended, Ok(()));
    let attested =
        made.resigned(|assertion| assertion.authenticator_data = made.get("eddsa.create.authenticator"));
    assert_eq!(attested, bad);
}

#[test]
fn c15_an_enrolment_gives_the_credential_and_its_key() {
    let made = Made::read();
    for (name, algorithm) in ALGORITHMS {
        let public_key = made.get(&format!("{name}.cose"));
        let expected = Enrolled { credential_id: made.get("credential_id"), algorithm, public_key };
        assert_eq!(made.enrolled(name, |_| ()), Ok(expected.clone()), "{name}");
        let extended = made.enrolled(name, |data| {
            data[32] |= 0x80;
            data.extend_from_slice(b"\xa1\x6bcredProtect\x02");
        });
        assert_eq!(extended, Ok(expected), "{name} with an extension");
    }
}

#[test]
fn c15_an_enrolment_in_pieces_of_another_ceremony_or_with_another_key_is_refused() {
    let (made, policy) = (Made::read(), policy());
    for (name, _) in ALGORITHMS {
        let whole = made.get(&format!("{name}.create.authenticator")).len();
        for length in 0..whole {
            assert!(made.enrolled(name, |data| data.truncate(length)).is_err(), "{name} cut to {length}");
        }
        let more = made.enrolled(name, |data| data.push(0));
        assert_eq!(more, Err(PasskeyError::AuthenticatorData), "{name}");
        let unsaid = made.enrolled(name, |data| data[32] |= 0x80);
        assert_eq!(unsaid, Err(PasskeyError::AuthenticatorData), "{name}");
    }
    let (client_data, challenge) = (made.get("client_data"), made.challenge());
    let authenticator = made.get("es256.create.authenticator");
    let signed = party(&policy).enrolled(&client_data, &authenticator, &challenge);
    assert_eq!(signed, Err(PasskeyError::Type));
    let plain =
        party(&policy).enrolled(&made.get("create.client_data"), &made.get("authenticator"), &challenge);
    assert_eq!(plain, Err(PasskeyError::AuthenticatorData));
}

#[test]
fn c15_a_key_has_one_form_and_its_stated_algorithm() {
    let made = Made::read();
    for (name, algorithm) in ALGORITHMS {
        let cose = made.get(&format!("{name}.cose"));
        for (_, other) in ALGORITHMS.into_iter().filter(|(_, other)| *other != algorithm) {
            assert_eq!(PasskeyKey::read(other, &cose), Err(PasskeyError::Key));
        }
        for length in 0..cose.len() {
            assert_eq!(PasskeyKey::read(algorithm, &cose[..length]), Err(PasskeyError::Key));
        }
        let longer = [cose.as_slice(), b"\0"].concat();
        assert_eq!(PasskeyKey::read(algorithm, &longer), Err(PasskeyError::Key));
        let mut bent = cose.clone();
        bent[0] ^= 1;
        assert_eq!(PasskeyKey::read(algorithm, &bent), Err(PasskeyError::Key));
    }
    // A point of small order, a modulus with a leading zero, and an exponent of three.
    let weak = [&hex::decode("a4010103272006215820").unwrap()[..], &[1], &[0; 31]].concat();
    assert_eq!(PasskeyKey::read(EdDsa, &weak), Err(PasskeyError::Key));
    let mut short = made.get("rs256.cose");
    short[11] = 0;
    assert_eq!(PasskeyKey::read(Rs256, &short), Err(PasskeyError::Key));
    let mut three = made.get("rs256.cose");
    three.splice(three.len() - 4.., [0x41, 3]);
    assert_eq!(PasskeyKey::read(Rs256, &three), Err(PasskeyError::Key));
}

#[test]
fn c9_a_region_without_a_domain_has_no_passkeys() {
    let policy = Policy { rp_id: None, ..policy() };
    assert!(RelyingParty::of(&policy).is_none());
}

proptest! {
    #[test]
    fn no_bytes_are_taken_for_a_passkey_and_none_panic(
        client_data in prop::collection::vec(any::<u8>(), 0..200),
        authenticator in prop::collection::vec(any::<u8>(), 0..200),
        cose in prop::collection::vec(any::<u8>(), 0..100),
        prefix in 0_usize..90,
    ) {
        let (made, policy) = (Made::read(), policy());
        let challenge = made.challenge();
        let mut assertion = made.assertion("es256");
        assertion.client_data_json = client_data;
        let key = made.key("es256", Es256);
        prop_assert!(party(&policy).check_assertion(&assertion, &challenge, &key).is_err());
        let real = made.get("es256.create.authenticator");
        let mixed = [&real[..prefix.min(real.len())], &authenticator].concat();
        let enrolled = party(&policy).enrolled(&made.get("create.client_data"), &mixed, &challenge);
        if let Ok(enrolled) = enrolled {
            prop_assert!(PasskeyKey::read(enrolled.algorithm, &enrolled.public_key).is_ok());
        }
        for (_, algorithm) in ALGORITHMS {
            prop_assert!(PasskeyKey::read(algorithm, &cose).is_err());
        }
    }
}
