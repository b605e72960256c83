//! What is on its way out on a call stream, and in which order. Short messages go before the next piece of a long one;
//! long ones take turns, a piece each.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use super::error::StreamEnd;
use super::frame::{CallFrame, Declined};
use super::limits::{PIECE_BYTES_MAX, WRITE_BYTES};

/// One message to send.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: u64,
    pub(super) content: Content,
    /// What it counts against; given back once its last piece is on the way.
    pub(super) counted: Vec<OwnedSemaphorePermit>,
}

/// What a message says.
#[derive(Debug)]
pub(super) enum Content {
    Hello,
    Request { method: u16, deadline_ms: u32, body: Bytes },
    Answer { body: Bytes },
    Refused { code: u16, detail: Bytes },
    Declined { reason: Declined },
}

impl Message {
    pub(super) fn hello() -> Self {
        Self { id: 0, content: Content::Hello, counted: Vec::new() }
    }

    pub(super) fn declined(id: u64, reason: Declined) -> Self {
        Self { id, content: Content::Declined { reason }, counted: Vec::new() }
    }

    fn is_long(&self) -> bool {
        match &self.content {
            Content::Request { body, .. } | Content::Answer { body } => body.len() > PIECE_BYTES_MAX,
            Content::Hello | Content::Refused { .. } | Content::Declined { .. } => false,
        }
    }

    /// The first frame, and what of the message is left after it.
    fn into_first_frame(self) -> (CallFrame, Rest) {
        let Self { id, content, counted } = self;
        let (frame, rest) = match content {
            Content::Hello => (CallFrame::Hello, Bytes::new()),
            Content::Request { method, deadline_ms, body } => {
                let (total, piece, rest) = first_piece(body);
                (CallFrame::Request { id, method, deadline_ms, total, piece }, rest)
            }
            Content::Answer { body } => {
                let (total, piece, rest) = first_piece(body);
                (CallFrame::Answer { id, total, piece }, rest)
            }
            Content::Refused { code, detail } => (CallFrame::Refused { id, code, detail }, Bytes::new()),
            Content::Declined { reason } => (CallFrame::Declined { id, reason }, Bytes::new()),
        };
        (frame, Rest { id, bytes: rest, counted })
    }
}

/// Lengths are checked against the limit of a message before it comes here, so they fit.
fn first_piece(mut body: Bytes) -> (u32, Bytes, Bytes) {
    let total = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let piece = body.split_to(body.len().min(PIECE_BYTES_MAX));
    (total, piece, body)
}

/// What of a long message has not been sent.
struct Rest {
    id: u64,
    bytes: Bytes,
    counted: Vec<OwnedSemaphorePermit>,
}

enum Long {
    Untouched(Message),
    Begun(Rest),
}

/// The messages that wait, bounded by who may hand them in: requests and answers by the calls in flight.
#[derive(Default)]
struct Outbox {
    short: VecDeque<Message>,
    long: VecDeque<Long>,
}

impl Outbox {
    fn push(&mut self, message: Message) {
        if message.is_long() {
            self.long.push_back(Long::Untouched(message));
        } else {
            self.short.push_back(message);
        }
    }

    fn is_empty(&self) -> bool {
        self.short.is_empty() && self.long.is_empty()
    }

    /// Appends what goes out next: short messages up to a write's worth, then one piece of a long one.
    fn fill(&mut self, out: &mut BytesMut) {
        while out.len() < WRITE_BYTES {
            let Some(message) = self.short.pop_front() else { break };
            message.into_first_frame().0.encode(out);
        }
        let (frame, mut rest) = match self.long.pop_front() {
            Some(Long::Untouched(message)) => message.into_first_frame(),
            Some(Long::Begun(rest)) => rest.into_next_frame(),
            None => return,
        };
        frame.encode(out);
        if rest.bytes.is_empty() {
            rest.counted.clear();
        } else {
            self.long.push_back(Long::Begun(rest));
        }
    }
}

impl Rest {
    fn into_next_frame(mut self) -> (CallFrame, Self) {
        let piece = self.bytes.split_to(self.bytes.len().min(PIECE_BYTES_MAX));
        (CallFrame::More { id: self.id, piece }, self)
    }
}

/// Sends what comes through the queue until the queue ends or the other side takes nothing for too long.
pub(super) async fn send(
    mut stream: impl AsyncWrite + Unpin,
    mut queue: mpsc::Receiver<Message>,
    stall: Duration,
) -> Result<(), StreamEnd> {
    let mut outbox = Outbox::default();
    let mut out = BytesMut::new();
    while let Some(message) = queue.recv().await {
        outbox.push(message);
        while !outbox.is_empty() {
            while let Ok(message) = queue.try_recv() {
                outbox.push(message);
            }
            outbox.fill(&mut out);
            in_time(stall, stream.write_all(&out)).await?;
            out.clear();
        }
        in_time(stall, stream.flush()).await?;
    }
    in_time(stall, stream.shutdown()).await
}

/// Waits for a step of writing or reading, but not for ever.
pub(super) async fn in_time<T>(
    stall: Duration,
    step: impl Future<Output = std::io::Result<T>>,
) -> Result<T, StreamEnd> {
    match timeout(stall, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) => Err(StreamEnd::Closed),
        Err(_) => Err(StreamEnd::Stalled),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Buf;

    use super::*;

    fn answer(id: u64, length: usize) -> Message {
        Message { id, content: Content::Answer { body: vec![0; length].into() }, counted: Vec::new() }
    }

    /// The ids of the frames of one fill, in order.
    fn ids(outbox: &mut Outbox) -> Vec<u64> {
        let mut out = BytesMut::new();
        outbox.fill(&mut out);
        let mut out = out.freeze();
        let mut ids = Vec::new();
        while out.has_remaining() {
            let length = out.get_u32() as usize;
            let frame = CallFrame::decode(out.split_to(length)).unwrap();
            let (CallFrame::Answer { id, .. } | CallFrame::More { id, .. }) = frame else {
                panic!("{frame:?}")
            };
            ids.push(id);
        }
        ids
    }

    #[test]
    fn a_short_message_waits_for_at_most_one_piece_of_long_ones() {
        let mut outbox = Outbox::default();
        outbox.push(answer(1, 3 * PIECE_BYTES_MAX));
        outbox.push(answer(2, 2 * PIECE_BYTES_MAX));
        assert_eq!(ids(&mut outbox), [1]);
        outbox.push(answer(3, 10));
        assert_eq!(ids(&mut outbox), [3, 2]);
        assert_eq!(ids(&mut outbox), [1]);
    }

    #[test]
    fn long_messages_move_on_however_many_short_ones_come() {
        let mut outbox = Outbox::default();
        outbox.push(answer(0, 2 * PIECE_BYTES_MAX));
        for id in 1..=100 {
            outbox.push(answer(id, PIECE_BYTES_MAX));
        }
        assert_eq!(ids(&mut outbox), [1, 2, 0]);
        assert_eq!(ids(&mut outbox), [3, 4, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_ends_the_stream() {
        let (ours, _theirs) = tokio::io::duplex(10);
        let (queue, messages) = mpsc::channel(1);
        queue.send(answer(1, 100)).await.unwrap();
        assert_eq!(send(ours, messages, Duration::from_secs(15)).await, Err(StreamEnd::Stalled));
    }
}
