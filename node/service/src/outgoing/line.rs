//! Events as HL7 v2 over MLLP, by TLS if it is configured: one connection, one message at a time, each with its acknowledgement.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use yiqiao_intake::hl7::mllp::{Decoder, encode};
use yiqiao_intake::hl7::notice::{self, Answer, Code};

use crate::limits::{MLLP_READ_BYTES, OUT_ANSWER_BYTES_MAX, OUT_WAIT};
use crate::outgoing::Told;
use crate::outgoing::config::MllpOut;
use crate::tls::Connector;

/// A destination that is reached by MLLP.
pub(crate) struct Line {
    to: MllpOut,
    open: Option<Connection>,
}

/// What bytes go over.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for S {}

/// A connection with what has come over it.
struct Connection {
    stream: Box<dyn Stream>,
    decoder: Decoder,
}

impl Line {
    pub(crate) const fn new(to: MllpOut) -> Self {
        Self { to, open: None }
    }

    /// Sends one message and waits for its acknowledgement. A connection that has stood open may have been closed meanwhile: then
    /// once more over a new one.
    pub(crate) async fn tell(&mut self, message: &[u8], control_id: &str) -> Told {
        let was_open = self.open.is_some();
        let mut answered = self.exchange(message).await;
        if was_open && answered.is_err() {
            answered = self.exchange(message).await;
        }
        let frame = match answered {
            Ok(frame) => frame,
            Err(error) => return Told::Away(error.to_string()),
        };
        let told = judge(notice::answer(&frame), control_id);
        if told == Told::NotNow(OTHER.to_owned()) {
            self.open = None;
        }
        told
    }

    /// A connection is used again only if the answer came over it whole.
    async fn exchange(&mut self, message: &[u8]) -> io::Result<Vec<u8>> {
        let open = self.open.take();
        let exchange = async {
            let mut connection = match open {
                Some(connection) => connection,
                None => Connection::open(&self.to).await?,
            };
            let frame = connection.exchange(message).await?;
            Ok::<_, io::Error>((connection, frame))
        };
        let (connection, frame) =
            timeout(OUT_WAIT, exchange).await.map_err(|_| io::ErrorKind::TimedOut)??;
        self.open = Some(connection);
        Ok(frame)
    }
}

impl Connection {
    async fn open(to: &MllpOut) -> io::Result<Self> {
        let stream = TcpStream::connect(&to.address).await?;
        stream.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match &to.tls {
            None => Box::new(stream),
            Some(Connector { tls, name }) => Box::new(tls.connect(name.clone(), stream).await?),
        };
        Ok(Self { stream, decoder: Decoder::new(OUT_ANSWER_BYTES_MAX) })
    }

    async fn exchange(&mut self, message: &[u8]) -> io::Result<Vec<u8>> {
        self.stream.write_all(&encode(message)).await?;
        // TLS keeps what it has not been told to send.
        self.stream.flush().await?;
        let mut bytes = vec![0; MLLP_READ_BYTES];
        loop {
            let read = self.stream.read(&mut bytes).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let frames = self.decoder.push(bytes.get(..read).unwrap_or_default());
            if let Some(frame) = frames.into_iter().next() {
                return frame.map_err(io::Error::other);
            }
        }
    }
}

const OTHER: &str = "what came back acknowledges another message";

fn judge(answer: Option<Answer>, control_id: &str) -> Told {
    let Some(Answer { code, control_id: of, error }) = answer else {
        return Told::NotNow("what came back is no acknowledgement".to_owned());
    };
    if of != control_id {
        return Told::NotNow(OTHER.to_owned());
    }
    let said = |code: &str| if error.is_empty() { code.to_owned() } else { format!("{code}, error {error}") };
    match code {
        Code::Taken => Told::Taken,
        Code::Error => Told::NotNow(said("MSA-1 is AE")),
        Code::Refused => Told::Refused(said("MSA-1 is AR")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;
    use yiqiao_intake::charset::Charset;

    use super::*;
    use crate::tls::tests::{Authority, door, out};

    #[tokio::test]
    async fn o2_a_message_goes_by_tls_and_over_a_new_connection_if_the_one_before_was_closed() {
        let vouching = Authority::new();
        let [authority, certificate, key] = vouching.issue();
        let taking = door(&format!("certificate = {certificate:?}\nkey = {key:?}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = MllpOut {
            address: listener.local_addr().unwrap().to_string(),
            application: String::new(),
            facility: String::new(),
            charset: Charset::Utf8,
            tls: Some(out(&format!("authorities = {authority:?}"))),
        };
        let system = tokio::spawn(async move {
            let mut taken = Vec::new();
            // It closes each connection after one message.
            for id in ["1-1", "2-1"] {
                let mut stream = taking.accept(listener.accept().await.unwrap().0).await.unwrap();
                let (mut decoder, mut bytes) = (Decoder::new(1 << 10), [0; 256]);
                let frame = loop {
                    let read = stream.read(&mut bytes).await.unwrap();
                    if let Some(frame) = decoder.push(&bytes[..read]).pop() {
                        break frame.unwrap();
                    }
                };
                taken.push(frame);
                let answer = format!("MSH|^~\\&|HIS||||1||ACK|1|P|2.5.1\rMSA|AA|{id}\r");
                stream.write_all(&encode(answer.as_bytes())).await.unwrap();
                stream.shutdown().await.unwrap();
            }
            taken
        });
        let mut line = Line::new(to);
        let wait = Duration::from_secs(20);
        for (message, id) in [(b"MSH|1", "1-1"), (b"MSH|2", "2-1")] {
            assert_eq!(timeout(wait, line.tell(message, id)).await.unwrap(), Told::Taken);
        }
        assert_eq!(system.await.unwrap(), [b"MSH|1", b"MSH|2"]);
    }

    #[test]
    fn o2_an_acknowledgement_counts_for_its_own_message_alone() {
        let answer =
            |code, error: &str| Some(Answer { code, control_id: "7-1".to_owned(), error: error.to_owned() });
        assert_eq!(judge(answer(Code::Taken, ""), "7-1"), Told::Taken);
        assert_eq!(judge(answer(Code::Taken, ""), "8-1"), Told::NotNow(OTHER.to_owned()));
        assert_eq!(
            judge(answer(Code::Refused, "101"), "7-1"),
            Told::Refused("MSA-1 is AR, error 101".to_owned())
        );
        assert_eq!(judge(answer(Code::Error, ""), "7-1"), Told::NotNow("MSA-1 is AE".to_owned()));
        assert!(matches!(judge(None, "7-1"), Told::NotNow(_)));
    }
}
