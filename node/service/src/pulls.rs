//! Ranges that are being sent: at most [`PULLS_OUTSTANDING`] of one member under one request (P-6).

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf, Take};
use yiqiao_proto::id::{Code, Digest};

use crate::limits::PULLS_OUTSTANDING;

type Outstanding = Arc<Mutex<BTreeMap<(Code, Digest), usize>>>;

/// All that are being sent; clones are the same. The link bounds how many there are.
#[derive(Clone, Default)]
pub(crate) struct Pulls(Outstanding);

/// One that is being sent, while this lives.
pub(crate) struct Turn {
    of: (Code, Digest),
    outstanding: Outstanding,
}

/// The bytes of a range; each is read when the one before has gone out.
pub(crate) struct Body {
    file: Take<tokio::fs::File>,
    _turn: Turn,
}

impl Pulls {
    /// Another one, if it may be.
    pub(crate) fn begin(&self, member: &Code, request: Digest) -> Option<Turn> {
        let of = (member.clone(), request);
        let mut outstanding = locked(&self.0);
        let count = outstanding.entry(of.clone()).or_default();
        if *count >= PULLS_OUTSTANDING {
            return None;
        }
        *count += 1;
        Some(Turn { of, outstanding: Arc::clone(&self.0) })
    }
}

impl Turn {
    /// Sends so many bytes from where the file stands.
    pub(crate) fn body(self, file: File, length: u64) -> Body {
        Body { file: tokio::fs::File::from_std(file).take(length), _turn: self }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut outstanding = locked(&self.outstanding);
        if let Some(count) = outstanding.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                outstanding.remove(&self.of);
            }
        }
    }
}

impl AsyncRead for Body {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_read(context, into)
    }
}

/// A panic while the lock is held leaves the counts whole: each change is one call.
fn locked(outstanding: &Outstanding) -> MutexGuard<'_, BTreeMap<(Code, Digest), usize>> {
    outstanding.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p6_two_ranges_of_one_request_are_outstanding_and_the_third_waits() {
        let pulls = Pulls::default();
        let [a, b] = ["a", "b"].map(|code| Code::new(code).unwrap());
        let [first, other] = [1, 2].map(|byte| Digest::new([byte; 32]).unwrap());
        let begun = [pulls.begin(&a, first), pulls.begin(&a, first)];
        assert!(begun.iter().all(Option::is_some));
        assert!(pulls.begin(&a, first).is_none());
        assert!(pulls.begin(&a, other).is_some() && pulls.begin(&b, first).is_some());
        drop(begun);
        assert!(pulls.begin(&a, first).is_some());
        assert!(locked(&pulls.0).is_empty());
    }
}
