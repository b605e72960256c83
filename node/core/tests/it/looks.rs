//! What pages ask of a node that changes nothing but the audit: looks at patients, lists of circles, documents read again.

#![expect(clippy::indexing_slicing, reason = "helpers of tests")]

use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::audit::{Act, Of};
use yiqiao_node_core::machine::{Input, Outcome, Refused};
use yiqiao_node_core::open::Opened;
use yiqiao_node_core::receive::Want;
use yiqiao_proto::codes::{AccessAct, AccessOutcome, PersonRole, Purpose};
use yiqiao_proto::id::{Code, EntryId};

use crate::region::code;
use crate::rig::{merge, patient};
use crate::trio::{Trio, staff, visit, wang, zhao};

fn acts(trio: &Trio, login: &str) -> Vec<Act> {
    let of = Of::Login(login.to_owned());
    let lines = trio.nodes["hospital"].ask(|machine, view| machine.audit_lines(&of, None, view));
    lines.into_iter().map(|(_, line)| line.act).collect()
}

fn readable(trio: &Trio, name: &str, actor: &Actor, of: (&Code, &EntryId)) -> Option<Opened> {
    trio.nodes[name].ask(|machine, view| machine.readable(actor, of.0, of.1, trio.now, view))
}

#[test]
fn a_look_at_a_patient_is_a_line_and_whom_the_actor_does_not_see_nobody_looks_at() {
    let mut trio = Trio::with_patient();
    let subject = trio.subject("hospital");
    let look = |actor: &Actor, subject, act| Input::Look { actor: actor.clone(), subject, act };
    assert_eq!(trio.act("hospital", &look(&wang(), Some(subject), Act::Reveal)), Ok(Outcome::Done));
    assert_eq!(trio.act("hospital", &look(&wang(), None, Act::Find)), Ok(Outcome::Done));
    assert_eq!(acts(&trio, "wang"), [Act::Find, Act::Reveal]);
    let stranger = staff("li", PersonRole::Physician, &["surgery"]);
    assert_eq!(trio.act("hospital", &look(&stranger, Some(subject), Act::View)), Err(Refused::NotSeen));
    assert!(acts(&trio, "li").is_empty());
}

#[test]
fn a3_a_sign_in_that_is_refused_is_a_line_of_the_login_and_of_the_patient_whose_account_it_is() {
    let mut trio = Trio::with_patient();
    let subject = trio.subject("hospital");
    let own = Actor::Patient { account: "p-1".to_owned(), subject, guardian: false };
    for actor in [wang(), own] {
        assert_eq!(trio.act("hospital", &Input::SignInRefused(actor)), Ok(Outcome::Done));
    }
    assert_eq!((acts(&trio, "wang"), acts(&trio, "p-1")), (vec![Act::SignIn], vec![Act::SignIn]));
    let of = Of::Subject(subject);
    let lines = trio.nodes["hospital"].ask(|machine, view| machine.audit_lines(&of, None, view));
    let (_, line) = &lines[0];
    assert_eq!((line.act, line.outcome, line.login.as_str()), (Act::SignIn, AccessOutcome::Denied, "p-1"));
}

#[test]
fn a3_who_looked_at_a_number_that_was_merged_is_shown_with_the_patient() {
    let mut trio = Trio::with_patient();
    trio.node("hospital").receive(&visit("70", "u", 1, "wang", "cardiology"));
    let survivor = trio.subject("hospital");
    let retired = trio.nodes["hospital"].patient("u").map(|patient| patient.subject).expect("it is filed");
    let look = |trio: &mut Trio, subject| {
        let looked = Input::Look { actor: wang(), subject: Some(subject), act: Act::View };
        assert_eq!(trio.act("hospital", &looked), Ok(Outcome::Done));
    };
    for number in 0..600 {
        look(&mut trio, if number % 3 == 0 { survivor } else { retired });
    }
    trio.node("hospital").receive(&merge("71", patient("p", Some(1)), "u"));
    look(&mut trio, survivor);
    let all = |of: Of| {
        let (mut before, mut lines) = (None, Vec::new());
        loop {
            let page = trio.nodes["hospital"].ask(|machine, view| machine.audit_lines(&of, before, view));
            let Some((place, _)) = page.last() else { break lines };
            before = Some(*place);
            lines.extend(page.into_iter().map(|(_, line)| line));
        }
    };
    let mut expected = all(Of::All);
    expected.retain(|line| line.subject.is_some());
    assert!(expected.len() > 600 && all(Of::Subject(survivor)) == expected);
    assert!(all(Of::Subject(retired)) == expected, "the account of a number that was merged");
}

