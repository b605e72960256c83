//! DICOMweb out of one document: its study by WADO-RS, and what it holds by QIDO-RS (PS3.18), for viewers.
//!
//! The service root of a study is its document's, `/dicomweb/documents/{entry}`: the index knows no UID, and so a study that another
//! hospital has let go is found like one of this one. Each call opens the document, decided and written down. What queries ask for: [`query`].
//! Not here: rendered images, frames, bulk data.

mod query;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, WARNING};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::{Map, Value};
use yiqiao_dicom::archive::{List, Part};
use yiqiao_fhir::document::{Listing, Standing};
use yiqiao_fhir::outcome::Problem;
use yiqiao_fhir::search::{Token, Who};
use yiqiao_host::keys;
use yiqiao_intake::dicom::element::Unreadable;
use yiqiao_intake::dicom::instance::Instance;
use yiqiao_intake::dicom::json;
use yiqiao_node_core::audit::Act;
use yiqiao_node_core::machine::Input;
use yiqiao_proto::codes::DocumentFormat;
use yiqiao_proto::id::{Code, EntryId, Subject};

use super::answer::{Refusal, method};
use super::binary::{blocking, open, unsealed};
use super::caller::{Call, Right};
use super::{Door, documents, patients};
use crate::content::{self, Stretch};
use crate::limits::STUDIES_MAX;
use crate::vault::Document;

const JSON: &str = "application/dicom+json";
const INSTANCE: &str = "application/dicom";

/// The routes of a document, each written whole: a test reads from them what must not be open without a token.
pub(super) fn routes() -> Router<Door> {
    Router::new()
        // Where instances come in, too: `crate::api::stow`, which says what else is not served there.
        .route("/dicomweb/studies", get(of_patient))
        .route("/dicomweb/documents/{entry}/studies", get(studies).fallback(method))
        .route("/dicomweb/documents/{entry}/studies/{study}", get(retrieve).fallback(method))
        .route("/dicomweb/documents/{entry}/studies/{study}/metadata", get(metadata).fallback(method))
        .route(
            "/dicomweb/documents/{entry}/studies/{study}/series/{series}/metadata",
            get(metadata).fallback(method),
        )
        .route(
            "/dicomweb/documents/{entry}/studies/{study}/series/{series}/instances/{instance}/metadata",
            get(metadata).fallback(method),
        )
        .route("/dicomweb/documents/{entry}/studies/{study}/series", get(series).fallback(method))
        .route("/dicomweb/documents/{entry}/studies/{study}/instances", get(instances).fallback(method))
        .route("/dicomweb/documents/{entry}/studies/{study}/series/{series}", get(retrieve).fallback(method))
        .route(
            "/dicomweb/documents/{entry}/studies/{study}/series/{series}/instances",
            get(instances).fallback(method),
        )
        .route(
            "/dicomweb/documents/{entry}/studies/{study}/series/{series}/instances/{instance}",
            get(retrieve).fallback(method),
        )
}

/// The UIDs of a path: those that it names restrict what is answered.
type Named = Path<BTreeMap<String, String>>;

/// The parameters of a query.
type Asked = Query<Vec<(String, String)>>;

/// A study that was opened.
struct Study {
    document: Arc<Document>,
    list: List,
    /// Where its list ends.
    base: u64,
    entry: EntryId,
}

impl Study {
    /// Opens the document that a path names, if it is a study, and that one.
    async fn open(call: &Call, named: &BTreeMap<String, String>) -> Result<Self, Refusal> {
        call.may("Binary", Right::Read)?;
        let entry = named.get("entry").and_then(|entry| EntryId::from_hex(entry));
        let here = documents::here(call, entry).await?;
        let holder = here.holder(&call.site.organisation).clone();
        let study = Self::of(call, holder, here.listing(call)?.entry).await?;
        let is_it = named.get("study").is_none_or(|wanted| *wanted == study.list.study);
        if is_it { Ok(study) } else { Err(Problem::NotFound { kind: "study" }.into()) }
    }

