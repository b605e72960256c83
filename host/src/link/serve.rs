//! Answering: the call streams that peers opened.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::try_join;
use tokio::io::AsyncRead;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::compat::FuturesAsyncReadCompatExt;

use super::error::{PeerFault, StreamEnd};
use super::frame::{Assembled, Assembly, CallFrame, Declined, Frames, length_of};
use super::limits::{CALL_FRAME_BYTES_MAX, DEADLINE_MAX, MESSAGE_BYTES_MAX, REFUSAL_DETAIL_BYTES_MAX};
use super::outbox::{Content, Message, send};
use super::peer::{Peer, Shared};
use super::streams::Wire;

/// Serves one stream until it ends, or until the process stops and what runs has been answered.
pub(super) async fn serve_calls(shared: Arc<Shared>, peer: Arc<Peer>, wire: Wire) {
    let (reader, writer) = tokio::io::split(wire.stream.compat());
    let (queue, messages) = mpsc::channel(shared.limits.calls_per_peer.max(1));
    let desk = Desk {
        shared: Arc::clone(&shared),
        peer: Arc::clone(&peer),
        queue,
        parts: BTreeMap::new(),
        running: JoinSet::new(),
    };
    let reading = desk.run(Frames::new(reader, CALL_FRAME_BYTES_MAX));
    let writing = send(writer, messages, shared.limits.stall);
    if let Some(Err(end)) = wire.gone.run_until_cancelled(try_join(reading, writing)).await {
        shared.on_stream_end(&peer, end);
    }
}

/// The requests of one stream: those that are still coming in, and those that the service works on. All end with the
/// stream.
struct Desk {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    queue: mpsc::Sender<Message>,
    parts: BTreeMap<u64, Part>,
    running: JoinSet<()>,
}

/// A request of which pieces are missing.
struct Part {
    assembly: Assembly,
    call: Call,
}

/// What is known of a request before its body.
struct Call {
    id: u64,
    method: u16,
    deadline: Duration,
    counted: Vec<OwnedSemaphorePermit>,
}

impl Desk {
    async fn run(mut self, mut frames: Frames<impl AsyncRead + Unpin>) -> Result<(), StreamEnd> {
        let shared = Arc::clone(&self.shared);
        self.say(Message::hello()).await?;
        loop {
            // Only who is in the middle of a request has to go on in time.
            let patience = (!self.parts.is_empty()).then_some(shared.limits.stall);
            tokio::select! {
                biased;
                () = shared.stopping.cancelled() => break,
                Some(_) = self.running.join_next() => {}
                frame = next_frame(&mut frames, patience) => self.take(CallFrame::decode(frame?)?).await?,
            }
        }
        while self.running.join_next().await.is_some() {}
        Ok(())
    }

    async fn take(&mut self, frame: CallFrame) -> Result<(), StreamEnd> {
        match frame {
            CallFrame::Request { id, method, deadline_ms, total, piece } => {
                let length = length_of(total)?;
                if self.parts.contains_key(&id) {
                    return Err(PeerFault::OutOfPlace.into());
                }
                // The member list is asked for each request, not only when the connection is made.
                self.shared.member(self.peer.id).map_err(|_| StreamEnd::Closed)?;
                let Some(counted) = self.shared.admit_call(&self.peer, length) else {
                    return self.say(Message::declined(id, Declined::Busy)).await;
                };
                let deadline = Duration::from_millis(deadline_ms.into()).min(DEADLINE_MAX);
                self.go_on(Call { id, method, deadline, counted }, Assembly::start(total, piece)?);
            }
            CallFrame::More { id, piece } => {
                // Pieces of a request that was declined are let go.
                if let Some(Part { assembly, call }) = self.parts.remove(&id) {
                    self.go_on(call, assembly.push(&piece)?);
                }
            }
            CallFrame::Hello
            | CallFrame::Answer { .. }
            | CallFrame::Refused { .. }
            | CallFrame::Declined { .. } => return Err(PeerFault::OutOfPlace.into()),
        }
        Ok(())
    }

    fn go_on(&mut self, call: Call, assembled: Assembled) {
        match assembled {
            Assembled::Part(assembly) => {
                self.parts.insert(call.id, Part { assembly, call });
            }
            Assembled::Whole(request) => {
                let (shared, peer, queue) =
                    (Arc::clone(&self.shared), Arc::clone(&self.peer), self.queue.clone());
                self.running.spawn(async move {
                    let answer = answer(&shared, &peer, call, request).await;
                    // Fails only if the stream has ended, and then nobody waits for the answer.
                    let _ = queue.send(answer).await;
                });
            }
        }
    }

    async fn say(&self, message: Message) -> Result<(), StreamEnd> {
        self.queue.send(message).await.map_err(|_| StreamEnd::Closed)
    }
}

async fn next_frame(
    frames: &mut Frames<impl AsyncRead + Unpin>,
    patience: Option<Duration>,
) -> Result<Bytes, StreamEnd> {
    match patience {
        Some(stall) => timeout(stall, frames.next()).await.unwrap_or(Err(StreamEnd::Stalled)),
        None => frames.next().await,
    }
}

/// Lets the service work on a request, in time and without letting a panic of it take the caller's time.
async fn answer(shared: &Shared, peer: &Peer, call: Call, request: Bytes) -> Message {
    let Call { id, method, deadline, counted } = call;
    let work = AssertUnwindSafe(async { shared.service.call(peer.id, method, request).await }).catch_unwind();
    let content = match timeout(deadline, work).await {
        Ok(Ok(Ok(body))) if body.len() <= MESSAGE_BYTES_MAX => Content::Answer { body },
        Ok(Ok(Err(no))) if no.detail.len() <= REFUSAL_DETAIL_BYTES_MAX => {
            Content::Refused { code: no.code, detail: no.detail }
        }
        Ok(Ok(_)) => Content::Declined { reason: Declined::AnswerTooLarge },
        Ok(Err(_)) => {
            tracing::error!(peer = %peer.id, method, "the service panicked on a call");
            Content::Declined { reason: Declined::Failed }
        }
        Err(_) => Content::Declined { reason: Declined::Late },
    };
    Message { id, content, counted }
}
