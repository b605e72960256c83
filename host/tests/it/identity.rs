//! Accounts and sessions, by their own interface and over HTTP.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRef, State};
use axum::http::{HeaderMap, Request, Response, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde::Deserialize;
use tempfile::TempDir;
use tower::ServiceExt;
use yiqiao_host::accounts::{
    Account, AccountError, Accounts, Login, Password, PasswordFault, Profile, SignInError,
};
use yiqiao_host::clock::Clock;
use yiqiao_host::http::{ClientAddress, HttpConfig, Json, Problem, standard};
use yiqiao_host::limits::{ROLES_MAX, SESSION_IDLE};
use yiqiao_host::sessions::{Authenticated, Identity, SessionCookie, Sessions, SignedIn};
use yiqiao_host::store::Store;
use yiqiao_proto::time::{Millis, Timestamp};

const FIRST: &str = "Plum-2026!";
const SECOND: &str = "Pear-2027!";

fn at(secs: i64) -> Timestamp {
    Timestamp::from_unix_ms(1_790_000_000_000 + secs * 1000).unwrap()
}

fn login(name: &str) -> Login {
    name.parse().unwrap()
}

fn password(text: &str) -> Password {
    text.to_owned().into()
}

fn doctor() -> Profile {
    Profile {
        display_name: "李伟".to_owned(),
        roles: ["doctor".parse().unwrap()].into(),
        departments: ["0301".parse().unwrap()].into(),
    }
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

fn accounts() -> (TempDir, Accounts) {
    let folder = tempfile::tempdir().unwrap();
    let accounts = Accounts::open(&Store::open(folder.path()).unwrap()).unwrap();
    (folder, accounts)
}

async fn with_liwei() -> (TempDir, Accounts) {
    let (folder, accounts) = accounts();
    accounts.create(at(0), login("liwei"), doctor(), password(FIRST)).await.unwrap();
    (folder, accounts)
}

async fn try_in(
    accounts: &Accounts,
    now: Timestamp,
    name: &str,
    typed: &str,
) -> Result<Account, SignInError> {
    accounts.sign_in(now, name.to_owned(), password(typed), address(1)).await
}

#[tokio::test]
async fn a_new_account_signs_in_and_has_to_choose_a_password() {
    let (_folder, accounts) = with_liwei().await;
    let account = try_in(&accounts, at(1), "LiWei", FIRST).await.unwrap();
    assert!(account.must_change_password && !account.disabled);
    assert_eq!((account.profile, account.created), (doctor(), at(0)));
    accounts.set_password(at(2), login("liwei"), password(SECOND), false).await.unwrap();
    assert!(matches!(try_in(&accounts, at(3), "liwei", FIRST).await, Err(SignInError::Refused)));
    let account = try_in(&accounts, at(3), "liwei", SECOND).await.unwrap();
    assert!(!account.must_change_password && account.password_set == at(2));
}

#[tokio::test]
async fn unknown_disabled_and_wrong_look_the_same() {
    let (_folder, accounts) = with_liwei().await;
    accounts.create(at(0), login("wangfang"), doctor(), password(FIRST)).await.unwrap();
    accounts.set_disabled(login("wangfang"), true).await.unwrap();
    let attempts =
        [("liwei", SECOND), ("wangfang", FIRST), ("nobody", FIRST), ("no such name!", FIRST), ("", "")];
    for (name, typed) in attempts {
        let refused = try_in(&accounts, at(1), name, typed).await;
        assert!(matches!(refused, Err(SignInError::Refused)), "{name}: {refused:?}");
    }
    accounts.set_disabled(login("wangfang"), false).await.unwrap();
    try_in(&accounts, at(1), "wangfang", FIRST).await.unwrap();
}

#[tokio::test]
async fn guessing_is_slowed_down_and_a_success_ends_that() {
    let (_folder, accounts) = with_liwei().await;
    for _ in 0..5 {
        assert!(matches!(try_in(&accounts, at(0), "liwei", SECOND).await, Err(SignInError::Refused)));
    }
    let Err(SignInError::TryLater { wait }) = try_in(&accounts, at(0), "liwei", FIRST).await else {
        unreachable!("the right password waits too");
    };
    assert_eq!(wait, Millis::from_secs(1));
    try_in(&accounts, at(0) + wait, "liwei", FIRST).await.unwrap();
    try_in(&accounts, at(0) + wait, "liwei", SECOND).await.unwrap_err();
    try_in(&accounts, at(0) + wait, "liwei", FIRST).await.unwrap();
}

#[tokio::test]
async fn parallel_guesses_gain_nothing() {
    let (_folder, accounts) = with_liwei().await;
    let guesses = (0..20).map(|_| try_in(&accounts, at(0), "liwei", SECOND));
    let answers = futures::future::join_all(guesses).await;
    let checked = answers.iter().filter(|answer| matches!(answer, Err(SignInError::Refused))).count();
    assert_eq!(checked, 5);
}

#[tokio::test]
async fn accounts_and_failures_survive_a_restart() {
    let (folder, accounts) = with_liwei().await;
    for _ in 0..5 {
        try_in(&accounts, at(0), "liwei", SECOND).await.unwrap_err();
    }
    drop(accounts);
    let again = Accounts::open(&Store::open(folder.path()).unwrap()).unwrap();
    assert!(matches!(try_in(&again, at(0), "liwei", FIRST).await, Err(SignInError::TryLater { .. })));
    try_in(&again, at(60), "liwei", FIRST).await.unwrap();
}

#[tokio::test]
async fn a_login_is_bound_once_and_what_it_is_bound_to_has_one_login() {
    let (_folder, accounts) = with_liwei().await;
    let bind = |name: &'static str, to: &'static str| {
        let accounts = accounts.clone();
        async move { accounts.bind(login(name), to.to_owned()).await }
    };
    assert_eq!(bind("p1", "patient 1").await.unwrap(), login("p1"));
    assert_eq!(bind("p2", "patient 1").await.unwrap(), login("p1"), "the first one stays");
    assert!(matches!(bind("p1", "patient 2").await, Err(AccountError::Taken { .. })));
    assert!(matches!(bind("liwei", "patient 2").await, Err(AccountError::Taken { .. })));
    assert_eq!(accounts.bound(&login("p1")).unwrap().as_deref(), Some("patient 1"));
    assert_eq!(accounts.bound(&login("liwei")).unwrap(), None);
}

#[tokio::test]
async fn accounts_are_listed_by_name_and_changed() {
    let (_folder, accounts) = with_liwei().await;
    accounts.create(at(0), login("wangfang"), doctor(), password(FIRST)).await.unwrap();
    let names = |listed: Vec<Account>| listed.into_iter().map(|a| a.login.to_string()).collect::<Vec<_>>();
    assert_eq!(names(accounts.list(None).unwrap()), ["liwei", "wangfang"]);
    assert_eq!(names(accounts.list(Some(&login("liwei"))).unwrap()), ["wangfang"]);
    let head = Profile { roles: ["head".parse().unwrap()].into(), ..doctor() };
    accounts.set_profile(login("liwei"), head.clone()).await.unwrap();
    assert_eq!(accounts.find(&login("liwei")).unwrap().unwrap().profile, head);
}

#[tokio::test]
async fn what_is_not_allowed_in_an_account_is_refused() {
    let (_folder, accounts) = with_liwei().await;
    let make = |profile: Profile, typed: &'static str| {
        accounts.create(at(0), login("zhaomin"), profile, password(typed))
    };
    let weak = make(doctor(), "short").await;
    assert!(matches!(weak, Err(AccountError::Password(PasswordFault::Short))));
    for name in ["", "  ", "a\nb"] {
        let profile = Profile { display_name: name.to_owned(), ..doctor() };
        assert!(matches!(
            make(profile, FIRST).await,
            Err(AccountError::Profile { field: "display_name", .. })
        ));
    }
    let roles = (0..=ROLES_MAX).map(|n| format!("r{n}").parse().unwrap()).collect();
    assert!(make(Profile { roles, ..doctor() }, FIRST).await.is_err());
    let taken = accounts.create(at(0), login("liwei"), doctor(), password(FIRST)).await;
    assert!(matches!(taken, Err(AccountError::Taken { .. })));
    let unknown = accounts.set_disabled(login("nobody"), true).await;
    assert!(matches!(unknown, Err(AccountError::Unknown { .. })));
}

#[tokio::test]
async fn a_damaged_record_is_named_with_the_remedy() {
    let (folder, accounts) = with_liwei().await;
    drop(accounts);
    let store = Store::open(folder.path()).unwrap();
    store.table("accounts").unwrap().set(b"liwei", b"{").unwrap();
    let said = Accounts::open(&store).unwrap().find(&login("liwei")).unwrap_err().to_string();
    assert!(said.contains("cannot be rebuilt") && said.contains("backup"), "{said}");
}

#[derive(Clone)]
struct Service {
    identity: Identity,
}

impl FromRef<Service> for Identity {
    fn from_ref(service: &Service) -> Self {
        service.identity.clone()
    }
}

#[derive(Deserialize)]
struct Typed {
    login: String,
    password: Password,
}

#[derive(Deserialize)]
struct Chosen {
    old: Password,
    new: Password,
}

async fn sign_in(
    State(service): State<Service>,
    from: ClientAddress,
    headers: HeaderMap,
    Json(typed): Json<Typed>,
) -> Result<impl IntoResponse, Problem> {
    let (account, cookie) = service.identity.sign_in(&headers, from, typed.login, typed.password).await?;
    Ok(([(header::SET_COOKIE, cookie)], account.login.to_string()))
}

async fn choose(
    State(service): State<Service>,
    Authenticated(account): Authenticated,
    from: ClientAddress,
    headers: HeaderMap,
    Json(chosen): Json<Chosen>,
) -> Result<impl IntoResponse, Problem> {
    let both = [chosen.old, chosen.new];
    let cookie = service.identity.choose_password(&headers, from, account.login, both).await?;
    Ok([(header::SET_COOKIE, cookie)])
}

async fn sign_out(State(service): State<Service>, headers: HeaderMap) -> Result<impl IntoResponse, Problem> {
    Ok([(header::SET_COOKIE, service.identity.sign_out(&headers).await?)])
}

struct House {
    _folder: TempDir,
    identity: Identity,
    router: Router,
    time: Arc<AtomicI64>,
}

impl House {
    async fn new() -> Self {
        let (folder, accounts) = with_liwei().await;
        let time = Arc::new(AtomicI64::new(0));
        let told = Arc::clone(&time);
        let identity = Identity {
            accounts,
            sessions: Sessions::open(&folder.path().join("sessions")).unwrap(),
            cookie: SessionCookie::new(&"renmin".parse().unwrap(), false),
            clock: Clock::new(move || at(told.load(Ordering::Relaxed))),
            refused: None,
        };
        let routes = Router::new()
            .route("/session", post(sign_in).delete(sign_out))
            .route("/password", post(choose))
            .route(
                "/who",
                get(|Authenticated(account): Authenticated| async move { account.login.to_string() }),
            )
            .route("/work", get(|SignedIn(account): SignedIn| async move { account.login.to_string() }))
            .with_state(Service { identity: identity.clone() });
        let config = HttpConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            hosts: vec!["localhost:8101".to_owned().try_into().unwrap()],
            https: false,
            proxies: Vec::new(),
        };
        Self { _folder: folder, identity, router: standard(routes, &config), time }
    }

    async fn ask(&self, method: &str, path: &str, cookie: &str, body: &str) -> Response<Body> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost:8101")
            .header("origin", "http://localhost:8101")
            .header("cookie", cookie)
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn status(&self, path: &str, cookie: &str) -> u16 {
        self.ask("GET", path, cookie, "").await.status().as_u16()
    }

    async fn enter(&self, typed: &str, before: &str) -> String {
        let body = format!(r#"{{"login": "liwei", "password": "{typed}"}}"#);
        cookie(&self.ask("POST", "/session", before, &body).await)
    }
}

fn cookie(response: &Response<Body>) -> String {
    assert_eq!(response.status(), 200);
    let set = response.headers()["set-cookie"].to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn nobody_works_without_a_session_or_with_a_first_password() {
    let house = House::new().await;
    assert_eq!(house.status("/work", "").await, 401);
    assert_eq!(house.status("/work", "yiqiao_renmin=AAAA").await, 401);
    let cookie = house.enter(FIRST, "").await;
    assert_eq!((house.status("/who", &cookie).await, house.status("/work", &cookie).await), (200, 403));
}

#[tokio::test]
async fn choosing_a_password_ends_all_other_sessions() {
    let house = House::new().await;
    let elsewhere = house.enter(FIRST, "").await;
    let before = house.enter(FIRST, "").await;
    house.time.store(1, Ordering::Relaxed);
    let same = format!(r#"{{"old": "{FIRST}", "new": "{FIRST}"}}"#);
    assert_eq!(house.ask("POST", "/password", &before, &same).await.status(), 422);
    let wrong = format!(r#"{{"old": "{SECOND}", "new": "Peach-2028!"}}"#);
    assert_eq!(house.ask("POST", "/password", &before, &wrong).await.status(), 401);
    let right = format!(r#"{{"old": "{FIRST}", "new": "{SECOND}"}}"#);
    let after = cookie(&house.ask("POST", "/password", &before, &right).await);
    assert_eq!(house.status("/work", &after).await, 200);
    assert_eq!((house.status("/who", &before).await, house.status("/who", &elsewhere).await), (401, 401));
}

#[tokio::test]
async fn sessions_end_by_signing_in_again_signing_out_idling_and_disabling() {
    let house = House::new().await;
    let first = house.enter(FIRST, "").await;
    let second = house.enter(FIRST, &first).await;
    assert_eq!((house.status("/who", &first).await, house.status("/who", &second).await), (401, 200));

    let response = house.ask("DELETE", "/session", &second, "").await;
    assert!(response.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(house.status("/who", &second).await, 401);

    let third = house.enter(FIRST, "").await;
    house.time.fetch_add(i64::try_from(SESSION_IDLE.get()).unwrap() / 1000, Ordering::Relaxed);
    assert_eq!(house.status("/who", &third).await, 401);

    let fourth = house.enter(FIRST, "").await;
    house.identity.accounts.set_disabled(login("liwei"), true).await.unwrap();
    assert_eq!(house.status("/who", &fourth).await, 401);
}

#[tokio::test]
async fn a_password_that_was_set_by_somebody_else_ends_the_session_by_itself() {
    let house = House::new().await;
    let cookie = house.enter(FIRST, "").await;
    house.identity.accounts.set_password(at(5), login("liwei"), password(SECOND), true).await.unwrap();
    assert_eq!(house.status("/who", &cookie).await, 401);
}

#[tokio::test]
async fn too_many_failures_are_answered_with_the_time_to_wait() {
    let house = House::new().await;
    let body = format!(r#"{{"login": "liwei", "password": "{SECOND}"}}"#);
    for _ in 0..5 {
        assert_eq!(house.ask("POST", "/session", "", &body).await.status(), 401);
    }
    let response = house.ask("POST", "/session", "", &body).await;
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "1"));
}
