//! What sort of document something is: a closed class for the index, and the code the sender gave it.
//!
//! The class decides consent and search; the code stays beside it, so that a better table can be applied later.

use core::fmt;

use crate::limits::TOKEN_CHARS_MAX;

/// The class of a document: few, closed, the same for all formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Results of a laboratory, with microbiology and pathology.
    LaboratoryReport,
    /// Radiology, ultrasound, endoscopy, electrophysiology.
    ImagingReport,
    /// 门诊病历 and other records of outpatient care.
    OutpatientRecord,
    /// Emergency record.
    EmergencyRecord,
    /// Prescription, dispense, administration.
    Medication,
    /// Operation, anaesthesia, treatment, transfusion.
    ProcedureRecord,
    /// Nursing, vital signs, fluid balance.
    NursingRecord,
    /// Delivery and newborn.
    ObstetricRecord,
    /// Informed consent and notices to the family.
    ConsentForm,
    /// 病案首页.
    FrontPage,
    /// Admission note.
    AdmissionNote,
    /// Progress note, ward round, handover, discussion.
    ProgressNote,
    /// Consultation.
    ConsultationNote,
    /// 转诊记录.
    ReferralNote,
    /// Discharge record or summary.
    DischargeSummary,
    /// Death record.
    DeathRecord,
    /// Orders and requests.
    Order,
    /// Summary over several encounters.
    Summary,
    /// Immunisation.
    Immunization,
    /// Health check, follow-up, registration of public health.
    HealthRecord,
    /// Charges, accounts and bills.
    Charge,
    /// What an insurance settled.
    Settlement,
    /// Appointment and other records about care, not of care.
    Administrative,
    /// Everything else.
    Other,
}

/// The sender's code for a kind of document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KindCode {
    /// Part of WS/T 500-2016, 1 to 53.
    Wst500(u8),
    /// Part of WS/T 483-2016, 1 to 20.
    Wst483(u8),
    /// LOINC.
    Loinc(String),
    /// MSH-9 as `ORU^R01`.
    Hl7(String),
    /// FHIR resource type or message event.
    Fhir(String),
    /// A code of another system, as sent.
    Local(String),
}

/// Class and code of a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DocumentKind {
    /// The closed class.
    pub class: Class,
    /// The sender's code.
    pub code: KindCode,
}

use Class::{
    AdmissionNote, ConsentForm, ConsultationNote, DeathRecord, DischargeSummary, EmergencyRecord, FrontPage,
    HealthRecord, ImagingReport, Immunization, LaboratoryReport, Medication, NursingRecord, ObstetricRecord,
    Order, OutpatientRecord, ProcedureRecord, ProgressNote, ReferralNote, Summary,
};

/// WS/T 500.1 to .53: class and title. The code is `C` and the part; the template 2.16.156.10011.2.1.1.(20 + part).
const WST500: [(Class, &str); 53] = [
    (Summary, "病历概要"),
    (OutpatientRecord, "门(急)诊病历"),
    (EmergencyRecord, "急诊留观病历"),
    (Medication, "西药处方"),
    (Medication, "中药处方"),
    (ImagingReport, "检查报告"),
    (LaboratoryReport, "检验报告"),
    (ProcedureRecord, "治疗记录"),
    (ProcedureRecord, "一般手术记录"),
    (ProcedureRecord, "麻醉术前访视记录"),
    (ProcedureRecord, "麻醉记录"),
    (ProcedureRecord, "麻醉术后访视记录"),
    (ProcedureRecord, "输血记录"),
    (ObstetricRecord, "待产记录"),
    (ObstetricRecord, "阴道分娩记录"),
    (ObstetricRecord, "剖宫产记录"),
    (NursingRecord, "一般护理记录"),
    (NursingRecord, "病重(病危)护理记录"),
    (NursingRecord, "手术护理记录"),
    (NursingRecord, "生命体征测量记录"),
    (NursingRecord, "出入量记录"),
    (NursingRecord, "高值耗材使用记录"),
    (NursingRecord, "入院评估"),
    (NursingRecord, "护理计划"),
    (NursingRecord, "出院评估与指导"),
    (ConsentForm, "手术知情告知书"),
    (ConsentForm, "麻醉知情同意书"),
    (ConsentForm, "输血治疗同意书"),
    (ConsentForm, "特殊检查及特殊治疗同意书"),
    (ConsentForm, "病危(重)通知书"),
    (ConsentForm, "其他知情告知同意书"),
    (FrontPage, "住院病案首页"),
    (FrontPage, "中医住院病案首页"),
    (AdmissionNote, "入院记录"),
    (AdmissionNote, "24小时内入出院记录"),
    (DeathRecord, "24小时内入院死亡记录"),
    (ProgressNote, "首次病程记录"),
    (ProgressNote, "日常病程记录"),
    (ProgressNote, "上级医师查房记录"),
    (ProgressNote, "疑难病例讨论记录"),
    (ProgressNote, "交接班记录"),
    (ProgressNote, "转科记录"),
    (ProgressNote, "阶段小结"),
    (ProgressNote, "抢救记录"),
    (ConsultationNote, "会诊记录"),
    (ProcedureRecord, "术前小结"),
    (ProcedureRecord, "术前讨论"),
    (ProgressNote, "术后首次病程记录"),
    (DischargeSummary, "出院记录"),
    (DeathRecord, "死亡记录"),
    (DeathRecord, "死亡病例讨论记录"),
    (Order, "住院医嘱"),
    (DischargeSummary, "出院小结"),
];

