//! Calls between processes: requests and answers, strictly read like words but not signed by themselves.

use prost::Message;

use crate::codes::RefusalCode;
use crate::decode::{self, DecodeError};
use crate::limits;
use crate::time::Millis;
use crate::wire::calls as wire;

/// What can be called, by number on the link. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Hands words to the registry.
    Submit = 1,
    /// Evaluates blinded identifiers.
    Evaluate = 2,
    /// Searches the index.
    Search = 3,
    /// Reads the asking member's feed.
    Feed = 4,
    /// Asks for a lease.
    Lease = 5,
    /// Reads member lists.
    Members = 6,
    /// Reads the consent of one patient.
    Consent = 7,
    /// Reads the access events of one patient.
    History = 8,
    /// Asks for the newest checkpoint, and for proofs that it continues earlier ones.
    Proof = 9,
    /// Reads back what the asking member itself has published about a subject.
    Links = 10,
    /// Asks a holder for key and map of one document.
    Release = 20,
    /// Tells the other side a referral step.
    Step = 21,
    /// Tells a holder or recipient a consent act directly.
    ActNotice = 22,
    /// Compares the newest checkpoints that both sides know.
    Compare = 23,
    /// Reads what the log has of one release, to prove it to a third party.
    Evidence = 40,
    /// Reads back how far the asking member has said that its audit had come.
    Anchors = 41,
    /// Reads back what the asking member itself has published since a place in the log.
    Recall = 80,
    /// Asks what the index holds of the asking member's own subjects.
    Inventory = 60,
    /// Asks what the index holds of one patient, by publisher.
    Holdings = 61,
    /// Shows a publisher what the registry has told of its subjects.
    Check = 62,
    /// Tells the registry what contradicts itself in what it has signed.
    Alarm = 63,
    /// Tells the registry how good what systems sent was.
    Quality = 130,
    /// Asks another member, for a patient, who of its people did what events say.
    Persons = 90,
}

impl TryFrom<u16> for Method {
    /// The number that is not a method.
    type Error = u16;

    fn try_from(number: u16) -> Result<Self, u16> {
        use Method as M;
        let all = [
            M::Submit,
            M::Evaluate,
            M::Search,
            M::Feed,
            M::Lease,
            M::Members,
            M::Consent,
            M::History,
            M::Proof,
            M::Links,
            M::Release,
            M::Step,
            M::ActNotice,
            M::Compare,
            M::Evidence,
            M::Anchors,
            M::Recall,
            M::Inventory,
            M::Holdings,
            M::Check,
            M::Alarm,
            M::Quality,
            M::Persons,
        ];
        all.into_iter().find(|method| *method as u16 == number).ok_or(number)
    }
}

/// A message of a call.
pub trait Call: Message + Default {
    /// Its name in errors.
    const NAME: &'static str;

    /// How many fields it may have, items of lists counted.
    const FIELDS_MAX: usize = limits::CALL_FIELDS_MAX;

    /// From bytes, by the strict rule (W-2, W-3).
    ///
    /// # Errors
    /// [`DecodeError`] naming the message, or the field.
    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode::strict_of_few(Self::NAME, bytes, limits::CALL_BYTES_MAX, Self::FIELDS_MAX)
    }
}

macro_rules! calls {
    ($($message:ident = $name:literal,)*) => {$(
        pub use wire::$message;

        impl Call for $message {
            const NAME: &'static str = $name;
        }
    )*};
}

calls! {
    SubmitRequest = "submit_request",
    SubmitAnswer = "submit_answer",
    EvaluateRequest = "evaluate_request",
    EvaluateAnswer = "evaluate_answer",
    SearchRequest = "search_request",
    SearchReply = "search_reply",
    FeedRequest = "feed_request",
    FeedAnswer = "feed_answer",
    LeaseRequest = "lease_request",
    LeaseAnswer = "lease_answer",
    MembersRequest = "members_request",
    MembersAnswer = "members_answer",
    ConsentRequest = "consent_request",
    ConsentAnswer = "consent_answer",
    HistoryRequest = "history_request",
    HistoryAnswer = "history_answer",
    ProofRequest = "proof_request",
    ProofAnswer = "proof_answer",
    LinksRequest = "links_request",
    LinksAnswer = "links_answer",
    RecallRequest = "recall_request",
    RecallAnswer = "recall_answer",
    AnchorsRequest = "anchors_request",
    AnchorsAnswer = "anchors_answer",
    EvidenceRequest = "evidence_request",
    EvidenceAnswer = "evidence_answer",
    Evidence = "evidence",
    InventoryRequest = "inventory_request",
    InventoryAnswer = "inventory_answer",
    HoldingsRequest = "holdings_request",
    HoldingsAnswer = "holdings_answer",
    AlarmNotice = "alarm_notice",
    QualityNotice = "quality_notice",
    Omission = "omission",
    CheckRequest = "check_request",
    CheckAnswer = "check_answer",
    ReleaseRequest = "release_request",
    RangeRequest = "range_request",
    StepRequest = "step_request",
    ActNotice = "act_notice",
    CheckpointNotice = "checkpoint_notice",
    PersonsRequest = "persons_request",
    PersonsAnswer = "persons_answer",
    Done = "done",
}

pub use wire::{LoggedEvent, Person, ReleaseAnswer};

impl Call for ReleaseAnswer {
    const NAME: &'static str = "release_answer";
    /// The hashes of all chunks travel in one answer.
    const FIELDS_MAX: usize = limits::FIELDS_MAX;
}

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused: {code:?} ({clause})")]
pub struct Refusal {
    /// The code.
    pub code: RefusalCode,
    /// The clause that it rests on.
    pub clause: &'static str,
    /// When to try again, if that helps.
    pub retry_after: Option<Millis>,
}
