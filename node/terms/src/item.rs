//! What is measured: items by LOINC, name or abbreviation, the unit in which each is shown, and the conversions into it.
//!
//! Which item a result is follows from what all of it says: an abbreviation alone is not enough (`GLU` is in blood and in urine,
//! `PCT` procalcitonin and plateletcrit). If more than one item is left, it is none (U-3).

use std::collections::BTreeMap;

use octofhir_ucum::Number;

use crate::folding::{head, key};
use crate::limits::NAME_BYTES_MAX;
use crate::sound::Sound;
use crate::table::{TableError, rows, words};
use crate::unit::Unit;

const ITEMS: &str = include_str!("../tables/items.csv");
const ITEMS_HEADING: &str =
    "item,series,name,english,names,abbreviations,specimen,loinc,unit,units,comparable";
const CONVERSIONS: &str = include_str!("../tables/conversions.csv");
const CONVERSIONS_HEADING: &str = "item,from,to,times,plus,source";

/// One thing that laboratories measure.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name in the tables of this crate.
    pub id: String,
    /// What items share that are one quantity under two names, such as 尿素 and 尿素氮.
    pub series: String,
    /// The Chinese name.
    pub name: String,
    /// In which unit it is shown.
    pub unit: Unit,
    /// Where its results may be compared.
    pub comparable: Comparable,
    specimen: Specimen,
    /// Names and abbreviations, as they are compared.
    names: Vec<String>,
    /// How each of them sounds.
    sounds: Vec<Sound>,
    loinc: Vec<String>,
    /// Other units in which laboratories report it.
    reported: Vec<String>,
    conversions: Vec<Conversion>,
}

/// Where results of an item may be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparable {
    /// Everywhere.
    Everywhere,
    /// Only within one laboratory: makers measure different things under one name, as with tumour markers.
    InLaboratory,
}

/// A conversion that arithmetic does not give: `to = from · times + plus`.
#[derive(Clone, Debug)]
struct Conversion {
    from: Unit,
    to: Unit,
    times: Number,
    plus: Number,
    source: String,
}

/// A straight line from one unit to another, and who says so.
#[derive(Clone, Debug)]
pub struct Line {
    /// The factor.
    pub(crate) times: Number,
    /// What is added.
    pub(crate) plus: Number,
    /// Where the factor comes from; `UCUM` if from arithmetic alone.
    pub(crate) source: String,
}

/// What was examined, as far as it tells items apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Specimen {
    Blood,
    Urine,
    /// Liquor, stool, effusions.
    Other,
}

/// The items that this crate knows.
#[derive(Clone, Debug)]
pub struct Items {
    items: Vec<Item>,
    by_loinc: BTreeMap<String, Vec<usize>>,
    by_name: BTreeMap<String, Vec<usize>>,
}

/// How a result names its item.
#[derive(Clone, Copy, Default)]
pub struct Named<'a> {
    /// The LOINC code, if it has one.
    pub loinc: Option<&'a str>,
    /// The sender's own code, often an abbreviation.
    pub code: &'a str,
    /// The name.
    pub name: &'a str,
    /// The specimen in words, and the name of the panel; empty if not said.
    pub specimen: &'a str,
}

