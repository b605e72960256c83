//! `/api/patients/{subject}/papers` at a desk, `/api/me/papers` for the patient: scans of what was signed on paper, sealed at this
//! hospital. What a desk records names one as its evidence: `evidence.scan`.
//!
//! A scan is the body of its request. Not here: what is recorded by it: `consents`, `ending`.

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use yiqiao_host::http::{Json, Problem, kind, method_not_allowed};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::audit::Act;
use yiqiao_node_core::intake::Sealed;
use yiqiao_node_core::machine::{Input, Machine};
use yiqiao_node_core::paper::{NewPaper, Paper};
use yiqiao_proto::codes::{DocumentFormat, PersonRole};
use yiqiao_proto::hash;
use yiqiao_proto::id::Subject;

use crate::api::faults::{BROKE_OFF, NOT_SEEN, PAPER_KIND, unfit};
use crate::api::front::{Acting, Front, Own, subject};
use crate::api::limits::PAPER_BYTES_MAX;
use crate::api::new_consent::Evidence;
use crate::api::reading::{blocking, serve};
use crate::api::rendering::media_type;
use crate::deposits::NotDeposited;

/// What a scan may be.
const MEDIA: [&str; 3] = ["application/pdf", "image/jpeg", "image/png"];

pub(super) fn router() -> Router<Front> {
    let at_desk = get(list_at_desk).post(scan).layer(DefaultBodyLimit::disable());
    Router::new()
        .route("/api/patients/{subject}/papers", at_desk.fallback(method_not_allowed))
        .route("/api/patients/{subject}/papers/{id}", get(read_at_desk).fallback(method_not_allowed))
        .route("/api/me/papers", get(list_own).fallback(method_not_allowed))
        .route("/api/me/papers/{id}", get(read_own).fallback(method_not_allowed))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    id: String,
    at: String,
    /// The login of who scanned it.
    by: String,
    size: u64,
}

#[derive(Serialize)]
struct Papers {
    items: Vec<Shown>,
}

async fn list_at_desk(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
) -> Result<Json<Papers>, Problem> {
    let (patient, _) = front.seen(&actor, subject(&name)?).await?;
    front.papers_shown(patient.subject).await
}

async fn list_own(State(front): State<Front>, Own { subject, .. }: Own) -> Result<Json<Papers>, Problem> {
    front.papers_shown(subject).await
}

