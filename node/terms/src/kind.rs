//! Kinds of things that systems of a hospital name by codes of their own, and the standard that each is said in.
//!
//! Not here: which codes a standard has. LOINC has check digits, value sets are shipped (`value_set.rs`); of the others a table that the
//! hospital has a licence for says it.

use crate::value_set::ValueSet;

/// A kind of things that are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What a laboratory measures, in LOINC.
    #[default]
    Item,
    /// Diagnoses, in ICD-10 as the national clinical version has it (国家临床版).
    Diagnosis,
    /// Diagnoses once more, in the edition of ICD-10 that health insurance settles by (医保版).
    InsuranceDiagnosis,
    /// Operations and treatments, in ICD-9-CM-3 as the national clinical version has it.
    Procedure,
    /// Medicines, in ATC or by the national drug code (本位码).
    Medicine,
    /// Departments, in the list of clinical specialties (诊疗科目).
    Department,
    /// Organisations, by their unified social credit code or the code of a health institution (WS 218).
    Organisation,
    /// Members of staff, by the number that the hospital itself gives them.
    Staff,
    /// What has few values, in a value set.
    Coded(ValueSet),
}

/// A standard that codes are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    /// LOINC.
    Loinc,
    /// ICD-10, national clinical version.
    Icd10,
    /// ICD-10, edition of the health insurance.
    Icd10Insurance,
    /// ICD-9-CM-3, national clinical version.
    Icd9Cm3,
    /// ATC of the WHO.
    Atc,
    /// The national drug code: fourteen digits.
    DrugCode,
    /// The list of clinical specialties.
    Specialty,
    /// Codes of institutions: the unified social credit code (GB 32100), or that of WS 218.
    Institution,
    /// The hospital's own numbers of its staff.
    StaffNumber,
    /// A value set.
    ValueSet(ValueSet),
}

impl Kind {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let plain = [
            Self::Item,
            Self::Diagnosis,
            Self::InsuranceDiagnosis,
            Self::Procedure,
            Self::Medicine,
            Self::Department,
            Self::Organisation,
            Self::Staff,
        ];
        plain.into_iter().chain(ValueSet::ALL.into_iter().map(Self::Coded))
    }

    /// Its number in what is stored: never used again for another kind.
    pub const fn number(self) -> u32 {
        match self {
            Self::Item => 0,
            Self::Diagnosis => 1,
            Self::Procedure => 2,
            Self::Medicine => 3,
            Self::Department => 4,
            Self::Organisation => 17,
            Self::Staff => 18,
            Self::InsuranceDiagnosis => 19,
            Self::Coded(set) => set as u32,
        }
    }

    /// As tables write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Item => "item",
            Self::Diagnosis => "diagnosis",
            Self::InsuranceDiagnosis => "insurance-diagnosis",
            Self::Procedure => "procedure",
            Self::Medicine => "medicine",
            Self::Department => "department",
            Self::Organisation => "organisation",
            Self::Staff => "staff",
            Self::Coded(set) => set.name(),
        }
    }

    /// The kind of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|kind| kind.name() == name)
    }

    /// The kind of a number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::all().find(|kind| kind.number() == number)
    }

    /// What a code of its standard looks like, for people.
    pub const fn form(self) -> &'static str {
        match self {
            Self::Item => "a LOINC code: digits, a hyphen and its check digit",
            Self::Diagnosis | Self::InsuranceDiagnosis => {
                "an ICD-10 code: a letter, two digits, and what follows a point"
            }
            Self::Procedure => "an ICD-9-CM-3 code: two digits, a point, and what follows",
            Self::Medicine => {
                "an ATC code of seven characters, or a national drug code: 14 digits from 86 on"
            }
            Self::Department => "a clinical specialty: pairs of digits with points between them",
            Self::Organisation => {
                "a unified social credit code with its check character, or 22 digits and capitals (WS 218)"
            }
            Self::Staff => "a number of the hospital's staff: up to 16 letters, digits, hyphens and points",
            Self::Coded(_) => "a code of its value set: up to three digits",
        }
    }

    /// The standard whose code this may be, by its form; none if it is no code of this kind.
    pub fn standard(self, code: &str) -> Option<Standard> {
        match self {
            Self::Item => is_loinc(code).then_some(Standard::Loinc),
            Self::Diagnosis => is_icd10(code).then_some(Standard::Icd10),
            Self::InsuranceDiagnosis => is_icd10(code).then_some(Standard::Icd10Insurance),
            Self::Procedure => is_icd9(code).then_some(Standard::Icd9Cm3),
            Self::Medicine if is_atc(code) => Some(Standard::Atc),
            Self::Medicine => is_drug_code(code).then_some(Standard::DrugCode),
            Self::Department => is_specialty(code).then_some(Standard::Specialty),
            Self::Organisation => is_institution(code).then_some(Standard::Institution),
            Self::Staff => is_staff_number(code).then_some(Standard::StaffNumber),
            Self::Coded(set) => (code.len() <= 3 && is_number(code)).then_some(Standard::ValueSet(set)),
        }
    }

    /// Whether what a sender calls the system of its code is the standard of this kind: a name of HL7 v2, an OID, a URI.
    pub fn is_said_by(self, system: &str) -> bool {
        let system = system.strip_prefix("urn:oid:").unwrap_or(system);
        let icd10 = "2.16.156.10011.2.3.3.11";
        match self {
            Self::Item => matches!(system, "LN" | "2.16.840.1.113883.6.1" | "http://loinc.org"),
            Self::Diagnosis => {
                let known = matches!(
                    system,
                    "I10"
                        | "I10C"
                        | "ICD10"
                        | "ICD-10"
                        | "2.16.840.1.113883.6.3"
                        | "http://hl7.org/fhir/sid/icd-10"
                );
                // Five further roots of it are in use, below this one.
                known
                    || system.strip_prefix(icd10).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }
            Self::Procedure => {
                matches!(system, "I9CP" | "ICD9CM3" | "ICD-9-CM-3" | "2.16.156.10011.2.3.3.12")
            }
            Self::Medicine => {
                matches!(system, "ATC" | "2.16.840.1.113883.6.73" | "http://www.whocc.no/atc")
            }
            // Nobody says of a code that it is of this edition.
            Self::Department | Self::Organisation | Self::Staff | Self::InsuranceDiagnosis => false,
            Self::Coded(set) => system == set.oid(),
        }
    }
}

