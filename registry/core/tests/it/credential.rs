//! Passkeys: what vouchers state of them, and acts that patients sign themselves (C-8, C-9, C-14, F-5).

use yiqiao_proto::codes::RefusalCode::{self, BadSignature, Malformed, NotMember, OutOfOrder, OverLimit};
use yiqiao_proto::codes::{CredentialState, LegalBasis, PatientQuestion};
use yiqiao_proto::directive::{self, Act, Directive, Revocation};
use yiqiao_proto::envelope::{Verified, Word, payload_hash};
use yiqiao_proto::lease::Change;
use yiqiao_proto::member::KeyState;
use yiqiao_proto::proof::CredentialStatement;
use yiqiao_proto::time::Millis;
use yiqiao_registry_core::limits::CREDENTIAL_STATEMENTS_OF_ONE_MAX;
use yiqiao_registry_core::machine::{ConsentAct, Input, Outcome, Refused};
use yiqiao_registry_core::state;
use yiqiao_registry_core::take::{Submission, Taken};

use yiqiao_simnet::passkey::Passkey;

use crate::rig::{Rig, code, region};
use crate::words::{
    Chain, credential, desk, forbid, id, passkey, passkey_of, permit, query, question, revocation, token,
};

const NOT_PROVED: (RefusalCode, &str) = (BadSignature, "C-14");

/// A registry where a holds one entry of patient 1, whose passkey the portal vouches for.
fn vouched() -> Rig {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    rig.publish(&mut chain, 1);
    vouch(&mut rig, &own().credential(&code("portal"), &[token(1)]));
    rig
}

/// The passkey of patient 1.
fn own() -> Passkey {
    passkey_of(1)
}

fn vouch(rig: &mut Rig, statement: &CredentialStatement) -> Taken {
    rig.take(Submission::Credential(rig.word(statement.voucher.as_str(), statement)))
}

fn signed<T: directive::Said>(rig: &Rig, passkey: &Passkey, said: T) -> Verified<Act<T>>
where
    Act<T>: Word,
{
    rig.word("b", &passkey.act(&region(), said))
}

fn directive(rig: &Rig, passkey: &Passkey, said: &Directive) -> Submission {
    Submission::Consent(ConsentAct::Directive(Box::new(signed(rig, passkey, said.clone()))))
}

fn revoke(rig: &Rig, passkey: &Passkey, said: &Revocation) -> Submission {
    Submission::Consent(ConsentAct::Revocation(Box::new(signed(rig, passkey, said.clone()))))
}

fn finds(rig: &mut Rig) -> bool {
    !rig.search(&query("b", &[token(1)])).entries.is_empty()
}

#[test]
fn c14_what_a_patient_signs_is_taken_from_any_member() {
    let mut rig = vouched();
    let act = directive(&rig, &own(), &permit(1, token(1), "b"));
    rig.take(act);
    assert!(finds(&mut rig));
    let act = revoke(&rig, &own(), &revocation(1, token(1)));
    rig.take(act);
    assert!(!finds(&mut rig));
    let act = directive(&rig, &own(), &Directive { head_version: 2, ..forbid(2, token(1)) });
    rig.take(act);
    // What the patient forbade so, no desk undoes (C-13).
    let permit = Directive { head_version: 3, ..permit(3, token(1), "b") };
    rig.take(rig.directive_proved("a", &permit, desk("a")));
    assert!(!finds(&mut rig));
}

#[test]
fn c14_a_passkey_that_is_nobodys_or_somebody_elses_proves_nothing() {
    let mut rig = vouched();
    let stranger = directive(&rig, &passkey_of(0x51), &forbid(1, token(1)));
    assert_eq!(rig.refused(stranger), NOT_PROVED);
    vouch(&mut rig, &passkey_of(0x52).credential(&code("portal"), &[token(2)]));
    for said in [permit(1, token(1), "b"), forbid(1, token(1))] {
        let other = directive(&rig, &passkey_of(0x52), &said);
        assert_eq!(rig.refused(other), NOT_PROVED);
    }
    let unsigned = rig.directive_proved("portal", &forbid(1, token(1)), passkey());
    assert_eq!(rig.refused(unsigned), NOT_PROVED);
    rig.direct("portal", &permit(2, token(1), "b"));
    let act = rig.word("portal", &Act::new(revocation(2, token(1)), passkey()));
    assert_eq!(rig.refused(Submission::Consent(ConsentAct::Revocation(Box::new(act)))), NOT_PROVED);
    let other = revoke(&rig, &passkey_of(0x52), &revocation(2, token(1)));
    assert_eq!(rig.refused(other), NOT_PROVED);
    assert!(finds(&mut rig));
}

