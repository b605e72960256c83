//! What other members ask of this node over the link: bytes to checked inputs, and answers back (H-1 to H-3).
//!
//! Not here: what is permitted, which the machine decides for every request and every range; refusals as bytes:
//! [`crate::refusal`].

use prost::Message;
use yiqiao_proto::access::{self, Person};
use yiqiao_proto::calls::{
    ActNotice, Call, CheckAnswer, CheckRequest, CheckpointNotice, Done, Method, PersonsAnswer,
    PersonsRequest, RangeRequest, Refusal, ReleaseAnswer, ReleaseRequest, StepRequest,
};
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::envelope::{Envelope, EnvelopeError, Kind, Said, Verified, Word};
use yiqiao_proto::id::{Code, Digest, DocumentId};
use yiqiao_proto::sealed::Map;
use yiqiao_proto::time::Millis;

use crate::call::Unbelieved;
use crate::emergency::{self, EmergencyFault};
use crate::feed::ToldAct;
use crate::holder::Range;
use crate::machine::{Input, Outcome, Refused};
use crate::receipts::{self, ReceiptFault};

/// Why a call is not taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    /// Who asks is no member now.
    #[error("the caller is no current member (M-11)")]
    NotMember,
    /// No method that a node answers has the number.
    #[error("a node answers no method {0} (H-1)")]
    Method(u16),
    /// The bytes are not those of the call.
    #[error("the call cannot be read: {0}")]
    Call(DecodeError),
    /// The request of a range is no hash.
    #[error("the range names no request: {0}")]
    Request(DecodeError),
    /// The bytes in the call are no envelope.
    #[error("the call holds no envelope: {0}")]
    Envelope(DecodeError),
    /// The word in the call is not believed.
    #[error("the word in the call is not believed: {0}")]
    Word(EnvelopeError),
    /// The checkpoint in the call is not the registry's.
    #[error("the checkpoint in the call is not believed: {0}")]
    Checkpoint(ReceiptFault),
    /// What the registry is said to have told is not believed.
    #[error("what the registry is said to have told its caller is not believed: {0}")]
    Inventory(Unbelieved),
    /// The events of an emergency are not believed.
    #[error("the emergency in the call is not believed: {0}")]
    Emergency(EmergencyFault),
    /// The word in the call is not the caller's.
    #[error("the word in the call is not its caller's (M-11)")]
    OtherSigner,
}

/// What is answered to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// These bytes.
    Done(Vec<u8>),
    /// A release; the map of its document goes with it.
    Release(LetGo),
    /// A stretch of a sealed file, as it lies in the vault.
    Serve {
        /// The sealed file.
        document: DocumentId,
        /// The first chunk.
        first_chunk: u64,
        /// How many there are to serve.
        chunks: u32,
        /// How long the decision counts for those that have not begun to go out.
        holds: Millis,
    },
}

/// A document that is let go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetGo {
    /// The sealed file.
    pub document: DocumentId,
    release: Envelope,
    wrapped_key: Vec<u8>,
}

/// Who asks, by the transport identity at the other end: only who is a member now (M-11).
///
/// # Errors
/// [`CallFault::NotMember`] if nobody with this identity is.
pub fn asker<'a>(directory: &'a Directory, peer_id: &[u8]) -> Result<&'a Code, CallFault> {
    directory.member_at(peer_id).map(|member| &member.code).ok_or(CallFault::NotMember)
}

/// Reads a call of a member.
///
/// # Errors
/// [`CallFault`] naming what is wrong with it.
pub fn read(directory: &Directory, asker: &Code, method: u16, request: &[u8]) -> Result<Input, CallFault> {
    match Method::try_from(method).map_err(CallFault::Method)? {
        Method::Release => {
            let ReleaseRequest { envelope, emergency } = read_call(request)?;
            let request = Box::new(own_word(directory, asker, &envelope)?);
            let emergency = emergency::read(directory, asker, emergency).map_err(CallFault::Emergency)?;
            Ok(Input::Asked { request, emergency })
        }
        Method::Step => {
            let StepRequest { envelope } = read_call(request)?;
            Ok(Input::Step(Box::new(own_word(directory, asker, &envelope)?)))
        }
        Method::ActNotice => act_notice(directory, asker, request),
        Method::Compare => {
            let CheckpointNotice { checkpoint } = read_call(request)?;
            let checkpoint = receipts::shown(directory, &checkpoint).map_err(CallFault::Checkpoint)?;
            Ok(Input::Shown { ticket: None, member: asker.clone(), checkpoint })
        }
        Method::Check => {
            let CheckRequest { envelope } = read_call(request)?;
            let told = receipts::inventory(directory, asker, &envelope).map_err(CallFault::Inventory)?;
            let (inventory, checkpoint) = told;
            Ok(Input::Inventoried { ticket: None, inventory: Box::new(inventory), checkpoint })
        }
        Method::Persons => {
            let PersonsRequest { envelope, lines } = read_call(request)?;
            let lines = access::read_lines(&lines).map_err(CallFault::Call)?;
            Ok(Input::Persons { question: Box::new(own_word(directory, asker, &envelope)?), lines })
        }
        Method::Submit
        | Method::Evaluate
        | Method::Search
        | Method::Feed
        | Method::Lease
        | Method::Members
        | Method::Consent
        | Method::History
        | Method::Proof
        | Method::Links
        | Method::Recall
        | Method::Evidence
        | Method::Anchors
        | Method::Inventory
        | Method::Holdings
        | Method::Alarm
        | Method::Quality => Err(CallFault::Method(method)),
    }
}

