//! Referrals: signed steps in one chain, and the table by which both sides compute the same state.

use crate::codes::ReferralAct;
use crate::decode::{self, DecodeError, check};
use crate::entropy::Entropy;
use crate::envelope::{Kind, Word};
use crate::hash::domain;
use crate::id::{Code, Digest, KeyId, ReferralId};
use crate::limits;
use crate::member::{read_previous, write_optional};
use crate::release::{SealingSecret, WrapError, open_from, seal_to};
use crate::time::Timestamp;
use crate::wire::words as wire;

/// One step of a referral.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferralStep {
    /// What is said in the open.
    pub facts: StepFacts,
    /// The body, sealed to the other side.
    pub sealed_body: Vec<u8>,
}

/// The facts of a step, which are bound into its sealed body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFacts {
    /// Which referral.
    pub referral: ReferralId,
    /// Counts this side's steps, from 1.
    pub number: u32,
    /// Hash of the payload of this side's step before; none in its first.
    pub previous: Option<Digest>,
    /// How many steps of the other side this side had taken in.
    pub seen: u32,
    /// Who takes the step; it signs.
    pub from: Code,
    /// The other side.
    pub to: Code,
    /// What is done.
    pub act: ReferralAct,
    /// When, by the sender's clock.
    pub at: Timestamp,
    /// The sealing key of the other side.
    pub sealing_key: KeyId,
}

impl ReferralStep {
    /// Seals the body to the other side.
    ///
    /// # Errors
    /// [`WrapError::Key`] if its key is none.
    pub fn seal(
        facts: StepFacts,
        body: &[u8],
        to: &[u8; 32],
        entropy: &mut Entropy,
    ) -> Result<Self, WrapError> {
        let sealed_body = seal_to(to, domain::REFERRAL, &facts.to_bytes(), body, entropy)?;
        Ok(Self { facts, sealed_body })
    }

    /// Opens the body.
    ///
    /// # Errors
    /// [`WrapError::Open`] if it was sealed to another key, or for other facts.
    pub fn open(&self, secret: &SealingSecret) -> Result<Vec<u8>, WrapError> {
        open_from(secret, domain::REFERRAL, &self.facts.to_bytes(), &self.sealed_body)
    }
}

impl StepFacts {
    fn to_bytes(&self) -> Vec<u8> {
        prost::Message::encode_to_vec(&self.write(Vec::new()))
    }

    fn write(&self, sealed_body: Vec<u8>) -> wire::ReferralStep {
        wire::ReferralStep {
            referral: self.referral.as_bytes().to_vec(),
            number: self.number,
            previous: write_optional(self.previous.as_ref()),
            from: self.from.to_string(),
            to: self.to.to_string(),
            step: self.act.number(),
            at: self.at.unix_ms(),
            sealing_key: self.sealing_key.as_bytes().to_vec(),
            sealed_body,
            seen: self.seen,
        }
    }
}

impl Word for ReferralStep {
    const KIND: Kind = Kind::ReferralStep;
    const NAME: &'static str = "referral_step";
    type Wire = wire::ReferralStep;

    fn sayer(&self) -> Option<&Code> {
        Some(&self.facts.from)
    }

    fn addressee(&self) -> Option<&Code> {
        Some(&self.facts.to)
    }

    fn read(wire: wire::ReferralStep) -> Result<Self, DecodeError> {
        decode::at_most_bytes(
            "referral_step.sealed_body",
            wire.sealed_body.len(),
            limits::REFERRAL_BODY_BYTES_MAX,
        )?;
        let act = decode::one_code("referral_step.step", wire.step)?;
        let opens = act == ReferralAct::Send;
        check(
            "referral_step.number",
            !opens || (wire.number == 1 && wire.seen == 0),
            "a send is the first step",
        )?;
        let answers = side_of(act) == Side::Referring || wire.seen > 0;
        check("referral_step.seen", answers, "the receiving side has seen the send")?;
        let facts = StepFacts {
            referral: ReferralId::read("referral_step.referral", &wire.referral)?,
            number: wire.number,
            previous: read_previous("referral_step.previous", wire.number.into(), &wire.previous)?,
            seen: wire.seen,
            from: decode::code("referral_step.from", wire.from)?,
            to: decode::code("referral_step.to", wire.to)?,
            act,
            at: decode::time("referral_step.at", wire.at)?,
            sealing_key: KeyId::read("referral_step.sealing_key", &wire.sealing_key)?,
        };
        check("referral_step.number", facts.number > 0, "counts from 1")?;
        check("referral_step.to", facts.from != facts.to, "another member than from")?;
        Ok(Self { facts, sealed_body: wire.sealed_body })
    }

    fn write(&self) -> wire::ReferralStep {
        self.facts.write(self.sealed_body.clone())
    }
}

/// Which side of a referral.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Refers the patient.
    Referring,
    /// Takes the patient.
    Receiving,
}

/// Where a referral stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// On its way.
    Sent,
    /// Taken in by the other side's node.
    Received,
    /// Accepted.
    Accepted,
    /// An appointment or a bed is booked.
    Booked,
    /// The patient has arrived.
    Arrived,
    /// Treatment has begun.
    InCare,
    /// Answered; the referring side may close.
    Answered,
    /// Closed.
    Closed,
    /// Declined.
    Declined,
    /// Passed on to another institution.
    Redirected,
    /// Cancelled by the referring side.
    Cancelled,
    /// Expired unanswered.
    Expired,
}

