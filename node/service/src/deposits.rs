//! Content that comes before the message that describes it: straight from the connection into a sealed file, chunk by chunk,
//! so that its length is no matter of memory.
//!
//! Not here: who may bring it, and in which words: the doors.

use std::io::{self, Read};
use std::sync::Arc;

use axum::body::BodyDataStream;
use bytes::{Buf, Bytes};
use futures::StreamExt;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use yiqiao_node_core::deposit::Deposit;
use yiqiao_node_core::intake::Sealed;
use yiqiao_node_core::machine::{Input, Outcome};
use yiqiao_proto::hash;
use yiqiao_proto::id::{Code, Digest};

use crate::limits::{DEPOSIT_PIECES_MAX, DEPOSIT_STALL, DEPOSITORS_MAX};
use crate::reception::not_kept;
use crate::sequencer::{Inbox, NotTaken};
use crate::vault::{Placed, Vault, VaultError};

/// Where content is deposited; clones are the same.
#[derive(Clone)]
pub(crate) struct Deposits {
    inbox: Inbox,
    vault: Arc<Vault>,
    places: Arc<Semaphore>,
}

/// Why content was not taken; nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotDeposited {
    /// The connection broke off or stood still, or the body was shorter than announced.
    #[error("the body broke off or stood still: send it again")]
    BrokeOff,
    /// The node did not take it.
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
}

/// Sealed content and the hash of its bytes.
type Kept = (Placed, [u8; 32]);

impl Deposits {
    pub(crate) fn new(inbox: Inbox, vault: Arc<Vault>) -> Self {
        Self { inbox, vault, places: Arc::new(Semaphore::new(DEPOSITORS_MAX)) }
    }

    /// Takes content of a known length, durably: the id by which the message after it names it.
    pub(crate) async fn take(
        &self,
        system: &Code,
        body: BodyDataStream,
        length: u64,
    ) -> Result<Digest, NotDeposited> {
        // Whoever comes when all places are taken is told so at once, before its bytes are on their way.
        let _place = self.places.try_acquire().map_err(|_| NotTaken::Busy)?;
        let (pieces, reader) = mpsc::channel(DEPOSIT_PIECES_MAX);
        let vault = Arc::clone(&self.vault);
        let sealing = tokio::task::spawn_blocking(move || seal(&vault, Pieces::new(reader), length));
        let came = forward(body, pieces).await;
        let kept = sealing.await.map_err(|_| NotTaken::Busy)?;
        if !came && kept.is_err() {
            return Err(NotDeposited::BrokeOff);
        }
        let (placed, digest) = kept.map_err(|error| not_kept(&error))?;
        self.settle(system, placed.sealed.clone(), digest).await
    }

    async fn settle(&self, system: &Code, sealed: Sealed, digest: [u8; 32]) -> Result<Digest, NotDeposited> {
        let document = sealed.document;
        let deposit = Deposit { system: system.clone(), digest, sealed };
        match self.inbox.hand(Input::Deposit(deposit)).await {
            Ok(Outcome::Deposited { id, unused }) => {
                unused.iter().for_each(|unused| self.vault.remove(unused));
                Ok(id)
            }
            // Whether it was taken is not known: what is left over is removed after the next start.
            Ok(_) | Err(NotTaken::Stopping) => Err(NotTaken::Stopping.into()),
            Err(error) => {
                self.vault.remove(&document);
                Err(error.into())
            }
        }
    }
}

/// Hands the body on piece by piece, as fast as they are sealed. Whether all of it came.
async fn forward(mut body: BodyDataStream, pieces: mpsc::Sender<Bytes>) -> bool {
    loop {
        match timeout(DEPOSIT_STALL, body.next()).await {
            Ok(Some(Ok(piece))) => {
                if pieces.send(piece).await.is_err() {
                    // The disk has failed: why stands in the sealing's result.
                    return true;
                }
            }
            Ok(None) => return true,
            Ok(Some(Err(_))) | Err(_) => return false,
        }
    }
}

fn seal(vault: &Vault, mut pieces: Pieces, length: u64) -> Result<Kept, VaultError> {
    let placed = vault.seal(&mut pieces, length)?;
    Ok((placed, pieces.hasher.finish()))
}

/// The body as it is read by a thread that may wait; what was read is hashed.
struct Pieces {
    pieces: mpsc::Receiver<Bytes>,
    piece: Bytes,
    hasher: hash::Blake3,
}

impl Pieces {
    fn new(pieces: mpsc::Receiver<Bytes>) -> Self {
        Self { pieces, piece: Bytes::new(), hasher: hash::Blake3::default() }
    }
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            let Some(piece) = self.pieces.blocking_recv() else { return Ok(0) };
            self.piece = piece;
        }
        let count = into.len().min(self.piece.len());
        let taken = self.piece.split_to(count);
        self.hasher.update(&taken);
        taken.reader().read(into)
    }
}
