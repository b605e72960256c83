//! A document that comes range by range (P-6): which chunks are asked for together, how a body is cut into them, and what the
//! machine is told if it does not come whole.
//!
//! Not here: whether a chunk is the listed one, which [`yiqiao_proto::sealed::Map`] says (Z-5); what is wanted at all:
//! [`crate::receive`].

use std::ops::Range;

use prost::Message;
use yiqiao_proto::calls::{RangeRequest, Refusal};
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::id::Digest;
use yiqiao_proto::limits::RANGE_CHUNKS_MAX;
use yiqiao_proto::sealed::Header;
use yiqiao_proto::time::Millis;

use crate::limits::{BUSY_WAIT_MAX, BUSY_WAIT_MIN, BUSY_WAITS_MAX};
use crate::machine::Input;

/// Chunks that are asked for together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The first of them.
    pub first_chunk: u64,
    /// How many there are.
    pub chunks: u32,
}

impl Stretch {
    /// The numbers of its chunks.
    pub fn numbers(self) -> Range<u64> {
        self.first_chunk..self.first_chunk.saturating_add(self.chunks.into())
    }

    /// How many bytes it has.
    pub fn sealed_bytes(self, header: &Header) -> u64 {
        self.numbers().map(|number| header.sealed_bytes(number) as u64).sum()
    }

    /// The bytes that ask for it; `request` is the hash of the request under which the document was released.
    pub fn request(self, request: &Digest) -> Vec<u8> {
        let Self { first_chunk, chunks } = self;
        RangeRequest { request: request.as_bytes().to_vec(), first_chunk, chunks }.encode_to_vec()
    }
}

/// How long until a range is asked for again that was refused, if it is: a holder that is busy, but not for ever. `tries` is how often it has
/// been asked for.
pub fn again(refusal: &Refusal, tries: u32) -> Option<Millis> {
    let is_asked = refusal.code == RefusalCode::Busy && tries < BUSY_WAITS_MAX;
    is_asked.then(|| refusal.retry_after.unwrap_or(BUSY_WAIT_MIN).clamp(BUSY_WAIT_MIN, BUSY_WAIT_MAX))
}

/// The chunks that are not here, ascending, in stretches of at most [`RANGE_CHUNKS_MAX`].
///
/// # Errors
/// What `is_here` fails with.
pub fn missing<E>(
    header: &Header,
    mut is_here: impl FnMut(u64) -> Result<bool, E>,
) -> Result<Vec<Stretch>, E> {
    let mut missing: Vec<Stretch> = Vec::new();
    for number in 0..header.chunks() {
        if is_here(number)? {
            continue;
        }
        match missing.last_mut() {
            Some(last) if last.numbers().end == number && last.chunks < RANGE_CHUNKS_MAX => last.chunks += 1,
            _ => missing.push(Stretch { first_chunk: number, chunks: 1 }),
        }
    }
    Ok(missing)
}

/// The body of a stretch, cut into its chunks as it comes.
#[derive(Debug)]
pub struct Chunks {
    header: Header,
    left: Range<u64>,
    bytes: Vec<u8>,
}

impl Chunks {
    /// Of a body that is to have this length; none if the stretch has another one.
    pub fn new(stretch: Stretch, header: &Header, length: u64) -> Option<Self> {
        let fits = stretch.sealed_bytes(header) == length;
        fits.then(|| Self { header: header.clone(), left: stretch.numbers(), bytes: Vec::new() })
    }

    /// Takes the next bytes of the body.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether every chunk was cut off.
    pub fn is_over(&self) -> bool {
        self.left.is_empty()
    }

    /// Cuts off the next chunk, if its bytes are there: its number, and its bytes, which are still to be verified.
    pub fn cut(&mut self) -> Option<(u64, Vec<u8>)> {
        let length = self.header.sealed_bytes(self.left.start);
        if self.is_over() || self.bytes.len() < length {
            return None;
        }
        let rest = self.bytes.split_off(length);
        Some((self.left.next()?, std::mem::replace(&mut self.bytes, rest)))
    }
}

/// Why a document did not come, as far as it matters to the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The holder refused.
    Refused(Refusal),
    /// Bytes came that are not the document's.
    OtherBytes,
    /// Header and chunk hashes are here no longer: the release is asked for again.
    NoMap,
    /// The holder stopped in the midst.
    Stopped,
    /// Anything that may be better the next time.
    Lost,
}

