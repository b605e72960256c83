//! What stands around every route: request id and access line, headers, panics, time, body limit, guard.
//!
//! The access line holds the route's template and never the path or the query, which may name a patient.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use tokio::time::{Instant, sleep_until};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use super::guard::{Guard, HttpConfig, guard};
use super::problem::{Problem, kind};
use crate::keys;
use crate::limits::{ANSWER_WAIT, BODY_BYTES_MAX};

/// Puts everything of this module around a finished router, outermost last.
pub fn standard(router: Router, config: &HttpConfig) -> Router {
    router
        .layer(from_fn_with_state(Arc::new(Guard::new(config)), guard))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(in_time))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(config.https, headers))
        .layer(from_fn(access_line))
}

/// The fallback of a router without pages.
pub async fn not_found() -> Problem {
    Problem::new(&kind::NOT_FOUND)
}

/// The fallback for methods that a route does not take.
pub async fn method_not_allowed() -> Problem {
    Problem::new(&kind::METHOD)
}

async fn access_line(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = known_method(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("-", MatchedPath::as_str);
    let id = hex::encode(keys::random::<8>());
    let span = tracing::info_span!("request", id);
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, ms) = (response.status().as_u16(), began.elapsed().as_millis());
    let _in_span = span.enter();
    if route == "/healthz" {
        tracing::debug!(method, route, status, ms, "answered");
    } else {
        tracing::info!(method, route, status, ms, "answered");
    }
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

/// A client may invent a method, and put anything into its name.
fn known_method(method: &Method) -> &'static str {
    const KNOWN: [Method; 7] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    const NAMES: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.iter().zip(NAMES).find_map(|(known, name)| (known == method).then_some(name)).unwrap_or("other")
}

/// Styles may be inline, because the pages' component library writes them; scripts may not.
const CONTENT_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Headers for every answer; a handler's own content policy and caching stand.
async fn headers(State(https): State<bool>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(CONTENT_POLICY));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let always = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in always {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

/// The panic hook has logged the place.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    Problem::new(&kind::INTERNAL).into_response()
}

/// Gives a handler [`ANSWER_WAIT`] from the last piece of the request's body to the head of its answer: long uploads go on as
/// long as they move, and a body that is being answered is never cut.
async fn in_time(request: Request, next: Next) -> Response {
    let moved = Arc::new(Mutex::new(Instant::now()));
    let moves = Arc::clone(&moved);
    let request = request.map(|body| {
        Body::new(body.map_frame(move |frame| {
            *moves.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            frame
        }))
    });
    tokio::select! {
        biased;
        response = next.run(request) => response,
        () = stood_still(&moved) => Problem::new(&kind::TOOK_TOO_LONG).into_response(),
    }
}

async fn stood_still(moved: &Mutex<Instant>) {
    loop {
        let until = *moved.lock().unwrap_or_else(PoisonError::into_inner) + ANSWER_WAIT;
        if until <= Instant::now() {
            return;
        }
        sleep_until(until).await;
    }
}
