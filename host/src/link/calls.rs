//! Asking: the one long-lived stream on which all small calls to a peer go out and their answers come back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared as SharedFuture};
use libp2p::PeerId;
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::compat::FuturesAsyncReadCompatExt;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::error::{CallError, Part, PeerFault, Refusal, StreamEnd};
use super::frame::{Assembled, Assembly, CallFrame, Declined, Frames};
use super::limits::{
    BUSY_PAUSE_MAX, BUSY_PAUSE_MIN, CALL_FRAME_BYTES_MAX, DEADLINE_MAX, MESSAGE_BYTES_MAX,
    RECONNECT_PAUSE_MAX, RECONNECT_PAUSE_MIN, STEADY_AFTER,
};
use super::outbox::{Content, Message, in_time, send};
use super::peer::{Peer, Shared, as_millis, locked};
use super::streams::{Purpose, Wire};

/// What is asked of a peer.
pub(super) struct Question {
    pub(super) method: u16,
    pub(super) request: Bytes,
    pub(super) deadline: Duration,
}

/// Asks until there is an answer, a reason why not, or the deadline.
pub(super) async fn call(
    shared: &Arc<Shared>,
    peer: &Arc<Peer>,
    question: Question,
) -> Result<Bytes, CallError> {
    let until = Instant::now() + question.deadline.min(DEADLINE_MAX);
    timeout_at(until, attempts(shared, peer, &question, until)).await.unwrap_or(Err(CallError::TimedOut))
}

async fn attempts(
    shared: &Arc<Shared>,
    peer: &Arc<Peer>,
    question: &Question,
    until: Instant,
) -> Result<Bytes, CallError> {
    // Never closed. Waiting here is in order of arrival, and keeps the peer from having to say that it is busy.
    let _turn = peer.calls_out.acquire().await;
    let mut backoff = Backoff::new(BUSY_PAUSE_MIN, BUSY_PAUSE_MAX);
    loop {
        let stream = peer.line.stream(shared, peer).await?;
        match stream.ask(question, until).await {
            // It was about to be closed for want of use.
            None => {}
            Some(Err(CallError::Busy)) => {
                let pause = backoff.pause();
                if Instant::now() + pause >= until {
                    return Err(CallError::Busy);
                }
                sleep(pause).await;
            }
            Some(done) => return done,
        }
    }
}

/// The way to one peer: the open stream, or the one attempt to open it that everyone waits for.
#[derive(Default)]
pub(super) struct Line {
    current: Mutex<Option<Opening>>,
}

type Opening = SharedFuture<BoxFuture<'static, Result<Arc<CallStream>, CallError>>>;

impl Line {
    fn stream(&self, shared: &Arc<Shared>, peer: &Arc<Peer>) -> Opening {
        let mut current = locked(&self.current);
        if let Some(opening) = current.as_ref().filter(|opening| is_usable(opening)) {
            return opening.clone();
        }
        let opening = open(Arc::clone(shared), Arc::clone(peer)).boxed().shared();
        // Goes on even if nobody waits any more: half an attempt must not be what the next caller finds.
        tokio::spawn(opening.clone());
        *current = Some(opening.clone());
        opening
    }
}

/// Still on its way, or open and not ended.
fn is_usable(opening: &Opening) -> bool {
    match opening.peek() {
        None => true,
        Some(Ok(stream)) => !stream.ended.is_cancelled(),
        Some(Err(_)) => false,
    }
}

/// Keeps a stream open to a peer, and with it the connection on both sides, for as long as the process runs.
pub(super) async fn keep(shared: Arc<Shared>, peer: PeerId) {
    let mut backoff = Backoff::new(RECONNECT_PAUSE_MIN, RECONNECT_PAUSE_MAX);
    let mut roster = shared.roster.clone();
    loop {
        if roster.wait_for(|roster| roster.contains(&peer)).await.is_err() {
            return;
        }
        let Ok(member) = shared.member(peer) else { continue };
        let before = Instant::now();
        if let Ok(stream) = member.line.stream(&shared, &member).await {
            stream.ended.cancelled().await;
            if before.elapsed() > STEADY_AFTER {
                backoff.reset();
            }
        }
        tokio::select! {
            () = sleep(backoff.pause()) => {}
            // Perhaps the peer has another address now.
            Ok(()) = roster.changed() => {}
        }
    }
}

