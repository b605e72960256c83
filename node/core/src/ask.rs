//! What is answered from what is kept: patients, documents, reviews, problems, counters, the outbox. Questions change nothing.
//!
//! Not here: who may ask. What describes a patient comes back as [`Phi`].

use prost::Message;
use yiqiao_intake::facts::ReviewReason;
use yiqiao_intake::patient;
use yiqiao_proto::codes::{RefusalCode, WithdrawalReason};
use yiqiao_proto::entry::Link;
use yiqiao_proto::id::{Code, DocumentId, EntryId, Subject};
use yiqiao_proto::person::Identifier;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;
use yiqiao_proto::wire::words;

use crate::apply::{REVIEW_DONE, REVIEW_OPEN, REVIEW_REPLAYED};
use crate::death;
use crate::deposit;
use crate::holder::day_of;
pub use crate::holder::{Gone, releases};
use crate::intake::read_reason;
use crate::limits::PAGE_MAX;
use crate::machine::Machine;
use crate::person;
use crate::remark::{self, Remarks};
pub use crate::said::{Waiting, WordState, directive, refused, waiting, word};
use crate::state::kept::{self, DocumentData, PersonData};
use crate::state::{self, Fault, View, damaged, read_document_id, read_entry_id, read_subject, read_token};

/// A patient.
#[derive(Clone, Debug)]
pub struct Patient {
    /// Under which name its documents are published.
    pub subject: Subject,
    /// Subjects that were merged into it: their documents are its own.
    pub retired: Vec<Subject>,
    /// What is known of the person, with visits and who treats.
    pub data: Phi<PersonData>,
    /// Remarks.
    pub remarks: Remarks,
    /// The tokens that the region was told.
    pub tokens: Vec<Token>,
    /// When the patient died, as far as a desk has recorded it.
    pub died: Option<Timestamp>,
}

/// A document and how far it is published.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its id at the source.
    pub entry: EntryId,
    /// The patient.
    pub subject: Subject,
    /// The sealed file.
    pub document: DocumentId,
    /// The file's key, wrapped by the node's own.
    pub wrapped_key: Vec<u8>,
    /// What the index says, but for the link.
    pub index: words::Entry,
    /// Title, author, visit.
    pub data: Phi<DocumentData>,
    /// The system that sent it.
    pub system: String,
    /// When it came.
    pub filed_at: Timestamp,
    /// The one whose place it took.
    pub replaces: Option<EntryId>,
    /// Whether another took its place.
    pub replaced: bool,
    /// Whether it was withdrawn.
    pub withdrawn: bool,
    /// Remarks.
    pub remarks: Remarks,
    /// Its place in the log, once it is published.
    pub receipt: Option<kept::Receipt>,
}

/// A message that was kept for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Counts from 1.
    pub number: u64,
    /// Why.
    pub reason: Option<ReviewReason>,
    /// Who sent it.
    pub system: String,
    /// The sealed message.
    pub original: DocumentId,
    /// Its key, wrapped by the node's own.
    pub wrapped_key: Vec<u8>,
    /// Its length.
    pub size: u64,
    /// When it came.
    pub at: Timestamp,
    /// How far it is.
    pub state: ReviewState,
}

/// How far a review is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewState {
    /// Nobody has settled it.
    Open,
    /// The same message was handed in again and understood.
    Replayed,
    /// Staff settled it.
    Done,
}

/// A subject whose publishing stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counts from 1.
    pub number: u64,
    /// Of whom.
    pub subject: Subject,
    /// How the registry refused.
    pub code: Option<RefusalCode>,
    /// The clause.
    pub clause: String,
    /// When.
    pub at: Timestamp,
    /// Whether it goes on.
    pub resumed: bool,
}

/// What waits to be published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Subjects of which something can be sent.
    pub subjects: u64,
    /// Entries and withdrawals without a receipt that are to leave the hospital.
    pub words: u64,
    /// Those that stay, because their patients have no identifier under which they could be told (T-2).
    pub held: u64,
    /// These patients.
    pub held_subjects: u64,
    /// Since when the longest waiting subject waits.
    pub oldest: Option<Timestamp>,
}

/// One thing that was or will be published of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The entry.
    pub entry: EntryId,
    /// Why it was withdrawn, if this is that.
    pub withdrawal: Option<WithdrawalReason>,
    /// Its place in the chain, once it was sent.
    pub link: Option<Link>,
    /// Its place in the log, once it is published.
    pub receipt: Option<kept::Receipt>,
}

