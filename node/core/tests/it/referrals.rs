//! Referrals between two nodes: their course, what crosses on the way, what is lost, and what the other side may not do.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::boxes::Folder;
use yiqiao_node_core::copy::Stage;
use yiqiao_node_core::desk::NewPermit;
use yiqiao_node_core::handover::Handover;
use yiqiao_node_core::machine::{Input, Outcome, Refused};
use yiqiao_proto::codes::{AccessAct, PersonRole, Purpose, ReferralAct as Act, RefusalCode, Sensitivity};
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::envelope::{Envelope, Said, Verified};
use yiqiao_proto::form::{Body, ReferralReply};
use yiqiao_proto::id::{EntryId, ReferralId};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::referral::{ReferralStep, Side, State, StepFacts};
use yiqiao_proto::time::Millis;

use crate::region::{HOSPITAL, code, key, sealing_secret};
use crate::rig::{merge, patient};
use crate::story::permit;
use crate::trio::{DAY, Trio, office, refusal, staff, visit, wang, zhao};

#[test]
fn a_referral_runs_its_course_and_brings_its_documents() {
    let mut trio = Trio::with_patient();
    trio.permit();
    let id = trio.refer();
    trio.live(5_000);
    assert_eq!((trio.state("hospital", id), trio.state("clinic", id)), (State::Received, State::Received));
    assert_eq!(trio.stages(), [Stage::Held, Stage::Held], "fetched before anybody asks");
    for act in [Act::Accept, Act::Book] {
        trio.step("clinic", &zhao(), id, act).unwrap();
    }
    assert_eq!(trio.file(id, false), Ok(Outcome::Done));
    for act in [Act::Arrive, Act::Admit, Act::Answer] {
        trio.step("clinic", &zhao(), id, act).unwrap();
        trio.live(2_000);
    }
    trio.step("hospital", &wang(), id, Act::Close).unwrap();
    trio.live(2_000);
    let (sent, steps) = trio.shown("hospital", id).unwrap();
    assert_eq!((sent.side, sent.state, sent.untold, sent.stuck), (Side::Referring, State::Closed, 0, None));
    let (come, same) = trio.shown("clinic", id).unwrap();
    assert_eq!((come.side, come.state, come.seen), (Side::Receiving, State::Closed, true));
    let acts =
        |steps: &[yiqiao_node_core::boxes::Step]| steps.iter().map(|step| step.act).collect::<Vec<_>>();
    assert_eq!(acts(&steps), acts(&same));
    assert_eq!(steps.len(), 8);
    let answer = steps.iter().find(|step| step.act == Act::Answer).and_then(|step| step.reply.clone());
    assert_eq!(answer.unwrap().expose().answer, "好转");
    assert_eq!(come.form.clinical.expose().reason, "康复随访");
    // Each side says its own steps.
    trio.live(3_000);
    assert_eq!(trio.events("hospital", AccessAct::ReferralStep).len(), 2);
    assert_eq!(trio.events("clinic", AccessAct::ReferralStep).len(), 6);
}

#[test]
fn r4_a_cancellation_that_crosses_an_acceptance_wins_on_both_sides() {
    let mut trio = Trio::with_patient();
    let id = trio.refer();
    trio.live(3_000);
    trio.gone.extend(["hospital", "clinic"]);
    trio.step("clinic", &zhao(), id, Act::Accept).unwrap();
    trio.step("hospital", &wang(), id, Act::Cancel).unwrap();
    assert_eq!((trio.state("clinic", id), trio.state("hospital", id)), (State::Accepted, State::Cancelled));
    assert!(trio.shown("hospital", id).unwrap().0.untold > 0);
    trio.gone.clear();
    trio.live(600_000);
    assert_eq!((trio.state("clinic", id), trio.state("hospital", id)), (State::Cancelled, State::Cancelled));
    let late = trio.step("clinic", &zhao(), id, Act::Book);
    assert_eq!(late, Err(Refused::NotThere));
}

