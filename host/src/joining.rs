//! How an organisation joins a region: the region's file goes to it ([`RegionFile`]), and a small file with its public keys
//! comes back ([`JoinRequest`]), which the authority signs into the member list. None of them holds a secret; who brings one must be
//! known to the other by other means. Further keys: [`crate::renewal`].

use std::path::Path;

use libp2p::PeerId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use yiqiao_proto::codes::{KeyUse, MemberRole};
use yiqiao_proto::directory::{Directory, ListError};
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::Code;
use yiqiao_proto::member::{KeyState, Member, SealingKey, SigningKey, Transport};
use yiqiao_proto::suite::{PublicKey, SecretKey, Suite};

/// The request, as the file has it. Keys are hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// The region it wants to join.
    pub region: String,
    /// Its code.
    pub code: String,
    /// Its name, for people.
    pub name: String,
    /// How patients reach it.
    pub contact: String,
    /// Roles: `custodian`, `portal`, `bureau`, `registry`.
    pub roles: Vec<String>,
    /// Its libp2p identity.
    pub peer_id: String,
    /// Where it listens: multiaddresses.
    pub addresses: Vec<String>,
    /// Its key for words.
    pub words_key: String,
    /// Its key for checkpoints: the registry only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_key: Option<String>,
    /// Its key for leases: the registry only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_key: Option<String>,
    /// Its sealing key and the words key's countersignature of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealing_key: Option<(String, String)>,
}

/// What a request is made from.
#[derive(Debug)]
pub struct Applicant<'a> {
    /// The region.
    pub region: &'a Code,
    /// Its code.
    pub code: &'a Code,
    /// Its name.
    pub name: &'a str,
    /// How patients reach it.
    pub contact: &'a str,
    /// Its roles.
    pub roles: &'a [MemberRole],
    /// Where it listens.
    pub addresses: &'a [String],
    /// Its libp2p identity.
    pub peer_id: PeerId,
    /// Its words key.
    pub words: &'a SecretKey,
    /// Its checkpoint and lease keys, if it is the registry.
    pub registry_keys: Option<(&'a SecretKey, &'a SecretKey)>,
    /// Its public sealing key, if it takes documents.
    pub sealing: Option<[u8; 32]>,
}

/// Why a request is not taken.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The file cannot be read.
    #[error("cannot read the request {file}: {cause}")]
    File {
        /// The file.
        file: String,
        /// Why.
        cause: String,
    },
    /// A field is not what it should be.
    #[error("the request's field `{field}` is not valid: {rule}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it should be.
        rule: &'static str,
    },
    /// It is for another region.
    #[error("the request is for region {found}, this is {expected}")]
    OtherRegion {
        /// What it says.
        found: String,
        /// What is wanted.
        expected: Code,
    },
}

/// What an organisation must know of a region to find and believe it: handed over outside of the exchange (M-3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionFile {
    /// The region's code.
    pub region: String,
    /// The authority's public key. Hexadecimal, as is the list.
    pub authority: String,
    /// The first member list, as the authority signed it: it names the registry and where it is reached.
    pub first_list: String,
}

/// Why a region's file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum RegionFileError {
    /// The file cannot be read.
    #[error("cannot read the region's file {file}: {cause}")]
    File {
        /// The file.
        file: String,
        /// Why.
        cause: String,
    },
    /// A field is not what it should be.
    #[error(
        "the region file's field `{field}` is not valid: {rule}; ask the registry's operator for the file again"
    )]
    Field {
        /// The field.
        field: &'static str,
        /// What it should be.
        rule: &'static str,
    },
    /// The list is not the first one under the authority's key.
    #[error("the region file's member list is not believed: {0}")]
    List(#[from] ListError),
}

impl RegionFile {
    /// The file of a region.
    pub fn of(region: &Code, authority: &PublicKey, first_list: &Envelope) -> Self {
        Self {
            region: region.to_string(),
            authority: hex::encode(authority.as_bytes()),
            first_list: hex::encode(first_list.as_bytes()),
        }
    }

    /// Reads a region's file.
    ///
    /// # Errors
    /// [`RegionFileError::File`] if it cannot be read as one.
    pub fn read(file: &Path) -> Result<Self, RegionFileError> {
        let failed = |cause: String| RegionFileError::File { file: file.display().to_string(), cause };
        let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).expect("texts are JSON") + "\n"
    }

    /// The authority's public key, which signed the first list.
    ///
    /// # Errors
    /// [`RegionFileError::Field`] if it is none.
    pub fn key(&self) -> Result<PublicKey, RegionFileError> {
        let key = bytes_32(&self.authority).and_then(|key| PublicKey::new(Suite::International, &key).ok());
        let rule = "an Ed25519 public key in hexadecimal digits";
        key.ok_or(RegionFileError::Field { field: "authority", rule })
    }

    /// The members of the first list, believed because the file came by a way that is trusted (M-3).
    ///
    /// # Errors
    /// [`RegionFileError`] naming what is not valid.
    pub fn directory(&self) -> Result<Directory, RegionFileError> {
        let invalid = |field, rule| RegionFileError::Field { field, rule };
        let region = Code::new(self.region.as_str());
        let region = region.map_err(|_| invalid("region", "1 to 32 of a-z, 0-9 and '-'"))?;
        let key = self.key()?;
        let list = hex::decode(&self.first_list).ok().and_then(|bytes| Envelope::decode(&bytes).ok());
        let list = list.ok_or_else(|| invalid("first_list", "a signed member list in hexadecimal digits"))?;
        Ok(Directory::first(&region, &key, &list)?)
    }
}

