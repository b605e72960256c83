//! PostgreSQL, by tokio-postgres. TLS is rustls, without binding the login to the channel: the certificate vouches for the server.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::TryStreamExt;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{ChannelBinding, NoTls, TlsConnect};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Error, Row, RowStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::fault::Fault;
use crate::sql::{Column, Nature};
use crate::view::{Source, Tls};

/// One connection.
pub(crate) struct Postgres {
    client: Client,
    /// What carries it.
    carrier: JoinHandle<()>,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

impl Postgres {
    pub(crate) async fn connect(source: &Source, offset: &str) -> Result<Self, Fault> {
        let mut config = Config::new();
        config.user(&source.user).password(&source.password).dbname(&source.database);
        config.application_name("yiqiao");
        let away = |error: io::Error| Fault::Away { why: error.kind().to_string() };
        let stream = TcpStream::connect((source.host.as_str(), source.port)).await.map_err(away)?;
        let connected = match &source.tls {
            None => {
                config.ssl_mode(SslMode::Disable);
                let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(fault)?;
                (client, tokio::spawn(async move { drop(connection.await) }))
            }
            Some(tls) => {
                config.ssl_mode(SslMode::Require);
                let (client, connection) = config
                    .connect_raw(stream, ByTls(tls.clone()))
                    .await
                    .map_err(|error| tls_fault(&error))?;
                (client, tokio::spawn(async move { drop(connection.await) }))
            }
        };
        let (client, carrier) = connected;
        let postgres = Self { client, carrier };
        let settings = format!(
            "SET default_transaction_read_only = on; SET datestyle = ISO; SET bytea_output = hex; \
             SET TIME ZONE INTERVAL '{offset}' HOUR TO MINUTE"
        );
        postgres.client.batch_execute(&settings).await.map_err(fault)?;
        Ok(postgres)
    }

    pub(crate) async fn columns(&self, statement: &str) -> Result<Vec<Column>, Fault> {
        let prepared = self.client.prepare(statement).await.map_err(fault)?;
        let column = |column: &tokio_postgres::Column| Column {
            name: column.name().to_owned(),
            nature: nature(column.type_()),
        };
        Ok(prepared.columns().iter().map(column).collect())
    }

    pub(crate) async fn rows(&self, statement: &str) -> Result<Rows, Fault> {
        let none: [&(dyn ToSql + Sync); 0] = [];
        Ok(Rows(Box::pin(self.client.query_raw(statement, none).await.map_err(fault)?)))
    }
}

/// Rows as they come; the server sends no more than are taken.
pub(crate) struct Rows(Pin<Box<RowStream>>);

impl Rows {
    /// The next row; all its values are texts.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Option<String>>>, Fault> {
        let row = self.0.try_next().await.map_err(fault)?;
        row.map(|row| values(&row).map_err(fault)).transpose()
    }
}

fn values(row: &Row) -> Result<Vec<Option<String>>, Error> {
    (0..row.len()).map(|place| row.try_get(place)).collect()
}

fn nature(of: &Type) -> Nature {
    match *of {
        Type::INT2 | Type::INT4 | Type::INT8 => Nature::Number("int8"),
        Type::NUMERIC => Nature::Number("numeric"),
        Type::TIMESTAMP => Nature::Time("timestamp", "LOCALTIMESTAMP"),
        Type::TIMESTAMPTZ => Nature::Time("timestamptz", "CURRENT_TIMESTAMP"),
        Type::DATE => Nature::Time("date", "CURRENT_DATE"),
        Type::BYTEA => Nature::Bytes,
        _ => Nature::Other,
    }
}

/// In words of its own: what the server says of an error may hold a value.
#[expect(clippy::needless_pass_by_value, reason = "it is what errors are mapped by")]
fn fault(error: Error) -> Fault {
    // What the client itself says: only what the server says may hold a value.
    let Some(code) = error.code() else { return Fault::Away { why: error.to_string() } };
    match *code {
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => Fault::Login,
        SqlState::INVALID_CATALOG_NAME => Fault::NoDatabase,
        SqlState::UNDEFINED_TABLE | SqlState::INVALID_SCHEMA_NAME => Fault::NoView,
        SqlState::UNDEFINED_COLUMN => Fault::NoColumnOfQuery,
        SqlState::INSUFFICIENT_PRIVILEGE => Fault::Forbidden,
        SqlState::SYNTAX_ERROR => Fault::Query,
        _ => Fault::Other { code: code.code().to_owned() },
    }
}

fn tls_fault(error: &Error) -> Fault {
    if error.code().is_some() {
        return Fault::Other { code: error.code().map(|code| code.code().to_owned()).unwrap_or_default() };
    }
    Fault::Tls
}

struct ByTls(Tls);

impl TlsConnect<TcpStream> for ByTls {
    type Stream = Secured;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Secured>>;

    fn connect(self, stream: TcpStream) -> Self::Future {
        let Tls { config, name, .. } = self.0;
        let name: ServerName<'static> = name;
        Box::pin(async move { Ok(Secured(TlsConnector::from(config).connect(name, stream).await?)) })
    }
}

/// A stream behind TLS.
struct Secured(TlsStream<TcpStream>);

impl tokio_postgres::tls::TlsStream for Secured {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
