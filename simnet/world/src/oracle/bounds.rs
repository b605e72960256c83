//! Nothing is asked for or held without end: so many calls are under way at once, the same is asked for so often within an hour,
//! and what grows with requests and peers stays within its bound.

use std::collections::BTreeMap;

use yiqiao_node_core::memory::Held;
use yiqiao_proto::hash;
use yiqiao_proto::id::Digest;
use yiqiao_proto::time::{Millis, Timestamp};

use super::Oracle;
use crate::limits::{CALLS_MAX, TRIES_PER_HOUR_MAX};
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
            self.blames(now, who, &format!("{under_way} calls are under way at once"));
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
            self.blames(now, who, &format!("the same is asked for {most} times within an hour"));
        }
    }
    /// A process holds so much of something, and may hold so much.
    pub(crate) fn holds(&mut self, now: Timestamp, who: Who, Held { what, count, max }: Held) {
        if count > max {
            self.blames(now, who, &format!("more is held than may be: {what}: {count} of {max}"));
        }
    }
}
