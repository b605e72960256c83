//! What every reader yields: documents, patient events, answers, reviews. Not here: how any format says it.

use core::fmt;
use core::ops::Range;

use yiqiao_proto::phi::Phi;

use crate::dates::{Period, When};
use crate::flag::Flags;
use crate::kind::{DocumentKind, KindCode};
use crate::lab::LabRow;
use crate::patient::{Identifier, Patient};

/// A format of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// HL7 v2, ER7 encoding.
    Hl7V2,
    /// CDA R2.
    Cda,
    /// FHIR R4 in JSON.
    FhirJson,
    /// FHIR R4 in XML.
    FhirXml,
    /// PDF.
    Pdf,
    /// Plain text.
    Text,
    /// HTML or RTF: shown only as text.
    Markup,
    /// An image file other than DICOM.
    Image,
    /// DICOM.
    Dicom,
    /// Rows, as CSV with a header.
    Table,
    /// Anything else.
    Bytes,
}

/// What one message says.
#[derive(Clone, Debug, PartialEq)]
pub enum Understood {
    /// To index: never empty; all of one patient.
    Documents(Vec<Document>),
    /// To apply, in order: never empty.
    Events(Vec<PatientEvent>),
    /// Not a record: nothing to keep.
    Answer(Answer),
    /// To keep whole until a person decides.
    Review(Box<Review>),
}

/// A clinical document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Whom it is about; at least one usable identifier.
    pub patient: Patient,
    /// Its identifier in the sending system: repeats and replacements are told by it. `None` if neither the document
    /// nor its message has one; then its bytes tell.
    pub source_id: Option<SourceId>,
    /// Further identifiers, such as those of the other orders in one report.
    pub also_known_as: Vec<SourceId>,
    /// What sort of document.
    pub kind: DocumentKind,
    /// For staff who may see the document: "血常规". May tell a diagnosis.
    pub title: Option<Phi<String>>,
    /// Format of the payload.
    pub format: Format,
    /// The date it is filed under: EVN-2, OBR-7 or MSH-7; effectiveTime; the FHIR resource's own date.
    pub date: Option<When>,
    /// When it was written or released.
    pub created: Option<When>,
    /// When what it describes took place.
    pub service: Period,
    /// Who wrote it.
    pub author: Author,
    /// How final it is.
    pub status: Status,
    /// The document that it takes the place of, if it says so.
    pub replaces: Option<SourceId>,
    /// Visit or encounter number.
    pub visit: Option<Phi<String>>,
    /// What came with it about visits: the Encounters of its bundle, with its first document. They say who treats, as the
    /// events of a register do.
    pub visits: Vec<(Trigger, Visit)>,
    /// How confidential its author says it is: `N`, `R` or `V` of HL7 Confidentiality.
    pub confidentiality: Option<String>,
    /// Results as rows, of HL7 v2, CDA and FHIR; embedded objects are not among them.
    pub lab: Vec<LabRow>,
    /// The content.
    pub payload: Payload,
    /// Remarks.
    pub flags: Flags,
}

/// Where the content of a document is.
#[derive(Clone, PartialEq, Eq)]
pub enum Payload {
    /// These bytes of the message.
    Message(Range<usize>),
    /// Content that was embedded in the message, decoded.
    Embedded(Vec<u8>),
    /// Content that came before the message, which names it by this URL.
    Deposited(String),
}

/// An identifier of a document in its system.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceId {
    /// Who assigned it: an application, an OID, a URI; may be empty.
    pub system: String,
    /// The identifier.
    pub value: Phi<String>,
}

/// Who wrote a document.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Author {
    /// Hospital.
    pub organization: Option<String>,
    /// Department, ward or laboratory.
    pub department: Option<String>,
    /// Physician.
    pub person: Option<Staff>,
    /// The organisation that keeps it (CDA custodian).
    pub custodian: Option<String>,
}

/// A member of staff.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Staff {
    /// Number in the hospital.
    pub code: String,
    /// Name.
    pub name: String,
}

/// How final a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Not final: ordered, preliminary, in progress.
    Preliminary,
    /// Final.
    Final,
    /// Takes the place of an earlier one.
    Corrected,
    /// Called back; entered in error.
    Cancelled,
}

/// A change to a patient or visit.
#[derive(Clone, Debug, PartialEq)]
pub struct PatientEvent {
    /// What happened.
    pub trigger: Trigger,
    /// The sender's code, such as `ADT^A01`.
    pub code: String,
    /// Whom; at least one usable identifier.
    pub patient: Patient,
    /// The visit, if one is named.
    pub visit: Option<Visit>,
    /// Identifiers that now belong to `patient` (MRG-1); of [`Trigger::Unlinked`] the other patient's number.
    pub merged_from: Vec<Identifier>,
    /// When it happened: EVN-2 or MSH-7.
    pub date: Option<When>,
    /// Remarks.
    pub flags: Flags,
}

/// What happened to a patient or visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// A01, A06: an inpatient stay began.
    Admitted,
    /// A02 and the moves within a stay.
    Transferred,
    /// A03: the visit ended.
    Discharged,
    /// A04, A07: an outpatient or emergency visit began.
    Registered,
    /// A05, A14: expected.
    PreAdmitted,
    /// A08, A28, A31: data of the person.
    Updated,
    /// A11, A23, A27, A38: there was no such visit.
    VisitCancelled,
    /// A12: the move did not happen.
    TransferCancelled,
    /// A13: still here.
    DischargeCancelled,
    /// A29: the person's data are void.
    PersonDeleted,
    /// A18, A30, A34, A36, A39, A40: two numbers, one person.
    Merged,
    /// A37: two numbers that were taken for one person's are two persons'.
    Unlinked,
    /// A46 to A51: a number was changed.
    IdentifierChanged,
    /// A35, A41 to A45, A50: a visit or account went to another number; the persons stay apart.
    VisitMoved,
    /// Anything else about a patient.
    Other,
}

