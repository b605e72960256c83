//! `/api/session`: signing in and out, who is signed in, choosing a password. The same in both processes.
//!
//! Not here: accounts are made by an administrator's command ([`crate::accounts::commands`]).

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

use super::{ClientAddress, Json, Problem, method_not_allowed};
use crate::accounts::{Account, Code, Login, Password};
use crate::sessions::{Authenticated, Identity};

/// Whose pages these are.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Home {
    /// The organisation.
    pub member: Organisation,
    /// The region's code.
    pub region: String,
}

/// An organisation, for people.
#[derive(Clone, Debug, Serialize)]
pub struct Organisation {
    /// Its member code.
    pub code: String,
    /// Its name in the member list.
    pub name: String,
}

/// The routes, to be merged into a service's router.
pub fn session_router(identity: Identity, home: Home) -> Router {
    Router::new()
        .route("/api/session", get(who).post(sign_in).delete(sign_out).fallback(method_not_allowed))
        .route("/api/session/password", post(choose_password).fallback(method_not_allowed))
        .with_state(Desk { identity, home })
}

#[derive(Clone)]
struct Desk {
    identity: Identity,
    home: Home,
}

impl FromRef<Desk> for Identity {
    fn from_ref(desk: &Desk) -> Self {
        desk.identity.clone()
    }
}

/// Who is signed in, where.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Who {
    login: Login,
    display_name: String,
    roles: BTreeSet<Code>,
    departments: BTreeSet<Code>,
    must_change_password: bool,
    #[serde(flatten)]
    home: Home,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    login: String,
    password: Password,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Passwords {
    current: Password,
    next: Password,
}

type WithCookie<T> = ([(HeaderName, HeaderValue); 1], T);

async fn who(State(desk): State<Desk>, Authenticated(account): Authenticated) -> Json<Who> {
    Json(desk.who(account))
}

async fn sign_in(
    State(desk): State<Desk>,
    from: ClientAddress,
    headers: HeaderMap,
    Json(SignIn { login, password }): Json<SignIn>,
) -> Result<WithCookie<Json<Who>>, Problem> {
    let (account, cookie) = desk.identity.sign_in(&headers, from, login, password).await?;
    Ok(([(SET_COOKIE, cookie)], Json(desk.who(account))))
}

async fn sign_out(State(desk): State<Desk>, headers: HeaderMap) -> Result<WithCookie<StatusCode>, Problem> {
    let cookie = desk.identity.sign_out(&headers).await?;
    Ok(([(SET_COOKIE, cookie)], StatusCode::NO_CONTENT))
}

async fn choose_password(
    State(desk): State<Desk>,
    Authenticated(account): Authenticated,
    from: ClientAddress,
    headers: HeaderMap,
    Json(Passwords { current, next }): Json<Passwords>,
) -> Result<WithCookie<Json<Who>>, Problem> {
    let cookie =
        desk.identity.choose_password(&headers, from, account.login.clone(), [current, next]).await?;
    let account = Account { must_change_password: false, ..account };
    Ok(([(SET_COOKIE, cookie)], Json(desk.who(account))))
}

impl Desk {
    fn who(&self, account: Account) -> Who {
        let Account { login, profile, must_change_password, .. } = account;
        Who {
            login,
            display_name: profile.display_name,
            roles: profile.roles,
            departments: profile.departments,
            must_change_password,
            home: self.home.clone(),
        }
    }
}
