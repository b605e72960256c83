//! Sealing a record: nobody opens it or gets anything of it but who is named, until a second person lifts the seal (D-12).

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "helpers of tests")]

use yiqiao_intake::facts::Trigger;
use yiqiao_intake::patient::{IdKind, Identifier};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::audit::{Act, Of};
use yiqiao_node_core::copy::Stage;
use yiqiao_node_core::glass::{Breaking, Reason as Emergency};
use yiqiao_node_core::holder::Range;
use yiqiao_node_core::inform::{self, News};
use yiqiao_node_core::machine::{Input, Outcome, Refused};
use yiqiao_node_core::open::Denial;
use yiqiao_node_core::seal::{Change, Lifting, Reason, Sealing};
use yiqiao_node_core::sight::Ground;
use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::{AccessAct, AccessOutcome, PersonRole, RefusalCode};
use yiqiao_proto::id::Subject;
use yiqiao_proto::phi::Phi;

use crate::copies::walk_in;
use crate::region::code;
use crate::rig::{Msg, Says, event, merge, patient, report};
use crate::trio::{Trio, staff, wang};

const SEALED: Outcome = Outcome::Denied(Denial::Consent("D-12"));

fn affairs(login: &str) -> Actor {
    staff(login, PersonRole::MedicalAffairs, &[])
}

fn sealing(actor: Actor, subject: Subject, reviewers: &[&str]) -> Input {
    let reviewers = reviewers.iter().map(|login| (*login).to_owned()).collect();
    let text = Phi::new("家属提出异议，要求封存".to_owned());
    Input::Seal(Box::new(Change::Seal(Sealing { actor, subject, reason: Reason::Dispute, text, reviewers })))
}

fn lifting(actor: Actor, subject: Subject) -> Input {
    Input::Seal(Box::new(Change::Lift(Lifting { actor, subject, text: Phi::new("鉴定结束".to_owned()) })))
}

/// A record that `m1` has sealed, and `expert` may open.
fn sealed() -> Trio {
    let mut trio = Trio::with_patient();
    seal(&mut trio);
    trio
}

fn seal(trio: &mut Trio) {
    let subject = trio.subject("hospital");
    trio.act("hospital", &sealing(affairs("m1"), subject, &["expert"])).unwrap();
}

fn opens(trio: &mut Trio, actor: &Actor, at: usize) -> Outcome {
    let entry = trio.listed()[at].entry_id;
    trio.act("hospital", &Input::Open { actor: actor.clone(), holder: code("hospital"), entry }).unwrap()
}

fn expert() -> Actor {
    staff("expert", PersonRole::Physician, &["surgery"])
}

#[test]
fn d12_a_sealed_record_opens_for_who_is_named_and_each_other_attempt_is_shown() {
    let mut trio = sealed();
    assert_eq!(opens(&mut trio, &wang(), 0), SEALED, "who attends the patient");
    assert_eq!(opens(&mut trio, &Actor::System(code("his")), 0), SEALED);
    let (actor, subject) = (staff("li", PersonRole::Physician, &["surgery"]), trio.subject("hospital"));
    let text = Phi::new("昏迷".to_owned());
    let reason = Emergency::Unconscious;
    trio.act(
        "hospital",
        &Input::BreakGlass(Box::new(Breaking { actor: actor.clone(), subject, reason, text })),
    )
    .unwrap();
    assert_eq!(opens(&mut trio, &actor, 0), SEALED, "an emergency");
    assert!(matches!(opens(&mut trio, &expert(), 0), Outcome::Opened(_)));
    assert_eq!(
        opens(&mut trio, &affairs("m1"), 0),
        Outcome::Denied(Denial::Sight(yiqiao_node_core::sight::NoSight::Role))
    );
    let lines =
        trio.nodes["hospital"].ask(|machine, view| machine.audit_lines(&Of::Subject(subject), None, view));
    let tried = lines.iter().filter(|(_, line)| line.act == Act::Open && line.clause == "D-12");
    assert_eq!(tried.filter(|(_, line)| line.outcome == AccessOutcome::Denied).count(), 3);
    let seen = trio.nodes["hospital"].ask(|machine, view| machine.may_see(&wang(), &subject, trio.now, view));
    assert_eq!(seen, Ok(Ground::Attending), "who the patient is stays to be seen");
    let readable = |actor: &Actor| {
        let (own, entry) = (code("hospital"), trio.listed()[0].entry_id);
        trio.nodes["hospital"].ask(|machine, view| machine.readable(actor, &own, &entry, trio.now, view))
    };
    assert!(readable(&wang()).is_none());
}

