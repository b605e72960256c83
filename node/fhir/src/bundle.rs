//! Bundles that answer: what a search found.

use serde_json::{Value, json};
use yiqiao_proto::phi::Phi;

use crate::outcome;
use crate::resource::{Resource, Site};
use crate::search::{Filter, PageToken, Search};

/// One page of a search. `total` is left out: who wants it asks for it alone.
pub fn searchset<F: Filter>(
    search: &Search<F>,
    found: &[Resource],
    next: Option<&PageToken>,
    site: &Site,
) -> Resource {
    let own = format!("{}/{}{}", site.base, F::KIND, query(&search.used));
    let outcome = (!search.ignored.is_empty()).then(|| outcome::ignored(&search.ignored));
    page(F::KIND, &own, found, outcome.as_ref(), next, site)
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
    found: &[Resource],
    next: Option<&PageToken>,
    site: &Site,
) -> Resource {
    page(F::KIND, &token_url(F::KIND, token, site), found, None, next, site)
}

fn page(
    kind: &str,
    own: &str,
    found: &[Resource],
    outcome: Option<&Resource>,
    next: Option<&PageToken>,
    site: &Site,
) -> Resource {
    let mut links = vec![json!({"relation": "self", "url": own})];
    links.extend(next.map(|token| json!({"relation": "next", "url": token_url(kind, token, site)})));
    let matches = found.iter().map(|resource| {
        let url = resource.id().map(|id| site.url(resource.kind(), id));
        json!({"fullUrl": url, "resource": resource.json().expose(), "search": {"mode": "match"}})
    });
    let outcome =
        outcome.map(|outcome| json!({"resource": outcome.json().expose(), "search": {"mode": "outcome"}}));
    let entries: Vec<Value> = matches.chain(outcome).collect();
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
