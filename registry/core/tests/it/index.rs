//! Entries and withdrawals: which links are taken (N-2 to N-9).

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

use yiqiao_proto::codes::RefusalCode::{Conflict, Malformed, OutOfOrder, OverLimit};
use yiqiao_proto::entry::Link;
use yiqiao_proto::envelope::Kind;
use yiqiao_proto::id::Digest;
use yiqiao_proto::limits::SUBMISSION_MAX;
use yiqiao_registry_core::limits::{ENTRY_NUMBER_MAX, FORMER_MAX};
use yiqiao_registry_core::machine::{Input, Outcome};
use yiqiao_registry_core::state::{self, Kept};
use yiqiao_registry_core::take::{ChainWord, Submission};

use crate::rig::{Rig, code};
use crate::words::{Chain, entry_id, id, permit, query, token};

/// An entry at a place of the test's choice.
fn entry_at(rig: &Rig, chain: &Chain, number: u64, link: Link) -> Submission {
    let entry = chain.entry_at(&link, number, |_| {});
    Submission::Links(vec![ChainWord::Entry(rig.word(chain.publisher, &entry), link)])
}

fn withdrawal_at(rig: &Rig, chain: &Chain, number: u64, link: Link) -> Submission {
    let withdrawal = chain.withdrawal_at(&link, number);
    Submission::Links(vec![ChainWord::Withdrawal(rig.word(chain.publisher, &withdrawal), link)])
}

/// Places that a search of b finds, where everything is permitted to b.
fn found(rig: &mut Rig, superseded: bool) -> Vec<u64> {
    let mut query = query("b", &[token(1)]);
    query.superseded = superseded;
    rig.search(&query).entries.iter().map(|opening| opening.seq).collect()
}

/// A registry where a has a subject of patient 1, of whom b may see everything.
fn open() -> (Rig, Chain) {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    rig.direct("portal", &permit(1, token(1), "b"));
    (rig, chain)
}

#[test]
fn n2_links_are_taken_in_order_over_submissions_and_within_one() {
    let (mut rig, mut chain) = open();
    rig.publish(&mut chain, 1);
    let batch = [chain.entry(&rig, 2), chain.withdrawal(&rig, 1), chain.entry(&rig, 3)];
    let taken = rig.submit(Submission::Links(batch.into())).unwrap();
    let seqs: Vec<u64> = taken.iter().map(|taken| taken.opening.seq).collect();
    let next = rig.machine().next_seq() - 3;
    assert_eq!(seqs, [next, next + 1, next + 2]);
    assert_eq!(found(&mut rig, false), [next, next + 2]);
}

#[test]
fn n2_a_member_files_a_bounded_number_about_a_subject_and_withdraws_beyond_it() {
    let (mut rig, mut chain) = open();
    rig.publish(&mut chain, 1);
    let slot = state::subject(&code(chain.publisher), &chain.subject);
    let stored = rig.find(&slot).unwrap();
    rig.put(&slot, &state::Subject { number: ENTRY_NUMBER_MAX - 1, ..stored });
    chain.number = ENTRY_NUMBER_MAX - 1;
    rig.publish(&mut chain, 2);
    let mut beyond = chain;
    let one_more = beyond.entry(&rig, 3);
    assert_eq!(rig.refused(Submission::Links(vec![one_more])), (OverLimit, "N-2"));
    rig.withdraw(&mut chain, 1);
    rig.withdraw(&mut chain, 2);
}

#[test]
fn n2_a_gap_a_fork_and_a_place_taken_before_are_out_of_order() {
    let (mut rig, mut chain) = open();
    let start = chain;
    rig.publish(&mut chain, 1);
    let one = chain;
    rig.publish(&mut chain, 2);
    let elsewhere = Some(id(Digest::new, 99));
    let wrong = [
        Link { number: 4, ..chain.link() },
        Link { previous: elsewhere, ..chain.link() },
        Link { previous: one.last, ..chain.link() },
        one.link(),
        start.link(),
    ];
    for link in wrong {
        let submission = entry_at(&rig, &chain, 3, link);
        assert_eq!(rig.refused(submission), (OutOfOrder, "N-2"), "{link:?}");
        let submission = withdrawal_at(&rig, &chain, 1, link);
        assert_eq!(rig.refused(submission), (OutOfOrder, "N-2"), "{link:?}");
    }
    rig.publish(&mut chain, 3);
}

