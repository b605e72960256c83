//! What the machine gives back: answers, refusals, and what the driver is to do.

use yiqiao_proto::access::Person;
use yiqiao_proto::calls::{AlarmNotice, LoggedEvent, QualityNotice, Refusal};
use yiqiao_proto::codes::Agreement;
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directory::ListError;
use yiqiao_proto::entry::Link;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::{Code, Digest, DocumentId, Nonce, ReferralId, Subject};
use yiqiao_proto::passkey::PasskeyError;
use yiqiao_proto::person::Identifier;
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_proto::token::Token;

use crate::input::KnownLog;
use crate::intake::Answered;
use crate::open::{Denial, Opened};
use crate::passkey::Prepared;
use crate::said::WordState;

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
    /// Asks the registry for this node's words about subjects from a place in the log on (N-9).
    Recall {
        /// Names the answer.
        ticket: u64,
        /// The place.
        from: u64,
    },
    /// Tells a member a forbid or a revocation directly (F-9). Nobody waits for it: the feed has it too.
    TellAct {
        /// To whom.
        member: Code,
        /// The act.
        act: Envelope,
    },
    /// Asks a holder for a document (P-1): answered by [`crate::machine::Input::ReleaseCame`].
    AskRelease {
        /// Names the answer.
        ticket: u64,
        /// Whom.
        holder: Code,
        /// The request.
        request: Envelope,
        /// In an emergency the events that declare it, with what proves that the log has them (D-8).
        emergency: Vec<LoggedEvent>,
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
    /// Tells the other side a step of a referral: answered by [`crate::machine::Input::Told`].
    TellStep {
        /// Names the answer.
        ticket: u64,
        /// Whom.
        member: Code,
        /// The step.
        step: Envelope,
    },
    /// Asks the registry for its newest checkpoint, and that trees of these sizes are its beginning (L-13).
    AskProof {
        /// Names the answer.
        ticket: u64,
        /// The sizes.
        sizes: Vec<u64>,
    },
    /// Shows a member the newest checkpoint known here: answered by [`crate::machine::Input::Shown`] (L-13).
    Compare {
        /// Names the answer.
        ticket: u64,
        /// Whom.
        member: Code,
        /// The signed note; empty if none is known.
        checkpoint: Vec<u8>,
    },
    /// Asks the registry what it holds of subjects of this node: answered by [`crate::machine::Input::Inventoried`] (L-16).
    AskInventory {
        /// Names the answer.
        ticket: u64,
        /// The subjects, ascending.
        subjects: Vec<Subject>,
    },
    /// Tells the registry what contradicts itself: answered by [`crate::machine::Input::AlarmHeard`] (L-17).
    TellAlarm {
        /// Names the answer.
        ticket: u64,
        /// What it signed.
        alarm: AlarmNotice,
    },
    /// Tells the registry how good what systems sent on a day was: answered by [`crate::machine::Input::FiguresHeard`] (Y-3).
    TellFigures {
        /// Names the answer.
        ticket: u64,
        /// In figures.
        notice: QualityNotice,
    },
    /// Asks the registry for this node's feed (F-3).
    ReadFeed {
        /// Names the answer.
        ticket: u64,
        /// The last item that was applied; 0 if none.
        after: u64,
        /// How long the registry keeps the call if there is nothing newer.
        wait: Millis,
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
    /// The bytes of a document are kept for a day for the message that will name them.
    Deposited {
        /// How that message names them.
        id: Digest,
        /// The sealed file just made, if the same bytes were waiting already: the driver removes it.
        unused: Option<DocumentId>,
    },
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
    /// What a patient is about to sign.
    Prepared(Box<Prepared>),
    /// To be asked of the registry: each its own call.
    Call(Vec<Envelope>),
    /// A search, to be asked of the registry; what it finds counts once [`crate::machine::Input::Searched`] is done.
    Search {
        /// The query.
        query: Envelope,
        /// The log as it is known by now.
        asked: KnownLog,
    },
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
        /// How long the decision counts for those that have not begun to go out.
        holds: Millis,
    },
    /// There is no glass to break: the region's policy knows no emergency access (M-10).
    NoEmergency,
    /// A member's call is refused; what follows from it is done.
    Refused(Refusal),
    /// An access is to be proved.
    Exported {
        /// Its request, as it was signed.
        request: Envelope,
        /// Hashes of the events that declare its emergency, if the request cites one (D-8).
        emergency: Vec<Digest>,
    },
    /// A document may be opened.
    Opened(Box<Opened>),
    /// A document is not opened; the attempt stands in the audit.
    Denied(Denial),
    /// The glass is broken: by which line of the audit, until when, and the numbers of the words that say so.
    GlassBroken {
        /// What events say of the line.
        id: Digest,
        /// Until then.
        until: Timestamp,
        /// Numbers of the events among this node's words.
        words: Vec<u64>,
    },
    /// A draft was saved under this id.
    Drafted(ReferralId),
    /// No identifier of the form is the patient's: the same input again, once staff have made sure.
    Doubtful,
    /// The newest checkpoint known here, a signed note; empty if none is (L-13).
    Newest(Vec<u8>),
    /// How what the registry holds stands to the receipts of this node (L-16).
    Compared(Agreement),
    /// Who wrote those lines of the audit that the patient is told.
    Persons(Vec<Person>),
    /// The tokens of a patient, ascending.
    Tokens(Vec<Token>),
    /// Tokens are being asked for: the same input again, once the call of this ticket has landed.
    Waiting(u64),
    /// A word of this node stands in the log, or was refused for good: who waits for it is told.
    Settled {
        /// Those that were handed in together, each by its number, and how it is.
        words: Vec<(u64, WordState)>,
    },
}

