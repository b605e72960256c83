//! What is handed in as a transaction: documents (IHE MHD, ITI-65) or a record of other resources, and the answer entry by entry.
//!
//! A transaction with a DocumentReference is ITI-65 and has its shape. Any other is a piece of a record: it is kept whole, as one
//! document, and its entries are not served one by one.
//!
//! The bundle goes to intake as it is: `yiqiao-intake` reads what it says of documents and patient, one document for each
//! DocumentReference in their order. Here only what intake would take and MHD forbids is refused, before anything is
//! kept. Content that is too long for a bundle comes before it, as a Binary that the bundle names. Not here: folders, documents
//! at other addresses, and the check of `hash`, which is SHA-1.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use yiqiao_intake::limits::BUNDLE_ENTRIES_MAX;
use yiqiao_proto::id::{Digest, EntryId, Subject};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::Timestamp;

use crate::date;
use crate::element::{self, Element};
use crate::limits::{PROVIDE_BYTES_MAX, PROVIDE_ENTRIES_MAX};
use crate::outcome::{self, Problem};
use crate::resource::{Resource, Site, etag};
use crate::search::{Token, Who};

/// A bundle of the right shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provided {
    /// What each entry is, in order.
    parts: Vec<Part>,
    documents: usize,
    deposits: Vec<Deposited>,
    who: Option<Who>,
}

/// Content of a document that came before the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposited {
    /// How the bundle names it.
    pub url: String,
    /// The id under which it came.
    pub id: Digest,
    size: Option<u64>,
    absent: Problem,
    of_other_size: Problem,
}

impl Deposited {
    /// Checks what is here under its id: so many bytes, or nothing.
    ///
    /// # Errors
    /// [`Problem`] naming the element.
    pub fn check(&self, size: Option<u64>) -> Result<(), Problem> {
        match size {
            None => Err(self.absent.clone()),
            Some(size) if self.size.is_some_and(|said| said != size) => Err(self.of_other_size.clone()),
            Some(_) => Ok(()),
        }
    }
}

const CONTENT_SIZE: &str = "the length of the content in bytes";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    SubmissionSet,
    Patient,
    /// The DocumentReference of a document, counted from 0.
    Document(usize),
    /// Its Binary.
    Content(usize),
}

impl Provided {
    /// How many documents there are: as many as intake must make of the bundle.
    pub const fn documents(&self) -> usize {
        self.documents
    }

    /// Content that is not in the bundle.
    pub fn deposits(&self) -> &[Deposited] {
        &self.deposits
    }

    /// The patient, if the bundle does not describe but name one: by the id of a Patient of this door or an identifier that it shows,
    /// as a client does that searched for the person here. Intake knows no such ids: who hands the documents on says whose
    /// they are.
    pub const fn who(&self) -> Option<&Who> {
        self.who.as_ref()
    }
}

/// What a transaction brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// Documents.
    Documents(Provided),
    /// A piece of a record.
    Record(Record),
}

/// A bundle of resources that are kept together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which entries are Patients.
    patients: Vec<bool>,
}

/// Reads what a transaction is.
///
/// # Errors
/// [`Problem`] naming the element.
pub fn read_transaction(bytes: &[u8], site: &Site) -> Result<Transaction, Problem> {
    let value = element::parse(bytes, "the bundle", PROVIDE_BYTES_MAX)?;
    let bundle = Element::any(&value, "Bundle".to_owned())?;
    if bundle.text("resourceType")? != Some("Bundle") {
        return Err(bundle.invalid("resourceType", "Bundle"));
    }
    if bundle.text("type")? != Some("transaction") {
        return Err(bundle.invalid("type", "transaction"));
    }
    let entries = value.get("entry").and_then(Value::as_array).filter(|entries| !entries.is_empty());
    let entries = entries.ok_or_else(|| bundle.missing("entry"))?;
    if entries.len() > BUNDLE_ENTRIES_MAX {
        return Err(Problem::TooLarge { what: "the number of entries", limit: BUNDLE_ENTRIES_MAX });
    }
    let kind = |(at, entry): (usize, &Value)| -> Result<String, Problem> {
        let entry = Element::any(entry, format!("Bundle.entry[{at}]"))?;
        let request = entry.need("request")?;
        // To be left out of what was kept before is nothing that a record can say.
        if !matches!(request.need_text("method")?, "POST" | "PUT") {
            return Err(request.not_carried_out("method"));
        }
        Ok(entry.need("resource")?.need_text("resourceType")?.to_owned())
    };
    let kinds: Vec<String> = entries.iter().enumerate().map(kind).collect::<Result<_, _>>()?;
    if kinds.iter().any(|kind| kind == "DocumentReference") {
        return documents(&value, site).map(Transaction::Documents);
    }
    Ok(Transaction::Record(Record { patients: kinds.iter().map(|kind| kind == "Patient").collect() }))
}

