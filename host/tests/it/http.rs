//! The layers around a router, and the server loop on a real socket.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, Request, Response, header};
use axum::routing::{get, post};
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;
use yiqiao_host::http::{Health, HttpConfig, Json, Problem, kind, not_found, serve, standard};
use yiqiao_host::limits::{ANSWER_WAIT, BODY_BYTES_MAX};

fn config() -> HttpConfig {
    HttpConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        hosts: vec!["localhost:8101".to_owned().try_into().unwrap()],
        https: false,
        proxies: Vec::new(),
    }
}

fn router() -> Router {
    let asset = ([(header::CACHE_CONTROL, "public, max-age=31536000, immutable")], "asset");
    let big = post(|body: Bytes| async move { body.len().to_string() });
    let health = Health { live: true, ready: true, version: "1.2.3" };
    let routes = Router::new()
        .route("/patients/{id}", get(|| async { "ok" }))
        .route("/panic", get(|| async { std::future::ready(()).map_panic() }))
        .route("/slow", get(std::future::pending::<String>))
        .route("/body", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/big", big.layer(DefaultBodyLimit::max(2 * BODY_BYTES_MAX)))
        .route("/json", post(|Json(number): Json<u32>| async move { Json(number) }))
        .route("/asset", get(|| async move { asset }))
        .route("/healthz", get(move || async move { health }))
        .route("/denied", get(|| async { Problem::new(&kind::FORBIDDEN) }))
        .fallback(not_found);
    standard(routes, &config())
}

trait MapPanic {
    fn map_panic(self) -> &'static str;
}

impl<T> MapPanic for T {
    #[expect(clippy::panic, reason = "what a faulty handler does")]
    fn map_panic(self) -> &'static str {
        let patient = "张三丰";
        panic!("no bed for {patient}")
    }
}

fn request(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header("host", "localhost:8101");
    request.header("content-type", "application/json").body(body.into()).unwrap()
}

async fn answer(request: Request<Body>) -> Response<Body> {
    router().oneshot(request).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    for path in ["/patients/1", "/nothing", "/denied", "/panic"] {
        let response = answer(request("GET", path, "")).await;
        let headers = response.headers();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert_eq!(headers["x-request-id"].len(), 16, "{path}");
        assert!(!headers.contains_key("strict-transport-security"), "{path}");
    }
}

#[tokio::test]
async fn an_asset_may_say_how_long_it_keeps() {
    let response = answer(request("GET", "/asset", "")).await;
    assert_eq!(response.headers()["cache-control"], "public, max-age=31536000, immutable");
}

#[tokio::test]
async fn over_https_browsers_are_told_to_stay_there() {
    let router = standard(Router::new(), &HttpConfig { https: true, ..config() });
    let response = router.oneshot(request("GET", "/", "")).await.unwrap();
    assert_eq!(response.headers()["strict-transport-security"], "max-age=31536000");
}

#[tokio::test]
async fn the_access_line_holds_the_template_and_not_the_path() {
    let lines = Lines::default();
    let to = lines.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || to.clone()).finish();
    let logging = tracing::subscriber::set_default(subscriber);
    for request in [
        request("GET", "/patients/110101199003078515?name=zhang", ""),
        request("GET", "/nothing/110101199003078515", ""),
        request("X110101199003078515", "/patients/1", ""),
    ] {
        answer(request).await;
    }
    drop(logging);
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("\"route\":\"/patients/{id}\"") && logged.contains("\"status\":200"), "{logged}");
    assert!(logged.contains("\"route\":\"-\"") && logged.contains("\"method\":\"other\""), "{logged}");
    assert!(!logged.contains("110101199003078515") && !logged.contains("zhang"), "{logged}");
}

#[tokio::test]
async fn a_panic_becomes_an_answer_without_details() {
    let response = answer(request("GET", "/panic", "")).await;
    assert_eq!(response.status(), 500);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let text = text(response).await;
    assert!(!text.contains("bed") && !text.contains("张三丰"), "{text}");
}

#[tokio::test]
async fn a_request_for_another_host_is_not_answered() {
    let mut foreign = request("GET", "/patients/1", "");
    foreign.headers_mut().insert("host", HeaderValue::from_static("evil.example"));
    assert_eq!(answer(foreign).await.status(), 421);
}

