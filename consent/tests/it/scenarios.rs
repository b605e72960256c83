//! Histories written out: bounds, refusals, and the ways by which one might try to get round a forbid.
//!
//! Not here: histories by chance (`acts`).

use std::collections::BTreeSet;

use yiqiao_consent::{ActRefusal, Record, Witness};
use yiqiao_proto::codes::{DocumentClass, LegalBasis, Stance};
use yiqiao_proto::directive::{Directive, Grantee, Said, What};
use yiqiao_proto::id::DirectiveId;
use yiqiao_proto::member::Policy;
use yiqiao_proto::time::{Millis, Timestamp};

use crate::acts::{NOW, revocation, scopes};
use crate::universe::{accepted, code, desk, directive, entry, login, permit, policy};

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
    record.check_revocation(&said, witness, &policy())?;
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
fn c12_a_full_patient_can_still_replace_and_revoke() {
    let mut record = Record::default();
    let mut first = None;
    for number in 0..=255 {
        let mut like = about(number.max(1));
        like.custodian = (number == 0).then(|| code("c"));
        let id = say(&mut record, &like, &Witness::Passkey, NOW).unwrap();
        first = first.or(Some(id));
    }
    assert_eq!(say(&mut record, &permit(), &Witness::Passkey, NOW), Err(ActRefusal::TooMany));
    assert_eq!(say(&mut record, &directive(), &Witness::Passkey, NOW), Err(ActRefusal::TooMany));
    let objection = Directive { what: about(7).what, grantee: permit().grantee, ..directive() };
    say(&mut record, &objection, &Witness::Passkey, NOW).unwrap();
    take_back(&mut record, first.unwrap(), &desk("a")).unwrap();
    say(&mut record, &directive(), &Witness::Passkey, NOW).unwrap();
    assert_eq!(record.in_force().len(), 256);
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
