//! What is sent to the registry, and when (N-1 to N-7, I-2, T-3).
//!
//! Of one subject in this order: tokens, the identity statement if they changed, entries and withdrawals in the order of
//! their chain. Only one call is under way for a subject. What a word says is in the journal before it is sent, so a
//! repetition after a crash sends the same payload. What is here is in memory only: after a restart the queue is walked
//! again from its front. Not here: what answers mean: `landing`.

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_proto::envelope::{Envelope, Word, payload_hash};
use yiqiao_proto::id::{Code, Digest, Subject};
use yiqiao_proto::limits::{EVALUATION_MAX, SUBMISSION_MAX};
use yiqiao_proto::person::Identifier;
use yiqiao_proto::time::{Millis, Timestamp};

use crate::again;
use crate::audit;
use crate::compare::{self, Comparing};
use crate::errand;
use crate::feed::{self, Watch};
use crate::limits::{
    BACKOFF_MAX, BACKOFF_MIN, FLIGHTS_MAX, LOOKS_MAX, RETRY_AFTER_MAX, STARVED_MAX, SWEEP_STEP,
};
use crate::lost;
use crate::machine::{Effect, KnownLog, Outcome, Stop, Work};
use crate::omission::{self, Inspecting};
use crate::person;
use crate::queue;
use crate::reporting::{self, Reporting};
use crate::said::{self, Saying};
use crate::state::kept;
use crate::state::{
    self, Body, Chain, Fault, Lane, Ledger, read_entry_id, read_subject, read_token, write_token,
};
use crate::tokens::{self, Tokens};
use crate::words::{self, ItemWord};

/// What is under way, and what waits.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    next_ticket: u64,
    pub(crate) flights: BTreeMap<u64, Flight>,
    /// The place of the queue that was looked at last.
    cursor: u64,
    /// Places before it that are to be looked at again.
    again: BTreeSet<u64>,
    /// Places of subjects whose tokens may not be asked for now (T-5).
    starved: BTreeSet<u64>,
    pub(crate) submitting: Pause,
    pub(crate) evaluating: Pause,
    /// The log is still being read for own words that the journal lacks: nothing is published before that (N-9).
    recalling: bool,
}

/// A call that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) call: Call,
    /// The log when it began: its answer must not be at a smaller tree.
    pub(crate) log: KnownLog,
}

/// What was asked, and for which places of the queue.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Evaluate {
        epoch: u32,
        tags: Vec<Digest>,
        places: Vec<u64>,
    },
    Statement {
        place: u64,
        subject: Subject,
    },
    /// So many items of a chain after the first `receipted`.
    Items {
        place: u64,
        subject: Subject,
        receipted: u64,
        count: usize,
    },
    OwnWords {
        place: u64,
        subject: Subject,
    },
    /// So many items of a chain after the first `done`, to a log that may not have them.
    Again {
        place: u64,
        subject: Subject,
        done: u64,
        count: usize,
    },
    /// Withdrawals of lost entries after the first `done`.
    Lost {
        place: u64,
        subject: Subject,
        done: u64,
    },
    Recall,
    Word {
        lane: Lane,
        place: u64,
        number: u64,
        /// So many from this one on, which are handed in together.
        count: u64,
    },
    Feed,
    Lease,
    /// Which trees are to be proved to be the beginning of the newest.
    Prove {
        sizes: Vec<u64>,
    },
    Compare,
    /// What the registry holds of some subjects.
    Inventory,
    /// Of two kinds of alarms the next one.
    Alarm {
        is_contradiction: bool,
    },
    /// How good what systems sent on a day was.
    Figures,
    Errand {
        place: u64,
        member: Code,
        pause: Pause,
    },
}

impl Call {
    /// Whether it is for the index; those calls have a bound of their own.
    const fn is_publishing(&self) -> bool {
        match self {
            Self::Evaluate { .. }
            | Self::Statement { .. }
            | Self::Items { .. }
            | Self::Again { .. }
            | Self::OwnWords { .. }
            | Self::Lost { .. } => true,
            Self::Word { .. }
            | Self::Recall
            | Self::Feed
            | Self::Lease
            | Self::Prove { .. }
            | Self::Compare
            | Self::Inventory
            | Self::Alarm { .. }
            | Self::Figures
            | Self::Errand { .. } => false,
        }
    }
}

