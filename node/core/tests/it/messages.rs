//! What becomes of messages: repeats, corrections, reviews, and the five ways in which one can end.

use yiqiao_intake::facts::{Format, ReviewReason, SourceId, Status};
use yiqiao_intake::kind::{Class, DocumentKind};
use yiqiao_node_core::ask::{self, ReviewState};
use yiqiao_node_core::intake::Verdict;
use yiqiao_node_core::machine::{Input, Refused};
use yiqiao_node_core::remark::Remark;
use yiqiao_proto::codes::{DocumentStatus, Sensitivity, WithdrawalReason};

use crate::region::list;
use crate::rig::{Msg, Node, Says, document, patient, report, sum};

#[test]
fn the_same_system_control_id_and_bytes_are_nothing_new() {
    let mut node = Node::new(&list(100));
    let message = report("1", patient("p", Some(1)), "r1");
    let first = node.receive(&message);
    assert_eq!((first.verdict, first.repeat, first.unused.len()), (Verdict::Indexed, false, 0));
    let records = node.journal.len();
    let again = node.receive(&message);
    assert_eq!((again.verdict, again.repeat, &again.entries), (Verdict::Indexed, true, &first.entries));
    assert_eq!(again.unused.len(), 1, "the file sealed for the repeat is left over");
    assert!(!node.ask(|_, view| ask::is_in_use(&again.unused[0], node.now, view)));
    assert_eq!((node.journal.len(), sum(&node.counters("his"))), (records + 1, 1), "a repeat is counted");
    let elsewhere = Msg { system: "lis", ..message };
    assert!(!node.receive(&elsewhere).repeat);
}

#[test]
fn the_same_control_id_with_other_bytes_is_a_new_message_and_remarked_on() {
    let mut node = Node::new(&list(100));
    node.receive(&report("1", patient("p", Some(1)), "r1"));
    let other = node.receive(&report("1", patient("p", Some(1)), "r2").bytes("other"));
    assert!(!other.repeat && other.remarks.contains(&Remark::ControlIdReused));
    assert_eq!(node.counters("his").indexed, 2);
    let fresh = node.receive(&report("2", patient("p", Some(1)), "r3"));
    assert!(!fresh.remarks.contains(&Remark::ControlIdReused));
    node.receive(&report("1", patient("p", Some(1)), "r2").bytes("other"));
    assert_eq!(node.counters("his").reused, 1, "a repeat is none");
}

#[test]
fn every_message_ends_in_one_of_five_ways_and_is_answered_so_again() {
    let mut node = Node::new(&list(100));
    let messages = [
        (report("1", patient("p", Some(1)), "r1"), Verdict::Indexed),
        (crate::rig::merge("2", patient("p", Some(1)), "q"), Verdict::Applied),
        (Msg::new("3", Says::Answer), Verdict::Answered),
        (Msg::new("4", Says::Review(ReviewReason::NoPatient)), Verdict::Review),
        (Msg::new("5", Says::Refused), Verdict::Refused),
    ];
    for round in [false, true] {
        for (message, verdict) in &messages {
            let answered = node.receive(message);
            assert_eq!((answered.verdict, answered.repeat), (*verdict, round));
        }
    }
    let counters = node.counters("his");
    let five = [counters.indexed, counters.applied, counters.answered, counters.review, counters.refused];
    assert_eq!((five, counters.documents), ([1; 5], 1));
}

#[test]
fn a_review_is_replayed_by_the_same_message_once_it_is_understood() {
    let mut node = Node::new(&list(100));
    let unclear = Msg::new("1", Says::Review(ReviewReason::OnlyPlaceholders));
    node.receive(&unclear);
    let reviews = node.ask(|_, view| ask::reviews(0, view));
    assert_eq!(reviews.len(), 1);
    assert_eq!(
        (reviews[0].reason, reviews[0].state),
        (Some(ReviewReason::OnlyPlaceholders), ReviewState::Open)
    );
    assert!(node.ask(|_, view| ask::is_in_use(&reviews[0].original, node.now, view)));

    let understood = Msg { says: report("1", patient("p", None), "r").says, ..unclear.clone() };
    assert!(!node.receive(&understood).repeat);
    assert_eq!(node.ask(|_, view| ask::reviews(0, view))[0].state, ReviewState::Replayed);
    let counters = node.counters("his");
    assert_eq!((counters.review, counters.indexed, sum(&counters)), (0, 1, 1));
    assert_eq!(node.receive(&unclear).verdict, Verdict::Indexed, "the answer is the newest");
    assert_eq!(node.decide(&Input::ReviewDone(1)), Err(Refused::NotOpen(1)));
}

