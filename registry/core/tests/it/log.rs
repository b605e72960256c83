//! The log: places, repeats, member lists (L-1, M-2).

use yiqiao_proto::access::AuditAnchor;
use yiqiao_proto::codes::{PatientQuestion, RefusalCode};
use yiqiao_proto::directive::Act;
use yiqiao_proto::envelope::{Envelope, Kind, Verified, Word, payload_hash};
use yiqiao_proto::log::Opening;
use yiqiao_registry_core::machine::{ConsentAct, Input, Outcome, Refused};
use yiqiao_registry_core::take::{ChainWord, Submission, Taken};

use crate::rig::{Rig, TERM, at, code};
use crate::words::{
    Chain, anchor, credential, delivery, event, forbid, login, permit, question, release, revocation, token,
};

/// Submits a word, then again, then signed with the other key of its member: all get the first opening.
fn takes_once<W: Word>(rig: &mut Rig, by: &str, word: &W, submission: impl Fn(Verified<W>) -> Submission) {
    let first = submission(rig.word(by, word));
    let other_key = submission(rig.word_by_key(by, 1, word));
    let taken = rig.take(first.clone());
    rig.now = at(rig.now.unix_ms() - at(0).unix_ms() + 60_000);
    assert_eq!(rig.repeated(first).opening, taken.opening);
    assert_eq!(rig.repeated(other_key).opening, taken.opening);
    let words = rig.words().iter().filter(|(kept, _)| kept.opening.as_ref() == Some(&taken.opening.write()));
    assert_eq!((taken.opening.term, words.count()), (TERM, 1));
}

#[test]
fn l1_a_repeat_of_every_kind_gets_the_first_opening_under_another_key_too() {
    let mut rig = Rig::new();
    let mut chain = Chain::new("a", 1);
    let statement = chain.statement(&[token(1)]);
    takes_once(&mut rig, "a", &statement, Submission::Identity);
    let link = chain.link();
    let entry = chain.entry_at(&link, 1, |_| {});
    takes_once(&mut rig, "a", &entry, |entry| Submission::Links(vec![ChainWord::Entry(entry, link)]));
    let directive = Act::new(permit(1, token(1), "b"), login("portal"));
    let consent = |act| Submission::Consent(ConsentAct::Directive(Box::new(act)));
    takes_once(&mut rig, "portal", &directive, consent);
    let release = release("a", "b", 1, &[token(1)]);
    takes_once(&mut rig, "a", &release, Submission::Release);
    takes_once(&mut rig, "b", &delivery(&release), Submission::Delivery);
    takes_once(&mut rig, "b", &event("b", token(1)), Submission::Event);
    takes_once(&mut rig, "portal", &credential("portal", &[token(1)]), Submission::Credential);
    let revoked = Act::new(revocation(1, token(1)), login("b"));
    takes_once(&mut rig, "b", &revoked, |act| Submission::Consent(ConsentAct::Revocation(Box::new(act))));
    let link = Chain { number: 1, last: Some(payload_hash(&entry.encode())), ..chain }.link();
    let withdrawal = chain.withdrawal_at(&link, 1);
    takes_once(&mut rig, "a", &withdrawal, |word| Submission::Links(vec![ChainWord::Withdrawal(word, link)]));
}

#[test]
fn l1_a_repeated_question_of_a_patient_is_kept_once_and_answered_again() {
    let mut rig = Rig::new();
    let act = Act::new(question(&rig, token(1), PatientQuestion::Consents, 1), login("portal"));
    for key in [0, 0, 1] {
        let query = rig.word_by_key("portal", key, &act);
        assert!(matches!(rig.handle(&Input::PatientQuery(query)), Ok(Outcome::Consents(_))));
    }
    assert_eq!(rig.kinds_after(1), [Kind::PatientQuery]);
}

#[test]
fn l1_the_same_word_twice_in_one_submission_stands_once() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    let word = chain.entry(&rig, 1);
    let taken = rig.submit(Submission::Links(vec![word.clone(), word])).unwrap();
    assert_eq!(taken[0].opening, taken[1].opening);
    assert_eq!([taken[0].repeat, taken[1].repeat], [false, true]);
    assert_eq!(rig.kinds_after(1), [Kind::Entry]);
}

#[test]
fn l1_the_same_word_twice_in_one_batch_stands_once() {
    let mut rig = Rig::new();
    let input = Input::Submit(Box::new(rig.directive("portal", &forbid(1, token(1)))));
    let outcomes = rig.handle_batch(&[input.clone(), input]);
    let first = |outcome| match outcome {
        Ok(Outcome::Taken(taken)) => taken[0].clone(),
        other => unreachable!("{other:?}"),
    };
    let taken: Vec<Taken> = outcomes.into_iter().map(first).collect();
    assert_eq!(taken[0].opening, taken[1].opening);
    assert_eq!(rig.kinds_after(1), [Kind::Directive]);
}

