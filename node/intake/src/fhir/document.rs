//! Documents and events from resources.

use yiqiao_proto::phi::Phi;

use crate::dates::{Period, When, Zone};
use crate::facts::{
    Document, Format, PatientEvent, Payload, Review, ReviewReason, SourceId, Status, Trigger, Understood,
    Visit,
};
use crate::fhir::graph::Graph;
use crate::fhir::node::Node;
use crate::fhir::{Context, kind, mhd, results, staff, visit};
use crate::flag::{Flag, Flags};
use crate::kind::Class;
use crate::patient::Patient;
use crate::refusal::Refusal;

/// Where resources say when what they describe took place, the most telling first.
const DATES: [&str; 22] = [
    "date",
    "effectiveDateTime",
    "effectiveInstant",
    "effectivePeriod",
    "issued",
    "occurrenceDateTime",
    "occurrencePeriod",
    "performedDateTime",
    "performedPeriod",
    "started",
    "authoredOn",
    "authored",
    "recordedDate",
    "recorded",
    "assertedDate",
    "dateTime",
    "created",
    "period",
    "whenHandedOver",
    "receivedTime",
    "start",
    "onsetDateTime",
];

/// A single resource about a patient.
pub(super) fn of_resource(
    root: &Node<'_>,
    kind: &str,
    patient: Patient,
    graph: &Graph<'_>,
    context: &Context<'_>,
    mut flags: Flags,
) -> Result<Understood, Refusal> {
    if let Some(reason) = Review::of_patient(&patient) {
        return Ok(review(reason, kind, Some(patient), flags));
    }
    if kind == "Encounter" {
        let visits = visit::all(graph, context.zone, &mut flags)?;
        return Ok(events(kind, &patient, visits, flags));
    }
    let mut document = describe(root, kind, patient, graph, context, flags)?;
    document.lab = results::lab(root.value(), context.zone, &mut document.flags);
    if kind == "DocumentReference" {
        mhd::embed(root, graph, context, &mut document)?;
    }
    Ok(Understood::Documents(vec![document]))
}

/// The facts of a document that `root` describes; the payload is the whole input.
pub(super) fn describe(
    root: &Node<'_>,
    kind: &str,
    patient: Patient,
    graph: &Graph<'_>,
    context: &Context<'_>,
    mut flags: Flags,
) -> Result<Document, Refusal> {
    flags.merge(&patient.check());
    let document_kind = kind::of_resource(root, kind)?;
    flags.raise_if(document_kind.class == Class::Other, Flag::KindUnknown);
    let service = service(root, context.zone, &mut flags)?;
    let date = date(root, context.zone, &mut flags)?;
    let created = ["date", "issued", "authoredOn", "created"];
    let created = first_time(root, &created, context.zone, &mut flags)?;
    let status = status(root, &mut flags)?;
    let source_id = source_id(root, kind)?;
    let replaces = replaced(root)?.or_else(|| source_id.clone().filter(|_| status == Status::Corrected));
    Ok(Document {
        source_id,
        also_known_as: if kind == "DocumentReference" { further(root)? } else { Vec::new() },
        kind: document_kind,
        title: title(root)?.map(Phi::new),
        format: context.format,
        date,
        created: created.or(date),
        service,
        author: staff::author(root, graph)?,
        status,
        replaces,
        visit: visit::number(root, graph)?.map(Phi::new),
        visits: Vec::new(),
        confidentiality: confidentiality(root)?,
        lab: Vec::new(),
        payload: Payload::Message(context.span.clone()),
        patient,
        flags,
    })
}

/// The visits of a patient, or a change of the patient alone.
pub(super) fn events(
    code: &str,
    patient: &Patient,
    visits: Vec<(Trigger, Visit)>,
    mut flags: Flags,
) -> Understood {
    if let Some(reason) = Review::of_patient(patient) {
        return review(reason, code, Some(patient.clone()), flags);
    }
    flags.merge(&patient.check());
    let event = |trigger, visit: Option<Visit>| PatientEvent {
        trigger,
        code: code.to_owned(),
        patient: patient.clone(),
        date: visit.as_ref().and_then(|visit| visit.admitted),
        visit,
        merged_from: Vec::new(),
        flags: flags.clone(),
    };
    if visits.is_empty() {
        return Understood::Events(vec![event(Trigger::Updated, None)]);
    }
    Understood::Events(visits.into_iter().map(|(trigger, visit)| event(trigger, Some(visit))).collect())
}

