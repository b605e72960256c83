//! What is to be done with other members, or later: copies to be fetched and looked after, steps of referrals to be told.
//!
//! An errand has a durable place until it is over; when it is due next is in memory only, so that after a restart every
//! one is looked at again. One call at a time for each errand. Not here: what an errand does: `receive`, `referral`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use yiqiao_proto::calls::Refusal;
use yiqiao_proto::id::{Code, Digest};
use yiqiao_proto::time::Timestamp;

use crate::landing;
use crate::limits::{CHANGED_HEADS_MAX, DUE_MAX, ERRAND_LOOKS_MAX, ERRANDS_MAX, ERRANDS_OF_MEMBER_MAX};
use crate::list::List;
use crate::machine::{Effect, Outcome, Stop, Work};
use crate::outbox::{Call, Outbox, Pause, begin};
use crate::state::{self, Fault, View, kept, read_digest};
use crate::{copy, receive, referral};

/// Places that one change clears from the front.
const CLEAR_MAX: u64 = 8;
/// Places that are loaded together.
const STRETCH: u64 = 64;

/// What is in memory only.
#[derive(Debug, Default)]
pub(crate) struct Errands {
    /// How far they are.
    pub(crate) kept: kept::Errands,
    /// The place that was looked at last.
    cursor: u64,
    /// Places before it that are to be looked at again.
    due: Due,
    /// Places whose next call has no room at its member before another has landed.
    waiting: BTreeMap<u64, (Code, Pause)>,
    /// Tokens whose heads have changed, and how far their copies were looked at.
    heads: VecDeque<(Digest, u64)>,
}

/// Places that are to be looked at again, also by when.
#[derive(Debug, Default)]
struct Due {
    pauses: BTreeMap<u64, Pause>,
    times: BTreeSet<(Timestamp, u64)>,
}

/// What handling one input changes here, once it is handled.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    cursor: Option<u64>,
    due: Vec<(u64, Option<Pause>)>,
    waiting: Vec<(u64, Code, Pause)>,
    /// A call has landed.
    landed: bool,
    heads: Vec<Digest>,
    /// How far the copies of the first changed head were looked at; none inside: to their end.
    walked: Option<Option<u64>>,
}

/// What comes next of an errand.
pub(crate) enum Next {
    /// Nothing before something else happens.
    Rest,
    /// It is looked at again then.
    At(Timestamp),
    /// A call to a member; made with its ticket.
    Call(Code, Box<dyn FnOnce(u64) -> Effect>),
}

impl Errands {
    pub(crate) fn from(errands: kept::Errands) -> Self {
        Self { cursor: errands.head, kept: errands, ..Self::default() }
    }

    pub(crate) fn next_wakeup(&self, under_way: usize) -> Option<Timestamp> {
        if under_way >= ERRANDS_MAX {
            return None;
        }
        let further = self.cursor < self.kept.tail && self.has_room();
        let free = under_way == 0 && !self.waiting.is_empty();
        let at_once = further || free || !self.heads.is_empty();
        if at_once { Some(Timestamp::MIN) } else { self.due.first() }
    }

    /// `room` is what is left once the input at hand is handled.
    pub(crate) fn take(&mut self, turn: Turn, room: impl FnOnce() -> Room) {
        self.cursor = turn.cursor.unwrap_or(self.cursor);
        for (place, pause) in turn.due {
            self.waiting.remove(&place);
            self.due.put(place, pause);
        }
        for (place, member, pause) in turn.waiting {
            self.waiting.insert(place, (member, pause));
        }
        if turn.landed {
            self.let_go_on(room());
        }
        if let Some(walked) = turn.walked
            && let Some((_, at)) = self.heads.front_mut()
        {
            match walked {
                Some(to) => *at = to,
                None => drop(self.heads.pop_front()),
            }
        }
        self.heads.extend(turn.heads.into_iter().map(|token| (token, 0)));
        if self.heads.len() > CHANGED_HEADS_MAX {
            // Too many to remember: all errands are looked at again instead.
            self.heads.clear();
            self.cursor = self.kept.head;
        }
    }
}

