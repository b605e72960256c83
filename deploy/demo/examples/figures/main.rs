//! The closing figures of the exchange: a region of real processes with the cast of the story, each figure beside a floor of the
//! same machine in the same run.
//!
//! `cargo build --release -p yiqiao-registry -p yiqiao-node -p yiqiao-host -p yiqiao-demo --bins --examples`, then
//! `target/release/examples/figures`. Nothing here judges a figure: a machine that is busy gives others.
//!
//! | to find | look in |
//! |---|---|
//! | memory of the processes | [`memory`] |
//! | from a report's acknowledgement at A to its being found at C | [`crossing`] |
//! | from a revocation to the first refusal | [`revocation`] |
//! | large documents from A to C, and a revocation while they are pulled | [`bulk`] |
//! | what disk and link do alone | [`floor`] |
//! | who does what at which door | [`scene`] |

mod bulk;
mod crossing;
mod floor;
mod memory;
mod revocation;
mod scene;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use yiqiao_demo::spread::machine;

use crate::scene::Scene;

fn main() -> ExitCode {
    match figures() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn figures() -> anyhow::Result<()> {
    let programs = programs()?;
    say(&machine()?);
    let mut scene = Scene::set_up(&programs)?;
    memory::started(&mut scene)?;
    scene.feed()?;
    memory::print("after the feeds of the cast", &scene)?;
    crossing::measure(&scene)?;
    revocation::measure(&scene)?;
    bulk::measure(&scene)?;
    memory::print("at the end", &scene)?;
    scene.stop()?;
    floor::link(&programs.join("examples/link_bench"))?;
    say(&machine()?);
    Ok(())
}

/// The folder of the programs: the one above this example's.
fn programs() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.ancestors().nth(2).context("an example is below the folder of the programs")?.to_owned())
}

fn say(sentence: &str) {
    let mut out = std::io::stdout().lock();
    // Who no longer listens needs no answer.
    let _untold = writeln!(out, "{sentence}").and_then(|()| out.flush());
}
