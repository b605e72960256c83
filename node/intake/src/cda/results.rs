//! Results and vital signs of a clinical document as rows, each with the path of the element that has its value.
//!
//! WS/T 500 says them by data elements, one after the other: item, specimen, value, unit. Other documents have an observation for each, in
//! sections of results. Not here: what is told in words only.

use roxmltree::Node;
use yiqiao_proto::phi::Phi;
use yiqiao_terms::mark;

use crate::cda::render::{coded, value};
use crate::dates::{When, Zone};
use crate::flag::{Flag, Flags};
use crate::kind::Class;
use crate::lab::{LabRow, RowStatus, Sort};
use crate::limits::LAB_ROWS_MAX;
use crate::xml::{Paths, at, attribute, child, children, text};

/// Stem of the data elements of WS 363.
const ELEMENT: &str = "DE";
/// The item of an examination, its specimen, and what its result is: normal or not, words, number.
const ITEM: &str = "DE04.30.019.00";
const SPECIMEN: &str = "DE04.50.134.00";
const JUDGEMENT: &str = "DE04.30.017.00";
const WORDS: &str = "DE04.30.009.00";
const NUMBER: &str = "DE04.30.015.00";
const UNIT: &str = "DE04.30.016.00";
const EXAMINATION: [&str; 6] = [ITEM, SPECIMEN, JUDGEMENT, WORDS, NUMBER, UNIT];

const LOINC: &str = "2.16.840.1.113883.6.1";
/// Sections of results, and of what is measured at the bedside (LOINC).
const RESULTS: [&str; 3] = ["30954-2", "11493-4", "18725-2"];
const VITAL_SIGNS: [&str; 2] = ["8716-3", "29545-1"];

/// Rows of a document of this class.
pub fn rows(root: Node<'_, '_>, class: Class, zone: &Zone) -> Vec<(Sort, LabRow)> {
    let mut reading = Reading { zone, paths: Paths::of(root.document()), found: Vec::new() };
    for section in root.descendants().filter(|node| node.tag_name().name() == "section") {
        let code = child(section, "code").and_then(|code| attribute(code, "code")).unwrap_or_default();
        if class != Class::ImagingReport {
            reading.elements(section);
        }
        if VITAL_SIGNS.contains(&code) {
            reading.observations(section, Sort::VitalSign);
        } else if RESULTS.contains(&code) || class == Class::LaboratoryReport && code.is_empty() {
            reading.observations(section, Sort::Result);
        }
    }
    reading.found
}

/// The results among them.
pub(super) fn lab(root: Node<'_, '_>, class: Class, zone: &Zone, flags: &mut Flags) -> Vec<LabRow> {
    let rows = rows(root, class, zone);
    flags.raise_if(rows.len() >= LAB_ROWS_MAX, Flag::RowsCut);
    rows.into_iter().filter(|(sort, _)| *sort == Sort::Result).map(|(_, row)| row).collect()
}

struct Reading<'z, 'a, 'i> {
    zone: &'z Zone,
    paths: Paths<'a, 'i>,
    found: Vec<(Sort, LabRow)>,
}

/// What is said of an item before its value.
#[derive(Default)]
struct Item {
    name: String,
    specimen: Option<String>,
    observed: Option<When>,
    judgement: &'static str,
}

