//! Words of this node that are no links of a chain: what patients say here, access events, releases, deliveries.
//!
//! Each is kept before it is handed in, then handed in until it stands in the log or is refused for good, one in a call.
//! What a patient says has a queue of its own, so that nothing else delays it. Not here: what the words say.

use std::collections::BTreeSet;

use yiqiao_proto::access::{AccessEvent, AuditAnchor};
use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::{KeyUse, RefusalCode};
use yiqiao_proto::directive::{Act, Directive, Revocation};
use yiqiao_proto::entry::Link;
use yiqiao_proto::envelope::{self as signed, Envelope, Kind, Word as _};
use yiqiao_proto::id::DirectiveId;
use yiqiao_proto::proof::CredentialStatement;
use yiqiao_proto::referral::ReferralStep;
use yiqiao_proto::release::{Delivery, PullRequest, Release};
use yiqiao_proto::time::Timestamp;

use crate::again;
use crate::apply::change_ledger;
use crate::audit;
use crate::emergency;
use crate::landing::{self, Tree};
use crate::limits::{AGAIN_STEP, BACKOFF_MAX, LOOKS_MAX, PAGE_MAX, SAYING_MAX, SOON_MAX, TAKEN_BACK_MAX};
use crate::machine::{Acknowledged, Checkpoint, Effect, Machine, Outcome, Receipt, Stop, Work};
use crate::outbox::{Call, Flight, Pause, begin};
use crate::state::kept::{self, TakenBack};
use crate::state::{self, Body, Exchange, Fault, Lane, View, Word, WordRef, damaged};

/// Places that one settled word clears from the front of its queue.
const CLEAR_MAX: u64 = 8;

/// How far a word is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WordState {
    /// It is being handed in.
    Waiting,
    /// It stands in the log.
    Stands(kept::Receipt),
    /// It was refused for good.
    Refused {
        /// How.
        code: RefusalCode,
        /// The clause.
        clause: String,
    },
}

/// Keeps a word to be handed in: its number.
pub(crate) fn say(work: &mut Work<'_>, envelope: &Envelope) -> Result<u64, Fault> {
    work.keep(Body::Said(kept::Said { envelope: envelope.as_bytes().to_vec() }))?;
    Ok(work.exchange()?.words)
}

/// How far a word is; none if there is none of this number.
///
/// # Errors
/// [`Fault`] if the view lacks something.
pub fn word(number: u64, view: &View) -> Result<Option<WordState>, Fault> {
    let Some(word) = view.find(&state::word(number))? else { return Ok(None) };
    if let Some(receipt) = word.receipt {
        return Ok(Some(WordState::Stands(receipt)));
    }
    if word.code == 0 {
        return Ok(Some(WordState::Waiting));
    }
    let code = RefusalCode::try_from(word.code).map_err(|_| damaged())?;
    Ok(Some(WordState::Refused { code, clause: word.clause }))
}

/// The directive that a word of this number said; none if it was no directive.
///
/// # Errors
/// [`Fault`] if the view lacks something.
pub fn directive(number: u64, view: &View) -> Result<Option<DirectiveId>, Fault> {
    let id = view.get(&state::attested(number))?.directive;
    if id.is_empty() {
        return Ok(None);
    }
    id.as_slice().try_into().ok().and_then(DirectiveId::new).ok_or_else(damaged).map(Some)
}

/// What waits to be handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What patients say.
    pub acts: u64,
    /// Everything else.
    pub others: u64,
    /// Words that were refused for good, of all time.
    pub refused: u64,
}

/// What waits to be handed in.
///
/// # Errors
/// [`Fault`] if the view lacks something.
pub fn waiting(view: &View) -> Result<Waiting, Fault> {
    let exchange = view.get(&state::exchange())?;
    let of = |lane| queue(&exchange, lane).waiting;
    Ok(Waiting { acts: of(Lane::Acts), others: of(Lane::Others), refused: exchange.refused_words })
}

/// Words that were refused for good, after a place in their list: at most [`PAGE_MAX`], each by its number.
///
/// # Errors
/// [`Fault`] if the view lacks something.
pub fn refused(after: u64, view: &View) -> Result<Vec<(u64, WordState)>, Fault> {
    let to = view.get(&state::exchange())?.refused_words.min(after.saturating_add(PAGE_MAX));
    let slots: Vec<_> = (after.saturating_add(1)..=to).map(state::refused_word).collect();
    view.need(&slots)?;
    let mut found = Vec::new();
    for slot in &slots {
        let number = view.get(slot)?.number;
        found.push((number, word(number, view)?.ok_or_else(damaged)?));
    }
    Ok(found)
}