/// Digits, a hyphen and the check digit of LOINC (mod 10).
pub fn is_loinc(code: &str) -> bool {
    let Some((digits, check)) = code.split_once('-') else { return false };
    if !(1..=7).contains(&digits.len()) || check.len() != 1 || !is_number(digits) || !is_number(check) {
        return false;
    }
    let weighed = digits.bytes().rev().enumerate().map(|(at, byte)| {
        let digit = u32::from(byte - b'0');
        if at % 2 == 1 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
    });
    let sum: u32 = weighed.sum();
    check.parse() == Ok((10 - sum % 10) % 10)
}

/// `I10`, `I10.x00x002`, `E11.900`, `A17.000x001+G01*`.
fn is_icd10(code: &str) -> bool {
    let follows = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'*');
    match code.as_bytes() {
        [letter, first, second, rest @ ..] => {
            let is_category =
                letter.is_ascii_uppercase() && first.is_ascii_digit() && second.is_ascii_digit();
            let is_whole = rest.first().is_none_or(|byte| !byte.is_ascii_alphanumeric());
            is_category && is_whole && rest.len() <= CODE_TAIL_MAX && rest.iter().all(|byte| follows(*byte))
        }
        _ => false,
    }
}

/// `47.01`, `51.2300`, `00.6600x004`.
fn is_icd9(code: &str) -> bool {
    let Some((chapter, rest)) = code.split_once('.') else { return false };
    let is_rest = rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'x');
    chapter.len() == 2 && is_number(chapter) && (1..=CODE_TAIL_MAX).contains(&rest.len()) && is_rest
}

/// `A10BA02`.
fn is_atc(code: &str) -> bool {
    let form = *b"A99AA99";
    let fits =
        |(byte, form): (u8, u8)| if form == b'A' { byte.is_ascii_uppercase() } else { byte.is_ascii_digit() };
    code.len() == form.len() && code.bytes().zip(form).all(fits)
}

fn is_drug_code(code: &str) -> bool {
    code.len() == 14 && code.starts_with("86") && is_number(code)
}

/// `03`, `03.04`, `50.18.01`.
fn is_specialty(code: &str) -> bool {
    code.len() <= 11 && code.split('.').all(|pair| pair.len() == 2 && is_number(pair))
}

