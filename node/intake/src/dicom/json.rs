//! An instance in the DICOM JSON model (PS3.18 annex F): all that stands before its pixels, written while it is read.
//!
//! Left out are group lengths, what comes twice in one data set, values of unknown representation and length, and those longer than
//! `DICOM_VALUE_BYTES_MAX`, which are bulk data.
//! Texts are decoded as everywhere: by the character set that the instance says, else by a guess. An element that does not say its
//! representation has that of the dictionary (PS3.6).

use core::fmt::Write;
use std::collections::BTreeSet;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dicom_core::Tag as Numbered;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_dictionary_std::StandardDataDictionary;
use serde_json::{Map, Number, Value};

use crate::dicom::element::{
    Elements, Encoding, Head, ITEM_END, ITEMS, SEQUENCE_END, Source, Tag, Unreadable,
};
use crate::dicom::text;
use crate::flag::Flags;
use crate::limits::{DICOM_DEPTH_MAX, DICOM_JSON_BYTES_MAX};

const CHARACTER_SET: Tag = 0x0008_0005;
/// What JSON is written in (PS3.18 section F.2).
const UTF_8: &[u8] = b"ISO_IR 192";
/// Pixel Representation: whether pixels, and what is compared with them, have a sign.
const SIGNED: Tag = 0x0028_0103;
/// Begins an item.
const ITEM: Tag = 0xFFFE_E000;
/// The group of pixels; behind it stands nothing that is said of the instance.
const PIXELS: u16 = 0x7FE0;
/// Elements of a group of odd number in which who defines the others stands (PS3.5 section 7.8.1).
const CREATORS: core::ops::RangeInclusive<u16> = 0x10..=0xFF;
/// Every value representation (PS3.5 section 6.2).
const KNOWN: [&[u8; 2]; 34] = [
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"OB", b"OD", b"OF",
    b"OL", b"OV", b"OW", b"PN", b"SH", b"SL", b"SQ", b"SS", b"ST", b"SV", b"TM", b"UC", b"UI", b"UL", b"UN",
    b"UR", b"US", b"UT", b"UV",
];

/// Writes an instance as a JSON object.
///
/// # Errors
/// [`Unreadable`] if it is no DICOM, was cut before its pixels, or exceeds a bound.
pub fn write(from: &mut dyn Read) -> Result<String, Unreadable> {
    let elements = Elements::open(from)?;
    let context = Context { encoding: elements.encoding(), character_set: None, is_signed: false };
    let mut writer = Writer { source: elements.source, json: String::new() };
    writer.set(context, None, 0)?;
    Ok(writer.json)
}

struct Writer<'a> {
    source: Source<'a>,
    json: String,
}

/// How the elements that follow are read.
#[derive(Clone)]
struct Context {
    encoding: Encoding,
    character_set: Option<Vec<u8>>,
    is_signed: bool,
}

impl Writer<'_> {
    /// A data set, which ends with the file, or an item, which ends where so many bytes are left, else at its delimiter.
    fn set(&mut self, mut context: Context, until: Option<usize>, depth: usize) -> Result<(), Unreadable> {
        let mut seen = BTreeSet::new();
        self.json.push('{');
        while until.is_none_or(|left| self.source.left > left) {
            if depth == 0 && self.source.peek(4)?.is_none() {
                break;
            }
            let head = self.source.head(context.encoding)?;
            let is_behind = depth == 0 && head.group() >= PIXELS && head.group() != ITEMS;
            if is_behind || head.tag == ITEM_END && depth > 0 {
                break;
            }
            let begin = self.json.len();
            let is_written = self.element(&head, &mut context, depth)?;
            let is_length = head.tag.trailing_zeros() >= 16;
            if !is_written || is_length || head.group() == ITEMS || !seen.insert(head.tag) {
                self.json.truncate(begin);
            }
            if self.json.len() > DICOM_JSON_BYTES_MAX {
                let limit = DICOM_JSON_BYTES_MAX;
                return Err(Unreadable::TooLarge { what: "what an instance says but for its pixels", limit });
            }
        }
        self.json.push('}');
        Ok(())
    }

    /// Writes an element; whether it has a value that is not too long.
    fn element(&mut self, head: &Head, context: &mut Context, depth: usize) -> Result<bool, Unreadable> {
        let vr = context.representation(head);
        let name = str::from_utf8(&vr).unwrap_or("UN");
        if !self.json.ends_with('{') {
            self.json.push(',');
        }
        // Writing into a string does not fail.
        write!(self.json, "\"{:08X}\":{{\"vr\":\"{name}\"", head.tag).ok();
        if name == "SQ" {
            self.items(head.length, context, depth)?;
        } else if head.length.is_none() {
            self.source.pass_nested(head, context.encoding)?;
            return Ok(false);
        } else {
            let Some(value) = self.source.value(head)? else { return Ok(false) };
            let shown = if head.tag == CHARACTER_SET { UTF_8 } else { value.as_slice() };
            let Some((key, said)) = context.said(vr, shown) else { return Ok(false) };
            if said != Value::Null {
                write!(self.json, ",\"{key}\":{said}").ok();
            }
            context.learn(head.tag, value);
        }
        self.json.push('}');
        Ok(true)
    }

    fn items(&mut self, length: Option<usize>, context: &Context, depth: usize) -> Result<(), Unreadable> {
        if depth >= DICOM_DEPTH_MAX {
            return Err(Unreadable::TooLarge { what: "the nesting of sequences", limit: DICOM_DEPTH_MAX });
        }
        let until = length.map(|length| self.source.left.saturating_sub(length));
        let mut is_empty = true;
        while until.is_none_or(|left| self.source.left > left) {
            let head = self.source.head(context.encoding)?;
            match head.tag {
                SEQUENCE_END => break,
                ITEM => {}
                _ => return Err(Unreadable::NotDicom),
            }
            self.json.push_str(if is_empty { ",\"Value\":[" } else { "," });
            is_empty = false;
            let end = head.length.map(|length| self.source.left.saturating_sub(length));
            self.set(context.clone(), end, depth + 1)?;
        }
        if !is_empty {
            self.json.push(']');
        }
        Ok(())
    }
}

