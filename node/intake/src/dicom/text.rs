//! Specific character sets (PS3.3 C.12.1.1.2, PS3.5 6.1): bytes of a value to text.
//!
//! Sets with code extensions (`ISO 2022 …`) change within a value by escape sequences; GB18030, GBK and UTF-8 do not.

use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, Encoding, GB18030, ISO_2022_JP, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5,
    ISO_8859_6, ISO_8859_7, ISO_8859_8, SHIFT_JIS, UTF_8, WINDOWS_874, WINDOWS_1252, WINDOWS_1254,
};

use crate::charset;
use crate::flag::{Flag, Flags};

const ESCAPE: u8 = 0x1B;

/// How the bytes behind an escape sequence are text.
#[derive(Clone, Copy)]
enum Set {
    /// As they stand.
    Plain(&'static Encoding),
    /// Two bytes a character without their high bits: JIS X 0208.
    Jis0208,
    /// The same of JIS X 0212.
    Jis0212,
}

/// Decodes a value; `declared` is that of Specific Character Set. What is declared wrongly or not at all is guessed and flagged.
pub(super) fn decode(value: &[u8], declared: Option<&[u8]>, flags: &mut Flags) -> String {
    if value.is_ascii() && !value.contains(&ESCAPE) {
        return String::from_utf8_lossy(value).into_owned();
    }
    let names = String::from_utf8_lossy(declared.unwrap_or_default()).into_owned();
    let first = names.split('\\').next().unwrap_or_default();
    let Some(initial) = named(first) else {
        let repeats = names.split('\\').any(|name| named(name).is_some());
        if repeats || value.contains(&ESCAPE) {
            return extended(value, WINDOWS_1252, flags);
        }
        return charset::decode(value, None, flags).text;
    };
    if initial == UTF_8 {
        // Devices say so and write what they always wrote.
        return charset::decode(value, Some("UTF-8"), flags).text;
    }
    extended(value, initial, flags)
}

/// The set of a defined term; none for ASCII alone and for what is not known.
fn named(term: &str) -> Option<&'static Encoding> {
    let plain: String = term.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_uppercase();
    // "ISO 2022 IR 100" and "ISO_IR 100", and the ways in which both are mistyped.
    let number = plain.trim_start_matches("ISO").trim_start_matches("2022").trim_start_matches("IR");
    Some(match number {
        "192" | "UTF8" | "10646" => UTF_8,
        "GB18030" | "GBK" | "58" | "GB2312" => GB18030,
        "100" | "88591" => WINDOWS_1252,
        "101" => ISO_8859_2,
        "109" => ISO_8859_3,
        "110" => ISO_8859_4,
        "144" => ISO_8859_5,
        "127" => ISO_8859_6,
        "126" => ISO_8859_7,
        "138" => ISO_8859_8,
        "148" => WINDOWS_1254,
        "166" => WINDOWS_874,
        "13" => SHIFT_JIS,
        "87" | "159" => EUC_JP,
        "149" => EUC_KR,
        "BIG5" => BIG5,
        _ => return None,
    })
}

/// Decodes what may hold escape sequences.
fn extended(value: &[u8], initial: &'static Encoding, flags: &mut Flags) -> String {
    let mut text = String::new();
    let mut set = Set::Plain(initial);
    let mut rest = value;
    while !rest.is_empty() {
        if let Some((next, behind)) = escape(rest, initial) {
            (set, rest) = (next, behind);
            continue;
        }
        let length = rest.iter().skip(1).position(|byte| *byte == ESCAPE).map_or(rest.len(), |at| at + 1);
        let (run, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        text.push_str(&set.decode(run, flags));
        rest = behind;
    }
    text
}

impl Set {
    fn decode(self, run: &[u8], flags: &mut Flags) -> String {
        let (text, damaged) = match self {
            Self::Plain(encoding) => encoding.decode_without_bom_handling(run),
            Self::Jis0208 => {
                let whole = [b"\x1B$B", run].concat();
                let (text, damaged) = ISO_2022_JP.decode_without_bom_handling(&whole);
                (text.into_owned().into(), damaged)
            }
            Self::Jis0212 => {
                let high = |pair: &[u8]| [&[0x8F_u8][..], pair].concat();
                let whole: Vec<u8> = run.chunks(2).flat_map(high).map(|byte| byte | 0x80).collect();
                let (text, damaged) = EUC_JP.decode_without_bom_handling(&whole);
                (text.into_owned().into(), damaged)
            }
        };
        flags.raise_if(damaged, Flag::TextDamaged);
        text.into_owned()
    }
}

/// The set that an escape sequence at the front names, and what follows it; one that is not known names the first set.
fn escape<'v>(bytes: &'v [u8], initial: &'static Encoding) -> Option<(Set, &'v [u8])> {
    let sequence = bytes.strip_prefix(&[ESCAPE])?;
    Some(match sequence {
        [b'$', b'B' | b'@', rest @ ..] => (Set::Jis0208, rest),
        [b'$', b'(', b'D', rest @ ..] => (Set::Jis0212, rest),
        [b'$', b')', b'C', rest @ ..] => (Set::Plain(EUC_KR), rest),
        [b'$', b')', b'A', rest @ ..] => (Set::Plain(GB18030), rest),
        [b'(', b'J', rest @ ..] | [b')', b'I', rest @ ..] => (Set::Plain(SHIFT_JIS), rest),
        [b'-', set, rest @ ..] => (Set::Plain(right_half(*set).unwrap_or(initial)), rest),
        unknown => (Set::Plain(initial), behind(unknown)),
    })
}

/// What follows a sequence that is not known.
const fn behind(sequence: &[u8]) -> &[u8] {
    if let [b'$', b'(' | b')', _, rest @ ..] | [b'(' | b')' | b'$', _, rest @ ..] = sequence {
        return rest;
    }
    sequence
}

const fn right_half(set: u8) -> Option<&'static Encoding> {
    Some(match set {
        b'A' => WINDOWS_1252,
        b'B' => ISO_8859_2,
        b'C' => ISO_8859_3,
        b'D' => ISO_8859_4,
        b'F' => ISO_8859_7,
        b'G' => ISO_8859_6,
        b'H' => ISO_8859_8,
        b'L' => ISO_8859_5,
        b'M' => WINDOWS_1254,
        b'T' => WINDOWS_874,
        _ => return None,
    })
}
