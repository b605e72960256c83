//! `POST /fhir`: documents that are handed in (IHE MHD, ITI-65), and pieces of a record; through the reception as everything that
//! comes, so that what is answered as kept is durable.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use yiqiao_fhir::limits::PROVIDE_BYTES_MAX;
use yiqiao_fhir::outcome::{self, Problem};
use yiqiao_fhir::provide::{self, Provided, Record, Transaction};
use yiqiao_fhir::resource::Resource;
use yiqiao_fhir::search::Who;
use yiqiao_intake::facts::Format;
use yiqiao_node_core::connection::Door;
use yiqiao_node_core::intake::{Answered, Verdict};
use yiqiao_proto::id::{EntryId, Subject};

use super::answer::{self, FHIR_JSON, Refusal};
use super::caller::{Call, Right};
use super::patients;
use crate::reception::{Answer, Beside};

/// Takes a transaction.
pub(super) async fn take(call: Call, body: Result<Bytes, BytesRejection>) -> Result<Response, Refusal> {
    call.allow("Bundle", Right::Create)?;
    let bytes = json(&call, body, PROVIDE_BYTES_MAX)?;
    let transaction = provide::read_transaction(&bytes, &call.site)?;
    let beside = match &transaction {
        Transaction::Documents(provided) => beside(&call, provided).await?,
        Transaction::Record(_) => Beside { door: Door::Fhir, ..Beside::default() },
    };
    let reception = &call.door.app.reception;
    let taken = reception.take_with(&call.system, bytes.as_ref(), Some(Format::FhirJson), beside).await;
    // A bundle is one message.
    let answer = taken.into_iter().next().ok_or(Problem::Internal)??;
    match answer.answered.verdict {
        Verdict::Refused => Err(refused(&answer).into()),
        Verdict::Review => Ok(answer::resource(StatusCode::ACCEPTED, &outcome::kept_for_review())),
        Verdict::Indexed | Verdict::Applied | Verdict::Answered => {
            let bundle = match &transaction {
                Transaction::Documents(provided) => filed(&call, provided, &answer.answered).await?,
                Transaction::Record(record) => kept(&call, record, &answer.answered).await?,
            };
            Ok(answer::resource(StatusCode::OK, &bundle))
        }
    }
}

/// Whom and what a bundle of documents names that is here already.
async fn beside(call: &Call, provided: &Provided) -> Result<Beside, Refusal> {
    let subject = match provided.who() {
        Some(Who::Subject(id)) => Some(patients::one(call, Some(*id)).await?.subject),
        Some(who @ Who::Identifier(_)) => match patients::of(call, who).await?.as_slice() {
            [known] => Some(known.subject),
            // The machine files whom an identity number names, and keeps for a person what tells of nobody or of several.
            _ => None,
        },
        None => None,
    };
    let mut deposits = BTreeMap::new();
    for named in provided.deposits() {
        let (id, system, now) = (named.id, call.system.clone(), call.door.app.clock().now());
        let found =
            call.door.app.inbox.ask(move |machine, view| machine.deposit(&id, &system, now, view)).await?;
        named.check(found.as_ref().map(|found| found.size))?;
        deposits.extend(found.map(|found| (named.url.clone(), found)));
    }
    Ok(Beside { subject, deposits, holder: None, door: Door::Fhir })
}

/// The body of a resource that is sent, of at most so many bytes.
pub(super) fn json(call: &Call, body: Result<Bytes, BytesRejection>, limit: usize) -> Result<Bytes, Refusal> {
    let essence = call.header(&CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    let is_json = [FHIR_JSON, "application/json", "text/json"];
    if !is_json.iter().any(|known| essence.eq_ignore_ascii_case(known)) {
        return Err(Problem::MediaType { expected: FHIR_JSON }.into());
    }
    whole(body, limit)
}

/// A body, unless it broke off or is too long.
pub(super) fn whole(body: Result<Bytes, BytesRejection>, limit: usize) -> Result<Bytes, Refusal> {
    body.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::TooLarge { what: "the body", limit }.into()
        } else {
            Problem::Refused { why: "the body broke off".to_owned() }.into()
        }
    })
}

/// The reader names elements and never quotes them.
fn refused(answer: &Answer) -> Problem {
    let why = answer.refusal.as_ref().map_or_else(|| "it is no record".to_owned(), ToString::to_string);
    Problem::Refused { why }
}

async fn filed(call: &Call, provided: &Provided, answered: &Answered) -> Result<Resource, Refusal> {
    let subject = subject_of(call, answered.entries.first()).await?.ok_or(Problem::Internal)?;
    Ok(provide::response(provided, &answered.entries, &subject, call.door.app.clock().now())?)
}

async fn kept(call: &Call, record: &Record, answered: &Answered) -> Result<Resource, Refusal> {
    let entry = answered.entries.first();
    let subject = subject_of(call, entry).await?;
    Ok(provide::record_response(record, entry, subject.as_ref(), call.door.app.clock().now()))
}

/// Whose document it is, through all merges.
async fn subject_of(call: &Call, entry: Option<&EntryId>) -> Result<Option<Subject>, Refusal> {
    let Some(entry) = entry.copied() else { return Ok(None) };
    let inbox = &call.door.app.inbox;
    let document = inbox.ask(move |machine, view| machine.document(&entry, view)).await?;
    let Some(document) = document else { return Ok(None) };
    Ok(patients::known(call, document.subject).await?.map(|patient| patient.subject))
}
