//! The durable order of the outbox: the subjects of which something is to be sent, the longest waiting first.
//!
//! A place is never used twice; a subject stands in one place at most. Not here: what is sent, and when: `outbox`.

use yiqiao_proto::id::Subject;

use crate::apply::change_ledger;
use crate::state::{self, Chain, Fault, Queued, View, read_subject};

/// Places that one change clears from the front.
const CLEAR_MAX: u64 = 8;

/// Puts a subject into the queue if something of it can be sent, and takes it out if not.
pub(crate) fn settle(subject: &Subject, at: i64, view: &mut View) -> Result<(), Fault> {
    let slot = state::chain(subject);
    let mut chain = view.get(&slot)?;
    hold(subject, &mut chain, view)?;
    let due = is_due(subject, &chain, view)?;
    if due == (chain.queued > 0) {
        return Ok(());
    }
    if due {
        change_ledger(view, |ledger| {
            ledger.queue_tail += 1;
            ledger.subjects_waiting += 1;
            chain.queued = ledger.queue_tail;
        })?;
        let queued = Queued { subject: subject.as_bytes().to_vec(), since: at };
        view.put(&state::queue(chain.queued), &queued);
    } else {
        view.remove(&state::queue(chain.queued));
        chain.queued = 0;
        change_ledger(view, |ledger| ledger.subjects_waiting = ledger.subjects_waiting.saturating_sub(1))?;
        clear_front(view)?;
    }
    view.put(&slot, &chain);
    Ok(())
}

/// Counts what stays in this hospital because nothing can be sent of its patient, who has no identifier (T-2).
fn hold(subject: &Subject, chain: &mut Chain, view: &mut View) -> Result<(), Fault> {
    let waiting = chain.items - chain.receipted;
    let is_held = waiting > 0 && chain.statement == 0 && identifiers(subject, view)?.is_empty();
    let held = if is_held { waiting } else { 0 };
    if held == chain.held {
        return Ok(());
    }
    let (was, before) = (chain.held > 0, chain.held);
    change_ledger(view, |ledger| {
        ledger.words_held = (ledger.words_held + held).saturating_sub(before);
        ledger.subjects_held = (ledger.subjects_held + u64::from(is_held)).saturating_sub(u64::from(was));
    })?;
    chain.held = held;
    view.put(&state::chain(subject), chain);
    Ok(())
}

/// Only a patient of whom there is a document is told to the region, and only under a token (T-2).
fn is_due(subject: &Subject, chain: &Chain, view: &View) -> Result<bool, Fault> {
    let lost = chain.lost_done < chain.lost;
    let again = chain.again_done < chain.again;
    let open = chain.stale || chain.stating || lost || again || chain.receipted < chain.items;
    let published = chain.items > 0 || chain.lost > 0;
    if !open || !published || chain.problem != 0 {
        return Ok(false);
    }
    Ok(chain.statement > 0 || !identifiers(subject, view)?.is_empty())
}

/// Asks at once for what is read of many subjects before anything of them is put into the queue or sent: otherwise all that
/// was done is done again for each of them.
pub(crate) fn load_ahead(subjects: &[Subject], view: &View) -> Result<(), Fault> {
    view.need(&subjects.iter().map(state::chain).collect::<Vec<_>>())?;
    load_identifiers(subjects, view)
}

/// The same for [`identifiers`] alone.
pub(crate) fn load_identifiers(subjects: &[Subject], view: &View) -> Result<(), Fault> {
    let patients: Vec<_> = subjects.iter().map(state::patient).collect();
    view.need(&patients)?;
    let mut survivors = Vec::new();
    for slot in &patients {
        let survivor = view.get(slot)?.survivor;
        if !survivor.is_empty() {
            survivors.push(state::patient(&read_subject(&survivor)?));
        }
    }
    view.need(&survivors)
}

/// The tags of the identifiers under which a subject is told: those of the patient it was merged into.
pub(crate) fn identifiers(subject: &Subject, view: &View) -> Result<Vec<Vec<u8>>, Fault> {
    let patient = view.get(&state::patient(subject))?;
    if patient.apart {
        return Ok(Vec::new());
    }
    if patient.survivor.is_empty() {
        return Ok(patient.identifiers);
    }
    let survivor = view.get(&state::patient(&read_subject(&patient.survivor)?))?;
    Ok(if survivor.apart { Vec::new() } else { survivor.identifiers })
}

fn clear_front(view: &mut View) -> Result<(), Fault> {
    let ledger = view.get(&state::ledger())?;
    let until = ledger.queue_tail.min(ledger.queue_head + CLEAR_MAX);
    let slots: Vec<_> = (ledger.queue_head + 1..=until).map(state::queue).collect();
    view.need(&slots)?;
    let mut head = ledger.queue_head;
    for slot in &slots {
        if !view.get(slot)?.subject.is_empty() {
            break;
        }
        head += 1;
    }
    change_ledger(view, |ledger| ledger.queue_head = head)
}
