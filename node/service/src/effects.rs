//! What the machine wants done, carried out: each effect is answered by exactly one input, a lost call by `Failed`.
//!
//! Not here: what goes out, and what an answer must prove: [`yiqiao_node_core::call`].

use std::fmt::Display;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::block_in_place;
use yiqiao_host::keys;
use yiqiao_node_core::call::{self, Begun, Outgoing, To};
use yiqiao_node_core::fetch::{self, Broken};
use yiqiao_node_core::machine::{Effect, Input};
use yiqiao_proto::calls::Method;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::id::Code;

use crate::fetch::{FetchFailed, Fetcher};
use crate::members::{CallFailed, Members};
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
    pub(crate) members: Members,
    pub(crate) fetcher: Fetcher,
    /// This node's code.
    pub(crate) own: Code,
    /// Told when the registry says what this member list does not bear out: a newer one may.
    pub(crate) newer_list: Arc<Notify>,
    /// Closed when the process stops: nothing is waited for then that may come at any time.
    pub(crate) running: watch::Receiver<()>,
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
        if let Effect::Fetch { ticket, holder, request, document } = effect {
            let fetched = self.fetcher.fetch(&holder, request, document).await;
            return Some(fetch::ended(ticket, fetched.map_err(|why| unfetched(holder, &why))));
        }
        let directory = self.members.directory();
        let begin = || call::begin(&effect, &directory, &mut Entropy::new(keys::random()));
        match block_in_place(begin) {
            Begun::Call(call) => self.call(call).await,
            Begun::Over(answer) => {
                answer.unbelieved.iter().for_each(|why| self.disbelieve(&To::Registry, why));
                answer.input
            }
            Begun::Files => None,
        }
    }

    async fn call(mut self, mut call: Outgoing) -> Option<Input> {
        let (to, ticket) = (call.to.clone(), call.ticket);
        let asking = self.members.ask(&to, call.method, std::mem::take(&mut call.request));
        let came = tokio::select! {
            came = asking => came,
            _ = self.running.changed(), if call.method == Method::Feed => return None,
        };
        let (directory, bytes) = (self.members.directory(), came.as_deref().map_err(CallFailed::lost));
        let answer = block_in_place(|| call.answered(&directory, &self.own, bytes));
        match (&answer.unbelieved, &came) {
            (Some(why), _) => self.disbelieve(&to, why),
            (None, Err(why)) => fail(&to, why),
            (None, Ok(_)) => {}
        }
        if let Some((document, map)) = answer.map
            && let Err(why) = self.fetcher.begin_copy(document, map).await
        {
            tracing::error!(%why, "a document is not fetched");
            return ticket.map(|ticket| fetch::ended(ticket, Err(Broken::Lost)));
        }
        answer.input
    }

    /// What somebody answered does not prove what it must.
    fn disbelieve(&self, to: &To, why: &impl Display) {
        if matches!(to, To::Registry) {
            self.newer_list.notify_one();
        }
        disbelieve(to, why);
    }
}

/// A call was refused, or had no answer.
fn fail(to: &To, why: &impl Display) {
    match to {
        To::Registry => tracing::debug!(%why, "a call to the registry failed"),
        To::Member(member) => tracing::debug!(%member, %why, "a call to a member failed"),
    }
}

/// What somebody answered does not prove what it must: an operator should know.
fn disbelieve(to: &To, why: &impl Display) {
    match to {
        To::Registry => tracing::error!(%why, "an answer of the registry is not believed"),
        To::Member(member) => tracing::error!(%member, %why, "an answer of a member is not believed"),
    }
}

/// A document did not come: what the machine is told of it.
fn unfetched(holder: Code, why: &FetchFailed) -> Broken {
    let holder = To::Member(holder);
    match why {
        FetchFailed::Vault(VaultError::Unsealable(_))
        | FetchFailed::Length
        | FetchFailed::Call(CallFailed::Decode(_)) => disbelieve(&holder, why),
        FetchFailed::Vault(error) => tracing::error!(%error, "a document is not fetched"),
        FetchFailed::Call(_)
        | FetchFailed::Pull(_)
        | FetchFailed::NoMap
        | FetchFailed::Unwanted
        | FetchFailed::TooMany => fail(&holder, why),
    }
    why.broken()
}
