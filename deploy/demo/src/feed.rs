//! What the hospitals' systems send, through their real doors: HL7 v2 over MLLP, CDA and FHIR over HTTP with a token of the
//! system's own.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use yiqiao_simnet::feeds::{Feed, System as Sender};

use crate::client::Client;
use crate::facts::HospitalFacts;

/// How long an acknowledgement may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// The longest acknowledgement.
const ACK_BYTES_MAX: usize = 64 * 1024;

/// A hospital's systems, connected.
#[derive(Debug)]
pub struct Systems {
    mllp: BTreeMap<String, Mllp>,
    http: BTreeMap<String, Client>,
}

/// An MLLP connection to a node.
#[derive(Debug)]
pub struct Mllp(TcpStream);

impl Mllp {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn connect(address: &str) -> anyhow::Result<Self> {
        let stream =
            TcpStream::connect(address).with_context(|| format!("cannot reach MLLP at {address}"))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Sends one message and waits for its acknowledgement, which is given back as it came.
    ///
    /// # Errors
    /// The connection broke, or there was no answer in a minute.
    pub fn send(&mut self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        self.0.write_all(&[&[0x0b], message, &[0x1c, 0x0d]].concat())?;
        let mut answer = Vec::new();
        let mut part = [0; 4096];
        while !answer.ends_with(&[0x1c, 0x0d]) {
            let read = self.0.read(&mut part)?;
            ensure!(read > 0, "the node closed the connection before it acknowledged");
            answer.extend_from_slice(part.get(..read).unwrap_or_default());
            ensure!(answer.len() <= ACK_BYTES_MAX, "the acknowledgement does not end");
        }
        let body = answer.strip_prefix(&[0x0b]).and_then(|body| body.strip_suffix(&[0x1c, 0x0d]));
        Ok(body.context("the acknowledgement is framed")?.to_vec())
    }
}

/// The code of an acknowledgement: `AA`, `AE`, `AR`, `CA` …
///
/// # Errors
/// It has no MSA segment.
pub fn ack_code(ack: &[u8]) -> anyhow::Result<String> {
    let mut segments = ack.split(|byte| *byte == b'\r');
    let msa = segments.find(|segment| segment.starts_with(b"MSA"));
    let code = msa.and_then(|msa| msa.split(|byte| *byte == b'|').nth(1));
    Ok(String::from_utf8_lossy(code.context("an acknowledgement has an MSA segment")?).into_owned())
}

impl Systems {
    /// Connects the systems of a hospital.
    ///
    /// # Errors
    /// A door does not open.
    pub fn connect(hospital: &HospitalFacts) -> anyhow::Result<Self> {
        let mut mllp = BTreeMap::new();
        for (system, address) in &hospital.mllp {
            mllp.insert(system.clone(), Mllp::connect(address)?);
        }
        let mut http = BTreeMap::new();
        for system in &hospital.systems {
            let client = Client::at(&hospital.node.url);
            client.authorize(&system.client, &system.secret)?;
            http.insert(system.client.clone(), client);
        }
        Ok(Self { mllp, http })
    }

    /// Sends what one system sent, and makes sure that it was acknowledged as taken.
    ///
    /// # Errors
    /// It was not.
    pub fn send(&mut self, feed: &Feed) -> anyhow::Result<()> {
        let system = feed.system.name();
        match feed.system {
            Sender::His | Sender::Lis => {
                let mllp = self.mllp.get_mut(system).with_context(|| format!("no MLLP door for {system}"))?;
                let code = ack_code(&mllp.send(&feed.bytes)?)?;
                ensure!(
                    matches!(code.as_str(), "AA" | "CA"),
                    "{} {} was answered by {code}",
                    feed.kind,
                    feed.id
                );
            }
            Sender::Emr | Sender::Fhir => {
                let client = self.http.get(system).with_context(|| format!("no client for {system}"))?;
                let bundle = feed.bytes.first() == Some(&b'{');
                let answer = if bundle {
                    client.send("POST", "/fhir", "application/fhir+json", &feed.bytes)?
                } else {
                    client.send("POST", "/api/intake", "application/xml", &feed.bytes)?
                };
                if !answer.is_success() {
                    bail!("{} {} was answered by {}: {}", feed.kind, feed.id, answer.status, answer.text());
                }
            }
        }
        Ok(())
    }
}
