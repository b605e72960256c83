//! PV1: the visit of a message.

use yiqiao_proto::phi::Phi;

use crate::dates::{When, Zone};
use crate::facts::{Staff, Visit, VisitClass};
use crate::flag::Flags;
use crate::hl7::message::{Message, Part, Segment};

/// Reads the visit of a PV1 segment, and of the PID before it.
pub(crate) fn read(pv1: Segment<'_>, pid: Segment<'_>, zone: &Zone, flags: &mut Flags) -> Visit {
    let mut when = |field| When::parse(&pv1.field(field).once().component(1).value(), zone, flags).ok();
    let (admitted, discharged) = (when(44), when(45));
    Visit {
        number: first_number([pv1.field(19), pid.field(18), pv1.field(50), pv1.field(5)]),
        class: class(&pv1.field(2).once().component(1).value()),
        department: place(pv1.field(3)),
        attending: staff(pv1.field(7)),
        admitted,
        discharged,
    }
}

/// The visit that a PV1 segment of a message tells of; `None` if it says neither a number nor a beginning.
pub fn of(message: &Message<'_>, pv1: Segment<'_>, zone: &Zone) -> Option<Visit> {
    let visit = read(pv1, message.first("PID")?, zone, &mut Flags::none());
    (visit.number.is_some() || visit.admitted.is_some()).then_some(visit)
}

/// The visit number of a message.
pub(crate) fn number(message: &Message<'_>) -> Option<Phi<String>> {
    let fields = [("PV1", 19), ("PID", 18), ("PV1", 50), ("PV1", 5)];
    first_number(fields.map(|(segment, field)| message.field(segment, field)))
}

/// The visit number, else the account, the alternate visit number, the number that the visit had before it began.
fn first_number(fields: [Part<'_>; 4]) -> Option<Phi<String>> {
    fields.into_iter().find_map(|field| field.once().component(1).some()).map(Phi::new)
}

/// Where the patient is: PV1-3, else PV1-10 (hospital service).
pub(crate) fn department(message: &Message<'_>) -> Option<String> {
    place(message.field("PV1", 3)).or_else(|| message.field("PV1", 10).some())
}

/// An XCN field as `code^name`, `code&name`, or the name alone.
pub fn staff(xcn: Part<'_>) -> Option<Staff> {
    let xcn = xcn.repetitions().find(|xcn| !xcn.is_empty())?;
    let first = xcn.component(1);
    let given = [2, 3].iter().filter_map(|part| xcn.component(*part).subcomponent(1).some());
    let name = given.collect::<Vec<_>>().join(" ");
    let (code, name) = match first.subcomponent(2).some() {
        Some(name) => (first.subcomponent(1).value(), name),
        None => (first.value(), name),
    };
    // 王  芳: blanks within a two-character name are typography.
    let name = if name.is_ascii() { name } else { name.split_whitespace().collect() };
    (!code.is_empty() || !name.is_empty()).then_some(Staff { code, name })
}

/// A PL field: the ward or clinic, by name where code and name stand together.
fn place(pl: Part<'_>) -> Option<String> {
    let pl = pl.once();
    let named = |part: usize| {
        let part = pl.component(part);
        part.subcomponent(2).some().filter(|text| !text.is_ascii()).or_else(|| part.subcomponent(1).some())
    };
    named(1).or_else(|| named(9)).or_else(|| named(4))
}

fn class(code: &str) -> Option<VisitClass> {
    match code.to_ascii_uppercase().as_str() {
        "" => None,
        "I" | "INPATIENT" | "住院" | "IMP" => Some(VisitClass::Inpatient),
        "O" | "OUTPATIENT" | "门诊" | "AMB" => Some(VisitClass::Outpatient),
        "E" | "EMERGENCY" | "急诊" | "EMER" => Some(VisitClass::Emergency),
        "P" => Some(VisitClass::PreAdmission),
        _ => Some(VisitClass::Other),
    }
}