impl Items {
    /// The tables that travel in the binary.
    ///
    /// # Errors
    ///
    /// If they are none, or a pair of units of one item has two factors.
    pub fn shipped() -> Result<Self, TableError> {
        let mut conversions = conversions()?;
        let mut table = Self { items: Vec::new(), by_loinc: BTreeMap::new(), by_name: BTreeMap::new() };
        for (row, cells) in rows(ITEMS, ITEMS_HEADING)? {
            let [id, series, name, english, names, abbreviations, specimen, loinc, unit, units, comparable] =
                cells;
            let at = table.items.len();
            let all = words(names).chain(words(abbreviations)).chain([name, english]);
            let all: Vec<String> = all.map(key).collect();
            all.iter().for_each(|name| note(&mut table.by_name, name.clone(), at));
            words(loinc).for_each(|code| note(&mut table.by_loinc, code.to_owned(), at));
            table.items.push(Item {
                id: id.to_owned(),
                series: series.to_owned(),
                name: name.to_owned(),
                unit: Unit::ucum(unit).ok_or(TableError::Cell(row, "unit of UCUM"))?,
                comparable: match comparable {
                    "all" => Comparable::Everywhere,
                    "laboratory" => Comparable::InLaboratory,
                    _ => return Err(TableError::Cell(row, "word for where it is comparable")),
                },
                specimen: if specimen == "U" { Specimen::Urine } else { Specimen::Blood },
                sounds: all.iter().map(|name| Sound::of(name)).collect(),
                names: all,
                loinc: words(loinc).map(str::to_owned).collect(),
                reported: words(units).map(str::to_owned).collect(),
                conversions: conversions.remove(id).unwrap_or_default(),
            });
        }
        conversions.is_empty().then_some(table).ok_or(TableError::Cell(0, "item for each conversion"))
    }

    /// All of them, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = &Item> {
        self.items.iter()
    }

    /// The item that a result with one of these units is, the unit, and the line from it into the one that is shown.
    pub fn find<'a>(&self, named: Named<'_>, readings: &'a [Unit]) -> Option<(&Item, &'a Unit, Line)> {
        let lined = |item: &Item| readings.iter().find_map(|unit| Some((unit, item.line(unit)?)));
        let found = self.candidates(named).into_iter();
        let found: Vec<_> =
            found.filter_map(|item| lined(item).map(|(unit, line)| (item, unit, line))).collect();
        // 3 ng/mL of `P` could be phosphate by arithmetic, but nobody reports it so.
        let usual = found.iter().filter(|(item, unit, _)| item.is_reported(unit)).count();
        let mut left = found.into_iter().filter(|(item, unit, _)| usual == 0 || item.is_reported(unit));
        let first = left.next()?;
        left.next().is_none().then_some(first)
    }

    /// The item that a result in words is: one that is measured in steps, or against a cut-off.
    pub fn find_stepped(&self, named: Named<'_>) -> Option<&Item> {
        let mut found = self.candidates(named).into_iter().filter(|item| item.unit.is_annotation());
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// Whether any item has this name or code.
    pub fn names(&self, named: Named<'_>) -> bool {
        !self.candidates(named).is_empty()
    }

    /// Whether a number of this item says nothing without a unit; none if no item has this name or code.
    pub fn needs_unit(&self, named: Named<'_>) -> Option<bool> {
        let of = self.candidates(named);
        (!of.is_empty()).then(|| !of.iter().any(|item| item.unit.is_number()))
    }

    fn candidates(&self, named: Named<'_>) -> Vec<&Item> {
        let said = Specimen::said(named.specimen);
        let by_loinc = named.loinc.and_then(|loinc| self.by_loinc.get(loinc.trim()));
        // A code that the table has decides; a name beside it is only a name.
        let places = by_loinc.or_else(|| self.named(named.name)).or_else(|| self.named(named.code));
        let items = places.into_iter().flatten().filter_map(|at| self.items.get(*at));
        items.filter(|item| said.is_none_or(|said| said == item.specimen)).collect()
    }

    fn named(&self, name: &str) -> Option<&Vec<usize>> {
        let name = key(head(name, NAME_BYTES_MAX));
        self.by_name.get(&name).filter(|_| !name.is_empty())
    }
}

impl Item {
    /// How a unit becomes the one in which the item is shown; `None` if it must not.
    pub fn line(&self, from: &Unit) -> Option<Line> {
        self.between(from, &self.unit)
    }

    /// Names and abbreviations, in small letters of half width.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The same, each with how it sounds.
    pub(crate) fn sounds(&self) -> impl Iterator<Item = (&str, &Sound)> {
        self.names.iter().map(String::as_str).zip(&self.sounds)
    }

    /// Its LOINC codes.
    pub fn loincs(&self) -> impl Iterator<Item = &str> {
        self.loinc.iter().map(String::as_str)
    }

