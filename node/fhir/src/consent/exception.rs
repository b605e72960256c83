//! What a permit leaves out: provisions nested in its own, which PCF calls exceptions to the base consent (C-16).
//!
//! What an exception does not say is as in the permit, so that only what differs is written. One that leaves out nothing, everything, or more than was
//! permitted is refused: it would mean something else than it says.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use yiqiao_node_core::desk::Exception;
use yiqiao_proto::directive::{Directive, Grantee, What};
use yiqiao_proto::id::Code;
use yiqiao_proto::limits::EXCEPTIONS_MAX;
use yiqiao_proto::time::Timestamp;

use crate::consent::actor::actors;
use crate::consent::new::{NewConsent, authors, period as read_period, terms, what};
use crate::consent::{Part, actor, data};
use crate::element::Element;
use crate::outcome::Problem;
use crate::resource::{Site, period};
use crate::terms::Term;

const NESTED: [&str; 8] =
    ["type", "period", "actor", "purpose", "securityLabel", "class", "dataPeriod", "data"];

/// Reads the exceptions of a permit, each into those of its parts that it leaves something out of.
pub(super) fn read(
    root: &Element<'_>,
    provision: &Element<'_>,
    new: &NewConsent,
    site: &Site,
) -> Result<Vec<Part>, Problem> {
    let mut parts = new.parts.clone();
    for nested in provision.list("provision")? {
        let nested = nested.only(&NESTED)?;
        let left_out = one(root, &nested, new, site)?;
        for (part, exceptions) in parts.iter_mut().zip(left_out) {
            part.exceptions.extend(exceptions);
        }
    }
    if parts.iter().any(|part| part.exceptions.len() > EXCEPTIONS_MAX) {
        return Err(Problem::TooLarge {
            what: "the number of exceptions of a Consent",
            limit: EXCEPTIONS_MAX,
        });
    }
    Ok(parts)
}

/// What a nested provision leaves out of each part.
fn one(
    root: &Element<'_>,
    nested: &Element<'_>,
    new: &NewConsent,
    site: &Site,
) -> Result<Vec<Vec<Exception>>, Problem> {
    if nested.text("type")? != Some("deny") {
        return Err(nested.not_carried_out("type"));
    }
    let (recipients, keepers) = actors(root, nested)?;
    let (recipients, keepers) = (or_any(recipients), or_any(authors(nested, keepers)?));
    let limits = limits(nested, new, site)?;
    let mut left_out = vec![Vec::new(); new.parts.len()];
    for recipient in &recipients {
        for keeper in &keepers {
            let of = |part| of_part(&limits, recipient.as_ref(), keeper.as_ref(), part);
            let found: Vec<Option<Exception>> = new.parts.iter().map(of).collect();
            let takes_all = new.parts.iter().zip(&found).any(|(part, own)| *own == Some(all_of(part, new)));
            if takes_all || found.iter().all(Option::is_none) {
                return Err(nested.not_carried_out("type"));
            }
            for (exceptions, exception) in left_out.iter_mut().zip(found) {
                exceptions.extend(exception);
            }
        }
    }
    Ok(left_out)
}

fn of_part(
    limits: &Exception,
    recipient: Option<&Grantee>,
    keeper: Option<&Code>,
    part: &Part,
) -> Option<Exception> {
    let grantee = grantee_within(recipient, &part.grantee)?;
    let custodian = keeper_within(keeper, part.custodian.as_ref())?;
    Some(Exception { grantee, custodian, ..limits.clone() })
}

/// Everything that a part permits.
fn all_of(part: &Part, new: &NewConsent) -> Exception {
    Exception {
        grantee: part.grantee.clone(),
        custodian: part.custodian.clone(),
        what: new.what.clone(),
        purposes: new.purposes.clone(),
        valid_from: new.valid_from,
        valid_until: new.valid_until,
    }
}

/// Those that are named, or whoever the permit names.
fn or_any<T>(named: Vec<T>) -> Vec<Option<T>> {
    if named.is_empty() { vec![None] } else { named.into_iter().map(Some).collect() }
}

/// What it says but for whom: within what is permitted.
fn limits(nested: &Element<'_>, new: &NewConsent, site: &Site) -> Result<Exception, Problem> {
    let (own, whole) = (what(nested, site)?, &new.what);
    let (from, until) = read_period(nested, "period")?;
    let limits = Exception {
        grantee: Grantee::default(),
        custodian: None,
        what: What {
            classes: within(own.classes, &whole.classes),
            sensitivities: within(own.sensitivities, &whole.sensitivities),
            service_from: own.service_from.or(whole.service_from),
            service_until: own.service_until.or(whole.service_until),
            entries: within(own.entries, &whole.entries),
        },
        purposes: within(terms(nested, "purpose")?, &new.purposes),
        valid_from: from.or(new.valid_from),
        valid_until: until.or(new.valid_until),
    };
    if is_within(&limits, new) { Ok(limits) } else { Err(nested.not_carried_out("type")) }
}

/// What is given, or what is permitted.
fn within<T: Ord + Clone>(own: BTreeSet<T>, permitted: &BTreeSet<T>) -> BTreeSet<T> {
    if own.is_empty() { permitted.clone() } else { own }
}

