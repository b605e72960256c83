//! Elements of a data set one after the other (PS3.5 section 7), in every transfer syntax: explicit or implicit, little or big
//! end first, deflated; with preamble and file meta information (PS3.10 section 7) or without.
//!
//! Which encoding a data set has is told by its first element and not by what its file says of it: files say it wrongly.
//! What is not wanted is passed over without being kept; what is nested is passed over without recursion.

use std::io::{self, Read};

use flate2::read::DeflateDecoder;

use crate::limits::{DICOM_DEPTH_MAX, DICOM_HEADER_BYTES_MAX, DICOM_VALUE_BYTES_MAX};

/// A tag: group and element.
pub type Tag = u32;

/// The first 128 bytes of a file may hold anything.
const PREAMBLE_BYTES: usize = 128;
/// What follows them.
const MAGIC: &[u8] = b"DICM";
/// Transfer Syntax UID.
pub const TRANSFER_SYNTAX: Tag = 0x0002_0010;
/// Deflated Explicit VR Little Endian; it and those of JPIP are compressed as a whole.
const DEFLATED: [&str; 3] = ["1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"];
/// The groups with which a data set without file meta information may begin.
const FIRST_GROUPS: core::ops::RangeInclusive<u16> = 0x0002..=0x0020;
/// The group of items and delimiters.
pub(super) const ITEMS: u16 = 0xFFFE;
/// Ends an item of unknown length.
pub(super) const ITEM_END: Tag = 0xFFFE_E00D;
/// Ends a sequence of unknown length.
pub(super) const SEQUENCE_END: Tag = 0xFFFE_E0DD;
/// Value representations with a length of four bytes (PS3.5 table 7.1-1).
const LONG: [&[u8; 2]; 13] =
    [b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"];

/// Why a file is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Nothing in it looks like a data set.
    #[error("not DICOM: neither DICM after 128 bytes nor a data set")]
    NotDicom,
    /// It ends within an element.
    #[error("the data set ends within an element: the file was cut")]
    Cut,
    /// Above a bound.
    #[error("{what} exceeds {limit}")]
    TooLarge {
        /// What exceeds.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// The source failed.
    #[error("cannot be read: {0}")]
    Source(io::ErrorKind),
}

/// How a data set is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// Whether elements say their value representation.
    pub explicit: bool,
    /// Whether the big end comes first.
    pub big: bool,
}

/// An element that was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Which it is.
    pub tag: Tag,
    /// Its bytes.
    pub value: Vec<u8>,
}

/// The head of an element.
pub(super) struct Head {
    pub(super) tag: Tag,
    /// Its value representation, if it says one.
    pub(super) vr: Option<[u8; 2]>,
    /// None if the value ends at a delimiter.
    pub(super) length: Option<usize>,
}

const META: Encoding = Encoding { explicit: true, big: false };
/// A value of unknown representation and length is encoded so (PS3.5 6.2.2).
const OF_UNKNOWN: Encoding = Encoding { explicit: false, big: false };

/// A file that is read from its beginning.
pub struct Elements<'a> {
    pub(super) source: Source<'a>,
    encoding: Encoding,
    /// What file meta information there is.
    meta: Vec<Element>,
}

impl<'a> Elements<'a> {
    /// Reads up to the first element of the data set.
    ///
    /// # Errors
    /// [`Unreadable`] if there is none.
    pub fn open(from: &'a mut dyn Read) -> Result<Self, Unreadable> {
        let mut source = Source { back: Vec::new(), from: Box::new(from), left: DICOM_HEADER_BYTES_MAX };
        let framed = source.pass_preamble()?;
        let mut meta = Vec::new();
        while source.peek(2)?.is_some_and(|group| group == [2, 0]) {
            let head = source.head(META)?;
            let value = source.value(&head)?.unwrap_or_default();
            meta.push(Element { tag: head.tag, value });
        }
        let syntax = meta.iter().find(|element| element.tag == TRANSFER_SYNTAX);
        let syntax = syntax.map(|element| uid(&element.value)).unwrap_or_default();
        if DEFLATED.contains(&syntax.as_str()) {
            source.inflate();
        }
        let first = source.peek(6)?.unwrap_or_default();
        let Some(encoding) = encoding(&first) else {
            // A file may end behind its meta information.
            let empty = framed && first.is_empty();
            return if empty { Ok(Self { source, encoding: META, meta }) } else { Err(Unreadable::NotDicom) };
        };
        if !framed && meta.is_empty() && !FIRST_GROUPS.contains(&encoding.group(&first)) {
            return Err(Unreadable::NotDicom);
        }
        Ok(Self { source, encoding, meta })
    }

