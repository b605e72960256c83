//! What is open without a login, on every HTTP port of a region: health, what clients must read before they have a token, the pages
//! without any data, and signing in. All else tells a stranger nothing, whatever is named.
//!
//! The routes are read from the sources and their methods from the running processes, so that no new one is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::pages::{Person, RESIDENT_ID, fed};
use crate::rig::{Node, until};
use crate::wire::{self, Answer};

/// The log, which everybody may follow (L-12): that there is a log, and how long it is, is no secret.
const LOG: &[&str] = &["/log/{log}/checkpoint", "/log/{log}/tile/{*tile}"];
/// Open to everybody.
const OPEN: [&str; 3] = ["/healthz", "/fhir/metadata", "/api/session/passkey"];
/// Where somebody signs in, or comes with a one-time code: method, address, what a stranger may send there.
const SIGN_IN: [(&str, &str, &str, &str); 5] = [
    (
        "POST",
        "/oauth2/token",
        "application/x-www-form-urlencoded",
        "grant_type=client_credentials&client_id=a&client_secret=b",
    ),
    (
        "POST",
        "/api/session",
        "application/json",
        "{\"login\": \"10215\", \"password\": \"not-the-password\"}",
    ),
    (
        "POST",
        "/api/session/passkey",
        "application/json",
        "{\"challenge\": \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\", \"assertion\": \
         {\"credentialId\": \"AA\", \"authenticatorData\": \"AA\", \"clientDataJson\": \"AA\", \"signature\": \"AA\"}}",
    ),
    ("POST", "/api/enrolment", "application/json", "{\"code\": \"123456789012\"}"),
    (
        "POST",
        "/api/enrolment/passkey",
        "application/json",
        "{\"code\": \"123456789012\", \"clientDataJson\": \"AA\", \"authenticatorData\": \"AA\"}",
    ),
];
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

/// An HTTP port, and what it answers by its sources.
struct Port {
    http: u16,
    routes: BTreeSet<String>,
}

// ---- Routes as the sources have them ----

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Every module below a folder that makes a router, with its text.
fn modules(folder: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                if text.contains("Router") {
                    found.push((path, text));
                }
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found
}

/// The addresses that a module gives to a router, and how many it makes up as it runs.
fn addresses(text: &str) -> (Vec<&str>, usize) {
    let mut made_up = 0;
    let mut written = Vec::new();
    for call in text.split(".route(").skip(1) {
        match call.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"')) {
            Some((address, _)) => written.push(address),
            None => made_up += 1,
        }
    }
    (written, made_up)
}

/// The routes of a process: those of its own modules and of those that both processes share.
fn routes(own: &str) -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    for (path, text) in modules(own).into_iter().chain(modules("host/src/http")) {
        for other in [".route_service(", ".nest_service("] {
            assert!(!text.contains(other), "{} has {other}, which is not looked into here", path.display());
        }
        let of_fhir = path.ends_with("node/service/src/fhir.rs");
        assert!(of_fhir || !text.contains(".nest("), "{} nests routes", path.display());
        let (written, made_up) = addresses(&text);
        // Those of the types that can be searched: they are in the CapabilityStatement.
        assert_eq!(made_up, if of_fhir { 3 } else { 0 }, "{}", path.display());
        let full = |address: &str| match address {
            "/" if of_fhir => "/fhir".to_owned(),
            address if of_fhir && !address.starts_with("/fhir") => format!("/fhir{address}"),
            address => address.to_owned(),
        };
        routes.extend(written.into_iter().map(full));
    }
    routes
}

/// The routes that the FHIR door makes for each type that can be searched.
async fn searches(node: &Node) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("node/service/src/fhir.rs")).unwrap();
    let statement = wire::try_request(node.http, "GET", "/fhir/metadata", "", b"").await.unwrap().json();
    let types = statement["rest"][0]["resource"].as_array().unwrap().iter();
    let searched = |one: &&Value| one["interaction"].to_string().contains("search-type");
    let read = |one: &Value| one["interaction"].to_string().contains("read");
    let types: Vec<(&str, bool)> =
        types.filter(searched).map(|one| (one["type"].as_str().unwrap(), read(one))).collect();
    let served = text.matches("kind::<").count() + text.matches("searches::<Stated").count();
    assert_eq!(types.len(), served, "every type that is served is in the statement");
    let ends = |read: bool| ["", "/_search"].into_iter().chain(read.then_some("/{id}"));
    types.into_iter().flat_map(|(one, read)| ends(read).map(move |end| format!("/fhir/{one}{end}"))).collect()
}

// ---- Strangers ----

/// What a stranger may try with: nothing, and what looks like a login.
fn strangers(port: &Port) -> [String; 3] {
    let cookies = "Cookie: yiqiao_qzrm=abcdefgh; yiqiao_registry=abcdefgh";
    [
        String::new(),
        "Authorization: Bearer his~abcdefghijklmnopqrstuvwxyz\r\n".to_owned(),
        format!("{cookies}\r\nOrigin: http://localhost:{}\r\n", port.http),
    ]
}

async fn ask(port: &Port, method: &str, path: &str, headers: &str) -> Answer {
    let sign_in = SIGN_IN.iter().find(|(of, at, ..)| (*of, *at) == (method, path));
    let (media, body) = sign_in.map_or(("application/json", "{}"), |(.., media, body)| (media, body));
    let headers = format!("Content-Type: {media}\r\n{headers}");
    wire::try_request(port.http, method, path, &headers, body.as_bytes()).await.unwrap()
}

