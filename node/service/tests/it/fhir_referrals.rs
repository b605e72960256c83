//! A referral between two real nodes at their FHIR doors: found as ServiceRequest and Task, taken on step by step, ended.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::fhir::{EVERYTHING, FHIR, RESIDENT, System};
use crate::fhir_outcomes::issue_of;
use crate::pages::{Person, RESIDENT_ID, fed};
use crate::rig::{Node, until};
use crate::wire::Answer;

const STATE: &str = "urn:yiqiao:referral-state";

/// The hospital that refers and the one that receives.
pub(crate) struct Two {
    pub(crate) from: Node,
    pub(crate) to: Node,
}

impl Two {
    /// Both in one region; the patient is known where the referral comes from.
    pub(crate) async fn started() -> Self {
        let from = fed().await;
        let mut to = Node::applied_to(Arc::clone(&from.region), "qzdx");
        to.admit();
        to.start().await;
        to.connected().await;
        Self { from, to }
    }

    /// A doctor sends referrals of the patient by the pages, for these reasons; their ids.
    pub(crate) async fn refer<const N: usize>(&self, reasons: [&str; N]) -> [String; N] {
        let doctor = Person::with_account(&self.from, "10215", "doctor", Some("0203")).await;
        let subject = doctor.find().await;
        let mut ids = reasons.map(str::to_owned);
        for id in &mut ids {
            *id = self.refer_one(&doctor, &subject, id).await;
        }
        ids
    }

    async fn refer_one(&self, doctor: &Person, subject: &str, reason: &str) -> String {
        let form = json!({
            "toDepartment": "NX01", "urgency": "urgent", "direction": "up", "impression": "心绞痛", "presentIllness": "胸痛3天。",
            "pastHistory": "", "course": "", "reason": reason, "plan": "", "physicianPhone": "0999-1",
        });
        let draft = json!({ "subject": subject, "to": "qzdx", "form": form, "entries": [] });
        // The member list may still be on its way.
        let sent = until("a referral that is sent", async || {
            let draft = doctor.send("POST", "/api/referrals/drafts", &draft).await;
            let id = draft.json()["id"].as_str()?.to_owned();
            let path = format!("/api/referrals/qzrm/{id}/act");
            (doctor.send("POST", &path, &json!({ "act": "send" })).await.status == 204).then_some(id)
        });
        sent.await
    }

    async fn systems(&self) -> (System<'_>, System<'_>) {
        let system = async |node| System { node, token: Node::token_for(node, "his", EVERYTHING).await };
        (system(&self.from).await, system(&self.to).await)
    }
}

/// The Task of a referral in a state, waited for: steps cross from node to node.
async fn task_in(system: &System<'_>, id: &str, state: &str) -> Value {
    until(state, async || {
        let task = system.get(&format!("/fhir/Task/{id}")).await;
        (task.status == 200 && state_of(&task.json()) == state).then(|| task.json())
    })
    .await
}

fn state_of(task: &Value) -> &str {
    task["businessStatus"]["coding"][0]["code"].as_str().unwrap_or_default()
}

fn tag_of(task: &Value) -> String {
    format!("W/\"{}\"", task["meta"]["versionId"].as_str().unwrap())
}

/// The Task as it was read, with another status.
fn with_status(task: &Value, status: &str, state: Option<&str>) -> Value {
    let mut task = task.clone();
    task["status"] = json!(status);
    if let Some(state) = state {
        task["businessStatus"] = json!({ "coding": [{ "system": STATE, "code": state }] });
    }
    task
}

async fn put(system: &System<'_>, task: &Value, tag: &str) -> Answer {
    let path = format!("/fhir/Task/{}", task["id"].as_str().unwrap());
    let version = if tag.is_empty() { String::new() } else { format!("If-Match: {tag}\r\n") };
    let headers = format!("Content-Type: {FHIR}\r\n{version}");
    system.ask("PUT", &path, &headers, task.to_string().as_bytes()).await
}

