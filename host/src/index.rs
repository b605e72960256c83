//! The index of what a machine keeps, derived from its journal: one ordered table of bytes in redb.
//!
//! The journal is the truth. An index that is missing, damaged, of another journal or of another version is discarded and
//! made again; so commits need not be durable one by one, and a crash costs a replay of the last of them. Every value
//! carries a checksum over key and value, and the file is checked whole when it is opened: that takes time in proportion
//! to its size.
//!
//! redb and not sled: with random keys sled 0.34 needs kilobytes of memory per record (`docs/decisions`).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use redb::{Database, Durability, ReadOnlyTable, ReadableDatabase, TableDefinition};
use yiqiao_journal::view::{Stored, Values};

const STATE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("state");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// Raised whenever what a journal leads to in the index changes.
const VERSION: u32 = 13;
/// After so many commits one is made durable, which bounds the replay after a crash.
const COMMITS_PER_SYNC: u32 = 256;
const CACHE_BYTES: usize = 256 << 20;

/// An index that was opened.
pub struct Index {
    reader: IndexReader,
    journal_id: [u8; 32],
    unsynced: u32,
}

/// Reads an index while its owner writes: sees the last commit. Clones read the same index.
#[derive(Clone)]
pub struct IndexReader {
    db: Arc<Database>,
    path: PathBuf,
}

/// What the last commit left, for one batch of inputs.
struct Snapshot {
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
    seen: RefCell<Values>,
}

/// How far an index follows its journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The position in the journal up to which all is applied.
    pub position: u64,
    /// How many words of the log that were.
    pub words: u64,
}

/// Why an index does not answer.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Stored bytes are not what was written: discard the index and make it again.
    #[error("the index {} is damaged", file.display())]
    Damaged {
        /// Its file.
        file: PathBuf,
    },
    /// The system refused.
    #[error("cannot use the index {}: {cause}", file.display())]
    Failed {
        /// Its file.
        file: PathBuf,
        /// What was said.
        cause: String,
    },
}

impl Index {
    /// Opens the index of a journal in a folder that exists; one that is missing or unfit is made anew, empty.
    ///
    /// # Errors
    /// [`IndexError::Failed`] if the folder cannot be written.
    pub fn open(folder: &Path, journal_id: &[u8; 32]) -> Result<(Self, Applied), IndexError> {
        let path = folder.join("index.redb");
        if path.exists() {
            // A damaged file can make the library panic: that is one more way to be damaged.
            match catch_unwind(AssertUnwindSafe(|| Self::open_whole(&path, journal_id))) {
                Ok(Some(opened)) => return Ok(opened),
                Ok(None) | Err(_) => tracing::warn!(
                    index = %path.display(),
                    "the index is unfit and is made again from the journal"
                ),
            }
        }
        Ok((Self::create(path, journal_id)?, Applied::default()))
    }

    /// Throws the index away and starts an empty one.
    ///
    /// # Errors
    /// [`IndexError::Failed`] if the folder cannot be written.
    pub fn discard(self) -> Result<Self, IndexError> {
        let Self { reader: IndexReader { db, path }, journal_id, .. } = self;
        drop(db);
        Self::create(path, &journal_id)
    }

    /// Reads this index beside its owner; to be dropped before the index is discarded.
    pub fn reader(&self) -> IndexReader {
        self.reader.clone()
    }

