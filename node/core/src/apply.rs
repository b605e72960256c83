//! What follows from a record of the journal. Depends on the record and on what stood before alone: the same journal gives
//! the same index, with no key and no clock.

use yiqiao_proto::envelope::payload_hash;
use yiqiao_proto::id::{Code, Digest, EntryId, Subject};

use crate::intake::Verdict;
use crate::limits::{HOLDERS_MAX, RETIRED_MAX};
use crate::state::kept::{self, change};
use crate::state::{
    self, Body, Chain, Counters, Document, Fault, Item, Message, Problem, Record, Review, VaultUse, Version,
    View, damaged, read_digest, read_document_id, read_entry_id, read_subject, read_token,
};
use crate::{
    again, audit, compare, connection, copy, death, deposit, desk, dictionary, draft, feed, glass, holder,
    inform, lost, omission, outgoing, pairs, paper, passkey, quality, queue, register, said, seal, sight,
    step, watermark, words,
};

/// Does what follows from a record.
#[expect(clippy::too_many_lines, reason = "one arm for each record, and nothing else")]
pub(crate) fn apply(record: &Record, view: &mut View) -> Result<(), Fault> {
    let at = record.at;
    match record.record.as_ref().ok_or_else(damaged)? {
        Body::Received(received) => {
            for change in &received.changes {
                apply_change(change, at, view)?;
            }
            apply_received(received, &received.changes, at, view)
        }
        Body::Changed(changed) => {
            changed.changes.iter().try_for_each(|change| apply_change(change, at, view))
        }
        Body::Evaluated(evaluated) => apply_evaluated(evaluated, at, view),
        Body::Stated(stated) => apply_stated(stated, at, view),
        Body::Linked(linked) => apply_linked(linked, view),
        Body::Receipted(receipted) => apply_receipted(receipted, at, view),
        Body::Adopted(adopted) => apply_adopted(adopted, view),
        Body::StatementAdopted(adopted) => apply_statement_adopted(adopted, at, view),
        Body::Recalled(recalled) => lost::apply_recalled(recalled, at, view),
        Body::LostWithdrawn(done) => lost::apply_withdrawn(done, at, view),
        Body::Parked(parked) => apply_parked(parked, at, view),
        Body::Withdrawn(withdrawn) => apply_withdrawn(withdrawn, at, view),
        Body::ReviewDone(done) => close_review(done.number, REVIEW_DONE, view),
        Body::Resumed(resumed) => apply_resumed(resumed.problem, at, view),
        Body::Members(members) => {
            view.put(&state::members(), members);
            if members.new_log {
                again::apply_begun(view)?;
            }
            if members.new_epochs { change_ledger(view, |ledger| ledger.swept = 0) } else { Ok(()) }
        }
        Body::Again(again) => again::apply(again.to, at, view),
        Body::SaidAgain(again) => said::apply_again(again, view),
        Body::Swept(swept) => apply_swept(swept.to, at, view),
        Body::Said(said) => said::apply_said(said, at, view),
        Body::Settled(settled) => said::apply_settled(settled, view),
        Body::Fed(fed) => feed::apply_fed(fed, at, view),
        Body::Termed(termed) => feed::apply_termed(termed, view),
        Body::Noticed(noticed) => feed::apply_noticed(noticed, at, view),
        Body::Informed(informed) => inform::apply_taken(informed.number, view),
        Body::Destined(destined) => outgoing::apply_destined(destined, view),
        Body::Handed(handed) => outgoing::apply_handed(handed, at, view),
        Body::ToldAgain(told) => outgoing::apply_told_again(told, view),
        Body::ReadUp(read) => watermark::apply_read_up(read, at, view),
        Body::Broken(broken) => glass::apply_broken(broken, at, view),
        Body::Judged(judged) => glass::apply_judged(judged, at, view),
        Body::RecordSealed(sealed) => seal::apply_sealed(sealed, at, view),
        Body::SealLifted(lifted) => seal::apply_lifted(lifted, at, view),
        Body::Vouched(vouched) => passkey::apply(vouched, at, view),
        Body::Died(died) => death::apply(died, view),
        Body::Papered(papered) => paper::apply(papered, at, view),
        Body::Mapped(mapped) => dictionary::apply(mapped, at, view),
        Body::Attested(attested) => desk::apply_attested(attested, at, view),
        Body::Released(released) => holder::apply_released(released, at, view),
        Body::Denied(denied) => holder::apply_denied(denied, at, view),
        Body::Audited(audited) => audit::apply(audited, at, view),
        Body::Wanted(wanted) => copy::apply_wanted(wanted, at, view),
        Body::Asked(asked) => copy::apply_asked(asked, view),
        Body::CopyReleased(released) => copy::apply_released(released, at, view),
        Body::CopyChanged(changed) => copy::apply_changed(changed, at, view),
        Body::Drafted(drafted) => draft::apply(drafted, at, view),
        Body::Stepped(stepped) => step::apply(stepped, at, view),
        Body::StepsTold(told) => step::apply_told(told, view),
        Body::Filed(filed) => step::apply_filed(filed, at, view),
        Body::Assigned(assigned) => step::apply_assigned(assigned, view),
        Body::Deposited(deposited) => deposit::apply(deposited, at, view),
        Body::CopyTied(tied) => copy::apply_tied(tied, at, view),
        Body::Proved(checkpoint) => compare::apply_proved(checkpoint, view),
        Body::Contradicted(contradiction) => compare::apply_contradicted(contradiction, view),
        Body::Remembered(heard) => compare::apply_remembered(heard, view),
        Body::Weighed(weighed) => compare::apply_weighed(weighed, view),
        Body::Omitted(omission) => omission::apply(omission, view),
        Body::Counted(counted) => connection::apply_counted(counted, at, view),
        Body::Seen(checkpoint) => change_ledger(view, |ledger| ledger.checkpoint = Some(checkpoint.clone())),
    }
}

