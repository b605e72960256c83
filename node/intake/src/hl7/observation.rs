//! ORU and OUL: reports of laboratories, imaging and other diagnostic services.

use yiqiao_proto::phi::Phi;
use yiqiao_terms::mark;

use crate::dates::When;
use crate::facts::{Document, Status};
use crate::flag::Flag;
use crate::hl7::message::{Message, Part, Segment};
use crate::hl7::reader::Reading;
use crate::hl7::visit;
use crate::kind::Class;
use crate::lab::{LabRow, RowStatus};
use crate::limits::LAB_ROWS_MAX;
use crate::patient::Patient;

/// Diagnostic services of table 0074 that make images or curves.
const IMAGING: [&str; 22] = [
    "RAD", "RUS", "CT", "NMR", "MR", "MRI", "NMS", "CUS", "CTH", "EC", "EEG", "EMG", "EN", "OUS", "RX",
    "VUS", "XRC", "US", "DX", "CR", "MG", "XA",
];

/// Diagnostic services of table 0074 that examine specimens.
const LABORATORY: [&str; 17] = [
    "LAB", "CH", "HM", "MB", "MCB", "MYC", "BG", "BLB", "CG", "CP", "IMM", "SP", "SR", "TX", "URN", "VR",
    "PAR",
];

/// Words of report titles that mean an image or curve was made; the Latin ones stand alone.
const IMAGING_WORDS: [&str; 8] = ["CT", "MRI", "MR", "DR", "CR", "ECG", "XRAY", "ULTRASOUND"];
const IMAGING_WORDS_CHINESE: [&str; 14] = [
    "X线",
    "X光",
    "超声",
    "彩超",
    "B超",
    "心电",
    "脑电",
    "肌电",
    "内镜",
    "胃镜",
    "肠镜",
    "造影",
    "钼靶",
    "磁共振",
];

/// Reads a report.
pub(crate) fn read(reading: &mut Reading<'_, '_>, patient: Patient) -> Document {
    let message = reading.message;
    let lab = rows(reading);
    let class = class(message, reading.code(), &lab);
    reading.flags.raise_if(class == Class::Other, Flag::KindUnknown);
    let status = status(reading, &lab);
    let released = message.all("OBR").find_map(|obr| obr.field(22).once().component(1).some());
    let released = released.and_then(|time| reading.when(&time).ok());
    let ended = message.all("OBR").find_map(|obr| obr.field(8).once().component(1).some());
    let ended = ended.and_then(|time| reading.when(&time).ok());
    let mut document = reading.whole(patient, class);
    document.created = released.or(document.created);
    document.service.end = ended;
    document.status = status;
    // A corrected report has the number of the report that it corrects.
    document.replaces = document.source_id.clone().filter(|_| status == Status::Corrected);
    document.author.person = message.all("OBR").find_map(|obr| visit::staff(obr.field(32)));
    document.lab = lab;
    document.flags = reading.flags.clone();
    document
}

/// OBR-4 in words, the first three of a message.
pub(crate) fn title(message: &Message<'_>) -> Option<Phi<String>> {
    let mut names: Vec<String> = Vec::new();
    for name in message.all("OBR").filter_map(|obr| worded(obr.field(4))) {
        if !names.contains(&name) && names.len() < 3 {
            names.push(name);
        }
    }
    (!names.is_empty()).then(|| Phi::new(names.join(", ")))
}

/// The words of a CE or CWE field: text, original text, alternate text, or the code if it is all there is.
fn worded(field: Part<'_>) -> Option<String> {
    let field = field.once();
    [2, 9, 5, 1].iter().find_map(|part| field.component(*part).some())
}

/// The specimen of SPM-4 or OBR-15. The latter holds a whole coded element in its first component: code and words are its parts.
fn specimen(field: Part<'_>) -> Option<String> {
    let field = field.once();
    let source = field.component(1);
    let words = || [2, 9, 5].iter().find_map(|part| field.component(*part).some());
    source.subcomponent(2).some().or_else(words).or_else(|| source.subcomponent(1).some())
}

fn class(message: &Message<'_>, code: &str, rows: &[LabRow]) -> Class {
    let services: Vec<String> =
        message.all("OBR").filter_map(|obr| obr.field(24).once().component(1).some()).collect();
    let among = |known: &[&str]| {
        services.iter().any(|service| known.contains(&service.to_ascii_uppercase().as_str()))
    };
    if among(&IMAGING) {
        return Class::ImagingReport;
    }
    if code == "OUL" || among(&LABORATORY) {
        return Class::LaboratoryReport;
    }
    let title = title(message).map(|title| title.expose().to_uppercase()).unwrap_or_default();
    let mut words = title.split(|c: char| !c.is_ascii_alphanumeric());
    if words.any(|word| IMAGING_WORDS.contains(&word))
        || IMAGING_WORDS_CHINESE.iter().any(|word| title.contains(word))
    {
        return Class::ImagingReport;
    }
    let measured = |row: &LabRow| !row.unit.is_empty() || !row.range.expose().is_empty();
    let numeric = message.all("OBX").any(|obx| matches!(obx.field(2).raw(), "NM" | "SN" | "CE" | "CWE"));
    let specimen = message.first("SPM").is_some();
    if numeric || specimen || rows.iter().any(measured) { Class::LaboratoryReport } else { Class::Other }
}

