//! `facts.csv`: units, factors and molar masses of what laboratories measure, gathered apart from the tables of the crate.

use std::sync::OnceLock;

use octofhir_ucum::Number;
use proptest::prelude::*;
use yiqiao_terms::decimal::Decimal;
use yiqiao_terms::harmonise::Terms;
use yiqiao_terms::item::Item;
use yiqiao_terms::unit::Unit;

const FACTS: &str = include_str!("facts.csv");

struct Fact {
    item: &'static str,
    conventional: Unit,
    si: Unit,
    /// `None`: there is no safe factor.
    times: Option<f64>,
    plus: f64,
    molar_mass: Option<f64>,
}

/// Read once: it takes longer than a conversion.
fn terms() -> &'static Terms {
    static TERMS: OnceLock<Terms> = OnceLock::new();
    TERMS.get_or_init(|| Terms::shipped().unwrap())
}

fn facts() -> &'static [Fact] {
    static FACTS_READ: OnceLock<Vec<Fact>> = OnceLock::new();
    FACTS_READ.get_or_init(read)
}

fn read() -> Vec<Fact> {
    let unit = |code: &str| Unit::ucum(code).unwrap_or_else(|| panic!("{code}"));
    let fact = |line: &'static str| {
        let cells: Vec<&str> = line.split(',').collect();
        let [item, conventional, si, times, plus, molar_mass] = cells[..] else { panic!("{line}") };
        Fact {
            item,
            conventional: unit(conventional),
            si: unit(si),
            times: times.parse().ok(),
            plus: plus.parse().unwrap(),
            molar_mass: molar_mass.parse().ok(),
        }
    };
    let facts: Vec<Fact> = FACTS.lines().skip(1).map(fact).collect();
    assert_eq!(facts.len(), 129);
    facts
}

fn item<'a>(terms: &'a Terms, id: &str) -> &'a Item {
    terms.items().iter().find(|item| item.id == id).unwrap_or_else(|| panic!("{id}"))
}

/// What one and two of a unit are in the other: slope and offset, to more digits than any factor has.
fn line(item: &Item, from: &Unit, to: &Unit) -> Option<(f64, f64)> {
    let line = item.between(from, to)?;
    let at = |text: &str| line.apply(Decimal::parse(text).unwrap(), 9).unwrap().to_f64();
    let slope = at("2000000.00") - at("1000000.00");
    Some((slope / 1e6, at("1000000.00") - slope))
}

#[test]
fn u2_every_row_converts_both_ways_by_its_factor() {
    let terms = terms();
    for fact in facts() {
        let item = item(terms, fact.item);
        let Some(times) = fact.times else {
            let is_one = fact.conventional.code() == fact.si.code();
            assert!(is_one || item.between(&fact.conventional, &fact.si).is_none(), "{}", fact.item);
            continue;
        };
        let (slope, plus) =
            line(item, &fact.conventional, &fact.si).unwrap_or_else(|| panic!("{}", fact.item));
        let near = |one: f64, other: f64, off: f64| (one - other).abs() <= off * other.abs().max(1e-9);
        assert!(near(slope, times, 1e-4), "{}: {slope} for {times}", fact.item);
        assert!(fact.plus == 0.0 || near(plus, fact.plus, 0.05), "{}: {plus} for {}", fact.item, fact.plus);
        let (back, _) = line(item, &fact.si, &fact.conventional).unwrap();
        assert!(near(back * slope, 1.0, 1e-4), "{}: {back} back of {slope}", fact.item);
    }
}

#[test]
fn every_factor_between_mass_and_amount_is_that_of_the_molar_mass() {
    let terms = terms();
    let mut checked = 0;
    for fact in facts() {
        let in_grams = Unit::ucum("g/L").and_then(|grams| fact.conventional.ratio(&grams));
        let in_moles = Unit::ucum("mol/L").and_then(|moles| fact.si.ratio(&moles));
        let (Some(grams), Some(moles), Some(mass)) = (in_grams, in_moles, fact.molar_mass) else { continue };
        let expected = grams.to_f64() / mass / moles.to_f64();
        let (slope, _) = line(item(terms, fact.item), &fact.conventional, &fact.si).unwrap();
        assert!((slope / expected - 1.0).abs() < 0.01, "{}: {slope}, by mass {expected}", fact.item);
        checked += 1;
    }
    assert!(checked > 30, "{checked}");
}

#[test]
fn u1_every_unit_of_every_row_is_read_as_it_is_printed() {
    let terms = terms();
    let units = facts().iter().flat_map(|fact| [fact.conventional.clone(), fact.si.clone()]);
    for unit in units.chain(terms.items().iter().map(|item| item.unit.clone())) {
        let shown = terms.spellings().shown(&unit);
        if shown.is_empty() || unit.code().starts_with('{') {
            continue;
        }
        let readings = terms.spellings().readings(&shown);
        assert!(readings.iter().any(|one| one.ratio(&unit).is_some()), "{shown} for {}", unit.code());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// There and back, a value differs by what was rounded away, and no digit was made up.
    #[test]
    fn u2_values_go_there_and_back_within_what_was_rounded(digits in 1_i64..100_000, places in 0_i32..4, row in 0_usize..129) {
        let terms = terms();
        let fact = &facts()[row];
        let item = item(terms, fact.item);
        let Some(there) = item.between(&fact.conventional, &fact.si) else { return Ok(()) };
        let back = item.between(&fact.si, &fact.conventional).unwrap();
        let number = Number::from_i64(digits).checked_mul(Number::power_of_ten(-places)).unwrap();
        let text = format!("{:.*}", usize::try_from(places).unwrap(), number.to_f64());
        let value = Decimal::parse(&text).unwrap();
        let Some(converted) = there.apply(value, value.significant()) else { return Ok(()) };
        prop_assert!(converted.significant() <= value.significant() || converted.to_string().ends_with('0'));
        // HbA1c has values that IFCC does not have.
        prop_assume!(converted > Decimal::parse("0").unwrap());
        let again = back.apply(converted, value.significant()).unwrap();
        let (was, is) = (value.to_f64(), again.to_f64());
        // Half a step of each rounding: of the one with the fewest digits, and of what a step there is here.
        let step = |one: Decimal| {
            let zeros = one.to_string().chars().rev().take_while(|letter| *letter == '0').count();
            let places = one.to_string().split_once('.').map_or(0, |(_, fraction)| fraction.len());
            let zeros = if places == 0 { zeros } else { 0 };
            10_f64.powi(i32::try_from(zeros).unwrap() - i32::try_from(places).unwrap())
        };
        let slope = fact.times.unwrap_or(1.0);
        let allowed = step(value) + step(again) + step(converted) / slope;
        prop_assert!((was - is).abs() <= allowed, "{}: {value} {converted} {again}", fact.item);
    }
}
