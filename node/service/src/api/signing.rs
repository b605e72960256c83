//! `/api/me/signing`: what a patient is about to sign with a passkey, in plain words, and recording what was signed.
//!
//! What is shown is made from what is signed, and one account signs one thing at a time. Not here: what is recorded by a login
//! alone, or at a desk: `consents`.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_node_core::act::Unproved;
use yiqiao_node_core::desk::{Statement, Wish};
use yiqiao_node_core::machine::{Input, Outcome};
use yiqiao_node_core::passkey::{Prepared, Signed};
use yiqiao_proto::codes::{LegalBasis, Sensitivity, Stance};
use yiqiao_proto::directive::Directive;

use crate::api::asking::{Settled, unexpected};
use crate::api::consents::{Recorded, Revoke};
use crate::api::faults::{CHALLENGE_OVER, NO_PASSKEYS, unfit};
use crate::api::front::{Front, Own};
use crate::api::limits::{CHALLENGE_LIFE, SETTLE_WAIT};
use crate::api::new_consent::NewConsent;
use crate::api::notice::day_and_time;
use crate::api::webauthn::{Assertion, Bytes};
use crate::api::words;

pub(super) fn router() -> Router<Front> {
    Router::new().route("/api/me/signing", post(prepare).put(sign).fallback(method_not_allowed))
}

/// What a patient wants to sign: a consent, or the end of one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Wanted {
    pub(super) consent: Option<NewConsent>,
    pub(super) revoke: Option<Ended>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Ended {
    pub(super) id: String,
    pub(super) reason: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToSign {
    challenge: Bytes,
    rp_id: String,
    credentials: Vec<Bytes>,
    /// What is said by it, line by line.
    says: Vec<Line>,
    expires_at: String,
}

/// One fact of what is signed.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Line {
    label: &'static str,
    text: String,
}

async fn prepare(
    State(front): State<Front>,
    Own { actor, subject }: Own,
    Json(wanted): Json<Wanted>,
) -> Result<Json<ToSign>, Problem> {
    let account = actor.login().to_owned();
    let (statement, wish, revoked) = match wanted {
        Wanted { consent: Some(new), revoke: None } => {
            let (statement, wish) = front.wish(actor, subject, &new).await?;
            (statement, wish, None)
        }
        Wanted { consent: None, revoke: Some(Ended { id, reason }) } => {
            let (statement, revocation, revoked) =
                front.revocation(&actor, subject, &id, &Revoke { reason }).await?;
            (statement, Wish::Revoke(revocation), Some(revoked))
        }
        Wanted { .. } => return Err(unfit("consent", "either this or `revoke`")),
    };
    let prepared = front.prepared(&statement, &wish).await?;
    let says = match (&revoked, prepared.acts.first()) {
        (Some(revoked), _) => front.says(revoked, true),
        (None, Some(Unproved::Directive(directive))) => front.says(directive, false),
        (None, _) => return Err(unexpected()),
    };
    let directory = front.app.registry.directory();
    let policy = &directory.list().policy;
    let to_sign = ToSign {
        challenge: Bytes::from(&prepared.challenge),
        rp_id: policy.rp_id.clone().ok_or_else(|| Problem::new(&NO_PASSKEYS))?,
        credentials: prepared.credentials.iter().cloned().map(Bytes).collect(),
        says,
        expires_at: front.time(front.now() + CHALLENGE_LIFE),
    };
    front.signings.put(front.now(), account, prepared);
    Ok(Json(to_sign))
}

async fn sign(
    State(front): State<Front>,
    Own { actor, subject }: Own,
    Json(assertion): Json<Assertion>,
) -> Result<Json<Recorded>, Problem> {
    let assertion = assertion.read()?;
    let account = actor.login().to_owned();
    let (_, prepared) =
        front.signings.get(front.now(), &account).ok_or_else(|| Problem::new(&CHALLENGE_OVER))?;
    let acts = prepared.acts;
    let ids = acts.iter().map(Unproved::directive).collect();
    let by = Statement { actor, subject, evidence: Vec::new(), heads: Vec::new() };
    // What was recorded may be asked for again: its answer may be lost on the way (H-3). What was refused is over.
    let numbers = match front.recorded_words(Input::Sign(Box::new(Signed { by, acts, assertion }))).await {
        Ok(numbers) => numbers,
        Err(refused) => {
            front.signings.take(front.now(), &account);
            return Err(refused);
        }
    };
    let settled = front.settled(numbers).await?;
    Ok(Json(front.recorded(&Settled { ids, ..settled })))
}

