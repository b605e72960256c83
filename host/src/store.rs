//! Small durable tables over sled.
//!
//! Where its file is damaged, sled 0.34 cuts off what follows and opens as if that had never been written: a disabled account would be enabled
//! again. So commits are numbered, inside the store and in the file `mark` beside it, which is written second: a store that knows of fewer
//! commits than its mark is damaged. (Back the folder up while the process is stopped, or by a snapshot of the file system.)
//!
//! sled's own `flush` asks for write-back without waiting for the disk's cache, so [`Store::commit`] syncs the file after it. Fit
//! for what is small: accounts, clients, sessions, counters. Not here: records of the exchange, which stand in the journal.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::folder::{DataFolder, FolderError};
use crate::limits::{RECORD_BYTES_MAX, STORE_CACHE_BYTES};

/// The version of the layout of stores.
const STORE_VERSION: u32 = 1;

/// A folder of tables; clones share it.
#[derive(Clone, Debug)]
pub struct Store(Arc<Opened>);

#[derive(Debug)]
struct Opened {
    db: sled::Db,
    file: File,
    folder: PathBuf,
    commits: Mutex<Commits>,
}

/// The numbers of the commits. INVARIANT (mark behind store): the mark is written after its number is on the disk in the store.
#[derive(Debug)]
struct Commits {
    tree: sled::Tree,
    mark: File,
    done: u64,
    broken: bool,
}

/// One table: ordered bytes to bytes.
#[derive(Clone, Debug)]
pub struct Table {
    tree: sled::Tree,
    store: Store,
}

/// Changes to one table that are taken together or not at all.
#[derive(Debug, Default)]
pub struct Changes(sled::Batch);

/// Why a store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("{} is in use by another process: stop that one first", folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
    /// What stands in it cannot be read.
    #[error(
        "the data in {} are damaged and cannot be rebuilt: stop, keep a copy of the folder, and restore it from a backup",
        folder.display()
    )]
    Damaged {
        /// The folder.
        folder: PathBuf,
    },
    /// A sync failed before, so that nobody knows what is on the disk.
    #[error("an earlier write to {} failed: check the disk and start again", folder.display())]
    Broken {
        /// The folder.
        folder: PathBuf,
    },
    /// A record exceeds what the store holds.
    #[error("a record has {bytes} bytes; at most {RECORD_BYTES_MAX} are stored")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The folder holds something else, or cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The operating system refused.
    #[error("cannot use {}: {source}", folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Store {
    /// Opens the store in `folder`, or makes an empty one; for data that nothing else can rebuild.
    ///
    /// # Errors
    /// [`StoreError`]; of a damaged store sled may have cut off the rest by then.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        DataFolder::open(folder)?.require_format("store", STORE_VERSION)?;
        let config = sled::Config::new().path(folder).cache_capacity(STORE_CACHE_BYTES).flush_every_ms(None);
        // sled panics on some damage that it does not report.
        let opened = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let db = config.open()?;
            read_through(&db)?;
            Ok(db)
        }));
        let db = opened
            .map_err(|_| StoreError::Damaged { folder: folder.to_owned() })?
            .map_err(|error| sled_error(folder, error))?;
        let commits = Commits::open(&db, folder)?;
        let file = File::open(folder.join("db")).map_err(|source| io_error(folder, source))?;
        let store =
            Self(Arc::new(Opened { db, file, folder: folder.to_owned(), commits: Mutex::new(commits) }));
        store.commit()?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| io_error(folder, source))?;
        Ok(store)
    }

    /// As [`Store::open`], but a damaged store is deleted and begun anew; for data whose loss only costs a repetition.
    ///
    /// # Errors
    /// [`StoreError`] if it is locked or the operating system refuses.
    pub fn open_or_discard(folder: &Path) -> Result<Self, StoreError> {
        match Self::open(folder) {
            Err(StoreError::Damaged { .. }) => {
                tracing::warn!(folder = %folder.display(), "the store is damaged; it is discarded and begun anew");
                std::fs::remove_dir_all(folder).map_err(|source| io_error(folder, source))?;
                Self::open(folder)
            }
            opened => opened,
        }
    }

    /// The table of that name, empty at first.
    ///
    /// # Errors
    /// [`StoreError`] if sled cannot make it.
    pub fn table(&self, name: &str) -> Result<Table, StoreError> {
        let tree = self.0.db.open_tree(name).map_err(|error| self.error(error))?;
        Ok(Table { tree, store: self.clone() })
    }

    /// Returns once everything written before is on the disk; blocks for about a millisecond.
    ///
    /// # Errors
    /// [`StoreError`]; after a failed sync the store refuses all further commits, because the kernel may have dropped
    /// what it could not write and would report success the next time.
    pub fn commit(&self) -> Result<(), StoreError> {
        let mut commits = self.0.commits.lock().unwrap_or_else(PoisonError::into_inner);
        if commits.broken {
            return Err(StoreError::Broken { folder: self.0.folder.clone() });
        }
        // Until it has succeeded: a panic within counts as a failure.
        commits.broken = true;
        let number = commits.done + 1;
        commits.tree.insert(NUMBER, &number.to_be_bytes()).map_err(|error| self.error(error))?;
        self.0.db.flush().map_err(|error| self.error(error))?;
        let synced =
            self.0.file.sync_data().and_then(|()| commits.mark.write_all_at(&encode_mark(number), 0));
        synced.map_err(|source| io_error(&self.0.folder, source))?;
        (commits.done, commits.broken) = (number, false);
        Ok(())
    }

    /// The error for a record that its owner cannot read.
    pub fn damaged(&self) -> StoreError {
        StoreError::Damaged { folder: self.0.folder.clone() }
    }

    fn error(&self, error: sled::Error) -> StoreError {
        sled_error(&self.0.folder, error)
    }
}

