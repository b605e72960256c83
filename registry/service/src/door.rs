//! The calls of members, over the link: the core reads them ([`yiqiao_registry_core::door`]), the sequencer answers (H-1 to H-3).

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};
use yiqiao_host::keys;
use yiqiao_host::link::{PeerId, PullAnswer, Refusal, Service};
use yiqiao_proto::calls::Method;
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::member::TokenKey;
use yiqiao_proto::time::Millis;
use yiqiao_registry_core::answer;
use yiqiao_registry_core::door::{self, Asked, CallFault};
use yiqiao_registry_core::evaluate::Blinded;
use yiqiao_registry_core::machine::{Input, Refused};

use crate::feeds::Feeds;
use crate::region;
use crate::sequencer::Job;
use crate::tokens::TokenKeys;

/// What answers members' calls.
#[derive(Clone)]
pub(crate) struct Door {
    jobs: mpsc::Sender<Job>,
    directory: watch::Receiver<Directory>,
    tokens: TokenKeys,
    lists: PathBuf,
    feeds: Feeds,
}

impl Door {
    pub(crate) const fn new(
        jobs: mpsc::Sender<Job>,
        directory: watch::Receiver<Directory>,
        tokens: TokenKeys,
        lists: PathBuf,
        feeds: Feeds,
    ) -> Self {
        Self { jobs, directory, tokens, lists, feeds }
    }

    async fn answer(self, peer: PeerId, method: u16, request: Bytes) -> Result<Vec<u8>, Refused> {
        let directory = self.directory.borrow().clone();
        let asked = read(&directory, peer, method, &request).map_err(|fault| {
            tracing::debug!(%fault, "a call is refused");
            fault.refused()
        })?;
        match asked {
            Asked::Machine(input) => self.ask(input).await,
            Asked::Feed { input, wait } => self.feed(input, wait).await,
            Asked::Lists { after_version } => {
                let list = |version| region::read_list(&self.lists, version).ok().flatten();
                answer::lists(after_version, directory.list().version, list)
            }
            Asked::Evaluate(blinded) => self.evaluate(blinded, &directory).await,
        }
    }

    async fn ask(&self, input: Input) -> Result<Vec<u8>, Refused> {
        let busy = Refused::new(RefusalCode::Busy, "H-2");
        let (reply, answer) = oneshot::channel();
        self.jobs.try_send(Job { input, reply }).map_err(|_| busy.clone())?;
        // The log has ended on the way: whether the input was taken is known after the next start, so it may come again (H-3).
        answer.await.map_err(|_| busy)?
    }

    /// Items of a member's feed; if there are none, those that come within the time.
    async fn feed(&self, input: Input, wait: Millis) -> Result<Vec<u8>, Refused> {
        let Input::Feed { member, .. } = &input else { return self.ask(input).await };
        // Followed before it is read: nothing that comes between is missed.
        let mut growing = self.feeds.follow(member);
        let until = Instant::now() + Duration::from_millis(wait.get());
        loop {
            let items = self.ask(input.clone()).await?;
            if !items.is_empty() || !matches!(timeout_at(until, growing.changed()).await, Ok(Ok(()))) {
                return Ok(items);
            }
        }
    }

    /// Evaluates blinded elements under the key of their epoch, once the member's quota allows (T-3, T-5, T-7).
    async fn evaluate(self, blinded: Blinded, directory: &Directory) -> Result<Vec<u8>, Refused> {
        let of_epoch = |key: &&TokenKey| key.epoch == blinded.request.epoch;
        let listed = directory.list().token_keys.iter().find(of_epoch);
        let listed = listed.ok_or_else(|| Refused::new(RefusalCode::Malformed, "T-7"))?;
        let failed = |error: anyhow::Error| {
            tracing::error!(epoch = listed.epoch, %error, "no tokens can be evaluated");
            let (code, clause) = match self.tokens {
                TokenKeys::Folder(_) => (RefusalCode::Failed, "T-7"),
                // It is being started again.
                TokenKeys::Process(_) => (RefusalCode::Busy, "T-3"),
            };
            Refused::new(code, clause)
        };
        let count = blinded.count(listed.epoch)?;
        // Opened before anything is counted: while the key is away nobody's quota is spent.
        let evaluator = tokio::task::block_in_place(|| self.tokens.open(listed)).map_err(failed)?;
        self.ask(count).await?;
        let evaluate = move || evaluator.evaluate(&blinded);
        tokio::task::spawn_blocking(evaluate).await.map_err(|_| Refused::new(RefusalCode::Failed, "T-3"))?
    }
}

impl Service for Door {
    fn call(&self, peer: PeerId, method: u16, request: Bytes) -> BoxFuture<'static, Result<Bytes, Refusal>> {
        let door = self.clone();
        async move {
            let answer = door.answer(peer, method, request).await;
            answer.map(Bytes::from).map_err(|refused| refusal(&refused))
        }
        .boxed()
    }

    fn pull(&self, _: PeerId, _: Bytes) -> BoxFuture<'static, Result<PullAnswer, Refusal>> {
        async { Err(refusal(&Refused::new(RefusalCode::Nothing, "P-4"))) }.boxed()
    }
}

fn read(directory: &Directory, peer: PeerId, method: u16, request: &[u8]) -> Result<Asked, CallFault> {
    let asker = door::asker(directory, &peer.to_bytes())?;
    let read = || door::read(directory, asker, method, request, &mut Entropy::new(keys::random()));
    // A submission has up to 64 signatures: the other calls of this thread go on elsewhere meanwhile.
    if method == Method::Submit as u16 { tokio::task::block_in_place(read) } else { read() }
}

fn refusal(refused: &Refused) -> Refusal {
    let (code, detail) = answer::refusal(refused);
    Refusal { code, detail: detail.into() }
}
