//! Bounds of waiting for a broker, and of what is read of one.

use std::time::Duration;

/// How long a broker may take to be reached, to let this node in, and to confirm a message.
pub const WAIT: Duration = Duration::from_secs(30);

/// Bytes of a line of NATS: what a server says of itself may name all servers of its cluster.
pub const LINE_BYTES_MAX: u64 = 64 << 10;

/// Bytes of what a server of NATS answers.
pub const ANSWER_BYTES_MAX: usize = 1 << 20;
