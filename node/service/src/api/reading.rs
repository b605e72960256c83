//! `/api/documents/{holder}/{entry}`: opening a document, which is decided and written down each time; and its bytes, by
//! ranges, which are no further opening for a while.
//!
//! The address names a hospital and a keyed hash: nothing of the patient.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_SECURITY_POLICY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use yiqiao_host::accounts::Login;
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::machine::{Input, Machine, Outcome};
use yiqiao_node_core::open::{Denial, Opened};
use yiqiao_node_core::state::View;
use yiqiao_proto::codes::DocumentFormat;
use yiqiao_proto::id::{Code, DocumentId, EntryId};

use crate::api::asking::unexpected;
use crate::api::documents::Row;
use crate::api::faults::{NOT_SEEN, RANGE as NO_SUCH_RANGE, of_denial};
use crate::api::front::{Acting, Front, member_code};
use crate::api::limits::RENDER_BYTES_MAX;
use crate::api::rendering::{media_type, render};
use crate::content::{self, Wanted};
use crate::vault::{Document, VaultError};

pub(super) fn router() -> Router<Front> {
    Router::new()
        .route("/api/documents/{holder}/{entry}", get(open).fallback(method_not_allowed))
        .route("/api/documents/{holder}/{entry}/content", get(bytes).fallback(method_not_allowed))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OpenDocument {
    row: Row,
    html: Option<String>,
    text: Option<String>,
    content: String,
    media_type: &'static str,
}

async fn open(
    State(front): State<Front>,
    Acting { actor, account }: Acting,
    Path((holder, entry)): Path<(String, String)>,
) -> Result<Json<OpenDocument>, Problem> {
    let (holder, entry) = names(&holder, &entry)?;
    let opened = front.opened(&actor, &holder, &entry).await?;
    front.openings.put(front.now(), (account.login, holder.clone(), entry), ());
    let row = front.document_row(&actor, &holder, &entry).await?;
    let (reader, format, is_small) = (front.clone(), opened.format, opened.size <= RENDER_BYTES_MAX);
    let read = move || {
        let document = reader.app.vault.document(opened.document, &opened.wrapped_key)?;
        let bytes = if is_small { document.whole()? } else { content::front(&document)? };
        Ok::<_, VaultError>(render(&bytes, format, reader.app.reception.zone()))
    };
    let shown = blocking(read).await?;
    // Of a study the front says what there is to say.
    let is_readable = is_small || format == DocumentFormat::Dicom;
    Ok(Json(OpenDocument {
        row,
        html: shown.html.filter(|_| is_readable),
        text: shown.text.filter(|_| is_small),
        content: format!("/api/documents/{holder}/{entry}/content"),
        media_type: shown.media_type,
    }))
}

async fn bytes(
    State(front): State<Front>,
    Acting { actor, account }: Acting,
    Path((holder, entry)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (holder, entry) = names(&holder, &entry)?;
    let opened = front.reopened(&actor, account.login, &holder, &entry).await?;
    let (reader, sealed, format) = (front.clone(), opened.clone(), opened.format);
    let first = move || {
        let document = reader.app.vault.document(sealed.document, &sealed.wrapped_key)?;
        let bytes = if sealed.size > 0 { document.chunk(0)? } else { Vec::new() };
        Ok::<_, VaultError>((document, media_type(format, &bytes)))
    };
    let (document, media) = blocking(first).await?;
    serve(document, (&opened.document, opened.size), &entry.to_string(), media, &headers)
}

fn names(holder: &str, entry: &str) -> Result<(Code, EntryId), Problem> {
    let entry = EntryId::from_hex(entry).ok_or_else(|| Problem::new(&NOT_SEEN))?;
    Ok((member_code(holder)?, entry))
}

/// Reads sealed files on a thread that may wait for the disk.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(&error))?;
    done.map_err(|error| Problem::internal(&error))
}

impl Front {
    /// Opens a document, unless this login has opened it a while ago: reading on is no further opening.
    pub(super) async fn reopened(
        &self,
        actor: &Actor,
        login: Login,
        holder: &Code,
        entry: &EntryId,
    ) -> Result<Opened, Problem> {
        let key = (login, holder.clone(), *entry);
        let known = self.openings.get(self.now(), &key).is_some();
        let again = if known { self.readable(actor, holder, entry).await? } else { None };
        let opened = match again {
            Some(opened) => opened,
            None => self.opened(actor, holder, entry).await?,
        };
        self.openings.put(self.now(), key, ());
        Ok(opened)
    }

    /// Opens a document: decided, and written down.
    async fn opened(&self, actor: &Actor, holder: &Code, entry: &EntryId) -> Result<Opened, Problem> {
        let input = Input::Open { actor: actor.clone(), holder: holder.clone(), entry: *entry };
        let outcome = self.hand(input).await?;
        if let Outcome::Opened(opened) = outcome {
            return Ok(*opened);
        }
        let Outcome::Denied(denial) = outcome else { return Err(unexpected()) };
        if denial == Denial::NotHere {
            // Whether there was such a document is not for who does not see the patient.
            self.document_row(actor, holder, entry).await?;
        }
        Err(of_denial(&denial))
    }

    async fn readable(
        &self,
        actor: &Actor,
        holder: &Code,
        entry: &EntryId,
    ) -> Result<Option<Opened>, Problem> {
        let (actor, holder, entry, now) = (actor.clone(), holder.clone(), *entry, self.now());
        let readable =
            move |machine: &Machine, view: &View| machine.readable(&actor, &holder, &entry, now, view);
        Ok(self.app.inbox.ask(readable).await?)
    }
}

/// The whole document, or the range that is asked for of exactly this one.
pub(super) fn serve(
    document: Document,
    (id, size): (&DocumentId, u64),
    name: &str,
    media: &'static str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let tag = content::etag(id);
    let part = match content::wanted(headers, &tag, size) {
        Wanted::Whole => None,
        Wanted::Part(stretch) => Some(stretch),
        Wanted::Unsatisfiable => {
            let whole = format!("bytes */{size}");
            return Err(Problem::new(&NO_SUCH_RANGE).header(CONTENT_RANGE, value(&whole)));
        }
    };
    let mut response = content::answer(document, size, part, &tag, media);
    let set = response.headers_mut();
    set.insert(CONTENT_DISPOSITION, value(&disposition(media, name)));
    set.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy(media)));
    Ok(response)
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("digits, letters and marks of ASCII are a header")
}

