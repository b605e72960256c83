//! The one way in: an input and a view go in, what is to be kept, answered and done comes out.
//!
//! The driver takes a batch of inputs, lets the machine handle each on one view, appends what is to be kept to the journal,
//! makes it durable, commits what the view has written, and only then answers and carries out the effects, in order. So
//! nothing is acknowledged or sent before it is durable. Every effect is answered by exactly one input with its ticket,
//! a lost answer by [`Input::Failed`]; after a restart all that was under way is begun again.

use std::borrow::Cow;
use std::collections::BTreeMap;

use yiqiao_intake::dates::Zone;
use yiqiao_proto::codes::KeyUse;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::{Code, Digest, KeyId};
use yiqiao_proto::lease::feed_start;
use yiqiao_proto::member::{KeyState, Member, SealingKey};
use yiqiao_proto::release::SealingSecret;
use yiqiao_proto::suite::SecretKey;
use yiqiao_proto::time::Timestamp;

use crate::apply::{apply, apply_change};
use crate::at_rest::AtRest;
use crate::coding::Coding;
use crate::compare::Comparing;
use crate::desk::Wish;
use crate::errand::Errands;
use crate::feed::Watch;
pub use crate::input::{
    Acknowledged, Checkpoint, Input, KnownLog, OwnSaying, OwnWord, Receipt, StatementRead,
};
use crate::omission::{Inspecting, Shown};
use crate::outbox::{Outbox, Turn};
pub use crate::output::{Effect, Outcome, Refused};
use crate::reporting::Reporting;
use crate::said::Saying;
use crate::state::kept::{self, change::Change};
use crate::state::{self, Body, Exchange, Fault, Ledger, Record, View, damaged};
use crate::{
    again, audit, compare, connection, death, deposit, desk, dictionary, draft, errand, evidence, feed,
    glass, holder, inform, intake, landing, lost, omission, open, outbox, outgoing, pairs, paper, passkey,
    persons, receive, referral, reporting, said, seal, staff, step, tokens, watermark,
};

/// A node's machine.
pub struct Machine {
    pub(crate) config: Config,
    pub(crate) keys: Keys,
    pub(crate) directory: Directory,
    pub(crate) ledger: Ledger,
    pub(crate) outbox: Outbox,
    pub(crate) exchange: Exchange,
    pub(crate) saying: Saying,
    pub(crate) watch: Watch,
    pub(crate) comparing: Comparing,
    pub(crate) inspecting: Inspecting,
    pub(crate) reporting: Reporting,
    pub(crate) errands: Errands,
    /// Where its feed starts (F-2).
    pub(crate) feed_start: Digest,
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
    /// The register whose numbers people of the hospital type; if none is configured, [`Machine::main_register`] tells.
    pub main_register: Option<String>,
    /// By whose midnight days are counted.
    pub zone: Zone,
    /// For how long the glass stays broken, and until when somebody else has looked at it.
    pub glass: glass::Spans,
}

/// The keys of a node.
#[derive(Debug)]
pub struct Keys {
    /// Sign its words.
    pub words: WordsKeys,
    /// Open what other members seal to it: those of its newest sealing key and of earlier ones, under which something may be
    /// on its way, in any order (M-4).
    pub sealing: Vec<SealingSecret>,
    /// Encrypts its records.
    pub at_rest: AtRest,
}

/// The keys with which a node signs its words: its first one and those that followed it. Which of them signs, the member list says.
#[derive(Clone, Debug)]
pub struct WordsKeys {
    /// Signs while the list has none of them.
    pub first: SecretKey,
    /// In any order.
    pub later: Vec<SecretKey>,
}

impl From<SecretKey> for WordsKeys {
    fn from(first: SecretKey) -> Self {
        Self { first, later: Vec::new() }
    }
}

