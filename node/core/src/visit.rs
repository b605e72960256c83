//! The visits of a patient as the hospital's register tells them, or the Encounters beside a document: they say who treats.
//!
//! Many systems send no visit number. Such a visit is known by what is said of it, so that nobody who treats is left out.

use yiqiao_intake::facts::{Trigger, Visit as Said, VisitClass};

use crate::limits::VISITS_MAX;
use crate::person::{clip, write_staff};
use crate::remark::{Remark, Remarks};
use crate::state::kept::Visit;

/// Applies what an event says of a visit; `at` is when it happened. A field that says nothing is no visit.
pub(crate) fn apply(visits: &mut Vec<Visit>, said: &Said, trigger: Trigger, at: i64) -> Remarks {
    if *said == Said::default() {
        return Remarks::new();
    }
    let new = write(said);
    let mut remarks = Remarks::new();
    if new.number.is_empty() {
        remarks.insert(Remark::VisitUnnumbered);
    }
    let place = visits.iter().position(|known| is_same(known, &new));
    let known = place.map(|place| visits.remove(place));
    if trigger == Trigger::VisitCancelled {
        if known.is_none() {
            remarks.insert(Remark::CancelsNothing);
        }
        return remarks;
    }
    visits.push(join(known.unwrap_or_default(), new, trigger, at));
    trim(visits);
    remarks
}

/// The newest [`VISITS_MAX`] stay.
pub(crate) fn trim(visits: &mut Vec<Visit>) {
    let surplus = visits.len().saturating_sub(VISITS_MAX);
    visits.drain(..surplus);
}

/// A number says it. Without one, a stay is known by its beginning, whatever ward it is in; any other visit by its place and doctor,
/// too, since a patient may be in two clinics on one day.
fn is_same(known: &Visit, new: &Visit) -> bool {
    if !new.number.is_empty() || !known.number.is_empty() {
        return known.number == new.number;
    }
    let stay = new.class == class_number(VisitClass::Inpatient) && new.admitted.is_some();
    (known.class, known.admitted) == (new.class, new.admitted)
        && (stay || (&known.department, &known.attending) == (&new.department, &new.attending))
}

/// What is said now counts; what is not said stays as it was.
fn join(known: Visit, new: Visit, trigger: Trigger, at: i64) -> Visit {
    let implied = if trigger == Trigger::Discharged { Some(at) } else { known.discharged };
    let discharged = new.discharged.or(implied).filter(|_| trigger != Trigger::DischargeCancelled);
    Visit {
        number: new.number,
        class: if new.class == 0 { known.class } else { new.class },
        department: if new.department.is_empty() { known.department } else { new.department },
        attending: new.attending.or(known.attending),
        admitted: new.admitted.or(known.admitted),
        discharged,
        of: known.of,
    }
}

fn write(said: &Said) -> Visit {
    Visit {
        number: said.number.as_ref().map(|number| clip(number.expose())).unwrap_or_default(),
        class: said.class.map_or(0, class_number),
        department: said.department.as_deref().map(clip).unwrap_or_default(),
        attending: said.attending.as_ref().map(write_staff),
        admitted: said.admitted.map(|when| when.at.unix_ms()),
        discharged: said.discharged.map(|when| when.at.unix_ms()),
        of: Vec::new(),
    }
}

const fn class_number(class: VisitClass) -> u32 {
    match class {
        VisitClass::Inpatient => 1,
        VisitClass::Outpatient => 2,
        VisitClass::Emergency => 3,
        VisitClass::PreAdmission => 4,
        VisitClass::Other => 5,
    }
}
