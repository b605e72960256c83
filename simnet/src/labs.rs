//! Laboratory tests: analytes with their reference ranges, panels, and results that agree with each other.
//!
//! Values are decimal fixed point: a report prints `5.60`, and no float takes part in making it.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::chance::Chance;
use crate::people::Sex;
use crate::tables::{list, number, rows};

/// A decimal number with a fixed count of places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// The number times ten to the power of `places`, never negative.
    pub mantissa: i64,
    /// Digits after the point.
    pub places: u32,
}

/// A span of values, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The lowest value.
    pub low: Decimal,
    /// The highest value.
    pub high: Decimal,
}

/// Something a laboratory measures.
#[derive(Debug)]
pub struct Analyte {
    /// Abbreviation, unique.
    pub abbreviation: &'static str,
    /// The formal Chinese name.
    pub name: &'static str,
    /// The name another laboratory uses.
    pub other_name: &'static str,
    /// The unit in ASCII (`umol/L`, `10^9/L`); empty if there is none.
    pub unit: &'static str,
    /// Whether the region's hospitals recognise each other's result, which reports mark by `*`.
    pub recognised: bool,
    places: u32,
    men: Option<Span>,
    women: Option<Span>,
}

/// Analytes that are ordered together.
#[derive(Debug)]
pub struct Panel {
    /// Code, unique.
    pub code: &'static str,
    /// For example 血常规.
    pub name: &'static str,
    /// Code of the specimen.
    pub specimen_code: &'static str,
    /// For example 血清.
    pub specimen: &'static str,
    /// The bench of the laboratory, for example 生化.
    pub group: &'static str,
    /// What is measured, in the order of the report.
    pub analytes: Vec<&'static Analyte>,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A quantity.
    Number(Decimal),
    /// A word, for example 阴性.
    Word(&'static str),
}

/// How a value stands to its reference range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// Below it.
    Low,
    /// Within it.
    Normal,
    /// Above it, or a word that should not be there.
    High,
}

/// One line of a report.
#[derive(Clone, Copy, Debug)]
pub struct Finding {
    /// What was measured.
    pub analyte: &'static Analyte,
    /// What was found.
    pub value: Value,
    /// The reference range for this patient, if it is a quantity.
    pub range: Option<Span>,
    /// How it stands to the range.
    pub flag: Flag,
}

/// Values that a condition moves out of the ordinary, by abbreviation.
pub type Moved = BTreeMap<&'static str, Span>;

static ANALYTES: LazyLock<Vec<Analyte>> = LazyLock::new(|| {
    type Columns = [&'static str; 10];
    let row =
        |[abbreviation, name, other_name, unit, places, low, high, low_f, high_f, recognised]: Columns| {
            let places = u32::try_from(number(places)).unwrap_or(0);
            let men = Span::parse(low, high, places);
            Analyte {
                abbreviation,
                name,
                other_name,
                unit,
                recognised: recognised == "y",
                places,
                men,
                women: Span::parse(low_f, high_f, places).or(men),
            }
        };
    rows(include_str!("../data/analytes.txt")).map(row).collect()
});

static PANELS: LazyLock<Vec<Panel>> = LazyLock::new(|| {
    let row = |[code, name, specimen_code, specimen, group, analytes]: [&'static str; 6]| Panel {
        code,
        name,
        specimen_code,
        specimen,
        group,
        analytes: list(analytes).map(analyte).collect(),
    };
    rows(include_str!("../data/panels.txt")).map(row).collect()
});

/// The panel of this code in the tables.
pub(crate) fn panel(code: &str) -> &'static Panel {
    PANELS.iter().find(|panel| panel.code == code).expect("the tables name only panels that exist")
}

/// The analyte of this abbreviation in the tables.
pub(crate) fn analyte(abbreviation: &str) -> &'static Analyte {
    ANALYTES
        .iter()
        .find(|analyte| analyte.abbreviation == abbreviation)
        .expect("the tables name only analytes that exist")
}

/// Reads `GLU=7.10..11.80,K=3.05`, in as many places as the analyte has.
pub(crate) fn moved(column: &'static str) -> Moved {
    let one = |item: &'static str| {
        let (abbreviation, span) = item.split_once('=')?;
        let (low, high) = span.split_once("..").unwrap_or((span, span));
        let analyte = analyte(abbreviation);
        Some((analyte.abbreviation, Span::parse(low, high, analyte.places)?))
    };
    list(column).map(|item| one(item).expect("a moved value is written GLU=7.10..11.80")).collect()
}

impl Panel {
    /// What the laboratory finds in somebody of this sex whose condition moves these values.
    pub fn measure(&self, sex: Sex, moved: &Moved, chance: &mut Chance) -> Vec<Finding> {
        let mut values = BTreeMap::new();
        for analyte in &self.analytes {
            if let Some(span) = moved.get(analyte.abbreviation).copied().or(analyte.range(sex)) {
                values
                    .insert(analyte.abbreviation, chance.near_middle(span.low.mantissa, span.high.mantissa));
            }
        }
        for analyte in &self.analytes {
            let fixed = moved.contains_key(analyte.abbreviation);
            if let Some(mantissa) = derived(analyte.abbreviation, &values).filter(|_| !fixed) {
                values.insert(analyte.abbreviation, mantissa);
            }
        }
        self.analytes
            .iter()
            .map(|analyte| analyte.found(values.get(analyte.abbreviation), sex, chance))
            .collect()
    }
}

impl Analyte {
    /// The number under which a laboratory that numbers its tests knows this one: four digits.
    pub fn number(&self) -> usize {
        let at = ANALYTES.iter().position(|analyte| analyte.abbreviation == self.abbreviation);
        1001 + at.unwrap_or_default()
    }

