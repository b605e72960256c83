//! Search: the entries that `decide` permits to the asker, and nothing that tells of others.

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_consent::{Document, Patient, Record, Request, decide};
use yiqiao_proto::access::{AccessEvent, InLog};
use yiqiao_proto::codes::{Purpose, RefusalCode};
use yiqiao_proto::entry::Entry;
use yiqiao_proto::envelope::{Envelope, Kind, Verified};
use yiqiao_proto::id::{Code, Digest, EntryId, Subject as SubjectId};
use yiqiao_proto::log::Opening;
use yiqiao_proto::search::{SearchAnswer, SearchQuery};
use yiqiao_proto::token::Token;

use crate::consent::counting;
use crate::decoys::Decoys;
use crate::index::{chain_pages, chain_places, read_tokens};
use crate::limits::SEARCH_LOOKS_MAX;
use crate::machine::{Machine, Stop, Work, refuse};
use crate::say;
use crate::state::{self, EntryState, Fault, Version, View};
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
    let decoys = Decoys {
        query: query.envelope().payload_hash(),
        publisher: query.signer(),
        words: work.machine.next_seq(),
    };
    if word.asker.purpose == Purpose::Emergency && !is_emergency(work, query)? {
        return Err(refuse(RefusalCode::OutOfOrder, "D-8"));
    }
    let known = Known::of(work, word, &decoys)?;
    let places = known.places(work.view, word.from_seq, &decoys)?;
    let mut permitted = Vec::new();
    let mut looked = 0;
    // At least once, also where there is nothing to look at.
    loop {
        let next = places.len().min(looked + SEARCH_LOOKS_MAX);
        known.look(work, word, places.get(looked..next).unwrap_or_default(), &decoys, &mut permitted)?;
        looked = next;
        // Places ascend: one more than the page holds says where the next page starts.
        if looked == places.len() || permitted.len() > word.count as usize {
            break;
        }
    }
    let next_seq = permitted.get(word.count as usize).map(|opening| opening.seq);
    permitted.truncate(word.count as usize);
    say::search(work, word)?;
    Ok(Found { query: query.envelope().payload_hash(), entries: permitted, next_seq })
}

/// Whether the asker has broken the glass over a patient asked for, not long ago: the event that it cites says so in the log (D-8).
fn is_emergency(work: &Work<'_>, query: &Verified<SearchQuery>) -> Result<bool, Fault> {
    let Some(cited) = &query.word().asker.break_glass else { return Ok(false) };
    let Some(place) = work.view.find(&state::said(query.signer(), cited))? else { return Ok(false) };
    let standing = Standing::of(&work.view.get(&state::journal(place.seq))?)?;
    if standing.envelope.kind() != Kind::AccessEvent {
        return Ok(false);
    }
    let event = standing.read::<AccessEvent>()?;
    let told = InLog { hash: *cited, event: &event, accepted_at: standing.opening.accepted_at };
    Ok(query.word().patients.contains(&event.patient) && told.declares_emergency(work.now))
}

/// One publisher's subject that has one of the tokens asked for.
struct Candidate {
    publisher: Code,
    subject: SubjectId,
    links: u64,
    tokens: Vec<Token>,
}

/// The subjects that have one of the tokens asked for, and what is in force for all tokens of theirs. Each kind of value
/// is asked for at once: a search takes as many rounds of loading over many subjects as over one.
struct Known {
    candidates: Vec<Candidate>,
    records: BTreeMap<Token, Record>,
    /// The entries that forbids name, each at every publisher of whom they may be: no more than can be in force (C-12),
    /// however long a series is.
    forbidden: BTreeSet<(Code, EntryId)>,
}

/// The entries that forbids name, by series, with their numbers in it: what stands later there took their place (C-5).
type Named = BTreeMap<u64, Vec<(u64, EntryId)>>;

impl Known {
    fn of(work: &Work<'_>, query: &SearchQuery, decoys: &Decoys<'_>) -> Result<Self, Fault> {
        let (view, directory) = (&*work.view, &work.machine.directory);
        let candidates = candidates_of(view, query, decoys)?;
        let tokens: BTreeSet<_> = candidates.iter().flat_map(|candidate| &candidate.tokens).collect();
        let slots: Vec<_> = tokens.iter().map(|token| state::consent(token)).collect();
        decoys.need_consents(view, &slots)?;
        let record = |(token, slot): (&Token, _)| Ok((*token, counting(&view.get(slot)?, directory, view)?));
        let records = all_or_missing(tokens.into_iter().zip(&slots).map(record))?;
        let forbidden = forbidden(&candidates, &records);
        Ok(Self { candidates, records, forbidden })
    }

    /// Where links of the candidates stand, from a place on, ascending.
    fn places(
        &self,
        view: &View,
        from_seq: u64,
        decoys: &Decoys<'_>,
    ) -> Result<Vec<(u64, &Candidate)>, Fault> {
        let pages =
            self.candidates.iter().flat_map(|of| chain_pages(&of.publisher, &of.subject, 0, of.links));
        decoys.need_pages(view, &pages.collect::<Vec<_>>())?;
        let mut places = Vec::new();
        for of in &self.candidates {
            let seqs = chain_places(view, &of.publisher, &of.subject, 0, of.links)?;
            places.extend(seqs.into_iter().filter(|seq| *seq >= from_seq).map(|seq| (seq, of)));
        }
        places.sort_unstable_by_key(|(seq, _)| *seq);
        Ok(places)
    }

