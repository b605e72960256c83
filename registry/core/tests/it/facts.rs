//! Exchange facts: counts by hour, for the bureau.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

use std::collections::BTreeSet;

use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{AccessAct, AccessOutcome, DocumentClass, PersonRole, Purpose};
use yiqiao_proto::id::Digest;
use yiqiao_registry_core::facts::{self, hour_of};
use yiqiao_registry_core::state::{self, Count, Fact, Table, fact, read_fact};
use yiqiao_registry_core::take::Submission;

use crate::rig::{Rig, at, code};
use crate::words::{Chain, event, query, token};

/// Every fact with its count.
fn facts(rig: &Rig) -> Vec<(Fact, Count)> {
    let read = |key: Vec<u8>| {
        let read = read_fact(&key).unwrap();
        assert_eq!(fact(&read).key(), key);
        let count = rig.find(&fact(&read)).unwrap();
        (read, count)
    };
    rig.keys_of(Table::Fact).into_iter().map(read).collect()
}

#[test]
fn entries_are_counted_by_publisher_class_and_hour() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    let published = |class, hour| Fact {
        hour,
        organisation: code("a"),
        counterpart: None,
        act: None,
        outcome: AccessOutcome::Permitted,
        purpose: None,
        class: Some(class),
    };
    let first = hour_of(at(0));
    rig.publish(&mut chain, 1);
    rig.publish(&mut chain, 2);
    rig.publish_with(&mut chain, 3, None, |entry| entry.class = DocumentClass::Imaging);
    rig.now = at(3_600_000);
    rig.publish(&mut chain, 4);
    let count = |events| Count { events, documents: events, size: events * 1_000 };
    let expected = [
        (published(DocumentClass::Laboratory, first), count(2)),
        (published(DocumentClass::Imaging, first), count(1)),
        (published(DocumentClass::Laboratory, first + 1), count(1)),
    ];
    assert_eq!(facts(&rig), expected);
}

#[test]
fn repeats_and_refusals_are_not_counted() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    let word = chain.entry(&rig, 1);
    rig.take(Submission::Links(vec![word.clone()]));
    rig.repeated(Submission::Links(vec![word]));
    let conflict = chain.entry_with(&rig, 1, None, |entry| entry.size = 7);
    rig.refused(Submission::Links(vec![conflict]));
    assert_eq!(facts(&rig).first().map(|(_, count)| count.events), Some(1));
}

#[test]
fn events_are_counted_by_all_that_they_say_of_organisations() {
    let mut rig = Rig::new();
    let mut said = event("b", token(1));
    rig.take(Submission::Event(rig.word("b", &said)));
    // Another patient is no other fact.
    said.patient = token(2);
    rig.take(Submission::Event(rig.word("b", &said)));
    said.classes = BTreeSet::from([DocumentClass::Imaging, DocumentClass::Summary]);
    said.size = u64::MAX;
    rig.take(Submission::Event(rig.word("b", &said)));
    said.patient = token(3);
    rig.take(Submission::Event(rig.word("b", &said)));
    let expected = |class| Fact {
        hour: hour_of(at(0)),
        organisation: code("b"),
        counterpart: Some(code("portal")),
        act: Some(AccessAct::Opening),
        outcome: AccessOutcome::Permitted,
        purpose: Some(Purpose::Treatment),
        class,
    };
    let several = Count { events: 2, documents: 4, size: u64::MAX };
    let one = Count { events: 2, documents: 4, size: 600 };
    assert_eq!(facts(&rig), [(expected(None), several), (expected(Some(DocumentClass::Laboratory)), one)]);
}

#[test]
fn a3_what_a_patient_says_once_counts_once_under_however_many_tokens() {
    let mut rig = Rig::new();
    let line = |number| Some(Digest::new([number; 32]).unwrap());
    let events = |rig: &Rig| facts(rig).iter().map(|(_, count)| count.events).sum::<u64>();
    for act in [AccessAct::Consent, AccessAct::Revocation, AccessAct::BreakGlass] {
        let before = events(&rig);
        let mut said = event("b", token(1));
        (said.act, said.audit_line) = (act, line(1 + u8::try_from(act.number()).unwrap()));
        rig.take(Submission::Event(rig.word("b", &said)));
        said.patient = token(2);
        rig.take(Submission::Event(rig.word("b", &said)));
        assert_eq!(events(&rig) - before, 1, "one act, two tokens");
        said.audit_line = line(100 + u8::try_from(act.number()).unwrap());
        rig.take(Submission::Event(rig.word("b", &said)));
        said.audit_line = None;
        rig.take(Submission::Event(rig.word("b", &said)));
        said.patient = token(1);
        rig.take(Submission::Event(rig.word("b", &said)));
        assert_eq!(events(&rig) - before, 4, "another act, and two that name none");
    }
    let before = events(&rig);
    let mut opened = event("b", token(1));
    opened.audit_line = line(1);
    rig.take(Submission::Event(rig.word("b", &opened)));
    opened.patient = token(2);
    rig.take(Submission::Event(rig.word("b", &opened)));
    assert_eq!(events(&rig) - before, 2, "openings are of documents");
}

