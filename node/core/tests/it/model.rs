//! Any interleaving of messages, publishing, failures and restarts against a model of a few lines.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use yiqiao_intake::facts::Status;
use yiqiao_intake::patient::Patient;
use yiqiao_node_core::ask;
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::id::EntryId;

use crate::region::{Registry, list, refusal};
use crate::rig::{Msg, Node, Says, document, merge, patient, sum};

#[derive(Clone, Debug)]
enum Step {
    /// A version of a report of a patient; the same again is a repeat.
    Report { patient: u32, source: u32, version: u32 },
    /// Two numbers of one person are one patient.
    Merge { into: u32, from: u32 },
    /// The node does what is due, this many times.
    Publish(usize),
    /// The next call has no answer.
    Silence,
    /// The next call is refused for now.
    Busy,
    /// The process starts again from its journal, or from its index.
    Restart { rebuild: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4_u32, 0..3_u32, 0..3_u32)
            .prop_map(|(patient, source, version)| Step::Report { patient, source, version }),
        1 => (0..4_u32).prop_map(|into| Step::Merge { into, from: into ^ 1 }),
        4 => (1..6_usize).prop_map(Step::Publish),
        1 => Just(Step::Silence),
        1 => Just(Step::Busy),
        1 => any::<bool>().prop_map(|rebuild| Step::Restart { rebuild }),
    ]
}

/// What should come of the steps: which messages there were, and which versions of which report in which order.
#[derive(Default)]
struct Model {
    messages: BTreeSet<Vec<u8>>,
    versions: BTreeMap<(u32, u32), Vec<EntryId>>,
}

/// Two numbers each belong to one person.
fn numbered(who: u32) -> Patient {
    patient(&format!("p{who}"), Some(who / 2))
}

fn take(step: &Step, node: &mut Node, registry: &mut Registry, model: &mut Model) {
    match step {
        Step::Report { patient: who, source, version } => {
            let control = format!("r{who}-{source}-{version}");
            let said = document(numbered(*who), &format!("{who}/{source}"), Status::Final);
            let message = Msg::new(&control, Says::Documents(vec![said]));
            let new = model.messages.insert(message.bytes.clone());
            let answered = node.receive(&message);
            assert_eq!(answered.repeat, !new);
            if new {
                model.versions.entry((*who, *source)).or_default().extend(answered.entries);
            }
        }
        Step::Merge { into, from } => {
            let message = merge(&format!("m{into}-{from}"), numbered(*into), &format!("p{from}"));
            model.messages.insert(message.bytes.clone());
            node.receive(&message);
        }
        Step::Publish(times) => {
            for _ in 0..*times {
                node.now = node.next_wakeup().unwrap_or(node.now).max(node.now);
                for effect in node.due().expect("the power stays on") {
                    let answer = registry.answer(node.now, &effect);
                    node.handle(&answer).expect("the power stays on").expect("an answer is never refused");
                }
            }
        }
        Step::Silence => registry.refuse.push(None),
        Step::Busy => registry.refuse.push(refusal(RefusalCode::Busy)),
        Step::Restart { rebuild: true } => node.rebuild(),
        Step::Restart { rebuild: false } => node.resume(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_everything_is_published_once_and_in_order(
        steps in proptest::collection::vec(step(), 1..40)
    ) {
        let (mut node, mut registry) = (Node::new(&list(10_000)), Registry::new(&list(10_000)));
        let mut model = Model::default();
        for step in &steps {
            take(step, &mut node, &mut registry, &mut model);
        }
        registry.refuse.clear();
        node.publish(&mut registry);

        registry.check_payloads();
        prop_assert!(node.ask(|_, view| ask::problems(0, view)).is_empty());
        prop_assert_eq!(sum(&node.counters("his")), model.messages.len() as u64);
        let entries = registry.entries();
        prop_assert_eq!(entries.len(), model.versions.values().map(Vec::len).sum::<usize>());
        let replaces: BTreeMap<_, _> =
            entries.iter().map(|(entry, link)| (entry.entry_id, link.replaces)).collect();
        for versions in model.versions.values() {
            let mut before = None;
            for version in versions {
                prop_assert_eq!(replaces.get(version), Some(&before));
                before = Some(*version);
            }
        }
        let index = node.index().clone();
        node.rebuild();
        prop_assert_eq!(node.index(), &index);
    }
}
