//! What the parts of the link share: the limits, the list of members, and per member what is in use and what went wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use yiqiao_proto::time::Millis;

use super::calls::Line;
use super::error::{CallError, StreamEnd};
use super::limits::{Limits, PULLS_PER_PEER_MAX, STEADY_AFTER};
use super::streams::{Open, Purpose, Wire};
use super::{LinkStatus, PeerStatus, Roster, Service, Trouble};
use crate::clock::Clock;

/// What the driver is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Open a stream, dialling if need be.
    Open(Open),
    /// Give up all connections to a peer that broke a rule.
    Disconnect(PeerId),
}

/// What all parts share.
pub(super) struct Shared {
    pub(super) limits: Limits,
    pub(super) clock: Clock,
    pub(super) roster: watch::Receiver<Arc<Roster>>,
    pub(super) service: Arc<dyn Service>,
    pub(super) commands: mpsc::Sender<Command>,
    /// Nothing new begins once this is cancelled.
    pub(super) stopping: CancellationToken,
    /// What shutdown waits for: calls and pulls of both directions.
    pub(super) running: TaskTracker,
    call_bytes: Arc<Semaphore>,
    pulls: Arc<Semaphore>,
    peers: Mutex<BTreeMap<PeerId, Arc<Peer>>>,
    kept: Mutex<BTreeSet<PeerId>>,
    listening: Mutex<Vec<Multiaddr>>,
    turned_away: AtomicU64,
    /// Ticks whenever a status changes.
    changes: watch::Sender<()>,
}

/// One member, as this process sees it.
pub(super) struct Peer {
    pub(super) id: PeerId,
    /// Our calls to it and our pulls from it.
    pub(super) calls_out: Arc<Semaphore>,
    pub(super) pulls_out: Arc<Semaphore>,
    pub(super) line: Line,
    calls_in: Arc<Semaphore>,
    bytes_in: Arc<Semaphore>,
    pulls_in: Arc<Semaphore>,
    diary: Mutex<PeerStatus>,
}

impl Shared {
    pub(super) fn new(
        limits: Limits,
        clock: Clock,
        roster: watch::Receiver<Arc<Roster>>,
        service: Arc<dyn Service>,
        commands: mpsc::Sender<Command>,
    ) -> Self {
        Self {
            call_bytes: Arc::new(Semaphore::new(limits.call_bytes)),
            pulls: Arc::new(Semaphore::new(limits.pulls)),
            stopping: CancellationToken::new(),
            running: TaskTracker::new(),
            peers: Mutex::new(BTreeMap::new()),
            kept: Mutex::new(BTreeSet::new()),
            listening: Mutex::new(Vec::new()),
            turned_away: AtomicU64::new(0),
            changes: watch::Sender::new(()),
            limits,
            clock,
            roster,
            service,
            commands,
        }
    }

    /// The member with this id. Every call of either direction passes here, so that the list is asked each time.
    pub(super) fn member(&self, id: PeerId) -> Result<Arc<Peer>, CallError> {
        if !self.roster.borrow().contains(&id) {
            return Err(CallError::NotInRoster { peer: id });
        }
        Ok(Arc::clone(locked(&self.peers).entry(id).or_insert_with(|| Arc::new(Peer::new(id, &self.limits)))))
    }

    /// Forgets all who are no longer members.
    pub(super) fn forget_strangers(&self) {
        let roster = self.roster.borrow().clone();
        locked(&self.peers).retain(|id, _| roster.contains(id));
        self.changes.send_replace(());
    }

    /// How things stand.
    pub(super) fn status(&self) -> LinkStatus {
        let peers = locked(&self.peers).iter().map(|(id, peer)| (*id, peer.diary().clone())).collect();
        LinkStatus { peers, turned_away: self.turned_away.load(Ordering::Relaxed) }
    }

    /// Whenever something changes in how things stand.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Opens a stream to a member, connecting first if need be.
    pub(super) async fn open(&self, peer: PeerId, purpose: Purpose) -> Result<Wire, CallError> {
        let (reply, wire) = oneshot::channel();
        let open = Command::Open(Open { peer, purpose, reply });
        self.commands.send(open).await.map_err(|_| CallError::Stopping)?;
        wire.await.unwrap_or(Err(CallError::Disconnected))
    }

