//! The program: what it writes and what it refuses.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use yiqiao_simnet::resident_id::REGION;

fn run(arguments: &[&str], out: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yiqiao-simnet"));
    command.args(arguments);
    if let Some(out) = out {
        command.arg("--out").arg(out);
    }
    command.output().unwrap()
}

#[test]
fn residents_are_printed_one_a_line() {
    let output = run(&["patients", "--seed", "3", "--count", "12"], None);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 12);
    assert!(lines.iter().all(|line| line["resident_id"].as_str().unwrap().starts_with(REGION)));
}

#[test]
fn a_feed_has_one_file_for_each_line_of_truth() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("feed");
    assert!(run(&["feed", "--seed", "3", "--patients", "8"], Some(&out)).status.success());
    let truth = fs::read_to_string(out.join("truth.jsonl")).unwrap();
    let lines: Vec<Value> = truth.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(fs::read_dir(&out).unwrap().count(), lines.len() + 1);
    for line in &lines {
        assert!(out.join(line["file"].as_str().unwrap()).is_file());
        assert!(line["sent"].as_str().unwrap().ends_with("+08:00"));
    }
}

#[test]
fn a_folder_with_something_in_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("note"), "mine").unwrap();
    let output = run(&["feed", "--patients", "2"], Some(folder.path()));
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("give an empty or new folder"));
}

#[test]
fn a_report_that_cannot_be_kept_is_refused_in_one_sentence_before_any_world_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("note");
    fs::write(&file, "mine").unwrap();
    let output = run(&["report", "--seed", "1"], Some(&file));
    assert!(!output.status.success() && output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: cannot make the folder") && said.lines().count() == 1, "{said}");
}

#[test]
fn too_many_residents_are_refused_with_the_bound() {
    let output = run(&["patients", "--count", "100001"], None);
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("at most 100000"));
}

#[test]
fn a_world_that_holds_ends_well_and_says_what_the_seed_drew() {
    let output = run(&["run", "--seed", "1", "--hospitals", "2", "--patients", "1", "--cheap"], None);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.starts_with("seed 1: 2 hospitals, 1 residents, 60 min\ndrawn: lost "), "{text}");
    assert!(text.contains(" digest "), "{text}");
}

#[test]
fn a_violation_ends_with_one_and_the_command_that_repeats_it() {
    let planted = ["--seed", "3", "--patients", "4", "--cheap", "--plant", "name-told", "--reduce", "40"];
    let output = run(&[&["run"][..], &planted].concat(), None);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let again = "again: yiqiao-simnet run --seed 3 --patients 4 --cheap --plant name-told";
    assert!(text.contains("VIOLATION at ") && text.contains(again), "{text}");
    let scenario = text.split_once("for --scenario:\n").unwrap().1;
    let (scenario, history) = scenario.split_once("its history").unwrap();
    let lines = history.lines().count();
    assert!((10..=500).contains(&lines) && history.contains(">r  call "), "{history}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("reduced.toml");
    fs::write(&file, scenario).unwrap();
    let output = run(&["run", "--reduce", "0", "--scenario", file.to_str().unwrap()], None);
    assert_eq!(output.status.code(), Some(1), "what it was reduced to shows it again: {scenario}");
}

#[test]
fn a_written_world_runs_with_another_seed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("short.toml");
    let written = "about = \"a minute\"\nseed = 1\nhospitals = 2\npatients = 2\nminutes = 1\ncalm = true\n";
    fs::write(&file, written).unwrap();
    let file = file.to_str().unwrap();
    for (arguments, seed) in
        [(vec!["run", "--scenario", file], 1), (vec!["run", "--seed", "9", "--scenario", file], 9)]
    {
        let output = run(&arguments, None);
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.starts_with(&format!("seed {seed}: 2 hospitals, 2 residents, 1 min")), "{said}");
    }
}

#[test]
fn a_written_world_runs_at_another_size() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("real.toml");
    fs::write(
        &file,
        "about = \"a minute\"\nseed = 1\nhospitals = 4\nminutes = 1\ncalm = true\nreal = true\n",
    )
    .unwrap();
    let other = ["--hospitals", "2", "--patients", "2", "--cheap", "--plant", "name-told", "--reduce", "0"];
    let output = run(&[&["run", "--scenario", file.to_str().unwrap()][..], &other].concat(), None);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("seed 1: 2 hospitals, 2 residents, 1 min"), "{said}");
    let again = format!(
        "again: yiqiao-simnet run --scenario {} --hospitals 2 --patients 2 --cheap --plant name-told",
        file.display()
    );
    assert!(said.contains(&again), "{said}");
}

#[test]
fn a_sweep_says_how_many_worlds_failed_and_what_repeats_each() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("told.toml");
    let written = "about = \"a name is told\"\nseed = 3\nhospitals = 2\npatients = 2\nminutes = 2\ncalm = true\n\
                   plant = \"name-told\"\n";
    fs::write(&file, written).unwrap();
    let file = file.to_str().unwrap();
    let two = ["sweep", "--seeds", "1", "--from", "9", "--hospitals", "2", "--patients", "2", "--cheap"];
    let output = run(&[&two[..], &["--written", file]].concat(), None);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let again = format!(
        "again: yiqiao-simnet run --scenario {file} --hospitals 2 --patients 2 --cheap\n2 of 2 worlds, "
    );
    assert!(text.contains(&again) && text.ends_with(" 1 failed\n"), "{text}");
}
