//! The request of a member for a further key beside those that the list has of it (M-13): a file that goes to the authority.
//!
//! It holds no secret. A words key of the member vouches for it; who has lost all of them must be known to the authority by other means.

use std::path::Path;

use libp2p::PeerId;
use serde::{Deserialize, Serialize};
use yiqiao_proto::codes::KeyUse;
use yiqiao_proto::id::{Code, KeyId};
use yiqiao_proto::member::{KeyState, Member, SealingKey, SigningKey, Transport, key_request_bytes};
use yiqiao_proto::suite::{SecretKey, Suite};
use zeroize::Zeroizing;

use crate::joining::{JoinError, bytes_32, code_in, field, read_request, signing_key};
use crate::keys::Seed;
use crate::link::peer_id_of;

/// The request, as the file has it. Keys and signatures are hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// The member's region.
    pub region: String,
    /// Its code.
    pub code: String,
    /// What is to be listed.
    pub key: WantedKey,
    /// By words keys of the member, each beside its public key: any of them that is listed and valid suffices.
    pub vouched: Vec<(String, String)>,
}

/// A further key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "use", rename_all = "kebab-case", deny_unknown_fields)]
pub enum WantedKey {
    /// Signs words.
    Words {
        /// Ed25519.
        public: String,
    },
    /// Others seal to it.
    Sealing {
        /// X25519.
        public: String,
    },
    /// Another identity on the link.
    Transport {
        /// The libp2p identity.
        peer_id: String,
        /// Where it is reached: multiaddresses.
        addresses: Vec<String>,
    },
}

/// Why a request is not taken.
#[derive(Debug, thiserror::Error)]
pub enum RenewalError {
    /// The file or a field of it.
    #[error(transparent)]
    Request(#[from] JoinError),
    /// No words key of the member that is valid vouches for it.
    #[error("the request for {code} is vouched for by no valid words key of {code}")]
    Unvouched {
        /// The member.
        code: Code,
    },
    /// The list has it already.
    #[error("the {kind} key of {code} is listed already")]
    Listed {
        /// The member.
        code: Code,
        /// Its use.
        kind: &'static str,
    },
}

/// The secret of a member's newest identity on the link that it holds.
pub fn transport_in_force(own: &Member, (first, later): &(Seed, Vec<Seed>)) -> Option<Zeroizing<[u8; 32]>> {
    own.transports.iter().rev().find_map(|listed| {
        let seeds = later.iter().chain([first]).map(|seed| Zeroizing::new(*seed.expose()));
        let is_of = |seed: &Zeroizing<[u8; 32]>| {
            peer_id_of(seed).is_ok_and(|peer_id| peer_id.to_bytes() == listed.peer_id)
        };
        seeds.into_iter().find(is_of)
    })
}

impl WantedKey {
    /// What it is for.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Words { .. } => "words",
            Self::Sealing { .. } => "sealing",
            Self::Transport { .. } => "transport",
        }
    }

    /// What a words key signs to vouch for it.
    fn signed_bytes(&self, region: &Code, code: &Code) -> Result<Vec<u8>, JoinError> {
        Ok(match self {
            Self::Words { public } => key_request_bytes(region, code, self.kind(), &[public]),
            Self::Sealing { public } => {
                let public =
                    bytes_32(public).ok_or_else(|| field("key", "32 bytes in hexadecimal digits"))?;
                SealingKey::signed_bytes(region, code, Suite::International, &public)
            }
            Self::Transport { peer_id, addresses } => {
                let parts: Vec<&str> = [peer_id].into_iter().chain(addresses).map(String::as_str).collect();
                key_request_bytes(region, code, self.kind(), &parts)
            }
        })
    }
}

impl KeyRequest {
    /// The request of a member, vouched for by all words keys that it has.
    ///
    /// # Errors
    /// [`JoinError::Field`] if the wanted key is none.
    pub fn of(region: &Code, code: &Code, key: WantedKey, words: &[SecretKey]) -> Result<Self, JoinError> {
        let bytes = key.signed_bytes(region, code)?;
        let vouched = words.iter().map(|words| {
            let public = hex::encode(words.public().as_bytes());
            (public, hex::encode(words.sign(&bytes)))
        });
        Ok(Self { region: region.to_string(), code: code.to_string(), key, vouched: vouched.collect() })
    }

    /// Reads a request file.
    ///
    /// # Errors
    /// [`JoinError::File`] if it cannot be read as one.
    pub fn read(file: &Path) -> Result<Self, JoinError> {
        read_request(file)
    }

    /// Whose it is.
    ///
    /// # Errors
    /// [`JoinError`] naming the field that is not valid.
    pub fn code(&self, region: &Code) -> Result<Code, JoinError> {
        code_in(region, &self.region, &self.code)
    }

