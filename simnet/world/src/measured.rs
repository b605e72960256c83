//! What a run measured: like the checkers it is told only what went in at the doors and what came out. All times are simulated.
//!
//! Traffic is counted as it is sent, while people act; what is lost on the way counts, what comes twice counts once. Not here:
//! how it is shown (`report`).

use std::collections::BTreeMap;

use prost::Message as _;
use serde::Serialize;
use yiqiao_proto::calls::{Method, StepRequest};
use yiqiao_proto::directive::{Act, Revocation};
use yiqiao_proto::entry::Entry;
use yiqiao_proto::envelope::{Envelope, Kind, Word as _};
use yiqiao_proto::id::{Code, EntryId, ReferralId};
use yiqiao_proto::lease::{Change, FeedItem};
use yiqiao_proto::referral::ReferralStep;
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_proto::token::Token;

use crate::limits::HOURS_MAX;
use crate::network::{CallId, Carried, Packet, Who};

/// What a run measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    began: Timestamp,
    /// Nobody acts any more: what goes on is not counted as load.
    is_over: bool,
    /// From a revocation in the log until a holder has it from its feed: from then on the holder denies.
    pub revoked: Tally,
    /// How long a revocation or objection had stood in the log when something was let go or served that it forbids.
    pub late: Tally,
    /// From the answer to who sent a document until it can be found.
    pub findable: Tally,
    /// How often a member found that the registry's checkpoints contradict each other (L-13).
    pub contradictions: u64,
    /// How often a member found that the registry had left out what it had acknowledged (L-16).
    pub omissions: u64,
    /// When the registry's keepers were first told of what its keys have signed (L-17), since the world began.
    pub alarmed: Option<Millis>,
    /// What the registry did in each hour.
    pub hours: Vec<Hour>,
    /// Traffic of each method, there and back.
    pub methods: BTreeMap<&'static str, Traffic>,
    /// Steps of each referral, told between its two sides: calls and answers.
    referrals: BTreeMap<ReferralId, Traffic>,
    /// Of which referral a call tells a step.
    told_of: BTreeMap<CallId, ReferralId>,
    acknowledged: BTreeMap<(Code, EntryId), Timestamp>,
    /// By patient: version of the head that a revocation led to, and when.
    revocations: BTreeMap<Token, Vec<(u64, Timestamp)>>,
    /// The version of a patient's head that a holder has.
    told: BTreeMap<(Who, Token), u64>,
}

/// Whole numbers, as milliseconds, messages or bytes, and how often each was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<u64, u64>);

/// What the registry did in one hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hour {
    /// Words that it took into the log.
    pub words: u64,
    /// Calls that were sent to it.
    pub calls: u64,
    /// Bytes of them.
    pub bytes_in: u64,
    /// Bytes of its answers.
    pub bytes_out: u64,
}

/// Messages and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Calls and answers.
    pub messages: u64,
    /// Bytes of both.
    pub bytes: u64,
}

impl Measured {
    pub(crate) fn new(began: Timestamp) -> Self {
        Self { began, ..Self::default() }
    }

    /// Nobody acts any more.
    pub(crate) const fn end(&mut self) {
        self.is_over = true;
    }

    /// Something is left out.
    pub(crate) const fn finds_omission(&mut self) {
        self.omissions += 1;
    }

    /// The registry's keepers are told.
    pub(crate) fn is_alarmed(&mut self, now: Timestamp) {
        let since = now.since(self.began);
        self.alarmed.get_or_insert(since);
    }

    /// A packet is sent.
    pub(crate) fn carries(&mut self, now: Timestamp, packet: &Packet) {
        if self.is_over {
            return;
        }
        let (is_call, bytes) = match &packet.body {
            Carried::Call { request, .. } | Carried::Pull { request } => (true, request.len()),
            Carried::Answer(Ok(answer) | Err(answer)) => (false, answer.len()),
        };
        self.methods.entry(name_of(packet.method)).or_default().add(bytes);
        if let Some(referral) = self.referral_of(packet) {
            self.referrals.entry(referral).or_default().add(bytes);
        }
        let Some(hour) = self.hour(now) else { return };
        if packet.to == Who::REGISTRY && is_call {
            hour.calls += 1;
            hour.bytes_in += bytes as u64;
        } else if packet.from == Who::REGISTRY && !is_call {
            hour.bytes_out += bytes as u64;
        }
    }

