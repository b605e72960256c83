//! FHIR R4, JSON and XML: single resources, bundles, IHE MHD submissions.
//!
//! Not here: profiles and validation. What this crate reads must have the right shape; the rest is passed through.

mod bundle;
mod document;
mod graph;
mod kind;
mod mhd;
mod node;
mod person;
pub mod results;
mod staff;
mod visit;
mod xml;

use core::ops::Range;
use std::collections::BTreeSet;

use serde_json::Value;

use crate::dates::Zone;
use crate::facts::{Answer, Format, Review, ReviewReason, Understood};
use crate::flag::Flags;
use crate::intake::Door;
use crate::refusal::Refusal;
use graph::{Graph, Subject};
use node::Node;

/// What all readers of one input share.
struct Context<'c> {
    zone: &'c Zone,
    format: Format,
    span: Range<usize>,
    deposits: &'c BTreeSet<String>,
}

impl<'c> Context<'c> {
    const fn of(door: &'c Door, format: Format, span: Range<usize>) -> Self {
        Self { zone: &door.zone, format, span, deposits: &door.deposits }
    }
}

/// Reads a resource in JSON; `span` says where it stands in its input.
///
/// # Errors
/// If it is not JSON, not a resource, or has another shape than FHIR where it is read.
pub fn read_json(input: &[u8], span: Range<usize>, door: &Door) -> Result<Understood, Refusal> {
    let input = input.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(input);
    let text = core::str::from_utf8(input).map_err(|_| Refusal::Charset { charset: "UTF-8" })?;
    // The parser bounds the depth at 128.
    let value: Value = serde_json::from_str(text)
        .map_err(|error| Refusal::Json { line: error.line(), column: error.column() })?;
    read(&value, false, &Context::of(door, Format::FhirJson, span), Flags::none())
}

/// Reads a resource in XML.
///
/// # Errors
/// As [`read_json`], and if the XML is broken, too deep or too large.
pub fn read_xml(input: &[u8], span: Range<usize>, door: &Door) -> Result<Understood, Refusal> {
    let mut flags = Flags::none();
    let text = crate::xml::decode(input, &mut flags)?;
    let document = crate::xml::parse(&text)?;
    let value = xml::to_json(document.root_element());
    read(&value, true, &Context::of(door, Format::FhirXml, span), flags)
}

/// A resource in XML as the JSON that means the same, for showing it: a list of one stays a single value, every primitive
/// is a string, and narrative is left out.
///
/// # Errors
/// If the XML is broken, too deep or too large.
pub fn json_of_xml(input: &[u8]) -> Result<Value, Refusal> {
    let text = crate::xml::decode(input, &mut Flags::none())?;
    let document = crate::xml::parse(&text)?;
    Ok(xml::to_json(document.root_element()))
}

fn read(value: &Value, lenient: bool, context: &Context<'_>, flags: Flags) -> Result<Understood, Refusal> {
    let missing = Refusal::ElementMissing { path: "resourceType", meaning: "the type of the resource" };
    let unnamed = Node::root(value, "the root".to_owned(), lenient).object()?;
    let kind = unnamed.field("resourceType").ok_or(missing).and_then(|_| unnamed.kind())?;
    let root = Node::root(value, kind.clone(), lenient);
    if kind == "Bundle" { bundle::read(&root, context, flags) } else { single(&root, &kind, context, flags) }
}

/// A resource on its own.
fn single(
    root: &Node<'_>,
    kind: &str,
    context: &Context<'_>,
    mut flags: Flags,
) -> Result<Understood, Refusal> {
    let graph = Graph::of_resource(root)?;
    if kind == "Patient" {
        let patient = person::read(root, true, &mut flags)?;
        return Ok(document::events(kind, &patient, Vec::new(), flags));
    }
    let review =
        |reason, flags| Ok(Understood::Review(Box::new(Review { flags, ..Review::new(reason, kind) })));
    match graph.subject(root)? {
        _ if kind::is_never_about_patients(kind) => {
            Ok(Understood::Answer(Answer::NotAboutPatients(kind.to_owned())))
        }
        Subject::Patient { resource, .. } => {
            let patient = person::read(&resource, true, &mut flags)?;
            document::of_resource(root, kind, patient, &graph, context, flags)
        }
        Subject::Reference { reference, .. } => {
            let patient = person::of_reference(&reference)?;
            document::of_resource(root, kind, patient, &graph, context, flags)
        }
        Subject::Elsewhere | Subject::None if kind::is_rarely_about_patients(kind) => {
            Ok(Understood::Answer(Answer::NotAboutPatients(kind.to_owned())))
        }
        Subject::Elsewhere | Subject::None => review(ReviewReason::NoPatient, flags),
    }
}
