//! The index: entries, withdrawals and identity statements (N-1 to N-9, I-1 to I-3).

use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::entry::{Entry, IdentityStatement, Link, Withdrawal};
use yiqiao_proto::envelope::{Envelope, Verified};
use yiqiao_proto::id::{Code, Digest, EntryId, Subject as SubjectId};
use yiqiao_proto::lease::Change;
use yiqiao_proto::limits::{SUBMISSION_MAX, TOKENS_MAX};
use yiqiao_proto::token::Token;

use crate::facts;
use crate::lease::{need_feeds, push_to};
use crate::limits::{
    ENTRY_NUMBER_MAX, FORMER_MAX, RECALL_STRETCHES, RECALL_WORDS, SUBJECTS_MAX, SUBJECTS_OF_ONE_MAX,
};
use crate::machine::{Outcome, Stop, Work, refuse};
use crate::patient;
use crate::state::{
    self, EntryState, Fault, Kept, PAGE_LEN, Page, STRETCH_LEN, Slot, Subject, Version, View,
};
use crate::take::{Standing, damaged};

/// N-2 to N-6: the next link, of a new id, replacing what may be replaced.
pub(crate) fn check_entry(
    work: &Work<'_>,
    entry: &Entry,
    envelope: &Envelope,
    link: &Link,
) -> Result<(), Stop> {
    if entry.link != link.commitment() {
        return Err(refuse(RefusalCode::Malformed, "N-2"));
    }
    if let Some(earlier) = work.view.find(&state::entry(&entry.publisher, &entry.entry_id))? {
        let same = earlier.payload_hash == envelope.payload_hash().as_bytes();
        if !earlier.withdrawn && !same {
            return Err(refuse(RefusalCode::Conflict, "N-4"));
        }
        if earlier.replaced && earlier.former.len() >= FORMER_MAX {
            return Err(refuse(RefusalCode::OverLimit, "N-4"));
        }
    }
    is_next(work, &entry.publisher, &entry.subject, link)?;
    if link.number > ENTRY_NUMBER_MAX {
        return Err(refuse(RefusalCode::OverLimit, "N-2"));
    }
    let Some(replaced) = link.replaces else { return Ok(()) };
    let state = work.view.get(&state::entry(&entry.publisher, &replaced))?;
    let open = state.subject == entry.subject.as_bytes()
        && !state.withdrawn
        && !is_followed(work, &entry.publisher, &state)?;
    if open { Ok(()) } else { Err(refuse(RefusalCode::Conflict, "N-6")) }
}

/// Whether an entry that stands has taken the place of this one: where that was withdrawn, another one may (N-6).
fn is_followed(work: &Work<'_>, publisher: &Code, state: &EntryState) -> Result<bool, Fault> {
    let Some(by) = state.replaced_by.as_slice().try_into().ok().and_then(EntryId::new) else {
        return Ok(state.replaced);
    };
    Ok(!work.view.get(&state::entry(publisher, &by))?.withdrawn)
}

/// N-7: of an entry of the same subject, once.
pub(crate) fn check_withdrawal(work: &Work<'_>, withdrawal: &Withdrawal, link: &Link) -> Result<(), Stop> {
    if withdrawal.link != link.commitment() || link.replaces.is_some() {
        return Err(refuse(RefusalCode::Malformed, "N-2"));
    }
    is_next(work, &withdrawal.publisher, &withdrawal.subject, link)?;
    let state = work.view.get(&state::entry(&withdrawal.publisher, &withdrawal.entry_id))?;
    let open = state.subject == withdrawal.subject.as_bytes() && !state.withdrawn;
    if open { Ok(()) } else { Err(refuse(RefusalCode::Conflict, "N-7")) }
}

fn is_next(work: &Work<'_>, publisher: &Code, subject: &SubjectId, link: &Link) -> Result<(), Stop> {
    let chain = work.view.get(&state::subject(publisher, subject))?;
    let previous = link.previous.as_ref().map_or(&[][..], |previous| previous.as_bytes());
    let next = link.number == chain.number + 1 && previous == chain.last.as_slice();
    if next { Ok(()) } else { Err(refuse(RefusalCode::OutOfOrder, "N-2")) }
}

/// I-1, I-2: the next statement, of tokens that have room for another subject.
pub(crate) fn check_statement(work: &Work<'_>, statement: &Verified<IdentityStatement>) -> Result<(), Stop> {
    let word = statement.word();
    let subject = work.view.get(&state::subject(&word.publisher, &word.subject))?;
    let previous = word.previous.as_ref().map_or(&[][..], |previous| previous.as_bytes());
    if word.number != subject.statement + 1 || previous != subject.statement_hash.as_slice() {
        return Err(refuse(RefusalCode::OutOfOrder, "I-2"));
    }
    let had = read_tokens(&subject)?;
    work.view.need(&word.tokens.iter().map(state::subjects).collect::<Vec<_>>())?;
    for token in word.tokens.iter().filter(|token| !had.contains(token)) {
        let subjects = work.view.get(&state::subjects(token))?.subjects;
        let own = subjects.iter().filter(|subject| subject.publisher == word.publisher.as_str()).count();
        if subjects.len() >= SUBJECTS_MAX || own >= SUBJECTS_OF_ONE_MAX {
            return Err(refuse(RefusalCode::OverLimit, "I-1"));
        }
    }
    Ok(())
}

