//! Histories written out: bounds, refusals, and the ways by which one might try to get round a forbid.
//!
//! Not here: histories by chance (`acts`).

use std::collections::BTreeSet;

use yiqiao_consent::{ActRefusal, Record, Witness, scope};
use yiqiao_proto::codes::{DocumentClass, LegalBasis, PersonRole, Stance};
use yiqiao_proto::directive::{Directive, Grantee, Said, What};
use yiqiao_proto::id::DirectiveId;
use yiqiao_proto::member::Policy;
use yiqiao_proto::time::{Millis, Timestamp};

use crate::acts::{NOW, revocation, scopes};
use crate::universe::{accepted, at, code, desk, directive, entry, id, is_custodian, login, permit, policy};

/// Says a directive on the current head, under an id of its own.
fn say(
    record: &mut Record,
    like: &Directive,
    witness: &Witness,
    now: Timestamp,
) -> Result<DirectiveId, ActRefusal> {
    let said = Directive { head_version: record.version(), ..like.clone() };
    record.check_directive(&said, witness, &policy(), now)?;
    let act = accepted(&said, record.version() + 1, witness);
    let id = act.directive.id;
    record.accept_directive(act, now);
    Ok(id)
}

/// Takes a directive back on the current head.
fn take_back(record: &mut Record, directive: DirectiveId, witness: &Witness) -> Result<(), ActRefusal> {
    let said = revocation(directive, record.version(), NOW);
    record.check_revocation(&said, witness, &policy(), is_custodian)?;
    record.accept_revocation(directive, NOW);
    Ok(())
}

fn ids(record: &Record) -> Vec<DirectiveId> {
    record.in_force().iter().map(|act| act.directive.id).collect()
}

/// A permit to organisation `a` about one document.
fn about(number: u8) -> Directive {
    let mut permit = permit();
    permit.what.entries.insert(entry(number));
    permit
}

#[test]
fn c1_c2_c3_c4_c5_c7_these_tests_use_only_directives_that_the_words_allow() {
    let is_word = |said: &Directive| Directive::decode(&said.encode()).as_ref() == Ok(said);
    for like in scopes() {
        let forbid = like.stance == Stance::Forbid;
        assert!(is_word(&like));
        assert_eq!(is_word(&Directive { grantee: Grantee::default(), ..like.clone() }), forbid);
        assert_eq!(is_word(&Directive { purposes: BTreeSet::new(), ..like.clone() }), forbid);
        assert!(!is_word(&Directive { basis: LegalBasis::RegionDefault, ..like.clone() }));
        let department = Grantee { department: Some(code("d")), ..Grantee::default() };
        assert!(!is_word(&Directive { grantee: department, ..like.clone() }));
        let classes = DocumentClass::ALL.iter().copied().collect();
        assert!(!is_word(&Directive { what: What { classes, ..What::default() }, ..like }));
    }
}

#[test]
fn c6_what_was_replaced_stays_so_when_its_successor_is_revoked() {
    let mut record = Record::default();
    say(&mut record, &permit(), &Witness::Passkey, NOW).unwrap();
    let forbid = Directive { grantee: permit().grantee, ..directive() };
    let second = say(&mut record, &forbid, &Witness::Passkey, NOW).unwrap();
    assert_eq!(ids(&record), [second]);
    take_back(&mut record, second, &Witness::Passkey).unwrap();
    assert_eq!(ids(&record), []);
    assert_eq!(take_back(&mut record, second, &Witness::Passkey), Err(ActRefusal::NotInForce));
}

#[test]
fn c8_c9_a_region_takes_a_permit_only_by_a_proof_that_it_lists_and_a_forbid_by_any() {
    for (bit, witness) in [Witness::Passkey, login("v"), desk("v")].into_iter().enumerate() {
        for proofs in 0..8 {
            let region = Policy { proofs, ..policy() };
            let taken = |like: &Directive| Record::default().check_directive(like, &witness, &region, NOW);
            let listed = proofs >> bit & 1 == 1;
            assert_eq!(taken(&permit()), if listed { Ok(()) } else { Err(ActRefusal::Proof) });
            assert_eq!(taken(&directive()), Ok(()));
        }
    }
}

#[test]
fn c11_only_what_widens_is_refused_for_a_head_that_does_not_exist_yet() {
    let record = Record::default();
    let ahead = |like: Directive| Directive { head_version: u64::MAX, ..like };
    let check = |like| record.check_directive(&ahead(like), &Witness::Passkey, &policy(), Timestamp::MAX);
    assert_eq!(check(permit()), Err(ActRefusal::HeadAhead));
    assert_eq!(check(directive()), Ok(()));
}

