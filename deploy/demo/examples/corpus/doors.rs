//! The files, and sending them: MLLP as a line of a hospital system does, HTTP as a client with a token does.

use std::fmt;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use yiqiao_demo::client::Client;

use crate::row::Message;

/// How long the acknowledgements of one file may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// Most bytes of all acknowledgements of one file.
const ACKS_BYTES_MAX: u64 = 16 << 20;
/// The byte that begins an MLLP frame.
const START: u8 = 0x0b;

/// A file to send.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    /// The folder it is in.
    pub(crate) kind: String,
    /// What its name says before `__`.
    pub(crate) origin: String,
    pub(crate) file: String,
}

/// What a file was answered.
#[derive(Debug)]
pub(crate) struct Sent {
    /// The codes of the acknowledgements by MLLP (MSA-1); `None` if the file did not go there.
    pub(crate) acks: Option<Vec<String>>,
    /// The status by HTTP.
    pub(crate) status: u16,
    /// Its messages, in their order.
    pub(crate) messages: Vec<Message>,
}

/// The doors of a system.
pub(crate) struct Doors {
    mllp: String,
    url: String,
    http: Client,
    system: String,
    secret: String,
}

/// Every file below a folder, in order.
pub(crate) fn sources(folder: &Path) -> anyhow::Result<Vec<Source>> {
    let mut paths = Vec::new();
    list(folder, &mut paths).with_context(|| format!("cannot read {}", folder.display()))?;
    paths.sort();
    Ok(paths.into_iter().map(Source::new).collect())
}

fn list(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { list(&path, found)? } else { found.push(path) }
    }
    Ok(())
}

impl Source {
    fn new(path: PathBuf) -> Self {
        let name = |name: Option<&std::ffi::OsStr>| name.unwrap_or_default().to_string_lossy().into_owned();
        let (kind, file) = (name(path.parent().and_then(Path::file_name)), name(path.file_name()));
        let origin = file.split("__").next().unwrap_or_default().to_owned();
        Self { path, kind, origin, file }
    }

    pub(crate) fn read(&self) -> anyhow::Result<Vec<u8>> {
        std::fs::read(&self.path).with_context(|| format!("cannot read {}", self.path.display()))
    }

    /// Whether it goes by MLLP: it begins as HL7 v2 does, or lies in a folder for it.
    pub(crate) fn is_hl7(&self, bytes: &[u8]) -> bool {
        let head: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).take(64).collect();
        let head = String::from_utf8_lossy(&head);
        let head = head.trim_start_matches(|c: char| c.is_whitespace() || c.is_control() || !c.is_ascii());
        self.kind.starts_with("hl7") || ["MSH", "FHS", "BHS"].iter().any(|name| head.starts_with(name))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.file)
    }
}

/// Whether a file is the record of a line, with frames of its own.
pub(crate) fn is_framed(bytes: &[u8]) -> bool {
    bytes.iter().find(|byte| !byte.is_ascii_whitespace() && **byte != 0) == Some(&START)
}

impl Doors {
    pub(crate) fn open(mllp: &str, url: &str, system: &str, secret: &str) -> anyhow::Result<Self> {
        Ok(Self {
            mllp: mllp.to_owned(),
            url: url.to_owned(),
            http: signed_in(url, system, secret)?,
            system: system.to_owned(),
            secret: secret.to_owned(),
        })
    }

    /// Gets another token: tokens end with the process that gave them.
    pub(crate) fn sign_in_again(&mut self) -> anyhow::Result<()> {
        self.http = signed_in(&self.url, &self.system, &self.secret)?;
        Ok(())
    }

    /// Sends a file through each door that is for it.
    pub(crate) fn send(&self, source: &Source, bytes: &[u8]) -> anyhow::Result<Sent> {
        let is_hl7 = source.is_hl7(bytes);
        let acks = if is_hl7 { Some(self.line(bytes)?) } else { None };
        let media = if is_hl7 { "x-application/hl7-v2+er7" } else { "application/octet-stream" };
        let answer = self.http.send("POST", "/api/intake", media, bytes)?;
        if !matches!(answer.status, 200 | 202 | 422) {
            bail!("the HTTP door answered {}: {}", answer.status, answer.text());
        }
        let body: Value = serde_json::from_slice(&answer.body).context("the HTTP door answers JSON")?;
        let messages = match body.get("items") {
            Some(items) => serde_json::from_value(items.clone())?,
            None => vec![serde_json::from_value(body)?],
        };
        Ok(Sent { acks, status: answer.status, messages })
    }

    /// Sends a file over a line of its own, which it ends; the codes of all acknowledgements.
    fn line(&self, bytes: &[u8]) -> anyhow::Result<Vec<String>> {
        let mut line = TcpStream::connect(&self.mllp).context("the MLLP door does not open")?;
        line.set_read_timeout(Some(DEADLINE))?;
        let frame = [&[START], bytes, &[0x1c, 0x0d]].concat();
        line.write_all(if is_framed(bytes) { bytes } else { &frame })?;
        line.shutdown(Shutdown::Write)?;
        let mut said = Vec::new();
        line.take(ACKS_BYTES_MAX).read_to_end(&mut said).context("the MLLP door does not answer")?;
        Ok(codes(&said))
    }
}

fn signed_in(url: &str, system: &str, secret: &str) -> anyhow::Result<Client> {
    let client = Client::at(url);
    client.authorize(system, secret)?;
    Ok(client)
}

/// MSA-1 of each acknowledgement, whatever its character set and its separators.
fn codes(said: &[u8]) -> Vec<String> {
    let said: Vec<u8> = said.iter().copied().filter(|byte| *byte != 0).collect();
    let said = String::from_utf8_lossy(&said);
    let code = |segment: &str| {
        let mut rest = segment.strip_prefix("MSA")?.chars();
        let separator = rest.next()?;
        rest.as_str().split(separator).next().map(str::to_owned)
    };
    said.split('\r').filter_map(code).collect()
}
