//! Systems of identifiers and codes, and the codes of the index as FHIR codings.
//!
//! Identifiers of the person keep the systems under which hospitals send them (`yiqiao-intake`): what goes in comes out.
//! Codes of this project stand under `urn:yiqiao:`, with their words in Chinese.

use serde_json::{Value, json};
use yiqiao_proto::codes::{
    DocumentClass, DocumentFormat, DocumentType, FacilityKind, PersonRole, PracticeSetting, Purpose,
    Sensitivity,
};
use yiqiao_proto::referral::State;

/// Identifiers that are URIs themselves.
pub const URI: &str = "urn:ietf:rfc:3986";
/// Resident identity numbers (GB 11643).
pub const RESIDENT: &str = "urn:oid:2.16.156.10011.1.3";
/// Resident health cards (WS/T 543).
pub const HEALTH_CARD: &str = "urn:oid:2.16.156.10011.1.19";
/// Numbers of permanent residence permits of foreigners, in 15 characters.
pub const PERMIT: &str = "urn:yiqiao:permit";
/// Numbers of permits of residents of Hong Kong, Macao or Taiwan to come to the mainland.
pub const TRAVEL_PERMIT: &str = "urn:yiqiao:travel-permit";
/// Health records (健康档案).
pub const HEALTH_RECORD: &str = "urn:oid:2.16.156.10011.1.2";
/// Outpatient numbers, where the sender gives no system of its own.
pub const OUTPATIENT: &str = "urn:oid:2.16.156.10011.1.11";
/// Inpatient numbers, where the sender gives no system of its own.
pub const INPATIENT: &str = "urn:oid:2.16.156.10011.1.12";
/// Document types of WS/T 500 and WS/T 483.
pub const SHARED_DOCUMENT: &str = "urn:oid:2.16.156.10011.2.4";
/// Members of the region, by code.
pub const MEMBER: &str = "urn:yiqiao:member";
/// Departments of a member: `member/department`.
pub const DEPARTMENT: &str = "urn:yiqiao:department";
/// Practitioners, by the pseudonym that their own organisation gave (P-1).
pub const PRACTITIONER: &str = "urn:yiqiao:practitioner";
/// Members of staff, by their number in the hospital.
pub const STAFF: &str = "urn:yiqiao:staff";
/// Visits, by their number in the hospital.
pub const VISIT: &str = "urn:yiqiao:visit";
/// Entries of the index.
pub const ENTRY: &str = "urn:yiqiao:entry";
/// Sealed documents; the hexadecimal digits follow.
pub const DOCUMENT: &str = "urn:yiqiao:document:";
/// Referrals.
pub const REFERRAL: &str = "urn:yiqiao:referral";
/// What an assigner calls itself where that is not a URI; the name follows.
pub use yiqiao_intake::patient::{ASSIGNER, PASSPORTS};

pub(crate) const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
pub(crate) const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
pub(crate) const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
pub(crate) const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
pub(crate) const IDENTIFIER_TYPE: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";
pub(crate) const LOINC: &str = "http://loinc.org";
pub(crate) const SNOMED: &str = "http://snomed.info/sct";

/// A closed set of codes as codings.
pub(crate) trait Term: Copy + Sized + 'static {
    /// The code system.
    const SYSTEM: &'static str;
    /// Every code.
    const ALL: &'static [Self];

    /// Code, the words of the code system for it, and Chinese words.
    fn words(self) -> (&'static str, &'static str, &'static str);

    fn code(self) -> &'static str {
        self.words().0
    }

    fn coding(self) -> Value {
        let (code, display, _) = self.words();
        json!({"system": Self::SYSTEM, "code": code, "display": display})
    }

    fn concept(self) -> Value {
        json!({"coding": [self.coding()], "text": self.words().2})
    }

    fn find(system: &str, code: &str) -> Option<Self> {
        Self::ALL.iter().copied().filter(|_| system == Self::SYSTEM).find(|term| term.code() == code)
    }
}

/// Codes of this project: their own words are Chinese.
macro_rules! own {
    ($($set:ident, $system:literal, $all:expr, { $($variant:ident $code:literal $chinese:literal)* })*) => {$(
        impl Term for $set {
            const SYSTEM: &'static str = $system;
            const ALL: &'static [Self] = $all;

            fn words(self) -> (&'static str, &'static str, &'static str) {
                match self {
                    $(Self::$variant => ($code, $chinese, $chinese),)*
                }
            }
        }
    )*};
}

/// Codes of HL7.
macro_rules! hl7 {
    ($($set:ident, $system:expr, { $($variant:ident $code:literal $display:literal $chinese:literal)* })*) => {$(
        impl Term for $set {
            const SYSTEM: &'static str = $system;
            const ALL: &'static [Self] = $set::ALL;

            fn words(self) -> (&'static str, &'static str, &'static str) {
                match self {
                    $(Self::$variant => ($code, $display, $chinese),)*
                }
            }
        }
    )*};
}