    /// The values of keys, in their order.
    ///
    /// # Errors
    /// [`IndexError`] if one is damaged, or the file cannot be read.
    pub fn load(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, IndexError> {
        self.reader.load(keys)
    }

    /// What the last commit left, for views to read.
    ///
    /// # Errors
    /// [`IndexError`] if the file cannot be read.
    pub fn stored(&self) -> Result<Rc<dyn Stored>, IndexError> {
        let read = self.reader.db.begin_read().map_err(|error| self.failed(&error))?;
        let table = read.open_table(STATE).map_err(|error| self.failed(&error))?;
        Ok(Rc::new(Snapshot { table, seen: RefCell::default() }))
    }

    /// All keys and values from `from` to `to`, excluded, at most `most`.
    ///
    /// # Errors
    /// [`IndexError`] if one is damaged, or the file cannot be read.
    #[expect(clippy::type_complexity, reason = "pairs of key and value")]
    pub fn range(&self, from: &[u8], to: &[u8], most: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, IndexError> {
        self.reader.range(from, to, most)
    }

    /// Writes and removes values, and how far the journal is applied with them: all or nothing.
    ///
    /// # Errors
    /// [`IndexError::Failed`] if it cannot be written.
    pub fn commit(
        &mut self,
        written: &BTreeMap<Vec<u8>, Option<Vec<u8>>>,
        applied: Applied,
    ) -> Result<(), IndexError> {
        self.unsynced += 1;
        let sync = self.unsynced >= COMMITS_PER_SYNC;
        self.write(written, applied, sync)
    }

    /// Makes all commits durable: before an orderly stop.
    ///
    /// # Errors
    /// [`IndexError::Failed`] if it cannot be written.
    pub fn sync(&mut self, applied: Applied) -> Result<(), IndexError> {
        self.write(&BTreeMap::new(), applied, true)
    }

    fn write(
        &mut self,
        written: &BTreeMap<Vec<u8>, Option<Vec<u8>>>,
        applied: Applied,
        sync: bool,
    ) -> Result<(), IndexError> {
        let mut write = self.reader.db.begin_write().map_err(|error| self.failed(&error))?;
        let durability = if sync { Durability::Immediate } else { Durability::None };
        write.set_durability(durability).map_err(|error| self.failed(&error))?;
        {
            let mut table = write.open_table(STATE).map_err(|error| self.failed(&error))?;
            for (key, value) in written {
                let key = key.as_slice();
                let done = match value {
                    Some(value) => table.insert(key, seal(key, value).as_slice()).map(drop),
                    None => table.remove(key).map(drop),
                };
                done.map_err(|error| self.failed(&error))?;
            }
            let mut meta = write.open_table(META).map_err(|error| self.failed(&error))?;
            let applied = [applied.position.to_be_bytes(), applied.words.to_be_bytes()];
            meta.insert("applied", applied.as_flattened()).map_err(|error| self.failed(&error))?;
        }
        write.commit().map_err(|error| self.failed(&error))?;
        if sync {
            self.unsynced = 0;
        }
        Ok(())
    }

    /// An index that is whole and of this journal, or nothing.
    fn open_whole(path: &Path, journal_id: &[u8; 32]) -> Option<(Self, Applied)> {
        let mut db = Database::builder().set_cache_size(CACHE_BYTES).open(path).ok()?;
        if !db.check_integrity().ok()? {
            return None;
        }
        let read = db.begin_read().ok()?;
        let meta = read.open_table(META).ok()?;
        let says = |key: &str| meta.get(key).ok().flatten().map(|value| value.value().to_vec());
        let fits = says("journal")? == journal_id && says("version")? == VERSION.to_be_bytes();
        let applied = says("applied")?;
        let (position, words) = applied.split_first_chunk::<8>()?;
        let applied = Applied {
            position: u64::from_be_bytes(*position),
            words: u64::from_be_bytes(words.try_into().ok()?),
        };
        drop(read);
        fits.then(|| (Self::of(db, path.to_owned(), journal_id), applied))
    }

    fn create(path: PathBuf, journal_id: &[u8; 32]) -> Result<Self, IndexError> {
        let failed = |cause: &dyn std::fmt::Display| IndexError::Failed {
            file: path.clone(),
            cause: cause.to_string(),
        };
        if path.exists() {
            std::fs::remove_file(&path).map_err(|error| failed(&error))?;
        }
        let db =
            Database::builder().set_cache_size(CACHE_BYTES).create(&path).map_err(|error| failed(&error))?;
        let write = db.begin_write().map_err(|error| failed(&error))?;
        {
            write.open_table(STATE).map_err(|error| failed(&error))?;
            let mut meta = write.open_table(META).map_err(|error| failed(&error))?;
            let facts: [(&str, &[u8]); 3] =
                [("journal", journal_id), ("version", &VERSION.to_be_bytes()), ("applied", &[0; 16])];
            for (key, value) in facts {
                meta.insert(key, value).map_err(|error| failed(&error))?;
            }
        }
        write.commit().map_err(|error| failed(&error))?;
        Ok(Self::of(db, path, journal_id))
    }

    fn of(db: Database, path: PathBuf, journal_id: &[u8; 32]) -> Self {
        Self { reader: IndexReader { db: Arc::new(db), path }, journal_id: *journal_id, unsynced: 0 }
    }

    fn failed(&self, cause: &dyn std::fmt::Display) -> IndexError {
        self.reader.failed(cause)
    }
}

impl IndexReader {
    /// The values of keys, in their order.
    ///
    /// # Errors
    /// [`IndexError`] if one is damaged, or the file cannot be read.
    pub fn load(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, IndexError> {
        let read = self.db.begin_read().map_err(|error| self.failed(&error))?;
        let table = read.open_table(STATE).map_err(|error| self.failed(&error))?;
        let value = |key: &Vec<u8>| {
            let stored = table.get(key.as_slice()).map_err(|error| self.failed(&error))?;
            stored.map(|stored| self.unseal(key, stored.value())).transpose()
        };
        keys.iter().map(value).collect()
    }

    /// All keys and values from `from` to `to`, excluded, at most `most`.
    ///
    /// # Errors
    /// [`IndexError`] if one is damaged, or the file cannot be read.
    #[expect(clippy::type_complexity, reason = "pairs of key and value")]
    pub fn range(&self, from: &[u8], to: &[u8], most: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, IndexError> {
        let mut found = Vec::new();
        self.scan(from, to, |key, value| {
            if found.len() == most {
                return ControlFlow::Break(());
            }
            found.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Takes all keys and values from `from` to `to`, excluded, of one moment, until `take` breaks off.
    ///
    /// # Errors
    /// [`IndexError`] if one is damaged, or the file cannot be read.
    pub fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        mut take: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        let read = self.db.begin_read().map_err(|error| self.failed(&error))?;
        let table = read.open_table(STATE).map_err(|error| self.failed(&error))?;
        for item in table.range(from..to).map_err(|error| self.failed(&error))? {
            let (key, value) = item.map_err(|error| self.failed(&error))?;
            if take(key.value(), &self.unseal(key.value(), value.value())?).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn unseal(&self, key: &[u8], stored: &[u8]) -> Result<Vec<u8>, IndexError> {
        unsealed(key, stored).ok_or_else(|| IndexError::Damaged { file: self.path.clone() })
    }

    fn failed(&self, cause: &dyn std::fmt::Display) -> IndexError {
        IndexError::Failed { file: self.path.clone(), cause: cause.to_string() }
    }
}

impl Stored for Snapshot {
    fn read(&self, key: &[u8], take: &mut dyn FnMut(Option<&[u8]>)) {
        if let Some(value) = self.seen.borrow().get(key) {
            return take(value.as_deref());
        }
        let Ok(stored) = self.table.get(key) else { return };
        let value = match stored.map(|stored| unsealed(key, stored.value())) {
            Some(None) => return,
            value => value.flatten(),
        };
        take(value.as_deref());
        self.seen.borrow_mut().insert(key.to_vec(), value);
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Snapshot")
    }
}

/// The value behind its checksum, if that fits.
fn unsealed(key: &[u8], stored: &[u8]) -> Option<Vec<u8>> {
    let (sum, value) = stored.split_first_chunk::<4>()?;
    (u32::from_be_bytes(*sum) == checksum(key, value)).then(|| value.to_vec())
}

fn seal(key: &[u8], value: &[u8]) -> Vec<u8> {
    [&checksum(key, value).to_be_bytes()[..], value].concat()
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 32] = [7; 32];

    fn filled(folder: &Path) -> Applied {
        let (mut index, _) = Index::open(folder, &ID).unwrap();
        let values =
            (0..500_u32).map(|n| (n.to_be_bytes().to_vec(), Some(vec![n.to_be_bytes()[3]; 100]))).collect();
        let applied = Applied { position: 900, words: 500 };
        index.commit(&values, applied).unwrap();
        index.sync(applied).unwrap();
        applied
    }

    #[test]
    fn what_was_committed_is_there_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let applied = filled(folder.path());
        let (index, found) = Index::open(folder.path(), &ID).unwrap();
        assert_eq!(found, applied);
        let loaded = index.load(&[vec![0, 0, 0, 3], vec![9]]).unwrap();
        assert_eq!(loaded, [Some(vec![3; 100]), None]);
        let range = index.range(&[0, 0, 0, 8], &[0, 0, 0, 20], 5).unwrap();
        assert_eq!(range.len(), 5);
        assert_eq!(range[0].0, [0, 0, 0, 8]);
    }

    #[test]
    fn a_reader_sees_the_last_commit_and_breaks_off_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut applied = filled(folder.path());
        let (mut index, _) = Index::open(folder.path(), &ID).unwrap();
        let reader = index.reader();
        let count = |most| {
            let mut seen = 0;
            let take = |_: &[u8], _: &[u8]| {
                seen += 1;
                if seen == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            reader.scan(&[0], &[9], take).unwrap();
            seen
        };
        assert_eq!((count(7), count(1000)), (7, 500));
        applied.words += 1;
        index.commit(&BTreeMap::from([(vec![1], Some(vec![1]))]), applied).unwrap();
        assert_eq!(count(1000), 501);
        index.commit(&BTreeMap::from([(vec![1], None), (vec![2], None)]), applied).unwrap();
        assert_eq!((count(1000), index.load(&[vec![1]]).unwrap()), (500, vec![None]));
    }

    #[test]
    fn what_is_stored_is_of_one_commit_and_a_damaged_value_is_not_given() {
        let folder = tempfile::tempdir().unwrap();
        let applied = filled(folder.path());
        let (mut index, _) = Index::open(folder.path(), &ID).unwrap();
        let write = index.reader.db.begin_write().unwrap();
        write.open_table(STATE).unwrap().insert([8].as_slice(), [0; 9].as_slice()).unwrap();
        write.commit().unwrap();
        let stored = index.stored().unwrap();
        index.commit(&BTreeMap::from([(vec![0, 0, 0, 3], None)]), applied).unwrap();
        let read = |key: &[u8]| {
            let mut given = None;
            stored.read(key, &mut |value| given = Some(value.map(<[u8]>::to_vec)));
            given
        };
        for _time in ["read", "seen before"] {
            assert_eq!(read(&[0, 0, 0, 3]), Some(Some(vec![3; 100])), "as it stood then");
            assert_eq!((read(&[9]), read(&[8])), (Some(None), None));
        }
        assert!(matches!(index.load(&[vec![8]]), Err(IndexError::Damaged { .. })), "the driver is told why");
    }

    #[test]
    fn an_index_of_another_journal_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        filled(folder.path());
        let (index, found) = Index::open(folder.path(), &[8; 32]).unwrap();
        assert_eq!(found, Applied::default());
        assert_eq!(index.load(&[vec![0, 0, 0, 3]]).unwrap(), [None]);
    }

    #[test]
    fn an_index_of_another_version_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (index, _) = Index::open(folder.path(), &ID).unwrap();
        let write = index.reader.db.begin_write().unwrap();
        let before = (VERSION - 1).to_be_bytes();
        write.open_table(META).unwrap().insert("version", before.as_slice()).unwrap();
        write.open_table(META).unwrap().insert("applied", [1; 16].as_slice()).unwrap();
        write.commit().unwrap();
        drop(index);
        let (_, found) = Index::open(folder.path(), &ID).unwrap();
        assert_eq!(found, Applied::default());
    }

    /// A flipped byte is noticed when the index is opened, or when the value is read, or it does not matter.
    #[test]
    fn a_flipped_byte_never_changes_an_answer() {
        let folder = tempfile::tempdir().unwrap();
        let applied = filled(folder.path());
        let file = folder.path().join("index.redb");
        let whole = std::fs::read(&file).unwrap();
        let keys: Vec<Vec<u8>> = (0..500_u32).map(|n| n.to_be_bytes().to_vec()).collect();
        let mut noticed = 0;
        for at in (0..whole.len()).step_by(whole.len() / 60) {
            let mut bent = whole.clone();
            bent[at] ^= 0x10;
            std::fs::write(&file, &bent).unwrap();
            let (index, found) = Index::open(folder.path(), &ID).unwrap();
            if found == Applied::default() {
                noticed += 1;
                continue;
            }
            assert_eq!(found, applied);
            match index.load(&keys) {
                Ok(values) => assert!(values.iter().all(Option::is_some), "byte {at}"),
                Err(IndexError::Damaged { .. }) => noticed += 1,
                Err(error) => panic!("byte {at}: {error}"),
            }
        }
        assert!(noticed > 0, "some of the bytes belong to values");
    }
}
