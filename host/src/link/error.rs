//! How the link fails, and whose fault it is. No error carries what was asked or answered.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use libp2p::{Multiaddr, PeerId};

/// Why the link could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The seed is no Ed25519 key, or the handshake could not be set up from it.
    #[error("the transport key cannot be used: {0}")]
    Key(String),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {cause}; is another process using it?")]
    Listen {
        /// The address as configured.
        address: Multiaddr,
        /// What the system said.
        cause: String,
    },
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The peer is not a current member, by the list that this process has.
    #[error("{peer} is not in the member list; wait for a newer list or check the id")]
    NotInRoster {
        /// Who was asked.
        peer: PeerId,
    },
    /// No connection could be made.
    #[error("cannot reach the peer at {tried:?}: {cause}")]
    Unreachable {
        /// The addresses that were dialled; none if the list has none and the peer has to connect by itself.
        tried: Vec<Multiaddr>,
        /// What the last attempt said.
        cause: String,
    },
    /// The peer closed the connection before it said anything.
    #[error("the peer closed the connection at once; its member list may not have this process yet")]
    TurnedAway,
    /// The peer, or this process for it, has as many requests as it takes.
    #[error("the peer is busy; try again later")]
    Busy,
    /// The request or its answer is longer than a message may be.
    #[error("the {part} is longer than {limit} bytes")]
    TooLarge {
        /// Which of the two.
        part: Part,
        /// The limit.
        limit: usize,
    },
    /// The service at the peer said no.
    #[error("refused by the peer with code {}", .0.code)]
    Refused(Refusal),
    /// The deadline passed.
    #[error("no answer within the deadline")]
    TimedOut,
    /// The stream broke; the peer may or may not have done what was asked.
    #[error("the connection broke before the answer came")]
    Disconnected,
    /// The service at the peer failed on this request.
    #[error("the peer failed on this request; its own log says why")]
    PeerFailed,
    /// The peer broke a rule of the protocol.
    #[error("the peer broke the protocol: {0}")]
    PeerFault(#[from] PeerFault),
    /// This process is stopping.
    #[error("this process is stopping")]
    Stopping,
}

/// Why a pull ended before its last byte.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PullError {
    /// The holder stopped on purpose, for instance because consent was revoked.
    #[error("stopped by the holder with code {code}")]
    Stopped {
        /// What the holder's service gave as the reason.
        code: u16,
    },
    /// The holder could not read what it was sending.
    #[error("the holder failed while sending; its own log says why")]
    HolderFailed,
    /// No chunk came for too long; the rest can be asked for again.
    #[error("no progress within {after:?}")]
    Stalled {
        /// The limit for one chunk.
        after: Duration,
    },
    /// The connection broke; the rest can be asked for again.
    #[error("the connection broke before the end")]
    Disconnected,
    /// The holder broke a rule of the protocol.
    #[error("the holder broke the protocol: {0}")]
    PeerFault(#[from] PeerFault),
}

/// A rule that the other side broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerFault {
    /// A frame says that it is longer than frames may be.
    #[error("a frame is longer than {limit} bytes")]
    FrameTooLarge {
        /// The limit.
        limit: usize,
    },
    /// A frame ends before its fields do.
    #[error("a frame is shorter than its fields")]
    FrameTruncated,
    /// A frame of a kind that does not exist.
    #[error("a frame has the unknown kind {kind}")]
    UnknownKind {
        /// The kind.
        kind: u8,
    },
    /// A frame that may not come here.
    #[error("a frame came where it may not")]
    OutOfPlace,
    /// A message says that it is longer than messages may be.
    #[error("a message is longer than {limit} bytes")]
    MessageTooLarge {
        /// The limit.
        limit: usize,
    },
    /// More bytes came than were announced.
    #[error("more bytes came than were announced")]
    BeyondLength,
}

/// The two halves of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What is asked.
    Request,
    /// What is answered.
    Answer,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Request => "request",
            Self::Answer => "answer",
        })
    }
}

/// A service's no: a code that both sides know, and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of no; the service's protocol defines it.
    pub code: u16,
    /// At most [`REFUSAL_DETAIL_BYTES_MAX`](super::limits::REFUSAL_DETAIL_BYTES_MAX) bytes.
    pub detail: Bytes,
}

/// The error with which a [`PullAnswer`](super::PullAnswer)'s body says that sending must stop, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sending has to stop with code {0}")]
pub struct Stop(pub u16);

impl From<Stop> for io::Error {
    fn from(stop: Stop) -> Self {
        Self::other(stop)
    }
}

/// How a stream ended that should have gone on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum StreamEnd {
    #[error("closed")]
    Closed,
    #[error("stalled")]
    Stalled,
    #[error("{0}")]
    Fault(#[from] PeerFault),
}

impl From<StreamEnd> for CallError {
    fn from(end: StreamEnd) -> Self {
        match end {
            StreamEnd::Closed | StreamEnd::Stalled => Self::Disconnected,
            StreamEnd::Fault(fault) => Self::PeerFault(fault),
        }
    }
}
