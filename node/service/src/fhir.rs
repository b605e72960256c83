//! `/fhir`: FHIR R4 for the hospital's systems. What resources look like is `yiqiao_fhir`'s; here is HTTP, who may, and where things
//! come from.
//!
//! | to find | look in |
//! |---|---|
//! | who calls, scopes, formats | [`caller`] |
//! | answers and errors | [`answer`] |
//! | searches and their pages | [`page`] |
//! | the types | [`patients`], [`documents`], [`binary`], [`consents`], [`referrals`] |
//! | what documents say | [`everything`] |
//! | what is handed in | [`transaction`] |
//! | studies of DICOM, for viewers | [`study`] |
//! | the same for web services: XDS.b | [`xds`] |
//!
//! Every reading of a patient's data is written down before it is answered. Everything below `/fhir` that goes wrong is answered by an
//! OperationOutcome.

mod answer;
mod binary;
mod caller;
mod consents;
mod documents;
mod everything;
mod page;
mod patients;
mod referrals;
mod study;
mod transaction;
mod xds;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRef, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post, put};
use yiqiao_fhir::capability::{self, Software};
use yiqiao_fhir::limits::{PROVIDE_BYTES_MAX, QUERY_BYTES_MAX};
use yiqiao_fhir::outcome::Problem;
use yiqiao_fhir::search::{
    ConsentFilter, DocumentFilter, PatientFilter, ServiceRequestFilter, StatedFilter, TaskFilter,
};
use yiqiao_host::clients::Systems;
use yiqiao_host::keys;
use yiqiao_node_core::at_rest::AtRest;
use yiqiao_proto::time::Timestamp;
use zeroize::Zeroizing;

pub(crate) use self::answer::in_its_words;
use self::answer::{Refusal, method, unknown};
use self::caller::Call;
use self::page::Searched;
use crate::app::App;

/// What the routes work with.
#[derive(Clone)]
struct Door {
    app: App,
    /// Seals where pages go on, for as long as this process runs.
    pages: Arc<AtRest>,
    since: Timestamp,
}

impl FromRef<Door> for Systems {
    fn from_ref(door: &Door) -> Self {
        door.app.systems.clone()
    }
}

/// The door.
pub(crate) fn router(app: App) -> Router {
    let pages = Arc::new(AtRest::new(&Zeroizing::new(keys::random())));
    let door = Door { since: app.clock().now(), app, pages };
    let take = post(transaction::take).layer(DefaultBodyLimit::max(PROVIDE_BYTES_MAX)).fallback(method);
    let inner = Router::new()
        .route("/metadata", get(metadata).fallback(method))
        .route("/", take.clone())
        .merge(kind::<PatientFilter>(None, get(patients::read)))
        .route("/Patient/{id}/$everything", get(everything::read).fallback(method))
        .merge(kind::<DocumentFilter>(None, get(documents::read)))
        .route("/Binary", post(binary::create).layer(DefaultBodyLimit::disable()).fallback(method))
        .route("/Binary/{id}", get(binary::read).fallback(method))
        .merge(kind::<ConsentFilter>(
            Some(post(consents::create)),
            get(consents::read).merge(put(consents::update)),
        ))
        .merge(kind::<ServiceRequestFilter>(None, get(referrals::read::<ServiceRequestFilter>)))
        .merge(searches::<StatedFilter<0>>(None))
        .merge(searches::<StatedFilter<1>>(None))
        .merge(searches::<StatedFilter<2>>(None))
        .merge(searches::<StatedFilter<3>>(None))
        .merge(searches::<StatedFilter<4>>(None))
        .merge(searches::<StatedFilter<5>>(None))
        .merge(searches::<StatedFilter<6>>(None))
        .merge(kind::<TaskFilter>(None, get(referrals::read::<TaskFilter>).merge(put(referrals::update))))
        .fallback(unknown);
    // Clients write the base with and without a slash at its end.
    Router::new()
        .nest("/fhir", inner)
        .route("/fhir/", take)
        .merge(study::routes())
        .merge(xds::routes())
        .with_state(door)
}

/// The routes of a type: its searches, and what one of it takes.
fn kind<F: Searched>(all: Option<MethodRouter<Door>>, one: MethodRouter<Door>) -> Router<Door> {
    searches::<F>(all).route(&format!("/{}/{{id}}", F::KIND), one.fallback(method))
}

fn searches<F: Searched>(all: Option<MethodRouter<Door>>) -> Router<Door> {
    let by_query = get(by_query::<F>);
    let by_query = match all {
        Some(more) => by_query.merge(more),
        None => by_query,
    };
    let path = |end: &str| format!("/{}{end}", F::KIND);
    Router::new()
        .route(&path(""), by_query.fallback(method))
        .route(&path("/_search"), post(by_form::<F>).fallback(method))
}

async fn by_query<F: Searched>(call: Call, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    page::search::<F>(&call, query.as_deref().unwrap_or_default(), "").await
}

async fn by_form<F: Searched>(
    call: Call,
    RawQuery(query): RawQuery,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    page::is_form(&call)?;
    let body = transaction::whole(body, QUERY_BYTES_MAX)?;
    let form =
        str::from_utf8(&body).map_err(|_| Problem::Refused { why: "the form is not UTF-8".to_owned() })?;
    page::search::<F>(&call, query.as_deref().unwrap_or_default(), form).await
}

/// `GET /fhir/metadata`
async fn metadata(State(door): State<Door>, headers: HeaderMap) -> Response {
    let site = caller::site(&door, &headers);
    let software = Software {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        date: door.since,
        token_url: token_url(&site.base),
    };
    answer::resource(StatusCode::OK, &capability::statement(&site, &software))
}

fn token_url(base: &str) -> String {
    format!("{}/oauth2/token", base.trim_end_matches("/fhir"))
}
