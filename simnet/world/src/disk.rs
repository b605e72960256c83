//! The disk of a process: a folder with a journal that loses and tears what the world draws, and the index, which lives in
//! memory and is gone with the process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use yiqiao_journal::journal::AppendError;
use yiqiao_journal::sim::{SimDisk, Survivors, Unsynced};
use yiqiao_journal::view::{Stored, Values, View};
use yiqiao_journal::{Folder, Format, Journal, Options, Position, Register};
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_simnet::chance::Chance;

use crate::hub::{Hub, Stopped};
use crate::limits::{SAVED_EVERY, SEGMENT_BYTES_MAX, SLOWER};
use crate::network::Who;

/// A folder on a disk in memory.
#[derive(Debug)]
pub(crate) struct Volume {
    pub(crate) disk: SimDisk,
    format: Format,
    chance: Chance,
    slow_until: Timestamp,
    /// The index as it was last written, if the process that kept it is gone.
    saved: Option<Index>,
    /// Bytes of the medium that are no longer what was written: file, place, and what they were flipped by.
    rotten: Vec<(String, usize, u8)>,
}

/// A journal that is open, and how far it is known to be durable.
pub(crate) struct Book {
    pub(crate) folder: Folder,
    pub(crate) journal: Journal,
}

/// Why a batch was not kept.
#[derive(Debug)]
pub(crate) enum NotKept {
    /// There was no room: nothing has changed.
    Full,
    /// It is more than the journal takes at once: nothing has changed.
    TooLong,
    /// The process ends.
    Stopped(Stopped),
}

/// A key of an index. Its first bytes, and how many of them it has, are compared in place; only where these are the same, the rest is
/// looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    head: u128,
    /// One more than the head has room for if there is a rest.
    length: u8,
    rest: Vec<u8>,
}

/// What a table has.
type Entries = BTreeMap<Key, Vec<u8>>;

/// The index of a process, and how many records and words of the journal it holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// By the number of the table: what is asked for all the time is alone in its table.
    tables: Vec<Entries>,
    pub(crate) records: usize,
    pub(crate) words: u64,
    /// How it was when it was last written to the disk, if it ever was.
    saved: Option<Saved>,
    commits: u64,
}

/// How an index was: its counts, and what has been overwritten since.
#[derive(Clone, Debug, Default)]
struct Saved {
    records: usize,
    words: u64,
    before: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Volume {
    pub(crate) fn new(kind: &'static str, id: [u8; 32], chance: Chance) -> Self {
        let disk = SimDisk::new();
        let format = Format::new(kind, 1, "0.1.0");
        Folder::create(Arc::new(disk.clone()), &format, id).expect("an empty disk takes a folder");
        Self { disk, format, chance, slow_until: Timestamp::MIN, saved: None, rotten: Vec::new() }
    }

    /// A copy as it is now, with what has rotted, on a disk of its own.
    pub(crate) fn copy(&self, chance: Chance) -> Self {
        let disk = SimDisk::new();
        for name in self.disk.names() {
            disk.put(&name, &self.disk.bytes(&name).unwrap_or_default());
        }
        Self {
            chance,
            disk,
            format: self.format,
            slow_until: Timestamp::MIN,
            saved: None,
            rotten: self.rotten.clone(),
        }
    }

    /// The same disk, for a second process: it forgets who holds it.
    pub(crate) fn shared(&self, chance: Chance) -> Self {
        self.disk.forget_lock();
        Self {
            disk: self.disk.clone(),
            format: self.format,
            chance,
            slow_until: self.slow_until,
            saved: None,
            rotten: self.rotten.clone(),
        }
    }

    /// A file as another disk has it, with what has rotted in it there.
    pub(crate) fn take_file(&mut self, name: &str, from: &Self) {
        let Some(bytes) = from.disk.bytes(name) else { return };
        self.disk.put(name, &bytes);
        self.rotten.retain(|(rotten, ..)| rotten != name);
        self.rotten.extend(from.rotten.iter().filter(|(rotten, ..)| rotten == name).cloned());
    }

    /// Every sync takes far longer for a while.
    pub(crate) fn is_slow(&mut self, until: Timestamp) {
        self.slow_until = self.slow_until.max(until);
    }

    /// How long a sync takes now that takes so long otherwise.
    pub(crate) fn sync_takes(&self, now: Timestamp, wait: Millis) -> Millis {
        if now < self.slow_until { Millis::new(wait.get() * SLOWER) } else { wait }
    }

    /// The power goes: what was synced stays, and a drawn part of the rest.
    pub(crate) fn crash(&mut self) {
        let Self { disk, chance, .. } = self;
        disk.crash(|unsynced| {
            let steps = match unsynced {
                Unsynced::Names { steps } | Unsynced::Bytes { steps, .. } => steps,
            };
            match chance.below(4) {
                0 => Survivors::First(0),
                1 => Survivors::First(steps),
                2 => Survivors::First(chance.below(steps + 1)),
                _ => Survivors::Scattered(chance.below(u64::MAX)),
            }
        });
    }

    /// The process is gone. Its index is as it was last written, or is lost with it.
    pub(crate) fn leave(&mut self, index: Index) {
        let kept = self.chance.percent(60);
        self.saved = index.into_saved().filter(|_| kept);
    }

    /// The index to go on with: an empty one, if none was kept.
    pub(crate) fn take_index(&mut self) -> Index {
        self.saved.take().unwrap_or_default()
    }

    /// A byte of some file is not what was written any more. Where.
    pub(crate) fn rot(&mut self) -> Option<(String, usize)> {
        let names = self.disk.names();
        let name = self.chance.pick(&names).clone();
        let len = self.disk.bytes(&name).map_or(0, |bytes| bytes.len());
        let offset = usize::try_from(self.chance.below(len.max(1) as u64)).ok()?;
        let mask = 1 << self.chance.below(8);
        self.disk.flip(&name, offset, mask).then_some(())?;
        self.rotten.push((name.clone(), offset, mask));
        Some((name, offset))
    }

    /// An operator brings back what rotted, from a copy. False if nothing had.
    pub(crate) fn restore(&mut self) -> bool {
        let rotten = std::mem::take(&mut self.rotten);
        rotten.iter().for_each(|(name, offset, mask)| {
            self.disk.flip(name, *offset, *mask);
        });
        !rotten.is_empty()
    }

    /// A planted fault: nobody knows any more what has rotted.
    pub(crate) fn forget_rot(&mut self) {
        self.rotten.clear();
    }

    /// A number below `n`, from the stream of this disk.
    pub(crate) fn draw(&mut self, n: u64) -> u64 {
        self.chance.below(n)
    }

    pub(crate) fn folder(&self) -> Result<Folder, String> {
        Folder::open(Arc::new(self.disk.clone()), &self.format).map_err(|error| error.to_string())
    }
}

impl Book {
    /// Opens the journal; damage below the floor is an error, as a crash alone never makes any.
    pub(crate) fn open(folder: Folder, floor: u64) -> Result<Self, String> {
        let options = Options { floor: Position::new(floor), segment_bytes_max: SEGMENT_BYTES_MAX };
        let (journal, _) = Journal::open(&folder, &options).map_err(|error| error.to_string())?;
        Ok(Self { folder, journal })
    }

