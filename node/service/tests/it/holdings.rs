//! What the registry says that it lists, compared with receipts: by the patient on the page, and by the administrator (L-16); and the page
//! that shows how far the audit is anchored.

use serde_json::json;
use yiqiao_host::keys::{self, KeyKind};
use yiqiao_proto::calls::{CheckAnswer, CheckRequest, InventoryAnswer, InventoryRequest, Method};
use yiqiao_proto::codes::Agreement;
use yiqiao_proto::envelope::{Envelope, Word};
use yiqiao_proto::id::Subject;
use yiqiao_proto::inventory::{Holding, Inventory};
use yiqiao_proto::suite::{SecretKey, Suite};

use crate::member::{Member, code};
use crate::pages::{Person, fed};
use crate::rig::{text, until};

#[tokio::test(flavor = "multi_thread")]
async fn l16_a_patient_sees_whether_each_holder_agrees_with_what_the_registry_lists() {
    let node = fed().await;
    let desk = Person::with_account(&node, "qian", "desk", None).await;
    let patient = Person::patient(&node, &desk, &desk.find().await).await;
    let rows = until("the account of the registry", async || {
        let rows = patient.get("/api/me/holdings").await;
        (rows[0]["standing"] == "agrees").then_some(rows)
    });
    let rows = rows.await;
    assert_eq!(rows[0]["holder"]["code"], "qzrm");
    assert!(rows[0]["listed"].as_u64().unwrap() > 0, "{rows}");
    assert_eq!(
        desk.request("GET", "/api/me/holdings", "", b"").await.status,
        403,
        "counts are the patient's"
    );
    let said = node.does(&["evidence", "compare"]).await;
    assert!(said.contains("the registry has all that it has acknowledged"), "{said}");
}

/// The registry's keys are in somebody's hands, who tells a member that there is nothing of a patient.
#[tokio::test(flavor = "multi_thread")]
async fn v7_what_the_registry_leaves_out_is_an_alarm_and_a_file_that_proves_it() {
    let node = fed().await;
    let member = Member::admitted(&node.region, "qzdx").await;
    let doctor = Person::with_account(&node, "wang", "doctor", None).await;
    assert!(doctor.get("/api/region").await["registry"]["omittedAt"].is_null());
    let desk = Person::with_account(&node, "qian", "desk", None).await;
    let subject = Subject::from_hex(&desk.find().await).unwrap();
    let nothing = InventoryRequest { subjects: vec![subject.as_bytes().to_vec()] };
    let answer: InventoryAnswer = until("the account of nothing", async || {
        member.ask(&code("registry"), Method::Inventory, &nothing).await.ok()
    })
    .await;
    let honest = Envelope::decode(&answer.envelope).unwrap();
    let honest = Inventory::decode(honest.payload()).unwrap();
    assert_eq!((&honest.publisher, honest.holdings[0].number), (&code("qzdx"), 0), "another's are not told");
    let file = node.region.folder().join("registry/keys/words.key");
    let seed = keys::load(&file, KeyKind::new("words")).unwrap();
    let key = SecretKey::new(Suite::International, seed.expose());
    let holdings = vec![Holding { subject, number: 0, last: None }];
    let less = Inventory { publisher: code("qzrm"), holdings, ..honest };
    let envelope = Envelope::sign(&code("demo"), &less, &key).as_bytes().to_vec();
    let check = CheckRequest { envelope };
    let answer: CheckAnswer =
        until("the node's receipts", async || member.ask(&code("qzrm"), Method::Check, &check).await.ok())
            .await;
    assert_eq!(answer.agreement, Agreement::Omits.number());
    let status = node.status().await;
    assert_eq!(status["exchange"]["omissions"][0]["reader"], json!("qzdx"));
    assert!(!doctor.get("/api/region").await["registry"]["omittedAt"].is_null());
    assert!(node.does(&["status"]).await.contains("ALARM         the registry leaves out"));
    let out = node.region.folder().join("omission");
    let out = out.to_str().unwrap();
    let said = node.does(&["evidence", "export", "--omission", "1", "--out", out]).await;
    assert!(said.contains("PROVED: the registry left out what it had acknowledged"), "{said}");
    let region = node.config().parent().unwrap().join("region.json");
    let verify = |authority: &str| ["evidence", "verify", out, "--authority", authority].map(str::to_owned);
    let by = async |authority: &str| {
        let words = verify(authority);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        node.command(&words).await
    };
    assert!(text(&by(region.to_str().unwrap()).await.stdout).starts_with("PROVED: the registry left out"));
    let said = text(&by("nothing").await.stderr);
    assert!(said.contains("64 hexadecimal digits, or the region's file"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a5_who_answers_for_the_audit_sees_how_far_it_is_anchored() {
    let node = fed().await;
    let chief = Person::with_account(&node, "it", "it", None).await;
    let compared = until("the audit compared with the log", async || {
        let shown = chief.get("/api/audit/anchors").await;
        (!shown["comparedAt"].is_null()).then_some(shown)
    });
    let compared = compared.await;
    assert_eq!((&compared["current"], &compared["broken"]), (&json!(true), &json!(null)), "{compared}");
    assert!(compared["lines"].is_u64() && compared["anchored"].is_null(), "{compared}");
    let doctor = Person::with_account(&node, "wang", "doctor", None).await;
    assert_eq!(doctor.request("GET", "/api/audit/anchors", "", b"").await.status, 403);
}
