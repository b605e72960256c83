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

use yiqiao_node_core::limits::CALL_WAIT;

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
        let request = Bytes::from(request);
        let mut last = nobody(to);
        for peer in self.peers(to) {
            match self.link.call(peer, method as u16, request.clone(), CALL_WAIT.as_duration()).await {
                Err(error @ CallError::Unreachable { .. }) => last = error.into(),
                asked => return asked.map_err(failed),
            }
        }
        Err(last)
    }

    /// Asks a member for a body.
    pub(crate) async fn pull(&self, member: &Code, request: Vec<u8>) -> Result<Pull, CallFailed> {
        let (to, request) = (To::Member(member.clone()), Bytes::from(request));
        let mut last = nobody(&to);
        for peer in self.peers(&to) {
            match self.link.pull(peer, request.clone(), CALL_WAIT.as_duration()).await {
                Err(error @ CallError::Unreachable { .. }) => last = error.into(),
                asked => return asked.map_err(failed),
            }
        }
        Err(last)
    }

    /// Whether a member is connected, by any of its identities.
    pub(crate) fn is_connected(&self, member: &Member) -> bool {
        let status = self.link.status();
        peers_of(member).any(|peer| status.is_connected(&peer))
    }

    /// The identities of a member, which is one of them at a time: those that are connected, then the others, of each the newest first.
    fn peers(&self, to: &To) -> Vec<PeerId> {
        let directory = self.directory.borrow();
        let member = match to {
            To::Registry => registry(&directory),
            To::Member(code) => directory.member(code).filter(|member| !member.suspended),
        };
        let mut peers: Vec<PeerId> = member.into_iter().flat_map(peers_of).collect();
        if peers.len() > 1 {
            let status = self.link.status();
            peers.sort_by_key(|peer| !status.is_connected(peer));
        }
        peers
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

/// The registry, as a member.
pub(crate) fn registry(directory: &Directory) -> Option<&Member> {
    let is_registry = |member: &&Member| member.roles.contains(&MemberRole::Registry) && !member.suspended;
    directory.list().members.iter().find(is_registry)
}

/// A member's libp2p identities, the newest first.
pub(crate) fn peers_of(member: &Member) -> impl Iterator<Item = PeerId> {
    member.transports.iter().rev().filter_map(|transport| PeerId::from_bytes(&transport.peer_id).ok())
}

fn nobody(to: &To) -> CallFailed {
    match to {
        To::Registry => CallFailed::NoRegistry,
        To::Member(code) => CallFailed::NoMember(code.clone()),
    }
}

fn failed(error: CallError) -> CallFailed {
    if let CallError::Refused(told) = &error {
        return refusal::read(&told.detail).map_or_else(Into::into, CallFailed::Refused);
    }
    error.into()
}
