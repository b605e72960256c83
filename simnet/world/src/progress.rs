//! Progress of a long run on standard error: a line at a simulated hour, at most every few seconds.

#![expect(clippy::disallowed_types, reason = "who waits is told of the time outside of the world")]

use std::io::{Write, stderr};
use std::time::{Duration, Instant};

use yiqiao_simworld::run::Progress;

/// How long nothing is said.
const QUIET: Duration = Duration::from_secs(3);

/// What was told of a run.
pub(crate) struct Told {
    began: Instant,
    last: Instant,
}

impl Told {
    pub(crate) fn begin() -> Self {
        let began = Instant::now();
        Self { began, last: began }
    }

    /// Tells of what is handed to it.
    pub(crate) fn told(mut self) -> impl FnMut(Progress) {
        move |Progress { hours: (hour, of), events, messages }| {
            if self.last.elapsed() < QUIET {
                return;
            }
            let seconds = self.began.elapsed().as_secs();
            self.last += self.last.elapsed();
            // Who does not listen need not be told.
            let _gone =
                writeln!(stderr(), "hour {hour} of {of}: {events} events, {messages} messages, {seconds} s");
        }
    }
}
