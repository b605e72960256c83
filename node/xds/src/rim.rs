//! Elements of ebRIM 3.0: slots, classifications, external identifiers, and the ids by which IHE names their kinds (ITI TF-3, 4.2.5).

use roxmltree::Node;
use yiqiao_intake::xml;

use crate::limits::VALUES_MAX;
use crate::wrong::{Code, Wrong};

/// What every object of a registry is, for `objectType`.
pub(crate) const OBJECT: &str = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:";
/// A document that stands, as it was handed in.
pub(crate) const STABLE: &str = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1";
/// The node of submission sets.
pub(crate) const SUBMISSION_SET: &str = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd";
/// Association: a package has it.
pub(crate) const HAS_MEMBER: &str = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember";
/// Association: it takes the place of another.
pub(crate) const REPLACES: &str = "urn:ihe:iti:2007:AssociationType:RPLC";
/// Standing of an object: how it begins.
pub(crate) const STATUS: &str = "urn:oasis:names:tc:ebxml-regrep:StatusType:";

/// Classifications of a document.
pub(crate) const CLASS: &str = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a";
pub(crate) const TYPE: &str = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983";
pub(crate) const FORMAT: &str = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d";
pub(crate) const FACILITY: &str = "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1";
pub(crate) const PRACTICE: &str = "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead";
pub(crate) const CONFIDENTIALITY: &str = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f";
pub(crate) const AUTHOR: &str = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d";

/// External identifiers of a document and of a submission set.
pub(crate) const PATIENT_ID: &str = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427";
pub(crate) const UNIQUE_ID: &str = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab";
pub(crate) const SET_PATIENT_ID: &str = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446";
pub(crate) const SET_UNIQUE_ID: &str = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8";

/// A code in its scheme.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coded {
    pub(crate) code: String,
    /// An OID as such, or a URI.
    pub(crate) scheme: String,
    pub(crate) display: String,
}

impl Coded {
    /// The scheme as FHIR names systems.
    pub(crate) fn system(&self) -> String {
        if is_oid(&self.scheme) { format!("urn:oid:{}", self.scheme) } else { self.scheme.clone() }
    }

    /// The scheme of a system of FHIR.
    pub(crate) fn scheme_of(system: &str) -> String {
        system.strip_prefix("urn:oid:").filter(|oid| is_oid(oid)).unwrap_or(system).to_owned()
    }
}

pub(crate) fn is_oid(text: &str) -> bool {
    let arcs = || text.split('.');
    let digits = |arc: &str| !arc.is_empty() && arc.bytes().all(|byte| byte.is_ascii_digit());
    arcs().count() > 1 && arcs().all(digits)
}

/// The attribute that must be there.
pub(crate) fn need<'a>(node: Node<'a, '_>, name: &str) -> Result<&'a str, Wrong> {
    xml::attribute(node, name).ok_or_else(|| missing(&format!("{} {name}", node.tag_name().name())))
}

pub(crate) fn missing(what: &str) -> Wrong {
    Wrong::new(Code::RegistryMetadata, format!("{what} is missing"))
}

/// The values of the slots of a name, those of each slot together.
pub(crate) fn slots<'a>(object: Node<'a, '_>, name: &str) -> Result<Vec<Vec<&'a str>>, Wrong> {
    let named = xml::children(object, "Slot").filter(|slot| slot.attribute("name") == Some(name));
    let values = |slot: Node<'a, '_>| {
        let list = xml::child(slot, "ValueList");
        let values = list.into_iter().flat_map(|list| xml::children(list, "Value"));
        let texts: Vec<&str> = values.filter_map(|value| value.text()).map(str::trim).collect();
        let many = Wrong::new(Code::RegistryMetadata, format!("a slot has more than {VALUES_MAX} values"));
        if texts.len() > VALUES_MAX { Err(many) } else { Ok(texts) }
    };
    named.map(values).collect()
}

/// The first value of a slot.
pub(crate) fn slot<'a>(object: Node<'a, '_>, name: &str) -> Result<Option<&'a str>, Wrong> {
    let first = slots(object, name)?.into_iter().flatten().find(|value| !value.is_empty());
    Ok(first)
}

/// The classifications of a scheme.
pub(crate) fn classified<'a, 'i, 's>(
    object: Node<'a, 'i>,
    scheme: &'s str,
) -> impl Iterator<Item = Node<'a, 'i>> + use<'a, 'i, 's> {
    xml::children(object, "Classification")
        .filter(move |one| xml::attribute(*one, "classificationScheme") == Some(scheme))
}

/// The codes of a scheme.
pub(crate) fn coded(object: Node<'_, '_>, scheme: &str) -> Result<Vec<Coded>, Wrong> {
    let one = |node| {
        Ok(Coded {
            code: need(node, "nodeRepresentation")?.to_owned(),
            scheme: slot(node, "codingScheme")?.unwrap_or_default().to_owned(),
            display: name(node).unwrap_or_default().to_owned(),
        })
    };
    classified(object, scheme).map(one).collect()
}

/// The value of an external identifier.
pub(crate) fn external<'a>(object: Node<'a, '_>, scheme: &str) -> Option<&'a str> {
    let mut all = xml::children(object, "ExternalIdentifier");
    let found = all.find(|one| xml::attribute(*one, "identificationScheme") == Some(scheme))?;
    xml::attribute(found, "value")
}

/// What an object is called.
pub(crate) fn name<'a>(object: Node<'a, '_>) -> Option<&'a str> {
    xml::at(object, &["Name", "LocalizedString"]).and_then(|text| xml::attribute(text, "value"))
}
