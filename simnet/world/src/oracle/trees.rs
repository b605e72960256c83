//! Nobody takes a receipt or the answer to a search at a smaller tree than it knew when it asked, or at another one of the same size
//! (L-11); and items of a feed are taken one after the other (F-3).

use std::collections::BTreeMap;

use yiqiao_node_core::machine::Checkpoint;
use yiqiao_proto::id::Digest;
use yiqiao_proto::lease::{feed_next, feed_start};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::wire::calls::FeedItem;

use prost::Message;

use super::{Oracle, Wrong};
use crate::network::Who;
use crate::region::code;

/// What each member has taken.
#[derive(Default)]
pub(super) struct Trees {
    newest: BTreeMap<Who, Checkpoint>,
    /// The chain of its feed after each item.
    chains: BTreeMap<(Who, u64), Digest>,
}

impl Oracle {
    /// The newest tree that a member has taken.
    pub(crate) fn tree_of(&self, who: Who) -> Option<Checkpoint> {
        self.trees.newest.get(&who).cloned()
    }

    /// A member takes what came at a tree, and knew another one when it asked.
    pub(crate) fn takes_tree(
        &mut self,
        now: Timestamp,
        who: Who,
        known: Option<Checkpoint>,
        tree: Checkpoint,
    ) {
        if known.is_some_and(|known| tree.size < known.size) {
            return self.blames(now, who, Wrong::TreeSmaller);
        }
        let newest = self.trees.newest.entry(who).or_insert_with(|| tree.clone());
        let other = newest.size == tree.size && newest.root != tree.root;
        if newest.size < tree.size {
            *newest = tree;
        }
        if other {
            self.blames(now, who, Wrong::TreeOther);
        }
    }

    /// A member has found that the registry's checkpoints contradict each other (L-13).
    pub(crate) fn contradicts(&mut self, now: Timestamp, who: Who) {
        self.measured.contradictions += 1;
        self.blames_registry(now, who, Wrong::Contradiction);
    }

    /// A member has taken so many items that came, and stood at a number before.
    pub(crate) fn takes_items(&mut self, now: Timestamp, who: Who, before: u64, items: &[Vec<u8>]) {
        let start = feed_start(&code(), self.region.code_of(who));
        for (number, bytes) in (before + 1..).zip(items) {
            let item = FeedItem::decode(bytes.as_slice()).unwrap_or_default();
            let said = item.previous.as_slice().try_into().ok().and_then(Digest::new);
            // Of what was kept when the power went, nobody was told.
            let known = self.trees.chains.get(&(who, number - 1)).copied();
            let known = if number == 1 { Some(start) } else { known.or(said) };
            let Some(previous) = known.filter(|known| item.number == number && said == Some(*known)) else {
                return self.blames(now, who, Wrong::ItemAmiss);
            };
            self.trees.chains.insert((who, number), feed_next(&previous, bytes));
        }
    }
}

impl Oracle {
    /// A node finds that the registry left out of an inventory what it had acknowledged (L-16): an honest one never does.
    pub(crate) fn finds_omission(&mut self, now: Timestamp, who: Who) {
        self.measured.finds_omission();
        self.blames_registry(now, who, Wrong::Omission);
    }

    /// A member has told the registry of what contradicts itself (L-17). Whoever has a member's computer can tell it of two trees of which
    /// one continues the other: which of them stands in its log it shows beside them.
    pub(crate) fn is_alarmed(&mut self, now: Timestamp, by: &str) {
        if self.hostile.is_some_and(|hostile| self.region.code_of(hostile).as_str() == by) {
            return;
        }
        self.measured.is_alarmed(now);
        self.blames_registry(now, Who::REGISTRY, Wrong::Alarm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::samples::{digest, oracle, oracle_of};

    const OWN: Who = Who(1);

    fn tree(size: u64, root: u8) -> Checkpoint {
        Checkpoint { size, root: digest(root), note: Vec::new() }
    }

    #[test]
    fn l11_an_answer_at_another_tree_of_the_same_size_is_seen() {
        let mut oracle = oracle();
        oracle.takes_tree(Timestamp::default(), OWN, None, tree(5, 1));
        oracle.takes_tree(Timestamp::default(), OWN, Some(tree(5, 1)), tree(5, 1));
        assert_eq!(oracle.wrong(), None);
        oracle.takes_tree(Timestamp::default(), OWN, Some(tree(5, 1)), tree(5, 2));
        assert_eq!(oracle.wrong(), Some(Wrong::TreeOther));
    }

    #[test]
    fn l13_l16_l17_what_members_find_is_wrong_unless_the_registry_is_hostile() {
        let found = |wrong: Wrong, find: fn(&mut Oracle)| {
            for (hostile, expected) in [(None, Some(wrong)), (Some(Who::REGISTRY), None)] {
                let mut oracle = oracle_of(hostile, None);
                find(&mut oracle);
                assert_eq!(oracle.wrong(), expected, "{hostile:?}");
            }
        };
        found(Wrong::Contradiction, |oracle| oracle.contradicts(Timestamp::default(), OWN));
        found(Wrong::Omission, |oracle| oracle.finds_omission(Timestamp::default(), OWN));
        found(Wrong::Alarm, |oracle| oracle.is_alarmed(Timestamp::default(), "anybody"));
    }
}
