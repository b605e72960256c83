//! How well a hospital tells its patients apart: on generated residents, and on public benchmarks where they are.
//!
//! `matching residents 100000 [SEED]` and `matching febrl FOLDER`. Ends with 1 if two persons became one without anybody's word, or
//! of generated residents too few were found.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod febrl;
mod measure;
#[expect(dead_code, reason = "of the tests' region a hospital is all that is needed")]
#[path = "../../tests/it/region.rs"]
mod region;
mod residents;
#[expect(dead_code, reason = "of the tests' rig a node is all that is needed")]
#[path = "../../tests/it/rig.rs"]
mod rig;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use measure::Measured;

/// Of generated residents, so many of a hundred pairs are found once people have answered what they are asked.
const FOUND_PERCENT_MIN: usize = 95;

#[expect(clippy::disallowed_methods, reason = "what is to be measured is said on the command line")]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let good = match args.as_slice() {
        ["residents", count] => on_residents(count, "1"),
        ["residents", count, seed] => on_residents(count, seed),
        ["febrl", folder] => on_febrl(Path::new(folder)),
        _ => None,
    };
    match good {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::FAILURE,
        None => {
            eprintln!("matching residents COUNT [SEED] | matching febrl FOLDER");
            ExitCode::from(2)
        }
    }
}

fn on_residents(count: &str, seed: &str) -> Option<bool> {
    let measured = residents::residents(seed.parse().ok()?, count.parse().ok()?);
    show(&format!("{count} residents, seed {seed}"), &measured);
    Some(measured.wrong == 0 && measured.reviewed * 100 >= measured.pairs * FOUND_PERCENT_MIN)
}

fn on_febrl(folder: &Path) -> Option<bool> {
    let files = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end == "csv")).collect();
    files.sort();
    let mut good = !files.is_empty();
    for file in files {
        let measured = febrl::febrl(&file);
        show(&file.display().to_string(), &measured);
        good &= measured.wrong == 0;
    }
    Some(good)
}

fn show(name: &str, measured: &Measured) {
    let share = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
    println!(
        "{name}: {} registrations of {} persons, {} true pairs",
        measured.registrations, measured.persons, measured.pairs
    );
    println!(
        "  linked without a person: {} pairs, {:.2} % of them; wrong: {}",
        measured.linked,
        share(measured.linked, measured.pairs),
        measured.wrong
    );
    println!("  with review: {:.2} % of the pairs", share(measured.reviewed, measured.pairs));
    println!(
        "  questions to people: {}, {:.2} for 100 registrations; {:.1} % of them about one person",
        measured.questions,
        share(measured.questions, measured.registrations),
        share(measured.apt, measured.questions)
    );
    for (slip, [all, linked, reviewed]) in &measured.slips {
        println!(
            "  {slip:<12} {all:>7} found without a person {:>6.2} %, with review {:>6.2} %",
            share(*linked, *all),
            share(*reviewed, *all)
        );
    }
}