/// State of a review: nobody has settled it.
pub(crate) const REVIEW_OPEN: u32 = 0;
/// The same message came again and was understood.
pub(crate) const REVIEW_REPLAYED: u32 = 1;
/// Staff settled it.
pub(crate) const REVIEW_DONE: u32 = 2;

/// Does what follows from one change.
pub(crate) fn apply_change(change: &kept::Change, at: i64, view: &mut View) -> Result<(), Fault> {
    match change.change.as_ref().ok_or_else(damaged)? {
        change::Change::Person(person) => apply_person(person, at, view),
        change::Change::Merge(merge) => apply_merge(merge, at, view),
        change::Change::Filing(filing) => apply_filing(filing, at, view),
        change::Change::Withdrawn(withdrawn) => apply_withdrawn(withdrawn, at, view),
        change::Change::Divided(divided) => apply_divided(divided, at, view),
        change::Change::Asked(asked) => {
            pairs::open(&read_subject(&asked.one)?, &read_subject(&asked.other)?, at, view)
        }
        change::Change::Judged(judged) => pairs::apply_judged(judged, at, view),
    }
}

/// The message itself, after its changes. One that was refused or kept for review before moves to its new counter.
pub(crate) fn apply_received(
    received: &kept::Received,
    changes: &[kept::Change],
    at: i64,
    view: &mut View,
) -> Result<(), Fault> {
    let system = Code::new(received.system.as_str()).map_err(|_| damaged())?;
    let slot = state::message(&read_digest(&received.message)?);
    let before = view.find(&slot)?;
    let counters_slot = state::counters(&system);
    let mut counters = view.get(&counters_slot)?;
    let mut reused = false;
    if let Some(before) = &before {
        uncount(&mut counters, before.verdict)?;
        if before.review != 0 {
            close_review(before.review, REVIEW_REPLAYED, view)?;
        }
    } else if !received.control.is_empty() {
        let slot = state::control(&read_digest(&received.control)?);
        let messages = view.get(&slot)?.messages + 1;
        view.put(&slot, &state::Control { messages });
        reused = messages > 1;
    }
    let filings = changes.iter().filter(|change| matches!(change.change, Some(change::Change::Filing(_))));
    let came = Came { verdict: received.verdict, documents: filings.count() as u64, reused };
    came.count(&mut counters)?;
    view.put(&counters_slot, &counters);
    let connection = connection::apply_received(received, &came, before.as_ref(), at, view)?;
    if let Some(judged) = &received.judged {
        quality::apply(judged, connection, at, view)?;
    }
    register::apply(&received.registers, view)?;
    dictionary::apply_seen(&received.items, &system, view)?;
    let review = match &received.original {
        Some(original) => open_review(original, &received.system, at, view)?,
        None => 0,
    };
    let (remarks, entries) = (received.remarks.clone(), received.entries.clone());
    view.put(&slot, &Message { verdict: received.verdict, review, remarks, entries, connection });
    Ok(())
}