#[test]
fn r4_an_arrival_that_crosses_a_cancellation_stands() {
    let mut trio = Trio::with_patient();
    let id = trio.refer();
    trio.live(3_000);
    trio.step("clinic", &zhao(), id, Act::Accept).unwrap();
    trio.live(3_000);
    trio.gone.extend(["hospital", "clinic"]);
    trio.step("clinic", &zhao(), id, Act::Arrive).unwrap();
    trio.step("hospital", &wang(), id, Act::Cancel).unwrap();
    trio.gone.clear();
    trio.live(600_000);
    assert_eq!((trio.state("clinic", id), trio.state("hospital", id)), (State::Arrived, State::Arrived));
}

#[test]
fn r5_lost_answers_are_repeated_and_count_once() {
    let mut trio = Trio::with_patient();
    trio.permit();
    let id = trio.refer();
    trio.lost = 12;
    trio.live(120_000);
    for act in [Act::Accept, Act::Book] {
        trio.lost = 3;
        trio.step("clinic", &zhao(), id, act).unwrap();
        trio.live(120_000);
    }
    let (_, steps) = trio.shown("clinic", id).unwrap();
    assert_eq!(steps.len(), 4);
    assert_eq!(trio.state("hospital", id), State::Booked);
    assert_eq!(trio.stages(), [Stage::Held, Stage::Held]);
}

/// A step of the hospital that its node has not taken: told to the clinic as it is.
fn forged(trio: &Trio, edit: impl Fn(&mut StepFacts)) -> Input {
    let directory = &trio.registry.directory;
    let to = directory.sealing_key(&code("clinic")).unwrap();
    let mut facts = StepFacts {
        referral: ReferralId::new([7; 32]).unwrap(),
        number: 1,
        previous: None,
        seen: 0,
        from: code("hospital"),
        to: code("clinic"),
        act: Act::Send,
        at: trio.now,
        sealing_key: to.id(),
    };
    edit(&mut facts);
    let mut form = trio.form();
    form.tokens = trio.nodes["hospital"].patient("p").unwrap().tokens;
    let body = if facts.act == Act::Send {
        Body::Form(Box::new(form))
    } else {
        Body::Reply(Phi::new(ReferralReply::default()))
    };
    let clinic = sealing_secret(crate::region::CLINIC).public();
    let step = ReferralStep::seal(facts, &body.encode(), &clinic, &mut Entropy::new([3; 32])).unwrap();
    let step = Envelope::sign(&code("demo"), &step, &key(HOSPITAL));
    Input::Step(Box::new(Verified::check(step, directory, Said::Now).unwrap()))
}

#[test]
fn r5_the_same_number_with_other_bytes_is_a_conflict_and_a_gap_is_not_taken() {
    let mut trio = Trio::with_patient();
    let mut tell = |edit: fn(&mut StepFacts)| {
        let step = forged(&trio, edit);
        trio.act("clinic", &step).unwrap()
    };
    let early = tell(|facts| {
        (facts.number, facts.act) = (2, Act::Cancel);
        facts.previous = yiqiao_proto::id::Digest::new([1; 32]);
    });
    assert_eq!(early, Outcome::Refused(refusal(RefusalCode::OutOfOrder, "R-4")));
    assert_eq!(tell(|_| {}), Outcome::Done);
    let other = tell(|facts| facts.at = facts.at + Millis::new(1));
    assert_eq!(other, Outcome::Refused(refusal(RefusalCode::Conflict, "R-5")));
    let unchained = tell(|facts| {
        (facts.number, facts.act) = (2, Act::Cancel);
        facts.previous = yiqiao_proto::id::Digest::new([1; 32]);
    });
    assert_eq!(unchained, Outcome::Refused(refusal(RefusalCode::Conflict, "R-5")));
    let gap = tell(|facts| {
        (facts.number, facts.act) = (3, Act::Cancel);
        facts.previous = yiqiao_proto::id::Digest::new([1; 32]);
    });
    assert_eq!(gap, Outcome::Refused(refusal(RefusalCode::OutOfOrder, "R-4")));
    let ahead = tell(|facts| {
        (facts.number, facts.act, facts.seen) = (2, Act::Cancel, 9);
        facts.previous = yiqiao_proto::id::Digest::new([1; 32]);
    });
    assert_eq!(ahead, Outcome::Refused(refusal(RefusalCode::Conflict, "R-4")));
}

