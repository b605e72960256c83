//! MLLP framing: `0x0B message 0x1C 0x0D`, decoded from chunks of any size. Not here: sockets.
//!
//! Lenient where senders are: the final CR may be missing and blanks may stand between frames. Strict where a message
//! could be lost: an unfinished frame and one beyond the bound are errors, and what belongs to no frame is counted.

use core::ops::Range;

use crate::charset::Charset;

const START: u8 = 0x0B;
const END: u8 = 0x1C;
const CR: u8 = 0x0D;

/// A frame that cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// More bytes than allowed; the rest of the frame is skipped.
    #[error("an MLLP frame exceeds {limit} bytes: send a smaller message")]
    TooLong {
        /// The bound.
        limit: usize,
    },
    /// A frame began, and another frame or the end of the stream came before its end.
    #[error("an MLLP frame of {bytes} bytes has no end block 0x1C")]
    Unterminated {
        /// How many bytes came.
        bytes: usize,
    },
}

/// The state of one stream.
#[derive(Clone, PartialEq, Eq)]
pub struct Decoder {
    limit: usize,
    state: State,
    frame: Vec<u8>,
    stray: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Between,
    AfterEnd,
    Within,
    Skipping,
}

/// A message in its frame.
pub fn encode(message: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(message.len() + 3);
    frame.push(START);
    frame.extend_from_slice(message);
    frame.extend_from_slice(&[END, CR]);
    frame
}

/// The frames of a recorded stream: where each message stands, or where bytes stand that are in no whole frame.
pub fn locate(stream: &[u8]) -> Vec<Result<Range<usize>, Range<usize>>> {
    let mut decoder = Decoder::new(usize::MAX);
    let (mut found, mut loose) = (Vec::new(), 0);
    for (at, byte) in stream.iter().enumerate() {
        let began = decoder.is_within();
        match decoder.step(*byte) {
            Some(Ok(message)) => {
                // A wide frame ends at the second of its two end bytes.
                let end = if *byte == CR { at - 1 } else { at };
                found.push(Ok(end - message.len()..end));
                loose = at + 1;
            }
            Some(Err(_)) => {
                found.push(Err(loose..at));
                loose = at + 1;
            }
            None if !began && decoder.is_within() => {
                found.extend(loose_bytes(stream, loose..at));
                loose = at + 1;
            }
            None => {}
        }
    }
    found.extend(loose_bytes(stream, loose..stream.len()));
    found
}

/// Bytes outside of frames, unless they are blank.
fn loose_bytes(stream: &[u8], range: Range<usize>) -> Option<Result<Range<usize>, Range<usize>>> {
    let blank = stream.get(range.clone())?.iter().all(|b| b.is_ascii_whitespace() || *b == 0);
    (!blank).then_some(Err(range))
}

impl Decoder {
    /// A stream at its beginning, with the most bytes a message may have.
    pub const fn new(limit: usize) -> Self {
        Self { limit, state: State::Between, frame: Vec::new(), stray: 0 }
    }

