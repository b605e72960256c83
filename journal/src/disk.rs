//! The few operations on one directory that the journal, the registers and the columns stand on.
//!
//! Only what [`File::sync_data`] and [`Disk::sync_names`] have answered `Ok` for survives a crash. Of anything else a
//! part may survive, in any order. Not here: sub-folders, and more than one process at a time.

use core::any::Any;
use core::fmt;
use std::io;
use std::sync::Arc;

use thiserror::Error;

/// One directory.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Where it is, for messages.
    fn path(&self) -> &str;

    /// The names of its files, in order.
    ///
    /// # Errors
    /// If the directory cannot be read or holds more than [`FILES_MAX`](crate::limits::FILES_MAX) files.
    fn list(&self) -> Result<Vec<String>, DiskError>;

    /// Opens a file to read and write; `None` if there is none of this name.
    ///
    /// # Errors
    /// If it is there and cannot be opened.
    fn open(&self, name: &str) -> Result<Option<Arc<dyn File>>, DiskError>;

    /// Opens an empty file to read and write; what a file of this name held is gone.
    ///
    /// # Errors
    /// If it cannot be created.
    fn create(&self, name: &str) -> Result<Arc<dyn File>, DiskError>;

    /// Gives a file another name, in one step; a file that had that name is gone.
    ///
    /// # Errors
    /// If the directory refuses.
    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError>;

    /// Removes a file.
    ///
    /// # Errors
    /// If the directory refuses.
    fn remove(&self, name: &str) -> Result<(), DiskError>;

    /// Makes all creations, renamings and removals so far durable.
    ///
    /// # Errors
    /// If the device refuses: then nothing is known of them.
    fn sync_names(&self) -> Result<(), DiskError>;

    /// Takes the directory for this process until the answer is dropped; `None` if another holds it.
    ///
    /// # Errors
    /// If the directory refuses.
    fn lock(&self) -> Result<Option<Held>, DiskError>;
}

/// One open file of a [`Disk`].
pub trait File: fmt::Debug + Send + Sync {
    /// Where it is, for messages.
    fn path(&self) -> &str;

    /// Its length in bytes.
    ///
    /// # Errors
    /// If the device refuses.
    fn size(&self) -> Result<u64, DiskError>;

    /// Fills `buffer` from `offset` on and answers how much there was: less than asked only at the end of the file.
    ///
    /// # Errors
    /// If the device refuses.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError>;

    /// Writes all of `bytes` at `offset`, not yet durably.
    ///
    /// # Errors
    /// If the device refuses or is full: then a part may be written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError>;

    /// Cuts the file to `size`, not yet durably.
    ///
    /// # Errors
    /// If the device refuses.
    fn truncate(&self, size: u64) -> Result<(), DiskError>;

    /// Makes the contents and the length durable.
    ///
    /// # Errors
    /// If the device refuses: then nothing is known of what was written since the last success, and asking again
    /// proves nothing, because the system may have dropped it.
    fn sync_data(&self) -> Result<(), DiskError>;
}

/// A directory taken for this process; dropping it gives it back.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "held for its drop")] Box<dyn Any + Send + Sync>);

impl Held {
    /// Holds the directory as long as `guard` lives.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self(Box::new(guard))
    }
}

/// An operation of the directory that failed.
#[derive(Debug, Error)]
#[error("cannot {operation} {path}: {cause}")]
pub struct DiskError {
    /// What was asked.
    pub operation: Operation,
    /// The file or directory.
    pub path: String,
    /// Why not.
    pub cause: io::Error,
}

/// What was asked of a [`Disk`] or [`File`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Listing the names.
    List,
    /// Opening or creating a file.
    Open,
    /// Renaming or removing a file.
    Rename,
    /// Locking the directory.
    Lock,
    /// Reading, or asking for the length.
    Read,
    /// Writing or truncating.
    Write,
    /// Making contents or names durable.
    Sync,
}

impl DiskError {
    /// Whether there was no room.
    pub fn is_full(&self) -> bool {
        matches!(self.cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    /// Whether it is unknown what is durable.
    pub fn is_sync(&self) -> bool {
        self.operation == Operation::Sync
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "list",
            Self::Open => "open",
            Self::Rename => "rename or remove",
            Self::Lock => "lock",
            Self::Read => "read",
            Self::Write => "write",
            Self::Sync => "make durable",
        })
    }
}

/// The end of the names of files that are being written by [`write_atomic`]; left over only by a crash.
pub(crate) const UNFINISHED: &str = ".new";

/// Replaces a file durably: after a crash it holds the old bytes or the new, all of them.
///
/// # Errors
/// If the directory refuses. The file then holds the old bytes or the new; calling again is safe.
pub fn write_atomic(disk: &dyn Disk, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
    let unfinished = format!("{name}{UNFINISHED}");
    let file = disk.create(&unfinished)?;
    file.write_at(0, bytes)?;
    file.sync_data()?;
    disk.rename(&unfinished, name)?;
    disk.sync_names()
}

/// All of a small file; `None` if there is none, and no more than `max + 1` bytes of it.
pub(crate) fn read_small(disk: &dyn Disk, name: &str, max: usize) -> Result<Option<Vec<u8>>, DiskError> {
    let Some(file) = disk.open(name)? else { return Ok(None) };
    let mut bytes = vec![0; max.saturating_add(1)];
    let len = file.read_at(0, &mut bytes)?;
    bytes.truncate(len);
    Ok(Some(bytes))
}
