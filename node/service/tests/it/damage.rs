//! Damage to what a node keeps: what can be made again is, and what cannot stops the start with a sentence.

use std::path::Path;

use yiqiao_simnet::story::Role;

use crate::feeds::{NAMELESS, about, is_message};
use crate::rig::{Node, text, until};

/// A node with patients, documents and a review, which has stopped.
async fn filled() -> Node {
    let mut node = Node::started().await;
    let mut line = node.mllp().await;
    for feed in about(&[Role::Referred]).iter().filter(|feed| is_message(feed)) {
        line.send(&feed.bytes).await.unwrap();
    }
    line.send(NAMELESS.as_bytes()).await.unwrap();
    node.published().await;
    node.stop().await;
    node
}

fn flip(file: &Path, at: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[at] ^= 0x20;
    std::fs::write(file, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_gone_or_damaged_is_made_again_from_the_journal() {
    let mut node = filled().await;
    node.start().await;
    let systems = node.status().await["systems"].clone();
    assert!(systems["his"]["applied"].as_u64().unwrap() > 0);
    node.stop().await;
    std::fs::remove_file(node.index_file()).unwrap();
    node.start().await;
    assert_eq!(node.status().await["systems"], systems);
    node.stop().await;
    for part in 0..4 {
        // One that was made again may be shorter.
        let length = usize::try_from(std::fs::metadata(node.index_file()).unwrap().len()).unwrap();
        flip(&node.index_file(), part * length / 4 + 130);
        node.start().await;
        assert_eq!(node.status().await["systems"], systems, "part {part}");
        assert_eq!(node.does(&["review", "show", "1"]).await, NAMELESS);
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_journal_stops_the_start_and_is_named() {
    let mut node = filled().await;
    let journal = std::fs::read_dir(node.data().join("journal")).unwrap().map(|entry| entry.unwrap().path());
    let is_segment = |file: &std::path::PathBuf| file.extension().is_some_and(|ending| ending == "segment");
    let segment = journal.filter(is_segment).max().unwrap();
    let length = usize::try_from(std::fs::metadata(&segment).unwrap().len()).unwrap();
    let whole = std::fs::read(&segment).unwrap();
    for at in [length / 3, length - 20] {
        flip(&segment, at);
        let said = node.try_start().await.unwrap_err();
        assert!(said.starts_with("error: ") || said.contains("\nerror: "), "{said}");
        std::fs::write(&segment, &whole).unwrap();
    }
    node.start().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_original_is_an_error_and_another_nodes_key_is_noticed() {
    let mut node = filled().await;
    node.start().await;
    let mut vault = vec![node.data().join("vault")];
    while let Some(path) = vault.pop() {
        if path.is_dir() {
            vault.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let length = usize::try_from(std::fs::metadata(&path).unwrap().len()).unwrap();
            flip(&path, length - 1);
        }
    }
    let shown = node.command(&["review", "show", "1"]).await;
    assert!(text(&shown.stderr).contains("damaged"), "{}", text(&shown.stderr));
    assert_eq!(shown.stdout, b"");
    node.stop().await;
    let key = node.folder().join("keys/at-rest.key");
    std::fs::remove_file(&key).unwrap();
    assert!(node.try_start().await.unwrap_err().contains("there is no at-rest key at"));
    yiqiao_host::keys::create(&key, yiqiao_host::keys::KeyKind::new("at-rest")).unwrap();
    let said = node.try_start().await.unwrap_err();
    assert!(said.contains("the at-rest key is not the one under which"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_files_that_nothing_refers_to_are_removed_after_the_next_start() {
    let mut node = filled().await;
    let files = node.sealed_files();
    let left = node.data().join("vault/ab/cd");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join(format!("abcd{}", "0".repeat(60))), "left by a crash").unwrap();
    std::fs::write(node.data().join("vault/making/half"), "half").unwrap();
    assert_eq!(node.sealed_files(), files + 2);
    node.start().await;
    until("the end of the sweep", async || (node.sealed_files() == files).then_some(())).await;
    assert_eq!(node.does(&["review", "show", "1"]).await, NAMELESS);
}
