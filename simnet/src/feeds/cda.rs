//! Clinical documents in the shape of WS/T 500-2016 and WS/T 483-2016 as hospital programs in the field write them:
//! empty `setId`, `versionNumber` and section `text`, the extra element `age`, `asOrganizationPartOf` nesting, and entries
//! keyed by data element (`DE…`) instead of narrative.
//!
//! Documents are made for readers to cope with, and are not validated against a schema.

mod bodies;
mod header;

use crate::feeds::xml::Xml;
use crate::feeds::{Case, Document};

/// The template of a document: WS/T 500 part n has …1.1.(20+n), WS/T 483 part n has …1.1.n.
pub fn template(document: Document) -> &'static str {
    match document {
        Document::Consultation => "2.16.156.10011.2.1.1.22",
        Document::Prescription => "2.16.156.10011.2.1.1.24",
        Document::Image(_) => "2.16.156.10011.2.1.1.26",
        Document::Labs(_) => "2.16.156.10011.2.1.1.27",
        Document::Discharge => "2.16.156.10011.2.1.1.73",
        Document::Referral => "2.16.156.10011.2.1.1.20",
    }
}

/// Writes a document; `None` if it is about a report that the visit does not have.
pub fn write(case: &Case<'_>, document: Document) -> Option<String> {
    let missing = match document {
        Document::Image(at) => case.image(at).is_none(),
        Document::Labs(at) => case.lab(at).is_none(),
        Document::Referral => case.visit.referral.is_none(),
        Document::Consultation | Document::Prescription | Document::Discharge => false,
    };
    if missing {
        return None;
    }
    let attributes = [
        ("xmlns", "urn:hl7-org:v3"),
        ("xmlns:mif", "urn:hl7-org:v3/mif"),
        ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
        ("xsi:schemaLocation", "urn:hl7-org:v3 ..\\sdschemas\\SDA.xsd"),
    ];
    Some(Xml::document("ClinicalDocument", &attributes, |xml| {
        header::write(xml, case, document);
        xml.element("component", &[], |xml| {
            xml.element("structuredBody", &[], |xml| bodies::write(xml, case, document));
        });
    }))
}
