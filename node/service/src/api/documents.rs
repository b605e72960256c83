//! `GET /api/patients/{subject}/documents`: the record of a patient as one list of own and received documents, with a sentence
//! about what it may lack.
//!
//! A list is no search: [`super::fetching`] asks the region. Not here: opening: [`super::reading`].

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde::Serialize;
use yiqiao_host::http::{Json, Problem, kind, method_not_allowed};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::ask::{self, Patient};
use yiqiao_node_core::copy::Stage;
use yiqiao_node_core::machine::Machine;
use yiqiao_node_core::receive::Shown;
use yiqiao_node_core::remark::Remark;
use yiqiao_node_core::sight::Ground;
use yiqiao_node_core::state::View;
use yiqiao_proto::codes::DocumentStatus;
use yiqiao_proto::form::ListedDocument;
use yiqiao_proto::id::{Code, EntryId, Subject};
use yiqiao_proto::time::Timestamp;

use crate::api::completeness::{Completeness, Facts};
use crate::api::faults::NOT_SEEN;
use crate::api::front::{Acting, Front, Named, subject};
use crate::api::labs::Trend;
use crate::api::record::{Kept, own_listed};
use crate::api::words;
use crate::members::peers_of;
use crate::names::name_of;

pub(super) fn router() -> Router<Front> {
    Router::new().route("/api/patients/{subject}/documents", get(list).fallback(method_not_allowed))
}

#[derive(Serialize)]
struct History {
    completeness: Completeness,
    items: Vec<Row>,
    labs: Vec<Trend>,
}

/// A document in a list.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    holder: String,
    holder_name: String,
    entry: String,
    state: &'static str,
    reason: Option<Reason>,
    title: String,
    class: String,
    r#type: Named,
    format: String,
    status: String,
    service_start: Option<String>,
    service_end: Option<String>,
    created: String,
    author: Option<String>,
    department: Option<String>,
    size: u64,
    sensitivity: String,
    replaced: bool,
}

#[derive(Clone, Serialize)]
struct Reason {
    clause: String,
    text: String,
}

async fn list(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
) -> Result<Json<History>, Problem> {
    let (patient, ground) = front.reader(&actor, subject(&name)?).await?;
    front.view(&actor, patient.subject).await?;
    let kept = front.kept(&patient).await?;
    let searched = front.searches.get(front.now(), &(actor.login().to_owned(), patient.subject));
    let found = searched.as_ref().map_or(&[][..], |(_, listed)| listed.as_slice());
    let mut items: Vec<Row> = kept.own.iter().filter_map(|document| front.own_row(document)).collect();
    items.extend(kept.copies.iter().map(|copy| front.copy_row(copy)));
    let known: BTreeSet<_> = kept.copies.iter().map(|copy| key(&copy.listed)).collect();
    let new = found.iter().filter(|listed| !known.contains(&key(listed)));
    items.extend(new.map(|listed| front.listed_row(listed, "findable")));
    let over = front.over(&actor, patient.subject).await?;
    let facts = Facts {
        is_emergency: over.emergency.is_some(),
        ..front.facts(&kept, &patient, searched.as_ref().map(|(at, _)| *at), found)
    };
    let members = items.iter().map(|row| row.holder.clone()).collect::<BTreeSet<_>>();
    let completeness = front.completeness(&facts, members.into_iter().collect());
    // In an emergency, and of a sealed record, nothing is read of a document that was not opened (D-10, D-12).
    let labs = if ground.is_ordinary() && over.sealed.is_none() {
        front.labs(&actor, &kept).await?
    } else {
        Vec::new()
    };
    Ok(Json(History { completeness, items, labs }))
}

fn key(listed: &ListedDocument) -> (Code, EntryId) {
    (listed.holder.clone(), listed.entry_id)
}

impl Front {
    /// A patient whose documents the actor may see.
    pub(super) async fn reader(&self, actor: &Actor, subject: Subject) -> Result<(Patient, Ground), Problem> {
        let (patient, ground) = self.seen(actor, subject).await?;
        if ground.opens_documents() { Ok((patient, ground)) } else { Err(Problem::new(&kind::FORBIDDEN)) }
    }

    /// A document of this hospital; one with codes that this program does not know is not shown.
    pub(super) fn own_row(&self, document: &ask::Document) -> Option<Row> {
        let listed = own_listed(&self.app.member.code, document)?;
        let status = DocumentStatus::try_from(document.index.status).ok()?;
        let data = document.data.expose();
        let author = data.person.as_ref().map(|person| person.name.clone());
        Some(Row {
            status: name_of(&status),
            author: author.filter(|name| !name.is_empty()),
            department: Some(data.department.clone()).filter(|name| !name.is_empty()),
            replaced: document.replaced,
            ..self.listed_row(&listed, "own")
        })
    }

    /// A document of another holder.
    pub(super) fn copy_row(&self, copy: &Shown) -> Row {
        let state = match copy.stage {
            Stage::Wanted | Stage::Released => "wanted",
            Stage::Held => "held",
            Stage::Opened => "opened",
            Stage::Refused => "refused",
            Stage::Erased => "erased",
            Stage::Retained => "retained",
        };
        let reason = told(copy.stage, copy.withdrawn, &copy.clause)
            .map(|clause| Reason { clause: clause.to_owned(), text: words::clause(clause).to_owned() });
        Row { reason, ..self.listed_row(&copy.listed, state) }
    }

