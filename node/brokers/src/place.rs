//! Where a broker is, how it is reached, and who this node is there.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::fault::Fault;

/// Where a broker is.
#[derive(Clone, Debug)]
pub struct Place {
    /// Host and port.
    pub address: String,
    /// By TLS; in the open if it is left out.
    pub tls: Option<Tls>,
}

/// How a broker is reached by TLS.
#[derive(Clone)]
pub struct Tls {
    /// Whom this node believes, and what it shows of itself.
    pub config: Arc<ClientConfig>,
    /// The name in the broker's certificate.
    pub name: ServerName<'static>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Who this node is at a broker.
#[derive(Clone)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password to that.
    pub password: String,
}

/// Without the password.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What bytes go over.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<W: AsyncRead + AsyncWrite + Unpin + Send + Sync> Wire for W {}

impl Place {
    /// A connection to the broker.
    pub(crate) async fn connect(&self) -> Result<Box<dyn Wire>, Fault> {
        let stream = self.dial().await?;
        match &self.tls {
            Some(tls) => tls.seal(stream).await,
            None => Ok(Box::new(stream)),
        }
    }

    /// A connection in the open.
    pub(crate) async fn dial(&self) -> Result<TcpStream, Fault> {
        let stream = TcpStream::connect(&self.address).await.map_err(|error| away(&error))?;
        stream.set_nodelay(true).map_err(|error| away(&error))?;
        Ok(stream)
    }
}

impl Tls {
    /// The same connection by TLS.
    pub(crate) async fn seal(&self, stream: TcpStream) -> Result<Box<dyn Wire>, Fault> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        match connector.connect(self.name.clone(), stream).await {
            Ok(sealed) => Ok(Box::new(sealed)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(Fault::Tls),
            Err(error) => Err(away(&error)),
        }
    }
}

pub(crate) fn away(error: &io::Error) -> Fault {
    Fault::Away { why: error.to_string() }
}