#[test]
fn r6_a_body_that_is_no_form_or_sealed_to_another_key_is_refused() {
    let mut trio = Trio::with_patient();
    let other_key = forged(&trio, |facts| {
        facts.sealing_key = yiqiao_proto::id::KeyId::new([9; 16]).unwrap();
    });
    let refused = trio.act("clinic", &other_key).unwrap();
    assert_eq!(refused, Outcome::Refused(refusal(RefusalCode::BadSignature, "M-4")));
    assert!(trio.stages().is_empty());
}

#[test]
fn an_unanswered_referral_expires_by_itself() {
    let mut trio = Trio::with_patient();
    let id = trio.refer();
    trio.live(3_000);
    // Three days without anybody: the nodes are not asked for every half second of it.
    for name in ["hospital", "clinic"] {
        let now = trio.now + Millis::new(3 * DAY);
        trio.node(name).now = now;
    }
    trio.now = trio.now + Millis::new(3 * DAY);
    trio.live(3_000);
    assert_eq!((trio.state("hospital", id), trio.state("clinic", id)), (State::Expired, State::Expired));
    assert_eq!(trio.step("clinic", &zhao(), id, Act::Accept), Err(Refused::NotThere));
}

#[test]
fn who_has_nothing_to_do_with_a_referral_takes_no_step() {
    let mut trio = Trio::with_patient();
    let id = trio.refer();
    trio.live(3_000);
    let stranger = staff("li", PersonRole::Physician, &["surgery"]);
    let nurse = staff("qian", PersonRole::Nurse, &["general"]);
    let desk = staff("d1", PersonRole::Desk, &[]);
    for actor in [&stranger, &nurse, &desk] {
        assert_eq!(trio.step("clinic", actor, id, Act::Accept), Err(Refused::NotYours));
        let look = |actor: Actor| {
            trio.nodes["clinic"]
                .ask(move |machine, view| machine.referral(&actor, &code("hospital"), &id, view))
        };
        assert!(look(actor.clone()).is_none());
    }
    // Only the side that a step belongs to, and only where the referral stands.
    assert_eq!(trio.step("clinic", &office(), id, Act::Close), Err(Refused::NotThere));
    assert_eq!(trio.step("clinic", &office(), id, Act::Receive), Err(Refused::NotThere));
    assert_eq!(trio.step("hospital", &wang(), id, Act::Accept), Err(Refused::NotThere));
    trio.step("clinic", &zhao(), id, Act::Accept).unwrap();
    assert_eq!(trio.step("clinic", &desk, id, Act::Arrive), Ok(Outcome::Done));
}

/// Which documents the clinic would get of a referral, as the hospital sees it.
fn foreseen(trio: &Trio, referral: Option<ReferralId>, ahead_ms: u64) -> Option<BTreeSet<EntryId>> {
    let form = trio.form();
    let handover = Handover {
        subject: trio.subject("hospital"),
        to: code("clinic"),
        department: form.route.to_department,
        referral,
        entries: form.documents.iter().map(|listed| listed.entry_id).collect(),
    };
    let now = trio.now + Millis::new(ahead_ms);
    trio.nodes["hospital"].ask(|machine, view| machine.would_hand_over(&handover, now, view))
}

#[test]
fn p4_what_is_foreseen_of_a_referral_is_what_its_documents_are_let_go_by() {
    type Change = fn(&mut NewPermit, EntryId);
    let cases: [(Change, usize); 7] = [
        (|_, _| (), 2),
        (|permit, _| permit.purposes = BTreeSet::from([Purpose::Payment]), 0),
        (|permit, first| permit.what.entries = BTreeSet::from([first]), 1),
        (|permit, _| permit.what.sensitivities = BTreeSet::from([Sensitivity::VeryRestricted]), 0),
        (|permit, _| permit.grantee.department = Some(code("general")), 2),
        (|permit, _| permit.grantee.department = Some(code("surgery")), 0),
        (|permit, _| permit.custodian = Some(code("clinic")), 0),
    ];
    for (number, (change, count)) in cases.into_iter().enumerate() {
        let mut trio = Trio::with_patient();
        let mut given = permit(trio.now);
        change(&mut given, trio.listed()[0].entry_id);
        assert_eq!(foreseen(&trio, None, 0), Some(BTreeSet::new()), "nothing before the patient consents");
        trio.permit_as(given);
        let before = foreseen(&trio, None, 0).unwrap();
        assert_eq!(before.len(), count, "case {number}");
        let id = trio.refer();
        trio.live(5_000);
        let held = trio.copies().into_iter().filter(|copy| copy.stage == Stage::Held);
        assert_eq!(held.map(|copy| copy.listed.entry_id).collect::<BTreeSet<_>>(), before, "case {number}");
        assert_eq!(foreseen(&trio, Some(id), 0), Some(before));
    }
}

