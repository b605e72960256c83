//! What the index holds, for publisher and patient alone (L-15), and what members find that cannot be (L-17).

#![expect(clippy::unwrap_used, clippy::panic, reason = "what cannot happen here fails the test")]

use std::collections::BTreeSet;

use prost::Message;
use yiqiao_proto::calls::{
    AlarmNotice, Call as _, HoldingsAnswer, InventoryAnswer, InventoryRequest, Method,
};
use yiqiao_proto::codes::{PatientQuestion, RefusalCode};
use yiqiao_proto::directive::Act;
use yiqiao_proto::envelope::{Envelope, Said, Verified};
use yiqiao_proto::id::Subject;
use yiqiao_proto::inventory::{Holding, Inventory};
use yiqiao_proto::note::{Checkpoint, origin};
use yiqiao_proto::wire::calls::{Contradiction, alarm_notice::Alarm};
use yiqiao_registry_core::alarm;
use yiqiao_registry_core::answer::{self, Log};
use yiqiao_registry_core::door::Asked;
use yiqiao_registry_core::machine::{Input, Outcome};
use yiqiao_registry_core::state;

use crate::calls::{Call, call};
use crate::rig::{Rig, code, region};
use crate::words::{Chain, id, login, question, token};

const NO_HASHES: &[yiqiao_proto::tree::Hash] = &[];

/// What goes out for an outcome, over a log of so many words.
fn bytes(rig: &Rig, outcome: Outcome, size: u64) -> Vec<u8> {
    let note = checkpoint(rig, size, 5);
    let log = Log { hashes: NO_HASHES, size, root: [5; 32], note: &note };
    answer::answer(outcome, rig.machine(), &log).unwrap().unwrap()
}

fn checkpoint(rig: &Rig, size: u64, root: u8) -> Vec<u8> {
    let origin = origin(&region(), &rig.directory().list().log_id);
    Checkpoint { origin, size, root: [root; 32] }.sign(&rig.checkpoint_key())
}

fn read(rig: &Rig, envelope: &[u8]) -> Inventory {
    let envelope = Envelope::decode(envelope).unwrap();
    Verified::<Inventory>::check(envelope, rig.directory(), Said::Now).unwrap().into_parts().0
}

fn own(rig: &mut Rig, by: &str, subjects: &[u64]) -> Inventory {
    let subjects = subjects.iter().map(|number| id(Subject::new, *number)).collect::<BTreeSet<_>>();
    let outcome = rig.handle(&Input::Inventory { member: code(by), subjects }).unwrap();
    let answer = InventoryAnswer::from_bytes(&bytes(rig, outcome, 100)).unwrap();
    read(rig, &answer.envelope)
}

fn of_patient(rig: &mut Rig, by: &str, number: u64) -> Vec<Inventory> {
    let said = question(rig, token(number), PatientQuestion::Holdings, number);
    let query = rig.word(by, &Act::new(said, login(by)));
    let outcome = rig.handle(&Input::PatientQuery(query)).unwrap();
    let answer = HoldingsAnswer::from_bytes(&bytes(rig, outcome, 100)).unwrap();
    answer.envelopes.iter().map(|envelope| read(rig, envelope)).collect()
}

fn numbers(inventory: &Inventory) -> Vec<u64> {
    inventory.holdings.iter().map(|held| held.number).collect()
}

#[test]
fn l15_a_publisher_is_told_where_its_own_chains_end_and_nobody_elses() {
    let mut rig = Rig::new();
    let mut chain = Chain::new("a", 1);
    rig.state(&mut chain, &[token(1)]);
    rig.publish(&mut chain, 1);
    let last = rig.publish(&mut chain, 2).opening;
    let told = own(&mut rig, "a", &[1, 2]);
    let payload = Envelope::decode(&last.envelope).unwrap().payload_hash();
    let held = Holding { subject: id(Subject::new, 1), number: 2, last: Some(payload) };
    let nothing = Holding { subject: id(Subject::new, 2), number: 0, last: None };
    assert_eq!((&told.publisher, &told.reader), (&code("a"), &code("a")));
    assert!(told.holdings.contains(&held) && told.holdings.contains(&nothing));
    assert_eq!(told.words, last.seq + 1);
    assert_eq!(numbers(&own(&mut rig, "b", &[1, 2])), [0, 0], "another member learns nothing");
}

