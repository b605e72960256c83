//! ISO 2022 within a text, as HL7 tables 0211 and 0356 name it: GB 2312 (ISO IR 58), JIS X 0208 (IR 87), JIS X 0212 (IR 159) and
//! KS X 1001 behind escape sequences that say to which half of the bytes they belong.
//!
//! A text either follows the rules throughout or is not in ISO 2022. Not here: the same in DICOM, where values name a first set.

use encoding_rs::{EUC_JP, EUC_KR, Encoding, GB18030};

const ESCAPE: u8 = 0x1B;

/// Puts GB 2312 into the upper half.
const GB_2312: &[u8] = b"\x1B$)A";

/// A set that was put into one half of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Ascii,
    Gb2312,
    Jis0208,
    Jis0212,
    Ksx1001,
}

/// The text, if it has escape sequences and all of it follows them.
pub(super) fn decode(bytes: &[u8]) -> Option<String> {
    let (mut text, mut switched) = (String::new(), false);
    let (mut lower, mut upper) = (Set::Ascii, Set::Ascii);
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        if *first == ESCAPE {
            let (set, is_upper, behind) = escape(rest)?;
            *(if is_upper { &mut upper } else { &mut lower }) = set;
            (rest, switched) = (behind, true);
            continue;
        }
        let set = if first.is_ascii() { lower } else { upper };
        let (run, behind) = rest.split_at_checked(run(rest, lower)).unwrap_or((rest, &[]));
        // Controls and the space are in no set of two bytes; a line begins in ASCII.
        if *first <= b' ' {
            lower = if matches!(first, b'\r' | b'\n') { Set::Ascii } else { lower };
            text.push(char::from(*first));
        } else {
            text.push_str(&set.decode(run)?);
        }
        rest = behind;
    }
    switched.then_some(text)
}

/// How many bytes at the front are of one half, and no escape sequence, control or space among them.
fn run(bytes: &[u8], lower: Set) -> usize {
    let first = bytes.first().copied().unwrap_or_default();
    let goes_on = |byte: u8| match first {
        0..=b' ' => false,
        _ if first.is_ascii() => byte > b' ' && byte.is_ascii() || lower == Set::Ascii && byte == b' ',
        _ => !byte.is_ascii(),
    };
    bytes.iter().skip(1).position(|byte| !goes_on(*byte)).map_or(bytes.len(), |at| at + 1)
}

/// What a sequence at the front puts into which half, and what follows it.
fn escape(bytes: &[u8]) -> Option<(Set, bool, &[u8])> {
    Some(match bytes.strip_prefix(&[ESCAPE])? {
        [b'(', b'B' | b'J', rest @ ..] => (Set::Ascii, false, rest),
        [b'$', b'A', rest @ ..] => (Set::Gb2312, false, rest),
        [b'$', b'B' | b'@', rest @ ..] => (Set::Jis0208, false, rest),
        [b'$', b'(', b'D', rest @ ..] => (Set::Jis0212, false, rest),
        [b'$', b')', b'A', rest @ ..] => (Set::Gb2312, true, rest),
        [b'$', b')', b'B', rest @ ..] => (Set::Jis0208, true, rest),
        [b'$', b')', b'C', rest @ ..] => (Set::Ksx1001, true, rest),
        _ => return None,
    })
}

impl Set {
    /// Text of a run, in either half; nothing if the set does not have it.
    fn decode(self, run: &[u8]) -> Option<String> {
        let encoding: &'static Encoding = match self {
            Self::Ascii => return run.is_ascii().then(|| String::from_utf8_lossy(run).into_owned()),
            Self::Gb2312 => GB18030,
            Self::Jis0208 | Self::Jis0212 => EUC_JP,
            Self::Ksx1001 => EUC_KR,
        };
        let pairs = run.chunks(2).map(|pair| <[u8; 2]>::try_from(pair).ok());
        let mut high = Vec::with_capacity(run.len() + run.len() / 2);
        for pair in pairs {
            high.extend((self == Self::Jis0212).then_some(0x8F));
            high.extend(pair?.map(|byte| byte | 0x80));
        }
        encoding.decode_without_bom_handling_and_without_replacement(&high).map(Into::into)
    }
}

/// With GB 2312 in the upper half, from the first character that needs it; what it lacks becomes `?`.
pub(super) fn encode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut switched = false;
    for character in text.chars() {
        if character.is_ascii() {
            bytes.extend(u8::try_from(character));
            continue;
        }
        if !switched {
            bytes.extend_from_slice(GB_2312);
            switched = true;
        }
        let mut buffer = [0; 4];
        let (encoded, ..) = GB18030.encode(character.encode_utf8(&mut buffer));
        match encoded.as_ref() {
            pair @ [0xA1..=0xF7, 0xA1..=0xFE] => bytes.extend_from_slice(pair),
            _ => bytes.push(b'?'),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_set_is_read_in_its_half_and_a_line_begins_in_ascii() {
        let gb = [&b"PID|"[..], GB_2312, b"\xD5\xC5\xC8\xFD|M\rOBX|\xB0\xD7"].concat();
        assert_eq!(decode(&gb).unwrap(), "PID|张三|M\rOBX|白");
        assert_eq!(decode(b"PID|\x1B$AUEH}\x1B(B|M").unwrap(), "PID|张三|M");
        assert_eq!(decode(b"PID|\x1B$AUEH}\rOBX|1").unwrap(), "PID|张三\rOBX|1");
        assert_eq!(decode(b"PID|\x1B$B;3ED\x1B(B^\x1B$BB@O:\x1B(B").unwrap(), "PID|山田^太郎");
        assert_eq!(decode(b"\x1B$)C\xB1\xE8|a b").unwrap(), "김|a b");
    }

    #[test]
    fn what_does_not_follow_the_rules_throughout_is_not_in_iso_2022() {
        for bytes in [
            &b"plain"[..],
            b"\xD5\xC5",
            b"\x1B(B\xD5\xC5",
            b"\x1B$)A\xD5|",
            b"\x1B$AUEH",
            b"\x1BE printer",
            b"\x1B",
            b"\x1B$)A\xFF\xFF",
        ] {
            assert_eq!(decode(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn text_goes_out_and_comes_back_but_for_what_gb_2312_lacks() {
        let text = "MSH|系统|医院\rMSA|AA|张三";
        assert_eq!(decode(&encode(text)).unwrap(), text);
        assert_eq!(encode("plain"), b"plain");
        assert_eq!(decode(&encode("𠮷张")).unwrap(), "?张");
    }
}
