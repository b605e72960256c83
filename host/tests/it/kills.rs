//! kill -9 of a process that writes a store: what was committed is there at the next start, every time.

#![expect(clippy::unwrap_used, reason = "what cannot happen here fails the test")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use yiqiao_host::store::Store;

/// Names the folder to a process that is to write.
const FOLDER: &str = "YIQIAO_TEST_STORE";
/// How often it is killed.
const KILLS: u64 = 300;

#[test]
fn what_was_committed_outlives_every_kill() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return write(Path::new(&folder));
    }
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("store");
    let mut committed = 0;
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kills::what_was_committed_outlives_every_kill", "--nocapture"])
            .env(FOLDER, &folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        // Half of the kills come while the store is being opened, the others among commits.
        let mut line = String::new();
        while !line.starts_with("opening") {
            line.clear();
            said.read_line(&mut line).unwrap();
        }
        std::thread::park_timeout(Duration::from_micros(kill * 617 % 12_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let rest = said.lines().map_while(Result::ok);
        let numbers = rest.filter_map(|line| line.strip_prefix("committed ")?.parse::<u64>().ok());
        committed = numbers.last().unwrap_or(committed);
        let found = newest(&Store::open(&folder).unwrap());
        assert!(found >= committed, "kill {kill}: {committed} were committed, {found} are there");
        committed = found;
    }
    assert!(committed > 0, "something was written");
}

/// Writes ever larger numbers, each in two records, and says each once it is committed.
fn write(folder: &Path) {
    let mut out = std::io::stdout();
    writeln!(out, "opening").unwrap();
    let store = Store::open(folder).unwrap();
    let table = store.table("numbers").unwrap();
    for number in newest(&store) + 1.. {
        table.set(&(number % 50).to_be_bytes(), &number.to_be_bytes()).unwrap();
        table.set(b"newest", &number.to_be_bytes()).unwrap();
        store.commit().unwrap();
        writeln!(out, "committed {number}").unwrap();
    }
}

fn newest(store: &Store) -> u64 {
    let newest = store.table("numbers").unwrap().get(b"newest").unwrap();
    newest.map_or(0, |bytes| u64::from_be_bytes(bytes.as_ref().try_into().unwrap()))
}
