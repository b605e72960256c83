//! Calls of any bytes: bent, cut, mixed up, or never fit. None of them does harm, and each refusal names its clause (E-2, H-2).

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what cannot happen here fails the test")]

use proptest::prelude::*;
use proptest::sample::Index;
use yiqiao_proto::calls::Method;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::envelope::Kind;
use yiqiao_proto::token::TokenSecret;
use yiqiao_registry_core::door::Asked;

use crate::calls::{Call, all, links, member_of, signed, told};
use crate::rig::{Rig, code};
use crate::words::Chain;

#[test]
fn e2_a_call_of_signed_words_with_any_byte_bent_is_refused() {
    let rig = Rig::new();
    for call in signed(&rig) {
        for at in 0..call.bytes.len() {
            let bent = bent(&call, at, 1 << (at % 8));
            assert!(rig.read(&bent).map_err(|refused| told(&refused)).is_err(), "byte {at} of {call:?}");
        }
    }
}

#[test]
fn e2_n2_links_with_any_byte_bent_are_refused_by_the_door_or_the_machine() {
    let (mut rig, mut words) = (Rig::new(), Chain::new("a", 1));
    let call = links("a", &[words.entry(&rig, 1)]);
    for at in 0..call.bytes.len() {
        match rig.read(&bent(&call, at, 1 << (at % 8))) {
            Ok(Asked::Machine(input)) => told(&rig.handle(&input).unwrap_err()),
            Ok(asked) => unreachable!("{asked:?} for a submission"),
            Err(refused) => told(&refused),
        };
    }
    assert_eq!(rig.kinds_after(0), [Kind::MemberList]);
}

fn bent(call: &Call, at: usize, with: u8) -> Call {
    let mut bytes = call.bytes.clone();
    bytes[at] ^= with;
    Call { bytes, ..call.clone() }
}

/// Whoever sends whatever: a refusal names a clause, and what is read is the asker's own and is handled.
fn holds_for(rig: &mut Rig, by: &str, call: &Call) {
    match rig.read_as(by, call) {
        Err(refused) => {
            told(&refused);
        }
        Ok(Asked::Machine(input) | Asked::Feed { input, .. }) => {
            assert_eq!(member_of(&input), &code(by));
            if let Err(refused) = rig.handle(&input) {
                told(&refused);
            }
        }
        Ok(Asked::Evaluate(blinded)) => {
            assert_eq!(blinded.member, code(by));
            let secret = TokenSecret::new(1, &[8; 32]).unwrap();
            let counted = blinded.count(1);
            if let Err(refused) = counted.and_then(|_| blinded.evaluate(&secret, &mut Entropy::new([9; 32])))
            {
                told(&refused);
            }
        }
        Ok(Asked::Lists { .. }) => {}
    }
}

fn by() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "bureau", "portal", "registry", "nobody"])
}

fn method() -> impl Strategy<Value = u16> {
    prop_oneof![9 => 0_u16..24, 1 => any::<u16>()]
}

/// Something done to the bytes of a fit call.
#[derive(Clone, Debug)]
enum Bend {
    Flip(Index, u8),
    Cut(Index),
    Drop(Index),
    Insert(Index, Vec<u8>),
    OtherMethod(u16),
}

fn bend() -> impl Strategy<Value = Bend> {
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), 1_u8..).prop_map(|(at, with)| Bend::Flip(at, with)),
        1 => at().prop_map(Bend::Cut),
        1 => at().prop_map(Bend::Drop),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, with)| Bend::Insert(at, with)),
        1 => method().prop_map(Bend::OtherMethod),
    ]
}

impl Bend {
    fn apply(self, call: &mut Call) {
        let length = call.bytes.len();
        match self {
            Self::OtherMethod(method) => call.method = method,
            _ if length == 0 => {}
            Self::Flip(at, with) => call.bytes[at.index(length)] ^= with,
            Self::Cut(at) => call.bytes.truncate(at.index(length)),
            Self::Drop(at) => drop(call.bytes.remove(at.index(length))),
            Self::Insert(at, with) => {
                let at = at.index(length);
                call.bytes.splice(at..at, with);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn h2_any_bytes_are_refused_with_a_clause_or_are_the_askers_own(
        calls in prop::collection::vec((by(), method(), prop::collection::vec(any::<u8>(), 0..300)), 64),
    ) {
        let mut rig = Rig::quick();
        for (by, method, bytes) in calls {
            let carries_words = [Method::Submit, Method::Search, Method::Consent, Method::History];
            let call = Call { by, method, bytes };
            if carries_words.iter().any(|method| *method as u16 == call.method) {
                told(&rig.read(&call).unwrap_err());
            }
            holds_for(&mut rig, by, &call);
        }
    }

    #[test]
    fn h2_bent_calls_are_refused_with_a_clause_or_are_the_askers_own(
        bent in prop::collection::vec((any::<Index>(), by(), prop::collection::vec(bend(), 1..4)), 64),
    ) {
        let mut rig = Rig::quick();
        let calls = all(&rig);
        for (which, by, bends) in bent {
            let mut call = which.get(&calls).clone();
            bends.into_iter().for_each(|bend| bend.apply(&mut call));
            holds_for(&mut rig, by, &call);
        }
    }
}
