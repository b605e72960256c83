//! The feed and the lease (F-1 to F-9): what this node knows of consent, and how long it may rely on knowing it.
//!
//! The feed is read all the time: the registry keeps the call until there is something new. Leases are asked for beside it. Not
//! here: decisions.

use std::collections::BTreeSet;
use std::sync::Arc;

use prost::Message;
use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::codes::Stance;
use yiqiao_proto::directive::{Act, Directive, Revocation};
use yiqiao_proto::envelope::{Envelope, Kind, Verified, Word};
use yiqiao_proto::id::{Code, Digest, DirectiveId, Nonce};
use yiqiao_proto::lease::{Change, FeedItem, HeadChange, Lease, feed_next};
use yiqiao_proto::limits::FEED_COUNT_MAX;
use yiqiao_proto::log::Opening;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;
use yiqiao_proto::wire::calls;

use crate::compare;
use crate::credential;
use crate::ended;
use crate::errand;
use crate::holder;
use crate::inform;
use crate::landing::{Tree, landed, stands_to};
use crate::limits::{FEED_EVERY, FEED_WAIT, NOTICE_LIFE, NOTICES_MAX, SOON_MAX};
use crate::machine::{Checkpoint, Effect, Machine, Outcome, Refused, Stop, Work};
use crate::outbox::{self, Call, Pause, begin};
use crate::outgoing;
use crate::receive;
use crate::state::kept;
use crate::state::{self, Body, Exchange, Fault, ToldHead, View, damaged, read_digest, read_token};

/// What is in memory only: after a restart there is no lease.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    lease: Option<Held>,
    asked: Option<Asked>,
    /// The ticket of the last call for a lease.
    last_asked: u64,
    /// When the feed was asked for last and nothing came; none if it is to be read at once.
    read_at: Option<Timestamp>,
    pause: Pause,
}

/// A lease, and when it was asked for by this node's own time (F-6).
#[derive(Clone, Debug)]
struct Held {
    lease: Arc<Verified<Lease>>,
    asked_at: Timestamp,
    ticket: u64,
}

impl Held {
    fn word(&self) -> &Lease {
        self.lease.word()
    }
}

#[derive(Clone, Debug)]
struct Asked {
    ticket: u64,
    nonce: Nonce,
    at: Timestamp,
    /// Where the feed stood.
    feed_number: u64,
    /// The version of the member list.
    list_version: u64,
}

/// A lease under which may be decided now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) asked_at: Timestamp,
    pub(crate) ends_at: Timestamp,
    /// Hash of the lease's payload.
    pub(crate) hash: Digest,
}

impl Machine {
    /// When the lease under which this node may decide ends; none if there is none now (F-7).
    pub fn lease_ends(&self, now: Timestamp) -> Option<Timestamp> {
        standing(self, now).map(|standing| standing.ends_at)
    }

    /// The number of the feed's last item that was applied; 0 if none.
    pub const fn feed_number(&self) -> u64 {
        self.exchange.feed_number
    }

    /// How many items the registry has for this node that are not applied yet, as its newest lease says: while there are any,
    /// nothing is decided (F-7).
    pub fn feed_behind(&self) -> u64 {
        let end = self.watch.lease.as_ref().map_or(0, |held| held.word().feed_number);
        end.saturating_sub(self.exchange.feed_number)
    }

    /// The version of a member list that was named and is not known here: the driver reads the lists up to it.
    pub fn list_wanted(&self) -> Option<u64> {
        Some(self.exchange.list).filter(|version| *version > self.directory.list().version)
    }

    /// When the feed or a lease is to be asked for, if not under way.
    pub(crate) fn next_watch(&self) -> Option<Timestamp> {
        let due = [self.feed_due(), self.lease_due()].into_iter().flatten().min()?;
        Some(self.watch.pause.until().map_or(due, |until| until.max(due)))
    }

    fn feed_due(&self) -> Option<Timestamp> {
        let is_under_way = self.outbox.count(|call| matches!(call, Call::Feed)) > 0;
        (!is_under_way).then(|| self.watch.read_at.map_or(Timestamp::MIN, |at| at + FEED_EVERY))
    }

