//! Checkpoints that nodes remember, have proved and show each other (L-13), and what shows when the registry keeps two logs.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use prost::Message;
use yiqiao_node_core::compare::Contradiction;
use yiqiao_node_core::machine::{Effect, Input, Machine, Outcome};
use yiqiao_node_core::peer::{self, CallFault};
use yiqiao_proto::calls::{Call, CheckpointNotice, Method};
use yiqiao_proto::note::{self, read_unchecked};

use crate::region::{checkpoint_key, code, list, signed};
use crate::trio::Trio;

/// What a node knows of the log: up to where it is proved, and what contradicts itself.
fn compared(trio: &Trio, node: &str) -> (Option<u64>, Vec<Contradiction>) {
    trio.nodes[node].ask(Machine::compared)
}

fn size(note: &[u8]) -> u64 {
    read_unchecked(note).unwrap().size
}

/// A checkpoint of the log that counts, under a key.
fn checkpoint(size: u64, root: u8, key: &yiqiao_proto::suite::SecretKey) -> Vec<u8> {
    let origin = note::origin(&code("demo"), &list(1).log_id);
    note::Checkpoint { origin, size, root: [root; 32] }.sign(key)
}

/// The hospital shows a checkpoint to the clinic: what it is shown.
fn show(trio: &mut Trio, checkpoint: Vec<u8>) -> Result<Vec<u8>, CallFault> {
    let request = CheckpointNotice { checkpoint }.encode_to_vec();
    let directory = trio.registry.directory.clone();
    let input = peer::read(&directory, &code("hospital"), Method::Compare as u16, &request)?;
    let Outcome::Newest(newest) = trio.act("clinic", &input).unwrap() else { panic!("it shows its own") };
    Ok(newest)
}

#[test]
fn l13_what_an_honest_registry_shows_is_proved_and_contradicts_nothing() {
    let mut trio = Trio::talked(130_000, 130_000);
    for node in ["hospital", "clinic"] {
        let (proved, contradictions) = compared(&trio, node);
        assert!(proved.unwrap() > 5 && contradictions.is_empty(), "{node}: {proved:?} {contradictions:?}");
        trio.node(node).rebuild();
        assert_eq!(compared(&trio, node), (proved, Vec::new()), "it is remembered");
    }
}

#[test]
fn l13_members_that_have_to_do_with_each_other_compare_but_not_at_every_word() {
    let trio = Trio::talked(130_000, 130_000);
    let compared = |heard: &&crate::region::Heard| matches!(heard.effect, Effect::Compare { .. });
    let shown: Vec<_> = trio.registry.heard.iter().filter(compared).collect();
    assert!((1..=4).contains(&shown.len()), "{}", shown.len());
    let newest = |bytes: &[u8]| CheckpointNotice::from_bytes(bytes).unwrap().checkpoint;
    assert!(shown.iter().any(|heard| !newest(&heard.answer).is_empty()));
}

#[test]
fn l13_another_tree_of_the_same_size_is_kept_as_a_contradiction_at_once() {
    let mut trio = Trio::talked(130_000, 130_000);
    let own = show(&mut trio, Vec::new()).unwrap();
    let forged = checkpoint(size(&own), 7, &checkpoint_key());
    assert_eq!(show(&mut trio, forged.clone()).unwrap(), own, "what contradicts is not shown on");
    let (_, found) = compared(&trio, "clinic");
    assert_eq!((found.len(), &found[0].first, &found[0].second), (1, &own, &forged));
    assert_eq!(found[0].member, Some(code("hospital")));
    trio.node("clinic").rebuild();
    assert_eq!(compared(&trio, "clinic").1, found, "it is kept for good");
    show(&mut trio, forged).unwrap();
    assert_eq!(compared(&trio, "clinic").1, found, "once");
}

