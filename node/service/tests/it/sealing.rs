//! A record is sealed at the pages: nobody opens it but who is named, attempts are listed, and a second person lifts the seal (D-12).

use serde_json::json;

use crate::pages::{Person, fed};

#[tokio::test(flavor = "multi_thread")]
async fn d12_a_sealed_record_stays_closed_over_a_restart_until_a_second_person_lifts_the_seal() {
    let mut node = fed().await;
    let doctor = Person::with_account(&node, "10215", "doctor", Some("0203")).await;
    Person::with_account(&node, "20777", "doctor", Some("0301")).await;
    let affairs = Person::with_account(&node, "m001", "medical-affairs", None).await;
    let subject = affairs.find().await;
    let seal = format!("/api/patients/{subject}/seal");
    let sealing =
        |reviewers: &[&str]| json!({ "reason": "dispute", "text": "家属要求封存", "reviewers": reviewers });
    assert_eq!(doctor.send("POST", &seal, &sealing(&[])).await.status, 403);
    let unknown = affairs.send("POST", &seal, &sealing(&["nobody"])).await;
    assert_eq!((unknown.status, &unknown.json()["field"]), (422, &json!("reviewers")));
    affairs.post(&seal, &sealing(&["20777"])).await;
    assert_eq!(affairs.send("POST", &seal, &sealing(&[])).await.status, 409, "once");

    node.stop().await;
    node.start().await;
    let list = doctor.get(&format!("/api/patients/{subject}/documents")).await;
    assert_eq!(list["labs"], json!([]));
    let document = format!("/api/documents/qzrm/{}", list["items"][0]["entry"].as_str().unwrap());
    let refused = doctor.request("GET", &document, "", b"").await;
    assert_eq!((refused.status, refused.json()["type"].as_str()), (423, Some("urn:yiqiao:problem:sealed")));
    let bytes = doctor.request("GET", &format!("{document}/content"), "", b"").await;
    assert_eq!(bytes.status, 423);
    assert!(doctor.get(&format!("/api/patients/{subject}")).await["sealedSince"].as_str().is_some());
    let reviewer = Person::again(&node, "20777").await;
    reviewer.get(&document).await;

    let seals = affairs.get("/api/seals").await["items"].clone();
    assert_eq!((&seals[0]["by"]["login"], &seals[0]["reviewers"]), (&json!("m001"), &json!(1)));
    let tried: Vec<_> = seals[0]["attempts"].as_array().unwrap().iter().map(|line| &line["actor"]).collect();
    assert_eq!(tried, ["某某（10215）"; 2]);
    let lift = format!("/api/patients/{subject}/unseal");
    let why = json!({ "text": "鉴定结束" });
    assert_eq!(affairs.send("POST", &lift, &why).await.status, 403, "not whoever sealed it");
    Person::with_account(&node, "m002", "medical-affairs", None).await.post(&lift, &why).await;
    doctor.get(&document).await;
    assert_eq!(affairs.get("/api/seals").await["items"], json!([]));
}
