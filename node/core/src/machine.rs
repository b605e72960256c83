//! The one way in: an input and a view go in, what is to be kept, answered and done comes out.
//!
//! The driver takes a batch of inputs, lets the machine handle each on one view, appends what is to be kept to the journal,
//! makes it durable, commits what the view has written, and only then answers and carries out the effects, in order. So
//! nothing is acknowledged or sent before it is durable. Every effect is answered by exactly one input with its ticket,
//! a lost answer by [`Input::Failed`]; after a restart all that was under way is begun again.

use std::collections::BTreeMap;

use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::WithdrawalReason;
use yiqiao_proto::directory::{Directory, ListError};
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::entry::Link;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::{Code, Digest, EntryId, Subject};
use yiqiao_proto::person::Identifier;
use yiqiao_proto::suite::SecretKey;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::apply::{apply, apply_change};
use crate::at_rest::AtRest;
use crate::coding::Coding;
use crate::intake::{self, Answered, Received};
use crate::landing;
use crate::outbox::{self, Outbox, Turn};
use crate::staff;
use crate::state::kept::{self, change::Change};
use crate::state::{self, Body, Fault, Ledger, Record, View, damaged};

/// A node's machine.
pub struct Machine {
    pub(crate) config: Config,
    pub(crate) keys: Keys,
    pub(crate) directory: Directory,
    pub(crate) ledger: Ledger,
    pub(crate) outbox: Outbox,
}

/// What a hospital has decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Its code in the region.
    pub organisation: Code,
    /// How its own codes become those of the index.
    pub coding: Coding,
    /// Assigners of patient numbers, by the names that its systems write, to one name each: two names of one register
    /// lead to one patient.
    pub assigners: BTreeMap<String, String>,
}

/// The keys of a node.
#[derive(Debug)]
pub struct Keys {
    /// Signs its words.
    pub words: SecretKey,
    /// Encrypts its records.
    pub at_rest: AtRest,
}

/// What comes to the machine.
#[derive(Clone, Debug)]
pub enum Input {
    /// A message of a system of the hospital.
    Received(Box<Received>),
    /// Tokens that were asked for, in the order of the identifiers; the driver has checked the proof (T-3).
    Evaluated {
        /// The ticket of the effect.
        ticket: u64,
        /// The tokens.
        tokens: Vec<Token>,
    },
    /// Words stand in the log; the driver has checked the receipts (L-7).
    Receipted {
        /// The ticket of the effect.
        ticket: u64,
        /// One for each word, in the order sent.
        receipts: Vec<Receipt>,
        /// The checkpoint of the receipts.
        checkpoint: Checkpoint,
    },
    /// The registry's words of this node about a subject, from the number asked for (N-9).
    OwnWords {
        /// The ticket of the effect.
        ticket: u64,
        /// Number and hash of the payload of each.
        words: Vec<(u64, Digest)>,
    },
    /// A call was refused, or had no answer.
    Failed {
        /// The ticket of the effect.
        ticket: u64,
        /// How it was refused; none if there was no answer.
        refusal: Option<Refusal>,
    },
    /// Staff take a document out of the index (N-7).
    Withdraw {
        /// The entry.
        entry: EntryId,
        /// Why.
        reason: WithdrawalReason,
    },
    /// Staff have settled a message that was kept for review.
    ReviewDone(u64),
    /// Staff have made sure that two merged patients whose identifiers contradict each other are one person: the retired
    /// subject is told under the survivor's tokens.
    ConfirmMerge(Subject),
    /// Staff let a subject be published again whose publishing had stopped.
    Resume(u64),
    /// A newer member list.
    MemberList(Envelope),
    /// The time that [`Machine::next_wakeup`] named has come.
    Wakeup,
}

/// Where a word stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its place.
    pub seq: u64,
    /// The term in which it was accepted.
    pub term: u64,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

/// A signed tree of the log that counts (L-5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Number of leaves.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
}

