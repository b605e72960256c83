//! The body of `/healthz`: what the caller says about itself, for probes and people.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// How a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Whether it works at all; if not, restart it.
    pub live: bool,
    /// Whether it can answer requests now; if not, send them elsewhere.
    pub ready: bool,
    /// Which release it is.
    pub version: &'static str,
}

/// 200 if live and ready, 503 otherwise; the body says which.
impl IntoResponse for Health {
    fn into_response(self) -> Response {
        let status = if self.live && self.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, Json(self)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_live_and_ready_process_is_healthy() {
        let status = |live, ready| Health { live, ready, version: "1.2.3" }.into_response().status();
        assert_eq!(status(true, true), 200);
        assert_eq!(
            (status(true, false), status(false, true)),
            (StatusCode::SERVICE_UNAVAILABLE, StatusCode::SERVICE_UNAVAILABLE)
        );
    }
}
