//! Documents whose bytes come before the message that describes them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what cannot happen here fails the test")]

use yiqiao_node_core::ask;
use yiqiao_node_core::deposit::Deposit;
use yiqiao_node_core::intake::{Answered, Content, Received, Sealed};
use yiqiao_node_core::limits::{DEPOSIT_GRACE, DEPOSIT_LIFE};
use yiqiao_node_core::machine::{Input, Outcome, Refused};
use yiqiao_proto::hash;
use yiqiao_proto::id::{Digest, DocumentId};
use yiqiao_proto::time::Millis;

use crate::region::{code, list};
use crate::rig::{Node, patient, report};

/// Brings bytes: their id, and the file that is left over.
fn bring(node: &mut Node, system: &str, bytes: &[u8]) -> (Digest, Option<DocumentId>) {
    let deposit = Deposit { system: code(system), digest: hash::blake3(&[bytes]), sealed: node.seal() };
    let outcome = node.handle(&Input::Deposit(deposit)).unwrap().unwrap().outcome;
    let Outcome::Deposited { id, unused } = outcome else { panic!("{outcome:?}") };
    (id, unused)
}

fn found(node: &Node, system: &str, id: &Digest) -> Option<Sealed> {
    node.ask(|machine, view| machine.deposit(id, &code(system), node.now, view))
}

fn is_in_use(node: &Node, document: &DocumentId) -> bool {
    node.ask(|_, view| ask::is_in_use(document, node.now, view))
}

/// A message whose one document has these bytes.
fn describe(node: &mut Node, source: &str, sealed: &Sealed) -> Result<Answered, Refused> {
    let message = report(source, patient("p", Some(1)), source).bytes(source);
    let received: Received = message.seal(&mut || sealed.clone());
    assert!(matches!(received.content, Content::Documents(_)));
    let handled = node.handle(&Input::Received(Box::new(received))).unwrap()?;
    let Outcome::Received(answered) = handled.outcome else { panic!("{:?}", handled.outcome) };
    Ok(answered)
}

#[test]
fn bytes_that_came_before_are_the_content_of_the_document_that_names_them() {
    let mut node = Node::new(&list(100));
    let (id, unused) = bring(&mut node, "pacs", b"study");
    assert_eq!(unused, None);
    let sealed = found(&node, "pacs", &id).unwrap();
    assert!(is_in_use(&node, &sealed.document));
    let answered = describe(&mut node, "r1", &sealed).unwrap();
    let entry = answered.entries[0];
    let filed = node.ask(|machine, view| machine.document(&entry, view)).unwrap();
    assert_eq!((filed.document, filed.index.size), (sealed.document, sealed.size));
    node.now = node.now + DEPOSIT_LIFE + DEPOSIT_GRACE;
    assert!(is_in_use(&node, &sealed.document), "the document has them for good");
}

#[test]
fn the_same_bytes_of_the_same_system_are_one_deposit_and_wait_anew() {
    let mut node = Node::new(&list(100));
    let (id, _) = bring(&mut node, "pacs", b"study");
    let first = found(&node, "pacs", &id).unwrap();
    node.now = node.now + DEPOSIT_LIFE - Millis::new(1);
    let (again, unused) = bring(&mut node, "pacs", b"study");
    assert_eq!(again, id);
    assert!(unused.is_some_and(|unused| unused != first.document), "the second file is left over");
    node.now = node.now + DEPOSIT_LIFE - Millis::new(1);
    assert_eq!(found(&node, "pacs", &id), Some(first));
    assert_ne!(bring(&mut node, "pacs", b"other").0, id);
}

#[test]
fn a_deposit_is_its_systems_alone() {
    let mut node = Node::new(&list(100));
    let (id, _) = bring(&mut node, "pacs", b"study");
    assert_eq!(found(&node, "his", &id), None);
    assert_ne!(bring(&mut node, "his", b"study").0, id);
}

#[test]
fn bytes_that_nothing_names_go_after_a_day_but_not_from_under_who_has_just_found_them() {
    let mut node = Node::new(&list(100));
    let (id, _) = bring(&mut node, "pacs", b"study");
    let sealed = found(&node, "pacs", &id).unwrap();
    node.now = node.now + DEPOSIT_LIFE;
    assert_eq!(found(&node, "pacs", &id), None);
    assert!(is_in_use(&node, &sealed.document));
    describe(&mut node, "r1", &sealed).unwrap();

    let (id, _) = bring(&mut node, "pacs", b"another");
    let sealed = found(&node, "pacs", &id).unwrap();
    node.now = node.now + DEPOSIT_LIFE + DEPOSIT_GRACE;
    assert!(!is_in_use(&node, &sealed.document));
    let (again, unused) = bring(&mut node, "pacs", b"another");
    assert_eq!((again, unused), (id, None), "it begins anew with the new file");
    assert_ne!(found(&node, "pacs", &id).unwrap().document, sealed.document);
}

#[test]
fn bytes_are_the_content_of_one_document_and_come_again_for_another() {
    let mut node = Node::new(&list(100));
    let (id, _) = bring(&mut node, "pacs", b"study");
    let sealed = found(&node, "pacs", &id).unwrap();
    describe(&mut node, "r1", &sealed).unwrap();
    assert_eq!(describe(&mut node, "r2", &sealed), Err(Refused::DepositFiled));
    let repeat = describe(&mut node, "r1", &sealed).unwrap();
    assert!(repeat.repeat && repeat.unused.is_empty(), "the message itself may come again");
    bring(&mut node, "pacs", b"study");
    let fresh = found(&node, "pacs", &id).unwrap();
    assert_ne!(fresh.document, sealed.document);
    describe(&mut node, "r2", &fresh).unwrap();
}
