//! Merges that the hospital's register says (A40) and takes back (A37): whose word holds, which number is meant, what goes along.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use yiqiao_intake::facts::Trigger;
use yiqiao_intake::patient::{IdKind, Identifier, Patient};
use yiqiao_node_core::machine::{Input, Refused};
use yiqiao_node_core::pairs::Judgement;
use yiqiao_proto::codes::PersonRole;
use yiqiao_proto::id::Subject;
use yiqiao_proto::phi::Phi;

use crate::region::{Registry, list};
use crate::rig::{Msg, Node, Says, event, merge, patient, report, resident_id};
use crate::trio::staff;

fn told(control: &str, of: Patient, ms: i64) -> Msg {
    Msg::new(control, Says::Events(vec![event(Trigger::Updated, of, ms)]))
}

/// A40 or A37 about a patient and the number of another.
fn about(trigger: Trigger, control: &str, of: Patient, other: Identifier) -> Msg {
    let mut event = event(trigger, of, 0);
    event.merged_from = vec![other];
    Msg::new(control, Says::Events(vec![event]))
}

fn unlink(control: &str, one: &str, other: &str) -> Msg {
    about(Trigger::Unlinked, control, patient(one, None), number(other, ""))
}

fn number(value: &str, register: &str) -> Identifier {
    Identifier::new(IdKind::Local, value, register).unwrap()
}

fn of(register: &str, value: &str) -> Patient {
    let mut of = patient("", Some(1));
    of.identifiers.insert(0, number(value, register));
    of
}

fn judge(node: &mut Node, judgement: Judgement) {
    let pairs = |decided| node.ask(|machine, view| machine.pairs(decided, None, view)).0;
    let pair = pairs(judgement == Judgement::Open).first().unwrap().number;
    let actor = staff("k1", PersonRole::Desk, &[]);
    node.decide(&Input::Judge { actor, pair, judgement }).unwrap();
}

fn subjects<const N: usize>(node: &Node, numbers: [&str; N]) -> [Subject; N] {
    numbers.map(|number| node.patient(number).unwrap().subject)
}

#[test]
fn i3_the_register_does_not_merge_again_whom_people_have_said_to_be_two() {
    let (mut node, mut registry) = (Node::new(&list(100)), Registry::new(&list(100)));
    for (control, number, order) in [("1", "p", Some(1)), ("2", "q", Some(2)), ("3", "x", None)] {
        node.receive(&report(control, patient(number, order), number));
    }
    node.receive(&merge("4", patient("p", Some(1)), "q"));
    judge(&mut node, Judgement::Two);
    node.receive(&merge("5", patient("q", Some(2)), "x"));
    node.publish(&mut registry);
    let (before, statements) = (subjects(&node, ["p", "q", "x"]), registry.statements());
    assert!(statements[&before[0]].len() == 1 && statements[&before[1]].len() == 1);
    // The very same again, and by a number that was merged into the other's.
    for (control, from) in [("6", "q"), ("7", "x")] {
        assert_eq!(
            node.refuses(&merge(control, patient("p", Some(1)), from)),
            Some(Refused::SeveralPatients)
        );
    }
    node.publish(&mut registry);
    assert_eq!((subjects(&node, ["p", "q", "x"]), registry.statements()), (before, statements));
    judge(&mut node, Judgement::Open);
    assert_eq!(node.refuses(&merge("8", patient("p", Some(1)), "q")), None, "people take it back");
}

#[test]
fn i3_who_was_merged_meanwhile_stays_two_with_whom_people_have_said() {
    let mut node = Node::new(&list(100));
    for (control, number, order) in [("1", "p", Some(1)), ("2", "x", Some(2)), ("3", "q", None)] {
        node.receive(&report(control, patient(number, order), number));
    }
    node.receive(&merge("4", patient("p", Some(1)), "x"));
    judge(&mut node, Judgement::Two);
    node.receive(&merge("5", patient("q", None), "x"));
    assert_eq!(node.refuses(&merge("6", patient("p", Some(1)), "q")), Some(Refused::SeveralPatients));
}

#[test]
fn i3_a_merge_that_names_no_register_means_that_of_the_number_beside_it() {
    let mut node = Node::new(&list(100));
    for value in ["C7", "C9"] {
        node.receive(&told(value, of("QZDX", value), 0));
    }
    let holder = |node: &Node, value| {
        node.ask(|machine, view| machine.patient_by_number(&number(value, "QZDX"), view)).unwrap().subject
    };
    let before = ["C7", "C9"].map(|value| holder(&node, value));
    node.receive(&about(Trigger::Merged, "a40", of("QZDX", "C7"), number("C9", "")));
    assert_eq!(["C7", "C9"].map(|value| holder(&node, value)), [before[0]; 2]);
    node.receive(&about(Trigger::Unlinked, "a37", of("QZDX", "C7"), number("C9", "")));
    assert_eq!(["C7", "C9"].map(|value| holder(&node, value)), before);
}

#[test]
fn i3_a_merge_of_a_number_that_only_another_register_gave_is_for_a_person() {
    for trigger in [Trigger::Merged, Trigger::Unlinked] {
        let mut node = Node::new(&list(100));
        node.receive(&told("1", of("QZDX", "C7"), 0));
        node.receive(&told("2", of("LIS", "C9"), 0));
        let message = about(trigger, "3", of("QZDX", "C7"), number("C9", ""));
        assert_eq!(node.refuses(&message), Some(Refused::SeveralPatients));
        let message = about(trigger, "4", of("QZDX", "C7"), number("C9", "QZDX"));
        assert_eq!(node.refuses(&message), None, "a number of its own");
    }
}