/// Finds damage where sled looks only when it has to.
fn read_through(db: &sled::Db) -> sled::Result<()> {
    for name in db.tree_names() {
        db.open_tree(name)?.iter().try_for_each(|record| record.map(drop))?;
    }
    Ok(())
}

const NUMBER: &[u8] = b"number";
const MARK_BYTES: usize = 12;

impl Commits {
    fn open(db: &sled::Db, folder: &Path) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged { folder: folder.to_owned() };
        let tree = db.open_tree("commits").map_err(|error| sled_error(folder, error))?;
        let done = match tree.get(NUMBER).map_err(|error| sled_error(folder, error))? {
            Some(number) => u64::from_be_bytes(number.as_ref().try_into().map_err(|_| damaged())?),
            None => 0,
        };
        let (mark, marked) = open_mark(folder).map_err(|source| io_error(folder, source))?;
        if marked.is_none_or(|marked| done < marked) {
            return Err(damaged());
        }
        Ok(Self { tree, mark, done, broken: false })
    }
}

/// The file and the number in it: `None` if it is damaged, 0 if it is new. It is made whole once, so that later writes only replace it in place.
fn open_mark(folder: &Path) -> io::Result<(File, Option<u64>)> {
    let path = folder.join("mark");
    let mark = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
    let mut bytes = [0; MARK_BYTES];
    match mark.metadata()?.len() {
        0 => {
            mark.write_all_at(&encode_mark(0), 0)?;
            mark.sync_all()?;
            Ok((mark, Some(0)))
        }
        _ => match mark.read_exact_at(&mut bytes, 0) {
            Ok(()) => Ok((mark, decode_mark(bytes))),
            Err(error) if is_damage(&error) => Ok((mark, None)),
            Err(error) => Err(error),
        },
    }
}

fn encode_mark(number: u64) -> [u8; MARK_BYTES] {
    let number = number.to_be_bytes();
    let mut mark = [0; MARK_BYTES];
    let parts = number.into_iter().chain(crc32c::crc32c(&number).to_be_bytes());
    mark.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    mark
}

fn decode_mark(mark: [u8; MARK_BYTES]) -> Option<u64> {
    let number = u64::from_be_bytes(*mark.first_chunk()?);
    (encode_mark(number) == mark).then_some(number)
}

impl Table {
    /// The value at `key`.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        self.tree.get(key).map_err(|error| self.store.error(error))
    }

    /// Makes the changes, visible at once and durable with the next [`Store::commit`].
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be written.
    pub fn apply(&self, changes: Changes) -> Result<(), StoreError> {
        self.tree.apply_batch(changes.0).map_err(|error| self.store.error(error))
    }

    /// Sets one value, visible at once and durable with the next [`Store::commit`].
    ///
    /// # Errors
    /// [`StoreError::TooLong`], or if it cannot be written.
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let mut changes = Changes::default();
        changes.set(key, value)?;
        self.apply(changes)
    }

    /// Key and value of all records whose key starts with `prefix`, in key order.
    pub fn scan(
        &self,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<(sled::IVec, sled::IVec), StoreError>> + use<'_> {
        self.tree.scan_prefix(prefix).map(|found| found.map_err(|error| self.store.error(error)))
    }

    /// Key and value of all records after `key`, in key order.
    pub fn after(
        &self,
        key: &[u8],
    ) -> impl Iterator<Item = Result<(sled::IVec, sled::IVec), StoreError>> + use<'_> {
        let beyond = (std::ops::Bound::Excluded(key), std::ops::Bound::Unbounded);
        self.tree.range::<&[u8], _>(beyond).map(|found| found.map_err(|error| self.store.error(error)))
    }

    /// The number of records; reads all keys.
    pub fn count(&self) -> usize {
        self.tree.len()
    }

    /// The store that the table belongs to.
    pub const fn store(&self) -> &Store {
        &self.store
    }
}

