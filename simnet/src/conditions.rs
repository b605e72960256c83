//! What brings people to a hospital, and what is done about it: conditions, medicines, allergies, images.
//!
//! Diagnosis codes have the six-place form of the national clinical edition of ICD-10 with its extensions; the table is
//! made up to look like one hospital's and is no copy of any edition.

use std::sync::LazyLock;

use crate::hospitals::Specialty;
use crate::labs::{self, Moved, Panel};
use crate::people::Sex;
use crate::tables::{list, number, rows};

/// A frequent reason for a visit.
#[derive(Debug)]
pub struct Condition {
    /// Diagnosis code.
    pub code: &'static str,
    /// Diagnosis.
    pub name: &'static str,
    /// Who treats it.
    pub specialty: Specialty,
    /// How often it occurs among those whom it fits.
    pub weight: u64,
    /// How many in a hundred stay in hospital.
    pub inpatients: u64,
    /// 主诉
    pub complaint: &'static str,
    /// 现病史
    pub course: &'static str,
    /// Which tests are ordered.
    pub panels: Vec<&'static Panel>,
    /// Which values it moves.
    pub moved: Moved,
    /// What is prescribed.
    pub medicines: Vec<&'static Medicine>,
    /// Which image is taken, if any.
    pub imaging: Option<&'static Imaging>,
    sex: Option<Sex>,
    ages: (i64, i64),
}

/// A medicine as it is usually prescribed.
#[derive(Debug)]
pub struct Medicine {
    /// The region's made-up code.
    pub code: &'static str,
    /// Generic name with the form.
    pub name: &'static str,
    /// Strength and pack.
    pub specification: &'static str,
    /// Code of the form.
    pub form_code: &'static str,
    /// For example 片剂.
    pub form: &'static str,
    /// A decimal number.
    pub dose: &'static str,
    /// The unit of the dose.
    pub dose_unit: &'static str,
    /// Code of the route.
    pub route_code: &'static str,
    /// For example 口服.
    pub route: &'static str,
    /// The abbreviation that prescribers write, for example `bid`.
    pub frequency: &'static str,
    /// How often a day.
    pub times: i64,
    /// The frequency in words.
    pub frequency_text: &'static str,
}

/// An allergy.
#[derive(Debug)]
pub struct Allergy {
    /// The region's made-up code.
    pub code: &'static str,
    /// What it is against.
    pub name: &'static str,
    /// What happens.
    pub reaction: &'static str,
}

/// An image and what is read from it.
#[derive(Debug)]
pub struct Imaging {
    /// Code of the finding in the tables.
    pub code: &'static str,
    /// `CT`, `MR`, `US`, `DR` or `ECG`.
    pub modality: &'static str,
    /// For example 胸部CT平扫.
    pub item: &'static str,
    /// Part of the body.
    pub site: &'static str,
    /// 检查所见
    pub findings: &'static str,
    /// 检查提示
    pub impression: &'static str,
}