#[test]
fn n2_a_first_link_of_a_subject_has_number_1() {
    let (mut rig, chain) = open();
    let link = Link { number: 2, previous: Some(id(Digest::new, 99)), ..chain.link() };
    let submission = entry_at(&rig, &chain, 1, link);
    assert_eq!(rig.refused(submission), (OutOfOrder, "N-2"));
}

#[test]
fn n2_a_link_that_the_word_does_not_commit_to_is_refused() {
    let (mut rig, mut chain) = open();
    rig.publish(&mut chain, 1);
    let link = chain.link();
    let entry = rig.word("a", &chain.entry_at(&link, 2, |_| {}));
    let withdrawal = rig.word("a", &chain.withdrawal_at(&link, 1));
    let others = [
        Link { salt: [0x52; 32], ..link },
        Link { number: 3, ..link },
        Link { previous: Some(id(Digest::new, 99)), ..link },
        Link { replaces: Some(entry_id(1)), ..link },
    ];
    for other in others {
        let submission = Submission::Links(vec![ChainWord::Entry(entry.clone(), other)]);
        assert_eq!(rig.refused(submission), (Malformed, "N-2"));
        let submission = Submission::Links(vec![ChainWord::Withdrawal(withdrawal.clone(), other)]);
        assert_eq!(rig.refused(submission), (Malformed, "N-2"));
    }
}

#[test]
fn n2_chains_of_other_subjects_and_publishers_are_apart() {
    let (mut rig, mut chain) = open();
    rig.publish(&mut chain, 1);
    rig.publish(&mut Chain::new("a", 2), 2);
    // Another publisher has another subject and another document under the same bytes.
    rig.publish(&mut Chain::new("c", 1), 1);
    rig.publish(&mut chain, 3);
}

#[test]
fn n4_the_same_payload_again_gets_the_first_place_whatever_came_since() {
    let (mut rig, mut chain) = open();
    let before = chain;
    let first = rig.publish(&mut chain, 1);
    rig.publish(&mut chain, 2);
    rig.withdraw(&mut chain, 1);
    let again = entry_at(&rig, &before, 1, before.link());
    assert_eq!(rig.repeated(again).opening, first.opening);
    assert_eq!(found(&mut rig, true).len(), 1, "a repeat does not bring it back");
}

#[test]
fn n4_the_same_id_with_another_payload_is_a_conflict() {
    let (mut rig, mut chain) = open();
    rig.publish(&mut chain, 1);
    let other = chain.entry_with(&rig, 1, None, |entry| entry.size = 5);
    assert_eq!(rig.refused(Submission::Links(vec![other])), (Conflict, "N-4"));
    let mut elsewhere = Chain::new("a", 2);
    let other = elsewhere.entry(&rig, 1);
    assert_eq!(rig.refused(Submission::Links(vec![other])), (Conflict, "N-4"));
}

#[test]
fn n4_a_withdrawn_id_is_published_anew_for_the_right_patient() {
    let (mut rig, mut chain) = open();
    let (mut right, was) = (Chain::new("a", 2), chain);
    rig.state(&mut right, &[token(2)]);
    rig.direct("portal", &permit(1, token(2), "b"));
    let first = rig.publish(&mut chain, 1);
    rig.withdraw(&mut chain, 1);
    let anew = rig.publish(&mut right, 1);
    assert_eq!(found(&mut rig, true), [0; 0]);
    let at_right = rig.search(&query("b", &[token(2)]));
    assert_eq!(at_right.entries, [anew.opening]);
    // The first word still gets its first receipt and stays out of sight, and the wrong subject no longer owns the id.
    let again = entry_at(&rig, &was, 1, was.link());
    assert_eq!(rig.repeated(again).opening, first.opening);
    let link = chain.link();
    let submission = withdrawal_at(&rig, &chain, 1, link);
    assert_eq!(rig.refused(submission), (Conflict, "N-7"));
    assert_eq!(found(&mut rig, true), [0; 0]);
    // Withdrawn there, it may come back once more.
    rig.withdraw(&mut right, 1);
    let back = rig.publish(&mut chain, 1);
    assert_eq!(found(&mut rig, true), [back.opening.seq]);
}

