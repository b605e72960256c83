//! The one way in: an input and a view go in, what is to be kept, answered and done comes out.
//!
//! The driver takes a batch of inputs, lets the machine handle each on one view, appends what is to be kept to the journal,
//! makes it durable, commits what the view has written, and only then answers and carries out the effects, in order. So
//! nothing is acknowledged or sent before it is durable. Every effect is answered by exactly one input with its ticket,
//! a lost answer by [`Input::Failed`]; after a restart all that was under way is begun again.

use std::collections::BTreeMap;

use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::{ReferralAct, WithdrawalReason};
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directory::{Directory, ListError};
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::entry::Link;
use yiqiao_proto::envelope::{Envelope, Verified};
use yiqiao_proto::form::{ReferralForm, ReferralReply};
use yiqiao_proto::id::{Code, Digest, DocumentId, EntryId, Nonce, ReferralId, Subject};
use yiqiao_proto::lease::Lease;
use yiqiao_proto::person::Identifier;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::referral::ReferralStep;
use yiqiao_proto::release::{PullRequest, Release, SealingSecret};
use yiqiao_proto::sealed::Header;
use yiqiao_proto::suite::SecretKey;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::actor::Actor;
use crate::apply::{apply, apply_change};
use crate::at_rest::AtRest;
use crate::audit;
use crate::coding::Coding;
use crate::desk::{self, NewForbid, NewPermit, NewRevocation, Question, Search, Statement, Wish};
use crate::draft;
use crate::errand::{self, Errands};
use crate::feed::{self, ToldAct, Watch};
use crate::holder::{self, Range};
use crate::intake::{self, Answered, Received};
use crate::landing;
use crate::open::{self, Denial, Opened};
use crate::outbox::{self, Outbox, Turn};
use crate::receive::{self, Want};
use crate::referral;
use crate::said::{self, Saying, WordState};
use crate::staff;
use crate::state::kept::{self, change::Change};
use crate::state::{self, Body, Exchange, Fault, Ledger, Record, View, damaged};
use crate::step;
use crate::tokens;

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
    pub(crate) errands: Errands,
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
    /// Opens what other members seal to it.
    pub sealing: SealingSecret,
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
    /// Items of the feed, in order; none if there is nothing new.
    Fed {
        /// The ticket of the effect.
        ticket: u64,
        /// Their bytes.
        items: Vec<Vec<u8>>,
    },
    /// A lease; the driver has checked its signature.
    Leased {
        /// The ticket of the effect.
        ticket: u64,
        /// The lease.
        lease: Box<Verified<Lease>>,
    },
    /// Wall clock and boot clock have parted by more than a second (F-6).
    ClockJumped,
    /// A member has told a forbid or a revocation (F-9).
    Notice {
        /// The member at the other end.
        member: Code,
        /// What it told; the driver has checked the signature.
        act: Box<ToldAct>,
    },
    /// A patient permits something.
    Permit(Box<(Statement, NewPermit)>),
    /// A patient objects to something.
    Forbid(Box<(Statement, NewForbid)>),
    /// A patient takes a directive back.
    Revoke(Box<(Statement, NewRevocation)>),
    /// A patient asks what the registry keeps.
    PatientQuery(Box<Question>),
    /// Somebody looks for documents in the region.
    Search(Box<Search>),
    /// A member asks for a document (P-1); the driver has checked the signature.
    Asked(Box<Verified<PullRequest>>),
    /// A member wants a stretch of a document that was released to it.
    Range(Range),
    /// Documents of other holders are wanted for a patient.
    Want(Box<Want>),
    /// A holder lets a document go; the driver has checked the signature, and header and list against the document (Z-5).
    ReleaseCame {
        /// The ticket of the effect.
        ticket: u64,
        /// The release.
        release: Box<Verified<Release>>,
        /// The document's key, wrapped for this node.
        wrapped_key: Vec<u8>,
        /// The document's header.
        header: Header,
    },
    /// A sealed file is in the vault whole, each chunk verified.
    Fetched {
        /// The ticket of the effect.
        ticket: u64,
    },
    /// Somebody wants to open a document.
    Open {
        /// Who.
        actor: Actor,
        /// Whose document: this hospital's own code for its own.
        holder: Code,
        /// The entry.
        entry: EntryId,
    },
    /// A draft of a referral is saved.
    Draft {
        /// Who writes.
        actor: Actor,
        /// Which draft; none for a new one.
        id: Option<ReferralId>,
        /// The patient.
        subject: Subject,
        /// To which member.
        to: Code,
        /// What is written so far; its tokens are put in when it is sent.
        form: Box<ReferralForm>,
    },
    /// A draft is thrown away.
    DropDraft {
        /// Who.
        actor: Actor,
        /// Which.
        id: ReferralId,
    },
    /// A draft is sent.
    Send {
        /// Who.
        actor: Actor,
        /// Which.
        id: ReferralId,
    },
    /// Somebody takes a step of a referral.
    Act {
        /// Who.
        actor: Actor,
        /// The member that refers.
        referring: Code,
        /// The referral.
        id: ReferralId,
        /// What is done.
        act: ReferralAct,
        /// What is said.
        reply: Phi<ReferralReply>,
    },
    /// Staff confirm who the patient of a referral is.
    File {
        /// Who.
        actor: Actor,
        /// The member that refers.
        referring: Code,
        /// The referral.
        id: ReferralId,
        /// The patient.
        subject: Subject,
        /// Although no identifier of the form is the patient's.
        confirmed: bool,
    },
    /// A referral is given to somebody.
    Assign {
        /// Who gives it.
        actor: Actor,
        /// The member that refers.
        referring: Code,
        /// The referral.
        id: ReferralId,
        /// To this login.
        login: String,
    },
    /// The other side of a referral tells a step; the driver has checked the signature.
    Step(Box<Verified<ReferralStep>>),
    /// The other side has taken in a step.
    Told {
        /// The ticket of the effect.
        ticket: u64,
    },
    /// The tokens of a patient are wanted, whether or not it has documents here.
    Tokens(Subject),
    /// Somebody looks at a patient, or looked for one and found nobody: only the audit hears of it.
    Look {
        /// Who.
        actor: Actor,
        /// At whom.
        subject: Option<Subject>,
        /// How.
        act: audit::Act,
    },
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

