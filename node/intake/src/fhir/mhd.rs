//! IHE MHD: DocumentReferences with their content in Binary resources (ITI-65) or inline (ITI-105).

use crate::facts::{Document, Format, Payload, Understood};
use crate::fhir::graph::Graph;
use crate::fhir::node::Node;
use crate::fhir::{Context, document, visit};
use crate::flag::{Flag, Flags};
use crate::hl7::from_base64;
use crate::patient::Patient;
use crate::refusal::Refusal;

/// Whether a bundle carries documents in the sense of MHD: a DocumentReference whose content is in the bundle, or came
/// before it.
pub(super) fn is_submission(graph: &Graph<'_>, context: &Context<'_>) -> Result<bool, Refusal> {
    for entry in graph.all("DocumentReference") {
        if let Some(attachment) = attachment(&entry.resource)?
            && content(&attachment, graph, context)?.is_some()
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
        embed(&entry.resource, graph, context, &mut described)?;
        documents.push(described);
    }
    if let Some(first) = documents.first_mut() {
        first.visits = visit::all(graph, context.zone, &mut first.flags)?;
    }
    Ok(Understood::Documents(documents))
}

/// Puts the content of a DocumentReference into its document, if the content is here.
pub(super) fn embed(
    reference: &Node<'_>,
    graph: &Graph<'_>,
    context: &Context<'_>,
    document: &mut Document,
) -> Result<(), Refusal> {
    let Some(attachment) = attachment(reference)? else { return Ok(()) };
    if document.title.is_none() {
        document.title = attachment.text("title")?.map(Into::into);
    }
    let (encoded, media) = match content(&attachment, graph, context)? {
        Some(Content::Here { encoded, media }) => (encoded, media),
        Some(Content::Before { url, media }) => {
            document.format = Format::from_media_type(&media);
            document.payload = Payload::Deposited(url);
            return Ok(());
        }
        None => return Ok(()),
    };
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

/// The content of an attachment.
enum Content {
    /// Inline, or in the Binary that its URL names: base64.
    Here { encoded: String, media: String },
    /// It came before.
    Before { url: String, media: String },
}

fn content(
    attachment: &Node<'_>,
    graph: &Graph<'_>,
    context: &Context<'_>,
) -> Result<Option<Content>, Refusal> {
    let media = attachment.text("contentType")?.unwrap_or_default();
    if let Some(encoded) = attachment.text("data")? {
        return Ok(Some(Content::Here { encoded, media }));
    }
    let Some(url) = attachment.text("url")? else { return Ok(None) };
    let Some(binary) = graph.find(&url).filter(|entry| entry.kind == "Binary") else {
        return Ok(context.deposits.contains(&url).then_some(Content::Before { url, media }));
    };
    let media = binary.resource.text("contentType")?.unwrap_or(media);
    Ok(binary.resource.text("data")?.map(|encoded| Content::Here { encoded, media }))
}
