//! What systems and browsers speak: MLLP and HTTP, by hand.

use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use yiqiao_intake::hl7::mllp::{Decoder, encode};

/// How long any answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A sender's connection.
pub(crate) struct Mllp {
    stream: TcpStream,
    decoder: Decoder,
}

impl Mllp {
    pub(crate) async fn connect(address: &str) -> io::Result<Self> {
        Ok(Self { stream: TcpStream::connect(address).await?, decoder: Decoder::new(1 << 20) })
    }

    /// Sends a message in its frame and waits for the acknowledgement: its MSA segment.
    pub(crate) async fn send(&mut self, message: &[u8]) -> io::Result<String> {
        self.send_raw(&encode(message)).await
    }

    /// Sends bytes as they are and waits for an acknowledgement.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) -> io::Result<String> {
        self.stream.write_all(bytes).await?;
        let answer = tokio::time::timeout(PATIENCE, self.answer()).await;
        let answer = String::from_utf8_lossy(&answer??).into_owned();
        Ok(answer.split('\r').find(|line| line.starts_with("MSA")).unwrap_or_default().to_owned())
    }

    async fn answer(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = [0; 4_096];
        loop {
            let read = self.stream.read(&mut bytes).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(frame) = self.decoder.push(&bytes[..read]).into_iter().next() {
                return frame.map_err(io::Error::other);
            }
        }
    }
}

/// An HTTP answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// What the answer's header of this name says.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find(|line| line.to_ascii_lowercase().starts_with(name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim())
    }
}

pub(crate) async fn post(port: u16, path: &str, token: Option<&str>, media: &str, body: &[u8]) -> Answer {
    let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    try_request(port, "POST", path, &format!("{bearer}Content-Type: {media}\r\n"), body).await.unwrap()
}

pub(crate) async fn try_request(
    port: u16,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await??;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    let body = answer[end + 4..].to_vec();
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Ok(Answer { status, head, body: if chunked { unchunked(&body) } else { body } })
}

/// What stands in the chunks of a body of unknown length (RFC 9112 section 7.1).
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|bytes| bytes == b"\r\n").unwrap();
        let length = usize::from_str_radix(str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        rest = &rest[line + 2..];
        if length == 0 {
            return body;
        }
        body.extend(&rest[..length]);
        rest = &rest[length + 2..];
    }
}

/// What `/healthz` says; nothing if nobody answers.
pub(crate) async fn health(port: u16) -> Option<Value> {
    try_request(port, "GET", "/healthz", "", b"").await.ok().map(|answer| answer.json())
}
