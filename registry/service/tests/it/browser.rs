//! People at browsers, as far as the registry's HTTP goes: a cookie, requests from the own pages, answers.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what cannot happen here fails the test")]

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::registry;
use crate::rig::{Region, text};

const FIRST: &str = "Plum-2026!";
const CHOSEN: &str = "Pear-2027!";

/// A browser, signed in or not.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    port: u16,
    pub(crate) cookie: String,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

impl Browser {
    /// A browser in which nobody is signed in.
    pub(crate) fn new(region: &Region) -> Self {
        Self { port: region.http(), cookie: String::new() }
    }

    /// A browser of a new account with this role, whose owner has chosen a password.
    pub(crate) async fn signed_in(region: &Region, login: &str, role: &str) -> Self {
        let add = ["add", login, "--name", "王丽", "--role", role, "--password-stdin"];
        account(region, &add, FIRST).unwrap();
        let mut browser = Self::new(region);
        let first = browser.sign_in(login, FIRST).await;
        assert_eq!((first.status, &first.json()["mustChangePassword"]), (200, &json!(true)));
        let chosen = json!({ "current": FIRST, "next": CHOSEN });
        assert_eq!(browser.post("/api/session/password", &chosen).await.status, 200);
        browser
    }

    pub(crate) async fn sign_in(&mut self, login: &str, password: &str) -> Answer {
        self.post("/api/session", &json!({ "login": login, "password": password })).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nAccept: application/json\r\n"), "").await
    }

    pub(crate) async fn get_csv(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nAccept: text/csv\r\n"), "").await
    }

    /// Posts from an own page, and keeps the cookie that is set.
    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Answer {
        let origin = format!("Origin: http://localhost:{}\r\nContent-Type: application/json\r\n", self.port);
        let answer = self.send(&format!("POST {path} HTTP/1.1\r\n{origin}"), &body.to_string()).await;
        if let Some(cookie) = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")) {
            self.cookie = cookie.split(';').next().unwrap().to_owned();
        }
        answer
    }

    async fn send(&self, head: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let cookie =
            if self.cookie.is_empty() { String::new() } else { format!("Cookie: {}\r\n", self.cookie) };
        let rest =
            format!("Host: localhost:{}\r\nConnection: close\r\nContent-Length: {}", self.port, body.len());
        stream.write_all(format!("{head}{cookie}{rest}\r\n\r\n{body}").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = text(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }
}

/// Runs a command for accounts of the running registry; what it said, or what went wrong.
pub(crate) fn account(region: &Region, words: &[&str], stdin: &str) -> Result<String, String> {
    let mut command = Command::new(registry());
    command.arg("account").args(words).arg("--config").arg(region.config());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that asks for no password may end before it is offered one.
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).ok();
    let output = child.wait_with_output().unwrap();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
