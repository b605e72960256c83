//! Documents that are handed in (ITI-65).

#![expect(clippy::indexing_slicing, reason = "helpers of tests")]

use serde_json::{Value, json};
use yiqiao_fhir::outcome::Problem;
use yiqiao_fhir::provide::{self, Provided, Transaction};
use yiqiao_fhir::search::{Token, Who};
use yiqiao_intake::facts::{Payload, Understood};
use yiqiao_intake::fhir;
use yiqiao_intake::intake::Door;
use yiqiao_proto::phi::Phi;

use crate::{rules, scenes};

fn entry(number: u32, kind: &str, resource: Value) -> Value {
    let mut resource = resource;
    resource["resourceType"] = json!(kind);
    let url = format!("urn:uuid:00000000-0000-0000-0000-00000000000{number}");
    json!({"fullUrl": url, "resource": resource, "request": {"method": "POST", "url": kind}})
}

fn url(number: u32) -> Value {
    json!({"reference": format!("urn:uuid:00000000-0000-0000-0000-00000000000{number}")})
}

fn reference(number: u32, binary: u32) -> Value {
    entry(
        number,
        "DocumentReference",
        json!({
            "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": format!("urn:oid:1.2.{number}")},
            "status": "current",
            "type": {"coding": [{"system": "urn:oid:2.16.156.10011.2.4", "code": "C0007"}]},
            "subject": url(2),
            "content": [{"attachment": {"contentType": "text/plain", "url": url(binary)["reference"], "size": 11}}],
        }),
    )
}

fn binary(number: u32) -> Value {
    entry(number, "Binary", json!({"contentType": "text/plain", "data": "SGVsbG8g\n V29ybGQ="}))
}

/// A patient, a submission set, two documents.
fn bundle() -> Value {
    let list = json!({
        "status": "current",
        "mode": "working",
        "subject": url(2),
        "entry": [{"item": url(3)}, {"item": url(5)}],
    });
    let patient = json!({"identifier": [{"system": "https://a.example/sid", "value": "P1"}], "name": [{"text": "张三"}]});
    json!({
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            entry(1, "List", list),
            entry(2, "Patient", patient),
            reference(3, 4),
            binary(4),
            reference(5, 6),
            binary(6),
        ],
    })
}

fn read(json: &Value) -> Result<Provided, Problem> {
    provide::read(json.to_string().as_bytes(), &scenes::site())
}

#[test]
fn each_entry_is_answered_in_its_order() {
    let provided = read(&bundle()).unwrap();
    assert_eq!(provided.documents(), 2);
    let filed = [scenes::entry_id(1), scenes::entry_id(2)];
    let resource = provide::response(&provided, &filed, &scenes::subject(), scenes::at(0)).unwrap();
    rules::check(&resource);
    let json = resource.json().expose();
    let locations: Vec<_> = (0..6).map(|at| json["entry"][at]["response"]["location"].as_str()).collect();
    let expected = [
        format!("Patient/{}", "ab".repeat(32)),
        format!("DocumentReference/{}", "01".repeat(32)),
        format!("Binary/{}", "01".repeat(32)),
        format!("DocumentReference/{}", "02".repeat(32)),
        format!("Binary/{}", "02".repeat(32)),
    ];
    assert_eq!(locations[0], None);
    assert_eq!(locations[1..], expected.iter().map(|location| Some(location.as_str())).collect::<Vec<_>>());
    let response = &json["entry"][2]["response"];
    assert_eq!(
        *response,
        json!({
            "status": "201 Created",
            "location": expected[1],
            "etag": "W/\"1\"",
            "lastModified": "2026-11-22T08:00:00+08:00",
        })
    );
    assert_eq!(json["entry"][0]["response"]["outcome"]["issue"][0]["severity"], "information");
    let short = provide::response(&provided, &filed[..1], &scenes::subject(), scenes::at(0));
    assert_eq!(short, Err(Problem::Internal));
}

#[test]
fn intake_makes_as_many_documents_of_it() {
    let bytes = bundle().to_string().into_bytes();
    let Understood::Documents(documents) = fhir::read_json(&bytes, 0..bytes.len(), &Door::any()).unwrap()
    else {
        panic!("documents");
    };
    assert_eq!(documents.len(), read(&bundle()).unwrap().documents());
    assert_eq!(documents[0].payload, Payload::Embedded(b"Hello World".to_vec()));
    assert_eq!(documents[1].source_id.as_ref().unwrap().value.expose(), "urn:oid:1.2.5");
}