    /// Opens a document, if it is a study.
    async fn of(call: &Call, holder: Code, entry: EntryId) -> Result<Self, Refusal> {
        let missing = || Refusal::from(Problem::NotFound { kind: "study" });
        let opened = open(call, Input::Open { actor: call.actor(), holder, entry }).await?;
        if opened.format != DocumentFormat::Dicom {
            return Err(missing());
        }
        let document = unsealed(call, *opened).await?;
        let (document, front) = blocking(move || {
            let front = content::front(&document)?;
            Ok((document, front))
        })
        .await?;
        let place = List::place(&front).map_err(|_| missing())?;
        let base = place.end as u64;
        let list = List::read(front.get(place).unwrap_or_default()).map_err(|_| missing())?;
        Ok(Self { document: Arc::new(document), list, base, entry })
    }

    /// The instances that a path names, in their order.
    fn parts(&self, named: &BTreeMap<String, String>) -> Vec<Part> {
        let fits = |key: &str, uid: &str| named.get(key).is_none_or(|wanted| wanted == uid);
        let parts = self.list.instances.iter();
        let parts = parts.filter(|part| fits("series", &part.listed.series));
        parts.filter(|part| fits("instance", &part.listed.instance)).cloned().collect()
    }

    /// What its first instance says of the study and of whose it is; nothing if that cannot be read.
    async fn attributes(&self) -> Result<Map<String, Value>, Refusal> {
        let Some(first) = self.list.instances.first() else { return Ok(Map::new()) };
        let (document, stretch) = (Arc::clone(&self.document), self.stretch(first));
        blocking(move || {
            let read = Instance::read(&mut content::reader(&document, stretch));
            Ok(read.map(|instance| query::of_instance(&instance)).unwrap_or_default())
        })
        .await
    }

    /// What QIDO-RS says of it.
    async fn row(&self, call: &Call) -> Result<Value, Refusal> {
        let distinct = |of: fn(&Part) -> &str| self.list.instances.iter().map(of).collect::<BTreeSet<&str>>();
        let modalities: Vec<&str> = distinct(|part| &part.listed.modality).into_iter().collect();
        let series = distinct(|part| &part.listed.series).len();
        let mut found = self.attributes().await?;
        put(&mut found, "00080061", "CS", &modalities);
        put(&mut found, "00081190", "UR", &[self.address(call)]);
        put(&mut found, "0020000D", "UI", &[&self.list.study]);
        put(&mut found, "00201206", "IS", &[series]);
        put(&mut found, "00201208", "IS", &[self.list.instances.len()]);
        Ok(Value::Object(found))
    }

    /// What is listed of an instance.
    fn listed(&self, part: &Part) -> Map<String, Value> {
        let (mut found, listed) = (Map::new(), &part.listed);
        put(&mut found, "00080016", "UI", &[&listed.sop_class]);
        put(&mut found, "00080018", "UI", &[&listed.instance]);
        put(&mut found, "00080060", "CS", &[&listed.modality]);
        put(&mut found, "0020000D", "UI", &[&self.list.study]);
        put(&mut found, "0020000E", "UI", &[&listed.series]);
        put(&mut found, "00200013", "IS", &listed.number.into_iter().collect::<Vec<_>>());
        put(&mut found, "00280008", "IS", &listed.frames.into_iter().collect::<Vec<_>>());
        put(&mut found, "00280010", "US", &listed.rows.into_iter().collect::<Vec<_>>());
        put(&mut found, "00280011", "US", &listed.columns.into_iter().collect::<Vec<_>>());
        found
    }

    /// What an instance says but for its bulk data; what is listed of it if it cannot be understood or says too much.
    fn said(&self, part: &Part) -> io::Result<String> {
        match json::write(&mut content::reader(&self.document, self.stretch(part))) {
            Ok(said) => Ok(said),
            Err(Unreadable::Source(kind)) => Err(kind.into()),
            Err(_) => Ok(Value::Object(self.listed(part)).to_string()),
        }
    }

    /// Where it is retrieved.
    fn address(&self, call: &Call) -> String {
        let base = call.site.base.trim_end_matches("/fhir");
        format!("{base}/dicomweb/documents/{}/studies/{}", self.entry, self.list.study)
    }

