//! FHIR R4: observations as a table, other resources as what, when and details, narrative as plain text.

use serde_json::Value;
use yiqiao_intake::dates::Zone;
use yiqiao_intake::fhir::results::{self, concept, list, scalar, text};
use yiqiao_proto::codes::DocumentFormat;

use super::observation::{HEADS, cells};
use super::{head, understood};
use crate::api::html::Html;

/// Resources of one bundle that are looked at.
const RESOURCES_MAX: usize = 20_000;
/// Characters of one narrative that are shown.
const NARRATIVE_CHARS_MAX: usize = 256 * 1024;

/// A kind of resources that are shown as rows: heading, where the name stands, where the time, and where details.
type Shown = (&'static str, &'static str, Names, Names, Names);

/// Fields of a resource.
type Names = &'static [&'static str];

/// All of them.
const SHOWN: &[Shown] = &[
    ("DiagnosticReport", "诊断报告", &["code"], &["effectiveDateTime", "issued"], &["conclusion", "status"]),
    ("Condition", "诊断", &["code"], &["onsetDateTime", "recordedDate"], &["clinicalStatus", "note"]),
    ("MedicationRequest", "处方", MEDICINE, &["authoredOn"], &["dosageInstruction", "note"]),
    ("MedicationStatement", "用药", MEDICINE, &["effectiveDateTime", "dateAsserted"], &["dosage", "note"]),
    ("MedicationAdministration", "给药", MEDICINE, &["effectiveDateTime"], &["dosage", "note"]),
    ("MedicationDispense", "发药", MEDICINE, &["whenHandedOver"], &["dosageInstruction"]),
    ("Procedure", "手术与治疗", &["code"], &["performedDateTime", "performedPeriod"], &["outcome", "note"]),
    ("AllergyIntolerance", "过敏", &["code"], &["recordedDate"], &["reaction", "criticality"]),
    ("Immunization", "预防接种", &["vaccineCode"], &["occurrenceDateTime"], &["lotNumber", "note"]),
    ("Encounter", "就诊", &["type", "class"], &["period"], &["reasonCode", "serviceType"]),
    ("ServiceRequest", "申请", &["code"], &["authoredOn"], &["reasonCode", "note", "patientInstruction"]),
    ("CarePlan", "诊疗计划", &["title", "category"], &["created", "period"], &["description", "note"]),
    ("DocumentReference", "文档", &["description", "type"], &["date"], &["content"]),
];

const MEDICINE: Names = &["medicationCodeableConcept", "medicationReference"];

pub(super) fn render(bytes: &[u8], format: DocumentFormat, zone: &Zone) -> Option<String> {
    let root = parse(bytes, format)?;
    let resources: Vec<&Value> =
        results::resources(&root).into_iter().map(|placed| placed.resource).take(RESOURCES_MAX).collect();
    let mut html = Html::default();
    if let Some(document) = understood(bytes, zone) {
        head(&mut html, &document, zone);
    }
    for composition in of_kind(&resources, "Composition") {
        sections(&mut html, composition, 2);
    }
    let rows = results::rows(&root, zone);
    if !rows.is_empty() {
        html.heading(2, "结果");
        html.table(&HEADS, &rows.iter().map(|(_, row)| cells(row)).collect::<Vec<_>>());
    }
    for (kind, heading, name, time, details) in SHOWN {
        let row = |resource: &Value| {
            vec![words(resource, name, " "), words(resource, time, " "), words(resource, details, "；")]
        };
        let rows: Vec<_> = of_kind(&resources, kind).map(row).collect();
        if !rows.is_empty() {
            html.heading(2, heading);
            html.table(&["名称", "时间", "内容"], &rows);
        }
    }
    narratives(&mut html, &resources);
    Some(html.finish())
}

fn parse(bytes: &[u8], format: DocumentFormat) -> Option<Value> {
    if format == DocumentFormat::FhirXml {
        return yiqiao_intake::fhir::json_of_xml(bytes).ok();
    }
    serde_json::from_slice(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)).ok().filter(Value::is_object)
}

fn of_kind<'a>(resources: &'a [&'a Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    resources.iter().copied().filter(move |one| text(one, "resourceType") == kind)
}

/// Sections of a composition with their narrative, those within others a level below.
fn sections(html: &mut Html, parent: &Value, level: usize) {
    const LEVELS_MAX: usize = 8;
    if level == 2 {
        html.heading(1, &text(parent, "title"));
    }
    for section in list(parent.get("section")) {
        html.heading(level, &text(section, "title"));
        html.paragraph(&narrative(section));
        if level < LEVELS_MAX {
            sections(html, section, level + 1);
        }
    }
}

/// Narrative of resources that are shown in no other way.
fn narratives(html: &mut Html, resources: &[&Value]) {
    const TOLD: [&str; 7] = [
        "Composition",
        "Observation",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "Organization",
        "Location",
    ];
    for resource in resources {
        let kind = text(resource, "resourceType");
        let told = TOLD.contains(&kind.as_str()) || SHOWN.iter().any(|(known, ..)| *known == kind);
        if !told {
            html.paragraph(&narrative(resource));
        }
    }
}

fn narrative(of: &Value) -> String {
    of.get("text").map(|narrative| plain(&text(narrative, "div"))).unwrap_or_default()
}

