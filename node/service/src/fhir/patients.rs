//! Patients: found by identifier or number (IHE PDQm, PIXm), and read.

use std::collections::BTreeMap;

use axum::extract::Path;
use axum::response::Response;
use yiqiao_fhir::outcome::Problem;
use yiqiao_fhir::patient::{self, Lookup};
use yiqiao_fhir::search::{PatientFilter, Token, Who};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::ask::Patient;
use yiqiao_node_core::audit::Act;
use yiqiao_node_core::machine::Machine;
use yiqiao_node_core::state::{Fault, View};
use yiqiao_proto::id::Subject;
use yiqiao_proto::time::Timestamp;

use super::answer::{self, Refusal};
use super::caller::{Call, Right};
use super::page::{Found, Page, Searched, cut};

/// `GET /fhir/Patient/{id}`; the id of one who was merged gets the one who is left.
pub(super) async fn read(call: Call, Path(id): Path<String>) -> Result<Response, Refusal> {
    call.allow("Patient", Right::Read)?;
    let patient = one(&call, Subject::from_hex(&id)).await?;
    call.audited(&[patient.subject], Act::View).await?;
    Ok(answer::read(&call.headers, &patient::write(&patient, &call.site)))
}

impl Searched for PatientFilter {
    async fn find(call: &Call, page: &Page<Self>) -> Result<Found, Refusal> {
        let filter = &page.search.filter;
        let ids: Vec<Subject> = filter.ids().filter_map(Subject::from_hex).collect();
        let by_identifier = !filter.identifiers.is_empty();
        let mut found = BTreeMap::new();
        if by_identifier {
            for token in &filter.identifiers {
                let tokens = by_token(call, token.clone()).await?;
                found.extend(tokens.into_iter().map(|patient| (patient.subject, patient)));
            }
        } else {
            for id in ids {
                found.extend(known(call, id).await?.map(|patient| (patient.subject, patient)));
            }
        }
        // Asked for by the id of one who was merged, the one who is left is none of those.
        let found = found.into_iter().map(|(subject, patient)| (subject.to_string(), patient));
        let found = found.filter(|(id, _)| !by_identifier || filter.admits(id)).collect();
        let (patients, next) = cut(found, page.cursor.as_deref(), page.search.count, false);
        let subjects: Vec<Subject> = patients.iter().map(|patient| patient.subject).collect();
        if subjects.is_empty() {
            call.found_nobody().await?;
        }
        call.audited(&subjects, Act::Find).await?;
        let resources = patients.iter().map(|patient| patient::write(patient, &call.site)).collect();
        Ok(Found::of(resources, next))
    }
}

/// The patients whom a search or a resource names; written down as looked for if there are none.
pub(super) async fn of(call: &Call, who: &Who) -> Result<Vec<Patient>, Refusal> {
    let found = match who {
        Who::Subject(subject) => known(call, *subject).await?.into_iter().collect(),
        Who::Identifier(token) => by_token(call, token.clone()).await?,
    };
    if found.is_empty() {
        call.found_nobody().await?;
    }
    Ok(found)
}

/// The one patient of an id.
pub(super) async fn one(call: &Call, id: Option<Subject>) -> Result<Patient, Refusal> {
    let found = match id {
        Some(id) => known(call, id).await?,
        None => None,
    };
    Ok(found.ok_or(Problem::NotFound { kind: "Patient" })?)
}

pub(super) async fn known(call: &Call, subject: Subject) -> Result<Option<Patient>, Refusal> {
    Ok(call.door.app.inbox.ask(move |machine, view| machine.patient(&subject, view)).await?)
}

async fn by_token(call: &Call, token: Token) -> Result<Vec<Patient>, Refusal> {
    let (actor, lookups, now) = (call.actor(), patient::lookups(&token), call.door.app.clock().now());
    let question = move |machine: &Machine, view: &View| {
        let mut found: Vec<Subject> = Vec::new();
        for lookup in &lookups {
            found.extend(by_lookup(machine, view, (&actor, now), lookup)?);
        }
        found.sort_unstable();
        found.dedup();
        let patients = found.iter().map(|subject| machine.patient(subject, view));
        Ok(patients.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    };
    Ok(call.door.app.inbox.ask(question).await?)
}

fn by_lookup(
    machine: &Machine,
    view: &View,
    (actor, now): (&Actor, Timestamp),
    lookup: &Lookup,
) -> Result<Vec<Subject>, Fault> {
    match lookup {
        Lookup::Person(id) => machine.find_by_identifier(actor, id, now, view),
        Lookup::Number(number) => machine.find_by_number(actor, number, now, view),
    }
}
