//! Members: who belongs to the region, with which keys (M-1, M-4, M-5, M-8 to M-10): the word that the authority signs.
//!
//! Not here: questions to the list, and how one list follows another: `directory`.

use std::collections::BTreeSet;

use crate::codes::{DefaultRule, KeyStatus, KeyUse, MemberRole};
use crate::decode::{self, DecodeError, check, required};
use crate::envelope::{Kind, Word};
use crate::hash::{self, domain};
use crate::id::{Code, Digest, KeyId};
use crate::limits;
use crate::suite::{self, PublicKey, SecretKey, Suite};
use crate::time::{Millis, Timestamp};
use crate::wire::words as wire;

/// The members of a region at one version (M-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberList {
    /// The region.
    pub region: Code,
    /// Counts from 1.
    pub version: u64,
    /// Hash of the previous version's payload; none for the first (M-2).
    pub previous: Option<Digest>,
    /// When the authority signed it.
    pub issued_at: Timestamp,
    /// The key that must sign the *next* version: how the authority rotates (M-8).
    pub authority: PublicKey,
    /// The region's policy.
    pub policy: Policy,
    /// The members, ascending by code.
    pub members: Vec<Member>,
    /// The keys of the token function, ascending by epoch (M-9).
    pub token_keys: Vec<TokenKey>,
    /// The log that counts: after a restore from backup another one (L-9).
    pub log_id: Code,
}

/// What the region has decided, as data (M-10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Suites that its members may use.
    pub suites: BTreeSet<Suite>,
    /// How long a lease lasts.
    pub lease: Millis,
    /// What holds where no directive speaks (D-7).
    pub default_rule: DefaultRule,
    /// Whether emergency access exists at all (D-8).
    pub break_glass: bool,
    /// Which proofs of a consent act suffice: bit 0 passkey, bit 1 attested login, bit 2 desk witness (C-8).
    pub proofs: u32,
    /// Whether received copies may be opened without a lease until their release expires.
    pub open_without_lease: bool,
    /// Token evaluations of one member in one day (T-5).
    pub evaluations_per_day: u64,
    /// Token evaluations of one member in all, beyond the daily ones (T-5).
    pub evaluations_backfill: u64,
    /// The domain to which patients' passkeys are bound (C-9); none: no passkeys.
    pub rp_id: Option<String>,
    /// The origins from which passkeys sign.
    pub origins: Vec<String>,
    /// Members that may vouch for passkeys, ascending; empty: every custodian and portal.
    pub vouchers: Vec<Code>,
}

/// One organisation of the region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its code, which words carry.
    pub code: Code,
    /// Its name, for people.
    pub name: String,
    /// How a patient reaches it (PIPL article 23).
    pub contact: String,
    /// What it is.
    pub roles: BTreeSet<MemberRole>,
    /// Suspended: it says nothing and gets nothing until restored (M-7).
    pub suspended: bool,
    /// Its libp2p identities.
    pub transports: Vec<Transport>,
    /// Keys that sign.
    pub signing_keys: Vec<SigningKey>,
    /// Keys to which others seal.
    pub sealing_keys: Vec<SealingKey>,
}

/// A libp2p identity and where it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transport {
    /// The peer id, as bytes of its multihash.
    pub peer_id: Vec<u8>,
    /// Multiaddresses as text.
    pub addresses: Vec<String>,
}

impl Member {
    /// Its valid keys of a use, the newest first: it signs with the first one that it holds (M-5).
    pub fn signs_with(&self, for_use: KeyUse) -> impl Iterator<Item = &SigningKey> {
        let of_use = move |key: &&SigningKey| key.for_use == for_use && key.state == KeyState::Valid;
        self.signing_keys.iter().rev().filter(of_use)
    }
}

/// Whether a key counts, and since when it does not (M-5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Signs and is believed.
    Valid,
    /// Signs nothing new.
    Retired,
    /// In other hands: what stands in the log from this place on is not believed.
    CompromisedSince(u64),
}

/// A key that signs for one use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// The key.
    pub key: PublicKey,
    /// What it signs.
    pub for_use: KeyUse,
    /// Whether it counts.
    pub state: KeyState,
}

