//! A readable rendering of a document as plain blocks: paragraphs, tables, coded entries. Pages make HTML of it.
//!
//! An allow-list: text comes out as text and nothing else does: no links, styles, scripts or images. Where the
//! narrative of a section is empty, as in all Chinese documents seen, its entries are put into words. Headings and labels in
//! English are put into Chinese: `names.rs`.

use roxmltree::Node;
use yiqiao_proto::phi::Phi;

use crate::cda::names;
use crate::flag::Flags;
use crate::limits::RENDER_BLOCKS_MAX;
use crate::refusal::Refusal;
use crate::xml::{self, attribute, child, children, text};

/// OIDs of ICD-10 and ICD-9-CM-3, as Chinese documents name them, and of ICD-10 itself.
const CLASSIFICATIONS: [&str; 4] = [
    "2.16.156.10011.2.3.3.11",
    "2.16.156.10011.2.3.3.11.3",
    "2.16.156.10011.2.3.3.12",
    "2.16.840.1.113883.6.3",
];

/// A section of a document, with those below it flattened behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// 0 for sections of the body, 1 for sections within them, and so on.
    pub level: usize,
    /// Its title, or the name of its code; may be empty.
    pub title: String,
    /// Its content in reading order.
    pub blocks: Vec<Block>,
}

/// A piece of content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Running text.
    Paragraph(Phi<String>),
    /// Rows of cells; the first `header` rows are headings.
    Table {
        /// How many rows are headings.
        header: usize,
        /// Rows.
        rows: Vec<Vec<Phi<String>>>,
    },
    /// An entry put into words: name, value, unit.
    Entry {
        /// What: the display name of the code.
        name: String,
        /// The value, empty if the name says it all.
        value: Phi<String>,
        /// The unit, empty if none.
        unit: String,
    },
    /// The bound was reached; the rest is in the document itself.
    Cut,
}

/// Renders a document.
///
/// # Errors
/// As [`crate::cda::read`].
pub fn sections(input: &[u8]) -> Result<Vec<Section>, Refusal> {
    let source = xml::decode(input, &mut Flags::none())?;
    let document = xml::parse(&source)?;
    let root = document.root_element();
    if root.tag_name().name() != "ClinicalDocument" {
        return Err(Refusal::NotClinicalDocument);
    }
    let mut rendering = Rendering { sections: Vec::new(), blocks: 0 };
    for component in children(root, "component") {
        for body in children(component, "structuredBody") {
            rendering.components(body, 0);
        }
        if let Some(text) = xml::at(component, &["nonXMLBody", "text"]) {
            rendering.unstructured(text);
        }
    }
    Ok(rendering.sections)
}

struct Rendering {
    sections: Vec<Section>,
    blocks: usize,
}

impl Rendering {
    /// The sections of a body or section. The depth of XML is bounded, and so is this recursion.
    fn components(&mut self, parent: Node<'_, '_>, level: usize) {
        for section in children(parent, "component").flat_map(|component| children(component, "section")) {
            self.section(section, level);
        }
    }

    fn section(&mut self, section: Node<'_, '_>, level: usize) {
        if self.blocks > RENDER_BLOCKS_MAX {
            return;
        }
        let code = child(section, "code");
        let title = child(section, "title").and_then(text).or_else(|| code.and_then(coded));
        let title = names::section(code.and_then(|code| attribute(code, "code")), title.unwrap_or_default());
        let mut blocks = Vec::new();
        if let Some(narrative) = child(section, "text") {
            narrate(narrative, &mut blocks);
        }
        if blocks.is_empty() {
            for entry in children(section, "entry") {
                entries(entry, &mut blocks);
            }
        }
        self.push(level, title, blocks);
        self.components(section, level + 1);
    }

    fn unstructured(&mut self, body: Node<'_, '_>) {
        let embedded = attribute(body, "representation") == Some("B64");
        let blocks = if embedded { Vec::new() } else { text(body).map(paragraph).into_iter().collect() };
        self.push(0, String::new(), blocks);
    }

    fn push(&mut self, level: usize, title: String, mut blocks: Vec<Block>) {
        let room = RENDER_BLOCKS_MAX.saturating_sub(self.blocks);
        if blocks.len() > room {
            blocks.truncate(room);
            blocks.push(Block::Cut);
        }
        self.blocks += blocks.len() + 1;
        self.sections.push(Section { level, title, blocks });
    }
}

fn paragraph(text: String) -> Block {
    Block::Paragraph(Phi::new(text))
}