#[test]
fn c11_a_permit_that_was_signed_before_a_permit_was_taken_back_is_refused() {
    let mut record = Record::default();
    let kept_back = Directive { head_version: record.version(), ..about(2) };
    let first = say(&mut record, &about(1), &desk("a"), NOW).unwrap();
    take_back(&mut record, first, &login("v")).unwrap();
    let check =
        |record: &Record, said: &Directive| record.check_directive(said, &Witness::Passkey, &policy(), NOW);
    assert_eq!(check(&record, &kept_back), Err(ActRefusal::HeadBehind));
    assert_eq!(check(&record, &Directive { head_version: 1, ..about(2) }), Err(ActRefusal::HeadBehind));
    assert_eq!(check(&record, &Directive { head_version: 2, ..about(2) }), Ok(()));
    assert_eq!(
        check(&record, &Directive { head_version: 0, ..directive() }),
        Ok(()),
        "what narrows is taken"
    );
    // The end of a forbid takes no permit back.
    let forbid = say(&mut record, &directive(), &desk("a"), NOW).unwrap();
    take_back(&mut record, forbid, &Witness::Passkey).unwrap();
    assert_eq!(check(&record, &Directive { head_version: 2, ..about(2) }), Ok(()));
}

#[test]
fn c6_c11_taking_back_what_never_came_takes_back_all_that_was_signed_before() {
    let mut record = Record::default();
    let forbid = say(&mut record, &directive(), &Witness::Passkey, NOW).unwrap();
    assert_eq!(take_back(&mut record, id(99), &desk("a")), Err(ActRefusal::NotInForce));
    assert_eq!(record.check_ahead(&desk("a")), Ok(()));
    record.accept_ahead(id(99), &desk("a"), NOW);
    assert_eq!((record.version(), ids(&record)), (2, vec![forbid]));
    let earlier = Directive { head_version: 1, ..about(2) };
    let refused = record.check_directive(&earlier, &Witness::Passkey, &policy(), NOW);
    assert_eq!(refused, Err(ActRefusal::HeadBehind));
}

#[test]
fn c12_each_sayer_takes_back_32_that_never_came() {
    let mut record = Record::default();
    for number in 0..32 {
        let witness = if number % 2 == 0 { desk("v") } else { login("v") };
        assert_eq!(record.check_ahead(&witness), Ok(()));
        record.accept_ahead(id(number), &witness, NOW);
    }
    assert_eq!(record.check_ahead(&desk("v")), Err(ActRefusal::TooManyAhead));
    assert_eq!(record.check_ahead(&login("v")), Err(ActRefusal::TooManyAhead));
    assert_eq!(record.check_ahead(&desk("b")), Ok(()));
    assert_eq!(record.check_ahead(&Witness::Passkey), Ok(()));
}

#[test]
fn c12_members_cannot_shut_out_what_the_patient_says_by_passkey() {
    let mut record = Record::default();
    let members = ["a", "b", "c", "d", "e", "f", "g", "v"];
    for (number, member) in (0..=255_u8).zip(members.into_iter().cycle()) {
        let mut like = directive();
        like.what.entries.insert(entry(number.max(1)));
        like.custodian = (number == 0).then(|| code("c"));
        say(&mut record, &like, &desk(member), NOW).unwrap();
    }
    assert_eq!(say(&mut record, &directive(), &desk("z"), NOW), Err(ActRefusal::TooMany));
    for number in 1..=64 {
        say(&mut record, &about(number), &Witness::Passkey, NOW).unwrap();
    }
    assert_eq!(record.in_force().len(), 320);
    assert_eq!(say(&mut record, &directive(), &Witness::Passkey, NOW), Err(ActRefusal::TooMany));
}

#[test]
fn c12_a_full_patient_can_still_replace_and_revoke() {
    let mut record = Record::default();
    let mut first = None;
    for number in 1..=64 {
        let id = say(&mut record, &about(number), &Witness::Passkey, NOW).unwrap();
        first = first.or(Some(id));
    }
    assert_eq!(say(&mut record, &permit(), &Witness::Passkey, NOW), Err(ActRefusal::TooMany));
    assert_eq!(say(&mut record, &directive(), &Witness::Passkey, NOW), Err(ActRefusal::TooMany));
    let objection = Directive { what: about(7).what, grantee: permit().grantee, ..directive() };
    say(&mut record, &objection, &Witness::Passkey, NOW).unwrap();
    take_back(&mut record, first.unwrap(), &desk("a")).unwrap();
    say(&mut record, &directive(), &Witness::Passkey, NOW).unwrap();
    assert_eq!(record.in_force().len(), 64);
}

