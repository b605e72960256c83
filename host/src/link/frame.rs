//! The bytes on the streams. Every frame is a length (32 bits, big endian, of what follows), a kind, and its fields; the
//! reader checks the length before it makes room. Longer messages travel as a first frame that says their whole
//! length and further pieces, so that others can go in between.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures::StreamExt;
use tokio::io::AsyncRead;
use tokio_util::codec::FramedRead;
use tokio_util::codec::length_delimited::{LengthDelimitedCodec, LengthDelimitedCodecError};

use super::error::{PeerFault, StreamEnd};
use super::limits::MESSAGE_BYTES_MAX;

/// What travels on a call stream. Requests go one way, everything else the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CallFrame {
    /// The side that answers takes requests now: its first frame.
    Hello,
    /// A request, or its first piece.
    Request { id: u64, method: u16, deadline_ms: u32, total: u32, piece: Bytes },
    /// A further piece of the request or answer of this id.
    More { id: u64, piece: Bytes },
    /// An answer, or its first piece.
    Answer { id: u64, total: u32, piece: Bytes },
    /// The service said no.
    Refused { id: u64, code: u16, detail: Bytes },
    /// The request did not get to an answer.
    Declined { id: u64, reason: Declined },
}

/// What travels on a pull stream: one `Ask`, then `Begin` and the body, or a no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PullFrame {
    Ask { request: Bytes },
    Begin { length: u64, header: Bytes },
    Chunk { bytes: Bytes },
    Stopped { code: u16 },
    Refused { code: u16, detail: Bytes },
    Declined { reason: Declined },
}

/// Why a request did not get to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Declined {
    Busy,
    AnswerTooLarge,
    Late,
    Failed,
}

const HELLO: u8 = 0;
const REQUEST: u8 = 1;
const MORE: u8 = 2;
const ANSWER: u8 = 3;
const REFUSED: u8 = 4;
const DECLINED: u8 = 5;
const ASK: u8 = 16;
const BEGIN: u8 = 17;
const CHUNK: u8 = 18;
const STOPPED: u8 = 19;

/// Length and kind: what stands before the bytes of a chunk.
pub(super) const CHUNK_HEAD_BYTES: usize = 5;

impl CallFrame {
    /// Reads the frame that follows a length.
    pub(super) fn decode(mut from: Bytes) -> Result<Self, PeerFault> {
        Ok(match u8_of(&mut from)? {
            HELLO => Self::Hello,
            REQUEST => Self::Request {
                id: u64_of(&mut from)?,
                method: u16_of(&mut from)?,
                deadline_ms: u32_of(&mut from)?,
                total: u32_of(&mut from)?,
                piece: from,
            },
            MORE => Self::More { id: u64_of(&mut from)?, piece: from },
            ANSWER => Self::Answer { id: u64_of(&mut from)?, total: u32_of(&mut from)?, piece: from },
            REFUSED => Self::Refused { id: u64_of(&mut from)?, code: u16_of(&mut from)?, detail: from },
            DECLINED => Self::Declined { id: u64_of(&mut from)?, reason: Declined::decode(&mut from)? },
            kind => return Err(PeerFault::UnknownKind { kind }),
        })
    }

    /// Appends the frame with its length.
    pub(super) fn encode(&self, to: &mut BytesMut) {
        framed(to, |to| match self {
            Self::Hello => to.put_u8(HELLO),
            Self::Request { id, method, deadline_ms, total, piece } => {
                to.put_u8(REQUEST);
                to.put_u64(*id);
                to.put_u16(*method);
                to.put_u32(*deadline_ms);
                to.put_u32(*total);
                to.put_slice(piece);
            }
            Self::More { id, piece } => {
                to.put_u8(MORE);
                to.put_u64(*id);
                to.put_slice(piece);
            }
            Self::Answer { id, total, piece } => {
                to.put_u8(ANSWER);
                to.put_u64(*id);
                to.put_u32(*total);
                to.put_slice(piece);
            }
            Self::Refused { id, code, detail } => {
                to.put_u8(REFUSED);
                to.put_u64(*id);
                to.put_u16(*code);
                to.put_slice(detail);
            }
            Self::Declined { id, reason } => {
                to.put_u8(DECLINED);
                to.put_u64(*id);
                to.put_u8(reason.code());
            }
        });
    }
}