    /// Adds the key to its member. Nobody needs to vouch for one if the authority says that it knows who asks (`unvouched`); a sealing key
    /// is listed with what vouches for it, always.
    ///
    /// # Errors
    /// [`RenewalError`]; the member is as before.
    pub fn list(&self, region: &Code, member: &mut Member, unvouched: bool) -> Result<(), RenewalError> {
        let signed = self.key.signed_bytes(region, &member.code)?;
        let voucher = self.voucher(member, &signed)?;
        let none = || RenewalError::Unvouched { code: member.code.clone() };
        if voucher.is_none() && !unvouched {
            return Err(none());
        }
        let known = match &self.key {
            WantedKey::Words { public } => {
                let key = signing_key("key", public)?;
                let listed = SigningKey { key, for_use: KeyUse::Words, state: KeyState::Valid };
                let known = member.signing_keys.iter().any(|other| other.key == key);
                member.signing_keys.extend((!known).then_some(listed));
                known
            }
            WantedKey::Sealing { public } => {
                let public_key = bytes_32(public).ok_or_else(|| field("key", "32 bytes"))?;
                let (signer, countersignature) = voucher.ok_or_else(none)?;
                let (suite, state) = (Suite::International, KeyState::Valid);
                let listed = SealingKey { suite, public_key, signer, countersignature, state };
                let known = member.sealing_keys.iter().any(|other| other.public_key == public_key);
                member.sealing_keys.extend((!known).then_some(listed));
                known
            }
            WantedKey::Transport { peer_id, addresses } => {
                let peer_id: PeerId = peer_id.parse().map_err(|_| field("peer_id", "a libp2p peer id"))?;
                let listed = Transport { peer_id: peer_id.to_bytes(), addresses: addresses.clone() };
                let known = member.transports.iter().any(|other| other.peer_id == listed.peer_id);
                member.transports.extend((!known).then_some(listed));
                known
            }
        };
        let listed = RenewalError::Listed { code: member.code.clone(), kind: self.key.kind() };
        if known { Err(listed) } else { Ok(()) }
    }

    /// The valid words key of the member that vouches for it, with its signature.
    fn voucher(&self, member: &Member, signed: &[u8]) -> Result<Option<(KeyId, Vec<u8>)>, JoinError> {
        for (public, signature) in &self.vouched {
            let key = signing_key("vouched", public)?;
            let signature =
                hex::decode(signature).map_err(|_| field("vouched", "signatures in hexadecimal digits"))?;
            let listed = member.signing_keys.iter().find(|listed| listed.key == key);
            let valid =
                listed.filter(|listed| listed.for_use == KeyUse::Words && listed.state == KeyState::Valid);
            if let Some(valid) = valid.filter(|valid| valid.key.verify(signed, &signature)) {
                return Ok(Some((valid.id(), signature)));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn key(seed: u8) -> SecretKey {
        SecretKey::new(Suite::International, &[seed; 32])
    }

    fn codes() -> [Code; 2] {
        ["demo", "a"].map(|code| Code::new(code).unwrap())
    }

    fn member() -> Member {
        let words = SigningKey { key: key(3).public(), for_use: KeyUse::Words, state: KeyState::Valid };
        Member {
            code: codes()[1].clone(),
            name: "桥州市人民医院".to_owned(),
            contact: "010-0000".to_owned(),
            roles: BTreeSet::new(),
            suspended: false,
            transports: Vec::new(),
            signing_keys: vec![words],
            sealing_keys: Vec::new(),
        }
    }

    fn wanted() -> [WantedKey; 3] {
        let public = |key: &SecretKey| hex::encode(key.public().as_bytes());
        [
            WantedKey::Words { public: public(&key(9)) },
            WantedKey::Sealing { public: hex::encode([9; 32]) },
            WantedKey::Transport {
                peer_id: PeerId::random().to_string(),
                addresses: vec!["/ip4/127.0.0.1/tcp/8401".to_owned()],
            },
        ]
    }

    #[test]
    fn m13_a_vouched_request_survives_its_file_and_is_listed_once() {
        let [region, code] = codes();
        for wanted in wanted() {
            let request = KeyRequest::of(&region, &code, wanted, &[key(7), key(3)]).unwrap();
            let read: KeyRequest = toml::from_str(&toml::to_string(&request).unwrap()).unwrap();
            assert_eq!(read, request);
            let mut member = member();
            read.list(&region, &mut member, false).unwrap();
            let counts = [member.signing_keys.len(), member.sealing_keys.len(), member.transports.len()];
            assert_eq!(counts.iter().sum::<usize>(), 2, "{read:?}");
            let again = read.list(&region, &mut member, false).unwrap_err().to_string();
            assert_eq!(again, format!("the {} key of a is listed already", read.key.kind()));
        }
    }

    #[test]
    fn m13_what_no_valid_words_key_of_the_member_vouches_for_is_refused() {
        let [region, code] = codes();
        let other = Code::new("b").unwrap();
        for wanted in wanted() {
            let good = KeyRequest::of(&region, &code, wanted.clone(), &[key(3)]).unwrap();
            let by_another = KeyRequest::of(&region, &code, wanted.clone(), &[key(7)]).unwrap();
            let for_another = KeyRequest::of(&region, &other, wanted.clone(), &[key(3)]).unwrap();
            let moved = KeyRequest { code: "a".to_owned(), ..for_another };
            let unsigned = KeyRequest { vouched: Vec::new(), ..good.clone() };
            for (request, spoilt) in
                [(&by_another, false), (&moved, false), (&unsigned, false), (&good, true)]
            {
                let mut member = member();
                if spoilt {
                    member.signing_keys.iter_mut().for_each(|key| key.state = KeyState::Retired);
                }
                let before = member.clone();
                let refused = request.list(&region, &mut member, false).unwrap_err().to_string();
                assert!(refused.contains("vouched for by no valid words key of a"), "{refused}");
                assert_eq!(member, before);
            }
            let mut member = member();
            // Who has lost all keys can seal to nothing before a words key is listed.
            let taken = unsigned.list(&region, &mut member, true).is_ok();
            assert_eq!(taken, !matches!(wanted, WantedKey::Sealing { .. }));
        }
    }

    #[test]
    fn a_request_of_another_region_is_refused() {
        let [region, code] = codes();
        let [words, ..] = wanted();
        let request = KeyRequest::of(&code, &code, words, &[key(3)]).unwrap();
        assert!(matches!(request.code(&region), Err(JoinError::OtherRegion { .. })));
    }
}