/// `12990100MB00000017`, with the check character of GB 32100 (mod 31), or the 22 characters of WS 218.
fn is_institution(code: &str) -> bool {
    const LETTERS: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    if code.len() == 22 {
        return code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    }
    let places: Option<Vec<usize>> = code.chars().map(|letter| LETTERS.find(letter)).collect();
    let Some(places) = places.filter(|places| places.len() == 18) else { return false };
    // The weights are powers of 3, and that of the check character stands for 1.
    let weights = std::iter::successors(Some(1), |weight| Some(weight * 3 % 31)).take(17).chain([1]);
    let sum: usize = places.iter().zip(weights).map(|(place, weight)| place * weight).sum();
    sum.is_multiple_of(31)
}

fn is_staff_number(code: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..=STAFF_NUMBER_MAX).contains(&code.len()) && code.bytes().all(fits)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Characters of a number of a hospital's staff: fewer than an identity number has.
pub const STAFF_NUMBER_MAX: usize = 16;
/// Characters behind the category of a code.
const CODE_TAIL_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u7_a_code_is_of_a_standard_of_its_kind_or_none() {
        for (kind, code, standard) in [
            (Kind::Item, "14749-6", Standard::Loinc),
            (Kind::Diagnosis, "I10", Standard::Icd10),
            (Kind::Diagnosis, "I10.x00x002", Standard::Icd10),
            (Kind::InsuranceDiagnosis, "I10.x00x002", Standard::Icd10Insurance),
            (Kind::Diagnosis, "A17.000x001+G01*", Standard::Icd10),
            (Kind::Procedure, "47.01", Standard::Icd9Cm3),
            (Kind::Procedure, "00.6600x004", Standard::Icd9Cm3),
            (Kind::Medicine, "A10BA02", Standard::Atc),
            (Kind::Medicine, "86901234567890", Standard::DrugCode),
            (Kind::Department, "03.04", Standard::Specialty),
            (Kind::Organisation, "9144030071526726XG", Standard::Institution),
            (Kind::Organisation, "1234567890123456789012", Standard::Institution),
            (Kind::Staff, "d-0456", Standard::StaffNumber),
            (Kind::Coded(ValueSet::Route), "404", Standard::ValueSet(ValueSet::Route)),
        ] {
            assert_eq!(kind.standard(code), Some(standard), "{code}");
        }
        for (kind, code) in [
            (Kind::Diagnosis, ""),
            (Kind::Diagnosis, "高血压"),
            (Kind::Diagnosis, "I1"),
            (Kind::Diagnosis, "I1000"),
            (Kind::Diagnosis, "I10.糖"),
            (Kind::Procedure, "4701"),
            (Kind::Procedure, "47."),
            (Kind::Medicine, "A10BA0"),
            (Kind::Medicine, "8690123456789"),
            (Kind::Department, "3.4"),
            (Kind::Department, "内科"),
            (Kind::Item, "I10"),
            (Kind::Organisation, "9144030071526727XG"),
            (Kind::Organisation, "9144030071526726X"),
            (Kind::Staff, "110105194912310021"),
            (Kind::Staff, "王建平"),
            (Kind::Coded(ValueSet::Sex), "M"),
            (Kind::Coded(ValueSet::Route), "4040"),
        ] {
            assert_eq!(kind.standard(code), None, "{code}");
        }
    }

    #[test]
    fn u7_a_system_is_the_standard_under_the_names_of_the_field() {
        for system in ["I10", "2.16.156.10011.2.3.3.11", "urn:oid:2.16.156.10011.2.3.3.11.3"] {
            assert!(Kind::Diagnosis.is_said_by(system), "{system}");
        }
        assert!(!Kind::Diagnosis.is_said_by("2.16.156.10011.2.3.3.12"));
        assert!(!Kind::Diagnosis.is_said_by("2.16.156.10011.2.3.3.110"));
        assert!(!Kind::Diagnosis.is_said_by("") && Kind::Medicine.is_said_by("ATC"));
    }

    #[test]
    fn a_kind_is_found_by_its_name_and_number() {
        for kind in Kind::all() {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
            assert_eq!(Kind::from_number(kind.number()), Some(kind));
        }
        assert_eq!((Kind::from_name("drug"), Kind::from_number(99)), (None, None));
    }

    #[test]
    fn wrong_codes_are_no_loinc() {
        for wrong in ["", "14749", "14749-7", "a-1", "14749-66", "-6"] {
            assert!(!is_loinc(wrong), "{wrong}");
        }
    }
}
