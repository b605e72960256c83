//! Ways to the machine and to the registry that several areas share: until the patient's tokens are there, until a word
//! stands in the log, and what the registry keeps of a patient.

use std::time::Duration;

use tokio::time::Instant;
use yiqiao_host::http::Problem;
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::ask::{self, WordState};
use yiqiao_node_core::desk::Question;
use yiqiao_node_core::machine::{Input, Outcome};
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::PatientQuestion;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::{DirectiveId, Subject};
use yiqiao_proto::time::Timestamp;

use crate::answers::{Consents, Logged};
use crate::api::faults::{ACT_REFUSED, QUEUED, REGISTRY_AWAY};
use crate::api::front::Front;
use crate::api::limits::{QUESTION_COUNT, SETTLE_WAIT, TOKENS_WAIT};

/// What an act of consent came to.
pub(super) struct Settled {
    /// The directives that were recorded; none of a revocation.
    pub(super) ids: Vec<DirectiveId>,
    /// When the registry had the last of them.
    pub(super) accepted_at: Timestamp,
}

impl Front {
    /// Hands an input in; again, once the patient's tokens have been asked for, if it needs them.
    pub(super) async fn hand(&self, input: Input) -> Result<Outcome, Problem> {
        let outcome = self.app.inbox.hand_in_time(input, TOKENS_WAIT).await?;
        outcome.ok_or_else(|| Problem::new(&REGISTRY_AWAY))
    }

    /// Hands in what a patient says, and waits until it stands in the log.
    pub(super) async fn say(&self, input: Input) -> Result<Settled, Problem> {
        let numbers = self.recorded_words(input).await?;
        self.settled(numbers).await
    }

    /// Hands in what a patient says: the numbers of its words, which this node has from then on.
    pub(super) async fn recorded_words(&self, input: Input) -> Result<Vec<u64>, Problem> {
        let Outcome::Said(numbers) = self.hand(input).await? else { return Err(unexpected()) };
        Ok(numbers)
    }

    /// Waits until words stand in the log.
    pub(super) async fn settled(&self, numbers: Vec<u64>) -> Result<Settled, Problem> {
        let until = Instant::now() + SETTLE_WAIT;
        let mut settled = Settled { ids: Vec::new(), accepted_at: Timestamp::MIN };
        for number in numbers {
            let wait = until.saturating_duration_since(Instant::now());
            let accepted_at = self.stands(number, wait).await?;
            settled.accepted_at = settled.accepted_at.max(accepted_at);
            settled.ids.extend(self.app.inbox.ask(move |_, view| ask::directive(number, view)).await?);
        }
        Ok(settled)
    }

    pub(super) async fn stands(&self, number: u64, wait: Duration) -> Result<Timestamp, Problem> {
        match self.app.inbox.settled(number, wait).await? {
            Some(WordState::Stands(receipt)) => {
                Ok(Timestamp::from_unix_ms(receipt.accepted_at).unwrap_or_default())
            }
            Some(WordState::Refused { code, clause }) => {
                Err(Problem::new(&ACT_REFUSED).detail(format!("{code:?} ({clause})")))
            }
            Some(WordState::Waiting) | None => Err(Problem::new(&QUEUED)),
        }
    }

    /// The consents of a patient as the registry keeps them, for each token.
    pub(super) async fn consents(&self, actor: &Actor, subject: Subject) -> Result<Vec<Consents>, Problem> {
        let mut found = Vec::new();
        for question in self.questions(actor, subject, PatientQuestion::Consents, 0).await? {
            found.push(self.app.registry.consent(&question).await?);
        }
        Ok(found)
    }

    /// A page of the access events of a patient under each token, from the place of the log that the questions name on; and where it
    /// goes on.
    pub(super) async fn events(
        &self,
        questions: &[Envelope],
    ) -> Result<(Vec<Logged<AccessEvent>>, Option<u64>), Problem> {
        let mut pages = Vec::new();
        for question in questions {
            pages.push(self.app.registry.history(question).await?);
        }
        // What lies beyond the end of the shortest page comes with the next one.
        let next = pages.iter().filter_map(|page| page.next_seq).min();
        let mut events: Vec<_> = pages.into_iter().flat_map(|page| page.events).collect();
        events.retain(|event| next.is_none_or(|next| event.seq < next));
        Ok((events, next))
    }

    pub(super) async fn questions(
        &self,
        actor: &Actor,
        subject: Subject,
        what: PatientQuestion,
        from_seq: u64,
    ) -> Result<Vec<Envelope>, Problem> {
        let question = Question { actor: actor.clone(), subject, what, from_seq, count: QUESTION_COUNT };
        let asked = self.hand(Input::PatientQuery(Box::new(question))).await?;
        if let Outcome::Call(envelopes) = asked { Ok(envelopes) } else { Err(unexpected()) }
    }
}

/// The machine answered with another outcome than the input has.
pub(super) fn unexpected() -> Problem {
    #[derive(Debug, thiserror::Error)]
    #[error("the machine answered with another outcome than the input has")]
    struct Unexpected;
    Problem::internal(&Unexpected)
}
