//! What a query of QIDO-RS asks for (PS3.18 8.3.4): attributes by keyword or tag, alternatives, wildcards, ranges of days; limit and offset.
//!
//! An attribute that is not answered would narrow the answer: it is refused by name. The bytes of instances are not searched.

use serde_json::{Map, Value};
use yiqiao_fhir::outcome::{Name, Problem};
use yiqiao_intake::dicom::instance::{self, Instance};
use yiqiao_intake::dicom::json::person;
use yiqiao_intake::flag::Flags;

/// Attributes that are answered: keyword and tag.
const ATTRIBUTES: [(&str, &str); 17] = [
    ("SOPClassUID", "00080016"),
    ("SOPInstanceUID", "00080018"),
    (STUDY_DATE, "00080020"),
    ("StudyTime", "00080030"),
    ("AccessionNumber", "00080050"),
    ("Modality", "00080060"),
    ("ModalitiesInStudy", "00080061"),
    ("StudyDescription", "00081030"),
    ("SeriesDescription", "0008103E"),
    ("PatientName", "00100010"),
    PATIENT_ID,
    ("PatientBirthDate", "00100030"),
    ("PatientSex", "00100040"),
    ("StudyInstanceUID", "0020000D"),
    ("SeriesInstanceUID", "0020000E"),
    ("SeriesNumber", "00200011"),
    ("InstanceNumber", "00200013"),
];
const STUDY_DATE: &str = "StudyDate";
const PATIENT_ID: (&str, &str) = ("PatientID", "00100020");

/// Whether a parameter is the number of a patient.
pub(super) fn is_number_of_patient(name: &str) -> bool {
    [PATIENT_ID.0, PATIENT_ID.1].contains(&name)
}

/// What an instance says of its study and of whose it is, in the DICOM JSON model.
pub(super) fn of_instance(instance: &Instance) -> Map<String, Value> {
    let texts = [
        ("00080020", "DA", instance::STUDY_DATE),
        ("00080030", "TM", instance::STUDY_TIME),
        ("00080050", "SH", instance::ACCESSION),
        ("00081030", "LO", instance::STUDY_DESCRIPTION),
        ("00100020", "LO", instance::PATIENT_ID),
        ("00100030", "DA", instance::BIRTH_DATE),
        ("00100040", "CS", instance::SEX),
    ];
    let flags = &mut Flags::none();
    let mut found = Map::new();
    for (tag, vr, from) in texts {
        let text = instance.text(from, flags);
        super::put(&mut found, tag, vr, &text.into_iter().collect::<Vec<_>>());
    }
    let name = instance.text(instance::PATIENT_NAME, flags).map(|name| person(&name));
    super::put(&mut found, "00100010", "PN", &name.into_iter().collect::<Vec<_>>());
    found
}

/// Those of the rows that a query asks for.
pub(super) fn matching(query: &[(String, String)], mut rows: Vec<Value>) -> Result<Vec<Value>, Problem> {
    let (mut limit, mut offset) = (usize::MAX, 0);
    for (name, value) in query {
        match name.as_str() {
            "limit" => limit = count("limit", value)?,
            "offset" => offset = count("offset", value)?,
            // Only more of the same, or less exactly.
            "includefield" | "fuzzymatching" => {}
            name => narrow(&mut rows, name, value)?,
        }
    }
    Ok(rows.into_iter().skip(offset).take(limit).collect())
}

fn count(name: &'static str, value: &str) -> Result<usize, Problem> {
    value.parse().map_err(|_| Problem::ParameterInvalid { name, expected: "a whole number, not negative" })
}

fn narrow(rows: &mut Vec<Value>, name: &str, value: &str) -> Result<(), Problem> {
    let known = ATTRIBUTES.iter().find(|(keyword, tag)| *keyword == name || *tag == name);
    let unknown = || Problem::ParameterUnknown { name: Name::new(name) };
    let (keyword, tag) = known.ok_or_else(unknown)?;
    // One that is answered at another level only would be passed over.
    if !rows.is_empty() && rows.iter().all(|row| row.get(*tag).is_none()) {
        return Err(unknown());
    }
    if !value.is_empty() {
        rows.retain(|row| values(row, tag).iter().any(|said| admits(keyword, value, said)));
    }
    Ok(())
}