/// A stop after failures.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pause {
    until: Option<Timestamp>,
    failures: u32,
}

/// What handling one input changes here, once it is handled.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    pub(crate) landed: Option<u64>,
    begun: Vec<(u64, Flight)>,
    cursor: Option<u64>,
    looked: Vec<u64>,
    pub(crate) again: Vec<u64>,
    pub(crate) starved: Vec<u64>,
    fed: bool,
    pub(crate) submitting: Option<Pause>,
    pub(crate) evaluating: Option<Pause>,
    pub(crate) saying: Option<Saying>,
    pub(crate) watch: Option<Watch>,
    pub(crate) comparing: Option<Comparing>,
    /// The log was read to its end.
    pub(crate) recalled: bool,
    pub(crate) inspecting: Option<Inspecting>,
    pub(crate) reporting: Option<Reporting>,
}

impl Outbox {
    /// After a start. Who knew nothing of the log has lost nothing that it could follow.
    pub(crate) fn from(ledger: &Ledger) -> Self {
        let recalling = ledger.checkpoint.is_some();
        Self { cursor: ledger.queue_head, recalling, ..Self::default() }
    }

    /// Looks at all that waits once more, because what it depends on has changed.
    pub(crate) fn start_over(&mut self, front: u64) {
        self.cursor = front;
        self.again.clear();
        self.starved.clear();
        self.submitting = Pause::default();
        self.evaluating = Pause::default();
    }

    pub(crate) fn next_wakeup(&self, ledger: &Ledger) -> Option<Timestamp> {
        if self.recalling {
            let asked = self.count(|call| matches!(call, Call::Recall)) > 0;
            return (!asked).then(|| self.submitting.until.unwrap_or(Timestamp::MIN));
        }
        let further = self.cursor < ledger.queue_tail && self.starved.len() < STARVED_MAX;
        let walk = further || !self.again.is_empty();
        let sweep = ledger.swept < ledger.subjects || again::is_open(ledger);
        let ready = (walk || sweep) && self.room() > 0;
        let submitting = self.submitting.until.unwrap_or(Timestamp::MIN);
        let starved = self.evaluating.until.filter(|_| !self.starved.is_empty());
        let starved = starved.map(|until| until.max(submitting));
        let next = ready.then_some(submitting);
        [next, starved].into_iter().flatten().min()
    }

    /// Until when no tokens are asked for, because the quota of the day is used up, and how many patients wait for that (T-5).
    pub(crate) fn tokens_wait(&self, now: Timestamp) -> Option<(Timestamp, usize)> {
        let until = self.evaluating.until().filter(|until| *until > now)?;
        (!self.starved.is_empty()).then_some((until, self.starved.len()))
    }

    /// How many places are to be looked at again, and how many wait for tokens.
    pub(crate) fn places(&self) -> (usize, usize) {
        (self.again.len(), self.starved.len())
    }

    pub(crate) fn take(&mut self, turn: Turn) {
        if let Some(ticket) = turn.landed {
            self.flights.remove(&ticket);
        }
        for (ticket, flight) in turn.begun {
            self.next_ticket = self.next_ticket.max(ticket + 1);
            self.flights.insert(ticket, flight);
        }
        if turn.fed {
            self.again.append(&mut self.starved);
        }
        for place in turn.looked {
            self.again.remove(&place);
        }
        self.cursor = turn.cursor.unwrap_or(self.cursor);
        // What lies beyond the cursor is looked at anyway: a place that stood in both would be sent twice.
        let cursor = self.cursor;
        self.again.extend(turn.again.into_iter().filter(|place| *place <= cursor));
        self.starved.extend(turn.starved.into_iter().filter(|place| *place <= cursor));
        self.recalling &= !turn.recalled;
        self.submitting = turn.submitting.unwrap_or(self.submitting);
        self.evaluating = turn.evaluating.unwrap_or(self.evaluating);
    }

