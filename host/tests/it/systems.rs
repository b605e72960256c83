//! Client credentials: the token endpoint as RFC 6749 has it, and what tokens open.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::FromRef;
use axum::http::{Request, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;
use yiqiao_host::accounts::Code;
use yiqiao_host::clients::{AuthorizedClient, ClientError, ClientSecret, Clients, Systems, token_endpoint};
use yiqiao_host::clock::Clock;
use yiqiao_host::http::Problem;
use yiqiao_host::limits::{TOKEN_LIFE, TOKENS_PER_CLIENT_MAX, TOKENS_PER_MINUTE_MAX};
use yiqiao_host::store::Store;
use yiqiao_proto::time::Timestamp;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_unix_ms(1_790_000_000_000 + secs * 1000).unwrap()
}

#[derive(Clone)]
struct Service(Systems);

impl FromRef<Service> for Systems {
    fn from_ref(service: &Service) -> Self {
        service.0.clone()
    }
}

struct Region {
    folder: TempDir,
    clients: Clients,
    secret: ClientSecret,
    time: Arc<AtomicI64>,
    router: Router,
}

fn emr() -> Code {
    "emr".parse().unwrap()
}

async fn read(client: AuthorizedClient) -> Result<String, Problem> {
    client.require("system/read")?;
    Ok(client.client.id.to_string())
}

async fn write(client: AuthorizedClient) -> Result<String, Problem> {
    client.require("system/write")?;
    Ok(client.client.id.to_string())
}

impl Region {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clients = Clients::open(&Store::open(folder.path()).unwrap()).unwrap();
        let scopes = ["system/read", "system/write"].map(|scope| scope.parse().unwrap());
        let secret = clients.register(at(0), emr(), "电子病历".to_owned(), scopes.into()).unwrap();
        let time = Arc::new(AtomicI64::new(0));
        let told = Arc::clone(&time);
        let clock = Clock::new(move || at(told.load(Ordering::Relaxed)));
        let router = Router::new()
            .route("/token", post(token_endpoint::<Service>))
            .route("/read", get(read))
            .route("/write", get(write))
            .with_state(Service(Systems { clients: clients.clone(), clock }));
        Self { folder, clients, secret, time, router }
    }

    fn post_body(&self, more: &str) -> String {
        format!("grant_type=client_credentials&client_id=emr&client_secret={}{more}", self.secret.expose())
    }

    fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("emr:{}", self.secret.expose())))
    }

    async fn ask(&self, authorization: Option<&str>, body: &str) -> Response<Body> {
        let mut request = Request::post("/token").header("content-type", "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        self.router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap()
    }

    async fn error(&self, authorization: Option<&str>, body: &str) -> (u16, String) {
        let response = self.ask(authorization, body).await;
        let status = response.status().as_u16();
        assert_eq!(response.headers()["cache-control"], "no-store");
        (status, text_in(response, "error").await)
    }

    async fn token(&self, more: &str) -> String {
        let response = self.ask(None, &self.post_body(more)).await;
        assert_eq!(response.status(), 200);
        text_in(response, "access_token").await
    }

    async fn open(&self, path: &str, token: &str) -> Response<Body> {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }
}

async fn text_in(response: Response<Body>, field: &str) -> String {
    json_of(response).await.get(field).and_then(Value::as_str).unwrap().to_owned()
}

async fn json_of(response: Response<Body>) -> Value {
    let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn both_ways_of_authentication_give_a_token() {
    let region = Region::new();
    for (authorization, body) in
        [(None, region.post_body("")), (Some(region.basic()), "grant_type=client_credentials".to_owned())]
    {
        let response = region.ask(authorization.as_deref(), &body).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["pragma"], "no-cache");
        let mut answer = json_of(response).await;
        let token = answer.as_object_mut().unwrap().remove("access_token").unwrap();
        assert_eq!(
            answer,
            json!({ "token_type": "Bearer", "expires_in": 600, "scope": "system/read system/write" })
        );
        assert_eq!(region.open("/read", token.as_str().unwrap()).await.status(), 200);
    }
}

