//! Who did what an event says, told to the patient who reads at another hospital.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::answers;
use yiqiao_node_core::audit::{Act as Audited, Of, Shown};
use yiqiao_node_core::call::Unbelieved;
use yiqiao_node_core::desk::Question;
use yiqiao_node_core::limits::REQUESTS_PER_DAY_MAX;
use yiqiao_node_core::machine::{Input, Outcome};
use yiqiao_node_core::peer::{self, CallFault, Reply};
use yiqiao_node_core::state::{self, Asker};
use yiqiao_proto::access::Person;
use yiqiao_proto::calls::{Method, Refusal};
use yiqiao_proto::codes::{AccessAct, PatientQuestion, PersonRole, RefusalCode};
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::Digest;
use yiqiao_proto::limits::PERSONS_MAX;

use crate::copies::walk_in;
use crate::region::code;
use crate::trio::{Trio, refusal, staff, zhao};

/// A document of the hospital that Zhao has opened at the clinic: what the event of it says of the clinic's audit.
fn opened() -> (Trio, Digest) {
    let mut trio = Trio::with_patient();
    trio.permit();
    walk_in(&mut trio);
    let Outcome::Opened(_) = trio.open(&zhao(), 0) else { panic!("it is permitted") };
    trio.live(3_000);
    let line = trio.events("clinic", AccessAct::Opening)[0].audit_line.unwrap();
    (trio, line)
}

/// What somebody asks the registry about the patient at the hospital.
fn asked_by(trio: &mut Trio, actor: Actor, what: PatientQuestion) -> Envelope {
    let question = Question { actor, subject: trio.subject("hospital"), what, from_seq: 0, count: 256 };
    let asked = trio.act("hospital", &Input::PatientQuery(Box::new(question))).unwrap();
    let Outcome::Call(mut questions) = asked else { panic!("{asked:?}") };
    questions.remove(0)
}

fn signed_in(trio: &Trio) -> Actor {
    Actor::Patient { account: "p-1".to_owned(), subject: trio.subject("hospital"), guardian: false }
}

fn question(trio: &mut Trio) -> Envelope {
    let actor = signed_in(trio);
    asked_by(trio, actor, PatientQuestion::Events)
}

fn read(trio: &Trio, by: &str, question: &Envelope, lines: &[Digest]) -> Result<Input, CallFault> {
    let bytes = answers::persons(question, lines);
    peer::read(&trio.registry.directory, &code(by), Method::Persons as u16, &bytes)
}

/// What the clinic answers the hospital.
fn ask(trio: &mut Trio, question: &Envelope, lines: &[Digest]) -> Result<Vec<Person>, Refusal> {
    let input = read(trio, "hospital", question, lines).unwrap();
    let outcome = trio.act("clinic", &input).unwrap();
    let Reply::Done(bytes) = peer::reply(outcome).unwrap()? else { panic!("an answer in bytes") };
    Ok(answers::told_persons(lines, &bytes).unwrap())
}

/// What the clinic's audit has of having told.
fn told(trio: &Trio) -> Vec<Shown> {
    let lines = trio.nodes["clinic"].ask(|machine, view| machine.audit_lines(&Of::All, None, view));
    lines.into_iter().map(|(_, line)| line).filter(|line| line.act == Audited::Tell).collect()
}

#[test]
fn a6_a_patient_is_told_who_did_it_at_another_hospital_and_that_is_a_line_there() {
    let (mut trio, line) = opened();
    let question = question(&mut trio);
    for _start in 0..2 {
        let persons = ask(&mut trio, &question, &[line]).unwrap();
        let [person] = persons.as_slice() else { panic!("{persons:?}") };
        assert_eq!((person.line, person.name.expose().as_str()), (line, "某某"));
        assert_eq!((person.role, &person.department), (PersonRole::Physician, &Some(code("general"))));
        trio.node("clinic").rebuild();
    }
    let told = told(&trio);
    assert_eq!((told.len(), &told[0].counterpart), (2, &Some(code("hospital"))));
    assert_eq!(told[0].subject, Some(trio.subject("clinic")));
}

