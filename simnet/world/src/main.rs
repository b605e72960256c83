//! `yiqiao-simnet`: prints synthetic residents, writes the feeds of their hospitals, and runs whole regions in one thread.

mod history;
mod people_and_feeds;
mod plot;
mod progress;
mod report;
mod sweep;

use std::fs::{self, File};
use std::io::{BufWriter, Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use jiff::civil::Date;
use yiqiao_simworld::limits::SEEDS_MAX;
use yiqiao_simworld::plant::Plant;
use yiqiao_simworld::reduce::{Reduced, reduce};
use yiqiao_simworld::run::{self as world, Report, Violation, run_watched};
use yiqiao_simworld::scenario::Scenario;
use yiqiao_simworld::setup::Setup;

use history::History;
use progress::Told;
use report::Sum;

/// A world of a thousand hospitals is many small things that come and go: a fifth of its time is spent on their memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Makes people who do not exist and what their hospitals would send about them, and whole regions of hospitals.
///
/// The same seed gives the same bytes on every machine. All identity numbers begin with 999999, a region that does not
/// exist, so that none can be a real person's.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints residents, one JSON object a line.
    Patients {
        /// The name of the town: any number.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many residents.
        #[arg(long, default_value_t = 20)]
        count: usize,
    },
    /// Writes what the hospitals' systems sent, one file a message in order of time, and truth.jsonl beside them.
    ///
    /// File names say order, hospital and system: 000017-qzrm-lis.hl7. HL7 v2 files hold one message without MLLP
    /// framing, in the character set of the hospital (qzdx writes GB18030). Each line of truth.jsonl says whom a file is
    /// about, what it is and when it was sent.
    Feed {
        /// The name of the town: any number.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many residents.
        #[arg(long, default_value_t = 60, conflicts_with = "story")]
        patients: usize,
        /// The demo's town instead: its fixed cast and their neighbours.
        #[arg(long, conflicts_with = "seed")]
        story: bool,
        /// The day on which the town lives, for example 2026-11-20; records reach back from it.
        #[arg(long, default_value = "2026-11-20")]
        day: Date,
        /// The folder to write to; made if it is missing, refused if it holds anything.
        #[arg(long)]
        out: PathBuf,
    },
    /// Runs one region: its real machines in a world of faults that the seed draws.
    ///
    /// Prints what the seed drew, what happened and the digest of the trace. Ends with 1 if something happened that must
    /// not, and prints what, and the command that repeats it.
    Run {
        /// The name of the world: any number. Without it that of the scenario.
        #[arg(long, required_unless_present = "scenario")]
        seed: Option<u64>,
        /// A world that is written down: see simnet/world/scenarios.
        #[arg(long)]
        scenario: Option<PathBuf>,
        #[command(flatten)]
        world: World,
        /// In how many runs a failing one is reduced to a shorter history.
        #[arg(long, default_value_t = 200)]
        reduce: u64,
        /// Writes the trace to this file, one line an event.
        #[arg(long)]
        trace: Option<PathBuf>,
    },
    /// Runs regions and says what was measured in them: how long revocations take, when documents can be found, what a
    /// referral and an hour cost. All times are simulated.
    ///
    /// The table goes to standard output; with --out also report.json and plots as SVG into a folder, in place of what is
    /// there under these names. The same seeds give the same bytes. Ends with 1 if something happened that must not.
    Report {
        /// The name of the first world: any number. Without it that of the scenario.
        #[arg(long, required_unless_present = "scenario")]
        seed: Option<u64>,
        /// How many worlds, of seeds that follow each other, are measured together.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=SEEDS_MAX))]
        seeds: u64,
        /// A world that is written down: see simnet/world/scenarios.
        #[arg(long)]
        scenario: Option<PathBuf>,
        #[command(flatten)]
        world: World,
        /// The folder for report.json and the plots; made if it is missing.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Runs many regions on all cores, and prints of those in which something happened that must not what it was, and the
    /// command that repeats it.
    Sweep {
        /// How many.
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..=SEEDS_MAX))]
        seeds: u64,
        /// From which seed on.
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// Before them worlds that are written down: see simnet/world/scenarios.
        #[arg(long, num_args = 1..)]
        written: Vec<PathBuf>,
        #[command(flatten)]
        world: World,
    },
}

/// What of a world is not as its seed draws it, or as it is written down.
#[derive(Args, Clone, Copy)]
struct World {
    /// Hospitals.
    #[arg(long)]
    hospitals: Option<usize>,
    /// Residents.
    #[arg(long)]
    patients: Option<usize>,
    /// Hours during which things break and people act: one, if nothing is said.
    #[arg(long)]
    hours: Option<u64>,
    /// Signs with a keyed hash that proves nothing: much faster. Written worlds do, unless they say `real = true`.
    #[arg(long)]
    cheap: bool,
    /// Plants a fault of the product, to see its checker fire: see docs/simulation.md.
    #[arg(long)]
    plant: Option<Plant>,
}

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        // Who closed standard error cannot be told anything more.
        let _untold = writeln!(stderr().lock(), "error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run() -> Result<ExitCode> {
    match Arguments::parse().command {
        Command::Patients { seed, count } => people_and_feeds::print_patients(seed, count)?,
        Command::Feed { seed, patients, story, day, out } => {
            people_and_feeds::write_feeds(seed, patients, story, day, &out)?;
        }
        Command::Run { seed, scenario, world, reduce, trace } => {
            let setup = world.of(seed, scenario.as_deref())?;
            return run_one(&setup, &world.command(seed, scenario.as_deref()), reduce, trace);
        }
        Command::Report { seed, seeds, scenario, world, out } => {
            let worlds = report_worlds(seed, seeds, scenario.as_deref(), world)?;
            return report_on(&worlds, out.as_deref());
        }
        Command::Sweep { seeds, from, written, world } => return sweep::sweep(seeds, from, written, world),
    }
    Ok(ExitCode::SUCCESS)
}