impl State {
    /// Whether nothing follows.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Closed | Self::Declined | Self::Redirected | Self::Cancelled | Self::Expired)
    }
}

/// Which side takes a step.
pub const fn side_of(act: ReferralAct) -> Side {
    use ReferralAct as Act;
    match act {
        Act::Send | Act::Close | Act::Cancel | Act::Expire => Side::Referring,
        Act::Receive
        | Act::Accept
        | Act::Decline
        | Act::Redirect
        | Act::Book
        | Act::Arrive
        | Act::Admit
        | Act::Answer => Side::Receiving,
    }
}

/// The state after a step, or `None` if the step is not allowed there.
pub const fn after(state: State, act: ReferralAct) -> Option<State> {
    use ReferralAct as Act;
    Some(match (state, act) {
        (State::Sent, Act::Receive) => State::Received,
        (State::Sent | State::Received, Act::Accept) => State::Accepted,
        (State::Sent | State::Received, Act::Decline) => State::Declined,
        (State::Sent | State::Received, Act::Expire) => State::Expired,
        (State::Sent | State::Received | State::Accepted, Act::Redirect) => State::Redirected,
        (State::Sent | State::Received | State::Accepted | State::Booked, Act::Cancel) => State::Cancelled,
        (State::Accepted, Act::Book) => State::Booked,
        (State::Accepted | State::Booked, Act::Arrive) => State::Arrived,
        (State::Arrived, Act::Admit) => State::InCare,
        (State::Accepted | State::Booked | State::Arrived | State::InCare, Act::Answer) => State::Answered,
        (State::Answered, Act::Close) => State::Closed,
        _ => return None,
    })
}

/// What the table needs of a step: the act, and how many of the other side's steps came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// What was done.
    pub act: ReferralAct,
    /// How many steps of the other side its side had taken in.
    pub seen: u32,
}

/// The state that both sides compute from the same steps, each side's in its order and without gaps.
///
/// A step counts after every step that its side had seen. Of two that crossed on the way the receiving side's counts
/// first. A step that is not allowed where it comes, or not to its side, is passed over. So a cancellation wins over
/// an acceptance or a booking that it crosses and loses to an arrival or a refusal, and nothing that was done in knowledge
/// of a cancellation undoes it. Steps that name some which are missing here wait for them.
pub fn state_of(referring: &[Done], receiving: &[Done]) -> State {
    let (mut referring_at, mut receiving_at) = (0, 0);
    let mut state = State::Sent;
    loop {
        let ready = |steps: &[Done], at: usize, others: usize| {
            steps.get(at).filter(|step| step.seen as usize <= others).copied()
        };
        let (side, step) = if let Some(step) = ready(receiving, receiving_at, referring_at) {
            receiving_at += 1;
            (Side::Receiving, step)
        } else if let Some(step) = ready(referring, referring_at, receiving_at) {
            referring_at += 1;
            (Side::Referring, step)
        } else {
            return state;
        };
        if side_of(step.act) == side {
            state = after(state, step.act).unwrap_or(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReferralAct as Act;

    const fn done(act: Act, seen: u32) -> Done {
        Done { act, seen }
    }

    const SEND: Done = done(Act::Send, 0);

    #[test]
    fn r3_a_referral_runs_its_course() {
        let course = [Act::Receive, Act::Accept, Act::Book, Act::Arrive, Act::Admit, Act::Answer];
        let mut state = State::Sent;
        for act in course {
            assert_eq!(side_of(act), Side::Receiving);
            state = after(state, act).unwrap();
            assert!(!state.is_final());
        }
        let receiving = course.map(|act| done(act, 1));
        assert_eq!(state_of(&[SEND, done(Act::Close, 6)], &receiving), State::Closed);
    }

    #[test]
    fn r3_nothing_follows_a_final_state() {
        for state in [State::Closed, State::Declined, State::Redirected, State::Cancelled, State::Expired] {
            assert!(state.is_final());
            for act in ReferralAct::ALL {
                assert_eq!(after(state, *act), None);
            }
        }
    }

    #[test]
    fn r4_a_cancellation_that_crosses_is_settled_alike_on_both_sides() {
        let cancel = [SEND, done(Act::Cancel, 0)];
        let [receive, accept, book] = [Act::Receive, Act::Accept, Act::Book].map(|act| done(act, 1));
        assert_eq!(state_of(&cancel, &[receive, accept, book]), State::Cancelled);
        assert_eq!(state_of(&cancel, &[receive, accept, done(Act::Arrive, 1)]), State::Arrived);
        assert_eq!(state_of(&cancel, &[receive, done(Act::Decline, 1)]), State::Declined);
    }

    #[test]
    fn r4_nobody_undoes_a_cancellation_that_he_has_seen() {
        let cancel = [SEND, done(Act::Cancel, 0)];
        let receiving = [done(Act::Receive, 1), done(Act::Accept, 1), done(Act::Arrive, 2)];
        assert_eq!(state_of(&cancel, &receiving), State::Cancelled);
    }

    #[test]
    fn r4_a_step_waits_for_those_that_it_names() {
        let close = [SEND, done(Act::Close, 3)];
        assert_eq!(state_of(&close, &[done(Act::Receive, 1)]), State::Received);
        let answered = [Act::Receive, Act::Accept, Act::Answer].map(|act| done(act, 1));
        assert_eq!(state_of(&close, &answered), State::Closed);
    }
}
