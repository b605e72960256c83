//! From what a system of the hospital says about a document to the closed codes of the index (N-1, N-8).

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_intake::facts::{self, Format};
use yiqiao_intake::kind::{Class, DocumentKind, KindCode};
use yiqiao_proto::codes::{
    DocumentClass, DocumentFormat, DocumentStatus, DocumentType, FacilityKind, PracticeSetting, Sensitivity,
};
use yiqiao_proto::id::Code;
use yiqiao_proto::time::Timestamp;

/// What a hospital decides about its own codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coding {
    /// What the hospital is.
    pub facility: FacilityKind,
    /// Its departments, by the names and codes that its systems write.
    pub departments: BTreeMap<String, PracticeSetting>,
    /// The codes of its departments in the region, by the names and codes that its systems write; a name that is a code
    /// already needs none.
    pub department_codes: BTreeMap<String, Code>,
    /// Practice settings whose documents are restricted.
    pub restricted_settings: BTreeSet<PracticeSetting>,
    /// Document types that are restricted.
    pub restricted_types: BTreeSet<DocumentType>,
    /// Codes of examinations and local document kinds that make a document restricted.
    pub restricted_codes: BTreeSet<String>,
}

impl Coding {
    /// A hospital of this kind with no table of its own: psychiatry, infectious diseases, and the reports about them are
    /// restricted.
    pub fn new(facility: FacilityKind) -> Self {
        let types = ["HSDB03.02", "HSDB04.03", "HSDB04.04"];
        Self {
            facility,
            departments: BTreeMap::new(),
            department_codes: BTreeMap::new(),
            restricted_settings: BTreeSet::from([
                PracticeSetting::Psychiatry,
                PracticeSetting::InfectiousDiseases,
            ]),
            restricted_types: types.into_iter().filter_map(DocumentType::from_code).collect(),
            restricted_codes: BTreeSet::new(),
        }
    }

    pub(crate) fn codes(&self, document: &facts::Document, now: Timestamp) -> Codes {
        let document_type = document_type(&document.kind);
        let practice = self.practice(document);
        let start = document.service.start.map(|when| when.at);
        let end = document.service.end.map(|when| when.at);
        Codes {
            class: document_type.row().class,
            document_type,
            format: format(document.format, &document.kind),
            facility: self.facility,
            practice,
            service_start: start,
            // A period that ends before it starts is a typing error; its start says more than its end.
            service_end: end.filter(|end| start.is_none_or(|start| *end >= start)),
            created_at: document.created.or(document.date).map_or(now, |when| when.at),
            sensitivity: self.sensitivity(document, document_type, practice),
            status: status(document.status),
        }
    }

    fn practice(&self, document: &facts::Document) -> PracticeSetting {
        let department = document.author.department.as_ref().and_then(|name| self.departments.get(name));
        let of_class = SETTINGS.iter().find(|(class, _)| *class == document.kind.class);
        let of_class = of_class.map_or(PracticeSetting::NotStated, |(_, setting)| *setting);
        department.copied().unwrap_or(of_class)
    }

    /// The strictest of what author, department, type and codes ask for.
    fn sensitivity(
        &self,
        document: &facts::Document,
        document_type: DocumentType,
        practice: PracticeSetting,
    ) -> Sensitivity {
        let said = match document.confidentiality.as_deref() {
            Some("V") => Sensitivity::VeryRestricted,
            Some("R") => Sensitivity::Restricted,
            _ => Sensitivity::Normal,
        };
        let examined = document.lab.iter().any(|row| self.restricted_codes.contains(row.code.expose()));
        let restricted = examined
            || self.restricted_settings.contains(&practice)
            || self.restricted_types.contains(&document_type)
            || self.restricted_codes.contains(&document.kind.code.to_string());
        said.max(if restricted { Sensitivity::Restricted } else { Sensitivity::Normal })
    }
}

/// Classes that tell the practice setting where the department does not.
const SETTINGS: [(Class, PracticeSetting); 3] = [
    (Class::LaboratoryReport, PracticeSetting::Laboratory),
    (Class::ImagingReport, PracticeSetting::Imaging),
    (Class::EmergencyRecord, PracticeSetting::Emergency),
];

/// The codes of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Codes {
    pub(crate) class: DocumentClass,
    pub(crate) document_type: DocumentType,
    pub(crate) format: DocumentFormat,
    pub(crate) facility: FacilityKind,
    pub(crate) practice: PracticeSetting,
    pub(crate) service_start: Option<Timestamp>,
    pub(crate) service_end: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
    pub(crate) sensitivity: Sensitivity,
    pub(crate) status: DocumentStatus,
}

