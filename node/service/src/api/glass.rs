//! Breaking the glass in an emergency: `POST /api/patients/break-glass` by a number of a patient whom the doctor does not see,
//! `POST /api/patients/{subject}/break-glass` for one whom the doctor sees; and `/api/emergencies`, where somebody else judges it.
//!
//! Not here: what is opened by it: [`super::reading`], [`super::fetching`].

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use yiqiao_host::http::{Json, Problem, kind, method_not_allowed};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::audit::{Act, Of};
use yiqiao_node_core::glass::{Breaking, Broken, Judging, Reason, Said, Verdict};
use yiqiao_node_core::machine::{Input, Machine, Outcome};
use yiqiao_node_core::state::View;
use yiqiao_proto::codes::PersonRole;
use yiqiao_proto::id::{Code, Digest, Subject};
use yiqiao_proto::phi::Phi;

use crate::api::asking::unexpected;
use crate::api::audit;
use crate::api::faults::{AMBIGUOUS, NO_EMERGENCY, NOT_SEEN, NOTHING_TO_JUDGE};
use crate::api::front::{Acting, After, Front, Page, subject};
use crate::api::limits::{GLASS_WAIT, PAGE_ROWS};
use crate::api::parse::code;
use crate::api::patients::{Find, known};
use crate::api::person::{self, Over};
use crate::names::name_of;

