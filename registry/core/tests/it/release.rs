//! Releases and deliveries (P-2, P-4, P-7).

use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::envelope::Kind;
use yiqiao_registry_core::take::Submission;

use crate::rig::Rig;
use crate::words::{Chain, delivery, release, token};

/// A registry where a holds an entry of patient 1.
fn held() -> (Rig, Chain) {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    rig.publish(&mut chain, 1);
    (rig, chain)
}

#[test]
fn p4_unknown_withdrawn_and_foreign_documents_are_refused_alike() {
    let (mut rig, mut chain) = held();
    rig.publish(&mut chain, 2);
    rig.withdraw(&mut chain, 2);
    let nothing = (RefusalCode::Nothing, "P-4");
    // Withdrawn, unknown, and of a as seen by c, which has no such entry.
    for (holder, entry) in [("a", 2), ("a", 3), ("c", 1)] {
        let granted = rig.word(holder, &release(holder, "b", entry, &[token(1)]));
        assert_eq!(rig.refused(Submission::Release(granted)), nothing);
        let rounds = rig.rounds;
        let other = rig.word(holder, &release(holder, "nobody", entry, &[token(1)]));
        assert_eq!(rig.refused(Submission::Release(other)), nothing);
        assert_eq!(rig.rounds, rounds, "the same work");
    }
}

#[test]
fn p2_a_recipient_is_a_current_member() {
    let (mut rig, _) = held();
    let nothing = (RefusalCode::Nothing, "P-4");
    let to_nobody = rig.word("a", &release("a", "nobody", 1, &[token(1)]));
    assert_eq!(rig.refused(Submission::Release(to_nobody)), nothing);
    let granted = release("a", "b", 1, &[token(1)]);
    let suspend = |rig: &mut Rig, suspended| {
        rig.next_list(|list| {
            let members = list.members.iter_mut();
            members.filter(|member| member.code.as_str() == "b").for_each(|b| b.suspended = suspended);
        });
    };
    suspend(&mut rig, true);
    let to_suspended = rig.word("a", &granted);
    assert_eq!(rig.refused(Submission::Release(to_suspended)), nothing);
    suspend(&mut rig, false);
    rig.take(Submission::Release(rig.word("a", &granted)));
}

#[test]
fn p8_a_release_that_stands_is_repeated_after_the_withdrawal_too() {
    let (mut rig, mut chain) = held();
    let granted = release("a", "b", 1, &[token(1)]);
    let taken = rig.take(Submission::Release(rig.word("a", &granted)));
    rig.withdraw(&mut chain, 1);
    let again = rig.word("a", &granted);
    assert_eq!(rig.repeated(Submission::Release(again)).opening, taken.opening);
}

#[test]
fn p7_a_delivery_is_kept_beside_its_release() {
    let (mut rig, _) = held();
    let granted = release("a", "b", 1, &[token(1)]);
    let words = rig.words().len();
    rig.take(Submission::Release(rig.word("a", &granted)));
    rig.take(Submission::Delivery(rig.word("b", &delivery(&granted))));
    assert_eq!(rig.kinds_after(words), [Kind::Release, Kind::Delivery]);
}

#[test]
fn p2_a_release_names_the_entry_s_own_document_and_the_heads_of_its_subject() {
    let (mut rig, _) = held();
    let malformed = (RefusalCode::Malformed, "P-2");
    let others = [release("a", "b", 1, &[token(2)]), release("a", "b", 1, &[token(1), token(2)])];
    for other in others {
        let word = rig.word("a", &other);
        assert_eq!(rig.refused(Submission::Release(word)), malformed);
    }
    let mut foreign = release("a", "b", 1, &[token(1)]);
    foreign.terms.document = release("a", "b", 9, &[token(1)]).terms.document;
    let word = rig.word("a", &foreign);
    assert_eq!(rig.refused(Submission::Release(word)), malformed);
}
