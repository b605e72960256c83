//! The hospitals of the synthetic town, through the readers of their formats, to the real registry.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::date;
use yiqiao_intake::intake::{self, Door};
use yiqiao_node_core::ask;
use yiqiao_node_core::connection::{self, Connection};
use yiqiao_node_core::remark::Remark;
use yiqiao_proto::hash;
use yiqiao_proto::person;
use yiqiao_simnet::story::Role;
use yiqiao_simnet::town::Town;

use crate::region::{Registry, list};
use crate::rig::{Msg, Node, sum};

const SYSTEMS: [&str; 4] = ["his", "lis", "emr", "fhir"];

fn messages(town: &Town, letter: char) -> Vec<Msg> {
    let mut messages = Vec::new();
    for feed in town.feeds().filter(|feed| feed.hospital.letter == letter) {
        let items = intake::read(&feed.bytes, &Door::any());
        messages.extend(items.into_iter().map(|item| Msg::of(feed.system.name(), &feed.bytes, item)));
    }
    messages
}

#[test]
fn the_five_counters_add_up_and_a_second_delivery_is_all_repeats() {
    let town = Town::story(date(2026, 11, 20));
    for letter in ['A', 'B', 'C'] {
        let messages = messages(&town, letter);
        let mut distinct: BTreeMap<&str, BTreeSet<_>> = BTreeMap::new();
        let mut node = Node::new(&list(10_000));
        for message in &messages {
            let key = (message.control.clone(), hash::blake3(&[&message.bytes]));
            let new = distinct.entry(message.system).or_default().insert(key);
            assert_eq!(node.receive(message).repeat, !new);
        }
        for system in SYSTEMS {
            let expected = distinct.get(system).map_or(0, BTreeSet::len) as u64;
            let counters = node.counters(system);
            assert_eq!(sum(&counters), expected, "{letter} {system}: {counters:?}");
            assert_eq!(counters.refused, 0, "{letter} {system}");
        }
        let records = node.journal.len();
        assert!(messages.iter().all(|message| node.receive(message).repeat));
        assert_eq!(node.journal.len(), records + messages.len(), "each is counted, and nothing else");
        let connections = node.ask(|_, view| connection::all(view));
        let came: u64 = connections.iter().map(Connection::came).sum();
        assert_eq!(came, 2 * messages.len() as u64);
    }
}

#[test]
fn a_hospital_publishes_its_patients_and_the_registry_takes_all() {
    let town = Town::story(date(2026, 11, 20));
    let (mut node, mut registry) = (Node::new(&list(10_000)), Registry::new(&list(10_000)));
    let messages = messages(&town, 'A');
    let mut documents = BTreeSet::new();
    for message in &messages {
        documents.extend(node.receive(message).entries);
    }
    node.publish(&mut registry);
    assert!(node.ask(|_, view| ask::problems(0, view)).is_empty());
    registry.check_payloads();
    let published: BTreeSet<_> = registry.entries().iter().map(|(entry, _)| entry.entry_id).collect();
    assert!(documents.len() > 50);
    for entry in documents.difference(&published) {
        let kept = node.ask(|machine, view| machine.document(entry, view)).unwrap();
        let patient = node.ask(|machine, view| machine.patient(&kept.subject, view)).unwrap();
        assert!(patient.remarks.contains(&Remark::NoToken), "{:?} stays in the hospital", patient.remarks);
    }
    let words = registry.words;
    for message in &messages {
        assert!(node.receive(message).repeat);
    }
    node.publish(&mut registry);
    assert_eq!(registry.words, words, "a second delivery publishes nothing");
}

#[test]
fn the_cast_is_one_patient_each_whatever_system_speaks() {
    let town = Town::story(date(2026, 11, 20));
    let mut node = Node::new(&list(10_000));
    for message in messages(&town, 'A') {
        node.receive(&message);
    }
    for role in [Role::Referred, Role::WalkIn, Role::Revoker, Role::TwinElder, Role::TwinYounger] {
        let number = &town.cast(role).unwrap().person.resident_id;
        let id = person::Identifier::resident_id(number.as_str()).unwrap();
        let found = node.ask(|machine, view| machine.patients_by_identifier(&id, view));
        assert_eq!(found.len(), 1, "{role:?}");
    }
}