impl Broken {
    /// What it counts as; none if there was no answer to speak of.
    pub fn refusal(self) -> Option<Refusal> {
        let refused = |code, clause| Some(Refusal { code, clause, retry_after: None });
        match self {
            Self::Refused(refusal) => Some(refusal),
            // The holder's link is authentic, so they will not get better.
            Self::OtherBytes => refused(RefusalCode::Malformed, "Z-5"),
            Self::NoMap => refused(RefusalCode::Stale, "P-5"),
            Self::Stopped => refused(RefusalCode::Stopped, "P-6"),
            Self::Lost => None,
        }
    }
}

/// What the machine is told of a fetch that has ended: whole, each chunk verified, or not.
pub fn ended(ticket: u64, fetched: Result<(), Broken>) -> Input {
    match fetched {
        Ok(()) => Input::Fetched { ticket },
        Err(broken) => Input::Failed { ticket, refusal: broken.refusal() },
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use yiqiao_proto::entropy::Entropy;
    use yiqiao_proto::limits::CHUNK_BYTES;
    use zeroize::Zeroizing;

    use super::*;

    fn header(length: u64) -> Header {
        Header::new(&Zeroizing::new([1; 32]), length, &mut Entropy::new([2; 32])).unwrap()
    }

    const fn stretch(first_chunk: u64, chunks: u32) -> Stretch {
        Stretch { first_chunk, chunks }
    }

    #[test]
    fn p6_a_busy_holder_is_asked_again_not_too_soon_not_too_late_and_not_for_ever() {
        let busy = |ms: Option<u64>| Refusal {
            code: RefusalCode::Busy,
            clause: "P-6",
            retry_after: ms.map(Millis::new),
        };
        for (said, waited) in [(None, 50), (Some(0), 50), (Some(700), 700), (Some(3_600_000), 5_000)] {
            assert_eq!(again(&busy(said), 1), Some(Millis::new(waited)));
        }
        assert_eq!(again(&busy(None), BUSY_WAITS_MAX), None);
        assert_eq!(again(&Refusal { code: RefusalCode::OutOfOrder, ..busy(None) }, 1), None);
    }

    #[test]
    fn p6_what_is_missing_is_asked_for_in_stretches_of_sixteen_at_most() {
        let header = header(40 * u64::from(CHUNK_BYTES));
        let here = [3, 4, 30];
        let missing = missing(&header, |number| Ok::<_, Infallible>(here.contains(&number))).unwrap();
        let expected = [stretch(0, 3), stretch(5, 16), stretch(21, 9), stretch(31, 9)];
        assert_eq!(missing, expected);
        assert!(missing.iter().all(|stretch| stretch.chunks <= RANGE_CHUNKS_MAX));
    }

    #[test]
    fn p6_a_body_is_cut_into_its_chunks_however_it_comes() {
        let header = header(2 * u64::from(CHUNK_BYTES) + 5);
        let stretch = stretch(1, 2);
        let length = stretch.sealed_bytes(&header);
        let body: Vec<u8> = (0_u8..251).cycle().take(usize::try_from(length).unwrap()).collect();
        for piece in [1_000, 300_000, body.len()] {
            let mut chunks = Chunks::new(stretch, &header, length).unwrap();
            let mut cut = Vec::new();
            for bytes in body.chunks(piece) {
                chunks.push(bytes);
                cut.extend(std::iter::from_fn(|| chunks.cut()));
            }
            assert!(chunks.is_over() && chunks.cut().is_none());
            assert_eq!(cut.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2]);
            assert!(cut.iter().flat_map(|(_, bytes)| bytes).eq(&body));
        }
    }

    #[test]
    fn z5_a_body_of_another_length_is_not_the_documents() {
        let header = header(9);
        let length = stretch(0, 1).sealed_bytes(&header);
        for other in [0, length - 1, length + 1, u64::MAX] {
            assert!(Chunks::new(stretch(0, 1), &header, other).is_none());
        }
        let refusal = Broken::OtherBytes.refusal().unwrap();
        assert_eq!((refusal.code, refusal.clause), (RefusalCode::Malformed, "Z-5"));
    }
}
