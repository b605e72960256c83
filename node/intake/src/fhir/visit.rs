//! Encounters: the visits that they tell of, and the number of the one that a resource came of.

use yiqiao_proto::phi::Phi;

use crate::dates::Zone;
use crate::facts::{Staff, Trigger, Visit, VisitClass};
use crate::fhir::graph::Graph;
use crate::fhir::node::Node;
use crate::fhir::{document, staff};
use crate::flag::Flags;
use crate::refusal::Refusal;

/// Who of a visit's participants is responsible for it, the most telling first (v3 ParticipationType): attender, primary performer.
const RESPONSIBLE: [&str; 2] = ["ATND", "PPRF"];

/// All Encounters of an input.
pub(super) fn all(
    graph: &Graph<'_>,
    zone: &Zone,
    flags: &mut Flags,
) -> Result<Vec<(Trigger, Visit)>, Refusal> {
    graph.all("Encounter").map(|entry| read(&entry.resource, graph, zone, flags)).collect()
}

fn read(
    root: &Node<'_>,
    graph: &Graph<'_>,
    zone: &Zone,
    flags: &mut Flags,
) -> Result<(Trigger, Visit), Refusal> {
    let class = root.any("class")?.into_iter().next();
    let class =
        class.map(|class| class.text("code")).transpose()?.flatten().map(|code| match code.as_str() {
            "IMP" | "ACUTE" | "NONAC" | "inpatient" => VisitClass::Inpatient,
            "AMB" | "outpatient" | "ambulatory" => VisitClass::Outpatient,
            "EMER" | "emergency" => VisitClass::Emergency,
            "PRENC" => VisitClass::PreAdmission,
            _ => VisitClass::Other,
        });
    let trigger = match root.text("status")?.as_deref() {
        Some("planned" | "arrived") => Trigger::PreAdmitted,
        Some("finished" | "completed") => Trigger::Discharged,
        Some("cancelled" | "entered-in-error") => Trigger::VisitCancelled,
        Some("in-progress") if class == Some(VisitClass::Inpatient) => Trigger::Admitted,
        _ => Trigger::Registered,
    };
    let period = document::period(root.one("period")?.as_ref(), zone, flags)?;
    let visit = Visit {
        number: own_number(root)?.map(Phi::new),
        class,
        department: department(root, graph)?,
        attending: attending(root, graph)?,
        admitted: period.start,
        discharged: period.end,
    };
    Ok((trigger, visit))
}

/// What `serviceType` says, else who provides the service.
fn department(root: &Node<'_>, graph: &Graph<'_>) -> Result<Option<String>, Refusal> {
    for concept in root.concepts("serviceType")? {
        if let Some(text) = document::words(&concept)? {
            return Ok(Some(text));
        }
    }
    let Some(provider) = root.one("serviceProvider")? else { return Ok(None) };
    Ok(staff::named(&provider, graph)?.map(|(name, _)| name))
}

/// The responsible participant; if nobody is called so, the first whose part is not said.
fn attending(root: &Node<'_>, graph: &Graph<'_>) -> Result<Option<Staff>, Refusal> {
    let mut found: Vec<(usize, Staff)> = Vec::new();
    for participant in root.any("participant")? {
        let Some(rank) = rank(&participant)? else { continue };
        let Some(individual) = participant.one("individual")?.or(participant.one("actor")?) else { continue };
        found.extend(staff::read(&individual, graph)?.map(|staff| (rank, staff)));
    }
    Ok(found.into_iter().min_by_key(|(rank, _)| *rank).map(|(_, staff)| staff))
}

/// The place of a participant among the responsible; none if it has another part, such as the one who referred.
fn rank(participant: &Node<'_>) -> Result<Option<usize>, Refusal> {
    let mut codes = Vec::new();
    for concept in participant.concepts("type")? {
        for coding in concept.any("coding")? {
            codes.extend(coding.text("code")?);
        }
    }
    let responsible = RESPONSIBLE.iter().position(|code| codes.iter().any(|said| said == code));
    Ok(responsible.or_else(|| codes.is_empty().then_some(RESPONSIBLE.len())))
}

/// The number of the visit that a resource came of.
pub(super) fn number(root: &Node<'_>, graph: &Graph<'_>) -> Result<Option<String>, Refusal> {
    let context = root.any("context")?.into_iter().next();
    let of_context = context.map(|context| context.any("encounter")).transpose()?.unwrap_or_default();
    let Some(reference) = root.any("encounter")?.into_iter().chain(of_context).next() else {
        return Ok(None);
    };
    if let Some(identifier) = reference.one("identifier")? {
        return identifier.text("value");
    }
    let Some(literal) = reference.text("reference")? else { return Ok(None) };
    let Some(entry) = graph.find(&literal) else {
        return Ok(literal.rsplit_once("Encounter/").map(|(_, id)| id.to_owned()));
    };
    own_number(&entry.resource)
}

/// An Encounter's first identifier, else its id.
fn own_number(encounter: &Node<'_>) -> Result<Option<String>, Refusal> {
    let identifier = encounter.list("identifier")?.into_iter().next();
    Ok(identifier.map(|id| id.text("value")).transpose()?.flatten().or(encounter.text("id")?))
}
