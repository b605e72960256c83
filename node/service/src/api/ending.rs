//! What ends all at once: `…/consents/end` takes back every permit, at a desk or by the patient; `…/guardianship/end` takes a guardian's
//! passkeys out and the guardian's permits back; `…/death` records that a patient has died, or that this was wrong.
//!
//! Each can be said again: it ends what is left. Not here: a single consent: `consents`; a single passkey: `passkeys`.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{post, put};
use serde::{Deserialize, Serialize};
use yiqiao_host::http::{Json, Problem, kind, method_not_allowed};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::death::Death;
use yiqiao_node_core::desk::{NewRevocation, Statement};
use yiqiao_node_core::machine::{Input, Outcome};
use yiqiao_node_core::passkey::Stage;
use yiqiao_proto::codes::{LegalBasis, PersonRole, RevocationReason, Stance};
use yiqiao_proto::directive::Directive;
use yiqiao_proto::id::{DirectiveId, Subject};
use yiqiao_proto::token::Token;

use crate::api::consents::{Revoke, heads};
use crate::api::front::{Acting, Front, Own, subject};
use crate::api::limits::{REVOKED_AT_ONCE, SETTLE_WAIT};
use crate::api::new_consent::Evidence;
use crate::api::parse;

pub(super) fn router() -> Router<Front> {
    Router::new()
        .route("/api/patients/{subject}/consents/end", post(end_at_desk).fallback(method_not_allowed))
        .route("/api/me/consents/end", post(end_own).fallback(method_not_allowed))
        .route(
            "/api/patients/{subject}/guardianship/end",
            post(end_guardianship).fallback(method_not_allowed),
        )
        .route("/api/patients/{subject}/death", put(record_death).fallback(method_not_allowed))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ended {
    /// So many permits were taken back.
    permits: usize,
    /// So many passkeys were taken out.
    passkeys: usize,
    /// The registry could not be asked which permits there are, or has not answered: the same again later.
    unfinished: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Recorded {
    /// None: the patient lives.
    died_at: Option<String>,
    evidence: Evidence,
}

async fn end_at_desk(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
    Json(revoke): Json<Revoke>,
) -> Result<Json<Ended>, Problem> {
    front.end_consents(&actor, subject(&name)?, &revoke).await
}

async fn end_own(
    State(front): State<Front>,
    Own { actor, subject }: Own,
    Json(revoke): Json<Revoke>,
) -> Result<Json<Ended>, Problem> {
    front.end_consents(&actor, subject, &revoke).await
}

/// Another guardian, or none any more.
async fn end_guardianship(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
    Json(evidence): Json<Evidence>,
) -> Result<Json<Ended>, Problem> {
    let by = front.at_desk(actor, subject(&name)?, &evidence).await?;
    let patient = by.subject;
    let known = front.app.inbox.ask(move |machine, view| machine.passkeys(&patient, view)).await?;
    let stand = known.into_iter().filter(|passkey| matches!(passkey.stage, Stage::Stands | Stage::Waiting));
    let mut numbers = Vec::new();
    for passkey in stand.filter(|passkey| passkey.statement.guardian) {
        let (actor, credential_id) = (by.actor.clone(), passkey.statement.credential_id);
        let retired = front.app.inbox.hand(Input::Retire { actor, subject: patient, credential_id }).await?;
        numbers.extend(said(retired));
    }
    let is_guardians = |directive: &Directive| directive.basis == LegalBasis::GuardianConsent;
    Ok(Json(front.end_all(&by, numbers, RevocationReason::Guardianship, is_guardians).await))
}

async fn record_death(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
    Json(recorded): Json<Recorded>,
) -> Result<Json<Ended>, Problem> {
    let by = front.at_desk(actor, subject(&name)?, &recorded.evidence).await?;
    let died = recorded.died_at.as_deref().map(|at| parse::time("diedAt", at)).transpose()?;
    let numbers = said(front.hand(Input::Died(Box::new(Death { by: by.clone(), died }))).await?);
    if died.is_none() {
        return Ok(Json(Ended { permits: 0, passkeys: 0, unfinished: false }));
    }
    Ok(Json(front.end_all(&by, numbers, RevocationReason::Death, |_| true).await))
}

fn said(outcome: Outcome) -> Vec<u64> {
    if let Outcome::Said(numbers) = outcome { numbers } else { Vec::new() }
}

impl Front {
    /// A desk that names its papers.
    async fn at_desk(
        &self,
        actor: Actor,
        subject: Subject,
        evidence: &Evidence,
    ) -> Result<Statement, Problem> {
        if !matches!(actor.role(), PersonRole::Desk | PersonRole::ReferralOffice) {
            return Err(Problem::new(&kind::FORBIDDEN));
        }
        evidence.check()?;
        let evidence = self.kept_evidence(subject, evidence).await?;
        Ok(Statement { actor, subject, evidence, heads: Vec::new() })
    }

    async fn end_consents(
        &self,
        actor: &Actor,
        subject: Subject,
        revoke: &Revoke,
    ) -> Result<Json<Ended>, Problem> {
        let reason = parse::code("reason", RevocationReason::ALL, &revoke.reason)?;
        let by = Statement { actor: actor.clone(), subject, evidence: Vec::new(), heads: Vec::new() };
        let permits = self.end_permits(by, reason, |_| true).await?;
        Ok(Json(Ended { permits, passkeys: 0, unfinished: false }))
    }

    /// What was said of passkeys stands in the log, and the permits are taken back: what of it has not happened is told.
    async fn end_all(
        &self,
        by: &Statement,
        numbers: Vec<u64>,
        reason: RevocationReason,
        which: impl Fn(&Directive) -> bool,
    ) -> Ended {
        let passkeys = numbers.len();
        let permits = self.end_permits(by.clone(), reason, which).await;
        let mut unfinished = permits.is_err();
        for number in numbers {
            unfinished |= self.stands(number, SETTLE_WAIT).await.is_err();
        }
        Ended { permits: permits.unwrap_or_default(), passkeys, unfinished }
    }

    /// Takes back the permits in force that are meant, under every token: how many.
    async fn end_permits(
        &self,
        by: Statement,
        reason: RevocationReason,
        which: impl Fn(&Directive) -> bool,
    ) -> Result<usize, Problem> {
        let answers = self.consents(&by.actor, by.subject).await?;
        let by = Statement { heads: heads(&answers), ..by };
        let acts = answers.into_iter().flat_map(|answer| answer.directives);
        let permits = acts.map(|act| act.word.said).filter(|said| said.stance == Stance::Permit);
        let meant: Vec<(DirectiveId, Token)> =
            permits.filter(which).map(|permit| (permit.id, permit.patient)).collect();
        for some in meant.chunks(REVOKED_AT_ONCE) {
            let revocation = NewRevocation { directives: some.to_vec(), reason, lifts: false };
            self.say(Input::Revoke(Box::new((by.clone(), revocation)))).await?;
        }
        let mut ids: Vec<DirectiveId> = meant.into_iter().map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids.dedup();
        Ok(ids.len())
    }
}