#[test]
fn d11_the_broken_glass_is_counted_by_day_member_and_role_once_for_all_tokens() {
    let mut rig = Rig::new();
    let mut said = AccessEvent { act: AccessAct::BreakGlass, ..event("b", token(1)) };
    let mut say = |rig: &mut Rig, patient, line: u8, role| {
        (said.patient, said.role) = (patient, role);
        said.audit_line = Digest::new([line; 32]);
        rig.take(Submission::Event(rig.word("b", &said)));
    };
    say(&mut rig, token(1), 1, PersonRole::Physician);
    say(&mut rig, token(2), 1, PersonRole::Physician);
    say(&mut rig, token(1), 2, PersonRole::Nurse);
    rig.now = at(24 * 3_600_000);
    say(&mut rig, token(1), 3, PersonRole::Nurse);
    let today = facts::day_of(at(0));
    let stored = |key: &Vec<u8>| {
        let (member, role) = state::read_by_role(Table::BrokenGlass, key).unwrap();
        let day = u32::from_be_bytes(*key[1..].first_chunk().unwrap());
        let count = rig.find(&state::broken_glass(day, &member, role)).unwrap();
        (day - today, member.to_string(), role, count.events)
    };
    let counted: Vec<_> = rig.keys_of(Table::BrokenGlass).iter().map(stored).collect();
    let b = || "b".to_owned();
    let first = [(0, b(), PersonRole::Physician, 1), (0, b(), PersonRole::Nurse, 1)];
    assert_eq!(counted, [first.as_slice(), &[(1, b(), PersonRole::Nurse, 1)]].concat());
    let keys = facts::keys_by_role(Table::BrokenGlass, &(today..today + 1));
    assert_eq!(rig.keys_of(Table::BrokenGlass).iter().filter(|key| keys.contains(*key)).count(), 2);
}

#[test]
fn d11_what_a_role_opens_of_others_is_counted_beside_what_it_broke_the_glass_for() {
    let mut rig = Rig::new();
    let said = AccessEvent { act: AccessAct::Opening, role: PersonRole::Nurse, ..event("b", token(1)) };
    let denied = AccessEvent { outcome: AccessOutcome::Denied, size: 7, ..said.clone() };
    let delivered = AccessEvent { act: AccessAct::Delivery, ..said.clone() };
    let again = AccessEvent { size: 9, ..said.clone() };
    for event in [&said, &denied, &delivered, &again] {
        rig.take(Submission::Event(rig.word("b", event)));
    }
    let stored = |key: &Vec<u8>| {
        let value = &rig.stored()[key];
        facts::read_by_role(Table::Openings, key, value).unwrap()
    };
    let counted: Vec<_> = rig.keys_of(Table::Openings).iter().map(stored).collect();
    assert_eq!(counted, [(code("b"), PersonRole::Nurse, 2)]);
    let key = &rig.keys_of(Table::Openings)[0];
    assert_eq!(facts::read_by_role(Table::BrokenGlass, key, &rig.stored()[key]), None);
}

#[test]
fn a_search_is_a_fact_of_the_registry_towards_the_asker() {
    let mut rig = Rig::new();
    rig.search(&query("b", &[token(1), token(2)]));
    let facts = facts(&rig);
    let (fact, count) = facts.first().unwrap();
    assert_eq!((&fact.organisation, &fact.counterpart), (&code("registry"), &Some(code("b"))));
    assert_eq!((fact.act, count.events, count.documents), (Some(AccessAct::Search), 2, 0));
}

#[test]
fn facts_are_read_by_hours() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    let first = hour_of(at(0));
    rig.publish(&mut chain, 1);
    rig.now = at(3_600_000);
    rig.publish(&mut chain, 2);
    let hours_of = |hours| {
        let keys = facts::keys(&hours);
        let found = rig.stored().range(keys).map(|(key, value)| facts::read(key, value).unwrap());
        found.map(|(fact, count)| (fact.hour - first, count.events)).collect::<Vec<_>>()
    };
    assert_eq!(hours_of(first..first + 2), [(0, 1), (1, 1)]);
    assert_eq!(hours_of(first + 1..first + 9), [(1, 1)]);
    assert_eq!(hours_of(0..first), []);
    assert_eq!(hours_of(0..u32::MAX).len(), 2);
}

#[test]
fn a_key_of_another_table_is_no_fact() {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    rig.publish(&mut chain, 1);
    let keys = rig.stored().keys().filter(|key| key.first() != Some(&(Table::Fact as u8)));
    assert!(keys.clone().count() > 0);
    assert!(keys.into_iter().all(|key| read_fact(key).is_none()));
}
