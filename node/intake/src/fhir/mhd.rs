//! IHE MHD: DocumentReferences with their content in Binary resources (ITI-65) or inline (ITI-105).

use crate::facts::{Document, Payload, Understood};
use crate::fhir::graph::Graph;
use crate::fhir::node::Node;
use crate::fhir::{Context, document};
use crate::flag::{Flag, Flags};
use crate::hl7::from_base64;
use crate::patient::Patient;
use crate::refusal::Refusal;

/// Whether a bundle carries documents in the sense of MHD: a DocumentReference whose content is in the bundle.
pub(super) fn is_submission(graph: &Graph<'_>) -> Result<bool, Refusal> {
    for entry in graph.all("DocumentReference") {
        if attachment(&entry.resource)?
            .map(|attachment| data(&attachment, graph))
            .transpose()?
            .flatten()
            .is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// One document per DocumentReference; all are about the one patient of the bundle.
pub(super) fn read(
    graph: &Graph<'_>,
    patient: &Patient,
    context: &Context<'_>,
    flags: &Flags,
) -> Result<Understood, Refusal> {
    let mut documents = Vec::new();
    for entry in graph.all("DocumentReference") {
        let mut described = document::describe(
            &entry.resource,
            "DocumentReference",
            patient.clone(),
            graph,
            context,
            flags.clone(),
        )?;
        embed(&entry.resource, graph, &mut described)?;
        documents.push(described);
    }
    Ok(Understood::Documents(documents))
}

/// Puts the content of a DocumentReference into its document, if the content is in the input.
pub(super) fn embed(reference: &Node<'_>, graph: &Graph<'_>, document: &mut Document) -> Result<(), Refusal> {
    let Some(attachment) = attachment(reference)? else { return Ok(()) };
    if document.title.is_none() {
        document.title = attachment.text("title")?.map(Into::into);
    }
    let Some((encoded, media)) = data(&attachment, graph)? else { return Ok(()) };
    let Some(bytes) = from_base64(&encoded).filter(|bytes| !bytes.is_empty()) else {
        document.flags.raise(Flag::EmbeddedDamaged);
        return Ok(());
    };
    let declared = attachment.number("size");
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    document.flags.raise_if(declared.is_some_and(|declared| declared != size), Flag::EmbeddedMismatch);
    document.format = document::format(&media, &bytes);
    document.payload = Payload::Embedded(bytes);
    Ok(())
}

fn attachment<'v>(reference: &Node<'v>) -> Result<Option<Node<'v>>, Refusal> {
    let content = reference.list("content")?.into_iter().next();
    content.map(|content| content.one("attachment")).transpose().map(Option::flatten)
}

/// The base64 and the media type of an attachment: inline, or in the Binary that its URL names.
fn data(attachment: &Node<'_>, graph: &Graph<'_>) -> Result<Option<(String, String)>, Refusal> {
    let media = attachment.text("contentType")?.unwrap_or_default();
    if let Some(inline) = attachment.text("data")? {
        return Ok(Some((inline, media)));
    }
    let Some(url) = attachment.text("url")? else { return Ok(None) };
    let Some(binary) = graph.find(&url).filter(|entry| entry.kind == "Binary") else { return Ok(None) };
    let own = binary.resource.text("contentType")?;
    Ok(binary.resource.text("data")?.map(|data| (data, own.unwrap_or(media))))
}
