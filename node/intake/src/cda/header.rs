//! The header of a clinical document: whom, what, when, from whom.

use core::ops::Range;

use roxmltree::Node;
use yiqiao_proto::phi::Phi;

use crate::cda::results;
use crate::dates::{self, Period, When, Zone};
use crate::facts::{
    Author, Document, Format, Payload, Review, ReviewReason, SourceId, Staff, Status, Understood,
};
use crate::flag::{Flag, Flags};
use crate::kind::{Class, DocumentKind};
use crate::patient::{IdKind, Identifier, Name, Patient, Sex, is_of_passports, is_travel_permit};
use crate::refusal::Refusal;
use crate::resident_id::ResidentId;
use crate::xml::{HL7, at, attribute, child, children, text};

/// 卫生信息共享文档规范编码体系.
const SHARED_DOCUMENTS: &str = "2.16.156.10011.2.4";
const LOINC: &str = "2.16.840.1.113883.6.1";
/// Stem of the Chinese identifier roots (WS/T 482).
const CHINESE_IDS: &str = "2.16.156.10011.1.";
/// Stem of the Chinese document templates.
const CHINESE_TEMPLATES: &str = "2.16.156.10011.2.1.1.";

/// Reads the header of a document.
pub(super) fn read(
    root: Node<'_, '_>,
    span: Range<usize>,
    zone: &Zone,
    mut flags: Flags,
) -> Result<Understood, Refusal> {
    if root.tag_name().name() != "ClinicalDocument" || root.tag_name().namespace() != Some(HL7) {
        return Err(Refusal::NotClinicalDocument);
    }
    let missing = |path, meaning| Refusal::ElementMissing { path, meaning };
    let code = child(root, "code").ok_or(missing("ClinicalDocument/code", "the type of the document"))?;
    let kind = kind(root, code, &mut flags)?;
    let created = time(child(root, "effectiveTime"), zone, &mut flags);
    let patients: Vec<Patient> =
        children(root, "recordTarget").map(|target| patient(target, &mut flags)).collect();
    let reason = match patients.as_slice() {
        [] => Some(ReviewReason::NoPatient),
        [one] => Review::of_patient(one),
        [_, _, ..] => Some(ReviewReason::SeveralPatients),
    };
    let patient = patients.into_iter().next();
    let (Some(patient), None) = (patient.clone(), reason) else {
        let reason = reason.unwrap_or(ReviewReason::NoPatient);
        let kind = kind.code.to_string();
        return Ok(Understood::Review(Box::new(Review { reason, kind, patient, date: created, flags })));
    };
    flags.merge(&patient.check());
    let service = service(root, zone, &mut flags);
    let lab = results::lab(root, kind.class, zone, &mut flags);
    let source_id = instance(child(root, "id"));
    Ok(Understood::Documents(vec![Document {
        patient,
        source_id,
        also_known_as: Vec::new(),
        kind,
        title: child(root, "title").and_then(text).map(Phi::new),
        format: Format::Cda,
        date: created.or(service.start),
        created,
        service,
        author: author(root),
        status: Status::Final,
        replaces: replaced(root),
        visit: visit(root),
        visits: Vec::new(),
        confidentiality: child(root, "confidentialityCode")
            .and_then(|code| attribute(code, "code"))
            .map(str::to_owned),
        lab,
        payload: Payload::Message(span),
        flags,
    }]))
}

