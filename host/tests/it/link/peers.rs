//! Reaching peers, losing them, and finding them again.

use tokio::net::{TcpListener, TcpStream};
use yiqiao_host::link::{CallError, Limits, StartError};

use super::*;

#[tokio::test]
async fn a_peer_without_an_address_is_called_over_the_connection_that_it_opened() {
    let registry = Node::start(1).await;
    let node = Node::start_at(2, Limits::default(), Vec::new()).await;
    introduce(&registry, &node);
    let before = registry.call(&node, ECHO, "").await;
    assert!(matches!(before, Err(CallError::Unreachable { tried, .. }) if tried.is_empty()));
    node.link.keep(registry.id());
    registry.until_connected(node.id()).await;
    assert_eq!(registry.call(&node, ECHO, "inward").await.unwrap(), "inward");
}

#[tokio::test]
async fn a_kept_peer_is_found_again_after_it_restarted() {
    let registry = Node::start(1).await;
    let node = Node::start_at(2, Limits::default(), Vec::new()).await;
    introduce(&registry, &node);
    node.link.keep(registry.id());
    registry.until_connected(node.id()).await;
    let (seed, addresses) = (registry.seed, registry.link.listen_addrs());
    soon(registry.link.shutdown()).await;
    node.until_apart(registry.id()).await;

    let registry = Node::start_at(seed, Limits::default(), addresses).await;
    registry.knows(&[&node]);
    registry.until_connected(node.id()).await;
    assert_eq!(registry.call(&node, ECHO, "inward").await.unwrap(), "inward");
    assert_eq!(node.call(&registry, ECHO, "outward").await.unwrap(), "outward");
}

#[tokio::test]
async fn a_call_after_a_crash_of_the_peer_connects_again_by_itself() {
    let (a, b) = pair().await;
    assert_eq!(a.call(&b, ECHO, "before").await.unwrap(), "before");
    let (seed, addresses) = (b.seed, b.link.listen_addrs());
    b.task.abort();
    assert!(b.task.await.is_err());
    a.until_apart(id_of(seed)).await;
    let b = Node::start_at(seed, Limits::default(), addresses).await;
    b.knows(&[&a]);
    assert_eq!(a.call(&b, ECHO, "after").await.unwrap(), "after");
}

#[tokio::test]
async fn two_peers_that_dial_each_other_at_once_both_get_their_answers() {
    for _ in 0..20 {
        let (a, b) = pair().await;
        let (there, back) =
            soon(async { tokio::join!(a.call(&b, ECHO, "there"), b.call(&a, ECHO, "back")) }).await;
        assert_eq!((there.unwrap(), back.unwrap()), ("there".into(), "back".into()));
        assert_eq!(a.call(&b, ECHO, "later").await.unwrap(), "later");
    }
}

#[tokio::test]
async fn an_unreachable_peer_is_reported_with_what_was_tried() {
    let a = Node::start(1).await;
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let address: Multiaddr = format!("/ip4/127.0.0.1/tcp/{}", unused.port()).parse().unwrap();
    a.roster.send_replace(only(id_of(2), vec![address.clone()]));
    let error = a.link.call(id_of(2), ECHO, Bytes::new(), LONG).await.unwrap_err();
    let CallError::Unreachable { tried, cause } = error else { panic!("{error:?}") };
    assert_eq!(tried, [address]);
    assert!(cause.contains("refused"), "{cause}");
    assert!(a.link.status().peers[&id_of(2)].last_trouble.is_some());
}

#[tokio::test]
async fn another_peer_at_the_address_is_noticed() {
    let (a, b) = (Node::start(1).await, Node::start(2).await);
    a.roster.send_replace(only(id_of(3), b.link.listen_addrs()));
    let error = a.link.call(id_of(3), ECHO, Bytes::new(), LONG).await.unwrap_err();
    assert!(
        matches!(&error, CallError::Unreachable { cause, .. } if cause.contains(&b.id().to_string())),
        "{error}"
    );
}

#[tokio::test]
async fn an_address_in_use_stops_the_start() {
    let a = Node::start(1).await;
    let config = LinkConfig {
        secret: secret(2),
        listen: a.link.listen_addrs(),
        limits: Limits::default(),
        clock: Clock::system(),
    };
    let (_roster, list) = watch::channel(Arc::default());
    let error = Link::start(config, list, Arc::new(Bench::default())).await.unwrap_err();
    assert!(matches!(error, StartError::Listen { .. }), "{error}");
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed_and_made_again_when_needed() {
    let limits = Limits { idle: Duration::from_millis(50), ..Limits::default() };
    let (a, b) = (Node::start_with(1, limits).await, Node::start_with(2, limits).await);
    introduce(&a, &b);
    assert_eq!(a.call(&b, ECHO, "once").await.unwrap(), "once");
    a.until_apart(b.id()).await;
    assert_eq!(a.call(&b, ECHO, "twice").await.unwrap(), "twice");
}

#[tokio::test]
async fn a_peer_that_went_silent_without_a_word_is_given_up() {
    let limits = Limits { dead_after: Duration::from_secs(1), ..Limits::default() };
    let (a, b) = (Node::start_with(1, limits).await, Node::start(2).await);
    let address = b.link.listen_addrs()[0].to_string();
    let port = address.rsplit('/').next().unwrap().parse().unwrap();
    let (address, silence) = relay(port).await;
    a.roster.send_replace(only(b.id(), vec![address]));
    b.knows(&[&a]);
    let call = a.call(&b, WAIT, "");
    let cut = async {
        b.service.until_begun(1).await;
        silence.send(true).unwrap();
    };
    let (call, ()) = soon(async { tokio::join!(call, cut) }).await;
    assert_eq!(call, Err(CallError::Disconnected));
    a.until_apart(b.id()).await;
}

/// A way to this port that can go silent without closing anything, as a firewall does that forgets a connection.
async fn relay(port: u16) -> (Multiaddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("/ip4/127.0.0.1/tcp/{}", listener.local_addr().unwrap().port()).parse().unwrap();
    let (silence, mut silent) = watch::channel(false);
    tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
            _ = silent.wait_for(|silent| *silent) => {}
        }
        std::future::pending::<()>().await;
    });
    (address, silence)
}
