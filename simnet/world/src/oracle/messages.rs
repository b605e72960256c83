//! Messages that were handed in, and those whose senders have their answer, and what desks were told that it was kept: none of
//! these is lost, none is kept twice.

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_node_core::ask::{self, WordState};
use yiqiao_node_core::state;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::{Code, Digest, EntryId};
use yiqiao_proto::time::Timestamp;

use super::Oracle;
use crate::network::Who;
use crate::node::Node;

/// What is known of the messages of each node.
#[derive(Default)]
pub(super) struct Messages(BTreeMap<Who, OfNode>);

#[derive(Default)]
struct OfNode {
    /// By system: what the messages are told apart by.
    handed: BTreeMap<Code, BTreeSet<[u8; 32]>>,
    acknowledged: BTreeSet<[u8; 32]>,
    entries: BTreeSet<EntryId>,
    /// What patients said at desks, by number: the hash of the payload, if the node had one when it said so.
    said: BTreeMap<u64, Option<Digest>>,
}

impl Oracle {
    /// A system hands a message in.
    pub(crate) fn handed(&mut self, node: Who, system: &Code, name: [u8; 32]) {
        let node = self.messages.0.entry(node).or_default();
        node.handed.entry(system.clone()).or_default().insert(name);
    }

    /// Its sender is told that it was kept, with these documents.
    pub(crate) fn acknowledged(&mut self, now: Timestamp, node: Who, name: [u8; 32], entries: &[EntryId]) {
        let known = self.messages.0.entry(node).or_default();
        let is_handed = known.handed.values().any(|names| names.contains(&name));
        known.acknowledged.insert(name);
        let new = entries.iter().filter(|entry| known.entries.insert(**entry)).copied();
        self.measured.acknowledged(now, self.region.code_of(node), new);
        if !is_handed {
            self.blames(now, node, "a message is acknowledged that nobody handed in");
        }
    }

    /// How many messages a node keeps, system by system: each handed in counts once, none that was acknowledged is missing.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn check_messages(&self, node: &Node) -> Result<(), String> {
        let Some(known) = self.messages.0.get(&node.who) else { return Ok(()) };
        for (system, handed) in &known.handed {
            let counters = node.ask(|_, view| ask::counters(system, view));
            let Some(counters) = counters else { return Ok(()) };
            let kept =
                counters.indexed + counters.applied + counters.answered + counters.review + counters.refused;
            let acknowledged = handed.intersection(&known.acknowledged).count() as u64;
            let handed = handed.len() as u64;
            if kept < acknowledged {
                return Err(format!(
                    "{} {system}: {acknowledged} messages acknowledged, {kept} kept: lost",
                    node.who
                ));
            }
            if kept > handed {
                return Err(format!(
                    "{} {system}: {handed} messages handed in, {kept} kept: doubled",
                    node.who
                ));
            }
        }
        Ok(())
    }

    /// A desk is told that words of a patient were kept, under these numbers.
    pub(crate) fn said(&mut self, node: &Node, numbers: &[u64]) {
        let known = self.messages.0.entry(node.who).or_default();
        known.said.extend(numbers.iter().map(|number| (*number, payload_of(node, *number))));
    }

    /// Every word that a desk was told of stands once in the log, where its receipt says; or the registry has refused it.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn check_said(&self, node: &Node) -> Result<(), String> {
        let Some(known) = self.messages.0.get(&node.who) else { return Ok(()) };
        for (number, payload) in &known.said {
            let state = node.ask(|_, view| ask::word(*number, view)).flatten();
            let wrong = match state {
                Some(WordState::Stands(receipt)) => {
                    let word = self.word_at(receipt.seq).filter(|word| word.signer == node.code);
                    let same = word.is_some_and(|word| Some(word.envelope.payload_hash()) == *payload);
                    (!same).then_some("a receipt of what was said stands at another word")
                }
                Some(WordState::Refused { .. }) => None,
                Some(WordState::Waiting) => Some("what was said at a desk is not handed in"),
                None => Some("what was said at a desk is not kept: lost"),
            };
            if let Some(wrong) = wrong {
                return Err(format!("{}: {wrong}", node.who));
            }
        }
        Ok(())
    }

    /// Every document of an acknowledged message is here, and once in the log if it was ever published.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn check_documents(&self, node: &Node) -> Result<(), String> {
        let Some(known) = self.messages.0.get(&node.who) else { return Ok(()) };
        for entry in &known.entries {
            let document = node.ask(|machine, view| machine.document(entry, view)).flatten();
            let document = document.ok_or_else(|| format!("{} lacks a document: lost", node.who))?;
            let told = node.ask(|machine, view| machine.patient(&document.subject, view)).flatten();
            let is_told = told.is_some_and(|patient| !patient.tokens.is_empty());
            let published = document.receipt.is_some();
            if is_told && !published && !document.withdrawn {
                return Err(format!(
                    "{}: a document of a patient who has a token is not published",
                    node.who
                ));
            }
            let place = document.receipt.map(|receipt| receipt.seq);
            node.check_file(&document)?;
            if place.is_some_and(|seq| !self.is_entry(seq, &node.code, entry, &document.document)) {
                return Err(format!("{}: a receipt of a document stands at another word", node.who));
            }
            let in_log = self.log.model.times(&node.code, entry);
            match (published, in_log) {
                (true, 1) | (false, 0) => {}
                // Withdrawn entries may be published anew, for the right patient (N-4).
                (true, times) if times > 1 && self.log.model.was_withdrawn(&node.code, entry) => {}
                (_, times) if document.withdrawn && times > 0 => {}
                (_, times) => {
                    let who = node.who;
                    return Err(format!(
                        "{who}: a document stands {times} times in the log, published {published}"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The hash of what a word of this number says, if the node has one.
fn payload_of(node: &Node, number: u64) -> Option<Digest> {
    let word = node.ask(|_, view| view.find(&state::word(number))).flatten()?;
    Envelope::decode(&word.envelope).ok().map(|envelope| envelope.payload_hash())
}
