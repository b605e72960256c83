//! The door for HL7 v2 over MLLP, behind TLS if it is configured: frames in, acknowledgements out, one connection's messages in order.
//!
//! A frame has one answer. Where it holds several messages, it says the worst that became of one; what was taken of them
//! is known again when the frame is sent again.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use yiqiao_host::clock::Clock;
use yiqiao_host::keys;
use yiqiao_host::limits::ACCEPT_PAUSE;
use yiqiao_intake::facts::Format;
use yiqiao_intake::hl7::ack::{Stamp, Verdict, acknowledge};
use yiqiao_intake::hl7::mllp::{self, Decoder, FrameError};
use yiqiao_intake::limits::MESSAGE_BYTES_MAX;
use yiqiao_intake::refusal::Refusal;
use yiqiao_journal::limits::RECORD_BYTES_MAX;
use yiqiao_node_core::connection::{Door, Origin};

use crate::config::MllpDoor;
use crate::limits::{MLLP_CONNECTIONS_MAX, MLLP_IDLE, MLLP_READ_BYTES, MLLP_STALL};
use crate::reception::{Reception, Taken};
use crate::sequencer::NotTaken;

/// An MLLP door that listens.
pub(crate) struct Mllp {
    pub(crate) door: MllpDoor,
    pub(crate) listener: TcpListener,
    pub(crate) reception: Reception,
    pub(crate) clock: Clock,
}

impl Mllp {
    /// Takes connections until it is dropped.
    pub(crate) async fn serve(self) {
        let door = Arc::new(self);
        let room = Arc::new(Semaphore::new(MLLP_CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        loop {
            // Never closed. Who comes beyond the bound waits in the kernel's queue.
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
            while connections.try_join_next().is_some() {}
            match door.listener.accept().await {
                Ok((stream, from)) if door.lets_in(from.ip()) => {
                    let door = Arc::clone(&door);
                    connections.spawn(async move {
                        door.greet(stream).await;
                        drop(place);
                    });
                }
                Ok((_, from)) => {
                    tracing::warn!(%from, system = %door.door.system, "a sender that is not configured is turned away");
                }
                Err(error) => {
                    tracing::warn!(%error, "an MLLP door takes no connections");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn lets_in(&self, from: std::net::IpAddr) -> bool {
        self.door.senders.is_empty() || self.door.senders.contains(&from.to_canonical())
    }

    /// Attends to a sender, behind TLS if the door has it.
    async fn greet(&self, stream: TcpStream) {
        // Small answers are not to wait for more.
        stream.set_nodelay(true).ok();
        let Some(acceptor) = &self.door.tls else { return self.attend(stream).await };
        match timeout(MLLP_STALL, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => self.attend(stream).await,
            Ok(Err(error)) => {
                tracing::warn!(system = %self.door.system, %error, "a sender does not come by TLS");
            }
            Err(_) => tracing::warn!(system = %self.door.system, "a sender does not come by TLS in time"),
        }
    }

    async fn attend(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut decoder = Decoder::new(MESSAGE_BYTES_MAX);
        let mut bytes = vec![0; MLLP_READ_BYTES];
        let mut stray = 0;
        loop {
            let patience = if decoder.is_within() { MLLP_STALL } else { MLLP_IDLE };
            let Some(read) = self.read(&mut stream, &mut bytes, patience).await else { break };
            for frame in decoder.push(bytes.get(..read).unwrap_or_default()) {
                let answer = match frame {
                    Ok(message) => self.take(message).await,
                    Err(error) => self.unframed(error).await,
                };
                if !self.write(&mut stream, answer).await {
                    return;
                }
            }
            if decoder.stray() > stray {
                stray = decoder.stray();
                tracing::warn!(system = %self.door.system, bytes = stray, "bytes came that are in no MLLP frame");
            }
        }
        if let Err(error) = decoder.finish() {
            tracing::warn!(system = %self.door.system, %error, "the last frame of a connection is not taken");
            self.count(&refusal(error)).await;
        }
    }

    /// The next bytes; nothing at the end, or if they do not come in time.
    async fn read(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        bytes: &mut [u8],
        patience: Duration,
    ) -> Option<usize> {
        match timeout(patience, stream.read(bytes)).await {
            Ok(Ok(read)) => Some(read).filter(|read| *read > 0),
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// Whether the sender took the answer.
    async fn write(&self, stream: &mut (impl AsyncWrite + Unpin), answer: Option<Vec<u8>>) -> bool {
        let Some(answer) = answer else { return true };
        let frame = mllp::encode(&answer);
        let written = async {
            stream.write_all(&frame).await?;
            // TLS keeps what it has not been told to send.
            stream.flush().await
        };
        matches!(timeout(MLLP_STALL, written).await, Ok(Ok(())))
    }

    /// Takes the messages of a frame; the acknowledgement, if the sender wants one.
    async fn take(&self, message: Vec<u8>) -> Option<Vec<u8>> {
        let message: Arc<[u8]> = message.into();
        let taken = self
            .reception
            .take(&self.door.system, Door::Mllp, Arc::clone(&message), Some(Format::Hl7V2))
            .await;
        self.acknowledge(&message, verdict(&taken))
    }

    async fn unframed(&self, error: FrameError) -> Option<Vec<u8>> {
        tracing::warn!(system = %self.door.system, %error, "a frame is not taken");
        let refusal = refusal(error);
        self.count(&refusal).await;
        self.acknowledge(b"", Verdict::Refused(&refusal))
    }

    /// Counts a frame that is none.
    async fn count(&self, refusal: &Refusal) {
        let origin = Origin { wrong: refusal.to_string(), ..Origin::through(Door::Mllp) };
        self.reception.unread(&self.door.system, origin).await;
    }

    fn acknowledge(&self, message: &[u8], verdict: Verdict<'_>) -> Option<Vec<u8>> {
        let control_id = hex::encode(keys::random::<10>());
        let stamp = Stamp { now: self.clock.now(), control_id: &control_id, zone: self.reception.zone() };
        acknowledge(message, verdict, stamp)
    }
}

const fn refusal(error: FrameError) -> Refusal {
    match error {
        FrameError::TooLong { limit } => Refusal::TooLarge { what: "an MLLP frame", limit },
        FrameError::Unterminated { .. } => Refusal::FrameUnterminated,
    }
}

/// What one frame is answered: the worst that became of its messages. Bytes before the first message are no message.
fn verdict(taken: &[Taken]) -> Verdict<'_> {
    let mut worst = Verdict::Taken;
    for one in taken {
        match one {
            Err(NotTaken::TooLong) => return Verdict::Refused(&TOO_LONG),
            Err(NotTaken::Busy | NotTaken::Stopping | NotTaken::Refused(_)) => return Verdict::NotNow,
            Ok(answer) => match &answer.refusal {
                Some(Refusal::BeforeFirstMessage { .. }) if taken.len() > 1 => {}
                Some(refusal) => worst = Verdict::Refused(refusal),
                None => {}
            },
        }
    }
    worst
}

/// More than one record of the journal takes.
const TOO_LONG: Refusal = Refusal::TooLarge { what: "what one message says", limit: RECORD_BYTES_MAX };
