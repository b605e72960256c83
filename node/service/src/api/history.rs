//! `/api/patients/{subject}/history` and `/api/me/history`: who has done what with a patient's record in the region, the
//! newest first, one sentence for each. Reading it is an event itself.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde::Serialize;
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_node_core::actor::Actor;
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{MemberRole, PatientQuestion};
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::{Code, Subject};

use crate::answers::Logged;
use crate::api::front::{Acting, After, Front, Named, Own, Page, subject};
use crate::api::limits::{HISTORY_ROWS, REGISTRY_PAGES_MAX};
use crate::api::persons::{By, Persons};
use crate::api::words;
use crate::names::name_of;

pub(super) fn router() -> Router<Front> {
    Router::new()
        .route("/api/patients/{subject}/history", get(of_patient).fallback(method_not_allowed))
        .route("/api/me/history", get(own).fallback(method_not_allowed))
}

#[derive(Serialize)]
struct Row {
    at: String,
    organisation: Named,
    counterpart: Option<Named>,
    act: String,
    outcome: String,
    clause: String,
    text: String,
    classes: Vec<String>,
    purpose: String,
    role: String,
    documents: u32,
    referral: Option<String>,
    /// Who did it: for the patient, of what people did.
    person: Option<By>,
}

async fn of_patient(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
    after: After,
) -> Result<Json<Page<Row>>, Problem> {
    front.history(&actor, subject(&name)?, after.place()?).await
}

async fn own(
    State(front): State<Front>,
    Own { actor, subject }: Own,
    after: After,
) -> Result<Json<Page<Row>>, Problem> {
    front.history(&actor, subject, after.place()?).await
}

impl Front {
    /// The registry tells the oldest first, so all is read for a page of the newest.
    async fn history(
        &self,
        actor: &Actor,
        subject: Subject,
        before: Option<u64>,
    ) -> Result<Json<Page<Row>>, Problem> {
        let (events, questions) = self.all_events(actor, subject).await?;
        let (events, next) = newest(events, before);
        let is_patient = matches!(actor, Actor::Patient { .. });
        let persons = if is_patient { self.persons(&questions, &events).await } else { Persons::new() };
        let reader = if is_patient { "您" } else { "患者" };
        let items = events.iter().map(|event| self.event_row(&event.word, reader, &persons)).collect();
        Ok(Json(Page { items, next: next.map(|seq| seq.to_string()) }))
    }

    /// What was said about a patient, the oldest first, as far as one reading goes; and the questions by which it was asked last.
    pub(super) async fn all_events(
        &self,
        actor: &Actor,
        subject: Subject,
    ) -> Result<(Vec<Logged<AccessEvent>>, Vec<Envelope>), Problem> {
        let (mut events, mut questions, mut from_seq) = (Vec::new(), Vec::new(), 0);
        for _page in 0..REGISTRY_PAGES_MAX {
            questions = self.questions(actor, subject, PatientQuestion::Events, from_seq).await?;
            let (page, next) = self.events(&questions).await?;
            events.extend(page);
            let Some(next) = next else { break };
            from_seq = next;
        }
        Ok((events, questions))
    }

    fn event_row(&self, event: &AccessEvent, patient: &str, persons: &Persons) -> Row {
        let (who, other) = self.sides(event);
        let named = |code: &Code| self.member(code);
        let (who, other) = (named(who), other.map(named));
        let other_name = other.as_ref().map(|other| other.name.as_str());
        let did = words::Did {
            patient,
            who: &who.name,
            other: other_name,
            role: event.role,
            documents: event.documents,
        };
        Row {
            at: self.time(event.at),
            act: name_of(&event.act),
            outcome: name_of(&event.outcome),
            clause: event.clause.clone(),
            text: did.sentence(event.act, event.outcome),
            classes: event.classes.iter().map(name_of).collect(),
            purpose: name_of(&event.purpose),
            role: name_of(&event.role),
            documents: event.documents,
            referral: event.referral.map(|id| id.to_string()),
            organisation: who,
            counterpart: other,
            person: event.audit_line.and_then(|line| persons.get(&line).cloned()),
        }
    }

