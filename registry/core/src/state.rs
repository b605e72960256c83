//! What the registry keeps: the slots through which the core sees it.

use std::collections::BTreeSet;

use yiqiao_journal::view::unfixed;
pub use yiqiao_journal::view::{Fault, Slot, View};
use yiqiao_proto::codes::{AccessAct, AccessOutcome, DocumentClass, PersonRole, Purpose};
use yiqiao_proto::id::{Code, Digest, DirectiveId, EntryId, Subject as SubjectId};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::limits::QUALITY_DAYS;

/// The messages of `schema/state.proto`.
#[expect(missing_docs, reason = "generated; the schema describes every field")]
pub mod kept {
    include!(concat!(env!("OUT_DIR"), "/yiqiao.registry.rs"));
}

pub use kept::{
    ActToken, ActTokens, Ahead, Consent, Count, Credentials, EntryState, EventCount, Feed, FeedBytes,
    FeedSizes, Holder, Holders, Kept, Lists, Page, Pairing, Place, Quota, Record, Single, Spent, Subject,
    SubjectRef, Subjects, Tally, Version,
};

/// Places on one page.
pub const PAGE_LEN: u64 = 64;

/// The first byte of a key. Never renumbered while an index can be older than the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Table {
    /// The journal, by place: loaded from there, never written through a view.
    Journal = 1,
    /// Places by signer and payload.
    Said = 2,
    /// Subjects.
    Subject = 3,
    /// Pages of a subject's chain.
    SubjectPage = 4,
    /// Entries.
    Entry = 5,
    /// Consent by the patient's token.
    Consent = 6,
    /// Pages of a patient's events.
    EventPage = 7,
    /// Directive ids that were accepted, or revoked before they came.
    Spent = 8,
    /// Feeds.
    Feed = 9,
    /// Items of feeds.
    FeedItem = 10,
    /// Token quotas.
    Quota = 11,
    /// Statements by the credential.
    Credential = 12,
    /// Counts by hour: exchange facts.
    Fact = 13,
    /// Holders by the patient's token.
    Holders = 14,
    /// Subjects by the patient's token.
    Subjects = 15,
    /// How many events a patient has.
    EventCount = 16,
    /// Sizes of the items of feeds, by pages.
    FeedSizes = 17,
    /// Statements of credentials by the patient's token.
    PatientCredentials = 18,
    /// Acts of patients that were counted, by the line of the audit that their events name.
    Counted = 19,
    /// The tokens of one act.
    ActTokens = 20,
    /// Permits for whose passkey nobody vouches but who gains, by member.
    SelfVouched = 30,
    /// Releases, by the hash of the payload.
    Pairing = 40,
    /// Releases without deliveries and deliveries without releases, by the time from which they are to be looked at.
    Single = 41,
    /// Events of releases, by the release and the organisation.
    ReleaseEvent = 42,
    /// What is known of member lists.
    Lists = 43,
    /// Member lists by version.
    ListPlace = 44,
    /// How often the glass was broken, by day, member and role.
    BrokenGlass = 50,
    /// How often documents of other members were opened, by day, member and role.
    Openings = 90,
    /// How many anchors of its audit a member has said.
    AnchorCount = 45,
    /// Where they stand.
    Anchor = 46,
    /// Where a member's own words about subjects stand, by stretches of the log.
    Stretch = 80,
    /// What members have found that cannot be.
    Alarms = 60,
    /// How good what the systems of members send is, by member and day.
    Quality = 130,
}

/// A word of the journal.
pub fn journal(seq: u64) -> Slot<Kept> {
    Slot::new(Table::Journal as u8, &[&seq.to_be_bytes()])
}

/// Where a payload of a signer stands.
pub fn said(signer: &Code, payload: &Digest) -> Slot<Place> {
    Slot::new(Table::Said as u8, &[payload.as_bytes(), signer.padded()])
}

/// A publisher's subject.
pub fn subject(publisher: &Code, subject: &SubjectId) -> Slot<Subject> {
    Slot::new(Table::Subject as u8, &[subject.as_bytes(), publisher.padded()])
}

/// A page of a subject's chain: entries and withdrawals, by number.
pub fn subject_page(publisher: &Code, subject: &SubjectId, page: u64) -> Slot<Page> {
    Slot::new(Table::SubjectPage as u8, &[subject.as_bytes(), publisher.padded(), &page.to_be_bytes()])
}

/// An entry.
pub fn entry(publisher: &Code, id: &EntryId) -> Slot<EntryState> {
    Slot::new(Table::Entry as u8, &[id.as_bytes(), publisher.padded()])
}

/// What is in force for a patient.
pub fn consent(token: &Token) -> Slot<Consent> {
    of_patient(Table::Consent, token)
}