/// Why an input is refused; nothing changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A message without a usable identifier of a patient came as a document or an event.
    #[error("the message names no patient: hand it in for review")]
    NoPatient,
    /// Who has the number is another person by all that is said: a person has to decide whose it is.
    #[error("the number is another person's here: hand the message in for review")]
    OtherPerson,
    /// A register parts two numbers, and not it alone has made them one: a person has to look at them.
    #[error("people or a third number have made the two one: hand the message in for review")]
    SeveralPatients,
    /// What people file by hand would be under a number that somebody has.
    #[error("a patient of the hospital has this number: check it, or choose that patient")]
    NumberTaken,
    /// Too many numbers are one patient already.
    #[error("{} numbers are one patient already: no more are merged", crate::limits::RETIRED_MAX)]
    MergedTooOften,
    /// Another document has the bytes.
    #[error("these bytes were filed as another document: send them once more for this one")]
    DepositFiled,
    /// No such access is known.
    #[error(
        "no release of this hospital, or to it, has this hash: `evidence export --document` finds those of a document"
    )]
    UnknownRelease,
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
    /// The registry has just left calls without an answer: it is asked again later, and nobody waits for that.
    #[error("the registry does not answer now: try again soon")]
    RegistryAway,
    /// The directive is of another patient.
    #[error("the token is not one of this patient's")]
    OtherToken,
    /// Documents in an emergency, and the actor has not broken the glass over this patient, or a while ago.
    #[error("the glass has to be broken over this patient first (D-11)")]
    Emergency,
    /// A reason is missing, or too long.
    #[error("a reason of 1 to {} characters is needed", crate::limits::REASON_CHARS_MAX)]
    Reason,
    /// Not for this role.
    #[error("this is for the hospital's office of medical affairs")]
    NotAffairs,
    /// Whoever did it does not say what to think of it, or undo it.
    #[error("somebody else has to do this")]
    SamePerson,
    /// The record is sealed, or it is not.
    #[error("the record is sealed already, or is not sealed")]
    SealedOrNot,
    /// Too many are named.
    #[error("at most {} people are named who open a sealed record", crate::limits::REVIEWERS_MAX)]
    TooManyReviewers,
    /// No such glass, or somebody has settled what to think of it.
    #[error("nothing of this id waits for a verdict")]
    NothingToJudge,
    /// Too much evidence.
    #[error(
        "evidence is longer than {} bytes: keep it elsewhere and give its name",
        crate::limits::EVIDENCE_BYTES_MAX
    )]
    Evidence,
    /// The region has no passkeys, or this hospital may not vouch for any.
    #[error(
        "the region's list has no domain for passkeys, or does not name this hospital as a voucher (C-9)"
    )]
    NoPasskeys,
    /// There is a passkey with this credential id here.
    #[error("this passkey was enrolled before")]
    PasskeyKnown,
    /// This hospital has vouched for no such passkey of the patient.
    #[error("no passkey of this patient has this credential id")]
    PasskeyUnknown,
    /// The registry has not taken it yet.
    #[error("the registry has not taken what was stated of the passkey yet: try again soon")]
    PasskeyWaiting,
    /// It was taken out.
    #[error("the passkey was revoked")]
    PasskeyRevoked,
    /// Too many were enrolled.
    #[error("{} passkeys of this patient were enrolled here: no more are taken", crate::limits::PASSKEYS_MAX)]
    TooManyPasskeys,
    /// The patient has none that could sign.
    #[error("the patient has no passkey that stands")]
    NoPasskey,
    /// Who has died permits nothing.
    #[error(
        "a desk has recorded that the patient has died: if that is wrong, record there that the patient lives"
    )]
    Dead,
    /// More papers than are kept.
    #[error("{} papers of this patient are kept: no more are taken", crate::limits::PAPERS_MAX)]
    TooManyPapers,
    /// More decisions than are taken at once.
    #[error("at most {} items are decided about at once", crate::limits::DECIDED_AT_ONCE_MAX)]
    TooManyDecisions,
    /// No further items have room.
    #[error("the dictionary of this system has no room for further items")]
    DictionaryFull,
    /// A time that cannot be meant.
    #[error("the time is past where one to come is needed, or the other way round")]
    WrongTime,
    /// A permit of somebody who has enrolled a passkey came with a login alone.
    #[error("who has enrolled a passkey signs what permits, or says it at a desk")]
    Unsigned,
    /// What a passkey signed proves nothing.
    #[error(transparent)]
    Passkey(PasskeyError),
    /// A word that cannot be said.
    #[error(transparent)]
    Act(DecodeError),
    /// More documents than are asked for at once.
    #[error("at most {} documents are asked for at once", yiqiao_proto::limits::FORM_DOCUMENTS_MAX)]
    TooManyDocuments,
    /// No such draft or referral is here.
    #[error("no draft or referral has this id")]
    UnknownReferral,
    /// The draft was sent: it is a referral by now.
    #[error("the draft was sent before")]
    SentBefore,
    /// The actor has nothing to do with the draft or referral.
    #[error("the draft or referral is neither this login's nor its department's")]
    NotYours,
    /// The step is not allowed where the referral stands, or not to this side.
    #[error("the step is not allowed where the referral stands (R-3)")]
    NotThere,
    /// Somebody took a step meanwhile.
    #[error("the referral has changed meanwhile: look at it again")]
    Changed,
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
    /// Members tell too much of one patient, or one member too much on one day.
    #[error("too many acts were told before the feed: it has them")]
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
    /// A member list that does not follow.
    #[error(transparent)]
    List(#[from] ListError),
}
