//! `GET /api/patients/{subject}/audit`: what people of this hospital did with a patient's record, the newest
//! first.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde::Serialize;
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_node_core::audit::{Of, Shown};
use yiqiao_node_core::limits::PAGE_MAX;
use yiqiao_node_core::machine::Machine;
use yiqiao_node_core::state::View;
use yiqiao_proto::id::Code;

use crate::api::front::{Acting, After, Front, Page, subject};
use crate::api::words;
use crate::names::name_of;

pub(super) fn router() -> Router<Front> {
    Router::new().route("/api/patients/{subject}/audit", get(lines).fallback(method_not_allowed))
}

#[derive(Serialize)]
struct Row {
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

async fn lines(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
    after: After,
) -> Result<Json<Page<Row>>, Problem> {
    let (patient, _) = front.reader(&actor, subject(&name)?).await?;
    let (of, before) = (Of::Subject(patient.subject), after.place()?);
    let lines = move |machine: &Machine, view: &View| machine.audit_lines(&of, before, view);
    let lines = front.app.inbox.ask(lines).await?;
    let full = u64::try_from(lines.len()).is_ok_and(|count| count >= PAGE_MAX);
    let next = lines.last().filter(|_| full).map(|(place, _)| place.to_string());
    let items = lines.iter().map(|(_, line)| front.line(line)).collect();
    Ok(Json(Page { items, next }))
}

impl Front {
    fn line(&self, line: &Shown) -> Row {
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