#[test]
fn l1_a_refused_input_leaves_the_rest_of_its_batch_alone() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    let submit = |words| Input::Submit(Box::new(Submission::Links(words)));
    let mut gap = Chain { number: 9, last: Some(payload_hash(b"x")), ..chain };
    let inputs = [
        submit(vec![chain.entry(&rig, 1)]),
        submit(vec![gap.entry(&rig, 2)]),
        submit(vec![chain.entry(&rig, 3)]),
    ];
    let outcomes = rig.handle_batch(&inputs);
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
    assert_eq!(outcomes[1].as_ref().unwrap_err().clause, "N-2");
    assert_eq!(rig.kinds_after(1), [Kind::Entry, Kind::Entry]);
}

#[test]
fn a_batch_that_was_lost_is_taken_as_if_it_had_never_come() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    let list = rig.list_after(|_| {});
    let word = chain.entry(&rig, 1);
    let submission = Input::Submit(Box::new(Submission::Links(vec![word.clone()])));
    rig.lose(&[submission, list.clone()]);
    assert_eq!((rig.machine().next_seq(), rig.directory().list().version), (1, 1));
    rig.handle(&list).unwrap();
    assert_eq!(rig.take(Submission::Links(vec![word])).opening.seq, 2);
}

#[test]
fn l1_the_same_event_said_by_the_registry_stands_once() {
    let mut rig = Rig::new();
    let query = crate::words::query("b", &[token(1)]);
    rig.search(&query);
    rig.search(&query);
    assert_eq!(rig.kinds_after(1), [Kind::AccessEvent], "the same payload has one place");
}

#[test]
fn m2_member_lists_are_taken_one_after_the_other() {
    let mut rig = Rig::new();
    let skipped = {
        let mut ahead = Rig::new();
        ahead.next_list(|_| {});
        ahead.list_after(|_| {})
    };
    let refused = Refused::new(RefusalCode::OutOfOrder, "M-2");
    assert_eq!(rig.handle(&skipped).unwrap_err(), refused);
    rig.next_list(|list| list.policy.break_glass = false);
    assert_eq!(rig.kinds_after(0), [Kind::MemberList; 2]);
    assert_eq!(rig.directory().list().version, 2);
    assert!(!rig.directory().list().policy.break_glass);
}

#[test]
fn m3_a_repeated_older_list_does_not_come_back_into_force() {
    let mut rig = Rig::new();
    let second = rig.list_after(|_| {});
    rig.handle(&second).unwrap();
    rig.next_list(|list| list.policy.break_glass = false);
    let Ok(Outcome::Taken(taken)) = rig.handle(&second) else { unreachable!("it stands") };
    assert!(taken[0].repeat);
    assert_eq!(rig.directory().list().version, 3);
}

#[test]
fn l2_no_leaf_holds_a_token_or_a_subject() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    rig.publish(&mut chain, 1);
    rig.direct("portal", &permit(1, token(1), "b"));
    rig.search(&crate::words::query("b", &[token(1)]));
    crate::random::assert_leaves_tell_nothing(&rig, &[token(1)], &[chain.subject]);
}

#[test]
fn a5_a_member_reads_back_its_own_anchors_only_page_by_page() {
    let mut rig = Rig::quick();
    for lines in 1..=300 {
        rig.take(Submission::Anchor(rig.word("a", &anchor("a", lines))));
    }
    rig.take(Submission::Anchor(rig.word("b", &anchor("b", 9))));
    let mut read = |member: &str, after: u64| {
        let asked = Input::Anchors { member: code(member), after };
        let Outcome::Anchors(openings) = rig.handle(&asked).unwrap() else { panic!("anchors") };
        let word = |opening: &Opening| {
            let envelope = Envelope::decode(&opening.envelope).unwrap();
            AuditAnchor::decode(envelope.payload()).unwrap().lines
        };
        openings.iter().map(word).collect::<Vec<u64>>()
    };
    assert!(read("a", 0).into_iter().eq(1..=256));
    assert!(read("a", 256).into_iter().eq(257..=300));
    assert_eq!(
        (read("a", 300), read("a", u64::MAX), read("b", 0), read("c", 0)),
        (vec![], vec![], vec![9], vec![])
    );
    rig.assert_rebuilt();
}
