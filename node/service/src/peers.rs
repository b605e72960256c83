//! What other members ask of this node over the link: handed to the machine, and answered (H-1 to H-3).
//!
//! Not here: what the bytes say, and what is answered: [`yiqiao_node_core::peer`]; what is permitted, which the machine decides
//! for every request and every range.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use yiqiao_host::clock::Clock;
use yiqiao_host::link::{self, PeerId, PullAnswer, Service, Stop};
use yiqiao_node_core::holder::Range;
use yiqiao_node_core::limits::NEWS_WAIT;
use yiqiao_node_core::machine::{Input, Machine};
use yiqiao_node_core::peer::{self, CallFault, Reply};
use yiqiao_node_core::refusal;
use yiqiao_node_core::state::View;
use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::id::Code;
use yiqiao_proto::release::PullRequest;

use crate::pulls::{Decision, Pulls};
use crate::registry::Registry;
use crate::sequencer::{Inbox, NotTaken, Progress};
use crate::vault::{Vault, VaultError};

/// What answers members' calls; clones are the same.
#[derive(Clone)]
pub(crate) struct Peers {
    inbox: Inbox,
    directory: watch::Receiver<Directory>,
    vault: Arc<Vault>,
    progress: watch::Receiver<Progress>,
    pulls: Pulls,
    /// The link answers before there is a way to the registry over it.
    registry: Arc<OnceLock<Registry>>,
}

impl Peers {
    pub(crate) fn new(
        inbox: Inbox,
        directory: watch::Receiver<Directory>,
        vault: Arc<Vault>,
        progress: watch::Receiver<Progress>,
    ) -> Self {
        Self { inbox, directory, vault, progress, pulls: Pulls::default(), registry: Arc::default() }
    }

    /// Where to tell it of the way to the registry.
    pub(crate) fn registry(&self) -> Arc<OnceLock<Registry>> {
        Arc::clone(&self.registry)
    }

    async fn answer(self, peer: PeerId, method: u16, request: Bytes) -> Result<Vec<u8>, Refusal> {
        let (asker, directory) = self.asker(peer)?;
        let input = peer::read(&directory, &asker, method, &request).map_err(|why| refuse_unread(&why))?;
        if let Input::Asked { request, .. } = &input {
            self.await_consent(request.word()).await;
        }
        match self.hand(input).await? {
            Reply::Done(bytes) => Ok(bytes),
            Reply::Release(let_go) => {
                let (vault, document) = (Arc::clone(&self.vault), let_go.document);
                let map = blocking(move || vault.map(document)).await?;
                Ok(let_go.answer(&map))
            }
            Reply::Serve { .. } => Err(unexpected()),
        }
    }

    /// M-11: only who is a member now is answered, by the members in force when it asks.
    fn asker(&self, peer: PeerId) -> Result<(Code, Directory), Refusal> {
        let directory = self.directory.borrow().clone();
        let asker = peer::asker(&directory, &peer.to_bytes()).map_err(|why| refuse_unread(&why))?;
        Ok((asker.clone(), directory))
    }

    /// Consent may have been given just before: what would be denied waits until the feed is known up to now, whatever it
    /// would be denied for (P-4). Of a registry that is away nothing is waited for.
    async fn await_consent(&self, request: &PullRequest) {
        if !self.registry.get().is_some_and(Registry::is_connected) {
            return;
        }
        let (word, now) = (request.clone(), Clock::system().now());
        let ask = move |machine: &Machine, view: &View| {
            Ok((machine.would_permit(&word, now, view)?, machine.last_call()))
        };
        if let Ok((false, after)) = self.inbox.ask(ask).await {
            // What is not known by then is not waited for any longer.
            self.inbox.hand_in_time(Input::CatchUp { after }, NEWS_WAIT.as_duration()).await.ok();
        }
    }