    /// Who did it, and the other side: what the registry says is about the member that it names.
    fn sides<'e>(&self, event: &'e AccessEvent) -> (&'e Code, Option<&'e Code>) {
        let directory = self.app.registry.directory();
        let is_registry = |code: &Code| {
            directory.member(code).is_some_and(|member| member.roles.contains(&MemberRole::Registry))
        };
        match &event.counterpart {
            Some(member) if is_registry(&event.organisation) => (member, None),
            other => (&event.organisation, other.as_ref()),
        }
    }
}

/// The newest events before a place of the log, and the place to go on before. What was said under each token of the patient
/// is one event.
fn newest(
    mut events: Vec<Logged<AccessEvent>>,
    before: Option<u64>,
) -> (Vec<Logged<AccessEvent>>, Option<u64>) {
    events.retain(|event| before.is_none_or(|before| event.seq < before));
    events.sort_by_key(|event| std::cmp::Reverse(event.seq));
    let mut rows: Vec<Logged<AccessEvent>> = Vec::new();
    let mut next = None;
    for event in events {
        if rows.len() == HISTORY_ROWS {
            next = rows.last().map(|last| last.seq);
            break;
        }
        // Those of one act are handed in one after the other.
        if !rows.iter().rev().take(16).any(|known| is_same(&known.word, &event.word)) {
            rows.push(event);
        }
    }
    (rows, next)
}

/// Whether two events differ only in the token of the patient and what follows from it.
fn is_same(one: &AccessEvent, other: &AccessEvent) -> bool {
    let bare = AccessEvent {
        patient: one.patient,
        head_version: one.head_version,
        directive: one.directive,
        ..other.clone()
    };
    *one == bare && one.patient != other.patient
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use yiqiao_proto::codes::{AccessAct, AccessOutcome, PersonRole, Purpose};
    use yiqiao_proto::id::Digest;
    use yiqiao_proto::time::Timestamp;
    use yiqiao_proto::token::Token;

    use super::*;

    fn event(seq: u64, patient: u8, ms: i64) -> Logged<AccessEvent> {
        let event = AccessEvent {
            organisation: Code::new("qzrm").unwrap(),
            counterpart: None,
            patient: Token { epoch: 1, value: Digest::new([patient; 32]).unwrap() },
            act: AccessAct::Consent,
            outcome: AccessOutcome::Permitted,
            clause: "C-7".to_owned(),
            classes: BTreeSet::new(),
            purpose: Purpose::Treatment,
            role: PersonRole::Desk,
            head_version: seq,
            directive: None,
            referral: None,
            release: None,
            documents: 0,
            size: 0,
            at: Timestamp::from_unix_ms(ms).unwrap(),
            audit_line: None,
        };
        Logged { seq, accepted_at: event.at, word: event }
    }

    fn seqs(events: &[Logged<AccessEvent>]) -> Vec<u64> {
        events.iter().map(|event| event.seq).collect()
    }

    #[test]
    fn the_newest_come_first_and_each_act_once() {
        let events = vec![event(1, 1, 10), event(2, 2, 10), event(3, 1, 20), event(4, 1, 20)];
        let (rows, next) = newest(events, None);
        assert_eq!((seqs(&rows), next), (vec![4, 3, 2], None));
    }

    #[test]
    fn a_page_goes_on_before_its_last_row() {
        let events = |count: u64| (0..count).map(|seq| event(seq, 1, i64::try_from(seq).unwrap())).collect();
        let (rows, next) = newest(events(HISTORY_ROWS as u64 + 2), None);
        assert_eq!((rows.len(), next), (HISTORY_ROWS, Some(2)));
        let (rows, next) = newest(events(HISTORY_ROWS as u64 + 2), next);
        assert_eq!((seqs(&rows), next), (vec![1, 0], None));
    }
}
