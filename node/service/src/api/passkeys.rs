//! `/api/patients/{subject}/passkeys` at a desk, `/api/me/passkeys` for the patient: which there are, who vouched for them and when;
//! beginning an enrolment, and taking one out.
//!
//! Not here: the patient's side of an enrolment: `enrolling`.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use yiqiao_host::http::{Json, Problem, kind, method_not_allowed};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::audit::Act;
use yiqiao_node_core::machine::{Input, Outcome};
use yiqiao_node_core::passkey::Stage;
use yiqiao_proto::codes::PersonRole;
use yiqiao_proto::id::Subject;

use crate::api::enrolments::Checked;
use crate::api::faults::{DEAD, NO_PASSKEYS, unfit};
use crate::api::front::{Acting, Front, Named, Own, subject};
use crate::api::limits::{ENROLMENT_LIFE, EVIDENCE_TEXT_BYTES_MAX, SETTLE_WAIT};
use crate::api::parse;
use crate::api::webauthn::{Bytes, bytes};

pub(super) fn router() -> Router<Front> {
    let at_desk = get(list_at_desk).post(begin).fallback(method_not_allowed);
    Router::new()
        .route("/api/patients/{subject}/passkeys", at_desk)
        .route(
            "/api/patients/{subject}/passkeys/{id}/retire",
            post(retire_at_desk).fallback(method_not_allowed),
        )
        .route("/api/me/passkeys", get(list_own).fallback(method_not_allowed))
        .route("/api/me/passkeys/{id}/retire", post(retire_own).fallback(method_not_allowed))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Passkeys {
    /// Whether one can be enrolled here.
    available: bool,
    /// Until when the one-time code is open that was given last, if it is.
    open_until: Option<String>,
    items: Vec<Passkey>,
}

#[derive(Serialize)]
struct Passkey {
    id: Bytes,
    since: String,
    voucher: Named,
    /// The guardian signs with it.
    guardian: bool,
    until: Option<String>,
    stage: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Begin {
    identified_by: String,
    /// It is for the patient's guardian, who stands there.
    #[serde(default)]
    guardian: bool,
    /// When that person signs no longer, if there is an end to it.
    until: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Begun {
    code: String,
    /// The patients' page with the code in its fragment, which no server is told.
    address: String,
    expires_at: String,
}

async fn list_at_desk(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
) -> Result<Json<Passkeys>, Problem> {
    let (patient, _) = front.seen(&actor, subject(&name)?).await?;
    front.passkeys(patient.subject).await
}

async fn list_own(State(front): State<Front>, Own { subject, .. }: Own) -> Result<Json<Passkeys>, Problem> {
    front.passkeys(subject).await
}

/// Begins an enrolment for a patient who stands there: the code is shown once.
async fn begin(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
    Json(Begin { identified_by, guardian, until }): Json<Begin>,
) -> Result<Json<Begun>, Problem> {
    if !matches!(actor.role(), PersonRole::Desk | PersonRole::ReferralOffice) {
        return Err(Problem::new(&kind::FORBIDDEN));
    }
    if identified_by.trim().is_empty() || identified_by.len() > EVIDENCE_TEXT_BYTES_MAX {
        return Err(unfit("identifiedBy", "not empty, at most 512 bytes"));
    }
    let (_, origin) = front.relying_party()?;
    let (patient, _) = front.seen(&actor, subject(&name)?).await?;
    let now = front.now();
    let until = until.as_deref().map(|day| parse::time("until", day)).transpose()?;
    if until.is_some_and(|until| until <= now) {
        return Err(unfit("until", "a time that is to come"));
    }
    if patient.died.is_some() {
        return Err(Problem::new(&DEAD));
    }
    front.look(&actor, Some(patient.subject), Act::Enrol).await?;
    let checked = Checked { guardian, until, evidence: identified_by.into_bytes() };
    let code = front.enrolments.begin(now, (actor, patient.subject), checked)?;
    let address = format!("{origin}/patient#enrol={code}");
    Ok(Json(Begun { code, address, expires_at: front.time(now + ENROLMENT_LIFE) }))
}

async fn retire_at_desk(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path((name, id)): Path<(String, String)>,
) -> Result<Json<Passkeys>, Problem> {
    front.retire(actor, subject(&name)?, &id).await
}

async fn retire_own(
    State(front): State<Front>,
    Own { actor, subject }: Own,
    Path(id): Path<String>,
) -> Result<Json<Passkeys>, Problem> {
    front.retire(actor, subject, &id).await
}

impl Front {
    /// The region's domain, and the address of this node's pages within it (C-9).
    pub(super) fn relying_party(&self) -> Result<(String, String), Problem> {
        let directory = self.app.registry.directory();
        let policy = &directory.list().policy;
        let own = |origin: &&String| policy.origins.contains(*origin);
        let origin = self.app.member.origins.iter().find(own);
        let party = policy.rp_id.clone().zip(origin.cloned());
        party.ok_or_else(|| Problem::new(&NO_PASSKEYS))
    }

    async fn passkeys(&self, subject: Subject) -> Result<Json<Passkeys>, Problem> {
        let known = self.app.inbox.ask(move |machine, view| machine.passkeys(&subject, view)).await?;
        let now = self.now();
        let items = known.into_iter().map(|passkey| Passkey {
            since: self.time(passkey.since),
            voucher: self.member(&passkey.statement.voucher),
            guardian: passkey.statement.guardian,
            until: passkey.statement.until.map(|at| self.time(at)),
            stage: match passkey.stage {
                Stage::Stands if passkey.is_over(now) => "over",
                Stage::Waiting => "waiting",
                Stage::Stands => "stands",
                Stage::Refused => "refused",
                Stage::Revoked => "revoked",
            },
            id: Bytes(passkey.statement.credential_id),
        });
        Ok(Json(Passkeys {
            available: self.relying_party().is_ok(),
            open_until: self.enrolments.until(self.now(), &subject).map(|at| self.time(at)),
            items: items.collect(),
        }))
    }

    /// It signs nothing here from now on, and nowhere once the registry has it in its log.
    async fn retire(&self, actor: Actor, subject: Subject, id: &str) -> Result<Json<Passkeys>, Problem> {
        let credential_id = bytes("id", id)?;
        // Nothing is said of one that was taken out before.
        let retired = self.app.inbox.hand(Input::Retire { actor, subject, credential_id }).await?;
        if let Outcome::Said(numbers) = retired {
            for number in numbers {
                self.stands(number, SETTLE_WAIT).await?;
            }
        }
        self.passkeys(subject).await
    }
}
