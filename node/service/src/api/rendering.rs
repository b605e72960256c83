//! Documents as a person reads them: HTML made from what the readers of the formats understood, or the text as it is.
//!
//! Whatever a reader does not understand is shown as text; pictures and PDF are shown by the browser from their bytes. Not
//! here: who may open a document.

mod dicom;
mod fhir;
mod hl7;
mod observation;

use yiqiao_intake::cda::render::{self, Block};
use yiqiao_intake::charset;
use yiqiao_intake::dates::{When, Zone};
use yiqiao_intake::facts::{Document, Status, Understood};
use yiqiao_intake::flag::Flags;
use yiqiao_intake::intake::{self, Door};
use yiqiao_intake::lab::RowStatus;
use yiqiao_intake::patient::Sex;
use yiqiao_intake::refusal::Refusal;
use yiqiao_proto::codes::DocumentFormat;
use yiqiao_proto::phi::Phi;

use crate::api::html::Html;
use crate::content;
pub(super) use observation::Observation;

/// A document as it is shown.
pub(super) struct Rendering {
    /// Safe HTML, if a reader understood it.
    pub(super) html: Option<String>,
    /// The text as it is, of formats that are text and were not understood.
    pub(super) text: Option<String>,
    /// What its bytes are.
    pub(super) media_type: &'static str,
}

/// A section of a document as text: names and what is said of each, under its heading. Running text has no name.
///
/// It describes a patient, and cannot be printed.
pub(super) struct Passage {
    pub(super) title: String,
    pub(super) rows: Vec<(String, String)>,
}

/// Renders a document.
pub(super) fn render(bytes: &[u8], format: DocumentFormat, zone: &Zone) -> Rendering {
    let html = match format {
        DocumentFormat::Hl7V2 => hl7::render(bytes, zone),
        DocumentFormat::CdaWst | DocumentFormat::Cda => cda(bytes, zone).ok(),
        DocumentFormat::FhirJson | DocumentFormat::FhirXml => fhir::render(bytes, format, zone),
        DocumentFormat::Dicom => dicom::render(bytes, zone),
        DocumentFormat::Pdf
        | DocumentFormat::Text
        | DocumentFormat::Picture
        | DocumentFormat::Table
        | DocumentFormat::Binary => None,
    };
    let text = if html.is_none() && is_text(format) { Some(decoded(bytes)) } else { None };
    Rendering { html, text, media_type: media_type(format, bytes) }
}

/// The results that a document says, without those that are void: for trends.
pub(super) fn observations(bytes: &[u8], format: DocumentFormat, zone: &Zone) -> Vec<Observation> {
    let is_read = matches!(
        format,
        DocumentFormat::Hl7V2
            | DocumentFormat::CdaWst
            | DocumentFormat::Cda
            | DocumentFormat::FhirJson
            | DocumentFormat::FhirXml
    );
    let document = if is_read { understood(bytes, zone) } else { None };
    let rows = document.map(|document| document.lab).unwrap_or_default();
    rows.iter().filter(|row| row.status != RowStatus::Void).map(Observation::of).collect()
}

/// What a clinical document says, section by section; nothing of formats that are not made of sections.
pub(super) fn passages(bytes: &[u8], format: DocumentFormat) -> Vec<Passage> {
    if !matches!(format, DocumentFormat::CdaWst | DocumentFormat::Cda) {
        return Vec::new();
    }
    let sections = render::sections(bytes).unwrap_or_default().into_iter();
    sections.map(|section| Passage { title: section.title, rows: rows(section.blocks) }).collect()
}

