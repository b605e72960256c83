//! Where messages of the hospital's systems come in, whatever door they came through: read, sealed, handed to the machine.
//!
//! A message is answered only once it is durable: its documents in the vault, what it says in the journal. Not here: content
//! that comes before its message: [`crate::deposits`].

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use yiqiao_extract::named;
use yiqiao_intake::dates::Zone;
use yiqiao_intake::facts::{Answer as Heard, Document, Format, Payload, ReviewReason, Understood};
use yiqiao_intake::intake::{self, Door, Item};
use yiqiao_intake::refusal::Refusal;
use yiqiao_intake::summary::{Summary, review_reason};
use yiqiao_intake::table::{self, Mapping};
use yiqiao_node_core::connection::{self, Origin};
use yiqiao_node_core::intake::{Answered, Content, Holder, Received, Sealed};
use yiqiao_node_core::machine::{self, Input, Outcome};
use yiqiao_node_core::remark::Remark;
use yiqiao_proto::hash;
use yiqiao_proto::id::{Code, Subject};
use yiqiao_terms::codes::CodeTables;
use yiqiao_terms::dictionary::Names;

use crate::backfill::Live;
use crate::limits::{READERS_MAX, SLICE_MAX};
use crate::sequencer::{Inbox, NotTaken};
use crate::vault::{Placed, Vault, VaultError};

/// The reception; clones are the same.
#[derive(Clone)]
pub(crate) struct Reception {
    inbox: Inbox,
    vault: Arc<Vault>,
    zone: Zone,
    tables: Arc<[Mapping]>,
    codes: Arc<CodeTables>,
    live: Arc<Live>,
    readers: Arc<Semaphore>,
}

/// What messages are read with.
pub(crate) struct Readers {
    /// The zone of the hospital's clocks.
    pub(crate) zone: Zone,
    /// How rows of tables are read.
    pub(crate) tables: Vec<Mapping>,
    /// The codes that standards have.
    pub(crate) codes: Arc<CodeTables>,
}

/// What a door knows of an input beside its bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beside {
    /// The patient of all its documents, whom their sender names as only the door knows.
    pub(crate) subject: Option<Subject>,
    /// Content that came before, by the URL that the input has for it.
    pub(crate) deposits: BTreeMap<String, Sealed>,
    /// Whom it means, as staff have decided.
    pub(crate) holder: Option<Holder>,
    /// Through which door it came.
    pub(crate) door: connection::Door,
}

/// What became of one message.
pub(crate) type Taken = Result<Answer, NotTaken>;

/// What became of a message that was kept, or sent back for good.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) answered: Answered,
    /// What it was understood to say: for its sender only.
    pub(crate) said: Summary,
    /// Why it was sent back.
    pub(crate) refusal: Option<Refusal>,
}

/// A message that is ready for the machine.
struct Ready {
    system: Code,
    said: Summary,
    input: Box<Received>,
    placed: Vec<Placed>,
    refusal: Option<Refusal>,
}

/// What a door has sealed itself.
pub(crate) enum Whole {
    /// The content of this document.
    Document(Box<Document>),
    /// For a person to look at.
    Review(ReviewReason),
}

/// Why a person has to look at a message that the machine refused, if that is of use.
const fn for_review(error: &NotTaken) -> Option<ReviewReason> {
    match error {
        // The reader and the machine disagree whether it names a patient.
        NotTaken::Refused(machine::Refused::NoPatient) => Some(ReviewReason::NoIdentifier),
        NotTaken::Refused(machine::Refused::OtherPerson) => Some(ReviewReason::OtherPerson),
        NotTaken::Refused(machine::Refused::SeveralPatients) => Some(ReviewReason::SeveralPatients),
        NotTaken::Refused(_) | NotTaken::Busy | NotTaken::TooLong | NotTaken::Stopping => None,
    }
}

/// Tells hospital IT that a system uses control ids twice: of such messages one may have been meant as the other.
fn warn_of_reuse(system: &Code, taken: &Taken) {
    let is_reused = |answer: &Answer| {
        !answer.answered.repeat && answer.answered.remarks.contains(&Remark::ControlIdReused)
    };
    if taken.as_ref().is_ok_and(is_reused) {
        tracing::warn!(%system, "a control id came again with other bytes; both messages are taken, and status counts them");
    }
}

impl Reception {
    pub(crate) fn new(inbox: Inbox, vault: Arc<Vault>, readers: Readers) -> Self {
        let Readers { zone, tables, codes } = readers;
        Self {
            inbox,
            vault,
            zone,
            tables: tables.into(),
            codes,
            live: Arc::default(),
            readers: Arc::new(Semaphore::new(READERS_MAX)),
        }
    }

