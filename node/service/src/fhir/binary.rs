//! Binary: the bytes of a document as they came, whole or by range; each reading is an opening, decided and written down by the
//! machine. What is too long for a bundle comes in as a Binary of its own, which the bundle after it names.

use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use yiqiao_fhir::binary;
use yiqiao_fhir::outcome::{self, Problem};
use yiqiao_fhir::terms;
use yiqiao_node_core::machine::{Input, Outcome};
use yiqiao_node_core::open::{Denial, Opened};
use yiqiao_proto::codes::DocumentFormat;
use yiqiao_proto::id::{Code, EntryId};
use yiqiao_proto::limits::DOCUMENT_BYTES_MAX;

use super::answer::{self, Refusal};
use super::caller::{Call, Format, Right};
use super::documents;
use crate::content::{self, Wanted};
use crate::deposits::NotDeposited;
use crate::limits::WRAPPED_BYTES_MAX;
use crate::vault::{Document, VaultError};

/// The media type of a DICOM study; the index says only that it is DICOM.
const STUDY: &str = "application/zip";

/// `POST /fhir/Binary`: content for a DocumentReference that comes after it, of any length, as it is.
pub(super) async fn create(call: Call, body: Body) -> Result<Response, Refusal> {
    call.allow("Binary", Right::Create)?;
    let essence =
        call.header(&CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence.is_empty() || essence.starts_with("application/fhir+") {
        return Err(Problem::MediaType { expected: "the media type of the content itself" }.into());
    }
    let length = call.header(&CONTENT_LENGTH).parse().map_err(|_| Problem::Length)?;
    if length == 0 {
        return Err(Problem::Refused { why: "the body is empty".to_owned() }.into());
    }
    if length > DOCUMENT_BYTES_MAX {
        let limit = usize::try_from(DOCUMENT_BYTES_MAX).unwrap_or(usize::MAX);
        return Err(Problem::TooLarge { what: "a document", limit }.into());
    }
    let taken = call.door.app.deposits.take(&call.system, body.into_data_stream(), length).await;
    let id = taken.map_err(|error| match error {
        NotDeposited::BrokeOff => Problem::Refused { why: error.to_string() }.into(),
        NotDeposited::NotTaken(error) => Refusal::from(error),
    })?;
    let location = call.site.url("Binary", &id.to_string());
    let mut response = answer::resource(StatusCode::CREATED, &outcome::deposited());
    response.headers_mut().extend(HeaderValue::try_from(location).ok().map(|location| (LOCATION, location)));
    Ok(response)
}

/// `GET /fhir/Binary/{id}`; in its own media type, or as a resource if the client asks for FHIR by name.
pub(super) async fn read(call: Call, Path(id): Path<String>) -> Result<Response, Refusal> {
    call.may("Binary", Right::Read)?;
    let id = EntryId::from_hex(&id);
    let here = documents::here(&call, id).await?;
    let holder = here.holder(&call.site.organisation).clone();
    let listing = here.listing(&call)?;
    let etag = content::etag(&listing.document);
    if content::is_known(&call.headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag)]).into_response());
    }
    let wanted = content::wanted(&call.headers, &etag, listing.size);
    let as_resource = call.format() == Format::Fhir;
    if as_resource && listing.size > WRAPPED_BYTES_MAX {
        let limit = usize::try_from(WRAPPED_BYTES_MAX).unwrap_or(usize::MAX);
        return Err(Problem::TooLarge { what: "a document as a resource", limit }.into());
    }
    if wanted == Wanted::Unsatisfiable && !as_resource {
        return Ok(unsatisfiable(listing.size));
    }
    let Bytes { document, size, media_type } = bytes(&call, holder, listing.entry).await?;
    if as_resource {
        let plain = blocking(move || document.whole()).await?;
        return Ok(answer::resource(StatusCode::OK, &binary::write(&listing.entry, media_type, &plain)));
    }
    let part = if let Wanted::Part(stretch) = wanted { Some(stretch) } else { None };
    Ok(content::answer(document, size, part, &etag, media_type))
}

/// A document that is opened.
pub(super) struct Bytes {
    pub(super) document: Document,
    /// Length in bytes.
    pub(super) size: u64,
    pub(super) media_type: &'static str,
}

/// Opens a document that is here.
pub(super) async fn bytes(call: &Call, holder: Code, entry: EntryId) -> Result<Bytes, Refusal> {
    let opened = open(call, Input::Open { actor: call.actor(), holder, entry }).await?;
    let (format, size) = (opened.format, opened.size);
    let document = unsealed(call, *opened).await?;
    blocking(move || {
        let is_study = format == DocumentFormat::Dicom && content::is_study(&document.chunk(0)?);
        let media_type = if is_study { STUDY } else { terms::media_type(format) };
        Ok(Bytes { document, size, media_type })
    })
    .await
}

fn unsatisfiable(size: u64) -> Response {
    let mut response = Refusal::from(Problem::Range { size }).into_response();
    if let Ok(range) = HeaderValue::try_from(format!("bytes */{size}")) {
        response.headers_mut().insert(CONTENT_RANGE, range);
    }
    response
}

pub(super) async fn open(call: &Call, input: Input) -> Result<Box<Opened>, Refusal> {
    let outcome = call.door.app.inbox.hand(input).await?;
    if let Outcome::Opened(opened) = outcome {
        return Ok(opened);
    }
    let denial = if let Outcome::Denied(denial) = &outcome { Some(denial) } else { None };
    Err(denial.map_or(Problem::Internal, denied).into())
}

/// Of a document that is not to be opened nothing more is told than of one that is not here, but to who could know of it.
fn denied(denial: &Denial) -> Problem {
    match denial {
        Denial::NotHere | Denial::NotFiled => Problem::NotFound { kind: "document" },
        Denial::Withdrawn => Problem::Gone { kind: "document" },
        Denial::Sight(_) => Problem::Forbidden,
        // It cannot be decided yet: a lease or a head is on its way.
        Denial::Consent("F-5" | "F-7") => Problem::Transient,
        Denial::Consent(clause) => Problem::Consent { clause },
    }
}

pub(super) async fn unsealed(call: &Call, opened: Opened) -> Result<Document, Refusal> {
    let vault = call.door.app.vault.clone();
    blocking(move || vault.document(opened.document, &opened.wrapped_key)).await
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| Problem::Internal)?;
    done.map_err(|error| {
        tracing::error!(%error, "a document is not read");
        Problem::Internal.into()
    })
}
