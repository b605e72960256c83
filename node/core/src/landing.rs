//! What the registry's answers mean: tokens, receipts, refusals, and its own account of a subject (T-3, L-7, L-11, N-9).

use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::envelope::payload_hash;
use yiqiao_proto::id::{Digest, Subject};
use yiqiao_proto::time::Millis;
use yiqiao_proto::token::Token;

use crate::compare;
use crate::errand;
use crate::feed;
use crate::lost;
use crate::machine::{
    Acknowledged, Checkpoint, Effect, KnownLog, Outcome, Receipt, StatementRead, Stop, Work,
};
use crate::omission;
use crate::outbox::{Call, Flight, Pause, begin};
use crate::reporting;
use crate::said;
use crate::state::kept;
use crate::state::{self, Body, Chain, Fault, read_entry_id, write_token};
use crate::words;

/// Tokens have come.
pub(crate) fn evaluated(work: &mut Work<'_>, ticket: u64, tokens: &[Token]) -> Result<Outcome, Stop> {
    let Some(flight) = landed(work, ticket) else { return Ok(Outcome::Done) };
    let Call::Evaluate { epoch, tags, places } = flight.call else { return Ok(Outcome::Done) };
    let fits = tokens.len() == tags.len() && tokens.iter().all(|token| token.epoch == epoch);
    work.turn.again.extend(places);
    if !fits {
        pause_submitting(work, None);
        return Ok(Outcome::Done);
    }
    work.turn.evaluating = Some(Pause::default());
    let values = tokens.iter().map(|token| token.value.as_bytes().to_vec()).collect();
    let identifiers = tags.iter().map(|tag| tag.as_bytes().to_vec()).collect();
    work.keep(Body::Evaluated(kept::Evaluated { epoch, identifiers, values }))?;
    Ok(Outcome::Done)
}

/// Words stand in the log. Receipts at a smaller tree than was known when they were asked for, or at another tree of the
/// same size, are not taken (L-11); the words are sent again later.
pub(crate) fn receipted(
    work: &mut Work<'_>,
    ticket: u64,
    receipts: &[Receipt],
    checkpoint: &Checkpoint,
    last: Option<&Acknowledged>,
) -> Result<Outcome, Stop> {
    let Some(flight) = landed(work, ticket) else { return Ok(Outcome::Done) };
    let (place, subject, count, items, again) = match flight.call {
        Call::Statement { place, subject } => (place, subject, 1, None, false),
        Call::Items { place, subject, receipted, count } => (place, subject, count, Some(receipted), false),
        Call::Again { place, subject, done, count } => (place, subject, count, Some(done), true),
        Call::Word { .. } => return said::receipted(work, &flight, receipts, checkpoint, last),
        Call::Lost { .. } => return lost::receipted(work, &flight, receipts, checkpoint),
        Call::Evaluate { .. }
        | Call::Recall
        | Call::OwnWords { .. }
        | Call::Feed
        | Call::Lease
        | Call::Prove { .. }
        | Call::Compare
        | Call::Inventory
        | Call::Alarm { .. }
        | Call::Figures
        | Call::Errand { .. } => return Ok(Outcome::Done),
    };
    work.turn.again.push(place);
    let chain = work.view.get(&state::chain(&subject))?;
    let known = if again { chain.again_done } else { chain.receipted };
    if items.is_some_and(|before| before != known) {
        // A receipt is kept with the word that it is of, or not at all.
        return Ok(Outcome::Done);
    }
    let tree = tree_of(work, &flight.log, checkpoint)?;
    if matches!(tree, Tree::Other | Tree::Former) || receipts.len() != count {
        pause_submitting(work, None);
        return Ok(if matches!(tree, Tree::Other) { Outcome::OtherLog } else { Outcome::Done });
    }
    work.turn.submitting = Some(Pause::default());
    let last = match (items, last) {
        (Some(before), Some(last)) => {
            Some(acknowledged(work, &subject, before + count as u64, last, checkpoint)?)
        }
        _ => None,
    };
    work.keep(Body::Receipted(kept::Receipted {
        subject: subject.as_bytes().to_vec(),
        statement: items.is_none(),
        receipts: receipts.iter().map(|receipt| receipt.kept(checkpoint.size)).collect(),
        checkpoint: tree.newer(),
        last,
        again,
    }))?;
    Ok(Outcome::Done)
}

