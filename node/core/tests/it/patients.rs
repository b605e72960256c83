//! Patients inside the hospital: numbers, merges, visits, and which identifiers become tokens.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use yiqiao_intake::facts::{PatientEvent, Staff, Status, Trigger, Visit, VisitClass};
use yiqiao_intake::patient::{IdKind, Identifier, Patient};
use yiqiao_node_core::machine::{Input, Refused};
use yiqiao_node_core::pairs::Judgement;
use yiqiao_node_core::remark::Remark;
use yiqiao_proto::codes::PersonRole;
use yiqiao_proto::id::Subject;
use yiqiao_proto::person;
use yiqiao_proto::phi::Phi;

use crate::region::{Registry, list};
use crate::rig::{Msg, Node, Says, document, event, merge, patient, report, resident_id, when};
use crate::trio::staff;

fn events(control: &str, event: PatientEvent) -> Msg {
    Msg::new(control, Says::Events(vec![event]))
}

fn stay(trigger: Trigger, ms: i64) -> PatientEvent {
    let mut event = event(trigger, patient("p", Some(1)), ms);
    event.visit = Some(Visit {
        number: Some(Phi::new("v1".to_owned())),
        class: Some(VisitClass::Inpatient),
        department: Some("心内科".to_owned()),
        attending: Some(Staff { code: "d7".to_owned(), name: "王芳".to_owned() }),
        ..Visit::default()
    });
    event
}

/// A patient whom only the identity number names, as many systems do.
fn unnumbered(order: u32) -> Patient {
    patient("", Some(order))
}

#[test]
fn visits_say_who_treats_and_until_when() {
    let mut node = Node::new(&list(100));
    node.receive(&events("1", stay(Trigger::Admitted, 0)));
    node.receive(&events("2", stay(Trigger::Discharged, 50)));
    let visits = node.patient("p").unwrap().data.expose().visits.clone();
    assert_eq!(visits.len(), 1);
    assert_eq!(visits[0].attending.as_ref().unwrap().code, "d7");
    assert_eq!(visits[0].discharged, Some(when(50).at.unix_ms()));
    node.receive(&events("3", stay(Trigger::DischargeCancelled, 60)));
    assert_eq!(node.patient("p").unwrap().data.expose().visits[0].discharged, None);
    node.receive(&events("4", stay(Trigger::VisitCancelled, 70)));
    assert!(node.patient("p").unwrap().data.expose().visits.is_empty());
}

#[test]
fn the_register_corrects_and_a_document_or_an_old_event_only_adds() {
    let mut node = Node::new(&list(100));
    let named = |name: &str| Patient { name: Some(Phi::new(name.to_owned())), ..patient("p", Some(1)) };
    let name = |node: &Node| node.patient("p").unwrap().data.expose().name.clone();
    node.receive(&events("1", event(Trigger::Registered, named("李四"), 100)));
    let mut said = document(named("张三"), "r", Status::Final);
    said.patient.phone = Some(Phi::new("138".to_owned()));
    node.receive(&Msg::new("2", Says::Documents(vec![said])));
    assert_eq!(
        (name(&node), node.patient("p").unwrap().data.expose().phone.as_str()),
        ("李四".to_owned(), "138")
    );
    node.receive(&events("3", event(Trigger::Updated, named("王五"), 200)));
    node.receive(&events("4", event(Trigger::Updated, named("李四"), 150)));
    assert_eq!(name(&node), "王五");
}

#[test]
fn a_document_brings_the_visit_that_it_came_of_and_who_treats() {
    let mut node = Node::new(&list(100));
    let (trigger, visit) = (Trigger::Discharged, stay(Trigger::Discharged, 0).visit.unwrap());
    let mut said = document(patient("p", Some(1)), "r", Status::Final);
    said.visits = vec![(trigger, visit)];
    node.receive(&Msg::new("1", Says::Documents(vec![said.clone()])));
    let visits = |node: &Node| node.patient("p").unwrap().data.expose().visits.clone();
    assert_eq!(visits(&node)[0].attending.as_ref().unwrap().code, "d7");
    assert_eq!(visits(&node)[0].discharged, Some(when(0).at.unix_ms()), "when the document says it was");
    said.visits[0].0 = Trigger::VisitCancelled;
    node.receive(&Msg::new("2", Says::Documents(vec![said])));
    assert!(visits(&node).is_empty(), "entered in error");
}

