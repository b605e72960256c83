//! An append-only log of batches of records, in segment files.
//!
//! [`Journal::append`] writes one batch as one frame; [`Journal::sync`] makes all frames so far durable. After a crash the journal is a
//! prefix of the batches that were appended, with at least all that was synced, and never a part of a batch.
//!
//! # What recovery may cut
//!
//! Only bytes that were never durable may be cut; cutting others would lose what was answered for. Three facts prove
//! that the bytes below some position were durable:
//!
//! 1. the *floor*, which the caller kept durably elsewhere, such as the end of its last signed checkpoint;
//! 2. a *later segment*: a segment is created only after the one before it was synced, and appears only with its header durable;
//! 3. a *later frame header*: each says up to where the journal was durable when the frame was written.
//!
//! A bad frame that lies below such a position is damage: opening is refused, and the file, the offset and the remedy are named. So a
//! crash alone never causes a refusal. A bad frame at or above all of them is cut with what follows it, even if good frames
//! follow: devices write the sectors of one unsynced region in any order, so that such frames are what an honest crash leaves.
//!
//! What cannot be proven: if *all* that lies beyond some point above the floor is damaged or lost later, be it the frames of the last
//! sync or the last file, that looks like a torn tail. [`Recovery::cut`] reports what was cut. A caller for whom this matters
//! raises the floor after each sync.
//!
//! # After a failed sync
//!
//! The system may have dropped the unsynced bytes and may still show them to reads, and a second sync may succeed without writing them. So
//! a failed sync poisons the journal: until it is opened again it only reads what was synced before. Opening writes everything
//! above the highest proven position once more, the same bytes in the same place, before it syncs, and takes nothing from a read alone.
//!
//! Not here: removing old segments, what a record means, and repair, which is a person's decision.

mod frame;
mod recover;
mod segment;
mod view;

use core::fmt;

use thiserror::Error;

use crate::disk::DiskError;
use crate::folder::Folder;
use crate::limits::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, RECORD_BYTES_MAX, SEGMENT_BYTES_MAX, SEGMENTS_MAX};
pub use recover::{Cut, OpenError, Recovery};
use segment::Segment;
pub use view::{ReadError, Scan, View};

/// A place in a journal: of a record, or an end. Ordered, and the same for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

/// How a journal is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What the caller knows to be durable: a [`Journal::synced_end`] that it keeps durably elsewhere, or [`Position::START`].
    pub floor: Position,
    /// When a segment of this length is followed by another, in bytes. Opening reads the last one; 1 GiB is a good choice.
    pub segment_bytes_max: u64,
}

/// The writing end of a journal; see the module.
#[derive(Debug)]
pub struct Journal {
    folder: Folder,
    view: View,
    synced: Position,
    /// The number of the next frame.
    number: u64,
    poisoned: bool,
    segment_bytes_max: u64,
    scratch: Vec<u8>,
}

/// Why a batch was not appended. Unless the journal is poisoned now, it is as it was before.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum AppendError {
    #[error("a sync failed before: open the journal again")]
    Poisoned,
    #[error("record {index} has {bytes} bytes, more than {RECORD_BYTES_MAX}")]
    RecordTooLong { index: usize, bytes: usize },
    #[error("the batch has {records} records, more than {BATCH_RECORDS_MAX}: split it")]
    TooManyRecords { records: usize },
    #[error("the batch has {bytes} bytes, more than {BATCH_BYTES_MAX}: split it")]
    BatchTooLong { bytes: usize },
    #[error("the journal has {SEGMENTS_MAX} segments, the most there may be: configure longer ones")]
    TooManySegments,
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Why it is unknown what is durable.
#[derive(Debug, Error)]
pub enum SyncError {
    /// A sync failed before.
    #[error("a sync failed before: open the journal again")]
    Poisoned,
    /// The device refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Position {
    /// Where a journal begins.
    pub const START: Self = Self(0);

    /// The position that [`Position::get`] gave.
    pub const fn new(position: u64) -> Self {
        Self(position)
    }

    /// As a number, to store it.
    pub const fn get(self) -> u64 {
        self.0
    }

    const fn plus(self, bytes: u64) -> Self {
        Self(self.0.saturating_add(bytes))
    }

