//! Results as hospitals send them, side by side.

use yiqiao_terms::harmonise::{Compared, Comparison, Said, Terms};
use yiqiao_terms::item::{Comparable, Named};
use yiqiao_terms::value::{Lies, Step};

fn compare(said: Said<'_>) -> Option<Comparison> {
    Terms::shipped().unwrap().compare(said)
}

fn said<'a>(name: &'a str, value: &'a str, unit: &'a str, range: &'a str) -> Said<'a> {
    Said { named: Named { name, ..Named::default() }, value, unit, range, flag: "" }
}

fn series(name: &str, unit: &str) -> String {
    compare(said(name, "1.0", unit, "")).unwrap().series
}

/// Value, bounds and unit as they are shown.
fn shown(comparison: &Comparison) -> String {
    let text = |bound: Option<_>| bound.map_or_else(String::new, |bound| format!("{bound}"));
    let value = match comparison.value {
        Compared::Number(number) => number.to_string(),
        Compared::Step(step) => step.name().to_owned(),
    };
    format!("{value} [{},{}] {}", text(comparison.low), text(comparison.high), comparison.unit)
}

#[test]
fn u4_results_of_two_hospitals_stand_in_one_unit_with_what_was_done() {
    let here = compare(said("葡萄糖", "5.50", "mmol/L", "3.9-6.1")).unwrap();
    let there = compare(said("GLU", "126", "mg/dL", "70-110")).unwrap();
    assert_eq!((here.series.as_str(), here.series == there.series), ("GLU mmol/L", true));
    assert_eq!(shown(&here), "5.50 [3.9,6.1] mmol/L");
    assert_eq!(here.converted, None);
    assert_eq!(shown(&there), "6.99 [3.89,6.11] mmol/L");
    let converted = there.converted.unwrap();
    assert_eq!((converted.times.as_str(), converted.plus), ("0.05551", None));
    assert_eq!(converted.source, "摩尔质量 180.156 g/mol");
    assert_eq!(there.lies, Lies::High, "by the range that was sent");
}

#[test]
fn u4_no_digit_is_shown_that_the_original_has_not() {
    let of = |value: &'static str, unit| shown(&compare(said("肌酐", value, unit, "")).unwrap());
    assert_eq!(of("1", "mg/dL"), "90 [,] μmol/L");
    assert_eq!(of("1.0", "mg/dL"), "88 [,] μmol/L");
    assert_eq!(of("1.00", "mg/dL"), "88.4 [,] μmol/L");
    let glycated = |value: &'static str| shown(&compare(said("HbA1c", value, "mmol/mol", "")).unwrap());
    assert_eq!((glycated("48"), glycated("53")), ("6.5 [,] %".to_owned(), "7.0 [,] %".to_owned()));
}

#[test]
fn u2_what_must_never_be_converted_stands_apart() {
    for (name, one, other) in [
        ("Lp(a)", "mg/dL", "nmol/L"),
        ("D-二聚体", "mg/L FEU", "mg/L DDU"),
        ("D-二聚体", "mg/L FEU", "mg/L"),
        ("D-二聚体", "ng/mL", "mg/L"),
        ("CK-MB", "U/L", "ng/mL"),
        ("HBsAg", "S/CO", "IU/mL"),
        ("HBsAg", "COI", "IU/mL"),
        ("HBsAg", "S/CO", "COI"),
        ("AFP", "IU/mL", "ng/mL"),
        ("HbA1c", "%", "mmol/L"),
        ("钙", "meq/L", "mmol/L"),
    ] {
        assert_ne!(series(name, one), series(name, other), "{name}: {one} and {other}");
    }
    assert_eq!(series("Lp(a)", "mg/dL"), series("脂蛋白a", "mg/L"));
    let coded = |loinc| {
        let named = Named { loinc: Some(loinc), name: "某项目", ..Named::default() };
        compare(Said { named, value: "1.0", unit: "U/L", ..Said::default() }).unwrap().series
    };
    assert_ne!(coded("14804-9"), coded("14805-6"), "LDH from lactate and from pyruvate");
    assert_ne!(series("肌钙蛋白I", "ng/L"), series("超敏肌钙蛋白I", "ng/L"));
}

