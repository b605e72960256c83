//! Who may speak.

use yiqiao_host::link::{CallError, PullError};

use super::*;

#[tokio::test]
async fn m11_a_peer_that_is_no_member_reaches_nobody() {
    let (a, b) = (Node::start(1).await, Node::start(2).await);
    a.knows(&[&b]);
    assert_eq!(a.call(&b, ECHO, "let me in").await, Err(CallError::TurnedAway));
    assert!(a.link.pull(b.id(), pull_request(1, None), LONG).await.is_err());
    assert!(b.service.nothing_begun());
    let status = soon(b.link.until(|status| status.turned_away > 0)).await;
    assert!(status.peers.is_empty());
    let trouble = a.link.status().peers[&b.id()].last_trouble.clone().unwrap();
    assert!(trouble.what.contains("member list"), "{}", trouble.what);
}

#[tokio::test]
async fn who_is_not_in_the_list_is_not_called() {
    let (a, b) = (Node::start(1).await, Node::start(2).await);
    assert_eq!(a.call(&b, ECHO, "").await, Err(CallError::NotInRoster { peer: b.id() }));
}

#[tokio::test]
async fn m11_a_member_that_leaves_the_list_is_cut_off_in_the_middle_of_everything() {
    let (a, b) = pair().await;
    let mut body = a.link.pull(b.id(), pull_request(1 << 30, Some(1000 | HANG)), LONG).await.unwrap();
    assert_eq!(body.chunk().await.unwrap().unwrap().len(), 1000);
    let call = a.call(&b, WAIT, "");
    let removal = async {
        b.service.until_begun(2).await;
        b.roster.send_replace(Arc::default());
    };
    let (call, ()) = soon(async { tokio::join!(call, removal) }).await;
    assert_eq!(call, Err(CallError::Disconnected));
    assert_eq!(soon(body.chunk()).await, Err(PullError::Disconnected));
    assert_eq!(a.call(&b, ECHO, "again").await, Err(CallError::TurnedAway));
    assert!(b.service.nothing_begun());
    introduce(&a, &b);
    assert_eq!(a.call(&b, ECHO, "back").await.unwrap(), "back");
}

#[tokio::test]
async fn calls_to_a_member_that_leaves_our_own_list_fail_at_once() {
    let (a, b) = pair().await;
    let call = a.call(&b, WAIT, "");
    let removal = async {
        b.service.until_begun(1).await;
        a.roster.send_replace(Arc::default());
    };
    let (call, ()) = soon(async { tokio::join!(call, removal) }).await;
    assert_eq!(call, Err(CallError::Disconnected));
    b.until_apart(a.id()).await;
    assert!(a.link.status().peers.is_empty());
}

#[tokio::test]
async fn a_change_of_the_list_leaves_the_others_alone() {
    let (a, b) = pair().await;
    let call = a.call(&b, WAIT, "unharmed");
    let change = async {
        b.service.until_begun(1).await;
        let c = Node::start(3).await;
        b.knows(&[&a, &c]);
        c.knows(&[&b]);
        assert_eq!(c.call(&b, ECHO, "new").await.unwrap(), "new");
        b.service.gate.add_permits(1);
    };
    let (call, ()) = soon(async { tokio::join!(call, change) }).await;
    assert_eq!(call.unwrap(), "unharmed");
}
