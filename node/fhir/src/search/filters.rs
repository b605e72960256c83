//! The filters of each type of resource: parameters, and what they admit.

use crate::consent::Consent;
use crate::date::{Comparison, Stretch};
use crate::document::{Listing, Standing};
use crate::outcome::Problem;
use crate::referral::{self, Referral};
use crate::search::{Filter, Parameter, Token, Wanted, Who, bounded, take_patient};
use crate::terms::{self, Term};

const fn parameter(name: &'static str, kind: &'static str, meaning: &'static str) -> Parameter {
    Parameter { name, kind, meaning }
}

const ID: Parameter = parameter("_id", "token", "the id of the resource");
const PATIENT: Parameter = parameter("patient", "reference", "Patient/ and an id of this door");
const PATIENT_IDENTIFIER: Parameter =
    parameter("patient.identifier", "token", "an identifier of the patient, system|value");

/// Which patients.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PatientFilter {
    ids: Wanted<String>,
    /// Any of these identifiers names the patient.
    pub identifiers: Vec<Token>,
}

impl Filter for PatientFilter {
    const KIND: &'static str = "Patient";
    const PARAMETERS: &'static [Parameter] = &[
        ID,
        parameter(
            "identifier",
            "token",
            "an identifier of the person or a number of the hospital, system|value",
        ),
    ];

    fn take(&mut self, name: &'static str, value: &str) -> Result<(), Problem> {
        if name == "_id" {
            return self.ids.ids(value);
        }
        if !self.identifiers.is_empty() {
            return Err(Problem::ParameterInvalid {
                name,
                expected: "identifiers separated by commas, once",
            });
        }
        let mut wanted = Wanted::default();
        wanted.tokens(name, value)?;
        self.identifiers = wanted.0.into_iter().flatten().collect();
        Ok(())
    }

    fn check(&self) -> Result<(), Problem> {
        bounded(!self.ids.is_empty() || !self.identifiers.is_empty(), "identifier, _id")
    }
}

impl PatientFilter {
    /// The ids that are asked for, as written.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.0.iter().flatten().map(String::as_str)
    }

    /// Whether the id of a patient is not against it; that of the identifiers, the lookup has decided.
    pub fn admits(&self, id: &str) -> bool {
        self.ids.admits(|wanted| wanted == id)
    }
}

/// Which documents (ITI-67).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DocumentFilter {
    /// Whose.
    pub patient: Option<Who>,
    ids: Wanted<String>,
    identifier: Wanted<Token>,
    status: Wanted<Standing>,
    document_type: Wanted<Token>,
    category: Wanted<Token>,
    facility: Wanted<Token>,
    setting: Wanted<Token>,
    format: Wanted<Token>,
    security_label: Wanted<Token>,
    date: Wanted<Comparison>,
    creation: Wanted<Comparison>,
    period: Wanted<Comparison>,
}

impl Filter for DocumentFilter {
    const KIND: &'static str = "DocumentReference";
    const SORTS: bool = true;
    const PARAMETERS: &'static [Parameter] = &[
        ID,
        PATIENT,
        PATIENT_IDENTIFIER,
        parameter("identifier", "token", "an identifier of the document"),
        parameter("status", "token", "current, superseded or entered-in-error"),
        parameter("type", "token", "the type"),
        parameter("category", "token", "the class"),
        parameter("facility", "token", "the kind of institution"),
        parameter("setting", "token", "the practice setting"),
        parameter("format", "token", "the format"),
        parameter("security-label", "token", "the confidentiality"),
        parameter("date", "date", "when the document came to this node"),
        parameter("creation", "date", "when the document was written"),
        parameter("period", "date", "when the service took place"),
    ];

    fn take(&mut self, name: &'static str, value: &str) -> Result<(), Problem> {
        let tokens = match name {
            "_id" => return self.ids.ids(value),
            "status" => {
                let invalid =
                    Problem::ParameterInvalid { name, expected: "current, superseded or entered-in-error" };
                return self.status.add(name, value, |text| {
                    Standing::from_code(Token::parse(name, text)?.value.expose()).ok_or(invalid.clone())
                });
            }
            "date" => return self.date.dates(name, value),
            "creation" => return self.creation.dates(name, value),
            "period" => return self.period.dates(name, value),
            "identifier" => &mut self.identifier,
            "type" => &mut self.document_type,
            "category" => &mut self.category,
            "facility" => &mut self.facility,
            "setting" => &mut self.setting,
            "format" => &mut self.format,
            "security-label" => &mut self.security_label,
            _ => return take_patient(&mut self.patient, name, value),
        };
        tokens.tokens(name, value)
    }

    fn check(&self) -> Result<(), Problem> {
        bounded(self.patient.is_some() || !self.ids.is_empty(), "patient, patient.identifier, _id")
    }
}

