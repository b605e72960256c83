//! DocumentReferences (IHE MHD, ITI-67): documents of this hospital, and those received from another.
//!
//! `content.attachment.hash` is left out: in R4 it is SHA-1 of the plain document, which no node computes.

use serde_json::{Value, json};
use yiqiao_node_core::ask::{Document, Patient};
use yiqiao_node_core::receive::Shown as Copy;
use yiqiao_node_core::state::kept::DocumentData;
use yiqiao_proto::codes::{
    DocumentClass, DocumentFormat, DocumentStatus, DocumentType, FacilityKind, PracticeSetting, Sensitivity,
};
use yiqiao_proto::id::{Code, DocumentId, EntryId};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::Timestamp;

use crate::date;
use crate::outcome::Problem;
use crate::resource::{Resource, logical, member, reference};
use crate::terms::{self, DOCUMENT, ENTRY, STAFF, Term, URI, VISIT};

/// A document as this door shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// Its id at its source; the resource's id.
    pub entry: EntryId,
    /// The sealed document.
    pub document: DocumentId,
    /// Who keeps it.
    pub custodian: Code,
    /// The custodian's name.
    pub custodian_name: String,
    /// Length in bytes.
    pub size: u64,
    /// Class.
    pub class: DocumentClass,
    /// Type.
    pub document_type: DocumentType,
    /// Format of its bytes.
    pub format: DocumentFormat,
    /// Kind of institution; of a document received from another it is not known.
    pub facility: Option<FacilityKind>,
    /// Practice setting, likewise.
    pub practice: Option<PracticeSetting>,
    /// When the service began.
    pub service_start: Option<Timestamp>,
    /// When it ended.
    pub service_end: Option<Timestamp>,
    /// When the document was written.
    pub created_at: Timestamp,
    /// How sensitive.
    pub sensitivity: Sensitivity,
    /// How final, likewise.
    pub finality: Option<DocumentStatus>,
    /// Whether it still counts.
    pub standing: Standing,
    /// When it came to this node: filed, or received from another.
    pub filed_at: Timestamp,
    /// The one whose place it took.
    pub replaces: Option<EntryId>,
    /// Title, author and visit; a document received from another has a title only.
    pub data: Phi<DocumentData>,
}

/// Whether a document still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// The newest of its kind.
    Current,
    /// Another took its place.
    Superseded,
    /// Withdrawn.
    EnteredInError,
}

impl Standing {
    /// FHIR DocumentReferenceStatus.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Superseded => "superseded",
            Self::EnteredInError => "entered-in-error",
        }
    }

    pub(crate) fn from_code(code: &str) -> Option<Self> {
        [Self::Current, Self::Superseded, Self::EnteredInError]
            .into_iter()
            .find(|standing| standing.code() == code)
    }
}

