//! The ground on which lapin stands: tokio, and a connection that was made before, by TLS or not, and ends when nobody holds it.
//!
//! lapin reads and writes on a thread of its own. One that waits for a broker that never says anything would wait for ever: so the
//! stream itself breaks once its [`Hold`] is gone.

use std::future::Future;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_rs::Tokio;
use async_rs::traits::{Executor, Reactor, RuntimeKit};
use async_rs::util::Task;
use futures::future::FutureExt;
use futures::io::{AsyncRead, AsyncWrite};
use futures::stream::Stream;
use tokio::sync::oneshot;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use crate::place::Wire;

/// Tokio, but for its streams.
#[derive(Clone, Debug)]
pub(crate) struct Kit(pub(crate) Tokio);

/// A connection that breaks once its hold is gone.
pub(crate) struct Held {
    wire: Compat<Box<dyn Wire>>,
    hold: oneshot::Receiver<()>,
}

/// What keeps a connection.
pub(crate) struct Hold {
    _sender: oneshot::Sender<()>,
}

impl Held {
    pub(crate) fn new(wire: Box<dyn Wire>) -> (Self, Hold) {
        let (sender, hold) = oneshot::channel();
        (Self { wire: wire.compat(), hold }, Hold { _sender: sender })
    }

    /// Comes to its end with the hold.
    fn poll_held(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.hold.poll_unpin(context) {
            Poll::Ready(_) => Poll::Ready(Err(ErrorKind::ConnectionAborted.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Held {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Err(error)) = self.poll_held(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.wire).poll_read(context, bytes)
    }
}

impl AsyncWrite for Held {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_close(context)
    }
}

impl Executor for Kit {
    type Task<T: Send + 'static> = <Tokio as Executor>::Task<T>;

    fn block_on<T, F: Future<Output = T>>(&self, future: F) -> T {
        self.0.block_on(future)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        future: F,
    ) -> Task<Self::Task<T>> {
        self.0.spawn(future)
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(
        &self,
        function: F,
    ) -> Task<Self::Task<T>> {
        self.0.spawn_blocking(function)
    }
}

impl Reactor for Kit {
    type TcpStream = Held;
    type Sleep = <Tokio as Reactor>::Sleep;

    /// There is nothing to register: connections are made before.
    fn register<H: Read + Write + Send + 'static>(
        &self,
        _: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<Held, _>(ErrorKind::Unsupported.into())
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    /// Connections are made before.
    fn tcp_connect_addr(
        &self,
        _: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        std::future::ready(Err(ErrorKind::Unsupported.into()))
    }
}

impl RuntimeKit for Kit {}
