//! What a directive matches (D-1, D-2, D-6), and which of two is narrower (D-5).

use std::collections::BTreeSet;

use yiqiao_proto::codes::{Purpose, Stance};
use yiqiao_proto::directive::{Directive, Grantee, What};
use yiqiao_proto::release::Asker;
use yiqiao_proto::time::Timestamp;

use crate::decide::{Document, Request};

/// Whether a directive speaks about a request at this instant (D-1).
pub fn applies(directive: &Directive, request: &Request<'_>, now: Timestamp) -> bool {
    is_in_period(directive, now)
        && grantee_matches(directive, request.asker)
        && directive.custodian.as_ref().is_none_or(|custodian| custodian == request.custodian)
        && what_matches(directive, request.document)
        && purpose_matches(directive, request.asker.purpose)
}

fn is_in_period(directive: &Directive, now: Timestamp) -> bool {
    directive.valid_from <= now && directive.valid_until.is_none_or(|until| now < until)
}

fn grantee_matches(directive: &Directive, asker: &Asker) -> bool {
    let Grantee { organisation, department, practitioner, role, referral } = &directive.grantee;
    let stance = directive.stance;
    limit(stance, organisation.as_ref(), Some(&asker.organisation))
        && limit(stance, department.as_ref(), asker.department.as_ref())
        && limit(stance, practitioner.as_ref(), Some(&asker.practitioner))
        && limit(stance, role.as_ref(), Some(&asker.role))
        && limit(stance, referral.as_ref(), asker.referral.as_ref())
}

fn what_matches(directive: &Directive, document: &Document) -> bool {
    let What { classes, sensitivities, service_from, service_until, entries } = &directive.what;
    let stance = directive.stance;
    is_listed(classes, &document.class)
        && is_listed(sensitivities, &document.sensitivity)
        && bound(stance, *service_from, document.service_end, |from, end| end >= from)
        && bound(stance, *service_until, document.service_start, |until, start| start < until)
        && (entries.is_empty() || entry_matches(directive, document))
}

/// A permit means the document itself, a forbid also whatever takes its place (C-5).
fn entry_matches(directive: &Directive, document: &Document) -> bool {
    let entries = &directive.what.entries;
    match directive.stance {
        Stance::Permit => entries.contains(&document.entry_id),
        Stance::Forbid => entries.contains(&document.entry_id) || !entries.is_disjoint(&document.replaced),
    }
}

/// No purpose listed means every one but an emergency (D-8).
fn purpose_matches(directive: &Directive, purpose: Purpose) -> bool {
    if directive.purposes.is_empty() {
        purpose != Purpose::Emergency
    } else {
        is_named(&directive.purposes, purpose)
    }
}

/// Quality is a part of operations (D-2).
fn is_named(purposes: &BTreeSet<Purpose>, purpose: Purpose) -> bool {
    let within = purpose == Purpose::Quality && purposes.contains(&Purpose::Operations);
    within || purposes.contains(&purpose)
}

/// One dimension of a grantee: not limited, or stated and equal; what is not stated matches every forbid and no permit (D-6).
fn limit<T: PartialEq>(stance: Stance, wanted: Option<&T>, stated: Option<&T>) -> bool {
    bound(stance, wanted, stated, |wanted, stated| wanted == stated)
}

fn bound<T>(stance: Stance, wanted: Option<T>, stated: Option<T>, holds: impl FnOnce(T, T) -> bool) -> bool {
    match (wanted, stated) {
        (None, _) => true,
        (Some(_), None) => stance == Stance::Forbid,
        (Some(wanted), Some(stated)) => holds(wanted, stated),
    }
}

fn is_listed<T: Ord>(list: &BTreeSet<T>, item: &T) -> bool {
    list.is_empty() || list.contains(item)
}

/// Whether from `now` on `a` matches nothing that `b` does not, and in one dimension less (D-5).
pub fn is_strictly_narrower(a: &Directive, b: &Directive, now: Timestamp) -> bool {
    is_within(a, b, now) && !is_within(b, a, now)
}

/// Whether both match alike but for the valid period: grantee, custodian, what and purposes (C-6).
pub fn is_same_scope(a: &Directive, b: &Directive) -> bool {
    a.grantee == b.grantee && a.custodian == b.custodian && a.what == b.what && a.purposes == b.purposes
}

/// Whether `a` is in period whenever `b` still is from `now` on (C-6).
pub fn outlasts(a: &Directive, b: &Directive, now: Timestamp) -> bool {
    let from = b.valid_from.max(now);
    let is_over = b.valid_until.is_some_and(|until| until <= now);
    is_over || (a.valid_from <= from && ends_no_later(b.valid_until, a.valid_until))
}

fn is_within(a: &Directive, b: &Directive, now: Timestamp) -> bool {
    is_grantee_within(&a.grantee, &b.grantee)
        && is_option_within(a.custodian.as_ref(), b.custodian.as_ref())
        && is_what_within(&a.what, &b.what)
        && are_purposes_within(&a.purposes, &b.purposes)
        && a.valid_from.max(now) >= b.valid_from.max(now)
        && ends_no_later(a.valid_until, b.valid_until)
}

fn is_grantee_within(a: &Grantee, b: &Grantee) -> bool {
    is_option_within(a.organisation.as_ref(), b.organisation.as_ref())
        && is_option_within(a.department.as_ref(), b.department.as_ref())
        && is_option_within(a.practitioner.as_ref(), b.practitioner.as_ref())
        && is_option_within(a.role.as_ref(), b.role.as_ref())
        && is_option_within(a.referral.as_ref(), b.referral.as_ref())
}

fn is_what_within(a: &What, b: &What) -> bool {
    is_set_within(&a.classes, &b.classes)
        && is_set_within(&a.sensitivities, &b.sensitivities)
        && b.service_from.is_none_or(|from| a.service_from.is_some_and(|own| own >= from))
        && ends_no_later(a.service_until, b.service_until)
        && is_set_within(&a.entries, &b.entries)
}

/// No purpose listed means every one but an emergency, so a list within it must not name that one (D-8).
fn are_purposes_within(a: &BTreeSet<Purpose>, b: &BTreeSet<Purpose>) -> bool {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => true,
        (false, true) => !a.contains(&Purpose::Emergency),
        (true, false) => {
            Purpose::ALL.iter().all(|purpose| *purpose == Purpose::Emergency || is_named(b, *purpose))
        }
        (false, false) => a.iter().all(|purpose| is_named(b, *purpose)),
    }
}

fn is_option_within<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
    b.is_none() || a == b
}

fn is_set_within<T: Ord>(a: &BTreeSet<T>, b: &BTreeSet<T>) -> bool {
    b.is_empty() || (!a.is_empty() && a.is_subset(b))
}

fn ends_no_later(a: Option<Timestamp>, b: Option<Timestamp>) -> bool {
    b.is_none_or(|until| a.is_some_and(|own| own <= until))
}