static MEDICINES: LazyLock<Vec<Medicine>> = LazyLock::new(|| {
    type Columns = [&'static str; 12];
    let row = |columns: Columns| {
        let [code, name, specification, form_code, form, dose, dose_unit, ..] = columns;
        let [.., route_code, route, frequency, times, frequency_text] = columns;
        Medicine {
            code,
            name,
            specification,
            form_code,
            form,
            dose,
            dose_unit,
            route_code,
            route,
            frequency,
            times: number(times),
            frequency_text,
        }
    };
    rows(include_str!("../data/medicines.txt")).map(row).collect()
});

static ALLERGIES: LazyLock<Vec<Allergy>> = LazyLock::new(|| {
    let row = |[code, name, reaction]: [&'static str; 3]| Allergy { code, name, reaction };
    rows(include_str!("../data/allergies.txt")).map(row).collect()
});

static IMAGING: LazyLock<Vec<Imaging>> = LazyLock::new(|| {
    let row = |[code, modality, item, site, findings, impression]: [&'static str; 6]| Imaging {
        code,
        modality,
        item,
        site,
        findings,
        impression,
    };
    rows(include_str!("../data/imaging.txt")).map(row).collect()
});

static CONDITIONS: LazyLock<Vec<Condition>> = LazyLock::new(|| {
    type Columns = [&'static str; 13];
    let row = |columns: Columns| {
        let [code, name, specialty, sex, ages, weight, inpatients, ..] = columns;
        let [.., complaint, course, panels, moved, medicines, image] = columns;
        let (youngest, oldest) = ages.split_once('-').expect("ages are written 3-14");
        Condition {
            code,
            name,
            specialty: Specialty::named(specialty),
            weight: number(weight).unsigned_abs(),
            inpatients: number(inpatients).unsigned_abs(),
            complaint,
            course,
            panels: list(panels).map(labs::panel).collect(),
            moved: labs::moved(moved),
            medicines: list(medicines).map(medicine).collect(),
            imaging: list(image).map(imaging).next(),
            sex: [("m", Sex::Male), ("f", Sex::Female)]
                .into_iter()
                .find(|(of, _)| *of == sex)
                .map(|(_, sex)| sex),
            ages: (number(youngest), number(oldest)),
        }
    };
    rows(include_str!("../data/conditions.txt")).map(row).collect()
});

/// All conditions that somebody of this sex and age can have.
pub fn fitting(sex: Sex, age: i64) -> impl Iterator<Item = &'static Condition> {
    CONDITIONS.iter().filter(move |condition| condition.fits(sex, age))
}

/// All allergies.
pub fn allergies() -> &'static [Allergy] {
    &ALLERGIES
}

/// The condition of this code in the tables.
pub(crate) fn condition(code: &str) -> &'static Condition {
    CONDITIONS
        .iter()
        .find(|condition| condition.code == code)
        .expect("stories name only conditions that exist")
}

/// The allergy of this code in the tables.
pub(crate) fn allergy(code: &str) -> &'static Allergy {
    ALLERGIES.iter().find(|allergy| allergy.code == code).expect("stories name only allergies that exist")
}

/// The medicine of this code in the tables.
pub(crate) fn medicine(code: &str) -> &'static Medicine {
    MEDICINES.iter().find(|medicine| medicine.code == code).expect("tables name only medicines that exist")
}

/// The image of this code in the tables.
pub(crate) fn imaging(code: &str) -> &'static Imaging {
    IMAGING.iter().find(|imaging| imaging.code == code).expect("tables name only images that exist")
}

impl Condition {
    /// Whether somebody of this sex and age can have it.
    pub fn fits(&self, sex: Sex, age: i64) -> bool {
        let (youngest, oldest) = self.ages;
        self.sex.is_none_or(|only| only == sex) && (youngest..=oldest).contains(&age)
    }
}

impl Medicine {
    /// The prescription in words: 每次5mg，口服，每日一次.
    pub fn instruction(&self) -> String {
        format!("每次{}{}，{}，{}", self.dose, self.dose_unit, self.route, self.frequency_text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_of_six_places() {
        let codes: BTreeSet<&str> = CONDITIONS.iter().map(|condition| condition.code).collect();
        assert_eq!(codes.len(), CONDITIONS.len());
        assert!(codes.len() >= 55);
        for code in codes {
            let (head, tail) = code.split_once('.').unwrap();
            assert!(head.len() == 3 && tail.len() >= 3, "{code}");
        }
    }

    #[test]
    fn everyone_of_any_age_can_have_something() {
        for age in 0..=105 {
            for sex in [Sex::Male, Sex::Female] {
                assert!(fitting(sex, age).next().is_some(), "{sex:?} {age}");
            }
        }
    }

    #[test]
    fn a_condition_moves_only_values_that_are_then_measured() {
        for condition in CONDITIONS.iter() {
            for moved in condition.moved.keys() {
                let measured = condition.panels.iter().flat_map(|panel| &panel.analytes);
                assert!(
                    measured.into_iter().any(|one| one.abbreviation == *moved),
                    "{} {moved}",
                    condition.code
                );
            }
        }
    }
}