impl JoinRequest {
    /// Makes the request of an applicant.
    pub fn of(applicant: &Applicant<'_>) -> Self {
        let hex = |key: &SecretKey| hex::encode(key.public().as_bytes());
        let sealing_key = applicant.sealing.map(|public| {
            let sealing =
                SealingKey::countersigned(applicant.region, applicant.code, public, applicant.words);
            (hex::encode(public), hex::encode(sealing.countersignature))
        });
        Self {
            region: applicant.region.to_string(),
            code: applicant.code.to_string(),
            name: applicant.name.to_owned(),
            contact: applicant.contact.to_owned(),
            roles: applicant.roles.iter().map(|role| role_name(*role).to_owned()).collect(),
            peer_id: applicant.peer_id.to_string(),
            addresses: applicant.addresses.to_vec(),
            words_key: hex(applicant.words),
            checkpoint_key: applicant.registry_keys.map(|(checkpoint, _)| hex(checkpoint)),
            lease_key: applicant.registry_keys.map(|(_, lease)| hex(lease)),
            sealing_key,
        }
    }

    /// Reads a request file.
    ///
    /// # Errors
    /// [`JoinError::File`] if it cannot be read as one.
    pub fn read(file: &Path) -> Result<Self, JoinError> {
        read_request(file)
    }

    /// The member that the authority is to sign, in `region`.
    ///
    /// # Errors
    /// [`JoinError`] naming the field that is not valid.
    pub fn member(&self, region: &Code) -> Result<Member, JoinError> {
        let code = code_in(region, &self.region, &self.code)?;
        let roles = self.roles.iter().map(|name| role_of(name)).collect::<Option<_>>();
        let peer_id: PeerId = self.peer_id.parse().map_err(|_| field("peer_id", "a libp2p peer id"))?;
        Ok(Member {
            roles: roles.ok_or_else(|| field("roles", "custodian, portal, bureau or registry"))?,
            transports: vec![Transport { peer_id: peer_id.to_bytes(), addresses: self.addresses.clone() }],
            signing_keys: self.signing_keys()?,
            sealing_keys: self.sealing_keys()?,
            code,
            name: self.name.clone(),
            contact: self.contact.clone(),
            suspended: false,
        })
    }

    fn signing_keys(&self) -> Result<Vec<SigningKey>, JoinError> {
        let listed = [
            ("words_key", Some(&self.words_key), KeyUse::Words),
            ("checkpoint_key", self.checkpoint_key.as_ref(), KeyUse::Checkpoint),
            ("lease_key", self.lease_key.as_ref(), KeyUse::Lease),
        ];
        let given = listed.into_iter().filter_map(|(name, text, for_use)| Some((name, text?, for_use)));
        let read = |(name, text, for_use): (&'static str, &String, KeyUse)| {
            Ok(SigningKey { key: signing_key(name, text)?, for_use, state: KeyState::Valid })
        };
        given.map(read).collect()
    }

    fn sealing_keys(&self) -> Result<Vec<SealingKey>, JoinError> {
        let Some(sealing_key) = &self.sealing_key else { return Ok(Vec::new()) };
        Ok(vec![sealing_key_of(sealing_key, &self.words_key)?])
    }
}

pub(crate) fn read_request<T: DeserializeOwned>(file: &Path) -> Result<T, JoinError> {
    let failed = |cause: String| JoinError::File { file: file.display().to_string(), cause };
    let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    // Not the lines of the file around the place: an error is one sentence.
    toml::from_str(&text).map_err(|error| failed(error.message().to_owned()))
}

pub(crate) fn code_in(expected: &Code, region: &str, code: &str) -> Result<Code, JoinError> {
    if region != expected.as_str() {
        return Err(JoinError::OtherRegion { found: region.to_owned(), expected: expected.clone() });
    }
    Code::new(code).map_err(|_| field("code", "1 to 32 of a-z, 0-9 and '-'"))
}