    pub(super) fn listed_row(&self, listed: &ListedDocument, state: &'static str) -> Row {
        let row = listed.document_type.row();
        let title = listed.title.expose();
        Row {
            holder: listed.holder.to_string(),
            holder_name: self.member(&listed.holder).name,
            entry: listed.entry_id.to_string(),
            state,
            reason: None,
            title: if title.is_empty() { row.title.to_owned() } else { title.clone() },
            class: name_of(&listed.class),
            r#type: Named { code: row.code.to_owned(), name: row.title.to_owned() },
            format: name_of(&listed.format),
            status: name_of(&DocumentStatus::Final),
            service_start: listed.service_start.map(|at| self.time(at)),
            service_end: listed.service_end.map(|at| self.time(at)),
            created: self.time(listed.created_at),
            author: None,
            department: None,
            size: listed.size,
            sensitivity: name_of(&listed.sensitivity),
            replaced: false,
        }
    }

    fn facts(
        &self,
        kept: &Kept,
        patient: &Patient,
        searched: Option<Timestamp>,
        found: &[ListedDocument],
    ) -> Facts {
        let at = |stages: &[Stage]| kept.copies.iter().filter(|copy| stages.contains(&copy.stage)).count();
        let wanted = kept.copies.iter().filter(|copy| matches!(copy.stage, Stage::Wanted | Stage::Released));
        let holders: BTreeSet<_> = wanted.map(|copy| copy.listed.holder.clone()).collect();
        let refused = kept.copies.iter().filter(|copy| copy.stage == Stage::Refused);
        let ended = kept.copies.iter().filter(|copy| matches!(copy.stage, Stage::Erased | Stage::Retained));
        let ended: BTreeSet<EntryId> = ended.map(|copy| copy.listed.entry_id).collect();
        // What was found stays findable until the consent to it has ended: then the search no longer says anything.
        let is_found = found.iter().any(|listed| !ended.contains(&listed.entry_id));
        Facts {
            has_token: !patient.remarks.contains(&Remark::NoToken),
            has_lease: kept.has_lease && self.app.registry.is_connected(),
            is_permitted: kept.is_permitted || is_found,
            searched,
            is_emergency: false,
            wanted: at(&[Stage::Wanted, Stage::Released]),
            ended: ended.len(),
            refused: refused.map(|copy| copy.clause.clone()).collect(),
            has_copies: !kept.copies.is_empty(),
            is_cut: kept.is_cut,
            unreachable: holders.into_iter().filter(|holder| !self.is_reached(holder)).collect(),
        }
    }

    fn is_reached(&self, holder: &Code) -> bool {
        let status = self.app.link.status();
        let directory = self.app.registry.directory();
        let mut peers = directory.member(holder).into_iter().flat_map(peers_of);
        peers.any(|peer| status.is_connected(&peer))
    }
}

impl Front {
    /// A document as a row, if the actor sees its patient; of the list it would stand in.
    pub(super) async fn document_row(
        &self,
        actor: &Actor,
        holder: &Code,
        entry: &EntryId,
    ) -> Result<Row, Problem> {
        let (who, whose, which, now) = (actor.clone(), holder.clone(), *entry, self.now());
        if *holder == self.app.member.code {
            let found = move |machine: &Machine, view: &View| {
                let found = machine.document(&which, view)?;
                let seen = |one: &ask::Document| machine.may_see(&who, &one.subject, now, view);
                let sees = found.as_ref().map(seen).transpose()?.is_some_and(|seen| seen.is_ok());
                Ok(found.filter(|_| sees))
            };
            let found = self.app.inbox.ask(found).await?;
            return found.and_then(|one| self.own_row(&one)).ok_or_else(|| Problem::new(&NOT_SEEN));
        }
        let found = move |machine: &Machine, view: &View| {
            let found = machine.copy(&whose, &which, view)?;
            let seen = |subject: &Subject| machine.may_see(&who, subject, now, view);
            let subject = found.as_ref().and_then(|copy| copy.subject);
            let sees = subject.as_ref().map(seen).transpose()?.is_some_and(|seen| seen.is_ok());
            Ok(found.filter(|_| sees))
        };
        let found = self.app.inbox.ask(found).await?;
        Ok(self.copy_row(&found.ok_or_else(|| Problem::new(&NOT_SEEN))?))
    }
}

/// The clause that is told of a copy: of one that is refused, or waits for something. That a copy was erased or retained says
/// why by itself, unless it is the holder who withdrew it (N-7).
const fn told(stage: Stage, withdrawn: bool, clause: &str) -> Option<&str> {
    match stage {
        _ if withdrawn => Some("N-7"),
        Stage::Refused => Some(clause),
        Stage::Wanted | Stage::Released | Stage::Held if !clause.is_empty() => Some(clause),
        Stage::Wanted | Stage::Released | Stage::Held | Stage::Opened | Stage::Erased | Stage::Retained => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_of_what_is_refused_waits_or_was_withdrawn() {
        assert_eq!(told(Stage::Refused, false, "P-4"), Some("P-4"));
        assert_eq!(told(Stage::Wanted, false, "F-7"), Some("F-7"));
        assert_eq!(told(Stage::Held, false, ""), None);
        for stage in [Stage::Opened, Stage::Erased, Stage::Retained] {
            assert_eq!(told(stage, false, "D-3"), None, "{stage:?}");
        }
        assert_eq!(told(Stage::Retained, true, "D-3"), Some("N-7"));
    }
}