    pub(crate) fn register(&self, name: &str) -> Result<Register, String> {
        Register::open(&self.folder, name).map_err(|error| error.to_string())
    }

    /// Makes records durable, all or none. The power may go at every step.
    pub(crate) fn append(
        &mut self,
        hub: &mut Hub,
        who: Who,
        records: &[Vec<u8>],
    ) -> Result<Vec<Position>, NotKept> {
        let slices: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        hub.step(who)?;
        let positions = self.journal.append(&slices)?;
        hub.step(who)?;
        self.journal.sync().map_err(|error| Stopped::Ended(error.to_string()))?;
        hub.step(who)?;
        Ok(positions)
    }

    /// Every record, in order.
    pub(crate) fn records(&self) -> impl Iterator<Item = Result<Vec<u8>, String>> {
        self.journal
            .scan(Position::START)
            .map(|item| item.map(|(_, bytes)| bytes).map_err(|error| error.to_string()))
    }
}

impl From<Stopped> for NotKept {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

impl From<AppendError> for NotKept {
    fn from(error: AppendError) -> Self {
        match &error {
            AppendError::Disk(disk) if disk.is_full() => Self::Full,
            AppendError::RecordTooLong { .. }
            | AppendError::TooManyRecords { .. }
            | AppendError::BatchTooLong { .. } => Self::TooLong,
            AppendError::Poisoned | AppendError::TooManySegments | AppendError::Disk(_) => {
                Self::Stopped(Stopped::Ended(error.to_string()))
            }
        }
    }
}

impl Key {
    fn new(bytes: &[u8]) -> Self {
        let (start, rest) = bytes.split_at(bytes.len().min(size_of::<u128>()));
        let mut head = [0; size_of::<u128>()];
        head.iter_mut().zip(start).for_each(|(into, byte)| *into = *byte);
        let length = start.len() + usize::from(!rest.is_empty());
        let length = u8::try_from(length).unwrap_or(u8::MAX);
        Self { head: u128::from_be_bytes(head), length, rest: rest.to_vec() }
    }