/// The last of some links with all that proves its receipt: what must be in every later account of the subject (L-16).
fn acknowledged(
    work: &Work<'_>,
    subject: &Subject,
    item: u64,
    last: &Acknowledged,
    checkpoint: &Checkpoint,
) -> Result<kept::Acknowledged, Fault> {
    Ok(kept::Acknowledged {
        opening: Some(last.opening.write()),
        path: last.path.concat(),
        checkpoint: checkpoint.note.clone(),
        link: work.view.get(&state::item(subject, item))?.link,
    })
}

/// How the tree of an answer stands to the newest one that is known (L-11).
pub(crate) enum Tree {
    Newer(kept::Checkpoint),
    Same,
    /// Another tree, or an older one than was known when the call began.
    Other,
    /// Maybe that of a log which counts no longer: another one does since the call began (L-9).
    Former,
}

impl Tree {
    /// What is to be kept of it.
    pub(crate) fn newer(self) -> Option<kept::Checkpoint> {
        match self {
            Self::Newer(checkpoint) => Some(checkpoint),
            Self::Same | Self::Other | Self::Former => None,
        }
    }
}

/// `asked` is what was known of the log when the registry was asked.
pub(crate) fn tree_of(work: &mut Work<'_>, asked: &KnownLog, checkpoint: &Checkpoint) -> Result<Tree, Fault> {
    let log_id = work.machine.directory.list().log_id.as_str();
    if asked.log_id.as_str() != log_id {
        return Ok(Tree::Former);
    }
    compare::hear(work, checkpoint, None)?;
    stands_to(work, asked, checkpoint)
}

/// The same without remembering it until it is proved.
pub(crate) fn stands_to(work: &Work<'_>, asked: &KnownLog, checkpoint: &Checkpoint) -> Result<Tree, Fault> {
    let log_id = work.machine.directory.list().log_id.as_str();
    if asked.log_id.as_str() != log_id {
        return Ok(Tree::Former);
    }
    let ledger = work.ledger()?;
    let known = ledger.checkpoint.as_ref().filter(|known| known.log_id == log_id);
    let other = known.is_some_and(|known| {
        checkpoint.size < asked.tree_size.min(known.size)
            || (checkpoint.size == known.size && known.root != checkpoint.root.as_bytes())
    });
    if other {
        return Ok(Tree::Other);
    }
    if known.is_some_and(|known| known.size >= checkpoint.size) {
        return Ok(Tree::Same);
    }
    let (log_id, root) = (log_id.to_owned(), checkpoint.root.as_bytes().to_vec());
    Ok(Tree::Newer(kept::Checkpoint { log_id, size: checkpoint.size, root, note: Vec::new() }))
}

/// A search was answered at a tree. What it found counts if this is done.
pub(crate) fn searched(
    work: &mut Work<'_>,
    asked: &KnownLog,
    checkpoint: &Checkpoint,
) -> Result<Outcome, Stop> {
    let tree = tree_of(work, asked, checkpoint)?;
    if matches!(tree, Tree::Other) {
        return Ok(Outcome::OtherLog);
    }
    if let Some(newer) = tree.newer() {
        work.keep(Body::Seen(newer))?;
    }
    Ok(Outcome::Done)
}

