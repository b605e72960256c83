//! What the log has of this node and its journal has not: after the data folder was put back to an older copy (N-9).
//!
//! Read at every start, from the place on up to which the journal knew the log, and before anything is published. Chains and statements go on
//! after the words found. An entry found was lost with the key of its document: it is withdrawn, and published anew once the hospital's systems
//! send the document again (N-4). Not here: a single subject of which the registry turns out to know more: `landing`.

use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::{RefusalCode, WithdrawalReason};
use yiqiao_proto::entry::{Link, Withdrawal};
use yiqiao_proto::envelope::{Envelope, Word as _, payload_hash};
use yiqiao_proto::id::{EntryId, Subject};
use yiqiao_proto::limits::SUBMISSION_MAX;
use yiqiao_proto::time::Timestamp;

use crate::apply::{apply_statement_adopted, change_ledger};
use crate::landing::{Tree, landed, pause_submitting, tree_of};
use crate::machine::{Checkpoint, Effect, Outcome, OwnSaying, OwnWord, Receipt, Stop, Work};
use crate::outbox::{Call, Flight, Pause, begin};
use crate::queue;
use crate::state::kept::{self, LostEntry, LostRef};
use crate::state::{
    self, Body, Chain, Fault, Item, View, damaged, read_digest, read_entry_id, read_subject, write_token,
};
use crate::words;

/// What was found in the log of which the journal knew nothing, of all time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Entries, withdrawals and identity statements.
    pub words: u64,
    /// Of the entries, those that are still to be withdrawn.
    pub entries: u64,
    /// When some were found last.
    pub at: Timestamp,
    /// Whether the log is still being read.
    pub open: bool,
}

/// What was found in the log of which the journal knew nothing; none if there never was anything.
///
/// # Errors
/// [`Fault`] if the view lacks something.
pub fn found(view: &View) -> Result<Option<Found>, Fault> {
    let Some(recall) = view.get(&state::ledger())?.recall.filter(|recall| recall.words > 0) else {
        return Ok(None);
    };
    let at = Timestamp::from_unix_ms(recall.at).ok_or_else(damaged)?;
    Ok(Some(Found { words: recall.words, entries: recall.entries, at, open: recall.open }))
}

/// Asks for the next own words, if none are asked for.
pub(crate) fn ask(work: &mut Work<'_>) -> Result<(), Fault> {
    let outbox = &work.machine.outbox;
    let asked = outbox.count(|call| matches!(call, Call::Recall)) > 0;
    if !asked && outbox.submitting.is_over(work.now) {
        let from = begin_at(work)?;
        let ticket = begin(work, Call::Recall);
        work.effects.push(Effect::Recall { ticket, from });
    }
    Ok(())
}

/// From where on the log is read. It is kept before anything is asked: what receipts tell of the log meanwhile does not move it.
fn begin_at(work: &mut Work<'_>) -> Result<u64, Fault> {
    let log_id = work.machine.directory.list().log_id.as_str().to_owned();
    let ledger = work.ledger()?;
    let open = ledger.recall.as_ref().filter(|recall| recall.open && recall.log_id == log_id);
    if let Some(recall) = open {
        return Ok(recall.next);
    }
    let known = ledger.checkpoint.as_ref().filter(|known| known.log_id == log_id);
    let next = known.map_or(0, |known| known.size);
    work.keep(Body::Recalled(kept::Recalled { log_id, next, open: true, words: Vec::new() }))?;
    Ok(next)
}

/// Own words have come.
pub(crate) fn recalled(
    work: &mut Work<'_>,
    ticket: u64,
    words: &[OwnWord],
    next: u64,
    whole: bool,
) -> Result<Outcome, Stop> {
    let Some(flight) = landed(work, ticket) else { return Ok(Outcome::Done) };
    let log_id = work.machine.directory.list().log_id.as_str().to_owned();
    if flight.log.log_id.as_str() != log_id {
        // Places of a log that counts no longer: the next question is about the new one (L-9).
        return Ok(Outcome::Done);
    }
    let asked = work.ledger()?.recall.as_ref().map_or(0, |recall| recall.next);
    if !whole && next <= asked {
        // Who is led in a circle would ask for ever.
        pause_submitting(work, None);
        return Ok(Outcome::Done);
    }
    work.view.need(&words.iter().map(|word| state::chain(&word.subject)).collect::<Vec<_>>())?;
    let mut lost = Vec::new();
    for word in words {
        if !is_known(work.view, word)? {
            lost.push(write_own_word(word, work.entropy.bytes()));
        }
    }
    work.turn.submitting = Some(Pause::default());
    work.turn.recalled = whole;
    work.keep(Body::Recalled(kept::Recalled { log_id, next, open: !whole, words: lost }))?;
    Ok(Outcome::Done)
}

