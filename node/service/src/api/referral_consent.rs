//! `POST /api/patients/{subject}/referral-consent`: what the other hospital would get of the documents that a referral is to
//! hand over, as this node would decide now. Not here: recording consent: [`super::consents`].

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;
use serde::{Deserialize, Serialize};
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_node_core::handover::Handover;
use yiqiao_node_core::machine::Machine;
use yiqiao_node_core::state::{Fault, View};
use yiqiao_proto::id::{Code, EntryId};
use yiqiao_proto::time::Timestamp;

use crate::api::faults::{NO_MEMBER, unfit};
use crate::api::fetching::Which;
use crate::api::front::{Acting, Front, subject};
use crate::api::limits::FETCH_MAX;
use crate::api::parse;
use crate::api::referrals::referral_id;

pub(super) fn router() -> Router<Front> {
    Router::new()
        .route("/api/patients/{subject}/referral-consent", post(consent).fallback(method_not_allowed))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Asked {
    to: String,
    to_department: String,
    /// The draft, once it has been saved.
    referral: Option<String>,
    entries: Vec<Which>,
}

#[derive(Serialize)]
struct Answer {
    consent: &'static str,
    /// Those that the other hospital would not get.
    withheld: Vec<String>,
}

/// How much of what is handed over the other side would get.
pub(super) enum Foreseen {
    /// These it would not get; of so many.
    Withheld(Vec<EntryId>, usize),
    /// It cannot be told now.
    Unknown,
}

async fn consent(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
    Json(asked): Json<Asked>,
) -> Result<Json<Answer>, Problem> {
    if asked.entries.len() > FETCH_MAX {
        return Err(unfit("entries", "at most 256 documents"));
    }
    let (patient, _) = front.reader(&actor, subject(&name)?).await?;
    let own = front.app.member.code.as_str();
    let entries = asked.entries.iter().filter(|one| one.holder == own);
    let handover = Handover {
        subject: patient.subject,
        to: Code::new(asked.to.as_str()).map_err(|_| Problem::new(&NO_MEMBER))?,
        department: parse::optional_code("toDepartment", Some(&asked.to_department))?,
        referral: asked.referral.as_deref().map(referral_id).transpose()?,
        entries: entries.filter_map(|one| EntryId::from_hex(&one.entry)).collect(),
    };
    let now = front.now();
    let read = move |machine: &Machine, view: &View| Foreseen::of(&handover, machine, view, now);
    let foreseen = front.app.inbox.ask(read).await?;
    Ok(Json(Answer { consent: foreseen.name(), withheld: foreseen.withheld() }))
}

impl Foreseen {
    pub(super) fn of(
        handover: &Handover,
        machine: &Machine,
        view: &View,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        Ok(match machine.would_hand_over(handover, now, view)? {
            Some(given) => {
                let withheld = handover.entries.iter().filter(|entry| !given.contains(entry));
                Self::Withheld(withheld.copied().collect(), handover.entries.len())
            }
            None => Self::Unknown,
        })
    }

    /// In one word, as pages know it; of nothing that is handed over nothing is said.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Unknown | Self::Withheld(_, 0) => "unknown",
            Self::Withheld(withheld, _) if withheld.is_empty() => "permitted",
            Self::Withheld(withheld, all) if withheld.len() == *all => "none",
            Self::Withheld(..) => "partly",
        }
    }

    fn withheld(&self) -> Vec<String> {
        match self {
            Self::Withheld(withheld, _) => withheld.iter().map(EntryId::to_string).collect(),
            Self::Unknown => Vec::new(),
        }
    }
}
