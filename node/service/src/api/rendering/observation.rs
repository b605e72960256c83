//! One result of an examination, whatever format it came in: a row of a table, and perhaps a point of a trend.

use yiqiao_intake::lab::{LabRow, RowStatus};
use yiqiao_proto::time::Timestamp;
use yiqiao_terms::harmonise::Said;
use yiqiao_terms::item::Named;
use yiqiao_terms::mark::Mark;
use yiqiao_terms::value::{Lies, Range, Value};

/// A result as its report says it: nothing is converted.
#[derive(Clone, PartialEq)]
pub(in crate::api) struct Observation {
    /// LOINC code, if it has one.
    pub(in crate::api) loinc: Option<String>,
    /// The sender's own code, or what stands for one.
    pub(in crate::api) code: String,
    /// The specimen in words, if it is said.
    pub(in crate::api) sampled: String,
    /// Specimen and panel in words, as far as they are said.
    pub(in crate::api) specimen: String,
    /// Without the mark of mutual recognition.
    pub(in crate::api) name: String,
    pub(in crate::api) recognition: Option<Mark>,
    pub(in crate::api) value: String,
    pub(in crate::api) unit: String,
    pub(in crate::api) range: String,
    pub(in crate::api) flag: String,
    pub(in crate::api) at: Option<Timestamp>,
}

impl Observation {
    /// A row of a report.
    pub(super) fn of(row: &LabRow) -> Self {
        let code = row.code.expose();
        let is_loinc = matches!(row.system.as_str(), "LN" | "http://loinc.org") && !code.is_empty();
        let sampled = row.specimen.as_ref().map(|specimen| specimen.expose().clone()).unwrap_or_default();
        Self {
            loinc: is_loinc.then(|| code.clone()),
            code: code.clone(),
            // The panel often says the specimen (尿常规).
            specimen: format!("{sampled} {}", row.panel.expose()),
            sampled,
            name: row.name.expose().clone(),
            recognition: row.mutual.clone(),
            value: row.value.expose().clone(),
            unit: row.unit.clone(),
            range: row.range.expose().clone(),
            flag: row.flag.expose().clone(),
            at: row.observed.map(|when| when.at),
        }
    }

    /// As the tables of terms take it.
    pub(in crate::api) fn said(&self) -> Said<'_> {
        let named = Named {
            loinc: self.loinc.as_deref(),
            code: &self.code,
            name: &self.name,
            specimen: &self.specimen,
        };
        Said { named, value: &self.value, unit: &self.unit, range: &self.range, flag: &self.flag }
    }

    /// An arrow if the value lies outside its range: as the report flags it, or else by the range itself.
    pub(in crate::api) fn mark(&self) -> &'static str {
        match Range::read(&self.range).judge(Value::read(&self.value), &self.flag) {
            Lies::High => "↑",
            Lies::Low => "↓",
            Lies::Outside => "（异常）",
            Lies::Within | Lies::Unknown => "",
        }
    }

    /// As cells: name with the mark that the report prints beside it, value, unit, range, flag.
    fn cells(&self) -> Vec<String> {
        let mark = self.recognition.as_ref().map(Mark::shown).unwrap_or_default();
        let name = format!("{mark} {}", self.name).trim_start().to_owned();
        vec![name, self.value.clone(), self.unit.clone(), self.range.clone(), flag_name(&self.flag)]
    }
}

/// The cells of a row; what is void says so.
pub(super) fn cells(row: &LabRow) -> Vec<String> {
    let mut cells = Observation::of(row).cells();
    if let (Some(value), RowStatus::Void) = (cells.get_mut(1), row.status) {
        *value = "（无结果或已作废）".to_owned();
    }
    cells
}

/// Headings of [`cells`].
pub(super) const HEADS: [&str; 5] = ["项目", "结果", "单位", "参考范围", "提示"];

/// HL7 table 0078 in words; what is in no table stays as sent.
fn flag_name(flag: &str) -> String {
    match flag.trim() {
        "H" => "↑ 偏高",
        "HH" => "↑↑ 危急偏高",
        "L" => "↓ 偏低",
        "LL" => "↓↓ 危急偏低",
        "A" => "异常",
        "AA" => "严重异常",
        "N" | "NORMAL" => "",
        other => return other.to_owned(),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use yiqiao_proto::phi::Phi;
    use yiqiao_terms::mark;

    use super::*;

    fn row(name: &str, value: &str) -> LabRow {
        let (name, mutual) = mark::split(name);
        LabRow {
            panel: Phi::default(),
            specimen: None,
            code: Phi::default(),
            system: String::new(),
            name: Phi::new(name),
            mutual,
            value: Phi::new(value.to_owned()),
            unit: "mmol/L".to_owned(),
            range: Phi::default(),
            flag: Phi::default(),
            status: RowStatus::Final,
            observed: None,
            place: String::new(),
        }
    }

    #[test]
    fn a_value_is_marked_as_flagged_or_else_by_its_range() {
        let of = |value: &str, range: &str, flag: &str| {
            let said = Observation::of(&row("钾", value));
            Observation { range: range.to_owned(), flag: flag.to_owned(), ..said }.mark()
        };
        assert_eq!((of("5.9", "3.5-5.3", "N"), of("5.9", "3.5-5.3", "")), ("", "↑"));
        assert_eq!((of("阳性", "", "A"), of("3.1", "3.5-5.3", ""), of("4", "", "L")), ("（异常）", "↓", "↓"));
    }

    #[test]
    fn u6_a_report_shows_its_marks_beside_the_names() {
        let first = |name| cells(&row(name, "4")).swap_remove(0);
        assert_eq!(
            (first("*钾"), first("钾（苏HR）"), first("钾")),
            ("* 钾".into(), "苏HR 钾".into(), "钾".into())
        );
    }

    #[test]
    fn what_is_void_is_shown_without_its_value() {
        let void = LabRow { status: RowStatus::Void, ..row("钾", "4") };
        assert_eq!(cells(&void).get(1).map(String::as_str), Some("（无结果或已作废）"));
    }
}