    /// How many more calls may be under way.
    fn room(&self) -> usize {
        FLIGHTS_MAX.saturating_sub(self.count(Call::is_publishing))
    }

    /// How many such calls are under way.
    pub(crate) fn count(&self, such: impl Fn(&Call) -> bool) -> usize {
        self.flights.values().filter(|flight| such(&flight.call)).count()
    }

    /// The ticket of the newest such call that is under way.
    pub(crate) fn newest(&self, such: impl Fn(&Call) -> bool) -> Option<u64> {
        self.flights.iter().rfind(|(_, flight)| such(&flight.call)).map(|(ticket, _)| *ticket)
    }

    /// The ticket of the newest call of all.
    pub(crate) const fn last_ticket(&self) -> u64 {
        self.next_ticket.saturating_sub(1)
    }

    /// Places of which a call is under way.
    fn busy(&self) -> BTreeSet<u64> {
        let places = |flight: &Flight| match &flight.call {
            Call::Evaluate { places, .. } => places.clone(),
            Call::Statement { place, .. }
            | Call::Items { place, .. }
            | Call::Again { place, .. }
            | Call::OwnWords { place, .. }
            | Call::Lost { place, .. } => vec![*place],
            Call::Word { .. }
            | Call::Recall
            | Call::Feed
            | Call::Lease
            | Call::Prove { .. }
            | Call::Compare
            | Call::Inventory
            | Call::Alarm { .. }
            | Call::Figures
            | Call::Errand { .. } => Vec::new(),
        };
        self.flights.values().flat_map(places).collect()
    }
}

impl Pause {
    /// Until a time, after no failure.
    pub(crate) const fn at(until: Timestamp) -> Self {
        Self { until: Some(until), failures: 0 }
    }

    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// Until when; none if nothing failed.
    pub(crate) const fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Twice as long after each failure, half of it by chance, and not before the registry's own time.
    pub(crate) fn longer(self, now: Timestamp, asked: Option<Millis>, chance: u64) -> Self {
        self.longer_within(BACKOFF_MAX, now, asked, chance)
    }

    /// The same for one of several calls that were under way together: they fail together, and that is one failure.
    pub(crate) fn longer_once(self, max: Millis, now: Timestamp, asked: Option<Millis>, chance: u64) -> Self {
        let is_first = asked.is_some() || self.is_over(now);
        if is_first { self.longer_within(max, now, asked, chance) } else { self }
    }

    /// The same with another longest wait.
    pub(crate) fn longer_within(
        self,
        max: Millis,
        now: Timestamp,
        asked: Option<Millis>,
        chance: u64,
    ) -> Self {
        let doubled = BACKOFF_MIN.get().saturating_mul(1 << self.failures.min(20)).min(max.get());
        let wait = doubled / 2 + chance % (doubled / 2 + 1);
        let asked = asked.unwrap_or_default().min(RETRY_AFTER_MAX);
        let until = now + Millis::new(wait).max(asked);
        Self { until: Some(until), failures: self.failures.saturating_add(1) }
    }
}

/// Walks the queue and begins what can be begun.
pub(crate) fn wakeup(work: &mut Work<'_>) -> Result<Outcome, Stop> {
    audit::send(work)?;
    said::send(work)?;
    feed::send(work)?;
    compare::send(work)?;
    omission::send(work)?;
    reporting::send(work)?;
    errand::wakeup(work)?;
    if work.machine.outbox.recalling {
        lost::ask(work)?;
        return Ok(Outcome::Done);
    }
    again::sweep(work)?;
    sweep(work)?;
    let outbox = &work.machine.outbox;
    if !outbox.submitting.is_over(work.now) {
        return Ok(Outcome::Done);
    }
    let fed = outbox.evaluating.is_over(work.now);
    work.turn.fed = fed;
    let places = places(work, fed)?;
    if places.is_empty() {
        return Ok(Outcome::Done);
    }
    load_ahead(work, &places)?;
    let mut walk = Walk::of(work, fed);
    for place in places {
        walk.look(work, place)?;
    }
    walk.finish(work);
    Ok(Outcome::Done)
}