impl DocumentFilter {
    /// The ids that are asked for, as written.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.0.iter().flatten().map(String::as_str)
    }

    /// Whether a document of the patient is among them.
    pub fn admits(&self, document: &Listing) -> bool {
        let id = document.entry.to_string();
        let document_type = document.document_type;
        let pairs = document.identifier_pairs();
        let instant = |at| Some(Stretch::of_instant(at));
        self.ids.admits(|wanted| *wanted == id)
            && self.status.admits(|standing| *standing == document.standing)
            && self.identifier.admits(|token| pairs.iter().any(|(system, value)| token.is(system, value)))
            && self.document_type.admits_one_of(terms::type_system(document_type), document_type.row().code)
            && admits(&self.category, document.class)
            && admits_some(&self.facility, document.facility)
            && admits_some(&self.setting, document.practice)
            && admits(&self.format, document.format)
            && admits(&self.security_label, document.sensitivity)
            && self.date.admits_stretch(instant(document.filed_at))
            && self.creation.admits_stretch(instant(document.created_at))
            && self.period.admits_stretch(Stretch::of_period(document.service_start, document.service_end))
    }
}

/// Which consents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConsentFilter {
    /// Whose.
    pub patient: Option<Who>,
    ids: Wanted<String>,
    status: Wanted<String>,
}

impl Filter for ConsentFilter {
    const KIND: &'static str = "Consent";
    const PARAMETERS: &'static [Parameter] = &[
        ID,
        PATIENT,
        PATIENT_IDENTIFIER,
        parameter("status", "token", "active, inactive or entered-in-error"),
    ];

    fn take(&mut self, name: &'static str, value: &str) -> Result<(), Problem> {
        let codes = ["active", "inactive", "entered-in-error"];
        match name {
            "_id" => self.ids.ids(value),
            "status" => self.status.codes(name, value, &codes, "active, inactive or entered-in-error"),
            _ => take_patient(&mut self.patient, name, value),
        }
    }

    fn check(&self) -> Result<(), Problem> {
        bounded(self.patient.is_some() || !self.ids.is_empty(), "patient, patient.identifier, _id")
    }
}

impl ConsentFilter {
    /// The ids that are asked for, as written.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.0.iter().flatten().map(String::as_str)
    }

    /// Whether a consent of the patient is among them.
    pub fn admits(&self, consent: &Consent) -> bool {
        self.ids.admits(|wanted| *wanted == consent.id)
            && self.status.admits(|code| code == consent.standing.code())
    }
}

const REFERRAL_BOUNDS: &str = "patient, patient.identifier, status, _id";

/// Which referrals, as requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceRequestFilter {
    /// Whose.
    pub patient: Option<Who>,
    ids: Wanted<String>,
    status: Wanted<String>,
    requester: Wanted<Token>,
    performer: Wanted<Token>,
}