#[test]
fn l13_l9_a_contradiction_of_an_earlier_log_is_history_and_takes_no_room() {
    let mut trio = Trio::talked(130_000, 130_000);
    let own = size(&show(&mut trio, Vec::new()).unwrap());
    for root in 1..20 {
        show(&mut trio, checkpoint(own, root, &checkpoint_key())).unwrap();
    }
    let found = compared(&trio, "clinic").1;
    assert!(found.len() == 8 && found.iter().all(|found| found.is_current));
    let mut next = trio.registry.directory.list().clone();
    next.version += 1;
    next.previous = Some(trio.registry.directory.payload_hash());
    next.log_id = code("log-2");
    trio.node("clinic").decide(&Input::MemberList(signed(&next))).unwrap();
    let kept = compared(&trio, "clinic").1;
    assert!(kept.len() == 8 && !kept.iter().any(|found| found.is_current));
}

#[test]
fn l13_what_a_member_was_shown_of_another_log_or_of_one_that_went_back_is_found_by_the_next_proof() {
    for (at, root) in [(3, 7), (1_000, 7)] {
        let mut trio = Trio::talked(130_000, 130_000);
        let forged = checkpoint(at, root, &checkpoint_key());
        show(&mut trio, forged.clone()).unwrap();
        assert!(compared(&trio, "clinic").1.is_empty(), "nobody knows yet which trees belong together");
        trio.live(130_000);
        let (_, found) = compared(&trio, "clinic");
        assert_eq!((found.len(), &found[0].first), (1, &forged), "at {at}");
        assert!(size(&found[0].second) < 1_000);
        assert!(compared(&trio, "hospital").1.is_empty());
    }
}

#[test]
fn l13_what_the_registry_did_not_sign_is_refused_and_an_earlier_log_passed_over() {
    let mut trio = Trio::talked(130_000, 130_000);
    let strangers = checkpoint(9, 7, &crate::region::key(1));
    assert!(matches!(show(&mut trio, strangers), Err(CallFault::Checkpoint(_))));
    let origin = note::origin(&code("demo"), &code("log-0"));
    let earlier = note::Checkpoint { origin, size: 9, root: [7; 32] }.sign(&checkpoint_key());
    show(&mut trio, earlier).unwrap();
    trio.live(130_000);
    assert!(compared(&trio, "clinic").1.is_empty());
}

#[test]
fn l11_a_lease_of_a_registry_that_stands_still_is_not_taken() {
    let mut trio = Trio::talked(3_000, 3_000);
    let mut still = trio.registry.copy();
    trio.publish_more();
    trio.live(30_000);
    let lease = |trio: &Trio| {
        let now = trio.now;
        trio.nodes["hospital"].ask(move |machine: &Machine, _| Ok(machine.lease_ends(now)))
    };
    assert!(lease(&trio).is_some());
    std::mem::swap(&mut trio.registry, &mut still);
    trio.live(40_000);
    assert_eq!(lease(&trio), None, "its leases fit the feed, but not the log");
    std::mem::swap(&mut trio.registry, &mut still);
    trio.live(60_000);
    assert!(lease(&trio).is_some());
}

#[test]
fn l13_a_restart_forgets_no_checkpoint_that_was_shown() {
    let mut trio = Trio::talked(130_000, 130_000);
    let forged = checkpoint(1_000, 7, &checkpoint_key());
    show(&mut trio, forged.clone()).unwrap();
    trio.node("clinic").rebuild();
    trio.live(130_000);
    let (_, found) = compared(&trio, "clinic");
    assert_eq!((found.len(), &found[0].first), (1, &forged));
    trio.node("clinic").rebuild();
    trio.live(130_000);
    assert_eq!(compared(&trio, "clinic").1, found, "it is not found anew at every start");
}

/// The fork that a member alone cannot see (docs/simulation.md): a log of its own that is always the longer one.
#[test]
fn l13_a_log_that_was_rewritten_shows_although_it_is_the_longer_one() {
    let mut trio = Trio::talked(130_000, 130_000);
    let known = compared(&trio, "clinic").0.unwrap();
    trio.registry.rewrite(2);
    let subject = trio.subject("hospital");
    trio.act("hospital", &Input::Tokens(subject)).unwrap();
    trio.permit();
    trio.live(130_000);
    let (proved, found) = compared(&trio, "hospital");
    assert!(!found.is_empty() && proved.unwrap() >= known.min(size(&found[0].first)));
    assert!(size(&found[0].second) > size(&found[0].first) && found[0].member.is_none());
}
