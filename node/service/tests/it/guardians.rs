//! Guardians who sign for a patient until they no longer may, and what ends with a death (C-9, C-14).

use serde_json::{Value, json};
use yiqiao_simnet::passkey::Passkey;

use crate::pages::Person;
use crate::passkeys::{answer, enrol, kind, made, passkey, permit, sign, signed_in, with_desk};
use crate::rig::{Node, until};

const UNTIL: &str = "2099-05-01T00:00:00+08:00";

fn papers() -> Value {
    json!({ "sheet": "2026-77", "identifiedBy": "身份证原件、户口簿" })
}

/// The desk has seen the guardian, who has made this passkey.
async fn enrol_guardian(node: &Node, desk: &Person, subject: &str, passkey: &Passkey) {
    let path = format!("/api/patients/{subject}/passkeys");
    let seen = json!({ "identifiedBy": "身份证原件、户口簿", "guardian": true, "until": UNTIL });
    let code = desk.post(&path, &seen).await["code"].as_str().unwrap().to_owned();
    let nobody = Person::nobody(node);
    assert_eq!(nobody.post("/api/enrolment", &json!({ "code": code })).await["guardian"], true);
    nobody.post("/api/enrolment/passkey", &made(&nobody, &code, passkey).await).await;
}

/// A patient whose guardian has permitted something, and who has a passkey of the own; with the guardian at the page.
async fn guarded() -> (Node, Person, String, Person) {
    let (node, desk, subject) = with_desk().await;
    enrol_guardian(&node, &desk, &subject, &passkey(&node, 1)).await;
    enrol(&node, &desk, &subject, &passkey(&node, 2)).await;
    let guardian = signed_in(&node, &passkey(&node, 1)).await;
    let wanted = json!({ "consent": permit(&guardian).await });
    let says = guardian.post("/api/me/signing", &wanted).await["says"].to_string();
    assert!(says.contains("监护人代患者同意"), "{says}");
    let recorded = sign(&guardian, &passkey(&node, 1), &wanted).await;
    assert_eq!(recorded.status, 200, "{}", recorded.text());
    (node, desk, subject, guardian)
}

/// Why the consent that ended last did, once the feed has told.
async fn why_ended(person: &Person, path: &str) -> String {
    let told = async || person.get(path).await["ended"][0]["reason"].as_str().map(str::to_owned);
    until("what has ended", told).await
}

/// The same permit for less: it does not take the place of the wider one (C-6).
fn of_laboratory(mut permit: Value) -> Value {
    permit["classes"] = json!(["laboratory"]);
    permit
}

