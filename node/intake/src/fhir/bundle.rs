//! Bundles: whom they are about, and what they make.

use std::collections::BTreeMap;

use crate::facts::{Answer, Review, ReviewReason, SourceId, Understood};
use crate::fhir::graph::{Entry, Graph, Subject};
use crate::fhir::kind::{PERSONAL, PROMINENT};
use crate::fhir::node::Node;
use crate::fhir::{Context, document, kind, mhd, person, results, visit};
use crate::flag::{Flag, Flags};
use crate::kind::{Class, DocumentKind};
use crate::limits::BUNDLE_PATIENTS_MAX;
use crate::patient::Patient;
use crate::refusal::Refusal;

/// Reads a bundle: about one patient it is one document, of which MHD submissions are an exception. What it says to be a document is one,
/// whatever other documents it refers to.
pub(super) fn read(root: &Node<'_>, context: &Context<'_>, mut flags: Flags) -> Result<Understood, Refusal> {
    let kind = root.text("type")?.unwrap_or_default();
    if kind.ends_with("-response") {
        return Ok(Understood::Answer(Answer::Response(format!("Bundle {kind}"))));
    }
    let graph = Graph::of_bundle(root)?;
    let mut patients = patients(&graph, &mut flags)?;
    let patient = match patients.len() {
        0 if graph.entries.iter().all(|entry| kind::is_rarely_about_patients(&entry.kind)) => {
            return Ok(Understood::Answer(Answer::NotAboutPatients("Bundle".to_owned())));
        }
        0 => return Ok(document::review(ReviewReason::NoPatient, "Bundle", None, flags)),
        1 => patients.pop().unwrap_or_default(),
        _ => return Ok(document::review(ReviewReason::SeveralPatients, "Bundle", None, flags)),
    };
    if let Some(reason) = Review::of_patient(&patient) {
        return Ok(document::review(reason, "Bundle", Some(patient), flags));
    }
    if kind != "document" && mhd::is_submission(&graph, context)? {
        return mhd::read(&graph, &patient, context, &flags);
    }
    if is_personal(&graph) {
        let visits = visit::all(&graph, context.zone, &mut flags)?;
        return Ok(document::events("Bundle", &patient, visits, flags));
    }
    whole(root, &graph, patient, context, flags)
}

/// The bundle as one document, described by its most prominent resource.
fn whole(
    root: &Node<'_>,
    graph: &Graph<'_>,
    patient: Patient,
    context: &Context<'_>,
    flags: Flags,
) -> Result<Understood, Refusal> {
    let prominent = prominent(graph);
    let (described, name) =
        prominent.map_or((root, "Bundle"), |entry| (&entry.resource, entry.kind.as_str()));
    let mut whole = document::describe(described, name, patient, graph, context, flags)?;
    whole.visits = visit::all(graph, context.zone, &mut whole.flags)?;
    whole.lab = results::lab(root.value(), context.zone, &mut whole.flags);
    if let Some(event) = message_event(graph)? {
        let referral = kind::is_referral(&event);
        let class = if referral { Class::ReferralNote } else { whole.kind.class };
        whole.kind = DocumentKind::fhir(class, &event);
    } else if name != "Composition" && is_collection(graph) {
        whole.kind = DocumentKind::fhir(Class::Summary, "Bundle");
        // That of one of its reports would stand for all of them: it is named by its kind.
        whole.title = None;
    }
    if whole.date.is_none() || whole.flags.has(Flag::DateFromHeader) {
        whole.date =
            document::first_time(root, &["timestamp"], context.zone, &mut whole.flags)?.or(whole.date);
    }
    if let Some(identifier) = root.one("identifier")? {
        let system = identifier.text("system")?.unwrap_or_default();
        let own = SourceId::new(&system, &identifier.text("value")?.unwrap_or_default());
        if let Some(own) = own {
            whole.also_known_as.extend(whole.source_id.replace(own));
        }
    } else if whole.source_id.is_none() {
        whole.source_id = document::source_id(root, "Bundle")?;
        whole.flags.raise(Flag::SourceIdFromMessage);
    }
    Ok(Understood::Documents(vec![whole]))
}

/// Each patient that a resource is about once; without such a resource, the Patients themselves.
fn patients(graph: &Graph<'_>, flags: &mut Flags) -> Result<Vec<Patient>, Refusal> {
    let mut found: BTreeMap<String, Patient> = BTreeMap::new();
    for entry in graph.entries.iter().filter(|entry| entry.kind != "Patient") {
        match graph.subject(&entry.resource)? {
            Subject::Patient { place, resource } => {
                if !found.contains_key(&place) {
                    found.insert(place.clone(), person::read(&resource, is_served(&place), flags)?);
                }
            }
            Subject::Reference { place, reference } => {
                _ = found.insert(place, person::of_reference(&reference)?);
            }
            Subject::Elsewhere | Subject::None => {}
        }
    }
    if found.is_empty() {
        for (nth, entry) in graph.all("Patient").enumerate() {
            let served = entry.full_url.as_deref().is_none_or(is_served);
            found.insert(nth.to_string(), person::read(&entry.resource, served, flags)?);
        }
    }
    one_per_person(found.into_values().collect(), graph, flags)
}

/// Patients who share an identifier are one. One without identifiers is a person of his own: his data are not another's.
fn one_per_person(
    patients: Vec<Patient>,
    graph: &Graph<'_>,
    flags: &mut Flags,
) -> Result<Vec<Patient>, Refusal> {
    if patients.len() > BUNDLE_PATIENTS_MAX {
        return Ok(patients);
    }
    let mut persons: Vec<Patient> = Vec::new();
    for patient in patients {
        let known = persons.iter_mut().find(|person| person.shares_identifier(&patient));
        match known {
            Some(person) if person.identifiers.len() < patient.identifiers.len() => *person = patient,
            Some(_) => {}
            None => persons.push(patient),
        }
    }
    // A subject given by identifier is often in the bundle as a Patient, with more to say.
    for person in &mut persons {
        for entry in graph.all("Patient") {
            let full = person::read(&entry.resource, false, &mut Flags::none())?;
            if person.shares_identifier(&full) && full.identifiers.len() > person.identifiers.len() {
                *person = person::read(&entry.resource, false, flags)?;
            }
        }
    }
    Ok(persons)
}

/// Whether an address is of a server, so that the id in it lasts.
fn is_served(url: &str) -> bool {
    !url.starts_with("urn:") && !url.starts_with('#')
}

fn prominent<'g, 'v>(graph: &'g Graph<'v>) -> Option<&'g Entry<'v>> {
    let ranked = PROMINENT.iter().find_map(|kind| graph.first(kind));
    ranked.or_else(|| graph.entries.iter().find(|entry| !kind::is_rarely_about_patients(&entry.kind)))
}

fn is_personal(graph: &Graph<'_>) -> bool {
    graph
        .entries
        .iter()
        .all(|entry| PERSONAL.contains(&entry.kind.as_str()) || kind::is_rarely_about_patients(&entry.kind))
}

/// Several visits or reports together are an extract of a record.
fn is_collection(graph: &Graph<'_>) -> bool {
    graph.all("Encounter").count() > 1 || graph.all("DiagnosticReport").count() > 1
}

fn message_event(graph: &Graph<'_>) -> Result<Option<String>, Refusal> {
    let Some(header) = graph.entries.first().filter(|entry| entry.kind == "MessageHeader") else {
        return Ok(None);
    };
    if let Some(uri) = header.resource.text("eventUri")? {
        return Ok(Some(uri));
    }
    header.resource.one("eventCoding")?.map(|coding| coding.text("code")).transpose().map(Option::flatten)
}
