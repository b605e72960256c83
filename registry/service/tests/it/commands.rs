//! What goes wrong with a command is one sentence that names it, and nothing is changed.

#![expect(clippy::unwrap_used, reason = "what cannot be run or read here is a failure")]

use std::path::Path;
use std::process::Command;

/// What a command that must fail says, where the environment asks for backtraces.
fn refused(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yiqiao-registry"));
    let output = command.args(arguments).env("RUST_BACKTRACE", "1").output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

#[test]
fn every_mistake_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let (there, nowhere) = (path(folder.path(), ""), path(folder.path(), "nowhere"));
    let none = path(folder.path(), "none.toml");
    let garbage = path(folder.path(), "garbage.toml");
    std::fs::write(&garbage, "garbage\nof two lines").unwrap();
    let cases: [(&[&str], &str); 7] = [
        (&["init", "--region", "Demo", "--folder", &nowhere], "a code has 1 to 32 of a-z, 0-9 and '-'"),
        (
            &["init", "--region", "demo", "--folder", &there],
            "exists already; name a new folder with --folder",
        ),
        (&["admit", "--region", &there, &none], "cannot read the request"),
        (&["renew-key", "--region", &there, &none], "cannot read the request"),
        (&["renew-key", "--region", &there, &garbage], "cannot read the request"),
        (
            &["members", "--region", &nowhere],
            "name the folder that `yiqiao-registry init` made with --region",
        ),
        (&["serve", "--config", &none], "cannot read the configuration file"),
    ];
    for (arguments, sentence) in cases {
        let said = refused(arguments);
        assert!(said.starts_with("error: ") && said.contains(sentence), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert!(!Path::new(&nowhere).exists(), "nothing was begun");
}

#[test]
fn a_list_that_is_not_signed_leaves_no_key_behind() {
    let folder = tempfile::tempdir().unwrap();
    let region = folder.path().join("region");
    let made = Command::new(env!("CARGO_BIN_EXE_yiqiao-registry"))
        .args(["init", "--region", "demo", "--folder"])
        .arg(&region)
        .output()
        .unwrap();
    assert!(made.status.success());
    let keys = || {
        let folders = ["registry/keys", "authority.away"].map(|name| std::fs::read_dir(region.join(name)));
        let names = folders.into_iter().flatten().flatten().map(|entry| entry.unwrap().file_name());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let offline = region.join("authority.away");
    std::fs::rename(region.join("authority"), &offline).unwrap();
    let before = keys();
    assert_eq!(before.len(), 6, "{before:?}");
    for key in ["words", "checkpoint", "lease", "transport"] {
        let said = refused(&["registry-key", "--region", region.to_str().unwrap(), key]);
        assert!(said.contains("has to be there while a list is signed"), "{said}");
    }
    assert_eq!(keys(), before);
    // The authority's key is there, and no list can be written.
    std::fs::rename(&offline, region.join("authority")).unwrap();
    std::fs::create_dir(region.join("registry/lists/000002.list")).unwrap();
    let authority = || std::fs::read_dir(region.join("authority")).unwrap().count();
    refused(&["rotate-authority", "--region", region.to_str().unwrap()]);
    assert_eq!(authority(), 1);
}