impl PullFrame {
    /// Reads the frame that follows a length.
    pub(super) fn decode(mut from: Bytes) -> Result<Self, PeerFault> {
        Ok(match u8_of(&mut from)? {
            ASK => Self::Ask { request: from },
            BEGIN => Self::Begin { length: u64_of(&mut from)?, header: from },
            CHUNK => Self::Chunk { bytes: from },
            STOPPED => Self::Stopped { code: u16_of(&mut from)? },
            REFUSED => Self::Refused { code: u16_of(&mut from)?, detail: from },
            DECLINED => Self::Declined { reason: Declined::decode(&mut from)? },
            kind => return Err(PeerFault::UnknownKind { kind }),
        })
    }

    /// Appends the frame with its length.
    pub(super) fn encode(&self, to: &mut BytesMut) {
        framed(to, |to| match self {
            Self::Ask { request } => {
                to.put_u8(ASK);
                to.put_slice(request);
            }
            Self::Begin { length, header } => {
                to.put_u8(BEGIN);
                to.put_u64(*length);
                to.put_slice(header);
            }
            Self::Chunk { bytes } => {
                to.put_u8(CHUNK);
                to.put_slice(bytes);
            }
            Self::Stopped { code } => {
                to.put_u8(STOPPED);
                to.put_u16(*code);
            }
            Self::Refused { code, detail } => {
                to.put_u8(REFUSED);
                to.put_u16(*code);
                to.put_slice(detail);
            }
            Self::Declined { reason } => {
                to.put_u8(DECLINED);
                to.put_u8(reason.code());
            }
        });
    }
}

/// What stands before a chunk of so many bytes: the sender reads them right behind it, without another copy.
pub(super) fn chunk_head(bytes: u32) -> [u8; CHUNK_HEAD_BYTES] {
    let [a, b, c, d] = bytes.saturating_add(1).to_be_bytes();
    [a, b, c, d, CHUNK]
}

impl Declined {
    fn code(self) -> u8 {
        match self {
            Self::Busy => 0,
            Self::AnswerTooLarge => 1,
            Self::Late => 2,
            Self::Failed => 3,
        }
    }

    /// A reason of a later version is a failure like any other.
    fn decode(from: &mut Bytes) -> Result<Self, PeerFault> {
        Ok(match u8_of(from)? {
            0 => Self::Busy,
            1 => Self::AnswerTooLarge,
            2 => Self::Late,
            _ => Self::Failed,
        })
    }
}

/// Takes frames off a stream.
pub(super) struct Frames<R> {
    inner: FramedRead<R, LengthDelimitedCodec>,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    /// Frames of at most `limit` bytes each.
    pub(super) fn new(stream: R, limit: usize) -> Self {
        let codec = LengthDelimitedCodec::builder().max_frame_length(limit).new_codec();
        Self { inner: FramedRead::new(stream, codec) }
    }

    /// The next frame without its length. Nothing may be read after an error. Safe to cancel.
    pub(super) async fn next(&mut self) -> Result<Bytes, StreamEnd> {
        match self.inner.next().await {
            Some(Ok(frame)) => Ok(frame.freeze()),
            Some(Err(error)) if is_too_large(&error) => {
                let limit = self.inner.decoder().max_frame_length();
                Err(PeerFault::FrameTooLarge { limit }.into())
            }
            Some(Err(_)) | None => Err(StreamEnd::Closed),
        }
    }

    /// Sets another limit for the frames to come.
    pub(super) fn limit(&mut self, limit: usize) {
        self.inner.decoder_mut().set_max_frame_length(limit);
    }

    /// The stream, to write on.
    pub(super) fn stream(&mut self) -> &mut R {
        self.inner.get_mut()
    }
}

fn is_too_large(error: &std::io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<LengthDelimitedCodecError>()).is_some()
}

/// A message that arrives in pieces.
#[derive(Debug)]
pub(super) struct Assembly {
    total: usize,
    so_far: BytesMut,
}

/// What a piece made of a message.
#[derive(Debug)]
pub(super) enum Assembled {
    Whole(Bytes),
    Part(Assembly),
}

