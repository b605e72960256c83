//! The newest laboratory results in short: a line for each item, what lies outside its range first.
//!
//! Of a report in CDA that sums itself up, the sentence of the laboratory itself is taken (WS/T 500.7, 检验报告结果).

use yiqiao_intake::dates::Zone;
use yiqiao_proto::codes::DocumentFormat;
use yiqiao_proto::time::Timestamp;

use crate::api::rendering::{Observation, observations, passages};

/// The data element that sums up a report.
const SUMMED_UP: &str = "检验报告结果";

/// One item, or one report that sums itself up. It describes a patient, and cannot be printed.
pub(super) struct Finding {
    pub(super) line: String,
    /// What makes two of them the same item.
    item: String,
    /// Whether it lies outside its range.
    pub(super) is_marked: bool,
}

/// What a report found; `reported` is when, of results without a time of their own.
pub(super) fn findings(
    bytes: &[u8],
    format: DocumentFormat,
    reported: Timestamp,
    zone: &Zone,
) -> Vec<Finding> {
    if matches!(format, DocumentFormat::Cda | DocumentFormat::CdaWst) {
        let rows = passages(bytes, format).into_iter().flat_map(|section| section.rows);
        let sums = rows.filter(|(name, text)| name.contains(SUMMED_UP) && !text.trim().is_empty());
        let sums: Vec<_> = sums.map(|(_, text)| summed_up(&day(reported, zone), text.trim())).collect();
        if !sums.is_empty() {
            return sums;
        }
    }
    let rows = observations(bytes, format, zone);
    let said = rows.iter().filter(|row| !row.name.trim().is_empty() && !row.value.trim().is_empty());
    said.map(|row| finding(row, &day(row.at.unwrap_or(reported), zone))).collect()
}

/// Findings with whose they are, as they are told: of each item the newest, which comes first; and the marked before the rest.
pub(super) fn told<T>(found: Vec<(Finding, T)>) -> Vec<(Finding, T)> {
    let mut newest: Vec<(Finding, T)> = Vec::new();
    for (finding, of) in found {
        if !newest.iter().any(|(known, _)| known.item == finding.item) {
            newest.push((finding, of));
        }
    }
    newest.sort_by_key(|(finding, _)| !finding.is_marked);
    newest
}

fn finding(row: &Observation, day: &str) -> Finding {
    let parts = [day, &row.name, &row.value, &row.unit, row.mark()];
    let words = parts.map(str::trim).into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
    let item = format!("{} {}", row.name.trim(), row.unit.trim());
    Finding { line: words.join(" "), item, is_marked: !row.mark().is_empty() }
}

fn summed_up(day: &str, text: &str) -> Finding {
    let is_marked = text.contains(['↑', '↓']);
    Finding { line: format!("{day} {text}"), item: text.to_owned(), is_marked }
}

fn day(at: Timestamp, zone: &Zone) -> String {
    zone.show(at).chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "MSH|^~\\&|LIS|A|||20260102||ORU^R01|1|P|2.4\rPID|1||77^^^HIS^MR||陈志远||19580304|M\r\
        OBR|1|||P^血常规|||20260102080000|||||||||||||||20260102||LAB|F\r\
        OBX|1|NM|718-7^血红蛋白^LN||131|g/L|130-175|N|||F\r\
        OBX|2|NM|6690-2^白细胞^LN||12.1|10*9/L|3.5-9.5|H|||F\r";

    fn lines(found: Vec<Finding>) -> Vec<String> {
        let found = found.into_iter().map(|finding| (finding, ())).collect();
        told(found).into_iter().map(|(finding, ())| finding.line).collect()
    }

    fn read(report: &str) -> Vec<Finding> {
        findings(report.as_bytes(), DocumentFormat::Hl7V2, Timestamp::default(), &Zone::china())
    }

    #[test]
    fn what_lies_outside_its_range_comes_first_and_the_newest_of_an_item_counts() {
        let older = REPORT.replace("131", "99").replace("12.1", "3.0").replace("||H|", "||L|");
        let found: Vec<_> = read(REPORT).into_iter().chain(read(&older)).collect();
        assert_eq!(lines(found), ["2026-01-02 白细胞 12.1 10*9/L ↑", "2026-01-02 血红蛋白 131 g/L"]);
    }

    #[test]
    fn a_clinical_document_is_told_in_the_laboratorys_own_sentence() {
        let document = "<ClinicalDocument xmlns='urn:hl7-org:v3'><component><structuredBody><component><section>\
            <entry><observation><code code='DE04.50.130.00' displayName='检验报告结果'/><value>血钾5.9mmol/L↑</value></observation>\
            </entry><entry><observation><code code='DE04.30.015.00' displayName='检验定量结果'/><value value='5.9'/></observation>\
            </entry></section></component></structuredBody></component></ClinicalDocument>";
        let found =
            findings(document.as_bytes(), DocumentFormat::CdaWst, Timestamp::default(), &Zone::china());
        assert_eq!(lines(found), ["1970-01-01 血钾5.9mmol/L↑"]);
    }
}