#[test]
fn content_that_came_before_is_named_by_its_address() {
    let mut long = bundle();
    let id = "ab".repeat(32);
    let at = |url: &str| {
        let mut long = bundle();
        long["entry"].as_array_mut().unwrap().remove(3);
        long["entry"][2]["resource"]["content"][0]["attachment"]["url"] = json!(url);
        long
    };
    for url in [format!("Binary/{id}"), format!("{}/Binary/{id}", scenes::site().base)] {
        long = at(&url);
        let provided = read(&long).unwrap();
        let [deposit] = provided.deposits() else { panic!("one deposit") };
        assert_eq!(
            (deposit.url.as_str(), deposit.id.to_string(), provided.documents()),
            (url.as_str(), id.clone(), 2)
        );
        assert_eq!(deposit.check(Some(11)), Ok(()));
        let path = |problem: Result<(), Problem>| match problem {
            Err(Problem::Invalid { path, .. }) => path,
            other => panic!("{other:?}"),
        };
        assert!(path(deposit.check(None)).ends_with("attachment.url"));
        assert!(path(deposit.check(Some(12))).ends_with("attachment.size"));
        let door = Door { deposits: std::collections::BTreeSet::from([url.clone()]), ..Door::any() };
        let bytes = long.to_string().into_bytes();
        let understood = fhir::read_json(&bytes, 0..bytes.len(), &door).unwrap();
        let Understood::Documents(documents) = understood else { panic!("documents") };
        assert_eq!((documents.len(), &documents[0].payload), (2, &Payload::Deposited(url)));
    }
    for url in [
        "Binary/7",
        "https://elsewhere.example/fhir/Binary/7",
        "urn:uuid:00000000-0000-0000-0000-000000000009",
    ] {
        assert!(matches!(read(&at(url)), Err(Problem::Invalid { .. })), "{url}");
    }
    // One cannot be the content of two documents.
    long["entry"][3]["resource"]["content"][0]["attachment"]["url"] = json!(format!("Binary/{id}"));
    long["entry"].as_array_mut().unwrap().remove(4);
    assert!(matches!(read(&long), Err(Problem::Invalid { .. })));
}

#[test]
fn a_known_patient_may_be_updated_and_need_not_be_there() {
    let mut known = bundle();
    known["entry"][1]["request"] = json!({"method": "PUT", "url": "Patient?identifier=x|P1"});
    assert!(read(&known).is_ok());
    let mut absent = bundle();
    absent["entry"].as_array_mut().unwrap().remove(1);
    assert!(read(&absent).is_ok());
}

#[test]
fn a_patient_who_was_found_here_is_named_by_the_id() {
    let mut json = bundle();
    json["entry"].as_array_mut().unwrap().remove(1);
    assert_eq!(read(&json).unwrap().who(), None);
    for base in ["", "https://a.example/fhir/"] {
        let subject = json!({"reference": format!("{base}Patient/{}", "ab".repeat(32))});
        about(&mut json, &subject);
        assert_eq!(read(&json).unwrap().who(), Some(&Who::Subject(scenes::subject())));
    }
    assert_eq!(read(&bundle()).unwrap().who(), None);
}

/// All of a bundle without a Patient is about somebody.
fn about(json: &mut Value, subject: &Value) {
    for at in [0, 1, 3] {
        json["entry"][at]["resource"]["subject"] = subject.clone();
    }
}

#[test]
fn a_patient_is_named_by_an_identifier_and_never_by_an_address_that_nobody_here_knows() {
    let mut json = bundle();
    json["entry"].as_array_mut().unwrap().remove(1);
    let identifier = json!({"system": "urn:yiqiao:assigner:HIS", "value": "7"});
    let token = |system: &str| {
        Who::Identifier(Token { system: Some(system.to_owned()), value: Phi::new("7".to_owned()) })
    };
    for (subject, expected) in [
        (json!({"identifier": identifier}), "urn:yiqiao:assigner:HIS"),
        (
            json!({"reference": "https://his.example/Patient/9", "identifier": identifier}),
            "urn:yiqiao:assigner:HIS",
        ),
        (json!({"reference": "Patient?identifier=urn:oid:1.2|7"}), "urn:oid:1.2"),
    ] {
        about(&mut json, &subject);
        assert_eq!(read(&json).unwrap().who(), Some(&token(expected)), "{subject}");
    }
    for unknown in ["https://his.example/Patient/9", "Patient/9", "Practitioner/1"] {
        about(&mut json, &json!({"reference": unknown}));
        let Err(Problem::Invalid { path, expected }) = read(&json) else { panic!("{unknown}") };
        assert!(path.ends_with(".subject.reference") && expected.contains("identifier"), "{path}");
    }
}