#[test]
fn staff_settle_a_review_once() {
    let mut node = Node::new(&list(100));
    node.receive(&Msg::new("1", Says::Review(ReviewReason::NoPatient)));
    assert_eq!(node.decide(&Input::ReviewDone(2)), Err(Refused::NotOpen(2)));
    assert_eq!(node.decide(&Input::ReviewDone(1)), Ok(()));
    assert_eq!(node.decide(&Input::ReviewDone(1)), Err(Refused::NotOpen(1)));
    assert_eq!(node.ask(|_, view| ask::reviews(0, view))[0].state, ReviewState::Done);
}

#[test]
fn a_refused_message_is_taken_once_its_reader_understands_it() {
    let mut node = Node::new(&list(100));
    node.receive(&Msg::new("1", Says::Refused));
    assert_eq!(node.receive(&report("1", patient("p", None), "r")).verdict, Verdict::Indexed);
    let counters = node.counters("his");
    assert_eq!((counters.refused, counters.indexed), (0, 1));
}

#[test]
fn n6_a_newer_document_of_the_same_source_id_takes_the_place_of_the_earlier() {
    let mut node = Node::new(&list(100));
    let say = |status| Says::Documents(vec![document(patient("p", Some(1)), "r", status)]);
    let first = node.receive(&Msg::new("1", say(Status::Preliminary))).entries[0];
    let second = node.receive(&Msg::new("2", say(Status::Final))).entries[0];
    let third = node.receive(&Msg::new("3", say(Status::Corrected))).entries[0];
    let late = node.receive(&Msg::new("4", say(Status::Preliminary))).entries[0];
    let look = |entry| node.ask(move |machine, view| machine.document(&entry, view)).unwrap();
    assert!(look(first).replaced && look(second).replaced && !look(third).replaced);
    assert_eq!((look(second).replaces, look(third).replaces), (Some(first), Some(second)));
    assert_eq!(look(third).index.status, DocumentStatus::Amended.number());
    assert!(look(late).replaces.is_none() && look(late).remarks.contains(&Remark::Late));
}

#[test]
fn a_replacement_of_what_is_not_here_or_anothers_is_filed_and_remarked_on() {
    let mut node = Node::new(&list(100));
    let mut lost = document(patient("p", Some(1)), "r", Status::Corrected);
    lost.replaces = SourceId::new("", "unknown");
    let entry = node.receive(&Msg::new("1", Says::Documents(vec![lost]))).entries[0];
    let other = document(patient("q", Some(2)), "r", Status::Final);
    let anothers = node.receive(&Msg::new("2", Says::Documents(vec![other]))).entries[0];
    let look = |entry| node.ask(move |machine, view| machine.document(&entry, view)).unwrap();
    assert!(look(entry).remarks.contains(&Remark::ReplacesNothing));
    assert!(look(anothers).remarks.contains(&Remark::ReplacesAnothers));
    assert!(look(anothers).replaces.is_none() && !look(entry).replaced);
}

#[test]
fn n7_what_its_sender_calls_back_is_withdrawn() {
    let mut node = Node::new(&list(100));
    let entry = node.receive(&report("1", patient("p", Some(1)), "r")).entries[0];
    let back = document(patient("p", Some(1)), "r", Status::Cancelled);
    let answered = node.receive(&Msg::new("2", Says::Documents(vec![back])));
    assert_eq!((answered.verdict, answered.entries.len(), answered.unused.len()), (Verdict::Applied, 0, 1));
    let kept = node.ask(|machine, view| machine.document(&entry, view)).unwrap();
    assert!(kept.withdrawn);
    let again = Input::Withdraw { entry, reason: WithdrawalReason::Erasure };
    assert_eq!(node.decide(&again), Err(Refused::Withdrawn));
}

#[test]
fn calling_back_what_is_not_here_is_remarked_on() {
    let mut node = Node::new(&list(100));
    let back = document(patient("p", Some(1)), "r", Status::Cancelled);
    let answered = node.receive(&Msg::new("1", Says::Documents(vec![back])));
    assert!(answered.remarks.contains(&Remark::CancelsNothing));
}