impl Assembly {
    /// Starts with the first piece; memory grows with what has come, not with what is announced.
    pub(super) fn start(total: u32, piece: Bytes) -> Result<Assembled, PeerFault> {
        let total = length_of(total)?;
        if piece.len() == total {
            return Ok(Assembled::Whole(piece));
        }
        Self { total, so_far: BytesMut::new() }.push(&piece)
    }

    /// Adds a piece.
    pub(super) fn push(mut self, piece: &[u8]) -> Result<Assembled, PeerFault> {
        if piece.len() > self.total.saturating_sub(self.so_far.len()) {
            return Err(PeerFault::BeyondLength);
        }
        self.so_far.extend_from_slice(piece);
        let whole = self.so_far.len() == self.total;
        Ok(if whole { Assembled::Whole(self.so_far.freeze()) } else { Assembled::Part(self) })
    }
}

/// An announced length, if a message may be so long.
pub(super) fn length_of(total: u32) -> Result<usize, PeerFault> {
    match usize::try_from(total) {
        Ok(length) if length <= MESSAGE_BYTES_MAX => Ok(length),
        Ok(_) | Err(_) => Err(PeerFault::MessageTooLarge { limit: MESSAGE_BYTES_MAX }),
    }
}

/// Writes a frame behind its length. All frames are far shorter than 4 GiB: their parts are bounded before.
fn framed(to: &mut BytesMut, fields: impl FnOnce(&mut BytesMut)) {
    let start = to.len();
    to.put_u32(0);
    fields(to);
    let length = u32::try_from(to.len() - start - 4).unwrap_or(u32::MAX);
    if let Some(head) = to.get_mut(start..start + 4) {
        head.copy_from_slice(&length.to_be_bytes());
    }
}

fn u8_of(from: &mut Bytes) -> Result<u8, PeerFault> {
    from.try_get_u8().map_err(|_| PeerFault::FrameTruncated)
}

fn u16_of(from: &mut Bytes) -> Result<u16, PeerFault> {
    from.try_get_u16().map_err(|_| PeerFault::FrameTruncated)
}

fn u32_of(from: &mut Bytes) -> Result<u32, PeerFault> {
    from.try_get_u32().map_err(|_| PeerFault::FrameTruncated)
}

