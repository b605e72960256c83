//! The same setup gives the same trace, byte for byte; nothing depends on the order in which a world is built.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;

use yiqiao_simworld::run::{Report, run};
use yiqiao_simworld::setup::Setup;

fn traced(setup: &Setup, path: &Path) -> (Report, Vec<u8>) {
    let report = run(setup, Some(Box::new(fs::File::create(path).unwrap()))).unwrap();
    (report, fs::read(path).unwrap())
}

#[test]
fn one_seed_is_one_trace_in_whatever_order_its_world_is_built() {
    let folder = tempfile::tempdir().unwrap();
    let setup = |backwards| Setup { backwards, ..Setup::small(1) };
    let (one, first) = traced(&setup(false), &folder.path().join("one"));
    let (other, second) = traced(&setup(true), &folder.path().join("other"));
    assert!(first == second, "the traces differ");
    assert_eq!(one, other);
    assert!(first.len() > 10_000 && one.crashes > 0, "{one:?}");
}

#[test]
fn another_seed_is_another_trace() {
    let digest = |seed| run(&Setup { minutes: 1, ..Setup::small(seed) }, None).unwrap().digest;
    assert_ne!(digest(1), digest(2));
}

#[test]
fn a_trace_holds_nothing_of_a_patient() {
    let folder = tempfile::tempdir().unwrap();
    let (_, trace) = traced(&Setup { minutes: 5, ..Setup::small(3) }, &folder.path().join("trace"));
    let text = String::from_utf8(trace).unwrap();
    assert!(text.is_ascii(), "a name would not be");
    assert!(!text.contains("999999"), "every identity number begins so");
}