    /// Notes what went wrong with a peer, for the status.
    pub(super) fn note(&self, peer: &Peer, what: String) {
        tracing::info!(peer = %peer.id, what, "link trouble");
        peer.diary().last_trouble = Some(Trouble { at: self.clock.now(), what });
        self.changes.send_replace(());
    }

    /// Notes that a connection broke, unless what was noted just before explains it.
    pub(super) fn note_break(&self, peer: &Peer, what: String) {
        let explained = Millis::new(as_millis(STEADY_AFTER).into());
        let before = peer.diary().last_trouble.as_ref().map(|trouble| trouble.at);
        if before.is_none_or(|before| self.clock.now().since(before) > explained) {
            self.note(peer, what);
        }
    }

    /// Notes how many connections to a peer are in use.
    pub(super) fn note_connections(&self, peer: &Peer, count: usize) {
        {
            let mut diary = peer.diary();
            diary.connections = count;
            diary.since = if count == 0 { None } else { diary.since.or_else(|| Some(self.clock.now())) };
        }
        self.changes.send_replace(());
    }

    /// What the end of a stream means for the connection under it: who breaks a rule loses it.
    pub(super) fn on_stream_end(&self, peer: &Peer, end: StreamEnd) {
        match end {
            StreamEnd::Closed => {}
            StreamEnd::Stalled => self.note(peer, "took or sent nothing for too long".to_owned()),
            StreamEnd::Fault(fault) => {
                self.note(peer, fault.to_string());
                // If the driver has that much to do, the stream has at least ended.
                let _ = self.commands.try_send(Command::Disconnect(peer.id));
            }
        }
    }

    /// Marks a peer as one to stay connected to; false if it was before.
    pub(super) fn start_keeping(&self, peer: PeerId) -> bool {
        locked(&self.kept).insert(peer)
    }

    pub(super) fn is_kept(&self, peer: PeerId) -> bool {
        locked(&self.kept).contains(&peer)
    }

    /// Counts a refused connection.
    pub(super) fn turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
        self.changes.send_replace(());
    }

    /// The addresses that are listened on.
    pub(super) fn listening(&self) -> MutexGuard<'_, Vec<Multiaddr>> {
        locked(&self.listening)
    }

    /// Room for a request of so many bytes, or `None` if the peer or all peers together have too much under way.
    pub(super) fn admit_call(&self, peer: &Peer, bytes: usize) -> Option<Vec<OwnedSemaphorePermit>> {
        let bytes = u32::try_from(bytes).ok()?;
        let call = Arc::clone(&peer.calls_in).try_acquire_owned().ok()?;
        let own = Arc::clone(&peer.bytes_in).try_acquire_many_owned(bytes).ok()?;
        let all = Arc::clone(&self.call_bytes).try_acquire_many_owned(bytes).ok()?;
        Some(vec![call, own, all])
    }

    /// Room for serving one more pull.
    pub(super) fn admit_pull(&self, peer: &Peer) -> Option<[OwnedSemaphorePermit; 2]> {
        let own = Arc::clone(&peer.pulls_in).try_acquire_owned().ok()?;
        let all = Arc::clone(&self.pulls).try_acquire_owned().ok()?;
        Some([own, all])
    }
}

impl Peer {
    fn new(id: PeerId, limits: &Limits) -> Self {
        let pulls = limits.pulls_per_peer.min(PULLS_PER_PEER_MAX);
        Self {
            id,
            calls_out: Arc::new(Semaphore::new(limits.calls_per_peer)),
            pulls_out: Arc::new(Semaphore::new(pulls)),
            line: Line::default(),
            calls_in: Arc::new(Semaphore::new(limits.calls_per_peer)),
            bytes_in: Arc::new(Semaphore::new(limits.call_bytes_per_peer)),
            pulls_in: Arc::new(Semaphore::new(pulls)),
            diary: Mutex::new(PeerStatus::default()),
        }
    }

    fn diary(&self) -> MutexGuard<'_, PeerStatus> {
        locked(&self.diary)
    }
}

/// A lock that a panic elsewhere does not spread through: what it guards is whole after every statement.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How much of a deadline is left, in the unit in which it travels.
pub(super) fn as_millis(left: Duration) -> u32 {
    u32::try_from(left.as_millis()).unwrap_or(u32::MAX)
}
