//! Observations of FHIR as rows, each with its FHIR path; those within others too.

use serde_json::Value;
use yiqiao_proto::phi::Phi;
use yiqiao_terms::mark;

use crate::dates::{When, Zone};
use crate::flag::{Flag, Flags};
use crate::lab::{LabRow, RowStatus, Sort};
use crate::limits::LAB_ROWS_MAX;

const LOINC: &str = "http://loinc.org";
/// Categories of observations that no laboratory or department examined (FHIR observation-category).
const OTHERS: [&str; 5] = ["social-history", "survey", "exam", "therapy", "activity"];

/// A resource of an input, and its FHIR path.
#[derive(Clone, Debug)]
pub struct Placed<'v> {
    /// The resource.
    pub resource: &'v Value,
    /// Such as `Bundle.entry[3].resource`; counts from 0.
    pub path: String,
}

/// Resources of a bundle, or the one that there is; those contained in others too.
pub fn resources(root: &Value) -> Vec<Placed<'_>> {
    let mut found = Vec::new();
    if text(root, "resourceType") == "Bundle" {
        for (place, entry) in list(root.get("entry")).iter().enumerate() {
            if let Some(resource) = entry.get("resource") {
                add(&mut found, resource, format!("Bundle.entry[{place}].resource"));
            }
        }
    } else {
        add(&mut found, root, text(root, "resourceType"));
    }
    found
}

fn add<'v>(found: &mut Vec<Placed<'v>>, resource: &'v Value, path: String) {
    let contained = list(resource.get("contained")).iter().enumerate();
    let contained: Vec<_> = contained
        .map(|(place, resource)| Placed { resource, path: format!("{path}.contained[{place}]") })
        .collect();
    found.push(Placed { resource, path });
    found.extend(contained);
}

/// Rows of all observations.
pub fn rows(root: &Value, zone: &Zone) -> Vec<(Sort, LabRow)> {
    let found = resources(root).into_iter();
    let observations = found.filter(|one| text(one.resource, "resourceType") == "Observation");
    observations.flat_map(|one| observation(&one, zone)).take(LAB_ROWS_MAX).collect()
}

/// The results among them.
pub(super) fn lab(root: &Value, zone: &Zone, flags: &mut Flags) -> Vec<LabRow> {
    let rows = rows(root, zone);
    flags.raise_if(rows.len() >= LAB_ROWS_MAX, Flag::RowsCut);
    rows.into_iter().filter(|(sort, _)| *sort == Sort::Result).map(|(_, row)| row).collect()
}

/// An observation, or the ones that it is made of.
fn observation(placed: &Placed<'_>, zone: &Zone) -> Vec<(Sort, LabRow)> {
    let Placed { resource, path } = placed;
    let times = ["effectiveDateTime", "effectiveInstant", "issued"];
    let period = resource.get("effectivePeriod").map(|period| text(period, "start"));
    let mut times = times.iter().map(|name| text(resource, name)).chain(period);
    let observed = times.find_map(|text| When::parse(&text, zone, &mut Flags::none()).ok());
    let components = list(resource.get("component")).iter().enumerate();
    let components = components.map(|(place, one)| (one, format!("{path}.component[{place}]")));
    let sort = sort(resource);
    let status = status(&text(resource, "status"));
    let specimen = resource.get("specimen").map(|specimen| text(specimen, "display"));
    let specimen = specimen.filter(|specimen| !specimen.is_empty());
    let row = |(one, place)| {
        let row = row(one)?;
        let specimen = specimen.clone().map(Phi::new);
        Some((sort, LabRow { specimen, status, observed, place, ..row }))
    };
    std::iter::once((*resource, path.clone())).chain(components).filter_map(row).collect()
}

/// What one of them says, without what they share; none if it has no value of its own.
fn row(one: &Value) -> Option<LabRow> {
    let (value, unit) = value(one)?;
    let code = one.get("code");
    let codings = code.map(|code| list(code.get("coding"))).unwrap_or_default();
    let coding = codings.iter().find(|coding| text(coding, "system") == LOINC).or_else(|| codings.first());
    let (name, mutual) = mark::split(&code.map(concept).unwrap_or_default());
    let own = |name| coding.map(|coding| text(coding, name)).unwrap_or_default();
    let range = list(one.get("referenceRange")).first().map(range).unwrap_or_default();
    let flag = list(one.get("interpretation")).first().map(flag).unwrap_or_default();
    Some(LabRow {
        panel: Phi::default(),
        specimen: None,
        code: Phi::new(own("code")),
        system: own("system"),
        name: Phi::new(name),
        mutual,
        value: Phi::new(value),
        unit,
        range: Phi::new(range),
        flag: Phi::new(flag),
        status: RowStatus::Final,
        observed: None,
        place: String::new(),
    })
}