#[tokio::test]
async fn a_foreign_page_cannot_change_anything() {
    let mut foreign = request("POST", "/json", "1");
    foreign.headers_mut().insert("origin", HeaderValue::from_static("http://localhost:8102"));
    assert_eq!(answer(foreign).await.status(), 403);
    let mut own = request("POST", "/json", "1");
    own.headers_mut().insert("origin", HeaderValue::from_static("http://localhost:8101"));
    assert_eq!(text(answer(own).await).await, "1");
}

#[tokio::test]
async fn bodies_are_bounded_and_a_route_may_set_its_own_bound() {
    let body = || vec![b'1'; BODY_BYTES_MAX + 1];
    assert_eq!(answer(request("POST", "/body", body())).await.status(), 413);
    assert_eq!(answer(request("POST", "/json", body())).await.status(), 413);
    assert_eq!(text(answer(request("POST", "/big", body())).await).await, (BODY_BYTES_MAX + 1).to_string());
    assert_eq!(answer(request("POST", "/big", vec![0; 3 * BODY_BYTES_MAX])).await.status(), 413);
}

#[tokio::test]
async fn a_json_body_is_refused_as_a_problem() {
    let response = answer(request("POST", "/json", "\"x\"")).await;
    assert_eq!(response.status(), 422);
    assert!(text(response).await.contains("expected u32"));
    let mut other = request("POST", "/json", "1");
    other.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
    assert_eq!(answer(other).await.status(), 415);
}

#[tokio::test]
async fn health_is_answered_with_the_version() {
    let response = answer(request("GET", "/healthz", "")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(text(response).await, r#"{"live":true,"ready":true,"version":"1.2.3"}"#);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_does_not_answer_is_given_up() {
    let response = answer(request("GET", "/slow", "")).await;
    assert_eq!(response.status(), 503);
    assert!(text(response).await.contains("took-too-long"));
}

#[tokio::test(start_paused = true)]
async fn a_long_upload_goes_on_as_long_as_it_moves() {
    let pieces = |pause: Duration| {
        futures::stream::iter(0..10).then(move |_| async move {
            tokio::time::sleep(pause).await;
            Ok::<_, io::Error>("piece")
        })
    };
    let moving = Body::from_stream(pieces(ANSWER_WAIT / 2));
    assert_eq!(text(answer(request("POST", "/body", moving)).await).await, "50");
    let still = Body::from_stream(pieces(ANSWER_WAIT * 2));
    assert_eq!(answer(request("POST", "/body", still)).await.status(), 503);
}

#[tokio::test(start_paused = true)]
async fn a_long_answer_is_not_cut() {
    let pieces = || {
        let pieces = futures::stream::iter(0..10).then(|_| async {
            tokio::time::sleep(ANSWER_WAIT).await;
            Ok::<_, io::Error>("piece")
        });
        std::future::ready(Body::from_stream(pieces))
    };
    let router = standard(Router::new().route("/", get(pieces)), &config());
    let response = router.oneshot(request("GET", "/", "")).await.unwrap();
    assert_eq!(text(response).await.len(), 50);
}

#[tokio::test]
async fn the_server_stops_gracefully_and_in_bounded_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (started, mut running) = tokio::sync::mpsc::channel::<()>(1);
    let (finish, finished) = tokio::sync::watch::channel(false);
    let handler = move || {
        let (started, mut finished) = (started.clone(), finished.clone());
        async move {
            started.send(()).await.unwrap();
            finished.wait_for(|finished| *finished).await.unwrap();
            "done"
        }
    };
    let router = standard(Router::new().route("/", get(handler)), &config());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, router, async { stopped.await.unwrap() }));

    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: localhost:8101\r\n\r\n").await.unwrap();
    let idle = TcpStream::connect(address).await.unwrap();
    running.recv().await.unwrap();
    stop.send(()).unwrap();
    finish.send(true).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\ndone"), "{answer}");
    assert_eq!(server.await.unwrap(), 0);
    drop(idle);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_does_not_finish_is_cut() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (started, mut running) = tokio::sync::mpsc::channel::<()>(1);
    let handler = move || {
        let started = started.clone();
        async move {
            started.send(()).await.unwrap();
            std::future::pending::<&'static str>().await
        }
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let router = Router::new().route("/", get(handler));
    let server = tokio::spawn(serve(listener, router, async { stopped.await.unwrap() }));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: localhost:8101\r\n\r\n").await.unwrap();
    running.recv().await.unwrap();
    stop.send(()).unwrap();
    assert_eq!(server.await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_no_whole_head_is_cut() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, router(), std::future::pending()));
    for sent in ["", "GET / HTTP/1.1\r\nhost: loc"] {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    server.abort();
}
