//! Our libp2p behaviour: opens and accepts streams between members, and nobody else.
//!
//! `libp2p-stream` would be the ready-made part. It drops incoming streams when its accept loop is behind, keeps an
//! entry per past connection for ever, loses a request to dial when another is on its way, and cannot say when the
//! connection under a stream is given up; each of these is a rule here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::Either;
use libp2p::PeerId;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{ReadyUpgrade, SelectUpgrade};
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished};
use libp2p::swarm::handler::{
    ConnectionEvent, ConnectionHandlerEvent, DialUpgradeError, FullyNegotiatedInbound,
    FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionHandler, ConnectionId, FromSwarm, NetworkBehaviour,
    NotifyHandler, Stream, StreamProtocol, SubstreamProtocol, ToSwarm,
};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::Roster;
use super::error::CallError;
use super::limits::{CONNECTIONS_PER_PEER_MAX, OPENS_WAITING_MAX};

const CALL: StreamProtocol = StreamProtocol::new("/yiqiao/call/1");
const PULL: StreamProtocol = StreamProtocol::new("/yiqiao/pull/1");

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Calls,
    Pull,
}

/// A stream, and what tells that the connection under it is given up: whoever uses the one waits for the other too,
/// because a connection to a dead peer may take minutes to end by itself.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) stream: Stream,
    pub(super) gone: CancellationToken,
}

/// A wish for a stream to a peer.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) peer: PeerId,
    pub(super) purpose: Purpose,
    pub(super) reply: oneshot::Sender<Result<Wire, CallError>>,
}

/// A stream that a member opened.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) peer: PeerId,
    pub(super) purpose: Purpose,
    pub(super) wire: Wire,
}

/// Why a connection is refused right after its handshake, which is the first moment that says who it is.
#[derive(Debug, thiserror::Error)]
#[error("not in the member list")]
pub(super) struct NotAMember;

/// A connection in use.
#[derive(Debug)]
struct Connection {
    id: ConnectionId,
    gone: CancellationToken,
}

/// The behaviour.
pub(super) struct Streams {
    roster: watch::Receiver<Arc<Roster>>,
    /// By peer, oldest first. What is given up is not in here, even while it closes.
    connections: BTreeMap<PeerId, Vec<Connection>>,
    waiting: BTreeMap<PeerId, Vec<Open>>,
    actions: VecDeque<ToSwarm<Arrived, Order>>,
}

impl Streams {
    pub(super) fn new(roster: watch::Receiver<Arc<Roster>>) -> Self {
        Self { roster, connections: BTreeMap::new(), waiting: BTreeMap::new(), actions: VecDeque::new() }
    }

    /// Opens a stream on the newest connection, or keeps the wish until there is one. Says whether to dial.
    pub(super) fn open(&mut self, open: Open) -> bool {
        if let Some(connection) = self.connections.get(&open.peer).and_then(|all| all.last()) {
            self.actions.push_back(connection.order(open));
            return false;
        }
        let waiting = self.waiting.entry(open.peer).or_default();
        waiting.retain(|open| !open.reply.is_closed());
        if waiting.len() >= OPENS_WAITING_MAX {
            let _ = open.reply.send(Err(CallError::Busy));
        } else {
            waiting.push(open);
        }
        true
    }

    /// Answers everyone who waits for a connection to this peer.
    pub(super) fn fail_waiting(&mut self, peer: PeerId, error: &CallError) {
        for open in self.waiting.remove(&peer).unwrap_or_default() {
            let _ = open.reply.send(Err(error.clone()));
        }
    }

    /// Gives up a connection: its streams end now, and no other stream is opened on it.
    pub(super) fn retire(&mut self, peer: PeerId, id: ConnectionId) {
        let Some(all) = self.connections.get_mut(&peer) else { return };
        if let Some(at) = all.iter().position(|connection| connection.id == id) {
            all.remove(at).gone.cancel();
            let connection = CloseConnection::One(id);
            self.actions.push_back(ToSwarm::CloseConnection { peer_id: peer, connection });
        }
        if all.is_empty() {
            self.connections.remove(&peer);
        }
    }

    /// Gives up all connections to a peer.
    pub(super) fn retire_peer(&mut self, peer: PeerId) {
        for connection in self.connections.remove(&peer).unwrap_or_default() {
            connection.gone.cancel();
        }
        let connection = CloseConnection::All;
        self.actions.push_back(ToSwarm::CloseConnection { peer_id: peer, connection });
    }

    /// The peers with a connection in use or wished for.
    pub(super) fn peers(&self) -> BTreeSet<PeerId> {
        self.connections.keys().chain(self.waiting.keys()).copied().collect()
    }

