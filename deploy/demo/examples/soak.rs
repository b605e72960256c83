//! `make soak COUNT=…`: sends so many messages of every sort through a running node, kills it half-way, and compares the counters of
//! its connections with what was sent.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use serde_json::Value;
use yiqiao_demo::cast;
use yiqiao_demo::place::{Choice, Place};
use yiqiao_demo::process::run;
use yiqiao_demo::region::{Options, Region};
use yiqiao_demo::soak::Soak;

/// Messages between two lines of progress.
const PROGRESS_EVERY: u64 = 10_000;
/// The hospital whose node takes everything.
const LETTER: char = 'A';

/// Sends many messages through a running node, and compares its counters with what was sent.
#[derive(Parser)]
struct Arguments {
    /// How many.
    #[arg(long, default_value_t = 1_000_000)]
    count: u64,
}

fn main() -> ExitCode {
    match soak(Arguments::parse().count) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn soak(count: u64) -> anyhow::Result<()> {
    let root = tempfile::tempdir().context("cannot make a folder for the region")?;
    let programs = programs()?;
    let options = Options { programs: programs.clone(), ports: Choice::Free, hospitals: 1 };
    let town = cast::town(jiff::Zoned::now().date());
    let mut region = Region::set_up(Place::new(root.path())?, &options, &town, &mut say)?;
    let hospital = region.facts().hospital(LETTER)?;
    let (config, program) = (hospital.node.config.display().to_string(), programs.join("yiqiao-node"));
    let node = |words: &[&str]| run(&program, &[words, &["--config", &config]].concat(), None);
    let said = node(&["client", "add", "soak", "--name", "soak", "--scope", "intake"])?;
    let secret = said.lines().find_map(|line| line.strip_prefix("client secret: "));
    let secret = secret.context("the secret of a new client is printed")?.trim();
    let (_, mllp) = hospital.mllp.first().context("the hospital has an MLLP door")?;
    let mut sending = Soak::new(mllp, &hospital.node.url, "soak", secret);
    let began = Instant::now();
    let progress = |sent: u64| {
        if sent.is_multiple_of(PROGRESS_EVERY) {
            say(&format!("{sent} of {count} messages after {} s", began.elapsed().as_secs()));
        }
    };
    let connections = || -> anyhow::Result<Value> {
        let status: Value = serde_json::from_str(&node(&["status", "--json"])?)?;
        status.get("connections").cloned().context("status has connections")
    };
    sending.send(count / 2, progress)?;
    region.kill_node(LETTER)?;
    region.start_node(LETTER)?;
    sending.compare(&connections()?).context("after kill -9")?;
    say("the node was killed and is back; its counters are what was acknowledged");
    sending.send(count, progress)?;
    sending.compare(&connections()?).context("at the end")?;
    say(&format!("{count} messages, each counted once, in {} s", began.elapsed().as_secs()));
    region.stop()?;
    let kept = bytes(Path::new(&config).parent().context("the configuration is in the node's folder")?)?;
    say(&format!("the node's folder has {} MB, {} B a message", kept / 1_000_000, kept / count.max(1)));
    Ok(())
}

/// Bytes of all files below a folder.
fn bytes(folder: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        sum += if metadata.is_dir() { bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(sum)
}

/// The folder of the programs: the one above that of this one.
fn programs() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).context("an example is in a folder of the programs")?;
    Ok(folder.to_owned())
}

fn say(sentence: &str) {
    let mut out = std::io::stdout().lock();
    // Who no longer listens needs no answer.
    let _untold = writeln!(out, "{sentence}").and_then(|()| out.flush());
}
