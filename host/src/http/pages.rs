//! The built pages over HTTP: static files without any data, open to everybody who reaches the process.
//!
//! Files below `assets/` carry a hash of themselves in their name and are kept by browsers for a year; all others are asked for
//! again every time, and only sent if they have changed. The content policy is the one around every route.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::{Problem, kind};

/// A page's address and the file in which it begins, such as `("/", "doctor.html")`.
pub type Entry = (&'static str, &'static str);

/// A router that answers whatever no other route does: entries, assets, and "not found". To be merged last.
pub fn pages(entries: &[Entry]) -> Router {
    serving(entries, yiqiao_web::file)
}

type Find = fn(&str) -> Option<yiqiao_web::File>;

#[derive(Clone)]
struct Pages {
    entries: Arc<[Entry]>,
    find: Find,
}

fn serving(entries: &[Entry], find: Find) -> Router {
    Router::new().fallback(answer).with_state(Pages { entries: entries.into(), find })
}

async fn answer(State(pages): State<Pages>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return Problem::new(&kind::NOT_FOUND).into_response();
    }
    let path = uri.path();
    let entry = pages.entries.iter().find(|(address, _)| *address == path).map(|(_, file)| *file);
    match (entry, path.strip_prefix('/')) {
        (Some(file), _) => (pages.find)(file).map_or_else(not_built, |found| send(file, found, &headers)),
        // The entries of the other process are none here.
        (None, Some(file)) if !file.ends_with(".html") => match (pages.find)(file) {
            Some(found) => send(file, found, &headers),
            None => Problem::new(&kind::NOT_FOUND).into_response(),
        },
        (None, _) => Problem::new(&kind::NOT_FOUND).into_response(),
    }
}

fn send(path: &str, file: yiqiao_web::File, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", hex::encode(file.hash));
    let kept = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let about = [(CACHE_CONTROL, kept), (ETAG, tag.as_str())];
    if headers.get_all(IF_NONE_MATCH).iter().any(|known| *known == tag) {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    (about, [(CONTENT_TYPE, media_type(path))], Body::from(file.bytes)).into_response()
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("ico") => "image/vnd.microsoft.icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        Some(_) | None => "application/octet-stream",
    }
}

const NOT_BUILT: &str = "<!doctype html>
<html lang=\"zh-CN\"><meta charset=\"utf-8\"><title>Yiqiao 医桥</title>
<h1>页面尚未构建</h1>
<p>本程序编译时没有页面文件。请运行 <code>make pages</code>，重新编译后再启动。</p>
<h1 lang=\"en\">The pages are not built</h1>
<p lang=\"en\">This program was compiled without its pages. Run <code>make pages</code>, compile again, and restart.</p>
</html>
";

fn not_built() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(CONTENT_TYPE, "text/html; charset=utf-8")], NOT_BUILT).into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    const ENTRIES: &[Entry] = &[("/", "doctor.html"), ("/patient", "patient.html")];

    fn built(path: &str) -> Option<yiqiao_web::File> {
        let known = ["doctor.html", "bureau.html", "assets/a-1b2c.js", "favicon.svg"].contains(&path);
        known.then(|| yiqiao_web::File { bytes: path.as_bytes().to_vec().into(), hash: [7; 32] })
    }

    async fn get(path: &str, known: &str) -> (u16, HeaderMap, String) {
        let request = Request::get(path).header(IF_NONE_MATCH, known).body(Body::empty()).unwrap();
        let response = serving(ENTRIES, built).oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        (head.status.as_u16(), head.headers, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn an_entry_is_asked_for_again_and_sent_if_it_has_changed() {
        let (status, headers, body) = get("/", "\"other\"").await;
        assert_eq!((status, body.as_str()), (200, "doctor.html"));
        assert_eq!(headers[CACHE_CONTROL], "no-cache");
        assert_eq!(headers[CONTENT_TYPE], "text/html; charset=utf-8");
        let (status, _, body) = get("/", headers[ETAG].to_str().unwrap()).await;
        assert_eq!((status, body.as_str()), (304, ""));
    }

    #[tokio::test]
    async fn assets_are_kept_for_a_year() {
        let (status, headers, _) = get("/assets/a-1b2c.js", "").await;
        assert_eq!(
            (status, &headers[CONTENT_TYPE]),
            (200, &"text/javascript; charset=utf-8".parse().unwrap())
        );
        assert!(headers[CACHE_CONTROL].to_str().unwrap().ends_with("immutable"));
        assert_eq!(get("/favicon.svg", "").await.1[CACHE_CONTROL], "no-cache");
    }

    #[tokio::test]
    async fn what_is_no_page_here_is_not_found() {
        for path in ["/bureau.html", "/doctor.html", "/assets/other.js", "/api/other", "/patient/1"] {
            assert_eq!(get(path, "").await.0, 404, "{path}");
        }
    }

    #[tokio::test]
    async fn a_page_that_is_not_built_says_how_to_build_it() {
        let (status, _, body) = get("/patient", "").await;
        assert_eq!(status, 503);
        assert!(body.contains("make pages") && body.contains("页面尚未构建"));
    }
}