/// The call was refused, or had no answer. A registry that does not know it does not hold up what it can take.
pub(crate) fn failed(work: &mut Work<'_>, refusal: Option<&Refusal>) {
    match refusal {
        Some(refusal) if refusal.code == RefusalCode::Malformed => work.turn.recalled = true,
        _ => pause_submitting(work, refusal.and_then(|refusal| refusal.retry_after)),
    }
}

/// Whether the journal has a word, or has found it in the log before.
fn is_known(view: &View, word: &OwnWord) -> Result<bool, Fault> {
    let chain = view.get(&state::chain(&word.subject))?;
    if matches!(word.says, OwnSaying::Statement(_)) {
        let same = word.payload.as_bytes() == chain.statement_last.as_slice();
        return Ok(word.number < chain.statement || (word.number == chain.statement && same));
    }
    if word.number <= chain.receipted_number.max(chain.tail) {
        return Ok(true);
    }
    // What was about to be sent may have been sent.
    let linked = chain.receipted + (word.number - chain.receipted_number);
    if linked > chain.linked {
        return Ok(false);
    }
    let item = view.get(&state::item(&word.subject, linked))?;
    let document = view.get(&state::document(&read_entry_id(&item.entry_id)?))?;
    Ok(payload_hash(&words::payload(&item, &document)?) == word.payload)
}

fn write_own_word(word: &OwnWord, salt: [u8; 32]) -> kept::OwnWord {
    let (entry, tokens) = match &word.says {
        OwnSaying::Entry(entry) | OwnSaying::Withdrawal(entry, _) => (entry.as_bytes().to_vec(), Vec::new()),
        OwnSaying::Statement(tokens) => (Vec::new(), tokens.iter().map(write_token).collect()),
    };
    kept::OwnWord {
        subject: word.subject.as_bytes().to_vec(),
        number: word.number,
        payload: word.payload.as_bytes().to_vec(),
        entry_id: entry,
        withdrawal: matches!(word.says, OwnSaying::Withdrawal(..)),
        as_lost: matches!(word.says, OwnSaying::Withdrawal(_, WithdrawalReason::Lost)),
        tokens,
        salt: salt.to_vec(),
    }
}

/// What follows from own words that the journal lacked.
pub(crate) fn apply_recalled(recalled: &kept::Recalled, at: i64, view: &mut View) -> Result<(), Fault> {
    for word in &recalled.words {
        apply_own_word(word, at, view)?;
    }
    change_recall(view, |recall| {
        recall.log_id.clone_from(&recalled.log_id);
        (recall.next, recall.open) = (recalled.next, recalled.open);
        if !recalled.words.is_empty() {
            recall.words += recalled.words.len() as u64;
            recall.at = at;
        }
    })
}

fn apply_own_word(word: &kept::OwnWord, at: i64, view: &mut View) -> Result<(), Fault> {
    if word.entry_id.is_empty() {
        let (number, payload, tokens) = (word.number, word.payload.clone(), word.tokens.clone());
        let adopted = kept::StatementAdopted { subject: word.subject.clone(), number, payload, tokens };
        return apply_statement_adopted(&adopted, at, view);
    }
    let (subject, entry) = (read_subject(&word.subject)?, read_entry_id(&word.entry_id)?);
    let slot = state::chain(&subject);
    let mut chain = view.get(&slot)?;
    if word.number <= chain.number {
        // Another word has the place for which one was made ready: that one gets a place of its own.
        (chain.linked, chain.number) = (chain.receipted, chain.receipted_number);
    }
    (chain.tail, chain.tail_last) = (word.number, word.payload.clone());
    if word.withdrawal {
        apply_found_withdrawn(&subject, &entry, word.as_lost, &mut chain, view)?;
    } else {
        apply_lost(&subject, &entry, &word.salt, &mut chain, view)?;
    }
    view.put(&slot, &chain);
    queue::settle(&subject, at, view)
}

