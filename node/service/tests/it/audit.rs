//! The audit under somebody who writes into the data folder: a line that was changed or is gone is named.

use std::collections::BTreeMap;
use std::sync::Arc;

use yiqiao_host::index::Index;
use yiqiao_journal::{Folder, Format, OsDisk};
use yiqiao_node_core::state;

use crate::pages::{Person, fed};
use crate::rig::{Node, text, until};

const FORMAT: Format = Format::new("node-journal", 1, env!("CARGO_PKG_VERSION"));

/// Writes something else in the place of a line, as the node itself would: what was there.
fn overwrite(node: &Node, line: u64, with: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let journal =
        Folder::open(Arc::new(OsDisk::open(node.data().join("journal")).unwrap()), &FORMAT).unwrap();
    let (mut index, applied) = Index::open(&node.data().join("index"), journal.id()).unwrap();
    let key = state::audit_line(line).key().to_vec();
    let before = index.load(std::slice::from_ref(&key)).unwrap().remove(0).unwrap_or_default();
    index.commit(&BTreeMap::from([(key, with(&before))]), applied).unwrap();
    index.sync(applied).unwrap();
    before
}

#[tokio::test(flavor = "multi_thread")]
async fn a3_a_line_of_the_audit_that_was_changed_or_is_gone_is_named_at_the_start_and_by_a_command() {
    let mut node = fed().await;
    let desk = Person::with_account(&node, "10402", "desk", None).await;
    for _ in 0..3 {
        desk.find().await;
    }
    let whole = node.does(&["audit", "verify"]).await;
    assert!(
        whole.contains("lines of the audit, each the one that was written; the log has seen them"),
        "{whole}"
    );
    let turned = |line: &[u8]| {
        let (last, before) = line.split_last().unwrap();
        Some([before, &[last ^ 1]].concat())
    };
    let gone = |_: &[u8]| None;
    for (line, with) in [(2, &turned as &dyn Fn(&[u8]) -> Option<Vec<u8>>), (1, &gone)] {
        node.stop().await;
        let before = overwrite(&node, line, with);
        node.start().await;
        let refused = node.command(&["audit", "verify"]).await;
        let said = text(&refused.stderr);
        let named = format!("line {line} of the audit is not the one that was written");
        assert!(!refused.status.success() && said.contains(&named), "{said}");
        let alarm = format!("ALARM         line {line} of the audit was changed or is gone");
        until("the alarm of the start", async || node.does(&["status"]).await.contains(&alarm).then_some(()))
            .await;
        node.stop().await;
        overwrite(&node, line, |_| Some(before.clone()));
        node.start().await;
        assert_eq!(node.does(&["audit", "verify"]).await, whole);
        assert_eq!(node.status().await["audit_broken"], serde_json::Value::Null);
    }
}
