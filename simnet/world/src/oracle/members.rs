//! Who is suspended, by the lists that the registry took: the longest time that a lease over an older list can last, later,
//! nothing is let go to or by a suspended member (M-7, F-7).

use std::collections::BTreeMap;

use yiqiao_node_core::limits::CALL_WAIT;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::id::Code;
use yiqiao_proto::member::KeyState;
use yiqiao_proto::time::Timestamp;

use super::{Oracle, Wrong};
use crate::limits::REVOKED_WITHIN;
use crate::network::Who;

/// What is known of the lists.
#[derive(Default)]
pub(super) struct Members {
    suspended: BTreeMap<Code, Timestamp>,
    /// When a process last took a list, and which one each has.
    taken_at: Option<Timestamp>,
    versions: BTreeMap<Who, u64>,
    newest: u64,
}

impl Oracle {
    /// The authority signs a list.
    pub(crate) const fn list_is_signed(&mut self, version: u64) {
        self.members.newest = version;
    }

    /// A process takes a list.
    pub(crate) fn takes_list(&mut self, now: Timestamp, who: Who, directory: &Directory) {
        if who == Who::REGISTRY && self.is_forged() {
            return;
        }
        let version = directory.list().version;
        let members = &mut self.members;
        let known = members.versions.insert(who, version);
        members.taken_at = Some(now);
        members.newest = members.newest.max(version);
        if who == Who::REGISTRY {
            let suspended = directory.list().members.iter().filter(|member| member.suspended);
            let since = |code: &Code| members.suspended.get(code).copied().unwrap_or(now);
            members.suspended = suspended.map(|member| (member.code.clone(), since(&member.code))).collect();
            for key in directory.list().members.iter().flat_map(|member| &member.signing_keys) {
                if let KeyState::CompromisedSince(since) = key.state {
                    self.log.model.compromises(now, key.id(), since);
                }
            }
        }
        if known.is_some_and(|known| known > version) {
            self.blames(now, who, Wrong::ListOlder);
        }
    }

    /// The holder lets something go to a recipient.
    pub(super) fn may_flow(&mut self, now: Timestamp, holder: Who, recipient: &Code) {
        if self.is_forged() {
            // Who is shown another log is shown the lists that go with it.
            return;
        }
        let parties = [self.region.code_of(holder), recipient];
        let since = parties.into_iter().filter_map(|code| self.members.suspended.get(code)).min();
        if since.is_some_and(|since| *since + REVOKED_WITHIN < now) {
            self.blames(now, holder, Wrong::Suspended);
        }
    }

    /// An answer is not believed: that must not be if it is honest and all have known the same member list for a while.
    pub(crate) fn disbelieved(&mut self, now: Timestamp, (who, of): (Who, Who), why: &str) {
        if self.hostile == Some(of) {
            return;
        }
        let Members { taken_at, versions, newest, .. } = &self.members;
        let knows = versions.get(&who).copied().unwrap_or(1) == (*newest).max(1);
        let same = knows && versions.values().all(|version| version == newest);
        if same && taken_at.is_none_or(|at| at + CALL_WAIT < now) {
            self.blames(now, who, Wrong::Disbelieved.of(why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::{Authority, Change};
    use crate::oracle::samples::{oracle, oracle_of};

    const OWN: Who = Who(1);

    #[test]
    fn m2_an_older_list_that_is_in_force_again_is_seen() {
        let (now, mut oracle) = (Timestamp::default(), oracle());
        let first = oracle.region.directory.clone();
        let mut authority = Authority::new(1, oracle.region.clone(), None, 0);
        authority.sign(now, Change::Nothing, 0);
        let second = first.next(authority.list(2).expect("it was signed")).expect("it follows");
        for (list, expected) in [(&first, None), (&second, None), (&first, Some(Wrong::ListOlder))] {
            oracle.takes_list(now, OWN, list);
            assert_eq!(oracle.wrong(), expected);
        }
    }

    #[test]
    fn an_honest_answer_that_is_not_believed_is_seen_once_all_have_known_the_list_for_a_while() {
        let (now, of) = (Timestamp::default(), Who(2));
        let disbelieved = |hostile, taken_at| {
            let mut oracle = oracle_of(hostile, None);
            oracle.members.taken_at = taken_at;
            oracle.disbelieved(now, (OWN, of), "why");
            oracle.wrong()
        };
        assert_eq!(disbelieved(None, None), Some(Wrong::Disbelieved));
        assert_eq!(disbelieved(Some(of), None), None);
        assert_eq!(disbelieved(None, Some(now)), None);
    }
}