/// The document of an entry is lost: it is to be withdrawn.
fn apply_lost(
    subject: &Subject,
    entry: &EntryId,
    salt: &[u8],
    chain: &mut Chain,
    view: &mut View,
) -> Result<(), Fault> {
    chain.lost += 1;
    let lost = LostEntry { entry_id: entry.as_bytes().to_vec(), salt: salt.to_vec() };
    view.put(&state::lost(subject, chain.lost), &lost);
    let of = LostRef { subject: subject.as_bytes().to_vec(), number: chain.lost };
    view.put(&state::lost_ref(entry), &of);
    change_recall(view, |recall| recall.entries += 1)?;
    change_ledger(view, |ledger| ledger.words_waiting += 1)
}

/// An entry was withdrawn in the time that is lost: one that is lost is settled by that, one that is here is withdrawn.
fn apply_found_withdrawn(
    subject: &Subject,
    entry: &EntryId,
    as_lost: bool,
    chain: &mut Chain,
    view: &mut View,
) -> Result<(), Fault> {
    let of = view.get(&state::lost_ref(entry))?;
    if of.subject != subject.as_bytes() {
        return apply_here_withdrawn(subject, entry, as_lost, chain, view);
    }
    let last = view.get(&state::lost(subject, chain.lost))?;
    let moved = LostRef { number: of.number, ..of };
    view.put(&state::lost_ref(&read_entry_id(&last.entry_id)?), &moved);
    view.put(&state::lost(subject, moved.number), &last);
    view.remove(&state::lost(subject, chain.lost));
    view.remove(&state::lost_ref(entry));
    chain.lost -= 1;
    change_recall(view, |recall| recall.entries = recall.entries.saturating_sub(1))?;
    change_ledger(view, |ledger| ledger.words_waiting = ledger.words_waiting.saturating_sub(1))
}

/// A document that is here was withdrawn. If that was because an even older copy lacked it, it is published anew.
fn apply_here_withdrawn(
    subject: &Subject,
    entry: &EntryId,
    as_lost: bool,
    chain: &mut Chain,
    view: &mut View,
) -> Result<(), Fault> {
    let slot = state::document(entry);
    let mut document = view.get(&slot)?;
    let is_of = document.entry.as_ref().is_some_and(|entry| entry.subject == subject.as_bytes());
    if !is_of || document.item > chain.linked {
        return Ok(());
    }
    if as_lost && !document.withdrawn {
        chain.items += 1;
        document.item = chain.items;
        let item = Item { entry_id: entry.as_bytes().to_vec(), ..Item::default() };
        view.put(&state::item(subject, chain.items), &item);
        change_ledger(view, |ledger| ledger.words_waiting += 1)?;
    } else {
        document.withdrawn = true;
    }
    view.put(&slot, &document);
    Ok(())
}

fn change_recall(view: &mut View, change: impl FnOnce(&mut kept::Recall)) -> Result<(), Fault> {
    change_ledger(view, |ledger| change(ledger.recall.get_or_insert_default()))
}

/// The next links of a chain follow what the log has of it.
pub(crate) fn follow(chain: &mut Chain) {
    if chain.tail > chain.number {
        chain.number = chain.tail;
        chain.last.clone_from(&chain.tail_last);
    }
}

