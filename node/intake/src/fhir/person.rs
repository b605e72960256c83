//! Patient resources and references to patients.

use yiqiao_proto::phi::Phi;

use crate::dates;
use crate::fhir::node::Node;
use crate::flag::Flags;
use crate::patient::{
    IdKind, Identifier, Name, Patient, Sex, assigner_of, is_of_passports, is_travel_permit,
};
use crate::refusal::Refusal;
use crate::resident_id::ResidentId;

/// Reads a Patient. Its `id` counts as an identifier where it is one of the sending server, not of the bundle only.
pub(super) fn read(resource: &Node<'_>, served: bool, flags: &mut Flags) -> Result<Patient, Refusal> {
    let mut patient = Patient::default();
    for element in resource.list("identifier")? {
        patient.identify(identifier(&element)?);
    }
    if let Some(id) = resource.text("id")?.filter(|_| served) {
        patient.identify(Identifier::new(IdKind::Other, &id, "Patient.id"));
    }
    let mut name = Name::default();
    for element in resource.list("name")? {
        let (family, given) = (element.text("family")?, element.texts("given")?);
        match (family, element.text("text")?) {
            (None, Some(text)) if given.is_empty() => name.add(&text, &[]),
            (family, _) => name.add(&family.unwrap_or_default(), &given),
        }
    }
    patient.name = name.written.map(Phi::new);
    patient.pinyin = name.pinyin.map(Phi::new);
    let sex = resource.text("gender")?.unwrap_or_default();
    patient.sex = Sex::read(&sex, flags).map(Phi::new);
    let birth = resource.text("birthDate")?.unwrap_or_default();
    patient.birth_date = dates::birth_date(&birth, flags).ok().map(Phi::new);
    for telecom in resource.list("telecom")? {
        let phone = telecom.text("system")?.is_none_or(|system| system == "phone");
        patient.phone = patient.phone.or(telecom.text("value")?.filter(|_| phone).map(Phi::new));
    }
    if let Some(address) = resource.list("address")?.into_iter().next() {
        patient.address = address_of(&address)?.map(Phi::new);
    }
    Ok(patient)
}

/// A patient who is only referred to: by identifier, by a conditional reference, or by the id on the sender's server.
pub(super) fn of_reference(reference: &Node<'_>) -> Result<Patient, Refusal> {
    let mut patient = Patient::default();
    if let Some(element) = reference.one("identifier")? {
        patient.identify(identifier(&element)?);
    }
    let literal = reference.text("reference")?.unwrap_or_default();
    if let Some((_, query)) = literal.split_once("?identifier=") {
        let (system, value) = query.split_once('|').unwrap_or(("", query));
        patient.identify(Identifier::new(kind_of("", system, value), value, &assigner_of(system)));
    } else if !literal.starts_with("urn:") {
        let id = literal.rsplit_once("Patient/").map(|(_, id)| id.split('/').next().unwrap_or(id));
        patient.identify(id.and_then(|id| Identifier::new(IdKind::Other, id, "Patient.id")));
    }
    patient.name = reference.text("display")?.map(Phi::new);
    Ok(patient)
}

fn identifier(element: &Node<'_>) -> Result<Option<Identifier>, Refusal> {
    let (system, value) =
        (element.text("system")?.unwrap_or_default(), element.text("value")?.unwrap_or_default());
    let mut code = String::new();
    if let Some(kind) = element.one("type")? {
        let coding = kind.list("coding")?.into_iter().next();
        code = coding.map(|coding| coding.text("code")).transpose()?.flatten().unwrap_or_default();
        if kind.text("text")?.is_some_and(|text| is_travel_permit(&text)) {
            return Ok(Identifier::new(IdKind::TravelPermit, &value, &assigner_of(&system)));
        }
    }
    Ok(Identifier::new(kind_of(&code, &system, &value), &value, &assigner_of(&system)))
}

/// The kind by type code, by the well-known systems of Chinese guides, or by the form of the value.
fn kind_of(code: &str, system: &str, value: &str) -> IdKind {
    let oid = system.trim_start_matches("urn:oid:");
    match (code, oid) {
        ("NNCHN" | "PRC", _) | (_, "2.16.156.10011.1.3") => IdKind::ResidentId,
        (_, "2.16.156.10011.1.19") | ("HC", _) => IdKind::HealthCard,
        (_, "2.16.156.10011.1.2") => IdKind::HealthRecord,
        (_, "2.16.156.10011.1.11") => IdKind::OutpatientNo,
        (_, "2.16.156.10011.1.12" | "2.16.156.10011.1.13") => IdKind::InpatientNo,
        ("PPN", _) => IdKind::Passport,
        _ if is_of_passports(system) => IdKind::Passport,
        _ if ResidentId::parse(value).is_ok() => IdKind::ResidentId,
        ("SS" | "SB" | "DL" | "NI" | "AN" | "VN", _) | (_, "http://hl7.org/fhir/sid/us-ssn") => IdKind::Other,
        _ => IdKind::Local,
    }
}

fn address_of(address: &Node<'_>) -> Result<Option<String>, Refusal> {
    if let Some(text) = address.text("text")? {
        return Ok(Some(text));
    }
    let mut parts = Vec::new();
    for name in ["state", "city", "district"] {
        parts.extend(address.text(name)?);
    }
    parts.extend(address.texts("line")?);
    Ok((!parts.is_empty()).then(|| parts.join(" ")))
}
