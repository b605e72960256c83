//! `/api/patients/{subject}/consents` at a desk, `/api/me/consents` for the patient: what is in force, what was, recording, taking back.
//!
//! A patient has a token for each identifier, and says the same thing once for each (C-10): here they are one consent. An act
//! is answered once the registry has it in its log; until then nothing is said to have taken effect.

use std::cmp::Reverse;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::credential::is_self_vouched;
use yiqiao_node_core::desk::{NewRevocation, Statement, Wish};
use yiqiao_node_core::ended::{End, Ended};
use yiqiao_node_core::machine::{Input, Machine};
use yiqiao_node_core::state::View;
use yiqiao_proto::codes::{RevocationReason, Stance};
use yiqiao_proto::directive::{Act, Directive};
use yiqiao_proto::id::{Code, DirectiveId, Subject};
use yiqiao_proto::proof::Proof;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::answers::{Consents as Answer, Logged};
use crate::api::asking::Settled;
use crate::api::faults::{NOT_SEEN, NOTICE};
use crate::api::front::{Acting, Front, Named, Own, subject};
use crate::api::new_consent::NewConsent;
use crate::api::notice::VERSION;
use crate::api::parse;
use crate::names::name_of;

pub(super) fn router() -> Router<Front> {
    let at_desk = get(list_at_desk).post(record_at_desk).fallback(method_not_allowed);
    let own = get(list_own).post(record_own).fallback(method_not_allowed);
    Router::new()
        .route("/api/patients/{subject}/consents", at_desk)
        .route(
            "/api/patients/{subject}/consents/{id}/revoke",
            post(revoke_at_desk).fallback(method_not_allowed),
        )
        .route("/api/me/consents", own)
        .route("/api/me/consents/{id}/revoke", post(revoke_own).fallback(method_not_allowed))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Consents {
    head_version: u64,
    items: Vec<Consent>,
    /// The last that ended first.
    ended: Vec<EndedConsent>,
}

/// What counts no longer, as far as this hospital was told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EndedConsent {
    #[serde(flatten)]
    consent: Consent,
    ended_at: String,
    end: &'static str,
    ended_by: Option<Named>,
    reason: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Consent {
    id: String,
    stance: String,
    grantee: ShownGrantee,
    custodian: Option<Named>,
    classes: Vec<String>,
    sensitivities: Vec<String>,
    purposes: Vec<String>,
    valid_from: String,
    valid_until: Option<String>,
    accepted_at: String,
    recorded_by: Option<Named>,
    proof: &'static str,
    /// Who vouches for the passkey that signed it, as far as this hospital knows.
    vouchers: Vec<Named>,
    /// Nobody vouches for it but who gains by it.
    self_vouched: bool,
    notice_version: String,
    basis: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownGrantee {
    organisation: Option<String>,
    organisation_name: Option<String>,
    department: Option<String>,
    role: Option<String>,
    referral: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Recorded {
    ids: Vec<String>,
    accepted_at: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revoke {
    pub(super) reason: String,
}

async fn list_at_desk(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
) -> Result<Json<Consents>, Problem> {
    front.list(&actor, subject(&name)?).await
}

async fn list_own(
    State(front): State<Front>,
    Own { actor, subject }: Own,
) -> Result<Json<Consents>, Problem> {
    front.list(&actor, subject).await
}

async fn record_at_desk(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
    Json(new): Json<NewConsent>,
) -> Result<Json<Recorded>, Problem> {
    new.evidence.check()?;
    front.record(actor, subject(&name)?, new).await
}

async fn record_own(
    State(front): State<Front>,
    Own { actor, subject }: Own,
    Json(new): Json<NewConsent>,
) -> Result<Json<Recorded>, Problem> {
    front.record(actor, subject, new).await
}

async fn revoke_at_desk(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path((name, id)): Path<(String, String)>,
    Json(revoke): Json<Revoke>,
) -> Result<Json<Recorded>, Problem> {
    front.revoke(&actor, subject(&name)?, &id, &revoke).await
}

async fn revoke_own(
    State(front): State<Front>,
    Own { actor, subject }: Own,
    Path(id): Path<String>,
    Json(revoke): Json<Revoke>,
) -> Result<Json<Recorded>, Problem> {
    front.revoke(&actor, subject, &id, &revoke).await
}

/// The same thing said under each token of a patient.
struct Group {
    /// One for each token; never empty.
    acts: Vec<Logged<Act<Directive>>>,
}

impl Front {
    async fn list(&self, actor: &Actor, subject: Subject) -> Result<Json<Consents>, Problem> {
        let answers = self.consents(actor, subject).await?;
        let head_version = answers.iter().map(|answer| answer.head.version).max().unwrap_or(0);
        let mut groups = grouped(all(answers));
        groups.sort_by_key(|group| Reverse(group.accepted_at()));
        let mut items = Vec::new();
        for group in &groups {
            items.extend(self.vouched(group).await?);
        }
        let ended = self.ended(subject, &groups).await?;
        Ok(Json(Consents { head_version, items, ended }))
    }

    /// A consent in force, with those who vouch for what signed it.
    async fn vouched(&self, group: &Group) -> Result<Option<Consent>, Problem> {
        let Some(act) = group.acts.first().map(|act| act.word.clone()) else { return Ok(None) };
        let Proof::Passkey(assertion) = act.proof else { return Ok(self.consent(group)) };
        let vouchers = move |machine: &Machine, view: &View| machine.vouchers(&assertion.credential_id, view);
        let vouchers = self.app.inbox.ask(vouchers).await?;
        Ok(self.consent(group).map(|consent| Consent {
            self_vouched: is_self_vouched(&act.said, &vouchers),
            vouchers: vouchers.iter().map(|code| self.member(code)).collect(),
            ..consent
        }))
    }

    /// What is in force under none of the patient's tokens.
    async fn ended(&self, subject: Subject, in_force: &[Group]) -> Result<Vec<EndedConsent>, Problem> {
        let mut ended = self.app.inbox.ask(move |machine, view| machine.ended(&subject, view)).await?;
        ended.retain(|ended| !in_force.iter().any(|group| group.says(&ended.act.word.said)));
        ended.sort_by_key(|ended| Reverse((ended.at, ended.act.seq)));
        let groups = grouped(ended.iter().map(|ended| ended.act.clone()));
        // Under one token the revocation may have been told, and under another only that it has ended.
        let how = |group: &Group| {
            let ends = || ended.iter().filter(|ended| group.acts.iter().any(|act| act.seq == ended.act.seq));
            let is_told = |ended: &&Ended| matches!(ended.by, End::Revocation(Some(_)));
            ends().find(is_told).or_else(|| ends().next())
        };
        let shown = groups.iter().filter_map(|group| self.ended_consent(group, how(group)?));
        Ok(shown.collect())
    }

    fn ended_consent(&self, group: &Group, ended: &Ended) -> Option<EndedConsent> {
        let (end, told) = match &ended.by {
            End::Period => ("over", None),
            End::Later => ("replaced", None),
            End::Revocation(told) => ("revoked", told.as_ref()),
        };
        Some(EndedConsent {
            consent: self.consent(group)?,
            ended_at: self.time(ended.at),
            end,
            ended_by: told.and_then(|(by, _)| by.as_ref()).map(|code| self.member(code)),
            reason: told.map(|(_, reason)| name_of(reason)),
        })
    }

    fn consent(&self, group: &Group) -> Option<Consent> {
        let act = &group.acts.first()?.word;
        let directive = &act.said;
        let grantee = &directive.grantee;
        let recorded_by = act.proof.organisation();
        Some(Consent {
            id: directive.id.to_string(),
            stance: name_of(&directive.stance),
            grantee: ShownGrantee {
                organisation: grantee.organisation.as_ref().map(Code::to_string),
                organisation_name: grantee.organisation.as_ref().map(|code| self.member(code).name),
                department: grantee.department.as_ref().map(Code::to_string),
                role: grantee.role.as_ref().map(name_of),
                referral: grantee.referral.map(|id| id.to_string()),
            },
            custodian: directive.custodian.as_ref().map(|code| self.member(code)),
            classes: directive.what.classes.iter().map(name_of).collect(),
            sensitivities: directive.what.sensitivities.iter().map(name_of).collect(),
            purposes: directive.purposes.iter().map(name_of).collect(),
            valid_from: self.time(directive.valid_from),
            valid_until: directive.valid_until.map(|at| self.time(at)),
            accepted_at: self.time(group.accepted_at()),
            recorded_by: recorded_by.map(|code| self.member(code)),
            proof: proof_name(&act.proof),
            vouchers: Vec::new(),
            self_vouched: false,
            notice_version: directive.notice.version.clone(),
            basis: name_of(&directive.basis),
        })
    }

    async fn record(
        &self,
        actor: Actor,
        subject: Subject,
        new: NewConsent,
    ) -> Result<Json<Recorded>, Problem> {
        let (statement, wish) = self.wish(actor, subject, &new).await?;
        let input = match wish {
            Wish::Permit(permit) => Input::Permit(Box::new((statement, permit))),
            Wish::Forbid(forbid) => Input::Forbid(Box::new((statement, forbid))),
            Wish::Revoke(revocation) => Input::Revoke(Box::new((statement, revocation))),
        };
        let settled = self.say(input).await?;
        Ok(Json(self.recorded(&settled)))
    }

    /// What is to be recorded.
    pub(super) async fn wish(
        &self,
        actor: Actor,
        subject: Subject,
        new: &NewConsent,
    ) -> Result<(Statement, Wish), Problem> {
        if new.notice.version != VERSION {
            return Err(Problem::new(&NOTICE));
        }
        let evidence = self.kept_evidence(subject, &new.evidence).await?;
        let stance = parse::code("stance", Stance::ALL, &new.stance)?;
        let terms = new.read(self.now())?;
        let mut statement = Statement { actor, subject, evidence, heads: Vec::new() };
        let wish = match stance {
            Stance::Permit => {
                statement.heads = self.heads(&statement.actor, subject).await;
                Wish::Permit(terms.permit(self)?)
            }
            Stance::Forbid => Wish::Forbid(terms.forbid(self)?),
        };
        Ok((statement, wish))
    }

    /// The heads that a permit has to know (C-11). With the registry away the permit waits, and is judged when it comes.
    async fn heads(&self, actor: &Actor, subject: Subject) -> Vec<(Token, u64)> {
        let answers = self.consents(actor, subject).await.unwrap_or_default();
        heads(&answers)
    }

    async fn revoke(
        &self,
        actor: &Actor,
        subject: Subject,
        id: &str,
        revoke: &Revoke,
    ) -> Result<Json<Recorded>, Problem> {
        let (statement, revocation, _) = self.revocation(actor, subject, id, revoke).await?;
        let ids = revocation.directives.iter().map(|(id, _)| *id).collect();
        let settled = self.say(Input::Revoke(Box::new((statement, revocation)))).await?;
        Ok(Json(self.recorded(&Settled { ids, ..settled })))
    }

    /// What is to be taken back: the consent of which this is an id, under each token; and one of its directives.
    pub(super) async fn revocation(
        &self,
        actor: &Actor,
        subject: Subject,
        id: &str,
        revoke: &Revoke,
    ) -> Result<(Statement, NewRevocation, Directive), Problem> {
        let id = DirectiveId::from_hex(id).ok_or_else(|| Problem::new(&NOT_SEEN))?;
        let reason = parse::code("reason", RevocationReason::ALL, &revoke.reason)?;
        let answers = self.consents(actor, subject).await?;
        let heads = heads(&answers);
        let is_meant = |group: &Group| group.acts.iter().any(|act| act.word.said.id == id);
        let group = grouped(all(answers)).into_iter().find(is_meant);
        let group = group.ok_or_else(|| Problem::new(&NOT_SEEN))?;
        let said = group.acts.iter().map(|act| &act.word.said);
        let directives = said.clone().map(|directive| (directive.id, directive.patient)).collect();
        let shown = said.clone().next().ok_or_else(|| Problem::new(&NOT_SEEN))?;
        let lifts = shown.stance == Stance::Forbid;
        let statement = Statement { actor: actor.clone(), subject, evidence: Vec::new(), heads };
        Ok((statement, NewRevocation { directives, reason, lifts }, shown.clone()))
    }

    pub(super) fn recorded(&self, settled: &Settled) -> Recorded {
        Recorded {
            ids: settled.ids.iter().map(DirectiveId::to_string).collect(),
            accepted_at: self.time(settled.accepted_at),
        }
    }
}

impl Group {
    fn accepted_at(&self) -> Timestamp {
        self.acts.iter().map(|act| act.accepted_at).max().unwrap_or(Timestamp::MIN)
    }

    /// Whether a directive is one of these, or the same under another token.
    fn says(&self, directive: &Directive) -> bool {
        let is_it = |known: &Directive| known.id == directive.id || is_same(known, directive);
        self.acts.iter().any(|act| is_it(&act.word.said))
    }
}

pub(super) fn heads(answers: &[Answer]) -> Vec<(Token, u64)> {
    answers.iter().map(|answer| (answer.patient, answer.head.version)).collect()
}

fn all(answers: Vec<Answer>) -> impl Iterator<Item = Logged<Act<Directive>>> {
    answers.into_iter().flat_map(|answer| answer.directives)
}

/// Directives that say the same of one patient under each token.
fn grouped(acts: impl IntoIterator<Item = Logged<Act<Directive>>>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for act in acts {
        let is_known =
            |group: &&mut Group| group.acts.iter().any(|known| is_same(&known.word.said, &act.word.said));
        match groups.iter_mut().find(is_known) {
            Some(group) => group.acts.push(act),
            None => groups.push(Group { acts: vec![act] }),
        }
    }
    groups
}

/// Whether two directives differ only in what each token has of its own. They are made in one instant, so others are not.
fn is_same(one: &Directive, other: &Directive) -> bool {
    let bare =
        Directive { id: one.id, patient: one.patient, head_version: one.head_version, ..other.clone() };
    *one == bare && one.patient != other.patient
}

const fn proof_name(proof: &Proof) -> &'static str {
    match proof {
        Proof::Passkey(_) => "passkey",
        Proof::AttestedLogin(_) => "attested-login",
        Proof::DeskWitness(_) => "desk-witness",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use yiqiao_proto::codes::{LegalBasis, Purpose};
    use yiqiao_proto::directive::Notice;
    use yiqiao_proto::directive::{Grantee, What};
    use yiqiao_proto::head::Head;
    use yiqiao_proto::id::Digest;
    use yiqiao_proto::proof::DeskWitness;

    use super::*;

    fn token(seed: u8) -> Token {
        Token { epoch: 1, value: Digest::new([seed; 32]).unwrap() }
    }

    fn said(id: u8, patient: u8, from_ms: i64) -> Logged<Act<Directive>> {
        let digest = Digest::new([9; 32]).unwrap();
        let at = Timestamp::from_unix_ms(from_ms).unwrap();
        let organisation = Code::new("qzrm").unwrap();
        let witness = DeskWitness { organisation, staff_hash: digest, evidence_hash: digest, at };
        let directive = Directive {
            id: DirectiveId::new([id; 32]).unwrap(),
            patient: token(patient),
            stance: Stance::Permit,
            grantee: Grantee { organisation: Some(Code::new("qzdx").unwrap()), ..Grantee::default() },
            custodian: None,
            what: What::default(),
            purposes: BTreeSet::from([Purpose::Treatment]),
            valid_from: at,
            valid_until: None,
            notice: Notice { version: VERSION.to_owned(), hash: digest },
            existence_visible: false,
            basis: LegalBasis::SeparateConsent,
            head_version: u64::from(patient),
        };
        let word = Act::new(directive, Proof::DeskWitness(witness));
        Logged { seq: u64::from(id), accepted_at: at, word }
    }

    fn ids(tokens: Vec<(u8, Vec<Logged<Act<Directive>>>)>) -> Vec<Vec<u64>> {
        let answer =
            |(patient, directives)| Answer { patient: token(patient), head: Head::empty(), directives };
        let groups = grouped(all(tokens.into_iter().map(answer).collect()));
        groups.iter().map(|group| group.acts.iter().map(|act| act.seq).collect()).collect()
    }

    #[test]
    fn c10_what_is_said_under_each_token_is_one_consent() {
        let tokens = vec![(1, vec![said(1, 1, 5), said(2, 1, 7)]), (2, vec![said(3, 2, 5)])];
        assert_eq!(ids(tokens), [vec![1, 3], vec![2]]);
    }

    #[test]
    fn the_same_said_twice_under_one_token_is_two_consents() {
        assert_eq!(ids(vec![(1, vec![said(1, 1, 5), said(2, 1, 5)])]).len(), 2);
    }
}