    /// Takes the next bytes of the stream; returns the messages and errors that they complete, in order.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<Result<Vec<u8>, FrameError>> {
        chunk.iter().filter_map(|byte| self.step(*byte)).collect()
    }

    /// Bytes so far that belong to no frame, blanks aside: a sender that does not frame shows here.
    pub const fn stray(&self) -> u64 {
        self.stray
    }

    /// Whether a frame has begun and not ended: a deadline for the rest should run.
    pub fn is_within(&self) -> bool {
        self.state == State::Within
    }

    /// The stream ended.
    ///
    /// # Errors
    /// If it ended within a frame.
    pub fn finish(self) -> Result<(), FrameError> {
        if self.is_within() { Err(FrameError::Unterminated { bytes: self.frame.len() }) } else { Ok(()) }
    }

    fn step(&mut self, byte: u8) -> Option<Result<Vec<u8>, FrameError>> {
        match self.state {
            State::AfterEnd if byte == CR => {
                self.state = State::Between;
                None
            }
            State::Between | State::AfterEnd => {
                self.between(byte);
                None
            }
            State::Within => self.within(byte).transpose(),
            State::Skipping => {
                match byte {
                    START => self.state = State::Within,
                    END => self.state = State::AfterEnd,
                    _ => {}
                }
                None
            }
        }
    }

    fn between(&mut self, byte: u8) {
        if byte == START {
            self.state = State::Within;
        } else {
            self.state = State::Between;
            let blank = matches!(byte, b'\r' | b'\n' | b' ' | b'\t' | 0);
            self.stray = self.stray.saturating_add(u64::from(!blank));
        }
    }

    fn within(&mut self, byte: u8) -> Result<Option<Vec<u8>>, FrameError> {
        // UTF-16 has the framing bytes within characters (0x4E1C, 0x4E0B): only 1C 0D ends such a frame.
        let wide = Charset::detect_utf16(&self.frame).is_some();
        if wide && byte == CR && self.frame.last() == Some(&END) {
            self.frame.pop();
            self.state = State::Between;
            return Ok(Some(core::mem::take(&mut self.frame)));
        }
        if !wide && byte == END {
            self.state = State::AfterEnd;
            return Ok(Some(core::mem::take(&mut self.frame)));
        }
        if !wide && byte == START {
            let bytes = self.frame.len();
            self.frame.clear();
            return Err(FrameError::Unterminated { bytes });
        }
        if self.frame.len() >= self.limit {
            self.frame = Vec::new();
            self.state = State::Skipping;
            return Err(FrameError::TooLong { limit: self.limit });
        }
        self.frame.push(byte);
        Ok(None)
    }
}

impl core::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Decoder({:?}, {} bytes of {})", self.state, self.frame.len(), self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Frames = Vec<Result<Vec<u8>, FrameError>>;

    fn frames(stream: &[u8]) -> (Frames, Result<(), FrameError>) {
        let mut decoder = Decoder::new(16);
        let frames = decoder.push(stream);
        (frames, decoder.finish())
    }

    #[test]
    fn frames_come_out_as_they_went_in() {
        let stream = [encode(b"MSH|1"), encode("张三".as_bytes())].concat();
        assert_eq!(frames(&stream), (vec![Ok(b"MSH|1".to_vec()), Ok("张三".as_bytes().to_vec())], Ok(())));
    }

    #[test]
    fn a_missing_final_cr_and_blanks_between_frames_are_tolerated() {
        let (found, end) = frames(b"\x0bA\x1c\x0bB\x1c\r\n\n \x0bC\x1c");
        assert_eq!((found.len(), end), (3, Ok(())));
    }

    #[test]
    fn unfinished_frames_are_errors() {
        let (found, end) = frames(b"\x0bhalf\x0bwhole\x1c\r\x0brest");
        assert_eq!(found, [Err(FrameError::Unterminated { bytes: 4 }), Ok(b"whole".to_vec())]);
        assert_eq!(end, Err(FrameError::Unterminated { bytes: 4 }));
    }

    #[test]
    fn a_frame_beyond_the_bound_is_one_error_and_the_next_frame_is_read() {
        let (found, _) = frames(b"\x0bAAAAAAAAAAAAAAAAAAAAAAAAA\x1c\r\x0bB\x1c\r");
        assert_eq!(found, [Err(FrameError::TooLong { limit: 16 }), Ok(b"B".to_vec())]);
    }

    #[test]
    fn a_recorded_stream_loses_no_byte() {
        assert_eq!(locate(b"\x0bA\x1c\r\x0bBC\x1c"), [Ok(1..2), Ok(5..7)]);
        assert_eq!(locate(b"x\x0bA\x1c\r\ny\x0bhalf"), [Err(0..1), Ok(2..3), Err(4..7), Err(8..12)]);
    }

    #[test]
    fn what_is_not_framed_is_counted() {
        let mut decoder = Decoder::new(16);
        assert!(decoder.push(b"MSH|^~\r\n\x0bB\x1c\r").len() == 1);
        assert_eq!(decoder.stray(), 6);
    }

    #[test]
    fn framing_bytes_within_utf16_characters_end_nothing() {
        let mut message = vec![0xFF, 0xFE];
        message.extend(Charset::Utf16Le.encode("东下"));
        assert_eq!(frames(&encode(&message)), (vec![Ok(message)], Ok(())));
    }
}
