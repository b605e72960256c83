//! Bundles that answer: what a search found.

use serde_json::{Value, json};
use yiqiao_proto::phi::Phi;

use crate::everything;
use crate::outcome;
use crate::resource::{Resource, Site};
use crate::search::{Filter, PageToken, Search};

/// What stands on a page.
#[derive(Debug, Default)]
pub struct Page {
    /// What was asked for.
    pub found: Vec<Resource>,
    /// What belongs to it.
    pub included: Vec<Resource>,
    /// What is to be said of it.
    pub outcome: Option<Resource>,
}

/// One page of a search. `total` is left out: who wants it asks for it alone.
pub fn searchset<F: Filter>(
    search: &Search<F>,
    page: &Page,
    next: Option<&PageToken>,
    site: &Site,
) -> Resource {
    let own = format!("{}/{}{}", site.base, F::KIND, query(&search.used));
    let ignored = (!search.ignored.is_empty()).then(|| outcome::ignored(&search.ignored));
    write(F::KIND, &own, page, ignored.as_ref(), next, site)
}

/// How many a search finds.
pub fn total<F: Filter>(search: &Search<F>, total: usize, site: &Site) -> Resource {
    let own = format!("{}/{}{}", site.base, F::KIND, query(&search.used));
    let body = json!({"type": "searchset", "total": total, "link": [{"relation": "self", "url": own}]});
    Resource::new("Bundle", None, body)
}

/// A later page, which its token asked for.
pub fn next_page<F: Filter>(
    token: &PageToken,
    page: &Page,
    next: Option<&PageToken>,
    site: &Site,
) -> Resource {
    write(F::KIND, &token_url(F::KIND, token, site), page, None, next, site)
}

fn write(
    kind: &str,
    own: &str,
    page: &Page,
    ignored: Option<&Resource>,
    next: Option<&PageToken>,
    site: &Site,
) -> Resource {
    let mut links = vec![json!({"relation": "self", "url": own})];
    links.extend(next.map(|token| json!({"relation": "next", "url": token_url(kind, token, site)})));
    let found = page.found.iter().map(|resource| everything::entry(resource, "match", site));
    let included = page.included.iter().map(|resource| everything::entry(resource, "include", site));
    let outcomes = ignored
        .into_iter()
        .chain(&page.outcome)
        .map(|outcome| json!({"resource": outcome.json().expose(), "search": {"mode": "outcome"}}));
    let entries: Vec<Value> = found.chain(included).chain(outcomes).collect();
    Resource::new("Bundle", None, json!({"type": "searchset", "link": links, "entry": entries}))
}

fn token_url(kind: &str, token: &PageToken, site: &Site) -> String {
    format!("{}/{kind}?_page={}", site.base, token.as_str())
}

/// The parameters that were used, as FHIR asks of the link to itself: in the body only, where the patient is named anyway.
fn query(used: &[(String, Phi<String>)]) -> String {
    if used.is_empty() {
        return String::new();
    }
    let pairs = used.iter().map(|(name, value)| (name.as_str(), value.expose().as_str()));
    format!("?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
}
