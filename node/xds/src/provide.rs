//! ITI-41 Provide and Register Document Set-b: metadata and documents to an MHD submission, which goes the way of every other.
//!
//! What an attribute says that the node has no room for is passed over (keywords, `sourcePatientInfo`, who is liable in law): the documents have
//! it. What would be another meaning is refused: folders, documents by reference, associations other than replacement.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use roxmltree::Node;
use serde_json::{Value, json};
use yiqiao_intake::facts::SourceId;
use yiqiao_intake::xml;

use crate::limits::DOCUMENTS_MAX;
use crate::mtom::Message;
use crate::name::{Named, PatientId, sha1, uuid_within};
use crate::rim::{
    self, AUTHOR, CLASS, CONFIDENTIALITY, Coded, FACILITY, FORMAT, HAS_MEMBER, PATIENT_ID, PRACTICE,
    REPLACES, SET_PATIENT_ID, SET_UNIQUE_ID, STABLE, SUBMISSION_SET, TYPE, UNIQUE_ID, need,
};
use crate::soap::{Fault, XDS};
use crate::time;
use crate::wrong::{Code, Wrong};

/// Documents with their metadata.
#[derive(Clone, Debug)]
pub struct Submission<'b> {
    /// Whose all of them are.
    pub patient: PatientId,
    /// The documents, in the order of their metadata.
    pub documents: Vec<Submitted<'b>>,
    unique: String,
}

/// A document.
#[derive(Clone, Debug)]
pub struct Submitted<'b> {
    /// Its id in the message.
    pub id: String,
    /// What its source calls it.
    pub source: SourceId,
    /// The entry whose place it takes, as the message names it.
    pub replaces: Option<String>,
    unique: String,
    facts: Facts,
    content: Cow<'b, [u8]>,
}

/// What metadata say of a document.
#[derive(Clone, Debug)]
struct Facts {
    media: String,
    title: Option<String>,
    language: Option<String>,
    created: String,
    service: [Option<String>; 2],
    codes: [Vec<Coded>; 6],
    authors: Vec<Value>,
}

/// The classifications of [`Facts::codes`], in their order.
const CODES: [&str; 6] = [CLASS, TYPE, FORMAT, FACILITY, PRACTICE, CONFIDENTIALITY];

/// Why a submission is not taken: before there is a transaction, or in its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The message is none.
    Fault(Fault),
    /// The submission is wrong.
    Wrong(Wrong),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Wrong> for Refused {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

/// Reads a submission.
///
/// # Errors
/// [`Refused`], naming attributes and never what stands in them.
pub fn read<'b>(request: Node<'_, '_>, message: &Message<'b>) -> Result<Submission<'b>, Refused> {
    let list = xml::at(request, &["SubmitObjectsRequest", "RegistryObjectList"])
        .ok_or_else(|| rim::missing("SubmitObjectsRequest/RegistryObjectList"))?;
    let set = submission_set(list)?;
    let objects: Vec<_> = xml::children(list, "ExtrinsicObject").collect();
    if objects.is_empty() || objects.len() > DOCUMENTS_MAX {
        let what = format!("a submission has 1 to {DOCUMENTS_MAX} documents");
        return Err(Wrong::new(Code::RegistryMetadata, what).into());
    }
    let mut contents = contents(request, message)?;
    let links = Links::read(list, need(set, "id")?)?;
    let patient =
        rim::external(set, SET_PATIENT_ID).ok_or_else(|| rim::missing("XDSSubmissionSet.patientId"))?;
    let mut documents = Vec::new();
    for object in objects {
        documents.push(document(object, patient, &links, &mut contents)?);
    }
    if let Some(id) = contents.into_keys().next() {
        let what = "a Document of the message has no metadata";
        return Err(Wrong::new(Code::MissingDocumentMetadata, what).at(&id).into());
    }
    let uniques: BTreeSet<&str> = documents.iter().map(|document| document.unique.as_str()).collect();
    if uniques.len() < documents.len() {
        return Err(Wrong::new(Code::RegistryMetadata, "two documents have the same uniqueId").into());
    }
    links.check(&documents)?;
    let unique =
        rim::external(set, SET_UNIQUE_ID).ok_or_else(|| rim::missing("XDSSubmissionSet.uniqueId"))?;
    Ok(Submission { patient: patient_id(patient)?, unique: unique.to_owned(), documents })
}