    fn stretch(&self, part: &Part) -> Stretch {
        let from = self.base + part.offset;
        Stretch { from, until: from + part.length }
    }
}

/// WADO-RS: the instances of a study, a series, or one.
async fn retrieve(call: Call, Path(named): Named) -> Result<Response, Refusal> {
    let study = Study::open(&call, &named).await?;
    let parts = study.parts(&named);
    let Some(first) = parts.first() else {
        return Err(Problem::NotFound { kind: "instance" }.into());
    };
    let accepted = call.header(&ACCEPT).trim();
    if parts.len() == 1 && accepted.starts_with(INSTANCE) && !accepted.starts_with(JSON) {
        let bytes = content::stretched(Arc::clone(&study.document), study.stretch(first));
        return Ok(answer(&of_part(first), first.length, Body::from_stream(bytes)));
    }
    let boundary = hex::encode(keys::random::<16>());
    let head =
        |part: &Part| Bytes::from(format!("\r\n--{boundary}\r\nContent-Type: {}\r\n\r\n", of_part(part)));
    let pieces: Vec<(Bytes, Stretch)> = parts.iter().map(|part| (head(part), study.stretch(part))).collect();
    let end = Bytes::from(format!("\r\n--{boundary}--\r\n"));
    let inner: u64 = pieces.iter().map(|(head, part)| head.len() as u64 + part.until - part.from).sum();
    let length = inner + end.len() as u64;
    let document = study.document;
    let bytes = stream::iter(pieces).flat_map(move |(head, stretch)| {
        let head = stream::once(async move { Ok::<_, io::Error>(head) });
        head.chain(content::stretched(Arc::clone(&document), stretch))
    });
    let kind = format!("multipart/related; type=\"{INSTANCE}\"; boundary={boundary}");
    Ok(answer(&kind, length, Body::from_stream(bytes.chain(stream::once(async move { Ok(end) })))))
}

/// The media type of an instance.
fn of_part(part: &Part) -> String {
    match part.listed.transfer_syntax.as_str() {
        "" => INSTANCE.to_owned(),
        syntax => format!("{INSTANCE}; transfer-syntax={syntax}"),
    }
}

/// WADO-RS: what the instances of a study, a series, or one say but for their pixels and other bulk data, each read when the one before has
/// gone out.
async fn metadata(call: Call, Path(named): Named) -> Result<Response, Refusal> {
    let study = Arc::new(Study::open(&call, &named).await?);
    let parts = study.parts(&named);
    if parts.is_empty() {
        return Err(Problem::NotFound { kind: "instance" }.into());
    }
    let pieces = stream::iter(parts.into_iter().enumerate()).then(move |(place, part)| {
        let study = Arc::clone(&study);
        async move {
            let read = tokio::task::spawn_blocking(move || study.said(&part));
            let said = read.await.map_err(io::Error::other)??;
            Ok::<_, io::Error>(Bytes::from(if place == 0 { said } else { format!(",{said}") }))
        }
    });
    let bracket = |text: &'static str| stream::once(async move { Ok(Bytes::from_static(text.as_bytes())) });
    let body = Body::from_stream(bracket("[").chain(pieces).chain(bracket("]")));
    Ok(([(CONTENT_TYPE, HeaderValue::from_static(JSON))], body).into_response())
}