impl Listing {
    /// A document of this hospital.
    ///
    /// # Errors
    /// [`Problem::Internal`] if it was kept with codes that this program does not know.
    pub fn of(document: &Document, custodian: &Code, custodian_name: &str) -> Result<Self, Problem> {
        let index = &document.index;
        let time = |ms| Timestamp::from_unix_ms(ms).ok_or(Problem::Internal);
        Ok(Self {
            entry: document.entry,
            document: document.document,
            custodian: custodian.clone(),
            custodian_name: custodian_name.to_owned(),
            size: index.size,
            class: known(index.class)?,
            document_type: known(index.r#type)?,
            format: known(index.format)?,
            facility: Some(known(index.facility)?),
            practice: Some(known(index.practice)?),
            service_start: index.service_start.map(time).transpose()?,
            service_end: index.service_end.map(time).transpose()?,
            created_at: time(index.created_at)?,
            sensitivity: known(index.sensitivity)?,
            finality: Some(known(index.status)?),
            standing: match (document.withdrawn, document.replaced) {
                (true, _) => Standing::EnteredInError,
                (false, true) => Standing::Superseded,
                (false, false) => Standing::Current,
            },
            filed_at: document.filed_at,
            replaces: document.replaces,
            data: document.data.clone(),
        })
    }

    /// A document received from another hospital.
    pub fn of_copy(copy: &Copy, custodian_name: &str) -> Self {
        let listed = &copy.listed;
        Self {
            entry: listed.entry_id,
            document: listed.document,
            custodian: listed.holder.clone(),
            custodian_name: custodian_name.to_owned(),
            size: listed.size,
            class: listed.class,
            document_type: listed.document_type,
            format: listed.format,
            facility: None,
            practice: None,
            service_start: listed.service_start,
            service_end: listed.service_end,
            created_at: listed.created_at,
            sensitivity: listed.sensitivity,
            finality: None,
            standing: if copy.withdrawn { Standing::EnteredInError } else { Standing::Current },
            filed_at: copy.at,
            replaces: None,
            data: listed.title.clone().map(|title| DocumentData { title, ..DocumentData::default() }),
        }
    }

    /// The resource, of the patient as known after all merges.
    pub fn write(&self, patient: &Patient) -> Resource {
        let data = self.data.expose();
        let subject = patient_reference(patient);
        let (master, value) = self.identifier_pairs().swap_remove(0);
        let body = json!({
            "meta": {"lastUpdated": self.last_updated().map(date::instant)},
            "masterIdentifier": {"system": master, "value": value},
            "identifier": self.identifiers(),
            "status": self.standing.code(),
            "docStatus": self.doc_status(),
            "type": terms::type_concept(self.document_type),
            "category": [self.class.concept()],
            "subject": subject,
            "date": date::instant(self.filed_at),
            "author": self.author(),
            "custodian": member(&self.custodian, &self.custodian_name),
            "relatesTo": self.replaces.map(|id| json!([{
                "code": "replaces",
                "target": reference("DocumentReference", &id.to_string()),
            }])),
            "description": data.title,
            "securityLabel": [self.sensitivity.concept()],
            "content": [{"attachment": self.attachment(), "format": self.format.coding()}],
            "context": {
                "encounter": encounter(&data.visit),
                // The index includes the end of a service, as FHIR does.
                "period": {
                    "start": self.service_start.map(date::instant),
                    "end": self.service_end.map(date::instant),
                },
                "facilityType": self.facility.map(Term::concept),
                "practiceSetting": self.practice.map(Term::concept),
                "sourcePatientInfo": subject,
            },
        });
        Resource::new("DocumentReference", Some(self.entry.to_string()), body).with_version(self.version())
    }

    /// System and value of each of its identifiers.
    pub(crate) fn identifier_pairs(&self) -> Vec<(String, String)> {
        let data = self.data.expose();
        let mut pairs = vec![
            (URI.to_owned(), format!("{DOCUMENT}{}", self.document)),
            (ENTRY.to_owned(), self.entry.to_string()),
        ];
        if !data.source_id.is_empty() {
            let source = (terms::system_uri(&data.source_system), data.source_id.clone());
            // A name that is one of the whole world's stays the document's first.
            let at = if source.0 == URI { 0 } else { pairs.len() };
            pairs.insert(at, source);
        }
        pairs
    }

    /// All but the first, which is the masterIdentifier.
    fn identifiers(&self) -> Vec<Value> {
        let pairs = self.identifier_pairs().into_iter().skip(1);
        let usage = ["official", "usual"];
        pairs
            .zip(usage)
            .map(|((system, value), usage)| json!({"use": usage, "system": system, "value": value}))
            .collect()
    }

    fn attachment(&self) -> Value {
        // unsignedInt ends at 2^31 - 1; a longer document says no size.
        let size = i32::try_from(self.size).ok();
        json!({
            "contentType": terms::media_type(self.format),
            "language": "zh-CN",
            "url": format!("Binary/{}", self.entry),
            "size": size,
            "title": self.data.expose().title,
            "creation": date::instant(self.created_at),
        })
    }

    /// The person before the organisation: readers take the first author for the person.
    fn author(&self) -> Vec<Value> {
        let data = self.data.expose();
        let person = data.person.as_ref().filter(|person| !person.name.is_empty() || !person.code.is_empty());
        let person = person.map(|person| {
            let system = if person.code.is_empty() { "" } else { STAFF };
            logical("Practitioner", system, &person.code, &person.name)
        });
        let place = [&data.organization, &data.department].map(String::as_str);
        let place = place.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        let place = (!place.is_empty()).then(|| json!({"type": "Organization", "display": place}));
        person.into_iter().chain(place).collect()
    }

    const fn doc_status(&self) -> Option<&'static str> {
        match (self.standing, self.finality) {
            (Standing::EnteredInError, _) => Some("entered-in-error"),
            (_, Some(DocumentStatus::Final)) => Some("final"),
            (_, Some(DocumentStatus::Preliminary)) => Some("preliminary"),
            (_, Some(DocumentStatus::Amended)) => Some("amended"),
            (_, None) => None,
        }
    }

    /// A document changes at most twice: it is superseded, and it is withdrawn.
    const fn version(&self) -> u32 {
        match self.standing {
            Standing::Current => 1,
            Standing::Superseded => 2,
            Standing::EnteredInError => 3,
        }
    }

    /// Of later versions it is not known when they came.
    fn last_updated(&self) -> Option<Timestamp> {
        (self.standing == Standing::Current).then_some(self.filed_at)
    }
}

/// A reference to a patient, with the name for people.
pub(crate) fn patient_reference(patient: &Patient) -> Value {
    json!({
        "reference": format!("Patient/{}", patient.subject),
        "type": "Patient",
        "display": patient.data.expose().name,
    })
}

fn known<T: TryFrom<u32>>(number: u32) -> Result<T, Problem> {
    T::try_from(number).map_err(|_| Problem::Internal)
}

fn encounter(visit: &str) -> Value {
    if visit.is_empty() { Value::Null } else { json!([logical("Encounter", VISIT, visit, "")]) }
}