fn patient_id(text: &str) -> Result<PatientId, Wrong> {
    let form = "a patientId is written as value^^^&OID&ISO";
    PatientId::read(text).ok_or_else(|| Wrong::new(Code::RegistryMetadata, form))
}

/// The one package, which is the submission set.
fn submission_set<'a, 'i>(list: Node<'a, 'i>) -> Result<Node<'a, 'i>, Wrong> {
    let packages: Vec<_> = xml::children(list, "RegistryPackage").collect();
    let [set] = packages.as_slice() else {
        let what = "there is one RegistryPackage, the submission set; folders are not kept";
        return Err(Wrong::new(Code::RegistryMetadata, what));
    };
    let id = need(*set, "id")?;
    let says = |one: Node<'_, '_>| xml::attribute(one, "classificationNode") == Some(SUBMISSION_SET);
    let inside = xml::children(*set, "Classification").any(says);
    let beside = xml::children(list, "Classification")
        .any(|one| says(one) && xml::attribute(one, "classifiedObject") == Some(id));
    if inside || beside { Ok(*set) } else { Err(rim::missing("the Classification of the submission set")) }
}

/// The bytes of each document, by its id.
fn contents<'b>(
    request: Node<'_, '_>,
    message: &Message<'b>,
) -> Result<BTreeMap<String, Cow<'b, [u8]>>, Refused> {
    let mut contents = BTreeMap::new();
    for element in request.children().filter(|node| node.has_tag_name((XDS, "Document"))) {
        let id = need(element, "id")?.to_owned();
        if contents.insert(id, message.content(element)?).is_some() {
            return Err(Wrong::new(Code::RegistryMetadata, "two Documents have the same id").into());
        }
    }
    Ok(contents)
}

/// What the associations of a submission say.
struct Links {
    members: BTreeSet<String>,
    /// What each takes the place of.
    replaced: BTreeMap<String, String>,
}

impl Links {
    fn read(list: Node<'_, '_>, set: &str) -> Result<Self, Wrong> {
        let mut links = Self { members: BTreeSet::new(), replaced: BTreeMap::new() };
        for association in xml::children(list, "Association") {
            let [from, to] = [need(association, "sourceObject")?, need(association, "targetObject")?];
            match need(association, "associationType")? {
                HAS_MEMBER if from == set => _ = links.members.insert(to.to_owned()),
                REPLACES => {
                    if links.replaced.insert(from.to_owned(), to.to_owned()).is_some() {
                        return Err(
                            Wrong::new(Code::RegistryMetadata, "a document replaces one other").at(from)
                        );
                    }
                }
                _ => {
                    let what = "of associations, HasMember of the submission set and RPLC are kept";
                    return Err(Wrong::new(Code::RegistryMetadata, what));
                }
            }
        }
        Ok(links)
    }

    /// The set has exactly the documents of the message, and only these replace.
    fn check(&self, documents: &[Submitted<'_>]) -> Result<(), Wrong> {
        let ids: BTreeSet<&str> = documents.iter().map(|document| document.id.as_str()).collect();
        if !self.members.iter().map(String::as_str).eq(ids.iter().copied()) {
            let what = "the submission set has each document of the message as a member, and no others";
            return Err(Wrong::new(Code::RegistryMetadata, what));
        }
        match self.replaced.keys().find(|from| !ids.contains(from.as_str())) {
            Some(_) => Err(Wrong::new(Code::RegistryMetadata, "what replaces is a document of the message")),
            None => Ok(()),
        }
    }
}

fn document<'b>(
    object: Node<'_, '_>,
    patient: &str,
    links: &Links,
    contents: &mut BTreeMap<String, Cow<'b, [u8]>>,
) -> Result<Submitted<'b>, Wrong> {
    let id = need(object, "id")?.to_owned();
    let placed = |wrong: Wrong| wrong.at(&id);
    if xml::attribute(object, "objectType") != Some(STABLE) {
        return Err(placed(Wrong::new(Code::RegistryMetadata, "the objectType is that of stable documents")));
    }
    let own = rim::external(object, PATIENT_ID);
    if own.ok_or_else(|| placed(rim::missing("XDSDocumentEntry.patientId")))? != patient {
        let what = "document and submission set are of different patients";
        return Err(placed(Wrong::new(Code::PatientIdDoesNotMatch, what)));
    }
    let unique =
        rim::external(object, UNIQUE_ID).ok_or_else(|| placed(rim::missing("XDSDocumentEntry.uniqueId")))?;
    let Some(Named::Source(source)) = Named::read(unique) else {
        let what =
            "a uniqueId is an OID, OID^extension or a URI of the source's own, of at most 128 characters";
        return Err(placed(Wrong::new(Code::RegistryMetadata, what)));
    };
    let content = contents
        .remove(&id)
        .ok_or_else(|| placed(Wrong::new(Code::MissingDocument, "the message has no Document of this id")))?;
    check(object, &content).map_err(placed)?;
    let facts = Facts::read(object).map_err(placed)?;
    let replaces = links.replaced.get(&id).cloned();
    Ok(Submitted { source, replaces, unique: unique.to_owned(), facts, content, id })
}