/// What is in memory only: after a restart the queues are walked again from their fronts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Saying {
    acts: Walk,
    others: Walk,
}

#[derive(Clone, Debug, Default)]
struct Walk {
    /// The place that was looked at last.
    cursor: u64,
    /// Places before it that are to be tried again.
    again: BTreeSet<u64>,
    pause: Pause,
}

const LANES: [Lane; 2] = [Lane::Acts, Lane::Others];

impl Saying {
    pub(crate) fn from(exchange: &Exchange) -> Self {
        let walk = |lane| Walk { cursor: queue(exchange, lane).head, ..Walk::default() };
        Self { acts: walk(Lane::Acts), others: walk(Lane::Others) }
    }

    /// When something can be handed in; `under_way` counts the calls of a queue; with `links_wait` links are still to come to a new log.
    pub(crate) fn next_wakeup(
        &self,
        exchange: &Exchange,
        links_wait: bool,
        under_way: impl Fn(Lane) -> usize,
    ) -> Option<Timestamp> {
        let due = |lane| {
            let walk = self.of(lane);
            let further = walk.cursor < queue(exchange, lane).tail || !walk.again.is_empty();
            (further && under_way(lane) < SAYING_MAX).then(|| walk.pause.until().unwrap_or(Timestamp::MIN))
        };
        let again = LANES.into_iter().any(|lane| is_next_again(exchange, lane, links_wait));
        let again = again.then_some(Timestamp::MIN);
        LANES.into_iter().filter_map(due).chain(again).min()
    }

    const fn of(&self, lane: Lane) -> &Walk {
        match lane {
            Lane::Acts => &self.acts,
            Lane::Others => &self.others,
        }
    }

    const fn walk(&mut self, lane: Lane) -> &mut Walk {
        match lane {
            Lane::Acts => &mut self.acts,
            Lane::Others => &mut self.others,
        }
    }
}

impl Walk {
    /// The places to look at: those of before first, then the next ones.
    fn places(&self, tail: u64) -> Vec<u64> {
        self.again.iter().copied().chain(self.cursor + 1..=tail).take(LOOKS_MAX).collect()
    }
}

fn queue(exchange: &Exchange, lane: Lane) -> kept::Lane {
    match lane {
        Lane::Acts => exchange.acts,
        Lane::Others => exchange.others,
    }
    .unwrap_or_default()
}

fn queue_mut(exchange: &mut Exchange, lane: Lane) -> &mut kept::Lane {
    match lane {
        Lane::Acts => &mut exchange.acts,
        Lane::Others => &mut exchange.others,
    }
    .get_or_insert_default()
}

/// The copy of what is in memory that becomes the new one if the input at hand is handled.
fn saying<'a>(work: &'a mut Work<'_>) -> &'a mut Saying {
    let machine = work.machine;
    work.turn.saying.get_or_insert_with(|| machine.saying.clone())
}

/// No word waits after a failure any more.
pub(crate) fn go_on(work: &mut Work<'_>) {
    for lane in LANES {
        saying(work).walk(lane).pause = Pause::default();
    }
}

/// Whether more words of a queue can go to a new log: those before have come there, and so have the links to which they refer.
fn is_next_again(exchange: &Exchange, lane: Lane, links_wait: bool) -> bool {
    let refers = matches!(lane, Lane::Others);
    again_of(exchange, lane) < exchange.again && queue(exchange, lane).waiting == 0 && !(refers && links_wait)
}

const fn again_of(exchange: &Exchange, lane: Lane) -> u64 {
    match lane {
        Lane::Acts => exchange.acts_again,
        Lane::Others => exchange.others_again,
    }
}

