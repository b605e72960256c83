//! `/api/session/passkey`: a patient signs in by a passkey instead of login name and password.
//!
//! The passkey is the patient's by what this hospital's desk vouched for; one that another hospital vouched for opens nothing here.

use axum::Router;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_node_core::machine::Machine;
use yiqiao_node_core::state::View;
use yiqiao_proto::id::Digest;

use crate::api::account::by_passkey;
use crate::api::faults::{CHALLENGE_OVER, of_refused};
use crate::api::front::Front;
use crate::api::webauthn::{Assertion, Bytes, bytes};

pub(super) fn router() -> Router<Front> {
    Router::new().route("/api/session/passkey", get(challenge).post(sign_in).fallback(method_not_allowed))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Challenge {
    challenge: Bytes,
    /// None: nobody signs in by a passkey here.
    rp_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    challenge: String,
    assertion: Assertion,
}

async fn challenge(State(front): State<Front>) -> Json<Challenge> {
    let challenge = Bytes::from(&front.challenges.draw(front.now()));
    Json(Challenge { challenge, rp_id: front.relying_party().ok().map(|(rp_id, _)| rp_id) })
}

async fn sign_in(
    State(front): State<Front>,
    headers: HeaderMap,
    Json(answer): Json<Answer>,
) -> Result<([(HeaderName, HeaderValue); 1], StatusCode), Problem> {
    let challenge = bytes("challenge", &answer.challenge)?;
    let challenge = challenge.try_into().ok().and_then(Digest::new);
    let challenge = challenge.ok_or_else(|| Problem::new(&CHALLENGE_OVER))?;
    front.challenges.check(front.now(), &challenge)?;
    let assertion = answer.assertion.read()?;
    let now = front.now();
    let known = move |machine: &Machine, view: &View| machine.known_by(&assertion, &challenge, now, view);
    let known = front.app.inbox.ask(known).await?;
    let (subject, guardian) = known.map_err(|refused| of_refused(&refused))?;
    front.challenges.spend(front.now(), challenge);
    let account = by_passkey(&front, subject, guardian).await?;
    let cookie = front.app.identity.sign_in_as(&headers, &account).await?;
    Ok(([(SET_COOKIE, cookie)], StatusCode::NO_CONTENT))
}
