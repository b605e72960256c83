//! `GET /api/me/copies`: what other hospitals have received of a patient, and how they have answered since they are permitted no longer:
//! each copy that a recipient has erased, or retained because it was opened, is an event that the recipient signed.
//!
//! Not here: single documents, which are in the history; what came in an emergency or by the region's rule, which no consent of the
//! patient ends.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde::Serialize;
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{AccessAct, AccessOutcome, Stance};
use yiqiao_proto::id::{Code, Digest};

use crate::api::front::{Front, Named, Own};

pub(super) fn router() -> Router<Front> {
    Router::new().route("/api/me/copies", get(own).fallback(method_not_allowed))
}

#[derive(Serialize)]
struct Copies {
    items: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    organisation: Named,
    #[serde(flatten)]
    count: Count,
}

/// Copies that one recipient has received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Count {
    /// Under a consent that counts.
    held: u32,
    erased: u32,
    retained: u32,
    /// The consent counts no longer, and the recipient has not said what it did.
    unanswered: u32,
}

async fn own(State(front): State<Front>, Own { actor, subject }: Own) -> Result<Json<Copies>, Problem> {
    let consents = front.consents(&actor, subject).await?;
    let now = front.now();
    let permits = consents.into_iter().flat_map(|answer| answer.directives).map(|act| act.word.said);
    let permits = permits.filter(|said| said.stance == Stance::Permit);
    let counting = permits.filter(|said| said.valid_until.is_none_or(|until| now < until));
    let permitted = counting.filter_map(|said| said.grantee.organisation).collect();
    let (events, _) = front.all_events(&actor, subject).await?;
    let counts = count(&events.iter().map(|event| &event.word).collect::<Vec<_>>(), &permitted);
    let row = |(code, count): (Code, Count)| Row { organisation: front.member(&code), count };
    Ok(Json(Copies { items: counts.into_iter().map(row).collect() }))
}

/// Counts by recipient what was released under a directive and has come.
fn count(events: &[&AccessEvent], permitted: &BTreeSet<Code>) -> BTreeMap<Code, Count> {
    let of = |act: AccessAct| {
        let done = move |event: &&&AccessEvent| event.act == act && event.outcome == AccessOutcome::Permitted;
        events.iter().filter(done)
    };
    let named = |act: AccessAct| of(act).filter_map(|event| event.release).collect::<BTreeSet<Digest>>();
    let (delivered, erased) = (named(AccessAct::Delivery), named(AccessAct::Erasure));
    let retained = named(AccessAct::Retention);
    let under_directive = of(AccessAct::Release).filter(|event| event.directive.is_some());
    let released = under_directive.filter_map(|event| Some((event.release?, event.counterpart.clone()?)));
    let mut counts: BTreeMap<Code, Count> = BTreeMap::new();
    for (release, recipient) in released.collect::<BTreeMap<Digest, Code>>() {
        if !delivered.contains(&release) {
            continue;
        }
        let may = permitted.contains(&recipient);
        let count = counts.entry(recipient).or_default();
        let place = if erased.contains(&release) {
            &mut count.erased
        } else if retained.contains(&release) {
            &mut count.retained
        } else if may {
            &mut count.held
        } else {
            &mut count.unanswered
        };
        *place += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use yiqiao_proto::codes::{PersonRole, Purpose};
    use yiqiao_proto::id::DirectiveId;
    use yiqiao_proto::time::Timestamp;
    use yiqiao_proto::token::Token;

    use super::*;

    fn code(text: &str) -> Code {
        Code::new(text).unwrap()
    }

    /// An event about a release: the holder's own names the recipient.
    fn event(act: AccessAct, release: u8, organisation: &str, counterpart: &str) -> AccessEvent {
        AccessEvent {
            organisation: code(organisation),
            counterpart: Some(code(counterpart)),
            patient: Token { epoch: 1, value: Digest::new([1; 32]).unwrap() },
            act,
            outcome: AccessOutcome::Permitted,
            clause: "D-3".to_owned(),
            classes: BTreeSet::new(),
            purpose: Purpose::Treatment,
            role: PersonRole::Physician,
            head_version: 1,
            directive: DirectiveId::new([9; 32]),
            referral: None,
            release: Digest::new([release; 32]),
            documents: 1,
            size: 10,
            at: Timestamp::default(),
            audit_line: None,
        }
    }

    #[test]
    fn who_has_answered_a_revocation_and_who_has_not_is_counted_by_recipient() {
        let mut events = Vec::new();
        for release in 1..=5 {
            events.push(event(AccessAct::Release, release, "a", "c"));
        }
        events.push(event(AccessAct::Release, 6, "a", "d"));
        events.push(event(AccessAct::Release, 7, "a", "e"));
        // One never came, and one came without a consent of the patient.
        events.extend([1, 2, 3, 4].map(|release| event(AccessAct::Delivery, release, "c", "a")));
        events.push(event(AccessAct::Delivery, 6, "d", "a"));
        events.push(AccessEvent { directive: None, ..event(AccessAct::Release, 8, "a", "c") });
        events.push(event(AccessAct::Delivery, 8, "c", "a"));
        events.push(event(AccessAct::Erasure, 1, "c", "a"));
        events.push(event(AccessAct::Retention, 2, "c", "a"));
        let counts = count(&events.iter().collect::<Vec<_>>(), &BTreeSet::from([code("d")]));
        let c = Count { erased: 1, retained: 1, unanswered: 2, held: 0 };
        let d = Count { held: 1, ..Count::default() };
        assert_eq!(counts, BTreeMap::from([(code("c"), c), (code("d"), d)]));
    }
}
