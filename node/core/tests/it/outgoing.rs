//! What the hospital's own systems are told, each from its own place in one list (O-1, O-2).

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;

use yiqiao_node_core::limits::OUTGOING_MAX;
use yiqiao_node_core::machine::{Input, Outcome, Refused};
use yiqiao_node_core::outgoing::{self, Again, Event, Handed, How, Kind, Next, Of, Position};
use yiqiao_node_core::state::kept::{Outgoing, OutgoingLine};
use yiqiao_node_core::state::{Slot, Table};
use yiqiao_proto::codes::{ReferralAct, WithdrawalReason};
use yiqiao_proto::id::Code;

use crate::copies::walk_in;
use crate::region::code;
use crate::rig::Node;
use crate::trio::{Trio, wang, zhao};

fn kinds(kinds: &[Kind]) -> BTreeSet<Kind> {
    kinds.iter().copied().collect()
}

fn next(node: &Node, name: &Code, of: &[Kind]) -> Next {
    node.ask(|_, view| outgoing::next(name, &kinds(of), view))
}

fn position(node: &Node, name: &Code) -> Option<Position> {
    node.ask(|_, view| outgoing::position(name, view))
}

fn hand(trio: &mut Trio, name: &Code, number: u64, how: How) {
    let handed = Handed { destination: name.clone(), number, how };
    assert_eq!(trio.act("clinic", &Input::Handed(Box::new(handed))), Ok(Outcome::Done));
}

/// The next event for a destination of the clinic, taken at once.
fn take(trio: &mut Trio, name: &Code, of: &[Kind]) -> Option<Event> {
    loop {
        match next(&trio.nodes["clinic"], name, of) {
            Next::Event(event) => {
                hand(trio, name, event.number, How::Taken);
                return Some(*event);
            }
            Next::Passed(number) => hand(trio, name, number, How::Passed),
            Next::Nothing => return None,
        }
    }
}

/// Everything that is to be told, taken.
fn all(trio: &mut Trio, name: &Code) -> Vec<Event> {
    std::iter::from_fn(|| take(trio, name, Kind::ALL)).collect()
}

/// A region in which the HIS of the clinic is told.
fn told() -> (Trio, Code) {
    let mut trio = Trio::with_patient();
    let his = code("his");
    trio.act("clinic", &Input::Destination(his.clone())).unwrap();
    (trio, his)
}

fn count(events: &[Event], kind: Kind) -> usize {
    events.iter().filter(|event| event.kind == kind).count()
}

#[test]
fn o1_a_hospitals_systems_are_told_what_concerns_it_in_order_and_each_event_once() {
    let (mut trio, his) = told();
    trio.permit();
    let id = trio.refer();
    trio.live(5_000);
    let events = all(&mut trio, &his);
    let [arrived] = events.as_slice() else { panic!("nobody is filed: {events:?}") };
    let of = Of::Referral { referring: code("hospital"), id, act: ReferralAct::Send };
    assert_eq!((arrived.kind, arrived.subject, &arrived.of), (Kind::ReferralArrived, None, &of));
    trio.step("clinic", &zhao(), id, ReferralAct::Accept).unwrap();
    trio.file(id, false).unwrap();
    let events = all(&mut trio, &his);
    assert_eq!(
        (events.len(), count(&events, Kind::DocumentArrived)),
        (2, 2),
        "own steps are known: {events:?}"
    );
    assert!(events.iter().all(|event| event.subject == Some(trio.subject("clinic"))));
    trio.open(&zhao(), 0);
    trio.open(&zhao(), 0);
    for listed in trio.listed() {
        let reason = WithdrawalReason::WrongPatient;
        trio.act("hospital", &Input::Withdraw { entry: listed.entry_id, reason }).unwrap();
    }
    trio.live(5_000);
    let events = all(&mut trio, &his);
    assert_eq!((count(&events, Kind::DocumentOpened), count(&events, Kind::DocumentWithdrawn)), (1, 2));
    assert!(events.windows(2).all(|pair| pair[0].number + 1 == pair[1].number));
    trio.step("hospital", &wang(), id, ReferralAct::Cancel).ok();
    assert_eq!(all(&mut trio, &his), [], "what is told is not told again");
}

#[test]
fn o1_the_other_sides_steps_are_told_to_the_referring_hospital() {
    let mut trio = Trio::with_patient();
    let his = code("his");
    trio.act("hospital", &Input::Destination(his.clone())).unwrap();
    let id = trio.refer();
    trio.live(5_000);
    trio.step("clinic", &zhao(), id, ReferralAct::Decline).unwrap();
    trio.live(5_000);
    let mut acts = Vec::new();
    while let Next::Event(event) = next(&trio.nodes["hospital"], &his, &[Kind::ReferralStep]) {
        let Of::Referral { act, .. } = event.of else { panic!("{event:?}") };
        assert_eq!(event.subject, Some(trio.subject("hospital")));
        acts.push(act);
        let handed = Handed { destination: his.clone(), number: event.number, how: How::Taken };
        trio.act("hospital", &Input::Handed(Box::new(handed))).unwrap();
    }
    assert_eq!(acts, [ReferralAct::Receive, ReferralAct::Decline]);
}