/// The body of a request of its own, sealed as it comes.
async fn scan(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Shown>, Problem> {
    if !matches!(actor.role(), PersonRole::Desk | PersonRole::ReferralOffice) {
        return Err(Problem::new(&kind::FORBIDDEN));
    }
    let (patient, _) = front.seen(&actor, subject(&name)?).await?;
    let length = length_of(&headers).ok_or_else(|| Problem::new(&PAPER_KIND))?;
    let system = Machine::desk_system();
    let deposit = front.app.deposits.take(&system, body.into_data_stream(), length).await;
    let deposit = deposit.map_err(|error| match error {
        NotDeposited::BrokeOff => Problem::new(&BROKE_OFF),
        NotDeposited::NotTaken(error) => Problem::from(error),
    })?;
    let now = front.now();
    let find = move |machine: &Machine, view: &_| machine.deposit(&deposit, &system, now, view);
    let sealed = front.app.inbox.ask(find).await?.ok_or_else(|| Problem::new(&kind::TRY_LATER))?;
    let (bytes, media) = front.paper_bytes(&sealed).await?;
    if !MEDIA.contains(&media) {
        // Nobody names the deposit: it is gone in a day.
        return Err(Problem::new(&PAPER_KIND));
    }
    let paper = NewPaper { actor, subject: patient.subject, deposit, hash: hash::blake3(&[&bytes]) };
    front.app.inbox.hand(Input::Paper(Box::new(paper))).await?;
    let kept = front.papers(patient.subject).await?;
    let own = kept.iter().find(|paper| paper.sealed.document == sealed.document);
    own.map(|paper| Json(front.paper_shown(paper))).ok_or_else(|| Problem::new(&NOT_SEEN))
}

/// A body of a known length and one of the media types. These are none that a form of another site can send.
fn length_of(headers: &HeaderMap) -> Option<u64> {
    let media = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let length: u64 = headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
    (MEDIA.contains(&media) && (1..=PAPER_BYTES_MAX).contains(&length)).then_some(length)
}

async fn read_at_desk(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path((name, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if !matches!(actor.role(), PersonRole::Desk | PersonRole::ReferralOffice) {
        return Err(Problem::new(&kind::FORBIDDEN));
    }
    let (patient, _) = front.seen(&actor, subject(&name)?).await?;
    front.read_paper(&actor, patient.subject, &id, &headers).await
}

async fn read_own(
    State(front): State<Front>,
    Own { actor, subject }: Own,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    front.read_paper(&actor, subject, &id, &headers).await
}

impl Front {
    async fn papers(&self, subject: Subject) -> Result<Vec<Paper>, Problem> {
        Ok(self.app.inbox.ask(move |machine, view| machine.papers(&subject, view)).await?)
    }

    async fn paper(&self, subject: Subject, id: &str) -> Result<Paper, Problem> {
        let papers = self.papers(subject).await?;
        let meant = papers.into_iter().find(|paper| paper.sealed.document.to_string() == id);
        meant.ok_or_else(|| Problem::new(&NOT_SEEN))
    }

    async fn papers_shown(&self, subject: Subject) -> Result<Json<Papers>, Problem> {
        let papers = self.papers(subject).await?;
        Ok(Json(Papers { items: papers.iter().map(|paper| self.paper_shown(paper)).collect() }))
    }

    fn paper_shown(&self, paper: &Paper) -> Shown {
        let id = paper.sealed.document.to_string();
        Shown { id, at: self.time(paper.at), by: paper.login.clone(), size: paper.sealed.size }
    }

    /// All bytes of a scan, and what they are.
    async fn paper_bytes(&self, sealed: &Sealed) -> Result<(Vec<u8>, &'static str), Problem> {
        let (vault, sealed) = (self.app.vault.clone(), sealed.clone());
        let bytes = blocking(move || vault.document(sealed.document, &sealed.wrapped_key)?.whole()).await?;
        let is_pdf = bytes.starts_with(b"%PDF-");
        let media = media_type(if is_pdf { DocumentFormat::Pdf } else { DocumentFormat::Picture }, &bytes);
        Ok((bytes, media))
    }

    async fn read_paper(
        &self,
        actor: &Actor,
        subject: Subject,
        id: &str,
        headers: &HeaderMap,
    ) -> Result<Response, Problem> {
        let sealed = self.paper(subject, id).await?.sealed;
        self.look(actor, Some(subject), Act::ReadPaper).await?;
        let (_, media) = self.paper_bytes(&sealed).await?;
        let (vault, file) = (self.app.vault.clone(), sealed.clone());
        let document = blocking(move || vault.document(file.document, &file.wrapped_key)).await?;
        serve(document, (&sealed.document, sealed.size), id, media, headers)
    }

    /// What is kept of a desk's evidence, to which the region is told a salted hash (C-8): of a scan, its own hash.
    pub(super) async fn kept_evidence(
        &self,
        subject: Subject,
        evidence: &Evidence,
    ) -> Result<Vec<u8>, Problem> {
        let mut kept = evidence.clone();
        if let Some(id) = &evidence.scan {
            let paper = self
                .paper(subject, id)
                .await
                .map_err(|_| unfit("evidence.scan", "a paper of the patient"))?;
            kept.scan = Some(format!("blake3:{}", hex::encode(paper.hash)));
        }
        serde_json::to_vec(&kept).map_err(|error| Problem::internal(&error))
    }
}
