//! One document to facts, whatever its format.

use yiqiao_intake::dates::Zone;
use yiqiao_intake::facts::{Document, Format, Status, Understood};
use yiqiao_intake::intake::{self, Door};
use yiqiao_intake::lab::RowStatus;
use yiqiao_proto::codes::DocumentFormat;

use crate::fact::{Fact, Found};
use crate::limits::DOCUMENT_FACTS_MAX;
use crate::{cda, fhir, hl7};

/// Why a document says nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// No reader for its format says facts: pictures, PDF, text, tables, DICOM.
    Format,
    /// The reader of its format does not understand it.
    NotUnderstood,
}

/// Whether documents of a format say facts at all.
pub const fn is_read(format: DocumentFormat) -> bool {
    matches!(
        format,
        DocumentFormat::Hl7V2
            | DocumentFormat::CdaWst
            | DocumentFormat::Cda
            | DocumentFormat::FhirJson
            | DocumentFormat::FhirXml
    )
}

/// Reads the facts of a document, in the order in which they stand, at most [`DOCUMENT_FACTS_MAX`].
///
/// # Errors
/// [`Unread`] if there is nothing to read.
pub fn read(bytes: &[u8], format: DocumentFormat, zone: &Zone) -> Result<Vec<Found>, Unread> {
    let read: fn(&[u8], &Document, &Zone) -> Option<Vec<Found>> = match format {
        DocumentFormat::Hl7V2 => hl7::read,
        DocumentFormat::CdaWst | DocumentFormat::Cda => cda::read,
        DocumentFormat::FhirJson => fhir::read_json,
        DocumentFormat::FhirXml => fhir::read_xml,
        DocumentFormat::Pdf
        | DocumentFormat::Text
        | DocumentFormat::Dicom
        | DocumentFormat::Picture
        | DocumentFormat::Table
        | DocumentFormat::Binary => return Err(Unread::Format),
    };
    let document = understood(bytes, zone).ok_or(Unread::NotUnderstood)?;
    if document.status == Status::Cancelled {
        return Ok(Vec::new());
    }
    let mut found = read(bytes, &document, zone).ok_or(Unread::NotUnderstood)?;
    let rows = document.lab.into_iter().filter(|row| row.status != RowStatus::Void);
    found.extend(rows.map(|row| Found::new(Fact::Result(row.clone()), row.place)));
    found.truncate(DOCUMENT_FACTS_MAX);
    Ok(found)
}

/// What a document says, but for its results, by what its reader has understood of it; none of a format without facts, and of what was
/// called back.
pub(crate) fn facts(bytes: &[u8], document: &Document, zone: &Zone) -> Option<Vec<Found>> {
    let read: fn(&[u8], &Document, &Zone) -> Option<Vec<Found>> = match document.format {
        Format::Hl7V2 => hl7::read,
        Format::Cda => cda::read,
        Format::FhirJson => fhir::read_json,
        Format::FhirXml => fhir::read_xml,
        Format::Pdf
        | Format::Text
        | Format::Markup
        | Format::Image
        | Format::Dicom
        | Format::Table
        | Format::Bytes => return None,
    };
    if document.status == Status::Cancelled { None } else { read(bytes, document, zone) }
}

/// The document that a reader understood, if it is one.
fn understood(bytes: &[u8], zone: &Zone) -> Option<Document> {
    let item = intake::read(bytes, &Door::of(None, zone.clone())).into_iter().next()?;
    match item.outcome {
        Ok(Understood::Documents(documents)) => documents.into_iter().next(),
        Ok(Understood::Events(_) | Understood::Answer(_) | Understood::Review(_)) | Err(_) => None,
    }
}
