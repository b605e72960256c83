//! What one input cannot do keeps the machine neither from all else nor awake for nothing.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use yiqiao_intake::patient::{IdKind, Identifier};
use yiqiao_node_core::copy::Stage;
use yiqiao_node_core::machine::{Effect, Input, Outcome};
use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::form::{ListedDocument, ReferralForm};
use yiqiao_proto::member::{KeyState, SealingKey};
use yiqiao_proto::referral::State;
use yiqiao_proto::time::Millis;

use crate::copies::{walk_in, want_of};
use crate::region::{CLINIC, Registry, code, key, list, signed, token_secret};
use crate::rig::{Msg, Node, Says, patient, report};
use crate::trio::{Trio, visit_event, wang};

/// Wakes a node as often as it wants at this time: the effects, and none if it wants that for ever.
fn rests(node: &mut Node) -> Option<Vec<Effect>> {
    let mut effects = Vec::new();
    for _ in 0..100 {
        if node.next_wakeup().is_none_or(|at| at > node.now) {
            return Some(effects);
        }
        effects.extend(node.all_due().unwrap());
    }
    None
}

/// The first call for the index among these.
fn call(effects: &[Effect]) -> Option<&Effect> {
    effects.iter().find(|effect| matches!(effect, Effect::Evaluate { .. } | Effect::Submit { .. }))
}

#[test]
fn what_is_under_way_when_a_list_comes_is_waited_for_at_rest() {
    let mut node = Node::new(&list(1_000));
    node.receive(&report("1", patient("p", Some(1)), "r"));
    assert!(call(&rests(&mut node).unwrap()).is_some());
    let mut next = list(1_000);
    next.version = 2;
    next.previous = Some(signed(&list(1_000)).payload_hash());
    node.handle(&Input::MemberList(signed(&next))).unwrap().unwrap();
    assert!(rests(&mut node).is_some(), "nothing is due before the answer");
}

#[test]
fn t5_who_waits_for_tokens_and_for_the_registry_waits_at_rest() {
    let (mut node, mut registry) = (Node::new(&list(1_000)), Registry::new(&list(1_000)));
    node.receive(&report("1", patient("p", Some(1)), "r"));
    node.publish(&mut registry);
    node.receive(&report("2", patient("q", Some(2)), "r"));
    node.receive(&report("3", patient("p", Some(1)), "s"));
    // Tokens may be asked for again in a second, words handed in in an hour.
    let refused =
        |code, seconds| Some(Refusal { code, clause: "H-2", retry_after: Some(Millis::from_secs(seconds)) });
    for effect in rests(&mut node).unwrap() {
        let failed = if let Effect::Evaluate { ticket, .. } = effect {
            Input::Failed { ticket, refusal: refused(RefusalCode::OverLimit, 1) }
        } else if let Effect::Submit { ticket, .. } = effect {
            Input::Failed { ticket, refusal: refused(RefusalCode::Busy, 3_600) }
        } else {
            continue;
        };
        node.handle(&failed).unwrap().unwrap();
    }
    node.now = node.now + Millis::from_secs(2);
    assert!(rests(&mut node).is_some(), "it waits for the later of the two");
    node.publish(&mut registry);
    assert_eq!(registry.entries().len(), 3);
}

#[test]
fn t5_a_copy_whose_tokens_may_not_be_asked_for_now_keeps_nothing_else_from_going_on() {
    let mut trio = Trio::of(&list(1));
    trio.fill();
    trio.permit();
    walk_in(&mut trio);
    assert_eq!(trio.stages(), [Stage::Held, Stage::Held]);
    let mut event = visit_event("c", 1, "zhao", "general");
    event.patient.identify(Identifier::new(IdKind::HealthCard, "A12345678", "NHC"));
    trio.node("clinic").try_receive(&Msg::new("9", Says::Events(vec![event]))).unwrap();
    // All that is due is looked at, and again a minute later.
    trio.node("clinic").resume();
    trio.live(130_000);
    let now = trio.now;
    let lease = trio.nodes["clinic"].ask(|machine, _| Ok(machine.lease_ends(now)));
    assert!(lease.is_some(), "the lease was renewed all the time");
}

#[test]
fn t5_tokens_that_are_being_asked_for_are_not_asked_for_twice() {
    let mut trio = Trio::with_patient();
    for number in 2..20 {
        let name = format!("r{number}");
        trio.node("hospital").receive(&report(&name, patient("p", Some(1)), &name));
    }
    trio.live(5_000);
    trio.permit();
    walk_in(&mut trio);
    trio.live(10_000);
    assert_eq!(trio.stages(), vec![Stage::Held; 20]);
    let before = trio.registry.evaluated;
    let mut next = list(1_000);
    next.version = 2;
    next.previous = Some(signed(&list(1_000)).payload_hash());
    next.token_keys.push(token_secret(2).public());
    for name in ["clinic", "hospital"] {
        trio.node(name).handle(&Input::MemberList(signed(&next))).unwrap().unwrap();
    }
    trio.registry.directory = trio.registry.directory.next(&signed(&next)).unwrap();
    trio.node("clinic").resume();
    trio.live(5_000);
    assert_eq!(trio.registry.evaluated - before, 2, "the patient has one identifier, at either node");
}

