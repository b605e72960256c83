//! The member list, ready for questions: which key is whose, and may it say this (E-5, M-2, M-3, M-5 to M-8).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::codes::{KeyUse, MemberRole};
use crate::decode::DecodeError;
use crate::envelope::{Envelope, EnvelopeError, Kind, Said, Word};
use crate::id::{Code, Digest, KeyId};
use crate::member::{KeyState, Member, MemberList, SealingKey};
use crate::suite::{PublicKey, Suite};

/// The members, ready for questions: which key is whose. Clones share one list, however long it is.
#[derive(Clone, Debug)]
pub struct Directory(Arc<Known>);

#[derive(Debug)]
struct Known {
    list: MemberList,
    payload_hash: Digest,
    by_code: Marks,
    /// Key id to the places of its member and of the key.
    signing: BTreeMap<KeyId, (usize, usize)>,
    /// Peer ids of members that are not suspended.
    by_peer: Marks,
    /// The registry's keys that sign checkpoints now: every lease asks for them, and a region has many members.
    checkpoint_keys: Vec<PublicKey>,
}

impl Directory {
    /// Takes the first list of a region, signed by the authority key that was handed over outside of the exchange.
    ///
    /// # Errors
    /// [`ListError`] if the list is not that.
    pub fn first(region: &Code, authority: &PublicKey, envelope: &Envelope) -> Result<Self, ListError> {
        let first = Self::signed_by(region, authority, envelope)?;
        let version = first.list().version;
        if version == 1 { Ok(first) } else { Err(ListError::NotNext { known: 0, found: version }) }
    }

    /// Reads a list of any version that this authority key signed: not to go on from, but to judge what was said under it.
    ///
    /// # Errors
    /// [`ListError`] if the list is not that.
    pub fn signed_by(region: &Code, authority: &PublicKey, envelope: &Envelope) -> Result<Self, ListError> {
        Ok(Self::index(read_list(region, authority, envelope)?, envelope.payload_hash()))
    }

    /// Takes the list whose payload hash was handed over outside of the exchange (M-3): how a member joins a region that has
    /// changed its authority key since its first list.
    ///
    /// # Errors
    /// [`ListError`] if the envelope is not that list, or of another region.
    pub fn pinned(region: &Code, payload_hash: Digest, envelope: &Envelope) -> Result<Self, ListError> {
        if envelope.kind() != Kind::MemberList || envelope.payload_hash() != payload_hash {
            return Err(EnvelopeError::BadSignature.into());
        }
        let list = MemberList::decode(envelope.payload())?;
        if list.region != *region {
            return Err(ListError::OtherRegion { found: list.region });
        }
        keeps_simulation_apart(&list, list.authority.suite())?;
        Ok(Self::index(list, payload_hash))
    }

    /// Takes the next list: signed by the authority that this one names, and following from it (M-2, M-3, M-8).
    ///
    /// # Errors
    /// [`ListError`] if it is not the next one; the known list stays in force.
    pub fn next(&self, envelope: &Envelope) -> Result<Self, ListError> {
        let list = read_list(&self.0.list.region, &self.0.list.authority, envelope)?;
        if list.version != self.0.list.version + 1 {
            return Err(ListError::NotNext { known: self.0.list.version, found: list.version });
        }
        if list.previous != Some(self.0.payload_hash) {
            return Err(ListError::OtherHistory { found: list.version });
        }
        follows(&self.0.list, &list)?;
        Ok(Self::index(list, envelope.payload_hash()))
    }

    /// The region.
    pub fn region(&self) -> &Code {
        &self.0.list.region
    }

    /// The list.
    pub fn list(&self) -> &MemberList {
        &self.0.list
    }

    /// Hash of the list's payload.
    pub fn payload_hash(&self) -> Digest {
        self.0.payload_hash
    }

    /// The member with this code.
    pub fn member(&self, code: &Code) -> Option<&Member> {
        let Known { list, by_code, .. } = &*self.0;
        by_code.find(code.as_str().as_bytes(), &list.members, |member| member.code == *code)
    }

    /// The member to which a libp2p identity belongs, unless it is suspended.
    pub fn member_at(&self, peer_id: &[u8]) -> Option<&Member> {
        let Known { list, by_peer, .. } = &*self.0;
        let has_it = |member: &Member| member.transports.iter().any(|transport| transport.peer_id == peer_id);
        by_peer.find(peer_id, &list.members, has_it)
    }

    /// The registry's keys that sign checkpoints now.
    pub fn checkpoint_keys(&self) -> Vec<PublicKey> {
        self.0.checkpoint_keys.clone()
    }

