//! A server of NATS with JetStream. A message is taken once a stream has it; one that comes again under the same id is dropped there.
//!
//! The protocol is lines of text: one connection, one message at a time, each with its acknowledgement. Nothing is sent again behind the
//! caller's back, so that nothing that was given up comes later, out of order.

use std::fmt;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use crate::fault::Fault;
use crate::limits::{ANSWER_BYTES_MAX, LINE_BYTES_MAX, WAIT};
use crate::message::Message;
use crate::place::{Login, Place, Wire, away};

/// Asks JetStream which streams take a subject.
const STREAM_NAMES: &str = "$JS.API.STREAM.NAMES";
/// The status of what nobody has listened to.
const NOBODY: &str = "503";

/// Where messages go.
#[derive(Clone, Debug)]
pub struct To {
    /// The server.
    pub place: Place,
    /// Who this node is there; nobody if the server asks nobody.
    pub login: Option<Login>,
    /// What subjects begin with; a full stop and the kind of the message follow.
    pub subject: String,
}

/// A server to which messages are published one after the other.
pub struct Server {
    to: To,
    open: Option<Open>,
}

/// A connection that may be used.
struct Open {
    wire: BufReader<Box<dyn Wire>>,
    /// The subject under which answers come over this connection and no other.
    inbox: String,
}

/// What a server says of itself, as far as it matters here.
#[derive(Deserialize)]
struct Info {
    server_id: String,
    client_id: u64,
    #[serde(default)]
    tls_required: bool,
    #[serde(default)]
    tls_available: bool,
}

/// Who connects, and how.
#[derive(Serialize)]
struct Connect<'l> {
    name: &'static str,
    lang: &'static str,
    version: &'static str,
    protocol: u8,
    verbose: bool,
    pedantic: bool,
    tls_required: bool,
    headers: bool,
    no_responders: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pass: Option<&'l str>,
}

/// What came under a connection's own subject.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Body(Vec<u8>),
    /// Nobody listens where it was asked.
    Nobody,
}

/// A line of the server.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Ping,
    Pong,
    /// It changes nothing here.
    Other,
    /// It refuses something, mostly before it ends the connection.
    Wrong(Fault),
    /// A message follows: so many bytes, of which the first are its head.
    Message {
        head: usize,
        bytes: usize,
    },
}

/// What JetStream says to what was published.
#[derive(Deserialize)]
struct Acknowledgement {
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    err_code: u16,
}

#[derive(Deserialize)]
struct StreamNames {
    streams: Option<Vec<String>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("to", &self.to).finish_non_exhaustive()
    }
}

impl Server {
    /// A server to which nothing was published yet.
    pub const fn new(to: To) -> Self {
        Self { to, open: None }
    }

    /// Publishes one message, and waits until a stream has it. A connection that has stood open may have been closed meanwhile: then
    /// once more over a new one; the stream drops what it has already.
    ///
    /// # Errors
    /// [`Fault`] if no stream has said that it has it.
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

    /// A connection is used again only if all answers came over it.
    async fn exchange(&mut self, message: Message<'_>) -> Result<(), Fault> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.to.connect().await?,
        };
        let subject = format!("{}.{}", self.to.subject, message.kind);
        let judged = match open.ask(&subject, Some(message.id), message.body).await? {
            Answer::Body(body) => judge(&body),
            Answer::Nobody => Err(open.why_nobody(subject).await?),
        };
        self.open = Some(open);
        judged
    }
}

fn judge(body: &[u8]) -> Result<(), Fault> {
    match serde_json::from_slice(body) {
        Ok(Acknowledgement { error: Some(Refusal { err_code }), .. }) => Err(Fault::Other { code: err_code }),
        Ok(Acknowledgement { seq: 1.., .. }) => Ok(()),
        Ok(Acknowledgement { .. }) | Err(_) => Err(Fault::NotKept),
    }
}