/// What is counted of a message.
pub(crate) struct Came {
    pub(crate) verdict: u32,
    pub(crate) documents: u64,
    /// Whether another message had its control id before.
    pub(crate) reused: bool,
}

impl Came {
    pub(crate) fn count(&self, counters: &mut Counters) -> Result<(), Fault> {
        *counter(counters, self.verdict)? += 1;
        counters.documents += self.documents;
        counters.reused += u64::from(self.reused);
        Ok(())
    }
}

/// A message no longer ends as it did.
pub(crate) fn uncount(counters: &mut Counters, verdict: u32) -> Result<(), Fault> {
    let counter = counter(counters, verdict)?;
    *counter = counter.saturating_sub(1);
    Ok(())
}

fn counter(counters: &mut Counters, verdict: u32) -> Result<&mut u64, Fault> {
    Ok(match Verdict::from_number(verdict).ok_or_else(damaged)? {
        Verdict::Indexed => &mut counters.indexed,
        Verdict::Applied => &mut counters.applied,
        Verdict::Answered => &mut counters.answered,
        Verdict::Review => &mut counters.review,
        Verdict::Refused => &mut counters.refused,
    })
}

fn open_review(original: &kept::Original, system: &str, at: i64, view: &mut View) -> Result<u64, Fault> {
    let mut number = 0;
    change_ledger(view, |ledger| {
        ledger.reviews += 1;
        number = ledger.reviews;
    })?;
    let review = Review {
        reason: original.reason,
        system: system.to_owned(),
        document: original.document.clone(),
        wrapped_key: original.wrapped_key.clone(),
        size: original.size,
        at,
        state: REVIEW_OPEN,
    };
    view.put(&state::review(number), &review);
    let document = read_document_id(&original.document)?;
    view.put(&state::vault(&document), &VaultUse { review: number, ..VaultUse::default() });
    Ok(number)
}

fn close_review(number: u64, as_state: u32, view: &mut View) -> Result<(), Fault> {
    let slot = state::review(number);
    let mut review = view.get(&slot)?;
    review.state = as_state;
    view.put(&slot, &review);
    Ok(())
}

fn apply_person(person: &kept::Person, at: i64, view: &mut View) -> Result<(), Fault> {
    let subject = read_subject(&person.subject)?;
    let slot = state::patient(&subject);
    let known = view.find(&slot)?;
    let is_new = known.is_none();
    let mut patient = known.unwrap_or_default();
    if is_new {
        change_ledger(view, |ledger| {
            // A patient that comes now is looked at anyway.
            ledger.swept += u64::from(ledger.swept == ledger.subjects);
            ledger.subjects += 1;
            patient.ordinal = ledger.subjects;
        })?;
        view.put(&state::ordinal(patient.ordinal), &state::subject_ref(&subject));
    }
    for number in &person.numbers {
        view.put(&state::number(&read_digest(number)?), &state::subject_ref(&subject));
    }
    register::apply_held(&subject, &person.held, view)?;
    let changed = patient.identifiers != person.identifiers;
    move_holder(&subject, &patient.identifiers, &person.identifiers, view)?;
    sight::apply_visits(&subject, &person.circles, view)?;
    patient.data.clone_from(&person.data);
    patient.identifiers.clone_from(&person.identifiers);
    patient.remarks.clone_from(&person.remarks);
    view.put(&slot, &patient);
    pairs::apply_found(person, at, view)?;
    if changed { disturb_all(&subject, &patient.retired, at, view) } else { Ok(()) }
}