#[test]
fn t2_a_newborn_with_its_mothers_number_gets_no_token() {
    let mut node = Node::new(&list(100));
    let mut registry = Registry::new(&list(100));
    let mut newborn = patient("p", Some(1));
    newborn.birth_date = yiqiao_intake::patient::PartialDate::new(2026, Some(11), Some(1)).map(Phi::new);
    node.receive(&report("1", newborn.clone(), "r"));
    let remarks = node.patient("p").unwrap().remarks;
    assert!(remarks.contains(&Remark::NumberOfAnother) && remarks.contains(&Remark::NoToken));
    node.publish(&mut registry);
    assert_eq!((registry.words, registry.evaluated), (0, 0), "nothing of the child leaves the hospital");

    newborn.identify(Identifier::new(IdKind::HealthCard, "A12345678", "NHC"));
    node.receive(&events("2", event(Trigger::Updated, newborn, 10)));
    node.publish(&mut registry);
    assert_eq!(registry.entries().len(), 1);
    assert!(!node.patient("p").unwrap().remarks.contains(&Remark::NoToken));
}

#[test]
fn i3_a_corrected_number_is_a_new_statement_and_no_new_entry() {
    let mut node = Node::new(&list(100));
    let mut registry = Registry::new(&list(100));
    node.receive(&report("1", patient("p", Some(1)), "r"));
    node.publish(&mut registry);
    let before = registry.statements();
    node.receive(&events("2", event(Trigger::Updated, patient("p", Some(2)), 10)));
    node.publish(&mut registry);
    let after = registry.statements();
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    assert_ne!(before, after);
    assert_eq!(registry.entries().len(), 1);
}

/// Two numbers with a document each, merged: the statements of both afterwards, the survivor's first.
fn merged(first: Option<u32>, second: Option<u32>) -> (Node, Registry, [Subject; 2]) {
    let mut node = Node::new(&list(100));
    let mut registry = Registry::new(&list(100));
    node.receive(&report("1", patient("p", first), "r1"));
    node.receive(&report("2", patient("q", second), "r2"));
    let subjects = ["p", "q"].map(|number| node.patient(number).unwrap().subject);
    node.publish(&mut registry);
    node.receive(&merge("3", patient("p", first), "q"));
    node.publish(&mut registry);
    (node, registry, subjects)
}

/// A person says of the first pair that it is one person.
fn say_one(node: &mut Node) -> Result<(), Refused> {
    let actor = staff("k1", PersonRole::Desk, &[]);
    node.decide(&Input::Judge { actor, pair: 1, judgement: Judgement::One })
}

#[test]
fn i3_merged_numbers_are_one_person_and_no_entry_is_touched() {
    for (first, second) in [(Some(1), Some(1)), (Some(1), None), (None, Some(1))] {
        let (mut node, mut registry, [survivor, retired]) = merged(first, second);
        let statements = registry.statements();
        assert_eq!(statements[&survivor], statements[&retired], "{first:?} {second:?}");
        assert_eq!(statements[&survivor].len(), 1);
        let found = node.patient("q").unwrap();
        assert_eq!((found.subject, &found.retired), (survivor, &vec![retired]));
        assert_eq!(registry.entries().len(), 2);

        // What comes under the retired number later is the survivor's, in the chain of the retired one, and a correction follows what
        // it corrects.
        node.receive(&report("4", patient("q", None), "r3"));
        node.receive(&report("5", patient("p", None), "r2"));
        node.publish(&mut registry);
        let entries = registry.entries();
        assert_eq!((entries[2].0.subject, entries[3].0.subject, entries.len()), (retired, retired, 4));
        assert_eq!(entries.iter().filter(|(_, link)| link.replaces.is_some()).count(), 1);
        registry.check_payloads();
    }
}

#[test]
fn a_merge_of_two_who_have_different_numbers_takes_the_token_from_the_retired() {
    let (mut node, mut registry, [survivor, retired]) = merged(Some(1), Some(2));
    let statements = registry.statements();
    assert_eq!((statements[&survivor].len(), statements[&retired].len()), (1, 0));
    assert!(node.patient("p").unwrap().remarks.contains(&Remark::MergeContradicts));
    assert!(node.patient("q").unwrap().remarks.contains(&Remark::MergeContradicts));

    // Staff find out that it was a typing error.
    assert_eq!(say_one(&mut node), Ok(()));
    assert_eq!(say_one(&mut node), Err(Refused::NotOpen(1)));
    node.rebuild();
    node.publish(&mut registry);
    let statements = registry.statements();
    assert_eq!((statements[&retired].len(), &statements[&retired]), (1, &statements[&survivor]));
    let patient = node.patient("p").unwrap();
    assert_eq!((patient.retired, patient.remarks.len()), (vec![retired], 0));
}

#[test]
fn i4_while_a_merge_is_in_doubt_nothing_of_the_one_becomes_the_others() {
    let (mut node, mut registry, [survivor, retired]) = merged(Some(1), Some(2));
    let told = registry.statements()[&survivor].clone();
    // The wrongly merged one comes again: with a document, and with a correction of the own data.
    node.receive(&report("4", patient("q", Some(2)), "r3"));
    node.receive(&events("5", event(Trigger::Updated, patient("q", Some(2)), 5)));
    node.publish(&mut registry);
    let of = |source: usize| registry.entries()[source].0.subject;
    assert_eq!(registry.entries().len(), 3);
    assert_eq!((of(2), registry.statements()[&retired].len()), (retired, 0), "told under no token");
    assert_eq!(registry.statements()[&survivor], told);
    let subjects = ["p", "q"].map(|number| node.patient(number).unwrap().subject);
    assert_eq!(subjects, [survivor, retired]);
    assert!(node.patient("p").unwrap().retired.is_empty(), "the page of the one shows nothing of the other");
}

