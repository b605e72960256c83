//! Work: how often an input is handled again, because something was not loaded, does not grow with how much is due.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use yiqiao_intake::facts::Status;
use yiqiao_intake::patient::{IdKind, Identifier};
use yiqiao_node_core::copy::Stage;
use yiqiao_node_core::machine::Input;
use yiqiao_proto::codes::WithdrawalReason;
use yiqiao_proto::form::ListedDocument;
use yiqiao_proto::id::Subject;

use crate::copies::{walk_in, want_of};
use crate::region::{Registry, list, signed, token_secret};
use crate::rig::{Msg, Node, Says, document, patient, report};
use crate::trio::{Trio, visit};

/// The most rounds of one input at the clinic: while so many copies come, and while they are erased.
fn rounds(documents: usize) -> (u32, u32) {
    let mut trio = Trio::with_patient();
    for number in 2..documents {
        let name = format!("r{number}-{documents}");
        trio.node("hospital").receive(&report(&name, patient("p", Some(1)), &name).bytes(&name));
    }
    trio.live(10_000);
    let directive = trio.permit();
    trio.node("clinic").rounds = 0;
    walk_in(&mut trio);
    trio.live(10_000);
    assert_eq!(trio.stages(), vec![Stage::Held; documents]);
    let coming = std::mem::take(&mut trio.node("clinic").rounds);
    trio.revoke(directive);
    trio.live(5_000);
    assert_eq!(trio.stages(), vec![Stage::Erased; documents]);
    (coming, trio.node("clinic").rounds)
}

#[test]
fn many_copies_that_come_or_go_take_as_many_rounds_as_few() {
    let (few, many) = (rounds(4), rounds(40));
    assert!(many.0 <= few.0 + 2 && many.1 <= few.1 + 2, "few: {few:?}, many: {many:?}");
}

#[test]
fn many_patients_are_published_in_as_many_rounds_as_few() {
    let rounds = [8, 64].map(|patients| {
        let (mut node, mut registry) = (Node::new(&list(10_000)), Registry::new(&list(10_000)));
        for number in 0..patients {
            let name = format!("p{number}");
            let mut person = patient(&name, Some(number));
            let card = format!("A{:08}", 10_000_000 + number);
            person.identify(Identifier::new(IdKind::HealthCard, &card, "NHC"));
            node.receive(&report(&name, person, "r"));
        }
        node.rounds = 0;
        node.publish(&mut registry);
        let publishing = std::mem::take(&mut node.rounds);
        let mut next = list(10_000);
        next.version = 2;
        next.previous = Some(signed(&list(10_000)).payload_hash());
        next.token_keys.push(token_secret(2).public());
        node.decide(&Input::MemberList(signed(&next))).unwrap();
        registry.directory = registry.directory.next(&signed(&next)).unwrap();
        node.publish(&mut registry);
        assert!(registry.statements().values().all(|tokens| tokens.len() == 4));
        (publishing, node.rounds)
    });
    assert_eq!(rounds[0], rounds[1]);
}

#[test]
fn a_message_with_many_documents_takes_as_many_rounds_as_one_with_few() {
    let rounds = [2, 300].map(|documents| {
        let mut node = Node::new(&list(100));
        let message = |control: &str| {
            let offered = |number| document(patient("p", Some(1)), &format!("r{number}"), Status::Final);
            Msg::new(control, Says::Documents((0..documents).map(offered).collect()))
        };
        node.receive(&message("1"));
        node.receive(&message("2"));
        assert_eq!(node.counters("his").documents, 2 * documents, "each takes the place of the one before");
        node.rounds
    });
    assert_eq!(rounds[0], rounds[1]);
}

/// Patients `p0` … of the hospital with a document each, whom the clinic knows as `c0` …
fn trio_with(patients: u32) -> Trio {
    let mut trio = Trio::new();
    for number in 0..patients {
        let name = format!("p{number}");
        trio.node("hospital").receive(&report(&name, patient(&name, Some(number)), "r"));
        let here = visit(&name, &format!("c{number}"), number, "zhao", "general");
        trio.node("clinic").receive(&here);
    }
    trio
}

/// The patient of a number at a node.
fn subject(trio: &Trio, name: &str, number: &str) -> Subject {
    trio.nodes[name].patient(number).unwrap().subject
}

#[test]
fn many_heads_are_taken_in_as_many_rounds_as_few() {
    let rounds = [2, 250].map(|patients| {
        let mut trio = trio_with(patients);
        trio.deaf.insert("hospital");
        trio.live(30_000);
        trio.deaf.clear();
        trio.node("hospital").rounds = 0;
        trio.live(30_000);
        assert_eq!(trio.nodes["hospital"].ask(|machine, _| Ok(machine.feed_number())), u64::from(patients));
        trio.nodes["hospital"].rounds
    });
    assert_eq!(rounds[0], rounds[1]);
}

#[test]
fn copies_of_many_patients_are_looked_after_in_as_many_rounds_as_of_few() {
    let rounds = [4, 64].map(|patients| {
        let mut trio = trio_with(patients);
        trio.live(30_000);
        let listed = trio.listed();
        for number in 0..patients {
            let (there, here) = (subject(&trio, "hospital", &format!("p{number}")), format!("c{number}"));
            trio.permit_of(there);
            let of = |entry| trio.nodes["hospital"].ask(move |machine, view| machine.document(&entry, view));
            let is_there = |listed: &&ListedDocument| of(listed.entry_id).unwrap().subject == there;
            let documents = listed.iter().filter(is_there).cloned().collect();
            let want = want_of(subject(&trio, "clinic", &here), documents);
            trio.act("clinic", &Input::Want(Box::new(want))).unwrap();
        }
        trio.live(30_000);
        assert_eq!(trio.stages(), vec![Stage::Held; patients as usize]);
        trio.node("clinic").rounds = 0;
        trio.node("clinic").resume();
        trio.live(5_000);
        let again = std::mem::take(&mut trio.node("clinic").rounds);
        for listed in &listed {
            let reason = WithdrawalReason::WrongPatient;
            trio.act("hospital", &Input::Withdraw { entry: listed.entry_id, reason }).unwrap();
        }
        trio.deaf.insert("clinic");
        trio.live(20_000);
        trio.deaf.clear();
        trio.live(20_000);
        assert_eq!(trio.stages(), vec![Stage::Erased; patients as usize]);
        (again, trio.nodes["clinic"].rounds)
    });
    assert!(rounds[1].0 <= rounds[0].0 + 2 && rounds[1].1 <= rounds[0].1 + 2, "{rounds:?}");
}
