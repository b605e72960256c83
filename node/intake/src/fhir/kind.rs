//! Which resource types are records, and which class of document they make.

use crate::fhir::node::Node;
use crate::kind::{Class, DocumentKind, KindCode};
use crate::refusal::Refusal;

/// Resources whose type makes the type of the bundle, the most prominent first.
pub(super) const PROMINENT: [&str; 26] = [
    "Composition",
    "DiagnosticReport",
    "DocumentReference",
    "ImagingStudy",
    "ServiceRequest",
    "MedicationRequest",
    "MedicationDispense",
    "MedicationAdministration",
    "MedicationStatement",
    "Procedure",
    "Immunization",
    "CarePlan",
    "QuestionnaireResponse",
    "Consent",
    "Appointment",
    "Task",
    "Communication",
    "AllergyIntolerance",
    "Condition",
    "Observation",
    "Media",
    "Specimen",
    "List",
    "Claim",
    "ExplanationOfBenefit",
    "MeasureReport",
];

/// Types that describe a person or visit and no care: a bundle of nothing else is an event.
pub(super) const PERSONAL: [&str; 8] =
    ["Patient", "Encounter", "EpisodeOfCare", "RelatedPerson", "Person", "Coverage", "Account", "Provenance"];

/// Types of definitions, directories and protocol: never a record of a patient.
const NEVER: [&str; 62] = [
    "ActivityDefinition",
    "ActorDefinition",
    "AdministrableProductDefinition",
    "ArtifactAssessment",
    "AuditEvent",
    "Binary",
    "CapabilityStatement",
    "CatalogEntry",
    "ChargeItemDefinition",
    "Citation",
    "ClinicalUseDefinition",
    "CodeSystem",
    "CompartmentDefinition",
    "ConceptMap",
    "ConditionDefinition",
    "DeviceDefinition",
    "EffectEvidenceSynthesis",
    "Endpoint",
    "EventDefinition",
    "Evidence",
    "EvidenceReport",
    "EvidenceVariable",
    "ExampleScenario",
    "FormularyItem",
    "GraphDefinition",
    "HealthcareService",
    "ImplementationGuide",
    "Ingredient",
    "InsurancePlan",
    "Library",
    "Location",
    "Measure",
    "MedicationKnowledge",
    "MessageDefinition",
    "MessageHeader",
    "NamingSystem",
    "ObservationDefinition",
    "OperationDefinition",
    "OperationOutcome",
    "Organization",
    "OrganizationAffiliation",
    "Parameters",
    "Permission",
    "PlanDefinition",
    "Practitioner",
    "PractitionerRole",
    "Questionnaire",
    "Requirements",
    "ResearchDefinition",
    "ResearchElementDefinition",
    "SearchParameter",
    "SpecimenDefinition",
    "StructureDefinition",
    "StructureMap",
    "Subscription",
    "SubscriptionStatus",
    "SubscriptionTopic",
    "TerminologyCapabilities",
    "TestPlan",
    "TestReport",
    "TestScript",
    "ValueSet",
];

/// Types that may name a patient and mostly do not.
const RARELY: [&str; 26] = [
    "Basic",
    "BiologicallyDerivedProduct",
    "Device",
    "DeviceMetric",
    "Group",
    "InventoryItem",
    "InventoryReport",
    "Linkage",
    "List",
    "Medication",
    "MedicinalProduct",
    "MedicinalProductDefinition",
    "NutritionProduct",
    "PaymentNotice",
    "PaymentReconciliation",
    "Person",
    "Provenance",
    "ResearchStudy",
    "RiskEvidenceSynthesis",
    "Schedule",
    "Slot",
    "Substance",
    "SubstanceDefinition",
    "SupplyDelivery",
    "VerificationResult",
    "MeasureReport",
];

pub(super) fn is_never_about_patients(kind: &str) -> bool {
    NEVER.contains(&kind)
}

pub(super) fn is_rarely_about_patients(kind: &str) -> bool {
    RARELY.contains(&kind) || is_never_about_patients(kind)
}

