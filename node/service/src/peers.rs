//! What other members ask of this node over the link: bytes to checked inputs, and answers back (H-1 to H-3).
//!
//! Not here: what is permitted, which the machine decides for every request and every range.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use prost::Message;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};
use yiqiao_host::clock::Clock;
use yiqiao_host::link::{self, PeerId, PullAnswer, Service};
use yiqiao_node_core::feed::ToldAct;
use yiqiao_node_core::holder::Range;
use yiqiao_node_core::machine::{Input, Outcome};
use yiqiao_proto::calls::{
    ActNotice, Call, Done, Method, RangeRequest, Refusal, ReleaseAnswer, ReleaseRequest, StepRequest,
};
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::envelope::{Envelope, Kind, Said, Verified, Word};
use yiqiao_proto::id::{Code, Digest};
use yiqiao_proto::release::PullRequest;
use yiqiao_proto::time::Millis;
use yiqiao_proto::wire::calls::Refused as RefusedWire;

use crate::limits::NEWS_WAIT;
use crate::pulls::Pulls;
use crate::sequencer::{Inbox, NotTaken, Progress};
use crate::vault::{Vault, VaultError};

/// When a caller may try again if this node is behind.
const BUSY: Millis = Millis::new(200);
/// When a caller may try again if something failed here.
const FAILED: Millis = Millis::from_secs(10);

/// What answers members' calls; clones are the same.
#[derive(Clone)]
pub(crate) struct Peers {
    inbox: Inbox,
    directory: watch::Receiver<Directory>,
    vault: Arc<Vault>,
    progress: watch::Receiver<Progress>,
    pulls: Pulls,
}

/// Who asks, and the members in force when it did.
struct Asker {
    code: Code,
    directory: Directory,
}

impl Peers {
    pub(crate) fn new(
        inbox: Inbox,
        directory: watch::Receiver<Directory>,
        vault: Arc<Vault>,
        progress: watch::Receiver<Progress>,
    ) -> Self {
        Self { inbox, directory, vault, progress, pulls: Pulls::default() }
    }

    async fn answer(self, peer: PeerId, method: u16, request: Bytes) -> Result<Vec<u8>, Refusal> {
        let asker = self.asker(peer)?;
        match Method::try_from(method).map_err(|_| refuse(RefusalCode::Malformed, "H-1"))? {
            Method::Release => self.release(&asker, &read::<ReleaseRequest>(&request)?.envelope).await,
            Method::Step => self.step(&asker, &read::<StepRequest>(&request)?.envelope).await,
            Method::ActNotice => self.act_notice(asker, &read::<ActNotice>(&request)?.envelope).await,
            Method::Submit
            | Method::Evaluate
            | Method::Search
            | Method::Feed
            | Method::Lease
            | Method::Members
            | Method::Consent
            | Method::History
            | Method::Proof
            | Method::Links => Err(refuse(RefusalCode::Malformed, "H-1")),
        }
    }

    /// M-11: only who is a member now is answered.
    fn asker(&self, peer: PeerId) -> Result<Asker, Refusal> {
        let directory = self.directory.borrow().clone();
        let asker = directory.member_at(&peer.to_bytes());
        let code = asker.ok_or_else(|| refuse(RefusalCode::NotMember, "M-11"))?.code.clone();
        Ok(Asker { code, directory })
    }

    /// A member asks for a document: the release, the wrapped key, and what is needed to verify every chunk (P-2, Z-5).
    async fn release(&self, asker: &Asker, request: &[u8]) -> Result<Vec<u8>, Refusal> {
        let request: Verified<PullRequest> = asker.own_word(request)?;
        self.await_consent(request.word()).await;
        let outcome = self.hand(Input::Asked(Box::new(request))).await?;
        let Outcome::Released { release, wrapped_key, document } = outcome else { return Err(unexpected()) };
        let vault = Arc::clone(&self.vault);
        let map = blocking(move || vault.map(document)).await?;
        let answer = ReleaseAnswer {
            release: release.as_bytes().to_vec(),
            wrapped_key,
            header: map.header().to_bytes().to_vec(),
            chunk_hashes: map.chunks().iter().map(|hash| hash.to_vec()).collect(),
        };
        Ok(answer.encode_to_vec())
    }

    /// Consent may have been given just before: what would be denied waits until the feed was read from now on, whatever it
    /// would be denied for (P-4).
    async fn await_consent(&self, request: &PullRequest) {
        let (mut progress, word) = (self.progress.clone(), request.clone());
        let begun = progress.borrow_and_update().feeds;
        let now = Clock::system().now();
        let permits = self.inbox.ask(move |machine, view| machine.would_permit(&word, now, view)).await;
        if permits != Ok(true) {
            // The first reading may have begun before now.
            let read = progress.wait_for(|progress| progress.feeds >= begun + 2);
            timeout(NEWS_WAIT, read).await.ok();
        }
    }

    /// The other side of a referral tells a step.
    async fn step(&self, asker: &Asker, step: &[u8]) -> Result<Vec<u8>, Refusal> {
        let step = asker.own_word(step)?;
        self.hand(Input::Step(Box::new(step))).await?;
        Ok(Done {}.encode_to_vec())
    }