#[test]
fn o1_a_consent_that_changes_is_told_once_and_a_feed_that_says_the_same_tells_nothing() {
    let (mut trio, his) = told();
    let directive = trio.permit();
    walk_in(&mut trio);
    trio.live(3_000);
    all(&mut trio, &his);
    trio.publish_more();
    assert_eq!(count(&all(&mut trio, &his), Kind::ConsentChanged), 0);
    trio.revoke(directive);
    let events = all(&mut trio, &his);
    assert_eq!(count(&events, Kind::ConsentChanged), 1);
    assert!(events.iter().any(|event| event.subject == Some(trio.subject("clinic"))));
    let directive = trio.permit();
    trio.live(3_000);
    assert_eq!(count(&all(&mut trio, &his), Kind::ConsentChanged), 1);
    trio.revoke(directive);
}

#[test]
fn o2_each_destination_has_a_place_of_its_own_and_none_waits_for_another() {
    let (mut trio, his) = told();
    let emr = code("emr");
    assert_eq!(next(&trio.nodes["clinic"], &emr, Kind::ALL), Next::Nothing, "nobody knows it");
    assert_eq!(position(&trio.nodes["clinic"], &emr), None);
    trio.permit();
    walk_in(&mut trio);
    trio.act("clinic", &Input::Destination(emr.clone())).unwrap();
    assert_eq!(next(&trio.nodes["clinic"], &emr, Kind::ALL), Next::Nothing, "what was before is not for it");
    let stuck = next(&trio.nodes["clinic"], &his, &[Kind::DocumentArrived]);
    trio.open(&zhao(), 0);
    let opened = take(&mut trio, &emr, &[Kind::DocumentOpened]).unwrap();
    assert_eq!(position(&trio.nodes["clinic"], &emr).unwrap().taken, 1);
    assert_eq!(next(&trio.nodes["clinic"], &his, &[Kind::DocumentArrived]), stuck);
    // A repeat, and what is not there, change nothing.
    let before = position(&trio.nodes["clinic"], &emr);
    hand(&mut trio, &emr, opened.number, How::SetAside("AR".to_owned()));
    hand(&mut trio, &emr, opened.number + 100, How::Taken);
    hand(&mut trio, &code("nobody"), 1, How::Taken);
    assert_eq!(position(&trio.nodes["clinic"], &emr), before);
    assert_eq!(position(&trio.nodes["clinic"], &code("nobody")), None);
    // One that is known goes on where it was.
    trio.act("clinic", &Input::Destination(his.clone())).unwrap();
    assert_eq!(next(&trio.nodes["clinic"], &his, &[Kind::DocumentArrived]), stuck);
}

#[test]
fn o2_what_is_set_aside_is_counted_with_its_reason_and_the_rest_goes_on_after_a_restart() {
    let (mut trio, his) = told();
    trio.permit();
    walk_in(&mut trio);
    let Next::Event(first) = next(&trio.nodes["clinic"], &his, &[Kind::DocumentArrived]) else {
        panic!("two documents came")
    };
    hand(&mut trio, &his, first.number, How::SetAside("the answer is AR, code 101".to_owned()));
    let standing = position(&trio.nodes["clinic"], &his).unwrap();
    assert_eq!((standing.set_aside, standing.taken, standing.done), (1, 0, first.number));
    let (_, number, why) = standing.wrong.clone().unwrap();
    assert_eq!((number, why.as_str()), (first.number, "the answer is AR, code 101"));
    trio.node("clinic").rebuild();
    assert_eq!(position(&trio.nodes["clinic"], &his).unwrap(), standing);
    assert!(take(&mut trio, &his, &[Kind::DocumentArrived]).unwrap().number > first.number);
}

fn tell_again(trio: &mut Trio, name: &Code, number: Option<u64>) -> Result<Outcome, Refused> {
    trio.act("clinic", &Input::TellAgain(Again { destination: name.clone(), number }))
}

/// Two documents of which the HIS is told, and which it refuses.
fn refused(trio: &mut Trio, his: &Code) -> [Event; 2] {
    [(); 2].map(|()| {
        let next = next(&trio.nodes["clinic"], his, &[Kind::DocumentArrived]);
        let event = if let Next::Event(event) = next { Some(*event) } else { None };
        let event = event.unwrap();
        hand(trio, his, event.number, How::SetAside("no queue takes it".to_owned()));
        event
    })
}

