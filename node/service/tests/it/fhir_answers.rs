//! What the FHIR door answers when a request is neither done nor refused for good: kept for a person, kept until the registry has it,
//! too often, or not now. Each says so, and when to come again.
//!
//! Not here: requests that are wrong: `fhir_outcomes`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use yiqiao_simnet::story::Role;

use crate::disk::{fill, on_a_small_disk};
use crate::feeds::about;
use crate::fhir::{EVERYTHING, FHIR, FORM, RESIDENT, System, bundle, by_resident, deliver, permit, resident};
use crate::fhir_outcomes::issue_of;
use crate::pages::Person;
use crate::rig::{Node, until};
use crate::wire::{self, Answer};

/// How many requests must be too many, whatever the bound.
const MANY: usize = 2_000;
/// How long the door waits for the registry to take a statement.
const WAIT: Duration = Duration::from_secs(10);
/// How long a request may be under way.
const PATIENCE: Duration = Duration::from_secs(30);

/// For how many seconds an answer asks to be left alone.
fn retry_after(answer: &Answer) -> u64 {
    let said = answer.header("retry-after").unwrap_or_else(|| panic!("{}\n{}", answer.head, answer.text()));
    said.parse().unwrap()
}

fn by_number(number: &str) -> Value {
    json!({ "identifier": { "system": RESIDENT, "value": number } })
}