/// The media type of bytes: of a picture the one that its first bytes tell, so that none is served as something else.
pub(super) fn media_type(format: DocumentFormat, bytes: &[u8]) -> &'static str {
    match format {
        DocumentFormat::Hl7V2 => "x-application/hl7-v2+er7",
        DocumentFormat::CdaWst | DocumentFormat::Cda => "application/hl7-cda+xml",
        DocumentFormat::FhirJson => "application/fhir+json",
        DocumentFormat::FhirXml => "application/fhir+xml",
        DocumentFormat::Pdf if bytes.starts_with(b"%PDF-") => "application/pdf",
        DocumentFormat::Text => "text/plain; charset=utf-8",
        DocumentFormat::Dicom if content::is_study(bytes) => "application/zip",
        DocumentFormat::Dicom => "application/dicom",
        DocumentFormat::Picture if bytes.starts_with(b"\x89PNG\r\n\x1a\n") => "image/png",
        DocumentFormat::Picture if bytes.starts_with(b"\xff\xd8\xff") => "image/jpeg",
        DocumentFormat::Table => "text/csv; charset=utf-8",
        DocumentFormat::Pdf | DocumentFormat::Picture | DocumentFormat::Binary => "application/octet-stream",
    }
}

const fn is_text(format: DocumentFormat) -> bool {
    match format {
        DocumentFormat::Hl7V2
        | DocumentFormat::CdaWst
        | DocumentFormat::Cda
        | DocumentFormat::FhirJson
        | DocumentFormat::FhirXml
        | DocumentFormat::Text
        | DocumentFormat::Table => true,
        DocumentFormat::Pdf | DocumentFormat::Dicom | DocumentFormat::Picture | DocumentFormat::Binary => {
            false
        }
    }
}

fn decoded(bytes: &[u8]) -> String {
    charset::decode(bytes, None, &mut Flags::none()).text.replace('\r', "\n")
}

/// What the reader of the message says the document is about, at the top of every rendering.
fn head(html: &mut Html, document: &Document, zone: &Zone) {
    let patient = &document.patient;
    let author = &document.author;
    let show = |when: &When| zone.show(when.at).chars().take(16).collect::<String>().replace('T', " ");
    let birth = patient.birth_date.as_ref().map(|birth| {
        let birth = birth.expose();
        let parts = [Some(i32::from(birth.year)), birth.month.map(i32::from), birth.day.map(i32::from)];
        parts.into_iter().flatten().map(|part| format!("{part:02}")).collect::<Vec<_>>().join("-")
    });
    let title = document.title.as_ref().map(|title| title.expose().clone());
    html.heading(1, &title.or_else(|| document.kind.title().map(str::to_owned)).unwrap_or_default());
    let person = author.person.as_ref().map(|person| person.name.clone());
    html.facts([
        ("患者", patient.name.as_ref().map(|name| name.expose().clone()).unwrap_or_default()),
        ("性别", patient.sex.as_ref().map(|sex| sex_name(*sex.expose()).to_owned()).unwrap_or_default()),
        ("出生日期", birth.unwrap_or_default()),
        ("医院", author.organization.clone().unwrap_or_default()),
        ("科室", author.department.clone().unwrap_or_default()),
        ("医生", person.unwrap_or_default()),
        ("时间", document.service.start.or(document.date).as_ref().map(show).unwrap_or_default()),
        ("状态", status_name(document.status).to_owned()),
    ]);
}

const fn sex_name(sex: Sex) -> &'static str {
    match sex {
        Sex::Male => "男",
        Sex::Female => "女",
        Sex::Unknown | Sex::NotStated => "",
    }
}

const fn status_name(status: Status) -> &'static str {
    match status {
        Status::Preliminary => "初步结果",
        Status::Final => "",
        Status::Corrected => "更正版",
        Status::Cancelled => "已作废",
    }
}

/// The document that a reader understood, if it is one.
fn understood(bytes: &[u8], zone: &Zone) -> Option<Document> {
    let door = Door::of(None, zone.clone());
    let item = intake::read(bytes, &door).into_iter().next()?;
    match item.outcome {
        Ok(Understood::Documents(documents)) => documents.into_iter().next(),
        Ok(Understood::Events(_) | Understood::Answer(_) | Understood::Review(_)) | Err(_) => None,
    }
}