own! {
    DocumentClass, "urn:yiqiao:document-class", DocumentClass::ALL, {
        Summary "summary" "病历摘要"
        Outpatient "outpatient" "门（急）诊病历"
        Inpatient "inpatient" "住院病历"
        Laboratory "laboratory" "检验报告"
        Examination "examination" "检查报告"
        Imaging "imaging" "影像"
        Medication "medication" "处方与用药"
        Procedure "procedure" "手术与治疗"
        Nursing "nursing" "护理记录"
        ConsentForm "consent-form" "知情同意书"
        Referral "referral" "转诊与会诊"
        HealthCheck "health-check" "健康体检与公共卫生"
        Immunisation "immunisation" "预防接种"
        Certificate "certificate" "出生与死亡证明"
        Finance "finance" "费用与结算"
        Other "other" "其他"
    }
    DocumentFormat, "urn:yiqiao:document-format", DocumentFormat::ALL, {
        Hl7V2 "hl7-v2" "HL7 v2 消息"
        CdaWst "cda-wst" "共享文档（WS/T 500、WS/T 483）"
        Cda "cda" "CDA 文档"
        FhirJson "fhir-json" "FHIR R4 JSON"
        FhirXml "fhir-xml" "FHIR R4 XML"
        Pdf "pdf" "PDF"
        Text "text" "纯文本"
        Dicom "dicom" "DICOM"
        Picture "picture" "图片"
        Table "table" "表格"
        Binary "binary" "其他格式"
    }
    FacilityKind, "urn:yiqiao:facility-kind", FacilityKind::ALL, {
        GeneralHospital "general-hospital" "综合医院"
        ChineseMedicineHospital "chinese-medicine-hospital" "中医医院"
        SpecialisedHospital "specialised-hospital" "专科医院"
        CommunityCentre "community-centre" "社区卫生服务机构"
        TownshipCentre "township-centre" "乡镇卫生院"
        Clinic "clinic" "村卫生室或诊所"
        MaternalChild "maternal-child" "妇幼保健机构"
        DiseaseControl "disease-control" "疾病预防控制中心"
        DiagnosticCentre "diagnostic-centre" "检验或影像中心"
        Other "other" "其他"
    }
    PracticeSetting, "urn:yiqiao:practice-setting", PracticeSetting::ALL, {
        NotStated "not-stated" "未说明"
        GeneralPractice "general-practice" "全科"
        InternalMedicine "internal-medicine" "内科"
        Surgery "surgery" "外科"
        ObstetricsGynaecology "obstetrics-gynaecology" "妇产科"
        Paediatrics "paediatrics" "儿科"
        HeadNeck "head-neck" "眼耳鼻喉口腔"
        Dermatology "dermatology" "皮肤科"
        Psychiatry "psychiatry" "精神科"
        InfectiousDiseases "infectious-diseases" "感染性疾病科"
        Oncology "oncology" "肿瘤科"
        Emergency "emergency" "急诊科"
        Rehabilitation "rehabilitation" "康复科"
        ChineseMedicine "chinese-medicine" "中医科"
        IntensiveCare "intensive-care" "重症医学科"
        Laboratory "laboratory" "检验科"
        Imaging "imaging" "影像科"
        Pharmacy "pharmacy" "药剂科"
        Other "other" "其他"
    }
    PersonRole, "urn:yiqiao:person-role", PersonRole::ALL, {
        Physician "physician" "医师"
        Nurse "nurse" "护士"
        ReferralOffice "referral-office" "转诊办公室"
        DepartmentHead "department-head" "科主任"
        Pharmacist "pharmacist" "药师"
        Technician "technician" "检验或影像技师"
        Desk "desk" "挂号窗口"
        Patient "patient" "患者本人"
        Guardian "guardian" "监护人"
        System "system" "系统"
        MedicalAffairs "medical-affairs" "医务科"
    }
    State, "urn:yiqiao:referral-state", &STATES, {
        Sent "sent" "已发送"
        Received "received" "已送达"
        Accepted "accepted" "已接受"
        Booked "booked" "已预约"
        Arrived "arrived" "已到诊"
        InCare "in-care" "诊疗中"
        Answered "answered" "已回复"
        Closed "closed" "已结束"
        Declined "declined" "未接受"
        Redirected "redirected" "已转介"
        Cancelled "cancelled" "已取消"
        Expired "expired" "已过期"
    }
}