#[test]
fn i3_where_the_register_turns_a_merge_round_the_other_number_is_the_patients_own() {
    let mut node = Node::new(&list(100));
    let named = |number: &str, name: &str| Patient {
        name: Some(Phi::new(name.to_owned())),
        ..patient(number, Some(1))
    };
    for (control, number) in [("1", "p"), ("2", "q")] {
        node.receive(&report(control, patient(number, Some(1)), number));
    }
    let [p, q] = subjects(&node, ["p", "q"]);
    node.receive(&merge("3", patient("q", Some(1)), "p"));
    node.receive(&merge("4", patient("p", Some(1)), "q"));
    assert_eq!(subjects(&node, ["p", "q"]), [p, p]);
    assert_eq!(node.patient("p").unwrap().retired, [q]);
    let name = |node: &Node| node.patient("q").unwrap().data.expose().name.clone();
    node.receive(&told("5", named("q", "王五"), 10));
    assert_eq!(name(&node), "患者1", "what comes under the retired number only adds");
    node.receive(&told("6", named("p", "李四"), 10));
    assert_eq!(name(&node), "李四");
    node.receive(&unlink("7", "p", "q"));
    node.rebuild();
    assert_eq!(subjects(&node, ["p", "q"]), [p, q]);
}

#[test]
fn i3_what_was_merged_before_goes_along_when_a_merge_is_undone() {
    // The card is that of `a`, who was merged into `p` before that was merged into `q`, or after.
    for merges in [[("p", "a"), ("q", "p")], [("q", "p"), ("p", "a")]] {
        let (mut node, mut registry) = (Node::new(&list(100)), Registry::new(&list(100)));
        let mut carded = patient("a", None);
        for (control, number) in [("1", "a"), ("2", "p"), ("3", "q")] {
            node.receive(&report(
                control,
                Patient { name: carded.name.clone(), ..patient(number, None) },
                number,
            ));
        }
        let [a, p, q] = subjects(&node, ["a", "p", "q"]);
        for (into, from) in merges {
            let into = Patient { name: carded.name.clone(), ..patient(into, None) };
            node.receive(&merge(&format!("m{from}"), into, from));
        }
        carded.identify(Identifier::new(IdKind::HealthCard, "A12345678", "NHC"));
        node.receive(&told("4", carded, 5));
        node.publish(&mut registry);
        let statements = registry.statements();
        assert_eq!([a, p, q].map(|subject| statements[&subject].len()), [1; 3], "{merges:?}");

        node.receive(&unlink("5", "q", "p"));
        node.rebuild();
        node.publish(&mut registry);
        let statements = registry.statements();
        assert_eq!([a, p, q].map(|subject| statements[&subject].len()), [1, 1, 0], "{merges:?}");
        assert_eq!(subjects(&node, ["a", "p", "q"]), [p, p, q]);
        node.receive(&unlink("6", "p", "a"));
        assert_eq!(subjects(&node, ["a", "p", "q"]), [a, p, q], "{merges:?}");
    }
}

#[test]
fn i3_who_is_one_by_a_third_number_only_a_person_parts() {
    let mut node = Node::new(&list(100));
    for number in ["a", "p", "q"] {
        node.receive(&report(number, patient(number, Some(1)), number));
    }
    node.receive(&merge("4", patient("p", Some(1)), "a"));
    node.receive(&merge("5", patient("q", Some(1)), "p"));
    for (control, one) in [("6", "q"), ("7", "p")] {
        assert_eq!(node.refuses(&unlink(control, one, "a")), Some(Refused::SeveralPatients));
    }
}

#[test]
fn t2_a_merge_keeps_the_good_identity_number_of_either() {
    for (into, from) in [("good", "wrong"), ("wrong", "good")] {
        let (mut node, mut registry) = (Node::new(&list(100)), Registry::new(&list(100)));
        let mut mistyped = patient("wrong", None);
        let mut value = resident_id(1);
        let wrong = if value.pop() == Some('0') { '1' } else { '0' };
        value.push(wrong);
        mistyped.identify(Identifier::new(IdKind::ResidentId, &value, "MPS"));
        mistyped.name = patient("good", Some(1)).name;
        let of = |number: &str| if number == "good" { patient("good", Some(1)) } else { mistyped.clone() };
        node.receive(&report("1", of(into), "r1"));
        node.receive(&report("2", of(from), "r2"));
        node.receive(&merge("3", of(into), from));
        node.publish(&mut registry);
        let known = node.patient(into).unwrap();
        assert_eq!(known.retired.len(), 1);
        assert_eq!(registry.statements()[&known.subject].len(), 1, "{into}");
        assert!(known.data.expose().identifiers.iter().any(|id| id.value == resident_id(1)));
    }
}

#[test]
fn i3_a_merge_in_doubt_into_a_number_that_is_new_waits_for_a_person() {
    let mut node = Node::new(&list(100));
    node.receive(&report("1", patient("q", Some(2)), "r1"));
    node.receive(&merge("2", patient("p", Some(1)), "q"));
    let [p, q] = subjects(&node, ["p", "q"]);
    assert_ne!(p, q);
    assert_eq!(node.ask(|machine, view| machine.pairs(false, None, view)).0.len(), 1);
}