#[test]
fn o2_what_was_set_aside_is_told_once_more_before_the_rest_when_somebody_says_so() {
    let (mut trio, his) = told();
    trio.permit();
    walk_in(&mut trio);
    let [first, second] = refused(&mut trio, &his);
    let standing = position(&trio.nodes["clinic"], &his).unwrap();
    let aside: Vec<_> = standing.aside.iter().map(|aside| (aside.number, aside.why.as_str())).collect();
    assert_eq!(aside, [(first.number, "no queue takes it"), (second.number, "no queue takes it")]);
    trio.open(&zhao(), 0);
    let of = [Kind::DocumentArrived, Kind::DocumentOpened];

    // The second, as it was, before what came since; what it is refused again for stands there again.
    assert_eq!(tell_again(&mut trio, &his, Some(second.number)), Ok(Outcome::Done));
    trio.node("clinic").rebuild();
    let waiting = position(&trio.nodes["clinic"], &his).unwrap();
    assert_eq!((waiting.set_aside, waiting.waiting), (1, standing.waiting + 2), "it, and what was opened");
    assert_eq!(next(&trio.nodes["clinic"], &his, &of), Next::Event(Box::new(second.clone())));
    hand(&mut trio, &his, second.number, How::SetAside("still none".to_owned()));
    let standing = position(&trio.nodes["clinic"], &his).unwrap();
    assert_eq!((standing.set_aside, standing.done), (2, second.number), "what is over stays over");
    assert_eq!(standing.aside[1].why, "still none");

    // All at once, in their order.
    assert_eq!(tell_again(&mut trio, &his, None), Ok(Outcome::Done));
    let told: Vec<u64> =
        std::iter::from_fn(|| take(&mut trio, &his, &of)).map(|event| event.number).collect();
    assert_eq!((told.len(), &told[..2]), (3, &[first.number, second.number][..]), "and then what came since");
    let standing = position(&trio.nodes["clinic"], &his).unwrap();
    assert_eq!((standing.set_aside, standing.taken, standing.waiting), (0, 3, 0));
    for nothing in [first.number, 1_000] {
        assert_eq!(tell_again(&mut trio, &his, Some(nothing)), Err(Refused::NotOpen(nothing)));
    }
    assert_eq!(tell_again(&mut trio, &his, None), Ok(Outcome::Done));
    assert_eq!(tell_again(&mut trio, &code("nobody"), Some(1)), Err(Refused::NotOpen(1)));
}

#[test]
fn o2_what_is_no_longer_kept_is_not_told_once_more() {
    let (mut trio, his) = told();
    trio.permit();
    walk_in(&mut trio);
    let [first, second] = refused(&mut trio, &his);
    assert_eq!(tell_again(&mut trio, &his, Some(second.number)), Ok(Outcome::Done));
    let before = position(&trio.nodes["clinic"], &his).unwrap();
    // As if so many had come since.
    let line = OutgoingLine { head: second.number, tail: second.number };
    trio.node("clinic").put(&Slot::new(Table::OutgoingLine as u8, &[]), &line);
    assert_eq!(tell_again(&mut trio, &his, Some(first.number)), Err(Refused::NotOpen(first.number)));
    assert_eq!(position(&trio.nodes["clinic"], &his).unwrap().aside, []);
    assert_eq!(next(&trio.nodes["clinic"], &his, Kind::ALL), Next::Passed(second.number));
    hand(&mut trio, &his, second.number, How::Passed);
    let after = position(&trio.nodes["clinic"], &his).unwrap();
    assert_eq!((after.missed, after.done, after.waiting), (before.missed + 1, before.done, 0));
    assert_eq!(next(&trio.nodes["clinic"], &his, Kind::ALL), Next::Nothing);
}

#[test]
fn o2_beyond_the_bound_the_oldest_events_go_and_are_counted_as_missed() {
    let (mut trio, his) = told();
    trio.permit();
    walk_in(&mut trio);
    let Next::Event(event) = next(&trio.nodes["clinic"], &his, &[Kind::DocumentArrived]) else {
        panic!("two documents came")
    };
    let began = position(&trio.nodes["clinic"], &his).unwrap().done;
    // As if so many had come since.
    let line = OutgoingLine { head: event.number, tail: event.number + OUTGOING_MAX };
    trio.node("clinic").put(&Slot::new(Table::OutgoingLine as u8, &[]), &line);
    let standing = position(&trio.nodes["clinic"], &his).unwrap();
    assert_eq!((standing.waiting, standing.missed), (OUTGOING_MAX, event.number - standing.done));
    trio.open(&zhao(), 0);
    let standing = position(&trio.nodes["clinic"], &his).unwrap();
    assert_eq!((standing.waiting, standing.missed), (OUTGOING_MAX, event.number + 1 - standing.done));
    let gone = Slot::<Outgoing>::new(Table::Outgoing as u8, &[&(event.number + 1).to_be_bytes()]);
    assert!(!trio.node("clinic").index().contains_key(gone.key()));
    hand(&mut trio, &his, line.tail + 1, How::Passed);
    let standing = position(&trio.nodes["clinic"], &his).unwrap();
    assert_eq!((standing.waiting, standing.missed), (0, event.number + 1 - began));
}
