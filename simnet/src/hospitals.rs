//! The institutions of the town: who they are, their departments and doctors, and how each numbers its patients.

use std::sync::LazyLock;

use jiff::civil::Date;

use crate::tables::{rows, words};

/// A hospital or centre. The codes of institutions are as fictional as the town: no authority gives out 9999….
#[derive(Debug)]
pub struct Hospital {
    /// One capital letter, the name of the hospital in stories and file names.
    pub letter: char,
    /// The code under which it is a member of the exchange.
    pub member: &'static str,
    /// Institution code, as in `2.16.156.10011.1.5`.
    pub code: &'static str,
    /// The name on the door.
    pub name: &'static str,
    /// What its HIS calls itself in messages.
    pub his: &'static str,
    /// What its LIS calls itself in messages.
    pub lis: &'static str,
    /// How it sends.
    pub feeds: Feeds,
    /// How it numbers patients.
    numbering: Numbering,
}

/// What a hospital's systems speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feeds {
    /// HL7 v2 from HIS and LIS, CDA from the EMR.
    Messages,
    /// FHIR transactions with results and prescriptions, and CDA wrapped by IHE MHD.
    Fhir,
    /// CDA wrapped by IHE MHD, and nothing else.
    Documents,
}

/// How a hospital numbers its patients.
#[derive(Clone, Copy, Debug)]
enum Numbering {
    /// Ten digits with leading zeros.
    Padded,
    /// `MZ`, the day of registration, four digits.
    Dated,
    /// `C` and ten digits, the last of them a check digit.
    Checked,
    /// A bare number.
    Bare,
    /// Seventeen digits: division 999999, subdistrict, committee, order, as health records of communities have it.
    Record,
}

/// A kind of medicine, by which departments of different hospitals are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Specialty {
    General,
    Emergency,
    Cardiology,
    Endocrinology,
    Respiratory,
    Digestive,
    Neurology,
    Kidney,
    Infection,
    Surgery,
    Bones,
    Urology,
    Children,
    Women,
    Skin,
    Senses,
    Laboratory,
    Imaging,
    Pharmacy,
}

/// A department.
#[derive(Debug)]
pub struct Department {
    /// The letter of its hospital.
    pub hospital: char,
    /// The hospital's own code.
    pub code: &'static str,
    /// The hospital's own name for it.
    pub name: &'static str,
    /// What it treats.
    pub specialty: Specialty,
    /// Who works there, never empty; the first is the senior.
    pub staff: Vec<Staff>,
}

/// A member of staff: a physician, or a technician, radiologist or pharmacist by the department's specialty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staff {
    /// The hospital's own code.
    pub code: &'static str,
    /// The name.
    pub name: &'static str,
}

/// A: the county's general hospital.
pub static PEOPLES: Hospital = Hospital {
    letter: 'A',
    member: "qzrm",
    code: "99990001-1",
    name: "桥州市人民医院",
    his: "HIS",
    lis: "LIS",
    feeds: Feeds::Messages,
    numbering: Numbering::Padded,
};

/// B: the hospital of traditional Chinese medicine.
pub static TRADITIONAL: Hospital = Hospital {
    letter: 'B',
    member: "qzzy",
    code: "99990002-2",
    name: "桥州市中医医院",
    his: "ZYHIS",
    lis: "ZYLIS",
    feeds: Feeds::Fhir,
    numbering: Numbering::Dated,
};

/// C: the tertiary hospital, where the others refer to.
pub static UNIVERSITY: Hospital = Hospital {
    letter: 'C',
    member: "qzdx",
    code: "99990003-3",
    name: "桥州大学附属医院",
    his: "iHIS",
    lis: "LabCenter",
    feeds: Feeds::Messages,
    numbering: Numbering::Checked,
};

/// D: mothers and children; joins the exchange later than the others.
pub static CHILDREN: Hospital = Hospital {
    letter: 'D',
    member: "qzfy",
    code: "99990004-4",
    name: "桥州市妇幼保健院",
    his: "FYHIS",
    lis: "FYLIS",
    feeds: Feeds::Messages,
    numbering: Numbering::Bare,
};

/// E: a community health centre.
pub static COMMUNITY: Hospital = Hospital {
    letter: 'E',
    member: "wqsq",
    code: "99990005-5",
    name: "临江区望桥街道社区卫生服务中心",
    his: "GWXT",
    lis: "GWLIS",
    feeds: Feeds::Documents,
    numbering: Numbering::Record,
};