#[test]
fn c14_a_guardian_consents_as_a_guardian_and_a_patient_as_the_patient() {
    let mut rig = vouched();
    let guardian = passkey_of(0x54);
    let statement = guardian.credential(&code("portal"), &[token(1)]);
    vouch(&mut rig, &CredentialStatement { guardian: true, ..statement });
    let by_guardian = Directive { basis: LegalBasis::GuardianConsent, ..permit(1, token(1), "b") };
    let by_patient = permit(2, token(1), "b");
    for (passkey, said) in [(&guardian, &by_patient), (&own(), &by_guardian)] {
        let act = directive(&rig, passkey, said);
        assert_eq!(rig.refused(act), NOT_PROVED);
    }
    assert!(!finds(&mut rig));
    let act = directive(&rig, &guardian, &by_guardian);
    rig.take(act);
    assert!(finds(&mut rig));
    // Each takes back what the other said, and objects.
    let act = revoke(&rig, &own(), &revocation(1, token(1)));
    rig.take(act);
    assert!(!finds(&mut rig));
    let act = directive(&rig, &guardian, &Directive { head_version: 2, ..forbid(3, token(1)) });
    rig.take(act);
}

#[test]
fn c9_a_passkey_signs_nothing_from_its_end_on_and_what_it_signed_stays() {
    let mut rig = vouched();
    let lent = passkey_of(0x54);
    let until = Some(rig.now + Millis::new(60_000));
    vouch(&mut rig, &CredentialStatement { until, ..lent.credential(&code("portal"), &[token(1)]) });
    let act = directive(&rig, &lent, &permit(1, token(1), "b"));
    rig.take(act);
    rig.now = rig.now + Millis::new(60_000);
    assert!(finds(&mut rig));
    let act = directive(&rig, &lent, &Directive { head_version: 1, ..permit(2, token(1), "c") });
    assert_eq!(rig.refused(act), NOT_PROVED);
    let act = directive(&rig, &own(), &Directive { head_version: 1, ..permit(3, token(1), "c") });
    rig.take(act);
}

#[test]
fn c14_an_assertion_is_not_taken_for_another_act() {
    let mut rig = vouched();
    let mut act = own().act(&region(), permit(1, token(1), "b"));
    let proof = act.proof.clone();
    act = Act::new(permit(1, token(1), "c"), proof);
    let act = rig.word("portal", &act);
    assert_eq!(rig.refused(Submission::Consent(ConsentAct::Directive(Box::new(act)))), NOT_PROVED);
}

#[test]
fn c9_a_passkey_that_is_revoked_signs_nothing_new_and_what_it_signed_stays() {
    let mut rig = vouched();
    let act = directive(&rig, &own(), &permit(1, token(1), "b"));
    rig.take(act);
    let revoked = after(&own().credential(&code("portal"), &[token(1)]), CredentialState::Revoked);
    vouch(&mut rig, &revoked);
    assert!(finds(&mut rig));
    let act = directive(&rig, &own(), &Directive { head_version: 1, ..forbid(2, token(1)) });
    assert_eq!(rig.refused(act), NOT_PROVED);
    // Another passkey of the patient takes it back.
    vouch(&mut rig, &passkey_of(0x53).credential(&code("a"), &[token(1)]));
    let act = revoke(&rig, &passkey_of(0x53), &revocation(1, token(1)));
    rig.take(act);
    assert!(!finds(&mut rig));
}

#[test]
fn c9_a_passkey_that_its_voucher_gives_to_another_patient_signs_for_that_one_alone() {
    let mut rig = vouched();
    let moved = after(&own().credential(&code("portal"), &[token(1)]), CredentialState::Valid);
    vouch(&mut rig, &CredentialStatement { tokens: vec![token(2)], ..moved });
    let act = directive(&rig, &own(), &permit(1, token(1), "b"));
    assert_eq!(rig.refused(act), NOT_PROVED);
    let act = directive(&rig, &own(), &permit(1, token(2), "b"));
    rig.take(act);
}

#[test]
fn c14_a_permit_counts_no_longer_once_its_voucher_is_not_believed_and_a_forbid_does() {
    let mut rig = vouched();
    let act = directive(&rig, &own(), &permit(1, token(1), "b"));
    rig.take(act);
    assert!(finds(&mut rig));
    rig.next_list(|list| list.policy.vouchers.retain(|voucher| voucher.as_str() != "portal"));
    assert!(!finds(&mut rig), "the voucher is off the list");
    rig.next_list(|list| list.policy.vouchers.clear());
    assert!(finds(&mut rig));
    let stated_at = 2;
    rig.next_list(|list| {
        let portal = list.members.iter_mut().find(|member| member.code.as_str() == "portal").unwrap();
        portal.signing_keys.first_mut().unwrap().state = KeyState::CompromisedSince(stated_at);
    });
    assert!(!finds(&mut rig), "the key of the voucher was in other hands");
    rig.take(rig.directive_proved(
        "a",
        &Directive { head_version: 1, ..permit(2, token(1), "b") },
        desk("a"),
    ));
    assert!(finds(&mut rig));
}

