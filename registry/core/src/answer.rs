//! What goes back over the link: the bytes of answers and refusals (F-3, H-2, L-7, M-2, Q-2).
//!
//! An answer is made when all that it tells is durable: at the newest checkpoint. Evaluations are answered in
//! [`crate::evaluate`].

use prost::Message;
use yiqiao_proto::calls::{
    AnchorsAnswer, ConsentAnswer, Done, EvidenceAnswer, FeedAnswer, HistoryAnswer, HoldingsAnswer,
    InventoryAnswer, LeaseAnswer, LinksAnswer, MembersAnswer, ProofAnswer, RecallAnswer, Refusal,
    SearchReply, SubmitAnswer,
};
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::Code;
use yiqiao_proto::lease::AcceptedAct;
use yiqiao_proto::limits::CALL_BYTES_MAX;
use yiqiao_proto::log::Opening;
use yiqiao_proto::refusal;
use yiqiao_proto::tree::{self, Hash, MissingHash, Stored};
use yiqiao_proto::wire::calls::{LoggedWord, PublishedLink, Receipt};

use crate::limits::{ANSWER_BYTES_MAX, LISTS_MAX};
use crate::machine::{Machine, Outcome, Refused};
use crate::state::Kept;
use crate::take::Taken;

/// The log under its newest durable checkpoint.
pub struct Log<'a, S: ?Sized> {
    /// The stored hashes of its tree.
    pub hashes: &'a S,
    /// How many words the checkpoint covers.
    pub size: u64,
    /// The root that it names.
    pub root: Hash,
    /// The checkpoint, as a signed note.
    pub note: &'a [u8],
}

/// Why the log does not prove what stands in it: it is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// A hash is not there.
    #[error(transparent)]
    Missing(#[from] MissingHash),
    /// The stored hashes lead elsewhere than to the checkpoint's root.
    #[error("the stored hashes do not lead from word {seq} to the root of the checkpoint")]
    LeadsElsewhere {
        /// The place of the word.
        seq: u64,
    },
    /// A word of the log is no envelope.
    #[error("the word at {seq} cannot be read: {cause}")]
    Word {
        /// Its place.
        seq: u64,
        /// Why not.
        #[source]
        cause: DecodeError,
    },
}

/// The bytes that answer a call, or the refusal of an answer that is too long (W-3). What it tells must be durable under the
/// log's checkpoint.
///
/// # Errors
/// [`ProofError`] if the log does not prove what was taken.
pub fn answer<S: Stored + ?Sized>(
    outcome: Outcome,
    machine: &Machine,
    log: &Log<'_, S>,
) -> Result<Result<Vec<u8>, Refused>, ProofError> {
    let answer = match outcome {
        Outcome::Taken(taken) => {
            let region = machine.directory().region();
            let receipts = taken.iter().map(|taken| receipt(taken, region, log)).collect::<Result<_, _>>()?;
            SubmitAnswer { receipts }.encode_to_vec()
        }
        Outcome::Found(found) => {
            SearchReply { envelope: machine.answer(&found, log.note).as_bytes().to_vec() }.encode_to_vec()
        }
        Outcome::Consents(consents) => ConsentAnswer {
            head: Some(consents.head.write()),
            directives: consents.directives.iter().map(AcceptedAct::write).collect(),
        }
        .encode_to_vec(),
        Outcome::Events(events) => HistoryAnswer {
            events: events.events.iter().map(Opening::write).collect(),
            next_seq: events.next_seq.unwrap_or(0),
        }
        .encode_to_vec(),
        Outcome::Lease(envelope) => {
            let (envelope, checkpoint) = (envelope.as_bytes().to_vec(), log.note.to_vec());
            LeaseAnswer { envelope, checkpoint }.encode_to_vec()
        }
        Outcome::Feed(items) => FeedAnswer { items }.encode_to_vec(),
        Outcome::Links { links, statement } => {
            let link = |kept: Kept| PublishedLink { opening: kept.opening, link: kept.link };
            let statement = statement.and_then(|kept| kept.opening);
            LinksAnswer { links: links.into_iter().map(link).collect(), statement }.encode_to_vec()
        }
        Outcome::Prove(sizes) => {
            let consistency = sizes.iter().map(|size| log.continues(*size)).collect::<Result<_, _>>()?;
            ProofAnswer { checkpoint: log.note.to_vec(), consistency }.encode_to_vec()
        }
        Outcome::Evidence(openings) => {
            let region = machine.directory().region();
            let word = |opening: &Opening| {
                let path = log.prove(opening, region)?.concat();
                Ok(LoggedWord { opening: Some(opening.write()), path })
            };
            let words = openings.iter().map(word).collect::<Result<_, ProofError>>()?;
            EvidenceAnswer { checkpoint: log.note.to_vec(), words }.encode_to_vec()
        }
        Outcome::Anchors(openings) => {
            AnchorsAnswer { anchors: openings.iter().map(Opening::write).collect() }.encode_to_vec()
        }
        Outcome::Recall { words, next, whole } => {
            let word = |kept: Kept| PublishedLink { opening: kept.opening, link: kept.link };
            RecallAnswer { words: words.into_iter().map(word).collect(), next, whole }.encode_to_vec()
        }
        Outcome::Inventory(held) => {
            let envelope = machine.inventory(held, log.note).as_bytes().to_vec();
            InventoryAnswer { envelope }.encode_to_vec()
        }
        Outcome::Holdings(all) => {
            let sign = |held| machine.inventory(held, log.note).as_bytes().to_vec();
            HoldingsAnswer { envelopes: all.into_iter().map(sign).collect() }.encode_to_vec()
        }
        Outcome::Evaluate | Outcome::Heard => Done {}.encode_to_vec(),
    };
    let fits = answer.len() <= CALL_BYTES_MAX;
    Ok(if fits { Ok(answer) } else { Err(Refused::new(RefusalCode::OverLimit, "W-3")) })
}