    fn lease_due(&self) -> Option<Timestamp> {
        let is_under_way = self.outbox.count(|call| matches!(call, Call::Lease)) > 0;
        (!is_under_way).then(|| self.renewal())
    }

    /// When the lease is renewed: at half of its length.
    fn renewal(&self) -> Timestamp {
        let list = self.directory.list();
        match self.watch.lease.as_ref().filter(|held| held.word().list_version >= list.version) {
            Some(held) => ends_at(self, held) - half(held.word().duration),
            None => Timestamp::MIN,
        }
    }
}

fn half(length: yiqiao_proto::time::Millis) -> yiqiao_proto::time::Millis {
    yiqiao_proto::time::Millis::new(length.get() / 2)
}

fn ends_at(machine: &Machine, held: &Held) -> Timestamp {
    held.asked_at + held.word().duration.min(machine.directory.list().policy.lease)
}

/// The lease, if it counts: it has not ended, its feed is applied, and its member list is the one in force (F-7).
pub(crate) fn standing(machine: &Machine, now: Timestamp) -> Option<Standing> {
    let held = machine.watch.lease.as_ref()?;
    let (list, ends_at) = (machine.directory.list(), ends_at(machine, held));
    let counts = now < ends_at
        && now >= held.asked_at
        && held.word().log_id == list.log_id
        && held.word().list_version == list.version
        && held.word().list_hash == machine.directory.payload_hash()
        && place(machine, &machine.exchange).ok()?.0 >= held.word().feed_number;
    counts.then_some(Standing {
        asked_at: held.asked_at,
        ends_at,
        hash: held.lease.envelope().payload_hash(),
    })
}

/// Number and chain of the last item that was applied, in the log that counts: a new log has a new feed (L-9).
fn place(machine: &Machine, exchange: &Exchange) -> Result<(u64, Digest), Fault> {
    if exchange.log_id != machine.directory.list().log_id.as_str() || exchange.feed_number == 0 {
        return Ok((0, machine.feed_start));
    }
    Ok((exchange.feed_number, read_digest(&exchange.feed_chain)?))
}

/// The newest term that was seen in the log that counts.
fn term(machine: &Machine, exchange: &Exchange) -> u64 {
    if exchange.log_id == machine.directory.list().log_id.as_str() { exchange.term } else { 0 }
}

/// The copy of what is in memory that becomes the new one if the input at hand is handled.
fn watch<'a>(work: &'a mut Work<'_>) -> &'a mut Watch {
    let machine = work.machine;
    work.turn.watch.get_or_insert_with(|| machine.watch.clone())
}

/// Asks for a lease and reads the feed, if they are due.
pub(crate) fn send(work: &mut Work<'_>) -> Result<(), Fault> {
    let machine = work.machine;
    if !machine.watch.pause.is_over(work.now) {
        return Ok(());
    }
    let is_due = |due: Option<Timestamp>| due.is_some_and(|due| due <= work.now);
    let (lease, feed) = (is_due(machine.lease_due()), is_due(machine.feed_due()));
    if lease {
        ask_lease(work)?;
    }
    if feed {
        read_feed(work)?;
    }
    Ok(())
}

fn ask_lease(work: &mut Work<'_>) -> Result<u64, Fault> {
    let (feed_number, feed_chain) = place(work.machine, &*work.exchange()?)?;
    let nonce = Nonce::new(work.entropy.bytes()).ok_or_else(damaged)?;
    let (ticket, at) = (begin(work, Call::Lease), work.now);
    let list_version = work.machine.directory.list().version;
    let watch = watch(work);
    watch.asked = Some(Asked { ticket, nonce, at, feed_number, list_version });
    watch.last_asked = ticket;
    let term = term(work.machine, &*work.exchange()?);
    work.effects.push(Effect::AskLease { ticket, nonce, term, feed_number, feed_chain });
    Ok(ticket)
}

