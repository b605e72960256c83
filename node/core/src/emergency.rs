//! The emergency that a request cites, as the log has it (D-8): what its member shows to a holder, and what the holder checks before it
//! believes it.
//!
//! Not here: breaking the glass, and when the member shows it: [`crate::glass`]; what an emergency opens, which `yiqiao_consent` decides.

use prost::Message;
use yiqiao_proto::access::{AccessEvent, InLog};
use yiqiao_proto::calls::{LoggedEvent, Refusal};
use yiqiao_proto::codes::{AccessAct, RefusalCode};
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::envelope::{Envelope, EnvelopeError, Kind, Said, Verified, Word};
use yiqiao_proto::id::Code;
use yiqiao_proto::limits::{PROOF_HASHES_MAX, TOKENS_MAX};
use yiqiao_proto::log::Opening;
use yiqiao_proto::note::NoteError;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::tree::verify_inclusion;
use yiqiao_proto::wire::calls::LoggedWord;

use crate::limits::SOON;
use crate::machine::{Acknowledged, Checkpoint};
use crate::receipts::{self, ReceiptFault};

/// An event of a member that stands in the log that counts, as its receipt proves.
#[derive(Clone, Debug)]
pub struct Declared {
    said: Verified<AccessEvent>,
    accepted_at: Timestamp,
}

/// Why an emergency is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmergencyFault {
    /// It cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Its checkpoint is not the registry's.
    #[error(transparent)]
    Checkpoint(#[from] ReceiptFault),
    /// It does not stand in the log.
    #[error("the event does not stand under its checkpoint (L-6)")]
    Path,
    /// It is not signed as it must be.
    #[error(transparent)]
    Word(#[from] EnvelopeError),
    /// It is another member's.
    #[error("the event is not its caller's (M-11)")]
    OtherSigner,
}

impl Declared {
    /// What it says, and since when it stands in the log.
    pub(crate) fn in_log(&self) -> InLog<'_> {
        let hash = self.said.envelope().payload_hash();
        InLog { hash, event: self.said.word(), accepted_at: self.accepted_at }
    }
}

impl EmergencyFault {
    /// How the caller is refused.
    pub(crate) const fn refusal(&self) -> Refusal {
        let (code, clause, retry_after) = match self {
            // Lists reach members one after the other: of which log it is shows a little later (L-9).
            Self::Checkpoint(ReceiptFault::Note(NoteError::OtherLog { .. })) => {
                (RefusalCode::Busy, "L-9", Some(SOON))
            }
            Self::Decode(DecodeError::TooMany { .. } | DecodeError::TooLarge { .. }) => {
                (RefusalCode::OverLimit, "W-3", None)
            }
            Self::Decode(_) => (RefusalCode::Malformed, "W-2", None),
            Self::Checkpoint(_) | Self::Path | Self::Word(_) => (RefusalCode::BadSignature, "D-8", None),
            Self::OtherSigner => (RefusalCode::NotMember, "M-11", None),
        };
        Refusal { code, clause, retry_after }
    }
}

/// What is kept of a word that stands in the log, to be shown to holders: only of an event by which the glass was broken.
pub(crate) fn logged(word: &Acknowledged, checkpoint: &Checkpoint) -> Option<Vec<u8>> {
    let envelope = Envelope::decode(&word.opening.envelope).ok()?;
    let is_event = envelope.kind() == Kind::AccessEvent;
    let event = is_event.then(|| AccessEvent::decode(envelope.payload()).ok())??;
    let shown = LoggedEvent {
        word: Some(LoggedWord { opening: Some(word.opening.write()), path: word.path.concat() }),
        checkpoint: checkpoint.note.clone(),
    };
    (event.act == AccessAct::BreakGlass).then(|| shown.encode_to_vec())
}

/// Reads the events that a member shows: each its own, in the log that counts, under a key that counts for its place (M-6).
///
/// # Errors
/// [`EmergencyFault`] naming what is wrong with one of them.
pub(crate) fn read(
    directory: &Directory,
    member: &Code,
    shown: Vec<LoggedEvent>,
) -> Result<Vec<Declared>, EmergencyFault> {
    let (count, max) = (shown.len(), TOKENS_MAX);
    if count > max {
        return Err(DecodeError::TooMany { field: "release_request.emergency", count, max }.into());
    }
    shown.into_iter().map(|event| read_one(directory, member, event)).collect()
}

fn read_one(
    directory: &Directory,
    member: &Code,
    LoggedEvent { word, checkpoint }: LoggedEvent,
) -> Result<Declared, EmergencyFault> {
    let LoggedWord { opening, path } = word.ok_or(DecodeError::Missing { field: "logged_event.word" })?;
    let opening = opening.ok_or(DecodeError::Missing { field: "logged_word.opening" })?;
    let opening = Opening::read(opening)?;
    let (hashes, rest) = path.as_chunks::<32>();
    if !rest.is_empty() || hashes.len() > PROOF_HASHES_MAX {
        let rule = "at most 63 whole hashes";
        return Err(DecodeError::Invalid { field: "logged_word.path", rule }.into());
    }
    let tree = receipts::open(directory, &checkpoint)?;
    let envelope = Envelope::decode(&opening.envelope)?;
    let leaf = opening.leaf(directory.region(), envelope.kind()).hash();
    if !verify_inclusion(hashes, opening.seq, leaf, tree.size, tree.root.as_bytes()) {
        return Err(EmergencyFault::Path);
    }
    let said = Verified::<AccessEvent>::check(envelope, directory, Said::AtSeq(opening.seq))?;
    if said.signer() != member {
        return Err(EmergencyFault::OtherSigner);
    }
    Ok(Declared { said, accepted_at: opening.accepted_at })
}
