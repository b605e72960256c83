//! Documents of other holders: asked for, and pulled into the vault range by range, going on where it stopped (P-1, P-6).
//!
//! Every chunk is verified before it is written; what a crash or a broken link leaves behind is gone on with. Not here: what
//! is wanted and what follows, which the machine decides; the files: [`crate::vault::copies`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{StreamExt, TryStreamExt, stream};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use yiqiao_host::link::{Pull, PullError};
use yiqiao_node_core::machine::Input;
use yiqiao_proto::calls::{Method, RangeRequest, Refusal, ReleaseAnswer, ReleaseRequest};
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::envelope::{Envelope, Said, Verified};
use yiqiao_proto::id::{Code, Digest, DocumentId};
use yiqiao_proto::release::Release;
use yiqiao_proto::sealed::{ChunkHash, Map};

use crate::limits::{BUSY_WAIT_MAX, BUSY_WAIT_MIN, BUSY_WAITS_MAX, FETCHES_MAX, RANGES_AT_ONCE};
use crate::members::{CallFailed, Members, Unbelieved};
use crate::vault::copies::{Coming, Stretch};
use crate::vault::{Vault, VaultError};

/// What fetches; clones are the same.
#[derive(Clone)]
pub(crate) struct Fetcher {
    members: Members,
    vault: Arc<Vault>,
    /// This node's code.
    own: Code,
    /// Documents that are being fetched, and whether they are still wanted.
    running: Arc<Mutex<BTreeMap<DocumentId, Wanted>>>,
}

type Wanted = Arc<AtomicBool>;

