//! The task that owns the libp2p swarm: dials, listens, follows the member list, hands out streams. It never waits for
//! a peer or for the service.

use std::error::Error;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;

use futures::StreamExt;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionError, DialError, ListenError, NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, connection_limits, noise, ping, tcp, yamux};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::Roster;
use super::deliver::serve_pull;
use super::error::{CallError, StartError};
use super::limits::{ADDRESSES_PER_PEER_MAX, GOODBYE, Limits, STREAMS_PER_CONNECTION_MAX};
use super::peer::{Command, Shared};
use super::serve::serve_calls;
use super::streams::{Arrived, Open, Purpose, Streams};

/// Everything that libp2p does for us on a connection.
#[derive(NetworkBehaviour)]
pub(super) struct Traffic {
    limits: connection_limits::Behaviour,
    streams: Streams,
    ping: ping::Behaviour,
}

pub(super) struct Driver {
    swarm: Swarm<Traffic>,
    shared: Arc<Shared>,
    roster: watch::Receiver<Arc<Roster>>,
    commands: mpsc::Receiver<Command>,
}

impl Driver {
    pub(super) fn new(
        key: Keypair,
        shared: Arc<Shared>,
        commands: mpsc::Receiver<Command>,
    ) -> Result<Self, StartError> {
        let roster = shared.roster.clone();
        let swarm = swarm(key, &shared.limits, roster.clone())?;
        Ok(Self { swarm, shared, roster, commands })
    }

    /// Begins to listen, and returns once every address is known with its port.
    pub(super) async fn listen(&mut self, addresses: Vec<Multiaddr>) -> Result<(), StartError> {
        for address in addresses {
            let failed = |cause: String| StartError::Listen { address: address.clone(), cause };
            is_free(&address).map_err(|error| failed(error.to_string()))?;
            let listener =
                self.swarm.listen_on(address.clone()).map_err(|error| failed(root_cause(&error)))?;
            let mut known = false;
            while !known {
                let event = self.swarm.select_next_some().await;
                known = matches!(&event, SwarmEvent::NewListenAddr { listener_id, .. } if *listener_id == listener);
                if let SwarmEvent::ListenerClosed { listener_id, reason: Err(error), .. } = &event
                    && *listener_id == listener
                {
                    return Err(failed(error.to_string()));
                }
                self.on_event(event);
            }
        }
        Ok(())
    }

    /// Runs until the link stops: then lets what runs finish, up to a bound, and closes all connections.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        while !shared.stopping.is_cancelled() {
            tokio::select! {
                biased;
                () = shared.stopping.cancelled() => {}
                () = self.step() => {}
            }
        }
        shared.running.close();
        let drained = timeout(shared.limits.drain, shared.running.wait());
        tokio::pin!(drained);
        loop {
            tokio::select! {
                biased;
                _ = &mut drained => break,
                () = self.step() => {}
            }
        }
        self.say_goodbye().await;
    }

    async fn step(&mut self) {
        tokio::select! {
            biased;
            Ok(()) = self.roster.changed() => self.on_roster(),
            Some(command) = self.commands.recv() => self.on_command(command),
            event = self.swarm.select_next_some() => self.on_event(event),
        }
    }

    /// Whoever is no longer a member loses its connections and streams now.
    fn on_roster(&mut self) {
        let roster = Arc::clone(&self.roster.borrow_and_update());
        for peer in self.swarm.behaviour().streams.peers() {
            if !roster.contains(&peer) {
                tracing::info!(%peer, "closing: no longer in the member list");
                self.disconnect(peer);
                self.swarm.behaviour_mut().streams.fail_waiting(peer, &CallError::NotInRoster { peer });
            }
        }
        self.shared.forget_strangers();
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Open(open) => self.on_open(open),
            Command::Disconnect(peer) => self.disconnect(peer),
        }
    }

    fn on_open(&mut self, open: Open) {
        let peer = open.peer;
        if !self.roster.borrow().contains(&peer) {
            let _ = open.reply.send(Err(CallError::NotInRoster { peer }));
        } else if self.swarm.behaviour_mut().streams.open(open) {
            self.dial(peer);
        }
    }

    fn dial(&mut self, peer: PeerId) {
        let addresses: Vec<_> =
            self.roster.borrow().addresses(&peer).iter().take(ADDRESSES_PER_PEER_MAX).cloned().collect();
        let to = DialOpts::peer_id(peer)
            .condition(PeerCondition::NotDialing)
            .addresses(addresses)
            .allocate_new_port()
            .build();
        match self.swarm.dial(to) {
            Ok(()) | Err(DialError::DialPeerConditionFalse(_)) => {}
            Err(error) => self.on_dial_failure(peer, &error),
        }
    }

    fn on_dial_failure(&mut self, peer: PeerId, error: &DialError) {
        let error = unreachable(error);
        if let Ok(member) = self.shared.member(peer) {
            self.shared.note(&member, error.to_string());
        }
        self.swarm.behaviour_mut().streams.fail_waiting(peer, &error);
    }

    fn disconnect(&mut self, peer: PeerId) {
        self.swarm.behaviour_mut().streams.retire_peer(peer);
        self.count(peer);
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the rest of an open enum tells nothing that is acted on"
    )]
    fn on_event(&mut self, event: SwarmEvent<TrafficEvent>) {
        match event {
            SwarmEvent::Behaviour(TrafficEvent::Streams(arrived)) => self.on_arrived(arrived),
            SwarmEvent::Behaviour(TrafficEvent::Ping(event)) => self.on_ping(&event),
            SwarmEvent::ConnectionEstablished { peer_id, .. } => self.count(peer_id),
            SwarmEvent::ConnectionClosed { peer_id, cause, .. } => self.on_closed(peer_id, cause),
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                self.on_dial_failure(peer, &error);
            }
            SwarmEvent::IncomingConnectionError { peer_id, send_back_addr, error, .. } => {
                if matches!(error, ListenError::Denied { .. }) {
                    self.shared.turned_away();
                }
                let cause = root_cause(&error);
                tracing::info!(peer = ?peer_id, from = %send_back_addr, cause, "an incoming connection failed");
            }
            SwarmEvent::NewListenAddr { address, .. } => self.shared.listening().push(address),
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.shared.listening().retain(|at| *at != address);
            }
            SwarmEvent::ListenerClosed { reason: Err(error), .. }
            | SwarmEvent::ListenerError { error, .. } => {
                tracing::error!(%error, "listening failed");
            }
            _ => {}
        }
    }

    fn on_arrived(&mut self, Arrived { peer, purpose, wire }: Arrived) {
        let Ok(member) = self.shared.member(peer) else { return };
        if self.shared.stopping.is_cancelled() {
            return;
        }
        let shared = Arc::clone(&self.shared);
        match purpose {
            Purpose::Calls => self.shared.running.spawn(serve_calls(shared, member, wire)),
            Purpose::Pull => self.shared.running.spawn(serve_pull(shared, member, wire)),
        };
    }

    fn on_ping(&mut self, event: &ping::Event) {
        let Err(failure) = &event.result else { return };
        if let Ok(member) = self.shared.member(event.peer) {
            self.shared.note(&member, format!("does not answer any more: {failure}"));
        }
        self.swarm.behaviour_mut().streams.retire(event.peer, event.connection);
        self.count(event.peer);
    }

    fn on_closed(&mut self, peer: PeerId, cause: Option<ConnectionError>) {
        self.count(peer);
        if let (Some(ConnectionError::IO(error)), Ok(member)) = (cause, self.shared.member(peer)) {
            self.shared.note_break(&member, format!("the connection broke: {error}"));
        }
    }

    /// Brings the status of a peer up to date.
    fn count(&mut self, peer: PeerId) {
        if let Ok(member) = self.shared.member(peer) {
            self.shared.note_connections(&member, self.swarm.behaviour().streams.connections(&peer));
        }
    }

    async fn say_goodbye(&mut self) {
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            self.swarm.behaviour_mut().streams.retire_peer(peer);
        }
        let closed = async {
            while self.swarm.connected_peers().next().is_some() {
                let _ = self.swarm.select_next_some().await;
            }
        };
        // What has not taken our goodbye by then is cut off.
        let _ = timeout(GOODBYE, closed).await;
    }
}

