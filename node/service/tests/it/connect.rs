//! The table of docs/connect.md on a real node: each example is sent in the order of the table, and ends as it says.

use std::fs;
use std::path::{Path, PathBuf};

use crate::rig::Node;
use crate::wire;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("docs")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_the_table_ends_as_the_table_says() {
    let node = Node::started().await;
    let token = node.token("his").await;
    let text = fs::read_to_string(docs().join("connect.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `") && line.contains("](examples/hl7/"));
    let mut sent = 0;
    for line in rows {
        let cells: Vec<&str> = line.split(" | ").collect();
        let example = cells[1].split_once("](").unwrap().1.trim_end_matches(')');
        let bytes = fs::read(docs().join(example)).unwrap();
        let answer = wire::post(node.http, "/api/intake", Some(&token), "application/hl7-v2", &bytes).await;
        assert_eq!(answer.json()["outcome"], cells[2], "{example}: {}", answer.text());
        sent += 1;
    }
    assert!(sent > 70, "docs/connect.md has its table");
    let status = node.status().await;
    let row =
        status["connections"].as_array().unwrap().iter().find(|row| row["sender"] == "HIS|QZRM").unwrap();
    assert_eq!((&row["came"], &row["repeated"]), (&sent.into(), &0.into()));
}
