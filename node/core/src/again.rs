//! What is sent again to a new log: the registry was put back to an older copy (L-9).
//!
//! The member list names another log. Of every patient of whom something is published, the newest statement is said again, then all links in
//! their order; what the new log has already gets its first receipt again (L-1). Links and what they are of stay as they are: the payloads
//! are the same, byte for byte. Not here: the words that are no links: `said`.

use yiqiao_proto::entry::Link;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::Subject;
use yiqiao_proto::limits::SUBMISSION_MAX;

use crate::apply::{change_ledger, subjects_after};
use crate::limits::SWEEP_STEP;
use crate::machine::Work;
use crate::outbox::need_items;
use crate::queue;
use crate::state::kept;
use crate::state::{self, Body, Chain, Fault, Ledger, View, read_entry_id};
use crate::words::ItemWord;

/// Whether patients are still to get their places in the queue.
pub(crate) const fn is_open(ledger: &Ledger) -> bool {
    ledger.again_done < ledger.again
}

/// Whether links are still to come to the new log: what refers to them waits.
pub(crate) const fn links_wait(ledger: &Ledger) -> bool {
    is_open(ledger) || ledger.links_again > 0
}

/// Some more patients get their places.
pub(crate) fn sweep(work: &mut Work<'_>) -> Result<(), Fault> {
    let ledger = work.ledger()?;
    if is_open(&ledger) {
        let to = ledger.again.min(ledger.again_done + SWEEP_STEP);
        work.keep(Body::Again(kept::Again { to }))?;
    }
    Ok(())
}

/// Another log counts: all that was said is said again.
pub(crate) fn apply_begun(view: &mut View) -> Result<(), Fault> {
    change_ledger(view, |ledger| (ledger.again, ledger.again_done) = (ledger.subjects, 0))?;
    let mut exchange = view.get(&state::exchange())?;
    (exchange.again, exchange.acts_again, exchange.others_again) = (exchange.words, 0, 0);
    view.put(&state::exchange(), &exchange);
    Ok(())
}

/// The patients up to an ordinal have their places.
pub(crate) fn apply(to: u64, at: i64, view: &mut View) -> Result<(), Fault> {
    let from = view.get(&state::ledger())?.again_done;
    for subject in &subjects_after(from, to, view)? {
        begin(subject, at, view)?;
    }
    change_ledger(view, |ledger| ledger.again_done = to)
}

fn begin(subject: &Subject, at: i64, view: &mut View) -> Result<(), Fault> {
    let slot = state::chain(subject);
    let mut chain = view.get(&slot)?;
    if chain.statement == 0 && chain.receipted == 0 {
        return Ok(());
    }
    let before = chain.again - chain.again_done;
    (chain.again, chain.again_done) = (chain.receipted, 0);
    if chain.statement > 0 {
        (chain.stating, chain.restating) = (true, true);
    }
    view.put(&slot, &chain);
    change_ledger(view, |ledger| {
        ledger.words_waiting = (ledger.words_waiting + chain.again).saturating_sub(before);
        ledger.links_again = (ledger.links_again + chain.again).saturating_sub(before);
    })?;
    queue::settle(subject, at, view)
}

/// The next links to send again, signed with the key of now.
pub(crate) fn items(
    work: &Work<'_>,
    subject: &Subject,
    chain: &Chain,
) -> Result<Vec<(Envelope, Option<Link>)>, Fault> {
    let to = chain.again.min(chain.again_done + SUBMISSION_MAX as u64);
    need_items(work, subject, chain.again_done + 1, to)?;
    let (region, key) = (work.machine.directory.region(), work.machine.signing_key());
    let mut signed = Vec::new();
    for number in chain.again_done + 1..=to {
        let item = work.view.get(&state::item(subject, number))?;
        let document = work.view.get(&state::document(&read_entry_id(&item.entry_id)?))?;
        signed.push(ItemWord::of(&item, &document)?.sign(region, key));
    }
    Ok(signed)
}

/// The new log has these links.
pub(crate) fn apply_receipted(
    subject: &Subject,
    receipts: &[kept::Receipt],
    chain: &mut Chain,
    view: &mut View,
) -> Result<(), Fault> {
    for receipt in receipts {
        chain.again_done += 1;
        let slot = state::item(subject, chain.again_done);
        let mut item = view.get(&slot)?;
        item.receipt = Some(*receipt);
        view.put(&slot, &item);
    }
    let done = receipts.len() as u64;
    change_ledger(view, |ledger| {
        ledger.words_waiting = ledger.words_waiting.saturating_sub(done);
        ledger.links_again = ledger.links_again.saturating_sub(done);
    })
}

/// A problem stops a subject: nothing waits for its links.
pub(crate) fn apply_parked(chain: &Chain, view: &mut View) -> Result<(), Fault> {
    let left = chain.again - chain.again_done;
    change_ledger(view, |ledger| ledger.links_again = ledger.links_again.saturating_sub(left))
}