fn read_feed(work: &mut Work<'_>) -> Result<u64, Fault> {
    let (after, _) = place(work.machine, &*work.exchange()?)?;
    let ticket = begin(work, Call::Feed);
    watch(work).read_at = Some(work.now);
    work.effects.push(Effect::ReadFeed { ticket, after, wait: FEED_WAIT });
    Ok(ticket)
}

/// Brings what is known up to a time after the call of a ticket: somebody would be denied by what is known so far, and the
/// patient may have just consented. Waits for a lease that was asked for after that call, and for the feed up to its place. Without
/// a lease it is asked for once even while a pause after failures lasts: the registry may have come back meanwhile.
pub(crate) fn catch_up(work: &mut Work<'_>, after: u64) -> Result<Outcome, Stop> {
    let machine = work.machine;
    let under_way = |such: fn(&Call) -> bool| machine.outbox.newest(such);
    let held = machine.watch.lease.as_ref().filter(|held| held.ticket > after);
    if let Some(held) = held {
        let (applied, _) = place(machine, &machine.exchange)?;
        return Ok(match under_way(|call| matches!(call, Call::Feed)) {
            Some(ticket) if applied < held.word().feed_number => Outcome::Waiting(ticket),
            Some(_) | None => Outcome::Done,
        });
    }
    if let Some(ticket) = under_way(|call| matches!(call, Call::Lease)) {
        return Ok(Outcome::Waiting(ticket));
    }
    let asked = machine.watch.last_asked > after || standing(machine, work.now).is_some();
    if asked && !machine.watch.pause.is_over(work.now) {
        return Ok(Outcome::Done);
    }
    Ok(Outcome::Waiting(ask_lease(work)?))
}

/// A lease has come. One that does not fit is as good as none.
pub(crate) fn leased(
    work: &mut Work<'_>,
    ticket: u64,
    lease: &Arc<Verified<Lease>>,
    checkpoint: &Checkpoint,
) -> Result<Outcome, Stop> {
    let Some(flight) = landed(work, ticket) else { return Ok(Outcome::Done) };
    let asked = watch(work).asked.take().filter(|asked| asked.ticket == ticket);
    let exchange = work.exchange()?;
    let Some(asked) = asked.filter(|asked| asked.nonce == lease.word().nonce) else {
        return Ok(Outcome::Done);
    };
    let signed_at = lease.word().feed_number;
    if signed_at >= asked.feed_number && signed_at < place(work.machine, &exchange)?.0 {
        // The feed went on while the lease was on its way: its place is not known any more. Another one is asked for.
        return Ok(Outcome::Done);
    }
    if !fits(work.machine, &exchange, lease.word())? {
        if asked.list_version != work.machine.directory.list().version {
            // The list went on meanwhile, and with it what fits. Another one is asked for.
            return Ok(Outcome::Done);
        }
        pause(work, None);
        return Ok(Outcome::OtherLog);
    }
    // A registry that stands still, or has gone back, shows it by its log, though what it says of the feed fits (L-11).
    compare::weigh(work, checkpoint)?;
    if matches!(stands_to(work, &flight.log, checkpoint)?, Tree::Other) {
        pause(work, None);
        return Ok(Outcome::OtherLog);
    }
    let word = lease.word();
    if word.term > term(work.machine, &exchange) || word.list_version > exchange.list {
        let (log_id, list) = (word.log_id.to_string(), word.list_version);
        work.keep(Body::Termed(kept::Termed { log_id, term: word.term, list }))?;
    }
    let behind = word.feed_number > place(work.machine, &exchange)?.0;
    let watch = watch(work);
    watch.lease = Some(Held { lease: lease.clone(), asked_at: asked.at, ticket });
    if behind {
        watch.read_at = None;
    }
    answered(work);
    Ok(Outcome::Done)
}

/// The registry has answered: if it was away, what waits for it goes on.
fn answered(work: &mut Work<'_>) {
    if std::mem::take(&mut watch(work).pause).until().is_some() {
        outbox::go_on(work);
    }
}