    fn bytes(&self) -> Vec<u8> {
        let head = self.head.to_be_bytes();
        let start = head.get(..usize::from(self.length)).unwrap_or(&head);
        [start, &self.rest].concat()
    }
}

impl Stored for Index {
    fn read(&self, key: &[u8], take: &mut dyn FnMut(Option<&[u8]>)) {
        take(self.get(key).map(Vec::as_slice));
    }
}

impl Index {
    pub(crate) fn load(&self, keys: Vec<Vec<u8>>, view: &mut View) {
        for key in keys {
            let value = self.get(&key).cloned();
            view.load(key, value);
        }
    }

    fn get(&self, key: &[u8]) -> Option<&Vec<u8>> {
        self.tables.get(usize::from(*key.first()?))?.get(&Key::new(key))
    }

    /// Whether a table has anything.
    pub(crate) fn has(&self, table: u8) -> bool {
        self.count(table) > 0
    }

    /// What a table has.
    pub(crate) fn keys(&self, table: u8) -> BTreeSet<Vec<u8>> {
        self.of(table).into_iter().flat_map(BTreeMap::keys).map(Key::bytes).collect()
    }

    /// How much a table has.
    pub(crate) fn count(&self, table: u8) -> usize {
        self.of(table).map_or(0, BTreeMap::len)
    }

    fn of(&self, table: u8) -> Option<&Entries> {
        self.tables.get(usize::from(table))
    }

    fn replace(&mut self, key: &[u8], value: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let table = usize::from(*key.first()?);
        if self.tables.len() <= table {
            self.tables.resize_with(table + 1, Entries::new);
        }
        let entries = self.tables.get_mut(table)?;
        match value {
            Some(value) => entries.insert(Key::new(key), value),
            None => entries.remove(&Key::new(key)),
        }
    }

    /// Takes in what a batch of so many records and words has written.
    pub(crate) fn commit(&mut self, written: Values, records: usize, words: u64) {
        for (key, value) in written {
            let before = self.replace(&key, value);
            if let Some(saved) = &mut self.saved {
                saved.before.entry(key).or_insert(before);
            }
        }
        self.records += records;
        self.words += words;
        self.commits += 1;
        if self.commits.is_multiple_of(SAVED_EVERY) {
            let Self { records, words, .. } = *self;
            self.saved = Some(Saved { records, words, before: BTreeMap::new() });
        }
    }

    /// The index as it was last written to the disk.
    fn into_saved(mut self) -> Option<Self> {
        let Saved { records, words, before } = self.saved.take()?;
        for (key, value) in before {
            self.replace(&key, value);
        }
        Some(Self { records, words, tables: self.tables, ..Self::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::randomness::{Part, stream};

    #[test]
    fn a_copy_has_what_had_rotted_and_is_brought_back_by_itself() {
        let mut volume = Volume::new("test", [1; 32], stream(1, Part::Twin, 1));
        let bytes = |disk: &SimDisk| {
            disk.names().into_iter().map(|name| (name.clone(), disk.bytes(&name))).collect::<Vec<_>>()
        };
        let whole = bytes(&volume.disk);
        let (name, _) = (0..64).find_map(|_| volume.rot()).unwrap();
        let mut copy = volume.copy(stream(1, Part::Twin, 2));
        let mut taken = Volume::new("test", [1; 32], stream(1, Part::Twin, 3));
        taken.take_file(&name, &volume);
        for volume in [&mut volume, &mut copy, &mut taken] {
            assert!(bytes(&volume.disk) != whole && volume.restore(), "it has rotted");
            assert_eq!(bytes(&volume.disk), whole);
            assert!(!volume.restore(), "once");
        }
    }

    #[test]
    fn keys_are_in_order_and_keep_their_bytes() {
        let (short, long): (&[u8], &[u8]) = (&[3; 16], &[3; 40]);
        let keys = [&[], &[3][..], &[3, 0], &[3, 0, 0], &[3, 1], &[3, 3], short, &long[..17], long, &[4]];
        assert!(keys.is_sorted() && keys.map(Key::new).is_sorted(), "{keys:?}");
        assert!(keys.iter().all(|key| Key::new(key).bytes() == *key));
    }

    #[test]
    fn an_index_goes_back_to_how_it_was_when_it_was_last_written() {
        let (mut index, mut written) = (Index::default(), None);
        for batch in 1..=80_u8 {
            let gone = (batch > 9).then_some(batch % 9);
            let values = [(vec![batch % 7], Some(vec![batch])), (vec![100, batch], Some(vec![1]))];
            let values = values.into_iter().chain(gone.map(|gone| (vec![100, gone], None)));
            index.commit(values.collect(), 1, 2);
            if u64::from(batch).is_multiple_of(SAVED_EVERY) {
                written = Some((index.tables.clone(), index.records, index.words));
            }
            let saved = index.clone().into_saved();
            assert_eq!(saved.map(|saved| (saved.tables, saved.records, saved.words)), written);
        }
        assert!(written.is_some());
    }
}
