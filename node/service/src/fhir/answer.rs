//! Answers of the door: resources with their tags, and what goes wrong as OperationOutcome with the headers that go with it.

use axum::extract::Request;
use axum::http::header::{
    ALLOW, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use yiqiao_fhir::outcome::Problem;
use yiqiao_fhir::resource::Resource;
use yiqiao_host::http;
use yiqiao_node_core::machine::Refused;
use yiqiao_proto::time::Millis;

use crate::content;
use crate::sequencer::NotTaken;

/// The media type of everything but the bytes of documents.
pub(super) const FHIR_JSON: &str = "application/fhir+json";
/// When a client may try again if the node is behind.
const AGAIN: Millis = Millis::from_secs(5);
/// The same if the day's evaluations of tokens are used up (T-5).
const TOKENS_AGAIN: Millis = Millis::from_secs(3_600);

/// Why a request is not done.
#[derive(Debug)]
pub(super) struct Refusal(Box<(Problem, HeaderMap)>);

impl Refusal {
    fn with(problem: Problem, name: HeaderName, value: HeaderValue) -> Self {
        Self(Box::new((problem, HeaderMap::from_iter([(name, value)]))))
    }

    /// What the extractor of tokens said, in the words of this door; its challenge stands (RFC 6750 3).
    pub(super) fn of_token(refused: http::Problem) -> Self {
        let problem = match refused.kind().status {
            StatusCode::UNAUTHORIZED => Problem::Login,
            StatusCode::FORBIDDEN => Problem::Forbidden,
            _ => Problem::Internal,
        };
        let response = refused.into_response();
        let kept = |name: &HeaderName| [WWW_AUTHENTICATE, RETRY_AFTER].contains(name);
        let headers = response.headers().iter().filter(|(name, _)| kept(name));
        let headers = headers.map(|(name, value)| (name.clone(), value.clone())).collect();
        Self(Box::new((problem, headers)))
    }

    /// What is wrong, and the headers that go with it, for a door with other words.
    pub(super) fn into_parts(self) -> (Problem, HeaderMap) {
        *self.0
    }

    /// Whether it is of one thing, so that others may still be answered.
    pub(super) fn is_of_this_one(&self) -> bool {
        let Self(of) = self;
        matches!(
            of.0,
            Problem::NotFound { .. } | Problem::Gone { .. } | Problem::Forbidden | Problem::Consent { .. }
        )
    }

    /// The token is good, but not for this (RFC 6750 3.1).
    pub(super) fn scope(scope: String) -> Self {
        let challenge = HeaderValue::from_static("Bearer realm=\"yiqiao\", error=\"insufficient_scope\"");
        Self::with(Problem::Scope { scope }, WWW_AUTHENTICATE, challenge)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let wait = if let Problem::Throttled { retry_after } = problem {
            Some(retry_after)
        } else {
            (problem == Problem::Transient).then_some(AGAIN)
        };
        let headers = wait.map(|wait| (RETRY_AFTER, seconds(wait))).into_iter().collect();
        Self(Box::new((problem, headers)))
    }
}

impl From<NotTaken> for Refusal {
    fn from(error: NotTaken) -> Self {
        match error {
            NotTaken::Busy | NotTaken::Stopping => Problem::Transient.into(),
            NotTaken::TooLong => Problem::Refused { why: error.to_string() }.into(),
            NotTaken::Refused(refused) => problem_of(&refused).into(),
        }
    }
}

/// A refusal of the machine. Its words hold no patient data.
fn problem_of(refused: &Refused) -> Problem {
    if matches!(refused, Refused::NotSeen | Refused::NotYours) {
        Problem::Forbidden
    } else if matches!(refused, Refused::NotThere | Refused::TooManySteps | Refused::Withdrawn) {
        Problem::Conflict { what: "it is in a state in which this is not possible" }
    } else if *refused == Refused::Changed {
        Problem::Version
    } else if *refused == Refused::TokensLater {
        Problem::Throttled { retry_after: TOKENS_AGAIN }
    } else if *refused == Refused::RegistryAway {
        Problem::Transient
    } else if *refused == Refused::UnknownPatient {
        Problem::NotFound { kind: "Patient" }
    } else {
        Problem::Refused { why: refused.to_string() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (problem, headers) = *self.0;
        let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = resource(status, &problem.outcome());
        response.headers_mut().extend(headers);
        response
    }
}

/// A resource; its entity tag if it has versions.
pub(super) fn resource(status: StatusCode, resource: &Resource) -> Response {
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON))]);
    if let Some(tag) = resource.etag().and_then(|tag| HeaderValue::try_from(tag).ok()) {
        headers.insert(ETAG, tag);
    }
    (status, headers, resource.to_bytes()).into_response()
}

