//! What the documents of a patient say, read out of the originals for each answer: `Patient/{id}/$everything`, and searches by type.
//!
//! Own documents and copies that were opened here before, as for trends: nothing is opened for it, so that no answer is an opening
//! that the patient would see. What is left out is counted in the answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use yiqiao_extract::gather::{Gathered, Meanings, Source};
use yiqiao_extract::read::{self, Unread as NotRead};
use yiqiao_fhir::bundle;
use yiqiao_fhir::document::{Listing, Standing};
use yiqiao_fhir::everything::{self, Everything, TYPES, Unread};
use yiqiao_fhir::outcome::Problem;
use yiqiao_fhir::resource::Resource;
use yiqiao_fhir::search::{Filter, Sort, StatedFilter};
use yiqiao_intake::dates::Zone;
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::ask::Patient;
use yiqiao_node_core::audit::Act;
use yiqiao_node_core::machine::Machine;
use yiqiao_node_core::open::Opened;
use yiqiao_node_core::state::{Fault, View};
use yiqiao_proto::id::{Code, EntryId, Subject};
use yiqiao_proto::time::Timestamp;
use yiqiao_terms::harmonise::Terms;

use super::answer::{self, Refusal};
use super::caller::{Call, Right};
use super::page::{Found, Page, Searched, cut};
use super::{documents, patients};
use crate::limits::{EXTRACTED_AT_ONCE, EXTRACTED_BYTES_MAX, EXTRACTED_DOCUMENTS_MAX};
use crate::vault::Vault;

/// A document that may say something.
struct Said {
    /// Its place among the listings.
    listing: usize,
    /// How it is read; none if it may not be without being opened.
    opened: Option<Opened>,
    /// The system of this hospital that sent it.
    system: Option<Code>,
}

/// `GET /fhir/Patient/{id}/$everything`.
pub(super) async fn read(
    call: Call,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    call.allow("Patient", Right::Read)?;
    let types = types(&call, query.as_deref().unwrap_or_default())?;
    let patient = patients::one(&call, Subject::from_hex(&id)).await?;
    call.audited(&[patient.subject], Act::View).await?;
    let site = call.site.clone();
    let bundle = made(&call, patient, move |everything| everything.write(&types, &site)).await?;
    Ok(answer::resource(StatusCode::OK, &bundle))
}

impl<const PLACE: usize> Searched for StatedFilter<PLACE> {
    async fn find(call: &Call, page: &Page<Self>) -> Result<Found, Refusal> {
        let filter = &page.search.filter;
        if filter.with_provenance {
            call.may("Provenance", Right::Search)?;
        }
        let patients = match &filter.patient {
            Some(who) => patients::of(call, who).await?,
            None => Vec::new(),
        };
        let (mut found, mut outcome) = (Vec::new(), None);
        for patient in patients {
            call.audited(&[patient.subject], Act::View).await?;
            let wanted = filter.clone();
            let of_patient = made(call, patient, move |everything| {
                let stated = everything.stated(|kind| kind == Self::KIND);
                let admitted = stated.filter(|(resource, _)| wanted.admits(resource));
                let keyed = admitted.map(|one| (wanted.key(&one.0), one)).collect::<Vec<_>>();
                (keyed, everything.incomplete())
            });
            let (of_patient, incomplete) = of_patient.await?;
            found.extend(of_patient);
            outcome = outcome.or(incomplete);
        }
        let newest_first = page.search.sort == Some(Sort::NewestFirst);
        let (shown, next) = cut(found, page.cursor.as_deref(), page.search.count, newest_first);
        let (found, provenances): (Vec<Resource>, Vec<Vec<Resource>>) = shown.into_iter().unzip();
        let included = if filter.with_provenance { provenances.concat() } else { Vec::new() };
        Ok(Found { page: bundle::Page { found, included, outcome }, next })
    }
}

/// Each type that is asked for by name needs its scope; else all count for which there is one.
fn types(call: &Call, query: &str) -> Result<Vec<&'static str>, Refusal> {
    let Some(named) = everything::types(query)? else {
        let mut permitted = TYPES.to_vec();
        permitted.retain(|kind| call.may(kind, Right::Read).is_ok());
        return Ok(permitted);
    };
    for kind in &named {
        call.may(kind, Right::Read)?;
    }
    Ok(named)
}

