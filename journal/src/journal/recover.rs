//! Opening a journal: what is there, what a crash tore, and what is damage. The rules and their proof stand in the module above.
//!
//! Segments wholly below the floor are checked for being there, with good headers and no gap; their records are checked
//! when they are read, and by a [`Scan`](super::Scan) from the start. Not here: telling apart two histories of one folder whose
//! segments were mixed below the floor, as by restoring from two backups; the log's tree does that.

use thiserror::Error;

use super::segment::{self, Segment, Window};
use super::{Position, View, frame};
use crate::disk::DiskError;
use crate::folder::Folder;
use crate::limits::{SCAN_BYTES, SEGMENTS_MAX};

/// What opening found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// How many frames were read and checked.
    pub frames_checked: u64,
    /// What a crash had left unfinished.
    pub cut: Option<Cut>,
}

/// The unfinished tail that was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The segment file.
    pub file: String,
    /// Where the journal ends now.
    pub at: Position,
    /// How many bytes lay after it.
    pub bytes: u64,
}

/// Why a journal cannot be opened.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum OpenError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(
        "{file} is damaged at byte {offset}, position {at}, where it was durable before: \
         restore this file from a backup or another copy, or repair the journal"
    )]
    Damaged { file: String, offset: u64, at: Position },
    #[error(
        "positions {from} to {to} are missing: restore {file} from a backup or another copy if it is there, \
         or else the segment file before it"
    )]
    Missing { file: String, from: Position, to: Position },
    #[error("{file} belongs to another journal or has another name there: put the right file in its place")]
    Foreign { file: String },
    #[error(
        "{file} has segment version {found}, this program knows up to {known}: run the later version that wrote it"
    )]
    Newer { file: String, found: u32, known: u32 },
    #[error("there are {found} segments, more than {SEGMENTS_MAX}")]
    TooManySegments { found: usize },
}

/// Opens the segments, cuts a torn tail and makes the rest durable; answers with the number of the next frame.
pub(super) fn recover(folder: &Folder, floor: Position) -> Result<(View, u64, Recovery), OpenError> {
    let seed = folder.seed();
    let segments = open_segments(folder, floor)?;
    let found = check_frames(&segments, seed, floor)?;
    let end = found.end;
    let view = View::new(seed, segments, end);
    let last = view.last();
    let bytes = last.file_end()?.since(end);
    // A sync that failed before may have left the length, too, in memory alone: cut in any case.
    last.file.truncate(last.offset(end))?;
    write_again(last, found.durable, end)?;
    last.file.sync_data()?;
    folder.disk().sync_names()?;
    let cut = (bytes > 0).then(|| Cut { file: last.file.path().to_owned(), at: end, bytes });
    Ok((view, found.number, Recovery { frames_checked: found.frames, cut }))
}

/// All segments, with good headers and no gap; the first one is created if there is none.
fn open_segments(folder: &Folder, floor: Position) -> Result<Vec<Segment>, OpenError> {
    let bases: Vec<Position> = folder.disk().list()?.iter().filter_map(|name| segment::base(name)).collect();
    if bases.len() > SEGMENTS_MAX {
        return Err(OpenError::TooManySegments { found: bases.len() });
    }
    if bases.is_empty() && floor == Position::START {
        return Ok(vec![Segment::create(folder, Position::START, 0)?]);
    }
    let segments: Vec<_> = bases.iter().map(|base| Segment::open(folder, *base)).collect::<Result<_, _>>()?;
    let mut end = Position::START;
    let mut before: Option<&Segment> = None;
    for segment in &segments {
        if segment.base > end {
            return Err(missing(folder, end, segment.base));
        }
        if let Some(before) = before.filter(|_| segment.base < end) {
            return Err(damaged(before, segment.base));
        }
        end = segment.file_end()?;
        before = Some(segment);
    }
    if end < floor {
        return Err(missing(folder, end, floor));
    }
    Ok(segments)
}

/// What reading the frames found.
struct Found {
    end: Position,
    /// The number of the next frame.
    number: u64,
    frames: u64,
    /// Below this everything is proven to have been durable.
    durable: Position,
}

/// Checks every frame of the segment of the floor and of those after it.
fn check_frames(segments: &[Segment], seed: u32, floor: Position) -> Result<Found, OpenError> {
    let skipped = segments.partition_point(|segment| segment.base <= floor).saturating_sub(1);
    let mut found = Found { end: Position::START, number: 0, frames: 0, durable: floor };
    for (index, segment) in segments.iter().enumerate().skip(skipped) {
        if index > skipped && found.number != segment.first {
            return Err(damaged(segment, segment.base));
        }
        (found.end, found.number) = (segment.base, segment.first);
        let mut window = Window::new(segment.clone(), segment.file_end()?, SCAN_BYTES);
        check_segment(&mut window, seed, &mut found)?;
        if found.end == window.end() {
            continue;
        }
        let torn = index + 1 == segments.len() && found.end >= found.durable;
        if !torn || was_durable(&mut window, seed, found.end)? {
            return Err(damaged(segment, found.end));
        }
    }
    Ok(found)
}

/// Moves `found` over the whole frames of a segment.
fn check_segment(window: &mut Window, seed: u32, found: &mut Found) -> Result<(), DiskError> {
    found.durable = found.durable.max(window.segment.base);
    while found.end < window.end() {
        let header = frame::check(window, seed, found.end)?;
        let Some(header) = header.filter(|header| header.number == found.number) else { break };
        found.end = found.end.plus(header.frame_bytes());
        found.durable = found.durable.max(header.synced);
        found.number += 1;
        found.frames += 1;
    }
    Ok(())
}

/// Whether any frame header after `bad` says that the journal was once durable beyond it.
fn was_durable(window: &mut Window, seed: u32, bad: Position) -> Result<bool, DiskError> {
    let mut at = bad;
    while at < window.end() {
        if let Some(header) = frame::Header::decode(window.bytes(at, frame::HEADER_BYTES)?, seed, at) {
            if header.synced > bad {
                return Ok(true);
            }
            at = at.plus(header.frame_bytes());
            continue;
        }
        at = at.plus(1);
        let held = window.held(at, frame::MAGIC.len())?;
        let skip = held.windows(frame::MAGIC.len()).position(|four| four == frame::MAGIC);
        at = at.plus(skip.unwrap_or(held.len().saturating_sub(frame::MAGIC.len() - 1)) as u64);
    }
    Ok(false)
}

/// Writes what a failed sync may have left in memory alone, so that the next sync is about these bytes.
fn write_again(last: &Segment, from: Position, end: Position) -> Result<(), DiskError> {
    let mut window = Window::new(last.clone(), end, SCAN_BYTES);
    let mut at = from.max(last.base);
    while at < end {
        let bytes = window.bytes(at, SCAN_BYTES)?;
        last.file.write_at(last.offset(at), bytes)?;
        at = at.plus(bytes.len().max(1) as u64);
    }
    Ok(())
}

fn missing(folder: &Folder, from: Position, to: Position) -> OpenError {
    OpenError::Missing { file: segment::path(folder, &segment::name(from)), from, to }
}

fn damaged(segment: &Segment, at: Position) -> OpenError {
    OpenError::Damaged { file: segment.file.path().to_owned(), offset: segment.offset(at), at }
}
