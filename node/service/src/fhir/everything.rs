//! `Patient/{id}/$everything`: what the documents of a patient say, read out of the originals for each answer.
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
use yiqiao_fhir::document::{Listing, Standing};
use yiqiao_fhir::everything::{self, Everything, TYPES, Unread};
use yiqiao_fhir::outcome::Problem;
use yiqiao_fhir::resource::{Resource, Site};
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
    let bundle = made(&call, patient, types).await?;
    Ok(answer::resource(StatusCode::OK, &bundle))
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

async fn made(call: &Call, patient: Patient, types: Vec<&'static str>) -> Result<Resource, Refusal> {
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
    let site = call.site.clone();
    let work = move || reading.write(&patient, &listings, said, unread, &types, &site);
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
    fn write(
        &self,
        patient: &Patient,
        listings: &[Listing],
        said: Vec<Said>,
        mut unread: Unread,
        types: &[&str],
        site: &Site,
    ) -> Resource {
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
        Everything { patient, listings, gathered: &gathered, unread }.write(types, site)
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
