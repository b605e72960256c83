//! Bounds of waiting for a broker.

use std::time::Duration;

/// How long a broker may take to be reached, to let this node in, and to confirm a message.
pub const WAIT: Duration = Duration::from_secs(30);
