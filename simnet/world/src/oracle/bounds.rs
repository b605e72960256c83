//! Nothing is asked for or held without end: so many calls are under way at once, the same is asked for so often within an hour,
//! and what grows with requests and peers stays within its bound.

use std::collections::BTreeMap;

use yiqiao_node_core::memory::Held;
use yiqiao_proto::hash;
use yiqiao_proto::id::Digest;
use yiqiao_proto::time::{Millis, Timestamp};

use super::{Oracle, Wrong};
use crate::limits::{CALLS_MAX, EVENTS_MAX, TRIES_PER_HOUR_MAX};
use crate::network::Who;

const HOUR: Millis = Millis::from_secs(3_600);

/// How often each thing was asked for in the hour that runs.
#[derive(Default)]
pub(super) struct Bounds {
    began: Option<Timestamp>,
    tries: BTreeMap<(Who, [u8; 32]), u32>,
}

impl Oracle {
    /// A node makes a call: with so many under way, and what it hands in, or the bytes of what it asks for; none of what is never
    /// asked twice in the same bytes, because a nonce is in it.
    pub(crate) fn calls(
        &mut self,
        now: Timestamp,
        who: Who,
        under_way: usize,
        words: &[Digest],
        request: Option<&[u8]>,
    ) {
        if under_way > CALLS_MAX {
            self.blames(now, who, Wrong::CallsAtOnce.of(under_way));
        }
        let words = words.iter().map(|word| *word.as_bytes());
        self.tries(now, who, words.chain(request.map(|request| hash::blake3(&[request]))));
    }

    /// A process asks for something; each thing by a name.
    pub(crate) fn tries(&mut self, now: Timestamp, who: Who, asked: impl Iterator<Item = [u8; 32]>) {
        if self.bounds.began.is_none_or(|began| began + HOUR <= now) {
            self.bounds = Bounds { began: Some(now), tries: BTreeMap::new() };
        }
        let tries = asked.map(|thing| {
            let tries = self.bounds.tries.entry((who, thing)).or_default();
            *tries += 1;
            *tries
        });
        let most = tries.max().unwrap_or(0);
        if most > TRIES_PER_HOUR_MAX {
            self.blames(now, who, Wrong::AskedAgain.of(most));
        }
    }

    /// The world has seen so many events.
    pub(crate) fn has_seen(&mut self, now: Timestamp, events: u64) {
        if events > EVENTS_MAX {
            self.blames(now, Who::REGISTRY, Wrong::Endless);
        }
    }

    /// A process holds so much of something, and may hold so much.
    pub(crate) fn holds(&mut self, now: Timestamp, who: Who, Held { what, count, max }: Held) {
        if count > max {
            self.blames(now, who, Wrong::TooMuchHeld.of(format_args!("{what}: {count} of {max}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::samples::oracle;

    #[test]
    fn more_calls_at_once_than_a_node_may_make_are_seen() {
        for (calls, expected) in [(CALLS_MAX, None), (CALLS_MAX + 1, Some(Wrong::CallsAtOnce))] {
            let mut oracle = oracle();
            oracle.calls(Timestamp::default(), Who(1), calls, &[], None);
            assert_eq!(oracle.wrong(), expected);
        }
    }

    #[test]
    fn a_world_that_goes_on_for_good_is_seen() {
        for (events, expected) in [(EVENTS_MAX, None), (EVENTS_MAX + 1, Some(Wrong::Endless))] {
            let mut oracle = oracle();
            oracle.has_seen(Timestamp::default(), events);
            assert_eq!(oracle.wrong(), expected);
        }
    }
}