/// Why a document did not come.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchFailed {
    #[error(transparent)]
    Call(#[from] CallFailed),
    /// The body broke off.
    #[error(transparent)]
    Pull(#[from] PullError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The chunk hashes are here no longer: the release is asked for again.
    #[error("the chunk hashes of the document are not here")]
    NoMap,
    /// Another number of bytes came than the chunks have.
    #[error("the holder's bytes are not those of the chunks that were asked for")]
    Length,
    /// It is wanted no longer.
    #[error("the document is wanted no longer")]
    Unwanted,
    /// It is being fetched already, or as much as may be is.
    #[error("too much is being fetched")]
    TooMany,
}

impl Fetcher {
    pub(crate) fn new(members: Members, vault: Arc<Vault>, own: Code) -> Self {
        Self { members, vault, own, running: Arc::default() }
    }

    /// Asks a holder for a document: release and map are checked, and the map is kept (P-2, Z-5).
    pub(crate) async fn ask(
        &self,
        ticket: u64,
        holder: &Code,
        request: &Envelope,
    ) -> Result<Input, FetchFailed> {
        let request = ReleaseRequest { envelope: request.as_bytes().to_vec() };
        let answer: ReleaseAnswer = self.members.call(holder, Method::Release, &request).await?;
        let (directory, own) = (self.members.directory(), self.own.clone());
        let envelope = Envelope::decode(&answer.release).map_err(CallFailed::from)?;
        let release = Verified::<Release>::check(envelope, &directory, Said::Now);
        let release = release.and_then(|release| release.meant_for(&own)).map_err(unbelieved)?;
        let document = release.word().terms.document;
        let hashes = answer.chunk_hashes.iter().map(|hash| hash.as_slice().try_into());
        let hashes: Vec<ChunkHash> = hashes.collect::<Result<_, _>>().map_err(|_| other_map())?;
        let map = Map::new(document, &answer.header, hashes).map_err(unbelieved)?;
        let (vault, header) = (Arc::clone(&self.vault), map.header().clone());
        blocking(move || vault.begin_copy(document, &map)).await?;
        let release = Box::new(release);
        Ok(Input::ReleaseCame { ticket, release, wrapped_key: answer.wrapped_key, header })
    }

    /// Pulls what is missing of a document, and gives it its name once it is whole (P-6).
    pub(crate) async fn fetch(
        &self,
        holder: &Code,
        request: Digest,
        document: DocumentId,
    ) -> Result<(), FetchFailed> {
        let wanted = self.begin(document)?;
        let vault = Arc::clone(&self.vault);
        if blocking(move || Ok(vault.has(&document))).await? {
            return Ok(());
        }
        let vault = Arc::clone(&self.vault);
        let begun = blocking(move || {
            let Some(coming) = vault.coming(document)? else { return Ok(None) };
            let missing = coming.missing()?;
            vault.require_room(missing.iter().map(|stretch| coming.sealed_bytes(*stretch)).sum())?;
            Ok(Some((coming, missing)))
        });
        let (coming, missing) = begun.await?.ok_or(FetchFailed::NoMap)?;
        let coming = Arc::new(coming);
        let ranges = stream::iter(missing).map(|stretch| {
            Ok(self.range(holder, request, Arc::clone(&coming), stretch, Arc::clone(&wanted.flag)))
        });
        ranges.try_buffer_unordered(RANGES_AT_ONCE).try_collect::<()>().await?;
        let fetcher = self.clone();
        let flag = Arc::clone(&wanted.flag);
        spawn_blocking(move || fetcher.finish(&coming, &flag)).await.map_err(|_| FetchFailed::Unwanted)?
    }

    /// Removes a document, and ends its being fetched.
    pub(crate) fn erase(&self, document: &DocumentId) {
        let running = self.running();
        if let Some(wanted) = running.get(document) {
            wanted.store(false, Ordering::Relaxed);
        }
        if let Err(error) = self.vault.erase(document) {
            // Its key is gone from the record: nobody opens it, and the next start removes it.
            tracing::error!(%error, "a sealed file that was to be erased stays until the next start");
        }
    }

    /// How many documents are being fetched.
    pub(crate) fn count(&self) -> usize {
        self.running().len()
    }

    /// Pulls one stretch; a holder that is busy is asked again, but not for ever.
    async fn range(
        &self,
        holder: &Code,
        request: Digest,
        coming: Arc<Coming>,
        stretch: Stretch,
        wanted: Wanted,
    ) -> Result<(), FetchFailed> {
        let Stretch { first_chunk, chunks } = stretch;
        let asked = RangeRequest { request: request.as_bytes().to_vec(), first_chunk, chunks };
        for _ in 0..BUSY_WAITS_MAX {
            match self.members.pull(holder, &asked).await {
                Ok(pull) => return take(pull, &coming, stretch, &wanted).await,
                Err(CallFailed::Refused(refusal)) if refusal.code == RefusalCode::Busy => {
                    let wait = refusal
                        .retry_after
                        .map_or(BUSY_WAIT_MIN, |wait| std::time::Duration::from_millis(wait.get()));
                    sleep(wait.clamp(BUSY_WAIT_MIN, BUSY_WAIT_MAX)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        let retry_after = None;
        Err(CallFailed::Refused(Refusal { code: RefusalCode::Busy, clause: "P-6", retry_after }).into())
    }

    /// One fetch for each document, and not too many.
    fn begin(&self, document: DocumentId) -> Result<Fetching, FetchFailed> {
        let mut running = self.running();
        if running.len() >= FETCHES_MAX || running.contains_key(&document) {
            return Err(FetchFailed::TooMany);
        }
        let flag = Arc::new(AtomicBool::new(true));
        running.insert(document, Arc::clone(&flag));
        Ok(Fetching { document, flag, running: Arc::clone(&self.running) })
    }

    /// While this holds the table nothing is erased, so that what was erased never becomes whole.
    fn finish(&self, coming: &Coming, wanted: &Wanted) -> Result<(), FetchFailed> {
        let _running = self.running();
        if !wanted.load(Ordering::Relaxed) {
            return Err(FetchFailed::Unwanted);
        }
        Ok(self.vault.finish_copy(coming)?)
    }

    /// A panic while the lock is held leaves the table whole: each change is one call.
    fn running(&self) -> MutexGuard<'_, BTreeMap<DocumentId, Wanted>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fetch that runs while this lives.
struct Fetching {
    document: DocumentId,
    flag: Wanted,
    running: Arc<Mutex<BTreeMap<DocumentId, Wanted>>>,
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.document);
    }
}

impl FetchFailed {
    /// How it was refused, for the machine; none if there was no answer to speak of.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        let refused = |code, clause| Some(Refusal { code, clause, retry_after: None });
        match self {
            Self::Call(CallFailed::Refused(refusal)) => Some(refusal.clone()),
            // Bytes that are not the document's: the holder's link is authentic, so they will not get better.
            Self::Call(CallFailed::Unbelieved(Unbelieved::Sealed(_) | Unbelieved::OtherAnswer(_)))
            | Self::Vault(VaultError::Unsealable(_))
            | Self::Length => refused(RefusalCode::Malformed, "Z-5"),
            Self::NoMap => refused(RefusalCode::Stale, "P-5"),
            Self::Pull(PullError::Stopped { .. }) => refused(RefusalCode::Stopped, "P-6"),
            Self::Call(_) | Self::Pull(_) | Self::Vault(_) | Self::Unwanted | Self::TooMany => None,
        }
    }
}

/// Takes a body chunk by chunk.
async fn take(
    mut pull: Pull,
    coming: &Arc<Coming>,
    stretch: Stretch,
    wanted: &Wanted,
) -> Result<(), FetchFailed> {
    if pull.length() != coming.sealed_bytes(stretch) {
        return Err(FetchFailed::Length);
    }
    let mut bytes = Vec::new();
    for number in stretch.first_chunk..stretch.first_chunk + u64::from(stretch.chunks) {
        let length = coming.map().header().sealed_bytes(number);
        while bytes.len() < length {
            bytes.extend_from_slice(&pull.chunk().await?.ok_or(FetchFailed::Length)?);
        }
        let rest = bytes.split_off(length);
        let (chunk, to) = (std::mem::replace(&mut bytes, rest), Arc::clone(coming));
        blocking(move || to.take(number, &chunk)).await?;
        if !wanted.load(Ordering::Relaxed) {
            return Err(FetchFailed::Unwanted);
        }
    }
    Ok(())
}

/// Does what waits for the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
) -> Result<T, FetchFailed> {
    // Cancelled only when the process ends.
    Ok(spawn_blocking(work).await.map_err(|_| FetchFailed::Unwanted)??)
}

fn unbelieved(error: impl Into<Unbelieved>) -> CallFailed {
    CallFailed::Unbelieved(error.into())
}

const fn other_map() -> CallFailed {
    CallFailed::Unbelieved(Unbelieved::OtherAnswer("the chunk hashes of the document (Z-5)"))
}