#[test]
fn c14_a_forbid_counts_whatever_becomes_of_its_voucher() {
    let mut rig = vouched();
    rig.direct("portal", &permit(1, token(1), "b"));
    let act = directive(&rig, &own(), &Directive { head_version: 1, ..forbid(2, token(1)) });
    rig.take(act);
    rig.next_list(|list| list.policy.rp_id = None);
    assert!(!finds(&mut rig));
}

#[test]
fn a4_a_patient_asks_with_a_passkey() {
    let mut rig = vouched();
    let asked = question(&rig, token(1), PatientQuestion::Consents, 1);
    let query = signed(&rig, &own(), asked);
    let answered = rig.handle(&Input::PatientQuery(query));
    assert!(matches!(answered, Ok(Outcome::Consents(_))), "{answered:?}");
    let asked = question(&rig, token(2), PatientQuestion::Consents, 2);
    let query = signed(&rig, &own(), asked);
    let refused = rig.handle(&Input::PatientQuery(query)).unwrap_err();
    assert_eq!(refused, Refused::new(BadSignature, "C-14"));
}

#[test]
fn f5_who_hears_of_a_patient_for_the_first_time_hears_of_the_passkeys_before_the_head() {
    let mut rig = vouched();
    let act = directive(&rig, &own(), &permit(1, token(1), "b"));
    rig.take(act);
    let mut chain = Chain::new("c", 1);
    rig.state(&mut chain, &[token(1)]);
    rig.publish(&mut chain, 2);
    let told: Vec<bool> = rig
        .feed("c")
        .iter()
        .filter_map(|item| match &item.change {
            Change::Credential(_) => Some(true),
            Change::Head(change) if change.patient == token(1) => Some(false),
            Change::Head(_) | Change::MemberList(_) | Change::Withdrawal(_) => None,
        })
        .collect();
    assert_eq!(told, [true, false]);
}

#[test]
fn c9_one_voucher_does_not_take_the_places_of_others_and_revokes_whatever_it_stated() {
    let mut rig = Rig::new();
    let mut newest = own().credential(&code("portal"), &[token(1)]);
    vouch(&mut rig, &newest);
    for _ in 1..CREDENTIAL_STATEMENTS_OF_ONE_MAX {
        newest = after(&newest, CredentialState::Valid);
        vouch(&mut rig, &newest);
    }
    let more = after(&newest, CredentialState::Valid);
    assert_eq!(refused(&mut rig, &more), (OverLimit, "C-9"));
    let elsewhere = CredentialStatement { tokens: vec![token(2)], ..more };
    assert_eq!(refused(&mut rig, &elsewhere), (OverLimit, "C-9"));
    let another = passkey_of(0x54).credential(&code("portal"), &[token(1)]);
    assert_eq!(refused(&mut rig, &another), (OverLimit, "C-9"));
    vouch(&mut rig, &passkey_of(0x54).credential(&code("a"), &[token(1)]));
    vouch(&mut rig, &after(&newest, CredentialState::Revoked));
}

#[test]
fn c15_a_key_that_cannot_sign_is_not_vouched_for() {
    let mut rig = Rig::new();
    let statement = CredentialStatement { public_key: vec![1; 42], ..credential("portal", &[token(1)]) };
    assert_eq!(refused(&mut rig, &statement), (Malformed, "C-15"));
}

/// The statement after one of the same credential.
fn after(statement: &CredentialStatement, state: CredentialState) -> CredentialStatement {
    let previous = Some(payload_hash(&statement.encode()));
    CredentialStatement { number: statement.number + 1, previous, state, ..statement.clone() }
}

fn refused(rig: &mut Rig, statement: &CredentialStatement) -> (RefusalCode, &'static str) {
    let by = statement.voucher.to_string();
    rig.refused(Submission::Credential(rig.word(&by, statement)))
}

#[test]
fn c9_only_listed_vouchers_vouch_and_only_for_the_regions_domain() {
    let mut rig = Rig::new();
    let not_taken = (NotMember, "C-9");
    assert_eq!(refused(&mut rig, &credential("b", &[token(1)])), not_taken);
    let elsewhere =
        CredentialStatement { rp_id: "other.example".to_owned(), ..credential("portal", &[token(1)]) };
    assert_eq!(refused(&mut rig, &elsewhere), not_taken);
    for voucher in ["a", "portal"] {
        rig.take(Submission::Credential(rig.word(voucher, &credential(voucher, &[token(1)]))));
    }
    rig.next_list(|list| list.policy.vouchers.clear());
    rig.take(Submission::Credential(rig.word("b", &credential("b", &[token(1)]))));
    rig.next_list(|list| list.policy.rp_id = None);
    assert_eq!(refused(&mut rig, &credential("c", &[token(1)])), not_taken);
}

