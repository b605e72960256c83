//! Who calls, what for, and in which format: the extractor of every route but the open ones.
//!
//! Scopes are those of SMART App Launch 2.0 for systems: `system/Type.cruds`, with `*` for every type.

use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use futures::future::join_all;
use yiqiao_fhir::outcome::Problem;
use yiqiao_fhir::resource::Site;
use yiqiao_host::clients::{AuthorizedClient, permit};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::audit::Act;
use yiqiao_node_core::machine::{Input, Outcome};
use yiqiao_proto::id::{Code, Subject};

use super::Door;
use super::answer::{Prefer, Refusal};
use crate::sequencer::NotTaken;

/// An authorized system's call.
pub(super) struct Call {
    pub(super) door: Door,
    pub(super) site: Site,
    pub(super) system: Code,
    pub(super) headers: HeaderMap,
    client: AuthorizedClient,
    format: Format,
}

/// Which form of an answer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A FHIR resource, by name.
    Fhir,
    /// Whatever there is.
    Any,
    /// Something else.
    Other,
}

/// What a scope lets a system do with a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    Create,
    Read,
    Update,
    Search,
}

impl Right {
    const fn letter(self) -> char {
        match self {
            Self::Create => 'c',
            Self::Read => 'r',
            Self::Update => 'u',
            Self::Search => 's',
        }
    }
}

impl FromRequestParts<Door> for Call {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Refusal> {
        let client = AuthorizedClient::from_request_parts(parts, &door.app).await;
        let client = client.map_err(Refusal::of_token)?;
        let system = Code::new(client.client.id.as_str()).map_err(|_| Problem::Forbidden)?;
        Ok(Self {
            site: site(door, &parts.headers),
            system,
            format: format(parts),
            headers: parts.headers.clone(),
            client,
            door: door.clone(),
        })
    }
}

impl Call {
    /// Lets a call through whose token is good for it, and whose answer can be in a format that it takes.
    pub(super) fn allow(&self, kind: &str, right: Right) -> Result<(), Refusal> {
        self.may(kind, right)?;
        if self.format == Format::Other { Err(Problem::Format.into()) } else { Ok(()) }
    }

    /// The same whatever the format.
    pub(super) fn may(&self, kind: &str, right: Right) -> Result<(), Refusal> {
        if permit(&self.client.scopes, kind, right.letter()) {
            return Ok(());
        }
        Err(Refusal::scope(format!("system/{kind}.{}", right.letter())))
    }

    pub(super) const fn format(&self) -> Format {
        self.format
    }

    pub(super) fn actor(&self) -> Actor {
        Actor::System(self.system.clone())
    }

    pub(super) fn prefer(&self) -> Prefer {
        Prefer::read(self.header(&HeaderName::from_static("prefer")))
    }

    /// A header's value, empty if there is none that is text.
    pub(super) fn header(&self, name: &HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Writes down that a system reads of these patients. Before the answer: what is not written down is not answered.
    pub(super) async fn audited(&self, subjects: &[Subject], act: Act) -> Result<(), Refusal> {
        let line = |subject: &Subject| self.look(Some(*subject), act);
        for line in join_all(subjects.iter().map(line)).await {
            line?;
        }
        Ok(())
    }

    /// Writes down that a system looked for a patient and found nobody.
    pub(super) async fn found_nobody(&self) -> Result<(), Refusal> {
        Ok(self.look(None, Act::Find).await.map(drop)?)
    }

    fn look(
        &self,
        subject: Option<Subject>,
        act: Act,
    ) -> impl Future<Output = Result<Outcome, NotTaken>> + use<> {
        self.door.app.inbox.hand(Input::Look { actor: self.actor(), subject, act })
    }
}

/// Where the door is, as the client has named it: the host was checked to be one of this node's.
pub(super) fn site(door: &Door, headers: &HeaderMap) -> Site {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let scheme = if door.app.member.https { "https" } else { "http" };
    let member = &door.app.member;
    Site {
        base: format!("{scheme}://{host}/fhir"),
        organisation: member.code.clone(),
        name: member.name.clone(),
    }
}

/// `_format` says it, or else `Accept` (FHIR R4, http.html#mime-type).
fn format(parts: &Parts) -> Format {
    let mut pairs = parts.uri.query().unwrap_or_default().split('&');
    let asked = pairs.find_map(|pair| pair.strip_prefix("_format="));
    if let Some(asked) = asked {
        let plain = asked.replace("%2F", "/").replace("%2f", "/").replace("%2B", "+").replace("%2b", "+");
        return if is_fhir(&plain) { Format::Fhir } else { Format::Other };
    }
    let lines: Vec<_> = parts.headers.get_all(ACCEPT).iter().map(HeaderValue::to_str).collect();
    let mut ranges = lines.iter().flatten().flat_map(|line| line.split(',')).map(str::trim).peekable();
    if ranges.peek().is_none() {
        return Format::Any;
    }
    ranges.map(of_range).min_by_key(|format| *format as u8).unwrap_or(Format::Any)
}

/// One media range of `Accept`.
fn of_range(range: &str) -> Format {
    let essence = range.split(';').next().unwrap_or_default().trim();
    let foreign = range.split(';').skip(1).map(str::trim).any(|parameter| {
        parameter.strip_prefix("fhirVersion=").is_some_and(|version| !version.starts_with("4.0"))
            || parameter == "q=0"
    });
    match essence {
        _ if foreign => Format::Other,
        "*/*" | "application/*" => Format::Any,
        essence if is_fhir(essence) => Format::Fhir,
        _ => Format::Other,
    }
}

fn is_fhir(text: &str) -> bool {
    // A plus that was not escaped comes as a space.
    matches!(
        text.replace(' ', "+").as_str(),
        "json" | "application/json" | "application/fhir+json" | "text/json"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(uri: &str, accept: &[&str]) -> Format {
        let start = axum::http::Request::builder().uri(uri);
        let request = accept.iter().fold(start, |request, line| request.header(ACCEPT, *line)).body(());
        format(&request.unwrap().into_parts().0)
    }

    #[test]
    fn the_format_is_that_of_the_query_or_else_that_of_the_header() {
        assert_eq!(asked("/", &[]), Format::Any);
        assert_eq!(asked("/", &["application/fhir+json; fhirVersion=4.0"]), Format::Fhir);
        assert_eq!(asked("/", &["application/fhir+json;fhirVersion=3.0"]), Format::Other);
        assert_eq!(asked("/", &["application/fhir+xml, */*;q=0.1"]), Format::Any);
        assert_eq!(asked("/", &["application/fhir+xml"]), Format::Other);
        assert_eq!(asked("/", &["text/html", "application/json"]), Format::Fhir);
        assert_eq!(asked("/?_format=json", &["text/html"]), Format::Fhir);
        assert_eq!(asked("/?a=b&_format=application%2Ffhir%2Bjson", &[]), Format::Fhir);
        assert_eq!(asked("/?_format=xml", &["application/json"]), Format::Other);
    }
}