    /// The reference range for this sex; `None` if results are words.
    pub fn range(&self, sex: Sex) -> Option<Span> {
        match sex {
            Sex::Male => self.men,
            Sex::Female => self.women,
        }
    }

    fn found(&'static self, mantissa: Option<&i64>, sex: Sex, chance: &mut Chance) -> Finding {
        let range = self.range(sex);
        let Some((mantissa, span)) = mantissa.zip(range) else {
            let word =
                *chance.weighted(&[("阴性", 88), ("±", 4), ("1+", 6), ("2+", 2)], |(_, weight)| *weight);
            let flag = if word.0 == "阴性" { Flag::Normal } else { Flag::High };
            return Finding { analyte: self, value: Value::Word(word.0), range: None, flag };
        };
        let flag = match *mantissa {
            value if value < span.low.mantissa => Flag::Low,
            value if value > span.high.mantissa => Flag::High,
            _ => Flag::Normal,
        };
        let value = Value::Number(Decimal { mantissa: *mantissa, places: self.places });
        Finding { analyte: self, value, range, flag }
    }
}

impl Finding {
    /// Name, value and unit, as a summary writes them.
    pub fn text(&self) -> String {
        format!("{} {} {}", self.analyte.name, self.value, self.analyte.unit).trim_end().to_owned()
    }
}

impl Span {
    fn parse(low: &str, high: &str, places: u32) -> Option<Self> {
        Some(Self { low: Decimal::parse(low, places)?, high: Decimal::parse(high, places)? })
    }
}

impl Decimal {
    /// Reads a decimal with exactly so many places.
    fn parse(text: &str, places: u32) -> Option<Self> {
        let fraction = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let exact = u32::try_from(fraction).ok() == Some(places);
        let mantissa = text.replace('.', "").parse().ok()?;
        exact.then_some(Self { mantissa, places })
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = 10_i64.pow(self.places);
        match usize::try_from(self.places).unwrap_or(0) {
            0 => write!(f, "{}", self.mantissa),
            places => write!(f, "{}.{:0places$}", self.mantissa / one, self.mantissa % one),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Word(word) => f.write_str(word),
        }
    }
}

/// The mantissa of a value that follows from others of the panel, so that a report contradicts itself nowhere.
fn derived(abbreviation: &str, values: &BTreeMap<&'static str, i64>) -> Option<i64> {
    let value = |name: &str| values.get(name).copied();
    let result = match abbreviation {
        // 10^9/L with two places, by per cent with one.
        "NEUT#" => (value("WBC")? * value("NEUT%")?) / 1000,
        "LYMPH#" => (value("WBC")? * value("LYMPH%")?) / 1000,
        "LYMPH%" => 925 - value("NEUT%")?,
        // g/L over pg is 10^12/L.
        "RBC" => value("HGB")? * 1000 / value("MCH")?.max(1),
        // RBC × MCV / 10, with RBC as above before it was rounded.
        "HCT" => value("HGB")? * value("MCV")? / value("MCH")?.max(1),
        "GLB" => value("TP")? - value("ALB")?,
        // Friedewald, in mmol/L.
        "LDL-C" => value("TC")? - value("HDL-C")? - value("TG")? * 10 / 22,
        "INR" => value("PT")? * 100 / 120,
        _ => return None,
    };
    Some(result.max(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Domain;

    fn values(findings: &[Finding]) -> BTreeMap<&'static str, i64> {
        let number = |finding: &Finding| match finding.value {
            Value::Number(number) => Some((finding.analyte.abbreviation, number.mantissa)),
            Value::Word(_) => None,
        };
        findings.iter().filter_map(number).collect()
    }

    #[test]
    fn every_table_reads_and_every_quantity_has_a_range() {
        assert!(PANELS.len() >= 14);
        for analyte in ANALYTES.iter() {
            assert_eq!(analyte.men.is_some(), analyte.women.is_some(), "{}", analyte.abbreviation);
            assert!(
                analyte.men.is_some() || analyte.abbreviation.starts_with("U-"),
                "{}",
                analyte.abbreviation
            );
        }
    }

    #[test]
    fn a_blood_count_agrees_with_itself() {
        for index in 0..200 {
            let mut chance = Chance::new(1, Domain::Visits, index);
            let values = values(&panel("CBC").measure(Sex::Male, &Moved::new(), &mut chance));
            // HCT % = RBC × MCV / 10, within rounding.
            let hct = values["RBC"] * values["MCV"] / 1000;
            assert!((hct - values["HCT"]).abs() <= 2, "{values:?}");
            assert!(values["NEUT%"] + values["LYMPH%"] <= 1000);
        }
    }

    #[test]
    fn a_moved_value_stays_in_its_span_and_is_flagged() {
        let moved = moved("HbA1c=7.4..9.6");
        let mut chance = Chance::new(1, Domain::Visits, 0);
        let findings = panel("A1C").measure(Sex::Female, &moved, &mut chance);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].flag, Flag::High);
        assert!(matches!(findings[0].value, Value::Number(Decimal { mantissa: 74..=96, places: 1 })));
    }

    #[test]
    fn decimals_print_all_their_places() {
        assert_eq!(Decimal { mantissa: 5, places: 3 }.to_string(), "0.005");
        assert_eq!(Decimal { mantissa: 560, places: 2 }.to_string(), "5.60");
        assert_eq!(Decimal { mantissa: 88, places: 0 }.to_string(), "88");
        assert_eq!(Decimal::parse("5.6", 2), None);
    }
}
