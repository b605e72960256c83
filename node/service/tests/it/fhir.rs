//! The FHIR door of a real node, with systems that send by HL7 v2, CDA and FHIR, and ask by HTTP.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::date;
use serde_json::{Value, json};
use yiqiao_simnet::feeds::Feed;
use yiqiao_simnet::story::Role;
use yiqiao_simnet::town::Town;

use crate::feeds::{about, is_message};
use crate::member::Member;
use crate::pages::Person;
use crate::rig::{Node, until};
use crate::wire::{self, Answer};

pub(crate) const RESIDENT: &str = "urn:oid:2.16.156.10011.1.3";
pub(crate) const EVERYTHING: &[&str] = &["intake", "system/*.cruds"];
pub(crate) const FHIR: &str = "application/fhir+json";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// A system at the door of a node.
pub(crate) struct System<'n> {
    pub(crate) node: &'n Node,
    pub(crate) token: String,
}

impl System<'_> {
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let headers = format!("Authorization: Bearer {}\r\n{headers}", self.token);
        wire::try_request(self.node.http, method, path, &headers, body).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", b"").await
    }

    pub(crate) async fn post(&self, path: &str, media: &str, body: &str) -> Answer {
        self.ask("POST", path, &format!("Content-Type: {media}\r\n"), body.as_bytes()).await
    }

    /// A search by form, through all its pages: the resources.
    pub(crate) async fn all(&self, kind: &str, form: &str) -> Vec<Value> {
        let mut answer = self.post(&format!("/fhir/{kind}/_search"), FORM, form).await;
        let mut found = Vec::new();
        loop {
            assert_eq!(answer.status, 200, "{}", answer.text());
            let bundle = answer.json();
            let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
            found.extend(entries.into_iter().map(|entry| entry["resource"].clone()));
            let links = bundle["link"].as_array().unwrap();
            let Some(next) = links.iter().find(|link| link["relation"] == "next") else { return found };
            let next = next["url"].as_str().unwrap();
            let path = next.split_once("/fhir").unwrap().1;
            answer = self.get(&format!("/fhir{path}")).await;
        }
    }
}

/// The resident identity number of somebody of the story.
pub(crate) fn resident(role: Role) -> String {
    Town::story(date(2026, 11, 20)).cast(role).unwrap().person.resident_id.as_str().to_owned()
}

pub(crate) fn by_resident(role: Role) -> String {
    format!("{RESIDENT}%7C{}", resident(role))
}

