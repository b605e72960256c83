//! One result of an examination, whatever format it came in: a row of a table, and perhaps a point of a trend.

use yiqiao_proto::time::Timestamp;
use yiqiao_terms::harmonise::Said;
use yiqiao_terms::item::Named;
use yiqiao_terms::mark::{self, Mark};
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
    /// A result of which only name, value and unit are said.
    pub(super) fn named(name: &str, value: String, unit: String) -> Self {
        let empty = String::new;
        let (name, recognition) = mark::split(name);
        Self {
            loinc: None,
            code: empty(),
            sampled: empty(),
            specimen: empty(),
            name,
            recognition,
            value,
            unit,
            range: empty(),
            flag: empty(),
            at: None,
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
    pub(super) fn cells(&self) -> Vec<String> {
        let mark = self.recognition.as_ref().map(Mark::shown).unwrap_or_default();
        let name = format!("{mark} {}", self.name).trim_start().to_owned();
        vec![name, self.value.clone(), self.unit.clone(), self.range.clone(), flag_name(&self.flag)]
    }
}

/// Headings of [`Observation::cells`].
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
    use super::*;

    #[test]
    fn a_value_is_marked_as_flagged_or_else_by_its_range() {
        let of = |value: &str, range: &str, flag: &str| {
            let named = Observation::named("钾", value.to_owned(), "mmol/L".to_owned());
            Observation { range: range.to_owned(), flag: flag.to_owned(), ..named }.mark()
        };
        assert_eq!((of("5.9", "3.5-5.3", "N"), of("5.9", "3.5-5.3", "")), ("", "↑"));
        assert_eq!((of("阳性", "", "A"), of("3.1", "3.5-5.3", ""), of("4", "", "L")), ("（异常）", "↓", "↓"));
    }

    #[test]
    fn u6_a_report_shows_its_marks_beside_the_names() {
        let first = |name| Observation::named(name, "4".to_owned(), String::new()).cells().swap_remove(0);
        assert_eq!(
            (first("*钾"), first("钾（苏HR）"), first("钾")),
            ("* 钾".into(), "苏HR 钾".into(), "钾".into())
        );
    }
}