impl Machine {
    /// The patient with a number of the hospital, through all merges.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn patient_by_number(&self, id: &patient::Identifier, view: &View) -> Result<Option<Patient>, Fault> {
        let known = person::by_number(self, view, &person::number_tag(self, id))?;
        known.map(|known| patient_of(known, view)).transpose()
    }

    /// The patients with an identifier of the person.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn patients_by_identifier(&self, id: &Identifier, view: &View) -> Result<Vec<Subject>, Fault> {
        let tag = person::identifier_tag(&self.keys.at_rest, id);
        let mut found = Vec::new();
        for subject in view.get(&state::identifier(&tag))?.subjects {
            let subject = person::root(view, read_subject(&subject)?)?;
            if !found.contains(&subject) {
                found.push(subject);
            }
        }
        Ok(found)
    }

    /// A patient, through all merges.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn patient(&self, subject: &Subject, view: &View) -> Result<Option<Patient>, Fault> {
        if view.find(&state::patient(subject))?.is_none() {
            return Ok(None);
        }
        let known = person::load(self, view, person::root(view, *subject)?)?;
        patient_of(known, view).map(Some)
    }

    /// A document.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn document(&self, entry: &EntryId, view: &View) -> Result<Option<Document>, Fault> {
        let Some(kept) = view.find(&state::document(entry))? else { return Ok(None) };
        let index = kept.entry.ok_or_else(damaged)?;
        let subject = read_subject(&index.subject)?;
        let plain = self.keys.at_rest.open(entry.as_bytes(), &kept.data).map_err(|_| damaged())?;
        let data = DocumentData::decode(plain.as_slice()).map_err(|_| damaged())?;
        let replaces = if kept.replaces.is_empty() { None } else { Some(read_entry_id(&kept.replaces)?) };
        Ok(Some(Document {
            entry: *entry,
            subject,
            document: read_document_id(&index.document)?,
            wrapped_key: kept.wrapped_key,
            data: Phi::new(data),
            system: kept.system,
            filed_at: timestamp(kept.filed_at)?,
            replaces,
            replaced: kept.replaced,
            withdrawn: kept.withdrawn,
            remarks: remark::read(&kept.remarks),
            receipt: view.get(&state::item(&subject, kept.item))?.receipt,
            index,
        }))
    }
}

impl Machine {
    /// The documents of one subject in the order in which they were filed, after an item of its chain: those of at most
    /// [`PAGE_MAX`] items, and the item to go on after; none at the end.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn documents_of(
        &self,
        subject: &Subject,
        after: u64,
        view: &View,
    ) -> Result<(Vec<Document>, Option<u64>), Fault> {
        let items = items(subject, after, view)?;
        let published = (after.saturating_add(1)..).zip(&items).filter(|(_, item)| item.withdrawal.is_none());
        let published: Vec<(u64, EntryId)> = published.map(|(number, item)| (number, item.entry)).collect();
        view.need(&published.iter().map(|(_, entry)| state::document(entry)).collect::<Vec<_>>())?;
        let mut entries = Vec::new();
        for (number, entry) in published {
            // One that was published anew is listed where it stands now.
            if view.get(&state::document(&entry))?.item == number {
                entries.push(entry);
            }
        }
        let found: Vec<Option<Document>> =
            entries.iter().map(|entry| self.document(entry, view)).collect::<Result<_, _>>()?;
        let seen = after.saturating_add(items.len() as u64);
        let next = (seen < view.get(&state::chain(subject))?.items).then_some(seen);
        Ok((found.into_iter().flatten().collect(), next))
    }
}

/// How many patients had come when this one did, itself counted: its number within this node.
///
/// # Errors
/// [`Fault`] if the view lacks something.
pub fn ordinal(subject: &Subject, view: &View) -> Result<u64, Fault> {
    Ok(view.get(&state::patient(&person::root(view, *subject)?))?.ordinal)
}

/// The patient of a number within this node, through all merges.
///
/// # Errors
/// [`Fault`] if the view lacks something.
pub fn at_ordinal(ordinal: u64, view: &View) -> Result<Option<Subject>, Fault> {
    let Some(found) = view.find(&state::ordinal(ordinal))? else { return Ok(None) };
    person::root(view, read_subject(&found.subject)?).map(Some)
}

/// What was or will be published of one subject, in the order of its chain, after an item: at most [`PAGE_MAX`].
///
/// # Errors
/// [`Fault`] if the view lacks something.
pub fn items(subject: &Subject, after: u64, view: &View) -> Result<Vec<Item>, Fault> {
    let to = view.get(&state::chain(subject))?.items.min(after.saturating_add(PAGE_MAX));
    let slots: Vec<_> = (after.saturating_add(1)..=to).map(|number| state::item(subject, number)).collect();
    view.need(&slots)?;
    slots.iter().map(|slot| read_item(&view.get(slot)?)).collect()
}

/// What became of the messages of a system.
///
/// # Errors
/// [`Fault`] if the view lacks something.
pub fn counters(system: &Code, view: &View) -> Result<state::Counters, Fault> {
    view.get(&state::counters(system))
}

/// What waits to be published.
///
/// # Errors
/// [`Fault`] if the view lacks something.
pub fn depth(view: &View) -> Result<Depth, Fault> {
    let ledger = view.get(&state::ledger())?;
    let mut oldest = None;
    if ledger.subjects_waiting > 0 {
        let first = (ledger.queue_head + 1..=ledger.queue_tail).take(usize::try_from(PAGE_MAX).unwrap_or(0));
        let slots: Vec<_> = first.map(state::queue).collect();
        view.need(&slots)?;
        for slot in &slots {
            let queued = view.get(slot)?;
            if !queued.subject.is_empty() {
                oldest = Some(timestamp(queued.since)?);
                break;
            }
        }
    }
    Ok(Depth {
        subjects: ledger.subjects_waiting,
        words: ledger.words_waiting.saturating_sub(ledger.words_held),
        held: ledger.words_held,
        held_subjects: ledger.subjects_held,
        oldest,
    })
}

