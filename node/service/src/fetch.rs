//! Documents of other holders, pulled into the vault range by range, going on where it stopped (P-6).
//!
//! Every chunk is verified before it is written; what a crash or a broken link leaves behind is gone on with. Not here: what
//! is wanted and what follows, which the machine decides; ranges as such: [`yiqiao_node_core::fetch`]; the files:
//! [`crate::vault::copies`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{StreamExt, TryStreamExt, stream};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use yiqiao_host::link::{Pull, PullError};
use yiqiao_node_core::fetch::{self, Broken, Chunks, Stretch};
use yiqiao_node_core::limits::RANGES_AT_ONCE;
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::id::{Code, Digest, DocumentId};
use yiqiao_proto::sealed::Map;

use crate::limits::FETCHES_MAX;
use crate::members::{CallFailed, Members};
use crate::vault::copies::Coming;
use crate::vault::{Vault, VaultError};

/// What fetches; clones are the same.
#[derive(Clone)]
pub(crate) struct Fetcher {
    members: Members,
    vault: Arc<Vault>,
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
    pub(crate) fn new(members: Members, vault: Arc<Vault>) -> Self {
        Self { members, vault, running: Arc::default() }
    }

    /// Keeps the map of a document that is let go: with it the copy begins.
    pub(crate) async fn begin_copy(&self, document: DocumentId, map: Map) -> Result<(), FetchFailed> {
        let vault = Arc::clone(&self.vault);
        blocking(move || vault.begin_copy(document, &map)).await
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
            vault.require_room(
                missing.iter().map(|stretch| stretch.sealed_bytes(coming.map().header())).sum(),
            )?;
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
        let mut tries = 0;
        loop {
            tries += 1;
            let refusal = match self.members.pull(holder, stretch.request(&request)).await {
                Ok(pull) => return take(pull, &coming, stretch, &wanted).await,
                Err(CallFailed::Refused(refusal)) => refusal,
                Err(error) => return Err(error.into()),
            };
            match fetch::again(&refusal, tries) {
                Some(wait) => sleep(wait.as_duration()).await,
                None => return Err(CallFailed::Refused(refusal).into()),
            }
        }
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
    /// What the machine is told.
    pub(crate) fn broken(&self) -> Broken {
        match self {
            Self::Call(CallFailed::Refused(refusal)) => Broken::Refused(refusal.clone()),
            Self::Vault(VaultError::Unsealable(_)) | Self::Length => Broken::OtherBytes,
            Self::NoMap => Broken::NoMap,
            Self::Pull(PullError::Stopped { code }) if is_stop(*code) => Broken::Stopped,
            Self::Call(_) | Self::Pull(_) | Self::Vault(_) | Self::Unwanted | Self::TooMany => Broken::Lost,
        }
    }
}

/// Whether a body was broken off because it is permitted no longer: a holder without a lease can only not go on for now (F-7).
fn is_stop(code: u16) -> bool {
    u32::from(code) == RefusalCode::Stopped.number()
}

/// Takes a body chunk by chunk.
async fn take(
    mut pull: Pull,
    coming: &Arc<Coming>,
    stretch: Stretch,
    wanted: &Wanted,
) -> Result<(), FetchFailed> {
    let chunks = Chunks::new(stretch, coming.map().header(), pull.length());
    let mut chunks = chunks.ok_or(FetchFailed::Length)?;
    while !chunks.is_over() {
        let Some((number, chunk)) = chunks.cut() else {
            chunks.push(&pull.chunk().await?.ok_or(FetchFailed::Length)?);
            continue;
        };
        let to = Arc::clone(coming);
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
