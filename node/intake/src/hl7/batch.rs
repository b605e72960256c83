//! Several messages in one input: FHS/BHS envelopes, or simply one MSH after the other.
//!
//! Every byte belongs to one piece, so that nothing is lost silently.

use core::ops::Range;

use crate::charset::{self, Charset};
use crate::flag::Flags;

/// A piece of an input, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// One message, from its MSH to the next.
    Message(Range<usize>),
    /// Bytes before the first message that are no batch envelope.
    Stray(Range<usize>),
}

/// The pieces of an input, and the number of messages that its trailer claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The pieces.
    pub pieces: Vec<Piece>,
    /// Sum of BTS-1 over the batches, if all say it.
    pub claimed: Option<usize>,
}

/// Parts an input into messages. Envelope segments belong to none.
pub fn split(input: &[u8]) -> Batch {
    let lines = lines(input);
    let mut pieces = Vec::new();
    let mut claims = Vec::new();
    let mut open: Option<Range<usize>> = None;
    for line in lines {
        match line.name {
            Some("MSH") => {
                pieces.extend(open.replace(line.range).map(piece(input)));
            }
            Some("FHS" | "BHS" | "FTS") => pieces.extend(open.take().map(piece(input))),
            Some("BTS") => {
                claims.push(line.count);
                pieces.extend(open.take().map(piece(input)));
            }
            _ => match &mut open {
                Some(range) => range.end = line.range.end,
                None => open = Some(line.range),
            },
        }
    }
    pieces.extend(open.map(piece(input)));
    pieces.retain(|piece| !matches!(piece, Piece::Stray(range) if is_blank(input.get(range.clone()))));
    let claimed = if claims.is_empty() { None } else { claims.into_iter().sum() };
    Batch { pieces, claimed }
}

struct Line {
    range: Range<usize>,
    name: Option<&'static str>,
    count: Option<usize>,
}

fn piece(input: &[u8]) -> impl Fn(Range<usize>) -> Piece {
    |range| {
        let starts = name_of(input.get(range.clone()).unwrap_or(&[])) == Some("MSH");
        let wide = Charset::detect_utf16(input).is_some();
        if starts || (wide && is_wide_message(input, &range)) {
            Piece::Message(range)
        } else {
            Piece::Stray(range)
        }
    }
}

/// The lines of an input. CR and LF are never the second byte of a GB18030 character, so bytes serve.
fn lines(input: &[u8]) -> Vec<Line> {
    if let Some(charset) = Charset::detect_utf16(input) {
        return wide_lines(input, charset);
    }
    let mut at = 0;
    let by_line = input.split_inclusive(|b| matches!(b, b'\r' | b'\n'));
    by_line
        .map(|line| {
            let range = at..at + line.len();
            at = range.end;
            Line { range, name: name_of(line), count: count_of(line) }
        })
        .collect()
}

fn wide_lines(input: &[u8], charset: Charset) -> Vec<Line> {
    let text = charset::decode(input, None, &mut Flags::none()).text;
    let marked = matches!(input.first_chunk::<2>(), Some([0xFF, 0xFE] | [0xFE, 0xFF]));
    let mut at = 0;
    let by_line = text.split_inclusive(['\r', '\n']).enumerate();
    by_line
        .map(|(nth, line)| {
            let mark = if nth == 0 && marked { 2 } else { 0 };
            let end = at + mark + charset.encode(line).len();
            let range = at..end.min(input.len());
            at = end;
            Line { range, name: name_of(line.as_bytes()), count: count_of(line.as_bytes()) }
        })
        .collect()
}

fn is_wide_message(input: &[u8], range: &Range<usize>) -> bool {
    let bytes: Vec<u8> =
        input.get(range.clone()).unwrap_or(&[]).iter().copied().filter(|b| *b != 0).take(16).collect();
    let bytes =
        bytes.strip_prefix(&[0xFF, 0xFE]).or_else(|| bytes.strip_prefix(&[0xFE, 0xFF])).unwrap_or(&bytes);
    name_of(bytes) == Some("MSH")
}

/// The name of a header or trailer segment, after a byte order mark, a frame start or blanks.
fn name_of(line: &[u8]) -> Option<&'static str> {
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    let start = line.iter().position(|b| !matches!(b, 0x0B | b' ' | b'\t'))?;
    let name = line.get(start..)?.first_chunk::<3>()?;
    let known = ["MSH", "FHS", "BHS", "BTS", "FTS"].into_iter().find(|known| known.as_bytes() == name)?;
    let parted = line.get(start + 3).is_none_or(|b| !b.is_ascii_alphanumeric());
    parted.then_some(known)
}

/// BTS-1: how many messages the batch should have.
fn count_of(line: &[u8]) -> Option<usize> {
    let line = core::str::from_utf8(line).ok()?.trim();
    let rest = line.strip_prefix("BTS")?;
    let separator = rest.chars().next()?;
    rest.split(separator).nth(1)?.trim().parse().ok()
}

fn is_blank(bytes: Option<&[u8]>) -> bool {
    bytes
        .unwrap_or(&[])
        .iter()
        .all(|b| b.is_ascii_whitespace() || matches!(b, 0x0B | 0x1C | 0x1A | 0xEF | 0xBB | 0xBF | 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(input: &str) -> Vec<String> {
        let batch = split(input.as_bytes());
        let pieces = batch.pieces.into_iter().map(|piece| match piece {
            Piece::Message(range) => input.get(range).unwrap().trim_end().to_owned(),
            Piece::Stray(range) => format!("stray {}", input.get(range).unwrap()),
        });
        pieces.collect()
    }

    #[test]
    fn messages_are_found_with_and_without_an_envelope() {
        let plain = "MSH|1\rPID|a\r\nMSH|2\rPID|b\n";
        assert_eq!(messages(plain), ["MSH|1\rPID|a", "MSH|2\rPID|b"]);
        let enveloped = "FHS|^~\\&\rBHS|^~\\&\rMSH|1\rPID|a\rMSH|2\rBTS|2\rFTS|1\r";
        assert_eq!(messages(enveloped), ["MSH|1\rPID|a", "MSH|2"]);
        assert_eq!(split(enveloped.as_bytes()).claimed, Some(2));
    }

    #[test]
    fn what_belongs_to_no_message_is_shown() {
        assert_eq!(messages("hello\rMSH|1\r"), ["stray hello\r", "MSH|1"]);
        assert_eq!(messages("BHS|^~\\&\rPID|1\rBTS|0"), ["stray PID|1\r"]);
        assert_eq!(messages("\u{feff}\r\nMSH|1"), ["MSH|1"]);
    }

    #[test]
    fn wide_characters_are_parted_at_the_right_bytes() {
        for charset in [Charset::Utf16Le, Charset::Utf16Be] {
            let one = charset.encode("MSH|一\rPID|张𠮷\r");
            let two = charset.encode("MSH|二\rPID|李\r");
            let pieces = split(&[one.clone(), two.clone()].concat()).pieces;
            let expected = [0..one.len(), one.len()..one.len() + two.len()].map(Piece::Message);
            assert_eq!(pieces, expected);
        }
    }
}