/// What browsers show themselves is shown; everything else is a file to be saved.
fn disposition(media: &str, name: &str) -> String {
    let name = name.get(..12).unwrap_or_default();
    let kind = if is_shown(media) { "inline" } else { "attachment" };
    format!("{kind}; filename=\"{name}.{}\"", ending(media))
}

fn is_shown(media: &str) -> bool {
    matches!(media, "application/pdf" | "image/png" | "image/jpeg") || media.starts_with("text/plain")
}

fn ending(media: &str) -> &'static str {
    match media.split(';').next().unwrap_or_default() {
        "application/pdf" => "pdf",
        "image/png" => "png",
        "image/jpeg" => "jpg",
        "text/plain" => "txt",
        "text/csv" => "csv",
        "application/dicom" => "dcm",
        "application/zip" => "zip",
        "application/fhir+json" => "json",
        "application/fhir+xml" | "application/hl7-cda+xml" => "xml",
        "x-application/hl7-v2+er7" => "hl7",
        _ => "bin",
    }
}

/// A document may stand in a frame of our own pages; it runs nothing.
fn policy(media: &str) -> &'static str {
    if media == "application/pdf" {
        "script-src 'none'; frame-ancestors 'self'"
    } else {
        "default-src 'none'; sandbox; frame-ancestors 'self'"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_browsers_show_safely_is_shown() {
        let entry = EntryId::new([7; 32]).unwrap().to_string();
        assert_eq!(disposition("application/pdf", &entry), "inline; filename=\"070707070707.pdf\"");
        assert!(disposition("application/fhir+xml", &entry).starts_with("attachment"));
        assert!(disposition("application/octet-stream", &entry).ends_with(".bin\""));
        assert!(policy("text/plain; charset=utf-8").contains("sandbox"));
    }
}
