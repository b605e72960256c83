//! Search: the entries that `decide` permits to the asker, and nothing that tells of others.

use std::collections::BTreeSet;

use yiqiao_consent::{Document, Patient, Record, Request, decide};
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{AccessAct, AccessOutcome};
use yiqiao_proto::entry::Entry;
use yiqiao_proto::envelope::{Envelope, Kind, Verified};
use yiqiao_proto::id::{Code, Digest, EntryId, Subject as SubjectId};
use yiqiao_proto::log::Opening;
use yiqiao_proto::search::{SearchAnswer, SearchQuery};
use yiqiao_proto::token::Token;

use crate::consent::record_of;
use crate::index::{chain_places, read_tokens};
use crate::limits::SEARCH_LOOKS_MAX;
use crate::machine::{Machine, Stop, ToTake, Work};
use crate::state::{self, EntryState, Fault, View};
use crate::take::{Standing, damaged};

/// What a search found, before the checkpoint at which it holds is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Hash of the query's payload.
    pub query: Digest,
    /// Openings of the permitted entries, ascending by place.
    pub entries: Vec<Opening>,
    /// Where the next page starts.
    pub next_seq: Option<u64>,
}

impl Machine {
    /// Signs the answer to a search at a durable checkpoint.
    pub fn answer(&self, found: &Found, checkpoint: &[u8]) -> Envelope {
        let answer = SearchAnswer {
            query: found.query,
            checkpoint: checkpoint.to_vec(),
            entries: found.entries.clone(),
            next_seq: found.next_seq,
        };
        Envelope::sign(self.directory().region(), &answer, &self.keys.words)
    }
}

/// Searches; the first page is an event that the registry says.
pub(crate) fn search(work: &mut Work<'_>, query: &Verified<SearchQuery>) -> Result<Found, Stop> {
    let word = query.word();
    let subjects = subjects_of(work.view, word)?;
    let mut permitted = Vec::new();
    for subject in &subjects {
        subject.look(work, word, &mut permitted)?;
    }
    permitted.sort_by_key(|opening| opening.seq);
    permitted.dedup_by_key(|opening| opening.seq);
    let next_seq = permitted.get(word.count as usize).map(|opening| opening.seq);
    permitted.truncate(word.count as usize);
    if word.from_seq == 0 {
        say(work, word)?;
    }
    Ok(Found { query: query.envelope().payload_hash(), entries: permitted, next_seq })
}

/// The registry says that it was searched, found or not: unknown and known patients alike.
fn say(work: &mut Work<'_>, query: &SearchQuery) -> Result<(), Stop> {
    for patient in &query.patients {
        let event = AccessEvent {
            organisation: work.machine.code.clone(),
            counterpart: Some(query.asker.organisation.clone()),
            patient: *patient,
            act: AccessAct::Search,
            outcome: AccessOutcome::Permitted,
            clause: "Q-2".to_owned(),
            classes: query.classes.clone(),
            purpose: query.asker.purpose,
            role: query.asker.role,
            head_version: 0,
            directive: None,
            referral: query.asker.referral,
            release: None,
            documents: 0,
            size: 0,
            at: work.now,
            audit_line: None,
        };
        let region = work.machine.directory.region();
        let envelope = Envelope::sign(region, &event, &work.machine.keys.words);
        let signer = work.machine.code.clone();
        work.keep(ToTake { envelope: &envelope, signer: &signer, link: None })?;
    }
    Ok(())
}

/// One publisher's subject that has one of the tokens asked for, with what is in force for all its tokens.
struct Candidate {
    publisher: Code,
    subject: SubjectId,
    links: u64,
    records: Vec<(Token, Option<Record>)>,
}

fn subjects_of(view: &View, query: &SearchQuery) -> Result<Vec<Candidate>, Fault> {
    let slots: Vec<_> = query.patients.iter().map(state::patient).collect();
    view.need(&slots)?;
    let mut named = BTreeSet::new();
    for slot in &slots {
        for subject in view.get(slot)?.subjects {
            let publisher = Code::new(subject.publisher).map_err(|_| damaged())?;
            let id =
                subject.subject.as_slice().try_into().ok().and_then(SubjectId::new).ok_or_else(damaged)?;
            named.insert((publisher, id));
        }
    }
    let slots: Vec<_> = named.iter().map(|(publisher, id)| state::subject(publisher, id)).collect();
    view.need(&slots)?;
    let candidate = |((publisher, subject), slot): ((Code, SubjectId), &state::Slot<state::Subject>)| {
        let state = view.get(slot)?;
        let records = records_of(view, &read_tokens(&state)?)?;
        Ok(Candidate { publisher, subject, links: state.number, records })
    };
    named.into_iter().zip(&slots).map(candidate).collect()
}

