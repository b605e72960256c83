//! `GET /api/connections`, for the hospital's IT: through which doors its systems send, how all that came has ended, which of them are
//! told what concerns the hospital, and what was last wrong; `POST /api/connections/out/{name}/again`: what a system refused is told once
//! more. Nothing in it is of a patient. Not here: the messages that wait for a person: `yiqiao-node review`.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use yiqiao_host::http::{Json, Problem, kind, method_not_allowed};
use yiqiao_host::sessions::SignedIn;
use yiqiao_intake::dates::Zone;
use yiqiao_node_core::connection::{self, Connection};

use crate::api::front::Front;
use crate::names::name_of;
use crate::outgoing::{self, OutRow};
use crate::views::{self, ViewRow};

pub(super) fn router() -> Router<Front> {
    Router::new()
        .route("/api/connections", get(connections).fallback(method_not_allowed))
        .route("/api/connections/out/{name}/again", post(again).fallback(method_not_allowed))
}

/// Which event that was set aside is told once more; all of them if it is left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    #[serde(default)]
    number: Option<u64>,
}

/// A connection: `came` is the sum of the five ways to end and of `repeated`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ConnectionRow {
    /// Empty: all for which there is no room of their own.
    pub(crate) system: String,
    pub(crate) door: String,
    /// What the sender calls itself, as in `HIS|QZRM`; empty if it does not say.
    pub(crate) sender: String,
    pub(crate) came: u64,
    pub(crate) indexed: u64,
    pub(crate) applied: u64,
    pub(crate) answered: u64,
    pub(crate) review: u64,
    pub(crate) refused: u64,
    pub(crate) repeated: u64,
    pub(crate) documents: u64,
    /// Messages with the control id of an earlier one, and other bytes.
    pub(crate) reused: u64,
    /// When something came last.
    pub(crate) last: Option<String>,
    /// What was last refused or kept for a person.
    pub(crate) wrong: Option<Wrong>,
}

/// What was wrong, in the words of the reader.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Wrong {
    pub(crate) at: String,
    pub(crate) what: String,
}

#[derive(Serialize)]
struct Connections {
    items: Vec<ConnectionRow>,
    /// Systems that are told.
    out: Vec<OutRow>,
    /// Views of databases.
    views: Vec<ViewRow>,
}

async fn connections(State(front): State<Front>, who: SignedIn) -> Result<Json<Connections>, Problem> {
    who.must_be(&["it"])?;
    let all = front.app.inbox.ask(|_, view| connection::all(view)).await?;
    let zone = front.app.reception.zone();
    let items = all.into_iter().map(|one| ConnectionRow::of(one, zone)).collect();
    let (out, views) = (outgoing::rows(&front.app).await?, views::rows(&front.app).await?);
    Ok(Json(Connections { items, out, views }))
}

async fn again(
    State(front): State<Front>,
    who: SignedIn,
    Path(name): Path<String>,
    Json(asked): Json<Again>,
) -> Result<StatusCode, Problem> {
    who.must_be(&["it"])?;
    if !outgoing::tell_again(&front.app, &name, asked.number).await? {
        return Err(Problem::new(&kind::NOT_FOUND).detail("no system of this name is told"));
    }
    Ok(StatusCode::NO_CONTENT)
}

impl ConnectionRow {
    /// As it is shown, with times of the hospital's zone.
    pub(crate) fn of(connection: Connection, zone: &Zone) -> Self {
        let came = connection.came();
        let Connection { system, door, sender, counters, repeated, last_at, wrong } = connection;
        Self {
            system,
            door: name_of(&door),
            sender,
            came,
            indexed: counters.indexed,
            applied: counters.applied,
            answered: counters.answered,
            review: counters.review,
            refused: counters.refused,
            repeated,
            documents: counters.documents,
            reused: counters.reused,
            last: last_at.map(|at| zone.show(at)),
            wrong: wrong.map(|(at, what)| Wrong { at: zone.show(at), what }),
        }
    }
}