impl Reading<'_, '_, '_> {
    fn add(&mut self, sort: Sort, node: Node<'_, '_>, row: LabRow) {
        if self.found.len() < LAB_ROWS_MAX && !row.value.expose().is_empty() {
            self.found.push((sort, LabRow { place: self.paths.path(node), ..row }));
        }
    }

    /// Results by data elements, in the order in which they stand, beside each other or one within the other.
    fn elements(&mut self, section: Node<'_, '_>) {
        let mut item = Item::default();
        for node in observations(section) {
            match element(node) {
                Some(ITEM) => {
                    let name = said(node).unwrap_or_default();
                    let observed = self.time(child(node, "effectiveTime"));
                    item = Item { name, observed, ..Item::default() };
                }
                Some(SPECIMEN) => {
                    item.specimen = said(node);
                    item.observed = item.observed.or_else(|| self.time(child(node, "effectiveTime")));
                }
                Some(JUDGEMENT) => {
                    let code = child(node, "value").and_then(|value| attribute(value, "code"));
                    item.judgement = if code == Some("2") { "A" } else { "" };
                }
                Some(NUMBER | WORDS) if !item.name.is_empty() => {
                    self.add(Sort::Result, node, result(node, &item));
                }
                _ => {}
            }
        }
    }

    /// Observations that are results themselves, and not of others: those of data elements if something is measured.
    fn observations(&mut self, section: Node<'_, '_>, sort: Sort) {
        for node in observations(section) {
            let code = element(node).unwrap_or_default();
            let counts = if code.starts_with(ELEMENT) {
                is_measured(node) && !EXAMINATION.contains(&code)
            } else {
                !node.ancestors().skip(1).any(|outer| outer.tag_name().name() == "observation")
            };
            if counts {
                let row = self.observation(node);
                self.add(sort, node, row);
            }
        }
    }

    fn observation(&self, node: Node<'_, '_>) -> LabRow {
        let code = child(node, "code");
        let panel = node.ancestors().find(|outer| outer.tag_name().name() == "organizer");
        let system = code.and_then(|code| attribute(code, "codeSystem")).unwrap_or_default();
        let status = if attribute(node, "negationInd") == Some("true") { "cancelled" } else { status(node) };
        let status = match status {
            "aborted" | "cancelled" | "nullified" => RowStatus::Void,
            "active" => RowStatus::Preliminary,
            _ => RowStatus::Final,
        };
        let flag = child(node, "interpretationCode").and_then(|code| attribute(code, "code"));
        let item = Item {
            name: code.and_then(coded).unwrap_or_default(),
            specimen: at(node, &["specimen", "specimenRole", "specimenPlayingEntity", "code"])
                .and_then(coded),
            observed: self.time(child(node, "effectiveTime")),
            judgement: "",
        };
        LabRow {
            panel: Phi::new(panel.and_then(|panel| child(panel, "code")).and_then(coded).unwrap_or_default()),
            code: Phi::new(code.and_then(|code| attribute(code, "code")).unwrap_or_default().to_owned()),
            system: if system == LOINC { "LN" } else { system }.to_owned(),
            flag: Phi::new(flag.unwrap_or_default().to_owned()),
            status,
            ..result(node, &item)
        }
    }

    /// A time, or the beginning of one.
    fn time(&self, element: Option<Node<'_, '_>>) -> Option<When> {
        let written = |element: Node<'_, '_>| {
            let text = attribute(element, "value")?;
            When::parse(text, self.zone, &mut Flags::none()).ok()
        };
        written(element?).or_else(|| child(element?, "low").and_then(written))
    }
}

/// A row of an item and the observation that has its value.
fn result(node: Node<'_, '_>, item: &Item) -> LabRow {
    let (name, mutual) = mark::split(&item.name);
    let (value, unit) = child(node, "value").and_then(value).unwrap_or_default();
    let own_unit = || observations(node).find(|inner| element(*inner) == Some(UNIT)).and_then(said);
    let range = range(node);
    // A range says in which direction, too.
    let flag = if range.is_empty() { item.judgement } else { "" };
    LabRow {
        panel: Phi::default(),
        specimen: item.specimen.clone().map(Phi::new),
        code: Phi::default(),
        system: String::new(),
        name: Phi::new(name),
        mutual,
        value: Phi::new(value),
        unit: unit.or_else(own_unit).unwrap_or_default(),
        range: Phi::new(range),
        flag: Phi::new(flag.to_owned()),
        status: RowStatus::Final,
        observed: item.observed,
        place: String::new(),
    }
}

fn range(node: Node<'_, '_>) -> String {
    let Some(range) = at(node, &["referenceRange", "observationRange"]) else { return String::new() };
    let of_value = child(range, "value").and_then(value).map(|(words, _)| words);
    of_value.or_else(|| child(range, "text").and_then(text)).unwrap_or_default()
}

/// The observations below an element, in their order; those of sections within it are not among them.
fn observations<'a, 'i>(of: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    let below = if of.tag_name().name() == "section" { "entry" } else { "entryRelationship" };
    let all = children(of, below).flat_map(|entry| entry.descendants());
    all.filter(|node| node.tag_name().name() == "observation")
}

fn status<'a>(observation: Node<'a, '_>) -> &'a str {
    child(observation, "statusCode").and_then(|code| attribute(code, "code")).unwrap_or_default()
}

/// The code of what an observation says.
fn element<'a>(observation: Node<'a, '_>) -> Option<&'a str> {
    child(observation, "code").and_then(|code| attribute(code, "code"))
}

/// The words of a value.
fn said(observation: Node<'_, '_>) -> Option<String> {
    let value = child(observation, "value")?;
    text(value).or_else(|| coded(value)).or_else(|| attribute(value, "value").map(str::to_owned))
}

