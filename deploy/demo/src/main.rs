//! `make demo`: a region on this machine that stays up until Ctrl-C.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use yiqiao_demo::cast;
use yiqiao_demo::facts::Facts;
use yiqiao_demo::place::{Choice, Place};
use yiqiao_demo::region::{Options, Region};
use yiqiao_demo::watch::Watch;
use yiqiao_simnet::story::Role;
use yiqiao_simnet::town::Town;

/// Runs a region of one registry and three hospitals on this machine, with synthetic patients.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// The folder of everything: keys, logs, documents, demo.json.
    #[arg(long, default_value = "deploy/demo/run")]
    folder: PathBuf,
    /// How many hospitals, 3 to 5.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=5))]
    hospitals: u8,
    /// Any free ports instead of those of the tour.
    #[arg(long)]
    free_ports: bool,
    /// Only the patients of the story, without their neighbours: for tests.
    #[arg(long)]
    cast_only: bool,
    /// Throws away what is in the folder and begins anew.
    #[arg(long)]
    fresh: bool,
    /// Stops once everything is up and fed: for measuring.
    #[arg(long)]
    once: bool,
}

fn main() -> ExitCode {
    match demo(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn demo(arguments: &Arguments) -> anyhow::Result<()> {
    let began = Instant::now();
    // demo.json has secrets.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let place = Place::new(&arguments.folder)?;
    if arguments.fresh {
        place.clear()?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    watch_for_stop(&stop)?;
    let programs = std::env::current_exe()?.parent().map(Path::to_owned).unwrap_or_default();
    let mut region = if place.is_complete() {
        say("starting the region that is in place (a new one: make demo FRESH=1)");
        Region::resume(place, &programs)?
    } else {
        first_time(place, arguments, programs)?
    };
    region.write_facts()?;
    greet(region.facts(), began.elapsed());
    let mut watch = Watch::default();
    loop {
        // Ctrl-C reaches all processes at once: after this pause it is known, too, if that is why one has ended.
        std::thread::sleep(Duration::from_millis(200));
        if stop.load(Ordering::Relaxed) || arguments.once {
            break;
        }
        watch.look(&mut region, &mut say)?;
    }
    say("stopping");
    region.stop()
}

fn first_time(place: Place, arguments: &Arguments, programs: PathBuf) -> anyhow::Result<Region> {
    // What an unfinished set-up has left is of no use.
    place.clear()?;
    let ports = if arguments.free_ports { Choice::Free } else { Choice::Tour };
    let options = Options { programs, ports, hospitals: arguments.hospitals.into() };
    let town = cast::town(jiff::Zoned::now().date());
    let mut region = Region::set_up(place, &options, &town, &mut say)?;
    if let Err(error) = fill(&region, &town, arguments) {
        // Why a process has gone says more than that it did not answer.
        let ended = region.ended()?.ok_or(error)?;
        anyhow::bail!("{} has ended by itself ({}): {}", ended.name, ended.status, ended.words);
    }
    region.write_facts()?;
    region.place().complete()?;
    Ok(region)
}

fn fill(region: &Region, town: &Town, arguments: &Arguments) -> anyhow::Result<()> {
    say("feeding the hospitals through MLLP, CDA and FHIR");
    let wanted = |patient| !arguments.cast_only || patient < Role::ALL.len();
    let sent = region.feed(town, wanted, &mut say)?;
    say(&format!("{sent} messages and documents are in; publishing their index entries"));
    region.wait_until_published(&mut say)
}

/// Ctrl-C reaches the children too; what they do not stop by themselves is stopped in order.
fn watch_for_stop(stop: &Arc<AtomicBool>) -> anyhow::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(stop)).context("cannot watch for Ctrl-C")?;
    }
    Ok(())
}

fn greet(facts: &Facts, took: Duration) {
    say(&format!(
        "\nThe region is up ({:.1} s). Everything about it: {}/demo.json\n",
        took.as_secs_f32(),
        facts.folder.display()
    ));
    say(&format!("  卫健局  {}   {} / {}", facts.registry.url, cast::bureau().login, cast::PASSWORD));
    for hospital in &facts.hospitals {
        say(&format!("  {}  {}  {}", hospital.letter, hospital.node.url, hospital.node.name));
        let mllp = hospital.mllp.iter().map(|(system, address)| format!("HL7 v2 {system} {address}"));
        let dicom = hospital.dicom.iter().map(|address| format!("DICOM {address}"));
        say(&format!("       {}", mllp.chain(dicom).collect::<Vec<_>>().join(", ")));
        for account in &hospital.node.accounts {
            let department = account.department.as_deref().unwrap_or("");
            say(&format!("       {:<10} {} {} {department}", account.login, account.name, account.role));
        }
    }
    say(&format!("\n  Password of all accounts: {}", cast::PASSWORD));
    say("  The tour: README.md. Ctrl-C stops everything.\n");
}

fn say(sentence: &str) {
    let mut out = std::io::stdout().lock();
    // Who no longer listens needs no answer.
    let _untold = writeln!(out, "{sentence}").and_then(|()| out.flush());
}
