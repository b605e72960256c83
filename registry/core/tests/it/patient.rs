//! A patient's questions.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what is missing fails the test")]

use yiqiao_proto::codes::{PatientQuestion, RefusalCode};
use yiqiao_proto::directive::{Act, PatientQuery};
use yiqiao_proto::envelope::{Envelope, Kind};
use yiqiao_proto::head::Head;
use yiqiao_proto::lease::Told;
use yiqiao_proto::proof::Proof;
use yiqiao_proto::time::Millis;
use yiqiao_registry_core::machine::{Input, Outcome, Refused};
use yiqiao_registry_core::patient::{Consents, Events};
use yiqiao_registry_core::take::Submission;

use crate::rig::{Rig, at};
use crate::words::{
    Chain, credential, desk, event, forbid, login, passkey, permit, query, question, release, revocation,
    token,
};

fn ask(rig: &mut Rig, by: &str, said: PatientQuery, proof: Proof) -> Result<Outcome, Refused> {
    let query = rig.word(by, &Act::new(said, proof));
    rig.handle(&Input::PatientQuery(query))
}

fn events(rig: &mut Rig, said: PatientQuery) -> Events {
    let outcome = ask(rig, "portal", said, login("portal")).unwrap();
    let Outcome::Events(events) = outcome else { panic!("{outcome:?} for events") };
    events
}

fn consents(rig: &mut Rig, patient: u64, nonce: u64) -> Consents {
    let said = question(rig, token(patient), PatientQuestion::Consents, nonce);
    let outcome = ask(rig, "portal", said, login("portal")).unwrap();
    let Outcome::Consents(consents) = outcome else { panic!("{outcome:?} for consents") };
    consents
}

fn kinds(events: &Events) -> Vec<Kind> {
    let kind = |opening: &yiqiao_proto::log::Opening| Envelope::decode(&opening.envelope).unwrap().kind();
    events.events.iter().map(kind).collect()
}

#[test]
fn a4_a_question_is_asked_within_five_minutes_and_not_ahead() {
    let mut rig = Rig::new();
    rig.now = at(10_000_000);
    let age = Millis::from_secs(300);
    let said = |at| PatientQuery { at, ..question(&rig, token(1), PatientQuestion::Events, 1) };
    let (oldest, newest) = (said(rig.now - age), said(rig.now + age));
    let one = Millis::new(1);
    let outside = [said(rig.now - age - one), said(rig.now + age + one)];
    for said in outside {
        let refused = ask(&mut rig, "portal", said, login("portal")).unwrap_err();
        assert_eq!(refused, Refused::new(RefusalCode::Stale, "A-4"));
    }
    assert_eq!(rig.words().len(), 1, "nothing is kept of what is refused");
    for said in [oldest, newest] {
        assert!(ask(&mut rig, "portal", said, login("portal")).is_ok());
    }
}

#[test]
fn a4_a_question_goes_stale_though_it_was_answered() {
    let mut rig = Rig::new();
    let said = question(&rig, token(1), PatientQuestion::Events, 1);
    assert!(ask(&mut rig, "portal", said.clone(), login("portal")).is_ok());
    rig.now = at(300_001);
    let refused = ask(&mut rig, "portal", said, login("portal")).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Stale);
}

#[test]
fn c8_a_question_is_proved_by_login_or_desk_and_a_passkey_is_not_taken_unchecked() {
    let mut rig = Rig::new();
    let said = |rig: &Rig, nonce| question(rig, token(1), PatientQuestion::Consents, nonce);
    let asked = said(&rig, 1);
    let refused = ask(&mut rig, "portal", asked, passkey()).unwrap_err();
    assert_eq!(refused, Refused::new(RefusalCode::BadSignature, "C-14"));
    for (nonce, proof) in [(2, login("a")), (3, desk("a"))] {
        let asked = said(&rig, nonce);
        assert!(ask(&mut rig, "a", asked, proof).is_ok());
    }
}

