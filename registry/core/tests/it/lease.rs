//! Leases (F-6 to F-8).

#![expect(clippy::unwrap_used, clippy::panic, reason = "what is missing fails the test")]

use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::envelope::{Said, Verified};
use yiqiao_proto::id::{Digest, Nonce};
use yiqiao_proto::lease::{Lease, feed_next, feed_start};
use yiqiao_proto::time::Millis;
use yiqiao_registry_core::lease::LeaseAsked;
use yiqiao_registry_core::machine::{Input, Outcome, Refused};

use crate::rig::{Rig, TERM, code, region};
use crate::words::{Chain, forbid, id, token};

/// What a asks that knows nothing yet.
fn asked() -> LeaseAsked {
    LeaseAsked {
        member: code("a"),
        nonce: id(Nonce::new, 5),
        term: 0,
        feed_number: 0,
        feed_chain: feed_start(&region(), &code("a")),
    }
}

fn ask(rig: &mut Rig, asked: LeaseAsked) -> Result<Lease, Refused> {
    let outcome = rig.handle(&Input::Lease(asked))?;
    let Outcome::Lease(envelope) = outcome else { panic!("{outcome:?} for a lease") };
    let lease: Verified<Lease> = Verified::check(envelope, rig.directory(), Said::Now).unwrap();
    Ok(lease.meant_for(&code("a")).unwrap().word().clone())
}

/// The chain of a's feed after each of its items, its start first.
fn chains(rig: &mut Rig) -> Vec<Digest> {
    let mut chains = vec![feed_start(&region(), &code("a"))];
    for item in rig.feed("a") {
        chains.push(feed_next(chains.last().unwrap(), &item.encode()));
    }
    chains
}

/// A registry that has told a of three changes.
fn told() -> Rig {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    rig.publish(&mut chain, 1);
    rig.direct("portal", &forbid(1, token(1)));
    rig
}

#[test]
fn f6_a_lease_says_term_feed_list_log_and_length() {
    let mut rig = told();
    let chains = chains(&mut rig);
    let lease = ask(&mut rig, asked()).unwrap();
    let expected = Lease {
        member: code("a"),
        nonce: id(Nonce::new, 5),
        term: TERM,
        feed_number: 3,
        feed_chain: *chains.last().unwrap(),
        list_version: 1,
        list_hash: rig.directory().payload_hash(),
        log_id: code("log-1"),
        duration: Millis::from_secs(60),
    };
    assert_eq!(lease, expected);
}

#[test]
fn f6_a_lease_follows_the_member_list_in_force() {
    let mut rig = told();
    rig.next_list(|list| list.policy.lease = Millis::from_secs(30));
    let lease = ask(&mut rig, asked()).unwrap();
    assert_eq!((lease.list_version, lease.duration), (2, Millis::from_secs(30)));
    assert_eq!((lease.list_hash, lease.feed_number), (rig.directory().payload_hash(), 4));
}

#[test]
fn f6_a_member_with_an_empty_feed_gets_the_start_of_its_chain() {
    let mut rig = Rig::new();
    let start = feed_start(&region(), &code("portal"));
    let asked = LeaseAsked { member: code("portal"), feed_chain: start, ..asked() };
    let Ok(Outcome::Lease(envelope)) = rig.handle(&Input::Lease(asked)) else { panic!("no lease") };
    let lease: Verified<Lease> = Verified::check(envelope, rig.directory(), Said::Now).unwrap();
    assert_eq!((lease.word().feed_number, lease.word().feed_chain), (0, start));
}

#[test]
fn f7_a_member_anywhere_on_its_feed_gets_a_lease_up_to_its_end() {
    let mut rig = told();
    let chains = chains(&mut rig);
    for (number, chain) in (0..).zip(&chains) {
        let asked = LeaseAsked { feed_number: number, feed_chain: *chain, term: TERM, ..asked() };
        assert_eq!(ask(&mut rig, asked).unwrap().feed_number, 3);
    }
}

#[test]
fn f7_a_member_that_is_ahead_or_elsewhere_gets_no_lease() {
    let mut rig = told();
    let chains = chains(&mut rig);
    let refused = Refused::new(RefusalCode::OutOfOrder, "F-7");
    let end = LeaseAsked { feed_number: 3, feed_chain: *chains.last().unwrap(), term: TERM, ..asked() };
    let other = id(Digest::new, 99);
    let ahead = [
        LeaseAsked { term: TERM + 1, ..end.clone() },
        LeaseAsked { feed_number: 4, ..end.clone() },
        LeaseAsked { feed_number: u64::MAX, feed_chain: other, ..end.clone() },
        LeaseAsked { feed_number: 2, ..end.clone() },
        LeaseAsked { feed_number: 0, ..end.clone() },
        LeaseAsked { feed_chain: other, ..end.clone() },
        LeaseAsked { feed_number: 0, feed_chain: feed_start(&region(), &code("b")), ..end.clone() },
    ];
    for asked in ahead {
        assert_eq!(ask(&mut rig, asked.clone()).unwrap_err(), refused, "{asked:?}");
    }
    assert!(ask(&mut rig, end).is_ok());
}