/// The registry's own account of a subject, after it had refused the next link or statement (N-9). Words that this node has lost are
/// followed from then on; if there are none, the two disagree about the past, which a person must look at.
pub(crate) fn own_words(
    work: &mut Work<'_>,
    ticket: u64,
    words: &[(u64, Digest)],
    statement: Option<&StatementRead>,
) -> Result<Outcome, Stop> {
    let Some(flight) = landed(work, ticket) else { return Ok(Outcome::Done) };
    let Call::OwnWords { place, subject } = flight.call else { return Ok(Outcome::Done) };
    let chain = work.view.get(&state::chain(&subject))?;
    if chain.stating {
        return adopt_statement(work, place, &subject, &chain, statement);
    }
    let numbers = (chain.receipted_number + 1..).zip(words).all(|(number, word)| word.0 == number);
    let own = next_payload(work, &subject, &chain)?;
    let (Some((number, last)), true) = (words.last(), numbers) else {
        return park(work, &subject, RefusalCode::OutOfOrder, "N-9");
    };
    if words.first().is_some_and(|(_, payload)| Some(*payload) == own) {
        return park(work, &subject, RefusalCode::OutOfOrder, "N-9");
    }
    work.turn.again.push(place);
    let (subject, last) = (subject.as_bytes().to_vec(), last.as_bytes().to_vec());
    work.keep(Body::Adopted(kept::Adopted { subject, number: *number, last }))?;
    Ok(Outcome::Done)
}

/// The registry has a statement in the place of the one that it refused, or a later one (I-2).
fn adopt_statement(
    work: &mut Work<'_>,
    place: u64,
    subject: &Subject,
    chain: &Chain,
    statement: Option<&StatementRead>,
) -> Result<Outcome, Stop> {
    if chain.restating {
        return follow_statement(work, place, subject, chain, statement);
    }
    let lost = |read: &&StatementRead| {
        read.number >= chain.statement && read.payload.as_bytes() != chain.statement_last.as_slice()
    };
    let Some(read) = statement.filter(lost) else {
        return park(work, subject, RefusalCode::OutOfOrder, "I-2");
    };
    work.turn.again.push(place);
    work.keep(Body::StatementAdopted(kept::StatementAdopted {
        subject: subject.as_bytes().to_vec(),
        number: read.number,
        payload: read.payload.as_bytes().to_vec(),
        tokens: read.tokens.iter().map(write_token).collect(),
    }))?;
    Ok(Outcome::Done)
}

/// A new log has another statement than the one before the newest, or none (L-9): what is to be stated follows that one.
fn follow_statement(
    work: &mut Work<'_>,
    place: u64,
    subject: &Subject,
    chain: &Chain,
    statement: Option<&StatementRead>,
) -> Result<Outcome, Stop> {
    let number = statement.map_or(0, |read| read.number);
    let payload = statement.map(|read| read.payload.as_bytes().to_vec()).unwrap_or_default();
    if number + 1 == chain.statement && payload == chain.statement_previous {
        // It was refused although it follows.
        return park(work, subject, RefusalCode::OutOfOrder, "I-2");
    }
    work.turn.again.push(place);
    let tokens = statement.map(|read| read.tokens.iter().map(write_token).collect()).unwrap_or_default();
    let subject = subject.as_bytes().to_vec();
    work.keep(Body::StatementAdopted(kept::StatementAdopted { subject, number, payload, tokens }))?;
    Ok(Outcome::Done)
}

/// The hash of the first item's payload that has a link and no receipt.
fn next_payload(work: &Work<'_>, subject: &Subject, chain: &Chain) -> Result<Option<Digest>, Fault> {
    if chain.linked == chain.receipted {
        return Ok(None);
    }
    let item = work.view.get(&state::item(subject, chain.receipted + 1))?;
    let document = work.view.get(&state::document(&read_entry_id(&item.entry_id)?))?;
    Ok(Some(payload_hash(&words::payload(&item, &document)?)))
}

