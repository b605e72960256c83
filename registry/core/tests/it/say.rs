//! What the registry says itself: who begins to file for a patient. Searches are in `search`.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{AccessAct, RefusalCode};
use yiqiao_proto::envelope::{Envelope, Kind, Said, Verified};
use yiqiao_proto::token::Token;
use yiqiao_registry_core::take::Submission;

use crate::rig::{Rig, code};
use crate::words::{Chain, event, release, token};

/// First filings in the log, by member and token.
fn filings(rig: &Rig) -> Vec<(String, Token)> {
    let event = |kept: &yiqiao_registry_core::state::Kept| {
        let envelope = Envelope::decode(&kept.opening.as_ref().unwrap().envelope).unwrap();
        let event: Verified<AccessEvent> = Verified::check(envelope, rig.directory(), Said::Now).unwrap();
        event.word().clone()
    };
    let words = rig.words().iter().filter(|(_, kind)| *kind == Kind::AccessEvent);
    let filings = words.map(|(kept, _)| event(kept)).filter(|event| event.act == AccessAct::FirstFiling);
    filings
        .map(|event| {
            assert_eq!((event.organisation, event.at), (code("registry"), rig.now));
            (event.counterpart.unwrap().to_string(), event.patient)
        })
        .collect()
}

#[test]
fn a1_the_registry_says_who_files_for_a_patient_the_first_time() {
    let mut rig = Rig::new();
    let [mut first, mut second, mut other] = [("a", 1), ("a", 2), ("c", 1)].map(|(a, b)| Chain::new(a, b));
    for chain in [&mut first, &mut second, &mut other] {
        rig.state(chain, &[token(1), token(2)]);
    }
    assert_eq!(filings(&rig), [], "a statement without entries files nothing");
    let a = |number| ("a".to_owned(), token(number));
    rig.publish(&mut first, 1);
    assert_eq!(filings(&rig), [a(1), a(2)], "under each token");
    rig.publish(&mut first, 2);
    rig.publish(&mut second, 3);
    assert_eq!(filings(&rig).len(), 2, "neither a second entry nor a second subject is the first");
    rig.publish(&mut other, 4);
    assert_eq!(filings(&rig).len(), 4, "each member has its own");
    rig.state(&mut first, &[token(3)]);
    assert_eq!(filings(&rig).last(), Some(&a(3)), "entries come under a token by a statement");
    assert_eq!(filings(&rig).len(), 5);
}

#[test]
fn a1_a_release_is_no_filing_and_what_is_not_taken_says_nothing() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    rig.publish(&mut chain, 1);
    rig.take(Submission::Release(rig.word("a", &release("a", "b", 1, &[token(1)]))));
    assert_eq!(filings(&rig).len(), 1);
    // b has had a release, and files for the first time now.
    let mut of_b = Chain::new("b", 1);
    rig.state(&mut of_b, &[token(1)]);
    let words = vec![of_b.entry(&rig, 1), of_b.withdrawal(&rig, 99)];
    assert_eq!(rig.refused(Submission::Links(words)), (RefusalCode::Conflict, "N-7"));
    assert_eq!(filings(&rig).len(), 1);
    let mut of_b = Chain { number: 0, last: None, ..of_b };
    let word = of_b.entry(&rig, 1);
    rig.take(Submission::Links(vec![word.clone()]));
    rig.repeated(Submission::Links(vec![word]));
    assert_eq!(filings(&rig).last(), Some(&("b".to_owned(), token(1))));
    assert_eq!(filings(&rig).len(), 2);
}

#[test]
fn a1_what_the_registry_says_no_member_says() {
    let mut rig = Rig::new();
    for act in [AccessAct::Search, AccessAct::FirstFiling, AccessAct::LogView] {
        let said = AccessEvent { act, ..event("a", token(1)) };
        let refused = rig.refused(Submission::Event(rig.word("a", &said)));
        assert_eq!(refused, (RefusalCode::NotMember, "A-1"), "{act:?}");
    }
    rig.take(Submission::Event(rig.word("a", &event("a", token(1)))));
}