fn swarm(
    key: Keypair,
    limits: &Limits,
    roster: watch::Receiver<Arc<Roster>>,
) -> Result<Swarm<Traffic>, StartError> {
    let connections = connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(limits.pending_incoming))
        .with_max_established(Some(limits.connections));
    let (every, answered_within) = limits.ping();
    let traffic = Traffic {
        limits: connection_limits::Behaviour::new(connections),
        streams: Streams::new(roster),
        ping: ping::Behaviour::new(ping::Config::new().with_interval(every).with_timeout(answered_within)),
    };
    let swarm = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, muxer)
        .map_err(|error| StartError::Key(error.to_string()))?
        .with_behaviour(|_| traffic)
        .map_err(|error| match error {})?
        .with_swarm_config(|config| {
            // Naming the protocol together with the first bytes saves a round trip per pull.
            config
                .with_substream_upgrade_protocol_override(Version::V1Lazy)
                .with_idle_connection_timeout(limits.idle)
        })
        .with_connection_timeout(limits.connect)
        .build();
    Ok(swarm)
}

fn muxer() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(STREAMS_PER_CONNECTION_MAX);
    config
}

fn unreachable(error: &DialError) -> CallError {
    let (tried, cause) = match error {
        DialError::NoAddresses => {
            (Vec::new(), "the member list has no address for it; it has to connect by itself".to_owned())
        }
        DialError::Transport(failures) => {
            let cause = failures.last().map_or_else(|| error.to_string(), |(_, failure)| root_cause(failure));
            (failures.iter().map(|(address, _)| without_peer(address.clone())).collect(), cause)
        }
        DialError::WrongPeerId { obtained, address } => (
            vec![address.clone()],
            format!("{obtained} answers there; is the address in the member list right?"),
        ),
        DialError::LocalPeerId { address } => (vec![address.clone()], "this is our own address".to_owned()),
        DialError::Denied { .. } | DialError::Aborted | DialError::DialPeerConditionFalse(_) => {
            (Vec::new(), root_cause(error))
        }
    };
    CallError::Unreachable { tried, cause }
}

/// libp2p dials an address with the peer's id at its end; in an error that names the peer it is only noise.
fn without_peer(mut address: Multiaddr) -> Multiaddr {
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

/// Fails if another process listens on this port. libp2p lets several processes share one, and each would then get
/// some of the other's peers.
fn is_free(address: &Multiaddr) -> std::io::Result<()> {
    let mut parts = address.iter();
    let ip = match parts.next() {
        Some(Protocol::Ip4(ip)) => IpAddr::V4(ip),
        Some(Protocol::Ip6(ip)) => IpAddr::V6(ip),
        Some(_) | None => return Ok(()),
    };
    match parts.next() {
        Some(Protocol::Tcp(port)) if port != 0 => TcpListener::bind((ip, port)).map(drop),
        Some(_) | None => Ok(()),
    }
}

/// The innermost of an error's causes: libp2p wraps what a person wants to know in several layers.
fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
