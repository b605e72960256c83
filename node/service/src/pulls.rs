//! Ranges that are being sent: at most [`PULLS_OUTSTANDING`] of one member under one request, and each only as long as it is
//! decided that it may go (P-6).

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::{StreamExt, stream};
use tokio::io::{AsyncRead, AsyncReadExt, Take};
use tokio::time::Instant;
use tokio_util::io::StreamReader;
use yiqiao_host::link::Stop;
use yiqiao_host::link::limits::CHUNK_BYTES_MAX;
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

/// What a range is sent under: until when the last decision counts, and how to come to the next one (P-6).
pub(crate) struct Decision<D> {
    pub(crate) holds_until: Instant,
    pub(crate) decide: D,
}

/// A range on its way out: each piece is read when the one before has gone out.
struct Sending<D> {
    file: Take<tokio::fs::File>,
    decision: Decision<D>,
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
    /// So many bytes from where the file stands, as long as it is decided that they may go.
    pub(crate) fn body<D>(
        self,
        file: File,
        length: u64,
        decision: Decision<D>,
    ) -> impl AsyncRead + Send + Unpin + 'static
    where
        D: FnMut() -> BoxFuture<'static, Result<Instant, Stop>> + Send + 'static,
    {
        let file = tokio::fs::File::from_std(file).take(length);
        let sending = Sending { file, decision, _turn: self };
        let pieces = stream::try_unfold(sending, |mut sending| async {
            let piece = sending.piece().await?;
            Ok::<_, io::Error>((!piece.is_empty()).then_some((piece, sending)))
        });
        StreamReader::new(pieces.boxed())
    }
}

impl<D: FnMut() -> BoxFuture<'static, Result<Instant, Stop>>> Sending<D> {
    /// The next piece; empty after the last one. A decision that counts no longer is followed by another.
    async fn piece(&mut self) -> io::Result<Bytes> {
        if Instant::now() >= self.decision.holds_until {
            self.decision.holds_until = (self.decision.decide)().await?;
        }
        let mut piece = BytesMut::with_capacity(CHUNK_BYTES_MAX);
        self.file.read_buf(&mut piece).await?;
        Ok(piece.freeze())
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

/// A panic while the lock is held leaves the counts whole: each change is one call.
fn locked(outstanding: &Outstanding) -> MutexGuard<'_, BTreeMap<(Code, Digest), usize>> {
    outstanding.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;

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

    const LENGTH: u64 = 4 * CHUNK_BYTES_MAX as u64;

    /// Sends four pieces under a decision that counts so long and further ones that are over at once, of which the third is a
    /// stop: how many bytes went out, and whether it was broken off.
    async fn sent(holds: Duration) -> (u64, Option<Stop>) {
        let file = tempfile::tempfile().unwrap();
        file.set_len(LENGTH).unwrap();
        let turn = Pulls::default().begin(&Code::new("a").unwrap(), Digest::new([1; 32]).unwrap());
        let mut asked = 0;
        let decide = move || {
            asked += 1;
            std::future::ready(if asked <= 2 { Ok(Instant::now()) } else { Err(Stop(5)) }).boxed()
        };
        let decision = Decision { holds_until: Instant::now() + holds, decide };
        let mut bytes = Vec::new();
        let end = turn.unwrap().body(file, LENGTH, decision).read_to_end(&mut bytes).await;
        let stop = end.err().map(|error| *error.get_ref().unwrap().downcast_ref::<Stop>().unwrap());
        (bytes.len() as u64, stop)
    }

    #[tokio::test]
    async fn p6_what_has_not_gone_out_is_decided_anew_and_breaks_off_when_it_is_stopped() {
        assert_eq!(
            sent(Duration::from_secs(3_600)).await,
            (LENGTH, None),
            "one decision that counts is enough"
        );
        assert_eq!(sent(Duration::ZERO).await, (LENGTH / 2, Some(Stop(5))));
    }
}
