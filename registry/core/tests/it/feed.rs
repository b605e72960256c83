//! Feeds: who is told what, and when (F-1 to F-5, C-9, C-10).

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

use std::collections::BTreeSet;

use yiqiao_proto::codes::MemberRole;
use yiqiao_proto::directive::Directive;
use yiqiao_proto::head::Head;
use yiqiao_proto::lease::{Change, FeedItem, Told};
use yiqiao_proto::member::Member;
use yiqiao_proto::suite::Suite;
use yiqiao_registry_core::machine::{Input, Outcome};
use yiqiao_registry_core::take::Submission;

use crate::rig::{Rig, code};
use crate::words::{Chain, credential, forbid, permit, release, revocation, token};

/// Versions of the heads of patient 1 that a member was told, oldest first.
fn versions(rig: &mut Rig, member: &str) -> Vec<u64> {
    rig.heads(member, token(1)).iter().map(|change| change.head.version).collect()
}

/// A registry where a holds an entry of patient 1.
fn held() -> (Rig, Chain) {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    rig.publish(&mut chain, 1);
    (rig, chain)
}

#[test]
fn f1_f2_a_feed_is_numbered_without_gaps_and_chained() {
    let (mut rig, mut chain) = held();
    for number in 1..20 {
        rig.direct("portal", &permit(number, token(1), "b"));
    }
    rig.publish(&mut chain, 2);
    rig.next_list(|_| {});
    // The rig checks numbers, chain and heads as it reads.
    assert_eq!(rig.feed("a").len(), 1 + 1 + 19 + 1);
    assert_eq!(rig.feed("c").len(), 2, "its own feed: only the member lists");
}

#[test]
fn f3_a_feed_is_read_by_number_and_answers_are_bounded() {
    let (mut rig, _) = held();
    for number in 1..10 {
        rig.direct("portal", &permit(number, token(1), "b"));
    }
    let mut read = |after, count| match rig.handle(&Input::Feed { member: code("a"), after, count }) {
        Ok(Outcome::Feed(items)) => items.len(),
        _ => usize::MAX,
    };
    assert_eq!([read(0, 3), read(0, u32::MAX), read(9, 5), read(11, 1), read(u64::MAX, 1)], [3, 11, 2, 0, 0]);
    assert_eq!(read(0, 0), 1, "a reader comes on, whatever it asks for");
}

#[test]
fn f4_member_lists_go_to_every_custodian() {
    let mut rig = Rig::new();
    rig.next_list(|_| {});
    for member in ["a", "b", "c"] {
        let items = rig.feed(member);
        let lists: Vec<_> = items.iter().map(|item| item.change.clone()).collect();
        assert_eq!(lists, [Change::MemberList(1), Change::MemberList(2)]);
    }
    assert_eq!([rig.feed("portal").len(), rig.feed("bureau").len()], [0, 0]);
}

#[test]
fn f4_a_custodian_that_comes_later_is_told_from_then_on() {
    let mut rig = Rig::of(Suite::International, |list| {
        list.members[1].roles = BTreeSet::from([MemberRole::Portal]);
    });
    rig.next_list(|list| list.members[1].roles = BTreeSet::from([MemberRole::Custodian]));
    assert_eq!(rig.feed("b").len(), 1);
}

#[test]
fn f5_a_first_entry_brings_the_whole_head_with_it() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    rig.direct("portal", &forbid(1, token(1)));
    rig.direct("portal", &permit(2, token(1), "b"));
    rig.state(&mut chain, &[token(1)]);
    assert!(rig.told("a", token(1)).is_none(), "a subject without entries holds nothing");
    rig.publish(&mut chain, 1);
    let told = rig.told("a", token(1)).unwrap();
    assert_eq!((told.head.version, told.directives.len()), (2, 2));
    rig.publish(&mut chain, 2);
    assert_eq!(versions(&mut rig, "a"), [2], "only the first entry does");
}

#[test]
fn f5_a_first_entry_of_a_patient_without_directives_brings_the_empty_head() {
    let (mut rig, _) = held();
    let told = rig.told("a", token(1)).unwrap();
    assert_eq!((told.head, told.directives.len()), (Head::empty(), 0));
}

#[test]
fn f5_a_token_that_is_added_to_a_subject_with_entries_brings_its_head() {
    let (mut rig, mut chain) = held();
    rig.direct("portal", &forbid(1, token(2)));
    rig.state(&mut chain, &[token(1), token(2)]);
    assert_eq!(rig.told("a", token(2)).unwrap().head.version, 1);
    assert_eq!(versions(&mut rig, "a"), [0], "a token that stays brings nothing");
}