impl To {
    async fn connect(&self) -> Result<Open, Fault> {
        let mut plain = BufReader::new(self.place.dial().await?);
        let info = introduced(&read_line(&mut plain).await?)?;
        let wire: Box<dyn Wire> = match &self.place.tls {
            Some(tls) if info.tls_required || info.tls_available => tls.seal(plain.into_inner()).await?,
            None if !info.tls_required => Box::new(plain.into_inner()),
            Some(_) | None => return Err(Fault::Tls),
        };
        let inbox = format!("_INBOX.{}.{}", info.server_id, info.client_id);
        let mut open = Open { wire: BufReader::new(wire), inbox };
        let connect = serde_json::to_string(&self.introduction()).map_err(|_| strange())?;
        open.write(format!("CONNECT {connect}\r\nSUB {} 1\r\nPING\r\n", open.inbox).as_bytes()).await?;
        // It answers in order: who is not let in reads that before.
        while open.line().await? != Line::Pong {}
        Ok(open)
    }

    fn introduction(&self) -> Connect<'_> {
        Connect {
            name: "yiqiao",
            lang: "rust",
            version: env!("CARGO_PKG_VERSION"),
            protocol: 1,
            verbose: false,
            pedantic: false,
            tls_required: self.place.tls.is_some(),
            headers: true,
            no_responders: true,
            user: self.login.as_ref().map(|login| login.user.as_str()),
            pass: self.login.as_ref().map(|login| login.password.as_str()),
        }
    }
}

impl Open {
    /// Publishes something, under an id if it has one, and gives the first answer.
    async fn ask(&mut self, subject: &str, id: Option<&str>, body: &[u8]) -> Result<Answer, Fault> {
        let head = id.map(|id| format!("NATS/1.0\r\nNats-Msg-Id: {id}\r\n\r\n")).unwrap_or_default();
        let (inbox, bytes) = (&self.inbox, head.len() + body.len());
        let line = match head.len() {
            0 => format!("PUB {subject} {inbox} {bytes}\r\n"),
            head => format!("HPUB {subject} {inbox} {head} {bytes}\r\n"),
        };
        self.write(&[line.as_bytes(), head.as_bytes(), body, b"\r\n"].concat()).await?;
        loop {
            if let Line::Message { head, bytes } = self.line().await? {
                return self.answer(head, bytes).await;
            }
        }
    }

    /// Nobody has listened to a subject: because no stream takes it, or because nobody answers for streams.
    async fn why_nobody(&mut self, subject: String) -> Result<Fault, Fault> {
        let asked = serde_json::json!({ "subject": subject }).to_string();
        let Answer::Body(body) = self.ask(STREAM_NAMES, None, asked.as_bytes()).await? else {
            return Ok(Fault::NoJetStream);
        };
        let names: Option<StreamNames> = serde_json::from_slice(&body).ok();
        let names = names.and_then(|names| names.streams).unwrap_or_default();
        // A stream that has nobody who leads it now takes it later.
        Ok(if names.is_empty() { Fault::NoStream { subject } } else { Fault::NotKept })
    }

    async fn answer(&mut self, head: usize, bytes: usize) -> Result<Answer, Fault> {
        let mut all = vec![0; bytes + 2];
        self.wire.read_exact(&mut all).await.map_err(|error| away(&error))?;
        all.truncate(bytes);
        let body = all.split_off(head);
        let status = all.strip_prefix(b"NATS/1.0 ").unwrap_or_default();
        Ok(if status.starts_with(NOBODY.as_bytes()) { Answer::Nobody } else { Answer::Body(body) })
    }