/// Files a patient under the identifiers it has now, and no longer under those it had.
fn move_holder(subject: &Subject, before: &[Vec<u8>], now: &[Vec<u8>], view: &mut View) -> Result<(), Fault> {
    let own = subject.as_bytes().to_vec();
    for tag in before.iter().filter(|tag| !now.contains(tag)) {
        let slot = state::identifier(&read_digest(tag)?);
        let mut holders = view.get(&slot)?;
        holders.subjects.retain(|other| *other != own);
        view.put(&slot, &holders);
    }
    for tag in now.iter().filter(|tag| !before.contains(tag)) {
        let slot = state::identifier(&read_digest(tag)?);
        let mut holders = view.get(&slot)?;
        if holders.subjects.len() < HOLDERS_MAX && !holders.subjects.contains(&own) {
            holders.subjects.push(own.clone());
        }
        view.put(&slot, &holders);
    }
    Ok(())
}

/// The retired patient, and all that were merged into it, follow the survivor; while that is in doubt, nobody follows anybody.
fn apply_merge(merge: &kept::Merge, at: i64, view: &mut View) -> Result<(), Fault> {
    let (survivor, retired) = (read_subject(&merge.survivor)?, read_subject(&merge.retired)?);
    let retired_slot = state::patient(&retired);
    let mut gone = view.get(&retired_slot)?;
    gone.survivor.clone_from(&merge.survivor);
    gone.apart = merge.apart;
    if merge.apart {
        view.put(&retired_slot, &gone);
        return disturb_all(&retired, &gone.retired, at, view);
    }
    let moved = std::mem::take(&mut gone.retired);
    gone.moved.clone_from(&moved);
    view.put(&retired_slot, &gone);
    for earlier in &moved {
        let slot = state::patient(&read_subject(earlier)?);
        let mut patient = view.get(&slot)?;
        patient.survivor.clone_from(&merge.survivor);
        view.put(&slot, &patient);
    }
    let slot = state::patient(&survivor);
    let mut patient = view.get(&slot)?;
    if patient.survivor == merge.retired {
        // Each was to be merged into the other: with this one the other is settled, too.
        (patient.survivor, patient.apart) = (Vec::new(), false);
    }
    let all: Vec<_> = std::iter::once(merge.retired.clone()).chain(moved).collect();
    let new: Vec<_> = all.iter().filter(|id| !patient.retired.contains(id)).cloned().collect();
    patient.retired.extend(new);
    debug_assert!(patient.retired.len() <= RETIRED_MAX, "a merge beyond the bound is not made");
    view.put(&slot, &patient);
    if !merge.into.is_empty() {
        let slot = state::patient(&read_subject(&merge.into)?);
        let mut into = view.get(&slot)?;
        into.moved.extend(all);
        view.put(&slot, &into);
    }
    disturb_all(&survivor, &patient.retired, at, view)
}

/// Two who were one are two again: each goes by its own numbers, and all that was filed under them.
fn apply_divided(divided: &kept::Divided, at: i64, view: &mut View) -> Result<(), Fault> {
    let retired = read_subject(&divided.retired)?;
    let slot = state::patient(&retired);
    let mut gone = view.get(&slot)?;
    let survivor = read_subject(&gone.survivor)?;
    (gone.survivor, gone.apart, gone.moved) = (Vec::new(), false, Vec::new());
    gone.retired.clone_from(&divided.moved);
    view.put(&slot, &gone);
    for earlier in &divided.moved {
        let slot = state::patient(&read_subject(earlier)?);
        let mut patient = view.get(&slot)?;
        patient.survivor.clone_from(&divided.retired);
        view.put(&slot, &patient);
    }
    let slot = state::patient(&survivor);
    let mut patient = view.get(&slot)?;
    let stays = |id: &Vec<u8>| *id != divided.retired && !divided.moved.contains(id);
    patient.retired.retain(stays);
    view.put(&slot, &patient);
    for other in &patient.retired {
        let slot = state::patient(&read_subject(other)?);
        let mut other = view.get(&slot)?;
        other.moved.retain(stays);
        view.put(&slot, &other);
    }
    disturb_all(&survivor, &patient.retired, at, view)?;
    disturb_all(&retired, &divided.moved, at, view)
}

