//! `POST /xds`: IHE XDS.b for systems that only speak web services. Requests become what this door takes from everybody, and go the same way: ITI-41
//! that of a submission (ITI-65), ITI-18 that of a search (ITI-67), ITI-43 that of a Binary (ITI-68).
//!
//! What is wrong with a transaction stands in its answer; where there is none yet, or the caller may not, it is a fault. Not here: SOAP and ebRIM:
//! `yiqiao_xds`.

mod give;
mod list;
mod take;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::DefaultBodyLimit;
use axum::extract::rejection::BytesRejection;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::task::block_in_place;
use yiqiao_fhir::outcome::Problem;
use yiqiao_host::keys;
use yiqiao_xds::limits::REQUEST_BYTES_MAX;
use yiqiao_xds::mtom::{self, Message};
use yiqiao_xds::provide::{self, Submission};
use yiqiao_xds::query::{self, Query};
use yiqiao_xds::retrieve::{self, Wanted};
use yiqiao_xds::soap::{self, Fault, Transaction};
use yiqiao_xds::wrong::{Code, Wrong};

use super::Door;
use super::answer::{Refusal, method};
use super::caller::Call;

pub(super) fn routes() -> Router<Door> {
    let serve = post(serve).layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX)).fallback(method);
    Router::new().route("/xds", serve)
}

/// Why a message has no answer of its transaction.
enum Failed {
    Fault(Fault),
    /// Who calls may not, or the node cannot.
    Refusal(Refusal),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

/// What a message asks, and how it came.
struct Asked<'b> {
    message_id: String,
    is_multipart: bool,
    request: Request<'b>,
}

enum Request<'b> {
    Provide(Result<Submission<'b>, Wrong>),
    Query(Result<Query, Wrong>),
    Retrieve(Result<Vec<Wanted>, Wrong>),
}

impl Request<'_> {
    const fn transaction(&self) -> Transaction {
        match self {
            Self::Provide(_) => Transaction::ProvideAndRegister,
            Self::Query(_) => Transaction::StoredQuery,
            Self::Retrieve(_) => Transaction::Retrieve,
        }
    }
}

async fn serve(call: Result<Call, Refusal>, body: Result<Bytes, BytesRejection>) -> Response {
    match answered(call, body).await {
        Ok(response) => response,
        Err(Failed::Fault(fault)) => faulty(&fault, fault.status(), HeaderMap::new()),
        Err(Failed::Refusal(refusal)) => {
            let (problem, headers) = refusal.into_parts();
            let fault = match problem.status() {
                500.. => Fault::Receiver("the node cannot do this at the moment: try again later"),
                _ => Fault::Sender(problem.to_string()),
            };
            faulty(&fault, problem.status(), headers)
        }
    }
}

async fn answered(
    call: Result<Call, Refusal>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failed> {
    let call = call?;
    let body = super::transaction::whole(body, REQUEST_BYTES_MAX)?;
    let message = block_in_place(|| mtom::read(call.header(&CONTENT_TYPE), &body))?;
    let Asked { message_id, is_multipart, request } = block_in_place(|| read(&message))?;
    let (transaction, given) = match &request {
        Request::Provide(submission) => {
            (request.transaction(), give::Given::nothing(take::take(&call, submission).await?))
        }
        Request::Query(query) => {
            (request.transaction(), give::Given::nothing(list::list(&call, query).await?))
        }
        Request::Retrieve(wanted) => (request.transaction(), give::give(&call, wanted, is_multipart).await?),
    };
    let envelope = soap::answer(transaction, &message_id, &given.response);
    Ok(if is_multipart { parted(&envelope, given) } else { simple(StatusCode::OK, envelope) })
}

fn read<'b>(message: &Message<'b>) -> Result<Asked<'b>, Fault> {
    let text = soap::decode(message.envelope)?;
    let document = soap::parse(&text)?;
    let asked = soap::read(&document)?;
    let request = match asked.transaction {
        Transaction::ProvideAndRegister => match provide::read(asked.request, message) {
            Ok(submission) => Request::Provide(Ok(submission)),
            Err(provide::Refused::Wrong(wrong)) => Request::Provide(Err(wrong)),
            Err(provide::Refused::Fault(fault)) => return Err(fault),
        },
        Transaction::StoredQuery => Request::Query(query::read(asked.request)),
        Transaction::Retrieve => Request::Retrieve(retrieve::read(asked.request)),
    };
    let message_id = asked.message_id.to_owned();
    Ok(Asked { message_id, is_multipart: message.is_multipart, request })
}

/// What keeps a transaction, or a part of it, from being done, in its own words.
fn wrong(refusal: Refusal, busy: Code, other: Code) -> Wrong {
    let (problem, _) = refusal.into_parts();
    let is_long = matches!(problem, Problem::TooLarge { .. }) && other == Code::Registry;
    let code = if is_long { Code::TooManyResults } else { other };
    Wrong::new(if problem == Problem::Transient { busy } else { code }, problem.to_string())
}

fn faulty(fault: &Fault, status: u16, headers: HeaderMap) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = simple(status, fault.write());
    response.headers_mut().extend(headers);
    response
}

fn simple(status: StatusCode, envelope: String) -> Response {
    let kind = HeaderValue::from_static("application/soap+xml; charset=utf-8");
    (status, [(CONTENT_TYPE, kind)], envelope).into_response()
}

/// An answer in parts: the envelope, then each document as it is read.
fn parted(envelope: &str, given: give::Given) -> Response {
    let boundary = hex::encode(keys::random::<16>());
    let head = Bytes::from(format!("{}{envelope}", mtom::root_head(&boundary)));
    let end = Bytes::from(mtom::end(&boundary));
    let (parts, length) = given.parts(&boundary);
    let length = head.len() as u64 + length + end.len() as u64;
    let body = give::streamed(head, parts, end);
    let mut response = (StatusCode::OK, Body::from_stream(body)).into_response();
    let kind = HeaderValue::try_from(mtom::content_type(&boundary));
    response.headers_mut().extend(kind.ok().map(|kind| (CONTENT_TYPE, kind)));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}
