//! Messages that were handed in, and those whose senders have their answer, with their documents: none of these is lost, none is kept
//! twice.

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_node_core::ask::{self, Document};
use yiqiao_proto::id::{Code, EntryId};
use yiqiao_proto::time::Timestamp;

use super::{Finding, Oracle, Wrong};
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
            self.blames(now, node, Wrong::AnsweredUnasked);
        }
    }

    /// How many messages a node keeps, system by system: each handed in counts once, none that was acknowledged is missing.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn check_messages(&self, node: &Node) -> Result<(), Finding> {
        let Some(known) = self.messages.0.get(&node.who) else { return Ok(()) };
        for (system, handed) in &known.handed {
            let counters = node.ask(|_, view| ask::counters(system, view));
            let Some(counters) = counters else { return Ok(()) };
            let kept =
                counters.indexed + counters.applied + counters.answered + counters.review + counters.refused;
            let acknowledged = handed.intersection(&known.acknowledged).count() as u64;
            let handed = handed.len() as u64;
            if kept < acknowledged {
                let about = format_args!("{} {system} kept {kept} of {acknowledged}", node.who);
                return Err(Wrong::MessageLost.of(about));
            }
            if kept > handed {
                let about = format_args!("{} {system} kept {kept} of {handed}", node.who);
                return Err(Wrong::MessageDoubled.of(about));
            }
        }
        Ok(())
    }

    /// Every document of an acknowledged message is here, and once in the log if it was ever published.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn check_documents(&self, node: &Node) -> Result<(), Finding> {
        let Some(known) = self.messages.0.get(&node.who) else { return Ok(()) };
        let who = node.who;
        for entry in &known.entries {
            let document = node.ask(|machine, view| machine.document(entry, view)).flatten();
            let document = document.ok_or_else(|| Wrong::DocumentLost.of(who))?;
            let told = node.ask(|machine, view| machine.patient(&document.subject, view)).flatten();
            let has_token = told.is_some_and(|patient| !patient.tokens.is_empty());
            self.check_published(&node.code, &document, has_token).map_err(|wrong| wrong.of(who))?;
            node.check_file(&document)?;
        }
        Ok(())
    }

    /// A document stands in the log as often as it was published, where its receipt says.
    fn check_published(&self, publisher: &Code, document: &Document, has_token: bool) -> Result<(), Wrong> {
        let published = document.receipt.is_some();
        if has_token && !published && !document.withdrawn {
            return Err(Wrong::DocumentUnpublished);
        }
        let (model, entry) = (&self.log.model, &document.entry);
        let stands = |seq| self.is_entry(seq, publisher, entry, &document.document);
        if document.receipt.as_ref().is_some_and(|receipt| !stands(receipt.seq)) {
            return Err(Wrong::DocumentElsewhere);
        }
        let times = model.times(publisher, entry);
        // Withdrawn entries may be published anew, for the right patient (N-4).
        let is_anew = published && times > 1 && model.was_withdrawn(publisher, entry);
        if times == u64::from(published) || is_anew || (document.withdrawn && times > 0) {
            Ok(())
        } else {
            Err(Wrong::DocumentDoubled)
        }
    }
}

#[cfg(test)]
mod tests {
    use yiqiao_node_core::remark::Remarks;
    use yiqiao_node_core::state::kept;
    use yiqiao_proto::entry::Entry;
    use yiqiao_proto::phi::Phi;
    use yiqiao_proto::wire::words;

    use super::*;
    use crate::oracle::samples::{entry, oracle};

    /// The document of the entry, published or not, and whether it is withdrawn.
    fn document(published: Option<u64>, withdrawn: bool) -> Document {
        let entry = entry();
        Document {
            entry: entry.entry_id,
            subject: entry.subject,
            document: entry.document,
            wrapped_key: Vec::new(),
            index: words::Entry::default(),
            data: Phi::new(kept::DocumentData::default()),
            system: String::new(),
            filed_at: entry.created_at,
            replaces: None,
            replaced: false,
            withdrawn,
            remarks: Remarks::new(),
            receipt: published.map(|seq| kept::Receipt { seq, ..kept::Receipt::default() }),
        }
    }

    #[test]
    fn an_answer_to_what_nobody_handed_in_is_seen() {
        let mut oracle = oracle();
        oracle.acknowledged(Timestamp::default(), Who(1), [1; 32], &[]);
        assert_eq!(oracle.wrong(), Some(Wrong::AnsweredUnasked));
    }

    #[test]
    fn l7_n2_a_document_stands_once_in_the_log_where_its_receipt_says() {
        let mut oracle = oracle();
        let publisher = entry().publisher;
        let is_told = |oracle: &Oracle, document: &Document, has_token| {
            oracle.check_published(&publisher, document, has_token)
        };
        assert_eq!(is_told(&oracle, &document(None, false), false), Ok(()));
        assert_eq!(is_told(&oracle, &document(None, false), true), Err(Wrong::DocumentUnpublished));
        assert_eq!(is_told(&oracle, &document(Some(0), false), true), Err(Wrong::DocumentElsewhere));
        oracle.logs(Who(1), &entry());
        assert_eq!(is_told(&oracle, &document(Some(0), false), true), Ok(()));
        assert_eq!(is_told(&oracle, &document(Some(1), false), true), Err(Wrong::DocumentElsewhere));
        assert_eq!(is_told(&oracle, &document(None, false), false), Err(Wrong::DocumentDoubled));
        oracle.logs(Who(1), &Entry { size: 1, ..entry() });
        assert_eq!(is_told(&oracle, &document(Some(1), false), true), Err(Wrong::DocumentDoubled));
    }
}
