//! A study as one document: a ZIP of its instances, each as it came, stored and not compressed, whose first part lists them.
//!
//! The list says where each instance lies, so that one of them is read from a sealed document without the others. The same
//! instances give the same bytes: a study that is made again after a crash is the same document. Not here: bytes of instances.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use yiqiao_intake::dicom::instance::{self, Instance};
use yiqiao_intake::flag::Flags;
use yiqiao_proto::limits::DOCUMENT_BYTES_MAX;

use crate::limits::{INSTANCES_MAX, LIST_BYTES_MAX, TEXT_CHARS_MAX, UID_BYTES_MAX};

/// The name of the first part.
const LIST_NAME: &str = "study.json";
/// The only version of the list.
const VERSION: u32 = 1;
const LOCAL: u32 = 0x0403_4B50;
const CENTRAL: u32 = 0x0201_4B50;
const END: u32 = 0x0605_4B50;
const LOCAL_BYTES: usize = 30;
/// A reader of ZIP 2.0 suffices.
const NEEDED: u16 = 20;
/// 1 January 1980, the first day that ZIP knows: when a part was written is nobody's business.
const DAY: u16 = 0x0021;

/// What is listed of an instance. Its texts may name a patient: not to be logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Listed {
    /// Series Instance UID.
    pub series: String,
    /// Modality.
    pub modality: String,
    /// Series Number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series_number: Option<i32>,
    /// Series Description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series_description: Option<String>,
    /// SOP Instance UID.
    pub instance: String,
    /// SOP Class UID.
    pub sop_class: String,
    /// Transfer Syntax UID.
    pub transfer_syntax: String,
    /// Instance Number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i32>,
    /// Number of Frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<i32>,
    /// Rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u16>,
    /// Columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<u16>,
}

/// An instance and where it lies.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// What is listed of it.
    #[serde(flatten)]
    pub listed: Listed,
    /// Its first byte, counted from the end of the list.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// CRC-32 of it, as ZIP has it.
    pub crc32: u32,
}

/// The first part.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct List {
    version: u32,
    /// Study Instance UID.
    pub study: String,
    /// In their order: by series, then by number.
    pub instances: Vec<Part>,
}

/// An instance that is to be a part.
#[derive(Clone, PartialEq, Eq)]
pub struct Offered {
    /// What is listed of it.
    pub listed: Listed,
    /// Its length in bytes.
    pub length: u64,
    /// CRC-32 of it.
    pub crc32: u32,
}

/// How a study is written: the front, each instance behind its head, the end.
pub struct Layout {
    /// The list with its head.
    pub front: Vec<u8>,
    /// What stands in front of each instance, in the order of [`List::instances`].
    pub heads: Vec<Vec<u8>>,
    /// What stands behind the last.
    pub end: Vec<u8>,
    /// The list.
    pub list: List,
    /// Bytes of all.
    pub length: u64,
}

/// Why instances are no study that can be a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// More than are listed.
    #[error("the study has more than {INSTANCES_MAX} instances")]
    Instances,
    /// Longer than a document may be.
    #[error("the study has more than {DOCUMENT_BYTES_MAX} bytes")]
    Bytes,
}

/// Bytes are no list of a study.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the document is no study that this version has written")]
pub struct NoStudy;

impl Listed {
    /// What is listed of an instance; none if its UIDs are not of the standard's form.
    pub fn of(instance: &Instance) -> Option<Self> {
        let flags = &mut Flags::none();
        let uid = |uid: String| is_uid(&uid).then_some(uid);
        Some(Self {
            series: uid(instance.series())?,
            modality: clip(instance.kind()),
            series_number: instance.count(instance::SERIES_NUMBER),
            series_description: instance.text(instance::SERIES_DESCRIPTION, flags).map(clip),
            instance: uid(instance.sop_instance())?,
            sop_class: uid(instance.sop_class())?,
            transfer_syntax: Some(instance.transfer_syntax()).filter(|uid| uid.is_empty() || is_uid(uid))?,
            number: instance.count(instance::INSTANCE_NUMBER),
            frames: instance.count(instance::FRAMES),
            rows: instance.number(instance::ROWS),
            columns: instance.number(instance::COLUMNS),
        })
    }

    fn order(&self) -> (Option<i32>, &str, Option<i32>, &str) {
        (self.series_number, &self.series, self.number, &self.instance)
    }
}

/// Whether a text is a UID (PS3.5 section 9.1).
pub fn is_uid(text: &str) -> bool {
    let characters = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    characters && !text.is_empty() && text.len() <= UID_BYTES_MAX
}

fn clip(text: String) -> String {
    if text.chars().count() <= TEXT_CHARS_MAX { text } else { text.chars().take(TEXT_CHARS_MAX).collect() }
}

impl Layout {
    /// Lays out a study. Of instances with one UID the first counts.
    ///
    /// # Errors
    /// [`TooLarge`] if it cannot be one document.
    pub fn new(study: &str, mut offered: Vec<Offered>) -> Result<Self, TooLarge> {
        offered.sort_by(|one, two| one.listed.order().cmp(&two.listed.order()));
        let mut seen = BTreeSet::new();
        offered.retain(|one| seen.insert(one.listed.instance.clone()));
        if offered.len() > INSTANCES_MAX {
            return Err(TooLarge::Instances);
        }
        let mut instances = Vec::with_capacity(offered.len());
        let (mut heads, mut offset) = (Vec::new(), 0_u64);
        for (place, one) in offered.into_iter().enumerate() {
            let size = u32::try_from(one.length).map_err(|_| TooLarge::Bytes)?;
            let head = local(&name(place), one.crc32, size);
            let begins = offset + head.len() as u64;
            offset = begins + one.length;
            heads.push(head);
            let Offered { listed, length, crc32 } = one;
            instances.push(Part { listed, offset: begins, length, crc32 });
        }
        let list = List { version: VERSION, study: study.to_owned(), instances };
        let written = serde_json::to_vec(&list).unwrap_or_default();
        Self::around(list, &written, heads, offset)
    }