/// F-7: for this node, in the log that counts; neither term nor place nor list goes back; no longer than the policy says.
fn fits(machine: &Machine, exchange: &Exchange, lease: &Lease) -> Result<bool, Fault> {
    let (number, chain) = place(machine, exchange)?;
    let list = machine.directory.list();
    let same_list = lease.list_version != list.version || lease.list_hash == machine.directory.payload_hash();
    let same_place = lease.feed_number != number || lease.feed_chain == chain;
    Ok(lease.member == machine.config.organisation
        && lease.log_id == list.log_id
        && lease.term >= term(machine, exchange)
        && lease.feed_number >= number
        && same_place
        && lease.list_version >= list.version
        && same_list
        && lease.duration <= list.policy.lease)
}

/// Items of the feed have come. What does not continue the chain stops it there (F-3).
pub(crate) fn fed(work: &mut Work<'_>, ticket: u64, items: &[Vec<u8>]) -> Result<Outcome, Stop> {
    if landed(work, ticket).is_none() {
        return Ok(Outcome::Done);
    }
    let before = place(work.machine, &*work.exchange()?)?;
    let items = items.get(..items.len().min(FEED_COUNT_MAX as usize)).unwrap_or_default();
    let (taken, (number, _)) = continuing(work, before, items);
    let watch = watch(work);
    if !taken.is_empty() {
        watch.read_at = None;
    }
    if taken.len() < items.len() {
        watch.lease = None;
        pause(work, None);
    } else {
        answered(work);
    }
    let whole = taken.len() == items.len();
    if !taken.is_empty() {
        // Before the items are kept, so that a crash between repeats it.
        spread(work, &taken)?;
        let log_id = work.machine.directory.list().log_id.to_string();
        let organisation = work.machine.config.organisation.to_string();
        work.keep(Body::Fed(kept::Fed { log_id, items: taken, organisation }))?;
    }
    Ok(if whole { Outcome::Done } else { Outcome::FeedStopped { after: number } })
}

/// What has changed concerns the copies of other holders' documents that are here.
fn spread(work: &mut Work<'_>, items: &[Vec<u8>]) -> Result<(), Stop> {
    let mut withdrawals = Vec::new();
    for told in items.iter().filter_map(|bytes| Item::read(bytes)).map(|item| item.told) {
        match told {
            Told::Head(change) => errand::head_changed(work, &change.patient.value),
            Told::Unreadable(patient) => errand::head_changed(work, &patient.value),
            Told::Withdrawal(opening) => withdrawals.push(opening),
            Told::List(_) | Told::Credential(_) => {}
        }
    }
    receive::withdrawn(work, &withdrawals)
}

/// The items that continue the chain, and where it stands after them. A lease for a place on the way must name the same chain.
fn continuing(work: &Work<'_>, before: (u64, Digest), items: &[Vec<u8>]) -> (Vec<Vec<u8>>, (u64, Digest)) {
    let held = work.turn.watch.as_ref().unwrap_or(&work.machine.watch).lease.as_ref();
    let (mut taken, mut at) = (Vec::new(), before);
    for bytes in items {
        let Some(item) = Item::read(bytes).filter(|item| (item.number, item.previous) == (at.0 + 1, at.1))
        else {
            break;
        };
        let after = (item.number, feed_next(&at.1, bytes));
        let other =
            held.is_some_and(|held| held.word().feed_number == after.0 && held.word().feed_chain != after.1);
        if other {
            break;
        }
        at = after;
        taken.push(bytes.clone());
    }
    (taken, at)
}

/// An item of the feed, as far as it can be read.
struct Item {
    number: u64,
    previous: Digest,
    told: Told,
}

enum Told {
    Head(Box<HeadChange>),
    /// A head that cannot be read, or whose directives are not those that it is over.
    Unreadable(Token),
    List(u64),
    Credential(Opening),
    Withdrawal(Opening),
}