/// The kind of document that a resource makes: by its own type code where it has one, else by its resource type.
pub(super) fn of_resource(resource: &Node<'_>, kind: &str) -> Result<DocumentKind, Refusal> {
    let typed = if matches!(kind, "Composition" | "DocumentReference") { coded(resource)? } else { None };
    if let Some(typed) = typed {
        return Ok(typed);
    }
    let class = match kind {
        "DiagnosticReport" => report(resource)?,
        "Observation" if has_category(resource, &["laboratory", "LAB"])? => Class::LaboratoryReport,
        "Observation" if has_category(resource, &["imaging"])? => Class::ImagingReport,
        "Observation" if has_category(resource, &["vital-signs"])? => Class::NursingRecord,
        "ImagingStudy" => Class::ImagingReport,
        "ServiceRequest" | "ReferralRequest" => request(resource)?,
        "MedicationRequest" | "MedicationDispense" | "MedicationAdministration" | "MedicationStatement" => {
            Class::Medication
        }
        "Procedure" => Class::ProcedureRecord,
        "Immunization" | "ImmunizationRecommendation" | "ImmunizationEvaluation" => Class::Immunization,
        "Consent" => Class::ConsentForm,
        "NutritionOrder" | "DeviceRequest" | "VisionPrescription" | "SupplyRequest" | "RequestGroup" => {
            Class::Order
        }
        "Claim" | "Invoice" | "ChargeItem" | "Account" => Class::Charge,
        "ClaimResponse" | "ExplanationOfBenefit" => Class::Settlement,
        "Appointment"
        | "AppointmentResponse"
        | "Coverage"
        | "CoverageEligibilityRequest"
        | "EnrollmentRequest" => Class::Administrative,
        _ => Class::Other,
    };
    Ok(DocumentKind::fhir(class, kind))
}

/// `type` or, if that is unknown, `category`, of a Composition or DocumentReference.
fn coded(resource: &Node<'_>) -> Result<Option<DocumentKind>, Refusal> {
    let mut unknown = None;
    for concept in resource.concepts("type")?.into_iter().chain(resource.concepts("category")?) {
        for coding in concept.list("coding")? {
            let Some(code) = coding.text("code")? else { continue };
            let system = coding.text("system")?.unwrap_or_default();
            let kind = if system == "http://loinc.org" {
                DocumentKind::from_loinc(&code)
            } else if let Some(class) = paid(&system, &code) {
                DocumentKind { class, code: KindCode::Local(code) }
            } else if let Some(shared) = DocumentKind::from_shared_document(&code) {
                shared
            } else {
                DocumentKind::local(&code)
            };
            if kind.class != Class::Other {
                return Ok(Some(kind));
            }
            unknown.get_or_insert(kind);
        }
    }
    Ok(unknown)
}

/// What was paid, in the codes of this project: it flows for a purpose of its own (D-13), so it must be known as that.
fn paid(system: &str, code: &str) -> Option<Class> {
    match (system, code) {
        ("urn:yiqiao:document-type", "CHARGE") | ("urn:yiqiao:document-class", "finance") => {
            Some(Class::Charge)
        }
        ("urn:yiqiao:document-type", "SETTLEMENT") => Some(Class::Settlement),
        _ => None,
    }
}

fn report(resource: &Node<'_>) -> Result<Class, Refusal> {
    if has_category(
        resource,
        &["RAD", "CT", "NMR", "RUS", "CUS", "EC", "NMS", "XRC", "imaging", "CTH", "OUS", "VUS", "RX"],
    )? {
        return Ok(Class::ImagingReport);
    }
    if let Some(code) = resource.one("code")? {
        for coding in code.list("coding")? {
            let class = DocumentKind::from_loinc(&coding.text("code")?.unwrap_or_default()).class;
            if class != Class::Other {
                return Ok(class);
            }
        }
    }
    // Notes are reports in some guides, with a category of LOINC; all other reports are of laboratories.
    let note = resource.concepts("category")?.iter().any(|category| {
        category.list("coding").is_ok_and(|codings| {
            codings
                .iter()
                .any(|coding| coding.text("system").ok().flatten().as_deref() == Some("http://loinc.org"))
        })
    });
    Ok(if note { Class::ProgressNote } else { Class::LaboratoryReport })
}

/// A request is a referral if its category or code says so (SNOMED CT 3457005, or in words).
fn request(resource: &Node<'_>) -> Result<Class, Refusal> {
    for concept in resource.concepts("category")?.into_iter().chain(resource.concepts("code")?) {
        let mut words = concept.text("text")?.unwrap_or_default();
        for coding in concept.list("coding")? {
            words.push_str(&coding.text("code")?.unwrap_or_default());
            words.push_str(&coding.text("display")?.unwrap_or_default());
        }
        if is_referral(&words) {
            return Ok(Class::ReferralNote);
        }
    }
    Ok(Class::Order)
}

pub(super) fn is_referral(words: &str) -> bool {
    let words = words.to_lowercase();
    words.contains("referral") || words.contains("转诊") || words.contains("3457005")
}

fn has_category(resource: &Node<'_>, codes: &[&str]) -> Result<bool, Refusal> {
    for category in resource.concepts("category")? {
        for coding in category.list("coding")? {
            if coding.text("code")?.is_some_and(|code| codes.contains(&code.as_str())) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
