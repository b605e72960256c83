//! Why a view is not read, in words for who configures it: never with a value, a password, or what the database says of a row.

/// Why a view is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No connection, or it broke.
    #[error("the database cannot be reached: {why}")]
    Away {
        /// What the system says.
        why: String,
    },
    /// It does not go on.
    #[error("the database does not answer")]
    Silent,
    /// The certificate is not believed, or there is no TLS.
    #[error(
        "the database is not reached by TLS with a certificate for which the configured authorities vouch"
    )]
    Tls,
    /// Wrong user or password.
    #[error("the database does not accept the user or the password")]
    Login,
    /// The user may not.
    #[error("the user may not read the view")]
    Forbidden,
    /// No such database.
    #[error("there is no such database")]
    NoDatabase,
    /// No such view.
    #[error("there is no such view or table")]
    NoView,
    /// What the query names is not there.
    #[error("the query names a column that is not there")]
    NoColumnOfQuery,
    /// A column of the mapping, the key or the watermark is missing.
    #[error("the view has no column {column}")]
    NoColumn {
        /// As the configuration writes it.
        column: String,
    },
    /// Two columns have one name.
    #[error("two columns of the view have one name")]
    TwoColumns,
    /// The watermark is of another type.
    #[error("the column {column} is neither a number nor a time: it is no watermark")]
    NoWatermark {
        /// As the configuration writes it.
        column: String,
    },
    /// Its highest value is none.
    #[error("the highest value in the column {column} is neither a number nor a time of a calendar")]
    EndlessWatermark {
        /// As the configuration writes it.
        column: String,
    },
    /// Not SQL as this database has it.
    #[error("the database cannot read the query")]
    Query,
    /// Anything else, by the database's own code.
    #[error("the database reports the error {code}")]
    Other {
        /// SQLSTATE, or its number.
        code: String,
    },
}
