//! Small durable tables: a log that is the truth, and sled, which answers from it.
//!
//! Every commit is appended to a journal and made durable; at each start sled is made anew from the journal, because a kill in the wrong
//! moment leaves files that it opens no more, or opens as if their end had never been written: a disabled account would be enabled again.
//! How far the journal is durable is kept beside it, so that a lost end is damage and not a shorter log.
//!
//! A log that has outgrown its records is written again. So are sled's tables, long before sled would cut its own file: when it does, it
//! can stand still for ever, its writers waiting for a lock whose holder waits for one of them. Fit for what is small: accounts, clients,
//! sessions, counters. Not here: records of the exchange, which stand in a journal of their own.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use prost::Message;
use yiqiao_journal::disk::DiskError;
use yiqiao_journal::{Journal, Position};

use crate::folder::{DataFolder, FolderError};
use crate::limits::{
    RECORD_BYTES_MAX, STORE_CACHE_BYTES, STORE_LOG_BYTES, STORE_PENDING_MAX, STORE_RECORD_OVERHEAD,
    STORE_REWRITE_RECORDS, STORE_SEGMENT_BYTES, STORE_WRITES_MAX,
};

mod log;

use log::{Durable, Failed, create_log, exchange, make_log, open_log};

/// The version of the layout of stores.
const STORE_VERSION: u32 = 1;
/// sled's folders, one for each time that its tables were made.
const TABLES: &str = "tables";

/// A folder of tables; clones share it.
#[derive(Clone, Debug)]
pub struct Store(Arc<Opened>);

#[derive(Debug)]
struct Opened {
    folder: PathBuf,
    tables: RwLock<sled::Db>,
    /// Held by whoever changes anything.
    log: Mutex<Log>,
}

/// The log, and what is to join it with the next commit.
#[derive(Debug)]
struct Log {
    /// None after a failure: nobody knows what is on the disk.
    journal: Option<Durable>,
    pending: Vec<Vec<u8>>,
    /// Length of the log when it was written anew last.
    rewritten: u64,
    /// How often the tables were made.
    generation: u64,
    load: Load,
}

/// What sled has written to its file at the most: each change, and every ten changes of a page the page, which has at most 17 records.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    /// When the tables were made.
    made: u64,
    since: u64,
    /// The longest record.
    longest: u64,
}

/// Changes to one table, as the log has them.
#[derive(Clone, PartialEq, Message)]
struct Applied {
    #[prost(string, tag = "1")]
    table: String,
    #[prost(message, repeated, tag = "2")]
    changes: Vec<Change>,
}

/// A value that was set, or removed if there is none.
#[derive(Clone, PartialEq, Message)]
struct Change {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "2")]
    value: Option<Vec<u8>>,
}

/// One table: ordered bytes to bytes.
#[derive(Clone, Debug)]
pub struct Table {
    name: String,
    store: Store,
}

/// Key and value of a record, or why there is none.
pub type Found = Result<(sled::IVec, sled::IVec), StoreError>;