/// What the driver does once all is durable.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Asks the registry for tokens, blinded, in one call (T-3).
    Evaluate {
        /// Names the answer.
        ticket: u64,
        /// Of which epoch.
        epoch: u32,
        /// Of what.
        identifiers: Vec<Identifier>,
    },
    /// Hands words to the registry, in one call (N-5).
    Submit {
        /// Names the answer.
        ticket: u64,
        /// The words; entries and withdrawals with their links.
        words: Vec<(Envelope, Option<Link>)>,
    },
    /// Asks the registry for this node's words about a subject (N-9).
    OwnWords {
        /// Names the answer.
        ticket: u64,
        /// The subject.
        subject: Subject,
        /// From which number on.
        from_number: u64,
    },
}

/// What comes of an input that was not refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What became of a message: its sender is answered by it.
    Received(Answered),
    /// Done, or nothing to do.
    Done,
    /// The registry has shown another log than before: its receipts are not taken (L-11). An operator should know.
    OtherLog,
}

/// Why an input is refused; nothing changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A message without a usable identifier of a patient came as a document or an event.
    #[error("the message names no patient: hand it in for review")]
    NoPatient,
    /// No such document is here.
    #[error("no document has this entry id")]
    UnknownEntry,
    /// It was withdrawn before.
    #[error("the entry was withdrawn before")]
    Withdrawn,
    /// No such review or problem is open.
    #[error("no open item has the number {0}")]
    NotOpen(u64),
    /// No merge of this subject is doubtful.
    #[error("no doubtful merge has this subject")]
    NotDoubtful,
    /// A member list that does not follow.
    #[error(transparent)]
    List(#[from] ListError),
}

/// What ends the handling of an input before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It is refused; nothing changes.
    Refused(Refused),
    /// The view lacks something.
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// What the handling of one input brought.
#[derive(Clone, Debug)]
pub struct Handled {
    /// To be appended to the journal, in order.
    pub records: Vec<Record>,
    /// To be answered once all is durable.
    pub outcome: Outcome,
    /// To be done once all is durable, in order.
    pub effects: Vec<Effect>,
}

impl Machine {
    /// The machine of a node whose journal is empty or is to be read through; `directory` is the first list (M-3).
    pub fn new(config: Config, keys: Keys, directory: Directory) -> Self {
        Self { config, keys, directory, ledger: Ledger::default(), outbox: Outbox::default() }
    }

    /// Goes on where the index stands, without reading the journal.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something, or the stored member list is of another region.
    pub fn resume(&mut self, view: &View) -> Result<(), Fault> {
        if let Some(members) = view.find(&state::members())? {
            let envelope = Envelope::decode(&members.envelope).map_err(|_| damaged())?;
            // It was taken into the succession when it came (M-2); its own bytes are what names it now.
            let pinned = Directory::pinned(self.directory.region(), envelope.payload_hash(), &envelope);
            self.directory = pinned.map_err(|_| damaged())?;
        }
        self.ledger = view.get(&state::ledger())?;
        self.outbox = Outbox::from(self.ledger.queue_head);
        Ok(())
    }

