//! What the machine holds in memory that could grow with what is asked of it and of others, each with its bound. All else in
//! memory is of one size, or is the member list.
//!
//! Not here: what is kept in the index; that grows with what the journal has.

use crate::limits::{
    CHANGED_HEADS_MAX, DUE_MAX, ERRAND_LOOKS_MAX, ERRANDS_MAX, FLIGHTS_MAX, HEARD_MAX, LOOKS_MAX, SAYING_MAX,
    STARVED_MAX,
};
use crate::machine::Machine;

/// How much of something is held, and how much can be at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// What.
    pub what: &'static str,
    /// How much now.
    pub count: usize,
    /// At most.
    pub max: usize,
}

/// Readings of the feed and of the lease, proofs, and some that tell members of a revocation.
const OTHER_FLIGHTS: usize = 16;

impl Machine {
    /// What is held in memory now.
    pub fn held(&self) -> [Held; 7] {
        let members = self.directory.list().members.len();
        let (again, starved) = self.outbox.places();
        let (due, heads) = self.errands.in_memory();
        let (heard, compared) = self.comparing.in_memory();
        let flights = FLIGHTS_MAX + 2 * SAYING_MAX + ERRANDS_MAX + OTHER_FLIGHTS + members;
        [
            ("calls", self.outbox.flights.len(), flights),
            ("places of the queue to look at again", again, FLIGHTS_MAX * LOOKS_MAX + STARVED_MAX),
            ("places without tokens", starved, STARVED_MAX + LOOKS_MAX),
            ("errands", due, DUE_MAX + ERRAND_LOOKS_MAX),
            ("heads that have changed", heads, CHANGED_HEADS_MAX),
            ("checkpoints", heard, HEARD_MAX),
            ("members that were compared with", compared, members),
        ]
        .map(|(what, count, max)| Held { what, count, max })
    }
}