#[test]
fn a6_a_line_of_nobody_or_of_another_patient_is_not_told_and_the_attempt_is_a_line() {
    let (mut trio, line) = opened();
    let question = question(&mut trio);
    let nobodys = Digest::new([7; 32]).unwrap();
    assert_eq!(ask(&mut trio, &question, &[nobodys]), Ok(Vec::new()));
    let stranger = crate::trio::visit("77", "stranger", 2, "zhao", "general");
    trio.node("clinic").try_receive(&stranger).unwrap();
    let subject = trio.nodes["clinic"].patient("stranger").unwrap().subject;
    let look = Input::Look { actor: zhao(), subject: Some(subject), act: Audited::View };
    trio.act("clinic", &look).unwrap();
    let of = Of::Subject(subject);
    let lines = trio.nodes["clinic"].ask(|machine, view| machine.audit_lines(&of, None, view));
    let of_stranger = lines[0].1.commitment;
    let persons = ask(&mut trio, &question, &[of_stranger, line]).unwrap();
    assert_eq!(persons.iter().map(|person| person.line).collect::<Vec<_>>(), [line]);
    assert_eq!(told(&trio).len(), 2);
}

#[test]
fn a6_only_the_patients_own_login_asks_and_only_now() {
    let (mut trio, line) = opened();
    let desk = asked_by(&mut trio, staff("d7", PersonRole::Desk, &[]), PatientQuestion::Events);
    assert_eq!(ask(&mut trio, &desk, &[line]), Err(refusal(RefusalCode::Nothing, "A-6")));
    let actor = signed_in(&trio);
    let of_consents = asked_by(&mut trio, actor, PatientQuestion::Consents);
    assert_eq!(ask(&mut trio, &of_consents, &[line]), Err(refusal(RefusalCode::Nothing, "A-6")));
    let late = question(&mut trio);
    trio.live(301_000);
    assert_eq!(ask(&mut trio, &late, &[line]), Err(refusal(RefusalCode::Stale, "A-6")));
    assert!(told(&trio).is_empty());
    let another = question(&mut trio);
    assert!(matches!(read(&trio, "registry", &another, &[line]), Err(CallFault::OtherSigner)));
}

#[test]
fn a6_a_question_and_its_answer_are_bounded_by_what_was_asked() {
    let (mut trio, line) = opened();
    let question = question(&mut trio);
    let many = vec![line; PERSONS_MAX + 1];
    let refused = read(&trio, "hospital", &question, &many);
    assert!(matches!(refused, Err(CallFault::Call(DecodeError::TooMany { .. }))), "{refused:?}");
    let input = read(&trio, "hospital", &question, &[line]).unwrap();
    let outcome = trio.act("clinic", &input).unwrap();
    let Some(Ok(Reply::Done(bytes))) = peer::reply(outcome) else { panic!("an answer in bytes") };
    let others = [Digest::new([7; 32]).unwrap()];
    assert!(matches!(answers::told_persons(&others, &bytes), Err(Unbelieved::OtherAnswer(_))));
}

/// What a hospital says for nobody names nobody: its own code is all that there is of it.
#[test]
fn a6_what_a_node_did_by_itself_has_no_name() {
    let (mut trio, _) = opened();
    let lines: Vec<Digest> =
        trio.events("clinic", AccessAct::Delivery).iter().filter_map(|event| event.audit_line).collect();
    let question = question(&mut trio);
    let persons = ask(&mut trio, &question, &lines).unwrap();
    assert!(!persons.is_empty());
    let nameless = |person: &Person| person.name.expose().is_empty() && person.role == PersonRole::System;
    assert!(persons.iter().all(nameless), "{persons:?}");
}

#[test]
fn a6_a_member_asks_a_bounded_number_of_times_a_day() {
    let (mut trio, line) = opened();
    let question = question(&mut trio);
    assert_eq!(ask(&mut trio, &question, &[line]).unwrap().len(), 1);
    let slot = state::asker(&code("hospital"));
    let asked = trio.nodes["clinic"].ask(|_, view| view.get(&slot));
    assert_eq!(asked.requests, 1);
    trio.node("clinic").put(&slot, &Asker { requests: REQUESTS_PER_DAY_MAX, ..asked });
    let refused = ask(&mut trio, &question, &[line]).unwrap_err();
    assert_eq!((refused.code, refused.clause), (RefusalCode::OverLimit, "A-6"));
    assert!(refused.retry_after.is_some());
}
