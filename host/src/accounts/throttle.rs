//! Guessing slowed down: after some failures each further attempt waits longer, for one account and for one address.
//!
//! A level rises with each failure and falls with time. The wait doubles with the level and is bounded, so that a stranger who
//! fails on purpose delays a doctor by minutes and never locks the account. An attempt counts as failed *before* its password is
//! hashed and is forgiven after: parallel guesses and a crash in between gain nothing. Unknown names count like known ones, and are kept as 32 bits of
//! a hash: enough to tell accounts apart, too few to confirm a password that somebody typed into the wrong field.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ring::digest::{SHA256, digest};
use yiqiao_proto::time::{Millis, Timestamp};

use crate::limits::THROTTLED_MAX;
use crate::store::{Changes, StoreError, Table};

/// How failures of one kind of subject slow it down.
#[derive(Clone, Copy, Debug)]
struct Rule {
    /// Failures that cost no wait.
    free: u32,
    /// The longest wait; the first is one second.
    wait_max: Millis,
    /// One failure is forgotten in each such time.
    forget: Millis,
}

/// With these waits a guesser has at most 288 attempts on an account in a day.
const ACCOUNT: Rule = Rule { free: 5, wait_max: Millis::from_secs(300), forget: Millis::from_secs(600) };

/// A whole hospital may stand behind one address: more are free, and they are forgotten sooner.
const ADDRESS: Rule = Rule { free: 20, wait_max: Millis::from_secs(900), forget: Millis::from_secs(60) };

const FIRST_WAIT_MS: u64 = 1000;
/// Ten doublings of a second exceed every longest wait.
const STEPS_MAX: u32 = 10;

/// Who is slowed down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject([u8; 9]);

impl Subject {
    /// An account, existing or not.
    pub(super) fn account(typed: &str) -> Self {
        let hash = digest(&SHA256, typed.to_ascii_lowercase().as_bytes());
        let mut key = [0; 9];
        key[0] = b'a';
        key.iter_mut().skip(1).zip(hash.as_ref().iter().take(4)).for_each(|(to, from)| *to = *from);
        Self(key)
    }

    /// An address: all of IPv4, the network of IPv6, of which one subscriber has 2^64 addresses.
    pub(super) fn address(from: IpAddr) -> Self {
        let mut key = [0; 9];
        let (tag, bytes) = match from.to_canonical() {
            IpAddr::V4(four) => (b'4', four.octets().to_vec()),
            IpAddr::V6(six) => (b'6', six.octets().to_vec()),
        };
        key[0] = tag;
        key.iter_mut().skip(1).zip(bytes).for_each(|(to, from)| *to = from);
        Self(key)
    }

    const fn rule(self) -> Rule {
        match self.0 {
            [b'a', ..] => ACCOUNT,
            _ => ADDRESS,
        }
    }
}

/// The failures of one subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Failures {
    level: u32,
    last: Timestamp,
}

impl Failures {
    /// The level after the time that has passed.
    fn level_at(self, now: Timestamp, rule: Rule) -> u32 {
        let forgotten = now.since(self.last).get() / rule.forget.get().max(1);
        self.level.saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX))
    }

    /// When the next attempt is allowed.
    fn open_at(self, rule: Rule) -> Timestamp {
        if self.level < rule.free {
            return self.last;
        }
        let doublings = (self.level - rule.free).min(STEPS_MAX);
        self.last + Millis::new((FIRST_WAIT_MS << doublings).min(rule.wait_max.get()))
    }

    fn one_more(self, now: Timestamp, rule: Rule) -> Self {
        Self { level: (self.level_at(now, rule) + 1).min(rule.free + STEPS_MAX), last: now }
    }

    fn encode(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        let parts = self.level.to_be_bytes().into_iter().chain(self.last.unix_ms().to_be_bytes());
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (level, last) = bytes.split_first_chunk()?;
        let last = Timestamp::from_unix_ms(i64::from_be_bytes(last.try_into().ok()?))?;
        Some(Self { level: u32::from_be_bytes(*level), last })
    }
}

