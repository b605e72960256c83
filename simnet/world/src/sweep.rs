//! Many worlds on all cores: each in a thread of its own, none knows of another.

#![expect(
    clippy::disallowed_methods,
    reason = "worlds run beside each other; inside of one there is one thread"
)]

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use anyhow::{Result, anyhow};
use yiqiao_simworld::run::{Report, RunError, run};

use crate::World;

/// Every so many worlds a line of progress.
const PROGRESS_EVERY: u64 = 20;

/// Runs the worlds of these seeds; ends with 1 if something happened in one that must not.
pub(crate) fn sweep(seeds: u64, from: u64, world: World) -> Result<ExitCode> {
    let (reports, come) = channel();
    let next = Arc::new(AtomicU64::new(0));
    for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
        let (next, reports) = (Arc::clone(&next), reports.clone());
        thread::spawn(move || work(&next, (seeds, from), world, &reports));
    }
    drop(reports);
    let mut out = stdout().lock();
    let (mut done, mut events, mut failed) = (0, 0, Vec::new());
    for (seed, report) in come {
        let report = report?;
        done += 1;
        events += report.events;
        if let Some(violation) = report.violation {
            failed.push(seed);
            writeln!(out, "seed {seed}: at {} ms, {}: {}", violation.at_ms, violation.who, violation.what)?;
            writeln!(out, "  {}", world.command(seed))?;
        }
        if done % PROGRESS_EVERY == 0 || done == seeds {
            writeln!(out, "{done} of {seeds} worlds, {events} events, {} failed", failed.len())?;
        }
    }
    if done < seeds {
        return Err(anyhow!("a world panicked: only {done} of {seeds} ended"));
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn work(
    next: &AtomicU64,
    (seeds, from): (u64, u64),
    world: World,
    reports: &Sender<(u64, Result<Report, RunError>)>,
) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= seeds {
            return;
        }
        let seed = from.wrapping_add(number);
        if reports.send((seed, run(&world.setup(seed), None))).is_err() {
            return;
        }
    }
}