pub(super) fn review(reason: ReviewReason, kind: &str, patient: Option<Patient>, flags: Flags) -> Understood {
    Understood::Review(Box::new(Review { patient, flags, ..Review::new(reason, kind) }))
}

/// The date that a resource is filed under; that of its last change if it says no other.
pub(super) fn date(root: &Node<'_>, zone: &Zone, flags: &mut Flags) -> Result<Option<When>, Refusal> {
    if let Some(when) = first_time(root, &DATES, zone, flags)? {
        return Ok(Some(when));
    }
    flags.raise(Flag::DateFromHeader);
    let Some(meta) = root.one("meta")? else { return Ok(None) };
    first_time(&meta, &["lastUpdated"], zone, flags)
}

/// The first of these fields that is a time, or the beginning of a period.
pub(super) fn first_time(
    root: &Node<'_>,
    names: &[&str],
    zone: &Zone,
    flags: &mut Flags,
) -> Result<Option<When>, Refusal> {
    for name in names {
        let text = if name.ends_with("eriod") {
            root.one(name)?.map(|period| period.text("start")).transpose()?.flatten()
        } else {
            root.text(name)?
        };
        if let Some(Ok(when)) = text.map(|text| When::parse(&text, zone, flags)) {
            return Ok(Some(when));
        }
    }
    Ok(None)
}

fn service(root: &Node<'_>, zone: &Zone, flags: &mut Flags) -> Result<Period, Refusal> {
    let context = root.any("context")?.into_iter().next();
    let event = root.any("event")?.into_iter().next();
    for (holder, name) in [
        (Some(root), "effectivePeriod"),
        (Some(root), "performedPeriod"),
        (Some(root), "occurrencePeriod"),
        (Some(root), "period"),
        (context.as_ref(), "period"),
        (event.as_ref(), "period"),
    ] {
        if let Some(element) = holder.map(|holder| holder.one(name)).transpose()?.flatten() {
            return period(Some(&element), zone, flags);
        }
    }
    let names = ["effectiveDateTime", "performedDateTime", "occurrenceDateTime", "started"];
    Ok(Period { start: first_time(root, &names, zone, flags)?, end: None })
}

pub(super) fn period(element: Option<&Node<'_>>, zone: &Zone, flags: &mut Flags) -> Result<Period, Refusal> {
    let Some(element) = element else { return Ok(Period::default()) };
    let start = first_time(element, &["start"], zone, flags)?;
    Ok(Period { start, end: first_time(element, &["end"], zone, flags)? })
}