/// The identity statements of a patient, and of all merged into it, may have to change.
fn disturb_all(subject: &Subject, retired: &[Vec<u8>], at: i64, view: &mut View) -> Result<(), Fault> {
    disturb(subject, at, view)?;
    for retired in retired {
        disturb(&read_subject(retired)?, at, view)?;
    }
    Ok(())
}

fn disturb(subject: &Subject, at: i64, view: &mut View) -> Result<(), Fault> {
    change_chain(subject, view, |chain| chain.stale = true)?;
    queue::settle(subject, at, view)
}

fn apply_filing(filing: &kept::Filing, at: i64, view: &mut View) -> Result<(), Fault> {
    let entry = filing.entry.as_ref().ok_or_else(damaged)?;
    let (id, subject) = (read_entry_id(&entry.entry_id)?, read_subject(&entry.subject)?);
    let item = add_item(&subject, &id, 0, view)?;
    let version = match filing.replaces.as_slice() {
        [] => Version { series: item, number: 1 },
        replaced => replace(&read_entry_id(replaced)?, view)?,
    };
    let document = Document {
        entry: filing.entry.clone(),
        wrapped_key: filing.wrapped_key.clone(),
        system: filing.system.clone(),
        remarks: filing.remarks.clone(),
        data: filing.data.clone(),
        replaces: filing.replaces.clone(),
        replaced: false,
        withdrawn: false,
        item,
        filed_at: at,
        version: Some(version),
    };
    view.put(&state::document(&id), &document);
    let vault = VaultUse { entry_id: entry.entry_id.clone(), ..VaultUse::default() };
    view.put(&state::vault(&read_document_id(&entry.document)?), &vault);
    for source in &filing.sources {
        view.put(
            &state::source(&read_digest(source)?),
            &state::EntryRef { entry_id: entry.entry_id.clone() },
        );
    }
    queue::settle(&subject, at, view)
}

/// Marks the replaced document, and gives the next version of its series (N-6).
fn replace(replaced: &EntryId, view: &mut View) -> Result<Version, Fault> {
    let slot = state::document(replaced);
    let mut earlier = view.get(&slot)?;
    earlier.replaced = true;
    view.put(&slot, &earlier);
    let Version { series, number } = earlier.version.ok_or_else(damaged)?;
    Ok(Version { series, number: number + 1 })
}

fn apply_withdrawn(withdrawn: &kept::Withdrawn, at: i64, view: &mut View) -> Result<(), Fault> {
    let id = read_entry_id(&withdrawn.entry_id)?;
    let slot = state::document(&id);
    let mut document = view.get(&slot)?;
    let subject = read_subject(&document.entry.as_ref().ok_or_else(damaged)?.subject)?;
    document.withdrawn = true;
    view.put(&slot, &document);
    add_item(&subject, &id, withdrawn.reason, view)?;
    queue::settle(&subject, at, view)
}

/// Appends to what is to be published of a subject.
fn add_item(subject: &Subject, id: &EntryId, reason: u32, view: &mut View) -> Result<u64, Fault> {
    let mut number = 0;
    change_chain(subject, view, |chain| {
        chain.items += 1;
        // The first document of a patient is what makes it known to the region at all.
        chain.stale |= chain.items == 1;
        number = chain.items;
    })?;
    let item = Item { entry_id: id.as_bytes().to_vec(), reason, link: None, receipt: None };
    view.put(&state::item(subject, number), &item);
    change_ledger(view, |ledger| ledger.words_waiting += 1)?;
    Ok(number)
}

