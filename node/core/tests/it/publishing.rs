//! What reaches the registry, in which order, and what its refusals lead to.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use yiqiao_intake::facts::Status;
use yiqiao_intake::patient::{IdKind, Identifier, Patient};
use yiqiao_node_core::ask::{self, Allowance, Depth, Problem};
use yiqiao_node_core::lost;
use yiqiao_node_core::machine::{Checkpoint, Effect, Input, KnownLog, Outcome, Receipt, Refused};
use yiqiao_node_core::remark::Remark;
use yiqiao_node_core::state::{Body, Record};
use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::{DocumentClass, RefusalCode, WithdrawalReason};
use yiqiao_proto::entry::{Entry, IdentityStatement, Link, Withdrawal};
use yiqiao_proto::envelope::{Envelope, Kind, Word as _};
use yiqiao_proto::hash;
use yiqiao_proto::id::{Digest, EntryId, Subject};
use yiqiao_proto::limits::SUBMISSION_MAX;
use yiqiao_proto::member::MemberList;
use yiqiao_proto::time::Millis;

use crate::region::{HOSPITAL, Registry, at, code, key, list, refusal, signed, token_secret};
use crate::rig::{Msg, Node, Says, document, patient, report};

fn node_with(reports: usize) -> Node {
    let mut node = Node::new(&list(1_000));
    for number in 0..reports {
        node.receive(&report(&format!("{number}"), patient("p", Some(1)), &format!("r{number}")));
    }
    node
}

fn depth(node: &Node) -> Depth {
    node.ask(|_, view| ask::depth(view))
}

fn problems(node: &Node) -> Vec<Problem> {
    node.ask(|_, view| ask::problems(0, view))
}

#[test]
fn a_subject_is_published_as_tokens_then_statement_then_its_chain() {
    let mut node = node_with(SUBMISSION_MAX + 3);
    let mut registry = Registry::new(&list(1_000));
    let first = node.due().unwrap();
    assert!(
        matches!(first.as_slice(), [Effect::Evaluate { epoch: 1, identifiers, .. }] if identifiers.len() == 1)
    );
    assert_eq!(node.due().unwrap().len(), 0, "one call for a subject at a time");
    let answer = registry.answer(node.now, &first[0]);
    node.decide(&answer).unwrap();
    node.publish(&mut registry);
    let kinds: Vec<Kind> = registry.said().map(|word| word.kind()).collect();
    assert_eq!((kinds[0], kinds.len()), (Kind::IdentityStatement, SUBMISSION_MAX + 4));
    assert!(kinds[1..].iter().all(|kind| *kind == Kind::Entry));
    assert_eq!(depth(&node), Depth::default());
    assert_eq!((registry.words, registry.evaluated), (kinds.len(), 1), "nothing was sent twice");
}

#[test]
fn t2_what_stays_here_for_want_of_an_identifier_is_counted_apart_and_leaves_once_there_is_one() {
    let mut node = node_with(2);
    for number in 0..3 {
        node.receive(&report(&format!("n{number}"), patient("q", None), &format!("q{number}")));
    }
    let counted = |node: &Node| {
        let depth = depth(node);
        (depth.words, depth.subjects, depth.held, depth.held_subjects)
    };
    assert_eq!(counted(&node), (2, 1, 3, 1));
    let mut registry = Registry::new(&list(1_000));
    node.publish(&mut registry);
    assert_eq!(counted(&node), (0, 0, 3, 1));
    node.rebuild();
    assert_eq!(counted(&node), (0, 0, 3, 1));
    node.receive(&report("late", patient("q", Some(2)), "q9"));
    assert_eq!(counted(&node), (4, 1, 0, 0));
    node.publish(&mut registry);
    assert_eq!(depth(&node), Depth::default());
}

#[test]
fn i7_the_registry_hears_nothing_of_who_is_known_by_a_number_alone() {
    let mut node = Node::new(&list(1_000));
    let mut registry = Registry::new(&list(1_000));
    let mut numbered = Patient::default();
    numbered.identify(Identifier::new(IdKind::Local, "C7", ""));
    node.receive(&report("1", numbered, "r"));
    node.publish(&mut registry);
    assert_eq!((registry.words, registry.evaluated, depth(&node).held), (0, 0, 1));
    assert!(node.patient("C7").unwrap().remarks.contains(&Remark::NoToken));
    node.receive(&report("2", patient("C7", Some(1)), "s"));
    node.publish(&mut registry);
    assert_eq!((registry.entries().len(), registry.evaluated, depth(&node).held), (2, 1, 0));
}

