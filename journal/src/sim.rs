//! A directory in memory that loses, tears and damages exactly what a test says. Deterministic, and without a clock.
//!
//! It is as unkind as the contract of [`Disk`] allows: a crash keeps only what was synced, and of the rest whatever
//! [`Survivors`] names; a failed sync forgets the bytes while reads still show them; a full disk writes what fits and then fails.
//! A clone is another handle on the same directory.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::{Disk, DiskError, File, Held, Operation};
use crate::limits::FILES_MAX;

/// What [`Survivors::Scattered`] decides on: devices write these whole.
pub const SECTOR_BYTES: usize = 512;

/// A directory in memory.
#[derive(Clone, Debug, Default)]
pub struct SimDisk(Arc<Mutex<State>>);

/// What a crash is about to decide on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsynced<'a> {
    /// Creations, renamings and removals since the last [`Disk::sync_names`].
    Names {
        /// How many.
        steps: u64,
    },
    /// Writes to one file since its last [`File::sync_data`].
    Bytes {
        /// The name of the file.
        file: &'a str,
        /// How many bytes were written; a truncation counts as one.
        steps: u64,
    },
}

/// What of it outlives the crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survivors {
    /// The first so many steps, in the order in which they were taken.
    First(u64),
    /// Those whose bit of the mask is set, counted modulo 64: of names the steps, of a file the sectors as they were last
    /// seen. The file keeps its last length; a lost sector holds what was synced, or zeros.
    Scattered(u64),
}

#[derive(Debug, Default)]
struct State {
    boots: u64,
    locked: bool,
    inodes: BTreeMap<u64, Inode>,
    inodes_ever: u64,
    names: BTreeMap<String, u64>,
    names_synced: BTreeMap<String, u64>,
    renamings: Vec<Renaming>,
    room: Option<u64>,
    syncs: u64,
    sync_to_fail: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    seen: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
struct Change {
    offset: usize,
    /// `None` truncates at the offset.
    bytes: Option<Vec<u8>>,
    /// A sync failed since: a later one does not write it.
    forgotten: bool,
}

/// One step of the directory: names that now stand for these files, or for none.
type Renaming = Vec<(String, Option<u64>)>;

/// Faults and what tests look at.
impl SimDisk {
    /// An empty directory with room for everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the machine: every open file and lock ends, and of what was not synced only that survives which `choose` says.
    /// It is asked for each file with unsynced writes in order of names, then for the names.
    pub fn crash(&self, mut choose: impl FnMut(Unsynced<'_>) -> Survivors) {
        let mut state = self.state();
        let mut named: BTreeMap<String, u64> = state.names_synced.clone();
        named.extend(state.names.clone());
        for (file, inode) in named {
            let Some(inode) = state.inodes.get_mut(&inode) else { continue };
            let steps = inode.unsynced.iter().map(Change::steps).sum();
            let survivors =
                if steps == 0 { Survivors::First(0) } else { choose(Unsynced::Bytes { file: &file, steps }) };
            inode.crash(survivors);
        }
        let steps = state.renamings.len() as u64;
        let survivors = if steps == 0 { Survivors::First(0) } else { choose(Unsynced::Names { steps }) };
        state.crash(survivors);
    }

    /// Stops the machine and keeps only what was synced.
    pub fn crash_to_synced(&self) {
        self.crash(|_| Survivors::First(0));
    }

    /// Lets another process take the directory while this one runs: a file system that forgets locks.
    pub fn forget_lock(&self) {
        self.state().locked = false;
    }

    /// Lets files grow by so many more bytes in all; `None` for any number.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.state().room = bytes;
    }

    /// Lets so many more syncs succeed and the one after them fail, once.
    pub fn fail_sync_after(&self, successes: u64) {
        let mut state = self.state();
        state.sync_to_fail = Some(state.syncs + successes);
    }

    /// How many syncs succeeded.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Inverts the bits of `mask` in the byte at `offset`, on the medium; false if there is no such byte.
    pub fn flip(&self, name: &str, offset: usize, mask: u8) -> bool {
        let mut state = self.state();
        let Some(inode) = state.inode_mut(name) else { return false };
        if let Some(byte) = inode.synced.get_mut(offset) {
            *byte ^= mask;
        }
        inode.seen.get_mut(offset).map(|byte| *byte ^= mask).is_some()
    }