/// Answers with the member lists after a version up to the newest, as many as fit: a member follows them one by one (M-2).
///
/// # Errors
/// [`Refused`] if one of them is not there.
pub fn lists(
    after_version: u64,
    newest: u64,
    list: impl FnMut(u64) -> Option<Envelope>,
) -> Result<Vec<u8>, Refused> {
    let last = newest.min(after_version.saturating_add(LISTS_MAX));
    let lists = (after_version.saturating_add(1)..=last).map(list);
    let mut envelopes = Vec::new();
    let mut room = ANSWER_BYTES_MAX;
    for list in lists {
        let bytes = list.ok_or(Refused::new(RefusalCode::Failed, "M-2"))?.as_bytes().to_vec();
        // The first list always goes: the largest fits one answer alone.
        if bytes.len() > room && !envelopes.is_empty() {
            break;
        }
        room = room.saturating_sub(bytes.len());
        envelopes.push(bytes);
    }
    Ok(MembersAnswer { envelopes }.encode_to_vec())
}

/// A refusal as it goes over the link: its code, and the bytes beside it (H-2).
pub fn refusal(refused: &Refused) -> (u16, Vec<u8>) {
    let Refused { code, clause, retry_after } = *refused;
    refusal::write(&Refusal { code, clause, retry_after })
}

/// A receipt (L-7). The envelope goes with a repeat, whose sender may have signed it anew.
fn receipt<S: Stored + ?Sized>(
    taken: &Taken,
    region: &Code,
    log: &Log<'_, S>,
) -> Result<Receipt, ProofError> {
    let opening = &taken.opening;
    let path = log.prove(opening, region)?;
    Ok(Receipt {
        seq: opening.seq,
        term: opening.term,
        accepted_at: opening.accepted_at.unix_ms(),
        salt: opening.salt.to_vec(),
        path: path.iter().map(|hash| hash.to_vec()).collect(),
        checkpoint: log.note.to_vec(),
        envelope: if taken.repeat { opening.envelope.clone() } else { Vec::new() },
    })
}

impl<S: Stored + ?Sized> Log<'_, S> {
    /// Proves that the tree of an older size is the beginning of the checkpoint's; nothing for a size beyond it. As below, a
    /// proof that leads elsewhere is never given.
    fn continues(&self, older: u64) -> Result<Vec<u8>, ProofError> {
        if older > self.size {
            return Ok(Vec::new());
        }
        let proof = tree::prove_consistency(self.hashes, older, self.size)?;
        let root = tree::root(self.hashes, older)?;
        let leads = tree::verify_consistency(&proof, older, &root, self.size, &self.root);
        if leads { Ok(proof.concat()) } else { Err(ProofError::LeadsElsewhere { seq: older }) }
    }

    /// Proves that a word stands under the checkpoint. Stored hashes have no checksums, so the proof is checked: one that
    /// leads elsewhere is never given (L-7).
    fn prove(&self, opening: &Opening, region: &Code) -> Result<Vec<Hash>, ProofError> {
        let seq = opening.seq;
        let path = tree::prove_inclusion(self.hashes, seq, self.size)?;
        let envelope =
            Envelope::decode(&opening.envelope).map_err(|cause| ProofError::Word { seq, cause })?;
        let leaf = opening.leaf(region, envelope.kind()).hash();
        let leads = tree::verify_inclusion(&path, seq, leaf, self.size, &self.root);
        if leads { Ok(path) } else { Err(ProofError::LeadsElsewhere { seq }) }
    }
}
