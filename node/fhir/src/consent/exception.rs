//! What a permit leaves out: provisions nested in its own, which PCF calls exceptions to the base consent (C-16).
//!
//! What an exception does not say is as in the permit, so that only what differs is written. One that leaves out nothing, everything, or more than was
//! permitted is refused: it would mean something else than it says.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use yiqiao_node_core::desk::Exception;
use yiqiao_proto::codes::Purpose;
use yiqiao_proto::directive::{Directive, What};
use yiqiao_proto::limits::EXCEPTIONS_MAX;
use yiqiao_proto::time::Timestamp;

use crate::consent::data;
use crate::consent::new::{author, terms, what};
use crate::element::Element;
use crate::outcome::Problem;
use crate::resource::{Site, period};
use crate::terms::Term;

const NESTED: [&str; 6] = ["type", "purpose", "securityLabel", "class", "dataPeriod", "data"];

/// Reads the exceptions of a permit, of which `whole` says what it lets flow.
pub(super) fn read(
    provision: &Element<'_>,
    whole: &Exception,
    site: &Site,
) -> Result<Vec<Exception>, Problem> {
    let nested = provision.list("provision")?;
    if nested.len() > EXCEPTIONS_MAX {
        return Err(Problem::TooLarge {
            what: "the number of exceptions of a Consent",
            limit: EXCEPTIONS_MAX,
        });
    }
    nested.into_iter().map(|nested| one(nested, whole, site)).collect()
}

fn one(nested: Element<'_>, whole: &Exception, site: &Site) -> Result<Exception, Problem> {
    let nested = nested.only(&NESTED)?;
    if nested.text("type")? != Some("deny") {
        return Err(nested.not_carried_out("type"));
    }
    let (own, limits) = (what(&nested, site)?, &whole.what);
    let exception = Exception {
        custodian: author(&nested, None)?.or_else(|| whole.custodian.clone()),
        what: What {
            classes: within(own.classes, &limits.classes),
            sensitivities: within(own.sensitivities, &limits.sensitivities),
            service_from: own.service_from.or(limits.service_from),
            service_until: own.service_until.or(limits.service_until),
            entries: within(own.entries, &limits.entries),
        },
        purposes: within(terms(&nested, "purpose")?, &whole.purposes),
    };
    if exception == *whole || !is_within(&exception, whole) {
        return Err(nested.not_carried_out("type"));
    }
    Ok(exception)
}

/// What is given, or what is permitted.
fn within<T: Ord + Clone>(own: BTreeSet<T>, permitted: &BTreeSet<T>) -> BTreeSet<T> {
    if own.is_empty() { permitted.clone() } else { own }
}

/// Whether nothing is left out but what was permitted.
fn is_within(exception: &Exception, whole: &Exception) -> bool {
    let (own, limits) = (&exception.what, &whole.what);
    let from = |from: Option<Timestamp>| from.unwrap_or(Timestamp::MIN);
    let until = |until: Option<Timestamp>| until.unwrap_or(Timestamp::MAX);
    let purposes: &BTreeSet<Purpose> = &exception.purposes;
    (whole.custodian.is_none() || exception.custodian == whole.custodian)
        && is_part(&own.classes, &limits.classes)
        && is_part(&own.sensitivities, &limits.sensitivities)
        && is_part(&own.entries, &limits.entries)
        && is_part(purposes, &whole.purposes)
        && from(own.service_from) >= from(limits.service_from)
        && until(own.service_until) <= until(limits.service_until)
}

/// An empty list is everything (C-5).
fn is_part<T: Ord>(own: &BTreeSet<T>, permitted: &BTreeSet<T>) -> bool {
    permitted.is_empty() || own.is_subset(permitted)
}

/// What differs from the permit.
pub(super) fn write(exception: &Exception, permit: &Directive) -> Value {
    let Exception { custodian, what, purposes } = exception;
    let whole = &permit.what;
    let custodian = custodian.as_ref().filter(|_| *custodian != permit.custodian);
    let entries = what.entries.iter().filter(|_| what.entries != whole.entries);
    let from = what.service_from.filter(|_| what.service_from != whole.service_from);
    let until = what.service_until.filter(|_| what.service_until != whole.service_until);
    json!({
        "type": "deny",
        "purpose": differing(purposes, &permit.purposes),
        "securityLabel": differing(&what.sensitivities, &whole.sensitivities),
        "class": differing(&what.classes, &whole.classes),
        "dataPeriod": period(from, until),
        "data": data(custodian, entries),
    })
}

fn differing<T: Term + Ord>(own: &BTreeSet<T>, permitted: &BTreeSet<T>) -> Vec<Value> {
    own.iter().filter(|_| own != permitted).map(|term| term.coding()).collect()
}
