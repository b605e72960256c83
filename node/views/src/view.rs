//! A view is opened, asked how far it goes, and read window by window.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::time::timeout;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::fault::Fault;
pub use crate::gather::Document;
use crate::gather::Gathering;
use crate::limits::{CONNECT_WAIT, ROW_WAIT};
use crate::mysql::{self, Mysql};
use crate::postgres::{self, Postgres};
pub use crate::sql::From;
use crate::sql::{Asked, Column, Dialect, Statements};
use crate::watermark::Watermark;

/// Where a database is, and who this node is there.
#[derive(Clone)]
pub struct Source {
    kind: Kind,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: String,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) tls: Option<Tls>,
}

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// MySQL, or MariaDB.
    Mysql,
}

/// How a database is reached by TLS.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) authorities: PathBuf,
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) name: ServerName<'static>,
}

/// Why a source cannot be one.
#[derive(Debug, thiserror::Error)]
pub enum NoSource {
    /// Not of the form.
    #[error(
        "`url`: postgresql://USER@HOST:PORT/DATABASE or mysql://USER@HOST:PORT/DATABASE, without a password"
    )]
    Url,
    /// No certificates.
    #[error("`authorities`: {file} has no certificate that can be read")]
    Authorities {
        /// The file.
        file: PathBuf,
    },
}

/// Without the password.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, host, port, database, .. } = self;
        write!(f, "{kind:?} {host}:{port}/{database}")
    }
}

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A view or table by its name, with or without its schema.
    Named(String),
    /// What a query selects.
    Query(String),
}

/// A view, as a hospital declares it.
#[derive(Clone, Debug)]
pub struct View {
    /// Where.
    pub source: Source,
    /// What.
    pub what: What,
    /// Columns whose values together name the document of a row.
    pub key: Vec<String>,
    /// Further columns that must be there.
    pub needed: Vec<String>,
    /// The column that tells newer rows from older ones.
    pub watermark: String,
    /// How far before the watermark each look begins again: seconds of a time, units of a number.
    pub overlap: u64,
    /// What separates values of what is handed over.
    pub separator: u8,
}

/// Where a view, or a window of it, ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The watermark of the last row.
    pub last: Watermark,
    /// The same, but not of the future: a row of next year must not hide those of tomorrow.
    pub kept: Watermark,
}

/// A view that is being read.
pub struct Open {
    database: Database,
    statements: Statements,
    separator: u8,
}

enum Database {
    Postgres(Postgres),
    Mysql(Mysql),
}

enum Rows<'c> {
    Postgres(postgres::Rows),
    Mysql(mysql::Rows<'c>),
}

/// The documents of a window, one after the other.
pub struct Window<'c> {
    rows: Rows<'c>,
    gathering: Gathering,
    is_over: bool,
}