    /// Replaces or adds a file, on the medium.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut state = self.state();
        let inode = state.add(Inode { seen: bytes.to_vec(), synced: bytes.to_vec(), unsynced: Vec::new() });
        state.names.insert(name.to_owned(), inode);
        state.names_synced.insert(name.to_owned(), inode);
    }

    /// Loses a file, on the medium; false if there is none.
    pub fn lose(&self, name: &str) -> bool {
        let mut state = self.state();
        state.names_synced.remove(name);
        state.names.remove(name).is_some()
    }

    /// What reads of a file show now, synced or not.
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.state().inode_mut(name).map(|inode| inode.seen.clone())
    }

    /// The names of the files now, synced or not.
    pub fn names(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, state: &State, name: &str, inode: u64) -> Arc<dyn File> {
        Arc::new(SimFile { disk: self.clone(), boots: state.boots, path: name.to_owned(), inode })
    }
}

impl Disk for SimDisk {
    fn path(&self) -> &str {
        "sim"
    }

    fn list(&self) -> Result<Vec<String>, DiskError> {
        let names = self.names();
        if names.len() > FILES_MAX {
            return Err(error(Operation::List, self.path(), "too many files"));
        }
        Ok(names)
    }

    fn open(&self, name: &str) -> Result<Option<Arc<dyn File>>, DiskError> {
        let state = self.state();
        Ok(state.names.get(name).map(|inode| self.file(&state, name, *inode)))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>, DiskError> {
        let mut state = self.state();
        if let Some(inode) = state.names.get(name).copied() {
            state.truncate(inode, 0);
            return Ok(self.file(&state, name, inode));
        }
        let inode = state.add(Inode::default());
        state.rename(vec![(name.to_owned(), Some(inode))]);
        Ok(self.file(&state, name, inode))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        let mut state = self.state();
        let inode = *state.names.get(from).ok_or_else(|| error(Operation::Rename, from, "no such file"))?;
        state.rename(vec![(from.to_owned(), None), (to.to_owned(), Some(inode))]);
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        let mut state = self.state();
        if !state.names.contains_key(name) {
            return Err(error(Operation::Rename, name, "no such file"));
        }
        state.rename(vec![(name.to_owned(), None)]);
        Ok(())
    }

    fn sync_names(&self) -> Result<(), DiskError> {
        let mut state = self.state();
        state.sync(self.path())?;
        state.names_synced = state.names.clone();
        state.renamings.clear();
        Ok(())
    }

    fn lock(&self) -> Result<Option<Held>, DiskError> {
        let mut state = self.state();
        if state.locked {
            return Ok(None);
        }
        state.locked = true;
        Ok(Some(Held::new(Lock { disk: self.clone(), boots: state.boots })))
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    boots: u64,
    path: String,
    inode: u64,
}

impl SimFile {
    fn state(&self, operation: Operation) -> Result<MutexGuard<'_, State>, DiskError> {
        let state = self.disk.state();
        if state.boots != self.boots {
            return Err(error(operation, &self.path, "the machine was stopped"));
        }
        Ok(state)
    }
}

impl File for SimFile {
    fn path(&self) -> &str {
        &self.path
    }

    fn size(&self) -> Result<u64, DiskError> {
        let state = self.state(Operation::Read)?;
        Ok(state.inodes.get(&self.inode).map_or(0, |inode| inode.seen.len() as u64))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        let state = self.state(Operation::Read)?;
        let seen = state.inodes.get(&self.inode).map_or(&[][..], |inode| &inode.seen);
        let bytes = seen.get(to_usize(offset)..).unwrap_or_default();
        let len = bytes.len().min(buffer.len());
        for (into, byte) in buffer.iter_mut().zip(bytes) {
            *into = *byte;
        }
        Ok(len)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let mut state = self.state(Operation::Write)?;
        let written = state.write(self.inode, to_usize(offset), bytes);
        if written == bytes.len() {
            return Ok(());
        }
        let cause = io::Error::new(io::ErrorKind::StorageFull, "no room (simulated)");
        Err(DiskError { operation: Operation::Write, path: self.path.clone(), cause })
    }

    fn truncate(&self, size: u64) -> Result<(), DiskError> {
        self.state(Operation::Write)?.truncate(self.inode, to_usize(size));
        Ok(())
    }

