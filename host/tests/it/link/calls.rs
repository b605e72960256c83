//! Small calls.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use yiqiao_host::link::limits::MESSAGE_BYTES_MAX;
use yiqiao_host::link::{CallError, Limits, Part, Refusal};

use super::*;

#[tokio::test]
async fn a_call_is_answered() {
    let (a, b) = pair().await;
    assert_eq!(a.call(&b, ECHO, "question").await.unwrap(), "question");
    assert_eq!(b.call(&a, ECHO, "").await.unwrap(), "");
}

#[tokio::test]
async fn five_hundred_calls_at_once_are_all_answered() {
    let (a, b) = pair().await;
    let calls = (0..500u32).map(|number| {
        let (a, b) = (&a, &b);
        async move { a.call(b, ECHO, number.to_string()).await.unwrap() == number.to_string() }
    });
    assert!(soon(join_all(calls)).await.into_iter().all(|right| right));
}

#[tokio::test]
async fn five_hundred_calls_at_once_are_all_answered_by_a_peer_that_takes_two_at_a_time() {
    let (a, b) =
        (Node::start(1).await, Node::start_with(2, Limits { calls_per_peer: 2, ..Limits::default() }).await);
    introduce(&a, &b);
    let calls = (0..500u32).map(|number| {
        let (a, b) = (&a, &b);
        async move { a.call(b, ECHO, number.to_string()).await.unwrap() == number.to_string() }
    });
    assert!(soon(join_all(calls)).await.into_iter().all(|right| right));
}

#[tokio::test]
async fn a_call_to_a_busy_peer_is_asked_again_until_it_is_answered() {
    let (a, b) =
        (Node::start(1).await, Node::start_with(2, Limits { calls_per_peer: 1, ..Limits::default() }).await);
    introduce(&a, &b);
    let first = a.call(&b, WAIT, "first");
    let second = async {
        b.service.until_begun(1).await;
        let brief = a.link.call(b.id(), ECHO, Bytes::new(), Duration::from_millis(200)).await;
        assert!(matches!(brief, Err(CallError::Busy | CallError::TimedOut)), "{brief:?}");
        assert!(b.service.nothing_begun());
        let (second, ()) = tokio::join!(a.call(&b, ECHO, "second"), async { b.service.gate.add_permits(1) });
        second
    };
    let (first, second) = soon(async { tokio::join!(first, second) }).await;
    assert_eq!((first.unwrap(), second.unwrap()), ("first".into(), "second".into()));
}

#[tokio::test]
async fn the_longest_messages_pass_and_longer_ones_are_refused_before_they_are_sent() {
    let (a, b) = pair().await;
    let longest = Bytes::from_static(pattern(0, MESSAGE_BYTES_MAX));
    assert!(a.call(&b, ECHO, longest.clone()).await.unwrap() == longest);
    let sent = b.service.begun.available_permits();
    let too_long = a.call(&b, ECHO, vec![0; MESSAGE_BYTES_MAX + 1]).await;
    assert_eq!(too_long, Err(CallError::TooLarge { part: Part::Request, limit: MESSAGE_BYTES_MAX }));
    assert_eq!(b.service.begun.available_permits(), sent);
    let answer = a.call(&b, SIZED, (MESSAGE_BYTES_MAX as u64 + 1).to_be_bytes().to_vec()).await;
    assert_eq!(answer, Err(CallError::TooLarge { part: Part::Answer, limit: MESSAGE_BYTES_MAX }));
}

#[tokio::test]
async fn long_and_short_messages_mix_without_mixing_up() {
    let (a, b) = pair().await;
    let calls = (0..60u64).map(|number| {
        let (a, b) = (&a, &b);
        let length = if number % 3 == 0 { 1_000_000 } else { 10 };
        async move {
            let body = Bytes::from_static(pattern(number, length));
            a.call(b, ECHO, body.clone()).await.unwrap() == body
        }
    });
    assert!(soon(join_all(calls)).await.into_iter().all(|right| right));
}

#[tokio::test]
async fn a_refusal_comes_with_its_code_and_detail() {
    let (a, b) = pair().await;
    let refused = a.call(&b, REFUSE, "because").await;
    assert_eq!(refused, Err(CallError::Refused(Refusal { code: 9, detail: "because".into() })));
}

#[tokio::test]
async fn a_service_that_panics_fails_one_call_and_no_other() {
    let (a, b) = pair().await;
    assert_eq!(a.call(&b, PANIC, "").await, Err(CallError::PeerFailed));
    assert_eq!(a.call(&b, ECHO, "still there").await.unwrap(), "still there");
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_and_so_does_the_work_for_it() {
    let (a, b) =
        (Node::start(1).await, Node::start_with(2, Limits { calls_per_peer: 1, ..Limits::default() }).await);
    introduce(&a, &b);
    let after = Duration::from_millis(100);
    assert_eq!(a.link.call(b.id(), WAIT, Bytes::new(), after).await, Err(CallError::TimedOut));
    // The only place at the peer is free again without anyone opening the gate.
    assert_eq!(a.call(&b, ECHO, "next").await.unwrap(), "next");
}

#[tokio::test]
async fn what_runs_at_shutdown_is_answered_and_nothing_new_begins() {
    let (a, b) = pair().await;
    let running = a.call(&b, WAIT, "running");
    let stopping = async {
        b.service.until_begun(1).await;
        let stop = b.link.shutdown();
        let begin = async {
            assert_eq!(b.call(&a, ECHO, "").await, Err(CallError::Stopping));
            b.service.gate.add_permits(1);
        };
        tokio::join!(stop, begin);
    };
    let (answer, ()) = soon(async { tokio::join!(running, stopping) }).await;
    assert_eq!(answer.unwrap(), "running");
    soon(b.task).await.unwrap();
}

#[tokio::test]
async fn what_does_not_finish_after_shutdown_is_cut_off() {
    let limits = Limits { drain: Duration::from_millis(50), ..Limits::default() };
    let (a, b) = (Node::start(1).await, Node::start_with(2, limits).await);
    introduce(&a, &b);
    let stopping = async {
        b.service.until_begun(1).await;
        b.link.shutdown().await;
    };
    let (answer, ()) = soon(async { tokio::join!(a.call(&b, WAIT, ""), stopping) }).await;
    assert_eq!(answer, Err(CallError::Disconnected));
}

#[tokio::test]
async fn an_endless_deadline_is_as_good_as_the_longest_one() {
    let (a, b) = pair().await;
    assert_eq!(a.link.call(b.id(), ECHO, Bytes::new(), Duration::MAX).await.unwrap(), "");
    assert!(a.link.pull(b.id(), pull_request(1, None), Duration::MAX).await.is_ok());
}