    /// The next line that is not about staying connected.
    async fn line(&mut self) -> Result<Line, Fault> {
        loop {
            match read(&read_line(&mut self.wire).await?)? {
                Line::Ping => self.write(b"PONG\r\n").await?,
                Line::Wrong(fault) => return Err(fault),
                line @ (Line::Pong | Line::Other | Line::Message { .. }) => return Ok(line),
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let written = async {
            self.wire.write_all(bytes).await?;
            // TLS keeps what it has not been told to send.
            self.wire.flush().await
        };
        written.await.map_err(|error| away(&error))
    }
}

async fn read_line(from: &mut (impl AsyncBufRead + Unpin)) -> Result<String, Fault> {
    let mut line = Vec::new();
    from.take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await.map_err(|error| away(&error))?;
    let line = line.strip_suffix(b"\r\n").ok_or_else(|| match line.as_slice() {
        [] => away(&std::io::ErrorKind::UnexpectedEof.into()),
        _ => strange(),
    })?;
    String::from_utf8(line.to_vec()).map_err(|_| strange())
}

fn strange() -> Fault {
    Fault::Away { why: "what answers does not speak the protocol".to_owned() }
}

fn introduced(line: &str) -> Result<Info, Fault> {
    let info = line.strip_prefix("INFO ").ok_or_else(strange)?;
    let info: Info = serde_json::from_str(info).map_err(|_| strange())?;
    // It becomes part of a subject.
    let is_word =
        !info.server_id.is_empty() && info.server_id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_word { Ok(info) } else { Err(strange()) }
}

fn read(line: &str) -> Result<Line, Fault> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let words: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |word: &str| word.parse::<usize>().ok().filter(|bytes| *bytes <= ANSWER_BYTES_MAX);
    Ok(match (verb, words.as_slice()) {
        ("PING", _) => Line::Ping,
        ("PONG", _) => Line::Pong,
        ("-ERR", _) => Line::Wrong(wrong(rest)),
        ("MSG", [_, _, bytes] | [_, _, _, bytes]) => {
            Line::Message { head: 0, bytes: number(bytes).ok_or_else(strange)? }
        }
        ("HMSG", [_, _, head, bytes] | [_, _, _, head, bytes]) => {
            let (head, bytes) = number(head).zip(number(bytes)).ok_or_else(strange)?;
            Line::Message { head: Some(head).filter(|head| *head <= bytes).ok_or_else(strange)?, bytes }
        }
        ("INFO" | "+OK", _) => Line::Other,
        _ => return Err(strange()),
    })
}

/// What the server refuses.
fn wrong(said: &str) -> Fault {
    let said = said.trim_matches('\'').to_ascii_lowercase();
    if said.starts_with("authorization") || said.starts_with("authentication") {
        Fault::Login
    } else if said.starts_with("permissions violation") {
        Fault::Forbidden
    } else {
        Fault::Away { why: said }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_the_server_writes_it_and_nothing_longer_is_waited_for() {
        for (line, said) in [
            ("PING", Line::Ping),
            ("PONG", Line::Pong),
            ("INFO {\"connect_urls\":[]}", Line::Other),
            ("MSG _INBOX.A.4 1  25", Line::Message { head: 0, bytes: 25 }),
            ("HMSG _INBOX.A.4 1 16 16", Line::Message { head: 16, bytes: 16 }),
            ("-ERR 'Authorization Violation'", Line::Wrong(Fault::Login)),
            (
                "-ERR 'Permissions Violation for Publish to \"yiqiao.consent-changed\"'",
                Line::Wrong(Fault::Forbidden),
            ),
            ("-ERR 'Stale Connection'", Line::Wrong(Fault::Away { why: "stale connection".to_owned() })),
        ] {
            assert_eq!(read(line), Ok(said), "{line}");
        }
        for line in [
            "",
            "MSG",
            "MSG a 1 -5",
            "MSG a 1 99999999999",
            "HMSG a 1 20 16",
            "HMSG a 1 16",
            "HTTP/1.1 400 Bad Request",
        ] {
            assert_eq!(read(line), Err(strange()), "{line}");
        }
    }

    #[test]
    fn a_server_says_who_it_is_in_one_word() {
        let info =
            |id: &str| introduced(&format!("INFO {{\"server_id\":\"{id}\",\"client_id\":4,\"extra\":1}}"));
        assert_eq!(info("NBAGTGCR").map(|info| (info.client_id, info.tls_required)), Ok((4, false)));
        for wrong in ["", "a b", "a.>", "a\\r\\nPUB"] {
            assert_eq!(info(wrong).map(|info| info.server_id), Err(strange()), "{wrong}");
        }
        assert!(introduced("SSH-2.0").is_err() && introduced("INFO []").is_err());
    }

    #[test]
    fn only_a_place_in_a_stream_acknowledges() {
        assert_eq!(judge(b"{\"stream\":\"HIS\", \"seq\":1,\"duplicate\": true}"), Ok(()));
        let full = b"{\"error\":{\"code\":503,\"err_code\":10077,\"description\":\"\"},\"stream\":\"HIS\",\"seq\":0}";
        assert_eq!(judge(full), Err(Fault::Other { code: 10_077 }));
        for other in [&b"{}"[..], b"", b"{\"seq\":0}", b"thank you"] {
            assert_eq!(judge(other), Err(Fault::NotKept));
        }
    }
}
