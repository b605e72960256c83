//! `POST /api/me/explain`: who sees how much of the patient's record at this hospital today, by which rule, and what would change if the
//! patient said something. The decision itself is asked ([`yiqiao_node_core::explain`]); nothing is recorded.
//!
//! Of other hospitals' records it says nothing: they decide about theirs.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde::Serialize;
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_node_core::desk::{NewRevocation, Wish};
use yiqiao_node_core::explain::{Answer, Asking, Explained, Supposition};
use yiqiao_node_core::machine::Machine;
use yiqiao_node_core::state::{Fault, View};
use yiqiao_proto::codes::{MemberRole, PersonRole, Purpose, RevocationReason, Stance};
use yiqiao_proto::id::{Code, DirectiveId, Subject};

use crate::api::faults::{ACT_REFUSED, NOT_SEEN, unfit};
use crate::api::front::{Front, Named, Own};
use crate::api::limits::{EXPLAINED_DOCUMENTS_MAX, EXPLAINED_HOSPITALS_MAX};
use crate::api::parse;
use crate::api::record::own_entries;
use crate::api::signing::{Ended, Wanted};
use crate::api::words;
use crate::names::name_of;

pub(super) fn router() -> Router<Front> {
    Router::new().route("/api/me/explain", post(explain).fallback(method_not_allowed))
}

/// What would be decided.
#[derive(Serialize)]
struct Explanation {
    /// How many documents of this hospital it speaks about, the newest.
    documents: usize,
    rows: Vec<Row>,
}

/// What one hospital would get for one purpose.
#[derive(Serialize)]
struct Row {
    /// None: any other.
    organisation: Option<Named>,
    purpose: String,
    now: Vec<Part>,
    /// If the patient had said it.
    then: Option<Vec<Part>>,
}

/// Documents about which it would be decided alike.
#[derive(Serialize)]
struct Part {
    permits: bool,
    documents: usize,
    clause: &'static str,
    directive: Option<String>,
    text: Sentence,
}

/// In both languages of the pages.
#[derive(Serialize)]
struct Sentence {
    zh: &'static str,
    en: &'static str,
}

async fn explain(
    State(front): State<Front>,
    Own { subject, .. }: Own,
    Json(wanted): Json<Wanted>,
) -> Result<Json<Explanation>, Problem> {
    let said = front.supposed(subject, wanted).await?;
    let (mut entries, _) = front.app.inbox.ask(move |_, view| own_entries(view, &[subject])).await?;
    let older = entries.len().saturating_sub(EXPLAINED_DOCUMENTS_MAX);
    entries.drain(..older);
    let mut rows = Vec::new();
    for (organisation, named) in front.askers(subject, said.as_ref()).await? {
        for purpose in [Purpose::Treatment, Purpose::Emergency] {
            let asking = Asking {
                organisation: organisation.clone(),
                department: None,
                role: PersonRole::Physician,
                purpose,
                referral: None,
                treating: true,
            };
            let asked = Supposition { subject, asking, entries: entries.clone(), said: said.clone() };
            let explained = front.explained(asked).await?;
            rows.push(Row {
                organisation: named.then(|| front.member(&organisation)),
                purpose: name_of(&purpose),
                now: parts(explained.iter().map(|one| &one.now)),
                then: said.is_some().then(|| parts(explained.iter().filter_map(|one| one.then.as_ref()))),
            });
        }
    }
    Ok(Json(Explanation { documents: entries.len(), rows }))
}

impl Front {
    async fn explained(&self, asked: Supposition) -> Result<Vec<Explained>, Problem> {
        let now = self.now();
        let explain = move |machine: &Machine, view: &View| machine.explain(&asked, now, view);
        let explained = self.app.inbox.ask(explain).await?;
        explained.map_err(|refusal| Problem::new(&ACT_REFUSED).detail(refusal.to_string()))
    }

