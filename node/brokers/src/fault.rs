//! Why a message is not taken, in words for who configures the broker: never with a password, or with what the message says.

/// Why a message is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No connection, or it broke.
    #[error("the broker cannot be reached: {why}")]
    Away {
        /// What the system says.
        why: String,
    },
    /// It does not go on: also one that has no memory or disk left, and lets nobody publish.
    #[error("the broker does not confirm")]
    Silent,
    /// The certificate is not believed, or there is no TLS.
    #[error("the broker is not reached by TLS with a certificate for which the configured authorities vouch")]
    Tls,
    /// Wrong user or password.
    #[error("the broker does not accept the user or the password")]
    Login,
    /// No such part of the broker.
    #[error("there is no virtual host {vhost}, or the user may not use it")]
    NoVhost {
        /// As the configuration writes it.
        vhost: String,
    },
    /// The user may not.
    #[error("the user may not publish there")]
    Forbidden,
    /// No such exchange.
    #[error("there is no exchange {exchange}")]
    NoExchange {
        /// As the configuration writes it.
        exchange: String,
    },
    /// It came back: nobody would have had it.
    #[error("no queue takes what is published with the routing key {key}")]
    NoQueue {
        /// The routing key.
        key: String,
    },
    /// JetStream has it nowhere.
    #[error("no stream takes what is published with the subject {subject}")]
    NoStream {
        /// The subject.
        subject: String,
    },
    /// There are no streams at all.
    #[error("nobody answers for streams: JetStream is not enabled for this user, or has nobody who leads")]
    NoJetStream,
    /// The broker has said that it could not keep it.
    #[error("the broker could not keep it")]
    NotKept,
    /// Anything else, by the protocol's own code.
    #[error("the broker reports the error {code}")]
    Other {
        /// Its number.
        code: u16,
    },
}

/// Whose fault it is, and with that what becomes of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// This message is not taken; the next one may be.
    Message,
    /// The broker answers, but does not take it now.
    Now,
    /// Nothing is taken before somebody mends it.
    Broker,
}

impl Fault {
    /// Whose fault it is.
    pub const fn blame(&self) -> Blame {
        match self {
            Self::NoQueue { .. } | Self::NoStream { .. } => Blame::Message,
            Self::NotKept | Self::Other { .. } => Blame::Now,
            Self::Away { .. }
            | Self::Silent
            | Self::Tls
            | Self::Login
            | Self::NoVhost { .. }
            | Self::Forbidden
            | Self::NoExchange { .. }
            | Self::NoJetStream => Blame::Broker,
        }
    }
}
