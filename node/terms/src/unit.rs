//! Units in UCUM, and the spellings of the field.
//!
//! UCUM alone would convert too much: a mole is a number to it, so it takes 6.5 mmol/mol for 0.65 %, and milliequivalents of
//! calcium for millimoles. So a unit has a *shape*, too: how often amounts of substance stand in it, and its annotations
//! (`{FEU}`, `{creat}`). Arithmetic alone converts only between units of one shape; all else is a row of the table of
//! conversions (U-2).

use std::collections::BTreeMap;

use octofhir_ucum::{Case, Dimension, Number, UnitExpr, evaluate, lookup_unit, parse_expression};

use crate::folding::{folded, key};
use crate::limits::UNIT_BYTES_MAX;
use crate::table::{TableError, rows, words};

const TABLE: &str = include_str!("../tables/units.csv");
const HEADING: &str = "unit,shown,spellings";

/// Atoms that measure an amount of substance, or what a substance does; ergs and volumes are not among them.
const AMOUNTS: [&str; 5] = ["mol", "eq", "osm", "kat", "U"];

/// What one spelling means in one hospital and something else in another; the item decides.
const AMBIGUOUS: [(&str, &str); 5] = [
    ("G/L", "g/L"),
    ("U/mL", "[arb'U]/mL"),
    ("kU/L", "10*3.[arb'U]/L"),
    ("[IU]/L", "U/L"),
    ("[IU]/mL", "U/mL"),
];

/// A unit that UCUM knows.
#[derive(Clone, Debug)]
pub struct Unit {
    code: String,
    factor: Number,
    dimension: Dimension,
    arbitrary: Vec<(&'static str, i32)>,
    shape: Shape,
    /// Whether values of it are not proportional to what they measure, as of pH.
    special: bool,
}

/// What two units must share besides their dimension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Shape {
    /// Amounts of substance with their powers, above and below the line apart.
    amounts: Vec<(&'static str, i32)>,
    notes: Vec<String>,
}

impl Unit {
    /// A unit in UCUM, case sensitive; `None` if UCUM does not know it.
    pub fn ucum(code: &str) -> Option<Self> {
        if code.is_empty() || code.len() > UNIT_BYTES_MAX {
            return None;
        }
        let term = parse_expression(code).ok()?;
        let meaning = evaluate(&term).ok()?;
        let mut shape = Shape::default();
        shape.gather(&term, 1);
        shape.amounts.sort_unstable();
        shape.notes.sort_unstable();
        Some(Self {
            code: code.to_owned(),
            factor: meaning.factor,
            dimension: meaning.dim,
            arbitrary: meaning.arbitrary,
            shape,
            special: meaning.special.is_some(),
        })
    }

    /// The UCUM code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// How many of `to` one of these is, if arithmetic alone says so.
    pub fn ratio(&self, to: &Self) -> Option<Number> {
        if self.code == to.code {
            return Some(Number::ONE);
        }
        let is_same =
            self.dimension == to.dimension && self.arbitrary == to.arbitrary && self.shape == to.shape;
        if self.special || to.special || !is_same {
            return None;
        }
        self.factor.checked_div(to.factor)
    }

    /// Whether a number in it is whole without it: ratios, counts and pH.
    pub(crate) fn is_number(&self) -> bool {
        self.is_annotation() || matches!(self.code.as_str(), "1" | "[pH]")
    }