#[test]
fn f5_an_unlinked_patient_is_told_no_longer_and_a_relinked_one_whole() {
    let (mut rig, mut chain) = held();
    rig.state(&mut chain, &[]);
    rig.direct("portal", &forbid(1, token(1)));
    rig.direct("portal", &permit(2, token(1), "b"));
    assert_eq!(versions(&mut rig, "a"), [0]);
    rig.state(&mut chain, &[token(1)]);
    assert_eq!(versions(&mut rig, "a"), [0, 2]);
    rig.try_revoke("b", &revocation(2, token(1))).unwrap();
    assert_eq!(versions(&mut rig, "a"), [0, 2, 3]);
}

#[test]
fn f4_a_member_with_two_subjects_of_a_patient_is_told_until_both_are_gone() {
    let (mut rig, mut chain) = held();
    let mut second = Chain::new("a", 2);
    rig.state(&mut second, &[token(1)]);
    rig.publish(&mut second, 2);
    assert_eq!(versions(&mut rig, "a"), [0, 0], "every first entry of a subject brings the head");
    rig.state(&mut chain, &[token(2)]);
    rig.direct("portal", &forbid(1, token(1)));
    assert_eq!(versions(&mut rig, "a"), [0, 0, 1]);
    rig.state(&mut second, &[]);
    rig.direct("portal", &permit(2, token(1), "b"));
    assert_eq!(versions(&mut rig, "a"), [0, 0, 1]);
}

#[test]
fn f5_a_subject_without_entries_is_dropped_without_taking_its_holder_along() {
    let (mut rig, _) = held();
    let mut empty = Chain::new("a", 2);
    rig.state(&mut empty, &[token(1)]);
    rig.state(&mut empty, &[]);
    rig.direct("portal", &forbid(1, token(1)));
    assert_eq!(versions(&mut rig, "a"), [0, 1]);
}

#[test]
fn f5_a_release_brings_the_head_of_every_token_to_the_recipient_once() {
    let (mut rig, mut chain) = held();
    rig.state(&mut chain, &[token(1), token(2)]);
    rig.direct("portal", &permit(1, token(1), "b"));
    let mut granted = release("a", "b", 1, &[token(1), token(2)]);
    rig.take(Submission::Release(rig.word("a", &granted)));
    assert_eq!(versions(&mut rig, "b"), [1]);
    assert_eq!(rig.told("b", token(2)).unwrap().head, Head::empty());
    granted.terms.request = yiqiao_proto::envelope::payload_hash(b"another request");
    rig.take(Submission::Release(rig.word("a", &granted)));
    assert_eq!(versions(&mut rig, "b"), [1]);
    rig.direct("portal", &forbid(2, token(1)));
    assert_eq!(versions(&mut rig, "b"), [1, 2], "it is told of every change from then on");
    // The holder drops its subject: the recipient still has the document.
    rig.state(&mut chain, &[]);
    rig.direct("portal", &forbid(3, token(1)));
    assert_eq!(versions(&mut rig, "b"), [1, 2, 3]);
}

#[test]
fn f4_a_recipient_that_drops_its_own_subject_is_still_told() {
    let (mut rig, _) = held();
    let mut own = Chain::new("b", 1);
    rig.state(&mut own, &[token(1)]);
    rig.publish(&mut own, 1);
    rig.take(Submission::Release(rig.word("a", &release("a", "b", 1, &[token(1)]))));
    rig.state(&mut own, &[]);
    rig.direct("portal", &forbid(1, token(1)));
    assert_eq!(versions(&mut rig, "b"), [0, 1]);
}

#[test]
fn f4_every_consent_change_tells_every_holder_the_whole_head() {
    let (mut rig, _) = held();
    let mut other = Chain::new("c", 1);
    rig.state(&mut other, &[token(1)]);
    rig.publish(&mut other, 1);
    rig.direct("portal", &permit(1, token(1), "b"));
    rig.direct("a", &forbid(2, token(1)));
    rig.try_revoke("b", &revocation(1, token(1))).unwrap();
    for member in ["a", "c"] {
        let heads = rig.heads(member, token(1));
        let sizes: Vec<_> = heads.iter().map(|change| change.directives.len()).collect();
        assert_eq!(sizes, [0, 1, 2, 1]);
        assert_eq!(heads.last().unwrap().head.version, 3);
    }
    assert!(rig.told("b", token(1)).is_none(), "whoever holds nothing is told nothing");
}