fn document_type(kind: &DocumentKind) -> DocumentType {
    let own = match kind.code {
        KindCode::Wst500(part) => DocumentType::try_from(u32::from(part)).ok(),
        KindCode::Wst483(part) => DocumentType::try_from(100 + u32::from(part)).ok(),
        KindCode::Loinc(_) | KindCode::Hl7(_) | KindCode::Fhir(_) | KindCode::Local(_) => None,
    };
    own.or_else(|| DocumentType::from_code(code_of_class(kind.class))).unwrap_or(DocumentType::OTHER)
}

const fn code_of_class(class: Class) -> &'static str {
    match class {
        Class::LaboratoryReport => "LAB",
        Class::ImagingReport => "EXAM",
        Class::OutpatientRecord | Class::EmergencyRecord => "OUTPATIENT",
        Class::Medication => "PRESCRIPTION",
        Class::ProcedureRecord | Class::ObstetricRecord => "OPERATION",
        Class::NursingRecord => "NURSING",
        Class::ConsentForm => "CONSENT",
        Class::FrontPage | Class::Summary => "SUMMARY",
        Class::AdmissionNote | Class::ProgressNote | Class::DeathRecord => "NOTE",
        Class::ConsultationNote => "CONSULTATION",
        Class::ReferralNote => "REFERRAL",
        Class::DischargeSummary => "DISCHARGE",
        Class::Order => "ORDER",
        Class::Immunization => "IMMUNISATION",
        Class::HealthRecord => "CHECKUP",
        Class::Charge => "CHARGE",
        Class::Settlement => "SETTLEMENT",
        Class::Administrative => "SCHEDULE",
        Class::Other => "OTHER",
    }
}

const fn format(format: Format, kind: &DocumentKind) -> DocumentFormat {
    match format {
        Format::Hl7V2 => DocumentFormat::Hl7V2,
        Format::Cda => match kind.code {
            KindCode::Wst500(_) | KindCode::Wst483(_) => DocumentFormat::CdaWst,
            KindCode::Loinc(_) | KindCode::Hl7(_) | KindCode::Fhir(_) | KindCode::Local(_) => {
                DocumentFormat::Cda
            }
        },
        Format::FhirJson => DocumentFormat::FhirJson,
        Format::FhirXml => DocumentFormat::FhirXml,
        Format::Pdf => DocumentFormat::Pdf,
        Format::Text => DocumentFormat::Text,
        Format::Image => DocumentFormat::Picture,
        Format::Dicom => DocumentFormat::Dicom,
        Format::Table => DocumentFormat::Table,
        Format::Markup | Format::Bytes => DocumentFormat::Binary,
    }
}

const fn status(status: facts::Status) -> DocumentStatus {
    match status {
        facts::Status::Preliminary => DocumentStatus::Preliminary,
        facts::Status::Corrected => DocumentStatus::Amended,
        facts::Status::Final | facts::Status::Cancelled => DocumentStatus::Final,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_and_every_chinese_code_has_a_type_of_the_index() {
        for part in 1..=53 {
            let kind = DocumentKind::from_shared_document(&format!("C{part:04}")).unwrap();
            assert_eq!(document_type(&kind).row().code, kind.code.to_string());
        }
        let kind = DocumentKind::from_shared_document("HSDC00.05").unwrap();
        assert_eq!(document_type(&kind).row().code, "HSDC00.05");
        let kind = DocumentKind::from_loinc("11502-2");
        assert_eq!(document_type(&kind).row().code, "LAB");
        assert_eq!(document_type(&DocumentKind::local("X")), DocumentType::OTHER);
    }

    #[test]
    fn d13_what_was_paid_is_of_the_class_finance() {
        for (class, code) in [(Class::Charge, "CHARGE"), (Class::Settlement, "SETTLEMENT")] {
            let row = document_type(&DocumentKind { class, ..DocumentKind::local("fees") }).row();
            assert_eq!((row.code, row.class), (code, DocumentClass::Finance));
        }
    }

    #[test]
    fn reports_on_infections_are_restricted_without_any_table() {
        let coding = Coding::new(FacilityKind::GeneralHospital);
        assert!(coding.restricted_types.contains(&DocumentType::from_code("HSDB03.02").unwrap()));
        assert_eq!(coding.restricted_types.len(), 3);
    }
}
