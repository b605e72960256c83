//! JSON bodies: [`Json`] refuses with a [`Problem`] that names the field and what it should be, and never quotes what was sent.

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use hyper::body::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::problem::{Problem, kind};
use crate::limits::FIELD_CHARS_MAX;

/// A JSON body, asked for or answered.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(&kind::MEDIA_TYPE).detail("expected application/json"));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| unread(&rejection))?;
        parse(&bytes).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// `application/json` or `application/<anything>+json`, with or without parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let essence = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(|essence| essence.trim().to_ascii_lowercase());
    essence.and_then(|essence| {
        let subtype = essence.strip_prefix("application/")?;
        Some(subtype == "json" || subtype.ends_with("+json"))
    }) == Some(true)
}

fn unread(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(&kind::TOO_LARGE)
    } else {
        Problem::new(&kind::BAD_REQUEST).detail("the body broke off")
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut document = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut document).map_err(|error| {
        let path = error.path().to_string();
        refused(Some(path).filter(|path| path != "."), error.inner())
    })?;
    document.end().map_err(|error| refused(None, &error))?;
    Ok(value)
}

fn refused(path: Option<String>, error: &serde_json::Error) -> Problem {
    let place = format!("line {}, column {}", error.line(), error.column());
    let problem = match error.classify() {
        Category::Data => {
            Problem::new(&kind::UNFIT_FIELD).detail(format!("{} at {place}", expectation(&error.to_string())))
        }
        Category::Syntax | Category::Eof | Category::Io => {
            Problem::new(&kind::BAD_REQUEST).detail(format!("not valid JSON at {place}"))
        }
    };
    match path {
        Some(path) => problem.field(path.chars().take(FIELD_CHARS_MAX).collect::<String>()),
        None => problem,
    }
}

/// The part of serde's message that comes from our types: what was found instead may be patient data.
fn expectation(message: &str) -> String {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    if message.starts_with("missing field `") {
        message.to_owned()
    } else if let Some((_, expected)) = message.rsplit_once(", expected ") {
        format!("expected {expected}")
    } else {
        "not of the expected form".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read by serde only")]
    struct Order {
        items: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read by serde only")]
    struct Item {
        count: u32,
        code: Option<crate::accounts::Code>,
    }

    async fn said(text: &str) -> serde_json::Value {
        let response = parse::<Order>(text.as_bytes()).unwrap_err().into_response();
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    #[tokio::test]
    async fn the_field_is_named_and_what_was_sent_is_not_quoted() {
        let said = said(r#"{"items": [{"count": 1}, {"count": "张三丰, expected"}]}"#).await;
        assert_eq!(said["status"], 422);
        assert_eq!(said["field"], "items[1].count");
        assert_eq!(said["detail"], "expected u32 at line 1, column 56");
        assert!(!said.to_string().contains("张三丰"));
    }

    #[tokio::test]
    async fn unknown_and_missing_fields_are_explained() {
        let unknown = said(r#"{"items": [{"cuont": 1}]}"#).await;
        assert_eq!(unknown["field"], "items[0].cuont");
        assert!(unknown["detail"].as_str().unwrap().starts_with("expected `count` or `code`"), "{unknown}");
        let missing = said(r#"{"items": [{}]}"#).await;
        assert!(missing["detail"].as_str().unwrap().starts_with("missing field `count`"), "{missing}");
        let unfit = said(r#"{"items": [{"count": 1, "code": "张三"}]}"#).await;
        assert!(unfit["detail"].as_str().unwrap().starts_with("not of the expected form"), "{unfit}");
    }

    #[tokio::test]
    async fn what_is_not_json_is_a_bad_request() {
        for wrong in ["", "{", "{\"items\": []} x", "\u{0}"] {
            assert_eq!(said(wrong).await["status"], 400, "{wrong}");
        }
    }

    #[test]
    fn json_is_recognised_by_its_media_type() {
        let is = |value: &str| is_json(&[(CONTENT_TYPE, value.parse().unwrap())].into_iter().collect());
        assert!(
            is("application/json") && is("application/fhir+json; charset=utf-8") && is("Application/JSON")
        );
        assert!(!is("text/plain") && !is("application/xml") && !is("text/json"));
        assert!(!is_json(&HeaderMap::new()));
    }
}