impl WordsKeys {
    /// The last one of the member's list that is valid (M-5).
    fn in_force(&self, own: Option<&Member>) -> &SecretKey {
        let mut valid = own.into_iter().flat_map(|own| own.signs_with(KeyUse::Words));
        let held = || self.later.iter().chain([&self.first]);
        valid.find_map(|listed| held().find(|key| key.public() == listed.key)).unwrap_or(&self.first)
    }
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
        let feed_start = feed_start(directory.region(), &config.organisation);
        Self {
            config,
            keys,
            directory,
            ledger: Ledger::default(),
            outbox: Outbox::default(),
            exchange: Exchange::default(),
            saying: Saying::default(),
            watch: Watch::default(),
            comparing: Comparing::default(),
            inspecting: Inspecting::default(),
            reporting: Reporting::default(),
            errands: Errands::default(),
            feed_start,
        }
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
        self.exchange = view.get(&state::exchange())?;
        self.errands = Errands::from(view.get(&state::errands())?);
        self.begin_again(Shown::of(view)?)
    }

    /// All that was under way is begun again from what is kept.
    fn begin_again(&mut self, shown: Shown) -> Result<(), Fault> {
        self.outbox = Outbox::from(&self.ledger);
        self.saying = Saying::from(&self.exchange);
        self.watch = Watch::default();
        self.inspecting = Inspecting::from(&shown);
        self.reporting = Reporting::default();
        self.comparing = Comparing::from(self.directory.list().log_id.as_str(), shown.compared)?;
        Ok(())
    }

    /// The ticket of the newest call that was begun.
    pub const fn last_call(&self) -> u64 {
        self.outbox.last_ticket()
    }

    /// Until when no tokens are asked for, because the quota of the day is used up, and how many patients wait for that (T-5).
    pub fn tokens_wait(&self, now: Timestamp) -> Option<(Timestamp, usize)> {
        self.outbox.tokens_wait(now)
    }

    /// What the hospital has decided.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The members in force.
    pub const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The key that signs its words now.
    pub(crate) fn signing_key(&self) -> &SecretKey {
        self.keys.words.in_force(self.directory.member(&self.config.organisation))
    }

    /// The newest of its sealing keys in force that it can open, to which others are to seal; none while it is suspended
    /// (M-4, M-7).
    pub(crate) fn own_sealing_key(&self) -> Option<&SealingKey> {
        let own = self.directory.member(&self.config.organisation).filter(|own| !own.suspended)?;
        let valid = own.sealing_keys.iter().rev().filter(|key| key.state == KeyState::Valid);
        valid.into_iter().find(|key| self.sealing_secret(key.id()).is_some())
    }

    /// What opens under a sealing key that the list has for it, whatever has become of the key.
    pub(crate) fn sealing_secret(&self, id: KeyId) -> Option<&SealingSecret> {
        let own = self.directory.member(&self.config.organisation)?;
        let key = own.sealing_keys.iter().find(|key| key.id() == id)?;
        self.keys.sealing.iter().find(|secret| secret.public() == key.public_key)
    }

    /// When the machine next needs an [`Input::Wakeup`], if ever; a time that is past: at once.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        let under_way = |lane| self.outbox.count(|call| said::is_of(call, lane));
        let words = self.saying.next_wakeup(&self.exchange, again::links_wait(&self.ledger), under_way);
        let errands = self.errands.next_wakeup(self.outbox.count(errand::is_of));
        let outbox = self.outbox.next_wakeup(&self.ledger);
        let (watch, proof) = (self.next_watch(), self.next_proof());
        let (inspection, report) = (self.next_inspection(), self.next_report());
        let all = [outbox, words, watch, proof, inspection, report, self.next_anchor(), errands];
        all.into_iter().flatten().min()
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
            errands: errand::Turn::default(),
        };
        let outcome = work.handle(input).and_then(|outcome| {
            compare::meet(&mut work)?;
            let exchange = work.view.at_hand(&state::exchange())?;
            let errands = work.view.at_hand(&state::errands())?;
            Ok((outcome, work.view.at_hand(&state::ledger())?, exchange, errands))
        });
        let Work { records, effects, mut turn, errands, .. } = work;
        match outcome {
            Ok((outcome, ledger, exchange, kept)) => {
                view.keep();
                put(&mut self.saying, turn.saying.take());
                put(&mut self.comparing, turn.comparing.take());
                put(&mut self.inspecting, turn.inspecting.take());
                put(&mut self.reporting, turn.reporting.take());
                put(&mut self.watch, turn.watch.take());
                self.outbox.take(turn);
                put(&mut self.errands.kept, kept);
                self.errands.take(errands, || errand::Room::of(&self.outbox));
                put(&mut self.ledger, ledger);
                put(&mut self.exchange, exchange);
                self.take_list(input);
                Ok(Handled { records, outcome, effects })
            }
            Err(mut stop) => {
                view.forget();
                if let Stop::Fault(Fault::Missing { keys }) = &mut stop {
                    // Loaded with the first that an input lacks, they spare it a round for each.
                    keys.extend(state::of_every_change().into_iter().filter(|key| !view.knows(key)));
                }
                Err(stop)
            }
        }
    }

    /// Does again what followed from one record of the journal: how the index is rebuilt.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something, or the record is none that this machine would have kept.
    pub fn rebuild(&mut self, record: &Record, view: &mut View) -> Result<(), Fault> {
        let applied = apply(record, view).and_then(|()| {
            let exchange = view.get(&state::exchange())?;
            Ok((view.get(&state::ledger())?, exchange, view.get(&state::errands())?, Shown::of(view)?))
        });
        match applied {
            Ok((ledger, exchange, errands, shown)) => {
                view.keep();
                self.errands = Errands::from(errands);
                if let Some(Body::Members(members)) = &record.record {
                    let envelope = Envelope::decode(&members.envelope).map_err(|_| damaged())?;
                    self.directory = self.directory.next(&envelope).map_err(|_| damaged())?;
                }
                self.ledger = ledger;
                self.exchange = exchange;
                self.begin_again(shown)
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

fn put<T>(into: &mut T, changed: Option<T>) {
    if let Some(changed) = changed {
        *into = changed;
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
    pub(crate) errands: errand::Turn,
}

impl<'a> Work<'a> {
    #[expect(clippy::too_many_lines, reason = "one arm for each input, and nothing else")]
    fn handle(&mut self, input: &Input) -> Result<Outcome, Stop> {
        match input {
            Input::Received(received) => intake::receive(self, received).map(Outcome::Received),
            Input::Unread { system, origin } => connection::unread(self, system, origin),
            Input::Deposit(deposit) => deposit::take(self, deposit),
            Input::Evaluated { ticket, tokens } => landing::evaluated(self, *ticket, tokens),
            Input::Receipted { ticket, receipts, checkpoint, last } => {
                landing::receipted(self, *ticket, receipts, checkpoint, last.as_deref())
            }
            Input::OwnWords { ticket, words, statement } => {
                landing::own_words(self, *ticket, words, statement.as_ref())
            }
            Input::Recalled { ticket, words, next, whole } => {
                lost::recalled(self, *ticket, words, *next, *whole)
            }
            Input::Failed { ticket, refusal } => landing::failed(self, *ticket, refusal.as_ref()),
            Input::Withdraw { entry, reason } => staff::withdraw(self, entry, *reason),
            Input::ReviewDone(number) => staff::review_done(self, *number),
            Input::Judge { actor, pair, judgement } => pairs::judge(self, actor, *pair, *judgement),
            Input::Resume(problem) => staff::resume(self, *problem),
            Input::MemberList(envelope) => staff::member_list(self, envelope),
            Input::Fed { ticket, items } => feed::fed(self, *ticket, items),
            Input::Leased { ticket, lease, checkpoint } => feed::leased(self, *ticket, lease, checkpoint),
            Input::CatchUp { after } => feed::catch_up(self, *after),
            Input::ClockJumped => Ok(feed::clock_jumped(self)),
            Input::Notice { member, act } => feed::noticed(self, member, act),
            Input::Permit(said) => desk::say(self, &said.0, &[Wish::Permit(said.1.clone())]),
            Input::Forbid(said) => desk::say(self, &said.0, &[Wish::Forbid(said.1.clone())]),
            Input::Several(said) => desk::say(self, &said.0, &said.1),
            Input::Revoke(said) => desk::say(self, &said.0, &[Wish::Revoke(said.1.clone())]),
            Input::BreakGlass(breaking) => glass::break_glass(self, breaking),
            Input::JudgeGlass(judging) => glass::judge(self, judging),
            Input::Seal(change) => seal::change(self, change),
            Input::Vouch(vouching) => passkey::vouch(self, vouching),
            Input::Retire { actor, subject, credential_id } => {
                passkey::retire(self, actor, subject, credential_id)
            }
            Input::Died(death) => death::record(self, death),
            Input::Paper(paper) => paper::take(self, paper),
            Input::Decide(deciding) => dictionary::decide(self, deciding),
            Input::Informed(number) => inform::taken(self, *number),
            Input::Destination(name) => outgoing::destine(self, name),
            Input::Handed(handed) => outgoing::hand(self, handed),
            Input::TellAgain(again) => outgoing::tell_again(self, again),
            Input::ReadUp(read) => watermark::read_up(self, read),
            Input::Prepare(said) => passkey::prepare(self, &said.0, &said.1),
            Input::Sign(signed) => passkey::sign(self, signed),
            Input::PatientQuery(question) => desk::question(self, question),
            Input::Search(search) => desk::search(self, search),
            Input::Searched { asked, checkpoint } => landing::searched(self, asked, checkpoint),
            Input::Asked { request, emergency } => holder::asked(self, request, emergency),
            Input::Range(range) => holder::range(self, range),
            Input::Want(want) => receive::want(self, want),
            Input::ReleaseCame { ticket, release, wrapped_key, header } => {
                receive::released(self, *ticket, release, wrapped_key, header)
            }
            Input::Fetched { ticket } => receive::fetched(self, *ticket),
            Input::Open { actor, holder, entry } => open::open(self, actor, holder, entry),
            Input::Export { actor, release } => evidence::export(self, actor, release),
            Input::Draft { actor, id, subject, to, form } => draft::save(self, actor, *id, subject, to, form),
            Input::DropDraft { actor, id } => draft::drop(self, actor, id),
            Input::Send { actor, id } => referral::send(self, actor, id),
            Input::Act { actor, referring, id, act, reply, seen } => {
                referral::act(self, actor, referring, id, *act, reply, *seen)
            }
            Input::File { actor, referring, id, subject, confirmed } => {
                referral::file(self, actor, referring, id, subject, *confirmed)
            }
            Input::Assign { actor, referring, id, login, department } => {
                referral::assign(self, actor, referring, id, login, department.as_ref())
            }
            Input::Step(step) => step::told(self, step),
            Input::Told { ticket } => referral::told(self, *ticket),
            Input::Proved { ticket, checkpoint, proofs } => {
                compare::proofs(self, *ticket, checkpoint, proofs)
            }
            Input::Shown { ticket, member, checkpoint } => {
                compare::shown(self, *ticket, member, checkpoint.as_ref())
            }
            Input::Inventoried { ticket, inventory, checkpoint } => {
                omission::told(self, *ticket, inventory, checkpoint)
            }
            Input::Persons { question, lines } => persons::asked(self, question, lines),
            Input::AlarmHeard { ticket } => Ok(omission::heard(self, *ticket)),
            Input::FiguresHeard { ticket } => Ok(reporting::heard(self, *ticket)),
            Input::Tokens(subject) => tokens::ask(self, subject),
            Input::SignInRefused(actor) => audit::refused_sign_in(self, actor),
            Input::Look { actor, subject, act } => audit::look(self, actor, subject.as_ref(), *act),
            Input::Wakeup => outbox::wakeup(self),
        }
    }

    /// What there is one of, as this input has left it so far: the machine has what it did not change.
    pub(crate) fn ledger(&self) -> Result<Cow<'a, Ledger>, Fault> {
        Ok(self.view.at_hand(&state::ledger())?.map_or(Cow::Borrowed(&self.machine.ledger), Cow::Owned))
    }

    /// The same for consent and exchange.
    pub(crate) fn exchange(&self) -> Result<Cow<'a, Exchange>, Fault> {
        Ok(self.view.at_hand(&state::exchange())?.map_or(Cow::Borrowed(&self.machine.exchange), Cow::Owned))
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