    /// Adds the entries at these places that the asker may see.
    fn look(
        &self,
        work: &Work<'_>,
        query: &SearchQuery,
        places: &[(u64, &Candidate)],
        decoys: &Decoys<'_>,
        permitted: &mut Vec<Opening>,
    ) -> Result<(), Stop> {
        let entries = entries_at(work.view, places, decoys)?;
        let looked = entries.iter().map(|(of, _, entry)| (of.publisher.clone(), entry.entry_id));
        let all: BTreeSet<_> = looked.chain(self.forbidden.iter().cloned()).collect();
        let slots: Vec<_> = all.iter().map(|(publisher, id)| state::entry(publisher, id)).collect();
        decoys.need_entries(work.view, &slots)?;
        let named = self.named(work.view)?;
        for (of, standing, entry) in entries {
            let state = work.view.get(&state::entry(&of.publisher, &entry.entry_id))?;
            // An id that was withdrawn may stand again elsewhere: the state is of the newest.
            let current = state.seq == standing.opening.seq && !state.withdrawn;
            if current
                && is_asked(query, &standing, &entry, &state)
                && self.permits(work, query, of, &document_of(&entry, &state, &named))
            {
                permitted.push(standing.opening);
            }
        }
        Ok(())
    }

    fn permits(&self, work: &Work<'_>, query: &SearchQuery, of: &Candidate, document: &Document) -> bool {
        let own: Vec<_> = of.tokens.iter().map(|token| (*token, self.records.get(token))).collect();
        let patient = Patient { own: &own, linked: &[] };
        let request = Request { asker: &query.asker, custodian: &of.publisher, document };
        decide(&patient, &request, &work.machine.directory.list().policy, work.now).is_permit()
    }

    fn named(&self, view: &View) -> Result<Named, Fault> {
        let mut named = Named::new();
        for (publisher, id) in &self.forbidden {
            let state = view.get(&state::entry(publisher, id))?;
            for version in state.version.iter().chain(&state.former) {
                named.entry(version.series).or_default().push((version.number, *id));
            }
        }
        Ok(named)
    }
}

/// All of them, or everything that is missing for any of them at once.
fn all_or_missing<T: FromIterator<V>, V>(
    results: impl Iterator<Item = Result<V, Fault>>,
) -> Result<T, Fault> {
    let (mut values, mut missing) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(Fault::Missing { keys }) => missing.extend(keys),
            Err(damaged @ Fault::Damaged { .. }) => return Err(damaged),
        }
    }
    if missing.is_empty() { Ok(values.into_iter().collect()) } else { Err(Fault::Missing { keys: missing }) }
}

fn candidates_of(view: &View, query: &SearchQuery, decoys: &Decoys<'_>) -> Result<Vec<Candidate>, Fault> {
    let slots: Vec<_> = query.patients.iter().map(state::subjects).collect();
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
    decoys.need_subjects(view, &slots)?;
    let candidate = |((publisher, subject), slot): ((Code, SubjectId), &state::Slot<state::Subject>)| {
        let state = view.get(slot)?;
        Ok(Candidate { publisher, subject, links: state.number, tokens: read_tokens(&state)? })
    };
    named.into_iter().zip(&slots).map(candidate).collect()
}

fn forbidden(candidates: &[Candidate], records: &BTreeMap<Token, Record>) -> BTreeSet<(Code, EntryId)> {
    let named = |of: &Candidate| {
        let records = of.tokens.iter().filter_map(|token| records.get(token));
        records.flat_map(Record::forbidden).map(|id| (of.publisher.clone(), *id)).collect::<Vec<_>>()
    };
    candidates.iter().flat_map(named).collect()
}

/// The entries among the links at these places.
fn entries_at<'a>(
    view: &View,
    places: &[(u64, &'a Candidate)],
    decoys: &Decoys<'_>,
) -> Result<Vec<(&'a Candidate, Standing, Entry)>, Fault> {
    let slots: Vec<_> = places.iter().map(|(seq, _)| state::journal(*seq)).collect();
    decoys.need_words(view, &slots)?;
    let mut entries = Vec::new();
    for ((_, of), slot) in places.iter().zip(&slots) {
        let standing = Standing::of(&view.get(slot)?)?;
        if standing.envelope.kind() == Kind::Entry {
            let entry = standing.read::<Entry>()?;
            entries.push((*of, standing, entry));
        }
    }
    Ok(entries)
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

fn document_of(entry: &Entry, state: &EntryState, named: &Named) -> Document {
    let Version { series, number } = state.version.unwrap_or_default();
    let earlier = named.get(&series).into_iter().flatten().filter(|(earlier, _)| *earlier < number);
    Document {
        entry_id: entry.entry_id,
        replaced: earlier.map(|(_, id)| *id).collect(),
        class: entry.class,
        sensitivity: entry.sensitivity,
        service_start: entry.service_start,
        service_end: entry.service_end,
    }
}
