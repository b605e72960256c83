//! Patients enrol passkeys at a desk, sign in by them, and sign what they say (C-8, C-9, C-14, C-15).
//!
//! The authenticator is `yiqiao_simnet::passkey`; a real browser's stands in `tests/browser`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use yiqiao_proto::id::Digest;
use yiqiao_proto::proof::PasskeyAssertion;
use yiqiao_simnet::passkey::Passkey;

use crate::pages::{Person, fed};
use crate::registry;
use crate::rig::{Node, succeeded, until};
use crate::wire::Answer;

/// A passkey on this node's own page.
pub(crate) fn passkey(node: &Node, seed: u8) -> Passkey {
    Passkey::new([seed; 32], "localhost", &origin(node))
}

fn origin(node: &Node) -> String {
    format!("http://localhost:{}", node.http)
}

/// A node with the patient, in a region with passkeys; somebody at its desk, and the patient's name there.
pub(crate) async fn with_desk() -> (Node, Person, String) {
    let node = fed().await;
    let desk = Person::with_account(&node, "d7", "desk", None).await;
    let subject = desk.find().await;
    let mut passkeys = Command::new(registry());
    passkeys.args(["passkeys", "--rp-id", "localhost", "--origin", &origin(&node), "--region"]);
    succeeded(&passkeys.arg(node.region.folder()).output().unwrap());
    let path = format!("/api/patients/{subject}/passkeys");
    until("the list with passkeys", async || {
        desk.get(&path).await["available"].as_bool().filter(|available| *available)
    })
    .await;
    (node, desk, subject)
}

pub(crate) fn kind(answer: &Answer) -> String {
    let kind = answer.json()["type"].as_str().unwrap_or_default().to_owned();
    format!("{} {}", answer.status, kind.rsplit(':').next().unwrap_or_default())
}

fn digest(of: &Value) -> Digest {
    let bytes = URL_SAFE_NO_PAD.decode(of.as_str().unwrap()).unwrap();
    Digest::new(bytes.try_into().unwrap()).unwrap()
}

fn told(assertion: &PasskeyAssertion) -> Value {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({
        "credentialId": text(&assertion.credential_id),
        "authenticatorData": text(&assertion.authenticator_data),
        "clientDataJson": text(&assertion.client_data_json),
        "signature": text(&assertion.signature),
    })
}

async fn code(desk: &Person, subject: &str) -> String {
    let path = format!("/api/patients/{subject}/passkeys");
    let begun = desk.post(&path, &json!({ "identifiedBy": "身份证原件" })).await;
    begun["code"].as_str().unwrap().to_owned()
}

/// What the patient's own device sends back for a code.
pub(crate) async fn made(nobody: &Person, code: &str, passkey: &Passkey) -> Value {
    let options = nobody.post("/api/enrolment", &json!({ "code": code })).await;
    let (client_data, authenticator_data) = passkey.create(&digest(&options["challenge"]));
    json!({
        "code": code,
        "clientDataJson": URL_SAFE_NO_PAD.encode(client_data),
        "authenticatorData": URL_SAFE_NO_PAD.encode(authenticator_data),
    })
}

pub(crate) async fn enrol(node: &Node, desk: &Person, subject: &str, passkey: &Passkey) {
    let nobody = Person::nobody(node);
    let made = made(&nobody, &code(desk, subject).await, passkey).await;
    nobody.post("/api/enrolment/passkey", &made).await;
}

/// Somebody's answer to a challenge to sign in by.
pub(crate) async fn answer(node: &Node, passkey: &Passkey) -> Answer {
    let nobody = Person::nobody(node);
    let challenge = nobody.get("/api/session/passkey").await["challenge"].clone();
    let assertion = told(&passkey.assert(&digest(&challenge)));
    nobody
        .send("POST", "/api/session/passkey", &json!({ "challenge": challenge, "assertion": assertion }))
        .await
}

pub(crate) async fn signed_in(node: &Node, passkey: &Passkey) -> Person {
    let answer = answer(node, passkey).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
    Person::with_cookie(node, &answer)
}

pub(crate) async fn permit(patient: &Person) -> Value {
    let terms = json!({
        "organisation": "qzrm", "classes": [], "purposes": ["treatment"], "sensitive": false, "validUntil": null,
    });
    let notice = patient.post("/api/notice", &terms).await;
    json!({
        "stance": "permit", "organisation": "qzrm", "classes": [], "sensitivities": ["normal"],
        "purposes": ["treatment"], "validUntil": null, "basis": "separate-consent",
        "notice": { "version": notice["version"] }, "evidence": { "sheet": "", "identifiedBy": "" },
    })
}

