//! What of an instance is kept in memory: whom it is of, which study, series and instance it is, and how it is encoded.

use std::collections::BTreeMap;
use std::io::Read;

use crate::dates::{When, Zone, birth_date};
use crate::dicom::element::{Elements, Encoding, TRANSFER_SYNTAX, Tag, Unreadable, uid};
use crate::dicom::text;
use crate::flag::Flags;
use crate::limits::TOKEN_CHARS_MAX;
use crate::patient::{IdKind, Identifier, Name, Patient, Sex};
use crate::resident_id::ResidentId;

const MEDIA_CLASS: Tag = 0x0002_0002;
const MEDIA_INSTANCE: Tag = 0x0002_0003;
const CHARACTER_SET: Tag = 0x0008_0005;
const SOP_CLASS: Tag = 0x0008_0016;
const SOP_INSTANCE: Tag = 0x0008_0018;
/// Study, series, acquisition and content date, each with its time below.
const DATES: [(Tag, Tag); 4] = [
    (0x0008_0020, 0x0008_0030),
    (0x0008_0021, 0x0008_0031),
    (0x0008_0022, 0x0008_0032),
    (0x0008_0023, 0x0008_0033),
];
/// Study Date
pub const STUDY_DATE: Tag = DATES[0].0;
/// Study Time
pub const STUDY_TIME: Tag = DATES[0].1;
/// Accession Number
pub const ACCESSION: Tag = 0x0008_0050;
const MODALITY: Tag = 0x0008_0060;
/// Institution Name
pub const INSTITUTION: Tag = 0x0008_0080;
const OFFSET: Tag = 0x0008_0201;
/// Study Description
pub const STUDY_DESCRIPTION: Tag = 0x0008_1030;
/// Series Description
pub const SERIES_DESCRIPTION: Tag = 0x0008_103E;
/// Institutional Department Name
pub const DEPARTMENT: Tag = 0x0008_1040;
/// Performing Physician's Name
pub const PERFORMING_PHYSICIAN: Tag = 0x0008_1050;
/// Patient's Name
pub const PATIENT_NAME: Tag = 0x0010_0010;
/// Patient ID
pub const PATIENT_ID: Tag = 0x0010_0020;
const ISSUER: Tag = 0x0010_0021;
/// Patient's Birth Date
pub const BIRTH_DATE: Tag = 0x0010_0030;
/// Patient's Sex
pub const SEX: Tag = 0x0010_0040;
const OTHER_IDS: Tag = 0x0010_1000;
const ADDRESS: Tag = 0x0010_1040;
const PHONE: Tag = 0x0010_2154;
const STUDY: Tag = 0x0020_000D;
const SERIES: Tag = 0x0020_000E;
/// Series Number
pub const SERIES_NUMBER: Tag = 0x0020_0011;
/// Instance Number
pub const INSTANCE_NUMBER: Tag = 0x0020_0013;
/// Number of Frames
pub const FRAMES: Tag = 0x0028_0008;
/// Rows
pub const ROWS: Tag = 0x0028_0010;
/// Columns
pub const COLUMNS: Tag = 0x0028_0011;
/// Admission ID
pub const ADMISSION_ID: Tag = 0x0038_0010;

/// All that is kept, in ascending order of tags as they stand in a data set.
const KEPT: [Tag; 35] = [
    CHARACTER_SET,
    SOP_CLASS,
    SOP_INSTANCE,
    DATES[0].0,
    DATES[1].0,
    DATES[2].0,
    DATES[3].0,
    DATES[0].1,
    DATES[1].1,
    DATES[2].1,
    DATES[3].1,
    ACCESSION,
    MODALITY,
    INSTITUTION,
    OFFSET,
    STUDY_DESCRIPTION,
    SERIES_DESCRIPTION,
    DEPARTMENT,
    PERFORMING_PHYSICIAN,
    PATIENT_NAME,
    PATIENT_ID,
    ISSUER,
    BIRTH_DATE,
    SEX,
    OTHER_IDS,
    ADDRESS,
    PHONE,
    STUDY,
    SERIES,
    SERIES_NUMBER,
    INSTANCE_NUMBER,
    FRAMES,
    ROWS,
    COLUMNS,
    ADMISSION_ID,
];

/// What a kind is called of which nothing is said.
const NO_KIND: &str = "DICOM";

/// An instance but for its pixels. Not to be printed: it names its patient.
#[derive(Clone, PartialEq, Eq)]
pub struct Instance {
    meta: BTreeMap<Tag, Vec<u8>>,
    values: BTreeMap<Tag, Vec<u8>>,
    encoding: Encoding,
}

impl Instance {
    /// Reads a file up to its pixel data.
    ///
    /// # Errors
    /// [`Unreadable`] if it is no DICOM, was cut before that, or exceeds a bound.
    pub fn read(from: &mut dyn Read) -> Result<Self, Unreadable> {
        let mut elements = Elements::open(from)?;
        let mut values = BTreeMap::new();
        while let Some(element) = elements.next(&KEPT, ADMISSION_ID)? {
            // What comes again is another one's.
            values.entry(element.tag).or_insert(element.value);
        }
        let meta = elements.meta().iter().map(|element| (element.tag, element.value.clone())).collect();
        Ok(Self { meta, values, encoding: elements.encoding() })
    }

    /// Study Instance UID, empty if there is none.
    pub fn study(&self) -> String {
        self.uid(STUDY)
    }

    /// Series Instance UID, empty if there is none.
    pub fn series(&self) -> String {
        self.uid(SERIES)
    }