impl Context {
    /// What later elements are read by.
    fn learn(&mut self, tag: Tag, value: Vec<u8>) {
        match tag {
            CHARACTER_SET => self.character_set = Some(value),
            SIGNED => self.is_signed = self.encoding.number(&value) == Some(1),
            _ => {}
        }
    }

    /// The representation that an element says, else that of the dictionary.
    fn representation(&self, head: &Head) -> [u8; 2] {
        if let Some(vr) = head.vr {
            return if KNOWN.contains(&&vr) { vr } else { *b"UN" };
        }
        let [a, b, c, d] = head.tag.to_be_bytes();
        let element = u16::from_be_bytes([c, d]);
        if head.group() % 2 == 1 {
            return if CREATORS.contains(&element) { *b"LO" } else { *b"UN" };
        }
        let known = StandardDataDictionary.by_tag(Numbered(u16::from_be_bytes([a, b]), element));
        match known.map(DataDictionaryEntry::vr) {
            Some(VirtualVr::Xs) if self.is_signed => *b"SS",
            Some(vr) => vr.relaxed().to_bytes(),
            None => *b"UN",
        }
    }

    /// A value under its key, `null` if it is empty; none if it would have to be turned around.
    fn said(&self, vr: [u8; 2], value: &[u8]) -> Option<(&'static str, Value)> {
        let values = match &vr {
            b"OB" | b"UN" => return Some(("InlineBinary", inline(value))),
            b"OD" | b"OF" | b"OL" | b"OV" | b"OW" => {
                return (!self.encoding.big).then(|| ("InlineBinary", inline(value)));
            }
            b"AT" => self.tags(value),
            b"FD" => self.numbers(value, |bytes| number(f64::from_le_bytes(bytes))),
            b"FL" => self.numbers(value, |bytes| number(f32::from_le_bytes(bytes).into())),
            b"SL" => self.numbers(value, |bytes| i32::from_le_bytes(bytes).into()),
            b"SS" => self.numbers(value, |bytes| i16::from_le_bytes(bytes).into()),
            b"SV" => self.numbers(value, |bytes| i64::from_le_bytes(bytes).into()),
            b"UL" => self.numbers(value, |bytes| u32::from_le_bytes(bytes).into()),
            b"US" => self.numbers(value, |bytes| u16::from_le_bytes(bytes).into()),
            b"UV" => self.numbers(value, |bytes| u64::from_le_bytes(bytes).into()),
            _ => self.texts(vr, value),
        };
        let is_empty = values.iter().all(Value::is_null);
        Some(("Value", if is_empty { Value::Null } else { values.into() }))
    }

    fn texts(&self, vr: [u8; 2], value: &[u8]) -> Vec<Value> {
        let text = text::decode(value, self.character_set.as_deref(), &mut Flags::none());
        if matches!(&vr, b"LT" | b"ST" | b"UR" | b"UT") {
            // Blanks at the front are meant (PS3.5 section 6.2).
            return vec![worded(text.trim_end_matches(padding))];
        }
        let one = |part: &str| {
            let part = part.trim_matches(padding);
            match &vr {
                b"PN" => person(part),
                b"IS" => part.parse::<i64>().map_or_else(|_| worded(part), Value::from),
                b"DS" => {
                    part.parse().ok().and_then(Number::from_f64).map_or_else(|| worded(part), Value::from)
                }
                _ => worded(part),
            }
        };
        text.split('\\').map(one).collect()
    }

    fn tags(&self, value: &[u8]) -> Vec<Value> {
        let half = |pair: Option<&[u8]>| self.encoding.number(pair.unwrap_or_default()).unwrap_or_default();
        let tag = |bytes: &[u8]| format!("{:04X}{:04X}", half(bytes.get(..2)), half(bytes.get(2..))).into();
        value.chunks_exact(4).map(tag).collect()
    }

    fn numbers<const N: usize>(&self, value: &[u8], read: impl Fn([u8; N]) -> Value) -> Vec<Value> {
        let chunks = value.chunks_exact(N).filter_map(|chunk| chunk.first_chunk().copied());
        let little = |mut bytes: [u8; N]| {
            if self.encoding.big {
                bytes.reverse();
            }
            bytes
        };
        chunks.map(|bytes| read(little(bytes))).collect()
    }
}

fn padding(character: char) -> bool {
    character == '\0' || character == ' '
}

/// A text, `null` if it is empty.
fn worded(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

/// What JSON has no number for is `null`.
fn number(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::from)
}

fn inline(value: &[u8]) -> Value {
    if value.is_empty() { Value::Null } else { STANDARD.encode(value).into() }
}

/// A person's name by its component groups (PS3.5 section 6.2.1).
pub fn person(name: &str) -> Value {
    let groups = ["Alphabetic", "Ideographic", "Phonetic"].into_iter().zip(name.split('='));
    let said = groups.filter(|(_, group)| !group.is_empty());
    let said: Map<String, Value> = said.map(|(name, group)| (name.to_owned(), group.into())).collect();
    if said.is_empty() { Value::Null } else { said.into() }
}
