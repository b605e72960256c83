//! Resources that are sent to the FHIR door and are wrong: each is answered with the element, and what it must be.
//!
//! Not here: what else goes wrong: `fhir_outcomes`.

use serde_json::{Value, json};
use yiqiao_simnet::story::Role;

use crate::fhir::{EVERYTHING, FHIR, RESIDENT, System, bundle, permit, resident};
use crate::fhir_outcomes::{Case, all_hold, nobody};
use crate::rig::Node;

/// Status, FHIR IssueType, and words of the diagnostics.
type Expected = (u16, &'static str, &'static str);

const fn invalid(says: &'static str) -> Expected {
    (422, "value", says)
}

const fn missing(says: &'static str) -> Expected {
    (422, "required", says)
}

const fn rule(says: &'static str) -> Expected {
    (422, "business-rule", says)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_and_is_wrong_is_answered_with_the_element() {
    let node = Node::started().await;
    let system = System { node: &node, token: node.token_for("emr", EVERYTHING).await };
    let number = resident(Role::WalkIn);
    all_hold(&system, bodies(&number)).await;
    all_hold(&system, consents(&number)).await;
    all_hold(&system, bundles(&number)).await;
}

/// No JSON, too much of it, in another type, or not what the address is for.
fn bodies(number: &str) -> Vec<Case> {
    let structure = |says| (400, "structure", says);
    let (long, media) = ((413, "too-long", "262144"), (415, "not-supported", FHIR));
    let body = format!("{{\"x\": \"{}\"}}", "a".repeat(300 << 10));
    let consent = |body: &str, expected| Case::json("POST", "/fhir/Consent", body, expected);
    let put = |body: Value, expected| Case::json("PUT", "/fhir/Consent/1.ab", &body, expected);
    vec![
        consent("{", structure("line 1, column 1")),
        consent(&format!("{number}x"), structure("line 1")),
        consent(&"[".repeat(200), structure("line 1")),
        consent("", structure("line 1")),
        consent("[]", invalid("Consent is not valid: it must be an object")),
        consent(&body, long),
        consent(&body.repeat(5), long),
        consent(&permit(&nobody()).to_string(), (404, "not-found", "Patient")),
        Case::new("POST", "/fhir/Consent", media).with("X-Nothing: x", b"{}"),
        Case::new("POST", "/fhir/Consent", media).with("Content-Type: application/fhir+xml", b"<Consent/>"),
        Case::new("POST", "/fhir", media).with("Content-Type: text/plain", b"{}"),
        put(json!({}), invalid("Consent.resourceType")),
        put(json!({"resourceType": "Consent"}), invalid("Consent.id")),
        put(json!({"resourceType": "Consent", "id": "1.ab"}), missing("Consent.status")),
        put(json!({"resourceType": "Consent", "id": "1.ab", "status": "active"}), invalid("Consent.status")),
        Case::json("POST", "/fhir", "{}", invalid("Bundle.resourceType")),
        Case::json("POST", "/fhir", "{\"resourceType\": 1}", invalid("Bundle.resourceType")),
    ]
}

fn consents(number: &str) -> Vec<Case> {
    let unknown = (404, "not-found", "Patient");
    let by_number = json!({"identifier": {"system": RESIDENT, "value": number}});
    let backwards = json!({"start": "2027", "end": "2026"});
    let purpose = rule("Consent.provision.purpose[0].code");
    [
        ("/resourceType", json!(number), invalid("Consent.resourceType")),
        ("/status", json!(5), invalid("Consent.status")),
        ("/status", json!(number), invalid("Consent.status")),
        ("/scope", json!("x"), invalid("Consent.scope")),
        ("/category", json!([]), invalid("Consent.category")),
        ("/dateTime", json!(number), invalid("Consent.dateTime")),
        ("/verification", json!([]), rule("Consent.verification")),
        (&*format!("/{number}"), json!(number), rule("Consent.(not a name)")),
        ("/patient", json!({}), missing("Consent.patient.reference")),
        ("/patient", json!({"reference": format!("Patient/{number}")}), invalid("Consent.patient.reference")),
        ("/patient", by_number, unknown),
        ("/performer", Value::Null, invalid("Consent.performer")),
        ("/provision/type", json!("maybe"), invalid("Consent.provision.type")),
        ("/provision/purpose", json!([{"system": "x", "code": number}]), purpose),
        ("/provision/period", json!({"start": number}), invalid("Consent.provision.period.start")),
        ("/provision/period", backwards, invalid("Consent.provision.period.end")),
        ("/sourceAttachment/title", json!(""), invalid("Consent.sourceAttachment.title")),
    ]
    .map(|(path, value, expected)| {
        Case::json("POST", "/fhir/Consent", &changed(permit(&nobody()), path, value), expected)
    })
    .into()
}

fn bundles(number: &str) -> Vec<Case> {
    let identifier = json!({"identifier": {"system": RESIDENT, "value": number}});
    let size = "/entry/1/resource/content/0/attachment/size";
    let other = json!({"reference": "Patient/other"});
    [
        ("/type", json!("batch"), invalid("Bundle.type")),
        ("/entry", json!([]), missing("Bundle.entry")),
        ("/entry/0", json!(number), invalid("Bundle.entry[0]")),
        ("/entry/1/request/method", json!("DELETE"), rule("Bundle.entry[1].request.method")),
        ("/entry/0/resource/subject", other, invalid("Bundle.entry[0].resource.subject")),
        ("/entry/0/resource/status", json!(number), invalid("Bundle.entry[0].resource.status")),
        ("/entry/1/resource/masterIdentifier", Value::Null, invalid("masterIdentifier")),
        ("/entry/1/resource/subject", json!({"identifier": {}}), missing("subject.identifier.value")),
        (size, json!(1), invalid("attachment.size")),
        (size, json!("1"), invalid("attachment.size")),
        ("/entry/2/resource/data", json!("%"), invalid("Bundle.entry[2].resource.data")),
        ("/entry/2/fullUrl", json!("urn:x"), invalid("attachment.url")),
    ]
    .map(|(path, value, expected)| {
        let sent = changed(bundle(1, &identifier, "检查报告"), path, value);
        Case::json("POST", "/fhir", &sent, expected)
    })
    .into()
}

/// A resource with another value at a path; its last part may be new.
pub(crate) fn changed(mut resource: Value, path: &str, value: Value) -> Value {
    let (holder, name) = path.rsplit_once('/').unwrap();
    let holder = resource.pointer_mut(holder).unwrap();
    match name.parse::<usize>() {
        Ok(at) if holder.is_array() => holder[at] = value,
        _ => holder[name] = value,
    }
    resource
}