/// WS/T 483.1 to .20: class, code and title. The template is 2.16.156.10011.2.1.1.(part).
const WST483: [(Class, &str, &str); 20] = [
    (HealthRecord, "HSDA00.01", "个人基本健康信息登记"),
    (ObstetricRecord, "HSDB01.01", "出生医学证明"),
    (HealthRecord, "HSDB01.02", "新生儿家庭访视"),
    (HealthRecord, "HSDB01.03", "儿童健康体检"),
    (HealthRecord, "HSDB02.01", "首次产前随访服务"),
    (HealthRecord, "HSDB02.02", "产前随访服务"),
    (HealthRecord, "HSDB02.03", "产后访视"),
    (HealthRecord, "HSDB02.04", "产后42天健康检查"),
    (Immunization, "HSDB03.01", "预防接种报告"),
    (HealthRecord, "HSDB03.02", "传染病报告"),
    (DeathRecord, "HSDB03.03", "死亡医学证明"),
    (HealthRecord, "HSDB04.01", "高血压患者随访服务"),
    (HealthRecord, "HSDB04.02", "2型糖尿病患者随访服务"),
    (HealthRecord, "HSDB04.03", "重性精神疾病患者个人信息登记"),
    (HealthRecord, "HSDB04.04", "重性精神疾病患者随访服务"),
    (HealthRecord, "HSDC00.01", "成人健康体检"),
    (OutpatientRecord, "HSDC00.02", "门诊摘要"),
    (DischargeSummary, "HSDC00.03", "住院摘要"),
    (ConsultationNote, "HSDC00.04", "会诊记录"),
    (ReferralNote, "HSDC00.05", "转诊(院)记录"),
];

/// LOINC document codes of C-CDA, IPS and common reports.
const LOINC: [(&str, Class); 40] = [
    ("34133-9", Summary),
    ("60591-5", Summary),
    ("52521-2", Summary),
    ("52027-2", Summary),
    ("18776-5", Summary),
    ("34117-2", AdmissionNote),
    ("34100-8", AdmissionNote),
    ("47039-3", AdmissionNote),
    ("18842-5", DischargeSummary),
    ("28655-9", DischargeSummary),
    ("34105-7", DischargeSummary),
    ("34106-5", DischargeSummary),
    ("11506-3", ProgressNote),
    ("15507-7", ProgressNote),
    ("34111-5", EmergencyRecord),
    ("11488-4", ConsultationNote),
    ("34140-4", ReferralNote),
    ("57133-1", ReferralNote),
    ("57134-9", ReferralNote),
    ("18761-7", ReferralNote),
    ("11504-8", ProcedureRecord),
    ("28570-0", ProcedureRecord),
    ("18748-4", ImagingReport),
    ("18782-3", ImagingReport),
    ("68604-8", ImagingReport),
    ("11524-6", ImagingReport),
    ("30746-2", ImagingReport),
    ("11502-2", LaboratoryReport),
    ("11526-1", LaboratoryReport),
    ("18725-2", LaboratoryReport),
    ("18727-8", LaboratoryReport),
    ("26436-6", LaboratoryReport),
    ("27898-6", LaboratoryReport),
    ("60568-3", LaboratoryReport),
    ("57833-6", Medication),
    ("60593-1", Medication),
    ("11369-6", Immunization),
    ("82593-5", Immunization),
    ("59284-0", ConsentForm),
    ("28651-8", NursingRecord),
];

