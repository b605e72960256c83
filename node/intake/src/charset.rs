//! Bytes to text and back: UTF-8, GB18030 (with GBK and GB2312), ISO 2022, ISO 8859-1 and UTF-16.
//!
//! A declared set is believed only if the bytes agree; what was guessed is flagged. The original bytes stay with the
//! caller: nothing here is the record.

mod iso2022;

use encoding_rs::GB18030;

use crate::flag::{Flag, Flags};

/// A character set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8, of which ASCII is a part.
    Utf8,
    /// GB18030, of which GBK and GB2312 are parts.
    Gb18030,
    /// ISO 2022: sets that escape sequences name.
    Iso2022,
    /// ISO 8859-1.
    Latin1,
    /// UTF-16, little end first.
    Utf16Le,
    /// UTF-16, big end first.
    Utf16Be,
}

/// Decoded bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    /// The text, without byte order mark.
    pub text: String,
    /// The set it was in.
    pub charset: Charset,
}

impl Charset {
    /// The set that a name stands for: of HL7 table 0211, of IANA, or as Chinese systems write it.
    pub fn named(name: &str) -> Option<Self> {
        let plain: String =
            name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        match plain.as_str() {
            "unicodeutf8" | "utf8" | "ascii" | "usascii" => Some(Self::Utf8),
            "gb18030" | "gb180302000" | "gb180302005" | "gb180302022" | "gbk" | "gb2312" | "cp936"
            | "gb231280" => Some(Self::Gb18030),
            // Of table 0211, and as senders write them; what is behind the escape sequences says which.
            "iso2022" | "iso20221994" | "iso2022cn" | "iso2022jp" | "iso2022ir58" | "iso2022ir87"
            | "isoir14" | "isoir58" | "isoir87" | "isoir159" | "ksx1001" => Some(Self::Iso2022),
            "88591" | "iso88591" | "latin1" | "windows1252" => Some(Self::Latin1),
            "utf16" | "utf16le" | "unicodeutf16" => Some(Self::Utf16Le),
            "utf16be" => Some(Self::Utf16Be),
            _ => None,
        }
    }

    /// UTF-16 by its byte order mark or by the zero beside the first ASCII character.
    pub fn detect_utf16(bytes: &[u8]) -> Option<Self> {
        match *bytes.first_chunk::<2>()? {
            [0xFF, 0xFE] => Some(Self::Utf16Le),
            [0xFE, 0xFF] => Some(Self::Utf16Be),
            [b'M' | b'<' | b'{' | b'F' | b'B' | 0x0B, 0] if bytes.get(3) == Some(&0) => Some(Self::Utf16Le),
            [0, b'M' | b'<' | b'{' | b'F' | b'B' | 0x0B] if bytes.get(2) == Some(&0) => Some(Self::Utf16Be),
            _ => None,
        }
    }

    /// Encodes text; a character that the set lacks becomes `?`.
    pub fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Gb18030 => GB18030.encode(text).0.into_owned(),
            Self::Iso2022 => iso2022::encode(text),
            Self::Latin1 => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
            Self::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Self::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        }
    }
}

impl core::fmt::Debug for Text {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Text({:?}, <phi>)", self.charset)
    }
}

/// Decodes bytes; never fails: what is no text in any set shows as U+FFFD and is flagged.
pub fn decode(bytes: &[u8], declared: Option<&str>, flags: &mut Flags) -> Text {
    if let Some(charset) = Charset::detect_utf16(bytes) {
        return decode_utf16(bytes, charset, flags);
    }
    let declared = declared.and_then(Charset::named);
    let without_mark = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if let Some(text) = iso2022::decode(without_mark) {
        flags.raise_if(declared != Some(Charset::Iso2022), Flag::CharsetGuessed);
        return Text { text, charset: Charset::Iso2022 };
    }
    if let Ok(text) = core::str::from_utf8(without_mark) {
        if declared == Some(Charset::Gb18030) && reads_better_as_gb18030(text) {
            return Text {
                text: GB18030.decode_without_bom_handling(bytes).0.into_owned(),
                charset: Charset::Gb18030,
            };
        }
        let disagrees = !matches!(declared, None | Some(Charset::Utf8)) && !text.is_ascii();
        flags.raise_if(disagrees, Flag::CharsetGuessed);
        return Text { text: text.to_owned(), charset: Charset::Utf8 };
    }
    decode_legacy(without_mark, declared, flags)
}

/// Bytes that are not UTF-8.
fn decode_legacy(bytes: &[u8], declared: Option<Charset>, flags: &mut Flags) -> Text {
    let (chinese, damaged) = GB18030.decode_without_bom_handling(bytes);
    let latin1 =
        || Text { text: encoding_rs::mem::decode_latin1(bytes).into_owned(), charset: Charset::Latin1 };
    match declared {
        Some(Charset::Latin1) => return latin1(),
        Some(Charset::Gb18030) if !damaged => {}
        _ => {
            flags.raise(Flag::CharsetGuessed);
            if looks_western(bytes) {
                return latin1();
            }
        }
    }
    if !damaged {
        return Text { text: chinese.into_owned(), charset: Charset::Gb18030 };
    }
    flags.raise(Flag::TextDamaged);
    let lossy = String::from_utf8_lossy(bytes);
    if replaced(&lossy) <= replaced(&chinese) {
        Text { text: lossy.into_owned(), charset: Charset::Utf8 }
    } else {
        Text { text: chinese.into_owned(), charset: Charset::Gb18030 }
    }
}

