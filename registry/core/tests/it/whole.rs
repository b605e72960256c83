//! What holds over all that is handed in and asked: who gets a word, that repeats change nothing, that the list in force is
//! the policy (A-2, H-3, L-4, L-7, L-10, M-10, Q-6, T-6).

#![expect(clippy::unwrap_used, clippy::panic, reason = "what is missing fails the test")]

use std::collections::BTreeSet;

use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{AccessAct, DefaultRule, PatientQuestion, RefusalCode};
use yiqiao_proto::directive::{Act, Directive, PatientQuery};
use yiqiao_proto::envelope::{Envelope, Kind, Said, Verified, Word};
use yiqiao_proto::id::{Code, Digest, Nonce};
use yiqiao_proto::lease::{Change, Lease, Told, feed_start};
use yiqiao_proto::log::{Leaf, Opening};
use yiqiao_proto::note::{Checkpoint, origin};
use yiqiao_proto::release::Delivery;
use yiqiao_proto::suite::Suite;
use yiqiao_proto::time::Millis;
use yiqiao_proto::tree;
use yiqiao_registry_core::lease::LeaseAsked;
use yiqiao_registry_core::machine::{Input, Outcome};
use yiqiao_registry_core::take::Submission;

use crate::rig::{Rig, TERM, code, region};
use crate::words::{
    Chain, credential, delivery, desk, event, forbid, id, login, permit, query, question, release, token,
};

/// A registry where a has an entry of patient 1 that b may see, and c has one of patient 2.
fn region_of_two() -> (Rig, Chain) {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    rig.publish(&mut chain, 1);
    rig.direct("portal", &permit(1, token(1), "b"));
    let mut other = Chain::new("c", 1);
    rig.state(&mut other, &[token(2)]);
    rig.publish(&mut other, 2);
    (rig, chain)
}

fn openings(rig: &Rig) -> Vec<(Opening, Kind)> {
    let read = |(kept, kind): &(yiqiao_registry_core::state::Kept, Kind)| {
        (Opening::read(kept.opening.clone().unwrap()).unwrap(), *kind)
    };
    rig.words().iter().map(read).collect()
}

#[test]
fn t6_who_knows_a_token_gets_nothing_for_it() {
    let (mut rig, _) = region_of_two();
    let before = rig.feed("d").len();
    assert!(rig.search(&query("d", &[token(1), token(2)])).entries.is_empty());
    let release = rig.word("d", &release("d", "b", 1, &[token(1)]));
    assert_eq!(rig.refused(Submission::Release(release)), (RefusalCode::Nothing, "P-4"));
    // Who states it of a subject of its own hears of the patient's consent once it files, and finds no more.
    let mut own = Chain::new("d", 1);
    rig.state(&mut own, &[token(1)]);
    assert_eq!(rig.feed("d").len(), before);
    rig.publish(&mut own, 9);
    assert!(rig.search(&query("d", &[token(1)])).entries.is_empty());
}

#[test]
fn l4_an_opening_goes_to_its_publisher_to_who_may_see_the_word_and_to_nobody_else() {
    let (mut rig, chain) = region_of_two();
    let entry = openings(&rig).into_iter().find(|(_, kind)| *kind == Kind::Entry).unwrap().0;
    let mut links = |member: &str| {
        let input = Input::Links { member: code(member), subject: chain.subject, from_number: 1 };
        let Ok(Outcome::Links { links, .. }) = rig.handle(&input) else {
            panic!("links are always readable")
        };
        links.into_iter().filter_map(|kept| kept.opening).collect::<Vec<_>>()
    };
    assert!(links("a").contains(&entry.write()));
    assert!(!links("b").contains(&entry.write()) && !links("c").contains(&entry.write()));
    assert_eq!(rig.search(&query("b", &[token(1)])).entries, [entry]);
    assert!(rig.search(&query("c", &[token(1)])).entries.is_empty());
    // A directive goes whole to those whom it is about, and as a commitment to another holder.
    let hides = Directive {
        custodian: Some(code("a")),
        grantee: permit(0, token(1), "b").grantee,
        ..forbid(2, token(1))
    };
    rig.direct("portal", &hides);
    let mut of_c = Chain::new("c", 2);
    rig.state(&mut of_c, &[token(1)]);
    rig.publish(&mut of_c, 3);
    let mut last = |member: &str| rig.told(member, token(1)).unwrap().directives.last().unwrap().act.clone();
    let (whole, committed) = (last("a"), last("c"));
    assert!(matches!(whole, Told::Opening(_)));
    assert_eq!(committed, Told::Commitment(whole.commitment()));
    assert_eq!(rig.feed("d").iter().filter(|item| matches!(item.change, Change::Head(_))).count(), 0);
}

