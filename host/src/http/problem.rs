//! Error answers: RFC 9457 `application/problem+json`, with a sentence for the person in Chinese and in English.
//!
//! `detail` and `field` are for whoever wrote the calling program. None of it carries patient data: what was sent is not quoted.

use std::error::Error;

use axum::Json;
use axum::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use yiqiao_proto::time::Millis;

use crate::store::StoreError;

/// What kind of thing went wrong; a constant of the module that answers with it.
#[derive(Debug, PartialEq, Eq)]
pub struct ProblemKind {
    /// The end of its `type` URI, `urn:yiqiao:problem:<slug>`.
    pub slug: &'static str,
    /// The HTTP status.
    pub status: StatusCode,
    /// The same for every occurrence.
    pub title: &'static str,
    /// For the person, in Chinese.
    pub zh: &'static str,
    /// For the person, in English.
    pub en: &'static str,
}

/// One error answer.
#[derive(Debug)]
pub struct Problem(Box<Occurrence>);

#[derive(Debug)]
struct Occurrence {
    kind: &'static ProblemKind,
    detail: Option<String>,
    field: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem of this kind, with nothing more to say.
    pub fn new(kind: &'static ProblemKind) -> Self {
        Self(Box::new(Occurrence { kind, detail: None, field: None, headers: Vec::new() }))
    }

    /// Says what is special about this occurrence; never patient data.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Names the field of the request that is meant.
    #[must_use]
    pub fn field(mut self, path: impl Into<String>) -> Self {
        self.0.field = Some(path.into());
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Says when to try again, in whole seconds, rounded up.
    #[must_use]
    pub fn retry_after(self, wait: Millis) -> Self {
        self.header(RETRY_AFTER, HeaderValue::from(wait.get().div_ceil(1000)))
    }

    /// A fault of ours: logged with all its causes, answered without any.
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        let causes = std::iter::successors(Some(error), |&error| error.source());
        let causes: Vec<_> = causes.map(ToString::to_string).collect();
        tracing::error!(error = causes.join(": "), "a request failed");
        Self::new(&kind::INTERNAL)
    }

    /// Which kind it is.
    pub fn kind(&self) -> &'static ProblemKind {
        self.0.kind
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::internal(&error)
    }
}

#[derive(Serialize)]
struct Body {
    r#type: String,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    text: Text,
}

#[derive(Serialize)]
struct Text {
    zh: &'static str,
    en: &'static str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Occurrence { kind, detail, field, headers } = *self.0;
        let body = Body {
            r#type: format!("urn:yiqiao:problem:{}", kind.slug),
            title: kind.title,
            status: kind.status.as_u16(),
            detail,
            field,
            text: Text { zh: kind.zh, en: kind.en },
        };
        let mut response = (kind.status, Json(body)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}

/// The kinds that this crate answers with; services use them too, and add their own.
pub mod kind {
    use super::{ProblemKind, StatusCode};

    macro_rules! kinds {
        ($($name:ident $status:ident $slug:literal $title:literal $zh:literal $en:literal)*) => {$(
            #[doc = $title]
            pub const $name: ProblemKind = ProblemKind {
                slug: $slug,
                status: StatusCode::$status,
                title: $title,
                zh: $zh,
                en: $en,
            };
        )*};
    }

    kinds! {
        BAD_REQUEST BAD_REQUEST "bad-request" "The request cannot be read."
            "请求格式有误。" "The request is not in the expected form."
        UNFIT_FIELD UNPROCESSABLE_ENTITY "unfit-field" "A field of the request does not fit."
            "有一项内容不符合要求，请检查后重试。" "One of the fields is not as expected. Please check and try again."
        TOO_LARGE PAYLOAD_TOO_LARGE "too-large" "The request body is too large."
            "提交的内容过大。" "What was sent is too large."
        MEDIA_TYPE UNSUPPORTED_MEDIA_TYPE "media-type" "The request body has another media type than expected."
            "提交的内容类型不受支持。" "This type of content is not supported."
        NOT_FOUND NOT_FOUND "not-found" "There is nothing at this address."
            "未找到所请求的内容。" "Nothing was found here."
        METHOD METHOD_NOT_ALLOWED "method" "The address does not take this method."
            "不支持此操作。" "This action is not supported here."
        SIGN_IN UNAUTHORIZED "sign-in" "The request needs somebody who is signed in."
            "请先登录。" "Please sign in."
        REFUSED UNAUTHORIZED "refused" "Name and password do not open an account."
            "用户名或密码错误，或账号已停用。" "The name or password is wrong, or the account is disabled."
        CHANGE_PASSWORD FORBIDDEN "change-password" "The account needs a new password first."
            "请先修改密码。" "Please choose a new password first."
        FORBIDDEN FORBIDDEN "forbidden" "The request is not allowed."
            "您没有权限执行此操作。" "You are not allowed to do this."
        CROSS_ORIGIN FORBIDDEN "cross-origin" "The request comes from another site's page."
            "请求来源不受信任，请从本系统页面重新操作。" "The request came from another site. Please start again from our pages."
        HOST MISDIRECTED_REQUEST "host" "The host name is not one of this process."
            "访问地址不正确，请联系信息科。" "This address is not configured. Please contact hospital IT."
        TRY_LATER TOO_MANY_REQUESTS "try-later" "There were too many requests."
            "操作过于频繁，请稍后再试。" "Too many attempts. Please try again later."
        TOOK_TOO_LONG SERVICE_UNAVAILABLE "took-too-long" "The answer took too long."
            "系统响应超时，请稍后重试。" "This took too long. Please try again."
        UNAVAILABLE SERVICE_UNAVAILABLE "unavailable" "The process cannot answer at present."
            "系统繁忙，请稍后重试。" "The system is busy. Please try again."
        INTERNAL INTERNAL_SERVER_ERROR "internal" "Something went wrong on our side."
            "系统出现错误，请联系信息科。" "Something went wrong. Please contact hospital IT."
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_problem_is_an_rfc_9457_document_in_two_languages() {
        let problem = Problem::new(&kind::TRY_LATER).detail("3 failures").retry_after(Millis::new(1001));
        let response = problem.into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "urn:yiqiao:problem:try-later",
                "title": "There were too many requests.",
                "status": 429,
                "detail": "3 failures",
                "text": { "zh": "操作过于频繁，请稍后再试。", "en": "Too many attempts. Please try again later." },
            })
        );
    }

    #[tokio::test]
    async fn an_internal_error_tells_the_caller_nothing() {
        let response = Problem::internal(&std::io::Error::other("disk /var/x")).into_response();
        assert_eq!(response.status(), 500);
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("disk"));
    }
}
