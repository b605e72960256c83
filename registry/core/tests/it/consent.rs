//! Directives and revocations as they are handed in (C-6 to C-13).

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

use std::collections::BTreeSet;

use yiqiao_proto::codes::RefusalCode::{BadSignature, Conflict, NotMember, Nothing, OutOfOrder, OverLimit};
use yiqiao_proto::codes::{DocumentClass, MemberRole, Purpose, RefusalCode};
use yiqiao_proto::directive::{Directive, Revocation, What};
use yiqiao_proto::limits::{DIRECTIVES_ATTESTED_MAX, DIRECTIVES_OF_ONE_MAX, REVOCATIONS_AHEAD_MAX};
use yiqiao_proto::member::MemberList;
use yiqiao_proto::suite::Suite;
use yiqiao_proto::time::Millis;

use crate::rig::{Rig, at};
use crate::words::{Chain, desk, forbid, login, permit, query, revocation, token};

/// A registry where a holds one entry of patient 1; how many entries b finds.
fn held() -> Rig {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    rig.publish(&mut chain, 1);
    rig
}

fn finds(rig: &mut Rig) -> bool {
    !rig.search(&query("b", &[token(1)])).entries.is_empty()
}

/// Version of the head of patient 1, and how many directives are in force.
fn head(rig: &mut Rig) -> (u64, usize) {
    let told = rig.told("a", token(1)).unwrap();
    (told.head.version, told.directives.len())
}

fn refused_revocation(rig: &mut Rig, by: &str, revocation: &Revocation) -> (RefusalCode, &'static str) {
    let submission = rig.revocation(by, revocation);
    rig.refused(submission)
}

#[test]
fn c6_a_revocation_takes_one_directive_back() {
    let mut rig = held();
    rig.direct("portal", &permit(1, token(1), "b"));
    rig.direct("portal", &permit(2, token(1), "c"));
    assert!(finds(&mut rig));
    rig.try_revoke("portal", &revocation(1, token(1))).unwrap();
    assert!(!finds(&mut rig));
    assert_eq!(head(&mut rig), (3, 1));
}

#[test]
fn c6_what_is_not_in_force_for_this_patient_is_not_revoked() {
    let mut rig = held();
    rig.direct("portal", &permit(1, token(1), "b"));
    rig.direct("portal", &permit(7, token(2), "b"));
    let second = Directive { head_version: 1, ..permit(2, token(1), "b") };
    rig.direct("portal", &second);
    rig.try_revoke("portal", &revocation(2, token(1))).unwrap();
    // The first was replaced, the second taken back.
    for number in [1, 2] {
        let revocation = Revocation { head_version: 1, ..revocation(number, token(1)) };
        assert_eq!(refused_revocation(&mut rig, "portal", &revocation), (Nothing, "C-6"));
    }
    assert_eq!(rig.told("a", token(1)).unwrap().head.version, 3);
}

#[test]
fn c6_a_permit_that_is_taken_back_before_it_comes_is_never_taken() {
    let mut rig = held();
    rig.try_revoke("c", &revocation(1, token(1))).unwrap();
    assert_eq!(head(&mut rig), (1, 0));
    for head_version in [0, 1] {
        let kept_back = Directive { head_version, ..permit(1, token(1), "b") };
        let submission = rig.directive("portal", &kept_back);
        assert_eq!(rig.refused(submission), (Conflict, "C-6"));
    }
    let again = Revocation { head_version: 1, ..revocation(1, token(1)) };
    assert_eq!(refused_revocation(&mut rig, "portal", &again), (Nothing, "C-6"));
    // Of another patient the id is another one.
    rig.direct("portal", &permit(1, token(2), "b"));
}

#[test]
fn c6_a_forbid_is_not_forestalled_by_its_revocation() {
    let mut rig = held();
    let forestalls = revocation(1, token(1));
    rig.try_revoke("b", &forestalls).unwrap();
    rig.direct("portal", &forbid(1, token(1)));
    rig.direct("portal", &Directive { head_version: 1, ..permit(2, token(1), "b") });
    assert!(!finds(&mut rig));
    // The revocation that came first stands for nothing more.
    let again = rig.revocation("b", &forestalls);
    rig.repeated(again);
    let submission = rig.directive("c", &forbid(1, token(1)));
    assert_eq!(rig.refused(submission), (Conflict, "C-6"), "from now on the id was accepted");
    let later = Revocation { head_version: 3, ..revocation(1, token(1)) };
    assert_eq!(refused_revocation(&mut rig, "b", &later), (NotMember, "C-13"));
    assert_eq!(head(&mut rig), (3, 2));
}

