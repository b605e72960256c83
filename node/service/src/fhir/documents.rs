//! DocumentReferences (IHE MHD, ITI-67): what this hospital has of a patient, its own and what others have let go to it.

use axum::extract::Path;
use axum::response::Response;
use yiqiao_fhir::document::Listing;
use yiqiao_fhir::outcome::Problem;
use yiqiao_fhir::search::{DocumentFilter, Sort};
use yiqiao_node_core::ask::{Document, Patient};
use yiqiao_node_core::audit::Act;
use yiqiao_node_core::copy::Stage;
use yiqiao_node_core::machine::Machine;
use yiqiao_node_core::receive::Shown;
use yiqiao_node_core::state::{Fault, View};
use yiqiao_proto::id::{Code, EntryId, Subject};

use super::answer::{self, Refusal};
use super::caller::{Call, Right};
use super::page::{Found, Page, Searched, cut};
use super::patients;
use crate::limits::SEARCHED_DOCUMENTS_MAX;

/// A document that is here, and who keeps it.
pub(super) enum Here {
    Own(Box<Document>),
    /// A copy of another hospital's, with its patient and that hospital's name.
    Copy(Box<Shown>, Subject, String),
}

/// `GET /fhir/DocumentReference/{id}`.
pub(super) async fn read(call: Call, Path(id): Path<String>) -> Result<Response, Refusal> {
    call.allow("DocumentReference", Right::Read)?;
    let here = here(&call, EntryId::from_hex(&id)).await?;
    let patient = patients::one(&call, Some(here.subject())).await?;
    call.audited(&[patient.subject], Act::View).await?;
    let listing = here.listing(&call)?;
    Ok(answer::read(&call.headers, &listing.write(&patient)))
}

impl Searched for DocumentFilter {
    async fn find(call: &Call, page: &Page<Self>) -> Result<Found, Refusal> {
        let filter = &page.search.filter;
        let found = match &filter.patient {
            Some(who) => of_patients(call, &patients::of(call, who).await?).await?,
            None => by_id(call, filter).await?,
        };
        let found = found.into_iter().filter(|(listing, _)| filter.admits(listing));
        let keyed = found.map(|(listing, patient)| (key(&listing), (listing, patient))).collect();
        let newest_first = page.search.sort == Some(Sort::NewestFirst);
        let (shown, next) = cut(keyed, page.cursor.as_deref(), page.search.count, newest_first);
        let mut subjects: Vec<Subject> = shown.iter().map(|(_, patient)| patient.subject).collect();
        subjects.sort_unstable();
        subjects.dedup();
        call.audited(&subjects, Act::View).await?;
        Ok(Found::of(shown.iter().map(|(listing, patient)| listing.write(patient)).collect(), next))
    }
}

impl Here {
    /// Under which holder it is opened.
    pub(super) fn holder<'a>(&'a self, own: &'a Code) -> &'a Code {
        match self {
            Self::Own(_) => own,
            Self::Copy(copy, ..) => &copy.listed.holder,
        }
    }

    pub(super) fn subject(&self) -> Subject {
        match self {
            Self::Own(document) => document.subject,
            Self::Copy(_, subject, _) => *subject,
        }
    }

    pub(super) fn listing(&self, call: &Call) -> Result<Listing, Problem> {
        match self {
            Self::Own(document) => own_listing(call, document),
            Self::Copy(copy, _, name) => Ok(Listing::of_copy(copy, name)),
        }
    }
}

/// The one document of an id. Ids of others are theirs to choose: of several the own counts, and else none.
pub(super) async fn here(call: &Call, id: Option<EntryId>) -> Result<Here, Refusal> {
    let found = match id {
        Some(id) => call.door.app.inbox.ask(move |machine, view| look(machine, view, &id)).await?,
        None => Vec::new(),
    };
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(own @ Here::Own(_)), _) => Ok(own),
        (Some(copy), None) => Ok(copy),
        (Some(_), Some(_)) => {
            Err(Problem::Conflict { what: "two hospitals have a document with this id" }.into())
        }
        (None, _) => Err(Problem::NotFound { kind: "document" }.into()),
    }
}