impl SigningKey {
    /// The key's public name.
    pub fn id(&self) -> KeyId {
        self.key.id(self.for_use)
    }
}

/// An HPKE key, countersigned by a signing key of the same member (M-4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealingKey {
    /// Its suite.
    pub suite: Suite,
    /// The X25519 public key.
    pub public_key: [u8; 32],
    /// The signing key that vouches for it.
    pub signer: KeyId,
    /// Its signature.
    pub countersignature: Vec<u8>,
    /// Whether it counts.
    pub state: KeyState,
}

impl SealingKey {
    /// Announces a sealing key under a signing key of the same member.
    pub fn countersigned(region: &Code, member: &Code, public_key: [u8; 32], key: &SecretKey) -> Self {
        let public = key.public();
        let (suite, signer) = (public.suite(), public.id(KeyUse::Words));
        let countersignature = key.sign(&Self::signed_bytes(region, member, suite, &public_key));
        Self { suite, public_key, signer, countersignature, state: KeyState::Valid }
    }

    /// The key's public name.
    pub fn id(&self) -> KeyId {
        /// Sealing is no use of a signing key: its number lies outside of theirs.
        const SEALING: u32 = 100;
        suite::key_id(self.suite, SEALING, &self.public_key)
    }

    /// What the countersignature is over.
    pub fn signed_bytes(region: &Code, member: &Code, suite: Suite, public_key: &[u8; 32]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let parts: [&[u8]; 4] = [
            region.as_str().as_bytes(),
            member.as_str().as_bytes(),
            &suite.number().to_be_bytes(),
            public_key,
        ];
        hash::each_part(domain::SEALING_KEY, &parts, |part| bytes.extend_from_slice(part));
        bytes
    }
}

/// What a words key of a member signs to vouch for its request for a further key (M-13): its use, and the key or the identity and its
/// addresses as the file has them.
pub fn key_request_bytes(region: &Code, member: &Code, key_use: &str, key: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let fixed = [region.as_str(), member.as_str(), key_use];
    let parts: Vec<&[u8]> = fixed.iter().chain(key).map(|part| part.as_bytes()).collect();
    hash::each_part(domain::KEY_REQUEST, &parts, |part| bytes.extend_from_slice(part));
    bytes
}

/// The public key of the token function in one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenKey {
    /// Counts from 1.
    pub epoch: u32,
    /// A ristretto255 element.
    pub public_key: [u8; 32],
}

impl Word for MemberList {
    const KIND: Kind = Kind::MemberList;
    const NAME: &'static str = "member_list";
    type Wire = wire::MemberList;

    fn read(wire: wire::MemberList) -> Result<Self, DecodeError> {
        decode::at_most("member_list.members", wire.members.len(), limits::MEMBERS_MAX)?;
        let region = decode::code("member_list.region", wire.region)?;
        let members: Vec<Member> =
            wire.members.into_iter().map(|member| read_member(&region, member)).collect::<Result<_, _>>()?;
        let ascending = members.is_sorted_by(|a, b| a.code < b.code);
        check("member_list.members", ascending, "ascending by code, none twice")?;
        check(
            "member_list.members",
            has_one_registry(&members),
            "one keeps the index, and is nothing else (M-9)",
        )?;
        let authority = required("member_list.authority", wire.authority)?;
        let authority = read_key("member_list.authority", authority.suite, &authority.public_key)?;
        check("member_list.members", keys_are_apart(&authority, &members), "no key and no peer id twice")?;
        let policy = read_policy(required("member_list.policy", wire.policy)?)?;
        let allowed = members.iter().flat_map(suites).all(|suite| policy.suites.contains(&suite));
        check("member_list.members", allowed, "keys of the suites that the policy allows (S-2)")?;
        let allowed = policy.suites.contains(&authority.suite());
        check("member_list.authority", allowed, "of a suite that the policy allows (S-2)")?;
        Ok(Self {
            version: decode::ordinal("member_list.version", wire.version)?,
            previous: read_previous("member_list.previous", wire.version, &wire.previous)?,
            issued_at: decode::time("member_list.issued_at", wire.issued_at)?,
            authority,
            policy,
            token_keys: read_token_keys(&wire.token_keys)?,
            log_id: decode::code("member_list.log_id", wire.log_id)?,
            region,
            members,
        })
    }