    /// How many connections to a peer are in use.
    pub(super) fn connections(&self, peer: &PeerId) -> usize {
        self.connections.get(peer).map_or(0, Vec::len)
    }

    fn admit(&self, peer: PeerId) -> Result<Port, ConnectionDenied> {
        if self.roster.borrow().contains(&peer) {
            Ok(Port::default())
        } else {
            Err(ConnectionDenied::new(NotAMember))
        }
    }

    fn on_established(&mut self, peer: PeerId, id: ConnectionId) {
        let connection = Connection { id, gone: CancellationToken::new() };
        for open in self.waiting.remove(&peer).unwrap_or_default() {
            self.actions.push_back(connection.order(open));
        }
        let all = self.connections.entry(peer).or_default();
        all.push(connection);
        // A peer that came back must not be locked out by what is left of its earlier life: the oldest goes.
        let oldest =
            (all.len() > CONNECTIONS_PER_PEER_MAX).then(|| all.first().map(|oldest| oldest.id)).flatten();
        if let Some(oldest) = oldest {
            self.retire(peer, oldest);
        }
    }

    fn on_closed(&mut self, peer: PeerId, id: ConnectionId) {
        let Some(all) = self.connections.get_mut(&peer) else { return };
        all.retain(|connection| {
            if connection.id == id {
                connection.gone.cancel();
            }
            connection.id != id
        });
        if all.is_empty() {
            self.connections.remove(&peer);
        }
    }

    fn gone_of(&self, peer: PeerId, id: ConnectionId) -> Option<CancellationToken> {
        let connection = self.connections.get(&peer)?.iter().find(|connection| connection.id == id)?;
        Some(connection.gone.clone())
    }
}

impl Connection {
    fn order(&self, open: Open) -> ToSwarm<Arrived, Order> {
        let handler = NotifyHandler::One(self.id);
        ToSwarm::NotifyHandler { peer_id: open.peer, handler, event: Order { open, gone: self.gone.clone() } }
    }
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Port;
    type ToSwarm = Arrived;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Port, ConnectionDenied> {
        self.admit(peer)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Port, ConnectionDenied> {
        self.admit(peer)
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the rest of an open enum concerns addresses and listeners"
    )]
    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, connection_id, .. }) => {
                self.on_established(peer_id, connection_id);
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, .. }) => {
                self.on_closed(peer_id, connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        (purpose, stream): (Purpose, Stream),
    ) {
        if let Some(gone) = self.gone_of(peer, id) {
            let wire = Wire { stream, gone };
            self.actions.push_back(ToSwarm::GenerateEvent(Arrived { peer, purpose, wire }));
        }
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Arrived, Order>> {
        self.actions.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// What a connection is told: open this stream.
#[derive(Debug)]
pub(super) struct Order {
    open: Open,
    gone: CancellationToken,
}

/// Our end of one connection. Its queues need no waker: libp2p polls it after every event that fills them.
#[derive(Default)]
pub(super) struct Port {
    orders: VecDeque<Order>,
    arrived: VecDeque<(Purpose, Stream)>,
}

impl ConnectionHandler for Port {
    type FromBehaviour = Order;
    type ToBehaviour = (Purpose, Stream);
    type InboundProtocol = SelectUpgrade<ReadyUpgrade<StreamProtocol>, ReadyUpgrade<StreamProtocol>>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Order;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(SelectUpgrade::new(ReadyUpgrade::new(CALL), ReadyUpgrade::new(PULL)), ())
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Order, Self::ToBehaviour>> {
        if let Some(arrived) = self.arrived.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(arrived));
        }
        let Some(order) = self.orders.pop_front() else { return Poll::Pending };
        let name = match order.open.purpose {
            Purpose::Calls => CALL,
            Purpose::Pull => PULL,
        };
        let protocol = SubstreamProtocol::new(ReadyUpgrade::new(name), order);
        Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
    }

    fn on_behaviour_event(&mut self, order: Order) {
        self.orders.push_back(order);
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the rest of an open enum is about addresses and protocols"
    )]
    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol, (), Order>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, .. }) => {
                // Bounded by yamux, which ends a connection with more streams than STREAMS_PER_CONNECTION_MAX.
                self.arrived.push_back(match protocol {
                    Either::Left(stream) => (Purpose::Calls, stream),
                    Either::Right(stream) => (Purpose::Pull, stream),
                });
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, info }) => {
                let Order { open, gone } = info;
                let _ = open.reply.send(Ok(Wire { stream: protocol, gone }));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, .. }) => {
                let _ = info.open.reply.send(Err(CallError::Disconnected));
            }
            _ => {}
        }
    }
}
