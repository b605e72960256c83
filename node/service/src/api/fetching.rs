//! `POST /api/patients/{subject}/fetch`: asks the region what the patient's consent covers, and the holders for it.
//!
//! Each page of a search is an event that the patient sees, so only this asks, and what it found is remembered.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use serde::Deserialize;
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::call::Unbelieved;
use yiqiao_node_core::desk::Search;
use yiqiao_node_core::machine::{Input, Machine, Outcome};
use yiqiao_node_core::receive::Want;
use yiqiao_node_core::state::View;
use yiqiao_proto::codes::Purpose;
use yiqiao_proto::entry::Entry;
use yiqiao_proto::form::ListedDocument;
use yiqiao_proto::id::{Code, ReferralId, Subject};
use yiqiao_proto::limits::{FORM_DOCUMENTS_MAX, SEARCH_COUNT_MAX};
use yiqiao_proto::phi::Phi;

use crate::api::asking::unexpected;
use crate::api::faults::{DENIED, unfit};
use crate::api::front::{Acting, Front, Listed, subject};
use crate::api::limits::{FETCH_MAX, REGISTRY_PAGES_MAX};
use crate::members::CallFailed;

pub(super) fn router() -> Router<Front> {
    Router::new().route("/api/patients/{subject}/fetch", post(fetch).fallback(method_not_allowed))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fetch {
    entries: Option<Vec<Which>>,
    /// Who asks has broken the glass: for an emergency, whatever the patient has consented to (D-8).
    #[serde(default)]
    emergency: bool,
}

/// A document by who has it and its entry.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    pub(super) holder: String,
    pub(super) entry: String,
}

async fn fetch(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
    Json(Fetch { entries, emergency }): Json<Fetch>,
) -> Result<StatusCode, Problem> {
    if entries.as_ref().is_some_and(|entries| entries.len() > FETCH_MAX) {
        return Err(unfit("entries", "at most 256 documents"));
    }
    let (patient, ground) = front.reader(&actor, subject(&name)?).await?;
    let purpose = if emergency { Purpose::Emergency } else { Purpose::Treatment };
    let referral = front.referral_of(&actor, patient.subject).await?;
    let asked = (purpose, referral.as_ref().map(|(_, id)| *id));
    let listed = front.searched(&actor, patient.subject, asked).await?;
    let is_chosen = |one: &&ListedDocument| {
        let named = Which { holder: one.holder.to_string(), entry: one.entry_id.to_string() };
        entries.as_ref().is_none_or(|entries| entries.contains(&named))
    };
    let chosen: Vec<ListedDocument> = listed.iter().filter(is_chosen).cloned().collect();
    if chosen.is_empty() && entries.is_some_and(|entries| !entries.is_empty()) {
        return Err(Problem::new(&DENIED));
    }
    for documents in chosen.chunks(FORM_DOCUMENTS_MAX) {
        let want = Want {
            actor: actor.clone(),
            subject: Some(patient.subject),
            referral: referral.clone(),
            documents: documents.to_vec(),
            purpose,
            treating: ground.is_treating(),
        };
        front.hand(Input::Want(Box::new(want))).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

impl Front {
    /// The referral in the course of which a patient is looked after here. A consent may be limited to it.
    async fn referral_of(
        &self,
        actor: &Actor,
        subject: Subject,
    ) -> Result<Option<(Code, ReferralId)>, Problem> {
        let actor = actor.clone();
        let open = move |machine: &Machine, view: &View| machine.course_of(&actor, &subject, view);
        Ok(self.app.inbox.ask(open).await?.map(|referral| (referral.referring, referral.id)))
    }

    /// Asks the region what the patient's consent covers, and remembers it.
    async fn searched(
        &self,
        actor: &Actor,
        subject: Subject,
        asked: (Purpose, Option<ReferralId>),
    ) -> Result<Listed, Problem> {
        let (mut listed, mut from_seq) = (Vec::new(), 0);
        for _page in 0..REGISTRY_PAGES_MAX {
            let input = Input::Search(Box::new(search(actor, subject, asked, from_seq)));
            let Outcome::Search { query, asked: known } = self.hand(input).await? else {
                return Err(unexpected());
            };
            let found = self.app.registry.search(&query).await?;
            let searched = Input::Searched { asked: known, checkpoint: found.checkpoint };
            if self.hand(searched).await? != Outcome::Done {
                let why = Unbelieved::OtherAnswer("the log that was known when it was asked (L-11)");
                return Err(CallFailed::from(why).into());
            }
            let entries = found.entries.iter().map(|entry| &entry.word);
            let foreign = entries.filter(|entry| entry.publisher != self.app.member.code);
            listed.extend(foreign.map(listed_entry));
            let Some(next) = found.next_seq else { break };
            from_seq = next;
        }
        let listed = Arc::new(listed);
        self.searches.put(self.now(), (actor.login().to_owned(), subject), Arc::clone(&listed));
        Ok(listed)
    }
}

fn search(
    actor: &Actor,
    subject: Subject,
    (purpose, referral): (Purpose, Option<ReferralId>),
    from_seq: u64,
) -> Search {
    Search {
        actor: actor.clone(),
        subject,
        purpose,
        referral,
        classes: BTreeSet::new(),
        types: BTreeSet::new(),
        service_from: None,
        service_until: None,
        superseded: false,
        from_seq,
        count: SEARCH_COUNT_MAX,
    }
}

/// What the index says of a document; it has no title there (N-8).
fn listed_entry(entry: &Entry) -> ListedDocument {
    ListedDocument {
        holder: entry.publisher.clone(),
        entry_id: entry.entry_id,
        document: entry.document,
        size: entry.size,
        class: entry.class,
        document_type: entry.document_type,
        format: entry.format,
        sensitivity: entry.sensitivity,
        service_start: entry.service_start,
        service_end: entry.service_end,
        created_at: entry.created_at,
        title: Phi::default(),
    }
}
