//! Identity statements (I-1 to I-3).

use yiqiao_proto::codes::MemberRole;
use yiqiao_proto::codes::RefusalCode::{OutOfOrder, OverLimit};
use yiqiao_proto::id::Digest;
use yiqiao_proto::suite::Suite;
use yiqiao_registry_core::limits::{SUBJECTS_MAX, SUBJECTS_OF_ONE_MAX};
use yiqiao_registry_core::take::Submission;

use crate::rig::Rig;
use crate::words::{Chain, id, permit, query, token};

#[test]
fn i2_statements_are_numbered_and_name_the_one_before() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    let first = chain.statement(&[token(1)]);
    let mut ahead = chain;
    let second = chain.statement(&[token(2)]);
    let submission = Submission::Identity(rig.word("a", &second));
    assert_eq!(rig.refused(submission), (OutOfOrder, "I-2"), "the first is missing");
    let taken = rig.take(Submission::Identity(rig.word("a", &first)));
    let mut forked = ahead.statement(&[token(3)]);
    forked.previous = Some(id(Digest::new, 99));
    let submission = Submission::Identity(rig.word("a", &forked));
    assert_eq!(rig.refused(submission), (OutOfOrder, "I-2"), "it names another one before");
    rig.take(Submission::Identity(rig.word("a", &second)));
    let again = Submission::Identity(rig.word("a", &first));
    assert_eq!(rig.repeated(again).opening, taken.opening);
}

#[test]
fn i2_a_statement_replaces_the_one_before_as_a_whole() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    for patient in [1, 2, 3] {
        rig.direct("portal", &permit(1, token(patient), "b"));
    }
    rig.publish(&mut chain, 1);
    let found = |rig: &mut Rig, patient| rig.search(&query("b", &[token(patient)])).entries.len();
    rig.state(&mut chain, &[token(1), token(2)]);
    assert_eq!([1, 2, 3].map(|patient| found(&mut rig, patient)), [1, 1, 0]);
    rig.state(&mut chain, &[token(2), token(3)]);
    assert_eq!([1, 2, 3].map(|patient| found(&mut rig, patient)), [0, 1, 1]);
}

#[test]
fn i3_a_statement_without_tokens_unlinks_and_touches_no_entry() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    rig.direct("portal", &permit(1, token(1), "b"));
    rig.state(&mut chain, &[token(1)]);
    let entry = rig.publish(&mut chain, 1);
    rig.state(&mut chain, &[]);
    assert!(rig.search(&query("b", &[token(1)])).entries.is_empty());
    rig.publish(&mut chain, 2);
    rig.state(&mut chain, &[token(1)]);
    let found = rig.search(&query("b", &[token(1)])).entries;
    assert_eq!(found.first(), Some(&entry.opening));
    assert_eq!(found.len(), 2);
}

#[test]
fn i1_a_subject_of_a_publisher_is_no_subject_of_another() {
    let mut rig = Rig::new();
    let (mut own, mut other) = (Chain::new("a", 1), Chain::new("c", 1));
    rig.state(&mut own, &[token(1)]);
    rig.direct("portal", &permit(1, token(1), "b"));
    rig.publish(&mut other, 1);
    assert!(rig.search(&query("b", &[token(1)])).entries.is_empty());
    rig.state(&mut other, &[token(1)]);
    assert_eq!(rig.search(&query("b", &[token(1)])).entries.len(), 1);
}

#[test]
fn i1_a_token_has_room_for_a_bounded_number_of_subjects() {
    let mut rig = Rig::quick();
    let mut first = Chain::new("a", 0);
    rig.state(&mut first, &[token(1)]);
    for subject in 1..SUBJECTS_OF_ONE_MAX as u64 {
        rig.state(&mut Chain::new("a", subject), &[token(1)]);
    }
    let one_more = Chain::new("a", 100).statement(&[token(1)]);
    let submission = Submission::Identity(rig.word("a", &one_more));
    assert_eq!(rig.refused(submission), (OverLimit, "I-1"), "of one member");
    // A subject that has its place there already keeps it, gives it up, and makes room.
    rig.state(&mut first, &[token(1), token(2)]);
    rig.state(&mut first, &[token(2)]);
    let submission = Submission::Identity(rig.word("a", &one_more));
    rig.take(submission);
    rig.state(&mut Chain::new("c", 1), &[token(1)]);
}

#[test]
fn i1_a_token_has_room_for_a_bounded_number_of_subjects_of_all() {
    let also = ["bureau", "portal"];
    let mut rig = Rig::of(Suite::Simulation, |list| {
        for member in list.members.iter_mut().filter(|member| also.contains(&member.code.as_str())) {
            member.roles.insert(MemberRole::Custodian);
        }
    });
    let mut first = Chain::new("a", 0);
    rig.state(&mut first, &[token(1)]);
    for (at, member) in (0..).zip(["a", "b", "c", "d", "e", "f", "g", "bureau"]) {
        for subject in u64::from(at == 0)..SUBJECTS_OF_ONE_MAX as u64 {
            rig.state(&mut Chain::new(member, subject), &[token(1)]);
        }
    }
    assert_eq!(SUBJECTS_OF_ONE_MAX * 8, SUBJECTS_MAX);
    let one_more = Chain::new("portal", 1).statement(&[token(1)]);
    let submission = Submission::Identity(rig.word("portal", &one_more));
    assert_eq!(rig.refused(submission), (OverLimit, "I-1"));
    // A subject that has its place there already keeps it, gives it up, and makes room.
    rig.state(&mut first, &[token(1), token(2)]);
    rig.state(&mut first, &[token(2)]);
    let submission = Submission::Identity(rig.word("portal", &one_more));
    rig.take(submission);
}
