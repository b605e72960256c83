//! The extractor for systems: a bearer token (RFC 6750) becomes the client and what it may do.

use std::collections::BTreeSet;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};

use super::{Client, ClientError, Clients, Scope};
use crate::clock::Clock;
use crate::http::{Problem, ProblemKind, kind};

const NO_TOKEN: ProblemKind = ProblemKind {
    slug: "access-token",
    status: StatusCode::UNAUTHORIZED,
    title: "The request needs a valid access token.",
    zh: "访问令牌缺失或已失效。",
    en: "The access token is missing or has expired.",
};

/// What the token endpoint and the extractor need; part of a service's state (`FromRef`).
#[derive(Clone, Debug)]
pub struct Systems {
    /// Who there is.
    pub clients: Clients,
    /// What time it is.
    pub clock: Clock,
}

/// A system with a valid access token.
#[derive(Clone, Debug)]
pub struct AuthorizedClient {
    /// Who it is.
    pub client: Client,
    /// What this token is good for.
    pub scopes: BTreeSet<Scope>,
}

impl AuthorizedClient {
    /// Checks that the token is good for this scope.
    ///
    /// # Errors
    /// The [`Problem`] to answer with: 403 `insufficient_scope`.
    pub fn require(&self, scope: &str) -> Result<(), Problem> {
        if self.scopes.iter().any(|held| held.as_str() == scope) {
            return Ok(());
        }
        Err(Problem::new(&kind::FORBIDDEN)
            .detail(format!("the access token has no scope {scope}"))
            .header(WWW_AUTHENTICATE, challenge("insufficient_scope")))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for AuthorizedClient
where
    Systems: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let systems = Systems::from_ref(state);
        let Some(token) = bearer(&parts.headers) else {
            // RFC 6750 3.1: no error code where no token was sent.
            let scheme = HeaderValue::from_static("Bearer realm=\"yiqiao\"");
            return Err(Problem::new(&NO_TOKEN).header(WWW_AUTHENTICATE, scheme));
        };
        let found = systems.clients.authorize(systems.clock.now(), token)?;
        let refused = || Problem::new(&NO_TOKEN).header(WWW_AUTHENTICATE, challenge("invalid_token"));
        let (client, scopes) = found.ok_or_else(refused)?;
        Ok(Self { client, scopes })
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return None;
    };
    let (scheme, token) = line.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

fn challenge(error: &'static str) -> HeaderValue {
    HeaderValue::try_from(format!("Bearer realm=\"yiqiao\", error=\"{error}\""))
        .expect("the codes of RFC 6750 are visible ASCII")
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        let detail = error.to_string();
        match error {
            ClientError::Taken { .. } | ClientError::Scopes | ClientError::Name => {
                Self::new(&kind::UNFIT_FIELD).detail(detail)
            }
            ClientError::Unknown { .. } => Self::new(&kind::NOT_FOUND).detail(detail),
            ClientError::Full => Self::new(&kind::UNAVAILABLE).detail(detail),
            ClientError::Store(error) => error.into(),
        }
    }
}