/// OBR-25 of the first order that has one, else what the rows say.
fn status(reading: &mut Reading<'_, '_>, rows: &[LabRow]) -> Status {
    let said = reading.message.all("OBR").find_map(|obr| obr.field(25).some());
    let known = said.as_deref().and_then(|code| match code.to_ascii_uppercase().as_str() {
        "F" => Some(Status::Final),
        "C" | "K" => Some(Status::Corrected),
        "X" | "Y" | "Z" => Some(Status::Cancelled),
        "P" | "R" | "A" | "I" | "S" | "O" | "M" | "N" => Some(Status::Preliminary),
        _ => None,
    });
    reading.flags.raise_if(said.is_some() && known.is_none(), Flag::StatusUnusual);
    known.unwrap_or_else(|| {
        let any = |status| rows.iter().any(|row| row.status == status);
        if any(RowStatus::Corrected) {
            Status::Corrected
        } else if any(RowStatus::Preliminary) {
            Status::Preliminary
        } else {
            Status::Final
        }
    })
}

/// What the rows below an OBR have from it.
#[derive(Default)]
struct Panel {
    name: String,
    specimen: Option<String>,
    observed: Option<When>,
}

fn rows(reading: &mut Reading<'_, '_>) -> Vec<LabRow> {
    let mut rows = Vec::new();
    let mut panel = Panel::default();
    let mut place = 0;
    for segment in reading.message.segments().iter().copied() {
        place += usize::from(segment.is("OBX"));
        if segment.is("OBR") {
            panel = Panel {
                name: worded(segment.field(4)).unwrap_or_default(),
                specimen: specimen(segment.field(15)),
                observed: reading.when(&segment.field(7).once().component(1).value()).ok(),
            };
        } else if segment.is("SPM") {
            panel.specimen = specimen(segment.field(4)).or(panel.specimen);
        } else if segment.is("OBX") && !is_embedded(segment) {
            if rows.len() >= LAB_ROWS_MAX {
                reading.flags.raise(Flag::RowsCut);
                break;
            }
            rows.push(LabRow { place: format!("OBX[{place}]"), ..row(reading, segment, &panel) });
        }
    }
    rows
}

fn row(reading: &mut Reading<'_, '_>, obx: Segment<'_>, panel: &Panel) -> LabRow {
    let item = obx.field(3).once();
    let (name, mutual) = mark::split(&worded(item).unwrap_or_default());
    let observed = reading.when(&obx.field(14).once().component(1).value()).ok();
    LabRow {
        panel: Phi::new(panel.name.clone()),
        specimen: panel.specimen.clone().map(Phi::new),
        code: Phi::new(item.component(1).value()),
        system: item.component(3).value(),
        name: Phi::new(name),
        mutual,
        value: Phi::new(value(obx)),
        unit: unit(obx.field(6).once()),
        range: Phi::new(obx.field(7).value()),
        flag: Phi::new(obx.field(8).once().component(1).value()),
        status: row_status(reading, obx),
        observed: observed.or(panel.observed),
        place: String::new(),
    }
}

/// OBX-5 in words, by its type in OBX-2.
fn value(obx: Segment<'_>) -> String {
    let kind = obx.field(2).value();
    let once = |part: Part<'_>| match kind.as_str() {
        "CE" | "CWE" | "CF" | "CNE" => worded(part).unwrap_or_default(),
        // Comparator, number, separator, number: >^100, ^1^:^128.
        "SN" => (1..=4).map(|at| part.component(at).value()).collect(),
        _ => part.value(),
    };
    let values = obx.field(5).repetitions().map(once).filter(|value| !value.is_empty());
    values.collect::<Vec<_>>().join("\n")
}

/// OBX-6: the code, or the text beside it, where Chinese systems put the unit.
fn unit(field: Part<'_>) -> String {
    field.component(1).some().or_else(|| field.component(2).some()).unwrap_or_default()
}

/// OBX-11; some systems shift it to OBX-10.
fn row_status(reading: &mut Reading<'_, '_>, obx: Segment<'_>) -> RowStatus {
    let own = obx.field(11);
    if let Some(status) = RowStatus::parse(&own.value()) {
        return status;
    }
    let shifted = if own.is_empty() { obx.field(10).value() } else { String::new() };
    let status = if matches!(shifted.as_str(), "F" | "P" | "C") { RowStatus::parse(&shifted) } else { None };
    reading.flags.raise_if(!own.is_empty() || status.is_some(), Flag::StatusUnusual);
    status.unwrap_or(RowStatus::Final)
}

fn is_embedded(obx: Segment<'_>) -> bool {
    matches!(obx.field(2).value().as_str(), "ED" | "RP")
}