#[test]
fn c11_a_permit_that_was_signed_before_another_was_revoked_comes_too_late() {
    let mut rig = held();
    rig.direct("portal", &permit(1, token(1), "c"));
    rig.try_revoke("portal", &revocation(1, token(1))).unwrap();
    for head_version in [0, 1] {
        let late = Directive { head_version, ..permit(2, token(1), "b") };
        let submission = rig.directive("b", &late);
        assert_eq!(rig.refused(submission), (OutOfOrder, "C-11"));
    }
    rig.direct("portal", &Directive { head_version: 2, ..permit(2, token(1), "b") });
    assert!(finds(&mut rig));
    // What was taken back before it came counts like it.
    rig.try_revoke("portal", &revocation(9, token(1))).unwrap();
    let late = Directive { head_version: 3, ..permit(3, token(1), "c") };
    let submission = rig.directive("c", &late);
    assert_eq!(rig.refused(submission), (OutOfOrder, "C-11"));
}

#[test]
fn c12_a_member_takes_back_a_bounded_number_that_never_came() {
    let mut rig = Rig::quick();
    for number in 0..u64::from(REVOCATIONS_AHEAD_MAX) {
        rig.try_revoke("b", &revocation(number, token(1))).unwrap();
    }
    let one_more = revocation(100, token(1));
    assert_eq!(refused_revocation(&mut rig, "b", &one_more), (OverLimit, "C-12"));
    rig.try_revoke("portal", &one_more).unwrap();
    rig.try_revoke("b", &revocation(100, token(2))).unwrap();
    // What is in force is always taken back.
    let version = u64::from(REVOCATIONS_AHEAD_MAX) + 1;
    rig.direct("portal", &Directive { head_version: version, ..permit(200, token(1), "b") });
    rig.try_revoke("b", &revocation(200, token(1))).unwrap();
}

#[test]
fn c6_an_id_that_was_accepted_is_never_accepted_again() {
    let seen = |permit| Directive { head_version: 2, ..permit };
    let mut rig = held();
    let (revoked, replaced, standing) =
        (permit(1, token(1), "b"), seen(permit(2, token(1), "c")), seen(permit(3, token(1), "a")));
    let first = rig.direct("portal", &revoked);
    rig.try_revoke("portal", &revocation(1, token(1))).unwrap();
    let second = rig.direct("portal", &replaced);
    rig.direct("portal", &Directive { head_version: 3, ..permit(4, token(1), "c") });
    rig.direct("portal", &standing);
    assert_eq!(head(&mut rig), (5, 2), "the replaced one stands no longer");
    // The same payload gets its first place and changes nothing: what was taken back stays so.
    for (directive, taken) in [(&revoked, first), (&replaced, second)] {
        let again = rig.directive("portal", directive);
        assert_eq!(rig.repeated(again).opening, taken.opening);
    }
    // Other words under the id are refused, whoever says them.
    for directive in [&revoked, &replaced, &standing] {
        let other = Directive { head_version: 4, ..directive.clone() };
        let submission = rig.directive("portal", &other);
        assert_eq!(rig.refused(submission), (Conflict, "C-6"));
        let submission = rig.directive("c", directive);
        assert_eq!(rig.refused(submission), (Conflict, "C-6"));
    }
    assert!(!finds(&mut rig));
    // Of another patient the id is another one.
    rig.direct("portal", &permit(1, token(2), "b"));
}

#[test]
fn c6_a_repeated_revocation_takes_nothing_else_back() {
    let mut rig = held();
    rig.direct("portal", &permit(1, token(1), "b"));
    rig.try_revoke("portal", &revocation(1, token(1))).unwrap();
    rig.direct("portal", &Directive { head_version: 2, ..permit(2, token(1), "b") });
    let again = rig.revocation("portal", &revocation(1, token(1)));
    rig.repeated(again);
    assert!(finds(&mut rig));
}

#[test]
fn c6_a_directive_replaces_one_of_the_same_scope_that_its_signer_had_seen() {
    let mut rig = held();
    rig.direct("portal", &permit(1, token(1), "b"));
    // Signed before the first was accepted: both stand.
    rig.direct("portal", &Directive { head_version: 0, ..permit(2, token(1), "b") });
    assert_eq!(head(&mut rig), (2, 2));
    rig.direct("portal", &Directive { head_version: 2, ..permit(3, token(1), "b") });
    assert_eq!(head(&mut rig), (3, 1));
    // A shorter validity does not cover what is left of the earlier one.
    let short = Directive { head_version: 3, valid_until: Some(at(60_000)), ..permit(4, token(1), "b") };
    rig.direct("portal", &short);
    assert_eq!(head(&mut rig), (4, 2));
    // Another scope replaces nothing.
    let what = What { classes: BTreeSet::from([DocumentClass::Imaging]), ..What::default() };
    rig.direct("portal", &Directive { head_version: 4, what, ..permit(5, token(1), "b") });
    assert_eq!(head(&mut rig), (5, 3));
}