/// After the token epochs have changed, some more patients get new statements (T-7).
fn sweep(work: &mut Work<'_>) -> Result<(), Fault> {
    let ledger = work.ledger()?;
    if ledger.swept < ledger.subjects {
        let to = ledger.subjects.min(ledger.swept + SWEEP_STEP);
        work.keep(Body::Swept(kept::Swept { to }))?;
    }
    Ok(())
}

/// Asks at once for what is read of all subjects at these places.
fn load_ahead(work: &Work<'_>, places: &[u64]) -> Result<(), Fault> {
    let slots: Vec<_> = places.iter().map(|place| state::queue(*place)).collect();
    work.view.need(&slots)?;
    let mut subjects = Vec::new();
    for slot in &slots {
        let queued = work.view.get(slot)?;
        if !queued.subject.is_empty() {
            subjects.push(read_subject(&queued.subject)?);
        }
    }
    queue::load_ahead(&subjects, work.view)?;
    tokens::load_ahead(work.machine, work.view, &subjects)
}

/// The places to look at: those of before first, then the next ones.
fn places(work: &Work<'_>, fed: bool) -> Result<Vec<u64>, Fault> {
    let tail = work.ledger()?.queue_tail;
    let outbox = &work.machine.outbox;
    let starved = if fed { Some(&outbox.starved) } else { None };
    let mut places: Vec<u64> = outbox.again.iter().chain(starved.into_iter().flatten()).copied().collect();
    places.truncate(LOOKS_MAX);
    let end = tail.min(outbox.cursor + (LOOKS_MAX - places.len()) as u64);
    if outbox.starved.len() < STARVED_MAX {
        places.extend(outbox.cursor + 1..=end);
    }
    Ok(places)
}

/// One walk over the queue.
struct Walk {
    busy: BTreeSet<u64>,
    room: usize,
    fed: bool,
    wanted: BTreeMap<u32, Wanted>,
}

/// What one evaluation asks for.
#[derive(Default)]
struct Wanted {
    identifiers: BTreeMap<Digest, Identifier>,
    places: Vec<u64>,
}

impl Walk {
    fn of(work: &Work<'_>, fed: bool) -> Self {
        let outbox = &work.machine.outbox;
        Self { busy: outbox.busy(), room: outbox.room(), fed, wanted: BTreeMap::new() }
    }

    fn look(&mut self, work: &mut Work<'_>, place: u64) -> Result<(), Fault> {
        if self.room == 0 {
            return Ok(());
        }
        work.turn.looked.push(place);
        if place > work.machine.outbox.cursor {
            work.turn.cursor = Some(place);
        }
        if self.busy.contains(&place) {
            // The answer looks at it again.
            return Ok(());
        }
        let queued = work.view.get(&state::queue(place))?;
        if queued.subject.is_empty() {
            return Ok(());
        }
        let subject = read_subject(&queued.subject)?;
        let chain = work.view.get(&state::chain(&subject))?;
        if chain.stale && !chain.stating {
            return self.restate(work, place, subject, &chain);
        }
        self.send(work, place, subject, &chain)
    }

    /// Sends what is next of a subject whose tokens are stated, or whose statement is under way.
    fn send(
        &mut self,
        work: &mut Work<'_>,
        place: u64,
        subject: Subject,
        chain: &Chain,
    ) -> Result<(), Fault> {
        let (call, words) = if chain.stating {
            (Call::Statement { place, subject }, vec![(sign_statement(work, &subject, chain)?, None)])
        } else if chain.again_done < chain.again {
            let words = again::items(work, &subject, chain)?;
            (Call::Again { place, subject, done: chain.again_done, count: words.len() }, words)
        } else if chain.lost_done < chain.lost {
            let call = Call::Lost { place, subject, done: chain.lost_done };
            (call, lost::withdrawals(work, &subject, chain)?)
        } else {
            let words = next_items(work, &subject)?;
            (Call::Items { place, subject, receipted: chain.receipted, count: words.len() }, words)
        };
        if !words.is_empty() {
            self.room -= 1;
            let ticket = begin(work, call);
            work.effects.push(Effect::Submit { ticket, words });
        }
        Ok(())
    }

