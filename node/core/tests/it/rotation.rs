//! A member's words key follows another: what was signed by the retired one and is still to be told is signed anew (M-5).

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use yiqiao_node_core::machine::{Effect, Input};
use yiqiao_proto::codes::KeyUse;
use yiqiao_proto::member::{KeyState, SigningKey};
use yiqiao_proto::referral::State;

use crate::copies::want_of;
use crate::region::{HOSPITAL, code, key, list, signed};
use crate::trio::Trio;

/// The next key of the hospital for its words.
const NEXT: u8 = HOSPITAL + 7;

/// The hospital signs with its next key, and everybody knows that the one before is retired.
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
    trio.node("hospital").rekey(NEXT);
}

#[test]
fn m5_a_step_that_is_told_after_its_key_was_retired_is_signed_anew() {
    let mut trio = Trio::with_patient();
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
