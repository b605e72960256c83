//! The link: how registry and nodes talk to each other over libp2p (TCP, Noise, yamux).
//!
//! Two ways to talk, both bounded on both sides. A **call** is a small request with a small answer; all calls from one
//! peer to another share one long-lived stream (`/yiqiao/call/1`). A **pull** brings a body of any length on a stream of
//! its own (`/yiqiao/pull/1`), and the holder can stop it at any byte. Only members speak: a peer is checked against the
//! [`Roster`] when it connects and again at every request, and is cut off the moment it leaves the roster.
//!
//! What a request means is not the link's affair, and that a peer is a member is never consent. Nothing here is
//! delivered at most once: requests are idempotent, and who asked decides whether to ask again.

mod backoff;
mod calls;
mod deliver;
mod driver;
mod error;
mod frame;
pub mod limits;
mod outbox;
mod peer;
mod pull;
mod serve;
mod streams;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use libp2p::identity::Keypair;
use tokio::io::AsyncRead;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use yiqiao_proto::time::Timestamp;
use zeroize::Zeroizing;

pub use error::{CallError, Part, PeerFault, PullError, Refusal, StartError, Stop};
pub use libp2p::{Multiaddr, PeerId};
pub use limits::Limits;
pub use pull::Pull;

use crate::clock::Clock;
use calls::Question;
use driver::Driver;
use limits::{MESSAGE_BYTES_MAX, OPENS_WAITING_MAX, PULL_REQUEST_BYTES_MAX};
use peer::Shared;

/// What a link needs to start.
pub struct LinkConfig {
    /// The seed of the Ed25519 transport key, of which the peer id is made. Separate from all signing keys.
    pub secret: Zeroizing<[u8; 32]>,
    /// Where to listen; port 0 takes a free one. May be empty: outgoing connections serve both directions.
    pub listen: Vec<Multiaddr>,
    /// What to allow.
    pub limits: Limits,
    /// Dates the status.
    pub clock: Clock,
}

/// The current members that may connect, each with the addresses it can be dialled at, if any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster(BTreeMap<PeerId, Vec<Multiaddr>>);

/// What answers the peers. The link calls it for members only, and drops the future when the asker is gone.
pub trait Service: Send + Sync + 'static {
    /// Answers a small call.
    fn call(&self, peer: PeerId, method: u16, request: Bytes) -> BoxFuture<'static, Result<Bytes, Refusal>>;

    /// Answers the request for a body.
    fn pull(&self, peer: PeerId, request: Bytes) -> BoxFuture<'static, Result<PullAnswer, Refusal>>;
}

/// A body to send.
pub struct PullAnswer {
    /// What goes before it, at most [`limits::PULL_HEADER_BYTES_MAX`] bytes.
    pub header: Bytes,
    /// How many bytes the body has.
    pub length: u64,
    /// The bytes. It is read only as the asker takes them, so it decides about each piece when the piece is due: to
    /// stop on purpose it returns [`Stop`] as its error, and the asker learns the code.
    pub body: Box<dyn AsyncRead + Send + Unpin>,
}

/// How things stand with the peers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkStatus {
    /// Every member that this process has had to do with.
    pub peers: BTreeMap<PeerId, PeerStatus>,
    /// Incoming connections refused because the peer was no member or there were too many.
    pub turned_away: u64,
}

/// How things stand with one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerStatus {
    /// Connections in use; 0 means not connected.
    pub connections: usize,
    /// Connected without a gap since then.
    pub since: Option<Timestamp>,
    /// What last went wrong.
    pub last_trouble: Option<Trouble>,
}

/// Something that went wrong with a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// When.
    pub at: Timestamp,
    /// A sentence for the operator.
    pub what: String,
}

/// A running link. Clones are the same link; it runs until [`Link::shutdown`].
#[derive(Clone)]
pub struct Link {
    me: PeerId,
    shared: Arc<Shared>,
    stopped: CancellationToken,
}

impl Link {
    /// Starts to listen, and runs in a task of its own, whose handle comes back beside the link.
    ///
    /// # Errors
    ///
    /// The key is no key, or an address cannot be listened on.
    pub async fn start(
        config: LinkConfig,
        roster: watch::Receiver<Arc<Roster>>,
        service: Arc<dyn Service>,
    ) -> Result<(Self, JoinHandle<()>), StartError> {
        let key = transport_key(&config.secret)?;
        let me = key.public().to_peer_id();
        let (commands, orders) = mpsc::channel(OPENS_WAITING_MAX);
        let shared = Arc::new(Shared::new(config.limits, config.clock, roster, service, commands));
        let mut driver = Driver::new(key, Arc::clone(&shared), orders)?;
        driver.listen(config.listen).await?;
        let stopped = CancellationToken::new();
        let tell = stopped.clone().drop_guard();
        let task = tokio::spawn(async move {
            let _tell = tell;
            driver.run().await;
        });
        Ok((Self { me, shared, stopped }, task))
    }

