//! `POST /api/intake`: messages and documents of a system that signs in by OAuth 2.0 (scope `intake`), which it is by its client id.
//!
//! One message is answered by one object, several by `{"items": […]}` in their order. The status is that of the worst: 200 it is kept
//! (`indexed`, `applied`) or needed no keeping (`answered`), 202 it is kept for a person (`review`), 422 it goes back (`refused`; it
//! is not to be sent again unchanged), 503 it could not be kept now and is to be sent again.
//!
//! An object says what was understood of its message, to nobody but who sent it: where it stands in the body (`start`, `end`, in
//! bytes), its `control` id, the `patient`'s identifier, the sender's code of its `type`, its `date`, and the `reason` if it
//! brought no document or event. Of several documents or events these are the first's.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Serialize;
use yiqiao_host::clients::AuthorizedClient;
use yiqiao_host::http::{Json, Problem, kind, method_not_allowed};
use yiqiao_intake::dates::When;
use yiqiao_intake::facts::Format;
use yiqiao_intake::limits::INPUT_BYTES_MAX;
use yiqiao_intake::summary::Summary;
use yiqiao_node_core::connection::Door;
use yiqiao_node_core::intake::Verdict;
use yiqiao_proto::id::Code;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::Millis;

use crate::app::App;
use crate::names::{name_of, remark_names};
use crate::reception::{Answer, Taken};
use crate::sequencer::NotTaken;

/// The scope that a system needs.
pub(crate) const SCOPE: &str = "intake";
/// When a system may try again.
const AGAIN: Millis = Millis::from_secs(5);

pub(super) fn router(app: App) -> Router {
    let take = post(take).fallback(method_not_allowed);
    Router::new().route("/api/intake", take).layer(DefaultBodyLimit::max(INPUT_BYTES_MAX)).with_state(app)
}

/// What became of one message.
#[derive(Serialize)]
struct ItemAnswer {
    outcome: &'static str,
    repeat: bool,
    remarks: Vec<String>,
    entries: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(flatten)]
    said: Option<Said>,
}

/// What was understood of one message. Not to be printed: it names its patient.
#[derive(Serialize)]
struct Said {
    start: usize,
    end: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    control: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patient: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<Date>,
}

/// Milliseconds since the epoch, and how exact: `year`, `month`, `day`, `minute`, `second`.
#[derive(Debug, Serialize)]
struct Date {
    ms: i64,
    precision: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answered {
    One(ItemAnswer),
    Several { items: Vec<ItemAnswer> },
}

async fn take(
    State(app): State<App>,
    client: AuthorizedClient,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    client.require(SCOPE)?;
    let system = Code::new(client.client.id.as_str());
    let system = system.map_err(|error| Problem::new(&kind::FORBIDDEN).detail(error.to_string()))?;
    let format = format(&headers)?;
    answer(app.reception.take(&system, Door::Http, body.as_ref(), format).await)
}

/// What a system is told of what it sent.
pub(super) fn answer(taken: Vec<Taken>) -> Result<Response, Problem> {
    let status = taken.iter().map(status).max().unwrap_or(StatusCode::OK);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        return Err(Problem::new(&kind::UNAVAILABLE).retry_after(AGAIN));
    }
    let mut items: Vec<ItemAnswer> = taken.into_iter().map(item).collect();
    let answered = match items.len() {
        1 => items.pop().map(Answered::One),
        _ => None,
    };
    Ok((status, Json(answered.unwrap_or(Answered::Several { items }))).into_response())
}

/// The format that the media type asks for; none where the bytes tell.
fn format(headers: &HeaderMap) -> Result<Option<Format>, Problem> {
    let written = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = written.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Ok(match essence.as_str() {
        ""
        | "application/octet-stream"
        | "application/xml"
        | "text/xml"
        | "application/json"
        | "text/plain" => None,
        "application/fhir+json" => Some(Format::FhirJson),
        "application/fhir+xml" => Some(Format::FhirXml),
        "application/hl7-cda+xml" | "application/cda+xml" => Some(Format::Cda),
        "application/hl7-v2" | "x-application/hl7-v2+er7" => Some(Format::Hl7V2),
        _ => return Err(Problem::new(&kind::MEDIA_TYPE).detail("expected HL7 v2, CDA or FHIR")),
    })
}

fn status(taken: &Taken) -> StatusCode {
    match taken {
        Ok(Answer { answered, .. }) => match answered.verdict {
            Verdict::Indexed | Verdict::Applied | Verdict::Answered => StatusCode::OK,
            Verdict::Review => StatusCode::ACCEPTED,
            Verdict::Refused => StatusCode::UNPROCESSABLE_ENTITY,
        },
        Err(NotTaken::TooLong) => StatusCode::UNPROCESSABLE_ENTITY,
        Err(NotTaken::Busy | NotTaken::Stopping | NotTaken::Refused(_)) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn item(taken: Taken) -> ItemAnswer {
    match taken {
        Ok(Answer { answered, said, refusal: _ }) => ItemAnswer {
            outcome: outcome(answered.verdict),
            repeat: answered.repeat,
            remarks: remark_names(&answered.remarks),
            entries: answered.entries.iter().map(ToString::to_string).collect(),
            reason: said.reason.clone(),
            said: Some(said.into()),
        },
        Err(error) => ItemAnswer {
            outcome: "refused",
            repeat: false,
            remarks: Vec::new(),
            entries: Vec::new(),
            reason: Some(error.to_string()),
            said: None,
        },
    }
}

const fn outcome(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Indexed => "indexed",
        Verdict::Applied => "applied",
        Verdict::Answered => "answered",
        Verdict::Review => "review",
        Verdict::Refused => "refused",
    }
}

impl From<Summary> for Said {
    fn from(said: Summary) -> Self {
        Self {
            start: said.span.start,
            end: said.span.end,
            control: said.control_id,
            patient: said.patient.map(Phi::into_exposed),
            kind: said.kind,
            date: said.date.map(Date::from),
        }
    }
}

impl From<When> for Date {
    fn from(when: When) -> Self {
        Self { ms: when.at.unix_ms(), precision: name_of(&when.precision) }
    }
}
