//! Members whose feed is being read and has nothing newer: told when it has (F-3).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use yiqiao_proto::id::Code;

/// Who waits; clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Feeds(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    members: BTreeMap<Code, watch::Sender<()>>,
    closed: bool,
}

impl Feeds {
    /// Is told of everything that comes to a member's feed from now on; at the end all are told that nothing will.
    pub(crate) fn follow(&self, member: &Code) -> watch::Receiver<()> {
        let mut waiting = self.lock();
        if waiting.closed {
            return watch::channel(()).1;
        }
        waiting.members.entry(member.clone()).or_insert_with(|| watch::channel(()).0).subscribe()
    }

    /// Those who wait and whose feed has grown.
    pub(crate) fn grown(&self, has_grown: impl Fn(&Code) -> bool) -> Vec<Code> {
        let mut waiting = self.lock();
        waiting.members.retain(|_, member| member.receiver_count() > 0);
        waiting.members.keys().filter(|member| has_grown(member)).cloned().collect()
    }

    /// Tells these members.
    pub(crate) fn tell(&self, members: &[Code]) {
        let waiting = self.lock();
        members.iter().filter_map(|member| waiting.members.get(member)).for_each(|member| {
            member.send_replace(());
        });
    }

    /// Ends all waiting.
    pub(crate) fn close(&self) {
        *self.lock() = Waiting { members: BTreeMap::new(), closed: true };
    }

    /// A panic while the lock is held leaves the map whole: each change is one call.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_feed_has_grown_is_told_and_nobody_else_until_the_end() {
        let feeds = Feeds::default();
        let code = |text: &str| Code::new(text).unwrap();
        let (mut a, mut b) = (feeds.follow(&code("a")), feeds.follow(&code("b")));
        drop(feeds.follow(&code("gone")));
        let grown = feeds.grown(|member| member.as_str() != "b");
        assert_eq!(grown, [code("a")], "who is gone is forgotten");
        feeds.tell(&grown);
        assert!(a.has_changed().unwrap() && !b.has_changed().unwrap());
        a.borrow_and_update();
        feeds.close();
        assert!(a.has_changed().is_err() && b.has_changed().is_err());
        b.borrow_and_update();
        assert!(feeds.follow(&code("a")).has_changed().is_err());
    }
}