    /// What is being taken of doors that do not wait.
    pub(crate) fn live(&self) -> &Live {
        &self.live
    }

    /// The zone of the hospital's clocks.
    pub(crate) const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The tables of codes that the hospital has.
    pub(crate) fn codes(&self) -> &CodeTables {
        &self.codes
    }

    /// Takes all messages of an input of a system, in order; `format` is what the door is for, if it says.
    pub(crate) async fn take(
        &self,
        system: &Code,
        door: connection::Door,
        bytes: impl Into<Arc<[u8]>>,
        format: Option<Format>,
    ) -> Vec<Taken> {
        self.take_with(system, bytes, format, Beside { door, ..Beside::default() }).await
    }

    /// The table of this name, if the configuration has one.
    pub(crate) fn table(&self, name: &str) -> Option<&Mapping> {
        self.tables.iter().find(|mapping| mapping.name == name)
    }

    /// Takes all documents of a table of a system.
    pub(crate) async fn take_table(
        &self,
        system: &Code,
        door: connection::Door,
        mapping: &Mapping,
        (bytes, charset): (Vec<u8>, Option<String>),
    ) -> Vec<Taken> {
        let (mapping, zone) = (mapping.clone(), self.zone.clone());
        let gather = move || table::gather(&bytes, charset.as_deref(), &mapping, &zone);
        let Some(gathered) = self.read(gather).await else { return vec![Err(NotTaken::Busy)] };
        let beside = Beside { door, ..Beside::default() };
        self.take_items(system, gathered.bytes.into(), beside, gathered.items).await
    }

    /// The same with what the door knows beside.
    pub(crate) async fn take_with(
        &self,
        system: &Code,
        bytes: impl Into<Arc<[u8]>>,
        format: Option<Format>,
        beside: Beside,
    ) -> Vec<Taken> {
        let bytes = bytes.into();
        let deposits = beside.deposits.keys().cloned().collect();
        let door = Door { format, zone: self.zone.clone(), deposits };
        let (input, tables) = (Arc::clone(&bytes), Arc::clone(&self.tables));
        let read = move || match table::again(&input, &tables, &door.zone) {
            Some(rows) => vec![rows],
            None => intake::read(&input, &door),
        };
        let Some(items) = self.read(read).await else { return vec![Err(NotTaken::Busy)] };
        self.take_items(system, bytes, beside, items).await
    }

    /// Takes what was read, a bounded number of items at once.
    async fn take_items(
        &self,
        system: &Code,
        bytes: Arc<[u8]>,
        beside: Beside,
        mut items: Vec<Item>,
    ) -> Vec<Taken> {
        let _under_way = (!is_patient(beside.door)).then(|| self.live.begin());
        let beside = Arc::new(beside);
        let mut taken = Vec::with_capacity(items.len());
        while !items.is_empty() {
            let rest = items.split_off(items.len().min(SLICE_MAX));
            let slice = std::mem::replace(&mut items, rest);
            taken.extend(self.take_slice(system, &bytes, &beside, slice).await);
        }
        taken.iter().for_each(|one| warn_of_reuse(system, one));
        taken
    }

    /// Counts what a system sent and no reader could take for a message.
    pub(crate) async fn unread(&self, system: &Code, origin: Origin) {
        if let Err(error) = self.inbox.hand(Input::Unread { system: system.clone(), origin }).await {
            tracing::warn!(%system, %error, "what could not be read is not counted");
        }
    }

    /// Takes what a door has sealed itself, because it is no matter of memory.
    pub(crate) async fn take_whole(
        &self,
        system: &Code,
        digest: [u8; 32],
        whole: Whole,
        placed: Placed,
    ) -> Result<Answered, NotTaken> {
        let sealed = placed.sealed.clone();
        let content = match whole {
            Whole::Document(document) => Content::Documents(vec![(*document, sealed)]),
            Whole::Review(reason) => Content::Review(reason, sealed),
        };
        let input = |content| {
            let wrong = if let Content::Review(reason, _) = &content { review_reason(*reason) } else { "" };
            let origin = Origin { wrong: wrong.to_owned(), ..Origin::through(connection::Door::Dicom) };
            let (system, subject) = (system.clone(), None);
            let (control_id, holder, named) = (None, None, Names::default());
            Box::new(Received { system, control_id, digest, subject, holder, origin, named, content })
        };
        let mut outcome = self.inbox.hand(Input::Received(input(content))).await;
        if let Some(reason) = outcome.as_ref().err().and_then(for_review) {
            let content = Content::Review(reason, placed.sealed.clone());
            outcome = self.inbox.hand(Input::Received(input(content))).await;
        }
        match outcome {
            Ok(Outcome::Received(answered)) => {
                answered.unused.iter().for_each(|unused| self.vault.remove(unused));
                Ok(answered)
            }
            // Whether it was taken is not known: what is left over is removed after the next start.
            Ok(_) | Err(NotTaken::Stopping) => Err(NotTaken::Stopping),
            Err(error) => {
                self.discard(&[placed]);
                Err(error)
            }
        }
    }

