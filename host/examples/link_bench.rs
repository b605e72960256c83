//! What the link costs over what it stands on: 200 MB one way over plain TCP, over a bare `libp2p-stream`, and as a
//! pull of the link, five times in turn; then the latency of calls with 1 and with 32 in flight. Both ends are in this
//! one process, so the CPU seconds are those of both.
//!
//! `cargo run --release -p yiqiao-host --example link_bench`
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints, and stops when something breaks"
)]

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{AsyncReadExt as _, AsyncWriteExt as _, FutureExt, StreamExt};
use libp2p::swarm::SwarmEvent;
use libp2p::{StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use yiqiao_host::clock::Clock;
use yiqiao_host::link::{Limits, Link, LinkConfig, Multiaddr, PeerId, PullAnswer, Refusal, Roster, Service};
use zeroize::Zeroizing;

const BYTES: usize = 200_000_000;
const WRITE: usize = 256 * 1024;
const ROUNDS: usize = 5;
const LONG: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() {
    let (client, server) = links().await;
    let mut plain = Vec::new();
    let mut bare = Vec::new();
    let mut ours = Vec::new();
    for _ in 0..ROUNDS {
        plain.push(measured(plain_tcp()).await);
        bare.push(measured(bare_stream()).await);
        ours.push(measured(our_pull(&client, server.peer_id())).await);
    }
    println!("200 MB one way, medians of {ROUNDS} (min to max), both ends");
    report("plain TCP", &plain);
    report("bare libp2p-stream", &bare);
    report("pull of the link", &ours);
    println!("calls, 8 bytes asked, 1 KiB answered");
    for in_flight in [1, 32] {
        latency(&client, server.peer_id(), in_flight).await;
    }
    client.shutdown().await;
    server.shutdown().await;
}

/// Wall and CPU seconds.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
}

async fn measured(work: impl Future<Output = usize>) -> Cost {
    let (cpu, start) = (cpu_seconds(), Instant::now());
    assert_eq!(work.await, BYTES);
    Cost { wall: start.elapsed().as_secs_f64(), cpu: cpu_seconds() - cpu }
}

/// User and system time of this process: Linux counts them in hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>()
        / 100.0
}

fn report(what: &str, costs: &[Cost]) {
    let (rate, rate_min, rate_max) = spread(costs.iter().map(|cost| 200.0 / cost.wall).collect());
    let (cpu, cpu_min, cpu_max) = spread(costs.iter().map(|cost| cost.cpu).collect());
    println!(
        "  {what:<20} {rate:>6.0} MB/s ({rate_min:.0} to {rate_max:.0})   {cpu:.2} CPU s ({cpu_min:.2} to {cpu_max:.2})"
    );
}

fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap();
    (at(values.len() / 2), at(0), at(values.len() - 1))
}

async fn plain_tcp() -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sender = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for piece in pieces() {
            stream.write_all(piece).await.unwrap();
        }
    });
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut taken = 0;
    let mut buffer = vec![0; WRITE];
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        if read == 0 {
            break;
        }
        taken += read;
    }
    sender.await.unwrap();
    taken
}

async fn bare_stream() -> usize {
    const BULK: StreamProtocol = StreamProtocol::new("/bench/bulk/1");
    let (mut server, mut client) = (swarm(), swarm());
    server.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    let address = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = server.select_next_some().await {
            break address;
        }
    };
    let id = *server.local_peer_id();
    let mut arriving = server.behaviour().new_control().accept(BULK).unwrap();
    let mut control = client.behaviour().new_control();
    let server = tokio::spawn(drive(server));
    client.dial(address).unwrap();
    while !matches!(client.select_next_some().await, SwarmEvent::ConnectionEstablished { .. }) {}
    let client = tokio::spawn(drive(client));
    let sender = tokio::spawn(async move {
        let (_, mut stream) = arriving.next().await.unwrap();
        for piece in pieces() {
            stream.write_all(piece).await.unwrap();
        }
        stream.close().await.unwrap();
    });
    let mut stream = control.open_stream(id, BULK).await.unwrap();
    let mut taken = 0;
    let mut buffer = vec![0; WRITE];
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        if read == 0 {
            break;
        }
        taken += read;
    }
    sender.await.unwrap();
    server.abort();
    client.abort();
    taken
}