    /// The elements of the file meta information.
    pub fn meta(&self) -> &[Element] {
        &self.meta
    }

    /// How the data set is encoded.
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The next element of the data set itself that is wanted, but for those of sequences and long values; none behind `last` or at
    /// the end.
    ///
    /// # Errors
    /// [`Unreadable`] if the file ends within an element or a bound is exceeded.
    pub fn next(&mut self, wanted: &[Tag], last: Tag) -> Result<Option<Element>, Unreadable> {
        while self.source.peek(4)?.is_some() {
            let head = self.source.head(self.encoding)?;
            if head.tag > last && head.group() != ITEMS {
                return Ok(None);
            }
            if !wanted.contains(&head.tag) {
                self.pass(&head)?;
            } else if let Some(value) = self.source.value(&head)? {
                return Ok(Some(Element { tag: head.tag, value }));
            } else if head.length.is_none() {
                self.source.pass_nested(&head, self.encoding)?;
            }
        }
        Ok(None)
    }

    fn pass(&mut self, head: &Head) -> Result<(), Unreadable> {
        match head.length {
            Some(length) => self.source.skip(length),
            None if head.group() == ITEMS => Ok(()),
            None => self.source.pass_nested(head, self.encoding),
        }
    }
}

impl Encoding {
    fn group(self, bytes: &[u8]) -> u16 {
        let pair = bytes.first_chunk().copied().unwrap_or_default();
        if self.big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    }

    fn short(self, bytes: [u8; 2]) -> u16 {
        if self.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    fn long(self, bytes: [u8; 4]) -> u32 {
        if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    /// A number of two bytes (US).
    pub fn number(self, value: &[u8]) -> Option<u16> {
        Some(self.short(*value.first_chunk()?))
    }
}

/// The encoding of a data set that begins so.
fn encoding(first: &[u8]) -> Option<Encoding> {
    let [low, high, _, _, vr @ ..] = first.first_chunk::<6>()?;
    // The first group is a small number.
    let big = *low == 0 && *high != 0;
    let explicit = is_representation(*vr);
    Some(Encoding { explicit, big })
}

fn is_representation(vr: [u8; 2]) -> bool {
    vr.iter().all(u8::is_ascii_uppercase)
}

/// A UID without its padding.
pub fn uid(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).to_owned()
}

impl Head {
    /// How what is nested in it is encoded.
    fn within(&self, around: Encoding) -> Encoding {
        if self.vr == Some(*b"UN") { OF_UNKNOWN } else { around }
    }

    pub(super) const fn group(&self) -> u16 {
        let [high, low, _, _] = self.tag.to_be_bytes();
        u16::from_be_bytes([high, low])
    }
}

/// Bytes, a few of which may have been looked at, up to a bound.
pub(super) struct Source<'a> {
    back: Vec<u8>,
    from: Box<dyn Read + 'a>,
    pub(super) left: usize,
}