impl Told {
    /// Whose head it is of.
    fn patient(&self) -> Option<&Token> {
        match self {
            Self::Head(change) => Some(&change.patient),
            Self::Unreadable(patient) => Some(patient),
            Self::List(_) | Self::Credential(_) | Self::Withdrawal(_) => None,
        }
    }
}

impl Item {
    /// Strictly; or, of a head that is newer than this program, whose it is. Nothing else may be read over.
    fn read(bytes: &[u8]) -> Option<Self> {
        if let Ok(item) = FeedItem::decode(bytes) {
            let told = match item.change {
                Change::Head(change) if change.computed_head() == change.head => Told::Head(Box::new(change)),
                Change::Head(change) => Told::Unreadable(change.patient),
                Change::MemberList(version) => Told::List(version),
                Change::Credential(opening) => Told::Credential(opening),
                Change::Withdrawal(opening) => Told::Withdrawal(opening),
            };
            return Some(Self { number: item.number, previous: item.previous, told });
        }
        let item = calls::FeedItem::decode(bytes).ok()?;
        let Some(calls::feed_item::Body::Head(head)) = item.body else { return None };
        let patient = read_token(&head.patient?).ok()?;
        let previous = Digest::read("feed_item.previous", &item.previous).ok()?;
        Some(Self { number: item.number, previous, told: Told::Unreadable(patient) })
    }
}

/// The feed or the lease was refused, or had no answer.
pub(crate) fn failed(work: &mut Work<'_>, ticket: u64, refusal: Option<&Refusal>) -> Outcome {
    let watch = watch(work);
    watch.asked = watch.asked.take().filter(|asked| asked.ticket != ticket);
    pause(work, refusal);
    // The registry knows less than it once told: an older copy of it answers.
    let behind = refusal.is_some_and(|refusal| refusal.code == RefusalCode::OutOfOrder);
    if behind { Outcome::OtherLog } else { Outcome::Done }
}

fn pause(work: &mut Work<'_>, refusal: Option<&Refusal>) {
    let (now, asked) = (work.now, refusal.and_then(|refusal| refusal.retry_after));
    let chance = u64::from_be_bytes(work.entropy.bytes());
    let watch = watch(work);
    watch.pause = watch.pause.longer_once(SOON_MAX, now, asked.map(|wait| wait.min(SOON_MAX)), chance);
}

/// Wall clock and boot clock parted: every lease is void, and one that is being asked for too (F-6). Nothing waits for a time
/// of the old clock any more.
pub(crate) fn clock_jumped(work: &mut Work<'_>) -> Outcome {
    work.turn.watch = Some(Watch::default());
    outbox::clock_jumped(work);
    Outcome::Done
}

/// What a member told directly (F-9).
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "it travels in a box")]
pub enum ToldAct {
    /// A forbid.
    Forbid(Verified<Act<Directive>>),
    /// A revocation.
    Revocation(Verified<Act<Revocation>>),
}

impl ToldAct {
    const fn envelope(&self) -> &Envelope {
        match self {
            Self::Forbid(act) => act.envelope(),
            Self::Revocation(act) => act.envelope(),
        }
    }
}

/// A member tells a forbid or a revocation before the feed does: it counts at once, for denying only (F-9).
pub(crate) fn noticed(work: &mut Work<'_>, member: &Code, act: &ToldAct) -> Result<Outcome, Stop> {
    let token = match act {
        ToldAct::Forbid(act) if act.word().said.stance == Stance::Permit => {
            return Err(Refused::Widens.into());
        }
        ToldAct::Forbid(act) => act.word().said.patient,
        ToldAct::Revocation(act) => act.word().said.patient,
    };
    let known = work.view.get(&state::notices(&token))?;
    let live = living(&known, work.now.unix_ms());
    if live.iter().any(|notice| notice.envelope == act.envelope().as_bytes()) {
        return Ok(Outcome::Done);
    }
    if live.len() >= NOTICES_MAX || holder::asks_too_much(work, member)? {
        return Err(Refused::TooManyNotices.into());
    }
    let (envelope, member) = (act.envelope().as_bytes().to_vec(), member.to_string());
    work.keep(Body::Noticed(kept::Noticed { envelope, member }))?;
    Ok(Outcome::Done)
}