/// The failures that are remembered, in memory and on disk.
#[derive(Debug)]
pub(super) struct Throttle {
    known: BTreeMap<Subject, Failures>,
    table: Table,
}

impl Throttle {
    /// Reads what was remembered; records that are none are dropped.
    pub(super) fn open(table: Table) -> Result<Self, StoreError> {
        let mut known = BTreeMap::new();
        for found in table.scan(b"")? {
            let (key, value) = found?;
            if let (Ok(key), Some(failures)) = (key.as_ref().try_into(), Failures::decode(&value)) {
                known.insert(Subject(key), failures);
            }
        }
        Ok(Self { known, table })
    }

    /// Counts an attempt of these subjects as failed, or says how long they have to wait yet.
    pub(super) fn attempt(
        &mut self,
        now: Timestamp,
        subjects: [Subject; 2],
    ) -> Result<Result<(), Millis>, StoreError> {
        let open_at =
            subjects.iter().filter_map(|subject| Some(self.known.get(subject)?.open_at(subject.rule())));
        let wait = open_at.map(|open| open.since(now)).max().unwrap_or_default();
        // A clock that was set back must not keep anybody out for longer than the rules do.
        if wait.get() > 0 && wait <= ADDRESS.wait_max {
            return Ok(Err(wait));
        }
        self.make_room(now)?;
        for subject in subjects {
            let failures = self.known.get(&subject).copied().unwrap_or_default();
            self.put(subject, failures.one_more(now, subject.rule()))?;
        }
        Ok(Ok(()))
    }

    /// Forgives an attempt that succeeded: the account begins anew, the address loses what the attempt added.
    pub(super) fn succeeded(&mut self, account: Subject, address: Subject) -> Result<(), StoreError> {
        self.forget([account])?;
        match self.known.get(&address).copied() {
            Some(Failures { level, last }) if level > 1 => {
                self.put(address, Failures { level: level - 1, last })
            }
            Some(_) => self.forget([address]),
            None => Ok(()),
        }
    }

    fn put(&mut self, subject: Subject, failures: Failures) -> Result<(), StoreError> {
        self.table.set(&subject.0, &failures.encode())?;
        self.known.insert(subject, failures);
        Ok(())
    }

    fn forget(&mut self, subjects: impl IntoIterator<Item = Subject>) -> Result<(), StoreError> {
        let mut changes = Changes::default();
        for subject in subjects {
            changes.remove(&subject.0);
            self.known.remove(&subject);
        }
        self.table.apply(changes)
    }

