//! MySQL and MariaDB, by `mysql_async`. What is asked goes in as text, and every value comes back as text.

use mysql_async::consts::ColumnType;
use mysql_async::prelude::Queryable;
use mysql_async::{
    Column as Described, Conn, DriverError, Error, IoError, OptsBuilder, QueryResult, SslOpts, TextProtocol,
    Value,
};

use crate::fault::Fault;
use crate::sql::{Column, Nature};
use crate::view::Source;

/// The character set of what is no text.
const BINARY: u16 = 63;

/// One connection.
pub(crate) struct Mysql(Conn);

impl Mysql {
    pub(crate) async fn connect(source: &Source, offset: &str) -> Result<Self, Fault> {
        let options = OptsBuilder::default()
            .ip_or_hostname(source.host.clone())
            .tcp_port(source.port)
            .prefer_socket(false)
            .user(Some(source.user.clone()))
            .pass(Some(source.password.clone()))
            .db_name(Some(source.database.clone()))
            .ssl_opts(source.tls.as_ref().map(|tls| {
                let roots = vec![tls.authorities.clone().into()];
                SslOpts::default().with_root_certs(roots).with_disable_built_in_roots(true)
            }));
        let mut connection = Conn::new(options).await.map_err(|error| fault(&error))?;
        for setting in
            ["SET NAMES utf8mb4", "SET SESSION TRANSACTION READ ONLY", &format!("SET time_zone = '{offset}'")]
        {
            connection.query_drop(setting).await.map_err(|error| fault(&error))?;
        }
        Ok(Self(connection))
    }

    pub(crate) async fn columns(&mut self, statement: &str) -> Result<Vec<Column>, Fault> {
        let described = self.0.query_iter(statement).await.map_err(|error| fault(&error))?;
        let columns = described.columns_ref().iter().map(column).collect();
        described.drop_result().await.map_err(|error| fault(&error))?;
        Ok(columns)
    }

    pub(crate) async fn rows(&mut self, statement: &str) -> Result<Rows<'_>, Fault> {
        Ok(Rows(self.0.query_iter(statement.to_owned()).await.map_err(|error| fault(&error))?))
    }
}

/// Rows as they come; the server sends no more than are taken.
pub(crate) struct Rows<'c>(QueryResult<'c, 'static, TextProtocol>);

impl Rows<'_> {
    /// The next row; all its values are texts.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Option<String>>>, Fault> {
        let row = self.0.next().await.map_err(|error| fault(&error))?;
        Ok(row.map(|row| row.unwrap_raw().into_iter().map(text).collect()))
    }
}

/// In what is asked as text, all that is answered but nothing is bytes.
fn text(value: Option<Value>) -> Option<String> {
    if let Some(Value::Bytes(bytes)) = value {
        Some(String::from_utf8_lossy(&bytes).into_owned())
    } else {
        None
    }
}

fn column(of: &Described) -> Column {
    let nature = match of.column_type() {
        ColumnType::MYSQL_TYPE_TINY
        | ColumnType::MYSQL_TYPE_SHORT
        | ColumnType::MYSQL_TYPE_INT24
        | ColumnType::MYSQL_TYPE_LONG
        | ColumnType::MYSQL_TYPE_LONGLONG
        | ColumnType::MYSQL_TYPE_DECIMAL
        | ColumnType::MYSQL_TYPE_NEWDECIMAL => Nature::Number("number"),
        ColumnType::MYSQL_TYPE_TIMESTAMP
        | ColumnType::MYSQL_TYPE_TIMESTAMP2
        | ColumnType::MYSQL_TYPE_DATETIME
        | ColumnType::MYSQL_TYPE_DATETIME2
        | ColumnType::MYSQL_TYPE_DATE
        | ColumnType::MYSQL_TYPE_NEWDATE => Nature::Time("datetime", "NOW(6)"),
        kind if is_of_bytes(kind) && of.character_set() == BINARY => Nature::Bytes,
        ColumnType::MYSQL_TYPE_FLOAT
        | ColumnType::MYSQL_TYPE_DOUBLE
        | ColumnType::MYSQL_TYPE_NULL
        | ColumnType::MYSQL_TYPE_TIME
        | ColumnType::MYSQL_TYPE_TIME2
        | ColumnType::MYSQL_TYPE_YEAR
        | ColumnType::MYSQL_TYPE_VARCHAR
        | ColumnType::MYSQL_TYPE_BIT
        | ColumnType::MYSQL_TYPE_TYPED_ARRAY
        | ColumnType::MYSQL_TYPE_VECTOR
        | ColumnType::MYSQL_TYPE_UNKNOWN
        | ColumnType::MYSQL_TYPE_JSON
        | ColumnType::MYSQL_TYPE_ENUM
        | ColumnType::MYSQL_TYPE_SET
        | ColumnType::MYSQL_TYPE_TINY_BLOB
        | ColumnType::MYSQL_TYPE_MEDIUM_BLOB
        | ColumnType::MYSQL_TYPE_LONG_BLOB
        | ColumnType::MYSQL_TYPE_BLOB
        | ColumnType::MYSQL_TYPE_VAR_STRING
        | ColumnType::MYSQL_TYPE_STRING
        | ColumnType::MYSQL_TYPE_GEOMETRY => Nature::Other,
    };
    Column { name: of.name_str().into_owned(), nature }
}

const fn is_of_bytes(kind: ColumnType) -> bool {
    matches!(
        kind,
        ColumnType::MYSQL_TYPE_TINY_BLOB
            | ColumnType::MYSQL_TYPE_MEDIUM_BLOB
            | ColumnType::MYSQL_TYPE_LONG_BLOB
            | ColumnType::MYSQL_TYPE_BLOB
            | ColumnType::MYSQL_TYPE_VARCHAR
            | ColumnType::MYSQL_TYPE_VAR_STRING
            | ColumnType::MYSQL_TYPE_STRING
            | ColumnType::MYSQL_TYPE_GEOMETRY
            | ColumnType::MYSQL_TYPE_BIT
    )
}

/// In words of its own: what the server says of an error may hold a value.
fn fault(error: &Error) -> Fault {
    match error {
        Error::Server(server) => match server.code {
            1045 | 1698 | 1044 => Fault::Login,
            1049 => Fault::NoDatabase,
            1146 => Fault::NoView,
            1054 => Fault::NoColumnOfQuery,
            1142 | 1143 | 1356 => Fault::Forbidden,
            1064 => Fault::Query,
            code => Fault::Other { code: code.to_string() },
        },
        Error::Io(IoError::Io(error)) => Fault::Away { why: error.kind().to_string() },
        Error::Io(IoError::Tls(_)) | Error::Driver(DriverError::NoClientSslFlagFromServer) => Fault::Tls,
        Error::Driver(_) | Error::Url(_) | Error::Other(_) => {
            Fault::Away { why: "the connection broke".to_owned() }
        }
    }
}