    /// Whether it stands for no quantity: steps, codes, and ratios to a cut-off of one maker.
    pub(crate) fn is_annotation(&self) -> bool {
        self.code.starts_with('{')
    }
}

impl Shape {
    /// UCUM bounds how deep a term is nested.
    fn gather(&mut self, term: &UnitExpr, power: i32) {
        match term {
            UnitExpr::Symbol(symbol) => {
                let atom = lookup_unit(symbol, Case::Sensitive).map(|(_, unit)| unit.code);
                let amount = AMOUNTS.into_iter().find(|known| Some(*known) == atom);
                // One is 10⁻⁶ mol in a minute, the other a mol in a second.
                let amount = amount.map(|amount| if amount == "U" { "kat" } else { amount });
                self.amounts.extend(amount.map(|amount| (amount, power)));
            }
            UnitExpr::Numeric(_) => {}
            UnitExpr::Annotation(note) => self.notes.push(note.clone()),
            UnitExpr::Power(base, exponent) => self.gather(base, power.saturating_mul(*exponent)),
            UnitExpr::Annotated(base, note) => {
                self.notes.push(note.clone());
                self.gather(base, power);
            }
            UnitExpr::Product(terms) => terms.iter().for_each(|term| self.gather(term, power)),
            UnitExpr::Quotient(above, below) => {
                self.gather(above, power);
                self.gather(below, power.saturating_neg());
            }
            UnitExpr::Reciprocal(below) => self.gather(below, power.saturating_neg()),
        }
    }
}

/// How hospitals write units, and how units are written for them.
#[derive(Clone, Debug)]
pub struct Spellings {
    codes: BTreeMap<String, String>,
    shown: BTreeMap<String, String>,
    /// Those of the table, read once.
    units: BTreeMap<String, Unit>,
}

impl Spellings {
    /// The table that travels in the binary.
    ///
    /// # Errors
    ///
    /// If it is no table, one spelling means two units, or UCUM does not know one.
    pub fn shipped() -> Result<Self, TableError> {
        let mut table = Self { codes: BTreeMap::new(), shown: BTreeMap::new(), units: BTreeMap::new() };
        for (at, [code, shown, spellings]) in rows(TABLE, HEADING)? {
            let unit = Unit::ucum(code).ok_or(TableError::Cell(at, "unit of UCUM"))?;
            table.units.insert(code.to_owned(), unit);
            table.shown.insert(code.to_owned(), shown.to_owned());
            let plain = key(&code.replace(['[', ']'], "").replace("arb'", ""));
            for spelling in words(spellings).map(key).chain([key(code)]) {
                let known = table.codes.insert(spelling, code.to_owned());
                known
                    .is_none_or(|known| known == code)
                    .then_some(())
                    .ok_or(TableError::Cell(at, "spelling of its own"))?;
            }
            // U/mL is first of all the unit of an enzyme.
            table.codes.entry(plain).or_insert_with(|| code.to_owned());
        }
        Ok(table)
    }

    /// What a spelling may mean, the likeliest first; empty if it is no unit, or none is written.
    pub fn readings(&self, text: &str) -> Vec<Unit> {
        if text.len() > UNIT_BYTES_MAX {
            return Vec::new();
        }
        let written = folded(text);
        let first = self.code(&written);
        let others = AMBIGUOUS.iter().filter(|(spelled, _)| *spelled == written || *spelled == first);
        let codes = std::iter::once(first.as_str()).chain(others.map(|(_, other)| *other));
        codes.filter_map(|code| self.units.get(code).cloned().or_else(|| Unit::ucum(code))).collect()
    }

    /// A unit as Chinese laboratories print it; what the table does not have stands as UCUM.
    pub fn shown(&self, unit: &Unit) -> String {
        self.shown.get(unit.code()).cloned().unwrap_or_else(|| unit.code().to_owned())
    }