pub(super) fn router() -> Router<Front> {
    Router::new()
        .route("/api/patients/break-glass", post(by_number).fallback(method_not_allowed))
        .route("/api/patients/{subject}/break-glass", post(of_patient).fallback(method_not_allowed))
        .route("/api/emergencies", get(to_judge).fallback(method_not_allowed))
        .route("/api/emergencies/judged", get(judged).fallback(method_not_allowed))
        .route("/api/emergencies/{id}", post(judge).fallback(method_not_allowed))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Why {
    reason: String,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ByNumber {
    find: Find,
    reason: String,
    text: String,
}

#[derive(Serialize)]
struct Begun {
    subject: String,
    until: String,
    /// The region's log has it: other hospitals can be asked.
    logged: bool,
}

async fn by_number(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Json(ByNumber { find, reason, text }): Json<ByNumber>,
) -> Result<Json<Begun>, Problem> {
    let wanted = find.wanted()?;
    let reason = code("reason", Reason::ALL, &reason)?;
    let found = front.app.inbox.ask(move |machine, view| known(machine, view, &wanted)).await?;
    match found.as_slice() {
        [] => {
            front.look(&actor, None, Act::Find).await?;
            Err(Problem::new(&NOT_SEEN))
        }
        [one] => front.break_glass(actor, *one, reason, text).await,
        _ => Err(Problem::new(&AMBIGUOUS)),
    }
}

async fn of_patient(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
    Json(Why { reason, text }): Json<Why>,
) -> Result<Json<Begun>, Problem> {
    let (patient, _) = front.seen(&actor, subject(&name)?).await?;
    front.break_glass(actor, patient.subject, code("reason", Reason::ALL, &reason)?, text).await
}

impl Front {
    /// Nobody waits long for the region's log in an emergency: what is here opens at once.
    async fn break_glass(
        &self,
        actor: Actor,
        subject: Subject,
        reason: Reason,
        text: String,
    ) -> Result<Json<Begun>, Problem> {
        let breaking = Breaking { actor, subject, reason, text: Phi::new(text) };
        let broken = self.hand(Input::BreakGlass(Box::new(breaking))).await?;
        if broken == Outcome::NoEmergency {
            return Err(Problem::new(&NO_EMERGENCY));
        }
        let Outcome::GlassBroken { until, words, .. } = broken else { return Err(unexpected()) };
        let logged = !words.is_empty() && self.all_stand(&words, GLASS_WAIT).await;
        Ok(Json(Begun { subject: subject.to_string(), until: self.time(until), logged }))
    }

    async fn all_stand(&self, words: &[u64], wait: Duration) -> bool {
        let until = Instant::now() + wait;
        for number in words {
            if self.stands(*number, until.saturating_duration_since(Instant::now())).await.is_err() {
                return false;
            }
        }
        true
    }

    /// What lies over a patient's record now for somebody.
    pub(super) async fn over(&self, actor: &Actor, subject: Subject) -> Result<Over, Problem> {
        let (actor, now) = (actor.clone(), self.now());
        let over = move |machine: &Machine, view: &View| {
            let emergency = machine.glass_until(&actor, &subject, now, view)?;
            Ok(Over { emergency, sealed: machine.sealed_since(&subject, view)? })
        };
        Ok(self.app.inbox.ask(over).await?)
    }
}

/// That the glass was broken, for who judges it.
#[derive(Serialize)]
struct Row {
    id: String,
    patient: Option<person::Row>,
    by: Person,
    reason: String,
    text: String,
    at: String,
    until: String,
    due: String,
    /// It is over, and nobody has settled it.
    overdue: bool,
    verdict: Option<Judged>,
    /// What the person did with the record meanwhile, the newest first.
    did: Vec<audit::Row>,
}

#[derive(Serialize)]
pub(super) struct Person {
    login: String,
    name: String,
    role: String,
    department: Option<String>,
}

#[derive(Serialize)]
struct Judged {
    verdict: String,
    by: Person,
    text: String,
    at: String,
}

async fn to_judge(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    after: After,
) -> Result<Json<Page<Row>>, Problem> {
    must_be_affairs(&actor)?;
    let from = after.place()?.unwrap_or(0);
    let broken = move |machine: &Machine, view: &View| machine.glass_to_judge(from, view);
    let broken = front.app.inbox.ask(broken).await?;
    front.glass_rows(&actor, broken).await
}

async fn judged(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    after: After,
) -> Result<Json<Page<Row>>, Problem> {
    must_be_affairs(&actor)?;
    let before = after.place()?;
    let broken = move |machine: &Machine, view: &View| machine.glass_judged(before, view);
    let broken = front.app.inbox.ask(broken).await?;
    front.glass_rows(&actor, broken).await
}

pub(super) fn must_be_affairs(actor: &Actor) -> Result<(), Problem> {
    if actor.role() == PersonRole::MedicalAffairs { Ok(()) } else { Err(Problem::new(&kind::FORBIDDEN)) }
}

impl Front {
    async fn glass_rows(
        &self,
        actor: &Actor,
        broken: Vec<(u64, Broken)>,
    ) -> Result<Json<Page<Row>>, Problem> {
        let next = broken.get(PAGE_ROWS.saturating_sub(1)).map(|(place, _)| place.to_string());
        let mut items = Vec::new();
        for (_, broken) in broken.into_iter().take(PAGE_ROWS) {
            items.push(self.glass_row(actor, broken).await?);
        }
        Ok(Json(Page { items, next }))
    }

    async fn glass_row(&self, actor: &Actor, broken: Broken) -> Result<Row, Problem> {
        let patient = self.seen(actor, broken.subject).await.ok();
        let settled = matches!(broken.judged, Some((Verdict::Justified | Verdict::Unjustified, ..)));
        Ok(Row {
            id: broken.id.to_string(),
            patient: patient.map(|(patient, ground)| self.row(&patient, ground)),
            did: self.done_by(&broken).await?,
            overdue: !settled && broken.due <= self.now(),
            reason: name_of(&broken.reason),
            text: broken.by.text.expose().clone(),
            by: person(broken.by),
            at: self.time(broken.at),
            until: self.time(broken.until),
            due: self.time(broken.due),
            verdict: broken.judged.map(|(verdict, by, at)| Judged {
                verdict: name_of(&verdict),
                text: by.text.expose().clone(),
                by: person(by),
                at: self.time(at),
            }),
        })
    }

    /// What somebody did with the record while the glass was broken, of the last lines about the patient.
    async fn done_by(&self, broken: &Broken) -> Result<Vec<audit::Row>, Problem> {
        let of = Of::Subject(broken.subject);
        let lines = self.app.inbox.ask(move |machine, view| machine.audit_lines(&of, None, view)).await?;
        let lines = lines.iter().map(|(_, line)| line);
        let meanwhile = lines
            .filter(|line| line.login == broken.by.login && (broken.at..broken.until).contains(&line.at));
        Ok(meanwhile.map(|line| self.line(line)).collect())
    }
}

pub(super) fn person(said: Said) -> Person {
    Person {
        login: said.login,
        name: said.name.expose().clone(),
        role: name_of(&said.role),
        department: said.department.as_ref().map(Code::to_string),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Judge {
    verdict: String,
    text: String,
}

async fn judge(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(id): Path<String>,
    Json(Judge { verdict, text }): Json<Judge>,
) -> Result<StatusCode, Problem> {
    let id = Digest::from_hex(&id).ok_or_else(|| Problem::new(&NOTHING_TO_JUDGE))?;
    let verdict = code("verdict", Verdict::ALL, &verdict)?;
    let judging = Judging { actor, id, verdict, text: Phi::new(text) };
    front.hand(Input::JudgeGlass(Box::new(judging))).await?;
    Ok(StatusCode::NO_CONTENT)
}
