//! The record-linkage benchmarks of FEBRL, as they lie in a folder: each row says in its first column whose it is.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "measures what a person asked for")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use yiqiao_intake::patient::{IdKind, Identifier, PartialDate, Patient};
use yiqiao_proto::phi::Phi;

use crate::measure::{Measured, Told, measure};

/// Registers the rows of one file, and measures. Its social security numbers have no check digit: they are no identifiers here.
pub(crate) fn febrl(file: &Path) -> Measured {
    let text = std::fs::read_to_string(file).unwrap();
    let mut persons = BTreeMap::new();
    let told: Vec<Told> =
        text.lines().skip(1).enumerate().map(|(at, row)| told(at, row, &mut persons)).collect();
    assert!(!told.is_empty(), "{} has no rows", file.display());
    measure(&told, &BTreeSet::new())
}

fn told(at: usize, row: &str, persons: &mut BTreeMap<String, usize>) -> Told {
    let columns: Vec<&str> = row.split(',').map(str::trim).collect();
    // rec-223-org and rec-223-dup-0 are one person.
    let person = columns[0].split('-').nth(1).unwrap().to_owned();
    let next = persons.len();
    let person = *persons.entry(person).or_insert(next);
    let number = format!("F{at}");
    let mut patient =
        Patient { name: Some(Phi::new(format!("{} {}", columns[2], columns[1]))), ..Patient::default() };
    patient.birth_date = date(columns[9]).map(Phi::new);
    patient.identify(Identifier::new(IdKind::Local, &number, ""));
    patient.identify(Identifier::new(IdKind::Passport, columns[10], ""));
    Told { person, number, patient, slips: Vec::new() }
}

fn date(text: &str) -> Option<PartialDate> {
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<i16>().ok();
    PartialDate::new(part(0, 4)?, i8::try_from(part(4, 6)?).ok(), i8::try_from(part(6, 8)?).ok())
}
