//! A client of a node's or the registry's HTTP doors, as curl or a browser is one: status, headers, bytes. One session.

use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

/// The longest that an answer may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// The largest answer that is taken.
const ANSWER_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// A client of one port; keeps the cookie or the token that it was given.
#[derive(Debug)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
    cookie: Mutex<Option<String>>,
    token: Mutex<Option<String>>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Lower-case names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Client {
    /// A client of a port of this machine that has not signed in.
    pub fn new(http: u16) -> Self {
        Self::at(&format!("http://localhost:{http}"))
    }

    /// A client of an address such as `http://localhost:8101` that has not signed in.
    pub fn at(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(DEADLINE))
            .http_status_as_error(false)
            .max_redirects(0)
            .build();
        Self {
            agent: config.new_agent(),
            base: base.to_owned(),
            cookie: Mutex::new(None),
            token: Mutex::new(None),
        }
    }

    /// Whether the process is ready.
    pub fn is_up(&self) -> bool {
        self.get("/healthz").is_ok_and(|answer| answer.status == 200)
    }

    /// Asks for a path.
    ///
    /// # Errors
    /// There was no answer.
    pub fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.get_with(path, &[])
    }

    /// Asks for a path with more headers.
    ///
    /// # Errors
    /// There was no answer.
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        for (name, value) in
            self.own_headers().iter().map(|(n, v)| (*n, v.as_str())).chain(headers.iter().copied())
        {
            request = request.header(name, value);
        }
        read(request.call().with_context(|| format!("GET {path}"))?)
    }

    /// Sends a body with a method that takes one: POST, PUT, PATCH.
    ///
    /// # Errors
    /// There was no answer.
    pub fn send(&self, method: &str, path: &str, media_type: &str, body: &[u8]) -> anyhow::Result<Answer> {
        let url = format!("{}{path}", self.base);
        let mut request = match method {
            "PUT" => self.agent.put(url),
            "PATCH" => self.agent.patch(url),
            "POST" => self.agent.post(url),
            other => bail!("{other} takes no body"),
        };
        for (name, value) in self.own_headers() {
            request = request.header(name, value);
        }
        let request = request.header("content-type", media_type).header("origin", &self.base);
        read(request.send(body).with_context(|| format!("{method} {path}"))?)
    }

    /// Deletes.
    ///
    /// # Errors
    /// There was no answer.
    pub fn delete(&self, path: &str) -> anyhow::Result<Answer> {
        let mut request = self.agent.delete(format!("{}{path}", self.base)).header("origin", &self.base);
        for (name, value) in self.own_headers() {
            request = request.header(name, value);
        }
        read(request.call().with_context(|| format!("DELETE {path}"))?)
    }

    /// Gets JSON; anything but success is an error that holds the answer.
    ///
    /// # Errors
    /// No answer, no success, or no JSON.
    pub fn json(&self, path: &str) -> anyhow::Result<Value> {
        self.get(path)?.json_of(path)
    }

    /// Posts JSON and gets JSON.
    ///
    /// # Errors
    /// No answer, no success, or no JSON.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send("POST", path, "application/json", body.to_string().as_bytes())?.json_of(path)
    }

    /// Signs a person in.
    ///
    /// # Errors
    /// Login or password is wrong, or there was no answer.
    pub fn sign_in(&self, login: &str, password: &str) -> anyhow::Result<()> {
        let body = serde_json::json!({ "login": login, "password": password });
        let answer = self.send("POST", "/api/session", "application/json", body.to_string().as_bytes())?;
        ensure!(answer.is_success(), "signing in {login} gave {}: {}", answer.status, answer.text());
        let cookie = answer.header("set-cookie").context("signing in sets a cookie")?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        *self.cookie.lock().map_err(|_| anyhow::anyhow!("another thread failed"))? = Some(cookie);
        Ok(())
    }

    /// Gets a system's token (OAuth2 client credentials).
    ///
    /// # Errors
    /// Client or secret is wrong, or there was no answer.
    pub fn authorize(&self, client: &str, secret: &str) -> anyhow::Result<()> {
        let body = format!("grant_type=client_credentials&client_id={client}&client_secret={secret}");
        let answer =
            self.send("POST", "/oauth2/token", "application/x-www-form-urlencoded", body.as_bytes())?;
        let token = answer.json_of("/oauth2/token")?;
        let token = token.get("access_token").and_then(Value::as_str).context("an access token")?;
        *self.token.lock().map_err(|_| anyhow::anyhow!("another thread failed"))? = Some(token.to_owned());
        Ok(())
    }

    fn own_headers(&self) -> Vec<(&'static str, String)> {
        let of = |slot: &Mutex<Option<String>>| slot.lock().ok().and_then(|value| value.clone());
        let cookie = of(&self.cookie).map(|cookie| ("cookie", cookie));
        let token = of(&self.token).map(|token| ("authorization", format!("Bearer {token}")));
        cookie.into_iter().chain(token).collect()
    }
}

impl Answer {
    /// A header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the status is 200 to 299.
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, of a success only.
    ///
    /// # Errors
    /// No success, or no JSON.
    pub fn json_of(&self, path: &str) -> anyhow::Result<Value> {
        ensure!(self.is_success(), "{path} gave {}: {}", self.status, self.text());
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body).with_context(|| format!("{path} gave no JSON: {}", self.text()))
    }
}

fn read(answer: ureq::http::Response<ureq::Body>) -> anyhow::Result<Answer> {
    let (parts, mut body) = answer.into_parts();
    let value = |value: &ureq::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = parts.headers.iter().map(|(name, text)| (name.as_str().to_owned(), value(text))).collect();
    let body = body.with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
    Ok(Answer { status: parts.status.as_u16(), headers, body })
}