    fn write(&self) -> wire::MemberList {
        wire::MemberList {
            region: self.region.to_string(),
            version: self.version,
            previous: write_optional(self.previous.as_ref()),
            issued_at: self.issued_at.unix_ms(),
            authority: Some(wire::AuthorityKey {
                suite: self.authority.suite().number(),
                public_key: self.authority.as_bytes().to_vec(),
            }),
            policy: Some(write_policy(&self.policy)),
            members: self.members.iter().map(write_member).collect(),
            token_keys: (self.token_keys.iter())
                .map(|key| wire::TokenKey { epoch: key.epoch, public_key: key.public_key.to_vec() })
                .collect(),
            log_id: self.log_id.to_string(),
        }
    }
}

/// The hash of the word before: missing exactly in the first of its chain.
pub(crate) fn read_previous(
    field: &'static str,
    number: u64,
    bytes: &[u8],
) -> Result<Option<Digest>, DecodeError> {
    let previous = Digest::read_optional(field, bytes)?;
    check(field, previous.is_none() == (number == 1), "missing exactly in the first of a chain")?;
    Ok(previous)
}

pub(crate) fn write_optional(id: Option<&impl AsRef<[u8]>>) -> Vec<u8> {
    id.map(|id| id.as_ref().to_vec()).unwrap_or_default()
}

/// M-9: whoever answers for the region keeps no documents and asks for none.
fn has_one_registry(members: &[Member]) -> bool {
    let mut registries = members.iter().filter(|member| member.roles.contains(&MemberRole::Registry));
    registries.next().is_some_and(|registry| registry.roles.len() == 1) && registries.next().is_none()
}

fn suites(member: &Member) -> impl Iterator<Item = Suite> {
    let signing = member.signing_keys.iter().map(|signing| signing.key.suite());
    signing.chain(member.sealing_keys.iter().map(|sealing| sealing.suite))
}

fn keys_are_apart(authority: &PublicKey, members: &[Member]) -> bool {
    let mut seen: BTreeSet<&[u8]> = BTreeSet::from([authority.as_bytes().as_slice()]);
    let keys = members.iter().flat_map(|member| {
        let signing = member.signing_keys.iter().map(|signing| signing.key.as_bytes().as_slice());
        let sealing = member.sealing_keys.iter().map(|sealing| sealing.public_key.as_slice());
        let peers = member.transports.iter().map(|transport| transport.peer_id.as_slice());
        signing.chain(sealing).chain(peers)
    });
    keys.into_iter().all(|key| seen.insert(key))
}

fn read_key(field: &'static str, suite: u32, bytes: &[u8]) -> Result<PublicKey, DecodeError> {
    let suite = decode::one_code(field, suite)?;
    PublicKey::new(suite, bytes).map_err(|_| DecodeError::Invalid {
        field,
        rule: "a public key of its suite, not of small order (S-3)",
    })
}

fn read_policy(wire: wire::Policy) -> Result<Policy, DecodeError> {
    decode::at_most("policy.origins", wire.origins.len(), limits::CODES_MAX)?;
    decode::at_most("policy.vouchers", wire.vouchers.len(), limits::MEMBERS_MAX)?;
    let origin = |text| decode::text("policy.origins", text, limits::NAME_BYTES_MAX);
    let origins = wire.origins.into_iter().map(origin).collect::<Result<_, _>>()?;
    let voucher = |code| decode::code("policy.vouchers", code);
    let vouchers: Vec<Code> = wire.vouchers.into_iter().map(voucher).collect::<Result<_, _>>()?;
    check("policy.vouchers", vouchers.is_sorted_by(|a, b| a < b), "ascending, none twice")?;
    let lease_is_bounded = (1_000..=limits::LEASE_MS_MAX).contains(&wire.lease_ms);
    check("policy.lease_ms", lease_is_bounded, "from 1 s to 300 s")?;
    check("policy.proofs", (1..8).contains(&wire.proofs), "at least one of three bits")?;
    Ok(Policy {
        suites: decode::codes("policy.suites", &wire.suites)?,
        lease: Millis::new(wire.lease_ms),
        default_rule: decode::one_code("policy.default_rule", wire.default_rule)?,
        break_glass: wire.break_glass,
        proofs: wire.proofs,
        open_without_lease: wire.open_without_lease,
        evaluations_per_day: wire.evaluations_per_day,
        evaluations_backfill: wire.evaluations_backfill,
        rp_id: (!wire.rp_id.is_empty()).then(|| decode::label("policy.rp_id", wire.rp_id)).transpose()?,
        origins,
        vouchers,
    })
}

