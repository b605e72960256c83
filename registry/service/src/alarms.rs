//! What members have found that this registry has signed and that cannot be (L-17), for the bureau: with both of what contradicts each
//! other, and which of it stands in the log that is here.
//!
//! Not here: what is kept: [`yiqiao_registry_core::alarm`].

use serde::Serialize;
use yiqiao_host::index::{IndexError, IndexReader};
use yiqiao_proto::envelope::{Envelope, Word};
use yiqiao_proto::id::Code;
use yiqiao_proto::inventory::Inventory;
use yiqiao_proto::note::{origin, read_unchecked};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::tree;
use yiqiao_proto::wire::calls::OmissionProof;
use yiqiao_registry_core::alarm::{Shown, What, shown};
use yiqiao_registry_core::state;

use crate::ledger::LogView;
use crate::web::instant;

/// An alarm as the page shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AlarmLine {
    at: String,
    /// Who told of it.
    member: String,
    #[serde(flatten)]
    what: Told,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Told {
    /// Two checkpoints under this registry's key.
    Checkpoints { notes: [NoteLine; 2], contradicts: bool },
    /// An account without a link that had a receipt.
    #[serde(rename_all = "camelCase")]
    Omission { publisher: String, reader: String, place: u64, words: u64, account: String },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NoteLine {
    /// As it was signed.
    note: String,
    /// Whether its tree is the beginning of the log that is here.
    is_of_this_log: bool,
}

/// All that are kept, the oldest first.
pub(crate) fn alarms(
    index: &IndexReader,
    log: &LogView,
    region: &Code,
) -> Result<Vec<AlarmLine>, IndexError> {
    let value = index.load(&[state::alarms().key().to_vec()])?.into_iter().next().flatten();
    let kept = value.map(|value| shown(&value)).unwrap_or_default();
    Ok(kept.into_iter().filter_map(|kept| line(kept, log, region)).collect())
}

fn line(kept: Shown, log: &LogView, region: &Code) -> Option<AlarmLine> {
    let what = match kept.what {
        What::Checkpoints(notes) => {
            let contradicts = contradict(&notes, log, region);
            let notes = notes.map(|note| NoteLine {
                is_of_this_log: is_beginning(&note, log, region),
                note: String::from_utf8_lossy(&note).into_owned(),
            });
            Told::Checkpoints { notes, contradicts }
        }
        What::Omission(proof) => omission(&proof)?,
    };
    Some(AlarmLine { at: instant(Timestamp::from_unix_ms(kept.at)?), member: kept.member, what })
}

/// Whether the two cannot both be of one log: of one size, or not both the beginning of this one. Those of an earlier log are believed.
fn contradict(notes: &[Vec<u8>; 2], log: &LogView, region: &Code) -> bool {
    let [Ok(first), Ok(second)] = notes.each_ref().map(|note| read_unchecked(note)) else { return true };
    let is_here = first.origin == origin(region, &log.log_id);
    first.size == second.size || !is_here || !notes.iter().all(|note| is_beginning(note, log, region))
}

fn is_beginning(note: &[u8], log: &LogView, region: &Code) -> bool {
    let Ok(said) = read_unchecked(note) else { return false };
    let is_here = said.origin == origin(region, &log.log_id) && said.size <= log.size;
    is_here && tree::root(log, said.size).is_ok_and(|root| root == said.root)
}

fn omission(proof: &OmissionProof) -> Option<Told> {
    let envelope = Envelope::decode(&proof.inventory).ok()?;
    let inventory = Inventory::decode(envelope.payload()).ok()?;
    let account = String::from_utf8_lossy(&inventory.checkpoint).into_owned();
    Some(Told::Omission {
        publisher: inventory.publisher.to_string(),
        reader: inventory.reader.to_string(),
        place: proof.word.as_ref()?.opening.as_ref()?.seq,
        words: inventory.words,
        account,
    })
}