    /// SOP Instance UID, else that of the file meta information; empty if there is none.
    pub fn sop_instance(&self) -> String {
        Some(self.uid(SOP_INSTANCE))
            .filter(|uid| !uid.is_empty())
            .unwrap_or_else(|| self.meta(MEDIA_INSTANCE))
    }

    /// SOP Class UID, else that of the file meta information; empty if there is none.
    pub fn sop_class(&self) -> String {
        Some(self.uid(SOP_CLASS)).filter(|uid| !uid.is_empty()).unwrap_or_else(|| self.meta(MEDIA_CLASS))
    }

    /// Transfer Syntax UID, empty if the file does not say.
    pub fn transfer_syntax(&self) -> String {
        self.meta(TRANSFER_SYNTAX)
    }

    /// What sort of document this is to its sender: the modality.
    pub fn kind(&self) -> String {
        let modality = self.values.get(&MODALITY).map(|value| uid(value)).unwrap_or_default();
        let clipped: String = modality.chars().take(TOKEN_CHARS_MAX).collect();
        if clipped.is_empty() { NO_KIND.to_owned() } else { clipped }
    }

    /// A text, unless it is blank.
    pub fn text(&self, tag: Tag, flags: &mut Flags) -> Option<String> {
        let value = self.values.get(&tag)?;
        let declared = self.values.get(&CHARACTER_SET).map(Vec::as_slice);
        let text = text::decode(value, declared, flags);
        let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Patient ID as it stands there, to tell two patients of one study apart.
    pub fn number_of_patient(&self) -> Option<String> {
        self.text(PATIENT_ID, &mut Flags::none())
    }

    /// A number of two bytes.
    pub fn number(&self, tag: Tag) -> Option<u16> {
        self.encoding.number(self.values.get(&tag)?)
    }

    /// A number in digits.
    pub fn count(&self, tag: Tag) -> Option<i32> {
        uid(self.values.get(&tag)?).parse().ok()
    }

    /// A person's name (PS3.5 6.2.1): ideographic, else alphabetic as written, and its sound.
    pub fn name(&self, tag: Tag, flags: &mut Flags) -> Name {
        let mut name = Name::default();
        let Some(text) = self.text(tag, flags) else { return name };
        let first = text.split('\\').next().unwrap_or_default();
        for group in first.split('=').take(2) {
            let mut parts = group.split('^').map(str::trim);
            let family = parts.next().unwrap_or_default();
            let given: Vec<String> = parts.take(2).map(str::to_owned).collect();
            name.add(family, &given);
        }
        name
    }

    /// Whom it is of.
    pub fn patient(&self, flags: &mut Flags) -> Patient {
        let name = self.name(PATIENT_NAME, flags);
        let birth = self.text(BIRTH_DATE, flags).and_then(|text| birth_date(&text, flags).ok());
        let mut patient = Patient {
            identifiers: Vec::new(),
            name: name.written.map(Into::into),
            pinyin: name.pinyin.map(Into::into),
            sex: self.text(SEX, flags).and_then(|text| Sex::read(&text, flags)).map(Into::into),
            birth_date: birth.map(Into::into),
            phone: self.text(PHONE, flags).map(Into::into),
            address: self.text(ADDRESS, flags).map(Into::into),
        };
        let issuer = self.text(ISSUER, flags).unwrap_or_default();
        if let Some(id) = self.text(PATIENT_ID, flags) {
            patient.identify(Identifier::new(IdKind::Local, &id, &issuer));
        }
        for id in self.text(OTHER_IDS, flags).unwrap_or_default().split('\\') {
            let kind = if ResidentId::parse(id.trim()).is_ok() { IdKind::ResidentId } else { IdKind::Other };
            patient.identify(Identifier::new(kind, id, ""));
        }
        patient
    }

    /// When it was made: the study's date, else that of series, acquisition or content.
    pub fn date(&self, zone: &Zone, flags: &mut Flags) -> Option<When> {
        DATES.iter().find_map(|(date, time)| {
            let date = self.plain(*date)?;
            let time = self.plain(*time).unwrap_or_default();
            let offset = self.plain(OFFSET).unwrap_or_default();
            let exact = written(&date, &time, &offset);
            let read = exact.and_then(|text| When::parse(&text, zone, flags).ok());
            read.or_else(|| When::parse(&date, zone, flags).ok())
        })
    }

    /// What staff call it.
    pub fn title(&self, flags: &mut Flags) -> Option<String> {
        self.text(STUDY_DESCRIPTION, flags).or_else(|| self.text(SERIES_DESCRIPTION, flags))
    }

    fn uid(&self, tag: Tag) -> String {
        self.values.get(&tag).map(|value| uid(value)).unwrap_or_default()
    }

    fn meta(&self, tag: Tag) -> String {
        self.meta.get(&tag).map(|value| uid(value)).unwrap_or_default()
    }

    fn plain(&self, tag: Tag) -> Option<String> {
        Some(self.uid(tag)).filter(|text| !text.is_empty())
    }
}

/// Date and time as one, without fractions of a second; `2004.01.19` and `13:05:00` are of ACR-NEMA.
fn written(date: &str, time: &str, offset: &str) -> Option<String> {
    let time: String = time.split('.').next()?.chars().filter(char::is_ascii_digit).collect();
    let date: String = date.chars().filter(char::is_ascii_digit).collect();
    let is_offset = matches!(offset.as_bytes(), [b'+' | b'-', digits @ ..] if digits.len() == 4);
    let offset = if is_offset { offset } else { "" };
    (date.len() == 8 && time.len() >= 4).then(|| format!("{date}{time}{offset}"))
}