/// A step that is taken: the Task as it stands then.
async fn step(system: &System<'_>, task: &Value, status: &str, state: Option<&str>) -> Value {
    let answer = put(system, &with_status(task, status, state), &tag_of(task)).await;
    assert_eq!(answer.status, 200, "{status}: {}", answer.text());
    let now = answer.json();
    assert_eq!((answer.header("etag"), &now["status"]), (Some(tag_of(&now).as_str()), &json!(status)));
    now
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referral_is_found_at_the_other_hospital_and_taken_on_step_by_step() {
    let two = Two::started().await;
    let [id] = two.refer(["需造影。"]).await;
    let (from, to) = two.systems().await;
    let task = task_in(&to, &id, "received").await;
    assert_eq!((&task["status"], &task["priority"]), (&json!("received"), &json!("urgent")));
    assert_eq!(task["for"]["identifier"]["value"], RESIDENT_ID, "not filed yet: in the words of who refers");
    is_found(&to, &id, "status=received", "status=active").await;
    is_found(
        &to,
        &id,
        &format!("_id={id}"),
        &format!("_id={id}&performer:identifier=urn:yiqiao:member%7Cqzdx"),
    )
    .await;
    let by_patient = format!("patient.identifier={RESIDENT}%7C{RESIDENT_ID}");
    assert!(to.all("Task", &by_patient).await.is_empty(), "nobody of this number is here");
    is_found(&from, &id, &by_patient, &by_patient).await;
    let request = to.get(&format!("/fhir/ServiceRequest/{id}")).await.json();
    assert_eq!(
        (&request["reasonCode"][0]["text"], &request["intent"]),
        (&json!("需造影。"), &json!("order"))
    );

    let office = Person::with_account(&two.to, "office", "referral-office", None).await;
    office.post(&format!("/api/referrals/qzrm/{id}/file"), &json!({ "number": "C77" })).await;
    is_found(&to, &id, &by_patient, &format!("{by_patient}&status=active")).await;
    let filed = task_in(&to, &id, "received").await;
    assert!(filed["for"]["reference"].as_str().unwrap().starts_with("Patient/"), "{filed}");

    is_taken_on(&from, &to, &filed).await;
}

/// By both faces, and by no other status.
async fn is_found(at: &System<'_>, id: &str, task: &str, request: &str) {
    for (kind, form) in [("Task", task), ("ServiceRequest", request)] {
        let found = at.all(kind, form).await;
        let ids: Vec<&str> = found.iter().map(|one| one["id"].as_str().unwrap()).collect();
        assert_eq!(ids, [id], "{kind} {form}");
        assert_eq!(at.get(&format!("/fhir/{kind}/{id}")).await.json(), found[0]);
    }
    assert!(at.all("Task", "status=rejected").await.is_empty());
    assert!(at.all("ServiceRequest", "status=revoked").await.is_empty());
}

/// Accepted, booked, arrived, in care: each with the version that it changes, and each seen by who refers.
async fn is_taken_on(from: &System<'_>, to: &System<'_>, filed: &Value) {
    let id = filed["id"].as_str().unwrap();
    let accepting = with_status(filed, "accepted", None);
    for stale in ["W/\"0\"", "", "*"] {
        let refused = put(to, &accepting, stale).await;
        assert_eq!((refused.status, &issue_of(&refused)["code"]), (412, &json!("conflict")), "{stale}");
    }
    let other =
        put(from, &with_status(&task_in(from, id, "received").await, "accepted", None), &tag_of(filed)).await;
    assert_eq!(
        (other.status, &issue_of(&other)["code"]),
        (403, &json!("forbidden")),
        "who refers does not accept"
    );

    let accepted = step(to, filed, "accepted", None).await;
    let again = put(to, &accepting, &tag_of(filed)).await;
    assert_eq!(again.status, 412, "two who take it on at once: {}", again.text());
    assert_eq!(state_of(&task_in(from, id, "accepted").await), "accepted");
    let booked = step(to, &accepted, "accepted", Some("booked")).await;
    task_in(from, id, "booked").await;
    let vague = put(to, &with_status(&booked, "in-progress", None), &tag_of(&booked)).await;
    assert_eq!((vague.status, &issue_of(&vague)["expression"][0]), (422, &json!("Task.businessStatus")));
    let back = put(to, &with_status(&booked, "rejected", None), &tag_of(&booked)).await;
    assert_eq!((back.status, &issue_of(&back)["code"]), (409, &json!("conflict")), "{}", back.text());
    let arrived = step(to, &booked, "in-progress", Some("arrived")).await;
    let admitted = step(to, &arrived, "in-progress", Some("in-care")).await;
    let there = task_in(from, id, "in-care").await;
    assert_eq!(
        (&there["status"], &there["meta"]["versionId"]),
        (&admitted["status"], &admitted["meta"]["versionId"])
    );
    let answered = put(to, &with_status(&admitted, "completed", None), &tag_of(&admitted)).await;
    assert_eq!((answered.status, &issue_of(&answered)["expression"][0]), (422, &json!("Task.status")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referral_is_declined_by_one_side_or_cancelled_by_the_other_with_a_reason() {
    let two = Two::started().await;
    let [declined, cancelled] = two.refer(["需造影。", "复查。"]).await;
    let (from, to) = two.systems().await;
    for (by, other, id, status, state) in
        [(&to, &from, &declined, "rejected", "declined"), (&from, &to, &cancelled, "cancelled", "cancelled")]
    {
        task_in(&to, id, "received").await;
        let task = task_in(by, id, "received").await;
        let silent = put(by, &with_status(&task, status, None), &tag_of(&task)).await;
        assert_eq!(
            (silent.status, &issue_of(&silent)["code"]),
            (422, &json!("required")),
            "{}",
            silent.text()
        );
        let mut ended = with_status(&task, status, None);
        ended["statusReason"] = json!({ "text": "床位不足" });
        let ended = step(by, &ended, status, None).await;
        assert_eq!(ended["statusReason"]["text"], "床位不足");
        assert_eq!(task_in(other, id, state).await["statusReason"]["text"], "床位不足");
        let over = put(by, &with_status(&ended, status, None), &tag_of(&ended)).await;
        assert_eq!((over.status, &issue_of(&over)["code"]), (409, &json!("conflict")), "{}", over.text());
        let request = other.get(&format!("/fhir/ServiceRequest/{id}")).await.json();
        assert_eq!(request["status"], "revoked");
    }
}
