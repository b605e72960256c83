//! A member's keys follow others: what was signed by a retired words key and is still to be told is signed anew (M-5), and
//! what is on its way under an earlier sealing key is opened (M-4).

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use yiqiao_node_core::copy::Stage;
use yiqiao_node_core::machine::{Effect, Input};
use yiqiao_proto::codes::KeyUse;
use yiqiao_proto::member::{KeyState, MemberList, SealingKey, SigningKey};
use yiqiao_proto::referral::State;

use crate::copies::want_of;
use crate::region::{CLINIC, HOSPITAL, code, key, list, sealing_secret, signed};
use crate::trio::Trio;

/// The next key of the hospital for its words.
const NEXT: u8 = HOSPITAL + 7;

/// The hospital has its next key, and goes on.
fn prepare(trio: &mut Trio) {
    trio.node("hospital").rekey(&[HOSPITAL, NEXT]);
}

/// Everybody knows that the hospital's first key is retired, and which one follows it.
fn rotate(trio: &mut Trio) {
    let mut next = list(1_000);
    next.version = 2;
    next.previous = Some(signed(&list(1_000)).payload_hash());
    let hospital = next.members.iter_mut().find(|member| member.code == code("hospital")).unwrap();
    hospital.signing_keys.iter_mut().for_each(|key| key.state = KeyState::Retired);
    let public = key(NEXT).public();
    hospital.signing_keys.push(SigningKey { key: public, for_use: KeyUse::Words, state: KeyState::Valid });
    trio.registry.take_list(trio.now, &next);
    for name in ["clinic", "hospital"] {
        trio.act(name, &Input::MemberList(signed(&next))).unwrap();
    }
}

#[test]
fn m5_a_step_that_is_told_after_its_key_was_retired_is_signed_anew() {
    let mut trio = Trio::with_patient();
    prepare(&mut trio);
    trio.gone.insert("clinic");
    let id = trio.refer();
    trio.live(3_000);
    rotate(&mut trio);
    trio.gone.clear();
    trio.live(600_000);
    assert_eq!(trio.state("clinic", id), State::Received);
}

#[test]
fn m5_a_release_that_is_given_again_after_its_key_was_retired_is_signed_anew() {
    let mut trio = Trio::with_patient();
    prepare(&mut trio);
    trio.permit();
    let want = want_of(trio.subject("clinic"), trio.listed());
    trio.act("clinic", &Input::Want(Box::new(want))).unwrap();
    let asked = trio.node("clinic").all_due().unwrap();
    let asked = asked.into_iter().find(|effect| matches!(effect, Effect::AskRelease { .. })).unwrap();
    let Input::ReleaseCame { release, .. } = trio.released("clinic", &asked) else { panic!("{asked:?}") };
    rotate(&mut trio);
    trio.live(3_000);
    let Input::ReleaseCame { release: again, .. } = trio.released("clinic", &asked) else {
        panic!("{asked:?}")
    };
    assert_eq!(release.envelope().payload_hash(), again.envelope().payload_hash());
    assert_eq!(again.envelope().key_id(), key(NEXT).public().id(KeyUse::Words));
}

#[test]
fn m5_a_node_that_lost_its_first_words_key_goes_on_with_the_next() {
    let mut trio = Trio::with_patient();
    rotate(&mut trio);
    trio.node("hospital").rekey(&[NEXT]);
    let id = trio.refer();
    trio.live(600_000);
    assert_eq!(trio.state("clinic", id), State::Received);
}

/// The next sealing key of the clinic.
const NEXT_SEALING: u8 = CLINIC + 50;

/// The list in which the clinic has its next sealing key, beside the first one or in its place.
fn resealed(first: KeyState) -> MemberList {
    let mut next = list(1_000);
    next.version = 2;
    next.previous = Some(signed(&list(1_000)).payload_hash());
    let clinic = next.members.iter_mut().find(|member| member.code == code("clinic")).unwrap();
    clinic.sealing_keys.iter_mut().for_each(|key| key.state = first);
    let public = sealing_secret(NEXT_SEALING).public();
    clinic.sealing_keys.push(SealingKey::countersigned(&code("demo"), &code("clinic"), public, &key(CLINIC)));
    next
}

