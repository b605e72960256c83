//! The authority's desk: the member lists that it signs, and when. It admits, suspends and restores members, lets keys follow
//! each other, and adds token epochs; the lists lie in a folder that the registry reads (M-2).
//!
//! Not here: how a list reaches the registry and the nodes: each takes it at a time of its own.

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_proto::codes::KeyUse;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::KeyId;
use yiqiao_proto::member::{KeyState, Member, MemberList, SealingKey, SigningKey};
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_simnet::chance::Chance;

use crate::limits::{COMPROMISED_WORDS_MAX, EPOCHS_MAX, KEYS_MAX};
use crate::network::Who;
use crate::randomness::{Part, stream};
use crate::region::{For, InUse, Region, code};

/// What the authority or an operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Something is drawn.
    Draw,
    /// The next list is signed.
    Sign(Change),
    /// An operator gives a process the newest keys that the list has for it, and starts it again.
    Rekey(Who),
}

/// What the next list changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing but its version.
    Nothing,
    /// A member joins.
    Admit(Who),
    /// A member is suspended.
    Suspend(Who),
    /// It is no longer.
    Restore(Who),
    /// One more token epoch (T-7).
    Epoch,
    /// A member's next words key beside the one that it uses (M-5).
    WordsKey(Who),
    /// A member's next sealing key (M-4).
    SealingKey(Who),
    /// A member signs and opens with its newest keys alone.
    Retire(Who),
    /// The keys that a member used before were in other hands since so many words ago (M-6).
    Compromise(Who, u64),
    /// The list after this one is signed by another key (M-8).
    Authority,
}

/// The authority, its folder of lists, and what it has still to do.
pub(crate) struct Authority {
    region: Region,
    lists: Vec<Envelope>,
    newest: Directory,
    /// Which key signs the next list.
    key: u8,
    /// The keys that the processes use.
    in_use: BTreeMap<Who, InUse>,
    /// Who has a key that it does not use yet.
    turning: BTreeSet<Who>,
    joins_later: Option<Who>,
    /// Deeds that are planned, but for the next draw.
    pub(crate) planned: u64,
    every: u64,
    chance: Chance,
}

impl Authority {
    pub(crate) fn new(seed: u64, region: Region, joins_later: Option<Who>, every: u64) -> Self {
        let (lists, newest) = (vec![region.first.as_ref().clone()], region.directory.clone());
        Self {
            region,
            lists,
            newest,
            key: 0,
            in_use: BTreeMap::new(),
            turning: BTreeSet::new(),
            joins_later,
            planned: 0,
            every,
            chance: stream(seed, Part::Members, 0),
        }
    }

    /// The list of a version, as the registry finds it in the folder.
    pub(crate) fn list(&self, version: u64) -> Option<&Envelope> {
        self.lists.get(usize::try_from(version.checked_sub(1)?).ok()?)
    }

    /// The newest version.
    pub(crate) fn version(&self) -> u64 {
        self.newest.list().version
    }

    /// The newest list.
    pub(crate) const fn newest(&self) -> &Directory {
        &self.newest
    }

    /// The keys that a process is to use from its next start on.
    pub(crate) fn in_use(&self, who: Who) -> InUse {
        self.in_use.get(&who).copied().unwrap_or_default()
    }

    /// The newest key to which others seal for a member, or would if it were not suspended.
    pub(crate) fn sealing_key(&self, who: Who) -> Option<KeyId> {
        self.newest.member(self.region.code_of(who))?.sealing_keys.last().map(SealingKey::id)
    }

    /// When something is drawn next; none if nothing ever is.
    pub(crate) fn next_draw(&mut self) -> Option<Millis> {
        (self.every > 0).then(|| Millis::new(1 + self.chance.below(self.every * 120_000)))
    }

    /// What is drawn: deeds, and after which time.
    pub(crate) fn draw(&mut self, nodes: u16) -> Vec<(Millis, Deed)> {
        let chance = &mut self.chance;
        let who = Who(1 + u16::try_from(chance.below(u64::from(nodes))).unwrap_or(0));
        let mut later = |least, most| Millis::from_secs(least + chance.below(most));
        let (soon, then) = (later(0, 90), later(5, 200));
        let at_once = Millis::new(0);
        let kind = chance.below(8);
        if let Some(joining) = self.joins_later.filter(|joining| kind < 3 || *joining == who) {
            return vec![(at_once, Deed::Sign(Change::Admit(joining)))];
        }
        let change = match kind {
            0 | 1 => {
                let restored = Deed::Sign(Change::Restore(who));
                return vec![(at_once, Deed::Sign(Change::Suspend(who))), (then, restored)];
            }
            2 => Change::Epoch,
            3 => Change::Authority,
            6 => {
                let back = chance.below(COMPROMISED_WORDS_MAX);
                if self.may_renew(who) && self.turning.insert(who) {
                    return compromised(who, back, soon, then);
                }
                Change::Nothing
            }
            4 | 5 if self.turning.insert(who) => {
                let of = if kind == 4 { Change::WordsKey(who) } else { Change::SealingKey(who) };
                let retired = (Millis::new(soon.get() + then.get()), Deed::Sign(Change::Retire(who)));
                return vec![(at_once, Deed::Sign(of)), (soon, Deed::Rekey(who)), retired];
            }
            _ => Change::Nothing,
        };
        vec![(at_once, Deed::Sign(change))]
    }

