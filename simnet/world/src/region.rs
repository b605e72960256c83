//! Who is a member of the region, with which keys and under which policy. Everything follows from the seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
use crate::plant::Plant;
use crate::randomness::{Part, stream};
use crate::setup::Setup;

/// The domain of passkeys, and the page on which they sign.
pub(crate) const RP_ID: &str = "sim.example";
/// See [`RP_ID`].
pub(crate) const ORIGIN: &str = "https://sim.example";

/// The members, and where their keys come from. Clones share what they know.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    seed: u64,
    suite: Suite,
    /// Codes of the members: the registry's, then those of the nodes.
    codes: Arc<[Code]>,
    by_code: Arc<BTreeMap<Code, Who>>,
    peer_ids: Arc<[Vec<u8>]>,
    /// The first member list, which every process is given.
    pub(crate) first: Arc<Envelope>,
    pub(crate) directory: Directory,
}

/// Which of the keys that a process has had it uses: both count from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InUse {
    pub(crate) words: u8,
    pub(crate) sealing: u8,
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
    /// The region of a seed, with nodes of these codes, but for those that are to join later.
    pub(crate) fn new(setup: &Setup, nodes: &[Code], later: Option<Who>, now: Timestamp) -> Self {
        let (seed, suite) = (setup.seed, if setup.cheap { Suite::Simulation } else { Suite::International });
        let mut codes = vec![constant("registry")];
        codes.extend_from_slice(nodes);
        let mut list = list((suite, seed), &codes, later, now);
        if setup.plant == Some(Plant::AllVouch) {
            list.policy.vouchers.clear();
        }
        list.policy.break_glass |= setup.plant == Some(Plant::GlassEverywhere);
        let first = Envelope::sign(&code(), &list, &key((suite, seed), Who::REGISTRY, For::Authority, 0));
        let directory = Directory::first(&code(), &list.authority, &first);
        let directory = directory.expect("the authority has signed the list just now");
        let by_code = codes.iter().cloned().zip((0..).map(Who)).collect();
        let peer_ids = (0..).map(Who).take(codes.len()).map(|who| peer_id(seed, who)).collect();
        Self {
            seed,
            suite,
            codes: codes.into(),
            by_code: Arc::new(by_code),
            peer_ids,
            first: Arc::new(first),
            directory,
        }
    }

    /// Who may vouch for passkeys, whatever processes make of it (C-9).
    pub(crate) fn vouchers(&self) -> Vec<Code> {
        vouchers(&self.codes)
    }

    /// Whether it wants emergencies, whatever processes make of it (M-10).
    pub(crate) fn wants_emergencies(&self) -> bool {
        wants_emergencies(self.seed)
    }

    /// How a process stands in a list that admits it.
    pub(crate) fn member(&self, who: Who) -> Member {
        member((self.suite, self.seed), who, self.code_of(who))
    }

    pub(crate) fn code_of(&self, who: Who) -> &Code {
        self.codes.get(usize::from(who.0)).expect("every process is a member")
    }

    /// All processes with their codes.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Who, &Code)> {
        (0..).map(Who).zip(self.codes.iter())
    }

    pub(crate) fn who(&self, code: &Code) -> Option<Who> {
        self.by_code.get(code).copied()
    }

    /// The first key of a process for a use.
    pub(crate) fn key(&self, who: Who, what: For) -> SecretKey {
        self.nth_key(who, what, 0)
    }

    /// A later one.
    pub(crate) fn nth_key(&self, who: Who, what: For, number: u8) -> SecretKey {
        key((self.suite, self.seed), who, what, number)
    }

    pub(crate) fn sealing(&self, who: Who, number: u8) -> SealingSecret {
        SealingSecret::new(&secret(self.seed, who, For::Sealing, number))
    }

    pub(crate) fn secret(&self, who: Who, what: For) -> Zeroizing<[u8; 32]> {
        secret(self.seed, who, what, 0)
    }

    /// The token key of an epoch; none is there for more than a few.
    pub(crate) fn tokens(&self, epoch: u32) -> TokenSecret {
        token_secret(self.seed, epoch)
    }

    /// The transport identity of a process.
    pub(crate) fn peer_id(&self, who: Who) -> &[u8] {
        self.peer_ids.get(usize::from(who.0)).expect("every process is a member")
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

fn secret(seed: u64, who: Who, what: For, number: u8) -> Zeroizing<[u8; 32]> {
    let parts = [seed, u64::from(who.0), u64::from(number) << 8 | what as u64].map(u64::to_be_bytes);
    Zeroizing::new(hash::sha256_plain(&parts.each_ref().map(<[u8; 8]>::as_slice)))
}

fn key((suite, seed): (Suite, u64), who: Who, what: For, number: u8) -> SecretKey {
    SecretKey::new(suite, &secret(seed, who, what, number))
}

fn token_secret(seed: u64, epoch: u32) -> TokenSecret {
    let number = u8::try_from(epoch.saturating_sub(1)).unwrap_or(u8::MAX);
    let seed = secret(seed, Who::REGISTRY, For::Tokens, number);
    TokenSecret::new(epoch, &seed).expect("a seed of 32 bytes makes a key")
}

fn peer_id(seed: u64, who: Who) -> Vec<u8> {
    [[0, 36, 8, 1, 18, 32].as_slice(), secret(seed, who, For::Transport, 0).as_slice()].concat()
}

fn list(made: (Suite, u64), codes: &[Code], later: Option<Who>, now: Timestamp) -> MemberList {
    let members = (0..).map(Who).zip(codes).filter(|(who, _)| Some(*who) != later);
    let mut members: Vec<Member> = members.map(|(who, code)| member(made, who, code)).collect();
    members.sort_by(|one, other| one.code.cmp(&other.code));
    MemberList {
        region: code(),
        version: 1,
        previous: None,
        issued_at: now,
        authority: key(made, Who::REGISTRY, For::Authority, 0).public(),
        policy: Policy {
            suites: BTreeSet::from([made.0]),
            lease: LEASE,
            default_rule: DefaultRule::Deny,
            break_glass: wants_emergencies(made.1),
            proofs: 7,
            open_without_lease: false,
            evaluations_per_day: 1_000_000,
            evaluations_backfill: 0,
            rp_id: Some(RP_ID.to_owned()),
            origins: vec![ORIGIN.to_owned()],
            vouchers: vouchers(codes),
        },
        members,
        token_keys: vec![token_secret(made.1, 1).public()],
        log_id: constant("log-1"),
    }
}

/// Four of five regions know emergencies (M-10).
fn wants_emergencies(seed: u64) -> bool {
    stream(seed, Part::Policy, 0).percent(80)
}

/// Every other hospital may vouch for passkeys (C-9).
fn vouchers(codes: &[Code]) -> Vec<Code> {
    let vouchers: BTreeSet<Code> = codes.iter().skip(1).step_by(2).cloned().collect();
    vouchers.into_iter().collect()
}

fn member(made: (Suite, u64), who: Who, code: &Code) -> Member {
    let signing =
        |what, for_use| SigningKey { key: key(made, who, what, 0).public(), for_use, state: KeyState::Valid };
    let is_registry = who == Who::REGISTRY;
    let mut signing_keys = vec![signing(For::Words, KeyUse::Words)];
    if is_registry {
        signing_keys.push(signing(For::Checkpoint, KeyUse::Checkpoint));
        signing_keys.push(signing(For::Lease, KeyUse::Lease));
    }
    let sealing = SealingSecret::new(&secret(made.1, who, For::Sealing, 0)).public();
    let sealing = SealingKey::countersigned(&self::code(), code, sealing, &key(made, who, For::Words, 0));
    Member {
        code: code.clone(),
        name: code.to_string(),
        contact: "-".to_owned(),
        roles: BTreeSet::from([if is_registry { MemberRole::Registry } else { MemberRole::Custodian }]),
        suspended: false,
        transports: vec![Transport {
            peer_id: peer_id(made.1, who),
            addresses: vec!["/ip4/127.0.0.1/tcp/8400".to_owned()],
        }],
        signing_keys,
        sealing_keys: vec![sealing],
    }
}