fn u64_of(from: &mut Bytes) -> Result<u64, PeerFault> {
    from.try_get_u64().map_err(|_| PeerFault::FrameTruncated)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn call_frames() -> Vec<CallFrame> {
        let piece = Bytes::from_static(b"piece");
        let mut frames = vec![
            CallFrame::Hello,
            CallFrame::Request { id: 7, method: 3, deadline_ms: 9, total: 5, piece: piece.clone() },
            CallFrame::More { id: u64::MAX, piece: Bytes::new() },
            CallFrame::Answer { id: 0, total: 6, piece: piece.clone() },
            CallFrame::Refused { id: 1, code: 77, detail: piece },
        ];
        for reason in [Declined::Busy, Declined::AnswerTooLarge, Declined::Late, Declined::Failed] {
            frames.push(CallFrame::Declined { id: 2, reason });
        }
        frames
    }

    fn pull_frames() -> Vec<PullFrame> {
        let bytes = Bytes::from_static(b"bytes");
        vec![
            PullFrame::Ask { request: bytes.clone() },
            PullFrame::Begin { length: u64::MAX, header: bytes.clone() },
            PullFrame::Chunk { bytes: bytes.clone() },
            PullFrame::Stopped { code: 4 },
            PullFrame::Refused { code: 5, detail: bytes },
            PullFrame::Declined { reason: Declined::Busy },
        ]
    }

    async fn read_all(bytes: &[u8], limit: usize) -> (Vec<Bytes>, StreamEnd) {
        let mut frames = Frames::new(bytes, limit);
        let mut read = Vec::new();
        loop {
            match frames.next().await {
                Ok(frame) => read.push(frame),
                Err(end) => return (read, end),
            }
        }
    }

    #[tokio::test]
    async fn what_is_written_is_read() {
        let mut wire = BytesMut::new();
        call_frames().iter().for_each(|frame| frame.encode(&mut wire));
        let (read, end) = read_all(&wire, 1024).await;
        let read: Vec<_> = read.into_iter().map(|frame| CallFrame::decode(frame).unwrap()).collect();
        assert_eq!((read, end), (call_frames(), StreamEnd::Closed));

        let mut wire = BytesMut::new();
        pull_frames().iter().for_each(|frame| frame.encode(&mut wire));
        let (read, end) = read_all(&wire, 1024).await;
        let read: Vec<_> = read.into_iter().map(|frame| PullFrame::decode(frame).unwrap()).collect();
        assert_eq!((read, end), (pull_frames(), StreamEnd::Closed));
    }

    #[test]
    fn the_head_of_a_chunk_is_what_its_frame_starts_with() {
        let mut frame = BytesMut::new();
        PullFrame::Chunk { bytes: Bytes::from_static(b"abc") }.encode(&mut frame);
        assert_eq!(frame[..CHUNK_HEAD_BYTES], chunk_head(3));
    }

    #[tokio::test]
    async fn a_frame_is_refused_by_its_length_before_its_bytes_come() {
        let (read, end) = read_all(&[0, 0, 0, 101, 1], 100).await;
        assert!(read.is_empty());
        assert_eq!(end, StreamEnd::Fault(PeerFault::FrameTooLarge { limit: 100 }));
    }

    #[test]
    fn frames_cut_short_are_faults() {
        for frame in call_frames() {
            let mut wire = BytesMut::new();
            frame.encode(&mut wire);
            assert!(CallFrame::decode(Bytes::new()).is_err());
            for end in 4..wire.len() {
                let _ = CallFrame::decode(Bytes::copy_from_slice(&wire[4..end]));
            }
        }
        assert_eq!(PullFrame::decode(Bytes::from_static(&[STOPPED, 1])), Err(PeerFault::FrameTruncated));
        assert_eq!(CallFrame::decode(Bytes::from_static(&[99])), Err(PeerFault::UnknownKind { kind: 99 }));
    }

    #[test]
    fn pieces_make_up_the_message_and_never_more() {
        let Assembled::Part(part) = Assembly::start(5, Bytes::from_static(b"ab")).unwrap() else { panic!() };
        let Assembled::Part(part) = part.push(b"cd").unwrap() else { panic!() };
        let Assembled::Whole(whole) = part.push(b"e").unwrap() else { panic!() };
        assert_eq!(whole, "abcde");
        let beyond = Assembly::start(1, Bytes::from_static(b"ab"));
        assert_eq!(beyond.unwrap_err(), PeerFault::BeyondLength);
        let large = Assembly::start(u32::MAX, Bytes::new());
        assert_eq!(large.unwrap_err(), PeerFault::MessageTooLarge { limit: MESSAGE_BYTES_MAX });
    }

    proptest! {
        #[test]
        fn garbage_never_panics_and_what_decodes_encodes_to_the_same(bytes in vec(any::<u8>(), 0..200), kind in 0u8..21) {
            let mut with_kind = vec![kind];
            with_kind.extend_from_slice(&bytes);
            for input in [bytes, with_kind] {
                if let Ok(frame) = CallFrame::decode(Bytes::from(input.clone())) {
                    let mut wire = BytesMut::new();
                    frame.encode(&mut wire);
                    prop_assert_eq!(CallFrame::decode(wire.freeze().slice(4..)), Ok(frame));
                }
                if let Ok(frame) = PullFrame::decode(Bytes::from(input)) {
                    let mut wire = BytesMut::new();
                    frame.encode(&mut wire);
                    prop_assert_eq!(PullFrame::decode(wire.freeze().slice(4..)), Ok(frame));
                }
            }
        }

        #[test]
        fn a_stream_of_garbage_ends_and_no_frame_is_longer_than_its_limit(bytes in vec(any::<u8>(), 0..2000)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (read, _) = runtime.block_on(read_all(&bytes, 300));
            prop_assert!(read.iter().all(|frame| frame.len() <= 300));
        }

        #[test]
        fn any_pieces_are_put_together_or_refused(total in 0u32..64, pieces in vec(vec(any::<u8>(), 0..16), 1..10)) {
            let mut pieces = pieces.into_iter();
            let mut state = Assembly::start(total, Bytes::from(pieces.next().unwrap()));
            for piece in pieces {
                state = match state {
                    Ok(Assembled::Part(part)) => part.push(&piece),
                    done => done,
                };
            }
            if let Ok(Assembled::Whole(whole)) = state {
                prop_assert_eq!(whole.len(), total as usize);
            }
        }
    }
}
