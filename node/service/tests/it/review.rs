//! Messages that a person has to look at, by the administrator's commands.

use crate::feeds::{NAMELESS, OF_NOBODY};
use crate::rig::{Node, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_review_is_listed_shown_handed_in_again_and_settled() {
    let node = Node::started().await;
    node.mllp().await.send(NAMELESS.as_bytes()).await.unwrap();
    let listed = node.does(&["review", "list"]).await;
    assert!(listed.trim_start().starts_with("1 ") && listed.contains("no-patient"), "{listed}");
    assert_eq!(node.does(&["review", "show", "1"]).await, NAMELESS);
    let about = node.does(&["review", "show", "1", "--about"]).await;
    assert!(about.contains("open") && about.contains("his"), "{about}");
    assert!(node.does(&["review", "replay", "1"]).await.starts_with("review"));
    assert_eq!(node.does(&["review", "list"]).await, listed, "the same message is one review");
    assert_eq!(node.sealed_files(), 1);
    node.does(&["review", "done", "1"]).await;
    assert_eq!(node.does(&["review", "list"]).await.trim(), "");
    let again = node.command(&["review", "done", "1"]).await;
    assert_eq!(text(&again.stderr).trim(), "error: no open item has the number 1");
    let unknown = node.command(&["review", "show", "7"]).await;
    assert!(text(&unknown.stderr).contains("there is no review 7"));
    let problem = node.command(&["problems", "resume", "1"]).await;
    assert_eq!(text(&problem.stderr).trim(), "error: no open item has the number 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_waits_for_its_patient_is_indexed_once_the_patient_is_known() {
    let node = Node::started().await;
    let mut his = node.mllp().await;
    assert!(his.send(OF_NOBODY.as_bytes()).await.unwrap().starts_with("MSA|AA"));
    assert!(node.does(&["review", "list"]).await.trim_start().starts_with("1 "));
    assert!(node.does(&["review", "replay", "1"]).await.starts_with("review"), "nobody has the number yet");
    let known = "MSH|^~\\&|HIS|QZRM|YQ|QZRM|20261120090000||ADT^A04|known-1|P|2.4\rEVN|A04|20261120090000\r\
         PID|1||00000007^^^HIS^MR~E7654321^^^^PPN||测试^患者||19900101|M\r";
    assert!(his.send(known.as_bytes()).await.unwrap().starts_with("MSA|AA"));
    let indexed = node.does(&["review", "replay", "1"]).await;
    assert!(indexed.starts_with("indexed"), "{indexed}");
    assert_eq!(node.does(&["review", "list"]).await.trim(), "");
    let status = node.status().await;
    assert_eq!(status["systems"]["his"]["documents"], 1, "{status}");
}
