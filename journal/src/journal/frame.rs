//! How a batch lies in a segment: a frame, which is a header and the records, each with a header of its own.
//!
//! ```text
//! frame   magic u32 · records u32 · bytes of them u32 · number u64 · durable up to u64 · sum of their headers u32 · sum u32
//! record  length u32 · sum u32 · the record
//! ```
//!
//! Numbers are little-endian, sums are CRC-32C. The sums of a frame header and of a record begin with the folder's seed and the
//! position, so that bytes of another journal or another place never pass. A frame's sum covers the headers of its
//! records and through them every byte, and one record can be read and checked alone.

use crc32c::crc32c_append;

use super::Position;
use super::segment::Window;
use crate::disk::DiskError;
use crate::fields::{take_u32, take_u64};
use crate::limits::{BATCH_BYTES_MAX, RECORD_BYTES_MAX};

/// The length of a frame's header.
pub(super) const HEADER_BYTES: usize = 36;

/// The length of a record's header.
pub(super) const RECORD_HEADER_BYTES: usize = 8;

/// What a frame begins with; greater than any length, so that the first four bytes tell a frame from a record.
pub(super) const MAGIC: [u8; 4] = *b"YQF\xf7";

const _: () = assert!(u32::from_le_bytes(MAGIC) as usize > RECORD_BYTES_MAX);

/// The length of a header up to its own sum.
const SUMMED_BYTES: usize = HEADER_BYTES - 4;

/// What is known of a frame before its records.
pub(super) struct Start {
    pub(super) seed: u32,
    pub(super) at: Position,
    pub(super) number: u64,
    /// Up to where the journal was durable when this frame was written.
    pub(super) synced: Position,
}

/// The header of a frame that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    records: u32,
    bytes: u32,
    records_sum: u32,
    pub(super) number: u64,
    pub(super) synced: Position,
}

/// A record that was read.
pub(super) struct Record<'a> {
    header: [u8; RECORD_HEADER_BYTES],
    pub(super) bytes: &'a [u8],
}

impl Start {
    /// Puts the frame into `out` and answers where its records stand. The batch was checked against the limits.
    pub(super) fn encode(&self, records: &[&[u8]], out: &mut Vec<u8>) -> Vec<Position> {
        let mut next = self.at.plus(HEADER_BYTES as u64);
        let mut records_sum = 0;
        let mut heads = Vec::with_capacity(records.len());
        for record in records {
            let head = record_header(self.seed, next, record);
            records_sum = crc32c_append(records_sum, &head);
            heads.push((next, head));
            next = next.plus((RECORD_HEADER_BYTES + record.len()) as u64);
        }
        let bytes = records.iter().map(|record| RECORD_HEADER_BYTES + record.len()).sum();
        out.clear();
        out.extend(MAGIC);
        out.extend(bounded(records.len()).to_le_bytes());
        out.extend(bounded(bytes).to_le_bytes());
        out.extend(self.number.to_le_bytes());
        out.extend(self.synced.get().to_le_bytes());
        out.extend(records_sum.to_le_bytes());
        out.extend(header_sum(self.seed, self.at, out).to_le_bytes());
        for ((_, head), record) in heads.iter().zip(records) {
            out.extend(head);
            out.extend(*record);
        }
        heads.into_iter().map(|(at, _)| at).collect()
    }
}

impl Header {
    /// The header of a frame at `at`, if `bytes` begin with one.
    pub(super) fn decode(bytes: &[u8], seed: u32, at: Position) -> Option<Self> {
        let summed = bytes.get(..SUMMED_BYTES)?;
        let mut rest = bytes.strip_prefix(&MAGIC)?;
        let records = take_u32(&mut rest)?;
        let bytes = take_u32(&mut rest)?;
        let number = take_u64(&mut rest)?;
        let synced = Position::new(take_u64(&mut rest)?);
        let records_sum = take_u32(&mut rest)?;
        let sum = take_u32(&mut rest)?;
        (sum == header_sum(seed, at, summed) && bytes as usize <= BATCH_BYTES_MAX).then_some(Self {
            records,
            bytes,
            records_sum,
            number,
            synced,
        })
    }

    /// The length of the frame.
    pub(super) fn frame_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.bytes)
    }
}

impl Record<'_> {
    /// Where the record that stands at `at` ends.
    pub(super) fn end(&self, at: Position) -> Position {
        at.plus((RECORD_HEADER_BYTES + self.bytes.len()) as u64)
    }
}

/// Reads and checks the whole frame at `at`; `None` if there is none.
pub(super) fn check(window: &mut Window, seed: u32, at: Position) -> Result<Option<Header>, DiskError> {
    let Some(header) = Header::decode(window.bytes(at, HEADER_BYTES)?, seed, at) else { return Ok(None) };
    let mut next = at.plus(HEADER_BYTES as u64);
    let mut records_sum = 0;
    for _ in 0..header.records {
        let Some(record) = record_at(window, seed, next)? else { return Ok(None) };
        records_sum = crc32c_append(records_sum, &record.header);
        next = record.end(next);
    }
    let whole = next == at.plus(header.frame_bytes()) && records_sum == header.records_sum;
    Ok(whole.then_some(header))
}

/// Reads and checks the record at `at`; `None` if there is none.
pub(super) fn record_at(
    window: &mut Window,
    seed: u32,
    at: Position,
) -> Result<Option<Record<'_>>, DiskError> {
    let mut head = window.bytes(at, RECORD_HEADER_BYTES)?;
    let Some(len) = take_u32(&mut head).map(|len| len as usize).filter(|len| *len <= RECORD_BYTES_MAX) else {
        return Ok(None);
    };
    let whole = window.bytes(at, RECORD_HEADER_BYTES + len)?;
    let Some((header, bytes)) = whole.split_first_chunk() else { return Ok(None) };
    let good = bytes.len() == len && *header == record_header(seed, at, bytes);
    Ok(good.then_some(Record { header: *header, bytes }))
}

fn record_header(seed: u32, at: Position, record: &[u8]) -> [u8; RECORD_HEADER_BYTES] {
    let len = bounded(record.len());
    let sum = crc32c_append(crc32c_append(seed, &at.get().to_le_bytes()), &len.to_le_bytes());
    (u64::from(crc32c_append(sum, record)) << 32 | u64::from(len)).to_le_bytes()
}

fn header_sum(seed: u32, at: Position, header: &[u8]) -> u32 {
    crc32c_append(crc32c_append(seed, &at.get().to_le_bytes()), header)
}

fn bounded(len: usize) -> u32 {
    u32::try_from(len).expect("a batch is shorter than 4 GiB")
}