fn sort(resource: &Value) -> Sort {
    let codes = list(resource.get("category")).iter().flat_map(|category| list(category.get("coding")));
    let codes: Vec<String> = codes.map(|coding| text(coding, "code")).collect();
    if codes.iter().any(|code| code == "vital-signs") {
        Sort::VitalSign
    } else if codes.iter().any(|code| OTHERS.contains(&code.as_str())) {
        Sort::Other
    } else {
        Sort::Result
    }
}

fn status(code: &str) -> RowStatus {
    match code {
        "registered" | "preliminary" => RowStatus::Preliminary,
        "amended" | "corrected" => RowStatus::Corrected,
        "cancelled" | "entered-in-error" => RowStatus::Void,
        _ => RowStatus::Final,
    }
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

/// The words of a concept, a coding or a reference.
pub fn concept(concept: &Value) -> String {
    let own = [text(concept, "text"), text(concept, "display")];
    let codings = list(concept.get("coding"));
    let coded = |name: &'static str| codings.iter().map(move |coding| text(coding, name));
    let candidates =
        own.into_iter().chain(coded("display")).chain(coded("code")).chain([text(concept, "code")]);
    let mut known = candidates.filter(|text| !text.is_empty());
    known.next().unwrap_or_default()
}

/// A field as text; empty if it is none.
pub fn text(object: &Value, field: &str) -> String {
    object.get(field).map(scalar).unwrap_or_default()
}

/// A value as text; empty if it is a list or an object.
pub fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => if *truth { "是" } else { "否" }.to_owned(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

/// A list; what came from XML is a single value where there is one.
pub fn list(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(items)) => items,
        Some(single @ Value::Object(_)) => std::slice::from_ref(single),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => &[],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn observations_and_what_they_are_made_of_are_rows_with_their_paths() {
        let pressure = json!({"resourceType": "Observation", "status": "final",
            "category": [{"coding": [{"code": "vital-signs"}]}],
            "code": {"text": "血压"},
            "component": [{"code": {"text": "收缩压"}, "valueQuantity": {"value": 131, "unit": "mmHg"}}]});
        let glucose = json!({"resourceType": "Observation", "status": "amended", "effectiveDateTime": "2026-01-02",
            "code": {"coding": [{"system": "urn:lis", "code": "GLU", "display": "葡萄糖"}, {"system": LOINC, "code": "2345-7"}]},
            "valueQuantity": {"value": 5.6, "unit": "mmol/L"}, "specimen": {"display": "血清"},
            "referenceRange": [{"low": {"value": 3.9}, "high": {"value": 6.1}}]});
        let report = json!({"resourceType": "DiagnosticReport", "contained": [glucose]});
        let bundle =
            json!({"resourceType": "Bundle", "entry": [{"resource": pressure}, {"resource": report}]});
        let found = rows(&bundle, &Zone::china());
        let places: Vec<_> = found.iter().map(|(sort, row)| (*sort, row.place.as_str())).collect();
        assert_eq!(
            places,
            [
                (Sort::VitalSign, "Bundle.entry[0].resource.component[0]"),
                (Sort::Result, "Bundle.entry[1].resource.contained[0]"),
            ]
        );
        let row = &found[1].1;
        assert_eq!((row.code.expose().as_str(), row.system.as_str()), ("2345-7", LOINC));
        assert_eq!((row.name.expose().as_str(), row.range.expose().as_str()), ("葡萄糖", "3.9-6.1"));
        assert_eq!((row.status, row.observed.is_some()), (RowStatus::Corrected, true));
        assert_eq!(row.specimen.as_ref().unwrap().expose(), "血清");
    }

    #[test]
    fn what_was_entered_in_error_is_void_and_what_has_no_value_is_no_row() {
        let void = json!({"resourceType": "Observation", "status": "entered-in-error", "valueString": "x"});
        assert_eq!(rows(&void, &Zone::china())[0].1.status, RowStatus::Void);
        assert_eq!(rows(&void, &Zone::china())[0].1.place, "Observation");
        assert!(rows(&json!({"resourceType": "Observation"}), &Zone::china()).is_empty());
        assert!(rows(&json!([1]), &Zone::china()).is_empty());
    }
}