impl Errands {
    /// How many errands and changed heads are in memory.
    pub(crate) fn in_memory(&self) -> (usize, usize) {
        (self.due.pauses.len() + self.waiting.len(), self.heads.len())
    }

    /// Whether more errands may be in memory.
    fn has_room(&self) -> bool {
        self.due.pauses.len() + self.waiting.len() < DUE_MAX
    }

    /// A call has landed: as many of those who wait are looked at as there is room for, of the members with the fewest calls
    /// first, so that one that is slow keeps nobody from the others.
    fn let_go_on(&mut self, mut room: Room) {
        loop {
            let waiting = self.waiting.iter().map(|(place, (member, _))| (room.calls(member), *place));
            let Some((_, place)) = waiting.min() else { return };
            let Some((member, pause)) = self.waiting.get(&place).cloned() else { return };
            if !room.take(&member) {
                return;
            }
            self.waiting.remove(&place);
            self.due.put(place, Some(pause));
        }
    }
}

impl Due {
    fn put(&mut self, place: u64, pause: Option<Pause>) {
        let time = |pause: Pause| (pause.until().unwrap_or(Timestamp::MIN), place);
        if let Some(before) = self.pauses.remove(&place) {
            self.times.remove(&time(before));
        }
        if let Some(pause) = pause {
            self.pauses.insert(place, pause);
            self.times.insert(time(pause));
        }
    }

    /// When the first of them is due.
    fn first(&self) -> Option<Timestamp> {
        self.times.first().map(|(time, _)| *time)
    }

    /// The places that are due by now, in order.
    fn by(&self, now: Timestamp) -> BTreeSet<u64> {
        self.times.range(..=(now, u64::MAX)).map(|(_, place)| *place).collect()
    }
}

/// Whether a call is of an errand.
pub(crate) const fn is_of(call: &Call) -> bool {
    matches!(call, Call::Errand { .. })
}

/// Does what is due.
pub(crate) fn wakeup(work: &mut Work<'_>) -> Result<(), Stop> {
    walk_heads(work)?;
    let places = places(work)?;
    if places.is_empty() {
        return Ok(());
    }
    let slots: Vec<_> = places.iter().map(|place| state::errand(*place)).collect();
    work.view.need(&slots)?;
    let errands = slots.iter().map(|slot| work.view.get(slot)).collect::<Result<Vec<_>, _>>()?;
    load_ahead(work, &errands)?;
    let mut room = Room::of(&work.machine.outbox);
    for (place, errand) in places.into_iter().zip(&errands) {
        look(work, place, errand, &mut room)?;
    }
    Ok(())
}

/// What each of them reads, asked for together: otherwise all that was done is done again for each one more.
fn load_ahead(work: &Work<'_>, errands: &[kept::Errand]) -> Result<(), Fault> {
    let view = &*work.view;
    let names = |of: fn(&kept::Errand) -> &Vec<u8>| {
        let some = errands.iter().map(of).filter(|name| !name.is_empty());
        some.map(|name| read_digest(name)).collect::<Result<Vec<_>, _>>()
    };
    let copies: Vec<_> = names(|errand| &errand.copy)?.iter().map(state::copy).collect();
    view.need(&copies)?;
    view.need(&names(|errand| &errand.referral)?.iter().map(state::referral).collect::<Vec<_>>())?;
    let copies = copies.iter().map(|slot| view.get(slot)).collect::<Result<Vec<_>, _>>()?;
    let documents = copies.iter().map(|copy| Ok(state::vault(&copy::document(copy)?)));
    view.need(&documents.collect::<Result<Vec<_>, Fault>>()?)?;
    receive::load_ahead(work.machine, view, &copies)
}