fn records_of(view: &View, tokens: &[Token]) -> Result<Vec<(Token, Option<Record>)>, Fault> {
    let slots: Vec<_> = tokens.iter().map(state::patient).collect();
    view.need(&slots)?;
    let record = |(token, slot): (&Token, &state::Slot<state::Patient>)| {
        Ok((*token, Some(record_of(&view.get(slot)?)?)))
    };
    tokens.iter().zip(&slots).map(record).collect()
}

impl Candidate {
    /// Adds the entries of this subject that the asker may see.
    fn look(&self, work: &Work<'_>, query: &SearchQuery, permitted: &mut Vec<Opening>) -> Result<(), Stop> {
        let looks = self.links.min(SEARCH_LOOKS_MAX as u64);
        let seqs = chain_places(work.view, &self.publisher, &self.subject, 0, looks)?;
        let places: Vec<_> = seqs.iter().map(|seq| state::journal(*seq)).collect();
        work.view.need(&places)?;
        let entries = self.entries(work.view, &places)?;
        let slots: Vec<_> =
            entries.iter().map(|(_, entry)| state::entry(&self.publisher, &entry.entry_id)).collect();
        work.view.need(&slots)?;
        for ((standing, entry), slot) in entries.iter().zip(&slots) {
            let state = work.view.get(slot)?;
            // An id that was withdrawn may stand again elsewhere: the state is of the newest.
            let current = state.seq == standing.opening.seq && !state.withdrawn;
            if current && is_asked(query, standing, entry, &state) && self.permits(work, query, entry, &state)
            {
                permitted.push(standing.opening.clone());
            }
        }
        Ok(())
    }

    fn entries(
        &self,
        view: &View,
        places: &[state::Slot<state::Kept>],
    ) -> Result<Vec<(Standing, Entry)>, Fault> {
        let mut entries = Vec::new();
        for place in places {
            let standing = Standing::of(&view.get(place)?)?;
            if standing.envelope.kind() == Kind::Entry {
                let entry = standing.read::<Entry>()?;
                entries.push((standing, entry));
            }
        }
        Ok(entries)
    }

    fn permits(&self, work: &Work<'_>, query: &SearchQuery, entry: &Entry, state: &EntryState) -> bool {
        let document = document_of(entry, state);
        let own: Vec<_> = self.records.iter().map(|(token, record)| (*token, record.as_ref())).collect();
        let patient = Patient { own: &own, linked: &[] };
        let request = Request { asker: &query.asker, custodian: &self.publisher, document: &document };
        decide(&patient, &request, &work.machine.directory.list().policy, work.now).is_permit()
    }
}

/// Whether an entry is of those asked for.
fn is_asked(query: &SearchQuery, standing: &Standing, entry: &Entry, state: &EntryState) -> bool {
    let end = entry.service_end.or(entry.service_start).unwrap_or(entry.created_at);
    let start = entry.service_start.unwrap_or(entry.created_at);
    standing.opening.seq >= query.from_seq
        && (query.superseded || !state.replaced)
        && (query.classes.is_empty() || query.classes.contains(&entry.class))
        && (query.types.is_empty() || query.types.contains(&entry.document_type))
        && query.service_from.is_none_or(|from| end >= from)
        && query.service_until.is_none_or(|until| start < until)
}

fn document_of(entry: &Entry, state: &EntryState) -> Document {
    let id = |bytes: &Vec<u8>| bytes.as_slice().try_into().ok().and_then(EntryId::new);
    Document {
        entry_id: entry.entry_id,
        replaced: state.replaces.iter().filter_map(id).collect(),
        class: entry.class,
        sensitivity: entry.sensitivity,
        service_start: entry.service_start,
        service_end: entry.service_end,
    }
}
