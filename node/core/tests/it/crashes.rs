//! The power may go after any record: nothing that was acknowledged is lost, nothing is doubled, and no entry is ever sent
//! with two payloads.

use std::collections::BTreeMap;

use yiqiao_intake::facts::{ReviewReason, Status, Trigger};
use yiqiao_node_core::ask;
use yiqiao_node_core::state::Counters;
use yiqiao_proto::entry::Entry;
use yiqiao_proto::id::EntryId;

use crate::region::{Registry, list};
use crate::rig::{Msg, Node, PowerCut, Says, document, event, merge, patient, report};

/// A day with every kind of change, in three batches; after each the node publishes.
fn day() -> Vec<Vec<Msg>> {
    let call_back = document(patient("q", Some(2)), "r2", Status::Cancelled);
    let two = vec![
        document(patient("s", Some(1)), "r5", Status::Final),
        document(patient("s", Some(1)), "r6", Status::Preliminary),
    ];
    let known = event(Trigger::Updated, patient("local", Some(4)), 10);
    vec![
        vec![
            report("1", patient("p", Some(1)), "r1"),
            report("2", patient("q", Some(2)), "r2"),
            report("3", patient("q", Some(2)), "r3"),
            report("4", patient("local", None), "r4"),
            Msg::new("5", Says::Review(ReviewReason::NoPatient)),
        ],
        vec![
            report("6", patient("q", Some(2)), "r3"),
            Msg::new("7", Says::Documents(vec![call_back])),
            Msg::new("8", Says::Documents(two)),
            merge("9", patient("p", Some(1)), "s"),
        ],
        vec![
            Msg::new("10", Says::Events(vec![known])),
            report("11", patient("s", None), "r6"),
            report("5", patient("p", Some(1)), "r7"),
        ],
    ]
}

fn run(node: &mut Node, registry: &mut Registry) -> Result<(), PowerCut> {
    for batch in day() {
        for message in &batch {
            node.try_receive(message)?;
        }
        node.try_publish(registry)?;
    }
    Ok(())
}

/// What must be the same however often the power went.
#[derive(Debug, PartialEq)]
struct Facts {
    counters: Counters,
    replaces: BTreeMap<EntryId, Option<EntryId>>,
    statements: usize,
    tokens: Vec<usize>,
    words: usize,
}

fn facts(node: &Node, registry: &Registry) -> Facts {
    registry.check_payloads();
    assert!(node.ask(|_, view| ask::problems(0, view)).is_empty());
    assert_eq!(node.ask(|_, view| ask::depth(view)).words, 0);
    let entries = registry.entries();
    for (entry, _) in &entries {
        check_receipt(node, registry, entry);
    }
    let mut tokens: Vec<_> = registry.statements().values().map(Vec::len).collect();
    tokens.sort_unstable();
    Facts {
        counters: node.counters("his"),
        replaces: entries.iter().map(|(entry, link)| (entry.entry_id, link.replaces)).collect(),
        statements: registry.statements().len(),
        tokens,
        words: entries.len(),
    }
}

/// The document in the index is the one whose key the journal has, and the receipt names its place.
fn check_receipt(node: &Node, registry: &Registry, entry: &Entry) {
    let kept = node.ask(|machine, view| machine.document(&entry.entry_id, view)).expect("it was published");
    assert_eq!((kept.document, kept.subject), (entry.document, entry.subject));
    let place = usize::try_from(kept.receipt.expect("it has its receipt").seq).expect("a small log");
    let word = registry.log().nth(place).expect("a place of the log");
    let found: Entry = yiqiao_proto::envelope::Word::decode(word.payload()).expect("an entry");
    assert_eq!(found, *entry);
}

#[test]
fn n3_the_power_may_go_after_any_record() {
    let (mut node, mut registry) = (Node::new(&list(100)), Registry::new(&list(100)));
    run(&mut node, &mut registry).unwrap();
    let expected = facts(&node, &registry);
    assert_eq!((expected.words, expected.counters.documents), (9, 9));
    let records = node.journal.len();
    assert!(records > 30, "{records}");

    for cut in 0..records {
        let (mut node, mut registry) = (Node::new(&list(100)), Registry::new(&list(100)));
        node.power_cut = Some(cut);
        assert!(run(&mut node, &mut registry).is_err(), "cut after {cut}");
        let acknowledged = node.counters("his");
        node.rebuild();
        assert_eq!(node.counters("his"), acknowledged, "cut after {cut}");
        // Senders that had no answer send again; so do all the others.
        run(&mut node, &mut registry).unwrap();
        assert_eq!(facts(&node, &registry), expected, "cut after {cut}");
    }
}

#[test]
fn the_index_is_what_the_journal_makes_of_it() {
    let (mut node, mut registry) = (Node::new(&list(100)), Registry::new(&list(100)));
    run(&mut node, &mut registry).unwrap();
    let index = node.index().clone();
    node.rebuild();
    assert_eq!(*node.index(), index);
}