fn swarm() -> Swarm<libp2p_stream::Behaviour> {
    SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|_| libp2p_stream::Behaviour::new())
        .unwrap()
        .build()
}

async fn drive(mut swarm: Swarm<libp2p_stream::Behaviour>) {
    loop {
        swarm.select_next_some().await;
    }
}

async fn our_pull(client: &Link, server: PeerId) -> usize {
    let mut pull = client.pull(server, Bytes::new(), LONG).await.unwrap();
    let mut taken = 0;
    while let Some(chunk) = pull.chunk().await.unwrap() {
        taken += chunk.len();
    }
    taken
}

/// What to send, piece by piece.
fn pieces() -> impl Iterator<Item = &'static [u8]> {
    static PIECE: [u8; WRITE] = [7; WRITE];
    let whole = std::iter::repeat_n(PIECE.as_slice(), BYTES / WRITE);
    whole.chain(PIECE.get(..BYTES % WRITE))
}

async fn links() -> (Link, Link) {
    let (client, client_roster) = link(1).await;
    let (server, server_roster) = link(2).await;
    let members: Roster =
        [&client, &server].into_iter().map(|link| (link.peer_id(), link.listen_addrs())).collect();
    client_roster.send_replace(Arc::new(members.clone()));
    server_roster.send_replace(Arc::new(members));
    (client, server)
}

async fn link(seed: u8) -> (Link, watch::Sender<Arc<Roster>>) {
    let listen: Vec<Multiaddr> = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
    let config = LinkConfig {
        secret: Zeroizing::new([seed; 32]),
        listen,
        limits: Limits::default(),
        clock: Clock::system(),
    };
    let (roster, list) = watch::channel(Arc::default());
    let (link, _task) = Link::start(config, list, Arc::new(Source)).await.unwrap();
    (link, roster)
}

/// Answers calls with 1 KiB and pulls with 200 MB.
struct Source;

impl Service for Source {
    fn call(&self, _: PeerId, _: u16, _: Bytes) -> BoxFuture<'static, Result<Bytes, Refusal>> {
        static ANSWER: [u8; 1024] = [7; 1024];
        async { Ok(Bytes::from_static(&ANSWER)) }.boxed()
    }

    fn pull(&self, _: PeerId, _: Bytes) -> BoxFuture<'static, Result<PullAnswer, Refusal>> {
        let body = Box::new(Body { left: BYTES });
        async { Ok(PullAnswer { header: Bytes::new(), length: BYTES as u64, body }) }.boxed()
    }
}

struct Body {
    left: usize,
}

impl AsyncRead for Body {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        static PIECE: [u8; WRITE] = [7; WRITE];
        let count = self.left.min(buf.remaining()).min(WRITE);
        buf.put_slice(PIECE.get(..count).unwrap_or_default());
        self.left -= count;
        Poll::Ready(Ok(()))
    }
}

async fn latency(client: &Link, server: PeerId, in_flight: usize) {
    let calls = 2_000;
    let cpu = cpu_seconds();
    let askers = (0..in_flight).map(|_| {
        let client = client.clone();
        tokio::spawn(async move {
            let mut took = Vec::with_capacity(calls);
            for _ in 0..calls {
                let start = Instant::now();
                client.call(server, 1, Bytes::from_static(b"question"), LONG).await.unwrap();
                took.push(start.elapsed());
            }
            took
        })
    });
    let start = Instant::now();
    let mut took: Vec<Duration> = Vec::new();
    for asker in askers.collect::<Vec<_>>() {
        took.extend(asker.await.unwrap());
    }
    let wall = start.elapsed();
    took.sort();
    let at = |percent: usize| took.get((took.len() * percent / 100).min(took.len() - 1)).copied().unwrap();
    let each = (cpu_seconds() - cpu) * 1e6 / f64::from(u32::try_from(took.len()).unwrap());
    println!(
        "  {in_flight:>2} in flight: p50 {:>5} us, p99 {:>5} us, {:>6.0} calls/s, {each:.0} CPU us each",
        at(50).as_micros(),
        at(99).as_micros(),
        f64::from(u32::try_from(took.len()).unwrap()) / wall.as_secs_f64(),
    );
}