fn decode_utf16(bytes: &[u8], charset: Charset, flags: &mut Flags) -> Text {
    let units = bytes.chunks(2).map(|pair| match (pair, charset) {
        ([low, high], Charset::Utf16Le) => u16::from_le_bytes([*low, *high]),
        ([high, low], _) => u16::from_be_bytes([*high, *low]),
        _ => 0xFFFD,
    });
    let mut text: String = char::decode_utf16(units).map(|c| c.unwrap_or('\u{FFFD}')).collect();
    if text.starts_with('\u{FEFF}') {
        text.remove(0);
    }
    flags.raise_if(text.contains('\u{FFFD}'), Flag::TextDamaged);
    Text { text, charset }
}

/// Two-byte UTF-8 may be GB18030 by chance; three-byte UTF-8, which Chinese needs, hardly is.
fn reads_better_as_gb18030(text: &str) -> bool {
    !text.is_ascii()
        && text.chars().all(|c| u32::from(c) < 0x800)
        && !GB18030.decode_without_bom_handling(text.as_bytes()).1
}

/// In Western text a high byte mostly stands alone among ASCII; in Chinese text high bytes come in pairs.
fn looks_western(bytes: &[u8]) -> bool {
    let (mut alone, mut paired) = (0_usize, 0_usize);
    for run in bytes.split(u8::is_ascii).filter(|run| !run.is_empty()) {
        if run.len() == 1 { alone += 1 } else { paired += run.len() / 2 }
    }
    alone > paired
}

fn replaced(text: &str) -> usize {
    text.chars().filter(|c| *c == '\u{FFFD}').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8], declared: Option<&str>) -> (String, Charset, bool) {
        let mut flags = Flags::none();
        let text = decode(bytes, declared, &mut flags);
        (text.text, text.charset, flags.has(Flag::CharsetGuessed))
    }

    #[test]
    fn chinese_text_survives_every_set_that_has_it() {
        let text = "MSH|张三|慢性阻塞性肺疾病|𠮷|〇";
        for charset in [Charset::Utf8, Charset::Gb18030, Charset::Utf16Le, Charset::Utf16Be] {
            let (read, found, _) = decoded(&charset.encode(text), None);
            assert_eq!((read.as_str(), found), (text, charset));
        }
    }

    #[test]
    fn a_declaration_is_believed_only_if_the_bytes_agree() {
        let chinese = Charset::Gb18030.encode("李四");
        assert_eq!(decoded(&chinese, Some("UNICODE UTF-8")), ("李四".to_owned(), Charset::Gb18030, true));
        assert_eq!(decoded(&chinese, Some("GB 18030-2000")), ("李四".to_owned(), Charset::Gb18030, false));
        assert_eq!(decoded("李四".as_bytes(), Some("GBK")), ("李四".to_owned(), Charset::Utf8, true));
        assert_eq!(decoded(b"plain", Some("GBK")), ("plain".to_owned(), Charset::Utf8, false));
    }

    #[test]
    fn iso_2022_is_told_by_its_escape_sequences_and_believed_only_with_them() {
        let bytes = Charset::Iso2022.encode("PID|张三");
        assert_eq!(decoded(&bytes, Some("ISO IR58")), ("PID|张三".to_owned(), Charset::Iso2022, false));
        assert_eq!(decoded(&bytes, Some("UNICODE UTF-8")), ("PID|张三".to_owned(), Charset::Iso2022, true));
        let bare = Charset::Gb18030.encode("PID|张三");
        assert_eq!(decoded(&bare, Some("ISO IR58")), ("PID|张三".to_owned(), Charset::Gb18030, true));
        assert_eq!(decoded("PID|张三".as_bytes(), Some("ISO IR58")).1, Charset::Utf8);
        assert_eq!(decoded(b"PID|\x1BE|", None), ("PID|\u{1b}E|".to_owned(), Charset::Utf8, false));
    }

    #[test]
    fn western_text_is_not_taken_for_chinese() {
        let bytes = Charset::Latin1.encode("M\u{fc}ller, Jos\u{e9}");
        assert_eq!(decoded(&bytes, None), ("M\u{fc}ller, Jos\u{e9}".to_owned(), Charset::Latin1, true));
        assert!(!decoded(&bytes, Some("8859/1")).2);
    }

    #[test]
    fn damaged_text_is_flagged_and_keeps_what_can_be_read() {
        let mut flags = Flags::none();
        let text = decode(b"PID|\xE5\xBC\xA0\xE4\xB8|\xFF|", None, &mut flags);
        assert!(flags.has(Flag::TextDamaged) && text.text.contains("PID|"));
    }
}
