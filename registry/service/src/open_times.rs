//! When the log was open: what tells "nothing happened" from "nobody was counting".
//!
//! One record for each start of the process: when it began, and when it was last seen running, to within a minute. It can be lost
//! without harm to anything but this knowledge.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use yiqiao_host::clock::Clock;
use yiqiao_host::store::{Changes, Store, StoreError, Table};
use yiqiao_proto::time::{Millis, Timestamp};

use crate::limits::{OPEN_NOTED_EVERY, OPEN_SPANS_MAX};

/// The spans that are remembered; clones share them.
#[derive(Clone)]
pub(crate) struct OpenTimes(Arc<Shared>);

struct Shared {
    table: Table,
    /// When this process began to count.
    began: Timestamp,
    /// Beginning and end of each span.
    spans: Mutex<BTreeMap<Timestamp, Timestamp>>,
}

impl OpenTimes {
    /// Opens the records in a folder and begins the span of this process.
    pub(crate) fn begin(folder: &Path, now: Timestamp) -> Result<Self, StoreError> {
        let table = Store::open_or_discard(folder)?.table("open")?;
        let mut spans = BTreeMap::new();
        for found in table.scan(b"")? {
            let (key, value) = found?;
            if let (Some(from), Some(to)) = (decode(&key), decode(&value)) {
                spans.insert(from, to);
            }
        }
        let mut changes = Changes::default();
        while spans.len() >= OPEN_SPANS_MAX
            && let Some((oldest, _)) = spans.pop_first()
        {
            changes.remove(&encode(oldest));
        }
        table.apply(changes)?;
        let open = Self(Arc::new(Shared { table, began: now, spans: Mutex::new(spans) }));
        open.note(now)?;
        Ok(open)
    }

    /// Writes down that the log is open.
    pub(crate) fn note(&self, now: Timestamp) -> Result<(), StoreError> {
        let Shared { table, began, .. } = &*self.0;
        self.spans().insert(*began, now.max(*began));
        table.set(&encode(*began), &encode(now))?;
        table.store().commit()
    }

    /// Does so every minute, until it is dropped.
    pub(crate) async fn keep_noting(self, clock: Clock) {
        let mut every = tokio::time::interval(OPEN_NOTED_EVERY);
        loop {
            every.tick().await;
            let (open, now) = (self.clone(), clock.now());
            match tokio::task::spawn_blocking(move || open.note(now)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "it is not written down that the log is open"),
                Err(_) => return,
            }
        }
    }

    /// Since when it is known at all.
    pub(crate) fn known_since(&self) -> Timestamp {
        self.spans().keys().next().copied().unwrap_or(self.0.began)
    }

    /// How long the log was open within a time.
    pub(crate) fn within(&self, time: &Range<Timestamp>) -> Millis {
        let spans = self.spans();
        let shared =
            spans.range(..time.end).map(|(from, to)| (*to).min(time.end).since((*from).max(time.start)));
        let sum = shared.map(Millis::get).sum();
        // A clock that was set back counts some time twice.
        Millis::new(sum).min(time.end.since(time.start))
    }

    fn spans(&self) -> MutexGuard<'_, BTreeMap<Timestamp, Timestamp>> {
        self.0.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn encode(at: Timestamp) -> [u8; 8] {
    at.unix_ms().to_be_bytes()
}

fn decode(bytes: &[u8]) -> Option<Timestamp> {
    Timestamp::from_unix_ms(i64::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_unix_ms(1_790_000_000_000 + minutes * 60_000).unwrap()
    }

    fn minutes(open: &OpenTimes, from: i64, to: i64) -> u64 {
        open.within(&(at(from)..at(to))).get() / 60_000
    }

    #[test]
    fn the_time_between_two_runs_was_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let open = OpenTimes::begin(folder.path(), at(0)).unwrap();
        open.note(at(30)).unwrap();
        drop(open);
        let open = OpenTimes::begin(folder.path(), at(50)).unwrap();
        open.note(at(70)).unwrap();
        assert_eq!(open.known_since(), at(0));
        assert_eq!(minutes(&open, 0, 60), 40);
        assert_eq!(minutes(&open, 35, 45), 0);
        assert_eq!(minutes(&open, -60, 0), 0);
        assert_eq!(minutes(&open, 60, 120), 10);
    }
}
