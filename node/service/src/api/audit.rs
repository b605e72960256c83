//! `GET /api/patients/{subject}/audit`, and `/api/me/audit` for the patient: what people of this hospital did with a patient's record, the
//! newest first, with their names; and `GET /api/audit/anchors`: how far it stands in the log.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde::Serialize;
use yiqiao_host::http::{Json, Problem, kind, method_not_allowed};
use yiqiao_host::sessions::SignedIn;
use yiqiao_node_core::audit::{Of, Shown};
use yiqiao_node_core::limits::PAGE_MAX;
use yiqiao_node_core::machine::Machine;
use yiqiao_node_core::sight::Ground;
use yiqiao_node_core::state::{View, audit_end};
use yiqiao_proto::id::{Code, Subject};

use crate::api::front::{Acting, After, Front, Own, Page, subject};
use crate::api::words;
use crate::names::name_of;

pub(super) fn router() -> Router<Front> {
    Router::new()
        .route("/api/patients/{subject}/audit", get(lines).fallback(method_not_allowed))
        .route("/api/me/audit", get(own).fallback(method_not_allowed))
        .route("/api/audit/anchors", get(anchors).fallback(method_not_allowed))
}

#[derive(Serialize)]
pub(super) struct Row {
    number: u64,
    at: String,
    actor: String,
    role: String,
    department: Option<String>,
    act: String,
    outcome: String,
    clause: String,
    text: String,
}

/// How far the audit of this hospital is anchored in the log, for who answers for it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Anchoring {
    /// Lines that there are.
    lines: u64,
    /// Up to which line the newest anchor stands for all, and when the registry accepted it.
    anchored: Option<u64>,
    anchored_at: Option<String>,
    /// Whether the registry has told the newest anchor now.
    current: bool,
    /// When every line was last compared with the anchors since this node started.
    compared_at: Option<String>,
    /// The first line that is not the one that was written.
    broken: Option<u64>,
}

async fn anchors(State(front): State<Front>, who: SignedIn) -> Result<Json<Anchoring>, Problem> {
    who.must_be(&["it", "medical-affairs"])?;
    let current = front.app.anchored.read(&front.app.registry).await.is_ok();
    let newest = front.app.anchored.newest().await;
    let lines = front.app.inbox.ask(|_, view: &View| Ok(view.get(&audit_end())?.lines)).await?;
    Ok(Json(Anchoring {
        lines,
        anchored: newest.anchor.map(|(line, _)| line),
        anchored_at: newest.anchor.map(|(_, at)| front.time(at)),
        current,
        compared_at: newest.compared_at.map(|at| front.time(at)),
        broken: front.app.audit_broken.borrow().map(|broken| broken.0),
    }))
}

async fn lines(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
    after: After,
) -> Result<Json<Page<Row>>, Problem> {
    let (patient, ground) = front.seen(&actor, subject(&name)?).await?;
    let reads = ground.opens_documents() && ground.is_ordinary();
    if !(reads || ground == Ground::Affairs) {
        return Err(Problem::new(&kind::FORBIDDEN));
    }
    front.lines_of(patient.subject, after.place()?).await
}

/// Of the own record; that of the subjects that were merged into it is under the one that stayed.
async fn own(
    State(front): State<Front>,
    Own { actor, subject }: Own,
    after: After,
) -> Result<Json<Page<Row>>, Problem> {
    let (patient, _) = front.seen(&actor, subject).await?;
    front.lines_of(patient.subject, after.place()?).await
}

impl Front {
    async fn lines_of(&self, subject: Subject, before: Option<u64>) -> Result<Json<Page<Row>>, Problem> {
        let of = Of::Subject(subject);
        let lines = move |machine: &Machine, view: &View| machine.audit_lines(&of, before, view);
        let lines = self.app.inbox.ask(lines).await?;
        let full = u64::try_from(lines.len()).is_ok_and(|count| count >= PAGE_MAX);
        let next = lines.last().filter(|_| full).map(|(place, _)| place.to_string());
        let items = lines.iter().map(|(_, line)| self.line(line)).collect();
        Ok(Json(Page { items, next }))
    }

    pub(super) fn line(&self, line: &Shown) -> Row {
        let other = line.counterpart.as_ref().map(|code| self.member(code).name);
        let name = line.name.expose();
        let actor = match (name.is_empty(), line.login.is_empty()) {
            (false, _) => format!("{name}（{}）", line.login),
            (true, false) => line.login.clone(),
            (true, true) => "系统自动".to_owned(),
        };
        Row {
            number: line.number,
            at: self.time(line.at),
            actor,
            role: name_of(&line.role),
            department: line.department.as_ref().map(Code::to_string),
            act: name_of(&line.act),
            outcome: name_of(&line.outcome),
            clause: line.clause.clone(),
            text: words::line(line.act, other.as_deref()),
        }
    }
}
