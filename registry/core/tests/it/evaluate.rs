//! Token evaluations from bytes to bytes (T-3, T-5, T-7).

#![expect(clippy::unwrap_used, reason = "fixed content that is known to be valid")]

use yiqiao_proto::calls::{Call, EvaluateAnswer, EvaluateRequest};
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::limits::EVALUATION_MAX;
use yiqiao_proto::person::Identifier;
use yiqiao_proto::token::{Blinding, Evaluation, TokenSecret};
use yiqiao_registry_core::evaluate::Blinded;
use yiqiao_registry_core::machine::{Input, Refused};

use crate::rig::{code, region};

fn secret() -> TokenSecret {
    TokenSecret::new(1, &[8; 32]).unwrap()
}

fn blinded(epoch: u32, blinded: Vec<Vec<u8>>) -> Blinded {
    Blinded { member: code("a"), request: EvaluateRequest { epoch, blinded } }
}

#[test]
fn t3_what_is_evaluated_gives_the_member_its_tokens() {
    let (secret, mut entropy) = (secret(), Entropy::new([1; 32]));
    let patient = [Identifier::resident_id("11010519491231002X").unwrap()];
    let tokens = [2, 3].map(|seed| {
        let blinding = Blinding::new(&region(), &patient, &mut Entropy::new([seed; 32])).unwrap();
        let asked = blinded(1, blinding.blinded().to_vec());
        let Ok(Input::Evaluate { member, elements: 1 }) = asked.count(1) else {
            unreachable!("one element counts once")
        };
        assert_eq!(member, code("a"));
        let answer = EvaluateAnswer::from_bytes(&asked.evaluate(&secret, &mut entropy).unwrap()).unwrap();
        let evaluation = Evaluation { elements: answer.evaluated, proof: answer.proof };
        blinding.finish(&secret.public(), &evaluation).unwrap()
    });
    let [first, second] = tokens;
    assert_eq!(first, second, "whatever the blinding");
}

#[test]
fn t7_t3_nothing_is_counted_of_another_epoch_of_no_elements_or_of_too_many() {
    let refused = |code, clause| Err(Refused::new(code, clause));
    let count = |epoch, elements| blinded(epoch, vec![vec![5; 32]; elements]).count(1).map(|_| ());
    for epoch in [0, 2, u32::MAX] {
        assert_eq!(count(epoch, 1), refused(RefusalCode::Malformed, "T-7"));
    }
    for elements in [0, EVALUATION_MAX + 1] {
        assert_eq!(count(1, elements), refused(RefusalCode::OverLimit, "T-3"));
    }
    assert_eq!(count(1, EVALUATION_MAX), Ok(()));
}

#[test]
fn t3_what_is_no_element_is_refused() {
    for element in [vec![0xff; 32], vec![0; 32], vec![1; 31], Vec::new()] {
        let evaluated = blinded(1, vec![element]).evaluate(&secret(), &mut Entropy::new([1; 32]));
        assert_eq!(evaluated, Err(Refused::new(RefusalCode::Malformed, "T-3")));
    }
}
