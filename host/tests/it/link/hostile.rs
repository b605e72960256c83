//! Members that do not keep to the protocol: they speak libp2p, but write what they like. The bytes here are written out
//! by hand, so they also hold the wire format fixed.

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::identity::Keypair;
use libp2p::swarm::SwarmEvent;
use libp2p::{Stream, StreamProtocol, SwarmBuilder, noise, tcp, yamux};
use libp2p_stream::Control;
use yiqiao_host::link::{CallError, Limits, PullError};

use super::*;

const CALL: StreamProtocol = StreamProtocol::new("/yiqiao/call/1");
const PULL: StreamProtocol = StreamProtocol::new("/yiqiao/pull/1");
const HELLO: [u8; 5] = [0, 0, 0, 1, 0];

/// A member with a transport and no manners.
struct Brute {
    control: Control,
    id: PeerId,
    address: Multiaddr,
}

impl Brute {
    async fn start(seed: u8) -> Self {
        Self::start_and_dial(seed, &[]).await
    }

    async fn start_and_dial(seed: u8, peers: &[Multiaddr]) -> Self {
        let key = Keypair::ed25519_from_bytes(&mut [seed; 32]).unwrap();
        let mut swarm = SwarmBuilder::with_existing_identity(key)
            .with_tokio()
            .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
            .unwrap()
            .with_behaviour(|_| libp2p_stream::Behaviour::new())
            .unwrap()
            .with_swarm_config(|config| config.with_idle_connection_timeout(LONG))
            .build();
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address;
            }
        };
        for peer in peers {
            swarm.dial(peer.clone()).unwrap();
            while !matches!(swarm.select_next_some().await, SwarmEvent::ConnectionEstablished { .. }) {}
        }
        let (control, id) = (swarm.behaviour().new_control(), *swarm.local_peer_id());
        tokio::spawn(async move {
            loop {
                swarm.select_next_some().await;
            }
        });
        Self { control, id, address }
    }

    /// A node that has this member in its list, and is connected to it.
    async fn victim(&self, limits: Limits) -> Node {
        let node = Node::start_with(1, limits).await;
        node.roster.send_replace(only(self.id, vec![self.address.clone()]));
        // The call fails, for nothing answers here; what it leaves behind is the connection.
        let failed = node.link.call(self.id, ECHO, Bytes::new(), LONG).await;
        assert!(failed.is_err());
        node.until_connected(self.id).await;
        node
    }

    async fn open(&mut self, to: &Node, protocol: StreamProtocol) -> Stream {
        soon(self.control.open_stream(to.id(), protocol)).await.unwrap()
    }

    async fn open_calls(&mut self, to: &Node) -> Stream {
        let mut stream = self.open(to, CALL).await;
        assert_eq!(read::<5>(&mut stream).await, HELLO);
        stream
    }

    /// Answers the next stream of this kind with these bytes once something was asked on it.
    fn answers(&mut self, protocol: StreamProtocol, with: &'static [&'static [u8]]) {
        let mut streams = self.control.accept(protocol).unwrap();
        tokio::spawn(async move {
            while let Some((_, mut stream)) = streams.next().await {
                for bytes in with {
                    stream.write_all(bytes).await.unwrap();
                    stream.flush().await.unwrap();
                }
                // Holds the stream until the other side has had enough.
                tokio::spawn(
                    async move { while stream.read(&mut [0; 100]).await.is_ok_and(|read| read > 0) {} },
                );
            }
        });
    }
}

async fn read<const N: usize>(stream: &mut Stream) -> [u8; N] {
    let mut bytes = [0; N];
    soon(stream.read_exact(&mut bytes)).await.unwrap();
    bytes
}

async fn write(stream: &mut Stream, bytes: &[u8]) {
    soon(stream.write_all(bytes)).await.unwrap();
    soon(stream.flush()).await.unwrap();
}

async fn until_closed(mut stream: Stream) {
    let mut rest = Vec::new();
    let _ = soon(stream.read_to_end(&mut rest)).await;
}