/// The kind from `code`; a template of another kind is flagged and never believed.
fn kind(root: Node<'_, '_>, code: Node<'_, '_>, flags: &mut Flags) -> Result<DocumentKind, Refusal> {
    let meaning = "the type of the document";
    let value = attribute(code, "code")
        .ok_or(Refusal::ElementMissing { path: "ClinicalDocument/code/@code", meaning })?;
    let system = attribute(code, "codeSystem").unwrap_or("");
    let shared = if system == SHARED_DOCUMENTS || system.is_empty() {
        DocumentKind::from_shared_document(value)
    } else {
        None
    };
    let kind = match shared {
        Some(kind) => kind,
        None if system == LOINC => DocumentKind::from_loinc(value),
        None => DocumentKind::local(value),
    };
    flags.raise_if(kind.class == Class::Other, Flag::KindUnknown);
    let templates = children(root, "templateId").filter_map(|template| attribute(template, "root"));
    let chinese: Vec<&str> = templates.filter(|root| root.starts_with(CHINESE_TEMPLATES)).collect();
    let own = kind.template();
    let matches = own.as_deref().is_none_or(|own| chinese.contains(&own));
    flags.raise_if(!chinese.is_empty() && !matches, Flag::TemplateMismatch);
    Ok(kind)
}

/// Identifiers stand in patientRole (record, card, visit numbers) and, in Chinese documents, in patient (resident id).
fn patient(target: Node<'_, '_>, flags: &mut Flags) -> Patient {
    let mut patient = Patient::default();
    let Some(role) = child(target, "patientRole") else { return patient };
    let person = child(role, "patient");
    let ids = children(role, "id").chain(person.into_iter().flat_map(|person| children(person, "id")));
    for id in ids {
        patient.identify(identifier(id));
    }
    patient.phone = children(role, "telecom")
        .find_map(|telecom| attribute(telecom, "value"))
        .map(|value| Phi::new(value.strip_prefix("tel:").unwrap_or(value).to_owned()));
    patient.address = child(role, "addr").and_then(text).map(Phi::new);
    let Some(person) = person else { return patient };
    let mut name = Name::default();
    for element in children(person, "name") {
        add_name(&mut name, element);
    }
    patient.name = name.written.map(Phi::new);
    patient.pinyin = name.pinyin.map(Phi::new);
    let sex = child(person, "administrativeGenderCode").and_then(|code| attribute(code, "code"));
    patient.sex = sex.and_then(|code| Sex::read(code, flags)).map(Phi::new);
    let birth = child(person, "birthTime").and_then(|time| attribute(time, "value")).unwrap_or("");
    patient.birth_date = dates::birth_date(birth, flags).ok().map(Phi::new);
    patient
}

/// An identifier of a person, by its root; `None` for those of reports, requests, specimens, beds and staff.
fn identifier(id: Node<'_, '_>) -> Option<Identifier> {
    let root = attribute(id, "root").unwrap_or("");
    let extension = attribute(id, "extension");
    let kind = match root.strip_prefix(CHINESE_IDS) {
        Some("3") => IdKind::ResidentId,
        Some("19") => IdKind::HealthCard,
        Some("2") => IdKind::HealthRecord,
        Some("11") => IdKind::OutpatientNo,
        Some("12" | "13") => IdKind::InpatientNo,
        Some(_) => return None,
        None if is_of_passports(root) => IdKind::Passport,
        None if attribute(id, "assigningAuthorityName").is_some_and(is_travel_permit) => IdKind::TravelPermit,
        None if extension.is_some_and(|value| ResidentId::parse(value).is_ok()) => IdKind::ResidentId,
        // US social security and Medicare numbers are identifiers, but not the sender's own.
        None if matches!(root, "2.16.840.1.113883.4.1" | "2.16.840.1.113883.4.572") => IdKind::Other,
        None => IdKind::Local,
    };
    match extension {
        Some(extension) => Identifier::new(kind, extension, root),
        // A root alone is an identifier too, if it is a UUID or an OID of its own.
        None if id.attribute("extension").is_none() && !root.is_empty() && !root.starts_with(CHINESE_IDS) => {
            Identifier::new(kind, root, "")
        }
        None => None,
    }
}

fn add_name(name: &mut Name, element: Node<'_, '_>) {
    let parts = |part| children(element, part).filter_map(text).collect::<Vec<_>>();
    let (family, given) = (parts("family").join(" "), parts("given"));
    if family.is_empty() && given.is_empty() {
        name.add(&text(element).unwrap_or_default(), &[]);
    } else {
        name.add(&family, &given);
    }
}