#[test]
fn n4_one_submission_withdraws_an_id_and_publishes_it_anew() {
    let (mut rig, mut chain) = open();
    rig.publish(&mut chain, 1);
    let batch = vec![chain.withdrawal(&rig, 1), chain.entry(&rig, 1)];
    let taken = rig.submit(Submission::Links(batch)).unwrap();
    assert_eq!(found(&mut rig, true), [taken[1].opening.seq]);
}

#[test]
fn n5_a_bad_link_anywhere_takes_nothing_of_the_submission() {
    let (mut rig, mut chain) = open();
    rig.publish(&mut chain, 1);
    for bad_at in 0..4 {
        let mut next = chain;
        let mut words: Vec<_> = (2..5).map(|number| next.entry(&rig, number)).collect();
        let bad = chain.entry_at(&Link { number: 40, ..chain.link() }, 9, |_| {});
        let link = Link { number: 40, ..chain.link() };
        words.insert(bad_at, ChainWord::Entry(rig.word("a", &bad), link));
        assert_eq!(rig.refused(Submission::Links(words)), (OutOfOrder, "N-2"));
    }
    rig.publish(&mut chain, 2);
}

#[test]
fn n5_a_submission_has_1_to_64_links() {
    let (mut rig, mut chain) = (Rig::quick(), Chain::new("a", 1));
    assert_eq!(rig.refused(Submission::Links(Vec::new())), (OverLimit, "N-5"));
    let mut next = chain;
    let words: Vec<_> = (0..65).map(|number| next.entry(&rig, number)).collect();
    assert_eq!(words.len(), SUBMISSION_MAX + 1);
    assert_eq!(rig.refused(Submission::Links(words)), (OverLimit, "N-5"));
    let words: Vec<_> = (0..64).map(|number| chain.entry(&rig, number)).collect();
    rig.take(Submission::Links(words));
}

#[test]
fn n5_a_submission_is_of_one_subject_of_one_publisher() {
    let mut rig = Rig::new();
    let own = Chain::new("a", 1).entry(&rig, 1);
    for mut other in [Chain::new("a", 2), Chain::new("c", 1)] {
        let words = vec![own.clone(), other.entry(&rig, 2)];
        assert_eq!(rig.refused(Submission::Links(words)), (Malformed, "N-5"));
    }
}

#[test]
fn n5_a_submission_goes_on_after_links_that_stand_already() {
    let (mut rig, mut chain) = open();
    let words = vec![chain.entry(&rig, 1), chain.entry(&rig, 2)];
    rig.take(Submission::Links(words[..1].to_vec()));
    let taken = rig.submit(Submission::Links(words)).unwrap();
    assert_eq!([taken[0].repeat, taken[1].repeat], [true, false]);
}

#[test]
fn n6_a_replaced_entry_is_found_only_where_replaced_ones_are_asked_for() {
    let (mut rig, mut chain) = open();
    let first = rig.publish(&mut chain, 1).opening.seq;
    let second = rig.publish_with(&mut chain, 2, Some(1), |_| {}).opening.seq;
    assert_eq!(found(&mut rig, false), [second]);
    assert_eq!(found(&mut rig, true), [first, second]);
    // It stays replaced when its replacement is withdrawn.
    rig.withdraw(&mut chain, 2);
    assert_eq!(found(&mut rig, false), [0; 0]);
    assert_eq!(found(&mut rig, true), [first]);
}

#[test]
fn n6_only_an_open_entry_of_the_same_subject_is_replaced() {
    let (mut rig, mut chain) = open();
    for number in 1..=3 {
        rig.publish(&mut chain, number);
    }
    rig.publish(&mut Chain::new("a", 2), 10);
    rig.publish(&mut Chain::new("c", 1), 11);
    rig.withdraw(&mut chain, 1);
    rig.publish_with(&mut chain, 4, Some(2), |_| {});
    // Withdrawn, replaced, of another subject, of another publisher, unknown, itself.
    for replaced in [1, 2, 10, 11, 12, 5] {
        let word = { chain }.entry_with(&rig, 5, Some(replaced), |_| {});
        assert_eq!(rig.refused(Submission::Links(vec![word])), (Conflict, "N-6"), "{replaced}");
    }
    rig.publish_with(&mut chain, 5, Some(3), |_| {});
    rig.publish_with(&mut chain, 6, Some(5), |_| {});
}

