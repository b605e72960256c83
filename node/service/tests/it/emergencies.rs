//! The glass is broken at the pages: inside one hospital, and for documents of another; and somebody else judges it (D-8, D-11).

use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::pages::{Person, RESIDENT_ID, fed};
use crate::registry;
use crate::rig::{Node, succeeded, until};

fn switch(node: &Node, to: &str) {
    let mut emergency = Command::new(registry());
    emergency.args(["emergency", to, "--region"]);
    succeeded(&emergency.arg(node.region.folder()).output().unwrap());
}

fn why() -> Value {
    json!({ "reason": "unconscious", "text": "车祸昏迷，家属未到" })
}

fn by_number() -> Value {
    json!({ "find": { "residentId": RESIDENT_ID }, "reason": "unconscious", "text": "车祸昏迷，家属未到" })
}

/// A stranger to the patient, who breaks the glass once the node has the list that lets it.
async fn broken(node: &Node) -> (Person, String) {
    let surgeon = Person::with_account(node, "20777", "doctor", Some("0301")).await;
    let found = surgeon.post("/api/patients/find", &json!({ "residentId": RESIDENT_ID })).await;
    assert_eq!(found["items"], json!([]), "nothing ties them together");
    let refused = surgeon.send("POST", "/api/patients/break-glass", &by_number()).await;
    assert_eq!(
        (refused.status, refused.json()["type"].as_str()),
        (403, Some("urn:yiqiao:problem:no-emergency"))
    );
    switch(node, "on");
    let begun = until("the list that knows emergencies", async || {
        let answer = surgeon.send("POST", "/api/patients/break-glass", &by_number()).await;
        (answer.status == 200).then(|| answer.json())
    })
    .await;
    (surgeon, begun["subject"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn d11_a_doctor_breaks_the_glass_for_a_reason_and_somebody_else_judges_it() {
    let node = fed().await;
    let (surgeon, subject) = broken(&node).await;
    let patient = surgeon.get(&format!("/api/patients/{subject}")).await;
    assert_eq!((&patient["ground"], &patient["documents"]), (&json!("emergency"), &json!(true)));
    assert!(patient["emergencyUntil"].as_str().is_some());
    let list = surgeon.get(&format!("/api/patients/{subject}/documents")).await;
    assert_eq!(list["labs"], json!([]), "nothing is read of documents that nobody has opened");
    let entry = list["items"][0]["entry"].as_str().unwrap();
    surgeon.get(&format!("/api/documents/qzrm/{entry}")).await;
    for path in ["consents", "audit"] {
        let answer = surgeon.request("GET", &format!("/api/patients/{subject}/{path}"), "", b"").await;
        assert!([403, 404].contains(&answer.status), "{path}: {}", answer.text());
    }

    let affairs = Person::with_account(&node, "m001", "medical-affairs", None).await;
    let waiting = affairs.get("/api/emergencies").await["items"].clone();
    let one = &waiting[0];
    assert_eq!((&one["by"]["login"], &one["reason"]), (&json!("20777"), &json!("unconscious")));
    assert_eq!((&one["text"], &one["overdue"]), (&json!("车祸昏迷，家属未到"), &json!(false)));
    assert_eq!(one["patient"]["name"], "陈志远");
    let did: Vec<_> = one["did"].as_array().unwrap().iter().map(|line| &line["act"]).collect();
    assert!(did.contains(&&json!("open")) && did.contains(&&json!("break-glass")), "{did:?}");
    let path = format!("/api/emergencies/{}", one["id"].as_str().unwrap());
    let verdict = |verdict: &str| json!({ "verdict": verdict, "text": "急诊记录相符" });
    assert_eq!(surgeon.send("POST", &path, &verdict("justified")).await.status, 403);
    assert_eq!(surgeon.request("GET", "/api/emergencies", "", b"").await.status, 403);
    affairs.post(&path, &verdict("talk")).await;
    assert_eq!(affairs.get("/api/emergencies").await["items"][0]["verdict"]["verdict"], "talk");
    affairs.post(&path, &verdict("justified")).await;
    assert_eq!(affairs.get("/api/emergencies").await["items"], json!([]));
    assert_eq!(affairs.get("/api/emergencies/judged").await["items"][0]["verdict"]["by"]["login"], "m001");
    assert_eq!(affairs.send("POST", &path, &verdict("unjustified")).await.status, 404);
    // Who judges looks after records, and does not read them.
    let opened = affairs.request("GET", &format!("/api/documents/qzrm/{entry}"), "", b"").await;
    assert_eq!(opened.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn d11_a_number_that_nobody_has_and_a_reason_that_is_none_break_nothing() {
    let node = fed().await;
    let (surgeon, subject) = broken(&node).await;
    let unknown = json!({ "find": { "number": "00000000" }, "reason": "unconscious", "text": "昏迷" });
    assert_eq!(surgeon.send("POST", "/api/patients/break-glass", &unknown).await.status, 404);
    let path = format!("/api/patients/{subject}/break-glass");
    for (reason, text, field) in [("curious", "昏迷", "reason"), ("unconscious", "  ", "text")] {
        let answer = surgeon.send("POST", &path, &json!({ "reason": reason, "text": text })).await;
        assert_eq!((answer.status, &answer.json()["field"]), (422, &json!(field)), "{}", answer.text());
    }
    let desk = Person::with_account(&node, "d7", "desk", None).await;
    assert_eq!(desk.send("POST", &path, &why()).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn d8_documents_of_another_hospital_come_in_an_emergency_and_the_patient_reads_of_it() {
    let node = fed().await;
    switch(&node, "on");
    let mut other = Node::applied_to(Arc::clone(&node.region), "qzdx");
    other.admit();
    other.start().await;
    other.connected().await;
    let arrival = "MSH|^~\\&|HIS|QZDX|YQ|QZDX|20261121080000||ADT^A04|e1|P|2.4\rEVN|A04|20261121080000\r\
        PID|1||77001^^^HIS^MR~999000195803040015^^^GA^NI||陈志远||19580304|M\r\
        PV1|1|E|JZ01||||30001^林医生||||||||||||E1|||||||||||||||||||||||||20261121080000\r";
    assert!(other.mllp().await.send(arrival.as_bytes()).await.unwrap().starts_with("MSA|AA|"));
    let doctor = Person::with_account(&other, "30001", "doctor", Some("JZ01")).await;
    let subject = doctor.find().await;
    let fetch = format!("/api/patients/{subject}/fetch");
    let early = doctor.send("POST", &fetch, &json!({ "emergency": true })).await;
    assert_eq!(
        (early.status, early.json()["type"].as_str()),
        (409, Some("urn:yiqiao:problem:emergency-first"))
    );
    let path = format!("/api/patients/{subject}/break-glass");
    until("the glass, broken in the log", async || {
        let answer = doctor.send("POST", &path, &why()).await;
        (answer.status == 200 && answer.json()["logged"] == true).then_some(())
    })
    .await;
    until("the search", async || {
        let answer = doctor.send("POST", &fetch, &json!({ "emergency": true })).await;
        (answer.status == 204).then_some(())
    })
    .await;
    let documents = format!("/api/patients/{subject}/documents");
    let held = until("the documents", async || {
        let list = doctor.get(&documents).await;
        let rows = list["items"].as_array().unwrap().clone();
        rows.iter().find(|row| row["state"] == "held").cloned()
    })
    .await;
    let document = format!("/api/documents/qzrm/{}", held["entry"].as_str().unwrap());
    until("the document, once the feed has told what is in force", async || {
        let answer = doctor.request("GET", &document, "", b"").await;
        (answer.status == 200).then_some(())
    })
    .await;

    let desk = Person::with_account(&node, "d7", "desk", None).await;
    let here = desk.find().await;
    let history = format!("/api/patients/{here}/history");
    let told = until("what the patient reads of it", async || {
        let rows = desk.get(&history).await["items"].as_array().unwrap().clone();
        let of =
            |act: &str| rows.iter().find(|row| row["act"] == act && row["purpose"] == "emergency").cloned();
        Some((of("break-glass")?, of("release")?, of("opening")?))
    })
    .await;
    assert_eq!(told.0["organisation"]["code"], "qzdx");
    assert!(told.0["text"].as_str().unwrap().contains("抢救"), "{}", told.0);
    let out = node.region.folder().join("emergency.evidence");
    let export = ["evidence", "export", "--document", held["entry"].as_str().unwrap(), "--holder", "qzrm"];
    for side in [&node, &other] {
        let words = [export.as_slice(), &["--out", out.to_str().unwrap()]].concat();
        let said = side.does(&words).await;
        assert!(said.contains("emergency  declared by") && said.contains("by clause D-8"), "{said}");
    }
}