/// The answer to a piece of a record: which document has each entry, or none if it told of the patient only.
pub fn record_response(
    record: &Record,
    filed: Option<&EntryId>,
    subject: Option<&Subject>,
    at: Timestamp,
) -> Resource {
    let answer = |is_patient: &bool| {
        let location = match (is_patient, filed, subject) {
            (true, _, Some(subject)) => Some(format!("Patient/{subject}")),
            (false, Some(entry), _) => Some(format!("DocumentReference/{entry}")),
            _ => None,
        };
        let issue =
            outcome::information("已作为一份文档整体保存", "kept whole with the others of its bundle");
        let outcome = outcome::of_issues(&[issue]);
        json!({"response": {
            "status": "200 OK",
            "location": location,
            "lastModified": date::instant(at),
            "outcome": outcome.json().expose(),
        }})
    };
    let entries: Vec<Value> = record.patients.iter().map(answer).collect();
    Resource::new("Bundle", None, json!({"type": "transaction-response", "entry": entries}))
}

/// An entry of the bundle.
struct Entry<'v> {
    full_url: &'v str,
    kind: &'v str,
    resource: Element<'v>,
}

/// Checks the shape of a bundle of documents.
///
/// # Errors
/// [`Problem`] naming the element.
pub fn read(bytes: &[u8], site: &Site) -> Result<Provided, Problem> {
    documents(&element::parse(bytes, "the bundle", PROVIDE_BYTES_MAX)?, site)
}

fn documents(value: &Value, site: &Site) -> Result<Provided, Problem> {
    let known = ["type", "timestamp", "identifier", "entry", "link"];
    let bundle = Element::resource(value, "Bundle", &known)?;
    if bundle.text("type")? != Some("transaction") {
        return Err(bundle.invalid("type", "transaction"));
    }
    let entries = entries(&bundle)?;
    let of_kind = |kind: &'static str| entries.iter().filter(move |entry| entry.kind == kind);
    let documents: Vec<_> = of_kind("DocumentReference").collect();
    if documents.is_empty() {
        return Err(bundle.missing("entry.resource.ofType(DocumentReference)"));
    }
    let lists: Vec<_> = of_kind("List").collect();
    let [list] = lists.as_slice() else {
        return Err(bundle.invalid("entry", "with one List, the submission set; folders are not kept"));
    };
    if of_kind("Patient").count() > 1 {
        return Err(bundle.invalid("entry", "about one Patient"));
    }
    submission_set(&list.resource, &documents)?;
    let who = who(&one_subject(&list.resource, &documents)?, &entries, site)?;
    let (contents, deposits) = contents(&documents, &of_kind("Binary").collect::<Vec<_>>(), site)?;
    let place = |url: &str| documents.iter().position(|document| document.full_url == url);
    let part = |entry: &Entry<'_>| match entry.kind {
        "List" => Some(Part::SubmissionSet),
        "Patient" => Some(Part::Patient),
        "Binary" => contents.get(entry.full_url).copied().map(Part::Content),
        _ => place(entry.full_url).map(Part::Document),
    };
    let parts = entries.iter().map(part).collect::<Option<Vec<_>>>();
    // INVARIANT (each entry has its part): `contents` has every Binary, and kinds are of four.
    let parts = parts.ok_or(Problem::Internal)?;
    Ok(Provided { parts, documents: documents.len(), deposits, who })
}

/// The entries, each of a type that is understood, created under its own name.
fn entries<'v>(bundle: &Element<'v>) -> Result<Vec<Entry<'v>>, Problem> {
    let items = bundle.list("entry")?;
    if items.len() > PROVIDE_ENTRIES_MAX {
        return Err(Problem::TooLarge { what: "the number of entries", limit: PROVIDE_ENTRIES_MAX });
    }
    let mut urls = BTreeSet::new();
    let mut entries = Vec::new();
    for item in items {
        let entry = entry(&item)?;
        if !urls.insert(entry.full_url) {
            return Err(item.invalid("fullUrl", "another for each entry"));
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn entry<'v>(item: &Element<'v>) -> Result<Entry<'v>, Problem> {
    let item = item.clone().only(&["fullUrl", "resource", "request"])?;
    let resource = item.need("resource")?;
    let kind = resource.need_text("resourceType")?;
    if !matches!(kind, "List" | "DocumentReference" | "Binary" | "Patient") {
        return Err(resource.invalid("resourceType", "List, DocumentReference, Binary or Patient"));
    }
    for modifier in ["implicitRules", "modifierExtension"] {
        if resource.has(modifier) {
            return Err(resource.not_carried_out(modifier));
        }
    }
    let full_url = item.need_text("fullUrl")?;
    let request = item.need("request")?.only(&["method", "url"])?;
    let (method, url) =
        (request.text("method")?.unwrap_or_default(), request.text("url")?.unwrap_or_default());
    // A patient may be one that the node knows; the documents are always new.
    let updates = kind == "Patient" && method == "PUT";
    if method != "POST" && !updates {
        return Err(request.invalid("method", "POST"));
    }
    if url != kind && !updates {
        return Err(request.invalid("url", "the type of the resource"));
    }
    Ok(Entry { full_url, kind, resource })
}

