//! Many worlds on all cores: each in a thread of its own, none knows of another.

#![expect(
    clippy::disallowed_methods,
    reason = "worlds run beside each other; inside of one there is one thread"
)]

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use anyhow::{Result, anyhow};
use yiqiao_simworld::run::{Report, run};
use yiqiao_simworld::setup::Setup;

use crate::World;

/// Every so many worlds a line of progress.
const PROGRESS_EVERY: u64 = 20;

/// The worlds of a sweep: written ones, then those of seeds.
struct Worlds {
    written: Vec<PathBuf>,
    from: u64,
    seeds: u64,
    like: World,
}

/// Runs the written worlds and those of the seeds; ends with 1 if something happened in one that must not.
pub(crate) fn sweep(seeds: u64, from: u64, written: Vec<PathBuf>, like: World) -> Result<ExitCode> {
    let worlds = Arc::new(Worlds { written, from, seeds, like });
    let (reports, come) = channel();
    let next = Arc::new(AtomicU64::new(0));
    for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
        let (next, worlds, reports) = (Arc::clone(&next), Arc::clone(&worlds), reports.clone());
        thread::spawn(move || work(&next, &worlds, &reports));
    }
    drop(reports);
    let mut out = stdout().lock();
    let (all, mut done, mut events, mut failed) = (worlds.count(), 0, 0, 0);
    for (number, report) in come {
        let report = report?;
        done += 1;
        events += report.events;
        if let Some(violation) = report.violation {
            failed += 1;
            writeln!(out, "at {} ms, {}: {}", violation.at_ms, violation.who, violation.what)?;
            writeln!(out, "  again: {}", worlds.command(number))?;
        }
        if done % PROGRESS_EVERY == 0 || done == all {
            writeln!(out, "{done} of {all} worlds, {events} events, {failed} failed")?;
        }
    }
    if done < all {
        return Err(anyhow!("a world panicked: only {done} of {all} ended"));
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn work(next: &AtomicU64, worlds: &Worlds, reports: &Sender<(u64, Result<Report>)>) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= worlds.count() {
            return;
        }
        let report = worlds.nth(number).and_then(|setup| Ok(run(&setup, None)?));
        if reports.send((number, report)).is_err() {
            return;
        }
    }
}

impl Worlds {
    const fn count(&self) -> u64 {
        self.seeds.saturating_add(self.written.len() as u64)
    }

    /// The seed of a world, or the file in which it is written.
    fn name(&self, number: u64) -> (Option<u64>, Option<&Path>) {
        let file = usize::try_from(number).ok().and_then(|at| self.written.get(at));
        let seed = || self.from.wrapping_add(number - self.written.len() as u64);
        file.map_or_else(|| (Some(seed()), None), |file| (None, Some(file.as_path())))
    }

    fn nth(&self, number: u64) -> Result<Setup> {
        let (seed, file) = self.name(number);
        self.like.of(seed, file)
    }

    fn command(&self, number: u64) -> String {
        let (seed, file) = self.name(number);
        self.like.command(seed, file)
    }
}
