//! A registry that has shown a member another log than this node: what the node's administrator and its people see (L-13).

use yiqiao_host::keys::{self, KeyKind};
use yiqiao_proto::calls::{CheckpointNotice, Method};
use yiqiao_proto::note::{self, Checkpoint};
use yiqiao_proto::suite::{SecretKey, Suite};

use crate::exchange::fill;
use crate::member::{Member, code};
use crate::pages::Person;
use crate::rig::{Node, until};

/// Shows the node a checkpoint: what it shows.
async fn compare(member: &Member, checkpoint: Vec<u8>) -> Vec<u8> {
    let shown = CheckpointNotice { checkpoint };
    until("the node's checkpoint", async || {
        let answer: Result<CheckpointNotice, _> = member.ask(&code("qzrm"), Method::Compare, &shown).await;
        answer.ok().map(|answer| answer.checkpoint)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn l13_two_logs_of_one_registry_are_an_alarm_that_stays() {
    let mut node = Node::started().await;
    fill(&node).await;
    let member = Member::admitted(&node.region, "qzdx").await;
    let contradictions =
        async || node.status().await["exchange"]["contradictions"].as_array().unwrap().clone();
    assert!(contradictions().await.is_empty());
    let doctor = Person::with_account(&node, "wang", "doctor", None).await;
    assert!(doctor.get("/api/region").await["registry"]["contradictedAt"].is_null());

    let file = node.region.folder().join("registry/keys/checkpoint.key");
    let seed = keys::load(&file, KeyKind::new("checkpoint")).unwrap();
    let key = SecretKey::new(Suite::International, seed.expose());
    let forged = until("the alarm", async || {
        let known = note::read_unchecked(&compare(&member, Vec::new()).await).unwrap();
        let forged = Checkpoint { root: [7; 32], ..known }.sign(&key);
        compare(&member, forged.clone()).await;
        let is_found = !contradictions().await.is_empty();
        is_found.then(|| String::from_utf8(forged).unwrap())
    });
    let (forged, found) = (forged.await, contradictions().await);
    assert_eq!(found[0]["member"], "qzdx");
    assert!([&found[0]["first"], &found[0]["second"]].iter().any(|note| **note == forged), "{found:?}");
    assert!(node.does(&["status"]).await.contains("ALARM         the registry has signed two logs (L-13)"));
    assert!(!doctor.get("/api/region").await["registry"]["contradictedAt"].is_null());
    node.stop().await;
    node.start().await;
    let kept = node.status().await["exchange"]["contradictions"].as_array().unwrap().clone();
    assert!(kept.starts_with(&found), "{kept:?}");
}
