//! Pulling: one stream per body, taken chunk by chunk as fast as the caller wants it.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use libp2p::Stream;
use tokio::io::AsyncWriteExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt};
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::backoff::Backoff;
use super::calls::declined;
use super::error::{CallError, PeerFault, PullError, Refusal, StreamEnd};
use super::frame::{Frames, PullFrame};
use super::limits::{BUSY_PAUSE_MAX, BUSY_PAUSE_MIN, CHUNK_BYTES_MAX, DEADLINE_MAX, PULL_FRAME_BYTES_MAX};
use super::outbox::in_time;
use super::peer::{Peer, Shared};
use super::streams::{Purpose, Wire};

/// A body on its way here. Dropping it tells the holder to stop.
pub struct Pull {
    header: Bytes,
    length: u64,
    left: u64,
    /// None after an error: a broken stream must not be read again.
    frames: Option<Frames<Compat<Stream>>>,
    gone: CancellationToken,
    stall: Duration,
    _turn: OwnedSemaphorePermit,
    _running: TaskTrackerToken,
}

impl Pull {
    /// What the holder's service says about the body.
    pub fn header(&self) -> &Bytes {
        &self.header
    }

    /// How many bytes the body has.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The next bytes, or `None` after the last one. Nothing is read ahead of the caller but the window of the
    /// stream. Safe to cancel.
    ///
    /// # Errors
    ///
    /// The body will not come to its end; which part of it came is still good as far as the caller verified it.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, PullError> {
        if self.left == 0 {
            self.frames = None;
            return Ok(None);
        }
        let next = self.next().await;
        if next.is_err() {
            self.frames = None;
        }
        next.map(Some)
    }

    async fn next(&mut self) -> Result<Bytes, PullError> {
        let frames = self.frames.as_mut().ok_or(PullError::Disconnected)?;
        let frame = match timeout(self.stall, self.gone.run_until_cancelled(frames.next())).await {
            Ok(Some(Ok(frame))) => PullFrame::decode(frame)?,
            Ok(Some(Err(StreamEnd::Fault(fault)))) => return Err(fault.into()),
            Ok(Some(Err(StreamEnd::Closed | StreamEnd::Stalled)) | None) => {
                return Err(PullError::Disconnected);
            }
            Err(_) => return Err(PullError::Stalled { after: self.stall }),
        };
        match frame {
            PullFrame::Chunk { bytes } if bytes.is_empty() => Err(PeerFault::OutOfPlace.into()),
            PullFrame::Chunk { bytes } => {
                let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                self.left = self.left.checked_sub(length).ok_or(PeerFault::BeyondLength)?;
                Ok(bytes)
            }
            PullFrame::Stopped { code } => Err(PullError::Stopped { code }),
            PullFrame::Declined { .. } => Err(PullError::HolderFailed),
            PullFrame::Ask { .. } | PullFrame::Begin { .. } | PullFrame::Refused { .. } => {
                Err(PeerFault::OutOfPlace.into())
            }
        }
    }
}

impl std::fmt::Debug for Pull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pull").field("length", &self.length).field("left", &self.left).finish_non_exhaustive()
    }
}

/// Asks until the body begins, or there is a reason why not, or the deadline.
pub(super) async fn pull(
    shared: &Arc<Shared>,
    peer: &Arc<Peer>,
    request: Bytes,
    deadline: Duration,
) -> Result<Pull, CallError> {
    let until = Instant::now() + deadline.min(DEADLINE_MAX);
    let attempts = attempts(shared, peer, request, until);
    timeout_at(until, attempts).await.unwrap_or(Err(CallError::TimedOut))
}

async fn attempts(
    shared: &Arc<Shared>,
    peer: &Arc<Peer>,
    request: Bytes,
    until: Instant,
) -> Result<Pull, CallError> {
    let turn = Arc::clone(&peer.pulls_out).acquire_owned().await.map_err(|_| CallError::Stopping)?;
    let mut ask = BytesMut::new();
    PullFrame::Ask { request }.encode(&mut ask);
    let mut backoff = Backoff::new(BUSY_PAUSE_MIN, BUSY_PAUSE_MAX);
    loop {
        let begun = match begin(shared, peer, &ask).await {
            Err(CallError::Busy) => {
                let pause = backoff.pause();
                if Instant::now() + pause >= until {
                    return Err(CallError::Busy);
                }
                sleep(pause).await;
                continue;
            }
            begun => begun?,
        };
        return Ok(Pull {
            header: begun.header,
            length: begun.length,
            left: begun.length,
            frames: Some(begun.frames),
            gone: begun.gone,
            stall: shared.limits.stall,
            _turn: turn,
            _running: shared.running.token(),
        });
    }
}

struct Begun {
    header: Bytes,
    length: u64,
    frames: Frames<Compat<Stream>>,
    gone: CancellationToken,
}

async fn begin(shared: &Shared, peer: &Peer, ask: &[u8]) -> Result<Begun, CallError> {
    let Wire { stream, gone } = shared.open(peer.id, Purpose::Pull).await?;
    let mut frames = Frames::new(stream.compat(), PULL_FRAME_BYTES_MAX);
    let conversation = async {
        in_time(shared.limits.stall, frames.stream().write_all(ask)).await?;
        in_time(shared.limits.stall, frames.stream().flush()).await?;
        frames.next().await
    };
    let frame = gone.run_until_cancelled(conversation).await.unwrap_or(Err(StreamEnd::Closed))?;
    match PullFrame::decode(frame)? {
        PullFrame::Begin { length, header } => {
            frames.limit(CHUNK_BYTES_MAX + 1);
            Ok(Begun { header, length, frames, gone })
        }
        PullFrame::Refused { code, detail } => Err(CallError::Refused(Refusal { code, detail })),
        PullFrame::Declined { reason } => Err(declined(reason)),
        PullFrame::Ask { .. } | PullFrame::Chunk { .. } | PullFrame::Stopped { .. } => {
            Err(PeerFault::OutOfPlace.into())
        }
    }
}
