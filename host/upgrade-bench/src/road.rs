//! What bytes travel on: a plain TCP connection, or a stream of libp2p over TCP, a security upgrade and yamux, set up
//! as `yiqiao_host::link` sets up its own.

use std::convert::Infallible;

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, StreamExt as _};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, StreamProtocol, Swarm, SwarmBuilder, noise, swarm, tcp, tls, yamux};
use libp2p_stream::Behaviour;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::compat::TokioAsyncReadCompatExt as _;

pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/bench/1");

/// What secures a connection.
#[derive(Clone, Copy)]
pub(crate) enum Security {
    Noise,
    Tls,
}

impl Security {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Noise => "Noise",
            Self::Tls => "TLS 1.3",
        }
    }
}

/// What bytes travel on; nothing secures the floor.
#[derive(Clone, Copy)]
pub(crate) enum Road {
    Floor,
    Secured(Security),
}

impl Road {
    pub(crate) const ALL: [Self; 3] =
        [Self::Floor, Self::Secured(Security::Noise), Self::Secured(Security::Tls)];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Floor => "plain TCP",
            Self::Secured(security) => security.name(),
        }
    }

    /// Connects two ends by one stream.
    pub(crate) async fn open(self) -> Stream {
        match self {
            Self::Floor => plain().await,
            Self::Secured(security) => secured(security).await,
        }
    }
}

/// Both directions of one end.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Both ends of a stream, and what drives them for as long as this lives.
pub(crate) struct Stream {
    pub(crate) near: Box<dyn Duplex>,
    pub(crate) far: Box<dyn Duplex>,
    pub(crate) drivers: JoinSet<()>,
}

async fn plain() -> Stream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    Stream { near: Box::new(near.compat()), far: Box::new(far.compat()), drivers: JoinSet::new() }
}

async fn secured(security: Security) -> Stream {
    let (server, address) = listening(security).await;
    let id = *server.local_peer_id();
    let mut arriving = server.behaviour().new_control().accept(PROTOCOL).unwrap();
    let mut drivers = JoinSet::new();
    drivers.spawn(drive(server));
    let mut client = swarm(security);
    let mut control = client.behaviour().new_control();
    client.dial(address).unwrap();
    while !matches!(client.select_next_some().await, SwarmEvent::ConnectionEstablished { .. }) {}
    drivers.spawn(drive(client));
    let mut near = control.open_stream(id, PROTOCOL).await.unwrap();
    greet(&mut near).await;
    let (_, mut far) = arriving.next().await.unwrap();
    be_greeted(&mut far).await;
    Stream { near: Box::new(near), far: Box::new(far), drivers }
}

/// A stream of libp2p begins with the first bytes of who opened it: its protocol is named together with them.
pub(crate) async fn greet(near: &mut libp2p::Stream) {
    near.write_all(b"!").await.unwrap();
    near.flush().await.unwrap();
}

pub(crate) async fn be_greeted(far: &mut libp2p::Stream) {
    far.read_exact(&mut [0]).await.unwrap();
}

/// A peer with a new key.
pub(crate) fn swarm(security: Security) -> Swarm<Behaviour> {
    let builder = SwarmBuilder::with_existing_identity(Keypair::generate_ed25519()).with_tokio();
    let tcp = tcp::Config::default().nodelay(true);
    let swarm_config =
        |config: swarm::Config| config.with_substream_upgrade_protocol_override(Version::V1Lazy);
    match security {
        Security::Noise => builder
            .with_tcp(tcp, noise::Config::new, yamux::Config::default)
            .unwrap()
            .with_behaviour(|_| Behaviour::new())
            .unwrap()
            .with_swarm_config(swarm_config)
            .build(),
        Security::Tls => builder
            .with_tcp(tcp, tls::Config::new, yamux::Config::default)
            .unwrap()
            .with_behaviour(|_| Behaviour::new())
            .unwrap()
            .with_swarm_config(swarm_config)
            .build(),
    }
}

/// A peer with a new key that can be dialled.
pub(crate) async fn listening(security: Security) -> (Swarm<Behaviour>, Multiaddr) {
    let mut swarm = swarm(security);
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            return (swarm, address);
        }
    }
}

/// Drives a peer for as long as some work goes on that needs it.
pub(crate) async fn driving<T>(swarm: &mut Swarm<Behaviour>, work: impl Future<Output = T>) -> T {
    tokio::select! {
        done = work => done,
        never = drive_on(swarm) => match never {},
    }
}

async fn drive(mut swarm: Swarm<Behaviour>) {
    match drive_on(&mut swarm).await {}
}

async fn drive_on(swarm: &mut Swarm<Behaviour>) -> Infallible {
    loop {
        swarm.select_next_some().await;
    }
}
