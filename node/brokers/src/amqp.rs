//! A broker of AMQP 0-9-1, such as RabbitMQ. A message is persistent, and taken once the broker confirms that a queue has it; one that
//! no queue takes comes back (`mandatory`).

use std::fmt;
use std::io::ErrorKind as Io;
use std::sync::{Mutex, PoisonError};

use async_rs::{Runtime, Tokio};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{
    AsyncTcpStream, BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ErrorKind,
};
use tokio::time::timeout;

use crate::fault::Fault;
use crate::kit::{Held, Hold, Kit};
use crate::limits::WAIT;
use crate::message::Message;
use crate::place::{Login, Place};

/// Delivery mode 2: it outlives a restart of the broker.
const PERSISTENT: u8 = 2;

/// Reply codes of AMQP 0-9-1, section 1.8 of its definitions.
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;
const NOT_ALLOWED: u16 = 530;

/// Where messages go.
#[derive(Clone, Debug)]
pub struct To {
    /// The broker.
    pub place: Place,
    /// Who this node is there.
    pub login: Login,
    /// The virtual host.
    pub vhost: String,
    /// What takes them there.
    pub route: Route,
}

/// What takes messages at a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// An exchange, which must be there.
    Exchange {
        /// Its name.
        name: String,
        /// The routing key; the kind of each message if there is none.
        key: Option<String>,
    },
    /// A queue; one that is not there is made, durable.
    Queue(String),
}

/// A broker to which messages are published one after the other.
pub struct Broker {
    to: To,
    open: Option<Open>,
}

/// A connection that may be used.
struct Open {
    channel: Channel,
    _connection: Connection,
    _hold: Hold,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("to", &self.to).finish_non_exhaustive()
    }
}

impl Broker {
    /// A broker to which nothing was published yet.
    pub const fn new(to: To) -> Self {
        Self { to, open: None }
    }

    /// Publishes one message, and waits until it is confirmed. A connection that has stood open may have been closed meanwhile: then
    /// once more over a new one, so that a message may come twice.
    ///
    /// # Errors
    /// [`Fault`] if the broker has not confirmed that a queue has it.
    pub async fn publish(&mut self, message: Message<'_>) -> Result<(), Fault> {
        let was_open = self.open.is_some();
        let published = self.in_time(message).await;
        if was_open && matches!(published, Err(Fault::Away { .. })) {
            return self.in_time(message).await;
        }
        published
    }

    async fn in_time(&mut self, message: Message<'_>) -> Result<(), Fault> {
        timeout(WAIT, self.exchange(message)).await.unwrap_or(Err(Fault::Silent))
    }

    /// A connection is used again only if the answer came over it.
    async fn exchange(&mut self, message: Message<'_>) -> Result<(), Fault> {
        let open = match self.open.take() {
            Some(open) => open,
            None => self.to.connect().await?,
        };
        let (exchange, key) = self.to.route.of(&message);
        let properties = BasicProperties::default()
            .with_message_id(message.id.into())
            .with_type(message.kind.into())
            .with_content_type("application/json".into())
            .with_delivery_mode(PERSISTENT);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let publishing =
            open.channel.basic_publish(exchange.into(), key.into(), options, message.body, properties);
        let confirmed = async { publishing.await?.await }.await;
        let judged = judge(&confirmed.map_err(|error| self.to.not_published(&error))?, key);
        self.open = Some(open);
        judged
    }
}

fn judge(confirmation: &Confirmation, key: &str) -> Result<(), Fault> {
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(_)) => Err(Fault::NoQueue { key: key.to_owned() }),
        Confirmation::Nack(_) | Confirmation::NotRequested => Err(Fault::NotKept),
    }
}

impl Route {
    /// Exchange and routing key of a message.
    fn of<'r>(&'r self, message: &Message<'r>) -> (&'r str, &'r str) {
        match self {
            Self::Exchange { name, key } => (name, key.as_deref().unwrap_or(message.kind)),
            // The exchange without a name brings to the queue that the key names.
            Self::Queue(name) => ("", name),
        }
    }
}