#[test]
fn c6_what_was_replaced_stays_so_when_its_replacement_is_revoked() {
    let mut rig = held();
    rig.direct("portal", &permit(1, token(1), "b"));
    let stricter = Directive {
        grantee: permit(1, token(1), "b").grantee,
        purposes: BTreeSet::from([Purpose::Treatment]),
        head_version: 1,
        ..forbid(2, token(1))
    };
    rig.direct("portal", &stricter);
    assert_eq!(head(&mut rig), (2, 1));
    rig.try_revoke("portal", &Revocation { head_version: 2, ..revocation(2, token(1)) }).unwrap();
    assert_eq!(head(&mut rig), (3, 0));
    assert!(!finds(&mut rig));
}

#[test]
fn c6_directives_that_are_over_leave_the_head_with_the_next_act() {
    let mut rig = held();
    rig.direct("portal", &Directive { valid_until: Some(at(1_000)), ..permit(1, token(1), "b") });
    assert!(finds(&mut rig));
    rig.now = at(1_000);
    assert!(!finds(&mut rig), "the end is excluded");
    assert_eq!(head(&mut rig), (1, 1));
    rig.direct("portal", &permit(2, token(1), "c"));
    assert_eq!(head(&mut rig), (2, 1));
    rig.direct("portal", &Directive { valid_until: Some(at(2_000)), ..permit(3, token(1), "b") });
    rig.now = at(3_000);
    rig.try_revoke("portal", &revocation(2, token(1))).unwrap();
    assert_eq!(head(&mut rig), (4, 0));
}

#[test]
fn c8_what_widens_needs_a_proof_that_the_policy_takes() {
    // Passkeys and desks only.
    let mut rig = Rig::of(Suite::International, |list| list.policy.proofs = 5);
    let submission = rig.directive("portal", &permit(1, token(1), "b"));
    assert_eq!(rig.refused(submission), (BadSignature, "C-8"));
    rig.take(rig.directive_proved("a", &permit(1, token(1), "b"), desk("a")));
    rig.direct("portal", &forbid(2, token(1)));
    let widens = Revocation { head_version: 2, ..revocation(2, token(1)) };
    assert_eq!(refused_revocation(&mut rig, "portal", &widens), (BadSignature, "C-8"));
    // Taking a permit back widens nothing.
    rig.try_revoke("portal", &revocation(1, token(1))).unwrap();
}

#[test]
fn c11_what_widens_is_refused_on_a_head_that_does_not_exist_yet() {
    let mut rig = held();
    let submission = rig.directive("portal", &Directive { head_version: 1, ..permit(1, token(1), "b") });
    assert_eq!(rig.refused(submission), (OutOfOrder, "C-11"));
    // What narrows never is.
    rig.direct("portal", &Directive { head_version: 900, ..forbid(2, token(1)) });
    let early =
        Directive { grantee: permit(0, token(1), "b").grantee, head_version: 0, ..forbid(3, token(1)) };
    rig.direct("portal", &early);
    let ahead = Revocation { head_version: 3, ..revocation(3, token(1)) };
    assert_eq!(refused_revocation(&mut rig, "portal", &ahead), (OutOfOrder, "C-11"));
    rig.try_revoke("portal", &Revocation { head_version: 2, ..ahead }).unwrap();
}

#[test]
fn c11_a_permit_on_an_older_head_is_taken_and_beats_no_forbid_that_came_since() {
    let mut rig = held();
    rig.direct("portal", &forbid(1, token(1)));
    rig.direct("portal", &permit(2, token(1), "b"));
    assert!(!finds(&mut rig), "its signer had not seen the forbid");
    rig.direct("portal", &Directive { head_version: 1, ..permit(3, token(1), "b") });
    assert!(finds(&mut rig));
}

#[test]
fn c6_anyone_who_may_say_it_revokes_a_permit() {
    for by in ["a", "b", "c", "portal"] {
        let mut rig = held();
        rig.direct("portal", &permit(1, token(1), "b"));
        rig.try_revoke(by, &Revocation { head_version: 900, ..revocation(1, token(1)) }).unwrap();
        assert!(!finds(&mut rig), "by {by}");
    }
}

#[test]
fn c13_a_forbid_is_not_revoked_by_the_organisation_that_gains() {
    let mut rig = held();
    let against_b = Directive { grantee: permit(0, token(1), "b").grantee, ..forbid(1, token(1)) };
    rig.direct("portal", &against_b);
    let lifted = Revocation { head_version: 1, ..revocation(1, token(1)) };
    assert_eq!(refused_revocation(&mut rig, "b", &lifted), (NotMember, "C-13"));
    rig.try_revoke("c", &lifted).unwrap();
}