/// Whether one of these entries still stands in the index under another subject: it cannot be published before that is withdrawn (N-4).
pub(crate) fn hold(work: &Work<'_>, subject: &Subject, entries: &[EntryId]) -> Result<bool, Fault> {
    if work.ledger()?.recall.as_ref().is_none_or(|recall| recall.entries == 0) {
        return Ok(false);
    }
    let slots: Vec<_> = entries.iter().map(state::lost_ref).collect();
    work.view.need(&slots)?;
    for slot in &slots {
        let of = work.view.get(slot)?.subject;
        if !of.is_empty() && of != subject.as_bytes() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The next withdrawals of lost entries of a subject, signed.
pub(crate) fn withdrawals(
    work: &Work<'_>,
    subject: &Subject,
    chain: &Chain,
) -> Result<Vec<(Envelope, Option<Link>)>, Fault> {
    let (region, key) = (work.machine.directory.region(), work.machine.signing_key());
    let words = next_withdrawals(work, subject, chain)?.into_iter();
    Ok(words.map(|(word, link)| (Envelope::sign(region, &word, key), Some(link))).collect())
}

fn next_withdrawals(
    work: &Work<'_>,
    subject: &Subject,
    chain: &Chain,
) -> Result<Vec<(Withdrawal, Link)>, Fault> {
    let to = chain.lost.min(chain.lost_done + SUBMISSION_MAX as u64);
    let slots: Vec<_> = (chain.lost_done + 1..=to).map(|number| state::lost(subject, number)).collect();
    work.view.need(&slots)?;
    let mut end = chain.clone();
    follow(&mut end);
    let (mut number, mut previous) = (end.number, read_digest(&end.last)?);
    let mut words = Vec::new();
    for slot in &slots {
        let lost = work.view.get(slot)?;
        number += 1;
        let salt = lost.salt.as_slice().try_into().map_err(|_| damaged())?;
        let link = Link { number, previous: Some(previous), replaces: None, salt };
        let withdrawal = Withdrawal {
            publisher: work.machine.config.organisation.clone(),
            subject: *subject,
            link: link.commitment(),
            entry_id: read_entry_id(&lost.entry_id)?,
            reason: WithdrawalReason::Lost,
        };
        previous = payload_hash(&withdrawal.encode());
        words.push((withdrawal, link));
    }
    Ok(words)
}

/// Lost entries are withdrawn: those that wait to be published anew go on.
pub(crate) fn receipted(
    work: &mut Work<'_>,
    flight: &Flight,
    receipts: &[Receipt],
    checkpoint: &Checkpoint,
) -> Result<Outcome, Stop> {
    let Call::Lost { place, subject, done } = flight.call else { return Ok(Outcome::Done) };
    work.turn.again.push(place);
    let chain = work.view.get(&state::chain(&subject))?;
    let words = next_withdrawals(work, &subject, &chain)?;
    let tree = tree_of(work, &flight.log, checkpoint)?;
    let last = words.last().filter(|_| chain.lost_done == done && receipts.len() == words.len());
    let (Tree::Same | Tree::Newer(_), Some((last, _))) = (&tree, last) else {
        pause_submitting(work, None);
        return Ok(if matches!(tree, Tree::Other) { Outcome::OtherLog } else { Outcome::Done });
    };
    for (withdrawal, _) in &words {
        let waiting = work.view.get(&state::document(&withdrawal.entry_id))?;
        if let Some(entry) = &waiting.entry {
            let waiting = work.view.get(&state::chain(&read_subject(&entry.subject)?))?;
            work.turn.again.extend((waiting.queued > 0).then_some(waiting.queued));
        }
    }
    work.turn.submitting = Some(Pause::default());
    work.keep(Body::LostWithdrawn(kept::LostWithdrawn {
        subject: subject.as_bytes().to_vec(),
        count: words.len() as u64,
        last: payload_hash(&last.encode()).as_bytes().to_vec(),
        checkpoint: tree.newer(),
    }))?;
    Ok(Outcome::Done)
}

/// What follows from withdrawals that stand in the log.
pub(crate) fn apply_withdrawn(done: &kept::LostWithdrawn, at: i64, view: &mut View) -> Result<(), Fault> {
    let subject = read_subject(&done.subject)?;
    let slot = state::chain(&subject);
    let mut chain = view.get(&slot)?;
    let mut end = chain.clone();
    follow(&mut end);
    for number in chain.lost_done + 1..=chain.lost_done + done.count {
        let lost = view.get(&state::lost(&subject, number))?;
        view.remove(&state::lost_ref(&read_entry_id(&lost.entry_id)?));
        view.remove(&state::lost(&subject, number));
    }
    chain.lost_done += done.count;
    (chain.tail, chain.tail_last) = (end.number + done.count, done.last.clone());
    view.put(&slot, &chain);
    change_recall(view, |recall| recall.entries = recall.entries.saturating_sub(done.count))?;
    change_ledger(view, |ledger| {
        ledger.words_waiting = ledger.words_waiting.saturating_sub(done.count);
        if done.checkpoint.is_some() {
            ledger.checkpoint.clone_from(&done.checkpoint);
        }
    })?;
    queue::settle(&subject, at, view)
}