/// A world that is written down.
fn written(file: &Path) -> Result<Setup> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let scenario = Scenario::read(&text).with_context(|| file.display().to_string())?;
    Ok(scenario.setup()?)
}

fn run_one(setup: &Setup, again: &str, runs_max: u64, trace: Option<PathBuf>) -> Result<ExitCode> {
    let sink = trace.map(|path| {
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        anyhow::Ok(Box::new(BufWriter::new(file)) as Box<dyn Write>)
    });
    let report = run_watched(setup, sink.transpose()?, &mut Told::begin().told())?;
    let Setup { seed, hospitals, patients, minutes, .. } = setup;
    let mut out = stdout().lock();
    writeln!(out, "seed {seed}: {hospitals} hospitals, {patients} residents, {minutes} min")?;
    print(&mut out, &report)?;
    let Some(violation) = &report.violation else { return Ok(ExitCode::SUCCESS) };
    writeln!(out, "VIOLATION at {} ms, {}: {}", violation.at_ms, violation.who, violation.what)?;
    writeln!(out, "again: {again}")?;
    if let Some(reduced) = reduce(setup, runs_max, &mut Told::begin().reducing(runs_max))? {
        print_reduced(&mut out, &reduced)?;
    }
    Ok(ExitCode::FAILURE)
}

/// The worlds of so many seeds, from the first or that of the written world on.
fn report_worlds(
    first: Option<u64>,
    seeds: u64,
    scenario: Option<&Path>,
    world: World,
) -> Result<Vec<Setup>> {
    let first = first.map_or_else(|| world.of(None, scenario).map(|setup| setup.seed), Ok)?;
    (0..seeds).map(|number| world.of(Some(first.wrapping_add(number)), scenario)).collect()
}

/// Runs these worlds, and says what was measured in them.
fn report_on(worlds: &[Setup], folder: Option<&Path>) -> Result<ExitCode> {
    if let Some(folder) = folder {
        // Worlds run for a while: who cannot keep the report is told so before.
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let mut sum = Sum::default();
    for setup in worlds {
        let report = run_watched(setup, None, &mut Told::begin().told())?;
        if let Some(violation) = &report.violation {
            let (seed, Violation { at_ms, who, what, .. }) = (setup.seed, violation);
            writeln!(stdout(), "VIOLATION in seed {seed} at {at_ms} ms, {who}: {what}")?;
            return Ok(ExitCode::FAILURE);
        }
        sum.add(setup, &report);
    }
    sum.print(&mut stdout().lock())?;
    if let Some(folder) = folder {
        sum.write(folder)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The shorter world, as a scenario that repeats it, and what happens in it.
fn print_reduced(out: &mut impl Write, reduced: &Reduced) -> Result<()> {
    let Some(violation) = &reduced.report.violation else { return Ok(()) };
    let about = format!("at {} ms, {}: {}", violation.at_ms, violation.who, violation.what);
    writeln!(
        out,
        "reduced in {} runs to {} events; as a scenario, for --scenario:",
        reduced.runs, reduced.report.events
    )?;
    writeln!(out, "{}", Scenario::of(&reduced.setup, &about).text())?;
    let history = History::default();
    world::run(&reduced.setup, Some(Box::new(history.clone())))?;
    writeln!(out, "its history:")?;
    Ok(history.print(out)?)
}

fn print(out: &mut impl Write, report: &Report) -> Result<()> {
    let Report { rates, counts, words, crashes, events, lived_ms, digest, .. } = report;
    writeln!(out, "drawn: {rates}")?;
    writeln!(out, "done: {counts}")?;
    let lived = lived_ms / 1_000;
    writeln!(out, "log {words} words, crashes {crashes}, events {events}, lived {lived} s, digest {digest}")?;
    Ok(())
}

impl World {
    /// The world of a seed, or the written one; of a seed and a written one, that as the seed goes on from it.
    fn of(self, seed: Option<u64>, scenario: Option<&Path>) -> Result<Setup> {
        let base = match (scenario.map(written).transpose()?, seed) {
            (Some(setup), Some(seed)) => setup.of_seed(seed),
            (Some(setup), None) => setup,
            (None, seed) => Setup { cheap: false, ..Setup::drawn(seed.unwrap_or_default()) },
        };
        let Self { hospitals, patients, hours, cheap, plant } = self;
        Ok(Setup {
            hospitals: hospitals.unwrap_or(base.hospitals),
            patients: patients.unwrap_or(base.patients),
            minutes: hours.map_or(base.minutes, |hours| hours.saturating_mul(60)),
            cheap: base.cheap || cheap,
            plant: plant.or(base.plant),
            ..base
        })
    }

    /// What repeats the run of a world.
    fn command(self, seed: Option<u64>, scenario: Option<&Path>) -> String {
        let Self { hospitals, patients, hours, cheap, plant } = self;
        let said = [
            seed.map(|seed| format!("--seed {seed}")),
            scenario.map(|file| format!("--scenario {}", file.display())),
            hospitals.map(|hospitals| format!("--hospitals {hospitals}")),
            patients.map(|patients| format!("--patients {patients}")),
            hours.map(|hours| format!("--hours {hours}")),
            cheap.then(|| "--cheap".to_owned()),
            plant.map(|plant| format!("--plant {plant}")),
        ];
        let said: Vec<String> = said.into_iter().flatten().collect();
        format!("yiqiao-simnet run {}", said.join(" "))
    }
}
