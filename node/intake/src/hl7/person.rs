//! PID and MRG: identifiers, name, sex, birth date, in the standard's and the Chinese way of filling them.

use yiqiao_proto::country;
use yiqiao_proto::phi::Phi;

use crate::dates;
use crate::flag::Flags;
use crate::hl7::message::{Part, Segment};
use crate::limits::REPETITIONS_MAX;
use crate::patient::{IdKind, Identifier, Name, Patient, Sex, is_travel_permit};
use crate::resident_id::{self, ResidentId};

/// Reads a PID segment. PID-3 says who the patient is; PID-19 counts where it is a valid resident identity number;
/// PID-2 and PID-4 are kept beside a usable identifier, because analysers put sample numbers there.
pub(crate) fn read(pid: Segment<'_>, flags: &mut Flags) -> Patient {
    let mut patient = Patient::default();
    for identifier in pid.field(3).repetitions().take(REPETITIONS_MAX) {
        patient.identify(identifier_of(identifier));
    }
    let national = pid.field(19).once().component(1).value();
    if ResidentId::parse(&national).is_ok() {
        patient.identify(Identifier::new(IdKind::ResidentId, &national, ""));
    }
    if patient.primary().is_some() {
        for field in [2, 4] {
            for identifier in pid.field(field).repetitions().take(REPETITIONS_MAX) {
                patient
                    .identify(identifier_of(identifier).map(|id| Identifier { kind: IdKind::Other, ..id }));
            }
        }
    }
    let name = name(pid.field(5));
    patient.name = name.written.map(Phi::new);
    patient.pinyin = name.pinyin.map(Phi::new);
    patient.sex = Sex::read(&pid.field(8).once().component(1).value(), flags).map(Phi::new);
    let birth = pid.field(7).once().component(1).value();
    patient.birth_date = dates::birth_date(&birth, flags).ok().map(Phi::new);
    patient.phone = [13, 14].iter().find_map(|field| phone(pid.field(*field))).map(Phi::new);
    patient.address = pid.field(11).repetitions().find_map(address).map(Phi::new);
    patient
}

/// Identifiers of an MRG-1 field.
pub(crate) fn identifiers(field: Part<'_>) -> Vec<Identifier> {
    field
        .repetitions()
        .take(REPETITIONS_MAX)
        .filter_map(identifier_of)
        .filter(|id| !id.is_placeholder())
        .collect()
}

/// A CX field: the type in component 5, in Chinese systems as a number.
fn identifier_of(cx: Part<'_>) -> Option<Identifier> {
    let value = cx.component(1).subcomponent(1).value();
    let kind = kind_of(&cx.component(5).value(), &value);
    let authority = cx.component(4);
    // A passport's state stands where the jurisdiction does, or as the authority.
    let state = cx.component(9).subcomponent(1).some();
    let state = state.filter(|state| kind == IdKind::Passport && country::by_letters(state).is_some());
    let assigner = [2, 1].iter().find_map(|part| authority.subcomponent(*part).some());
    Identifier::new(kind, &value, &state.or(assigner).unwrap_or_default())
}

/// The kind by the type code of table 0203, by the codes Chinese systems use, or by the form of the value.
fn kind_of(code: &str, value: &str) -> IdKind {
    let valid = ResidentId::parse(value).is_ok();
    match code.trim().to_ascii_uppercase().as_str() {
        "MR" | "PI" | "PT" | "MRN" | "PN" | "U" | "EN" => IdKind::Local,
        "NNCHN" | "SFZ" | "IDCARD" | "身份证" | "身份证号" | "居民身份证" => IdKind::ResidentId,
        // 1 is the identity card in the Chinese dialect; elsewhere anything.
        "NI" | "1" | "01" | "ID" | "PRC" | "CZ" if valid || resident_id::looks_like(value) => {
            IdKind::ResidentId
        }
        "HC" | "JKK" | "健康卡" | "居民健康卡" => IdKind::HealthCard,
        "PPN" | "护照" | "护照号" => IdKind::Passport,
        name if is_travel_permit(name) => IdKind::TravelPermit,
        "OP" | "MZH" | "门诊号" => IdKind::OutpatientNo,
        "IP" | "ZYH" | "住院号" | "BAH" | "病案号" => IdKind::InpatientNo,
        "AN" | "VN" | "SS" | "DL" | "XX" | "NI" => IdKind::Other,
        _ if valid => IdKind::ResidentId,
        _ => IdKind::Local,
    }
}

fn name(field: Part<'_>) -> Name {
    let mut name = Name::default();
    for repetition in field.repetitions().take(REPETITIONS_MAX).filter(|name| !name.is_empty()) {
        let family = repetition.component(1).subcomponent(1).value();
        name.add(&family, &[repetition.component(2).value(), repetition.component(3).value()]);
    }
    name
}

fn phone(field: Part<'_>) -> Option<String> {
    let number =
        field.repetitions().find_map(|xtn| xtn.component(1).some().or_else(|| xtn.component(12).some()));
    number.or_else(|| {
        let xtn = field.once();
        let parts = [5, 6, 7].iter().filter_map(|part| xtn.component(*part).some());
        Some(parts.collect::<Vec<_>>().join(" ")).filter(|number| !number.is_empty())
    })
}

fn address(xad: Part<'_>) -> Option<String> {
    let street = xad.component(1).subcomponent(1).some();
    let rest = [2, 3, 4, 5].iter().filter_map(|part| xad.component(*part).some());
    Some(street.into_iter().chain(rest).collect::<Vec<_>>().join(" ")).filter(|address| !address.is_empty())
}