/// The Patient of somebody at the door.
async fn patient(system: &System<'_>, role: Role) -> String {
    let found = system.all("Patient", &format!("identifier={}", by_resident(role))).await;
    found[0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_names_no_patient_is_kept_for_a_person_and_the_sender_is_told_so() {
    let node = Node::started().await;
    let system = System { node: &node, token: node.token_for("emr", EVERYTHING).await };
    for (number, placeholder) in [(1, "不详"), (2, "000000000000000000"), (1, "不详")] {
        let sent = bundle(number, &by_number(placeholder), "检查报告").to_string();
        let answer = system.post("/fhir", FHIR, &sent).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        let issue = issue_of(&answer);
        assert_eq!((&issue["severity"], &issue["code"]), (&json!("information"), &json!("informational")));
        let said = issue["diagnostics"].as_str().unwrap();
        assert!(said.contains("kept for a person") && said.contains("not to be sent again"), "{said}");
        assert!(!answer.text().contains(placeholder));
    }
    let listed = node.does(&["review", "list"]).await;
    assert_eq!(listed.lines().count(), 2, "what comes again is the same review:\n{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_tokens_or_guesses_passwords_too_often_is_told_when_to_come_again() {
    let node = Node::started().await;
    let said = node.does(&["client", "add", "lis", "--name", "检验", "--scope", "system/Patient.rs"]).await;
    let secret = said.lines().next().unwrap().strip_prefix("client secret: ").unwrap().to_owned();
    let form = format!("grant_type=client_credentials&client_id=lis&client_secret={secret}");
    let ask = async || wire::post(node.http, "/oauth2/token", None, FORM, form.as_bytes()).await;
    let token = ask().await.json()["access_token"].as_str().unwrap().to_owned();
    let throttled = throttled(ask).await;
    assert_eq!(throttled.json()["error"], "temporarily_unavailable");
    assert!(!throttled.text().contains(&secret));
    let system = System { node: &node, token };
    let looked = system.get(&format!("/fhir/Patient?identifier={}", by_resident(Role::WalkIn))).await;
    assert_eq!(looked.status, 200, "a token that was given goes on: {}", looked.text());

    let person = Person::with_account(&node, "10215", "doctor", None).await;
    let guess = async || {
        let guess = json!({ "login": "10215", "password": "not-the-password" });
        person.send("POST", "/api/session", &guess).await
    };
    let refused = self::throttled(guess).await;
    assert_eq!(refused.json()["type"], "urn:yiqiao:problem:try-later");
    let right = json!({ "login": "10215", "password": crate::pages::CHOSEN });
    let right = person.send("POST", "/api/session", &right).await;
    assert_eq!(right.status, 429, "whoever guesses right meanwhile is not let in");
    assert_eq!(person.get("/api/session").await["login"], "10215", "who is signed in stays so");
}

/// Asks until it is too often.
async fn throttled(ask: impl AsyncFn() -> Answer) -> Answer {
    for _ in 0..MANY {
        let answer = ask().await;
        if answer.status == 429 {
            assert!((1..=300).contains(&retry_after(&answer)), "{}", answer.head);
            return answer;
        }
        assert!(matches!(answer.status, 200 | 401), "{}", answer.text());
    }
    panic!("{MANY} were not too many");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_on_the_disk_nothing_is_taken_and_nothing_is_shown_until_there_is_room() {
    let Some((node, ballast)) = on_a_small_disk().await else { return };
    let system = System { node: &node, token: node.token_for("emr", EVERYTHING).await };
    let number = resident(Role::WalkIn);
    let sent = bundle(1, &by_number(&number), "检查报告一").to_string();
    assert_eq!(system.post("/fhir", FHIR, &sent).await.status, 200);
    let id = patient(&system, Role::WalkIn).await;

    fill(&ballast);
    let more = bundle(2, &by_number(&number), "检查报告二").to_string();
    let refused = system.post("/fhir", FHIR, &more).await;
    not_now(&refused);
    for path in [format!("/fhir/Patient/{id}"), format!("/fhir/DocumentReference?patient={id}")] {
        let hidden = refused_at_last(&system, &path).await;
        not_now(&hidden);
        assert!(!hidden.text().contains(&number), "what cannot be written down is not shown");
    }

    std::fs::remove_file(&ballast).unwrap();
    let taken = until("room", async || {
        let answer = system.post("/fhir", FHIR, &more).await;
        (answer.status != 503).then_some(answer)
    })
    .await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    assert_eq!(system.get(&format!("/fhir/Patient/{id}")).await.json()["id"], json!(id));
}

/// Reads until the audit has filled the last of the disk.
async fn refused_at_last(system: &System<'_>, path: &str) -> Answer {
    for _ in 0..MANY {
        let answer = system.get(path).await;
        if answer.status != 200 {
            return answer;
        }
    }
    panic!("the disk was never full");
}

/// The node cannot, now.
fn not_now(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!((retry_after(answer), &issue_of(answer)["code"]), (5, &json!("transient")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_without_the_registry_is_kept_and_told_to_wait_or_not_taken_at_all() {
    let node = Node::started().await;
    let token = node.token_for("desk", EVERYTHING).await;
    deliver(&node, &token, &about(&[Role::WalkIn])).await;
    node.published().await;
    node.region.kill_registry();
    deliver(&node, &token, &about(&[Role::Referred])).await;
    let system = System { node: &node, token };
    let consent = async |role| {
        let sent = permit(&patient(&system, role).await).to_string();
        let began = Instant::now();
        (system.post("/fhir/Consent", FHIR, &sent).await, began.elapsed())
    };
    let ((known, long), (new, _)) = tokio::join!(consent(Role::WalkIn), consent(Role::Referred));
    assert!(long < 2 * WAIT, "it is waited once for all tokens, not for each: {long:?}");
    assert_eq!(known.status, 202, "{}", known.text());
    let issue = issue_of(&known);
    assert_eq!((&issue["severity"], &issue["code"]), (&json!("information"), &json!("informational")));
    assert!(issue["diagnostics"].as_str().unwrap().contains("once the registry has taken it"));
    assert!(known.header("location").unwrap().contains("/fhir/Consent/"), "{}", known.head);
    // Under which tokens it would have to be recorded, only the registry can say.
    not_now(&new);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_answers_what_is_under_way_and_lets_nobody_else_in() {
    let mut node = Node::started().await;
    let token = node.token_for("emr", EVERYTHING).await;
    let sent = bundle(1, &by_number(&resident(Role::WalkIn)), "检查报告").to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", node.http)).await.unwrap();
    let head = format!(
        "POST /fhir HTTP/1.1\r\nHost: localhost:{}\r\nAuthorization: Bearer {token}\r\nContent-Type: {FHIR}\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        node.http,
        sent.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n", "its body is being read");

    let http = node.http;
    let (said, answer) = tokio::join!(node.stop(), async {
        until("the end of listening", async || TcpStream::connect(("127.0.0.1", http)).await.err()).await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        String::from_utf8(answer).unwrap()
    });
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(said.contains("the journal is closed"), "{said}");

    node.start().await;
    let system = System { node: &node, token: node.token_for("ris", EVERYTHING).await };
    let kept = format!("patient.identifier={}", by_resident(Role::WalkIn));
    assert_eq!(system.all("DocumentReference", &kept).await.len(), 1, "what was answered as kept is there");
}
