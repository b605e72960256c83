//! Scans of what patients signed on paper.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use yiqiao_node_core::actor::{Actor, Staff};
use yiqiao_node_core::ask;
use yiqiao_node_core::deposit::Deposit;
use yiqiao_node_core::intake::Sealed;
use yiqiao_node_core::limits::{DEPOSIT_GRACE, DEPOSIT_LIFE, PAPERS_MAX};
use yiqiao_node_core::machine::{Input, Machine, Outcome, Refused};
use yiqiao_node_core::paper::{NewPaper, Paper};
use yiqiao_proto::codes::PersonRole;
use yiqiao_proto::hash::blake3;
use yiqiao_proto::id::{Digest, DocumentId};

use crate::enrolment::{refused, region};
use crate::rig::{merge, patient, report};
use crate::story::{Story, desk};

/// A scan comes in and is kept for the patient.
fn scan(story: &mut Story, bytes: &[u8]) -> Outcome {
    let input = paper(story, bytes);
    story.act(&input)
}

fn paper(story: &mut Story, bytes: &[u8]) -> Input {
    let (deposit, hash) = (bring(story, bytes), blake3(&[bytes]));
    Input::Paper(Box::new(NewPaper { actor: desk(), subject: story.subject(), deposit, hash }))
}

fn bring(story: &mut Story, bytes: &[u8]) -> Digest {
    let file = DocumentId::new(blake3(&[b"sealed", bytes])).unwrap();
    let sealed = Sealed { document: file, size: bytes.len() as u64, wrapped_key: vec![1; 60] };
    let deposit = Deposit { system: Machine::desk_system(), digest: blake3(&[bytes]), sealed };
    let Outcome::Deposited { id, .. } = story.act(&Input::Deposit(deposit)) else { panic!("not taken") };
    id
}

fn papers(story: &Story) -> Vec<Paper> {
    let subject = story.subject();
    story.node.ask(|machine, view| machine.papers(&subject, view))
}

#[test]
fn a_scanned_paper_stays_with_its_patient_and_its_file_is_never_swept() {
    let mut story = region();
    assert_eq!(scan(&mut story, b"signed"), Outcome::Done);
    story.node.now = story.node.now + DEPOSIT_LIFE + DEPOSIT_GRACE;
    story.node.rebuild();
    let kept = papers(&story);
    assert_eq!((kept.len(), kept[0].hash, kept[0].login.as_str()), (1, blake3(&[b"signed"]), "d7"));
    let (file, now) = (kept[0].sealed.document, story.node.now);
    assert!(story.node.ask(|_, view| ask::is_in_use(&file, now, view)));
    // The same bytes again are another file: this one stays.
    let again = DocumentId::new([9; 32]).unwrap();
    let sealed = Sealed { document: again, size: 6, wrapped_key: vec![2; 60] };
    let deposit = Deposit { system: Machine::desk_system(), digest: blake3(&[b"signed"]), sealed };
    assert!(matches!(story.act(&Input::Deposit(deposit)), Outcome::Deposited { unused: None, .. }));
    assert!(story.node.ask(|_, view| ask::is_in_use(&file, now, view)));
    assert_eq!(papers(&story)[0].sealed.document, file);
}

#[test]
fn a_paper_follows_its_patient_through_a_merge() {
    let mut story = region();
    scan(&mut story, b"signed");
    story.node.receive(&report("2", patient("q", None), "r2"));
    story.node.receive(&merge("3", patient("q", None), "p"));
    story.live(3_000);
    assert_eq!(story.subject(), story.node.patient("q").unwrap().subject);
    assert_eq!(papers(&story).len(), 1);
}

#[test]
fn only_a_desk_keeps_papers_each_once_and_so_many() {
    let mut story = region();
    let Input::Paper(good) = paper(&mut story, b"signed") else { panic!() };
    let Actor::Staff(staff) = desk() else { panic!() };
    let doctor = Actor::Staff(Staff { role: PersonRole::Physician, ..staff });
    for actor in [doctor, crate::enrolment::own(&story).actor, Actor::Node] {
        let input = Input::Paper(Box::new(NewPaper { actor, ..(*good).clone() }));
        assert_eq!(refused(&mut story, &input), Refused::NotSeen);
    }
    let unknown = NewPaper { deposit: Digest::new([7; 32]).unwrap(), ..(*good).clone() };
    assert_eq!(refused(&mut story, &Input::Paper(Box::new(unknown))), Refused::UnknownEntry);
    story.act(&Input::Paper(good.clone()));
    assert_eq!(refused(&mut story, &Input::Paper(good)), Refused::UnknownEntry, "it is filed");
    for number in 1..PAPERS_MAX {
        scan(&mut story, &number.to_be_bytes());
    }
    let more = paper(&mut story, b"one more");
    assert_eq!(refused(&mut story, &more), Refused::TooManyPapers);
}