/// What is made of all that documents say of a patient.
async fn made<T: Send + 'static>(
    call: &Call,
    patient: Patient,
    make: impl FnOnce(&Everything<'_>) -> T + Send + 'static,
) -> Result<T, Refusal> {
    let listings = documents::of_patients(call, std::slice::from_ref(&patient)).await?;
    let mut listings: Vec<Listing> = listings.into_iter().map(|(listing, _)| listing).collect();
    listings.retain(|listing| listing.standing == Standing::Current);
    listings.sort_by_key(|listing| (listing.filed_at, listing.entry));
    let mut unread = Unread::default();
    let mut wanted = readable(&listings, &mut unread);
    // The newest count.
    let surplus = wanted.len().saturating_sub(EXTRACTED_DOCUMENTS_MAX);
    unread.beyond += wanted.drain(..surplus).count();
    let said = said(call, &listings, &wanted).await?;
    let meanings = meanings(call, &said).await?;
    let app = &call.door.app;
    let reading = Reading { vault: Arc::clone(&app.vault), zone: app.reception.zone().clone(), meanings };
    let work = move || reading.make(&patient, &listings, said, unread, make);
    Ok(tokio::task::spawn_blocking(work).await.map_err(|_| Problem::Internal)?)
}

/// The places of listings that are not too long.
fn readable(listings: &[Listing], unread: &mut Unread) -> Vec<usize> {
    let short = |listing: &Listing| listing.size <= EXTRACTED_BYTES_MAX;
    let (short, long): (Vec<usize>, Vec<usize>) =
        (0..listings.len()).partition(|place| listings.get(*place).is_some_and(short));
    let says = |place: &&usize| listings.get(**place).is_some_and(|listing| read::is_read(listing.format));
    unread.beyond += long.iter().filter(says).count();
    short.into_iter().filter(|place| says(&place)).collect()
}

async fn said(call: &Call, listings: &[Listing], wanted: &[usize]) -> Result<Vec<Said>, Refusal> {
    let (inbox, now) = (&call.door.app.inbox, call.door.app.clock().now());
    let mut said = Vec::with_capacity(wanted.len());
    for places in wanted.chunks(EXTRACTED_AT_ONCE) {
        let named = places.iter().filter_map(|place| Some((*place, listings.get(*place)?)));
        let named: Vec<_> =
            named.map(|(place, listing)| (place, listing.custodian.clone(), listing.entry)).collect();
        let actor = call.actor();
        said.extend(inbox.ask(move |machine, view| look(machine, view, (&actor, now), &named)).await?);
    }
    Ok(said)
}

fn look(
    machine: &Machine,
    view: &View,
    (actor, now): (&Actor, Timestamp),
    named: &[(usize, Code, EntryId)],
) -> Result<Vec<Said>, Fault> {
    let one = |(listing, holder, entry): &(usize, Code, EntryId)| {
        let is_own = *holder == machine.config().organisation;
        let own = if is_own { machine.document(entry, view)? } else { None };
        let opened = machine.readable(actor, holder, entry, now, view)?;
        let system = own.and_then(|own| Code::new(own.system.as_str()).ok());
        Ok(Said { listing: *listing, opened, system })
    };
    named.iter().map(one).collect()
}

/// What people have accepted of the systems that sent these documents.
async fn meanings(call: &Call, said: &[Said]) -> Result<BTreeMap<Code, Meanings>, Refusal> {
    let systems: BTreeSet<Code> = said.iter().filter_map(|said| said.system.clone()).collect();
    let mut meanings = BTreeMap::new();
    for system in systems {
        let asked = system.clone();
        let of = call.door.app.inbox.ask(move |machine, view| machine.meanings(&asked, view)).await?;
        meanings.insert(system, of);
    }
    Ok(meanings)
}

/// What the originals are read with.
struct Reading {
    vault: Arc<Vault>,
    zone: Zone,
    meanings: BTreeMap<Code, Meanings>,
}

impl Reading {
    fn make<T>(
        &self,
        patient: &Patient,
        listings: &[Listing],
        said: Vec<Said>,
        mut unread: Unread,
        make: impl FnOnce(&Everything<'_>) -> T,
    ) -> T {
        let mut gathered = Gathered::new(Terms::of_this_version(), self.zone.clone());
        for one in said {
            let Some(listing) = listings.get(one.listing) else { continue };
            match one.opened {
                None => unread.unopened += 1,
                Some(opened) if self.take(&mut gathered, listing, &opened, one.system.as_ref()).is_none() => {
                    unread.not_understood += 1;
                }
                Some(_) => {}
            }
        }
        make(&Everything { patient, listings, gathered: &gathered, unread })
    }

    /// Reads one document; `None` if that is not possible: opening it says why.
    fn take(
        &self,
        gathered: &mut Gathered<'_>,
        listing: &Listing,
        opened: &Opened,
        system: Option<&Code>,
    ) -> Option<()> {
        let document = self.vault.document(opened.document, &opened.wrapped_key).ok()?;
        let found = match read::read(&document.whole().ok()?, opened.format, &self.zone) {
            Ok(found) => found,
            Err(NotRead::Format) => Vec::new(),
            Err(NotRead::NotUnderstood) => return None,
        };
        let at = listing.service_start.unwrap_or(listing.created_at);
        let source = Source { holder: listing.custodian.clone(), entry: listing.entry, at };
        let none = Meanings::new();
        gathered.add(source, found, system.and_then(|system| self.meanings.get(system)).unwrap_or(&none));
        Some(())
    }
}
