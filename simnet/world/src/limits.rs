//! Every bound and wait of the world. Those that a service keeps to as well are of the cores.

use yiqiao_node_core::limits as node;
use yiqiao_proto::time::Millis;

/// Hospitals of one world.
pub const HOSPITALS_MAX: usize = 1_000;
/// Residents of one world.
pub const PATIENTS_MAX: usize = 100_000;
/// Hours that people act.
pub const HOURS_MAX: u64 = 48;
/// Seeds of one sweep.
pub const SEEDS_MAX: u64 = 1_000_000;
/// Events of one run; one that has more does not come to rest.
pub const EVENTS_MAX: u64 = 1_000_000_000;

/// Residents whose names and numbers are looked for in every writing; those of all others only as they are written.
pub(crate) const WATCHED_MAX: usize = 1_000;

/// Calls that a node's machine has under way at once, and those of documents that come.
pub(crate) const CALLS_MAX: usize =
    node::FLIGHTS_MAX + 2 * node::SAYING_MAX + node::ERRANDS_MAX * (1 + node::RANGES_AT_ONCE) + OTHER_CALLS;
/// Readings of the feed, of the lease and of lists among them, as many again whose process has begun anew, and some more.
const OTHER_CALLS: usize = 16;
/// How often one thing is asked for, or one word handed in, within an hour: each fifteen seconds at most, and some more after
/// each restart and each jump of a clock.
pub(crate) const TRIES_PER_HOUR_MAX: u32 = 900;

/// Calls of one member, and stretches that it asks for, that a process keeps until there is something to answer.
pub(crate) const KEPT_PER_PEER_MAX: usize = 256;
/// How often a batch that was not kept may leave calls under way of which nobody wants the answer any more.
pub(crate) const ERAS_MAX: usize = 4;

/// Wrong merges of one town.
pub(crate) const MISTAKES_MAX: u64 = 3;
/// Visits of one town under other people's cards.
pub(crate) const BORROWED_MAX: u64 = 3;

/// Keys of one kind that a member has in one world.
pub(crate) const KEYS_MAX: u8 = 8;
/// Since how many words ago at most a key has been in other hands when that is found out.
pub(crate) const COMPROMISED_WORDS_MAX: u64 = 200;
/// Token epochs of one world.
pub(crate) const EPOCHS_MAX: u32 = 3;
/// How soon it is known that nobody takes a call.
pub(crate) const NOBODY: Millis = Millis::new(400);
/// How many bytes a way takes in a millisecond.
pub(crate) const BYTES_PER_MS: u64 = 4_096;
/// By how much long documents are longer: most are of two to six chunks, some of several ranges.
pub(crate) const LONGER: [(u64, u64); 2] = [(300 << 10, 1_400 << 10), (5 << 20, 9 << 20)];

/// For how long an attacker holds a packet back at most, in seconds.
pub(crate) const HELD_SECONDS_MAX: u64 = 2_400;
/// Packets that an attacker remembers.
pub(crate) const HEARD_MAX: usize = 200;
/// A packet that is drawn out: longer than any call may be.
pub(crate) const LONG_BYTES: usize = 9 << 20;

/// A segment of a simulated journal: short, so that runs have several.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 1 << 18;
/// After so many batches an index is written to the disk.
pub(crate) const SAVED_EVERY: u64 = 24;
/// The longest that a batch waits for a disk that is in order.
pub(crate) const SYNC_MS_MAX: i64 = 8;
/// So many times longer does it take on a slow disk.
pub(crate) const SLOWER: u64 = 300;
/// How soon a process that could not start is started again.
pub(crate) const START_AGAIN: Millis = Millis::from_secs(5);

/// The region's lease.
pub(crate) const LEASE: Millis = Millis::from_secs(30);
/// By how much a clock that runs too slow lengthens a lease, with room for rounding.
pub(crate) const DRIFT_ROOM: Millis = Millis::new(100);
/// After a revocation stands in the log nothing is let go that only it forbids, later than this.
pub(crate) const REVOKED_WITHIN: Millis = Millis::new(LEASE.get() + DRIFT_ROOM.get());

/// How long a sender waits for its answer.
pub(crate) const ACK_WAIT: Millis = Millis::from_secs(5);
/// How long somebody at a screen waits.
pub(crate) const SCREEN_WAIT: Millis = Millis::from_secs(10);
/// Searches that are compared at the end with what must be found: of more, each so many-th is tried.
pub(crate) const LAST_SEARCHES_MAX: usize = 4_000;
/// How often somebody tries the same thing.
pub(crate) const TRIES_MAX: u32 = 4;

/// How often it is looked whether all has come to rest.
pub(crate) const LOOK_EVERY: Millis = Millis::from_secs(10);
/// After healing, all comes to rest within this.
pub(crate) const REST_WITHIN: Millis = Millis::from_secs(1_800);
