//! What patients said at desks and at their accounts: each is kept once, and stands in the log where the receipt says. And how often
//! somebody broke the glass.

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_node_core::ask::{self, WordState};
use yiqiao_node_core::machine::Input;
use yiqiao_node_core::state::{self, Fault, View};
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::{Code, Digest};

use super::{Finding, Oracle, Wrong};
use crate::network::Who;
use crate::node::Node;

/// What each node was handed in, and said that it kept.
#[derive(Default)]
pub(super) struct Desks(BTreeMap<Who, OfNode>);

#[derive(Default)]
struct OfNode {
    /// How often patients said something, and somebody broke the glass, who were not told that it was not kept.
    acts: usize,
    glasses: usize,
    /// By number: the hash of the payload, if the node had one when it said so.
    said: BTreeMap<u64, Option<Digest>>,
}

impl Oracle {
    /// Somebody hands something in: each act of a patient, and each glass, is to be kept at most once.
    pub(crate) fn hears(&mut self, node: Who, input: &Input) {
        if let Some(count) = self.desks.0.entry(node).or_default().count_of(input) {
            *count += 1;
        }
    }

    /// Somebody is told that it was not kept.
    pub(crate) fn is_not_taken(&mut self, node: Who, input: &Input) {
        if let Some(count) = self.desks.0.entry(node).or_default().count_of(input) {
            *count = count.saturating_sub(1);
        }
    }

    /// How often the glass can have been broken at a node.
    pub(super) fn glasses_at_most(&self, node: Who) -> usize {
        self.desks.0.get(&node).map_or(0, |known| known.glasses)
    }

    /// A desk is told that words of a patient were kept, under these numbers.
    pub(crate) fn said(&mut self, node: &Node, numbers: &[u64]) {
        let known = self.desks.0.entry(node.who).or_default();
        known.said.extend(numbers.iter().map(|number| (*number, payload_of(node, *number))));
    }

    /// Every word that a desk was told of stands in the log, where its receipt says, or the registry has refused it; and no more was
    /// kept than was handed in.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn check_said(&self, node: &Node) -> Result<(), Finding> {
        let Some(known) = self.desks.0.get(&node.who) else { return Ok(()) };
        for (number, payload) in &known.said {
            let state = node.ask(|_, view| ask::word(*number, view)).flatten();
            self.check_word(&node.code, state.as_ref(), payload.as_ref())
                .map_err(|wrong| wrong.of(node.who))?;
        }
        let kept = node.ask(|_, view| acts_in(view)).ok_or_else(|| Wrong::NotRunning.of(node.who))?;
        if kept > known.acts {
            let (who, acts) = (node.who, known.acts);
            return Err(Wrong::SaidTwice.of(format_args!("{who} kept {kept} of {acts}")));
        }
        Ok(())
    }

    fn check_word(
        &self,
        by: &Code,
        state: Option<&WordState>,
        payload: Option<&Digest>,
    ) -> Result<(), Wrong> {
        match state {
            Some(WordState::Stands(receipt)) => {
                let word = self.word_at(receipt.seq).filter(|word| word.signer == *by);
                let is_same = word.is_some_and(|word| Some(&word.envelope.payload_hash()) == payload);
                if is_same { Ok(()) } else { Err(Wrong::SaidElsewhere) }
            }
            Some(WordState::Refused { .. }) => Ok(()),
            Some(WordState::Waiting) => Err(Wrong::QueueLeft),
            None => Err(Wrong::SaidLost),
        }
    }
}

impl OfNode {
    /// Where it is counted, if it is.
    const fn count_of(&mut self, input: &Input) -> Option<&mut usize> {
        if matches!(input, Input::Permit(_) | Input::Forbid(_) | Input::Revoke(_) | Input::Sign(_)) {
            Some(&mut self.acts)
        } else if matches!(input, Input::BreakGlass(_)) {
            Some(&mut self.glasses)
        } else {
            None
        }
    }
}

/// How much patients have said by what a node keeps: a directive is one under however many tokens (C-10).
fn acts_in(view: &View) -> Result<usize, Fault> {
    let (mut directives, mut revocations) = (BTreeSet::new(), 0);
    for number in 1..=view.get(&state::exchange())?.words {
        if view.find(&state::attested(number))?.is_none() {
            continue;
        }
        match ask::directive(number, view)? {
            Some(id) => drop(directives.insert(id)),
            None => revocations += 1,
        }
    }
    Ok(directives.len() + revocations)
}

/// The hash of what a word of this number says, if the node has one.
fn payload_of(node: &Node, number: u64) -> Option<Digest> {
    let word = node.ask(|_, view| view.find(&state::word(number))).flatten()?;
    Envelope::decode(&word.envelope).ok().map(|envelope| envelope.payload_hash())
}

#[cfg(test)]
mod tests {
    use yiqiao_node_core::state::kept;

    use super::*;
    use crate::oracle::samples::{entry, event, oracle};

    #[test]
    fn l7_what_was_said_stands_where_the_receipt_says() {
        let mut oracle = oracle();
        oracle.logs(Who(1), &event());
        let (code, payload) = (entry().publisher, oracle.signed(Who(1), &event()).payload_hash());
        let stands = |seq| Some(WordState::Stands(kept::Receipt { seq, ..kept::Receipt::default() }));
        assert_eq!(oracle.check_word(&code, stands(0).as_ref(), Some(&payload)), Ok(()));
        assert_eq!(oracle.check_word(&code, stands(1).as_ref(), Some(&payload)), Err(Wrong::SaidElsewhere));
        assert_eq!(oracle.check_word(&code, stands(0).as_ref(), None), Err(Wrong::SaidElsewhere));
        assert_eq!(oracle.check_word(&code, None, Some(&payload)), Err(Wrong::SaidLost));
    }
}