/// The methods that an address takes, by its own word.
async fn methods(port: &Port, path: &str) -> BTreeSet<String> {
    let answer = ask(port, "FROB", path, "").await;
    assert_eq!(answer.status, 405, "{path} is in the sources and not served: {}", answer.text());
    answer.header("allow").unwrap().split(',').map(|method| method.trim().to_owned()).collect()
}

/// What must come of a request without a login.
fn expected(method: &str, path: &str, takes: bool) -> &'static [u16] {
    match (method, path) {
        _ if !takes => &[405],
        ("GET" | "HEAD", log) if LOG.contains(&log) => &[200, 404],
        ("GET" | "HEAD", open) if OPEN.contains(&open) => &[200],
        // Who has no session has none afterwards.
        ("DELETE", "/api/session") => &[204],
        // 400 to who proves itself in two ways (RFC 6749 5.2).
        ("POST", "/oauth2/token") => &[400, 401],
        // No such challenge, no such code.
        ("POST", "/api/session/passkey") => &[409],
        ("POST", "/api/enrolment" | "/api/enrolment/passkey") => &[404],
        _ => &[401],
    }
}

/// Every route with every method, with the ids of what is there and of what is not: the same for both.
async fn all_is_closed(port: &Port, there: &BTreeMap<&str, String>, secrets: &[&str]) {
    let mut asked = 0;
    for route in &port.routes {
        let [real, none] = [filled(route, |name| there[name].clone()), filled(route, |_| "ab".repeat(32))];
        let takes = methods(port, &none).await;
        for (method, stranger) in METHODS.iter().flat_map(|method| strangers(port).map(|who| (*method, who)))
        {
            let answer = ask(port, method, &real, &stranger).await;
            let of = format!("{method} {route} {stranger}: {} {}", answer.status, answer.text());
            assert!(expected(method, route, takes.contains(method)).contains(&answer.status), "{of}");
            if real != none && !LOG.contains(&route.as_str()) {
                let other = ask(port, method, &none, &stranger).await;
                assert_eq!((answer.status, answer.text()), (other.status, other.text()), "{of}");
            }
            assert!(secrets.iter().all(|secret| !answer.text().contains(secret)), "{of}");
            asked += 1;
        }
    }
    assert!(asked > 100, "{asked}");
}

/// A route with something for each of its parameters.
fn filled(route: &str, with: impl Fn(&str) -> String) -> String {
    let part = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        Some(name) => with(name),
        None => part.to_owned(),
    };
    route.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Pages and what they load are open and the same for everybody; nothing else is there.
async fn pages_are_open(port: &Port, pages: &[&str]) {
    for page in pages {
        let answer = ask(port, "GET", page, "").await;
        if answer.status == 503 && answer.text().contains("make pages") {
            continue;
        }
        assert_eq!(answer.status, 200, "{page}");
        let text = answer.text();
        let loads = text.split('"').filter(|part| part.starts_with("/assets/"));
        for file in loads {
            assert_eq!(ask(port, "GET", file, "").await.status, 200, "{file}");
        }
    }
    for elsewhere in
        ["/api", "/api/other", "/doctor.html", "/assets/", "/assets/../doctor.html", "/data", "/%00"]
    {
        assert_eq!(ask(port, "GET", elsewhere, "").await.status, 404, "{elsewhere}");
        assert_eq!(ask(port, "POST", elsewhere, "").await.status, 404, "{elsewhere}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_login_only_health_statements_and_pages_are_open_on_every_port() {
    let node = fed().await;
    let mut routes = routes("node/service/src");
    routes.extend(searches(&node).await);
    let port = Port { http: node.http, routes };
    let doctor = Person::with_account(&node, "10402", "desk", None).await;
    let subject = doctor.find().await;
    let entry = an_entry(&node, &subject).await;
    let mut there: BTreeMap<&str, String> =
        ["holder", "member"].map(|name| (name, "qzrm".to_owned())).into_iter().collect();
    there.extend([("subject", subject.clone()), ("entry", entry.clone()), ("id", entry.clone())]);
    there.insert("pair", "1".to_owned());
    there.extend([("feed", "1".to_owned()), ("rule", "readable".to_owned())]);
    there.extend([("name", "fees".to_owned()), ("system", "lis".to_owned())]);
    there.extend(["study", "series", "instance"].map(|name| (name, "1.2.3".to_owned())));
    all_is_closed(&port, &there, &[RESIDENT_ID, "陈志远", "00218001", &subject, &entry]).await;
    pages_are_open(&port, &["/", "/patient"]).await;
    let health = ask(&port, "GET", "/healthz", "").await.json();
    let told: Vec<&str> = health.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(told, ["live", "ready", "version"]);

    let registry = Port { http: node.region.http, routes: self::routes("registry/service/src") };
    let log = [("log", "log-1".to_owned()), ("*tile", "entries/000.p/1".to_owned())];
    let log: BTreeMap<&str, String> = log.into_iter().collect();
    for route in LOG {
        let path = filled(route, |name| log[name].clone());
        assert_eq!(ask(&registry, "GET", &path, "").await.status, 200, "{path}");
    }
    all_is_closed(&registry, &log, &["桥州市人民医院", "0571-00000000"]).await;
    pages_are_open(&registry, &["/"]).await;
}

/// A document of the patient.
async fn an_entry(node: &Node, subject: &str) -> String {
    let doctor = Person::with_account(node, "10215", "doctor", Some("0203")).await;
    until("a document", async || {
        let listed = doctor.get(&format!("/api/patients/{subject}/documents")).await;
        listed["items"][0]["entry"].as_str().map(str::to_owned)
    })
    .await
}
