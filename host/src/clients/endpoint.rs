//! The token endpoint: RFC 6749 4.4.2 requests, 5.1 answers and 5.2 errors.
//!
//! A request that comes too often is answered 429 with `Retry-After`, for which RFC 6749 has no code; `temporarily_unavailable` is the
//! one that its section 4.1.2.1 has for this.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRef, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use yiqiao_proto::time::Millis;
use zeroize::Zeroizing;

use super::{Grant, GrantError, Scope, Systems};
use crate::limits::{SCOPES_MAX, TOKEN_REQUEST_BYTES_MAX};

/// `POST`: gives a token to a client that proves itself by `client_secret_basic` or `client_secret_post`.
pub async fn token_endpoint<S>(State(state): State<S>, headers: HeaderMap, body: Body) -> Response
where
    Systems: FromRef<S>,
{
    match token(&Systems::from_ref(&state), &headers, body).await {
        Ok(grant) => granted(&grant).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn token(systems: &Systems, headers: &HeaderMap, body: Body) -> Result<Grant, Refusal> {
    let body = axum::body::to_bytes(body, TOKEN_REQUEST_BYTES_MAX).await;
    let body = Zeroizing::new(body.map_err(|_| invalid("the request is too long or broke off"))?.to_vec());
    let mut parameters = parameters(headers, &body)?;
    let credentials = credentials(headers, &mut parameters)?;
    match parameters.get("grant_type").map(|grant_type| grant_type.as_str()) {
        Some("client_credentials") => {}
        Some(_) => return Err(Refusal::plain("unsupported_grant_type", "use client_credentials")),
        None => return Err(invalid("grant_type is missing")),
    }
    let scopes = parameters.get("scope").map(|written| scopes(written)).transpose()?;
    let (id, secret) = &credentials.pair;
    systems
        .clients
        .grant(systems.clock.now(), id, secret, scopes)
        .map_err(|error| Refusal::of(error, credentials.by_header))
}

type Parameters = BTreeMap<String, Zeroizing<String>>;

/// RFC 6749 3.2: a parameter without a value is none, and none is repeated.
fn parameters(headers: &HeaderMap, body: &[u8]) -> Result<Parameters, Refusal> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(invalid("use application/x-www-form-urlencoded"));
    }
    let mut parameters = Parameters::new();
    for (name, value) in form_urlencoded::parse(body) {
        let value = Zeroizing::new(value.into_owned());
        if !value.is_empty() && parameters.insert(name.into_owned(), value).is_some() {
            return Err(invalid("a parameter is repeated"));
        }
    }
    Ok(parameters)
}

struct Credentials {
    pair: (Zeroizing<String>, Zeroizing<String>),
    by_header: bool,
}

/// RFC 6749 2.3: one way of authentication in a request, not two.
fn credentials(headers: &HeaderMap, parameters: &mut Parameters) -> Result<Credentials, Refusal> {
    let (id, secret) = (parameters.remove("client_id"), parameters.remove("client_secret"));
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    match (lines.next(), lines.next(), id, secret) {
        (Some(line), None, id, None) => {
            let pair = basic(line).ok_or_else(|| Refusal::client(true))?;
            if id.is_some_and(|id| id != pair.0) {
                return Err(invalid("client_id differs from the Authorization header"));
            }
            Ok(Credentials { pair, by_header: true })
        }
        (None, _, Some(id), Some(secret)) => Ok(Credentials { pair: (id, secret), by_header: false }),
        (None, ..) => Err(Refusal::client(false)),
        (Some(_), ..) => Err(invalid("authenticate in one way only")),
    }
}

/// RFC 6749 2.3.1: id and secret are form-encoded before they are joined.
fn basic(line: &HeaderValue) -> Option<(Zeroizing<String>, Zeroizing<String>)> {
    let (scheme, encoded) = line.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let joined = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let (id, secret) = str::from_utf8(&joined).ok()?.split_once(':')?;
    Some((decoded(id)?, decoded(secret)?))
}

fn decoded(part: &str) -> Option<Zeroizing<String>> {
    let mut pairs = form_urlencoded::parse(part.as_bytes());
    match (pairs.next(), pairs.next()) {
        (Some((text, value)), None) if value.is_empty() => Some(Zeroizing::new(text.into_owned())),
        _ => None,
    }
}

/// RFC 6749 3.3: separated by single blanks, in any order.
fn scopes(written: &str) -> Result<BTreeSet<Scope>, Refusal> {
    let scopes: Result<BTreeSet<Scope>, _> =
        written.split(' ').take(SCOPES_MAX + 1).map(str::parse).collect();
    let scopes = scopes.ok().filter(|scopes| scopes.len() <= SCOPES_MAX);
    scopes.ok_or_else(|| Refusal::plain("invalid_scope", "a scope is not of the expected form"))
}

#[derive(Serialize)]
struct Granted<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    scope: String,
}

const UNCACHED: [(axum::http::HeaderName, &str); 2] = [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")];

fn granted(grant: &Grant) -> impl IntoResponse + use<> {
    let scope: Vec<_> = grant.scopes.iter().map(Scope::as_str).collect();
    let body = Granted {
        access_token: grant.token.expose(),
        token_type: "Bearer",
        expires_in: grant.life.get() / 1000,
        scope: scope.join(" "),
    };
    let body = Json(serde_json::to_value(body).unwrap_or_default());
    (UNCACHED, body)
}

/// An error of RFC 6749 5.2.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    error: &'static str,
    error_description: &'static str,
    header: Option<(axum::http::HeaderName, HeaderValue)>,
}

fn invalid(why: &'static str) -> Refusal {
    Refusal::plain("invalid_request", why)
}

impl Refusal {
    const fn plain(error: &'static str, error_description: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, error_description, header: None }
    }

    /// 401 in both cases; the scheme is named to who used it, as section 5.2 demands.
    fn client(by_header: bool) -> Self {
        let header = (WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"yiqiao\""));
        Self {
            status: StatusCode::UNAUTHORIZED,
            header: by_header.then_some(header),
            ..Self::plain("invalid_client", "client authentication failed")
        }
    }

    fn later(status: StatusCode, wait: Millis) -> Self {
        let header = (RETRY_AFTER, HeaderValue::from(wait.get().div_ceil(1000)));
        Self { status, header: Some(header), ..Self::plain("temporarily_unavailable", "try again later") }
    }

    fn of(error: GrantError, by_header: bool) -> Self {
        match error {
            GrantError::InvalidClient => Self::client(by_header),
            GrantError::InvalidScope => Self::plain("invalid_scope", "the client may not have this scope"),
            GrantError::TryLater { wait } => Self::later(StatusCode::TOO_MANY_REQUESTS, wait),
            GrantError::Store(error) => {
                tracing::error!(%error, "a token request failed");
                Self::later(StatusCode::SERVICE_UNAVAILABLE, Millis::from_secs(5))
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": self.error, "error_description": self.error_description });
        let mut response = (self.status, UNCACHED, Json(body)).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
