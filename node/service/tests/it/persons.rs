//! Who did what at another hospital, on the page of the patient; and what this node tells others.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use prost::Message;
use serde_json::{Value, json};
use yiqiao_node_core::answers;
use yiqiao_proto::access::{AccessEvent, Person as Doer, read_lines};
use yiqiao_proto::calls::{Call, Method, PersonsAnswer, PersonsRequest};
use yiqiao_proto::codes::{AccessAct, AccessOutcome, PersonRole, Purpose, RefusalCode};
use yiqiao_proto::id::Digest;
use yiqiao_proto::person::Identifier;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::Millis;
use yiqiao_proto::token::Token;

use crate::member::{Member, code, now};
use crate::pages::{Person, RESIDENT_ID, fed};
use crate::passkeys::permit;
use crate::rig::{Node, until};

fn opening(patient: Token, line: Digest) -> AccessEvent {
    AccessEvent {
        organisation: code("qzdx"),
        counterpart: Some(code("qzrm")),
        patient,
        act: AccessAct::Opening,
        outcome: AccessOutcome::Permitted,
        clause: "D-3".to_owned(),
        classes: BTreeSet::new(),
        purpose: Purpose::Treatment,
        role: PersonRole::Physician,
        head_version: 1,
        directive: None,
        referral: None,
        release: None,
        documents: 1,
        size: 1,
        at: now(),
        audit_line: Some(line),
    }
}

async fn token(member: &Member) -> Token {
    member.token(&Identifier::resident_id(RESIDENT_ID).unwrap()).await
}

async fn patient_of(node: &Node) -> Person {
    let desk = Person::with_account(node, "qian", "desk", None).await;
    Person::patient(node, &desk, &desk.find().await).await
}

/// What the patient's page says of who opened something at the other hospital.
async fn who(patient: &Person) -> Option<Value> {
    let rows = patient.get("/api/me/history").await;
    let is_opening = |row: &&Value| row["act"] == "opening";
    rows["items"].as_array().unwrap().iter().find(is_opening).map(|row| row["person"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_the_patient_reads_who_it_was_and_that_a_hospital_is_away() {
    let node = fed().await;
    let member = Member::admitted(&node.region, "qzdx").await;
    let line = Digest::new([9; 32]).unwrap();
    member.say(&opening(token(&member).await, line)).await;
    let patient = patient_of(&node).await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    member.answer(move |method, request| {
        assert_eq!(method, Method::Persons as u16);
        let PersonsRequest { lines, .. } = PersonsRequest::from_bytes(&request).unwrap();
        let lines = read_lines(&lines).unwrap();
        heard.lock().unwrap().push(lines.clone());
        let name = Phi::new("赵医生".to_owned());
        let (role, department) = (PersonRole::Physician, Some(code("0203")));
        let person = Doer { line: lines[0], name, role, department };
        Bytes::from(PersonsAnswer { persons: vec![person.write()] }.encode_to_vec())
    });
    let told = json!({ "state": "told", "name": "赵医生", "role": "physician", "department": "0203" });
    until("the name", async || who(&patient).await.filter(|who| *who == told)).await;
    assert!(asked.lock().unwrap().iter().all(|lines| *lines == [line]), "its own lines only");

    member.answer(|_, _| Bytes::from(PersonsAnswer { persons: Vec::new() }.encode_to_vec()));
    assert_eq!(who(&patient).await, Some(json!({ "state": "unknown" })));
    member.leave().await;
    until("that it is away", async || who(&patient).await.filter(|who| *who == json!({ "state": "away" })))
        .await;
    let desk = Person::again(&node, "qian").await;
    let rows = desk.get(&format!("/api/patients/{}/history", desk.find().await)).await;
    let rows = rows["items"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["person"].is_null()), "for the patient only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_a_node_tells_another_hospital_who_acted_for_the_patient_who_is_signed_in_there() {
    let node = fed().await;
    let member = Member::admitted(&node.region, "qzdx").await;
    let token = token(&member).await;
    let patient = patient_of(&node).await;
    let desk = Person::again(&node, "qian").await;
    let mut consent = permit(&desk).await;
    consent["evidence"] = json!({ "sheet": "2026-1", "identifiedBy": "身份证原件" });
    desk.post(&format!("/api/patients/{}/consents", desk.find().await), &consent).await;
    let lines: Vec<Digest> = until("an event of the node's people", async || {
        let events = member.history(token).await.into_iter();
        let own = events.filter(|event| event.organisation == code("qzrm"));
        let lines: Vec<Digest> = own.filter_map(|event| event.audit_line).collect();
        (!lines.is_empty()).then_some(lines)
    })
    .await;
    let ask = async |signed_in: bool, at| {
        let request = answers::persons(&member.question(token, signed_in, at), &lines);
        let request = PersonsRequest::from_bytes(&request).unwrap();
        member.ask::<PersonsAnswer>(&code("qzrm"), Method::Persons, &request).await
    };
    let told = until("an answer", async || ask(true, now()).await.ok()).await;
    let told: Vec<Doer> = told.persons.into_iter().map(|person| Doer::read(person).unwrap()).collect();
    assert!(told.iter().any(|person| person.role == PersonRole::Desk && !person.name.expose().is_empty()));
    assert_eq!(ask(false, now()).await.unwrap_err(), (RefusalCode::Nothing, "A-6".to_owned()));
    let stale = now() - Millis::from_secs(301);
    assert_eq!(ask(true, stale).await.unwrap_err(), (RefusalCode::Stale, "A-6".to_owned()));
    let lines = patient.get("/api/me/audit").await;
    let is_told = |row: &Value| row["act"] == "tell" && row["text"].as_str().unwrap().contains("附属医院");
    assert!(lines["items"].as_array().unwrap().iter().any(is_told), "{lines}");
}