/// The words of XHTML: tags are left out, blocks end lines, scripts and styles say nothing.
fn plain(markup: &str) -> String {
    let (mut text, mut rest, mut silent) = (String::new(), markup, false);
    while let Some((before, tag)) = rest.split_once('<') {
        if !silent {
            text += &unescaped(before);
        }
        // A tag without an end takes the rest with it.
        let (tag, after) = tag.split_once('>').unwrap_or((tag, ""));
        let name =
            tag.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or("");
        match name.to_ascii_lowercase().as_str() {
            "script" | "style" => silent = !tag.starts_with('/') && !tag.ends_with('/'),
            "td" | "th" => text.push(' '),
            "p" | "div" | "li" | "tr" | "br" | "table" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                text.push('\n');
            }
            _ => {}
        }
        rest = after;
        if text.len() > NARRATIVE_CHARS_MAX {
            break;
        }
    }
    if !silent {
        text += &unescaped(rest);
    }
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn unescaped(text: &str) -> String {
    let known = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&#160;", " "),
        ("&nbsp;", " "),
    ];
    let text = known.iter().fold(text.to_owned(), |text, (name, letter)| text.replace(name, letter));
    text.replace("&amp;", "&")
}

/// The words that stand in fields of a resource.
fn words(resource: &Value, fields: &[&str], between: &str) -> String {
    let found: Vec<String> = fields.iter().filter_map(|name| resource.get(*name)).map(said).collect();
    found.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(between)
}

/// What a value of any type says: text, concept, reference, period, dosage, note, attachment, or a list of them.
fn said(value: &Value) -> String {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => scalar(value),
        Value::Array(items) => {
            let texts: Vec<String> = items.iter().map(said).filter(|text| !text.is_empty()).collect();
            texts.join("；")
        }
        Value::Object(_) => object_said(value),
        Value::Null => String::new(),
    }
}

fn object_said(object: &Value) -> String {
    let concept = concept(object);
    if !concept.is_empty() {
        return concept;
    }
    let period = [text(object, "start"), text(object, "end")];
    if period.iter().any(|end| !end.is_empty()) {
        return period.join(" 至 ");
    }
    let plain = ["title", "description"].iter().map(|name| text(object, name)).find(|text| !text.is_empty());
    let within =
        || ["manifestation", "attachment"].iter().filter_map(|name| object.get(*name)).map(said).next();
    plain.or_else(within).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::observations;
    use super::super::tests::html;
    use super::*;

    const BUNDLE: &str = r#"{"resourceType":"Bundle","type":"document","entry":[
        {"resource":{"resourceType":"Composition","title":"出院小结<script>1</script>","subject":{"reference":"Patient/1"},
         "section":[{"title":"经过","text":{"div":"<div>好转<script>alert(1)</script><p onclick='x'>&lt;b&gt;出院</p></div>"}}]}},
        {"resource":{"resourceType":"Patient","id":"1","identifier":[{"system":"urn:his","value":"77"}],"name":[{"text":"陈志远"}]}},
        {"resource":{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2823-3","display":"钾"}]},
         "effectiveDateTime":"2026-01-02T08:00:00+08:00","valueQuantity":{"value":5.9,"unit":"mmol/L"},
         "referenceRange":[{"low":{"value":3.5},"high":{"value":5.3}}],"interpretation":[{"coding":[{"code":"H"}]}]}},
        {"resource":{"resourceType":"Condition","code":{"text":"高血压"},"recordedDate":"2026-01-02"}}]}"#;

    #[test]
    fn a_document_is_readable_and_no_script_of_it_comes_out() {
        let html = html(BUNDLE, DocumentFormat::FhirJson);
        for shown in ["陈志远", "好转", "&lt;b&gt;出院", "钾", "3.5-5.3", "↑ 偏高", "高血压"] {
            assert!(html.contains(shown), "{shown} in {html}");
        }
        assert!(
            !html.contains("<script") && !html.contains("alert(1)") && !html.contains("onclick"),
            "{html}"
        );
    }

    #[test]
    fn an_observation_has_its_code_value_and_range() {
        let rows = observations(BUNDLE.as_bytes(), DocumentFormat::FhirJson, &Zone::china());
        let row = rows.first().unwrap();
        assert_eq!((row.loinc.as_deref(), row.value.as_str()), (Some("2823-3"), "5.9"));
        assert_eq!((row.code.as_str(), row.range.as_str()), ("2823-3", "3.5-5.3"));
        assert_eq!(row.at.unwrap().unix_ms(), 1_767_312_000_000);
    }

    #[test]
    fn broken_markup_of_a_narrative_is_plain_text_all_the_same() {
        assert_eq!(plain("<p>一<br/>二<b"), "一\n二");
        assert_eq!(plain("<style>x{}</style>三&amp;lt;"), "三&lt;");
        assert_eq!(plain("<SCRIPT>x"), "");
    }

    #[test]
    fn what_is_no_resource_is_not_rendered() {
        assert!(render(b"[1]", DocumentFormat::FhirJson, &Zone::china()).is_none());
        assert!(render(b"{", DocumentFormat::FhirJson, &Zone::china()).is_none());
    }
}
