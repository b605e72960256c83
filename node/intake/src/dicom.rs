//! DICOM (PS3.5, PS3.10): what an instance says of its patient, study and series.
//!
//! | to find | look in |
//! |---|---|
//! | elements one after the other, in every transfer syntax | [`element`] |
//! | which of them are kept, and what they say | [`instance`] |
//! | all of it as DICOM JSON | [`json`] |
//! | specific character sets | `text` |
//!
//! What stands before the pixel data is read as it comes, in bounded memory; sequences and long values are passed over. Not here:
//! pixels, and the study as one document, which is the business of `yiqiao-dicom`.

pub mod element;
pub mod instance;
pub mod json;
mod text;

use core::ops::Range;

use crate::dates::{Period, Zone};
use crate::dicom::element::Unreadable;
use crate::dicom::instance::Instance;
use crate::facts::{Author, Document, Format, Payload, Review, ReviewReason, SourceId, Staff, Status};
use crate::facts::{Understood, Visit};
use crate::flag::{Flag, Flags};
use crate::kind::{Class, DocumentKind, KindCode};
use crate::patient::Patient;
use crate::refusal::Refusal;

/// Who assigns UIDs, for [`SourceId::system`].
pub const UID: &str = "urn:dicom:uid";
/// What a directory of a medium is called in a review: (0002,0002) says that a file is one.
const DIRECTORY: &str = "DICOMDIR";
/// Media Storage Directory Storage.
const DIRECTORY_CLASS: &str = "1.2.840.10008.1.3.10";

/// What a study begins with that a node has written.
pub(crate) const STUDY_MAGIC: &[u8] = b"PK\x03\x04";

/// Reads one file: a document of one instance, or something for a person to look at.
pub(crate) fn read(input: &[u8], span: Range<usize>, zone: &Zone) -> Result<Understood, Refusal> {
    let instance = Instance::read(&mut &*input)?;
    let mut flags = Flags::none();
    let patient = match patient(&instance, &mut flags) {
        Ok(patient) => patient,
        Err(reason) => return Ok(Understood::Review(Box::new(review(&instance, reason, zone, flags)))),
    };
    let source_id = SourceId::new(UID, &instance.sop_instance());
    let payload = Payload::Message(span);
    Ok(Understood::Documents(vec![describe(&instance, patient, source_id, payload, zone, flags)]))
}

/// Reads a study as a node has written it: a document of all of it, as its first instance tells of it.
pub(crate) fn read_study(input: &[u8], span: Range<usize>, zone: &Zone) -> Result<Understood, Refusal> {
    let first = first_instance(input).ok_or(Unreadable::NotDicom)?;
    let instance = Instance::read(&mut &*first)?;
    let mut flags = Flags::none();
    let patient = match patient(&instance, &mut flags) {
        Ok(patient) => patient,
        Err(reason) => return Ok(Understood::Review(Box::new(review(&instance, reason, zone, flags)))),
    };
    let source_id = SourceId::new(UID, &instance.study());
    let payload = Payload::Message(span);
    Ok(Understood::Documents(vec![describe(&instance, patient, source_id, payload, zone, flags)]))
}

/// The second part of a ZIP whose parts are stored as they are: behind the list.
fn first_instance(input: &[u8]) -> Option<&[u8]> {
    let behind = part(input)?.1;
    part(behind).map(|(instance, _)| instance)
}

/// The part that begins here, and what is behind it.
fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    const HEAD_BYTES: usize = 30;
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let number =
        |at: usize| head.get(at..at + 2)?.first_chunk().map(|pair| usize::from(u16::from_le_bytes(*pair)));
    let size = head.get(18..22)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))?;
    let (method, name, extra) = (number(8)?, number(26)?, number(28)?);
    let is_stored = head.starts_with(STUDY_MAGIC) && method == 0;
    let content = is_stored.then(|| rest.get(name + extra..)).flatten()?;
    content.split_at_checked(usize::try_from(size).ok()?)
}

/// The patient of an instance, or why it names none under whom it could be filed.
///
/// # Errors
/// The reason for which a person has to look at it.
pub fn patient(instance: &Instance, flags: &mut Flags) -> Result<Patient, ReviewReason> {
    let patient = instance.patient(flags);
    if patient == Patient::default() {
        return Err(ReviewReason::NoPatient);
    }
    match Review::of_patient(&patient) {
        Some(reason) => Err(reason),
        None => Ok(patient),
    }
}

/// A document of one instance, or of the study that the instance stands for.
pub fn describe(
    instance: &Instance,
    patient: Patient,
    source_id: Option<SourceId>,
    payload: Payload,
    zone: &Zone,
    mut flags: Flags,
) -> Document {
    let date = instance.date(zone, &mut flags);
    flags.merge(&patient.check());
    flags.raise_if(source_id.is_none(), Flag::SourceIdFromMessage);
    let visit = instance.text(instance::ADMISSION_ID, &mut flags);
    Document {
        source_id,
        also_known_as: Vec::new(),
        kind: DocumentKind { class: Class::ImagingReport, code: KindCode::Local(instance.kind()) },
        title: instance.title(&mut flags).map(Into::into),
        format: Format::Dicom,
        date,
        created: date,
        service: Period { start: date, end: None },
        author: author(instance, &mut flags),
        status: Status::Final,
        replaces: None,
        visit: visit.map(Into::into),
        visits: Vec::<(_, Visit)>::new(),
        confidentiality: None,
        lab: Vec::new(),
        payload,
        patient,
        flags,
    }
}

fn author(instance: &Instance, flags: &mut Flags) -> Author {
    let name = instance.name(instance::PERFORMING_PHYSICIAN, flags).written;
    Author {
        organization: instance.text(instance::INSTITUTION, flags),
        department: instance.text(instance::DEPARTMENT, flags),
        person: name.map(|name| Staff { code: String::new(), name }),
        custodian: None,
    }
}

/// What a person is shown of a file that names no patient.
fn review(instance: &Instance, reason: ReviewReason, zone: &Zone, mut flags: Flags) -> Review {
    let is_directory = instance.sop_class() == DIRECTORY_CLASS;
    let kind = if is_directory { DIRECTORY.to_owned() } else { instance.kind() };
    let patient = Some(instance.patient(&mut flags)).filter(|patient| *patient != Patient::default());
    let date = instance.date(zone, &mut flags);
    Review { patient, date, flags, ..Review::new(reason, &kind) }
}

impl From<Unreadable> for Refusal {
    fn from(why: Unreadable) -> Self {
        Self::Dicom(why)
    }
}

#[cfg(test)]
mod tests;
