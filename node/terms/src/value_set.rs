//! Value sets: what few values something has, such as how a stay ended, with the codes of WS/T 364 and of the standards that it names.
//!
//! The tables are shipped with their editions, for they are short. A name, or a letter of HL7 v2, says which code is meant; a number
//! does not, unless its sender names the value set: hospitals count by themselves (U-11).

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::codes::CodeTable;
use crate::folding::key;
use crate::table::{TableError, rows, words};

const TABLE: &str = include_str!("../tables/value_sets.csv");
const HEADING: &str = "set,edition,code,name,spellings";

/// A value set. Numbers are those of kinds, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValueSet {
    /// Sex, GB/T 2261.1.
    Sex = 5,
    /// Marital status, GB/T 2261.2.
    MaritalStatus = 6,
    /// The ethnic group (民族), GB 3304.
    EthnicGroup = 7,
    /// Occupation (从业状况), GB/T 2261.4.
    Occupation = 8,
    /// The ABO blood group.
    BloodGroup = 9,
    /// The Rh(D) blood group.
    RhGroup = 10,
    /// What a patient comes as: to the clinic, in an emergency, for a stay (患者类型).
    PatientClass = 11,
    /// From where a patient was admitted (入院途径).
    AdmitSource = 12,
    /// How ill a patient was on admission (住院者疾病状态).
    AdmissionCondition = 13,
    /// How a stay ended (离院方式).
    DischargeDisposition = 14,
    /// Who pays (医疗付费方式).
    Payment = 15,
    /// By which route a medicine is given (用药途径).
    Route = 16,
}

/// The codes of a value set.
#[derive(Clone, Debug, Default)]
struct Shipped {
    edition: String,
    table: CodeTable,
    /// Codes by names and other spellings, as they are compared.
    spelled: BTreeMap<String, String>,
}

impl ValueSet {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Sex,
        Self::MaritalStatus,
        Self::EthnicGroup,
        Self::Occupation,
        Self::BloodGroup,
        Self::RhGroup,
        Self::PatientClass,
        Self::AdmitSource,
        Self::AdmissionCondition,
        Self::DischargeDisposition,
        Self::Payment,
        Self::Route,
    ];

    /// As tables write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sex => "sex",
            Self::MaritalStatus => "marital-status",
            Self::EthnicGroup => "ethnic-group",
            Self::Occupation => "occupation",
            Self::BloodGroup => "blood-group",
            Self::RhGroup => "rh-group",
            Self::PatientClass => "patient-class",
            Self::AdmitSource => "admit-source",
            Self::AdmissionCondition => "admission-condition",
            Self::DischargeDisposition => "discharge-disposition",
            Self::Payment => "payment",
            Self::Route => "route",
        }
    }

    /// Its OID, as documents of WS/T 500 name it.
    pub const fn oid(self) -> &'static str {
        match self {
            Self::Sex => "2.16.156.10011.2.3.3.4",
            Self::MaritalStatus => "2.16.156.10011.2.3.3.5",
            Self::EthnicGroup => "2.16.156.10011.2.3.3.3",
            Self::Occupation => "2.16.156.10011.2.3.3.13",
            Self::BloodGroup => "2.16.156.10011.2.3.1.85",
            Self::RhGroup => "2.16.156.10011.2.3.1.250",
            Self::PatientClass => "2.16.156.10011.2.3.1.271",
            Self::AdmitSource => "2.16.156.10011.2.3.1.270",
            Self::AdmissionCondition => "2.16.156.10011.2.3.1.100",
            Self::DischargeDisposition => "2.16.156.10011.2.3.1.265",
            Self::Payment => "2.16.156.10011.2.3.1.269",
            Self::Route => "2.16.156.10011.2.3.1.158",
        }
    }

    /// The value set of an OID.
    pub fn of_oid(oid: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.oid() == oid)
    }

    /// Its codes and what they are called.
    pub fn table(self) -> &'static CodeTable {
        &self.shipped().table
    }

    /// The standard that its codes are of, with the year: `GB 3304-1991`.
    pub fn edition(self) -> &'static str {
        &self.shipped().edition
    }

    /// The code that is meant by a name, or by a code that is a spelling of one; none if neither says so.
    pub fn means(self, code: &str, name: &str) -> Option<&'static str> {
        let spelled = &self.shipped().spelled;
        [name, code].into_iter().find_map(|text| spelled.get(&key(text))).map(String::as_str)
    }

    fn shipped(self) -> &'static Shipped {
        static SHIPPED: OnceLock<BTreeMap<ValueSet, Shipped>> = OnceLock::new();
        static NONE: OnceLock<Shipped> = OnceLock::new();
        let all =
            SHIPPED.get_or_init(|| read(TABLE).expect("the table of this version is read by its tests"));
        all.get(&self).unwrap_or_else(|| NONE.get_or_init(Shipped::default))
    }
}

