//! Sealing a record: `POST /api/patients/{subject}/seal` and `…/unseal`, and `GET /api/seals`: which records are sealed, and who has tried
//! to open them since.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use yiqiao_host::accounts::Login;
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_node_core::audit::Of;
use yiqiao_node_core::machine::{Input, Machine};
use yiqiao_node_core::seal::{Change, Lifting, Reason, Sealed, Sealing};
use yiqiao_node_core::state::View;
use yiqiao_proto::phi::Phi;

use crate::api::audit;
use crate::api::faults::unfit;
use crate::api::front::{Acting, After, Front, Page, subject};
use crate::api::glass::{Person, must_be_affairs, person};
use crate::api::limits::PAGE_ROWS;
use crate::api::parse::code;
use crate::api::person::Row as Patient;
use crate::names::name_of;

pub(super) fn router() -> Router<Front> {
    Router::new()
        .route("/api/patients/{subject}/seal", post(seal).fallback(method_not_allowed))
        .route("/api/patients/{subject}/unseal", post(lift).fallback(method_not_allowed))
        .route("/api/seals", get(list).fallback(method_not_allowed))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    reason: String,
    text: String,
    /// Logins of those who open it all the same.
    reviewers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lift {
    text: String,
}

async fn seal(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
    Json(Seal { reason, text, reviewers }): Json<Seal>,
) -> Result<StatusCode, Problem> {
    must_be_affairs(&actor)?;
    let (subject, reason) = (subject(&name)?, code("reason", Reason::ALL, &reason)?);
    for login in &reviewers {
        let known = login.parse::<Login>().ok().map(|login| front.app.identity.accounts.find(&login));
        if known.transpose()?.flatten().is_none() {
            return Err(unfit("reviewers", "logins of this hospital"));
        }
    }
    let sealing = Sealing { actor, subject, reason, text: Phi::new(text), reviewers };
    front.hand(Input::Seal(Box::new(Change::Seal(sealing)))).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn lift(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
    Json(Lift { text }): Json<Lift>,
) -> Result<StatusCode, Problem> {
    let lifting = Lifting { actor, subject: subject(&name)?, text: Phi::new(text) };
    front.hand(Input::Seal(Box::new(Change::Lift(lifting)))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A sealed record, for who answers for records.
#[derive(Serialize)]
struct Row {
    subject: String,
    patient: Option<Patient>,
    by: Person,
    reason: String,
    text: String,
    at: String,
    reviewers: usize,
    /// Who has tried to open it, or to get something of it, since then, of the last lines about the patient.
    attempts: Vec<audit::Row>,
}

async fn list(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    after: After,
) -> Result<Json<Page<Row>>, Problem> {
    must_be_affairs(&actor)?;
    let from = after.place()?.unwrap_or(0);
    let sealed = move |machine: &Machine, view: &View| machine.sealed(from, view);
    let sealed = front.app.inbox.ask(sealed).await?;
    let next = sealed.get(PAGE_ROWS.saturating_sub(1)).map(|(place, _)| place.to_string());
    let mut items = Vec::new();
    for (_, sealed) in sealed.into_iter().take(PAGE_ROWS) {
        let patient = front.seen(&actor, sealed.subject).await.ok();
        items.push(Row {
            subject: sealed.subject.to_string(),
            patient: patient.map(|(patient, ground)| front.row(&patient, ground)),
            attempts: front.attempts(&sealed).await?,
            reason: name_of(&sealed.reason),
            text: sealed.by.text.expose().clone(),
            by: person(sealed.by),
            at: front.time(sealed.at),
            reviewers: sealed.reviewers,
        });
    }
    Ok(Json(Page { items, next }))
}

impl Front {
    async fn attempts(&self, sealed: &Sealed) -> Result<Vec<audit::Row>, Problem> {
        let of = Of::Subject(sealed.subject);
        let lines = self.app.inbox.ask(move |machine, view| machine.audit_lines(&of, None, view)).await?;
        let lines = lines.iter().map(|(_, line)| line).filter(|line| line.at >= sealed.at);
        let tried = lines.filter(|line| line.clause == "D-12" && name_of(&line.outcome) == "denied");
        Ok(tried.map(|line| self.line(line)).collect())
    }
}
