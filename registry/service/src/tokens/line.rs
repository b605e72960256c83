//! What registry and token process say to each other, over a socket of one machine: one question on each line, then it is closed.
//!
//! A question is an `EvaluateRequest` of the members' own protocol behind its length in 4 bytes; without elements it asks for the public
//! key. The answer is one byte, the length, and what was asked for. There is no patient in either: elements are blinded (T-3).

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, bail};
use prost::Message;
use yiqiao_proto::calls::EvaluateRequest;

use crate::limits::{TOKEN_LINE_BYTES_MAX, TOKEN_LINE_TIME};

/// How a question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum End {
    /// What was asked for follows.
    Done = 0,
    /// There is no key of that epoch.
    NoKey = 1,
    /// The question is none.
    Malformed = 2,
}

/// A line on which nothing was asked yet.
#[derive(Debug)]
pub(crate) struct Line(UnixStream);

impl Line {
    pub(super) fn open(socket: &Path) -> anyhow::Result<Self> {
        let stream = UnixStream::connect(socket).with_context(|| {
            format!(
                "the token process does not answer at {}: start `yiqiao-registry tokens serve`",
                socket.display()
            )
        })?;
        stream.set_read_timeout(Some(TOKEN_LINE_TIME))?;
        stream.set_write_timeout(Some(TOKEN_LINE_TIME))?;
        Ok(Self(stream))
    }

    /// The public key of an epoch.
    pub(super) fn public(self, epoch: u32) -> anyhow::Result<[u8; 32]> {
        let answer = self.ask(&EvaluateRequest { epoch, blinded: Vec::new() })?;
        answer.and_then(|key| key.try_into().ok()).context("the token process says what is no key")
    }

    /// The answer to a member's call, as bytes; none if what it asks for cannot be evaluated.
    pub(super) fn evaluate(self, request: &EvaluateRequest) -> anyhow::Result<Option<Vec<u8>>> {
        self.ask(request)
    }

    fn ask(mut self, request: &EvaluateRequest) -> anyhow::Result<Option<Vec<u8>>> {
        write(&mut self.0, &request.encode_to_vec())?;
        let mut end = [0];
        self.0.read_exact(&mut end)?;
        let answer = read(&mut self.0)?;
        match end {
            [0] => Ok(Some(answer)),
            [1] => {
                bail!("the token process has no key of epoch {}: restore it from its backup", request.epoch)
            }
            _ => Ok(None),
        }
    }
}

/// Reads what stands behind its length.
pub(super) fn read(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > TOKEN_LINE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than anything that is asked"));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Writes bytes behind their length.
pub(super) fn write(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    to.write_all(&[length.to_be_bytes().as_slice(), bytes].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_or_cut_is_not_read() {
        let mut written = Vec::new();
        write(&mut written, b"asked").unwrap();
        assert_eq!(read(&mut written.as_slice()).unwrap(), b"asked");
        assert!(read(&mut written.get(..6).unwrap()).is_err());
        assert!(read(&mut [0xff; 8].as_slice()).is_err());
    }
}
