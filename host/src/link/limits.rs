//! What the link allows: sizes, counts and times. What a deployment may turn is in [`Limits`]; what both ends must
//! agree on is a constant.

use std::time::Duration;

/// Longest request and longest answer of a small call.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How much of one message goes out before another message gets its turn.
pub const PIECE_BYTES_MAX: usize = 64 * 1024;

/// Longest request for a pull.
pub const PULL_REQUEST_BYTES_MAX: usize = 64 * 1024;

/// Longest header before the body of a pull: the chunk hashes of a document of 8 GiB fit.
pub const PULL_HEADER_BYTES_MAX: usize = 1024 * 1024;

/// Longest chunk of a pulled body.
pub const CHUNK_BYTES_MAX: usize = 256 * 1024;

/// Longest detail of a refusal.
pub const REFUSAL_DETAIL_BYTES_MAX: usize = 16 * 1024;

/// Longest that a caller waits and that a service works on one request, whatever deadline the caller names.
pub const DEADLINE_MAX: Duration = Duration::from_secs(120);

/// Most pulls in each direction between two peers, whatever [`Limits`] says.
pub const PULLS_PER_PEER_MAX: usize = 64;

/// Connections to one peer: one, and a second for two sides that dial at once or a peer that came back.
pub const CONNECTIONS_PER_PEER_MAX: usize = 2;

/// Most addresses of one peer that are dialled.
pub const ADDRESSES_PER_PEER_MAX: usize = 8;

/// A connection that ends sooner than this after its start counts as a failed attempt.
pub const STEADY_AFTER: Duration = Duration::from_secs(5);

/// Streams of one connection, both directions together; yamux ends a connection that asks for more.
pub(super) const STREAMS_PER_CONNECTION_MAX: usize = 256;

/// Longest frame on a call stream: a piece and the longest head before it.
pub(super) const CALL_FRAME_BYTES_MAX: usize = PIECE_BYTES_MAX + 64;

/// Longest frame on a pull stream: the header and what says what it is.
pub(super) const PULL_FRAME_BYTES_MAX: usize = PULL_HEADER_BYTES_MAX + 64;

/// When the writer of a call stream stops gathering frames and writes.
pub(super) const WRITE_BYTES: usize = 128 * 1024;

/// Requests to open a stream that wait for the driver, and those that wait for one peer to be reached.
pub(super) const OPENS_WAITING_MAX: usize = 256;

/// How long closing the connections may take at the end.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);

/// Pauses of a caller that was told to come back later.
pub(super) const BUSY_PAUSE_MIN: Duration = Duration::from_millis(4);
pub(super) const BUSY_PAUSE_MAX: Duration = Duration::from_millis(500);

/// Pauses between attempts to reach a peer that is to be kept connected.
pub(super) const RECONNECT_PAUSE_MIN: Duration = Duration::from_millis(100);
pub(super) const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(30);

const _: () = assert!(REFUSAL_DETAIL_BYTES_MAX < PIECE_BYTES_MAX, "a refusal is one frame");
const _: () = assert!(CHUNK_BYTES_MAX < PULL_FRAME_BYTES_MAX, "a chunk is one frame");
const _: () = assert!(MESSAGE_BYTES_MAX <= u32::MAX as usize, "lengths travel as 32 bits");
// Each side: its pulls, a call stream, a ping; as much again for those that are just being closed.
const _: () = assert!(2 * (PULLS_PER_PEER_MAX + 2) < STREAMS_PER_CONNECTION_MAX);

/// What one process allows its peers and itself.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Calls in flight with one peer, each way; a peer that asks more is told to come back later.
    pub calls_per_peer: usize,
    /// Bytes of requests of one peer that are held at once.
    pub call_bytes_per_peer: usize,
    /// Bytes of requests of all peers that are held at once.
    pub call_bytes: usize,
    /// Pulls with one peer, each way; at most [`PULLS_PER_PEER_MAX`].
    pub pulls_per_peer: usize,
    /// Pulls served at once to all peers.
    pub pulls: usize,
    /// Established connections.
    pub connections: u32,
    /// Incoming connections that have not finished their handshake.
    pub pending_incoming: u32,
    /// How long reaching a peer may take: dialling, handshake, and its greeting.
    pub connect: Duration,
    /// How long the other side may take over one piece before it counts as gone.
    pub stall: Duration,
    /// How soon a peer that no longer answers pings is given up. The first lost ping is forgiven.
    pub dead_after: Duration,
    /// How long a connection that nobody uses is kept.
    pub idle: Duration,
    /// How long running calls and pulls may take to finish at shutdown.
    pub drain: Duration,
}

impl Limits {
    /// How often to ping, and how long the answer may take: two rounds of both make up [`Limits::dead_after`].
    pub(super) fn ping(&self) -> (Duration, Duration) {
        (self.dead_after / 5, self.dead_after * 3 / 10)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_per_peer: 64,
            call_bytes_per_peer: 32 * 1024 * 1024,
            call_bytes: 256 * 1024 * 1024,
            pulls_per_peer: 8,
            pulls: 64,
            connections: 4096,
            pending_incoming: 64,
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(15),
            dead_after: Duration::from_secs(14),
            idle: Duration::from_mins(2),
            drain: Duration::from_secs(10),
        }
    }
}
