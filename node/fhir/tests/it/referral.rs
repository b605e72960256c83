//! Referrals as ServiceRequest and Task, and the change of a Task.

#![expect(clippy::indexing_slicing, reason = "helpers of tests")]

use serde_json::{Value, json};
use yiqiao_fhir::outcome::Problem;
use yiqiao_fhir::referral::{TaskChange, read_change};
use yiqiao_proto::codes::ReferralAct;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::referral::{Side, State, after, side_of};

use crate::{rules, scenes};

const STATES: [(State, &str, &str, &str); 12] = [
    (State::Sent, "active", "requested", "sent"),
    (State::Received, "active", "received", "received"),
    (State::Accepted, "active", "accepted", "accepted"),
    (State::Booked, "active", "accepted", "booked"),
    (State::Arrived, "active", "in-progress", "arrived"),
    (State::InCare, "active", "in-progress", "in-care"),
    (State::Answered, "completed", "completed", "answered"),
    (State::Closed, "completed", "completed", "closed"),
    (State::Declined, "revoked", "rejected", "declined"),
    (State::Redirected, "revoked", "rejected", "redirected"),
    (State::Cancelled, "revoked", "cancelled", "cancelled"),
    (State::Expired, "revoked", "cancelled", "expired"),
];

fn task(state: State) -> Value {
    scenes::referral(state).task(Some(&scenes::patient())).json().expose().clone()
}

fn change(state: State, json: &Value, own: &str) -> Result<TaskChange, Problem> {
    read_change(json.to_string().as_bytes(), &scenes::referral(state), &scenes::code(own))
}

/// A Task as it was read, with another status and perhaps another state.
fn wanted(state: State, status: &str, business: Option<&str>) -> Value {
    let mut json = task(state);
    json["status"] = json!(status);
    if let Some(code) = business {
        json["businessStatus"] = json!({"coding": [{"system": "urn:yiqiao:referral-state", "code": code}]});
    }
    json["statusReason"] = json!({"text": "床位已满"});
    json
}

#[test]
fn every_state_has_its_statuses() {
    for (state, request, status, business) in STATES {
        let referral = scenes::referral(state);
        let (asked, done) =
            (referral.service_request(Some(&scenes::patient())), referral.task(Some(&scenes::patient())));
        rules::check(&asked);
        rules::check(&done);
        assert_eq!(asked.json().expose()["status"], request);
        assert_eq!(done.json().expose()["status"], status);
        assert_eq!(done.json().expose()["businessStatus"]["coding"][0]["code"], business);
        assert_eq!(done.etag().as_deref(), Some("W/\"2\""));
    }
}

#[test]
fn a_request_says_who_asks_whom_and_why() {
    let json =
        scenes::referral(State::Sent).service_request(Some(&scenes::patient())).json().expose().clone();
    let member = |code: &str, name: &str| json!({"type": "Organization", "identifier": {"system": "urn:yiqiao:member", "value": code}, "display": name});
    assert_eq!(json["requester"], member("hospital-a", "市第一医院 王芳"));
    assert_eq!(json["performer"], json!([member("hospital-b", "省人民医院")]));
    assert_eq!(json["reasonCode"], json!([{"text": "胸痛待查"}]));
    assert_eq!(json["performerType"], json!({"text": "心内科"}));
    assert_eq!(
        (&json["priority"], &json["authoredOn"]),
        (&json!("urgent"), &json!("2026-11-22T08:00:00+08:00"))
    );
    let document = format!("DocumentReference/{}", "01".repeat(32));
    assert_eq!(json["supportingInfo"], json!([{"reference": document, "type": "DocumentReference"}]));
    assert_eq!(json["category"][0]["coding"][0]["code"], "3457005");
}

#[test]
fn r3_a_change_of_status_is_the_step_that_leads_there() {
    for (state, status, business, own, act) in [
        (State::Received, "accepted", None, "hospital-b", ReferralAct::Accept),
        (State::Received, "rejected", None, "hospital-b", ReferralAct::Decline),
        (State::Received, "cancelled", None, "hospital-a", ReferralAct::Cancel),
        (State::Accepted, "accepted", Some("booked"), "hospital-b", ReferralAct::Book),
        (State::Accepted, "in-progress", Some("arrived"), "hospital-b", ReferralAct::Arrive),
        (State::Arrived, "in-progress", Some("in-care"), "hospital-b", ReferralAct::Admit),
    ] {
        let read = change(state, &wanted(state, status, business), own).unwrap();
        assert_eq!(read, TaskChange { act, reason: Some(Phi::new("床位已满".to_owned())) });
    }
}