impl Source {
    /// A database by its URL; with `authorities` (certificates in PEM), by TLS.
    ///
    /// # Errors
    /// [`NoSource`] if the URL is of another form, or no certificate can be read.
    pub fn new(url: &str, password: &str, authorities: Option<&Path>) -> Result<Self, NoSource> {
        let (kind, port, rest) = scheme(url).ok_or(NoSource::Url)?;
        let (user, rest) = rest.split_once('@').ok_or(NoSource::Url)?;
        let (place, database) = rest.split_once('/').ok_or(NoSource::Url)?;
        let has_port = place.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
        let (host, port) = match has_port {
            Some((host, port)) => (host, port.parse().map_err(|_| NoSource::Url)?),
            None => (place, port),
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        let is_empty = [user, &host, database].iter().any(|part| part.is_empty());
        // What stands behind a colon would be a password, behind a question mark an option.
        if is_empty || user.contains(':') || rest.contains(['@', '?', '#']) {
            return Err(NoSource::Url);
        }
        let tls = authorities.map(|file| Tls::new(file, &host)).transpose()?;
        let (user, password, database) = (user.to_owned(), password.to_owned(), database.to_owned());
        Ok(Self { kind, host, port, database, user, password, tls })
    }

    async fn connect(&self, offset: &str) -> Result<Database, Fault> {
        Ok(match self.kind {
            Kind::Postgres => Database::Postgres(Postgres::connect(self, offset).await?),
            Kind::Mysql => Database::Mysql(Mysql::connect(self, offset).await?),
        })
    }
}

fn scheme(url: &str) -> Option<(Kind, u16, &str)> {
    let known = [
        ("postgresql://", Kind::Postgres, 5432),
        ("postgres://", Kind::Postgres, 5432),
        ("mysql://", Kind::Mysql, 3306),
        ("mariadb://", Kind::Mysql, 3306),
    ];
    known.into_iter().find_map(|(scheme, kind, port)| Some((kind, port, url.strip_prefix(scheme)?)))
}

impl Tls {
    fn new(file: &Path, host: &str) -> Result<Self, NoSource> {
        let unreadable = || NoSource::Authorities { file: file.to_owned() };
        let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut roots = RootCertStore::empty();
        for certificate in read.map_err(|_| unreadable())? {
            roots.add(certificate).map_err(|_| unreadable())?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|_| unreadable())?;
        if roots.is_empty() {
            return Err(unreadable());
        }
        let config = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
        let name = ServerName::try_from(host.to_owned()).map_err(|_| NoSource::Url)?;
        Ok(Self { authorities: file.to_owned(), config, name })
    }
}

impl View {
    /// What tells this view from one that is declared otherwise: where it is, what is read, and behind what.
    pub fn identity(&self) -> Vec<String> {
        let what = match &self.what {
            What::Named(name) => ["view", name],
            What::Query(query) => ["query", query],
        };
        let mut all = vec![format!("{:?}", self.source), self.watermark.clone()];
        all.extend(what.map(str::to_owned));
        all.extend(self.key.iter().cloned());
        all
    }

    /// Connects, and looks what the view has. `offset` is what the hospital's clocks are ahead of UTC: `+08:00`.
    ///
    /// # Errors
    /// [`Fault`] if the database cannot be reached, or the view has not what the configuration names.
    pub async fn open(&self, offset: &str) -> Result<Open, Fault> {
        let opening = async {
            let mut database = self.source.connect(offset).await?;
            let asked = self.asked();
            let columns = database.columns(&asked.describe()).await?;
            let statements = asked.with(columns, &self.needed)?;
            Ok(Open { database, statements, separator: self.separator })
        };
        timeout(CONNECT_WAIT, opening).await.unwrap_or(Err(Fault::Silent))
    }

    fn asked(&self) -> Asked {
        let dialect = match self.source.kind {
            Kind::Postgres => Dialect::Postgres,
            Kind::Mysql => Dialect::Mysql,
        };
        let relation = match &self.what {
            What::Named(name) => dialect.relation(name),
            What::Query(query) => Dialect::query(query),
        };
        let (key, watermark, overlap) = (self.key.clone(), self.watermark.clone(), self.overlap);
        Asked { dialect, relation, key, watermark, overlap }
    }
}

impl Open {
    /// How far the view goes, and whether rows have no watermark; no end if it has no row with one.
    ///
    /// # Errors
    /// [`Fault`] if the database does not say, or its last watermark is none.
    pub async fn end(&mut self) -> Result<(Option<End>, bool), Fault> {
        let row = self.database.first(&self.statements.ends()).await?.unwrap_or_default();
        let some_without = row.get(2).is_some_and(|flag| flag.as_deref() == Some("1"));
        Ok((self.read_end(row)?, some_without))
    }

    /// Where the window ends that begins here; none if it goes to the end of the view.
    ///
    /// # Errors
    /// [`Fault`] if the database does not say.
    pub async fn end_of_window(&mut self, from: &From) -> Result<Option<End>, Fault> {
        let row = self.database.first(&self.statements.end_of_window(from)).await?;
        self.read_end(row.unwrap_or_default())
    }

    fn read_end(&self, row: Vec<Option<String>>) -> Result<Option<End>, Fault> {
        let mut values = row.into_iter();
        let (Some(last), Some(kept)) = (values.next().flatten(), values.next().flatten()) else {
            return Ok(None);
        };
        let column = || self.statements.asked.watermark.clone();
        let (last, kept) = Watermark::parse(&last)
            .zip(Watermark::parse(&kept))
            .ok_or_else(|| Fault::EndlessWatermark { column: column() })?;
        Ok(Some(End { last, kept }))
    }

