//! Content that comes before the bundle that describes it: of any length, straight to the disk, durable once answered.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use yiqiao_simnet::story::Role;

use crate::fhir::{EVERYTHING, FHIR, RESIDENT, System, bundle, resident};
use crate::rig::{Node, until};

/// Longer than any bundle may be.
const LONG: usize = 70 << 20;
/// How much more memory the node may ever have taken for it.
const MEMORY_KIB_MAX: u64 = 24 << 10;

fn content(length: usize) -> Vec<u8> {
    (0_u8..251).cycle().take(length).collect()
}

/// A bundle whose document has its content at an address.
fn naming(number: u32, url: &str, size: usize) -> String {
    let identifier = json!({"identifier": {"system": RESIDENT, "value": resident(Role::WalkIn)}});
    let mut bundle = bundle(number, &identifier, "");
    bundle["entry"].as_array_mut().unwrap().pop();
    let attachment = &mut bundle["entry"][1]["resource"]["content"][0]["attachment"];
    *attachment = json!({"contentType": "application/pdf", "url": url, "size": size});
    bundle.to_string()
}

/// The most memory that the node has had, in KiB.
fn peak(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Where content was put.
async fn deposited(system: &System<'_>, bytes: &[u8]) -> String {
    let answer = system.ask("POST", "/fhir/Binary", "Content-Type: application/pdf\r\n", bytes).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.header("location").unwrap().to_owned()
}

fn expression(answer: &Value) -> &str {
    answer["issue"][0]["expression"][0].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn content_longer_than_any_bundle_needs_no_memory_and_survives_a_kill() {
    let mut node = Node::started().await;
    let secret = node.client("pacs", EVERYTHING).await;
    let bytes = content(LONG);
    let token = node.signed_in("pacs", &secret).await;
    let before = peak(&node);
    let location = deposited(&System { node: &node, token }, &bytes).await;
    let grown = peak(&node) - before;
    assert!(grown < MEMORY_KIB_MAX, "{grown} KiB for {LONG} bytes");
    node.kill();
    node.start().await;

    let system = System { node: &node, token: node.signed_in("pacs", &secret).await };
    assert_eq!(deposited(&system, &bytes).await, location, "the same bytes are the same deposit");
    assert_eq!(node.sealed_files(), 1);
    let first = naming(1, &location, LONG);
    let answers = system.post("/fhir", FHIR, &first).await;
    assert_eq!(answers.status, 200, "{}", answers.text());
    let document = answers.json()["entry"][1]["response"]["location"].as_str().unwrap().to_owned();
    let again = system.post("/fhir", FHIR, &first).await.json();
    assert_eq!(again["entry"][1]["response"]["location"], document.as_str(), "the bundle may come again");
    let attachment =
        system.get(&format!("/fhir/{document}")).await.json()["content"][0]["attachment"].clone();
    assert_eq!((&attachment["size"], &attachment["contentType"]), (&json!(LONG), &json!("application/pdf")));
    let range = format!("Range: bytes={}-\r\n", LONG - 300_000);
    let path = format!("/fhir/{}", document.replace("DocumentReference", "Binary"));
    let end = system.ask("GET", &path, &range, b"").await;
    assert_eq!((end.status, end.body.as_slice()), (206, &bytes[LONG - 300_000..]));

    let other = system.post("/fhir", FHIR, &naming(2, &location, LONG)).await;
    assert_eq!(other.status, 422, "it is the content of one document: {}", other.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_breaks_off_leaves_nothing() {
    let node = Node::started().await;
    let token = node.token_for("pacs", EVERYTHING).await;
    let mut stream = TcpStream::connect(("127.0.0.1", node.http)).await.unwrap();
    let head = head(node.http, &token, "Content-Length: 9000000\r\nContent-Type: application/pdf\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&content(3_000_000)).await.unwrap();
    let making = node.data().join("vault").join("making");
    let unfinished = || std::fs::read_dir(&making).unwrap().count();
    until("the node to begin", async || (unfinished() == 1).then_some(())).await;
    drop(stream);
    until("the node to give up", async || (unfinished() == 0).then_some(())).await;
    assert_eq!(node.sealed_files(), 0);
}

fn head(port: u16, token: &str, headers: &str) -> String {
    format!(
        "POST /fhir/Binary HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{headers}\r\n"
    )
}

/// The status that a head alone is answered with.
async fn status_of(node: &Node, token: &str, headers: &str) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", node.http)).await.unwrap();
    stream.write_all(head(node.http, token, headers).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_or_is_not_there_is_named() {
    let node = Node::started().await;
    let token = node.token_for("pacs", EVERYTHING).await;
    let pdf = "Content-Type: application/pdf\r\n";
    for (headers, expected) in [
        (format!("{pdf}Transfer-Encoding: chunked\r\n"), 411),
        (format!("{pdf}Content-Length: 0\r\n"), 422),
        (format!("{pdf}Content-Length: 5000000000\r\n"), 413),
        ("Content-Type: application/fhir+json\r\nContent-Length: 5\r\n".to_owned(), 415),
        ("Content-Length: 5\r\n".to_owned(), 415),
    ] {
        assert_eq!(status_of(&node, &token, &headers).await, expected, "{headers}");
    }
    let reader = node.token_for("reader", &["system/*.rs"]).await;
    assert_eq!(status_of(&node, &reader, &format!("{pdf}Content-Length: 5\r\n")).await, 403);

    let system = System { node: &node, token };
    let location = deposited(&system, b"study").await;
    let relative = location.split_once("/fhir/").unwrap().1;
    let unread = system.get(&format!("/fhir/{relative}")).await;
    assert_eq!(unread.status, 404, "nobody has said whose it is");
    let unknown = system.post("/fhir", FHIR, &naming(1, &format!("Binary/{}", "ab".repeat(32)), 5)).await;
    assert_eq!(unknown.status, 422);
    assert!(expression(&unknown.json()).ends_with("attachment.url"), "{}", unknown.text());
    let longer = system.post("/fhir", FHIR, &naming(1, relative, 6)).await;
    assert!(expression(&longer.json()).ends_with("attachment.size"), "{}", longer.text());
    let other = System { node: &node, token: node.token_for("ris", EVERYTHING).await };
    assert_eq!(other.post("/fhir", FHIR, &naming(1, relative, 5)).await.status, 422, "it is not its own");
    let taken = system.post("/fhir", FHIR, &naming(1, relative, 5)).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
}