#[test]
fn c9_statements_of_a_credential_are_chained_for_each_voucher_and_revoked_for_good() {
    let mut rig = Rig::new();
    let out_of_order = (OutOfOrder, "C-9");
    let first = credential("portal", &[token(1)]);
    let second = after(&first, CredentialState::Valid);
    let third = after(&second, CredentialState::Revoked);
    assert_eq!(refused(&mut rig, &second), out_of_order);
    vouch(&mut rig, &first);
    let other_history = Some(id(yiqiao_proto::id::Digest::new, 99));
    let forked = CredentialStatement { previous: other_history, ..second.clone() };
    assert_eq!(refused(&mut rig, &forked), out_of_order);
    let again = CredentialStatement { public_key: vec![1; 70], ..first.clone() };
    assert_eq!(refused(&mut rig, &again), out_of_order);
    vouch(&mut rig, &second);
    vouch(&mut rig, &third);
    assert_eq!(refused(&mut rig, &after(&third, CredentialState::Valid)), out_of_order);
    // Another credential, and another voucher of the same one, have chains of their own.
    let other = CredentialStatement { credential_id: vec![0xce; 17], ..first };
    vouch(&mut rig, &other);
    rig.take(Submission::Credential(rig.word("a", &credential("a", &[token(1)]))));
}

#[test]
fn c9_who_holds_for_the_patient_of_either_statement_hears_of_the_next_one() {
    let mut rig = Rig::new();
    for (publisher, patient) in [("a", 1), ("b", 2), ("c", 3)] {
        let mut chain = Chain::new(publisher, 1);
        rig.state(&mut chain, &[token(patient)]);
        rig.publish(&mut chain, 1);
    }
    let first = credential("portal", &[token(1)]);
    vouch(&mut rig, &first);
    assert_eq!(["a", "b", "c"].map(|member| credentials(&mut rig, member)), [1, 0, 0]);
    let moved = CredentialStatement { tokens: vec![token(2)], ..after(&first, CredentialState::Valid) };
    vouch(&mut rig, &moved);
    assert_eq!(["a", "b", "c"].map(|member| credentials(&mut rig, member)), [2, 1, 0]);
    let revoked = after(&moved, CredentialState::Revoked);
    vouch(&mut rig, &revoked);
    assert_eq!(["a", "b", "c"].map(|member| credentials(&mut rig, member)), [2, 2, 0]);
}

/// How many credentials a member was told of.
fn credentials(rig: &mut Rig, member: &str) -> usize {
    rig.feed(member).iter().filter(|item| matches!(item.change, Change::Credential(_))).count()
}

#[test]
fn c9_permits_for_which_only_who_gains_vouches_are_counted_once_for_the_bureau() {
    let counted = |rig: &Rig, member: &str| {
        rig.find(&state::self_vouched(&code(member))).map_or(0, |count| count.events)
    };
    let mut rig = vouched();
    rig.next_list(|list| list.policy.vouchers.clear());
    let two = own().credential(&code("b"), &[token(1), token(2)]);
    let of_portal = after(&own().credential(&code("portal"), &[token(1)]), CredentialState::Revoked);
    let permit_to = |rig: &mut Rig, number: u64, of: u64, to: &str| {
        let act = directive(rig, &own(), &permit(number, token(of), to));
        rig.take(act);
    };
    // The portal vouches: nobody gains by its own word. Then two do, and only then b alone.
    permit_to(&mut rig, 1, 1, "b");
    vouch(&mut rig, &two);
    permit_to(&mut rig, 2, 1, "b");
    assert_eq!(counted(&rig, "b"), 0);
    vouch(&mut rig, &of_portal);
    permit_to(&mut rig, 3, 1, "c");
    let said = forbid(4, token(1));
    let act = directive(&rig, &own(), &said);
    rig.take(act);
    assert_eq!((counted(&rig, "b"), counted(&rig, "c")), (0, 0));
    let said = Directive { head_version: 4, ..permit(5, token(1), "b") };
    let act = directive(&rig, &own(), &said);
    rig.take(act);
    assert_eq!(counted(&rig, "b"), 1);
    // The same under the patient's other token is the same permit.
    permit_to(&mut rig, 5, 2, "b");
    assert_eq!((counted(&rig, "b"), counted(&rig, "c")), (1, 0));
    rig.assert_rebuilt();
}