#[test]
fn r3_only_the_side_whose_step_it_is_takes_it() {
    assert_eq!(
        change(State::Received, &wanted(State::Received, "accepted", None), "hospital-a"),
        Err(Problem::Forbidden)
    );
    assert_eq!(
        change(State::Received, &wanted(State::Received, "cancelled", None), "hospital-b"),
        Err(Problem::Forbidden)
    );
    assert_eq!(
        change(State::Received, &wanted(State::Received, "accepted", None), "hospital-c"),
        Err(Problem::Forbidden)
    );
}

#[test]
fn r3_every_change_that_is_read_is_allowed_from_there() {
    let targets = ["accepted", "rejected", "cancelled", "in-progress", "completed", "requested"];
    for (state, ..) in STATES {
        for status in targets {
            for business in [None, Some("booked"), Some("arrived"), Some("in-care"), Some("declined")] {
                for own in ["hospital-a", "hospital-b"] {
                    let Ok(read) = change(state, &wanted(state, status, business), own) else { continue };
                    assert!(after(state, read.act).is_some());
                    assert_eq!(side_of(read.act) == Side::Receiving, own == "hospital-b");
                }
            }
        }
        let conflict = change(State::Closed, &wanted(State::Closed, "accepted", None), "hospital-b");
        assert!(matches!(conflict, Err(Problem::Conflict { .. })));
    }
}

#[test]
fn a_refusal_needs_its_reason() {
    let mut json = wanted(State::Received, "rejected", None);
    json.as_object_mut().unwrap().remove("statusReason");
    let refused = change(State::Received, &json, "hospital-b").unwrap_err();
    assert_eq!(refused, Problem::Missing { path: "Task.statusReason.text".to_owned() });
}

#[test]
fn a_change_moves_nothing_but_the_status() {
    let base = wanted(State::Received, "accepted", None);
    let other = json!({"reference": format!("Patient/{}", "cd".repeat(32))});
    let member = json!({"identifier": {"system": "urn:yiqiao:member", "value": "hospital-c"}});
    for (name, value, path) in [
        ("id", json!("x"), "Task.id"),
        ("for", other.clone(), "Task.for"),
        ("focus", other, "Task.focus"),
        ("owner", member.clone(), "Task.owner"),
        ("requester", member, "Task.requester"),
        ("priority", json!("stat"), "Task.priority"),
        ("restriction", json!({"repetitions": 1}), "Task.restriction"),
        ("output", json!([]), "Task.output"),
        ("modifierExtension", json!([]), "Task.modifierExtension"),
        ("resourceType", json!("Consent"), "Task.resourceType"),
        ("statusReason", json!({"coding": []}), "Task.statusReason.coding"),
        ("businessStatus", json!({"coding": [{"code": "done"}]}), "Task.businessStatus.coding"),
        ("status", json!("completed"), "Task.status"),
    ] {
        let mut json = base.clone();
        json[name] = value;
        let refused = change(State::Received, &json, "hospital-b").unwrap_err();
        assert_eq!(refused.outcome().json().expose()["issue"][0]["expression"][0], path, "{refused}");
    }
}

#[test]
fn a_patient_who_is_not_filed_yet_is_who_the_referring_side_says() {
    let mut referral = scenes::referral(State::Sent);
    referral.subject = None;
    let (asked, done) = (referral.service_request(None), referral.task(None));
    rules::check(&asked);
    rules::check(&done);
    let subject = &asked.json().expose()["subject"];
    assert_eq!((&subject["reference"], &subject["display"]), (&Value::Null, &json!("张三丰")));
    assert_eq!(subject["identifier"]["system"], "urn:oid:2.16.156.10011.1.3");
    assert_eq!(&done.json().expose()["for"], subject);
}