/// Narrative: block elements become blocks, everything else is running text.
fn narrate(parent: Node<'_, '_>, blocks: &mut Vec<Block>) {
    let mut running = String::new();
    for node in parent.children() {
        match node.tag_name().name() {
            "table" => {
                flush(&mut running, blocks);
                blocks.extend(table(node));
            }
            "paragraph" | "list" | "item" | "caption" => {
                flush(&mut running, blocks);
                narrate(node, blocks);
            }
            "br" => flush(&mut running, blocks),
            "renderMultiMedia" | "footnoteRef" | "linkHtml" if !node.has_children() => {}
            _ if node.is_text() => running.push_str(node.text().unwrap_or("")),
            _ if node.is_element() && has_block(node) => {
                flush(&mut running, blocks);
                narrate(node, blocks);
            }
            _ if node.is_element() => {
                running.push(' ');
                running.push_str(&text(node).unwrap_or_default());
            }
            _ => {}
        }
    }
    flush(&mut running, blocks);
}

fn has_block(node: Node<'_, '_>) -> bool {
    node.descendants().any(|node| matches!(node.tag_name().name(), "table" | "list" | "paragraph" | "br"))
}

fn flush(running: &mut String, blocks: &mut Vec<Block>) {
    let words: Vec<&str> = running.split_whitespace().collect();
    if !words.is_empty() {
        blocks.push(paragraph(words.join(" ")));
    }
    running.clear();
}

fn table(table: Node<'_, '_>) -> Option<Block> {
    let row = |row: Node<'_, '_>| -> Vec<Phi<String>> {
        let cells = row.children().filter(|cell| matches!(cell.tag_name().name(), "td" | "th"));
        cells.map(|cell| Phi::new(text(cell).unwrap_or_default())).collect()
    };
    let is_row = |node: &Node<'_, '_>| node.tag_name().name() == "tr";
    let header = children(table, "thead").flat_map(|head| head.descendants()).filter(is_row).count();
    let rows: Vec<_> = table.descendants().filter(is_row).map(row).filter(|row| !row.is_empty()).collect();
    (!rows.is_empty()).then_some(Block::Table { header: header.min(rows.len()), rows })
}

/// The statements within an entry, each as one block, in document order.
fn entries(entry: Node<'_, '_>, blocks: &mut Vec<Block>) {
    const STATEMENTS: [&str; 8] = [
        "observation",
        "organizer",
        "act",
        "procedure",
        "substanceAdministration",
        "supply",
        "encounter",
        "observationMedia",
    ];
    for node in entry.descendants().filter(|node| STATEMENTS.contains(&node.tag_name().name())) {
        if blocks.len() > RENDER_BLOCKS_MAX {
            return;
        }
        blocks.extend(statement(node));
        if let Some(material) =
            node.descendants().find(|node| node.tag_name().name() == "manufacturedMaterial")
            && node.tag_name().name() == "substanceAdministration"
        {
            blocks.extend(medicine(node, material));
        }
    }
}

/// A statement in words; `None` if it carries nothing to read.
fn statement(node: Node<'_, '_>) -> Option<Block> {
    let code = child(node, "code");
    let name = code.and_then(coded).unwrap_or_default();
    let name = names::element(code.and_then(|code| attribute(code, "code")), name);
    let values = children(node, "value").filter_map(value);
    let (mut words, mut unit) = (Vec::new(), String::new());
    for (value, own) in values {
        words.push(value);
        unit = own.unwrap_or(unit);
    }
    if words.is_empty() {
        words.extend(child(node, "text").and_then(text));
    }
    if words.is_empty() {
        words.extend(
            child(node, "effectiveTime").and_then(|time| attribute(time, "value")).map(str::to_owned),
        );
    }
    if words.is_empty() {
        return None;
    }
    Some(Block::Entry { name, value: Phi::new(words.join(" ")), unit })
}

fn medicine(administration: Node<'_, '_>, material: Node<'_, '_>) -> Option<Block> {
    let named = child(material, "name").and_then(text);
    let name = named.or_else(|| child(material, "code").and_then(coded))?;
    let dose = child(administration, "doseQuantity").and_then(value);
    let route = child(administration, "routeCode").and_then(coded);
    let (dose, unit) =
        dose.map_or((String::new(), String::new()), |(dose, unit)| (dose, unit.unwrap_or_default()));
    let value = [Some(dose), route]
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    Some(Block::Entry { name, value: Phi::new(value), unit })
}

/// The words of a code: displayName, original text, or the code itself.
pub(super) fn coded(code: Node<'_, '_>) -> Option<String> {
    let display = attribute(code, "displayName").map(str::to_owned);
    let original = || child(code, "originalText").and_then(text);
    display.or_else(original).or_else(|| attribute(code, "code").map(str::to_owned))
}

/// The words of a coded value; with its code, where that says more than the words: of diagnoses and of operations.
fn classified(value: Node<'_, '_>) -> Option<String> {
    let words = coded(value)?;
    let is_classified =
        attribute(value, "codeSystem").is_some_and(|system| CLASSIFICATIONS.contains(&system));
    let code = attribute(value, "code").filter(|code| is_classified && !code.is_empty() && words != *code);
    Some(code.map_or_else(|| words.clone(), |code| format!("{code} {words}")))
}