    fn sync_data(&self) -> Result<(), DiskError> {
        let mut state = self.state(Operation::Sync)?;
        let synced = state.sync(&self.path);
        if let Some(inode) = state.inodes.get_mut(&self.inode) {
            inode.sync(synced.is_ok());
        }
        synced
    }
}

#[derive(Debug)]
struct Lock {
    disk: SimDisk,
    boots: u64,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.boots == self.boots {
            state.locked = false;
        }
    }
}

impl State {
    fn inode_mut(&mut self, name: &str) -> Option<&mut Inode> {
        self.inodes.get_mut(self.names.get(name)?)
    }

    fn add(&mut self, inode: Inode) -> u64 {
        self.inodes_ever += 1;
        self.inodes.insert(self.inodes_ever, inode);
        self.inodes_ever
    }

    fn rename(&mut self, renaming: Renaming) {
        apply(&mut self.names, &renaming);
        self.renamings.push(renaming);
    }

    /// Counts one sync, or fails it.
    fn sync(&mut self, path: &str) -> Result<(), DiskError> {
        if self.sync_to_fail == Some(self.syncs) {
            self.sync_to_fail = None;
            return Err(error(Operation::Sync, path, "sync failed (simulated)"));
        }
        self.syncs += 1;
        Ok(())
    }

    /// Writes what there is room for and answers how much that was.
    fn write(&mut self, inode: u64, offset: usize, bytes: &[u8]) -> usize {
        let Some(inode) = self.inodes.get_mut(&inode) else { return 0 };
        let size = inode.seen.len();
        let end_max = self.room.map_or(usize::MAX, |room| size.saturating_add(to_usize(room)));
        let written = bytes.len().min(end_max.saturating_sub(offset));
        let Some(bytes) = bytes.get(..written).filter(|bytes| !bytes.is_empty()) else { return 0 };
        inode.change(Change { offset, bytes: Some(bytes.to_vec()), forgotten: false });
        let grown = (inode.seen.len() - size) as u64;
        self.room = self.room.map(|room| room.saturating_sub(grown));
        written
    }

    fn truncate(&mut self, inode: u64, size: usize) {
        let Some(inode) = self.inodes.get_mut(&inode) else { return };
        let shrunk = inode.seen.len().saturating_sub(size) as u64;
        inode.change(Change { offset: size, bytes: None, forgotten: false });
        self.room = self.room.map(|room| room.saturating_add(shrunk));
    }

    fn crash(&mut self, survivors: Survivors) {
        let renamings = core::mem::take(&mut self.renamings);
        for (step, renaming) in (0..).zip(&renamings) {
            if survivors.keep(step) {
                apply(&mut self.names_synced, renaming);
            }
        }
        self.names = self.names_synced.clone();
        let names = &self.names;
        self.inodes.retain(|inode, _| names.values().any(|named| named == inode));
        self.boots += 1;
        self.locked = false;
    }
}

impl Inode {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.seen, u64::MAX);
        self.unsynced.push(change);
    }

    fn sync(&mut self, works: bool) {
        if !works {
            for change in &mut self.unsynced {
                change.forgotten = true;
            }
            return;
        }
        for change in self.unsynced.drain(..).filter(|change| !change.forgotten) {
            change.apply(&mut self.synced, u64::MAX);
        }
    }

    fn crash(&mut self, survivors: Survivors) {
        match survivors {
            Survivors::First(mut steps) => {
                for change in &self.unsynced {
                    change.apply(&mut self.synced, steps);
                    steps = steps.saturating_sub(change.steps());
                }
            }
            Survivors::Scattered(_) => {
                self.synced.resize(self.seen.len(), 0);
                let sectors = self.synced.chunks_mut(SECTOR_BYTES).zip(self.seen.chunks(SECTOR_BYTES));
                for (step, (synced, seen)) in (0..).zip(sectors) {
                    if survivors.keep(step) {
                        synced.copy_from_slice(seen);
                    }
                }
            }
        }
        self.unsynced.clear();
        self.seen = self.synced.clone();
    }
}

impl Change {
    fn steps(&self) -> u64 {
        self.bytes.as_ref().map_or(1, |bytes| bytes.len() as u64)
    }

    /// Applies the first so many steps of it.
    fn apply(&self, file: &mut Vec<u8>, steps: u64) {
        let Some(bytes) = &self.bytes else {
            if steps > 0 {
                file.truncate(self.offset);
            }
            return;
        };
        let kept = bytes.get(..to_usize(steps)).unwrap_or(bytes);
        let end = self.offset + kept.len();
        if !kept.is_empty() && file.len() < end {
            file.resize(end, 0);
        }
        if let Some(into) = file.get_mut(self.offset..end) {
            into.copy_from_slice(kept);
        }
    }
}

