//! From a hospital's systems to the registry's receipts.

use serde_json::Value;
use yiqiao_simnet::feeds::Feed;
use yiqiao_simnet::story::Role;

use crate::feeds::{about, is_message};
use crate::rig::Node;
use crate::wire::{self, Mllp};

/// Delivers a feed as its system does; what a repeat is answered, if the door says that.
async fn deliver(node: &Node, line: &mut Mllp, token: &str, feed: &Feed) -> Option<bool> {
    if is_message(feed) {
        let answer = line.send(&feed.bytes).await.unwrap();
        assert!(answer.starts_with("MSA|AA|") || answer.starts_with("MSA|CA|"), "{}: {answer}", feed.kind);
        return None;
    }
    let answer =
        wire::post(node.http, "/api/intake", Some(token), "application/hl7-cda+xml", &feed.bytes).await;
    assert_eq!(answer.status, 200, "{}: {}", feed.kind, answer.text());
    assert_eq!(answer.json()["outcome"], "indexed");
    answer.json()["repeat"].as_bool()
}

#[tokio::test(flavor = "multi_thread")]
async fn l7_what_systems_send_is_published_with_receipts_and_known_when_it_comes_again() {
    let node = Node::started().await;
    let token = node.token("emr").await;
    let feeds = about(&[Role::Referred, Role::WalkIn]);
    assert!(feeds.iter().any(is_message) && !feeds.iter().all(is_message));
    let mut line = node.mllp().await;
    for feed in &feeds {
        assert_ne!(deliver(&node, &mut line, &token, feed).await, Some(true));
    }
    let published = node.published().await;
    assert_eq!(published["words_waiting"], 0, "all have their receipts");
    assert_eq!((&published["open_problems"], &published["open_reviews"]), (&0.into(), &0.into()));
    let counted = |status: &Value, what: &str| {
        ["his", "emr"].map(|system| status["systems"][system][what].as_u64().unwrap()).iter().sum::<u64>()
    };
    let documents = counted(&published, "documents");
    assert!(documents > 5, "{published}");
    assert_eq!(node.sealed_files() as u64, documents);

    for feed in &feeds {
        assert_ne!(deliver(&node, &mut line, &token, feed).await, Some(false));
    }
    let again = node.published().await;
    assert_eq!(again["systems"], published["systems"], "a second delivery changes nothing");
    assert_eq!(node.sealed_files() as u64, documents, "and leaves no files");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_not_admitted_takes_everything_and_publishes_it_later() {
    let mut node = Node::applied().await;
    node.start().await;
    let mut line = node.mllp().await;
    for feed in about(&[Role::WalkIn]).iter().filter(|feed| is_message(feed)) {
        assert!(line.send(&feed.bytes).await.unwrap().starts_with("MSA|AA"));
    }
    let status = node.status().await;
    assert_eq!((&status["is_member"], &status["registry_connected"]), (&false.into(), &false.into()));
    assert_ne!(status["words_waiting"], 0);
    node.admit();
    node.connected().await;
    assert_eq!(node.published().await["words_waiting"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_http_door_says_what_became_of_each_message_and_why() {
    let node = Node::started().await;
    let token = node.token("emr").await;
    let post = async |media: &str, body: &[u8]| {
        wire::post(node.http, "/api/intake", Some(&token), media, body).await
    };
    let nobody = wire::post(node.http, "/api/intake", None, "text/xml", b"<a/>").await;
    assert_eq!(nobody.status, 401);
    let page = post("text/html", b"<html/>").await;
    assert_eq!(page.status, 415);
    let broken = post("text/xml", b"<ClinicalDocument").await;
    assert_eq!((broken.status, &broken.json()["outcome"]), (422, &Value::from("refused")));
    assert!(broken.json()["reason"].as_str().unwrap().contains("XML is not well-formed"));
    let nameless = post("application/hl7-v2", crate::feeds::NAMELESS.as_bytes()).await;
    assert_eq!((nameless.status, &nameless.json()["outcome"]), (202, &Value::from("review")));
    let batch = [crate::feeds::admission(1), crate::feeds::admission(2), "MSH|^~\\&|HIS\r".to_owned()];
    let batch = post("application/hl7-v2", batch.concat().as_bytes()).await;
    let outcomes: Vec<Value> =
        batch.json()["items"].as_array().unwrap().iter().map(|item| item["outcome"].clone()).collect();
    assert_eq!(outcomes, ["applied", "applied", "refused"]);
    assert_eq!(batch.status, 422);
    assert_eq!(node.status().await["systems"]["emr"]["refused"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_came_by_mllp_is_known_by_http_and_its_sender_reads_what_was_understood() {
    let node = Node::started().await;
    let token = node.token("his").await;
    let (first, second) = (crate::feeds::admission(1), crate::feeds::admission(2));
    let batch = format!("{first}{second}{}", crate::feeds::NAMELESS);
    assert!(node.mllp().await.send(batch.as_bytes()).await.unwrap().starts_with("MSA|AA|a1"));
    let answer =
        wire::post(node.http, "/api/intake", Some(&token), "application/hl7-v2", batch.as_bytes()).await;
    let items = answer.json()["items"].clone();
    assert!(items.as_array().unwrap().iter().all(|item| item["repeat"] == true), "{items}");
    let told = &items[1];
    assert_eq!((&told["start"], &told["end"]), (&first.len().into(), &(first.len() + second.len()).into()));
    assert_eq!((&told["control"], &told["patient"]), (&"a2".into(), &"00000002".into()));
    let date = serde_json::json!({ "ms": 1_795_132_800_000_i64, "precision": "second" });
    assert_eq!((&told["type"], &told["date"]), (&"ADT^A01".into(), &date));
    assert_eq!((&told["outcome"], &told["reason"]), (&"applied".into(), &Value::Null));
    assert_eq!(
        (&items[2]["outcome"], &items[2]["reason"]),
        (&"review".into(), &"it names no patient".into())
    );
    assert!(!node.said().contains("00000002"), "a patient's number is in no log");
}
