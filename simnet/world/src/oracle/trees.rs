//! Nobody takes a receipt or the answer to a search at a smaller tree than it knew when it asked, or at another one of the same size
//! (L-11); and items of a feed are taken one after the other (F-3).

use std::collections::BTreeMap;

use yiqiao_node_core::machine::Checkpoint;
use yiqiao_proto::id::Digest;
use yiqiao_proto::lease::{feed_next, feed_start};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::wire::calls::FeedItem;

use prost::Message;

use super::Oracle;
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
            return self.blames(now, who, "an answer is taken at a smaller tree than was known");
        }
        let newest = self.trees.newest.entry(who).or_insert_with(|| tree.clone());
        let other = newest.size == tree.size && newest.root != tree.root;
        if newest.size < tree.size {
            *newest = tree;
        }
        if other {
            self.blames(now, who, "an answer is taken at another tree of the same size");
        }
    }

    /// A member has found that the registry's checkpoints contradict each other (L-13).
    pub(crate) fn contradicts(&mut self, now: Timestamp, who: Who) {
        self.measured.contradictions += 1;
        self.blames_registry(now, who, "the registry's checkpoints contradict each other");
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
                return self.blames(now, who, "an item of the feed is taken that does not follow");
            };
            self.trees.chains.insert((who, number), feed_next(&previous, bytes));
        }
    }
}

impl Oracle {
    /// A node finds that the registry left out of an inventory what it had acknowledged (L-16): an honest one never does.
    pub(crate) fn finds_omission(&mut self, now: Timestamp, who: Who) {
        self.measured.finds_omission();
        self.blames_registry(now, who, "the registry leaves out what it has acknowledged");
    }

    /// A member has told the registry of what contradicts itself (L-17). Whoever has a member's computer can tell it of two trees of which
    /// one continues the other: which of them stands in its log it shows beside them.
    pub(crate) fn is_alarmed(&mut self, now: Timestamp, by: &str) {
        if self.hostile.is_some_and(|hostile| self.region.code_of(hostile).as_str() == by) {
            return;
        }
        self.measured.is_alarmed(now);
        self.blames_registry(now, Who::REGISTRY, "the registry is shown that it contradicts itself");
    }
}
