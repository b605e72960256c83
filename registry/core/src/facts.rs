//! Exchange facts: counts by hour, which the bureau sees. Organisations and codes only, never a patient.

use std::collections::BTreeSet;
use std::ops::Range;

use prost::Message;
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{AccessAct, AccessOutcome, DocumentClass, PersonRole, Stance};
use yiqiao_proto::directive::Directive;
use yiqiao_proto::entry::Entry;
use yiqiao_proto::envelope::payload_hash;
use yiqiao_proto::id::Code;
use yiqiao_proto::time::Timestamp;

use crate::state::{self, Count, Fact, Fault, Place, Table, View};
use crate::take::Standing;

const HOURS_OF_DAY: u32 = 24;

/// Counts an access event in the hour in which it was accepted.
pub(crate) fn count_event(word: &Standing, event: &AccessEvent, view: &mut View) -> Result<(), Fault> {
    if is_counted(word, event, view)? {
        return Ok(());
    }
    let fact = Fact {
        hour: hour_of(word.opening.accepted_at),
        organisation: event.organisation.clone(),
        counterpart: event.counterpart.clone(),
        act: Some(event.act),
        outcome: event.outcome,
        purpose: Some(event.purpose),
        class: only(&event.classes),
    };
    if event.outcome == AccessOutcome::Permitted {
        count_by_role(fact.hour, event, view)?;
    }
    add(&fact, u64::from(event.documents), event.size, view)
}

/// The role that breaks the glass counts, too, and how often that role opens documents of others: by that the former is judged.
fn count_by_role(hour: u32, event: &AccessEvent, view: &mut View) -> Result<(), Fault> {
    let day = hour / HOURS_OF_DAY;
    let slot = match event.act {
        AccessAct::BreakGlass => state::broken_glass(day, &event.organisation, event.role),
        AccessAct::Opening => state::openings(day, &event.organisation, event.role),
        AccessAct::Release
        | AccessAct::Delivery
        | AccessAct::Consent
        | AccessAct::Revocation
        | AccessAct::ReferralStep
        | AccessAct::Erasure
        | AccessAct::Retention
        | AccessAct::LogView
        | AccessAct::Search
        | AccessAct::FirstFiling
        | AccessAct::Withdrawal
        | AccessAct::Export => return Ok(()),
    };
    let mut count = view.get(&slot)?;
    count.events += 1;
    view.put(&slot, &count);
    Ok(())
}

/// Whether the act was counted under another token of its patient: what a patient says once is said under each (C-10), and the events
/// of one act name one line of the audit.
fn is_counted(word: &Standing, event: &AccessEvent, view: &mut View) -> Result<bool, Fault> {
    let said = matches!(event.act, AccessAct::Consent | AccessAct::Revocation | AccessAct::BreakGlass);
    let Some(line) = event.audit_line.filter(|_| said) else { return Ok(false) };
    let slot = state::counted(&event.organisation, &line);
    if view.find(&slot)?.is_some() {
        return Ok(true);
    }
    view.put(&slot, &Place { seq: word.opening.seq });
    Ok(false)
}

/// Counts a published entry.
pub(crate) fn count_entry(word: &Standing, entry: &Entry, view: &mut View) -> Result<(), Fault> {
    let fact = Fact {
        hour: hour_of(word.opening.accepted_at),
        organisation: entry.publisher.clone(),
        counterpart: None,
        act: None,
        outcome: AccessOutcome::Permitted,
        purpose: None,
        class: Some(entry.class),
    };
    add(&fact, 1, entry.size, view)
}

/// Counts a permit for whose passkey nobody vouched by then but the organisation that gains by it: once, although it is said under
/// each token.
pub(crate) fn count_self_vouched(
    directive: &Directive,
    vouchers: &BTreeSet<Code>,
    seq: u64,
    view: &mut View,
) -> Result<(), Fault> {
    let gains = directive.grantee.organisation.as_ref().filter(|_| directive.stance == Stance::Permit);
    let Some(gains) = gains.filter(|gains| vouchers.len() == 1 && vouchers.contains(*gains)) else {
        return Ok(());
    };
    let once = state::counted(gains, &payload_hash(directive.id.as_bytes()));
    if view.find(&once)?.is_some() {
        return Ok(());
    }
    view.put(&once, &Place { seq });
    let slot = state::self_vouched(gains);
    let mut count = view.get(&slot)?;
    count.events += 1;
    view.put(&slot, &count);
    Ok(())
}

/// The keys under which [`count`] finds how many permits of members only they vouched for.
pub fn self_vouched_keys<'m>(members: impl IntoIterator<Item = &'m Code>) -> Vec<Vec<u8>> {
    members.into_iter().map(|member| state::self_vouched(member).key().to_vec()).collect()
}

/// How many a stored count says; none is 0.
pub fn count(value: Option<&[u8]>) -> u64 {
    value.and_then(|value| Count::decode(value).ok()).map_or(0, |count| count.events)
}

/// The keys of what [`read_by_role`] reads of a table, of these days.
pub fn keys_by_role(table: Table, days: &Range<u32>) -> Range<Vec<u8>> {
    let key = |day: u32| [&[table as u8][..], &day.to_be_bytes()].concat();
    key(days.start)..key(days.end)
}

/// How often people in a role at a member did what [`Table::BrokenGlass`] or [`Table::Openings`] counts; nothing if that is not what is
/// stored here.
pub fn read_by_role(table: Table, key: &[u8], value: &[u8]) -> Option<(Code, PersonRole, u64)> {
    let (member, role) = state::read_by_role(table, key)?;
    Some((member, role, count(Some(value))))
}

/// The day of an instant, since 1970-01-01 UTC.
pub fn day_of(at: Timestamp) -> u32 {
    hour_of(at) / HOURS_OF_DAY
}

/// The keys of all facts of these hours, and what ends them.
pub fn keys(hours: &Range<u32>) -> Range<Vec<u8>> {
    let key = |hour: u32| [&[Table::Fact as u8][..], &hour.to_be_bytes()].concat();
    key(hours.start)..key(hours.end)
}

/// Reads a stored fact and its count; nothing if it is none.
pub fn read(key: &[u8], value: &[u8]) -> Option<(Fact, Count)> {
    Some((state::read_fact(key)?, Count::decode(value).ok()?))
}

fn add(fact: &Fact, documents: u64, size: u64, view: &mut View) -> Result<(), Fault> {
    let slot = state::fact(fact);
    let mut count = view.get(&slot)?;
    count.events += 1;
    count.documents += documents;
    count.size = count.size.saturating_add(size);
    view.put(&slot, &count);
    Ok(())
}

/// The hour of an instant, since 1970-01-01T00:00Z.
pub fn hour_of(at: Timestamp) -> u32 {
    u32::try_from(at.unix_ms().div_euclid(3600 * 1000)).unwrap_or(0)
}

fn only(classes: &BTreeSet<DocumentClass>) -> Option<DocumentClass> {
    classes.first().copied().filter(|_| classes.len() == 1)
}