/// A stay or outpatient contact.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Visit {
    /// PV1-19, else PID-18, PV1-50, PV1-5; the identifier of an Encounter.
    pub number: Option<Phi<String>>,
    /// Inpatient, outpatient …
    pub class: Option<VisitClass>,
    /// Where.
    pub department: Option<String>,
    /// Who is responsible.
    pub attending: Option<Staff>,
    /// From when.
    pub admitted: Option<When>,
    /// To when.
    pub discharged: Option<When>,
}

/// Class of a visit, HL7 table 0004.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VisitClass {
    /// I
    Inpatient,
    /// O
    Outpatient,
    /// E
    Emergency,
    /// P
    PreAdmission,
    /// Any other.
    Other,
}

/// Why a message is no record and needs nothing kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An acknowledgement or the answer to a query.
    Response(String),
    /// A query; this door does not answer queries.
    Query(String),
    /// Master files, terminology, conformance, directories, equipment: nothing about a patient.
    NotAboutPatients(String),
    /// A control run of an analyser.
    QualityControl,
    /// A batch without messages.
    EmptyBatch,
}

/// A message that a person has to look at, with what could be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Review {
    /// Why.
    pub reason: ReviewReason,
    /// Its kind as far as read, such as `ORU^R01`.
    pub kind: String,
    /// The patient as far as read.
    pub patient: Option<Patient>,
    /// Its date as far as read.
    pub date: Option<When>,
    /// Remarks.
    pub flags: Flags,
}

/// Why a message is kept for review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReviewReason {
    /// It names no patient: no PID, recordTarget or subject.
    NoPatient,
    /// It names a patient without an identifier.
    NoIdentifier,
    /// All identifiers stand for "none".
    OnlyPlaceholders,
    /// It is about several patients.
    SeveralPatients,
    /// A merge that does not say from which number.
    MergeWithoutSource,
    /// A merge of a number with itself.
    MergeWithItself,
    /// Who has its number is another person by all that it says. No reader can tell: who knows the patients does.
    OtherPerson,
}

impl Document {
    /// Whether it only tells of a document whose content comes otherwise: an MDM without any.
    pub fn is_notice(&self) -> bool {
        let is_mdm = matches!(&self.kind.code, KindCode::Hl7(code) if code.starts_with("MDM"));
        is_mdm && self.format == Format::Hl7V2
    }
}

impl Review {
    /// A review with nothing but its reason and kind.
    pub fn new(reason: ReviewReason, kind: &str) -> Self {
        Self { reason, kind: kind.to_owned(), patient: None, date: None, flags: Flags::none() }
    }

    /// Why this patient cannot be filed under an identifier; `None` if it can.
    pub fn of_patient(patient: &Patient) -> Option<ReviewReason> {
        match (patient.primary(), patient.identifiers.is_empty()) {
            (Some(_), _) => None,
            (None, true) => Some(ReviewReason::NoIdentifier),
            (None, false) => Some(ReviewReason::OnlyPlaceholders),
        }
    }
}

impl SourceId {
    /// An identifier, unless its value is blank.
    pub fn new(system: &str, value: &str) -> Option<Self> {
        let value = value.trim();
        (!value.is_empty() && value != "\"\"")
            .then(|| Self { system: system.trim().to_owned(), value: Phi::new(value.to_owned()) })
    }
}

impl fmt::Debug for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceId({}, <phi>)", self.system)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(range) => write!(f, "Message({range:?})"),
            Self::Embedded(bytes) => write!(f, "Embedded({} bytes)", bytes.len()),
            Self::Deposited(_) => f.write_str("Deposited"),
        }
    }
}

impl Format {
    /// The format that a media type names.
    pub fn from_media_type(media: &str) -> Self {
        let media = media.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        match media.as_str() {
            "application/pdf" | "pdf" => Self::Pdf,
            "application/dicom" => Self::Dicom,
            "text/xml" | "application/xml" | "application/hl7-cda+xml" | "application/cda+xml" => Self::Cda,
            "application/fhir+json" | "application/json" => Self::FhirJson,
            "application/fhir+xml" => Self::FhirXml,
            "x-application/hl7-v2+er7" | "application/hl7-v2" => Self::Hl7V2,
            "text/plain" | "text" => Self::Text,
            "text/html" | "text/rtf" | "application/rtf" | "html" | "rtf" => Self::Markup,
            _ if media.starts_with("image/") || matches!(media.as_str(), "jpeg" | "png" | "gif" | "tiff") => {
                Self::Image
            }
            _ => Self::Bytes,
        }
    }

    /// The media type to serve it with.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Hl7V2 => "x-application/hl7-v2+er7",
            Self::Cda => "application/hl7-cda+xml",
            Self::FhirJson => "application/fhir+json",
            Self::FhirXml => "application/fhir+xml",
            Self::Pdf => "application/pdf",
            Self::Text | Self::Markup => "text/plain",
            Self::Dicom => "application/dicom",
            Self::Table => "text/csv",
            Self::Image | Self::Bytes => "application/octet-stream",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hl7V2 => "HL7 v2",
            Self::Cda => "CDA",
            Self::FhirJson => "FHIR JSON",
            Self::FhirXml => "FHIR XML",
            Self::Pdf => "PDF",
            Self::Text => "text",
            Self::Markup => "HTML or RTF",
            Self::Image => "an image",
            Self::Dicom => "DICOM",
            Self::Table => "a table",
            Self::Bytes => "unknown bytes",
        })
    }
}