/// An act that narrows was said here: it counts from now on, before the feed tells it.
pub(crate) fn notice(work: &mut Work<'_>, act: &Envelope) -> Result<(), Fault> {
    work.keep(Body::Noticed(kept::Noticed { envelope: act.as_bytes().to_vec(), member: String::new() }))
}

/// Notices that can still count: a lease asked for after their life ends them, and the longest lease is far shorter than it.
fn living(notices: &state::Notices, at: i64) -> Vec<kept::Notice> {
    let life = i64::try_from(NOTICE_LIFE.get()).unwrap_or(i64::MAX).saturating_mul(2);
    notices.notices.iter().filter(|notice| notice.at.saturating_add(life) > at).cloned().collect()
}

/// What follows from items of the feed.
pub(crate) fn apply_fed(fed: &kept::Fed, at: i64, view: &mut View) -> Result<(), Fault> {
    let mut exchange = of_log(view, &fed.log_id)?;
    let items = fed.items.iter().map(|bytes| Ok((Item::read(bytes).ok_or_else(damaged)?, bytes)));
    let items = items.collect::<Result<Vec<_>, Fault>>()?;
    load_ahead(items.iter().filter_map(|(item, _)| item.told.patient()), view)?;
    outgoing::load_ahead(items.iter().filter_map(|(item, _)| item.told.patient()), view)?;
    for (item, bytes) in items {
        exchange.feed_number = item.number;
        exchange.feed_chain = feed_next(&item.previous, bytes).as_bytes().to_vec();
        match item.told {
            Told::Head(change) => {
                ended::apply(&change, &exchange.log_id, at, view)?;
                inform::apply_told(&change, &exchange.log_id, at, view)?;
                outgoing::add_consent(&change, &exchange.log_id, at, view)?;
                put_head(&change.patient, Some((change.head.version, bytes)), &exchange, view)?;
            }
            Told::Unreadable(patient) => put_head(&patient, None, &exchange, view)?,
            Told::List(version) => exchange.list = exchange.list.max(version),
            Told::Credential(opening) => {
                credential::apply_told(&opening, &fed.log_id, view)?;
                inform::apply_vouched(&opening, &fed.organisation, at, view)?;
            }
            Told::Withdrawal(_) => {}
        }
    }
    view.put(&state::exchange(), &exchange);
    Ok(())
}

/// A head whose version goes back cannot be: it denies, like one that cannot be read.
fn put_head(
    token: &Token,
    told: Option<(u64, &Vec<u8>)>,
    exchange: &Exchange,
    view: &mut View,
) -> Result<(), Fault> {
    let slot = state::head(token);
    let mut head = view.get(&slot)?;
    let newest = if head.log_id == exchange.log_id { head.version } else { 0 };
    head.log_id.clone_from(&exchange.log_id);
    head.feed_number = exchange.feed_number;
    head.version = newest;
    head.item = Vec::new();
    if let Some((version, item)) = told.filter(|(version, _)| *version >= newest) {
        head.version = version;
        head.item.clone_from(item);
    }
    view.put(&slot, &head);
    Ok(())
}

/// Asks at once for what the feed told of many tokens.
pub(crate) fn load_ahead<'t>(tokens: impl Iterator<Item = &'t Token>, view: &View) -> Result<(), Fault> {
    view.need(&tokens.map(state::head).collect::<Vec<_>>())
}

/// The head that the feed told of a token in this log, if it can be read and counts (F-5).
pub(crate) fn head_of(token: &Token, log_id: &Code, view: &View) -> Result<Option<HeadChange>, Fault> {
    let Some(head) = view.find(&state::head(token))?.filter(|head| counts(head, log_id)) else {
        return Ok(None);
    };
    match FeedItem::decode(&head.item).map(|item| item.change) {
        Ok(Change::Head(change)) => Ok(Some(change)),
        Ok(Change::MemberList(_) | Change::Credential(_) | Change::Withdrawal(_)) | Err(_) => Err(damaged()),
    }
}