#[test]
fn f7_without_a_lease_nothing_is_foreseen() {
    let mut trio = Trio::with_patient();
    trio.permit();
    assert!(foreseen(&trio, None, 0).is_some());
    assert_eq!(foreseen(&trio, None, DAY), None);
}

#[test]
fn drafts_are_their_writers_and_go_when_they_are_sent() {
    let mut trio = Trio::with_patient();
    let stranger = staff("li", PersonRole::Physician, &["surgery"]);
    let subject = trio.subject("hospital");
    let (to, form) = (code("clinic"), Box::new(trio.form()));
    let foreign = Input::Draft { actor: stranger.clone(), id: None, subject, to, form };
    assert_eq!(trio.act("hospital", &foreign), Err(Refused::NotSeen));
    let id = trio.draft();
    let drafts = |trio: &Trio| trio.nodes["hospital"].ask(|machine, view| machine.drafts("wang", 0, view));
    assert_eq!(drafts(&trio).len(), 1);
    assert_eq!(trio.act("hospital", &Input::Send { actor: stranger.clone(), id }), Err(Refused::NotYours));
    let second = trio.draft();
    assert_eq!(drafts(&trio).len(), 2);
    trio.act("hospital", &Input::DropDraft { actor: wang(), id: second }).unwrap();
    trio.act("hospital", &Input::Send { actor: wang(), id }).unwrap();
    assert!(drafts(&trio).is_empty());
    let again = |actor| Input::Send { actor, id };
    assert_eq!(trio.act("hospital", &again(wang())), Err(Refused::SentBefore));
    let (to, form) = (code("clinic"), Box::new(trio.form()));
    let late = Input::Draft { actor: wang(), id: Some(id), subject, to, form };
    assert_eq!(trio.act("hospital", &late), Err(Refused::SentBefore));
    assert_eq!(
        trio.act("hospital", &again(stranger)),
        Err(Refused::UnknownReferral),
        "no stranger learns of it"
    );
    assert_eq!(
        trio.act("hospital", &Input::DropDraft { actor: wang(), id: second }),
        Err(Refused::UnknownReferral)
    );
    trio.live(3_000);
    let (sent, next) =
        trio.nodes["hospital"].ask(|machine, view| machine.referrals(&office(), Folder::Sent, None, view));
    assert_eq!((sent.len(), next), (1, None));
    let (come, _) =
        trio.nodes["clinic"].ask(|machine, view| machine.referrals(&zhao(), Folder::Inbox, None, view));
    assert_eq!(come.iter().map(|(_, row)| row.id).collect::<Vec<_>>(), [id]);
}

#[test]
fn filing_somebody_else_wants_to_be_confirmed_and_is_done_once() {
    let mut trio = Trio::with_patient();
    let id = trio.refer();
    trio.live(3_000);
    let other = visit("9", "x", 9, "zhao", "general");
    trio.node("clinic").receive(&other);
    let subject = trio.nodes["clinic"].patient("x").unwrap().subject;
    let file =
        |confirmed| Input::File { actor: office(), referring: code("hospital"), id, subject, confirmed };
    assert_eq!(trio.act("clinic", &file(false)), Ok(Outcome::Doubtful));
    assert_eq!(trio.act("clinic", &file(true)), Ok(Outcome::Done));
    assert_eq!(trio.act("clinic", &file(true)), Ok(Outcome::Done));
    assert_eq!(trio.file(id, true), Err(Refused::FiledBefore));
}

/// What must be the same however often the power went.
#[derive(Debug, PartialEq)]
struct Facts {
    states: [State; 2],
    steps: Vec<Act>,
    stages: Vec<Stage>,
    events: BTreeMap<&'static str, usize>,
}

