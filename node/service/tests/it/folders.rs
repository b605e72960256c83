//! The folder door: whole files are taken once and moved, half-written ones wait, refused ones say why, and a kill loses nothing.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;
use yiqiao_simnet::feeds::System;
use yiqiao_simnet::story::Role;

use crate::feeds::{about, admission};
use crate::rig::{Node, until};

/// A node that watches a folder, and the folder.
async fn watching() -> (Node, PathBuf) {
    let node = Node::joined().await;
    let folder = node.folder().join("emr-out");
    fs::create_dir(&folder).unwrap();
    let door = "\n[[door]]\nkind = \"folder\"\nsystem = \"emr\"\nfolder = \"emr-out\"\n";
    let config = fs::read_to_string(node.config()).unwrap();
    fs::write(node.config(), config + door).unwrap();
    let mut node = node;
    node.start().await;
    (node, folder)
}

async fn connection(node: &Node, sender: &str) -> Value {
    let status = node.status().await;
    let rows = status["connections"].as_array().unwrap();
    rows.iter().find(|row| row["sender"] == sender && row["door"] == "folder").unwrap().clone()
}

/// Waits until a file lies in one of the folders that the node makes.
async fn moved(folder: &Path, to: &str, name: &str) -> PathBuf {
    let file = folder.join(to).join(name);
    until(&format!("{name} in {to}"), async || file.exists().then_some(())).await;
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_taken_whole_and_moved_and_what_is_sent_back_says_why() {
    let (node, folder) = watching().await;
    let document = about(&[Role::Referred]).into_iter().find(|feed| feed.system == System::Emr).unwrap();
    fs::write(folder.join("1.xml"), &document.bytes).unwrap();
    fs::write(folder.join("2.txt"), "no message at all").unwrap();
    let cut = "MSH|^~\\&|HIS|QZRM|YQ|QZRM|20261120080000||ADT^A01|cut|P|2.4\r";
    fs::write(folder.join("3.hl7"), [cut, &admission(1)].concat()).unwrap();
    fs::write(folder.join("4.xml.part"), &document.bytes).unwrap();
    assert_eq!(fs::read(moved(&folder, "done", "1.xml").await).unwrap(), document.bytes);
    moved(&folder, "refused", "2.txt").await;
    let why = fs::read_to_string(folder.join("refused/2.txt.reason.txt")).unwrap();
    assert_eq!(why, "not HL7 v2, CDA XML, FHIR or DICOM: send one of these formats\n");
    moved(&folder, "refused", "3.hl7").await;
    let why = fs::read_to_string(folder.join("refused/3.hl7.reason.txt")).unwrap();
    assert_eq!(why, "message 1: only MSH, nothing follows: the message was cut\n");
    assert!(folder.join("4.xml.part").exists(), "it is still being written");
    fs::rename(folder.join("4.xml.part"), folder.join("1.xml")).unwrap();
    assert_eq!(fs::read(moved(&folder, "done", "1.xml.1").await).unwrap(), document.bytes);
    let (files, batch) = (connection(&node, "").await, connection(&node, "HIS|QZRM").await);
    let ends = |row: &Value| {
        ["came", "indexed", "applied", "refused", "repeated"].map(|end| row[end].as_u64().unwrap())
    };
    assert_eq!(ends(&files), [3, 1, 0, 1, 1]);
    assert_eq!(ends(&batch), [2, 0, 1, 1, 0], "of a file with several messages the good ones are taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_grows_is_not_taken_before_it_rests() {
    let (node, folder) = watching().await;
    let (mut growing, text) = (File::create(folder.join("0.hl7")).unwrap(), admission(7));
    let (first, rest) = text.as_bytes().split_at(text.len() - 1);
    growing.write_all(first).unwrap();
    fs::write(folder.join("1.hl7"), admission(8)).unwrap();
    until("the other file", async || {
        // Segments may end in any number of blanks.
        growing.write_all(b" ").unwrap();
        folder.join("done/1.hl7").exists().then_some(())
    })
    .await;
    assert!(folder.join("0.hl7").exists());
    growing.write_all(rest).unwrap();
    drop(growing);
    moved(&folder, "done", "0.hl7").await;
    assert_eq!(connection(&node, "HIS|QZRM").await["came"], 2, "it came once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_midst_of_a_folder_loses_no_file_and_doubles_none() {
    const FILES: u32 = 200;
    let (mut node, folder) = watching().await;
    for number in 1..=FILES {
        fs::write(folder.join(format!("{number:04}.hl7")), admission(number)).unwrap();
    }
    let done = || fs::read_dir(folder.join("done")).unwrap().count();
    until("the first files", async || (done() > 10).then_some(())).await;
    node.kill();
    assert!(done() < FILES as usize, "it was killed in the midst");
    node.start().await;
    until("all files", async || (done() == FILES as usize).then_some(())).await;
    let row = connection(&node, "HIS|QZRM").await;
    assert_eq!(row["applied"], FILES);
    assert!(row["repeated"].as_u64().unwrap() <= 1, "at most the file that was not moved comes again: {row}");
}