#[test]
fn receipts_are_kept_with_their_documents() {
    let mut node = Node::new(&list(100));
    let mut registry = Registry::new(&list(100));
    let entry = node.receive(&report("1", patient("p", Some(1)), "r")).entries[0];
    let look = |node: &Node| node.ask(move |machine, view| machine.document(&entry, view)).unwrap();
    assert!(look(&node).receipt.is_none());
    assert_eq!((depth(&node).subjects, depth(&node).words, depth(&node).oldest), (1, 1, Some(at(0))));
    node.publish(&mut registry);
    assert_eq!(
        look(&node).receipt.map(|receipt| (receipt.seq, receipt.tree_size)),
        Some((1, 3)),
        "its event follows it"
    );
}

#[test]
fn tokens_of_many_subjects_are_asked_for_together_and_once() {
    let mut node = Node::new(&list(1_000));
    let mut registry = Registry::new(&list(1_000));
    for order in 0..30 {
        node.receive(&report(&format!("{order}"), patient(&format!("p{order}"), Some(order)), "r"));
        node.receive(&report(&format!("x{order}"), patient(&format!("q{order}"), Some(order)), "s"));
    }
    let effects = node.due().unwrap();
    assert!(matches!(effects.as_slice(), [Effect::Evaluate { identifiers, .. }] if identifiers.len() == 30));
    let answer = registry.answer(node.now, &effects[0]);
    node.decide(&answer).unwrap();
    node.publish(&mut registry);
    assert_eq!((registry.evaluated, registry.entries().len(), registry.statements().len()), (30, 60, 60));
}

#[test]
fn n7_a_withdrawal_follows_its_entry_even_unpublished() {
    let mut node = Node::new(&list(100));
    let mut registry = Registry::new(&list(100));
    let entry = node.receive(&report("1", patient("p", Some(1)), "r")).entries[0];
    node.decide(&Input::Withdraw { entry, reason: WithdrawalReason::WrongPatient }).unwrap();
    let unknown =
        Input::Withdraw { entry: EntryId::new([9; 32]).unwrap(), reason: WithdrawalReason::Erasure };
    assert_eq!(node.decide(&unknown), Err(Refused::UnknownEntry));
    node.publish(&mut registry);
    let kinds: Vec<Kind> = registry.said().map(|word| word.kind()).collect();
    assert_eq!(kinds, [Kind::IdentityStatement, Kind::Entry, Kind::Withdrawal]);
    let subject = node.patient("p").unwrap().subject;
    let items = node.ask(|_, view| ask::items(&subject, 0, view));
    assert_eq!(items[1].withdrawal, Some(WithdrawalReason::WrongPatient));
    assert!(items.iter().all(|item| item.receipt.is_some()));
}

#[test]
fn n6_replacements_reach_the_registry_in_their_order() {
    let mut node = Node::new(&list(100));
    let mut registry = Registry::new(&list(100));
    for (control, status) in [("1", Status::Preliminary), ("2", Status::Final), ("3", Status::Corrected)] {
        let says = Says::Documents(vec![document(patient("p", Some(1)), "r", status)]);
        node.receive(&Msg::new(control, says));
    }
    node.publish(&mut registry);
    let entries = registry.entries();
    let replaces: Vec<_> = entries.iter().map(|(_, link)| link.replaces).collect();
    assert_eq!(replaces, [None, Some(entries[0].0.entry_id), Some(entries[1].0.entry_id)]);
}

#[test]
fn without_an_answer_the_node_waits_longer_each_time_and_at_most_five_minutes() {
    let mut node = node_with(1);
    let mut registry = Registry::new(&list(100));
    let mut waits = Vec::new();
    for _ in 0..15 {
        registry.refuse.push(None);
        let (waited, effects) = node.wait();
        assert_eq!(effects.len(), 1);
        let answer = registry.answer(node.now, &effects[0]);
        node.decide(&answer).unwrap();
        waits.push(waited);
    }
    for (failures, wait) in waits.iter().skip(1).enumerate() {
        let longest = (1_000 << failures).min(300_000);
        assert!((longest / 2..=longest).contains(wait), "{failures} failures, {wait} ms");
    }
    node.publish(&mut registry);
    assert_eq!(registry.entries().len(), 1);
}