/// The places to look at: those that are due, then the next ones. None while as many calls are under way as may be.
fn places(work: &mut Work<'_>) -> Result<Vec<u64>, Fault> {
    let errands = &work.machine.errands;
    if Room::of(&work.machine.outbox).total == 0 {
        return Ok(Vec::new());
    }
    let due = errands.due.by(work.now).into_iter();
    // Without a call that could land all who wait may go on.
    let free = work.machine.outbox.count(is_of) == 0;
    let waiting = errands.waiting.keys().filter(|_| free).copied();
    let mut places: Vec<u64> = due.chain(waiting).take(ERRAND_LOOKS_MAX).collect();
    if errands.has_room() {
        let tail = work.view.at_hand(&state::errands())?.unwrap_or(errands.kept).tail;
        let end = tail.min(errands.cursor + (ERRAND_LOOKS_MAX - places.len()) as u64);
        places.extend((errands.cursor + 1..=end).filter(|place| !errands.due.pauses.contains_key(place)));
        work.errands.cursor = Some(end.max(errands.cursor));
    }
    Ok(places)
}

fn look(work: &mut Work<'_>, place: u64, errand: &kept::Errand, room: &mut Room) -> Result<(), Stop> {
    work.errands.due.push((place, None));
    let is_of_place = |call: &Call| matches!(call, Call::Errand { place: of, .. } if *of == place);
    if work.machine.outbox.count(is_of_place) > 0 {
        // The answer looks at it again.
        return Ok(());
    }
    let next = match (errand.copy.is_empty(), errand.referral.is_empty()) {
        (false, _) => receive::look(work, &read_digest(&errand.copy)?)?,
        (true, false) => referral::look(work, &read_digest(&errand.referral)?)?,
        (true, true) => Next::Rest,
    };
    match next {
        Next::Rest => {}
        Next::At(time) => again(work, place, Pause::at(time)),
        Next::Call(member, effect) => {
            let errands = &work.machine.errands;
            let waited = errands.waiting.get(&place).map(|(_, pause)| *pause);
            let pause = errands.due.pauses.get(&place).copied().or(waited).unwrap_or_default();
            if room.take(&member) {
                let ticket = begin(work, Call::Errand { place, member, pause });
                work.effects.push(effect(ticket));
            } else {
                work.errands.waiting.push((place, member, pause));
            }
        }
    }
    Ok(())
}

/// How many more calls may be under way.
pub(crate) struct Room {
    total: usize,
    of_member: BTreeMap<Code, usize>,
}

impl Room {
    pub(crate) fn of(outbox: &Outbox) -> Self {
        let mut of_member = BTreeMap::new();
        for flight in outbox.flights.values() {
            if let Call::Errand { member, .. } = &flight.call {
                *of_member.entry(member.clone()).or_insert(0) += 1;
            }
        }
        Self { total: ERRANDS_MAX.saturating_sub(of_member.values().sum()), of_member }
    }

    /// Calls to a member.
    fn calls(&self, member: &Code) -> usize {
        self.of_member.get(member).copied().unwrap_or(0)
    }

    fn take(&mut self, member: &Code) -> bool {
        let of_member = self.of_member.entry(member.clone()).or_insert(0);
        let free = self.total > 0 && *of_member < ERRANDS_OF_MEMBER_MAX;
        if free {
            self.total -= 1;
            *of_member += 1;
        }
        free
    }
}

/// Some copies that hang on the first changed head are to be looked at.
fn walk_heads(work: &mut Work<'_>) -> Result<(), Stop> {
    let Some((token, after)) = work.machine.errands.heads.front().copied() else { return Ok(()) };
    if after == 0 {
        referral::consent_changed(work, &token)?;
    }
    let copies = List::copies_of_token(token).after(after, work.view)?;
    let slots: Vec<_> = copies.iter().map(|(_, name)| state::copy(name)).collect();
    work.view.need(&slots)?;
    for slot in &slots {
        let place = work.view.get(slot)?.errand;
        if place > 0 {
            again(work, place, Pause::default());
        }
    }
    work.errands.walked = Some(copies.last().map(|(place, _)| *place));
    Ok(())
}

/// The head of a token has changed: the copies that hang on it are looked at.
pub(crate) fn head_changed(work: &mut Work<'_>, token: &Digest) {
    work.errands.heads.push(*token);
}