fn cda(bytes: &[u8], zone: &Zone) -> Result<String, Refusal> {
    let sections = render::sections(bytes)?;
    let mut html = Html::default();
    if let Some(document) = understood(bytes, zone) {
        head(&mut html, &document, zone);
    }
    for section in &sections {
        html.heading(2 + section.level, &section.title);
        blocks(&mut html, &section.blocks);
    }
    Ok(html.finish())
}

fn blocks(html: &mut Html, blocks: &[Block]) {
    let mut entries: Vec<Vec<String>> = Vec::new();
    for block in blocks {
        if let Block::Entry { name, value, unit } = block {
            entries.push(vec![name.clone(), value.expose().clone(), unit.clone()]);
            continue;
        }
        html.table(&[], &std::mem::take(&mut entries));
        match block {
            Block::Paragraph(text) => html.paragraph(text.expose()),
            Block::Table { header, rows } => table(html, *header, rows),
            Block::Entry { .. } => {}
            Block::Cut => html.paragraph("内容过长，其余请下载原件查看。"),
        }
    }
    html.table(&[], &entries);
}

/// A table of the narrative; its first heading row is the heading.
fn table(html: &mut Html, header: usize, rows: &[Vec<Phi<String>>]) {
    let mut texts = rows.iter().map(|row| row.iter().map(|cell| cell.expose().clone()).collect());
    let heads: Vec<String> = if header > 0 { texts.next().unwrap_or_default() } else { Vec::new() };
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    html.table(&heads, &texts.collect::<Vec<_>>());
}

/// Entries by their names; text and the rows of tables without.
fn rows(blocks: Vec<Block>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for block in blocks {
        match block {
            Block::Entry { name, value, unit } => found.push((name, value.into_exposed() + &unit)),
            Block::Paragraph(text) => found.push((String::new(), text.into_exposed())),
            Block::Table { header, rows } => {
                let words = |row: &Vec<Phi<String>>| {
                    row.iter().map(|cell| cell.expose().as_str()).collect::<Vec<_>>().join(" ")
                };
                found.extend(rows.iter().skip(header).map(|row| (String::new(), words(row))));
            }
            Block::Cut => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn html(text: &str, format: DocumentFormat) -> String {
        render(text.as_bytes(), format, &Zone::china()).html.unwrap()
    }

    #[test]
    fn a_document_that_no_reader_understands_is_shown_as_text() {
        let shown = render(b"<script>1</script>", DocumentFormat::Cda, &Zone::china());
        assert_eq!((shown.html, shown.text.as_deref()), (None, Some("<script>1</script>")));
        let shown = render(b"\0\x01", DocumentFormat::Binary, &Zone::china());
        assert!(shown.html.is_none() && shown.text.is_none());
    }

    #[test]
    fn nothing_but_a_picture_is_served_as_a_picture() {
        assert_eq!(media_type(DocumentFormat::Picture, b"<svg onload=x>"), "application/octet-stream");
        assert_eq!(media_type(DocumentFormat::Picture, b"\xff\xd8\xff\xe0"), "image/jpeg");
        assert_eq!(media_type(DocumentFormat::Pdf, b"<html>"), "application/octet-stream");
    }

    #[test]
    fn scripts_in_a_clinical_document_do_not_come_out() {
        let document = "<ClinicalDocument xmlns='urn:hl7-org:v3'><component><structuredBody><component><section>\
            <title>&lt;img src=x onerror=alert(1)&gt;</title><text><paragraph onclick='x()'>甲&lt;script&gt;alert(1)&lt;/script&gt;\
            </paragraph><table><tr><td>&lt;b&gt;乙</td></tr></table></text></section></component></structuredBody></component>\
            </ClinicalDocument>";
        let html = html(document, DocumentFormat::CdaWst);
        assert!(html.contains("甲&lt;script&gt;") && html.contains("&lt;b&gt;乙"), "{html}");
        assert!(!html.contains("<script") && !html.contains("<img") && !html.contains("onclick="), "{html}");
    }
}
