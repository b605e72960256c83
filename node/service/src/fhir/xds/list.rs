//! ITI-18: what this hospital has of a patient, its own and what others have let go to it, as the search of DocumentReferences finds it.

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_fhir::document::{Listing, Standing};
use yiqiao_fhir::patient;
use yiqiao_fhir::resource::Resource;
use yiqiao_fhir::search::{Token, Who};
use yiqiao_intake::facts::SourceId;
use yiqiao_node_core::ask::{self, Patient};
use yiqiao_node_core::audit::Act;
use yiqiao_node_core::limits::ROUNDS_MAX;
use yiqiao_node_core::machine::Machine;
use yiqiao_node_core::state::{self, Fault, View};
use yiqiao_proto::id::{EntryId, Subject};
use yiqiao_proto::phi::Phi;
use yiqiao_xds::limits::LEAVES_MAX;
use yiqiao_xds::listed::{self, Listed, Names, Replaced, Shown};
use yiqiao_xds::name::{self, Named, PatientId};
use yiqiao_xds::query::{Find, Given, Query, Wanted};
use yiqiao_xds::wrong::{Code, Wrong};

use super::super::answer::Refusal;
use super::super::caller::{Call, Right};
use super::super::documents::{self, Here};
use super::super::patients;
use super::{Failed, wrong};
use crate::limits::SEARCHED_DOCUMENTS_MAX;

/// Documents whose names are looked up by one question: each takes a few looks into the store, and one question has a bounded number.
const NAMED_AT_ONCE: usize = 32;

const _: () = assert!(4 * NAMED_AT_ONCE < ROUNDS_MAX);

/// A document that was found, and under which subject it was filed.
pub(super) struct Found {
    pub(super) listing: Listing,
    subject: Subject,
    patient: Patient,
}

/// Answers a question.
pub(super) async fn list(call: &Call, query: &Result<Query, Wrong>) -> Result<String, Failed> {
    call.may("DocumentReference", Right::Search)?;
    let query = match query {
        Ok(query) => query,
        Err(wrong) => return Ok(listed::query_failure(wrong)),
    };
    match answer(call, query).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(wrong)) => Ok(listed::query_failure(&wrong)),
        Err(refusal) => Ok(listed::query_failure(&wrong(refusal, Code::RegistryBusy, Code::Registry))),
    }
}