/// All waiting is over: the clock was set.
pub(crate) fn clock_jumped(work: &mut Work<'_>) {
    let due = work.machine.errands.due.pauses.keys();
    work.errands.due.extend(due.map(|place| (*place, Some(Pause::default()))));
}

/// An errand is looked at again.
pub(crate) fn again(work: &mut Work<'_>, place: u64, pause: Pause) {
    work.errands.due.push((place, Some(pause)));
}

/// The errand whose call an answer is to; none if it was asked before a restart. It is looked at again at once.
pub(crate) fn landed(work: &mut Work<'_>, ticket: u64) -> Result<Option<kept::Errand>, Fault> {
    let Some(flight) = landing::landed(work, ticket) else { return Ok(None) };
    let Call::Errand { place, .. } = flight.call else { return Ok(None) };
    again(work, place, Pause::default());
    work.errands.landed = true;
    work.view.get(&state::errand(place)).map(Some)
}

/// The call of an errand was refused, or had no answer.
pub(crate) fn failed(
    work: &mut Work<'_>,
    place: u64,
    pause: Pause,
    refusal: Option<&Refusal>,
) -> Result<Outcome, Stop> {
    work.errands.landed = true;
    let chance = u64::from_be_bytes(work.entropy.bytes());
    let asked = refusal.and_then(|refusal| refusal.retry_after);
    again(work, place, pause.longer(work.now, asked, chance));
    let errand = work.view.get(&state::errand(place))?;
    let Some(refusal) = refusal else { return Ok(Outcome::Done) };
    if !errand.copy.is_empty() {
        receive::refused(work, &read_digest(&errand.copy)?, refusal)?;
    } else if !errand.referral.is_empty() {
        referral::refused(work, &read_digest(&errand.referral)?, refusal)?;
    }
    Ok(Outcome::Done)
}

/// Whether something is an errand from now on; `place` is its place before, 0 for none. The place that it now has.
pub(crate) fn settle(
    place: u64,
    is_open: bool,
    errand: &kept::Errand,
    view: &mut View,
) -> Result<u64, Fault> {
    if is_open == (place > 0) {
        return Ok(place);
    }
    let mut errands = view.get(&state::errands())?;
    if is_open {
        errands.tail += 1;
        view.put(&state::errand(errands.tail), errand);
        view.put(&state::errands(), &errands);
        return Ok(errands.tail);
    }
    view.remove(&state::errand(place));
    let until = errands.tail.min(errands.head + CLEAR_MAX);
    // In stretches, so that many that are over in one step take no more rounds than one.
    let loaded = errands.tail.min(until.next_multiple_of(STRETCH));
    view.need(&(errands.head + 1..=loaded).map(state::errand).collect::<Vec<_>>())?;
    let slots: Vec<_> = (errands.head + 1..=until).map(state::errand).collect();
    for slot in &slots {
        if view.get(slot)? != kept::Errand::default() {
            break;
        }
        errands.head += 1;
    }
    view.put(&state::errands(), &errands);
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_lands_lets_the_member_with_the_fewest_calls_go_on() {
        let code = |text: &str| Code::new(text).unwrap();
        let mut errands = Errands::default();
        for (place, member) in [(1, "slow"), (2, "slow"), (3, "busy"), (4, "other"), (5, "other")] {
            errands.waiting.insert(place, (code(member), Pause::default()));
        }
        let of_member = BTreeMap::from([(code("slow"), 7), (code("busy"), ERRANDS_OF_MEMBER_MAX)]);
        let turn = Turn { landed: true, ..Turn::default() };
        errands.take(turn, || Room { total: 1, of_member: of_member.clone() });
        assert_eq!(errands.due.pauses.keys().collect::<Vec<_>>(), [&4]);
        let turn = Turn { landed: true, ..Turn::default() };
        errands.take(turn, || Room { total: 9, of_member });
        assert_eq!(
            errands.due.pauses.keys().collect::<Vec<_>>(),
            [&1, &4, &5],
            "and no more of any than it may have"
        );
        assert_eq!(errands.waiting.keys().collect::<Vec<_>>(), [&2, &3]);
    }
}