    /// A member tells a forbid or a revocation before the feed does, its own or another's (F-9).
    async fn act_notice(&self, asker: Asker, act: &[u8]) -> Result<Vec<u8>, Refusal> {
        let envelope = envelope(act)?;
        let act = if envelope.kind() == Kind::Revocation {
            ToldAct::Revocation(check(&asker.directory, envelope)?)
        } else {
            ToldAct::Forbid(check(&asker.directory, envelope)?)
        };
        self.hand(Input::Notice { member: asker.code, act: Box::new(act) }).await?;
        Ok(Done {}.encode_to_vec())
    }

    /// A stretch of a document that was released: decided anew, then sent as it lies on the disk (P-6).
    async fn range(self, peer: PeerId, request: Bytes) -> Result<PullAnswer, Refusal> {
        let asker = self.asker(peer)?;
        let RangeRequest { request, first_chunk, chunks } = read(&request)?;
        let request = Digest::read("range_request.request", &request);
        let request = request.map_err(|_| refuse(RefusalCode::Malformed, "W-4"))?;
        let turn = self.pulls.begin(&asker.code, request).ok_or_else(|| refuse(RefusalCode::Busy, "P-6"))?;
        let range = Range { member: asker.code, request, first_chunk, chunks };
        let outcome = self.hand_range(range).await?;
        let Outcome::Serve { document, first_chunk, chunks } = outcome else { return Err(unexpected()) };
        let vault = Arc::clone(&self.vault);
        let (file, length) = blocking(move || vault.sealed(document, first_chunk, chunks)).await?;
        Ok(PullAnswer { header: Bytes::new(), length, body: Box::new(turn.body(file, length)) })
    }

    /// Decides about a range. The release on which it rests is on its way into the log when the first one is asked for: that is
    /// waited for here, so that nobody has to come again (P-8).
    async fn hand_range(&self, range: Range) -> Result<Outcome, Refusal> {
        let (mut progress, until) = (self.progress.clone(), Instant::now() + NEWS_WAIT);
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

    /// Hands an input in; a refusal that is an outcome is one here.
    async fn hand(&self, input: Input) -> Result<Outcome, Refusal> {
        match self.inbox.hand(input).await {
            Ok(Outcome::Refused(refusal)) => Err(refusal),
            Ok(outcome) => Ok(outcome),
            Err(NotTaken::Busy | NotTaken::Stopping) => Err(refuse(RefusalCode::Busy, "H-2")),
            Err(NotTaken::TooLong) => Err(refuse(RefusalCode::OverLimit, "W-3")),
            Err(NotTaken::Refused(error)) => {
                tracing::debug!(%error, "what a member said is not taken");
                Err(refuse(RefusalCode::Conflict, "F-9"))
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

impl Asker {
    /// A word that the member at the other end says itself, now (M-11).
    fn own_word<W: Word>(&self, bytes: &[u8]) -> Result<Verified<W>, Refusal> {
        let word = check(&self.directory, envelope(bytes)?)?;
        if *word.signer() == self.code { Ok(word) } else { Err(refuse(RefusalCode::NotMember, "M-11")) }
    }
}

fn read<C: Call>(bytes: &[u8]) -> Result<C, Refusal> {
    C::from_bytes(bytes).map_err(|error| {
        tracing::debug!(%error, "a call cannot be read");
        let over = matches!(error, DecodeError::TooMany { .. } | DecodeError::TooLarge { .. });
        if over { refuse(RefusalCode::OverLimit, "W-3") } else { refuse(RefusalCode::Malformed, "W-2") }
    })
}

fn envelope(bytes: &[u8]) -> Result<Envelope, Refusal> {
    Envelope::decode(bytes).map_err(|_| refuse(RefusalCode::Malformed, "E-1"))
}

fn check<W: Word>(directory: &Directory, envelope: Envelope) -> Result<Verified<W>, Refusal> {
    Verified::check(envelope, directory, Said::Now).map_err(|error| {
        tracing::debug!(%error, "a word of a member is not believed");
        refuse(RefusalCode::BadSignature, "E-2")
    })
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
    let waits = match refusal.code {
        RefusalCode::Busy => Some(BUSY),
        RefusalCode::Failed => Some(FAILED),
        RefusalCode::NotMember
        | RefusalCode::Malformed
        | RefusalCode::BadSignature
        | RefusalCode::Conflict
        | RefusalCode::OutOfOrder
        | RefusalCode::OverLimit
        | RefusalCode::Nothing
        | RefusalCode::Stale
        | RefusalCode::Stopped => None,
    };
    let (code, retry_after) = (refusal.code.number(), refusal.retry_after.or(waits));
    let retry_after_ms = retry_after.map_or(0, Millis::get);
    let detail = RefusedWire { code, clause: refusal.clause.to_owned(), retry_after_ms };
    link::Refusal { code: u16::try_from(code).unwrap_or(u16::MAX), detail: detail.encode_to_vec().into() }
}