/// Whether nothing is left out but what was permitted.
fn is_within(exception: &Exception, new: &NewConsent) -> bool {
    let (own, whole) = (&exception.what, &new.what);
    is_part(&own.classes, &whole.classes)
        && is_part(&own.sensitivities, &whole.sensitivities)
        && is_part(&own.entries, &whole.entries)
        && is_part(&exception.purposes, &new.purposes)
        && is_while((own.service_from, own.service_until), (whole.service_from, whole.service_until))
        && is_while((exception.valid_from, exception.valid_until), (new.valid_from, new.valid_until))
}

/// An empty list is everything (C-5).
fn is_part<T: Ord>(own: &BTreeSet<T>, permitted: &BTreeSet<T>) -> bool {
    permitted.is_empty() || own.is_subset(permitted)
}

type Stretch = (Option<Timestamp>, Option<Timestamp>);

fn is_while(own: Stretch, permitted: Stretch) -> bool {
    let from = |from: Option<Timestamp>| from.unwrap_or(Timestamp::MIN);
    let until = |until: Option<Timestamp>| until.unwrap_or(Timestamp::MAX);
    from(own.0) >= from(permitted.0) && until(own.1) <= until(permitted.1)
}

/// Whom an exception means of those whom a part is for; nobody of them, if it names others or more.
fn grantee_within(own: Option<&Grantee>, part: &Grantee) -> Option<Grantee> {
    let Some(own) = own else { return Some(part.clone()) };
    let organisation = own.organisation.clone().or_else(|| part.organisation.clone());
    let whom = Grantee { organisation, referral: part.referral, ..own.clone() };
    let holds = is_limit(part.organisation.as_ref(), whom.organisation.as_ref())
        && is_limit(part.department.as_ref(), whom.department.as_ref())
        && is_limit(part.practitioner.as_ref(), whom.practitioner.as_ref())
        && is_limit(part.role.as_ref(), whom.role.as_ref());
    holds.then_some(whom)
}

/// Of what who keeps it means something, of what a part is about; none, if it names others.
fn keeper_within(own: Option<&Code>, part: Option<&Code>) -> Option<Option<Code>> {
    let keeper = own.or(part);
    is_limit(part, keeper).then(|| keeper.cloned())
}

fn is_limit<T: PartialEq>(permitted: Option<&T>, own: Option<&T>) -> bool {
    permitted.is_none() || permitted == own
}

/// An exception as it is written: once for all parts that have it, or for whom it is.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Apart<'p> {
    exception: &'p Exception,
    /// Whom it names.
    pub(super) grantee: Option<&'p Grantee>,
    custodian: Option<&'p Code>,
}

/// What a permit leaves out, each thing once.
pub(super) fn apart<'p>(parts: &'p [Part]) -> Vec<Apart<'p>> {
    let mut written: Vec<Apart<'p>> = Vec::new();
    for part in parts {
        for exception in &part.exceptions {
            let own = Apart::of(exception, part, parts);
            if !written.iter().any(|known| known.is_as(&own)) {
                written.push(own);
            }
        }
    }
    written
}

impl<'p> Apart<'p> {
    fn of(exception: &'p Exception, part: &Part, parts: &[Part]) -> Self {
        let custodian = differing_keeper(exception, part);
        let is_there = |other: &Part| {
            let is_same = |own: &Exception| {
                own.grantee == other.grantee
                    && differing_keeper(own, other) == custodian
                    && is_alike(own, exception)
            };
            other.exceptions.iter().any(is_same)
        };
        if exception.grantee == part.grantee && parts.iter().all(is_there) {
            return Self { exception, grantee: None, custodian: differing_keeper(exception, part) };
        }
        let custodian = if parts.len() > 1 { exception.custodian.as_ref() } else { custodian };
        Self { exception, grantee: Some(&exception.grantee), custodian }
    }

    fn is_as(&self, other: &Self) -> bool {
        self.grantee == other.grantee
            && self.custodian == other.custodian
            && is_alike(self.exception, other.exception)
    }

    /// What differs from the permit.
    pub(super) fn write(&self, permit: &Directive, roles: &[Grantee]) -> Value {
        let Exception { what, purposes, valid_from, valid_until, .. } = self.exception;
        let whole = &permit.what;
        let entries = what.entries.iter().filter(|_| what.entries != whole.entries);
        let from = what.service_from.filter(|_| what.service_from != whole.service_from);
        let until = what.service_until.filter(|_| what.service_until != whole.service_until);
        json!({
            "type": "deny",
            "period": period(
                valid_from.filter(|from| *from > permit.valid_from),
                valid_until.filter(|_| *valid_until != permit.valid_until),
            ),
            "actor": self.grantee.and_then(|grantee| actor(grantee, roles)).map(|actor| [actor]),
            "purpose": differing(purposes, &permit.purposes),
            "securityLabel": differing(&what.sensitivities, &whole.sensitivities),
            "class": differing(&what.classes, &whole.classes),
            "dataPeriod": period(from, until),
            "data": data(self.custodian, entries),
        })
    }
}

/// The keeper, if it is not that of the part.
fn differing_keeper<'e>(exception: &'e Exception, part: &Part) -> Option<&'e Code> {
    exception.custodian.as_ref().filter(|_| exception.custodian != part.custodian)
}

/// Whether two are the same but for whom and of what who keeps.
fn is_alike(one: &Exception, other: &Exception) -> bool {
    let (grantee, custodian) = (one.grantee.clone(), one.custodian.clone());
    *one == Exception { grantee, custodian, ..other.clone() }
}

fn differing<T: Term + Ord>(own: &BTreeSet<T>, permitted: &BTreeSet<T>) -> Vec<Value> {
    own.iter().filter(|_| own != permitted).map(|term| term.coding()).collect()
}
