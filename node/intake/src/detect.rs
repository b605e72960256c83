//! Which format a byte string is in, by its first bytes.

use crate::charset::{self, Charset};
use crate::dicom::STUDY_MAGIC;
use crate::facts::Format;
use crate::flag::Flags;

/// What stands at a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// HL7 v2 in MLLP frames.
    Framed,
    /// HL7 v2, one message or many.
    Hl7,
    /// XML: CDA or FHIR, by its root element.
    Xml,
    /// JSON.
    Json,
    /// DICOM.
    Dicom,
    /// A study of DICOM, as a node writes it.
    DicomStudy,
}

/// The shape of an input; `None` if no reader knows it.
pub fn shape(input: &[u8]) -> Option<Shape> {
    const SEEN_MAX: usize = 4096;
    if input.first() == Some(&0x0B) {
        return Some(Shape::Framed);
    }
    if is_dicom(input) {
        return Some(Shape::Dicom);
    }
    if input.starts_with(STUDY_MAGIC) && input.get(30..).is_some_and(|name| name.starts_with(b"study.json")) {
        return Some(Shape::DicomStudy);
    }
    let head = input.get(..input.len().min(SEEN_MAX)).unwrap_or(&[]);
    let text = match Charset::detect_utf16(head) {
        Some(_) => charset::decode(head, None, &mut Flags::none()).text,
        None => String::from_utf8_lossy(head).into_owned(),
    };
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\0'));
    if start.starts_with('\u{b}') {
        return Some(Shape::Framed);
    }
    if ["MSH", "FHS", "BHS"].iter().any(|header| begins(start, header)) {
        return Some(Shape::Hl7);
    }
    match start.chars().next()? {
        '<' => Some(Shape::Xml),
        '{' | '[' => Some(Shape::Json),
        // A line of a shell or an editor before the first message: the reader shows it and reads the rest.
        _ => text.split(['\r', '\n']).skip(1).any(|line| begins(line, "MSH")).then_some(Shape::Hl7),
    }
}

/// The format of embedded content by its signature; `None` if it has none.
pub fn content(bytes: &[u8]) -> Option<Format> {
    let head = bytes.get(..bytes.len().min(512)).unwrap_or(&[]);
    if head.starts_with(b"%PDF-") {
        return Some(Format::Pdf);
    }
    if is_dicom(bytes) {
        return Some(Format::Dicom);
    }
    let images: [&[u8]; 5] = [b"\xFF\xD8\xFF", b"\x89PNG\r\n", b"GIF8", b"II*\0", b"MM\0*"];
    if images.iter().any(|magic| head.starts_with(magic)) {
        return Some(Format::Image);
    }
    if head.starts_with(b"{\\rtf")
        || starts_with_tag(head, "<html")
        || starts_with_tag(head, "<!doctype html")
    {
        return Some(Format::Markup);
    }
    let text = String::from_utf8_lossy(bytes.get(..bytes.len().min(4096)).unwrap_or(&[]));
    (text.contains("ClinicalDocument") && text.contains("urn:hl7-org:v3")).then_some(Format::Cda)
}

/// A preamble, or the group of the file meta information or of the identification, either end first: no text begins so.
fn is_dicom(bytes: &[u8]) -> bool {
    let first = bytes.first_chunk::<4>();
    let is_bare = matches!(first, Some([2 | 8, 0, _, 0] | [0, 8, 0, _])) && bytes.len() > 8;
    is_bare || bytes.starts_with(b"DICM") || bytes.get(128..132) == Some(b"DICM")
}

fn begins(line: &str, header: &str) -> bool {
    line.strip_prefix(header)
        .and_then(|rest| rest.chars().next())
        .is_some_and(|separator| !separator.is_alphanumeric() && !separator.is_whitespace())
}

fn starts_with_tag(head: &[u8], tag: &str) -> bool {
    String::from_utf8_lossy(head).trim_start().to_ascii_lowercase().starts_with(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_known_by_its_first_bytes() {
        for (input, expected) in [
            (&b"\x0bMSH|^~\\&|"[..], Some(Shape::Framed)),
            (b"\r\nMSH|^~\\&|", Some(Shape::Hl7)),
            (b"\xEF\xBB\xBFFHS|^~\\&|", Some(Shape::Hl7)),
            (b"# export of monday\rMSH|^~\\&|", Some(Shape::Hl7)),
            (b"\xEF\xBB\xBF <?xml version=\"1.0\"?>", Some(Shape::Xml)),
            (b" {\"resourceType\"", Some(Shape::Json)),
            (b"M\0S\0H\0|\0", Some(Shape::Hl7)),
            (b"\x08\0\x05\0CS\x0a\0ISO_IR 192", Some(Shape::Dicom)),
            (b"DICM\x02\0\0\0UL", Some(Shape::Dicom)),
            (b"MSHH0", None),
            (b"PID|1", None),
            (b"%PDF-1.4", None),
            (b"", None),
        ] {
            assert_eq!(shape(input), expected, "{}", String::from_utf8_lossy(input));
        }
    }

    #[test]
    fn embedded_content_is_known_by_its_signature() {
        assert_eq!(content(b"%PDF-1.7\n"), Some(Format::Pdf));
        assert_eq!(content(b"<?xml?><ClinicalDocument xmlns=\"urn:hl7-org:v3\">"), Some(Format::Cda));
        assert_eq!(content(b"plain"), None);
    }
}
