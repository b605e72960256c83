//! What the machine wants done, carried out: each effect is answered by exactly one input, a lost call by `Failed`.

use std::fmt::Display;

use prost::Message;
use tokio::runtime::Handle;
use yiqiao_node_core::machine::{Effect, Input};
use yiqiao_proto::calls::{ActNotice, Done, Method, Refusal, StepRequest};
use yiqiao_proto::id::Code;

use crate::fetch::{FetchFailed, Fetcher};
use crate::members::{CallFailed, Members};
use crate::registry::{Place, Registry};
use crate::sequencer::Inbox;
use crate::vault::VaultError;

/// What carries effects out.
pub(crate) struct Effects {
    pub(crate) runtime: Handle,
    pub(crate) inbox: Inbox,
    pub(crate) doing: Doing,
}

/// Those with whom it is done; clones are the same.
#[derive(Clone)]
pub(crate) struct Doing {
    pub(crate) registry: Registry,
    pub(crate) members: Members,
    pub(crate) fetcher: Fetcher,
}

impl Effects {
    /// Begins an effect; its answer goes to the inbox, for the outbox of this era.
    pub(crate) fn carry_out(&self, era: u64, effect: Effect) {
        // Done before the next effect begins: nothing fetched later is erased by it.
        if let Effect::Erase { document } = &effect {
            return self.doing.fetcher.erase(document);
        }
        let (inbox, doing) = (self.inbox.clone(), self.doing.clone());
        self.runtime.spawn(async move {
            if let Some(answer) = doing.answer(effect).await {
                inbox.answer(era, answer).await;
            }
        });
    }
}

impl Doing {
    /// Does it; what there is to answer. Nobody waits for a mere telling.
    async fn answer(self, effect: Effect) -> Option<Input> {
        let Self { registry, members, fetcher } = self;
        Some(match effect {
            Effect::Evaluate { ticket, epoch, identifiers } => {
                let tokens = registry.evaluate(epoch, identifiers).await;
                tokens.map_or_else(|why| failed(ticket, why), |tokens| Input::Evaluated { ticket, tokens })
            }
            Effect::Submit { ticket, words } => match registry.submit(words).await {
                Ok((receipts, checkpoint)) => Input::Receipted { ticket, receipts, checkpoint },
                Err(why) => failed(ticket, why),
            },
            Effect::OwnWords { ticket, subject, from_number } => {
                let words = registry.own_words(subject, from_number).await;
                words.map_or_else(|why| failed(ticket, why), |words| Input::OwnWords { ticket, words })
            }
            Effect::ReadFeed { ticket, after } => {
                let items = registry.feed(after).await;
                items.map_or_else(|why| failed(ticket, why), |items| Input::Fed { ticket, items })
            }
            Effect::AskLease { ticket, nonce, term, feed_number, feed_chain } => {
                let place = Place { term, feed_number, feed_chain };
                let lease = registry.lease(&nonce, &place).await.map(Box::new);
                lease.map_or_else(|why| failed(ticket, why), |lease| Input::Leased { ticket, lease })
            }
            Effect::TellAct { member, act } => {
                let notice = ActNotice { envelope: act.as_bytes().to_vec() };
                if let Err(error) = tell(&members, &member, Method::ActNotice, &notice).await {
                    tracing::debug!(%member, %error, "a member was not told of an act; its feed has it");
                }
                return None;
            }
            Effect::TellStep { ticket, member, step } => {
                let request = StepRequest { envelope: step.as_bytes().to_vec() };
                let told = tell(&members, &member, Method::Step, &request).await;
                told.map_or_else(|why| failed_at(&member, ticket, why), |()| Input::Told { ticket })
            }
            Effect::AskRelease { ticket, holder, request } => {
                let asked = fetcher.ask(ticket, &holder, &request).await;
                asked.unwrap_or_else(|why| unfetched(&holder, ticket, &why))
            }
            Effect::Fetch { ticket, holder, request, document } => {
                let fetched = fetcher.fetch(&holder, request, document).await;
                fetched.map_or_else(|why| unfetched(&holder, ticket, &why), |()| Input::Fetched { ticket })
            }
            Effect::Erase { document } => {
                fetcher.erase(&document);
                return None;
            }
        })
    }
}

/// Tells a member something that it only confirms.
async fn tell(
    members: &Members,
    member: &Code,
    method: Method,
    request: &impl Message,
) -> Result<(), CallFailed> {
    let Done {} = members.call(member, method, request).await?;
    Ok(())
}

/// A call to the registry failed.
fn failed(ticket: u64, why: CallFailed) -> Input {
    if is_disbelief(&why) {
        tracing::error!(%why, "an answer of the registry is not believed");
    } else {
        tracing::debug!(%why, "a call to the registry failed");
    }
    Input::Failed { ticket, refusal: refusal(why) }
}

fn failed_at(member: &Code, ticket: u64, why: CallFailed) -> Input {
    note(member, is_disbelief(&why), &why);
    Input::Failed { ticket, refusal: refusal(why) }
}

fn unfetched(holder: &Code, ticket: u64, why: &FetchFailed) -> Input {
    match why {
        FetchFailed::Vault(VaultError::Unsealable(_)) | FetchFailed::Length => note(holder, true, why),
        FetchFailed::Vault(error) => tracing::error!(%error, "a document is not fetched"),
        FetchFailed::Call(call) => note(holder, is_disbelief(call), why),
        FetchFailed::Pull(_) | FetchFailed::NoMap | FetchFailed::Unwanted | FetchFailed::TooMany => {
            note(holder, false, why);
        }
    }
    Input::Failed { ticket, refusal: why.refusal() }
}

fn note(member: &Code, is_disbelief: bool, why: &impl Display) {
    if is_disbelief {
        tracing::error!(%member, %why, "an answer of a member is not believed");
    } else {
        tracing::debug!(%member, %why, "a call to a member failed");
    }
}

const fn is_disbelief(why: &CallFailed) -> bool {
    matches!(why, CallFailed::Unbelieved(_) | CallFailed::Decode(_))
}

fn refusal(why: CallFailed) -> Option<Refusal> {
    if let CallFailed::Refused(refusal) = why { Some(refusal) } else { None }
}
