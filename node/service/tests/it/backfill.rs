//! Old records behind live ones: a backfill that is killed goes on where it stopped, and nothing waits for it.

use std::fs;
use std::process::{Command, Stdio};

use crate::feeds::admission;
use crate::rig::{Node, until};

const FILES: u32 = 120;

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_that_is_killed_goes_on_where_it_stopped_and_live_messages_go_before_it() {
    let node = Node::started().await;
    let old = node.folder().join("old");
    for number in 1..=FILES {
        let year = old.join(format!("{}", 2000 + number / 50));
        fs::create_dir_all(&year).unwrap();
        fs::write(year.join(format!("{number:04}.hl7")), admission(1_000 + number)).unwrap();
    }
    fs::write(old.join("zz.txt"), "no message").unwrap();
    let words = ["backfill", "--system", "archive", "--share", "100"];
    let mut first = Command::new(crate::node());
    first.args(words).arg(&old).arg("--config").arg(node.config()).stdout(Stdio::null());
    let mut first = first.spawn().unwrap();
    let came = async || {
        let status = node.status().await;
        let row = status["connections"].as_array()?.iter().find(|row| row["door"] == "backfill")?.clone();
        row["came"].as_u64()
    };
    let mut line = node.mllp().await;
    let mut live = 0;
    until("the first old records", async || {
        live += 1;
        assert!(line.send(admission(live).as_bytes()).await.unwrap().starts_with("MSA|AA"));
        came().await.filter(|came| *came > 10)
    })
    .await;
    first.kill().unwrap();
    first.wait().unwrap();
    let before = came().await.unwrap();
    assert!(before < u64::from(FILES), "it was killed in the midst");
    let said = node.does(&[words.as_slice(), &[old.to_str().unwrap()]].concat()).await;
    let left: u64 = said.split(' ').next().unwrap().parse().unwrap();
    assert!(left <= u64::from(FILES) + 2 - before, "{left} are left after {before}: {said}");
    assert!(said.contains("zz.txt: not HL7 v2") && said.contains("; live: "), "{said}");
    let again = node.does(&[words.as_slice(), &[old.to_str().unwrap()]].concat()).await;
    assert_eq!(again, format!("0 of {} files are left\n", FILES + 1));
    let status = node.status().await;
    let of = |sender: &str| {
        let rows = status["connections"].as_array().unwrap();
        rows.iter().find(|row| row["door"] == "backfill" && row["sender"] == sender).unwrap().clone()
    };
    let (row, wrong) = (of("HIS|QZRM"), of(""));
    assert_eq!((&row["applied"], &wrong["refused"]), (&FILES.into(), &1.into()));
    assert!(row["repeated"].as_u64().unwrap() <= 1, "at most the file at which it was killed: {row}");
}
