//! The CapabilityStatement at `metadata`: exactly what this door does. Search parameters come from the tables by which they
//! are read.

use serde_json::{Value, json};
use yiqiao_proto::time::Timestamp;

use crate::date;
use crate::everything::TYPES;
use crate::resource::{Resource, Site};
use crate::search::{
    ConsentFilter, DocumentFilter, Filter, Parameter, PatientFilter, ServiceRequestFilter, StatedFilter,
    TaskFilter,
};

/// What the program knows of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Software {
    /// Its version.
    pub version: String,
    /// When this version was built, or the door last set up otherwise.
    pub date: Timestamp,
    /// Where tokens are got: OAuth 2.0 client credentials.
    pub token_url: String,
}

/// The statement.
pub fn statement(site: &Site, software: &Software) -> Resource {
    let body = json!({
        "status": "active",
        "date": date::instant(software.date),
        "publisher": site.name,
        "kind": "instance",
        "software": {"name": "Yiqiao 医桥", "version": software.version},
        "implementation": {"description": format!("FHIR R4 of {}", site.name), "url": site.base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [{
            "mode": "server",
            "security": security(&software.token_url),
            "resource": resources(),
            "interaction": [{
                "code": "transaction",
                "documentation": "IHE MHD Provide Document Bundle (ITI-65), or a piece of one patient's record, which is kept whole",
            }],
        }],
    });
    Resource::new("CapabilityStatement", None, body)
}

/// What the statement says of Binary.
const BINARY: &str = "read: the bytes of a document, in its own media type, by range (RFC 7233). create: content of any length, as it is, with \
    Content-Type and Content-Length; a transaction within a day names the Location in DocumentReference.content.attachment.url; from \
    then on it is read as the Binary of that document.";

const EVERYTHING: &str = "What the documents of the patient say, read out of the originals for each answer, the same thing once, with a \
    Provenance for each place that says it; _type narrows it. What was not read is counted in an OperationOutcome. The types, each as far as a \
    scope lets it be read:";

const STATED: &str = "What the documents of the patient say, as $everything has it; it is made for each answer and has no address. _sort is by date.";

const CONSENT: &str = "create: recipients, each an Organization by identifier urn:yiqiao:member|code, or a contained PractitionerRole with \
    urn:yiqiao:department, urn:yiqiao:practitioner and urn:yiqiao:person-role; sourceAttachment needs title, the version of the notice, and the \
    extension urn:yiqiao:sha256 with valueString, its SHA-256 in hexadecimal digits. The provision may have the extension \
    urn:yiqiao:consent-existence-visible and the modifierExtension urn:yiqiao:consent-referral. Examples: docs/fhir.md of the program.";

const REFERRAL: &str =
    "requester and performer are members of the region by identifier urn:yiqiao:member|code.";

const STEP: &str = "update: the status, and the businessStatus of urn:yiqiao:referral-state where it says more (arrived, in-care, booked); \
    requester and owner are members by identifier urn:yiqiao:member|code. Examples: docs/fhir.md of the program.";

/// What the statement says of them.
const SECURITY: &str = "Every interaction but this statement needs a bearer token of the client credentials grant, with a scope of SMART App \
    Launch 2.0 for systems: system/Patient.rs, system/DocumentReference.rs, system/Binary.cr, system/Consent.crus, \
    system/ServiceRequest.rs, system/Task.rus, system/Bundle.c for transactions; system/*.rs stands for every type. A Consent is \
    taken back by an update with status inactive; nothing else of it ever changes.";

fn security(token_url: &str) -> Value {
    json!({
        "extension": [{
            "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
            "extension": [{"url": "token", "valueUri": token_url}],
        }],
        "service": [{
            "coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                "code": "OAuth",
                "display": "OAuth",
            }],
            "text": "OAuth 2.0 client credentials",
        }],
        "description": SECURITY,
    })
}

fn resources() -> Vec<Value> {
    vec![
        with("operation", everything(), resource::<PatientFilter>(&["read", "search-type"], "no-version")),
        resource::<DocumentFilter>(&["read", "search-type"], "versioned"),
        json!({
            "type": "Binary",
            "interaction": [{"code": "read"}, {"code": "create"}],
            "versioning": "no-version",
            "documentation": BINARY,
        }),
        with(
            "documentation",
            CONSENT.into(),
            resource::<ConsentFilter>(&["read", "search-type", "create", "update"], "versioned"),
        ),
        with(
            "documentation",
            REFERRAL.into(),
            resource::<ServiceRequestFilter>(&["read", "search-type"], "versioned"),
        ),
        with(
            "documentation",
            STEP.into(),
            resource::<TaskFilter>(&["read", "search-type", "update"], "versioned-update"),
        ),
        stated::<0>(),
        stated::<1>(),
        stated::<2>(),
        stated::<3>(),
        stated::<4>(),
        stated::<5>(),
        stated::<6>(),
    ]
}

fn stated<const PLACE: usize>() -> Value {
    let searched = resource::<StatedFilter<PLACE>>(&["search-type"], "no-version");
    with("searchRevInclude", json!(["Provenance:target"]), with("documentation", STATED.into(), searched))
}

fn resource<F: Filter>(interactions: &[&str], versioning: &str) -> Value {
    let interaction: Vec<Value> = interactions.iter().map(|code| json!({"code": code})).collect();
    // One that goes with and without a modifier is listed once.
    let is_listed = |one: &&Parameter| {
        let plain = one.name.split_once(':').map(|(name, _)| name);
        let is_include = one.kind == "special";
        !is_include && plain.is_none_or(|plain| F::PARAMETERS.iter().all(|other| other.name != plain))
    };
    let mut parameters: Vec<Value> = F::PARAMETERS.iter().filter(is_listed).map(parameter).collect();
    parameters.push(json!({"name": "_count", "type": "number", "documentation": "resources on a page"}));
    parameters.push(
        json!({"name": "_summary", "type": "token", "documentation": "count: only how many there are"}),
    );
    parameters.push(json!({"name": "_total", "type": "token", "documentation": "the total is always there"}));
    json!({
        "type": F::KIND,
        "interaction": interaction,
        "versioning": versioning,
        "conditionalCreate": false,
        "conditionalUpdate": false,
        "searchParam": parameters,
    })
}

fn everything() -> Value {
    json!([{
        "name": "everything",
        "definition": "http://hl7.org/fhir/OperationDefinition/Patient-everything",
        "documentation": format!("{EVERYTHING} {}.", TYPES.join(", ")),
    }])
}

fn with(field: &str, value: Value, mut resource: Value) -> Value {
    if let Value::Object(fields) = &mut resource {
        fields.insert(field.to_owned(), value);
    }
    resource
}

/// A modifier is no part of the name.
fn parameter(parameter: &Parameter) -> Value {
    let Parameter { name, kind, meaning } = parameter;
    match name.split_once(':') {
        Some((name, modifier)) => {
            json!({"name": name, "type": kind, "documentation": format!("{meaning}; only with :{modifier}")})
        }
        None => json!({"name": name, "type": kind, "documentation": meaning}),
    }
}