/// Who is told of a patient's consent (F-4).
pub fn holders(token: &Token) -> Slot<Holders> {
    of_patient(Table::Holders, token)
}

/// The subjects that have a token.
pub fn subjects(token: &Token) -> Slot<Subjects> {
    of_patient(Table::Subjects, token)
}

/// How many events a patient has.
pub fn event_count(token: &Token) -> Slot<EventCount> {
    of_patient(Table::EventCount, token)
}

fn of_patient<T>(table: Table, token: &Token) -> Slot<T> {
    Slot::new(table as u8, &[token.value.as_bytes(), &token.epoch.to_be_bytes()])
}

/// A page of a patient's events.
pub fn event_page(token: &Token, page: u64) -> Slot<Page> {
    Slot::new(
        Table::EventPage as u8,
        &[token.value.as_bytes(), &token.epoch.to_be_bytes(), &page.to_be_bytes()],
    )
}

/// Whether a directive id was accepted for a patient, or revoked before it came (C-6).
pub fn spent(token: &Token, id: &DirectiveId) -> Slot<Spent> {
    Slot::new(Table::Spent as u8, &[id.as_bytes(), token.value.as_bytes(), &token.epoch.to_be_bytes()])
}

/// Under which tokens an act was said (C-10).
pub fn act_tokens(id: &DirectiveId) -> Slot<ActTokens> {
    Slot::new(Table::ActTokens as u8, &[id.as_bytes()])
}

/// A member's feed.
pub fn feed(member: &Code) -> Slot<Feed> {
    Slot::new(Table::Feed as u8, &[member.padded()])
}

/// The members whose feeds were written, as far as inputs were handled.
pub fn feeds_written(view: &View) -> BTreeSet<Code> {
    view.written_in(Table::Feed as u8).filter_map(|key| unfixed(key.get(1..)?)).collect()
}

/// A page of the sizes of a feed's items.
pub fn feed_sizes(member: &Code, page: u64) -> Slot<FeedSizes> {
    Slot::new(Table::FeedSizes as u8, &[member.padded(), &page.to_be_bytes()])
}

/// An item of a member's feed.
pub fn feed_item(member: &Code, number: u64) -> Slot<FeedBytes> {
    Slot::new(Table::FeedItem as u8, &[member.padded(), &number.to_be_bytes()])
}

/// A member's token quota.
pub fn quota(member: &Code) -> Slot<Quota> {
    Slot::new(Table::Quota as u8, &[member.padded()])
}

/// What was stated about a credential, by the hash of its id.
pub fn credential(id: &Digest) -> Slot<Credentials> {
    Slot::new(Table::Credential as u8, &[id.as_bytes()])
}

/// What was stated about a patient's credentials.
pub fn credentials_of(token: &Token) -> Slot<Credentials> {
    of_patient(Table::PatientCredentials, token)
}

/// What a count is of (exchange facts), besides its hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Hours since 1970-01-01T00:00Z.
    pub hour: u32,
    /// Who reports.
    pub organisation: Code,
    /// The other side.
    pub counterpart: Option<Code>,
    /// What happened; none for a published entry.
    pub act: Option<AccessAct>,
    /// How it ended.
    pub outcome: AccessOutcome,
    /// For what; none for a published entry.
    pub purpose: Option<Purpose>,
    /// Of which class; none if of none or several.
    pub class: Option<DocumentClass>,
}

/// Length of a fact's key.
pub const FACT_KEY_LEN: usize = 1 + 4 + 32 + 32 + 4;

/// A count by hour.
pub fn fact(fact: &Fact) -> Slot<Count> {
    let code = |number: Option<u32>| u8::try_from(number.unwrap_or(0)).unwrap_or(u8::MAX);
    let codes = [
        code(fact.act.map(AccessAct::number)),
        code(Some(fact.outcome.number())),
        code(fact.purpose.map(Purpose::number)),
        code(fact.class.map(DocumentClass::number)),
    ];
    let counterpart = fact.counterpart.as_ref().map(|code| *code.padded()).unwrap_or_default();
    Slot::new(
        Table::Fact as u8,
        &[&fact.hour.to_be_bytes(), fact.organisation.padded(), &counterpart, &codes],
    )
}

/// The first event of a patient's act that was counted.
pub fn counted(organisation: &Code, audit_line: &Digest) -> Slot<Place> {
    Slot::new(Table::Counted as u8, &[audit_line.as_bytes(), organisation.padded()])
}

/// Permits for a member that were signed by passkeys for which nobody else vouched.
pub fn self_vouched(member: &Code) -> Slot<Count> {
    Slot::new(Table::SelfVouched as u8, &[member.padded()])
}

