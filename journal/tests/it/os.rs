//! The same on the file system.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use yiqiao_journal::folder::FolderError;
use yiqiao_journal::{Column, Folder, Journal, Options, OsDisk, Position, Register};

use crate::rig::{FORMAT, ID, contents};

const SMALL: Options = Options { floor: Position::START, segment_bytes_max: 100 };

fn create(path: &Path) -> Result<Folder, FolderError> {
    Folder::create(Arc::new(OsDisk::create(path)?), &FORMAT, ID)
}

fn open(path: &Path) -> Result<Folder, FolderError> {
    Folder::open(Arc::new(OsDisk::open(path)?), &FORMAT)
}

#[test]
fn everything_is_found_again_after_opening_and_a_torn_tail_is_cut() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("region").join("log");
    let folder = create(&path).unwrap();
    let (mut journal, _) = Journal::open(&folder, &SMALL).unwrap();
    let positions: Vec<_> = (0..5_u8).map(|n| journal.append(&[&[n; 20], b""]).unwrap()[0]).collect();
    journal.sync().unwrap();
    let end = journal.synced_end();
    Register::open(&folder, "head").unwrap().set(&end.get().to_le_bytes()).unwrap();
    let mut column = Column::<4>::open(&folder, "numbers").unwrap();
    column.extend(&[[1; 4], [2; 4]]).unwrap();
    column.sync().unwrap();
    drop((folder, journal, column));

    let last = path.join(format!("{:016x}.segment", 4 * (36 + 28 + 8)));
    fs::OpenOptions::new()
        .append(true)
        .open(&last)
        .map(|file| std::io::Write::write_all(&mut &file, b"torn"))
        .unwrap()
        .unwrap();
    let folder = open(&path).unwrap();
    let head = Register::open(&folder, "head").unwrap();
    let floor = Position::new(u64::from_le_bytes(head.value().unwrap().try_into().unwrap()));
    let (journal, recovery) = Journal::open(&folder, &Options { floor, ..SMALL }).unwrap();
    assert_eq!(recovery.cut.unwrap().bytes, 4);
    assert_eq!((journal.end(), contents(&journal).len()), (end, 10));
    assert_eq!(journal.read(positions[3]).unwrap(), [3; 20]);
    assert_eq!(Column::<4>::open(&folder, "numbers").unwrap().get(1).unwrap(), Some([2; 4]));
}

#[test]
fn a_folder_has_one_process_at_a_time_and_the_refusal_names_it() {
    let temp = tempfile::tempdir().unwrap();
    let folder = create(temp.path()).unwrap();
    let (journal, _) = Journal::open(&folder, &SMALL).unwrap();
    drop(folder);
    let refused = open(temp.path()).unwrap_err().to_string();
    let path = temp.path().display();
    assert_eq!(
        refused,
        format!("folder {path} is in use by another process: stop that process, or name another folder")
    );
    drop(journal);
    open(temp.path()).unwrap();
}

#[test]
fn files_are_open_to_their_owner_alone() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("log");
    let folder = create(&path).unwrap();
    let _journal = Journal::open(&folder, &SMALL).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for entry in fs::read_dir(&path).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_by_name() {
    let temp = tempfile::tempdir().unwrap();
    let path = unwritable(temp.path());
    let refused = create(&path).unwrap_err();
    assert!(refused.to_string().starts_with(&format!("cannot lock {}: ", path.display())), "{refused}");
    let absent = OsDisk::open(temp.path().join("absent")).unwrap_err().to_string();
    assert!(absent.starts_with("cannot open ") && absent.contains("absent: No such file"), "{absent}");
}

/// A folder without the right to write, or, for the superuser whom no permission binds, one of the kernel's.
fn unwritable(temp: &Path) -> PathBuf {
    let path = temp.join("read-only");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o500)).unwrap();
    if fs::write(path.join("probe"), b"").is_ok() { PathBuf::from("/proc/self") } else { path }
}

#[test]
fn other_threads_read_a_view_while_batches_are_appended() {
    let temp = tempfile::tempdir().unwrap();
    let folder = create(temp.path()).unwrap();
    let (mut journal, _) = Journal::open(&folder, &SMALL).unwrap();
    journal.append(&[b"seen"]).unwrap();
    let view = journal.view();
    let reader =
        std::thread::spawn(move || view.scan(Position::START).map(Result::unwrap).collect::<Vec<_>>());
    for _ in 0..20 {
        journal.append(&[b"later"]).unwrap();
    }
    let seen = reader.join().unwrap();
    assert_eq!(seen, [(Position::new(36), b"seen".to_vec())]);
    assert_eq!(contents(&journal).len(), 21);
}