    /// Drops a tenth of a full table: those who have failed least, and longest ago, by now.
    fn make_room(&mut self, now: Timestamp) -> Result<(), StoreError> {
        if self.known.len() + 2 <= THROTTLED_MAX {
            return Ok(());
        }
        let mut by_weight: Vec<_> = self
            .known
            .iter()
            .map(|(subject, failures)| (failures.level_at(now, subject.rule()), failures.last, *subject))
            .collect();
        by_weight.sort_unstable();
        self.forget(by_weight.into_iter().take(THROTTLED_MAX / 10).map(|(_, _, subject)| subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_unix_ms(1_790_000_000_000 + secs * 1000).unwrap()
    }

    fn throttle() -> (tempfile::TempDir, Throttle) {
        let folder = tempfile::tempdir().unwrap();
        let table = Store::open(folder.path()).unwrap().table("failures").unwrap();
        (folder, Throttle::open(table).unwrap())
    }

    fn who(account: &str, address: u32) -> [Subject; 2] {
        [Subject::account(account), Subject::address(std::net::Ipv4Addr::from_bits(address).into())]
    }

    #[test]
    fn waits_double_after_the_free_failures_up_to_the_longest() {
        let (_folder, mut throttle) = throttle();
        let mut now = at(0);
        for _ in 0..5 {
            throttle.attempt(now, who("liwei", 1)).unwrap().unwrap();
        }
        let mut waits = Vec::new();
        for address in 2..13 {
            let wait = throttle.attempt(now, who("liwei", address)).unwrap().unwrap_err();
            waits.push(wait.get() / 1000);
            now = now + wait;
            throttle.attempt(now, who("liwei", address)).unwrap().unwrap();
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    #[test]
    fn failures_are_forgotten_with_time_and_by_success() {
        let (_folder, mut throttle) = throttle();
        for _ in 0..5 {
            throttle.attempt(at(0), who("liwei", 1)).unwrap().unwrap();
        }
        assert!(throttle.attempt(at(0), who("liwei", 1)).unwrap().is_err());
        for _ in 0..5 {
            throttle.attempt(at(3000), who("liwei", 1)).unwrap().unwrap();
        }
        assert!(throttle.attempt(at(3000), who("liwei", 1)).unwrap().is_err());
        let [account, address] = who("liwei", 1);
        throttle.succeeded(account, address).unwrap();
        throttle.attempt(at(3000), who("liwei", 1)).unwrap().unwrap();
    }

    #[test]
    fn an_address_that_tries_many_accounts_is_slowed_down() {
        let (_folder, mut throttle) = throttle();
        for n in 0..20 {
            throttle.attempt(at(0), who(&format!("staff{n}"), 1)).unwrap().unwrap();
        }
        assert!(throttle.attempt(at(0), who("another", 1)).unwrap().is_err());
        throttle.attempt(at(0), who("another", 2)).unwrap().unwrap();
    }

    #[test]
    fn one_success_does_not_clear_an_address() {
        let (_folder, mut throttle) = throttle();
        for n in 0..20 {
            throttle.attempt(at(0), who(&format!("staff{n}"), 1)).unwrap().unwrap();
        }
        let now = at(2);
        throttle.attempt(now, who("own", 1)).unwrap().unwrap();
        let [own, address] = who("own", 1);
        throttle.succeeded(own, address).unwrap();
        assert!(throttle.attempt(now, who("another", 1)).unwrap().is_err());
    }

    #[test]
    fn the_table_stays_bounded_and_keeps_the_worst() {
        let (_folder, mut throttle) = throttle();
        for _ in 0..5 {
            throttle.attempt(at(0), who("liwei", 0)).unwrap().unwrap();
        }
        for n in 0..THROTTLED_MAX {
            let n = u32::try_from(n).unwrap();
            throttle.attempt(at(1), who(&format!("x{n}"), n + 1)).unwrap().unwrap();
        }
        assert!(throttle.known.len() <= THROTTLED_MAX);
        assert_eq!(throttle.table.count().unwrap(), throttle.known.len());
        assert!(throttle.known.contains_key(&Subject::account("liwei")));
    }

    #[test]
    fn failures_survive_a_restart() {
        let (_folder, mut throttle) = throttle();
        for _ in 0..5 {
            throttle.attempt(at(0), who("liwei", 1)).unwrap().unwrap();
        }
        let mut again = Throttle::open(throttle.table.clone()).unwrap();
        assert!(again.attempt(at(0), who("LiWei", 9)).unwrap().is_err());
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_out() {
        let (_folder, mut throttle) = throttle();
        for _ in 0..6 {
            throttle.attempt(at(1_000_000), who("liwei", 1)).unwrap().unwrap_or_default();
        }
        throttle.attempt(at(0), who("liwei", 1)).unwrap().unwrap();
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one() {
        let [a, b, c] = ["2001:db8::1", "2001:db8::2", "2001:db8:1::1"]
            .map(|text| Subject::address(text.parse().unwrap()));
        assert!(a == b && a != c);
        let mapped = Subject::address("::ffff:10.0.0.1".parse().unwrap());
        assert_eq!(mapped, Subject::address("10.0.0.1".parse().unwrap()));
    }
}
