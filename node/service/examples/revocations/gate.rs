//! What stands between a node and the registry: passes everything on, until it is closed.

use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A gate at a port of this machine.
pub(crate) struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// Passes what comes at one port on to another.
    pub(crate) async fn open(at: u16, to: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", at)).await.unwrap();
        let closed = Arc::new(watch::channel(false).0);
        let of = Arc::clone(&closed);
        tokio::spawn(async move {
            loop {
                let (inside, _) = listener.accept().await.unwrap();
                tokio::spawn(pass(inside, to, of.subscribe()));
            }
        });
        Self(closed)
    }

    /// Ends all connections, and lets none through any more.
    pub(crate) fn close(&self) {
        self.0.send_replace(true);
    }
}

async fn pass(mut inside: TcpStream, to: u16, mut closed: watch::Receiver<bool>) {
    tokio::select! {
        biased;
        _ = closed.wait_for(|closed| *closed) => {}
        () = connect(&mut inside, to) => {}
    }
}

/// Either side may end it at any time.
async fn connect(inside: &mut TcpStream, to: u16) {
    if let Ok(mut outside) = TcpStream::connect(("127.0.0.1", to)).await {
        copy_bidirectional(inside, &mut outside).await.ok();
    }
}