    /// Whether a row of a window has no key: it is of no document.
    ///
    /// # Errors
    /// [`Fault`] if the database does not say.
    pub async fn has_keyless(&mut self, from: &From, to: &Watermark) -> Result<bool, Fault> {
        Ok(self.database.first(&self.statements.keyless(from, to)).await?.is_some())
    }

    /// The documents of a window.
    ///
    /// # Errors
    /// [`Fault`] if the database does not give them.
    pub async fn window(&mut self, from: &From, to: &Watermark) -> Result<Window<'_>, Fault> {
        let header = self.statements.columns.iter().map(|column| column.name.clone()).collect();
        let gathering = Gathering::new(header, &self.statements.asked.key, self.separator);
        let rows = self.database.rows(&self.statements.rows(from, to)).await?;
        Ok(Window { rows, gathering, is_over: false })
    }
}

impl Window<'_> {
    /// The next document; none after the last.
    ///
    /// # Errors
    /// [`Fault`] if the database does not give it.
    pub async fn next(&mut self) -> Result<Option<Document>, Fault> {
        while !self.is_over {
            let document = match self.rows.next().await? {
                Some(row) => {
                    let row: Vec<String> = row.into_iter().map(Option::unwrap_or_default).collect();
                    self.gathering.push(&row)
                }
                None => {
                    self.is_over = true;
                    self.gathering.finish()
                }
            };
            if document.is_some() {
                return Ok(document);
            }
        }
        Ok(None)
    }
}

impl Database {
    async fn columns(&mut self, statement: &str) -> Result<Vec<Column>, Fault> {
        match self {
            Self::Postgres(one) => one.columns(statement).await,
            Self::Mysql(one) => one.columns(statement).await,
        }
    }

    async fn rows(&mut self, statement: &str) -> Result<Rows<'_>, Fault> {
        let asking = async {
            Ok(match self {
                Self::Postgres(one) => Rows::Postgres(one.rows(statement).await?),
                Self::Mysql(one) => Rows::Mysql(one.rows(statement).await?),
            })
        };
        timeout(ROW_WAIT, asking).await.unwrap_or(Err(Fault::Silent))
    }

    /// The first row; the others are let go.
    async fn first(&mut self, statement: &str) -> Result<Option<Vec<Option<String>>>, Fault> {
        let mut rows = self.rows(statement).await?;
        let first = rows.next().await?;
        // After its end nothing may be asked of a stream of rows.
        while first.is_some() && rows.next().await?.is_some() {}
        Ok(first)
    }
}

impl Rows<'_> {
    async fn next(&mut self) -> Result<Option<Vec<Option<String>>>, Fault> {
        let next = async {
            match self {
                Self::Postgres(rows) => rows.next().await,
                Self::Mysql(rows) => rows.next().await,
            }
        };
        timeout(ROW_WAIT, next).await.unwrap_or(Err(Fault::Silent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_user_at_a_database_and_its_password_stands_elsewhere() {
        let source = Source::new("postgresql://reader@10.1.1.5:5433/his", "a-password", None).unwrap();
        assert_eq!((source.host.as_str(), source.port, source.user.as_str()), ("10.1.1.5", 5433, "reader"));
        assert_eq!(format!("{source:?}"), "Postgres 10.1.1.5:5433/his");
        let six = Source::new("mysql://reader@[::1]/lis", "", None).unwrap();
        assert_eq!((six.host.as_str(), six.port, six.kind), ("::1", 3306, Kind::Mysql));
        for none in [
            "postgresql://reader:secret@db/his",
            "postgresql://db/his",
            "postgresql://reader@db",
            "postgresql://reader@/his",
            "postgresql://reader@db:port/his",
            "postgresql://reader@db/his?sslmode=disable",
            "oracle://reader@db/his",
        ] {
            assert!(matches!(Source::new(none, "", None), Err(NoSource::Url)), "{none}");
        }
        let no_file = Source::new("mysql://reader@db/lis", "", Some(Path::new("none.pem")));
        assert!(matches!(no_file, Err(NoSource::Authorities { .. })));
    }
}
