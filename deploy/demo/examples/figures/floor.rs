//! What the machine does without the exchange: the disk of the region's folder, and the link in one process.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::say;

/// How long each of so many appends takes with its fdatasync.
pub(crate) fn appends(folder: &Path, bytes: &[u8], count: usize) -> anyhow::Result<Vec<Duration>> {
    let path = folder.join("floor");
    let mut file = File::create(&path)?;
    let append = |_| {
        let began = Instant::now();
        file.write_all(bytes)?;
        file.sync_data()?;
        Ok(began.elapsed())
    };
    let times = (0..count).map(append).collect();
    std::fs::remove_file(path)?;
    times
}

/// What `link_bench` says: 200 MB between two peers in one process, and calls.
pub(crate) fn link(program: &Path) -> anyhow::Result<()> {
    let output = Command::new(program).output();
    let output = output.with_context(|| {
        format!(
            "cannot start {}: run `cargo build --release -p yiqiao-host --examples` first",
            program.display()
        )
    })?;
    ensure!(output.status.success(), "link_bench failed: {}", String::from_utf8_lossy(&output.stderr));
    say("\nfloor of the link, by link_bench");
    String::from_utf8_lossy(&output.stdout).lines().for_each(say);
    Ok(())
}