    /// Says anew which tokens a subject has, if it has others than it was said to have.
    fn restate(
        &mut self,
        work: &mut Work<'_>,
        place: u64,
        subject: Subject,
        chain: &Chain,
    ) -> Result<(), Fault> {
        let tokens = match tokens::of_subject(work.machine, work.view, &subject)? {
            Tokens::All(tokens) => tokens,
            Tokens::Missing(epoch, tags) => return self.want(work, place, &subject, epoch, &tags),
        };
        if tokens.is_empty() && chain.statement == 0 {
            // The member list has no token key yet: the next one is waited for.
            return Ok(());
        }
        let known = chain.tokens.iter().map(read_token).collect::<Result<Vec<_>, _>>()?;
        let mut payload = Vec::new();
        if chain.statement == 0 || known != tokens {
            let publisher = &work.machine.config.organisation;
            let next = words::next_statement(publisher, &subject, chain, tokens.clone())?;
            payload = payload_hash(&next.encode()).as_bytes().to_vec();
        }
        let tokens = tokens.iter().map(write_token).collect();
        work.keep(Body::Stated(kept::Stated { subject: subject.as_bytes().to_vec(), tokens, payload }))?;
        let chain = work.view.get(&state::chain(&subject))?;
        if chain.queued == place { self.send(work, place, subject, &chain) } else { Ok(()) }
    }

    /// Adds the missing tokens of a subject to the next evaluation of their epoch.
    fn want(
        &mut self,
        work: &mut Work<'_>,
        place: u64,
        subject: &Subject,
        epoch: u32,
        tags: &[Digest],
    ) -> Result<(), Fault> {
        if !self.fed {
            work.turn.starved.push(place);
            return Ok(());
        }
        if !self.wanted.contains_key(&epoch) {
            self.room -= 1;
        }
        let wanted = self.wanted.entry(epoch).or_default();
        if !wanted.identifiers.is_empty() && wanted.identifiers.len() + tags.len() > evaluation_max(work) {
            work.turn.again.push(place);
            return Ok(());
        }
        let known = person::load(work.machine, work.view, person::root(work.view, *subject)?)?;
        let at_rest = &work.machine.keys.at_rest;
        let own = person::tokenable(&known.data).0.into_iter();
        let own = own.map(|identifier| (person::identifier_tag(at_rest, &identifier), identifier));
        wanted.identifiers.extend(own.filter(|(tag, _)| tags.contains(tag)));
        wanted.places.push(place);
        Ok(())
    }

    /// Begins the evaluations.
    fn finish(self, work: &mut Work<'_>) {
        for (epoch, wanted) in self.wanted {
            let (tags, identifiers): (Vec<_>, Vec<_>) = wanted.identifiers.into_iter().unzip();
            let ticket = begin(work, Call::Evaluate { epoch, tags, places: wanted.places });
            work.effects.push(Effect::Evaluate { ticket, epoch, identifiers });
        }
    }
}

/// How many identifiers one evaluation asks for: no more than the quota of a day, or it would never fit (T-5).
fn evaluation_max(work: &Work<'_>) -> usize {
    let per_day = work.machine.directory.list().policy.evaluations_per_day;
    usize::try_from(per_day).ok().filter(|most| *most > 0).unwrap_or(EVALUATION_MAX).min(EVALUATION_MAX)
}

pub(crate) fn begin(work: &mut Work<'_>, call: Call) -> u64 {
    let ticket = work.machine.outbox.next_ticket + work.turn.begun.len() as u64;
    let log = known_log(work);
    work.turn.begun.push((ticket, Flight { call, log }));
    ticket
}

/// The log as it is known now (L-11).
pub(crate) fn known_log(work: &Work<'_>) -> KnownLog {
    let tree_size = work.machine.ledger.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
    KnownLog { log_id: work.machine.directory.list().log_id.clone(), tree_size }
}

