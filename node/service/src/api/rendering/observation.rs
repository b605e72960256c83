//! One result of an examination, whatever format it came in: a row of a table, and perhaps a point of a trend.

use yiqiao_proto::time::Timestamp;

/// A result as its report says it: nothing is converted.
#[derive(Clone, PartialEq)]
pub(in crate::api) struct Observation {
    /// LOINC code, if it has one.
    pub(in crate::api) loinc: Option<String>,
    pub(in crate::api) name: String,
    pub(in crate::api) value: String,
    pub(in crate::api) unit: String,
    pub(in crate::api) range: String,
    pub(in crate::api) flag: String,
    pub(in crate::api) at: Option<Timestamp>,
}

impl Observation {
    /// A result of which only name, value and unit are said.
    pub(super) const fn named(name: String, value: String, unit: String) -> Self {
        Self { loinc: None, name, value, unit, range: String::new(), flag: String::new(), at: None }
    }

    /// The value, if it is a plain number; a comparison such as `>100` is none.
    pub(in crate::api) fn number(&self) -> Option<f64> {
        self.value.trim().parse().ok().filter(|value: &f64| value.is_finite())
    }

    /// The bounds of the reference range, as far as it is written as numbers.
    pub(in crate::api) fn bounds(&self) -> (Option<f64>, Option<f64>) {
        let range = self.range.trim();
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        let after = |marks: &[char]| number(range.strip_prefix(marks)?.trim_start_matches('='));
        if range.starts_with(['<', '≤', '＜']) {
            return (None, after(&['<', '≤', '＜']));
        }
        if range.starts_with(['>', '≥', '＞']) {
            return (after(&['>', '≥', '＞']), None);
        }
        let joined = range.replace(['～', '~', '—', '–', '－', '至'], "-").replace("--", "-");
        // The first character may be the sign of a negative bound.
        let parted = joined.char_indices().skip(1).find(|(_, letter)| *letter == '-');
        let bounds =
            parted.and_then(|(at, _)| Some((number(joined.get(..at)?)?, number(joined.get(at + 1..)?)?)));
        bounds.map_or((None, None), |(low, high)| (Some(low), Some(high)))
    }

    /// An arrow if the value lies outside its range: as the report flags it, or else by the range itself.
    pub(in crate::api) fn mark(&self) -> &'static str {
        match (self.flag.trim(), self.number(), self.bounds()) {
            ("H" | "HH", ..) => "↑",
            ("L" | "LL", ..) => "↓",
            ("A" | "AA", ..) => "（异常）",
            ("", Some(value), (_, Some(high))) if value > high => "↑",
            ("", Some(value), (Some(low), _)) if value < low => "↓",
            _ => "",
        }
    }

    /// As cells: name, value, unit, range, flag.
    pub(super) fn cells(&self) -> Vec<String> {
        let texts = [&self.name, &self.value, &self.unit, &self.range];
        texts.into_iter().cloned().chain([flag_name(&self.flag)]).collect()
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

    fn bounds(range: &str) -> (Option<f64>, Option<f64>) {
        let bare = Observation::named(String::new(), String::new(), String::new());
        Observation { range: range.to_owned(), ..bare }.bounds()
    }

    #[test]
    fn a_range_is_read_as_hospitals_write_it() {
        for range in ["3.5-5.5", "3.5～5.5", " 3.5 -- 5.5 ", "3.5—5.5"] {
            assert_eq!(bounds(range), (Some(3.5), Some(5.5)), "{range}");
        }
        assert_eq!((bounds("<5.2"), bounds("≥1")), ((None, Some(5.2)), (Some(1.0), None)));
        assert_eq!(bounds("-3-3"), (Some(-3.0), Some(3.0)));
        assert_eq!((bounds("阴性"), bounds("")), ((None, None), (None, None)));
    }

    #[test]
    fn a_value_is_marked_as_flagged_or_else_by_its_range() {
        let of = |value: &str, range: &str, flag: &str| {
            let named = Observation::named("钾".to_owned(), value.to_owned(), "mmol/L".to_owned());
            Observation { range: range.to_owned(), flag: flag.to_owned(), ..named }.mark()
        };
        assert_eq!((of("5.9", "3.5-5.3", "N"), of("5.9", "3.5-5.3", "")), ("", "↑"));
        assert_eq!((of("阳性", "", "A"), of("3.1", "3.5-5.3", ""), of("4", "", "L")), ("（异常）", "↓", "↓"));
    }

    #[test]
    fn a_comparison_is_no_point_of_a_trend() {
        let of =
            |value: &str| Observation::named("钾".to_owned(), value.to_owned(), "mmol/L".to_owned()).number();
        assert_eq!((of("4.1"), of(">100"), of("阴性"), of("inf")), (Some(4.1), None, None, None));
    }
}
