//! The report: what is measured, and that the same seeds give the same bytes.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use yiqiao_simworld::run::{Progress, run, run_watched};
use yiqiao_simworld::setup::{Rates, Setup, Today};

const FILES: [&str; 9] = [
    "report.json",
    "revocation.svg",
    "let-go-late.svg",
    "findable.svg",
    "referral-messages.svg",
    "referral-bytes.svg",
    "registry-words.svg",
    "registry-calls.svg",
    "registry-bytes.svg",
];

/// The report of calm worlds of some minutes, from seed 1 on.
fn report(seeds: &str, out: &Path) -> Output {
    let scenario = out.with_extension("toml");
    let world = "about = \"some minutes\"\nseed = 1\npatients = 4\nminutes = 6\ncalm = true\n";
    fs::write(&scenario, world).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_yiqiao-simnet"));
    command.args(["report", "--seeds", seeds, "--scenario"]).arg(scenario);
    command.arg("--out").arg(out).output().unwrap()
}

fn calm(minutes: u64) -> Setup {
    Setup { minutes, patients: 8, rates: Some(Rates::CALM), ..Setup::small(1) }
}

#[test]
fn the_same_seeds_give_the_same_report_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    let outputs = [&one, &other].map(|out| report("1", out));
    assert!(outputs.iter().all(|output| output.status.success()), "{outputs:?}");
    assert_eq!(outputs[0].stdout, outputs[1].stdout);
    for name in FILES {
        assert_eq!(fs::read(one.join(name)).unwrap(), fs::read(other.join(name)).unwrap(), "{name}");
    }
    let table = String::from_utf8(outputs[0].stdout.clone()).unwrap();
    assert!(table.contains("all times are simulated") && table.contains("revocation in the log"), "{table}");
    let json: Value = serde_json::from_slice(&fs::read(one.join("report.json")).unwrap()).unwrap();
    assert_eq!(json["times"], "simulated");
    assert!(json["acknowledged_to_findable"]["count"].as_u64() > Some(0), "{json}");
    assert!(json["registry_by_hour"][0]["words"].as_u64() > Some(0), "{json}");
}

#[test]
fn several_seeds_are_measured_together() {
    let folder = tempfile::tempdir().unwrap();
    let count = |seeds: &str| {
        let out = folder.path().join(seeds);
        assert!(report(seeds, &out).status.success());
        let json: Value = serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap();
        (json["worlds"].as_array().unwrap().len(), json["acknowledged_to_findable"]["count"].as_u64())
    };
    let (one, two) = (count("1"), count("2"));
    assert_eq!((one.0, two.0), (1, 2));
    assert!(two.1 > one.1, "{one:?} {two:?}");
}

#[test]
fn f4_in_a_calm_world_a_revocation_is_known_to_holders_at_once() {
    let report = run(&calm(60), None).unwrap();
    let revoked = &report.measured.revoked;
    assert!(report.counts.revocations > 0 && revoked.count() > 0, "{report:?}");
    assert!(revoked.largest() < Some(1_000), "the reading of the feed waits at the registry: {revoked:?}");
    assert!(report.measured.late.largest() < Some(1_000), "{report:?}");
}

#[test]
fn what_was_acknowledged_is_measured_until_it_is_found_and_the_rest_is_counted() {
    let report = run(&calm(30), None).unwrap();
    let findable = &report.measured.findable;
    assert!(findable.count() > 0 && findable.percentile(50) < Some(5_000), "{findable:?}");
    let (messages, bytes) = report.measured.of_referrals();
    assert!(messages.count() > 0 && messages.count() <= report.counts.referrals, "{messages:?}");
    // A step and its answer; a step has a signature of 64 bytes.
    assert!(messages.percentile(1) >= Some(2) && bytes.percentile(1) > Some(64), "{messages:?} {bytes:?}");
    let away = "about = \"away\"\nseed = 1\npatients = 8\nminutes = 30\ncalm = true\n\
                [[happens]]\nminute = 2\nwhat = \"away\"\nminutes = 20\n";
    let setup = yiqiao_simworld::scenario::Scenario::read(away).unwrap().setup().unwrap();
    let longest = run(&setup, None).unwrap().measured.findable.largest();
    assert!(longest > Some(600_000), "the registry is away for 20 minutes: {longest:?}");
}

#[test]
fn a_day_of_a_part_of_the_residents_is_told_hour_by_hour() {
    let mut told = Vec::new();
    let today = Some(Today { come: 500, visits: 1 });
    let setup = Setup { rhythm: true, today, ..calm(180) };
    let report = run_watched(&setup, None, &mut |progress| told.push(progress)).unwrap();
    assert_eq!(report.violation, None);
    let whole = run(&Setup { today: None, ..setup }, None).unwrap();
    assert!(0 < report.counts.messages && report.counts.messages < whole.counts.messages / 2, "{report:?}");
    let hours: Vec<_> = told.iter().map(|Progress { hours, .. }| *hours).collect();
    assert_eq!(hours, [(1, 3), (2, 3), (3, 3)]);
}
