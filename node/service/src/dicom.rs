//! The door for DICOM: associations of devices in, one answer an instance once it is durable.
//!
//! | to find | look in |
//! |---|---|
//! | instances that wait for their study | [`spool`] |
//! | when a study is whole, and its document | [`studies`] |
//!
//! The protocol is `yiqiao-dicom`'s machine; behind TLS if it is configured.

pub(crate) mod spool;
pub(crate) mod studies;

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::timeout;
use yiqiao_dicom::association::{Association, Effect};
use yiqiao_dicom::command::Status;
use yiqiao_dicom::limits::PDU_BYTES_MAX;
use yiqiao_dicom::{Pdu, read_pdu};
use yiqiao_host::limits::ACCEPT_PAUSE;

use crate::config::DicomDoor;
use crate::dicom::spool::Incoming;
use crate::dicom::studies::{NotKept, Studies};
use crate::limits::{ASSOCIATION_IDLE, ASSOCIATION_STALL, ASSOCIATIONS_MAX};

/// Bytes in front of what a protocol data unit says: type, one reserved, length.
const HEAD_BYTES: usize = 6;

/// A DICOM door that listens.
pub(crate) struct Dicom {
    pub(crate) door: DicomDoor,
    pub(crate) listener: TcpListener,
    pub(crate) studies: Studies,
}

impl Dicom {
    /// Takes associations until it is dropped.
    pub(crate) async fn serve(self) {
        let door = Arc::new(self);
        let room = Arc::new(Semaphore::new(ASSOCIATIONS_MAX));
        let mut associations = JoinSet::new();
        loop {
            // Never closed. Who comes beyond the bound waits in the kernel's queue.
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
            while associations.try_join_next().is_some() {}
            match door.listener.accept().await {
                Ok((stream, from)) if door.lets_in(from.ip()) => {
                    let door = Arc::clone(&door);
                    associations.spawn(async move {
                        door.greet(stream).await;
                        drop(place);
                    });
                }
                Ok((_, from)) => {
                    tracing::warn!(%from, system = %door.door.system, "a device that is not configured is turned away");
                }
                Err(error) => {
                    tracing::warn!(%error, "a DICOM door takes no connections");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Attends to a device, behind TLS if the door has it.
    async fn greet(&self, stream: TcpStream) {
        // Small answers are not to wait for more.
        stream.set_nodelay(true).ok();
        let Some(acceptor) = &self.door.tls else { return Attended::new(self, stream).run().await };
        match timeout(ASSOCIATION_STALL, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => Attended::new(self, stream).run().await,
            Ok(Err(error)) => {
                tracing::warn!(system = %self.door.system, %error, "a device does not come by TLS");
            }
            Err(_) => tracing::warn!(system = %self.door.system, "a device does not come by TLS in time"),
        }
    }

    fn lets_in(&self, from: std::net::IpAddr) -> bool {
        self.door.senders.is_empty() || self.door.senders.contains(&from.to_canonical())
    }
}

/// One connection.
struct Attended<'d, S> {
    door: &'d Dicom,
    stream: S,
    association: Association,
    storing: Storing,
}

/// What becomes of the instance that is coming.
enum Storing {
    Nothing,
    Instance(Incoming),
    /// It is read and not kept.
    Failed(Status),
}

impl<'d, S: AsyncRead + AsyncWrite + Unpin> Attended<'d, S> {
    fn new(door: &'d Dicom, stream: S) -> Self {
        let association = Association::new(door.door.rules.clone());
        Self { door, stream, association, storing: Storing::Nothing }
    }

    async fn run(mut self) {
        while let Some(pdu) = self.next().await {
            let effects = match pdu {
                Some(pdu) => self.association.take(pdu),
                None => self.association.abort(),
            };
            for effect in effects {
                if !self.carry_out(effect).await {
                    return;
                }
            }
        }
    }

    /// What the device sent next: nothing at the end, nothing within if it cannot be read.
    async fn next(&mut self) -> Option<Option<Pdu>> {
        let patience = if self.association.is_idle() { ASSOCIATION_IDLE } else { ASSOCIATION_STALL };
        let mut head = [0; HEAD_BYTES];
        timeout(patience, self.stream.read_exact(&mut head)).await.ok()?.ok()?;
        let [_, _, length @ ..] = head;
        let length = u32::from_be_bytes(length);
        if length > PDU_BYTES_MAX {
            return Some(None);
        }
        let mut whole = head.to_vec();
        whole.resize(HEAD_BYTES + length as usize, 0);
        let body = whole.get_mut(HEAD_BYTES..)?;
        timeout(ASSOCIATION_STALL, self.stream.read_exact(body)).await.ok()?.ok()?;
        Some(read_pdu(whole.as_slice(), PDU_BYTES_MAX, true).ok().flatten())
    }

    /// Whether the association goes on.
    async fn carry_out(&mut self, effect: Effect) -> bool {
        match effect {
            Effect::Send(bytes) => self.send(&bytes).await,
            Effect::Begin(arriving) => {
                let begun = block_in_place(|| {
                    let mut incoming = self.door.studies.begin(&self.door.door.system)?;
                    incoming.write(&arriving.file_head()).map_err(NotKept::Disk)?;
                    Ok::<_, NotKept>(incoming)
                });
                self.storing = begun.map_or_else(|error| failed(&error), Storing::Instance);
                true
            }
            Effect::Bytes(bytes) => {
                if let Storing::Instance(incoming) = &mut self.storing
                    && let Err(error) = block_in_place(|| incoming.write(&bytes))
                {
                    self.storing = failed(&NotKept::Disk(error));
                }
                true
            }
            Effect::End => {
                let status = self.end().await;
                for answer in self.association.stored(status) {
                    if let Effect::Send(bytes) = answer
                        && !self.send(&bytes).await
                    {
                        return false;
                    }
                }
                true
            }
            Effect::Close => false,
        }
    }

    async fn end(&mut self) -> Status {
        match std::mem::replace(&mut self.storing, Storing::Nothing) {
            Storing::Instance(incoming) => match self.door.studies.keep(incoming).await {
                Ok(_) => Status::Success,
                Err(error) => status(&error),
            },
            Storing::Failed(status) => status,
            Storing::Nothing => Status::OutOfResources,
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = async {
            self.stream.write_all(bytes).await?;
            // TLS keeps what it has not been told to send.
            self.stream.flush().await
        };
        timeout(ASSOCIATION_STALL, sent).await.is_ok_and(|sent| sent.is_ok())
    }
}

fn failed(error: &NotKept) -> Storing {
    Storing::Failed(status(error))
}

/// What a device is told, and the operator.
pub(crate) fn status(error: &NotKept) -> Status {
    tracing::warn!(%error, "an instance is not taken");
    match error {
        NotKept::Unreadable(_) | NotKept::NoStudy => Status::CannotUnderstand,
        NotKept::Full | NotKept::TooLarge(_) | NotKept::Disk(_) | NotKept::Stopping => Status::OutOfResources,
    }
}