/// What follows from an entry.
pub(crate) fn apply_entry(word: &Standing, entry: &Entry, view: &mut View) -> Result<(), Fault> {
    let (publisher, link) = (&entry.publisher, word.link.as_ref().ok_or_else(damaged)?);
    let slot = state::subject(publisher, &entry.subject);
    let mut subject = view.get(&slot)?;
    keep_place(word, view)?;
    append_page(publisher, &entry.subject, link, word.opening.seq, view)?;
    let first = subject.entries == 0;
    subject.entries += 1;
    link_up(&mut subject, word, link);
    view.put(&slot, &subject);
    let version = match &link.replaces {
        Some(replaced) => replace(publisher, replaced, &entry.entry_id, view)?,
        None => Version { series: word.opening.seq, number: 1 },
    };
    let slot = state::entry(publisher, &entry.entry_id);
    let state = EntryState {
        seq: word.opening.seq,
        subject: entry.subject.as_bytes().to_vec(),
        payload_hash: word.envelope.payload_hash().as_bytes().to_vec(),
        version: Some(version),
        former: former(view.get(&slot)?),
        ..EntryState::default()
    };
    view.put(&slot, &state);
    facts::count_entry(word, entry, view)?;
    if first {
        let tokens = read_tokens(&subject)?;
        patient::load_ahead(&tokens, view)?;
        for token in &tokens {
            patient::add_holder(token, publisher, view)?;
        }
    }
    Ok(())
}

/// Marks the replaced entry, and gives the next version of its series (N-6).
fn replace(publisher: &Code, replaced: &EntryId, by: &EntryId, view: &mut View) -> Result<Version, Fault> {
    let slot = state::entry(publisher, replaced);
    let mut state = view.get(&slot)?;
    state.replaced = true;
    state.replaced_by = by.as_bytes().to_vec();
    view.put(&slot, &state);
    let Version { series, number } = state.version.ok_or_else(damaged)?;
    Ok(Version { series, number: number + 1 })
}

/// The versions that an entry was before it is published anew: those that another one has followed (C-5).
fn former(earlier: EntryState) -> Vec<Version> {
    let last = earlier.version.filter(|_| earlier.replaced);
    earlier.former.into_iter().chain(last).collect()
}

/// What follows from a withdrawal: whoever had the document is told (F-4).
pub(crate) fn apply_withdrawal(
    word: &Standing,
    withdrawal: &Withdrawal,
    view: &mut View,
) -> Result<(), Fault> {
    let (publisher, link) = (&withdrawal.publisher, word.link.as_ref().ok_or_else(damaged)?);
    let slot = state::subject(publisher, &withdrawal.subject);
    let mut subject = view.get(&slot)?;
    keep_place(word, view)?;
    append_page(publisher, &withdrawal.subject, link, word.opening.seq, view)?;
    link_up(&mut subject, word, link);
    view.put(&slot, &subject);
    let entry_slot = state::entry(publisher, &withdrawal.entry_id);
    let mut entry = view.get(&entry_slot)?;
    entry.withdrawn = true;
    view.put(&entry_slot, &entry);
    need_feeds(entry.recipients.iter().map(String::as_str), view)?;
    for recipient in &entry.recipients {
        push_to(recipient, &Change::Withdrawal(word.opening.clone()), view)?;
    }
    Ok(())
}

/// What follows from a statement: tokens dropped and tokens added (F-5).
pub(crate) fn apply_statement(
    word: &Standing,
    statement: &IdentityStatement,
    view: &mut View,
) -> Result<(), Fault> {
    let (publisher, id) = (&statement.publisher, &statement.subject);
    let slot = state::subject(publisher, id);
    let mut subject = view.get(&slot)?;
    keep_place(word, view)?;
    let before = read_tokens(&subject)?;
    subject.statement = statement.number;
    subject.statement_hash = word.envelope.payload_hash().as_bytes().to_vec();
    subject.tokens = statement.tokens.iter().map(|token| write_token(*token)).collect();
    view.put(&slot, &subject);
    let has_entries = subject.entries > 0;
    patient::load_ahead(&before.iter().chain(&statement.tokens).copied().collect::<Vec<_>>(), view)?;
    for token in before.iter().filter(|token| !statement.tokens.contains(token)) {
        patient::drop_subject(token, publisher, id, has_entries, view)?;
    }
    for token in statement.tokens.iter().filter(|token| !before.contains(token)) {
        patient::add_subject(token, publisher, id, view)?;
        if has_entries {
            patient::add_holder(token, publisher, view)?;
        }
    }
    Ok(())
}

fn link_up(subject: &mut Subject, word: &Standing, link: &Link) {
    subject.number = link.number;
    subject.last = word.envelope.payload_hash().as_bytes().to_vec();
}