fn apply_evaluated(evaluated: &kept::Evaluated, at: i64, view: &mut View) -> Result<(), Fault> {
    let (today, came) = (holder::day_of(at), evaluated.values.len() as u64);
    change_ledger(view, |ledger| {
        let before = if ledger.evaluated_day == today { ledger.evaluated } else { 0 };
        (ledger.evaluated_day, ledger.evaluated) = (today, before + came);
    })?;
    for (tag, value) in evaluated.identifiers.iter().zip(&evaluated.values) {
        let token = yiqiao_proto::wire::words::Token { epoch: evaluated.epoch, value: value.clone() };
        view.put(&state::token(&read_digest(tag)?, evaluated.epoch), &token);
        view.put(&state::token_tag(&read_token(&token)?), &kept::TokenTag { tag: tag.clone() });
    }
    Ok(())
}

fn apply_stated(stated: &kept::Stated, at: i64, view: &mut View) -> Result<(), Fault> {
    let subject = read_subject(&stated.subject)?;
    let slot = state::chain(&subject);
    let mut chain = view.get(&slot)?;
    chain.stale = false;
    if !stated.payload.is_empty() {
        chain.statement += 1;
        for token in stated.tokens.iter().filter(|token| !chain.tokens.contains(token)) {
            feed::void_head(&read_token(token)?, view)?;
        }
        chain.statement_previous = std::mem::replace(&mut chain.statement_last, stated.payload.clone());
        chain.tokens.clone_from(&stated.tokens);
        chain.stating = true;
    }
    view.put(&slot, &chain);
    queue::settle(&subject, at, view)
}

fn apply_linked(linked: &kept::Linked, view: &mut View) -> Result<(), Fault> {
    let subject = read_subject(&linked.subject)?;
    let slot = state::chain(&subject);
    let mut chain = view.get(&slot)?;
    lost::follow(&mut chain);
    for salt in &linked.salts {
        chain.linked += 1;
        let item_slot = state::item(&subject, chain.linked);
        let mut item = view.get(&item_slot)?;
        let document = view.get(&state::document(&read_entry_id(&item.entry_id)?))?;
        let replaces = if item.reason == 0 { document.replaces.clone() } else { Vec::new() };
        chain.number += 1;
        let link = yiqiao_proto::wire::words::Link {
            number: chain.number,
            previous: chain.last.clone(),
            replaces,
            salt: salt.clone(),
        };
        item.link = Some(link);
        view.put(&item_slot, &item);
        let payload = words::payload(&item, &document)?;
        chain.last = payload_hash(&payload).as_bytes().to_vec();
    }
    view.put(&slot, &chain);
    Ok(())
}

fn apply_receipted(receipted: &kept::Receipted, at: i64, view: &mut View) -> Result<(), Fault> {
    let subject = read_subject(&receipted.subject)?;
    let slot = state::chain(&subject);
    let mut chain = view.get(&slot)?;
    if receipted.statement {
        (chain.stating, chain.restating) = (false, false);
    } else if receipted.again {
        again::apply_receipted(&subject, &receipted.receipts, &mut chain, view)?;
    } else {
        for receipt in &receipted.receipts {
            chain.receipted += 1;
            let item_slot = state::item(&subject, chain.receipted);
            let mut item = view.get(&item_slot)?;
            item.receipt = Some(*receipt);
            chain.receipted_number = item.link.as_ref().ok_or_else(damaged)?.number;
            view.put(&item_slot, &item);
        }
        let done = receipted.receipts.len() as u64;
        change_ledger(view, |ledger| ledger.words_waiting = ledger.words_waiting.saturating_sub(done))?;
    }
    view.put(&slot, &chain);
    if let Some(last) = &receipted.last {
        view.put(&state::acknowledged(&subject), last);
    }
    if let Some(checkpoint) = &receipted.checkpoint {
        change_ledger(view, |ledger| ledger.checkpoint = Some(checkpoint.clone()))?;
    }
    queue::settle(&subject, at, view)
}

