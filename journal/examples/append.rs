//! How fast batches become durable, beside the floor: the same bytes by a bare write and fdatasync, measured in turns in the same run.
//!
//! `cargo run --release -p yiqiao-journal --example append -- FOLDER`, where the folder lies on the device in question.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use yiqiao_journal::{Folder, Format, Journal, Options, OsDisk, Position};

const FORMAT: Format = Format::new("example", 1, env!("CARGO_PKG_VERSION"));
const RECORD: [u8; 348] = [0x5a; 348];
/// Each turn takes this long for the journal and as long for the bare file.
const TURN: Duration = Duration::from_millis(250);
const TURNS: usize = 9;

fn main() -> Result<(), Box<dyn Error>> {
    let place = std::env::args_os().nth(1).unwrap_or_else(|| std::env::temp_dir().into());
    let temp = tempfile::tempdir_in(place)?;
    println!("batches of records of {} bytes; medians of {TURNS} turns (least to most)", RECORD.len());
    for records in [1, 10, 100, 1_000] {
        measure(&temp.path().join(records.to_string()), records)?;
    }
    Ok(())
}

fn measure(path: &Path, records: usize) -> Result<(), Box<dyn Error>> {
    let folder = Folder::create(Arc::new(OsDisk::create(path)?), &FORMAT, [1; 32])?;
    let options = Options { floor: Position::START, segment_bytes_max: 1 << 30 };
    let (mut journal, _) = Journal::open(&folder, &options)?;
    let batch = vec![&RECORD[..]; records];
    let bare = File::create(path.join("bare"))?;
    let frame = vec![0x5a; 36 + records * (8 + RECORD.len())];
    let mut end = 0;
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        ours.push(per_second(|| {
            journal.append(&batch)?;
            Ok(journal.sync()?)
        })?);
        floor.push(per_second(|| {
            bare.write_all_at(&frame, end)?;
            end += frame.len() as u64;
            Ok(bare.sync_data()?)
        })?);
    }
    println!("{records:>5} a batch: journal {}", told(ours, frame.len()));
    println!("{:>14} bare    {}", "", told(floor, frame.len()));
    Ok(())
}

fn per_second(mut commit: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    let mut commits = 0_u32;
    while start.elapsed() < TURN {
        commit()?;
        commits += 1;
    }
    Ok(f64::from(commits) / start.elapsed().as_secs_f64())
}

fn told(mut rates: Vec<f64>, bytes: usize) -> String {
    rates.sort_by(f64::total_cmp);
    let at = |index: usize| rates.get(index).copied().unwrap_or_default();
    let (median, least, most) = (at(rates.len() / 2), at(0), at(rates.len() - 1));
    let megabytes = median * f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1e6;
    format!("{median:>8.0} batches/s ({least:.0} to {most:.0}), {megabytes:>7.2} MB/s")
}