/// `title`, `description`, or the words of `code` or `type`.
fn title(root: &Node<'_>) -> Result<Option<String>, Refusal> {
    for name in ["title", "description"] {
        if let Some(text) = root.text(name)? {
            return Ok(Some(text));
        }
    }
    for concept in root.concepts("code")?.into_iter().chain(root.concepts("type")?) {
        if let Some(text) = words(&concept)? {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// What people read of a concept.
pub(super) fn words(concept: &Node<'_>) -> Result<Option<String>, Refusal> {
    if let Some(text) = concept.text("text")? {
        return Ok(Some(text));
    }
    for coding in concept.any("coding")? {
        if let Some(display) = coding.text("display")? {
            return Ok(Some(display));
        }
    }
    Ok(None)
}

/// `status` and, of a DocumentReference, `docStatus`.
fn status(root: &Node<'_>, flags: &mut Flags) -> Result<Status, Refusal> {
    let codes = [root.text("status")?, root.text("docStatus")?];
    let known = |code: &str| match code {
        "registered" | "preliminary" | "partial" | "draft" | "in-progress" | "planned" | "requested"
        | "received" => Some(Status::Preliminary),
        "amended" | "corrected" | "appended" | "modified" => Some(Status::Corrected),
        "cancelled" | "entered-in-error" | "superseded" | "revoked" | "not-done" | "rejected"
        | "retracted" => Some(Status::Cancelled),
        "final" | "current" | "completed" | "active" | "finished" | "available" | "accepted" | "on-hold"
        | "stopped" => Some(Status::Final),
        _ => None,
    };
    let found: Vec<_> = codes.iter().flatten().map(|code| known(code)).collect();
    flags.raise_if(found.contains(&None), Flag::StatusUnusual);
    // A document entered in error is void even if its entry is current.
    Ok(found.into_iter().flatten().rfind(|status| *status != Status::Final).unwrap_or(Status::Final))
}

/// masterIdentifier, the first identifier, or the id on the sender's server.
pub(super) fn source_id(root: &Node<'_>, kind: &str) -> Result<Option<SourceId>, Refusal> {
    for name in ["masterIdentifier", "identifier"] {
        for identifier in root.any(name)? {
            let system = identifier.text("system")?.unwrap_or_default();
            if let Some(id) = SourceId::new(&system, &identifier.text("value")?.unwrap_or_default()) {
                return Ok(Some(id));
            }
        }
    }
    Ok(root.text("id")?.and_then(|id| SourceId::new(kind, &id)))
}

/// The identifiers of a DocumentReference beside its masterIdentifier: another may name it by one of them.
fn further(root: &Node<'_>) -> Result<Vec<SourceId>, Refusal> {
    let skipped = usize::from(root.field("masterIdentifier").is_none());
    let mut further = Vec::new();
    for identifier in root.any("identifier")?.into_iter().skip(skipped) {
        let system = identifier.text("system")?.unwrap_or_default();
        further.extend(SourceId::new(&system, &identifier.text("value")?.unwrap_or_default()));
    }
    Ok(further)
}

/// relatesTo with code `replaces`: the target's identifier or reference.
fn replaced(root: &Node<'_>) -> Result<Option<SourceId>, Refusal> {
    for related in root.any("relatesTo")? {
        if related
            .field("code")
            .is_none_or(|_| related.text("code").ok().flatten().as_deref() != Some("replaces"))
        {
            continue;
        }
        let target = related.one("target")?.or(related.one("targetReference")?);
        let inner = target.as_ref().map(|target| target.one("identifier")).transpose()?.flatten();
        if let Some(identifier) = inner.or(related.one("targetIdentifier")?) {
            let system = identifier.text("system")?.unwrap_or_default();
            return Ok(SourceId::new(&system, &identifier.text("value")?.unwrap_or_default()));
        }
        let literal = target.map(|target| target.text("reference")).transpose()?.flatten();
        return Ok(literal.and_then(|literal| match literal.rsplit_once('/') {
            Some((kind, id)) => SourceId::new(kind.rsplit('/').next().unwrap_or(kind), id),
            None => SourceId::new("", &literal),
        }));
    }
    Ok(None)
}

/// The confidentiality code of a Composition, or of the security labels.
fn confidentiality(root: &Node<'_>) -> Result<Option<String>, Refusal> {
    if root.field("confidentiality").is_some() {
        return root.text("confidentiality");
    }
    let meta = root.one("meta")?;
    let mut codings = meta.map(|meta| meta.list("security")).transpose()?.unwrap_or_default();
    for label in root.any("securityLabel")? {
        codings.extend(label.list("coding")?);
    }
    for coding in codings {
        if let Some(code) =
            coding.text("code")?.filter(|code| matches!(code.as_str(), "U" | "L" | "M" | "N" | "R" | "V"))
        {
            return Ok(Some(code));
        }
    }
    Ok(None)
}

/// The format that a payload is served in, which for embedded content its own bytes may tell better.
pub(super) fn format(media: &str, bytes: &[u8]) -> Format {
    crate::detect::content(bytes).unwrap_or_else(|| Format::from_media_type(media))
}