/// Items that have a link but no receipt get another one, after the registry's newest word.
fn apply_adopted(adopted: &kept::Adopted, view: &mut View) -> Result<(), Fault> {
    change_chain(&read_subject(&adopted.subject)?, view, |chain| {
        chain.linked = chain.receipted;
        chain.number = adopted.number;
        chain.receipted_number = adopted.number;
        chain.last.clone_from(&adopted.last);
    })
}

/// What is to be stated now is said anew, after the registry's newest statement.
pub(crate) fn apply_statement_adopted(
    adopted: &kept::StatementAdopted,
    at: i64,
    view: &mut View,
) -> Result<(), Fault> {
    let subject = read_subject(&adopted.subject)?;
    change_chain(&subject, view, |chain| {
        chain.statement = adopted.number;
        chain.statement_last.clone_from(&adopted.payload);
        chain.tokens.clone_from(&adopted.tokens);
        (chain.stating, chain.stale) = (false, true);
    })?;
    queue::settle(&subject, at, view)
}

fn apply_parked(parked: &kept::Parked, at: i64, view: &mut View) -> Result<(), Fault> {
    let subject = read_subject(&parked.subject)?;
    let mut number = 0;
    change_ledger(view, |ledger| {
        ledger.problems += 1;
        number = ledger.problems;
    })?;
    let problem = Problem {
        subject: parked.subject.clone(),
        code: parked.code,
        clause: parked.clause.clone(),
        at,
        resumed: false,
    };
    view.put(&state::problem(number), &problem);
    change_chain(&subject, view, |chain| chain.problem = number)?;
    again::apply_parked(&view.get(&state::chain(&subject))?, view)?;
    queue::settle(&subject, at, view)
}

fn apply_resumed(number: u64, at: i64, view: &mut View) -> Result<(), Fault> {
    let slot = state::problem(number);
    let mut problem = view.get(&slot)?;
    problem.resumed = true;
    view.put(&slot, &problem);
    let subject = read_subject(&problem.subject)?;
    change_chain(&subject, view, |chain| chain.problem = 0)?;
    queue::settle(&subject, at, view)
}

/// The patients after an ordinal up to another, with their places in the queues loaded.
pub(crate) fn subjects_after(from: u64, to: u64, view: &View) -> Result<Vec<Subject>, Fault> {
    let slots: Vec<_> = (from + 1..=to).map(state::ordinal).collect();
    view.need(&slots)?;
    let subjects = slots.iter().map(|slot| read_subject(&view.get(slot)?.subject));
    let subjects = subjects.collect::<Result<Vec<_>, Fault>>()?;
    queue::load_ahead(&subjects, view)?;
    Ok(subjects)
}

/// A new epoch asks for a new statement of every patient (T-7).
fn apply_swept(to: u64, at: i64, view: &mut View) -> Result<(), Fault> {
    let from = view.get(&state::ledger())?.swept;
    for subject in &subjects_after(from, to, view)? {
        disturb(subject, at, view)?;
    }
    change_ledger(view, |ledger| ledger.swept = to)
}

pub(crate) fn change_ledger(view: &mut View, change: impl FnOnce(&mut state::Ledger)) -> Result<(), Fault> {
    let slot = state::ledger();
    let mut ledger = view.get(&slot)?;
    change(&mut ledger);
    view.put(&slot, &ledger);
    Ok(())
}

fn change_chain(subject: &Subject, view: &mut View, change: impl FnOnce(&mut Chain)) -> Result<(), Fault> {
    let slot = state::chain(subject);
    let mut chain = view.get(&slot)?;
    change(&mut chain);
    view.put(&slot, &chain);
    Ok(())
}

pub(crate) fn tag_bytes(tags: &[Digest]) -> Vec<Vec<u8>> {
    tags.iter().map(|tag| tag.as_bytes().to_vec()).collect()
}