    /// The key to which to seal for a member that is not suspended: its last valid one (M-4, M-7).
    pub fn sealing_key(&self, member: &Code) -> Option<&SealingKey> {
        let member = self.member(member).filter(|member| !member.suspended)?;
        member.sealing_keys.iter().rev().find(|key| key.state == KeyState::Valid)
    }

    /// Who signs with a key, and the key itself, if it counts for a word of this kind (E-5, M-5 to M-7).
    ///
    /// # Errors
    /// [`SignerError`] if it does not.
    pub fn signer(&self, id: KeyId, kind: Kind, said: Said) -> Result<(&Code, &PublicKey), SignerError> {
        let (member, signing) = self
            .0
            .signing
            .get(&id)
            .and_then(|&(member, key)| {
                let member = self.0.list.members.get(member)?;
                Some((member, member.signing_keys.get(key)?))
            })
            .filter(|(_, signing)| signing.for_use == kind.key_use())
            .ok_or(SignerError::UnknownKey { key: id, list_version: self.0.list.version })?;
        let name = || member.code.clone();
        if !kind.roles().iter().any(|role| member.roles.contains(role)) {
            return Err(SignerError::NotItsRole { member: name(), kind });
        }
        if member.suspended && said == Said::Now {
            return Err(SignerError::Suspended { member: name() });
        }
        match (signing.state, said) {
            (KeyState::Valid, _) | (KeyState::Retired, Said::AtSeq(_)) | (_, Said::Own) => {
                Ok((&member.code, &signing.key))
            }
            (KeyState::CompromisedSince(since), Said::AtSeq(seq)) if seq < since => {
                Ok((&member.code, &signing.key))
            }
            (KeyState::CompromisedSince(since), _) => {
                Err(SignerError::Compromised { member: name(), key: id, since })
            }
            (KeyState::Retired, Said::Now) => Err(SignerError::KeyNoLongerSigns { member: name(), key: id }),
        }
    }

    fn index(list: MemberList, payload_hash: Digest) -> Self {
        let mut signing = BTreeMap::new();
        for (at, member) in list.members.iter().enumerate() {
            for (key_at, key) in member.signing_keys.iter().enumerate() {
                signing.insert(key.id(), (at, key_at));
            }
        }
        let members = || list.members.iter().zip(0..);
        let by_code = Marks::of(members().map(|(member, at)| (member.code.as_str().as_bytes(), at)));
        let connected = members().filter(|(member, _)| !member.suspended);
        let peers = connected.flat_map(|(member, at)| member.transports.iter().map(move |one| (one, at)));
        let by_peer = Marks::of(peers.map(|(transport, at)| (transport.peer_id.as_slice(), at)));
        let checkpoint_keys = checkpoint_keys(&list);
        Self(Arc::new(Known { list, payload_hash, by_code, by_peer, signing, checkpoint_keys }))
    }
}

/// Why a signer is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// No member has this key in this use.
    #[error("no member of list version {list_version} has the key {key:?}; fetch the newest member list")]
    UnknownKey {
        /// The key.
        key: KeyId,
        /// The list that was looked at.
        list_version: u64,
    },
    /// The key signs nothing new.
    #[error("the key {key:?} of {member} no longer signs (M-5)")]
    KeyNoLongerSigns {
        /// The member.
        member: Code,
        /// The key.
        key: KeyId,
    },
    /// The key was in other hands when this was said.
    #[error("the key {key:?} of {member} is compromised since seq {since} (M-6)")]
    Compromised {
        /// The member.
        member: Code,
        /// The key.
        key: KeyId,
        /// Since which place in the log.
        since: u64,
    },
    /// The member is suspended.
    #[error("{member} is suspended (M-7)")]
    Suspended {
        /// The member.
        member: Code,
    },
    /// The member may not say words of this kind.
    #[error("{member} may not say a {kind:?} (E-5)")]
    NotItsRole {
        /// The member.
        member: Code,
        /// The kind.
        kind: Kind,
    },
}

/// Why a member list is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Its envelope or payload is not what it should be.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// It is not the next version.
    #[error("member list version {found} does not follow {known} (M-2)")]
    NotNext {
        /// The version that is known.
        known: u64,
        /// The version that came.
        found: u64,
    },
    /// It does not name the list before it.
    #[error("member list version {found} does not follow from the known version before it (M-2)")]
    OtherHistory {
        /// The version that came.
        found: u64,
    },
    /// It takes back something that must stay (M-12).
    #[error("the member list takes back {what} (M-12)")]
    TakesBack {
        /// What.
        what: &'static str,
    },
    /// The suite of the simulator and others are mixed.
    #[error("suite 0 is allowed exactly where the authority signs with it (S-2)")]
    SimulationSuite,
    /// It is of another region.
    #[error("the member list is of region {found}")]
    OtherRegion {
        /// The region that it names.
        found: Code,
    },
}

