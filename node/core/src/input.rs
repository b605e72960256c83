//! What comes to the machine: from systems, staff, patients, other members, the registry, and time.

use std::sync::Arc;

use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::{ReferralAct, WithdrawalReason};
use yiqiao_proto::directive::{Act, PatientQuery};
use yiqiao_proto::envelope::{Envelope, Verified};
use yiqiao_proto::form::{ReferralForm, ReferralReply};
use yiqiao_proto::id::{Code, Digest, EntryId, ReferralId, Subject};
use yiqiao_proto::inventory::Inventory;
use yiqiao_proto::lease::Lease;
use yiqiao_proto::log::Opening;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::referral::ReferralStep;
use yiqiao_proto::release::{PullRequest, Release};
use yiqiao_proto::sealed::Header;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;
use yiqiao_proto::tree::Hash;

use crate::actor::Actor;
use crate::audit;
use crate::connection::Origin;
use crate::death::Death;
use crate::deposit::Deposit;
use crate::desk::{NewForbid, NewPermit, NewRevocation, Question, Search, Statement, Wish};
use crate::dictionary::Deciding;
use crate::emergency::Declared;
use crate::feed::ToldAct;
use crate::glass::{Breaking, Judging};
use crate::holder::Range;
use crate::intake::Received;
use crate::outgoing::{Again, Handed};
use crate::pairs::Judgement;
use crate::paper::NewPaper;
use crate::passkey::{Signed, Vouching};
use crate::receive::Want;
use crate::seal;
use crate::state::kept;
use crate::watermark::ReadUp;

