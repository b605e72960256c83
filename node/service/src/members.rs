//! Calls to members: who is where, and why a call brought nothing. Not here: what the answers must prove.

use bytes::Bytes;
use tokio::sync::watch;
use yiqiao_host::link::{CallError, Link, PeerId, Pull};
use yiqiao_node_core::call::{Lost, To, Unbelieved};
use yiqiao_node_core::refusal;
use yiqiao_proto::calls::{Method, Refusal};
use yiqiao_proto::codes::MemberRole;
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::id::Code;
use yiqiao_proto::member::Member;

use crate::limits::CALL_WAIT;

/// A way to all members; clones are the same.
#[derive(Clone)]
pub(crate) struct Members {
    link: Link,
    directory: watch::Receiver<Directory>,
}

/// Why a call brought nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallFailed {
    /// The member list has no registry.
    #[error("the member list names no registry that is not suspended")]
    NoRegistry,
    /// The member list has no such member, or no way to it.
    #[error("the member list names no way to {0}")]
    NoMember(Code),
    /// The link failed.
    #[error(transparent)]
    Link(#[from] CallError),
    /// The member refused.
    #[error(transparent)]
    Refused(Refusal),
    /// What came is neither an answer nor a refusal.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The answer does not prove what it must.
    #[error(transparent)]
    Unbelieved(#[from] Unbelieved),
}

impl Members {
    pub(crate) const fn new(link: Link, directory: watch::Receiver<Directory>) -> Self {
        Self { link, directory }
    }

    /// The members in force.
    pub(crate) fn directory(&self) -> Directory {
        self.directory.borrow().clone()
    }

    pub(crate) const fn link(&self) -> &Link {
        &self.link
    }

    /// Asks; the caller checks what is answered.
    pub(crate) async fn ask(&self, to: &To, method: Method, request: Vec<u8>) -> Result<Bytes, CallFailed> {
        let peer = self.peer(to)?;
        self.link.call(peer, method as u16, request.into(), CALL_WAIT).await.map_err(failed)
    }

    /// Asks a member for a body.
    pub(crate) async fn pull(&self, member: &Code, request: Vec<u8>) -> Result<Pull, CallFailed> {
        let peer = self.peer(&To::Member(member.clone()))?;
        self.link.pull(peer, request.into(), CALL_WAIT).await.map_err(failed)
    }

    fn peer(&self, to: &To) -> Result<PeerId, CallFailed> {
        let directory = self.directory.borrow();
        match to {
            To::Registry => registry(&directory).ok_or(CallFailed::NoRegistry),
            To::Member(code) => {
                let active = directory.member(code).filter(|member| !member.suspended);
                active.and_then(peer_of).ok_or_else(|| CallFailed::NoMember(code.clone()))
            }
        }
    }
}

impl CallFailed {
    /// What it means for who asked.
    pub(crate) fn lost(&self) -> Lost {
        match self {
            Self::Refused(refusal) => Lost::Refused(refusal.clone()),
            Self::Decode(error) => Lost::Unreadable(error.clone()),
            Self::NoRegistry | Self::NoMember(_) | Self::Link(_) | Self::Unbelieved(_) => Lost::Silent,
        }
    }
}

/// The registry's libp2p identity.
pub(crate) fn registry(directory: &Directory) -> Option<PeerId> {
    let is_registry = |member: &&Member| member.roles.contains(&MemberRole::Registry) && !member.suspended;
    directory.list().members.iter().find(is_registry).and_then(peer_of)
}

/// A member's libp2p identity.
pub(crate) fn peer_of(member: &Member) -> Option<PeerId> {
    PeerId::from_bytes(&member.transports.first()?.peer_id).ok()
}

fn failed(error: CallError) -> CallFailed {
    if let CallError::Refused(told) = &error {
        return refusal::read(&told.detail).map_or_else(Into::into, CallFailed::Refused);
    }
    error.into()
}
