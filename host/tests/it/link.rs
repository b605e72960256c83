//! The link between real processes' worth of libp2p on loopback: nodes that start, stop and misbehave.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what a test sets up either works or fails the test")]

mod calls;
mod hostile;
mod members;
mod peers;
mod pulls;

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use yiqiao_host::clock::Clock;
use yiqiao_host::link::limits::MESSAGE_BYTES_MAX;
use yiqiao_host::link::{
    Limits, Link, LinkConfig, Multiaddr, PeerId, PullAnswer, Refusal, Roster, Service, Stop, peer_id_of,
};
use zeroize::Zeroizing;

/// Far more than anything here takes: reached only when something is broken.
const LONG: Duration = Duration::from_secs(60);

/// Methods of the test service.
const ECHO: u16 = 1;
const WAIT: u16 = 2;
const REFUSE: u16 = 3;
const SIZED: u16 = 4;
const PANIC: u16 = 5;

/// A node of the test network.
struct Node {
    link: Link,
    task: JoinHandle<()>,
    roster: watch::Sender<Arc<Roster>>,
    service: Arc<Bench>,
    seed: u8,
}

impl Node {
    async fn start(seed: u8) -> Self {
        Self::start_with(seed, Limits::default()).await
    }

    async fn start_with(seed: u8, limits: Limits) -> Self {
        Self::start_at(seed, limits, vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()]).await
    }

    async fn start_at(seed: u8, limits: Limits, listen: Vec<Multiaddr>) -> Self {
        let (roster, list) = watch::channel(Arc::default());
        let service = Arc::new(Bench::default());
        let config = LinkConfig { secret: secret(seed), listen, limits, clock: Clock::system() };
        let (link, task) = Link::start(config, list, Arc::clone(&service) as Arc<dyn Service>).await.unwrap();
        Self { link, task, roster, service, seed }
    }

    fn id(&self) -> PeerId {
        self.link.peer_id()
    }

    /// Gives this node the list of these members, each with its addresses.
    fn knows(&self, others: &[&Node]) {
        let members = others.iter().map(|node| (node.id(), node.link.listen_addrs()));
        self.roster.send_replace(Arc::new(members.collect()));
    }

    async fn call(
        &self,
        to: &Node,
        method: u16,
        request: impl Into<Bytes>,
    ) -> Result<Bytes, yiqiao_host::link::CallError> {
        self.link.call(to.id(), method, request.into(), LONG).await
    }

    async fn until_connected(&self, to: PeerId) {
        soon(self.link.until(|status| status.is_connected(&to))).await;
    }

    async fn until_apart(&self, from: PeerId) {
        soon(self.link.until(|status| !status.is_connected(&from))).await;
    }
}

/// Two nodes that have each other in their lists.
async fn pair() -> (Node, Node) {
    let (a, b) = (Node::start(1).await, Node::start(2).await);
    introduce(&a, &b);
    (a, b)
}

fn introduce(a: &Node, b: &Node) {
    a.knows(&[b]);
    b.knows(&[a]);
}

fn secret(seed: u8) -> Zeroizing<[u8; 32]> {
    Zeroizing::new([seed; 32])
}

fn id_of(seed: u8) -> PeerId {
    peer_id_of(&secret(seed)).unwrap()
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(LONG, future).await.unwrap()
}

/// The service that all test nodes have.
struct Bench {
    /// Calls that the service has seen begin.
    begun: Semaphore,
    /// Each permit lets one [`WAIT`] go on.
    gate: Arc<Semaphore>,
    /// Bytes that bodies have handed out.
    sent: Arc<AtomicU64>,
}

impl Default for Bench {
    fn default() -> Self {
        Self { begun: Semaphore::new(0), gate: Arc::new(Semaphore::new(0)), sent: Arc::default() }
    }
}

impl Bench {
    /// Waits until so many calls and pulls have begun since the last time.
    async fn until_begun(&self, count: u32) {
        soon(self.begun.acquire_many(count)).await.unwrap().forget();
    }

    fn nothing_begun(&self) -> bool {
        self.begun.available_permits() == 0
    }
}

impl Service for Bench {
    fn call(&self, _: PeerId, method: u16, request: Bytes) -> BoxFuture<'static, Result<Bytes, Refusal>> {
        self.begun.add_permits(1);
        let gate = Arc::clone(&self.gate);
        async move {
            match method {
                ECHO => Ok(request),
                WAIT => {
                    gate.acquire().await.unwrap().forget();
                    Ok(request)
                }
                SIZED => Ok(vec![7; size(&request)].into()),
                PANIC => panic!("as asked"),
                REFUSE | 6.. => Err(Refusal { code: 9, detail: request }),
                0 => Ok(Bytes::new()),
            }
        }
        .boxed()
    }

    /// The request is the length, and then perhaps where to stop with code 42 or to hang.
    fn pull(&self, _: PeerId, mut request: Bytes) -> BoxFuture<'static, Result<PullAnswer, Refusal>> {
        self.begun.add_permits(1);
        let length = request.get_u64();
        if length == 0 {
            return async { Err(Refusal { code: 8, detail: Bytes::from_static(b"no") }) }.boxed();
        }
        let stop_at = request.try_get_u64().unwrap_or(u64::MAX);
        let body = Pattern { at: 0, stop_at, length, sent: Arc::clone(&self.sent) };
        async move { Ok(PullAnswer { header: Bytes::from_static(b"header"), length, body: Box::new(body) }) }
            .boxed()
    }
}

fn size(request: &[u8]) -> usize {
    usize::try_from(u64::from_be_bytes(request.try_into().unwrap())).unwrap()
}

/// A body of known bytes that stops with code 42 where it is told to, or hangs there if [`HANG`] is set.
struct Pattern {
    at: u64,
    stop_at: u64,
    length: u64,
    sent: Arc<AtomicU64>,
}

const HANG: u64 = 1 << 63;

/// So many bytes of the pattern, which repeats itself at a length that nothing else here is a multiple of.
fn pattern(at: u64, count: usize) -> &'static [u8] {
    const PERIOD: usize = 65_521;
    static TABLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut random = fastrand::Rng::with_seed(1);
        let period: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(PERIOD).collect();
        period.into_iter().cycle().take(PERIOD + MESSAGE_BYTES_MAX).collect()
    });
    let from = usize::try_from(at).unwrap() % PERIOD;
    TABLE.get(from..from + count).unwrap()
}

impl AsyncRead for Pattern {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.stop_at == self.at {
            return Poll::Ready(Err(Stop(42).into()));
        }
        if self.stop_at == self.at | HANG {
            return Poll::Pending;
        }
        let end = self.length.min(self.stop_at & !HANG);
        let count = (end - self.at).min(buf.remaining() as u64).min(100_000);
        buf.put_slice(pattern(self.at, usize::try_from(count).unwrap()));
        self.at += count;
        self.sent.fetch_add(count, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

fn pull_request(length: u64, stop_at: Option<u64>) -> Bytes {
    let mut request = length.to_be_bytes().to_vec();
    request.extend(stop_at.into_iter().flat_map(u64::to_be_bytes));
    request.into()
}

/// A roster with one member.
fn only(peer: PeerId, addresses: Vec<Multiaddr>) -> Arc<Roster> {
    Arc::new(BTreeMap::from([(peer, addresses)]).into())
}
