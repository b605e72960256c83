//! What browsers say with passkeys, as JSON, and challenges to sign in by (WebAuthn Level 3).
//!
//! A challenge carries its own time under a key of this process: any number can be out, and none needs room. Not here: what
//! a signature proves, which the machine checks (C-14).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize, Serializer};
use yiqiao_host::http::Problem;
use yiqiao_host::keys;
use yiqiao_proto::hash;
use yiqiao_proto::id::Digest;
use yiqiao_proto::limits::ASSERTION_PART_BYTES_MAX;
use yiqiao_proto::proof::PasskeyAssertion;
use yiqiao_proto::time::Timestamp;

use crate::api::faults::{CHALLENGE_OVER, unfit};
use crate::api::limits::{CHALLENGE_LIFE, CHALLENGES_USED_MAX};
use crate::api::recent::Recent;

/// Bytes, in base64url without padding as everything of WebAuthn is.
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl From<&Digest> for Bytes {
    fn from(digest: &Digest) -> Self {
        Self(digest.as_bytes().to_vec())
    }
}

/// Reads base64url; an assertion's parts are bounded (C-8).
pub(super) fn bytes(field: &str, text: &str) -> Result<Vec<u8>, Problem> {
    let expected = || unfit(field, "base64url without padding, at most 1,024 bytes");
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| expected())?;
    if (1..=ASSERTION_PART_BYTES_MAX).contains(&bytes.len()) { Ok(bytes) } else { Err(expected()) }
}

/// What a passkey signed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Assertion {
    credential_id: String,
    authenticator_data: String,
    client_data_json: String,
    signature: String,
}

impl Assertion {
    pub(super) fn read(&self) -> Result<PasskeyAssertion, Problem> {
        Ok(PasskeyAssertion {
            credential_id: bytes("credentialId", &self.credential_id)?,
            authenticator_data: bytes("authenticatorData", &self.authenticator_data)?,
            client_data_json: bytes("clientDataJson", &self.client_data_json)?,
            signature: bytes("signature", &self.signature)?,
            acts: Vec::new(),
        })
    }
}

/// Challenges to sign in by.
pub(super) struct Challenges {
    key: [u8; 32],
    /// Those that a passkey has answered: none opens twice.
    used: Recent<Digest, ()>,
}

/// The time of a challenge, what makes it another one, and the tag of both.
const TIME: usize = 8;
const CHANCE: usize = 8;

impl Challenges {
    pub(super) fn new() -> Self {
        Self { key: keys::random(), used: Recent::new(CHALLENGES_USED_MAX, CHALLENGE_LIFE) }
    }

    pub(super) fn draw(&self, now: Timestamp) -> Digest {
        let chance: [u8; CHANCE] = keys::random();
        self.tagged(now.unix_ms().to_be_bytes(), chance)
    }

    /// Whether a challenge is one of these, and not over.
    pub(super) fn check(&self, now: Timestamp, challenge: &Digest) -> Result<(), Problem> {
        let over = || Problem::new(&CHALLENGE_OVER);
        let (time, rest) = challenge.as_bytes().split_first_chunk::<TIME>().ok_or_else(over)?;
        let (chance, _) = rest.split_first_chunk::<CHANCE>().ok_or_else(over)?;
        let drawn = Timestamp::from_unix_ms(i64::from_be_bytes(*time)).ok_or_else(over)?;
        let lives = drawn <= now && now.since(drawn) < CHALLENGE_LIFE;
        let is_own = self.tagged(*time, *chance) == *challenge;
        let is_new = self.used.get(now, challenge).is_none();
        if lives && is_own && is_new { Ok(()) } else { Err(over()) }
    }

    /// A passkey has answered it.
    pub(super) fn spend(&self, now: Timestamp, challenge: Digest) {
        self.used.put(now, challenge, ());
    }

    fn tagged(&self, time: [u8; TIME], chance: [u8; CHANCE]) -> Digest {
        let tag = hash::keyed(&self.key, "yiqiao/node/challenge/1", &[&time, &chance]);
        let mut bytes = [0; 32];
        let parts = time.iter().chain(&chance).chain(tag.as_bytes());
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
        Digest::new(bytes).expect("half of it is a keyed hash")
    }
}

#[cfg(test)]
mod tests {
    use yiqiao_proto::time::Millis;

    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_ms(1_790_000_000_000).unwrap() + Millis::new(ms)
    }

    #[test]
    fn a_challenge_is_answered_once_in_its_time_and_at_its_process_only() {
        let challenges = Challenges::new();
        let challenge = challenges.draw(at(0));
        assert!(challenges.check(at(0), &challenge).is_ok());
        assert!(challenges.check(at(CHALLENGE_LIFE.get() - 1), &challenge).is_ok());
        assert!(challenges.check(at(CHALLENGE_LIFE.get()), &challenge).is_err(), "over");
        assert!(Challenges::new().check(at(0), &challenge).is_err(), "of another process");
        let later = challenges.draw(at(1));
        assert!(challenges.check(at(0), &later).is_err(), "of a time that is to come");
        challenges.spend(at(1), challenge);
        assert!(challenges.check(at(1), &challenge).is_err(), "a second time");
        assert!(challenges.check(at(1), &later).is_ok());
        for place in 0..32 {
            let mut bent = *later.as_bytes();
            bent[place] ^= 1;
            assert!(challenges.check(at(2), &Digest::new(bent).unwrap()).is_err(), "byte {place}");
        }
    }

    #[test]
    fn parts_of_an_assertion_are_bounded_base64url() {
        assert_eq!(bytes("x", "AQID-w").unwrap(), [1, 2, 3, 0xfb]);
        let long = URL_SAFE_NO_PAD.encode([1; ASSERTION_PART_BYTES_MAX + 1]);
        for bad in ["", "AQ==", "+/", "医", &long] {
            assert!(bytes("x", bad).is_err(), "{bad}");
        }
    }
}