async fn answer(call: &Call, query: &Query) -> Result<Result<String, Wrong>, Refusal> {
    let found = match &query.wanted {
        Wanted::Find(find) => of_patients(call, &patients::of(call, &who(&find.patient)).await?).await?,
        Wanted::Entries(ids) => by_entries(call, ids).await?,
        Wanted::Uniques(ids) => by_uniques(call, ids).await?,
    };
    let find = if let Wanted::Find(find) = &query.wanted { Some(find.as_ref()) } else { None };
    let resources: Vec<Resource> = found.iter().map(|one| one.listing.write(&one.patient)).collect();
    let shown = found.iter().zip(&resources);
    let shown = shown.filter_map(|(one, resource)| Some((one, Shown::new(&one.listing, resource)?)));
    let (found, shown): (Vec<&Found>, Vec<Shown<'_>>) =
        shown.filter(|(_, shown)| find.is_none_or(|find| find.admits(shown))).unzip();
    if query.leaves && found.len() > LEAVES_MAX {
        let what = format!("more than {LEAVES_MAX} documents: narrow the question, or ask for ObjectRef");
        return Ok(Err(Wrong::new(Code::TooManyResults, what)));
    }
    let mut subjects: Vec<Subject> = found.iter().map(|found| found.patient.subject).collect();
    subjects.sort_unstable();
    subjects.dedup();
    call.audited(&subjects, Act::View).await?;
    let names = named(call, &found, find).await?;
    let mut listed: Vec<Listed<'_>> =
        shown.into_iter().zip(&names).map(|(shown, names)| Listed::new(shown, names)).collect();
    let replaced = match query.given {
        Given::Documents => Vec::new(),
        Given::Both | Given::Associations => replaced(call, &found).await?,
    };
    if query.given == Given::Associations {
        listed.clear();
    }
    Ok(Ok(listed::query_response(&listed, &replaced, query.leaves)))
}

/// What these documents have replaced, and by what they were.
async fn replaced(call: &Call, found: &[&Found]) -> Result<Vec<Replaced>, Refusal> {
    let patients: BTreeMap<Subject, Patient> =
        found.iter().map(|one| (one.patient.subject, one.patient.clone())).collect();
    let patients: Vec<Patient> = patients.into_values().collect();
    let mut all = of_patients(call, &patients).await?;
    all.retain(|one| one.listing.standing != Standing::EnteredInError);
    let is_asked = |one: &Found| found.iter().any(|asked| asked.listing.entry == one.listing.entry);
    let mut pairs = Vec::new();
    for newer in &all {
        let Some(entry) = newer.listing.replaces else { continue };
        let older = all
            .iter()
            .find(|one| one.listing.entry == entry && one.listing.custodian == newer.listing.custodian);
        pairs.extend(older.filter(|older| is_asked(newer) || is_asked(older)).map(|older| [newer, older]));
    }
    let names = named(call, pairs.as_flattened(), None).await?;
    let (pairs, _) = names.as_chunks::<2>();
    Ok(pairs
        .iter()
        .map(|[newer, older]| Replaced { by: newer.entry.clone(), what: older.entry.clone() })
        .collect())
}

/// A patient as this door is asked for one.
pub(super) fn who(patient: &PatientId) -> Who {
    let system = Some(patient.system.clone()).filter(|system| !system.is_empty());
    Who::Identifier(Token { system, value: patient.value.clone() })
}

pub(super) async fn of_patients(call: &Call, patients: &[Patient]) -> Result<Vec<Found>, Refusal> {
    let mut found: Vec<Found> = Vec::new();
    for patient in patients {
        for subject in std::iter::once(patient.subject).chain(patient.retired.iter().copied()) {
            let room = SEARCHED_DOCUMENTS_MAX.saturating_sub(found.len());
            let listings = documents::of_subject(call, subject, room).await?;
            found.extend(listings.into_iter().map(|listing| Found {
                listing,
                subject,
                patient: patient.clone(),
            }));
        }
    }
    Ok(found)
}

/// By their ids in the registry; those that are none are passed over, as ITI-18 has it.
pub(super) async fn by_entries(call: &Call, ids: &[String]) -> Result<Vec<Found>, Refusal> {
    let mut all = Vec::new();
    let mut of_patients_here: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
    for id in ids {
        if let Some(number) = name::patient_of_uuid(id) {
            of_patients_here.entry(number).or_default().insert(id);
        } else if let Some(here) = here(call, &Named::Source(uri(id))).await? {
            all.push(found(call, &here).await?);
        }
    }
    for (number, wanted) in of_patients_here {
        let subject = call.door.app.inbox.ask(move |_, view| ask::at_ordinal(number, view)).await?;
        let Some(subject) = subject else { continue };
        let patient = patients::one(call, Some(subject)).await?;
        // The patient may have been merged since: what is left of the id tells the document.
        let of_one = of_patients(call, &[patient]).await?.into_iter();
        all.extend(of_one.filter(|one| wanted.contains(&*name::uuid_of(number, &one.listing.entry))));
    }
    Ok(all)
}

/// An identifier that is a URI.
pub(super) fn uri(id: &str) -> SourceId {
    SourceId { system: yiqiao_fhir::terms::URI.to_owned(), value: Phi::new(id.to_owned()) }
}

async fn by_uniques(call: &Call, ids: &[String]) -> Result<Vec<Found>, Refusal> {
    let mut all = Vec::new();
    for id in ids {
        if let Some(here) = by_unique(call, id).await? {
            all.push(found(call, &here).await?);
        }
    }
    Ok(all)
}

/// The document of a unique id.
pub(super) async fn by_unique(call: &Call, unique: &str) -> Result<Option<Here>, Refusal> {
    let Some(named) = Named::read(unique) else { return Ok(None) };
    here(call, &named).await
}

async fn here(call: &Call, named: &Named) -> Result<Option<Here>, Refusal> {
    let inbox = &call.door.app.inbox;
    match named.clone() {
        Named::Entry(entry) => {
            let found = inbox.ask(move |machine, view| documents::look(machine, view, &entry)).await?;
            let mut found = found.into_iter();
            // Ids of others are theirs to choose: of several none is meant.
            Ok(found.next().filter(|_| found.next().is_none()))
        }
        Named::Source(source) => {
            let document = inbox.ask(move |machine, view| machine.document_named(&source, view)).await?;
            Ok(document.map(|document| Here::Own(Box::new(document))))
        }
    }
}

async fn found(call: &Call, here: &Here) -> Result<Found, Refusal> {
    let subject = here.subject();
    let patient = patients::one(call, Some(subject)).await?;
    Ok(Found { listing: here.listing(call)?, subject, patient })
}

/// The names of each document.
async fn named(call: &Call, found: &[&Found], find: Option<&Find>) -> Result<Vec<Names>, Refusal> {
    let member = &call.door.app.member;
    let repository = name::repository(&member.region, &member.code);
    let asked = find.map(|find| find.patient.write());
    let mut names = Vec::with_capacity(found.len());
    for together in found.chunks(NAMED_AT_ONCE) {
        for (one, (number, unique)) in together.iter().zip(looked_up(call, together).await?) {
            names.push(Names {
                entry: name::uuid_of(number, &one.listing.entry),
                unique,
                patient: asked.clone().unwrap_or_else(|| patient_id(call, &one.patient)),
                repository: repository.clone(),
            });
        }
    }
    Ok(names)
}

/// The number of each document's patient within this node, and its unique id: its source's, if that leads back to it.
async fn looked_up(call: &Call, found: &[&Found]) -> Result<Vec<(u64, String)>, Refusal> {
    let of = |one: &&Found| {
        let data = one.listing.data.expose();
        let source = SourceId::new(&data.source_system, &data.source_id);
        let unique = name::unique_of_source(&data.source_system, &data.source_id);
        (one.subject, one.listing.entry, source.zip(unique))
    };
    let asked: Vec<_> = found.iter().map(of).collect();
    let look = move |machine: &Machine, view: &View| {
        let of = |(subject, entry, source): &(Subject, EntryId, Option<(SourceId, String)>)| {
            let mut unique = name::unique_of_entry(entry);
            if let Some((source, own)) = source
                && machine.document_named(source, view)?.is_some_and(|found| found.entry == *entry)
            {
                unique.clone_from(own);
            }
            Ok((ordinal(subject, view)?, unique))
        };
        asked.iter().map(of).collect::<Result<Vec<_>, Fault>>()
    };
    Ok(call.door.app.inbox.ask(look).await?)
}

/// The number of a patient within this node, whatever it was merged into: so ids stay.
fn ordinal(subject: &Subject, view: &View) -> Result<u64, Fault> {
    Ok(view.get(&state::patient(subject))?.ordinal)
}

/// How a patient is called if nobody has called it: by the identity number, else by the first identifier.
fn patient_id(call: &Call, known: &Patient) -> String {
    let shown = patient::write(known, &call.site);
    let identifiers = shown.json().expose().get("identifier").and_then(|all| all.as_array()).cloned();
    let identifiers = identifiers.unwrap_or_default();
    let text = |one: &serde_json::Value, name: &str| {
        one.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    let official = identifiers.iter().find(|one| text(one, "use") == "official").or(identifiers.first());
    let id =
        official.map(|one| PatientId { system: text(one, "system"), value: Phi::new(text(one, "value")) });
    id.map(|id| id.write()).unwrap_or_default()
}