fn author(root: Node<'_, '_>) -> Author {
    let assigned = at(root, &["author", "assignedAuthor"]);
    let person = assigned.and_then(|assigned| {
        let code = child(assigned, "id").and_then(|id| attribute(id, "extension")).unwrap_or("").to_owned();
        let name = at(assigned, &["assignedPerson", "name"]).and_then(text).unwrap_or_default();
        (!code.is_empty() || !name.is_empty()).then_some(Staff { code, name })
    });
    let custodian = ["custodian", "assignedCustodian", "representedCustodianOrganization", "name"];
    let custodian = at(root, &custodian).and_then(text);
    let represented =
        assigned.and_then(|assigned| at(assigned, &["representedOrganization", "name"])).and_then(text);
    Author {
        organization: represented.or(custodian.clone()),
        department: department(root),
        person,
        custodian,
    }
}

/// The department of the encounter: the organisation of root …1.26 in the nesting of bed, room, department, ward.
fn department(root: Node<'_, '_>) -> Option<String> {
    let location = at(root, &["componentOf", "encompassingEncounter", "location", "healthCareFacility"])?;
    let is_department = |id: &Node<'_, '_>| {
        id.tag_name().name() == "id" && attribute(*id, "root") == Some("2.16.156.10011.1.26")
    };
    let id = location.descendants().find(is_department)?;
    child(id.parent()?, "name").and_then(text)
}

/// When the service took place: serviceEvent, else the encounter.
fn service(root: Node<'_, '_>, zone: &Zone, flags: &mut Flags) -> Period {
    let event = at(root, &["documentationOf", "serviceEvent", "effectiveTime"]);
    let encounter = at(root, &["componentOf", "encompassingEncounter", "effectiveTime"]);
    let filled =
        |time: &Node<'_, '_>| time.has_attribute("value") || time.children().any(|child| child.is_element());
    let Some(element) = event.filter(filled).or(encounter.filter(filled)) else {
        return Period::default();
    };
    let start = time(Some(element), zone, flags).or_else(|| time(child(element, "low"), zone, flags));
    Period { start, end: time(child(element, "high"), zone, flags) }
}

/// The visit number: the encounter's id, else the inpatient or outpatient number of a Chinese document.
fn visit(root: Node<'_, '_>) -> Option<Phi<String>> {
    let encounter = at(root, &["componentOf", "encompassingEncounter", "id"]);
    let number = encounter.and_then(|id| attribute(id, "extension")).map(str::to_owned);
    let role = at(root, &["recordTarget", "patientRole"]);
    let role_number = |kind| {
        let ids = role.into_iter().flat_map(|role| children(role, "id")).filter_map(identifier);
        ids.into_iter().find(|id| id.kind == kind).map(|id| id.value.into_exposed())
    };
    number
        .or_else(|| role_number(IdKind::InpatientNo))
        .or_else(|| role_number(IdKind::OutpatientNo))
        .map(Phi::new)
}

/// The document that this one replaces; Chinese documents leave the element empty.
fn replaced(root: Node<'_, '_>) -> Option<SourceId> {
    let related =
        children(root, "relatedDocument").filter(|related| attribute(*related, "typeCode") == Some("RPLC"));
    related.filter_map(|related| instance(at(related, &["parentDocument", "id"]))).next()
}

/// An instance identifier: root and extension, or a root alone.
fn instance(id: Option<Node<'_, '_>>) -> Option<SourceId> {
    let root = attribute(id?, "root").unwrap_or("");
    match attribute(id?, "extension") {
        Some(extension) => SourceId::new(root, extension),
        None => SourceId::new("", root),
    }
}

fn time(element: Option<Node<'_, '_>>, zone: &Zone, flags: &mut Flags) -> Option<When> {
    When::parse(attribute(element?, "value")?, zone, flags).ok()
}