impl Filter for ServiceRequestFilter {
    const KIND: &'static str = "ServiceRequest";
    const PARAMETERS: &'static [Parameter] = &[
        ID,
        PATIENT,
        PATIENT_IDENTIFIER,
        parameter("status", "token", "active, completed or revoked"),
        parameter("requester", "reference", "the referring member, Organization/code"),
        parameter("requester:identifier", "reference", "the referring member, urn:yiqiao:member|code"),
        parameter("performer", "reference", "the receiving member, Organization/code"),
        parameter("performer:identifier", "reference", "the receiving member, urn:yiqiao:member|code"),
    ];

    fn take(&mut self, name: &'static str, value: &str) -> Result<(), Problem> {
        let codes = ["active", "completed", "revoked"];
        match name {
            "_id" => self.ids.ids(value),
            "status" => self.status.codes(name, value, &codes, "active, completed or revoked"),
            "requester" => self.requester.members(name, value),
            "requester:identifier" => self.requester.tokens(name, value),
            "performer" => self.performer.members(name, value),
            "performer:identifier" => self.performer.tokens(name, value),
            _ => take_patient(&mut self.patient, name, value),
        }
    }

    fn check(&self) -> Result<(), Problem> {
        bounded(self.patient.is_some() || !self.ids.is_empty() || !self.status.is_empty(), REFERRAL_BOUNDS)
    }
}

impl ServiceRequestFilter {
    /// The ids that are asked for, as written.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.0.iter().flatten().map(String::as_str)
    }

    /// Whether a referral of the patient is among them.
    pub fn admits(&self, referral: &Referral) -> bool {
        let id = referral.id.to_string();
        self.ids.admits(|wanted| *wanted == id)
            && self.status.admits(|code| code == referral::request_status(referral.state))
            && self.requester.admits_member(&referral.referring)
            && self.performer.admits_member(&referral.receiving)
    }
}

/// Which referrals, as tasks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskFilter {
    /// Whose.
    pub patient: Option<Who>,
    ids: Wanted<String>,
    status: Wanted<String>,
    business_status: Wanted<Token>,
    requester: Wanted<Token>,
    owner: Wanted<Token>,
}

impl Filter for TaskFilter {
    const KIND: &'static str = "Task";
    const PARAMETERS: &'static [Parameter] = &[
        ID,
        PATIENT,
        PATIENT_IDENTIFIER,
        parameter(
            "status",
            "token",
            "requested, received, accepted, rejected, in-progress, completed or cancelled",
        ),
        parameter("business-status", "token", "the state of the referral, urn:yiqiao:referral-state|code"),
        parameter("requester", "reference", "the referring member, Organization/code"),
        parameter("requester:identifier", "reference", "the referring member, urn:yiqiao:member|code"),
        parameter("owner", "reference", "the receiving member, Organization/code"),
        parameter("owner:identifier", "reference", "the receiving member, urn:yiqiao:member|code"),
    ];

    fn take(&mut self, name: &'static str, value: &str) -> Result<(), Problem> {
        let codes =
            ["requested", "received", "accepted", "rejected", "in-progress", "completed", "cancelled"];
        let expected = "requested, received, accepted, rejected, in-progress, completed or cancelled";
        match name {
            "_id" => self.ids.ids(value),
            "status" => self.status.codes(name, value, &codes, expected),
            "business-status" => self.business_status.tokens(name, value),
            "requester" => self.requester.members(name, value),
            "requester:identifier" => self.requester.tokens(name, value),
            "owner" => self.owner.members(name, value),
            "owner:identifier" => self.owner.tokens(name, value),
            _ => take_patient(&mut self.patient, name, value),
        }
    }

    fn check(&self) -> Result<(), Problem> {
        bounded(self.patient.is_some() || !self.ids.is_empty() || !self.status.is_empty(), REFERRAL_BOUNDS)
    }
}

impl TaskFilter {
    /// The ids that are asked for, as written.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.0.iter().flatten().map(String::as_str)
    }

    /// Whether a referral of the patient is among them.
    pub fn admits(&self, referral: &Referral) -> bool {
        let id = referral.id.to_string();
        self.ids.admits(|wanted| *wanted == id)
            && self.status.admits(|code| code == referral::task_status(referral.state))
            && admits(&self.business_status, referral.state)
            && self.requester.admits_member(&referral.referring)
            && self.owner.admits_member(&referral.receiving)
    }
}

/// What is not known is nothing that was asked for.
fn admits_some<T: Term>(wanted: &Wanted<Token>, term: Option<T>) -> bool {
    term.map_or(wanted.is_empty(), |term| admits(wanted, term))
}

fn admits<T: Term>(wanted: &Wanted<Token>, term: T) -> bool {
    wanted.admits_one_of(T::SYSTEM, term.code())
}
