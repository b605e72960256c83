//! Documents as entries of a registry (ITI TF-3, 4.2.3.2): what the FHIR door shows of a document, in ebRIM.
//!
//! `hash` is left out, as it is there: it is SHA-1 of the plain document, which no node computes. Kind of institution and practice setting of a
//! document received from another hospital are not known, and left out, too.

use serde_json::Value;
use yiqiao_fhir::document::{Listing, Standing};
use yiqiao_fhir::resource::Resource;
use yiqiao_proto::time::Timestamp;

use crate::name::uuid_within;
use crate::query::{Field, Moment};
use crate::rim::{
    AUTHOR, CLASS, CONFIDENTIALITY, Coded, FACILITY, FORMAT, OBJECT, PATIENT_ID, PRACTICE, REPLACES, STABLE,
    STATUS, TYPE, UNIQUE_ID,
};
use crate::soap::{QUERY, RIM, RS};
use crate::time;
use crate::writer::Xml;
use crate::wrong::{Ended, Wrong, write_list};

/// A document as the FHIR door shows it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'l> {
    listing: &'l Listing,
    shown: &'l Value,
}

/// A document that is listed.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'l> {
    shown: Shown<'l>,
    names: &'l Names,
}

/// How a document is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// Its id in the registry.
    pub entry: String,
    /// Its unique id.
    pub unique: String,
    /// Its patient, as CX.
    pub patient: String,
    /// Where it is retrieved.
    pub repository: String,
}

impl<'l> Shown<'l> {
    /// A document and its DocumentReference. Withdrawn ones are shown nowhere.
    pub fn new(listing: &'l Listing, resource: &'l Resource) -> Option<Self> {
        let stands = listing.standing != Standing::EnteredInError;
        stands.then(|| Self { listing, shown: resource.json().expose() })
    }

    pub(crate) const fn standing(&self) -> Standing {
        self.listing.standing
    }

    pub(crate) const fn at(&self, moment: Moment) -> Option<Timestamp> {
        match moment {
            Moment::Creation => Some(self.listing.created_at),
            Moment::ServiceStart => self.listing.service_start,
            Moment::ServiceStop => self.listing.service_end,
        }
    }

    pub(crate) fn codes(&self, field: Field) -> Vec<Coded> {
        let concept = match field {
            Field::Class => "/category/0/coding/0",
            Field::Type => "/type/coding/0",
            Field::Format => "/content/0/format",
            Field::Facility => "/context/facilityType/coding/0",
            Field::Practice => "/context/practiceSetting/coding/0",
            Field::Confidentiality => "/securityLabel/0/coding/0",
            Field::Event => return Vec::new(),
        };
        let Some(coding) = self.shown.pointer(concept) else { return Vec::new() };
        let text = |name: &str| coding.get(name).and_then(Value::as_str).unwrap_or_default();
        let (code, display) = (text("code").to_owned(), text("display").to_owned());
        vec![Coded { code, scheme: Coded::scheme_of(text("system")), display }]
    }

    /// Number and name (XCN).
    pub(crate) fn author_person(&self) -> Option<String> {
        let person = self.author("Practitioner")?;
        let text = |path: &str| person.pointer(path).and_then(Value::as_str).unwrap_or_default();
        Some(format!("{}^{}", component(text("/identifier/value")), component(text("/display"))))
    }

    fn author_institution(&self) -> Option<String> {
        let place = self.author("Organization")?;
        place.get("display").and_then(Value::as_str).map(component)
    }

    fn author(&self, kind: &str) -> Option<&Value> {
        let authors = self.shown.get("author").and_then(Value::as_array);
        authors.into_iter().flatten().find(|author| author.get("type").and_then(Value::as_str) == Some(kind))
    }

    fn text(&self, path: &str) -> &str {
        self.shown.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }
}

impl<'l> Listed<'l> {
    /// A document under its names.
    pub const fn new(shown: Shown<'l>, names: &'l Names) -> Self {
        Self { shown, names }
    }

    fn write(&self, xml: &mut Xml) {
        let standing = if self.shown.standing() == Standing::Current { "Approved" } else { "Deprecated" };
        let (id, status) = (self.names.entry.as_str(), format!("{STATUS}{standing}"));
        let attributes = [
            ("id", id),
            ("lid", id),
            ("objectType", STABLE),
            ("status", &status),
            ("mimeType", self.shown.text("/content/0/attachment/contentType")),
        ];
        xml.element("rim:ExtrinsicObject", &attributes, |xml| {
            self.write_slots(xml);
            let title = self.shown.text("/description");
            if !title.is_empty() {
                write_name(xml, title);
            }
            self.write_author(xml);
            for (scheme, field) in SCHEMES {
                for code in self.shown.codes(field) {
                    self.write_code(xml, scheme, &code);
                }
            }
            self.write_identifier(xml, PATIENT_ID, "XDSDocumentEntry.patientId", &self.names.patient);
            self.write_identifier(xml, UNIQUE_ID, "XDSDocumentEntry.uniqueId", &self.names.unique);
        });
    }