/// Size and hash are those of the bytes, if they are stated.
fn check(object: Node<'_, '_>, content: &[u8]) -> Result<(), Wrong> {
    let wrong = |what| Wrong::new(Code::RepositoryMetadata, what);
    if content.is_empty() {
        return Err(wrong("the document has no bytes"));
    }
    if rim::slot(object, "size")?.is_some_and(|size| size != content.len().to_string()) {
        return Err(wrong("size is not the length of the document"));
    }
    if rim::slot(object, "hash")?.is_some_and(|hash| !hash.eq_ignore_ascii_case(&sha1(content))) {
        return Err(wrong("hash is not the SHA-1 of the document"));
    }
    Ok(())
}

impl Facts {
    fn read(object: Node<'_, '_>) -> Result<Self, Wrong> {
        let created = instant(object, "creationTime")?.ok_or_else(|| rim::missing("creationTime"))?;
        let mut codes: [Vec<Coded>; 6] = Default::default();
        for (to, scheme) in codes.iter_mut().zip(CODES) {
            *to = rim::coded(object, scheme)?;
        }
        let [class, kind, ..] = &codes;
        if class.is_empty() || kind.is_empty() {
            return Err(rim::missing("classCode or typeCode"));
        }
        Ok(Self {
            media: need(object, "mimeType")?.to_owned(),
            title: rim::name(object).map(str::to_owned),
            language: rim::slot(object, "languageCode")?.map(str::to_owned),
            created,
            service: [instant(object, "serviceStartTime")?, instant(object, "serviceStopTime")?],
            codes,
            authors: authors(object)?,
        })
    }

    /// Every concept of a classification.
    fn concepts(&self, of: usize) -> Vec<Value> {
        let codes = self.codes.get(of).into_iter().flatten();
        codes.map(|code| json!({"coding": [coding(code)]})).collect()
    }

    fn concept(&self, of: usize) -> Value {
        self.concepts(of).into_iter().next().unwrap_or_default()
    }
}

fn coding(code: &Coded) -> Value {
    json!({"system": code.system(), "code": code.code, "display": code.display})
}

fn instant(object: Node<'_, '_>, name: &str) -> Result<Option<String>, Wrong> {
    let Some(text) = rim::slot(object, name)? else { return Ok(None) };
    let form = || Wrong::new(Code::RegistryMetadata, format!("{name} is no time such as 20261123081500"));
    Ok(Some(time::instant(time::parse(text).ok_or_else(form)?)))
}

/// Persons (XCN) and organisations (XON).
fn authors(object: Node<'_, '_>) -> Result<Vec<Value>, Wrong> {
    let mut authors = Vec::new();
    for author in rim::classified(object, AUTHOR) {
        if let Some(person) = rim::slot(author, "authorPerson")? {
            let parts: Vec<&str> = person.split('^').map(str::trim).collect();
            let part = |at: usize| parts.get(at).copied().unwrap_or_default();
            let name = format!("{}{}", part(1), part(2));
            authors.push(json!({
                "type": "Practitioner",
                "identifier": {"value": part(0)},
                "display": if name.is_empty() { part(0) } else { name.as_str() },
            }));
        }
        if let Some(institution) = rim::slot(author, "authorInstitution")? {
            let name = institution.split('^').next().unwrap_or_default().trim();
            authors.push(json!({"type": "Organization", "display": name}));
        }
    }
    Ok(authors)
}