/// Number, method 1, deadline of about a minute, this announced length, these bytes.
fn request(id: u8, total: u32, piece: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(19 + piece.len()).unwrap().to_be_bytes().to_vec();
    frame.extend([1, 0, 0, 0, 0, 0, 0, 0, id, 0, if piece == b"wait" { 2 } else { 1 }, 0, 0, 255, 255]);
    frame.extend(total.to_be_bytes());
    frame.extend(piece);
    frame
}

#[tokio::test]
async fn the_bytes_of_a_call_are_these() {
    let mut brute = Brute::start(9).await;
    let node = brute.victim(Limits::default()).await;
    let mut stream = brute.open_calls(&node).await;
    write(&mut stream, &request(5, 4, b"ab")).await;
    write(&mut stream, &[0, 0, 0, 11, 2, 0, 0, 0, 0, 0, 0, 0, 5, b'c', b'd']).await;
    let answer = read::<21>(&mut stream).await;
    assert_eq!(answer, [0, 0, 0, 17, 3, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 4, b'a', b'b', b'c', b'd']);
}

#[tokio::test]
async fn the_bytes_of_a_pull_are_these() {
    let mut brute = Brute::start(9).await;
    let node = brute.victim(Limits::default()).await;
    let mut stream = brute.open(&node, PULL).await;
    write(&mut stream, &[0, 0, 0, 17, 16, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 2]).await;
    assert_eq!(read::<19>(&mut stream).await, *b"\0\0\0\x0f\x11\0\0\0\0\0\0\0\x09header");
    assert_eq!(read::<7>(&mut stream).await, [&[0, 0, 0, 3, 18], pattern(0, 2)].concat()[..]);
    assert_eq!(read::<7>(&mut stream).await, [0, 0, 0, 3, 19, 0, 42]);
    until_closed(stream).await;
}

#[tokio::test]
async fn a_peer_with_more_calls_than_it_may_have_is_told_that_we_are_busy() {
    let mut brute = Brute::start(9).await;
    let node = brute.victim(Limits { calls_per_peer: 1, ..Limits::default() }).await;
    let mut stream = brute.open_calls(&node).await;
    write(&mut stream, &request(1, 4, b"wait")).await;
    node.service.until_begun(1).await;
    write(&mut stream, &request(2, 100, b"more")).await;
    assert_eq!(read::<14>(&mut stream).await, [0, 0, 0, 10, 5, 0, 0, 0, 0, 0, 0, 0, 2, 0]);
    // The rest of the declined request is let go.
    write(&mut stream, &[0, 0, 0, 10, 2, 0, 0, 0, 0, 0, 0, 0, 2, b'x']).await;
    node.service.gate.add_permits(1);
    assert_eq!(read::<21>(&mut stream).await[..5], [0, 0, 0, 17, 3]);
}