/// The list names exactly the documents of the bundle.
fn submission_set(list: &Element<'_>, documents: &[&Entry<'_>]) -> Result<(), Problem> {
    for (name, value) in [("status", "current"), ("mode", "working")] {
        let said = list.text(name)?.ok_or_else(|| list.missing(name))?;
        if said != value {
            return Err(list.invalid(name, "current in status and working in mode"));
        }
    }
    let mut named = BTreeSet::new();
    for entry in list.list("entry")? {
        let item = entry.need("item")?;
        named.insert(item.need_text("reference")?);
    }
    let there: BTreeSet<_> = documents.iter().map(|document| document.full_url).collect();
    if named == there { Ok(()) } else { Err(list.invalid("entry", "the fullUrl of each DocumentReference")) }
}

/// All is about one patient, whom the list may leave out: the subject as a document names it.
fn one_subject<'v>(list: &Element<'v>, documents: &[&Entry<'v>]) -> Result<Element<'v>, Problem> {
    let mut subjects = BTreeSet::new();
    let mut named = None;
    for document in documents {
        let resource = &document.resource;
        subjects.insert(subject(resource)?.ok_or_else(|| resource.missing("subject"))?);
        named = resource.one("subject")?;
    }
    subjects.extend(subject(list)?);
    named
        .filter(|_| subjects.len() == 1)
        .ok_or_else(|| list.invalid("subject", "the patient of every document"))
}

/// Whom a subject names who is no Patient of the bundle. Intake finds what it does not know: a name of the bundle's own.
fn who(subject: &Element<'_>, entries: &[Entry<'_>], site: &Site) -> Result<Option<Who>, Problem> {
    let literal = subject.text("reference")?.unwrap_or_default();
    if entries.iter().any(|entry| entry.full_url == literal) {
        return Ok(None);
    }
    let named = site.relative(literal);
    if let Some(id) = named.strip_prefix("Patient/").and_then(Subject::from_hex) {
        return Ok(Some(Who::Subject(id)));
    }
    if let Some(identifier) = subject.one("identifier")? {
        let system = identifier.text("system")?.map(str::to_owned);
        let value = Phi::new(identifier.need_text("value")?.to_owned());
        return Ok(Some(Who::Identifier(Token { system, value })));
    }
    if let Some(query) = named.strip_prefix("Patient?identifier=") {
        let (system, value) = query.split_once('|').unwrap_or(("", query));
        let system = Some(system.to_owned()).filter(|system| !system.is_empty());
        return Ok(Some(Who::Identifier(Token { system, value: Phi::new(value.to_owned()) })));
    }
    if literal.starts_with("urn:") {
        return Ok(None);
    }
    Err(subject.invalid("reference", "a Patient of this bundle or of this door; write an identifier else"))
}

/// What tells one subject from another.
fn subject<'v>(holder: &Element<'v>) -> Result<Option<(&'v str, &'v str)>, Problem> {
    let Some(subject) = holder.one("subject")? else { return Ok(None) };
    if let Some(reference) = subject.text("reference")? {
        return Ok(Some(("", reference)));
    }
    let identifier = subject.need("identifier")?;
    let value = identifier.need_text("value")?;
    Ok(Some((identifier.text("system")?.unwrap_or_default(), value)))
}

