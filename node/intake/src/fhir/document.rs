//! Documents and events from resources.

use yiqiao_proto::phi::Phi;

use crate::dates::{Period, When, Zone};
use crate::facts::{
    Author, Document, Format, PatientEvent, Payload, Review, ReviewReason, SourceId, Status, Trigger,
    Understood, Visit, VisitClass,
};
use crate::fhir::Context;
use crate::fhir::graph::Graph;
use crate::fhir::node::Node;
use crate::fhir::{kind, mhd};
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
        let visit = visit(root, context.zone, &mut flags)?;
        return Ok(event(kind, patient, Some(visit), flags));
    }
    let mut document = describe(root, kind, patient, graph, context, flags)?;
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
        also_known_as: Vec::new(),
        kind: document_kind,
        title: title(root)?.map(Phi::new),
        format: context.format,
        date,
        created: created.or(date),
        service,
        author: author(root, graph)?,
        status,
        replaces,
        visit: visit_number(root, graph)?.map(Phi::new),
        confidentiality: confidentiality(root)?,
        lab: Vec::new(),
        payload: Payload::Message(context.span.clone()),
        patient,
        flags,
    })
}

/// A change of a patient, or a visit of one.
pub(super) fn event(
    code: &str,
    patient: Patient,
    visit: Option<(Trigger, Visit)>,
    mut flags: Flags,
) -> Understood {
    if let Some(reason) = Review::of_patient(&patient) {
        return review(reason, code, Some(patient), flags);
    }
    flags.merge(&patient.check());
    let (trigger, visit) = visit.map_or((Trigger::Updated, None), |(trigger, visit)| (trigger, Some(visit)));
    let date = visit.as_ref().and_then(|visit| visit.admitted);
    let merged_from = Vec::new();
    Understood::Events(vec![PatientEvent {
        trigger,
        code: code.to_owned(),
        patient,
        visit,
        merged_from,
        date,
        flags,
    }])
}

pub(super) fn review(reason: ReviewReason, kind: &str, patient: Option<Patient>, flags: Flags) -> Understood {
    Understood::Review(Box::new(Review { patient, flags, ..Review::new(reason, kind) }))
}

/// An Encounter as a visit.
pub(super) fn visit(root: &Node<'_>, zone: &Zone, flags: &mut Flags) -> Result<(Trigger, Visit), Refusal> {
    let class = root.any("class")?.into_iter().next();
    let class =
        class.map(|class| class.text("code")).transpose()?.flatten().map(|code| match code.as_str() {
            "IMP" | "ACUTE" | "NONAC" | "inpatient" => VisitClass::Inpatient,
            "AMB" | "outpatient" | "ambulatory" => VisitClass::Outpatient,
            "EMER" | "emergency" => VisitClass::Emergency,
            "PRENC" => VisitClass::PreAdmission,
            _ => VisitClass::Other,
        });
    let trigger = match root.text("status")?.as_deref() {
        Some("planned" | "arrived") => Trigger::PreAdmitted,
        Some("finished" | "completed") => Trigger::Discharged,
        Some("cancelled" | "entered-in-error") => Trigger::VisitCancelled,
        Some("in-progress") if class == Some(VisitClass::Inpatient) => Trigger::Admitted,
        _ => Trigger::Registered,
    };
    let period = period(root.one("period")?.as_ref(), zone, flags)?;
    let number = root.list("identifier")?.into_iter().next();
    let number = number.map(|id| id.text("value")).transpose()?.flatten().or(root.text("id")?);
    let visit = Visit {
        number: number.map(Phi::new),
        class,
        department: root
            .one("serviceProvider")?
            .map(|provider| provider.text("display"))
            .transpose()?
            .flatten(),
        attending: None,
        admitted: period.start,
        discharged: period.end,
    };
    Ok((trigger, visit))
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

fn period(element: Option<&Node<'_>>, zone: &Zone, flags: &mut Flags) -> Result<Period, Refusal> {
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
        if let Some(text) = concept.text("text")? {
            return Ok(Some(text));
        }
        for coding in concept.any("coding")? {
            if let Some(display) = coding.text("display")? {
                return Ok(Some(display));
            }
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

fn author(root: &Node<'_>, graph: &Graph<'_>) -> Result<Author, Refusal> {
    let mut author = Author::default();
    for field in ["author", "performer", "requester", "recorder"] {
        for reference in root.any(field)? {
            let reference = reference.one("actor")?.unwrap_or(reference);
            let Some((name, kind)) = named(&reference, graph)? else { continue };
            if kind == "Organization" {
                author.organization.get_or_insert(name);
            } else if matches!(kind.as_str(), "" | "Practitioner" | "PractitionerRole")
                && author.person.is_none()
            {
                author.person = Some(crate::facts::Staff { code: String::new(), name });
            }
        }
    }
    if let Some(custodian) = root.any("custodian")?.into_iter().next() {
        author.custodian = named(&custodian, graph)?.map(|(name, _)| name);
    }
    author.organization = author.organization.or(author.custodian.clone());
    Ok(author)
}

/// The name behind a reference and the type of what it refers to.
fn named(reference: &Node<'_>, graph: &Graph<'_>) -> Result<Option<(String, String)>, Refusal> {
    let literal = reference.text("reference")?.unwrap_or_default();
    let found = graph.find(&literal);
    let kind = found.map(|entry| entry.kind.clone()).or_else(|| {
        let kind = literal.rsplit('/').nth(1)?;
        kind.starts_with(|c: char| c.is_ascii_uppercase()).then(|| kind.to_owned())
    });
    let kind = kind.unwrap_or_default();
    if let Some(display) = reference.text("display")? {
        return Ok(Some((display, kind)));
    }
    let Some(entry) = found else { return Ok(None) };
    if kind == "Organization" {
        return Ok(entry.resource.text("name")?.map(|name| (name, kind)));
    }
    if kind != "Practitioner" {
        return Ok(None);
    }
    let Some(name) = entry.resource.list("name")?.into_iter().next() else { return Ok(None) };
    let mut whole = crate::patient::Name::default();
    match name.text("text")? {
        Some(text) => whole.add(&text, &[]),
        None => whole.add(&name.text("family")?.unwrap_or_default(), &name.texts("given")?),
    }
    Ok(whole.written.map(|name| (name, kind)))
}

fn visit_number(root: &Node<'_>, graph: &Graph<'_>) -> Result<Option<String>, Refusal> {
    let context = root.any("context")?.into_iter().next();
    let of_context = context.map(|context| context.any("encounter")).transpose()?.unwrap_or_default();
    let Some(reference) = root.any("encounter")?.into_iter().chain(of_context).next() else {
        return Ok(None);
    };
    if let Some(identifier) = reference.one("identifier")? {
        return identifier.text("value");
    }
    let Some(literal) = reference.text("reference")? else { return Ok(None) };
    let Some(entry) = graph.find(&literal) else {
        return Ok(literal.rsplit_once("Encounter/").map(|(_, id)| id.to_owned()));
    };
    let identifier = entry.resource.list("identifier")?.into_iter().next();
    Ok(identifier.map(|id| id.text("value")).transpose()?.flatten().or(entry.resource.text("id")?))
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