#[test]
fn l4_l7_what_a_holder_has_proves_its_word_whatever_becomes_of_other_openings() {
    let (rig, _) = region_of_two();
    // Of all words but one only the leaves are left.
    let openings = openings(&rig);
    let leaves: Vec<Leaf> = openings.iter().map(|(opening, kind)| opening.leaf(&region(), *kind)).collect();
    let mut stored: Vec<tree::Hash> = Vec::new();
    for (seq, leaf) in (0..).zip(&leaves) {
        let hashes = tree::append(stored.as_slice(), seq, leaf.hash()).unwrap();
        stored.extend(hashes);
    }
    let size = leaves.len() as u64;
    let root = tree::root(stored.as_slice(), size).unwrap();
    let key = rig.checkpoint_key();
    let note = Checkpoint { origin: origin(&region(), &code("log-1")), size, root }.sign(&key);
    // A receipt is checked against the registry's key for checkpoints alone.
    let checkpoint = Checkpoint::open(&note, &origin(&region(), &code("log-1")), &[key.public()]).unwrap();
    for (opening, kind) in &openings {
        let path = tree::prove_inclusion(stored.as_slice(), opening.seq, size).unwrap();
        let leads = |opening: &Opening| {
            let leaf = opening.leaf(&region(), *kind).hash();
            tree::verify_inclusion(&path, opening.seq, leaf, checkpoint.size, &checkpoint.root)
        };
        assert!(leads(opening));
        assert!(!leads(&Opening { term: opening.term + 1, ..opening.clone() }));
        assert!(!leads(&Opening { accepted_at: opening.accepted_at + Millis::new(1), ..opening.clone() }));
        assert!(!leads(&Opening { salt: [9; 32], ..opening.clone() }));
        assert!(!leads(&Opening { envelope: b"other".to_vec(), ..opening.clone() }));
    }
}

fn asked(rig: &mut Rig, term: u64) -> Result<Lease, RefusalCode> {
    let asked = LeaseAsked {
        member: code("d"),
        nonce: id(Nonce::new, 5),
        term,
        feed_number: 0,
        feed_chain: feed_start(&region(), &code("d")),
    };
    match rig.handle(&Input::Lease(asked)) {
        Ok(Outcome::Lease(envelope)) => {
            let lease: Verified<Lease> = Verified::check(envelope, rig.directory(), Said::Now).unwrap();
            Ok(lease.meant_for(&code("d")).unwrap().word().clone())
        }
        Ok(other) => panic!("{other:?} for a lease"),
        Err(refused) => Err(refused.code),
    }
}

#[test]
fn l10_words_and_leases_are_of_the_term_in_which_they_were_taken() {
    let (mut rig, mut chain) = region_of_two();
    assert!(openings(&rig).iter().all(|(opening, _)| opening.term == TERM));
    assert_eq!(asked(&mut rig, TERM).unwrap().term, TERM);
    assert_eq!(asked(&mut rig, TERM + 1), Err(RefusalCode::OutOfOrder), "another holds a newer term");
    rig.restart_in(TERM + 4);
    let word = rig.publish(&mut chain, 7).opening;
    assert_eq!((word.term, asked(&mut rig, TERM).unwrap().term), (TERM + 4, TERM + 4));
    let earlier = openings(&rig).into_iter().filter(|(opening, _)| opening.seq < word.seq);
    assert!(earlier.into_iter().all(|(opening, _)| opening.term == TERM), "what stood stays of its term");
}

#[test]
fn m10_the_list_in_force_is_the_policy() {
    let mut rig = Rig::of(Suite::International, |list| list.policy.proofs = 1 << 2);
    let mut chain = Chain::new("a", 1);
    rig.state(&mut chain, &[token(1)]);
    rig.publish(&mut chain, 1);
    let by_login = rig.directive("a", &permit(1, token(1), "b"));
    assert_eq!(rig.refused(by_login), (RefusalCode::BadSignature, "C-8"));
    let treating = |rig: &mut Rig| {
        let mut query = query("c", &[token(1)]);
        query.asker.treating = true;
        rig.search(&query).entries.len()
    };
    let evaluates = |rig: &mut Rig| rig.handle(&Input::Evaluate { member: code("b"), elements: 151 }).is_ok();
    assert_eq!((treating(&mut rig), evaluates(&mut rig)), (0, false));
    assert_eq!(asked(&mut rig, 0).unwrap().duration, Millis::from_secs(60));
    rig.next_list(|list| {
        list.policy.proofs = 1 << 1;
        list.policy.default_rule = DefaultRule::TreatingRelationship;
        list.policy.evaluations_per_day = 151;
        list.policy.lease = Millis::from_secs(20);
        list.policy.vouchers = vec![code("c")];
    });
    rig.direct("a", &permit(1, token(1), "b"));
    let at_desk = rig.directive_proved("a", &permit(2, token(1), "b"), desk("a"));
    assert_eq!(rig.refused(at_desk), (RefusalCode::BadSignature, "C-8"));
    assert_eq!((treating(&mut rig), evaluates(&mut rig)), (1, true));
    assert_eq!(asked(&mut rig, 0).unwrap().duration, Millis::from_secs(20));
    let vouched = rig.word("a", &credential("a", &[token(1)]));
    assert_eq!(rig.refused(Submission::Credential(vouched)), (RefusalCode::NotMember, "C-9"));
    rig.take(Submission::Credential(rig.word("c", &credential("c", &[token(1)]))));
}