/// Which document each Binary is the content of, and what is the content of the others; each is of one.
fn contents<'v>(
    documents: &[&Entry<'v>],
    binaries: &[&Entry<'v>],
    site: &Site,
) -> Result<(BTreeMap<&'v str, usize>, Vec<Deposited>), Problem> {
    let mut found = BTreeMap::new();
    let mut deposits: Vec<Deposited> = Vec::new();
    for (place, document) in documents.iter().enumerate() {
        let attachment = attachment(&document.resource)?;
        let url = attachment.need_text("url")?;
        let twice = if let Some(binary) = binaries.iter().find(|binary| binary.full_url == url) {
            content(&binary.resource, &attachment)?;
            found.insert(binary.full_url, place).is_some()
        } else {
            let deposit = deposit(url, &attachment, site)?;
            let twice = deposits.iter().any(|other| other.id == deposit.id);
            deposits.push(deposit);
            twice
        };
        if twice {
            return Err(attachment.invalid("url", "another Binary for each document"));
        }
    }
    match binaries.iter().find(|binary| !found.contains_key(binary.full_url)) {
        Some(binary) => Err(binary.resource.not_carried_out("data")),
        None => Ok((found, deposits)),
    }
}

/// Content that is named by the address under which it came.
fn deposit(url: &str, attachment: &Element<'_>, site: &Site) -> Result<Deposited, Problem> {
    let id = site.relative(url).strip_prefix("Binary/").and_then(Digest::from_hex);
    let expected = "the fullUrl of a Binary of this bundle, or the address of one that was sent before";
    let id = id.ok_or_else(|| attachment.invalid("url", expected))?;
    Ok(Deposited {
        url: url.to_owned(),
        id,
        size: attachment.number("size")?,
        absent: attachment.invalid("url", "a Binary that this client has sent within a day: send it again"),
        of_other_size: attachment.invalid("size", CONTENT_SIZE),
    })
}

/// The attachment of a DocumentReference, and that the rest of it is understood.
fn attachment<'v>(document: &Element<'v>) -> Result<Element<'v>, Problem> {
    if document.need_text("status")? != "current" {
        return Err(document.invalid("status", "current"));
    }
    // One that is void would withdraw instead of filing.
    if !matches!(document.text("docStatus")?, None | Some("preliminary" | "final" | "amended")) {
        return Err(document.invalid("docStatus", "preliminary, final or amended"));
    }
    let identifier = document.need("masterIdentifier")?;
    identifier.need_text("value")?;
    for related in document.list("relatesTo")? {
        if related.text("code")? != Some("replaces") {
            return Err(related.not_carried_out("code"));
        }
    }
    let contents = document.list("content")?;
    let [content] = contents.as_slice() else { return Err(document.invalid("content", "a list of one")) };
    let attachment = content.need("attachment")?;
    attachment.need_text("contentType")?;
    if attachment.has("data") {
        return Err(attachment.invalid("data", "in a Binary of the bundle"));
    }
    Ok(attachment)
}

/// The bytes are whole: base64, and as many as the attachment says.
fn content(binary: &Element<'_>, attachment: &Element<'_>) -> Result<(), Problem> {
    binary.need_text("contentType")?;
    let data = binary.need_text("data")?;
    let digits: String = data.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(digits).map_err(|_| binary.invalid("data", "base64"))?;
    let whole = attachment.number("size")?.is_none_or(|size| u64::try_from(bytes.len()) == Ok(size));
    if whole { Ok(()) } else { Err(attachment.invalid("size", CONTENT_SIZE)) }
}

/// The answer: what became of each entry, in the order in which they came.
///
/// The submission set is not kept as a resource, so its entry says that instead of an address.
///
/// # Errors
/// [`Problem::Internal`] if intake made another number of documents than the bundle has.
pub fn response(
    provided: &Provided,
    filed: &[EntryId],
    subject: &Subject,
    at: Timestamp,
) -> Result<Resource, Problem> {
    if filed.len() != provided.documents {
        return Err(Problem::Internal);
    }
    let entries: Option<Vec<Value>> =
        provided.parts.iter().map(|part| answer(*part, filed, subject, at)).collect();
    let entries = entries.ok_or(Problem::Internal)?;
    Ok(Resource::new("Bundle", None, json!({"type": "transaction-response", "entry": entries})))
}

fn answer(part: Part, filed: &[EntryId], subject: &Subject, at: Timestamp) -> Option<Value> {
    let created = |location: String, etag: Option<String>| {
        let at = date::instant(at);
        json!({"response": {"status": "201 Created", "location": location, "etag": etag, "lastModified": at}})
    };
    Some(match part {
        Part::SubmissionSet => {
            let issue = outcome::information(
                "提交集不单独保存，文档已收",
                "the submission set is not kept; its documents are",
            );
            let outcome = outcome::of_issues(&[issue]);
            json!({"response": {"status": "200 OK", "outcome": outcome.json().expose()}})
        }
        Part::Patient => json!({"response": {"status": "200 OK", "location": format!("Patient/{subject}")}}),
        Part::Document(place) => created(format!("DocumentReference/{}", filed.get(place)?), Some(etag(1))),
        Part::Content(place) => created(format!("Binary/{}", filed.get(place)?), None),
    })
}
