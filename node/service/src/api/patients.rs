//! `/api/patients`: those whom somebody has, one that is found by a whole number, one with all that is known, and numbers in
//! full when somebody asks for them. Every look is audited. Not here: documents, consents.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde::Deserialize;
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::ask::Patient;
use yiqiao_node_core::audit::Act;
use yiqiao_node_core::machine::Machine;
use yiqiao_node_core::register::Number;
use yiqiao_node_core::sight::Ground;
use yiqiao_node_core::state::{self, Fault, View};
use yiqiao_proto::id::Subject;
use yiqiao_proto::person::{Identifier, IdentifierError};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::Timestamp;

use crate::api::faults::{CHECK_DIGIT, NOT_SEEN, unfit};
use crate::api::front::{Acting, After, Front, Page, subject};
use crate::api::limits::{CIRCLES_MAX, PAGE_ROWS};
use crate::api::person::{Revealed, Row, Whole, revealed};

pub(super) fn router() -> Router<Front> {
    Router::new()
        .route("/api/patients", get(mine).fallback(method_not_allowed))
        .route("/api/patients/find", post(find).fallback(method_not_allowed))
        .route("/api/patients/{subject}", get(one).fallback(method_not_allowed))
        .route("/api/patients/{subject}/reveal", post(reveal).fallback(method_not_allowed))
}

/// Patients and why they are seen.
pub(super) type Seen = Vec<(Patient, Ground)>;

/// Where a list of circles goes on: which circle, and before which place in it.
type Cursor = (usize, Option<u64>);

async fn mine(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    after: After,
) -> Result<Json<Page<Row>>, Problem> {
    let (from, now) = (cursor(&after)?, front.now());
    let (seen, next) =
        front.app.inbox.ask(move |machine, view| page(machine, view, (&actor, now), from)).await?;
    let next = next.map(|(circle, before)| format!("{circle}.{}", before.unwrap_or(0)));
    Ok(Json(Page { items: front.rows(&seen), next }))
}

fn cursor(After(after): &After) -> Result<Cursor, Problem> {
    let Some(after) = after else { return Ok((0, None)) };
    let read = after.split_once('.').and_then(|(circle, before)| {
        let before: u64 = before.parse().ok()?;
        Some((circle.parse().ok()?, (before > 0).then_some(before)))
    });
    read.ok_or_else(|| unfit("after", "as `next` of the page before"))
}

/// The next patients of an actor's circles, each in the first circle that it stands in. A page goes on over small circles.
fn page(
    machine: &Machine,
    view: &View,
    (actor, now): (&Actor, Timestamp),
    (first, mut before): Cursor,
) -> Result<(Seen, Option<Cursor>), Fault> {
    let mut seen = Vec::new();
    for circle in first..first.saturating_add(CIRCLES_MAX) {
        // A few rounds for each circle: a question has a bounded number of them.
        let Some(mut places) = machine.patients_of(actor, circle, before, view)? else {
            return Ok((seen, None));
        };
        let lowest = places.last().map(|(place, _)| *place).filter(|place| *place > 1);
        let more = places.len() > PAGE_ROWS;
        places.truncate(PAGE_ROWS);
        let next = if more { places.last().map(|(place, _)| *place) } else { lowest };
        let subjects: Vec<Subject> = places.into_iter().map(|(_, subject)| subject).collect();
        need(&subjects, view)?;
        for subject in subjects {
            if machine.circle_of(actor, &subject, view)? == Some(circle) {
                seen.extend(look_at(machine, view, (actor, now), &subject)?);
            }
        }
        let next = next.map_or((circle + 1, None), |place| (circle, Some(place)));
        if seen.len() >= PAGE_ROWS || next.0 == circle {
            return Ok((seen, Some(next)));
        }
        before = None;
    }
    Ok((seen, Some((first.saturating_add(CIRCLES_MAX), None))))
}

/// Asks for all that rows are made of, in few rounds.
pub(super) fn need(subjects: &[Subject], view: &View) -> Result<(), Fault> {
    view.need(&subjects.iter().map(state::patient).collect::<Vec<_>>())?;
    view.need(&subjects.iter().map(state::chain).collect::<Vec<_>>())?;
    let mut standing = subjects.to_vec();
    for subject in subjects {
        let retired = view.get(&state::patient(subject))?.retired;
        standing.extend(retired.iter().filter_map(|id| Subject::new(id.as_slice().try_into().ok()?)));
    }
    view.need(&standing.iter().map(state::circles).collect::<Vec<_>>())
}

/// A patient, if there is one and the actor sees it now.
pub(super) fn look_at(
    machine: &Machine,
    view: &View,
    (actor, now): (&Actor, Timestamp),
    subject: &Subject,
) -> Result<Option<(Patient, Ground)>, Fault> {
    let Ok(ground) = machine.may_see(actor, subject, now, view)? else { return Ok(None) };
    Ok(machine.patient(subject, view)?.map(|patient| (patient, ground)))
}

/// What is looked for: exactly one of them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Find {
    number: Option<String>,
    resident_id: Option<String>,
    health_card: Option<String>,
}

/// A number that was typed whole.
#[derive(Clone)]
pub(super) enum Wanted {
    Number(Phi<String>),
    Identifier(Identifier),
}