    /// Of which referral a call or an answer is, if of one.
    fn referral_of(&mut self, packet: &Packet) -> Option<ReferralId> {
        if packet.method != Method::Step as u16 {
            return None;
        }
        if let Carried::Call { request, .. } = &packet.body {
            let envelope = StepRequest::decode(request.as_slice()).ok()?.envelope;
            let step = ReferralStep::decode(Envelope::decode(&envelope).ok()?.payload()).ok()?;
            self.told_of.insert(packet.call, step.facts.referral);
        }
        self.told_of.get(&packet.call).copied()
    }

    /// The messages and the bytes of each referral's steps.
    pub fn of_referrals(&self) -> (Tally, Tally) {
        let tally = |of: fn(&Traffic) -> u64| {
            let mut tally = Tally::default();
            self.referrals.values().for_each(|traffic| tally.count_in(of(traffic)));
            tally
        };
        (tally(|traffic| traffic.messages), tally(|traffic| traffic.bytes))
    }

    /// The sender of documents has its answer.
    pub(crate) fn acknowledged(
        &mut self,
        now: Timestamp,
        holder: &Code,
        entries: impl Iterator<Item = EntryId>,
    ) {
        for entry in entries {
            self.acknowledged.entry((holder.clone(), entry)).or_insert(now);
        }
    }

    /// The registry has taken a word; `version` tells that of a patient's head after it.
    pub(crate) fn accepts(
        &mut self,
        now: Timestamp,
        envelope: &Envelope,
        version: impl Fn(&Token) -> u64,
    ) -> Option<()> {
        if let Some(hour) = self.hour(now) {
            hour.words += 1;
        }
        if envelope.kind() == Kind::Entry {
            let Entry { publisher, entry_id, .. } = Entry::decode(envelope.payload()).ok()?;
            let acknowledged = self.acknowledged.remove(&(publisher, entry_id))?;
            self.findable.add(now.since(acknowledged));
        } else if envelope.kind() == Kind::Revocation {
            let token = Act::<Revocation>::decode(envelope.payload()).ok()?.said.patient;
            self.revocations.entry(token).or_default().push((version(&token), now));
        }
        Some(())
    }

    /// A holder has kept items of its feed.
    pub(crate) fn fed(&mut self, now: Timestamp, who: Who, items: &[Vec<u8>]) {
        for item in items.iter().filter_map(|item| FeedItem::decode(item).ok()) {
            let Change::Head(change) = item.change else { continue };
            let (token, version) = (change.patient, change.head.version);
            // What it is told first of a patient may be of long ago.
            let Some(known) = self.told.insert((who, token), version) else { continue };
            let revocations = self.revocations.get(&token).into_iter().flatten();
            for (_, at) in revocations.filter(|(of, _)| (known + 1..=version).contains(of)) {
                self.revoked.add(now.since(*at));
            }
        }
    }

    /// Adds what another run measured.
    pub fn add(&mut self, other: &Self) {
        self.revoked.join(&other.revoked);
        self.late.join(&other.late);
        self.findable.join(&other.findable);
        self.hours.resize(self.hours.len().max(other.hours.len()), Hour::default());
        for (hour, more) in self.hours.iter_mut().zip(&other.hours) {
            hour.words += more.words;
            hour.calls += more.calls;
            hour.bytes_in += more.bytes_in;
            hour.bytes_out += more.bytes_out;
        }
        for (method, more) in &other.methods {
            let traffic = self.methods.entry(method).or_default();
            traffic.messages += more.messages;
            traffic.bytes += more.bytes;
        }
        // Their numbers are drawn from all that there are: two worlds have none in common.
        self.referrals.extend(&other.referrals);
    }

    /// Documents whose senders have their answer and that cannot be found.
    pub fn not_findable(&self) -> usize {
        self.acknowledged.len()
    }