/// Reads a member's request for a stretch of a document.
///
/// # Errors
/// [`CallFault`] naming what is wrong with it.
pub fn read_range(asker: &Code, request: &[u8]) -> Result<Range, CallFault> {
    let RangeRequest { request, first_chunk, chunks } = read_call(request)?;
    let request = Digest::read("range_request.request", &request).map_err(CallFault::Request)?;
    Ok(Range { member: asker.clone(), request, first_chunk, chunks })
}

/// What is answered, by what the machine made of the call; none if the outcome is that of no such call.
pub fn reply(outcome: Outcome) -> Option<Result<Reply, Refusal>> {
    Some(if let Outcome::Refused(refusal) = outcome {
        Err(refusal)
    } else if let Outcome::Released { release, wrapped_key, document } = outcome {
        Ok(Reply::Release(LetGo { document, release, wrapped_key }))
    } else if let Outcome::Serve { document, first_chunk, chunks, holds } = outcome {
        Ok(Reply::Serve { document, first_chunk, chunks, holds })
    } else if let Outcome::Newest(checkpoint) = outcome {
        Ok(Reply::Done(CheckpointNotice { checkpoint }.encode_to_vec()))
    } else if let Outcome::Compared(agreement) = outcome {
        Ok(Reply::Done(CheckAnswer { agreement: agreement.number() }.encode_to_vec()))
    } else if let Outcome::Persons(persons) = outcome {
        Ok(Reply::Done(
            PersonsAnswer { persons: persons.iter().map(Person::write).collect() }.encode_to_vec(),
        ))
    } else if outcome == Outcome::Done {
        Ok(Reply::Done(Done {}.encode_to_vec()))
    } else {
        return None;
    })
}

/// How a member is refused whose input the machine does not take.
pub const fn not_taken(_: &Refused) -> Refusal {
    refuse(RefusalCode::Conflict, "F-9")
}

impl LetGo {
    /// The answer's bytes: the release, the wrapped key, and what is needed to verify every chunk (P-2, Z-5).
    pub fn answer(self, map: &Map) -> Vec<u8> {
        let answer = ReleaseAnswer {
            release: self.release.as_bytes().to_vec(),
            wrapped_key: self.wrapped_key,
            header: map.header().to_bytes().to_vec(),
            chunk_hashes: map.chunks().iter().map(|hash| hash.to_vec()).collect(),
        };
        answer.encode_to_vec()
    }
}

impl CallFault {
    /// How the caller is refused.
    pub const fn refusal(&self) -> Refusal {
        match self {
            Self::NotMember | Self::OtherSigner => refuse(RefusalCode::NotMember, "M-11"),
            Self::Method(_) => refuse(RefusalCode::Malformed, "H-1"),
            Self::Call(DecodeError::TooMany { .. } | DecodeError::TooLarge { .. }) => {
                refuse(RefusalCode::OverLimit, "W-3")
            }
            Self::Call(_) => refuse(RefusalCode::Malformed, "W-2"),
            Self::Request(_) => refuse(RefusalCode::Malformed, "W-4"),
            Self::Envelope(_) => refuse(RefusalCode::Malformed, "E-1"),
            Self::Word(_) => refuse(RefusalCode::BadSignature, "E-2"),
            Self::Checkpoint(_) => refuse(RefusalCode::BadSignature, "L-5"),
            Self::Inventory(_) => refuse(RefusalCode::BadSignature, "L-16"),
            Self::Emergency(fault) => fault.refusal(),
        }
    }
}

/// A member tells a forbid or a revocation before the feed does, its own or another's (F-9).
fn act_notice(directory: &Directory, asker: &Code, request: &[u8]) -> Result<Input, CallFault> {
    let ActNotice { envelope } = read_call(request)?;
    let envelope = read_envelope(&envelope)?;
    let act = if envelope.kind() == Kind::Revocation {
        ToldAct::Revocation(check(directory, envelope)?)
    } else {
        ToldAct::Forbid(check(directory, envelope)?)
    };
    Ok(Input::Notice { member: asker.clone(), act: Box::new(act) })
}

/// A word that the member at the other end says itself, now (M-11).
fn own_word<W: Word>(directory: &Directory, asker: &Code, bytes: &[u8]) -> Result<Verified<W>, CallFault> {
    let word = check(directory, read_envelope(bytes)?)?;
    if word.signer() == asker { Ok(word) } else { Err(CallFault::OtherSigner) }
}

fn read_call<C: Call>(bytes: &[u8]) -> Result<C, CallFault> {
    C::from_bytes(bytes).map_err(CallFault::Call)
}

fn read_envelope(bytes: &[u8]) -> Result<Envelope, CallFault> {
    Envelope::decode(bytes).map_err(CallFault::Envelope)
}

fn check<W: Word>(directory: &Directory, envelope: Envelope) -> Result<Verified<W>, CallFault> {
    Verified::check(envelope, directory, Said::Now).map_err(CallFault::Word)
}

const fn refuse(code: RefusalCode, clause: &'static str) -> Refusal {
    Refusal { code, clause, retry_after: None }
}
