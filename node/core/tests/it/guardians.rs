//! Guardians who sign for a patient, and what a patient's death ends (C-9, C-14).

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use yiqiao_node_core::actor::{Actor, Staff};
use yiqiao_node_core::death::Death;
use yiqiao_node_core::desk::{NewRevocation, Statement, Wish};
use yiqiao_node_core::machine::{Input, Outcome, Refused};
use yiqiao_node_core::passkey::{Prepared, Signed, Stage, Vouching};
use yiqiao_node_core::sight::{Ground, NoSight};
use yiqiao_proto::codes::{CredentialState, LegalBasis, PersonRole, RevocationReason};
use yiqiao_proto::id::{Digest, DirectiveId};
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_simnet::passkey::Passkey;

use crate::enrolment::{
    directives, enrolled, is_released, own, passkey, permits, prepare, refused, region, sign, stages,
    statements, vouch, vouching,
};
use crate::rig::{merge, patient, report};
use crate::story::{Story, desk, forbid};

const CHILDHOOD: Millis = Millis::new(3_600_000);

/// A child's guardian has enrolled this passkey, until the childhood is over.
fn guarded(passkey: &Passkey) -> Story {
    let mut story = region();
    let until = Some(story.node.now + CHILDHOOD);
    let vouching = Vouching { guardian: true, until, ..vouching(&story, passkey) };
    assert!(matches!(story.act(&Input::Vouch(Box::new(vouching))), Outcome::Said(_)));
    story.live(1_000);
    assert_eq!(stages(&story), [Stage::Stands]);
    story
}

fn guardian(story: &Story) -> Statement {
    let actor = Actor::Patient { account: "p00000009".to_owned(), subject: story.subject(), guardian: true };
    Statement { actor, ..own(story) }
}

fn prepare_as_guardian(story: &mut Story, wish: &Wish) -> Prepared {
    let input = Input::Prepare(Box::new((guardian(story), wish.clone())));
    let Outcome::Prepared(prepared) = story.act(&input) else { panic!("not prepared") };
    *prepared
}

fn signed(story: &Story, prepared: &Prepared, passkey: &Passkey) -> Input {
    let (by, acts) = (guardian(story), prepared.acts.clone());
    Input::Sign(Box::new(Signed { by, acts, assertion: passkey.assert(&prepared.challenge) }))
}

fn known_by(story: &Story, passkey: &Passkey) -> Result<bool, Refused> {
    let (challenge, now) = (Digest::new([3; 32]).unwrap(), story.node.now);
    let assertion = passkey.assert(&challenge);
    let known = story.node.ask(|machine, view| machine.known_by(&assertion, &challenge, now, view));
    known.map(|(subject, guardian)| {
        assert_eq!(subject, story.subject());
        guardian
    })
}

fn death(story: &Story, died: Option<Timestamp>) -> Death {
    let by = Statement { actor: desk(), evidence: b"certificate 7".to_vec(), ..story.statement() };
    Death { by, died }
}

fn record(story: &mut Story, died: Option<Timestamp>) -> Outcome {
    let outcome = story.act(&Input::Died(Box::new(death(story, died))));
    story.live(1_000);
    outcome
}

#[test]
fn c14_what_a_guardian_signs_is_the_guardians_consent() {
    let mut story = guarded(&passkey(1));
    assert!(statements(&story)[0].guardian);
    assert_eq!(known_by(&story, &passkey(1)), Ok(true));
    let wish = permits(&story);
    let prepared = prepare_as_guardian(&mut story, &wish);
    let input = signed(&story, &prepared, &passkey(1));
    story.act(&input);
    story.live(1_000);
    let acts = directives(&story);
    assert_eq!(acts.iter().map(|act| act.said.basis).collect::<Vec<_>>(), [LegalBasis::GuardianConsent]);
    assert!(is_released(&mut story));
}

#[test]
fn c7_what_a_guardian_objects_to_is_the_guardians_objection() {
    let mut story = guarded(&passkey(1));
    let wish = Wish::Forbid(forbid(story.node.now));
    let prepared = prepare_as_guardian(&mut story, &wish);
    let input = signed(&story, &prepared, &passkey(1));
    story.act(&input);
    story.live(1_000);
    let acts = directives(&story);
    assert_eq!(acts.iter().map(|act| act.said.basis).collect::<Vec<_>>(), [LegalBasis::GuardianObjection]);
}