impl Find {
    pub(super) fn wanted(self) -> Result<Wanted, Problem> {
        match (self.number, self.resident_id, self.health_card) {
            (Some(number), None, None) => Ok(Wanted::Number(Phi::new(number.trim().to_owned()))),
            (None, Some(number), None) => {
                let permit = |error| {
                    Identifier::permit(&number)
                        .or_else(|_| Identifier::travel_permit(&number))
                        .map_err(|_| error)
                };
                Identifier::resident_id(&number).or_else(permit).map(Wanted::Identifier).map_err(|error| {
                    match error {
                        IdentifierError::CheckDigit => Problem::new(&CHECK_DIGIT).field("residentId"),
                        IdentifierError::Form | IdentifierError::StandIn => {
                            unfit("residentId", &error.to_string())
                        }
                    }
                })
            }
            (None, None, Some(number)) => Identifier::health_card(&number)
                .map(Wanted::Identifier)
                .map_err(|error| unfit("healthCard", &error.to_string())),
            _ => Err(unfit("number", "exactly one of number, residentId and healthCard")),
        }
    }
}

async fn find(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Json(asked): Json<Find>,
) -> Result<Json<Page<Row>>, Problem> {
    let wanted = asked.wanted()?;
    let (who, now) = (actor.clone(), front.now());
    let seen = front.app.inbox.ask(move |machine, view| found(machine, view, (&who, now), &wanted)).await?;
    let subjects: Vec<_> = seen.iter().map(|(patient, _)| Some(patient.subject)).collect();
    for subject in if subjects.is_empty() { vec![None] } else { subjects } {
        front.look(&actor, subject, Act::Find).await?;
    }
    Ok(Json(Page { items: front.rows(&seen), next: None }))
}

fn found(
    machine: &Machine,
    view: &View,
    (actor, now): (&Actor, Timestamp),
    wanted: &Wanted,
) -> Result<Seen, Fault> {
    let subjects = known(machine, view, wanted)?;
    need(&subjects, view)?;
    let mut seen = Vec::new();
    for subject in subjects {
        seen.extend(look_at(machine, view, (actor, now), &subject)?);
    }
    Ok(seen)
}

/// All who have a number, whoever asks: of several patients that the hospital's registers gave it to the person who asks chooses.
pub(super) fn known(machine: &Machine, view: &View, wanted: &Wanted) -> Result<Vec<Subject>, Fault> {
    match wanted {
        Wanted::Identifier(id) => machine.patients_by_identifier(id, view),
        Wanted::Number(number) => machine.patients_by_number(&Number::Any(number.clone()), view),
    }
}

async fn one(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
) -> Result<Json<Whole>, Problem> {
    let (patient, ground) = front.seen(&actor, subject(&name)?).await?;
    front.view(&actor, patient.subject).await?;
    let over = front.over(&actor, patient.subject).await?;
    Ok(Json(front.whole(&patient, ground, &over)))
}

async fn reveal(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
) -> Result<Json<Revealed>, Problem> {
    let (patient, _) = front.seen(&actor, subject(&name)?).await?;
    front.look(&actor, Some(patient.subject), Act::Reveal).await?;
    Ok(Json(revealed(&patient)))
}

impl Front {
    /// A patient whom the actor sees; whom nobody knows and whom the actor does not see look the same.
    pub(super) async fn seen(&self, actor: &Actor, subject: Subject) -> Result<(Patient, Ground), Problem> {
        let (actor, now) = (actor.clone(), self.now());
        let seen = move |machine: &Machine, view: &View| look_at(machine, view, (&actor, now), &subject);
        let seen = self.app.inbox.ask(seen).await?;
        seen.ok_or_else(|| Problem::new(&NOT_SEEN))
    }

    fn rows(&self, seen: &Seen) -> Vec<Row> {
        seen.iter().map(|(patient, ground)| self.row(patient, *ground)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_number_is_looked_for() {
        let find = |number: Option<&str>, resident: Option<&str>| Find {
            number: number.map(str::to_owned),
            resident_id: resident.map(str::to_owned),
            health_card: None,
        };
        assert!(find(Some("1"), None).wanted().is_ok());
        assert!(find(Some("1"), Some("2")).wanted().is_err() && find(None, None).wanted().is_err());
    }

    #[test]
    fn t2_a_foreigner_is_looked_for_by_the_number_of_the_permit() {
        let asked = Find { number: None, resident_id: Some("can110067050101".to_owned()), health_card: None };
        let permit = Identifier::permit("CAN110067050101").unwrap();
        assert!(matches!(asked.wanted(), Ok(Wanted::Identifier(known)) if known == permit));
        let asked = Find { number: None, resident_id: Some("H0123456702".to_owned()), health_card: None };
        let permit = Identifier::travel_permit("H01234567").unwrap();
        assert!(matches!(asked.wanted(), Ok(Wanted::Identifier(known)) if known == permit));
    }

    #[test]
    fn a_mistyped_digit_of_a_resident_id_is_named() {
        let refused = |number: &str| {
            let asked = Find { number: None, resident_id: Some(number.to_owned()), health_card: None };
            asked.wanted().err().unwrap().kind().slug
        };
        assert_eq!(refused("110105194912310021"), CHECK_DIGIT.slug);
        assert_eq!(refused("11010519491231"), "unfit-field");
    }

    #[test]
    fn a_list_goes_on_where_the_page_before_ended() {
        let after = |text: &str| cursor(&After(Some(text.to_owned())));
        assert_eq!(cursor(&After(None)).unwrap(), (0, None));
        assert_eq!((after("2.17").unwrap(), after("3.0").unwrap()), ((2, Some(17)), (3, None)));
        assert!(after("x").is_err() && after("1").is_err());
    }
}
