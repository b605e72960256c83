//! Which hospitals there are, and who works there.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use yiqiao_simnet::hospitals::{Feeds, HOSPITALS, Hospital, Specialty};
use yiqiao_simnet::story::Role;
use yiqiao_simnet::town::Town;

/// The region's code.
pub const REGION: &str = "qiaozhou";
/// The password of all demo accounts. It opens nothing but a demo on this machine.
pub const PASSWORD: &str = "Qiaozhou-2026";

/// The one-time password with which an administrator hands an account over.
pub const FIRST_PASSWORD: &str = "qiaozhou-first-time-1";

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// What the person signs in with; a doctor's is the staff code of the HIS.
    pub login: String,
    /// The password.
    pub password: String,
    /// The name.
    pub name: String,
    /// `doctor`, `desk`, `referral-office`, `medical-affairs`, `it`; at the registry `bureau`.
    pub role: String,
    /// The department, by the hospital's code.
    pub department: Option<String>,
}

/// A system that signs in by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct System {
    /// Its client id.
    pub client: String,
    /// Its secret.
    pub secret: String,
}

/// The first so many hospitals, in the order of their letters.
pub fn hospitals(count: usize) -> impl Iterator<Item = &'static Hospital> {
    HOSPITALS.into_iter().take(count)
}

/// How people reach a hospital, in notices.
pub fn contact(hospital: &Hospital) -> String {
    format!("0999-6100{:04}", u32::from(hospital.letter) * 11)
}

/// The kind of institution, as the node's configuration has it.
pub const fn facility(hospital: &Hospital) -> &'static str {
    match hospital.letter {
        'B' => "chinese-medicine-hospital",
        'D' => "maternal-child",
        'E' => "community-centre",
        _ => "general-hospital",
    }
}

/// The practice settings of a hospital's departments, by their names and codes.
pub fn departments(hospital: &Hospital) -> BTreeMap<String, &'static str> {
    let both = hospital.departments().flat_map(|department| {
        let setting = setting(department.specialty);
        [(department.code.to_owned(), setting), (department.name.to_owned(), setting)]
    });
    both.collect()
}

/// What the other hospitals call their departments, by member and code.
pub fn other_departments(hospital: &Hospital) -> BTreeMap<&'static str, toml::Table> {
    let others = HOSPITALS.into_iter().filter(|other| other.member != hospital.member);
    let named = others.map(|other| {
        let departments = other.departments();
        let names = departments
            .map(|department| (department.code.to_ascii_lowercase(), toml::Value::from(department.name)));
        (other.member, names.collect())
    });
    named.collect()
}

/// The region's codes of a hospital's departments, by their names and codes.
pub fn department_codes(hospital: &Hospital) -> BTreeMap<String, String> {
    let both = hospital.departments().flat_map(|department| {
        let code = department.code.to_ascii_lowercase();
        [(department.code.to_owned(), code.clone()), (department.name.to_owned(), code)]
    });
    both.collect()
}

/// The register of a hospital's patient numbers, as its systems write it: one HIS names it, others name none.
pub fn main_register(hospital: &Hospital) -> String {
    match (hospital.feeds, hospital.letter) {
        (Feeds::Messages, 'C') => hospital.member.to_uppercase(),
        (Feeds::Messages, _) => String::new(),
        (Feeds::Fhir | Feeds::Documents, _) => format!("https://{}.example/sid/patient", hospital.member),
    }
}

const fn setting(specialty: Specialty) -> &'static str {
    match specialty {
        Specialty::General => "general-practice",
        Specialty::Emergency => "emergency",
        Specialty::Cardiology
        | Specialty::Endocrinology
        | Specialty::Respiratory
        | Specialty::Digestive
        | Specialty::Neurology
        | Specialty::Kidney => "internal-medicine",
        Specialty::Infection => "infectious-diseases",
        Specialty::Surgery | Specialty::Bones | Specialty::Urology => "surgery",
        Specialty::Children => "paediatrics",
        Specialty::Women => "obstetrics-gynaecology",
        Specialty::Skin => "dermatology",
        Specialty::Senses => "head-neck",
        Specialty::Laboratory => "laboratory",
        Specialty::Imaging => "imaging",
        Specialty::Pharmacy => "pharmacy",
    }
}

/// Who has an account at a hospital: the doctors whom the cast of the story meets, the senior cardiologist, desk, referral
/// office, medical affairs, and hospital IT.
pub fn accounts(hospital: &Hospital, town: &Town) -> Vec<Account> {
    let mut doctors = BTreeMap::new();
    for role in Role::ALL {
        let visits = town.cast(role).into_iter().flat_map(|patient| &patient.visits);
        for visit in visits.filter(|visit| visit.hospital.letter == hospital.letter) {
            doctors.insert(visit.doctor.code, (visit.doctor.name, visit.department.code));
        }
    }
    let cardiology = hospital.department(Specialty::Cardiology);
    doctors.insert(cardiology.senior().code, (cardiology.senior().name, cardiology.code));
    let doctors = doctors
        .into_iter()
        .map(|(login, (name, department))| account(login, name, "doctor", Some(department)));
    let offices = [
        account("desk", "登记处", "desk", None),
        account("referral", "转诊办公室", "referral-office", None),
        account("affairs", "医务科", "medical-affairs", None),
        account("it", "信息科", "it", None),
    ];
    doctors.chain(offices).collect()
}

/// The bureau's account at the registry.
pub fn bureau() -> Account {
    account("bureau", "卫健局分析员", "bureau", None)
}

fn account(login: &str, name: &str, role: &str, department: Option<&str>) -> Account {
    Account {
        login: login.to_owned(),
        password: PASSWORD.to_owned(),
        name: name.to_owned(),
        role: role.to_owned(),
        department: department.map(str::to_owned),
    }
}

/// The systems of a hospital that deliver by MLLP.
pub const fn mllp_systems(hospital: &Hospital) -> &'static [&'static str] {
    match hospital.feeds {
        Feeds::Messages => &["his", "lis"],
        Feeds::Fhir | Feeds::Documents => &[],
    }
}

/// The systems of a hospital that deliver by HTTP.
pub const fn http_systems(hospital: &Hospital) -> &'static [&'static str] {
    match hospital.feeds {
        Feeds::Messages | Feeds::Documents => &["emr"],
        Feeds::Fhir => &["fhir", "emr"],
    }
}

/// The town on this day.
pub fn town(day: Date) -> Town {
    Town::story(day)
}