#[test]
fn c8_what_a_desk_keeps_as_evidence_is_found_by_the_directive() {
    let mut story = region();
    let statement = Statement { actor: desk(), evidence: b"sheet 7".to_vec(), ..story.statement() };
    story.act(&Input::Forbid(Box::new((statement, forbid(story.node.now)))));
    story.live(1_000);
    let said = directives(&story)[0].said.id;
    let evidence = |id| story.node.ask(|machine, view| machine.evidence_of(&id, view));
    assert_eq!(evidence(said), Some(b"sheet 7".to_vec()));
    assert_eq!(evidence(DirectiveId::new([9; 32]).unwrap()), None, "what was said elsewhere");
}

#[test]
fn c14_neither_patient_nor_guardian_signs_with_the_others_passkey() {
    let mut story = guarded(&passkey(1));
    let wish = permits(&story);
    let as_patient = Input::Prepare(Box::new((own(&story), wish.clone())));
    assert_eq!(refused(&mut story, &as_patient), Refused::NoPasskey);
    vouch(&mut story, &passkey(2));
    assert_eq!(known_by(&story, &passkey(2)), Ok(false));
    let by_patient = prepare(&mut story, &wish);
    let by_guardian = prepare_as_guardian(&mut story, &wish);
    assert_eq!(by_guardian.credentials, [statements(&story)[0].credential_id.clone()]);
    assert_eq!(by_patient.credentials, [statements(&story)[1].credential_id.clone()]);
    for (prepared, passkey) in [(&by_guardian, passkey(2)), (&by_patient, passkey(2))] {
        let input = signed(&story, prepared, &passkey);
        assert_eq!(refused(&mut story, &input), Refused::PasskeyUnknown);
    }
    // The patient says as the patient what the guardian's page had prepared: the registry does not take that.
    let by = own(&story);
    let assertion = passkey(2).assert(&by_guardian.challenge);
    story.act(&Input::Sign(Box::new(Signed { by, acts: by_guardian.acts, assertion })));
    story.live(1_000);
    assert!(directives(&story).is_empty() && !is_released(&mut story));
}

#[test]
fn c9_a_guardians_passkey_ends_with_the_childhood_and_what_it_permitted_stays() {
    let mut story = guarded(&passkey(1));
    let wish = permits(&story);
    let prepared = prepare_as_guardian(&mut story, &wish);
    let input = signed(&story, &prepared, &passkey(1));
    story.act(&input);
    story.live(1_000);
    let objection = Wish::Forbid(forbid(story.node.now));
    let late = prepare_as_guardian(&mut story, &objection);
    story.live(CHILDHOOD.get());
    let input = signed(&story, &late, &passkey(1));
    assert_eq!(refused(&mut story, &input), Refused::PasskeyRevoked);
    assert_eq!(known_by(&story, &passkey(1)), Err(Refused::PasskeyRevoked));
    let input = Input::Prepare(Box::new((guardian(&story), wish)));
    assert_eq!(refused(&mut story, &input), Refused::NoPasskey);
    assert!(is_released(&mut story));
    let past = Vouching { until: Some(story.node.now), ..vouching(&story, &passkey(2)) };
    assert_eq!(refused(&mut story, &Input::Vouch(Box::new(past))), Refused::WrongTime);
}

