//! The trace of a run: one line an event, in codes, and the digest of all lines. Never a name, a number or a token of a patient.
//!
//! ```text
//!     61204 n2   batch 3 kept 2
//!     61204 n2>r  call 118 1 1422
//! ```
//! Milliseconds since the world began, who, what.

use core::fmt::{self, Write as _};
use std::io::{self, Write};

use yiqiao_proto::hash::Blake3;
use yiqiao_proto::time::Timestamp;

/// How many bytes of lines are digested together.
const BUFFER_BYTES: usize = 1 << 16;
/// How wide names are at least.
const NAME_WIDTH: usize = 5;

/// What is written while a run goes on.
pub struct Trace {
    began: Timestamp,
    digest: Blake3,
    buffer: String,
    sink: Option<Box<dyn Write>>,
    failed: Option<io::Error>,
}

impl Trace {
    /// A trace whose lines also go to `sink`, if there is one.
    pub(crate) fn new(began: Timestamp, sink: Option<Box<dyn Write>>) -> Self {
        Self { began, digest: Blake3::default(), buffer: String::new(), sink, failed: None }
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, now: Timestamp, who: impl fmt::Display, what: fmt::Arguments<'_>) {
        let whole = self.buffer.len();
        if self.write(now.since(self.began).get(), who, what).is_err() {
            return self.buffer.truncate(whole);
        }
        if self.buffer.len() >= BUFFER_BYTES || self.sink.is_some() {
            self.flush();
        }
    }

    fn write(&mut self, ms: u64, who: impl fmt::Display, what: fmt::Arguments<'_>) -> fmt::Result {
        write!(self.buffer, "{ms:>9} ")?;
        let name = self.buffer.len();
        write!(self.buffer, "{who}")?;
        while self.buffer.len() < name + NAME_WIDTH {
            self.buffer.push(' ');
        }
        writeln!(self.buffer, " {what}")
    }

    /// Digests and hands on the lines since the last time: many together, which is cheaper, if nobody reads them.
    fn flush(&mut self) {
        self.digest.update(self.buffer.as_bytes());
        if let Some(sink) = &mut self.sink
            && let Err(error) = sink.write_all(self.buffer.as_bytes())
        {
            self.failed = Some(error);
            self.sink = None;
        }
        self.buffer.clear();
    }

    /// The digest of all lines.
    pub(crate) fn digest(&mut self) -> String {
        self.flush();
        self.digest.finish().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Ends the writing.
    ///
    /// # Errors
    /// What a write to the sink failed with.
    pub(crate) fn close(mut self) -> io::Result<()> {
        self.flush();
        match (self.failed, self.sink) {
            (Some(error), _) => Err(error),
            (None, Some(mut sink)) => sink.flush(),
            (None, None) => Ok(()),
        }
    }
}