/// A value of any type and its unit: PQ, BL, CD, ST, TS, IVL, and text where a type would be.
pub(super) fn value(value: Node<'_, '_>) -> Option<(String, Option<String>)> {
    let unit = attribute(value, "unit").filter(|unit| *unit != "1").map(str::to_owned);
    let bound = |name| child(value, name).and_then(|bound| attribute(bound, "value"));
    let range = match (bound("low"), bound("high")) {
        (None, None) => None,
        (low, high) => Some(format!("{}-{}", low.unwrap_or(""), high.unwrap_or(""))),
    };
    let plain = attribute(value, "value").map(|plain| match plain {
        "true" => "是".to_owned(),
        "false" => "否".to_owned(),
        plain => plain.to_owned(),
    });
    plain.or_else(|| classified(value)).or_else(|| text(value)).or(range).map(|text| (text, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(body: &str) -> Vec<Section> {
        let xml = format!(
            "<ClinicalDocument xmlns='urn:hl7-org:v3'><component><structuredBody>{body}</structuredBody></component></ClinicalDocument>"
        );
        sections(xml.as_bytes()).unwrap()
    }

    #[test]
    fn narrative_comes_out_as_paragraphs_and_tables_and_nothing_else() {
        let sections = rendered(
            "<component><section><title>诊断</title><text>一 <content styleCode='x'>二</content><br/>三\
             <table onclick='x()'><thead><tr><th>项目</th></tr></thead><tbody><tr><td>钾 <b>高</b></td></tr></tbody></table>\
             <list><item>甲</item><item>乙</item></list></text></section></component>",
        );
        let text = |text: &str| Block::Paragraph(Phi::new(text.to_owned()));
        let cell = |text: &str| vec![Phi::new(text.to_owned())];
        assert_eq!(sections[0].title, "诊断");
        let table = Block::Table { header: 1, rows: vec![cell("项目"), cell("钾 高")] };
        assert_eq!(sections[0].blocks, [text("一 二"), text("三"), table, text("甲"), text("乙")]);
    }

    #[test]
    fn entries_speak_where_the_narrative_is_empty() {
        let sections = rendered(
            "<component><section><code code='1' displayName='VITAL'/><text/><entry><organizer><component><observation>\
             <code code='DE1' displayName='体温'/><value type='PQ' value='36.8' unit='℃'/></observation></component>\
             <component><observation><code code='DE2' displayName='血型'/><value code='' displayName='A型'/></observation>\
             </component></organizer></entry></section></component>",
        );
        let entry = |name: &str, value: &str, unit: &str| Block::Entry {
            name: name.to_owned(),
            value: Phi::new(value.to_owned()),
            unit: unit.to_owned(),
        };
        let expected = vec![entry("体温", "36.8", "℃"), entry("血型", "A型", "")];
        assert_eq!((sections[0].title.as_str(), &sections[0].blocks), ("VITAL", &expected));
    }

    #[test]
    fn english_headings_yes_or_no_and_diagnoses_are_readable_in_chinese() {
        let sections = rendered(
            "<component><section><code code='48765-2' displayName='Allergies, adverse reactions, alerts'/><text/><entry>\
             <observation><code code='DE02.10.023.00' displayName='过敏史标志'/><value value='true'/></observation></entry>\
             </section></component><component><section><title>Diagnosis</title><entry><observation>\
             <code code='DE05.01.024.00' displayName='诊断代码'/><value code='I10.x00' displayName='高血压病' \
             codeSystem='2.16.156.10011.2.3.3.11.3'/></observation></entry><entry><observation>\
             <code code='DE06.00.196.00' displayName='初诊标志代码'/><value code='1' displayName='初诊' \
             codeSystem='2.16.156.10011.2.3.2.39'/></observation></entry></section></component>",
        );
        let entry = |name: &str, value: &str| Block::Entry {
            name: name.to_owned(),
            value: Phi::new(value.to_owned()),
            unit: String::new(),
        };
        assert_eq!((sections[0].title.as_str(), sections[1].title.as_str()), ("过敏史", "诊断"));
        assert_eq!(sections[0].blocks, [entry("过敏史标志", "是")]);
        let diagnosis = [entry("诊断代码", "I10.x00 高血压病"), entry("初诊标志代码", "初诊")];
        assert_eq!(sections[1].blocks, diagnosis);
    }

    #[test]
    fn sections_within_sections_follow_their_parent() {
        let inner = "<component><section><title>内</title></section></component>";
        let sections =
            rendered(&format!("<component><section><title>外</title>{inner}</section></component>"));
        let titles: Vec<_> = sections.iter().map(|section| (section.level, section.title.as_str())).collect();
        assert_eq!(titles, [(0, "外"), (1, "内")]);
    }
}