#[test]
fn who_has_died_is_spoken_for_by_nobody_and_permits_nothing() {
    let mut story = enrolled(&passkey(1));
    let wish = permits(&story);
    sign(&mut story, &passkey(1), &wish);
    let prepared = prepare(&mut story, &wish);
    let died = story.node.now;
    assert!(matches!(record(&mut story, Some(died)), Outcome::Said(_)));
    story.node.rebuild();
    story.live(1_000);
    assert_eq!(stages(&story), [Stage::Revoked]);
    assert_eq!(statements(&story).last().unwrap().state, CredentialState::Revoked);
    assert_eq!(known_by(&story, &passkey(1)), Err(Refused::Dead));
    let by = own(&story);
    let assertion = passkey(1).assert(&prepared.challenge);
    let at_desk = (Statement { actor: desk(), ..story.statement() }, story.node.now);
    for input in [
        Input::Sign(Box::new(Signed { by: by.clone(), acts: prepared.acts, assertion })),
        Input::Prepare(Box::new((by.clone(), wish))),
        Input::Forbid(Box::new((by, forbid(story.node.now)))),
    ] {
        assert_eq!(refused(&mut story, &input), Refused::NotSeen);
    }
    let permit = Input::Permit(Box::new((at_desk.0.clone(), crate::story::permit(at_desk.1))));
    assert_eq!(refused(&mut story, &permit), Refused::Dead);
    let vouching = Input::Vouch(Box::new(vouching(&story, &passkey(2))));
    assert_eq!(refused(&mut story, &vouching), Refused::Dead);
    // What was permitted is taken back at the desk, and objections are recorded there.
    assert!(is_released(&mut story));
    let directives = directives(&story).iter().map(|act| (act.said.id, act.said.patient)).collect();
    let revocation = NewRevocation { directives, reason: RevocationReason::Death, lifts: false };
    story.act(&Input::Revoke(Box::new((at_desk.0.clone(), revocation))));
    story.act(&Input::Forbid(Box::new((at_desk.0, forbid(at_desk.1)))));
    story.live(1_000);
    assert!(!is_released(&mut story));
}

#[test]
fn a_death_that_was_recorded_by_mistake_is_corrected_and_passkeys_are_enrolled_anew() {
    let mut story = enrolled(&passkey(1));
    let died = story.node.now;
    record(&mut story, Some(died));
    assert_eq!(record(&mut story, Some(died)), Outcome::Done, "a second time");
    assert_eq!(sees(&story), Err(NoSight::NotOwn));
    assert_eq!(record(&mut story, None), Outcome::Done);
    assert_eq!(sees(&story), Ok(Ground::Own));
    assert_eq!(stages(&story), [Stage::Revoked]);
    vouch(&mut story, &passkey(2));
    let wish = permits(&story);
    sign(&mut story, &passkey(2), &wish);
    assert!(is_released(&mut story));
}

#[test]
fn a_death_stays_known_through_a_merge() {
    let mut story = region();
    story.node.receive(&report("2", patient("q", None), "r2"));
    story.live(3_000);
    let died = Some(story.node.now);
    record(&mut story, died);
    story.node.receive(&merge("3", patient("q", None), "p"));
    story.live(3_000);
    assert_eq!(story.subject(), story.node.patient("q").unwrap().subject);
    let subject = story.subject();
    assert_eq!(story.node.ask(|machine, view| machine.died(&subject, view)), died);
    assert_eq!(record(&mut story, None), Outcome::Done);
    assert_eq!(story.node.ask(|machine, view| machine.died(&subject, view)), None);
}

fn sees(story: &Story) -> Result<Ground, NoSight> {
    let (actor, subject) = (own(story).actor, story.subject());
    let now = story.node.now;
    story.node.ask(|machine, view| machine.may_see(&actor, &subject, now, view))
}

#[test]
fn only_a_desk_records_a_death_by_a_paper_and_not_one_to_come() {
    let mut story = region();
    let good = death(&story, Some(story.node.now));
    let Actor::Staff(staff) = desk() else { panic!() };
    let doctor = Actor::Staff(Staff { role: PersonRole::Physician, ..staff });
    for actor in [doctor, own(&story).actor, Actor::System(yiqiao_proto::id::Code::new("his").unwrap())] {
        let by = Statement { actor, ..good.by.clone() };
        assert_eq!(
            refused(&mut story, &Input::Died(Box::new(Death { by, ..good.clone() }))),
            Refused::NotSeen
        );
    }
    let by = Statement { evidence: Vec::new(), ..good.by.clone() };
    assert_eq!(refused(&mut story, &Input::Died(Box::new(Death { by, ..good }))), Refused::Evidence);
    let to_come = death(&story, Some(story.node.now + Millis::new(1)));
    assert_eq!(refused(&mut story, &Input::Died(Box::new(to_come))), Refused::WrongTime);
}