pub(crate) async fn sign(patient: &Person, passkey: &Passkey, wanted: &Value) -> Answer {
    let to_sign = patient.post("/api/me/signing", wanted).await;
    let assertion = passkey.assert(&digest(&to_sign["challenge"]));
    patient.send("PUT", "/api/me/signing", &told(&assertion)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn c15_a_patient_enrols_at_the_desk_by_a_code_that_is_used_once() {
    let (node, desk, subject) = with_desk().await;
    let path = format!("/api/patients/{subject}/passkeys");
    let begun = desk.post(&path, &json!({ "identifiedBy": "身份证原件" })).await;
    let code = begun["code"].as_str().unwrap();
    assert_eq!(begun["address"], format!("{}/patient#enrol={code}", origin(&node)));
    let nobody = Person::nobody(&node);
    let options = nobody.post("/api/enrolment", &json!({ "code": code })).await;
    assert_eq!((&options["rpId"], &options["patient"]), (&"localhost".into(), &"陈**".into()));
    assert!(!options.to_string().contains(crate::pages::RESIDENT_ID));
    // A passkey made on a page elsewhere, or for another code, is none.
    let elsewhere = Passkey::new([1; 32], "localhost", "http://localhost:9");
    let refused = nobody.send("POST", "/api/enrolment/passkey", &made(&nobody, code, &elsewhere).await).await;
    assert_eq!(kind(&refused), "403 passkey-failed");
    let good = made(&nobody, code, &passkey(&node, 1)).await;
    nobody.post("/api/enrolment/passkey", &good).await;
    let again = nobody.send("POST", "/api/enrolment/passkey", &good).await;
    assert_eq!(kind(&again), "404 enrolment-over");
    assert_eq!(
        kind(&nobody.send("POST", "/api/enrolment", &json!({ "code": code })).await),
        "404 enrolment-over"
    );
    let shown = desk.get(&path).await;
    assert_eq!((&shown["items"][0]["stage"], &shown["openUntil"]), (&"stands".into(), &Value::Null));
    assert_eq!(shown["items"][0]["voucher"]["code"], "qzrm");
    let doctor = Person::with_account(&node, "10215", "doctor", Some("0203")).await;
    let audit = doctor.get(&format!("/api/patients/{subject}/audit")).await;
    let acts: Vec<&str> =
        audit["items"].as_array().unwrap().iter().map(|row| row["act"].as_str().unwrap()).collect();
    assert!(acts.windows(2).any(|acts| acts == ["vouch", "enrol"]), "{acts:?}");
    // The same authenticator is not taken a second time; whom the code names is known before it is used.
    let second = crate::passkeys::code(&desk, &subject).await;
    let known = nobody.post("/api/enrolment", &json!({ "code": second })).await;
    assert_eq!(known["known"][0], shown["items"][0]["id"]);
    let twice = made(&nobody, &second, &passkey(&node, 1)).await;
    assert_eq!(kind(&nobody.send("POST", "/api/enrolment/passkey", &twice).await), "409 passkey-known");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_desk_gives_codes_and_wrong_ones_open_nothing() {
    let (node, desk, subject) = with_desk().await;
    let path = format!("/api/patients/{subject}/passkeys");
    let doctor = Person::with_account(&node, "10215", "doctor", Some("0203")).await;
    let begin = json!({ "identifiedBy": "身份证原件" });
    assert_eq!(kind(&doctor.send("POST", &path, &begin).await), "403 forbidden");
    assert_eq!(kind(&Person::nobody(&node).send("POST", &path, &begin).await), "401 sign-in");
    assert_eq!(kind(&desk.send("POST", &path, &json!({ "identifiedBy": " " })).await), "422 unfit-field");
    let code = code(&desk, &subject).await;
    let nobody = Person::nobody(&node);
    let mut wrong = code.clone();
    let last = if wrong.pop() == Some('0') { '1' } else { '0' };
    wrong.push(last);
    for _guess in 0..5 {
        assert_eq!(
            kind(&nobody.send("POST", "/api/enrolment", &json!({ "code": wrong })).await),
            "404 enrolment-over"
        );
    }
    assert_eq!(
        kind(&nobody.send("POST", "/api/enrolment", &json!({ "code": code })).await),
        "404 enrolment-over"
    );
    assert_eq!(desk.get(&path).await["openUntil"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn c14_a_patient_signs_in_and_says_things_by_the_passkey() {
    let (node, desk, subject) = with_desk().await;
    let own = passkey(&node, 1);
    enrol(&node, &desk, &subject, &own).await;
    let patient = signed_in(&node, &own).await;
    assert_eq!(patient.get("/api/session").await["mustChangePassword"], false);
    assert_eq!(patient.get("/api/me/passkeys").await["items"][0]["stage"], "stands");
    // By the login alone nothing is permitted any more.
    let consent = permit(&patient).await;
    assert_eq!(kind(&patient.send("POST", "/api/me/consents", &consent).await), "409 unsigned");
    let wanted = json!({ "consent": consent });
    let to_sign = patient.post("/api/me/signing", &wanted).await;
    let says = to_sign["says"].to_string();
    for part in ["同意对方查看我的病历", "桥州市人民医院", "诊疗", "不含敏感资料", "一直有效"]
    {
        assert!(says.contains(part), "{part} in {says}");
    }
    // Another passkey's signature, and one for something else, record nothing.
    let strange = told(&passkey(&node, 9).assert(&digest(&to_sign["challenge"])));
    assert_eq!(kind(&patient.send("PUT", "/api/me/signing", &strange).await), "403 passkey-unknown");
    let spent = told(&own.assert(&digest(&to_sign["challenge"])));
    assert_eq!(kind(&patient.send("PUT", "/api/me/signing", &spent).await), "409 challenge-over");
    let other = patient.post("/api/me/signing", &wanted).await;
    assert_ne!(other["challenge"], to_sign["challenge"]);
    assert_eq!(kind(&patient.send("PUT", "/api/me/signing", &spent).await), "409 challenge-over");
    assert_eq!(patient.get("/api/me/consents").await["items"], json!([]));

    let to_sign = patient.post("/api/me/signing", &wanted).await;
    let signed = told(&own.assert(&digest(&to_sign["challenge"])));
    let [recorded, again] = [
        patient.send("PUT", "/api/me/signing", &signed).await,
        patient.send("PUT", "/api/me/signing", &signed).await,
    ];
    assert_eq!(recorded.status, 200, "{}", recorded.text());
    assert_eq!(again.json(), recorded.json(), "an answer that was lost comes again, and nothing else (H-3)");
    let shown = patient.get("/api/me/consents").await;
    assert_eq!((&shown["items"][0]["proof"], &shown["items"][1]), (&"passkey".into(), &Value::Null));
    // Nobody but this hospital, which gains by it, stands for the passkey: the patient is told so.
    assert_eq!(
        (&shown["items"][0]["vouchers"][0]["code"], &shown["items"][0]["selfVouched"]),
        (&"qzrm".into(), &true.into())
    );
    let end = json!({ "revoke": { "id": shown["items"][0]["id"], "reason": "patient-wish" } });
    let says = patient.post("/api/me/signing", &end).await["says"].to_string();
    assert!(says.contains("撤回") && says.contains("桥州市人民医院"), "{says}");
    assert_eq!(sign(&patient, &own, &end).await.status, 200);
    assert_eq!(patient.get("/api/me/consents").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn c9_a_passkey_that_was_taken_out_opens_and_signs_nothing() {
    let (mut node, desk, subject) = with_desk().await;
    let (lost, kept) = (passkey(&node, 1), passkey(&node, 2));
    for passkey in [&lost, &kept] {
        enrol(&node, &desk, &subject, passkey).await;
    }
    let patient = signed_in(&node, &lost).await;
    let wanted = json!({ "consent": permit(&patient).await });
    let to_sign = patient.post("/api/me/signing", &wanted).await;
    let path = format!("/api/patients/{subject}/passkeys");
    let id = desk.get(&path).await["items"][0]["id"].as_str().unwrap().to_owned();
    let left = desk.post(&format!("{path}/{id}/retire"), &json!({})).await;
    assert_eq!(
        (&left["items"][0]["stage"], &left["items"][1]["stage"]),
        (&"revoked".into(), &"stands".into())
    );
    let signed = told(&lost.assert(&digest(&to_sign["challenge"])));
    assert_eq!(kind(&patient.send("PUT", "/api/me/signing", &signed).await), "403 passkey-revoked");
    assert_eq!(kind(&answer(&node, &lost).await), "403 passkey-revoked");
    assert_eq!(kind(&answer(&node, &passkey(&node, 9)).await), "403 passkey-unknown");
    // What was vouched for stands after a restart.
    node.stop().await;
    node.start().await;
    node.connected().await;
    let patient = signed_in(&node, &kept).await;
    assert_eq!(sign(&patient, &kept, &wanted).await.status, 200);
    let mine = patient.get("/api/me/passkeys").await;
    let id = mine["items"][1]["id"].as_str().unwrap();
    let left = patient.post(&format!("/api/me/passkeys/{id}/retire"), &json!({})).await;
    assert_eq!(left["items"][1]["stage"], "revoked");
    let to_sign = patient.send("POST", "/api/me/signing", &wanted).await;
    assert_eq!(kind(&to_sign), "409 no-passkey");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_to_sign_in_by_is_answered_once() {
    let (node, desk, subject) = with_desk().await;
    let own = passkey(&node, 1);
    enrol(&node, &desk, &subject, &own).await;
    let nobody = Person::nobody(&node);
    let challenge = nobody.get("/api/session/passkey").await["challenge"].clone();
    let body = json!({ "challenge": challenge, "assertion": told(&own.assert(&digest(&challenge))) });
    assert_eq!(nobody.send("POST", "/api/session/passkey", &body).await.status, 204);
    assert_eq!(kind(&nobody.send("POST", "/api/session/passkey", &body).await), "409 challenge-over");
    // A challenge of one's own making is none.
    let made_up = Digest::new([7; 32]).unwrap();
    let text = URL_SAFE_NO_PAD.encode(made_up.as_bytes());
    let body = json!({ "challenge": text, "assertion": told(&own.assert(&made_up)) });
    assert_eq!(kind(&nobody.send("POST", "/api/session/passkey", &body).await), "409 challenge-over");
}

#[tokio::test(flavor = "multi_thread")]
async fn c9_in_a_region_without_passkeys_none_are_offered() {
    let node = fed().await;
    let desk = Person::with_account(&node, "d7", "desk", None).await;
    let subject = desk.find().await;
    let path = format!("/api/patients/{subject}/passkeys");
    assert_eq!(desk.get(&path).await["available"], false);
    let refused = desk.send("POST", &path, &json!({ "identifiedBy": "身份证原件" })).await;
    assert_eq!(kind(&refused), "409 no-passkeys");
    assert_eq!(Person::nobody(&node).get("/api/session/passkey").await["rpId"], Value::Null);
}

/// A gateway for text messages: takes no message the first time, and gives each that it has taken.
fn gateway() -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (taking, taken) = mpsc::sync_channel(8);
    std::thread::spawn(move || {
        for (turn, line) in listener.incoming().enumerate() {
            let mut line = BufReader::new(line.unwrap());
            let mut head = String::new();
            while line.read_line(&mut head).unwrap() > 2 {}
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let mut body = vec![0; length.parse().unwrap()];
            line.read_exact(&mut body).unwrap();
            let status = if turn == 0 { "503 Busy" } else { "204 Taken" };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            line.get_mut().write_all(answer.as_bytes()).unwrap();
            if turn > 0 && taking.send(head + &String::from_utf8(body).unwrap()).is_err() {
                return;
            }
        }
    });
    (port, taken)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_patients_are_told_reaches_the_hospitals_gateway_once() {
    let (mut node, desk, subject) = with_desk().await;
    let (port, taken) = gateway();
    let more = format!("\n[gateway]\nurl = \"http://127.0.0.1:{port}/sms\"\ntoken = \"a-token\"\n");
    let config = std::fs::read_to_string(node.config()).unwrap() + &more;
    std::fs::write(node.config(), config).unwrap();
    enrol(&node, &desk, &subject, &passkey(&node, 1)).await;
    // It was enrolled before there was a gateway, and comes after the next start.
    node.stop().await;
    node.start().await;
    node.connected().await;
    let next = || tokio::task::block_in_place(|| taken.recv_timeout(Duration::from_secs(60)).unwrap());
    let message = next();
    assert!(
        message.starts_with("POST /sms ") && message.contains("authorization: Bearer a-token"),
        "{message}"
    );
    let body: Value = serde_json::from_str(message.lines().last().unwrap()).unwrap();
    assert_eq!((&body["kind"], &body["patient"]), (&"passkey-enrolled".into(), &"00218001".into()));
    assert!(!message.contains("陈") && !message.contains(crate::pages::RESIDENT_ID), "{message}");
    let desk = Person::with_account(&node, "d8", "desk", None).await;
    let path = format!("/api/patients/{subject}/passkeys");
    let id = desk.get(&path).await["items"][0]["id"].as_str().unwrap().to_owned();
    desk.post(&format!("{path}/{id}/retire"), &json!({})).await;
    let message = next();
    assert!(message.contains("passkey-retired"), "each comes once, in order: {message}");
}
