//! Progress of a long run, or of many that one is reduced in, on standard error: a line at most every few seconds.

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
            self.tell(&format!("hour {hour} of {of}: {events} events, {messages} messages"));
        }
    }

    /// Tells how far a reduction is that takes at most so many runs.
    pub(crate) fn reducing(mut self, runs_max: u64) -> impl FnMut(u64, u64) {
        move |runs, events| self.tell(&format!("reducing: run {runs} of at most {runs_max}, {events} events"))
    }

    fn tell(&mut self, what: &str) {
        if self.last.elapsed() < QUIET {
            return;
        }
        let seconds = self.began.elapsed().as_secs();
        self.last += self.last.elapsed();
        // Who does not listen need not be told.
        let _gone = writeln!(stderr(), "{what}, {seconds} s");
    }
}