#[tokio::test]
async fn a_peer_whose_requests_take_more_memory_than_they_may_is_told_that_we_are_busy() {
    let mut brute = Brute::start(9).await;
    let node = brute.victim(Limits { call_bytes_per_peer: 1000, ..Limits::default() }).await;
    let mut stream = brute.open_calls(&node).await;
    write(&mut stream, &request(1, 1001, b"")).await;
    assert_eq!(read::<14>(&mut stream).await, [0, 0, 0, 10, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
}

#[tokio::test]
async fn a_peer_that_breaks_a_rule_loses_its_connection() {
    let endless: &[u8] = &[255, 255, 255, 255, 1];
    let of_no_kind: &[u8] = &[0, 0, 0, 1, 77];
    let unasked: &[u8] = &[0, 0, 0, 13, 3, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0];
    let too_long = request(1, u32::MAX, b"");
    let beyond = request(1, 1, b"two");
    let twice = [request(1, 9, b"a"), request(1, 9, b"b")].concat();
    for bytes in [endless, of_no_kind, unasked, &too_long, &beyond, &twice] {
        let mut brute = Brute::start(9).await;
        let node = brute.victim(Limits::default()).await;
        let mut stream = brute.open_calls(&node).await;
        write(&mut stream, bytes).await;
        until_closed(stream).await;
        node.until_apart(brute.id).await;
        assert!(node.link.status().peers[&brute.id].last_trouble.is_some());
        assert!(node.service.nothing_begun());
    }
}

#[tokio::test]
async fn a_peer_that_leaves_a_request_half_said_loses_its_stream() {
    let mut brute = Brute::start(9).await;
    let node = brute.victim(Limits { stall: Duration::from_millis(100), ..Limits::default() }).await;
    let mut stream = brute.open_calls(&node).await;
    write(&mut stream, &request(1, 9, b"half")).await;
    until_closed(stream).await;
    let mut stream = brute.open(&node, PULL).await;
    write(&mut stream, &[0, 0, 0, 17, 16]).await;
    until_closed(stream).await;
}

#[tokio::test]
async fn garbage_on_either_protocol_harms_nobody_else() {
    let mut brute = Brute::start(9).await;
    let node = brute.victim(Limits::default()).await;
    let friend = Node::start(2).await;
    let members = [(brute.id, vec![brute.address.clone()]), (friend.id(), friend.link.listen_addrs())];
    node.roster.send_replace(Arc::new(members.into_iter().collect()));
    friend.knows(&[&node]);
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..60 {
        let Ok(mut stream) =
            brute.control.open_stream(node.id(), if round % 2 == 0 { CALL } else { PULL }).await
        else {
            // It has lost its connection; whoever calls it makes another.
            let _ = node.link.call(brute.id, ECHO, Bytes::new(), LONG).await;
            continue;
        };
        let mut garbage = vec![0; random.usize(1..500)];
        random.fill(&mut garbage);
        let _ = stream.write_all(&garbage).await;
        let _ = stream.close().await;
        assert_eq!(friend.call(&node, ECHO, "still there").await.unwrap(), "still there");
    }
    assert!(!node.task.is_finished());
}

#[tokio::test]
async fn answers_that_break_a_rule_fail_the_call_and_not_the_caller() {
    let cases: [&'static [&'static [u8]]; 4] = [
        &[&[0, 0, 0, 1, 1]],
        &[&HELLO, &[0, 0, 0, 13, 3, 0, 0, 0, 0, 0, 0, 0, 99, 0, 0, 0, 0]],
        &[&HELLO, &[255, 0, 0, 0]],
        &[&HELLO, &[0, 0, 0, 13, 3, 0, 0, 0, 0, 0, 0, 0, 1, 255, 0, 0, 0]],
    ];
    for answer in cases {
        let mut brute = Brute::start(9).await;
        brute.answers(CALL, answer);
        let node = Node::start(1).await;
        node.roster.send_replace(only(brute.id, vec![brute.address.clone()]));
        let error = node.link.call(brute.id, ECHO, Bytes::new(), Duration::from_secs(20)).await.unwrap_err();
        assert!(matches!(error, CallError::PeerFault(_)), "{error:?}");
    }
}

#[tokio::test]
async fn bodies_that_break_a_rule_end_with_the_rule() {
    const BEGIN: &[u8] = b"\0\0\0\x0a\x11\0\0\0\0\0\0\0\x02h";
    let cases: [&'static [&'static [u8]]; 3] =
        [&[BEGIN, &[0, 0, 0, 4, 18, 1, 2, 3]], &[BEGIN, &[0, 0, 0, 1, 18]], &[BEGIN, &[0, 5, 0, 0, 18]]];
    for answer in cases {
        let mut brute = Brute::start(9).await;
        brute.answers(PULL, answer);
        let node = Node::start(1).await;
        node.roster.send_replace(only(brute.id, vec![brute.address.clone()]));
        let mut body = node.link.pull(brute.id, Bytes::new(), LONG).await.unwrap();
        let error = soon(body.chunk()).await.unwrap_err();
        assert!(matches!(error, PullError::PeerFault(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_peer_that_connects_again_and_again_keeps_its_newest_connections() {
    let node = Node::start(1).await;
    node.roster.send_replace(only(id_of(9), Vec::new()));
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut brute = Brute::start_and_dial(9, &node.link.listen_addrs()).await;
        streams.push((brute.open_calls(&node).await, brute));
    }
    assert_eq!(node.link.status().peers[&id_of(9)].connections, 2);
    let mut streams = streams.into_iter();
    let (first, _) = streams.next().unwrap();
    until_closed(first).await;
    for (mut stream, _brute) in streams {
        write(&mut stream, &request(1, 2, b"ok")).await;
        assert_eq!(read::<19>(&mut stream).await[17..], *b"ok");
    }
}