    fn around(list: List, written: &[u8], heads: Vec<Vec<u8>>, offset: u64) -> Result<Self, TooLarge> {
        let size = u32::try_from(written.len()).map_err(|_| TooLarge::Bytes)?;
        if written.len() > LIST_BYTES_MAX {
            return Err(TooLarge::Instances);
        }
        let crc = crc32(written);
        let mut front = local(LIST_NAME, crc, size);
        front.extend(written);
        let base = front.len() as u64;
        let mut end = central(LIST_NAME, crc, size, 0);
        for (place, part) in list.instances.iter().enumerate() {
            let name = name(place);
            let begins = base + part.offset - (LOCAL_BYTES + name.len()) as u64;
            let begins = u32::try_from(begins).map_err(|_| TooLarge::Bytes)?;
            end.extend(central(&name, part.crc32, u32::try_from(part.length).unwrap_or(u32::MAX), begins));
        }
        let directory = u32::try_from(base + offset).map_err(|_| TooLarge::Bytes)?;
        let count = u16::try_from(list.instances.len() + 1).map_err(|_| TooLarge::Instances)?;
        let bytes = u32::try_from(end.len()).map_err(|_| TooLarge::Bytes)?;
        end.extend(closing(count, bytes, directory));
        let length = base + offset + end.len() as u64;
        if length > DOCUMENT_BYTES_MAX {
            return Err(TooLarge::Bytes);
        }
        Ok(Self { front, heads, end, list, length })
    }
}

impl List {
    /// Where the list stands in a study that begins with these bytes.
    ///
    /// # Errors
    /// [`NoStudy`] if it is none, or its list exceeds the bound.
    pub fn place(front: &[u8]) -> Result<core::ops::Range<usize>, NoStudy> {
        let head = front.first_chunk::<LOCAL_BYTES>().ok_or(NoStudy)?;
        let name = front.get(LOCAL_BYTES..LOCAL_BYTES + LIST_NAME.len());
        let signed = head.first_chunk() == Some(&LOCAL.to_le_bytes());
        let size =
            head.get(18..22).and_then(|bytes| bytes.first_chunk()).map(|bytes| u32::from_le_bytes(*bytes));
        let size = usize::try_from(size.ok_or(NoStudy)?).map_err(|_| NoStudy)?;
        if !signed || name != Some(LIST_NAME.as_bytes()) || size > LIST_BYTES_MAX {
            return Err(NoStudy);
        }
        let begins = LOCAL_BYTES + LIST_NAME.len();
        Ok(begins..begins + size)
    }

    /// Reads the list.
    ///
    /// # Errors
    /// [`NoStudy`] if it is none of this version.
    pub fn read(bytes: &[u8]) -> Result<Self, NoStudy> {
        let list: Self = serde_json::from_slice(bytes).map_err(|_| NoStudy)?;
        let sound = list.version == VERSION && list.instances.len() <= INSTANCES_MAX;
        if sound { Ok(list) } else { Err(NoStudy) }
    }
}

/// CRC-32 of bytes that come one after the other, as ZIP has it.
#[derive(Clone, Default)]
pub struct Crc(crc32fast::Hasher);

impl Crc {
    /// More bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Of all that came.
    pub fn finish(self) -> u32 {
        self.0.finalize()
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc::default();
    crc.update(bytes);
    crc.finish()
}

fn name(place: usize) -> String {
    format!("{:05}.dcm", place + 1)
}

/// What both heads of a part share: version, flags, method, time, day, CRC, both sizes, length of the name, no extra field.
fn common(into: &mut Vec<u8>, name: &str, crc: u32, size: u32) {
    for number in [NEEDED, 0, 0, 0, DAY] {
        into.extend(number.to_le_bytes());
    }
    for number in [crc, size, size] {
        into.extend(number.to_le_bytes());
    }
    into.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
    into.extend([0, 0]);
}

fn local(name: &str, crc: u32, size: u32) -> Vec<u8> {
    let mut bytes = LOCAL.to_le_bytes().to_vec();
    common(&mut bytes, name, crc, size);
    bytes.extend(name.as_bytes());
    bytes
}

fn central(name: &str, crc: u32, size: u32, begins: u32) -> Vec<u8> {
    let mut bytes = CENTRAL.to_le_bytes().to_vec();
    bytes.extend(NEEDED.to_le_bytes());
    common(&mut bytes, name, crc, size);
    // No comment, first disk, no attributes.
    bytes.extend([0; 10]);
    bytes.extend(begins.to_le_bytes());
    bytes.extend(name.as_bytes());
    bytes
}

fn closing(count: u16, bytes: u32, begins: u32) -> Vec<u8> {
    let mut end = END.to_le_bytes().to_vec();
    end.extend([0; 4]);
    end.extend(count.to_le_bytes());
    end.extend(count.to_le_bytes());
    end.extend(bytes.to_le_bytes());
    end.extend(begins.to_le_bytes());
    end.extend([0; 2]);
    end
}

#[cfg(test)]
mod tests;