    /// What the patient would say; none if nothing.
    async fn supposed(&self, subject: Subject, wanted: Wanted) -> Result<Option<Wish>, Problem> {
        match wanted {
            Wanted { consent: None, revoke: None } => Ok(None),
            Wanted { consent: Some(new), revoke: None } => {
                let stance = parse::code("stance", Stance::ALL, &new.stance)?;
                let terms = new.read(self.now())?;
                Ok(Some(match stance {
                    Stance::Permit => Wish::Permit(terms.permit(self)?),
                    Stance::Forbid => Wish::Forbid(terms.forbid(self)?),
                }))
            }
            Wanted { consent: None, revoke: Some(Ended { id, reason }) } => {
                let reason = parse::code("reason", RevocationReason::ALL, &reason)?;
                let id = DirectiveId::from_hex(&id).ok_or_else(|| Problem::new(&NOT_SEEN))?;
                let revoked =
                    move |machine: &Machine, view: &View| revocation(machine, view, &subject, id, reason);
                let revoked = self.app.inbox.ask(revoked).await?;
                revoked.map(|revoked| Some(Wish::Revoke(revoked))).ok_or_else(|| Problem::new(&NOT_SEEN))
            }
            Wanted { .. } => Err(unfit("consent", "either this or `revoke`")),
        }
    }

    /// The hospitals that something in force or supposed names, and one that nothing names, for all others.
    async fn askers(&self, subject: Subject, said: Option<&Wish>) -> Result<Vec<(Code, bool)>, Problem> {
        let named = move |machine: &Machine, view: &View| machine.grantees(&subject, view);
        let mut named = self.app.inbox.ask(named).await?;
        let supposed = match said {
            Some(Wish::Permit(permit)) => permit.grantee.organisation.clone(),
            Some(Wish::Forbid(forbid)) => forbid.grantee.organisation.clone(),
            Some(Wish::Revoke(_)) | None => None,
        };
        let is_new = |code: &Code| *code != self.app.member.code && !named.contains(code);
        if let Some(supposed) = supposed.filter(is_new) {
            named.insert(0, supposed);
        }
        named.truncate(EXPLAINED_HOSPITALS_MAX);
        let directory = self.app.registry.directory();
        let others = directory.list().members.iter().filter(|member| {
            member.roles.contains(&MemberRole::Custodian)
                && !member.suspended
                && member.code != self.app.member.code
        });
        let other = others.map(|member| member.code.clone()).find(|code| !named.contains(code));
        let mut askers: Vec<_> = named.into_iter().map(|code| (code, true)).collect();
        askers.extend(other.map(|code| (code, false)));
        Ok(askers)
    }
}

/// The directive of this id, under each token under which it is known.
fn revocation(
    machine: &Machine,
    view: &View,
    subject: &Subject,
    id: DirectiveId,
    reason: RevocationReason,
) -> Result<Option<NewRevocation>, Fault> {
    let heads = machine.heads(subject, view)?;
    let known = heads.iter().filter_map(|(token, known)| Some((token, known.as_ref()?)));
    let in_force =
        known.flat_map(|(token, known)| known.record.in_force().iter().map(move |act| (token, act)));
    let of_id: Vec<_> = in_force.filter(|(_, act)| act.directive.id == id).collect();
    let lifts = of_id.iter().any(|(_, act)| act.directive.stance == Stance::Forbid);
    let directives: Vec<_> = of_id.into_iter().map(|(token, _)| (id, *token)).collect();
    Ok((!directives.is_empty()).then_some(NewRevocation { directives, reason, lifts }))
}

/// Documents that are answered alike, together.
fn parts<'a>(answers: impl Iterator<Item = &'a Answer>) -> Vec<Part> {
    let mut counted: BTreeMap<&Answer, usize> = BTreeMap::new();
    for answer in answers {
        *counted.entry(answer).or_default() += 1;
    }
    let part = |(answer, documents): (&Answer, usize)| {
        let (zh, en) = words::explained(answer.permits, answer.clause);
        Part {
            permits: answer.permits,
            documents,
            clause: answer.clause,
            directive: answer.directive.map(|id| id.to_string()),
            text: Sentence { zh, en },
        }
    };
    counted.into_iter().map(part).collect()
}