/// Our end of the stream.
struct CallStream {
    queue: mpsc::Sender<Message>,
    desk: Arc<Desk>,
    ended: CancellationToken,
}

/// The calls that wait for their answers.
struct Desk(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    closed: Option<Closed>,
    last: u64,
    calls: BTreeMap<u64, Call>,
}

/// Why no more calls are taken.
#[derive(Clone, Copy)]
enum Closed {
    /// Nobody used it.
    Unused,
    /// It broke.
    Ended(StreamEnd),
}

struct Call {
    reply: oneshot::Sender<Result<Bytes, CallError>>,
    so_far: Option<Assembly>,
}

/// Opens the stream and waits for the greeting: who gets none was turned away.
async fn open(shared: Arc<Shared>, peer: Arc<Peer>) -> Result<Arc<CallStream>, CallError> {
    let opened = establish(&shared, &peer).await;
    // The driver has noted already whom it cannot reach.
    if let Err(error) = &opened
        && !matches!(error, CallError::Unreachable { .. })
    {
        shared.note(&peer, error.to_string());
    }
    opened
}

async fn establish(shared: &Arc<Shared>, peer: &Arc<Peer>) -> Result<Arc<CallStream>, CallError> {
    let Wire { stream, gone } = shared.open(peer.id, Purpose::Calls).await?;
    let (reader, mut writer) = tokio::io::split(stream.compat());
    let mut frames = Frames::new(reader, CALL_FRAME_BYTES_MAX);
    let greeting = async {
        // The name of the protocol goes out with the first flush.
        in_time(shared.limits.stall, writer.flush()).await?;
        timeout(shared.limits.stall, frames.next()).await.map_err(|_| StreamEnd::Stalled)?
    };
    let greeting = gone.run_until_cancelled(greeting).await.unwrap_or(Err(StreamEnd::Closed));
    match greeting.and_then(|frame| Ok(CallFrame::decode(frame)?)) {
        Ok(CallFrame::Hello) => {}
        Ok(_) => return Err(PeerFault::OutOfPlace.into()),
        Err(StreamEnd::Closed) => return Err(CallError::TurnedAway),
        Err(end) => return Err(end.into()),
    }
    let (queue, messages) = mpsc::channel(shared.limits.calls_per_peer.max(1));
    let desk = Arc::new(Desk(Mutex::new(Waiting::default())));
    let ended = CancellationToken::new();
    let stream = Arc::new(CallStream { queue, desk: Arc::clone(&desk), ended: ended.clone() });
    let (shared, peer) = (Arc::clone(shared), Arc::clone(peer));
    tokio::spawn(async move {
        let end = tokio::select! {
            biased;
            () = gone.cancelled() => StreamEnd::Closed,
            end = desk.receive(frames, &shared, &peer) => end,
            sent = send(writer, messages, shared.limits.stall) => sent.err().unwrap_or(StreamEnd::Closed),
        };
        ended.cancel();
        desk.close(end);
        shared.on_stream_end(&peer, end);
    });
    Ok(stream)
}

impl CallStream {
    /// Sends the request and waits for its answer. `None` if the stream was left unused and takes no more.
    async fn ask(&self, question: &Question, until: Instant) -> Option<Result<Bytes, CallError>> {
        let (id, answer) = match self.desk.register() {
            Ok(registered) => registered,
            Err(Closed::Unused) => return None,
            Err(Closed::Ended(end)) => return Some(Err(end.into())),
        };
        let _forget = Forget { desk: &self.desk, id };
        let left = until.saturating_duration_since(Instant::now());
        let content = Content::Request {
            method: question.method,
            deadline_ms: as_millis(left),
            body: question.request.clone(),
        };
        // If this fails, the stream is ending, and its end is the answer.
        let _ = self.queue.send(Message { id, content, counted: Vec::new() }).await;
        Some(answer.await.unwrap_or(Err(CallError::Disconnected)))
    }
}

/// Takes a call off the desk when its caller no longer waits.
struct Forget<'a> {
    desk: &'a Desk,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        locked(&self.desk.0).calls.remove(&self.id);
    }
}