/// The next words are to be handed in again (L-9). What patients said goes one by one: a permit that comes after the revocation
/// of another one would be refused (C-11).
fn say_again(work: &mut Work<'_>, lane: Lane) -> Result<(), Fault> {
    let (exchange, links_wait) = (work.exchange()?, again::links_wait(&*work.ledger()?));
    if !is_next_again(&exchange, lane, links_wait) {
        return Ok(());
    }
    let done = again_of(&exchange, lane);
    let last = exchange.again.min(done + AGAIN_STEP);
    let slots: Vec<_> = (done + 1..=last).map(state::word).collect();
    work.view.need(&slots)?;
    let mut to = last;
    for (number, slot) in (done + 1..=last).zip(&slots) {
        let is_act = work.view.get(slot)?.lane == u32::from(Lane::Acts as u8);
        if is_act && matches!(lane, Lane::Acts) {
            to = number;
            break;
        }
    }
    work.keep(Body::SaidAgain(kept::SaidAgain { to, lane: u32::from(lane as u8) }))
}

/// Words of a queue that stood in another log wait anew, at its end.
pub(crate) fn apply_again(again: &kept::SaidAgain, view: &mut View) -> Result<(), Fault> {
    let lane = lane_of(again.lane)?;
    let mut exchange = view.get(&state::exchange())?;
    let numbers = again_of(&exchange, lane) + 1..=again.to;
    let slots: Vec<_> = numbers.clone().map(state::word).collect();
    view.need(&slots)?;
    for (number, slot) in numbers.zip(&slots) {
        let mut word = view.get(slot)?;
        if word.lane != again.lane || word.receipt.take().is_none() || word.envelope.is_empty() {
            continue;
        }
        word.logged.clear();
        // What stood already is not refused because of what follows it.
        (word.together, word.behind) = (0, false);
        let queue = queue_mut(&mut exchange, lane);
        queue.tail += 1;
        queue.waiting += 1;
        word.place = queue.tail;
        view.put(&state::word_place(lane, word.place), &WordRef { number });
        view.put(slot, &word);
    }
    match lane {
        Lane::Acts => exchange.acts_again = again.to,
        Lane::Others => exchange.others_again = again.to,
    }
    view.put(&state::exchange(), &exchange);
    Ok(())
}

fn lane_of(number: u32) -> Result<Lane, Fault> {
    LANES.into_iter().find(|lane| u32::from(*lane as u8) == number).ok_or_else(damaged)
}

/// Begins to hand in what can be.
pub(crate) fn send(work: &mut Work<'_>) -> Result<(), Fault> {
    for lane in LANES {
        say_again(work, lane)?;
    }
    for lane in LANES {
        let saying = work.turn.saying.as_ref().unwrap_or(&work.machine.saying);
        let walk = saying.of(lane);
        let places = walk.places(queue(&*work.exchange()?, lane).tail);
        if walk.pause.is_over(work.now) && !places.is_empty() {
            let under_way = work.machine.outbox.count(|call| is_of(call, lane));
            send_lane(work, lane, &places, SAYING_MAX.saturating_sub(under_way))?;
        }
    }
    Ok(())
}

/// Whether a call hands in a word of this queue.
pub(crate) const fn is_of(call: &Call, of: Lane) -> bool {
    matches!(call, Call::Word { lane, .. } if *lane as u8 == of as u8)
}

fn send_lane(work: &mut Work<'_>, lane: Lane, places: &[u64], room: usize) -> Result<(), Fault> {
    let slots: Vec<_> = places.iter().map(|place| state::word_place(lane, *place)).collect();
    work.view.need(&slots)?;
    let mut due = Vec::new();
    for (place, slot) in places.iter().zip(&slots) {
        if due.len() == room {
            break;
        }
        let walk = saying(work).walk(lane);
        walk.again.remove(place);
        walk.cursor = walk.cursor.max(*place);
        let number = work.view.get(slot)?.number;
        if number != 0 {
            due.push((*place, number));
        }
    }
    work.view.need(&due.iter().map(|(_, number)| state::word(*number)).collect::<Vec<_>>())?;
    for (place, number) in due {
        let word = work.view.get(&state::word(number))?;
        if word.behind {
            continue;
        }
        let count = word.together.max(1);
        let words = together(work, number, count)?;
        let ticket = begin(work, Call::Word { lane, place, number, count });
        work.effects.push(Effect::Submit { ticket, words });
    }
    Ok(())
}

/// Words that are handed in together, as this node signs them now.
fn together(work: &Work<'_>, first: u64, count: u64) -> Result<Vec<(Envelope, Option<Link>)>, Fault> {
    let slots: Vec<_> = (first..first + count).map(state::word).collect();
    work.view.need(&slots)?;
    let word = |slot: &state::Slot<Word>| {
        let envelope = current(work.machine, &work.view.get(slot)?.envelope).ok_or_else(damaged)?;
        Ok((envelope, None))
    };
    slots.iter().map(word).collect()
}