impl Submission<'_> {
    /// The transaction that hands the same in by FHIR (MHD, ITI-65). `replaced` says, for what documents replace as the message names it, what its
    /// source calls that. The same submission makes the same bytes, however it was cut into parts.
    pub fn bundle(&self, replaced: &BTreeMap<String, SourceId>) -> Vec<u8> {
        let set = uuid_within(&self.unique, "set");
        let items: Vec<Value> =
            self.documents.iter().map(|document| json!({"item": {"reference": document.url()}})).collect();
        let list = json!({
            "resourceType": "List",
            "identifier": [{"system": yiqiao_fhir::terms::URI, "value": self.unique}],
            "status": "current",
            "mode": "working",
            "subject": self.subject(),
            "entry": items,
        });
        let mut entries = vec![entry(&set, &list)];
        for document in &self.documents {
            let earlier = document.replaces.as_ref().and_then(|id| replaced.get(id));
            entries.push(entry(&document.url(), &document.reference(&self.subject(), earlier)));
            let content = STANDARD.encode(&document.content);
            let binary =
                json!({"resourceType": "Binary", "contentType": document.facts.media, "data": content});
            entries.push(entry(&document.content_url(), &binary));
        }
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
        pruned(bundle).to_string().into_bytes()
    }

    fn subject(&self) -> Value {
        let PatientId { system, value } = &self.patient;
        json!({"type": "Patient", "identifier": {"system": system, "value": value.expose()}})
    }
}

fn entry(url: &str, resource: &Value) -> Value {
    let kind = resource.get("resourceType").cloned().unwrap_or_default();
    json!({"fullUrl": url, "resource": resource, "request": {"method": "POST", "url": kind}})
}

impl Submitted<'_> {
    fn url(&self) -> String {
        uuid_within(&self.unique, "document")
    }

    fn content_url(&self) -> String {
        uuid_within(&self.unique, "content")
    }

    fn reference(&self, subject: &Value, replaced: Option<&SourceId>) -> Value {
        let facts = &self.facts;
        let [class, kind, format, facility, practice, confidentiality] = [0, 1, 2, 3, 4, 5];
        let [start, end] = &facts.service;
        let own = Some(&self.id).filter(|id| id.starts_with("urn:uuid:"));
        let identifier = |id: &SourceId| json!({"system": id.system, "value": id.value.expose()});
        json!({
            "resourceType": "DocumentReference",
            "masterIdentifier": identifier(&self.source),
            "identifier": own.map(|id| json!([{"system": yiqiao_fhir::terms::URI, "value": id}])),
            "status": "current",
            "type": facts.concept(kind),
            "category": facts.concepts(class),
            "subject": subject,
            "date": facts.created,
            "author": facts.authors,
            "relatesTo": replaced
                .map(|id| json!([{"code": "replaces", "target": {"identifier": identifier(id)}}])),
            "description": facts.title,
            "securityLabel": facts.concepts(confidentiality),
            "content": [{
                "attachment": {
                    "contentType": facts.media,
                    "language": facts.language,
                    "url": self.content_url(),
                    "size": self.content.len(),
                    "title": facts.title,
                    "creation": facts.created,
                },
                "format": facts.codes.get(format).and_then(|codes| codes.first()).map(coding),
            }],
            "context": {
                "period": {"start": start, "end": end},
                "facilityType": facts.concept(facility),
                "practiceSetting": facts.concept(practice),
            },
        })
    }
}

/// The same without what is empty: FHIR has no such elements.
fn pruned(value: Value) -> Value {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    match value {
        Value::Array(items) => {
            items.into_iter().map(pruned).filter(|item| !is_empty(item)).collect::<Vec<_>>().into()
        }
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| (name, pruned(value)));
            Value::Object(members.filter(|(_, value)| !is_empty(value)).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}