impl Survivors {
    fn keep(self, step: u64) -> bool {
        match self {
            Self::First(steps) => step < steps,
            Self::Scattered(mask) => mask >> (step % 64) & 1 == 1,
        }
    }
}

fn apply(names: &mut BTreeMap<String, u64>, renaming: &Renaming) {
    for (name, inode) in renaming {
        match inode {
            Some(inode) => names.insert(name.clone(), *inode),
            None => names.remove(name),
        };
    }
}

fn error(operation: Operation, path: &str, cause: &str) -> DiskError {
    DiskError { operation, path: path.to_owned(), cause: io::Error::other(cause.to_owned()) }
}

fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk_with(bytes: &[u8]) -> (SimDisk, Arc<dyn File>) {
        let disk = SimDisk::new();
        disk.put("a", bytes);
        let file = disk.open("a").unwrap().unwrap();
        (disk, file)
    }

    #[test]
    fn a_crash_keeps_the_chosen_prefix_of_what_was_not_synced() {
        for (kept, expected) in [(0, "abc"), (1, "aXc"), (2, "aXY"), (3, "aX"), (4, "aXZ"), (9, "aXZ")] {
            let (disk, file) = disk_with(b"abc");
            file.write_at(1, b"XY").unwrap();
            file.truncate(2).unwrap();
            file.write_at(2, b"Z").unwrap();
            disk.crash(|unsynced| {
                assert_eq!(unsynced, Unsynced::Bytes { file: "a", steps: 4 });
                Survivors::First(kept)
            });
            assert_eq!(disk.bytes("a").unwrap(), expected.as_bytes(), "{kept} kept");
        }
    }

    #[test]
    fn scattered_survivors_are_sectors() {
        let (disk, file) = disk_with(&[1; 600]);
        file.write_at(0, &[2; 1_100]).unwrap();
        disk.crash(|_| Survivors::Scattered(0b101));
        let expected = [vec![2; 512], vec![1; 88], vec![0; 424], vec![2; 76]].concat();
        assert_eq!(disk.bytes("a").unwrap(), expected);
    }

    #[test]
    fn a_failed_sync_forgets_what_reads_still_show() {
        let (disk, file) = disk_with(b"");
        file.write_at(0, b"lost").unwrap();
        disk.fail_sync_after(0);
        assert!(file.sync_data().unwrap_err().is_sync());
        file.write_at(4, b"kept").unwrap();
        file.sync_data().unwrap();
        assert_eq!(disk.bytes("a").unwrap(), b"lostkept");
        disk.crash_to_synced();
        assert_eq!(disk.bytes("a").unwrap(), b"\0\0\0\0kept");
    }

    #[test]
    fn a_full_disk_writes_what_fits() {
        let (disk, file) = disk_with(b"ab");
        disk.set_room(Some(3));
        assert!(file.write_at(1, b"12345678").unwrap_err().is_full());
        assert_eq!(disk.bytes("a").unwrap(), b"a1234");
        file.truncate(2).unwrap();
        file.write_at(2, b"567").unwrap();
        assert_eq!(disk.bytes("a").unwrap(), b"a1567");
    }

    #[test]
    fn names_survive_only_when_synced_or_chosen() {
        for (kept, expected) in [(0, vec!["a"]), (1, vec!["a", "b"]), (2, vec!["a", "c"]), (3, vec!["c"])] {
            let (disk, file) = disk_with(b"x");
            disk.create("b").unwrap();
            disk.rename("b", "c").unwrap();
            disk.remove("a").unwrap();
            disk.crash(|_| Survivors::First(kept));
            assert_eq!(disk.names(), expected);
            assert!(file.size().is_err(), "open files end with the machine");
        }
    }

    #[test]
    fn a_lock_ends_when_dropped_or_when_the_machine_stops() {
        let disk = SimDisk::new();
        let first = disk.lock().unwrap().unwrap();
        assert!(disk.lock().unwrap().is_none());
        disk.crash_to_synced();
        let second = disk.lock().unwrap().unwrap();
        drop(first);
        assert!(disk.lock().unwrap().is_none(), "the lock of a stopped process frees nothing");
        drop(second);
        assert!(disk.lock().unwrap().is_some());
    }
}
