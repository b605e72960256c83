//! A data folder that was put back to an older copy: what is left of it, and what comes again (N-4, N-9).

use std::path::Path;
use std::process::Command;

use yiqiao_simnet::feeds::Feed;
use yiqiao_simnet::story::Role;

use crate::feeds::{about, is_message};
use crate::pages::Person;
use crate::referral_form::{consents, two};
use crate::renewal::Passing;
use crate::rig::{Node, succeeded, until};

/// Copies a folder with all that is in it, as an operator does.
fn copy(from: &Path, to: &Path) {
    succeeded(&Command::new("cp").arg("-a").args([from, to]).output().unwrap());
}

async fn send(node: &Node, messages: &[Feed]) {
    let mut line = node.mllp().await;
    for message in messages {
        assert!(line.send(&message.bytes).await.unwrap().starts_with("MSA|AA|"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn n9_a_node_that_was_put_back_to_an_older_copy_goes_on_and_nothing_is_there_twice() {
    let [mut from, to] = two().await;
    let mut passing = Passing::new(&from, &to).await;
    let desk = Person::with_account(&from, "desk2", "desk", None).await;
    let earlier = from.published().await["systems"].clone();
    from.stop().await;
    let copied = from.folder().join("copied");
    copy(&from.data(), &copied);

    // What the copy knows nothing of: a document and a referral, which pass, another consent, and another patient with documents.
    from.start().await;
    from.connected().await;
    passing.passes(&from).await;
    consents(&desk, "qzdx", "treatment").await;
    let messages: Vec<Feed> = about(&[Role::WalkIn]).into_iter().filter(is_message).collect();
    send(&from, &messages).await;
    let later = from.published().await["systems"].clone();
    from.kill();
    std::fs::remove_dir_all(from.data()).unwrap();
    copy(&copied, &from.data());

    from.start().await;
    assert_eq!(from.status().await["systems"], earlier, "what was acknowledged before is here");
    from.connected().await;
    let status = until("the end of the reading", async || {
        let status = from.published().await;
        let recalled = &status["recalled"];
        (recalled["reading"] == false && recalled["to_withdraw"] == 0).then_some(status)
    })
    .await;
    assert!(status["recalled"]["words"].as_u64().unwrap() > 2, "{status}");
    assert!(from.does(&["status"]).await.contains("put back      "));

    // The systems send it again, and it passes as before.
    passing.notes -= 1;
    passing.passes(&from).await;
    send(&from, &messages).await;
    let again = from.published().await;
    assert_eq!((&again["open_problems"], &again["words_waiting"]), (&0.into(), &0.into()));
    assert_eq!(again["systems"], later, "all is here, and once");
}