/// Which of the directives of patient 1 a member was told whole.
fn told_whole(rig: &mut Rig, member: &str) -> Vec<bool> {
    let told = rig.told(member, token(1)).unwrap();
    assert_eq!(told.computed_head(), told.head, "a reader of commitments gets to the same root");
    told.directives.iter().map(|act| matches!(act.act, Told::Opening(_))).collect()
}

#[test]
fn f4_a_directive_between_others_is_told_as_its_commitment_only() {
    let (mut rig, _) = held();
    let mut other = Chain::new("c", 1);
    rig.state(&mut other, &[token(1)]);
    rig.publish(&mut other, 1);
    let from = |custodian: &str, directive| Directive { custodian: Some(code(custodian)), ..directive };
    rig.direct("portal", &permit(1, token(1), "b"));
    rig.direct("portal", &from("a", permit(2, token(1), "b")));
    rig.direct("portal", &from("c", permit(3, token(1), "b")));
    rig.direct("portal", &from("c", permit(4, token(1), "a")));
    rig.direct("portal", &from("c", forbid(5, token(1))));
    // The last one takes the copies of c's documents from everybody, from a too.
    assert_eq!(told_whole(&mut rig, "a"), [true, true, false, true, true]);
    assert_eq!(told_whole(&mut rig, "c"), [true, false, true, true, true]);
    let at_a = rig.told("a", token(1)).unwrap();
    assert_eq!(at_a.head, rig.told("c", token(1)).unwrap().head);
    // What is told is the directive that stands in the log.
    let Told::Opening(opening) = &at_a.directives[0].act else { unreachable!("told whole above") };
    let (kept, _) = &rig.words()[usize::try_from(opening.seq).unwrap()];
    assert_eq!(kept.opening.as_ref().unwrap(), &opening.write());
}

#[test]
fn f4_a_withdrawal_is_told_to_whoever_had_a_release_of_the_document() {
    let (mut rig, mut chain) = held();
    rig.publish(&mut chain, 2);
    for (recipient, entry) in [("b", 1), ("c", 2)] {
        rig.take(Submission::Release(rig.word("a", &release("a", recipient, entry, &[token(1)]))));
    }
    let withdrawn = rig.withdraw(&mut chain, 1);
    let told = |rig: &mut Rig, member: &str| {
        let items = rig.feed(member);
        let withdrawal = |item: FeedItem| {
            let Change::Withdrawal(opening) = item.change else { return None };
            Some(opening)
        };
        items.into_iter().filter_map(withdrawal).collect::<Vec<_>>()
    };
    assert_eq!(told(&mut rig, "b"), [withdrawn.opening]);
    assert_eq!([told(&mut rig, "a").len(), told(&mut rig, "c").len()], [0, 0]);
    // The id stands anew for another patient: whoever had the first document has nothing of this one.
    let mut right = Chain::new("a", 2);
    rig.publish(&mut right, 1);
    rig.withdraw(&mut right, 1);
    assert_eq!(told(&mut rig, "b").len(), 1);
}

#[test]
fn f4_credentials_are_told_to_every_holder_of_one_of_their_tokens() {
    let (mut rig, _) = held();
    let mut other = Chain::new("c", 1);
    rig.state(&mut other, &[token(2)]);
    rig.publish(&mut other, 1);
    let statement = credential("portal", &[token(1), token(3)]);
    let taken = rig.take(Submission::Credential(rig.word("portal", &statement)));
    assert_eq!(rig.feed("a").pop().unwrap().change, Change::Credential(taken.opening));
    assert_eq!(rig.feed("c").len(), 2, "it holds nothing of these tokens");
}

#[test]
fn f4_every_recipient_is_told_of_a_withdrawal_however_many_there_are() {
    let names: Vec<String> = (100..620).map(|number| format!("m{number}")).collect();
    let mut rig = Rig::of(Suite::Simulation, |list| {
        let like = list.members[0].clone();
        let more = names.iter().map(|name| Member {
            code: code(name),
            signing_keys: Vec::new(),
            roles: BTreeSet::from([MemberRole::Portal]),
            ..like.clone()
        });
        list.members.extend(more.collect::<Vec<_>>());
        list.members.sort_by(|a, b| a.code.cmp(&b.code));
    });
    let mut chain = Chain::new("a", 1);
    rig.state(&mut chain, &[token(1)]);
    rig.publish(&mut chain, 1);
    for name in &names {
        rig.take(Submission::Release(rig.word("a", &release("a", name, 1, &[token(1)]))));
    }
    rig.withdraw(&mut chain, 1);
    for name in &names {
        assert_eq!(rig.feed(name).len(), 2, "{name}: the head, then the withdrawal");
    }
}
