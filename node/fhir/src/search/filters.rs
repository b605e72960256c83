//! The filters of each type of resource: parameters, and what they admit.

use std::collections::BTreeMap;

use serde_json::Value;
use yiqiao_proto::time::Timestamp;

use crate::consent::Consent;
use crate::date::{Comparison, Stretch};
use crate::document::{Listing, Standing};
use crate::outcome::Problem;
use crate::referral::{self, Referral};
use crate::resource::Resource;
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

/// A type of resources that are made of what documents say.
#[derive(Clone, Copy)]
pub(crate) struct Stated {
    pub(crate) kind: &'static str,
    parameters: &'static [Parameter],
    /// By parameter the element that it compares: a code, a concept, or some.
    tokens: &'static [(&'static str, &'static str)],
    /// The parameter and the element of when it was.
    date: (&'static str, &'static str),
}

const CODE: Parameter = parameter("code", "token", "a code, system|code");
const STATUS: Parameter = parameter("status", "token", "the status");
const CATEGORY: Parameter = parameter("category", "token", "the category, system|code");
const DATE: Parameter = parameter("date", "date", "when it was");
const PROVENANCE: Parameter =
    parameter("_revinclude", "special", "Provenance:target: with each place that says it");

/// All of them; a [`StatedFilter`] names one by its place.
const STATED: [Stated; 7] = [
    Stated {
        kind: "Encounter",
        parameters: &[
            PATIENT,
            PATIENT_IDENTIFIER,
            parameter("class", "token", "the class, system|code"),
            STATUS,
            DATE,
            PROVENANCE,
        ],
        tokens: &[("class", "class"), ("status", "status")],
        date: ("date", "period"),
    },
    Stated {
        kind: "Condition",
        parameters: &[
            PATIENT,
            PATIENT_IDENTIFIER,
            CODE,
            CATEGORY,
            parameter("recorded-date", "date", "when it was said"),
            PROVENANCE,
        ],
        tokens: &[("code", "code"), ("category", "category")],
        date: ("recorded-date", "recordedDate"),
    },
    Stated {
        kind: "AllergyIntolerance",
        parameters: &[PATIENT, PATIENT_IDENTIFIER, CODE, DATE, PROVENANCE],
        tokens: &[("code", "code")],
        date: ("date", "recordedDate"),
    },
    Stated {
        kind: "MedicationStatement",
        parameters: &[
            PATIENT,
            PATIENT_IDENTIFIER,
            CODE,
            STATUS,
            parameter("effective", "date", "when it was"),
            PROVENANCE,
        ],
        tokens: &[("code", "medicationCodeableConcept"), ("status", "status")],
        date: ("effective", "effectiveDateTime"),
    },
    Stated {
        kind: "Observation",
        parameters: &[PATIENT, PATIENT_IDENTIFIER, CODE, CATEGORY, STATUS, DATE, PROVENANCE],
        tokens: &[("code", "code"), ("category", "category"), ("status", "status")],
        date: ("date", "effectiveDateTime"),
    },
    Stated {
        kind: "Procedure",
        parameters: &[PATIENT, PATIENT_IDENTIFIER, CODE, STATUS, DATE, PROVENANCE],
        tokens: &[("code", "code"), ("status", "status")],
        date: ("date", "performedDateTime"),
    },
    Stated {
        kind: "Immunization",
        parameters: &[
            PATIENT,
            PATIENT_IDENTIFIER,
            parameter("vaccine-code", "token", "a code, system|code"),
            STATUS,
            DATE,
            PROVENANCE,
        ],
        tokens: &[("vaccine-code", "vaccineCode"), ("status", "status")],
        date: ("date", "occurrenceDateTime"),
    },
];

/// Which resources of one type, by its place among those that are made of what documents say: Encounter, Condition, AllergyIntolerance,
/// MedicationStatement, Observation, Procedure, Immunization.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatedFilter<const PLACE: usize> {
    /// Whose.
    pub patient: Option<Who>,
    /// Whether each place that says it is asked for, too.
    pub with_provenance: bool,
    tokens: BTreeMap<&'static str, Wanted<Token>>,
    date: Wanted<Comparison>,
}

impl<const PLACE: usize> StatedFilter<PLACE> {
    #[expect(clippy::indexing_slicing, reason = "a place that is none does not compile")]
    const STATED: Stated = STATED[PLACE];

    /// Whether a resource is one of those.
    pub fn admits(&self, resource: &Resource) -> bool {
        let body = resource.json().expose();
        self.date.admits_stretch(when(body, Self::STATED.date.1))
            && self.tokens.iter().all(|(element, wanted)| {
                let said = codes(body.get(element));
                wanted.admits(|token| said.iter().any(|(system, code)| token.is(system, code)))
            })
    }

    /// What resources are sorted by: when it was, what does not say so first; then their ids.
    pub fn key(&self, resource: &Resource) -> String {
        let at = when(resource.json().expose(), Self::STATED.date.1).map(|stretch| stretch.from);
        // Milliseconds before 1970 are negative.
        let place = at.map_or(0, |at| at.unix_ms().wrapping_sub(i64::MIN).cast_unsigned());
        format!("{place:016x}{}", resource.id().unwrap_or_default())
    }
}

impl<const PLACE: usize> Filter for StatedFilter<PLACE> {
    const KIND: &'static str = Self::STATED.kind;
    const PARAMETERS: &'static [Parameter] = Self::STATED.parameters;
    const SORTS: bool = true;

    fn take(&mut self, name: &'static str, value: &str) -> Result<(), Problem> {
        if name == PROVENANCE.name {
            let expected = "Provenance:target";
            self.with_provenance = true;
            return if value == expected {
                Ok(())
            } else {
                Err(Problem::ParameterInvalid { name, expected })
            };
        }
        if name == Self::STATED.date.0 {
            return self.date.dates(name, value);
        }
        match Self::STATED.tokens.iter().find(|(parameter, _)| *parameter == name) {
            Some((_, element)) => self.tokens.entry(element).or_default().tokens(name, value),
            None => take_patient(&mut self.patient, name, value),
        }
    }

    fn check(&self) -> Result<(), Problem> {
        bounded(self.patient.is_some(), "patient, patient.identifier")
    }
}

/// When something was: a date, or a period.
fn when(body: &Value, element: &str) -> Option<Stretch> {
    let date = |of: &Value| of.as_str().and_then(Stretch::parse);
    let said = body.get(element)?;
    let [start, end] = ["start", "end"].map(|name| said.get(name).and_then(date));
    let period = || {
        let from = start.map_or(Timestamp::MIN, |start| start.from);
        let until = end.map_or(Timestamp::MAX, |end| end.until);
        start.or(end).map(|_| Stretch { from, until })
    };
    date(said).or_else(period)
}

/// System and code of all codings of an element.
fn codes(element: Option<&Value>) -> Vec<(&str, &str)> {
    match element {
        Some(Value::String(code)) => vec![("", code)],
        Some(Value::Array(several)) => several.iter().flat_map(|one| codes(Some(one))).collect(),
        Some(Value::Object(of)) if of.contains_key("coding") => codes(of.get("coding")),
        Some(Value::Object(coding)) => {
            let [system, code] = ["system", "code"].map(|name| coding.get(name).and_then(Value::as_str));
            code.map(|code| (system.unwrap_or_default(), code)).into_iter().collect()
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => Vec::new(),
    }
}
