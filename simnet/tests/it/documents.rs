//! CDA and FHIR: well-formed, about the right patient, pointing only to what is there.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use roxmltree::Document;
use serde_json::Value;
use yiqiao_simnet::feeds::{Feed, System};

use crate::{sent_by, town};

fn json(feed: &Feed) -> Value {
    serde_json::from_slice(&feed.bytes).unwrap()
}

fn attribute<'a>(document: &'a Document<'_>, element: &str, name: &str) -> &'a str {
    let found = document.descendants().find(|node| node.has_tag_name(("urn:hl7-org:v3", element)));
    found.unwrap().attribute(name).unwrap()
}

/// All `reference` members under a value.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("reference").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn documents_are_well_formed_and_say_what_they_are() {
    let town = town();
    let mut kinds = BTreeSet::new();
    for feed in sent_by(&town, System::Emr) {
        let text = String::from_utf8(feed.bytes.clone()).unwrap();
        let document = Document::parse(&text).unwrap();
        assert_eq!(Some(attribute(&document, "code", "code")), feed.document);
        assert_eq!(attribute(&document, "id", "extension"), feed.id);
        let person = &town.patients()[feed.patient].person;
        let name = document.descendants().find(|node| node.tag_name().name() == "patient").unwrap();
        assert!(name.descendants().any(|node| node.text() == Some(person.name.text.as_str())));
        assert_eq!(attribute(&document, "birthTime", "value"), person.birth.strftime("%Y%m%d").to_string());
        kinds.insert(feed.kind);
    }
    assert_eq!(kinds, ["C0002", "C0004", "C0006", "C0053"].into());
}

#[test]
fn documents_look_like_the_field() {
    let town = town();
    for feed in sent_by(&town, System::Emr) {
        let text = String::from_utf8(feed.bytes).unwrap();
        for sign in ["<setId/>", "<versionNumber/>", "<text/>", "<age unit=\"岁\"", "asOrganizationPartOf"] {
            assert!(text.contains(sign), "{sign}");
        }
        assert!(text.contains("codeSystem=\"2.16.156.10011.2.2.1\""));
    }
}

#[test]
fn a_template_follows_from_the_code() {
    let town = town();
    for feed in sent_by(&town, System::Emr) {
        let text = String::from_utf8(feed.bytes).unwrap();
        let document = Document::parse(&text).unwrap();
        let part: u32 = feed.kind.trim_start_matches('C').parse().unwrap();
        let expected = format!("2.16.156.10011.2.1.1.{}", part + 20);
        assert_eq!(attribute(&document, "templateId", "root"), expected);
    }
}

#[test]
fn bundles_refer_only_to_their_own_entries() {
    let town = town();
    for feed in sent_by(&town, System::Fhir) {
        let bundle = json(&feed);
        let entries = bundle["entry"].as_array().unwrap();
        let urls: BTreeSet<&str> = entries.iter().map(|entry| entry["fullUrl"].as_str().unwrap()).collect();
        assert_eq!(urls.len(), entries.len());
        let mut found = Vec::new();
        references(&bundle, &mut found);
        assert!(!found.is_empty() && found.iter().all(|url| urls.contains(url.as_str())));
    }
}

#[test]
fn transactions_hold_what_a_visit_brings() {
    let town = town();
    let mut kinds = BTreeSet::new();
    for feed in sent_by(&town, System::Fhir).iter().filter(|feed| feed.kind == "transaction") {
        let bundle = json(feed);
        for entry in bundle["entry"].as_array().unwrap() {
            kinds.insert(entry["resource"]["resourceType"].as_str().unwrap().to_owned());
        }
    }
    for kind in ["Patient", "Encounter", "Condition", "Observation", "DiagnosticReport", "MedicationRequest"]
    {
        assert!(kinds.contains(kind), "{kind}");
    }
}

#[test]
fn a_submission_carries_the_document_it_describes() {
    let town = town();
    let submissions: Vec<Feed> =
        sent_by(&town, System::Fhir).into_iter().filter(|feed| feed.kind == "ITI-65").collect();
    assert!(submissions.iter().any(|feed| feed.document == Some("C0007")));
    for feed in submissions {
        let bundle = json(&feed);
        let entries = bundle["entry"].as_array().unwrap();
        let of = |kind: &str| {
            entries.iter().find(|entry| entry["resource"]["resourceType"] == kind).unwrap()["resource"]
                .clone()
        };
        let content = STANDARD.decode(of("Binary")["data"].as_str().unwrap()).unwrap();
        let reference = of("DocumentReference");
        assert_eq!(reference["content"][0]["attachment"]["size"], content.len());
        assert_eq!(reference["type"]["coding"][0]["code"].as_str(), feed.document);
        let text = String::from_utf8(content).unwrap();
        assert_eq!(Some(attribute(&Document::parse(&text).unwrap(), "code", "code")), feed.document);
    }
}
