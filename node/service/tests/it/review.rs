//! Messages that a person has to look at, by the administrator's commands.

use crate::feeds::NAMELESS;
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
