//! Calls to members: who is where, and why a call brought nothing. Not here: what the answers must prove.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use prost::Message;
use tokio::sync::watch;
use yiqiao_host::link::{self, CallError, Link, PeerId, Pull};
use yiqiao_proto::calls::{Call, Method, Refusal};
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::envelope::EnvelopeError;
use yiqiao_proto::id::Code;
use yiqiao_proto::member::Member;
use yiqiao_proto::note::NoteError;
use yiqiao_proto::sealed::SealedError;
use yiqiao_proto::time::Millis;
use yiqiao_proto::token::TokenError;
use yiqiao_proto::wire::calls::Refused as RefusedWire;

use crate::limits::CALL_WAIT;
use crate::receipts::ReceiptFault;

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
    /// The answer is none.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The answer does not prove what it must.
    #[error(transparent)]
    Unbelieved(#[from] Unbelieved),
}

/// What an answer fails to prove.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unbelieved {
    /// A receipt.
    #[error(transparent)]
    Receipt(#[from] ReceiptFault),
    /// An evaluation.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A word.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// A checkpoint.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Bytes of a document.
    #[error(transparent)]
    Sealed(#[from] SealedError),
    /// The member list has no token key of the epoch that was asked for.
    #[error("the member list has no token key of epoch {epoch} (T-7)")]
    Epoch {
        /// The epoch.
        epoch: u32,
    },
    /// A word that is said to be this node's is not.
    #[error("a word that is said to be this node's is not signed by it (N-9)")]
    OtherWord,
    /// An answer to something else than was asked.
    #[error("the answer is not one to what was asked: {0}")]
    OtherAnswer(&'static str),
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

    /// Asks a member; the caller checks what it answers.
    pub(crate) async fn call<A: Call>(
        &self,
        member: &Code,
        method: Method,
        request: &impl Message,
    ) -> Result<A, CallFailed> {
        self.call_peer(self.peer(member)?, method, request).await
    }

    /// Asks whoever has this identity.
    pub(crate) async fn call_peer<A: Call>(
        &self,
        peer: PeerId,
        method: Method,
        request: &impl Message,
    ) -> Result<A, CallFailed> {
        let request = request.encode_to_vec().into();
        let answer = self.link.call(peer, method as u16, request, CALL_WAIT).await;
        Ok(A::from_bytes(&answer.map_err(failed)?)?)
    }

    /// Asks a member for a body.
    pub(crate) async fn pull(&self, member: &Code, request: &impl Message) -> Result<Pull, CallFailed> {
        let request = request.encode_to_vec().into();
        self.link.pull(self.peer(member)?, request, CALL_WAIT).await.map_err(failed)
    }

    fn peer(&self, member: &Code) -> Result<PeerId, CallFailed> {
        let directory = self.directory.borrow();
        let active = directory.member(member).filter(|member| !member.suspended);
        active.and_then(peer_of).ok_or_else(|| CallFailed::NoMember(member.clone()))
    }
}

/// A member's libp2p identity.
pub(crate) fn peer_of(member: &Member) -> Option<PeerId> {
    PeerId::from_bytes(&member.transports.first()?.peer_id).ok()
}

fn failed(error: CallError) -> CallFailed {
    if let CallError::Refused(refusal) = &error {
        return read_refusal(refusal).map_or_else(Into::into, CallFailed::Refused);
    }
    error.into()
}

/// A refusal as it came over the link (H-2).
fn read_refusal(refusal: &link::Refusal) -> Result<Refusal, DecodeError> {
    let invalid = |rule| DecodeError::Invalid { field: "refused", rule };
    let told = RefusedWire::decode(refusal.detail.clone()).map_err(|_| invalid("a refusal (H-2)"))?;
    let code = RefusalCode::try_from(told.code).map_err(|_| invalid("a known code (H-2)"))?;
    let clause = CLAUSES.get(told.clause.as_str()).map_or("H-2", String::as_str);
    let retry_after = (told.retry_after_ms > 0).then(|| Millis::new(told.retry_after_ms));
    Ok(Refusal { code, clause, retry_after })
}

/// Everything that has the form of a clause: what a refusal names becomes one of these, and nothing else.
static CLAUSES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    ('A'..='Z').flat_map(|part| (1..=40).map(move |number| format!("{part}-{number}"))).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: u32, clause: &str) -> link::Refusal {
        let detail = RefusedWire { code, clause: clause.to_owned(), retry_after_ms: 200 };
        link::Refusal { code: u16::try_from(code).unwrap(), detail: detail.encode_to_vec().into() }
    }

    #[test]
    fn h2_a_refusal_is_a_closed_code_and_a_clause_and_nothing_else() {
        let busy = read_refusal(&told(RefusalCode::Busy.number(), "N-5")).unwrap();
        assert_eq!((busy.code, busy.clause), (RefusalCode::Busy, "N-5"));
        assert_eq!(busy.retry_after, Some(Millis::new(200)));
        let text = read_refusal(&told(RefusalCode::Busy.number(), "张三")).unwrap();
        assert_eq!(text.clause, "H-2");
        assert!(read_refusal(&told(999, "N-5")).is_err());
    }
}
