//! A data folder that was put back to an older copy: what is left of it, and what comes again (N-4, N-9).

use std::path::Path;
use std::process::Command;

use yiqiao_simnet::feeds::Feed;
use yiqiao_simnet::story::Role;

use crate::feeds::{about, is_message};
use crate::pages::Person;
use crate::referral_form::{consents, two};
use crate::renewal::{Passing, all_know};
use crate::rig::{Node, Region, succeeded, until};

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

/// The registry knows nothing any more of what came after a copy, and begins a new log on that.
async fn puts_registry_back(region: &Region, copied: &Path) {
    let data = region.folder().join("registry/data");
    region.kill_registry();
    std::fs::remove_dir_all(&data).unwrap();
    copy(copied, &data);
    region.does("new-log", &[]);
    region.restart_registry().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn l9_what_a_registry_lacks_that_was_put_back_is_sent_again_and_all_goes_on() {
    let [from, to] = two().await;
    let region = &from.region;
    let messages: Vec<Feed> = about(&[Role::WalkIn]).into_iter().filter(is_message).collect();
    send(&from, &messages[..1]).await;
    from.published().await;
    region.kill_registry();
    let copied = region.folder().join("copied");
    copy(&region.folder().join("registry/data"), &copied);
    region.restart_registry().await;
    for node in [&from, &to] {
        node.connected().await;
    }
    // What the copy lacks: the rest of a patient, another patient, a consent, a referral and the documents that passed by them.
    send(&from, &messages[1..]).await;
    let mut passing = Passing::new(&from, &to).await;
    passing.passes(&from).await;
    from.published().await;

    puts_registry_back(region, &copied).await;
    all_know(&[&from, &to]).await;
    for node in [&from, &to] {
        node.connected().await;
    }
    // Without the consent that was said again nothing would pass; without the entries nothing is released.
    passing.passes(&from).await;
    for node in [&from, &to] {
        let settled = until("the last word", async || {
            let status = node.published().await;
            let exchange = &status["exchange"];
            let waits = ["acts_waiting", "events_waiting"].iter().any(|lane| exchange[lane] != 0);
            (!waits && status["words_waiting"] == 0).then_some(status)
        })
        .await;
        let exchange = &settled["exchange"];
        assert_eq!((&settled["open_problems"], &exchange["words_refused"]), (&0.into(), &0.into()));
        assert_eq!(exchange["other_log"], false, "{settled}");
    }
    // The registry's own account of every patient agrees with the receipts (L-16).
    let compared = from.does(&["evidence", "compare"]).await;
    assert!(compared.starts_with("2 patients"), "{compared}");
}
