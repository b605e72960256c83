//! The resources of an input and the references between them.

use std::collections::BTreeMap;

use crate::fhir::node::Node;
use crate::limits::BUNDLE_ENTRIES_MAX;
use crate::refusal::Refusal;

/// A resource and where it says it lives.
pub(super) struct Entry<'v> {
    pub(super) full_url: Option<String>,
    pub(super) kind: String,
    pub(super) resource: Node<'v>,
}

/// All resources of one input.
pub(super) struct Graph<'v> {
    pub(super) entries: Vec<Entry<'v>>,
    /// Position in `entries` by full URL and by `Type/id`.
    places: BTreeMap<String, usize>,
}

/// Whom a resource is about.
pub(super) enum Subject<'v> {
    /// A patient that is in the input; `place` tells one from another.
    Patient { place: String, resource: Node<'v> },
    /// A patient that is only referred to.
    Reference { place: String, reference: Node<'v> },
    /// A group, device, location …
    Elsewhere,
    /// Nobody.
    None,
}

/// Where resources say whom they are about.
const SUBJECTS: [&str; 5] = ["subject", "patient", "beneficiary", "for", "individual"];

impl<'v> Graph<'v> {
    /// The resources of a bundle.
    pub(super) fn of_bundle(bundle: &Node<'v>) -> Result<Self, Refusal> {
        let items = bundle.list("entry")?;
        if items.len() > BUNDLE_ENTRIES_MAX {
            return Err(Refusal::TooLarge {
                what: "the number of bundle entries",
                limit: BUNDLE_ENTRIES_MAX,
            });
        }
        let mut graph = Self { entries: Vec::new(), places: BTreeMap::new() };
        for item in items {
            if let Some(resource) = item.one("resource")? {
                graph.add(item.text("fullUrl")?, resource)?;
            }
        }
        Ok(graph)
    }

    /// A single resource.
    pub(super) fn of_resource(resource: &Node<'v>) -> Result<Self, Refusal> {
        let mut graph = Self { entries: Vec::new(), places: BTreeMap::new() };
        graph.add(None, resource.clone())?;
        Ok(graph)
    }

    fn add(&mut self, full_url: Option<String>, resource: Node<'v>) -> Result<(), Refusal> {
        let kind = resource.kind()?;
        let place = self.entries.len();
        if let Some(url) = &full_url {
            self.places.entry(url.clone()).or_insert(place);
        }
        if let Some(id) = resource.text("id")? {
            self.places.entry(format!("{kind}/{id}")).or_insert(place);
        }
        self.entries.push(Entry { full_url, kind, resource });
        Ok(())
    }

    /// The first resource of a type.
    pub(super) fn first(&self, kind: &str) -> Option<&Entry<'v>> {
        self.entries.iter().find(|entry| entry.kind == kind)
    }

    /// All resources of a type.
    pub(super) fn all<'g>(&'g self, kind: &'g str) -> impl Iterator<Item = &'g Entry<'v>> {
        self.entries.iter().filter(move |entry| entry.kind == kind)
    }

    /// The resource that a literal reference means, if it is in the input.
    pub(super) fn find(&self, reference: &str) -> Option<&Entry<'v>> {
        let versionless = reference.split("/_history/").next().unwrap_or(reference);
        let place = self.places.get(versionless).or_else(|| self.places.get(&tail(versionless)?));
        self.entries.get(*place?)
    }

    /// Whom a resource is about.
    pub(super) fn subject(&self, resource: &Node<'v>) -> Result<Subject<'v>, Refusal> {
        for name in SUBJECTS {
            for reference in resource.any(name)? {
                let subject = self.resolve(resource, reference)?;
                if !matches!(subject, Subject::None) {
                    return Ok(subject);
                }
            }
        }
        // Appointments name the patient among the participants.
        for participant in resource.any("participant")? {
            if let Some(actor) = participant.one("actor")? {
                let subject = self.resolve(resource, actor)?;
                if matches!(subject, Subject::Patient { .. } | Subject::Reference { .. }) {
                    return Ok(subject);
                }
            }
        }
        Ok(Subject::None)
    }

    fn resolve(&self, holder: &Node<'v>, reference: Node<'v>) -> Result<Subject<'v>, Refusal> {
        let declared = reference.text("type")?;
        let Some(literal) = reference.text("reference")? else {
            let Some(identifier) = reference.one("identifier")? else { return Ok(Subject::None) };
            if declared.is_some_and(|kind| kind != "Patient") {
                return Ok(Subject::Elsewhere);
            }
            let place = format!(
                "{}|{}",
                identifier.text("system")?.unwrap_or_default(),
                identifier.text("value")?.unwrap_or_default()
            );
            return Ok(Subject::Reference { place, reference });
        };
        if let Some(id) = literal.strip_prefix('#') {
            return contained(holder, id, literal.clone());
        }
        if let Some(entry) = self.find(&literal) {
            let place = entry.full_url.clone().unwrap_or_else(|| tail(&literal).unwrap_or(literal));
            let resource = entry.resource.clone();
            return Ok(if entry.kind == "Patient" {
                Subject::Patient { place, resource }
            } else {
                Subject::Elsewhere
            });
        }
        let kind = tail(&literal).and_then(|tail| tail.split('/').next().map(str::to_owned));
        let conditional = literal.strip_prefix("Patient?").is_some();
        let patient = conditional || declared.or(kind).is_none_or(|kind| kind == "Patient");
        Ok(if patient { Subject::Reference { place: literal, reference } } else { Subject::Elsewhere })
    }
}

fn contained<'v>(holder: &Node<'v>, id: &str, place: String) -> Result<Subject<'v>, Refusal> {
    for resource in holder.list("contained")? {
        if resource.text("id")?.as_deref() == Some(id) {
            let is_patient = resource.kind()? == "Patient";
            return Ok(if is_patient { Subject::Patient { place, resource } } else { Subject::Elsewhere });
        }
    }
    Ok(Subject::None)
}

/// `Type/id` at the end of a relative or absolute reference.
fn tail(reference: &str) -> Option<String> {
    let mut parts = reference.rsplit('/');
    let (id, kind) = (parts.next()?, parts.next()?);
    let typed = kind.starts_with(|c: char| c.is_ascii_uppercase());
    (typed && !id.is_empty()).then(|| format!("{kind}/{id}"))
}