impl Source<'_> {
    /// Whether there was a preamble.
    fn pass_preamble(&mut self) -> Result<bool, Unreadable> {
        let head = self.up_to(PREAMBLE_BYTES + MAGIC.len())?;
        if head.get(PREAMBLE_BYTES..) == Some(MAGIC) {
            return Ok(true);
        }
        // Some writers leave the preamble out and not what follows it.
        let bare = head.strip_prefix(MAGIC);
        let found = bare.is_some();
        self.back = bare.unwrap_or(&head).to_vec();
        Ok(found)
    }

    fn inflate(&mut self) {
        let from = core::mem::replace(&mut self.from, Box::new(io::empty()));
        let back = core::mem::take(&mut self.back);
        self.from = Box::new(DeflateDecoder::new(io::Cursor::new(back).chain(from)));
    }

    /// The next bytes, which stay; fewer at the end, none if there are none.
    pub(super) fn peek(&mut self, count: usize) -> Result<Option<Vec<u8>>, Unreadable> {
        let found = self.up_to(count)?;
        self.left = self.left.saturating_add(found.len());
        self.back.splice(0..0, found.iter().copied());
        Ok(Some(found).filter(|found| !found.is_empty()))
    }

    fn up_to(&mut self, count: usize) -> Result<Vec<u8>, Unreadable> {
        self.spend(count)?;
        let taken = count.min(self.back.len());
        let mut bytes: Vec<u8> = self.back.drain(..taken).collect();
        let rest = u64::try_from(count - taken).unwrap_or(u64::MAX);
        let read = Read::take(&mut self.from, rest).read_to_end(&mut bytes);
        read.map_err(|error| failed(&error))?;
        self.left = self.left.saturating_add(count - bytes.len());
        Ok(bytes)
    }

    fn exactly(&mut self, count: usize) -> Result<Vec<u8>, Unreadable> {
        let bytes = self.up_to(count)?;
        if bytes.len() == count { Ok(bytes) } else { Err(Unreadable::Cut) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        self.exactly(N)?.try_into().map_err(|_| Unreadable::Cut)
    }

    pub(super) fn skip(&mut self, count: usize) -> Result<(), Unreadable> {
        self.spend(count)?;
        let taken = count.min(self.back.len());
        self.back.drain(..taken);
        let rest = u64::try_from(count - taken).unwrap_or(u64::MAX);
        let passed = io::copy(&mut Read::take(&mut self.from, rest), &mut io::sink());
        if passed.map_err(|error| failed(&error))? == rest { Ok(()) } else { Err(Unreadable::Cut) }
    }

    fn spend(&mut self, count: usize) -> Result<(), Unreadable> {
        let limit = DICOM_HEADER_BYTES_MAX;
        let what = "what stands before the pixel data";
        self.left = self.left.checked_sub(count).ok_or(Unreadable::TooLarge { what, limit })?;
        Ok(())
    }

    pub(super) fn head(&mut self, encoding: Encoding) -> Result<Head, Unreadable> {
        let [a, b, c, d] = self.array()?;
        let (group, element) = (encoding.short([a, b]), encoding.short([c, d]));
        let tag = u32::from(group) << 16 | u32::from(element);
        let [v, r, x, y] = self.array()?;
        // Data sets that say representations have elements that do not, or that leave theirs blank.
        let is_said = is_representation([v, r]) || [v, r] == *b"  ";
        let implicit = !encoding.explicit || group == ITEMS || !is_said;
        let length = if implicit {
            encoding.long([v, r, x, y])
        } else if LONG.contains(&&[v, r]) {
            encoding.long(self.array()?)
        } else {
            u32::from(encoding.short([x, y]))
        };
        let vr = Some([v, r]).filter(|vr| !implicit && is_representation(*vr));
        let length = (length != u32::MAX).then(|| usize::try_from(length).unwrap_or(usize::MAX));
        Ok(Head { tag, vr, length })
    }

    /// A value of known length, unless it is too long to be kept: then it is passed over.
    pub(super) fn value(&mut self, head: &Head) -> Result<Option<Vec<u8>>, Unreadable> {
        match head.length {
            Some(length) if length <= DICOM_VALUE_BYTES_MAX => self.exactly(length).map(Some),
            Some(length) => self.skip(length).map(|()| None),
            None => Ok(None),
        }
    }

    /// Passes over a value that ends at a delimiter, and over what is nested in it.
    pub(super) fn pass_nested(&mut self, head: &Head, around: Encoding) -> Result<(), Unreadable> {
        let mut open = vec![head.within(around)];
        while let Some(encoding) = open.last().copied() {
            let head = self.head(encoding)?;
            match head.length {
                _ if matches!(head.tag, ITEM_END | SEQUENCE_END) => _ = open.pop(),
                Some(length) => self.skip(length)?,
                None if open.len() >= DICOM_DEPTH_MAX => {
                    let limit = DICOM_DEPTH_MAX;
                    return Err(Unreadable::TooLarge { what: "the nesting of sequences", limit });
                }
                None => open.push(head.within(encoding)),
            }
        }
        Ok(())
    }
}

/// A damaged stream of compressed bytes is a file that was cut.
fn failed(error: &io::Error) -> Unreadable {
    let kind = error.kind();
    let is_cut = [io::ErrorKind::UnexpectedEof, io::ErrorKind::InvalidData, io::ErrorKind::InvalidInput];
    if is_cut.contains(&kind) { Unreadable::Cut } else { Unreadable::Source(kind) }
}
