//! What hospital IT is shown of the connections of its systems: nothing of a patient, and nobody else sees it.

use crate::feeds::{NAMELESS, admission};
use crate::pages::Person;
use crate::rig::Node;

#[tokio::test(flavor = "multi_thread")]
async fn hospital_it_sees_what_was_last_wrong_at_each_connection_and_nothing_of_a_patient() {
    let node = Node::started().await;
    let mut line = node.mllp().await;
    assert!(line.send(admission(1).as_bytes()).await.unwrap().starts_with("MSA|AA"));
    assert!(line.send(NAMELESS.as_bytes()).await.unwrap().starts_with("MSA|AA"));
    let unfinished = [b"\x0bMSH|^~", b"\x0b".as_slice(), admission(3).as_bytes(), b"\x1c\r"].concat();
    assert!(line.send_raw(&unfinished).await.unwrap().starts_with("MSA|AR"), "the frame without an end");
    assert!(line.send_raw(b"").await.unwrap().starts_with("MSA|AA|a3"), "the frame after it");
    let it = Person::with_account(&node, "it", "it", None).await;
    let shown = it.get("/api/connections").await;
    let rows = shown["items"].as_array().unwrap().clone();
    let row = |sender: &str| rows.iter().find(|row| row["sender"] == sender).unwrap().clone();
    let (his, unread) = (row("HIS|QZRM"), row(""));
    assert_eq!((&his["came"], &his["applied"], &his["review"]), (&3.into(), &2.into(), &1.into()));
    assert_eq!(his["wrong"]["what"], "it names no patient");
    assert!(his["last"].as_str().unwrap().starts_with("20"));
    assert_eq!((&unread["came"], &unread["refused"]), (&1.into(), &1.into()));
    assert!(unread["wrong"]["what"].as_str().unwrap().contains("no end block"));
    assert!(!shown.to_string().contains("测试") && !shown.to_string().contains("00000001"));
    let doctor = Person::with_account(&node, "10215", "doctor", Some("0203")).await;
    assert_eq!(doctor.request("GET", "/api/connections", "", b"").await.status, 403);
}