/// All of them, by letter.
pub static HOSPITALS: [&Hospital; 5] = [&PEOPLES, &TRADITIONAL, &UNIVERSITY, &CHILDREN, &COMMUNITY];

static DEPARTMENTS: LazyLock<Vec<Department>> = LazyLock::new(|| {
    let row = |[hospital, code, name, specialty, staff]: [&'static str; 5]| Department {
        hospital: hospital.chars().next().unwrap_or_default(),
        code,
        name,
        specialty: Specialty::named(specialty),
        staff: words(staff).map(|[code, name]: [&'static str; 2]| Staff { code, name }).collect(),
    };
    rows(include_str!("../data/departments.txt")).map(row).collect()
});

impl Hospital {
    /// All departments, in the order of the hospital's own list.
    pub fn departments(&self) -> impl Iterator<Item = &'static Department> {
        let letter = self.letter;
        DEPARTMENTS.iter().filter(move |department| department.hospital == letter)
    }

    /// Whether it has a department of its own for this.
    pub fn treats(&self, specialty: Specialty) -> bool {
        self.departments().any(|department| department.specialty == specialty)
    }

    /// The department for this, or the general one of a hospital that has none.
    pub fn department(&self, specialty: Specialty) -> &'static Department {
        self.departments()
            .find(|department| department.specialty == specialty)
            .or_else(|| self.departments().find(|department| department.specialty == Specialty::General))
            .expect("every hospital has a general department")
    }

    /// The number under which this hospital knows its `order`-th patient, registered on this day.
    pub fn local_number(&self, order: u32, registered: Date) -> String {
        match self.numbering {
            Numbering::Padded => format!("{:010}", 218_000 + order),
            Numbering::Dated => format!("MZ{}{order:04}", registered.strftime("%Y%m%d")),
            Numbering::Checked => {
                let body = format!("{:09}", 100_400 + order * 7);
                format!("C{body}{}", body.bytes().map(|digit| u32::from(digit - b'0')).sum::<u32>() % 10)
            }
            Numbering::Bare => format!("{}", 51_203 + order),
            Numbering::Record => format!("999999001001{order:05}"),
        }
    }
}

impl Specialty {
    /// The specialty of this English name in the tables.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "general" => Self::General,
            "emergency" => Self::Emergency,
            "cardiology" => Self::Cardiology,
            "endocrinology" => Self::Endocrinology,
            "respiratory" => Self::Respiratory,
            "digestive" => Self::Digestive,
            "neurology" => Self::Neurology,
            "kidney" => Self::Kidney,
            "infection" => Self::Infection,
            "surgery" => Self::Surgery,
            "bones" => Self::Bones,
            "urology" => Self::Urology,
            "children" => Self::Children,
            "women" => Self::Women,
            "skin" => Self::Skin,
            "senses" => Self::Senses,
            "laboratory" => Self::Laboratory,
            "imaging" => Self::Imaging,
            _ => Self::Pharmacy,
        }
    }
}

impl Department {
    /// Who signs for the department.
    pub fn senior(&self) -> Staff {
        *self.staff.first().expect("every department has staff")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::civil::date;

    use super::*;

    #[test]
    fn every_hospital_can_treat_test_image_and_dispense() {
        for hospital in HOSPITALS {
            for specialty in
                [Specialty::General, Specialty::Laboratory, Specialty::Imaging, Specialty::Pharmacy]
            {
                assert!(
                    !hospital.department(specialty).staff.is_empty(),
                    "{} {specialty:?}",
                    hospital.letter
                );
            }
        }
        assert_eq!(PEOPLES.department(Specialty::Cardiology).senior().name, "王建平");
    }

    #[test]
    fn staff_codes_are_unique_and_names_have_no_blanks() {
        let mut codes = BTreeSet::new();
        for staff in DEPARTMENTS.iter().flat_map(|department| &department.staff) {
            assert!(codes.insert(staff.code), "{}", staff.code);
            assert!(staff.name.chars().count() >= 2 && !staff.name.contains(' '), "{}", staff.name);
        }
    }

    #[test]
    fn each_hospital_numbers_in_its_own_way() {
        let day = date(2026, 3, 9);
        let numbers: Vec<String> = HOSPITALS.iter().map(|hospital| hospital.local_number(12, day)).collect();
        assert_eq!(
            numbers,
            ["0000218012", "MZ202603090012", "C0001004847", "51215", "99999900100100012"].map(str::to_owned)
        );
    }
}
