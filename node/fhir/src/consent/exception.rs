//! What a permit leaves out: provisions nested in its own, which PCF calls exceptions to the base consent (C-16).
//!
//! What an exception does not say is as in the permit, so that only what differs is written. It may go beyond the permit: more of the
//! data, longer, others. One that leaves nothing of a part is refused: the permit would mean something else than it says.

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
            let found: Vec<Exception> = new.parts.iter().map(of).collect();
            let leaves_nothing = |exception| new.parts.iter().any(|part| contains(exception, part, new));
            if found.iter().any(leaves_nothing) {
                return Err(nested.not_carried_out("type"));
            }
            for (at, exception) in about(&found, &new.parts) {
                if let Some(exceptions) = left_out.get_mut(at) {
                    exceptions.push(exception.clone());
                }
            }
        }
    }
    Ok(left_out)
}

/// Whether an exception is of a part.
type Holds<'h> = &'h dyn Fn(&Exception, &Part) -> bool;

/// Each exception once, with the place of the part that it is about: of others than those that the parts name, the first of the same
/// keeper, else the first.
fn about<'f>(found: &'f [Exception], parts: &[Part]) -> Vec<(usize, &'f Exception)> {
    let places = |holds: Holds<'_>| {
        let mut once: Vec<(usize, &Exception)> = Vec::new();
        for (at, (exception, part)) in found.iter().zip(parts).enumerate() {
            if holds(exception, part) && !once.iter().any(|(_, known)| *known == exception) {
                once.push((at, exception));
            }
        }
        once
    };
    let is_kept =
        |exception: &Exception, part: &Part| agree(exception.custodian.as_ref(), part.custodian.as_ref());
    let ways: [Holds<'_>; 3] = [&meets, &is_kept, &|_, _| true];
    ways.into_iter().map(places).find(|places| !places.is_empty()).unwrap_or_default()
}

/// What is left out, where whom or what it does not name is as in a part.
fn of_part(limits: &Exception, recipient: Option<&Grantee>, keeper: Option<&Code>, part: &Part) -> Exception {
    let grantee = recipient.map_or_else(
        || part.grantee.clone(),
        |own| Grantee {
            organisation: own.organisation.clone().or_else(|| part.grantee.organisation.clone()),
            referral: part.grantee.referral,
            ..own.clone()
        },
    );
    let custodian = keeper.or(part.custodian.as_ref()).cloned();
    Exception { grantee, custodian, ..limits.clone() }
}

/// Whether it is about some of those whom a part is for, and some of what that is of.
fn meets(exception: &Exception, part: &Part) -> bool {
    let (own, whole) = (&exception.grantee, &part.grantee);
    agree(own.organisation.as_ref(), whole.organisation.as_ref())
        && agree(own.department.as_ref(), whole.department.as_ref())
        && agree(own.practitioner.as_ref(), whole.practitioner.as_ref())
        && agree(own.role.as_ref(), whole.role.as_ref())
        && agree(exception.custodian.as_ref(), part.custodian.as_ref())
}

/// Whether it leaves nothing of a part.
fn contains(exception: &Exception, part: &Part, new: &NewConsent) -> bool {
    let Exception { grantee, custodian, what: own, purposes, valid_from, valid_until } = exception;
    let whole = &new.what;
    is_at_most(grantee.organisation.as_ref(), part.grantee.organisation.as_ref())
        && is_at_most(grantee.department.as_ref(), part.grantee.department.as_ref())
        && is_at_most(grantee.practitioner.as_ref(), part.grantee.practitioner.as_ref())
        && is_at_most(grantee.role.as_ref(), part.grantee.role.as_ref())
        && is_at_most(custodian.as_ref(), part.custodian.as_ref())
        && is_all_of(&own.classes, &whole.classes)
        && is_all_of(&own.sensitivities, &whole.sensitivities)
        && is_all_of(&own.entries, &whole.entries)
        && is_all_of(purposes, &new.purposes)
        && is_during((own.service_from, own.service_until), (whole.service_from, whole.service_until))
        && is_during((*valid_from, *valid_until), (new.valid_from, new.valid_until))
}

/// Those that are named, or whoever the permit names.
fn or_any<T>(named: Vec<T>) -> Vec<Option<T>> {
    if named.is_empty() { vec![None] } else { named.into_iter().map(Some).collect() }
}

/// What it says but for whom.
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
    let forwards = |(from, until): Stretch| from.zip(until).is_none_or(|(from, until)| from < until);
    let What { service_from, service_until, .. } = limits.what;
    if !forwards((limits.valid_from, limits.valid_until)) {
        return Err(
            nested.invalid("period", "a time that does not end before it begins, with what the permit says")
        );
    }
    if !forwards((service_from, service_until)) {
        return Err(nested
            .invalid("dataPeriod", "a time that does not end before it begins, with what the permit says"));
    }
    Ok(limits)
}

/// What is given, or what is permitted.
fn within<T: Ord + Clone>(own: BTreeSet<T>, permitted: &BTreeSet<T>) -> BTreeSet<T> {
    if own.is_empty() { permitted.clone() } else { own }
}

/// Whether one of two that limit the same thing does not rule the other out.
fn agree<T: PartialEq>(own: Option<&T>, permitted: Option<&T>) -> bool {
    own.is_none() || permitted.is_none() || own == permitted
}

/// Whether it limits no further.
fn is_at_most<T: PartialEq>(own: Option<&T>, permitted: Option<&T>) -> bool {
    own.is_none() || own == permitted
}

/// An empty list is everything (C-5).
fn is_all_of<T: Ord>(own: &BTreeSet<T>, permitted: &BTreeSet<T>) -> bool {
    own.is_empty() || !permitted.is_empty() && permitted.is_subset(own)
}

type Stretch = (Option<Timestamp>, Option<Timestamp>);

fn is_during(own: Stretch, permitted: Stretch) -> bool {
    let from = |from: Option<Timestamp>| from.unwrap_or(Timestamp::MIN);
    let until = |until: Option<Timestamp>| until.unwrap_or(Timestamp::MAX);
    from(own.0) <= from(permitted.0) && until(own.1) >= until(permitted.1)
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
                valid_from.filter(|from| *from != permit.valid_from),
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