    /// A stretch of a document that was released: decided anew, then sent as it lies on the disk (P-6).
    async fn range(self, peer: PeerId, request: Bytes) -> Result<PullAnswer, Refusal> {
        let (asker, _) = self.asker(peer)?;
        let range = peer::read_range(&asker, &request).map_err(|why| refuse_unread(&why))?;
        let turn = self.pulls.begin(&asker, range.request).ok_or_else(|| refuse(RefusalCode::Busy, "P-6"))?;
        let began = Instant::now();
        let reply = self.hand_range(range.clone()).await?;
        let Reply::Serve { document, first_chunk, chunks, holds } = reply else { return Err(unexpected()) };
        let vault = Arc::clone(&self.vault);
        let (file, length) = blocking(move || vault.sealed(document, first_chunk, chunks)).await?;
        let decide = move || {
            let again = self.clone().decide_again(peer, range.clone());
            again.map_err(|refusal| Stop(tell(&refusal).code)).boxed()
        };
        let decision = Decision { holds_until: began + Duration::from_millis(holds.get()), decide };
        Ok(PullAnswer { header: Bytes::new(), length, body: Box::new(turn.body(file, length, decision)) })
    }

    /// Decides about a range that is being sent once more: until when that counts (P-6).
    async fn decide_again(self, peer: PeerId, range: Range) -> Result<Instant, Refusal> {
        self.asker(peer)?;
        let began = Instant::now();
        let Reply::Serve { holds, .. } = self.hand(Input::Range(range)).await? else {
            return Err(unexpected());
        };
        Ok(began + Duration::from_millis(holds.get()))
    }

    /// Decides about a range. The release on which it rests is on its way into the log when the first one is asked for: that is
    /// waited for here, so that nobody has to come again (P-8).
    async fn hand_range(&self, range: Range) -> Result<Reply, Refusal> {
        let (mut progress, until) = (self.progress.clone(), Instant::now() + NEWS_WAIT.as_duration());
        loop {
            progress.borrow_and_update();
            match self.hand(Input::Range(range.clone())).await {
                Err(refusal) if refusal.clause == "P-8" && refusal.code == RefusalCode::Busy => {
                    if !matches!(timeout_at(until, progress.changed()).await, Ok(Ok(()))) {
                        return Err(refusal);
                    }
                }
                decided => return decided,
            }
        }
    }

    /// Hands an input in: what is answered.
    async fn hand(&self, input: Input) -> Result<Reply, Refusal> {
        match self.inbox.hand(input).await {
            Ok(outcome) => peer::reply(outcome).ok_or_else(unexpected)?,
            Err(NotTaken::Busy | NotTaken::Stopping) => Err(refuse(RefusalCode::Busy, "H-2")),
            Err(NotTaken::TooLong) => Err(refuse(RefusalCode::OverLimit, "W-3")),
            Err(NotTaken::Refused(error)) => {
                tracing::debug!(%error, "what a member said is not taken");
                Err(peer::not_taken(&error))
            }
        }
    }
}

impl Service for Peers {
    fn call(
        &self,
        peer: PeerId,
        method: u16,
        request: Bytes,
    ) -> BoxFuture<'static, Result<Bytes, link::Refusal>> {
        let answer = self.clone().answer(peer, method, request);
        answer.map(|answer| answer.map(Bytes::from).map_err(|refusal| tell(&refusal))).boxed()
    }

    fn pull(&self, peer: PeerId, request: Bytes) -> BoxFuture<'static, Result<PullAnswer, link::Refusal>> {
        let range = self.clone().range(peer, request);
        range.map(|answer| answer.map_err(|refusal| tell(&refusal))).boxed()
    }
}

fn refuse_unread(why: &CallFault) -> Refusal {
    tracing::debug!(%why, "a call is not taken in");
    why.refusal()
}

/// Reads from the vault.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
) -> Result<T, Refusal> {
    let failed = || refuse(RefusalCode::Failed, "Z-5");
    spawn_blocking(read).await.map_err(|_| failed())?.map_err(|error| {
        tracing::error!(%error, "a document is not let go");
        failed()
    })
}

fn unexpected() -> Refusal {
    tracing::error!("the machine answered with another outcome than the input has");
    refuse(RefusalCode::Failed, "H-1")
}

const fn refuse(code: RefusalCode, clause: &'static str) -> Refusal {
    Refusal { code, clause, retry_after: None }
}

/// A refusal as it goes over the link (H-2).
fn tell(refusal: &Refusal) -> link::Refusal {
    let (code, detail) = refusal::write(refusal);
    link::Refusal { code, detail: detail.into() }
}