fn write_policy(policy: &Policy) -> wire::Policy {
    wire::Policy {
        suites: policy.suites.iter().map(|suite| suite.number()).collect(),
        lease_ms: policy.lease.get(),
        default_rule: policy.default_rule.number(),
        break_glass: policy.break_glass,
        proofs: policy.proofs,
        open_without_lease: policy.open_without_lease,
        evaluations_per_day: policy.evaluations_per_day,
        evaluations_backfill: policy.evaluations_backfill,
        rp_id: policy.rp_id.clone().unwrap_or_default(),
        origins: policy.origins.clone(),
        vouchers: policy.vouchers.iter().map(Code::to_string).collect(),
    }
}

fn read_member(region: &Code, wire: wire::Member) -> Result<Member, DecodeError> {
    decode::at_most("member.roles", wire.roles.len(), limits::ROLES_MAX)?;
    decode::at_most("member.transports", wire.transports.len(), limits::TRANSPORTS_MAX)?;
    decode::at_most("member.signing_keys", wire.signing_keys.len(), limits::KEYS_MAX)?;
    decode::at_most("member.sealing_keys", wire.sealing_keys.len(), limits::KEYS_MAX)?;
    let member = Member {
        code: decode::code("member.code", wire.code)?,
        name: decode::text("member.name", wire.name, limits::NAME_BYTES_MAX)?,
        contact: decode::text("member.contact", wire.contact, limits::NAME_BYTES_MAX)?,
        roles: decode::codes("member.roles", &wire.roles)?,
        suspended: wire.suspended,
        transports: wire.transports.into_iter().map(read_transport).collect::<Result<_, _>>()?,
        signing_keys: wire.signing_keys.iter().map(read_signing_key).collect::<Result<_, _>>()?,
        sealing_keys: wire.sealing_keys.into_iter().map(read_sealing_key).collect::<Result<_, _>>()?,
    };
    check("member.roles", !member.roles.is_empty(), "at least one")?;
    for sealing in &member.sealing_keys {
        let vouched = is_vouched(region, &member, sealing);
        check("member.sealing_keys", vouched, "countersigned by a signing key of the same member (M-4)")?;
    }
    Ok(member)
}

fn is_vouched(region: &Code, member: &Member, sealing: &SealingKey) -> bool {
    let signed = SealingKey::signed_bytes(region, &member.code, sealing.suite, &sealing.public_key);
    // A key that is sealed to no longer stays in the list (M-12), even if what vouched for it is in other hands by now.
    let is_sealed_to = sealing.state == KeyState::Valid;
    member.signing_keys.iter().any(|signing| {
        signing.for_use == KeyUse::Words
            && signing.id() == sealing.signer
            && !(is_sealed_to && matches!(signing.state, KeyState::CompromisedSince(_)))
            && signing.key.verify(&signed, &sealing.countersignature)
    })
}

fn write_member(member: &Member) -> wire::Member {
    let signing = |signing: &SigningKey| wire::SigningKey {
        suite: signing.key.suite().number(),
        r#use: signing.for_use.number(),
        public_key: signing.key.as_bytes().to_vec(),
        state: Some(write_state(signing.state)),
    };
    let sealing = |sealing: &SealingKey| wire::SealingKey {
        suite: sealing.suite.number(),
        public_key: sealing.public_key.to_vec(),
        signer: sealing.signer.as_bytes().to_vec(),
        countersignature: sealing.countersignature.clone(),
        state: Some(write_state(sealing.state)),
    };
    let transport = |transport: &Transport| wire::Transport {
        peer_id: transport.peer_id.clone(),
        addresses: transport.addresses.clone(),
    };
    wire::Member {
        code: member.code.to_string(),
        name: member.name.clone(),
        contact: member.contact.clone(),
        roles: member.roles.iter().map(|role| role.number()).collect(),
        suspended: member.suspended,
        transports: member.transports.iter().map(transport).collect(),
        signing_keys: member.signing_keys.iter().map(signing).collect(),
        sealing_keys: member.sealing_keys.iter().map(sealing).collect(),
    }
}

