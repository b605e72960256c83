//! An account from the administrator's command to the sign-in of its owner, over the real socket and the real routes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use clap::Parser;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tower::ServiceExt;
use yiqiao_host::accounts::commands::{self, AccountCommand, AccountRequest};
use yiqiao_host::admin::{AdminSocket, SOCKET};
use yiqiao_host::clock::Clock;
use yiqiao_host::http::session_routes::{Home, Organisation, session_router};
use yiqiao_host::http::{HttpConfig, standard};
use yiqiao_host::sessions::Identity;

const ROLES: &[&str] = &["bureau", "operator"];
const CHOSEN: &str = "Pear-2027!";

/// A process with accounts, as far as this test needs one.
struct Process {
    _folder: TempDir,
    socket: PathBuf,
    router: Router,
    _serving: JoinSet<()>,
}

/// What was answered: status, the cookie that was set, body.
struct Answer {
    status: u16,
    cookie: String,
    body: Value,
}

impl Process {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let identity =
            Identity::open(folder.path(), &"registry".parse().unwrap(), false, Clock::system()).unwrap();
        let socket = folder.path().join(SOCKET);
        let mut serving = JoinSet::new();
        let of_socket = identity.clone();
        serving.spawn(AdminSocket::bind(&socket).unwrap().serve(move |request: AccountRequest| {
            let identity = of_socket.clone();
            async move { commands::answer(&identity, ROLES, request).await }
        }));
        let member = Organisation { code: "registry".to_owned(), name: "区域平台".to_owned() };
        let config = HttpConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            hosts: vec!["localhost".to_owned().try_into().unwrap()],
            https: false,
            proxies: Vec::new(),
        };
        let router = session_router(identity, Home { member, region: "demo".to_owned() });
        Self { _folder: folder, socket, router: standard(router, &config), _serving: serving }
    }

    async fn command(&self, words: &[&str], stdin: &str) -> Result<String, String> {
        #[derive(Parser)]
        struct Line {
            #[command(subcommand)]
            command: AccountCommand,
        }
        let line = Line::try_parse_from([&["account"], words].concat()).map_err(|error| error.to_string())?;
        let done = commands::run::<AccountRequest>(line.command, &self.socket, &mut stdin.as_bytes()).await;
        done.map_err(|error| error.to_string())
    }

    async fn ask(&self, method: &str, path: &str, cookie: &str, body: &Value) -> Answer {
        let request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
        let request = request.header(header::CONTENT_TYPE, "application/json").header(header::COOKIE, cookie);
        let request = request.header(header::ORIGIN, "http://localhost");
        let response = self.router.clone().oneshot(request.body(Body::from(body.to_string())).unwrap());
        let (head, body) = response.await.unwrap().into_parts();
        let set = head.headers.get(header::SET_COOKIE).map_or("", |cookie| cookie.to_str().unwrap());
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: head.status.as_u16(),
            cookie: set.split(';').next().unwrap().to_owned(),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        }
    }

    async fn sign_in(&self, password: &str) -> Answer {
        self.ask("POST", "/api/session", "", &json!({ "login": "wangli", "password": password })).await
    }

    async fn who(&self, cookie: &str) -> Answer {
        self.ask("GET", "/api/session", cookie, &Value::Null).await
    }
}

#[tokio::test]
async fn an_account_is_made_by_a_command_and_its_owner_chooses_the_password() {
    let process = Process::new();
    let said = process.command(&["add", "wangli", "--name", "王丽", "--role", "bureau"], "").await.unwrap();
    let one_time = said.lines().next().unwrap().strip_prefix("one-time password: ").unwrap();

    assert_eq!(process.sign_in("wrong").await.status, 401);
    let first = process.sign_in(one_time).await;
    assert_eq!((first.status, &first.body["mustChangePassword"]), (200, &json!(true)));
    let passwords = json!({ "current": one_time, "next": CHOSEN });
    let chosen = process.ask("POST", "/api/session/password", &first.cookie, &passwords).await;
    let who = json!({
        "login": "wangli",
        "displayName": "王丽",
        "roles": ["bureau"],
        "departments": [],
        "mustChangePassword": false,
        "member": { "code": "registry", "name": "区域平台" },
        "region": "demo",
    });
    assert_eq!((chosen.status, chosen.body), (200, who.clone()));
    assert_eq!(process.who(&first.cookie).await.status, 401, "the session of the old password is over");
    assert_eq!(process.who(&chosen.cookie).await.body, who);

    let out = process.ask("DELETE", "/api/session", &chosen.cookie, &Value::Null).await;
    assert_eq!((out.status, process.who(&chosen.cookie).await.status), (204, 401));
}

#[tokio::test]
async fn a_disabled_account_is_out_at_once_and_may_come_back() {
    let process = Process::new();
    let add = ["add", "wangli", "--name", "王丽", "--role", "bureau", "--password-stdin"];
    assert_eq!(process.command(&add, "Plum-2026!\n").await.unwrap(), "done");
    let session = process.sign_in("Plum-2026!").await;
    process.command(&["disable", "wangli"], "").await.unwrap();
    assert_eq!(process.who(&session.cookie).await.status, 401);
    let listed = process.command(&["list"], "").await.unwrap();
    assert!(listed.lines().any(|line| line.contains("disabled") && line.ends_with("王丽")), "{listed}");
    assert_eq!(process.sign_in("Plum-2026!").await.status, 401);
    process.command(&["disable", "wangli", "--restore"], "").await.unwrap();
    process.command(&["password", "wangli", "--password-stdin"], "Plum-2027!").await.unwrap();
    assert_eq!(process.sign_in("Plum-2026!").await.status, 401);
    assert_eq!(process.sign_in("Plum-2027!").await.status, 200);
}

#[tokio::test]
async fn what_a_command_cannot_do_is_said_in_a_sentence() {
    let process = Process::new();
    let add = ["add", "wangli", "--name", "王丽", "--role", "bureau"];
    process.command(&add, "").await.unwrap();
    let cases: [(&[&str], &str); 5] = [
        (&add, "there is an account wangli already"),
        (
            &["add", "b", "--name", "b", "--role", "chief"],
            "there is no role chief here; there are: bureau, operator",
        ),
        (&["add", "李", "--name", "b", "--role", "bureau"], "a name has 1 to 64 characters"),
        (&["disable", "nobody"], "there is no account nobody"),
        (&["password", "wangli", "--password-stdin"], "standard input does not hold one line"),
    ];
    for (words, sentence) in cases {
        let said = process.command(words, "").await.unwrap_err();
        assert!(said.contains(sentence), "{said}");
    }
}

#[tokio::test]
async fn a_foreign_page_signs_nobody_in() {
    let process = Process::new();
    let request = Request::post("/api/session").header(header::HOST, "localhost");
    let request = request.header(header::ORIGIN, "http://evil.example").body(Body::empty()).unwrap();
    assert_eq!(process.router.clone().oneshot(request).await.unwrap().status(), 403);
    let patch = process.ask("PATCH", "/api/session", "", &Value::Null).await;
    assert_eq!(patch.status, 405);
}