    fn hour(&mut self, now: Timestamp) -> Option<&mut Hour> {
        let hour = usize::try_from(now.since(self.began).get() / 3_600_000).ok()?;
        if self.is_over {
            return None;
        }
        if hour >= self.hours.len() && hour as u64 <= HOURS_MAX {
            self.hours.resize(hour + 1, Hour::default());
        }
        self.hours.get_mut(hour)
    }
}

impl Traffic {
    const fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }
}

impl Tally {
    pub(crate) fn add(&mut self, time: Millis) {
        self.count_in(time.get());
    }

    fn count_in(&mut self, number: u64) {
        *self.0.entry(number).or_default() += 1;
    }

    fn join(&mut self, other: &Self) {
        for (ms, count) in &other.0 {
            *self.0.entry(*ms).or_default() += count;
        }
    }

    /// How many were measured.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The largest.
    pub fn largest(&self) -> Option<u64> {
        self.0.keys().next_back().copied()
    }

    /// The least that is not exceeded by so many of a hundred.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let rank = (self.count() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        self.0.iter().find_map(|(ms, count)| {
            seen += count;
            (seen >= rank).then_some(*ms)
        })
    }

    /// How many were measured from one bound up to below the next; the last bound has no end.
    pub fn between(&self, bounds: &[u64]) -> Vec<u64> {
        let ends = bounds.iter().skip(1).copied().chain([u64::MAX]);
        bounds
            .iter()
            .zip(ends)
            .map(|(from, to)| self.0.range(from..&to).map(|(_, count)| count).sum())
            .collect()
    }
}

/// What a method is called in the report.
fn name_of(method: u16) -> &'static str {
    match Method::try_from(method) {
        Ok(Method::Submit) => "submit",
        Ok(Method::Evaluate) => "evaluate",
        Ok(Method::Search) => "search",
        Ok(Method::Feed) => "feed",
        Ok(Method::Lease) => "lease",
        Ok(Method::Members) => "members",
        Ok(Method::Consent) => "consent",
        Ok(Method::History) => "history",
        Ok(Method::Proof) => "proof",
        Ok(Method::Links) => "links",
        Ok(Method::Evidence) => "evidence",
        Ok(Method::Anchors) => "anchors",
        Ok(Method::Recall) => "recall",
        Ok(Method::Release) => "release",
        Ok(Method::Step) => "step",
        Ok(Method::ActNotice) => "notice",
        Ok(Method::Compare) => "compare",
        Ok(Method::Inventory) => "inventory",
        Ok(Method::Holdings) => "holdings",
        Ok(Method::Check) => "check",
        Ok(Method::Persons) => "persons",
        Ok(Method::Alarm) => "alarm",
        Ok(Method::Quality) => "quality",
        Err(0) => "pull",
        Err(_) => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(all: &[u64]) -> Tally {
        let mut times = Tally::default();
        all.iter().for_each(|ms| times.add(Millis::new(*ms)));
        times
    }

    #[test]
    fn a_percentile_is_the_least_that_so_many_do_not_exceed() {
        let hundred = times(&(1..=100).collect::<Vec<_>>());
        assert_eq!([50, 95, 99, 100].map(|percent| hundred.percentile(percent)), [50, 95, 99, 100].map(Some));
        assert_eq!(times(&[7]).percentile(50), Some(7));
        assert_eq!((Tally::default().percentile(50), Tally::default().largest()), (None, None));
    }

    #[test]
    fn each_time_stands_between_two_bounds_and_the_last_has_no_end() {
        assert_eq!(times(&[0, 9, 10, 19, 20, 5_000]).between(&[0, 10, 20]), [2, 2, 2]);
    }

    #[test]
    fn what_two_runs_measured_is_added() {
        let mut one = Measured {
            revoked: times(&[5]),
            hours: vec![Hour { words: 1, ..Hour::default() }],
            ..Measured::default()
        };
        let words = |words| Hour { words, ..Hour::default() };
        let other =
            Measured { revoked: times(&[5, 6]), hours: vec![words(2), words(3)], ..Measured::default() };
        one.add(&other);
        assert_eq!((one.revoked, one.hours), (times(&[5, 5, 6]), vec![words(3), words(3)]));
    }
}