impl From<DecodeError> for ListError {
    fn from(error: DecodeError) -> Self {
        Self::Envelope(error.into())
    }
}

/// Marks of names, ascending, with the places of their members: every call asks for one, and the names lie far apart in memory.
#[derive(Debug)]
struct Marks(Vec<(u64, usize)>);

impl Marks {
    fn of<'n>(names: impl Iterator<Item = (&'n [u8], usize)>) -> Self {
        let mut marks: Vec<_> = names.map(|(name, at)| (mark_of(name), at)).collect();
        marks.sort_unstable();
        Self(marks)
    }

    /// The first member with this name.
    fn find<'m>(
        &self,
        name: &[u8],
        members: &'m [Member],
        has_it: impl Fn(&Member) -> bool,
    ) -> Option<&'m Member> {
        let mark = mark_of(name);
        let from = self.0.partition_point(|(of, _)| *of < mark);
        let same = self.0.get(from..)?.iter().take_while(|(of, _)| *of == mark);
        same.filter_map(|(_, at)| members.get(*at)).find(|member| has_it(member))
    }
}

/// A number by which a name is found (FNV-1a); others may have the same.
fn mark_of(name: &[u8]) -> u64 {
    let step = |mark: u64, byte: &u8| (mark ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    name.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

fn checkpoint_keys(list: &MemberList) -> Vec<PublicKey> {
    let registries = list.members.iter().filter(|member| member.roles.contains(&MemberRole::Registry));
    let keys = registries.filter(|member| !member.suspended).flat_map(|member| &member.signing_keys);
    keys.filter(|key| key.for_use == KeyUse::Checkpoint && key.state == KeyState::Valid)
        .map(|key| key.key)
        .collect()
}

fn read_list(region: &Code, authority: &PublicKey, envelope: &Envelope) -> Result<MemberList, ListError> {
    if envelope.kind() != Kind::MemberList {
        let wrong = EnvelopeError::WrongKind { expected: Kind::MemberList, found: envelope.kind() };
        return Err(wrong.into());
    }
    let named = envelope.key_id() == authority.id(KeyUse::Words);
    if !named || !envelope.is_signed_by(region, authority) {
        return Err(EnvelopeError::BadSignature.into());
    }
    let list = MemberList::decode(envelope.payload())?;
    if list.region != *region {
        return Err(ListError::OtherRegion { found: list.region });
    }
    keeps_simulation_apart(&list, authority.suite())?;
    Ok(list)
}

/// S-2: suite 0 is allowed exactly where the authority signs with it.
fn keeps_simulation_apart(list: &MemberList, authority: Suite) -> Result<(), ListError> {
    let allowed = list.policy.suites.contains(&Suite::Simulation);
    let simulated = authority == Suite::Simulation;
    if allowed == simulated { Ok(()) } else { Err(ListError::SimulationSuite) }
}

/// What a next list may not do: drop or rename a member or a key, give it to another, mend its state, or change a token
/// key (M-12).
fn follows(before: &MemberList, after: &MemberList) -> Result<(), ListError> {
    let stays = |holds: bool, what| if holds { Ok(()) } else { Err(ListError::TakesBack { what }) };
    for key in &before.token_keys {
        let same = after.token_keys.iter().all(|other| other.epoch != key.epoch || other == key);
        stays(same, "the token key of an epoch")?;
    }
    for member in &before.members {
        let at = after.members.binary_search_by(|other| other.code.cmp(&member.code)).ok();
        let same = at.and_then(|at| after.members.get(at));
        let Some(same) = same else { return stays(false, "a member: suspend it instead") };
        for key in &member.signing_keys {
            let kept = same.signing_keys.iter().find(|other| other.id() == key.id());
            stays(
                kept.is_some_and(|kept| only_worsens(key.state, kept.state)),
                "a signing key or its state",
            )?;
        }
        for key in &member.sealing_keys {
            let kept = same.sealing_keys.iter().find(|other| other.id() == key.id());
            stays(
                kept.is_some_and(|kept| only_worsens(key.state, kept.state)),
                "a sealing key or its state",
            )?;
        }
    }
    Ok(())
}

/// Valid, then retired, then compromised, since an ever earlier place.
const fn only_worsens(before: KeyState, after: KeyState) -> bool {
    match (before, after) {
        (KeyState::Valid, _) | (KeyState::Retired, KeyState::Retired | KeyState::CompromisedSince(_)) => true,
        (KeyState::CompromisedSince(before), KeyState::CompromisedSince(after)) => after <= before,
        (KeyState::Retired | KeyState::CompromisedSince(_), _) => false,
    }
}