pub(super) fn look(machine: &Machine, view: &View, id: &EntryId) -> Result<Vec<Here>, Fault> {
    if let Some(document) = machine.document(id, view)? {
        return Ok(vec![Here::Own(Box::new(document))]);
    }
    let copies = machine.copies_of_entry(id, view)?.into_iter();
    let here = copies.filter_map(|copy| {
        let subject = copy.subject.filter(|_| is_here(&copy))?;
        let name = name_of(machine, &copy.listed.holder);
        Some(Here::Copy(Box::new(copy), subject, name))
    });
    Ok(here.collect())
}

async fn by_id(call: &Call, filter: &DocumentFilter) -> Result<Vec<(Listing, Patient)>, Refusal> {
    let mut found = Vec::new();
    for id in filter.ids().filter_map(EntryId::from_hex) {
        let ids = call.door.app.inbox.ask(move |machine, view| look(machine, view, &id)).await?;
        for here in ids {
            let patient = patients::one(call, Some(here.subject())).await?;
            found.push((here.listing(call)?, patient));
        }
    }
    Ok(found)
}

/// All that is here of these patients.
pub(super) async fn of_patients(
    call: &Call,
    patients: &[Patient],
) -> Result<Vec<(Listing, Patient)>, Refusal> {
    let mut found = Vec::new();
    for patient in patients {
        for subject in std::iter::once(patient.subject).chain(patient.retired.iter().copied()) {
            let room = SEARCHED_DOCUMENTS_MAX.saturating_sub(found.len());
            let listings = of_subject(call, subject, room).await?;
            found.extend(listings.into_iter().map(|listing| (listing, patient.clone())));
        }
    }
    Ok(found)
}

/// All of one subject: the own in the order in which they came, then copies.
pub(super) async fn of_subject(call: &Call, subject: Subject, room: usize) -> Result<Vec<Listing>, Refusal> {
    let inbox = &call.door.app.inbox;
    let mut listings = Vec::new();
    let mut after = Some(0);
    while let Some(from) = after {
        let (documents, next) =
            inbox.ask(move |machine, view| machine.documents_of(&subject, from, view)).await?;
        for document in &documents {
            listings.push(own_listing(call, document)?);
        }
        bounded(&listings, room)?;
        after = next;
    }
    let mut after = Some(0);
    while let Some(from) = after {
        let copies = inbox.ask(move |machine, view| named_copies(machine, view, &subject, from)).await?;
        after = copies.last().map(|(place, ..)| *place);
        let here = copies.iter().filter(|(_, copy, _)| is_here(copy));
        listings.extend(here.map(|(_, copy, name)| Listing::of_copy(copy, name)));
        bounded(&listings, room)?;
    }
    Ok(listings)
}

fn bounded(listings: &[Listing], room: usize) -> Result<(), Refusal> {
    let limit = SEARCHED_DOCUMENTS_MAX;
    let many = Problem::TooLarge { what: "the number of documents of the patient", limit };
    if listings.len() <= room { Ok(()) } else { Err(many.into()) }
}

fn named_copies(
    machine: &Machine,
    view: &View,
    subject: &Subject,
    after: u64,
) -> Result<Vec<(u64, Shown, String)>, Fault> {
    let copies = machine.copies_of(subject, after, view)?.into_iter();
    let named = |(place, copy): (u64, Shown)| {
        let name = name_of(machine, &copy.listed.holder);
        (place, copy, name)
    };
    Ok(copies.map(named).collect())
}

/// What is not fetched yet, or is here no longer, is no document of this door.
const fn is_here(copy: &Shown) -> bool {
    matches!(copy.stage, Stage::Held | Stage::Opened | Stage::Retained)
}

/// A member's name; its code if it is one no longer.
pub(super) fn name_of(machine: &Machine, code: &Code) -> String {
    let name = machine.directory().member(code).map(|member| member.name.clone());
    name.unwrap_or_else(|| code.to_string())
}

fn own_listing(call: &Call, document: &Document) -> Result<Listing, Problem> {
    Listing::of(document, &call.site.organisation, &call.site.name)
}

/// By when it came, then by its id: milliseconds in hexadecimal digits sort as they count.
fn key(listing: &Listing) -> String {
    format!("{:016x}{}", listing.filed_at.unix_ms().max(0), listing.entry)
}