/// Whether the value is a number with a unit.
fn is_measured(observation: Node<'_, '_>) -> bool {
    let value = child(observation, "value");
    value.is_some_and(|value| attribute(value, "unit").is_some() && attribute(value, "value").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml;

    fn read(section: &str, entries: &str, class: Class) -> Vec<(Sort, LabRow)> {
        let xml = format!(
            "<ClinicalDocument xmlns='urn:hl7-org:v3'><component><structuredBody><component><section>\
             <code code='{section}'/>{entries}</section></component></structuredBody></component></ClinicalDocument>"
        );
        rows(xml::parse(&xml).unwrap().root_element(), class, &Zone::china())
    }

    fn element(code: &str, content: &str) -> String {
        format!("<observation><code code='{code}' displayName='x'/>{content}</observation>")
    }

    fn words(row: &LabRow) -> [&str; 5] {
        [row.name.expose(), row.value.expose(), row.unit.as_str(), row.range.expose(), row.flag.expose()]
    }

    const RANGE: &str =
        "<referenceRange><observationRange><value>3.5-5.3</value></observationRange></referenceRange>";

    fn potassium(parted: &str) -> String {
        let unit = element(UNIT, "<value>mmol/L</value>");
        let number = element(
            NUMBER,
            &format!("<value value='5.9'/><entryRelationship>{unit}</entryRelationship>{RANGE}"),
        );
        let specimen =
            element(SPECIMEN, "<effectiveTime><low value='20260102'/></effectiveTime><value>血清</value>");
        let item = "<effectiveTime value='20260102083000'/><value>*钾</value>";
        match parted {
            "" => format!(
                "<entry>{}</entry>",
                element(
                    ITEM,
                    &format!(
                        "{item}<entryRelationship>{specimen}</entryRelationship><entryRelationship>{number}</entryRelationship>"
                    )
                )
            ),
            _ => format!(
                "<entry>{}</entry><entry>{specimen}</entry><entry>{number}</entry>",
                element(ITEM, item)
            ),
        }
    }

    #[test]
    fn a_result_is_read_from_data_elements_within_or_beside_each_other() {
        for (parted, place) in
            [("", "entry/observation/entryRelationship[2]/observation"), ("parted", "entry[3]/observation")]
        {
            let found = read("30954-2", &potassium(parted), Class::LaboratoryReport);
            let [(Sort::Result, row)] = found.as_slice() else { panic!("{}", found.len()) };
            assert_eq!(words(row), ["钾", "5.9", "mmol/L", "3.5-5.3", ""]);
            assert_eq!(row.specimen.as_ref().unwrap().expose(), "血清");
            assert!(row.mutual.is_some() && row.place.ends_with(place), "{}", row.place);
            assert!(row.place.starts_with("/ClinicalDocument/component/structuredBody/component/section/"));
            assert_eq!(row.observed.unwrap().at.unix_ms(), 1_767_313_800_000);
        }
        assert!(read("30954-2", &potassium(""), Class::ImagingReport).is_empty());
    }

    #[test]
    fn words_of_an_examination_without_an_item_are_no_result() {
        let alone = format!("<entry>{}</entry>", element(WORDS, "<value>未见异常</value>"));
        assert!(read("30954-2", &alone, Class::Summary).is_empty());
        let judged = format!(
            "<entry>{}</entry><entry>{}</entry><entry>{}</entry>",
            element(ITEM, "<value>尿蛋白</value>"),
            element(JUDGEMENT, "<value code='2'/>"),
            element(WORDS, "<value>阳性</value>")
        );
        let found = read("30954-2", &judged, Class::LaboratoryReport);
        assert_eq!(words(&found[0].1), ["尿蛋白", "阳性", "", "", "A"]);
    }

    #[test]
    fn observations_are_results_or_vital_signs_by_their_section() {
        let loinc = "<entry><organizer><code displayName='CBC'/><component><observation><code code='718-7' displayName='Hemoglobin' \
            codeSystem='2.16.840.1.113883.6.1'/><effectiveTime value='20260102'/><value value='13.2' unit='g/dL'/>\
            <interpretationCode code='L'/></observation></component></organizer></entry>";
        let found = read("30954-2", loinc, Class::Summary);
        let (sort, row) = &found[0];
        assert_eq!((found.len(), *sort, row.system.as_str()), (1, Sort::Result, "LN"));
        assert_eq!(words(row), ["Hemoglobin", "13.2", "g/dL", "", "L"]);
        assert_eq!((row.code.expose().as_str(), row.panel.expose().as_str()), ("718-7", "CBC"));
        assert_eq!(read("8716-3", loinc, Class::Summary)[0].0, Sort::VitalSign);
        assert!(read("29762-2", loinc, Class::Summary).is_empty());
        assert!(read("11450-4", loinc, Class::LaboratoryReport).is_empty());
        assert_eq!(read("", loinc, Class::LaboratoryReport).len(), 1);
        let warm = format!("<entry>{}</entry>", element("DE04.10.186.00", "<value value='36.8' unit='℃'/>"));
        assert_eq!(read("29545-1", &warm, Class::Summary)[0].0, Sort::VitalSign);
        assert!(read("10164-2", &warm, Class::Summary).is_empty());
    }
}