fn append_page(
    publisher: &Code,
    subject: &SubjectId,
    link: &Link,
    seq: u64,
    view: &mut View,
) -> Result<(), Fault> {
    let slot = state::subject_page(publisher, subject, (link.number - 1) / PAGE_LEN);
    let mut page = view.get(&slot)?;
    page.seqs.push(seq);
    view.put(&slot, &page);
    Ok(())
}

/// The tokens of a subject's current statement.
pub(crate) fn read_tokens(subject: &Subject) -> Result<Vec<Token>, Fault> {
    debug_assert!(subject.tokens.len() <= TOKENS_MAX, "the statement was read within its bound");
    subject.tokens.iter().map(|token| read_token(token).ok_or_else(damaged)).collect()
}

pub(crate) fn read_token(token: &yiqiao_proto::wire::words::Token) -> Option<Token> {
    let value = Digest::new(token.value.as_slice().try_into().ok()?)?;
    Some(Token { epoch: token.epoch, value })
}

pub(crate) fn write_token(token: Token) -> yiqiao_proto::wire::words::Token {
    yiqiao_proto::wire::words::Token { epoch: token.epoch, value: token.value.as_bytes().to_vec() }
}

/// A member's own words about a subject, from a number on (N-9).
pub(crate) fn links(
    work: &Work<'_>,
    member: &Code,
    subject: &SubjectId,
    from_number: u64,
) -> Result<Vec<Kept>, Stop> {
    let from = from_number.max(1) - 1;
    let chain = work.view.get(&state::subject(member, subject))?;
    let to = chain.number.min(from.saturating_add(SUBMISSION_MAX as u64));
    let seqs = chain_places(work.view, member, subject, from, to)?;
    let slots: Vec<_> = seqs.iter().map(|seq| state::journal(*seq)).collect();
    work.view.need(&slots)?;
    slots.iter().map(|slot| Ok(work.view.get(slot)?)).collect()
}

/// A member's newest statement about a subject (N-9).
pub(crate) fn statement(work: &Work<'_>, member: &Code, subject: &SubjectId) -> Result<Option<Kept>, Fault> {
    let hash = work.view.get(&state::subject(member, subject))?.statement_hash;
    let Some(payload) = hash.as_slice().try_into().ok().and_then(Digest::new) else { return Ok(None) };
    let place = work.view.get(&state::said(member, &payload))?;
    work.view.get(&state::journal(place.seq)).map(Some)
}

/// Keeps where a word about a subject stands, so that its publisher finds it by the place (N-9).
fn keep_place(word: &Standing, view: &mut View) -> Result<(), Fault> {
    let seq = word.opening.seq;
    let slot = state::stretch(&word.signer, seq / STRETCH_LEN);
    let mut page = view.get(&slot)?;
    page.seqs.push(seq);
    view.put(&slot, &page);
    Ok(())
}

/// A member's own words about subjects from a place in the log on (N-9): some of them, and where to go on.
pub(crate) fn recall(work: &Work<'_>, member: &Code, from: u64) -> Result<Outcome, Stop> {
    let size = work.machine.next_seq();
    let first = from / STRETCH_LEN;
    let stretches = first..(size.div_ceil(STRETCH_LEN)).min(first.saturating_add(RECALL_STRETCHES));
    let end = stretches.end.saturating_mul(STRETCH_LEN).min(size);
    let slots: Vec<_> = stretches.map(|number| state::stretch(member, number)).collect();
    work.view.need(&slots)?;
    let mut seqs = Vec::new();
    for slot in &slots {
        seqs.extend(work.view.get(slot)?.seqs.into_iter().filter(|seq| *seq >= from));
    }
    let next = seqs.get(RECALL_WORDS).copied().unwrap_or_else(|| end.max(from));
    seqs.truncate(RECALL_WORDS);
    let words: Vec<_> = seqs.iter().map(|seq| state::journal(*seq)).collect();
    work.view.need(&words)?;
    let words = words.iter().map(|slot| work.view.get(slot)).collect::<Result<_, _>>()?;
    Ok(Outcome::Recall { words, next, whole: next >= size })
}

/// Where links of a subject stand: numbers `from + 1` to `to`.
pub(crate) fn chain_places(
    view: &View,
    publisher: &Code,
    subject: &SubjectId,
    from: u64,
    to: u64,
) -> Result<Vec<u64>, Fault> {
    if from >= to {
        return Ok(Vec::new());
    }
    let slots = chain_pages(publisher, subject, from, to);
    view.need(&slots)?;
    let mut seqs = Vec::new();
    for slot in &slots {
        seqs.extend(view.get(slot)?.seqs);
    }
    let skip = usize::try_from(from % PAGE_LEN).unwrap_or(usize::MAX);
    let take = usize::try_from(to - from).unwrap_or(0);
    Ok(seqs.into_iter().skip(skip).take(take).collect())
}

/// The pages that hold numbers `from + 1` to `to` of a subject's chain.
pub(crate) fn chain_pages(publisher: &Code, subject: &SubjectId, from: u64, to: u64) -> Vec<Slot<Page>> {
    let pages = from / PAGE_LEN..to.div_ceil(PAGE_LEN);
    pages.map(|page| state::subject_page(publisher, subject, page)).collect()
}