impl To {
    async fn connect(&self) -> Result<Open, Fault> {
        let (stream, hold) = Held::new(self.place.connect().await?);
        let stream = Mutex::new(Some(stream));
        let given = async move |_: AMQPUri, _: Runtime<Kit>| {
            let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
            let stream = stream.ok_or(std::io::Error::from(Io::NotConnected))?;
            Ok(AsyncTcpStream::Plain(stream))
        };
        let (kit, properties) = (Runtime::new(Kit(Tokio::current())), ConnectionProperties::default());
        let connection = Connection::connector(self.uri(), kit, given, properties).await;
        let connection = connection.map_err(|error| self.not_let_in(&error))?;
        if let Route::Queue(name) = &self.route {
            self.make(name, &connection).await.map_err(|error| self.not_published(&error))?;
        }
        let channel = async {
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok(channel)
        };
        let channel = channel.await.map_err(|error| self.not_published(&error))?;
        Ok(Open { channel, _connection: connection, _hold: hold })
    }

    /// A queue that is there may be of any type: only one that is not is declared. A refusal closes its channel.
    async fn make(&self, queue: &str, connection: &Connection) -> lapin::Result<()> {
        let look = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let channel = connection.create_channel().await?;
        match channel.queue_declare(queue.into(), look, FieldTable::default()).await {
            Err(error) if code(&error) == Some(NOT_FOUND) => {}
            looked => return looked.map(drop),
        }
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let channel = connection.create_channel().await?;
        channel.queue_declare(queue.into(), durable, FieldTable::default()).await.map(drop)
    }

    /// Where the connection leads and who asks; it was made before.
    fn uri(&self) -> AMQPUri {
        let Login { user, password } = self.login.clone();
        let userinfo = AMQPUserInfo { username: user, password };
        let authority = AMQPAuthority { userinfo, host: self.place.address.clone(), port: 0 };
        let query = AMQPQueryString::default();
        AMQPUri { scheme: AMQPScheme::AMQP, authority, vhost: self.vhost.clone(), query }
    }

    fn not_let_in(&self, error: &lapin::Error) -> Fault {
        match code(error) {
            Some(ACCESS_REFUSED) => Fault::Login,
            Some(NOT_ALLOWED) => Fault::NoVhost { vhost: self.vhost.clone() },
            Some(code) => Fault::Other { code },
            None => Fault::Away { why: error.to_string() },
        }
    }

    fn not_published(&self, error: &lapin::Error) -> Fault {
        match (code(error), &self.route) {
            (Some(ACCESS_REFUSED), _) => Fault::Forbidden,
            (Some(NOT_FOUND), Route::Exchange { name, .. }) => Fault::NoExchange { exchange: name.clone() },
            (Some(code), _) => Fault::Other { code },
            (None, _) => Fault::Away { why: error.to_string() },
        }
    }
}

/// The code by which the broker closes a channel or a connection.
fn code(error: &lapin::Error) -> Option<u16> {
    if let ErrorKind::ProtocolError(error) = error.kind() { Some(error.get_id()) } else { None }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_broker_that_says_nothing_is_let_go_with_who_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let login = Login { user: "yiqiao".to_owned(), password: "a-password".to_owned() };
        let (place, vhost) = (Place { address, tls: None }, "/".to_owned());
        let mut broker = Broker::new(To { place, login, vhost, route: Route::Queue("his".to_owned()) });
        let message = Message { body: b"{}", id: "1-1", kind: "consent-changed" };
        let silent = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut header = [0; 8];
            stream.read_exact(&mut header).await.unwrap();
            assert_eq!(&header, b"AMQP\x00\x00\x09\x01");
            stream
        };
        let mut stream = tokio::select! {
            published = broker.publish(message) => panic!("{published:?}"),
            stream = silent => stream,
        };
        // The thread of the client ends, too: it had the connection.
        let ended = timeout(Duration::from_secs(20), stream.read_to_end(&mut Vec::new())).await;
        assert_eq!(ended.unwrap().unwrap(), 0);
    }
}