/// What comes to the machine.
#[derive(Clone, Debug)]
pub enum Input {
    /// A message of a system of the hospital.
    Received(Box<Received>),
    /// What a system sent was no whole message, and went back.
    Unread {
        /// The system.
        system: Code,
        /// How it came, and what was wrong.
        origin: Origin,
    },
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
        /// The last word as it stands there.
        last: Option<Box<Acknowledged>>,
    },
    /// The registry's words of this node about a subject, from the number asked for (N-9).
    OwnWords {
        /// The ticket of the effect.
        ticket: u64,
        /// Number and hash of the payload of each.
        words: Vec<(u64, Digest)>,
        /// Its newest identity statement.
        statement: Option<StatementRead>,
    },
    /// The registry's words of this node from the place asked for (N-9).
    Recalled {
        /// The ticket of the effect.
        ticket: u64,
        /// In the order of the log.
        words: Vec<OwnWord>,
        /// From which place on the next ones are asked for.
        next: u64,
        /// Whether the log ended there.
        whole: bool,
    },
    /// A call was refused, or had no answer.
    Failed {
        /// The ticket of the effect.
        ticket: u64,
        /// How it was refused; none if there was no answer.
        refusal: Option<Refusal>,
    },
    /// The bytes of a document come before the message that describes them.
    Deposit(Deposit),
    /// Staff take a document out of the index (N-7).
    Withdraw {
        /// The entry.
        entry: EntryId,
        /// Why.
        reason: WithdrawalReason,
    },
    /// Staff have settled a message that was kept for review.
    ReviewDone(u64),
    /// Staff decide whether two patients are one person.
    Judge {
        /// Who.
        actor: Actor,
        /// The pair.
        pair: u64,
        /// What.
        judgement: Judgement,
    },
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
        lease: Arc<Verified<Lease>>,
        /// The newest checkpoint when it was signed.
        checkpoint: Checkpoint,
    },
    /// What is known of consent is to be brought up to a time after the call of a ticket ([`crate::machine::Machine::last_call`]).
    CatchUp {
        /// The ticket.
        after: u64,
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
    /// A patient permits, or objects to, the same of several at once (C-17).
    Several(Box<(Statement, Vec<Wish>)>),
    /// A patient takes a directive back.
    Revoke(Box<(Statement, NewRevocation)>),
    /// Somebody breaks the glass over a patient (D-11).
    BreakGlass(Box<Breaking>),
    /// Somebody says what to think of it.
    JudgeGlass(Box<Judging>),
    /// The record of a patient is sealed, or the seal lifted (D-12).
    Seal(Box<seal::Change>),
    /// A desk vouches for a patient's passkey.
    Vouch(Box<Vouching>),
    /// A desk, or the patient, takes a passkey out for good.
    Retire {
        /// Who.
        actor: Actor,
        /// The patient.
        subject: Subject,
        /// The credential id.
        credential_id: Vec<u8>,
    },
    /// A desk records that a patient has died, or that this was wrong.
    Died(Box<Death>),
    /// A desk has scanned a paper of a patient.
    Paper(Box<NewPaper>),
    /// Somebody has decided what items of a system are.
    Decide(Box<Deciding>),
    /// The hospital's gateway has taken over what a patient is told, by its number; or it is too old.
    Informed(u64),
    /// A system of the hospital is to be told of what comes (O-1).
    Destination(Code),
    /// How telling it ended.
    Handed(Box<Handed>),
    /// Somebody has mended what kept a system from taking events: those that were set aside are told once more.
    TellAgain(Again),
    /// A view of a database was read up to a watermark.
    ReadUp(ReadUp),
    /// A patient is about to sign something.
    Prepare(Box<(Statement, Wish)>),
    /// A patient has signed what was prepared.
    Sign(Box<Signed>),
    /// A patient asks what the registry keeps.
    PatientQuery(Box<Question>),
    /// Somebody looks for documents in the region.
    Search(Box<Search>),
    /// The registry has answered the search; the driver has checked that it signed answer and checkpoint.
    Searched {
        /// The log as it was known when it was asked.
        asked: KnownLog,
        /// The tree at which it answered.
        checkpoint: Checkpoint,
    },
    /// A member asks for a document (P-1); the driver has checked the signatures.
    Asked {
        /// The request.
        request: Box<Verified<PullRequest>>,
        /// The events that it shows of the emergency that the request cites (D-8).
        emergency: Vec<Declared>,
    },
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
    /// Somebody exports what proves an access.
    Export {
        /// Who.
        actor: Actor,
        /// Which: the hash of the release's payload.
        release: Digest,
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
        /// How many steps of both sides the actor had before it, if it is only then to be taken.
        seen: Option<u32>,
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
        /// The department of who is given it: the referral's from now on, if its form names none.
        department: Option<Code>,
    },
    /// The other side of a referral tells a step; the driver has checked the signature.
    Step(Box<Verified<ReferralStep>>),
    /// The other side has taken in a step.
    Told {
        /// The ticket of the effect.
        ticket: u64,
    },
    /// The newest checkpoint of the log, and for each size that was asked for the hashes that prove it to be the beginning
    /// (L-13); the driver has checked the signature.
    Proved {
        /// The ticket of the effect.
        ticket: u64,
        /// The checkpoint.
        checkpoint: Checkpoint,
        /// In the order of the sizes.
        proofs: Vec<Vec<Hash>>,
    },
    /// A member shows the newest checkpoint that it knows of the log that counts, if it knows one (L-13); the driver has
    /// checked the registry's signature.
    Shown {
        /// The ticket of the effect to which this is the answer; none if the member began.
        ticket: Option<u64>,
        /// The member.
        member: Code,
        /// The checkpoint.
        checkpoint: Option<Checkpoint>,
    },
    /// The registry has said what it holds of subjects of this node; the driver has checked its signature, and to whom it was said.
    Inventoried {
        /// The ticket of the effect; none if the patient looks, here or at another member.
        ticket: Option<u64>,
        /// What it said.
        inventory: Box<Verified<Inventory>>,
        /// The checkpoint in it.
        checkpoint: Checkpoint,
    },
    /// A member asks, for a patient who is signed in there, who wrote lines of this node's audit; the driver has checked the signature.
    Persons {
        /// By which the patient asks.
        question: Box<Verified<Act<PatientQuery>>>,
        /// What events say of the lines.
        lines: Vec<Digest>,
    },
    /// The registry has heard of what contradicts itself.
    AlarmHeard {
        /// The ticket of the effect.
        ticket: u64,
    },
    /// The registry has figures of quality.
    FiguresHeard {
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
    /// Somebody tried to sign in as this actor, and was not let in.
    SignInRefused(Actor),
    /// The time that [`crate::machine::Machine::next_wakeup`] named has come.
    Wakeup,
}

impl Input {
    /// The ticket of the effect to which this is the answer; none if it is no answer.
    pub const fn ticket(&self) -> Option<u64> {
        match self {
            Self::Evaluated { ticket, .. }
            | Self::Receipted { ticket, .. }
            | Self::OwnWords { ticket, .. }
            | Self::Recalled { ticket, .. }
            | Self::Failed { ticket, .. }
            | Self::Fed { ticket, .. }
            | Self::Leased { ticket, .. }
            | Self::Proved { ticket, .. }
            | Self::ReleaseCame { ticket, .. }
            | Self::Fetched { ticket }
            | Self::AlarmHeard { ticket }
            | Self::FiguresHeard { ticket }
            | Self::Told { ticket } => Some(*ticket),
            Self::Shown { ticket, .. } | Self::Inventoried { ticket, .. } => *ticket,
            Self::Received(_)
            | Self::Deposit(_)
            | Self::Withdraw { .. }
            | Self::ReviewDone(_)
            | Self::Judge { .. }
            | Self::Resume(_)
            | Self::MemberList(_)
            | Self::CatchUp { .. }
            | Self::ClockJumped
            | Self::Notice { .. }
            | Self::Permit(_)
            | Self::Forbid(_)
            | Self::Several(_)
            | Self::Revoke(_)
            | Self::Unread { .. }
            | Self::BreakGlass(_)
            | Self::JudgeGlass(_)
            | Self::Seal(_)
            | Self::Vouch(_)
            | Self::Retire { .. }
            | Self::Died(_)
            | Self::Paper(_)
            | Self::Decide(_)
            | Self::Informed(_)
            | Self::Destination(_)
            | Self::Handed(_)
            | Self::TellAgain(_)
            | Self::ReadUp(_)
            | Self::Prepare(_)
            | Self::Sign(_)
            | Self::PatientQuery(_)
            | Self::Persons { .. }
            | Self::Search(_)
            | Self::Searched { .. }
            | Self::Asked { .. }
            | Self::Range(_)
            | Self::Want(_)
            | Self::Open { .. }
            | Self::Export { .. }
            | Self::Draft { .. }
            | Self::DropDraft { .. }
            | Self::Send { .. }
            | Self::Act { .. }
            | Self::File { .. }
            | Self::Assign { .. }
            | Self::Step(_)
            | Self::Tokens(_)
            | Self::Look { .. }
            | Self::SignInRefused(_)
            | Self::Wakeup => None,
        }
    }
}

/// A word of this node about a subject, as the log has it (N-9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnWord {
    /// The subject.
    pub subject: Subject,
    /// Its number in its chain; of a statement, among the statements.
    pub number: u64,
    /// Hash of its payload.
    pub payload: Digest,
    /// What it says.
    pub says: OwnSaying,
}

/// What such a word says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnSaying {
    /// It publishes an entry.
    Entry(EntryId),
    /// It withdraws one.
    Withdrawal(EntryId, WithdrawalReason),
    /// It states tokens.
    Statement(Vec<Token>),
}

/// An identity statement of this node that was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementRead {
    /// Its number.
    pub number: u64,
    /// Hash of its payload.
    pub payload: Digest,
    /// The tokens that it says.
    pub tokens: Vec<Token>,
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

/// A word with its place in the log, and its path to the checkpoint of its receipt (L-7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The word at its place.
    pub opening: Opening,
    /// From its leaf upwards.
    pub path: Vec<Hash>,
}

impl Receipt {
    pub(crate) const fn kept(&self, tree_size: u64) -> kept::Receipt {
        kept::Receipt { seq: self.seq, term: self.term, accepted_at: self.accepted_at.unix_ms(), tree_size }
    }
}

/// The log that counted, and its newest tree that was known, at some time (L-11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownLog {
    /// The log.
    pub log_id: Code,
    /// Number of leaves of the tree.
    pub tree_size: u64,
}

/// A signed tree of the log that counts (L-5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Number of leaves.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
    /// The note that says so, with its signatures.
    pub note: Vec<u8>,
}