fn read(text: &str) -> Result<BTreeMap<ValueSet, Shipped>, TableError> {
    let mut sets: BTreeMap<ValueSet, Shipped> = BTreeMap::new();
    for (at, [set, edition, code, name, spellings]) in rows::<5>(text, HEADING)? {
        let set = ValueSet::ALL.into_iter().find(|known| known.name() == set);
        let shipped = sets.entry(set.ok_or(TableError::Cell(at, "set"))?).or_default();
        edition.clone_into(&mut shipped.edition);
        if !shipped.table.add(code, name) {
            return Err(TableError::Cell(at, "code of its own"));
        }
        for spelled in std::iter::once(name).chain(words(spellings)) {
            if shipped.spelled.insert(key(spelled), code.to_owned()).is_some() {
                return Err(TableError::Cell(at, "spelling of its own"));
            }
        }
    }
    Ok(sets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;

    #[test]
    fn u11_each_value_set_has_its_codes_an_edition_and_an_oid_of_its_own() {
        let sets = read(TABLE).unwrap();
        assert_eq!(sets.len(), ValueSet::ALL.len());
        for set in ValueSet::ALL {
            assert_eq!(ValueSet::of_oid(set.oid()), Some(set));
            assert!(!set.edition().is_empty() && !set.table().is_empty(), "{set:?}");
            for row in set.table().rows() {
                assert!(Kind::Coded(set).standard(&row.code).is_some(), "{set:?} {}", row.code);
            }
        }
        assert_eq!(ValueSet::EthnicGroup.table().name("56"), Some("基诺族"));
    }

    #[test]
    fn u11_names_and_letters_say_which_code_is_meant_and_numbers_do_not() {
        for (set, code, name, meant) in [
            (ValueSet::MaritalStatus, "M", "", Some("20")),
            (ValueSet::MaritalStatus, "7", "离婚", Some("40")),
            (ValueSet::EthnicGroup, "汉", "", Some("01")),
            (ValueSet::Route, "ｉｖ", "", Some("404")),
            (ValueSet::DischargeDisposition, "1", "", None),
            (ValueSet::Payment, "A7", "本院职工", None),
            // A column of a sex has numbers of GB/T 2261.1 wherever it has numbers.
            (ValueSet::Sex, "2", "", Some("2")),
        ] {
            assert_eq!(set.means(code, name), meant, "{set:?} {code} {name}");
        }
    }

    #[test]
    fn a_table_of_value_sets_with_a_wrong_row_is_none() {
        for (row, wrong) in [
            ("sexes,2003,1,男,", TableError::Cell(1, "set")),
            ("sex,2003,1,男,M\nsex,2003,1,女,F", TableError::Cell(2, "code of its own")),
            ("sex,2003,1,男,M\nsex,2003,2,女,M", TableError::Cell(2, "spelling of its own")),
        ] {
            assert_eq!(read(&format!("{HEADING}\n{row}")).unwrap_err(), wrong);
        }
    }
}
