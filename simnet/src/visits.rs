//! What happens in a hospital: an encounter with its tests, images, prescriptions and, at times, a referral.
//!
//! A [`Plan`] says what is meant to happen; carrying it out draws the rest. Not here: how a hospital writes it down.

use jiff::{ToSpan, civil::DateTime};

use crate::chance::Chance;
use crate::conditions::{Condition, Imaging, Medicine};
use crate::hospitals::{Department, Hospital, Specialty, Staff};
use crate::labs::{Finding, Flag, Moved, Panel};
use crate::people::Person;

/// What sort of encounter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 门诊
    Outpatient,
    /// 急诊
    Emergency,
    /// 住院
    Inpatient,
}

impl Kind {
    /// Code of the patient type (2.16.156.10011.2.3.1.271).
    pub const fn code(self) -> &'static str {
        match self {
            Self::Outpatient => "1",
            Self::Emergency => "2",
            Self::Inpatient => "3",
        }
    }

    /// For example 门诊.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outpatient => "门诊",
            Self::Emergency => "急诊",
            Self::Inpatient => "住院",
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Outpatient => "MZ",
            Self::Emergency => "JZ",
            Self::Inpatient => "ZY",
        }
    }
}

/// An encounter from beginning to end. Times are local: the whole country is at UTC+8.
#[derive(Debug)]
pub struct Visit {
    /// Where.
    pub hospital: &'static Hospital,
    /// What sort.
    pub kind: Kind,
    /// The hospital's number for it, unique.
    pub number: String,
    /// Registration or admission.
    pub from: DateTime,
    /// End or discharge.
    pub until: DateTime,
    /// Treating department.
    pub department: &'static Department,
    /// Treating physician.
    pub doctor: Staff,
    /// Diagnoses, the main one first.
    pub conditions: Vec<&'static Condition>,
    /// 主诉
    pub complaint: &'static str,
    /// 现病史
    pub course: &'static str,
    /// 既往史
    pub past: String,
    /// 治疗经过
    pub treatment: String,
    /// Laboratory reports, in the order of the panels.
    pub labs: Vec<LabReport>,
    /// Reports on images.
    pub images: Vec<ImageReport>,
    /// What is prescribed.
    pub medicines: Vec<&'static Medicine>,
    /// Where the patient is sent on to.
    pub referral: Option<Referral>,
}

/// A laboratory report of one panel.
#[derive(Debug)]
pub struct LabReport {
    /// Report number, unique.
    pub number: String,
    /// Specimen number, unique.
    pub specimen: String,
    /// What was ordered.
    pub panel: &'static Panel,
    /// When the specimen was taken.
    pub collected: DateTime,
    /// When the report was released.
    pub reported: DateTime,
    /// The results.
    pub findings: Vec<Finding>,
    /// Who released it.
    pub by: Staff,
}

/// A report on an image.
#[derive(Debug)]
pub struct ImageReport {
    /// Report number, unique.
    pub number: String,
    /// What was taken and seen.
    pub image: &'static Imaging,
    /// When it was taken.
    pub taken: DateTime,
    /// When the report was released.
    pub reported: DateTime,
    /// Who released it.
    pub by: Staff,
}

/// A wish that another hospital takes over.
#[derive(Clone, Copy, Debug)]
pub struct Referral {
    /// To whom.
    pub to: &'static Hospital,
    /// To which department there.
    pub specialty: Specialty,
    /// 转出原因
    pub reason: &'static str,
}

/// What is meant to happen.
#[derive(Debug)]
pub struct Plan {
    /// Where.
    pub hospital: &'static Hospital,
    /// What sort.
    pub kind: Kind,
    /// When it begins.
    pub from: DateTime,
    /// The main diagnosis.
    pub main: &'static Condition,
    /// Further diagnoses.
    pub others: Vec<&'static Condition>,
    /// Values settled beforehand; they win over what the conditions move.
    pub settled: Moved,
    /// Images besides the condition's own.
    pub images: Vec<&'static Imaging>,
    /// Diagnoses known from before, and allergies, in words.
    pub past: String,
    /// 主诉 and 现病史 in place of the condition's.
    pub account: Option<(&'static str, &'static str)>,
    /// How many days an inpatient stays; drawn if nothing is said.
    pub stay: Option<i64>,
    /// Where the patient is sent on to.
    pub referral: Option<Referral>,
}

/// Tells apart the numbers of visits and reports: the patient, and the visit of this patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The patient's place in the town.
    pub patient: usize,
    /// The visit's place in the patient's life.
    pub visit: usize,
}

impl Plan {
    /// An ordinary visit for one condition.
    pub fn new(hospital: &'static Hospital, kind: Kind, from: DateTime, main: &'static Condition) -> Self {
        Self {
            hospital,
            kind,
            from,
            main,
            others: Vec::new(),
            settled: Moved::new(),
            images: Vec::new(),
            past: String::new(),
            account: None,
            stay: None,
            referral: None,
        }
    }

    /// Carries the plan out.
    pub fn carry_out(self, person: &Person, key: Key, chance: &mut Chance) -> Visit {
        let conditions: Vec<_> = std::iter::once(self.main).chain(self.others.iter().copied()).collect();
        let department = self.hospital.department(self.specialty());
        let labs = self.labs(&conditions, person, key, chance);
        let images = self.images(&conditions, key, chance);
        let medicines = medicines(&conditions);
        let (complaint, course) = self.account.unwrap_or((self.main.complaint, self.main.course));
        Visit {
            hospital: self.hospital,
            kind: self.kind,
            number: format!("{}{}{}", self.kind.prefix(), self.from.strftime("%y%m%d"), key.digits()),
            from: self.from,
            until: self.until(&labs, &images, chance),
            department,
            doctor: *chance.pick(&department.staff),
            treatment: treatment(self.kind, self.referral.as_ref(), &medicines),
            conditions,
            complaint,
            course,
            past: if self.past.is_empty() { "平素体健。".to_owned() } else { self.past },
            labs,
            images,
            medicines,
            referral: self.referral,
        }
    }