#[test]
fn h2_the_registrys_own_time_is_waited_for() {
    let mut node = node_with(1);
    let mut registry = Registry::new(&list(100));
    let wait = Millis::from_secs(3_600);
    registry.refuse.push(Some(Refusal { code: RefusalCode::Busy, clause: "H-2", retry_after: Some(wait) }));
    let effects = node.due().unwrap();
    let answer = registry.answer(node.now, &effects[0]);
    node.decide(&answer).unwrap();
    assert_eq!(node.wait().0, wait.get());
}

#[test]
fn t5_over_the_quota_tokens_wait_and_words_go_on() {
    let mut node = Node::new(&list(1));
    let mut registry = Registry::new(&list(1));
    node.receive(&report("1", patient("p", Some(1)), "r1"));
    node.publish(&mut registry);
    node.receive(&report("2", patient("q", Some(2)), "r2"));
    let start = node.now;
    let effects = node.due().unwrap();
    let answer = registry.answer(node.now, &effects[0]);
    node.decide(&answer).unwrap();
    node.receive(&report("3", patient("p", Some(1)), "r3"));
    let effects = node.due().unwrap();
    assert!(matches!(effects.as_slice(), [Effect::Submit { .. }]));
    let answer = registry.answer(node.now, &effects[0]);
    node.decide(&answer).unwrap();
    assert_eq!(registry.entries().len(), 2);
    let waits = |node: &Node| node.ask(|machine, _| Ok(machine.tokens_wait(node.now)));
    let (until, patients) = waits(&node).unwrap();
    assert!(patients == 1 && until > node.now, "staff are told how long, and how many wait");
    node.publish(&mut registry);
    assert_eq!(registry.entries().len(), 3);
    assert!(node.now.since(start).get() > 3_600_000, "on the next day");
    assert_eq!(waits(&node), None);
}

#[test]
fn n4_a_conflict_stops_its_subject_until_staff_resume_it_and_no_other() {
    let mut node = node_with(1);
    let mut registry = Registry::new(&list(100));
    node.receive(&report("other", patient("q", Some(2)), "s"));
    let effects = node.due().unwrap();
    let answer = registry.answer(node.now, &effects[0]);
    node.decide(&answer).unwrap();
    registry.refuse.push(refusal(RefusalCode::Conflict));
    node.publish(&mut registry);
    assert_eq!(registry.entries().len(), 1);
    let parked = problems(&node);
    assert_eq!((parked.len(), parked[0].code, parked[0].resumed), (1, Some(RefusalCode::Conflict), false));
    assert_eq!(node.decide(&Input::Resume(2)), Err(Refused::NotOpen(2)));
    node.decide(&Input::Resume(1)).unwrap();
    assert_eq!(node.decide(&Input::Resume(1)), Err(Refused::NotOpen(1)));
    node.publish(&mut registry);
    assert_eq!(registry.entries().len(), 2);
    assert!(problems(&node)[0].resumed);
}

#[test]
fn every_refusal_leads_to_a_wait_or_to_a_problem_and_nothing_is_lost() {
    for code in RefusalCode::ALL {
        let mut node = node_with(3);
        let mut registry = Registry::new(&list(100));
        let mut resumed = 0;
        for _ in 0..4 {
            registry.refuse.push(refusal(*code));
        }
        for _ in 0..8 {
            node.publish(&mut registry);
            for problem in problems(&node).iter().filter(|problem| !problem.resumed) {
                node.decide(&Input::Resume(problem.number)).unwrap();
                resumed += 1;
            }
        }
        assert_eq!(registry.entries().len(), 3, "{code:?}, resumed {resumed} times");
        registry.check_payloads();
    }
}

/// An entry of the hospital that its node knows nothing of any more.
fn lost_entry(subject: Subject, link: &Link) -> Entry {
    Entry {
        publisher: code("hospital"),
        subject,
        link: link.commitment(),
        entry_id: EntryId::new([77; 32]).unwrap(),
        document: yiqiao_proto::id::DocumentId::new([78; 32]).unwrap(),
        size: 1,
        class: DocumentClass::Laboratory,
        document_type: yiqiao_proto::codes::DocumentType::OTHER,
        format: yiqiao_proto::codes::DocumentFormat::Text,
        facility: yiqiao_proto::codes::FacilityKind::GeneralHospital,
        practice: yiqiao_proto::codes::PracticeSetting::NotStated,
        service_start: None,
        service_end: None,
        created_at: at(0),
        sensitivity: yiqiao_proto::codes::Sensitivity::Normal,
        status: yiqiao_proto::codes::DocumentStatus::Final,
    }
}

