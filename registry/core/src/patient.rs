//! What belongs to one patient's token: subjects, holders, events, and the questions that the patient asks (A-4, F-4, F-5).

use yiqiao_consent::InForce;
use yiqiao_proto::codes::{PatientQuestion, RefusalCode};
use yiqiao_proto::directive::{Act, PatientQuery};
use yiqiao_proto::entry::Entry;
use yiqiao_proto::envelope::Verified;
use yiqiao_proto::head::Head;
use yiqiao_proto::id::{Code, Subject as SubjectId};
use yiqiao_proto::lease::{AcceptedAct, Change, HeadChange, Told};
use yiqiao_proto::log::Opening;
use yiqiao_proto::release::Release;
use yiqiao_proto::time::Millis;
use yiqiao_proto::token::Token;

use crate::consent::{accepted, check_proof, record_of};
use crate::credential;
use crate::index::read_tokens;
use crate::inventory;
use crate::lease::{answered, need_feeds, push};
use crate::limits::RECIPIENTS_MAX;
use crate::machine::{Outcome, Stop, Work, refuse};
use crate::state::{self, Fault, Holder, PAGE_LEN, SubjectRef, View};
use crate::take::{Standing, damaged, one, read_opening};

/// How old a patient's question may be when it comes, and how far ahead of the registry's clock.
const QUESTION_AGE_MAX: Millis = Millis::from_secs(300);

/// The answer to a patient's question for the own consents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consents {
    /// The head.
    pub head: Head,
    /// All directives in force.
    pub directives: Vec<AcceptedAct>,
}

/// The answer to a patient's question for the own events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Events {
    /// Words that concern the patient, oldest first.
    pub events: Vec<Opening>,
    /// Where the next page starts.
    pub next_seq: Option<u64>,
}

/// Answers a patient's question, which is kept: reading is an event.
pub(crate) fn ask(work: &mut Work<'_>, query: &Verified<Act<PatientQuery>>) -> Result<Outcome, Stop> {
    let said = &query.word().said;
    let age = work.now.since(said.at).max(said.at.since(work.now));
    if age > QUESTION_AGE_MAX {
        return Err(refuse(RefusalCode::Stale, "A-4"));
    }
    check_proof(work, query.word(), &said.patient)?;
    one(work, query, |_| Ok(()))?;
    match said.what {
        PatientQuestion::Consents => {
            let consent = work.view.get(&state::consent(&said.patient))?;
            let record = record_of(&consent)?;
            Ok(Outcome::Consents(Consents { head: record.head(), directives: accepted(&consent)? }))
        }
        PatientQuestion::Holdings => {
            Ok(Outcome::Holdings(inventory::of_patient(work, query.signer(), &said.patient)?))
        }
        PatientQuestion::Events => events(work.view, &said.patient, said.from_seq, said.count)
            .map(Outcome::Events)
            .map_err(Stop::from),
    }
}

/// A page of a patient's events: so many words, or as many of them as fit one answer.
fn events(view: &View, token: &Token, from_seq: u64, count: u32) -> Result<Events, Fault> {
    let due = event_places(view, token, from_seq, u64::from(count) + 1)?;
    let slots: Vec<_> = due.iter().take(count as usize).map(|seq| state::journal(*seq)).collect();
    view.need(&slots)?;
    let read = |(seq, slot)| read_opening(&view.get(slot)?, seq);
    let mut events: Vec<Opening> = due.iter().copied().zip(&slots).map(read).collect::<Result<_, Fault>>()?;
    events.truncate(answered(events.iter().map(|opening| opening.envelope.len())));
    let next_seq = due.get(events.len()).copied();
    Ok(Events { events, next_seq })
}