    /// The code that is suggested for it: of the unit in which it is shown, which stands last.
    pub fn loinc(&self) -> Option<&str> {
        self.loinc.last().map(String::as_str)
    }

    /// Whether it may be measured in this specimen; in any if none is said.
    pub fn is_of(&self, specimen: &str) -> bool {
        Specimen::said(specimen).is_none_or(|said| said == self.specimen)
    }

    fn is_reported(&self, unit: &Unit) -> bool {
        self.unit.code() == unit.code() || self.reported.iter().any(|known| known == unit.code())
    }

    /// How one unit of the item becomes another; `None` if it must not.
    pub fn between(&self, from: &Unit, to: &Unit) -> Option<Line> {
        if let Some(times) = from.ratio(to) {
            return Some(Line { times, plus: Number::ZERO, source: "UCUM".to_owned() });
        }
        self.conversions.iter().find_map(|known| known.forth(from, to).or_else(|| known.back(from, to)))
    }
}

impl Conversion {
    fn forth(&self, from: &Unit, to: &Unit) -> Option<Line> {
        let (before, after) = (from.ratio(&self.from)?, self.to.ratio(to)?);
        let times = before.checked_mul(self.times)?.checked_mul(after)?;
        Some(Line { times, plus: self.plus.checked_mul(after)?, source: self.source.clone() })
    }

    fn back(&self, from: &Unit, to: &Unit) -> Option<Line> {
        let (before, after) = (from.ratio(&self.to)?, self.from.ratio(to)?);
        let times = before.checked_div(self.times)?.checked_mul(after)?;
        let plus = Number::ZERO.checked_sub(self.plus)?.checked_div(self.times)?.checked_mul(after)?;
        Some(Line { times, plus, source: self.source.clone() })
    }
}

impl Specimen {
    /// What the words say, if they say it.
    fn said(words: &str) -> Option<Self> {
        let words = key(head(words, NAME_BYTES_MAX));
        // 尿素 and 尿酸 are measured in blood.
        let bare = ["尿素", "尿酸"].iter().fold(words, |words, name| words.replace(name, ""));
        let has = |known: &[&str]| known.iter().any(|word| bare.contains(word));
        if has(&["尿", "urine"]) || bare == "u" || bare == "ur" {
            return Some(Self::Urine);
        }
        if has(&["脑脊液", "胸水", "腹水", "胸腹水", "积液", "引流液", "粪", "便", "csf", "stool", "fluid"])
        {
            return Some(Self::Other);
        }
        has(&["血", "serum", "plasma", "blood"]).then_some(Self::Blood)
    }
}

fn note(places: &mut BTreeMap<String, Vec<usize>>, name: String, at: usize) {
    let known = places.entry(name).or_default();
    if !known.contains(&at) {
        known.push(at);
    }
}