/// The evaluation under way that brings these tokens, if one does: it is not asked for twice (T-5).
pub(crate) fn evaluation(work: &Work<'_>, epoch: u32, missing: &[Digest]) -> Option<u64> {
    let flights = work.machine.outbox.flights.iter().map(|(ticket, flight)| (*ticket, flight));
    let begun = work.turn.begun.iter().map(|(ticket, flight)| (*ticket, flight));
    let brings = |call: &Call| {
        matches!(call, Call::Evaluate { epoch: of, tags, .. }
            if *of == epoch && missing.iter().all(|tag| tags.contains(tag)))
    };
    flights.chain(begun).find(|(_, flight)| brings(&flight.call)).map(|(ticket, _)| ticket)
}

/// All waiting is over: until when it was to last was said by a clock that has been set since.
pub(crate) fn clock_jumped(work: &mut Work<'_>) {
    go_on(work);
    work.turn.evaluating = Some(Pause::default());
    work.turn.fed = true;
    errand::clock_jumped(work);
}

/// Nothing waits for the registry to answer any more.
pub(crate) fn go_on(work: &mut Work<'_>) {
    work.turn.submitting = Some(Pause::default());
    said::go_on(work);
}

fn sign_statement(work: &Work<'_>, subject: &Subject, chain: &Chain) -> Result<Envelope, Fault> {
    let machine = work.machine;
    let statement = words::statement(&machine.config.organisation, subject, chain)?;
    Ok(Envelope::sign(machine.directory.region(), &statement, machine.signing_key()))
}

/// The next items of a subject, signed. Those that have no link yet get one, which is kept before anything is sent.
fn next_items(
    work: &mut Work<'_>,
    subject: &Subject,
) -> Result<Vec<(Envelope, Option<yiqiao_proto::entry::Link>)>, Fault> {
    let slot = state::chain(subject);
    let mut chain = work.view.get(&slot)?;
    if chain.linked == chain.receipted && chain.linked < chain.items {
        let until = chain.items.min(chain.linked + SUBMISSION_MAX as u64);
        need_items(work, subject, chain.linked + 1, until)?;
        if is_held(work, subject, chain.linked + 1, until)? {
            return Ok(Vec::new());
        }
        let salts = (chain.linked..until).map(|_| work.entropy.bytes::<32>().to_vec()).collect();
        work.keep(Body::Linked(kept::Linked { subject: subject.as_bytes().to_vec(), salts }))?;
        chain = work.view.get(&slot)?;
    }
    need_items(work, subject, chain.receipted + 1, chain.linked)?;
    let (region, key) = (work.machine.directory.region(), work.machine.signing_key());
    let mut signed = Vec::new();
    for number in chain.receipted + 1..=chain.linked {
        let item = work.view.get(&state::item(subject, number))?;
        let document = work.view.get(&state::document(&read_entry_id(&item.entry_id)?))?;
        signed.push(ItemWord::of(&item, &document)?.sign(region, key));
    }
    Ok(signed)
}

/// Whether one of these items publishes what still stands under another subject.
fn is_held(work: &Work<'_>, subject: &Subject, from: u64, to: u64) -> Result<bool, Fault> {
    let mut entries = Vec::new();
    for number in from..=to {
        let item = work.view.get(&state::item(subject, number))?;
        if item.reason == 0 {
            entries.push(read_entry_id(&item.entry_id)?);
        }
    }
    lost::hold(work, subject, &entries)
}

/// Asks for items and their documents in two rounds.
pub(crate) fn need_items(work: &Work<'_>, subject: &Subject, from: u64, to: u64) -> Result<(), Fault> {
    let slots: Vec<_> = (from..=to).map(|number| state::item(subject, number)).collect();
    work.view.need(&slots)?;
    let mut documents = Vec::new();
    for slot in &slots {
        documents.push(state::document(&read_entry_id(&work.view.get(slot)?.entry_id)?));
    }
    work.view.need(&documents)
}