#[test]
fn a4_consents_are_the_head_and_every_directive_in_force_whole() {
    let mut rig = Rig::new();
    assert_eq!(consents(&mut rig, 1, 1), Consents { head: Head::empty(), directives: Vec::new() });
    let first = rig.direct("portal", &permit(1, token(1), "b"));
    rig.direct("portal", &permit(2, token(1), "c"));
    rig.direct("portal", &forbid(3, token(1)));
    rig.try_revoke("portal", &revocation(2, token(1))).unwrap();
    let told = consents(&mut rig, 1, 2);
    assert_eq!((told.head.version, told.directives.len()), (4, 2));
    let leaves = told.directives.iter().map(|act| (act.version, act.act.commitment()));
    assert_eq!(Head::of(4, leaves), told.head);
    assert_eq!(told.directives.first().unwrap().act, Told::Opening(first.opening));
    assert_eq!(consents(&mut rig, 2, 3).head, Head::empty());
}

#[test]
fn a4_events_are_all_that_was_said_about_the_patient_but_no_documents() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    rig.publish(&mut chain, 1);
    rig.direct("portal", &permit(1, token(1), "b"));
    rig.search(&query("b", &[token(1), token(2)]));
    rig.take(Submission::Release(rig.word("a", &release("a", "b", 1, &[token(1)]))));
    rig.take(Submission::Event(rig.word("b", &event("b", token(1)))));
    rig.take(Submission::Event(rig.word("b", &event("b", token(3)))));
    rig.take(Submission::Credential(rig.word("portal", &credential("portal", &[token(1), token(3)]))));
    rig.try_revoke("portal", &revocation(1, token(1))).unwrap();
    rig.withdraw(&mut chain, 1);
    let asked = question(&rig, token(1), PatientQuestion::Events, 1);
    let told = events(&mut rig, asked);
    let expected = [
        Kind::AccessEvent,
        Kind::Directive,
        Kind::AccessEvent,
        Kind::AccessEvent,
        Kind::CredentialStatement,
        Kind::Revocation,
        Kind::PatientQuery,
    ];
    assert_eq!(kinds(&told), expected);
    assert!(told.events.is_sorted_by(|a, b| a.seq < b.seq));
    assert_eq!(told.next_seq, None);
    let asked = question(&rig, token(2), PatientQuestion::Events, 2);
    assert_eq!(kinds(&events(&mut rig, asked)), [Kind::AccessEvent, Kind::PatientQuery]);
}

#[test]
fn a4_events_are_read_by_pages() {
    let mut rig = Rig::quick();
    let mut seqs = Vec::new();
    for number in 0..150_u32 {
        let mut said = event("b", token(1));
        said.documents = number;
        seqs.push(rig.take(Submission::Event(rig.word("b", &said))).opening.seq);
        said.patient = token(2);
        rig.take(Submission::Event(rig.word("b", &said)));
    }
    for count in [40, 64, 256] {
        let (mut read, mut from) = (Vec::new(), Some(0));
        while let Some(from_seq) = from {
            let nonce = u64::from(count) * 1_000 + from_seq;
            let asked =
                PatientQuery { from_seq, count, ..question(&rig, token(1), PatientQuestion::Events, nonce) };
            let page = events(&mut rig, asked);
            assert!(page.events.len() <= count as usize);
            read.extend(page.events.iter().map(|opening| opening.seq));
            from = page.next_seq.filter(|_| read.len() < seqs.len());
        }
        assert_eq!(read.get(..150), Some(seqs.as_slice()), "by {count}");
    }
}

#[test]
fn a4_the_consents_of_a_patient_nobody_knows_are_empty_and_leave_the_same_record() {
    let mut rig = Rig::new();
    rig.direct("portal", &permit(1, token(1), "b"));
    for (patient, nonce) in [(1, 1), (2, 2)] {
        let words = rig.words().len();
        consents(&mut rig, patient, nonce);
        assert_eq!(rig.kinds_after(words), [Kind::PatientQuery]);
    }
}