    fn write_slots(&self, xml: &mut Xml) {
        let at = |moment| self.shown.at(moment).map(time::write);
        let slots = [
            ("creationTime", at(Moment::Creation)),
            ("languageCode", Some(self.shown.text("/content/0/attachment/language").to_owned())),
            ("repositoryUniqueId", Some(self.names.repository.clone())),
            ("serviceStartTime", at(Moment::ServiceStart)),
            ("serviceStopTime", at(Moment::ServiceStop)),
            ("size", Some(self.shown.listing.size.to_string())),
            ("sourcePatientId", Some(self.names.patient.clone())),
        ];
        for (name, value) in slots {
            value.filter(|value| !value.is_empty()).iter().for_each(|value| write_slot(xml, name, value));
        }
    }

    fn write_author(&self, xml: &mut Xml) {
        let (person, institution) = (self.shown.author_person(), self.shown.author_institution());
        if person.is_none() && institution.is_none() {
            return;
        }
        self.write_classification(xml, AUTHOR, "", |xml| {
            institution.iter().for_each(|value| write_slot(xml, "authorInstitution", value));
            person.iter().for_each(|value| write_slot(xml, "authorPerson", value));
        });
    }

    fn write_code(&self, xml: &mut Xml, scheme: &str, code: &Coded) {
        self.write_classification(xml, scheme, &code.code, |xml| {
            write_slot(xml, "codingScheme", &code.scheme);
            write_name(xml, &code.display);
        });
    }

    fn write_classification(&self, xml: &mut Xml, scheme: &str, code: &str, inner: impl FnOnce(&mut Xml)) {
        let (own, kind) = (uuid_within(&self.names.entry, scheme), format!("{OBJECT}Classification"));
        let attributes = [
            ("id", own.as_str()),
            ("classificationScheme", scheme),
            ("classifiedObject", &self.names.entry),
            ("nodeRepresentation", code),
            ("objectType", &kind),
        ];
        xml.element("rim:Classification", &attributes, inner);
    }

    fn write_identifier(&self, xml: &mut Xml, scheme: &str, name: &str, value: &str) {
        let (own, kind) = (uuid_within(&self.names.entry, scheme), format!("{OBJECT}ExternalIdentifier"));
        let attributes = [
            ("id", own.as_str()),
            ("identificationScheme", scheme),
            ("registryObject", &self.names.entry),
            ("value", value),
            ("objectType", &kind),
        ];
        xml.element("rim:ExternalIdentifier", &attributes, |xml| write_name(xml, name));
    }
}

const SCHEMES: [(&str, Field); 6] = [
    (CLASS, Field::Class),
    (CONFIDENTIALITY, Field::Confidentiality),
    (FORMAT, Field::Format),
    (FACILITY, Field::Facility),
    (PRACTICE, Field::Practice),
    (TYPE, Field::Type),
];

/// What would separate components of HL7 v2 is none in a name.
fn component(text: &str) -> String {
    text.replace(['^', '&'], " ")
}

fn write_slot(xml: &mut Xml, name: &str, value: &str) {
    xml.element("rim:Slot", &[("name", name)], |xml| {
        xml.element("rim:ValueList", &[], |xml| xml.leaf("rim:Value", &[], value));
    });
}

fn write_name(xml: &mut Xml, text: &str) {
    let attributes = [("charset", "UTF-8"), ("value", text), ("xml:lang", "zh-CN")];
    xml.element("rim:Name", &[], |xml| xml.element("rim:LocalizedString", &attributes, |_| {}));
}

/// That one document has replaced another, by their ids in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The newer.
    pub by: String,
    /// The older.
    pub what: String,
}

impl Replaced {
    /// The same each time it is shown.
    fn id(&self) -> String {
        uuid_within(&self.by, &self.what)
    }

    fn write(&self, xml: &mut Xml) {
        let (id, kind) = (self.id(), format!("{OBJECT}Association"));
        let attributes = [
            ("id", id.as_str()),
            ("lid", &id),
            ("objectType", &kind),
            ("status", &format!("{STATUS}Approved")),
            ("associationType", REPLACES),
            ("sourceObject", &self.by),
            ("targetObject", &self.what),
        ];
        xml.element("rim:Association", &attributes, |_| {});
    }
}

/// The answer to a question: the documents and what has replaced what, whole or by their ids.
pub fn query_response(documents: &[Listed<'_>], replaced: &[Replaced], leaves: bool) -> String {
    response(Ended::Success, &[], |xml| {
        for one in replaced {
            if leaves {
                one.write(xml);
            } else {
                xml.element("rim:ObjectRef", &[("id", &one.id())], |_| {});
            }
        }
        for document in documents {
            if leaves {
                document.write(xml);
            } else {
                xml.element("rim:ObjectRef", &[("id", &document.names.entry)], |_| {});
            }
        }
    })
}

/// The answer to a question that is not answered.
pub fn query_failure(wrong: &Wrong) -> String {
    response(Ended::Failure, std::slice::from_ref(wrong), |_| {})
}

fn response(ended: Ended, said: &[Wrong], objects: impl FnOnce(&mut Xml)) -> String {
    let mut xml = Xml::default();
    let attributes =
        [("xmlns:query", QUERY), ("xmlns:rs", RS), ("xmlns:rim", RIM), ("status", &*ended.status())];
    xml.element("query:AdhocQueryResponse", &attributes, |xml| {
        write_list(xml, said);
        xml.element("rim:RegistryObjectList", &[], objects);
    });
    xml.into_string()
}