fn conversions() -> Result<BTreeMap<String, Vec<Conversion>>, TableError> {
    let mut known: BTreeMap<String, Vec<Conversion>> = BTreeMap::new();
    for (row, [item, from, to, times, plus, source]) in rows(CONVERSIONS, CONVERSIONS_HEADING)? {
        let unit = |code| Unit::ucum(code).ok_or(TableError::Cell(row, "unit of UCUM"));
        let number = |text| Number::parse(text).ok_or(TableError::Cell(row, "number"));
        let (from, to, times) = (unit(from)?, unit(to)?, number(times)?);
        let of_item = known.entry(item.to_owned()).or_default();
        let is_second = |one: &Conversion| one.forth(&from, &to).is_some() || one.back(&from, &to).is_some();
        if of_item.iter().any(is_second)
            || times.is_zero()
            || times.is_negative()
            || from.ratio(&to).is_some()
        {
            return Err(TableError::Cell(row, "factor of its own"));
        }
        of_item.push(Conversion { from, to, times, plus: number(plus)?, source: source.to_owned() });
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::Spellings;

    fn find(named: Named<'_>, unit: &str) -> Option<String> {
        let readings = Spellings::shipped().unwrap().readings(unit);
        Items::shipped().unwrap().find(named, &readings).map(|(item, ..)| item.id.clone())
    }

    fn named(name: &str) -> Named<'_> {
        Named { name, ..Named::default() }
    }

    #[test]
    fn u3_several_names_are_one_item() {
        for name in ["谷丙转氨酶", "丙氨酸氨基转移酶", "ALT", "GPT", " alt "] {
            assert_eq!(find(named(name), "U/L").as_deref(), Some("ALT"), "{name}");
        }
        let coded = Named { loinc: Some("2345-7"), name: "某项目", ..Named::default() };
        assert_eq!(find(coded, "mg/dL").as_deref(), Some("GLU"));
        let abbreviated = Named { code: "CREA", name: "肌酐(酶法)", ..Named::default() };
        assert_eq!(find(abbreviated, "μmol/L").as_deref(), Some("CREA"));
    }

    #[test]
    fn u3_an_abbreviation_of_two_items_is_told_by_unit_and_specimen() {
        assert_eq!(find(named("PCT"), "ng/mL").as_deref(), Some("PCT"));
        assert_eq!(find(named("PCT"), "%"), None, "plateletcrit");
        assert_eq!(find(named("P"), "mmol/L").as_deref(), Some("P"));
        assert_eq!(find(named("P"), "ng/mL").as_deref(), Some("PROG"));
        assert_eq!(find(named("TT"), "s").as_deref(), Some("TT"));
        assert_eq!(find(named("CK-MB"), "U/L").as_deref(), Some("CKMB_A"));
        assert_eq!(find(named("CK-MB"), "ng/ml").as_deref(), Some("CKMB_M"));
        let in_urine = Named { name: "GLU", specimen: "随机尿 尿常规", ..Named::default() };
        assert_eq!(find(in_urine, "mmol/L"), None);
        let panel = Named { name: "GLU", specimen: "葡萄糖,尿素,尿酸", ..Named::default() };
        assert_eq!(find(panel, "mmol/L").as_deref(), Some("GLU"), "尿素 is no specimen");
    }

    #[test]
    fn u3_a_d_dimer_without_its_label_is_no_item() {
        for unit in ["mg/L", "ng/mL", "ug/mL"] {
            assert_eq!(find(named("D-二聚体"), unit), None, "{unit}");
        }
        assert_eq!(find(named("D-二聚体(FEU)"), "mg/L FEU").as_deref(), Some("DD_FEU"));
    }

    #[test]
    fn each_loinc_code_and_each_chinese_name_is_of_one_item_for_each_unit() {
        let items = Items::shipped().unwrap();
        let chinese = items.by_name.iter().filter(|(name, _)| !name.is_ascii());
        for (name, places) in items.by_loinc.iter().chain(chinese) {
            let of: Vec<&Item> = places.iter().map(|at| &items.items[*at]).collect();
            for (at, one) in of.iter().enumerate() {
                for other in of.iter().skip(at + 1).filter(|other| other.specimen == one.specimen) {
                    assert!(!one.is_reported(&other.unit), "{name}: {} and {}", one.id, other.id);
                }
            }
        }
    }

    #[test]
    fn y1_a_number_of_some_items_is_whole_without_a_unit() {
        let needs_unit = |name| Items::shipped().unwrap().needs_unit(named(name));
        assert_eq!((needs_unit("葡萄糖"), needs_unit("血红蛋白")), (Some(true), Some(true)));
        assert_eq!(
            (needs_unit("INR"), needs_unit("pH"), needs_unit("心理评估")),
            (Some(false), Some(false), None)
        );
    }

    #[test]
    fn u3_what_may_be_two_items_is_none() {
        assert_eq!(find(named("FBG"), "mg/dL"), None, "glucose or fibrinogen");
        assert_eq!(find(named("FBG"), "g/L").as_deref(), Some("FIB"));
        assert_eq!(find(named("FBG"), "mmol/L").as_deref(), Some("GLU_F"));
    }
}