#[test]
fn who_has_no_room_at_a_member_waits_at_rest_until_a_call_to_it_lands() {
    let mut trio = Trio::with_patient();
    for number in 2..20 {
        let name = format!("r{number}");
        trio.node("hospital").receive(&report(&name, patient("p", Some(1)), &name));
    }
    trio.live(5_000);
    let want = want_of(trio.subject("clinic"), trio.listed());
    trio.act("clinic", &Input::Tokens(want.subject.unwrap())).unwrap();
    let node = trio.node("clinic");
    node.handle(&Input::Want(Box::new(want))).unwrap().unwrap();
    let calls = |node: &mut Node| {
        let is_call = |effect: &Effect| matches!(effect, Effect::AskRelease { .. });
        let calls: Vec<_> = rests(node).unwrap().into_iter().filter(is_call).collect();
        calls
    };
    let mut under_way = calls(node);
    assert_eq!(under_way.len(), 8);
    // Feed and lease are asked for, too.
    node.now = node.now + Millis::from_secs(20);
    assert_eq!(calls(node).len(), 0);
    assert!(
        node.next_wakeup().is_none_or(|at| at > node.now + Millis::from_secs(1)),
        "an answer is waited for"
    );
    let mut asked = under_way.len();
    while let Some(effect) = under_way.pop() {
        let Effect::AskRelease { ticket, .. } = effect else { panic!("{effect:?}") };
        node.handle(&Input::Failed { ticket, refusal: None }).unwrap().unwrap();
        let next = calls(node);
        assert!(next.len() <= 1, "one lands, one goes");
        asked += next.len();
        under_way.extend(next);
    }
    assert_eq!(asked, 20, "each was asked for once before any again");
}

#[test]
fn f6_after_the_clock_was_set_back_nothing_waits_for_a_time_of_the_old_one() {
    let mut trio = Trio::with_patient();
    let right = trio.now;
    // The clock of the hospital's computer is a day ahead, and nobody answers it.
    let node = trio.nodes.get_mut("hospital").unwrap();
    node.now = right + Millis::from_secs(24 * 3600);
    node.receive(&report("8", patient("p", Some(1)), "r8"));
    let subject = node.patient("p").unwrap().subject;
    let permit = crate::story::permit(node.now);
    let (now, said) = (node.now, crate::trio::statement_of(subject));
    node.handle(&Input::Permit(Box::new((said, permit)))).unwrap().unwrap();
    for _ in 0..4 {
        for effect in rests(node).unwrap() {
            if let Effect::Submit { ticket, .. }
            | Effect::ReadFeed { ticket, .. }
            | Effect::AskLease { ticket, .. } = effect
            {
                node.handle(&Input::Failed { ticket, refusal: None }).unwrap().unwrap();
            }
        }
        node.now = node.now + Millis::from_secs(5);
    }
    assert!(node.next_wakeup() >= Some(now));
    node.now = right;
    node.handle(&Input::ClockJumped).unwrap().unwrap();
    let words = rests(node).unwrap().into_iter().filter(|effect| matches!(effect, Effect::Submit { .. }));
    assert_eq!(words.count(), 3, "the document, the permit and its event");
}

#[test]
fn a_members_lists_never_touch_the_files_of_this_hospital() {
    let mut trio = Trio::with_patient();
    // The hospital claims a document of the clinic as one of its own, and then refuses it.
    let node = trio.node("clinic");
    let own = node.receive(&report("7", patient("c", Some(1)), "own")).entries[0];
    trio.live(5_000);
    let document = |trio: &Trio| trio.nodes["clinic"].ask(move |machine, view| machine.document(&own, view));
    let file = document(&trio).unwrap().document;
    let listed = trio.listed().into_iter().find(|listed| listed.entry_id == own).unwrap();
    let claimed = ListedDocument { holder: code("hospital"), ..listed };
    let want = want_of(trio.subject("clinic"), vec![claimed]);
    assert_eq!(trio.act("clinic", &Input::Want(Box::new(want))), Ok(Outcome::Done));
    trio.live(5_000);
    let copy = trio.nodes["clinic"].ask(|machine, view| machine.copy(&code("hospital"), &own, view)).unwrap();
    assert_eq!(copy.stage, Stage::Refused);
    let now = trio.now;
    let kept = trio.nodes["clinic"].ask(move |_, view| yiqiao_node_core::ask::is_in_use(&file, now, view));
    assert!(kept, "the file of the own document stays");
}

#[test]
fn a_step_that_cannot_be_sealed_to_the_other_side_keeps_nothing_else_from_going_on() {
    let mut trio = Trio::with_patient();
    let until = trio.now + Millis::from_secs(60);
    let id = trio.draft_of(ReferralForm { answer_until: Some(until), ..trio.form() });
    trio.act("hospital", &Input::Send { actor: wang(), id }).unwrap();
    trio.live(5_000);
    // The clinic has a sealing key now to which nothing can be sealed.
    let mut next = list(1_000);
    next.version = 2;
    next.previous = Some(signed(&list(1_000)).payload_hash());
    let clinic = next.members.iter_mut().find(|member| member.code == code("clinic")).unwrap();
    clinic.sealing_keys.iter_mut().for_each(|key| key.state = KeyState::Retired);
    let mut point = [0; 32];
    point[0] = 1;
    let weak = SealingKey::countersigned(&code("demo"), &code("clinic"), point, &key(CLINIC));
    clinic.sealing_keys.push(weak);
    trio.registry.take_list(trio.now, &next);
    for name in ["clinic", "hospital"] {
        trio.act(name, &Input::MemberList(signed(&next))).unwrap();
    }
    trio.live(120_000);
    let now = trio.now;
    assert!(trio.nodes["hospital"].ask(|machine, _| Ok(machine.lease_ends(now))).is_some());
    assert_eq!(trio.state("hospital", id), State::Received, "it cannot expire before there is another key");
}
