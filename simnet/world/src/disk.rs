//! The disk of a process: a folder with a journal that loses and tears what the world draws, and the index, which lives in
//! memory and is gone with the process.

use std::collections::BTreeMap;
use std::sync::Arc;

use yiqiao_journal::journal::AppendError;
use yiqiao_journal::sim::{SimDisk, Survivors, Unsynced};
use yiqiao_journal::view::View;
use yiqiao_journal::{Folder, Format, Journal, Options, Position, Register};
use yiqiao_simnet::chance::Chance;

use crate::hub::{Hub, Stopped};
use crate::limits::SEGMENT_BYTES_MAX;
use crate::network::Who;

/// A folder on a disk in memory.
#[derive(Debug)]
pub(crate) struct Volume {
    pub(crate) disk: SimDisk,
    format: Format,
    chance: Chance,
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

/// The index of a process.
#[derive(Debug, Default)]
pub(crate) struct Index(BTreeMap<Vec<u8>, Vec<u8>>);

impl Volume {
    pub(crate) fn new(kind: &'static str, id: [u8; 32], chance: Chance) -> Self {
        let disk = SimDisk::new();
        let format = Format::new(kind, 1, "0.1.0");
        Folder::create(Arc::new(disk.clone()), &format, id).expect("an empty disk takes a folder");
        Self { disk, format, chance }
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

impl Index {
    pub(crate) fn load(&self, keys: Vec<Vec<u8>>, view: &mut View) {
        for key in keys {
            let value = self.0.get(&key).cloned();
            view.load(key, value);
        }
    }

    pub(crate) fn commit(&mut self, written: BTreeMap<Vec<u8>, Vec<u8>>) {
        self.0.extend(written);
    }
}
