//! The trace of a run: one line an event, in codes, and the digest of all lines. Never a name, a number or a token of a patient.
//!
//! ```text
//!     61204 n2   batch 3 kept 2
//!     61204 n2>r call 118 submit 1422
//! ```
//! Milliseconds since the world began, who, what.

use core::fmt::{self, Write as _};
use std::io::{self, Write};

use yiqiao_proto::hash::Blake3;
use yiqiao_proto::time::Timestamp;

/// What is written while a run goes on.
pub struct Trace {
    began: Timestamp,
    digest: Blake3,
    lines: u64,
    buffer: String,
    sink: Option<Box<dyn Write>>,
    failed: Option<io::Error>,
}

impl Trace {
    /// A trace whose lines also go to `sink`, if there is one.
    pub(crate) fn new(began: Timestamp, sink: Option<Box<dyn Write>>) -> Self {
        Self { began, digest: Blake3::default(), lines: 0, buffer: String::new(), sink, failed: None }
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, now: Timestamp, who: impl fmt::Display, what: fmt::Arguments<'_>) {
        let ms = now.since(self.began).get();
        self.buffer.clear();
        let Self { buffer, digest, .. } = self;
        if writeln!(buffer, "{ms:>9} {who:<5} {what}").is_err() {
            return;
        }
        digest.update(buffer.as_bytes());
        self.lines += 1;
        if let Some(sink) = &mut self.sink
            && let Err(error) = sink.write_all(self.buffer.as_bytes())
        {
            self.failed = Some(error);
            self.sink = None;
        }
    }

    /// The digest of all lines.
    pub(crate) fn digest(&self) -> String {
        self.digest.finish().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Ends the writing.
    ///
    /// # Errors
    /// What a write to the sink failed with.
    pub(crate) fn close(self) -> io::Result<()> {
        match (self.failed, self.sink) {
            (Some(error), _) => Err(error),
            (None, Some(mut sink)) => sink.flush(),
            (None, None) => Ok(()),
        }
    }
}