/// A resource that is read; nothing but its tag if the client has it (RFC 9110 13.1.2).
pub(super) fn read(request: &HeaderMap, found: &Resource) -> Response {
    let known = found.etag().is_some_and(|tag| content::is_known(request, &tag));
    let mut response = resource(StatusCode::OK, found);
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = axum::body::Body::empty();
        response.headers_mut().remove(CONTENT_TYPE);
    }
    response
}

/// What was written, where it is, in the form that the client prefers.
pub(super) fn written(status: StatusCode, prefer: Prefer, written: &Resource, location: &str) -> Response {
    let mut response = match prefer {
        Prefer::Representation => resource(status, written),
        Prefer::Minimal => {
            let mut response = resource(status, written);
            *response.body_mut() = axum::body::Body::empty();
            response.headers_mut().remove(CONTENT_TYPE);
            response
        }
        Prefer::Outcome => {
            let mut response = resource(status, &yiqiao_fhir::outcome::done());
            let tag = written.etag().and_then(|tag| HeaderValue::try_from(tag).ok());
            response.headers_mut().extend(tag.map(|tag| (ETAG, tag)));
            response
        }
    };
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// What a client wants back of what it writes (FHIR R4, http.html#ops).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Prefer {
    #[default]
    Representation,
    Minimal,
    Outcome,
}

impl Prefer {
    /// Reads the header; what it does not know it passes over, as RFC 7240 has it.
    pub(super) fn read(header: &str) -> Self {
        let mut parts = header.split([',', ';']).map(str::trim);
        parts
            .find_map(|part| match part.to_ascii_lowercase().as_str() {
                "return=minimal" => Some(Self::Minimal),
                "return=operationoutcome" => Some(Self::Outcome),
                "return=representation" => Some(Self::Representation),
                _ => None,
            })
            .unwrap_or_default()
    }
}

/// The fallback for addresses that are none.
pub(super) async fn unknown() -> Refusal {
    Problem::NotSupported { what: "this address" }.into()
}

/// The fallback for methods that an address does not take; the router adds those that it does.
pub(super) async fn method() -> Response {
    let mut response = Refusal::from(Problem::Method).into_response();
    response.headers_mut().remove(ALLOW);
    response
}

/// The layer around everything: what goes wrong below `/fhir` and not in this door, such as a host that is not the node's, an address that
/// is no text or an answer that takes too long, is said in the door's words, too.
pub(crate) async fn in_its_words(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let below = path == "/fhir" || path.starts_with("/fhir/");
    let answer = next.run(request).await;
    let wrong = answer.status().is_client_error() || answer.status().is_server_error();
    let said = answer.headers().get(CONTENT_TYPE).is_some_and(|media| media == FHIR_JSON);
    if !below || !wrong || said {
        return answer;
    }
    let mut response = Refusal::from(outside(answer.status())).into_response();
    let foreign = |name: &HeaderName| *name == CONTENT_TYPE || *name == CONTENT_LENGTH;
    let kept = answer.headers().iter().filter(|(name, _)| !foreign(name));
    response.headers_mut().extend(kept.map(|(name, value)| (name.clone(), value.clone())));
    response
}

/// What a status means that was not given by this door.
const fn outside(status: StatusCode) -> Problem {
    match status {
        StatusCode::BAD_REQUEST => Problem::Malformed,
        StatusCode::FORBIDDEN => Problem::Origin,
        StatusCode::MISDIRECTED_REQUEST => Problem::Host,
        StatusCode::SERVICE_UNAVAILABLE => Problem::Transient,
        _ => Problem::Internal,
    }
}

fn seconds(wait: Millis) -> HeaderValue {
    HeaderValue::from(wait.get().div_ceil(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_wants_back_is_read_and_what_is_unknown_passed_over() {
        for (header, expected) in [
            ("", Prefer::Representation),
            ("return=minimal", Prefer::Minimal),
            ("respond-async, return=OperationOutcome; handling=lenient", Prefer::Outcome),
            ("return=nothing", Prefer::Representation),
        ] {
            assert_eq!(Prefer::read(header), expected, "{header}");
        }
    }

    #[test]
    fn what_was_not_taken_says_whether_and_when_to_come_again() {
        let refused = NotTaken::Refused;
        for (why, status, wait) in [
            (NotTaken::Busy, 503, Some(5)),
            (NotTaken::Stopping, 503, Some(5)),
            (refused(Refused::TokensLater), 429, Some(3_600)),
            (refused(Refused::RegistryAway), 503, Some(5)),
            (NotTaken::TooLong, 422, None),
            (refused(Refused::NoToken), 422, None),
            (refused(Refused::UnknownPatient), 404, None),
            (refused(Refused::NotSeen), 403, None),
            (refused(Refused::NotThere), 409, None),
        ] {
            let response = Refusal::from(why.clone()).into_response();
            let headers = response.headers();
            let told = (response.status().as_u16(), headers.get(RETRY_AFTER));
            assert_eq!(told, (status, wait.map(HeaderValue::from).as_ref()), "{why}");
            assert_eq!(headers[CONTENT_TYPE], FHIR_JSON);
        }
    }
}
