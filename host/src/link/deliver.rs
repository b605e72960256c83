//! Delivering: the pull streams that peers opened. One request in, then only bytes out: a side that writes while the
//! other waits for its own turn to write could block both for ever.

use std::io;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_util::compat::FuturesAsyncReadCompatExt;

use super::PullAnswer;
use super::error::{PeerFault, Refusal, Stop, StreamEnd};
use super::frame::{CHUNK_HEAD_BYTES, Declined, Frames, PullFrame, chunk_head};
use super::limits::{
    CHUNK_BYTES_MAX, DEADLINE_MAX, PULL_HEADER_BYTES_MAX, PULL_REQUEST_BYTES_MAX, REFUSAL_DETAIL_BYTES_MAX,
};
use super::outbox::in_time;
use super::peer::{Peer, Shared};
use super::streams::Wire;

/// Serves one pull to its end, or until the asker leaves.
pub(super) async fn serve_pull(shared: Arc<Shared>, peer: Arc<Peer>, wire: Wire) {
    let (reader, writer) = tokio::io::split(wire.stream.compat());
    let mut frames = Frames::new(reader, PULL_REQUEST_BYTES_MAX + 1);
    let work = async {
        let frame = timeout(shared.limits.stall, frames.next()).await.map_err(|_| StreamEnd::Stalled)??;
        let PullFrame::Ask { request } = PullFrame::decode(frame)? else {
            return Err(PeerFault::OutOfPlace.into());
        };
        let mut delivery = Delivery { shared: &shared, peer: &peer, writer };
        tokio::select! {
            biased;
            // The asker has nothing more to say: whatever comes, it is not waiting for the body any more.
            _ = frames.next() => Err(StreamEnd::Closed),
            end = delivery.answer(request) => end,
        }
    };
    if let Some(Err(end)) = wire.gone.run_until_cancelled(work).await {
        shared.on_stream_end(&peer, end);
    }
}

struct Delivery<'a, W> {
    shared: &'a Shared,
    peer: &'a Peer,
    writer: W,
}

impl<W: AsyncWrite + Unpin> Delivery<'_, W> {
    async fn answer(&mut self, request: Bytes) -> Result<(), StreamEnd> {
        self.shared.member(self.peer.id).map_err(|_| StreamEnd::Closed)?;
        let room = if self.shared.stopping.is_cancelled() { None } else { self.shared.admit_pull(self.peer) };
        let Some(_room) = room else {
            return self.last(PullFrame::Declined { reason: Declined::Busy }).await;
        };
        match timeout(DEADLINE_MAX, self.shared.service.pull(self.peer.id, request)).await {
            Ok(Ok(answer)) if answer.header.len() <= PULL_HEADER_BYTES_MAX => self.deliver(answer).await,
            Ok(Err(Refusal { code, detail })) if detail.len() <= REFUSAL_DETAIL_BYTES_MAX => {
                self.last(PullFrame::Refused { code, detail }).await
            }
            Ok(_) => self.last(PullFrame::Declined { reason: Declined::AnswerTooLarge }).await,
            Err(_) => self.last(PullFrame::Declined { reason: Declined::Late }).await,
        }
    }

    async fn deliver(&mut self, answer: PullAnswer) -> Result<(), StreamEnd> {
        let PullAnswer { header, length, mut body } = answer;
        let mut out = BytesMut::with_capacity(CHUNK_HEAD_BYTES + CHUNK_BYTES_MAX);
        PullFrame::Begin { length, header }.encode(&mut out);
        let mut left = length;
        while left > 0 {
            self.write(&out).await?;
            out.clear();
            match read_chunk(&mut body, &mut out, left).await {
                Ok(0) => return self.last(failed(self.peer, &io::ErrorKind::UnexpectedEof.into())).await,
                Ok(read) => left = left.saturating_sub(read),
                Err(error) => return self.last(failed(self.peer, &error)).await,
            }
        }
        self.write(&out).await?;
        in_time(self.shared.limits.stall, self.writer.shutdown()).await
    }

    /// Says the one thing that is left to say.
    async fn last(&mut self, frame: PullFrame) -> Result<(), StreamEnd> {
        let mut out = BytesMut::new();
        frame.encode(&mut out);
        self.write(&out).await?;
        in_time(self.shared.limits.stall, self.writer.shutdown()).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), StreamEnd> {
        in_time(self.shared.limits.stall, self.writer.write_all(bytes)).await
    }
}

/// Reads the next chunk behind room for its head, and fills that in. How long this takes is the service's affair: the
/// asker leaves when it takes too long.
async fn read_chunk(body: &mut (impl AsyncRead + Unpin), out: &mut BytesMut, left: u64) -> io::Result<u64> {
    let most = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_BYTES_MAX);
    out.put_bytes(0, CHUNK_HEAD_BYTES);
    let read = body.read_buf(&mut out.limit(most)).await?;
    let bytes = u32::try_from(read).map_err(io::Error::other)?;
    if let Some(head) = out.get_mut(..CHUNK_HEAD_BYTES) {
        head.copy_from_slice(&chunk_head(bytes));
    }
    Ok(u64::from(bytes))
}

/// A body that stops on purpose says why; any other failure is for our own log.
fn failed(peer: &Peer, error: &io::Error) -> PullFrame {
    if let Some(Stop(code)) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return PullFrame::Stopped { code: *code };
    }
    tracing::error!(peer = %peer.id, %error, "the body of a pull failed");
    PullFrame::Declined { reason: Declined::Failed }
}