    fn code(&self, written: &str) -> String {
        let counted = match written {
            "G/L" => Some("10*9/L".to_owned()),
            "T/L" => Some("10*12/L".to_owned()),
            _ => counted(written),
        };
        counted.or_else(|| self.codes.get(&key(written)).cloned()).unwrap_or_else(|| written.to_owned())
    }
}

/// Powers of ten as analysers write them: `10^9/L`, `X10E9/L`, `x10^9/L`, `*10^9/L`, `10*9/L`, `10e9/l`.
fn counted(written: &str) -> Option<String> {
    let lower = written.to_ascii_lowercase();
    let rest = lower.trim_start_matches(['x', '*', '.']).strip_prefix("10")?;
    let rest = rest.trim_start_matches(['^', '*', 'e']);
    let (power, volume) = rest.split_once('/')?;
    let volume = match volume {
        "l" => "L",
        "ul" | "mm3" | "mm^3" | "cmm" => "uL",
        "ml" => "mL",
        _ => return None,
    };
    let power: u32 = power.parse().ok().filter(|power| (1..=15).contains(power))?;
    Some(format!("10*{power}/{volume}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let readings = Spellings::shipped().unwrap().readings(text);
        readings.iter().map(|unit| unit.code().to_owned()).collect()
    }

    fn ratio(from: &str, to: &str) -> Option<String> {
        let ratio = Unit::ucum(from).unwrap().ratio(&Unit::ucum(to).unwrap());
        ratio.map(|ratio| ratio.to_f64().to_string())
    }

    #[test]
    fn u1_the_spellings_of_the_field_are_read() {
        for text in ["μmol/L", "µmol/L", "umol/L", "UMOL/L", "umol／L", " μmol / l "] {
            assert_eq!(read(text), ["umol/L"], "{text}");
        }
        for text in ["10^9/L", "X10E9/L", "×10⁹/L", "10*9/L", "x10^9/l", "10E9/L", "*10^9/L", "109/L"] {
            assert_eq!(read(text), ["10*9/L"], "{text}");
        }
        for (text, code) in [
            ("S", "s"),
            ("sec", "s"),
            ("秒", "s"),
            ("fl", "fL"),
            ("％", "%"),
            ("mmHg", "mm[Hg]"),
            ("mIU/L", "m[IU]/L"),
            ("uIU/mL", "u[IU]/mL"),
            ("μIU/ml", "u[IU]/mL"),
            ("×10¹²/L", "10*12/L"),
            ("K/uL", "10*3/uL"),
            ("mm/1h", "mm/h"),
            ("ml/min/1.73m²", "mL/min/{1.73_m2}"),
            ("mg/L FEU", "mg/L{FEU}"),
            ("S/CO", "{S_CO_ratio}"),
            ("COI", "{COI}"),
            ("NG/ML", "ng/mL"),
        ] {
            assert_eq!(read(text), [code], "{text}");
        }
        for text in ["", "  ", "个", "mmol/24h尿", "阴性", &"m".repeat(UNIT_BYTES_MAX + 1)] {
            assert!(read(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn u1_a_spelling_of_two_meanings_has_both() {
        assert_eq!(read("G/L"), ["10*9/L", "g/L"]);
        assert_eq!(read("g/L"), ["g/L"]);
        assert_eq!(read("U/mL"), ["U/mL", "[arb'U]/mL"]);
        assert_eq!(read("IU/L"), ["[IU]/L", "U/L"]);
        assert_eq!(read("IU/ml"), ["[IU]/mL", "U/mL"]);
    }

    #[test]
    fn u2_arithmetic_converts_units_of_one_shape_and_no_others() {
        assert_eq!(ratio("g/dL", "g/L").as_deref(), Some("10"));
        assert_eq!(ratio("10*3/uL", "10*9/L").as_deref(), Some("1"));
        assert_eq!(ratio("u[IU]/mL", "m[IU]/L").as_deref(), Some("1"));
        assert_eq!(ratio("%", "L/L").as_deref(), Some("0.01"));
        for (from, to) in [
            ("mg/dL", "mmol/L"),
            ("mmol/mol", "%"),
            ("mmol/L", "10*9/L"),
            ("meq/L", "mmol/L"),
            ("mg/L", "mg/L{FEU}"),
            ("ng/mL{FEU}", "ng/mL{DDU}"),
            ("{S_CO_ratio}", "[IU]/mL"),
            ("{S_CO_ratio}", "{COI}"),
            ("U/L", "[IU]/L"),
            ("U/L", "ug/L"),
            ("[pH]", "mol/L"),
        ] {
            assert_eq!(ratio(from, to), None, "{from} to {to}");
        }
    }
}
