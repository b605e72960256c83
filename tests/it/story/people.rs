//! People at their browsers: signed in, asking what their pages ask.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use yiqiao_demo::cast::PASSWORD;
use yiqiao_demo::client::{Answer, Client};

/// How long something may take to become true.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Somebody who has signed in.
pub(crate) struct Person(Client);

impl Person {
    /// Somebody who tries until it is allowed: attempts that a kill cut short count as failed ones.
    pub(crate) fn signed_in(url: &str, login: &str) -> Self {
        until(&format!("signing in {login}"), || Self::try_signed_in(url, login))
    }

    /// Somebody who signs in if the process answers.
    pub(crate) fn try_signed_in(url: &str, login: &str) -> Option<Self> {
        let client = Client::at(url);
        client.sign_in(login, PASSWORD).ok().map(|()| Self(client))
    }

    /// Somebody with a one-time password, who chooses another one first.
    pub(crate) fn first_signed_in(url: &str, login: &str, once: &str) -> Self {
        let client = Client::at(url);
        client.sign_in(login, once).unwrap();
        let chosen = "A-quiet-river-2026";
        client.post("/api/session/password", &json!({ "current": once, "next": chosen })).unwrap();
        client.sign_in(login, chosen).unwrap();
        Self(client)
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.0.json(path).unwrap()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        self.0.post(path, body).unwrap()
    }

    pub(crate) fn bytes(&self, path: &str) -> Vec<u8> {
        let answer = self.0.get(path).unwrap();
        assert!(answer.is_success(), "{path} gave {}: {}", answer.status, answer.text());
        answer.body
    }

    /// The subject of the patient with a resident ID.
    pub(crate) fn find(&self, resident_id: &str) -> String {
        let found = self.post("/api/patients/find", &json!({ "residentId": resident_id }));
        let row = array(&found, "/items").first().unwrap_or_else(|| panic!("nobody was found: {found}"));
        text(row, "/subject").to_owned()
    }

    pub(crate) fn documents(&self, subject: &str) -> Vec<Value> {
        array(&self.get(&format!("/api/patients/{subject}/documents")), "/items").clone()
    }

    pub(crate) fn open(&self, row: &Value) -> Value {
        self.try_open(row).json_of("opening a document").unwrap()
    }

    pub(crate) fn try_open(&self, row: &Value) -> Answer {
        self.0.get(&format!("/api/documents/{}/{}", text(row, "/holder"), text(row, "/entry"))).unwrap()
    }

    /// Records a patient's consent at a desk.
    pub(crate) fn permit(&self, subject: &str, to: &str, notice: &str) -> Value {
        self.post(&format!("/api/patients/{subject}/consents"), &permit(to, notice))
    }
}

/// What a desk records when a patient permits a hospital everything that is not sensitive.
pub(crate) fn permit(to: &str, notice: &str) -> Value {
    json!({
        "stance": "permit",
        "organisation": to,
        "classes": [],
        "sensitivities": [],
        "purposes": ["treatment"],
        "validUntil": null,
        "basis": "separate-consent",
        "notice": { "version": notice },
        "evidence": { "sheet": "2026-000123", "identifiedBy": "居民身份证" },
    })
}

/// The folder of the programs under test: where this test was built.
pub(crate) fn programs() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap().to_owned();
    for program in ["yiqiao-registry", "yiqiao-node"] {
        assert!(
            folder.join(program).exists(),
            "{program} is not built: run `cargo build --workspace --bins` first"
        );
    }
    folder
}

/// Runs a command of a node's administrator, or of anybody who has the program: what it printed, or why it failed.
pub(crate) fn command(words: &[&str], config: &Path) -> Result<String, String> {
    let mut command = Command::new(programs().join("yiqiao-node"));
    let output = command.args(words).arg("--config").arg(config).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// What `yiqiao-node status` says, once the node runs.
pub(crate) fn status(config: &Path) -> Option<Value> {
    let mut command = Command::new(programs().join("yiqiao-node"));
    let output = command.args(["status", "--json", "--config"]).arg(config).output().unwrap();
    serde_json::from_slice(&output.stdout).ok()
}

/// Asks again and again until there is an answer.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A text inside; empty if there is none.
pub(crate) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// A list inside.
pub(crate) fn array<'a>(value: &'a Value, path: &str) -> &'a Vec<Value> {
    value.pointer(path).and_then(Value::as_array).unwrap_or_else(|| panic!("no list {path} in {value}"))
}
