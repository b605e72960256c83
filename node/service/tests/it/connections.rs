//! What hospital IT is shown of the connections of its systems: nothing of a patient, and nobody else sees it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

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
    shows_its_quality(&it, &doctor).await;
}

/// What rules found in the same messages, and where they are.
async fn shows_its_quality(it: &Person, doctor: &Person) {
    let shown = it.get("/api/quality").await;
    let his = shown["feeds"].as_array().unwrap().iter().find(|feed| feed["sender"] == "HIS|QZRM").unwrap();
    let day = &his["days"][0];
    assert_eq!((&day["date"], &day["messages"]), (&shown["today"], &3.into()));
    assert!((1..1_000).contains(&day["score"].as_u64().unwrap()), "{day}");
    assert_eq!((&day["aspects"]["validity"], &shown["worstDays"]), (&1_000.into(), &7.into()));
    let worst = shown["worst"].as_array().unwrap().iter();
    let nameless = worst.clone().find(|one| one["rule"] == "patient-identified").unwrap();
    assert_eq!((&nameless["looked"], &nameless["broken"]), (&3.into(), &1.into()));
    assert!(worst.clone().all(|one| one["rule"] != "patient-name"), "all who are named have one");
    assert!(shown["rules"].as_array().unwrap().iter().any(|rule| rule["chinese"] == "患者应有姓名"));
    assert!(!shown.to_string().contains("测试") && !shown.to_string().contains("00000001"));
    let samples = format!("/api/quality/{}/patient-identified", nameless["feed"]);
    let table = it.request("GET", &samples, "", b"").await;
    assert!(table.header("content-disposition").unwrap().starts_with("attachment"));
    let [heading, row] =
        <[String; 2]>::try_from(table.text().lines().map(str::to_owned).collect::<Vec<_>>()).unwrap();
    assert_eq!(heading.trim_start_matches('\u{feff}'), "received,message");
    assert!(row.starts_with("20") && row.ends_with(",nameless-1"), "{row}");
    assert_eq!(it.request("GET", "/api/quality/1/no-such-rule", "", b"").await.status, 404);
    for path in ["/api/quality", samples.as_str()] {
        assert_eq!(doctor.request("GET", path, "", b"").await.status, 403);
    }
}