hl7! {
    Sensitivity, CONFIDENTIALITY, {
        Normal "N" "normal" "普通"
        Restricted "R" "restricted" "受限"
        VeryRestricted "V" "very restricted" "严格受限"
    }
    Purpose, ACT_REASON, {
        Treatment "TREAT" "treatment" "诊疗"
        Emergency "ETREAT" "Emergency Treatment" "急救"
        PatientRequest "PATRQT" "patient requested" "患者本人查阅"
        Payment "HPAYMT" "healthcare payment" "费用结算"
        PublicHealth "PUBHLTH" "public health" "公共卫生"
        Quality "HQUALIMP" "health quality improvement" "质量与互认"
        Research "HRESCH" "healthcare research" "科研"
        Operations "HOPERAT" "healthcare operations" "运营管理"
    }
}

/// States of a referral, in their order.
const STATES: [State; 12] = [
    State::Sent,
    State::Received,
    State::Accepted,
    State::Booked,
    State::Arrived,
    State::InCare,
    State::Answered,
    State::Closed,
    State::Declined,
    State::Redirected,
    State::Cancelled,
    State::Expired,
];

/// The code system of a document type: of the standards, or of this project.
pub(crate) const fn type_system(document_type: DocumentType) -> &'static str {
    if document_type.number() < 200 { SHARED_DOCUMENT } else { "urn:yiqiao:document-type" }
}

/// A document type as a concept.
pub(crate) fn type_concept(document_type: DocumentType) -> Value {
    let row = document_type.row();
    let coding = json!({"system": type_system(document_type), "code": row.code, "display": row.title});
    json!({"coding": [coding], "text": row.title})
}

/// The media type of a format.
pub const fn media_type(format: DocumentFormat) -> &'static str {
    match format {
        DocumentFormat::Hl7V2 => "x-application/hl7-v2+er7",
        DocumentFormat::CdaWst | DocumentFormat::Cda => "application/hl7-cda+xml",
        DocumentFormat::FhirJson => "application/fhir+json",
        DocumentFormat::FhirXml => "application/fhir+xml",
        DocumentFormat::Pdf => "application/pdf",
        DocumentFormat::Text => "text/plain;charset=utf-8",
        DocumentFormat::Dicom => "application/dicom",
        DocumentFormat::Table => "text/csv;charset=utf-8",
        DocumentFormat::Picture | DocumentFormat::Binary => "application/octet-stream",
    }
}

/// A system as a URI: what assigners call themselves in HL7 v2 and CDA is often a bare OID or a word.
pub fn system_uri(assigner: &str) -> String {
    let is_oid = assigner.contains('.') && assigner.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if assigner.is_empty() || assigner.contains(':') && !assigner.contains(char::is_whitespace) {
        assigner.to_owned()
    } else if is_oid {
        format!("urn:oid:{assigner}")
    } else {
        let plain: String = form_urlencoded::byte_serialize(assigner.as_bytes()).collect();
        format!("{ASSIGNER}{plain}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use yiqiao_intake::patient::assigner_of;

    use super::*;

    fn codes_are_distinct<T: Term>() {
        let codes: BTreeSet<_> = T::ALL.iter().map(|term| term.code()).collect();
        assert_eq!(codes.len(), T::ALL.len(), "{}", T::SYSTEM);
        for term in T::ALL {
            assert_eq!(T::find(T::SYSTEM, term.code()).map(Term::code), Some(term.code()));
            assert!(T::find("urn:other", term.code()).is_none());
        }
    }

    #[test]
    fn every_code_is_found_again_under_its_system() {
        codes_are_distinct::<DocumentClass>();
        codes_are_distinct::<DocumentFormat>();
        codes_are_distinct::<FacilityKind>();
        codes_are_distinct::<PracticeSetting>();
        codes_are_distinct::<PersonRole>();
        codes_are_distinct::<State>();
        codes_are_distinct::<Sensitivity>();
        codes_are_distinct::<Purpose>();
    }

    #[test]
    fn an_assigner_is_a_uri_and_found_again() {
        for (assigned, uri) in [
            ("https://hospital-a.example/sid/patient", "https://hospital-a.example/sid/patient"),
            ("HIS", "urn:yiqiao:assigner:HIS"),
            ("市一 医院&A=1", "urn:yiqiao:assigner:%E5%B8%82%E4%B8%80+%E5%8C%BB%E9%99%A2%26A%3D1"),
            ("", ""),
        ] {
            assert_eq!(system_uri(assigned), uri);
            assert_eq!(assigner_of(uri), assigned);
        }
        let oid = "2.16.156.10011.1.12";
        assert_eq!(system_uri(oid), format!("urn:oid:{oid}"));
        assert_eq!(assigner_of(&system_uri(oid)), oid);
    }

    #[test]
    fn types_of_the_standards_stand_under_their_oid() {
        let report = DocumentType::from_code("C0007").unwrap();
        assert_eq!(
            type_concept(report),
            json!({
                "coding": [{"system": "urn:oid:2.16.156.10011.2.4", "code": "C0007", "display": "检验报告"}],
                "text": "检验报告",
            })
        );
        assert_eq!(type_system(DocumentType::OTHER), "urn:yiqiao:document-type");
    }
}