#[test]
fn u2_tumour_markers_are_compared_within_one_laboratory_only() {
    for name in ["CEA", "甲胎蛋白", "CA125", "CA19-9", "CA15-3", "PSA", "FPSA"] {
        let unit = if name.starts_with("CA") { "U/mL" } else { "ng/mL" };
        let comparison = compare(said(name, "3.1", unit, "")).unwrap();
        assert_eq!(
            (comparison.comparable, comparison.name.is_some()),
            (Comparable::InLaboratory, true),
            "{name}"
        );
    }
    assert_eq!(compare(said("钾", "4", "mmol/L", "")).unwrap().comparable, Comparable::Everywhere);
}

#[test]
fn u3_urea_and_its_nitrogen_are_told_apart_and_are_one_series() {
    let urea = compare(said("尿素", "5.00", "mmol/L", "")).unwrap();
    let nitrogen = compare(said("尿素氮", "14.0", "mg/dL", "")).unwrap();
    let mass = compare(said("尿素", "30.0", "mg/dL", "")).unwrap();
    assert_eq!(urea.series, nitrogen.series);
    assert_eq!(shown(&nitrogen), "5.00 [,] mmol/L");
    assert_eq!(shown(&mass), "5.00 [,] mmol/L");
}

#[test]
fn u1_one_count_is_one_series_in_all_its_spellings() {
    let spellings = ["10^9/L", "X10E9/L", "×10⁹/L", "10*9/L", "G/L", "10^3/μL", "K/uL"];
    let all: Vec<String> = spellings.iter().map(|unit| series("白细胞", unit)).collect();
    assert!(all.iter().all(|one| one == "WBC 10*9/L"), "{all:?}");
    assert_eq!(series("血红蛋白", "G/L"), "HGB g/L", "the item decides");
    assert_eq!(series("ALT", "IU/L"), "ALT U/L");
    assert_eq!(series("某新项目", "μg/ml"), series("某新项目", "UG/ML"));
}

#[test]
fn u5_steps_are_compared_where_the_item_or_its_range_is_one() {
    let protein = compare(said("尿蛋白", "+1", "", "阴性（-）")).unwrap();
    assert_eq!((protein.value, protein.lies), (Compared::Step(Step::Plus(1)), Lies::High));
    assert_eq!(protein.series, compare(said("尿蛋白", "阴性", "", "")).unwrap().series);
    assert!(compare(said("某抗体", "弱阳性", "", "阴性")).is_some());
    assert!(compare(said("钾", "-", "mmol/L", "3.5-5.3")).is_none(), "no result is not a negative one");
}

#[test]
fn what_is_no_number_or_has_no_name_is_not_compared() {
    for (name, value) in [("钾", ">10"), ("钾", "溶血"), ("", "4.1"), ("钾", "1e999")] {
        assert!(compare(said(name, value, "mmol/L", "")).is_none(), "{name} {value}");
    }
}

#[test]
fn nothing_that_is_sent_makes_it_panic() {
    let odd = [
        "",
        "-",
        "0",
        "-0.000",
        "999999999999999",
        "0.000000000000001",
        "１２３",
        "9".repeat(400).leak(),
        "{",
        "10^",
        "10^99/L",
        "/",
        "m".repeat(63).leak(),
        "((((((((",
        "%%",
        "mg/dL{FEU}{",
    ];
    for value in odd {
        for unit in odd.into_iter().chain(["mg/dL", "mmol/mol", "ng/mL", "U/L"]) {
            for name in ["葡萄糖", "HbA1c", "ALT", "x"] {
                let _ = compare(said(name, value, unit, "0-999999999999999"));
            }
        }
    }
}
