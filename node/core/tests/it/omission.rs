//! What a registry leaves out of what it says that it holds: seen by the publisher and by the patient, and proved to anybody (L-15 to
//! L-17, V-7).

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use yiqiao_evidence::omission::{self, Fault};
use yiqiao_node_core::answers::{self, Account};
use yiqiao_node_core::desk::Question;
use yiqiao_node_core::machine::{Effect, Input, Machine, Outcome};
use yiqiao_node_core::omission::Omission;
use yiqiao_node_core::peer::{self, CallFault};
use yiqiao_proto::calls::Method;
use yiqiao_proto::codes::{Agreement, PatientQuestion};
use yiqiao_proto::envelope::Envelope;

use crate::region::{AUTHORITY, code, key, signed};
use crate::trio::{Trio, zhao};

fn found(trio: &Trio, node: &str) -> Vec<Omission> {
    trio.nodes[node].ask(Machine::omissions)
}

/// What the patient is shown at the clinic of the hospital's documents.
fn accounts(trio: &mut Trio) -> Vec<Account> {
    let (actor, subject) = (zhao(), trio.subject("clinic"));
    let what = PatientQuestion::Holdings;
    let question = Question { actor, subject, what, from_seq: 0, count: 1 };
    let asked = trio.act("clinic", &Input::PatientQuery(Box::new(question))).unwrap();
    let Outcome::Call(questions) = asked else { panic!("{asked:?}") };
    let asking = |question: &Envelope, trio: &mut Trio| {
        let (now, clinic) = (trio.now, code("clinic"));
        let request = answers::holdings(question);
        let answer = trio.registry.serve(now, &clinic, Method::Holdings, &request).unwrap();
        answers::accounts(&trio.registry.directory, &clinic, &answer).unwrap()
    };
    questions.iter().flat_map(|question| asking(question, trio)).collect()
}

/// The account of the hospital's documents that the clinic was given.
fn of_hospital(trio: &mut Trio) -> Account {
    let accounts = accounts(trio);
    accounts.into_iter().find(|account| account.inventory.word().publisher == code("hospital")).unwrap()
}

/// The clinic shows it to the hospital.
fn check(trio: &mut Trio, account: &Account) -> Outcome {
    let directory = trio.registry.directory.clone();
    let bytes = answers::check(account);
    let input = peer::read(&directory, &code("clinic"), Method::Check as u16, &bytes).unwrap();
    trio.act("hospital", &input).unwrap()
}

#[test]
fn l16_what_the_registry_leaves_out_is_seen_by_its_publisher_and_told() {
    let mut trio = Trio::talked(3_000, 3_000);
    let asked = |trio: &Trio| {
        let is_asked = |effect: &Effect| matches!(effect, Effect::AskInventory { .. });
        trio.registry.heard.iter().filter(|heard| is_asked(&heard.effect)).count()
    };
    trio.live(1_300_000);
    assert!(asked(&trio) >= 2, "{}", asked(&trio));
    assert!(found(&trio, "hospital").is_empty(), "an honest registry leaves nothing out");
    let subject = trio.subject("hospital");
    trio.registry.forget(&code("hospital"), &subject);
    trio.live(660_000);
    let left_out = found(&trio, "hospital");
    assert_eq!(left_out.len(), 1);
    assert!(left_out[0].is_current && left_out[0].reader == code("hospital"));
    assert!(left_out[0].seq < left_out[0].words);
    trio.live(1_300_000);
    assert_eq!(found(&trio, "hospital"), left_out, "once");
    trio.node("hospital").rebuild();
    assert_eq!(found(&trio, "hospital"), left_out, "it is kept for good");
    let alarms = trio.registry.alarms();
    assert_eq!((alarms.len(), alarms[0].member.as_str()), (1, "hospital"), "the bureau sees it (L-17)");
}

#[test]
fn l16_a_publisher_compares_what_the_patient_is_told_elsewhere() {
    let mut trio = Trio::talked(3_000, 3_000);
    let honest = of_hospital(&mut trio);
    assert_eq!(check(&mut trio, &honest), Outcome::Compared(Agreement::Agrees));
    let subject = trio.subject("hospital");
    trio.registry.forget(&code("hospital"), &subject);
    let account = of_hospital(&mut trio);
    assert_eq!(check(&mut trio, &account), Outcome::Compared(Agreement::Omits));
    let left_out = found(&trio, "hospital");
    assert_eq!((left_out.len(), &left_out[0].reader), (1, &code("clinic")));
    let proved = omission::check(&left_out[0].proof, &trio.registry.directory).unwrap();
    assert_eq!((proved.publisher, proved.reader), (code("hospital"), code("clinic")));
}

#[test]
fn l15_an_account_is_believed_by_those_only_to_whom_it_was_given() {
    let mut trio = Trio::talked(3_000, 3_000);
    let account = of_hospital(&mut trio);
    let (directory, bytes) = (trio.registry.directory.clone(), answers::check(&account));
    let by_another = peer::read(&directory, &code("registry"), Method::Check as u16, &bytes);
    assert!(matches!(by_another, Err(CallFault::Inventory(_))), "{by_another:?}");
    let input = peer::read(&directory, &code("clinic"), Method::Check as u16, &bytes).unwrap();
    let told = trio.act("clinic", &input).unwrap();
    assert!(matches!(told, Outcome::Refused(_)), "it is of another publisher: {told:?}");
}

#[test]
fn l16_an_account_of_before_the_receipt_leaves_nothing_out() {
    let mut trio = Trio::talked(3_000, 3_000);
    let before = of_hospital(&mut trio);
    trio.publish_more();
    assert_eq!(check(&mut trio, &before), Outcome::Compared(Agreement::Later));
    assert!(found(&trio, "hospital").is_empty());
    let now = of_hospital(&mut trio);
    assert_eq!(check(&mut trio, &now), Outcome::Compared(Agreement::Agrees));
}

#[test]
fn v7_an_omission_is_proved_by_the_authoritys_key_alone_and_no_bit_of_it_bends() {
    let mut trio = Trio::talked(3_000, 3_000);
    let subject = trio.subject("hospital");
    trio.registry.forget(&code("hospital"), &subject);
    let account = of_hospital(&mut trio);
    check(&mut trio, &account);
    let proof = found(&trio, "hospital").remove(0).proof;
    let newest = signed(trio.registry.directory.list());
    let file = omission::file(&code("demo"), &newest, proof.clone());
    let authority = key(AUTHORITY).public();
    let proved = omission::verify(&file, &authority).unwrap();
    assert!(proved.seq < proved.words && proved.held.number < proved.number, "{proved:?}");
    assert!(matches!(omission::verify(&file, &key(99).public()), Err(Fault::List(_))));
    for at in 0..file.len() {
        let mut bent = file.clone();
        bent[at] ^= 1 << (at % 8);
        assert!(omission::verify(&bent, &authority).is_err(), "byte {at}");
    }
    let mut whole = proof;
    trio.registry.remember();
    whole.inventory = of_hospital(&mut trio).inventory.envelope().as_bytes().to_vec();
    assert_eq!(
        omission::check(&whole, &trio.registry.directory),
        Err(Fault::Unfit("the answer does not leave the word out"))
    );
}