impl Front {
    /// What is to be signed. A passkey that does not speak for all of the patient's tokens yet is stated anew first.
    async fn prepared(&self, statement: &Statement, wish: &Wish) -> Result<Prepared, Problem> {
        let input = Input::Prepare(Box::new((statement.clone(), wish.clone())));
        let mut outcome = self.hand(input.clone()).await?;
        if let Outcome::Said(numbers) = outcome {
            for number in numbers {
                self.stands(number, SETTLE_WAIT).await?;
            }
            outcome = self.hand(input).await?;
        }
        if let Outcome::Prepared(prepared) = outcome { Ok(*prepared) } else { Err(unexpected()) }
    }

    /// A directive, or its end, in words.
    fn says(&self, directive: &Directive, ends: bool) -> Vec<Line> {
        let member = |code| self.member(code).name;
        let grantee = &directive.grantee;
        let organisation = grantee.organisation.as_ref().map(member);
        let custodian = directive.custodian.as_ref().map(member);
        let until = directive.valid_until.map(|at| day_and_time(&self.time(at)));
        says(directive, ends, [organisation, custodian, until])
    }
}

fn says(
    directive: &Directive,
    ends: bool,
    [organisation, custodian, until]: [Option<String>; 3],
) -> Vec<Line> {
    let what = match (directive.stance, ends) {
        (Stance::Permit, false) => "同意对方查看我的病历",
        (Stance::Permit, true) => "撤回：不再同意对方查看我的病历",
        (Stance::Forbid, false) => "不允许对方查看我的病历",
        (Stance::Forbid, true) => "取消“不允许对方查看我的病历”",
    };
    let department = directive.grantee.department.as_ref().map(|code| format!("（科室 {code}）"));
    let referral = directive.grantee.referral.map(|_| "（仅限这次转诊）");
    let mut who = organisation.unwrap_or_else(|| "任何其他医院".to_owned());
    who.push_str(department.as_deref().unwrap_or_default());
    who.push_str(referral.unwrap_or_default());
    let sensitivities = &directive.what.sensitivities;
    let sensitive = sensitivities.is_empty() || sensitivities.iter().any(|one| *one != Sensitivity::Normal);
    let sensitive = if sensitive { "包含敏感资料" } else { "不含敏感资料" };
    let purposes: Vec<&str> = directive.purposes.iter().map(|purpose| words::purpose(*purpose)).collect();
    let purposes = if purposes.is_empty() { "全部用途".to_owned() } else { purposes.join("、") };
    let held = custodian.unwrap_or_else(|| "其他所有医院".to_owned());
    let mut lines = vec![
        Line { label: "我要", text: what.to_owned() },
        Line { label: "对方", text: who },
        Line { label: "资料在", text: held },
        Line {
            label: "内容", text: format!("{}（{sensitive}）", words::classes(&directive.what.classes))
        },
        Line { label: "用途", text: purposes },
    ];
    match directive.basis {
        LegalBasis::GuardianConsent => {
            lines.push(Line { label: "签署", text: "监护人代患者同意".to_owned() });
        }
        LegalBasis::GuardianObjection => {
            lines.push(Line { label: "签署", text: "监护人代患者异议".to_owned() });
        }
        LegalBasis::SeparateConsent
        | LegalBasis::Emergency
        | LegalBasis::StatutoryDuty
        | LegalBasis::Objection
        | LegalBasis::RegionDefault => {}
    }
    let end = if ends {
        "立即生效".to_owned()
    } else {
        until.map_or_else(|| "一直有效，直到我取消".to_owned(), |until| format!("到{until}为止"))
    };
    lines.push(Line { label: if ends { "生效" } else { "期限" }, text: end });
    lines
}
