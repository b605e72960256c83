//! A disk without room: senders are told to come again, nothing half written stays, and the node goes on once there is room.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::feeds::{NAMELESS, admission};
use crate::pages::Person;
use crate::rig::{Node, sealed_files};

/// Bytes of the file system, with the reserve that documents leave.
const DISK: &str = "48m";
/// Messages that must fill what is left.
const MESSAGES_MAX: u32 = 20_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_for_now_and_the_node_goes_on_once_there_is_room() {
    let Some((node, ballast)) = on_a_small_disk().await else { return };
    let mut line = node.mllp().await;
    assert!(line.send(admission(1).as_bytes()).await.unwrap().starts_with("MSA|AA"));

    fill(&ballast);
    let reviewed = line.send(NAMELESS.as_bytes()).await.unwrap();
    assert!(reviewed.starts_with("MSA|AE|nameless-1"), "there is no room to seal it: {reviewed}");
    let mut refused = None;
    for number in 2..MESSAGES_MAX {
        let answer = line.send(admission(number).as_bytes()).await.unwrap();
        if answer.starts_with("MSA|AE") {
            refused = Some(number);
            break;
        }
        assert!(answer.starts_with("MSA|AA"), "{answer}");
    }
    let Some(refused) = refused else { panic!("the disk was never full") };
    eprintln!("full after {refused} messages");
    let vault = ballast.with_file_name("data").join("vault");
    let before = sealed_files(&vault);

    std::fs::remove_file(&ballast).unwrap();
    assert_eq!(before, 0, "nothing half written");
    assert_eq!(node.does(&["review", "list"]).await.trim(), "");
    let desk = Person::with_account(&node, "desk", "desk", None).await;
    assert_eq!(visits(&desk, refused).await, Vec::<usize>::new(), "who was refused is not filed");
    assert_eq!(visits(&desk, refused - 1).await, [1], "who was taken is");
    assert!(line.send(NAMELESS.as_bytes()).await.unwrap().starts_with("MSA|AA"));
    assert_eq!(sealed_files(&vault), 1);
    for number in 1..=refused {
        assert!(line.send(admission(number).as_bytes()).await.unwrap().starts_with("MSA|AA"));
    }
    for number in [1, refused - 1, refused] {
        assert_eq!(visits(&desk, number).await, [1], "each is one patient with one visit");
    }
    node.connected().await;
}

/// Of each patient with this number: how many visits.
async fn visits(desk: &Person, number: u32) -> Vec<usize> {
    let found = desk.post("/api/patients/find", &json!({ "number": format!("{number:08}") })).await;
    let mut counts = Vec::new();
    for row in found["items"].as_array().unwrap() {
        let patient = desk.get(&format!("/api/patients/{}", row["subject"].as_str().unwrap())).await;
        counts.push(patient["visits"].as_array().unwrap().len());
    }
    counts
}

/// A node whose data lies on a small disk of its own, and the file that fills it; none where nobody may mount one.
#[expect(clippy::print_stderr, reason = "a machine where nothing was tested says so")]
pub(crate) async fn on_a_small_disk() -> Option<(Node, PathBuf)> {
    let mounts = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).status();
    if !mounts.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none(), "where CI runs, this must be tested");
        eprintln!("this machine lets nobody mount a file system of his own: nothing is tested");
        return None;
    }
    let mut node = Node::joined().await;
    let disk = node.folder().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let config = std::fs::read_to_string(node.config()).unwrap();
    std::fs::write(node.config(), config.replace("data = \"data\"", "data = \"disk/data\"")).unwrap();
    let mount = format!("mount -t tmpfs -o size={DISK} none {} && exec \"$0\" \"$@\"", disk.display());
    node.wrap(&["unshare", "-rm", "sh", "-c", &mount]);
    node.start().await;
    let seen = PathBuf::from(format!("/proc/{}/root{}", node.pid(), disk.display()));
    // Commands are not in the mount namespace of the process.
    let outside = format!("data = \"{}\"", seen.join("data").display());
    std::fs::write(node.config(), config.replace("data = \"data\"", &outside)).unwrap();
    let ballast = seen.join("ballast");
    Some((node, ballast))
}

/// Fills the disk to the last byte.
pub(crate) fn fill(ballast: &Path) {
    let mut file = std::fs::File::create(ballast).unwrap();
    while file.write(&[0; 4_096]).is_ok_and(|written| written > 0) {}
}