/// A kept word under the key with which this node signs now: the key of then may sign nothing new (M-5). The payload is the
/// same, so the log has it once (L-1).
pub(crate) fn current(machine: &Machine, bytes: &[u8]) -> Option<Envelope> {
    let envelope = Envelope::decode(bytes).ok()?;
    if envelope.key_id() == machine.signing_key().public().id(KeyUse::Words) {
        return Some(envelope);
    }
    again::<Act<Directive>>(machine, &envelope)
        .or_else(|| again::<CredentialStatement>(machine, &envelope))
        .or_else(|| again::<Act<Revocation>>(machine, &envelope))
        .or_else(|| again::<AccessEvent>(machine, &envelope))
        .or_else(|| again::<Release>(machine, &envelope))
        .or_else(|| again::<Delivery>(machine, &envelope))
        .or_else(|| again::<AuditAnchor>(machine, &envelope))
        .or_else(|| again::<PullRequest>(machine, &envelope))
        .or_else(|| again::<ReferralStep>(machine, &envelope))
}

fn again<W: signed::Word>(machine: &Machine, envelope: &Envelope) -> Option<Envelope> {
    let word = (envelope.kind() == W::KIND).then(|| W::decode(envelope.payload()))?.ok()?;
    Some(Envelope::sign(machine.directory.region(), &word, machine.signing_key()))
}

/// A word stands in the log.
pub(crate) fn receipted(
    work: &mut Work<'_>,
    flight: &Flight,
    receipts: &[Receipt],
    checkpoint: &Checkpoint,
    last: Option<&Acknowledged>,
) -> Result<Outcome, Stop> {
    let Call::Word { lane, place, number, count } = flight.call else { return Ok(Outcome::Done) };
    let tree = landing::tree_of(work, &flight.log, checkpoint)?;
    let is_whole = receipts.len() as u64 == count;
    if !is_whole || !matches!(tree, Tree::Same | Tree::Newer(_)) {
        pause(work, lane, place, None);
        return Ok(if matches!(tree, Tree::Other) { Outcome::OtherLog } else { Outcome::Done });
    }
    saying(work).walk(lane).pause = Pause::default();
    let logged = last.and_then(|word| emergency::logged(word, checkpoint)).unwrap_or_default();
    let (mut newer, mut words) = (tree.newer(), Vec::new());
    for (number, receipt) in (number..).zip(receipts) {
        let receipt = Some(receipt.kept(checkpoint.size));
        let (checkpoint, logged) = (newer.take(), logged.clone());
        let settled = kept::Settled { number, receipt, checkpoint, logged, ..kept::Settled::default() };
        words.push(settle(work, settled)?);
    }
    Ok(Outcome::Settled { words })
}

/// A word was refused, or the call had no answer.
pub(crate) fn failed(
    work: &mut Work<'_>,
    flight: &Flight,
    refusal: Option<&Refusal>,
) -> Result<Outcome, Stop> {
    let Call::Word { lane, place, number, count } = flight.call else { return Ok(Outcome::Done) };
    let Some(refusal) = refusal.filter(|refusal| is_final(refusal)) else {
        pause(work, lane, place, refusal);
        return Ok(Outcome::Done);
    };
    let mut words = Vec::new();
    for number in number..number + count {
        let (code, clause) = (refusal.code.number(), refusal.clause.to_owned());
        words.push(settle(work, kept::Settled { number, code, clause, ..kept::Settled::default() })?);
    }
    Ok(Outcome::Settled { words })
}

/// A refusal that would come again: of the word itself, or by what the patient's consent says.
fn is_final(refusal: &Refusal) -> bool {
    let waits = refusal.retry_after.is_some();
    !waits && (landing::stops_subject(refusal.code) || refusal.clause.starts_with("C-"))
}

fn pause(work: &mut Work<'_>, lane: Lane, place: u64, refusal: Option<&Refusal>) {
    let (now, asked) = (work.now, refusal.and_then(|refusal| refusal.retry_after));
    let chance = u64::from_be_bytes(work.entropy.bytes());
    let max = if lane == Lane::Acts { SOON_MAX } else { BACKOFF_MAX };
    let walk = saying(work).walk(lane);
    walk.again.insert(place);
    walk.pause = walk.pause.longer_once(max, now, asked, chance);
}

