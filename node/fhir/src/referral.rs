//! A referral as ServiceRequest and Task, and the change of a Task as a step.
//!
//! Both resources have the id of the referral: what is asked, and how far it is.

mod change;

use serde_json::{Value, json};
use yiqiao_node_core::ask::Patient;
use yiqiao_proto::id::{Code, EntryId, ReferralId, Subject};
use yiqiao_proto::person::{Identifier, IdentifierKind};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::referral::State;
use yiqiao_proto::time::Timestamp;

use crate::date;
use crate::document::patient_reference;
use crate::resource::{Resource, logical, member, reference};
use crate::terms::{HEALTH_CARD, PASSPORTS, PERMIT, REFERRAL, RESIDENT, SNOMED, TRAVEL_PERMIT, Term};

pub use change::{TaskChange, read_change};

/// A referral as this door shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Referral {
    /// Its id.
    pub id: ReferralId,
    /// The patient at this node; none before the hospital has filed the patient under a number of its own.
    pub subject: Option<Subject>,
    /// Who the patient is by the words of the referring side.
    pub person: Person,
    /// Who refers.
    pub referring: Code,
    /// The referring member's name.
    pub referring_name: String,
    /// Who receives.
    pub receiving: Code,
    /// The receiving member's name.
    pub receiving_name: String,
    /// Where it stands.
    pub state: State,
    /// How soon.
    pub urgency: Urgency,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When the last step was taken.
    pub changed_at: Timestamp,
    /// How many steps of both sides count: the version of both resources.
    pub steps: u32,
    /// The physician who refers.
    pub physician: Option<Phi<String>>,
    /// For which department.
    pub department: Option<String>,
    /// Why.
    pub reason: Phi<String>,
    /// What the receiving side should know.
    pub note: Option<Phi<String>>,
    /// The documents that go with it.
    pub documents: Vec<EntryId>,
    /// Why it was declined, redirected or cancelled.
    pub ended_because: Option<Phi<String>>,
}

/// A patient in the words of a referral.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name.
    pub name: Phi<String>,
    /// An identifier.
    pub identifier: Option<Identifier>,
}

/// How soon (FHIR RequestPriority).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// In the usual time.
    Routine,
    /// Before others.
    Urgent,
    /// As soon as possible.
    Asap,
    /// At once.
    Stat,
}

impl Urgency {
    /// The FHIR code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Routine => "routine",
            Self::Urgent => "urgent",
            Self::Asap => "asap",
            Self::Stat => "stat",
        }
    }
}

impl Referral {
    /// What is asked.
    pub fn service_request(&self, patient: Option<&Patient>) -> Resource {
        let body = json!({
            "meta": {"lastUpdated": date::instant(self.changed_at)},
            "identifier": [self.identifier()],
            "status": request_status(self.state),
            "intent": "order",
            "category": [{
                "coding": [{"system": SNOMED, "code": "3457005", "display": "Patient referral"}],
                "text": "转诊",
            }],
            "priority": self.urgency.code(),
            "code": {"text": "转诊"},
            "subject": self.about(patient),
            "authoredOn": date::instant(self.sent_at),
            "requester": self.requester(),
            "performerType": self.department.as_ref().map(|department| json!({"text": department})),
            "performer": [member(&self.receiving, &self.receiving_name)],
            "reasonCode": [{"text": self.reason.expose()}],
            "supportingInfo": self.documents(),
            "note": self.note.as_ref().map(|note| json!([{"text": note.expose()}])),
        });
        Resource::new("ServiceRequest", Some(self.id.to_string()), body).with_version(self.steps)
    }

    /// How far it is.
    pub fn task(&self, patient: Option<&Patient>) -> Resource {
        let body = json!({
            "meta": {"lastUpdated": date::instant(self.changed_at)},
            "identifier": [self.identifier()],
            "basedOn": [reference("ServiceRequest", &self.id.to_string())],
            "status": task_status(self.state),
            "statusReason": self.ended_because.as_ref().map(|reason| json!({"text": reason.expose()})),
            "businessStatus": self.state.concept(),
            "intent": "order",
            "priority": self.urgency.code(),
            "code": {"coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}]},
            "focus": reference("ServiceRequest", &self.id.to_string()),
            "for": self.about(patient),
            "authoredOn": date::instant(self.sent_at),
            "lastModified": date::instant(self.changed_at),
            "requester": member(&self.referring, &self.referring_name),
            "owner": member(&self.receiving, &self.receiving_name),
        });
        Resource::new("Task", Some(self.id.to_string()), body).with_version(self.steps)
    }

    fn identifier(&self) -> Value {
        json!({"system": REFERRAL, "value": self.id.to_string()})
    }

    /// The patient as known here, or as the referring side says.
    fn about(&self, patient: Option<&Patient>) -> Value {
        if let Some(patient) = patient {
            return patient_reference(patient);
        }
        let name = self.person.name.expose();
        match &self.person.identifier {
            Some(id) => {
                let (state, number) = id.issued();
                let system = match id.kind() {
                    IdentifierKind::ResidentId => RESIDENT,
                    IdentifierKind::HealthCard => HEALTH_CARD,
                    IdentifierKind::Permit => PERMIT,
                    IdentifierKind::Passport => &format!("{PASSPORTS}{state}"),
                    IdentifierKind::TravelPermit => TRAVEL_PERMIT,
                };
                logical("Patient", system, number, name)
            }
            None => json!({"type": "Patient", "display": name}),
        }
    }

    /// The referring member, and who refers there.
    fn requester(&self) -> Value {
        let mut requester = member(&self.referring, &self.referring_name);
        if let (Some(physician), Value::Object(members)) = (&self.physician, &mut requester) {
            let shown = format!("{} {}", self.referring_name, physician.expose());
            members.insert("display".to_owned(), shown.into());
        }
        requester
    }

    fn documents(&self) -> Vec<Value> {
        self.documents.iter().map(|id| reference("DocumentReference", &id.to_string())).collect()
    }
}

/// FHIR RequestStatus.
pub(crate) const fn request_status(state: State) -> &'static str {
    match state {
        State::Sent | State::Received | State::Accepted | State::Booked | State::Arrived | State::InCare => {
            "active"
        }
        State::Answered | State::Closed => "completed",
        State::Declined | State::Redirected | State::Cancelled | State::Expired => "revoked",
    }
}

/// FHIR TaskStatus; `businessStatus` has the state itself.
pub(crate) const fn task_status(state: State) -> &'static str {
    match state {
        State::Sent => "requested",
        State::Received => "received",
        State::Accepted | State::Booked => "accepted",
        State::Arrived | State::InCare => "in-progress",
        State::Answered | State::Closed => "completed",
        State::Declined | State::Redirected => "rejected",
        State::Cancelled | State::Expired => "cancelled",
    }
}
