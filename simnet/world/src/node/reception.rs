//! Messages of the hospital's systems: read, sealed, handed to the machine, and answered once they are durable.

use std::sync::Arc;

use yiqiao_intake::facts::{Document, Payload, ReviewReason, Understood};
use yiqiao_intake::intake::{self, Door, Item};
use yiqiao_node_core::connection::Origin;
use yiqiao_node_core::intake::{Answered, Content, Holder, Received, Sealed, Verdict};
use yiqiao_node_core::machine::{Input, Outcome, Refused};
use yiqiao_node_core::remark::Remarks;
use yiqiao_proto::hash;
use yiqiao_proto::id::{Code, DocumentId, EntryId};

use super::{Job, Node, NotTaken, Reply, Waiting};
use crate::hub::Hub;
use crate::load::{ActId, Told};
use crate::plant::Plant;

/// A message on its way through the machine, and what its sender waits for.
pub(super) struct Slip {
    act: ActId,
    /// Which message of the input, and of how many.
    item: usize,
    of: usize,
    system: Code,
    control_id: Option<String>,
    digest: [u8; 32],
    /// The whole input, and where the message stands in it.
    bytes: Arc<[u8]>,
    span: core::ops::Range<usize>,
    placed: Vec<DocumentId>,
}

impl Slip {
    /// By what the message is told from every other of its node: never what it says.
    pub(super) fn name(&self) -> [u8; 32] {
        let control = self.control_id.as_deref().unwrap_or_default();
        hash::sha256_plain(&[self.system.as_str().as_bytes(), b"\0", control.as_bytes(), b"\0", &self.digest])
    }
}

impl Node {
    /// Takes what a system sends; if the process does not run, nothing happens.
    pub(crate) fn message(&mut self, hub: &mut Hub, act: ActId, system: &Code, bytes: &[u8]) {
        if self.running.is_none() {
            return;
        }
        let bytes: Arc<[u8]> = bytes.into();
        let items = intake::read(&bytes, &Door::any());
        let of = items.len();
        for (at, item) in items.into_iter().enumerate() {
            self.hand(hub, act, system, &bytes, (at, of), item);
        }
    }

    fn hand(
        &mut self,
        hub: &mut Hub,
        act: ActId,
        system: &Code,
        bytes: &Arc<[u8]>,
        (item, of): (usize, usize),
        read: Item,
    ) {
        let span = read.span.clone();
        let message = bytes.get(span.clone()).unwrap_or_default();
        let control_id = read.envelope.as_ref().map(|envelope| envelope.control_id.clone());
        let control_id = control_id.filter(|id| !id.is_empty());
        let digest = hash::blake3(&[message]);
        let (content, placed) = self.content(hub, bytes, read);
        let slip = Slip {
            act,
            item,
            of,
            system: system.clone(),
            control_id: control_id.clone(),
            digest,
            bytes: Arc::clone(bytes),
            span,
            placed,
        };
        hub.oracle.handed(self.who, system, slip.name());
        let is_chosen = digest.first().is_some_and(|byte| *byte < 16);
        if hub.has_plant(Plant::KeptTwice) && is_chosen {
            let control_id = control_id.map(|id| format!("{id}-2"));
            let content = content.clone();
            let received = Received {
                system: system.clone(),
                control_id,
                digest,
                subject: None,
                holder: None,
                origin: Origin::default(),
                named: Default::default(),
                content,
            };
            self.queue(hub, Job::Hand(Waiting::nobody(Input::Received(Box::new(received)))));
        }
        if hub.has_plant(Plant::AckOnly) && is_chosen {
            let answered = Answered {
                verdict: Verdict::Applied,
                repeat: false,
                remarks: Remarks::new(),
                entries: Vec::new(),
                unused: Vec::new(),
            };
            return self.acknowledge(hub, slip, Ok(Outcome::Received(answered)));
        }
        self.hand_received(hub, slip, content);
    }

    fn hand_received(&mut self, hub: &mut Hub, slip: Slip, content: Content) {
        let (system, control_id, digest) = (slip.system.clone(), slip.control_id.clone(), slip.digest);
        let subject = control_id.clone().and_then(|id| self.first_filed.get(&(system.clone(), id))).copied();
        let holder = hub.has_plant(Plant::NumberBelieved).then_some(Holder::Same);
        let (origin, named) = (Origin::default(), Default::default());
        let received = Received { system, control_id, digest, subject, holder, origin, named, content };
        let input = Box::new(Input::Received(Box::new(received)));
        self.queue(hub, Job::Hand(Waiting { input, to: Reply::Sender(Box::new(slip)) }));
    }