#[test]
fn d12_only_who_answers_for_records_seals_and_somebody_else_lifts() {
    let mut trio = Trio::with_patient();
    let subject = trio.subject("hospital");
    let act = |trio: &mut Trio, input: &Input| trio.act("hospital", input);
    assert_eq!(act(&mut trio, &sealing(wang(), subject, &[])), Err(Refused::NotAffairs));
    assert_eq!(
        act(&mut trio, &sealing(affairs("m1"), Subject::new([9; 32]).unwrap(), &[])),
        Err(Refused::UnknownPatient)
    );
    assert_eq!(act(&mut trio, &sealing(affairs("m1"), subject, &["x"; 9])), Err(Refused::TooManyReviewers));
    assert_eq!(act(&mut trio, &lifting(affairs("m1"), subject)), Err(Refused::SealedOrNot));
    seal(&mut trio);
    assert_eq!(act(&mut trio, &sealing(affairs("m2"), subject, &[])), Err(Refused::SealedOrNot));
    assert_eq!(act(&mut trio, &lifting(affairs("m1"), subject)), Err(Refused::SamePerson));
    assert_eq!(act(&mut trio, &lifting(wang(), subject)), Err(Refused::NotAffairs));
    let listed = |trio: &Trio| trio.nodes["hospital"].ask(|machine, view| machine.sealed(0, view));
    assert_eq!((listed(&trio)[0].1.by.login.as_str(), listed(&trio)[0].1.reason), ("m1", Reason::Dispute));
    assert_eq!(act(&mut trio, &lifting(affairs("m2"), subject)), Ok(Outcome::Done));
    assert!(listed(&trio).is_empty());
    assert!(matches!(opens(&mut trio, &wang(), 0), Outcome::Opened(_)));
    let told = trio.nodes["hospital"].ask(|_, view| inform::next(view)).unwrap();
    assert_eq!((told.news, told.subject), (News::Sealed, subject));
}

#[test]
fn d12_nothing_of_a_sealed_record_is_let_go_and_a_pull_that_runs_is_stopped() {
    let mut trio = Trio::with_patient();
    trio.permit();
    walk_in(&mut trio);
    assert_eq!(trio.stages(), [Stage::Held, Stage::Held]);
    let subject = trio.subject("hospital");
    let released = trio.nodes["hospital"].ask(|_, view| yiqiao_node_core::ask::releases(&subject, 0, view));
    let range = Input::Range(Range {
        member: code("clinic"),
        request: released[0].request,
        first_chunk: 0,
        chunks: 1,
    });
    assert!(matches!(trio.act("hospital", &range), Ok(Outcome::Serve { .. })));
    seal(&mut trio);
    let stopped = Refusal { code: RefusalCode::Stopped, clause: "P-6", retry_after: None };
    assert_eq!(trio.act("hospital", &range), Ok(Outcome::Refused(stopped)));
    trio.live(1_000);
    let events = trio.events("hospital", AccessAct::Release);
    let denied: Vec<_> = events.iter().filter(|event| event.outcome == AccessOutcome::Denied).collect();
    assert_eq!((denied.len(), denied[0].clause.as_str()), (1, "D-12"));
}

#[test]
fn d12_what_comes_in_is_sealed_too_and_a_seal_outlives_restarts() {
    let mut trio = sealed();
    trio.node("hospital").receive(&report("9", patient("p", Some(2)), "r9"));
    trio.live(3_000);
    assert_eq!(trio.listed().len(), 3, "its entry stands in the index");
    for at in 0..3 {
        assert_eq!(opens(&mut trio, &wang(), at), SEALED);
    }
    let before = trio.nodes["hospital"].index().clone();
    trio.node("hospital").rebuild();
    assert_eq!(*trio.nodes["hospital"].index(), before);
    assert_eq!(opens(&mut trio, &wang(), 0), SEALED);
    assert!(matches!(opens(&mut trio, &expert(), 2), Outcome::Opened(_)));
    let journal = trio.nodes["hospital"].journal.concat();
    let text = "异议".as_bytes();
    assert!(!journal.windows(text.len()).any(|window| window == text), "the reason is encrypted");
}

#[test]
fn d12_a_seal_stays_on_both_when_a_merge_is_undone_and_is_lifted_from_both() {
    let mut trio = Trio::with_patient();
    let hospital = trio.node("hospital");
    hospital.receive(&report("9", patient("u", Some(1)), "r9"));
    let [survivor, retired] = ["p", "u"].map(|number| hospital.patient(number).unwrap().subject);
    hospital.receive(&merge("10", patient("p", Some(1)), "u"));
    seal(&mut trio);
    trio.node("hospital").receive(&unlink("11"));
    let sealed = |trio: &Trio| {
        let since = |subject| {
            trio.nodes["hospital"].ask(move |machine, view| machine.sealed_since(&subject, view)).is_some()
        };
        [survivor, retired].map(since)
    };
    assert_eq!(sealed(&trio), [true, true], "both were in the record");
    trio.act("hospital", &lifting(affairs("m2"), retired)).unwrap();
    trio.node("hospital").rebuild();
    assert_eq!(sealed(&trio), [false, false]);

    // What was sealed before it was merged is sealed alone afterwards.
    seal(&mut trio);
    trio.node("hospital").receive(&merge("12", patient("p", Some(1)), "u"));
    assert_eq!(sealed(&trio), [true, true]);
    trio.node("hospital").receive(&unlink("13"));
    assert_eq!(sealed(&trio), [true, false]);
}

fn unlink(control: &str) -> Msg {
    let mut event = event(Trigger::Unlinked, patient("p", Some(1)), 0);
    event.merged_from = vec![Identifier::new(IdKind::Local, "u", "").unwrap()];
    Msg::new(control, Says::Events(vec![event]))
}