/// The first so many places of a patient's events from a place on, or some more. Places ascend: the page where they begin
/// is found by halves, and none before it is read.
fn event_places(view: &View, token: &Token, from_seq: u64, count: u64) -> Result<Vec<u64>, Fault> {
    let pages = view.get(&state::event_count(token))?.events.div_ceil(PAGE_LEN);
    let (mut first, mut end) = (0, pages);
    while first < end {
        let middle = first + (end - first) / 2;
        let seqs = view.get(&state::event_page(token, middle))?.seqs;
        if seqs.last().is_some_and(|last| *last < from_seq) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    let last = pages.min(first + count.div_ceil(PAGE_LEN) + 1);
    let slots: Vec<_> = (first..last).map(|page| state::event_page(token, page)).collect();
    view.need(&slots)?;
    let mut places = Vec::new();
    for slot in &slots {
        places.extend(view.get(slot)?.seqs.into_iter().filter(|seq| *seq >= from_seq));
    }
    Ok(places)
}

/// Asks at once for all that is read of many tokens when who files under them, or hears of them, changes.
pub(crate) fn load_ahead(tokens: &[Token], view: &View) -> Result<(), Fault> {
    view.need(&tokens.iter().map(state::subjects).collect::<Vec<_>>())?;
    view.need(&tokens.iter().map(state::holders).collect::<Vec<_>>())?;
    view.need(&tokens.iter().map(state::credentials_of).collect::<Vec<_>>())?;
    view.need(&tokens.iter().map(state::consent).collect::<Vec<_>>())
}

/// The same for words that are events of many.
pub(crate) fn load_events(tokens: &[Token], view: &View) -> Result<(), Fault> {
    let counts: Vec<_> = tokens.iter().map(state::event_count).collect();
    view.need(&counts)?;
    let mut pages = Vec::new();
    for (token, count) in tokens.iter().zip(&counts) {
        pages.push(state::event_page(token, view.get(count)?.events / PAGE_LEN));
    }
    view.need(&pages)
}

/// Adds a word to the patient's events.
pub(crate) fn add_event(token: &Token, seq: u64, view: &mut View) -> Result<(), Fault> {
    let slot = state::event_count(token);
    let mut count = view.get(&slot)?;
    let page_slot = state::event_page(token, count.events / PAGE_LEN);
    let mut page = view.get(&page_slot)?;
    page.seqs.push(seq);
    count.events += 1;
    view.put(&page_slot, &page);
    view.put(&slot, &count);
    Ok(())
}

/// A subject has this token from now on.
pub(crate) fn add_subject(
    token: &Token,
    publisher: &Code,
    subject: &SubjectId,
    view: &mut View,
) -> Result<(), Fault> {
    let slot = state::subjects(token);
    let mut known = view.get(&slot)?;
    let subject = SubjectRef { publisher: publisher.to_string(), subject: subject.as_bytes().to_vec() };
    if !known.subjects.contains(&subject) {
        known.subjects.push(subject);
    }
    view.put(&slot, &known);
    Ok(())
}

/// A subject no longer has this token.
pub(crate) fn drop_subject(
    token: &Token,
    publisher: &Code,
    subject: &SubjectId,
    had_entries: bool,
    view: &mut View,
) -> Result<(), Fault> {
    let slot = state::subjects(token);
    let mut known = view.get(&slot)?;
    let same =
        |other: &SubjectRef| other.publisher == publisher.as_str() && other.subject == subject.as_bytes();
    known.subjects.retain(|other| !same(other));
    view.put(&slot, &known);
    if !had_entries {
        return Ok(());
    }
    let slot = state::holders(token);
    let mut known = view.get(&slot)?;
    if let Some(holder) = find(&mut known.holders, publisher.as_str()) {
        holder.subjects = holder.subjects.saturating_sub(1);
    }
    known.holders.retain(|holder| holder.subjects > 0 || holder.releases > 0);
    view.put(&slot, &known);
    Ok(())
}

/// A member has documents of the patient from now on: the whole head goes on its feed (F-5).
pub(crate) fn add_holder(token: &Token, member: &Code, view: &mut View) -> Result<(), Fault> {
    let slot = state::holders(token);
    let mut known = view.get(&slot)?;
    match find(&mut known.holders, member.as_str()) {
        Some(holder) => holder.subjects += 1,
        None => known.holders.push(Holder { member: member.to_string(), subjects: 1, releases: 0 }),
    }
    view.put(&slot, &known);
    tell_all(token, member, view)
}

/// Tells a member all that decides about a patient: the credentials first, for directives may rest on them.
fn tell_all(token: &Token, member: &Code, view: &mut View) -> Result<(), Fault> {
    credential::tell(token, member, view)?;
    tell_head(token, &[member.as_str()], view)
}

/// P-2, P-4: of an entry that stands, for its document and the tokens of its own subject, to a recipient that is a member.
pub(crate) fn check_release(work: &Work<'_>, release: &Release) -> Result<(), Stop> {
    let terms = &release.terms;
    let known = work.view.find(&state::entry(&terms.holder, &terms.entry_id))?;
    let recipient = work.machine.directory.member(&terms.recipient).is_some_and(|member| !member.suspended);
    let Some(entry) = known.filter(|entry| !entry.withdrawn && recipient) else {
        return Err(refuse(RefusalCode::Nothing, "P-4"));
    };
    let id = entry.subject.as_slice().try_into().ok().and_then(SubjectId::new).ok_or_else(damaged)?;
    let tokens = read_tokens(&work.view.get(&state::subject(&terms.holder, &id))?)?;
    let word = Standing::of(&work.view.get(&state::journal(entry.seq))?)?.read::<Entry>()?;
    let own = terms.heads.iter().map(|(token, _)| token).eq(&tokens) && word.document == terms.document;
    if own { Ok(()) } else { Err(refuse(RefusalCode::Malformed, "P-2")) }
}

/// What follows from a release: the recipient hears of the patient's consent from now on, and of a withdrawal (F-4).
pub(crate) fn apply_release(release: &Release, view: &mut View) -> Result<(), Fault> {
    let terms = &release.terms;
    let slot = state::entry(&terms.holder, &terms.entry_id);
    let mut entry = view.get(&slot)?;
    let recipient = terms.recipient.to_string();
    if entry.recipients.len() < RECIPIENTS_MAX && !entry.recipients.contains(&recipient) {
        entry.recipients.push(recipient);
        view.put(&slot, &entry);
    }
    load_ahead(&terms.heads.iter().map(|(token, _)| *token).collect::<Vec<_>>(), view)?;
    for (token, _) in &terms.heads {
        let slot = state::holders(token);
        let mut known = view.get(&slot)?;
        let first = match find(&mut known.holders, terms.recipient.as_str()) {
            Some(holder) => {
                holder.releases = holder.releases.saturating_add(1);
                false
            }
            None => {
                let holder = Holder { member: terms.recipient.to_string(), subjects: 0, releases: 1 };
                known.holders.push(holder);
                true
            }
        };
        view.put(&slot, &known);
        if first {
            tell_all(token, &terms.recipient, view)?;
        }
    }
    Ok(())
}

/// Puts the patient's whole head on the feeds of members, each directive as far as it concerns the one (F-4).
pub(crate) fn tell_head(token: &Token, members: &[&str], view: &mut View) -> Result<(), Fault> {
    need_feeds(members.iter().copied(), view)?;
    let consent = view.get(&state::consent(token))?;
    let (record, acts) = (record_of(&consent)?, accepted(&consent)?);
    let head = record.head();
    for member in members {
        let reader = Code::new(*member).map_err(|_| damaged())?;
        let told = acts.iter().zip(record.in_force()).map(|(act, standing)| told_to(&reader, act, standing));
        let change = HeadChange { patient: *token, head, directives: told.collect() };
        push(&reader, &Change::Head(change), view)?;
    }
    Ok(())
}

/// A directive in force, as far as it concerns a member.
fn told_to(reader: &Code, act: &AcceptedAct, standing: &InForce) -> AcceptedAct {
    if concerns(reader, standing) {
        return act.clone();
    }
    AcceptedAct { version: act.version, act: Told::Commitment(act.act.commitment()) }
}

/// Whether a member needs to know a directive: as custodian, or as grantee; who is not named is meant too. A forbid of everybody
/// also ends the opening of copies at whoever has had them.
fn concerns(reader: &Code, act: &InForce) -> bool {
    let means = |named: Option<&Code>| named.is_none_or(|named| named == reader);
    means(act.directive.custodian.as_ref()) || means(act.directive.grantee.organisation.as_ref())
}

fn find<'a>(holders: &'a mut [Holder], member: &str) -> Option<&'a mut Holder> {
    holders.iter_mut().find(|holder| holder.member == member)
}
