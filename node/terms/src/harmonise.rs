//! One result in the unit in which it is compared, with what it was before.
//!
//! The original is never changed: what is made here stands beside it, with the factor and where the factor comes from (U-4).

use std::sync::OnceLock;

use octofhir_ucum::Number;

use crate::decimal::{Decimal, top};
use crate::folding::{folded, head};
use crate::item::{Comparable, Item, Items, Line, Named};
use crate::limits::NAME_BYTES_MAX;
use crate::table::TableError;
use crate::unit::{Spellings, Unit};
use crate::value::{Lies, Range, Step, Value};

/// Digits of a factor that is shown.
const FACTOR_DIGITS: u32 = 6;
/// The smallest place of one.
const FACTOR_PLACE: i32 = -12;

/// What this crate knows.
#[derive(Clone, Debug)]
pub struct Terms {
    spellings: Spellings,
    items: Items,
}

/// A result as its report says it.
#[derive(Clone, Copy, Default)]
pub struct Said<'a> {
    /// Which item it is.
    pub named: Named<'a>,
    /// The value.
    pub value: &'a str,
    /// The unit; empty if none.
    pub unit: &'a str,
    /// The reference range.
    pub range: &'a str,
    /// The flag: `H`, `L`, `N` …
    pub flag: &'a str,
}

/// A result that can be compared with others of its series.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What makes two results one series.
    pub series: String,
    /// The name of the item, if it is a known one.
    pub name: Option<String>,
    /// The unit of the values here, as it is printed.
    pub unit: String,
    /// The value in this unit.
    pub value: Compared,
    /// The bounds of its reference range, in this unit.
    pub low: Option<Decimal>,
    /// The greatest that is normal.
    pub high: Option<Decimal>,
    /// Where it lies, by what was sent.
    pub lies: Lies,
    /// How it was converted; `None` if the values are those of the report.
    pub converted: Option<Converted>,
    /// Where it may be compared.
    pub comparable: Comparable,
}

/// A value that can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// A number, with no more digits than the report has.
    Number(Decimal),
    /// A step.
    Step(Step),
}

/// What was done to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// By what it was multiplied.
    pub times: String,
    /// What was added then; `None` if nothing.
    pub plus: Option<String>,
    /// Where the factor comes from.
    pub source: String,
}

impl Terms {
    /// The tables that travel in the binary.
    ///
    /// # Errors
    ///
    /// If they are none: this version must not start.
    pub fn shipped() -> Result<Self, TableError> {
        Ok(Self { spellings: Spellings::shipped()?, items: Items::shipped()? })
    }