fn settle(work: &mut Work<'_>, settled: kept::Settled) -> Result<(u64, WordState), Stop> {
    let number = settled.number;
    work.keep(Body::Settled(settled))?;
    let result = word(number, work.view)?.ok_or_else(damaged)?;
    Ok((number, result))
}

/// What follows from a word that is to be handed in.
pub(crate) fn apply_said(said: &kept::Said, at: i64, view: &mut View) -> Result<(), Fault> {
    let envelope = Envelope::decode(&said.envelope).map_err(|_| damaged())?;
    // Who has lost a passkey waits for its end as for a revocation.
    let is_act = matches!(envelope.kind(), Kind::Directive | Kind::Revocation | Kind::CredentialStatement);
    let lane = if is_act { Lane::Acts } else { Lane::Others };
    let mut exchange = view.get(&state::exchange())?;
    exchange.words += 1;
    let number = exchange.words;
    let queue = queue_mut(&mut exchange, lane);
    queue.tail += 1;
    queue.waiting += 1;
    let word = Word {
        envelope: said.envelope.clone(),
        at,
        lane: u32::from(lane as u8),
        place: queue.tail,
        ..Word::default()
    };
    view.put(&state::word_place(lane, word.place), &WordRef { number });
    view.put(&state::word(number), &word);
    view.put(&state::exchange(), &exchange);
    if envelope.kind() == Kind::AuditAnchor {
        audit::apply_anchored(view)?;
    }
    change_taken_back(&envelope, view, |known, directive| {
        known.push(TakenBack { directive, word: number });
        known.drain(..known.len().saturating_sub(TAKEN_BACK_MAX));
    })
}

/// If a word takes a directive back, what is kept of that changes (F-9).
fn change_taken_back(
    envelope: &Envelope,
    view: &mut View,
    change: impl FnOnce(&mut Vec<TakenBack>, Vec<u8>),
) -> Result<(), Fault> {
    if envelope.kind() != Kind::Revocation {
        return Ok(());
    }
    let said = Act::<Revocation>::decode(envelope.payload()).map_err(|_| damaged())?.said;
    let slot = state::notices(&said.patient);
    let mut notices = view.get(&slot)?;
    change(&mut notices.taken_back, said.directive.as_bytes().to_vec());
    view.put(&slot, &notices);
    Ok(())
}

/// What follows from a word that stands in the log or is refused: it leaves its queue.
pub(crate) fn apply_settled(settled: &kept::Settled, view: &mut View) -> Result<(), Fault> {
    let slot = state::word(settled.number);
    let mut word = view.get(&slot)?;
    let lane = lane_of(word.lane)?;
    word.receipt = settled.receipt;
    word.code = settled.code;
    word.clause.clone_from(&settled.clause);
    word.logged.clone_from(&settled.logged);
    // What stands in the log is handed in again if another log begins (L-9).
    if settled.receipt.is_none() {
        let refused = Envelope::decode(&std::mem::take(&mut word.envelope)).map_err(|_| damaged())?;
        change_taken_back(&refused, view, |known, _| known.retain(|act| act.word != settled.number))?;
    }
    view.put(&slot, &word);
    view.remove(&state::word_place(lane, word.place));
    let mut exchange = view.get(&state::exchange())?;
    if settled.receipt.is_none() {
        exchange.refused_words += 1;
        view.put(&state::refused_word(exchange.refused_words), &WordRef { number: settled.number });
    }
    let queue = queue_mut(&mut exchange, lane);
    queue.waiting = queue.waiting.saturating_sub(1);
    queue.head = front(lane, queue, view)?;
    view.put(&state::exchange(), &exchange);
    if let Some(checkpoint) = &settled.checkpoint {
        change_ledger(view, |ledger| ledger.checkpoint = Some(checkpoint.clone()))?;
    }
    Ok(())
}

/// The last place before which nothing waits.
fn front(lane: Lane, queue: &kept::Lane, view: &View) -> Result<u64, Fault> {
    let until = queue.tail.min(queue.head + CLEAR_MAX);
    let slots: Vec<_> = (queue.head + 1..=until).map(|place| state::word_place(lane, place)).collect();
    view.need(&slots)?;
    let mut head = queue.head;
    for slot in &slots {
        if view.get(slot)?.number != 0 {
            break;
        }
        head += 1;
    }
    Ok(head)
}