fn read_transport(wire: wire::Transport) -> Result<Transport, DecodeError> {
    decode::at_most("transport.addresses", wire.addresses.len(), limits::ADDRESSES_MAX)?;
    check("transport.peer_id", (34..=64).contains(&wire.peer_id.len()), "34 to 64 bytes")?;
    let address = |text| decode::text("transport.addresses", text, limits::ADDRESS_BYTES_MAX);
    let addresses = wire.addresses.into_iter().map(address).collect::<Result<_, _>>()?;
    Ok(Transport { peer_id: wire.peer_id, addresses })
}

fn read_signing_key(wire: &wire::SigningKey) -> Result<SigningKey, DecodeError> {
    Ok(SigningKey {
        key: read_key("signing_key.public_key", wire.suite, &wire.public_key)?,
        for_use: decode::one_code("signing_key.use", wire.r#use)?,
        state: read_state(required("signing_key.state", wire.state)?)?,
    })
}

fn read_sealing_key(wire: wire::SealingKey) -> Result<SealingKey, DecodeError> {
    let signature = wire.countersignature;
    decode::at_most_bytes("sealing_key.countersignature", signature.len(), limits::SIGNATURE_BYTES_MAX)?;
    Ok(SealingKey {
        suite: decode::one_code("sealing_key.suite", wire.suite)?,
        public_key: Digest::read("sealing_key.public_key", &wire.public_key).map(|key| *key.as_bytes())?,
        signer: KeyId::read("sealing_key.signer", &wire.signer)?,
        countersignature: signature,
        state: read_state(required("sealing_key.state", wire.state)?)?,
    })
}

fn read_state(wire: wire::KeyState) -> Result<KeyState, DecodeError> {
    let status = decode::one_code("key_state.status", wire.status)?;
    let since = wire.compromised_since;
    check(
        "key_state.compromised_since",
        since == 0 || status == KeyStatus::Compromised,
        "only if compromised",
    )?;
    Ok(match status {
        KeyStatus::Valid => KeyState::Valid,
        KeyStatus::Retired => KeyState::Retired,
        KeyStatus::Compromised => KeyState::CompromisedSince(since),
    })
}

const fn write_state(state: KeyState) -> wire::KeyState {
    let (status, compromised_since) = match state {
        KeyState::Valid => (KeyStatus::Valid, 0),
        KeyState::Retired => (KeyStatus::Retired, 0),
        KeyState::CompromisedSince(since) => (KeyStatus::Compromised, since),
    };
    wire::KeyState { status: status.number(), compromised_since }
}

fn read_token_keys(wire: &[wire::TokenKey]) -> Result<Vec<TokenKey>, DecodeError> {
    decode::at_most("member_list.token_keys", wire.len(), limits::TOKEN_KEYS_MAX)?;
    let read = |key: &wire::TokenKey| {
        let public_key = Digest::read("token_key.public_key", &key.public_key)?;
        check("token_key.epoch", key.epoch > 0, "counts from 1")?;
        Ok(TokenKey { epoch: key.epoch, public_key: *public_key.as_bytes() })
    };
    let keys = wire.iter().map(read).collect::<Result<Vec<_>, DecodeError>>()?;
    check("member_list.token_keys", keys.is_sorted_by(|a, b| a.epoch < b.epoch), "ascending by epoch")?;
    let apart: BTreeSet<[u8; 32]> = keys.iter().map(|key| key.public_key).collect();
    check("member_list.token_keys", apart.len() == keys.len(), "a key of its own for each epoch (T-7)")?;
    Ok(keys)
}