pub(crate) async fn deliver(node: &Node, token: &str, feeds: &[Feed]) {
    let mut line = node.mllp().await;
    for feed in feeds {
        if is_message(feed) {
            assert!(line.send(&feed.bytes).await.unwrap().contains("|AA|"));
        } else {
            let media = "application/hl7-cda+xml";
            let answer = wire::post(node.http, "/api/intake", Some(token), media, &feed.bytes).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_systems_have_sent_is_found_page_by_page_and_read_by_range() {
    let node = Node::started().await;
    let token = node.token_for("emr", EVERYTHING).await;
    deliver(&node, &token, &about(&[Role::WalkIn])).await;
    let system = System { node: &node, token };
    let who = by_resident(Role::WalkIn);

    let patients = system.all("Patient", &format!("identifier={who}")).await;
    assert_eq!(patients.len(), 1);
    let id = patients[0]["id"].as_str().unwrap();
    assert_eq!(system.get(&format!("/fhir/Patient/{id}")).await.json(), patients[0]);
    let by_get = system.get(&format!("/fhir/Patient?_id={id}")).await;
    assert_eq!(by_get.json()["entry"][0]["resource"], patients[0]);
    assert!(system.all("Patient", &format!("identifier={}", by_resident(Role::Referred))).await.is_empty());

    let documents = system.all("DocumentReference", &format!("patient.identifier={who}")).await;
    assert!(documents.len() > 3, "{}", documents.len());
    let paged = system.all("DocumentReference", &format!("patient={id}&_count=2&status=current")).await;
    let current: Vec<Value> =
        documents.iter().filter(|document| document["status"] == "current").cloned().collect();
    assert_eq!(paged, current, "pages have neither gap nor repeat");
    let mut backwards = system.all("DocumentReference", &format!("patient={id}&_count=3&_sort=-date")).await;
    backwards.reverse();
    assert_eq!(backwards, documents);

    let first = &documents[0];
    let path = format!("/fhir/DocumentReference/{}", first["id"].as_str().unwrap());
    let read = system.get(&path).await;
    assert_eq!((&read.json(), read.header("content-type")), (first, Some(FHIR)));
    let etag = format!("If-None-Match: {}\r\n", read.header("etag").unwrap());
    assert_eq!(system.ask("GET", &path, &etag, b"").await.status, 304);
    bytes_are_read(&system, first).await;
    what_documents_say_is_said_once(&system, id).await;
}

/// What HL7 v2 and CDA say of a patient as resources, each with where it stands; and only to who may read the types.
async fn what_documents_say_is_said_once(system: &System<'_>, id: &str) {
    let path = format!("/fhir/Patient/{id}/$everything");
    let answer = system.get(&path).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(FHIR)), "{}", answer.text());
    let bundle = answer.json();
    let entries = bundle["entry"].as_array().unwrap();
    let of = |kind: &str| -> Vec<&Value> {
        entries.iter().map(|entry| &entry["resource"]).filter(|one| one["resourceType"] == kind).collect()
    };
    for kind in
        ["Patient", "Encounter", "Condition", "MedicationStatement", "Observation", "DocumentReference"]
    {
        assert!(!of(kind).is_empty(), "no {kind}");
    }
    assert!(of("OperationOutcome").is_empty(), "all of it is read");
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for provenance in of("Provenance") {
        let place = provenance["entity"][0]["extension"][0]["valueString"].as_str().unwrap();
        places.entry(provenance["target"][0]["reference"].as_str().unwrap()).or_default().push(place);
    }
    let said_again = of("Condition").into_iter().filter(|one| {
        let places = &places[format!("urn:uuid:{}", one["id"].as_str().unwrap()).as_str()];
        places.len() > 1 && places.iter().all(|place| place.starts_with("/ClinicalDocument/"))
    });
    assert!(said_again.count() > 0, "what several documents say is one, with all places: {places:?}");
    assert!(places.values().flatten().any(|place| place.starts_with("OBX[")));

    let narrow = system.get(&format!("{path}?_type=Observation")).await.json();
    let kinds: BTreeSet<&str> = narrow["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["resource"]["resourceType"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, BTreeSet::from(["Observation"]));
    assert_eq!(system.get(&format!("{path}?_since=2026")).await.status, 400);
    assert_eq!(system.get(&format!("/fhir/Patient/{}/$everything", "ab".repeat(32))).await.status, 404);
    let searched = system.all("Observation", &format!("patient={id}&_count=2&_sort=date")).await;
    let ids = |all: &[&Value]| -> BTreeSet<String> { all.iter().map(|one| one["id"].to_string()).collect() };
    assert_eq!(ids(&searched.iter().collect::<Vec<_>>()), ids(&of("Observation")));
    assert_eq!(searched.len(), of("Observation").len(), "pages have neither gap nor repeat");
    let dates: Vec<&str> = searched.iter().map(|one| one["effectiveDateTime"].as_str().unwrap()).collect();
    assert!(dates.is_sorted(), "{dates:?}");
    let first = &searched[0];
    let code = first["code"]["coding"][0]["code"].as_str().unwrap();
    let narrow =
        format!("/fhir/Observation?patient={id}&code={code}&date={}", dates[0].split('T').next().unwrap());
    let found = system.get(&format!("{narrow}&_revinclude=Provenance:target")).await.json();
    assert_eq!(&found["entry"][0]["resource"], first);
    let last = found["entry"].as_array().unwrap().last().unwrap();
    let modes = (&last["search"]["mode"], &last["resource"]["resourceType"]);
    assert_eq!(modes, (&"include".into(), &"Provenance".into()));
    let counted = system.get(&format!("{narrow}&_summary=count")).await.json();
    assert!(counted["total"].as_u64().unwrap() > 0, "{counted}");
    assert_eq!(system.get(&format!("{narrow}&value-quantity=1")).await.status, 400);
    let of_all = system.get(&format!("/fhir/Observation?code={code}")).await;
    assert_eq!(of_all.status, 403, "without a bound: {}", of_all.text());
    let id_of_first = first["id"].as_str().unwrap();
    assert_eq!(system.get(&format!("/fhir/Observation/{id_of_first}")).await.status, 404, "no address");
    let reads = system.node.token_for("charts", &["system/Observation.rs"]).await;
    let charts = System { node: system.node, token: reads };
    assert_eq!(charts.get(&narrow).await.json()["entry"][0]["resource"], *first);
    assert_eq!(charts.get(&format!("{narrow}&_revinclude=Provenance:target")).await.status, 403);
    assert_eq!(charts.get(&format!("/fhir/Condition?patient={id}")).await.status, 403);
    let token = system.node.token_for("front-desk", &["system/Patient.rs"]).await;
    let desk = System { node: system.node, token };
    assert_eq!(desk.get(&format!("{path}?_type=Observation")).await.status, 403);
    let permitted = desk.get(&path).await.json();
    assert_eq!(permitted["entry"].as_array().map(Vec::len), Some(1), "the patient alone: {permitted}");
}

/// The bytes of a document: whole, in part, as a resource, not again.
async fn bytes_are_read(system: &System<'_>, document: &Value) {
    let attachment = &document["content"][0]["attachment"];
    let path = format!("/fhir/{}", attachment["url"].as_str().unwrap());
    let whole = system.get(&path).await;
    assert_eq!(whole.status, 200, "{}", whole.text());
    assert_eq!(whole.header("content-type"), attachment["contentType"].as_str());
    assert_eq!(Some(whole.body.len() as u64), attachment["size"].as_u64());
    let length = whole.body.len();
    for (range, part) in [("0-9", 0..10), ("5-", 5..length), ("-7", length - 7..length)] {
        let answer = system.ask("GET", &path, &format!("Range: bytes={range}\r\n"), b"").await;
        assert_eq!(answer.status, 206);
        assert_eq!(answer.body, whole.body[part.clone()], "{range}");
        let said = format!("bytes {}-{}/{length}", part.start, part.end - 1);
        assert_eq!(answer.header("content-range"), Some(said.as_str()));
    }
    let beyond = system.ask("GET", &path, &format!("Range: bytes={length}-\r\n"), b"").await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some(&*format!("bytes */{length}"))));
    let known = format!("If-None-Match: {}\r\n", whole.header("etag").unwrap());
    assert_eq!(system.ask("GET", &path, &known, b"").await.status, 304);
    let wrapped = system.ask("GET", &path, "Accept: application/fhir+json\r\n", b"").await.json();
    assert_eq!(wrapped["contentType"], attachment["contentType"]);
    assert_eq!(STANDARD.decode(wrapped["data"].as_str().unwrap()).unwrap(), whole.body);
    let head = system.ask("HEAD", &path, "", b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

/// An ITI-65 bundle of one text; the patient by a reference or an identifier.
pub(crate) fn bundle(number: u32, subject: &Value, text: &str) -> Value {
    let url = |part: &str| format!("urn:uuid:{number:08}-0000-0000-0000-{part:0>12}");
    let entry = |part: &str, kind: &str, mut resource: Value| {
        resource["resourceType"] = json!(kind);
        json!({"fullUrl": url(part), "resource": resource, "request": {"method": "POST", "url": kind}})
    };
    let list = json!({
        "status": "current", "mode": "working", "subject": subject,
        "entry": [{"item": {"reference": url("2")}}],
    });
    let reference = json!({
        "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": format!("urn:oid:1.2.{number}")},
        "status": "current",
        "type": {"coding": [{"system": "urn:oid:2.16.156.10011.2.4", "code": "C0007"}]},
        "subject": subject,
        "date": "2026-11-20T08:00:00+08:00",
        "content": [{"attachment": {"contentType": "text/plain", "url": url("3"), "size": text.len()}}],
    });
    let binary = json!({"contentType": "text/plain", "data": STANDARD.encode(text)});
    json!({
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [entry("1", "List", list), entry("2", "DocumentReference", reference), entry("3", "Binary", binary)],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_are_handed_in_are_kept_once_and_read_back() {
    let node = Node::started().await;
    let system = System { node: &node, token: node.token_for("emr", EVERYTHING).await };
    let identifier = json!({"identifier": {"system": RESIDENT, "value": resident(Role::WalkIn)}});
    let first = bundle(1, &identifier, "检查报告一").to_string();
    let taken = system.post("/fhir", FHIR, &first).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    let answers = taken.json();
    assert_eq!(answers["type"], "transaction-response");
    let status = |at: usize| answers["entry"][at]["response"]["status"].clone();
    assert_eq!([status(0), status(1), status(2)], ["200 OK", "201 Created", "201 Created"]);
    let location = answers["entry"][1]["response"]["location"].as_str().unwrap().to_owned();
    let document = system.get(&format!("/fhir/{location}")).await.json();
    let master = json!({"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.1"});
    assert_eq!(document["masterIdentifier"], master, "the sender's stays");
    let content = system.get(&format!("/fhir/{}", location.replace("DocumentReference", "Binary"))).await;
    assert_eq!(content.text(), "检查报告一");

    let again = system.post("/fhir", FHIR, &first).await.json();
    assert_eq!(again["entry"][1]["response"]["location"], location);
    let subject = json!({"reference": document["subject"]["reference"]});
    let second = system.post("/fhir", FHIR, &bundle(2, &subject, "检查报告二").to_string()).await;
    assert_eq!(second.status, 200, "{}", second.text());
    let documents =
        system.all("DocumentReference", &format!("patient.identifier={}", by_resident(Role::WalkIn))).await;
    let counted =
        format!("/fhir/DocumentReference?_summary=count&patient.identifier={}", by_resident(Role::WalkIn));
    assert_eq!(system.get(&counted).await.json()["total"], 2);
    assert_eq!(documents.len(), 2, "named by the id of a Patient of this door it is the same patient");
    let nobody = bundle(3, &json!({"reference": format!("Patient/{}", "ab".repeat(32))}), "x");
    assert_eq!(system.post("/fhir", FHIR, &nobody.to_string()).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_of_a_record_is_kept_whole_and_says_which_document_it_is() {
    let node = Node::started().await;
    let system = System { node: &node, token: node.token_for("fhir", EVERYTHING).await };
    let town = Town::story(date(2026, 11, 20));
    let mut bundles = town.feeds().filter(|feed| feed.bytes.first() == Some(&b'{'));
    let text = |feed: Feed| String::from_utf8(feed.bytes).unwrap();
    let text = bundles.by_ref().map(text).find(|text| !text.contains("DocumentReference")).unwrap();
    let taken = system.post("/fhir", "application/fhir+json; charset=utf-8", &text).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    let answers = taken.json()["entry"].as_array().unwrap().clone();
    let sent: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answers.len(), sent["entry"].as_array().unwrap().len());
    let locations: BTreeSet<&str> =
        answers.iter().filter_map(|answer| answer["response"]["location"].as_str()).collect();
    assert_eq!(locations.len(), 2, "one patient, one document: {locations:?}");
    for location in locations {
        assert_eq!(system.get(&format!("/fhir/{location}")).await.status, 200, "{location}");
    }
}

/// The Consents that docs/fhir.md shows, of a patient: a plain permit, one with every limit, one with exceptions, one to several.
fn shown(patient: &str) -> Vec<Value> {
    let examples = include_str!("../../../../docs/fhir.md").split("```json\n").skip(1);
    let examples = examples.map(|rest| rest.split("```").next().unwrap().replace("PATIENT", patient));
    let resources = examples.map(|text| serde_json::from_str::<Value>(&text).unwrap());
    resources.filter(|one| one["resourceType"] == "Consent").collect()
}

/// A permit of somebody of the story to a hospital.
pub(crate) fn permit(patient: &str) -> Value {
    shown(patient).remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn c10_a_consent_is_recorded_under_every_token_shown_as_one_and_taken_back_whole() {
    let node = Node::started().await;
    let token = node.token_for("desk", EVERYTHING).await;
    deliver(&node, &token, &about(&[Role::WalkIn])).await;
    node.published().await;
    let system = System { node: &node, token };
    let who = by_resident(Role::WalkIn);
    let patient =
        system.all("Patient", &format!("identifier={who}")).await[0]["id"].as_str().unwrap().to_owned();

    let made = system.post("/fhir/Consent", FHIR, &permit(&patient).to_string()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert!(made.header("location").unwrap().ends_with(&format!("/fhir/Consent/{id}")));
    let form = format!("patient={patient}&status=active");
    let shown = until("the consent on the feed", async || {
        let found = system.all("Consent", &form).await;
        (!found.is_empty()).then_some(found)
    })
    .await;
    assert_eq!((shown.len(), &shown[0]["id"]), (1, &json!(id)));
    let read = system.get(&format!("/fhir/Consent/{id}")).await;
    assert_eq!(read.json(), shown[0]);

    let mut ended = shown[0].clone();
    ended["status"] = json!("inactive");
    let path = format!("/fhir/Consent/{id}");
    let put = async |headers: &str| {
        let headers = format!("Content-Type: {FHIR}\r\n{headers}");
        system.ask("PUT", &path, &headers, ended.to_string().as_bytes()).await
    };
    assert_eq!(put("If-Match: W/\"7\"\r\n").await.status, 412);
    let minimal = put("If-Match: W/\"1\"\r\nPrefer: return=minimal\r\n").await;
    assert_eq!((minimal.status, minimal.body.len()), (200, 0), "{}", minimal.text());
    assert_eq!(system.all("Consent", &form).await, Vec::<Value>::new(), "none is active");
    let found = system.all("Consent", &format!("patient={patient}&status=inactive")).await;
    assert_eq!((found.len(), &found[0]["id"], &found[0]["status"]), (1, &json!(id), &json!("inactive")));
    assert_eq!(system.get(&path).await.json(), found[0]);
    assert_eq!(system.all("Consent", &format!("patient={patient}")).await, found);
    assert_eq!(system.all("Consent", &format!("_id={id}")).await, found);

    // Taken back again it stays as it is; that it was a mistake is not said afterwards.
    assert_eq!(put("").await.json(), found[0]);
    ended["status"] = json!("entered-in-error");
    let other =
        system.ask("PUT", &path, &format!("Content-Type: {FHIR}\r\n"), ended.to_string().as_bytes()).await;
    assert_eq!(other.status, 409, "{}", other.text());

    // Under two tokens, and yet the patient reads of one act each.
    node.published().await;
    let desk = Person::with_account(&node, "desk", "desk", None).await;
    let (count, log) = until("the events", async || {
        let log = desk.get(&format!("/api/patients/{patient}/history")).await;
        let acts: Vec<_> = log["items"].as_array().unwrap().iter().map(|row| row["act"].clone()).collect();
        let count = ["consent", "revocation"].map(|act| acts.iter().filter(|known| *known == act).count());
        (!count.contains(&0)).then_some((count, log))
    })
    .await;
    assert_eq!(count, [1, 1], "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consents_that_the_documentation_shows_are_recorded() {
    let node = Node::started().await;
    let token = node.token_for("desk", EVERYTHING).await;
    deliver(&node, &token, &about(&[Role::WalkIn])).await;
    node.published().await;
    let system = System { node: &node, token };
    let who = by_resident(Role::WalkIn);
    let patient = system.all("Patient", &format!("identifier={who}")).await[0]["id"].clone();
    let examples = shown(patient.as_str().unwrap());
    assert_eq!(examples.len(), 4);
    let _other = Member::admitted(&node.region, "qzdx").await;
    let mut last = Value::Null;
    for example in examples {
        let made = until("every recipient is a member", async || {
            let made = system.post("/fhir/Consent", FHIR, &example.to_string()).await;
            (made.status != 422).then_some(made)
        })
        .await;
        assert_eq!(made.status, 201, "{}", made.text());
        last = made.json();
    }
    to_several(&system, &last).await;
}

/// C-17: what was said to several is told by the feed, and taken back, as one Consent.
async fn to_several(system: &System<'_>, made: &Value) {
    let path = format!("/fhir/Consent/{}", made["id"].as_str().unwrap());
    let mut known = until("the feed to tell it", async || {
        let found = system.get(&path).await;
        (found.status == 200 && found.json()["provision"]["actor"].as_array()?.len() == 2)
            .then(|| found.json())
    })
    .await;
    // When it was recorded is said by the log from now on.
    known["dateTime"] = made["dateTime"].clone();
    known["meta"] = made["meta"].clone();
    assert_eq!(&known, made);
    assert_eq!(known["provision"]["provision"].as_array().unwrap().len(), 2);
    known["status"] = json!("inactive");
    let json = format!("Content-Type: {FHIR}\r\n");
    let answer = system.ask("PUT", &path, &json, known.to_string().as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    until("the end of all of it on the feed", async || {
        let ended = system.get(&path).await.json();
        (ended["status"] == "inactive" && ended["meta"]["versionId"] == "3").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c16_a_consent_with_exceptions_is_one_consent_until_it_is_taken_back() {
    let node = Node::started().await;
    let token = node.token_for("desk", EVERYTHING).await;
    deliver(&node, &token, &about(&[Role::WalkIn])).await;
    node.published().await;
    let system = System { node: &node, token };
    let patient =
        system.all("Patient", &format!("identifier={}", by_resident(Role::WalkIn))).await[0]["id"].clone();
    let patient = patient.as_str().unwrap();
    let made = system.post("/fhir/Consent", FHIR, &shown(patient).remove(2).to_string()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let left_out = made["provision"]["provision"].clone();
    assert_eq!(left_out.as_array().unwrap().len(), 2);
    let query = format!("patient={patient}&status=active");
    let known = until("the feed to tell it", async || {
        let all = system.all("Consent", &query).await;
        (all.len() == 1 && all[0]["provision"]["provision"] == left_out).then(|| all[0].clone())
    })
    .await;
    assert_eq!(known["id"], made["id"]);
    let mut ended = known.clone();
    ended["status"] = json!("inactive");
    let path = format!("/fhir/Consent/{}", known["id"].as_str().unwrap());
    let json = format!("Content-Type: {FHIR}\r\n");
    let answer = system.ask("PUT", &path, &json, ended.to_string().as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    // What it left out stands for itself.
    until("the end of it on the feed", async || {
        let all = system.all("Consent", &query).await;
        let denials = all.iter().all(|consent| consent["provision"]["type"] == "deny");
        (denials && all.len() == 2).then_some(())
    })
    .await;
}

/// The guardian, the paper and everybody in one Consent: what no directive says stands in this hospital's evidence.
#[tokio::test(flavor = "multi_thread")]
async fn c7_c8_c17_what_a_guardian_signed_on_paper_for_everybody_is_read_back_whole() {
    let node = Node::started().await;
    let token = node.token_for("desk", EVERYTHING).await;
    deliver(&node, &token, &about(&[Role::WalkIn, Role::Referred])).await;
    node.published().await;
    let system = System { node: &node, token };
    let [patient, other] = [by_resident(Role::WalkIn), by_resident(Role::Referred)];
    let [patient, other] = [
        system.all("Patient", &format!("identifier={patient}")).await[0]["id"].as_str().unwrap().to_owned(),
        system.all("Patient", &format!("identifier={other}")).await[0]["id"].as_str().unwrap().to_owned(),
    ];
    let document = async |whose: &str| {
        let found = system.all("DocumentReference", &format!("patient={whose}&status=current")).await;
        json!({"reference": format!("DocumentReference/{}", found[0]["id"].as_str().unwrap())})
    };
    let mut said = permit(&patient);
    let mut policy = said["sourceAttachment"].clone();
    policy.as_object_mut().unwrap().remove("title");
    policy["uri"] = json!("urn:yiqiao:notice:2026-11");
    said.as_object_mut().unwrap().remove("sourceAttachment");
    said["provision"].as_object_mut().unwrap().remove("actor");
    said["policy"] = json!([policy]);
    said["sourceReference"] = document(&patient).await;
    said["performer"] = json!([{"type": "RelatedPerson", "display": "陈志强"}]);
    for (element, value, at) in [
        ("sourceReference", document(&other).await, "Consent.sourceReference.reference"),
        (
            "sourceReference",
            json!({"reference": format!("DocumentReference/{}", "ab".repeat(32))}),
            "Consent.sourceReference.reference",
        ),
        ("performer", json!([{"reference": format!("Patient/{other}")}]), "Consent.performer"),
    ] {
        let mut wrong = said.clone();
        wrong[element] = value;
        let answer = system.post("/fhir/Consent", FHIR, &wrong.to_string()).await;
        let expression = answer.json()["issue"][0]["expression"][0].clone();
        assert_eq!((answer.status, expression), (422, json!(at)), "{}", answer.text());
    }
    let made = system.post("/fhir/Consent", FHIR, &said.to_string()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    assert_eq!(made["sourceReference"]["reference"], said["sourceReference"]["reference"]);
    assert_eq!(made["performer"], said["performer"]);
    let members = made["provision"]["actor"].as_array().unwrap().len();
    assert!(members > 0, "each member by name: {made}");
    let path = format!("/fhir/Consent/{}", made["id"].as_str().unwrap());
    let known = until("the feed to tell it", async || {
        let found = system.get(&path).await;
        let actors = found.json()["provision"]["actor"].as_array().map_or(0, Vec::len);
        (found.status == 200 && actors == members).then(|| found.json())
    })
    .await;
    for element in ["sourceReference", "performer", "policy", "provision"] {
        assert_eq!(known[element], made[element], "{element}");
    }
    // A long one is kept by its hash, with the paper and the guardian.
    said["text"] = json!({"status": "generated", "div": "x".repeat(5_000)});
    said["provision"]["type"] = json!("deny");
    let made = system.post("/fhir/Consent", FHIR, &said.to_string()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let path = format!("/fhir/Consent/{}", made.json()["id"].as_str().unwrap());
    let known = until("the feed to tell it", async || {
        let found = system.get(&path).await;
        (found.status == 200).then(|| found.json())
    })
    .await;
    assert_eq!((&known["performer"], &known["provision"]["type"]), (&said["performer"], &json!("deny")));
    assert_eq!(known["sourceReference"]["reference"], said["sourceReference"]["reference"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_is_an_operation_outcome_with_its_status() {
    let node = Node::started().await;
    let system = System { node: &node, token: node.token_for("emr", EVERYTHING).await };
    let unknown = "ab".repeat(32);
    let json = format!("Content-Type: {FHIR}\r\n");
    for (method, path, headers, body, status) in [
        ("GET", "/fhir/Nothing", "", "", 404),
        ("GET", "/fhir/Patient/x/y/z", "", "", 404),
        ("DELETE", "/fhir/Patient/x", "", "", 405),
        ("PUT", "/fhir/metadata", "", "", 405),
        ("GET", "/fhir/Patient/nonsense", "", "", 404),
        ("GET", &format!("/fhir/Patient/{unknown}"), "", "", 404),
        ("GET", &format!("/fhir/DocumentReference/{unknown}"), "", "", 404),
        ("GET", &format!("/fhir/Binary/{unknown}"), "", "", 404),
        ("GET", &format!("/fhir/Task/{unknown}"), "", "", 404),
        ("GET", "/fhir/Consent/1.ab", "", "", 404),
        ("GET", "/fhir/Patient", "", "", 403),
        ("GET", "/fhir/Patient?_has=x&identifier=a", "", "", 400),
        ("GET", "/fhir/DocumentReference?patient=x", "", "", 400),
        ("GET", "/fhir/DocumentReference?_page=AAAA", "", "", 400),
        ("GET", "/fhir/Patient?identifier=a&_format=xml", "", "", 406),
        ("GET", "/fhir/Patient?identifier=a", "Accept: application/fhir+xml\r\n", "", 406),
        ("POST", "/fhir/Patient/_search", &json, "{}", 415),
        ("POST", "/fhir", "Content-Type: text/plain\r\n", "{}", 415),
        ("POST", "/fhir", &json, "{", 400),
        ("POST", "/fhir/", &json, "{", 400),
        ("GET", "/fhir/", "", "", 405),
        ("POST", "/fhir", &json, "{\"resourceType\": \"Bundle\", \"type\": \"batch\"}", 422),
        ("POST", "/fhir/Consent", &json, "{\"resourceType\": \"Consent\"}", 422),
        ("POST", "/fhir/Patient", &json, "{}", 405),
    ] {
        let answer = system.ask(method, path, headers, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        assert_eq!(answer.json()["resourceType"], "OperationOutcome", "{method} {path}");
        assert_eq!(answer.header("content-type"), Some(FHIR));
    }
    let allowed = system.ask("DELETE", "/fhir/Patient/x", "", b"").await;
    assert!(allowed.header("allow").unwrap().contains("GET"), "{}", allowed.head);
    scopes_hold(&node).await;
}

/// Without a token 401, with another scope 403, each with its challenge; the statement is open.
async fn scopes_hold(node: &Node) {
    let statement = wire::try_request(node.http, "GET", "/fhir/metadata", "", b"").await.unwrap();
    assert_eq!((statement.status, &statement.json()["resourceType"]), (200, &json!("CapabilityStatement")));
    let base = format!("http://localhost:{}/fhir", node.http);
    assert_eq!(statement.json()["implementation"]["url"], json!(base));
    let nobody = wire::try_request(node.http, "GET", "/fhir/Patient?identifier=a", "", b"").await.unwrap();
    assert_eq!((nobody.status, &nobody.json()["issue"][0]["code"]), (401, &json!("login")));
    assert!(nobody.header("www-authenticate").unwrap().starts_with("Bearer"));
    let token = node.token_for("lis", &["system/Patient.rs", "system/Task.r"]).await;
    let system = System { node, token };
    assert_eq!(system.get("/fhir/Patient?identifier=a").await.status, 200);
    for path in ["/fhir/DocumentReference?patient=a", "/fhir/Task?status=requested", "/fhir/Binary/a"] {
        let refused = system.get(path).await;
        assert_eq!(refused.status, 403, "{path}");
        assert!(refused.header("www-authenticate").unwrap().contains("insufficient_scope"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_outcome_link_or_line_of_the_log_has_the_patients_number() {
    let node = Node::started().await;
    let token = node.token_for("emr", EVERYTHING).await;
    deliver(&node, &token, &about(&[Role::WalkIn])).await;
    let system = System { node: &node, token };
    let number = resident(Role::WalkIn);
    let json = format!("Content-Type: {FHIR}\r\n");
    let form = format!("Content-Type: {FORM}\r\n");
    let quoted = format!("{{\"resourceType\": \"Bundle\", \"type\": \"{number}\", \"{number}\": 1}}");
    let consent =
        format!("{{\"resourceType\": \"Consent\", \"{number}\": \"{number}\", \"status\": \"{number}\"}}");
    for (method, path, headers, body) in [
        ("GET", format!("/fhir/{number}"), "", String::new()),
        ("GET", format!("/fhir/Patient/{number}"), "", String::new()),
        ("GET", format!("/fhir/Binary/{number}"), "", String::new()),
        ("GET", format!("/fhir/Consent/{number}"), "", String::new()),
        ("GET", format!("/fhir/Patient?{number}=1"), "", String::new()),
        ("GET", format!("/fhir/DocumentReference?patient=Patient/{number}"), "", String::new()),
        ("GET", format!("/fhir/DocumentReference?_page={number}"), "", String::new()),
        (
            "GET",
            format!("/fhir/DocumentReference?patient.identifier={number}&date={number}"),
            "",
            String::new(),
        ),
        ("GET", format!("/fhir/DocumentReference?patient.identifier={number}&{number}=x"), "", String::new()),
        ("POST", "/fhir/Patient/_search".to_owned(), &*form, format!("{number}={number}")),
        ("POST", "/fhir".to_owned(), &json, number.clone()),
        ("POST", "/fhir".to_owned(), &json, quoted.clone()),
        ("POST", "/fhir/Consent".to_owned(), &json, consent.clone()),
        ("PUT", format!("/fhir/Task/{number}"), &json, quoted),
        ("PUT", format!("/fhir/Consent/{number}"), &json, consent),
    ] {
        let answer = system.ask(method, &path, headers, body.as_bytes()).await;
        assert!(answer.status >= 400, "{method} {path}: {}", answer.text());
        assert!(!answer.text().contains(&number) && !answer.head.contains(&number), "{method} {path}");
    }
    let form = format!("patient.identifier={}&_count=1", by_resident(Role::WalkIn));
    let first = system.post("/fhir/DocumentReference/_search", FORM, &form).await.json();
    let next = first["link"].as_array().unwrap().iter().find(|link| link["relation"] == "next").unwrap();
    assert!(!next["url"].as_str().unwrap().contains(&number));
    let said = node.said();
    assert!(said.contains("/fhir/Patient/{id}"), "the log tells routes");
    assert!(!said.contains(&number), "and nobody's number");
}