/// QIDO-RS: the studies of a patient, of this hospital and of others that have let them go.
async fn of_patient(call: Call, Query(mut asked): Asked) -> Result<Response, Refusal> {
    call.may("Binary", Right::Read)?;
    call.may("DocumentReference", Right::Search)?;
    let is_number = |(name, _): &(String, String)| query::is_number_of_patient(name);
    let number = asked.iter().find(|asked| is_number(asked)).map(|(_, number)| number.clone());
    let number = number.ok_or(Problem::Unbounded { parameters: "PatientID" })?;
    // Studies of other hospitals have other numbers of the same patient.
    asked.retain(|asked| !is_number(asked));
    let who = Who::Identifier(Token { system: None, value: number.into() });
    let patients = patients::of(&call, &who).await?;
    let subjects: Vec<Subject> = patients.iter().map(|patient| patient.subject).collect();
    call.audited(&subjects, Act::View).await?;
    let mut listings: Vec<Listing> =
        documents::of_patients(&call, &patients).await?.into_iter().map(|(listing, _)| listing).collect();
    listings
        .retain(|listing| listing.format == DocumentFormat::Dicom && listing.standing == Standing::Current);
    listings.sort_by_key(|listing| Reverse((listing.filed_at, listing.entry)));
    let beyond = listings.len().saturating_sub(STUDIES_MAX);
    let mut rows = Vec::new();
    for listing in listings.iter().take(STUDIES_MAX) {
        match Study::of(&call, listing.custodian.clone(), listing.entry).await {
            Ok(study) => rows.push(study.row(&call).await?),
            // What may not be opened is as if it were not there.
            Err(refusal) if refusal.is_of_this_one() => {}
            Err(refusal) => return Err(refusal),
        }
    }
    let mut response = listed(&asked, rows)?;
    if beyond > 0 {
        let more = format!("299 yiqiao \"{beyond} older documents of the patient were not looked at\"");
        response.headers_mut().extend(HeaderValue::try_from(more).ok().map(|more| (WARNING, more)));
    }
    Ok(response)
}

/// QIDO-RS: the study of this document.
async fn studies(call: Call, Path(named): Named, Query(asked): Asked) -> Result<Response, Refusal> {
    let study = Study::open(&call, &named).await?;
    listed(&asked, vec![study.row(&call).await?])
}

/// QIDO-RS: its series.
async fn series(call: Call, Path(named): Named, Query(asked): Asked) -> Result<Response, Refusal> {
    let study = Study::open(&call, &named).await?;
    let mut all: BTreeMap<(Option<i32>, String), Vec<Part>> = BTreeMap::new();
    for part in study.parts(&named) {
        all.entry((part.listed.series_number, part.listed.series.clone())).or_default().push(part);
    }
    let one = |((number, uid), parts): ((Option<i32>, String), Vec<Part>)| {
        let mut found = Map::new();
        let first = parts.first().map(|part| &part.listed);
        put(
            &mut found,
            "00080060",
            "CS",
            &first.map(|first| &first.modality).into_iter().collect::<Vec<_>>(),
        );
        let description = first.and_then(|first| first.series_description.as_ref());
        put(&mut found, "0008103E", "LO", &description.into_iter().collect::<Vec<_>>());
        put(&mut found, "0020000D", "UI", &[&study.list.study]);
        put(&mut found, "0020000E", "UI", &[uid]);
        put(&mut found, "00200011", "IS", &number.into_iter().collect::<Vec<_>>());
        put(&mut found, "00201209", "IS", &[parts.len()]);
        Value::Object(found)
    };
    listed(&asked, all.into_iter().map(one).collect())
}

/// QIDO-RS: its instances, or those of a series.
async fn instances(call: Call, Path(named): Named, Query(asked): Asked) -> Result<Response, Refusal> {
    let study = Study::open(&call, &named).await?;
    let rows = study.parts(&named).iter().map(|part| Value::Object(study.listed(part))).collect();
    listed(&asked, rows)
}

/// An attribute of the DICOM JSON model (PS3.18 annex F).
fn put<T: serde::Serialize>(into: &mut Map<String, Value>, tag: &str, vr: &str, values: &[T]) {
    let attribute = if values.is_empty() {
        serde_json::json!({ "vr": vr })
    } else {
        serde_json::json!({"vr": vr, "Value": values})
    };
    into.insert(tag.to_owned(), attribute);
}

fn listed(asked: &[(String, String)], rows: Vec<Value>) -> Result<Response, Refusal> {
    let text = Value::Array(query::matching(asked, rows)?).to_string();
    Ok(answer(JSON, text.len() as u64, Body::from(text)))
}

fn answer(kind: &str, length: u64, body: Body) -> Response {
    let mut response = (StatusCode::OK, body).into_response();
    let kind = HeaderValue::try_from(kind).unwrap_or(HeaderValue::from_static(INSTANCE));
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}