#[test]
fn l15_the_patient_is_told_of_every_publisher_by_itself_and_only_of_the_own_token() {
    let mut rig = Rig::new();
    for (publisher, subject, patient) in [("a", 1, 1), ("a", 2, 1), ("b", 3, 1), ("b", 4, 2)] {
        let mut chain = Chain::new(publisher, subject);
        rig.state(&mut chain, &[token(patient)]);
        rig.publish(&mut chain, subject);
    }
    let told = of_patient(&mut rig, "portal", 1);
    let publishers: Vec<_> = told.iter().map(|told| (told.publisher.clone(), numbers(told))).collect();
    assert_eq!(publishers, [(code("a"), vec![1, 1]), (code("b"), vec![1])]);
    assert!(told.iter().all(|told| told.reader == code("portal")));
    assert!(of_patient(&mut rig, "portal", 3).is_empty());
}

/// A batch may put a word into the log after the account was made, and the checkpoint covers both.
#[test]
fn l15_an_account_says_after_how_many_words_it_holds() {
    let mut rig = Rig::new();
    let mut chain = Chain::new("a", 1);
    rig.state(&mut chain, &[token(1)]);
    let words = rig.words().len() as u64;
    let told = own(&mut rig, "a", &[1]);
    rig.publish(&mut chain, 1);
    assert_eq!((told.words, numbers(&told)), (words, vec![0]));
}

#[test]
fn l15_what_is_asked_for_is_a_set_within_its_bound() {
    let rig = Rig::new();
    let asks = |subjects: Vec<Vec<u8>>| call("a", Method::Inventory, &InventoryRequest { subjects });
    let many = (1..=65).map(|byte| vec![byte; 32]).collect();
    for (subjects, code) in [
        (Vec::new(), RefusalCode::OverLimit),
        (many, RefusalCode::OverLimit),
        (vec![vec![2; 32], vec![1; 32]], RefusalCode::Malformed),
        (vec![vec![1; 32], vec![1; 32]], RefusalCode::Malformed),
        (vec![vec![1; 31]], RefusalCode::Malformed),
    ] {
        assert_eq!(rig.turns_away(&asks(subjects)).0, code);
    }
}

fn notice(first: Vec<u8>, second: Vec<u8>) -> Call {
    let alarm = Some(Alarm::Contradiction(Contradiction { first, second }));
    call("a", Method::Alarm, &AlarmNotice { alarm })
}

fn raise(rig: &mut Rig, by: &str, call: &Call) {
    let Asked::Machine(input) = rig.read_as(by, call).unwrap() else { panic!() };
    assert!(matches!(rig.handle(&input), Ok(Outcome::Heard)));
}

fn alarms(rig: &Rig) -> Vec<alarm::Shown> {
    rig.find(&state::alarms()).map(|kept| alarm::shown(&kept.encode_to_vec())).unwrap_or_default()
}

#[test]
fn l17_what_two_checkpoints_of_this_registry_contradict_is_kept_once() {
    let mut rig = Rig::new();
    let (first, second) = (checkpoint(&rig, 4, 1), checkpoint(&rig, 4, 2));
    let told = notice(first.clone(), second.clone());
    raise(&mut rig, "a", &told);
    raise(&mut rig, "b", &told);
    let kept = alarms(&rig);
    assert_eq!((kept.len(), kept[0].member.as_str()), (1, "a"));
    assert_eq!(kept[0].what, alarm::What::Checkpoints([first, second]));
    for size in 5..20 {
        let (first, second) = (checkpoint(&rig, size, 1), checkpoint(&rig, size, 2));
        raise(&mut rig, "a", &notice(first, second));
    }
    assert_eq!(alarms(&rig).len(), 4, "one member fills no more than its part");
    rig.assert_rebuilt();
}

#[test]
fn l17_what_this_registry_did_not_sign_is_no_alarm() {
    let rig = Rig::new();
    let own = checkpoint(&rig, 4, 1);
    let origin = origin(&region(), &rig.directory().list().log_id);
    let strangers = Checkpoint { origin, size: 4, root: [2; 32] }
        .sign(&yiqiao_proto::suite::SecretKey::new(rig.directory().list().authority.suite(), &[77; 32]));
    let elsewhere = Checkpoint { origin: "yiqiao/other/log-1".to_owned(), size: 4, root: [2; 32] };
    let elsewhere = elsewhere.sign(&rig.checkpoint_key());
    for second in [own.clone(), strangers, elsewhere, b"no note".to_vec()] {
        assert_eq!(rig.turns_away(&notice(own.clone(), second)), (RefusalCode::Malformed, "L-17"));
    }
    let nothing = call("a", Method::Alarm, &AlarmNotice { alarm: None });
    assert_eq!(rig.turns_away(&nothing), (RefusalCode::Malformed, "L-17"));
}
