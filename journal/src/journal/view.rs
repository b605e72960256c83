//! What a journal holds at some moment, for reading: clones are cheap, and other threads read them while batches are appended.

use std::sync::Arc;

use thiserror::Error;

use super::segment::{Segment, Window};
use super::{Position, frame};
use crate::disk::DiskError;
use crate::limits::{READ_BYTES, SCAN_BYTES};

/// What a journal holds at some moment.
#[derive(Clone, Debug)]
pub struct View {
    seed: u32,
    /// In order and without gaps; never empty.
    segments: Arc<Vec<Segment>>,
    end: Position,
}

/// Why there is no record to answer with.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ReadError {
    #[error("position {at} is beyond the end of the journal at {end}")]
    Beyond { at: Position, end: Position },
    #[error(
        "no whole record at byte {offset} of {file}, position {at}: \
         restore this file from a backup, unless the position is wrong"
    )]
    Damaged { file: String, offset: u64, at: Position },
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl View {
    pub(super) fn new(seed: u32, segments: Vec<Segment>, end: Position) -> Self {
        Self { seed, segments: Arc::new(segments), end }
    }

    /// The record at a position that an append or a scan gave; only its own bytes are read and checked.
    ///
    /// # Errors
    /// If there is none, or it is damaged.
    pub fn read(&self, at: Position) -> Result<Vec<u8>, ReadError> {
        let mut window = self.window(at, READ_BYTES)?;
        match frame::record_at(&mut window, self.seed, at)? {
            Some(record) => Ok(record.bytes.to_vec()),
            None => Err(damaged(&window, at)),
        }
    }

    /// All records from a position on: of a record, or an end. Beyond this end there is an error and no records.
    pub fn scan(&self, from: Position) -> Scan {
        Scan { view: self.clone(), window: None, next: from }
    }

    /// Where the view ends.
    pub fn end(&self) -> Position {
        self.end
    }

    pub(super) fn seed(&self) -> u32 {
        self.seed
    }

    pub(super) fn segments(&self) -> usize {
        self.segments.len()
    }

    pub(super) fn last(&self) -> &Segment {
        self.segments.last().expect("a view has a segment")
    }

    pub(super) fn push(&mut self, segment: Segment) {
        Arc::make_mut(&mut self.segments).push(segment);
    }

    pub(super) fn extend(&mut self, bytes: u64) {
        self.end = self.end.plus(bytes);
    }

    pub(super) fn cut(&mut self, end: Position) {
        self.end = end;
    }

    /// A window on the segment of a position.
    fn window(&self, at: Position, ahead: usize) -> Result<Window, ReadError> {
        let after = self.segments.partition_point(|segment| segment.base <= at);
        let segment = after.checked_sub(1).and_then(|last| self.segments.get(last));
        let Some(segment) = segment.filter(|_| at < self.end) else {
            return Err(ReadError::Beyond { at, end: self.end });
        };
        let end = self.segments.get(after).map_or(self.end, |next| next.base);
        Ok(Window::new(segment.clone(), end, ahead))
    }
}

/// The records of a journal in order, each checked; it ends after the first error.
#[derive(Debug)]
pub struct Scan {
    view: View,
    window: Option<Window>,
    next: Position,
}

impl Scan {
    fn record(&mut self) -> Result<Option<(Position, Vec<u8>)>, ReadError> {
        while self.next < self.view.end {
            let at = self.next;
            let mut window = match self.window.take() {
                Some(window) if at < window.end() => window,
                _ => self.view.window(at, SCAN_BYTES)?,
            };
            if window.bytes(at, frame::MAGIC.len())? == frame::MAGIC {
                let header =
                    frame::Header::decode(window.bytes(at, frame::HEADER_BYTES)?, self.view.seed, at);
                header.ok_or_else(|| damaged(&window, at))?;
                self.next = at.plus(frame::HEADER_BYTES as u64);
                self.window = Some(window);
                continue;
            }
            let Some(record) = frame::record_at(&mut window, self.view.seed, at)? else {
                return Err(damaged(&window, at));
            };
            self.next = record.end(at);
            let record = record.bytes.to_vec();
            self.window = Some(window);
            return Ok(Some((at, record)));
        }
        if self.next > self.view.end {
            return Err(ReadError::Beyond { at: self.next, end: self.view.end });
        }
        Ok(None)
    }
}

impl Iterator for Scan {
    type Item = Result<(Position, Vec<u8>), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.record().transpose();
        if matches!(record, Some(Err(_))) {
            self.next = self.view.end;
        }
        record
    }
}

fn damaged(window: &Window, at: Position) -> ReadError {
    let file = window.segment.file.path().to_owned();
    ReadError::Damaged { file, offset: window.segment.offset(at), at }
}
