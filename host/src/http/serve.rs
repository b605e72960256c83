//! The server loop: HTTP/1.1 on a listener, until told to stop, with a bound on everything a stranger can hold open.
//!
//! `axum::serve` has no bound on connections and no limit on the time for a request's head, so the loop is ours. Not here: HTTP/2,
//! which browsers speak over TLS only: the proxy that ends TLS speaks it.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::limits::{
    ACCEPT_PAUSE, CONNECTIONS_MAX, DRAIN_WAIT, HTTP_HEAD_BYTES_MAX, HTTP_HEAD_WAIT, HTTP_HEADERS_MAX,
};

/// Answers on the listener until `shutdown` is done, then lets requests under way finish for at most [`DRAIN_WAIT`].
///
/// Returns how many connections were cut off at the end of that.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) -> usize {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connection(stream, peer, router.clone(), graceful.watcher()));
                }
                Err(error) => refused(&error).await,
            },
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN_WAIT, graceful.shutdown()).await;
    while connections.try_join_next().is_some() {}
    let cut = connections.len();
    connections.shutdown().await;
    cut
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, watcher: Watcher) {
    // Without it small answers wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HTTP_HEAD_WAIT)
        .max_buf_size(HTTP_HEAD_BYTES_MAX)
        .max_headers(HTTP_HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection broke off");
    }
}

/// A connection that is gone already is no news; anything else, as a lack of file descriptors, passes with time or not at all.
async fn refused(error: &io::Error) {
    let gone = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset, io::ErrorKind::Interrupted];
    if !gone.contains(&error.kind()) {
        tracing::warn!(%error, "cannot take connections");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}
