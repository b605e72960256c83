//! The patient asks who sees how much of the record today, and what would change; who connects systems asks why (D-9).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::pages::{Person, fed};
use crate::rig::{Node, until};

/// What a row says: to whom, for what, how many documents now and then, and by which clause now.
fn told(row: &Value) -> (String, String, u64, Option<u64>, String) {
    let permitted = |parts: &Value| -> Option<u64> {
        let parts = parts.as_array()?.iter().filter(|part| part["permits"] == true);
        Some(parts.map(|part| part["documents"].as_u64().unwrap()).sum())
    };
    let text = |value: &Value| value.as_str().unwrap_or("others").to_owned();
    let clause = text(&row["now"][0]["clause"]);
    let (to, purpose) = (text(&row["organisation"]["code"]), text(&row["purpose"]));
    (to, purpose, permitted(&row["now"]).unwrap(), permitted(&row["then"]), clause)
}

fn permit() -> Value {
    json!({
        "stance": "permit", "organisation": "qzdx", "classes": [], "sensitivities": [], "purposes": ["treatment"],
        "validUntil": null, "basis": "separate-consent", "notice": { "version": "any" },
        "evidence": { "sheet": "", "identifiedBy": "" },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn d9_a_patient_reads_who_sees_what_and_what_would_change() {
    let node = fed().await;
    let other = Node::applied_to(Arc::clone(&node.region), "qzdx");
    other.admit();
    let desk = Person::with_account(&node, "d7", "desk", None).await;
    let subject = desk.find().await;
    let patient = Person::patient(&node, &desk, &subject).await;
    // Without a lease every answer is F-7.
    let ask = async |wanted: Value| {
        until("an answer under a lease", async || {
            let told = patient.post("/api/me/explain", &wanted).await;
            (!told.to_string().contains("F-7")).then_some(told)
        })
        .await
    };
    let rows = until("the list with the other hospital", async || {
        let rows = ask(json!({})).await["rows"].as_array().unwrap().clone();
        (!rows.is_empty()).then_some(rows)
    })
    .await;
    let others =
        |purpose: &str, clause: &str| ("others".to_owned(), purpose.to_owned(), 0, None, clause.to_owned());
    assert_eq!(
        rows.iter().map(told).collect::<Vec<_>>(),
        [others("treatment", "D-7"), others("emergency", "D-8")]
    );
    assert_eq!(
        rows[0]["now"][0]["text"],
        json!({ "zh": "您没有同意过", "en": "You have not permitted it." })
    );
    let supposed = ask(json!({ "consent": permit() })).await;
    let (to, purpose, now, then, clause) = told(&supposed["rows"][0]);
    assert_eq!((to.as_str(), purpose.as_str(), clause.as_str()), ("qzdx", "treatment", "D-7"));
    assert_eq!((now, then), (0, Some(2)));
    assert_eq!(told(&ask(json!({})).await["rows"][0]).0, "others", "nothing was recorded");
    let both = json!({ "consent": permit(), "revoke": { "id": "00", "reason": "patient-wish" } });
    assert_eq!(patient.send("POST", "/api/me/explain", &both).await.status, 422);
    let unknown = json!({ "revoke": { "id": "07".repeat(32), "reason": "patient-wish" } });
    assert_eq!(patient.send("POST", "/api/me/explain", &unknown).await.status, 404);
    assert_eq!(desk.send("POST", "/api/me/explain", &json!({})).await.status, 403, "it is the patient's own");
}

#[tokio::test(flavor = "multi_thread")]
async fn d9_an_administrator_asks_what_would_be_decided_and_it_is_audited() {
    let node = fed().await;
    let explain = ["explain", "00218001", "--organisation", "qzdx", "--json"];
    let does = async |words: &[&str]| {
        until("an answer under a lease", async || {
            let said = node.does(words).await;
            (!said.contains("F-7")).then_some(said)
        })
        .await
    };
    let lines: Value = serde_json::from_str(&does(&explain).await).unwrap();
    let lines = lines.as_array().unwrap();
    assert_eq!((lines.len(), &lines[0]["clause"], &lines[0]["permits"]), (2, &json!("D-7"), &json!(false)));
    let emergency = [&explain[..4], &["--purpose", "emergency"]].concat();
    assert!(does(&emergency).await.starts_with("denied    D-8 "), "the region knows no emergencies");
    for (wrong, sentence) in [
        (["explain", "000", "--organisation", "qzdx"], "nobody has this number here"),
        (["explain", "00218001", "--organisation", "Q Z"], "Q Z"),
    ] {
        let said = crate::rig::text(&node.command(&wrong).await.stderr);
        assert!(said.starts_with("error: ") && said.contains(sentence), "{said}");
    }
    let affairs = Person::with_account(&node, "m001", "medical-affairs", None).await;
    let subject = affairs.find().await;
    let lines = affairs.get(&format!("/api/patients/{subject}/audit")).await;
    let asked = lines["items"].as_array().unwrap().iter().filter(|line| line["actor"] == "explain");
    assert!(asked.count() >= 2, "each time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a3_a_patient_reads_what_people_of_this_hospital_did_and_who() {
    let node = fed().await;
    let desk = Person::with_account(&node, "d7", "desk", None).await;
    let subject = desk.find().await;
    let patient = Person::patient(&node, &desk, &subject).await;
    let doctor = Person::with_account(&node, "10215", "doctor", Some("0203")).await;
    doctor.post(&format!("/api/patients/{subject}/reveal"), &json!({})).await;
    let lines = patient.get("/api/me/audit").await["items"].as_array().unwrap().clone();
    let revealed = lines.iter().find(|line| line["act"] == "reveal").unwrap();
    assert_eq!((&revealed["actor"], &revealed["text"]), (&json!("某某（10215）"), &json!("查看完整号码")));
    let staff = doctor.request("GET", "/api/me/audit", "", b"").await;
    assert_eq!(staff.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a3_a_sign_in_that_is_refused_is_a_line_which_the_patient_reads() {
    let node = fed().await;
    let desk = Person::with_account(&node, "d7", "desk", None).await;
    let subject = desk.find().await;
    let patient = Person::patient(&node, &desk, &subject).await;
    let login = patient.get("/api/session").await["login"].as_str().unwrap().to_owned();
    for login in [login.as_str(), "nobody-at-all"] {
        let typed = json!({ "login": login, "password": "not-this-one-7" });
        assert_eq!(Person::nobody(&node).send("POST", "/api/session", &typed).await.status, 401);
    }
    let refused = until("the line", async || {
        let lines = patient.get("/api/me/audit").await["items"].as_array().unwrap().clone();
        let refused: Vec<_> = lines.into_iter().filter(|line| line["act"] == "sign-in").collect();
        (!refused.is_empty()).then_some(refused)
    })
    .await;
    assert_eq!(refused.len(), 1);
    assert_eq!((&refused[0]["outcome"], &refused[0]["role"]), (&json!("denied"), &json!("patient")));
}
