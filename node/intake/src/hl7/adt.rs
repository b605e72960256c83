//! ADT: what happened to a patient or a visit.

use crate::dates::When;
use crate::facts::{PatientEvent, Review, ReviewReason, Trigger, Understood};
use crate::hl7::message::Segment;
use crate::hl7::reader::Reading;
use crate::hl7::{person, visit};
use crate::patient::{Identifier, Patient};

/// The segments of one patient: swaps (A17) and merges (A40) have several.
struct Group<'t> {
    pid: Segment<'t>,
    pv1: Option<Segment<'t>>,
    mrg: Option<Segment<'t>>,
}

/// Reads an ADT message: one event per patient in it, or a review of the whole.
pub(crate) fn read(reading: &mut Reading<'_, '_>) -> Understood {
    let trigger = trigger(reading.trigger());
    let groups = groups(reading);
    if groups.is_empty() {
        return reading.review(ReviewReason::NoPatient);
    }
    // A link (A24, A37) says something about two patients together.
    if groups.len() > 1 && matches!(reading.trigger(), "A24" | "A37") {
        return reading.review(ReviewReason::SeveralPatients);
    }
    let date = reading.date();
    let mut events = Vec::new();
    for group in groups {
        match event(reading, &group, trigger, date) {
            Ok(event) => events.push(event),
            Err(reason) => return reading.review(reason),
        }
    }
    for event in &mut events {
        event.flags.merge(&reading.flags);
    }
    Understood::Events(events)
}

fn event(
    reading: &mut Reading<'_, '_>,
    group: &Group<'_>,
    trigger: Trigger,
    date: Option<When>,
) -> Result<PatientEvent, ReviewReason> {
    let patient = person::read(group.pid, &mut reading.flags);
    if let Some(reason) = Review::of_patient(&patient) {
        return Err(reason);
    }
    let merged_from = group.mrg.map(|mrg| person::identifiers(mrg.field(1))).unwrap_or_default();
    if trigger == Trigger::Merged {
        check_merge(&patient, &merged_from)?;
    }
    let visit = group.pv1.map(|pv1| visit::read(pv1, group.pid, reading.zone, &mut reading.flags));
    let flags = patient.check();
    Ok(PatientEvent {
        trigger,
        code: reading.envelope.kind.clone(),
        patient,
        visit,
        merged_from,
        date,
        flags,
    })
}

fn check_merge(into: &Patient, from: &[Identifier]) -> Result<(), ReviewReason> {
    if from.is_empty() {
        return Err(ReviewReason::MergeWithoutSource);
    }
    let same = |id: &Identifier| {
        into.identifiers.iter().any(|known| known.value == id.value && known.kind == id.kind)
    };
    if from.iter().all(same) { Err(ReviewReason::MergeWithItself) } else { Ok(()) }
}

/// Each PID begins a group; PV1 and MRG belong to the PID before them.
fn groups<'t>(reading: &Reading<'_, 't>) -> Vec<Group<'t>> {
    let mut groups: Vec<Group<'t>> = Vec::new();
    for segment in reading.message.segments().iter().copied() {
        if segment.is("PID") {
            groups.push(Group { pid: segment, pv1: None, mrg: None });
        } else if let Some(group) = groups.last_mut() {
            if segment.is("PV1") {
                group.pv1.get_or_insert(segment);
            } else if segment.is("MRG") {
                group.mrg.get_or_insert(segment);
            }
        }
    }
    groups
}

fn trigger(code: &str) -> Trigger {
    match code {
        "A01" | "A06" => Trigger::Admitted,
        "A02" | "A09" | "A10" | "A17" | "A20" => Trigger::Transferred,
        "A03" => Trigger::Discharged,
        "A04" | "A07" => Trigger::Registered,
        "A05" | "A14" => Trigger::PreAdmitted,
        "A08" | "A28" | "A31" => Trigger::Updated,
        "A11" | "A23" | "A27" | "A38" => Trigger::VisitCancelled,
        "A12" => Trigger::TransferCancelled,
        "A13" => Trigger::DischargeCancelled,
        "A29" => Trigger::PersonDeleted,
        "A18" | "A30" | "A34" | "A36" | "A39" | "A40" => Trigger::Merged,
        "A46" | "A47" | "A48" | "A49" | "A51" => Trigger::IdentifierChanged,
        "A35" | "A41" | "A42" | "A43" | "A44" | "A45" | "A50" => Trigger::VisitMoved,
        _ => Trigger::Other,
    }
}
