//! Segment files: how they are named, how they begin, and reading them.
//!
//! ```text
//! header  magic [8] · version u32 · kind [16] · folder's id [32] · base u64 · number of the first frame u64 · sum u32
//! ```
//!
//! Magic, version, length and sum of the header stay in all versions, so that a newer file is told from a damaged one.

use std::io;
use std::sync::Arc;

use crc32c::crc32c;

use super::{OpenError, Position};
use crate::disk::{DiskError, File, Operation, write_atomic};
use crate::fields::{take, take_u32, take_u64};
use crate::folder::Folder;
use crate::limits::KIND_BYTES_MAX;

/// The length of a segment's header. Positions do not count it.
pub(super) const HEADER_BYTES: usize = 80;

const MAGIC: [u8; 8] = *b"yqjrnl\r\n";
const VERSION: u32 = 1;
const SUFFIX: &str = ".segment";
const SUMMED_BYTES: usize = HEADER_BYTES - 4;

/// One segment file.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// The position of its first frame.
    pub(super) base: Position,
    /// The number of its first frame.
    pub(super) first: u64,
    pub(super) file: Arc<dyn File>,
}

impl Segment {
    /// Adds an empty segment, durably. The one before it was synced.
    pub(super) fn create(folder: &Folder, base: Position, first: u64) -> Result<Self, DiskError> {
        let name = name(base);
        write_atomic(folder.disk(), &name, &header(folder, base, first))?;
        Self::file(folder, &name).map(|file| Self { base, first, file })
    }

    /// Opens a segment and checks its header.
    pub(super) fn open(folder: &Folder, base: Position) -> Result<Self, OpenError> {
        let file = Self::file(folder, &name(base))?;
        let mut bytes = [0; HEADER_BYTES];
        let path = file.path().to_owned();
        if file.read_at(0, &mut bytes)? < bytes.len() {
            return Err(OpenError::Damaged { file: path, offset: 0, at: base });
        }
        let Some(header) = Header::decode(&bytes) else {
            return Err(OpenError::Damaged { file: path, offset: 0, at: base });
        };
        if header.version > VERSION {
            return Err(OpenError::Newer { file: path, found: header.version, known: VERSION });
        }
        if header.id != *folder.id() || header.kind != kind(folder) || header.base != base {
            return Err(OpenError::Foreign { file: path });
        }
        Ok(Self { base, first: header.first, file })
    }

    /// Where a position lies in the file.
    pub(super) fn offset(&self, at: Position) -> u64 {
        at.since(self.base).saturating_add(HEADER_BYTES as u64)
    }

    /// The position at which the file ends.
    pub(super) fn file_end(&self) -> Result<Position, DiskError> {
        Ok(self.base.plus(self.file.size()?.saturating_sub(HEADER_BYTES as u64)))
    }

    fn file(folder: &Folder, name: &str) -> Result<Arc<dyn File>, DiskError> {
        folder.disk().open(name)?.ok_or_else(|| DiskError {
            operation: Operation::Open,
            path: path(folder, name),
            cause: io::ErrorKind::NotFound.into(),
        })
    }
}

/// Where a file of a folder is, for messages.
pub(super) fn path(folder: &Folder, name: &str) -> String {
    format!("{}/{name}", folder.disk().path())
}

/// The name of the segment that begins at `base`.
pub(super) fn name(base: Position) -> String {
    format!("{:016x}{SUFFIX}", base.get())
}

/// The position at which the segment of this name begins, if it is the name of one.
pub(super) fn base(file: &str) -> Option<Position> {
    let base = u64::from_str_radix(file.strip_suffix(SUFFIX)?, 16).ok().map(Position::new)?;
    (name(base) == file).then_some(base)
}

struct Header {
    version: u32,
    kind: [u8; KIND_BYTES_MAX],
    id: [u8; 32],
    base: Position,
    first: u64,
}

impl Header {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let summed = bytes.get(..SUMMED_BYTES)?;
        let mut rest = bytes.strip_prefix(&MAGIC)?;
        let header = Self {
            version: take_u32(&mut rest)?,
            kind: take(&mut rest)?,
            id: take(&mut rest)?,
            base: Position::new(take_u64(&mut rest)?),
            first: take_u64(&mut rest)?,
        };
        (take_u32(&mut rest)? == crc32c(summed)).then_some(header)
    }
}

fn header(folder: &Folder, base: Position, first: u64) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend(VERSION.to_le_bytes());
    out.extend(kind(folder));
    out.extend(folder.id());
    out.extend(base.get().to_le_bytes());
    out.extend(first.to_le_bytes());
    out.extend(crc32c(&out).to_le_bytes());
    out
}

/// The kind of the folder, filled up with zeros.
fn kind(folder: &Folder) -> [u8; KIND_BYTES_MAX] {
    let mut kind = [0; KIND_BYTES_MAX];
    for (into, byte) in kind.iter_mut().zip(folder.kind().bytes()) {
        *into = byte;
    }
    kind
}

/// A part of a segment in memory, which follows the reads: no more than a record or what is read ahead.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) segment: Segment,
    end: Position,
    ahead: usize,
    start: Position,
    bytes: Vec<u8>,
}

impl Window {
    /// Reads a segment up to `end`, `ahead` bytes at once.
    pub(super) fn new(segment: Segment, end: Position, ahead: usize) -> Self {
        Self { start: segment.base, segment, end, ahead, bytes: Vec::new() }
    }

    /// `len` bytes at `at`; fewer only where the segment ends.
    pub(super) fn bytes(&mut self, at: Position, len: usize) -> Result<&[u8], DiskError> {
        let held = self.held(at, len)?;
        Ok(held.get(..len).unwrap_or(held))
    }

    /// What is in memory from `at` on, after reading so that this is at least `len` bytes; fewer only where the segment ends.
    pub(super) fn held(&mut self, at: Position, len: usize) -> Result<&[u8], DiskError> {
        let len = self.clip(at, len);
        if at < self.start || at.plus(len as u64) > self.start.plus(self.bytes.len() as u64) {
            self.bytes.resize(self.clip(at, len.max(self.ahead)), 0);
            self.start = at;
            let read = self.segment.file.read_at(self.segment.offset(at), &mut self.bytes)?;
            self.bytes.truncate(read);
        }
        let skip = usize::try_from(at.since(self.start)).ok();
        Ok(skip.and_then(|skip| self.bytes.get(skip..)).unwrap_or_default())
    }

    pub(super) fn end(&self) -> Position {
        self.end
    }

    fn clip(&self, at: Position, len: usize) -> usize {
        usize::try_from(self.end.since(at)).unwrap_or(usize::MAX).min(len)
    }
}