    /// Who this process is to its peers.
    pub fn peer_id(&self) -> PeerId {
        self.me
    }

    /// The addresses that are listened on, with the ports that they really have.
    pub fn listen_addrs(&self) -> Vec<Multiaddr> {
        self.shared.listening().clone()
    }

    /// How things stand with the peers.
    pub fn status(&self) -> LinkStatus {
        self.shared.status()
    }

    /// Waits until things stand as wished, for instance until the registry is connected; without an end by itself.
    pub async fn until(&self, mut wished: impl FnMut(&LinkStatus) -> bool) -> LinkStatus {
        let mut changes = self.shared.changes();
        loop {
            let status = self.status();
            // The sender lives in what `self` holds: waiting cannot fail.
            if wished(&status) || changes.changed().await.is_err() {
                return status;
            }
        }
    }

    /// Keeps the peer connected from now on, whenever it is in the roster: reconnects after ever longer pauses.
    pub fn keep(&self, peer: PeerId) {
        if self.shared.start_keeping(peer) {
            let stopping = self.shared.stopping.clone();
            tokio::spawn(stopping.run_until_cancelled_owned(calls::keep(Arc::clone(&self.shared), peer)));
        }
    }

    /// Asks a peer, connecting first if need be. A peer that is busy is asked again within the deadline.
    ///
    /// # Errors
    ///
    /// There is no answer. After [`CallError::Disconnected`] and [`CallError::TimedOut`] the peer may have done what
    /// was asked.
    pub async fn call(
        &self,
        peer: PeerId,
        method: u16,
        request: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, CallError> {
        at_most(request.len(), MESSAGE_BYTES_MAX)?;
        let _running = self.begin()?;
        let member = self.shared.member(peer)?;
        calls::call(&self.shared, &member, Question { method, request, deadline }).await
    }

    /// Asks a peer for a body; the deadline is for its beginning. Each chunk then has a time limit of its own.
    ///
    /// # Errors
    ///
    /// The body did not begin.
    pub async fn pull(&self, peer: PeerId, request: Bytes, deadline: Duration) -> Result<Pull, CallError> {
        at_most(request.len(), PULL_REQUEST_BYTES_MAX)?;
        let _running = self.begin()?;
        let member = self.shared.member(peer)?;
        pull::pull(&self.shared, &member, request, deadline).await
    }

    /// Begins nothing new, lets what runs finish within [`Limits::drain`], closes all connections, and returns then.
    pub async fn shutdown(&self) {
        self.shared.stopping.cancel();
        self.stopped.cancelled().await;
    }

    /// Lets shutdown wait for what begins here.
    fn begin(&self) -> Result<impl Drop + use<>, CallError> {
        let running = self.shared.running.token();
        if self.shared.stopping.is_cancelled() { Err(CallError::Stopping) } else { Ok(running) }
    }
}

/// Expands the seed. The library wipes the copy that it is given.
fn transport_key(seed: &Zeroizing<[u8; 32]>) -> Result<Keypair, StartError> {
    let mut copy = seed.clone();
    Keypair::ed25519_from_bytes(copy.as_mut_slice()).map_err(|error| StartError::Key(error.to_string()))
}

/// The peer id of the transport key with this seed.
///
/// # Errors
///
/// The seed is no key.
pub fn peer_id_of(seed: &Zeroizing<[u8; 32]>) -> Result<PeerId, StartError> {
    Ok(transport_key(seed)?.public().to_peer_id())
}

fn at_most(length: usize, limit: usize) -> Result<(), CallError> {
    if length > limit { Err(CallError::TooLarge { part: Part::Request, limit }) } else { Ok(()) }
}

impl Roster {
    /// Whether this peer is a member.
    pub fn contains(&self, peer: &PeerId) -> bool {
        self.0.contains_key(peer)
    }

    /// Where this peer can be dialled.
    pub fn addresses(&self, peer: &PeerId) -> &[Multiaddr] {
        self.0.get(peer).map_or(&[], Vec::as_slice)
    }
}

impl From<BTreeMap<PeerId, Vec<Multiaddr>>> for Roster {
    fn from(members: BTreeMap<PeerId, Vec<Multiaddr>>) -> Self {
        Self(members)
    }
}

impl FromIterator<(PeerId, Vec<Multiaddr>)> for Roster {
    fn from_iter<I: IntoIterator<Item = (PeerId, Vec<Multiaddr>)>>(members: I) -> Self {
        Self(members.into_iter().collect())
    }
}

impl LinkStatus {
    /// Whether this peer is connected.
    pub fn is_connected(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(|peer| peer.connections > 0)
    }
}

impl fmt::Debug for LinkConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkConfig").field("listen", &self.listen).finish_non_exhaustive()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("me", &self.me).finish_non_exhaustive()
    }
}

impl fmt::Debug for PullAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PullAnswer").field("length", &self.length).finish_non_exhaustive()
    }
}