#[test]
fn two_doubtful_merges_of_each_other_are_settled_by_one_word() {
    let (mut node, mut registry, [survivor, retired]) = merged(Some(1), Some(2));
    node.receive(&merge("4", patient("q", Some(2)), "p"));
    node.publish(&mut registry);
    assert!(registry.statements().values().all(Vec::is_empty), "which of them is right nobody has said");
    assert_eq!(say_one(&mut node), Ok(()));
    assert_eq!(say_one(&mut node), Err(Refused::NotOpen(1)));
    node.rebuild();
    node.publish(&mut registry);
    let subjects = ["p", "q"].map(|number| node.patient(number).unwrap().subject);
    assert_eq!(subjects, [survivor, survivor]);
    assert_eq!(registry.statements()[&survivor].len(), 1);
    assert_eq!(registry.statements()[&retired], registry.statements()[&survivor]);
}

#[test]
fn merges_follow_each_other_and_never_in_a_circle() {
    let mut node = Node::new(&list(100));
    for (control, number) in [("1", "a"), ("2", "b"), ("3", "c")] {
        node.receive(&report(control, patient(number, Some(1)), number));
    }
    node.receive(&merge("4", patient("b", None), "a"));
    node.receive(&merge("5", patient("c", None), "b"));
    node.receive(&merge("6", patient("a", None), "c"));
    let subjects = ["a", "b", "c"].map(|number| node.patient(number).unwrap().subject);
    assert_eq!((subjects[0], subjects[1]), (subjects[2], subjects[2]));
    assert_eq!(node.patient("a").unwrap().retired.len(), 2);
}

#[test]
fn a_merge_from_a_number_that_was_never_seen_files_it() {
    let mut node = Node::new(&list(100));
    node.receive(&merge("1", patient("p", Some(1)), "q"));
    assert_eq!(node.patient("q").unwrap().subject, node.patient("p").unwrap().subject);
}

#[test]
fn a_document_without_the_registers_number_is_filed_by_the_identity_number() {
    let mut node = Node::new(&list(100));
    node.receive(&report("1", patient("p", Some(1)), "r1"));
    node.receive(&report("2", unnumbered(1), "r2"));
    node.receive(&report("3", unnumbered(2), "r3"));
    node.receive(&report("4", patient("q", Some(2)), "r4"));
    let id = |order| person::Identifier::resident_id(&resident_id(order)).unwrap();
    for (order, number) in [(1, "p"), (2, "q")] {
        let found = node.ask(|machine, view| machine.patients_by_identifier(&id(order), view));
        assert_eq!(found, [node.patient(number).unwrap().subject], "{number}");
    }
    // Two numbers of the register with one identity number stay two until the register merges them.
    node.receive(&report("5", patient("x", Some(1)), "r5"));
    let found = node.ask(|machine, view| machine.patients_by_identifier(&id(1), view));
    assert_eq!(found.len(), 2);
}

#[test]
fn a_newborn_with_its_mothers_card_is_not_filed_as_its_mother() {
    let mut node = Node::new(&list(100));
    let card = || Identifier::new(IdKind::HealthCard, "A12345678", "NHC");
    let mut mother = patient("", None);
    mother.identify(card());
    node.receive(&report("1", mother, "r1"));
    let mut newborn = patient("p", None);
    newborn.birth_date = yiqiao_intake::patient::PartialDate::new(2026, Some(11), Some(1)).map(Phi::new);
    newborn.identify(card());
    node.receive(&report("2", newborn, "r2"));
    let id = person::Identifier::health_card("A12345678").unwrap();
    assert_eq!(node.ask(|machine, view| machine.patients_by_identifier(&id, view)).len(), 1);
    let remarks = node.patient("p").unwrap().remarks;
    assert!(remarks.contains(&Remark::NumberDisputed) && remarks.contains(&Remark::NoToken), "{remarks:?}");
}

#[test]
fn a_document_that_names_another_identity_number_is_remarked_on() {
    let mut node = Node::new(&list(100));
    node.receive(&report("1", patient("p", Some(1)), "r1"));
    let answered = node.receive(&report("2", patient("p", Some(2)), "r2"));
    assert!(answered.remarks.contains(&Remark::IdentifierContradicts));
    assert_eq!(node.patient("p").unwrap().data.expose().identifiers[1].value, resident_id(1));
}
