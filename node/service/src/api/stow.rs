//! STOW-RS (PS3.18 section 10.5): `POST /dicomweb/studies`, instances of a system that signs in (scope `intake`).
//!
//! Each part goes straight from the connection into the spool, as an instance of an association does, and is durable before it is
//! answered. Not here: studies out again: [`crate::fhir`].

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::StreamExt;
use serde_json::{Map, Value, json};
use tokio::task::block_in_place;
use tokio::time::timeout;
use yiqiao_dicom::archive::Listed;
use yiqiao_dicom::command::Status;
use yiqiao_dicom::multipart::{Event, Multipart, related};
use yiqiao_host::clients::AuthorizedClient;
use yiqiao_host::http::{Problem, kind, method_not_allowed};
use yiqiao_proto::id::Code;

use crate::api::intake::SCOPE;
use crate::app::App;
use crate::dicom::spool::Incoming;
use crate::dicom::status;
use crate::dicom::studies::NotKept;
use crate::limits::DEPOSIT_STALL;

/// What parts are, and what is answered.
const INSTANCE: &str = "application/dicom";
const JSON: &str = "application/dicom+json";

pub(super) fn router(app: App) -> Router {
    let take = post(take).fallback(method_not_allowed);
    Router::new().route("/dicomweb/studies", take).layer(DefaultBodyLimit::disable()).with_state(app)
}

async fn take(
    State(app): State<App>,
    client: AuthorizedClient,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    client.require(SCOPE)?;
    let system = Code::new(client.client.id.as_str());
    let system = system.map_err(|error| Problem::new(&kind::FORBIDDEN).detail(error.to_string()))?;
    let said = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some((boundary, _)) = related(said).filter(|(_, of)| of == INSTANCE) else {
        let detail = "send multipart/related; type=\"application/dicom\" with a boundary";
        return Err(Problem::new(&kind::MEDIA_TYPE).detail(detail));
    };
    let _place = app.studies.place().ok_or_else(|| Problem::new(&kind::UNAVAILABLE))?;
    let mut taking = Taking { app: &app, system, now: None, stored: Vec::new(), failed: Vec::new() };
    taking.all(&boundary, body.into_data_stream()).await?;
    Ok(taking.answer())
}

/// A request whose parts come.
struct Taking<'a> {
    app: &'a App,
    system: Code,
    /// The part that comes now.
    now: Option<Result<Incoming, NotKept>>,
    stored: Vec<Listed>,
    failed: Vec<Status>,
}

impl Taking<'_> {
    async fn all(&mut self, boundary: &str, mut body: BodyDataStream) -> Result<(), Problem> {
        let mut parts = Multipart::new(boundary);
        let broken = || {
            Problem::new(&kind::BAD_REQUEST)
                .detail("the body broke off, stood still, or is no multipart of its boundary")
        };
        while let Some(piece) = timeout(DEPOSIT_STALL, body.next()).await.map_err(|_| broken())? {
            let piece = piece.map_err(|_| broken())?;
            for event in parts.take(&piece).map_err(|_| broken())? {
                self.carry_out(event).await;
            }
        }
        if parts.is_whole() { Ok(()) } else { Err(broken()) }
    }

    async fn carry_out(&mut self, event: Event) {
        match event {
            Event::Begin(kind) if kind.is_empty() || kind.starts_with(INSTANCE) => {
                self.now = Some(block_in_place(|| self.app.studies.begin(&self.system)));
            }
            Event::Begin(_) => self.now = Some(Err(NotKept::NoStudy)),
            Event::Bytes(bytes) => {
                if let Some(Ok(incoming)) = &mut self.now
                    && let Err(error) = block_in_place(|| incoming.write(&bytes))
                {
                    self.now = Some(Err(NotKept::Disk(error)));
                }
            }
            Event::End => match self.end().await {
                Ok(listed) => self.stored.push(listed),
                Err(error) => self.failed.push(status(&error)),
            },
        }
    }

    async fn end(&mut self) -> Result<Listed, NotKept> {
        let incoming = self.now.take().unwrap_or(Err(NotKept::NoStudy))?;
        self.app.studies.keep(incoming).await
    }

    /// 200 if all are kept, 202 if some are, 409 if none is (PS3.18 table 10.5.3-1).
    fn answer(self) -> Response {
        let code = match (self.stored.is_empty(), self.failed.is_empty()) {
            (false, true) => StatusCode::OK,
            (false, false) => StatusCode::ACCEPTED,
            (true, _) => StatusCode::CONFLICT,
        };
        let stored: Vec<Value> = self
            .stored
            .iter()
            .map(|listed| {
                json!({
                    "00081150": {"vr": "UI", "Value": [listed.sop_class]},
                    "00081155": {"vr": "UI", "Value": [listed.instance]},
                })
            })
            .collect();
        let failed: Vec<Value> = self
            .failed
            .iter()
            .map(|status| json!({"00081197": {"vr": "US", "Value": [status.code()]}}))
            .collect();
        let sequences = [("00081199", stored), ("00081198", failed)].into_iter();
        let said = sequences.filter(|(_, sequence)| !sequence.is_empty());
        let said: Map<String, Value> =
            said.map(|(tag, sequence)| (tag.to_owned(), json!({"vr": "SQ", "Value": sequence}))).collect();
        let kind = [(CONTENT_TYPE, HeaderValue::from_static(JSON))];
        (code, kind, Value::Object(said).to_string()).into_response()
    }
}