/// How much of what a day allows of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Tokens that came to this node today, in UTC.
    pub used: u64,
    /// So many a day, and beyond them what is left of the backfill budget.
    pub allowed: u64,
}

impl Machine {
    /// How many tokens of today's allowance this node has had, once they are four fifths of it (T-5). What was counted of calls whose
    /// answers were lost is not known here.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn tokens_nearly_used(&self, now: Timestamp, view: &View) -> Result<Option<Allowance>, Fault> {
        let ledger = view.get(&state::ledger())?;
        let allowed = self.directory.list().policy.evaluations_per_day;
        let used = if ledger.evaluated_day == day_of(now.unix_ms()) { ledger.evaluated } else { 0 };
        let is_near = used > 0 && used >= allowed - allowed / 5;
        Ok(is_near.then_some(Allowance { used, allowed }))
    }
}

/// Messages kept for review, after a number: at most [`PAGE_MAX`].
///
/// # Errors
/// [`Fault`] if the view lacks something.
pub fn reviews(after: u64, view: &View) -> Result<Vec<Review>, Fault> {
    let to = view.get(&state::ledger())?.reviews.min(after.saturating_add(PAGE_MAX));
    let numbers: Vec<u64> = (after.saturating_add(1)..=to).collect();
    view.need(&numbers.iter().map(|number| state::review(*number)).collect::<Vec<_>>())?;
    numbers.into_iter().map(|number| read_review(number, view.get(&state::review(number))?)).collect()
}

/// Subjects whose publishing stopped, after a number: at most [`PAGE_MAX`].
///
/// # Errors
/// [`Fault`] if the view lacks something.
pub fn problems(after: u64, view: &View) -> Result<Vec<Problem>, Fault> {
    let to = view.get(&state::ledger())?.problems.min(after.saturating_add(PAGE_MAX));
    let numbers: Vec<u64> = (after.saturating_add(1)..=to).collect();
    view.need(&numbers.iter().map(|number| state::problem(*number)).collect::<Vec<_>>())?;
    numbers.into_iter().map(|number| read_problem(number, view.get(&state::problem(number))?)).collect()
}

/// Whether anything refers to a sealed file; what nothing refers to is left over from a crash, or was never described, and
/// may go.
///
/// # Errors
/// [`Fault`] if the view lacks something.
pub fn is_in_use(document: &DocumentId, now: Timestamp, view: &View) -> Result<bool, Fault> {
    let used = view.get(&state::vault(document))?;
    let is_filed = !used.entry_id.is_empty() || !used.paper_of.is_empty() || used.review != 0;
    Ok(is_filed || deposit::is_kept(&used, now))
}

pub(crate) fn patient_of(known: person::Known, view: &View) -> Result<Patient, Fault> {
    let died = death::died(&known.subject, view)?;
    let tokens = view.get(&state::chain(&known.subject))?.tokens;
    Ok(Patient {
        subject: known.subject,
        retired: known.state.retired.iter().map(|id| read_subject(id)).collect::<Result<_, _>>()?,
        data: Phi::new(known.data),
        remarks: remark::read(&known.state.remarks),
        tokens: tokens.iter().map(read_token).collect::<Result<_, _>>()?,
        died,
    })
}

fn read_item(item: &state::Item) -> Result<Item, Fault> {
    Ok(Item {
        entry: read_entry_id(&item.entry_id)?,
        withdrawal: WithdrawalReason::try_from(item.reason).ok(),
        link: item.link.as_ref().map(Link::read).transpose().map_err(|_| damaged())?,
        receipt: item.receipt,
    })
}

fn read_review(number: u64, review: state::Review) -> Result<Review, Fault> {
    let state = match review.state {
        REVIEW_OPEN => ReviewState::Open,
        REVIEW_REPLAYED => ReviewState::Replayed,
        REVIEW_DONE => ReviewState::Done,
        _ => return Err(damaged()),
    };
    Ok(Review {
        number,
        reason: read_reason(review.reason),
        system: review.system,
        original: read_document_id(&review.document)?,
        wrapped_key: review.wrapped_key,
        size: review.size,
        at: timestamp(review.at)?,
        state,
    })
}

fn read_problem(number: u64, problem: state::Problem) -> Result<Problem, Fault> {
    Ok(Problem {
        number,
        subject: read_subject(&problem.subject)?,
        code: RefusalCode::try_from(problem.code).ok(),
        clause: problem.clause,
        at: timestamp(problem.at)?,
        resumed: problem.resumed,
    })
}

fn timestamp(ms: i64) -> Result<Timestamp, Fault> {
    Timestamp::from_unix_ms(ms).ok_or_else(damaged)
}
