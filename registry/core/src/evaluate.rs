//! Token evaluations (T-3, T-5, T-7): the machine counts the elements first, then the token key evaluates them.

use prost::Message;
use yiqiao_proto::calls::{EvaluateAnswer, EvaluateRequest};
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::id::Code;
use yiqiao_proto::limits::EVALUATION_MAX;
use yiqiao_proto::token::TokenSecret;

use crate::machine::{Input, Refused};

/// Blinded elements, and the member that wants them evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct Blinded {
    /// The member.
    pub member: Code,
    /// What it asks.
    pub request: EvaluateRequest,
}

impl Blinded {
    /// What the machine must handle before anything is evaluated under the key of an epoch: the elements count against the member's quota (T-5).
    ///
    /// # Errors
    /// [`Refused`] if they are of another epoch than the key (T-7), none or too many (T-3): then nothing is counted.
    pub fn count(&self, epoch: u32) -> Result<Input, Refused> {
        if self.request.epoch != epoch {
            return Err(Refused::new(RefusalCode::Malformed, "T-7"));
        }
        let elements = self.request.blinded.len();
        if !(1..=EVALUATION_MAX).contains(&elements) {
            return Err(Refused::new(RefusalCode::OverLimit, "T-3"));
        }
        Ok(Input::Evaluate { member: self.member.clone(), elements: elements as u64 })
    }

    /// The bytes that answer the call, once the machine has counted.
    ///
    /// # Errors
    /// [`Refused`] if bytes are no element (T-3).
    pub fn evaluate(&self, tokens: &TokenSecret, entropy: &mut Entropy) -> Result<Vec<u8>, Refused> {
        let evaluation = tokens.evaluate(&self.request.blinded, entropy);
        let evaluation = evaluation.map_err(|_| Refused::new(RefusalCode::Malformed, "T-3"))?;
        Ok(EvaluateAnswer { evaluated: evaluation.elements, proof: evaluation.proof }.encode_to_vec())
    }
}