    /// A planted fault: what comes again under a control id goes to the patient of the first time.
    fn file_again(&mut self, slip: &Slip, entries: &[EntryId]) {
        let document = |entry| self.ask(|machine, view| machine.document(entry, view)).flatten();
        let subject = entries.first().and_then(document).map(|document| document.subject);
        if let (Some(id), Some(subject)) = (slip.control_id.clone(), subject) {
            self.first_filed.entry((slip.system.clone(), id)).or_insert(subject);
        }
    }

    /// Seals what a message brings.
    fn content(&mut self, hub: &Hub, bytes: &[u8], item: Item) -> (Content, Vec<DocumentId>) {
        let mut placed = Vec::new();
        let content = match item.outcome {
            Ok(Understood::Documents(documents)) => {
                let seal = |document| self.sealed(hub, bytes, document, &mut placed);
                Content::Documents(documents.into_iter().map(seal).collect())
            }
            Ok(Understood::Events(events)) => Content::Events(events),
            Ok(Understood::Answer(_)) => Content::Answer,
            Ok(Understood::Review(review)) => {
                let whole = self.seal(hub, bytes.get(item.span).unwrap_or_default(), &mut placed);
                Content::Review(review.reason, whole)
            }
            Err(_) => Content::Refused,
        };
        (content, placed)
    }

    fn sealed(
        &mut self,
        hub: &Hub,
        bytes: &[u8],
        mut document: Document,
        placed: &mut Vec<DocumentId>,
    ) -> (Document, Sealed) {
        let payload = std::mem::replace(&mut document.payload, Payload::Embedded(Vec::new()));
        let sealed = match &payload {
            Payload::Message(range) => self.seal(hub, bytes.get(range.clone()).unwrap_or_default(), placed),
            Payload::Embedded(plain) => self.seal(hub, plain, placed),
            // No feed of the generator names content that came before.
            Payload::Deposited(_) => self.seal(hub, &[], placed),
        };
        (document, sealed)
    }

    fn seal(&mut self, hub: &Hub, plain: &[u8], placed: &mut Vec<DocumentId>) -> Sealed {
        let is_planted = hub.has_plant(Plant::SealedTwice) && self.chance.percent(5);
        let sealed = self.vault.seal(plain, &mut self.fountain, is_planted);
        placed.push(sealed.document);
        sealed
    }

    /// The sender is told what became of a message, and sealed files that nothing refers to are removed.
    pub(super) fn acknowledge(&mut self, hub: &mut Hub, mut slip: Slip, outcome: Result<Outcome, NotTaken>) {
        let (act, item, of) = (slip.act, slip.item, slip.of);
        let mut entries = Vec::new();
        let kept = match outcome {
            Ok(Outcome::Received(answered)) => {
                answered.unused.iter().for_each(|unused| self.vault.remove(unused));
                hub.oracle.acknowledged(hub.now, self.who, slip.name(), &answered.entries);
                entries = answered.entries;
                if hub.has_plant(Plant::EntryInvented) {
                    let invented: Vec<EntryId> = EntryId::new(slip.digest).into_iter().collect();
                    hub.oracle.acknowledged(hub.now, self.who, slip.name(), &invented);
                }
                if hub.has_plant(Plant::FiledBefore) {
                    self.file_again(&slip, &entries);
                }
                true
            }
            Err(NotTaken::Refused(
                refused @ (Refused::NoPatient | Refused::OtherPerson | Refused::SeveralPatients),
            )) => {
                // The reader and the machine disagree whether it names a patient, or whom: a person looks at it.
                let reason = if refused == Refused::NoPatient {
                    ReviewReason::NoIdentifier
                } else if refused == Refused::SeveralPatients {
                    ReviewReason::SeveralPatients
                } else {
                    ReviewReason::OtherPerson
                };
                std::mem::take(&mut slip.placed).iter().for_each(|file| self.vault.remove(file));
                let whole = slip.bytes.get(slip.span.clone()).unwrap_or_default().to_vec();
                let mut placed = Vec::new();
                let content = Content::Review(reason, self.seal(hub, &whole, &mut placed));
                return self.hand_received(hub, Slip { placed, ..slip }, content);
            }
            Ok(_) | Err(_) => {
                slip.placed.iter().for_each(|file| self.vault.remove(file));
                false
            }
        };
        hub.note(self.who, format_args!("message {act} {} {kept}", slip.system));
        hub.told.push_back((act, Told::Message { item, of, kept, entries }));
    }
}