#[tokio::test(flavor = "multi_thread")]
async fn c14_a_guardian_signs_for_the_patient_until_the_guardianship_ends() {
    let (node, desk, subject, guardian) = guarded().await;
    let roles = guardian.get("/api/session").await["roles"].to_string();
    assert!(roles.contains("guardian"), "{roles}");
    let shown = guardian.get("/api/me/consents").await;
    assert_eq!(shown["items"][0]["basis"], "guardian-consent");
    let known = desk.get(&format!("/api/patients/{subject}/passkeys")).await;
    assert_eq!((&known["items"][0]["guardian"], &known["items"][0]["until"]), (&true.into(), &UNTIL.into()));
    assert_eq!((&known["items"][1]["guardian"], &known["items"][1]["until"]), (&false.into(), &Value::Null));
    // The patient has another account, signs as the patient only, and sees the same.
    let patient = signed_in(&node, &passkey(&node, 2)).await;
    let wanted = json!({ "consent": of_laboratory(permit(&patient).await) });
    assert_eq!(kind(&sign(&patient, &passkey(&node, 1), &wanted).await), "403 passkey-unknown");
    assert_eq!(sign(&patient, &passkey(&node, 2), &wanted).await.status, 200);
    assert_eq!(patient.get("/api/me/consents").await["items"].as_array().unwrap().len(), 2);

    let end = format!("/api/patients/{subject}/guardianship/end");
    assert_eq!(kind(&guardian.send("POST", &end, &papers()).await), "403 forbidden");
    let no_paper = json!({ "sheet": "", "identifiedBy": "x" });
    assert_eq!(kind(&desk.send("POST", &end, &no_paper).await), "422 unfit-field");
    let ended = desk.post(&end, &papers()).await;
    assert_eq!(ended, json!({ "permits": 1, "passkeys": 1, "unfinished": false }));
    let left = patient.get("/api/me/consents").await;
    assert_eq!((&left["items"][0]["basis"], &left["items"][1]), (&"separate-consent".into(), &Value::Null));
    assert_eq!(why_ended(&patient, "/api/me/consents").await, "guardianship");
    assert_eq!(kind(&answer(&node, &passkey(&node, 1)).await), "403 passkey-revoked");
    assert_eq!(desk.post(&end, &papers()).await["permits"], 0, "a second time");
    // Another guardian follows.
    enrol_guardian(&node, &desk, &subject, &passkey(&node, 3)).await;
    signed_in(&node, &passkey(&node, 3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_ends_what_was_permitted_and_closes_the_patients_pages() {
    let (node, desk, subject, guardian) = guarded().await;
    let patient = signed_in(&node, &passkey(&node, 2)).await;
    let death = format!("/api/patients/{subject}/death");
    let died = json!({ "diedAt": "2026-01-02T03:04:05+08:00", "evidence": papers() });
    let doctor = Person::with_account(&node, "10215", "doctor", Some("0203")).await;
    assert_eq!(kind(&doctor.send("PUT", &death, &died).await), "403 forbidden");
    let to_come = json!({ "diedAt": UNTIL, "evidence": papers() });
    assert_eq!(kind(&desk.send("PUT", &death, &to_come).await), "422 unfit-field");
    let ended = desk.send("PUT", &death, &died).await.json();
    assert_eq!(ended, json!({ "permits": 1, "passkeys": 2, "unfinished": false }));
    assert_eq!(desk.get(&format!("/api/patients/{subject}")).await["diedAt"], "2026-01-02T03:04:05+08:00");
    for person in [&patient, &guardian] {
        assert_eq!(kind(&person.send("GET", "/api/me/consents", &Value::Null).await), "404 not-seen");
    }
    for seed in [1, 2] {
        assert_eq!(kind(&answer(&node, &passkey(&node, seed)).await), "409 dead");
    }
    let path = format!("/api/patients/{subject}/passkeys");
    let begin = desk.send("POST", &path, &json!({ "identifiedBy": "身份证原件" })).await;
    assert_eq!(kind(&begin), "409 dead");
    let left = desk.get(&format!("/api/patients/{subject}/consents")).await;
    assert_eq!(left["items"], json!([]));
    assert_eq!(why_ended(&desk, &format!("/api/patients/{subject}/consents")).await, "death");
    let audit = doctor.get(&format!("/api/patients/{subject}/audit")).await["items"].to_string();
    assert!(audit.contains("\"died\""), "{audit}");

    let lives = json!({ "diedAt": null, "evidence": papers() });
    assert_eq!(desk.send("PUT", &death, &lives).await.status, 200);
    assert_eq!(desk.get(&format!("/api/patients/{subject}")).await["diedAt"], Value::Null);
    enrol(&node, &desk, &subject, &passkey(&node, 4)).await;
    signed_in(&node, &passkey(&node, 4)).await;
}

const PAPER: &[u8] = b"%PDF-1.7 signed";

async fn scan(person: &Person, subject: &str, media: &str, bytes: &[u8]) -> crate::wire::Answer {
    let more = format!("Content-Type: {media}\r\n");
    person.request("POST", &format!("/api/patients/{subject}/papers"), &more, bytes).await
}

#[tokio::test(flavor = "multi_thread")]
async fn c8_what_was_signed_on_paper_is_kept_sealed_and_named_by_what_is_recorded() {
    let (mut node, desk, subject) = with_desk().await;
    for (media, bytes) in [("text/plain", PAPER), ("application/pdf", b"no".as_slice()), ("image/png", b"")] {
        assert_eq!(kind(&scan(&desk, &subject, media, bytes).await), "415 paper-kind", "{media}");
    }
    let doctor = Person::with_account(&node, "10215", "doctor", Some("0203")).await;
    assert_eq!(kind(&scan(&doctor, &subject, "application/pdf", PAPER).await), "403 forbidden");
    let kept = scan(&desk, &subject, "application/pdf", PAPER).await;
    assert_eq!(kept.status, 200, "{}", kept.text());
    let id = kept.json()["id"].as_str().unwrap().to_owned();
    let mut consent = permit(&desk).await;
    consent["evidence"] = json!({ "sheet": "2026-1", "identifiedBy": "身份证原件", "scan": "0".repeat(64) });
    let path = format!("/api/patients/{subject}/consents");
    assert_eq!(kind(&desk.send("POST", &path, &consent).await), "422 unfit-field");
    consent["evidence"]["scan"] = id.clone().into();
    desk.post(&path, &consent).await;
    // The file is sealed on the disk, and there after a restart.
    node.stop().await;
    node.start().await;
    node.connected().await;
    let paper = format!("/api/patients/{subject}/papers/{id}");
    let read = desk.request("GET", &paper, "", b"").await;
    assert_eq!((read.status, read.body.as_slice()), (200, PAPER));
    assert_eq!(read.header("content-type").unwrap(), "application/pdf");
    assert_eq!(kind(&doctor.request("GET", &paper, "", b"").await), "403 forbidden");
    enrol(&node, &desk, &subject, &passkey(&node, 1)).await;
    let patient = signed_in(&node, &passkey(&node, 1)).await;
    assert_eq!(patient.get("/api/me/papers").await["items"][0]["id"], *id);
    assert_eq!(patient.request("GET", &format!("/api/me/papers/{id}"), "", b"").await.body, PAPER);
    let audit = doctor.get(&format!("/api/patients/{subject}/audit")).await["items"].to_string();
    assert!(audit.contains("\"paper\"") && audit.contains("\"read-paper\""), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_was_permitted_is_taken_back_at_once() {
    let (node, desk, subject, guardian) = guarded().await;
    let patient = signed_in(&node, &passkey(&node, 2)).await;
    let wanted = json!({ "consent": of_laboratory(permit(&patient).await) });
    assert_eq!(sign(&patient, &passkey(&node, 2), &wanted).await.status, 200);
    let reason = json!({ "reason": "patient-wish" });
    assert_eq!(
        kind(&patient.send("POST", "/api/me/consents/end", &json!({ "reason": "x" })).await),
        "422 unfit-field"
    );
    let ended = patient.post("/api/me/consents/end", &reason).await;
    assert_eq!(ended, json!({ "permits": 2, "passkeys": 0, "unfinished": false }));
    let path = format!("/api/patients/{subject}/consents");
    assert_eq!(guardian.get("/api/me/consents").await["items"], json!([]));
    assert_eq!(desk.get(&path).await["items"], json!([]));
    assert_eq!(desk.post(&format!("{path}/end"), &reason).await["permits"], 0);
}
