//! The CapabilityStatement.

use serde_json::json;
use yiqiao_fhir::capability::{self, Software};
use yiqiao_fhir::everything::TYPES;
use yiqiao_fhir::outcome::Problem;
use yiqiao_fhir::query::Request;
use yiqiao_fhir::search::{
    ConsentFilter, DocumentFilter, Filter, PatientFilter, ServiceRequestFilter, StatedFilter, TaskFilter,
    read,
};

use crate::{rules, scenes};

#[test]
fn the_door_says_what_it_does() {
    let software = Software {
        version: "0.1.0".to_owned(),
        date: scenes::at(0),
        token_url: "https://a.example/oauth/token".to_owned(),
    };
    let resource = capability::statement(&scenes::site(), &software);
    let json = resource.json().expose();
    assert_eq!((&json["fhirVersion"], &json["format"]), (&json!("4.0.1"), &json!(["application/fhir+json"])));
    assert_eq!(json["software"], json!({"name": "Yiqiao 医桥", "version": "0.1.0"}));
    let rest = &json["rest"][0];
    assert_eq!(rest["security"]["extension"][0]["extension"][0]["valueUri"], "https://a.example/oauth/token");
    let kinds: Vec<_> =
        rest["resource"].as_array().unwrap().iter().map(|resource| &resource["type"]).collect();
    let (kept, stated) = kinds.split_at(6);
    assert_eq!(kept, ["Patient", "DocumentReference", "Binary", "Consent", "ServiceRequest", "Task"]);
    // Patient, DocumentReference and Provenance are read otherwise; who is named stands beside what is said.
    assert_eq!(stated, &TYPES[3..10]);
    let says = |kind: &str, name: &str| {
        let resource = rest["resource"].as_array().unwrap().iter().find(|one| one["type"] == kind).unwrap();
        assert!(resource["documentation"].as_str().unwrap_or_default().contains(name), "{kind} {name}");
    };
    for name in ["urn:yiqiao:sha256", "urn:yiqiao:consent-referral", "urn:yiqiao:member", "docs/fhir.md"] {
        says("Consent", name);
    }
    let operation = &rest["resource"][0]["operation"][0];
    assert_eq!(operation["name"], "everything");
    assert!(operation["documentation"].as_str().unwrap().contains("Observation"));
    says("ServiceRequest", "urn:yiqiao:member");
    says("Task", "urn:yiqiao:referral-state");
    rules::check(&resource);
}

/// Every parameter of the table is known to its reader: a value may be wrong, the name never.
fn each_is_read<F: Filter + std::fmt::Debug>() {
    for parameter in F::PARAMETERS {
        let query = format!("{}=x&_count=1", parameter.name);
        let read = read::<F>(&Request { query: &query, ..Request::default() });
        assert!(!matches!(read, Err(Problem::ParameterUnknown { .. })), "{} {}", F::KIND, parameter.name);
    }
}

#[test]
fn what_is_listed_is_what_is_read() {
    each_is_read::<PatientFilter>();
    each_is_read::<DocumentFilter>();
    each_is_read::<ConsentFilter>();
    each_is_read::<ServiceRequestFilter>();
    each_is_read::<TaskFilter>();
    each_is_read::<StatedFilter<0>>();
    each_is_read::<StatedFilter<1>>();
    each_is_read::<StatedFilter<2>>();
    each_is_read::<StatedFilter<3>>();
    each_is_read::<StatedFilter<4>>();
    each_is_read::<StatedFilter<5>>();
    each_is_read::<StatedFilter<6>>();
}