    const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Journal {
    /// Opens the journal of a folder, or begins it. What it then holds is durable.
    ///
    /// # Errors
    /// If what was durable is damaged or missing, and in what else [`OpenError`] lists. Nothing is changed then but what a crash left unfinished.
    pub fn open(folder: &Folder, options: &Options) -> Result<(Self, Recovery), OpenError> {
        let (view, number, recovery) = recover::recover(folder, options.floor)?;
        let journal = Self {
            folder: folder.clone(),
            synced: view.end(),
            view,
            number,
            poisoned: false,
            segment_bytes_max: options.segment_bytes_max.min(SEGMENT_BYTES_MAX),
            scratch: Vec::new(),
        };
        Ok((journal, recovery))
    }

    /// Appends a batch, whole or not at all, and answers where its records stand. Durable after the next [`Journal::sync`].
    ///
    /// # Errors
    /// If the batch is too large, the disk is full or refuses, or a sync failed before. Unless the journal is
    /// poisoned, nothing of the batch is kept, not even after a crash, and a later call may succeed.
    pub fn append(&mut self, records: &[&[u8]]) -> Result<Vec<Position>, AppendError> {
        if self.poisoned {
            return Err(AppendError::Poisoned);
        }
        let bytes = frame::HEADER_BYTES + check_batch(records)?;
        if records.is_empty() {
            return Ok(Vec::new());
        }
        self.make_room(bytes as u64)?;
        let end = self.view.end();
        let mut frame = core::mem::take(&mut self.scratch);
        let start =
            frame::Start { seed: self.view.seed(), at: end, number: self.number, synced: self.synced };
        let positions = start.encode(records, &mut frame);
        let written = self.write(end, &frame);
        self.scratch = frame;
        written?;
        self.view.extend(bytes as u64);
        self.number += 1;
        Ok(positions)
    }

    /// Makes every batch so far durable.
    ///
    /// # Errors
    /// If the device refuses, now or before: the journal is then poisoned until it is opened again.
    pub fn sync(&mut self) -> Result<(), SyncError> {
        if self.poisoned {
            return Err(SyncError::Poisoned);
        }
        if self.synced < self.view.end() {
            if let Err(error) = self.view.last().file.sync_data() {
                self.poison();
                return Err(error.into());
            }
            self.synced = self.view.end();
        }
        Ok(())
    }

    /// The record at a position that [`Journal::append`] or a [`Scan`] gave.
    ///
    /// # Errors
    /// If there is none, or it is damaged.
    pub fn read(&self, at: Position) -> Result<Vec<u8>, ReadError> {
        self.view.read(at)
    }

    /// All records from a position on: of a record, or an end.
    pub fn scan(&self, from: Position) -> Scan {
        self.view.scan(from)
    }

    /// What the journal holds now, synced or not, to be read by other threads.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// Where the next batch will stand.
    pub fn end(&self) -> Position {
        self.view.end()
    }

    /// Up to where everything is durable.
    pub fn synced_end(&self) -> Position {
        self.synced
    }

    /// Begins another segment if the last one has frames and no room for one more of this length.
    fn make_room(&mut self, frame_bytes: u64) -> Result<(), AppendError> {
        let used = self.view.end().since(self.view.last().base);
        if used == 0 || used.saturating_add(frame_bytes) <= self.segment_bytes_max {
            return Ok(());
        }
        if self.view.segments() >= SEGMENTS_MAX {
            return Err(AppendError::TooManySegments);
        }
        self.sync().map_err(|error| match error {
            SyncError::Poisoned => AppendError::Poisoned,
            SyncError::Disk(error) => AppendError::Disk(error),
        })?;
        match Segment::create(&self.folder, self.view.end(), self.number) {
            Ok(segment) => self.view.push(segment),
            // A full disk has created nothing. After any other failure the segment may be there, and the one before must not grow.
            Err(error) => {
                if error.is_sync() || !error.is_full() {
                    self.poison();
                }
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Writes a frame at the end, or durably nothing.
    fn write(&mut self, end: Position, frame: &[u8]) -> Result<(), DiskError> {
        let segment = self.view.last();
        let offset = segment.offset(end);
        let Err(failed) = segment.file.write_at(offset, frame) else { return Ok(()) };
        match segment.file.truncate(offset).and_then(|()| segment.file.sync_data()) {
            Ok(()) => self.synced = end,
            Err(_) => self.poison(),
        }
        Err(failed)
    }

    fn poison(&mut self) {
        self.poisoned = true;
        self.view.cut(self.synced);
    }
}

/// The length of a batch: its records with their headers.
fn check_batch(records: &[&[u8]]) -> Result<usize, AppendError> {
    if records.len() > BATCH_RECORDS_MAX {
        return Err(AppendError::TooManyRecords { records: records.len() });
    }
    if let Some((index, record)) =
        records.iter().enumerate().find(|(_, record)| record.len() > RECORD_BYTES_MAX)
    {
        return Err(AppendError::RecordTooLong { index, bytes: record.len() });
    }
    let bytes = records.iter().map(|record| frame::RECORD_HEADER_BYTES + record.len()).sum();
    if bytes > BATCH_BYTES_MAX {
        return Err(AppendError::BatchTooLong { bytes });
    }
    Ok(bytes)
}