#[test]
fn what_mhd_forbids_is_refused_by_its_path() {
    let at = |entry: usize, rest: &str| format!("/entry/{entry}/{rest}");
    let named = "Bundle.entry";
    for (pointer, value, path) in [
        ("/type".to_owned(), json!("batch"), "Bundle.type".to_owned()),
        (at(0, "resource/mode"), json!("snapshot"), format!("{named}[0].resource.mode")),
        (at(0, "resource/entry/1"), json!({"item": url(4)}), format!("{named}[0].resource.entry")),
        (at(0, "resource/subject"), url(9), format!("{named}[0].resource.subject")),
        (at(0, "resource/resourceType"), json!("Observation"), format!("{named}[0].resource.resourceType")),
        (at(1, "fullUrl"), url(4)["reference"].clone(), format!("{named}[3].fullUrl")),
        (at(2, "request/method"), json!("PUT"), format!("{named}[2].request.method")),
        (at(2, "request/url"), json!("Binary"), format!("{named}[2].request.url")),
        (at(2, "request/ifNoneExist"), json!("x"), format!("{named}[2].request.ifNoneExist")),
        (at(2, "resource/status"), json!("superseded"), format!("{named}[2].resource.status")),
        (
            at(2, "resource/masterIdentifier"),
            json!({}),
            format!("{named}[2].resource.masterIdentifier.value"),
        ),
        (at(2, "resource/modifierExtension"), json!([]), format!("{named}[2].resource.modifierExtension")),
        (
            at(2, "resource/relatesTo"),
            json!([{"code": "appends"}]),
            format!("{named}[2].resource.relatesTo[0].code"),
        ),
        (at(2, "resource/content"), json!([]), format!("{named}[2].resource.content")),
        (
            at(2, "resource/content/0/attachment/url"),
            json!("https://elsewhere.example/1"),
            format!("{named}[2].resource.content[0].attachment.url"),
        ),
        (
            at(2, "resource/content/0/attachment/size"),
            json!(12),
            format!("{named}[2].resource.content[0].attachment.size"),
        ),
        (
            at(4, "resource/content/0/attachment/url"),
            url(4)["reference"].clone(),
            format!("{named}[4].resource.content[0].attachment.url"),
        ),
        (at(3, "resource/data"), json!("!"), format!("{named}[3].resource.data")),
    ] {
        let mut json = bundle();
        let (holder, name) = pointer.rsplit_once('/').unwrap();
        match json.pointer_mut(holder).unwrap() {
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
            Value::Object(members) => _ = members.insert(name.to_owned(), value),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => panic!("{pointer}"),
        }
        let refused = read(&json).unwrap_err();
        let outcome = refused.outcome();
        rules::check(&outcome);
        assert_eq!(outcome.json().expose()["issue"][0]["expression"][0], path, "{pointer}: {refused}");
    }
}

#[test]
fn a_bundle_has_one_submission_set_and_documents_each_with_its_content() {
    let without = |kind: &str| {
        let mut json = bundle();
        json["entry"].as_array_mut().unwrap().retain(|entry| entry["resource"]["resourceType"] != kind);
        read(&json).unwrap_err()
    };
    assert!(matches!(without("List"), Problem::Invalid { .. }));
    assert!(matches!(without("DocumentReference"), Problem::Missing { .. }));
    assert!(matches!(without("Binary"), Problem::Invalid { .. }));
    let mut idle = bundle();
    idle["entry"].as_array_mut().unwrap().push(binary(7));
    assert_eq!(read(&idle), Err(Problem::NotCarriedOut { path: "Bundle.entry[6].resource.data".to_owned() }));
    let mut many = bundle();
    many["entry"].as_array_mut().unwrap().extend((0..300).map(|_| binary(8)));
    assert!(matches!(read(&many), Err(Problem::TooLarge { .. })));
}

#[test]
fn a_transaction_without_documents_is_a_piece_of_a_record() {
    let created =
        |kind: &str| json!({"resource": {"resourceType": kind}, "request": {"method": "POST", "url": kind}});
    let bundle = |entries: Vec<Value>| {
        json!({"resourceType": "Bundle", "type": "transaction", "entry": entries}).to_string()
    };
    let read = |text: String| provide::read_transaction(text.as_bytes(), &scenes::site());
    let Ok(Transaction::Record(record)) = read(bundle(vec![created("Patient"), created("Observation")]))
    else {
        panic!("a record");
    };
    let (entry, subject) = (scenes::entry_id(1), scenes::subject());
    let answer = provide::record_response(&record, Some(&entry), Some(&subject), scenes::at(0));
    rules::check(&answer);
    let locations: Vec<_> =
        (0..2).map(|at| answer.json().expose()["entry"][at]["response"]["location"].clone()).collect();
    assert_eq!(locations, [json!(format!("Patient/{subject}")), json!(format!("DocumentReference/{entry}"))]);

    let mut removal = created("Observation");
    removal["request"]["method"] = json!("DELETE");
    let path = "Bundle.entry[0].request.method".to_owned();
    assert_eq!(read(bundle(vec![removal])), Err(Problem::NotCarriedOut { path }));
    assert_eq!(read(bundle(Vec::new())), Err(Problem::Missing { path: "Bundle.entry".to_owned() }));
    let is_strict = read(bundle(vec![created("DocumentReference")]));
    assert!(is_strict.is_err(), "with a document it is ITI-65");
}
