//! Patients who may be one person, on the desk's page: shown beside each other, decided about, and taken back.

use serde_json::{Value, json};

use crate::pages::Person;
use crate::rig::Node;

/// Two registrations of one person, the second with another character of the same sound and without the identity number.
const TWICE: [&str; 2] = [
    "MSH|^~\\&|HIS|QZRM|YQ|QZRM|20261120080000||ADT^A04|t1|P|2.4\rEVN|A04|20261120080000\r\
     PID|1||00218001^^^HIS^MR~999000195803040015^^^GA^NI||陈志远||19580304|M|||桥州市临江区望桥街道1号||13800001111\r",
    "MSH|^~\\&|HIS|QZRM|YQ|QZRM|20261120090000||ADT^A04|t2|P|2.4\rEVN|A04|20261120090000\r\
     PID|1||00218002^^^HIS^MR||陈致远||19580304|M|||||13800001111\r",
];

async fn registered_twice() -> Node {
    let node = Node::started().await;
    let mut line = node.mllp().await;
    for message in TWICE {
        assert!(line.send(message.as_bytes()).await.unwrap().starts_with("MSA|AA|"));
    }
    node
}

async fn patients_with(desk: &Person, number: &str) -> Vec<Value> {
    let found = desk.post("/api/patients/find", &json!({ "number": number })).await;
    found["items"].as_array().unwrap().iter().map(|row| row["subject"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn i6_a_desk_decides_that_two_are_one_and_takes_it_back() {
    let node = registered_twice().await;
    let desk = Person::with_account(&node, "k1", "desk", None).await;
    let waiting = desk.get("/api/identity").await;
    let pair = &waiting["items"][0];
    assert_eq!(waiting["items"].as_array().unwrap().len(), 1, "{waiting}");
    assert_eq!(pair["judgement"], "open");
    let agreement =
        json!({ "name": "near", "birthDate": "same", "sex": "same", "phone": "same", "number": "unknown" });
    assert_eq!(pair["agreement"], agreement, "{pair}");
    assert!(!waiting.to_string().contains("999000195803040015"), "numbers are masked");

    let path = format!("/api/identity/{}", pair["number"]);
    let say = async |judgement: &str| desk.send("POST", &path, &json!({ "judgement": judgement })).await;
    assert_eq!(say("one").await.status, 204);
    assert_eq!(say("two").await.json()["type"], "urn:yiqiao:problem:decided");
    assert_eq!(desk.get("/api/identity").await["items"], json!([]));
    assert_eq!(desk.get("/api/identity/decided").await["items"][0]["judgement"], "one");
    let [one, other] = [patients_with(&desk, "00218001").await, patients_with(&desk, "00218002").await];
    assert!(one.len() == 1 && one == other, "{one:?} {other:?}");

    assert_eq!(say("open").await.status, 204);
    let [one, other] = [patients_with(&desk, "00218001").await, patients_with(&desk, "00218002").await];
    assert!(one.len() == 1 && other.len() == 1 && one != other, "{one:?} {other:?}");
    assert_eq!(say("two").await.status, 204);
    assert_eq!(desk.get("/api/identity/decided").await["items"][0]["judgement"], "two");
}

#[tokio::test(flavor = "multi_thread")]
async fn i6_nobody_but_a_desk_sees_who_may_be_whom() {
    let node = registered_twice().await;
    let doctor = Person::with_account(&node, "10215", "doctor", Some("0203")).await;
    for path in ["/api/identity", "/api/identity/decided"] {
        assert_eq!(doctor.request("GET", path, "", b"").await.status, 404, "{path}");
    }
    let said = doctor.send("POST", "/api/identity/1", &json!({ "judgement": "one" })).await;
    assert_eq!(said.status, 404, "{}", said.text());
    let nobody = Person::nobody(&node).request("GET", "/api/identity", "", b"").await;
    assert_eq!(nobody.status, 401);
}