#[test]
fn several_documents_of_one_message_without_ids_are_several_entries() {
    let mut node = Node::new(&list(100));
    let mut one = document(patient("p", Some(1)), "r", Status::Final);
    one.source_id = None;
    let answered = node.receive(&Msg::new("1", Says::Documents(vec![one.clone(), one])));
    assert_eq!(answered.entries.len(), 2);
    assert_ne!(answered.entries[0], answered.entries[1]);
}

#[test]
fn n1_what_a_document_says_becomes_closed_codes() {
    let mut node = Node::new(&list(100));
    let mut said = document(patient("p", Some(1)), "r", Status::Final);
    said.confidentiality = Some("V".to_owned());
    let entry = node.receive(&Msg::new("1", Says::Documents(vec![said]))).entries[0];
    let kept = node.ask(|machine, view| machine.document(&entry, view)).unwrap();
    assert_eq!((kept.index.r#type, kept.index.sensitivity), (7, Sensitivity::VeryRestricted.number()));
    assert_eq!(kept.data.expose().title, "血常规");
    assert_eq!(format!("{kept:?}").matches("血常规").count(), 0);
}

#[test]
fn nothing_in_the_journal_names_a_patient_in_clear() {
    let mut node = Node::new(&list(100));
    node.receive(&report("1", patient("number-0815", Some(1)), "source-4711"));
    node.receive(&crate::rig::merge("2", patient("number-0815", Some(1)), "number-0816"));
    let secrets = ["0815", "0816", "4711", "患者", "血常规", "999999199001", "1990"];
    for bytes in node.journal.iter().chain(node.index().keys()).chain(node.index().values()) {
        for secret in secrets {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret}");
        }
    }
}

#[test]
fn a_notice_of_a_document_never_takes_the_place_of_its_content() {
    let mut node = Node::new(&list(100));
    let notice = || {
        let mut notice = document(patient("p", Some(1)), "d", Status::Final);
        (notice.kind, notice.format) = (DocumentKind::hl7(Class::ProgressNote, "MDM^T03"), Format::Hl7V2);
        Says::Documents(vec![notice])
    };
    let first = node.receive(&Msg::new("1", notice()));
    assert_eq!(first.verdict, Verdict::Indexed, "before the content comes it is all there is");
    let content = node.receive(&report("2", patient("p", Some(1)), "d")).entries[0];
    let look = |entry| node.ask(|machine, view| machine.document(&entry, view)).unwrap();
    assert!(look(first.entries[0]).replaced);
    let later = node.receive(&Msg::new("3", notice()));
    assert_eq!((later.verdict, later.entries.len(), later.unused.len()), (Verdict::Applied, 0, 1));
    assert!(later.remarks.contains(&Remark::Late));
    let look = |entry| node.ask(|machine, view| machine.document(&entry, view)).unwrap();
    assert!(!look(content).replaced);
}

#[test]
fn a_name_of_the_whole_world_leads_every_system_to_its_document() {
    let mut node = Node::new(&list(100));
    let source = |system: &str, value: &str| SourceId::new(system, value).unwrap();
    let named = |node: &Node, source: &SourceId| {
        let found = node.ask(|machine, view| machine.document_named(source, view));
        found.map(|document| document.entry)
    };
    let mut filed = |control: &str, own: SourceId, further: Option<SourceId>| {
        let mut one = document(patient("p", Some(1)), control, Status::Final);
        one.source_id = Some(own);
        one.also_known_as.extend(further);
        node.receive(&Msg::new(control, Says::Documents(vec![one]))).entries[0]
    };
    let uri = source("urn:ietf:rfc:3986", "urn:oid:1.2.3");
    let further = source("urn:ietf:rfc:3986", "urn:uuid:1");
    let first = filed("c1", uri.clone(), Some(further.clone()));
    let root = filed("c2", source("1.2.3", "x"), None);
    filed("c3", source("HIS", "x"), None);
    let newer = filed("c4", source("urn:oid:1.2.3", "x"), None);
    assert_eq!([named(&node, &uri), named(&node, &further)], [Some(first); 2]);
    assert_ne!(root, newer);
    assert_eq!(named(&node, &source("1.2.3", "x")), Some(newer), "an OID is the same however it is written");
    assert_eq!(named(&node, &source("HIS", "x")), None, "that is a name of one system's own");
}