/// Changes to one table that are taken together or not at all.
#[derive(Debug, Default)]
pub struct Changes(Vec<Change>);

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
    /// A write failed before, so that nobody knows what is on the disk.
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
    /// Opens the store in `folder`, or makes an empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let data = DataFolder::open(folder)?;
        // The log comes before the `FORMAT`: a folder that has one and no log has lost it.
        let is_new = !folder.join("FORMAT").exists();
        if is_new {
            make_log(folder)?;
        }
        data.require_format("journaled-store", STORE_VERSION)?;
        let durable = open_log(folder)?;
        // Those of the last process are of no use.
        remove(folder, &folder.join(TABLES))?;
        let db = open_tables(folder, 0)?;
        let mut load = Load::default();
        for ((table, key), value) in records(folder, &durable.journal)? {
            let tree = db.open_tree(table).map_err(|error| sled_error(folder, &error))?;
            load.make(key.len() + value.len());
            tree.insert(key, value).map_err(|error| sled_error(folder, &error))?;
        }
        let log = Log { journal: Some(durable), pending: Vec::new(), rewritten: 0, generation: 0, load };
        let log = Mutex::new(log);
        Ok(Self(Arc::new(Opened { folder: folder.to_owned(), tables: RwLock::new(db), log })))
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
        let table = Table { name: name.to_owned(), store: self.clone() };
        table.tree().map(|_| table)
    }

    /// Returns once everything written before is on the disk; blocks for some milliseconds.
    ///
    /// # Errors
    /// [`StoreError`]. On a full disk a later commit may succeed; after any other failure the store refuses all further commits, because
    /// the kernel may have dropped what it could not write and would report success the next time.
    pub fn commit(&self) -> Result<(), StoreError> {
        let mut log = self.log();
        self.append(&mut log)?;
        self.rewrite_if_outgrown(&mut log)
    }

    /// The error for a record that its owner cannot read.
    pub fn damaged(&self) -> StoreError {
        damaged(&self.0.folder)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits joins the log. While it is under way the log counts as failed: so a panic within does, too.
    fn append(&self, log: &mut Log) -> Result<(), StoreError> {
        if log.pending.is_empty() {
            return Ok(());
        }
        let broken = || StoreError::Broken { folder: self.0.folder.clone() };
        let mut durable = log.journal.take().ok_or_else(broken)?;
        match durable.append(&log.pending) {
            Ok(()) => {
                log.pending.clear();
                log.journal = Some(durable);
                Ok(())
            }
            Err(Failed::Full(cause)) => {
                log.journal = Some(durable);
                Err(io_error(&self.0.folder, io::Error::new(io::ErrorKind::StorageFull, cause)))
            }
            Err(Failed::Broken(cause)) => {
                tracing::error!(folder = %self.0.folder.display(), cause, "a write to a store failed");
                Err(broken())
            }
        }
    }

    fn tables(&self) -> sled::Db {
        self.0.tables.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the tables anew before sled has filled so much of its file that it could cut it.
    fn renew_if_outgrown(&self, log: &mut Log) -> Result<(), StoreError> {
        if !log.load.is_outgrown() {
            return Ok(());
        }
        let folder = &self.0.folder;
        let failed = |error| sled_error(folder, &error);
        let (old, next) = (self.tables(), log.generation + 1);
        let new = open_tables(folder, next)?;
        let mut load = Load::default();
        for name in old.tree_names() {
            let tree = new.open_tree(&name).map_err(failed)?;
            for record in &old.open_tree(&name).map_err(failed)? {
                let (key, value) = record.map_err(failed)?;
                load.make(key.len() + value.len());
                tree.insert(key, value).map_err(failed)?;
            }
        }
        *self.0.tables.write().unwrap_or_else(PoisonError::into_inner) = new;
        // Whoever still reads the old ones keeps them open; their names may go.
        remove(folder, &tables_folder(folder, log.generation))?;
        (log.generation, log.load) = (next, load);
        Ok(())
    }

    /// Writes the log anew once it is far longer than what it says.
    fn rewrite_if_outgrown(&self, log: &mut Log) -> Result<(), StoreError> {
        let length = log.journal.as_ref().map_or(0, |durable| durable.journal.end().get());
        if length < STORE_LOG_BYTES.max(log.rewritten.saturating_mul(4)) {
            return Ok(());
        }
        // A failure before the exchange leaves the old log in force, which is closed only then.
        self.write_new_log()?;
        log.journal = None;
        exchange(&self.0.folder).map_err(|source| io_error(&self.0.folder, source))?;
        let durable = open_log(&self.0.folder)?;
        log.rewritten = durable.journal.end().get();
        log.journal = Some(durable);
        Ok(())
    }

    fn write_new_log(&self) -> Result<(), StoreError> {
        let folder = &self.0.folder;
        let mut durable = create_log(folder)?;
        let db = self.tables();
        for name in db.tree_names() {
            let tree = db.open_tree(&name).map_err(|error| sled_error(folder, &error))?;
            let table = String::from_utf8_lossy(&name).into_owned();
            let mut changes = Vec::new();
            for record in &tree {
                let (key, value) = record.map_err(|error| sled_error(folder, &error))?;
                changes.push(Change { key: key.to_vec(), value: Some(value.to_vec()) });
                if changes.len() == STORE_REWRITE_RECORDS {
                    durable.write_again(folder, &table, std::mem::take(&mut changes))?;
                }
            }
            durable.write_again(folder, &table, changes)?;
        }
        Ok(())
    }
}

/// Values by table and key.
type Records = BTreeMap<(String, Vec<u8>), Vec<u8>>;

/// What the log says there is.
fn records(folder: &Path, log: &Journal) -> Result<Records, StoreError> {
    let mut records = Records::new();
    for item in log.scan(Position::START) {
        let (_, bytes) = item.map_err(|_| damaged(folder))?;
        let Applied { table, changes } = Applied::decode(bytes.as_slice()).map_err(|_| damaged(folder))?;
        for Change { key, value } in changes {
            match value {
                Some(value) => records.insert((table.clone(), key), value),
                None => records.remove(&(table.clone(), key)),
            };
        }
    }
    Ok(records)
}

fn remove(folder: &Path, what: &Path) -> Result<(), StoreError> {
    if what.exists() {
        std::fs::remove_dir_all(what).map_err(|source| io_error(folder, source))
    } else {
        Ok(())
    }
}

fn tables_folder(folder: &Path, generation: u64) -> PathBuf {
    folder.join(TABLES).join(generation.to_string())
}

fn open_tables(folder: &Path, generation: u64) -> Result<sled::Db, StoreError> {
    let config =
        sled::Config::new().path(tables_folder(folder, generation)).segment_size(STORE_SEGMENT_BYTES);
    let config = config.cache_capacity(STORE_CACHE_BYTES).flush_every_ms(None);
    config.open().map_err(|error| sled_error(folder, &error))
}

impl Load {
    /// A record joins tables that are being made.
    fn make(&mut self, bytes: usize) {
        let bytes = bytes as u64 + STORE_RECORD_OVERHEAD;
        self.longest = self.longest.max(bytes);
        self.made += bytes * STORE_WRITES_MAX;
    }

    /// Records change.
    fn change(&mut self, changes: &[Change]) {
        for Change { key, value } in changes {
            let bytes = key.len() + value.as_ref().map_or(0, Vec::len);
            self.longest = self.longest.max(bytes as u64 + STORE_RECORD_OVERHEAD);
            self.since += self.longest * STORE_WRITES_MAX;
        }
    }

    /// sled cuts its file only when two of its segments are free. Tables that never fill two are never cut; of larger ones this makes it
    /// rare.
    const fn is_outgrown(self) -> bool {
        let segment = STORE_SEGMENT_BYTES as u64;
        let least = if self.made > segment { self.made } else { segment };
        self.made + self.since > 2 * least
    }
}

fn batch(changes: &[Change]) -> sled::Batch {
    let mut batch = sled::Batch::default();
    for Change { key, value } in changes {
        match value {
            Some(value) => batch.insert(key.as_slice(), value.as_slice()),
            None => batch.remove(key.as_slice()),
        }
    }
    batch
}

impl Table {
    /// The value at `key`.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        self.tree()?.get(key).map_err(|error| self.error(&error))
    }

    /// Makes the changes, visible at once and durable with the next [`Store::commit`], or when many wait for it.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be written.
    pub fn apply(&self, changes: Changes) -> Result<(), StoreError> {
        // One after the other, so that the log has the order in which they were made.
        let mut log = self.store.log();
        if log.pending.len() >= STORE_PENDING_MAX {
            self.store.append(&mut log)?;
        }
        self.store.renew_if_outgrown(&mut log)?;
        log.load.change(&changes.0);
        self.tree()?.apply_batch(batch(&changes.0)).map_err(|error| self.error(&error))?;
        log.pending.push(Applied { table: self.name.clone(), changes: changes.0 }.encode_to_vec());
        Ok(())
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
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn scan(&self, prefix: &[u8]) -> Result<impl Iterator<Item = Found> + use<'_>, StoreError> {
        let found = self.tree()?.scan_prefix(prefix);
        Ok(found.map(|found| found.map_err(|error| self.error(&error))))
    }

    /// Key and value of all records after `key`, in key order.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn after(&self, key: &[u8]) -> Result<impl Iterator<Item = Found> + use<'_>, StoreError> {
        let beyond = (std::ops::Bound::Excluded(key), std::ops::Bound::Unbounded);
        let found = self.tree()?.range::<&[u8], _>(beyond);
        Ok(found.map(|found| found.map_err(|error| self.error(&error))))
    }

    /// The number of records; reads all keys.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn count(&self) -> Result<usize, StoreError> {
        Ok(self.tree()?.len())
    }

    /// The store that the table belongs to.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The table as it stands; another one after the tables were made anew.
    fn tree(&self) -> Result<sled::Tree, StoreError> {
        self.store.tables().open_tree(&self.name).map_err(|error| self.error(&error))
    }

    fn error(&self, error: &sled::Error) -> StoreError {
        sled_error(&self.store.0.folder, error)
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
        self.0.push(Change { key: key.to_vec(), value: Some(value.to_vec()) });
        Ok(())
    }

    /// Removes one value, if it is there.
    pub fn remove(&mut self, key: &[u8]) {
        self.0.push(Change { key: key.to_vec(), value: None });
    }
}