    /// Takes some messages together: one write to the disk for what they say.
    async fn take_slice(
        &self,
        system: &Code,
        bytes: &Arc<[u8]>,
        beside: &Arc<Beside>,
        items: Vec<Item>,
    ) -> Vec<Taken> {
        let (vault, system, input) = (Arc::clone(&self.vault), system.clone(), Arc::clone(bytes));
        let (known, zone, codes) = (Arc::clone(beside), self.zone.clone(), Arc::clone(&self.codes));
        let prepare = move || {
            let one = |item: Item| {
                let named = named_in(&input, &item, &zone, &codes);
                let mut ready = ready(&vault, &system, &input, &known.deposits, item)?;
                ready.input.named = named;
                Ok(ready)
            };
            items.into_iter().map(one).collect()
        };
        let Some(ready): Option<Vec<Result<Ready, VaultError>>> = self.read(prepare).await else {
            return vec![Err(NotTaken::Busy)];
        };
        // All are in the queue, in order, before the first is waited for.
        let handed: Vec<_> = ready
            .into_iter()
            .map(|ready| {
                let mut ready = ready.map_err(|error| not_kept(&error))?;
                (ready.input.subject, ready.input.holder) = (beside.subject, beside.holder);
                ready.input.origin.door = beside.door;
                Ok(self.hand(bytes, ready))
            })
            .collect();
        let mut taken = Vec::with_capacity(handed.len());
        for outcome in handed {
            taken.push(match outcome {
                Ok(outcome) => outcome.await,
                Err(error) => Err(error),
            });
        }
        taken
    }

    /// Puts a message into the queue at once; what became of it comes later.
    fn hand<'a>(&'a self, bytes: &'a Arc<[u8]>, ready: Ready) -> impl Future<Output = Taken> + Send + 'a {
        let Ready { system, said, input, placed, refusal } = ready;
        let (control_id, digest, origin) = (input.control_id.clone(), input.digest, input.origin.clone());
        let outcome = self.inbox.hand(Input::Received(input));
        async move {
            let outcome = outcome.await;
            let Some(reason) = outcome.as_ref().err().and_then(for_review) else {
                if let Err(error @ NotTaken::TooLong) = &outcome {
                    self.unread(&system, Origin { wrong: error.to_string(), ..origin }).await;
                }
                return self.settle(outcome, &placed, said, refusal);
            };
            self.discard(&placed);
            let (whole, vault, span) = (Arc::clone(bytes), Arc::clone(&self.vault), said.span.clone());
            let kept = self.read(move || seal(&vault, whole.get(span).unwrap_or_default())).await;
            let whole = kept.ok_or(NotTaken::Busy)?.map_err(|error| not_kept(&error))?;
            let content = Content::Review(reason, whole.sealed.clone());
            let said = said.kept_for(reason);
            let origin = Origin { wrong: said.reason.clone().unwrap_or_default(), ..origin };
            let (subject, holder, named) = (None, None, Names::default());
            let review = Received { system, control_id, digest, subject, holder, origin, named, content };
            let outcome = self.inbox.hand(Input::Received(Box::new(review))).await;
            self.settle(outcome, &[whole], said, refusal)
        }
    }

    /// Reads or seals, a bounded number of messages at once; nothing if that panicked.
    async fn read<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        // Never closed.
        let _reader = self.readers.acquire().await;
        tokio::task::spawn_blocking(work).await.ok()
    }

    /// Removes sealed files that nothing refers to.
    fn settle(
        &self,
        outcome: Result<Outcome, NotTaken>,
        placed: &[Placed],
        said: Summary,
        refusal: Option<Refusal>,
    ) -> Taken {
        match outcome {
            Ok(Outcome::Received(answered)) => {
                answered.unused.iter().for_each(|unused| self.vault.remove(unused));
                Ok(Answer { answered, said, refusal })
            }
            // Whether it was taken is not known: what is left over is removed after the next start.
            Ok(_) | Err(NotTaken::Stopping) => Err(NotTaken::Stopping),
            Err(error) => {
                self.discard(placed);
                Err(error)
            }
        }
    }

    fn discard(&self, placed: &[Placed]) {
        placed.iter().for_each(|placed| self.vault.remove(&placed.sealed.document));
    }
}