fn counts(head: &ToldHead, log_id: &Code) -> bool {
    let void = head.void_log_id == head.log_id && head.feed_number <= head.void_to;
    !head.item.is_empty() && head.log_id == log_id.as_str() && !void
}

/// A statement gives a token to a subject: the head that was told before counts no longer; a new one comes before the
/// statement's receipt (F-5).
pub(crate) fn void_head(token: &Token, view: &mut View) -> Result<(), Fault> {
    let exchange = view.get(&state::exchange())?;
    let slot = state::head(token);
    let mut head = view.get(&slot)?;
    head.void_log_id = exchange.log_id;
    head.void_to = exchange.feed_number;
    view.put(&slot, &head);
    Ok(())
}

/// What follows from a term or a member list that a lease named.
pub(crate) fn apply_termed(termed: &kept::Termed, view: &mut View) -> Result<(), Fault> {
    let mut exchange = of_log(view, &termed.log_id)?;
    exchange.term = exchange.term.max(termed.term);
    exchange.list = exchange.list.max(termed.list);
    view.put(&state::exchange(), &exchange);
    Ok(())
}

/// The state for a log: in a new one the feed starts anew (L-9).
fn of_log(view: &View, log_id: &str) -> Result<Exchange, Fault> {
    let mut exchange = view.get(&state::exchange())?;
    if exchange.log_id != log_id {
        log_id.clone_into(&mut exchange.log_id);
        (exchange.term, exchange.feed_number) = (0, 0);
        exchange.feed_chain.clear();
    }
    Ok(exchange)
}

/// What follows from what a member told.
pub(crate) fn apply_noticed(noticed: &kept::Noticed, at: i64, view: &mut View) -> Result<(), Fault> {
    let envelope = Envelope::decode(&noticed.envelope).map_err(|_| damaged())?;
    let token = if envelope.kind() == Kind::Directive {
        Act::<Directive>::decode(envelope.payload()).map_err(|_| damaged())?.said.patient
    } else {
        Act::<Revocation>::decode(envelope.payload()).map_err(|_| damaged())?.said.patient
    };
    if let Ok(member) = Code::new(&noticed.member) {
        holder::count_request(&member, at, view)?;
    }
    let slot = state::notices(&token);
    let known = view.get(&slot)?;
    let mut notices = living(&known, at);
    // Acts of this node come without being asked: those before are on its feed by now.
    notices.drain(..notices.len().saturating_sub(2 * NOTICES_MAX));
    notices.push(kept::Notice { envelope: noticed.envelope.clone(), at });
    view.put(&slot, &state::Notices { notices, ..known });
    Ok(())
}

/// The acts that members told of a token and that still count under a lease asked for at this time (F-9).
pub(crate) fn notices(token: &Token, asked_at: Timestamp, view: &View) -> Result<Vec<Envelope>, Fault> {
    let fresh = |notice: &&kept::Notice| {
        Timestamp::from_unix_ms(notice.at).is_none_or(|at| asked_at < at + NOTICE_LIFE)
    };
    let known = view.get(&state::notices(token))?;
    let read = |notice: &kept::Notice| Envelope::decode(&notice.envelope).map_err(|_| damaged());
    known.notices.iter().filter(fresh).map(read).collect()
}

/// The directives that were taken back here under any of a patient's tokens (F-9).
pub(crate) fn taken_back(tokens: &[Token], view: &View) -> Result<BTreeSet<DirectiveId>, Fault> {
    let slots: Vec<_> = tokens.iter().map(state::notices).collect();
    view.need(&slots)?;
    let mut found = BTreeSet::new();
    for slot in &slots {
        for act in view.get(slot)?.taken_back {
            found.insert(act.directive.try_into().ok().and_then(DirectiveId::new).ok_or_else(damaged)?);
        }
    }
    Ok(found)
}
