//! Searches and their pages: the whole search and where it goes on are sealed into a token, so that no URL says anything of a patient.
//!
//! A token is good for the system that it was given to, for its type, and as long as the process runs.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use yiqiao_fhir::bundle;
use yiqiao_fhir::limits::{COUNT_MAX, PAGE_TOKEN_BYTES_MAX};
use yiqiao_fhir::outcome::Problem;
use yiqiao_fhir::query::Request;
use yiqiao_fhir::resource::Resource;
use yiqiao_fhir::search::{self, Asked, Filter, PageToken, Search};
use yiqiao_host::keys;
use yiqiao_proto::entropy::Entropy;

use super::answer::{self, Refusal};
use super::caller::{Call, Right};

/// Pages that one count looks through.
const COUNTED_PAGES_MAX: usize = 64;

/// A type that can be searched.
pub(super) trait Searched: Filter + Send + Sync + 'static {
    /// What is found from a place on, at most as many as asked for, written down in the audit.
    fn find(call: &Call, page: &Page<Self>) -> impl Future<Output = Result<Found, Refusal>> + Send;
}

/// What is asked for: a search, and where in it.
pub(super) struct Page<F> {
    pub(super) search: Search<F>,
    /// Where it goes on; none at its start.
    pub(super) cursor: Option<String>,
    parameters: String,
    lenient: bool,
    token: Option<PageToken>,
}

/// One page.
pub(super) struct Found {
    pub(super) page: bundle::Page,
    /// Where the next begins, if there is one.
    pub(super) next: Option<String>,
}

impl Found {
    /// Resources with nothing beside them.
    pub(super) fn of(found: Vec<Resource>, next: Option<String>) -> Self {
        Self { page: bundle::Page { found, ..bundle::Page::default() }, next }
    }
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    parameters: String,
    lenient: bool,
    cursor: String,
}

/// Answers a search: its parameters are those of the URL and those of the form.
pub(super) async fn search<F: Searched>(call: &Call, query: &str, form: &str) -> Result<Response, Refusal> {
    call.allow(F::KIND, Right::Search)?;
    let page = page::<F>(call, query, form)?;
    if page.search.counts {
        return counted(call, page).await;
    }
    // 0 asks for nothing but whether the search is good.
    let found =
        if page.search.count == 0 { Found::of(Vec::new(), None) } else { F::find(call, &page).await? };
    let next = found.next.map(|cursor| seal(call, F::KIND, &page, cursor)).transpose()?;
    let found = found.page;
    let bundle = match &page.token {
        None => bundle::searchset(&page.search, &found, next.as_ref(), &call.site),
        Some(token) => bundle::next_page::<F>(token, &found, next.as_ref(), &call.site),
    };
    Ok(answer::resource(StatusCode::OK, &bundle))
}

/// How many there are, counted page by page.
async fn counted<F: Searched>(call: &Call, mut page: Page<F>) -> Result<Response, Refusal> {
    page.search.count = COUNT_MAX;
    let mut total = 0;
    for _page in 0..COUNTED_PAGES_MAX {
        let found = F::find(call, &page).await?;
        total += found.page.found.len();
        if found.next.is_none() {
            return Ok(answer::resource(StatusCode::OK, &bundle::total(&page.search, total, &call.site)));
        }
        page.cursor = found.next;
    }
    let limit = COUNT_MAX as usize * COUNTED_PAGES_MAX;
    Err(Problem::TooLarge { what: "what is to be counted", limit }.into())
}

/// Whether the body of a request is a form.
pub(super) fn is_form(call: &Call) -> Result<(), Refusal> {
    let expected = "application/x-www-form-urlencoded";
    let essence = call.header(&CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(expected) { Ok(()) } else { Err(Problem::MediaType { expected }.into()) }
}

fn page<F: Filter>(call: &Call, query: &str, form: &str) -> Result<Page<F>, Refusal> {
    let prefer = call.header(&axum::http::HeaderName::from_static("prefer"));
    let token = match search::read::<F>(&Request { query, form, prefer })? {
        Asked::First(search) => {
            // Parameters after an empty text count as none.
            let parameters = format!("{query}&{form}");
            let lenient = prefer.to_ascii_lowercase().contains("handling=lenient");
            return Ok(Page { search, cursor: None, parameters, lenient, token: None });
        }
        Asked::Next(token) => token,
    };
    let Sealed { parameters, lenient, cursor } = open(call, F::KIND, &token).ok_or_else(expired)?;
    let prefer = if lenient { "handling=lenient" } else { "" };
    match search::read::<F>(&Request { query: &parameters, form: "", prefer })? {
        Asked::First(search) => {
            Ok(Page { search, cursor: Some(cursor), parameters, lenient, token: Some(token) })
        }
        Asked::Next(_) => Err(expired().into()),
    }
}

const fn expired() -> Problem {
    Problem::ParameterInvalid {
        name: "_page",
        expected: "a link to a next page that was given lately, or search again",
    }
}

fn seal<F>(call: &Call, kind: &str, page: &Page<F>, cursor: String) -> Result<PageToken, Refusal> {
    let sealed = Sealed { parameters: page.parameters.clone(), lenient: page.lenient, cursor };
    let plain = serde_json::to_vec(&sealed).map_err(|_| Problem::Internal)?;
    let sealed = call.door.pages.seal(&context(call, kind), &plain, &mut Entropy::new(keys::random()));
    let token = PageToken::new(&URL_SAFE_NO_PAD.encode(sealed));
    let long = Problem::TooLarge { what: "a search of several pages", limit: PAGE_TOKEN_BYTES_MAX / 2 };
    token.ok_or_else(|| long.into())
}

fn open(call: &Call, kind: &str, token: &PageToken) -> Option<Sealed> {
    let sealed = URL_SAFE_NO_PAD.decode(token.as_str()).ok()?;
    let plain = call.door.pages.open(&context(call, kind), &sealed).ok()?;
    serde_json::from_slice(&plain).ok()
}

fn context(call: &Call, kind: &str) -> Vec<u8> {
    format!("{kind} {}", call.system).into_bytes()
}

/// A page of what was found in full: in the order of their keys, after the cursor.
pub(super) fn cut<T>(
    mut found: Vec<(String, T)>,
    cursor: Option<&str>,
    count: u32,
    backwards: bool,
) -> (Vec<T>, Option<String>) {
    found.sort_by(|(one, _), (other, _)| if backwards { other.cmp(one) } else { one.cmp(other) });
    let after = |key: &str| cursor.is_none_or(|cursor| if backwards { key < cursor } else { key > cursor });
    let mut rest = found.into_iter().filter(|(key, _)| after(key)).peekable();
    let mut page = Vec::new();
    let mut last = None;
    while page.len() < count as usize
        && let Some((key, item)) = rest.next()
    {
        page.push(item);
        last = Some(key);
    }
    (page, last.filter(|_| rest.peek().is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap_or_repeat_in_either_order() {
        let all: Vec<_> = (0..7).map(|number| (format!("{number}"), number)).collect();
        for backwards in [false, true] {
            let (mut seen, mut cursor) = (Vec::new(), None);
            loop {
                let (page, next) = cut(all.clone(), cursor.as_deref(), 3, backwards);
                assert!(page.len() <= 3);
                seen.extend(page);
                let Some(next) = next else { break };
                cursor = Some(next);
            }
            let mut expected: Vec<_> = (0..7).collect();
            if backwards {
                expected.reverse();
            }
            assert_eq!(seen, expected);
        }
        assert_eq!(cut(all, None, 7, false).1, None, "a full last page has no next");
    }
}
