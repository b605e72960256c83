//! How far members have said that their audits had come: a member reads its own back, and sees what it has lost.

use yiqiao_proto::id::Code;
use yiqiao_proto::limits::FEED_COUNT_MAX;
use yiqiao_proto::log::Opening;

use crate::state::{self, EventCount, Fault, Place, View};
use crate::take::{Standing, read_opening};

/// Keeps where an anchor stands.
pub(crate) fn apply(word: &Standing, view: &mut View) -> Result<(), Fault> {
    let slot = state::anchor_count(&word.signer);
    let events = view.get(&slot)?.events + 1;
    view.put(&slot, &EventCount { events });
    view.put(&state::anchor(&word.signer, events), &Place { seq: word.opening.seq });
    Ok(())
}

/// The anchors of a member after a number, oldest first: at most [`FEED_COUNT_MAX`].
pub(crate) fn after(view: &View, member: &Code, after: u64) -> Result<Vec<Opening>, Fault> {
    let all = view.get(&state::anchor_count(member))?.events;
    let to = all.min(after.saturating_add(FEED_COUNT_MAX.into()));
    let places: Vec<_> = (after.saturating_add(1)..=to).map(|number| state::anchor(member, number)).collect();
    view.need(&places)?;
    let seqs = places.iter().map(|place| Ok(view.get(place)?.seq)).collect::<Result<Vec<_>, Fault>>()?;
    let words: Vec<_> = seqs.iter().map(|seq| state::journal(*seq)).collect();
    view.need(&words)?;
    words.iter().zip(seqs).map(|(word, seq)| read_opening(&view.get(word)?, seq)).collect()
}
