//! Bodies.

use bytes::Bytes;
use yiqiao_host::link::limits::CHUNK_BYTES_MAX;
use yiqiao_host::link::{CallError, Limits, Pull, PullError, Refusal};

use super::*;

const MIB: u64 = 1024 * 1024;

async fn pull(from: &Node, by: &Node, request: Bytes) -> Result<Pull, CallError> {
    by.link.pull(from.id(), request, LONG).await
}

/// Takes the rest of a body: how many of its bytes were right before it ended, and how it ended.
async fn take(pull: &mut Pull, mut on_chunk: impl FnMut(u64)) -> (u64, Result<(), PullError>) {
    let mut at = 0;
    loop {
        match soon(pull.chunk()).await {
            Ok(Some(chunk)) => {
                assert!(chunk.len() <= CHUNK_BYTES_MAX);
                assert!(chunk == pattern(at, chunk.len()));
                at += chunk.len() as u64;
                on_chunk(at);
            }
            Ok(None) => return (at, Ok(())),
            Err(error) => return (at, Err(error)),
        }
    }
}

#[tokio::test]
async fn a_body_of_64_mib_arrives_whole_with_little_of_it_in_memory() {
    let (a, b) = pair().await;
    let mut body = pull(&b, &a, pull_request(64 * MIB, None)).await.unwrap();
    assert_eq!((body.header().as_ref(), body.length()), (&b"header"[..], 64 * MIB));
    let mut under_way = 0;
    let end =
        take(&mut body, |taken| under_way = under_way.max(b.service.sent.load(Ordering::Relaxed) - taken))
            .await;
    assert_eq!(end, (64 * MIB, Ok(())));
    assert!(under_way < 24 * MIB, "{under_way} bytes were between the two ends");
}

#[tokio::test]
async fn a_body_stopped_by_its_holder_says_why() {
    let (a, b) = pair().await;
    let mut body = pull(&b, &a, pull_request(10 * MIB, Some(3 * MIB))).await.unwrap();
    assert_eq!(take(&mut body, |_| {}).await, (3 * MIB, Err(PullError::Stopped { code: 42 })));
    assert_eq!(body.chunk().await, Err(PullError::Disconnected));
}

#[tokio::test]
async fn a_refused_pull_says_why() {
    let (a, b) = pair().await;
    let refused = pull(&b, &a, pull_request(0, None)).await;
    assert_eq!(refused.unwrap_err(), CallError::Refused(Refusal { code: 8, detail: "no".into() }));
}

#[tokio::test]
async fn a_body_without_progress_is_given_up() {
    let stall = Duration::from_millis(200);
    let (a, b) = (Node::start_with(1, Limits { stall, ..Limits::default() }).await, Node::start(2).await);
    introduce(&a, &b);
    let mut body = pull(&b, &a, pull_request(MIB, Some(1000 | HANG))).await.unwrap();
    assert_eq!(take(&mut body, |_| {}).await, (1000, Err(PullError::Stalled { after: stall })));
}

#[tokio::test]
async fn a_pull_waits_for_its_turn_at_a_busy_peer_and_a_dropped_one_makes_room() {
    let one = Limits { pulls_per_peer: 1, ..Limits::default() };
    let (a, b) = (Node::start(1).await, Node::start_with(2, one).await);
    introduce(&a, &b);
    let first = pull(&b, &a, pull_request(MIB, Some(HANG))).await.unwrap();
    b.service.until_begun(1).await;
    let brief = a.link.pull(b.id(), pull_request(MIB, None), Duration::from_millis(200)).await;
    assert!(matches!(brief, Err(CallError::Busy | CallError::TimedOut)), "{brief:?}");
    assert!(b.service.nothing_begun());
    drop(first);
    let mut second = pull(&b, &a, pull_request(MIB, None)).await.unwrap();
    assert_eq!(take(&mut second, |_| {}).await, (MIB, Ok(())));
}

#[tokio::test]
async fn many_pulls_at_once_all_arrive_and_calls_go_on_beside_them() {
    let (a, b) = pair().await;
    let pulls = (0..40).map(|_| async {
        let mut body = pull(&b, &a, pull_request(MIB, None)).await.unwrap();
        take(&mut body, |_| {}).await == (MIB, Ok(()))
    });
    let calls = (0..100).map(|_| async { a.call(&b, ECHO, "beside").await.unwrap() == "beside" });
    let (pulls, calls) = tokio::join!(futures::future::join_all(pulls), futures::future::join_all(calls));
    assert!(pulls.into_iter().chain(calls).all(|right| right));
}