#[test]
fn n9_words_that_the_node_has_lost_are_followed() {
    let mut node = node_with(1);
    let mut registry = Registry::new(&list(100));
    node.publish(&mut registry);
    let subject = node.patient("p").unwrap().subject;
    let previous = registry.said().last().map(|word| word.payload_hash());
    let link = Link { number: 2, previous, replaces: None, salt: [4; 32] };
    let entry = lost_entry(subject, &link);
    registry.put(node.now, &[(Envelope::sign(&code("demo"), &entry, &key(HOSPITAL)), Some(link))]);
    node.receive(&report("new", patient("p", Some(1)), "new"));
    node.publish(&mut registry);
    let numbers: Vec<u64> = registry.entries().iter().map(|(_, link)| link.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(problems(&node).is_empty());
}

/// The node is put back to what it was after so many records.
fn put_back(node: &mut Node, records: usize) {
    node.journal.truncate(records);
    node.rebuild();
}

/// The entries of a registry that are not withdrawn, each by its id and what it names.
fn standing(registry: &Registry) -> Vec<EntryId> {
    let mut standing = Vec::new();
    for word in registry.said() {
        if let Ok(entry) = Entry::decode(word.payload()) {
            standing.push(entry.entry_id);
        } else if let Ok(withdrawal) = Withdrawal::decode(word.payload()) {
            standing.retain(|id| *id != withdrawal.entry_id);
        }
    }
    standing.sort_unstable();
    standing
}

fn found(node: &Node) -> Option<lost::Found> {
    node.ask(|_, view| lost::found(view))
}

#[test]
fn n9_after_an_older_copy_was_put_back_what_is_lost_is_withdrawn_and_what_comes_again_is_there_once() {
    let (mut node, mut registry) = (node_with(1), Registry::new(&list(1_000)));
    node.publish(&mut registry);
    let copied = node.journal.len();
    let later = [
        report("later", patient("p", Some(1)), "later"),
        report("new", patient("q", Some(2)), "new"),
        report("newer", patient("q", Some(2)), "newer"),
    ];
    later.iter().for_each(|message| drop(node.receive(message)));
    node.publish(&mut registry);
    let published = standing(&registry);
    let lost_subject = node.patient("q").unwrap().subject;
    put_back(&mut node, copied);
    node.publish(&mut registry);
    assert_eq!(standing(&registry).len(), 1, "nobody finds what nobody can open");
    assert!(registry.statements()[&lost_subject].is_empty(), "the lost patient is told under no token");
    let words = found(&node).unwrap();
    assert_eq!((words.words, words.entries, words.open), (4, 0, false), "three entries and a statement");
    later.iter().for_each(|message| drop(node.receive(message)));
    node.publish(&mut registry);
    assert_eq!(standing(&registry), published, "all is there, and once");
    assert_eq!((problems(&node), depth(&node)), (Vec::new(), Depth::default()));
    assert_ne!(node.patient("q").unwrap().subject, lost_subject);
    let (words, index) = (registry.words, node.index().clone());
    node.rebuild();
    assert_eq!(*node.index(), index);
    node.publish(&mut registry);
    assert_eq!(registry.words, words, "nothing is said twice");
}

/// What the node asks for next, whenever that is.
fn next_effect(node: &mut Node) -> Effect {
    loop {
        node.now = node.now.max(node.next_wakeup().unwrap());
        if let Some(effect) = node.due().unwrap().into_iter().next() {
            return effect;
        }
    }
}

#[test]
fn n9_what_comes_again_before_the_log_was_read_waits_for_it() {
    let (mut node, mut registry) = (node_with(1), Registry::new(&list(1_000)));
    node.publish(&mut registry);
    let copied = node.journal.len();
    let later =
        [report("later", patient("p", Some(1)), "later"), report("new", patient("q", Some(2)), "new")];
    later.iter().for_each(|message| drop(node.receive(message)));
    node.publish(&mut registry);
    let published = standing(&registry);
    put_back(&mut node, copied);
    later.iter().for_each(|message| drop(node.receive(message)));
    let effects = node.due().unwrap();
    let [Effect::Recall { ticket, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    node.decide(&Input::Failed { ticket: *ticket, refusal: None }).unwrap();
    let failed = node.now;
    let Effect::Recall { ticket, from } = next_effect(&mut node) else { panic!("it asks again first") };
    let circle = Input::Recalled { ticket, words: Vec::new(), next: from, whole: false };
    node.decide(&circle).unwrap();
    let circled = node.now;
    let Effect::Recall { ticket, .. } = next_effect(&mut node) else { panic!("it asks again first") };
    assert!(failed < circled && circled < node.now, "each time after a wait");
    node.decide(&Input::Failed { ticket, refusal: None }).unwrap();
    node.publish(&mut registry);
    assert_eq!(standing(&registry), published);
    assert_eq!((problems(&node), depth(&node)), (Vec::new(), Depth::default()));
}

#[test]
fn n6_a_version_that_was_lost_takes_the_place_of_the_earlier_one_again() {
    let mut node = Node::new(&list(1_000));
    let mut registry = Registry::new(&list(1_000));
    let version = |control: &str, status| {
        Msg::new(control, Says::Documents(vec![document(patient("p", Some(1)), "r", status)]))
    };
    node.receive(&version("1", Status::Preliminary));
    node.publish(&mut registry);
    let copied = node.journal.len();
    let later = [version("2", Status::Final), version("3", Status::Corrected)];
    later.iter().for_each(|message| drop(node.receive(message)));
    node.publish(&mut registry);
    put_back(&mut node, copied);
    later.iter().for_each(|message| drop(node.receive(message)));
    node.publish(&mut registry);
    assert_eq!(problems(&node), Vec::new());
    let replaces: Vec<_> = registry.entries().iter().rev().take(2).map(|(_, link)| link.replaces).collect();
    let first = registry.entries()[0].0.entry_id;
    assert_eq!(replaces[1], Some(first));
    assert_ne!(replaces[0], Some(first));
}

#[test]
fn n9_a_withdrawal_that_was_lost_holds() {
    let (mut node, mut registry) = (node_with(2), Registry::new(&list(1_000)));
    node.publish(&mut registry);
    let copied = node.journal.len();
    let [withdrawn, stays] = <[EntryId; 2]>::try_from(standing(&registry)).unwrap();
    let withdraw = Input::Withdraw { entry: withdrawn, reason: WithdrawalReason::WrongPatient };
    node.decide(&withdraw).unwrap();
    let lost = node.receive(&report("later", patient("p", Some(1)), "later")).entries[0];
    node.publish(&mut registry);
    node.decide(&Input::Withdraw { entry: lost, reason: WithdrawalReason::WrongPatient }).unwrap();
    node.publish(&mut registry);
    let words = registry.words;
    put_back(&mut node, copied);
    node.publish(&mut registry);
    assert_eq!((registry.words, standing(&registry)), (words, vec![stays]), "nothing is left to be said");
    let known = node.ask(move |machine, view| machine.document(&withdrawn, view)).unwrap();
    assert!(known.withdrawn);
    assert_eq!((found(&node).unwrap().words, depth(&node)), (3, Depth::default()));
}

#[test]
fn n9_after_any_copy_all_that_comes_again_is_there_once() {
    let mut node = Node::new(&list(1_000));
    let mut registry = Registry::new(&list(1_000));
    let messages: Vec<Msg> = (0..6)
        .map(|number| {
            let who = number % 3;
            report(&format!("m{number}"), patient(&format!("p{who}"), Some(who)), &format!("r{number}"))
        })
        .collect();
    let mut first = None;
    for message in &messages {
        node.receive(message);
        node.publish(&mut registry);
        first.get_or_insert(node.journal.len());
    }
    let (whole, published) = (node.journal.clone(), standing(&registry));
    for records in first.unwrap()..=whole.len() {
        node.journal.clone_from(&whole);
        put_back(&mut node, records);
        messages.iter().for_each(|message| drop(node.receive(message)));
        node.publish(&mut registry);
        assert_eq!((problems(&node), standing(&registry)), (Vec::new(), published.clone()), "{records}");
    }
}

#[test]
fn i2_a_statement_that_the_node_has_lost_is_followed() {
    let mut node = node_with(1);
    let mut registry = Registry::new(&list(100));
    node.publish(&mut registry);
    let subject = node.patient("p").unwrap().subject;
    let mut previous = registry.said().next().map(|word| word.payload_hash());
    for number in 2..=3 {
        let tokens = Vec::new();
        let lost = IdentityStatement { publisher: code("hospital"), subject, number, previous, tokens };
        previous = Some(yiqiao_proto::envelope::payload_hash(&lost.encode()));
        registry.put(node.now, &[(Envelope::sign(&code("demo"), &lost, &key(HOSPITAL)), None)]);
    }
    // A merge gives the patient another identifier, and the next statement is numbered as if those had not been.
    let mut with_card = patient("p", Some(1));
    with_card.identify(Identifier::new(IdKind::HealthCard, "A12345678", ""));
    node.receive(&report("card", with_card, "new"));
    node.rebuild();
    node.publish(&mut registry);
    assert!(problems(&node).is_empty());
    let tokens = &registry.statements()[&subject];
    assert_eq!((tokens.len(), registry.entries().len()), (2, 2));
    let index = node.index().clone();
    node.rebuild();
    assert_eq!(*node.index(), index);
}

#[test]
fn i2_a_statement_that_is_refused_although_the_registry_has_no_later_one_is_a_problem() {
    let mut node = node_with(1);
    let mut registry = Registry::new(&list(100));
    let effects = node.due().unwrap();
    let answer = registry.answer(node.now, &effects[0]);
    node.decide(&answer).unwrap();
    registry.refuse.push(refusal(RefusalCode::OutOfOrder));
    node.publish(&mut registry);
    let parked = problems(&node);
    assert_eq!((parked.len(), parked[0].clause.as_str()), (1, "I-2"));
}

#[test]
fn n9_a_registry_that_has_less_than_its_receipts_say_is_a_problem() {
    let mut node = node_with(1);
    node.publish(&mut Registry::new(&list(100)));
    node.receive(&report("new", patient("p", Some(1)), "new"));
    node.publish(&mut Registry::new(&list(100)));
    let parked = problems(&node);
    assert_eq!((parked.len(), parked[0].clause.as_str()), (1, "N-9"));
}

#[test]
fn l11_receipts_at_a_smaller_tree_are_not_taken() {
    let mut node = node_with(1);
    let mut registry = Registry::new(&list(100));
    node.publish(&mut registry);
    node.receive(&report("new", patient("p", Some(1)), "new"));
    let effects = node.due().unwrap();
    let [Effect::Submit { ticket, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    let root = Digest::new(hash::sha256_plain(&[b"other"])).unwrap();
    for size in [1, 2] {
        let receipts = vec![Receipt { seq: 2, term: 1, accepted_at: at(0) }];
        let input = Input::Receipted {
            ticket: *ticket,
            receipts,
            checkpoint: Checkpoint { size, root, note: Vec::new() },
            last: None,
        };
        let handled = node.handle(&input).unwrap().unwrap();
        let expected = if size == 1 { Outcome::OtherLog } else { Outcome::Done };
        assert_eq!(handled.outcome, expected, "a ticket is answered once");
        let is_alarm =
            |record: &Record| matches!(record.record, Some(Body::Contradicted(_) | Body::Remembered(_)));
        assert!(handled.records.iter().all(is_alarm), "nothing is taken (L-13)");
    }
    node.publish(&mut registry);
    assert_eq!(registry.entries().len(), 2);
}

#[test]
fn l9_receipts_that_were_asked_for_of_another_log_are_not_taken_for_those_of_the_new_one() {
    let mut node = node_with(1);
    let mut registry = Registry::new(&list(1_000));
    node.publish(&mut registry);
    node.receive(&report("new", patient("p", Some(1)), "new"));
    let effects = node.due().unwrap();
    let answer = registry.answer(node.now, &effects[0]);
    let Input::Receipted { checkpoint, .. } = &answer else { panic!("{answer:?}") };
    assert!(checkpoint.size > 2);
    let mut next = list(1_000);
    next.version = 2;
    next.previous = Some(signed(&list(1_000)).payload_hash());
    next.log_id = code("log-2");
    node.decide(&Input::MemberList(signed(&next))).unwrap();
    let handled = node.handle(&answer).unwrap().unwrap();
    assert_eq!((handled.outcome, handled.records.len()), (Outcome::Done, 0));
    assert_eq!(depth(&node).words, 1, "it is handed in to the new log");
}

#[test]
fn t5_staff_are_told_when_four_fifths_of_a_day_are_used() {
    let mut node = Node::new(&list(5));
    let mut registry = Registry::new(&list(5));
    let near = |node: &Node| node.ask(|machine, view| machine.tokens_nearly_used(node.now, view));
    for order in 1..=5 {
        node.receive(&report(&format!("{order}"), patient(&format!("p{order}"), Some(order)), "r"));
        node.publish(&mut registry);
        let used = (order >= 4).then_some(Allowance { used: u64::from(order), allowed: 5 });
        assert_eq!(near(&node), used, "{order}");
    }
    node.rebuild();
    assert_eq!(near(&node), Some(Allowance { used: 5, allowed: 5 }));
    node.now = node.now + Millis::from_secs(24 * 3600);
    assert_eq!(near(&node), None, "a day begins anew");
}

#[test]
fn t5_no_evaluation_asks_for_more_than_a_day_allows() {
    let mut node = Node::new(&list(20));
    let mut registry = Registry::new(&list(20));
    for order in 0..50 {
        node.receive(&report(&format!("{order}"), patient(&format!("p{order}"), Some(order)), "r"));
    }
    node.publish(&mut registry);
    assert_eq!((registry.evaluated, registry.entries().len()), (50, 50));
}

#[test]
fn l11_what_a_search_finds_at_a_smaller_tree_or_another_one_does_not_count() {
    let mut node = node_with(1);
    node.publish(&mut Registry::new(&list(100)));
    let root = |of: u8| Digest::new(hash::sha256_plain(&[&[of]])).unwrap();
    let mut searched = |tree_size, size, of| {
        let asked = KnownLog { log_id: list(100).log_id, tree_size };
        let input =
            Input::Searched { asked, checkpoint: Checkpoint { size, root: root(of), note: Vec::new() } };
        node.handle(&input).unwrap().unwrap().outcome
    };
    assert_eq!(searched(0, 100, 1), Outcome::Done);
    assert_eq!(searched(100, 100, 2), Outcome::OtherLog);
    assert_eq!(searched(100, 99, 1), Outcome::OtherLog);
    assert_eq!(searched(100, 109, 1), Outcome::Done);
    assert_eq!(searched(109, 109, 1), Outcome::Done);
    assert_eq!(searched(109, 108, 1), Outcome::OtherLog);
    assert_eq!(searched(100, 108, 1), Outcome::Done, "it was asked before the newer one had come");
    node.rebuild();
    node.receive(&report("new", patient("p", Some(1)), "new"));
    let effects = node.due().unwrap();
    let [Effect::Recall { ticket, from: 109 }] = effects.as_slice() else { panic!("{effects:?}") };
    node.decide(&Input::Recalled { ticket: *ticket, words: Vec::new(), next: 109, whole: true }).unwrap();
    let effects = node.due().unwrap();
    let [Effect::Submit { ticket, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    let receipts = vec![Receipt { seq: 2, term: 1, accepted_at: at(0) }];
    let checkpoint = Checkpoint { size: 108, root: root(1), note: Vec::new() };
    let handled = node
        .handle(&Input::Receipted { ticket: *ticket, receipts, checkpoint, last: None })
        .unwrap()
        .unwrap();
    assert_eq!(handled.outcome, Outcome::OtherLog, "the tree of a search is known from then on, too");
}

/// The list after this one, changed.
fn next_list(before: &MemberList, change: impl FnOnce(&mut MemberList)) -> MemberList {
    let previous = Some(signed(before).payload_hash());
    let mut next = MemberList { version: before.version + 1, previous, ..before.clone() };
    change(&mut next);
    next
}

#[test]
fn l9_a_registry_that_was_put_back_gets_what_it_lacks_as_it_was_and_statements_follow_those_that_stand() {
    let first = list(1_000);
    let second = next_list(&first, |list| list.token_keys.push(token_secret(2).public()));
    let third = next_list(&second, |list| list.log_id = code("log-2"));
    for has_first_words in [true, false] {
        let (mut node, mut registry) = (node_with(1), Registry::new(&first));
        let mut older = registry.copy();
        node.publish(&mut registry);
        if has_first_words {
            older = registry.copy();
        }
        for number in 0..SUBMISSION_MAX {
            node.receive(&report(&format!("l{number}"), patient("p", Some(1)), &format!("l{number}")));
        }
        let gone = node.receive(&report("gone", patient("q", Some(2)), "gone")).entries[0];
        registry.take_list(node.now, &second);
        node.decide(&Input::MemberList(signed(&second))).unwrap();
        node.publish(&mut registry);
        node.decide(&Input::Withdraw { entry: gone, reason: WithdrawalReason::WrongPatient }).unwrap();
        node.publish(&mut registry);

        older.take_list(node.now, &second);
        older.take_list(node.now, &third);
        node.decide(&Input::MemberList(signed(&third))).unwrap();
        node.rebuild();
        node.publish(&mut older);
        assert_eq!(standing(&older), standing(&registry));
        assert_eq!(older.statements(), registry.statements());
        let payloads = |registry: &Registry| {
            let entries = registry.entries().into_iter().map(|(entry, _)| (entry.entry_id, entry.encode()));
            entries.collect::<BTreeMap<_, _>>()
        };
        assert_eq!(payloads(&older), payloads(&registry), "word for word");
        assert_eq!((depth(&node), problems(&node).len()), (Depth::default(), 0));
        // What comes next follows.
        node.receive(&report("next", patient("p", Some(1)), "next"));
        node.publish(&mut older);
        assert_eq!(older.entries().len(), registry.entries().len() + 1);
        assert!(problems(&node).is_empty());
    }
}

#[test]
fn t7_a_new_epoch_brings_a_new_statement_of_every_patient() {
    let mut node = Node::new(&list(1_000));
    let mut registry = Registry::new(&list(1_000));
    for order in 0..70 {
        node.receive(&report(&format!("{order}"), patient(&format!("p{order}"), Some(order)), "r"));
    }
    node.publish(&mut registry);
    let mut next = list(1_000);
    next.version = 2;
    next.previous = Some(signed(&list(1_000)).payload_hash());
    next.token_keys.push(token_secret(2).public());
    assert_eq!(node.decide(&Input::MemberList(signed(&next))), Ok(()));
    assert_eq!(node.decide(&Input::MemberList(signed(&next))), Ok(()), "the list in force is nothing new");
    node.rebuild();
    registry.directory = registry.directory.next(&signed(&next)).unwrap();
    node.publish(&mut registry);
    let statements = registry.statements();
    assert_eq!((statements.len(), registry.evaluated, registry.entries().len()), (70, 140, 70));
    assert!(statements.values().all(|tokens| tokens.len() == 2));
}

#[test]
fn a_list_that_comes_while_words_are_under_way_lets_nothing_be_sent_twice() {
    // The evaluation, the statement, or either submission of entries is under way.
    for under_way in 0..4 {
        let mut node = node_with(SUBMISSION_MAX + 3);
        let mut registry = Registry::new(&list(1_000));
        for call in 0.. {
            let effects = node.due().unwrap();
            assert!(effects.len() <= 1, "one call for a subject at a time");
            let Some(effect) = effects.first() else { break };
            let answer = registry.answer(node.now, effect);
            if call == under_way {
                let mut next = list(1_000);
                next.version = 2;
                next.previous = Some(signed(&list(1_000)).payload_hash());
                node.decide(&Input::MemberList(signed(&next))).unwrap();
                registry.directory = registry.directory.next(&signed(&next)).unwrap();
                assert_eq!(node.due().unwrap().len(), 0, "what is under way is not begun again");
            }
            node.decide(&answer).unwrap();
        }
        assert_eq!(depth(&node), Depth::default());
        assert_eq!((registry.words, registry.evaluated), (SUBMISSION_MAX + 4, 1), "{under_way}");
    }
}

#[test]
fn m3_a_list_that_does_not_follow_is_refused_and_the_newest_outlives_a_restart() {
    let mut node = Node::new(&list(100));
    let mut next = list(100);
    next.version = 2;
    next.previous = Some(signed(&list(100)).payload_hash());
    node.decide(&Input::MemberList(signed(&next))).unwrap();
    let old = node.decide(&Input::MemberList(signed(&list(100))));
    assert!(matches!(old, Err(Refused::List(_))));
    for restart in [Node::resume, Node::rebuild] {
        restart(&mut node);
        assert_eq!(node.ask(|machine, _| Ok(machine.directory().list().version)), 2);
    }
}