fn damaged(folder: &Path) -> StoreError {
    StoreError::Damaged { folder: folder.to_owned() }
}

fn io_error(folder: &Path, source: io::Error) -> StoreError {
    StoreError::Io { folder: folder.to_owned(), source }
}

fn disk_error(folder: &Path, error: &DiskError) -> StoreError {
    io_error(folder, io::Error::other(error.to_string()))
}

fn folder_error(folder: &Path, error: &yiqiao_journal::folder::FolderError) -> StoreError {
    use yiqiao_journal::folder::FolderError as F;
    match error {
        F::InUse { .. } => StoreError::Locked { folder: folder.to_owned() },
        F::Disk(disk) => disk_error(folder, disk),
        F::Occupied { .. } | F::Absent { .. } | F::Damaged { .. } | F::OtherKind { .. } | F::Newer { .. } => {
            tracing::error!(folder = %folder.display(), %error, "the log of a store does not open");
            damaged(folder)
        }
    }
}

/// sled holds nothing that is not in the log: whatever it says is a failure of this process.
fn sled_error(folder: &Path, error: &sled::Error) -> StoreError {
    io_error(folder, io::Error::other(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::log::{LOG, NEW, OLD};
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

    type Listed = Vec<(sled::IVec, sled::IVec)>;

    fn read(folder: &Path) -> Result<Listed, StoreError> {
        let table = Store::open(folder)?.table("t")?;
        table.scan(b"")?.collect()
    }

    fn segment(folder: &Path) -> String {
        let names = std::fs::read_dir(folder.join(LOG)).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "FORMAT" && name != "LOCK" && !name.starts_with("floor")).min().unwrap()
    }

    #[test]
    fn what_was_committed_is_there_after_opening_again() {
        let parent = tempfile::tempdir().unwrap();
        filled(parent.path());
        let store = Store::open(parent.path()).unwrap();
        let table = store.table("t").unwrap();
        assert_eq!(table.count().unwrap(), 2000);
        assert_eq!(table.after(&1997_u32.to_be_bytes()).unwrap().count(), 2);
    }

    #[test]
    fn what_was_not_committed_is_not_there_after_opening_again_and_what_was_removed_is_gone() {
        let parent = tempfile::tempdir().unwrap();
        filled(parent.path());
        let store = Store::open(parent.path()).unwrap();
        let table = store.table("t").unwrap();
        let mut changes = Changes::default();
        changes.remove(&0_u32.to_be_bytes());
        table.apply(changes).unwrap();
        store.commit().unwrap();
        table.set(b"late", b"").unwrap();
        assert_eq!(table.count().unwrap(), 2000);
        drop((table, store));
        assert_eq!(read(parent.path()).unwrap().len(), 1999);
    }

    #[test]
    fn a_store_is_open_in_one_place_only() {
        let parent = tempfile::tempdir().unwrap();
        let _first = Store::open(parent.path()).unwrap();
        assert!(matches!(Store::open(parent.path()), Err(StoreError::Locked { .. })));
    }

    #[test]
    fn whatever_becomes_of_the_tables_the_log_brings_them_back() {
        let parent = tempfile::tempdir().unwrap();
        filled(parent.path());
        damage(parent.path(), "tables/0/db", 1000);
        assert_eq!(read(parent.path()).unwrap().len(), 2000);
        let tables = std::fs::File::options().write(true).open(parent.path().join("tables/0/db")).unwrap();
        tables.set_len(tables.metadata().unwrap().len() - 1).unwrap();
        assert_eq!(read(parent.path()).unwrap().len(), 2000);
        std::fs::remove_dir_all(parent.path().join("tables")).unwrap();
        assert_eq!(read(parent.path()).unwrap().len(), 2000);
    }

    #[test]
    fn damage_anywhere_in_the_log_is_noticed_and_named_with_the_remedy() {
        let parent = tempfile::tempdir().unwrap();
        for part in 0..40 {
            let folder = parent.path().join(part.to_string());
            filled(&folder);
            let file = format!("{LOG}/{}", segment(&folder));
            let bytes = usize::try_from(std::fs::metadata(folder.join(&file)).unwrap().len()).unwrap();
            damage(&folder, &file, part * (bytes - 16) / 39);
            let said = read(&folder).unwrap_err().to_string();
            assert!(
                said.contains("cannot be rebuilt") && said.contains("restore it from a backup"),
                "{said}"
            );
        }
    }

    #[test]
    fn a_log_that_has_lost_its_end_is_damaged_and_not_shorter() {
        let parent = tempfile::tempdir().unwrap();
        filled(parent.path());
        let path = parent.path().join(LOG).join(segment(parent.path()));
        let log = std::fs::File::options().write(true).open(path).unwrap();
        log.set_len(log.metadata().unwrap().len() / 2).unwrap();
        assert!(matches!(read(parent.path()), Err(StoreError::Damaged { .. })));
    }

    #[test]
    fn a_store_whose_log_is_gone_is_not_taken_for_a_new_one() {
        let parent = tempfile::tempdir().unwrap();
        filled(parent.path());
        std::fs::remove_dir_all(parent.path().join(LOG)).unwrap();
        assert!(matches!(read(parent.path()), Err(StoreError::Damaged { .. })));
    }

    #[test]
    fn a_damaged_store_that_may_be_lost_begins_anew() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("sessions");
        filled(&folder);
        damage(&folder, &format!("{LOG}/{}", segment(&folder)), 1000);
        let store = Store::open_or_discard(&folder).unwrap();
        assert_eq!(store.table("t").unwrap().count().unwrap(), 0);
    }

    #[test]
    fn a_log_that_has_outgrown_its_records_is_written_again() {
        let parent = tempfile::tempdir().unwrap();
        let store = Store::open(parent.path()).unwrap();
        let table = store.table("t").unwrap();
        for n in 0..1_400_u32 {
            table.set(&(n % 10).to_be_bytes(), &[u8::try_from(n % 251).unwrap(); 8_000]).unwrap();
            if n % 100 == 99 {
                store.commit().unwrap();
            }
        }
        let before: Listed = table.scan(b"").unwrap().map(Result::unwrap).collect();
        drop((table, store));
        let length = std::fs::metadata(parent.path().join(LOG).join(segment(parent.path()))).unwrap().len();
        assert!(length < STORE_LOG_BYTES, "{length}");
        assert_eq!(read(parent.path()).unwrap(), before);
    }

    #[test]
    fn tables_are_made_anew_before_sled_would_cut_its_file_and_whoever_has_one_goes_on() {
        let parent = tempfile::tempdir().unwrap();
        let store = Store::open(parent.path()).unwrap();
        let (table, other) = (store.table("t").unwrap(), store.table("other").unwrap());
        other.set(b"k", b"kept").unwrap();
        let mut reading = table.scan(b"").unwrap();
        for n in 0..4_000_u32 {
            table.set(&(n % 10).to_be_bytes(), &[u8::try_from(n % 251).unwrap(); 8_000]).unwrap();
            let length = store.tables().size_on_disk().unwrap();
            assert!(length <= 2 * STORE_SEGMENT_BYTES as u64, "{length}");
        }
        assert!(reading.all(|found| found.is_ok()), "what is read while tables change stays readable");
        let made: Vec<_> =
            std::fs::read_dir(parent.path().join(TABLES)).unwrap().map(Result::unwrap).collect();
        assert!(made.len() == 1 && made[0].file_name() != "0", "{made:?}");
        assert_eq!(
            (table.count().unwrap(), other.get(b"k").unwrap().unwrap().as_ref()),
            (10, b"kept".as_slice())
        );
        let newest = table.get(&9_u32.to_be_bytes()).unwrap().unwrap();
        assert_eq!(newest.as_ref(), [u8::try_from(3_999 % 251).unwrap(); 8_000]);
    }

    #[test]
    fn an_exchange_of_logs_that_a_crash_interrupts_is_finished() {
        let parent = tempfile::tempdir().unwrap();
        filled(parent.path());
        let [log, new, old] = [LOG, NEW, OLD].map(|name| parent.path().join(name));
        // Before the exchange: what was begun is thrown away.
        drop(create_log(parent.path()).unwrap());
        assert_eq!(read(parent.path()).unwrap().len(), 2000);
        assert!(!new.exists());
        // In the middle: the new one is whole.
        Store::open(parent.path()).unwrap().write_new_log().unwrap();
        std::fs::rename(&log, &old).unwrap();
        assert_eq!(read(parent.path()).unwrap().len(), 2000);
        assert!(log.exists() && !new.exists() && !old.exists());
    }

    #[test]
    fn a_record_that_is_too_long_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let table = Store::open(parent.path()).unwrap().table("t").unwrap();
        assert!(matches!(table.set(b"k", &[0; RECORD_BYTES_MAX]), Err(StoreError::TooLong { .. })));
    }
}
