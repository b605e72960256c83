//! Who wrote, and who treats: members of staff and organisations behind references.

use crate::facts::{Author, Staff};
use crate::fhir::graph::Graph;
use crate::fhir::node::Node;
use crate::patient::Name;
use crate::refusal::Refusal;

/// How a transaction refers to a practitioner whom the server knows by an identifier.
const CONDITIONAL: &str = "Practitioner?identifier=";

/// Who wrote a resource.
pub(super) fn author(root: &Node<'_>, graph: &Graph<'_>) -> Result<Author, Refusal> {
    let mut author = Author::default();
    for field in ["author", "performer", "requester", "recorder"] {
        for reference in root.any(field)? {
            let reference = reference.one("actor")?.unwrap_or(reference);
            match named(&reference, graph)? {
                Some((name, kind)) if kind == "Organization" => _ = author.organization.get_or_insert(name),
                _ if author.person.is_none() => author.person = read(&reference, graph)?,
                _ => {}
            }
        }
    }
    if let Some(custodian) = root.any("custodian")?.into_iter().next() {
        author.custodian = named(&custodian, graph)?.map(|(name, _)| name);
    }
    author.organization = author.organization.or(author.custodian.clone());
    Ok(author)
}

/// A member of staff: the number that the reference or the Practitioner states, and the name.
pub(super) fn read(reference: &Node<'_>, graph: &Graph<'_>) -> Result<Option<Staff>, Refusal> {
    let literal = reference.text("reference")?.unwrap_or_default();
    if let Some(role) = graph.find(&literal).filter(|entry| entry.kind == "PractitionerRole") {
        let holder = role.resource.one("practitioner")?;
        // One step: whoever names a role as the holder of a role means nobody.
        let holder = holder.filter(|holder| {
            let literal = holder.text("reference").ok().flatten().unwrap_or_default();
            graph.find(&literal).is_none_or(|entry| entry.kind == "Practitioner")
        });
        return holder.map_or(Ok(None), |holder| read(&holder, graph));
    }
    let (name, kind) = named(reference, graph)?.unwrap_or_else(|| (String::new(), kind(&literal, graph)));
    if !matches!(kind.as_str(), "" | "Practitioner" | "PractitionerRole") {
        return Ok(None);
    }
    let code = code(reference, &literal, graph)?.unwrap_or_default();
    Ok((!code.is_empty() || !name.is_empty()).then_some(Staff { code, name }))
}

/// The number in the hospital (type `EI`), else the first identifier. Never the id on a server: logins are tied to this number.
fn code(reference: &Node<'_>, literal: &str, graph: &Graph<'_>) -> Result<Option<String>, Refusal> {
    if let Some(identifier) = reference.one("identifier")? {
        return identifier.text("value");
    }
    if let Some(query) = literal.strip_prefix(CONDITIONAL) {
        return Ok(Some(query.rsplit('|').next().unwrap_or(query).to_owned()));
    }
    let Some(entry) = graph.find(literal) else { return Ok(None) };
    let mut codes = Vec::new();
    for identifier in entry.resource.list("identifier")? {
        let employee = is_employee(&identifier)?;
        codes.extend(identifier.text("value")?.map(|value| (employee, value)));
    }
    let employee = codes.iter().position(|(employee, _)| *employee).unwrap_or(0);
    Ok(codes.into_iter().nth(employee).map(|(_, value)| value))
}

fn is_employee(identifier: &Node<'_>) -> Result<bool, Refusal> {
    let Some(kind) = identifier.one("type")? else { return Ok(false) };
    for coding in kind.list("coding")? {
        if coding.text("code")?.as_deref() == Some("EI") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The name behind a reference and the type of what it refers to.
pub(super) fn named(reference: &Node<'_>, graph: &Graph<'_>) -> Result<Option<(String, String)>, Refusal> {
    let literal = reference.text("reference")?.unwrap_or_default();
    let mut kind = kind(&literal, graph);
    if kind.is_empty() {
        // A reference without an address says it in words of its own.
        kind = reference.text("type")?.unwrap_or_default();
    }
    if let Some(display) = reference.text("display")? {
        return Ok(Some((display, kind)));
    }
    let Some(entry) = graph.find(&literal) else { return Ok(None) };
    if kind == "Organization" {
        return Ok(entry.resource.text("name")?.map(|name| (name, kind)));
    }
    if kind != "Practitioner" {
        return Ok(None);
    }
    let Some(name) = entry.resource.list("name")?.into_iter().next() else { return Ok(None) };
    let mut whole = Name::default();
    match name.text("text")? {
        Some(text) => whole.add(&text, &[]),
        None => whole.add(&name.text("family")?.unwrap_or_default(), &name.texts("given")?),
    }
    Ok(whole.written.map(|name| (name, kind)))
}

/// The type of what is referred to: as it stands in the input, else as the reference says; may be empty.
fn kind(literal: &str, graph: &Graph<'_>) -> String {
    if let Some(entry) = graph.find(literal) {
        return entry.kind.clone();
    }
    let said = literal.rsplit('/').nth(1).filter(|kind| kind.starts_with(|c: char| c.is_ascii_uppercase()));
    said.map(str::to_owned).unwrap_or_default()
}