#[test]
fn c13_a_forbid_against_everybody_is_lifted_by_a_member_that_asks_for_no_documents() {
    let mut rig = held();
    rig.direct("portal", &forbid(1, token(1)));
    let lifted = Revocation { head_version: 1, ..revocation(1, token(1)) };
    for by in ["a", "b"] {
        assert_eq!(refused_revocation(&mut rig, by, &lifted), (NotMember, "C-13"));
    }
    // What a member is says the list in force when its word comes.
    rig.next_list(|list| role(list, "portal", MemberRole::Custodian));
    assert_eq!(refused_revocation(&mut rig, "portal", &lifted), (NotMember, "C-13"));
    rig.next_list(|list| {
        let portal = list.members.iter_mut().find(|member| member.code.as_str() == "portal").unwrap();
        portal.roles.remove(&MemberRole::Custodian);
    });
    rig.try_revoke("portal", &lifted).unwrap();
    assert_eq!(head(&mut rig), (2, 0));
    rig.next_list(|list| role(list, "portal", MemberRole::Custodian));
    rig.assert_rebuilt();
}

/// Gives a member one role more.
fn role(list: &mut MemberList, member: &str, role: MemberRole) {
    let member = list.members.iter_mut().find(|known| known.code.as_str() == member).unwrap();
    member.roles.insert(role);
}

#[test]
fn c13_the_organisation_that_gains_neither_beats_nor_replaces_a_forbid() {
    let mut rig = held();
    rig.direct("portal", &forbid(1, token(1)));
    let against_b = Directive {
        grantee: permit(0, token(1), "b").grantee,
        purposes: BTreeSet::from([Purpose::Treatment]),
        ..forbid(2, token(1))
    };
    rig.direct("portal", &against_b);
    rig.direct("b", &Directive { head_version: 2, ..permit(3, token(1), "b") });
    assert_eq!(head(&mut rig), (3, 3));
    assert!(!finds(&mut rig));
    rig.direct("portal", &Directive { head_version: 3, ..permit(4, token(1), "b") });
    assert_eq!(head(&mut rig), (4, 2), "another's word replaces the forbid against b, and b's permit");
    assert!(finds(&mut rig));
}

#[test]
fn c12_one_member_attests_a_bounded_number_of_directives_of_a_patient() {
    let mut rig = Rig::quick();
    for number in 0..DIRECTIVES_OF_ONE_MAX as u64 {
        rig.direct("a", &permit(number, token(1), "b"));
    }
    let one_more = permit(100, token(1), "b");
    for directive in [one_more.clone(), forbid(100, token(1))] {
        for proof in [login("a"), desk("a")] {
            let submission = rig.directive_proved("a", &directive, proof);
            assert_eq!(rig.refused(submission), (OverLimit, "C-12"));
        }
    }
    rig.direct("c", &permit(101, token(1), "b"));
    rig.direct("a", &permit(100, token(2), "b"));
    rig.try_revoke("a", &revocation(0, token(1))).unwrap();
    rig.direct("a", &Directive { head_version: 34, ..one_more });
}

#[test]
fn c12_a_patient_has_a_bounded_number_of_directives_in_force() {
    let sayers = ["a", "b", "c", "d", "e", "f", "g", "portal"];
    assert_eq!(sayers.len() * DIRECTIVES_OF_ONE_MAX, DIRECTIVES_ATTESTED_MAX);
    let mut rig = Rig::quick();
    for (number, by) in (0..).zip(sayers.repeat(DIRECTIVES_OF_ONE_MAX)) {
        rig.direct(by, &permit(number, token(1), "b"));
    }
    let submission = rig.directive("portal", &forbid(900, token(1)));
    assert_eq!(rig.refused(submission), (OverLimit, "C-12"));
    // The revocation of a permit never is.
    rig.try_revoke("c", &revocation(1, token(1))).unwrap();
}

#[test]
fn c12_what_is_over_counts_no_longer() {
    let mut rig = Rig::quick();
    for number in 0..DIRECTIVES_OF_ONE_MAX as u64 {
        rig.direct("a", &Directive { valid_until: Some(at(1_000)), ..permit(number, token(1), "b") });
    }
    rig.now = at(0) + Millis::new(1_000);
    rig.direct("a", &permit(100, token(1), "b"));
}

#[test]
fn c10_each_token_of_a_patient_has_a_head_of_its_own() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1), token(2)]);
    rig.publish(&mut chain, 1);
    rig.direct("portal", &permit(1, token(1), "b"));
    assert!(finds(&mut rig));
    assert_eq!(head(&mut rig), (1, 1));
    assert_eq!(rig.told("a", token(2)).unwrap().head.version, 0);
    // A forbid under one token of the subject stops what a permit under the other lets.
    rig.direct("portal", &Directive { head_version: 0, ..forbid(2, token(2)) });
    assert!(!finds(&mut rig));
    let told = rig.told("a", token(2)).unwrap();
    assert_eq!((told.head.version, told.directives.len()), (1, 1));
}