impl Receipt {
    pub(crate) const fn kept(&self, tree_size: u64) -> kept::Receipt {
        kept::Receipt { seq: self.seq, term: self.term, accepted_at: self.accepted_at.unix_ms(), tree_size }
    }
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
    /// Tells a member a forbid or a revocation directly (F-9). Nobody waits for it: the feed has it too.
    TellAct {
        /// To whom.
        member: Code,
        /// The act.
        act: Envelope,
    },
    /// Asks a holder for a document (P-1): answered by [`Input::ReleaseCame`].
    AskRelease {
        /// Names the answer.
        ticket: u64,
        /// Whom.
        holder: Code,
        /// The request.
        request: Envelope,
    },
    /// Pulls a sealed file into the vault, each chunk verified, going on where it stopped; a driver that no longer has the
    /// list of chunks fails with a stale request, and the release comes again.
    Fetch {
        /// Names the answer.
        ticket: u64,
        /// From whom.
        holder: Code,
        /// Hash of the request.
        request: Digest,
        /// The sealed file.
        document: DocumentId,
    },
    /// Removes a sealed file, whole or in part. Nobody waits for it: nothing refers to the file any more.
    Erase {
        /// The sealed file.
        document: DocumentId,
    },
    /// Tells the other side a step of a referral: answered by [`Input::Told`].
    TellStep {
        /// Names the answer.
        ticket: u64,
        /// Whom.
        member: Code,
        /// The step.
        step: Envelope,
    },
    /// Asks the registry for this node's feed (F-3).
    ReadFeed {
        /// Names the answer.
        ticket: u64,
        /// The last item that was applied; 0 if none.
        after: u64,
    },
    /// Asks the registry for a lease (F-6, F-7).
    AskLease {
        /// Names the answer.
        ticket: u64,
        /// Used once.
        nonce: Nonce,
        /// The newest term that was seen.
        term: u64,
        /// The last item of the feed that was applied.
        feed_number: u64,
        /// The feed's chain there.
        feed_chain: Digest,
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
    /// The feed does not go on after this item: what comes does not fit. Nothing flows; an operator should know (F-3).
    FeedStopped {
        /// The last item that was applied.
        after: u64,
    },
    /// Words were kept and are being handed in: their numbers.
    Said(Vec<u64>),
    /// To be asked of the registry: each its own call.
    Call(Vec<Envelope>),
    /// A document is let go.
    Released {
        /// The release.
        release: Envelope,
        /// The document's key, wrapped for the recipient.
        wrapped_key: Vec<u8>,
        /// The sealed file, whose header and list travel with it.
        document: DocumentId,
    },
    /// Chunks are served.
    Serve {
        /// The sealed file.
        document: DocumentId,
        /// The first of them.
        first_chunk: u64,
        /// How many there are to serve.
        chunks: u32,
    },
    /// A member's call is refused; what follows from it is done.
    Refused(Refusal),
    /// A document may be opened.
    Opened(Box<Opened>),
    /// A document is not opened; the attempt stands in the audit.
    Denied(Denial),
    /// A draft was saved under this id.
    Drafted(ReferralId),
    /// No identifier of the form is the patient's: the same input again, once staff have made sure.
    Doubtful,
    /// The tokens of a patient, ascending.
    Tokens(Vec<Token>),
    /// Tokens are being asked for: the same input again, once the call of this ticket has landed.
    Waiting(u64),
    /// A word of this node stands in the log, or was refused for good: who waits for it is told.
    Settled {
        /// Its number.
        number: u64,
        /// How it ended.
        result: WordState,
    },
}

/// Why an input is refused; nothing changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A message without a usable identifier of a patient came as a document or an event.
    #[error("the message names no patient: hand it in for review")]
    NoPatient,
    /// No such patient is here.
    #[error("no patient has this subject")]
    UnknownPatient,
    /// The actor does not see the patient.
    #[error("neither a visit nor a referral ties this login to the patient")]
    NotSeen,
    /// The patient has no identifier under which the region knows anybody.
    #[error("the patient has no valid resident identity number or health card: complete it first (T-2)")]
    NoToken,
    /// The day's evaluations are used up.
    #[error("the region lets this node ask for no more tokens today: try again tomorrow (T-5)")]
    TokensLater,
    /// The directive is of another patient.
    #[error("the token is not one of this patient's")]
    OtherToken,
    /// A search in an emergency.
    #[error("emergency access is not asked for here (D-8)")]
    Emergency,
    /// Too much evidence.
    #[error(
        "evidence is longer than {} bytes: keep it elsewhere and give its name",
        crate::limits::EVIDENCE_BYTES_MAX
    )]
    Evidence,
    /// A word that cannot be said.
    #[error(transparent)]
    Act(DecodeError),
    /// More documents than are asked for at once.
    #[error("at most {} documents are asked for at once", yiqiao_proto::limits::FORM_DOCUMENTS_MAX)]
    TooManyDocuments,
    /// No such draft or referral is here.
    #[error("no draft or referral has this id")]
    UnknownReferral,
    /// The actor has nothing to do with the draft or referral.
    #[error("the draft or referral is neither this login's nor its department's")]
    NotYours,
    /// The step is not allowed where the referral stands, or not to this side.
    #[error("the step is not allowed where the referral stands (R-3)")]
    NotThere,
    /// Too many steps.
    #[error("the referral has {} steps of this side: no more are taken", crate::limits::STEPS_MAX)]
    TooManySteps,
    /// The patient of the referral was filed as somebody else.
    #[error("the referral was filed under another patient before")]
    FiledBefore,
    /// The other side is no current hospital of the region, or has no sealing key.
    #[error("no current member with a sealing key has this code")]
    NoSuchMember,
    /// The form or reply is not complete, or too long.
    #[error(transparent)]
    Form(DecodeError),
    /// A member told something that does not narrow.
    #[error("only forbids and revocations are told directly (F-9)")]
    Widens,
    /// Members tell too much of one patient.
    #[error("too many acts of this patient were told within ten minutes: the feed has them")]
    TooManyNotices,
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
        Self {
            config,
            keys,
            directory,
            ledger: Ledger::default(),
            outbox: Outbox::default(),
            exchange: Exchange::default(),
            saying: Saying::default(),
            watch: Watch::default(),
            errands: Errands::default(),
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
        self.begin_again();
        Ok(())
    }

    /// All that was under way is begun again from what is kept.
    fn begin_again(&mut self) {
        self.outbox = Outbox::from(self.ledger.queue_head);
        self.saying = Saying::from(&self.exchange);
        self.watch = Watch::default();
    }

    /// What the hospital has decided.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The members in force.
    pub const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// When the machine next needs an [`Input::Wakeup`], if ever; a time that is past: at once.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        let under_way = |lane| self.outbox.count(|call| said::is_of(call, lane));
        let words = self.saying.next_wakeup(&self.exchange, under_way);
        let errands = self.errands.next_wakeup(self.outbox.count(errand::is_of));
        let all = [self.outbox.next_wakeup(&self.ledger), words, self.next_watch(), errands];
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
            let exchange = work.view.get(&state::exchange())?;
            Ok((outcome, work.view.get(&state::ledger())?, exchange, work.view.get(&state::errands())?))
        });
        let Work { records, effects, mut turn, errands, .. } = work;
        match outcome {
            Ok((outcome, ledger, exchange, kept)) => {
                view.keep();
                self.saying = turn.saying.take().unwrap_or_else(|| std::mem::take(&mut self.saying));
                self.watch = turn.watch.take().unwrap_or_else(|| std::mem::take(&mut self.watch));
                self.outbox.take(turn);
                self.errands.take(errands, kept);
                self.ledger = ledger;
                self.exchange = exchange;
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
        let applied = apply(record, view).and_then(|()| {
            let exchange = view.get(&state::exchange())?;
            Ok((view.get(&state::ledger())?, exchange, view.get(&state::errands())?))
        });
        match applied {
            Ok((ledger, exchange, errands)) => {
                view.keep();
                self.errands = Errands::from(errands);
                if let Some(Body::Members(members)) = &record.record {
                    let envelope = Envelope::decode(&members.envelope).map_err(|_| damaged())?;
                    self.directory = self.directory.next(&envelope).map_err(|_| damaged())?;
                }
                self.ledger = ledger;
                self.exchange = exchange;
                self.begin_again();
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
    pub(crate) errands: errand::Turn,
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
            Input::Fed { ticket, items } => feed::fed(self, *ticket, items),
            Input::Leased { ticket, lease } => feed::leased(self, *ticket, lease),
            Input::ClockJumped => Ok(feed::clock_jumped(self)),
            Input::Notice { act, .. } => feed::noticed(self, act),
            Input::Permit(said) => desk::direct(self, &said.0, &Wish::Permit(said.1.clone())),
            Input::Forbid(said) => desk::direct(self, &said.0, &Wish::Forbid(said.1.clone())),
            Input::Revoke(said) => desk::revoke(self, &said.0, &said.1),
            Input::PatientQuery(question) => desk::question(self, question),
            Input::Search(search) => desk::search(self, search),
            Input::Asked(request) => holder::asked(self, request),
            Input::Range(range) => holder::range(self, range),
            Input::Want(want) => receive::want(self, want),
            Input::ReleaseCame { ticket, release, wrapped_key, header } => {
                receive::released(self, *ticket, release, wrapped_key, header)
            }
            Input::Fetched { ticket } => receive::fetched(self, *ticket),
            Input::Open { actor, holder, entry } => open::open(self, actor, holder, entry),
            Input::Draft { actor, id, subject, to, form } => draft::save(self, actor, *id, subject, to, form),
            Input::DropDraft { actor, id } => draft::drop(self, actor, id),
            Input::Send { actor, id } => referral::send(self, actor, id),
            Input::Act { actor, referring, id, act, reply } => {
                referral::act(self, actor, referring, id, *act, reply)
            }
            Input::File { actor, referring, id, subject, confirmed } => {
                referral::file(self, actor, referring, id, subject, *confirmed)
            }
            Input::Assign { actor, referring, id, login } => {
                referral::assign(self, actor, referring, id, login)
            }
            Input::Step(step) => step::told(self, step),
            Input::Told { ticket } => referral::told(self, *ticket),
            Input::Tokens(subject) => tokens::ask(self, subject),
            Input::Look { actor, subject, act } => audit::look(self, actor, subject.as_ref(), *act),
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