    fn specialty(&self) -> Specialty {
        match self.kind {
            Kind::Emergency if self.hospital.treats(Specialty::Emergency) => Specialty::Emergency,
            Kind::Outpatient | Kind::Emergency | Kind::Inpatient => self.main.specialty,
        }
    }

    fn labs(
        &self,
        conditions: &[&'static Condition],
        person: &Person,
        key: Key,
        chance: &mut Chance,
    ) -> Vec<LabReport> {
        let mut panels: Vec<&'static Panel> = Vec::new();
        let mut moved = Moved::new();
        for condition in conditions.iter().rev() {
            moved.extend(condition.moved.iter().map(|(analyte, span)| (*analyte, *span)));
        }
        moved.extend(self.settled.iter().map(|(analyte, span)| (*analyte, *span)));
        for panel in conditions.iter().flat_map(|condition| &condition.panels) {
            if !panels.iter().any(|known| known.code == panel.code) {
                panels.push(panel);
            }
        }
        let by = self.hospital.department(Specialty::Laboratory);
        let report = |(at, panel): (usize, &'static Panel)| {
            let collected = self.from.saturating_add(chance.between(18, 55).minutes());
            LabReport {
                number: format!("JY{}{}{at:02}", self.from.strftime("%y%m%d"), key.digits()),
                specimen: format!("{}{}{at:02}", self.from.strftime("%m%d"), key.digits()),
                panel,
                collected,
                reported: collected.saturating_add(chance.between(35, 240).minutes()),
                findings: panel.measure(person.sex, &moved, chance),
                by: *chance.pick(&by.staff),
            }
        };
        panels.into_iter().enumerate().map(report).collect()
    }

    fn images(&self, conditions: &[&'static Condition], key: Key, chance: &mut Chance) -> Vec<ImageReport> {
        let by = self.hospital.department(Specialty::Imaging);
        let own = conditions.iter().filter_map(|condition| condition.imaging);
        let report = |(at, image): (usize, &'static Imaging)| {
            let taken = self.from.saturating_add(chance.between(30, 150).minutes());
            ImageReport {
                number: format!("{}{}{}{at}", image.modality, self.from.strftime("%y%m%d"), key.digits()),
                image,
                taken,
                reported: taken.saturating_add(chance.between(20, 120).minutes()),
                by: *chance.pick(&by.staff),
            }
        };
        own.chain(self.images.iter().copied()).enumerate().map(report).collect()
    }

    /// An outpatient waits for all reports; an inpatient stays for days.
    fn until(&self, labs: &[LabReport], images: &[ImageReport], chance: &mut Chance) -> DateTime {
        let reports = labs.iter().map(|lab| lab.reported).chain(images.iter().map(|image| image.reported));
        let last = reports.max().unwrap_or(self.from).saturating_add(chance.between(8, 25).minutes());
        match self.kind {
            Kind::Outpatient | Kind::Emergency => last,
            Kind::Inpatient => last.saturating_add(self.stay.unwrap_or_else(|| chance.between(3, 9)).days()),
        }
    }
}

impl Key {
    /// Digits that no other visit of the town has.
    pub(crate) fn digits(self) -> String {
        format!("{:05}{:02}", self.patient, self.visit)
    }

    /// The index of the visit's own streams of chance.
    pub(crate) fn stream(self) -> u64 {
        (self.patient as u64) << 16 | self.visit as u64
    }
}

impl Visit {
    /// The main diagnosis.
    pub fn main(&self) -> &'static Condition {
        self.conditions.first().expect("a plan has a main condition")
    }

    /// The abnormal results as one line, `None` if there are none.
    pub fn abnormal(&self) -> Option<String> {
        let findings = self.labs.iter().flat_map(|lab| &lab.findings);
        let texts: Vec<String> =
            findings.filter(|finding| finding.flag != Flag::Normal).map(Finding::text).collect();
        if texts.is_empty() { None } else { Some(texts.join("，")) }
    }

    /// The impressions of the images and the abnormal results, as a summary writes them.
    pub fn examinations(&self) -> String {
        let images =
            self.images.iter().map(|report| format!("{}：{}", report.image.item, report.image.impression));
        let labs =
            self.abnormal().map_or_else(|| "检验未见明显异常。".to_owned(), |text| format!("检验：{text}。"));
        images.chain([labs]).collect()
    }
}

fn medicines(conditions: &[&'static Condition]) -> Vec<&'static Medicine> {
    let mut medicines: Vec<&'static Medicine> = Vec::new();
    for medicine in conditions.iter().flat_map(|condition| &condition.medicines) {
        if !medicines.iter().any(|known| known.code == medicine.code) {
            medicines.push(medicine);
        }
    }
    medicines
}

fn treatment(kind: Kind, referral: Option<&Referral>, medicines: &[&'static Medicine]) -> String {
    let names: Vec<&str> = medicines.iter().map(|medicine| medicine.name).collect();
    let given =
        if names.is_empty() { "予健康指导".to_owned() } else { format!("予{}", names.join("、")) };
    let given = match kind {
        Kind::Outpatient | Kind::Emergency => given,
        Kind::Inpatient => format!("入院后完善相关检查，{given}等治疗，症状好转出院"),
    };
    let next = referral.map_or_else(
        || "嘱注意休息，不适随诊".to_owned(),
        |referral| format!("转{}进一步诊治", referral.to.name),
    );
    format!("{given}，{next}。")
}