/// What the log has of a release.
pub fn pairing(release: &Digest) -> Slot<Pairing> {
    Slot::new(Table::Pairing as u8, &[release.as_bytes()])
}

/// A release or a delivery that has no other half, by the time from which it is to be looked at.
pub fn single(due: Timestamp, release: &Digest, member: &Code) -> Slot<Single> {
    // Times before 1970 are none of a release.
    let due = u64::try_from(due.unix_ms()).unwrap_or(0);
    Slot::new(Table::Single as u8, &[&due.to_be_bytes(), release.as_bytes(), member.padded()])
}

/// The event by which an organisation told of a release, or of its delivery.
pub fn release_event(release: &Digest, organisation: &Code) -> Slot<Place> {
    Slot::new(Table::ReleaseEvent as u8, &[release.as_bytes(), organisation.padded()])
}

/// How many anchors of its audit a member has said.
pub fn anchor_count(member: &Code) -> Slot<EventCount> {
    Slot::new(Table::AnchorCount as u8, &[member.padded()])
}

/// Where an anchor of a member's audit stands, from 1.
pub fn anchor(member: &Code, number: u64) -> Slot<Place> {
    Slot::new(Table::Anchor as u8, &[member.padded(), &number.to_be_bytes()])
}

/// Places of the log in one stretch.
pub const STRETCH_LEN: u64 = 1_024;

/// Where a member's own words about subjects stand in a stretch of the log, counted from 0.
pub fn stretch(member: &Code, number: u64) -> Slot<Page> {
    Slot::new(Table::Stretch as u8, &[member.padded(), &number.to_be_bytes()])
}

/// What members have found that cannot be.
pub fn alarms() -> Slot<kept::Alarms> {
    Slot::new(Table::Alarms as u8, &[])
}

/// What a member tells of the quality of one of its days; days take turns in these slots.
pub(crate) fn quality(member: &Code, day: u32) -> Slot<kept::Quality> {
    Slot::new(Table::Quality as u8, &[member.padded(), &(day % QUALITY_DAYS).to_be_bytes()])
}

/// What is known of member lists.
pub fn lists() -> Slot<Lists> {
    Slot::new(Table::Lists as u8, &[])
}

/// The place of a member list.
pub fn list_place(version: u64) -> Slot<Place> {
    Slot::new(Table::ListPlace as u8, &[&version.to_be_bytes()])
}

/// How often people in a role broke the glass at a member on a day, counted since 1970-01-01 UTC.
pub fn broken_glass(day: u32, member: &Code, role: PersonRole) -> Slot<Count> {
    by_role(Table::BrokenGlass, day, member, role)
}

/// How often they opened documents of other members.
pub fn openings(day: u32, member: &Code, role: PersonRole) -> Slot<Count> {
    by_role(Table::Openings, day, member, role)
}

fn by_role(table: Table, day: u32, member: &Code, role: PersonRole) -> Slot<Count> {
    let number = role.number().to_be_bytes();
    Slot::new(table as u8, &[&day.to_be_bytes(), member.padded(), &number])
}

/// Reads member and role back from the key of such a count of a table.
pub fn read_by_role(of: Table, key: &[u8]) -> Option<(Code, PersonRole)> {
    let (table, rest) = key.split_first()?;
    let (member, role) = rest.get(4..)?.split_first_chunk::<32>()?;
    (*table == of as u8).then_some(())?;
    let member = std::str::from_utf8(member).ok()?.trim_end_matches('\0');
    let role = PersonRole::try_from(u32::from_be_bytes(role.try_into().ok()?)).ok()?;
    Some((Code::new(member).ok()?, role))
}

/// Reads a fact back from its key.
pub fn read_fact(key: &[u8]) -> Option<Fact> {
    let key: &[u8; FACT_KEY_LEN] = key.try_into().ok()?;
    let (table, rest) = key.split_first()?;
    let (hour, rest) = rest.split_first_chunk::<4>()?;
    let (organisation, rest) = rest.split_first_chunk::<32>()?;
    let (counterpart, codes) = rest.split_first_chunk::<32>()?;
    let [act, outcome, purpose, class] = codes.try_into().ok()?;
    let name = |bytes: &[u8; 32]| Code::new(std::str::from_utf8(bytes).ok()?.trim_end_matches('\0')).ok();
    (*table == Table::Fact as u8).then_some(())?;
    Some(Fact {
        hour: u32::from_be_bytes(*hour),
        organisation: name(organisation)?,
        counterpart: name(counterpart),
        act: AccessAct::try_from(u32::from(act)).ok(),
        outcome: AccessOutcome::try_from(u32::from(outcome)).ok()?,
        purpose: Purpose::try_from(u32::from(purpose)).ok(),
        class: DocumentClass::try_from(u32::from(class)).ok(),
    })
}
