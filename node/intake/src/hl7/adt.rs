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
    let date = reading.date();
    // A link and its end say something about two patients together.
    match (reading.trigger(), groups.as_slice()) {
        ("A37", [one, other]) => return unlinked(reading, one, other, date),
        ("A24", [_, _, ..]) | ("A37", [_, _, _, ..]) => return reading.review(ReviewReason::SeveralPatients),
        _ => {}
    }
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

/// Two numbers are two persons (A37): what happened to the one names the number of the other.
fn unlinked(
    reading: &mut Reading<'_, '_>,
    one: &Group<'_>,
    other: &Group<'_>,
    date: Option<When>,
) -> Understood {
    let read = event(reading, one, Trigger::Unlinked, date)
        .and_then(|event| Ok((event, self::event(reading, other, Trigger::Unlinked, date)?)));
    let (mut event, other) = match read {
        Ok(read) => read,
        Err(reason) => return reading.review(reason),
    };
    event.merged_from = other.patient.primary().cloned().into_iter().collect();
    event.flags.merge(&reading.flags);
    Understood::Events(vec![event])
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
