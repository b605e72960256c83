//! `yiqiao-demo` as a process.

use std::process::Command;

#[test]
fn a_folder_that_holds_something_else_is_refused_in_one_sentence_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let precious = folder.path().join("thesis.txt");
    std::fs::write(&precious, "years of work").unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_yiqiao-demo"))
        .args(["--once", "--free-ports", "--cast-only", "--folder"])
        .arg(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(!run.status.success() && said.lines().count() == 1, "{said}");
    assert!(said.contains(&folder.path().display().to_string()), "{said}");
    assert_eq!(std::fs::read_to_string(precious).unwrap(), "years of work");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