#[test]
fn n4_an_entry_that_was_replaced_is_published_anew_so_often_only() {
    let (mut rig, mut chain) = (Rig::quick(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    for number in 0..FORMER_MAX as u64 {
        rig.publish(&mut chain, 1);
        rig.publish_with(&mut chain, 100 + number, Some(1), |_| {});
        rig.withdraw(&mut chain, 1);
    }
    rig.publish(&mut chain, 1);
    rig.withdraw(&mut chain, 1);
    // Nothing had taken its place.
    rig.publish(&mut chain, 1);
    rig.publish_with(&mut chain, 900, Some(1), |_| {});
    rig.withdraw(&mut chain, 1);
    let word = { chain }.entry(&rig, 1);
    assert_eq!(rig.refused(Submission::Links(vec![word])), (OverLimit, "N-4"));
}

#[test]
fn n6_a_withdrawn_id_does_not_replace_itself() {
    let (mut rig, mut chain) = open();
    rig.publish(&mut chain, 1);
    rig.withdraw(&mut chain, 1);
    let word = { chain }.entry_with(&rig, 1, Some(1), |_| {});
    assert_eq!(rig.refused(Submission::Links(vec![word])), (Conflict, "N-6"));
}

#[test]
fn n7_only_an_entry_of_the_same_subject_is_withdrawn_and_once() {
    let (mut rig, mut chain) = open();
    rig.publish(&mut chain, 1);
    rig.publish(&mut Chain::new("a", 2), 10);
    rig.publish(&mut Chain::new("c", 1), 11);
    rig.withdraw(&mut chain, 1);
    for withdrawn in [1, 10, 11, 12] {
        let word = { chain }.withdrawal(&rig, withdrawn);
        assert_eq!(rig.refused(Submission::Links(vec![word])), (Conflict, "N-7"), "{withdrawn}");
    }
}

#[test]
fn n7_a_withdrawal_replaces_nothing() {
    let (mut rig, mut chain) = open();
    rig.publish(&mut chain, 1);
    let link = Link { replaces: Some(entry_id(1)), ..chain.link() };
    let submission = withdrawal_at(&rig, &chain, 1, link);
    assert_eq!(rig.refused(submission), (Malformed, "N-2"));
}

#[test]
fn n7_a_replaced_entry_can_be_withdrawn() {
    let (mut rig, mut chain) = open();
    rig.publish(&mut chain, 1);
    let second = rig.publish_with(&mut chain, 2, Some(1), |_| {}).opening.seq;
    rig.withdraw(&mut chain, 1);
    assert_eq!(found(&mut rig, true), [second]);
}

#[test]
fn n7_any_words_key_of_the_member_withdraws_and_replaces() {
    let (mut rig, mut chain) = open();
    rig.publish(&mut chain, 1);
    rig.publish(&mut chain, 2);
    let link = chain.link();
    let withdrawal = rig.word_by_key("a", 1, &chain.withdrawal_at(&link, 1));
    chain.last = Some(withdrawal.envelope().payload_hash());
    chain.number += 1;
    rig.take(Submission::Links(vec![ChainWord::Withdrawal(withdrawal, link)]));
    let link = Link { replaces: Some(entry_id(2)), ..chain.link() };
    let entry = rig.word_by_key("a", 1, &chain.entry_at(&link, 3, |_| {}));
    rig.take(Submission::Links(vec![ChainWord::Entry(entry, link)]));
}

#[test]
fn n6_where_what_took_the_place_was_withdrawn_another_entry_may_take_it() {
    let (mut rig, mut chain) = open();
    rig.publish(&mut chain, 1);
    rig.publish_with(&mut chain, 2, Some(1), |_| {});
    let third = |rig: &Rig, mut chain: Chain| {
        let word = chain.entry_with(rig, 3, Some(1), |_| {});
        Submission::Links(vec![word])
    };
    let early = third(&rig, chain);
    assert_eq!(rig.refused(early), (Conflict, "N-6"));
    rig.withdraw(&mut chain, 2);
    let again = rig.publish_with(&mut chain, 2, Some(1), |_| {}).opening.seq;
    assert_eq!(found(&mut rig, false), [again]);
    let late = third(&rig, chain);
    assert_eq!(rig.refused(late), (Conflict, "N-6"), "the line stays one");
    rig.withdraw(&mut chain, 2);
    let last = rig.publish_with(&mut chain, 3, Some(1), |_| {}).opening.seq;
    assert_eq!(found(&mut rig, false), [last]);
}

/// The words that a member reads back from a place on, and where to go on.
fn recalled(rig: &mut Rig, member: &str, from: u64) -> (Vec<u64>, u64, bool) {
    let outcome = rig.handle(&Input::Recall { member: code(member), from }).unwrap();
    let Outcome::Recall { words, next, whole } = outcome else { unreachable!("{outcome:?} for a recall") };
    (words.iter().map(|kept| kept.opening.as_ref().unwrap().seq).collect(), next, whole)
}

#[test]
fn n9_a_member_reads_back_its_own_words_from_a_place_of_the_log_on() {
    let (mut rig, mut chain, mut other) = (Rig::quick(), Chain::new("a", 1), Chain::new("c", 2));
    for number in 1..=40 {
        rig.publish(&mut chain, number);
        rig.publish(&mut other, number);
    }
    let size = rig.machine().next_seq();
    let (mut from, mut found, mut pages) = (0, Vec::new(), 0);
    loop {
        let (words, next, whole) = recalled(&mut rig, "a", from);
        assert!(words.iter().all(|seq| (from..next).contains(seq)));
        found.extend(words);
        (from, pages) = (next, pages + 1);
        if whole {
            break;
        }
    }
    let of_a = |(place, (kept, _)): (usize, &(Kept, Kind))| (kept.signer == "a").then_some(place as u64);
    let own: Vec<u64> = rig.words().iter().enumerate().filter_map(of_a).collect();
    assert_eq!((found, pages, from), (own, 2, size));
    assert_eq!(recalled(&mut rig, "a", size), (Vec::new(), size, true));
    assert_eq!(recalled(&mut rig, "a", u64::MAX), (Vec::new(), u64::MAX, true));
    assert_eq!(recalled(&mut rig, "b", 0), (Vec::new(), size, true), "they are nobody else's");
}

/// The words that a member reads back about a subject.
fn read_back(rig: &mut Rig, member: &str, chain: &Chain, from_number: u64) -> Vec<Kept> {
    let (member, subject) = (code(member), chain.subject);
    let outcome = rig.handle(&Input::Links { member, subject, from_number }).unwrap();
    let Outcome::Links { links, .. } = outcome else { unreachable!("{outcome:?} for links") };
    links
}

#[test]
fn n9_a_member_reads_back_its_own_words_with_their_links_by_pages() {
    let (mut rig, mut chain) = (Rig::quick(), Chain::new("a", 1));
    for batch in 0..3 {
        let words = (0..64).map(|number| chain.entry(&rig, batch * 64 + number)).collect();
        rig.take(Submission::Links(words));
    }
    rig.withdraw(&mut chain, 7);
    let numbers = |links: &[Kept]| -> Vec<u64> {
        links.iter().map(|kept| kept.link.as_ref().unwrap().number).collect()
    };
    for from in [0, 1, 2, 64, 65, 100, 130, 193] {
        let page = read_back(&mut rig, "a", &chain, from);
        let start = from.max(1);
        assert_eq!(numbers(&page), (start..(start + 64).min(194)).collect::<Vec<_>>(), "from {from}");
    }
    let last = read_back(&mut rig, "a", &chain, 193);
    let link = Link::read(last[0].link.as_ref().unwrap()).unwrap();
    assert_eq!(link.number, chain.number);
    assert!(read_back(&mut rig, "a", &chain, 194).is_empty());
    assert!(read_back(&mut rig, "a", &chain, u64::MAX).is_empty());
    assert!(read_back(&mut rig, "c", &chain, 1).is_empty(), "they are nobody else's");
}