/// A call was refused, or had no answer.
pub(crate) fn failed(work: &mut Work<'_>, ticket: u64, refusal: Option<&Refusal>) -> Result<Outcome, Stop> {
    let Some(flight) = landed(work, ticket) else { return Ok(Outcome::Done) };
    let wait = refusal.and_then(|refusal| refusal.retry_after);
    let (place, subject, submitted) = match flight.call {
        Call::Evaluate { places, .. } => {
            evaluation_failed(work, places, refusal, wait);
            return Ok(Outcome::Done);
        }
        Call::Word { .. } => return said::failed(work, &flight, refusal),
        Call::Feed | Call::Lease => return Ok(feed::failed(work, ticket, refusal)),
        Call::Prove { .. } => {
            compare::failed(work, refusal);
            return Ok(Outcome::Done);
        }
        Call::Compare | Call::Inventory => return Ok(Outcome::Done),
        Call::Recall => {
            lost::failed(work, refusal);
            return Ok(Outcome::Done);
        }
        Call::Alarm { is_contradiction } => {
            omission::failed(work, is_contradiction, refusal);
            return Ok(Outcome::Done);
        }
        Call::Figures => {
            reporting::failed(work, refusal);
            return Ok(Outcome::Done);
        }
        Call::Errand { place, pause, .. } => return errand::failed(work, place, pause, refusal),
        Call::Items { place, subject, .. }
        | Call::Lost { place, subject, .. }
        | Call::Statement { place, subject } => (place, subject, true),
        // Its links are those of the first log: another past stands between them.
        Call::Again { place, subject, .. } | Call::OwnWords { place, subject } => (place, subject, false),
    };
    match refusal {
        Some(refusal) if submitted && refusal.code == RefusalCode::OutOfOrder => {
            let from_number = work.view.get(&state::chain(&subject))?.receipted_number + 1;
            let ticket = begin(work, Call::OwnWords { place, subject });
            work.effects.push(Effect::OwnWords { ticket, subject, from_number });
            Ok(Outcome::Done)
        }
        Some(refusal) if stops_subject(refusal.code) => park(work, &subject, refusal.code, refusal.clause),
        _ => {
            work.turn.again.push(place);
            pause_submitting(work, wait);
            Ok(Outcome::Done)
        }
    }
}

/// Over the day's quota only tokens wait; words go on (T-5).
fn evaluation_failed(work: &mut Work<'_>, places: Vec<u64>, refusal: Option<&Refusal>, wait: Option<Millis>) {
    if refusal.is_some_and(|refusal| refusal.code == RefusalCode::OverLimit) {
        let chance = u64::from_be_bytes(work.entropy.bytes());
        let pause = work.machine.outbox.evaluating.longer(work.now, wait, chance);
        work.turn.evaluating = Some(pause);
        work.turn.starved.extend(places);
    } else {
        work.turn.again.extend(places);
        pause_submitting(work, wait);
    }
}

pub(crate) fn pause_submitting(work: &mut Work<'_>, wait: Option<Millis>) {
    let chance = u64::from_be_bytes(work.entropy.bytes());
    work.turn.submitting = Some(work.machine.outbox.submitting.longer(work.now, wait, chance));
}

/// Stops a subject until a person has looked at it; the others go on.
fn park(work: &mut Work<'_>, subject: &Subject, code: RefusalCode, clause: &str) -> Result<Outcome, Stop> {
    let subject = subject.as_bytes().to_vec();
    work.keep(Body::Parked(kept::Parked { subject, code: code.number(), clause: clause.to_owned() }))?;
    Ok(Outcome::Done)
}

/// The call that an answer is to; none if it was asked before a restart.
pub(crate) fn landed(work: &mut Work<'_>, ticket: u64) -> Option<Flight> {
    let flight = work.machine.outbox.flights.get(&ticket).cloned();
    work.turn.landed = flight.as_ref().map(|_| ticket);
    flight
}

/// Whether a refusal of words stops the subject they are of, until a person has looked at it.
pub(crate) const fn stops_subject(code: RefusalCode) -> bool {
    match code {
        RefusalCode::Malformed
        | RefusalCode::Conflict
        | RefusalCode::OutOfOrder
        | RefusalCode::OverLimit
        | RefusalCode::Nothing
        | RefusalCode::Stale
        | RefusalCode::Stopped => true,
        RefusalCode::NotMember | RefusalCode::BadSignature | RefusalCode::Busy | RefusalCode::Failed => false,
    }
}