/// The values of an attribute as texts; of a name each group.
fn values(row: &Value, tag: &str) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => vec![text.clone()],
        Value::Object(groups) => groups.values().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Number(number) => vec![number.to_string()],
        Value::Null | Value::Bool(_) | Value::Array(_) => Vec::new(),
    };
    let said = row.get(tag).and_then(|attribute| attribute.get("Value")).and_then(Value::as_array);
    said.into_iter().flatten().flat_map(text).collect()
}

/// Whether a value is one of the alternatives, or on one of the days.
fn admits(keyword: &str, wanted: &str, said: &str) -> bool {
    if keyword == STUDY_DATE
        && let Some((from, until)) = wanted.split_once('-')
    {
        return (from.is_empty() || from <= said) && (until.is_empty() || said <= until);
    }
    wanted.split([',', '\\']).any(|pattern| fits(pattern.trim().as_bytes(), said.as_bytes()))
}

/// `*` is any text and `?` one byte of it; a star tries the shortest first, and only the last one is tried again.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut place, mut star) = (0, 0, None);
    while let Some(byte) = text.get(place) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, place));
                at += 1;
            }
            Some(letter) if *letter == b'?' || letter == byte => {
                at += 1;
                place += 1;
            }
            Some(_) | None => {
                let Some((after, from)) = star else { return false };
                star = Some((after, from + 1));
                (at, place) = (after, from + 1);
            }
        }
    }
    pattern.iter().skip(at).all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rows() -> Vec<Value> {
        let row = |uid: &str, date: &str, name: Value| {
            json!({
                "00080020": {"vr": "DA", "Value": [date]},
                "00100010": {"vr": "PN", "Value": [name]},
                "0020000D": {"vr": "UI", "Value": [uid]},
            })
        };
        vec![
            row("1.2", "20260302", person("ZHANG^SAN=张^三")),
            row("1.3", "20260402", person("LI^SI")),
            json!({"0020000D": {"vr": "UI", "Value": ["1.4"]}}),
        ]
    }

    fn asked(query: &[(&str, &str)]) -> Vec<String> {
        let query: Vec<_> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let found = matching(&query, rows()).unwrap();
        found.iter().map(|row| row["0020000D"]["Value"][0].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn studies_are_found_by_keyword_or_tag_alternatives_wildcards_and_days() {
        assert_eq!(asked(&[]), ["1.2", "1.3", "1.4"]);
        assert_eq!(asked(&[("StudyInstanceUID", "1.4,1.2")]), ["1.2", "1.4"]);
        assert_eq!(asked(&[("0020000D", "1.3")]), ["1.3"]);
        assert_eq!(asked(&[("PatientName", "ZH*G^?AN")]), ["1.2"]);
        assert_eq!(asked(&[("PatientName", "张*")]), ["1.2"]);
        assert_eq!(asked(&[("StudyDate", "20260303-")]), ["1.3"]);
        assert_eq!(asked(&[("StudyDate", "20260301-20260331"), ("PatientName", "*")]), ["1.2"]);
        assert_eq!(asked(&[("StudyDate", "")]), ["1.2", "1.3", "1.4"]);
        assert_eq!(asked(&[("limit", "1"), ("offset", "1"), ("includefield", "all")]), ["1.3"]);
    }

    #[test]
    fn what_is_not_answered_is_refused_by_its_name() {
        for name in ["PatientAge", "PatientID", "张三"] {
            let query = [(name.to_owned(), "x".to_owned())];
            assert!(matches!(matching(&query, rows()), Err(Problem::ParameterUnknown { .. })), "{name}");
        }
        let query = [("limit".to_owned(), "-1".to_owned())];
        assert!(matches!(matching(&query, rows()), Err(Problem::ParameterInvalid { .. })));
    }

    #[test]
    fn a_wildcard_takes_time_in_proportion_to_the_text() {
        let text = "a".repeat(4_096);
        assert!(!fits("*a".repeat(512).as_bytes(), format!("{text}b").as_bytes()));
        assert!(fits(b"a*?", text.as_bytes()) && !fits(b"", text.as_bytes()) && fits(b"*", b""));
    }
}
