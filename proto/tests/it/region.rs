//! A region for the tests: an authority and members of every role, with keys made from fixed seeds.

#![expect(clippy::unwrap_used, reason = "fixed content that is known to be valid")]

use std::collections::BTreeSet;

use yiqiao_proto::codes::{DefaultRule, KeyUse, MemberRole};
use yiqiao_proto::directory::Directory;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::Code;
use yiqiao_proto::member::{KeyState, Member, MemberList, Policy, SealingKey, SigningKey, Transport};
use yiqiao_proto::release::SealingSecret;
use yiqiao_proto::suite::{SecretKey, Suite};
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_proto::token::TokenSecret;
use zeroize::Zeroizing;

/// Seeds of the keys: 32 times this byte.
pub(crate) const AUTHORITY: u8 = 1;
pub(crate) const BUREAU: u8 = 20;
pub(crate) const HOSPITAL: u8 = 30;
pub(crate) const HOSPITAL_SEALING: u8 = 31;
pub(crate) const CLINIC: u8 = 40;
pub(crate) const CLINIC_SEALING: u8 = 41;
pub(crate) const PORTAL: u8 = 50;
pub(crate) const REGISTRY: u8 = 60;
pub(crate) const REGISTRY_CHECKPOINT: u8 = 61;
pub(crate) const REGISTRY_LEASE: u8 = 62;
pub(crate) const TOKEN: u8 = 70;

/// The members by code, with the seed of the key that signs their words.
pub(crate) const WORDS_KEYS: [(&str, u8); 5] = [
    ("bureau", BUREAU),
    ("clinic", CLINIC),
    ("hospital", HOSPITAL),
    ("portal", PORTAL),
    ("registry", REGISTRY),
];

pub(crate) fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

pub(crate) fn region() -> Code {
    code("demo")
}

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(1_780_000_000_000 + ms).unwrap()
}

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::new(Suite::International, &[seed; 32])
}

pub(crate) fn sealing_secret(seed: u8) -> SealingSecret {
    SealingSecret::new(&Zeroizing::new([seed; 32]))
}

pub(crate) fn token_secret() -> TokenSecret {
    TokenSecret::new(1, &[TOKEN; 32]).unwrap()
}

pub(crate) fn signing(seed: u8, for_use: KeyUse) -> SigningKey {
    SigningKey { key: key(seed).public(), for_use, state: KeyState::Valid }
}

pub(crate) fn sealing(member: &str, seed: u8, signer: u8) -> SealingKey {
    SealingKey::countersigned(&region(), &code(member), sealing_secret(seed).public(), &key(signer))
}

fn member(name: &str, role: MemberRole, seed: u8) -> Member {
    Member {
        code: code(name),
        name: format!("示范{name}"),
        contact: "0571-00000000".to_owned(),
        roles: BTreeSet::from([role]),
        suspended: false,
        transports: vec![Transport {
            peer_id: [[0, 36, 8, 1, 18, 32].as_slice(), &[seed; 32]].concat(),
            addresses: vec![format!("/dns4/{name}.example/tcp/7400")],
        }],
        signing_keys: vec![signing(seed, KeyUse::Words)],
        sealing_keys: Vec::new(),
    }
}

/// The first list of the region.
pub(crate) fn list() -> MemberList {
    let mut clinic = member("clinic", MemberRole::Custodian, CLINIC);
    clinic.sealing_keys.push(sealing("clinic", CLINIC_SEALING, CLINIC));
    let mut hospital = member("hospital", MemberRole::Custodian, HOSPITAL);
    hospital.sealing_keys.push(sealing("hospital", HOSPITAL_SEALING, HOSPITAL));
    let mut registry = member("registry", MemberRole::Registry, REGISTRY);
    registry.signing_keys.push(signing(REGISTRY_CHECKPOINT, KeyUse::Checkpoint));
    registry.signing_keys.push(signing(REGISTRY_LEASE, KeyUse::Lease));
    MemberList {
        region: region(),
        version: 1,
        previous: None,
        issued_at: at(0),
        authority: key(AUTHORITY).public(),
        policy: Policy {
            suites: BTreeSet::from([Suite::International]),
            lease: Millis::from_secs(60),
            default_rule: DefaultRule::Deny,
            break_glass: true,
            proofs: 7,
            open_without_lease: false,
            evaluations_per_day: 10_000,
            evaluations_backfill: 1_000_000,
            rp_id: Some("demo.example".to_owned()),
            origins: vec!["https://demo.example".to_owned()],
            vouchers: vec![code("hospital")],
        },
        members: vec![
            member("bureau", MemberRole::Bureau, BUREAU),
            clinic,
            hospital,
            member("portal", MemberRole::Portal, PORTAL),
            registry,
        ],
        token_keys: vec![token_secret().public()],
        log_id: code("log-1"),
    }
}

/// The list after `known`, with changes.
pub(crate) fn next_list(known: &Directory, change: impl FnOnce(&mut MemberList)) -> MemberList {
    let mut list = known.list().clone();
    list.version += 1;
    list.previous = Some(known.payload_hash());
    change(&mut list);
    list
}

pub(crate) fn signed(list: &MemberList, authority: u8) -> Envelope {
    Envelope::sign(&region(), list, &key(authority))
}

pub(crate) fn directory_of(list: &MemberList) -> Directory {
    Directory::first(&region(), &key(AUTHORITY).public(), &signed(list, AUTHORITY)).unwrap()
}

/// The directory of the first list with changes.
pub(crate) fn directory_with(change: impl FnOnce(&mut MemberList)) -> Directory {
    let mut list = list();
    change(&mut list);
    directory_of(&list)
}

pub(crate) fn directory() -> Directory {
    directory_of(&list())
}

/// The member of a list with this code.
pub(crate) fn member_of<'a>(list: &'a mut MemberList, name: &str) -> &'a mut Member {
    list.members.iter_mut().find(|member| member.code.as_str() == name).unwrap()
}