/// Whether what comes through a door waits for what systems send, and nobody for it.
const fn is_patient(door: connection::Door) -> bool {
    matches!(door, connection::Door::Backfill | connection::Door::View)
}

/// Seals what a message brings.
fn ready(
    vault: &Vault,
    system: &Code,
    input: &[u8],
    deposits: &BTreeMap<String, Sealed>,
    item: Item,
) -> Result<Ready, VaultError> {
    let message = input.get(item.span.clone()).unwrap_or_default();
    let said = Summary::of(&item);
    let mut placed = Vec::new();
    let mut refusal = None;
    let content = match item.outcome {
        Ok(Understood::Documents(documents)) => {
            Content::Documents(seal_all(vault, input, deposits, documents, &mut placed)?)
        }
        Ok(Understood::Events(events)) => Content::Events(events),
        Ok(Understood::Answer(_)) => Content::Answer,
        Ok(Understood::Review(review)) => {
            let whole = seal(vault, message)?;
            let content = Content::Review(review.reason, whole.sealed.clone());
            placed.push(whole);
            content
        }
        Err(why) => {
            refusal = Some(why);
            Content::Refused
        }
    };
    let wrong = said.reason.clone().filter(|_| is_wrong(&content)).unwrap_or_default();
    let origin = Origin { door: connection::Door::default(), sender: said.sender.clone(), wrong };
    let input = Received {
        system: system.clone(),
        control_id: said.control_id.clone(),
        digest: hash::blake3(&[message]),
        subject: None,
        holder: None,
        origin,
        named: Names::default(),
        content,
    };
    Ok(Ready { system: system.clone(), said, input: Box::new(input), placed, refusal })
}

/// What a message names; content that came before it is not read for it.
fn named_in(input: &[u8], item: &Item, zone: &Zone, codes: &CodeTables) -> Names {
    match &item.outcome {
        Ok(Understood::Documents(documents)) => {
            let of = |document: &Document| match &document.payload {
                Payload::Message(range) => input
                    .get(range.clone())
                    .map_or_else(Names::default, |bytes| named::in_document(bytes, document, zone, codes)),
                Payload::Embedded(bytes) => named::in_document(bytes, document, zone, codes),
                Payload::Deposited(_) => Names::default(),
            };
            documents.iter().map(of).fold(Names::default(), Names::and)
        }
        // A list of staff is no record, and says who they are.
        Ok(Understood::Events(_) | Understood::Answer(Heard::NotAboutPatients(_)))
            if item.format == Some(Format::Hl7V2) =>
        {
            named::in_message(input.get(item.span.clone()).unwrap_or_default(), zone, codes)
        }
        Ok(Understood::Events(_) | Understood::Answer(_) | Understood::Review(_)) | Err(_) => {
            Names::default()
        }
    }
}

/// Whether somebody has to look at it; an answer is as it should be.
const fn is_wrong(content: &Content) -> bool {
    matches!(content, Content::Review(..) | Content::Refused)
}

/// Seals all documents, or leaves none.
fn seal_all(
    vault: &Vault,
    input: &[u8],
    deposits: &BTreeMap<String, Sealed>,
    documents: Vec<Document>,
    placed: &mut Vec<Placed>,
) -> Result<Vec<(Document, Sealed)>, VaultError> {
    let mut sealed = Vec::with_capacity(documents.len());
    for mut document in documents {
        // Once sealed, the content is not kept in memory.
        let payload = std::mem::replace(&mut document.payload, Payload::Embedded(Vec::new()));
        let plain = match &payload {
            Payload::Message(range) => input.get(range.clone()).unwrap_or_default(),
            Payload::Embedded(bytes) => bytes,
            Payload::Deposited(url) => {
                // INVARIANT (what came before is known): the reader was given these URLs and no others.
                sealed.extend(deposits.get(url).map(|deposit| (document, deposit.clone())));
                continue;
            }
        };
        match seal(vault, plain) {
            Ok(one) => {
                sealed.push((document, one.sealed.clone()));
                placed.push(one);
            }
            Err(error) => {
                placed.drain(..).for_each(|one| vault.remove(&one.sealed.document));
                return Err(error);
            }
        }
    }
    Ok(sealed)
}

fn seal(vault: &Vault, mut plain: &[u8]) -> Result<Placed, VaultError> {
    let length = plain.len() as u64;
    vault.seal(&mut plain, length)
}

/// What a sender is told whose bytes could not be kept.
pub(crate) fn not_kept(error: &VaultError) -> NotTaken {
    if error.is_full() {
        tracing::warn!(%error, "a message is not taken");
    } else {
        tracing::error!(%error, "a message is not taken");
    }
    NotTaken::Busy
}
