//! MDM: documents with TXA, their content in OBX as text or embedded.

use base64::Engine as _;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};

use crate::facts::{Document, Format, Payload, Status};
use crate::flag::Flag;
use crate::hl7::message::{Part, Segment};
use crate::hl7::reader::Reading;
use crate::hl7::visit;
use crate::kind::{Class, DocumentKind};
use crate::patient::Patient;

/// Reads a document notification, with or without its content.
pub(crate) fn read(reading: &mut Reading<'_, '_>, patient: Patient) -> Document {
    let Some(txa) = reading.message.first("TXA") else {
        reading.flags.raise(Flag::KindUnknown);
        return reading.whole(patient, Class::Other);
    };
    let class = class(txa);
    reading.flags.raise_if(class == Class::Other, Flag::KindUnknown);
    let mut document = reading.whole(patient, class);
    if let Some(id) = reading.source_id(txa.field(12).once()) {
        document.source_id = Some(id);
    }
    document.title = worded(txa.field(2)).or(worded(txa.field(16))).map(Into::into).or(document.title);
    let written = [6, 7, 4].iter().find_map(|field| txa.field(*field).once().component(1).some());
    document.created = written.and_then(|time| reading.when(&time).ok()).or(document.created);
    document.service.start =
        txa.field(4).some().and_then(|time| reading.when(&time).ok()).or(document.service.start);
    document.author.person = [9, 5].iter().find_map(|field| visit::staff(txa.field(*field)));
    document.confidentiality = txa.field(18).some();
    document.status = status(reading, txa);
    document.replaces = reading.source_id(txa.field(13).once()).filter(|_| replaces(reading.trigger()));
    if let Some((format, bytes)) = content(reading) {
        document.format = format;
        document.payload = Payload::Embedded(bytes);
    }
    document.flags = reading.flags.clone();
    document
}

fn worded(field: Part<'_>) -> Option<String> {
    let field = field.once();
    field.component(2).some().or_else(|| field.component(1).some())
}

/// T09, T10: replacement; T08: an edit of the same document. An addendum (T05, T06) takes no one's place.
fn replaces(trigger: &str) -> bool {
    matches!(trigger, "T08" | "T09" | "T10")
}

/// TXA-2: a Chinese shared-document code, LOINC, or table 0270.
fn class(txa: Segment<'_>) -> Class {
    let kind = txa.field(2).once();
    let code = kind.component(1).value();
    if let Some(shared) = DocumentKind::from_shared_document(&code) {
        return shared.class;
    }
    let loinc = DocumentKind::from_loinc(&code).class;
    if loinc != Class::Other {
        return loinc;
    }
    match code.to_ascii_uppercase().as_str() {
        "CN" => Class::ConsultationNote,
        "DS" | "TS" => Class::DischargeSummary,
        "HP" => Class::AdmissionNote,
        "OP" | "PC" | "SP" => Class::ProcedureRecord,
        "PN" | "PR" => Class::ProgressNote,
        "DI" | "CD" | "EC" | "US" | "RAD" => Class::ImagingReport,
        "LP" | "PATH" | "AR" => Class::LaboratoryReport,
        "ED" => Class::EmergencyRecord,
        "CONSENT" => Class::ConsentForm,
        _ => Class::Other,
    }
}

/// TXA-17 and TXA-19, and T11 which cancels whatever they say.
fn status(reading: &mut Reading<'_, '_>, txa: Segment<'_>) -> Status {
    let availability = txa.field(19).value();
    if reading.trigger() == "T11" || matches!(availability.as_str(), "CA" | "OB") {
        return Status::Cancelled;
    }
    if replaces(reading.trigger()) {
        return Status::Corrected;
    }
    match txa.field(17).value().as_str() {
        "" | "AU" | "LA" | "DO" => Status::Final,
        "DI" | "IP" | "IN" | "PA" => Status::Preliminary,
        _ => {
            reading.flags.raise(Flag::StatusUnusual);
            Status::Final
        }
    }
}

/// The content: the first embedded object, else the text lines together.
fn content(reading: &mut Reading<'_, '_>) -> Option<(Format, Vec<u8>)> {
    let message = reading.message;
    let embedded = |obx: &Segment<'_>| obx.field(2).value() == "ED";
    if let Some(obx) = message.all("OBX").find(embedded) {
        let decoded = object(obx.field(5).once());
        reading.flags.raise_if(decoded.is_none(), Flag::EmbeddedDamaged);
        return decoded;
    }
    let text = |obx: &Segment<'_>| matches!(obx.field(2).value().as_str(), "TX" | "FT" | "ST" | "");
    let lines = message
        .all("OBX")
        .filter(text)
        .flat_map(|obx| obx.field(5).repetitions().map(Part::value).collect::<Vec<_>>());
    let lines: Vec<String> = lines.collect();
    let is_text = lines.iter().any(|line| !line.is_empty()) && message.all("OBX").all(|obx| text(&obx));
    is_text.then(|| (Format::Text, lines.join("\n").into_bytes()))
}

/// An ED field: source, type, subtype, encoding, data.
fn object(ed: Part<'_>) -> Option<(Format, Vec<u8>)> {
    let data = ed.component(5).value();
    let bytes = match ed.component(4).value().to_ascii_uppercase().as_str() {
        "A" => data.into_bytes(),
        "HEX" => from_hex(&data)?,
        _ => from_base64(&data)?,
    };
    let (kind, subtype) = (ed.component(2).value(), ed.component(3).value());
    let declared = Format::from_media_type(&format!("{kind}/{subtype}"));
    let declared = if declared == Format::Bytes { Format::from_media_type(&subtype) } else { declared };
    let declared = if declared == Format::Bytes { Format::from_media_type(&kind) } else { declared };
    (!bytes.is_empty()).then(|| (crate::detect::content(&bytes).unwrap_or(declared), bytes))
}

/// Base64 with line breaks and with or without padding; `None` if it is none.
pub(crate) fn from_base64(data: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let plain: String = data.chars().filter(|c| !c.is_whitespace()).collect();
    GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT).decode(plain).ok()
}

fn from_hex(data: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = data.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| core::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2));
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}