#[test]
fn q6_nothing_is_said_of_what_is_withheld_where_a_permit_makes_it_visible_to_another() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    let unknown = rig.search(&query("b", &[token(1)]));
    rig.publish(&mut chain, 1);
    rig.direct("portal", &Directive { existence_visible: true, ..permit(1, token(1), "c") });
    let withheld = rig.search(&query("b", &[token(1)]));
    assert_eq!(withheld, unknown, "not even that there is something");
}

#[test]
fn a2_a_release_and_its_delivery_are_found_by_one_hash() {
    let (mut rig, _) = region_of_two();
    let released = rig.word("a", &release("a", "b", 1, &[token(1)]));
    let hash = released.envelope().payload_hash();
    let arrived = delivery(released.word());
    assert_eq!(arrived.release, hash);
    rig.take(Submission::Release(released));
    rig.take(Submission::Delivery(rig.word("b", &arrived)));
    for (by, act) in [("a", AccessAct::Release), ("b", AccessAct::Delivery)] {
        let said = AccessEvent { act, release: Some(hash), ..event(by, token(1)) };
        rig.take(Submission::Event(rig.word(by, &said)));
    }
    let of = |kind: Kind| openings(&rig).into_iter().filter(move |(_, found)| *found == kind);
    let payload = |opening: Opening| Envelope::decode(&opening.envelope).unwrap().payload().to_vec();
    let events = of(Kind::AccessEvent).map(|(opening, _)| AccessEvent::decode(&payload(opening)).unwrap());
    let paired: BTreeSet<(Option<Digest>, AccessAct, Code)> = events
        .filter(|event| event.release.is_some())
        .map(|event| (event.release, event.act, event.organisation))
        .collect();
    let pair = [(Some(hash), AccessAct::Release, code("a")), (Some(hash), AccessAct::Delivery, code("b"))];
    assert_eq!(paired, BTreeSet::from(pair));
    let deliveries: Vec<Delivery> =
        of(Kind::Delivery).map(|(opening, _)| Delivery::decode(&payload(opening)).unwrap()).collect();
    assert_eq!(deliveries, [arrived]);
}

#[test]
fn h3_what_is_handed_in_or_asked_twice_has_the_effect_of_once() {
    let (mut rig, mut chain) = region_of_two();
    let entry = chain.entry(&rig, 5);
    let asked = question(&rig, token(1), PatientQuestion::Events, 1);
    let asked = rig.word("portal", &Act::new(PatientQuery { count: 9, ..asked }, login("portal")));
    let said = [
        Submission::Links(vec![entry]),
        rig.directive("portal", &Directive { head_version: 1, ..forbid(7, token(1)) }),
        rig.revocation("c", &crate::words::revocation(1, token(1))),
        rig.revocation("c", &crate::words::revocation(99, token(1))),
        Submission::Event(rig.word("b", &event("b", token(1)))),
        Submission::Release(rig.word("a", &release("a", "b", 1, &[token(1)]))),
        Submission::Credential(rig.word("portal", &credential("portal", &[token(1)]))),
    ];
    let asked = [
        Input::PatientQuery(asked),
        Input::Search(rig.word("b", &query("b", &[token(1)]))),
        Input::Feed { member: code("a"), after: 0, count: 9 },
        Input::Links { member: code("a"), subject: chain.subject, from_number: 1 },
    ];
    let inputs = said.into_iter().map(|said| Input::Submit(Box::new(said))).chain(asked);
    for input in inputs {
        rig.handle(&input).unwrap();
        let once = (rig.stored().clone(), rig.journal().to_vec());
        rig.handle(&input).unwrap();
        assert!(once == (rig.stored().clone(), rig.journal().to_vec()), "{input:?}");
    }
}

#[test]
fn h3_evaluations_are_counted_each_time() {
    let mut rig = Rig::new();
    let input = Input::Evaluate { member: code("a"), elements: 100 };
    assert!(rig.handle(&input).is_ok());
    assert!(rig.handle(&input).is_err(), "of 150");
}