#[test]
fn c12_one_member_attests_32_however_it_attests_and_what_is_over_does_not_count() {
    let mut record = Record::default();
    let end = NOW + Millis::new(5);
    for number in 1..=32 {
        let witness = if number % 2 == 0 { desk("v") } else { login("v") };
        say(&mut record, &Directive { valid_until: Some(end), ..about(number) }, &witness, NOW).unwrap();
    }
    assert_eq!(say(&mut record, &about(33), &desk("v"), NOW), Err(ActRefusal::TooMany));
    assert_eq!(say(&mut record, &about(33), &login("v"), NOW), Err(ActRefusal::TooMany));
    say(&mut record, &about(33), &desk("b"), NOW).unwrap();
    say(&mut record, &about(34), &Witness::Passkey, NOW).unwrap();
    say(&mut record, &about(35), &desk("v"), end).unwrap();
    assert_eq!(record.in_force().len(), 3);
}

#[test]
fn c13_the_patients_own_forbid_is_not_undone_by_way_of_anothers_forbid() {
    for witness in [desk("a"), desk("v"), login("v")] {
        let mut record = Record::default();
        let own = say(&mut record, &directive(), &Witness::Passkey, NOW).unwrap();
        let other = say(&mut record, &directive(), &witness, NOW).unwrap();
        assert_eq!(ids(&record), [own, other]);
        assert_eq!(take_back(&mut record, own, &witness), Err(ActRefusal::Witness));
        take_back(&mut record, other, &Witness::Passkey).unwrap();
        assert_eq!(ids(&record), [own]);
    }
}

#[test]
fn c13_nobody_attests_away_a_forbid_by_whose_end_it_gains() {
    let mut record = Record::default();
    let of_a = Directive { grantee: permit().grantee, ..directive() };
    let forbid = say(&mut record, &of_a, &desk("v"), NOW).unwrap();
    assert_eq!(take_back(&mut record, forbid, &desk("a")), Err(ActRefusal::Witness));
    assert_eq!(take_back(&mut record, forbid, &login("a")), Err(ActRefusal::Witness));
    say(&mut record, &permit(), &desk("a"), NOW).unwrap();
    assert!(ids(&record).contains(&forbid));
    take_back(&mut record, forbid, &desk("b")).unwrap();
    assert!(!ids(&record).contains(&forbid));
}

#[test]
fn c13_a_forbid_of_everybody_is_lifted_by_a_member_that_asks_for_no_documents() {
    for forbid in [directive(), Directive { grantee: by_role(), ..directive() }] {
        let mut record = Record::default();
        let id = say(&mut record, &forbid, &desk("a"), NOW).unwrap();
        for custodian in [desk("a"), login("b")] {
            assert_eq!(take_back(&mut record, id, &custodian), Err(ActRefusal::Witness));
        }
        take_back(&mut record, id, &login("v")).unwrap();
        assert_eq!(ids(&record), []);
    }
    let mut record = Record::default();
    let own = say(&mut record, &directive(), &Witness::Passkey, NOW).unwrap();
    assert_eq!(take_back(&mut record, own, &login("v")), Err(ActRefusal::Witness));
}

fn by_role() -> Grantee {
    Grantee { role: Some(PersonRole::Physician), ..Grantee::default() }
}

#[test]
fn d5_of_a_validity_counts_what_is_left() {
    let of = |from, until: Option<i64>, like: Directive| Directive {
        valid_from: at(from),
        valid_until: until.map(at),
        ..like
    };
    let narrower =
        |permit: &Directive, forbid: &Directive, now| scope::is_strictly_narrower(permit, forbid, at(now));
    let forbid = of(20, Some(40), directive());
    for (permit, at_20, at_30) in [
        (of(10, Some(40), permit()), true, true),
        (of(20, Some(30), permit()), true, true),
        (of(10, Some(41), permit()), false, false),
        (of(25, Some(40), permit()), true, true),
        (of(10, None, permit()), false, false),
    ] {
        assert_eq!((narrower(&permit, &forbid, 20), narrower(&permit, &forbid, 30)), (at_20, at_30));
    }
    let alike = of(10, Some(40), directive());
    assert!(narrower(&forbid, &alike, 19), "it begins later");
    assert!(!narrower(&forbid, &alike, 20), "what is left is the same");
}
