//! The log of a store on the disk: how it is made, opened, appended to, and put in the place of the one before.
//!
//! Not here: what its records say, and when it is written anew.

use std::io;
use std::path::Path;
use std::sync::Arc;

use prost::Message;
use yiqiao_journal::journal::{AppendError, OpenError};
use yiqiao_journal::{Folder, Format, Journal, Options, OsDisk, Position, Register};

use super::{Applied, Change, StoreError, damaged, disk_error, folder_error, io_error};
use crate::keys;
use crate::limits::STORE_LOG_BYTES;

const FORMAT: Format = Format::new("store-log", 1, env!("CARGO_PKG_VERSION"));
/// The log; a new one while it is written; the one before while it is removed.
pub(super) const LOG: &str = "log";
pub(super) const NEW: &str = "log.new";
pub(super) const OLD: &str = "log.old";

/// A journal, and the register that says how far it is durable.
#[derive(Debug)]
pub(super) struct Durable {
    pub(super) journal: Journal,
    floor: Register,
}

/// Why a commit did not join the log.
pub(super) enum Failed {
    /// The disk is full; nothing has changed.
    Full(String),
    /// Nobody knows what is on the disk.
    Broken(String),
}

impl Durable {
    /// Appends records and makes them durable; then notes that they are.
    pub(super) fn append(&mut self, records: &[Vec<u8>]) -> Result<(), Failed> {
        let slices: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        self.journal.append(&slices).map_err(|error| match &error {
            AppendError::Disk(disk) if disk.is_full() => Failed::Full(disk.to_string()),
            AppendError::Poisoned
            | AppendError::RecordTooLong { .. }
            | AppendError::TooManyRecords { .. }
            | AppendError::BatchTooLong { .. }
            | AppendError::TooManySegments
            | AppendError::Disk(_) => Failed::Broken(error.to_string()),
        })?;
        self.journal.sync().map_err(|error| Failed::Broken(error.to_string()))?;
        let end = self.journal.synced_end().get().to_be_bytes();
        self.floor.set(&end).map_err(|error| Failed::Broken(error.to_string()))
    }

    pub(super) fn write_again(
        &mut self,
        folder: &Path,
        table: &str,
        changes: Vec<Change>,
    ) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let applied = Applied { table: table.to_owned(), changes };
        self.append(&[applied.encode_to_vec()]).map_err(|failed| match failed {
            Failed::Full(cause) | Failed::Broken(cause) => io_error(folder, io::Error::other(cause)),
        })
    }
}

/// The first log of a store, if a crash has not left it whole.
pub(super) fn make_log(folder: &Path) -> Result<(), StoreError> {
    if !folder.join(LOG).exists() {
        drop(create_log(folder)?);
        exchange(folder).map_err(|source| io_error(folder, source))?;
    }
    Ok(())
}

/// Opens the log, after an exchange that a crash has interrupted is finished.
pub(super) fn open_log(folder: &Path) -> Result<Durable, StoreError> {
    let [log, new, old] = [LOG, NEW, OLD].map(|name| folder.join(name));
    let failed = |source| io_error(folder, source);
    if !log.exists() {
        if !(old.exists() && new.exists()) {
            return Err(damaged(folder));
        }
        exchange(folder).map_err(failed)?;
    }
    let disk = OsDisk::open(log).map_err(|error| disk_error(folder, &error))?;
    let log = Folder::open(Arc::new(disk), &FORMAT).map_err(|error| folder_error(folder, &error))?;
    for left in [new, old] {
        if left.exists() {
            std::fs::remove_dir_all(left).map_err(failed)?;
        }
    }
    open_journal(folder, &log)
}

/// An empty log beside the one in force.
pub(super) fn create_log(folder: &Path) -> Result<Durable, StoreError> {
    let new = folder.join(NEW);
    if new.exists() {
        std::fs::remove_dir_all(&new).map_err(|source| io_error(folder, source))?;
    }
    let disk = OsDisk::create(new).map_err(|error| disk_error(folder, &error))?;
    let log = Folder::create(Arc::new(disk), &FORMAT, keys::random())
        .map_err(|error| folder_error(folder, &error))?;
    open_journal(folder, &log)
}

/// The new log takes the place of the one in force. Each step is durable before the next.
pub(super) fn exchange(folder: &Path) -> io::Result<()> {
    let [log, new, old] = [LOG, NEW, OLD].map(|name| folder.join(name));
    let sync = || std::fs::File::open(folder)?.sync_all();
    if log.exists() {
        std::fs::rename(&log, &old)?;
        sync()?;
    }
    std::fs::rename(new, log)?;
    sync()?;
    if old.exists() { std::fs::remove_dir_all(old) } else { Ok(()) }
}

fn open_journal(folder: &Path, log: &Folder) -> Result<Durable, StoreError> {
    let floor = Register::open(log, "floor").map_err(|_| damaged(folder))?;
    let known = floor.value().and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
    let options = Options { floor: Position::new(known), segment_bytes_max: STORE_LOG_BYTES * 64 };
    let (journal, _) = Journal::open(log, &options).map_err(|error| match &error {
        OpenError::Disk(disk) => disk_error(folder, disk),
        OpenError::Damaged { .. }
        | OpenError::Missing { .. }
        | OpenError::Foreign { .. }
        | OpenError::Newer { .. }
        | OpenError::TooManySegments { .. } => {
            tracing::error!(folder = %folder.display(), %error, "the log of a store is damaged");
            damaged(folder)
        }
    })?;
    Ok(Durable { journal, floor })
}