#[test]
fn a_patient_of_several_circles_is_listed_in_the_first_of_them() {
    let trio = Trio::with_patient();
    let subject = trio.subject("hospital");
    let first =
        |actor: &Actor| trio.nodes["hospital"].ask(|machine, view| machine.circle_of(actor, &subject, view));
    assert_eq!(first(&wang()), Some(0));
    let head = staff("head", PersonRole::DepartmentHead, &["cardiology"]);
    let listed = trio.nodes["hospital"]
        .ask(|machine, view| machine.patients_of(&head, first(&head).unwrap_or_default(), None, view));
    assert!(listed.is_some_and(|listed| listed.iter().any(|(_, listed)| *listed == subject)));
    assert_eq!(first(&staff("li", PersonRole::Physician, &["surgery"])), None);
}

#[test]
fn logins_and_departments_are_the_same_in_capital_and_small_letters() {
    let mut trio = Trio::with_patient();
    trio.node("hospital").receive(&visit("70", "u", 4, "B0107", "NX01"));
    let subject = trio.nodes["hospital"].patient("u").map(|patient| patient.subject);
    let sees = |actor: &Actor| {
        let subject = subject.expect("the visit files its patient");
        trio.nodes["hospital"].ask(|machine, view| machine.may_see(actor, &subject, trio.now, view)).is_ok()
    };
    assert!(sees(&staff("b0107", PersonRole::Physician, &[])));
    assert!(sees(&staff("h1", PersonRole::DepartmentHead, &["nx01"])));
}

#[test]
fn a_document_is_read_again_without_an_opening_only_where_it_was_opened() {
    let mut trio = Trio::with_patient();
    let directive = trio.permit();
    let documents = trio.listed();
    let want = Want {
        actor: zhao(),
        subject: Some(trio.subject("clinic")),
        referral: None,
        documents: documents.clone(),
        purpose: Purpose::Treatment,
        treating: true,
    };
    assert_eq!(trio.act("clinic", &Input::Want(Box::new(want))), Ok(Outcome::Done));
    trio.live(5_000);
    let hospital = code("hospital");
    let [first, second] = [0, 1].map(|at| (&hospital, &documents[at].entry_id));
    assert_eq!(readable(&trio, "clinic", &zhao(), first), None, "held, and not opened yet");
    assert!(matches!(trio.open(&zhao(), 0), Outcome::Opened(_)));
    let again = readable(&trio, "clinic", &zhao(), first);
    assert_eq!(again.map(|opened| opened.document), Some(documents[0].document));
    assert_eq!(readable(&trio, "clinic", &wang(), first), None, "who does not see the patient");
    trio.revoke(directive);
    assert!(readable(&trio, "clinic", &zhao(), first).is_some(), "part of the clinic's own record");
    assert_eq!(readable(&trio, "clinic", &zhao(), second), None, "erased");
    trio.live(3_000);
    assert_eq!(trio.events("clinic", AccessAct::Opening).len(), 1);
    assert!(readable(&trio, "hospital", &wang(), first).is_some(), "an own document");
}

#[test]
fn after_many_drafts_that_are_gone_the_next_one_is_found() {
    let mut trio = Trio::with_patient();
    for _ in 0..300 {
        let id = trio.draft();
        assert_eq!(trio.act("hospital", &Input::DropDraft { actor: wang(), id }), Ok(Outcome::Done));
    }
    let id = trio.draft();
    let drafts = trio.nodes["hospital"].ask(|machine, view| machine.drafts("wang", 0, view));
    assert_eq!(drafts.iter().map(|(place, draft)| (*place, draft.id)).collect::<Vec<_>>(), [(301, id)]);
}

#[test]
fn a_patient_who_stays_is_listed_though_many_who_came_later_have_gone_on() {
    let mut trio = Trio::with_patient();
    let node = trio.node("hospital");
    node.receive(&visit("stays", "p", 1, "li", "emergency"));
    for number in 0..300 {
        let name = format!("t{number}");
        for department in ["emergency", "surgery"] {
            let control = format!("{name}-{department}");
            node.receive(&visit(&control, &name, 100 + number, "li", department));
        }
    }
    let nurse = staff("n", PersonRole::Nurse, &["emergency"]);
    let listed = trio.nodes["hospital"]
        .ask(|machine, view| machine.patients_of(&nurse, 0, None, view))
        .unwrap_or_default();
    let listed: Vec<_> = listed.into_iter().map(|(_, subject)| subject).collect();
    assert_eq!(listed, [trio.subject("hospital")]);
}