    /// The same, read once.
    ///
    /// # Panics
    ///
    /// Never: this version's tests read the tables.
    pub fn of_this_version() -> &'static Self {
        static TERMS: OnceLock<Terms> = OnceLock::new();
        TERMS.get_or_init(|| Self::shipped().expect("the tables of this version are read by its tests"))
    }

    /// The items.
    pub const fn items(&self) -> &Items {
        &self.items
    }

    /// How units are written.
    pub const fn spellings(&self) -> &Spellings {
        &self.spellings
    }

    /// What a result is among others; `None` if it is neither a number nor a step, or has no name.
    pub fn compare(&self, said: Said<'_>) -> Option<Comparison> {
        let value = Value::read(said.value);
        let range = Range::read(said.range);
        let lies = range.judge(value, said.flag);
        let compared = match value {
            Value::Number(number) => self.number(said, number, range, lies),
            Value::Step(step) => self.step(said, step, range, lies),
            Value::Beyond(_) | Value::Words => None,
        };
        compared.filter(|compared| compared.name.is_some() || !said.named.name.trim().is_empty())
    }

    fn number(&self, said: Said<'_>, number: Decimal, range: Range, lies: Lies) -> Option<Comparison> {
        let readings = self.spellings.readings(said.unit);
        let known = self.items.find(said.named, &readings);
        let made = known.and_then(|(item, unit, line)| self.shared(item, unit, &line, number, range, lies));
        Some(made.unwrap_or_else(|| self.alone(said, readings.first(), number, range, lies)))
    }

    /// A result of a known item, in the item's unit.
    fn shared(
        &self,
        item: &Item,
        unit: &Unit,
        line: &Line,
        number: Decimal,
        range: Range,
        lies: Lies,
    ) -> Option<Comparison> {
        let digits = number.significant();
        // A bound is no measurement: it has the digits of the value beside it, too.
        let bound = |bound: Option<Decimal>| match bound {
            Some(bound) => line.apply(bound, bound.significant().max(digits)).map(Some),
            None => Some(None),
        };
        Some(Comparison {
            series: format!("{} {}", item.series, item.unit.code()),
            name: Some(item.name.clone()),
            unit: self.spellings.shown(&item.unit),
            value: Compared::Number(line.apply(number, digits)?),
            low: bound(range.low)?,
            high: bound(range.high)?,
            lies,
            converted: if unit.code() == item.unit.code() { None } else { Some(line.told()?) },
            comparable: item.comparable,
        })
    }

    /// A result of an item that is not known: only other spellings of its unit are the same.
    fn alone(
        &self,
        said: Said<'_>,
        unit: Option<&Unit>,
        number: Decimal,
        range: Range,
        lies: Lies,
    ) -> Comparison {
        let written = folded(said.unit);
        let code = unit.map_or(written.as_str(), Unit::code);
        Comparison {
            series: format!("{} {code}", named(said.named)).trim().to_owned(),
            name: None,
            unit: unit.map_or_else(|| said.unit.trim().to_owned(), |unit| self.spellings.shown(unit)),
            value: Compared::Number(number),
            low: range.low,
            high: range.high,
            lies,
            converted: None,
            comparable: Comparable::Everywhere,
        }
    }

    /// A result in steps, of an item that is measured in steps or has a step for its range: `-` may mean anything else.
    fn step(&self, said: Said<'_>, step: Step, range: Range, lies: Lies) -> Option<Comparison> {
        let item = self.items.find_stepped(said.named);
        if item.is_none() && range.step.is_none() {
            return None;
        }
        let series = item.map_or_else(|| named(said.named), |item| item.series.clone());
        Some(Comparison {
            series: format!("{series} {{ordinal}}"),
            name: item.map(|item| item.name.clone()),
            unit: String::new(),
            value: Compared::Step(step),
            low: None,
            high: None,
            lies,
            converted: None,
            comparable: item.map_or(Comparable::Everywhere, |item| item.comparable),
        })
    }
}

/// Codes of hospitals' own mean something else at each: an item is its LOINC code, or its name.
fn named(named: Named<'_>) -> String {
    head(named.loinc.unwrap_or(named.name), NAME_BYTES_MAX).trim().to_owned()
}

impl Line {
    /// A number in the other unit, with at most so many digits, and none finer than what the number was told to.
    ///
    /// `None` if it cannot be written.
    pub fn apply(&self, number: Decimal, digits: u32) -> Option<Decimal> {
        if self.times == Number::ONE && self.plus.is_zero() {
            return Some(number);
        }
        let converted = number.number().checked_mul(self.times)?.checked_add(self.plus)?;
        let last = self.times.checked_mul(Number::power_of_ten(number.last_place()))?;
        // The bound of a range may have more digits here than it was written with; a value has not.
        let finer = i32::try_from(digits.saturating_sub(number.significant())).ok()?;
        Decimal::rounded(converted, digits, top(last)?.checked_sub(finer)?)
    }

    fn told(&self) -> Option<Converted> {
        let shown = |number| Decimal::rounded(number, FACTOR_DIGITS, FACTOR_PLACE).map(Decimal::brief);
        let plus = if self.plus.is_zero() { None } else { Some(shown(self.plus)?) };
        Some(Converted { times: shown(self.times)?, plus, source: self.source.clone() })
    }
}