fn take(trio: &mut Trio, list: &MemberList, names: &[&'static str]) {
    if trio.registry.directory.list().version < list.version {
        trio.registry.take_list(trio.now, list);
    }
    for name in names {
        trio.act(name, &Input::MemberList(signed(list))).unwrap();
    }
}

#[test]
fn m4_steps_that_were_sealed_to_the_key_before_are_opened_after_it_was_retired() {
    for (first, secrets, expected) in [
        (KeyState::Valid, vec![NEXT_SEALING, CLINIC], true),
        (KeyState::Retired, vec![CLINIC, NEXT_SEALING], true),
        // Without the secret they are told for ever.
        (KeyState::Retired, vec![NEXT_SEALING], false),
    ] {
        let mut trio = Trio::with_patient();
        trio.gone.insert("clinic");
        let id = trio.refer();
        trio.live(3_000);
        take(&mut trio, &resealed(first), &["clinic", "hospital"]);
        trio.node("clinic").reseal(&secrets);
        trio.gone.clear();
        trio.live(600_000);
        assert_eq!(trio.state("hospital", id) == State::Received, expected, "{secrets:?}");
    }
}

#[test]
fn m4_a_step_to_a_key_that_its_node_does_not_have_yet_is_told_until_it_does() {
    let mut trio = Trio::with_patient();
    take(&mut trio, &resealed(KeyState::Valid), &["clinic", "hospital"]);
    let id = trio.refer();
    trio.live(60_000);
    assert_eq!(trio.state("hospital", id), State::Sent);
    trio.node("clinic").reseal(&[CLINIC, NEXT_SEALING]);
    trio.live(600_000);
    assert_eq!(trio.state("hospital", id), State::Received);
}

/// The clinic wants a document, and gets it although one of the two learns of the next key later than the other.
#[test]
fn m4_a_document_is_let_go_to_the_newest_key_that_both_sides_know() {
    let (both, only_first) = (vec![CLINIC, NEXT_SEALING], vec![CLINIC]);
    for (first, secrets, knows, later) in [
        (KeyState::Valid, &both, "clinic", "hospital"),
        (KeyState::Retired, &both, "clinic", "hospital"),
        (KeyState::Valid, &both, "hospital", "clinic"),
        (KeyState::Retired, &both, "hospital", "clinic"),
        // A node that has not got its next secret yet is sealed to as before.
        (KeyState::Valid, &only_first, "clinic", "hospital"),
    ] {
        let mut trio = Trio::with_patient();
        trio.permit();
        trio.node("clinic").reseal(secrets);
        trio.deaf.extend(["clinic", "hospital"]);
        let next = resealed(first);
        take(&mut trio, &next, &[knows]);
        let want = want_of(trio.subject("clinic"), trio.listed());
        trio.act("clinic", &Input::Want(Box::new(want))).unwrap();
        trio.live(10_000);
        take(&mut trio, &next, &[later]);
        trio.deaf.clear();
        trio.live(600_000);
        assert_eq!(trio.stages(), [Stage::Held, Stage::Held], "{first:?} {knows} {secrets:?}");
    }
}

#[test]
fn m4_a_release_that_comes_after_the_next_key_is_opened_under_the_one_it_names() {
    let mut trio = Trio::with_patient();
    trio.permit();
    let want = want_of(trio.subject("clinic"), trio.listed());
    trio.node("clinic").reseal(&[NEXT_SEALING, CLINIC]);
    trio.act("clinic", &Input::Want(Box::new(want))).unwrap();
    let asked = trio.node("clinic").all_due().unwrap();
    let asked = asked.into_iter().find(|effect| matches!(effect, Effect::AskRelease { .. })).unwrap();
    let came = trio.released("clinic", &asked);
    take(&mut trio, &resealed(KeyState::Retired), &["clinic", "hospital"]);
    trio.act("clinic", &came).unwrap();
    assert!(trio.stages().contains(&Stage::Released), "{:?}", trio.stages());
}