impl Desk {
    fn register(&self) -> Result<(u64, oneshot::Receiver<Result<Bytes, CallError>>), Closed> {
        let mut waiting = locked(&self.0);
        if let Some(closed) = waiting.closed {
            return Err(closed);
        }
        let (reply, answer) = oneshot::channel();
        waiting.last += 1;
        let id = waiting.last;
        waiting.calls.insert(id, Call { reply, so_far: None });
        Ok((id, answer))
    }

    /// Takes answers until the stream ends, or nobody has used it for long and nobody wants it kept.
    async fn receive(
        &self,
        mut frames: Frames<impl AsyncRead + Unpin>,
        shared: &Shared,
        peer: &Peer,
    ) -> StreamEnd {
        loop {
            let frame = match timeout(shared.limits.idle, frames.next()).await {
                Ok(Ok(frame)) => frame,
                Ok(Err(end)) => return end,
                Err(_) if shared.is_kept(peer.id) || !self.close_if_unused() => continue,
                Err(_) => return StreamEnd::Closed,
            };
            if let Err(fault) = CallFrame::decode(frame).and_then(|frame| self.take(frame)) {
                return StreamEnd::Fault(fault);
            }
        }
    }

    fn take(&self, frame: CallFrame) -> Result<(), PeerFault> {
        match frame {
            CallFrame::Answer { id, total, piece } => self.assemble(id, |_| Assembly::start(total, piece)),
            CallFrame::More { id, piece } => self.assemble(id, |so_far| match so_far {
                Some(assembly) => assembly.push(&piece),
                None => Err(PeerFault::OutOfPlace),
            }),
            CallFrame::Refused { id, code, detail } => {
                self.reply(id, Err(CallError::Refused(Refusal { code, detail })))
            }
            CallFrame::Declined { id, reason } => self.reply(id, Err(declined(reason))),
            CallFrame::Hello | CallFrame::Request { .. } => Err(PeerFault::OutOfPlace),
        }
    }

    /// Adds a piece to an answer. Pieces of answers that nobody waits for any more are let go.
    fn assemble(
        &self,
        id: u64,
        add: impl FnOnce(Option<Assembly>) -> Result<Assembled, PeerFault>,
    ) -> Result<(), PeerFault> {
        let mut waiting = locked(&self.0);
        if id > waiting.last {
            return Err(PeerFault::OutOfPlace);
        }
        let Some(call) = waiting.calls.get_mut(&id) else { return Ok(()) };
        match add(call.so_far.take())? {
            Assembled::Part(assembly) => call.so_far = Some(assembly),
            Assembled::Whole(answer) => {
                drop(waiting);
                return self.reply(id, Ok(answer));
            }
        }
        Ok(())
    }

    fn reply(&self, id: u64, result: Result<Bytes, CallError>) -> Result<(), PeerFault> {
        let mut waiting = locked(&self.0);
        if id > waiting.last {
            return Err(PeerFault::OutOfPlace);
        }
        if let Some(call) = waiting.calls.remove(&id) {
            let _ = call.reply.send(result);
        }
        Ok(())
    }

    fn close_if_unused(&self) -> bool {
        let mut waiting = locked(&self.0);
        let unused = waiting.calls.is_empty();
        waiting.closed = unused.then_some(Closed::Unused);
        unused
    }

    /// Fails what waits, and whoever comes later goes to a new stream.
    fn close(&self, end: StreamEnd) {
        let calls = {
            let mut waiting = locked(&self.0);
            waiting.closed.get_or_insert(Closed::Ended(end));
            std::mem::take(&mut waiting.calls)
        };
        for call in calls.into_values() {
            let _ = call.reply.send(Err(end.into()));
        }
    }
}

/// What a reason means to the caller.
pub(super) fn declined(reason: Declined) -> CallError {
    match reason {
        Declined::Busy => CallError::Busy,
        Declined::AnswerTooLarge => CallError::TooLarge { part: Part::Answer, limit: MESSAGE_BYTES_MAX },
        Declined::Late => CallError::TimedOut,
        Declined::Failed => CallError::PeerFailed,
    }
}