#[tokio::test]
async fn errors_are_those_of_the_standard() {
    let region = Region::new();
    let (right, basic) = (region.post_body(""), region.basic());
    let wrong_basic = format!("Basic {}", STANDARD.encode("emr:wrong"));
    let grant = "grant_type=client_credentials";
    let repeated = format!("{right}&scope=a&scope=b");
    let unknown_scope = region.post_body("&scope=system/read+system/all");
    let odd_scope = region.post_body("&scope=a%22b");
    let cases: [(Option<&str>, &str, (u16, &str)); 13] = [
        (None, grant, (401, "invalid_client")),
        (None, "grant_type=client_credentials&client_id=emr&client_secret=wrong", (401, "invalid_client")),
        (None, "grant_type=client_credentials&client_id=none&client_secret=x", (401, "invalid_client")),
        (Some(&wrong_basic), grant, (401, "invalid_client")),
        (Some("Basic !"), grant, (401, "invalid_client")),
        (Some(&basic), &right, (400, "invalid_request")),
        (Some(&basic), "grant_type=client_credentials&client_id=other", (400, "invalid_request")),
        (Some(&basic), "", (400, "invalid_request")),
        (Some(&basic), "grant_type=", (400, "invalid_request")),
        (Some(&basic), "grant_type=password", (400, "unsupported_grant_type")),
        (None, &repeated, (400, "invalid_request")),
        (None, &unknown_scope, (400, "invalid_scope")),
        (None, &odd_scope, (400, "invalid_scope")),
    ];
    for (authorization, body, (status, error)) in cases {
        assert_eq!(
            region.error(authorization, body).await,
            (status, error.to_owned()),
            "{authorization:?} {body}"
        );
    }
    let challenged = region.ask(Some(&wrong_basic), grant).await;
    assert_eq!(challenged.headers()["www-authenticate"], "Basic realm=\"yiqiao\"");
    assert_eq!(region.error(None, &"x".repeat(10_000)).await, (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn a_token_opens_what_was_asked_for_and_no_more() {
    let region = Region::new();
    let token = region.token("&scope=system/read").await;
    assert_eq!(region.open("/read", &token).await.status(), 200);
    let refused = region.open("/write", &token).await;
    assert_eq!(refused.status(), 403);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
}

#[tokio::test]
async fn who_may_read_every_type_may_ask_for_one() {
    let region = Region::new();
    region.clients.set_scopes(&emr(), ["system/*.rs".parse().unwrap()].into()).unwrap();
    let answer = json_of(region.ask(None, &region.post_body("&scope=system/Patient.rs")).await).await;
    assert_eq!(answer["scope"], "system/Patient.rs", "{answer}");
    let wider = region.post_body("&scope=system/Patient.cruds");
    assert_eq!(region.error(None, &wider).await, (400, "invalid_scope".to_owned()));
}

#[tokio::test]
async fn no_token_and_a_wrong_token_are_challenged() {
    let region = Region::new();
    let wrong = region.open("/read", "emr~AAAA").await;
    assert_eq!(wrong.status(), 401);
    assert!(wrong.headers()["www-authenticate"].to_str().unwrap().contains("invalid_token"));
    let none =
        region.router.clone().oneshot(Request::get("/read").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(none.headers()["www-authenticate"], "Bearer realm=\"yiqiao\"");
}

#[tokio::test]
async fn a_token_ends_after_ten_minutes() {
    let region = Region::new();
    let token = region.token("").await;
    let life = i64::try_from(TOKEN_LIFE.get() / 1000).unwrap();
    region.time.store(life - 1, Ordering::Relaxed);
    assert_eq!(region.open("/read", &token).await.status(), 200);
    region.time.store(life, Ordering::Relaxed);
    assert_eq!(region.open("/read", &token).await.status(), 401);
}

#[tokio::test]
async fn disabling_a_client_voids_its_tokens_for_ever() {
    let region = Region::new();
    let token = region.token("").await;
    region.clients.set_disabled(&emr(), true).unwrap();
    assert_eq!(region.open("/read", &token).await.status(), 401);
    assert_eq!(region.error(None, &region.post_body("")).await, (401, "invalid_client".to_owned()));
    region.clients.set_disabled(&emr(), false).unwrap();
    assert_eq!(region.open("/read", &token).await.status(), 401);
    let token = region.token("").await;
    assert_eq!(region.open("/read", &token).await.status(), 200);
}

#[tokio::test]
async fn another_secret_or_other_scopes_void_what_was_before() {
    let region = Region::new();
    let token = region.token("").await;
    region.clients.set_scopes(&emr(), ["system/read".parse().unwrap()].into()).unwrap();
    assert_eq!(region.open("/read", &token).await.status(), 401);
    let narrowed = region.token("").await;
    assert_eq!(region.open("/write", &narrowed).await.status(), 403);
    region.clients.replace_secret(&emr()).unwrap();
    assert_eq!(region.open("/read", &narrowed).await.status(), 401);
    assert_eq!(region.error(None, &region.post_body("")).await, (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn a_client_that_asks_too_often_waits() {
    let region = Region::new();
    for _ in 0..TOKENS_PER_MINUTE_MAX {
        region.token("").await;
    }
    let response = region.ask(None, &region.post_body("")).await;
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    region.time.store(1, Ordering::Relaxed);
    region.token("").await;
}

#[tokio::test]
async fn the_oldest_of_too_many_tokens_ends() {
    let region = Region::new();
    let first = region.token("").await;
    for n in 1..=TOKENS_PER_CLIENT_MAX {
        region.time.store(i64::try_from(n).unwrap(), Ordering::Relaxed);
        region.token("").await;
    }
    assert_eq!(region.open("/read", &first).await.status(), 401);
}

/// The bytes of all files below a folder.
fn stored(folder: &std::path::Path) -> Vec<u8> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { stored(&path) } else { std::fs::read(path).unwrap() }).collect()
}

#[tokio::test]
async fn clients_survive_a_restart_and_secrets_are_not_stored() {
    let Region { folder, clients, secret, router, .. } = Region::new();
    drop((clients, router));
    let stored = stored(folder.path());
    assert!(!stored.windows(secret.expose().len()).any(|bytes| bytes == secret.expose().as_bytes()));
    let again = Clients::open(&Store::open(folder.path()).unwrap()).unwrap();
    assert_eq!(again.list().unwrap().len(), 1);
    again.grant(at(0), "emr", secret.expose(), None).unwrap();
}

#[tokio::test]
async fn what_is_not_allowed_in_a_client_is_refused() {
    let region = Region::new();
    let scopes = || ["system/read".parse().unwrap()].into();
    let register = |id: &str, name: &str, scopes| {
        region.clients.register(at(0), id.parse().unwrap(), name.to_owned(), scopes).unwrap_err()
    };
    assert!(matches!(register("emr", "again", scopes()), ClientError::Taken { .. }));
    assert!(matches!(register("lis", "", scopes()), ClientError::Name));
    assert!(matches!(register("lis", "LIS", [].into()), ClientError::Scopes));
    assert!(matches!(
        region.clients.set_disabled(&"lis".parse().unwrap(), true),
        Err(ClientError::Unknown { .. })
    ));
}