fn story(trio: &mut Trio) -> Facts {
    trio.fill();
    let directive = trio.permit();
    let id = trio.refer();
    trio.live(20_000);
    trio.step("clinic", &zhao(), id, Act::Accept).ok();
    trio.file(id, false).unwrap();
    trio.live(20_000);
    // After a restart nothing opens before there is a lease again (F-7): people try once more.
    while !matches!(trio.open(&zhao(), 0), Outcome::Opened(_)) {
        trio.live(2_000);
    }
    trio.revoke(directive);
    trio.live(400_000);
    let (_, steps) = trio.shown("clinic", id).unwrap();
    let kinds = [
        ("steps", AccessAct::ReferralStep),
        ("deliveries", AccessAct::Delivery),
        ("erasures", AccessAct::Erasure),
        ("retentions", AccessAct::Retention),
    ];
    Facts {
        states: [trio.state("hospital", id), trio.state("clinic", id)],
        steps: steps.iter().map(|step| step.act).collect(),
        stages: trio.stages(),
        events: kinds.into_iter().map(|(name, act)| (name, trio.events("clinic", act).len())).collect(),
    }
}

/// The story with the power of one node going after each of its records: always the same in the end.
fn cut_at_every_record(name: &'static str) {
    let mut trio = Trio::new();
    let expected = story(&mut trio);
    assert_eq!(expected.stages, [Stage::Retained, Stage::Erased]);
    for cut in 0..trio.nodes[name].journal.len() {
        let mut trio = Trio::new();
        trio.node(name).power_cut = Some(cut);
        assert_eq!(story(&mut trio), expected, "cut after {cut}");
        assert_eq!(trio.cuts, 1, "cut after {cut}");
    }
}

#[test]
fn r5_the_power_may_go_at_the_receiving_side_after_any_record() {
    cut_at_every_record("clinic");
}

#[test]
fn r5_the_power_may_go_at_the_referring_side_after_any_record() {
    cut_at_every_record("hospital");
}

#[test]
fn the_index_of_both_sides_is_what_the_journal_makes_of_it() {
    let mut trio = Trio::new();
    story(&mut trio);
    for node in trio.nodes.values_mut() {
        let index = node.index().clone();
        node.rebuild();
        assert_eq!(*node.index(), index);
    }
}

#[test]
fn the_referral_in_whose_course_a_patient_is_here_is_found_when_its_number_was_merged() {
    let mut trio = Trio::with_patient();
    let id = trio.refer();
    trio.live(3_000);
    trio.file(id, false).unwrap();
    let clinic = trio.node("clinic");
    clinic.receive(&visit("2", "d", 1, "zhao", "general"));
    clinic.receive(&merge("3", patient("d", Some(1)), "c"));
    let survivor = clinic.patient("c").unwrap().subject;
    assert_eq!(survivor, clinic.patient("d").unwrap().subject);
    let found = |trio: &Trio, actor: &Actor| {
        let course = trio.nodes["clinic"].ask(|machine, view| machine.course_of(actor, &survivor, view));
        course.map(|referral| (referral.referring, referral.id))
    };
    assert_eq!(found(&trio, &zhao()), Some((code("hospital"), id)));
    assert_eq!(found(&trio, &staff("li", PersonRole::Physician, &["surgery"])), None, "who does not see it");
    trio.step("clinic", &zhao(), id, Act::Decline).unwrap();
    assert_eq!(found(&trio, &zhao()), None, "it is over");
}

#[test]
fn a_step_that_was_decided_on_an_older_state_is_not_taken() {
    let mut trio = Trio::with_patient();
    trio.permit();
    let id = trio.refer();
    trio.live(3_000);
    let seen = |trio: &Trio| u32::try_from(trio.shown("clinic", id).unwrap().1.len()).unwrap();
    let accept = |seen| Input::Act {
        actor: office(),
        referring: code("hospital"),
        id,
        act: Act::Accept,
        reply: Phi::new(ReferralReply::default()),
        seen: Some(seen),
    };
    let now = seen(&trio);
    assert_eq!(trio.act("clinic", &accept(now - 1)), Err(Refused::Changed));
    assert_eq!(trio.act("clinic", &accept(now)), Ok(Outcome::Done));
    assert_eq!(trio.act("clinic", &accept(now)), Err(Refused::Changed));
}
