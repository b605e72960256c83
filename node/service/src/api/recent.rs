//! What is remembered for a while and may be forgotten at any time: bounded in number and in time.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use yiqiao_proto::time::{Millis, Timestamp};

/// Values by key; the oldest goes when one too many comes.
pub(super) struct Recent<K, V> {
    kept: Mutex<BTreeMap<K, (Timestamp, V)>>,
    most: usize,
    life: Millis,
}

impl<K: Ord + Clone, V: Clone> Recent<K, V> {
    pub(super) const fn new(most: usize, life: Millis) -> Self {
        Self { kept: Mutex::new(BTreeMap::new()), most, life }
    }

    /// Remembers a value, in place of one of the same key.
    pub(super) fn put(&self, now: Timestamp, key: K, value: V) {
        let mut kept = self.kept();
        if kept.len() >= self.most && !kept.contains_key(&key) {
            kept.retain(|_, (at, _)| now.since(*at) < self.life);
        }
        while kept.len() >= self.most && !kept.contains_key(&key) {
            let oldest = kept.iter().min_by_key(|(_, (at, _))| *at).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { return };
            kept.remove(&oldest);
        }
        kept.insert(key, (now, value));
    }

    /// What is remembered, and since when.
    pub(super) fn get(&self, now: Timestamp, key: &K) -> Option<(Timestamp, V)> {
        let found = self.kept().get(key).cloned();
        found.filter(|(at, _)| now.since(*at) < self.life)
    }

    /// What was remembered, once.
    pub(super) fn take(&self, now: Timestamp, key: &K) -> Option<V> {
        let found = self.kept().remove(key);
        found.filter(|(at, _)| now.since(*at) < self.life).map(|(_, value)| value)
    }

    /// A panic while the lock is held leaves the map whole: each change is one call.
    fn kept(&self) -> MutexGuard<'_, BTreeMap<K, (Timestamp, V)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms).unwrap()
    }

    #[test]
    fn the_oldest_goes_first_and_nothing_outlives_its_time() {
        let recent = Recent::new(2, Millis::new(100));
        for (ms, key) in [(0, 'a'), (10, 'b'), (20, 'c')] {
            recent.put(at(ms), key, ms);
        }
        assert_eq!(recent.get(at(30), &'a'), None);
        assert_eq!(recent.get(at(30), &'b'), Some((at(10), 10)));
        assert_eq!(recent.get(at(110), &'b'), None);
        recent.put(at(120), 'c', 7);
        assert_eq!(recent.get(at(121), &'c'), Some((at(120), 7)));
        assert_eq!((recent.take(at(121), &'c'), recent.take(at(121), &'c')), (Some(7), None));
        recent.put(at(130), 'd', 8);
        assert_eq!(recent.take(at(230), &'d'), None);
    }
}
