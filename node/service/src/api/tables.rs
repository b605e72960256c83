//! `POST /api/tables/{name}`: a table that the configuration declares, as CSV or JSON lines, of a system that signs in by OAuth 2.0 (scope
//! `intake`). Answered as `POST /api/intake` is, document by document. Not here: what the columns are: `[[table]]` in `node.toml`.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::routing::post;
use yiqiao_host::clients::AuthorizedClient;
use yiqiao_host::http::{Problem, kind, method_not_allowed};
use yiqiao_intake::limits::INPUT_BYTES_MAX;
use yiqiao_node_core::connection::Door;
use yiqiao_proto::id::Code;

use crate::api::intake::{SCOPE, answer};
use crate::app::App;

pub(super) fn router(app: App) -> Router {
    let take = post(take).fallback(method_not_allowed);
    Router::new()
        .route("/api/tables/{name}", take)
        .layer(DefaultBodyLimit::max(INPUT_BYTES_MAX))
        .with_state(app)
}

async fn take(
    State(app): State<App>,
    client: AuthorizedClient,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    client.require(SCOPE)?;
    let system = Code::new(client.client.id.as_str());
    let system = system.map_err(|error| Problem::new(&kind::FORBIDDEN).detail(error.to_string()))?;
    let unknown = || Problem::new(&kind::NOT_FOUND).detail("no table of this name is configured");
    let table = app.reception.table(&name).ok_or_else(unknown)?;
    let input = (body.to_vec(), charset(&headers));
    answer(app.reception.take_table(&system, Door::Http, table, input).await)
}

/// The character set that the media type names.
fn charset(headers: &HeaderMap) -> Option<String> {
    let written = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let named = written.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let named = named.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    named.map(|(_, charset)| charset.trim().trim_matches('"').to_owned())
}