    /// The members in force.
    pub const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// When the machine next needs an [`Input::Wakeup`], if ever; a time that is past: at once.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        self.outbox.next_wakeup(&self.ledger)
    }

    /// Handles one input. The view keeps what it wrote if it is handled, and is as before if it is refused or lacks
    /// something.
    ///
    /// # Errors
    /// [`Stop`]: refused, or to be repeated with more loaded. Entropy must be fresh for every repetition that counts.
    pub fn handle(
        &mut self,
        now: Timestamp,
        input: &Input,
        entropy: &mut Entropy,
        view: &mut View,
    ) -> Result<Handled, Stop> {
        let mut work = Work {
            machine: self,
            now,
            entropy,
            view,
            records: Vec::new(),
            changes: Vec::new(),
            effects: Vec::new(),
            turn: Turn::default(),
        };
        let outcome = work.handle(input).and_then(|outcome| Ok((outcome, work.view.get(&state::ledger())?)));
        let Work { records, effects, turn, .. } = work;
        match outcome {
            Ok((outcome, ledger)) => {
                view.keep();
                self.outbox.take(turn);
                self.ledger = ledger;
                self.take_list(input);
                Ok(Handled { records, outcome, effects })
            }
            Err(stop) => {
                view.forget();
                Err(stop)
            }
        }
    }

    /// Does again what followed from one record of the journal: how the index is rebuilt.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something, or the record is none that this machine would have kept.
    pub fn rebuild(&mut self, record: &Record, view: &mut View) -> Result<(), Fault> {
        match apply(record, view).and_then(|()| view.get(&state::ledger())) {
            Ok(ledger) => {
                view.keep();
                if let Some(Body::Members(members)) = &record.record {
                    let envelope = Envelope::decode(&members.envelope).map_err(|_| damaged())?;
                    self.directory = self.directory.next(&envelope).map_err(|_| damaged())?;
                }
                self.outbox = Outbox::from(ledger.queue_head);
                self.ledger = ledger;
                Ok(())
            }
            Err(fault) => {
                view.forget();
                Err(fault)
            }
        }
    }

    fn take_list(&mut self, input: &Input) {
        if let Input::MemberList(envelope) = input
            && let Ok(next) = self.directory.next(envelope)
        {
            self.directory = next;
            self.outbox.start_over(self.ledger.queue_head);
        }
    }
}

/// The handling of one input.
pub(crate) struct Work<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) now: Timestamp,
    pub(crate) entropy: &'a mut Entropy,
    pub(crate) view: &'a mut View,
    records: Vec<Record>,
    changes: Vec<kept::Change>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) turn: Turn,
}

impl Work<'_> {
    fn handle(&mut self, input: &Input) -> Result<Outcome, Stop> {
        match input {
            Input::Received(received) => intake::receive(self, received).map(Outcome::Received),
            Input::Evaluated { ticket, tokens } => landing::evaluated(self, *ticket, tokens),
            Input::Receipted { ticket, receipts, checkpoint } => {
                landing::receipted(self, *ticket, receipts, checkpoint)
            }
            Input::OwnWords { ticket, words } => landing::own_words(self, *ticket, words),
            Input::Failed { ticket, refusal } => landing::failed(self, *ticket, refusal.as_ref()),
            Input::Withdraw { entry, reason } => staff::withdraw(self, entry, *reason),
            Input::ReviewDone(number) => staff::review_done(self, *number),
            Input::ConfirmMerge(retired) => staff::confirm_merge(self, retired),
            Input::Resume(problem) => staff::resume(self, *problem),
            Input::MemberList(envelope) => staff::member_list(self, envelope),
            Input::Wakeup => outbox::wakeup(self),
        }
    }

    /// Does what follows from a record, and keeps it for the journal.
    pub(crate) fn keep(&mut self, body: Body) -> Result<(), Fault> {
        let record = Record { at: self.now.unix_ms(), record: Some(body) };
        apply(&record, self.view)?;
        self.records.push(record);
        Ok(())
    }

    /// Does what follows from one change of a message that is being received.
    pub(crate) fn change(&mut self, change: Change) -> Result<(), Fault> {
        let change = kept::Change { change: Some(change) };
        apply_change(&change, self.now.unix_ms(), self.view)?;
        self.changes.push(change);
        Ok(())
    }

    /// Keeps changes that were not a message's, which have been done.
    pub(crate) fn keep_changes(&mut self) {
        let changes = std::mem::take(&mut self.changes);
        let record =
            Record { at: self.now.unix_ms(), record: Some(Body::Changed(kept::Changed { changes })) };
        self.records.push(record);
    }

    /// Keeps a message with all its changes, which have been done.
    pub(crate) fn keep_received(&mut self, mut received: kept::Received) -> Result<(), Fault> {
        crate::apply::apply_received(&received, &self.changes, self.now.unix_ms(), self.view)?;
        received.changes = std::mem::take(&mut self.changes);
        let record = Record { at: self.now.unix_ms(), record: Some(Body::Received(received)) };
        self.records.push(record);
        Ok(())
    }
}
