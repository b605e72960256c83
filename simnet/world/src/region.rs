//! Who is a member of the region, with which keys and under which policy. Everything follows from the seed.

use std::collections::BTreeSet;

use yiqiao_proto::codes::{DefaultRule, KeyUse, MemberRole};
use yiqiao_proto::directory::Directory;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::hash;
use yiqiao_proto::id::Code;
use yiqiao_proto::member::{KeyState, Member, MemberList, Policy, SealingKey, SigningKey, Transport};
use yiqiao_proto::release::SealingSecret;
use yiqiao_proto::suite::{SecretKey, Suite};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::TokenSecret;
use zeroize::Zeroizing;

use crate::limits::LEASE;
use crate::network::Who;

/// The members, and where their keys come from.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    seed: u64,
    /// Codes of the members: the registry's, then those of the nodes.
    codes: Vec<Code>,
    pub(crate) directory: Directory,
}

/// What a key is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum For {
    Authority = 1,
    Words,
    Checkpoint,
    Lease,
    Sealing,
    AtRest,
    Tokens,
    Transport,
    Folder,
}

impl Region {
    /// The region of a seed, with nodes of these codes.
    pub(crate) fn new(seed: u64, nodes: &[Code], now: Timestamp) -> Self {
        let mut codes = vec![constant("registry")];
        codes.extend_from_slice(nodes);
        let list = list(seed, &codes, now);
        let envelope = Envelope::sign(&code(), &list, &key(seed, Who::REGISTRY, For::Authority));
        let directory = Directory::first(&code(), &list.authority, &envelope);
        Self { seed, codes, directory: directory.expect("the authority has signed the list just now") }
    }

    pub(crate) fn code_of(&self, who: Who) -> &Code {
        self.codes.get(usize::from(who.0)).expect("every process is a member")
    }

    pub(crate) fn who(&self, code: &Code) -> Option<Who> {
        let at = self.codes.iter().position(|known| known == code)?;
        u16::try_from(at).ok().map(Who)
    }

    pub(crate) fn key(&self, who: Who, what: For) -> SecretKey {
        key(self.seed, who, what)
    }

    pub(crate) fn sealing(&self, who: Who) -> SealingSecret {
        SealingSecret::new(&secret(self.seed, who, For::Sealing))
    }

    pub(crate) fn secret(&self, who: Who, what: For) -> Zeroizing<[u8; 32]> {
        secret(self.seed, who, what)
    }

    pub(crate) fn tokens(&self) -> TokenSecret {
        token_secret(self.seed)
    }

    /// The transport identity of a process.
    pub(crate) fn peer_id(&self, who: Who) -> Vec<u8> {
        peer_id(self.seed, who)
    }
}

/// The region's code.
pub(crate) fn code() -> Code {
    constant("sim")
}

/// A code that is written in the program.
pub(crate) fn constant(text: &str) -> Code {
    Code::new(text).expect("it has the form of a code")
}

fn secret(seed: u64, who: Who, what: For) -> Zeroizing<[u8; 32]> {
    let parts = [seed, u64::from(who.0), what as u64].map(u64::to_be_bytes);
    Zeroizing::new(hash::sha256_plain(&parts.each_ref().map(<[u8; 8]>::as_slice)))
}

fn key(seed: u64, who: Who, what: For) -> SecretKey {
    SecretKey::new(Suite::International, secret(seed, who, what))
}

fn token_secret(seed: u64) -> TokenSecret {
    let seed = secret(seed, Who::REGISTRY, For::Tokens);
    TokenSecret::new(1, &seed).expect("a seed of 32 bytes makes a key")
}

fn peer_id(seed: u64, who: Who) -> Vec<u8> {
    [[0, 36, 8, 1, 18, 32].as_slice(), secret(seed, who, For::Transport).as_slice()].concat()
}

fn list(seed: u64, codes: &[Code], now: Timestamp) -> MemberList {
    let mut members: Vec<Member> =
        (0..).zip(codes).map(|(number, code)| member(seed, Who(number), code)).collect();
    members.sort_by(|one, other| one.code.cmp(&other.code));
    MemberList {
        region: code(),
        version: 1,
        previous: None,
        issued_at: now,
        authority: key(seed, Who::REGISTRY, For::Authority).public(),
        policy: Policy {
            suites: BTreeSet::from([Suite::International]),
            lease: LEASE,
            default_rule: DefaultRule::Deny,
            break_glass: true,
            proofs: 7,
            open_without_lease: false,
            evaluations_per_day: 1_000_000,
            evaluations_backfill: 0,
            rp_id: None,
            origins: Vec::new(),
            vouchers: Vec::new(),
        },
        members,
        token_keys: vec![token_secret(seed).public()],
        log_id: constant("log-1"),
    }
}

fn member(seed: u64, who: Who, code: &Code) -> Member {
    let signing =
        |what, for_use| SigningKey { key: key(seed, who, what).public(), for_use, state: KeyState::Valid };
    let is_registry = who == Who::REGISTRY;
    let mut signing_keys = vec![signing(For::Words, KeyUse::Words)];
    if is_registry {
        signing_keys.push(signing(For::Checkpoint, KeyUse::Checkpoint));
        signing_keys.push(signing(For::Lease, KeyUse::Lease));
    }
    let sealing = SealingSecret::new(&secret(seed, who, For::Sealing)).public();
    let sealing = SealingKey::countersigned(&self::code(), code, sealing, &key(seed, who, For::Words));
    Member {
        code: code.clone(),
        name: code.to_string(),
        contact: "-".to_owned(),
        roles: BTreeSet::from([if is_registry { MemberRole::Registry } else { MemberRole::Custodian }]),
        suspended: false,
        transports: vec![Transport {
            peer_id: peer_id(seed, who),
            addresses: vec!["/ip4/127.0.0.1/tcp/8400".to_owned()],
        }],
        signing_keys,
        sealing_keys: vec![sealing],
    }
}
