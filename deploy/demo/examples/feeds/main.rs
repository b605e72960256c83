//! What one node takes from a hospital's systems: HL7 v2 messages and CDA documents per second of its processor, and DICOM in megabytes
//! per second, each durable before it is acknowledged, beside what reads or keeps the same bytes and does nothing else.
//!
//! `make bench` runs it. Nothing here judges a figure: a machine that is busy gives others.
//!
//! | to find | look in |
//! |---|---|
//! | messages and documents, and who reads the same | [`texts`], `readers.py` |
//! | images by C-STORE and STOW-RS, and a copy of their files | [`images`] |
//! | the node, and what it costs | [`scene`] |

mod images;
mod scene;
mod texts;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use yiqiao_demo::spread::{Spread, machine};

use crate::scene::Scene;

/// Measures what a node takes from a hospital's systems, beside what reads or keeps the same bytes and does nothing else.
#[derive(Parser)]
struct Arguments {
    /// A Python that has what tests/corpus/requirements.txt names.
    #[arg(long, default_value = "target/python/bin/python")]
    python: PathBuf,
    /// How often each is measured; what is printed is the median.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Residents whose messages and documents are sent in one run.
    #[arg(long, default_value_t = 500)]
    residents: usize,
    /// Images of half a megabyte of one study.
    #[arg(long, default_value_t = 200)]
    images: usize,
}

fn main() -> ExitCode {
    match feeds(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn feeds(arguments: &Arguments) -> anyhow::Result<()> {
    say(&machine()?);
    let scene = Scene::set_up()?;
    texts::measure(&scene, arguments)?;
    images::measure(&scene, arguments)?;
    scene.stop()?;
    say(&machine()?);
    Ok(())
}

/// Prints rates; gives the median.
fn tell(what: &str, rates: Vec<f64>) -> f64 {
    let rates = Spread::of(rates);
    say(&format!("  {what:<62} {}", rates.rates()));
    rates.median()
}

fn say(sentence: &str) {
    let mut out = std::io::stdout().lock();
    // Who no longer listens needs no answer.
    let _untold = writeln!(out, "{sentence}").and_then(|()| out.flush());
}
