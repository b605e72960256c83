//! What the tests share: a simulated folder, and opening and reading a journal in it.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::sync::Arc;

use yiqiao_journal::folder::FolderError;
use yiqiao_journal::journal::{OpenError, ReadError};
use yiqiao_journal::{Folder, Format, Journal, Options, Position, Recovery, SimDisk};

pub(crate) const FORMAT: Format = Format::new("test-log", 1, "0.1.0");
pub(crate) const ID: [u8; 32] = [0x5a; 32];

/// A created folder.
pub(crate) fn disk() -> SimDisk {
    let disk = SimDisk::new();
    Folder::create(Arc::new(disk.clone()), &FORMAT, ID).unwrap();
    disk
}

/// Opens the folder.
pub(crate) fn folder(disk: &SimDisk) -> Result<Folder, FolderError> {
    Folder::open(Arc::new(disk.clone()), &FORMAT)
}

/// Opens the journal with this floor and segment length.
pub(crate) fn open(
    disk: &SimDisk,
    floor: Position,
    segment_bytes_max: u64,
) -> Result<(Journal, Recovery), OpenError> {
    Journal::open(&folder(disk).unwrap(), &Options { floor, segment_bytes_max })
}

/// Opens a journal of one long segment that is known to be good.
pub(crate) fn opened(disk: &SimDisk) -> Journal {
    open(disk, Position::START, u64::MAX).unwrap().0
}

/// Appends a batch of owned records.
pub(crate) fn append(journal: &mut Journal, batch: &[Vec<u8>]) -> Vec<Position> {
    let records: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
    journal.append(&records).unwrap()
}

/// All records from the start, and the error that ended them.
pub(crate) fn records(journal: &Journal) -> (Vec<(Position, Vec<u8>)>, Option<ReadError>) {
    let mut records = Vec::new();
    for record in journal.scan(Position::START) {
        match record {
            Ok(record) => records.push(record),
            Err(error) => return (records, Some(error)),
        }
    }
    (records, None)
}

/// The records of a journal that has no damage.
pub(crate) fn contents(journal: &Journal) -> Vec<Vec<u8>> {
    let (records, error) = records(journal);
    assert!(error.is_none(), "{error:?}");
    for (at, record) in &records {
        assert_eq!(journal.read(*at).unwrap(), *record, "read and scan agree");
    }
    records.into_iter().map(|(_, record)| record).collect()
}

/// The names of the segments, in order.
pub(crate) fn segments(disk: &SimDisk) -> Vec<String> {
    disk.names().into_iter().filter(|name| name.ends_with(".segment")).collect()
}