impl Changes {
    /// Sets one value.
    ///
    /// # Errors
    /// [`StoreError::TooLong`].
    pub fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let bytes = key.len().saturating_add(value.len());
        if bytes > RECORD_BYTES_MAX {
            return Err(StoreError::TooLong { bytes });
        }
        self.0.insert(key, value);
        Ok(())
    }

    /// Removes one value, if it is there.
    pub fn remove(&mut self, key: &[u8]) {
        self.0.remove(key);
    }
}

fn io_error(folder: &Path, source: io::Error) -> StoreError {
    StoreError::Io { folder: folder.to_owned(), source }
}

fn sled_error(folder: &Path, error: sled::Error) -> StoreError {
    let folder = folder.to_owned();
    match error {
        sled::Error::Io(source) if source.to_string().starts_with("could not acquire lock") => {
            StoreError::Locked { folder }
        }
        sled::Error::Io(source) if is_damage(&source) => StoreError::Damaged { folder },
        sled::Error::Io(source) => StoreError::Io { folder, source },
        sled::Error::Corruption { .. }
        | sled::Error::ReportableBug(_)
        | sled::Error::Unsupported(_)
        | sled::Error::CollectionNotFound(_) => StoreError::Damaged { folder },
    }
}

/// What sled reads back is not what it wrote: a checksum that differs, or a file that ends too early.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(folder: &Path) {
        let store = Store::open(folder).unwrap();
        let table = store.table("t").unwrap();
        for n in 0..2000_u32 {
            table.set(&n.to_be_bytes(), &[7; 100]).unwrap();
        }
        store.commit().unwrap();
    }

    fn damage(folder: &Path, file: &str, at: usize) {
        let path = folder.join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.iter_mut().skip(at).take(16).for_each(|byte| *byte ^= 0xff);
        std::fs::write(&path, bytes).unwrap();
    }

    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            let to = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &to);
            } else {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
    }

    type Records = Vec<(sled::IVec, sled::IVec)>;

    /// What is read: `None` if the damage was noticed when the store was opened.
    fn read_all(folder: &Path) -> Option<Records> {
        match Store::open(folder) {
            Ok(store) => Some(store.table("t").unwrap().scan(b"").map(Result::unwrap).collect()),
            Err(StoreError::Damaged { .. }) => None,
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn what_was_committed_is_there_after_opening_again() {
        let parent = tempfile::tempdir().unwrap();
        filled(parent.path());
        let store = Store::open(parent.path()).unwrap();
        let table = store.table("t").unwrap();
        assert_eq!(table.count(), 2000);
        assert_eq!(table.after(&1997_u32.to_be_bytes()).count(), 2);
    }

    #[test]
    fn a_store_is_open_in_one_place_only() {
        let parent = tempfile::tempdir().unwrap();
        let _first = Store::open(parent.path()).unwrap();
        assert!(matches!(Store::open(parent.path()), Err(StoreError::Locked { .. })));
    }

    #[test]
    fn damage_is_named_with_the_remedy() {
        let parent = tempfile::tempdir().unwrap();
        for file in ["conf", "mark"] {
            let folder = parent.path().join(file);
            filled(&folder);
            damage(&folder, file, 0);
            let said = Store::open(&folder).unwrap_err().to_string();
            assert!(
                said.contains("cannot be rebuilt") && said.contains("restore it from a backup"),
                "{said}"
            );
        }
    }

    /// In a part of the file that is no longer used damage does no harm.
    #[test]
    fn damage_anywhere_in_the_log_is_noticed_or_harmless() {
        let parent = tempfile::tempdir().unwrap();
        let good = parent.path().join("good");
        for opened in 1..=3 {
            filled(&good);
            let whole = std::fs::metadata(good.join("db")).unwrap().len();
            let bytes = usize::try_from(whole).unwrap();
            for part in 0..40 {
                let bad = parent.path().join(format!("{opened}-{part}"));
                copy(&good, &bad);
                damage(&bad, "db", part * bytes / 40 + 17);
                let whole = |read: &Records| {
                    read.len() == 2000 && read.iter().all(|(_, value)| value.as_ref() == [7; 100])
                };
                assert!(read_all(&bad).as_ref().is_none_or(whole), "opened {opened} times, part {part}");
            }
        }
    }

    #[test]
    fn a_store_whose_file_is_gone_is_not_taken_for_a_new_one() {
        let parent = tempfile::tempdir().unwrap();
        filled(parent.path());
        std::fs::remove_file(parent.path().join("db")).unwrap();
        assert_eq!(read_all(parent.path()), None);
    }

    #[test]
    fn a_damaged_store_that_may_be_lost_begins_anew() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("sessions");
        filled(&folder);
        damage(&folder, "db", 1000);
        let store = Store::open_or_discard(&folder).unwrap();
        assert_eq!(store.table("t").unwrap().count(), 0);
    }

    #[test]
    fn a_record_that_is_too_long_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let table = Store::open(parent.path()).unwrap().table("t").unwrap();
        assert!(matches!(table.set(b"k", &[0; RECORD_BYTES_MAX]), Err(StoreError::TooLong { .. })));
    }
}
