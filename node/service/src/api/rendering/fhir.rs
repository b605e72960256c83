//! FHIR R4: observations as a table, other resources as what, when and details, narrative as plain text.

use serde_json::Value;
use yiqiao_intake::dates::{When, Zone};
use yiqiao_intake::flag::Flags;
use yiqiao_proto::codes::DocumentFormat;
use yiqiao_terms::mark;

use super::observation::HEADS;
use super::{Observation, head, understood};
use crate::api::html::Html;

const LOINC: &str = "http://loinc.org";

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
    let resources = resources(&root);
    let mut html = Html::default();
    if let Some(document) = understood(bytes, zone) {
        head(&mut html, &document, zone);
    }
    for composition in of_kind(&resources, "Composition") {
        sections(&mut html, composition, 2);
    }
    let rows: Vec<_> = of_kind(&resources, "Observation").flat_map(|one| observation(one, zone)).collect();
    if !rows.is_empty() {
        html.heading(2, "结果");
        html.table(&HEADS, &rows.iter().map(Observation::cells).collect::<Vec<_>>());
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

pub(super) fn observations(bytes: &[u8], format: DocumentFormat, zone: &Zone) -> Vec<Observation> {
    let Some(root) = parse(bytes, format) else { return Vec::new() };
    let void = |one: &Value| matches!(text(one, "status").as_str(), "cancelled" | "entered-in-error");
    let found = resources(&root);
    of_kind(&found, "Observation").filter(|one| !void(one)).flat_map(|one| observation(one, zone)).collect()
}

fn parse(bytes: &[u8], format: DocumentFormat) -> Option<Value> {
    if format == DocumentFormat::FhirXml {
        return yiqiao_intake::fhir::json_of_xml(bytes).ok();
    }
    serde_json::from_slice(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)).ok().filter(Value::is_object)
}

/// The resources of a bundle, or the one that there is; those within others too.
fn resources(root: &Value) -> Vec<&Value> {
    let entries: Vec<&Value> =
        list(root.get("entry")).iter().filter_map(|entry| entry.get("resource")).collect();
    let tops = if text(root, "resourceType") == "Bundle" { entries } else { vec![root] };
    let all = tops.into_iter().flat_map(|top| std::iter::once(top).chain(list(top.get("contained"))));
    all.take(RESOURCES_MAX).collect()
}

fn of_kind<'a>(resources: &'a [&'a Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    resources.iter().copied().filter(move |one| text(one, "resourceType") == kind)
}

/// An observation, or the ones that it is made of.
fn observation(resource: &Value, zone: &Zone) -> Vec<Observation> {
    let at = ["effectiveDateTime", "effectiveInstant", "issued"].iter().map(|name| text(resource, name));
    let at =
        at.filter_map(|text| When::parse(&text, zone, &mut Flags::none()).ok()).next().map(|when| when.at);
    let whole = std::iter::once(resource).chain(list(resource.get("component")));
    let specimen = resource.get("specimen").map(|specimen| text(specimen, "display")).unwrap_or_default();
    let row = |one: &Value| {
        let (value, unit) = value(one)?;
        let range = list(one.get("referenceRange")).first().map(range).unwrap_or_default();
        let flag = list(one.get("interpretation")).first().map(flag).unwrap_or_default();
        let code = one.get("code");
        let (name, recognition) = mark::split(&code.map(concept).unwrap_or_default());
        let own = code.and_then(|code| list(code.get("coding")).first()).map(|coding| text(coding, "code"));
        let specimen = specimen.clone();
        Some(Observation {
            loinc: loinc(code),
            code: own.unwrap_or_default(),
            sampled: specimen.clone(),
            specimen,
            name,
            recognition,
            value,
            unit,
            range,
            flag,
            at,
        })
    };
    whole.filter_map(row).collect()
}

/// Value and unit of an observation; none if it has none of its own.
fn value(resource: &Value) -> Option<(String, String)> {
    if let Some(quantity) = resource.get("valueQuantity") {
        let unit = [text(quantity, "unit"), text(quantity, "code")].into_iter().find(|unit| !unit.is_empty());
        let value = text(quantity, "comparator") + &text(quantity, "value");
        return Some((value, unit.unwrap_or_default()));
    }
    let plain = ["valueString", "valueInteger", "valueBoolean", "valueDateTime", "valueTime"];
    let plain = plain.iter().map(|name| text(resource, name)).find(|value| !value.is_empty());
    let coded = || resource.get("valueCodeableConcept").map(concept);
    Some((plain.or_else(coded)?, String::new()))
}

fn range(range: &Value) -> String {
    let bound = |name| range.get(name).map(|bound| text(bound, "value")).unwrap_or_default();
    let words = text(range, "text");
    match (words.is_empty(), bound("low").as_str(), bound("high").as_str()) {
        (false, ..) => words,
        (true, "", "") => String::new(),
        (true, low, "") => format!("≥{low}"),
        (true, "", high) => format!("≤{high}"),
        (true, low, high) => format!("{low}-{high}"),
    }
}

fn flag(interpretation: &Value) -> String {
    let code = list(interpretation.get("coding")).first().map(|coding| text(coding, "code"));
    code.filter(|code| !code.is_empty()).unwrap_or_else(|| concept(interpretation))
}

fn loinc(code: Option<&Value>) -> Option<String> {
    let codings = list(code?.get("coding"));
    let known = codings.iter().find(|coding| text(coding, "system") == LOINC)?;
    Some(text(known, "code")).filter(|code| !code.is_empty())
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

/// The words of a concept, a coding or a reference.
fn concept(concept: &Value) -> String {
    let own = [text(concept, "text"), text(concept, "display")];
    let codings = list(concept.get("coding"));
    let coded = |name: &'static str| codings.iter().map(move |coding| text(coding, name));
    let candidates =
        own.into_iter().chain(coded("display")).chain(coded("code")).chain([text(concept, "code")]);
    let mut known = candidates.filter(|text| !text.is_empty());
    known.next().unwrap_or_default()
}

fn text(object: &Value, field: &str) -> String {
    object.get(field).map(scalar).unwrap_or_default()
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => if *truth { "是" } else { "否" }.to_owned(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

/// A list; what came from XML is a single value where there is one.
fn list(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(items)) => items,
        Some(single @ Value::Object(_)) => std::slice::from_ref(single),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => &[],
    }
}

#[cfg(test)]
mod tests {
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
