//! A permit that is taken back under one token of a patient is taken back under all that are known to be the patient's (C-10).

use yiqiao_proto::codes::Purpose;
use yiqiao_proto::codes::RefusalCode::Nothing;
use yiqiao_proto::directive::{Directive, Revocation};
use yiqiao_proto::token::Token;

use crate::rig::Rig;
use crate::words::{Chain, forbid, permit, query, revocation, token};

/// A registry where `a` holds one entry of a patient whom it knows by two tokens, and `d` one that it knows by the second.
fn held() -> Rig {
    let mut rig = Rig::new();
    for (publisher, tokens, entry) in [("a", &[token(1), token(2)][..], 1), ("d", &[token(2)], 2)] {
        let mut chain = Chain::new(publisher, 1);
        rig.state(&mut chain, tokens);
        rig.publish(&mut chain, entry);
    }
    rig
}

/// How many entries b finds.
fn found(rig: &mut Rig) -> usize {
    rig.search(&query("b", &[token(1), token(2)])).entries.len()
}

/// Version of a head, and how many directives are in force, as a holder was told.
fn head(rig: &mut Rig, holder: &str, patient: Token) -> (u64, usize) {
    let told = rig.told(holder, patient);
    told.map_or((0, 0), |told| (told.head.version, told.directives.len()))
}

/// Under both tokens, one act.
fn both(rig: &mut Rig, by: &str) {
    for patient in [token(1), token(2)] {
        rig.direct(by, &permit(1, patient, "b"));
    }
}

#[test]
fn c10_a_desk_that_knows_one_token_takes_back_all_of_the_consent() {
    let mut rig = held();
    both(&mut rig, "c");
    assert_eq!(found(&mut rig), 2);
    rig.try_revoke("g", &revocation(1, token(1))).unwrap();
    assert_eq!(found(&mut rig), 0);
    assert_eq!([head(&mut rig, "a", token(1)), head(&mut rig, "a", token(2))], [(2, 0), (2, 0)]);
    assert_eq!(head(&mut rig, "d", token(2)), (2, 0));
}

#[test]
fn c10_who_takes_it_back_under_each_token_is_not_refused_for_the_second() {
    let mut rig = held();
    both(&mut rig, "c");
    rig.try_revoke("c", &revocation(1, token(1))).unwrap();
    rig.try_revoke("c", &revocation(1, token(2))).unwrap();
    assert_eq!(head(&mut rig, "d", token(2)), (2, 0), "it was taken back once");
    let again = Revocation { head_version: 2, ..revocation(1, token(2)) };
    let again = rig.revocation("c", &again);
    assert_eq!(rig.refused(again), (Nothing, "C-6"));
}

#[test]
fn c10_one_act_is_known_by_its_id_before_anybody_holds_anything() {
    let mut rig = Rig::new();
    both(&mut rig, "c");
    rig.try_revoke("g", &revocation(1, token(1))).unwrap();
    let mut chain = Chain::new("d", 1);
    rig.state(&mut chain, &[token(2)]);
    rig.publish(&mut chain, 2);
    assert_eq!((found(&mut rig), head(&mut rig, "d", token(2))), (0, (2, 0)));
}

#[test]
fn c10_a_permit_that_lets_the_same_happen_goes_with_it_and_no_other() {
    let mut rig = held();
    rig.direct("e", &permit(1, token(1), "b"));
    rig.direct("f", &permit(2, token(2), "b"));
    let payment = Directive { purposes: [Purpose::Payment].into(), ..permit(3, token(2), "b") };
    rig.direct("f", &payment);
    rig.direct("f", &permit(4, token(2), "c"));
    rig.direct("f", &permit(5, token(3), "b"));
    rig.try_revoke("g", &revocation(1, token(1))).unwrap();
    assert_eq!(head(&mut rig, "d", token(2)), (4, 2));
    assert_eq!(found(&mut rig), 0);
    let mut chain = Chain::new("f", 9);
    rig.state(&mut chain, &[token(3)]);
    rig.publish(&mut chain, 9);
    assert_eq!(head(&mut rig, "f", token(3)), (1, 1), "of another patient");
    // What the patient says afterwards counts.
    rig.direct("f", &Directive { head_version: 4, ..permit(6, token(2), "b") });
    assert_eq!(found(&mut rig), 2);
}

#[test]
fn c10_the_end_of_a_forbid_ends_no_other() {
    let mut rig = held();
    both(&mut rig, "c");
    for patient in [token(1), token(2)] {
        rig.direct("portal", &Directive { head_version: 1, ..forbid(7, patient) });
    }
    assert_eq!(found(&mut rig), 0);
    rig.try_revoke("portal", &Revocation { head_version: 2, ..revocation(7, token(1)) }).unwrap();
    assert_eq!(found(&mut rig), 0, "whose second token it also forbids");
    assert_eq!(head(&mut rig, "d", token(2)), (2, 2));
}

#[test]
fn c10_an_id_that_another_member_used_makes_no_patients_one() {
    let mut rig = Rig::new();
    rig.direct("c", &permit(1, token(1), "b"));
    rig.direct("d", &permit(1, token(2), "b"));
    rig.try_revoke("g", &revocation(1, token(1))).unwrap();
    let mut chain = Chain::new("e", 1);
    rig.state(&mut chain, &[token(2)]);
    rig.publish(&mut chain, 1);
    assert_eq!(head(&mut rig, "e", token(2)), (1, 1));
}