    /// Whether the list has room for one more key of each kind of a member.
    fn may_renew(&self, who: Who) -> bool {
        self.newest.member(self.region.code_of(who)).is_some_and(|member| {
            let most = member.signing_keys.len().max(member.sealing_keys.len());
            most < usize::from(KEYS_MAX)
        })
    }

    /// What is left to do once nothing is drawn any more.
    pub(crate) fn last_deeds(&self) -> Option<Deed> {
        self.joins_later.map(|who| Deed::Sign(Change::Admit(who)))
    }

    /// A process gets the newest keys that the list has for it.
    pub(crate) fn rekey(&mut self, who: Who) -> InUse {
        let member = self.newest.member(self.region.code_of(who));
        let count = |keys: usize| u8::try_from(keys.saturating_sub(1)).unwrap_or(u8::MAX);
        let newest = member.map(|member| InUse {
            words: count(member.signing_keys.len()),
            sealing: count(member.sealing_keys.len()),
        });
        let newest = newest.unwrap_or_default();
        self.in_use.insert(who, newest);
        newest
    }

    /// Signs the next list, when the log has so many words.
    pub(crate) fn sign(&mut self, now: Timestamp, change: Change, words: u64) {
        let mut list = self.newest.list().clone();
        list.version += 1;
        list.previous = Some(self.newest.payload_hash());
        list.issued_at = now;
        let key = self.region.nth_key(Who::REGISTRY, For::Authority, self.key);
        self.change(&mut list, change, words);
        let envelope = Envelope::sign(&code(), &list, &key);
        let next = self.newest.next(&envelope);
        self.newest = next.expect("a list of the authority follows the one before");
        self.lists.push(envelope);
    }

    fn change(&mut self, list: &mut MemberList, change: Change, words: u64) {
        match change {
            Change::Authority if self.key < KEYS_MAX => {
                self.key += 1;
                list.authority = self.region.nth_key(Who::REGISTRY, For::Authority, self.key).public();
            }
            Change::Nothing | Change::Authority => {}
            Change::Admit(who) => {
                self.joins_later = None;
                let member = self.region.member(who);
                if let Err(at) = list.members.binary_search_by(|other| other.code.cmp(&member.code)) {
                    list.members.insert(at, member);
                }
            }
            Change::Suspend(who) => self.of(list, who, |member| member.suspended = true),
            Change::Restore(who) => self.of(list, who, |member| member.suspended = false),
            Change::Epoch => {
                let epoch = 1 + u32::try_from(list.token_keys.len()).unwrap_or(u32::MAX);
                if epoch <= EPOCHS_MAX {
                    list.token_keys.push(self.region.tokens(epoch).public());
                }
            }
            Change::WordsKey(who) => {
                let region = &self.region;
                self.of(list, who, |member| {
                    let number = u8::try_from(member.signing_keys.len()).unwrap_or(u8::MAX);
                    let key = region.nth_key(who, For::Words, number).public();
                    let key = SigningKey { key, for_use: KeyUse::Words, state: KeyState::Valid };
                    member.signing_keys.extend((number < KEYS_MAX).then_some(key));
                });
            }
            Change::SealingKey(who) => {
                let (region, in_use) = (&self.region, self.in_use(who));
                self.of(list, who, |member| {
                    let number = u8::try_from(member.sealing_keys.len()).unwrap_or(u8::MAX);
                    let public = region.sealing(who, number).public();
                    let signer = region.nth_key(who, For::Words, in_use.words);
                    let key = SealingKey::countersigned(&code(), &member.code, public, &signer);
                    member.sealing_keys.extend((number < KEYS_MAX).then_some(key));
                });
            }
            Change::Retire(who) => self.worsen(list, who, KeyState::Retired),
            Change::Compromise(who, back) => {
                self.worsen(list, who, KeyState::CompromisedSince(words.saturating_sub(back)));
            }
        }
    }

    /// The keys that a member used before are in another state, but for those that were compromised earlier.
    fn worsen(&mut self, list: &mut MemberList, who: Who, state: KeyState) {
        let in_use = self.in_use(who);
        self.turning.remove(&who);
        let worsen = |known: &mut KeyState| {
            if !matches!(known, KeyState::CompromisedSince(_)) {
                *known = state;
            }
        };
        self.of(list, who, |member| {
            member.signing_keys.iter_mut().take(in_use.words.into()).for_each(|key| worsen(&mut key.state));
            member.sealing_keys.iter_mut().take(in_use.sealing.into()).for_each(|key| worsen(&mut key.state));
        });
    }

    /// Changes one member, if it is one.
    fn of(&self, list: &mut MemberList, who: Who, change: impl FnOnce(&mut Member)) {
        let code = self.region.code_of(who);
        if let Some(member) = list.members.iter_mut().find(|member| member.code == *code) {
            change(member);
        }
    }
}

/// A member's keys are found to have been in other hands. It has others by then: a sealing key is nobody's if only a compromised key
/// vouches for it (M-4), so the words key comes first.
pub(crate) fn compromised(who: Who, back: u64, soon: Millis, then: Millis) -> Vec<(Millis, Deed)> {
    let after = |wait: Millis| Millis::new(soon.get() + wait.get());
    let second = Millis::from_secs(1);
    let last = Millis::new(then.get() + second.get());
    vec![
        (Millis::new(0), Deed::Sign(Change::WordsKey(who))),
        (soon, Deed::Rekey(who)),
        (after(second), Deed::Sign(Change::SealingKey(who))),
        (after(then), Deed::Rekey(who)),
        (after(last), Deed::Sign(Change::Compromise(who, back))),
    ]
}