fn sealing_key_of(
    (public, countersignature): &(String, String),
    words: &str,
) -> Result<SealingKey, JoinError> {
    let rule = "an X25519 public key and a signature, in hexadecimal digits";
    let public_key = bytes_32(public).ok_or_else(|| field("sealing_key", rule))?;
    let countersignature = hex::decode(countersignature).map_err(|_| field("sealing_key", rule))?;
    let signer = signing_key("words_key", words)?.id(KeyUse::Words);
    let (suite, state) = (Suite::International, KeyState::Valid);
    Ok(SealingKey { suite, public_key, signer, countersignature, state })
}

pub(crate) fn signing_key(name: &'static str, text: &str) -> Result<PublicKey, JoinError> {
    let key = bytes_32(text).and_then(|bytes| PublicKey::new(Suite::International, &bytes).ok());
    key.ok_or_else(|| field(name, "an Ed25519 public key in hexadecimal digits"))
}

pub(crate) const fn field(field: &'static str, rule: &'static str) -> JoinError {
    JoinError::Field { field, rule }
}

pub(crate) fn bytes_32(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
}

const fn role_name(role: MemberRole) -> &'static str {
    match role {
        MemberRole::Custodian => "custodian",
        MemberRole::Registry => "registry",
        MemberRole::Portal => "portal",
        MemberRole::Bureau => "bureau",
    }
}

fn role_of(name: &str) -> Option<MemberRole> {
    MemberRole::ALL.iter().copied().find(|role| role_name(*role) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> JoinRequest {
        let [region, code] = ["demo", "a"].map(|code| Code::new(code).unwrap());
        let words = SecretKey::new(Suite::International, &[3; 32]);
        JoinRequest::of(&Applicant {
            region: &region,
            code: &code,
            name: "桥州市人民医院",
            contact: "010-0000",
            roles: &[MemberRole::Custodian, MemberRole::Portal],
            addresses: &["/ip4/127.0.0.1/tcp/8401".to_owned()],
            peer_id: PeerId::random(),
            words: &words,
            registry_keys: None,
            sealing: Some([5; 32]),
        })
    }

    #[test]
    fn a_request_survives_its_file_and_becomes_a_member() {
        let text = toml::to_string(&request()).unwrap();
        let read: JoinRequest = toml::from_str(&text).unwrap();
        assert_eq!(read, toml::from_str(&toml::to_string(&read).unwrap()).unwrap());
        let member = read.member(&Code::new("demo").unwrap()).unwrap();
        assert_eq!((member.roles.len(), member.signing_keys.len(), member.sealing_keys.len()), (2, 1, 1));
    }

    #[test]
    fn m3_a_region_file_is_believed_only_with_a_list_that_its_authority_signed() {
        let region = Code::new("demo").unwrap();
        let key = |seed| SecretKey::new(Suite::International, &[seed; 32]);
        let registry = JoinRequest::of(&Applicant {
            region: &region,
            code: &Code::new("registry").unwrap(),
            name: "区域平台",
            contact: "-",
            roles: &[MemberRole::Registry],
            addresses: &["/ip4/127.0.0.1/tcp/8400".to_owned()],
            peer_id: PeerId::random(),
            words: &key(3),
            registry_keys: Some((&key(4), &key(5))),
            sealing: None,
        });
        let list = yiqiao_proto::member::MemberList {
            region: region.clone(),
            version: 1,
            previous: None,
            issued_at: yiqiao_proto::time::Timestamp::default(),
            authority: key(1).public(),
            policy: yiqiao_proto::member::Policy {
                suites: std::collections::BTreeSet::from([Suite::International]),
                lease: yiqiao_proto::time::Millis::from_secs(30),
                default_rule: yiqiao_proto::codes::DefaultRule::Deny,
                break_glass: false,
                proofs: 7,
                open_without_lease: false,
                evaluations_per_day: 1,
                evaluations_backfill: 0,
                rp_id: None,
                origins: Vec::new(),
                vouchers: Vec::new(),
            },
            members: vec![registry.member(&region).unwrap()],
            token_keys: Vec::new(),
            log_id: Code::new("log-1").unwrap(),
        };
        let file = RegionFile::of(&region, &key(1).public(), &Envelope::sign(&region, &list, &key(1)));
        assert_eq!(file.directory().unwrap().list(), &list);
        let read: RegionFile = serde_json::from_str(&file.to_text()).unwrap();
        assert_eq!(read, file);
        let other = RegionFile { authority: hex::encode(key(2).public().as_bytes()), ..file.clone() };
        assert!(matches!(other.directory(), Err(RegionFileError::List(_))));
        let broken = RegionFile { first_list: "00".to_owned(), ..file };
        assert!(broken.directory().unwrap_err().to_string().contains("`first_list`"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let demo = Code::new("demo").unwrap();
        let mut bad = request();
        bad.roles = vec!["king".to_owned()];
        assert_eq!(
            bad.member(&demo).unwrap_err().to_string(),
            "the request's field `roles` is not valid: custodian, portal, bureau or registry"
        );
        let other = request().member(&Code::new("other").unwrap()).unwrap_err();
        assert_eq!(other.to_string(), "the request is for region demo, this is other");
    }
}
