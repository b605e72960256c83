//! Nothing is asked for without end: so many calls are under way at once, and the same is asked for so often within an hour.

use std::collections::BTreeMap;

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
    /// A node makes a call: with so many under way, and what it hands in, or the bytes of what it asks for.
    pub(crate) fn calls(
        &mut self,
        now: Timestamp,
        who: Who,
        under_way: usize,
        words: &[Digest],
        request: &[u8],
    ) {
        if under_way > CALLS_MAX {
            self.blames(now, who, &format!("{under_way} calls are under way at once"));
        }
        if self.bounds.began.is_none_or(|began| began + HOUR <= now) {
            self.bounds = Bounds { began: Some(now), tries: BTreeMap::new() };
        }
        let words = words.iter().map(|word| *word.as_bytes());
        let asked = words.chain(std::iter::once(hash::blake3(&[request])));
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
}
