//! Nobody decides under a lease that has ended, or that goes back behind one that came before; and no process of the registry does
//! anything in a term after the next has begun (F-6, F-7, F-8, L-10).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use yiqiao_proto::envelope::{Envelope, Verified, Word as _};
use yiqiao_proto::lease::Lease;
use yiqiao_proto::release::Release;
use yiqiao_proto::time::Timestamp;

use super::{Oracle, Wrong};
use crate::limits::{DRIFT_ROOM, LEASE};
use crate::network::Who;

/// So many leases of a holder are known: those before have ended, unless its clock stands, and then no other came.
const LEASES_KNOWN: usize = 16;

/// What is known of leases and terms.
#[derive(Default)]
pub(super) struct Leases {
    /// The last ones of each holder.
    came: BTreeMap<Who, VecDeque<Came>>,
    /// The newest of which each member was told.
    terms: BTreeMap<Who, u64>,
    /// The newest that has begun.
    begun: u64,
}

struct Came {
    lease: Arc<Verified<Lease>>,
    asked_at: Timestamp,
    /// The newest term that its holder knew when it asked.
    known: u64,
}

impl Oracle {
    /// A process of the registry begins a term.
    pub(crate) fn begins_term(&mut self, term: u64) {
        self.leases.begun = self.leases.begun.max(term);
    }

    /// A process of the registry accepts words, or signs a lease.
    pub(crate) fn acts_in_term(&mut self, now: Timestamp, term: u64) {
        if term < self.leases.begun && !self.is_forged() {
            self.blames(now, Who::REGISTRY, Wrong::TermOver);
        }
    }

    /// The newest term of which a member was told.
    pub(crate) fn term_of(&self, who: Who) -> u64 {
        self.leases.terms.get(&who).copied().unwrap_or(0)
    }

    /// A lease comes that was asked for at this true time, when this term was known.
    pub(crate) fn leased(&mut self, who: Who, lease: &Arc<Verified<Lease>>, asked_at: Timestamp, known: u64) {
        let came = self.leases.came.entry(who).or_default();
        came.truncate(LEASES_KNOWN - 1);
        came.push_front(Came { lease: lease.clone(), asked_at, known });
    }

    /// A holder decides to release, and says under which lease.
    pub(crate) fn releases(&mut self, now: Timestamp, who: Who, release: &[u8]) {
        let release = Envelope::decode(release).ok().and_then(|it| Release::decode(it.payload()).ok());
        let Some(release) = release else {
            return self.blames(now, who, Wrong::ReleaseUnreadable);
        };
        let mut came = self.leases.came.get(&who).into_iter().flatten();
        let of_release = |came: &&Came| came.lease.envelope().payload_hash() == release.terms.lease;
        let Some(came) = came.find(of_release) else {
            return self.blames(now, who, Wrong::LeaseUnknown);
        };
        let term = came.lease.word().term;
        let (ended, back) = (came.asked_at + LEASE + DRIFT_ROOM < now, term < came.known);
        if ended {
            self.blames(now, who, Wrong::LeaseEnded);
        } else if back {
            self.blames(now, who, Wrong::LeaseEarlier);
        }
        let newest = self.leases.terms.entry(who).or_default();
        *newest = term.max(*newest);
    }
}

#[cfg(test)]
mod tests {
    use yiqiao_proto::envelope::Said;
    use yiqiao_proto::id::Nonce;
    use yiqiao_proto::time::Millis;

    use super::*;
    use crate::load::code_of;
    use crate::oracle::samples::{digest, oracle, release};
    use crate::region::{For, code, constant};

    /// A lease of the first hospital in the second term.
    fn lease(oracle: &Oracle) -> Arc<Verified<Lease>> {
        let lease = Lease {
            member: code_of(0),
            nonce: Nonce::new([1; 32]).expect("not all zeros"),
            term: 2,
            feed_number: 0,
            feed_chain: digest(1),
            list_version: 1,
            list_hash: digest(2),
            log_id: constant("log-1"),
            duration: Millis::from_secs(30),
        };
        let envelope = Envelope::sign(&code(), &lease, &oracle.region.key(Who::REGISTRY, For::Lease));
        Arc::new(Verified::check(envelope, &oracle.region.directory, Said::Now).expect("it is signed so"))
    }

    /// What is found if a holder decides under a lease that came when this term was known.
    fn decided(known: Option<u64>) -> Option<Wrong> {
        let (now, mut oracle) = (Timestamp::default(), oracle());
        let lease = lease(&oracle);
        if let Some(known) = known {
            oracle.leased(Who(1), &lease, now, known);
        }
        let release = oracle.signed(Who(1), &release(lease.envelope().payload_hash()));
        oracle.releases(now, Who(1), release.as_bytes());
        oracle.wrong()
    }

    #[test]
    fn f7_a_lease_that_never_came_or_is_of_an_earlier_term_is_seen() {
        assert_eq!(decided(Some(2)), None);
        assert_eq!(decided(None), Some(Wrong::LeaseUnknown));
        assert_eq!(decided(Some(3)), Some(Wrong::LeaseEarlier));
    }
}