impl DocumentKind {
    /// Kind of a code of 2.16.156.10011.2.4, such as `C0007` or `HSDC00.05`.
    pub fn from_shared_document(code: &str) -> Option<Self> {
        let code = code.trim();
        if let Some(part) = code.strip_prefix(['C', 'c']).filter(|part| part.len() == 4) {
            let part: u8 = part.parse().ok()?;
            let (class, _) = WST500.get(usize::from(part).checked_sub(1)?)?;
            return Some(Self { class: *class, code: KindCode::Wst500(part) });
        }
        let at = WST483.iter().position(|(_, known, _)| known.eq_ignore_ascii_case(code))?;
        let (class, ..) = WST483.get(at)?;
        Some(Self { class: *class, code: KindCode::Wst483(u8::try_from(at + 1).ok()?) })
    }

    /// Kind of a LOINC document code; an unknown code is of class other.
    pub fn from_loinc(code: &str) -> Self {
        let class = LOINC.iter().find(|(known, _)| *known == code).map_or(Class::Other, |(_, class)| *class);
        Self { class, code: KindCode::Loinc(shortened(code)) }
    }

    /// Kind of a code in no table of this crate.
    pub fn local(code: &str) -> Self {
        Self { class: Class::Other, code: KindCode::Local(shortened(code)) }
    }

    /// Kind of an HL7 v2 message by its MSH-9.
    pub fn hl7(class: Class, message: &str) -> Self {
        Self { class, code: KindCode::Hl7(shortened(message)) }
    }

    /// Kind of a FHIR resource type or message event.
    pub fn fhir(class: Class, name: &str) -> Self {
        Self { class, code: KindCode::Fhir(shortened(name)) }
    }

    /// The template that belongs to a Chinese shared document.
    pub fn template(&self) -> Option<String> {
        match self.code {
            KindCode::Wst500(part) => Some(format!("2.16.156.10011.2.1.1.{}", 20 + u16::from(part))),
            KindCode::Wst483(part) => Some(format!("2.16.156.10011.2.1.1.{part}")),
            KindCode::Loinc(_) | KindCode::Hl7(_) | KindCode::Fhir(_) | KindCode::Local(_) => None,
        }
    }

    /// The title that the standard gives this kind, in Chinese; `None` for codes of other systems.
    pub fn title(&self) -> Option<&'static str> {
        match self.code {
            KindCode::Wst500(part) => WST500.get(usize::from(part).wrapping_sub(1)).map(|(_, title)| *title),
            KindCode::Wst483(part) => WST483.get(usize::from(part).wrapping_sub(1)).map(|(.., title)| *title),
            KindCode::Loinc(_) | KindCode::Hl7(_) | KindCode::Fhir(_) | KindCode::Local(_) => None,
        }
    }
}

fn shortened(code: &str) -> String {
    code.chars().take(TOKEN_CHARS_MAX).collect()
}

impl fmt::Display for KindCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wst500(part) => write!(f, "C{part:04}"),
            Self::Wst483(part) => {
                let code = WST483.get(usize::from(*part).wrapping_sub(1)).map_or("HSD", |(_, code, _)| code);
                f.write_str(code)
            }
            Self::Loinc(code) | Self::Hl7(code) | Self::Fhir(code) | Self::Local(code) => f.write_str(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chinese_code_goes_there_and_back() {
        for part in 1..=53 {
            let code = KindCode::Wst500(part).to_string();
            assert_eq!(DocumentKind::from_shared_document(&code).unwrap().code, KindCode::Wst500(part));
        }
        for part in 1..=20 {
            let code = KindCode::Wst483(part).to_string();
            assert_eq!(DocumentKind::from_shared_document(&code).unwrap().code, KindCode::Wst483(part));
        }
        for wrong in ["C0000", "C0054", "C007", "HSDC00.06", "", "C文档"] {
            assert_eq!(DocumentKind::from_shared_document(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn templates_follow_the_part_number() {
        let template = |code| DocumentKind::from_shared_document(code).and_then(|kind| kind.template());
        assert_eq!(template("C0007").unwrap(), "2.16.156.10011.2.1.1.27");
        assert_eq!(template("HSDC00.05").unwrap(), "2.16.156.10011.2.1.1.20");
    }

    #[test]
    fn an_unknown_loinc_code_is_kept_as_other() {
        let kind = DocumentKind::from_loinc("99999-9");
        assert_eq!((kind.class, kind.code.to_string().as_str()), (Class::Other, "99999-9"));
        assert_eq!(DocumentKind::from_loinc("57133-1").class, ReferralNote);
    }
}
